//! Functions and operators of bit strings (manual 9.6), and the bits of bytea.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{
    INVALID_PARAMETER_VALUE, NUMERIC_VALUE_OUT_OF_RANGE, STRING_DATA_LENGTH_MISMATCH, SUBSTRING_ERROR, SqlError,
    SqlResult,
};
use nqdb_types::Bits;
use nqdb_types::bits::index_out_of_range;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &OF_INT4,
    &OF_INT8,
    &TO_INT4,
    &TO_INT8,
    &FITTED,
    &SHORTENED,
    &LENGTH,
    &OCTETS,
    &AND,
    &OR,
    &XOR,
    &NOT,
    &SHIFT_LEFT,
    &SHIFT_RIGHT,
    &CONCATENATE,
    &SUBSTRING,
    &SUBSTRING_FOR,
    &OVERLAY,
    &OVERLAY_FOR,
    &POSITION,
    &GET_BIT,
    &SET_BIT,
    &COUNT,
    &COUNT_OF_BYTES,
    &GET_BIT_OF_BYTES,
    &SET_BIT_OF_BYTES,
    &COMPARE,
    &COMPARE_VARYING,
];

/// So many of the lowest bits of an integer, its sign to the left of them.
fn of_integer(value: i64, len: i32) -> Bits {
    let len = usize::try_from(len).unwrap_or(0).max(1);
    let mut bits = Bits::zeros(len);
    for at in 0..len {
        let place = len - 1 - at;
        bits.set(at, value >> place.min(63) & 1 == 1);
    }
    bits
}

#[sql_function("bit(int4, int4) -> bit", oid = 1683)]
fn of_int4(value: i32, len: i32) -> Bits {
    of_integer(value.into(), len)
}

#[sql_function("bit(int8, int4) -> bit", oid = 2075)]
fn of_int8(value: i64, len: i32) -> Bits {
    of_integer(value, len)
}

fn to_integer(bits: &Bits, len_max: usize, type_name: &str) -> SqlResult<u64> {
    if bits.len() > len_max {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range")));
    }
    Ok((0..bits.len()).fold(0, |value, at| value << 1 | u64::from(bits.get(at))))
}

#[sql_function("int4(bit) -> int4", oid = 1684)]
fn to_int4(bits: &Bits) -> SqlResult<i32> {
    Ok((to_integer(bits, 32, "integer")? as u32).cast_signed())
}

#[sql_function("int8(bit) -> int8", oid = 2076)]
fn to_int8(bits: &Bits) -> SqlResult<i64> {
    Ok(to_integer(bits, 64, "bigint")?.cast_signed())
}

/// What fits bits to `bit(n)`.
#[sql_function("bit(bit, int4, bool) -> bit", oid = 1685)]
fn fitted(bits: &Bits, len: i32, explicit: bool) -> SqlResult<Bits> {
    match usize::try_from(len) {
        Ok(len) if len > 0 => bits.fitted(len, explicit),
        _ => Ok(bits.clone()),
    }
}

/// What fits bits to `bit varying(n)`.
#[sql_function("varbit(varbit, int4, bool) -> varbit", oid = 1687)]
fn shortened(bits: &Bits, len: i32, explicit: bool) -> SqlResult<Bits> {
    match usize::try_from(len) {
        Ok(len) if len > 0 => bits.shortened(len, explicit),
        _ => Ok(bits.clone()),
    }
}

#[sql_function("length(bit) -> int4", oid = 1681, alias("bit_length", oid = 1812))]
fn length(bits: &Bits) -> i32 {
    bits.len() as i32
}

#[sql_function("octet_length(bit) -> int4", oid = 1682)]
fn octets(bits: &Bits) -> i32 {
    bits.bytes().len() as i32
}

/// Two strings of one length, bit by bit; 22026 for two lengths.
fn combined(a: &Bits, b: &Bits, verb: &str, combine: fn(u8, u8) -> u8) -> SqlResult<Bits> {
    if a.len() != b.len() {
        let message = format!("cannot {verb} bit strings of different sizes");
        return Err(SqlError::new(STRING_DATA_LENGTH_MISMATCH, message));
    }
    Ok(a.combined(b, combine))
}

#[sql_function("bitand(bit, bit) -> bit", oid = 1673)]
fn and(a: &Bits, b: &Bits) -> SqlResult<Bits> {
    combined(a, b, "AND", |a, b| a & b)
}

#[sql_function("bitor(bit, bit) -> bit", oid = 1674)]
fn or(a: &Bits, b: &Bits) -> SqlResult<Bits> {
    combined(a, b, "OR", |a, b| a | b)
}

#[sql_function("bitxor(bit, bit) -> bit", oid = 1675)]
fn xor(a: &Bits, b: &Bits) -> SqlResult<Bits> {
    combined(a, b, "XOR", |a, b| a ^ b)
}

#[sql_function("bitnot(bit) -> bit", oid = 1676)]
fn not(bits: &Bits) -> Bits {
    bits.inverted()
}

#[sql_function("bitshiftleft(bit, int4) -> bit", oid = 1677)]
fn shift_left(bits: &Bits, places: i32) -> Bits {
    bits.shifted(-i64::from(places))
}

#[sql_function("bitshiftright(bit, int4) -> bit", oid = 1678)]
fn shift_right(bits: &Bits, places: i32) -> Bits {
    bits.shifted(places.into())
}

#[sql_function("bitcat(varbit, varbit) -> varbit", oid = 1679)]
fn concatenate(a: &Bits, b: &Bits) -> SqlResult<Bits> {
    a.concatenated(b)
}

