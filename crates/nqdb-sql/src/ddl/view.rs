//! CREATE [OR REPLACE] VIEW, and options of views.

use std::sync::Arc;

use nqdb_catalog::request::NewView;
use nqdb_catalog::{Relation, StoredQuery, ViewColumn, ViewDef};
use nqdb_sqlstate::{
    DUPLICATE_COLUMN, FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, INVALID_TABLE_DEFINITION, Notice,
    SUCCESSFUL_COMPLETION, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Oid, Type};

use super::DdlContext;
use crate::bind::{AnalyzedQuery, analyze_query, updatable_columns};
use crate::definition::CreateView;
use crate::exec::CommandTag;
use crate::statement::{NamedAt, Parsed};

pub(super) fn create_view(create: &CreateView, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let analyzed = cx.analyze(&create.query, &[])?;
    let columns =
        named_columns(&create.columns, analyzed.columns, "CREATE VIEW specifies more column names than columns")?;
    let reads_temporary = cx.reads_temporary(&analyzed.stored);
    if reads_temporary && !create.temporary {
        let message = format!("view \"{}\" will be a temporary view", create.name.name);
        cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
    }
    let schema = cx.relation_schema(&create.name, create.temporary || reads_temporary)?;
    expect_view_options(&create.options)?;
    let columns: Vec<ViewColumn> = columns.into_iter().map(|(name, ty)| ViewColumn::new(name, ty)).collect();
    let name = create.name.name.clone();
    cx.expect_check_option(&create.options, &columns, &analyzed.stored)?;
    let new = NewView { schema, name, columns, query: analyzed.stored, options: create.options.clone() };
    let existing = cx.draft.snapshot().relation(schema, &create.name.name).cloned();
    match existing {
        Some(Relation::View(view)) if create.or_replace => {
            cx.expect_owner(view.owner, "view", &view.name)?;
            if new.query.reads(view.oid) {
                let message = "infinite recursion detected in rules for relation";
                let message = format!("{message} \"{}\"", view.name);
                return Err(SqlError::new(nqdb_sqlstate::INVALID_OBJECT_DEFINITION, message).into());
            }
            cx.writer().replace_view(view.oid, new)?;
        }
        Some(_) if create.or_replace => {
            return Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", create.name.name)).into());
        }
        _ => {
            cx.writer().create_view(new)?;
        }
    }
    Ok(CommandTag::Other("CREATE VIEW"))
}

/// ALTER VIEW ... ALTER COLUMN ... SET DEFAULT and DROP DEFAULT.
pub(super) fn set_column_default(
    relation: &Relation,
    column: &str,
    default: Option<&str>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let Relation::View(view) = relation else { return Err(SqlError::internal("a default of no view").into()) };
    let Some(position) = view.columns.iter().position(|known| known.name == column) else {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", view.name);
        return Err(SqlError::new(UNDEFINED_COLUMN, message).into());
    };
    if let (Some(text), Some(column)) = (default, view.columns.get(position)) {
        cx.bind_column_default(text, &column.name, column.ty()).map_err(SqlError::without_position)?;
    }
    cx.writer().set_view_default(view.oid, position, default.map(str::to_owned))
}

/// ALTER VIEW ... SET (...).
pub(super) fn set_options(
    relation: &Relation,
    options: &[(String, String)],
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    expect_view_options(options)?;
    let Relation::View(view) = relation else { return Err(SqlError::internal("options of no view").into()) };
    // What is set again goes behind what stays.
    let is_set = |name: &str| options.iter().any(|(other, _)| other == name);
    cx.expect_check_option(options, &view.columns, &view.query)?;
    let mut changed: Vec<(String, String)> = view.options.iter().filter(|(known, _)| !is_set(known)).cloned().collect();
    changed.extend(options.iter().cloned());
    cx.writer().set_view_options(view.oid, changed)
}

/// ALTER VIEW ... RESET (...).
pub(super) fn reset_options(
    relation: &Relation,
    names: &[String],
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let Relation::View(view) = relation else { return Err(SqlError::internal("options of no view").into()) };
    let kept = view.options.iter().filter(|(known, _)| !names.contains(known)).cloned().collect();
    cx.writer().set_view_options(view.oid, kept)
}

