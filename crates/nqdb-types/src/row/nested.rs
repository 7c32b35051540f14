//! The storage forms of arrays and records: they say themselves what they hold.
//!
//! ```text
//! array  = dimensions u8 | element type u32 | (length i32, lower bound i32) .. | item ..
//! record = type u32 | fields u16 | (number u16, type u32, modifier i32, domain u32, name's length u8, name) .. | item ..
//! item   = length u32, all ones for NULL | storage form
//! ```
//!
//! Little-endian. Records keep the shape that they were made with, because the type `record` does not know it, and because
//! the attributes of a composite type may change after the value was stored.

use std::cell::RefCell;
use std::sync::Arc;

use super::value::decode_nested_value;
use super::{Corrupt, encode_value};
use crate::array::{Array, Dimension, NESTING_MAX, check_dimensions};
use crate::{Datum, Record, RecordField, RecordShape, Type, oid};

const NULL_LEN: u32 = u32::MAX;

pub(super) fn encode_array(out: &mut Vec<u8>, array: &Array) {
    out.push(array.dimensions().len() as u8);
    out.extend_from_slice(&array.element_type().to_le_bytes());
    for dimension in array.dimensions() {
        out.extend_from_slice(&dimension.len.to_le_bytes());
        out.extend_from_slice(&dimension.lower.to_le_bytes());
    }
    array.elements().iter().for_each(|element| encode_item(out, element));
}

pub(super) fn encode_record(out: &mut Vec<u8>, record: &Record) {
    let shape = record.shape();
    out.extend_from_slice(&shape.type_oid.to_le_bytes());
    out.extend_from_slice(&(shape.fields.len() as u16).to_le_bytes());
    for field in &shape.fields {
        out.extend_from_slice(&field.number.to_le_bytes());
        out.extend_from_slice(&field.ty.oid.to_le_bytes());
        let typmod = if field.ty.oid == oid::RECORD { -1 } else { field.ty.typmod };
        out.extend_from_slice(&typmod.to_le_bytes());
        out.extend_from_slice(&field.ty.domain.to_le_bytes());
        let name = crate::text::truncate_name(&field.name);
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
    }
    record.values().iter().for_each(|value| encode_item(out, value));
}

fn encode_item(out: &mut Vec<u8>, datum: &Datum) {
    if datum.is_null() {
        return out.extend_from_slice(&NULL_LEN.to_le_bytes());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    encode_value(out, datum);
    let len = (out.len() - at - 4) as u32;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

/// Reads an array's storage form, `nesting` levels within another value.
pub(super) fn decode_array(mut bytes: &[u8], nesting: u16) -> Result<Array, Corrupt> {
    let input = &mut bytes;
    let [dimension_count] = take::<1>(input)?;
    let element_type = u32::from_le_bytes(take(input)?);
    let mut dimensions = Vec::new();
    for _ in 0..dimension_count {
        let len = i32::from_le_bytes(take(input)?);
        dimensions.push(Dimension { len, lower: i32::from_le_bytes(take(input)?) });
    }
    let count = check_dimensions(&dimensions).map_err(|_| Corrupt::new("a stored array has no valid dimensions"))?;
    if count > input.len() / 4 {
        return Err(Corrupt::new("a stored array ends before its elements"));
    }
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(decode_item(input, Type::new(element_type), nesting)?);
    }
    end(input)?;
    Array::new(element_type, dimensions, elements).map_err(|_| Corrupt::new("a stored array is not valid"))
}

/// Reads a record's storage form, `nesting` levels within another value.
pub(super) fn decode_record(mut bytes: &[u8], nesting: u16) -> Result<Record, Corrupt> {
    let input = &mut bytes;
    let shape = decode_shape(input)?;
    let mut values = Vec::with_capacity(shape.fields.len());
    for field in &shape.fields {
        values.push(decode_item(input, field.ty, nesting)?);
    }
    end(input)?;
    Record::new(shape, values).map_err(|_| Corrupt::new("a stored record is not valid"))
}

thread_local! {
    /// The shape that was read last, and its bytes: the values of a column mostly have the same.
    static LAST_SHAPE: RefCell<Option<(Vec<u8>, Arc<RecordShape>)>> = const { RefCell::new(None) };
}

/// Takes a record's shape; its bytes say where they end, so that those of no other shape begin with them.
fn decode_shape(input: &mut &[u8]) -> Result<Arc<RecordShape>, Corrupt> {
    let known = LAST_SHAPE.with_borrow(|last| {
        let (bytes, shape) = last.as_ref()?;
        Some((input.strip_prefix(bytes.as_slice())?, Arc::clone(shape)))
    });
    if let Some((rest, shape)) = known {
        *input = rest;
        return Ok(shape);
    }
    let start = *input;
    let shape = Arc::new(read_shape(input)?);
    let bytes = start.get(..start.len() - input.len()).unwrap_or_default().to_vec();
    LAST_SHAPE.set(Some((bytes, Arc::clone(&shape))));
    Ok(shape)
}

fn read_shape(input: &mut &[u8]) -> Result<RecordShape, Corrupt> {
    let type_oid = u32::from_le_bytes(take(input)?);
    let count = u16::from_le_bytes(take(input)?);
    let mut fields = Vec::new();
    for _ in 0..count {
        let number = u16::from_le_bytes(take(input)?);
        let oid = u32::from_le_bytes(take(input)?);
        let typmod = i32::from_le_bytes(take(input)?);
        let domain = u32::from_le_bytes(take(input)?);
        let [name_len] = take::<1>(input)?;
        let name = take_bytes(input, usize::from(name_len))?;
        let name = std::str::from_utf8(name).map_err(|_| Corrupt::new("a stored field's name is not UTF-8"))?;
        fields.push(RecordField { name: name.into(), ty: Type::with_typmod(oid, typmod).as_domain(domain), number });
    }
    Ok(RecordShape { type_oid, fields })
}

fn decode_item(input: &mut &[u8], ty: Type, nesting: u16) -> Result<Datum, Corrupt> {
    let len = u32::from_le_bytes(take(input)?);
    if len == NULL_LEN {
        return Ok(Datum::Null);
    }
    if nesting >= NESTING_MAX {
        return Err(Corrupt::new("stored values nest too deep"));
    }
    decode_nested_value(take_bytes(input, len as usize)?, ty, nesting + 1)
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], Corrupt> {
    let (bytes, rest) = input.split_first_chunk::<N>().ok_or(Corrupt::new("a stored value ends too soon"))?;
    *input = rest;
    Ok(*bytes)
}

fn take_bytes<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Corrupt> {
    let (bytes, rest) = input.split_at_checked(len).ok_or(Corrupt::new("a stored value ends too soon"))?;
    *input = rest;
    Ok(bytes)
}

fn end(input: &[u8]) -> Result<(), Corrupt> {
    if input.is_empty() { Ok(()) } else { Err(Corrupt::new("a stored value is longer than what it holds")) }
}
