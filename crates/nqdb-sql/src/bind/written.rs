//! A query as it was written, and what its parts mean: what `system::query_text` prints stored queries from.
//!
//! The Bound IR no longer says how a query was put together: `*`, USING, aliases, and WITH are resolved, clauses have become
//! relations. While notes are taken, each function of the binder that finishes a query or an item of FROM leaves a note of it
//! on a stack, from which whoever bound it as a part of something larger takes it.
//!
//! What always holds:
//! 1. A finished query is one note on `queries`, a finished item of FROM one on `items`.
//! 2. Expressions of notes are those before grouping: their columns are those of FROM, or are in `computed`.
//! 3. Nothing is noted of what a view stands for: its name is what was written.

use std::collections::HashMap;

use nqdb_catalog::StoredQuery;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Oid, Type, oid};
use sqlparser::ast::{self, TableFactor};

use super::from::{FromItem, table_name};
use super::group::Key;
use super::scope::Scope;
use super::select::Target;
use super::stored_query::parse_stored;
use super::{BindContext, Binder, walk};
use crate::ir::{
    AggregateCall, ColumnId, Expr, ExprKind, Frame, JoinKind, Query, Rel, SetKind, TableFunction, WindowCallee,
};
use crate::params::ParamTypes;

/// Identifies an item of FROM within one statement.
pub(crate) type ItemId = usize;

/// A query and its clauses.
#[derive(Clone, Debug)]
pub(crate) struct WrittenQuery {
    pub with: Vec<WrittenWith>,
    pub recursive: bool,
    pub body: WrittenBody,
    pub order: Vec<WrittenKey>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    pub with_ties: bool,
    /// FOR UPDATE or its like.
    pub locks: bool,
    /// The names of its columns.
    pub names: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct WrittenWith {
    pub name: String,
    pub columns: Vec<String>,
    /// MATERIALIZED or NOT MATERIALIZED, where it says so.
    pub materialized: Option<bool>,
    pub query: WrittenQuery,
}

#[derive(Clone, Debug)]
pub(crate) enum WrittenBody {
    Select(Box<WrittenSelect>),
    Values(Vec<Vec<Expr>>),
    SetOperation { kind: SetKind, all: bool, left: Box<WrittenQuery>, right: Box<WrittenQuery> },
}

#[derive(Clone, Debug)]
pub(crate) struct WrittenSelect {
    pub distinct: WrittenDistinct,
    pub targets: Vec<Expr>,
    pub from: Vec<WrittenItem>,
    pub filter: Option<Expr>,
    pub group: Vec<Expr>,
    /// GROUPING SETS and their like.
    pub has_grouping_sets: bool,
    pub having: Option<Expr>,
    /// Those of the WINDOW clause, by name.
    pub windows: Vec<WrittenWindow>,
    /// Columns that stand for calls of this level.
    pub computed: HashMap<ColumnId, Computed>,
}

#[derive(Clone, Debug)]
pub(crate) enum WrittenDistinct {
    No,
    All,
    On(Vec<Expr>),
}

/// A key of ORDER BY.
#[derive(Clone, Debug)]
pub(crate) struct WrittenKey {
    pub source: KeySource,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    Expression(Expr),
    /// A column of a set operation, counted from 1.
    Column(usize),
}

/// An item of FROM.
#[derive(Clone, Debug)]
pub(crate) enum WrittenItem {
    Named {
        id: ItemId,
        source: WrittenSource,
        alias: Option<String>,
        columns: Vec<(ColumnId, String)>,
        columns_written: bool,
    },
    Join {
        kind: JoinKind,
        left: Box<WrittenItem>,
        right: Box<WrittenItem>,
        on: Option<Expr>,
        using: Vec<String>,
        /// The name of the merged columns: `USING (..) AS name`.
        using_alias: Option<String>,
        /// Columns that the join computes of those that it merges.
        merged: Vec<(ColumnId, String)>,
        /// It has an alias, which hides the names within.
        has_alias: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum WrittenSource {
    Relation(Oid),
    With(String),
    Query { query: Box<WrittenQuery>, lateral: bool },
    Functions { functions: Vec<TableFunction>, ordinality: bool, lateral: bool },
}

/// A window of the WINDOW clause, or behind OVER.
#[derive(Clone, Debug)]
pub(crate) struct WrittenWindow {
    pub name: Option<String>,
    pub partition: Vec<Expr>,
    pub order: Vec<WrittenKey>,
    /// None where no frame was written; then whether it says BETWEEN.
    pub frame: Option<(Frame, bool)>,
    /// It builds on another window.
    pub inherits: bool,
}

/// What computes a column that stands for part of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Computed {
    Aggregate(AggregateCall),
    Window {
        callee: WindowCallee,
        args: Vec<Expr>,
        filter: Option<Expr>,
        window: Box<WrittenWindow>,
    },
    Set {
        function: &'static nqdb_functions::Function,
        args: Vec<Expr>,
    },
    /// GROUPING(..)
    Grouping(Vec<Expr>),
}

#[derive(Default)]
pub(crate) struct Notes {
    pub queries: Vec<WrittenQuery>,
    pub items: Vec<WrittenItem>,
    /// WITH queries of the lists at hand.
    pub with: Vec<WrittenWith>,
    /// Subqueries of expressions, by their first column.
    pub subqueries: HashMap<ColumnId, WrittenQuery>,
    item_count: ItemId,
}

impl Notes {
    fn new_item(&mut self) -> ItemId {
        self.item_count += 1;
        self.item_count
    }
}

/// A stored query as it was written.
pub(crate) fn written_query(stored: &StoredQuery, cx: &BindContext<'_>) -> SqlResult<(WrittenQuery, Notes)> {
    let (tokens, parsed) = parse_stored(stored)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    binder.stored = Some(stored.clone());
    binder.notes = Some(Box::default());
    binder.bind_query(&parsed)?;
    let mut notes = binder.notes.take().ok_or_else(lost)?;
    let query = notes.queries.pop().ok_or_else(lost)?;
    Ok((query, *notes))
}

fn lost() -> SqlError {
    SqlError::internal("a note of a query was lost")
}

/// A query with nothing but a body.
fn plain(body: WrittenBody, names: Vec<String>) -> WrittenQuery {
    WrittenQuery {
        with: Vec::new(),
        recursive: false,
        body,
        order: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: false,
        names,
    }
}

fn names_of(query: &Query) -> Vec<String> {
    query.output.iter().map(|column| column.name.clone()).collect()
}

impl Binder<'_> {
    /// Runs `work` without taking notes.
    pub(super) fn unnoted<T>(&mut self, work: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        let notes = self.notes.take();
        let result = work(self);
        self.notes = notes;
        result
    }

