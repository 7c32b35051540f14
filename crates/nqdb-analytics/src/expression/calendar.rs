//! The parts of dates and timestamps, and what `date_trunc` leaves of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int32Type, Int64Type};
use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, SqlError};
use nqdb_types::calendar::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, civil_from_days, day_of_week,
    days_from_civil, is_date_finite, is_timestamp_in_range,
};

use super::evaluate::Value;
use super::{DatePart, DateUnit};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;

/// `extract` from dates and timestamps: decimals of scale 0, or floats for `date_part`.
pub(super) fn date_part(part: DatePart, value: &Value, to: Shape) -> Outcome<Value> {
    let array = value.array();
    let result = if let Some(days) = array.as_primitive_opt::<Int32Type>() {
        if days.iter().flatten().any(|days| !is_date_finite(days)) {
            return Err(Failure::Declined("part of an infinite date"));
        }
        parts(days, |days| part_of(part, days.into(), 0), to)
    } else if let Some(timestamps) = array.as_primitive_opt::<Int64Type>() {
        if timestamps.iter().flatten().any(|micros| matches!(micros, i64::MIN | i64::MAX)) {
            return Err(Failure::Declined("part of an infinite timestamp"));
        }
        let of_timestamp =
            |micros: i64| part_of(part, micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        parts(timestamps, of_timestamp, to)
    } else {
        return Err(SqlError::internal("a date is not in its array").into());
    };
    Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
}

fn part_of(part: DatePart, days: i64, micros: i64) -> i64 {
    let date = || civil_from_days(days);
    match part {
        DatePart::Year => {
            // There is no year 0: PostgreSQL counts 1 BC as -1.
            let year = i64::from(date().year);
            if year <= 0 { year - 1 } else { year }
        }
        DatePart::Month => i64::from(date().month),
        DatePart::Day => i64::from(date().day),
        DatePart::Hour => micros / MICROS_PER_HOUR,
        DatePart::Minute => micros / MICROS_PER_MINUTE % 60,
        DatePart::Quarter => i64::from((date().month - 1) / 3 + 1),
        DatePart::DayOfYear => days - days_from_civil(date().year, 1, 1) + 1,
        DatePart::DayOfWeek => i64::from(day_of_week(days)),
        DatePart::IsoDayOfWeek => match i64::from(day_of_week(days)) {
            0 => 7,
            day => day,
        },
    }
}

fn parts<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>, part_of: impl Fn(T::Native) -> i64, to: Shape) -> ArrayRef {
    match to.data_type() {
        DataType::Float64 => {
            let parts: Float64Array = values.unary(|value| part_of(value) as f64);
            Arc::new(parts)
        }
        other => {
            let parts: Decimal128Array = values.unary(|value| i128::from(part_of(value)));
            Arc::new(parts.with_data_type(other))
        }
    }
}

/// `date_trunc` of timestamps without time zone; infinite ones stay what they are.
pub(super) fn date_trunc(unit: DateUnit, value: &Value) -> Outcome<Value> {
    let wrong = || SqlError::internal("a timestamp is not in its array");
    let timestamps = value.array().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
    let truncated: PrimitiveArray<Int64Type> = timestamps.unary(|micros| match micros {
        i64::MIN | i64::MAX => micros,
        micros => truncated(unit, micros),
    });
    let is_possible = |micros: i64| matches!(micros, i64::MIN | i64::MAX) || is_timestamp_in_range(micros);
    if !truncated.iter().flatten().all(is_possible) {
        return Err(SqlError::new(DATETIME_FIELD_OVERFLOW, "timestamp out of range").into());
    }
    let result: ArrayRef = Arc::new(truncated);
    Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
}

fn truncated(unit: DateUnit, micros: i64) -> i64 {
    let cut = |length: i64| micros - micros.rem_euclid(length);
    let days = micros.div_euclid(MICROS_PER_DAY);
    let first_of = |month: fn(i32) -> i32| {
        let date = civil_from_days(days);
        days_from_civil(date.year, month(date.month), 1) * MICROS_PER_DAY
    };
    match unit {
        DateUnit::Year => first_of(|_| 1),
        DateUnit::Quarter => first_of(|month| (month - 1) / 3 * 3 + 1),
        DateUnit::Month => first_of(|month| month),
        DateUnit::Week => (days - i64::from((day_of_week(days) + 6) % 7)) * MICROS_PER_DAY,
        DateUnit::Day => cut(MICROS_PER_DAY),
        DateUnit::Hour => cut(MICROS_PER_HOUR),
        DateUnit::Minute => cut(MICROS_PER_MINUTE),
        DateUnit::Second => cut(MICROS_PER_SECOND),
    }
}
