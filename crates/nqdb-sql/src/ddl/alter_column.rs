//! ADD COLUMN, and ALTER COLUMN of everything but the type.

use std::sync::Arc;

use nqdb_catalog::request::{ColumnSequenceKind, NewColumnSequence, SequenceOptions};
use nqdb_catalog::{TableDef, type_reference};
use nqdb_sqlstate::{
    DUPLICATE_COLUMN, FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, NOT_NULL_VIOLATION, Notice,
    OBJECT_NOT_IN_PREREQUISITE_STATE, SUCCESSFUL_COMPLETION, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Datum, Oid, Type, is_user_type};

use super::alter_table::{add_written_constraint, statistics_target};
use super::create_table::{column_of, compression_method, identity};
use super::query::{qualified, quoted};
use super::storage_parameters::{self, Target};
use super::{DdlContext, QualifiedName, place, sequence};
use crate::parse::Tokens;
use crate::statement::SequenceClauses;
use crate::system::{SYSTEM_COLUMNS, type_storage};
use crate::table_command::{ColumnAction, ColumnItem};

/// The position of a column. Errors: 42703 when there is none, 0A000 for a system column.
pub(super) fn expect_column(table: &TableDef, name: &str) -> SqlResult<usize> {
    if let Some(position) = table.column_named(name) {
        return Ok(position);
    }
    if SYSTEM_COLUMNS.iter().any(|(system, ..)| *system == name) {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot alter system column \"{name}\"")));
    }
    let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
    Err(SqlError::new(UNDEFINED_COLUMN, message))
}

/// ADD COLUMN. A default that is the same for all rows is stored once; one that differs is written into each row.
pub(super) fn add_column(
    table: Oid,
    if_not_exists: bool,
    column: &ColumnItem,
    tokens: &Arc<Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    let name = crate::names::name_of(&column.definition.name);
    if if_not_exists && definition.column_named(&name).is_some() {
        let message = format!("column \"{name}\" of relation \"{}\" already exists, skipping", definition.name);
        cx.notice(Notice::new(DUPLICATE_COLUMN, message));
        return Ok(());
    }
    let mut written = match column_of(column, &definition.name, cx) {
        Ok(written) => written,
        Err(error) => return Err(place::in_column(error, &column.definition, tokens, cx)),
    };
    if let Some(text) = written.default.take() {
        match cx.check_default(text, &written.new.name, written.new.ty) {
            Ok(default) => {
                written.default_is_volatile |= default.volatile;
                written.new.default = Some(default.text);
            }
            Err(error) => return Err(place::in_column(error.into(), &column.definition, tokens, cx)),
        }
    }
    let has_rows = cx.any_row(&definition, "true")?;
    let default = match &written.new.default {
        Some(default) => Some(default.clone()),
        None => cx.default_of_domain(written.new.ty),
    };
    if let (None, Some(default)) = (&written.new.default, &default) {
        let checked = cx.check_default(default.clone(), &written.new.name, written.new.ty)?;
        written.default_is_volatile |= checked.volatile;
    }
    if has_rows && !written.default_is_volatile {
        written.new.missing = constant_default(written.new.ty, default.as_deref(), cx)?;
    }
    let lacks_value = written.new.missing.as_ref().is_none_or(Datum::is_null);
    if has_rows && written.new.not_null && !written.default_is_volatile && lacks_value {
        return Err(null_values(&definition, &written.new.name).into());
    }
    let position = cx.writer().add_column(table, &written.new)?;
    if let Some(text) = written.generated {
        cx.generate_column(table, position, text)?;
    }
    if has_rows && written.default_is_volatile {
        let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
        let column = quoted(&written.new.name);
        let sql = format!("UPDATE {} SET {column} = DEFAULT", qualified(&definition));
        cx.query(&sql)?;
    }
    for constraint in written.constraints {
        add_written_constraint(table, constraint, Some(tokens), cx)?;
    }
    Ok(())
}

/// The value that rows get which are there already.
fn constant_default(ty: Type, default: Option<&str>, cx: &mut DdlContext<'_, '_>) -> Result<Option<Datum>, TxnError> {
    // A domain may not take a NULL.
    match default.or((ty.domain != 0).then_some("NULL")) {
        None => Ok(None),
        Some(text) => {
            let declared = ty.declared_oid();
            let name = if is_user_type(declared) { format!("\"{}\"", type_reference(declared)) } else { ty.name() };
            let value = cx.evaluate(&format!("CAST(({text}) AS {name})"))?;
            Ok((!value.is_null()).then_some(value))
        }
    }
}

