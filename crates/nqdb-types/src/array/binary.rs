//! The binary wire form of arrays.
//!
//! ```text
//! dimensions i32 | has NULLs i32, 0 or 1 | element type u32
//! for each dimension: length i32 | lower bound i32
//! for each element:   length i32, -1 for NULL | its binary form
//! ```
//!
//! All big-endian.

use nqdb_sqlstate::{DATATYPE_MISMATCH, INVALID_BINARY_REPRESENTATION, PROTOCOL_VIOLATION, SqlError, SqlResult};

use super::{Array, DIMENSION_COUNT_MAX, Dimension, check_dimensions, too_many_dimensions};
use crate::binary::{read_binary, write_binary};
use crate::{Datum, FormatContext, Oid, Sink, Type};

/// Appends an array's binary form.
pub(crate) fn write_array<S: Sink>(out: &mut S, array: &Array, cx: &FormatContext) {
    let has_nulls = array.elements().iter().any(Datum::is_null);
    out.put(&(array.dimensions().len() as i32).to_be_bytes());
    out.put(&i32::from(has_nulls).to_be_bytes());
    out.put(&array.element_type().to_be_bytes());
    for dimension in array.dimensions() {
        out.put(&dimension.len.to_be_bytes());
        out.put(&dimension.lower.to_be_bytes());
    }
    let element_type = Type::new(array.element_type());
    let mut bytes = Vec::new();
    for element in array.elements() {
        if element.is_null() {
            out.put(&(-1i32).to_be_bytes());
            continue;
        }
        bytes.clear();
        write_binary(&mut bytes, element, element_type, cx);
        out.put(&(bytes.len() as i32).to_be_bytes());
        out.put(&bytes);
    }
}

/// Reads an array's binary form; `element` has the modifier of the array.
pub(crate) fn read_array(mut bytes: &[u8], element: Type, cx: &FormatContext) -> SqlResult<Array> {
    let input = &mut bytes;
    let dimension_count = take_i32(input)?;
    let count = usize::try_from(dimension_count)
        .map_err(|_| invalid(format!("invalid number of dimensions: {dimension_count}")))?;
    if count > DIMENSION_COUNT_MAX {
        return Err(too_many_dimensions(count));
    }
    if !matches!(take_i32(input)?, 0 | 1) {
        return Err(invalid("invalid array flags"));
    }
    check_element_type(take_i32(input)?.cast_unsigned(), element.oid)?;
    let mut dimensions = Vec::with_capacity(count);
    for _ in 0..count {
        let len = take_i32(input)?;
        dimensions.push(Dimension { len, lower: take_i32(input)? });
    }
    let element_count = check_dimensions(&dimensions)?;
    // Each element takes four bytes at least, so that the count cannot ask for more memory than was sent.
    if element_count > input.len() / 4 {
        return Err(too_short());
    }
    let mut elements = Vec::with_capacity(element_count);
    for at in 0..element_count {
        elements.push(read_element(input, element, at, cx)?);
    }
    if !input.is_empty() {
        return Err(invalid("incorrect binary data format"));
    }
    Array::new(element.oid, dimensions, elements)
}

fn read_element(input: &mut &[u8], element: Type, at: usize, cx: &FormatContext) -> SqlResult<Datum> {
    let len = take_i32(input)?;
    if len == -1 {
        return Ok(Datum::Null);
    }
    let len = usize::try_from(len).ok().filter(|len| *len <= input.len());
    let (bytes, rest) =
        len.and_then(|len| input.split_at_checked(len)).ok_or_else(|| invalid("insufficient data left in message"))?;
    *input = rest;
    read_binary(bytes, element, cx).map_err(|error| {
        if error.code() == INVALID_BINARY_REPRESENTATION && error.message() == "incorrect binary data format" {
            invalid(format!("improper binary format in array element {}", at + 1))
        } else {
            error
        }
    })
}

fn check_element_type(sent: Oid, expected: Oid) -> SqlResult<()> {
    /// Numbers below this are the same in every server.
    const OID_BUILT_IN_END: Oid = 10_000;
    if sent == expected || sent >= OID_BUILT_IN_END || expected >= OID_BUILT_IN_END {
        return Ok(());
    }
    let message = format!(
        "binary data has array element type {sent} ({}) instead of expected {expected} ({})",
        Type::new(sent).name(),
        Type::new(expected).name()
    );
    Err(SqlError::new(DATATYPE_MISMATCH, message))
}

fn take_i32(input: &mut &[u8]) -> SqlResult<i32> {
    let (bytes, rest) = input.split_first_chunk::<4>().ok_or_else(too_short)?;
    *input = rest;
    Ok(i32::from_be_bytes(*bytes))
}

fn too_short() -> SqlError {
    SqlError::new(PROTOCOL_VIOLATION, "insufficient data left in message")
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_BINARY_REPRESENTATION, message)
}
