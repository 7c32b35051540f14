//! Which parts of a table have changed: what a cache of its rows goes by.
//!
//! ```text
//! row ids    0 .. 8191 | 8192 .. 16383 | ...        segments of SEGMENT_ROWS row ids
//! marks      [ 17 ]      [ 3 ]           ...        a number for each, of which a change makes another one
//! ```
//!
//! Segments that are [`MARK_COUNT`] apart share a mark, so that a table of any size has a fixed number of them. There are
//! none until somebody asks for one: a table that nobody caches pays for its writes with one load each.
//!
//! What always holds:
//!
//! 1. Whoever inserts, updates or deletes a row moves its segment's mark while it holds the leaf exclusively. So who reads
//!    the mark, then the segment's rows, then finds the mark where it was, has read all rows as they were at that moment,
//!    and as they are as long as the mark stays there.
//! 2. A rollback and purge move no mark, because they change nothing that was complete: what they take away is not settled
//!    (see [`Settled`]), or is seen by nobody any more.
//! 3. Marks are of a row tree, whatever definition of its table it is written through; another tree has others.

use super::TableStore;
use crate::ids::RowId;
use crate::view::ReadView;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Row ids of a segment.
pub const SEGMENT_ROWS: u64 = 8192;

/// Marks of a table: segments of 33 million rows have one each.
const MARK_COUNT: u64 = 4096;

/// The marks of one table's segments.
#[derive(Debug, Default)]
pub(super) struct SegmentMarks(OnceLock<Box<[AtomicU64]>>);

impl SegmentMarks {
    /// Moves the marks of `count` rows from `first` on, which are changed under the latch that the caller holds.
    pub(super) fn touch(&self, first: RowId, count: u64) {
        // Who made the marks latches the leaf after that, so that its maker's latch or this one's comes first: either the
        // marks are seen here, or the change is seen there.
        let Some(marks) = self.0.get() else { return };
        let last = first.0.saturating_add(count.saturating_sub(1));
        for segment in first.0 / SEGMENT_ROWS..=last / SEGMENT_ROWS {
            if let Some(mark) = marks.get((segment % MARK_COUNT) as usize) {
                mark.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn of(&self, segment: u64) -> u64 {
        let marks = self.0.get_or_init(|| (0..MARK_COUNT).map(|_| AtomicU64::new(0)).collect());
        marks.get((segment % MARK_COUNT) as usize).map_or(0, |mark| mark.load(Ordering::Acquire))
    }
}

impl TableStore {
    /// Where the mark of a segment is now.
    pub fn segment_mark(&self, segment: u64) -> u64 {
        self.counters.marks.of(segment)
    }
}

/// The newest writer of some pages, whose rows were all in their final version for the view that read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settled(pub(super) u64);

impl ReadView {
    /// Whether the view sees all rows as one did to whom they were settled, provided that nobody has changed them since.
    pub fn sees_settled(&self, settled: Settled) -> bool {
        self.sees_all_of(settled.0)
    }
}
