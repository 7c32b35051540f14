//! ALTER ... RENAME, SET SCHEMA and OWNER TO, of all kinds of objects.

use nqdb_catalog::{Relation, SchemaDef, TableDef};
use nqdb_sqlstate::{
    INVALID_SCHEMA_NAME, Notice, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::Oid;

use super::{DdlContext, QualifiedName, rename};
use crate::definition::{Alter, AlterAction, ObjectKind};
use crate::exec::CommandTag;
use crate::rights_command::RoleSpec;

pub(super) fn alter(alter: &Alter, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let tag = CommandTag::Other(tag(alter.kind));
    if alter.kind == ObjectKind::Schema {
        alter_schema(alter, cx)?;
        return Ok(tag);
    }
    if alter.if_exists && cx.find_relation(&alter.name).is_none() {
        let message = format!("relation \"{}\" does not exist, skipping", alter.name.display());
        cx.notice(Notice::new(UNDEFINED_TABLE, message));
        return Ok(tag);
    }
    let relation = cx.object_relation(alter.kind, &alter.name)?;
    cx.expect_owner(relation.owner(), relation.kind_name(), relation.name())?;
    match &alter.action {
        AlterAction::Rename(name) => rename_relation(&relation, name, cx)?,
        AlterAction::RenameColumn { column, new_name } => rename_column(&relation, column, new_name, cx)?,
        AlterAction::SetSchema(schema) => set_schema(&relation, schema, cx)?,
        AlterAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(relation.schema()))?;
            expect_not_owned(&relation, "change owner of sequence", cx)?;
            cx.expect_not_open(relation.oid(), relation.name(), "ALTER TABLE")?;
            cx.writer().set_relation_owner(relation.oid(), owner)?;
        }
    }
    Ok(tag)
}

/// The command tag of an ALTER.
pub(super) fn tag(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "ALTER TABLE",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::MaterializedView => "ALTER MATERIALIZED VIEW",
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::Sequence => "ALTER SEQUENCE",
        ObjectKind::Schema => "ALTER SCHEMA",
    }
}

impl DdlContext<'_, '_> {
    /// The relation that a command about one kind names. ALTER TABLE takes all kinds, as in PostgreSQL.
    pub(super) fn object_relation(&mut self, kind: ObjectKind, name: &QualifiedName) -> SqlResult<Relation> {
        let relation = self.find_relation(name).ok_or_else(|| self.missing_relation(name))?;
        let wanted = match kind {
            ObjectKind::Table => return Ok(relation),
            ObjectKind::View => "view",
            ObjectKind::MaterializedView => "materialized view",
            ObjectKind::Index => "index",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Schema => return Err(SqlError::internal("a schema is no relation")),
        };
        if relation.kind_name() == wanted {
            return Ok(relation);
        }
        let article = if wanted == "index" { "an" } else { "a" };
        Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not {article} {wanted}", name.name)))
    }

    /// The role that an object is to belong to. Errors: 42501 unless the current role is a member of it, and it may make
    /// objects in the schema.
    pub(super) fn new_owner(&mut self, name: &str, schema: Option<Oid>) -> SqlResult<Oid> {
        let spec = match name {
            "current_user" | "current_role" => RoleSpec::CurrentUser,
            "session_user" => RoleSpec::SessionUser,
            _ => RoleSpec::Name(name.to_owned()),
        };
        let owner = self.role_of(&spec)?;
        if self.is_superuser() {
            return Ok(owner.oid);
        }
        self.expect_member(&owner)?;
        let snapshot = self.draft.snapshot();
        if let Some(schema) = schema.and_then(|schema| snapshot.schema_by_oid(schema)) {
            self.expect_role_may_create_in(&snapshot, owner.oid, schema)?;
        }
        Ok(owner.oid)
    }
}

