//! `generate_series`: numbers or timestamps from a start to an end, both included.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Datum, Interval, Numeric, TimeZone};

use crate::datetime::add_interval;
use crate::{Function, FunctionContext, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&INT4, &INT4_STEP, &INT8, &INT8_STEP, &NUMERIC, &NUMERIC_STEP, &TIMESTAMP, &TIMESTAMPTZ];

fn fail<T>(message: &str) -> SqlResult<T> {
    Err(SqlError::new(INVALID_PARAMETER_VALUE, message))
}

/// Ends before the type's range does.
fn integers(start: i64, end: i64, step: i64, datum: impl Fn(i64) -> Datum + Send + 'static) -> SqlResult<Rows> {
    if step == 0 {
        return fail("step size cannot equal zero");
    }
    let within = move |value: &i64| if step > 0 { *value <= end } else { *value >= end };
    let values = std::iter::successors(Some(start).filter(within), move |value| value.checked_add(step).filter(within));
    Ok(Box::new(values.map(move |value| Ok(datum(value)))))
}

#[sql_function("generate_series(int4, int4) -> setof int4", oid = 1067)]
fn int4(start: i32, end: i32) -> SqlResult<Rows> {
    int4_step(start, end, 1)
}

#[sql_function("generate_series(int4, int4, int4) -> setof int4", oid = 1066)]
fn int4_step(start: i32, end: i32, step: i32) -> SqlResult<Rows> {
    integers(start.into(), end.into(), step.into(), |value| Datum::Int4(value as i32))
}

#[sql_function("generate_series(int8, int8) -> setof int8", oid = 1069)]
fn int8(start: i64, end: i64) -> SqlResult<Rows> {
    int8_step(start, end, 1)
}

#[sql_function("generate_series(int8, int8, int8) -> setof int8", oid = 1068)]
fn int8_step(start: i64, end: i64, step: i64) -> SqlResult<Rows> {
    integers(start, end, step, Datum::Int8)
}

/// Yields `first`, then what `next` makes of the last value, as long as `within` holds.
fn series<T: Clone + Send + 'static>(
    first: T,
    within: impl Fn(&T) -> bool + Send + 'static,
    next: impl Fn(&T) -> SqlResult<T> + Send + 'static,
    datum: impl Fn(T) -> Datum + Send + 'static,
) -> Rows {
    let mut upcoming = Some(Ok(first));
    Box::new(std::iter::from_fn(move || match upcoming.take()? {
        Ok(value) if within(&value) => {
            upcoming = Some(next(&value));
            Some(Ok(datum(value)))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

#[sql_function("generate_series(numeric, numeric) -> setof numeric", oid = 3260)]
fn numeric(start: &Numeric, end: &Numeric) -> SqlResult<Rows> {
    numeric_step(start, end, &Numeric::ONE)
}

#[sql_function("generate_series(numeric, numeric, numeric) -> setof numeric", oid = 3259)]
fn numeric_step(start: &Numeric, end: &Numeric, step: &Numeric) -> SqlResult<Rows> {
    for (value, name) in [(start, "start value"), (end, "stop value"), (step, "step size")] {
        if value.is_nan() {
            return fail(&format!("{name} cannot be NaN"));
        }
        if value.is_infinite() {
            return fail(&format!("{name} cannot be infinity"));
        }
    }
    if step.is_zero() {
        return fail("step size cannot equal zero");
    }
    let (end, step) = (end.clone(), step.clone());
    let ascending = !step.is_negative();
    let within = move |value: &Numeric| if ascending { *value <= end } else { *value >= end };
    Ok(series(start.clone(), within, move |value| value.add(&step), Datum::Numeric))
}

fn timestamps(
    start: i64,
    end: i64,
    step: Interval,
    zone: Option<TimeZone>,
    datum: fn(i64) -> Datum,
) -> SqlResult<Rows> {
    if step == Interval::ZERO {
        return fail("step size cannot equal zero");
    }
    let ascending = step > Interval::ZERO;
    let within = move |value: &i64| if ascending { *value <= end } else { *value >= end };
    Ok(series(start, within, move |value| add_interval(*value, &step, zone.as_ref()), datum))
}

#[sql_function("generate_series(timestamp, timestamp, interval) -> setof timestamp", oid = 938)]
fn timestamp(start: i64, end: i64, step: Interval) -> SqlResult<Rows> {
    timestamps(start, end, step, None, Datum::Timestamp)
}

#[sql_function("generate_series(timestamptz, timestamptz, interval) -> setof timestamptz", oid = 939, stable)]
fn timestamptz(context: &mut FunctionContext<'_>, start: i64, end: i64, step: Interval) -> SqlResult<Rows> {
    timestamps(start, end, step, Some(context.format.time_zone.clone()), Datum::TimestampTz)
}
