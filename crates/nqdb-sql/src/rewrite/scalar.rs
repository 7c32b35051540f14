//! Correlated aggregates as joins; for an executor that reads tables as a whole also EXISTS that is no condition of its own
//! (under OR, in a select list): as an outer join with the keys of the subquery's rows.
//!
//! ```text
//! t WHERE t.x < (SELECT avg(u.x) FROM u WHERE u.a = t.a)
//! filter t.x < m of (t left join (SELECT u.a k, avg(u.x) m FROM u GROUP BY u.a) on k = t.a)
//! ```
//!
//! What always holds:
//! 1. The subquery is one group of aggregates, correlated by equalities between an inner and an outer expression whose
//!    types group as they compare; so an outer row meets at most one group.
//! 2. An outer row that meets none gets what the aggregate gives for no rows: NULL, and 0 for the counts. Expressions
//!    over the aggregates are computed above the join, so that they see it.
//! 3. What the aggregates compute cannot fail, since it is now computed for groups that nobody asked for.

use super::build::{column, conjunction, literal, replace_columns};
use super::facts::{Failure, counts, equality_sides, failure, rel_failure};
use super::subquery::{existence, inline_value, mentions_none_of, pull_correlated};
use super::{Rewriter, visible_set};
use crate::exec::Equality;
use crate::ir::{AggregateCall, ColumnId, Expr, ExprKind, JoinKind, Query, Rel};
use crate::plan::compile::equality;
use crate::plan::mentions::{
    Columns, contains_subquery, free_columns, free_columns_of, is_volatile, operands_mut, query_is_volatile,
};
use nqdb_types::{Datum, Type};

/// A correlation: `inner = outer`, with the order of its sides.
struct Correlation {
    condition: Expr,
    inner: Expr,
    inner_is_left: bool,
}

/// A relation with the groups of a subquery.
struct Joined {
    rel: Rel,
    /// The subquery's value.
    value: Expr,
    /// A key of the group: NULL where there is none.
    key: Expr,
}

/// A subquery taken apart.
struct Parts {
    input: Rel,
    aggregates: Vec<(ColumnId, AggregateCall)>,
    /// The subquery's value over the aggregates.
    value: Expr,
    correlations: Vec<Correlation>,
    /// Conditions on the outer row alone.
    outer_conditions: Vec<Expr>,
}

impl Rewriter {
    /// Joins the correlated aggregates of a select list below it.
    pub(super) fn unnest_extend(&mut self, rel: &mut Rel) {
        let Rel::Extend { columns, .. } = rel else { return };
        if !columns.iter().any(|(_, expr)| contains_subquery(expr)) {
            return;
        }
        let Rel::Extend { input, columns } = std::mem::replace(rel, Rel::OneRow) else { return };
        let mut below = *input;
        let mut computed = Vec::with_capacity(columns.len());
        for (id, expr) in columns {
            let (joined, expr) = self.unnest_scalars(below, expr);
            below = joined;
            computed.push((id, expr));
        }
        *rel = Rel::Extend { input: Box::new(below), columns: computed };
    }

    /// Joins the correlated aggregates of an expression over `rel` to it, and gives the expression without them.
    pub(super) fn unnest_scalars(&mut self, mut rel: Rel, mut expr: Expr) -> (Rel, Expr) {
        if let ExprKind::ScalarSubquery(query) = &expr.kind {
            match take_apart(query, &visible_set(&rel)) {
                Some(parts) => {
                    let joined = self.join_groups(rel, parts);
                    return (joined.rel, joined.value);
                }
                None => return (rel, expr),
            }
        }
        if let ExprKind::Exists(query) = &expr.kind
            && !self.cx.looks_up
        {
            match take_keys_apart(query, &visible_set(&rel)) {
                Some(parts) => return self.join_keys(rel, parts),
                None => return (rel, expr),
            }
        }
        for operand in operands_mut(&mut expr) {
            let placeholder = literal(Datum::Null, operand.ty);
            let (joined, replaced) = self.unnest_scalars(rel, std::mem::replace(operand, placeholder));
            rel = joined;
            *operand = replaced;
        }
        (rel, expr)
    }

    /// Joins the keys of a subquery's rows, and gives the test whether there is one.
    fn join_keys(&mut self, rel: Rel, parts: Parts) -> (Rel, Expr) {
        let joined = self.join_groups(rel, parts);
        // A key that an equality has found is not NULL.
        let kind = ExprKind::IsNull { arg: Box::new(joined.key), negated: true };
        (joined.rel, Expr { kind, ty: Type::BOOL, nullable: false, position: None })
    }

