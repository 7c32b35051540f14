//! Keys of jsonb, in the order that `json` tells.
//!
//! ```text
//! whole   = rank as a whole u8 | value
//! value   = rank u8 | string: as texts | number: as numeric | boolean: 0 or 1
//!                   | array: count u32, value .. | object: count u32, (key as texts, value) ..
//! ```

use super::{Corrupt, Decoded, encode_bytes, numeric, take, take_bytes};
use crate::json::{Json, NESTING_MAX};

pub(super) fn encode(out: &mut Vec<u8>, json: &Json) {
    out.push(json.rank_as_whole());
    encode_within(out, json);
}

fn encode_within(out: &mut Vec<u8>, json: &Json) {
    out.push(json.rank());
    match json {
        Json::Null => {}
        Json::Bool(value) => out.push(u8::from(*value)),
        Json::String(text) => encode_bytes(out, text.as_bytes()),
        Json::Number(value) => numeric::encode(out, value),
        Json::Array(items) => {
            out.extend_from_slice(&(items.len() as u32).to_be_bytes());
            items.iter().for_each(|item| encode_within(out, item));
        }
        Json::Object(object) => {
            out.extend_from_slice(&(object.members().len() as u32).to_be_bytes());
            for (key, value) in object.members() {
                encode_bytes(out, key.as_bytes());
                encode_within(out, value);
            }
        }
    }
}

/// Takes a value off a key without reading it: scales of numbers are not in it.
pub(super) fn skip(input: &mut &[u8], inverted: bool) -> Result<Decoded, Corrupt> {
    take::<1>(input, inverted)?;
    skip_within(input, inverted, 0)?;
    Ok(Decoded::Inexact)
}

fn skip_within(input: &mut &[u8], inverted: bool, depth: usize) -> Result<(), Corrupt> {
    if depth > NESTING_MAX {
        return Err(Corrupt::new("a jsonb in a key nests too deep"));
    }
    match take::<1>(input, inverted)? {
        [1] => {}
        [2] => drop(take_bytes(input, inverted)?),
        [3] => numeric::skip(input, inverted)?,
        [4] => drop(take::<1>(input, inverted)?),
        [5] => {
            for _ in 0..u32::from_be_bytes(take(input, inverted)?) {
                skip_within(input, inverted, depth + 1)?;
            }
        }
        [6] => {
            for _ in 0..u32::from_be_bytes(take(input, inverted)?) {
                take_bytes(input, inverted)?;
                skip_within(input, inverted, depth + 1)?;
            }
        }
        _ => return Err(Corrupt::new("a jsonb in a key has an unknown rank")),
    }
    Ok(())
}
