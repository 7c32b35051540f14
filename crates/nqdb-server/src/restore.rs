//! `nqdb restore`: a backup, and log from archives, become a data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nqdb_storage::backup::RestoreSource;
use nqdb_storage::disk::{Disk, OsDisk};
use nqdb_storage::{Lsn, Options};
use nqdb_txn::{RestoreTarget, TxnOptions};
use nqdb_types::{Datum, FormatContext, Type, oid, parse_text};

use crate::backup::{find_chain, prepare_target};
use crate::error::ServerError;

/// What `nqdb restore` was told.
pub struct RestoreCommand {
    pub from: PathBuf,
    pub archives: Vec<PathBuf>,
    pub target: RestoreTarget,
}

/// Makes a database in a new or empty directory; returns a line about it.
pub fn restore(data_dir: &Path, command: &RestoreCommand, memory_bytes: u64) -> Result<String, ServerError> {
    let chain = find_chain(&command.from)?;
    let archives = command.archives.iter().map(|path| open_archive(path)).collect::<Result<Vec<_>, _>>()?;
    prepare_target(data_dir).map_err(|what| ServerError::Backup(format!("{}: {what}", data_dir.display())))?;
    let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let engine = Options { frames: Options::frames_from_memory_bytes(memory), ..Options::default() };
    let options = TxnOptions { undo_memory_bytes: memory / 4, ..TxnOptions::default() };
    let source = RestoreSource { chain: &chain, archives: &archives };
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new(data_dir));
    let restored = nqdb_txn::restore(source, command.target, disk, engine, options)
        .map_err(|source| ServerError::Restore { path: data_dir.to_path_buf(), source })?;
    Ok(format!("{}: restored up to {}", data_dir.display(), restored.end))
}

fn open_archive(path: &Path) -> Result<Arc<dyn Disk>, ServerError> {
    match std::fs::read_dir(path) {
        Ok(_) => Ok(Arc::new(OsDisk::new(path))),
        Err(source) => Err(ServerError::Archive { path: path.to_path_buf(), source }),
    }
}

/// Reads the moment of `--to-time` as PostgreSQL reads a `timestamptz`; without a zone it is one of UTC.
pub fn parse_moment(text: &str) -> Result<RestoreTarget, String> {
    match parse_text(text, Type::new(oid::TIMESTAMPTZ), &FormatContext::default()) {
        // The special words depend on a clock or lie at the ends of time.
        Ok(Datum::TimestampTz(micros)) if text.bytes().any(|byte| byte.is_ascii_digit()) => {
            Ok(RestoreTarget::Time(micros))
        }
        Ok(_) => Err("give a date and a time, as in '2026-12-24 18:00:00+01'".to_owned()),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// Reads the position of `--to-lsn`.
pub fn parse_position(text: &str) -> Result<RestoreTarget, String> {
    match text.parse::<Lsn>() {
        Ok(lsn) => Ok(RestoreTarget::Lsn(lsn)),
        Err(()) => Err("give a position as pg_current_wal_lsn() tells it, as in 0/5123450".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_positions_are_read_as_postgresql_writes_them() {
        assert_eq!(parse_moment("2000-01-01 00:00:01"), Ok(RestoreTarget::Time(1_000_000)));
        assert_eq!(parse_moment("2000-01-01 01:00:00.5+01"), Ok(RestoreTarget::Time(500_000)));
        for wrong in ["", "now", "infinity", "yesterday", "2000-13-01", "2000-01-01 25:00"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_position("1/0A"), Ok(RestoreTarget::Lsn(Lsn(0x1_0000_000a))));
        assert!(parse_position("10").is_err());
    }
}
