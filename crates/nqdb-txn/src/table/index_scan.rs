//! Rows in the order of an index, as a view sees them.
//!
//! A leaf's entries are copied out under its latch; then their rows are, a run at a time: those of a run lie in one leaf,
//! as rows do that came in the order of the index. Entries say too much: one may belong to a
//! version that this view does not see, so the key is computed from the visible version and compared. That is skipped
//! where the leaf shows no recent writer: there an unmarked entry is the key of the visible version, and a marked one is
//! of nobody's that the view could see.
//!
//! A scan for a serializable transaction says what range it reads before its first page, and how far it has come when it
//! is dropped.

use super::keys::ROW_ID_BYTES;
use super::tracking::{KeyBounds, RangeRead};
use super::{RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::view::{ReadView, RowHeader, RowVersion};
use nqdb_storage::tree::{Direction, Scan};
use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow, Range};
use std::sync::Arc;

/// Most rows that are copied out together. The first runs of a scan are shorter: it may be ended after a row.
const RUN_ROWS_MAX: usize = 64;

/// A scan in progress. Holds no latch between, or during, calls of the caller's function.
pub struct IndexScan {
    table: Arc<TableStore>,
    position: usize,
    view: ReadView,
    scan: Scan,
    /// Keys of the current leaf's entries that have to be compared, end to end.
    keys: Vec<u8>,
    entries: Vec<Copied>,
    /// The first entry whose row was not given yet.
    next: usize,
    run: Run,
    more: bool,
    /// The bounds, until it has been said that what is between them is read.
    unsaid: Option<KeyBounds>,
    direction: Direction,
    /// There when the range counts as read by a serializable transaction, and may still be cut.
    range: Option<RangeRead>,
}

/// Rows of the entries from some entry on, as their leaf had them.
#[derive(Default)]
struct Run {
    /// Images, end to end.
    images: Vec<u8>,
    /// Header and image of each row; `None` when there is no row.
    rows: VecDeque<Option<(RowHeader, Range<usize>)>>,
    /// How many rows the last run was to have.
    wanted: usize,
}

struct Copied {
    row_id: RowId,
    /// Where the key stands, if it was copied.
    key: Option<Range<usize>>,
    must_compare: bool,
}

impl TableStore {
    /// Scans the index at `position` of [`TableStore::indexes`] between two encoded bounds (see
    /// [`super::IndexStore::key_prefix`]; they are compared with whole entries, row id included).
    pub fn index_scan(
        self: &Arc<Self>,
        position: usize,
        view: ReadView,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
        direction: Direction,
    ) -> IndexScan {
        let scan = self.indexes[position].tree.scan(as_slice(&lower), as_slice(&upper), direction);
        IndexScan {
            table: self.clone(),
            position,
            view,
            scan,
            keys: Vec::new(),
            entries: Vec::new(),
            next: 0,
            run: Run::default(),
            more: true,
            unsaid: Some((lower, upper)),
            direction,
            range: None,
        }
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

impl IndexScan {
    /// Gives the rows of the next leaf's entries to `f`. When it breaks, the next call goes on behind that row. Answers
    /// whether more may follow; a call may give none.
    pub fn next_batch(
        &mut self,
        f: &mut dyn FnMut(RowId, RowVersion, RowImage<'_>) -> ControlFlow<()>,
    ) -> Result<bool> {
        if let Some(bounds) = self.unsaid.take() {
            self.range = self.table.track_read_of_index(&self.view, self.position, bounds, self.direction)?;
        }
        if let Some(range) = &mut self.range {
            range.goes_on();
        }
        if self.next == self.entries.len() {
            if !self.more {
                return Ok(false);
            }
            self.copy_leaf()?;
        }
        let mut older = Vec::new();
        while self.next < self.entries.len() {
            if self.run.rows.is_empty() {
                self.copy_run()?;
            }
            let (Some(entry), Some(row)) = (self.entries.get(self.next), self.run.rows.pop_front()) else { break };
            self.next += 1;
            let Some((header, image)) = row else { continue };
            let image = self.run.images.get(image).unwrap_or_default();
            let (header, image) = if self.view.sees(header) && !header.is_deleted() {
                (header, image)
            } else {
                older.clear();
                older.extend_from_slice(image);
                match self.view.resolve(header, &mut older)? {
                    Some(header) => (header, &older[..]),
                    None => continue,
                }
            };
            if let Some(key) = entry.key.as_ref().filter(|_| entry.must_compare) {
                let key = self.keys.get(key.clone()).unwrap_or_default();
                if !self.table.has_key(&self.table.indexes[self.position], image, key)? {
                    continue;
                }
            }
            if f(entry.row_id, header.version(), RowImage::new(&self.table, image)?).is_break() {
                break;
            }
        }
        let more = self.more || self.next < self.entries.len();
        if more {
            self.note_pause();
        }
        Ok(more)
    }

    /// The entries behind the one that was given last have not been used.
    fn note_pause(&mut self) {
        let Some(range) = &mut self.range else { return };
        let last = self.next.checked_sub(1).and_then(|last| self.entries.get(last));
        if let Some(key) = last.and_then(|entry| entry.key.clone()) {
            range.pauses_at(self.keys.get(key).unwrap_or_default());
        }
    }

    /// Copies the rows of the next entries out of the leaf that holds the first of them.
    fn copy_run(&mut self) -> Result<()> {
        let Run { images, rows, wanted } = &mut self.run;
        images.clear();
        *wanted = (*wanted * 4).clamp(1, RUN_ROWS_MAX);
        let entries = self.entries.get(self.next..).unwrap_or_default();
        let mut keys = [[0; ROW_ID_BYTES]; RUN_ROWS_MAX];
        let keys = &mut keys[..entries.len().min(*wanted)];
        for (key, entry) in keys.iter_mut().zip(entries) {
            *key = entry.row_id.key();
        }
        let mut problem = None;
        self.table.rows.get_run(keys.iter().map(|key| &key[..]), |entry, _| {
            let row = match entry.map(|entry| RowHeader::split(entry.value)).transpose() {
                Ok(row) => row,
                Err(error) => {
                    problem = Some(error);
                    return ControlFlow::Break(());
                }
            };
            rows.push_back(row.map(|(header, image)| {
                let start = images.len();
                images.extend_from_slice(image);
                (header, start..images.len())
            }));
            ControlFlow::Continue(())
        })?;
        problem.map_or(Ok(()), Err)
    }

    fn copy_leaf(&mut self) -> Result<()> {
        self.keys.clear();
        self.entries.clear();
        self.next = 0;
        let (keys, entries, view) = (&mut self.keys, &mut self.entries, &self.view);
        let must_copy = self.range.is_some();
        let mut is_damaged = false;
        self.more = self.scan.next_leaf(&mut |key, entry, leaf| {
            let Some(row_id) = RowId::from_key_end(key) else {
                is_damaged = true;
                return ControlFlow::Break(());
            };
            let must_compare = !view.sees_all_of(leaf.newest_xid);
            if !must_compare && entry.marked {
                return ControlFlow::Continue(());
            }
            let start = keys.len();
            if must_compare || must_copy {
                keys.extend_from_slice(key);
            }
            entries.push(Copied { row_id, key: (start < keys.len()).then_some(start..keys.len()), must_compare });
            ControlFlow::Continue(())
        })?;
        if is_damaged {
            return Err(TxnError::corrupt("an index key is too short for a row id"));
        }
        Ok(())
    }
}
