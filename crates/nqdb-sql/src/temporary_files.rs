//! Temporary files: what statements keep outside of memory for as long as they run.
//!
//! ```text
//! TemporaryFolder   of the server: the folder "temporary" of the data directory, and counters
//!   TemporarySpace  of a session: what its statements hold there, and the setting temp_file_limit
//!     TemporaryFile of an operator: bytes behind each other; gone when it is dropped
//! ```
//!
//! What always holds:
//!
//! 1. A file loses its name before anything is written to it. So it is gone with its last handle, however its statement,
//!    its connection or the process ends. A name that a power cut brought back is removed at the next start.
//! 2. Files are reached through the disk seam, so they are where all other files of the server are, simulated ones included.
//!    They are never synced: nothing in them outlives the process.
//! 3. What a session's files hold together stays within its limit (53400); a full disk is 53100. Both are errors of the statement
//!    alone.
//! 4. A file is counted for its database when it ends, as in PostgreSQL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use bytes::Bytes;
use nqdb_sqlstate::{CONFIGURATION_LIMIT_EXCEEDED, DISK_FULL, SqlError, SqlResult};
use nqdb_storage::StorageError;
use nqdb_storage::disk::{Disk, DiskFile, OpenMode};
use nqdb_txn::TxnError;

/// The folder below the data directory.
pub const FOLDER: &str = "temporary";

/// The temporary files of a server.
pub struct TemporaryFolder {
    disk: Arc<dyn Disk>,
    next_number: AtomicU64,
    open_files: AtomicU64,
    open_bytes: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    databases: Mutex<HashMap<u32, Arc<DatabaseCounters>>>,
}

/// What was written for the sessions of one database.
#[derive(Debug, Default)]
struct DatabaseCounters {
    files: AtomicU64,
    bytes: AtomicU64,
}

/// Figures of the folder, or of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemporaryUse {
    /// Files that were made and are gone, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Files that are there now, and their bytes.
    pub open_files: u64,
    pub open_bytes: u64,
}

impl TemporaryFolder {
    /// Makes the folder, or empties it.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Arc<TemporaryFolder>, TxnError> {
        disk.create_dir_all(FOLDER)?;
        let folder = TemporaryFolder {
            disk,
            next_number: AtomicU64::new(1),
            open_files: AtomicU64::new(0),
            open_bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            databases: Mutex::default(),
        };
        folder.empty()?;
        Ok(Arc::new(folder))
    }

    /// Removes what is in it.
    pub fn empty(&self) -> Result<(), TxnError> {
        for name in self.disk.list(FOLDER)? {
            self.disk.remove(&format!("{FOLDER}/{name}"))?;
        }
        Ok(())
    }

    /// The part of a session in this database; it has no limit until it is told one.
    pub fn space(self: &Arc<TemporaryFolder>, database: u32) -> Arc<TemporarySpace> {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = databases.entry(database).or_default().clone();
        Arc::new(TemporarySpace {
            folder: Arc::clone(self),
            counters,
            limit_bytes: AtomicU64::new(u64::MAX),
            held_bytes: AtomicU64::new(0),
        })
    }

    /// All files since the start.
    pub fn usage(&self) -> TemporaryUse {
        TemporaryUse {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            open_files: self.open_files.load(Ordering::Relaxed),
            open_bytes: self.open_bytes.load(Ordering::Relaxed),
        }
    }

    /// The files of a database's sessions that are gone.
    pub fn usage_of(&self, database: u32) -> TemporaryUse {
        let databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(counters) = databases.get(&database) else { return TemporaryUse::default() };
        TemporaryUse {
            files: counters.files.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            ..TemporaryUse::default()
        }
    }
}

/// What the statements of one session hold in the folder.
pub struct TemporarySpace {
    folder: Arc<TemporaryFolder>,
    counters: Arc<DatabaseCounters>,
    limit_bytes: AtomicU64,
    held_bytes: AtomicU64,
}

impl std::fmt::Debug for TemporarySpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemporarySpace").field("held_bytes", &self.held_bytes).finish_non_exhaustive()
    }
}

impl TemporarySpace {
    /// Sets what all files of the session may hold together; none: as much as there is.
    pub fn set_limit(&self, bytes: Option<u64>) {
        self.limit_bytes.store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What its files hold now.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// A new file.
    pub fn create(self: &Arc<TemporarySpace>) -> SqlResult<TemporaryFile> {
        let folder = &self.folder;
        let number = folder.next_number.fetch_add(1, Ordering::Relaxed);
        let path = format!("{FOLDER}/{number}");
        let failed = |error| failure(error, "create", number);
        let file = folder.disk.open(&path, OpenMode::Create).map_err(failed)?;
        folder.disk.remove(&path).map_err(failed)?;
        folder.open_files.fetch_add(1, Ordering::Relaxed);
        Ok(TemporaryFile { file, number, len: 0, space: Arc::clone(self) })
    }

    /// Takes room for a file that grows.
    fn take(&self, bytes: u64) -> SqlResult<()> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let held = self.held_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held > limit {
            self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
            let kilobytes = limit / 1024;
            let message = format!("temporary file size exceeds temp_file_limit ({kilobytes}kB)");
            return Err(SqlError::new(CONFIGURATION_LIMIT_EXCEEDED, message));
        }
        self.folder.open_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// A file without a name.
pub struct TemporaryFile {
    file: Arc<dyn DiskFile>,
    number: u64,
    len: u64,
    space: Arc<TemporarySpace>,
}

impl std::fmt::Debug for TemporaryFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemporaryFile").field("number", &self.number).field("len", &self.len).finish_non_exhaustive()
    }
}

