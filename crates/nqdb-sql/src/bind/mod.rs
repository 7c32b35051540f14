//! The binder: from syntax to the Bound IR. It decides names, types, overloads and casts by PostgreSQL's rules.
//!
//! | module | what it decides |
//! |---|---|
//! | `scope`, `similar` | what a name means, and what to say when it means nothing |
//! | `expression`, `literal`, `operators`, `rows`, `row_subquery`, `conditional`, `call`, `aggregate`, `syntax_functions`, `subquery` | expressions |
//! | `array`, `record` | arrays and composite values in them |
//! | `coerce`, `types` | types and conversions |
//! | `query`, `select`, `set_calls`, `group`, `grouping_sets`, `window`, `order` | queries |
//! | `locking` | FOR UPDATE |
//! | `with`, `with_recursive`, `with_inline` | WITH |
//! | `from`, `from_function`, `lateral`, `system_relation` | FROM |
//! | `view_target` | changes through views |
//! | `insert`, `conflict`, `update`, `delete`, `joined_change`, `merge`, `returning`, `table_row`, `subscript_target` | changes |
//! | `access` | what the statement needs to be allowed |
//! | `levels` | how deep it can get |
//! | `output_name` | what a column without an alias is called |
//! | `written` | stored queries as they were written, to be printed |
//!
//! What always holds:
//! 1. Inside the binder an expression of type UNKNOWN is a literal, a NULL or a parameter that no context has typed yet;
//!    none leaves it.
//! 2. Every structure of the syntax tree is taken apart field by field: a clause that is not obeyed is refused with 0A000,
//!    and a field that a new parser version adds does not compile.
//! 3. The binder reads the catalog snapshot of its [`BindContext`] and nothing else; two binds of one text under one
//!    snapshot give the same result.
//!
//! Left out: access paths and join order (`plan`), and definitions (`ddl`).

mod access;
mod aggregate;
mod arguments;
mod array;
mod call;
mod coerce;
mod conditional;
mod conflict;
mod delete;
mod domain;
mod expression;
mod from;
mod from_function;
mod group;
mod grouping_sets;
mod insert;
mod joined_change;
mod lateral;
mod levels;
mod literal;
mod locked_rel;
mod locking;
mod merge;
mod operators;
mod order;
mod output_name;
mod query;
mod record;
mod recursion_clause;
mod returning;
mod retype;
mod row_subquery;
mod rows;
mod same;
mod scope;
mod select;
mod set_calls;
mod similar;
mod stored_query;
mod subquery;
mod subscript_target;
mod syntax_functions;
mod system_relation;
mod table_row;
mod table_sample;
mod types;
mod update;
mod view_target;
mod walk;
mod window;
mod with;
mod with_inline;
mod with_recursive;
mod written;

use std::sync::Arc;

use nqdb_catalog::{ColumnDef, Snapshot, TableDef};
use nqdb_functions::{CastContext, FunctionContext, SessionFunctions};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{FormatContext, RecordShape, Type, holds_records, oid};
use sqlparser::ast;
use sqlparser::tokenizer::Span;

use crate::definition::Definition;
use crate::ir::{Bound, ColumnId, Expr, WithQuery};
use crate::params::ParamTypes;
use crate::parse::{Tokens, parse_expression};
use crate::rewrite::{fold_constants, fold_expression};
use crate::rights::Access;
use crate::statement::{ConflictInference, Overriding, Parsed, StatementKind, TargetPath};
pub(crate) use output_name::index_column_name;
pub use retype::{Conversion, bind_retype, needs_rewrite};
pub(crate) use same::same_expr;
use scope::{Clause, Scope};
pub use stored_query::{AnalyzedQuery, analyze_query, bind_fill, bind_refill};
pub use types::{built_in_type, data_type};
pub use view_target::updatable_columns;
pub(crate) use walk::any as any_expression;
use with::{CommonTable, PendingWith, Recursion};
pub(crate) use written::{
    Computed, ItemId, KeySource, Notes, WrittenBody, WrittenDistinct, WrittenItem, WrittenKey, WrittenQuery,
    WrittenSelect, WrittenSource, WrittenWindow, written_query,
};

/// What a bind reads.
#[derive(Clone, Copy)]
pub struct BindContext<'a> {
    pub catalog: &'a Snapshot,
    /// Who asks: names in schemas that the role may not use are refused.
    pub role: u32,
    /// Schemas that unqualified names are looked up in, in order.
    pub search_path: &'a [u32],
    /// Settings that the input of literals depends on.
    pub format: &'a FormatContext,
    /// What literals of reg types ask.
    pub session: &'a dyn SessionFunctions,
}

