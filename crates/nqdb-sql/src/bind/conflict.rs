//! ON CONFLICT: which indexes arbitrate, and what happens to the row that is there already.

use std::sync::Arc;

use nqdb_catalog::rights::Rights;
use nqdb_catalog::{KeyOptions, TableDef};
use nqdb_sqlstate::{
    INVALID_COLUMN_REFERENCE, OBJECT_NOT_IN_PREREQUISITE_STATE, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN,
    UNDEFINED_OBJECT,
};
use nqdb_types::Type;
use nqdb_types::key::KeyColumn;
use sqlparser::ast::{self, ConflictTarget, ObjectNamePart, OnConflictAction, OnInsert};

use super::access::AccessPlace;
use super::scope::{Clause, Scope};
use super::table_row::Row;
use super::{Binder, bind_for_index, same_expr};
use crate::definition::{IndexPart, IndexSource};
use crate::index_expression::BoundIndex;
use crate::ir::{ConflictAction, Expr, ExprKind, OnConflict};
use crate::names::name_of;
use crate::parse::CONFLICT_TARGET;
use crate::plan::{implied, split_conjuncts};
use crate::statement::ConflictInference;
use crate::system::{class_by_oid, class_named, collation_number, collation_of_type, default_class};

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
                let arbiters = match self.inference_of(target) {
                    Some(inference) => self.infer_arbiters(table, &inference)?,
                    None => find_arbiters(table, target, position)?,
                };
                self.note_arbiters(place, table, &arbiters);
                arbiters
            }
            None => (0..table.indexes.len()).filter(|at| table.indexes.get(*at).is_some_and(|i| i.unique)).collect(),
        };
        expect_immediate(table, &arbiters)?;
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

    /// The target that a name in the syntax tree stands for.
    fn inference_of(&self, target: &ConflictTarget) -> Option<ConflictInference> {
        let ConflictTarget::Columns(columns) = target else { return None };
        let [name] = columns.as_slice() else { return None };
        let number: usize = name.value.strip_prefix(CONFLICT_TARGET)?.parse().ok()?;
        self.conflict_targets.get(number).cloned()
    }

    /// The unique indexes whose key is these columns and expressions, in any order, and that hold all rows that meet the
    /// condition of the target (PostgreSQL's `infer_arbiter_indexes`).
    fn infer_arbiters(&mut self, table: &Arc<TableDef>, inference: &ConflictInference) -> SqlResult<Vec<usize>> {
        let mut wanted = Vec::with_capacity(inference.parts.len());
        for part in &inference.parts {
            let refused = match (part.descending, part.nulls_first) {
                (true, _) => Some("ASC/DESC is not allowed in ON CONFLICT clause"),
                (false, Some(_)) => Some("NULLS FIRST/LAST is not allowed in ON CONFLICT clause"),
                (false, None) => None,
            };
            if let Some(message) = refused {
                return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
            }
            let expression = match &part.source {
                IndexSource::Column(name) => {
                    let Some(at) = table.column_named(&name.name) else {
                        let message = format!("column \"{}\" does not exist", name.name);
                        return Err(SqlError::new(UNDEFINED_COLUMN, message).or_position(Some(name.position)));
                    };
                    WantedPart::Column(at)
                }
                IndexSource::Expression(text) => {
                    let bound = bind_for_index(&text.expression, &self.tokens, table, false, self.cx)?;
                    match bound.kind {
                        ExprKind::Column(id) => WantedPart::Column(id.0 as usize),
                        _ => WantedPart::Expression(bound),
                    }
                }
            };
            wanted.push((expression, part));
        }
        let mut conditions = Vec::new();
        if let Some(text) = &inference.predicate {
            let bound = bind_for_index(&text.expression, &self.tokens, table, true, self.cx)?;
            split_conjuncts(&bound, &mut conditions);
        }
        let matches = |at: &usize| {
            table.indexes.get(*at).is_some_and(|index| {
                let store = table.store.indexes.get(index.position);
                let bound = store.and_then(|store| BoundIndex::of(store));
                if !index.unique || (bound.is_none() && !index.is_plain()) {
                    return false;
                }
                let predicate = bound.map_or(&[][..], |bound| &bound.predicate);
                let is_part = |key: &KeyColumn, wanted: &WantedPart| match (key.computed(), wanted) {
                    (None, WantedPart::Column(column)) => key.column == *column,
                    (Some(number), WantedPart::Expression(expr)) => {
                        bound.and_then(|bound| bound.expressions.get(number)).is_some_and(|own| same_expr(own, expr))
                    }
                    _ => false,
                };
                let found = |(expression, part): &(WantedPart, &IndexPart)| {
                    let mut keys = index.key.iter().zip(&index.options);
                    keys.any(|(key, options)| is_part(key, expression) && fits_options(part, key.ty, options))
                };
                wanted.iter().all(found)
                    && index.key.iter().all(|key| wanted.iter().any(|(expression, _)| is_part(key, expression)))
                    && predicate.iter().all(|conjunct| implied(&conditions, conjunct))
            })
        };
        expect_some((0..table.indexes.len()).filter(matches).collect())
    }

    /// The ON of `ON CONFLICT`.
    fn conflict_token(&self) -> Option<usize> {
        let tokens = &self.tokens;
        (1..tokens.len()).rev().find(|at| tokens.is(*at, "conflict") && tokens.is(at - 1, "on")).map(|at| at - 1)
    }
}

/// A part of a target.
enum WantedPart {
    /// Position in the table.
    Column(usize),
    Expression(Expr),
}

/// Whether a part of a key has the collation and the operator class that a target names.
fn fits_options(part: &IndexPart, ty: Type, options: &KeyOptions) -> bool {
    let collation = options.collation.unwrap_or_else(|| collation_of_type(ty.oid));
    let own_class = options.class.and_then(class_by_oid).or_else(|| default_class(ty.oid));
    let fits_collation = part.collation.as_ref().is_none_or(|name| collation_number(&name.name) == Some(collation));
    let fits_class = part.class.as_ref().is_none_or(|name| {
        class_named(&name.name).is_some_and(|class| own_class.is_some_and(|own| own.family == class.family))
    });
    fits_collation && fits_class
}

fn expect_some(arbiters: Vec<usize>) -> SqlResult<Vec<usize>> {
    if arbiters.is_empty() {
        let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
    }
    Ok(arbiters)
}

/// The unique indexes over exactly the named columns (inference), or the one of the named constraint.
/// 55000 for a constraint that is deferrable: it says too late whether a row conflicts.
fn expect_immediate(table: &TableDef, arbiters: &[usize]) -> SqlResult<()> {
    let mut indexes = arbiters.iter().filter_map(|at| table.indexes.get(*at));
    let Some(index) = indexes.find(|index| index.deferral.is_deferrable()) else { return Ok(()) };
    let message = "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters";
    Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_table(&table.schema_name, &table.name)
        .with_constraint(&index.name))
}

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
                        && index.is_plain()
                        && index.key.iter().all(|part| wanted.contains(&part.column))
                        && wanted.iter().all(|column| index.key.iter().any(|part| part.column == *column))
                })
            };
            let arbiters: Vec<usize> = (0..table.indexes.len()).filter(matches).collect();
            expect_some(arbiters)
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
