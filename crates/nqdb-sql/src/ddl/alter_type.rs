//! ALTER COLUMN TYPE: all columns of one statement at once.
//!
//! ```text
//! conversions bound over the table as it was --> rewrite needed? --no--> same trees, other types
//!                                                     \--yes--> rows copied into a new store
//! checks and expressions of indexes are spelled out under the old types, and bound again under the new ones
//! ```

use std::sync::Arc;

use nqdb_catalog::request::SequenceOptions;
use nqdb_catalog::{IndexComputation, TableDef, TypeChange};
use nqdb_sqlstate::{
    DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, INVALID_COLUMN_DEFINITION, INVALID_PARAMETER_VALUE, SqlError, SqlResult,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Oid, Type, oid};

use super::alter_column::{expect_column, null_values};
use super::alter_table::violated;
use super::create_table::expect_c_collation;
use super::query::{placeless, quoted};
use super::{DdlContext, foreign_key};
use crate::bind::{Conversion, bind_for_index, bind_new_check, bind_retype, bind_scalar, needs_rewrite, same_expr};
use crate::parse::{Tokens, parse_expression};
use crate::plan::{PlanContext, plan};
use crate::system::{expression_text, typed_default};
use crate::table_command::NewType;

/// Gives columns of a table other types.
pub(super) fn alter_types(
    table: Oid,
    wanted: &[(&str, &NewType)],
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let old = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    let mut conversions = Vec::with_capacity(wanted.len());
    for (name, new) in wanted {
        conversions.push(conversion(&old, name, new, cx)?);
    }
    let snapshot = cx.draft.snapshot();
    let rewrite = needs_rewrite(&old, &conversions, tokens, &cx.bind_context(&snapshot))?;
    for (at, conversion) in conversions.iter().enumerate() {
        if conversions.iter().take(at).any(|other| other.position == conversion.position) {
            let name = old.columns.get(conversion.position).map_or("", |column| column.name.as_str());
            let message = format!("cannot alter type of column \"{name}\" twice");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
        }
        expect_no_reader(&old, conversion.position, cx)?;
        expect_no_filter(&old, conversion.position)?;
    }
    let changes = conversions.iter().map(|conversion| change(&old, conversion, cx)).collect::<SqlResult<Vec<_>>>()?;
    let texts = spelled_checks(&old, &conversions, cx);
    // The types as they are to be, to bind expressions over.
    let bare = Arc::new(cx.writer().retyped(&old, &changes, &[], false)?);
    let computations = computations(&old, &bare, &conversions, cx)?;
    let mut new = cx.writer().retyped(&old, &changes, &computations, rewrite)?;
    for (check, text) in texts {
        if let Some(check) = new.checks.get_mut(check) {
            check.expression = text;
        }
    }
    if rewrite {
        cx.copy_rows(&old, &new, &conversions, tokens)?;
    }
    cx.writer().put_rewritten(&old, new)?;
    retype_sequences(&old, &changes, cx)?;
    validate(table, &conversions, cx)
}

/// 0A000 for a column by which published changes are filtered: what the filter means was settled under the type it has.
fn expect_no_filter(table: &TableDef, position: usize) -> SqlResult<()> {
    let Some(column) = table.columns.get(position) else { return Ok(()) };
    if table.published.as_ref().is_some_and(|published| published.filters_by(column.attnum)) {
        let message = "cannot alter type of a column used in the filter of published changes";
        let detail = format!("The changes of table \"{}\" are filtered by column \"{}\".", table.name, column.name);
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_detail(detail));
    }
    Ok(())
}

fn conversion<'a>(
    table: &TableDef,
    name: &str,
    new: &'a NewType,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Conversion<'a>, TxnError> {
    let position = expect_column(table, name)?;
    let Some(column) = table.columns.get(position) else { return Err(SqlError::internal("no such column").into()) };
    if column.generated.is_some() && new.using.is_some() {
        let message = "cannot specify USING when altering type of generated column";
        return Err(SqlError::new(INVALID_COLUMN_DEFINITION, message)
            .with_detail(format!("Column \"{name}\" is a generated column."))
            .into());
    }
    let ty = cx.data_type(&new.data_type)?;
    if let Some(collation) = &new.collation {
        if crate::system::collation_of_type(ty.oid) == 0 {
            let message = format!("collations are not supported by type {}", cx.type_name(ty.bare()));
            return Err(SqlError::new(DATATYPE_MISMATCH, message).into());
        }
        expect_c_collation(&collation.name)?;
    }
    Ok(Conversion { position, ty, using: new.using.as_ref() })
}