impl BindContext<'_> {
    /// 0A000 for a temporary table of another session: nobody reads or changes it, whatever their role and path.
    pub(crate) fn expect_own_if_temporary(&self, table: &TableDef) -> SqlResult<()> {
        match table.schema_name.strip_prefix(nqdb_catalog::TEMPORARY_SCHEMA_PREFIX) {
            Some(pid) if pid != self.session.backend_pid().to_string() => {
                let message = "cannot access temporary tables of other sessions";
                Err(SqlError::new(FEATURE_NOT_SUPPORTED, message))
            }
            _ => Ok(()),
        }
    }

    /// 42501 for a name in a schema that the role may not use.
    pub(crate) fn expect_schema_usage(&self, schema: Option<&str>, position: Option<u32>) -> SqlResult<()> {
        let Some(schema) = schema.and_then(|schema| self.catalog.schema(schema)) else { return Ok(()) };
        if self.catalog.may_use_schema(self.role, schema.oid) {
            return Ok(());
        }
        let message = format!("permission denied for schema {}", schema.name);
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message).or_position(position))
    }
}

/// 42601 for SELECT INTO where rows are wanted.
pub(crate) fn into_not_allowed() -> SqlError {
    SqlError::new(SYNTAX_ERROR, "SELECT ... INTO is not allowed here")
}

/// Binds a statement of kind [`StatementKind::Rows`]; `params` gets the types that the statement decides. Gives what the
/// statement means, and what it needs to be allowed.
///
/// Fails with PostgreSQL's errors for names, types and structure, with their position in the query string.
pub fn bind(parsed: &Parsed, cx: &BindContext<'_>, params: &mut ParamTypes) -> SqlResult<(Bound, Vec<Access>)> {
    let statement = match &parsed.kind {
        StatementKind::Rows(statement) => statement,
        StatementKind::Refused(error) => return Err(error.clone()),
        StatementKind::Define(definition) if matches!(**definition, Definition::TableAs(_)) => {
            return Err(into_not_allowed());
        }
        _ => return Err(SqlError::internal("only statements over rows are bound")),
    };
    let mut binder = Binder::new(cx, Arc::clone(&parsed.tokens), params);
    binder.target_paths.clone_from(&statement.target_paths);
    binder.conflict_targets.clone_from(&statement.conflict_targets);
    let mut bound = match &statement.ast {
        ast::Statement::Query(query) => binder.bind_query_statement(query, statement.overriding)?,
        ast::Statement::Insert(insert) => Bound::Insert(binder.bind_insert(insert, statement.overriding)?),
        ast::Statement::Update(update) => Bound::Update(binder.bind_update(update)?),
        ast::Statement::Delete(delete) => Bound::Delete(binder.bind_delete(delete)?),
        ast::Statement::Merge(merge) => Bound::Merge(binder.bind_merge(merge)?),
        _ => return Err(SqlError::unsupported("this form of statement")),
    };
    binder.params.finish()?;
    let accesses = binder.take_accesses();
    fold_constants(&mut bound, &mut binder.function_context());
    Ok((bound, accesses))
}

impl Binder<'_> {
    /// A query, or a change with a WITH in front of it, which the parser gives as the body of a query.
    fn bind_query_statement(&mut self, query: &ast::Query, overriding: Option<Overriding>) -> SqlResult<Bound> {
        self.at_top = true;
        let body = if is_change(&query.body) {
            self.bind_with_alone(query)?;
            self.at_top = false;
            let body = self.bind_change(&query.body, overriding)?;
            self.statement_with = self.take_with_queries();
            body
        } else {
            Bound::Query(self.bind_statement_query(query)?)
        };
        let queries = std::mem::take(&mut self.statement_with);
        Ok(if queries.is_empty() { body } else { Bound::With { queries, body: Box::new(body) } })
    }

    /// INSERT, UPDATE or DELETE as the body of a query.
    fn bind_change(&mut self, body: &ast::SetExpr, overriding: Option<Overriding>) -> SqlResult<Bound> {
        use ast::SetExpr;
        match body {
            SetExpr::Insert(ast::Statement::Insert(insert)) => Ok(Bound::Insert(self.bind_insert(insert, overriding)?)),
            SetExpr::Update(ast::Statement::Update(update)) => Ok(Bound::Update(self.bind_update(update)?)),
            SetExpr::Delete(ast::Statement::Delete(delete)) => Ok(Bound::Delete(self.bind_delete(delete)?)),
            SetExpr::Merge(ast::Statement::Merge(merge)) => Ok(Bound::Merge(self.bind_merge(merge)?)),
            _ => Err(SqlError::unsupported("this form of statement")),
        }
    }
}

