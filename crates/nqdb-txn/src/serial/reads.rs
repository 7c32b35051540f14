//! What serializable transactions have read: whole tables, and ranges of keys of a table's trees.
//!
//! ```text
//! table -> reader -> whole table
//!                  | [ (tree, lower, upper), ... ]      RANGES_OF_A_TABLE_MAX at most
//!       -> the newest commit of a summarised reader
//! ```
//!
//! What always holds:
//!
//! 1. A range is of keys, not of pages: splits and merges do not touch it, and an absent key that was looked for is as
//!    much in it as one that was found. A row that is inserted, deleted or changed is found through its keys.
//! 2. A record only becomes wider, but for a scan that ends early: its range then ends with the last entry it has used.
//! 3. When a transaction has too many ranges of one table, or all together have too many, it is said to have read the whole
//!    table. Long keys are cut so that the range becomes wider.

use super::SerialId;
use crate::ids::Csn;
use nqdb_storage::TreeId;
use nqdb_storage::tree::Direction;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, RangeBounds};

use crate::table::IndexStore;

/// Ranges of one table that a transaction may have; one more, and it has read the table.
pub(super) const RANGES_OF_A_TABLE_MAX: usize = 64;

/// Ranges of all transactions together.
const RANGES_MAX: usize = 100_000;

/// Bytes of a bound that are kept.
const BOUND_BYTES_MAX: usize = 256;

/// What somebody is about to read of a table.
#[derive(Debug)]
pub(crate) enum Predicate {
    Whole,
    /// The keys of `tree`, which is of the index (or table) `relation`, between two bounds.
    Range {
        tree: TreeId,
        relation: u32,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
    },
}

/// Names a range that may still be cut, for its reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RangeMark(u64);

/// How much of a range was read.
#[derive(Debug)]
pub(crate) enum Extent {
    All,
    /// From the end where the scan began, up to and including this key.
    UpTo(Vec<u8>, Direction),
}

/// A record of a read, for `pg_locks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadFacts {
    pub table: u32,
    /// The index of which a range was read; `None`: the whole table.
    pub range_of: Option<u32>,
    /// The session's process number; `None` when only a summary is left.
    pub process_id: Option<i32>,
}

/// All records.
#[derive(Default)]
pub(super) struct Reads {
    tables: HashMap<u32, TableReads>,
    /// Tables that a summarised transaction has read.
    summarised: BTreeSet<u32>,
    range_count: usize,
    next_mark: u64,
}

#[derive(Default)]
struct TableReads {
    readers: BTreeMap<SerialId, Record>,
    /// The newest commit of a summarised transaction that has read of the table.
    summarised: Option<Csn>,
}

enum Record {
    Whole,
    Ranges(Vec<Stored>),
}

/// A range that was read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) tree: TreeId,
    relation: u32,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    /// There while the scan that reads it may still end early.
    open: Option<RangeMark>,
}

impl Stored {
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(as_slice(&self.lower), as_slice(&self.upper)), key)
    }

    /// Whether everything in `other` is in this one too.
    fn covers(&self, other: &Stored) -> bool {
        let lower = match (&self.lower, &other.lower) {
            (Bound::Unbounded, _) => true,
            (_, Bound::Unbounded) => false,
            (Bound::Excluded(own), Bound::Included(key)) => own < key,
            (Bound::Included(own) | Bound::Excluded(own), Bound::Included(key) | Bound::Excluded(key)) => own <= key,
        };
        let upper = match (&self.upper, &other.upper) {
            (Bound::Unbounded, _) => true,
            (_, Bound::Unbounded) => false,
            (Bound::Excluded(own), Bound::Included(key)) => own > key,
            (Bound::Included(own) | Bound::Excluded(own), Bound::Included(key) | Bound::Excluded(key)) => own >= key,
        };
        self.tree == other.tree && lower && upper
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

fn cut_lower(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Included(mut key) | Bound::Excluded(mut key) if key.len() > BOUND_BYTES_MAX => {
            key.truncate(BOUND_BYTES_MAX);
            Bound::Included(key)
        }
        short => short,
    }
}

fn cut_upper(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Included(mut key) | Bound::Excluded(mut key) if key.len() > BOUND_BYTES_MAX => {
            key.truncate(BOUND_BYTES_MAX);
            IndexStore::prefix_end(&key)
        }
        short => short,
    }
}

impl Reads {
    /// Records a read. A mark is given for a range that may be cut.
    pub(super) fn add(&mut self, reader: SerialId, table: u32, predicate: Predicate) -> Option<RangeMark> {
        let is_full = self.range_count >= RANGES_MAX;
        let readers = &mut self.tables.entry(table).or_default().readers;
        let record = readers.entry(reader).or_insert_with(|| Record::Ranges(Vec::new()));
        let Record::Ranges(ranges) = record else { return None };
        match predicate {
            Predicate::Range { tree, relation, lower, upper } if !is_full && ranges.len() < RANGES_OF_A_TABLE_MAX => {
                self.next_mark += 1;
                let mark = RangeMark(self.next_mark);
                let (lower, upper) = (cut_lower(lower), cut_upper(upper));
                let range = Stored { tree, relation, lower, upper, open: Some(mark) };
                if ranges.iter().any(|known| known.open.is_none() && known.covers(&range)) {
                    return None;
                }
                ranges.push(range);
                self.range_count += 1;
                Some(mark)
            }
            _ => {
                self.range_count -= ranges.len();
                *record = Record::Whole;
                None
            }
        }
    }

