//! What a serializable transaction tells [`crate::serial`] of its reads and writes.
//!
//! A write touches the keys that the row has, or had, in each index, and its id. Keys are computed only for indexes of
//! which others have read ranges. Tables of the system are not tracked, as in PostgreSQL.

use super::TableStore;
use super::unique::KeyClaim;
use crate::error::Result;
use crate::ids::RowId;
use crate::serial::{Extent, Predicate, RangeMark, Tracked};
use crate::transaction::Transaction;
use crate::view::{ReadView, RowVersion};
use nqdb_storage::TreeId;
use nqdb_storage::tree::Direction;
use std::ops::{Bound, Range};

/// The lowest number of a relation that a user has made.
const FIRST_USER_RELATION: u32 = 16_384;

/// The two ends of a range of keys.
pub(super) type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A range of an index that is being read. When it is dropped, what was not read of it does not count.
pub(super) struct RangeRead {
    view: ReadView,
    table: u32,
    mark: RangeMark,
    direction: Direction,
    /// The last entry that was used; `None`: all of them, as far as is known.
    reached: Option<Vec<u8>>,
}

impl RangeRead {
    /// The caller asks for more.
    pub(super) fn goes_on(&mut self) {
        self.reached = None;
    }

    /// Nothing behind the entry with this key has been used so far.
    pub(super) fn pauses_at(&mut self, key: &[u8]) {
        self.reached = Some(key.to_vec());
    }
}

impl Drop for RangeRead {
    fn drop(&mut self) {
        let Some(tracked) = self.view.tracked() else { return };
        let extent = self.reached.take().map_or(Extent::All, |key| Extent::UpTo(key, self.direction));
        self.view.system().serial().close_range(tracked, self.table, self.mark, extent);
    }
}

impl TableStore {
    fn is_tracked(&self) -> bool {
        self.id >= FIRST_USER_RELATION
    }

    /// Says that all rows are about to be read through `view`: for who reads them in another way than by a scan of this
    /// layer. 40001 when the transaction has to fail.
    pub fn track_read_of_all(&self, view: &ReadView) -> Result<()> {
        let Some(tracked) = view.tracked().filter(|_| self.is_tracked()) else { return Ok(()) };
        view.system().serial().reads(tracked, self.id, Predicate::Whole).map(|_| ())
    }

    /// Says that the rows with these ids are about to be read.
    pub(super) fn track_read_of_rows(&self, view: &ReadView, rows: &Range<RowId>) -> Result<()> {
        let Some(tracked) = view.tracked().filter(|_| self.is_tracked()) else { return Ok(()) };
        if rows.start.0 == 0 && rows.end.0 >= self.counters.next_row_id().0 {
            return self.track_read_of_all(view);
        }
        let (lower, upper) = (Bound::Included(rows.start.key().to_vec()), Bound::Excluded(rows.end.key().to_vec()));
        let predicate = Predicate::Range { tree: self.rows.id(), relation: self.id, lower, upper };
        let serial = view.system().serial();
        if let Some(mark) = serial.reads(tracked, self.id, predicate)? {
            serial.close_range(tracked, self.id, mark, Extent::All);
        }
        Ok(())
    }

    /// Says that a range of an index is about to be read.
    pub(super) fn track_read_of_index(
        &self,
        view: &ReadView,
        position: usize,
        (lower, upper): KeyBounds,
        direction: Direction,
    ) -> Result<Option<RangeRead>> {
        let Some(tracked) = view.tracked().filter(|_| self.is_tracked()) else { return Ok(None) };
        let index = &self.indexes[position];
        let predicate = Predicate::Range { tree: index.tree.id(), relation: index.id, lower, upper };
        let mark = view.system().serial().reads(tracked, self.id, predicate)?;
        Ok(mark.map(|mark| RangeRead { view: view.clone(), table: self.id, mark, direction, reached: None }))
    }

    /// Says that a row was written: over which version, and the images of the versions before and after the change.
    /// Called when that is done: see the invariants of [`crate::serial`].
    pub(super) fn track_write(
        &self,
        txn: &Transaction,
        row_id: RowId,
        over: Option<RowVersion>,
        images: &[&[u8]],
    ) -> Result<()> {
        let Some(tracked) = self.tracked(txn) else { return Ok(()) };
        let Some(trees) = txn.system().serial().trees_read_by_others(tracked, self.id)? else { return Ok(()) };
        let mut touched = vec![(self.rows.id(), row_id.key().to_vec())];
        for index in self.indexes.iter().filter(|index| trees.contains(&index.tree.id())) {
            for image in images {
                touched.extend(self.entry_of_image(index, image, row_id)?.map(|entry| (index.tree.id(), entry)));
            }
        }
        self.track_touched(txn, tracked, over, &touched)
    }

    /// Says that a row would have been written if another row had not had its key: whoever has read that there is none
    /// learns of the conflict, and the transaction fails with 40001 if it must, not with 23505.
    pub(super) fn track_duplicate(&self, txn: &Transaction, claim: &KeyClaim<'_>, row_id: RowId) -> Result<()> {
        let Some(tracked) = self.tracked(txn) else { return Ok(()) };
        if txn.system().serial().trees_read_by_others(tracked, self.id)?.is_none() {
            return Ok(());
        }
        self.track_touched(txn, tracked, None, &[claim.entry(row_id)])
    }

    fn track_touched(
        &self,
        txn: &Transaction,
        tracked: &Tracked,
        over: Option<RowVersion>,
        touched: &[(TreeId, Vec<u8>)],
    ) -> Result<()> {
        let over = over.map(|version| version.xid);
        txn.system().serial().wrote(tracked, self.id, over, touched, &|tree| self.has_tree(tree))
    }

    /// Says that all rows were taken away at once, as TRUNCATE and DROP do.
    pub fn track_write_of_all(&self, txn: &Transaction) -> Result<()> {
        match self.tracked(txn) {
            Some(tracked) => txn.system().serial().wrote_everything(tracked, self.id),
            None => Ok(()),
        }
    }

    fn tracked<'t>(&self, txn: &'t Transaction) -> Option<&'t Tracked> {
        txn.tracked().filter(|tracked| tracked.is_tracked() && self.is_tracked())
    }
}
