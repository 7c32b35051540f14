//! `nqdb backup`: both sides of it. The command asks the server that has the data directory open, and the server writes.

use std::fs::DirBuilder;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nqdb_storage::StorageError;
use nqdb_storage::backup::{BackupLink, BackupRequest, Manifest, Progress, open_link};
use nqdb_storage::disk::OsDisk;
use nqdb_txn::TxnSystem;

use crate::control::{self, BackupOrder};
use crate::error::ServerError;

/// PostgreSQL's epoch after Unix's.
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);
/// A bounded rate is kept in steps of at most this.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// Incremental backups that build on each other.
const CHAIN_LENGTH_MAX: usize = 1000;

/// What `nqdb backup` was told.
pub struct BackupCommand {
    pub to: PathBuf,
    pub incremental_from: Option<PathBuf>,
    pub bytes_per_second: Option<u64>,
}

/// Has the server that has `data_dir` open write a backup; calls `progress` with percents. Returns what the server says about it.
pub fn backup(data_dir: &Path, command: &BackupCommand, progress: &mut dyn FnMut(u64)) -> Result<String, ServerError> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| ServerError::System { what: "cannot name the directory", source })
    };
    let order = BackupOrder {
        to: absolute(&command.to)?,
        base: command.incremental_from.as_deref().map(absolute).transpose()?,
        bytes_per_second: command.bytes_per_second,
    };
    let gone = |source| ServerError::NoServer { path: data_dir.to_path_buf(), source };
    let mut stream = control::connect(data_dir).map_err(gone)?;
    control::write_order(&mut stream, &order).map_err(gone)?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(gone)?;
        let (word, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        match word {
            "done" => return Ok(rest.to_owned()),
            "failed" => return Err(ServerError::Backup(rest.to_owned())),
            _ => {
                let mut numbers = rest.split(' ').filter_map(|number| number.parse::<u64>().ok());
                if let (Some(done), Some(total)) = (numbers.next(), numbers.next()) {
                    progress(done.saturating_mul(100) / total.max(1));
                }
            }
        }
    }
    Err(ServerError::Backup("the server ended before the backup was complete".to_owned()))
}

/// Takes a backup. `go_on` is asked now and then, and says why not. Errors are for people.
pub(crate) fn take(
    system: &TxnSystem,
    order: &BackupOrder,
    go_on: &mut dyn FnMut(Progress) -> Result<(), &'static str>,
) -> Result<String, String> {
    let to = order.to.display().to_string();
    prepare_target(&order.to).map_err(|error| format!("{to}: {error}"))?;
    let base = match &order.base {
        Some(base) => Some(open_directory(base).map_err(|error| format!("{}: {error}", base.display()))?),
        None => None,
    };
    let base_name = order.base.as_ref().map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    let since = Instant::now();
    tracing::info!(to, base = base_name, "a backup begins");
    let mut pace = |progress: Progress| loop {
        go_on(progress).map_err(StorageError::refused)?;
        let rest = pause(progress.done_bytes, order.bytes_per_second, since.elapsed());
        if rest.is_zero() {
            return Ok(());
        }
        std::thread::sleep(rest.min(PAUSE_MAX));
    };
    let taken = system.engine().backup(BackupRequest {
        target: &OsDisk::new(&order.to),
        base: base.as_ref().map(|link| (&link.manifest, base_name)),
        clock_micros: &now_micros,
        pace: &mut pace,
    });
    match taken {
        Ok(manifest) => {
            let milliseconds = since.elapsed().as_millis();
            tracing::info!(to, milliseconds, bytes = manifest.total_bytes(), "a backup was taken");
            Ok(summary(&manifest))
        }
        Err(error) => {
            tracing::warn!(to, %error, "a backup was not completed");
            Err(error.to_string())
        }
    }
}

/// One line about a backup.
pub(crate) fn summary(manifest: &Manifest) -> String {
    let kind = if manifest.base.is_some() { "incremental" } else { "full" };
    format!(
        "{kind} backup {:016x}: {} bytes, log from {} to {}",
        manifest.id,
        manifest.total_bytes(),
        manifest.start,
        manifest.end
    )
}

/// How long to wait so that no more than the rate was read.
fn pause(done_bytes: u64, bytes_per_second: Option<u64>, elapsed: Duration) -> Duration {
    let Some(rate) = bytes_per_second else { return Duration::ZERO };
    Duration::from_secs_f64(done_bytes as f64 / rate as f64).saturating_sub(elapsed)
}

/// µs since 2000-01-01 UTC.
fn now_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_micros() as i64 - POSTGRES_EPOCH.as_micros() as i64
}

/// Makes the directory for its owner alone, or makes sure that it is empty.
pub(crate) fn prepare_target(directory: &Path) -> Result<(), String> {
    match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(Ok(entry)) => Err(format!("the directory is not empty: it holds {:?}", entry.file_name())),
            Some(Err(error)) => Err(error.to_string()),
        },
    }
}

/// A directory with a backup.
fn open_directory(directory: &Path) -> Result<BackupLink, StorageError> {
    open_link(Arc::new(OsDisk::new(directory)))
}

/// The backup in a directory and those that it builds on, the full one first. A base is looked for where it was, and then
/// among the neighbours of the one that builds on it.
pub(crate) fn find_chain(directory: &Path) -> Result<Vec<BackupLink>, ServerError> {
    let failed = |path: &Path, source| ServerError::BackupDirectory { path: path.to_path_buf(), source };
    let mut at = directory.to_path_buf();
    let mut chain = vec![open_directory(&at).map_err(|source| failed(&at, source))?];
    while let Some(base) = chain.last().and_then(|link| link.manifest.base.clone()) {
        let is_it = |path: &PathBuf| open_directory(path).is_ok_and(|link| link.manifest.id == base.id);
        let neighbours = at.parent().and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten();
        let neighbours = neighbours.filter_map(|entry| Some(entry.ok()?.path()));
        let found = std::iter::once(PathBuf::from(&base.directory)).chain(neighbours).find(is_it);
        let path = found.filter(|_| chain.len() < CHAIN_LENGTH_MAX).ok_or_else(|| {
            ServerError::Backup(format!(
                "{}: it builds on the backup {:016x}, which is neither in {} nor beside it",
                at.display(),
                base.id,
                base.directory
            ))
        })?;
        chain.push(open_directory(&path).map_err(|source| failed(&path, source))?);
        at = path;
    }
    chain.reverse();
    Ok(chain)
}

/// Verifies a backup and those that it builds on. Returns a line about each, and the damage if there is some.
pub fn check_backup(directory: &Path) -> Result<(Vec<String>, Option<String>), ServerError> {
    let chain = match find_chain(directory) {
        Err(ServerError::BackupDirectory { source: source @ StorageError::Corrupt { .. }, .. }) => {
            return Ok((Vec::new(), Some(source.to_string())));
        }
        found => found?,
    };
    let lines = chain.iter().map(|link| summary(&link.manifest)).collect();
    match nqdb_storage::backup::verify(&chain) {
        Ok(_) => Ok((lines, None)),
        Err(damage @ (StorageError::Corrupt { .. } | StorageError::Io { .. })) => Ok((lines, Some(damage.to_string()))),
        Err(source) => Err(ServerError::BackupDirectory { path: directory.to_path_buf(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_on_the_whole() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(1000, None, Duration::ZERO), Duration::ZERO);
        assert_eq!(pause(1000, Some(1000), Duration::ZERO), second);
        assert_eq!(pause(2000, Some(1000), second), second);
        assert_eq!(pause(2000, Some(1000), 3 * second), Duration::ZERO);
    }
}
