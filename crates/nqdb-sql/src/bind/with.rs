//! WITH: the queries of a list, the references to them, and what is left of the list around the query.
//!
//! What always holds:
//! 1. A WITH query is bound once, where it is written; a reference makes new columns for its rows.
//! 2. A name reaches from its place in the list to the end of the query; with RECURSIVE also to the queries before it.
//! 3. Queries that change rows stand at the top of a statement only (manual 7.8.4).

use nqdb_functions::Volatility;
use nqdb_sqlstate::{
    DUPLICATE_ALIAS, FEATURE_NOT_SUPPORTED, INVALID_COLUMN_REFERENCE, INVALID_RECURSION, SYNTAX_ERROR, SqlError,
    SqlResult,
};
use nqdb_types::Type;
use sqlparser::ast;

use super::from::FromItem;
use super::scope::{ScopeColumn, ScopeTable};
use super::with_inline::inline;
use super::with_recursive::{dependency_order, references};
use super::{Binder, is_change, span_position, walk};
use crate::ir::{Bound, ColumnId, ExprKind, OutputColumn, Query, Rel, WithBody, WithId, WithQuery};
use crate::names::name_of;
use crate::parse::recursion_clauses;

/// A WITH query in reach.
#[derive(Clone, Debug)]
pub(super) struct CommonTable {
    pub(super) name: String,
    pub(super) id: WithId,
    pub(super) columns: Vec<CommonColumn>,
    pub(super) kind: CommonKind,
    pub(super) reference_count: usize,
    /// How many of the last columns `*` leaves out: those of SEARCH and CYCLE within their own query.
    pub(super) hidden_count: usize,
}

/// A column of a WITH query.
#[derive(Clone, Debug)]
pub(super) struct CommonColumn {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) nullable: bool,
    pub(super) origin: Option<(u32, i16)>,
}

/// What a reference to a WITH name reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommonKind {
    Query,
    /// A change without RETURNING.
    Silent,
    /// The query itself, in its non-recursive term.
    InSeed,
    /// The query itself, in its recursive term.
    InStep,
}

/// A WITH query that will stand around the query at hand.
pub(super) struct PendingWith {
    query: WithQuery,
    /// It may stand in the place of its only reference.
    can_move: bool,
}

/// In what a recursive term the reference to the recursion itself would stand, each counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recursion {
    pub(super) expressions: usize,
    pub(super) outer_joins: usize,
    pub(super) excepts: usize,
    pub(super) intersects: usize,
}

