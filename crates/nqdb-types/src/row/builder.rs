//! Building a row's image, with long values moved out when it is too big.
//!
//! The builder is the wide in-memory form: values end to end with 32-bit ends, so that a row of any length
//! can be held until it is known which of its values have to leave.

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, TOO_MANY_COLUMNS};

use super::{COLUMN_COUNT_MAX, COUNT_LEN, DATA_LEN_MAX, END_LEN, EXTERNAL_BIT, VALUE_REF_LEN, ValueRef, encode_value};
use crate::Datum;

/// A row on its way to its image.
pub struct RowBuilder {
    columns: Vec<Column>,
    /// Inline values, end to end, in order of columns.
    values: Vec<u8>,
}

enum Column {
    Null,
    /// Where the value lies in `values`.
    Inline {
        start: usize,
        len: usize,
        movable: bool,
    },
    External(ValueRef),
}

/// Appends the image of a row, all of whose values stay in it, and says how long it is. `None`, with nothing appended, when
/// it would be longer than `inline_limit` or has too many columns: then [`RowBuilder`] knows what to do, or what to say.
pub fn append_image(out: &mut Vec<u8>, datums: &[Datum], inline_limit: usize) -> Option<usize> {
    if datums.len() > COLUMN_COUNT_MAX {
        return None;
    }
    let start = out.len();
    let frame_len = frame_len(datums.len());
    let (nulls_at, ends_at) = (start + COUNT_LEN, start + COUNT_LEN + datums.len().div_ceil(8));
    let data_at = start + frame_len;
    out.resize(data_at, 0);
    out[start..nulls_at].copy_from_slice(&(datums.len() as u16).to_le_bytes());
    for (index, datum) in datums.iter().enumerate() {
        if datum.is_null() {
            out[nulls_at + index / 8] |= 1 << (index % 8);
        } else {
            encode_value(out, datum);
        }
        let data_len = out.len() - data_at;
        if data_len > DATA_LEN_MAX || frame_len + data_len > inline_limit {
            out.truncate(start);
            return None;
        }
        let end_at = ends_at + index * END_LEN;
        out[end_at..end_at + END_LEN].copy_from_slice(&(data_len as u16).to_le_bytes());
    }
    Some(out.len() - start)
}

/// Length of what stands before a row's data.
fn frame_len(columns: usize) -> usize {
    COUNT_LEN + columns.div_ceil(8) + columns * END_LEN
}

impl Column {
    fn image_len(&self) -> usize {
        match self {
            Column::Null => 0,
            Column::Inline { len, .. } => *len,
            Column::External(_) => VALUE_REF_LEN,
        }
    }
}

/// Why a row could not be encoded.
#[derive(Debug)]
pub enum RowError<E> {
    /// 54000 or 54011: it does not fit, even with all long values moved out.
    Sql(SqlError),
    /// Moving a value out failed.
    Externalize(E),
}

impl RowBuilder {
    /// Takes a row's values, in order of columns.
    pub fn new(datums: &[Datum]) -> RowBuilder {
        let mut builder =
            RowBuilder { columns: Vec::with_capacity(datums.len()), values: Vec::with_capacity(datums.len() * 8) };
        for datum in datums {
            builder.push(datum);
        }
        builder
    }

    /// Adds the next column's value.
    pub fn push(&mut self, datum: &Datum) {
        if datum.is_null() {
            self.columns.push(Column::Null);
            return;
        }
        let start = self.values.len();
        encode_value(&mut self.values, datum);
        let movable = matches!(
            datum,
            Datum::Text(_)
                | Datum::Bytea(_)
                | Datum::Numeric(_)
                | Datum::Array(_)
                | Datum::Record(_)
                | Datum::Jsonb(_)
                | Datum::Bits(_)
                | Datum::JsonPath(_)
        );
        self.columns.push(Column::Inline { start, len: self.values.len() - start, movable });
    }

    /// Adds a column whose value lies in the overflow tree already, such as one that an UPDATE left alone.
    pub fn push_external(&mut self, reference: ValueRef) {
        self.columns.push(Column::External(reference));
    }

    /// Length of the image in bytes if it were built now.
    pub fn image_len(&self) -> usize {
        let data: usize = self.columns.iter().map(Column::image_len).sum();
        frame_len(self.columns.len()) + data
    }

    /// Builds the image of at most `inline_limit` bytes.
    ///
    /// While it is longer, the longest value that can leave is handed to `externalize` in its storage form,
    /// and a reference takes its place. 54000 "row is too big" when nothing more can leave.
    pub fn finish<E>(
        mut self,
        inline_limit: usize,
        mut externalize: impl FnMut(&[u8]) -> Result<ValueRef, E>,
    ) -> Result<Vec<u8>, RowError<E>> {
        let mut image_len = self.image_len();
        while !self.fits(image_len, inline_limit) {
            let Some((column, start, len)) = self.longest_movable() else { break };
            let bytes = self.values.get(start..start + len).unwrap_or_default();
            let reference = externalize(bytes).map_err(RowError::Externalize)?;
            if let Some(slot) = self.columns.get_mut(column) {
                *slot = Column::External(reference);
            }
            image_len -= len - VALUE_REF_LEN;
        }
        self.finish_inline(inline_limit).map_err(RowError::Sql)
    }

    /// Builds the image of at most `inline_limit` bytes without moving anything out; 54000 when it is longer.
    pub fn finish_inline(self, inline_limit: usize) -> Result<Vec<u8>, SqlError> {
        let image_len = self.image_len();
        if self.columns.len() > COLUMN_COUNT_MAX {
            let message = format!("a row has {} columns, at most {COLUMN_COUNT_MAX} fit", self.columns.len());
            return Err(SqlError::new(TOO_MANY_COLUMNS, message));
        }
        if !self.fits(image_len, inline_limit) {
            let message = format!("row is too big: size {image_len}, maximum size {inline_limit}");
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(self.write_image(image_len))
    }

    fn fits(&self, image_len: usize, inline_limit: usize) -> bool {
        image_len <= inline_limit && image_len - frame_len(self.columns.len()) <= DATA_LEN_MAX
    }

    /// The longest value whose place a reference would make shorter: column, start, length.
    fn longest_movable(&self) -> Option<(usize, usize, usize)> {
        let inline = self.columns.iter().enumerate().filter_map(|(index, column)| match column {
            Column::Inline { start, len, movable: true } if *len > VALUE_REF_LEN => Some((index, *start, *len)),
            _ => None,
        });
        inline.max_by_key(|(_, _, len)| *len)
    }

    fn write_image(&self, image_len: usize) -> Vec<u8> {
        let mut image = Vec::with_capacity(image_len);
        image.extend_from_slice(&(self.columns.len() as u16).to_le_bytes());
        for group in self.columns.chunks(8) {
            let bits = group.iter().enumerate().map(|(bit, column)| u8::from(matches!(column, Column::Null)) << bit);
            image.push(bits.fold(0, |byte, bit| byte | bit));
        }
        let mut end = 0u16;
        for column in &self.columns {
            end += column.image_len() as u16;
            let external = if matches!(column, Column::External(_)) { EXTERNAL_BIT } else { 0 };
            image.extend_from_slice(&(end | external).to_le_bytes());
        }
        for column in &self.columns {
            match column {
                Column::Null => {}
                Column::Inline { start, len, .. } => {
                    image.extend_from_slice(self.values.get(*start..start + len).unwrap_or_default());
                }
                Column::External(reference) => image.extend_from_slice(&reference.encode()),
            }
        }
        image
    }
}