impl DdlContext<'_, '_> {
    /// 0A000 for a CHECK OPTION of a view that nothing can be changed through.
    fn expect_check_option(
        &mut self,
        options: &[(String, String)],
        columns: &[ViewColumn],
        query: &StoredQuery,
    ) -> SqlResult<()> {
        if !options.iter().any(|(name, _)| name == "check_option") {
            return Ok(());
        }
        let view = Arc::new(ViewDef {
            oid: 0,
            schema: 0,
            name: String::new(),
            owner: self.role,
            columns: columns.to_vec(),
            query: query.clone(),
            options: Vec::new(),
        });
        let snapshot = self.draft.snapshot();
        match updatable_columns(&view, &self.bind_context(&snapshot))? {
            Ok(columns) if columns.contains(&true) => Ok(()),
            other => {
                let none = "Views that have no updatable columns are not automatically updatable.";
                let reason = other.err().unwrap_or(none);
                let message = "WITH CHECK OPTION is supported only on automatically updatable views";
                Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_hint(reason))
            }
        }
    }
}

/// 22023 for an option that views do not have, or a value that it cannot have.
fn expect_view_options(options: &[(String, String)]) -> SqlResult<()> {
    let invalid = |message: String| Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    for (at, (name, value)) in options.iter().enumerate() {
        if options.iter().take(at).any(|(other, _)| other == name) {
            return invalid(format!("parameter \"{name}\" specified more than once"));
        }
        match name.as_str() {
            "security_barrier" | "security_invoker" if is_boolean(value) => {}
            "security_barrier" | "security_invoker" => {
                return invalid(format!("invalid value for boolean option \"{name}\": {value}"));
            }
            "check_option" if matches!(value.as_str(), "local" | "cascaded") => {}
            "check_option" => {
                let message = format!("invalid value for enum option \"check_option\": {value}");
                return Err(SqlError::new(INVALID_PARAMETER_VALUE, message)
                    .with_detail("Valid values are \"local\" and \"cascaded\"."));
            }
            _ => return invalid(format!("unrecognized parameter \"{name}\"")),
        }
    }
    Ok(())
}

fn is_boolean(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let is_short_for = |word: &str| !value.is_empty() && word.starts_with(&value);
    matches!(value.as_str(), "on" | "of" | "off" | "1" | "0")
        || ["true", "false", "yes", "no"].into_iter().any(is_short_for)
}

/// The columns of a query under the names that a definition gives them. Errors: 42601 for too many names, 42701 for a name
/// that is used twice.
pub(super) fn named_columns(
    names: &[NamedAt],
    columns: Vec<(String, Type)>,
    too_many: &str,
) -> SqlResult<Vec<(String, Type)>> {
    if names.len() > columns.len() {
        return Err(SqlError::new(SYNTAX_ERROR, too_many));
    }
    let mut columns = columns;
    for ((name, _), given) in columns.iter_mut().zip(names) {
        name.clone_from(&given.name);
    }
    for (at, (name, _)) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|(other, _)| other == name) {
            return Err(SqlError::new(DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        if let Some((name, ty)) = columns.get(at).filter(|(_, ty)| is_pseudo(*ty)) {
            let message = format!("column \"{name}\" has pseudo-type {}", ty.name());
            return Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
        }
    }
    Ok(columns)
}

fn is_pseudo(ty: Type) -> bool {
    nqdb_types::type_info(ty.oid).is_some_and(|info| info.category == 'P')
}

impl DdlContext<'_, '_> {
    /// Analyses a query with the relations that it names held in place.
    pub(super) fn analyze(&mut self, parsed: &Parsed, types: &[Oid]) -> Result<AnalyzedQuery, TxnError> {
        loop {
            let snapshot = self.draft.snapshot();
            let analyzed = analyze_query(parsed, types, &self.bind_context(&snapshot))?;
            for relation in &analyzed.stored.relations {
                self.exec.txn.lock_relation(relation.oid, RelationLock::AccessShare)?;
            }
            if self.draft.snapshot().version == snapshot.version {
                return Ok(analyzed);
            }
        }
    }

    /// Whether a query reads anything temporary.
    pub(super) fn reads_temporary(&mut self, query: &StoredQuery) -> bool {
        let snapshot = self.draft.snapshot();
        query.relations.iter().any(|named| {
            let relation = snapshot.relation_by_oid(named.oid);
            relation.and_then(|relation| snapshot.schema_by_oid(relation.schema())).is_some_and(|s| s.is_temporary())
        })
    }
}
