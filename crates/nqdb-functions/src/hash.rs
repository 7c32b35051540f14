//! The hash functions of PostgreSQL's hash operator classes, with its values: what they give for a value decides in which
//! hash partition a row is, so they never change.
//!
//! What always holds: the plain function of a type gives the low half of what its extended function gives for the seed 0.
//! Bytes are hashed by Bob Jenkins' lookup3 (public domain, burtleburtle.net/bob/c/lookup3.c) as a little-endian machine does.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_FUNCTION};
use nqdb_types::calendar::MICROS_PER_DAY;
use nqdb_types::{Array, Datum, FormatContext, Interval, Json, Numeric, Record, Tid, TimeTz, Type, oid};

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &HASHINT2,
    &HASHINT2EXTENDED,
    &HASHINT4,
    &HASHINT4EXTENDED,
    &HASHINT8,
    &HASHINT8EXTENDED,
    &HASHFLOAT4,
    &HASHFLOAT4EXTENDED,
    &HASHFLOAT8,
    &HASHFLOAT8EXTENDED,
    &HASHOID,
    &HASHOIDEXTENDED,
    &HASHCHAR,
    &HASHCHAREXTENDED,
    &HASHNAME,
    &HASHNAMEEXTENDED,
    &HASHTEXT,
    &HASHTEXTEXTENDED,
    &HASHBPCHAR,
    &HASHBPCHAREXTENDED,
    &HASH_NUMERIC,
    &HASH_NUMERIC_EXTENDED,
    &UUID_HASH,
    &UUID_HASH_EXTENDED,
    &TIME_HASH,
    &TIME_HASH_EXTENDED,
    &TIMESTAMP_HASH,
    &TIMESTAMP_HASH_EXTENDED,
    &HASHTID,
    &HASHTIDEXTENDED,
    &TIMETZ_HASH,
    &TIMETZ_HASH_EXTENDED,
    &INTERVAL_HASH,
    &INTERVAL_HASH_EXTENDED,
    &JSONB_HASH,
    &JSONB_HASH_EXTENDED,
    &HASHENUM,
    &HASHENUMEXTENDED,
    &HASHOIDVECTOR,
    &HASHOIDVECTOREXTENDED,
    &PG_LSN_HASH,
    &PG_LSN_HASH_EXTENDED,
    &HASH_ARRAY,
    &HASH_ARRAY_EXTENDED,
    &HASH_RECORD,
    &HASH_RECORD_EXTENDED,
];

/// What the three words of the state begin with, beside the length.
const START: u32 = 0x9e37_79b9_u32.wrapping_add(3_923_095);

/// The state of lookup3.
struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    fn new(len: usize, seed: u64) -> State {
        let start = START.wrapping_add(len as u32);
        let mut state = State { a: start, b: start, c: start };
        if seed != 0 {
            state.a = state.a.wrapping_add((seed >> 32) as u32);
            state.b = state.b.wrapping_add(seed as u32);
            state.mix();
        }
        state
    }

    fn mix(&mut self) {
        let State { a, b, c } = self;
        *a = a.wrapping_sub(*c) ^ c.rotate_left(4);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(6);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(8);
        *b = b.wrapping_add(*a);
        *a = a.wrapping_sub(*c) ^ c.rotate_left(16);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(19);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(4);
        *b = b.wrapping_add(*a);
    }

    fn finish(mut self) -> u64 {
        let State { a, b, c } = &mut self;
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
        u64::from(self.b) << 32 | u64::from(self.c)
    }
}

/// Up to four bytes as a little-endian number.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// The hash of bytes.
fn bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut state = State::new(bytes.len(), seed);
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        let (a, rest) = chunk.split_at(4);
        let (b, c) = rest.split_at(4);
        state.a = state.a.wrapping_add(word(a));
        state.b = state.b.wrapping_add(word(b));
        state.c = state.c.wrapping_add(word(c));
        state.mix();
    }
    let rest = chunks.remainder();
    let (a, rest) = rest.split_at(rest.len().min(4));
    let (b, c) = rest.split_at(rest.len().min(4));
    state.a = state.a.wrapping_add(word(a));
    state.b = state.b.wrapping_add(word(b));
    // The lowest byte of the third word stands for the length.
    state.c = state.c.wrapping_add(word(c) << 8);
    state.finish()
}

