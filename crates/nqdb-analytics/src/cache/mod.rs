//! The column cache: what scans have read, kept as columns while it is true and while there is room.
//!
//! ```text
//! (row tree, segment) -> mark, newest writer, rows, { column -> packed values }
//! ```
//!
//! A scan asks for the columns of a segment ([`nqdb_txn::SEGMENT_ROWS`] row ids). If they are here it reads nothing else;
//! if not, it reads the segment from the tree and leaves the columns here.
//!
//! What always holds:
//!
//! 1. A segment is kept only as it was read between two looks at its mark that found the same one, by a view to which every
//!    row was settled: no transaction that may still run had a hand in it, the reader's own included.
//! 2. It is given only while its mark is where it was, so that no row has been changed since, to a view that sees the newest
//!    writer of its rows as ended. To such a view the rows are what they were to the reader. So a snapshot older than a
//!    change, or with changes of its own, reads the tree.
//! 3. The columns of a segment have the same rows in the same order: a segment with values outside of its rows, which are
//!    read in another order, is not kept.
//! 4. A column is kept with its type and the value of rows that are older than it. A definition that has another one in its
//!    place, after DROP COLUMN, or a rollback of ADD COLUMN, does not find it.
//! 5. Memory comes from that of all statements, at most three quarters of it, and goes back when a statement wants it. The columns of
//!    segments that were not used for the longest time go first; those that the scan at hand has used do not go for others
//!    of it, or a table that is too large would push itself out, again and again.
//!
//! Left out: a segment is served whole or not at all. One changed row sends its readers to the tree until the change is
//! settled; the next scan then keeps it again.

mod packed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use nqdb_sql::exec::MemoryPool;
use nqdb_txn::{ReadView, Settled, TableStore};
use nqdb_types::Type;
use nqdb_types::row::encode_value;
use parking_lot::Mutex;

pub(crate) use packed::Packed;

/// Bytes that a segment and a column count besides their values.
const ENTRY_BYTES: usize = 256;

/// The part of the cache that is emptied at once when it is full.
const ROOM_PART: usize = 32;

/// The cache of a server.
pub(crate) struct ColumnCache {
    state: Mutex<State>,
    pool: Arc<MemoryPool>,
    limit_bytes: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What a cache has done since its start, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Segments that scans found in it.
    pub hits: u64,
    /// Segments that scans read from the tree.
    pub misses: u64,
    pub held_bytes: usize,
}

#[derive(Default)]
struct State {
    segments: HashMap<SegmentKey, Segment, RandomState>,
    held_bytes: usize,
    /// Counts what is looked for and kept.
    clock: u64,
}

/// A row tree's number, which no other tree ever has, and a segment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SegmentKey {
    tree: u64,
    segment: u64,
}

struct Segment {
    mark: u64,
    settled: Settled,
    rows: usize,
    columns: Vec<Column>,
}

struct Column {
    key: ColumnKey,
    packed: Arc<Packed>,
    bytes: usize,
    /// When it was looked for, or kept, last.
    used: u64,
}

/// What makes a column of a table another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnKey {
    position: usize,
    ty: Type,
    /// The value of rows that are older than the column, in the form it is stored in; none is NULL.
    missing: Vec<u8>,
}

impl ColumnKey {
    pub fn of(table: &TableStore, position: usize, ty: Type) -> ColumnKey {
        let mut missing = Vec::new();
        if let Some(default) = table.missing.get(position).filter(|default| !default.is_null()) {
            // Tells an empty text from NULL.
            missing.push(1);
            encode_value(&mut missing, default);
        }
        ColumnKey { position, ty, missing }
    }
}

/// A segment as the cache gives it.
pub(crate) struct CachedSegment {
    pub rows: usize,
    /// In the order in which they were asked for.
    pub columns: Vec<Arc<Packed>>,
}

/// A segment as it was read from the tree.
pub(crate) struct ReadSegment {
    pub segment: u64,
    /// The mark from before the reading.
    pub mark: u64,
    pub settled: Settled,
    pub rows: usize,
    pub columns: Vec<Arc<Packed>>,
}

impl ColumnCache {
    /// A cache that takes its memory from `pool`, and gives it back there.
    pub fn new(pool: Arc<MemoryPool>) -> Arc<ColumnCache> {
        let limit_bytes = pool.limit_bytes() / 4 * 3;
        let (hits, misses) = (AtomicU64::new(0), AtomicU64::new(0));
        let cache = Arc::new(ColumnCache { state: Mutex::default(), pool: pool.clone(), limit_bytes, hits, misses });
        let reclaimed = Arc::downgrade(&cache);
        pool.set_reclaim(move |bytes| {
            if let Some(cache) = reclaimed.upgrade() {
                cache.give_back(bytes);
            }
        });
        cache
    }

    /// The moment from which on segments belong to the scan that begins now.
    pub fn now(&self) -> u64 {
        self.state.lock().clock
    }

