//! CREATE, ALTER and DROP TYPE.

use std::sync::Arc;

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::{ObjectId, TypeDef};
use nqdb_sqlstate::{
    DUPLICATE_OBJECT, INVALID_SCHEMA_NAME, Notice, SUCCESSFUL_COMPLETION, SqlError, SqlResult, UNDEFINED_OBJECT,
    WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;

use super::{DdlContext, QualifiedName};
use crate::definition::{AlterType, AlterTypeAction, CreateType, DropType, NewTypeKind};
use crate::exec::CommandTag;

pub(super) fn create_type(create: &CreateType, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let schema = cx.relation_schema(&create.name, false)?;
    match &create.kind {
        NewTypeKind::Enum(labels) => cx.writer().create_enum(schema, &create.name.name, labels)?,
    };
    Ok(CommandTag::Other("CREATE TYPE"))
}

pub(super) fn alter_type(alter: &AlterType, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let def = cx.own_type(&alter.name)?;
    cx.expect_owner(def.owner, "type", &def.name)?;
    match &alter.action {
        AlterTypeAction::AddValue { label, if_not_exists, place } => {
            if !cx.writer().add_label(def.oid, label, place, *if_not_exists)? {
                let message = format!("enum label \"{label}\" already exists, skipping");
                cx.notice(Notice::new(DUPLICATE_OBJECT, message));
            }
        }
        AlterTypeAction::RenameValue { label, new_label } => cx.writer().rename_label(def.oid, label, new_label)?,
        AlterTypeAction::Rename(name) => cx.writer().rename_type(def.oid, name)?,
        AlterTypeAction::SetSchema(schema) => set_schema(&def, schema, cx)?,
        AlterTypeAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(def.schema))?;
            cx.writer().set_type_owner(def.oid, owner)?;
        }
    }
    Ok(CommandTag::Other("ALTER TYPE"))
}

pub(super) fn set_schema(def: &TypeDef, schema: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let snapshot = cx.draft.snapshot();
    let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"));
    let schema = snapshot.schema(schema).ok_or_else(missing)?;
    if schema.is_temporary() || snapshot.schema_by_oid(def.schema).is_some_and(|schema| schema.is_temporary()) {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message).into());
    }
    cx.expect_may_create_in(&snapshot, schema)?;
    cx.writer().set_type_schema(def.oid, schema.oid)
}

pub(super) fn drop_types(drop: &DropType, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let behavior = if drop.cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
    let mut roots = Vec::new();
    for name in &drop.names {
        match cx.own_type(name) {
            Ok(def) if drop.is_domain && def.domain().is_none() => return Err(not_a_domain(name).into()),
            Ok(def) => {
                cx.expect_owner(def.owner, "type", &def.name)?;
                roots.push(ObjectId::Type(def.oid));
            }
            Err(error) if drop.if_exists && matches!(error.code(), UNDEFINED_OBJECT | INVALID_SCHEMA_NAME) => {
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message())));
            }
            Err(error) => return Err(error.into()),
        }
    }
    roots.dedup();
    cx.drop_with(&roots, behavior)?;
    Ok(CommandTag::Other(if drop.is_domain { "DROP DOMAIN" } else { "DROP TYPE" }))
}

/// `"mood" is not a domain` (42809).
pub(super) fn not_a_domain(name: &QualifiedName) -> SqlError {
    SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a domain", name.display()))
}

impl DdlContext<'_, '_> {
    /// A type that a user made. Errors: 42704 when there is none of the name, 42809 for the row of a table, 0A000 for a
    /// built-in type.
    pub(super) fn own_type(&mut self, name: &QualifiedName) -> SqlResult<Arc<TypeDef>> {
        let snapshot = self.draft.snapshot();
        if let Some(schema) = name.schema.as_deref().filter(|schema| *schema != "pg_temp")
            && snapshot.schema(schema).is_none()
        {
            return Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist")));
        }
        let found = snapshot.resolve_type(self.search_path, name.schema.as_deref(), &name.name);
        if let Some(def) = found.and_then(|found| snapshot.type_by_oid(found)) {
            return Ok(def.clone());
        }
        if let Some(element) = found.and_then(nqdb_types::array::element_type) {
            let element = snapshot.type_by_oid(element).map_or("", |element| element.name.as_str());
            return Err(SqlError::new(WRONG_OBJECT_TYPE, format!("cannot alter array type {element}[]"))
                .with_hint(format!("You can alter type {element}, which will alter the array type as well.")));
        }
        let may_be_built_in = matches!(name.schema.as_deref(), None | Some("pg_catalog"));
        if may_be_built_in && nqdb_types::type_by_name(&name.name).is_some() {
            return Err(SqlError::unsupported("a change of a built-in type"));
        }
        Err(SqlError::new(UNDEFINED_OBJECT, format!("type \"{}\" does not exist", name.display())))
    }
}
