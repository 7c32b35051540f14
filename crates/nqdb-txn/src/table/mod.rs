//! One table: a tree of rows, a tree for its large values, and the trees of its indexes.
//!
//! ```text
//! rows       key: row id u64 BE                        value: header 16 bytes, image      mark: deleted
//! overflow   key: value id u64 BE, chunk u32 BE        value: a piece of a large value    mark: its row let go of it
//! an index   key: encoded columns, row id u64 BE       value: none                        mark: candidate for purge
//! ```
//!
//! What always holds:
//!
//! 1. The newest version of a row is in the row tree; its header leads to the older ones as long as anybody needs them.
//! 2. Each version of a row that anybody can see has its entry in every index: the row is written first, then the entries
//!    of its new keys, then the entries of its old keys are marked. Only purge takes an entry away, or the undo of the
//!    step that added it. An index is therefore a superset: who finds a row through it checks the key again.
//! 3. A deleted row's entries stay unmarked; purge finds them from the row's image.
//! 4. A row without a key in an index (a partial one) has no entry there. Keys are computed again from stored versions, so
//!    what computes them always gives the same answer (see [`Computation`]).
//! 5. Nothing is read from disk, and no undo, under a latch: what a latch protects is copied out.

mod batch;
mod build;
mod computation;
mod fetch;
mod image;
mod index_scan;
mod keys;
mod leaf_scan;
pub(crate) mod overflow;
mod row_scan;
mod segments;
mod tracking;
mod unique;
mod write;

pub use batch::BATCH_ROWS_MAX;
pub use computation::Computation;
pub use fetch::Newest;
pub use image::RowImage;
pub use index_scan::IndexScan;
pub use leaf_scan::LeafScan;
pub use row_scan::RowScan;
pub use segments::{SEGMENT_ROWS, Settled};
pub use write::Modified;

use crate::error::Result;
use crate::ids::{Csn, RowId};
use crate::view::{HEADER_BYTES, ReadView};
use nqdb_storage::TreeId;
use nqdb_storage::tree::{ENTRY_LEN_MAX, Tree};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Type};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The longest row image; what is above it moves its largest values out.
pub const ROW_IMAGE_LEN_MAX: usize = ENTRY_LEN_MAX - 8 - HEADER_BYTES;

/// One definition of a table: never changed, replaced by the catalog when the table is altered.
#[derive(Clone)]
pub struct TableStore {
    /// The relation's number.
    pub id: u32,
    pub rows: Tree,
    pub overflow: Tree,
    /// Types of the stored columns, in their order in the image (dropped columns stay).
    pub columns: Vec<Type>,
    /// For each column the value of rows that were written before it was added.
    pub missing: Vec<Datum>,
    pub indexes: Vec<Arc<IndexStore>>,
    /// Changes of rows are noted for who follows the table (`feed`).
    pub followed: bool,
    /// Shared by all definitions of the table.
    pub counters: Arc<TableCounters>,
}

/// One definition of an index.
pub struct IndexStore {
    /// The relation's number.
    pub id: u32,
    pub tree: Tree,
    /// No two live rows have the same key, unless a column of it is NULL.
    pub unique: bool,
    /// NULLs count as equal to each other where keys must be unique.
    pub nulls_not_distinct: bool,
    /// Rows are written although another may have their key: that is looked at later ([`TableStore::check_unique`]).
    pub deferrable: bool,
    pub key: Vec<KeyColumn>,
    /// There when the key, or whether a row has an entry, is more than columns of the row.
    pub computation: Option<Arc<dyn Computation>>,
    /// Older snapshots do not find everything in it.
    pub usable_from: UsableFrom,
}

impl std::fmt::Debug for TableStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableStore").field("id", &self.id).field("rows", &self.rows.id()).finish_non_exhaustive()
    }
}

/// What a table counts; survives changes of its definition.
#[derive(Debug)]
pub struct TableCounters {
    next_row: AtomicU64,
    next_value: AtomicU64,
    rows: AtomicI64,
    /// Which parts of the table have changed.
    marks: segments::SegmentMarks,
}

