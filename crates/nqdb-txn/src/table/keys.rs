//! Index keys of rows.
//!
//! An entry's key is the encoded columns followed by the row id; the part before the row id is what must be unique.

use super::{IndexStore, RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use nqdb_storage::tree::KEY_LEN_MAX;
use nqdb_types::row::{Field, RowView};
use nqdb_types::{Datum, key};
use std::ops::Bound;

/// Bytes of the row id at the end of an entry's key.
pub(crate) const ROW_ID_BYTES: usize = 8;

/// The key of one row in one index, without the row id.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct RowKey {
    pub(super) prefix: Vec<u8>,
    /// A key with a NULL in it equals no other.
    pub(super) has_null: bool,
}

impl RowKey {
    /// The entry's key for `row_id`.
    pub(super) fn entry(&self, row_id: RowId) -> Vec<u8> {
        let mut entry = Vec::with_capacity(self.prefix.len() + ROW_ID_BYTES);
        entry.extend_from_slice(&self.prefix);
        entry.extend_from_slice(&row_id.key());
        entry
    }

    /// As [`RowKey::entry`], of a key that is needed no more.
    pub(super) fn into_entry(self, row_id: RowId) -> Vec<u8> {
        let mut entry = self.prefix;
        entry.extend_from_slice(&row_id.key());
        entry
    }
}

impl IndexStore {
    /// Encodes the first columns of a key. All entries that begin so lie between `Included(prefix)` and
    /// [`IndexStore::prefix_end`].
    pub fn key_prefix(&self, values: &[Datum]) -> Vec<u8> {
        let mut prefix = Vec::new();
        key::encode_all(&mut prefix, &self.key, values);
        prefix
    }

    /// Where the entries that begin with `prefix` end.
    pub fn prefix_end(prefix: &[u8]) -> Bound<Vec<u8>> {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Bound::Excluded(end);
            }
        }
        Bound::Unbounded
    }

    /// Whether two images agree, byte for byte, in all columns of the key. Values that lie elsewhere do not count as
    /// equal, and neither do columns that one of the rows lacks.
    pub(super) fn columns_equal(&self, old: &RowView<'_>, new: &RowView<'_>) -> bool {
        self.key.iter().all(|column| match (old.field(column.column), new.field(column.column)) {
            (Field::Null, Field::Null) => true,
            (Field::Inline(old), Field::Inline(new)) => old == new,
            _ => false,
        })
    }
}

impl TableStore {
    /// The key of a row that is about to be written, in the index at `position`.
    pub(super) fn key_of_datums(&self, position: usize, row: &[Datum]) -> Result<RowKey> {
        let index = &self.indexes[position];
        let mut prefix = Vec::with_capacity(32);
        let mut has_null = false;
        for column in &index.key {
            let datum = row.get(column.column).ok_or_else(|| self.no_column(column.column))?;
            has_null |= datum.is_null();
            key::encode(&mut prefix, datum, column);
        }
        self.check_key_length(position, &prefix)?;
        Ok(RowKey { prefix, has_null })
    }

    /// Refuses a key that would not fit the index at `position`.
    pub(super) fn check_key_length(&self, position: usize, prefix: &[u8]) -> Result<()> {
        let size = prefix.len() + ROW_ID_BYTES;
        if size > KEY_LEN_MAX {
            return Err(TxnError::KeyTooLong { index: position, size, max: KEY_LEN_MAX });
        }
        Ok(())
    }

    /// The key of a stored row.
    pub(super) fn key_of_image(&self, index: &IndexStore, image: &RowImage<'_>) -> Result<RowKey> {
        let mut prefix = Vec::with_capacity(32);
        let mut has_null = false;
        for column in &index.key {
            let datum = image.datum(column.column)?;
            has_null |= datum.is_null();
            key::encode(&mut prefix, &datum, column);
        }
        Ok(RowKey { prefix, has_null })
    }

    /// Whether the entry `entry_key` is the one that a row with this image has in the index.
    pub(crate) fn has_key(&self, index: &IndexStore, image: &[u8], entry_key: &[u8]) -> Result<bool> {
        let key = self.key_of_image(index, &RowImage::new(self, image)?)?;
        Ok(entry_key.len() == key.prefix.len() + ROW_ID_BYTES && entry_key.starts_with(&key.prefix))
    }

    /// The entry that a row with this image has in an index.
    pub(crate) fn entry_of_image(&self, index: &IndexStore, image: &[u8], row_id: RowId) -> Result<Vec<u8>> {
        Ok(self.key_of_image(index, &RowImage::new(self, image)?)?.entry(row_id))
    }

    /// Whether the row's key has a NULL, and so equals no other.
    pub(crate) fn key_has_null(&self, index: &IndexStore, image: &[u8]) -> Result<bool> {
        Ok(self.key_of_image(index, &RowImage::new(self, image)?)?.has_null)
    }

    fn no_column(&self, column: usize) -> TxnError {
        TxnError::corrupt(format!("a row for relation {} has no column {column}", self.id))
    }
}
