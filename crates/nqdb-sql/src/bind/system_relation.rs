//! Relations of `pg_catalog` and `information_schema` in FROM: scans of system relations, and system views, whose
//! queries are bound in their place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nqdb_catalog::{PG_CATALOG_OID, SequenceDef};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Type;
use sqlparser::ast;

use super::Binder;
use super::from::FromItem;
use super::scope::{ScopeColumn, ScopeTable};
use crate::ir::{ColumnId, Query, Rel};
use crate::parse::Tokens;
use crate::statement::StatementKind;
use crate::system::{self, Source, SystemRelation};

/// The attribute number of `tableoid`.
const TABLEOID: i16 = -6;

/// A parsed system view.
type ParsedView = (Arc<Tokens>, Arc<ast::Query>);

/// System views by number, parsed when they are first named.
static PARSED_VIEWS: OnceLock<Mutex<HashMap<u32, ParsedView>>> = OnceLock::new();

impl Binder<'_> {
    /// The system relation that a name means, if no stored one comes before it on the search path.
    pub(super) fn find_system_relation(&self, schema: Option<&str>, name: &str) -> Option<&'static SystemRelation> {
        let catalog = self.cx.catalog;
        if let Some(schema) = schema {
            return system::named(catalog.schema(schema)?.oid, name);
        }
        let path: &[u32] = if self.in_system_view { &[PG_CATALOG_OID] } else { self.cx.search_path };
        for schema in path {
            if let Some(found) = system::named(*schema, name) {
                return Some(found);
            }
            if catalog.relation(*schema, name).is_some() {
                return None;
            }
        }
        None
    }

    /// A system relation as an item of FROM.
    pub(super) fn bind_system_relation(&mut self, relation: &'static SystemRelation) -> SqlResult<FromItem> {
        match relation.source {
            Source::Query(text) => self.bind_system_view(relation, text),
            Source::Rows { .. } | Source::Nothing => Ok(self.system_scan(relation)),
        }
    }

    fn system_scan(&mut self, relation: &'static SystemRelation) -> FromItem {
        let mut ids = Vec::with_capacity(relation.columns.len());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for (at, column) in relation.columns.iter().enumerate() {
            let origin = Some((relation.oid, at as i16 + 1));
            let id = self.new_column(column.value_type(), !column.not_null, origin);
            ids.push((at, id));
            columns.push(ScopeColumn { name: column.name.to_string(), id });
        }
        // Behind the columns, and under none of their names: `tableoid`.
        let id = self.new_column(Type::OID, false, Some((relation.oid, TABLEOID)));
        ids.push((relation.columns.len(), id));
        let alias = relation.name.to_string();
        let rel = Rel::SystemScan { relation, alias, columns: ids, object: 0 };
        let item = item_of(relation, rel, columns);
        // What a system view reads is not the user's doing.
        if !self.in_system_view && relation.oid != 0 {
            self.note_item(relation.oid, 1.., &item);
        }
        item
    }

    /// A sequence as an item of FROM: one row with its state.
    pub(super) fn sequence_scan(&mut self, sequence: &SequenceDef, schema: &str) -> FromItem {
        let mut item = self.system_scan(&system::SEQUENCE_STATE);
        self.note_item(sequence.oid, 1.., &item);
        if let Rel::SystemScan { alias, object, .. } = &mut item.rel {
            alias.clone_from(&sequence.name);
            *object = sequence.oid;
        }
        for table in &mut item.tables {
            table.name.clone_from(&sequence.name);
            table.schema = Some(schema.to_string());
        }
        item
    }

    /// The `tableoid` of an item of FROM that is a system relation.
    pub(super) fn system_tableoid(&self, table: &ScopeTable) -> Option<ColumnId> {
        let first = table.columns.first()?.id;
        let (oid, _) = self.info(first).origin?;
        let relation = system::by_oid(oid).filter(|relation| !relation.is_view())?;
        let id = ColumnId(first.0.checked_add(u32::try_from(relation.columns.len()).ok()?)?);
        let found = self.columns.get(id.0 as usize)?;
        let belongs = found.origin == Some((oid, TABLEOID)) && found.level == self.info(first).level;
        belongs.then_some(id)
    }

    fn bind_system_view(&mut self, relation: &'static SystemRelation, text: &'static str) -> SqlResult<FromItem> {
        let (tokens, parsed) = parsed_view(relation, text)?;
        let outer_tokens = std::mem::replace(&mut self.tokens, tokens);
        let outer_scopes = std::mem::take(&mut self.scopes);
        let outer_common_tables = std::mem::take(&mut self.common_tables);
        let outer_in_view = std::mem::replace(&mut self.in_system_view, true);
        // The view sees none of the names around it, but its scopes count on from theirs.
        self.scopes = outer_scopes.iter().map(|scope| super::Scope::new(scope.clause)).collect();
        let bound = self.unnoted(|binder| binder.bind_query(&parsed));
        self.tokens = outer_tokens;
        self.scopes = outer_scopes;
        self.common_tables = outer_common_tables;
        self.in_system_view = outer_in_view;
        let query = bound.map_err(|error| view_fault(relation, &error))?;
        self.adopt_view(relation, query)
    }

    /// The columns of a view get the names and types that the relation declares.
    fn adopt_view(&mut self, relation: &'static SystemRelation, query: Query) -> SqlResult<FromItem> {
        let Query { mut rel, output } = query;
        if output.len() != relation.columns.len() {
            let message = format!("view {} has {} columns", relation.name, output.len());
            return Err(SqlError::internal(message));
        }
        let mut computed = Vec::new();
        let mut columns = Vec::with_capacity(output.len());
        for (at, (found, column)) in output.iter().zip(relation.columns).enumerate() {
            let expr = self.column_expr(found.id, None);
            let expr = self.coerce(expr, column.value_type(), nqdb_functions::CastContext::Explicit, None)?;
            let nullable = expr.nullable;
            let id = self.new_column(column.value_type(), nullable, Some((relation.oid, at as i16 + 1)));
            computed.push((id, expr));
            columns.push(ScopeColumn { name: column.name.to_string(), id });
        }
        rel = Rel::Extend { input: Box::new(rel), columns: computed };
        let item = item_of(relation, rel, columns);
        if !self.in_system_view {
            self.note_item(relation.oid, 1.., &item);
        }
        Ok(item)
    }
}

