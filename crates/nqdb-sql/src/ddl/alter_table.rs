//! ALTER TABLE and ALTER INDEX with actions: in which order they run, and of what kinds of relations.
//!
//! 1. Actions run in PostgreSQL's passes: drops, types, columns, NOT NULL, keys, the other constraints and defaults, the
//!    rest; within a pass in their order. So a column that is added can be in a key of the same statement, wherever it stands.
//! 2. Existing rows are checked, or written again, under the table's lock.

use std::sync::Arc;

use nqdb_catalog::request::{DropBehavior, NewConstraint};
use nqdb_catalog::{Deferral, ObjectId, Relation, ReplicaIdentity, TableDef};
use nqdb_sqlstate::{
    CHECK_VIOLATION, FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, INVALID_TABLE_DEFINITION, Notice,
    OBJECT_NOT_IN_PREREQUISITE_STATE, SUCCESSFUL_COMPLETION, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT,
    UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::Oid;

use super::alter_column::{add_column, alter_column, expect_column, null_values};
use super::alter_type::alter_types;
use super::cluster::expect_clusterable;
use super::constraint::{WrittenConstraint, WrittenKey, bind_check, table_constraint};
use super::create_table::{expect_heap, expect_tablespace};
use super::drop::expect_no_catalog;
use super::query::quoted;
use super::storage_parameters::{self, Target};
use super::{DdlContext, foreign_key, view};
use crate::exec::CommandTag;
use crate::parse::Tokens;
use crate::statement::Parsed;
use crate::table_command::{
    AlterTable, ColumnAction, ConstraintKind, NewType, Parameter, TableAction, TableConstraint, WrittenReplicaIdentity,
};

pub(super) fn alter_table(
    parsed: &Parsed,
    alter: &AlterTable,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let tag = CommandTag::Other(super::alter_object::tag(alter.kind));
    if cx.find_relation(&alter.name).is_none() {
        if alter.if_exists {
            let message = format!("relation \"{}\" does not exist, skipping", alter.name.display());
            cx.notice(Notice::new(UNDEFINED_TABLE, message));
            return Ok(tag);
        }
        expect_no_catalog(&alter.name)?;
    }
    let relation = cx.object_relation(alter.kind, &alter.name)?;
    cx.expect_owner(relation.owner(), relation.kind_name(), relation.name())?;
    for action in &alter.actions {
        expect_kind(&relation, action)?;
    }
    match &relation {
        Relation::Table(table) => alter_actions(table.oid, &alter.actions, &parsed.tokens, cx)?,
        Relation::View(_) => alter.actions.iter().try_for_each(|action| alter_view(&relation, action, cx))?,
        Relation::Index(table, position) => {
            let Some(index) = table.indexes.get(*position) else { return Ok(tag) };
            alter.actions.iter().try_for_each(|action| alter_index(table.oid, index.oid, action, cx))?;
        }
        // Only what changes nothing gets here.
        Relation::Sequence(_) => {
            if alter.actions.iter().any(|action| matches!(action, TableAction::SetLogged(false))) {
                return Err(SqlError::unsupported("an unlogged sequence").into());
            }
        }
    }
    Ok(tag)
}

/// Kinds of relations, as [`expect_kind`] asks for them.
const TABLE: &str = "table";
const MATERIALIZED: &str = "materialized view";
const VIEW: &str = "view";
const INDEX: &str = "index";
const SEQUENCE: &str = "sequence";

/// 42809 for an action that relations of the kind cannot have.
fn expect_kind(relation: &Relation, action: &TableAction) -> SqlResult<()> {
    let (words, kinds): (&str, &[&str]) = match action {
        TableAction::AddColumn { .. } => ("ADD COLUMN", &[TABLE]),
        TableAction::DropColumn { .. } => ("DROP COLUMN", &[TABLE]),
        TableAction::AlterColumn { action, .. } => expected_of_column(action),
        TableAction::AlterIndexColumn { .. } => ("ALTER COLUMN ... SET STATISTICS", &[TABLE, MATERIALIZED, INDEX]),
        TableAction::AddConstraint(_) => ("ADD CONSTRAINT", &[TABLE]),
        TableAction::AlterConstraint { .. } => ("ALTER CONSTRAINT", &[TABLE]),
        TableAction::DropConstraint { .. } => ("DROP CONSTRAINT", &[TABLE]),
        TableAction::RenameConstraint { .. } => ("RENAME CONSTRAINT", &[TABLE]),
        TableAction::ValidateConstraint(_) => ("VALIDATE CONSTRAINT", &[TABLE]),
        TableAction::Owner(_) => return Ok(()),
        TableAction::ClusterOn(_) => ("CLUSTER ON", &[TABLE, MATERIALIZED]),
        TableAction::WithoutCluster => ("SET WITHOUT CLUSTER", &[TABLE, MATERIALIZED]),
        TableAction::SetLogged(true) => ("SET LOGGED", &[TABLE, SEQUENCE]),
        TableAction::SetLogged(false) => ("SET UNLOGGED", &[TABLE, SEQUENCE]),
        TableAction::WithoutOids => ("SET WITHOUT OIDS", &[TABLE]),
        TableAction::SetParameters(_) => ("SET", &[TABLE, VIEW, MATERIALIZED, INDEX]),
        TableAction::ResetParameters(_) => ("RESET", &[TABLE, VIEW, MATERIALIZED, INDEX]),
        TableAction::SetTablespace(_) => ("SET TABLESPACE", &[TABLE, MATERIALIZED, INDEX]),
        TableAction::SetAccessMethod(_) => ("SET ACCESS METHOD", &[TABLE, MATERIALIZED]),
        TableAction::ReplicaIdentity(_) => ("REPLICA IDENTITY", &[TABLE, MATERIALIZED]),
    };
    let kind = relation.kind_name();
    if kinds.contains(&kind) {
        return Ok(());
    }
    let message = format!("ALTER action {words} cannot be performed on relation \"{}\"", relation.name());
    let kinds = if kind == INDEX { "indexes".to_owned() } else { format!("{kind}s") };
    Err(SqlError::new(WRONG_OBJECT_TYPE, message).with_detail(format!("This operation is not supported for {kinds}.")))
}

fn expected_of_column(action: &ColumnAction) -> (&'static str, &'static [&'static str]) {
    match action {
        ColumnAction::SetDefault(_) | ColumnAction::DropDefault => ("ALTER COLUMN ... SET DEFAULT", &[TABLE, VIEW]),
        ColumnAction::SetNotNull => ("ALTER COLUMN ... SET NOT NULL", &[TABLE]),
        ColumnAction::DropNotNull => ("ALTER COLUMN ... DROP NOT NULL", &[TABLE]),
        ColumnAction::Type(_) => ("ALTER COLUMN ... SET DATA TYPE", &[TABLE]),
        ColumnAction::AddIdentity { .. } => ("ALTER COLUMN ... ADD IDENTITY", &[TABLE]),
        ColumnAction::SetIdentity { .. } => ("ALTER COLUMN ... SET", &[TABLE]),
        ColumnAction::DropIdentity { .. } => ("ALTER COLUMN ... DROP IDENTITY", &[TABLE]),
        ColumnAction::DropExpression { .. } => ("ALTER COLUMN ... DROP EXPRESSION", &[TABLE]),
        ColumnAction::SetStatistics(_) => ("ALTER COLUMN ... SET STATISTICS", &[TABLE, MATERIALIZED, INDEX]),
        ColumnAction::SetStorage(_) => ("ALTER COLUMN ... SET STORAGE", &[TABLE, MATERIALIZED]),
        ColumnAction::SetCompression(_) => ("ALTER COLUMN ... SET COMPRESSION", &[TABLE, MATERIALIZED]),
        ColumnAction::SetParameters(_) => ("ALTER COLUMN ... SET", &[TABLE, MATERIALIZED]),
        ColumnAction::ResetParameters(_) => ("ALTER COLUMN ... RESET", &[TABLE, MATERIALIZED]),
    }
}

/// The pass that an action runs in.
fn pass(action: &TableAction) -> u8 {
    match action {
        TableAction::DropColumn { .. } | TableAction::DropConstraint { .. } | TableAction::WithoutOids => 0,
        TableAction::AlterColumn { action, .. } => match &**action {
            ColumnAction::DropDefault
            | ColumnAction::DropNotNull
            | ColumnAction::DropIdentity { .. }
            | ColumnAction::DropExpression { .. } => 0,
            ColumnAction::Type(_) => 1,
            ColumnAction::SetNotNull => 3,
            ColumnAction::SetDefault(_) | ColumnAction::AddIdentity { .. } => 6,
            _ => 7,
        },
        TableAction::AddColumn { .. } => 2,
        TableAction::AddConstraint(constraint) => match constraint.kind {
            ConstraintKind::KeyOfIndex { .. } => 4,
            ConstraintKind::Key(_) => 5,
            ConstraintKind::Check(_) | ConstraintKind::ForeignKey(_) => 6,
        },
        _ => 7,
    }
}

fn alter_actions(
    table: Oid,
    actions: &[TableAction],
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let is_rename = matches!(actions, [TableAction::RenameConstraint { .. }]);
    if !is_rename && let Some(definition) = cx.draft.snapshot().table_by_oid(table).cloned() {
        cx.expect_not_open(table, &definition.name, "ALTER TABLE")?;
    }
    if actions.iter().filter(|action| matches!(action, TableAction::SetLogged(_))).count() > 1 {
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, "cannot change persistence setting twice").into());
    }
    let mut ordered: Vec<&TableAction> = actions.iter().collect();
    ordered.sort_by_key(|action| pass(action));
    let types: Vec<(&str, &NewType)> = ordered
        .iter()
        .filter_map(|action| match action {
            TableAction::AlterColumn { column, action } => match &**action {
                ColumnAction::Type(new) => Some((column.as_str(), &**new)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut types_are_done = types.is_empty();
    for action in ordered {
        if pass(action) != 1 {
            alter_one(table, action, tokens, cx)?;
        } else if !types_are_done {
            alter_types(table, &types, tokens, cx)?;
            types_are_done = true;
        }
    }
    Ok(())
}

fn alter_one(
    table: Oid,
    action: &TableAction,
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    match action {
        TableAction::AddColumn { if_not_exists, column } => add_column(table, *if_not_exists, column, tokens, cx),
        TableAction::DropColumn { name, if_exists, cascade } => {
            let behavior = if *cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
            drop_column(&definition, name, *if_exists, behavior, cx)
        }
        TableAction::AlterColumn { column, action } => alter_column(&definition, column, action, cx),
        TableAction::AlterIndexColumn { .. } => {
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot refer to non-index column by number").into())
        }
        TableAction::AddConstraint(constraint) => add_constraint(&definition, constraint, tokens, cx),
        TableAction::AlterConstraint { name, deferral } => alter_constraint(&definition, name, *deferral, cx),
        TableAction::DropConstraint { name, if_exists, cascade } => {
            let behavior = if *cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
            drop_constraint(&definition, name, *if_exists, behavior, cx)
        }
        TableAction::RenameConstraint { name, new_name } => cx.writer().rename_constraint(table, name, new_name),
        TableAction::ValidateConstraint(name) => validate_constraint(&definition, name, cx),
        TableAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(definition.schema))?;
            cx.writer().set_relation_owner(table, owner)
        }
        TableAction::ClusterOn(name) => {
            let index = expect_clusterable(&definition, name, cx)?;
            cx.writer().set_clustered(table, Some(index))
        }
        TableAction::WithoutCluster => cx.writer().set_clustered(table, None),
        TableAction::SetLogged(logged) => set_logged(&definition, *logged, cx),
        // None has any.
        TableAction::WithoutOids => Ok(()),
        TableAction::SetParameters(written) => {
            let parameters = storage_parameters::set(&definition.settings.parameters, written, Target::Table)?;
            cx.writer().change_settings(table, |settings| settings.parameters = parameters)
        }
        TableAction::ResetParameters(names) => {
            let parameters = storage_parameters::reset(&definition.settings.parameters, names, Target::Table)?;
            cx.writer().change_settings(table, |settings| settings.parameters = parameters)
        }
        TableAction::SetTablespace(name) => Ok(expect_tablespace(Some(name))?),
        TableAction::SetAccessMethod(name) => Ok(expect_heap(Some(name))?),
        TableAction::ReplicaIdentity(written) => {
            let identity = replica_identity(&definition, written, cx)?;
            cx.writer().change_settings(table, |settings| settings.replica_identity = identity)
        }
    }
}

/// SET LOGGED and SET UNLOGGED. Errors: 42P16 for a temporary table, and where a foreign key would lead from a logged table
/// to one that is not.
fn set_logged(table: &TableDef, logged: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let refused = |message: String| Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
    if table.is_temporary() {
        let name = &table.name;
        return refused(format!("cannot change logged status of table \"{name}\" because it is temporary"));
    }
    if table.settings.unlogged != logged {
        return Ok(());
    }
    let snapshot = cx.draft.snapshot();
    let is_other = |other: &&Arc<TableDef>| other.oid != table.oid && other.settings.unlogged == logged;
    let (others, states): (Vec<u32>, _) = if logged {
        (table.foreign_keys.iter().map(|key| key.referenced).collect(), ("logged", "unlogged"))
    } else {
        let refers = |other: &&Arc<TableDef>| other.foreign_keys.iter().any(|key| key.referenced == table.oid);
        (snapshot.tables().filter(refers).map(|other| other.oid).collect(), ("unlogged", "logged"))
    };
    let mut others = others.iter().filter_map(|oid| snapshot.table_by_oid(*oid));
    if let Some(other) = others.find(is_other) {
        let (wanted, found) = states;
        return refused(format!(
            "could not change table \"{}\" to {wanted} because it references {found} table \"{}\"",
            table.name, other.name
        ));
    }
    cx.writer().change_settings(table.oid, |settings| settings.unlogged = !logged)
}

fn drop_column(
    table: &TableDef,
    name: &str,
    if_exists: bool,
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    if table.column_named(name).is_none() && if_exists {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist, skipping", table.name);
        cx.notice(Notice::new(UNDEFINED_COLUMN, message));
        return Ok(());
    }
    let position = expect_column(table, name)?;
    let Some(column) = table.columns.get(position) else { return Ok(()) };
    cx.drop_with(&[ObjectId::Column(table.oid, column.attnum)], behavior)
}

fn add_constraint(
    table: &Arc<TableDef>,
    written: &TableConstraint,
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    match &written.kind {
        ConstraintKind::KeyOfIndex { primary, index } => add_key_of_index(table, written, index, *primary, cx),
        ConstraintKind::Key(_) | ConstraintKind::Check(_) | ConstraintKind::ForeignKey(_) => {
            add_written_constraint(table.oid, table_constraint(written)?, Some(tokens), cx)
        }
    }
}

/// Adds a constraint that all rows meet; 23502 or 23514 when one does not.
pub(super) fn add_written_constraint(
    table: Oid,
    constraint: WrittenConstraint,
    tokens: Option<&Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    match constraint {
        WrittenConstraint::Key(key) => add_key(&definition, key, cx),
        WrittenConstraint::ForeignKey(key) => foreign_key::add_to_rows(table, &key, cx),
        WrittenConstraint::Check(check) => {
            let (not_valid, condition) = (check.not_valid, format!("NOT ({})", check.text));
            let bound = bind_check(check, &definition, tokens, cx)?;
            let before: Vec<u32> = definition.checks.iter().map(|check| check.oid).collect();
            let violated_by_row = !not_valid && cx.any_row(&definition, &condition)?;
            cx.writer().add_constraints(table, &[bound])?;
            if violated_by_row {
                let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
                let added = definition.checks.iter().find(|check| !before.contains(&check.oid));
                return Err(violated(&definition, added.map_or("", |check| check.name.as_str())).into());
            }
            Ok(())
        }
    }
}

fn add_key(table: &TableDef, key: WrittenKey, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    for (at, column) in key.new.columns.iter().chain(&key.new.included).enumerate() {
        if table.column_named(column).is_none() {
            let message = format!("column \"{column}\" named in key does not exist");
            return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
        }
        if at >= key.new.columns.len() {
            continue;
        }
        if key.new.columns.iter().take(at).any(|other| other == column) {
            let kind = if key.new.primary { "primary key" } else { "unique" };
            let message = format!("column \"{column}\" appears twice in {kind} constraint");
            return Err(SqlError::new(nqdb_sqlstate::DUPLICATE_COLUMN, message).into());
        }
        if key.new.primary
            && table.primary_key().is_none()
            && cx.any_row(table, &format!("{} IS NULL", quoted(column)))?
        {
            return Err(null_values(table, column).into());
        }
    }
    cx.writer().add_constraints(table.oid, &[NewConstraint::Key(key.new)])
}

/// `ADD CONSTRAINT name { PRIMARY KEY | UNIQUE } USING INDEX index`.
fn add_key_of_index(
    table: &Arc<TableDef>,
    written: &TableConstraint,
    index_name: &str,
    primary: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let found = cx.draft.snapshot().relation(table.schema, index_name).cloned();
    let Some(Relation::Index(owner, position)) = found else {
        return Err(SqlError::new(UNDEFINED_OBJECT, format!("index \"{index_name}\" does not exist")).into());
    };
    let not_ready = |message: String| Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
    let Some(index) = owner.indexes.get(position) else { return Ok(()) };
    if index.constraint {
        return not_ready(format!("index \"{index_name}\" is already associated with a constraint"));
    }
    if owner.oid != table.oid {
        return not_ready(format!("index \"{index_name}\" does not belong to table \"{}\"", table.name));
    }
    let has_order = index.key.iter().position(|key| key.descending || key.nulls_first);
    let problem = if !index.unique {
        Some(format!("\"{index_name}\" is not a unique index"))
    } else if index.computation.as_ref().is_some_and(|computation| !computation.expressions.is_empty()) {
        Some(format!("index \"{index_name}\" contains expressions"))
    } else if index.predicate().is_some() {
        Some(format!("\"{index_name}\" is a partial index"))
    } else {
        has_order
            .map(|at| format!("index \"{index_name}\" column number {} does not have default sorting behavior", at + 1))
    };
    if let Some(message) = problem {
        let detail = "Cannot create a primary key or unique constraint using such an index.";
        return Err(SqlError::new(WRONG_OBJECT_TYPE, message).with_detail(detail).into());
    }
    if primary && table.primary_key().is_none() {
        for column in index.key.iter().filter_map(|key| table.columns.get(key.column)) {
            if cx.any_row(table, &format!("{} IS NULL", quoted(&column.name)))? {
                return Err(null_values(table, &column.name).into());
            }
        }
    }
    let name = written.name.as_deref().unwrap_or(index_name);
    if name != index_name {
        let message =
            format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{index_name}\" to \"{name}\"");
        cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
    }
    cx.writer().add_key_of_index(table.oid, index.oid, name, primary, written.deferral)
}

/// 23514 in the words of ALTER TABLE.
pub(super) fn violated(table: &TableDef, name: &str) -> SqlError {
    let message = format!("check constraint \"{name}\" of relation \"{}\" is violated by some row", table.name);
    SqlError::new(CHECK_VIOLATION, message)
        .with_table(table.schema_name.clone(), table.name.clone())
        .with_constraint(name)
}

fn missing_constraint(name: &str, table: &TableDef) -> SqlError {
    let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
    SqlError::new(UNDEFINED_OBJECT, message)
}

fn drop_constraint(
    table: &TableDef,
    name: &str,
    if_exists: bool,
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    if let Some(referenced) = table.foreign_key_named(name).map(|key| key.referenced) {
        let referenced = cx.writer().lock_table(referenced, RelationLock::AccessExclusive)?;
        cx.expect_not_open(referenced.oid, &referenced.name, "ALTER TABLE")?;
    }
    match table.constraint_named(name) {
        Some(constraint) => cx.drop_with(&[ObjectId::Constraint(table.oid, constraint)], behavior),
        None if if_exists => {
            let message = format!("constraint \"{name}\" of relation \"{}\" does not exist, skipping", table.name);
            cx.notice(Notice::new(UNDEFINED_OBJECT, message));
            Ok(())
        }
        None => Err(missing_constraint(name, table).into()),
    }
}

/// ALTER CONSTRAINT: when a foreign key is checked.
fn alter_constraint(
    table: &TableDef,
    name: &str,
    deferral: Deferral,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    if table.foreign_key_named(name).is_some() {
        return cx.writer().alter_foreign_key(table.oid, name, |key| key.deferral = deferral);
    }
    if table.has_constraint_named(name) {
        let message = format!("constraint \"{name}\" of relation \"{}\" is not a foreign key constraint", table.name);
        return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
    }
    Err(missing_constraint(name, table).into())
}

/// VALIDATE CONSTRAINT: looks at the rows that were there before a check.
fn validate_constraint(table: &TableDef, name: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    if let Some(key) = table.foreign_key_named(name) {
        return foreign_key::validate(table, key, cx);
    }
    let Some(check) = table.checks.iter().find(|check| check.name == name) else {
        if table.has_constraint_named(name) {
            let message = format!(
                "constraint \"{name}\" of relation \"{}\" is not a foreign key or check constraint",
                table.name
            );
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
        }
        return Err(missing_constraint(name, table).into());
    };
    if check.validated {
        return Ok(());
    }
    if cx.any_row(table, &format!("NOT ({})", check.expression))? {
        return Err(violated(table, name).into());
    }
    cx.writer().set_validated(table.oid, name)
}

fn replica_identity(
    table: &TableDef,
    written: &WrittenReplicaIdentity,
    cx: &mut DdlContext<'_, '_>,
) -> Result<ReplicaIdentity, TxnError> {
    let name = match written {
        WrittenReplicaIdentity::Default => return Ok(ReplicaIdentity::Default),
        WrittenReplicaIdentity::Nothing => return Ok(ReplicaIdentity::Nothing),
        WrittenReplicaIdentity::Full => return Ok(ReplicaIdentity::Full),
        WrittenReplicaIdentity::UsingIndex(name) => name,
    };
    let Some(index) = table.indexes.iter().find(|index| index.name == *name) else {
        let message = match cx.draft.snapshot().relation(table.schema, name) {
            Some(_) => return Err(not_an_index_of(name, table).into()),
            None => format!("index \"{name}\" for table \"{}\" does not exist", table.name),
        };
        return Err(SqlError::new(UNDEFINED_OBJECT, message).into());
    };
    let refused = |code, message: String| Err(SqlError::new(code, message).into());
    if !index.unique {
        return refused(WRONG_OBJECT_TYPE, format!("cannot use non-unique index \"{name}\" as replica identity"));
    }
    if index.computation.as_ref().is_some_and(|computation| !computation.expressions.is_empty()) {
        return refused(FEATURE_NOT_SUPPORTED, format!("cannot use expression index \"{name}\" as replica identity"));
    }
    if index.predicate().is_some() {
        return refused(FEATURE_NOT_SUPPORTED, format!("cannot use partial index \"{name}\" as replica identity"));
    }
    let nullable = index.key.iter().filter_map(|key| table.columns.get(key.column)).find(|column| !column.not_null);
    if let Some(column) = nullable {
        let message = format!(
            "index \"{name}\" cannot be used as replica identity because column \"{}\" is nullable",
            column.name
        );
        return refused(WRONG_OBJECT_TYPE, message);
    }
    Ok(ReplicaIdentity::Index(index.oid))
}

/// 42809 for an index of another table.
pub(super) fn not_an_index_of(name: &str, table: &TableDef) -> SqlError {
    SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is not an index for table \"{}\"", table.name))
}

