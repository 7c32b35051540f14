//! Rows in the order of an index, as a view sees them.
//!
//! A leaf's entries are copied out under its latch; then each row is fetched. Entries say too much: one may belong to a
//! version that this view does not see, so the key is computed from the visible version and compared. That is skipped
//! where the leaf shows no recent writer: there an unmarked entry is the key of the visible version, and a marked one is
//! of nobody's that the view could see.

use super::fetch::with_buffer;
use super::{RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::view::{ReadView, RowVersion};
use nqdb_storage::tree::{Direction, Scan};
use std::ops::{Bound, ControlFlow, Range};
use std::sync::Arc;

/// A scan in progress. Holds no latch between, or during, calls of the caller's function.
pub struct IndexScan {
    table: Arc<TableStore>,
    position: usize,
    view: ReadView,
    scan: Scan,
    /// Keys of the current leaf's entries that have to be compared, end to end.
    keys: Vec<u8>,
    entries: Vec<Copied>,
    next: usize,
    more: bool,
}

struct Copied {
    row_id: RowId,
    /// Where the key stands, if it has to be compared.
    key: Option<Range<usize>>,
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
            more: true,
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
        if self.next == self.entries.len() {
            if !self.more {
                return Ok(false);
            }
            self.copy_leaf()?;
        }
        while let Some(entry) = self.entries.get(self.next) {
            self.next += 1;
            let flow = with_buffer(|image| {
                let Some(header) = self.table.visible(&self.view, entry.row_id, image)? else {
                    return Ok::<_, TxnError>(ControlFlow::Continue(()));
                };
                if let Some(key) = &entry.key {
                    let key = self.keys.get(key.clone()).unwrap_or_default();
                    if !self.table.has_key(&self.table.indexes[self.position], image, key)? {
                        return Ok(ControlFlow::Continue(()));
                    }
                }
                Ok(f(entry.row_id, header.version(), RowImage::new(&self.table, image)?))
            })?;
            if flow.is_break() {
                return Ok(self.more || self.next < self.entries.len());
            }
        }
        Ok(self.more)
    }

    fn copy_leaf(&mut self) -> Result<()> {
        self.keys.clear();
        self.entries.clear();
        self.next = 0;
        let (keys, entries, view) = (&mut self.keys, &mut self.entries, &self.view);
        let mut is_damaged = false;
        self.more = self.scan.next_leaf(&mut |key, entry, leaf| {
            let Some(row_id) = RowId::from_key_end(key) else {
                is_damaged = true;
                return ControlFlow::Break(());
            };
            if view.sees_all_of(leaf.newest_xid) {
                if !entry.marked {
                    entries.push(Copied { row_id, key: None });
                }
                return ControlFlow::Continue(());
            }
            let start = keys.len();
            keys.extend_from_slice(key);
            entries.push(Copied { row_id, key: Some(start..keys.len()) });
            ControlFlow::Continue(())
        })?;
        if is_damaged {
            return Err(TxnError::corrupt("an index key is too short for a row id"));
        }
        Ok(())
    }
}
