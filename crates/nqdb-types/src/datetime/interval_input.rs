//! Reading intervals: `1 year 2 mons -3 days 04:05:06.7`, `1-2`, `@ 3 hours ago`, and ISO 8601 in its file.
//!
//! Fields are read from right to left, so that a unit is known before its number. A number without unit is
//! the last field that the type's modifier names, seconds without one.

use nqdb_sqlstate::SqlResult;

use super::Refusal;
use super::fields::{self, Field, FieldKind};
use super::interval_iso;
use super::keywords::{self, IntervalWord, Unit};
use super::numbers::{leading_integer, parse_clock, parse_fraction};
use crate::calendar::{
    DAYS_PER_MONTH, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS_PER_YEAR,
};
use crate::interval::out_of_range;
use crate::interval_typmod::{self, DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
use crate::{Interval, IntervalStyle};

/// Reads an interval; the modifier decides what a bare number is, but is not applied otherwise.
pub(crate) fn parse_interval(text: &str, typmod: i32, style: IntervalStyle) -> SqlResult<Interval> {
    let range = interval_typmod::fields(typmod);
    let parts = match fields::split(text).and_then(|fields| decode(&fields, range, style)) {
        Err(Refusal::BadFormat) => interval_iso::decode(text),
        other => other,
    };
    let parts = parts.map_err(|refusal| refusal.into_error(text, "interval"))?;
    let months = i64::from(parts.years) * i64::from(MONTHS_PER_YEAR) + i64::from(parts.months);
    let months = i32::try_from(months).map_err(|_| out_of_range())?;
    Ok(Interval::new(months, parts.days, parts.micros))
}

/// An interval that is being put together; years and months do not meet before the end.
#[derive(Default)]
pub(super) struct Parts {
    pub years: i32,
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Parts {
    /// Adds a number of some unit; its fraction goes to smaller units: years to months, weeks and months to
    /// days and µs, everything else to µs.
    pub fn add(&mut self, unit: Unit, whole: i64, fraction: f64) -> Result<(), Refusal> {
        match unit {
            Unit::Microsecond => self.add_micros(whole, fraction, 1),
            Unit::Millisecond => self.add_micros(whole, fraction, 1000),
            Unit::Second => self.add_micros(whole, fraction, MICROS_PER_SECOND),
            Unit::Minute => self.add_micros(whole, fraction, MICROS_PER_MINUTE),
            Unit::Hour => self.add_micros(whole, fraction, MICROS_PER_HOUR),
            Unit::Day => {
                self.add_days(whole, 1)?;
                self.add_fraction_micros(fraction, MICROS_PER_DAY)
            }
            Unit::Week => {
                self.add_days(whole, 7)?;
                self.add_fraction_days(fraction, 7)
            }
            Unit::Month => {
                self.months = i32::try_from(whole)
                    .ok()
                    .and_then(|whole| self.months.checked_add(whole))
                    .ok_or(Refusal::FieldOverflow)?;
                self.add_fraction_days(fraction, DAYS_PER_MONTH)
            }
            Unit::Year => self.add_years(whole, fraction, 1),
            Unit::Decade => self.add_years(whole, fraction, 10),
            Unit::Century => self.add_years(whole, fraction, 100),
            Unit::Millennium => self.add_years(whole, fraction, 1000),
            Unit::NotForInput => Err(Refusal::BadFormat),
        }
    }

    fn add_micros(&mut self, whole: i64, fraction: f64, unit_micros: i64) -> Result<(), Refusal> {
        self.micros = whole
            .checked_mul(unit_micros)
            .and_then(|micros| self.micros.checked_add(micros))
            .ok_or(Refusal::FieldOverflow)?;
        self.add_fraction_micros(fraction, unit_micros)
    }

    fn add_fraction_micros(&mut self, fraction: f64, unit_micros: i64) -> Result<(), Refusal> {
        let exact = fraction * unit_micros as f64;
        let mut micros = exact as i64;
        let rest = exact - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.micros = self.micros.checked_add(micros).ok_or(Refusal::FieldOverflow)?;
        Ok(())
    }

    fn add_days(&mut self, whole: i64, unit_days: i32) -> Result<(), Refusal> {
        self.days = i32::try_from(whole)
            .ok()
            .and_then(|whole| whole.checked_mul(unit_days))
            .and_then(|days| self.days.checked_add(days))
            .ok_or(Refusal::FieldOverflow)?;
        Ok(())
    }

    fn add_fraction_days(&mut self, fraction: f64, unit_days: i32) -> Result<(), Refusal> {
        let exact = fraction * f64::from(unit_days);
        let days = exact as i32;
        self.days = self.days.checked_add(days).ok_or(Refusal::FieldOverflow)?;
        self.add_fraction_micros(exact - f64::from(days), MICROS_PER_DAY)
    }

    fn add_years(&mut self, whole: i64, fraction: f64, unit_years: i32) -> Result<(), Refusal> {
        self.years = i32::try_from(whole)
            .ok()
            .and_then(|whole| whole.checked_mul(unit_years))
            .and_then(|years| self.years.checked_add(years))
            .ok_or(Refusal::FieldOverflow)?;
        let months = (fraction * f64::from(unit_years) * f64::from(MONTHS_PER_YEAR)).round_ties_even() as i32;
        self.months = self.months.checked_add(months).ok_or(Refusal::FieldOverflow)?;
        Ok(())
    }

    fn negate(&mut self) -> Result<(), Refusal> {
        let negated = || {
            Some(Parts {
                years: self.years.checked_neg()?,
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        *self = negated().ok_or(Refusal::FieldOverflow)?;
        Ok(())
    }
}

/// Units that have been set, one bit each; a second time is refused.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    const CLOCK: u32 = 1 << Unit::Hour as u32 | 1 << Unit::Minute as u32 | 1 << Unit::Second as u32;

    fn set(&mut self, bits: u32) -> Result<(), Refusal> {
        if self.0 & bits != 0 {
            return Err(Refusal::BadFormat);
        }
        self.0 |= bits;
        Ok(())
    }
}

fn decode(fields: &[Field], range: i32, style: IntervalStyle) -> Result<Parts, Refusal> {
    let mut parts = Parts::default();
    let mut seen = Seen::default();
    // The unit of the next number to the left, if one is known.
    let mut unit = None;
    let mut ago = false;
    let all_negative = style == IntervalStyle::SqlStandard && leading_sign_spreads(fields);
    for Field { kind, text } in fields.iter().rev() {
        match kind {
            FieldKind::Time => {
                let micros = clock_micros(text, range)?;
                parts.micros = if all_negative { -micros } else { micros };
                seen.set(Seen::CLOCK)?;
                unit = Some(Unit::Day);
            }
            FieldKind::Signed if signed_clock(text, range).is_some() => {
                parts.micros = signed_clock(text, range).ok_or(Refusal::BadFormat)?;
                seen.set(Seen::CLOCK)?;
                unit = Some(Unit::Day);
            }
            FieldKind::Signed | FieldKind::Date | FieldKind::Number => {
                let negative = all_negative || text.starts_with('-');
                let expected = unit.unwrap_or_else(|| unit_of_range(range));
                let used = add_number(&mut parts, text, negative, expected, &mut seen)?;
                unit = Some(if used == Unit::Hour { Unit::Day } else { used });
            }
            FieldKind::Word | FieldKind::Special => {
                match keywords::interval_word(text).ok_or(Refusal::BadFormat)? {
                    // A unit that finds no number gives way to the next one, as in PostgreSQL 15.
                    IntervalWord::Unit(word) => unit = Some(word),
                    IntervalWord::Ago => ago = true,
                }
            }
        }
    }
    if seen.0 == 0 {
        return Err(Refusal::BadFormat);
    }
    if ago {
        parts.negate()?;
    }
    Ok(parts)
}

/// A number with its unit, or `years-months`. Gives the unit that it had.
fn add_number(parts: &mut Parts, text: &str, negative: bool, unit: Unit, seen: &mut Seen) -> Result<Unit, Refusal> {
    let (whole, rest) = leading_integer(text)?;
    let whole = if negative && whole > 0 { -whole } else { whole };
    if let Some(months) = rest.strip_prefix('-') {
        let (months, rest) = leading_integer(months)?;
        if !(0..i64::from(MONTHS_PER_YEAR)).contains(&months) {
            return Err(Refusal::FieldOverflow);
        }
        if !rest.is_empty() {
            return Err(Refusal::BadFormat);
        }
        let total = whole
            .checked_mul(i64::from(MONTHS_PER_YEAR))
            .and_then(|years| years.checked_add(if negative { -months } else { months }))
            .ok_or(Refusal::FieldOverflow)?;
        parts.add(Unit::Month, total, 0.0)?;
        seen.set(1 << Unit::Month as u32)?;
        return Ok(Unit::Month);
    }
    let fraction = match rest {
        "" => 0.0,
        _ => parse_fraction(rest)?,
    };
    parts.add(unit, whole, if negative { -fraction } else { fraction })?;
    let bits = match unit {
        Unit::Second if fraction != 0.0 => {
            1 << Unit::Second as u32 | 1 << Unit::Millisecond as u32 | 1 << Unit::Microsecond as u32
        }
        _ => 1 << unit as u32,
    };
    seen.set(bits)?;
    Ok(unit)
}

fn clock_micros(text: &str, range: i32) -> Result<i64, Refusal> {
    let clock = parse_clock(text, range == MINUTE | SECOND)?;
    let below_hours =
        i64::from(clock.minute) * MICROS_PER_MINUTE + i64::from(clock.second) * MICROS_PER_SECOND + clock.micros;
    clock
        .hour
        .checked_mul(MICROS_PER_HOUR)
        .and_then(|hours| hours.checked_add(below_hours))
        .ok_or(Refusal::FieldOverflow)
}

/// `+02:30` and `-1:02:03`, if that is what it is.
fn signed_clock(text: &str, range: i32) -> Option<i64> {
    let unsigned = text.get(1..).filter(|rest| rest.contains(':'))?;
    let micros = clock_micros(unsigned, range).ok()?;
    Some(if text.starts_with('-') { -micros } else { micros })
}

/// What a number without unit is: the smallest field that the modifier names.
fn unit_of_range(range: i32) -> Unit {
    match range {
        YEAR => Unit::Year,
        _ if range == MONTH || range == YEAR | MONTH => Unit::Month,
        DAY => Unit::Day,
        _ if range & SECOND != 0 => Unit::Second,
        _ if range & MINUTE != 0 => Unit::Minute,
        _ if range & HOUR != 0 => Unit::Hour,
        _ => Unit::Second,
    }
}

/// SQL's rule: a sign in front of everything holds for everything, unless another field has one of its own.
fn leading_sign_spreads(fields: &[Field]) -> bool {
    let signed = |field: &Field| field.text.starts_with(['-', '+']);
    fields.split_first().is_some_and(|(first, others)| first.text.starts_with('-') && !others.iter().any(signed))
}
