//! One SELECT: its clauses in the order in which PostgreSQL analyses them, and the relation that they make.
//!
//! ```text
//! Limit( Distinct( Sort( Extend( set-returning call( Window( Filter having( Aggregate( Filter where( FROM )))))))))
//! ```
//!
//! Plain DISTINCT comes before the sort instead: it keeps fewer rows, and its ORDER BY may only name what it returns.

use nqdb_functions::equality;
use nqdb_sqlstate::{INVALID_COLUMN_REFERENCE, INVALID_RECURSION, SYNTAX_ERROR, SqlError, SqlResult, TOO_MANY_COLUMNS};
use nqdb_types::{Type, oid};
use sqlparser::ast::{self, SelectItem};

use super::operators::no_operator;
use super::order::without_parentheses;
use super::output_name::output_name;
use super::query::Tail;
use super::record::expanded_record;
use super::same::same_expr;
use super::scope::{Clause, Scope, find_table, missing_from};
use super::window::{BoundWindow, PendingCall};
use super::written::{NotedSelect, WrittenDistinct};
use super::{Binder, span_position};
use crate::ir::{ColumnId, Expr, ExprKind, OutputColumn, Query, Rel, SortKey};
use crate::names::{name_of, needs_as};
use crate::parse::{NOTHING, Tokens};

/// Columns of a result (PostgreSQL's MaxTupleAttributeNumber).
const TARGETS_MAX: usize = 1664;

/// An expression that the select list or ORDER BY computes.
pub(super) struct Target {
    pub(super) expr: Expr,
    /// None for what only ORDER BY or DISTINCT ON needs.
    pub(super) name: Option<String>,
}

/// DISTINCT, with the targets of DISTINCT ON.
enum Distinct {
    No,
    All,
    On(Vec<usize>),
}