    /// The note of the query that was bound last.
    fn take_written(&mut self) -> Option<WrittenQuery> {
        self.notes.as_mut()?.queries.pop()
    }

    /// Notes VALUES, once its rows have their types.
    pub(super) fn note_values(&mut self, query: &Query) {
        let Some(notes) = &mut self.notes else { return };
        if let Rel::Values { rows, .. } = &query.rel {
            notes.queries.push(plain(WrittenBody::Values(rows.clone()), names_of(query)));
        }
    }

    /// Notes `TABLE name`: all columns of its only item.
    pub(super) fn note_table_command(&mut self, schema: Option<&str>, name: &str, item: &FromItem) -> SqlResult<()> {
        if self.notes.is_none() {
            return Ok(());
        }
        let targets = item.columns.iter().map(|column| self.column_expr(column.id, None)).collect();
        let names = item.columns.iter().map(|column| column.name.clone()).collect();
        self.note_named_table(schema, name, None, item)?;
        let Some(notes) = &mut self.notes else { return Ok(()) };
        let select = WrittenSelect {
            distinct: WrittenDistinct::No,
            targets,
            from: notes.items.pop().into_iter().collect(),
            filter: None,
            group: Vec::new(),
            has_grouping_sets: false,
            having: None,
            windows: Vec::new(),
            computed: HashMap::new(),
        };
        notes.queries.push(plain(WrittenBody::Select(Box::new(select)), names));
        Ok(())
    }

    /// Notes a set operation over the two queries that were bound last. Constants that got their type from the other side
    /// have it there.
    pub(super) fn note_set_operation(&mut self, kind: SetKind, all: bool, query: &Query) -> SqlResult<()> {
        if self.notes.is_none() {
            return Ok(());
        }
        let (Some(mut right), Some(mut left)) = (self.take_written(), self.take_written()) else { return Err(lost()) };
        let types: Vec<Type> = query.output.iter().map(|column| column.ty).collect();
        self.type_constants(&mut left, &types)?;
        self.type_constants(&mut right, &types)?;
        // Its columns are called as those of its first query.
        let names = left.names.clone();
        let body = WrittenBody::SetOperation { kind, all, left: Box::new(left), right: Box::new(right) };
        if let Some(notes) = &mut self.notes {
            notes.queries.push(plain(body, names));
        }
        Ok(())
    }