    /// A range will be read no further.
    pub(super) fn close(&mut self, reader: SerialId, table: u32, mark: RangeMark, extent: Extent) {
        let readers = self.tables.get_mut(&table).map(|reads| &mut reads.readers);
        let Some(Record::Ranges(ranges)) = readers.and_then(|readers| readers.get_mut(&reader)) else { return };
        let Some(at) = ranges.iter().position(|range| range.open == Some(mark)) else { return };
        let mut range = ranges.swap_remove(at);
        range.open = None;
        match extent {
            Extent::All => {}
            Extent::UpTo(key, Direction::Forward) => range.upper = cut_upper(Bound::Included(key)),
            Extent::UpTo(key, Direction::Backward) => range.lower = cut_lower(Bound::Included(key)),
        }
        if ranges.iter().any(|known| known.open.is_none() && known.covers(&range)) {
            self.range_count -= 1;
        } else {
            ranges.push(range);
        }
    }

    /// The trees of which others than `writer` have read ranges; `None` when they have read nothing of the table.
    pub(super) fn trees_read_by_others(&self, writer: SerialId, table: u32) -> Option<Vec<TreeId>> {
        let reads = self.tables.get(&table)?;
        let others = || reads.readers.iter().filter(|(reader, _)| **reader != writer).map(|(_, record)| record);
        if reads.summarised.is_none() && others().next().is_none() {
            return None;
        }
        let mut trees = Vec::new();
        for record in others() {
            if let Record::Ranges(ranges) = record {
                trees.extend(ranges.iter().map(|range| range.tree));
            }
        }
        trees.sort_unstable();
        trees.dedup();
        Some(trees)
    }

    /// Those with a record that says that they have read what `is_hit` is about.
    pub(super) fn readers(&self, table: u32, is_hit: &dyn Fn(&Stored) -> bool) -> Vec<SerialId> {
        let Some(reads) = self.tables.get(&table) else { return Vec::new() };
        let hit = reads.readers.iter().filter(|(_, record)| match record {
            Record::Whole => true,
            Record::Ranges(ranges) => ranges.iter().any(is_hit),
        });
        hit.map(|(reader, _)| *reader).collect()
    }

    /// The newest commit of a summarised reader of a table.
    pub(super) fn summarised(&self, table: u32) -> Option<Csn> {
        self.tables.get(&table).and_then(|reads| reads.summarised)
    }

    /// What a transaction read is no longer of interest.
    pub(super) fn forget(&mut self, reader: SerialId, tables: &BTreeSet<u32>) {
        for table in tables {
            let Some(reads) = self.tables.get_mut(table) else { continue };
            if let Some(Record::Ranges(ranges)) = reads.readers.remove(&reader) {
                self.range_count -= ranges.len();
            }
            if reads.readers.is_empty() && reads.summarised.is_none() {
                self.tables.remove(table);
            }
        }
    }

    /// A transaction that read of these tables, and committed with `csn`, is about to be forgotten before its time.
    pub(super) fn summarise(&mut self, tables: &BTreeSet<u32>, csn: Csn) {
        for table in tables {
            let reads = self.tables.entry(*table).or_default();
            reads.summarised = reads.summarised.max(Some(csn));
            self.summarised.insert(*table);
        }
    }

    /// Forgets summaries of commits that everybody sees.
    pub(super) fn forget_summaries(&mut self, horizon: Csn) {
        let tables = &mut self.tables;
        self.summarised.retain(|table| {
            let Some(reads) = tables.get_mut(table) else { return false };
            reads.summarised = reads.summarised.filter(|csn| *csn > horizon);
            if reads.summarised.is_none() && reads.readers.is_empty() {
                tables.remove(table);
                return false;
            }
            reads.summarised.is_some()
        });
    }

    /// All records, by table and reader; `process` names the reader's session.
    pub(super) fn facts(&self, process: &dyn Fn(SerialId) -> Option<i32>) -> Vec<ReadFacts> {
        let mut facts = Vec::new();
        for (table, reads) in &self.tables {
            let fact = |range_of, process_id| ReadFacts { table: *table, range_of, process_id };
            facts.extend(reads.summarised.map(|_| fact(None, None)));
            for (reader, record) in &reads.readers {
                match record {
                    Record::Whole => facts.push(fact(None, process(*reader))),
                    Record::Ranges(ranges) => {
                        facts.extend(ranges.iter().map(|range| fact(Some(range.relation), process(*reader))));
                    }
                }
            }
        }
        facts
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.tables.len(), self.range_count)
    }
}
