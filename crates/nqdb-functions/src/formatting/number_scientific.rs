//! `EEEE` in templates of numbers: `1.23e+04`, behind a sign or a blank.

use nqdb_types::Numeric;

/// A number with so many digits before and behind the point of its template. What is no finite number has signs in the place
/// of its digits. As in PostgreSQL, digits that are rounded up to ten stay before the point: `10.00e+00`.
pub(super) fn of_numeric(value: &Numeric, before: usize, after: usize) -> String {
    let Some((coefficient, scale)) = value.to_scaled_bigint() else { return signs(before, after) };
    if value.is_zero() {
        return spelled(false, &"0".repeat(after + 1), after, 0);
    }
    let text = coefficient.to_string();
    let all = text.trim_start_matches('-');
    let exponent = all.len() as i64 - 1 - i64::from(scale);
    let digits = match all.get(after + 1..).and_then(|rest| rest.bytes().next()) {
        None => format!("{all:0<width$}", width = after + 1),
        Some(next) => {
            let kept = all.get(..=after).unwrap_or(all);
            if next >= b'5' { rounded_up(kept) } else { kept.to_owned() }
        }
    };
    spelled(value.is_negative(), &digits, after, exponent)
}

/// The same for a float, rounded as C does.
pub(super) fn of_float(value: f64, before: usize, after: usize) -> String {
    if !value.is_finite() {
        return signs(before, after);
    }
    let text = format!("{:.after$e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    spelled(value.is_sign_negative(), &digits.replace('.', ""), after, exponent.parse().unwrap_or(0))
}

/// The next higher number of these digits.
fn rounded_up(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let zeros = "0".repeat(digits.len() - kept.len());
    match kept.split_at_checked(kept.len().wrapping_sub(1)) {
        Some((head, last)) => format!("{head}{}{zeros}", last.parse::<u8>().unwrap_or(0) + 1),
        None => format!("1{zeros}"),
    }
}

fn spelled(is_negative: bool, digits: &str, after: usize, exponent: i64) -> String {
    let (integer, fraction) = digits.split_at_checked(digits.len() - after).unwrap_or((digits, ""));
    let point = if after > 0 { "." } else { "" };
    let sign = if is_negative { '-' } else { ' ' };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{integer}{point}{fraction}e{exponent_sign}{:02}", exponent.abs())
}

/// Blank, places, point, places, and four places of the exponent.
fn signs(before: usize, after: usize) -> String {
    format!(" {}.{}", "#".repeat(before), "#".repeat(after + 4))
}