impl TemporaryFile {
    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.len
    }

    /// Writes at the end; gives where that is.
    pub fn append(&mut self, bytes: &[u8]) -> SqlResult<u64> {
        let (at, more) = (self.len, bytes.len() as u64);
        self.space.take(more)?;
        self.len += more;
        self.file.write_all_at(bytes, at).map_err(|error| failure(error, "write to", self.number))?;
        Ok(at)
    }

    /// Fills the buffer from there on.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> SqlResult<()> {
        self.file.read_exact_at(buffer, at).map_err(|error| failure(error, "read", self.number))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let TemporarySpace { folder, counters, held_bytes, .. } = &*self.space;
        held_bytes.fetch_sub(self.len, Ordering::Relaxed);
        folder.open_bytes.fetch_sub(self.len, Ordering::Relaxed);
        folder.open_files.fetch_sub(1, Ordering::Relaxed);
        for (files, bytes) in [(&folder.files, &folder.bytes), (&counters.files, &counters.bytes)] {
            files.fetch_add(1, Ordering::Relaxed);
            bytes.fetch_add(self.len, Ordering::Relaxed);
        }
    }
}

/// PostgreSQL's words for a file that fails.
fn failure(error: StorageError, what: &str, number: u64) -> SqlError {
    match error {
        StorageError::DiskFull { .. } => {
            let message = format!("could not {what} file \"{FOLDER}/{number}\": No space left on device");
            SqlError::new(DISK_FULL, message)
        }
        other => SqlError::from(TxnError::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_storage::disk::{Call, Fault, SimDisk};

    fn folder(disk: &Arc<SimDisk>) -> Arc<TemporaryFolder> {
        TemporaryFolder::open(disk.clone()).unwrap()
    }

    #[test]
    fn a_file_has_no_name_and_is_counted_when_it_ends() {
        let disk = Arc::new(SimDisk::new());
        disk.open("temporary/7", OpenMode::Create).unwrap();
        let folder = folder(&disk);
        assert!(disk.list(FOLDER).unwrap().is_empty(), "what was left behind is gone");
        let space = folder.space(5);
        let mut file = space.create().unwrap();
        assert_eq!(file.append(b"abc").unwrap(), 0);
        assert_eq!(file.append(b"defg").unwrap(), 3);
        assert!(disk.list(FOLDER).unwrap().is_empty());
        let mut read = [0; 4];
        file.read(&mut read, 2).unwrap();
        assert_eq!(&read, b"cdef");
        assert_eq!(folder.usage(), TemporaryUse { files: 0, bytes: 0, open_files: 1, open_bytes: 7 });
        assert_eq!(folder.usage_of(5), TemporaryUse::default());
        drop(file);
        assert_eq!(space.held_bytes(), 0);
        assert_eq!(folder.usage_of(5), TemporaryUse { files: 1, bytes: 7, ..TemporaryUse::default() });
        assert_eq!(folder.usage_of(6), TemporaryUse::default());
        assert_eq!(folder.usage(), TemporaryUse { files: 1, bytes: 7, ..TemporaryUse::default() });
    }

    #[test]
    fn the_files_of_a_session_have_a_limit_together() {
        let disk = Arc::new(SimDisk::new());
        let folder = folder(&disk);
        let (space, other) = (folder.space(1), folder.space(1));
        space.set_limit(Some(2048));
        let (mut first, mut second) = (space.create().unwrap(), space.create().unwrap());
        first.append(&[0; 1500]).unwrap();
        let error = second.append(&[0; 600]).unwrap_err();
        assert_eq!(error.code(), CONFIGURATION_LIMIT_EXCEEDED);
        assert_eq!(error.message(), "temporary file size exceeds temp_file_limit (2kB)");
        second.append(&[0; 548]).unwrap();
        other.create().unwrap().append(&[0; 9000]).unwrap();
        drop(first);
        second.append(&[0; 1500]).unwrap();
    }

    #[test]
    fn a_full_disk_is_the_statements_error() {
        let disk = Arc::new(SimDisk::new());
        let folder = folder(&disk);
        let space = folder.space(1);
        let mut file = space.create().unwrap();
        disk.fail_at(Call::Write, 1, Fault::Enospc);
        let error = file.append(b"abc").unwrap_err();
        assert_eq!(error.code(), DISK_FULL);
        assert!(error.message().ends_with("No space left on device"), "{}", error.message());
        drop(file);
        assert_eq!((space.held_bytes(), folder.usage().open_bytes), (0, 0));
    }
}
