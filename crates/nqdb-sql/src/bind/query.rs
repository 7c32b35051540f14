//! Queries above single SELECTs: WITH, VALUES, TABLE, set operations, and LIMIT.

use nqdb_functions::equality;
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_COLUMN_REFERENCE, INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, SYNTAX_ERROR, SqlError,
    SqlResult,
};
use nqdb_types::{Type, oid};
use sqlparser::ast::{self, LimitClause, SetExpr, SetOperator, SetQuantifier};

use super::coerce::common_of;
use super::locking::first_lock_name;
use super::operators::{marked_argument, no_operator};
use super::order::without_parentheses;
use super::scope::{Clause, Scope};
use super::{Binder, levels, span_position, walk};
use crate::ir::{ColumnId, Expr, ExprKind, OutputColumn, Query, Rel, SetKind, SortKey};
use crate::names::name_of;
use crate::parse::{WITH_TIES, with_deep_stack};

/// Rows of VALUES that are bound between two looks whether the statement may go on.
const ROWS_BETWEEN_CHECKS: usize = 256;

/// ORDER BY and LIMIT of a query, collected over the parentheses around its body.
pub(super) struct Tail<'q> {
    pub(super) order_by: &'q [ast::OrderByExpr],
    pub(super) limit: Option<&'q ast::Expr>,
    pub(super) offset: Option<&'q ast::Expr>,
    pub(super) fetch: Option<&'q ast::Fetch>,
    pub(super) locks: &'q [ast::LockClause],
}

impl Tail<'_> {
    /// No clause so far.
    pub(super) const EMPTY: Tail<'static> = Tail { order_by: &[], limit: None, offset: None, fetch: None, locks: &[] };
}

