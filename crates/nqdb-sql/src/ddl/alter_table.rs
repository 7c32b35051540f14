//! ALTER TABLE: columns, constraints and names. Existing rows are checked, or written again, under the table's lock.

use std::sync::Arc;

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::{ObjectId, TableDef, type_reference};
use nqdb_sqlstate::{
    CHECK_VIOLATION, DUPLICATE_COLUMN, NOT_NULL_VIOLATION, Notice, SqlError, SqlResult, UNDEFINED_COLUMN,
    UNDEFINED_OBJECT, UNDEFINED_TABLE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Oid, Type, is_user_type};
use sqlparser::ast::{AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, Ident, TableConstraint};

use super::DdlContext;
use super::create_table::{WrittenConstraint, add_constraints, column_of, identity, table_constraint};
use super::query::{qualified, quoted};
use crate::exec::CommandTag;
use crate::names::name_of;
use crate::statement::Parsed;

pub(super) fn alter_table(
    parsed: &Parsed,
    alter: &AlterTable,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let AlterTable { name, if_exists, only: _, operations, location, on_cluster, table_type, end_token: _ } = alter;
    if location.is_some() || on_cluster.is_some() || table_type.is_some() {
        return Err(SqlError::unsupported(format!("this form of ALTER TABLE: {}", parsed.text)).into());
    }
    let name = cx.name(name)?;
    if *if_exists && cx.find_relation(&name).is_none() {
        let message = format!("relation \"{}\" does not exist, skipping", name.display());
        cx.notice(Notice::new(UNDEFINED_TABLE, message));
        return Ok(CommandTag::Other("ALTER TABLE"));
    }
    let table = cx.find_table(&name)?;
    cx.expect_owner(table.owner, "table", &table.name)?;
    for operation in operations {
        alter_one(table.oid, operation, cx)?;
    }
    Ok(CommandTag::Other("ALTER TABLE"))
}

fn alter_one(table: Oid, operation: &AlterTableOperation, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let is_rename = matches!(operation, AlterTableOperation::RenameConstraint { .. });
    if !is_rename && let Some(definition) = cx.draft.snapshot().table_by_oid(table) {
        cx.expect_not_open(table, &definition.name, "ALTER TABLE")?;
    }
    match operation {
        AlterTableOperation::AddColumn { column_keyword: _, if_not_exists, column_def, column_position: None } => {
            add_column(table, *if_not_exists, column_def, cx)
        }
        AlterTableOperation::DropColumn { has_column_keyword: _, column_names, if_exists, drop_behavior } => {
            let behavior = behavior(drop_behavior.as_ref());
            for name in column_names {
                drop_column(table, name, *if_exists, behavior, cx)?;
            }
            Ok(())
        }
        AlterTableOperation::AddConstraint { constraint, not_valid: false } => add_constraint(table, constraint, cx),
        AlterTableOperation::DropConstraint { if_exists, name, drop_behavior: _ } => {
            drop_constraint(table, &name_of(name), *if_exists, cx)
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            cx.writer().rename_constraint(table, &name_of(old_name), &name_of(new_name))
        }
        AlterTableOperation::AlterColumn { column_name, op } => alter_column(table, &name_of(column_name), op, cx),
        other => Err(SqlError::unsupported(format!("ALTER TABLE ... {other}")).into()),
    }
}

fn lock(table: Oid, cx: &mut DdlContext<'_, '_>) -> Result<Arc<TableDef>, TxnError> {
    cx.writer().lock_table(table, RelationLock::AccessExclusive)
}

fn expect_column(table: &TableDef, name: &str) -> SqlResult<usize> {
    table.column_named(name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(UNDEFINED_COLUMN, message)
    })
}

