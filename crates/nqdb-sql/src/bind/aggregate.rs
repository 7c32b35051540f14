//! Aggregate calls: DISTINCT, ORDER BY, FILTER, WITHIN GROUP, and the query level that a call belongs to.
//!
//! A call belongs to the innermost level that its arguments and filter mention, or to the level at hand when they
//! mention none (SQL:2008, 10.9). There it becomes a column; between its own level and the place where it is written it
//! is an outer reference like any other.

use nqdb_functions::{Aggregate, equality, less};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, GROUPING_ERROR, INVALID_COLUMN_REFERENCE, SYNTAX_ERROR, SqlError, SqlResult,
    UNDEFINED_FUNCTION, WRONG_OBJECT_TYPE,
};
use nqdb_types::{Type, oid};
use sqlparser::ast;

use super::call::CallForm;
use super::coerce::common_of;
use super::operators::no_operator;
use super::same::same_expr;
use super::scope::Clause;
use super::{Binder, walk};
use crate::ir::{AggregateCall, AggregateKey, ColumnId, Expr, ExprKind, SortKey};

impl Binder<'_> {
    /// An aggregate whose arguments are bound: those in parentheses, then those of WITHIN GROUP.
    pub(super) fn bind_aggregate(
        &mut self,
        aggregate: &'static Aggregate,
        mut args: Vec<Expr>,
        ty: Type,
        form: CallForm<'_>,
    ) -> SqlResult<Expr> {
        let position = form.position;
        let (order, direct) = if aggregate.ordered_set.is_some() {
            let ordered = args.split_off(args.len() - form.within_group.len());
            (self.keys_over(ordered, form.within_group)?, std::mem::take(&mut args))
        } else {
            check_star(aggregate, &args, &form)?;
            if form.distinct && form.star {
                return Err(self.syntax_error_in_call(position, "*"));
            }
            let order = self.bind_aggregate_order(form.order_by, form.distinct)?;
            (if form.distinct { distinct_order(order, &args)? } else { order }, Vec::new())
        };
        let filter = match form.filter {
            None => None,
            Some(filter) => Some(self.in_clause(Clause::Filter, |binder| binder.bind_boolean(filter, "FILTER"))?),
        };
        let call = AggregateCall { aggregate, args, distinct: form.distinct, order, direct, filter, ty };
        if let Some(position) = call.expressions().find_map(|part| self.window_function_in(part)) {
            let message = "aggregate function calls cannot contain window function calls";
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        }
        let level = self.aggregate_level(&call)?;
        if let Some(message) = self.scopes.get(level).and_then(|scope| scope.clause.refuses_aggregates()) {
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        }
        let known = self
            .scopes
            .get(level)
            .and_then(|scope| scope.aggregates.iter().find(|(_, other)| same_call(other, &call)).map(|(id, _)| *id));
        if let Some(id) = known {
            return Ok(self.column_expr(id, position));
        }
        let id = self.new_column(ty, aggregate.name != "count", None);
        self.columns[id.0 as usize].level = level;
        if let Some(scope) = self.scopes.get_mut(level) {
            scope.aggregates.push((id, call));
        }
        Ok(self.column_expr(id, position))
    }

    /// Checks that an ordered-set aggregate is called as one, and brings the rows that a hypothetical-set aggregate
    /// compares to common types.
    pub(super) fn check_ordered_set(
        &mut self,
        aggregate: &'static Aggregate,
        args: &mut [Expr],
        form: &CallForm<'_>,
    ) -> SqlResult<()> {
        let name = aggregate.name;
        let wrong = |message: String| Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(form.position));
        let ordered = form.within_group.len();
        let Some(kind) = aggregate.ordered_set else {
            if ordered > 0 {
                return wrong(format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"));
            }
            return Ok(());
        };
        if ordered == 0 {
            return wrong(format!("WITHIN GROUP is required for ordered-set aggregate {name}"));
        }
        if form.over.is_some() {
            let message = format!("OVER is not supported for ordered-set aggregate {name}");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(form.position));
        }
        let direct = args.len() - ordered;
        let hint = if kind.is_hypothetical() {
            (direct != ordered).then(|| {
                format!(
                    "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {direct}) must match the number of ordering columns (here {ordered})."
                )
            })
        } else {
            let wanted = aggregate.args.len() - 1;
            let noun = if wanted == 1 { "argument" } else { "arguments" };
            (direct != wanted).then(|| {
                format!(
                    "There is an ordered-set aggregate {name}, but it requires {wanted} direct {noun}, not {direct}."
                )
            })
        };
        if let Some(hint) = hint {
            let types: Vec<String> = args.iter().map(|arg| self.cx.format.type_name(arg.ty.bare())).collect();
            let message = format!("function {name}({}) does not exist", types.join(", "));
            return Err(SqlError::new(UNDEFINED_FUNCTION, message).with_hint(hint).or_position(form.position));
        }
        if kind.is_hypothetical() {
            let (hypothetical, sorted) = args.split_at_mut(direct);
            for (value, column) in hypothetical.iter_mut().zip(sorted) {
                let target = common_of(&[column.clone(), value.clone()], "WITHIN GROUP", self.cx.format)?;
                *value = self.coerce_to_common(value.clone(), target, "WITHIN GROUP")?;
                *column = self.coerce_to_common(column.clone(), target, "WITHIN GROUP")?;
            }
        }
        Ok(())
    }

    /// ORDER BY among the arguments: expressions over the rows, never positions or names of the select list. With DISTINCT
    /// a constant of unknown type is no key: it gets a type too late to be one of the arguments.
    fn bind_aggregate_order(&mut self, order_by: &[ast::OrderByExpr], distinct: bool) -> SqlResult<Vec<AggregateKey>> {
        let mut exprs = Vec::with_capacity(order_by.len());
        for item in order_by {
            let bound = self.in_clause(Clause::OrderBy, |binder| binder.bind_expr(&item.expr))?;
            if distinct && bound.ty.oid == oid::UNKNOWN {
                return Err(key_is_no_argument(bound.position));
            }
            exprs.push(self.resolve_unknown(bound)?);
        }
        self.keys_over(exprs, order_by)
    }

    fn keys_over(&self, exprs: Vec<Expr>, order_by: &[ast::OrderByExpr]) -> SqlResult<Vec<AggregateKey>> {
        let keys = exprs.into_iter().zip(order_by).map(|(expr, item)| {
            if item.with_fill.is_some() {
                return Err(SqlError::unsupported("WITH FILL"));
            }
            // There is no column; of the key only the direction counts.
            let SortKey { descending, nulls_first, .. } =
                self.sort_key(ColumnId(0), expr.ty, &item.options, expr.position)?;
            Ok(AggregateKey { expr, descending, nulls_first })
        });
        keys.collect()
    }

    /// The level of a call. Fails with 42803 when it would hold another aggregate of that level.
    fn aggregate_level(&self, call: &AggregateCall) -> SqlResult<usize> {
        let here = self.scopes.len().saturating_sub(1);
        let order = call.order.iter().map(|key| &key.expr);
        let aggregated = || call.args.iter().chain(order.clone()).chain(&call.filter);
        let variable = self.innermost_column(aggregated(), false).map(|(level, _)| level);
        let nested = self.innermost_column(aggregated(), true);
        let level = variable.max(nested.map(|(level, _)| level)).unwrap_or(here);
        if let Some((nested_level, position)) = nested
            && nested_level == level
        {
            return Err(nested_aggregate(position));
        }
        if let Some((direct_level, position)) = self.innermost_column(call.direct.iter(), true)
            && direct_level >= level
        {
            return Err(nested_aggregate(position));
        }
        if let Some((direct_level, position)) = self.innermost_column(call.direct.iter(), false)
            && direct_level > level
        {
            let message = "outer-level aggregate cannot contain a lower-level variable in its direct arguments";
            return Err(SqlError::new(GROUPING_ERROR, message).or_position(position));
        }
        Ok(level)
    }

    /// The innermost level of the aggregates, or of the other columns, in some expressions, and where the first column
    /// of that level stands.
    pub(super) fn innermost_column<'e>(
        &self,
        exprs: impl Iterator<Item = &'e Expr>,
        aggregates: bool,
    ) -> Option<(usize, Option<u32>)> {
        let here = self.scopes.len().saturating_sub(1);
        let mut found: Option<(usize, Option<u32>)> = None;
        for expr in exprs {
            walk::any(expr, &mut |part| {
                if let ExprKind::Column(id) = part.kind {
                    let level = self.info(id).level;
                    if level <= here
                        && self.is_aggregate_column(id, level) == aggregates
                        && found.is_none_or(|(innermost, _)| level > innermost)
                    {
                        found = Some((level, part.position));
                    }
                }
                false
            });
        }
        found
    }

    fn is_aggregate_column(&self, id: ColumnId, level: usize) -> bool {
        self.scopes.get(level).is_some_and(|scope| {
            scope.aggregates.iter().any(|(aggregate, _)| *aggregate == id)
                || scope.groupings.iter().any(|grouping| grouping.column == id)
        })
    }
}

