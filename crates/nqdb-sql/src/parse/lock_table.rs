//! LOCK TABLE, which `sqlparser` knows.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::RelationLock;
use sqlparser::ast::{self, LockTableMode, ObjectNamePart};
use sqlparser::tokenizer::TokenWithSpan;

use super::Tokens;
use crate::names::name_of;
use crate::statement::{LockTable, LockedName, StatementKind};

pub(super) fn parse(tokens: &Arc<Tokens>, own: Vec<TokenWithSpan>) -> SqlResult<StatementKind> {
    let ast::Statement::Lock(lock) = super::sqlparser_statement(tokens, own)? else {
        return Err(SqlError::unsupported("this form of LOCK"));
    };
    let ast::Lock { tables, lock_mode, nowait } = lock;
    let mode = match lock_mode {
        Some(LockTableMode::AccessShare) => RelationLock::AccessShare,
        Some(LockTableMode::RowShare) => RelationLock::RowShare,
        Some(LockTableMode::RowExclusive) => RelationLock::RowExclusive,
        Some(LockTableMode::ShareUpdateExclusive) => RelationLock::ShareUpdateExclusive,
        Some(LockTableMode::Share) => RelationLock::Share,
        Some(LockTableMode::ShareRowExclusive) => RelationLock::ShareRowExclusive,
        Some(LockTableMode::Exclusive) => RelationLock::Exclusive,
        Some(LockTableMode::AccessExclusive) | None => RelationLock::AccessExclusive,
    };
    let mut names = Vec::with_capacity(tables.len());
    for ast::LockTableTarget { name, only: _, has_asterisk: _ } in &tables {
        names.push(locked_name(name)?);
    }
    Ok(StatementKind::Lock(LockTable { tables: names, mode, no_wait: nowait }))
}

fn locked_name(name: &ast::ObjectName) -> SqlResult<LockedName> {
    let mut parts = Vec::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(identifier) = part else {
            return Err(SqlError::unsupported("a computed name"));
        };
        parts.push(name_of(identifier));
    }
    match parts.as_slice() {
        [name] => Ok(LockedName { schema: None, name: name.clone() }),
        [schema, name] => Ok(LockedName { schema: Some(schema.clone()), name: name.clone() }),
        _ => Err(SqlError::unsupported("a reference to another database")),
    }
}
