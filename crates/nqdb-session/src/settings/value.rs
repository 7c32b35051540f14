//! Reading and printing the values of settings: `1min` is 60000 ms, `65536` kB is printed as `64MB`.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{DateStyle, TimeZone};

use super::definition::{Definition, Kind, Unit};

/// Longer names are cut, as identifiers are.
const NAME_BYTES_MAX: usize = 63;

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Value {
    /// Checks a value as SET, `set_config` and start-up options give it. `current` is the setting's value now, which a
    /// date style that names one part only keeps in the other.
    ///
    /// Errors: 22023 in PostgreSQL's words; 0A000 for values that are valid in PostgreSQL and not offered here.
    pub fn parse(definition: &Definition, text: &str, current: &str) -> SqlResult<Value> {
        match definition.kind {
            Kind::Bool => parse_bool(text).map(Value::Bool).ok_or_else(|| {
                SqlError::new(
                    INVALID_PARAMETER_VALUE,
                    format!("parameter \"{}\" requires a Boolean value", definition.name),
                )
            }),
            Kind::Integer { min, max, unit } => parse_integer(definition, text, min, max, unit),
            Kind::Real { min, max } => parse_real(definition, text, min, max),
            Kind::Choice(choices) => parse_choice(definition, text, choices),
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Name => Ok(Value::Text(clean_name(text))),
            Kind::Fixed => parse_fixed(definition, text),
            Kind::DateStyle => {
                let base = DateStyle::default().parse(current).unwrap_or_default();
                match base.parse(text) {
                    Some(style) => Ok(Value::Text(style.name().to_owned())),
                    None => Err(invalid(definition, text)),
                }
            }
            Kind::TimeZone => match TimeZone::from_setting(text) {
                Some(zone) => Ok(Value::Text(zone.name().to_owned())),
                None => Err(invalid(definition, text)),
            },
            Kind::Encoding => parse_encoding(definition, text),
            Kind::SearchPath => match super::search_path::split(text) {
                Some(_) => Ok(Value::Text(text.to_owned())),
                None => Err(invalid(definition, text).with_detail("List syntax is invalid.")),
            },
        }
    }

    /// As SHOW prints it.
    pub fn show(&self, definition: &Definition) -> String {
        match (self, definition.kind) {
            (Value::Bool(value), _) => (if *value { "on" } else { "off" }).to_owned(),
            (Value::Integer(value), Kind::Integer { unit, .. }) => show_integer(*value, unit),
            (Value::Integer(value), _) => value.to_string(),
            (Value::Real(value), _) => value.to_string(),
            (Value::Text(value), _) => value.clone(),
        }
    }
}

/// `on`, `true`, `yes`, `1` and their opposites, in any case and shortened as long as they stay unique.
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}

/// Cut as an identifier is; bytes beyond printable ASCII become question marks (manual, `application_name`).
fn clean_name(text: &str) -> String {
    let cut = &text.as_bytes()[..text.floor_char_boundary(NAME_BYTES_MAX)];
    cut.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' }).collect()
}

fn invalid(definition: &Definition, text: &str) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{}\": \"{text}\"", definition.name))
}

fn parse_choice(definition: &Definition, text: &str, choices: &[&'static str]) -> SqlResult<Value> {
    if let Some(choice) = choices.iter().find(|choice| choice.eq_ignore_ascii_case(text)) {
        return Ok(Value::Text((*choice).to_owned()));
    }
    // Where on and off are choices, other spellings of a Boolean mean them.
    if choices.contains(&"on")
        && let Some(value) = parse_bool(text)
    {
        return Ok(Value::Text((if value { "on" } else { "off" }).to_owned()));
    }
    Err(invalid(definition, text).with_hint(format!("Available values: {}.", choices.join(", "))))
}

fn parse_fixed(definition: &Definition, text: &str) -> SqlResult<Value> {
    let same = text.eq_ignore_ascii_case(definition.default)
        || parse_bool(definition.default).is_some_and(|default| parse_bool(text) == Some(default));
    if same {
        return Ok(Value::Text(definition.default.to_owned()));
    }
    Err(SqlError::unsupported(format!("the value \"{text}\" of parameter \"{}\"", definition.name)))
}

fn parse_encoding(definition: &Definition, text: &str) -> SqlResult<Value> {
    let squeezed: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    match squeezed.as_str() {
        "utf8" | "unicode" => Ok(Value::Text("UTF8".to_owned())),
        "sqlascii" | "latin1" | "latin2" | "latin9" | "iso88591" | "iso885915" | "win1250" | "win1251" | "win1252"
        | "windows1252" | "eucjp" | "euckr" | "euccn" | "sjis" | "big5" | "gbk" | "gb18030" | "koi8r" => {
            Err(SqlError::unsupported(format!("client encoding \"{text}\"")))
        }
        _ => Err(invalid(definition, text)),
    }
}

/// Units with what one of them is worth in the base unit, as a fraction; largest first.
fn units(unit: Unit) -> &'static [(&'static str, f64)] {
    match unit {
        Unit::None => &[],
        Unit::Milliseconds => {
            &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)]
        }
        Unit::Seconds => &[("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001), ("us", 0.000_001)],
        Unit::Kilobytes => {
            &[("TB", 1_073_741_824.0), ("GB", 1_048_576.0), ("MB", 1024.0), ("kB", 1.0), ("B", 1.0 / 1024.0)]
        }
        Unit::Pages => &[("TB", 134_217_728.0), ("GB", 131_072.0), ("MB", 128.0), ("kB", 0.125), ("B", 1.0 / 8192.0)],
    }
}