/// Whether the body of a query is a change of rows.
pub(crate) fn is_change(body: &ast::SetExpr) -> bool {
    use ast::SetExpr;
    matches!(body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_))
}

/// Binds the default expression of a column, coerced to the column's type.
pub fn bind_default(text: &str, column: &ColumnDef, cx: &BindContext<'_>) -> SqlResult<Expr> {
    let (tokens, expression) = parse_expression(text)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    let bound = binder.in_scope(Scope::new(Clause::Default), |binder| binder.bind_expr(&expression))?;
    let bound = binder.coerce_for_column(bound, column, &column.name, None)?;
    Ok(bound)
}

/// What a column gets when nothing is said: its own default, or that of its domain; `None` for a plain NULL.
pub fn bind_default_of(column: &ColumnDef, cx: &BindContext<'_>) -> SqlResult<Option<Expr>> {
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::new(Tokens::default()), &mut params);
    match column.default.clone().or_else(|| binder.domain_default(column.ty)) {
        Some(text) => bind_default(&text, column, cx).map(Some),
        None if column.ty.domain != oid::INVALID => {
            let null = literal::literal(nqdb_types::Datum::Null, Type::UNKNOWN, None);
            binder.coerce(null, column.ty, CastContext::Assignment, None).map(Some)
        }
        None => Ok(None),
    }
}

/// Binds a CHECK expression over a row of the table; `row` gives the columns' ids by position in the table.
pub fn bind_check(
    text: &str,
    table: &Arc<TableDef>,
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Expr> {
    let (tokens, expression) = parse_expression(text)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    binder.adopt_row(table, row);
    let scope = binder.row_scope(table, &table.name, row, Clause::Check);
    binder.in_scope(scope, |binder| binder.bind_boolean(&expression, "CHECK"))
}

/// Binds the expression of a generated column over a row of its table.
pub fn bind_generation(
    text: &str,
    table: &Arc<TableDef>,
    position: usize,
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Expr> {
    let mut params = ParamTypes::none();
    let (tokens, _) = parse_expression(text)?;
    let mut binder = Binder::new(cx, tokens, &mut params);
    binder.adopt_row(table, row);
    let Some(column) = table.columns.get(position) else { return Err(SqlError::internal("no such column")) };
    binder.bind_generation(text, table, column, row)
}

/// Binds a CHECK expression for a new table, and gives it with the ids it uses for the columns.
pub fn bind_new_check(text: &str, table: &Arc<TableDef>, cx: &BindContext<'_>) -> SqlResult<Expr> {
    let row: Vec<(usize, ColumnId)> =
        table.live_columns().enumerate().map(|(id, (position, _))| (position, ColumnId(id as u32))).collect();
    bind_check(text, table, &row, cx)
}

/// Binds the check of a domain over a type: a condition over `VALUE`.
pub fn bind_domain_check(text: &str, ty: Type, cx: &BindContext<'_>) -> SqlResult<Expr> {
    let (tokens, expression) = parse_expression(text)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    binder.bind_check_over(&expression, ty)
}

/// Binds the conversion of a value that was read, of a column's base type, to the column's own; `None` when that checks nothing.
pub fn bind_domain_of_column(
    table: &Arc<TableDef>,
    position: usize,
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Option<Expr>> {
    let has_rules = |column: &&ColumnDef| column.ty.domain != oid::INVALID || holds_records(column.ty.oid);
    let column = table.columns.get(position).filter(has_rules);
    let id = row.iter().find(|(at, _)| *at == position).map(|(_, id)| *id);
    let (Some(column), Some(id)) = (column, id) else { return Ok(None) };
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::new(Tokens::default()), &mut params);
    binder.adopt_row(table, row);
    let mut value = binder.column_expr(id, None);
    value.ty = column.ty.base();
    let value = binder.conformed(value)?;
    let checked = binder.coerce(value, column.ty, CastContext::Assignment, None)?;
    Ok(matches!(checked.kind, crate::ir::ExprKind::Domain { .. }).then_some(checked))
}

/// Binds a default or a check for printing, over a table's columns or over none: the ids number its live columns.
pub fn bind_stored_expression(text: &str, table: Option<&Arc<TableDef>>, cx: &BindContext<'_>) -> SqlResult<Expr> {
    let (tokens, expression) = parse_expression(text)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    let scope = match table {
        Some(table) => {
            let row: Vec<(usize, ColumnId)> =
                (0..).map(ColumnId).zip(table.live_columns()).map(|(id, (at, _))| (at, id)).collect();
            binder.adopt_row(table, &row);
            binder.row_scope(table, &table.name, &row, Clause::Check)
        }
        None => Scope::new(Clause::Default),
    };
    let bound = binder.in_scope(scope, |binder| binder.bind_expr(&expression))?;
    binder.resolve_unknown(bound)
}

/// Binds an expression of an index, or the condition of a partial one, over the columns of its table: the id of a column is
/// its position.
pub(crate) fn bind_for_index(
    expression: &ast::Expr,
    tokens: &Arc<Tokens>,
    table: &Arc<TableDef>,
    is_predicate: bool,
    cx: &BindContext<'_>,
) -> SqlResult<Expr> {
    let row: Vec<(usize, ColumnId)> =
        table.live_columns().map(|(position, _)| (position, ColumnId(position as u32))).collect();
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::clone(tokens), &mut params);
    binder.adopt_row(table, &row);
    let clause = if is_predicate { Clause::IndexPredicate } else { Clause::IndexExpression };
    let scope = binder.row_scope(table, &table.name, &row, clause);
    let mut bound = binder.in_scope(scope, |binder| match is_predicate {
        true => binder.bind_boolean(expression, "WHERE"),
        false => {
            let bound = binder.bind_expr(expression)?;
            binder.resolve_unknown(bound)
        }
    })?;
    fold_expression(&mut bound, &mut binder.function_context());
    Ok(bound)
}

/// Binds an expression over nothing: an argument of EXECUTE, an option of a definition.
///
/// With a target it is coerced as an assignment; without one an unknown literal becomes text.
pub fn bind_scalar(
    expression: &ast::Expr,
    tokens: &Arc<Tokens>,
    target: Option<Type>,
    cx: &BindContext<'_>,
) -> SqlResult<Expr> {
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::clone(tokens), &mut params);
    let bound = binder.in_scope(Scope::new(Clause::Parameter), |binder| binder.bind_expr(expression))?;
    match target {
        Some(target) => binder.coerce(bound, target, CastContext::Assignment, None),
        None => binder.resolve_unknown(bound),
    }
}

