//! Days, months and years of the proleptic Gregorian calendar, and the limits of PostgreSQL's dates.
//!
//! Days count from 2000-01-01, microseconds from its midnight. Years are astronomical here: 0 is 1 BC and
//! -1 is 2 BC. The conversions follow Howard Hinnant's "chrono-compatible low-level date algorithms": a year
//! that starts in March puts the leap day at its end, and 400 years always have 146,097 days.

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;
pub const SECONDS_PER_DAY: i64 = 86_400;
/// What comparison and justification of intervals take a month for.
pub const DAYS_PER_MONTH: i32 = 30;
pub const MONTHS_PER_YEAR: i32 = 12;

/// `-infinity` and `infinity` of dates.
pub const DATE_NEGATIVE_INFINITY: i32 = i32::MIN;
pub const DATE_INFINITY: i32 = i32::MAX;
/// `-infinity` and `infinity` of timestamps.
pub const TIMESTAMP_NEGATIVE_INFINITY: i64 = i64::MIN;
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;

/// The earliest date and timestamp: 4714-11-24 BC, day 0 of the Julian count.
pub const DATE_MIN: i32 = -2_451_545;
/// One past the last date: 5874898-01-01.
pub const DATE_END: i32 = 2_147_483_494 - 2_451_545;
pub const TIMESTAMP_MIN: i64 = DATE_MIN as i64 * MICROS_PER_DAY;
/// One past the last timestamp: 294277-01-01.
pub const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;

/// The Julian day of 2000-01-01.
pub const JULIAN_DAY_OF_EPOCH: i32 = 2_451_545;
/// 1970-01-01 in days, and in seconds, since 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = -10_957;
pub const UNIX_EPOCH_SECONDS: i64 = UNIX_EPOCH_DAYS as i64 * SECONDS_PER_DAY;
pub const UNIX_EPOCH_MICROS: i64 = UNIX_EPOCH_SECONDS * MICROS_PER_SECOND;

const DAYS_PER_400_YEARS: i64 = 146_097;
/// From 0000-03-01 to 2000-01-01.
const DAYS_FROM_MARCH_0: i64 = 730_425;

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilDate {
    /// Astronomical: 0 is 1 BC.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
}

/// A calendar day and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    pub date: CivilDate,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    /// µs within the second.
    pub micros: i32,
}

pub fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, 1 to 12; 0 for a month that there is not.
pub fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year(year) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days since 2000-01-01 of a civil day. Month and day need not exist: day 31 of a short month runs over.
pub fn days_from_civil(year: i32, month: i32, day: i32) -> i64 {
    let months = i64::from(year) * 12 + i64::from(month) - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_400_YEARS + day_of_era - DAYS_FROM_MARCH_0
}

/// The civil day that is so many days after 2000-01-01.
pub fn civil_from_days(days: i64) -> CivilDate {
    let days = days + DAYS_FROM_MARCH_0;
    let era = days.div_euclid(DAYS_PER_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_PER_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    CivilDate { year: year as i32, month: month as i32, day: day as i32 }
}

/// The date, days since 2000-01-01, if it exists and lies within PostgreSQL's range.
pub fn date_from_civil(year: i32, month: i32, day: i32) -> Option<i32> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let days = i32::try_from(days_from_civil(year, month, day)).ok()?;
    (DATE_MIN..DATE_END).contains(&days).then_some(days)
}

/// Day of the week, 0 is Sunday.
pub fn day_of_week(days: i64) -> i32 {
    (days + 6).rem_euclid(7) as i32
}

/// Splits µs since 2000-01-01 into days and the µs of the day.
pub fn split_days(micros: i64) -> (i64, i64) {
    (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY))
}

/// The calendar fields of µs since 2000-01-01.
pub fn civil_from_micros(micros: i64) -> CivilTime {
    let (days, time) = split_days(micros);
    CivilTime { date: civil_from_days(days), ..civil_from_time(time) }
}

/// The clock fields of µs since midnight, on 2000-01-01.
pub fn civil_from_time(micros: i64) -> CivilTime {
    CivilTime {
        date: CivilDate { year: 2000, month: 1, day: 1 },
        hour: (micros / MICROS_PER_HOUR) as i32,
        minute: (micros / MICROS_PER_MINUTE % 60) as i32,
        second: (micros / MICROS_PER_SECOND % 60) as i32,
        micros: (micros % MICROS_PER_SECOND) as i32,
    }
}

/// µs since midnight.
pub fn time_of_day(hour: i32, minute: i32, second: i32, micros: i64) -> i64 {
    i64::from(hour) * MICROS_PER_HOUR
        + i64::from(minute) * MICROS_PER_MINUTE
        + i64::from(second) * MICROS_PER_SECOND
        + micros
}

/// µs since 2000-01-01, if that is a timestamp within PostgreSQL's range.
pub fn timestamp_from_days(days: i64, time_micros: i64) -> Option<i64> {
    let micros = days.checked_mul(MICROS_PER_DAY)?.checked_add(time_micros)?;
    is_timestamp_in_range(micros).then_some(micros)
}

/// Whether a finite timestamp lies in PostgreSQL's range: 4714-11-24 BC to 294276-12-31.
pub fn is_timestamp_in_range(micros: i64) -> bool {
    (TIMESTAMP_MIN..TIMESTAMP_END).contains(&micros)
}

pub fn is_date_finite(days: i32) -> bool {
    days != DATE_NEGATIVE_INFINITY && days != DATE_INFINITY
}

pub fn is_timestamp_finite(micros: i64) -> bool {
    micros != TIMESTAMP_NEGATIVE_INFINITY && micros != TIMESTAMP_INFINITY
}

/// The year as people count it, and whether it is BC: 0 gives `(1, true)`.
pub fn display_year(year: i32) -> (i32, bool) {
    if year > 0 { (year, false) } else { (1 - year, true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_convert_both_ways() {
        let known = [
            ((2000, 1, 1), 0),
            ((1970, 1, 1), i64::from(UNIX_EPOCH_DAYS)),
            ((2000, 2, 29), 59),
            ((2001, 1, 1), 366),
            ((1, 1, 1), -730_119),
            ((0, 12, 31), -730_120),
            ((-4713, 11, 24), i64::from(DATE_MIN)),
            ((5_874_898, 1, 1), i64::from(DATE_END)),
        ];
        for ((year, month, day), days) in known {
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(civil_from_days(days), CivilDate { year, month, day });
        }
        assert_eq!(days_from_civil(294_277, 1, 1) * MICROS_PER_DAY, TIMESTAMP_END);
    }

    #[test]
    fn every_day_of_eight_centuries_round_trips() {
        for days in -200_000..200_000 {
            let date = civil_from_days(days);
            assert_eq!(days_from_civil(date.year, date.month, date.day), days);
            assert!(date.day >= 1 && date.day <= days_in_month(date.year, date.month));
        }
    }

    #[test]
    fn the_first_day_of_2000_was_a_saturday() {
        assert_eq!(day_of_week(0), 6);
        assert_eq!(day_of_week(1), 0);
        assert_eq!(day_of_week(-1), 5);
    }
}
