//! Floats as text.
//!
//! With `extra_float_digits` above 0, the default, the shortest digits that read back as the same float;
//! otherwise so many significant digits as C's `%g` would give. Exponents start at 1e+15 for float8 and
//! 1e+06 for float4, and below 1e-04.
//!
//! PostgreSQL takes care not to print a number that lies exactly half way between two floats, though
//! reading it back with rounding to even would give the right one: 1e23 is `9.999999999999999e+22`. Rust's
//! shortest digits may lie there, so such digits are told and replaced.

use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};

use super::{invalid_syntax, is_space, trim};
use crate::Sink;

/// What differs between the two widths.
struct Width {
    /// Digits that always survive (C's `DBL_DIG`), from which the exponent form begins.
    decimal_digits: i32,
    type_name: &'static str,
}

const FLOAT4: Width = Width { decimal_digits: 6, type_name: "real" };
const FLOAT8: Width = Width { decimal_digits: 15, type_name: "double precision" };

/// Appends a float8.
pub(crate) fn write_f64<S: Sink>(out: &mut S, value: f64, extra_float_digits: i32) {
    if !value.is_finite() {
        write_special(out, value);
    } else if extra_float_digits > 0 {
        let half_way = |text: &str| is_half_way(text, value.abs().to_bits(), 52, 1075);
        let reads_back = |text: &str| text.parse().is_ok_and(|parsed: f64| parsed == value);
        let text = settle_digits(format!("{value:e}"), value, &FLOAT8, half_way, reads_back);
        write_scientific(out, &text, FLOAT8.decimal_digits);
    } else {
        write_rounded(out, value, FLOAT8.decimal_digits + extra_float_digits);
    }
}

/// Appends a float4.
pub(crate) fn write_f32<S: Sink>(out: &mut S, value: f32, extra_float_digits: i32) {
    let wide = f64::from(value);
    if !value.is_finite() {
        write_special(out, wide);
    } else if extra_float_digits > 0 {
        let half_way = |text: &str| is_half_way(text, u64::from(value.abs().to_bits()), 23, 150);
        let reads_back = |text: &str| text.parse().is_ok_and(|parsed: f32| parsed == value);
        let text = settle_digits(format!("{value:e}"), wide, &FLOAT4, half_way, reads_back);
        write_scientific(out, &text, FLOAT4.decimal_digits);
    } else {
        write_rounded(out, wide, FLOAT4.decimal_digits + extra_float_digits);
    }
}

/// Rust's shortest digits as PostgreSQL would have them.
///
/// Digits half way to a neighbour give way to longer ones. And of two that are equally near to the float,
/// which only happens to long ones, the even is taken.
fn settle_digits(
    text: String,
    value: f64,
    width: &Width,
    is_half_way: impl Fn(&str) -> bool,
    reads_back: impl Fn(&str) -> bool,
) -> String {
    let digit_count = text.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    if is_half_way(&text) {
        return (digit_count..=17)
            .map(|fraction_digits| trim_mantissa(&format!("{value:.fraction_digits$e}")))
            .find(|digits| reads_back(digits) && !is_half_way(digits))
            .unwrap_or(text);
    }
    if digit_count < width.decimal_digits as usize {
        return text;
    }
    let even = trim_mantissa(&format!("{value:.*e}", digit_count - 1));
    if reads_back(&even) { even } else { text }
}

/// Without zeros at the end of the mantissa: `1.50e7` is `1.5e7`.
fn trim_mantissa(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => {
            format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_string(),
    }
}

fn write_special<S: Sink>(out: &mut S, value: f64) {
    out.put(match value {
        value if value.is_nan() => b"NaN".as_slice(),
        value if value > 0.0 => b"Infinity",
        _ => b"-Infinity",
    });
}

