//! Which columns an expression or a relation mentions, and which it defines.
//!
//! A subquery's mentions count as mentions of the expression that holds it: what it mentions and does not define
//! comes from outside, which is all that correlation means.

use std::collections::HashSet;

use nqdb_functions::Volatility;

use crate::ir::{ColumnId, Expr, ExprKind, Query, Rel, Subscript, TableFunction, WithBody};

/// A set of columns.
pub type Columns = HashSet<ColumnId, foldhash::fast::RandomState>;

/// The operands of an expression, without subqueries.
pub fn operands(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) | ExprKind::CaseOperand => Vec::new(),
        ExprKind::ScalarSubquery(_) | ExprKind::Exists(_) | ExprKind::ArraySubquery(_) => Vec::new(),
        ExprKind::Call { args, .. }
        | ExprKind::And(args)
        | ExprKind::Or(args)
        | ExprKind::Coalesce(args)
        | ExprKind::MinMax { args, .. }
        | ExprKind::Array { items: args, .. }
        | ExprKind::Row { fields: args, .. } => args.iter().collect(),
        ExprKind::Relabel(arg)
        | ExprKind::Convert { arg, .. }
        | ExprKind::ViaText(arg)
        | ExprKind::Not(arg)
        | ExprKind::Typmod { arg, .. }
        | ExprKind::IsNull { arg, .. }
        | ExprKind::IsBool { arg, .. }
        | ExprKind::Field { record: arg, .. }
        | ExprKind::Domain { arg, .. }
        | ExprKind::Quantified { arg, .. } => vec![arg],
        ExprKind::IsDistinct { left, right, .. }
        | ExprKind::NullIf { left, right, .. }
        | ExprKind::QuantifiedArray { arg: left, array: right, .. }
        | ExprKind::AssignField { record: left, value: right, .. }
        | ExprKind::MapElements { array: left, element: right } => vec![left, right],
        ExprKind::Case { operand, arms, otherwise } => operand
            .iter()
            .map(Box::as_ref)
            .chain(arms.iter().flat_map(|(condition, result)| [condition, result]))
            .chain(otherwise.iter().map(Box::as_ref))
            .collect(),
        ExprKind::InList { arg, list, .. } => std::iter::once(arg.as_ref()).chain(list).collect(),
        ExprKind::Subscript { array, subscripts } => {
            std::iter::once(array.as_ref()).chain(subscripts.iter().flat_map(Subscript::bounds)).collect()
        }
        ExprKind::AssignSubscript { array, subscripts, value } => {
            [array.as_ref(), value.as_ref()].into_iter().chain(subscripts.iter().flat_map(Subscript::bounds)).collect()
        }
    }
}

/// The subquery of an expression node.
pub fn subquery(expr: &Expr) -> Option<&Query> {
    match &expr.kind {
        ExprKind::ScalarSubquery(query)
        | ExprKind::Exists(query)
        | ExprKind::ArraySubquery(query)
        | ExprKind::Quantified { query, .. } => Some(query),
        _ => None,
    }
}

/// The columns that an expression takes from outside of itself.
pub fn mentioned(expr: &Expr) -> Columns {
    let mut columns = Columns::default();
    add_mentioned(expr, &mut columns);
    columns
}

/// Adds the columns that an expression takes from outside of itself.
pub(crate) fn add_mentioned(expr: &Expr, out: &mut Columns) {
    if let ExprKind::Column(id) = &expr.kind {
        out.insert(*id);
    }
    if let Some(query) = subquery(expr) {
        out.extend(free_columns(query));
    }
    for operand in operands(expr) {
        add_mentioned(operand, out);
    }
}

/// The subquery of an expression node, with the right to change it.
pub(crate) fn subquery_mut(expr: &mut Expr) -> Option<&mut Query> {
    match &mut expr.kind {
        ExprKind::ScalarSubquery(query)
        | ExprKind::Exists(query)
        | ExprKind::ArraySubquery(query)
        | ExprKind::Quantified { query, .. } => Some(query),
        _ => None,
    }
}

/// The columns of outer queries that a query mentions.
pub fn free_columns(query: &Query) -> Columns {
    let mut mentions = free_columns_of(&query.rel);
    let outputs: Columns = query.output.iter().map(|column| column.id).collect();
    mentions.extend(outputs.difference(&defined(&query.rel)));
    mentions
}