/// What ALTER VIEW, and ALTER TABLE of a view, can do.
fn alter_view(relation: &Relation, action: &TableAction, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    match action {
        TableAction::AlterColumn { column, action } => {
            let default = match &**action {
                ColumnAction::SetDefault(default) => Some(default.to_string()),
                _ => None,
            };
            view::set_column_default(relation, column, default.as_deref(), cx)
        }
        TableAction::SetParameters(written) => {
            let option = |parameter: &Parameter| {
                (parameter.name.clone(), parameter.value.clone().unwrap_or_else(|| "true".to_owned()))
            };
            view::set_options(relation, &written.iter().map(option).collect::<Vec<_>>(), cx)
        }
        TableAction::ResetParameters(names) => {
            let names: Vec<String> = names.iter().map(|parameter| parameter.name.clone()).collect();
            view::reset_options(relation, &names, cx)
        }
        TableAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(relation.schema()))?;
            cx.writer().set_relation_owner(relation.oid(), owner)
        }
        _ => Err(SqlError::unsupported("this form of ALTER VIEW").into()),
    }
}

fn alter_index(table: Oid, index: Oid, action: &TableAction, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    let Some(known) = definition.indexes.iter().find(|known| known.oid == index) else { return Ok(()) };
    match action {
        TableAction::SetParameters(written) => {
            let parameters = storage_parameters::set(&known.settings.parameters, written, Target::Index)?;
            cx.writer().change_index_settings(table, index, |settings| settings.parameters = parameters)
        }
        TableAction::ResetParameters(names) => {
            let parameters = storage_parameters::reset(&known.settings.parameters, names, Target::Index)?;
            cx.writer().change_index_settings(table, index, |settings| settings.parameters = parameters)
        }
        TableAction::SetTablespace(name) => Ok(expect_tablespace(Some(name))?),
        TableAction::AlterIndexColumn { number, target } => {
            let target = statistics_target(*target, cx)?;
            let at = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            let column_count = known.key.len() + known.included.len();
            let Some(at) = at.filter(|at| *at < column_count) else {
                let message = format!("column number {number} of relation \"{}\" does not exist", known.name);
                return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
            };
            let name = |column: usize| definition.columns.get(column).map_or("", |column| column.name.as_str());
            match known.key.get(at) {
                Some(key) if key.computed().is_some() => {}
                Some(key) => {
                    let message = format!(
                        "cannot alter statistics on non-expression column \"{}\" of index \"{}\"",
                        name(key.column),
                        known.name
                    );
                    return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
                        .with_hint("Alter statistics on table column instead.")
                        .into());
                }
                None => {
                    let column = known.included.get(at - known.key.len()).copied().unwrap_or_default();
                    let message = format!(
                        "cannot alter statistics on included column \"{}\" of index \"{}\"",
                        name(column),
                        known.name
                    );
                    return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
                }
            }
            let number = i16::try_from(at + 1).unwrap_or(i16::MAX);
            cx.writer().change_index_settings(table, index, |settings| {
                settings.statistics_targets.retain(|(known, _)| *known != number);
                settings.statistics_targets.push((number, target));
            })
        }
        TableAction::Owner(_) => {
            let hint = "Change the ownership of the index's table, instead.";
            let message = format!("cannot change owner of index \"{}\"", known.name);
            cx.notice(Notice { hint: Some(hint.to_owned()), ..Notice::warning(WRONG_OBJECT_TYPE, message) });
            Ok(())
        }
        _ => Err(SqlError::unsupported("this form of ALTER INDEX").into()),
    }
}

/// A statistics target within its bounds. Errors: 22023 below them; above them a warning.
pub(super) fn statistics_target(wanted: i64, cx: &mut DdlContext<'_, '_>) -> SqlResult<i32> {
    const TARGET_MAX: i32 = 10_000;
    if wanted < -1 {
        let message = format!("statistics target {wanted} is too low");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    match i32::try_from(wanted) {
        Ok(target) if target <= TARGET_MAX => Ok(target),
        _ => {
            let message = format!("lowering statistics target to {TARGET_MAX}");
            cx.notice(Notice::warning(INVALID_PARAMETER_VALUE, message));
            Ok(TARGET_MAX)
        }
    }
}
