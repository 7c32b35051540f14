//! DROP of relations and schemas.

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::{ObjectId, PG_CATALOG_OID, Relation};
use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, INSUFFICIENT_PRIVILEGE, INVALID_SCHEMA_NAME, Notice, SUCCESSFUL_COMPLETION,
    SqlError, UNDEFINED_OBJECT, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use sqlparser::ast::{ObjectName, ObjectType};

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
    let (tag, kind) = match object_type {
        ObjectType::Table => ("DROP TABLE", "table"),
        ObjectType::Index => ("DROP INDEX", "index"),
        ObjectType::Sequence => ("DROP SEQUENCE", "sequence"),
        ObjectType::View => ("DROP VIEW", "view"),
        ObjectType::MaterializedView => ("DROP MATERIALIZED VIEW", "materialized view"),
        ObjectType::Schema => ("DROP SCHEMA", "schema"),
        other => return Err(SqlError::unsupported(format!("DROP {other}")).into()),
    };
    let mut roots = Vec::with_capacity(names.len());
    for name in names {
        let name = cx.name(name)?;
        let root = if kind == "schema" {
            schema_root(&name, if_exists, cx)?
        } else {
            relation_root(&name, kind, if_exists, cx)?
        };
        roots.extend(root.filter(|root| !roots.contains(root)));
    }
    cx.drop_with(&roots, behavior)?;
    Ok(CommandTag::Other(tag))
}

/// DROP INDEX of names that are split already.
pub(super) fn drop_indexes(
    names: &[QualifiedName],
    if_exists: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let mut roots = Vec::with_capacity(names.len());
    for name in names {
        let root = relation_root(name, "index", if_exists, cx)?;
        roots.extend(root.filter(|root| !roots.contains(root)));
    }
    cx.drop_with(&roots, DropBehavior::Restrict)?;
    Ok(CommandTag::Other("DROP INDEX"))
}

/// The relation to drop; none when it is missing and IF EXISTS says that this is no error.
fn relation_root(
    name: &QualifiedName,
    kind: &str,
    if_exists: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Option<ObjectId>, TxnError> {
    let Some(relation) = cx.find_relation(name) else {
        expect_no_catalog(name)?;
        missing(kind, name, if_exists, cx)?;
        return Ok(None);
    };
    if relation.kind_name() != kind {
        return Err(wrong_kind(name, kind, relation.kind_name()));
    }
    cx.expect_owner(relation.owner(), kind, relation.name())?;
    match &relation {
        Relation::Sequence(sequence) => cx.writer().expect_no_identity(sequence.oid)?,
        Relation::Index(table, position) => {
            if let Some(index) = table.indexes.get(*position) {
                cx.writer().expect_no_constraint(table.oid, index.oid)?;
            }
        }
        Relation::Table(_) | Relation::View(_) => {}
    }
    Ok(Some(ObjectId::Relation(relation.oid())))
}

/// 42501 for a relation that the server itself makes.
pub(super) fn expect_no_catalog(name: &QualifiedName) -> Result<(), TxnError> {
    let is_catalog = match name.schema.as_deref() {
        Some("pg_catalog") | None => crate::system::named(PG_CATALOG_OID, &name.name).is_some(),
        Some(_) => false,
    };
    if !is_catalog {
        return Ok(());
    }
    let message = format!("permission denied: \"{}\" is a system catalog", name.name);
    Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message).into())
}

fn schema_root(
    name: &QualifiedName,
    if_exists: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Option<ObjectId>, TxnError> {
    if name.schema.is_some() {
        return Err(SqlError::unsupported(format!("the schema name {}", name.display())).into());
    }
    let schema = cx.draft.snapshot().schema(&name.name).cloned();
    match schema {
        Some(schema) => {
            cx.expect_owner(schema.owner, "schema", &schema.name)?;
            if schema.oid == PG_CATALOG_OID {
                let message = "cannot drop schema pg_catalog because it is required by the database system";
                return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message).into());
            }
            Ok(Some(ObjectId::Schema(schema.oid)))
        }
        None if if_exists => {
            let message = format!("schema \"{}\" does not exist, skipping", name.name);
            cx.notice(Notice::new(INVALID_SCHEMA_NAME, message));
            Ok(None)
        }
        None => Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", name.name)).into()),
    }
}

impl DdlContext<'_, '_> {
    /// Drops objects and tells what CASCADE took along.
    pub(super) fn drop_with(&mut self, roots: &[ObjectId], behavior: DropBehavior) -> Result<(), TxnError> {
        let before = self.draft.snapshot();
        let dropped = self.writer().drop_objects(roots, behavior)?;
        report_cascade(&dropped, self);
        self.expect_none_dropped(&before)?;
        Ok(())
    }
}

/// Nothing of the name: a notice with IF EXISTS, an error without.
fn missing(kind: &str, name: &QualifiedName, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let schema = name.schema.as_deref().filter(|schema| cx.draft.snapshot().schema(schema).is_none());
    let code = match schema {
        Some(_) => INVALID_SCHEMA_NAME,
        None if kind == "index" => UNDEFINED_OBJECT,
        None => UNDEFINED_TABLE,
    };
    let missing = match schema {
        Some(schema) => format!("schema \"{schema}\" does not exist"),
        None => format!("{kind} \"{}\" does not exist", name.display()),
    };
    if !if_exists {
        return Err(SqlError::new(code, missing).into());
    }
    cx.notice(Notice::new(code, format!("{missing}, skipping")));
    Ok(())
}

fn wrong_kind(name: &QualifiedName, wanted: &str, found: &str) -> TxnError {
    let article = |word: &str| if word == "index" { "an index".to_owned() } else { format!("a {word}") };
    let hint = format!("Use DROP {} to remove {}.", found.to_uppercase(), article(found));
    let message = format!("\"{}\" is not {}", name.name, article(wanted));
    SqlError::new(WRONG_OBJECT_TYPE, message).with_hint(hint).into()
}

/// PostgreSQL's notice about what CASCADE took along.
pub(super) fn report_cascade(dropped: &[String], cx: &mut DdlContext<'_, '_>) {
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
