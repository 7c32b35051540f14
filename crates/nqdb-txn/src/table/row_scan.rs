//! All rows of a table, or a range of row ids, as a view sees them.
//!
//! A leaf's rows are copied out under its latch, visible versions and those that must be looked up in the undo alike;
//! everything else happens without a latch. Where no recent writer was on the page, nothing is asked but the delete mark.

use super::{RowImage, TableStore};
use crate::error::Result;
use crate::ids::RowId;
use crate::view::{ReadView, RowHeader, RowVersion};
use nqdb_storage::tree::{Direction, Scan};
use std::ops::{Bound, ControlFlow, Range};
use std::sync::Arc;

/// A scan in progress. Holds no latch between, or during, calls of the caller's function.
pub struct RowScan {
    table: Arc<TableStore>,
    view: ReadView,
    scan: Scan,
    /// Images of the current leaf, end to end.
    images: Vec<u8>,
    rows: Vec<Copied>,
    next: usize,
    more: bool,
    /// The rows to be read, until that has been said.
    unsaid: Option<Range<RowId>>,
}

struct Copied {
    row_id: RowId,
    header: RowHeader,
    image: Range<usize>,
    is_visible: bool,
}

impl TableStore {
    /// Scans the rows with ids in `rows`; `RowId(0)..RowId(u64::MAX)` is the whole table.
    pub fn scan(self: &Arc<Self>, view: ReadView, rows: Range<RowId>, direction: Direction) -> RowScan {
        let (low, high) = (rows.start.key(), rows.end.key());
        let scan = self.rows.scan(Bound::Included(&low), Bound::Excluded(&high), direction);
        RowScan {
            table: self.clone(),
            view,
            scan,
            images: Vec::new(),
            rows: Vec::new(),
            next: 0,
            more: true,
            unsaid: Some(rows),
        }
    }
}

impl RowScan {
    /// Gives the next leaf's rows to `f`. When it breaks, the next call goes on behind that row. Answers whether more may
    /// follow; a call may give none.
    pub fn next_batch(
        &mut self,
        f: &mut dyn FnMut(RowId, RowVersion, RowImage<'_>) -> ControlFlow<()>,
    ) -> Result<bool> {
        if let Some(rows) = self.unsaid.take() {
            self.table.track_read_of_rows(&self.view, &rows)?;
        }
        if self.next == self.rows.len() {
            if !self.more {
                return Ok(false);
            }
            self.copy_leaf()?;
        }
        let mut older = Vec::new();
        while let Some(row) = self.rows.get(self.next) {
            self.next += 1;
            let image = self.images.get(row.image.clone()).unwrap_or_default();
            let (version, image) = if row.is_visible {
                (row.header.version(), image)
            } else {
                older.clear();
                older.extend_from_slice(image);
                match self.view.resolve(row.header, &mut older)? {
                    Some(header) => (header.version(), &older[..]),
                    None => continue,
                }
            };
            if f(row.row_id, version, RowImage::new(&self.table, image)?).is_break() {
                return Ok(self.more || self.next < self.rows.len());
            }
        }
        Ok(self.more)
    }

    fn copy_leaf(&mut self) -> Result<()> {
        self.images.clear();
        self.rows.clear();
        self.next = 0;
        let (images, rows, view) = (&mut self.images, &mut self.rows, &self.view);
        let mut problem = None;
        self.more = self.scan.next_leaf(&mut |key, entry, leaf| {
            let row = RowHeader::split(entry.value);
            let (Ok((header, image)), Some(row_id)) = (&row, RowId::from_key_end(key)) else {
                problem = row.err();
                return ControlFlow::Break(());
            };
            let is_visible = view.sees_all_of(leaf.newest_xid) || view.sees(*header);
            if is_visible && header.is_deleted() {
                return ControlFlow::Continue(());
            }
            let start = images.len();
            images.extend_from_slice(image);
            rows.push(Copied { row_id, header: *header, image: start..images.len(), is_visible });
            ControlFlow::Continue(())
        })?;
        problem.map_or(Ok(()), Err)
    }
}