/// The columns that a relation mentions and that nothing in it defines.
pub(crate) fn free_columns_of(rel: &Rel) -> Columns {
    let mut mentions = Columns::default();
    let mut defined = Columns::default();
    walk(rel, &mut |rel| {
        add_defined_here(rel, &mut defined);
        for expr in expressions(rel) {
            add_mentioned(expr, &mut mentions);
        }
    });
    mentions.retain(|column| !defined.contains(column));
    mentions
}

/// All columns defined within a relation.
pub(crate) fn defined(rel: &Rel) -> Columns {
    let mut columns = Columns::default();
    walk(rel, &mut |rel| add_defined_here(rel, &mut columns));
    columns
}

/// The columns that a relation shows above it.
pub fn visible(rel: &Rel, out: &mut Vec<ColumnId>) {
    match rel {
        Rel::OneRow => {}
        Rel::Scan { columns, address, .. } => {
            out.extend(columns.iter().map(|(_, id)| *id));
            out.extend(*address);
        }
        Rel::SystemScan { columns, .. } => out.extend(columns.iter().map(|(_, id)| *id)),
        Rel::Values { columns, .. } => out.extend(columns.iter().map(|(id, _)| *id)),
        Rel::FunctionScan { functions, ordinality } => {
            out.extend(function_columns(functions));
            out.extend(*ordinality);
        }
        Rel::ProjectSet { input, functions } => {
            visible(input, out);
            out.extend(function_columns(functions));
        }
        Rel::Join { kind, left, right, .. } => {
            visible(left, out);
            if !kind.is_half() {
                visible(right, out);
            }
        }
        Rel::Filter { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Distinct { input, .. }
        | Rel::Limit { input, .. } => {
            visible(input, out);
        }
        Rel::Extend { input, columns } => {
            visible(input, out);
            out.extend(columns.iter().map(|(id, _)| *id));
        }
        Rel::Window { input, calls, .. } => {
            visible(input, out);
            out.extend(calls.iter().map(|(id, _)| *id));
        }
        Rel::Aggregate { keys, sets, aggregates, .. } => {
            out.extend(keys.iter().map(|(id, _)| *id));
            out.extend(sets.iter().flat_map(|sets| &sets.groupings).map(|(id, _)| *id));
            out.extend(aggregates.iter().map(|(id, _)| *id));
        }
        Rel::With { input, .. } | Rel::LockRows { input, .. } => visible(input, out),
        Rel::WithScan { columns, .. } | Rel::WorkTable { columns, .. } => {
            out.extend(columns.iter().map(|(_, id, _)| *id));
        }
        Rel::SetOperation { columns, .. } | Rel::Recursion { columns, .. } => out.extend(columns),
    }
}

/// The columns that some functions define.
pub(crate) fn function_columns(functions: &[TableFunction]) -> impl Iterator<Item = ColumnId> {
    functions.iter().flat_map(|function| &function.columns).map(|column| column.id)
}

/// Whether a relation locks rows, outside of the subqueries of its expressions.
pub(crate) fn locks_rows(rel: &Rel) -> bool {
    let mut locks = false;
    walk(rel, &mut |rel| locks |= matches!(rel, Rel::LockRows { .. }));
    locks
}

/// The tables that a relation reads, those of subqueries included.
pub fn scan_count(rel: &Rel) -> usize {
    let mut count = 0;
    walk(rel, &mut |rel| {
        count += usize::from(matches!(rel, Rel::Scan { .. } | Rel::SystemScan { .. }));
        count += expressions(rel).into_iter().map(scan_count_of_expression).sum::<usize>();
    });
    count
}

fn scan_count_of_expression(expr: &Expr) -> usize {
    let here = subquery(expr).map_or(0, |query| scan_count(&query.rel));
    here + operands(expr).into_iter().map(scan_count_of_expression).sum::<usize>()
}

/// The relations directly below a relation.
pub fn inputs(rel: &Rel) -> Vec<&Rel> {
    match rel {
        Rel::OneRow
        | Rel::Scan { .. }
        | Rel::SystemScan { .. }
        | Rel::Values { .. }
        | Rel::FunctionScan { .. }
        | Rel::WithScan { .. }
        | Rel::WorkTable { .. } => Vec::new(),
        Rel::Join { left, right, .. } => vec![left, right],
        Rel::Filter { input, .. }
        | Rel::ProjectSet { input, .. }
        | Rel::LockRows { input, .. }
        | Rel::Extend { input, .. }
        | Rel::Aggregate { input, .. }
        | Rel::Window { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Distinct { input, .. }
        | Rel::Limit { input, .. } => vec![input],
        Rel::SetOperation { left, right, .. } | Rel::Recursion { seed: left, step: right, .. } => {
            vec![&left.rel, &right.rel]
        }
        Rel::With { queries, input } => {
            let bodies = queries.iter().filter_map(|query| match &query.body {
                WithBody::Query(query) => Some(&query.rel),
                WithBody::Change(_) => None,
            });
            bodies.chain(std::iter::once(&**input)).collect()
        }
    }
}

/// As [`inputs`], with the right to change them.
pub(crate) fn inputs_mut(rel: &mut Rel) -> Vec<&mut Rel> {
    match rel {
        Rel::OneRow
        | Rel::Scan { .. }
        | Rel::SystemScan { .. }
        | Rel::Values { .. }
        | Rel::FunctionScan { .. }
        | Rel::WithScan { .. }
        | Rel::WorkTable { .. } => Vec::new(),
        Rel::Join { left, right, .. } => vec![left, right],
        Rel::Filter { input, .. }
        | Rel::ProjectSet { input, .. }
        | Rel::LockRows { input, .. }
        | Rel::Extend { input, .. }
        | Rel::Aggregate { input, .. }
        | Rel::Window { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Distinct { input, .. }
        | Rel::Limit { input, .. } => vec![input],
        Rel::SetOperation { left, right, .. } | Rel::Recursion { seed: left, step: right, .. } => {
            vec![&mut left.rel, &mut right.rel]
        }
        Rel::With { queries, input } => {
            let bodies = queries.iter_mut().filter_map(|query| match &mut query.body {
                WithBody::Query(query) => Some(&mut query.rel),
                WithBody::Change(_) => None,
            });
            bodies.chain(std::iter::once(&mut **input)).collect()
        }
    }
}

/// Calls `f` with a relation and all relations below it, subqueries of expressions excepted.
pub(crate) fn walk<'e>(rel: &'e Rel, f: &mut impl FnMut(&'e Rel)) {
    f(rel);
    for input in inputs(rel) {
        walk(input, f);
    }
}

/// The expressions of one relation, without those below it.
pub fn expressions(rel: &Rel) -> Vec<&Expr> {
    match rel {
        Rel::OneRow
        | Rel::SystemScan { .. }
        | Rel::Sort { .. }
        | Rel::Distinct { .. }
        | Rel::SetOperation { .. }
        | Rel::With { .. }
        | Rel::WithScan { .. }
        | Rel::Recursion { .. }
        | Rel::WorkTable { .. } => Vec::new(),
        Rel::Scan { sample, .. } => sample.iter().flat_map(|sample| sample.expressions()).collect(),
        Rel::Values { rows, .. } => rows.iter().flatten().collect(),
        Rel::FunctionScan { functions, .. } | Rel::ProjectSet { functions, .. } => {
            functions.iter().flat_map(TableFunction::expressions).collect()
        }
        Rel::Join { on, .. } => on.iter().collect(),
        Rel::Filter { predicate, .. } => vec![predicate],
        Rel::LockRows { recheck, recompute, .. } => {
            recheck.iter().chain(recompute.iter().map(|(_, expr)| expr)).collect()
        }
        Rel::Extend { columns, .. } => columns.iter().map(|(_, expr)| expr).collect(),
        Rel::Aggregate { keys, aggregates, .. } => keys
            .iter()
            .map(|(_, expr)| expr)
            .chain(aggregates.iter().flat_map(|(_, call)| call.expressions()))
            .collect(),
        Rel::Window { calls, .. } => calls.iter().flat_map(|(_, call)| call.expressions()).collect(),
        Rel::Limit { limit, offset, .. } => limit.iter().chain(offset).collect(),
    }
}

/// As [`expressions`], with the right to change them.
pub(crate) fn expressions_mut(rel: &mut Rel) -> Vec<&mut Expr> {
    match rel {
        Rel::OneRow
        | Rel::SystemScan { .. }
        | Rel::Sort { .. }
        | Rel::Distinct { .. }
        | Rel::SetOperation { .. }
        | Rel::With { .. }
        | Rel::WithScan { .. }
        | Rel::Recursion { .. }
        | Rel::WorkTable { .. } => Vec::new(),
        Rel::Scan { sample, .. } => sample.iter_mut().flat_map(|sample| sample.expressions_mut()).collect(),
        Rel::Values { rows, .. } => rows.iter_mut().flatten().collect(),
        Rel::FunctionScan { functions, .. } | Rel::ProjectSet { functions, .. } => {
            functions.iter_mut().flat_map(TableFunction::expressions_mut).collect()
        }
        Rel::Join { on, .. } => on.iter_mut().collect(),
        Rel::Filter { predicate, .. } => vec![predicate],
        Rel::LockRows { recheck, recompute, .. } => {
            recheck.iter_mut().chain(recompute.iter_mut().map(|(_, expr)| expr)).collect()
        }
        Rel::Extend { columns, .. } => columns.iter_mut().map(|(_, expr)| expr).collect(),
        Rel::Aggregate { keys, aggregates, .. } => keys
            .iter_mut()
            .map(|(_, expr)| expr)
            .chain(aggregates.iter_mut().flat_map(|(_, call)| call.expressions_mut()))
            .collect(),
        Rel::Window { calls, .. } => calls.iter_mut().flat_map(|(_, call)| call.expressions_mut()).collect(),
        Rel::Limit { limit, offset, .. } => limit.iter_mut().chain(offset).collect(),
    }
}

fn add_defined_here(rel: &Rel, out: &mut Columns) {
    match rel {
        Rel::Scan { columns, address, .. } => {
            out.extend(columns.iter().map(|(_, id)| *id));
            out.extend(*address);
        }
        Rel::SystemScan { columns, .. } => out.extend(columns.iter().map(|(_, id)| *id)),
        Rel::Values { columns, .. } => out.extend(columns.iter().map(|(id, _)| *id)),
        Rel::FunctionScan { functions, ordinality } => {
            out.extend(function_columns(functions));
            out.extend(*ordinality);
        }
        Rel::ProjectSet { functions, .. } => out.extend(function_columns(functions)),
        Rel::Extend { columns, .. } => out.extend(columns.iter().map(|(id, _)| *id)),
        Rel::Aggregate { keys, sets, aggregates, .. } => {
            out.extend(keys.iter().map(|(id, _)| *id));
            out.extend(sets.iter().flat_map(|sets| &sets.groupings).map(|(id, _)| *id));
            out.extend(aggregates.iter().map(|(id, _)| *id));
        }
        Rel::Window { calls, .. } => out.extend(calls.iter().map(|(id, _)| *id)),
        Rel::WithScan { columns, .. } | Rel::WorkTable { columns, .. } => {
            out.extend(columns.iter().map(|(_, id, _)| *id));
        }
        Rel::SetOperation { columns, .. } | Rel::Recursion { columns, .. } => out.extend(columns),
        Rel::OneRow
        | Rel::With { .. }
        | Rel::LockRows { .. }
        | Rel::Join { .. }
        | Rel::Filter { .. }
        | Rel::Sort { .. }
        | Rel::Distinct { .. }
        | Rel::Limit { .. } => {}
    }
}

/// Whether an expression gives another value each time: it must not be moved or repeated.
pub(crate) fn is_volatile(expr: &Expr) -> bool {
    let here = match &expr.kind {
        ExprKind::Call { function, .. } => function.volatility == Volatility::Volatile,
        _ => false,
    };
    here || subquery(expr).is_some_and(query_is_volatile) || operands(expr).into_iter().any(is_volatile)
}

/// Whether a query calls volatile functions.
pub(crate) fn query_is_volatile(query: &Query) -> bool {
    rel_is_volatile(&query.rel)
}

/// Whether a relation calls volatile functions.
pub(crate) fn rel_is_volatile(rel: &Rel) -> bool {
    let mut volatile = false;
    walk(rel, &mut |rel| {
        volatile |= matches!(rel, Rel::LockRows { .. }) || expressions(rel).into_iter().any(is_volatile);
    });
    volatile
}

/// Splits a condition at its ANDs.
pub fn split_conjuncts(predicate: &Expr, out: &mut Vec<Expr>) {
    match &predicate.kind {
        ExprKind::And(args) => args.iter().for_each(|arg| split_conjuncts(arg, out)),
        _ => out.push(predicate.clone()),
    }
}

/// Replaces columns by others that they are plain copies of; `None` if that leaves one of `forbidden`.
pub(crate) fn substitute(expr: &Expr, copies: &[(ColumnId, ColumnId)], forbidden: &Columns) -> Option<Expr> {
    let mentions = mentioned(expr);
    if mentions.is_disjoint(forbidden) {
        return Some(expr.clone());
    }
    if contains_subquery(expr) {
        return None;
    }
    let mut expr = expr.clone();
    replace(&mut expr, copies);
    mentioned(&expr).is_disjoint(forbidden).then_some(expr)
}

/// An expression with columns in the place of others, all of which are named.
pub(crate) fn with_columns(expr: &Expr, columns: &[(ColumnId, ColumnId)]) -> Expr {
    let mut expr = expr.clone();
    replace(&mut expr, columns);
    expr
}

/// Whether a subquery stands anywhere in the expression.
pub(crate) fn contains_subquery(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) => false,
        ExprKind::Call { args, .. } => args.iter().any(contains_subquery),
        _ => subquery(expr).is_some() || operands(expr).into_iter().any(contains_subquery),
    }
}

fn replace(expr: &mut Expr, copies: &[(ColumnId, ColumnId)]) {
    if let ExprKind::Column(id) = &mut expr.kind {
        if let Some((_, original)) = copies.iter().find(|(copy, _)| copy == id) {
            *id = *original;
        }
        return;
    }
    for operand in operands_mut(expr) {
        replace(operand, copies);
    }
}

/// As [`operands`], with the right to change them.
pub(crate) fn operands_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Column(_) | ExprKind::CaseOperand => Vec::new(),
        ExprKind::ScalarSubquery(_) | ExprKind::Exists(_) | ExprKind::ArraySubquery(_) => Vec::new(),
        ExprKind::Call { args, .. }
        | ExprKind::And(args)
        | ExprKind::Or(args)
        | ExprKind::Coalesce(args)
        | ExprKind::MinMax { args, .. }
        | ExprKind::Array { items: args, .. }
        | ExprKind::Row { fields: args, .. } => args.iter_mut().collect(),
        ExprKind::Relabel(arg)
        | ExprKind::Convert { arg, .. }
        | ExprKind::ViaText(arg)
        | ExprKind::Not(arg)
        | ExprKind::Typmod { arg, .. }
        | ExprKind::IsNull { arg, .. }
        | ExprKind::IsBool { arg, .. }
        | ExprKind::Field { record: arg, .. }
        | ExprKind::Domain { arg, .. }
        | ExprKind::Quantified { arg, .. } => vec![arg],
        ExprKind::IsDistinct { left, right, .. }
        | ExprKind::NullIf { left, right, .. }
        | ExprKind::QuantifiedArray { arg: left, array: right, .. }
        | ExprKind::AssignField { record: left, value: right, .. }
        | ExprKind::MapElements { array: left, element: right } => vec![left, right],
        ExprKind::Case { operand, arms, otherwise } => operand
            .iter_mut()
            .map(Box::as_mut)
            .chain(arms.iter_mut().flat_map(|(condition, result)| [condition, result]))
            .chain(otherwise.iter_mut().map(Box::as_mut))
            .collect(),
        ExprKind::InList { arg, list, .. } => std::iter::once(arg.as_mut()).chain(list).collect(),
        ExprKind::Subscript { array, subscripts } => {
            std::iter::once(array.as_mut()).chain(subscripts.iter_mut().flat_map(Subscript::bounds_mut)).collect()
        }
        ExprKind::AssignSubscript { array, subscripts, value } => [array.as_mut(), value.as_mut()]
            .into_iter()
            .chain(subscripts.iter_mut().flat_map(Subscript::bounds_mut))
            .collect(),
    }
}
