//! Opening and closing the data: the transaction system, the catalog, and the background work over them.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nqdb_catalog::Cluster;
use nqdb_sql::temporary_files::{self, TemporaryFolder};
use nqdb_storage::LogArchive;
use nqdb_storage::disk::{Disk, OsDisk};
use nqdb_txn::{TxnError, TxnOptions, TxnSystem};

use crate::control;
use crate::error::ServerError;

/// Pause of the purge thread when there is nothing to do.
const PURGE_PAUSE: Duration = Duration::from_millis(50);
/// Shares of the configured memory, in percent; the rest is for queries and sockets.
const POOL_PERCENT: u64 = 60;
const UNDO_PERCENT: u64 = 10;
const SORT_PERCENT: u64 = 3;
const STATEMENTS_PERCENT: u64 = 25;
/// The file that says that a data directory was made.
const SUPERBLOCK: &str = "nqdb.super";
/// What the start of a data directory may have left behind, if it was interrupted.
const OWN_NAMES: [&str; 10] = [
    SUPERBLOCK,
    "nqdb.super.new",
    "nqdb.super.restoring",
    "nqdb.lock",
    "nqdb.doublewrite",
    "base.nqdb",
    "undo.spill",
    "wal",
    control::FOLDER,
    temporary_files::FOLDER,
];
/// The mode of a new data directory.
const PRIVATE_MODE: u32 = 0o700;
/// What nobody else may do: write as the group, anything as a stranger.
const FOREIGN_ACCESS: u32 = 0o027;

/// Open data with its background work.
pub struct Data {
    pub system: Arc<TxnSystem>,
    pub cluster: Arc<Cluster>,
    pub temporary: Arc<TemporaryFolder>,
    purge: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Data {
    /// Opens a data directory, makes it first when it is missing or empty, recovers it when it was not closed.
    pub fn open(directory: &Path, memory_bytes: u64, log_archive: Option<&Path>) -> Result<Data, ServerError> {
        prepare_directory(directory)?;
        let log_archive = log_archive.map(|path| prepare_archive(path, directory)).transpose()?;
        Data::open_on(Arc::new(OsDisk::new(directory)), directory, memory_bytes, log_archive)
    }

    /// As [`Data::open`], on any disk; errors name `directory`.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        memory_bytes: u64,
        log_archive: Option<LogArchive>,
    ) -> Result<Data, ServerError> {
        let failed = |source| ServerError::Open { path: directory.to_path_buf(), source };
        let names = disk.list("").map_err(|error| failed(error.into()))?;
        let is_new = !names.iter().any(|name| name == SUPERBLOCK);
        let share = |percent: u64| usize::try_from(memory_bytes / 100 * percent).unwrap_or(usize::MAX);
        let engine = nqdb_storage::Options {
            frames: nqdb_storage::Options::frames_from_memory_bytes(share(POOL_PERCENT)),
            log_archive,
            ..nqdb_storage::Options::default()
        };
        let options = TxnOptions {
            undo_memory_bytes: share(UNDO_PERCENT),
            sort_memory_bytes: share(SORT_PERCENT),
            ..TxnOptions::default()
        };
        let temporary_disk = disk.clone();
        let opened =
            if is_new { TxnSystem::create(disk, engine, options) } else { TxnSystem::open(disk, engine, options) };
        let system = opened.map_err(failed)?;
        // The directory is locked now: nobody else's files are in there.
        let temporary = TemporaryFolder::open(temporary_disk).map_err(failed)?;
        let cluster =
            Cluster::open(system.clone(), Arc::new(nqdb_sql::IndexExpressions)).map_err(ServerError::Catalog)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let purge = start_purge(system.clone(), stopping.clone())?;
        Ok(Data { system, cluster, temporary, purge: Some(purge), stopping })
    }

    /// Ends the background work and closes the data, so that the next start has no log to replay.
    pub fn close(mut self) -> Result<(), TxnError> {
        self.stop_purge();
        self.temporary.empty()?;
        self.system.close()
    }

    fn stop_purge(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.purge.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the purge thread had panicked");
            }
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.stop_purge();
    }
}

/// What the statements of all sessions may hold together, of the configured memory.
pub fn statement_memory_bytes(memory_bytes: u64) -> usize {
    usize::try_from(memory_bytes / 100 * STATEMENTS_PERCENT).unwrap_or(usize::MAX)
}

/// Makes the directory for its owner alone, or makes sure that what is there is ours and private.
fn prepare_directory(directory: &Path) -> Result<(), ServerError> {
    let failed = |source| ServerError::DataDirectory { path: directory.to_path_buf(), source };
    let mode = match std::fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return DirBuilder::new().recursive(true).mode(PRIVATE_MODE).create(directory).map_err(failed);
        }
        Err(error) => return Err(failed(error)),
        Ok(metadata) => metadata.permissions().mode(),
    };
    let mut is_empty = true;
    let mut foreign = None;
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        is_empty = false;
        if !OWN_NAMES.iter().any(|own| name == *own) {
            foreign = Some(name.to_string_lossy().into_owned());
        }
    }
    if is_empty {
        return std::fs::set_permissions(directory, Permissions::from_mode(PRIVATE_MODE)).map_err(failed);
    }
    let is_made = directory.join(SUPERBLOCK).exists();
    match foreign {
        Some(name) if !is_made => Err(ServerError::ForeignDirectory { path: directory.to_path_buf(), name }),
        _ if mode & FOREIGN_ACCESS != 0 => Err(ServerError::OpenDirectory { path: directory.to_path_buf() }),
        _ => Ok(()),
    }
}

/// Makes the archive's directory for its owner alone when it is missing. It may not lie in the data directory: what is lost
/// together is no copy.
fn prepare_archive(archive: &Path, data: &Path) -> Result<LogArchive, ServerError> {
    let failed = |source| ServerError::Archive { path: archive.to_path_buf(), source };
    DirBuilder::new().recursive(true).mode(PRIVATE_MODE).create(archive).map_err(failed)?;
    let resolved = archive.canonicalize().map_err(failed)?;
    if resolved.starts_with(data.canonicalize().map_err(failed)?) {
        let message = format!("--log-archive: {} lies in the data directory", archive.display());
        return Err(ServerError::Configuration(message));
    }
    Ok(LogArchive(Arc::new(OsDisk::new(resolved))))
}

/// Purge runs on a thread of its own: its steps read pages.
fn start_purge(system: Arc<TxnSystem>, stopping: Arc<AtomicBool>) -> Result<JoinHandle<()>, ServerError> {
    let work = move || {
        while !stopping.load(Ordering::Relaxed) {
            match system.purge_step() {
                Ok(true) => {}
                Ok(false) => std::thread::park_timeout(PURGE_PAUSE),
                Err(error) => {
                    tracing::error!(%error, "purge failed and is tried again");
                    std::thread::park_timeout(PURGE_PAUSE * 20);
                }
            }
        }
    };
    std::thread::Builder::new()
        .name("nqdb-purge".to_owned())
        .spawn(work)
        .map_err(|source| ServerError::System { what: "cannot start the purge thread", source })
}
