//! What a new row must satisfy, and how a client hears that it does not: PostgreSQL's words and details.

use std::sync::Arc;

use nqdb_catalog::{SUPERUSER_OID, TableDef};
use nqdb_sqlstate::{
    CHECK_VIOLATION, NOT_NULL_VIOLATION, SqlError, SqlResult, UNIQUE_VIOLATION, WITH_CHECK_OPTION_VIOLATION,
};
use nqdb_txn::TxnError;
use nqdb_types::{Datum, FormatContext, Type, write_text};

use super::contract::ExecContext;
use super::expression::Eval;
use super::runtime::Runtime;
use crate::bind::BindContext;
use crate::system::key_text;

/// Characters of one value in a detail; longer ones are cut.
const VALUE_BYTES_MAX: usize = 64;

/// A CHECK over the slots of the new row.
#[derive(Clone, Debug)]
pub(crate) struct CheckConstraint {
    pub name: String,
    pub predicate: Eval,
    /// The condition of a view: it must be true.
    pub of_view: bool,
}

/// NOT NULL, then CHECK: 23502 or 23514.
pub(crate) fn check_row(
    table: &TableDef,
    checks: &[CheckConstraint],
    row: &[Datum],
    rt: &mut Runtime<'_, '_>,
) -> SqlResult<()> {
    for (column, value) in table.columns.iter().zip(row) {
        if column.not_null && value.is_null() && !column.dropped {
            let message = format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, table.name
            );
            return Err(SqlError::new(NOT_NULL_VIOLATION, message)
                .with_detail(failing_row(table, row, rt.cx.functions.format))
                .with_table(&table.schema_name, &table.name)
                .with_column(&column.name));
        }
    }
    for check in checks {
        if check.of_view {
            if check.predicate.test(rt)? != Some(true) {
                let message = format!("new row violates check option for view \"{}\"", check.name);
                return Err(SqlError::new(WITH_CHECK_OPTION_VIOLATION, message).with_detail(failing_row(
                    table,
                    row,
                    rt.cx.functions.format,
                )));
            }
            continue;
        }
        if check.predicate.test(rt)? == Some(false) {
            let message =
                format!("new row for relation \"{}\" violates check constraint \"{}\"", table.name, check.name);
            return Err(SqlError::new(CHECK_VIOLATION, message)
                .with_detail(failing_row(table, row, rt.cx.functions.format))
                .with_table(&table.schema_name, &table.name)
                .with_constraint(&check.name));
        }
    }
    Ok(())
}

/// A failure of a write, with the names and values that the layer below does not know.
pub(crate) fn write_error(table: &Arc<TableDef>, row: &[Datum], error: TxnError, cx: &ExecContext<'_>) -> SqlError {
    match error {
        TxnError::UniqueViolation { index, .. } => unique_violation(table, row, index, cx),
        TxnError::KeyTooLong { index, size, max } => {
            let name = index_definition(table, index).map_or("", |definition| definition.name.as_str());
            let message = format!("index row size {size} exceeds maximum {max} for index \"{name}\"");
            SqlError::new(nqdb_sqlstate::PROGRAM_LIMIT_EXCEEDED, message).with_table(&table.schema_name, &table.name)
        }
        other => other.into(),
    }
}

/// 23505 for a row whose key is there already. `index` is the position in the table's store.
fn unique_violation(table: &Arc<TableDef>, row: &[Datum], index: usize, exec: &ExecContext<'_>) -> SqlError {
    let Some(definition) = index_definition(table, index) else {
        return SqlError::internal("a unique violation names an unknown index");
    };
    let functions = &exec.functions;
    let catalog = exec.system.catalog();
    let search_path = definition.computation.as_ref().map_or(&[][..], |computation| &computation.search_path);
    let cx = BindContext {
        catalog: &catalog,
        search_path,
        format: functions.format,
        session: functions.session,
        role: SUPERUSER_OID,
    };
    let names: Vec<String> = definition.key.iter().map(|key| key_text(table, definition, key, false, &cx)).collect();
    let values = match table.store.key_values(index, row) {
        Ok(values) => values.unwrap_or_default(),
        Err(error) => return error.into(),
    };
    let texts = definition.key.iter().zip(&values).map(|(key, value)| value_text(value, key.ty, functions.format));
    let texts: Vec<String> = texts.collect();
    let message = format!("duplicate key value violates unique constraint \"{}\"", definition.name);
    SqlError::new(UNIQUE_VIOLATION, message)
        .with_detail(format!("Key ({})=({}) already exists.", names.join(", "), texts.join(", ")))
        .with_table(&table.schema_name, &table.name)
        .with_constraint(&definition.name)
}

fn index_definition(table: &TableDef, position: usize) -> Option<&nqdb_catalog::IndexDef> {
    table.indexes.iter().find(|definition| definition.position == position).map(|definition| definition.as_ref())
}

/// `Failing row contains (1, null, ...).`
fn failing_row(table: &TableDef, row: &[Datum], format: &FormatContext) -> String {
    let values: Vec<String> = table
        .live_columns()
        .filter_map(|(position, column)| {
            let mut value = value_text(row.get(position)?, column.ty, format);
            if value.len() > VALUE_BYTES_MAX {
                let cut = (0..=VALUE_BYTES_MAX).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
                value.truncate(cut);
                value.push_str("...");
            }
            Some(value)
        })
        .collect();
    format!("Failing row contains ({}).", values.join(", "))
}

/// A value in a detail.
pub(crate) fn value_text(value: &Datum, ty: Type, format: &FormatContext) -> String {
    if value.is_null() {
        return "null".to_string();
    }
    let mut bytes = Vec::new();
    write_text(&mut bytes, value, ty, format);
    String::from_utf8_lossy(&bytes).into_owned()
}
