//! CREATE, ALTER and DROP TYPE.

use std::sync::Arc;

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::{CompositeAttribute, DeclaredType, ObjectId, TypeDef};
use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, DUPLICATE_OBJECT, INVALID_SCHEMA_NAME, INVALID_TABLE_DEFINITION, Notice,
    SUCCESSFUL_COMPLETION, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use nqdb_types::array::element_type;
use nqdb_types::{Type, type_category, user_type_object};

use super::domain::expect_collation;
use super::{DdlContext, QualifiedName};
use crate::definition::{AlterAttribute, AlterType, AlterTypeAction, CreateType, DropType, NewAttribute, NewTypeKind};
use crate::exec::CommandTag;

pub(super) fn create_type(create: &CreateType, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let schema = cx.relation_schema(&create.name, false)?;
    match &create.kind {
        NewTypeKind::Enum(labels) => cx.writer().create_enum(schema, &create.name.name, labels)?,
        NewTypeKind::Composite(attributes) => {
            let attributes = attributes.iter().map(|attribute| new_attribute(attribute, cx));
            let attributes = attributes.collect::<SqlResult<Vec<CompositeAttribute>>>()?;
            cx.writer().create_composite(schema, &create.name.name, attributes)?
        }
    };
    Ok(CommandTag::Other("CREATE TYPE"))
}

pub(super) fn alter_type(alter: &AlterType, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    if let AlterTypeAction::Attributes(_) | AlterTypeAction::RenameAttribute { .. } = &alter.action {
        expect_composite(&alter.name, cx)?;
    }
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
        AlterTypeAction::Attributes(actions) => {
            for action in actions {
                alter_attribute(&def, action, cx)?;
            }
        }
        AlterTypeAction::RenameAttribute { name, new_name } => cx.writer().rename_attribute(def.oid, name, new_name)?,
        AlterTypeAction::Rename(name) => cx.writer().rename_type(def.oid, name)?,
        AlterTypeAction::SetSchema(schema) => set_schema(&def, schema, cx)?,
        AlterTypeAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(def.schema))?;
            cx.writer().set_type_owner(def.oid, owner)?;
        }
    }
    Ok(CommandTag::Other("ALTER TYPE"))
}

/// 42809 for a type, or a relation, that has no attributes of its own.
fn expect_composite(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    let snapshot = cx.draft.snapshot();
    let found = snapshot.resolve_type(cx.search_path, name.schema.as_deref(), &name.name);
    match found.map(|found| snapshot.type_by_oid(found)) {
        Some(def) if def.is_none_or(|def| def.composite().is_none()) => {
            Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a composite type", name.name)))
        }
        _ => Ok(()),
    }
}

/// An attribute as it is written. Errors: 42P16 for a pseudo-type.
fn new_attribute(written: &NewAttribute, cx: &mut DdlContext<'_, '_>) -> SqlResult<CompositeAttribute> {
    let ty = cx.data_type(&written.data_type)?;
    if type_category(ty.oid) == Some('P') {
        let message = format!("column \"{}\" has pseudo-type {}", written.name, cx.type_name(ty));
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
    }
    let collate_c = match &written.collation {
        Some(collation) => expect_collation(collation, ty, cx)?,
        None => false,
    };
    Ok(CompositeAttribute { name: written.name.clone(), ty: DeclaredType::of(ty), collate_c, dropped: false })
}

fn alter_attribute(def: &TypeDef, action: &AlterAttribute, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    match action {
        AlterAttribute::Add(written) => {
            let attribute = new_attribute(written, cx)?;
            cx.writer().add_attribute(def.oid, attribute)
        }
        AlterAttribute::SetType(written) => {
            let attribute = new_attribute(written, cx)?;
            cx.writer().set_attribute_type(def.oid, attribute)
        }
        AlterAttribute::Drop { name, if_exists, cascade } => {
            let snapshot = cx.draft.snapshot();
            let current = snapshot.type_by_oid(def.oid).and_then(|def| def.composite());
            let Some(at) = current.and_then(|composite| composite.attribute_named(name)) else {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", def.name);
                if !if_exists {
                    return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
                }
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, format!("{message}, skipping")));
                return Ok(());
            };
            let number = i16::try_from(at + 1).map_err(|_| SqlError::internal("too many attributes"))?;
            let behavior = if *cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
            cx.drop_with(&[ObjectId::Column(user_type_object(def.oid), number)], behavior)
        }
    }
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
        expect_no_row_type(name, cx)?;
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

/// 2BP01 for the row type of a table, and for the array over any type.
fn expect_no_row_type(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    let snapshot = cx.draft.snapshot();
    let Some(found) = snapshot.resolve_type(cx.search_path, name.schema.as_deref(), &name.name) else { return Ok(()) };
    let element = element_type(found);
    let needed_by = match (element, snapshot.row_relation(found)) {
        (Some(element), _) => format!("type {}", cx.type_name(Type::new(element))),
        (None, Some(relation)) => format!("{} {}", relation.kind_name(), cx.type_name(Type::new(found))),
        (None, None) => return Ok(()),
    };
    let name = cx.type_name(Type::new(found));
    Err(SqlError::new(
        DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop type {name} because {needed_by} requires it"),
    )
    .with_hint(format!("You can drop {needed_by} instead.")))
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
        if let Some(relation) = found.and_then(|found| snapshot.row_relation(found)) {
            let name = self.type_name(Type::new(found.unwrap_or_default()));
            let error = SqlError::new(WRONG_OBJECT_TYPE, format!("{name} is a {}'s row type", relation.kind_name()));
            return Err(error.with_hint("Use ALTER TABLE instead."));
        }
        if let Some(element) = found.and_then(nqdb_types::array::element_type) {
            let element = self.type_name(Type::new(element));
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
