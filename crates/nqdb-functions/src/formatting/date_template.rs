//! Date templates such as `FMDay, DD Mon YYYY HH24:MI`: their patterns, modifiers and literal text.

/// What a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era {
        dots: bool,
    },
    Meridiem {
        dots: bool,
    },
    Century,
    DayName,
    DayNameShort,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    Fraction(u32),
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDayOfWeek,
    IsoWeek,
    IsoYear(u32),
    Julian,
    Minute,
    Month,
    MonthName,
    MonthNameShort,
    Milliseconds,
    Offset,
    OffsetHours,
    OffsetMinutes,
    Quarter,
    RomanMonth,
    SecondOfDay,
    Second,
    ZoneName,
    Microseconds,
    WeekOfYear,
    WeekOfMonth,
    YearWithComma,
    Year(u32),
    /// `FX`: no output of its own.
    Exact,
}

/// How a name is written: as the pattern's own letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    Capitalized,
}

impl Case {
    pub(super) fn apply(self, name: &str) -> String {
        match self {
            Case::Upper => name.to_ascii_uppercase(),
            Case::Lower => name.to_ascii_lowercase(),
            Case::Capitalized => name.to_string(),
        }
    }
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(char),
    /// Out of a text in double quotes.
    Quoted(char),
    Pattern {
        field: Field,
        case: Case,
        /// `FM`: without padding.
        fill: bool,
        /// `TH` or `th` after it.
        ordinal: Option<Case>,
    },
}

/// Patterns in upper case; a longer one stands before those that it starts with.
const PATTERNS: &[(&str, Field)] = &[
    ("A.D.", Field::Era { dots: true }),
    ("B.C.", Field::Era { dots: true }),
    ("AD", Field::Era { dots: false }),
    ("BC", Field::Era { dots: false }),
    ("A.M.", Field::Meridiem { dots: true }),
    ("P.M.", Field::Meridiem { dots: true }),
    ("AM", Field::Meridiem { dots: false }),
    ("PM", Field::Meridiem { dots: false }),
    ("CC", Field::Century),
    ("DAY", Field::DayName),
    ("DDD", Field::DayOfYear),
    ("DD", Field::DayOfMonth),
    ("DY", Field::DayNameShort),
    ("D", Field::DayOfWeek),
    ("FX", Field::Exact),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("IDDD", Field::IsoDayOfYear),
    ("ID", Field::IsoDayOfWeek),
    ("IW", Field::IsoWeek),
    ("IYYY", Field::IsoYear(4)),
    ("IYY", Field::IsoYear(3)),
    ("IY", Field::IsoYear(2)),
    ("I", Field::IsoYear(1)),
    ("J", Field::Julian),
    ("MI", Field::Minute),
    ("MM", Field::Month),
    ("MONTH", Field::MonthName),
    ("MON", Field::MonthNameShort),
    ("MS", Field::Milliseconds),
    ("OF", Field::Offset),
    ("Q", Field::Quarter),
    ("RM", Field::RomanMonth),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("TZH", Field::OffsetHours),
    ("TZM", Field::OffsetMinutes),
    ("TZ", Field::ZoneName),
    ("US", Field::Microseconds),
    ("WW", Field::WeekOfYear),
    ("W", Field::WeekOfMonth),
    ("Y,YYY", Field::YearWithComma),
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("Y", Field::Year(1)),
];

impl Field {
    /// The pattern that stands for it.
    pub(super) fn name(self) -> &'static str {
        PATTERNS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    /// Whether it is written in digits, so that only its place says where the number before it ends.
    pub(super) fn is_digits(self) -> bool {
        !matches!(
            self,
            Field::Era { .. }
                | Field::Meridiem { .. }
                | Field::DayName
                | Field::DayNameShort
                | Field::MonthName
                | Field::MonthNameShort
                | Field::RomanMonth
                | Field::ZoneName
                | Field::Offset
                | Field::OffsetHours
                | Field::Exact
        )
    }

