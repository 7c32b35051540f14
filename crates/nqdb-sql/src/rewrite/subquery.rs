//! EXISTS and IN as joins.
//!
//! ```text
//! t WHERE EXISTS (SELECT .. FROM u WHERE u.a = t.a AND p)      semi join of t and (u WHERE p) on u.a = t.a
//! t WHERE t.a IN (SELECT b FROM u)                             semi join of t and u on t.a = u.b
//! t WHERE NOT EXISTS (..)                                      anti join
//! t WHERE t.a NOT IN (SELECT b FROM u)                         anti join, where neither t.a nor b can be NULL
//! ```
//!
//! Only whole conditions of a WHERE, HAVING or inner join are turned: under OR, CASE or in a select list the subquery
//! stays, and so does one that is not correlated (it runs once), that is volatile, whose expressions can fail on
//! values that the outer condition may keep away, or whose correlation sits below an aggregate, a LIMIT, a set
//! operation or the side of an outer join that NULLs fill.

use nqdb_functions::{Function, all_operators};

use super::build::{column, conjunction, conjuncts, filtered, replace_columns};
use super::facts::{Failure, failure, is_never_null, rel_failure};
use super::{Rewriter, visible_set};
use crate::exec::Comparison;
use crate::ir::{Expr, ExprKind, JoinKind, OutputColumn, Query, Rel};
use crate::plan::compile::comparison_of;
use crate::plan::mentions::{
    Columns, contains_subquery, free_columns, free_columns_of, is_volatile, mentioned, query_is_volatile,
};
use nqdb_types::Type;

