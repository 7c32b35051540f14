//! Patterns that begin with fixed letters: the range of values that begin with them, and how many there may be.
//!
//! ```text
//! m LIKE 'abc%'   m ~ '^abc'   m ^@ 'abc'   starts_with(m, 'abc')       m >= 'abc' AND m < 'abd'
//! m LIKE 'abc'                                                          m = 'abc'
//! ```
//!
//! All text is ordered by its code points (the C collation), so an index has such values in one range. The range holds all of
//! them and, for most patterns, others too: the pattern itself is still tested. As in PostgreSQL (`match_pattern_prefix`)
//! the pattern must be a constant.

use nqdb_functions::{Function, resolve_operator};
use nqdb_types::{Datum, Type, oid};

use super::compile::is_plain_text;
use crate::ir::{Expr, ExprKind};
use crate::rewrite::{literal_text, operator_symbol};

/// The part of the rows that have one certain letter at one place, as in PostgreSQL.
const LETTER_SELECTIVITY: f64 = 0.2;
/// The least part that a beginning is taken to leave.
const SELECTIVITY_MIN: f64 = 0.0001;

/// What all texts that match a pattern have in common.
#[derive(Debug, PartialEq, Eq)]
struct Beginning {
    letters: String,
    /// Nothing follows.
    is_all: bool,
}

/// Conditions on the same operand that a condition with a pattern implies, and that an index can serve; none for others.
pub(super) fn implied_range(condition: &Expr) -> Vec<Expr> {
    let Some((operand, beginning)) = beginning_of(condition) else { return Vec::new() };
    let compare = |operator: &str, letters: String| {
        let value =
            Expr { kind: ExprKind::Literal(Datum::text(letters)), ty: Type::TEXT, nullable: false, position: None };
        comparison(operator).map(|function| Expr {
            kind: ExprKind::Call { function, args: vec![operand.clone(), value] },
            ty: Type::BOOL,
            nullable: operand.nullable,
            position: None,
        })
    };
    if beginning.is_all {
        return compare("=", beginning.letters).into_iter().collect();
    }
    let upper = next_of_length(&beginning.letters).and_then(|above| compare("<", above));
    compare(">=", beginning.letters).into_iter().chain(upper).collect()
}

/// The part of the rows that are in the range of a pattern; `None` for a condition without one.
pub(crate) fn range_selectivity(condition: &Expr) -> Option<f64> {
    let (_, beginning) = beginning_of(condition)?;
    let letters = i32::try_from(beginning.letters.chars().count()).unwrap_or(i32::MAX);
    Some(LETTER_SELECTIVITY.powi(letters).max(SELECTIVITY_MIN))
}

fn comparison(operator: &str) -> Option<&'static Function> {
    resolve_operator(operator, Some(oid::TEXT), oid::TEXT).ok().map(|resolved| resolved.operator.function)
}

/// The operand of a condition with a pattern, and how its values begin.
fn beginning_of(condition: &Expr) -> Option<(&Expr, Beginning)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [operand, pattern] = args.as_slice() else { return None };
    if !is_plain_text(operand.ty.oid) || !is_plain_text(pattern.ty.oid) {
        return None;
    }
    let pattern = literal_text(pattern)?;
    let beginning = match operator_symbol(function) {
        Some("~~") => beginning_of_like(pattern)?,
        Some("~") => Beginning { letters: beginning_of_regular_expression(pattern)?, is_all: false },
        Some("^@") => Beginning { letters: pattern.to_owned(), is_all: false },
        _ if function.name == "starts_with" => Beginning { letters: pattern.to_owned(), is_all: false },
        _ => return None,
    };
    (!beginning.letters.is_empty()).then_some((operand, beginning))
}

/// The letters before the first `%` or `_`; none of a pattern that cannot be read.
fn beginning_of_like(pattern: &str) -> Option<Beginning> {
    let mut letters = String::new();
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '%' | '_' => return Some(Beginning { letters, is_all: false }),
            '\\' => letters.push(rest.next()?),
            other => letters.push(other),
        }
    }
    Some(Beginning { letters, is_all: true })
}

/// The letters behind `^`, up to the first that means something else, or that may be repeated or missing.
fn beginning_of_regular_expression(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^')?;
    // One of several patterns begins otherwise.
    if rest.contains('|') {
        return None;
    }
    let mut letters = String::new();
    let mut rest = rest.chars().peekable();
    while let Some(letter) = rest.next() {
        let letter = match letter {
            '\\' => match rest.next() {
                // Behind a backslash letters and digits are classes, escapes and references.
                Some(escaped) if !escaped.is_alphanumeric() => escaped,
                _ => break,
            },
            '.' | '[' | ']' | '(' | ')' | '*' | '+' | '?' | '{' | '}' | '^' | '$' => break,
            other => other,
        };
        if matches!(rest.peek(), Some('*' | '?' | '{')) {
            break;
        }
        letters.push(letter);
        if rest.peek() == Some(&'+') {
            break;
        }
    }
    Some(letters)
}

/// The least text above all texts that begin with these letters; `None` when there is none.
fn next_of_length(letters: &str) -> Option<String> {
    let mut above: Vec<char> = letters.chars().collect();
    while let Some(last) = above.pop() {
        let next = match u32::from(last) {
            0xd7ff => Some('\u{e000}'),
            code => char::from_u32(code + 1),
        };
        if let Some(next) = next {
            above.push(next);
            return Some(above.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_begins_with_what_stands_before_its_wildcards() {
        let beginning = |pattern: &str| beginning_of_like(pattern).map(|found| (found.letters, found.is_all));
        let some = |letters: &str, is_all| Some((letters.to_owned(), is_all));
        assert_eq!(beginning("abc%"), some("abc", false));
        assert_eq!(beginning("a_c"), some("a", false));
        assert_eq!(beginning(r"50\%\_%"), some("50%_", false));
        assert_eq!(beginning("abc"), some("abc", true));
        assert_eq!(beginning("%a"), some("", false));
        assert_eq!(beginning(r"a\"), None);
    }

    #[test]
    fn regular_expressions_begin_with_their_letters() {
        let beginning = |pattern: &str| beginning_of_regular_expression(pattern);
        assert_eq!(beginning("^abc").as_deref(), Some("abc"));
        assert_eq!(beginning("^abc.*x$").as_deref(), Some("abc"));
        assert_eq!(beginning("^abc*").as_deref(), Some("ab"));
        assert_eq!(beginning("^abc{0,2}").as_deref(), Some("ab"));
        assert_eq!(beginning("^abc+d").as_deref(), Some("abc"));
        assert_eq!(beginning(r"^a\.b\d").as_deref(), Some("a.b"));
        assert_eq!(beginning(r"^a\+?").as_deref(), Some("a"));
        assert_eq!(beginning("^a|b"), None);
        assert_eq!(beginning("abc"), None);
        assert_eq!(beginning("^(abc)").as_deref(), Some(""));
    }

    #[test]
    fn the_upper_end_is_above_all_that_begin_so() {
        assert_eq!(next_of_length("abc").as_deref(), Some("abd"));
        assert_eq!(next_of_length("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(next_of_length("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(next_of_length("\u{10ffff}"), None);
    }
}
