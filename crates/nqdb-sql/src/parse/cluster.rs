//! `CLUSTER [VERBOSE] [table [USING index]]`, `CLUSTER (option, ...) ...`, and `CLUSTER index ON table` of old.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::name;
use crate::definition::{Cluster, Definition};
use crate::statement::StatementKind;

pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("cluster")?;
    if cursor.peek() == Some(&Token::LParen) {
        for option in cursor.parenthesized_items()? {
            let mut option = Cursor::new(cursor.tokens(), option);
            let name = option.word()?;
            if name != "verbose" {
                let message = format!("unrecognized CLUSTER option \"{name}\"");
                return Err(SqlError::new(SYNTAX_ERROR, message));
            }
            if !option.at_end() {
                option.word()?;
            }
            option.finish()?;
        }
    } else {
        cursor.take("verbose");
    }
    let mut cluster = Cluster { table: None, index: None };
    if !cursor.at_end() {
        let first = name(cursor)?;
        if first.schema.is_none() && cursor.take("on") {
            cluster = Cluster { table: Some(name(cursor)?), index: Some(first.name) };
        } else {
            let index = if cursor.take("using") { Some(cursor.identifier()?) } else { None };
            cluster = Cluster { table: Some(first), index };
        }
    }
    cursor.finish()?;
    Ok(StatementKind::Define(Box::new(Definition::Cluster(cluster))))
}