/// 0A000 for a column that a view or a generated column needs.
fn expect_no_reader(table: &TableDef, position: usize, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let Some(column) = table.columns.get(position) else { return Ok(()) };
    if let Some(view) = cx.writer().reader_of_column(table.oid, column.attnum) {
        let message = "cannot alter type of a column used by a view or rule";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("rule _RETURN on {view} depends on column \"{}\"", column.name))
            .into());
    }
    let needs = |columns: &Vec<i16>| columns.contains(&column.attnum);
    match table.live_columns().find(|(_, other)| other.generated.as_ref().is_some_and(needs)) {
        None => Ok(()),
        Some((_, other)) => {
            let message = "cannot alter type of a column used by a generated column";
            let detail = format!("Column \"{}\" is used by generated column \"{}\".", column.name, other.name);
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_detail(detail).into())
        }
    }
}

/// The column's new type with its default, which must be one of the new type too.
fn change(table: &TableDef, conversion: &Conversion<'_>, cx: &mut DdlContext<'_, '_>) -> SqlResult<TypeChange> {
    let Conversion { position, ty, .. } = *conversion;
    let Some(column) = table.columns.get(position) else { return Err(SqlError::internal("no such column")) };
    if column.identity.is_some() && !matches!(ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        let message = "identity column type must be smallint, integer, or bigint";
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    let default = match &column.default {
        // The expression of a generated column is bound over the new types once they are there.
        Some(text) if column.generated.is_some() => Some(text.clone()),
        Some(text) => Some(cx.retyped_default(text, &column.name, column.ty, ty)?),
        None => None,
    };
    Ok(TypeChange { position, ty, default })
}

impl DdlContext<'_, '_> {
    /// A default that was one of a type, as one of another: literals keep the type that they had.
    fn retyped_default(&mut self, text: &str, name: &str, from: Type, to: Type) -> SqlResult<String> {
        let text = typed_default(text, from);
        let snapshot = self.draft.snapshot();
        let cx = self.bind_context(&snapshot);
        let (tokens, expression) = parse_expression(&text)?;
        let bound = placeless(bind_scalar(&expression, &tokens, None, &cx))?;
        let is_cast = nqdb_functions::coercion(bound.ty.oid, to.oid, nqdb_functions::CastContext::Assignment);
        if bound.ty.oid != to.oid && is_cast.is_none() {
            let message = format!(
                "default for column \"{name}\" cannot be cast automatically to type {}",
                self.type_name(to.bare())
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message));
        }
        placeless(self.bind_column_default(&text, name, to))?;
        Ok(text)
    }

    /// Copies the rows of a table into the new store of its successor.
    pub(super) fn copy_rows(
        &mut self,
        old: &Arc<TableDef>,
        new: &TableDef,
        conversions: &[Conversion<'_>],
        tokens: &Arc<Tokens>,
    ) -> Result<(), TxnError> {
        let snapshot = self.draft.snapshot();
        (self.enter)(&snapshot);
        let target = Arc::new(without_rules(new));
        let bound = bind_retype(old, &target, conversions, tokens, &self.bind_context(&snapshot))?;
        let plan = plan(bound, &[], &PlanContext::new(snapshot.version))?;
        self.copy_planned(plan)
    }

    /// Runs a copy over all rows that are there under the table's lock.
    pub(super) fn copy_planned(&mut self, plan: crate::plan::Plan) -> Result<(), TxnError> {
        // Whoever held the lock before may not be synced yet, and a view taken now would not see those rows.
        let system = self.exec.txn.system().clone();
        system.wait_durable_blocking(system.engine().log_end())?;
        let view = self.exec.txn.newest_view();
        self.fill_from(plan, [].into(), view)?;
        Ok(())
    }
}

/// A table without what the rows are checked for afterwards, in the words of ALTER TABLE.
pub(super) fn without_rules(table: &TableDef) -> TableDef {
    let mut plain = table.clone();
    plain.checks.clear();
    plain.indexes.clear();
    plain.foreign_keys.clear();
    plain.referenced_by.clear();
    for column in &mut plain.columns {
        column.not_null = false;
    }
    plain
}

/// The checks that name a column whose type changes, spelled out under the types that it had: position and text.
fn spelled_checks(
    table: &Arc<TableDef>,
    conversions: &[Conversion<'_>],
    cx: &mut DdlContext<'_, '_>,
) -> Vec<(usize, String)> {
    let snapshot = cx.draft.snapshot();
    let context = cx.bind_context(&snapshot);
    let mut texts = Vec::new();
    for (at, check) in table.checks.iter().enumerate() {
        if !names_any(&check.columns, table, conversions) {
            continue;
        }
        let spelled = expression_text(&check.expression, Some(table), false, &context);
        let before = bind_new_check(&check.expression, table, &context);
        let after = bind_new_check(&spelled, table, &context);
        if let (Ok(before), Ok(after)) = (before, after)
            && same_expr(&before, &after)
        {
            texts.push((at, spelled));
        }
    }
    texts
}

fn names_any(columns: &[i16], table: &TableDef, conversions: &[Conversion<'_>]) -> bool {
    let numbers = conversions.iter().filter_map(|conversion| table.columns.get(conversion.position));
    numbers.into_iter().any(|column| columns.contains(&column.attnum))
}

/// The expressions of indexes that name a column whose type changes, with the types that they have now.
fn computations(
    old: &Arc<TableDef>,
    new: &Arc<TableDef>,
    conversions: &[Conversion<'_>],
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<Vec<(Oid, IndexComputation)>> {
    let snapshot = cx.draft.snapshot();
    let context = cx.bind_context(&snapshot);
    let mut found = Vec::new();
    for index in &old.indexes {
        let Some(computation) = &index.computation else { continue };
        if !names_any(&computation.columns, old, conversions) {
            continue;
        }
        let mut computation = IndexComputation::clone(computation);
        for expression in &mut computation.expressions {
            let (tokens, parsed) = parse_expression(&expression.text)?;
            let bound = placeless(bind_for_index(&parsed, &tokens, new, false, &context))?;
            expression.type_oid = bound.ty.oid;
            expression.typmod = bound.ty.typmod;
        }
        if let Some(predicate) = &computation.predicate {
            let (tokens, parsed) = parse_expression(predicate)?;
            placeless(bind_for_index(&parsed, &tokens, new, true, &context))?;
        }
        found.push((index.oid, computation));
    }
    Ok(found)
}

/// The sequence of an identity column counts in the column's type.
fn retype_sequences(table: &TableDef, changes: &[TypeChange], cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    for change in changes {
        if let Some(identity) = table.columns.get(change.position).and_then(|column| column.identity) {
            let options = SequenceOptions { data_type: Some(change.ty.oid), ..SequenceOptions::default() };
            cx.writer().alter_sequence(identity.sequence, &options, None)?;
        }
    }
    Ok(())
}

/// What the rows have to meet under the new types: NOT NULL and checks.
fn validate(table: Oid, conversions: &[Conversion<'_>], cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    for column in conversions.iter().filter_map(|conversion| definition.columns.get(conversion.position)) {
        if column.not_null && cx.any_row(&definition, &format!("{} IS NULL", quoted(&column.name)))? {
            return Err(null_values(&definition, &column.name).into());
        }
    }
    for column in definition.columns.iter().filter(|column| !column.dropped && column.generated.is_some()) {
        if let (Some(text), Some(position)) = (&column.default, definition.column_named(&column.name)) {
            cx.generate_column(table, position, text.clone())?;
        }
    }
    foreign_key::validate_retyped(&definition, conversions, cx)?;
    for check in definition.checks.iter().filter(|check| names_any(&check.columns, &definition, conversions)) {
        cx.check_constraint(None, check.expression.clone(), &definition)?;
        if check.validated && cx.any_row(&definition, &format!("NOT ({})", check.expression))? {
            return Err(violated(&definition, &check.name).into());
        }
    }
    Ok(())
}
