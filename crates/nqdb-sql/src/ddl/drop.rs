//! DROP of tables, indexes, sequences, schemas and roles.

use nqdb_catalog::Relation;
use nqdb_catalog::request::DropBehavior;
use nqdb_sqlstate::{
    INVALID_SCHEMA_NAME, Notice, SUCCESSFUL_COMPLETION, SqlError, UNDEFINED_OBJECT, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use sqlparser::ast::{ObjectName, ObjectType};

use super::names::missing_relation;
use super::{DdlContext, QualifiedName};
use crate::exec::CommandTag;

pub(super) fn drop_objects(
    object_type: ObjectType,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let behavior = if cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
    let tag = match object_type {
        ObjectType::Table => "DROP TABLE",
        ObjectType::Index => "DROP INDEX",
        ObjectType::Sequence => "DROP SEQUENCE",
        ObjectType::Schema => "DROP SCHEMA",
        ObjectType::Role | ObjectType::User => "DROP ROLE",
        other => return Err(SqlError::unsupported(format!("DROP {other}")).into()),
    };
    for name in names {
        let name = cx.name(name)?;
        match object_type {
            ObjectType::Schema => drop_schema(&name, if_exists, behavior, cx)?,
            ObjectType::Role | ObjectType::User => drop_role(&name, if_exists, cx)?,
            ObjectType::Index => drop_index(&name, if_exists, cx)?,
            ObjectType::Sequence => drop_sequence(&name, if_exists, behavior, cx)?,
            _ => drop_table(&name, if_exists, cx)?,
        }
    }
    Ok(CommandTag::Other(tag))
}

fn drop_table(name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    match cx.find_relation(name) {
        Some(Relation::Table(table)) => {
            cx.expect_owner(table.owner, "table", &table.name)?;
            cx.writer().drop_table(table.oid)
        }
        Some(_) => Err(wrong_kind(name, "table")),
        None => missing("table", name, if_exists, cx),
    }
}

fn drop_index(name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    match cx.find_relation(name) {
        Some(Relation::Index(table, position)) => {
            cx.expect_owner(table.owner, "index", &name.name)?;
            cx.writer().drop_index(table.oid, table.indexes[position].oid)
        }
        Some(_) => Err(wrong_kind(name, "index")),
        None => missing("index", name, if_exists, cx),
    }
}

fn drop_sequence(
    name: &QualifiedName,
    if_exists: bool,
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    match cx.find_relation(name) {
        Some(Relation::Sequence(sequence)) => {
            cx.expect_owner(sequence.owner, "sequence", &sequence.name)?;
            let dropped = cx.writer().drop_sequence(sequence.oid, behavior)?;
            report_cascade(&dropped, cx);
            Ok(())
        }
        Some(_) => Err(wrong_kind(name, "sequence")),
        None => missing("sequence", name, if_exists, cx),
    }
}

fn drop_schema(
    name: &QualifiedName,
    if_exists: bool,
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    if name.schema.is_some() {
        return Err(SqlError::unsupported(format!("the schema name {}", name.display())).into());
    }
    let schema = cx.draft.snapshot().schema(&name.name).cloned();
    match schema {
        Some(schema) => {
            cx.expect_owner(schema.owner, "schema", &schema.name)?;
            let dropped = cx.writer().drop_schema(schema.oid, behavior)?;
            report_cascade(&dropped, cx);
            Ok(())
        }
        None if if_exists => {
            let message = format!("schema \"{}\" does not exist, skipping", name.name);
            cx.notice(Notice::new(INVALID_SCHEMA_NAME, message));
            Ok(())
        }
        None => Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", name.name)).into()),
    }
}

fn drop_role(name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let role = cx.draft.snapshot().role(&name.name).cloned();
    cx.expect_may_change_roles("drop", role.as_ref().is_some_and(|role| role.superuser))?;
    match role {
        Some(role) => cx.writer().drop_role(role.oid),
        None if if_exists => {
            cx.notice(Notice::new(UNDEFINED_OBJECT, format!("role \"{}\" does not exist, skipping", name.name)));
            Ok(())
        }
        None => Err(SqlError::new(UNDEFINED_OBJECT, format!("role \"{}\" does not exist", name.name)).into()),
    }
}

/// Nothing of the name: a notice with IF EXISTS, an error without.
fn missing(kind: &str, name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    if !if_exists {
        if let Some(schema) = &name.schema
            && cx.draft.snapshot().schema(schema).is_none()
        {
            return Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist")).into());
        }
        return Err(missing_relation(kind, name).into());
    }
    let code = if kind == "index" { UNDEFINED_OBJECT } else { UNDEFINED_TABLE };
    cx.notice(Notice::new(code, format!("{kind} \"{}\" does not exist, skipping", name.display())));
    Ok(())
}

fn wrong_kind(name: &QualifiedName, wanted: &str) -> TxnError {
    let article = if wanted == "index" { "an" } else { "a" };
    SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not {article} {wanted}", name.name)).into()
}

/// PostgreSQL's notice about what CASCADE took along.
fn report_cascade(dropped: &[String], cx: &mut DdlContext<'_, '_>) {
    match dropped {
        [] => {}
        [only] => cx.notice(Notice::new(SUCCESSFUL_COMPLETION, format!("drop cascades to {only}"))),
        many => {
            let lines: Vec<String> = many.iter().map(|line| format!("drop cascades to {line}")).collect();
            let mut notice =
                Notice::new(SUCCESSFUL_COMPLETION, format!("drop cascades to {} other objects", many.len()));
            notice.detail = Some(lines.join("\n"));
            cx.notice(notice);
        }
    }
}
