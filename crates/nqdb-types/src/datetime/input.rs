//! From understood fields to values, with the range checks of each type.

use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, SqlError, SqlResult};

use super::decode::{self, Fields, Meaning, Zone};
use crate::calendar::{
    self, DATE_INFINITY, DATE_NEGATIVE_INFINITY, MICROS_PER_SECOND, TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY,
    UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS,
};
use crate::{FormatContext, TimeTz};

/// Reads a date: days since 2000-01-01.
pub(crate) fn parse_date(text: &str, cx: &FormatContext) -> SqlResult<i32> {
    let fields = decode::decode_timestamp(text, cx).map_err(|refusal| refusal.into_error(text, "date"))?;
    match fields.meaning {
        Meaning::Epoch => Ok(UNIX_EPOCH_DAYS),
        Meaning::Infinity => Ok(DATE_INFINITY),
        Meaning::NegativeInfinity => Ok(DATE_NEGATIVE_INFINITY),
        Meaning::Fields => {
            calendar::date_from_civil(fields.year, fields.month, fields.day).ok_or_else(|| out_of_range("date", text))
        }
    }
}

/// Reads a time of day: µs since midnight.
pub(crate) fn parse_time(text: &str, cx: &FormatContext) -> SqlResult<i64> {
    let fields = decode::decode_time(text, cx).map_err(|refusal| refusal.into_error(text, "time"))?;
    Ok(fields.time_micros())
}

/// Reads a time of day with its offset. Without one it is the session's: that of the date in the text, or of today.
pub(crate) fn parse_time_tz(text: &str, cx: &FormatContext) -> SqlResult<TimeTz> {
    let (fields, has_date) =
        decode::decode_dated_time(text, cx).map_err(|refusal| refusal.into_error(text, "time with time zone"))?;
    let micros = fields.time_micros();
    let days = match has_date {
        true => calendar::date_from_civil(fields.year, fields.month, fields.day).map(i64::from),
        false => Some(calendar::split_days(cx.time_zone.utc_to_local(cx.now_micros)).0),
    };
    let local = days.ok_or_else(|| out_of_range("time", text))? * calendar::MICROS_PER_DAY + micros;
    let seconds_east = match &fields.zone {
        Zone::Session => cx.time_zone.seconds_east_at_local(local),
        Zone::Offset(seconds_east) => *seconds_east,
        Zone::Named(zone) => zone.seconds_east_at_local(local),
    };
    Ok(TimeTz { micros, seconds_west: -seconds_east })
}

/// Reads a timestamp without time zone: µs since 2000-01-01. A zone in the text is read and left.
pub(crate) fn parse_timestamp(text: &str, cx: &FormatContext) -> SqlResult<i64> {
    let fields = decode::decode_timestamp(text, cx).map_err(|refusal| refusal.into_error(text, "timestamp"))?;
    match special(&fields) {
        Some(micros) => Ok(micros),
        None => local_micros(&fields)
            .filter(|micros| calendar::is_timestamp_in_range(*micros))
            .ok_or_else(|| out_of_range("timestamp", text)),
    }
}

/// Reads a timestamp with time zone: µs since 2000-01-01 UTC. Without a zone it is the session's.
pub(crate) fn parse_timestamp_tz(text: &str, cx: &FormatContext) -> SqlResult<i64> {
    let fields =
        decode::decode_timestamp(text, cx).map_err(|refusal| refusal.into_error(text, "timestamp with time zone"))?;
    if let Some(micros) = special(&fields) {
        return Ok(micros);
    }
    let to_utc = |local: i64| match &fields.zone {
        Zone::Session => cx.time_zone.local_to_utc(local),
        Zone::Offset(seconds_east) => local.saturating_sub(i64::from(*seconds_east) * MICROS_PER_SECOND),
        Zone::Named(zone) => zone.local_to_utc(local),
    };
    local_micros(&fields)
        .map(to_utc)
        .filter(|micros| calendar::is_timestamp_in_range(*micros))
        .ok_or_else(|| out_of_range("timestamp", text))
}

fn special(fields: &Fields) -> Option<i64> {
    match fields.meaning {
        Meaning::Epoch => Some(UNIX_EPOCH_MICROS),
        Meaning::Infinity => Some(TIMESTAMP_INFINITY),
        Meaning::NegativeInfinity => Some(TIMESTAMP_NEGATIVE_INFINITY),
        Meaning::Fields => None,
    }
}

/// The calendar's µs; the range of timestamps, which holds for UTC, is not checked yet.
fn local_micros(fields: &Fields) -> Option<i64> {
    let days = calendar::date_from_civil(fields.year, fields.month, fields.day)?;
    i64::from(days).checked_mul(calendar::MICROS_PER_DAY)?.checked_add(fields.time_micros())
}

/// `timestamp out of range: "x"` (22008).
fn out_of_range(what: &str, text: &str) -> SqlError {
    SqlError::new(DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{text}\""))
}