impl Binder<'_> {
    /// A query at the top of a statement: what is still unknown becomes text.
    pub(super) fn bind_statement_query(&mut self, query: &ast::Query) -> SqlResult<Query> {
        self.bind_query(query)
    }

    /// A query in a scope of its own; unknown columns become text.
    pub(super) fn bind_query(&mut self, query: &ast::Query) -> SqlResult<Query> {
        self.bind_query_as(query, true)
    }

    /// As [`Binder::bind_query`]; unless `resolve`, unknown columns wait for [`Binder::retype_output`].
    pub(super) fn bind_query_as(&mut self, query: &ast::Query, resolve: bool) -> SqlResult<Query> {
        self.add_levels(levels::OF_QUERY)?;
        with_deep_stack(|| self.with_own_queries(|binder| binder.bind_query_parts(query, resolve)))
    }

    fn bind_query_parts(&mut self, query: &ast::Query, resolve: bool) -> SqlResult<Query> {
        let mut tail = Tail::EMPTY;
        let mut query = query;
        let mut has_with = false;
        loop {
            self.collect_tail(query, &mut tail, &mut has_with)?;
            match &*query.body {
                SetExpr::Query(inner) => query = inner,
                body => {
                    self.at_top = false;
                    return self.bind_body(body, &tail, resolve);
                }
            }
        }
    }

    /// Brings the WITH queries of a query into reach whose body is a change; the query has no other clause.
    pub(super) fn bind_with_alone(&mut self, query: &ast::Query) -> SqlResult<()> {
        let mut tail = Tail::EMPTY;
        self.collect_tail(query, &mut tail, &mut false)?;
        if !tail.order_by.is_empty() || tail.limit.is_some() || tail.offset.is_some() || tail.fetch.is_some() {
            return Err(SqlError::unsupported("a clause around a change of rows"));
        }
        Ok(())
    }

    /// Takes a query apart around its body; the parts of nested parentheses must not clash.
    pub(super) fn collect_tail<'q>(
        &mut self,
        query: &'q ast::Query,
        tail: &mut Tail<'q>,
        has_with: &mut bool,
    ) -> SqlResult<()> {
        let ast::Query {
            with,
            body: _,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let multiple = |what: &str| Err(SqlError::new(SYNTAX_ERROR, format!("multiple {what} clauses not allowed")));
        if !locks.is_empty() {
            tail.locks = locks;
        }
        if for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return Err(SqlError::unsupported("this clause of a query"));
        }
        if let Some(with) = with {
            if std::mem::replace(has_with, true) {
                return multiple("WITH");
            }
            self.bind_with(with)?;
        }
        if let Some(ast::OrderBy { kind, interpolate }) = order_by {
            let ast::OrderByKind::Expressions(items) = kind else {
                return Err(SqlError::unsupported("ORDER BY ALL"));
            };
            if interpolate.is_some() {
                return Err(SqlError::unsupported("INTERPOLATE"));
            }
            if !tail.order_by.is_empty() {
                return multiple("ORDER BY");
            }
            tail.order_by = items;
        }
        match limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(SqlError::unsupported("LIMIT BY"));
                }
                if limit.is_some() && (tail.limit.is_some() || tail.fetch.is_some()) {
                    return multiple("LIMIT");
                }
                if offset.is_some() && tail.offset.is_some() {
                    return multiple("OFFSET");
                }
                tail.limit = tail.limit.or(limit.as_ref());
                if let Some(ast::Offset { value, rows: _ }) = offset {
                    tail.offset = Some(value);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) => {
                return Err(SqlError::new(SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses."));
            }
        }
        if let Some(fetch) = fetch {
            if tail.limit.is_some() || tail.fetch.is_some() {
                return multiple("LIMIT");
            }
            tail.fetch = Some(fetch);
        }
        Ok(())
    }

    fn bind_body(&mut self, body: &SetExpr, tail: &Tail<'_>, resolve: bool) -> SqlResult<Query> {
        match body {
            SetExpr::Select(select) => self.bind_select(select, tail, resolve),
            SetExpr::Query(query) => self.bind_query_as(query, resolve),
            SetExpr::SetOperation { .. } | SetExpr::Values(_) | SetExpr::Table(_) => {
                if !tail.locks.is_empty() {
                    return Err(refuse_locks(body, tail.locks)?);
                }
                let mut query = self.bind_leafless(body, resolve)?;
                self.in_scope(output_scope(&query), |binder| {
                    binder.order_output(&mut query, tail.order_by)?;
                    binder.apply_limit(&mut query, tail)
                })?;
                Ok(query)
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(SqlError::new(SYNTAX_ERROR, "syntax error: a query is wanted, not a change of rows"))
            }
        }
    }

    pub(super) fn bind_leafless(&mut self, body: &SetExpr, resolve: bool) -> SqlResult<Query> {
        match body {
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                self.bind_set_operation(left, *op, *set_quantifier, right)
            }
            SetExpr::Values(values) => self.bind_values(values, resolve),
            SetExpr::Table(table) => self.bind_table_command(table),
            body => {
                let tail = Tail::EMPTY;
                self.bind_body(body, &tail, resolve)
            }
        }
    }

    /// `TABLE name`.
    fn bind_table_command(&mut self, table: &ast::Table) -> SqlResult<Query> {
        let ast::Table { table_name, schema_name } = table;
        let Some(name) = table_name else { return Err(SqlError::new(SYNTAX_ERROR, "syntax error")) };
        let schema = schema_name.as_deref().map(|schema| crate::names::fold_identifier(schema, false));
        let name = crate::names::fold_identifier(name, false);
        self.add_levels(levels::OF_FROM_ITEM)?;
        self.in_scope(Scope::new(Clause::From), |binder| {
            let item = binder.bind_named_table(schema.as_deref(), &name, None)?;
            let output = item.columns.iter().map(|column| (column.name.clone(), column.id)).collect::<Vec<_>>();
            let output = output.into_iter().map(|(name, id)| binder.output_column(name, id)).collect();
            let mut rel = item.rel;
            binder.prune(&mut rel);
            Ok(Query { rel, output })
        })
    }

    /// An output column that is a column of the relation below it.
    pub(super) fn output_column(&mut self, name: String, id: ColumnId) -> OutputColumn {
        let info = &mut self.columns[id.0 as usize];
        info.used = true;
        OutputColumn { id, name, ty: info.ty, origin: info.origin }
    }

    /// `VALUES (..), (..)`: one type for each column (manual 10.5).
    fn bind_values(&mut self, values: &ast::Values, resolve: bool) -> SqlResult<Query> {
        let ast::Values { explicit_row, value_keyword, rows } = values;
        if *explicit_row || *value_keyword {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"row\""));
        }
        self.in_scope(Scope::new(Clause::Values), |binder| {
            let mut bound: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
            for (number, row) in rows.iter().enumerate() {
                if number % ROWS_BETWEEN_CHECKS == 0 {
                    binder.cx.session.check_interruption()?;
                }
                let mut exprs = Vec::with_capacity(row.content.len());
                for expression in &row.content {
                    exprs.push(binder.bind_expr(expression)?);
                }
                if bound.first().is_some_and(|first| first.len() != exprs.len()) {
                    let position = exprs.first().and_then(|expr| expr.position);
                    let message = "VALUES lists must all be the same length";
                    return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
                }
                bound.push(exprs);
            }
            binder.unify_rows(bound, resolve)
        })
    }

    fn unify_rows(&mut self, rows: Vec<Vec<Expr>>, resolve: bool) -> SqlResult<Query> {
        let width = rows.first().map_or(0, Vec::len);
        let mut types = Vec::with_capacity(width);
        for at in 0..width {
            let column: Vec<Expr> = rows.iter().filter_map(|row| row.get(at).cloned()).collect();
            let all_unknown = column.iter().all(|expr| expr.ty.oid == oid::UNKNOWN);
            types.push(if all_unknown && !resolve {
                Type::UNKNOWN
            } else {
                common_of(&column, "VALUES", self.cx.format)?
            });
        }
        let mut unified = Vec::with_capacity(rows.len());
        for row in rows {
            let mut exprs = Vec::with_capacity(width);
            for (expr, ty) in row.into_iter().zip(&types) {
                exprs.push(if ty.oid == oid::UNKNOWN { expr } else { self.coerce_to_common(expr, *ty, "VALUES")? });
            }
            unified.push(exprs);
        }
        let mut columns = Vec::with_capacity(width);
        let mut output = Vec::with_capacity(width);
        for (at, ty) in types.into_iter().enumerate() {
            let nullable = unified.iter().any(|row| row.get(at).is_some_and(|expr| expr.nullable));
            let id = self.new_column(ty, nullable, None);
            columns.push((id, ty));
            output.push(self.output_column(format!("column{}", at + 1), id));
        }
        Ok(Query { rel: Rel::Values { columns, rows: unified }, output })
    }

    fn bind_set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> SqlResult<Query> {
        let (kind, name) = match op {
            SetOperator::Union => (SetKind::Union, "UNION"),
            SetOperator::Intersect => (SetKind::Intersect, "INTERSECT"),
            SetOperator::Except => (SetKind::Except, "EXCEPT"),
            SetOperator::Minus => return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"minus\"")),
        };
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::Distinct | SetQuantifier::None => false,
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"by\""));
            }
        };
        let (excludes, intersects) = (kind == SetKind::Except, kind == SetKind::Intersect && all);
        let (mut left_query, mut right_query) = self.bind_sides(
            |binder| binder.in_set_operation(excludes && all, intersects, |binder| binder.bind_branch(left)),
            |binder| binder.in_set_operation(excludes, intersects, |binder| binder.bind_branch(right)),
        )?;
        if left_query.output.len() != right_query.output.len() {
            let message = format!("each {name} query must have the same number of columns");
            let position = self.first_item_position(right);
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
        }
        let mut columns = Vec::with_capacity(left_query.output.len());
        let mut output = Vec::with_capacity(left_query.output.len());
        for at in 0..left_query.output.len() {
            let sides = [self.branch_column(&left_query, at, left), self.branch_column(&right_query, at, right)];
            let ty = common_of(&sides, name, self.cx.format)?;
            self.retype_output(&mut left_query, at, ty, name)?;
            self.retype_output(&mut right_query, at, ty, name)?;
            if !all && equality(ty.oid).is_none() {
                let [side, _] = &sides;
                return Err(no_operator("equality", ty.oid, side.position));
            }
            let [first, second] = &sides;
            let id = self.new_column(ty, first.nullable || second.nullable, None);
            columns.push(id);
            let column_name = left_query.output.get(at).map_or_else(String::new, |column| column.name.clone());
            output.push(self.output_column(column_name, id));
        }
        let rel = Rel::SetOperation { kind, all, left: Box::new(left_query), right: Box::new(right_query), columns };
        Ok(Query { rel, output })
    }

    pub(super) fn bind_branch(&mut self, branch: &SetExpr) -> SqlResult<Query> {
        with_deep_stack(|| self.bind_leafless(branch, false))
    }

    /// One side's column, as an expression whose position is where the select list has it.
    pub(super) fn branch_column(&self, query: &Query, at: usize, branch: &SetExpr) -> Expr {
        let (id, ty) = query.output.get(at).map_or((ColumnId(0), Type::TEXT), |column| (column.id, column.ty));
        let nullable = self.columns.get(id.0 as usize).is_none_or(|info| info.nullable);
        Expr { kind: ExprKind::Column(id), ty, nullable, position: self.item_position(branch, at) }
    }

    fn first_item_position(&self, branch: &SetExpr) -> Option<u32> {
        self.item_position(branch, 0)
    }

    pub(super) fn item_position(&self, branch: &SetExpr, at: usize) -> Option<u32> {
        match branch {
            SetExpr::Select(select) => match select.projection.get(at)? {
                ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. } => {
                    self.position_of(expr)
                }
                _ => None,
            },
            SetExpr::Values(values) => self.position_of(values.rows.first()?.content.get(at)?),
            SetExpr::Query(query) => self.item_position(&query.body, at),
            SetExpr::SetOperation { left, .. } => self.item_position(left, at),
            _ => None,
        }
    }

    /// Gives an output column another type: a literal that stayed unknown is read as it, a column is cast.
    pub(super) fn retype_output(
        &mut self,
        query: &mut Query,
        at: usize,
        target: Type,
        construct: &str,
    ) -> SqlResult<()> {
        let Some(output) = query.output.get(at) else { return Ok(()) };
        let (id, ty) = (output.id, output.ty);
        if ty.oid == oid::UNKNOWN {
            self.retype_definition(&mut query.rel, id, target)?;
            self.columns[id.0 as usize].ty = target;
            for output in query.output.iter_mut().filter(|output| output.id == id) {
                output.ty = target;
            }
            return Ok(());
        }
        if ty == target {
            return Ok(());
        }
        let column = self.column_expr(id, None);
        let converted = self.coerce_to_common(column, target, construct)?;
        if converted.ty.oid == ty.oid {
            return Ok(());
        }
        self.extend_output(query, at, converted);
        Ok(())
    }

    /// Types the unknown literals that define a column, below whatever does not change it.
    fn retype_definition(&mut self, rel: &mut Rel, id: ColumnId, target: Type) -> SqlResult<()> {
        match rel {
            Rel::Extend { input, columns } => {
                for (column, expr) in columns.iter_mut() {
                    if *column == id {
                        *expr = self.coerce_to_common(expr.clone(), target, "UNION")?;
                        return Ok(());
                    }
                }
                self.retype_definition(input, id, target)
            }
            Rel::Values { columns, rows } => {
                for (at, (column, ty)) in columns.iter_mut().enumerate() {
                    if *column == id {
                        *ty = target;
                        for expr in rows.iter_mut().filter_map(|row| row.get_mut(at)) {
                            *expr = self.coerce_to_common(expr.clone(), target, "VALUES")?;
                        }
                    }
                }
                Ok(())
            }
            Rel::Sort { input, keys } => {
                keys.iter_mut().filter(|key| key.column == id).for_each(|key| key.ty = target);
                self.retype_definition(input, id, target)
            }
            Rel::Distinct { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Filter { input, .. }
            | Rel::With { input, .. } => self.retype_definition(input, id, target),
            _ => Ok(()),
        }
    }

    /// Makes text of the output columns that are still unknown.
    pub(super) fn resolve_output(&mut self, query: &mut Query) -> SqlResult<()> {
        for at in 0..query.output.len() {
            if query.output.get(at).is_some_and(|output| output.ty.oid == oid::UNKNOWN) {
                self.retype_output(query, at, Type::TEXT, "SELECT")?;
            }
        }
        Ok(())
    }

    /// LIMIT, OFFSET and FETCH, on top of everything else.
    pub(super) fn apply_limit(&mut self, query: &mut Query, tail: &Tail<'_>) -> SqlResult<()> {
        let mut ties = Vec::new();
        let mut limit = match tail.limit {
            Some(limit) => {
                let counted = marked_argument(limit, WITH_TIES);
                if counted.is_some() {
                    ties = sorted_by(&query.rel)?;
                }
                Some(self.bind_limit(counted.unwrap_or(limit), Clause::Limit)?)
            }
            None => None,
        };
        if let Some(ast::Fetch { with_ties, percent, quantity }) = tail.fetch {
            if *with_ties {
                ties = sorted_by(&query.rel)?;
                if matches!(quantity, Some(ast::Expr::Value(value)) if value.value == ast::Value::Null) {
                    let message = "row count cannot be null in FETCH FIRST ... WITH TIES clause";
                    return Err(SqlError::new(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, message));
                }
            }
            if *percent {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"percent\""));
            }
            limit = Some(match quantity {
                Some(quantity) => self.bind_limit(quantity, Clause::Limit)?,
                None => super::literal::literal(nqdb_types::Datum::Int8(1), Type::INT8, None),
            });
        }
        let offset = match tail.offset {
            Some(offset) => Some(self.bind_limit(offset, Clause::Offset)?),
            None => None,
        };
        if limit.is_some() || offset.is_some() {
            let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
            query.rel = Rel::Limit { input, limit, offset, ties };
        }
        Ok(())
    }

    fn bind_limit(&mut self, expression: &ast::Expr, clause: Clause) -> SqlResult<Expr> {
        let here = self.scopes.len().saturating_sub(1);
        let bound = self.in_clause(clause, |binder| binder.bind_expr(expression))?;
        let mut variable = None;
        walk::any(&bound, &mut |part| {
            if let ExprKind::Column(id) = part.kind
                && self.info(id).level == here
            {
                variable = variable.or(part.position);
                return true;
            }
            false
        });
        if variable.is_some() {
            let message = format!("argument of {} must not contain variables", clause.name());
            return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(variable));
        }
        self.coerce_to_type(bound, Type::INT8, clause.name())
    }

    /// ORDER BY over a finished query (VALUES, UNION, TABLE): only its output columns can be named.
    fn order_output(&mut self, query: &mut Query, order_by: &[ast::OrderByExpr]) -> SqlResult<()> {
        if order_by.is_empty() {
            return Ok(());
        }
        self.resolve_output(query)?;
        let mut keys = Vec::with_capacity(order_by.len());
        for item in order_by {
            let ast::OrderByExpr { expr, options, with_fill } = item;
            if with_fill.is_some() {
                return Err(SqlError::unsupported("WITH FILL"));
            }
            let position = self.position_of(expr);
            let names: Vec<&str> = query.output.iter().map(|column| column.name.as_str()).collect();
            let Some(at) = self.output_reference(expr, &names, "ORDER BY")? else {
                if let ast::Expr::Identifier(name) = without_parentheses(expr) {
                    let position = span_position(name.span);
                    return Err(super::scope::missing_column(&self.scopes, &name_of(name), position));
                }
                let invalid = "invalid UNION/INTERSECT/EXCEPT ORDER BY clause";
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, invalid)
                    .with_detail("Only result column names can be used, not expressions or functions.")
                    .with_hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                    .or_position(position));
            };
            let Some(column) = query.output.get(at) else { continue };
            keys.push(self.sort_key(column.id, column.ty, options, position)?);
        }
        let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
        query.rel = Rel::Sort { input, keys };
        Ok(())
    }
}

/// 0A000 for a locking clause behind anything but a SELECT.
fn refuse_locks(body: &SetExpr, locks: &[ast::LockClause]) -> SqlResult<SqlError> {
    let name = first_lock_name(locks)?;
    let message = match body {
        SetExpr::Values(_) => format!("{name} cannot be applied to VALUES"),
        _ => format!("{name} is not allowed with UNION/INTERSECT/EXCEPT"),
    };
    Ok(SqlError::new(FEATURE_NOT_SUPPORTED, message))
}

/// The keys that a finished query is sorted by, for WITH TIES.
fn sorted_by(rel: &Rel) -> SqlResult<Vec<SortKey>> {
    match rel {
        Rel::Sort { keys, .. } => Ok(keys.clone()),
        Rel::Distinct { input, .. } | Rel::Extend { input, .. } => sorted_by(input),
        _ => Err(SqlError::new(SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause")),
    }
}

/// A scope in which a query's output columns can be named.
fn output_scope(query: &Query) -> Scope {
    let mut scope = Scope::new(Clause::OrderBy);
    scope.columns = query
        .output
        .iter()
        .map(|column| super::scope::ScopeColumn { name: column.name.clone(), id: column.id })
        .collect();
    scope
}