/// The hash of a number of 32 bits.
fn integer(value: i32, seed: u64) -> u64 {
    let mut state = State::new(4, seed);
    state.a = state.a.wrapping_add(value.cast_unsigned());
    state.finish()
}

/// Equal numbers of 16, 32 and 64 bits have equal hashes.
fn long(value: i64, seed: u64) -> u64 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    integer((low ^ if value >= 0 { high } else { !high }).cast_signed(), seed)
}

/// Equal numbers of both widths have equal hashes, and so have both zeros and all kinds of NaN.
fn float(value: f64, seed: u64) -> u64 {
    match value {
        0.0 => seed,
        value if value.is_nan() => bytes(&f64::NAN.abs().to_le_bytes(), seed),
        value => bytes(&value.to_le_bytes(), seed),
    }
}

fn character(value: &str, seed: u64) -> u64 {
    let byte = value.bytes().next().unwrap_or(0);
    integer(byte.cast_signed().into(), seed)
}

/// Neither sign nor scale counts.
fn numeric(value: &Numeric, seed: u64) -> u64 {
    if !value.is_finite() {
        return seed;
    }
    if value.is_zero() {
        return seed.wrapping_sub(1);
    }
    // Number of digits, weight, sign and scale, then digits of four decimal places; without zeros at both ends.
    let mut wire = Vec::new();
    value.write_binary(&mut wire);
    let words = wire.chunks_exact(2).map(|pair| pair.try_into().map_or(0, i16::from_be_bytes));
    let mut weight = words.clone().nth(1).map_or(0, i64::from);
    let mut digits: Vec<i16> = words.skip(4).collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    weight -= leading as i64;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let digits: Vec<u8> = digits.into_iter().flat_map(i16::to_le_bytes).collect();
    bytes(&digits, seed) ^ weight.cast_unsigned()
}

/// Block and offset as they lie in memory: six bytes.
fn tid(value: Tid, seed: u64) -> u64 {
    let [b0, b1, b2, b3] = value.block.to_le_bytes();
    let [o0, o1] = value.offset.to_le_bytes();
    bytes(&[b2, b3, b0, b1, o0, o1], seed)
}

fn time_tz(value: TimeTz, seed: u64) -> u64 {
    long(value.micros, seed) ^ integer(value.seconds_west, seed)
}

/// Months count as 30 days, days as 24 hours; of the sum, the low 64 bits.
fn interval(value: Interval, seed: u64) -> u64 {
    let days = i128::from(value.months) * 30 + i128::from(value.days);
    let span = i128::from(value.micros) + days * i128::from(MICROS_PER_DAY);
    long(span as i64, seed)
}

fn json(value: &Json, seed: u64) -> u64 {
    const ARRAY: u64 = 0x4000_0000_4000_0000;
    match value {
        Json::Array(items) if items.is_empty() => seed,
        Json::Object(object) if object.members().is_empty() => seed,
        Json::Array(_) | Json::Object(_) => {
            let mut hash = 0;
            json_item(value, &mut hash, seed);
            hash
        }
        // A scalar is stored as an array of one item.
        scalar => {
            let mut hash = ARRAY;
            json_item(scalar, &mut hash, seed);
            hash
        }
    }
}

/// Takes a value, with all that is in it, into the hash of what surrounds it. Nesting is bounded by `Json`.
fn json_item(value: &Json, hash: &mut u64, seed: u64) {
    const ARRAY: u64 = 0x4000_0000_4000_0000;
    const OBJECT: u64 = 0x2000_0000_2000_0000;
    let scalar = match value {
        Json::Array(items) => {
            *hash ^= ARRAY;
            items.iter().for_each(|item| json_item(item, hash, seed));
            return;
        }
        Json::Object(object) => {
            *hash ^= OBJECT;
            for (key, item) in object.members() {
                rotate_in(hash, bytes(key.as_bytes(), seed));
                json_item(item, hash, seed);
            }
            return;
        }
        Json::Null => seed.wrapping_add(1),
        Json::Bool(value) if seed != 0 => integer((*value).into(), seed),
        Json::Bool(value) => {
            if *value {
                2
            } else {
                4
            }
        }
        Json::Number(value) => numeric(value, seed),
        Json::String(value) => bytes(value.as_bytes(), seed),
    };
    rotate_in(hash, scalar);
}

