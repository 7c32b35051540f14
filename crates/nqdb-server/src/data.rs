//! Opening and closing the data: the transaction system, the catalog, and the background work over them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nqdb_catalog::Catalog;
use nqdb_storage::disk::{Disk, OsDisk};
use nqdb_txn::{TxnError, TxnOptions, TxnSystem};

use crate::error::ServerError;

/// Pause of the purge thread when there is nothing to do.
const PURGE_PAUSE: Duration = Duration::from_millis(50);
/// Shares of the configured memory, in percent; the rest is for queries and sockets.
const POOL_PERCENT: u64 = 60;
const UNDO_PERCENT: u64 = 10;
const STATEMENTS_PERCENT: u64 = 25;
/// The file that says that a data directory was made.
const SUPERBLOCK: &str = "nqdb.super";

/// Open data with its background work.
pub struct Data {
    pub system: Arc<TxnSystem>,
    pub catalog: Arc<Catalog>,
    purge: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Data {
    /// Opens a data directory, makes it first when it is missing or empty, recovers it when it was not closed.
    pub fn open(directory: &Path, memory_bytes: u64) -> Result<Data, ServerError> {
        make_directory(directory)?;
        Data::open_on(Arc::new(OsDisk::new(directory)), directory, memory_bytes)
    }

    /// As [`Data::open`], on any disk; errors name `directory`.
    pub fn open_on(disk: Arc<dyn Disk>, directory: &Path, memory_bytes: u64) -> Result<Data, ServerError> {
        let failed = |source| ServerError::Open { path: directory.to_path_buf(), source };
        let names = disk.list("").map_err(|error| failed(error.into()))?;
        let is_new = !names.iter().any(|name| name == SUPERBLOCK);
        let share = |percent: u64| usize::try_from(memory_bytes / 100 * percent).unwrap_or(usize::MAX);
        let engine = nqdb_storage::Options {
            frames: nqdb_storage::Options::frames_from_memory_bytes(share(POOL_PERCENT)),
            ..nqdb_storage::Options::default()
        };
        let options = TxnOptions { undo_memory_bytes: share(UNDO_PERCENT), ..TxnOptions::default() };
        let opened =
            if is_new { TxnSystem::create(disk, engine, options) } else { TxnSystem::open(disk, engine, options) };
        let system = opened.map_err(failed)?;
        let catalog = Catalog::open(system.clone()).map_err(ServerError::Catalog)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let purge = start_purge(system.clone(), stopping.clone())?;
        Ok(Data { system, catalog, purge: Some(purge), stopping })
    }

    /// Ends the background work and closes the data, so that the next start has no log to replay.
    pub fn close(mut self) -> Result<(), TxnError> {
        self.stop_purge();
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

/// Makes the directory for its owner alone.
fn make_directory(directory: &Path) -> Result<(), ServerError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| ServerError::DataDirectory { path: directory.to_path_buf(), source })
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