fn item_of(relation: &SystemRelation, rel: Rel, columns: Vec<ScopeColumn>) -> FromItem {
    let table = ScopeTable {
        name: relation.name.to_string(),
        schema: Some(relation.schema_name().to_string()),
        table: None,
        columns: columns.clone(),
        hidden_name: None,
        is_value: false,
        system: Vec::new(),
        row: None,
    };
    FromItem { rel, tables: vec![table], columns, hidden: Vec::new() }
}

fn parsed_view(relation: &'static SystemRelation, text: &'static str) -> SqlResult<ParsedView> {
    let views = PARSED_VIEWS.get_or_init(Mutex::default);
    let mut views = views.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = views.get(&relation.oid) {
        return Ok(known.clone());
    }
    let parsed = crate::parse::parse(text).map_err(|error| view_fault(relation, &error))?;
    let Some(parsed) = parsed.into_iter().next() else { return Err(SqlError::internal("a view without a query")) };
    let StatementKind::Rows(statement) = &parsed.kind else { return Err(SqlError::internal("a view without a query")) };
    let ast::Statement::Query(query) = &statement.ast else { return Err(SqlError::internal("a view without a query")) };
    let view = (Arc::clone(&parsed.tokens), Arc::new(ast::Query::clone(query)));
    views.insert(relation.oid, view.clone());
    Ok(view)
}

/// A system view that does not bind: a fault of ours.
fn view_fault(relation: &SystemRelation, error: &SqlError) -> SqlError {
    SqlError::internal(format!("view {}: {}", relation.name, error.message()))
}