/// Both halves are rotated for themselves.
fn rotate_in(hash: &mut u64, item: u64) {
    let (high, low) = ((*hash >> 32) as u32, *hash as u32);
    *hash = (u64::from(high.rotate_left(1)) << 32 | u64::from(low.rotate_left(1))) ^ item;
}

/// PostgreSQL hashes the label's number, which is another one on every server.
fn enumeration(value: &Datum, seed: u64) -> u64 {
    match value {
        Datum::Enum(value) => long(value.order.cast_signed(), seed),
        _ => seed,
    }
}

fn oid_vector(value: &Array, seed: u64) -> u64 {
    let numbers = value.elements().iter().map(|element| match element {
        Datum::Oid(number) => *number,
        _ => 0,
    });
    let raw: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    bytes(&raw, seed)
}

/// The hash of a value by the default hash operator class of its type; NULL's is 0. 42883 for a type without one.
pub fn hash_value(value: &Datum, ty: Type, seed: u64, format: &FormatContext) -> SqlResult<u64> {
    Ok(match value {
        Datum::Null => 0,
        Datum::Bool(value) => integer((*value).into(), seed),
        Datum::Int2(value) => integer((*value).into(), seed),
        Datum::Int4(value) | Datum::Date(value) => integer(*value, seed),
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            long(*value, seed)
        }
        Datum::Oid(value) => integer(value.cast_signed(), seed),
        Datum::Float4(value) => float((*value).into(), seed),
        Datum::Float8(value) => float(*value, seed),
        Datum::Numeric(value) => numeric(value, seed),
        Datum::Text(_) if ty.oid == oid::JSON => return Err(no_hash_function(ty, seed, format)),
        Datum::Text(value) if ty.oid == oid::CHAR_INTERNAL => character(value, seed),
        Datum::Text(value) if ty.oid == oid::BPCHAR => bytes(value.trim_end_matches(' ').as_bytes(), seed),
        Datum::Text(value) => bytes(value.as_bytes(), seed),
        Datum::Bytea(value) => bytes(value, seed),
        Datum::Uuid(value) => bytes(value, seed),
        Datum::TimeTz(value) => time_tz(*value, seed),
        Datum::Tid(value) => tid(*value, seed),
        Datum::Interval(value) => interval(*value, seed),
        Datum::Jsonb(value) => json(value, seed),
        Datum::Enum(_) => enumeration(value, seed),
        Datum::Array(value) if ty.oid == oid::OIDVECTOR => oid_vector(value, seed),
        Datum::Array(value) => array(value, seed, format)?,
        Datum::Record(value) => record(value, seed, format)?,
        // As a number with a sign.
        Datum::Unsigned8(value) => long(value.cast_signed(), seed),
        Datum::Bits(_) | Datum::JsonPath(_) | Datum::Snapshot(_) => return Err(no_hash_function(ty, seed, format)),
    })
}

fn no_hash_function(ty: Type, seed: u64, format: &FormatContext) -> SqlError {
    let kind = if seed == 0 { "a hash" } else { "an extended hash" };
    SqlError::new(UNDEFINED_FUNCTION, format!("could not identify {kind} function for type {}", format.type_name(ty)))
}

fn array(value: &Array, seed: u64, format: &FormatContext) -> SqlResult<u64> {
    let ty = Type::new(value.element_type());
    if matches!(ty.oid, oid::JSON | oid::BIT | oid::VARBIT | oid::JSONPATH | oid::PG_SNAPSHOT) {
        return Err(no_hash_function(ty, seed, format));
    }
    value.elements().iter().try_fold(1_u64, |hash, element| Ok(add_in(hash, hash_value(element, ty, seed, format)?)))
}

fn record(value: &Record, seed: u64, format: &FormatContext) -> SqlResult<u64> {
    let mut fields = value.shape().fields.iter().zip(value.values());
    fields.try_fold(0_u64, |hash, (field, value)| Ok(add_in(hash, hash_value(value, field.ty, seed, format)?)))
}

fn add_in(hash: u64, item: u64) -> u64 {
    hash.wrapping_mul(31).wrapping_add(item)
}

fn low_half(hash: u64) -> i32 {
    (hash as u32).cast_signed()
}

#[sql_function("hashint2(int2) -> int4", oid = 449)]
fn hashint2(value: i16) -> i32 {
    low_half(integer(value.into(), 0))
}

