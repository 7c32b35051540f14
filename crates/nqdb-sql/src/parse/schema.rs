//! CREATE SCHEMA with elements: what stands behind the schema is made in it (manual, CREATE SCHEMA).

use std::sync::Arc;

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::look::is_word;
use super::{Tokens, catalog_change, parse_one};
use crate::definition::{CreateSchemaWith, Definition};
use crate::rights_command::RightsCommand;
use crate::statement::{Parsed, StatementKind};

/// CREATE SCHEMA with elements; `None` for any other statement, and without elements.
pub(super) fn parse(tokens: &Arc<Tokens>, own: &[TokenWithSpan]) -> SqlResult<Option<CreateSchemaWith>> {
    let starts_schema = matches!(own, [create, schema, ..] if is_word(create, "create") && is_word(schema, "schema"));
    if !starts_schema {
        return Ok(None);
    }
    let starts = element_starts(own);
    let Some(first) = starts.first().copied() else { return Ok(None) };
    if own.iter().take(first).any(|token| is_word(token, "if")) {
        let position = own.get(first).and_then(|token| Tokens::index_of(token.span)).and_then(|at| tokens.position(at));
        let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
    }
    let StatementKind::Ddl(schema) = catalog_change(tokens, own.get(..first).unwrap_or_default().to_vec())? else {
        return Err(SqlError::internal("CREATE SCHEMA is another kind of statement"));
    };
    let mut elements = Vec::with_capacity(starts.len());
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(own.len());
        let element = parse_one(tokens, own.get(*start..end).unwrap_or_default().to_vec())?;
        if rank(&element).is_none() {
            return Err(
                tokens.syntax_error(own.get(*start).and_then(|token| Tokens::index_of(token.span)).unwrap_or(0))
            );
        }
        elements.push(element);
    }
    // PostgreSQL's order, in which nothing needs what comes later.
    elements.sort_by_key(rank);
    Ok(Some(CreateSchemaWith { schema: *schema, elements }))
}

/// Where elements begin: at CREATE and GRANT outside of parentheses.
fn element_starts(own: &[TokenWithSpan]) -> Vec<usize> {
    let mut depth = 0usize;
    let mut starts = Vec::new();
    for (at, token) in own.iter().enumerate().skip(2) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if is_word(token, "create") => starts.push(at),
            // WITH GRANT OPTION ends a GRANT.
            _ if is_word(token, "grant") && !own.get(at - 1).is_some_and(|before| is_word(before, "with")) => {
                starts.push(at);
            }
            _ => {}
        }
    }
    starts
}

/// The place of an element's kind in the order; none when it cannot be one.
fn rank(element: &Parsed) -> Option<u8> {
    match &element.kind {
        StatementKind::Sequence(_) => Some(0),
        StatementKind::Define(definition) => match &**definition {
            Definition::Table(_) => Some(1),
            Definition::View(_) => Some(2),
            Definition::Index(_) => Some(3),
            Definition::Rights(command) => matches!(**command, RightsCommand::Grant(_)).then_some(4),
            _ => None,
        },
        _ => None,
    }
}