/// With DISTINCT the keys must be among the arguments; then these are sorted by, and the others after them.
fn distinct_order(order: Vec<AggregateKey>, args: &[Expr]) -> SqlResult<Vec<AggregateKey>> {
    if args.is_empty() {
        let message = "an aggregate with DISTINCT must have at least one argument";
        return Err(SqlError::new(SYNTAX_ERROR, message));
    }
    for arg in args {
        if equality(arg.ty.oid).is_none() {
            return Err(no_operator("equality", arg.ty.oid, arg.position));
        }
        if less(arg.ty.oid).is_none() {
            return Err(no_operator("ordering", arg.ty.oid, arg.position)
                .with_detail("Aggregates with DISTINCT must be able to sort their inputs."));
        }
    }
    let is_argument = |key: &AggregateKey| {
        args.iter().any(|arg| match &arg.kind {
            _ if same_expr(arg, &key.expr) => true,
            ExprKind::Relabel(inner) => same_expr(inner, &key.expr),
            _ => false,
        })
    };
    match order.iter().find(|key| !is_argument(key)) {
        None => Ok(order),
        Some(key) => Err(key_is_no_argument(key.expr.position)),
    }
}

fn key_is_no_argument(position: Option<u32>) -> SqlError {
    let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
    SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position)
}

