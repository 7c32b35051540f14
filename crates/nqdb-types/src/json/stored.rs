//! The storage form of jsonb: what it is, then what it holds.
//!
//! ```text
//! value   = 1 null | 2 string | 3 number | 4 false | 5 true | 6 array | 7 object
//! string  = length varint, bytes           number = length varint, the storage form of numeric
//! array   = count varint, value ..         object = count varint, (string, value) .. in the order of the keys
//! ```
//!
//! A varint has seven bits a byte, the lowest first; the top bit says that more follow.

use std::sync::Arc;

use super::{Json, NESTING_MAX, Object, compare_keys};
use crate::row::{Corrupt, decode_value, encode_value};
use crate::{Datum, Type};

const NULL: u8 = 1;
const STRING: u8 = 2;
const NUMBER: u8 = 3;
const FALSE: u8 = 4;
const TRUE: u8 = 5;
const ARRAY: u8 = 6;
const OBJECT: u8 = 7;

/// Appends a value's storage form.
pub(crate) fn encode(out: &mut Vec<u8>, json: &Json) {
    match json {
        Json::Null => out.push(NULL),
        Json::Bool(false) => out.push(FALSE),
        Json::Bool(true) => out.push(TRUE),
        Json::String(text) => {
            out.push(STRING);
            put_text(out, text);
        }
        Json::Number(value) => {
            out.push(NUMBER);
            let mut bytes = Vec::new();
            encode_value(&mut bytes, &Datum::Numeric(value.clone()));
            put_len(out, bytes.len());
            out.extend_from_slice(&bytes);
        }
        Json::Array(items) => {
            out.push(ARRAY);
            put_len(out, items.len());
            items.iter().for_each(|item| encode(out, item));
        }
        Json::Object(Object(members)) => {
            out.push(OBJECT);
            put_len(out, members.len());
            for (key, value) in members {
                put_text(out, key);
                encode(out, value);
            }
        }
    }
}

fn put_len(out: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads a value's storage form.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Json, Corrupt> {
    let json = take_value(&mut bytes, 0)?;
    if bytes.is_empty() { Ok(json) } else { Err(Corrupt::new("a stored jsonb is longer than what it holds")) }
}

fn take_value(input: &mut &[u8], depth: usize) -> Result<Json, Corrupt> {
    if depth > NESTING_MAX {
        return Err(Corrupt::new("a stored jsonb nests too deep"));
    }
    let (&kind, rest) = input.split_first().ok_or(ENDS_TOO_SOON)?;
    *input = rest;
    Ok(match kind {
        NULL => Json::Null,
        FALSE => Json::Bool(false),
        TRUE => Json::Bool(true),
        STRING => Json::String(take_text(input)?),
        NUMBER => {
            let len = take_len(input)?;
            match decode_value(take_bytes(input, len)?, Type::NUMERIC)? {
                Datum::Numeric(value) if value.is_finite() => Json::Number(value),
                _ => return Err(Corrupt::new("a number in a stored jsonb is none")),
            }
        }
        ARRAY => {
            let count = take_count(input)?;
            Json::Array((0..count).map(|_| take_value(input, depth + 1)).collect::<Result<_, _>>()?)
        }
        OBJECT => {
            let count = take_count(input)?;
            let mut members: Vec<(Arc<str>, Json)> = Vec::with_capacity(count);
            for _ in 0..count {
                let key = take_text(input)?;
                if members.last().is_some_and(|(last, _)| compare_keys(last, &key).is_ge()) {
                    return Err(Corrupt::new("the keys of a stored jsonb are out of order"));
                }
                members.push((key, take_value(input, depth + 1)?));
            }
            Json::Object(Object(members))
        }
        _ => return Err(Corrupt::new("a stored jsonb has an unknown kind of value")),
    })
}

const ENDS_TOO_SOON: Corrupt = Corrupt::new("a stored jsonb ends too soon");

fn take_len(input: &mut &[u8]) -> Result<usize, Corrupt> {
    let mut len = 0usize;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = input.split_first().ok_or(ENDS_TOO_SOON)?;
        *input = rest;
        len |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(len);
        }
    }
    Err(Corrupt::new("a length in a stored jsonb is too long"))
}

/// A number of items, each of which takes a byte at least.
fn take_count(input: &mut &[u8]) -> Result<usize, Corrupt> {
    let count = take_len(input)?;
    if count <= input.len() { Ok(count) } else { Err(ENDS_TOO_SOON) }
}

fn take_bytes<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Corrupt> {
    let (bytes, rest) = input.split_at_checked(len).ok_or(ENDS_TOO_SOON)?;
    *input = rest;
    Ok(bytes)
}

fn take_text(input: &mut &[u8]) -> Result<Arc<str>, Corrupt> {
    let len = take_len(input)?;
    let text = std::str::from_utf8(take_bytes(input, len)?);
    text.map(Arc::from).map_err(|_| Corrupt::new("a text in a stored jsonb is not UTF-8"))
}
