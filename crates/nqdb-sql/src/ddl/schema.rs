//! CREATE SCHEMA, also with elements, which are made in the new schema.

use nqdb_sqlstate::{DUPLICATE_SCHEMA, INVALID_SCHEMA_DEFINITION, Notice, SqlError, SqlResult};
use nqdb_txn::TxnError;
use sqlparser::ast::{ObjectName, SchemaName, Statement};

use super::{DdlContext, run_definition};
use crate::definition::{CreateSchemaWith, Definition};
use crate::exec::CommandTag;
use crate::names::name_of;
use crate::statement::{Parsed, StatementKind};

/// CREATE SCHEMA with elements. Names without a schema are looked for in the new one first, and made there.
pub(super) fn create_schema_with(
    create: &CreateSchemaWith,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let Statement::CreateSchema { schema_name, if_not_exists: false, .. } = &create.schema else {
        return Err(SqlError::internal("elements of something else than a schema").into());
    };
    let tag = create_schema(schema_name, false, cx)?;
    let name = schema_name_of(schema_name)?;
    let Some(schema) = cx.draft.snapshot().schema(&name).map(|schema| schema.oid) else {
        return Err(SqlError::internal("a schema that was just made does not exist").into());
    };
    let search_path: Vec<_> = std::iter::once(schema).chain(cx.search_path.iter().copied()).collect();
    for element in &create.elements {
        check_schema_of(element, &name)?;
        cx.exec.txn.continue_statement();
        let mut inner = DdlContext {
            exec: &mut *cx.exec,
            draft: &mut *cx.draft,
            role: cx.role,
            session_role: cx.session_role,
            search_path: &search_path,
            temporary_schema: cx.temporary_schema,
            open_relations: cx.open_relations,
            enter: cx.enter,
            check_setting: cx.check_setting,
        };
        run_definition(element, &mut inner)?;
    }
    Ok(tag)
}

/// 42P15 for an element that is to be made in another schema.
fn check_schema_of(element: &Parsed, name: &str) -> SqlResult<()> {
    let written = match &element.kind {
        StatementKind::Sequence(sequence) => sequence.schema.clone(),
        StatementKind::Define(definition) => match &**definition {
            Definition::View(view) => view.name.schema.clone(),
            Definition::Index(index) => index.table.schema.clone(),
            Definition::Table(create) => create.name.schema.clone(),
            _ => None,
        },
        _ => None,
    };
    match written.filter(|written| written != name) {
        Some(written) => {
            let message =
                format!("CREATE specifies a schema ({written}) different from the one being created ({name})");
            Err(SqlError::new(INVALID_SCHEMA_DEFINITION, message))
        }
        None => Ok(()),
    }
}

/// The name of the schema that is made.
fn schema_name_of(schema: &SchemaName) -> SqlResult<String> {
    match schema {
        SchemaName::Simple(name) | SchemaName::NamedAuthorization(name, _) => single_name(name),
        SchemaName::UnnamedAuthorization(role) => Ok(name_of(role)),
    }
}

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
