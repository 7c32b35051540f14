//! Counters. Those of the hot path are spread over cache lines by thread, so that counting does not contend.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Declares the counters once: the enum for adding, the snapshot for reading.
macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident $field:ident,)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Counter { $($(#[$doc])* $variant,)* }

        const COUNTERS: usize = [$(Counter::$variant,)*].len();

        /// The counters at one moment. All count events or bytes since the engine was opened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $field: u64,)*
            /// Frames with changes that are not in the data file, now.
            pub dirty_frames: u64,
            /// Frames in use, now.
            pub used_frames: u64,
            /// Frames the pool may use.
            pub frames: u64,
            /// Pages in the data file that were ever used, now.
            pub data_pages: u64,
            /// Bytes of log that recovery would read, now.
            pub recovery_log_bytes: u64,
            /// Bytes of finished log segments that the archive lacks, now.
            pub unarchived_log_bytes: u64,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($field: self.total(Counter::$variant),)* ..Stats::default() }
            }
        }
    };
}

counters! {
    /// Fetches that found their page in memory.
    Hits hits,
    /// Pages read from the data file.
    PageReads page_reads,
    /// Pages written to the data file.
    PageWrites page_writes,
    /// Frames taken from one page for another.
    Evictions evictions,
    /// Requests that found no clean frame and waited.
    FrameWaits frame_waits,
    /// Bytes appended to the log.
    LogBytes log_bytes,
    /// Log groups appended.
    LogGroups log_groups,
    /// Writes of gathered log groups.
    LogWrites log_writes,
    /// Syncs of log segments.
    LogSyncs log_syncs,
    /// Reservations that waited for room in the log buffer or for the log budget.
    LogWaits log_waits,
    /// Log segments created or recycled.
    LogSegments log_segments,
    /// Log segments that were copied to the archive, or found there.
    LogArchived log_archived,
    /// Attempts to archive a segment that failed.
    LogArchiveFailures log_archive_failures,
    /// Backups that were finished.
    Backups backups,
    /// Pages split.
    Splits splits,
    /// Pages merged away.
    Merges merges,
    /// Checkpoints written.
    Checkpoints checkpoints,
}

const SHARDS: usize = 16;

#[repr(align(128))]
struct Shard([AtomicU64; COUNTERS]);

/// The live counters.
pub(crate) struct Counters(Box<[Shard]>);

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters((0..SHARDS).map(|_| Shard(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }

    pub(crate) fn add(&self, counter: Counter, amount: u64) {
        let Shard(shard) = &self.0[thread_shard() % SHARDS];
        shard[counter as usize].fetch_add(amount, Ordering::Relaxed);
    }

    fn total(&self, counter: Counter) -> u64 {
        self.0.iter().map(|Shard(shard)| shard[counter as usize].load(Ordering::Relaxed)).sum()
    }
}

/// A small number that differs between threads running at the same time, as far as possible.
pub(crate) fn thread_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        shard.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_are_summed() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| counters.add(Counter::Hits, 3));
            }
        });
        assert_eq!(counters.snapshot().hits, 60);
        assert_eq!(counters.snapshot().merges, 0);
    }
}
