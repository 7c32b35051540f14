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
            Kind::Real { min, max, unit } => parse_real(definition, text, min, max, unit),
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
            (Value::Real(value), Kind::Real { unit, .. }) => show_real(*value, unit),
            (Value::Real(value), _) => short_real(*value),
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
    nqdb_catalog::clip(text, NAME_BYTES_MAX)
        .bytes()
        .map(|byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' })
        .collect()
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
        Unit::Bytes => {
            &[("TB", 1_099_511_627_776.0), ("GB", 1_073_741_824.0), ("MB", 1_048_576.0), ("kB", 1024.0), ("B", 1.0)]
        }
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
        Unit::Bytes | Unit::Kilobytes | Unit::Pages => {
            Some("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
        }
    }
}

/// A number with a unit that the setting allows, in the setting's own unit.
fn parse_quantity(definition: &Definition, text: &str, unit: Unit) -> SqlResult<f64> {
    let text_trimmed = text.trim();
    let digits = text_trimmed
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.')))
        .unwrap_or(text_trimmed.len());
    // An exponent belongs to the number: `1e3`, `2.5e-1ms`.
    let exponent = text_trimmed.get(digits..).filter(|rest| rest.starts_with(['e', 'E'])).map_or(0, |rest| {
        let sign = usize::from(rest.get(1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
        let len = rest.bytes().skip(1 + sign).take_while(u8::is_ascii_digit).count();
        if len == 0 { 0 } else { 1 + sign + len }
    });
    let (number, suffix) = text_trimmed.split_at(digits + exponent);
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
    let value = number * factor;
    if value.is_finite() { Ok(value) } else { Err(invalid(definition, text)) }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Bytes => " B",
        Unit::Milliseconds => " ms",
        Unit::Seconds => " s",
        Unit::Kilobytes => " kB",
        Unit::Pages => " 8kB",
    }
}

fn out_of_range(definition: &Definition, value: &str, unit: Unit, min: &str, max: &str) -> SqlError {
    let message = format!(
        "{value}{} is outside the valid range for parameter \"{}\" ({min} .. {max})",
        unit_name(unit),
        definition.name
    );
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

fn parse_integer(definition: &Definition, text: &str, min: i64, max: i64, unit: Unit) -> SqlResult<Value> {
    let value = parse_quantity(definition, text, unit)?.round_ties_even();
    if value.abs() > f64::from(i32::MAX) {
        return Err(invalid(definition, text).with_hint("Value exceeds integer range."));
    }
    let value = value as i64;
    if value < min || value > max {
        return Err(out_of_range(definition, &value.to_string(), unit, &min.to_string(), &max.to_string()));
    }
    Ok(Value::Integer(value))
}

fn parse_real(definition: &Definition, text: &str, min: f64, max: f64, unit: Unit) -> SqlResult<Value> {
    let value = parse_quantity(definition, text, unit)?;
    if value < min || value > max {
        return Err(out_of_range(definition, &short_real(value), unit, &short_real(min), &short_real(max)));
    }
    Ok(Value::Real(value))
}

/// In the largest unit in which it is a whole number, or else in the smallest one.
fn show_real(value: f64, unit: Unit) -> String {
    let exact = |factor: f64| ((value / factor).round() / (value / factor) - 1.0).abs() <= 1e-8;
    let units = units(unit);
    match units.iter().find(|(_, factor)| exact(*factor)).or(units.last()) {
        Some((name, factor)) if value > 0.0 => format!("{}{name}", short_real(value / factor)),
        _ => short_real(value),
    }
}

/// With six significant digits, as C's `%g` prints it.
pub fn short_real(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
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
        for definition in DEFINITIONS.iter() {
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
    fn real_numbers_take_units_too() {
        assert_eq!(parse("vacuum_cost_delay", "40"), Ok("40ms".into()));
        assert_eq!(parse("vacuum_cost_delay", "900us"), Ok("900us".into()));
        assert_eq!(parse("vacuum_cost_delay", "0"), Ok("0".into()));
        assert_eq!(parse("seq_page_cost", "1e3"), Ok("1000".into()));
        assert_eq!(parse("random_page_cost", "1234567"), Ok("1.23457e+06".into()));
        let out = |name: &str, text: &str| parse(name, text).unwrap_err();
        assert_eq!(
            out("seq_page_cost", "-1"),
            "22023 -1 is outside the valid range for parameter \"seq_page_cost\" (0 .. 1.79769e+308)"
        );
        assert_eq!(
            out("vacuum_cost_delay", "101"),
            "22023 101 ms is outside the valid range for parameter \"vacuum_cost_delay\" (0 .. 100)"
        );
        assert_eq!(out("seq_page_cost", "NaN"), "22023 invalid value for parameter \"seq_page_cost\": \"NaN\"");
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
