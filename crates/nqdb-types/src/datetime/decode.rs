//! Understanding the fields of a date or time, one after the other.
//!
//! What has been seen is kept as a [`Mask`]; a field that would set something twice ends the attempt. What
//! needs the whole date (two-digit years, BC, day of the year, a zone's offset) is settled at the end.

use std::ops::{BitOr, BitOrAssign};

use super::Refusal;
use super::abbreviations::{self, Abbreviation};
use super::fields::{self, Field, FieldKind};
use super::keywords::{self, DateWord, Label};
use super::numbers::{self, parse_fraction_micros, parse_offset};
use crate::calendar::{self, JULIAN_DAY_OF_EPOCH, MICROS_PER_DAY};
use crate::{DateOrder, FormatContext, TimeZone};

/// A set of fields that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask(u32);

impl Mask {
    pub const NONE: Mask = Mask(0);
    pub const MONTH: Mask = Mask(1 << 1);
    pub const YEAR: Mask = Mask(1 << 2);
    pub const DAY: Mask = Mask(1 << 3);
    pub const DATE: Mask = Mask(Self::MONTH.0 | Self::YEAR.0 | Self::DAY.0);
    pub const ZONE: Mask = Mask(1 << 5);
    pub const MERIDIEM: Mask = Mask(1 << 9);
    pub const HOUR: Mask = Mask(1 << 10);
    pub const MINUTE: Mask = Mask(1 << 11);
    pub const SECOND: Mask = Mask(1 << 12);
    /// A second without its fraction; [`Mask::TIME`] wants both.
    pub const SUBSECOND: Mask = Mask(1 << 13 | 1 << 14);
    pub const TIME: Mask = Mask(Self::HOUR.0 | Self::MINUTE.0 | Self::SECOND.0 | Self::SUBSECOND.0);
    pub const DAY_OF_YEAR: Mask = Mask(1 << 15);
    pub const WEEKDAY: Mask = Mask(1 << 16);
    pub const ERA: Mask = Mask(1 << 18);
    pub const DAYLIGHT_SAVING: Mask = Mask(1 << 28);

    pub fn intersects(self, other: Mask) -> bool {
        self.0 & other.0 != 0
    }

    pub fn contains(self, other: Mask) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn without(self, other: Mask) -> Mask {
        Mask(self.0 & !other.0)
    }

    pub fn of_date(self) -> Mask {
        Mask(self.0 & Mask::DATE.0)
    }

    pub fn of_time(self) -> Mask {
        Mask(self.0 & Mask::TIME.0)
    }
}

impl BitOr for Mask {
    type Output = Mask;

    fn bitor(self, other: Mask) -> Mask {
        Mask(self.0 | other.0)
    }
}

impl BitOrAssign for Mask {
    fn bitor_assign(&mut self, other: Mask) {
        self.0 |= other.0;
    }
}

/// What the text as a whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Fields,
    Epoch,
    Infinity,
    NegativeInfinity,
}

/// The zone that was named.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// None: the session's.
    Session,
    /// Seconds east of Greenwich.
    Offset(i32),
    Named(TimeZone),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meridiem {
    TwentyFourHours,
    Am,
    Pm,
}

/// The values that have been read so far.
pub(super) struct Fields {
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i64,
    pub minute: i32,
    pub second: i32,
    pub micros: i64,
    pub day_of_year: i32,
    /// The year has one or two digits.
    pub is_short_year: bool,
    pub zone: Zone,
    pub meaning: Meaning,
    is_julian: bool,
    is_bc: bool,
    have_text_month: bool,
    meridiem: Meridiem,
    label: Option<Label>,
    /// Only a time of day is wanted.
    time_only: bool,
}

/// Reads a date with or without time.
pub(super) fn decode_timestamp(text: &str, cx: &FormatContext) -> Result<Fields, Refusal> {
    let mut values = Fields::new(false);
    let known = values.decode(&fields::split(text)?, cx)?;
    values.finish(known)?;
    if values.meaning == Meaning::Fields && !known.contains(Mask::DATE) {
        return Err(Refusal::BadFormat);
    }
    Ok(values)
}