    fn join_groups(&mut self, rel: Rel, parts: Parts) -> Joined {
        let Parts { input, aggregates, mut value, correlations, outer_conditions } = parts;
        let mut keys = Vec::with_capacity(correlations.len());
        let mut joined_key = literal(Datum::Null, Type::BOOL);
        let mut on = outer_conditions;
        for Correlation { mut condition, inner, inner_is_left } in correlations {
            let id = self.new_column();
            let key = column(id, inner.ty, inner.nullable);
            joined_key = column(id, inner.ty, true);
            if let ExprKind::Call { args, .. } = &mut condition.kind
                && let Some(side) = args.get_mut(usize::from(!inner_is_left))
            {
                *side = key;
            }
            keys.push((id, inner));
            on.push(condition);
        }
        let results: Vec<(ColumnId, Expr)> =
            aggregates.iter().map(|(id, call)| (*id, result_or_default(*id, call))).collect();
        replace_columns(&mut value, &results);
        value.nullable = true;
        let right = Rel::Aggregate { input: Box::new(input), keys, sets: None, aggregates };
        let on = conjunction(on);
        let rel = Rel::Join { kind: JoinKind::Left, left: Box::new(rel), right: Box::new(right), on };
        Joined { rel, value, key: joined_key }
    }
}

/// The aggregate's column above the outer join: a count is 0 where there is no group.
fn result_or_default(id: ColumnId, call: &AggregateCall) -> Expr {
    let result = column(id, call.ty, true);
    if !counts(call) {
        return result;
    }
    let zero = literal(Datum::Int8(0), Type::INT8);
    Expr { kind: ExprKind::Coalesce(vec![result, zero]), ty: call.ty, nullable: false, position: None }
}

/// Takes a scalar subquery apart; `None` if it has another form.
fn take_apart(query: &Query, outer: &Columns) -> Option<Parts> {
    let [output] = query.output.as_slice() else { return None };
    if query_is_volatile(query) || free_columns(query).is_disjoint(outer) {
        return None;
    }
    let (rel, value) = inline_value(&query.rel, output)?;
    let Rel::Aggregate { input, keys, sets: None, aggregates } = rel else { return None };
    if !keys.is_empty() || aggregates.is_empty() || !aggregates.iter().all(|(_, call)| is_safe(call, outer)) {
        return None;
    }
    correlated_parts(Rel::clone(input), aggregates.clone(), value, outer)
}

/// The rest of a subquery, whose input is correlated by equalities alone.
fn correlated_parts(
    input: Rel,
    aggregates: Vec<(ColumnId, AggregateCall)>,
    value: Expr,
    outer: &Columns,
) -> Option<Parts> {
    let mut conditions = Vec::new();
    let input = pull_correlated(input, outer, &mut conditions);
    if !free_columns_of(&input).is_disjoint(outer) || rel_failure(&input) == Failure::Value {
        return None;
    }
    let inner = visible_set(&input);
    let (outer_conditions, conditions): (Vec<Expr>, Vec<Expr>) =
        conditions.into_iter().partition(|condition| mentions_none_of(condition, &inner));
    if outer_conditions.iter().any(|condition| failure(condition) == Failure::Value) {
        return None;
    }
    let correlations: Vec<Correlation> =
        conditions.into_iter().map(|condition| correlation(condition, &inner, outer)).collect::<Option<_>>()?;
    if correlations.is_empty() {
        return None;
    }
    Some(Parts { input, aggregates, value, correlations, outer_conditions })
}

/// Takes the subquery of an EXISTS apart that stands under OR or in a select list; `None` if it has another form.
fn take_keys_apart(query: &Query, outer: &Columns) -> Option<Parts> {
    if query_is_volatile(query) || free_columns(query).is_disjoint(outer) {
        return None;
    }
    let input = existence(&query.rel)?.clone();
    let value = literal(Datum::Null, Type::BOOL);
    correlated_parts(input, Vec::new(), value, outer)
}

/// Whether an aggregate can be computed for any group: it mentions no outer column and cannot fail.
fn is_safe(call: &AggregateCall, outer: &Columns) -> bool {
    // What an aggregate gives for no rows is known of these alone.
    let known = matches!(
        call.aggregate.name,
        "count"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "bool_and"
            | "bool_or"
            | "every"
            | "stddev"
            | "stddev_samp"
            | "stddev_pop"
            | "variance"
            | "var_samp"
            | "var_pop"
            | "regr_count"
    );
    let safe = |expr: &Expr| failure(expr) == Failure::Never && !is_volatile(expr) && mentions_none_of(expr, outer);
    known && call.expressions().all(safe)
}

fn correlation(condition: Expr, inner: &Columns, outer: &Columns) -> Option<Correlation> {
    let (function, left, right) = equality_sides(&condition)?;
    let Equality::Datums { .. } = equality(function) else { return None };
    let is_inner = |expr: &Expr| mentions_none_of(expr, outer) && !mentions_none_of(expr, inner);
    let is_outer = |expr: &Expr| mentions_none_of(expr, inner);
    let inner_is_left = if is_inner(left) && is_outer(right) {
        true
    } else if is_inner(right) && is_outer(left) {
        false
    } else {
        return None;
    };
    let (inner, outer) = if inner_is_left { (left, right) } else { (right, left) };
    let safe = failure(inner) == Failure::Never && failure(outer) < Failure::Value && !contains_subquery(&condition);
    let inner = inner.clone();
    (safe && !is_volatile(&condition)).then_some(Correlation { condition, inner, inner_is_left })
}
