//! Values too large for their row: pieces in the table's overflow tree, immutable until the row lets go of them.
//!
//! ```text
//! key      value id u64 BE | chunk number u32 BE
//! chunk 0  row id u64 LE | bytes           the row that refers to the value
//! others   bytes
//! mark     on chunk 0: the row let go of the value; purge takes it when no version refers to it any more
//! ```
//!
//! Bytes are LZ4-compressed when that makes them shorter. Chunk 0 is written first, together with the record that undoes
//! the whole value, and removed last.

use super::TableStore;
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::record::{Change, ChangeKind};
use crate::rollback::Clr;
use crate::transaction::{Transaction, change_log_bytes};
use nqdb_storage::Reservation;
use nqdb_storage::tree::{Direction, EditNeed, Tree};
use nqdb_types::row::ValueRef;
use std::ops::{Bound, ControlFlow};

/// Bytes in a chunk: four of them and their keys fill a page.
const CHUNK_BYTES: usize = 1900;

const ROW_ID_BYTES: usize = 8;

/// Shorter values are stored as they are.
const COMPRESS_FROM_BYTES: usize = 64;

fn chunk_key(value_id: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&value_id.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The value id in an overflow key.
pub(crate) fn value_id_of(key: &[u8]) -> Option<u64> {
    key.get(..8)?.try_into().ok().map(u64::from_be_bytes)
}

impl TableStore {
    /// Stores a value for `row_id`; undone with the transaction.
    pub(super) fn put_value(&self, txn: &mut Transaction, row_id: RowId, value: &[u8]) -> Result<ValueRef> {
        let compressed = if value.len() >= COMPRESS_FROM_BYTES { lz4_flex::block::compress(value) } else { Vec::new() };
        let is_compressed = !compressed.is_empty() && compressed.len() < value.len();
        let stored = if is_compressed { &compressed[..] } else { value };
        let value_id = self.counters.take_value_id();
        let (first, rest) = stored.split_at(stored.len().min(CHUNK_BYTES - ROW_ID_BYTES));
        self.put_first_chunk(txn, value_id, row_id, first)?;
        for (number, chunk) in rest.chunks(CHUNK_BYTES).enumerate() {
            let key = chunk_key(value_id, number as u32 + 1);
            let need = EditNeed { value_bytes_max: chunk.len(), log_bytes: 0 };
            self.overflow.edit(&key, need, None, |edit| edit.insert(chunk, false, 0))?;
        }
        Ok(ValueRef { value_id, len: value.len() as u32, stored_len: stored.len() as u32, compressed: is_compressed })
    }

    fn put_first_chunk(&self, txn: &mut Transaction, value_id: u64, row_id: RowId, bytes: &[u8]) -> Result<()> {
        let key = chunk_key(value_id, 0);
        let xid = txn.prepare(1, key.len(), 0)?;
        let mut value = row_id.0.to_le_bytes().to_vec();
        value.extend_from_slice(bytes);
        let need = EditNeed { value_bytes_max: value.len(), log_bytes: change_log_bytes(key.len(), 0) };
        let mut payload = Vec::new();
        self.overflow.edit(&key, need, None, |edit| {
            let change = self.value_change(txn, ChangeKind::OverflowPut, &key);
            txn.note_change(xid, &change, &mut payload);
            edit.insert(&value, false, xid.0);
            edit.log(ChangeKind::OverflowPut as u8, &payload);
        })?;
        Ok(())
    }

    fn value_change<'k>(&self, txn: &Transaction, kind: ChangeKind, key: &'k [u8]) -> Change<'k> {
        Change {
            kind,
            step: txn.undo.steps(),
            table: self.id,
            tree: self.overflow.id(),
            header: [0, 0],
            was_marked: false,
            key,
            image: &[],
        }
    }

    /// The row lets go of a value.
    pub(super) fn mark_value(&self, txn: &mut Transaction, reference: ValueRef) -> Result<()> {
        let key = chunk_key(reference.value_id, 0);
        let xid = txn.prepare(1, key.len(), 0)?;
        let need = EditNeed { value_bytes_max: 0, log_bytes: change_log_bytes(key.len(), 0) };
        let mut payload = Vec::new();
        let (found, _) = self.overflow.edit(&key, need, None, |edit| {
            if edit.entry().is_none_or(|entry| entry.marked) {
                return false;
            }
            let change = self.value_change(txn, ChangeKind::OverflowMark, &key);
            txn.note_change(xid, &change, &mut payload);
            edit.set_mark(true, xid.0);
            edit.log(ChangeKind::OverflowMark as u8, &payload);
            true
        })?;
        if found { Ok(()) } else { Err(missing(reference.value_id)) }
    }

    /// Reads a value that was moved out of its row, in its storage form.
    pub fn load_value(&self, reference: ValueRef) -> Result<Vec<u8>> {
        let mut stored = Vec::with_capacity(reference.stored_len as usize);
        let (low, high) = (chunk_key(reference.value_id, 0), chunk_key(reference.value_id, u32::MAX));
        let mut scan = self.overflow.scan(Bound::Included(&low), Bound::Included(&high), Direction::Forward);
        let mut first = true;
        while scan.next_leaf(&mut |_, entry, _| {
            let skip = if std::mem::take(&mut first) { ROW_ID_BYTES } else { 0 };
            stored.extend_from_slice(entry.value.get(skip..).unwrap_or_default());
            ControlFlow::Continue(())
        })? {}
        if stored.len() != reference.stored_len as usize {
            return Err(missing(reference.value_id));
        }
        if !reference.compressed {
            return Ok(stored);
        }
        let value = lz4_flex::block::decompress(&stored, reference.len as usize);
        value.map_err(|error| TxnError::corrupt(format!("large value {} does not unpack: {error}", reference.value_id)))
    }

    /// The row that a value was stored for.
    pub(crate) fn row_of_value(&self, value_id: u64) -> Result<Option<RowId>> {
        let row_id = self.overflow.get(&chunk_key(value_id, 0), |entry, _| {
            let head: Option<[u8; 8]> = entry.and_then(|entry| entry.value.get(..ROW_ID_BYTES)?.try_into().ok());
            head.map(|head| RowId(u64::from_le_bytes(head)))
        })?;
        Ok(row_id)
    }

    /// Purge: takes all chunks of a value out, chunk 0 last.
    pub(crate) fn remove_value(&self, value_id: u64) -> Result<()> {
        remove_rest(&self.overflow, value_id)?;
        let need = EditNeed { value_bytes_max: 0, log_bytes: 0 };
        self.overflow.edit(&chunk_key(value_id, 0), need, None, |edit| {
            if edit.entry().is_some_and(|entry| entry.marked) {
                edit.remove();
            }
        })?;
        Ok(())
    }
}

