//! Intervals as text, in the four formats of `IntervalStyle`.
//!
//! ```text
//! postgres           1 year 2 mons -3 days +04:05:06.7
//! postgres_verbose   @ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs
//! sql_standard       +1-2 -3 +4:05:06.7
//! iso_8601           P1Y2M-3DT4H5M6.7S
//! ```

use super::output::{put_fraction, put_padded};
use crate::calendar::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS_PER_YEAR};
use crate::{Interval, IntervalStyle, Sink};

/// An interval's fields; each has the sign of the field it was taken from.
struct Fields {
    years: i32,
    months: i32,
    days: i32,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Fields {
    fn of(interval: &Interval) -> Fields {
        let micros = interval.micros;
        Fields {
            years: interval.months / MONTHS_PER_YEAR,
            months: interval.months % MONTHS_PER_YEAR,
            days: interval.days,
            hours: micros / MICROS_PER_HOUR,
            minutes: micros / MICROS_PER_MINUTE % 60,
            seconds: micros / MICROS_PER_SECOND % 60,
            micros: micros % MICROS_PER_SECOND,
        }
    }
}

/// Appends an interval.
pub(crate) fn write_interval<S: Sink>(out: &mut S, interval: &Interval, style: IntervalStyle) {
    let fields = Fields::of(interval);
    match style {
        IntervalStyle::Postgres => write_postgres(out, interval, &fields),
        IntervalStyle::PostgresVerbose => write_verbose(out, &fields),
        IntervalStyle::SqlStandard => write_sql_standard(out, interval, &fields),
        IntervalStyle::Iso8601 => write_iso_8601(out, interval, &fields),
    }
}

/// After a negative field a positive one carries its sign.
fn write_postgres<S: Sink>(out: &mut S, interval: &Interval, fields: &Fields) {
    let mut empty = true;
    let mut after_negative = false;
    for (value, unit) in [(fields.years, "year"), (fields.months, "mon"), (fields.days, "day")] {
        if value == 0 {
            continue;
        }
        if !empty {
            out.put_byte(b' ');
        }
        if after_negative && value > 0 {
            out.put_byte(b'+');
        }
        put_integer(out, value);
        out.put_byte(b' ');
        out.put(unit.as_bytes());
        if value != 1 {
            out.put_byte(b's');
        }
        after_negative = value < 0;
        empty = false;
    }
    if empty || interval.micros != 0 {
        if !empty {
            out.put_byte(b' ');
        }
        if interval.micros < 0 {
            out.put_byte(b'-');
        } else if after_negative {
            out.put_byte(b'+');
        }
        put_padded_wide(out, fields.hours);
        put_minutes_and_seconds(out, fields);
    }
}

/// The first field decides: when it is negative the signs turn and `ago` stands at the end.
fn write_verbose<S: Sink>(out: &mut S, fields: &Fields) {
    out.put_byte(b'@');
    let mut ago = None;
    let units = [
        (i64::from(fields.years), "year"),
        (i64::from(fields.months), "mon"),
        (i64::from(fields.days), "day"),
        (fields.hours, "hour"),
        (fields.minutes, "min"),
    ];
    for (value, unit) in units.into_iter().filter(|(value, _)| *value != 0) {
        let value = if *ago.get_or_insert(value < 0) { -value } else { value };
        out.put_byte(b' ');
        put_integer(out, value);
        out.put_byte(b' ');
        out.put(unit.as_bytes());
        if value != 1 {
            out.put_byte(b's');
        }
    }
    if fields.seconds != 0 || fields.micros != 0 {
        let negative = fields.seconds < 0 || fields.micros < 0;
        out.put_byte(b' ');
        if *ago.get_or_insert(negative) != negative {
            out.put_byte(b'-');
        }
        put_integer(out, fields.seconds.abs());
        put_fraction(out, fields.micros.unsigned_abs() as u32);
        out.put(if fields.seconds.abs() != 1 || fields.micros != 0 { b" secs".as_slice() } else { b" sec" });
    }
    match ago {
        None => out.put(b" 0"),
        Some(true) => out.put(b" ago"),
        Some(false) => {}
    }
}

/// One sign in front if all fields agree and months do not meet days; else a sign for every part.
fn write_sql_standard<S: Sink>(out: &mut S, interval: &Interval, fields: &Fields) {
    let parts = [i64::from(interval.months), i64::from(interval.days), interval.micros];
    let has_negative = parts.iter().any(|part| *part < 0);
    let has_positive = parts.iter().any(|part| *part > 0);
    let has_day_time = interval.days != 0 || interval.micros != 0;
    if !has_negative && !has_positive {
        return out.put_byte(b'0');
    }
    if (has_negative && has_positive) || (interval.months != 0 && has_day_time) {
        put_sign(out, i64::from(interval.months));
        put_year_month(out, fields);
        out.put_byte(b' ');
        put_sign(out, i64::from(interval.days));
        put_magnitude(out, i64::from(fields.days));
        out.put_byte(b' ');
        put_sign(out, interval.micros);
        put_magnitude(out, fields.hours);
        return put_minutes_and_seconds(out, fields);
    }
    if has_negative {
        out.put_byte(b'-');
    }
    if interval.months != 0 {
        return put_year_month(out, fields);
    }
    if interval.days != 0 {
        put_magnitude(out, i64::from(fields.days));
        out.put_byte(b' ');
    }
    put_magnitude(out, fields.hours);
    put_minutes_and_seconds(out, fields);
}

fn put_sign<S: Sink>(out: &mut S, value: i64) {
    out.put_byte(if value < 0 { b'-' } else { b'+' });
}

fn put_year_month<S: Sink>(out: &mut S, fields: &Fields) {
    put_magnitude(out, i64::from(fields.years));
    out.put_byte(b'-');
    put_magnitude(out, i64::from(fields.months));
}

fn write_iso_8601<S: Sink>(out: &mut S, interval: &Interval, fields: &Fields) {
    if interval.is_identical(&Interval::ZERO) {
        return out.put(b"PT0S");
    }
    let put_unit = |out: &mut S, value: i64, unit: u8| {
        if value != 0 {
            put_integer(out, value);
            out.put_byte(unit);
        }
    };
    out.put_byte(b'P');
    put_unit(out, i64::from(fields.years), b'Y');
    put_unit(out, i64::from(fields.months), b'M');
    put_unit(out, i64::from(fields.days), b'D');
    if interval.micros == 0 {
        return;
    }
    out.put_byte(b'T');
    put_unit(out, fields.hours, b'H');
    put_unit(out, fields.minutes, b'M');
    if fields.seconds != 0 || fields.micros != 0 {
        if fields.seconds < 0 || fields.micros < 0 {
            out.put_byte(b'-');
        }
        put_integer(out, fields.seconds.abs());
        put_fraction(out, fields.micros.unsigned_abs() as u32);
        out.put_byte(b'S');
    }
}

/// `:05:06.7`, without a sign.
fn put_minutes_and_seconds<S: Sink>(out: &mut S, fields: &Fields) {
    out.put_byte(b':');
    put_padded(out, fields.minutes as i32, 2);
    out.put_byte(b':');
    put_padded(out, fields.seconds as i32, 2);
    put_fraction(out, fields.micros.unsigned_abs() as u32);
}

fn put_padded_wide<S: Sink>(out: &mut S, hours: i64) {
    if hours.unsigned_abs() < 10 {
        out.put_byte(b'0');
    }
    put_magnitude(out, hours);
}

fn put_magnitude<S: Sink>(out: &mut S, value: i64) {
    out.put(itoa::Buffer::new().format(value.unsigned_abs()).as_bytes());
}

fn put_integer<S: Sink>(out: &mut S, value: impl itoa::Integer) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}
