//! The words of dates and of intervals. PostgreSQL looks at the first ten letters of a word.

/// A word in a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateWord {
    Epoch,
    Infinity,
    NegativeInfinity,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    /// `allballs`: midnight UTC.
    Midnight,
    /// 1 to 12.
    Month(i32),
    /// A weekday, which is read and not used.
    Weekday,
    Am,
    Pm,
    Ad,
    Bc,
    /// `dst` behind a zone.
    DaylightSaving,
    /// A word without meaning: `at`, `on`.
    Filler,
    /// `t` between date and time.
    TimeFollows,
    /// A label of the number that follows.
    Label(Label),
}

/// What the number after a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    JulianDay,
    /// What follows a `t`.
    Time,
    /// `dow`, `doy` and the like, which no number may follow.
    NotForInput,
}

/// A word in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntervalWord {
    Unit(Unit),
    Ago,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
    /// Words such as `quarter`, which are units elsewhere but not in input.
    NotForInput,
}

/// Letters of a word that count.
const WORD_LEN_MAX: usize = 10;

fn significant(word: &str) -> &str {
    word.get(..WORD_LEN_MAX).unwrap_or(word)
}

/// The meaning of a word, in lower case, in a date or time.
pub(super) fn date_word(word: &str) -> Option<DateWord> {
    Some(match significant(word) {
        "-infinity" => DateWord::NegativeInfinity,
        "infinity" => DateWord::Infinity,
        "epoch" => DateWord::Epoch,
        "now" => DateWord::Now,
        "today" => DateWord::Today,
        "tomorrow" => DateWord::Tomorrow,
        "yesterday" => DateWord::Yesterday,
        "allballs" => DateWord::Midnight,
        "jan" | "january" => DateWord::Month(1),
        "feb" | "february" => DateWord::Month(2),
        "mar" | "march" => DateWord::Month(3),
        "apr" | "april" => DateWord::Month(4),
        "may" => DateWord::Month(5),
        "jun" | "june" => DateWord::Month(6),
        "jul" | "july" => DateWord::Month(7),
        "aug" | "august" => DateWord::Month(8),
        "sep" | "sept" | "september" => DateWord::Month(9),
        "oct" | "october" => DateWord::Month(10),
        "nov" | "november" => DateWord::Month(11),
        "dec" | "december" => DateWord::Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => DateWord::Weekday,
        "am" => DateWord::Am,
        "pm" => DateWord::Pm,
        "ad" => DateWord::Ad,
        "bc" => DateWord::Bc,
        "dst" => DateWord::DaylightSaving,
        "at" | "on" => DateWord::Filler,
        "t" => DateWord::TimeFollows,
        "y" => DateWord::Label(Label::Year),
        "m" => DateWord::Label(Label::Month),
        "d" => DateWord::Label(Label::Day),
        "h" => DateWord::Label(Label::Hour),
        "mm" => DateWord::Label(Label::Minute),
        "s" => DateWord::Label(Label::Second),
        "j" | "jd" | "julian" => DateWord::Label(Label::JulianDay),
        "dow" | "doy" | "isodow" | "isoyear" => DateWord::Label(Label::NotForInput),
        _ => return None,
    })
}

/// The meaning of a word, in lower case, in an interval.
pub(super) fn interval_word(word: &str) -> Option<IntervalWord> {
    Some(IntervalWord::Unit(match significant(word) {
        "ago" => return Some(IntervalWord::Ago),
        "us" | "usec" | "usecond" | "useconds" | "usecs" | "microsecon" => Unit::Microsecond,
        "ms" | "msec" | "msecond" | "mseconds" | "msecs" | "millisecon" => Unit::Millisecond,
        "s" | "sec" | "second" | "seconds" | "secs" => Unit::Second,
        "m" | "min" | "minute" | "minutes" | "mins" => Unit::Minute,
        "h" | "hour" | "hours" | "hr" | "hrs" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "year" | "years" | "yr" | "yrs" => Unit::Year,
        "dec" | "decade" | "decades" | "decs" => Unit::Decade,
        "c" | "cent" | "centuries" | "century" => Unit::Century,
        "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
        "qtr" | "quarter" | "timezone" | "timezone_h" | "timezone_m" => Unit::NotForInput,
        _ => return None,
    }))
}
