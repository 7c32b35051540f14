//! `( name [= value], ... )`: storage parameters of tables and indexes, and options of columns.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::table_command::Parameter;

/// The list in parentheses.
pub(super) fn parameters(cursor: &mut Cursor<'_>) -> SqlResult<Vec<Parameter>> {
    cursor.expect_symbol(&Token::LParen)?;
    let mut parameters = vec![parameter(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        parameters.push(parameter(cursor)?);
    }
    cursor.expect_symbol(&Token::RParen)?;
    Ok(parameters)
}

/// The list of RESET, which has names only.
pub(super) fn names(cursor: &mut Cursor<'_>) -> SqlResult<Vec<Parameter>> {
    let parameters = parameters(cursor)?;
    if parameters.iter().any(|parameter| parameter.value.is_some()) {
        return Err(SqlError::new(SYNTAX_ERROR, "RESET must not include values for parameters"));
    }
    Ok(parameters)
}

fn parameter(cursor: &mut Cursor<'_>) -> SqlResult<Parameter> {
    let first = cursor.word()?;
    let (namespace, name) =
        if cursor.take_symbol(&Token::Period) { (Some(first), cursor.word()?) } else { (None, first) };
    let value = if cursor.take_symbol(&Token::Eq) { Some(value(cursor)?) } else { None };
    Ok(Parameter { namespace, name, value })
}

/// A word, a number or a string.
fn value(cursor: &mut Cursor<'_>) -> SqlResult<String> {
    let negative = cursor.take_symbol(&Token::Minus);
    if !negative {
        cursor.take_symbol(&Token::Plus);
    }
    match cursor.peek() {
        Some(Token::Number(digits, _)) => {
            let sign = if negative { "-" } else { "" };
            let value = format!("{sign}{digits}");
            cursor.skip();
            Ok(value)
        }
        _ if negative => Err(cursor.syntax_error()),
        Some(Token::Word(_)) => cursor.word(),
        _ => cursor.string(),
    }
}