impl Binder<'_> {
    /// Binds a query with the WITH queries of its own, which end with it.
    pub(super) fn with_own_queries(&mut self, bind: impl FnOnce(&mut Self) -> SqlResult<Query>) -> SqlResult<Query> {
        let at_top = std::mem::take(&mut self.at_top);
        let common_before = self.common_tables.len();
        let pending_before = std::mem::take(&mut self.pending_with);
        let later_before = self.later_with_names.len();
        self.at_top = at_top;
        let result = bind(self);
        self.at_top = false;
        self.later_with_names.truncate(later_before);
        let pending = std::mem::replace(&mut self.pending_with, pending_before);
        let common: Vec<CommonTable> = self.common_tables.drain(common_before..).collect();
        Ok(self.surround(result?, pending, &common))
    }

    /// The WITH queries in front of a change, none of them moved.
    pub(super) fn take_with_queries(&mut self) -> Vec<WithQuery> {
        std::mem::take(&mut self.pending_with).into_iter().map(|pending| pending.query).collect()
    }

    /// Puts WITH queries around the query that they belong to.
    fn surround(&mut self, mut query: Query, pending: Vec<PendingWith>, common: &[CommonTable]) -> Query {
        if pending.is_empty() {
            return query;
        }
        if pending.iter().any(|pending| matches!(pending.query.body, WithBody::Change(_))) {
            self.statement_with = pending.into_iter().map(|pending| pending.query).collect();
            return query;
        }
        let references = |id: WithId| common.iter().find(|table| table.id == id).map_or(0, |t| t.reference_count);
        let mut kept: Vec<WithQuery> = Vec::with_capacity(pending.len());
        for PendingWith { query: with, can_move } in pending.into_iter().rev() {
            match (references(with.id), with.body) {
                (0, _) => {}
                (1, WithBody::Query(body)) if can_move => {
                    let mut body = Some(body);
                    for later in &mut kept {
                        if let WithBody::Query(later) = &mut later.body {
                            inline(&mut later.rel, with.id, &mut body);
                        }
                    }
                    inline(&mut query.rel, with.id, &mut body);
                }
                (_, body) => kept.insert(0, WithQuery { body, ..with }),
            }
        }
        if !kept.is_empty() {
            let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
            query.rel = Rel::With { queries: kept, input };
        }
        query
    }

    /// Binds the queries of a WITH list and brings their names into reach.
    pub(super) fn bind_with(&mut self, with: &ast::With) -> SqlResult<()> {
        let ast::With { with_token: _, recursive, cte_tables } = with;
        let at_top = std::mem::take(&mut self.at_top);
        let mut names: Vec<String> = Vec::with_capacity(cte_tables.len());
        for cte in cte_tables {
            let name = name_of(&cte.alias.name);
            let position = span_position(cte.alias.name.span);
            if names.contains(&name) {
                let message = format!("WITH query name \"{name}\" specified more than once");
                return Err(SqlError::new(DUPLICATE_ALIAS, message).or_position(position));
            }
            if is_change(&cte.query.body) && !at_top {
                let message = "WITH clause containing a data-modifying statement must be at the top level";
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
            }
            names.push(name);
        }
        let order = if *recursive { dependency_order(cte_tables, &names)? } else { (0..cte_tables.len()).collect() };
        let later_before = self.later_with_names.len();
        if !recursive {
            self.later_with_names.extend(names.iter().rev().cloned());
        }
        for at in order {
            let Some(cte) = cte_tables.get(at) else { continue };
            let is_recursive = *recursive && references(&cte.query, &cte.alias.name);
            self.bind_with_query(cte, is_recursive)?;
            if !recursive {
                self.later_with_names.pop();
            }
        }
        self.later_with_names.truncate(later_before);
        Ok(())
    }

    fn bind_with_query(&mut self, cte: &ast::Cte, is_recursive: bool) -> SqlResult<()> {
        let ast::Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
        let ast::TableAlias { explicit: _, name, columns, at } = alias;
        if from.is_some() || at.is_some() {
            return Err(SqlError::unsupported("this form of WITH"));
        }
        let position = span_position(name.span);
        let name = name_of(name);
        let mut aliases = Vec::with_capacity(columns.len());
        for ast::TableAliasColumnDef { name, data_type } in columns {
            if data_type.is_some() {
                return Err(SqlError::unsupported("a column type in an alias"));
            }
            aliases.push(name_of(name));
        }
        let id = self.new_with_id();
        let (body, mut output, kind) = if is_change(&query.body) {
            if matches!(*query.body, ast::SetExpr::Merge(_)) {
                let message = "MERGE not supported in WITH query";
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
            }
            if is_recursive {
                let message = format!("recursive query \"{name}\" must not contain data-modifying statements");
                return Err(SqlError::new(INVALID_RECURSION, message).or_position(position));
            }
            let change = self.bind_with_change(query)?;
            let output = change.output();
            let kind = if output.is_some() { CommonKind::Query } else { CommonKind::Silent };
            (WithBody::Change(Box::new(change)), output.unwrap_or_default(), kind)
        } else {
            let query = match recursion_clauses(query) {
                Some((plain, clauses)) if is_recursive => {
                    self.bind_recursive_query(&plain, &name, &aliases, Some(&clauses), position)?
                }
                Some(_) => {
                    return Err(SqlError::new(SYNTAX_ERROR, "WITH query is not recursive").or_position(position));
                }
                None if is_recursive => self.bind_recursive_query(query, &name, &aliases, None, position)?,
                None => self.bind_query(query)?,
            };
            let output = query.output.clone();
            (WithBody::Query(query), output, CommonKind::Query)
        };
        check_alias_count(&name, output.len(), aliases.len(), position)?;
        self.note_with_query(cte, aliases.clone());
        for (column, alias) in output.iter_mut().zip(aliases) {
            column.name = alias;
        }
        let may_move = !is_recursive && *materialized != Some(ast::CteAsMaterialized::Materialized);
        let can_move = may_move && matches!(&body, WithBody::Query(query) if !is_volatile(query));
        let columns = output.iter().map(|column| self.common_column(column)).collect();
        let table = CommonTable { name: name.clone(), id, columns, kind, reference_count: 0, hidden_count: 0 };
        self.common_tables.push(table);
        self.pending_with.push(PendingWith { query: WithQuery { id, name, body }, can_move });
        Ok(())
    }

    /// INSERT, UPDATE or DELETE in a WITH list; its own WITH becomes part of the list.
    fn bind_with_change(&mut self, query: &ast::Query) -> SqlResult<Bound> {
        let common_before = self.common_tables.len();
        self.bind_with_alone(query)?;
        let change = self.bind_change(&query.body, None);
        // Its own queries stay in the statement's list, but out of reach.
        for table in self.common_tables.iter_mut().skip(common_before) {
            table.name.clear();
        }
        change
    }

    pub(super) fn new_with_id(&mut self) -> WithId {
        self.next_with += 1;
        WithId(self.next_with - 1)
    }

    pub(super) fn common_column(&self, column: &OutputColumn) -> CommonColumn {
        let nullable = self.columns.get(column.id.0 as usize).is_none_or(|info| info.nullable);
        CommonColumn { name: column.name.clone(), ty: column.ty, nullable, origin: column.origin }
    }

    /// A WITH name in FROM: a scan of its rows, with columns of its own.
    pub(super) fn bind_with_reference(&mut self, at: usize, position: Option<u32>) -> SqlResult<FromItem> {
        let Some(table) = self.common_tables.get_mut(at) else { return Err(SqlError::internal("no such WITH query")) };
        table.reference_count += 1;
        let CommonTable { name, id, columns: common, kind, reference_count, hidden_count } = table.clone();
        match kind {
            CommonKind::Query => {}
            CommonKind::Silent => {
                let message = format!("WITH query \"{name}\" does not have a RETURNING clause");
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
            }
            CommonKind::InSeed | CommonKind::InStep => {
                self.check_self_reference(&name, kind, reference_count, position)?;
            }
        }
        let mut columns = Vec::with_capacity(common.len());
        let mut scanned: Vec<(usize, ColumnId, Type)> = Vec::with_capacity(common.len());
        for (at, column) in common.into_iter().enumerate() {
            let id = self.new_column(column.ty, column.nullable, column.origin);
            scanned.push((at, id, column.ty));
            columns.push(ScopeColumn { name: column.name, id });
        }
        let hidden = columns.len().saturating_sub(hidden_count);
        self.not_in_star.extend(columns.iter().skip(hidden).map(|column| column.id));
        let rel = if kind == CommonKind::InStep {
            self.scope().reads_recursion = true;
            Rel::WorkTable { id, name: name.clone(), columns: scanned }
        } else {
            Rel::WithScan { id, name: name.clone(), columns: scanned }
        };
        let table = ScopeTable {
            name,
            schema: None,
            table: None,
            columns: columns.clone(),
            hidden_name: None,
            is_value: false,
            system: Vec::new(),
            row: None,
        };
        Ok(FromItem { rel, tables: vec![table], columns, hidden: Vec::new() })
    }
}

/// 42P10 for more names than columns.
pub(super) fn check_alias_count(name: &str, columns: usize, aliases: usize, position: Option<u32>) -> SqlResult<()> {
    if aliases <= columns {
        return Ok(());
    }
    let message = format!("WITH query \"{name}\" has {columns} columns available but {aliases} columns specified");
    Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position))
}

fn is_volatile(query: &Query) -> bool {
    walk::any_in_query(query, &mut |expr| match &expr.kind {
        ExprKind::Call { function, .. } => function.volatility == Volatility::Volatile,
        _ => false,
    })
}