#[sql_function("hashint2extended(int2, int8) -> int8", oid = 441)]
fn hashint2extended(value: i16, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    integer(value.into(), seed).cast_signed()
}

#[sql_function("hashint4(int4) -> int4", oid = 450)]
fn hashint4(value: i32) -> i32 {
    low_half(integer(value, 0))
}

#[sql_function("hashint4extended(int4, int8) -> int8", oid = 425)]
fn hashint4extended(value: i32, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    integer(value, seed).cast_signed()
}

#[sql_function("hashint8(int8) -> int4", oid = 949)]
fn hashint8(value: i64) -> i32 {
    low_half(long(value, 0))
}

#[sql_function("hashint8extended(int8, int8) -> int8", oid = 442)]
fn hashint8extended(value: i64, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    long(value, seed).cast_signed()
}

#[sql_function("hashfloat4(float4) -> int4", oid = 451)]
fn hashfloat4(value: f32) -> i32 {
    low_half(float(value.into(), 0))
}

#[sql_function("hashfloat4extended(float4, int8) -> int8", oid = 443)]
fn hashfloat4extended(value: f32, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    float(value.into(), seed).cast_signed()
}

#[sql_function("hashfloat8(float8) -> int4", oid = 452)]
fn hashfloat8(value: f64) -> i32 {
    low_half(float(value, 0))
}

#[sql_function("hashfloat8extended(float8, int8) -> int8", oid = 444)]
fn hashfloat8extended(value: f64, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    float(value, seed).cast_signed()
}

#[sql_function("hashoid(oid) -> int4", oid = 453)]
fn hashoid(value: u32) -> i32 {
    low_half(integer(value.cast_signed(), 0))
}

#[sql_function("hashoidextended(oid, int8) -> int8", oid = 445)]
fn hashoidextended(value: u32, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    integer(value.cast_signed(), seed).cast_signed()
}

#[sql_function("hashchar(char) -> int4", oid = 454)]
fn hashchar(value: &str) -> i32 {
    low_half(character(value, 0))
}

#[sql_function("hashcharextended(char, int8) -> int8", oid = 446)]
fn hashcharextended(value: &str, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    character(value, seed).cast_signed()
}

#[sql_function("hashname(name) -> int4", oid = 455)]
fn hashname(value: &str) -> i32 {
    low_half(bytes(value.as_bytes(), 0))
}

#[sql_function("hashnameextended(name, int8) -> int8", oid = 447)]
fn hashnameextended(value: &str, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    bytes(value.as_bytes(), seed).cast_signed()
}

#[sql_function("hashtext(text) -> int4", oid = 400)]
fn hashtext(value: &str) -> i32 {
    low_half(bytes(value.as_bytes(), 0))
}

#[sql_function("hashtextextended(text, int8) -> int8", oid = 448)]
fn hashtextextended(value: &str, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    bytes(value.as_bytes(), seed).cast_signed()
}

#[sql_function("hashbpchar(bpchar) -> int4", oid = 1080)]
fn hashbpchar(value: &str) -> i32 {
    low_half(bytes(value.trim_end_matches(' ').as_bytes(), 0))
}

#[sql_function("hashbpcharextended(bpchar, int8) -> int8", oid = 972)]
fn hashbpcharextended(value: &str, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    bytes(value.trim_end_matches(' ').as_bytes(), seed).cast_signed()
}

#[sql_function("hash_numeric(numeric) -> int4", oid = 432)]
fn hash_numeric(value: &Numeric) -> i32 {
    low_half(numeric(value, 0))
}

#[sql_function("hash_numeric_extended(numeric, int8) -> int8", oid = 780)]
fn hash_numeric_extended(value: &Numeric, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    numeric(value, seed).cast_signed()
}

#[sql_function("uuid_hash(uuid) -> int4", oid = 2963)]
fn uuid_hash(value: [u8; 16]) -> i32 {
    low_half(bytes(&value, 0))
}

#[sql_function("uuid_hash_extended(uuid, int8) -> int8", oid = 3412)]
fn uuid_hash_extended(value: [u8; 16], seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    bytes(&value, seed).cast_signed()
}

#[sql_function("time_hash(time) -> int4", oid = 1688)]
fn time_hash(value: i64) -> i32 {
    low_half(long(value, 0))
}

#[sql_function("time_hash_extended(time, int8) -> int8", oid = 3409)]
fn time_hash_extended(value: i64, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    long(value, seed).cast_signed()
}

