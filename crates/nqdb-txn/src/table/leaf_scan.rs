//! Rows for readers that want many of them and few of their columns: a leaf at a time, read where it lies.
//!
//! [`super::RowScan`] copies a leaf's images out before it gives them away. Here the caller's function reads visible rows
//! under the leaf's shared latch, one latch for a leaf, and takes what it wants of them straight into its own columns.
//!
//! What always holds:
//!
//! 1. The function is called under a latch: it must not block, and must not call into the engine. A value that was moved
//!    out of its row is only a reference to it; it is loaded between two calls of [`LeafScan::next_leaf`], which is safe
//!    as long as the view lives.
//! 2. That the rows are read is not said to [`crate::serial`] here: who scans a table in pieces says it once, before the
//!    first ([`TableStore::track_read_of_all`]).
//! 3. Rows whose visible version lies in the undo are copied out and given after the leaf's others, with no latch held:
//!    rows of one leaf need not come in the order of their ids.

use super::TableStore;
use super::segments::Settled;
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::view::{ReadView, RowHeader};
use nqdb_storage::tree::{Direction, Scan};
use nqdb_types::row::RowView;
use std::ops::{Bound, ControlFlow, Range};

/// A scan of the rows of a range of row ids, as a view sees them.
pub struct LeafScan {
    view: ReadView,
    scan: Scan,
    /// Rows of the current leaf that must be looked up in the undo.
    unsettled: Vec<(RowId, RowHeader, Vec<u8>)>,
    /// `None` once a leaf was met with something on it that not everybody with this view's snapshot sees.
    settled: Option<Settled>,
}

impl TableStore {
    /// Starts a scan of the rows with ids in `rows`. Nothing is read yet.
    pub fn leaf_scan(&self, view: ReadView, rows: Range<RowId>) -> LeafScan {
        let (low, high) = (rows.start.key(), rows.end.key());
        let scan = self.rows.scan(Bound::Included(&low), Bound::Excluded(&high), Direction::Forward);
        LeafScan { view, scan, unsettled: Vec::new(), settled: Some(Settled::default()) }
    }
}

impl LeafScan {
    /// Gives the next leaf's visible rows to `f`, with their ids. Answers whether more may follow; a call may give none. An error of
    /// `f` ends the scan.
    pub fn next_leaf(&mut self, f: &mut dyn FnMut(RowId, RowView<'_>) -> Result<()>) -> Result<bool> {
        let (view, unsettled, settled) = (&self.view, &mut self.unsettled, &mut self.settled);
        let mut outcome = Ok(());
        let more = self.scan.next_leaf(&mut |key, entry, leaf| {
            outcome = RowHeader::split(entry.value).and_then(|(header, image)| {
                let id = RowId::from_key_end(key).ok_or_else(|| TxnError::corrupt("a row's key is too short"))?;
                if view.sees_all_of(leaf.newest_xid) {
                    *settled = settled.map(|settled| settled.max(Settled(leaf.newest_xid)));
                } else {
                    *settled = None;
                    if !view.sees(header) {
                        unsettled.push((id, header, image.to_vec()));
                        return Ok(());
                    }
                }
                if header.is_deleted() { Ok(()) } else { f(id, frame(image)?) }
            });
            if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        outcome?;
        for (id, header, mut image) in self.unsettled.drain(..) {
            if self.view.resolve(header, &mut image)?.is_some() {
                f(id, frame(&image)?)?;
            }
        }
        Ok(more)
    }

    /// Whether all rows so far were in their final version: no transaction is at them that may still run, the view's own
    /// one included.
    pub fn settled(&self) -> Option<Settled> {
        self.settled
    }
}

fn frame(image: &[u8]) -> Result<RowView<'_>> {
    RowView::new(image).map_err(|corrupt| TxnError::corrupt(corrupt.to_string()))
}
