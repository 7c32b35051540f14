//! `.datetime()` of jsonpath: strings as dates and times, and their order.
//!
//! Moments with and without time zones may be compared only where the session's zone may count: in the functions with
//! `_tz`.

use std::cmp::Ordering;

use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION, INVALID_DATETIME_FORMAT, SqlError,
    SqlResult,
};
use nqdb_types::calendar::MICROS_PER_DAY;
use nqdb_types::{DateStyle, DateStyleFormat, Datum, FormatContext, TimeTz, TimeZone, Type, apply_typmod, oid};

use super::encode::json_text_of;
use super::path_run::Failure;
use crate::FunctionContext;
use crate::formatting::{Reading, date_of, local_of, read as read_by_template, utc_of};

/// A date or time that a path has made.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub value: Datum,
    pub ty: Type,
    /// The offset that a timestamp was written with.
    seconds_east: i32,
}

/// ISO 8601 with its blanks and points, from the least to the most.
const TEMPLATES: [&str; 14] = [
    "yyyy-mm-dd",
    "HH24:MI:SS.USTZH:TZM",
    "HH24:MI:SS.USTZH",
    "HH24:MI:SS.US",
    "HH24:MI:SSTZH:TZM",
    "HH24:MI:SSTZH",
    "HH24:MI:SS",
    "yyyy-mm-dd HH24:MI:SS.USTZH:TZM",
    "yyyy-mm-dd HH24:MI:SS.USTZH",
    "yyyy-mm-dd HH24:MI:SS.US",
    "yyyy-mm-dd HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd HH24:MI:SSTZH",
    "yyyy-mm-dd HH24:MI:SS",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH:TZM",
];

/// The same as the last of [`TEMPLATES`] with less in it.
const TEMPLATES_WITH_T: [&str; 5] = [
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SS.US",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SS",
];

/// Reads a string by a template, or by ISO 8601 without one.
pub(super) fn read(
    context: &FunctionContext<'_>,
    text: Option<&str>,
    template: Option<&str>,
) -> Result<Moment, Failure> {
    let Some(text) = text else {
        let message = "jsonpath item method .datetime() can only be applied to a string";
        return Err(Failure::Forgivable(SqlError::new(INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION, message)));
    };
    if let Some(template) = template {
        return moment(context, text, template).map_err(Failure::Forgivable);
    }
    let mut templates = TEMPLATES.iter().chain(&TEMPLATES_WITH_T);
    templates.find_map(|template| moment(context, text, template).ok()).ok_or_else(|| {
        let message = format!("datetime format is not recognized: \"{text}\"");
        Failure::Forgivable(
            SqlError::new(INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION, message)
                .with_hint("Use a datetime template argument to specify the input data format."),
        )
    })
}

fn moment(context: &FunctionContext<'_>, text: &str, template: &str) -> SqlResult<Moment> {
    let reading = read_by_template(text, template, true)?;
    let digits = reading.digits.map_or(-1, |digits| digits as i32);
    let zone = |type_name: &str| match (reading.has_zone, reading.seconds_east) {
        (true, None) => {
            let message = format!("missing time zone in input string for type {type_name}");
            Err(SqlError::new(INVALID_DATETIME_FORMAT, message))
        }
        (_, seconds_east) => Ok(seconds_east.unwrap_or(0)),
    };
    let (value, type_oid, seconds_east) = match reading {
        Reading { has_date: true, has_time: true, has_zone: true, .. } => {
            let seconds_east = zone("timestamptz")?;
            (Datum::TimestampTz(utc_of(context, &reading)?), oid::TIMESTAMPTZ, seconds_east)
        }
        Reading { has_date: true, has_time: true, .. } => (Datum::Timestamp(local_of(&reading)?), oid::TIMESTAMP, 0),
        Reading { has_date: true, has_zone: true, .. } => {
            return Err(SqlError::new(INVALID_DATETIME_FORMAT, "datetime format is zoned but not timed"));
        }
        Reading { has_date: true, .. } => (Datum::Date(date_of(&reading, text)?), oid::DATE, 0),
        Reading { has_time: true, has_zone: true, .. } => {
            let time = TimeTz { micros: reading.micros, seconds_west: -zone("timetz")? };
            (Datum::TimeTz(time), oid::TIMETZ, 0)
        }
        Reading { has_time: true, .. } => (Datum::Time(reading.micros), oid::TIME, 0),
        _ => {
            return Err(SqlError::new(INVALID_DATETIME_FORMAT, "datetime format is not dated and not timed"));
        }
    };
    let value =
        if type_oid == oid::DATE { value } else { apply_typmod(value, Type::with_typmod(type_oid, digits), true)? };
    Ok(Moment { value, ty: Type::new(type_oid), seconds_east })
}