    fn type_constants(&mut self, query: &mut WrittenQuery, types: &[Type]) -> SqlResult<()> {
        let rows: Vec<&mut Vec<Expr>> = match &mut query.body {
            WrittenBody::Select(select) => vec![&mut select.targets],
            WrittenBody::Values(rows) => rows.iter_mut().collect(),
            WrittenBody::SetOperation { left, right, .. } => {
                self.type_constants(left, types)?;
                return self.type_constants(right, types);
            }
        };
        for (expr, ty) in rows.into_iter().flat_map(|row| row.iter_mut().zip(types)) {
            if expr.ty.oid == oid::UNKNOWN {
                *expr = self.coerce_to_common(expr.clone(), *ty, "UNION")?;
            }
        }
        Ok(())
    }

    /// Adds what stands around the body of a query: ORDER BY over the columns of `query`, LIMIT.
    pub(super) fn note_tail(&mut self, query: &Query) {
        let Some(written) = self.notes.as_mut().and_then(|notes| notes.queries.last_mut()) else { return };
        let sorted = note_limit(written, &query.rel);
        if let Rel::Sort { keys, .. } = sorted {
            let place = |id: ColumnId| query.output.iter().position(|column| column.id == id).map(|at| at + 1);
            written.order = keys
                .iter()
                .filter_map(|key| {
                    let source = KeySource::Column(place(key.column)?);
                    Some(WrittenKey { source, descending: key.descending, nulls_first: key.nulls_first })
                })
                .collect();
        }
    }

    /// Adds the WITH list of a query to its note.
    pub(super) fn note_with(&mut self, before: usize, recursive: bool) {
        let Some(notes) = &mut self.notes else { return };
        let with = notes.with.split_off(before.min(notes.with.len()));
        if let Some(query) = notes.queries.last_mut() {
            query.with = with;
            query.recursive = recursive;
        }
    }

    /// How many WITH queries are noted, to be given to [`Binder::note_with`].
    pub(super) fn noted_with_count(&self) -> usize {
        self.notes.as_ref().map_or(0, |notes| notes.with.len())
    }

    /// Notes a query of a WITH list.
    pub(super) fn note_with_query(&mut self, cte: &ast::Cte, columns: Vec<String>) {
        let Some(query) = self.take_written() else { return };
        let materialized = cte.materialized.as_ref().map(|word| *word == ast::CteAsMaterialized::Materialized);
        let name = crate::names::name_of(&cte.alias.name);
        if let Some(notes) = &mut self.notes {
            notes.with.push(WrittenWith { name, columns, materialized, query });
        }
    }

    /// Notes a subquery of an expression.
    pub(super) fn note_subquery(&mut self, query: &Query) {
        let Some(written) = self.take_written() else { return };
        if let (Some(notes), Some(first)) = (&mut self.notes, query.output.first()) {
            notes.subqueries.insert(first.id, written);
        }
    }

    /// A subquery's column was computed anew.
    pub(super) fn note_replaced(&mut self, old: ColumnId, new: ColumnId) {
        if let Some(notes) = &mut self.notes
            && let Some(written) = notes.subqueries.remove(&old)
        {
            notes.subqueries.insert(new, written);
        }
    }

    /// How many items of FROM are noted, to be given to [`Binder::note_select`].
    pub(super) fn noted_item_count(&self) -> usize {
        self.notes.as_ref().map_or(0, |notes| notes.items.len())
    }

