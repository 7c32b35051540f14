//! Visits the expressions of a tree: the direct parts of an expression, and everything inside a query.

use crate::ir::{Expr, ExprKind, Query, Rel, Subscript, TableFunction, WithBody, WithQuery};

/// The direct subexpressions of an expression, and its direct subqueries.
pub(super) fn parts_mut(expr: &mut Expr) -> (Vec<&mut Expr>, Vec<&mut Query>) {
    let mut inner: Vec<&mut Expr> = Vec::new();
    let mut queries: Vec<&mut Query> = Vec::new();
    match &mut expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) | ExprKind::CaseOperand => {}
        ExprKind::Call { args, .. } => inner.extend(args),
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) | ExprKind::Not(arg) => inner.push(arg),
        ExprKind::Convert { arg, .. }
        | ExprKind::Typmod { arg, .. }
        | ExprKind::IsNull { arg, .. }
        | ExprKind::IsBool { arg, .. } => inner.push(arg),
        ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) | ExprKind::MinMax { args, .. } => {
            inner.extend(args);
        }
        ExprKind::IsDistinct { left, right, .. } | ExprKind::NullIf { left, right, .. } => {
            inner.push(left);
            inner.push(right);
        }
        ExprKind::Case { operand, arms, otherwise } => {
            inner.extend(operand.as_deref_mut());
            for (condition, result) in arms {
                inner.push(condition);
                inner.push(result);
            }
            inner.extend(otherwise.as_deref_mut());
        }
        ExprKind::InList { arg, list, .. } => {
            inner.push(arg);
            inner.extend(list);
        }
        ExprKind::ScalarSubquery(query) | ExprKind::Exists(query) | ExprKind::ArraySubquery(query) => {
            queries.push(query);
        }
        ExprKind::Quantified { arg, query, .. } => {
            inner.push(arg);
            queries.push(query);
        }
        ExprKind::Array { items, .. } | ExprKind::Row { fields: items, .. } => inner.extend(items),
        ExprKind::QuantifiedArray { arg: left, array: right, .. }
        | ExprKind::AssignField { record: left, value: right, .. }
        | ExprKind::MapElements { array: left, element: right } => {
            inner.push(left);
            inner.push(right);
        }
        ExprKind::Subscript { array, subscripts } => {
            inner.push(array);
            inner.extend(subscripts.iter_mut().flat_map(Subscript::bounds_mut));
        }
        ExprKind::AssignSubscript { array, subscripts, value } => {
            inner.push(array);
            inner.extend(subscripts.iter_mut().flat_map(Subscript::bounds_mut));
            inner.push(value);
        }
        ExprKind::Field { record, .. } | ExprKind::Domain { arg: record, .. } => inner.push(record),
    }
    (inner, queries)
}

/// The query of a WITH query that changes nothing.
fn with_query(with: &WithQuery) -> Option<&Query> {
    match &with.body {
        WithBody::Query(query) => Some(query),
        WithBody::Change(_) => None,
    }
}

/// Calls `visit` on each expression that stands directly in a relation or in the relations below it.
pub(super) fn expressions_of(rel: &Rel, visit: &mut dyn FnMut(&Expr)) {
    match rel {
        Rel::OneRow | Rel::SystemScan { .. } | Rel::WithScan { .. } | Rel::WorkTable { .. } => {}
        Rel::Scan { sample, .. } => sample.iter().flat_map(|sample| sample.expressions()).for_each(visit),
        Rel::Values { rows, .. } => rows.iter().flatten().for_each(visit),
        Rel::FunctionScan { functions, .. } => functions.iter().flat_map(TableFunction::expressions).for_each(visit),
        Rel::LockRows { input, recheck, recompute, .. } => {
            recheck.iter().chain(recompute.iter().map(|(_, expr)| expr)).for_each(&mut *visit);
            expressions_of(input, visit);
        }
        Rel::ProjectSet { input, functions } => {
            functions.iter().flat_map(TableFunction::expressions).for_each(&mut *visit);
            expressions_of(input, visit);
        }
        Rel::Join { left, right, on, .. } => {
            on.iter().for_each(&mut *visit);
            expressions_of(left, visit);
            expressions_of(right, visit);
        }
        Rel::Filter { input, predicate } => {
            visit(predicate);
            expressions_of(input, visit);
        }
        Rel::Extend { input, columns } => {
            columns.iter().for_each(|(_, expr)| visit(expr));
            expressions_of(input, visit);
        }
        Rel::Aggregate { input, keys, aggregates, .. } => {
            keys.iter().for_each(|(_, expr)| visit(expr));
            for (_, call) in aggregates {
                call.expressions().for_each(&mut *visit);
            }
            expressions_of(input, visit);
        }
        Rel::Window { input, calls, .. } => {
            calls.iter().flat_map(|(_, call)| call.expressions()).for_each(&mut *visit);
            expressions_of(input, visit);
        }
        Rel::Sort { input, .. } | Rel::Distinct { input, .. } => expressions_of(input, visit),
        Rel::Limit { input, limit, offset, .. } => {
            limit.iter().chain(offset).for_each(&mut *visit);
            expressions_of(input, visit);
        }
        Rel::SetOperation { left, right, .. } | Rel::Recursion { seed: left, step: right, .. } => {
            expressions_of(&left.rel, visit);
            expressions_of(&right.rel, visit);
        }
        Rel::With { queries, input } => {
            for query in queries.iter().filter_map(with_query) {
                expressions_of(&query.rel, visit);
            }
            expressions_of(input, visit);
        }
    }
}

