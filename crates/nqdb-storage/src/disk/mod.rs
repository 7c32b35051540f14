//! The disk seam: everything that storage does to files goes through these two traits.
//!
//! What is assumed of a disk, and nothing more:
//! 1. A write is durable only after `sync_data` of its file has returned without error.
//! 2. Unsynced writes may be lost, in any combination, and a lost or kept write may be so by the 512-byte sector.
//! 3. A created, renamed or removed name is durable only after `sync_dir` of its directory.
//! 4. After `sync_data` has failed, nothing is known about the unsynced writes; asking again proves nothing.
//!
//! Paths are relative to the data directory and use `/`. [`OsDisk`] is the operating system, [`SimDisk`] a disk in
//! memory whose failures and power cuts come from a seed, [`OverlayDisk`] keeps the changes to another disk in memory.

mod os;
mod overlay;
mod sim;

use std::any::Any;
use std::sync::Arc;

pub use os::OsDisk;
pub use overlay::OverlayDisk;
pub use sim::{Call, CrashMode, Fault, SimDisk};

use crate::error::Result;

/// What to do about a missing or present file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must be there.
    Existing,
    /// The file is created empty when it is missing.
    Create,
    /// The file must be there and is not written to: it may lie on a medium that cannot be.
    ReadOnly,
}

/// A directory with files.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing.
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>>;
    /// Renames a file, replacing what had the new name. Open handles stay valid.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> Result<()>;
    /// File names (no folders) in a directory, sorted; empty when there is no such directory.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Creates a directory and those above it.
    fn create_dir_all(&self, dir: &str) -> Result<()>;
    /// Makes created, renamed and removed names in a directory durable. `""` is the data directory itself.
    fn sync_dir(&self, dir: &str) -> Result<()>;
    /// Takes the lock file until the guard is dropped; [`crate::StorageError::InUse`] when somebody has it.
    fn lock_exclusive(&self, path: &str) -> Result<DirLock>;
}

/// An open file. All offsets and lengths are bytes.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; an error when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;
    /// Writes all of `bytes` at `offset`, extending the file when needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes all earlier writes to this file (and its length) durable.
    fn sync_data(&self) -> Result<()>;
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, len: u64) -> Result<()>;
    /// The file's length.
    fn len(&self) -> Result<u64>;
    /// True for a file without bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Really takes the space for a range, extending the file with zeros; `DiskFull` when there is none.
    fn allocate(&self, offset: u64, len: u64) -> Result<()>;
}

/// Holds a directory's lock until dropped.
pub struct DirLock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl DirLock {
    fn new(guard: impl Any + Send + Sync) -> DirLock {
        DirLock(Box::new(guard))
    }
}
