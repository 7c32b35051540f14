//! `WITH (...)` of tables and indexes: parameters that PostgreSQL knows and that have no meaning here.
//!
//! They are accepted without effect (docs/compat.md lists them), because schemas that are moved from PostgreSQL carry
//! them and results do not depend on them. Unknown ones are 22023, as in PostgreSQL.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use sqlparser::ast::{Expr, SqlOption};

use crate::names::name_of;

/// Parameters of tables and indexes without effect.
const WITHOUT_EFFECT: &[&str] = &[
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_enabled",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "deduplicate_items",
    "fillfactor",
    "parallel_workers",
    "toast_tuple_target",
    "vacuum_truncate",
];

/// Checks the options of CREATE TABLE or CREATE INDEX.
pub(super) fn check(options: &[SqlOption]) -> SqlResult<()> {
    for option in options {
        match option {
            SqlOption::KeyValue { key, value: _ } => check_name(&name_of(key))?,
            SqlOption::Ident(name) => check_name(&name_of(name))?,
            other => return Err(SqlError::unsupported(format!("the option {other}"))),
        }
    }
    Ok(())
}

/// The same where the parser gives `name = value` as an expression.
pub(super) fn check_expressions(options: &[Expr]) -> SqlResult<()> {
    for option in options {
        let name = match option {
            Expr::BinaryOp { left, op: _, right: _ } => left.as_ref(),
            other => other,
        };
        match name {
            Expr::Identifier(name) => check_name(&name_of(name))?,
            other => return Err(SqlError::unsupported(format!("the option {other}"))),
        }
    }
    Ok(())
}

fn check_name(name: &str) -> SqlResult<()> {
    if WITHOUT_EFFECT.contains(&name) {
        return Ok(());
    }
    Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("unrecognized parameter \"{name}\"")))
}