/// ADD COLUMN. A default that is the same for all rows is stored once; one that differs is written into each row.
fn add_column(
    table: Oid,
    if_not_exists: bool,
    column: &ColumnDef,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = lock(table, cx)?;
    let mut written = column_of(column, &definition.name, cx)?;
    if if_not_exists && definition.column_named(&written.new.name).is_some() {
        let message =
            format!("column \"{}\" of relation \"{}\" already exists, skipping", written.new.name, definition.name);
        cx.notice(Notice::new(DUPLICATE_COLUMN, message));
        return Ok(());
    }
    let has_rows = cx.any_row(&definition, "true")?;
    let default = match &written.new.default {
        Some(default) => Some(default.clone()),
        None => cx.default_of_domain(written.new.ty),
    };
    if let (None, Some(default)) = (&written.new.default, &default) {
        let checked = cx.check_default(default.clone(), &written.new.name, written.new.ty)?;
        written.default_is_volatile |= checked.volatile;
    }
    if has_rows && !written.default_is_volatile {
        written.new.missing = constant_default(written.new.ty, default.as_deref(), cx)?;
    }
    let lacks_value = written.new.missing.as_ref().is_none_or(|value| value.is_null());
    if has_rows && written.new.not_null && !written.default_is_volatile && lacks_value {
        return Err(null_values(&definition, &written.new.name).into());
    }
    let position = cx.writer().add_column(table, &written.new)?;
    if let Some(text) = written.generated {
        cx.generate_column(table, position, text)?;
    }
    if has_rows && written.default_is_volatile {
        let definition = lock(table, cx)?;
        let column = quoted(&written.new.name);
        let sql = format!("UPDATE {} SET {column} = DEFAULT", qualified(&definition));
        cx.query(&sql)?;
    }
    for constraint in written.constraints {
        add_written_constraint(table, constraint, cx)?;
    }
    Ok(())
}

