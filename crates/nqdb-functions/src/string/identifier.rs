//! `parse_ident`: a qualified name taken apart (manual 9.4).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[&PARSE_IDENT];

/// The parts of a name; what is not quoted becomes lower case. Unless `strict`, what follows the name does not matter.
#[sql_function("parse_ident(str text, strict bool = 'true') -> text_array", oid = 1268)]
fn parse_ident(text: &str, strict: bool) -> SqlResult<Datum> {
    let invalid = |detail: Option<&str>| {
        let error = SqlError::new(INVALID_PARAMETER_VALUE, format!("string is not a valid identifier: \"{text}\""));
        match detail {
            Some(detail) => error.with_detail(detail),
            None => error,
        }
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            (part, rest) = take_quoted(quoted).ok_or_else(|| invalid(Some("String has unclosed double quotes.")))?;
            if part.is_empty() {
                return Err(invalid(Some("Quoted identifier must not be empty.")));
            }
        } else {
            let starts = rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic() || !c.is_ascii());
            let end = rest.find(|c: char| !(c == '_' || c == '$' || c.is_ascii_alphanumeric() || !c.is_ascii()));
            let (plain, tail) = rest.split_at(end.unwrap_or(rest.len()));
            if !starts {
                return Err(invalid(match (rest.starts_with('.'), parts.is_empty()) {
                    (true, _) => Some("No valid identifier before \".\"."),
                    (false, false) => Some("No valid identifier after \".\"."),
                    (false, true) => None,
                }));
            }
            (part, rest) = (plain.to_ascii_lowercase(), tail);
        }
        parts.push(Datum::text(part));
        rest = rest.trim_start_matches(is_space);
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start_matches(is_space),
            None if rest.is_empty() || !strict => break,
            None => return Err(invalid(None)),
        }
    }
    Array::from_elements(oid::TEXT, parts).map(Datum::array)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// The name up to its closing quote, and what follows; `None` when it is not closed.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' if chars.as_str().starts_with('"') => {
                chars.next();
                name.push('"');
            }
            '"' => return Some((name, chars.as_str())),
            other => name.push(other),
        }
    }
}
