//! Length and precision coercion: fitting a value to its column's modifier.
//!
//! A cast that the user wrote (`explicit`) cuts text that is too long, as SQL demands; an assignment refuses
//! it (22001) unless only blanks are lost. Numbers and times are rounded either way.

use nqdb_sqlstate::{STRING_DATA_RIGHT_TRUNCATION, SqlError, SqlResult};

use crate::calendar::{MICROS_PER_HOUR, MICROS_PER_MINUTE};
use crate::{Array, Datum, Interval, TimeTz, Type, interval_typmod, oid};

/// Fits a value to its type's modifier.
///
/// Errors: 22001 for text too long for an assignment, 22003 for a numeric with too many digits.
pub fn apply_typmod(datum: Datum, ty: Type, explicit: bool) -> SqlResult<Datum> {
    if ty.typmod < 0 {
        return Ok(datum);
    }
    Ok(match datum {
        Datum::Text(text) if ty.oid == oid::VARCHAR => match cut_point(&text, ty, explicit)? {
            Some(len) => Datum::text(text.get(..len).unwrap_or(&text)),
            None => Datum::Text(text),
        },
        Datum::Text(text) if ty.oid == oid::BPCHAR => match cut_point(&text, ty, explicit)? {
            Some(len) => Datum::text(text.get(..len).unwrap_or(&text)),
            None => match pad(&text, ty) {
                Some(padded) => Datum::text(padded),
                None => Datum::Text(text),
            },
        },
        Datum::Numeric(number) => Datum::Numeric(number.apply_typmod(ty)?),
        Datum::Time(micros) if ty.oid == oid::TIME => Datum::Time(round_micros(micros, ty.typmod)),
        Datum::TimeTz(time) => Datum::TimeTz(TimeTz { micros: round_micros(time.micros, ty.typmod), ..time }),
        Datum::Bits(bits) if ty.oid == oid::BIT => Datum::bits(bits.fitted(ty.typmod as usize, explicit)?),
        Datum::Bits(bits) if ty.oid == oid::VARBIT => Datum::bits(bits.shortened(ty.typmod as usize, explicit)?),
        Datum::Timestamp(micros) if ty.oid == oid::TIMESTAMP => Datum::Timestamp(round_timestamp(micros, ty.typmod)),
        Datum::TimestampTz(micros) if ty.oid == oid::TIMESTAMPTZ => {
            Datum::TimestampTz(round_timestamp(micros, ty.typmod))
        }
        Datum::Interval(interval) => Datum::Interval(restrict_interval(interval, ty.typmod)),
        Datum::Array(array) => Datum::array(fit_elements(&array, ty.typmod, explicit)?),
        other => other,
    })
}

/// An array's modifier is its elements'.
fn fit_elements(array: &Array, typmod: i32, explicit: bool) -> SqlResult<Array> {
    let element_type = Type::with_typmod(array.element_type(), typmod);
    let elements = array.elements().iter().map(|element| apply_typmod(element.clone(), element_type, explicit));
    Array::new(array.element_type(), array.dimensions().to_vec(), elements.collect::<SqlResult<Vec<Datum>>>()?)
}

/// Where text that is too long has to be cut, in bytes; `None` when it is not too long.
fn cut_point(text: &str, ty: Type, explicit: bool) -> SqlResult<Option<usize>> {
    let Some(limit) = ty.character_limit() else { return Ok(None) };
    if text.len() <= limit {
        return Ok(None);
    }
    let Some((len, _)) = text.char_indices().nth(limit) else { return Ok(None) };
    let lost = text.get(len..).unwrap_or_default();
    if !explicit && !lost.chars().all(|c| c == ' ') {
        let message = format!("value too long for type {}", ty.name());
        return Err(SqlError::new(STRING_DATA_RIGHT_TRUNCATION, message));
    }
    Ok(Some(len))
}

/// The text with blanks up to its type's length; `None` when it has that length.
fn pad(text: &str, ty: Type) -> Option<String> {
    let missing = ty.character_limit()?.checked_sub(text.chars().count()).filter(|missing| *missing > 0)?;
    let mut padded = String::with_capacity(text.len() + missing);
    padded.push_str(text);
    padded.push_str(&" ".repeat(missing));
    Some(padded)
}

fn round_timestamp(micros: i64, digits: i32) -> i64 {
    if crate::calendar::is_timestamp_finite(micros) { round_micros(micros, digits) } else { micros }
}

/// Microseconds rounded to so many digits of a second, halves away from zero.
pub(crate) fn round_micros(micros: i64, digits: i32) -> i64 {
    let unit = match u32::try_from(digits) {
        Ok(digits @ 0..6) => 10i64.pow(6 - digits),
        _ => return micros,
    };
    let half = if micros < 0 { -(unit / 2) } else { unit / 2 };
    micros.saturating_add(half) / unit * unit
}

/// Cuts the fields that the modifier does not name, and rounds seconds to its precision.
pub(crate) fn restrict_interval(interval: Interval, typmod: i32) -> Interval {
    use interval_typmod::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
    let Interval { months, days, micros } = interval;
    let fields = interval_typmod::fields(typmod);
    let restricted = match fields {
        interval_typmod::FULL_RANGE => interval,
        YEAR => Interval::new(months / 12 * 12, 0, 0),
        _ if fields & !(YEAR | MONTH) == 0 => Interval::new(months, 0, 0),
        DAY => Interval::new(months, days, 0),
        _ if fields & SECOND != 0 => interval,
        _ if fields & MINUTE != 0 => Interval::new(months, days, micros / MICROS_PER_MINUTE * MICROS_PER_MINUTE),
        _ if fields & HOUR != 0 => Interval::new(months, days, micros / MICROS_PER_HOUR * MICROS_PER_HOUR),
        _ => interval,
    };
    match interval_typmod::precision(typmod) {
        Some(digits) => Interval { micros: round_micros(restricted.micros, digits), ..restricted },
        None => restricted,
    }
}
