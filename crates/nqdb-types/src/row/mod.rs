//! The stored image of a row, version 1: what follows the version header in a tree entry.
//!
//! ```text
//! +-----------+------------------+-------------------------+----------------------+
//! | n columns | null bitmap      | ends, u16 each          | data                 |
//! | u16       | (n + 7) / 8 byte | bit 15: external        | values, end to end   |
//! +-----------+------------------+-------------------------+----------------------+
//!                bit i % 8 of       bits 0..15: where        column i occupies
//!                byte i / 8 set:    column i ends in data    data[end(i-1)..end(i)]
//!                column i is NULL
//! ```
//!
//! All numbers are little-endian. What always holds:
//!
//! 1. Ends never fall, the last one is the length of the data, and the image has no byte behind it. So any
//!    column is found in constant time, and [`RowView::new`] checks the whole frame once.
//! 2. A NULL occupies no data. A value may occupy none either (the empty text): the bitmap tells them apart.
//! 3. An image has the columns its table had when it was written. A column beyond them is
//!    [`Field::Missing`]: it was added later, and the caller knows its default.
//! 4. An external column holds a [`ValueRef`] of 16 bytes in place of its value, which lies in the table's
//!    overflow tree in the form [`encode_value`] gives.
//! 5. Nothing here depends on types but the form of a single value; a reader must ask with the type that the
//!    column was written with.
//!
//! Bytes come from disk: whatever breaks these rules is [`Corrupt`], never a panic.

mod builder;
mod nested;
mod value;

use std::fmt;

use nqdb_sqlstate::{DATA_CORRUPTED, SqlError};

pub use builder::{RowBuilder, RowError, append_image};
pub use value::{ScaledNumeric, decode_scaled_numeric, decode_value, encode_value};

use crate::{Datum, Type};

/// The most data bytes an image can hold: ends have 15 bits.
pub const DATA_LEN_MAX: usize = 0x7fff;
/// The most columns an image can hold (PostgreSQL's limit on a table).
pub const COLUMN_COUNT_MAX: usize = 1600;
/// Bytes of an encoded [`ValueRef`].
pub const VALUE_REF_LEN: usize = 16;

const COUNT_LEN: usize = 2;
const END_LEN: usize = 2;
const EXTERNAL_BIT: u16 = 0x8000;

/// Stored bytes that break the format's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Which rule.
    pub what: &'static str,
}

impl Corrupt {
    pub(crate) const fn new(what: &'static str) -> Corrupt {
        Corrupt { what }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stored data is corrupt: {}", self.what)
    }
}

impl std::error::Error for Corrupt {}

impl From<Corrupt> for SqlError {
    fn from(corrupt: Corrupt) -> SqlError {
        SqlError::new(DATA_CORRUPTED, corrupt.to_string())
    }
}

/// Where a value that was moved out of its row lies.
///
/// ```text
/// value id u64 | length u32 | stored length u32, bit 31: compressed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueRef {
    /// Its number in the table's overflow tree.
    pub value_id: u64,
    /// Bytes of the value itself.
    pub len: u32,
    /// Bytes it occupies in the overflow tree, below 2^31.
    pub stored_len: u32,
    /// Whether these are compressed.
    pub compressed: bool,
}

const COMPRESSED_BIT: u32 = 0x8000_0000;

impl ValueRef {
    /// The 16 bytes that stand in the row.
    pub fn encode(&self) -> [u8; VALUE_REF_LEN] {
        let mut bytes = [0; VALUE_REF_LEN];
        let stored = (self.stored_len & !COMPRESSED_BIT) | if self.compressed { COMPRESSED_BIT } else { 0 };
        bytes[..8].copy_from_slice(&self.value_id.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[12..].copy_from_slice(&stored.to_le_bytes());
        bytes
    }

    /// Reads the 16 bytes that stand in a row.
    pub fn decode(bytes: &[u8]) -> Result<ValueRef, Corrupt> {
        let bytes: [u8; VALUE_REF_LEN] =
            bytes.try_into().map_err(|_| Corrupt::new("a reference to a value is not 16 bytes"))?;
        let [i0, i1, i2, i3, i4, i5, i6, i7, l0, l1, l2, l3, s0, s1, s2, s3] = bytes;
        let stored = u32::from_le_bytes([s0, s1, s2, s3]);
        Ok(ValueRef {
            value_id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            stored_len: stored & !COMPRESSED_BIT,
            compressed: stored & COMPRESSED_BIT != 0,
        })
    }
}

/// One column of a stored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// The row was written before the column was added.
    Missing,
    Null,
    /// The value's storage form, for [`decode_value`].
    Inline(&'a [u8]),
    /// The value lies in the table's overflow tree.
    External(ValueRef),
}

/// A checked view of a row's image.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    nulls: &'a [u8],
    ends: &'a [u8],
    data: &'a [u8],
}

