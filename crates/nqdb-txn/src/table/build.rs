//! Filling a new index from the rows of its table.
//!
//! The caller holds a SHARE lock on the table, so nobody else has unfinished changes in it, and has created the index's
//! tree in the same transaction: entries need no undo of their own, the tree goes as a whole.
//!
//! The keys are sorted within a share of memory (`key_sort`) and entered in ascending order, a leaf's worth at a time:
//! the tree grows at its right end only, and its leaves become full.

use super::TableStore;
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::key_sort::{KeySort, SortedKeys};
use crate::transaction::Transaction;
use crate::view::RowHeader;
use nqdb_storage::tree::{Direction, RunEntry, Tree};
use std::ops::{Bound, ControlFlow};

impl TableStore {
    /// Enters every live row into the index at `position` of [`TableStore::indexes`], which is empty. `UniqueViolation`
    /// when two rows have one key. Snapshots that still see older versions of the
    /// rows are told not to use the index (see [`super::UsableFrom`]).
    pub fn build_index(&self, txn: &mut Transaction, position: usize) -> Result<()> {
        let index = &self.indexes[position];
        let newest = txn.system().newest_csn();
        let horizon = txn.system().snapshots().horizon();
        let (mut everybody_sees_all, mut changed_here) = (true, false);
        // The lock may have been given by a commit that is not synced yet, and its rows are entered too.
        txn.add_dependency(txn.system().engine().log_end());
        let mut keys = KeySort::new(txn.system().sort_memory());
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
                let unique_len = index.is_exclusive(&key).then_some(key.prefix.len());
                self.check_key_length(position, &key.prefix)?;
                keys.push(&key.entry(row_id), unique_len)?;
            }
        }
        if !everybody_sees_all {
            index.usable_from.built(newest, changed_here);
        }
        self.enter_sorted(position, keys.finish()?)
    }

    /// Enters keys that come in order into an index that is empty.
    fn enter_sorted(&self, position: usize, mut keys: SortedKeys) -> Result<()> {
        let mut gathered = Gathered::default();
        loop {
            let next = keys.next()?;
            if let Some((key, _)) = next
                && gathered
                    .unique_part()
                    .is_some_and(|part| key.len() == gathered.last().len() && key.starts_with(part))
            {
                let row_id = RowId::from_key_end(key).unwrap_or_default();
                return Err(TxnError::UniqueViolation { index: position, row_id });
            }
            if next.is_none() || gathered.bytes.len() >= GATHERED_BYTES {
                gathered.enter(&self.indexes[position].tree)?;
            }
            match next {
                Some((key, unique_len)) => gathered.push(key, unique_len),
                None => return Ok(()),
            }
        }
    }
}

/// Keys are handed to the tree when they have so many bytes: some leaves' worth.
const GATHERED_BYTES: usize = 64 << 10;

/// Keys behind each other.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Stays when the others have been entered: the next key is compared with it.
    last: Vec<u8>,
    last_unique_len: Option<usize>,
}

impl Gathered {
    fn push(&mut self, key: &[u8], unique_len: Option<usize>) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.last.clear();
        self.last.extend_from_slice(key);
        self.last_unique_len = unique_len;
    }

    fn last(&self) -> &[u8] {
        &self.last
    }

    /// What of the last key no other may begin with.
    fn unique_part(&self) -> Option<&[u8]> {
        self.last_unique_len.and_then(|len| self.last.get(..len))
    }

    fn enter(&mut self, tree: &Tree) -> Result<()> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let keys = starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]);
        let run: Vec<RunEntry<'_>> = keys.map(|key| RunEntry { key, value_bytes: 0 }).collect();
        let mut rest = run.as_slice();
        while !rest.is_empty() {
            let (count, ()) = tree.insert_run(rest, 0, |edit| {
                for _ in 0..edit.len() {
                    edit.insert(&[], 0);
                }
            })?;
            rest = &rest[count..];
        }
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }
}