    /// Notes a SELECT whose clauses are bound and whose grouping is still to come.
    pub(super) fn note_select(&mut self, select: NotedSelect<'_>) -> SqlResult<()> {
        if self.notes.is_none() {
            return Ok(());
        }
        let scope: Scope = self.scope().clone();
        let has_grouping_sets = scope.grouping_sets.is_some();
        let order = self.written_order(select.order, select.targets)?;
        let written_windows = select.windows;
        let Some(notes) = &mut self.notes else { return Ok(()) };
        let mut computed: HashMap<ColumnId, Computed> = HashMap::new();
        for (id, call) in scope.aggregates {
            computed.insert(id, Computed::Aggregate(call));
        }
        for call in scope.groupings {
            computed.insert(call.column, Computed::Grouping(call.args().to_vec()));
        }
        for call in scope.set_calls {
            // A call with several columns is a record, which the printer does not spell.
            if let [column] = call.columns.as_slice() {
                computed.insert(column.id, Computed::Set { function: call.function, args: call.args });
            }
        }
        computed.extend(select.window_calls);
        let shown = select.targets.iter().filter(|target| target.name.is_some());
        let written = WrittenSelect {
            distinct: select.distinct,
            targets: shown.clone().map(|target| target.expr.clone()).collect(),
            from: notes.items.split_off(select.items_before.min(notes.items.len())),
            filter: select.filter,
            group: select.keys.iter().map(|(_, key)| key.clone()).collect(),
            has_grouping_sets,
            having: select.having,
            windows: written_windows.into_iter().filter(|window| window.name.is_some()).collect(),
            computed,
        };
        let names = shown.filter_map(|target| target.name.clone()).collect();
        let mut query = plain(WrittenBody::Select(Box::new(written)), names);
        query.order = order;
        query.locks = select.has_locks;
        notes.queries.push(query);
        Ok(())
    }

    fn written_order(
        &mut self,
        order: &[(usize, &ast::OrderByExpr)],
        targets: &[Target],
    ) -> SqlResult<Vec<WrittenKey>> {
        let mut keys = Vec::with_capacity(order.len());
        for (at, item) in order {
            let Some(target) = targets.get(*at) else { continue };
            let ty = if target.expr.ty.oid == oid::UNKNOWN { Type::TEXT } else { target.expr.ty };
            let key = self.sort_key(ColumnId(0), ty, &item.options, None)?;
            let source = KeySource::Expression(target.expr.clone());
            keys.push(WrittenKey { source, descending: key.descending, nulls_first: key.nulls_first });
        }
        Ok(keys)
    }

    /// Adds LIMIT to the note of the SELECT that was bound last.
    pub(super) fn note_select_limit(&mut self, query: &Query) {
        if let Some(written) = self.notes.as_mut().and_then(|notes| notes.queries.last_mut()) {
            note_limit(written, &query.rel);
        }
    }