/// A condition that is a test of a subquery's rows.
enum Test<'e> {
    Exists(&'e Query),
    /// The value, `=`, and the query.
    In(&'e Expr, &'static Function, &'e Query),
}

impl Rewriter {
    /// Turns the subqueries among the conditions of a filter into joins below it.
    pub(super) fn unnest_filter(&mut self, rel: &mut Rel) {
        let Rel::Filter { input, predicate } = std::mem::replace(rel, Rel::OneRow) else { return };
        if !contains_subquery(&predicate) {
            *rel = Rel::Filter { input, predicate };
            return;
        }
        let (with, without): (Vec<Expr>, Vec<Expr>) =
            conjuncts(Some(predicate)).into_iter().partition(contains_subquery);
        // What can fail stays behind everything that was written before it.
        let (late, early): (Vec<Expr>, Vec<Expr>) =
            without.into_iter().partition(|condition| is_volatile(condition) || failure(condition) == Failure::Value);
        let mut below = filtered(*input, early);
        let mut rest = Vec::new();
        for condition in with {
            match unnest_condition(&below, &condition) {
                Some((kind, right, on)) => {
                    below = Rel::Join { kind, left: Box::new(below), right: Box::new(right), on };
                }
                None => {
                    let (joined, condition) = self.unnest_scalars(below, condition);
                    below = joined;
                    rest.push(condition);
                }
            }
        }
        rest.extend(late);
        *rel = filtered(below, rest);
    }
}

/// The join that stands for a condition: its kind, right side and condition.
fn unnest_condition(left: &Rel, condition: &Expr) -> Option<(JoinKind, Rel, Option<Expr>)> {
    let (test, holds) = recognize(condition)?;
    let kind = if holds { JoinKind::Semi } else { JoinKind::Anti };
    let outer = visible_set(left);
    let (right, on) = match test {
        Test::Exists(query) => unnest_exists(query, &outer)?,
        Test::In(arg, equal, query) => {
            let (right, value, mut on) = unnest_in(arg, query, &outer)?;
            if kind == JoinKind::Anti && !(is_never_null(arg, left) && is_never_null(&value, &right)) {
                return None;
            }
            on.insert(0, equality(equal, arg.clone(), value));
            (right, on)
        }
    };
    let safe = rel_failure(&right) < Failure::Value && on.iter().all(|condition| failure(condition) < Failure::Value);
    safe.then(|| (kind, right, conjunction(on)))
}

/// A condition as a test, and whether the test is to hold or not to hold.
fn recognize(condition: &Expr) -> Option<(Test<'_>, bool)> {
    match &condition.kind {
        ExprKind::Not(arg) => recognize(arg).map(|(test, holds)| (test, !holds)),
        ExprKind::Exists(query) => Some((Test::Exists(query), true)),
        ExprKind::Quantified { arg, function, query, all } => {
            let comparison = comparison_of(function)?.comparison;
            match (comparison, all) {
                (Comparison::Equal, false) => Some((Test::In(arg, function, query), true)),
                (Comparison::NotEqual, true) => Some((Test::In(arg, opposite(function)?, query), false)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The `=` of a `<>`.
fn opposite(function: &Function) -> Option<&'static Function> {
    let operator = all_operators().find(|operator| operator.function.oid == function.oid)?;
    let same_sides = |other: &&nqdb_functions::Operator| other.left == operator.left && other.right == operator.right;
    all_operators().filter(same_sides).find(|other| other.name == "=").map(|other| other.function)
}

fn equality(equal: &'static Function, left: Expr, right: Expr) -> Expr {
    let nullable = left.nullable || right.nullable;
    let position = left.position;
    Expr { kind: ExprKind::Call { function: equal, args: vec![left, right] }, ty: Type::BOOL, nullable, position }
}

fn unnest_exists(query: &Query, outer: &Columns) -> Option<(Rel, Vec<Expr>)> {
    if query_is_volatile(query) || free_columns(query).is_disjoint(outer) {
        return None;
    }
    let mut on = Vec::new();
    let right = pull_correlated(existence(&query.rel)?.clone(), outer, &mut on);
    let correlated = !on.is_empty() && free_columns_of(&right).is_disjoint(outer);
    correlated.then_some((right, on))
}

/// The part of a query that decides whether it has rows.
pub(super) fn existence(rel: &Rel) -> Option<&Rel> {
    match rel {
        Rel::Extend { input, .. } | Rel::Sort { input, .. } | Rel::Distinct { input, .. } => existence(input),
        Rel::Limit { input, limit, offset: None, .. } => match limit.as_ref().map(|limit| &limit.kind) {
            Some(ExprKind::Literal(count)) if count.as_integer().is_some_and(|count| count > 0) => existence(input),
            _ => None,
        },
        Rel::Limit { .. } => None,
        rel => Some(rel),
    }
}

/// The right side of a join for IN, the value that it is compared with, and the conditions that were correlated.
fn unnest_in(arg: &Expr, query: &Query, outer: &Columns) -> Option<(Rel, Expr, Vec<Expr>)> {
    let movable = !is_volatile(arg) && !contains_subquery(arg) && !mentioned(arg).is_disjoint(outer);
    let [output] = query.output.as_slice() else { return None };
    if !movable || query_is_volatile(query) {
        return None;
    }
    let value = column(output.id, output.ty, true);
    if free_columns(query).is_disjoint(outer) {
        return Some((query.rel.clone(), value, Vec::new()));
    }
    let (rel, value) = inline_value(&query.rel, output)?;
    let mut on = Vec::new();
    let right = pull_correlated(rel.clone(), outer, &mut on);
    free_columns_of(&right).is_disjoint(outer).then_some((right, value, on))
}

/// The relation below what only orders, deduplicates or computes, and the value in terms of its columns.
pub(super) fn inline_value<'q>(rel: &'q Rel, output: &OutputColumn) -> Option<(&'q Rel, Expr)> {
    let mut value = column(output.id, output.ty, true);
    let mut rel = rel;
    loop {
        match rel {
            Rel::Extend { input, columns } => {
                if columns.iter().any(|(_, expr)| is_volatile(expr) || contains_subquery(expr)) {
                    return None;
                }
                replace_columns(&mut value, columns);
                rel = input;
            }
            Rel::Sort { input, .. } => rel = input,
            Rel::Distinct { input, on } if *on == [output.id] => rel = input,
            rel => return Some((rel, value)),
        }
    }
}

/// Takes the conditions out of a relation that mention outer columns, as far as they can be tested above it as well.
pub(super) fn pull_correlated(rel: Rel, outer: &Columns, out: &mut Vec<Expr>) -> Rel {
    match rel {
        Rel::Filter { input, predicate } => {
            let input = pull_correlated(*input, outer, out);
            let stay = take_correlated(Some(predicate), outer, out);
            filtered(input, stay)
        }
        Rel::Join { kind: kind @ (JoinKind::Inner | JoinKind::Cross), left, right, on } => {
            let left = Box::new(pull_correlated(*left, outer, out));
            let right = Box::new(pull_correlated(*right, outer, out));
            let on = conjunction(take_correlated(on, outer, out));
            let kind = if on.is_none() { JoinKind::Cross } else { kind };
            Rel::Join { kind, left, right, on }
        }
        Rel::Join { kind: kind @ (JoinKind::Left | JoinKind::Semi | JoinKind::Anti), left, right, on } => {
            let left = Box::new(pull_correlated(*left, outer, out));
            Rel::Join { kind, left, right, on }
        }
        rel => rel,
    }
}

fn take_correlated(predicate: Option<Expr>, outer: &Columns, out: &mut Vec<Expr>) -> Vec<Expr> {
    let (correlated, stay): (Vec<Expr>, Vec<Expr>) = conjuncts(predicate).into_iter().partition(|condition| {
        !mentioned(condition).is_disjoint(outer) && !contains_subquery(condition) && !is_volatile(condition)
    });
    out.extend(correlated);
    stay
}

/// Whether an expression mentions only some columns and what comes from outside of both sides.
pub(super) fn mentions_none_of(expr: &Expr, columns: &Columns) -> bool {
    mentioned(expr).is_disjoint(columns)
}
