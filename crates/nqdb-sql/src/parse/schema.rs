//! `CREATE SCHEMA [IF NOT EXISTS] [name] [AUTHORIZATION role] [element ...]`: elements are statements without semicolons
//! between them.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use sqlparser::tokenizer::TokenWithSpan;

use super::cursor::Cursor;
use super::definition::is_word;
use crate::definition::{CreateSchema, Definition};
use crate::statement::{Parsed, StatementKind};

/// What may follow CREATE in an element.
const ELEMENT_WORDS: [&str; 12] = [
    "table",
    "view",
    "index",
    "sequence",
    "trigger",
    "unique",
    "temp",
    "temporary",
    "local",
    "or",
    "recursive",
    "unlogged",
];

/// The statement, whose first token is CREATE; `None` when it is another one.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<CreateSchema>> {
    if !cursor.take_all(&["create", "schema"]) {
        return Ok(None);
    }
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let name = if cursor.peek_is(0, "authorization") { None } else { Some(cursor.identifier()?) };
    let owner = if cursor.take("authorization") { Some(cursor.word()?) } else { None };
    if name.is_none() && owner.is_none() {
        return Err(cursor.syntax_error());
    }
    if if_not_exists && !cursor.at_end() {
        let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(cursor.position()));
    }
    if !cursor.at_end() && !cursor.peek_is(0, "create") && !cursor.peek_is(0, "grant") {
        return Err(cursor.syntax_error());
    }
    let rest = cursor.rest();
    let mut elements = Vec::new();
    for own in split(rest) {
        let parsed = cursor.statement(own)?;
        if !is_element(&parsed) {
            return Err(Cursor::new(cursor.tokens(), own).syntax_error());
        }
        elements.push(parsed);
    }
    Ok(Some(CreateSchema { name, owner, if_not_exists, elements }))
}

fn split(own: &[TokenWithSpan]) -> Vec<&[TokenWithSpan]> {
    let is = |at: usize, word: &str| own.get(at).is_some_and(|token| is_word(token, word));
    let starts = |at: &usize| {
        let creates = is(*at, "create") && ELEMENT_WORDS.iter().any(|word| is(at + 1, word));
        // Not the one of WITH GRANT OPTION.
        let grants = is(*at, "grant") && !at.checked_sub(1).is_some_and(|before| is(before, "with"));
        creates || grants
    };
    let mut places: Vec<usize> = (0..own.len()).filter(starts).collect();
    places.push(own.len());
    places.windows(2).filter_map(|pair| own.get(*pair.first()?..*pair.last()?)).collect()
}

fn is_element(parsed: &Parsed) -> bool {
    match &parsed.kind {
        StatementKind::Sequence(_) => true,
        StatementKind::Define(definition) => {
            matches!(
                **definition,
                Definition::Table(_) | Definition::View(_) | Definition::Index(_) | Definition::Rights(_)
            )
        }
        _ => false,
    }
}
