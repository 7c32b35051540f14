//! SIMILAR TO (manual 9.7.2): SQL patterns as regular expressions.
//!
//! `%` and `_` are those of LIKE; `|`, `*`, `+`, `?`, `{}`, `()` and brackets are those of regular expressions, and the
//! whole string must match. Two escaped double quotes mark the part that `substring(x SIMILAR y ESCAPE z)` gives.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_ESCAPE_SEQUENCE, INVALID_USE_OF_ESCAPE_CHARACTER, SqlError, SqlResult};

use crate::regex_engine::{Pattern, RegexOptions, Search};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TO_ESCAPE, &TO_ESCAPE_WITH, &ESCAPE, &SUBSTRING];

#[sql_function("similar_to_escape(text) -> text", oid = 1987)]
fn to_escape(pattern: &str) -> SqlResult<String> {
    joined(pattern, Some('\\'))
}

#[sql_function("similar_to_escape(text, text) -> text", oid = 1986)]
fn to_escape_with(pattern: &str, escape: &str) -> SqlResult<String> {
    joined(pattern, escape_character(escape)?)
}

/// The older form: a NULL escape is the default one.
#[sql_function("similar_escape(text, text) -> text", oid = 1623, called_on_null)]
fn escape(pattern: Option<&str>, escape: Option<&str>) -> SqlResult<Option<String>> {
    let Some(pattern) = pattern else { return Ok(None) };
    let escape = escape.map_or(Ok(Some('\\')), escape_character)?;
    joined(pattern, escape).map(Some)
}

/// The marked part of a string that matches, or all of it when nothing is marked.
#[sql_function("substring(text, text, text) -> text", oid = 2074)]
fn substring<'a>(
    context: &mut FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    escape: &str,
) -> SqlResult<Option<&'a str>> {
    let pattern = Pattern::compiled(&joined(pattern, escape_character(escape)?)?, RegexOptions::DEFAULT)?;
    let found = Search::new(&pattern, value).find(0, &|| context.check_interruption())?;
    let stretch = found.and_then(|found| found.group(usize::from(pattern.group_count() > 0)));
    Ok(stretch.and_then(|(start, end)| value.get(start..end)))
}

/// One character, or none of an empty string: 22025 otherwise.
fn escape_character(escape: &str) -> SqlResult<Option<char>> {
    let mut characters = escape.chars();
    match (characters.next(), characters.next()) {
        (first, None) => Ok(first),
        _ => Err(SqlError::new(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .with_hint("Escape string must be empty or one character.")),
    }
}

/// As PostgreSQL writes it: the part before the mark is made to match little by `{1,1}?`.
fn joined(pattern: &str, escape: Option<char>) -> SqlResult<String> {
    Ok(match translate(pattern, escape)?.as_slice() {
        [before, marked] => format!("^(?:{before}){{1,1}}?({marked})$"),
        [before, marked, after] => format!("^(?:{before}){{1,1}}?({marked}){{1,1}}(?:{after})$"),
        parts => format!("^(?:{})$", parts.concat()),
    })
}

/// The parts of a pattern between its escaped double quotes.
fn translate(pattern: &str, escape: Option<char>) -> SqlResult<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    let mut class = Class::default();
    for character in pattern.chars() {
        if escaped && character == '"' && class.depth == 0 {
            if parts.len() == 3 {
                let message = "SQL regular expression may not contain more than two escape-double-quote separators";
                return Err(SqlError::new(INVALID_USE_OF_ESCAPE_CHARACTER, message));
            }
            parts.push(String::new());
            escaped = false;
            continue;
        }
        let Some(part) = parts.last_mut() else { break };
        if escaped {
            part.extend(['\\', character]);
            class.is_begun = true;
            escaped = false;
        } else if Some(character) == escape {
            escaped = true;
        } else if class.depth > 0 {
            if character == '\\' {
                part.push('\\');
            }
            part.push(character);
            class.take(character);
        } else {
            match character {
                '[' => {
                    part.push('[');
                    class = Class { depth: 1, is_begun: false, is_negated: false };
                }
                '%' => part.push_str(".*"),
                '_' => part.push('.'),
                '(' => part.push_str("(?:"),
                '\\' | '.' | '^' | '$' => part.extend(['\\', character]),
                other => part.push(other),
            }
        }
    }
    Ok(parts)
}

/// Where a pattern is in a bracket expression: `[^]a[:alpha:]]` ends at its last bracket.
#[derive(Default)]
struct Class {
    /// Brackets that are open; none outside of a bracket expression.
    depth: usize,
    /// Something was in it, so that `]` ends it and is no member.
    is_begun: bool,
    /// Its first character was `^`.
    is_negated: bool,
}

impl Class {
    /// Goes past a character within the expression.
    fn take(&mut self, character: char) {
        match character {
            ']' if self.is_begun => self.depth -= 1,
            '[' => {
                self.depth += 1;
                self.is_begun = true;
            }
            '^' if !self.is_begun && !self.is_negated => self.is_negated = true,
            _ => self.is_begun = true,
        }
    }
}