    /// What it has done.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            held_bytes: self.state.lock().held_bytes,
        }
    }

    /// The columns of a segment, if all of them are here and `view` sees them so.
    pub fn find(
        &self,
        table: &TableStore,
        view: &ReadView,
        segment: u64,
        wanted: &[ColumnKey],
    ) -> Option<CachedSegment> {
        let found = self.look_for(table, view, segment, wanted);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn look_for(
        &self,
        table: &TableStore,
        view: &ReadView,
        segment: u64,
        wanted: &[ColumnKey],
    ) -> Option<CachedSegment> {
        let key = SegmentKey { tree: table.rows.id().0, segment };
        let mut state = self.state.lock();
        state.clock += 1;
        let now = state.clock;
        let kept = state.segments.get_mut(&key)?;
        if kept.mark != table.segment_mark(segment) {
            state.remove(&key, &self.pool);
            return None;
        }
        if !view.sees_settled(kept.settled) {
            return None;
        }
        let mut columns = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let found = kept.columns.iter_mut().find(|column| column.key == *wanted)?;
            found.used = now;
            columns.push(found.packed.clone());
        }
        Some(CachedSegment { rows: kept.rows, columns })
    }

    /// Whether a segment of about so many bytes could be kept: packing is work.
    pub fn has_room(&self, bytes: usize, began: u64) -> bool {
        let state = self.state.lock();
        let mut columns = state.segments.values().flat_map(|kept| &kept.columns);
        state.held_bytes + bytes <= self.limit_bytes || columns.any(|column| column.used <= began)
    }

    /// Keeps what a scan that `began` then has read of a segment, if its mark has not moved and there is room.
    pub fn keep(&self, table: &TableStore, keys: &[ColumnKey], read: ReadSegment, began: u64) {
        let key = SegmentKey { tree: table.rows.id().0, segment: read.segment };
        if read.columns.len() != keys.len() || table.segment_mark(read.segment) != read.mark {
            return;
        }
        let mut state = self.state.lock();
        state.clock += 1;
        let now = state.clock;
        let is_same = |kept: &Segment| kept.mark == read.mark && kept.rows == read.rows;
        if !state.segments.get(&key).is_some_and(is_same) {
            state.remove(&key, &self.pool);
        }
        let is_kept = |wanted: &ColumnKey| {
            let kept = state.segments.get(&key);
            kept.is_some_and(|kept| kept.columns.iter().any(|column| column.key == *wanted))
        };
        let new: Vec<Column> = keys
            .iter()
            .cloned()
            .zip(read.columns)
            .filter(|(key, _)| !is_kept(key))
            .map(|(key, packed)| Column { key, bytes: packed.size_bytes() + ENTRY_BYTES, packed, used: now })
            .collect();
        let mut bytes: usize = new.iter().map(|column| column.bytes).sum();
        if !state.segments.contains_key(&key) {
            bytes += ENTRY_BYTES;
        }
        if !state.make_room(bytes, self.limit_bytes, key, began, &self.pool) {
            return;
        }
        state.held_bytes += bytes;
        let empty = Segment { mark: read.mark, settled: read.settled, rows: read.rows, columns: Vec::new() };
        let kept = state.segments.entry(key).or_insert(empty);
        kept.settled = kept.settled.max(read.settled);
        kept.columns.extend(new);
    }

    /// Gives the pool as much back as it asks for, if there is so much.
    fn give_back(&self, bytes: usize) {
        let mut state = self.state.lock();
        let left = state.held_bytes.saturating_sub(bytes);
        state.shrink(left, u64::MAX, None, &self.pool);
    }
}

impl State {
    fn remove(&mut self, key: &SegmentKey, pool: &MemoryPool) {
        if let Some(kept) = self.segments.remove(key) {
            let bytes = ENTRY_BYTES + kept.columns.iter().map(|column| column.bytes).sum::<usize>();
            self.held_bytes -= bytes;
            pool.release(bytes);
        }
    }

    /// Takes room for a scan's segment; columns go for it, but none that was used since the scan began, nor those of `keep`.
    /// A little more room is made than is asked for, so that not each segment of a scan looks for some.
    fn make_room(&mut self, bytes: usize, limit: usize, keep: SegmentKey, began: u64, pool: &MemoryPool) -> bool {
        let Some(most) = limit.checked_sub(bytes) else { return false };
        if self.held_bytes > most {
            self.shrink(most.saturating_sub(limit / ROOM_PART), began, Some(keep), pool);
        }
        self.held_bytes <= most && pool.take_spare(bytes)
    }

    /// Drops the columns of segments that were not used for the longest time until no more than `most` bytes are held.
    fn shrink(&mut self, most: usize, began: u64, keep: Option<SegmentKey>, pool: &MemoryPool) {
        let mut missing = self.held_bytes.saturating_sub(most);
        if missing == 0 {
            return;
        }
        let may_go = |key: &SegmentKey, column: &Column| column.used <= began && Some(*key) != keep;
        let columns = self.segments.iter().flat_map(|(key, kept)| kept.columns.iter().map(move |column| (key, column)));
        let mut oldest: Vec<(u64, usize)> = columns
            .filter(|(key, column)| may_go(key, column))
            .map(|(_, column)| (column.used, column.bytes))
            .collect();
        oldest.sort_unstable();
        // Columns that were used up to then go.
        let mut last = None;
        for (used, bytes) in oldest {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(bytes);
            last = Some(used);
        }
        let Some(last) = last else { return };
        let mut freed = 0;
        self.segments.retain(|key, kept| {
            kept.columns.retain(|column| {
                let goes = may_go(key, column) && column.used <= last;
                freed += if goes { column.bytes } else { 0 };
                !goes
            });
            let is_empty = kept.columns.is_empty() && Some(*key) != keep;
            freed += if is_empty { ENTRY_BYTES } else { 0 };
            !is_empty
        });
        self.held_bytes -= freed;
        pool.release(freed);
    }
}

impl Drop for ColumnCache {
    fn drop(&mut self) {
        self.pool.release(self.state.get_mut().held_bytes);
    }
}
