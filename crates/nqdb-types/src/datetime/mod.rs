//! Reading and writing dates, times and intervals as PostgreSQL does.
//!
//! Input goes through three steps, which the manual's appendix "Date/Time Support" describes: a text is cut
//! into fields by their look (`fields`), each field is understood by its kind and by what is still missing
//! (`decode`, `numbers`, `keywords`, `interval_input`), and the whole is checked and made a value (`input`).

mod abbreviations;
mod decode;
mod fields;
mod input;
mod interval_input;
mod interval_iso;
mod interval_output;
mod keywords;
mod numbers;
mod output;

use nqdb_sqlstate::{
    DATETIME_FIELD_OVERFLOW, INTERVAL_FIELD_OVERFLOW, INVALID_DATETIME_FORMAT, INVALID_PARAMETER_VALUE,
    INVALID_TIME_ZONE_DISPLACEMENT_VALUE, SqlError, SqlResult,
};

pub(crate) use input::{parse_date, parse_time, parse_time_tz, parse_timestamp, parse_timestamp_tz};
pub(crate) use interval_input::parse_interval;
pub(crate) use interval_output::write_interval;
pub(crate) use output::{write_date, write_time, write_time_tz, write_timestamp, write_timestamp_tz};

/// Why a date, time or interval could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// 22007
    BadFormat,
    /// 22008
    FieldOverflow,
    /// 22008 with the hint that another `DateStyle` may be meant.
    MonthOrDayOverflow,
    /// 22009
    ZoneOverflow,
    /// 22023
    UnknownZone(String),
}

/// Seconds east of Greenwich of a zone that is a number, as in timestamps: `+02`, `-08:30`, `+0530`. `None` for what is no
/// number; 22023 for one out of range.
pub fn numeric_zone(text: &str) -> SqlResult<Option<i32>> {
    match numbers::parse_offset(text) {
        Ok(seconds_east) => Ok(Some(seconds_east)),
        Err(Refusal::ZoneOverflow) => {
            Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("numeric time zone \"{text}\" out of range")))
        }
        Err(_) => Ok(None),
    }
}

impl Refusal {
    /// The error for input of that type.
    fn into_error(self, text: &str, type_name: &str) -> SqlError {
        let out_of_range =
            || SqlError::new(DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""));
        match self {
            Refusal::BadFormat => {
                SqlError::new(INVALID_DATETIME_FORMAT, format!("invalid input syntax for type {type_name}: \"{text}\""))
            }
            Refusal::FieldOverflow if type_name == "interval" => {
                SqlError::new(INTERVAL_FIELD_OVERFLOW, format!("interval field value out of range: \"{text}\""))
            }
            Refusal::FieldOverflow => out_of_range(),
            Refusal::MonthOrDayOverflow => {
                out_of_range().with_hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Refusal::ZoneOverflow => SqlError::new(
                INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Refusal::UnknownZone(name) => {
                SqlError::new(INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
            }
        }
    }
}
