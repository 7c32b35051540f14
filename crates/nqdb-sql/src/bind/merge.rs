//! MERGE: the join of source and table, and the actions of its WHEN clauses.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::Rights;
use nqdb_sqlstate::{DUPLICATE_ALIAS, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, MergeClauseKind, MergeInsertKind, MergeUpdateKind};

use super::Binder;
use super::access::AccessPlace;
use super::insert::Target;
use super::scope::{Clause, Scope};
use super::table_row::{Row, row_table};
use crate::ir::{Expr, JoinKind, JoinedChange, Merge, MergeAction, MergeClause, Rel};
use crate::parse::{DEFAULT_VALUES, OVERRIDING_SYSTEM, OVERRIDING_USER};
use crate::statement::Overriding;

impl Binder<'_> {
    pub(super) fn bind_merge(&mut self, merge: &ast::Merge) -> SqlResult<Merge> {
        let ast::Merge { merge_token: _, optimizer_hints: _, into, table, source, on, clauses, output } = merge;
        if !*into || output.is_some() {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error in MERGE"));
        }
        let target = ast::TableWithJoins { relation: table.clone(), joins: Vec::new() };
        let (table, alias) = self.bind_changed_table(&target, None)?;
        check_reachable(clauses)?;
        self.in_scope(Scope::new(Clause::From), |binder| {
            let mut old = binder.new_row(&table, false);
            binder.add_system_columns(&table, &mut old);
            let place = binder.note_change(&table, Rights::NONE, &old)?;
            let source = [ast::TableWithJoins { relation: source.clone(), joins: Vec::new() }];
            let others = binder.bind_other_tables(&table, &alias, &old, &source).map_err(|error| {
                if error.code() != DUPLICATE_ALIAS {
                    return error;
                }
                SqlError::new(DUPLICATE_ALIAS, format!("name \"{alias}\" specified more than once"))
                    .with_detail("The name is used both as MERGE target table and data source.")
            })?;
            let scope = binder.changed_scope(&table, &alias, &old, others.as_ref(), Clause::JoinCondition)?;
            *binder.scope() = scope;
            let on = binder.bind_boolean(on, "JOIN/ON")?;
            let both = binder.changed_scope(&table, &alias, &old, others.as_ref(), Clause::MergeWhen)?;
            let mut source_only =
                binder.changed_scope(&table, &alias, &Row::new(), others.as_ref(), Clause::MergeWhen)?;
            // The table without its columns: naming it says why that does not work.
            source_only.tables.retain(|other| other.name != alias);
            source_only.invisible.push(row_table(&table, &alias, &old));
            let mut bound = Vec::with_capacity(clauses.len());
            for clause in clauses {
                let matched = clause.clause_kind == MergeClauseKind::Matched;
                let scope = if matched { both.clone() } else { source_only.clone() };
                bound.push(
                    binder.in_scope_beside(scope, |binder| binder.bind_merge_clause(&table, clause, matched, place))?,
                );
            }
            let row = binder.new_row(&table, true);
            let checks = binder.bind_checks(&table, &row)?;
            let Some(others) = others else { return Err(SqlError::internal("a MERGE without a source")) };
            binder.drop_unused_system_columns(&mut old);
            let inserts = bound.iter().any(|clause| !clause.matched && !matches!(clause.action, MergeAction::Nothing));
            let joined = binder.join_source(&table, &alias, &old, others.rel, on.clone(), inserts);
            Ok(Merge { table, alias, old, joined, on, clauses: bound, row, checks })
        })
    }

    /// Puts other names in the place of those of the scope at hand, at the same level.
    fn in_scope_beside<T>(&mut self, scope: Scope, work: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        let before = std::mem::replace(self.scope(), scope);
        let result = work(self);
        *self.scope() = before;
        result
    }

    /// The source on the left, so that its rows come out whether they match or not.
    fn join_source(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        old: &Row,
        mut source: Rel,
        on: Expr,
        inserts: bool,
    ) -> JoinedChange {
        self.prune(&mut source);
        let (scan, address) = self.changed_scan(table, alias, old);
        let kind = if inserts { JoinKind::Left } else { JoinKind::Inner };
        let rel = Rel::Join { kind, left: Box::new(source), right: Box::new(scan), on: Some(on) };
        JoinedChange { rel, address }
    }

    fn bind_merge_clause(
        &mut self,
        table: &Arc<TableDef>,
        clause: &ast::MergeClause,
        matched: bool,
        place: AccessPlace,
    ) -> SqlResult<MergeClause> {
        let ast::MergeClause { when_token: _, clause_kind, predicate, action } = clause;
        if matches!(clause_kind, MergeClauseKind::NotMatchedByTarget | MergeClauseKind::NotMatchedBySource) {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"BY\""));
        }
        let condition = match predicate {
            Some(predicate) => Some(self.bind_boolean(predicate, "WHEN")?),
            None => None,
        };
        let needed = match action {
            ast::MergeAction::DoNothing { .. } => Rights::NONE,
            ast::MergeAction::Delete { .. } => Rights::DELETE,
            ast::MergeAction::Update(_) => Rights::UPDATE,
            ast::MergeAction::Insert(_) => Rights::INSERT,
        };
        self.note_needed(place, needed);
        let action = match action {
            ast::MergeAction::DoNothing { .. } => MergeAction::Nothing,
            ast::MergeAction::Delete { .. } => MergeAction::Delete,
            ast::MergeAction::Update(update) => {
                let MergeUpdateKind::Set(assignments) = &update.kind else {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"*\""));
                };
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"WHERE\""));
                }
                let set = self.in_clause(Clause::Update, |binder| binder.bind_assignments(table, assignments))?;
                self.note_updated(place, table, &set);
                MergeAction::Update(set)
            }
            ast::MergeAction::Insert(insert) => {
                let ast::MergeInsertExpr { insert_token: _, columns, kind_token: _, kind, insert_predicate } = insert;
                let MergeInsertKind::Values(values) = kind else {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error in the INSERT of a MERGE"));
                };
                if insert_predicate.is_some() {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"WHERE\""));
                }
                self.in_clause(Clause::Values, |binder| binder.bind_merge_insert(table, columns, values, place))?
            }
        };
        Ok(MergeClause { matched, condition, action })
    }

    fn bind_merge_insert(
        &mut self,
        table: &Arc<TableDef>,
        columns: &[ast::ObjectName],
        values: &ast::Values,
        place: AccessPlace,
    ) -> SqlResult<MergeAction> {
        let [row] = values.rows.as_slice() else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \",\""));
        };
        let (columns, overriding) = without_overriding(columns);
        let mut given: Vec<(usize, Expr)> = Vec::new();
        let items = row.content.as_slice();
        if !matches!(items, [ast::Expr::Identifier(only)] if only.value == DEFAULT_VALUES) {
            let targets = self.bind_targets(table, columns)?;
            let extra = items.get(targets.len()).and_then(|item| self.position_of(item));
            self.check_count(items.len(), &targets, !columns.is_empty(), extra)?;
            if targets.iter().any(Target::is_part) {
                return Err(SqlError::unsupported("a part of an array as a target of MERGE"));
            }
            for (item, target) in items.iter().zip(&targets) {
                given.push((target.at, self.bind_item(table, item, target, overriding)?));
            }
            let named: Vec<usize> = given.iter().map(|(at, _)| *at).collect();
            self.note_inserted(place, table, &named);
        }
        for (at, _) in table.live_columns() {
            if !given.iter().any(|(other, _)| *other == at) {
                given.push((at, self.default_of(table, at)?));
            }
        }
        Ok(MergeAction::Insert(given))
    }
}

/// The columns that are named, and the OVERRIDING that the parser put behind them.
fn without_overriding(columns: &[ast::ObjectName]) -> (&[ast::ObjectName], Option<Overriding>) {
    let marker = |name: &ast::ObjectName| match name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(marker)] if marker.value == OVERRIDING_SYSTEM => Some(Overriding::System),
        [ast::ObjectNamePart::Identifier(marker)] if marker.value == OVERRIDING_USER => Some(Overriding::User),
        _ => None,
    };
    match columns.split_last() {
        Some((last, named)) if marker(last).is_some() => (named, marker(last)),
        _ => (columns, None),
    }
}

/// 42601 for a clause behind one of its kind that takes every row.
fn check_reachable(clauses: &[ast::MergeClause]) -> SqlResult<()> {
    let mut closed = Vec::new();
    for clause in clauses {
        if closed.contains(&clause.clause_kind) {
            return Err(SqlError::new(
                SYNTAX_ERROR,
                "unreachable WHEN clause specified after unconditional WHEN clause",
            ));
        }
        if clause.predicate.is_none() {
            closed.push(clause.clause_kind);
        }
    }
    Ok(())
}
