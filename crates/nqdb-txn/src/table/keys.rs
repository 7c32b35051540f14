//! Index keys of rows.
//!
//! An entry's key is the encoded columns followed by the row id; the part before the row id is what must be unique.

use super::{IndexStore, RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use nqdb_storage::tree::KEY_LEN_MAX;
use nqdb_types::row::{Field, RowView};
use nqdb_types::{Datum, key};
use std::borrow::Cow;
use std::ops::Bound;

/// Bytes of the row id at the end of an entry's key.
pub(crate) const ROW_ID_BYTES: usize = 8;

/// The key of one row in one index, without the row id.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct RowKey {
    pub(super) prefix: Vec<u8>,
    /// A key with a NULL in it equals no other, unless the index says so.
    pub(super) has_null: bool,
}

impl RowKey {
    fn push(&mut self, value: &Datum, part: &key::KeyColumn) {
        self.has_null |= value.is_null();
        key::encode(&mut self.prefix, value, part);
    }

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

    /// Whether no second row may have this key.
    pub(super) fn is_exclusive(&self, key: &RowKey) -> bool {
        self.unique && (self.nulls_not_distinct || !key.has_null)
    }

    /// Whether two images agree, byte for byte, in all columns that the index looks at. Values that lie elsewhere do not
    /// count as equal, and neither do columns that one of the rows lacks.
    pub(super) fn columns_equal(&self, old: &RowView<'_>, new: &RowView<'_>) -> bool {
        let is_equal = |column: usize| match (old.field(column), new.field(column)) {
            (Field::Null, Field::Null) => true,
            (Field::Inline(old), Field::Inline(new)) => old == new,
            _ => false,
        };
        let read = self.computation.as_ref().map_or(&[][..], |computation| computation.reads());
        self.key.iter().filter(|column| column.computed().is_none()).all(|column| is_equal(column.column))
            && read.iter().all(|column| is_equal(*column))
    }

    /// The values of the key of a row, whose columns `column` gives; `None` when the row has no entry.
    fn values<'r>(&self, column: impl Fn(usize) -> Result<Cow<'r, Datum>>) -> Result<Option<Vec<Cow<'r, Datum>>>> {
        let mut computed = match &self.computation {
            Some(computation) => {
                let read: Result<Vec<Datum>> =
                    computation.reads().iter().map(|at| column(*at).map(Cow::into_owned)).collect();
                match computation.compute(read?)? {
                    Some(values) => values,
                    None => return Ok(None),
                }
            }
            None => Vec::new(),
        };
        let value = |part: &key::KeyColumn| match part.computed() {
            Some(number) => match computed.get_mut(number) {
                Some(value) => Ok(Cow::Owned(std::mem::take(value))),
                None => Err(TxnError::corrupt(format!("index {} computes no value {number}", self.id))),
            },
            None => column(part.column),
        };
        self.key.iter().map(value).collect::<Result<Vec<_>>>().map(Some)
    }

    /// The key of a row, whose columns `column` gives; `None` when the row has no entry.
    fn key_of<'r>(&self, column: impl Fn(usize) -> Result<Cow<'r, Datum>>) -> Result<Option<RowKey>> {
        let mut key = RowKey { prefix: Vec::with_capacity(32), has_null: false };
        if self.is_plain() {
            for part in &self.key {
                key.push(&*column(part.column)?, part);
            }
            return Ok(Some(key));
        }
        let Some(values) = self.values(column)? else { return Ok(None) };
        for (value, part) in values.iter().zip(&self.key) {
            key.push(value, part);
        }
        Ok(Some(key))
    }
}

impl TableStore {
    /// The key of a row that is about to be written, in the index at `position`; `None` when it has no entry there.
    pub(super) fn key_of_datums(&self, position: usize, row: &[Datum]) -> Result<Option<RowKey>> {
        let key = self.indexes[position].key_of(|column| self.column_of(row, column))?;
        if let Some(key) = &key {
            self.check_key_length(position, &key.prefix)?;
        }
        Ok(key)
    }

    fn column_of<'r>(&self, row: &'r [Datum], column: usize) -> Result<Cow<'r, Datum>> {
        row.get(column).map(Cow::Borrowed).ok_or_else(|| self.no_column(column))
    }

    /// The values of a row's key in the index at `position`; `None` when the row has no entry there.
    pub fn key_values(&self, position: usize, row: &[Datum]) -> Result<Option<Vec<Datum>>> {
        let Some(index) = self.indexes.get(position) else { return Ok(None) };
        let values = index.values(|column| self.column_of(row, column))?;
        Ok(values.map(|values| values.into_iter().map(Cow::into_owned).collect()))
    }

    /// Refuses a key that would not fit the index at `position`.
    pub(super) fn check_key_length(&self, position: usize, prefix: &[u8]) -> Result<()> {
        let size = prefix.len() + ROW_ID_BYTES;
        if size > KEY_LEN_MAX {
            return Err(TxnError::KeyTooLong { index: position, size, max: KEY_LEN_MAX });
        }
        Ok(())
    }

    /// The key of a stored row; `None` when it has no entry.
    pub(super) fn key_of_image(&self, index: &IndexStore, image: &RowImage<'_>) -> Result<Option<RowKey>> {
        index.key_of(|column| image.datum(column).map(Cow::Owned))
    }

    /// Whether the entry `entry_key` is the one that a row with this image has in the index.
    pub(crate) fn has_key(&self, index: &IndexStore, image: &[u8], entry_key: &[u8]) -> Result<bool> {
        let key = self.key_of_image(index, &RowImage::new(self, image)?)?;
        Ok(key.is_some_and(|key| {
            entry_key.len() == key.prefix.len() + ROW_ID_BYTES && entry_key.starts_with(&key.prefix)
        }))
    }

    /// The entry that a row with this image has in an index, if it has one.
    pub(crate) fn entry_of_image(&self, index: &IndexStore, image: &[u8], row_id: RowId) -> Result<Option<Vec<u8>>> {
        Ok(self.key_of_image(index, &RowImage::new(self, image)?)?.map(|key| key.entry(row_id)))
    }

    /// Whether no other row may have the key of the row with this image.
    pub(crate) fn has_exclusive_key(&self, index: &IndexStore, image: &[u8]) -> Result<bool> {
        Ok(self.key_of_image(index, &RowImage::new(self, image)?)?.is_some_and(|key| index.is_exclusive(&key)))
    }

    fn no_column(&self, column: usize) -> TxnError {
        TxnError::corrupt(format!("a row for relation {} has no column {column}", self.id))
    }
}