/// Binds the WHERE of COPY FROM over the row that was read.
pub fn bind_copy_predicate(
    expression: &ast::Expr,
    tokens: &Arc<Tokens>,
    table: &Arc<TableDef>,
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Expr> {
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, Arc::clone(tokens), &mut params);
    binder.adopt_row(table, row);
    let scope = binder.row_scope(table, &table.name, row, Clause::CopyWhere);
    binder.in_scope(scope, |binder| binder.bind_boolean(expression, "WHERE"))
}

/// What the binder knows of a column that it made.
#[derive(Clone, Copy, Debug)]
struct ColumnInfo {
    ty: Type,
    nullable: bool,
    /// Relation OID and attribute number that it comes from unchanged.
    origin: Option<(u32, i16)>,
    /// Index of the scope that it belongs to, counted from the outermost.
    level: usize,
    used: bool,
    /// An expression of the user's reads it.
    read: bool,
}

/// The state of one bind.
struct Binder<'a> {
    cx: &'a BindContext<'a>,
    tokens: Arc<Tokens>,
    params: &'a mut ParamTypes,
    /// By [`ColumnId`].
    columns: Vec<ColumnInfo>,
    /// Innermost last.
    scopes: Vec<Scope>,
    /// WITH queries in reach, innermost last.
    common_tables: Vec<CommonTable>,
    /// Brackets and fields behind the columns that the statement assigns to.
    target_paths: Vec<TargetPath>,
    conflict_targets: Vec<ConflictInference>,
    /// The shapes of records: the modifier of a type `record` is a position here, as long as it is in the binder.
    shapes: Vec<Arc<RecordShape>>,
    /// Those of the query at hand, to be put around it.
    pending_with: Vec<PendingWith>,
    /// Columns that `*` leaves out: those of SEARCH and CYCLE within their own query.
    not_in_star: Vec<ColumnId>,
    /// Names of WITH queries that come later in their list.
    later_with_names: Vec<String>,
    next_with: u32,
    /// Where in its recursive term the innermost recursion is.
    recursion: Recursion,
    /// The next query is the whole statement.
    at_top: bool,
    /// The WITH queries of a statement of which some change rows.
    statement_with: Vec<WithQuery>,
    /// How deep the expression at hand nests.
    depth: usize,
    /// How deep the query at hand can get, as far as it is bound: see `levels`.
    levels: usize,
    /// Of how many queries around what is bound, locking clauses may reach it.
    locking_levels: usize,
    /// A system view is being bound: what it reads is not the user's doing.
    in_system_view: bool,
    /// The stored query that is being bound, which says what its relation names mean.
    stored: Option<nqdb_catalog::StoredQuery>,
    /// The relations that were named so far, while a query is analysed that is to be stored.
    recorded: Option<Vec<stored_query::Recorded>>,
    /// What is noted of the query at hand, while one is bound to be printed.
    notes: Option<Box<Notes>>,
    /// The users' types that it named.
    recorded_types: Option<Vec<nqdb_catalog::NamedType>>,
    /// The attributes of composite types that it selected.
    recorded_attributes: Option<Vec<nqdb_catalog::NamedAttribute>>,
    /// Views that were bound so far.
    views: usize,
    /// Conversions to domains that were bound so far.
    domain_values: u32,
    /// The view that the change at hand goes through, and what it computes over the rows at hand: the ids of its columns by
    /// the first id of the row, and the values of those that are no columns of the table.
    view_target: Option<Arc<view_target::ViewTarget>>,
    view_rows: Vec<(ColumnId, Vec<ColumnId>)>,
    view_values: Vec<(ColumnId, Expr)>,
    /// What was touched so far.
    accesses: Vec<access::NotedAccess>,
    /// Whose privileges count for what is bound: the owner's of the view whose query it is.
    acting_role: Option<u32>,
}