impl TableCounters {
    /// Reads where a table's numbers go on. Once for each table, when the database is opened or the table is created.
    pub fn open(rows: &Tree, overflow: &Tree) -> Result<Arc<TableCounters>> {
        let number = |key: Option<Vec<u8>>| {
            let head = key.as_ref().and_then(|key| key.get(..8)).and_then(|head| head.try_into().ok());
            head.map_or(0, u64::from_be_bytes)
        };
        let (last_row, last_value) = (number(rows.last_key()?), number(overflow.last_key()?));
        Ok(Arc::new(TableCounters {
            next_row: AtomicU64::new(last_row + 1),
            next_value: AtomicU64::new(last_value + 1),
            rows: AtomicI64::new(last_row as i64),
            marks: segments::SegmentMarks::default(),
        }))
    }

    fn take_row_id(&self) -> RowId {
        RowId(self.next_row.fetch_add(1, Ordering::Relaxed))
    }

    /// The first of `count` ids in one piece.
    fn take_row_ids(&self, count: u64) -> RowId {
        RowId(self.next_row.fetch_add(count, Ordering::Relaxed))
    }

    fn take_value_id(&self) -> u64 {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    fn count_rows(&self, change: i64) {
        self.rows.fetch_add(change, Ordering::Relaxed);
    }

    /// The row id that the next insert will take: an upper bound for scans.
    pub fn next_row_id(&self) -> RowId {
        RowId(self.next_row.load(Ordering::Relaxed))
    }
}

impl TableStore {
    /// Whether the tree is one of this definition's.
    pub(crate) fn has_tree(&self, tree: TreeId) -> bool {
        let own = [&self.rows, &self.overflow].into_iter().chain(self.indexes.iter().map(|index| &index.tree));
        own.into_iter().any(|own| own.id() == tree)
    }

    /// Rows in the table, roughly: exact from the creation of the table on, an upper bound after a restart.
    pub fn estimated_rows(&self) -> u64 {
        self.counters.rows.load(Ordering::Relaxed).max(0) as u64
    }
}

impl IndexStore {
    /// An index over columns, as old as the rows in it.
    pub fn over_columns(id: u32, tree: Tree, unique: bool, key: Vec<KeyColumn>) -> IndexStore {
        let usable_from = UsableFrom::default();
        IndexStore {
            id,
            tree,
            unique,
            nulls_not_distinct: false,
            deferrable: false,
            key,
            computation: None,
            usable_from,
        }
    }

    /// The same index over another tree, which is empty.
    pub fn over_tree(&self, tree: Tree) -> IndexStore {
        IndexStore {
            id: self.id,
            tree,
            unique: self.unique,
            nulls_not_distinct: self.nulls_not_distinct,
            deferrable: self.deferrable,
            key: self.key.clone(),
            computation: self.computation.clone(),
            usable_from: UsableFrom::default(),
        }
    }

    /// The same index, whose keys writers leave to be checked later.
    pub fn deferrable(&self) -> IndexStore {
        let usable_from = UsableFrom(AtomicU64::new(self.usable_from.0.load(Ordering::Acquire)));
        IndexStore { deferrable: true, usable_from, ..self.over_tree(self.tree.clone()) }
    }

    /// Whether the key is columns of the row, and every row has an entry.
    pub fn is_plain(&self) -> bool {
        self.computation.is_none()
    }

    /// Whether every row that `view` sees is found through this index.
    pub fn usable_by(&self, view: &ReadView) -> bool {
        self.usable_from.csn() <= view.snapshot().csn
    }
}

/// The first snapshot that finds in an index every row that it sees. An index is filled with the newest versions of the
/// rows: who sees older ones misses them there. The default is for every snapshot: that of an index as old as its rows,
/// and of any index after a restart, which no snapshot survives.
///
/// The transaction that fills an index may have changed rows itself before. It sees its changes, others see them
/// from its commit on, so the number moves when it commits.
#[derive(Debug, Default)]
pub struct UsableFrom(AtomicU64);

/// The number is that of the build; the commit's is still to come.
const AWAITS_COMMIT: u64 = 1 << 63;

impl UsableFrom {
    fn built(&self, csn: Csn, awaits_commit: bool) {
        self.0.store(csn.0 | if awaits_commit { AWAITS_COMMIT } else { 0 }, Ordering::Release);
    }

    pub(crate) fn committed(&self, csn: Csn) {
        if self.0.load(Ordering::Acquire) & AWAITS_COMMIT != 0 {
            self.0.store(csn.0, Ordering::Release);
        }
    }

    fn csn(&self) -> Csn {
        Csn(self.0.load(Ordering::Acquire) & !AWAITS_COMMIT)
    }
}
