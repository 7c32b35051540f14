//! Constants: calls of immutable functions over literals become literals, calls that a NULL decides become NULL, AND and OR
//! lose what is decided.
//!
//! A call that fails stays: it fails, as it must, when a row asks for it. The binder does this for every statement, so
//! that both executors and the choice of indexes see plain literals.

use nqdb_functions::{Function, FunctionContext, Volatility};
use nqdb_types::{Datum, apply_typmod};

use crate::ir::{Bound, Expr, ExprKind, Query, Rel, WithBody};
use crate::plan::cost::evaluation;
use crate::plan::mentions::{expressions_mut, inputs_mut, operands, operands_mut, subquery_mut};

/// Folds the constants of a statement's queries, conditions and assignments.
pub(crate) fn fold_constants(bound: &mut Bound, cx: &mut FunctionContext<'_>) {
    match bound {
        Bound::Query(query) => fold_query(query, cx),
        Bound::Insert(insert) => fold_query(&mut insert.source, cx),
        Bound::Update(update) => {
            update.predicate.iter_mut().for_each(|predicate| fold(predicate, cx));
            update.set.iter_mut().for_each(|(_, value)| fold(value, cx));
        }
        Bound::Delete(delete) => delete.predicate.iter_mut().for_each(|predicate| fold(predicate, cx)),
        // The parts of a MERGE are few, and each runs for one row.
        Bound::Merge(_) => {}
        Bound::With { queries, body } => {
            for query in queries {
                match &mut query.body {
                    WithBody::Query(query) => fold_query(query, cx),
                    WithBody::Change(change) => fold_constants(change, cx),
                }
            }
            fold_constants(body, cx);
        }
    }
}

/// Folds the constants of an expression that stands alone.
pub(crate) fn fold_expression(expr: &mut Expr, cx: &mut FunctionContext<'_>) {
    fold(expr, cx);
}

fn fold_query(query: &mut Query, cx: &mut FunctionContext<'_>) {
    fold_rel(&mut query.rel, cx);
}

fn fold_rel(rel: &mut Rel, cx: &mut FunctionContext<'_>) {
    // The shapes of a point query take no detour by lists.
    match rel {
        Rel::Scan { .. } => return,
        Rel::Filter { input, predicate } => {
            fold(predicate, cx);
            cheapest_first(predicate);
            return fold_rel(input, cx);
        }
        _ => {}
    }
    for expr in expressions_mut(rel) {
        fold(expr, cx);
    }
    for input in inputs_mut(rel) {
        fold_rel(input, cx);
    }
}

/// Puts the cheap ones of a filter's conditions first: what they refuse does not reach the others, nor their errors.
fn cheapest_first(predicate: &mut Expr) {
    if let ExprKind::And(conditions) = &mut predicate.kind {
        conditions.sort_by(|one, other| evaluation(one).total_cmp(&evaluation(other)));
    }
}

fn fold(expr: &mut Expr, cx: &mut FunctionContext<'_>) {
    match &mut expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) => return,
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|arg| fold(arg, cx)),
        _ => {
            if let Some(query) = subquery_mut(expr) {
                fold_query(query, cx);
            }
            for operand in operands_mut(expr) {
                fold(operand, cx);
            }
        }
    }
    let folded = match &mut expr.kind {
        // As in PostgreSQL the other arguments are not evaluated, volatile or not.
        ExprKind::Call { function, args } if is_decided_by_null(function, args) => Some(Datum::Null),
        ExprKind::Call { function, args } if is_constant(function, args) => {
            let values: Vec<Datum> = args.iter().filter_map(literal).cloned().collect();
            (function.eval)(cx, &values).ok()
        }
        ExprKind::Relabel(arg) => literal(arg).cloned(),
        ExprKind::Typmod { arg, explicit } => match literal(arg) {
            Some(Datum::Null) => Some(Datum::Null),
            Some(value) => apply_typmod(value.clone(), expr.ty, *explicit).ok(),
            None => None,
        },
        ExprKind::Not(arg) => literal(arg).and_then(Datum::as_bool).map(|value| Datum::Bool(!value)),
        ExprKind::And(args) => decide(args, true),
        ExprKind::Or(args) => decide(args, false),
        _ => None,
    };
    if let Some(value) = folded {
        expr.nullable = value.is_null();
        expr.kind = ExprKind::Literal(value);
        return;
    }
    // One operand that is left stands for all.
    if let ExprKind::And(args) | ExprKind::Or(args) = &mut expr.kind
        && args.len() == 1
        && let Some(only) = args.pop()
    {
        *expr = only;
    }
}

fn literal(expr: &Expr) -> Option<&Datum> {
    match &expr.kind {
        ExprKind::Literal(datum) => Some(datum),
        _ => None,
    }
}

/// Whether a call is NULL because one of its arguments is, and none of the others is a constant that cannot be had.
fn is_decided_by_null(function: &Function, args: &[Expr]) -> bool {
    function.strict
        && !function.set_returning
        && args.iter().any(|arg| literal(arg).is_some_and(Datum::is_null))
        && !args.iter().any(fails)
}

/// Whether there is a constant in a folded expression that was left as it is, because computing it fails.
fn fails(expr: &Expr) -> bool {
    let here = match &expr.kind {
        ExprKind::Call { function, args } => is_constant(function, args),
        ExprKind::Typmod { arg, .. } => literal(arg).is_some(),
        _ => false,
    };
    here || operands(expr).into_iter().any(fails)
}

/// Whether a call gives the same value always and everywhere.
fn is_constant(function: &Function, args: &[Expr]) -> bool {
    !args.is_empty()
        && args.iter().all(|arg| literal(arg).is_some())
        && function.volatility == Volatility::Immutable
        && !function.set_returning
        && !function.needs_argument_types()
}

/// Drops the operands that decide nothing; gives the value when one decides, or none is left.
fn decide(args: &mut Vec<Expr>, neutral: bool) -> Option<Datum> {
    let value = |expr: &Expr| literal(expr).and_then(Datum::as_bool);
    if args.iter().any(|arg| value(arg) == Some(!neutral)) {
        return Some(Datum::Bool(!neutral));
    }
    if args.iter().any(|arg| value(arg).is_some()) {
        args.retain(|arg| value(arg).is_none());
    }
    args.is_empty().then_some(Datum::Bool(neutral))
}