/// Reads a time of day; a date before it is read and left.
pub(super) fn decode_time(text: &str, cx: &FormatContext) -> Result<Fields, Refusal> {
    decode_dated_time(text, cx).map(|(fields, _)| fields)
}

/// As [`decode_time`]; also whether there was a date.
pub(super) fn decode_dated_time(text: &str, cx: &FormatContext) -> Result<(Fields, bool), Refusal> {
    let mut values = Fields::new(true);
    let known = values.decode(&fields::split(text)?, cx)?;
    values.finish(known)?;
    values.check_clock()?;
    if !known.contains(Mask::TIME) {
        return Err(Refusal::BadFormat);
    }
    // A zone whose offset depends on the date says nothing without one.
    if let Zone::Named(zone) = &values.zone
        && !known.contains(Mask::DATE)
        && !zone.is_constant()
    {
        return Err(Refusal::BadFormat);
    }
    Ok((values, known.contains(Mask::DATE)))
}

impl Fields {
    fn new(time_only: bool) -> Fields {
        Fields {
            year: 0,
            month: 0,
            day: 0,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            day_of_year: 0,
            is_short_year: false,
            zone: Zone::Session,
            meaning: Meaning::Fields,
            is_julian: false,
            is_bc: false,
            have_text_month: false,
            meridiem: Meridiem::TwentyFourHours,
            label: None,
            time_only,
        }
    }

    /// µs since midnight.
    pub fn time_micros(&self) -> i64 {
        calendar::time_of_day(self.hour as i32, self.minute, self.second, self.micros)
    }

    fn decode(&mut self, fields: &[Field], cx: &FormatContext) -> Result<Mask, Refusal> {
        let mut known = Mask::NONE;
        for (index, field) in fields.iter().enumerate() {
            let set = match field.kind {
                FieldKind::Date => self.decode_date_field(fields, index, known, cx)?,
                FieldKind::Time => self.decode_clock(&field.text)?,
                FieldKind::Signed => {
                    self.zone = Zone::Offset(parse_offset(&field.text)?);
                    Mask::ZONE
                }
                FieldKind::Number => self.decode_number_field(fields, index, known, cx.date_style.order)?,
                FieldKind::Word | FieldKind::Special => match self.decode_word(fields, index, known, cx)? {
                    Some(set) => set,
                    None => continue,
                },
            };
            if known.intersects(set) {
                return Err(Refusal::BadFormat);
            }
            known |= set;
        }
        Ok(known)
    }

    /// A field that looks like a date may be a zone's name or `hhmmss-zz` too.
    fn decode_date_field(
        &mut self,
        fields: &[Field],
        index: usize,
        known: Mask,
        cx: &FormatContext,
    ) -> Result<Mask, Refusal> {
        let Some(Field { text, .. }) = fields.get(index) else { return Err(Refusal::BadFormat) };
        if self.label == Some(Label::JulianDay) {
            let (day, zone) = numbers::leading_i32(text)?;
            self.set_julian_day(day)?;
            self.zone = Zone::Offset(parse_offset(zone)?);
            self.label = None;
            return Ok(Mask::DATE | Mask::TIME | Mask::ZONE);
        }
        let is_date = if self.time_only {
            index == 0
                && fields.len() >= 2
                && (fields.last().is_some_and(|field| field.kind == FieldKind::Date)
                    || fields.get(1).is_some_and(|field| field.kind == FieldKind::Time))
        } else {
            self.label.is_none() && !known.contains(Mask::MONTH | Mask::DAY)
        };
        if is_date {
            return self.decode_date(text, known, cx.date_style.order);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) || self.label.is_some() {
            if self.label.take().is_some_and(|label| label != Label::Time) || known.contains(Mask::TIME) {
                return Err(Refusal::BadFormat);
            }
            let at = text.find('-').ok_or(Refusal::BadFormat)?;
            let (time, zone) = text.split_at(at);
            self.zone = Zone::Offset(parse_offset(zone)?);
            let known = if self.time_only { known | Mask::DATE } else { known };
            return Ok(self.decode_run_together(time, known)? | Mask::ZONE);
        }
        let zone = TimeZone::from_name(text).ok_or_else(|| Refusal::UnknownZone(text.clone()))?;
        self.zone = Zone::Named(zone);
        Ok(Mask::ZONE)
    }