    /// Whether it belongs to dates by ISO weeks, or to those by months; none for what goes with both.
    pub(super) fn is_iso(self) -> Option<bool> {
        match self {
            Field::IsoDayOfYear | Field::IsoDayOfWeek | Field::IsoWeek | Field::IsoYear(_) => Some(true),
            Field::DayOfYear
            | Field::DayOfMonth
            | Field::DayOfWeek
            | Field::Month
            | Field::MonthName
            | Field::MonthNameShort
            | Field::RomanMonth
            | Field::WeekOfYear
            | Field::WeekOfMonth
            | Field::YearWithComma
            | Field::Year(_) => Some(false),
            _ => None,
        }
    }

    fn is_of_time(self) -> bool {
        matches!(
            self,
            Field::Meridiem { .. }
                | Field::Hour24
                | Field::Hour12
                | Field::Minute
                | Field::Milliseconds
                | Field::SecondOfDay
                | Field::Second
                | Field::Microseconds
        )
    }

    fn is_of_zone(self) -> bool {
        matches!(self, Field::Offset | Field::OffsetHours | Field::OffsetMinutes | Field::ZoneName)
    }
}

impl Piece {
    pub(super) fn is_of_time(&self) -> bool {
        matches!(self, Piece::Pattern { field, .. } if field.is_of_time())
    }

    pub(super) fn is_of_zone(&self) -> bool {
        matches!(self, Piece::Pattern { field, .. } if field.is_of_zone())
    }

    pub(super) fn is_of_date(&self) -> bool {
        let is_date = |field: Field| field != Field::Exact && !field.is_of_time() && !field.is_of_zone();
        matches!(self, Piece::Pattern { field, .. } if is_date(*field))
    }
}

/// Takes a prefix off, in any case.
fn strip<'a>(text: &'a str, upper: &str) -> Option<&'a str> {
    let head = text.get(..upper.len())?;
    head.eq_ignore_ascii_case(upper).then(|| text.get(upper.len()..).unwrap_or(""))
}

/// Takes a template apart.
pub(super) fn parse(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let mut fill = false;
        loop {
            if let Some(after) = strip(rest, "FM") {
                fill = true;
                rest = after;
            } else if let Some(after) = strip(rest, "TM") {
                rest = after;
            } else {
                break;
            }
        }
        if let Some((field, case, after)) = pattern(rest) {
            rest = after;
            let ordinal = if let Some(after) = rest.strip_prefix("TH") {
                rest = after;
                Some(Case::Upper)
            } else if let Some(after) = rest.strip_prefix("th") {
                rest = after;
                Some(Case::Lower)
            } else {
                None
            };
            pieces.push(Piece::Pattern { field, case, fill, ordinal });
        } else if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted_text(quoted, &mut pieces);
        } else {
            let rest_after_escape = rest.strip_prefix("\\\"").map(|after| ('"', after));
            let mut characters = rest.chars();
            let (literal, after) = match rest_after_escape {
                Some(escaped) => escaped,
                None => match characters.next() {
                    Some(literal) => (literal, characters.as_str()),
                    None => break,
                },
            };
            pieces.push(Piece::Literal(literal));
            rest = after;
        }
    }
    pieces
}

fn quoted_text<'a>(quoted: &'a str, pieces: &mut Vec<Piece>) -> &'a str {
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => pieces.extend(characters.next().map(Piece::Quoted)),
            _ => pieces.push(Piece::Quoted(character)),
        }
    }
    characters.as_str()
}

fn pattern(text: &str) -> Option<(Field, Case, &str)> {
    PATTERNS.iter().find_map(|(pattern, field)| {
        let after = strip(text, pattern)?;
        let letters: Vec<u8> = text.bytes().take(pattern.len()).filter(u8::is_ascii_alphabetic).collect();
        let case = match letters.as_slice() {
            [first, ..] if first.is_ascii_lowercase() => Case::Lower,
            [_, second, ..] if second.is_ascii_lowercase() => Case::Capitalized,
            _ => Case::Upper,
        };
        Some((*field, case, after))
    })
}
