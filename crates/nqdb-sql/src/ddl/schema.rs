//! CREATE SCHEMA.

use nqdb_sqlstate::{DUPLICATE_SCHEMA, Notice, SqlError};
use nqdb_txn::TxnError;
use sqlparser::ast::{ObjectName, SchemaName};

use super::DdlContext;
use crate::exec::CommandTag;
use crate::names::name_of;

pub(super) fn create_schema(
    schema: &SchemaName,
    if_not_exists: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    cx.expect_may_create_schema()?;
    let (name, owner) = match schema {
        SchemaName::Simple(name) => (single_name(name)?, None),
        SchemaName::UnnamedAuthorization(role) => (name_of(role), Some(name_of(role))),
        SchemaName::NamedAuthorization(name, role) => (single_name(name)?, Some(name_of(role))),
    };
    let role = match owner {
        Some(owner) => cx.new_owner(&owner, None)?,
        None => cx.role,
    };
    if if_not_exists && cx.draft.snapshot().schema(&name).is_some() {
        cx.notice(Notice::new(DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists, skipping")));
        return Ok(CommandTag::Other("CREATE SCHEMA"));
    }
    nqdb_catalog::CatalogWriter::new(cx.draft, cx.exec.txn, role).create_schema(&name)?;
    Ok(CommandTag::Other("CREATE SCHEMA"))
}

fn single_name(name: &ObjectName) -> Result<String, SqlError> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(name_of).ok_or_else(|| SqlError::unsupported("this form of a name")),
        _ => Err(SqlError::unsupported(format!("the schema name {name}"))),
    }
}
