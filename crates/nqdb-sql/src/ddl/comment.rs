//! COMMENT ON.

use nqdb_catalog::Relation;
use nqdb_sqlstate::{INVALID_SCHEMA_NAME, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE};
use nqdb_txn::TxnError;
use nqdb_types::{Oid, user_type_object};

use super::{DdlContext, QualifiedName};
use crate::definition::{CommentOn, CommentTarget, ObjectKind};
use crate::exec::CommandTag;

/// The system catalogs that comments are filed under, by PostgreSQL's numbers.
pub(super) const PG_CLASS: Oid = 1259;
const PG_TYPE: Oid = 1247;
const PG_AUTHID: Oid = 1260;
const PG_DATABASE: Oid = 1262;
const PG_CONSTRAINT: Oid = 2606;
const PG_NAMESPACE: Oid = 2615;

pub(super) fn comment(comment: &CommentOn, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let (class, object, column) = match &comment.target {
        CommentTarget::Object(ObjectKind::Schema, name) => (PG_NAMESPACE, schema(name, cx)?, 0),
        CommentTarget::Object(kind, name) => {
            let relation = cx.object_relation(*kind, name)?;
            cx.expect_owner(relation.owner(), relation.kind_name(), relation.name())?;
            (PG_CLASS, relation.oid(), 0)
        }
        CommentTarget::Column { relation, column } => column_place(relation, column, cx)?,
        CommentTarget::Constraint { name, table } => (PG_CONSTRAINT, constraint(name, table, cx)?, 0),
        CommentTarget::Type(name) => (PG_TYPE, user_type(name, cx)?, 0),
        CommentTarget::Domain(name) => (PG_TYPE, cx.own_domain(name)?.oid, 0),
        CommentTarget::DomainConstraint { name, domain } => (PG_CONSTRAINT, domain_constraint(name, domain, cx)?, 0),
        CommentTarget::Role(name) => (PG_AUTHID, role(name, cx)?, 0),
        CommentTarget::Database(name) => (PG_DATABASE, database(name, cx)?, 0),
    };
    cx.writer().set_comment(class, object, column, comment.text.clone())?;
    Ok(CommandTag::Other("COMMENT"))
}

fn schema(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let snapshot = cx.draft.snapshot();
    let schema = snapshot
        .schema(&name.name)
        .ok_or_else(|| SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", name.name)))?;
    cx.expect_owner(schema.owner, "schema", &schema.name)?;
    Ok(schema.oid)
}

fn column_place(relation: &QualifiedName, column: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<(Oid, Oid, i16)> {
    if let Some(place) = attribute_place(relation, column, cx)? {
        return Ok(place);
    }
    let found = cx.find_relation(relation).ok_or_else(|| cx.missing_relation(relation))?;
    let number = match &found {
        Relation::Table(table) => {
            table.column_named(column).and_then(|at| table.columns.get(at)).map(|column| column.attnum)
        }
        Relation::View(view) => {
            let at = view.columns.iter().position(|found| found.name == column);
            at.and_then(|at| i16::try_from(at + 1).ok())
        }
        Relation::Index(..) | Relation::Sequence(_) => {
            let message = format!("cannot set comment on relation \"{}\"", relation.name);
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message)
                .with_detail(format!("This operation is not supported for {}.", plural(&found))));
        }
    };
    cx.expect_owner(found.owner(), found.kind_name(), found.name())?;
    let number = number.ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", relation.name);
        SqlError::new(UNDEFINED_COLUMN, message)
    })?;
    Ok((PG_CLASS, found.oid(), number))
}

/// The place of an attribute of a composite type; `None` when the name is none of such a type.
fn attribute_place(
    name: &QualifiedName,
    attribute: &str,
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<Option<(Oid, Oid, i16)>> {
    let snapshot = cx.draft.snapshot();
    let found = snapshot.resolve_type(cx.search_path, name.schema.as_deref(), &name.name);
    let Some(def) = found.and_then(|found| snapshot.type_by_oid(found)) else { return Ok(None) };
    let Some(composite) = def.composite() else { return Ok(None) };
    cx.expect_owner(def.owner, "type", &def.name)?;
    let number = composite.attribute_named(attribute).and_then(|at| i16::try_from(at + 1).ok());
    let number = number.ok_or_else(|| {
        let message = format!("column \"{attribute}\" of relation \"{}\" does not exist", name.name);
        SqlError::new(UNDEFINED_COLUMN, message)
    })?;
    Ok(Some((PG_CLASS, user_type_object(def.oid), number)))
}

fn plural(relation: &Relation) -> &'static str {
    match relation {
        Relation::Index(..) => "indexes",
        _ => "sequences",
    }
}

fn constraint(name: &str, table: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let table = cx.find_table(table)?;
    cx.expect_owner(table.owner, "table", &table.name)?;
    table.constraint_named(name).ok_or_else(|| {
        let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
        SqlError::new(UNDEFINED_OBJECT, message)
    })
}

fn user_type(name: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let found = cx.own_type(name)?;
    cx.expect_owner(found.owner, "type", &found.name)?;
    Ok(found.oid)
}

fn domain_constraint(name: &str, domain: &QualifiedName, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let found = cx.own_domain(domain)?;
    let mut checks = found.domain().into_iter().flat_map(|domain| &domain.checks);
    checks.find(|check| check.name == name).map(|check| check.oid).ok_or_else(|| {
        let message = format!("constraint \"{name}\" for domain {} does not exist", found.name);
        SqlError::new(UNDEFINED_OBJECT, message)
    })
}

fn role(name: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let snapshot = cx.draft.snapshot();
    let role = snapshot.role(name);
    let role = role.ok_or_else(|| SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))?;
    cx.expect_may_comment_on(role)?;
    Ok(role.oid)
}

fn database(name: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let snapshot = cx.draft.snapshot();
    let found = super::database::database_named(name, &snapshot)?;
    cx.expect_owner(found.owner, "database", name)?;
    Ok(found.oid)
}