impl Moment {
    /// ISO 8601, with the offset that it was written with.
    pub fn to_text(&self, context: &FunctionContext<'_>) -> String {
        let mut format = FormatContext {
            date_style: DateStyle { format: DateStyleFormat::Iso, ..context.format.date_style },
            ..context.format.clone()
        };
        if let Some(zone) = TimeZone::fixed(self.seconds_east) {
            format.time_zone = zone;
        }
        let mut inner = FunctionContext::new(
            &format,
            context.transaction_time_micros,
            context.statement_time_micros,
            context.session,
        );
        inner.argument_types = context.argument_types;
        let text = json_text_of(&self.value, self.ty, &inner).unwrap_or_default();
        let text = text.trim_matches('"');
        // An offset of hours has its minutes too.
        match self.value {
            Datum::TimeTz(time) if time.seconds_west % 3600 == 0 => format!("{text}:00"),
            _ => text.to_string(),
        }
    }
}

/// The order of two moments; `None` when they cannot be compared, as a date and a time of day.
pub(super) fn compare(
    context: &FunctionContext<'_>,
    left: &Moment,
    right: &Moment,
    uses_zone: bool,
) -> Result<Option<Ordering>, Failure> {
    let zone = &context.format.time_zone;
    let needs_zone = |from: &str, to: &str| match uses_zone {
        true => Ok(()),
        false => {
            let message = format!("cannot convert value from {from} to {to} without time zone usage");
            Err(Failure::Final(
                SqlError::new(FEATURE_NOT_SUPPORTED, message).with_hint("Use *_tz() function for time zone support."),
            ))
        }
    };
    let midnight = |date: i32| i64::from(date) * MICROS_PER_DAY;
    Ok(match (&left.value, &right.value) {
        (Datum::Date(left), Datum::Date(right)) => Some(left.cmp(right)),
        (Datum::Date(left), Datum::Timestamp(right)) => Some(midnight(*left).cmp(right)),
        (Datum::Date(left), Datum::TimestampTz(right)) => {
            needs_zone("date", "timestamptz")?;
            Some(zone.local_to_utc(midnight(*left)).cmp(right))
        }
        (Datum::Time(left), Datum::Time(right)) => Some(left.cmp(right)),
        (Datum::Time(time), Datum::TimeTz(right)) => {
            needs_zone("time", "timetz")?;
            let today = zone.utc_to_local(context.transaction_time_micros).div_euclid(MICROS_PER_DAY);
            let seconds_east = zone.seconds_east_at_local(today * MICROS_PER_DAY + time);
            Some(TimeTz { micros: *time, seconds_west: -seconds_east }.compare(*right))
        }
        (Datum::TimeTz(left), Datum::TimeTz(right)) => Some(left.compare(*right)),
        (Datum::Timestamp(left), Datum::Timestamp(right)) => Some(left.cmp(right)),
        (Datum::Timestamp(left), Datum::TimestampTz(right)) => {
            needs_zone("timestamp", "timestamptz")?;
            Some(zone.local_to_utc(*left).cmp(right))
        }
        (Datum::TimestampTz(left), Datum::TimestampTz(right)) => Some(left.cmp(right)),
        (Datum::Timestamp(_), Datum::Date(_))
        | (Datum::TimestampTz(_), Datum::Date(_) | Datum::Timestamp(_))
        | (Datum::TimeTz(_), Datum::Time(_)) => compare(context, right, left, uses_zone)?.map(Ordering::reverse),
        _ => None,
    })
}
