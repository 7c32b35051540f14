//! What can go wrong in storage. One enum; each variant says whose failure it is.
//!
//! The layer above maps them to SQLSTATEs: `DiskFull` 53100, `OutOfFrames` 53200, `KeyTooLong` and
//! `EntryTooLarge` 54000, `Corrupt` XX001, `Io` and `LogFailed` 58030, `InUse` 55006, `Refused` 55000, `Internal` XX000.

use std::io;
use std::sync::Arc;

use crate::ids::PageId;

/// The result of everything in this crate that can fail.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// A failure of the disk, of the data found on it, of a limit, or of the caller.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused an operation on a file.
    #[error("could not {op} \"{path}\": {source}")]
    Io { op: &'static str, path: String, source: Arc<io::Error> },

    /// Bytes on disk are not what was written there, or contradict each other.
    #[error("data is damaged{}: {what}", page.map(|id| format!(" on {id}")).unwrap_or_default())]
    Corrupt { page: Option<PageId>, what: String },

    /// No room for more log or more pages. Reported by `reserve`, before anything was changed.
    #[error("no space left on the device for {what}")]
    DiskFull { what: &'static str },

    /// A write or sync failed earlier. Final: what the disk holds is unknown until recovery has run.
    #[error("an earlier write to disk failed; no more changes are accepted until the next start")]
    LogFailed,

    /// A key longer than a quarter of a page.
    #[error("key of {len} bytes exceeds the maximum of {max}")]
    KeyTooLong { len: usize, max: usize },

    /// An entry that would not fit twice beside the fences.
    #[error("entry of {len} bytes exceeds the maximum of {max}")]
    EntryTooLarge { len: usize, max: usize },

    /// A log group that exceeds what one atomic group may hold.
    #[error("log group of {len} bytes exceeds the maximum of {max}")]
    GroupTooLarge { len: usize, max: usize },

    /// Written by a program of another format.
    #[error("the data directory has format {found}, this program reads format {supported} only")]
    OtherFormat { found: u32, supported: u32 },

    /// Another process has the data directory open.
    #[error("the data directory is in use by another process")]
    InUse,

    /// There is no database here (or its creation never finished).
    #[error("there is no database in the data directory")]
    NoDatabase,

    /// `create` found a database, or files of one.
    #[error("the data directory already holds {what}")]
    AlreadyExists { what: String },

    /// Every frame of the pool stayed pinned or dirty for as long as a request may wait.
    #[error("all {frames} page frames are in use")]
    OutOfFrames { frames: usize },

    /// A backup, an archive or a directory is not what the caller takes it for. Nothing was changed there.
    #[error("{what}")]
    Refused { what: String },

    /// Our own mistake, found before it could harm data.
    #[error("internal error: {what}")]
    Internal { what: String },
}

impl StorageError {
    /// Wraps an operating system error; a full device becomes [`StorageError::DiskFull`].
    pub fn io(op: &'static str, path: impl Into<String>, source: io::Error) -> StorageError {
        if source.kind() == io::ErrorKind::StorageFull || source.kind() == io::ErrorKind::QuotaExceeded {
            return StorageError::DiskFull { what: op };
        }
        StorageError::Io { op, path: path.into(), source: Arc::new(source) }
    }

    /// Damage that is not tied to one page.
    pub fn corrupt(what: impl Into<String>) -> StorageError {
        StorageError::Corrupt { page: None, what: what.into() }
    }

    /// Damage found on one page.
    pub fn corrupt_page(page: PageId, what: impl Into<String>) -> StorageError {
        StorageError::Corrupt { page: Some(page), what: what.into() }
    }

    /// Something else than what the caller takes it for.
    pub fn refused(what: impl Into<String>) -> StorageError {
        StorageError::Refused { what: what.into() }
    }

    /// A broken promise between parts of this program.
    pub fn internal(what: impl Into<String>) -> StorageError {
        StorageError::Internal { what: what.into() }
    }
}
