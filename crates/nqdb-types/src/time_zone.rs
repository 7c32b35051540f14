//! Time zones: named ones out of the bundled tz database, and fixed offsets.
//!
//! A bundled database answers alike on every machine and every day. Its rules are asked for years up to
//! 9999 only; later and earlier instants are moved by whole cycles of 400 years, after which the calendar
//! repeats with its weekdays, and so do the rules that hold for ever.
//!
//! A local time that a clock change skips or repeats is read as PostgreSQL reads it: with the smaller
//! offset of the two, which is standard time in nearly every zone.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz;

use crate::calendar::{MICROS_PER_SECOND, UNIX_EPOCH_SECONDS};

/// A time zone, cheap to clone.
#[derive(Clone, Debug)]
pub struct TimeZone {
    rules: Rules,
    name: Box<str>,
}

#[derive(Clone, Debug)]
enum Rules {
    Fixed { seconds_east: i32, abbreviation: Box<str> },
    Named(tz::TimeZone),
}

/// What a zone's clocks show at some instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTimeType {
    /// Seconds to add to UTC.
    pub seconds_east: i32,
    pub is_dst: bool,
    /// Such as `CET`, or `+05` where the zone has no letters.
    pub abbreviation: String,
}

/// The database that is part of the program, whatever the machine has installed.
static DATABASE: LazyLock<tz::TimeZoneDatabase> = LazyLock::new(tz::TimeZoneDatabase::bundled);

/// 400 Gregorian years.
const CYCLE_SECONDS: i64 = 146_097 * 86_400;
/// The span of one cycle in which the database is asked: from year 9500 of the Unix count on it repeats.
const LATEST_ASKED_SECONDS: i64 = 237_608_640_000;
/// Year -9000 or so: before it every zone shows its local mean time.
const EARLIEST_ASKED_SECONDS: i64 = -346_000_000_000;
/// The largest offset a fixed zone may have (PostgreSQL: 167 hours).
pub(crate) const OFFSET_SECONDS_MAX: i32 = 167 * 3600;

impl TimeZone {
    pub fn utc() -> TimeZone {
        TimeZone { rules: Rules::Fixed { seconds_east: 0, abbreviation: "UTC".into() }, name: "UTC".into() }
    }

    /// A zone that is always so many seconds east of Greenwich; `None` beyond 167 hours.
    pub fn fixed(seconds_east: i32) -> Option<TimeZone> {
        if seconds_east.unsigned_abs() > OFFSET_SECONDS_MAX as u32 {
            return None;
        }
        let iso = iso_offset(seconds_east);
        let posix = iso_offset(-seconds_east);
        let name = format!("<{iso}>{posix}").into();
        Some(TimeZone { rules: Rules::Fixed { seconds_east, abbreviation: iso.into() }, name })
    }