impl Binder<'_> {
    /// Binds a SELECT with its ORDER BY and LIMIT in a scope of its own.
    pub(super) fn bind_select(&mut self, select: &ast::Select, tail: &Tail<'_>, resolve: bool) -> SqlResult<Query> {
        self.in_scope(Scope::new(Clause::From), |binder| binder.bind_select_parts(select, tail, resolve))
    }

    fn bind_select_parts(&mut self, select: &ast::Select, tail: &Tail<'_>, resolve: bool) -> SqlResult<Query> {
        let ast::Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        if into.is_some() {
            return Err(super::into_not_allowed());
        }
        if select_modifiers.as_ref().is_some_and(ast::SelectModifiers::is_any_set)
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || *flavor != ast::SelectFlavor::Standard
        {
            return Err(SqlError::unsupported("this clause of SELECT"));
        }
        let items_before = self.noted_item_count();
        self.declare_locks(tail.locks)?;
        let is_locking = usize::from(!tail.locks.is_empty());
        self.locking_levels += is_locking;
        let mut rel = self.bind_from(from)?;
        self.locking_levels -= is_locking;
        self.declare_windows(named_window)?;
        let mut targets = self.in_clause(Clause::Select, |binder| binder.bind_projection(projection))?;
        let mut filter = None;
        if let Some(selection) = selection {
            let predicate = self.in_clause(Clause::Where, |binder| binder.bind_boolean(selection, "WHERE"))?;
            filter = self.notes.is_some().then(|| predicate.clone());
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        let mut having = match having {
            Some(having) => Some(self.in_clause(Clause::Having, |binder| binder.bind_boolean(having, "HAVING"))?),
            None => None,
        };
        let order = self.bind_order(tail.order_by, &mut targets)?;
        let keys = self.bind_group_by(group_by, &mut targets)?;
        let distinct = self.bind_distinct(distinct.as_ref(), &mut targets, &order)?;
        let mut windows = self.bind_windows()?;
        let mut window_calls = std::mem::take(&mut self.scope().window_calls);
        if resolve {
            self.resolve_targets(&mut targets)?;
        }
        if self.scope().reads_recursion && !self.scope().aggregates.is_empty() {
            let message = "aggregate functions are not allowed in a recursive query's recursive term";
            return Err(SqlError::new(INVALID_RECURSION, message));
        }
        if self.notes.is_some() {
            let (written, calls) = self.written_windows(&windows, &window_calls);
            let target = |at: &usize| targets.get(*at).map(|target| target.expr.clone());
            self.note_select(NotedSelect {
                items_before,
                targets: &targets,
                filter,
                keys: &keys,
                having: having.clone(),
                order: &order,
                distinct: match &distinct {
                    Distinct::No => WrittenDistinct::No,
                    Distinct::All => WrittenDistinct::All,
                    Distinct::On(on) => WrittenDistinct::On(on.iter().filter_map(target).collect()),
                },
                windows: written,
                window_calls: calls,
                has_locks: !tail.locks.is_empty(),
            })?;
        }
        let locked = self.bind_locks(select, &rel, !window_calls.is_empty())?;
        let grouped = !keys.is_empty()
            || having.is_some()
            || !self.scope().aggregates.is_empty()
            || !self.scope().groupings.is_empty()
            || has_group_by(group_by);
        if grouped {
            rel = self.project_grouped_sets(rel, &keys);
            let in_windows = windows.iter_mut().flat_map(BoundWindow::expressions_mut);
            let in_calls = window_calls.iter_mut().flat_map(PendingCall::expressions_mut);
            rel = self.apply_grouping(rel, keys, &mut targets, &mut having, in_windows.chain(in_calls))?;
        }
        if let Some(predicate) = having {
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        if !window_calls.is_empty() {
            let sorted = sorted_expressions(&targets, &order, &rel, &distinct);
            rel = self.apply_windows(rel, windows, window_calls, sorted)?;
        }
        rel = self.project_sets(rel);
        let mut query = self.project(rel, targets, order, distinct)?;
        self.prune(&mut query.rel);
        self.apply_locks(&mut query, locked)?;
        self.in_clause(Clause::Limit, |binder| binder.apply_limit(&mut query, tail))?;
        self.note_select_limit(&query);
        Ok(query)
    }

    /// The select list, with `*` spelled out.
    pub(super) fn bind_projection(&mut self, projection: &[SelectItem]) -> SqlResult<Vec<Target>> {
        let mut targets = Vec::with_capacity(projection.len());
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(ast::Expr::Identifier(name)) if name.value == NOTHING => {}
                SelectItem::UnnamedExpr(expression) if expanded_record(expression).is_some() => {
                    let Some(record) = expanded_record(expression) else { continue };
                    let record = self.bind_expr(record)?;
                    let fields = self.fields_of(&record)?;
                    targets.extend(fields.into_iter().map(|(name, expr)| Target { expr, name: Some(name) }));
                }
                SelectItem::UnnamedExpr(expression) => {
                    let name = Some(output_name(expression));
                    targets.push(Target { expr: self.bind_expr(expression)?, name });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    if alias.quote_style == Some('\'') {
                        let before = crate::parse::start_of(&self.tokens, expr);
                        let position = before.and_then(|before| self.tokens.position(before + 1));
                        return Err(self.syntax_error_at(position, &format!("'{}'", alias.value)));
                    }
                    self.check_bare_label(alias)?;
                    targets.push(Target { expr: self.bind_expr(expr)?, name: Some(name_of(alias)) });
                }
                SelectItem::ExprWithAliases { .. } => {
                    return Err(SqlError::unsupported("several aliases for one expression"));
                }
                SelectItem::Wildcard(options) => {
                    let position = check_wildcard(options)?;
                    let columns = self.scope().columns.clone();
                    if self.scope().tables.is_empty() {
                        let message = "SELECT * with no tables specified is not valid";
                        return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
                    }
                    let shown = columns.into_iter().filter(|column| !self.not_in_star.contains(&column.id));
                    for column in shown.collect::<Vec<_>>() {
                        let expr = self.column_expr(column.id, position);
                        targets.push(Target { expr, name: Some(column.name) });
                    }
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    check_wildcard(options)?;
                    self.expand_table(kind, &mut targets)?;
                }
            }
        }
        if targets.len() > TARGETS_MAX {
            let message = format!("target lists can have at most {TARGETS_MAX} entries");
            return Err(SqlError::new(TOO_MANY_COLUMNS, message));
        }
        Ok(targets)
    }

    /// Refuses a label without AS that PostgreSQL's grammar would take for something else.
    fn check_bare_label(&self, alias: &ast::Ident) -> SqlResult<()> {
        let follows_as = Tokens::index_of(alias.span)
            .and_then(|at| at.checked_sub(1))
            .is_none_or(|before| self.tokens.is(before, "as"));
        if alias.quote_style.is_none() && !follows_as && needs_as(&alias.value) {
            return Err(self.syntax_error_at(span_position(alias.span), &alias.value));
        }
        Ok(())
    }

    /// `table.*`.
    fn expand_table(
        &mut self,
        kind: &ast::SelectItemQualifiedWildcardKind,
        targets: &mut Vec<Target>,
    ) -> SqlResult<()> {
        let ast::SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
            return Err(SqlError::unsupported("the fields of a composite value"));
        };
        let mut parts = Vec::new();
        let mut position = None;
        for part in &name.0 {
            let ast::ObjectNamePart::Identifier(identifier) = part else {
                return Err(SqlError::unsupported("a computed name"));
            };
            position = position.or(span_position(identifier.span));
            parts.push(name_of(identifier));
        }
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some(schema.as_str()), table),
            _ => return Err(SqlError::unsupported("a reference to another database").or_position(position)),
        };
        let Some(found) = find_table(&self.scopes, schema, table, position)? else {
            return Err(missing_from(&self.scopes, table, position));
        };
        let shown = found.columns.iter().filter(|column| !self.not_in_star.contains(&column.id)).cloned();
        for column in shown.collect::<Vec<_>>() {
            let expr = self.column_expr(column.id, position);
            targets.push(Target { expr, name: Some(column.name) });
        }
        Ok(())
    }

    /// ORDER BY: an output name, a position, or an expression over FROM; gives the target of each key.
    fn bind_order<'q>(
        &mut self,
        order_by: &'q [ast::OrderByExpr],
        targets: &mut Vec<Target>,
    ) -> SqlResult<Vec<(usize, &'q ast::OrderByExpr)>> {
        let mut order = Vec::with_capacity(order_by.len());
        for item in order_by {
            let ast::OrderByExpr { expr, options: _, with_fill } = item;
            if with_fill.is_some() {
                return Err(SqlError::unsupported("WITH FILL"));
            }
            let at = match self.target_reference(expr, targets, "ORDER BY")? {
                Some(at) => at,
                None => {
                    let bound = self.in_clause(Clause::OrderBy, |binder| binder.bind_expr(expr))?;
                    find_or_add(targets, bound)
                }
            };
            order.push((at, item));
        }
        Ok(order)
    }

    /// As [`Binder::output_reference`] over the select list; equal expressions of one name are no ambiguity.
    pub(super) fn target_reference(
        &self,
        expression: &ast::Expr,
        targets: &[Target],
        clause: &str,
    ) -> SqlResult<Option<usize>> {
        let visible = targets.iter().take_while(|target| target.name.is_some());
        let names: Vec<&str> = visible.filter_map(|target| target.name.as_deref()).collect();
        if let ast::Expr::Identifier(name) = without_parentheses(expression) {
            let wanted = name_of(name);
            let matching: Vec<usize> =
                names.iter().enumerate().filter(|(_, name)| **name == wanted).map(|(at, _)| at).collect();
            if let [first, rest @ ..] = matching.as_slice()
                && rest.iter().all(|at| match (targets.get(*first), targets.get(*at)) {
                    (Some(a), Some(b)) => same_expr(&a.expr, &b.expr),
                    _ => false,
                })
            {
                return Ok(Some(*first));
            }
        }
        self.output_reference(expression, &names, clause)
    }

    fn bind_distinct(
        &mut self,
        distinct: Option<&ast::Distinct>,
        targets: &mut Vec<Target>,
        order: &[(usize, &ast::OrderByExpr)],
    ) -> SqlResult<Distinct> {
        let visible = targets.iter().take_while(|target| target.name.is_some()).count();
        match distinct {
            None | Some(ast::Distinct::All) => Ok(Distinct::No),
            Some(ast::Distinct::Distinct) => {
                for (at, item) in order {
                    if *at >= visible {
                        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                        let position = self.position_of(&item.expr);
                        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position));
                    }
                }
                for target in targets.iter() {
                    check_equality(&target.expr)?;
                }
                Ok(Distinct::All)
            }
            Some(ast::Distinct::On(expressions)) => {
                let mut on = Vec::with_capacity(expressions.len());
                for expression in expressions {
                    let at = match self.target_reference(expression, targets, "DISTINCT ON")? {
                        Some(at) => at,
                        None => {
                            let bound = self.in_clause(Clause::DistinctOn, |binder| binder.bind_expr(expression))?;
                            find_or_add(targets, bound)
                        }
                    };
                    if let Some(target) = targets.get(at) {
                        check_equality(&target.expr)?;
                    }
                    if !on.contains(&at) {
                        on.push(at);
                    }
                }
                // The keys of ORDER BY must begin with those of DISTINCT ON, in any order.
                let mut outside = false;
                for (at, item) in order {
                    if on.contains(at) && outside || !on.contains(at) && !covers(order, &on, item) {
                        let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
                        let missing =
                            expressions.iter().zip(&on).find(|(_, at)| !order.iter().any(|(key, _)| key == *at));
                        let position = self.position_of(missing.map_or(&item.expr, |(expression, _)| expression));
                        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position));
                    }
                    outside |= !on.contains(at);
                }
                Ok(Distinct::On(on))
            }
        }
    }

    fn resolve_targets(&mut self, targets: &mut [Target]) -> SqlResult<()> {
        for target in targets {
            if target.expr.ty.oid == oid::UNKNOWN {
                let placeholder = super::literal::literal(nqdb_types::Datum::Null, Type::UNKNOWN, None);
                let expr = std::mem::replace(&mut target.expr, placeholder);
                target.expr = self.resolve_unknown(expr)?;
            }
        }
        Ok(())
    }

    /// Computes the targets, then DISTINCT and ORDER BY over them.
    fn project(
        &mut self,
        mut rel: Rel,
        targets: Vec<Target>,
        order: Vec<(usize, &ast::OrderByExpr)>,
        distinct: Distinct,
    ) -> SqlResult<Query> {
        let here = self.scopes.len().saturating_sub(1);
        let mut ids: Vec<ColumnId> = Vec::with_capacity(targets.len());
        let mut types: Vec<Type> = Vec::with_capacity(targets.len());
        let mut computed = Vec::new();
        let mut output = Vec::new();
        for Target { mut expr, name } in targets {
            if name.is_none() {
                expr = self.resolve_unknown(expr)?;
            }
            let ty = expr.ty;
            let id = match expr.kind {
                ExprKind::Column(id) if self.info(id).level == here => id,
                _ => {
                    let id = self.new_column(ty, expr.nullable, None);
                    computed.push((id, expr));
                    id
                }
            };
            if let Some(name) = name {
                let origin = self.info(id).origin;
                output.push(OutputColumn { id, name, ty, origin });
            }
            ids.push(id);
            types.push(ty);
        }
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        let mut keys: Vec<SortKey> = Vec::with_capacity(order.len());
        for (at, item) in order {
            let (Some(id), Some(ty)) = (ids.get(at), types.get(at)) else { continue };
            let ty = if ty.oid == oid::UNKNOWN { Type::TEXT } else { *ty };
            keys.push(self.sort_key(*id, ty, &item.options, self.position_of(&item.expr))?);
        }
        let sort = |rel: Rel| if keys.is_empty() { rel } else { Rel::Sort { input: Box::new(rel), keys } };
        rel = match distinct {
            Distinct::No => sort(rel),
            Distinct::All => {
                let on = unique(output.iter().map(|column| column.id));
                sort(Rel::Distinct { input: Box::new(rel), on })
            }
            Distinct::On(on) => {
                let on = unique(on.iter().filter_map(|at| ids.get(*at).copied()));
                Rel::Distinct { input: Box::new(sort(rel)), on }
            }
        };
        Ok(Query { rel, output })
    }

    /// Leaves only the columns that something reads in the scans of this level.
    pub(super) fn prune(&self, rel: &mut Rel) {
        match rel {
            Rel::Scan { columns, .. } | Rel::SystemScan { columns, .. } => {
                columns.retain(|(_, id)| self.columns.get(id.0 as usize).is_none_or(|info| info.used));
            }
            Rel::OneRow | Rel::Values { .. } | Rel::FunctionScan { .. } => {}
            Rel::Join { left, right, .. } => {
                self.prune(left);
                self.prune(right);
            }
            Rel::Filter { input, .. }
            | Rel::ProjectSet { input, .. }
            | Rel::LockRows { input, .. }
            | Rel::Extend { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Window { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::Limit { input, .. } => self.prune(input),
            // What is a query of its own was pruned when it was finished.
            Rel::SetOperation { .. }
            | Rel::Recursion { .. }
            | Rel::With { .. }
            | Rel::WithScan { .. }
            | Rel::WorkTable { .. } => {}
        }
    }
}

/// What ORDER BY, GROUP BY and DISTINCT name, in this order.
fn sorted_expressions(
    targets: &[Target],
    order: &[(usize, &ast::OrderByExpr)],
    rel: &Rel,
    distinct: &Distinct,
) -> Vec<Expr> {
    let target = |at: &usize| targets.get(*at).map(|target| target.expr.clone());
    let mut sorted: Vec<Expr> = order.iter().filter_map(|(at, _)| target(at)).collect();
    let grouping = match rel {
        Rel::Filter { input, .. } => input,
        rel => rel,
    };
    if let Rel::Aggregate { keys, .. } = grouping {
        let key = |(id, expr): &(ColumnId, Expr)| Expr { kind: ExprKind::Column(*id), ..expr.clone() };
        sorted.extend(keys.iter().map(key));
    }
    match distinct {
        Distinct::No => {}
        Distinct::All => sorted.extend(targets.iter().map(|target| target.expr.clone())),
        Distinct::On(on) => sorted.extend(on.iter().filter_map(target)),
    }
    sorted
}

/// Whether the ORDER BY keys in front of `item` cover all of DISTINCT ON.
fn covers(order: &[(usize, &ast::OrderByExpr)], on: &[usize], item: &ast::OrderByExpr) -> bool {
    let before: Vec<usize> =
        order.iter().take_while(|(_, other)| !std::ptr::eq(*other, item)).map(|(at, _)| *at).collect();
    on.iter().all(|at| before.contains(at))
}

fn has_group_by(group_by: &ast::GroupByExpr) -> bool {
    match group_by {
        ast::GroupByExpr::All(_) => true,
        ast::GroupByExpr::Expressions(expressions, _) => !expressions.is_empty(),
    }
}

/// The target that computes an expression already, or a new one that is not returned.
fn find_or_add(targets: &mut Vec<Target>, expr: Expr) -> usize {
    if let Some(at) = targets.iter().position(|target| same_expr(&target.expr, &expr)) {
        return at;
    }
    targets.push(Target { expr, name: None });
    targets.len() - 1
}

fn check_equality(expr: &Expr) -> SqlResult<()> {
    if expr.ty.oid != oid::UNKNOWN && equality(expr.ty.oid).is_none() {
        return Err(no_operator("equality", expr.ty.oid, expr.position));
    }
    Ok(())
}

fn unique(ids: impl Iterator<Item = ColumnId>) -> Vec<ColumnId> {
    let mut unique = Vec::new();
    for id in ids {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    unique
}

/// `*` with what other databases add to it is refused; gives its position.
fn check_wildcard(options: &ast::WildcardAdditionalOptions) -> SqlResult<Option<u32>> {
    let ast::WildcardAdditionalOptions {
        wildcard_token,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let position = span_position(wildcard_token.0.span);
    if opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some()
        || opt_alias.is_some()
    {
        return Err(SqlError::new(SYNTAX_ERROR, "syntax error after \"*\"").or_position(position));
    }
    Ok(position)
}
