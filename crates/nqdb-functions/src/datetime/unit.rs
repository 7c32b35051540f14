//! The names of date and time units that `extract`, `date_part` and `date_trunc` take.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Oid, Type};

/// A unit of time, or a part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    TimeZone,
    TimeZoneHour,
    TimeZoneMinute,
}

/// Characters of a name that count.
const NAME_LEN: usize = 10;

#[rustfmt::skip]
static NAMES: &[(&str, Unit)] = &[
    ("microsecon", Unit::Microseconds), ("us", Unit::Microseconds), ("usec", Unit::Microseconds),
    ("usecond", Unit::Microseconds), ("useconds", Unit::Microseconds), ("usecs", Unit::Microseconds),
    ("millisecon", Unit::Milliseconds), ("ms", Unit::Milliseconds), ("msec", Unit::Milliseconds),
    ("msecond", Unit::Milliseconds), ("mseconds", Unit::Milliseconds), ("msecs", Unit::Milliseconds),
    ("s", Unit::Second), ("sec", Unit::Second), ("second", Unit::Second), ("seconds", Unit::Second),
    ("secs", Unit::Second),
    ("m", Unit::Minute), ("min", Unit::Minute), ("mins", Unit::Minute), ("minute", Unit::Minute),
    ("minutes", Unit::Minute),
    ("h", Unit::Hour), ("hour", Unit::Hour), ("hours", Unit::Hour), ("hr", Unit::Hour), ("hrs", Unit::Hour),
    ("d", Unit::Day), ("day", Unit::Day), ("days", Unit::Day),
    ("w", Unit::Week), ("week", Unit::Week), ("weeks", Unit::Week),
    ("mon", Unit::Month), ("mons", Unit::Month), ("month", Unit::Month), ("months", Unit::Month),
    ("qtr", Unit::Quarter), ("quarter", Unit::Quarter),
    ("y", Unit::Year), ("year", Unit::Year), ("years", Unit::Year), ("yr", Unit::Year), ("yrs", Unit::Year),
    ("dec", Unit::Decade), ("decs", Unit::Decade), ("decade", Unit::Decade), ("decades", Unit::Decade),
    ("c", Unit::Century), ("cent", Unit::Century), ("century", Unit::Century), ("centuries", Unit::Century),
    ("mil", Unit::Millennium), ("mils", Unit::Millennium), ("millennia", Unit::Millennium),
    ("millennium", Unit::Millennium),
    ("j", Unit::Julian), ("jd", Unit::Julian), ("julian", Unit::Julian),
    ("isoyear", Unit::IsoYear), ("dow", Unit::DayOfWeek), ("isodow", Unit::IsoDayOfWeek), ("doy", Unit::DayOfYear),
    ("epoch", Unit::Epoch),
    ("timezone", Unit::TimeZone), ("timezone_h", Unit::TimeZoneHour), ("timezone_m", Unit::TimeZoneMinute),
];

impl Unit {
    /// The unit of that name, in any case; 22023 if there is none.
    pub(super) fn parse(name: &str, type_oid: Oid) -> SqlResult<Unit> {
        let lower = name.to_ascii_lowercase();
        let significant = lower.get(..NAME_LEN).unwrap_or(&lower);
        NAMES
            .iter()
            .find(|(known, _)| *known == significant)
            .map(|(_, unit)| *unit)
            .ok_or_else(|| unrecognized(&lower, type_oid))
    }

    /// As [`Unit::parse`], for `date_trunc`: parts that are no span of time are not even recognized.
    pub(super) fn parse_span(name: &str, type_oid: Oid) -> SqlResult<Unit> {
        match Unit::parse(name, type_oid)? {
            Unit::Julian | Unit::IsoYear | Unit::DayOfWeek | Unit::IsoDayOfWeek | Unit::DayOfYear | Unit::Epoch => {
                Err(unrecognized(&name.to_ascii_lowercase(), type_oid))
            }
            unit => Ok(unit),
        }
    }
}

/// 22023: there is no such unit.
fn unrecognized(name: &str, type_oid: Oid) -> SqlError {
    let type_name = Type::new(type_oid).name();
    SqlError::new(INVALID_PARAMETER_VALUE, format!("unit \"{name}\" not recognized for type {type_name}"))
}

/// 0A000: the unit exists, but not for this type.
pub(super) fn unsupported(name: &str, type_oid: Oid) -> SqlError {
    let name = name.to_ascii_lowercase();
    SqlError::new(
        FEATURE_NOT_SUPPORTED,
        format!("unit \"{name}\" not supported for type {}", Type::new(type_oid).name()),
    )
}
