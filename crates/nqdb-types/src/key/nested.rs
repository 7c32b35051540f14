//! Keys of arrays and records.
//!
//! ```text
//! array  = item .. | 00 | dimensions u8 | length u32 .. | lower bound, sign flipped ..
//! record = (item, with the type's number u32 behind its marker) .. | 00
//! item   = 01, payload | 02 a NULL
//! ```
//!
//! What ends the items sorts below any item, so that of two arrays the one that is the other's beginning comes
//! first; payloads end themselves (invariant 2 of the parent). Types within records sort by their number: records
//! of different types are never compared.

use super::{Corrupt, Decoded, KeyColumn, decode_value, encode_ascending, take};
use crate::array::{Array, DIMENSION_COUNT_MAX, Dimension, NESTING_MAX};
use crate::{Datum, Oid, Record, Type};

const END: u8 = 0x00;
const VALUE: u8 = 0x01;
const NULL: u8 = 0x02;

pub(super) fn encode_array(out: &mut Vec<u8>, array: &Array) {
    for element in array.elements() {
        if element.is_null() {
            out.push(NULL);
        } else {
            out.push(VALUE);
            encode_ascending(out, element, array.element_type());
        }
    }
    out.push(END);
    out.push(array.dimensions().len() as u8);
    for dimension in array.dimensions() {
        out.extend_from_slice(&dimension.len.to_be_bytes());
    }
    for dimension in array.dimensions() {
        out.extend_from_slice(&(dimension.lower.cast_unsigned() ^ 1 << 31).to_be_bytes());
    }
}

pub(super) fn encode_record(out: &mut Vec<u8>, record: &Record) {
    for (value, field) in record.values().iter().zip(&record.shape().fields) {
        if value.is_null() {
            out.push(NULL);
        } else {
            out.push(VALUE);
            out.extend_from_slice(&field.ty.oid.to_be_bytes());
            encode_ascending(out, value, field.ty.oid);
        }
    }
    out.push(END);
}

/// Takes an array off a key, `nesting` levels within another value.
pub(super) fn decode_array(
    input: &mut &[u8],
    element_type: Oid,
    inverted: bool,
    nesting: u16,
) -> Result<Decoded, Corrupt> {
    let column = KeyColumn { descending: inverted, ..KeyColumn::ascending(0, Type::new(element_type)) };
    let mut elements = Vec::new();
    let mut exact = true;
    loop {
        match take::<1>(input, inverted)? {
            [END] => break,
            [NULL] => elements.push(Datum::Null),
            [VALUE] => match decode_value(input, &column, deeper(nesting)?)? {
                Decoded::Exact(datum) => elements.push(datum),
                Decoded::Inexact => exact = false,
            },
            _ => return Err(Corrupt::new("an array in a key has an unknown marker")),
        }
    }
    let dimensions = decode_dimensions(input, inverted)?;
    if !exact {
        return Ok(Decoded::Inexact);
    }
    let array = Array::new(element_type, dimensions, elements)
        .map_err(|_| Corrupt::new("an array in a key has no valid dimensions"))?;
    Ok(Decoded::Exact(Datum::array(array)))
}

fn decode_dimensions(input: &mut &[u8], inverted: bool) -> Result<Vec<Dimension>, Corrupt> {
    let [count] = take::<1>(input, inverted)?;
    if usize::from(count) > DIMENSION_COUNT_MAX {
        return Err(Corrupt::new("an array in a key has too many dimensions"));
    }
    let mut dimensions = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        dimensions.push(Dimension { len: i32::from_be_bytes(take(input, inverted)?), lower: 1 });
    }
    for dimension in &mut dimensions {
        dimension.lower = (u32::from_be_bytes(take(input, inverted)?) ^ 1 << 31).cast_signed();
    }
    Ok(dimensions)
}

/// Skips a record, whose shape the key does not hold.
pub(super) fn skip_record(input: &mut &[u8], inverted: bool, nesting: u16) -> Result<Decoded, Corrupt> {
    loop {
        match take::<1>(input, inverted)? {
            [END] => return Ok(Decoded::Inexact),
            [NULL] => {}
            [VALUE] => {
                let ty = Type::new(u32::from_be_bytes(take(input, inverted)?));
                let column = KeyColumn { descending: inverted, ..KeyColumn::ascending(0, ty) };
                decode_value(input, &column, deeper(nesting)?)?;
            }
            _ => return Err(Corrupt::new("a record in a key has an unknown marker")),
        }
    }
}

fn deeper(nesting: u16) -> Result<u16, Corrupt> {
    if nesting < NESTING_MAX { Ok(nesting + 1) } else { Err(Corrupt::new("values in a key nest too deep")) }
}