/// ALTER COLUMN of a table that is locked.
pub(super) fn alter_column(
    table: &Arc<TableDef>,
    name: &str,
    action: &ColumnAction,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let position = expect_column(table, name)?;
    let column = Column { table, position, name };
    match action {
        ColumnAction::SetNotNull => {
            if cx.any_row(table, &format!("{} IS NULL", quoted(name)))? {
                return Err(null_values(table, name).into());
            }
            cx.writer().set_not_null(table.oid, position, true)
        }
        ColumnAction::DropNotNull => cx.writer().set_not_null(table.oid, position, false),
        ColumnAction::SetDefault(value) => {
            column.expect_plain(true)?;
            let default = cx.check_default(value.to_string(), name, column.ty())?;
            cx.writer().set_default(table.oid, position, Some(default.text))
        }
        ColumnAction::DropDefault => {
            column.expect_plain(false)?;
            cx.writer().set_default(table.oid, position, None)
        }
        ColumnAction::AddIdentity { always, options } => column.add_identity(*always, options, cx),
        ColumnAction::SetIdentity { always, options } => column.set_identity(*always, options, cx),
        ColumnAction::DropIdentity { if_exists } => column.drop_identity(*if_exists, cx),
        ColumnAction::DropExpression { if_exists } => column.drop_expression(*if_exists, cx),
        ColumnAction::SetStatistics(target) => {
            let target = statistics_target(*target, cx)?;
            let target = (target >= 0).then_some(target);
            let change = |settings: &mut nqdb_catalog::ColumnSettings| settings.statistics_target = target;
            cx.writer().change_column_settings(table.oid, position, change)
        }
        ColumnAction::SetStorage(mode) => column.set_storage(mode, cx),
        ColumnAction::SetCompression(method) => {
            let method = compression_method(method, column.ty(), cx)?;
            cx.writer().change_column_settings(table.oid, position, |settings| settings.compression = method)
        }
        ColumnAction::SetParameters(written) => {
            let parameters = storage_parameters::set(column.parameters(), written, Target::Column)?;
            cx.writer().change_column_settings(table.oid, position, |settings| settings.parameters = parameters)
        }
        ColumnAction::ResetParameters(names) => {
            let parameters = storage_parameters::reset(column.parameters(), names, Target::Column)?;
            cx.writer().change_column_settings(table.oid, position, |settings| settings.parameters = parameters)
        }
        ColumnAction::Type(_) => Err(SqlError::internal("types are changed all at once").into()),
    }
}

/// A column that is there.
struct Column<'a> {
    table: &'a TableDef,
    position: usize,
    name: &'a str,
}

