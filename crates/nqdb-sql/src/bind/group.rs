//! GROUP BY and aggregates: which columns may stand above a grouping, and what they become there.
//!
//! Above the grouping an expression may use its keys, its aggregates, and columns that the keys decide: all columns of
//! a table whose primary key is among the keys (manual 7.2.3). The latter become keys themselves, which changes nothing.

use nqdb_sqlstate::{GROUPING_ERROR, SqlError, SqlResult, WINDOWING_ERROR};
use nqdb_types::oid;
use sqlparser::ast;

use super::order::without_parentheses;
use super::same::same_expr;
use super::scope::{Clause, find_column};
use super::select::Target;
use super::{Binder, walk};
use crate::ir::{ColumnId, Expr, ExprKind, Rel};
use crate::names::name_of;

/// A key of the grouping: the column it becomes, and what it is computed from.
pub(super) type Key = (ColumnId, Expr);

impl Binder<'_> {
    /// A key: a column of FROM, an output name, a position, or an expression.
    pub(super) fn bind_group_key(&mut self, expression: &ast::Expr, targets: &mut [Target]) -> SqlResult<Expr> {
        // Unlike in ORDER BY, a column of FROM comes before an output column of that name.
        let shadowed = match without_parentheses(expression) {
            ast::Expr::Identifier(name) => {
                let innermost = self.scopes.len().saturating_sub(1);
                let scopes = self.scopes.get(innermost..).unwrap_or(&[]);
                find_column(scopes, &name_of(name), None)?.is_some()
            }
            _ => false,
        };
        let reference = if shadowed { None } else { self.target_reference(expression, targets, "GROUP BY")? };
        match reference.and_then(|at| targets.get_mut(at)) {
            Some(target) => {
                if target.expr.ty.oid == oid::UNKNOWN {
                    target.expr = self.resolve_unknown(target.expr.clone())?;
                }
                let expr = target.expr.clone();
                let is_aggregate = walk::any(&expr, &mut |part| match part.kind {
                    ExprKind::Column(id) => {
                        self.scopes.iter().any(|scope| scope.aggregates.iter().any(|(aggregate, _)| *aggregate == id))
                    }
                    _ => false,
                });
                if self.window_function_in(&expr).is_some() {
                    let message = "window functions are not allowed in GROUP BY";
                    return Err(SqlError::new(WINDOWING_ERROR, message).or_position(expr.position));
                }
                if is_aggregate {
                    let message = "aggregate functions are not allowed in GROUP BY";
                    return Err(SqlError::new(GROUPING_ERROR, message).or_position(expr.position));
                }
                Ok(expr)
            }
            None => {
                let bound = self.in_clause(Clause::GroupBy, |binder| binder.bind_expr(expression))?;
                self.resolve_unknown(bound)
            }
        }
    }

    pub(super) fn key_column(&mut self, expr: &Expr) -> ColumnId {
        let origin = match expr.kind {
            ExprKind::Column(id) => self.info(id).origin,
            _ => None,
        };
        self.new_column(expr.ty, expr.nullable, origin)
    }

    /// Puts the grouping above `rel` and makes the expressions above it use its columns: those of the select list,
    /// HAVING, and `others`.
    pub(super) fn apply_grouping<'e>(
        &mut self,
        rel: Rel,
        mut keys: Vec<Key>,
        targets: &mut [Target],
        having: &mut Option<Expr>,
        others: impl Iterator<Item = &'e mut Expr>,
    ) -> SqlResult<Rel> {
        for target in targets.iter_mut() {
            self.regroup(&mut target.expr, &mut keys, false)?;
        }
        if let Some(having) = having {
            self.regroup(having, &mut keys, false)?;
        }
        self.regroup_set_calls(&mut keys)?;
        for expr in others {
            self.regroup(expr, &mut keys, false)?;
        }
        let mut aggregates = self.scope().aggregates.clone();
        for direct in aggregates.iter_mut().flat_map(|(_, call)| &mut call.direct) {
            self.regroup(direct, &mut keys, false).map_err(|error| {
                error.with_detail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
            })?;
        }
        let sets = self.take_grouping_sets(&keys)?;
        if keys.is_empty() && aggregates.is_empty() && sets.is_none() {
            // One group of which nothing is asked: FROM and WHERE do not matter, and PostgreSQL does not run them.
            return Ok(Rel::OneRow);
        }
        Ok(Rel::Aggregate { input: Box::new(rel), keys, sets, aggregates })
    }

    /// Replaces what the keys compute; refuses other columns of this level: 42803.
    pub(super) fn regroup(&mut self, expr: &mut Expr, keys: &mut Vec<Key>, in_subquery: bool) -> SqlResult<()> {
        if let Some((id, _)) = keys.iter().find(|(_, key)| same_expr(key, expr)) {
            let id = *id;
            *expr = self.column_expr(id, expr.position);
            return Ok(());
        }
        if let ExprKind::Column(id) = expr.kind {
            let replacement = self.regroup_column(id, keys, expr.position, in_subquery)?;
            if replacement != id {
                *expr = self.column_expr(replacement, expr.position);
            }
            return Ok(());
        }
        let (inner, queries) = walk::parts_mut(expr);
        for part in inner {
            self.regroup(part, keys, in_subquery)?;
        }
        for query in queries {
            let mut parts = Vec::new();
            walk::expressions_of_mut(&mut query.rel, &mut parts);
            for part in parts {
                self.regroup(part, keys, true)?;
            }
        }
        Ok(())
    }

    /// What a column of this level is above the grouping.
    fn regroup_column(
        &mut self,
        id: ColumnId,
        keys: &mut Vec<Key>,
        position: Option<u32>,
        in_subquery: bool,
    ) -> SqlResult<ColumnId> {
        let here = self.scopes.len().saturating_sub(1);
        let scope = self.scope();
        let computed_here = scope.aggregates.iter().any(|(aggregate, _)| *aggregate == id)
            || scope.set_calls.iter().any(|call| call.gives(id))
            || keys.iter().any(|(key, _)| *key == id);
        let of_from = scope.columns.iter().any(|column| column.id == id)
            || scope.tables.iter().any(|table| table.columns.iter().any(|column| column.id == id));
        if computed_here || self.info(id).level != here || !of_from {
            return Ok(id);
        }
        if self.is_decided_by(id, keys) {
            let source = self.column_expr(id, position);
            let key = self.key_column(&source);
            for set in self.scope().grouping_sets.iter_mut().flatten() {
                set.push(keys.len());
            }
            keys.push((key, source));
            return Ok(key);
        }
        let name = self.qualified_name_of(id);
        let message = if in_subquery {
            format!("subquery uses ungrouped column \"{name}\" from outer query")
        } else {
            format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function")
        };
        Err(SqlError::new(GROUPING_ERROR, message).or_position(position))
    }

    /// Whether the keys, those of all grouping sets, hold the primary key of the column's table.
    fn is_decided_by(&mut self, id: ColumnId, keys: &[Key]) -> bool {
        let scope = self.scope();
        let is_in_all_sets = |at: usize| scope.grouping_sets.iter().flatten().all(|set| set.contains(&at));
        let Some(table) = scope.tables.iter().find(|table| table.columns.iter().any(|column| column.id == id)) else {
            return false;
        };
        let Some(stored) = &table.table else { return false };
        let Some(primary) = stored.primary_key().filter(|key| !key.deferral.is_deferrable()) else { return false };
        let live: Vec<usize> = stored.live_columns().map(|(position, _)| position).collect();
        primary.key.iter().all(|part| {
            let at = live.iter().position(|position| *position == part.column);
            let column = at.and_then(|at| table.columns.get(at));
            column.is_some_and(|column| {
                keys.iter().enumerate().any(|(at, (_, key))| {
                    matches!(key.kind, ExprKind::Column(key) if key == column.id) && is_in_all_sets(at)
                })
            })
        })
    }

    /// `table.column`, for messages.
    fn qualified_name_of(&mut self, id: ColumnId) -> String {
        let scope = self.scope();
        for table in &scope.tables {
            if let Some(column) = table.columns.iter().find(|column| column.id == id) {
                return format!("{}.{}", table.name, column.name);
            }
        }
        scope.columns.iter().find(|column| column.id == id).map_or_else(String::new, |column| column.name.clone())
    }
}