    fn decode_clock(&mut self, text: &str) -> Result<Mask, Refusal> {
        if self.label.take().is_some_and(|label| label != Label::Time) {
            return Err(Refusal::BadFormat);
        }
        let clock = numbers::parse_clock(text, false)?;
        (self.hour, self.minute, self.second, self.micros) = (clock.hour, clock.minute, clock.second, clock.micros);
        self.check_clock()?;
        Ok(Mask::TIME)
    }

    fn decode_number_field(
        &mut self,
        fields: &[Field],
        index: usize,
        known: Mask,
        order: DateOrder,
    ) -> Result<Mask, Refusal> {
        let Some(Field { text, .. }) = fields.get(index) else { return Err(Refusal::BadFormat) };
        if let Some(label) = self.label.take() {
            return self.decode_labelled(label, text, known);
        }
        let digits_before_point = text.find('.');
        if self.time_only {
            let known = known | Mask::DATE;
            return match digits_before_point {
                Some(_)
                    if index == 0 && fields.len() >= 2 && fields.last().is_some_and(|f| f.kind == FieldKind::Date) =>
                {
                    self.decode_date(text, known.without(Mask::DATE), order)
                }
                Some(digits) if digits > 2 => self.decode_run_together(text, known),
                Some(_) => Err(Refusal::BadFormat),
                None if text.len() > 4 => self.decode_run_together(text, known),
                None => self.decode_number(text, false, known, order),
            };
        }
        match digits_before_point {
            Some(_) if !known.intersects(Mask::DATE) => self.decode_date(text, known, order),
            Some(digits) if digits > 2 => self.decode_run_together(text, known),
            None if text.len() >= 6 && !(known.intersects(Mask::DATE) && known.intersects(Mask::TIME)) => {
                self.decode_run_together(text, known)
            }
            _ => self.decode_number(text, self.have_text_month, known, order),
        }
    }

    /// A number behind a label, as in `y2001m02d04` and `J2451187`.
    fn decode_labelled(&mut self, label: Label, text: &str, known: Mask) -> Result<Mask, Refusal> {
        let (value, rest) = numbers::leading_i32(text)?;
        let may_have_fraction = matches!(label, Label::JulianDay | Label::Time | Label::Second);
        if !(rest.is_empty() || (rest.starts_with('.') && may_have_fraction)) {
            return Err(Refusal::BadFormat);
        }
        Ok(match label {
            Label::Year => {
                self.year = value;
                Mask::YEAR
            }
            Label::Month if known.contains(Mask::MONTH | Mask::HOUR) => {
                self.minute = value;
                Mask::MINUTE
            }
            Label::Month => {
                self.month = value;
                Mask::MONTH
            }
            Label::Day => {
                self.day = value;
                Mask::DAY
            }
            Label::Hour => {
                self.hour = i64::from(value);
                Mask::HOUR
            }
            Label::Minute => {
                self.minute = value;
                Mask::MINUTE
            }
            Label::Second => {
                self.second = value;
                if rest.is_empty() {
                    Mask::SECOND
                } else {
                    self.micros = parse_fraction_micros(rest)?;
                    Mask::SECOND | Mask::SUBSECOND
                }
            }
            Label::JulianDay => {
                self.set_julian_day(value)?;
                if rest.is_empty() {
                    Mask::DATE
                } else {
                    self.set_time((numbers::parse_fraction(rest)? * MICROS_PER_DAY as f64) as i64);
                    Mask::DATE | Mask::TIME
                }
            }
            Label::Time => match self.decode_run_together(text, known | Mask::DATE)? {
                Mask::TIME => Mask::TIME,
                _ => return Err(Refusal::BadFormat),
            },
            Label::NotForInput => return Err(Refusal::BadFormat),
        })
    }