/// `count(*)` is for aggregates without arguments, and these are called in no other way.
pub(super) fn check_star(aggregate: &Aggregate, args: &[Expr], form: &CallForm<'_>) -> SqlResult<()> {
    if form.star && (!aggregate.takes_star || !args.is_empty()) {
        let message = format!("function {}(*) does not exist", aggregate.name);
        return Err(SqlError::new(UNDEFINED_FUNCTION, message).or_position(form.position));
    }
    if args.is_empty() && !form.star {
        let message = format!("{}(*) must be used to call a parameterless aggregate function", aggregate.name);
        return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(form.position));
    }
    Ok(())
}

/// Whether the name is an aggregate's and nothing else.
pub(super) fn is_aggregate_name(name: &str) -> bool {
    !nqdb_functions::aggregates_named(name).is_empty() && nqdb_functions::functions_named(name).is_empty()
}

fn nested_aggregate(position: Option<u32>) -> SqlError {
    SqlError::new(GROUPING_ERROR, "aggregate function calls cannot be nested").or_position(position)
}

fn same_call(a: &AggregateCall, b: &AggregateCall) -> bool {
    let directions = |call: &AggregateCall| -> Vec<(bool, bool)> {
        call.order.iter().map(|key| (key.descending, key.nulls_first)).collect()
    };
    let lengths = |call: &AggregateCall| (call.args.len(), call.order.len(), call.direct.len(), call.filter.is_some());
    a.aggregate == b.aggregate
        && a.distinct == b.distinct
        && lengths(a) == lengths(b)
        && directions(a) == directions(b)
        && a.expressions().zip(b.expressions()).all(|(a, b)| same_expr(a, b))
}
