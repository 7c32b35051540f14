//! Sizes of relations, and how people read them.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Numeric;

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&TABLE_SIZE, &RELATION_SIZE, &TOTAL_SIZE, &PRETTY_INT8, &PRETTY_NUMERIC];

#[sql_function("pg_table_size(regclass) -> int8", oid = 2997, volatile)]
fn table_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, false)
}

#[sql_function("pg_relation_size(regclass) -> int8", oid = 2325, volatile)]
fn relation_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, false)
}

#[sql_function("pg_total_relation_size(regclass) -> int8", oid = 2286, volatile)]
fn total_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, true)
}

/// Each unit, up to which size it is used, and how many bits it stands above the one before.
const UNITS: [(&str, i64, u32); 6] = [
    ("bytes", 10 * 1024, 0),
    ("kB", 20 * 1024 - 1, 9),
    ("MB", 20 * 1024 - 1, 10),
    ("GB", 20 * 1024 - 1, 10),
    ("TB", 20 * 1024 - 1, 10),
    ("PB", i64::MAX, 10),
];

/// Between units the size carries one more bit, so that the last step can round half up.
#[sql_function("pg_size_pretty(int8) -> text", oid = 2288)]
fn pretty_int8(size: i64) -> String {
    let mut size = i128::from(size);
    for (index, (name, limit, bits)) in UNITS.iter().enumerate() {
        size /= 1 << bits;
        if size.abs() < i128::from(*limit) || index + 1 == UNITS.len() {
            let shown = if index == 0 { size } else { (size + size.signum()) / 2 };
            return format!("{shown} {name}");
        }
    }
    size.to_string()
}

#[sql_function("pg_size_pretty(numeric) -> text", oid = 3166)]
fn pretty_numeric(size: &Numeric) -> SqlResult<String> {
    let mut size = size.clone();
    for (index, (name, limit, bits)) in UNITS.iter().enumerate() {
        if index > 0 {
            size = size.div_trunc(&Numeric::from(1i64 << bits))?;
        }
        if size.abs() < Numeric::from(*limit) || index + 1 == UNITS.len() {
            let shown = if index == 0 { size } else { size.add(&size.sign())?.div_trunc(&Numeric::from(2i64))? };
            return Ok(format!("{shown} {name}"));
        }
    }
    Ok(size.to_string())
}
