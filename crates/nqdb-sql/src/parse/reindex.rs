//! REINDEX, and DROP INDEX CONCURRENTLY.
//!
//! ```text
//! REINDEX [( option, .. )] { INDEX | TABLE | SCHEMA | DATABASE | SYSTEM } [CONCURRENTLY] name
//! DROP INDEX CONCURRENTLY [IF EXISTS] name, .. [CASCADE | RESTRICT]
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::name;
use super::maintenance::{parse_option_list, unrecognized};
use crate::definition::{Definition, DropIndexConcurrently, Reindex, ReindexTarget};
use crate::statement::StatementKind;

pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("reindex")?;
    let (mut concurrently, mut verbose) = (false, false);
    if cursor.peek() == Some(&Token::LParen) {
        for item in parse_option_list(cursor)? {
            match item.name.as_str() {
                "concurrently" => concurrently = item.boolean()?,
                "verbose" => verbose = item.boolean()?,
                "tablespace" => return Err(SqlError::unsupported("REINDEX option TABLESPACE")),
                _ => return Err(unrecognized("REINDEX", &item)),
            }
        }
    }
    let word = cursor.word()?;
    concurrently |= cursor.take("concurrently");
    let target = match word.as_str() {
        "index" => ReindexTarget::Index(name(cursor)?),
        "table" => ReindexTarget::Table(name(cursor)?),
        "schema" => ReindexTarget::Schema(cursor.identifier_at()?),
        "database" => ReindexTarget::Database(cursor.identifier_at()?),
        "system" => ReindexTarget::System(cursor.identifier_at()?),
        _ => {
            cursor.go_back(cursor.place() - 1);
            return Err(cursor.syntax_error());
        }
    };
    cursor.finish()?;
    Ok(StatementKind::Define(Box::new(Definition::Reindex(Reindex { target, concurrently, verbose }))))
}

/// `None` for any other DROP.
pub(super) fn parse_drop(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    if !cursor.take_all(&["drop", "index", "concurrently"]) {
        return Ok(None);
    }
    let if_exists = cursor.take_all(&["if", "exists"]);
    let mut names = vec![name(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        names.push(name(cursor)?);
    }
    let cascade = cursor.take("cascade");
    if !cascade {
        cursor.take("restrict");
    }
    cursor.finish()?;
    Ok(Some(Definition::DropIndexConcurrently(DropIndexConcurrently { if_exists, names, cascade })))
}