/// The bits from a place counted from 1, which may lie before the first one.
fn part(bits: &Bits, start: i32, len: Option<i32>) -> SqlResult<Bits> {
    let from = i64::from(start) - 1;
    let end = match len {
        None => i64::MAX,
        Some(len) if len < 0 => {
            return Err(SqlError::new(SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(len) => from + i64::from(len),
    };
    let from = usize::try_from(from).unwrap_or(0);
    let end = usize::try_from(end).unwrap_or(0);
    Ok(bits.slice(from, end.saturating_sub(from)))
}

#[sql_function("substring(bit, int4) -> bit", oid = 1699)]
fn substring(bits: &Bits, start: i32) -> SqlResult<Bits> {
    part(bits, start, None)
}

#[sql_function("substring(bit, int4, int4) -> bit", oid = 1680)]
fn substring_for(bits: &Bits, start: i32, len: i32) -> SqlResult<Bits> {
    part(bits, start, Some(len))
}

#[sql_function("overlay(bit, bit, int4) -> bit", oid = 3031)]
fn overlay(bits: &Bits, replacement: &Bits, start: i32) -> SqlResult<Bits> {
    overlay_for(bits, replacement, start, replacement.len() as i32)
}

#[sql_function("overlay(bit, bit, int4, int4) -> bit", oid = 3030)]
fn overlay_for(bits: &Bits, replacement: &Bits, start: i32, len: i32) -> SqlResult<Bits> {
    if start <= 0 {
        return Err(SqlError::new(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let behind = start.checked_add(len).ok_or_else(|| crate::arithmetic::out_of_range("integer"))?;
    part(bits, 1, Some(start - 1))?.concatenated(replacement)?.concatenated(&part(bits, behind, None)?)
}

/// The place of the first occurrence, counted from 1; 0 if there is none.
#[sql_function("position(bit, bit) -> int4", oid = 1698)]
fn position(bits: &Bits, searched: &Bits) -> i32 {
    if bits.is_empty() || searched.len() > bits.len() {
        return 0;
    }
    let is_at = |start: usize| (0..searched.len()).all(|at| bits.get(start + at) == searched.get(at));
    (0..=bits.len() - searched.len()).find(|start| is_at(*start)).map_or(0, |start| start as i32 + 1)
}

/// A place counted from 0 within so many bits; 2202E elsewhere.
fn place(index: i64, len: usize) -> SqlResult<usize> {
    usize::try_from(index).ok().filter(|at| *at < len).ok_or_else(|| index_out_of_range(index, len))
}

fn new_bit(value: i32) -> SqlResult<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
    }
}

#[sql_function("get_bit(bit, int4) -> int4", oid = 3032)]
fn get_bit(bits: &Bits, index: i32) -> SqlResult<i32> {
    Ok(bits.get(place(index.into(), bits.len())?).into())
}

#[sql_function("set_bit(bit, int4, int4) -> bit", oid = 3033)]
fn set_bit(bits: &Bits, index: i32, value: i32) -> SqlResult<Bits> {
    let at = place(index.into(), bits.len())?;
    let mut changed = bits.clone();
    changed.set(at, new_bit(value)?);
    Ok(changed)
}

#[sql_function("bit_count(bit) -> int8", oid = 6162)]
fn count(bits: &Bits) -> i64 {
    bits.count_ones()
}

#[sql_function("bit_count(bytea) -> int8", oid = 6163)]
fn count_of_bytes(bytes: &[u8]) -> i64 {
    bytes.iter().map(|byte| i64::from(byte.count_ones())).sum()
}

/// The bits of bytea are counted from the lowest one of the first byte.
#[sql_function("get_bit(bytea, int8) -> int4", oid = 723)]
fn get_bit_of_bytes(bytes: &[u8], index: i64) -> SqlResult<i32> {
    let at = byte_place(index, bytes.len())?;
    Ok(bytes.get(at / 8).map_or(0, |byte| i32::from(byte >> (at % 8) & 1)))
}

#[sql_function("set_bit(bytea, int8, int4) -> bytea", oid = 724)]
fn set_bit_of_bytes(bytes: &[u8], index: i64, value: i32) -> SqlResult<Vec<u8>> {
    let at = byte_place(index, bytes.len())?;
    let value = new_bit(value)?;
    let mut changed = bytes.to_vec();
    if let Some(byte) = changed.get_mut(at / 8) {
        *byte = if value { *byte | 1 << (at % 8) } else { *byte & !(1 << (at % 8)) };
    }
    Ok(changed)
}

fn byte_place(index: i64, len: usize) -> SqlResult<usize> {
    usize::try_from(index).ok().filter(|at| *at / 8 < len).ok_or_else(|| {
        let message = format!("index {index} out of valid range, 0..{}", len as i64 * 8 - 1);
        SqlError::new(nqdb_sqlstate::ARRAY_SUBSCRIPT_ERROR, message)
    })
}

#[sql_function("bitcmp(bit, bit) -> int4", oid = 1596)]
fn compare(a: &Bits, b: &Bits) -> i32 {
    order(a, b)
}

#[sql_function("varbitcmp(varbit, varbit) -> int4", oid = 1672)]
fn compare_varying(a: &Bits, b: &Bits) -> i32 {
    order(a, b)
}

/// The difference of the first bytes that differ, or that of the lengths as -1, 0 or 1.
fn order(a: &Bits, b: &Bits) -> i32 {
    let differing = a.bytes().iter().zip(b.bytes()).find(|(a, b)| a != b);
    differing.map_or_else(|| a.compare(b) as i32, |(a, b)| i32::from(*a) - i32::from(*b))
}
