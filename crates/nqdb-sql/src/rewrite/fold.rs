//! Constants: immutable functions and other forms over literals become literals, calls that a NULL decides become NULL; AND,
//! OR, CASE and COALESCE lose what is decided.
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
        Rel::Scan { sample: None, .. } => return,
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
        ExprKind::Convert { arg, convert } => literal(arg).and_then(|value| convert(value).ok()),
        ExprKind::Not(arg) => literal(arg).and_then(Datum::as_bool).map(|value| Datum::Bool(!value)),
        ExprKind::And(args) => decide(args, true),
        ExprKind::Or(args) => decide(args, false),
        ExprKind::Case { operand, arms, otherwise } => case_value(operand, arms, otherwise, cx),
        ExprKind::Coalesce(args) => first_value(args),
        kind => constant_form(kind, cx),
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
    if let Some(decided) = args.iter().position(|arg| value(arg) == Some(!neutral)) {
        // The error of a constant before it comes first.
        return (!args.iter().take(decided).any(fails)).then_some(Datum::Bool(!neutral));
    }
    if args.iter().any(|arg| value(arg).is_some()) {
        args.retain(|arg| value(arg).is_none());
    }
    args.is_empty().then_some(Datum::Bool(neutral))
}

/// The value of COALESCE, if it is a constant. NULLs go, and what stands behind a constant.
fn first_value(args: &mut Vec<Expr>) -> Option<Datum> {
    if let Some(last) = args.iter().position(|arg| literal(arg).is_some_and(|value| !value.is_null())) {
        args.truncate(last + 1);
    }
    match args.iter().position(|arg| !literal(arg).is_some_and(Datum::is_null)) {
        None => Some(Datum::Null),
        Some(first) => {
            let value = args.get(first).and_then(literal).cloned();
            args.retain(|arg| !literal(arg).is_some_and(Datum::is_null));
            value
        }
    }
}

/// The value of CASE, if it is a constant. Arms that are never taken go; one that always is ends it.
fn case_value(
    operand: &mut Option<Box<Expr>>,
    arms: &mut Vec<(Expr, Expr)>,
    otherwise: &mut Option<Box<Expr>>,
    cx: &mut FunctionContext<'_>,
) -> Option<Datum> {
    if let Some(value) = operand.as_deref().and_then(literal).cloned() {
        for (condition, _) in arms.iter_mut() {
            set_case_operand(condition, &value);
            fold(condition, cx);
        }
        *operand = None;
    }
    let holds = |condition: &Expr| literal(condition).map(|value| value.as_bool() == Some(true));
    arms.retain(|(condition, _)| holds(condition) != Some(false));
    if let Some(taken) = arms.iter().position(|(condition, _)| holds(condition) == Some(true)) {
        *otherwise = arms.drain(taken..).next().map(|(_, value)| Box::new(value));
    }
    if !arms.is_empty() {
        return None;
    }
    // What is left of a CASE without arms is its last value; the form stays if that is no constant.
    otherwise.as_deref().map_or(Some(Datum::Null), |value| literal(value).cloned())
}

/// Puts a constant in the place of the operand of the CASE around an expression.
fn set_case_operand(expr: &mut Expr, value: &Datum) {
    match &mut expr.kind {
        ExprKind::CaseOperand => expr.kind = ExprKind::Literal(value.clone()),
        // It has an operand of its own, within which the outer one still counts.
        ExprKind::Case { operand: Some(operand), .. } => set_case_operand(operand, value),
        ExprKind::MapElements { array, .. } => set_case_operand(array, value),
        _ => operands_mut(expr).into_iter().for_each(|operand| set_case_operand(operand, value)),
    }
}

/// The value of a form whose operands are all constants.
fn constant_form(kind: &ExprKind, cx: &mut FunctionContext<'_>) -> Option<Datum> {
    match kind {
        ExprKind::IsNull { arg, negated } => match literal(arg)? {
            // A record is NULL by its fields.
            Datum::Record(_) => None,
            value => Some(Datum::Bool(value.is_null() != *negated)),
        },
        ExprKind::IsBool { arg, value, negated } => {
            let given = literal(arg)?;
            Some(Datum::Bool((given.as_bool() == *value) != *negated))
        }
        ExprKind::IsDistinct { left, right, equal, negated } => {
            let (left, right) = (literal(left)?, literal(right)?);
            let is_same = match (left.is_null(), right.is_null()) {
                (false, false) => compared(equal, left, right, cx)?,
                (left, right) => left && right,
            };
            Some(Datum::Bool(is_same == *negated))
        }
        ExprKind::NullIf { left, right, equal } => {
            let (left, right) = (literal(left)?, literal(right)?);
            let is_same = !left.is_null() && !right.is_null() && compared(equal, left, right, cx)?;
            Some(if is_same { Datum::Null } else { left.clone() })
        }
        ExprKind::MinMax { args, greatest, less } => {
            let mut found: Option<&Datum> = None;
            for arg in args {
                let value = literal(arg)?;
                let is_better = match found {
                    _ if value.is_null() => false,
                    None => true,
                    Some(best) if *greatest => compared(less, best, value, cx)?,
                    Some(best) => compared(less, value, best, cx)?,
                };
                if is_better {
                    found = Some(value);
                }
            }
            Some(found.cloned().unwrap_or(Datum::Null))
        }
        _ => None,
    }
}

/// What a comparison says of two values that are not NULL.
fn compared(function: &Function, left: &Datum, right: &Datum, cx: &mut FunctionContext<'_>) -> Option<bool> {
    if function.volatility != Volatility::Immutable || function.needs_argument_types() {
        return None;
    }
    (function.eval)(cx, &[left.clone(), right.clone()]).ok()?.as_bool()
}