    /// Notes an item of FROM that is no join.
    pub(super) fn note_factor(&mut self, factor: &TableFactor, item: &FromItem) -> SqlResult<()> {
        if self.notes.is_none() {
            return Ok(());
        }
        let here = self.scopes.len().saturating_sub(1);
        match factor {
            // Stays as it was written.
            TableFactor::Table { sample: Some(_), .. } => Err(lost()),
            TableFactor::Table { name, alias, args: None, .. } => {
                let named = table_name(name)?;
                self.note_named_table(named.schema.as_deref(), &named.name, alias.as_ref(), item)
            }
            TableFactor::Table { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => {
                let Rel::FunctionScan { functions, ordinality } = &item.rel else { return Err(lost()) };
                let is_outside = |part: &Expr| matches!(part.kind, ExprKind::Column(id) if self.info(id).level == here);
                let expressions = || functions.iter().flat_map(TableFunction::expressions);
                let lateral = expressions().any(|expr| walk::any(expr, &mut |part| is_outside(part)));
                let (functions, ordinality) = (functions.clone(), ordinality.is_some());
                let source = WrittenSource::Functions { functions, ordinality, lateral };
                self.note_item_of(source, alias.as_ref(), item);
                Ok(())
            }
            TableFactor::Derived { lateral, alias, .. } => {
                let query = Box::new(self.take_written().ok_or_else(lost)?);
                let source = WrittenSource::Query { query, lateral: *lateral };
                self.note_item_of(source, alias.as_ref(), item);
                Ok(())
            }
            TableFactor::NestedJoin { alias: Some(_), .. } => {
                let joined = self.notes.as_mut().and_then(|notes| notes.items.last_mut());
                if let Some(WrittenItem::Join { has_alias, .. }) = joined {
                    *has_alias = true;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_named_table(
        &mut self,
        schema: Option<&str>,
        name: &str,
        alias: Option<&ast::TableAlias>,
        item: &FromItem,
    ) -> SqlResult<()> {
        let is_with = schema.is_none() && self.common_tables.iter().any(|table| table.name == name);
        let source = if is_with {
            WrittenSource::With(name.to_owned())
        } else if let Some(stored) = self.stored_relation(schema, name) {
            WrittenSource::Relation(stored.oid)
        } else if let Some(system) = self.find_system_relation(schema, name) {
            WrittenSource::Relation(system.oid)
        } else {
            return Err(lost());
        };
        self.note_item_of(source, alias, item);
        Ok(())
    }

    fn note_item_of(&mut self, source: WrittenSource, alias: Option<&ast::TableAlias>, item: &FromItem) {
        let Some(table) = item.tables.first() else { return };
        let columns_written = alias.is_some_and(|alias| !alias.columns.is_empty());
        let columns: Vec<(ColumnId, String)> = table
            .columns
            .iter()
            .map(|column| {
                let current = match &source {
                    WrittenSource::Relation(oid) if !columns_written => self.current_column_name(*oid, column.id),
                    _ => None,
                };
                (column.id, current.unwrap_or_else(|| column.name.clone()))
            })
            .collect();
        let alias = alias.map(|_| table.name.clone());
        let Some(notes) = &mut self.notes else { return };
        let id = notes.new_item();
        notes.items.push(WrittenItem::Named { id, source, alias, columns, columns_written });
    }

    /// What a column of a relation is called now, which may be another name than when the query was stored.
    fn current_column_name(&self, relation: Oid, column: ColumnId) -> Option<String> {
        let (origin, number) = self.info(column).origin?;
        if origin != relation {
            return None;
        }
        match self.cx.catalog.relation_by_oid(relation)? {
            nqdb_catalog::Relation::Table(table) => {
                table.live_columns().find(|(_, column)| column.attnum == number).map(|(_, column)| column.name.clone())
            }
            nqdb_catalog::Relation::View(view) => {
                let at = usize::try_from(number).ok()?.checked_sub(1)?;
                view.columns.get(at).map(|column| column.name.clone())
            }
            nqdb_catalog::Relation::Sequence(_) | nqdb_catalog::Relation::Index(..) => None,
        }
    }

    /// Notes a join of the two items that were bound last. Without them the notes are of no use, and end.
    pub(super) fn note_join(
        &mut self,
        kind: JoinKind,
        using: Vec<String>,
        using_alias: Option<String>,
        item: &FromItem,
    ) {
        let Some(notes) = &mut self.notes else { return };
        let (Some(right), Some(left)) = (notes.items.pop(), notes.items.pop()) else {
            self.notes = None;
            return;
        };
        let on = match (&item.rel, using.is_empty()) {
            (Rel::Join { on, .. }, true) => on.clone(),
            _ => None,
        };
        // What no side has is a column that the join computes.
        let is_of = |side: &WrittenItem, id: ColumnId| side.columns().any(|(column, _)| *column == id);
        let merged: Vec<(ColumnId, String)> = item
            .columns
            .iter()
            .filter(|column| !is_of(&left, column.id) && !is_of(&right, column.id))
            .map(|column| (column.id, column.name.clone()))
            .collect();
        let (left, right) = (Box::new(left), Box::new(right));
        notes.items.push(WrittenItem::Join { kind, left, right, on, using, using_alias, merged, has_alias: false });
    }
}

impl WrittenItem {
    /// The columns that expressions may name through it.
    pub fn columns(&self) -> Box<dyn Iterator<Item = &(ColumnId, String)> + '_> {
        match self {
            WrittenItem::Named { columns, .. } => Box::new(columns.iter()),
            WrittenItem::Join { left, right, merged, .. } => {
                Box::new(left.columns().chain(right.columns()).chain(merged))
            }
        }
    }
}

/// What [`Binder::note_select`] is told.
pub(super) struct NotedSelect<'s> {
    pub items_before: usize,
    pub targets: &'s [Target],
    pub filter: Option<Expr>,
    pub keys: &'s [Key],
    pub having: Option<Expr>,
    pub order: &'s [(usize, &'s ast::OrderByExpr)],
    pub distinct: WrittenDistinct,
    pub windows: Vec<WrittenWindow>,
    pub window_calls: Vec<(ColumnId, Computed)>,
    pub has_locks: bool,
}

/// Takes LIMIT and OFFSET from the top of a relation; gives what is below them.
fn note_limit<'r>(written: &mut WrittenQuery, rel: &'r Rel) -> &'r Rel {
    match rel {
        Rel::Limit { input, limit, offset, ties } => {
            written.limit.clone_from(limit);
            written.offset.clone_from(offset);
            written.with_ties = !ties.is_empty();
            input
        }
        rel => rel,
    }
}
