//! Views in FROM, and the queries that definitions store.
//!
//! A view is bound in its place: its stored text is parsed and bound like a subquery, except that relation names mean what
//! they meant when it was stored ([`nqdb_catalog::StoredQuery`]). Analysing a query that is to be stored records what its
//! names mean.

use std::sync::Arc;

use nqdb_catalog::{NamedColumn, NamedRelation, Relation, StoredQuery, TableDef, ViewDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{OBJECT_NOT_IN_PREREQUISITE_STATE, SqlError, SqlResult};
use nqdb_types::{Oid, Type};
use sqlparser::ast;

use super::from::{FromItem, whole_row_of};
use super::scope::{Clause, Scope, ScopeColumn, ScopeTable};
use super::{BindContext, Binder};
use crate::definition::Definition;
use crate::ir::{Bound, ColumnId, Insert, Query, Rel};
use crate::params::ParamTypes;
use crate::parse::{Tokens, parse};
use crate::rights::Access;
use crate::statement::{Parsed, StatementKind};

/// Views that one statement may expand; beyond it 54001.
const VIEWS_MAX: usize = 2_000;

/// A query that is to be stored.
pub struct AnalyzedQuery {
    /// Names and types of its columns.
    pub columns: Vec<(String, Type)>,
    pub stored: StoredQuery,
}

/// A relation that the query at hand named.
pub(super) struct Recorded {
    schema: Option<String>,
    name: String,
    oid: u32,
    columns: Vec<(i16, String, ColumnId)>,
}

/// Binds a query for what its columns are and what its names mean; its parameters have these types.
pub fn analyze_query(parsed: &Parsed, types: &[Oid], cx: &BindContext<'_>) -> SqlResult<AnalyzedQuery> {
    let query = query_of(parsed)?;
    let mut params = ParamTypes::given(types);
    let mut binder = Binder::new(cx, Arc::clone(&parsed.tokens), &mut params);
    binder.recorded = Some(Vec::new());
    binder.recorded_types = Some(Vec::new());
    binder.recorded_attributes = Some(Vec::new());
    let bound = binder.bind_statement_query(query)?;
    let recorded = binder.recorded.take().unwrap_or_default();
    let types = binder.recorded_types.take().unwrap_or_default();
    let attributes = binder.recorded_attributes.take().unwrap_or_default();
    let mut relations: Vec<NamedRelation> = Vec::new();
    for relation in recorded {
        let is_used = |id: &ColumnId| binder.columns.get(id.0 as usize).is_some_and(|info| info.used);
        let columns = relation.columns.iter();
        let columns: Vec<NamedColumn> = columns
            .map(|(attnum, name, id)| NamedColumn { attnum: *attnum, name: name.clone(), used: is_used(id) })
            .collect();
        let known = relations.iter_mut().find(|known| known.schema == relation.schema && known.name == relation.name);
        match known {
            Some(known) => {
                for (known, again) in known.columns.iter_mut().zip(&columns) {
                    known.used |= again.used;
                }
            }
            None => relations.push(NamedRelation {
                schema: relation.schema,
                name: relation.name,
                oid: relation.oid,
                columns,
            }),
        }
    }
    binder.params.finish()?;
    let columns = bound.output.iter().map(|column| (column.name.clone(), column.ty)).collect();
    Ok(AnalyzedQuery { columns, stored: StoredQuery { text: parsed.text.to_string(), relations, types, attributes } })
}

/// Binds the filling of a new table with the rows of a query, whose columns are the table's.
pub fn bind_fill(
    parsed: &Parsed,
    types: &[Oid],
    table: &Arc<TableDef>,
    cx: &BindContext<'_>,
) -> SqlResult<(Bound, Vec<Access>)> {
    let query = query_of(parsed)?;
    let mut params = ParamTypes::given(types);
    let mut binder = Binder::new(cx, Arc::clone(&parsed.tokens), &mut params);
    let source = binder.bind_statement_query(query)?;
    Ok((binder.fill(table, source)?, binder.take_accesses()))
}

/// As [`bind_fill`], for the query of a materialized view.
pub fn bind_refill(
    stored: &StoredQuery,
    table: &Arc<TableDef>,
    cx: &BindContext<'_>,
) -> SqlResult<(Bound, Vec<Access>)> {
    let (tokens, _) = parse_stored(stored)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    let source = binder.bind_stored(stored)?;
    Ok((binder.fill(table, source)?, binder.take_accesses()))
}

fn query_of(parsed: &Parsed) -> SqlResult<&ast::Query> {
    if let StatementKind::Define(definition) = &parsed.kind
        && matches!(**definition, Definition::TableAs(_))
    {
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, "views must not contain SELECT INTO"));
    }
    let StatementKind::Rows(statement) = &parsed.kind else {
        return Err(SqlError::unsupported("this form of query in a definition"));
    };
    match &statement.ast {
        ast::Statement::Query(query) if !super::is_change(&query.body) => Ok(query),
        ast::Statement::Query(_) => Err(SqlError::new(
            nqdb_sqlstate::FEATURE_NOT_SUPPORTED,
            "views must not contain data-modifying statements in WITH",
        )),
        _ => Err(SqlError::unsupported("this form of query in a definition")),
    }
}