    /// The zone of that name, in any case: `Europe/Berlin`, `EST5EDT`, `utc`, `<+02>-02`, `XYZ+3`.
    ///
    /// A letters-and-number name has POSIX's sign, as in PostgreSQL: `XYZ+3` lies west of Greenwich.
    pub fn from_name(name: &str) -> Option<TimeZone> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(TimeZone::utc());
        }
        if let Ok(zone) = DATABASE.get(name) {
            let canonical = zone.iana_name().unwrap_or(name).into();
            return Some(TimeZone { rules: Rules::Named(zone), name: canonical });
        }
        TimeZone::posix(name)
    }

    /// A zone in POSIX's form, as PostgreSQL takes it: the abbreviation may be short or empty (`E5`, `-3:30`), and where
    /// summer time has no rule it is that of the United States (`EST5EDT`).
    fn posix(name: &str) -> Option<TimeZone> {
        let name = name.to_ascii_uppercase();
        let quoted = name.strip_prefix('<').and_then(|rest| rest.find('>')).map(|end| end + 2);
        let std_len = quoted.unwrap_or_else(|| name.bytes().take_while(u8::is_ascii_alphabetic).count());
        let (abbreviation, rest) = name.split_at_checked(std_len)?;
        let offset_len = rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b':')).count();
        let (offset, summer) = rest.split_at_checked(offset_len)?;
        let default_rule = if summer.is_empty() || summer.contains(',') { "" } else { ",M3.2.0,M11.1.0" };
        if abbreviation.len() >= 3 {
            let zone = tz::TimeZone::posix(&format!("{name}{default_rule}")).ok()?;
            return Some(TimeZone { rules: Rules::Named(zone), name: name.into() });
        }
        if !summer.is_empty() {
            return None;
        }
        // The offset is read by who knows its rules, behind letters that are long enough.
        let zone = tz::TimeZone::posix(&format!("AAA{offset}")).ok()?;
        let seconds_east = zone.to_offset(Timestamp::UNIX_EPOCH).seconds();
        let rules = Rules::Fixed { seconds_east, abbreviation: abbreviation.into() };
        Some(TimeZone { rules, name: name.into() })
    }

    /// Reads a value of the `TimeZone` setting: a zone's name, or hours east of Greenwich (`-7`, `5.5`).
    pub fn from_setting(setting: &str) -> Option<TimeZone> {
        let setting = setting.trim();
        if let Ok(hours) = setting.parse::<f64>() {
            return if hours.abs() <= 167.0 { TimeZone::fixed((hours * 3600.0).round() as i32) } else { None };
        }
        // A zone that is not a whole number of minutes away looks to PostgreSQL like one with leap seconds.
        TimeZone::from_name(setting).filter(|zone| zone.fixed_offset_seconds().is_none_or(|seconds| seconds % 60 == 0))
    }

    /// The zone's name as `SHOW TimeZone` gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the zone never changes its offset, and which it is.
    pub fn fixed_offset_seconds(&self) -> Option<i32> {
        match &self.rules {
            Rules::Fixed { seconds_east, .. } => Some(*seconds_east),
            Rules::Named(_) => None,
        }
    }

    /// Whether a time of day alone says what the offset is: the zone had one offset all its life.
    pub(crate) fn is_constant(&self) -> bool {
        match &self.rules {
            Rules::Fixed { .. } => true,
            Rules::Named(zone) => zone.following(Timestamp::MIN).next().is_none(),
        }
    }

    /// What clocks show at an instant, µs since 2000-01-01 UTC.
    pub fn offset_at_utc(&self, utc_micros: i64) -> LocalTimeType {
        match &self.rules {
            Rules::Fixed { seconds_east, abbreviation } => {
                LocalTimeType { seconds_east: *seconds_east, is_dst: false, abbreviation: abbreviation.to_string() }
            }
            Rules::Named(zone) => {
                let info = zone.to_offset_info(instant(utc_micros));
                LocalTimeType {
                    seconds_east: info.offset().seconds(),
                    is_dst: info.dst().is_dst(),
                    abbreviation: info.abbreviation().to_string(),
                }
            }
        }
    }

    /// Seconds to add to UTC at an instant, µs since 2000-01-01 UTC.
    pub fn seconds_east_at_utc(&self, utc_micros: i64) -> i32 {
        match &self.rules {
            Rules::Fixed { seconds_east, .. } => *seconds_east,
            Rules::Named(zone) => zone.to_offset(instant(utc_micros)).seconds(),
        }
    }

    /// Seconds to take from a local time, µs since 2000-01-01, to get UTC.
    ///
    /// In the gap and in the repeated hour of a clock change this is the smaller of the two offsets.
    pub fn seconds_east_at_local(&self, local_micros: i64) -> i32 {
        let zone = match &self.rules {
            Rules::Fixed { seconds_east, .. } => return *seconds_east,
            Rules::Named(zone) => zone,
        };
        // The offsets a day before and after enclose at most one clock change, as PostgreSQL assumes too.
        let day_before = instant(local_micros.saturating_sub(86_400 * MICROS_PER_SECOND));
        let day_after = instant(local_micros.saturating_add(86_400 * MICROS_PER_SECOND));
        let (before_seconds, after_seconds) =
            (zone.to_offset(day_before).seconds(), zone.to_offset(day_after).seconds());
        if before_seconds == after_seconds {
            return before_seconds;
        }
        let holds = |seconds: i32| {
            let utc = local_micros.saturating_sub(i64::from(seconds) * MICROS_PER_SECOND);
            zone.to_offset(instant(utc)).seconds() == seconds
        };
        match (holds(before_seconds), holds(after_seconds)) {
            (true, false) => before_seconds,
            (false, true) => after_seconds,
            _ => before_seconds.min(after_seconds),
        }
    }

    /// Local µs since 2000-01-01 to UTC. The result may leave the range of timestamps.
    pub fn local_to_utc(&self, local_micros: i64) -> i64 {
        let offset = i64::from(self.seconds_east_at_local(local_micros)) * MICROS_PER_SECOND;
        local_micros.saturating_sub(offset)
    }

    /// UTC µs since 2000-01-01 to local ones. The result may leave the range of timestamps.
    pub fn utc_to_local(&self, utc_micros: i64) -> i64 {
        let offset = i64::from(self.seconds_east_at_utc(utc_micros)) * MICROS_PER_SECOND;
        utc_micros.saturating_add(offset)
    }
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &TimeZone) -> bool {
        self.name == other.name
    }
}