impl<'a> RowView<'a> {
    /// Checks the frame: counts, ends and length. The values are checked as they are read.
    pub fn new(image: &'a [u8]) -> Result<RowView<'a>, Corrupt> {
        let (count, rest) = image.split_at_checked(COUNT_LEN).ok_or(Corrupt::new("a row has no column count"))?;
        let count = usize::from(read_u16(count, 0));
        let (nulls, rest) =
            rest.split_at_checked(count.div_ceil(8)).ok_or(Corrupt::new("a row ends within its null bitmap"))?;
        let (ends, data) =
            rest.split_at_checked(count * END_LEN).ok_or(Corrupt::new("a row ends within its column ends"))?;
        let view = RowView { nulls, ends, data };
        let mut start = 0;
        for pair in ends.chunks_exact(END_LEN) {
            let end = read_u16(pair, 0) & !EXTERNAL_BIT;
            if end < start {
                return Err(Corrupt::new("a column of a row ends before it starts"));
            }
            start = end;
        }
        if usize::from(start) != data.len() {
            return Err(Corrupt::new("a row's columns do not fill its data"));
        }
        Ok(view)
    }

    /// Columns the row was written with.
    pub fn column_count(&self) -> usize {
        self.ends.len() / END_LEN
    }

    /// The column's stored form; one beyond the row's columns is [`Field::Missing`].
    pub fn field(&self, column: usize) -> Field<'a> {
        if column >= self.column_count() {
            return Field::Missing;
        }
        if self.is_null_bit_set(column) {
            return Field::Null;
        }
        let end = read_u16(self.ends, column * END_LEN);
        let start = match column {
            0 => 0,
            _ => read_u16(self.ends, (column - 1) * END_LEN) & !EXTERNAL_BIT,
        };
        let bytes = self.data.get(usize::from(start)..usize::from(end & !EXTERNAL_BIT)).unwrap_or_default();
        if end & EXTERNAL_BIT == 0 {
            return Field::Inline(bytes);
        }
        match ValueRef::decode(bytes) {
            Ok(reference) => Field::External(reference),
            // Not a length any value has: the decoder that is handed these bytes refuses them.
            Err(_) => Field::Inline(bytes),
        }
    }

    /// The column's value. NULL and a missing column are both [`Datum::Null`]: who has defaults to fill in
    /// asks [`RowView::field`]. An external value is an error here, as its bytes are elsewhere.
    pub fn datum(&self, column: usize, ty: Type) -> Result<Datum, Corrupt> {
        match self.field(column) {
            Field::Missing | Field::Null => Ok(Datum::Null),
            Field::Inline(bytes) => decode_value(bytes, ty),
            Field::External(_) => Err(Corrupt::new("an external value was read as if it stood in its row")),
        }
    }

    /// Every external value of the row.
    pub fn external_values(&self) -> impl Iterator<Item = (usize, ValueRef)> + use<'a> {
        let view = *self;
        (0..view.column_count()).filter_map(move |column| match view.field(column) {
            Field::External(reference) => Some((column, reference)),
            _ => None,
        })
    }

    fn is_null_bit_set(&self, column: usize) -> bool {
        self.nulls.get(column / 8).is_some_and(|byte| byte & (1 << (column % 8)) != 0)
    }
}

/// The little-endian number at a place; 0 where there is none, which the frame's check has ruled out.
fn read_u16(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..at + 2) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

/// Encodes a row whose values all fit; fails with 54000 above [`DATA_LEN_MAX`] data bytes.
///
/// Rows that may have to move values out go through [`RowBuilder::finish`].
pub fn encode_row(datums: &[Datum]) -> Result<Vec<u8>, SqlError> {
    let limit = DATA_LEN_MAX + COUNT_LEN + datums.len().div_ceil(8) + datums.len() * END_LEN;
    RowBuilder::new(datums).finish_inline(limit)
}

#[cfg(test)]
mod tests;