/// As [`expressions_of`], with the right to change them.
pub(super) fn expressions_of_mut<'a>(rel: &'a mut Rel, found: &mut Vec<&'a mut Expr>) {
    match rel {
        Rel::OneRow | Rel::SystemScan { .. } | Rel::WithScan { .. } | Rel::WorkTable { .. } => {}
        Rel::Scan { sample, .. } => found.extend(sample.iter_mut().flat_map(|sample| sample.expressions_mut())),
        Rel::Values { rows, .. } => found.extend(rows.iter_mut().flatten()),
        Rel::FunctionScan { functions, .. } => {
            found.extend(functions.iter_mut().flat_map(TableFunction::expressions_mut));
        }
        Rel::LockRows { input, recheck, recompute, .. } => {
            found.extend(recheck.iter_mut().chain(recompute.iter_mut().map(|(_, expr)| expr)));
            expressions_of_mut(input, found);
        }
        Rel::ProjectSet { input, functions } => {
            found.extend(functions.iter_mut().flat_map(TableFunction::expressions_mut));
            expressions_of_mut(input, found);
        }
        Rel::Join { left, right, on, .. } => {
            found.extend(on);
            expressions_of_mut(left, found);
            expressions_of_mut(right, found);
        }
        Rel::Filter { input, predicate } => {
            found.push(predicate);
            expressions_of_mut(input, found);
        }
        Rel::Extend { input, columns } => {
            found.extend(columns.iter_mut().map(|(_, expr)| expr));
            expressions_of_mut(input, found);
        }
        Rel::Aggregate { input, keys, aggregates, .. } => {
            found.extend(keys.iter_mut().map(|(_, expr)| expr));
            for (_, call) in aggregates {
                found.extend(call.expressions_mut());
            }
            expressions_of_mut(input, found);
        }
        Rel::Window { input, calls, .. } => {
            found.extend(calls.iter_mut().flat_map(|(_, call)| call.expressions_mut()));
            expressions_of_mut(input, found);
        }
        Rel::Sort { input, .. } | Rel::Distinct { input, .. } => expressions_of_mut(input, found),
        Rel::Limit { input, limit, offset, .. } => {
            found.extend(limit.iter_mut().chain(offset));
            expressions_of_mut(input, found);
        }
        Rel::SetOperation { left, right, .. } | Rel::Recursion { seed: left, step: right, .. } => {
            expressions_of_mut(&mut left.rel, found);
            expressions_of_mut(&mut right.rel, found);
        }
        Rel::With { queries, input } => {
            for query in queries {
                if let WithBody::Query(query) = &mut query.body {
                    expressions_of_mut(&mut query.rel, found);
                }
            }
            expressions_of_mut(input, found);
        }
    }
}

/// Whether `test` holds for an expression or anything inside of it, subqueries included.
pub(crate) fn any(expr: &Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    if test(expr) {
        return true;
    }
    let mut found = false;
    let mut inner: Vec<&Expr> = Vec::new();
    let mut queries: Vec<&Query> = Vec::new();
    collect_parts(expr, &mut inner, &mut queries);
    for part in inner {
        found = found || any(part, test);
    }
    for query in queries {
        found = found || any_in_query(query, test);
    }
    found
}

/// Whether `test` holds for any expression inside a query.
pub(super) fn any_in_query(query: &Query, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    let mut found = false;
    expressions_of(&query.rel, &mut |expr| found = found || any(expr, test));
    found
}

fn collect_parts<'a>(expr: &'a Expr, inner: &mut Vec<&'a Expr>, queries: &mut Vec<&'a Query>) {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) | ExprKind::CaseOperand => {}
        ExprKind::Call { args, .. } => inner.extend(args),
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) | ExprKind::Not(arg) => inner.push(arg),
        ExprKind::Convert { arg, .. }
        | ExprKind::Typmod { arg, .. }
        | ExprKind::IsNull { arg, .. }
        | ExprKind::IsBool { arg, .. } => inner.push(arg),
        ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) | ExprKind::MinMax { args, .. } => {
            inner.extend(args);
        }
        ExprKind::IsDistinct { left, right, .. } | ExprKind::NullIf { left, right, .. } => {
            inner.extend([&**left, &**right])
        }
        ExprKind::Case { operand, arms, otherwise } => {
            inner.extend(operand.as_deref());
            inner.extend(arms.iter().flat_map(|(condition, result)| [condition, result]));
            inner.extend(otherwise.as_deref());
        }
        ExprKind::InList { arg, list, .. } => {
            inner.push(arg);
            inner.extend(list);
        }
        ExprKind::ScalarSubquery(query) | ExprKind::Exists(query) | ExprKind::ArraySubquery(query) => {
            queries.push(query);
        }
        ExprKind::Quantified { arg, query, .. } => {
            inner.push(arg);
            queries.push(query);
        }
        ExprKind::Array { items, .. } | ExprKind::Row { fields: items, .. } => inner.extend(items),
        ExprKind::QuantifiedArray { arg: left, array: right, .. }
        | ExprKind::AssignField { record: left, value: right, .. }
        | ExprKind::MapElements { array: left, element: right } => inner.extend([&**left, &**right]),
        ExprKind::Subscript { array, subscripts } => {
            inner.push(array);
            inner.extend(subscripts.iter().flat_map(Subscript::bounds));
        }
        ExprKind::AssignSubscript { array, subscripts, value } => {
            inner.push(array);
            inner.extend(subscripts.iter().flat_map(Subscript::bounds));
            inner.push(value);
        }
        ExprKind::Field { record, .. } | ExprKind::Domain { arg: record, .. } => inner.push(record),
    }
}