    /// A word; `None` for one that means nothing.
    fn decode_word(
        &mut self,
        fields: &[Field],
        index: usize,
        known: Mask,
        cx: &FormatContext,
    ) -> Result<Option<Mask>, Refusal> {
        let Some(Field { text, .. }) = fields.get(index) else { return Err(Refusal::BadFormat) };
        if let Some(abbreviation) = abbreviations::find(text) {
            self.zone = match abbreviation {
                Abbreviation::Standard(seconds) | Abbreviation::Daylight(seconds) => Zone::Offset(seconds),
                Abbreviation::InZone(name) => Zone::Named(TimeZone::from_name(name).ok_or(Refusal::BadFormat)?),
            };
            return Ok(Some(Mask::ZONE));
        }
        let Some(word) = keywords::date_word(text) else {
            self.zone = Zone::Named(TimeZone::from_name(text).ok_or(Refusal::BadFormat)?);
            return Ok(Some(Mask::ZONE));
        };
        Ok(Some(match word {
            DateWord::Filler => return Ok(None),
            DateWord::Now if self.time_only => {
                self.set_time(calendar::split_days(cx.time_zone.utc_to_local(cx.now_micros)).1);
                Mask::TIME
            }
            DateWord::Midnight => {
                self.set_time(0);
                self.zone = Zone::Offset(0);
                Mask::TIME | Mask::ZONE
            }
            DateWord::Epoch
            | DateWord::Infinity
            | DateWord::NegativeInfinity
            | DateWord::Today
            | DateWord::Tomorrow
            | DateWord::Yesterday
                if self.time_only =>
            {
                return Err(Refusal::BadFormat);
            }
            DateWord::Now => {
                let local = cx.time_zone.utc_to_local(cx.now_micros);
                let (days, time) = calendar::split_days(local);
                self.set_date(days);
                self.set_time(time);
                self.zone = Zone::Offset(cx.time_zone.seconds_east_at_utc(cx.now_micros));
                Mask::DATE | Mask::TIME | Mask::ZONE
            }
            DateWord::Today => self.set_today(cx, 0),
            DateWord::Tomorrow => self.set_today(cx, 1),
            DateWord::Yesterday => self.set_today(cx, -1),
            DateWord::Epoch => self.set_meaning(Meaning::Epoch),
            DateWord::Infinity => self.set_meaning(Meaning::Infinity),
            DateWord::NegativeInfinity => self.set_meaning(Meaning::NegativeInfinity),
            DateWord::Month(month) => {
                let mut set = Mask::MONTH;
                if known.intersects(Mask::MONTH)
                    && !self.have_text_month
                    && !known.intersects(Mask::DAY)
                    && (1..=31).contains(&self.month)
                {
                    // The number before it was the day after all.
                    self.day = self.month;
                    set = Mask::DAY;
                }
                self.have_text_month = true;
                self.month = month;
                set
            }
            DateWord::Weekday => Mask::WEEKDAY,
            DateWord::Am => {
                self.meridiem = Meridiem::Am;
                Mask::MERIDIEM
            }
            DateWord::Pm => {
                self.meridiem = Meridiem::Pm;
                Mask::MERIDIEM
            }
            DateWord::Ad => Mask::ERA,
            DateWord::Bc => {
                self.is_bc = true;
                Mask::ERA
            }
            DateWord::DaylightSaving => {
                let Zone::Offset(seconds) = self.zone else { return Err(Refusal::BadFormat) };
                self.zone = Zone::Offset(seconds + 3600);
                Mask::DAYLIGHT_SAVING
            }
            DateWord::TimeFollows => {
                let next = fields.get(index + 1).map(|field| field.kind);
                let date_is_known = self.time_only || known.contains(Mask::DATE);
                if !date_is_known || !matches!(next, Some(FieldKind::Number | FieldKind::Time | FieldKind::Date)) {
                    return Err(Refusal::BadFormat);
                }
                self.label = Some(Label::Time);
                Mask::NONE
            }
            DateWord::Label(label) => {
                self.label = Some(label);
                Mask::NONE
            }
        }))
    }

