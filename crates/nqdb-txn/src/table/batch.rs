//! Inserting many rows at once, as COPY does.
//!
//! ```text
//! rows r1 r2 .. rn    ids in one piece -> runs in the row tree, one log group and one undo record for each leaf
//!                     keys sorted      -> runs in each index
//! ```
//!
//! The same steps as for one row, in the same order: claims on unique keys, rows, index entries. Whatever is not plain
//! sailing (a key that exists or is in the hands of another transaction, two rows with one key, a value that does not
//! fit its row) is found before anything is written, and is left to the caller, who inserts the rows one by one.

use super::keys::RowKey;
use super::{ROW_IMAGE_LEN_MAX, TableStore};
use crate::error::{Result, TxnError};
use crate::feed::RowChange;
use crate::ids::{RowId, Xid};
use crate::record::{CHANGE_OVERHEAD_BYTES, ChangeKind, RunKeys};
use crate::transaction::{Transaction, run_undo_log_bytes, undo_log_bytes};
use crate::view::{HEADER_BYTES, RowHeader};
use nqdb_storage::Need;
use nqdb_storage::tree::RunEntry;
use nqdb_types::Datum;
use nqdb_types::row::append_image;
use std::ops::Range;

/// Rows of one batch: unique keys are locked for all of them at once.
pub const BATCH_ROWS_MAX: usize = 64;

/// Bytes of keys that one undo record of index entries may hold, if it holds more than one key.
const RUN_KEYS_BYTES_MAX: usize = 16 * 1024;