impl Column<'_> {
    fn definition(&self) -> Option<&nqdb_catalog::ColumnDef> {
        self.table.columns.get(self.position)
    }

    fn ty(&self) -> Type {
        self.definition().map_or(Type::TEXT, |column| column.ty)
    }

    fn parameters(&self) -> &nqdb_catalog::Parameters {
        static NONE: nqdb_catalog::Parameters = Vec::new();
        self.definition().map_or(&NONE, |column| &column.settings.parameters)
    }

    /// `column "a" of relation "t" <rest>`.
    fn message(&self, rest: &str) -> String {
        format!("column \"{}\" of relation \"{}\" {rest}", self.name, self.table.name)
    }

    /// 42601 for a column whose default is another clause's.
    fn expect_plain(&self, is_set: bool) -> SqlResult<()> {
        let Some(column) = self.definition() else { return Ok(()) };
        if column.identity.is_some() {
            let error = SqlError::new(SYNTAX_ERROR, self.message("is an identity column"));
            let hint = "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.";
            return Err(if is_set { error } else { error.with_hint(hint) });
        }
        if column.generated.is_some() {
            let error = SqlError::new(SYNTAX_ERROR, self.message("is a generated column"));
            let hint = "Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead.";
            return Err(if is_set { error } else { error.with_hint(hint) });
        }
        Ok(())
    }

    fn add_identity(
        &self,
        always: bool,
        options: &SequenceClauses,
        cx: &mut DdlContext<'_, '_>,
    ) -> Result<(), TxnError> {
        let Some(column) = self.definition() else { return Ok(()) };
        let problem = if !column.not_null {
            Some("must be declared NOT NULL before identity can be added")
        } else if column.identity.is_some() {
            Some("is already an identity column")
        } else if column.default.is_some() {
            Some("already has a default value")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, self.message(problem)).into());
        }
        let place = match &options.name {
            Some((schema, name)) => {
                let (schema, position) = (schema.clone(), Some(name.position));
                let name = QualifiedName { schema, name: name.name.clone(), position };
                Some((cx.relation_schema(&name, self.table.is_temporary())?, name.name))
            }
            None => None,
        };
        let unnamed = SequenceClauses { name: None, ..SequenceClauses::clone(options) };
        let sequence = identity(always, self.options(&unnamed, cx)?, column.ty)?;
        let sequence = NewColumnSequence { place, ..sequence };
        debug_assert!(matches!(sequence.kind, ColumnSequenceKind::Identity { .. }));
        cx.writer().add_identity(self.table.oid, self.position, &sequence)
    }

    fn options(&self, clauses: &SequenceClauses, cx: &mut DdlContext<'_, '_>) -> SqlResult<SequenceOptions> {
        if clauses.owned_by.is_some() || clauses.data_type.is_some() {
            let what = if clauses.owned_by.is_some() { "owned_by" } else { "as" };
            return Err(SqlError::new(SYNTAX_ERROR, format!("invalid sequence option \"{what}\" SEQUENCE NAME"))
                .with_hint("An identity column's sequence is of the column's type, and belongs to it."));
        }
        sequence::options(clauses, cx)
    }

    /// 55000 unless the column is an identity column.
    fn set_identity(
        &self,
        always: Option<bool>,
        clauses: &SequenceClauses,
        cx: &mut DdlContext<'_, '_>,
    ) -> Result<(), TxnError> {
        let Some(identity) = self.definition().and_then(|column| column.identity) else {
            let message = self.message("is not an identity column");
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        };
        if *clauses != SequenceClauses::default() {
            let options = self.options(clauses, cx)?;
            cx.writer().alter_sequence(identity.sequence, &options, clauses.restart)?;
        }
        match always {
            Some(always) => cx.writer().set_identity(self.table.oid, self.position, always),
            None => Ok(()),
        }
    }

    fn drop_identity(&self, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
        if self.definition().is_some_and(|column| column.identity.is_some()) {
            return cx.writer().drop_identity(self.table.oid, self.position);
        }
        self.not_such(self.message("is not an identity column"), if_exists, cx)
    }

    fn drop_expression(&self, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
        if self.definition().is_some_and(|column| column.generated.is_some()) {
            return cx.writer().drop_expression(self.table.oid, self.position);
        }
        self.not_such(self.message("is not a stored generated column"), if_exists, cx)
    }

    /// 55000, or a notice with IF EXISTS.
    fn not_such(&self, message: String, if_exists: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
        if !if_exists {
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        cx.notice(Notice::new(SUCCESSFUL_COMPLETION, format!("{message}, skipping")));
        Ok(())
    }

    fn set_storage(&self, mode: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
        let letter = match mode.to_ascii_lowercase().as_str() {
            "plain" => 'p',
            "external" => 'e',
            "extended" => 'x',
            "main" => 'm',
            _ => {
                let message = format!("invalid storage type \"{mode}\"");
                return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).into());
            }
        };
        let ty = self.ty();
        if letter != 'p' && type_storage(&cx.draft.snapshot(), ty.declared_oid()) == 'p' {
            let message = format!("column data type {} can only have storage PLAIN", cx.type_name(ty.bare()));
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
        }
        cx.writer().change_column_settings(self.table.oid, self.position, |settings| settings.storage = Some(letter))
    }
}

/// 23502 in the words of ALTER TABLE.
pub(super) fn null_values(table: &TableDef, column: &str) -> SqlError {
    let message = format!("column \"{column}\" of relation \"{}\" contains null values", table.name);
    SqlError::new(NOT_NULL_VIOLATION, message)
        .with_table(table.schema_name.clone(), table.name.clone())
        .with_column(column)
}
