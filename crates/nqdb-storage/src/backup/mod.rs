//! Backups: copies of a database that is being changed, and how they become a database again.
//!
//! ```text
//! <backup>/base.nqdb             a full backup's pages, each as it was at some moment of the backup
//! <backup>/changed.pages         an incremental backup's: page id u64 and page, for every page changed since its base
//! <backup>/wal/<16 hex digits>   the log that makes them one state, the last segment up to its end
//! <backup>/manifest              what there is, with sizes and checksums; its name is the last thing that is written
//! ```
//!
//! What always holds:
//! 1. All log from the backup's checkpoint on is held until it is copied. Every page that is copied contains every change
//!    before the checkpoint's redo position, because it is read after the checkpoint.
//! 2. The backup ends at a log position that is taken after its last page was copied and that is durable: no copied page is
//!    newer. Repeating the log up to there, or to any later position, makes all pages those of one moment.
//! 3. A page is copied from the data file if its checksum is right, otherwise through the pool, under its latch: it was torn
//!    by a write that was under way, or never written yet. If that fails too, it is damaged, and the backup fails.
//! 4. An incremental backup has every page whose LSN is behind the position from which its base's log starts. The others
//!    were not changed since, so that the base has them as they are, or newer ones that the log leads up to.
//! 5. Without a manifest that verifies there is no backup. Nothing is written to a folder that holds anything.
//! 6. A restored database has a system id of its own: its log does not go into the archive of the one that it came from. It is
//!    there when its superblock has its name, as the last step; before that no server starts on it.
//!
//! Every page, every file and the manifest are checked against their checksums when a backup is read.

mod chain;
mod manifest;
mod restore;
mod source_log;
mod take;

pub use self::chain::{BackupLink, Verified, open_link, verify};
pub use self::manifest::{Base, Manifest, ManifestFile};
pub use self::restore::{LaidOut, RestoreSource, Until, complete, lay_out, renew_log};
pub use self::take::{BackupRequest, Progress};

pub(crate) use self::take::take;

/// A full backup's pages.
const PAGES_PATH: &str = "base.nqdb";
/// An incremental backup's pages.
const CHANGED_PATH: &str = "changed.pages";
/// Bytes of one of its records: page id and page.
const CHANGED_RECORD_BYTES: usize = 8 + crate::ids::PAGE_SIZE;
