//! OVERLAPS: whether two spans of time have a moment in common (manual 9.9).
//!
//! A span is a start and an end, in any order, or a start and a length. It holds its start and not its end, unless both
//! are one moment. NULL is the answer only where a missing end would decide.

use std::cmp::Ordering;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Interval};

use super::arithmetic::add_interval;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &TIMESTAMPS,
    &TIMESTAMP_LENGTHS,
    &TIMESTAMP_SECOND_LENGTH,
    &TIMESTAMP_FIRST_LENGTH,
    &ZONED,
    &ZONED_LENGTHS,
    &ZONED_SECOND_LENGTH,
    &ZONED_FIRST_LENGTH,
    &OFFSET_TIMES,
    &TIMES,
    &TIME_LENGTHS,
    &TIME_SECOND_LENGTH,
    &TIME_FIRST_LENGTH,
];

#[sql_function("overlaps(timestamp, timestamp, timestamp, timestamp) -> bool", oid = 2041, called_on_null)]
fn timestamps(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamp, interval, timestamp, interval) -> bool", oid = 2042, called_on_null)]
fn timestamp_lengths(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamp, timestamp, timestamp, interval) -> bool", oid = 2043, called_on_null)]
fn timestamp_second_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamp, interval, timestamp, timestamp) -> bool", oid = 2044, called_on_null)]
fn timestamp_first_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamptz, timestamptz, timestamptz, timestamptz) -> bool", oid = 1304, called_on_null)]
fn zoned(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamptz, interval, timestamptz, interval) -> bool", oid = 1305, stable, called_on_null)]
fn zoned_lengths(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamptz, timestamptz, timestamptz, interval) -> bool", oid = 1306, stable, called_on_null)]
fn zoned_second_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timestamptz, interval, timestamptz, timestamptz) -> bool", oid = 1307, stable, called_on_null)]
fn zoned_first_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(timetz, timetz, timetz, timetz) -> bool", oid = 1271, called_on_null)]
fn offset_times(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(time, time, time, time) -> bool", oid = 1308, called_on_null)]
fn times(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(time, interval, time, interval) -> bool", oid = 1309, called_on_null)]
fn time_lengths(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(time, time, time, interval) -> bool", oid = 1310, called_on_null)]
fn time_second_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

#[sql_function("overlaps(time, interval, time, time) -> bool", oid = 1311, called_on_null)]
fn time_first_length(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    overlaps(context, args)
}

/// Two spans of one type, each with an end or a length.
fn overlaps(context: &FunctionContext<'_>, args: &[Datum]) -> SqlResult<Option<bool>> {
    let [first_start, first_end, second_start, second_end] = args else { return Ok(None) };
    let (Some(first), Some(second)) =
        (Span::new(context, first_start, first_end)?, Span::new(context, second_start, second_end)?)
    else {
        return Ok(None);
    };
    // The later span begins within the other one, or does not.
    let (earlier, later) = match first.start.compare(&second.start) {
        Ordering::Equal => return Ok((first.end.is_some() && second.end.is_some()).then_some(true)),
        Ordering::Less => (first, second),
        Ordering::Greater => (second, first),
    };
    Ok(match earlier.end {
        None => None,
        Some(end) if later.start.compare(&end).is_lt() => Some(true),
        Some(_) => later.end.is_some().then_some(false),
    })
}

struct Span {
    start: Datum,
    end: Option<Datum>,
}

impl Span {
    /// None when neither end is known; where one is, it is the start.
    fn new(context: &FunctionContext<'_>, start: &Datum, end: &Datum) -> SqlResult<Option<Span>> {
        let end = match end {
            Datum::Interval(length) => after(context, start, length)?,
            end => end.clone(),
        };
        Ok(match (start.is_null(), end.is_null()) {
            (true, true) => None,
            (true, false) => Some(Span { start: end, end: None }),
            (false, true) => Some(Span { start: start.clone(), end: None }),
            (false, false) if start.compare(&end).is_gt() => Some(Span { start: end, end: Some(start.clone()) }),
            (false, false) => Some(Span { start: start.clone(), end: Some(end) }),
        })
    }
}

fn after(context: &FunctionContext<'_>, start: &Datum, length: &Interval) -> SqlResult<Datum> {
    Ok(match start {
        Datum::Timestamp(start) => Datum::Timestamp(add_interval(*start, length, None)?),
        Datum::TimestampTz(start) => Datum::TimestampTz(add_interval(*start, length, Some(&context.format.time_zone))?),
        Datum::Time(start) => Datum::Time(super::arithmetic::time_plus_interval(*start, *length)),
        _ => Datum::Null,
    })
}