fn rename_relation(relation: &Relation, name: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    match relation {
        Relation::Table(table) => cx.writer().rename_table(table.oid, name),
        Relation::View(view) => cx.writer().rename_view(view.oid, name),
        Relation::Sequence(sequence) => cx.writer().rename_sequence(sequence.oid, name),
        Relation::Index(table, position) => match table.indexes.get(*position) {
            Some(index) => cx.writer().rename_index(table.oid, index.oid, name),
            None => Err(SqlError::internal("an index that was found is missing").into()),
        },
    }
}

fn rename_column(
    relation: &Relation,
    column: &str,
    new_name: &str,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let missing =
        || -> TxnError { SqlError::new(UNDEFINED_COLUMN, format!("column \"{column}\" does not exist")).into() };
    match relation {
        Relation::Table(table) => {
            let table = cx.writer().lock_table(table.oid, RelationLock::AccessExclusive)?;
            let position = table.column_named(column).ok_or_else(missing)?;
            let checks = rename::renamed_checks(&table, position, new_name)?;
            let generated = rename::renamed_generations(&table, position, new_name)?;
            let indexes = rename::renamed_indexes(&table, position, new_name)?;
            let filter = rename::renamed_filter(&table, position, new_name)?;
            cx.writer().rename_column(table.oid, position, new_name, checks, indexes, filter)?;
            for (at, text, columns) in generated {
                cx.writer().set_generated(table.oid, at, text, columns)?;
            }
            Ok(())
        }
        Relation::View(view) => {
            let position = view.columns.iter().position(|found| found.name == column).ok_or_else(missing)?;
            cx.writer().rename_view_column(view.oid, position, new_name)
        }
        Relation::Index(..) | Relation::Sequence(_) => {
            let message = format!("cannot rename columns of relation \"{}\"", relation.name());
            Err(SqlError::new(WRONG_OBJECT_TYPE, message).into())
        }
    }
}

fn set_schema(relation: &Relation, schema: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let snapshot = cx.draft.snapshot();
    let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"));
    let schema = snapshot.schema(schema).ok_or_else(missing)?;
    let of_now = snapshot.schema_by_oid(relation.schema());
    if schema.is_temporary() || of_now.is_some_and(|schema| schema.is_temporary()) {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message).into());
    }
    cx.expect_may_create_in(&snapshot, schema)?;
    expect_not_owned(relation, "move", cx)?;
    if let Relation::Index(..) = relation {
        let message = format!("\"{}\" is not a table", relation.name());
        return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
    }
    cx.writer().set_relation_schema(relation.oid(), schema.oid)
}

/// 0A000 for a sequence that goes with its table.
fn expect_not_owned(relation: &Relation, verb: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    let Relation::Sequence(sequence) = relation else { return Ok(()) };
    let Some(owner) = sequence.owned_by else { return Ok(()) };
    let snapshot = cx.draft.snapshot();
    let table = snapshot.table_by_oid(owner.table).map_or("", |table: &std::sync::Arc<TableDef>| table.name.as_str());
    let message = if verb == "move" {
        "cannot move an owned sequence into another schema".to_owned()
    } else {
        format!("cannot {verb} \"{}\"", sequence.name)
    };
    let detail = format!("Sequence \"{}\" is linked to table \"{table}\".", sequence.name);
    Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message).with_detail(detail))
}

fn alter_schema(alter: &Alter, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let name = &alter.name.name;
    let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"));
    let snapshot = cx.draft.snapshot();
    let schema: &SchemaDef = snapshot.schema(name).ok_or_else(missing)?;
    cx.expect_owner(schema.owner, "schema", &schema.name)?;
    match &alter.action {
        AlterAction::Rename(new_name) => {
            cx.expect_may_create_schema()?;
            cx.writer().alter_schema(schema.oid, Some(new_name), None)
        }
        AlterAction::Owner(owner) => {
            let owner = cx.new_owner(owner, None)?;
            cx.expect_may_create_schema()?;
            cx.writer().alter_schema(schema.oid, None, Some(owner))
        }
        AlterAction::SetSchema(_) | AlterAction::RenameColumn { .. } => {
            Err(SqlError::unsupported("this form of ALTER SCHEMA").into())
        }
    }
}
