//! Which rows lie within an offset of another: `RANGE BETWEEN '1 month' PRECEDING AND ...`, PostgreSQL's `in_range`
//! support functions of its btree operator families (manual 38.16.3).
//!
//! What always holds: a sum that its type cannot hold is taken for one beyond every value, so no frame fails by
//! overflow; dates and timestamps alone overflow as their operators do.

use std::cmp::Ordering;

use nqdb_sqlstate::{INVALID_PRECEDING_OR_FOLLOWING_SIZE, SqlError, SqlResult};
use nqdb_types::{Datum, Interval, Oid, oid};

use crate::FunctionContext;
use crate::datetime::{add_interval, date_to_timestamp};

/// Whether `value` is at most (`less`) or at least `base + offset`, or `base - offset` with `subtract`.
pub type InRange = fn(
    &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool>;

/// The offset types that an ordering column of a type has, each with its function; none when RANGE takes no offset.
pub fn in_range_support(column: Oid) -> &'static [(Oid, InRange)] {
    match column {
        oid::INT2 => &[(oid::INT8, integers), (oid::INT4, integers), (oid::INT2, integers)],
        oid::INT4 => &[(oid::INT8, integers), (oid::INT4, integers), (oid::INT2, integers)],
        oid::INT8 => &[(oid::INT8, integers)],
        oid::FLOAT4 | oid::FLOAT8 => &[(oid::FLOAT8, floats)],
        oid::NUMERIC => &[(oid::NUMERIC, numerics)],
        oid::DATE => &[(oid::INTERVAL, dates)],
        oid::TIMESTAMP => &[(oid::INTERVAL, timestamps)],
        oid::TIMESTAMPTZ => &[(oid::INTERVAL, zoned_timestamps)],
        oid::INTERVAL => &[(oid::INTERVAL, intervals)],
        oid::TIME => &[(oid::INTERVAL, times)],
        oid::TIMETZ => &[(oid::INTERVAL, offset_times)],
        _ => &[],
    }
}

fn invalid_size() -> SqlError {
    SqlError::new(INVALID_PRECEDING_OR_FOLLOWING_SIZE, "invalid preceding or following size in window function")
}

fn wrong_type() -> SqlError {
    SqlError::internal("a window frame's offset has another type than its column")
}

/// How `value` stands to the bound, as an answer.
fn answer(value_to_bound: Ordering, less: bool) -> bool {
    if less { value_to_bound.is_le() } else { value_to_bound.is_ge() }
}

fn integers(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let integer = |datum: &Datum| datum.as_integer().map(i128::from).ok_or_else(wrong_type);
    let (value, base, offset) = (integer(value)?, integer(base)?, integer(offset)?);
    if offset < 0 {
        return Err(invalid_size());
    }
    let bound = if subtract { base - offset } else { base + offset };
    Ok(answer(value.cmp(&bound), less))
}

fn floats(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let float = |datum: &Datum| datum.as_float().ok_or_else(wrong_type);
    let (value, base, offset) = (float(value)?, float(base)?, float(offset)?);
    if offset.is_nan() || offset < 0.0 {
        return Err(invalid_size());
    }
    // NaN sorts after everything and equals itself.
    match (value.is_nan(), base.is_nan()) {
        (true, true) => return Ok(true),
        (true, false) => return Ok(!less),
        (false, true) => return Ok(less),
        (false, false) => {}
    }
    // An infinite base with an infinite offset of the other direction: all of it is in the frame.
    if offset.is_infinite() && base.is_infinite() && (if subtract { base > 0.0 } else { base < 0.0 }) {
        return Ok(true);
    }
    let bound = if subtract { base - offset } else { base + offset };
    Ok(if less { value <= bound } else { value >= bound })
}

fn numerics(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::Numeric(value), Datum::Numeric(base), Datum::Numeric(offset)) = (value, base, offset) else {
        return Err(wrong_type());
    };
    if offset.is_nan() || offset.signum() < 0 {
        return Err(invalid_size());
    }
    match (value.is_nan(), base.is_nan()) {
        (true, true) => return Ok(true),
        (true, false) => return Ok(!less),
        (false, true) => return Ok(less),
        (false, false) => {}
    }
    let bound = if subtract { base.sub(offset) } else { base.add(offset) }?;
    if bound.is_nan() {
        // Infinity less infinity: the bound is nowhere, and all of it is in the frame.
        return Ok(true);
    }
    Ok(answer(value.cmp(&bound), less))
}

fn offset_of(datum: &Datum) -> SqlResult<Interval> {
    let Datum::Interval(offset) = datum else { return Err(wrong_type()) };
    if *offset < Interval::ZERO { Err(invalid_size()) } else { Ok(*offset) }
}

fn signed(offset: Interval, subtract: bool) -> SqlResult<Interval> {
    if subtract { offset.checked_neg() } else { Ok(offset) }
}

fn dates(
    context: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::Date(value), Datum::Date(base)) = (value, base) else { return Err(wrong_type()) };
    let value = Datum::Timestamp(date_to_timestamp(*value)?);
    let base = Datum::Timestamp(date_to_timestamp(*base)?);
    timestamps(context, &value, &base, offset, subtract, less)
}

fn timestamps(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::Timestamp(value), Datum::Timestamp(base)) = (value, base) else { return Err(wrong_type()) };
    let offset = signed(offset_of(offset)?, subtract)?;
    Ok(answer(value.cmp(&add_interval(*base, &offset, None)?), less))
}

fn zoned_timestamps(
    context: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::TimestampTz(value), Datum::TimestampTz(base)) = (value, base) else { return Err(wrong_type()) };
    let offset = signed(offset_of(offset)?, subtract)?;
    let bound = add_interval(*base, &offset, Some(&context.format.time_zone))?;
    Ok(answer(value.cmp(&bound), less))
}

fn intervals(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::Interval(value), Datum::Interval(base)) = (value, base) else { return Err(wrong_type()) };
    let offset = offset_of(offset)?;
    let bound = if subtract { base.checked_sub(&offset) } else { base.checked_add(&offset) }?;
    Ok(answer(value.cmp(&bound), less))
}

/// Only the offset's time counts, and the clock does not go round.
fn times(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::Time(value), Datum::Time(base), Datum::Interval(offset)) = (value, base, offset) else {
        return Err(wrong_type());
    };
    if offset.micros < 0 {
        return Err(invalid_size());
    }
    let bound = i128::from(*base) + if subtract { -i128::from(offset.micros) } else { i128::from(offset.micros) };
    Ok(answer(i128::from(*value).cmp(&bound), less))
}

/// As [`times`]; times of one moment are told apart by their offsets.
fn offset_times(
    _: &FunctionContext<'_>,
    value: &Datum,
    base: &Datum,
    offset: &Datum,
    subtract: bool,
    less: bool,
) -> SqlResult<bool> {
    let (Datum::TimeTz(value), Datum::TimeTz(base), Datum::Interval(offset)) = (value, base, offset) else {
        return Err(wrong_type());
    };
    if offset.micros < 0 {
        return Err(invalid_size());
    }
    let distance = if subtract { -i128::from(offset.micros) } else { i128::from(offset.micros) };
    let bound = i128::from(base.utc_micros()) + distance;
    let order = i128::from(value.utc_micros()).cmp(&bound).then(value.seconds_west.cmp(&base.seconds_west));
    Ok(answer(order, less))
}