/// The value that rows get which are there already.
fn constant_default(
    ty: Type,
    default: Option<&str>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Option<nqdb_types::Datum>, TxnError> {
    // A domain may not take a NULL.
    match default.or((ty.domain != 0).then_some("NULL")) {
        None => Ok(None),
        Some(text) => {
            let declared = ty.declared_oid();
            let name = if is_user_type(declared) { format!("\"{}\"", type_reference(declared)) } else { ty.name() };
            let value = cx.evaluate(&format!("CAST(({text}) AS {name})"))?;
            Ok((!value.is_null()).then_some(value))
        }
    }
}

fn behavior(written: Option<&sqlparser::ast::DropBehavior>) -> DropBehavior {
    match written {
        Some(sqlparser::ast::DropBehavior::Cascade) => DropBehavior::Cascade,
        Some(sqlparser::ast::DropBehavior::Restrict) | None => DropBehavior::Restrict,
    }
}

fn drop_column(
    table: Oid,
    name: &Ident,
    if_exists: bool,
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = lock(table, cx)?;
    let name = name_of(name);
    match definition.column_named(&name) {
        Some(position) => {
            let attnum = definition.columns[position].attnum;
            cx.drop_with(&[ObjectId::Column(table, attnum)], behavior)
        }
        None if if_exists => {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist, skipping", definition.name);
            cx.notice(Notice::new(UNDEFINED_COLUMN, message));
            Ok(())
        }
        None => {
            Err(expect_column(&definition, &name).err().unwrap_or_else(|| SqlError::internal("lost column")).into())
        }
    }
}

fn add_constraint(table: Oid, constraint: &TableConstraint, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    add_written_constraint(table, table_constraint(constraint)?, cx)
}

fn add_written_constraint(
    table: Oid,
    constraint: WrittenConstraint,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = lock(table, cx)?;
    match constraint {
        WrittenConstraint::Key { name, primary, columns, column_token } => {
            for column in &columns {
                if definition.column_named(column).is_none() {
                    let message = format!("column \"{column}\" named in key does not exist");
                    return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
                }
                if primary && cx.any_row(&definition, &format!("{} IS NULL", quoted(column)))? {
                    return Err(null_values(&definition, column).into());
                }
            }
            add_constraints(table, vec![WrittenConstraint::Key { name, primary, columns, column_token }], None, cx)
        }
        WrittenConstraint::Check { name, text, .. } => {
            let condition = format!("NOT ({text})");
            let bound = cx.check_constraint(name, text, &definition)?;
            let before: Vec<u32> = definition.checks.iter().map(|check| check.oid).collect();
            let violated = cx.any_row(&definition, &condition)?;
            cx.writer().add_constraints(table, &[bound])?;
            if violated {
                let definition = lock(table, cx)?;
                return Err(violated_check(&definition, &before).into());
            }
            Ok(())
        }
    }
}

/// 23514 for the check that was added last: it has its name by now.
fn violated_check(table: &TableDef, before: &[u32]) -> SqlError {
    let name = table.checks.iter().find(|check| !before.contains(&check.oid)).map_or("", |check| check.name.as_str());
    SqlError::new(
        CHECK_VIOLATION,
        format!("check constraint \"{name}\" of relation \"{}\" is violated by some row", table.name),
    )
    .with_table(table.schema_name.clone(), table.name.clone())
    .with_constraint(name)
}

fn drop_constraint(table: Oid, name: &str, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let definition = lock(table, cx)?;
    if if_exists && !definition.has_constraint_named(name) {
        let message = format!("constraint \"{name}\" of relation \"{}\" does not exist, skipping", definition.name);
        cx.notice(Notice::new(UNDEFINED_OBJECT, message));
        return Ok(());
    }
    cx.writer().drop_constraint(table, name)
}

fn alter_column(
    table: Oid,
    name: &str,
    operation: &AlterColumnOperation,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = lock(table, cx)?;
    let position = expect_column(&definition, name)?;
    match operation {
        AlterColumnOperation::SetNotNull => {
            if cx.any_row(&definition, &format!("{} IS NULL", quoted(name)))? {
                return Err(null_values(&definition, name).into());
            }
            cx.writer().set_not_null(table, position, true)
        }
        AlterColumnOperation::DropNotNull => cx.writer().set_not_null(table, position, false),
        AlterColumnOperation::SetDefault { value } => {
            expect_no_identity(&definition, position)?;
            let default = cx.check_default(value.to_string(), name, definition.columns[position].ty)?;
            cx.writer().set_default(table, position, Some(default.text))
        }
        AlterColumnOperation::DropDefault => {
            expect_no_identity(&definition, position)?;
            cx.writer().set_default(table, position, None)
        }
        AlterColumnOperation::AddGenerated { generated_as: Some(generated_as), sequence_options } => {
            let column = &definition.columns[position];
            let message = if column.identity.is_some() {
                Some("is already an identity column")
            } else if column.default.is_some() {
                Some("already has a default value")
            } else if !column.not_null {
                Some("must be declared NOT NULL before identity can be added")
            } else {
                None
            };
            if let Some(message) = message {
                let message = format!("column \"{name}\" of relation \"{}\" {message}", definition.name);
                return Err(SqlError::new(nqdb_sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
            }
            let sequence = identity(*generated_as, sequence_options.as_deref().unwrap_or_default(), column.ty)?;
            cx.writer().add_identity(table, position, &sequence)
        }
        other => Err(SqlError::unsupported(format!("ALTER COLUMN ... {other}")).into()),
    }
}

fn expect_no_identity(table: &TableDef, position: usize) -> SqlResult<()> {
    let column = &table.columns[position];
    let kind = match (column.identity, &column.generated) {
        (Some(_), _) => "an identity",
        (None, Some(_)) => "a generated",
        (None, None) => return Ok(()),
    };
    let message = format!("column \"{}\" of relation \"{}\" is {kind} column", column.name, table.name);
    Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message))
}

fn null_values(table: &TableDef, column: &str) -> SqlError {
    SqlError::new(
        NOT_NULL_VIOLATION,
        format!("column \"{column}\" of relation \"{}\" contains null values", table.name),
    )
    .with_table(table.schema_name.clone(), table.name.clone())
    .with_column(column)
}
