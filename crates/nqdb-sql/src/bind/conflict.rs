//! ON CONFLICT: which indexes arbitrate, and what happens to the row that is there already.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::Rights;
use nqdb_sqlstate::{INVALID_COLUMN_REFERENCE, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_OBJECT};
use sqlparser::ast::{self, ConflictTarget, ObjectNamePart, OnConflictAction, OnInsert};

use super::Binder;
use super::access::AccessPlace;
use super::scope::{Clause, Scope};
use super::table_row::Row;
use crate::ir::{ConflictAction, OnConflict};
use crate::names::name_of;

impl Binder<'_> {
    pub(super) fn bind_on_conflict(
        &mut self,
        on: &OnInsert,
        table: &Arc<TableDef>,
        alias: &str,
        row: &Row,
        place: AccessPlace,
    ) -> SqlResult<OnConflict> {
        let OnInsert::OnConflict(ast::OnConflict { conflict_target, action }) = on else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"DUPLICATE\""));
        };
        let arbiters = match conflict_target {
            Some(target) => {
                // PostgreSQL points at the parenthesis behind ON CONFLICT.
                let position = self.conflict_token().and_then(|at| self.tokens.position(at + 2));
                let arbiters = find_arbiters(table, target, position)?;
                self.note_arbiters(place, table, &arbiters);
                arbiters
            }
            None => (0..table.indexes.len()).filter(|at| table.indexes.get(*at).is_some_and(|i| i.unique)).collect(),
        };
        let action = match action {
            OnConflictAction::DoNothing => ConflictAction::Nothing,
            OnConflictAction::DoUpdate(_) if conflict_target.is_none() => {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                let position = self.conflict_token().and_then(|at| self.tokens.position(at));
                return Err(SqlError::new(SYNTAX_ERROR, message)
                    .with_hint("For example, ON CONFLICT (column_name).")
                    .or_position(position));
            }
            OnConflictAction::DoUpdate(ast::DoUpdate { assignments, selection }) => {
                let existing = self.new_row(table, false);
                self.note_needed(place, Rights::UPDATE);
                let mut scope = Scope::new(Clause::Update);
                let mut excluded = self.target_table(table, "excluded", row)?;
                excluded.hidden_name = None;
                for item in [self.target_table(table, alias, &existing)?, excluded] {
                    scope.columns.extend(item.columns.iter().cloned());
                    scope.tables.push(item);
                }
                let update = |binder: &mut Self| {
                    let set = binder.bind_assignments(table, assignments)?;
                    binder.note_updated(place, table, &set);
                    let predicate = match selection {
                        Some(selection) => {
                            Some(binder.in_clause(Clause::Where, |binder| binder.bind_boolean(selection, "WHERE"))?)
                        }
                        None => None,
                    };
                    Ok((set, predicate))
                };
                let in_scope = |binder: &mut Self| binder.in_scope(scope, update);
                // What EXCLUDED gives is read of the table too, as far as privileges go.
                let ((set, predicate), read) = self.reading(table, &[&existing, row], in_scope)?;
                self.note_more(place, |access| access.columns.selected.extend(read));
                ConflictAction::Update { existing, set, predicate }
            }
        };
        Ok(OnConflict { arbiters, action })
    }

    /// The ON of `ON CONFLICT`.
    fn conflict_token(&self) -> Option<usize> {
        let tokens = &self.tokens;
        (1..tokens.len()).rev().find(|at| tokens.is(*at, "conflict") && tokens.is(at - 1, "on")).map(|at| at - 1)
    }
}

/// The unique indexes over exactly the named columns (inference), or the one of the named constraint.
fn find_arbiters(table: &TableDef, target: &ConflictTarget, position: Option<u32>) -> SqlResult<Vec<usize>> {
    match target {
        ConflictTarget::Columns(columns) => {
            let mut wanted = Vec::with_capacity(columns.len());
            for column in columns {
                let name = name_of(column);
                let Some(at) = table.column_named(&name) else {
                    let message = format!("column \"{name}\" does not exist");
                    return Err(SqlError::new(UNDEFINED_COLUMN, message).or_position(position));
                };
                if !wanted.contains(&at) {
                    wanted.push(at);
                }
            }
            let matches = |at: &usize| {
                table.indexes.get(*at).is_some_and(|index| {
                    index.unique
                        && index.key.iter().all(|part| wanted.contains(&part.column))
                        && wanted.iter().all(|column| index.key.iter().any(|part| part.column == *column))
                })
            };
            let arbiters: Vec<usize> = (0..table.indexes.len()).filter(matches).collect();
            if arbiters.is_empty() {
                let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
                return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
            }
            Ok(arbiters)
        }
        ConflictTarget::OnConstraint(name) => {
            let [ObjectNamePart::Identifier(identifier)] = name.0.as_slice() else {
                return Err(SqlError::new(SYNTAX_ERROR, "a constraint's name has no schema"));
            };
            let name = name_of(identifier);
            let found = table.indexes.iter().position(|index| index.constraint && index.name == name);
            match found {
                Some(at) => Ok(vec![at]),
                None if table.has_constraint_named(&name) => Err(SqlError::new(
                    nqdb_sqlstate::WRONG_OBJECT_TYPE,
                    "constraint in ON CONFLICT clause has no associated index",
                )),
                None => {
                    let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
                    Err(SqlError::new(UNDEFINED_OBJECT, message))
                }
            }
        }
    }
}
