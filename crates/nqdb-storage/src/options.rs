//! What a caller chooses when it opens a database, each with its limits.

use crate::archive::LogArchive;
use crate::error::{Result, StorageError};
use crate::page::buf::PAGE_SIZE;

/// The fewest frames a pool works with: a few concurrent splits and one write batch.
pub const FRAME_COUNT_MIN: usize = 64;

/// The smallest log segment: a quarter of it, the largest group, must hold a split's page images.
pub const LOG_SEGMENT_BYTES_MIN: u64 = 256 << 10;

/// The largest log segment: groups carry their length in 32 bits.
pub const LOG_SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How to open an engine. `Options::default()` suits a small server; tests shrink everything.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for page frames, in frames of 8 KiB. At least [`FRAME_COUNT_MIN`].
    pub frames: usize,
    /// Bytes in one log segment file. Obeyed when the database is created; an existing one keeps its size.
    pub log_segment_bytes: u64,
    /// How much log may lie between the oldest change that is not in the data file and the log's end. Bounds the
    /// time that recovery takes; the background writer keeps to it.
    pub log_budget_bytes: u64,
    /// Log bytes that may wait in memory for the log thread before `reserve` makes callers wait.
    pub log_buffer_bytes: usize,
    /// Start the log thread and the background writer. Without them the caller drives `flush_log` and
    /// `background_step` itself, which makes a run repeatable.
    pub background_threads: bool,
    /// False leaves out every sync of the log: a power cut may then lose the newest commits (not more).
    pub sync: bool,
    /// Where finished log segments are copied to before they may be used again; without it they are not kept.
    pub log_archive: Option<LogArchive>,
    /// The number that marks a new database's files as belonging together; by default a random one.
    pub system_id: Option<u64>,
    /// Rules broken on purpose, so that tests can prove that they would notice.
    #[doc(hidden)]
    pub sabotage: Sabotage,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            frames: Options::frames_from_memory_bytes(128 << 20),
            log_segment_bytes: 64 << 20,
            log_budget_bytes: 1 << 30,
            log_buffer_bytes: 16 << 20,
            background_threads: true,
            sync: true,
            log_archive: None,
            system_id: None,
            sabotage: Sabotage::None,
        }
    }
}

impl Options {
    /// The number of frames that fit a share of memory, bookkeeping included.
    pub fn frames_from_memory_bytes(bytes: usize) -> usize {
        const FRAME_BYTES: usize = PAGE_SIZE + 128;
        (bytes / FRAME_BYTES).max(FRAME_COUNT_MIN)
    }

    /// The largest log group, in bytes: it must fit the log buffer and a quarter of a segment.
    pub fn group_bytes_max(&self) -> usize {
        self.log_buffer_bytes.min((self.log_segment_bytes / 4) as usize)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(StorageError::internal(format!("option out of range: {what}")));
        if self.frames < FRAME_COUNT_MIN || self.frames > u32::MAX as usize / 2 {
            return refuse("frames");
        }
        if !(LOG_SEGMENT_BYTES_MIN..=LOG_SEGMENT_BYTES_MAX).contains(&self.log_segment_bytes)
            || !self.log_segment_bytes.is_multiple_of(4096)
        {
            return refuse("log_segment_bytes");
        }
        if self.log_budget_bytes < 2 * self.log_segment_bytes {
            return refuse("log_budget_bytes must be at least two segments");
        }
        if self.log_buffer_bytes < 64 << 10 {
            return refuse("log_buffer_bytes");
        }
        Ok(())
    }
}

/// One recovery rule to break. Each is a bug that the crash campaign must find.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// All rules hold.
    None,
    /// Pages are written in place without a copy in the doublewrite file: a torn page stays torn.
    NoDoublewrite,
    /// Pages reach the disk before the log that describes them.
    FlushBeforeLog,
    /// Directories are not synced: new or recycled segments vanish in a crash.
    NoDirSync,
    /// The log is reported as durable before its sync.
    AckBeforeSync,
    /// The log is cut without syncing the data file.
    NoDataSync,
    /// Groups written by an earlier start are accepted behind newer ones.
    IgnoreIncarnation,
    /// The checkpoint forgets pages that are still dirty.
    ForgetDirtyPages,
    /// A backup does not keep the log that it needs from being reused.
    NoHold,
    /// A backup ends where it began, before its pages were copied.
    EarlyBackupEnd,
}