fn unit_hint(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::None => None,
        Unit::Milliseconds | Unit::Seconds => {
            Some("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")
        }
        Unit::Kilobytes | Unit::Pages => {
            Some("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
        }
    }
}

fn parse_integer(definition: &Definition, text: &str, min: i64, max: i64, unit: Unit) -> SqlResult<Value> {
    let text_trimmed = text.trim();
    let digits = text_trimmed
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.')))
        .unwrap_or(text_trimmed.len());
    let (number, suffix) = text_trimmed.split_at(digits);
    let number: f64 = number.parse().map_err(|_| invalid(definition, text))?;
    let suffix = suffix.trim();
    let factor = match units(unit).iter().find(|(name, _)| *name == suffix) {
        Some((_, factor)) => *factor,
        None if suffix.is_empty() => 1.0,
        None => {
            let error = invalid(definition, text);
            return Err(match unit_hint(unit) {
                Some(hint) => error.with_hint(hint),
                None => error,
            });
        }
    };
    let value = (number * factor).round_ties_even();
    if !value.is_finite() || value.abs() > f64::from(i32::MAX) {
        return Err(invalid(definition, text).with_hint("Value exceeds integer range."));
    }
    let value = value as i64;
    if value < min || value > max {
        let unit_name = match unit {
            Unit::None => "",
            Unit::Milliseconds => " ms",
            Unit::Seconds => " s",
            Unit::Kilobytes => " kB",
            Unit::Pages => " 8kB",
        };
        return Err(SqlError::new(
            INVALID_PARAMETER_VALUE,
            format!(
                "{value}{unit_name} is outside the valid range for parameter \"{}\" ({min} .. {max})",
                definition.name
            ),
        ));
    }
    Ok(Value::Integer(value))
}

fn parse_real(definition: &Definition, text: &str, min: f64, max: f64) -> SqlResult<Value> {
    let value: f64 = text.trim().parse().map_err(|_| invalid(definition, text))?;
    if !value.is_finite() {
        return Err(invalid(definition, text));
    }
    if value < min || value > max {
        return Err(SqlError::new(
            INVALID_PARAMETER_VALUE,
            format!("{value} is outside the valid range for parameter \"{}\" ({min} .. {max})", definition.name),
        ));
    }
    Ok(Value::Real(value))
}

/// In the largest unit that shows it exactly.
fn show_integer(value: i64, unit: Unit) -> String {
    if value <= 0 {
        return value.to_string();
    }
    for (name, factor) in units(unit) {
        let count = value as f64 / factor;
        if count.fract() == 0.0 && count >= 1.0 {
            return format!("{count}{name}");
        }
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::definition::{DEFINITIONS, position};
    use super::*;

    fn parse(name: &str, text: &str) -> Result<String, String> {
        let definition = &DEFINITIONS[position(name).unwrap()];
        match Value::parse(definition, text, definition.default) {
            Ok(value) => Ok(value.show(definition)),
            Err(error) => Err(format!("{} {}", error.code(), error.message())),
        }
    }

    #[test]
    fn every_default_is_a_valid_value_and_shows_as_itself() {
        for definition in DEFINITIONS {
            let value = Value::parse(definition, definition.default, definition.default).unwrap();
            assert_eq!(value.show(definition), definition.default, "{}", definition.name);
        }
    }

    #[test]
    fn numbers_take_units_and_show_in_the_largest_exact_one() {
        assert_eq!(parse("statement_timeout", "1500"), Ok("1500ms".into()));
        assert_eq!(parse("statement_timeout", "90s"), Ok("90s".into()));
        assert_eq!(parse("statement_timeout", "2min"), Ok("2min".into()));
        assert_eq!(parse("statement_timeout", "0.5 s"), Ok("500ms".into()));
        assert_eq!(parse("work_mem", "65536"), Ok("64MB".into()));
        assert_eq!(parse("work_mem", "1GB"), Ok("1GB".into()));
        assert_eq!(
            parse("statement_timeout", "-1"),
            Err("22023 -1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)".into())
        );
        assert_eq!(
            parse("statement_timeout", "5 fortnights"),
            Err("22023 invalid value for parameter \"statement_timeout\": \"5 fortnights\"".into())
        );
        assert_eq!(
            parse("extra_float_digits", "4"),
            Err("22023 4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)".into())
        );
    }

    #[test]
    fn booleans_may_be_shortened() {
        assert_eq!(parse("jit", "TRU"), Ok("on".into()));
        assert_eq!(parse("jit", "of"), Ok("off".into()));
        assert_eq!(parse("jit", "o"), Err("22023 parameter \"jit\" requires a Boolean value".into()));
    }

    #[test]
    fn what_is_not_obeyed_is_refused() {
        assert_eq!(parse("standard_conforming_strings", "on"), Ok("on".into()));
        assert!(parse("standard_conforming_strings", "off").unwrap_err().starts_with("0A000"));
        assert_eq!(parse("application_name", "caf\u{e9} \t1"), Ok("caf?? ?1".into()));
        assert_eq!(parse("application_name", &"\u{e9}".repeat(100)), Ok("?".repeat(62)));
        assert_eq!(parse("client_encoding", "utf-8"), Ok("UTF8".into()));
        assert!(parse("client_encoding", "LATIN1").unwrap_err().starts_with("0A000"));
        assert_eq!(
            parse("client_encoding", "klingon"),
            Err("22023 invalid value for parameter \"client_encoding\": \"klingon\"".into())
        );
    }
}