pub(super) fn parse_stored(stored: &StoredQuery) -> SqlResult<(Arc<Tokens>, ast::Query)> {
    let mut parsed = parse(&stored.text).map_err(SqlError::without_position)?;
    let Some(parsed) = parsed.pop() else { return Err(SqlError::internal("a view without a query")) };
    let query = ast::Query::clone(query_of(&parsed)?);
    Ok((parsed.tokens, query))
}

impl Binder<'_> {
    /// What a relation name means in the stored query at hand.
    pub(super) fn stored_relation(&self, schema: Option<&str>, name: &str) -> Option<NamedRelation> {
        self.stored.as_ref()?.relation(schema, name).cloned()
    }

    /// A relation of a stored query, under its name and columns of then.
    pub(super) fn bind_named(&mut self, named: &NamedRelation, position: Option<u32>) -> SqlResult<FromItem> {
        let Some(relation) = self.cx.catalog.relation_by_oid(named.oid).cloned() else {
            return Err(SqlError::internal(format!("relation {} of a stored query is gone", named.oid)));
        };
        let mut item = match &relation {
            Relation::Table(table) => {
                self.expect_populated(table)?;
                self.scan(table, position)
            }
            Relation::View(view) => self.bind_view(view)?,
            Relation::Sequence(sequence) => {
                let schema = self.cx.catalog.schema_by_oid(sequence.schema);
                self.sequence_scan(sequence, schema.map_or("", |schema| schema.name.as_str()))
            }
            Relation::Index(..) => {
                return Err(SqlError::internal("a stored query reads something without rows"));
            }
        };
        self.restore_names(&relation, named, &mut item);
        Ok(item)
    }

    /// Gives an item the name and the columns that it had when the query was stored.
    fn restore_names(&self, relation: &Relation, named: &NamedRelation, item: &mut FromItem) {
        let numbers: Vec<i16> = match relation {
            Relation::Table(table) => table.live_columns().map(|(_, column)| column.attnum).collect(),
            Relation::View(_) | Relation::Sequence(_) | Relation::Index(..) => (1..).take(item.columns.len()).collect(),
        };
        let mut columns = Vec::with_capacity(named.columns.len());
        for wanted in &named.columns {
            let at = numbers.iter().position(|number| *number == wanted.attnum);
            if let Some(column) = at.and_then(|at| item.columns.get(at)) {
                columns.push(ScopeColumn { name: wanted.name.clone(), id: column.id });
            }
        }
        if let Some(table) = item.tables.first_mut() {
            table.columns.clone_from(&columns);
            table.name.clone_from(&named.name);
            table.schema = named.schema.clone().or_else(|| table.schema.clone());
        }
        item.columns = columns;
    }

    /// A view as an item of FROM.
    pub(super) fn bind_view(&mut self, view: &Arc<ViewDef>) -> SqlResult<FromItem> {
        self.views += 1;
        if self.views > VIEWS_MAX {
            return Err(crate::parse::stack_depth_error());
        }
        let place = self.note_read(view.oid, Vec::new());
        let outer_role = self.acting_role;
        if !view.security_invoker() {
            self.acting_role = Some(view.owner);
        }
        let bound = self.bind_stored(&view.query);
        self.acting_role = outer_role;
        let Query { mut rel, output } = bound?;
        if view.security_barrier() {
            // Nothing moves below a LIMIT: no condition of the query sees a row that the view's own conditions have not.
            rel = Rel::Limit { input: Box::new(rel), limit: None, offset: None, ties: Vec::new() };
        }
        if output.len() != view.columns.len() {
            let message = format!("view \"{}\" gives {} columns", view.name, output.len());
            return Err(SqlError::internal(message));
        }
        let mut computed = Vec::with_capacity(output.len());
        let mut columns = Vec::with_capacity(output.len());
        for (at, (found, column)) in output.iter().zip(&view.columns).enumerate() {
            let expr = self.column_expr(found.id, None);
            let expr = self.coerce(expr, column.ty(), CastContext::Explicit, None)?;
            let id = self.new_column(column.ty(), expr.nullable, Some((view.oid, at as i16 + 1)));
            computed.push((id, expr));
            columns.push(ScopeColumn { name: column.name.clone(), id });
        }
        let table = ScopeTable {
            name: view.name.clone(),
            schema: self.cx.catalog.schema_by_oid(view.schema).map(|schema| schema.name.clone()),
            table: None,
            row: whole_row_of(&Relation::View(Arc::clone(view)), &columns),
            columns: columns.clone(),
            hidden_name: None,
            is_value: false,
            system: Vec::new(),
        };
        self.note_columns(place, (1..).zip(columns.iter().map(|column| column.id)).collect());
        let rel = Rel::Extend { input: Box::new(rel), columns: computed };
        Ok(FromItem { rel, tables: vec![table], columns, hidden: Vec::new() })
    }

    /// Binds a stored query; it sees none of the names around it.
    fn bind_stored(&mut self, stored: &StoredQuery) -> SqlResult<Query> {
        let (tokens, parsed) = parse_stored(stored)?;
        self.in_stored(stored, &tokens, |binder| binder.bind_query(&parsed))
    }

    /// Runs `work` on a part of a stored query, which sees none of the names around it.
    pub(super) fn in_stored<T>(
        &mut self,
        stored: &StoredQuery,
        tokens: &Arc<Tokens>,
        work: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let outer_tokens = std::mem::replace(&mut self.tokens, Arc::clone(tokens));
        let outer_scopes = std::mem::take(&mut self.scopes);
        let outer_common_tables = std::mem::take(&mut self.common_tables);
        let outer_stored = self.stored.replace(stored.clone());
        let outer_recorded = self.recorded.take();
        let outer_recorded_types = self.recorded_types.take();
        let outer_recorded_attributes = self.recorded_attributes.take();
        let outer_recursion = std::mem::take(&mut self.recursion);
        let outer_later_names = std::mem::take(&mut self.later_with_names);
        let outer_notes = self.notes.take();
        // Its scopes count on from those around it.
        self.scopes = outer_scopes.iter().map(|scope| Scope::new(scope.clause)).collect();
        let bound = work(self);
        self.tokens = outer_tokens;
        self.scopes = outer_scopes;
        self.common_tables = outer_common_tables;
        self.stored = outer_stored;
        self.recorded = outer_recorded;
        self.recorded_types = outer_recorded_types;
        self.recorded_attributes = outer_recorded_attributes;
        self.recursion = outer_recursion;
        self.later_with_names = outer_later_names;
        self.notes = outer_notes;
        bound.map_err(SqlError::without_position)
    }

    /// Notes what a name means, while a query is analysed that is to be stored.
    pub(super) fn record(&mut self, schema: Option<&str>, name: &str, relation: &Relation, item: &FromItem) {
        let Some(recorded) = &mut self.recorded else { return };
        let numbers: Vec<i16> = match relation {
            Relation::Table(table) => table.live_columns().map(|(_, column)| column.attnum).collect(),
            _ => (1..).take(item.columns.len()).collect(),
        };
        let columns = numbers.into_iter().zip(&item.columns);
        let columns = columns.map(|(number, column)| (number, column.name.clone(), column.id)).collect();
        let schema = schema.map(str::to_owned);
        recorded.push(Recorded { schema, name: name.to_owned(), oid: relation.oid(), columns });
    }

    /// 55000 for a materialized view that was never filled.
    pub(super) fn expect_populated(&self, table: &TableDef) -> SqlResult<()> {
        let unpopulated = table.materialized.as_ref().is_some_and(|materialized| !materialized.populated);
        // A definition may name it, and be printed: it will be read later.
        if !unpopulated || self.recorded.is_some() || self.notes.is_some() {
            return Ok(());
        }
        let message = format!("materialized view \"{}\" has not been populated", table.name);
        Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Use the REFRESH MATERIALIZED VIEW command."))
    }

    pub(super) fn fill(&mut self, table: &Arc<TableDef>, source: Query) -> SqlResult<Bound> {
        self.in_scope(Scope::new(Clause::Values), |binder| {
            let row = binder.new_row(table, true);
            let targets = table.live_columns().map(|(at, _)| at).collect();
            Ok(Bound::Insert(Insert {
                table: Arc::clone(table),
                source,
                targets,
                defaults: Vec::new(),
                row,
                generated: Vec::new(),
                checks: Vec::new(),
                on_conflict: None,
                returning: None,
            }))
        })
    }
}
