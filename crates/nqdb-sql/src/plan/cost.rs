//! How many rows come, and what that costs: PostgreSQL's units, fewer of its refinements.
//!
//! The aim is to tell an index from a full scan and a small side of a join from a large one; a plan serves for long,
//! so a table that is empty today is not taken for one that stays so.

use super::slots::Estimate;
use crate::exec::Comparison;
use crate::ir::{Expr, ExprKind};

use super::compile::comparison_of;
use super::mentions::{operands, subquery};
use super::pattern::range_selectivity;

/// PostgreSQL's guesses where there are no statistics.
pub(crate) const EQUAL_SELECTIVITY: f64 = 0.005;
pub(crate) const RANGE_SELECTIVITY: f64 = 0.3333;
/// Of a range with both ends.
pub(crate) const RANGE_PAIR_SELECTIVITY: f64 = 0.005;
pub(crate) const NULL_SELECTIVITY: f64 = 0.005;
const OTHER_SELECTIVITY: f64 = 0.3333;

/// One row of a full scan, one of an index scan, one descent, one operator call.
pub(crate) const SCAN_ROW: f64 = 0.0125;
pub(crate) const INDEX_ROW: f64 = 0.02;
pub(crate) const DESCENT: f64 = 0.28;
pub(crate) const OPERATOR: f64 = 0.0025;
/// What a method costs more when its `enable_*` is off.
pub(crate) const DISABLED: f64 = 1.0e10;
/// The fewest rows that a table is taken to have.
const TABLE_ROWS_MIN: f64 = 10.0;

/// Rows of a table as the planner sees them.
pub(crate) fn table_rows(estimated: u64) -> f64 {
    (estimated as f64).max(TABLE_ROWS_MIN)
}

/// The part of the rows that pass a condition.
pub(crate) fn selectivity(condition: &Expr) -> f64 {
    match &condition.kind {
        ExprKind::Call { function, .. } => match comparison_of(function).map(|operator| operator.comparison) {
            Some(Comparison::Equal) => EQUAL_SELECTIVITY,
            Some(Comparison::NotEqual) => 1.0 - EQUAL_SELECTIVITY,
            Some(_) => RANGE_SELECTIVITY,
            None => range_selectivity(condition).unwrap_or(OTHER_SELECTIVITY),
        },
        ExprKind::And(args) => args.iter().map(selectivity).product(),
        ExprKind::Or(args) => args.iter().map(selectivity).sum::<f64>().min(1.0),
        ExprKind::Not(arg) => 1.0 - selectivity(arg),
        ExprKind::IsNull { negated, .. } => {
            if *negated {
                1.0 - NULL_SELECTIVITY
            } else {
                NULL_SELECTIVITY
            }
        }
        ExprKind::Literal(value) => f64::from(u8::from(value.as_bool() == Some(true))),
        ExprKind::InList { list, negated: false, .. } => (EQUAL_SELECTIVITY * list.len() as f64).min(1.0),
        _ => OTHER_SELECTIVITY,
    }
}

/// What it takes to evaluate a condition once, in calls of a function: which of several goes first. Source: PostgreSQL's
/// manual, "Function Optimization Information", and its guesses for what is no function.
pub(crate) fn evaluation(expr: &Expr) -> f64 {
    /// A subquery is a plan of its own.
    const SUBQUERY: f64 = 1000.0;
    /// Elements of an array that is not known.
    const ELEMENTS: f64 = 10.0;
    let own = match &expr.kind {
        ExprKind::Call { .. }
        | ExprKind::IsDistinct { .. }
        | ExprKind::NullIf { .. }
        | ExprKind::MinMax { .. }
        | ExprKind::Domain { .. }
        | ExprKind::Typmod { .. } => 1.0,
        ExprKind::ViaText(_) => 2.0,
        ExprKind::InList { list, .. } => list.len() as f64 / 2.0,
        ExprKind::QuantifiedArray { .. } => ELEMENTS / 2.0,
        _ if subquery(expr).is_some() => SUBQUERY,
        _ => 0.0,
    };
    own + operands(expr).into_iter().map(evaluation).sum::<f64>()
}

/// A full scan of a table.
pub(crate) fn full_scan(table_rows: f64, rows: f64, conditions: usize) -> Estimate {
    let total_cost = 1.0 + table_rows * (SCAN_ROW + OPERATOR * conditions as f64);
    Estimate { rows, startup_cost: 0.0, total_cost }
}

/// A scan of a part of an index.
pub(crate) fn index_scan(read_rows: f64, rows: f64, probes: f64, conditions: usize) -> Estimate {
    let total_cost = DESCENT * probes + read_rows * (INDEX_ROW + OPERATOR * conditions as f64);
    Estimate { rows, startup_cost: DESCENT / 2.0, total_cost }
}

/// Sorting what an input gives.
pub(crate) fn sort(input: Estimate, rows_max: Option<f64>) -> Estimate {
    let rows = input.rows.max(2.0);
    let kept = rows_max.map_or(rows, |max| max.clamp(2.0, rows));
    let startup_cost = input.total_cost + 2.0 * OPERATOR * rows * kept.log2();
    let total_cost = startup_cost + OPERATOR * input.rows;
    Estimate { rows: input.rows, startup_cost, total_cost }
}

/// The cost of the first rows of a plan.
pub(crate) fn cost_of_first(estimate: Estimate, rows: Option<f64>) -> f64 {
    match rows {
        Some(rows) if estimate.rows > rows => {
            let part = rows / estimate.rows;
            estimate.startup_cost + (estimate.total_cost - estimate.startup_cost) * part
        }
        _ => estimate.total_cost,
    }
}