fn missing(value_id: u64) -> TxnError {
    TxnError::corrupt(format!("large value {value_id} is not complete"))
}

/// Removes all chunks but the first, from the end.
fn remove_rest(tree: &Tree, value_id: u64) -> Result<()> {
    let (low, high) = (chunk_key(value_id, 1), chunk_key(value_id, u32::MAX));
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut scan = tree.scan(Bound::Included(&low), Bound::Included(&high), Direction::Backward);
    while scan.next_leaf(&mut |key, _, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })? {}
    for key in keys {
        let need = EditNeed { value_bytes_max: 0, log_bytes: 0 };
        tree.edit(&key, need, None, |edit| {
            if edit.entry().is_some() {
                edit.remove();
            }
        })?;
    }
    Ok(())
}

/// Undoes the storing of a value; the group that removes chunk 0 has the compensation record.
pub(crate) fn undo_put(tree: &Tree, key: &[u8], clr: Clr, credit: Option<&mut Reservation>) -> Result<()> {
    let value_id = value_id_of(key).ok_or_else(|| TxnError::corrupt("an overflow key is too short"))?;
    remove_rest(tree, value_id)?;
    let need = EditNeed { value_bytes_max: 0, log_bytes: Clr::LOG_BYTES };
    tree.edit(key, need, credit, |edit| {
        if edit.entry().is_some() {
            edit.remove();
        }
        clr.log(edit);
    })?;
    Ok(())
}