/// Whether digits such as `1e23` lie exactly half way between a float and one of its neighbours.
///
/// The float is m * 2^e. Half way to a neighbour is (2m + 1) * 2^(e-1), or (2m - 1). With d * 10^q for the
/// digits, 5^q must divide that odd number, which bounds q at 0 to 23: numbers of other size never do.
fn is_half_way(text: &str, bits: u64, mantissa_bits: u32, exponent_bias: i32) -> bool {
    let biased = (bits >> mantissa_bits) as i32;
    let Some((mantissa, exponent)) = text.trim_start_matches('-').split_once('e') else { return false };
    let fraction_digits = mantissa.len().saturating_sub(2) as i32;
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let ten_power = exponent - fraction_digits;
    if biased == 0 || !(0..=23).contains(&ten_power) {
        return false;
    }
    let Ok(digits) = mantissa.replace('.', "").parse::<u128>() else { return false };
    if digits == 0 {
        return false;
    }
    let odd_digits = (digits >> digits.trailing_zeros()) * 5u128.pow(ten_power as u32);
    let twos = digits.trailing_zeros() as i32 + ten_power;
    let significand = u128::from(bits & ((1 << mantissa_bits) - 1) | 1 << mantissa_bits);
    let half_exponent = biased - exponent_bias - 1;
    twos == half_exponent && (odd_digits == 2 * significand + 1 || odd_digits == 2 * significand - 1)
}

/// `1.5e-7` in PostgreSQL's layout: plain digits for exponents from -4 up to the width's limit.
fn write_scientific<S: Sink>(out: &mut S, text: &str, decimal_digits: i32) {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text),
    };
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    out.put(sign.as_bytes());
    if exponent < -4 || exponent >= decimal_digits {
        out.put(mantissa.as_bytes());
        write_exponent(out, exponent);
    } else if exponent < 0 {
        out.put(b"0.");
        put_zeros(out, -exponent - 1);
        out.put(first.as_bytes());
        out.put(rest.as_bytes());
    } else {
        let (before, behind) = rest.split_at(rest.len().min(exponent as usize));
        out.put(first.as_bytes());
        out.put(before.as_bytes());
        put_zeros(out, exponent - before.len() as i32);
        if !behind.is_empty() {
            out.put_byte(b'.');
            out.put(behind.as_bytes());
        }
    }
}

/// As C's `%.{digits}g`.
fn write_rounded<S: Sink>(out: &mut S, value: f64, significant_digits: i32) {
    let significant_digits = significant_digits.max(1);
    let text = format!("{value:.*e}", (significant_digits - 1) as usize);
    write_scientific(out, &trim_mantissa(&text), significant_digits);
}

/// `e+20`, `e-05`: a sign and at least two digits.
fn write_exponent<S: Sink>(out: &mut S, exponent: i32) {
    out.put(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.put_byte(b'0');
    }
    out.put(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

fn put_zeros<S: Sink>(out: &mut S, count: i32) {
    for _ in 0..count {
        out.put_byte(b'0');
    }
}

/// Reads a float8; 22P02 when it is none, 22003 beyond the largest or below the smallest.
pub(super) fn parse_f64(text: &str) -> SqlResult<f64> {
    let number = number_of(text, &FLOAT8)?;
    let value: f64 = number.parse().map_err(|_| invalid_syntax(FLOAT8.type_name, text))?;
    check_range(number, value.is_infinite(), value == 0.0, &FLOAT8)?;
    Ok(value)
}

/// Reads a float4; 22P02 when it is none, 22003 beyond the largest or below the smallest.
pub(super) fn parse_f32(text: &str) -> SqlResult<f32> {
    let number = number_of(text, &FLOAT4)?;
    let value: f32 = number.parse().map_err(|_| invalid_syntax(FLOAT4.type_name, text))?;
    check_range(number, value.is_infinite(), value == 0.0, &FLOAT4)?;
    Ok(value)
}

fn number_of<'a>(text: &'a str, width: &Width) -> SqlResult<&'a str> {
    let number = trim(text);
    if number.is_empty() || number.contains(is_space) { Err(invalid_syntax(width.type_name, text)) } else { Ok(number) }
}

/// Rust reads what is too large as infinity and what is too small as zero; SQL refuses both.
fn check_range(number: &str, is_infinite: bool, is_zero: bool, width: &Width) -> SqlResult<()> {
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    let spelled_infinity = number.contains(['i', 'I']);
    let spelled_zero = !mantissa.contains(|c: char| ('1'..='9').contains(&c));
    if (is_infinite && !spelled_infinity) || (is_zero && !spelled_zero) {
        let message = format!("\"{number}\" is out of range for type {}", width.type_name);
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(())
}