    fn set_meaning(&mut self, meaning: Meaning) -> Mask {
        self.meaning = meaning;
        Mask::DATE | Mask::TIME | Mask::ZONE
    }

    /// The session's date, some days on.
    fn set_today(&mut self, cx: &FormatContext, days_later: i64) -> Mask {
        let (days, _) = calendar::split_days(cx.time_zone.utc_to_local(cx.now_micros));
        self.set_date(days + days_later);
        Mask::DATE
    }

    fn set_julian_day(&mut self, day: i32) -> Result<(), Refusal> {
        if day < 0 {
            return Err(Refusal::FieldOverflow);
        }
        self.set_date(i64::from(day) - i64::from(JULIAN_DAY_OF_EPOCH));
        Ok(())
    }

    fn set_date(&mut self, days: i64) {
        let date = calendar::civil_from_days(days);
        (self.year, self.month, self.day) = (date.year, date.month, date.day);
        self.is_julian = true;
    }

    fn set_time(&mut self, micros: i64) {
        let time = calendar::civil_from_time(micros);
        (self.hour, self.minute, self.second) = (i64::from(time.hour), time.minute, time.second);
        self.micros = i64::from(time.micros);
    }

    /// A day has up to 24:00:00, a minute up to 60 seconds.
    fn check_clock(&self) -> Result<(), Refusal> {
        let in_range = (0..=24).contains(&self.hour)
            && (0..=59).contains(&self.minute)
            && (0..=60).contains(&self.second)
            && (0..=1_000_000).contains(&self.micros)
            && self.time_micros() <= MICROS_PER_DAY;
        if in_range { Ok(()) } else { Err(Refusal::FieldOverflow) }
    }

    /// Settles what needs the whole: year, day of the year, 12-hour clock; checks month and day.
    fn finish(&mut self, known: Mask) -> Result<(), Refusal> {
        if self.meaning != Meaning::Fields {
            return Ok(());
        }
        if known.contains(Mask::YEAR) && !self.is_julian {
            self.finish_year()?;
        }
        if known.contains(Mask::DAY_OF_YEAR) {
            let days = calendar::days_from_civil(self.year, 1, 1) + i64::from(self.day_of_year) - 1;
            let date = calendar::civil_from_days(days);
            (self.month, self.day) = (date.month, date.day);
            self.year = date.year;
        }
        let month_fits = !known.contains(Mask::MONTH) || (1..=12).contains(&self.month);
        let day_fits = !known.contains(Mask::DAY) || (1..=31).contains(&self.day);
        if !month_fits || !day_fits {
            return Err(Refusal::MonthOrDayOverflow);
        }
        if known.contains(Mask::DATE) && self.day > calendar::days_in_month(self.year, self.month) {
            return Err(Refusal::FieldOverflow);
        }
        if self.meridiem != Meridiem::TwentyFourHours && self.hour > 12 {
            return Err(Refusal::FieldOverflow);
        }
        match self.meridiem {
            Meridiem::Am if self.hour == 12 => self.hour = 0,
            Meridiem::Pm if self.hour != 12 => self.hour += 12,
            _ => {}
        }
        Ok(())
    }

    fn finish_year(&mut self) -> Result<(), Refusal> {
        if self.is_bc {
            if self.year <= 0 {
                return Err(Refusal::FieldOverflow);
            }
            self.year = 1 - self.year;
        } else if self.is_short_year {
            self.year += match self.year {
                0..70 => 2000,
                70..100 => 1900,
                _ => 0,
            };
        } else if self.year <= 0 {
            return Err(Refusal::FieldOverflow);
        }
        Ok(())
    }
}