/// Depth of a bound expression: what walks it recursively (planner, executor) relies on it.
pub const EXPRESSION_DEPTH_MAX: usize = 1_000;

impl<'a> Binder<'a> {
    fn new(cx: &'a BindContext<'a>, tokens: Arc<Tokens>, params: &'a mut ParamTypes) -> Binder<'a> {
        Binder {
            cx,
            tokens,
            params,
            columns: Vec::new(),
            scopes: Vec::new(),
            common_tables: Vec::new(),
            pending_with: Vec::new(),
            not_in_star: Vec::new(),
            later_with_names: Vec::new(),
            next_with: 0,
            recursion: Recursion::default(),
            at_top: false,
            statement_with: Vec::new(),
            target_paths: Vec::new(),
            conflict_targets: Vec::new(),
            shapes: Vec::new(),
            notes: None,
            depth: 0,
            levels: 0,
            locking_levels: 0,
            in_system_view: false,
            stored: None,
            recorded: None,
            recorded_types: None,
            recorded_attributes: None,
            views: 0,
            domain_values: 0,
            view_target: None,
            view_rows: Vec::new(),
            view_values: Vec::new(),
            accesses: Vec::new(),
            acting_role: None,
        }
    }

    /// Makes a column of the scope at hand.
    fn new_column(&mut self, ty: Type, nullable: bool, origin: Option<(u32, i16)>) -> ColumnId {
        let level = self.scopes.len().saturating_sub(1);
        self.columns.push(ColumnInfo { ty, nullable, origin, level, used: false, read: false });
        ColumnId(self.columns.len() as u32 - 1)
    }

    fn info(&self, id: ColumnId) -> ColumnInfo {
        self.columns[id.0 as usize]
    }

    /// An expression that reads a column; it counts as used from here on.
    fn column_expr(&mut self, id: ColumnId, position: Option<u32>) -> Expr {
        let info = &mut self.columns[id.0 as usize];
        info.used = true;
        info.read = true;
        Expr { kind: crate::ir::ExprKind::Column(id), ty: info.ty, nullable: info.nullable, position }
    }

    /// Runs `work` with one more scope, which is gone afterwards.
    fn in_scope<T>(&mut self, scope: Scope, work: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        self.scopes.push(scope);
        let result = work(self);
        self.scopes.pop();
        result
    }

    /// The innermost scope.
    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::new(Clause::Parameter));
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Runs `work` in another clause of the innermost scope.
    fn in_clause<T>(&mut self, clause: Clause, work: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        let before = std::mem::replace(&mut self.scope().clause, clause);
        let result = work(self);
        self.scope().clause = before;
        result
    }

    /// What functions need when a literal is read.
    fn function_context(&self) -> FunctionContext<'a> {
        let now = self.cx.format.now_micros;
        FunctionContext::new(self.cx.format, now, now, self.cx.session)
    }

    /// Position of the token that an expression starts with.
    fn position_of(&self, expression: &ast::Expr) -> Option<u32> {
        self.tokens.position(crate::parse::start_of(&self.tokens, expression)?)
    }
}

/// Position of a span; `None` for those that the parser left empty.
fn span_position(span: Span) -> Option<u32> {
    Tokens::index_of(span)?;
    u32::try_from(span.start.column).ok()
}

/// The earlier of two positions.
fn leftmost(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
