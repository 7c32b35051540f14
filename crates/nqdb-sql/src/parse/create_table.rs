//! CREATE TABLE over a list of columns.
//!
//! ```text
//! CREATE [TEMP | UNLOGGED] TABLE [IF NOT EXISTS] name ( item, .. )
//!     [USING method] [WITH ( parameter, .. ) | WITHOUT OIDS] [ON COMMIT ..] [TABLESPACE name]
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::{Prefix, name, parse_on_commit, prefix};
use super::{parameters, refused, table_item};
use crate::table_command::CreateTable;

/// The statement, whose first token is CREATE; `None` when it is another one.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<CreateTable>> {
    let prefix = prefix(cursor);
    if prefix.or_replace || !cursor.peek_is(prefix.len, "table") {
        return Ok(None);
    }
    cursor.skip_many(prefix.len + 1);
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let name = name(cursor)?;
    if cursor.peek_is(0, "of") {
        return Err(SqlError::unsupported("a typed table"));
    }
    if cursor.peek_is(0, "partition") {
        return Err(SqlError::unsupported("partitioning"));
    }
    let items = items(cursor)?;
    if cursor.peek_is(0, "inherits") {
        return Err(SqlError::unsupported("inheritance"));
    }
    if cursor.peek_is(0, "partition") {
        return Err(SqlError::unsupported("partitioning"));
    }
    let access_method = if cursor.take("using") { Some(cursor.identifier()?) } else { None };
    let parameters = if cursor.peek_is(0, "with") && cursor.peek_is_symbol(1, &Token::LParen) {
        cursor.skip();
        parameters::parameters(cursor)?
    } else {
        cursor.take_all(&["without", "oids"]);
        Vec::new()
    };
    let on_commit = if cursor.peek_is(0, "on") { Some(parse_on_commit(cursor)?) } else { None };
    let tablespace = if cursor.take("tablespace") { Some(cursor.identifier()?) } else { None };
    cursor.finish()?;
    let Prefix { temporary, unlogged, .. } = prefix;
    Ok(Some(CreateTable {
        name,
        temporary,
        unlogged,
        if_not_exists,
        items,
        parameters,
        on_commit,
        tablespace,
        access_method,
    }))
}

fn items(cursor: &mut Cursor<'_>) -> SqlResult<Vec<crate::table_command::TableItem>> {
    if cursor.peek() == Some(&Token::LParen) && cursor.peek_is_symbol(1, &Token::RParen) {
        cursor.skip_many(2);
        return Ok(Vec::new());
    }
    let items = cursor.parenthesized_items()?;
    items
        .into_iter()
        .map(|own| {
            refused::check_definition_tokens(cursor.tokens(), own)?;
            table_item::item(cursor.tokens(), own)
        })
        .collect()
}
