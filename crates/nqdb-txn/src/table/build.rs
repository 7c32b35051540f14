//! Filling a new index from the rows of its table.
//!
//! The caller holds a SHARE lock on the table, so nobody else has unfinished changes in it, and has created the index's
//! tree in the same transaction: entries need no undo of their own, the tree goes as a whole.

use super::TableStore;
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::transaction::Transaction;
use crate::view::RowHeader;
use nqdb_storage::tree::{Direction, RunEntry};
use std::ops::{Bound, ControlFlow};

impl TableStore {
    /// Enters every live row into the index at `position` of [`TableStore::indexes`], which is empty. `UniqueViolation`
    /// when two rows have one key. Snapshots that still see older versions of the
    /// rows are told not to use the index (see [`super::UsableFrom`]). All keys are held in memory while they are sorted.
    pub fn build_index(&self, txn: &mut Transaction, position: usize) -> Result<()> {
        let index = &self.indexes[position];
        let newest = txn.system().newest_csn();
        let horizon = txn.system().snapshots().horizon();
        let (mut everybody_sees_all, mut changed_here) = (true, false);
        // The lock may have been given by a commit that is not synced yet, and its rows are entered too.
        txn.add_dependency(txn.system().engine().log_end());
        let mut keys: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut scan = self.rows.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let mut leaf: Vec<(RowId, Vec<u8>)> = Vec::new();
        let mut more = true;
        while more {
            let mut problem = None;
            more = scan.next_leaf(&mut |key, entry, _| {
                let row = RowHeader::split(entry.value);
                if let Ok((header, _)) = &row {
                    everybody_sees_all &= horizon.has_passed(txn.system(), header.xid);
                    changed_here |= Some(header.xid) == txn.xid();
                }
                match (row, RowId::from_key_end(key)) {
                    (Ok((header, image)), Some(row_id)) if !header.is_deleted() => leaf.push((row_id, image.to_vec())),
                    (Err(error), _) => problem = Some(error),
                    _ => {}
                }
                ControlFlow::Continue(())
            })?;
            if let Some(error) = problem {
                return Err(error);
            }
            for (row_id, image) in leaf.drain(..) {
                let Some(key) = self.key_of_image(index, &super::RowImage::new(self, &image)?)? else { continue };
                let unique_len = if index.is_exclusive(&key) { key.prefix.len() } else { usize::MAX };
                self.check_key_length(position, &key.prefix)?;
                keys.push((key.entry(row_id), unique_len));
            }
        }
        if !everybody_sees_all {
            index.usable_from.built(newest, changed_here);
        }
        keys.sort_unstable();
        for pair in keys.windows(2) {
            let ((low, unique_len), (high, _)) = (&pair[0], &pair[1]);
            if low.get(..*unique_len).is_some_and(|prefix| high.len() == low.len() && high.starts_with(prefix)) {
                let row_id = RowId::from_key_end(high).unwrap_or_default();
                return Err(TxnError::UniqueViolation { index: position, row_id });
            }
        }
        let run: Vec<RunEntry<'_>> = keys.iter().map(|(key, _)| RunEntry { key, value_bytes: 0 }).collect();
        let mut done = 0;
        while done < run.len() {
            let (count, ()) = index.tree.insert_run(&run[done..], 0, |edit| {
                for _ in 0..edit.len() {
                    edit.insert(&[], 0);
                }
            })?;
            done += count;
        }
        Ok(())
    }
}
