//! BEGIN, COMMIT, ROLLBACK, two-phase commit, savepoints, and the modes of a transaction.

use nqdb_sqlstate::SqlResult;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::statement::{IsolationLevel, TransactionModes, TransactionStatement};

/// Reads a transaction command whose first word is still to be read.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<TransactionStatement> {
    let first = cursor.word()?;
    let statement = match first.as_str() {
        "begin" => {
            skip_noise(cursor);
            TransactionStatement::Begin { start: false, modes: parse_modes(cursor, false)? }
        }
        "start" => {
            cursor.expect("transaction")?;
            TransactionStatement::Begin { start: true, modes: parse_modes(cursor, false)? }
        }
        "prepare" => {
            cursor.expect("transaction")?;
            TransactionStatement::Prepare(cursor.string()?)
        }
        "commit" if cursor.take("prepared") => TransactionStatement::CommitPrepared(cursor.string()?),
        "rollback" if cursor.take("prepared") => TransactionStatement::RollbackPrepared(cursor.string()?),
        "commit" | "end" => {
            skip_noise(cursor);
            TransactionStatement::Commit { chain: parse_chain(cursor)? }
        }
        "rollback" | "abort" => {
            skip_noise(cursor);
            if first == "rollback" && cursor.take("to") {
                cursor.take("savepoint");
                TransactionStatement::RollbackTo(cursor.identifier()?)
            } else {
                TransactionStatement::Rollback { chain: parse_chain(cursor)? }
            }
        }
        "savepoint" => TransactionStatement::Savepoint(cursor.identifier()?),
        _ => {
            cursor.take("savepoint");
            TransactionStatement::Release(cursor.identifier()?)
        }
    };
    cursor.finish()?;
    Ok(statement)
}

fn skip_noise(cursor: &mut Cursor<'_>) {
    if !cursor.take("work") {
        cursor.take("transaction");
    }
}

fn parse_chain(cursor: &mut Cursor<'_>) -> SqlResult<bool> {
    if !cursor.take("and") {
        return Ok(false);
    }
    let chain = !cursor.take("no");
    cursor.expect("chain")?;
    Ok(chain)
}

/// `ISOLATION LEVEL ... , READ ONLY, NOT DEFERRABLE`, commas optional; at least one when `required`.
pub(super) fn parse_modes(cursor: &mut Cursor<'_>, required: bool) -> SqlResult<TransactionModes> {
    let mut modes = TransactionModes::default();
    if cursor.at_end() && !required {
        return Ok(modes);
    }
    loop {
        if cursor.take_all(&["isolation", "level"]) {
            modes.isolation = Some(parse_isolation(cursor)?);
        } else if cursor.take_all(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if cursor.take_all(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if cursor.take_all(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else if cursor.take("deferrable") {
            modes.deferrable = Some(true);
        } else {
            return Err(cursor.syntax_error());
        }
        let comma = cursor.take_symbol(&Token::Comma);
        if cursor.at_end() && !comma {
            return Ok(modes);
        }
    }
}

fn parse_isolation(cursor: &mut Cursor<'_>) -> SqlResult<IsolationLevel> {
    if cursor.take("serializable") {
        Ok(IsolationLevel::Serializable)
    } else if cursor.take_all(&["repeatable", "read"]) {
        Ok(IsolationLevel::RepeatableRead)
    } else if cursor.take_all(&["read", "committed"]) {
        Ok(IsolationLevel::ReadCommitted)
    } else if cursor.take_all(&["read", "uncommitted"]) {
        Ok(IsolationLevel::ReadUncommitted)
    } else {
        Err(cursor.syntax_error())
    }
}
