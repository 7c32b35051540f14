//! Partitions of tables: there are none, so that every tree is empty and every table its own.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use crate::{Function, FunctionContext, Records, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TREE, &ANCESTORS, &ROOT];

/// As in PostgreSQL for relations that are neither partitioned nor partitions: no rows.
#[sql_function(
    "pg_partition_tree(rootrelid regclass, out relid regclass, out parentrelid regclass, out isleaf bool, out level int4) -> setof record",
    oid = 3423,
    volatile
)]
fn tree(_context: &mut FunctionContext<'_>, _arguments: &[Datum]) -> SqlResult<Records> {
    Ok(Box::new(std::iter::empty()))
}

#[sql_function("pg_partition_ancestors(partitionid regclass) -> setof regclass", oid = 3425, volatile)]
fn ancestors(_context: &mut FunctionContext<'_>, _relation: u32) -> SqlResult<Rows> {
    Ok(Box::new(std::iter::empty()))
}

#[sql_function("pg_partition_root(regclass) -> regclass", oid = 3424)]
fn root(_relation: u32) -> Option<u32> {
    None
}