impl TableStore {
    /// Adds rows, [`BATCH_ROWS_MAX`] at most, and gives the first one's id; the others follow it. `None`, and nothing was
    /// written, when one of them has to be inserted on its own, to wait or to fail in its turn.
    pub fn insert_batch(&self, txn: &mut Transaction, rows: &[Vec<Datum>]) -> Result<Option<RowId>> {
        if rows.len() > BATCH_ROWS_MAX {
            return Err(TxnError::corrupt("a batch of too many rows"));
        }
        let Some(mut images) = Images::of(rows) else { return Ok(None) };
        let Some(keys) = self.keys_of_batch(rows) else { return Ok(None) };
        let system = txn.system().clone();
        let first = self.counters.take_row_ids(rows.len() as u64);
        let claims: Vec<_> = keys
            .iter()
            .enumerate()
            .flat_map(|(position, keys)| keys.iter().filter_map(move |key| self.claim((position, key))))
            .collect();
        let _guard = match self.claim_keys(txn, &system, first, &claims, None, true) {
            Ok(guard) => guard,
            Err(TxnError::Wait(_) | TxnError::UniqueViolation { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let row_keys: Vec<_> = (0..rows.len() as u64).map(|n| RowId(first.0 + n).key()).collect();
        self.insert_rows(txn, &row_keys, &mut images)?;
        for (position, keys) in keys.into_iter().enumerate() {
            let mut entries: Vec<Vec<u8>> =
                keys.into_iter().zip(first.0..).filter_map(|(key, id)| Some(key?.into_entry(RowId(id)))).collect();
            entries.sort_unstable();
            self.insert_entries(txn, position, &entries)?;
        }
        for (number, row_id) in (first.0..).enumerate().take(rows.len()) {
            self.track_write(txn, RowId(row_id), None, &[images.image(number)])?;
        }
        self.counters.count_rows(rows.len() as i64);
        if self.followed {
            rows.iter().for_each(|row| txn.note_change_of(self.id, RowChange::Inserted(row.clone())));
        }
        Ok(Some(first))
    }

    /// The keys of all rows in each index; `None` when two rows have one key that must be unique, or one is too long
    /// or cannot be computed.
    fn keys_of_batch(&self, rows: &[Vec<Datum>]) -> Option<Vec<Vec<Option<RowKey>>>> {
        let mut all = Vec::with_capacity(self.indexes.len());
        for (position, index) in self.indexes.iter().enumerate() {
            let keys: Vec<Option<RowKey>> =
                rows.iter().map(|row| self.key_of_datums(position, row)).collect::<Result<_>>().ok()?;
            if index.unique {
                let exclusive = keys.iter().flatten().filter(|key| index.is_exclusive(key));
                let mut prefixes: Vec<&[u8]> = exclusive.map(|key| key.prefix.as_slice()).collect();
                prefixes.sort_unstable();
                if prefixes.windows(2).any(|pair| pair[0] == pair[1]) {
                    return None;
                }
            }
            all.push(keys);
        }
        Some(all)
    }

    fn insert_rows(&self, txn: &mut Transaction, keys: &[[u8; 8]], images: &mut Images) -> Result<()> {
        let run: Vec<RunEntry<'_>> =
            keys.iter().zip(&images.values).map(|(key, value)| RunEntry { key, value_bytes: value.len() }).collect();
        let count_bytes = size_of::<u32>();
        let log_bytes = Need::record_bytes(CHANGE_OVERHEAD_BYTES + size_of::<RowId>() + count_bytes);
        let mut payload = Vec::new();
        let mut done = 0;
        while done < run.len() {
            let rest = &run[done..];
            let undo_bytes = size_of::<RowId>() + count_bytes;
            let xid = txn.prepare_room(1, undo_bytes, run_undo_log_bytes(rest.len()))?;
            let (count, ()) = self.rows.insert_run(rest, log_bytes, |edit| {
                let count = (edit.len() as u32).to_le_bytes();
                let before = RowHeader::default();
                let change = self.row_change(txn, ChangeKind::RowInsertRun, before, false, &keys[done], &count);
                let undo = txn.note_change(xid, &change, &mut payload);
                if let Some(first) = keys.get(done).and_then(|key| RowId::from_key_end(key)) {
                    self.counters.marks.touch(first, edit.len() as u64);
                }
                let header = RowHeader { xid, flags: 0, undo };
                for number in done..done + edit.len() {
                    edit.insert(images.value(number, header), xid.0);
                }
                edit.log(ChangeKind::RowInsertRun as u8, &payload);
            })?;
            done += count;
        }
        Ok(())
    }

    /// Adds entries, in ascending order, to the index at `position`.
    fn insert_entries(&self, txn: &mut Transaction, position: usize, entries: &[Vec<u8>]) -> Result<()> {
        let index = &self.indexes[position];
        let run: Vec<RunEntry<'_>> = entries.iter().map(|key| RunEntry { key, value_bytes: 0 }).collect();
        let mut payload = Vec::new();
        let mut done = 0;
        while done < run.len() {
            let rest = &entries[done..done + keys_of_a_record(&entries[done..])];
            let image_bytes: usize = rest.iter().map(|key| RunKeys::OVERHEAD_BYTES + key.len()).sum();
            let rollback_bytes = rest.iter().map(|key| undo_log_bytes(key.len(), HEADER_BYTES)).sum();
            let xid = txn.prepare_room(1, image_bytes, rollback_bytes)?;
            let log_bytes = Need::record_bytes(CHANGE_OVERHEAD_BYTES + image_bytes);
            let (count, ()) = index.tree.insert_run(&run[done..done + rest.len()], log_bytes, |edit| {
                let added = &rest[..edit.len()];
                self.note_entries(txn, xid, position, added, &mut payload);
                for _ in added {
                    edit.insert(&[], xid.0);
                }
                edit.log(ChangeKind::IndexInsertRun as u8, &payload);
            })?;
            done += count;
        }
        Ok(())
    }

    fn note_entries(&self, txn: &mut Transaction, xid: Xid, position: usize, keys: &[Vec<u8>], payload: &mut Vec<u8>) {
        let mut image = Vec::new();
        keys.iter().for_each(|key| RunKeys::push(key, &mut image));
        let (step, tree) = (txn.undo.steps(), self.indexes[position].tree.id());
        let change = crate::record::Change {
            kind: ChangeKind::IndexInsertRun,
            step,
            table: self.id,
            tree,
            header: [0, 0],
            was_marked: false,
            key: &[],
            image: &image,
        };
        txn.note_change(xid, &change, payload);
    }
}

/// The values of rows as they will stand in the row tree, end to end, with room for their headers.
struct Images {
    bytes: Vec<u8>,
    values: Vec<Range<usize>>,
}

impl Images {
    /// `None` when a row does not fit without moving values out.
    fn of(rows: &[Vec<Datum>]) -> Option<Images> {
        let mut images = Images { bytes: Vec::with_capacity(rows.len() * 128), values: Vec::with_capacity(rows.len()) };
        for row in rows {
            let start = images.bytes.len();
            images.bytes.extend_from_slice(&[0; HEADER_BYTES]);
            append_image(&mut images.bytes, row, ROW_IMAGE_LEN_MAX)?;
            images.values.push(start..images.bytes.len());
        }
        Some(images)
    }

    /// The image of a row.
    fn image(&self, number: usize) -> &[u8] {
        self.bytes[self.values[number].clone()].get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The value of a row, with its header.
    fn value(&mut self, number: usize, header: RowHeader) -> &[u8] {
        let value = &mut self.bytes[self.values[number].clone()];
        value[..HEADER_BYTES].copy_from_slice(&header.bytes());
        value
    }
}

/// How many of the first keys one undo record takes.
fn keys_of_a_record(keys: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fitting = keys.iter().take_while(|key| {
        bytes += RunKeys::OVERHEAD_BYTES + key.len();
        bytes <= RUN_KEYS_BYTES_MAX
    });
    fitting.count().max(1)
}