impl Eq for TimeZone {}

/// The instant to ask the database about, moved by whole cycles into the years it knows.
fn instant(utc_micros: i64) -> Timestamp {
    let mut seconds = utc_micros.div_euclid(MICROS_PER_SECOND) - UNIX_EPOCH_SECONDS;
    if seconds > LATEST_ASKED_SECONDS {
        let cycles = (seconds - LATEST_ASKED_SECONDS).div_euclid(CYCLE_SECONDS) + 1;
        seconds -= cycles * CYCLE_SECONDS;
    }
    Timestamp::from_second(seconds.max(EARLIEST_ASKED_SECONDS)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `+02`, `-03:30`, `+00:53:28`.
fn iso_offset(seconds_east: i32) -> String {
    let sign = if seconds_east < 0 { '-' } else { '+' };
    let seconds = seconds_east.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Every zone name of the database, for `pg_timezone_names`.
pub fn zone_names() -> Vec<String> {
    DATABASE.available().map(|name| name.as_str().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_zones_or_hours() {
        let name = |setting: &str| TimeZone::from_setting(setting).map(|zone| zone.name().to_string());
        assert_eq!(name("europe/berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(name("utc").as_deref(), Some("UTC"));
        assert_eq!(name("-3.5").as_deref(), Some("<-03:30>+03:30"));
        assert_eq!(name("168"), None);
        assert_eq!(name("+02:00").as_deref(), Some("+02:00"));
        assert_eq!(name("foo8bar").as_deref(), Some("FOO8BAR"));
        assert_eq!(name("-4:15:10"), None);
        assert_eq!(name("24:60"), None);
        assert_eq!(name("+"), None);
        assert_eq!(name("Nowhere/Land"), None);
    }

    #[test]
    fn a_posix_name_has_posix_signs() {
        let zone = TimeZone::from_name("XYZ+3").expect("a POSIX zone");
        assert_eq!(zone.offset_at_utc(0).seconds_east, -3 * 3600);
        assert_eq!(zone.offset_at_utc(0).abbreviation, "XYZ");
        let zone = TimeZone::from_name("-04:30").expect("a zone without letters");
        assert_eq!(zone.offset_at_utc(0).seconds_east, 4 * 3600 + 1800);
        let zone = TimeZone::from_name("foo8bar").expect("a zone with the default rule of summer time");
        let july = crate::calendar::days_from_civil(2020, 7, 1) * crate::calendar::MICROS_PER_DAY;
        assert_eq!(zone.offset_at_utc(july).seconds_east, -7 * 3600);
    }

    #[test]
    fn rules_hold_beyond_the_database() {
        let zone = TimeZone::from_name("Europe/Berlin").expect("a zone");
        let july = |year| crate::calendar::days_from_civil(year, 7, 1) * crate::calendar::MICROS_PER_DAY;
        assert_eq!(zone.offset_at_utc(july(200_000)).abbreviation, "CEST");
        assert_eq!(zone.offset_at_utc(july(-4000)).abbreviation, "LMT");
        assert_eq!(zone.offset_at_utc(i64::MIN).abbreviation, "LMT");
    }
}