#[sql_function("timestamp_hash(timestamp) -> int4", oid = 2039)]
fn timestamp_hash(value: i64) -> i32 {
    low_half(long(value, 0))
}

#[sql_function("timestamp_hash_extended(timestamp, int8) -> int8", oid = 3411)]
fn timestamp_hash_extended(value: i64, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    long(value, seed).cast_signed()
}

#[sql_function("timetz_hash(timetz) -> int4", oid = 1696)]
fn timetz_hash(value: TimeTz) -> i32 {
    low_half(time_tz(value, 0))
}

#[sql_function("timetz_hash_extended(timetz, int8) -> int8", oid = 3410)]
fn timetz_hash_extended(value: TimeTz, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    time_tz(value, seed).cast_signed()
}

#[sql_function("hashtid(tid) -> int4", oid = 2233)]
fn hashtid(value: Tid) -> i32 {
    low_half(tid(value, 0))
}

#[sql_function("hashtidextended(tid, int8) -> int8", oid = 2234)]
fn hashtidextended(value: Tid, seed: i64) -> i64 {
    tid(value, seed.cast_unsigned()).cast_signed()
}

#[sql_function("interval_hash(interval) -> int4", oid = 1697)]
fn interval_hash(value: Interval) -> i32 {
    low_half(interval(value, 0))
}

#[sql_function("interval_hash_extended(interval, int8) -> int8", oid = 3418)]
fn interval_hash_extended(value: Interval, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    interval(value, seed).cast_signed()
}

#[sql_function("jsonb_hash(jsonb) -> int4", oid = 4045)]
fn jsonb_hash(value: &Json) -> i32 {
    low_half(json(value, 0))
}

#[sql_function("jsonb_hash_extended(jsonb, int8) -> int8", oid = 3416)]
fn jsonb_hash_extended(value: &Json, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    json(value, seed).cast_signed()
}

#[sql_function("hashenum(anyenum) -> int4", oid = 3515)]
fn hashenum(value: &Datum) -> i32 {
    low_half(enumeration(value, 0))
}

#[sql_function("hashenumextended(anyenum, int8) -> int8", oid = 3414)]
fn hashenumextended(value: &Datum, seed: i64) -> i64 {
    enumeration(value, seed.cast_unsigned()).cast_signed()
}

#[sql_function("hashoidvector(oidvector) -> int4", oid = 457)]
fn hashoidvector(value: &Array) -> i32 {
    low_half(oid_vector(value, 0))
}

#[sql_function("hashoidvectorextended(oidvector, int8) -> int8", oid = 776)]
fn hashoidvectorextended(value: &Array, seed: i64) -> i64 {
    let seed = seed.cast_unsigned();
    oid_vector(value, seed).cast_signed()
}

#[sql_function("pg_lsn_hash(pg_lsn) -> int4", oid = 3252)]
fn pg_lsn_hash(value: u64) -> i32 {
    low_half(long(value.cast_signed(), 0))
}

#[sql_function("pg_lsn_hash_extended(pg_lsn, int8) -> int8", oid = 3413)]
fn pg_lsn_hash_extended(value: u64, seed: i64) -> i64 {
    long(value.cast_signed(), seed.cast_unsigned()).cast_signed()
}

#[sql_function("hash_array(anyarray) -> int4", oid = 626)]
fn hash_array(context: &mut FunctionContext<'_>, value: &Array) -> SqlResult<i32> {
    array(value, 0, context.format).map(low_half)
}

#[sql_function("hash_array_extended(anyarray, int8) -> int8", oid = 782)]
fn hash_array_extended(context: &mut FunctionContext<'_>, value: &Array, seed: i64) -> SqlResult<i64> {
    array(value, seed.cast_unsigned(), context.format).map(u64::cast_signed)
}

#[sql_function("hash_record(record) -> int4", oid = 6192)]
fn hash_record(context: &mut FunctionContext<'_>, value: &Record) -> SqlResult<i32> {
    record(value, 0, context.format).map(low_half)
}

#[sql_function("hash_record_extended(record, int8) -> int8", oid = 6193)]
fn hash_record_extended(context: &mut FunctionContext<'_>, value: &Record, seed: i64) -> SqlResult<i64> {
    record(value, seed.cast_unsigned(), context.format).map(u64::cast_signed)
}
