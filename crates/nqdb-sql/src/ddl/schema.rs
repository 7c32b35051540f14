//! CREATE SCHEMA, with what is made in it.

use nqdb_sqlstate::{DUPLICATE_SCHEMA, INVALID_SCHEMA_DEFINITION, Notice, SqlError, SqlResult};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::{DdlContext, define, sequence};
use crate::definition::{CreateSchema, Definition};
use crate::exec::CommandTag;
use crate::statement::{Parsed, StatementKind};

pub(super) fn create_schema(create: &CreateSchema, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    cx.expect_may_create_schema()?;
    let role = match &create.owner {
        Some(owner) => cx.new_owner(owner, None)?,
        None => cx.role,
    };
    let name = match &create.name {
        Some(name) => name.clone(),
        None => cx.draft.snapshot().role_by_oid(role).map(|role| role.name.clone()).unwrap_or_default(),
    };
    if create.if_not_exists && cx.draft.snapshot().schema(&name).is_some() {
        cx.notice(Notice::new(DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists, skipping")));
        return Ok(CommandTag::Other("CREATE SCHEMA"));
    }
    for element in &create.elements {
        expect_in_schema(element, &name)?;
    }
    let schema = nqdb_catalog::CatalogWriter::new(cx.draft, cx.exec.txn, role).create_schema(&name)?;
    make_elements(schema, role, create, cx)?;
    Ok(CommandTag::Other("CREATE SCHEMA"))
}

/// Makes the elements as the schema's owner, with the schema in front of the search path: sequences, tables, views,
/// indexes, grants, as PostgreSQL orders them.
fn make_elements(schema: Oid, role: Oid, create: &CreateSchema, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let search_path: Vec<Oid> = std::iter::once(schema).chain(cx.search_path.iter().copied()).collect();
    let mut ordered: Vec<&Parsed> = create.elements.iter().collect();
    ordered.sort_by_key(|element| rank(element));
    let mut inner = DdlContext {
        exec: &mut *cx.exec,
        draft: &mut *cx.draft,
        role,
        session_role: cx.session_role,
        search_path: &search_path,
        temporary_schema: cx.temporary_schema,
        open_relations: cx.open_relations,
        enter: cx.enter,
        check_setting: cx.check_setting,
    };
    for element in ordered {
        match &element.kind {
            StatementKind::Sequence(statement) => sequence::run(statement, &mut inner)?,
            StatementKind::Define(definition) => define(element, definition, &mut inner)?,
            _ => return Err(SqlError::internal("a schema element of an unknown kind").into()),
        };
    }
    Ok(())
}

fn rank(element: &Parsed) -> u8 {
    match &element.kind {
        StatementKind::Sequence(_) => 0,
        StatementKind::Define(definition) => match **definition {
            Definition::Table(_) => 1,
            Definition::View(_) => 2,
            Definition::Index(_) => 3,
            _ => 4,
        },
        _ => 5,
    }
}

/// 42P15 for an element that names another schema.
fn expect_in_schema(element: &Parsed, schema: &str) -> SqlResult<()> {
    let written = match &element.kind {
        StatementKind::Sequence(statement) => statement.schema.as_deref(),
        StatementKind::Define(definition) => match &**definition {
            Definition::Table(table) => table.name.schema.as_deref(),
            Definition::View(view) => view.name.schema.as_deref(),
            Definition::Index(index) => index.table.schema.as_deref(),
            _ => None,
        },
        _ => None,
    };
    match written.filter(|written| *written != schema) {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("CREATE specifies a schema ({other}) different from the one being created ({schema})");
            Err(SqlError::new(INVALID_SCHEMA_DEFINITION, message))
        }
    }
}
