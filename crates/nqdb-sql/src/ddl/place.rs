//! Where in CREATE TABLE an error belongs.
//!
//! Definitions keep types, defaults and checks as text, and bind that text, so that what is stored is what was checked. An
//! error of it says nothing of the statement. It is placed afterwards: the part is read once more out of the statement's
//! own text, with blanks in front, so that a place in the copy is a place in the statement. If that does not give the same
//! error, the error stays without a place.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::TxnError;
use sqlparser::ast::{ColumnDef, ColumnOption, Expr};

use super::DdlContext;
use crate::names::name_of;
use crate::parse::{Tokens, start_of};

/// Words that end a column's default: the options that may follow it.
const OPTION_WORDS: [&str; 10] =
    ["not", "null", "primary", "unique", "check", "constraint", "references", "collate", "generated", "default"];

fn is_option(word: &str) -> bool {
    OPTION_WORDS.iter().any(|option| word.eq_ignore_ascii_case(option))
}

/// Blanks, and behind them the expression as the statement has it, at its place.
pub(super) fn placed_text(tokens: &Tokens, expression: &Expr, ends_at_option: bool) -> Option<String> {
    let first = start_of(tokens, expression)?;
    let mut depth = 0_usize;
    let mut end = first;
    while end < tokens.len() {
        match tokens.token_text(end) {
            "(" | "[" => depth += 1,
            ")" | "]" if depth > 0 => depth -= 1,
            ")" | "," | ";" if depth == 0 => break,
            word if depth == 0 && ends_at_option && end > first && is_option(word) => break,
            _ => {}
        }
        end += 1;
    }
    let blanks = " ".repeat(tokens.position(first)? as usize - 1);
    Some(blanks + tokens.range_text(first, end))
}

/// The error with the place of the second one, if that is the same otherwise.
pub(super) fn placed<T>(error: SqlError, again: impl FnOnce() -> Option<SqlResult<T>>) -> SqlError {
    if error.position().is_some() {
        return error;
    }
    match again() {
        Some(Err(second)) if second.code() == error.code() && second.message() == error.message() => second,
        _ => error,
    }
}

/// Places an error of a column's type or default.
pub(super) fn in_column(error: TxnError, column: &ColumnDef, tokens: &Tokens, cx: &mut DdlContext<'_, '_>) -> TxnError {
    let TxnError::Sql(error) = error else { return error };
    let ty = match cx.data_type(&column.data_type) {
        Ok(ty) => ty,
        Err(second) if second.message() == error.message() => {
            let place = Tokens::index_of(column.name.span).and_then(|name| tokens.position(name + 1));
            return error.or_position(place).into();
        }
        Err(_) => return error.into(),
    };
    let defaults = column.options.iter().filter_map(|option| match &option.option {
        ColumnOption::Default(expression) => Some(expression),
        _ => None,
    });
    let mut error = error;
    for expression in defaults {
        error = placed(error, || {
            let text = placed_text(tokens, expression, true)?;
            Some(cx.bind_column_default(&text, &name_of(&column.name), ty))
        });
    }
    error.into()
}

/// The second PRIMARY KEY of the statement.
pub(super) fn second_primary_key(tokens: &Tokens) -> Option<u32> {
    let is_key = |index: &usize| tokens.is(*index, "primary") && tokens.is(index + 1, "key");
    (0..tokens.len()).filter(is_key).nth(1).and_then(|index| tokens.position(index))
}

/// The first word of the key constraint over columns in parentheses, of which the first is token `column`.
pub(super) fn key_constraint(tokens: &Tokens, column: usize) -> Option<u32> {
    let before = tokens.open_paren_before(column)?.checked_sub(1)?;
    let mut first = if tokens.is(before, "key") { before.checked_sub(1)? } else { before };
    if first >= 2 && tokens.is(first - 2, "constraint") {
        first -= 2;
    }
    tokens.position(first)
}
