//! 23503 in PostgreSQL's words.

use nqdb_catalog::{ForeignKeyDef, TableDef};
use nqdb_sqlstate::{FOREIGN_KEY_VIOLATION, SqlError};
use nqdb_types::{Datum, FormatContext};

use crate::exec::value_text;

/// A row refers to a key that is not there.
pub(crate) fn missing_key(
    key: &ForeignKeyDef,
    table: &TableDef,
    referenced: &TableDef,
    values: &[Datum],
    format: &FormatContext,
) -> SqlError {
    let detail =
        format!("{} is not present in table \"{}\".", key_text(table, &key.columns, values, format), referenced.name);
    violated(key, table).with_detail(detail)
}

/// MATCH FULL: a key is NULL as a whole or not at all.
pub(crate) fn mixed_nulls(key: &ForeignKeyDef, table: &TableDef) -> SqlError {
    violated(key, table).with_detail("MATCH FULL does not allow mixing of null and nonnull key values.")
}

fn violated(key: &ForeignKeyDef, table: &TableDef) -> SqlError {
    let message =
        format!("insert or update on table \"{}\" violates foreign key constraint \"{}\"", table.name, key.name);
    SqlError::new(FOREIGN_KEY_VIOLATION, message).with_table(&table.schema_name, &table.name).with_constraint(&key.name)
}

/// Rows refer to a key that is gone.
pub(super) fn still_referenced(
    key: &ForeignKeyDef,
    table: &TableDef,
    referenced: &TableDef,
    values: &[Datum],
    format: &FormatContext,
) -> SqlError {
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        referenced.name, key.name, table.name
    );
    let key_text = key_text(referenced, &key.referenced_columns, values, format);
    SqlError::new(FOREIGN_KEY_VIOLATION, message)
        .with_detail(format!("{key_text} is still referenced from table \"{}\".", table.name))
        .with_table(&table.schema_name, &table.name)
        .with_constraint(&key.name)
}

/// `Key (a, b)=(1, 2)`.
fn key_text(table: &TableDef, attnums: &[i16], values: &[Datum], format: &FormatContext) -> String {
    let columns: Vec<_> = table.positions_of(attnums).into_iter().filter_map(|at| table.columns.get(at)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let texts = columns.iter().zip(values).map(|(column, value)| value_text(value, column.ty, format));
    format!("Key ({})=({})", names.join(", "), texts.collect::<Vec<_>>().join(", "))
}
