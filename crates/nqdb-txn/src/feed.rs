//! What a transaction has changed in tables that are followed ([`TableStore::followed`]), for whoever tells others of it.
//!
//! The writer of a version notes the change when the version stands, with the row as it was and as it is. What a savepoint's
//! rollback takes back is forgotten, the rest is handed over at the commit ([`Transaction::take_changes`]).
//!
//! What always holds:
//! 1. The changes of a transaction stand in the order in which they were made.
//! 2. All transactions together hold no more than the room that there is. A table whose change finds none is *lost* for this
//!    transaction: its further changes are not noted, and a mark says so in their place.
//! 3. Who writes to a table that nobody follows pays nothing but the look at one flag.
//!
//! [`TableStore::followed`]: crate::TableStore::followed
//! [`Transaction::take_changes`]: crate::Transaction::take_changes

use nqdb_types::Datum;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The room for changes unless another is set, bytes.
const ROOM_BYTES: usize = 64 << 20;
/// What a change counts for beside the values of its rows, bytes.
const CHANGE_BYTES: usize = 96;
/// What a value counts for beside what it points to, bytes.
const VALUE_BYTES: usize = size_of::<Datum>();

/// One change of a table. Rows have all stored columns, dropped ones included.
#[derive(Clone, Debug, PartialEq)]
pub enum RowChange {
    Inserted(Vec<Datum>),
    Updated {
        old: Vec<Datum>,
        new: Vec<Datum>,
    },
    Deleted(Vec<Datum>),
    /// All rows went at once.
    Truncated,
    /// Rows have changed that nobody can tell of.
    Lost,
}

/// A change, and the number of the relation that it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct TableChange {
    pub table: u32,
    pub change: RowChange,
}

/// What the changes of all transactions may hold.
#[derive(Debug)]
pub(crate) struct FeedRoom {
    limit_bytes: AtomicUsize,
    used_bytes: AtomicUsize,
}

impl Default for FeedRoom {
    fn default() -> FeedRoom {
        FeedRoom { limit_bytes: AtomicUsize::new(ROOM_BYTES), used_bytes: AtomicUsize::new(0) }
    }
}

impl FeedRoom {
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The changes of one transaction. They count until they are dropped.
#[derive(Debug)]
pub struct ChangeFeed {
    room: Arc<FeedRoom>,
    changes: Vec<(TableChange, usize)>,
    /// Tables that are lost, with the places of their marks.
    lost: Vec<(u32, usize)>,
}

impl ChangeFeed {
    pub(crate) fn new(room: Arc<FeedRoom>) -> ChangeFeed {
        ChangeFeed { room, changes: Vec::new(), lost: Vec::new() }
    }

    pub(crate) fn note(&mut self, table: u32, change: RowChange) {
        if self.lost.iter().any(|(lost, _)| *lost == table) {
            return;
        }
        let bytes = weight_of(&change);
        if self.room.take(bytes) {
            self.changes.push((TableChange { table, change }, bytes));
            return;
        }
        self.lost.push((table, self.changes.len()));
        self.changes.push((TableChange { table, change: RowChange::Lost }, 0));
    }

    /// A place for [`ChangeFeed::truncate`].
    pub(crate) fn mark(&self) -> usize {
        self.changes.len()
    }

    /// Forgets what came after a mark.
    pub(crate) fn truncate(&mut self, mark: usize) {
        let bytes = self.changes.drain(mark.min(self.changes.len())..).map(|(_, bytes)| bytes).sum();
        self.room.give_back(bytes);
        self.lost.retain(|(_, at)| *at < mark);
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &TableChange> {
        self.changes.iter().map(|(change, _)| change)
    }
}

impl Drop for ChangeFeed {
    fn drop(&mut self) {
        self.truncate(0);
    }
}

fn weight_of(change: &RowChange) -> usize {
    let rows: [&[Datum]; 2] = match change {
        RowChange::Inserted(row) | RowChange::Deleted(row) => [row, &[]],
        RowChange::Updated { old, new } => [old, new],
        RowChange::Truncated | RowChange::Lost => [&[], &[]],
    };
    let of_value = |value: &Datum| VALUE_BYTES + value.heap_size();
    CHANGE_BYTES + rows.into_iter().flatten().map(of_value).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> RowChange {
        RowChange::Inserted(vec![Datum::text(text)])
    }

    fn feed(limit_bytes: usize) -> (Arc<FeedRoom>, ChangeFeed) {
        let room = Arc::new(FeedRoom::default());
        room.set_limit(limit_bytes);
        (room.clone(), ChangeFeed::new(room))
    }

    #[test]
    fn what_is_taken_back_is_forgotten_and_its_room_given_back() {
        let (room, mut feed) = feed(10_000);
        feed.note(1, row("a"));
        let (mark, used) = (feed.mark(), room.used_bytes());
        feed.note(2, row("b"));
        feed.note(1, RowChange::Truncated);
        feed.truncate(mark);
        assert_eq!(room.used_bytes(), used);
        assert_eq!(feed.iter().collect::<Vec<_>>(), [&TableChange { table: 1, change: row("a") }]);
        drop(feed);
        assert_eq!(room.used_bytes(), 0);
    }

    #[test]
    fn a_table_without_room_is_lost_until_that_is_taken_back() {
        let (room, mut feed) = feed(1_000);
        feed.note(1, row("a"));
        let mark = feed.mark();
        feed.note(1, row(&"x".repeat(2_000)));
        feed.note(1, row("b"));
        feed.note(2, row("c"));
        let changes: Vec<(u32, bool)> =
            feed.iter().map(|noted| (noted.table, noted.change == RowChange::Lost)).collect();
        assert_eq!(changes, [(1, false), (1, true), (2, false)]);
        feed.truncate(mark);
        feed.note(1, row("d"));
        assert_eq!(feed.iter().filter(|noted| noted.change == RowChange::Lost).count(), 0);
        assert!(room.used_bytes() <= 1_000);
    }
}
