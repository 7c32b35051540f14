//! Dates, times and timestamps as text, in the four formats of `DateStyle`.
//!
//! ```text
//! ISO        1997-12-17 07:37:16-08        SQL        12/17/1997 07:37:16.00 PST
//! Postgres   Wed Dec 17 07:37:16 1997 PST  German     17.12.1997 07:37:16.00 PST
//! ```

use crate::calendar::{
    self, CivilDate, CivilTime, DATE_INFINITY, DATE_NEGATIVE_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY,
};
use crate::{DateOrder, DateStyleFormat, FormatContext, LocalTimeType, Sink, TimeTz};

const DAY_NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTH_NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends a date.
pub(crate) fn write_date<S: Sink>(out: &mut S, days: i32, cx: &FormatContext) {
    match days {
        DATE_INFINITY => out.put(b"infinity"),
        DATE_NEGATIVE_INFINITY => out.put(b"-infinity"),
        _ => {
            let date = calendar::civil_from_days(i64::from(days));
            put_date(out, date, cx);
            put_era(out, date);
        }
    }
}

/// Appends a time of day.
pub(crate) fn write_time<S: Sink>(out: &mut S, micros: i64) {
    put_clock(out, &calendar::civil_from_time(micros));
}

/// Appends a time of day and its offset.
pub(crate) fn write_time_tz<S: Sink>(out: &mut S, time: TimeTz) {
    put_clock(out, &calendar::civil_from_time(time.micros));
    put_offset(out, -time.seconds_west);
}

/// Appends a timestamp without time zone.
pub(crate) fn write_timestamp<S: Sink>(out: &mut S, micros: i64, cx: &FormatContext) {
    if !put_infinity(out, micros) {
        put_timestamp(out, micros, None, cx);
    }
}

/// Appends a timestamp with time zone, as clocks in the session's zone show it.
pub(crate) fn write_timestamp_tz<S: Sink>(out: &mut S, utc_micros: i64, cx: &FormatContext) {
    if put_infinity(out, utc_micros) {
        return;
    }
    let zone = match cx.date_style.format {
        // ISO shows no abbreviation, which is what costs an allocation.
        DateStyleFormat::Iso => LocalTimeType {
            seconds_east: cx.time_zone.seconds_east_at_utc(utc_micros),
            is_dst: false,
            abbreviation: String::new(),
        },
        _ => cx.time_zone.offset_at_utc(utc_micros),
    };
    let local = utc_micros + i64::from(zone.seconds_east) * calendar::MICROS_PER_SECOND;
    put_timestamp(out, local, Some(&zone), cx);
}

fn put_infinity<S: Sink>(out: &mut S, micros: i64) -> bool {
    match micros {
        TIMESTAMP_INFINITY => out.put(b"infinity"),
        TIMESTAMP_NEGATIVE_INFINITY => out.put(b"-infinity"),
        _ => return false,
    }
    true
}

fn put_timestamp<S: Sink>(out: &mut S, micros: i64, zone: Option<&LocalTimeType>, cx: &FormatContext) {
    let time = calendar::civil_from_micros(micros);
    if cx.date_style.format == DateStyleFormat::Postgres {
        put_postgres_timestamp(out, micros, &time, cx.date_style.order);
    } else {
        put_date(out, time.date, cx);
        out.put_byte(b' ');
        put_clock(out, &time);
    }
    if let Some(zone) = zone {
        match cx.date_style.format {
            DateStyleFormat::Iso => put_offset(out, zone.seconds_east),
            _ => {
                out.put_byte(b' ');
                out.put(zone.abbreviation.as_bytes());
            }
        }
    }
    put_era(out, time.date);
}

/// `Wed Dec 17 07:37:16 1997`, or `Wed 17 Dec` where the day comes first.
fn put_postgres_timestamp<S: Sink>(out: &mut S, micros: i64, time: &CivilTime, order: DateOrder) {
    let day_of_week = calendar::day_of_week(calendar::split_days(micros).0);
    let month_name = MONTH_NAMES.get(time.date.month as usize - 1).copied().unwrap_or_default();
    out.put(DAY_NAMES.get(day_of_week as usize).copied().unwrap_or_default().as_bytes());
    out.put_byte(b' ');
    if order == DateOrder::Dmy {
        put_padded(out, time.date.day, 2);
        out.put_byte(b' ');
        out.put(month_name.as_bytes());
    } else {
        out.put(month_name.as_bytes());
        out.put_byte(b' ');
        put_padded(out, time.date.day, 2);
    }
    out.put_byte(b' ');
    put_clock(out, time);
    out.put_byte(b' ');
    put_padded(out, calendar::display_year(time.date.year).0, 4);
}

/// The date without its era.
fn put_date<S: Sink>(out: &mut S, date: CivilDate, cx: &FormatContext) {
    let year = calendar::display_year(date.year).0;
    let day_first = cx.date_style.order == DateOrder::Dmy;
    let (separator, day_first) = match cx.date_style.format {
        DateStyleFormat::Iso => {
            put_padded(out, year, 4);
            out.put_byte(b'-');
            put_padded(out, date.month, 2);
            out.put_byte(b'-');
            put_padded(out, date.day, 2);
            return;
        }
        DateStyleFormat::Sql => (b'/', day_first),
        DateStyleFormat::Postgres => (b'-', day_first),
        DateStyleFormat::German => (b'.', true),
    };
    let (first, second) = if day_first { (date.day, date.month) } else { (date.month, date.day) };
    put_padded(out, first, 2);
    out.put_byte(separator);
    put_padded(out, second, 2);
    out.put_byte(separator);
    put_padded(out, year, 4);
}

fn put_era<S: Sink>(out: &mut S, date: CivilDate) {
    if calendar::display_year(date.year).1 {
        out.put(b" BC");
    }
}

/// `07:37:16.25`
fn put_clock<S: Sink>(out: &mut S, time: &CivilTime) {
    put_padded(out, time.hour, 2);
    out.put_byte(b':');
    put_padded(out, time.minute, 2);
    out.put_byte(b':');
    put_padded(out, time.second, 2);
    put_fraction(out, time.micros.unsigned_abs());
}

/// `.25` for 250,000 µs; nothing for none.
pub(super) fn put_fraction<S: Sink>(out: &mut S, micros: u32) {
    if micros == 0 {
        return;
    }
    let (mut value, mut width) = (micros, 6);
    while value % 10 == 0 {
        value /= 10;
        width -= 1;
    }
    out.put_byte(b'.');
    put_padded(out, value.cast_signed(), width);
}

/// `+02`, `-03:30`, `+00:53:28`
fn put_offset<S: Sink>(out: &mut S, seconds_east: i32) {
    let seconds = seconds_east.abs();
    out.put_byte(if seconds_east < 0 { b'-' } else { b'+' });
    put_padded(out, seconds / 3600, 2);
    if seconds % 3600 != 0 {
        out.put_byte(b':');
        put_padded(out, seconds / 60 % 60, 2);
    }
    if seconds % 60 != 0 {
        out.put_byte(b':');
        put_padded(out, seconds % 60, 2);
    }
}

/// A number that is not negative, with zeros in front up to a width.
pub(super) fn put_padded<S: Sink>(out: &mut S, value: i32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs());
    for _ in digits.len()..width {
        out.put_byte(b'0');
    }
    out.put(digits.as_bytes());
}
