//! What an access method, an index and a column of an index can do (manual 9.26.4). The only access method of indexes is
//! btree, with what PostgreSQL says of it.

use nqdb_functions_macros::sql_function;

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&OF_METHOD, &OF_INDEX, &OF_COLUMN];

/// `btree` in `pg_am`.
const BTREE: u32 = 403;

fn is_one_of(property: &str, known: &[&str]) -> bool {
    known.iter().any(|name| name.eq_ignore_ascii_case(property))
}

#[sql_function("pg_indexam_has_property(oid, text) -> bool", oid = 636, stable)]
fn of_method(method: u32, property: &str) -> Option<bool> {
    let known = ["can_order", "can_unique", "can_multi_col", "can_exclude", "can_include"];
    (method == BTREE && is_one_of(property, &known)).then_some(true)
}

#[sql_function("pg_index_has_property(regclass, text) -> bool", oid = 637, stable)]
fn of_index(context: &mut FunctionContext<'_>, index: u32, property: &str) -> Option<bool> {
    context.session.index_columns(index)?;
    is_one_of(property, &["clusterable", "index_scan", "bitmap_scan", "backward_scan"]).then_some(true)
}

#[sql_function("pg_index_column_has_property(regclass, int4, text) -> bool", oid = 638, stable)]
fn of_column(context: &mut FunctionContext<'_>, index: u32, column: i32, property: &str) -> Option<bool> {
    let columns = context.session.index_columns(index)?;
    let order = *columns.get(usize::try_from(column).ok()?.checked_sub(1)?)?;
    match property.to_ascii_lowercase().as_str() {
        "asc" => order.map(|order| !order.descending),
        "desc" => order.map(|order| order.descending),
        "nulls_first" => order.map(|order| order.nulls_first),
        "nulls_last" => order.map(|order| !order.nulls_first),
        "orderable" => Some(order.is_some()),
        "distance_orderable" => Some(false),
        "returnable" => Some(true),
        // Of a column that is only carried along PostgreSQL says neither.
        "search_array" | "search_nulls" => order.map(|_| true),
        _ => None,
    }
}
