//! Columns that nobody reads are not computed and not read.
//!
//! What is volatile stays computed. The columns of VALUES, of functions and of set operations stay too: their rows are
//! told apart by all of them.

use super::Rewriter;
use crate::ir::{ColumnId, Expr, ExprKind, Query, Rel, RowLocking, WithBody};
use crate::plan::mentions::{
    Columns, add_mentioned, expressions, expressions_mut, free_columns_of, inputs_mut, is_volatile, operands_mut,
    subquery_mut,
};

impl Rewriter {
    /// Leaves the columns that the query's output needs.
    pub(super) fn prune_query(&self, query: &mut Query) {
        let needed = query.output.iter().map(|column| column.id).collect();
        self.prune(&mut query.rel, needed);
    }

    fn prune(&self, rel: &mut Rel, mut needed: Columns) {
        match rel {
            Rel::Scan { columns, .. } => columns.retain(|(_, id)| needed.contains(id)),
            Rel::Extend { columns, .. } => columns.retain(|(id, expr)| needed.contains(id) || is_volatile(expr)),
            Rel::Aggregate { aggregates, .. } => {
                aggregates.retain(|(id, call)| needed.contains(id) || call.expressions().any(is_volatile))
            }
            _ => {}
        }
        needed.extend(bare_mentions(rel));
        for expr in expressions(rel) {
            add_mentioned(expr, &mut needed);
        }
        for expr in expressions_mut(rel) {
            self.prune_subqueries(expr);
        }
        match rel {
            Rel::Extend { input, columns } => {
                if columns.is_empty() {
                    let mut only = std::mem::replace(input.as_mut(), Rel::OneRow);
                    self.prune(&mut only, needed);
                    *rel = only;
                    return;
                }
                self.prune(input, needed);
            }
            rel => {
                for input in inputs_mut(rel) {
                    self.prune(input, needed.clone());
                }
            }
        }
    }

    pub(super) fn prune_subqueries(&self, expr: &mut Expr) {
        let exists = matches!(expr.kind, ExprKind::Exists(_));
        match subquery_mut(expr) {
            Some(query) if exists => {
                query.output.clear();
                self.prune(&mut query.rel, Columns::default());
            }
            Some(query) => self.prune_query(query),
            None => {}
        }
        for operand in operands_mut(expr) {
            self.prune_subqueries(operand);
        }
    }
}

/// The columns that one relation mentions outside of expressions: keys of sorts, set operations and the like.
fn bare_mentions(rel: &Rel) -> Vec<ColumnId> {
    match rel {
        Rel::LockRows { locks, .. } => {
            let columns = |lock: &RowLocking| lock.columns.iter().map(|(_, id)| *id).collect::<Vec<_>>();
            locks.iter().flat_map(|lock| columns(lock).into_iter().chain([lock.address])).collect()
        }
        Rel::Sort { keys, .. } => keys.iter().map(|key| key.column).collect(),
        Rel::Window { partition, order, .. } => partition.iter().chain(order).map(|key| key.column).collect(),
        Rel::Limit { ties, .. } => ties.iter().map(|key| key.column).collect(),
        Rel::Distinct { on, .. } => on.clone(),
        // A lateral side reads the other one.
        Rel::Join { right, .. } => free_columns_of(right).into_iter().collect(),
        Rel::With { queries, .. } => {
            let bodies = queries.iter().filter_map(|query| match &query.body {
                WithBody::Query(query) => Some(&query.output),
                WithBody::Change(_) => None,
            });
            bodies.flatten().map(|column| column.id).collect()
        }
        Rel::SetOperation { left, right, .. } | Rel::Recursion { seed: left, step: right, .. } => {
            left.output.iter().chain(&right.output).map(|column| column.id).collect()
        }
        _ => Vec::new(),
    }
}
