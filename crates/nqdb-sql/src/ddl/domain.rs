//! CREATE DOMAIN and ALTER DOMAIN.
//!
//! A new rule of a domain must hold for the values that are there: all columns of the domain, and of domains over it, are
//! looked through. Values inside of arrays over the domain are not found that way: there the rule is refused, as in PostgreSQL.

use std::sync::Arc;

use nqdb_catalog::request::NewDomain;
use nqdb_catalog::{TableDef, TypeDef};
use nqdb_sqlstate::{
    CHECK_VIOLATION, FEATURE_NOT_SUPPORTED, NOT_NULL_VIOLATION, Notice, SUCCESSFUL_COMPLETION, SqlError, SqlResult,
    UNDEFINED_OBJECT,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::array::element_type;
use nqdb_types::{Oid, Type, is_domain, type_category};

use super::query::{placeless, qualified, quoted};
use super::user_type::{not_a_domain, set_schema};
use super::{DdlContext, QualifiedName};
use crate::bind::bind_domain_check;
use crate::definition::{AlterDomain, AlterDomainAction, CreateDomain};
use crate::exec::CommandTag;

pub(super) fn create_domain(create: &CreateDomain, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let schema = cx.relation_schema(&create.name, false)?;
    let base = cx.data_type(&create.base)?;
    if type_category(base.oid) == Some('P') {
        let message = format!("\"{}\" is not a valid base type for a domain", cx.type_name(base));
        return Err(SqlError::new(nqdb_sqlstate::DATATYPE_MISMATCH, message).into());
    }
    let collate_c = match &create.collation {
        Some(collation) => expect_collation(collation, base, cx)?,
        None => false,
    };
    let default = match &create.default {
        Some(default) => Some(cx.check_default(default.to_string(), &create.name.name, base)?.text),
        None => cx.default_of_domain(base),
    };
    let mut checks = Vec::with_capacity(create.checks.len());
    for (name, expression) in &create.checks {
        checks.push((name.clone(), cx.domain_check(expression.to_string(), base)?));
    }
    let name = create.name.name.clone();
    let not_null = create.not_null.unwrap_or(false);
    cx.writer().create_domain(&NewDomain { schema, name, base, not_null, default, collate_c, checks })?;
    Ok(CommandTag::Other("CREATE DOMAIN"))
}

/// 42704 for a collation that does not exist, 42804 for a type that has none.
pub(super) fn expect_collation(collation: &QualifiedName, base: Type, cx: &mut DdlContext<'_, '_>) -> SqlResult<bool> {
    let known = matches!(collation.schema.as_deref(), None | Some("pg_catalog"))
        && matches!(collation.name.as_str(), "C" | "POSIX" | "default");
    if !known {
        let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", collation.display());
        return Err(SqlError::new(UNDEFINED_OBJECT, message));
    }
    if type_category(element_type(base.oid).unwrap_or(base.oid)) != Some('S') {
        let message = format!("collations are not supported by type {}", cx.type_name(base));
        return Err(SqlError::new(nqdb_sqlstate::DATATYPE_MISMATCH, message));
    }
    Ok(collation.name == "C")
}

pub(super) fn alter_domain(alter: &AlterDomain, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let def = cx.own_domain(&alter.name)?;
    let Some(domain) = def.domain() else { return Err(not_a_domain(&alter.name).into()) };
    let base = domain.base.ty();
    match &alter.action {
        AlterDomainAction::SetDefault(default) => {
            let text = match default {
                Some(default) => Some(cx.check_default(default.to_string(), &def.name, base)?.text),
                None => None,
            };
            cx.writer().set_domain_default(def.oid, text)?;
        }
        AlterDomainAction::SetNotNull(not_null) => {
            if *not_null && !domain.not_null {
                expect_no_nulls(&def, cx)?;
            }
            cx.writer().set_domain_not_null(def.oid, *not_null)?;
        }
        AlterDomainAction::AddCheck { name, expression, not_valid } => {
            let text = cx.domain_check(expression.to_string(), base)?;
            // The name is checked before the rows are.
            cx.writer().add_domain_check(def.oid, name.as_deref(), &text, !not_valid)?;
            if !not_valid {
                expect_check_holds(&def, &text, cx)?;
            }
        }
        AlterDomainAction::DropConstraint { name, if_exists } => {
            if !cx.writer().drop_domain_check(def.oid, name)? {
                let message = format!("constraint \"{name}\" of domain \"{}\" does not exist", def.name);
                if !if_exists {
                    return Err(SqlError::new(UNDEFINED_OBJECT, message).into());
                }
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, format!("{message}, skipping")));
            }
        }
        AlterDomainAction::RenameConstraint { name, new_name } => {
            cx.writer().rename_domain_check(def.oid, name, new_name)?;
        }
        AlterDomainAction::ValidateConstraint(name) => {
            let Some(check) = domain.checks.iter().find(|check| check.name == *name) else {
                let message = format!("constraint \"{name}\" of domain \"{}\" does not exist", def.name);
                return Err(SqlError::new(UNDEFINED_OBJECT, message).into());
            };
            if !check.validated {
                expect_check_holds(&def, &check.expression, cx)?;
                cx.writer().validate_domain_check(def.oid, name)?;
            }
        }
        AlterDomainAction::Rename(name) => cx.writer().rename_type(def.oid, name)?,
        AlterDomainAction::SetSchema(schema) => set_schema(&def, schema, cx)?,
        AlterDomainAction::Owner(owner) => {
            let owner = cx.new_owner(owner, Some(def.schema))?;
            cx.writer().set_type_owner(def.oid, owner)?;
        }
    }
    Ok(CommandTag::Other("ALTER DOMAIN"))
}

/// 23502 when a column of the domain has a NULL.
fn expect_no_nulls(def: &TypeDef, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    for (table, position) in columns_of(def, cx)? {
        let column = &table.columns[position];
        if cx.any_row(&table, &format!("{} IS NULL", quoted(&column.name)))? {
            let message = format!("column \"{}\" of table \"{}\" contains null values", column.name, table.name);
            return Err(SqlError::new(NOT_NULL_VIOLATION, message)
                .with_table(&table.schema_name, &table.name)
                .with_column(&column.name)
                .into());
        }
    }
    Ok(())
}

/// 23514 when a value in a column of the domain does not meet a condition.
fn expect_check_holds(def: &TypeDef, condition: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    for (table, position) in columns_of(def, cx)? {
        let column = &table.columns[position];
        let from = format!("(SELECT {} AS value FROM {}) AS stored", quoted(&column.name), qualified(&table));
        let rows = cx.query(&format!("SELECT 1 FROM {from} WHERE NOT ({condition}) LIMIT 1"))?;
        if !rows.is_empty() {
            let message = format!(
                "column \"{}\" of table \"{}\" contains values that violate the new constraint",
                column.name, table.name
            );
            return Err(SqlError::new(CHECK_VIOLATION, message)
                .with_table(&table.schema_name, &table.name)
                .with_column(&column.name)
                .into());
        }
    }
    Ok(())
}

/// The columns of a domain and of the domains over it, with their tables held in place. Errors: 0A000 for an array over it.
fn columns_of(def: &TypeDef, cx: &mut DdlContext<'_, '_>) -> Result<Vec<(Arc<TableDef>, usize)>, TxnError> {
    let snapshot = cx.draft.snapshot();
    let is_of = |domain: Oid| snapshot.domain_stack(domain).iter().any(|found| found.oid == def.oid);
    let mut oids: Vec<Oid> = snapshot.tables().map(|table| table.oid).collect();
    oids.sort_unstable();
    let mut columns = Vec::new();
    for oid in oids {
        let Some(table) = snapshot.table_by_oid(oid) else { continue };
        let mut found = Vec::new();
        for (position, column) in table.live_columns() {
            let domain = column.ty.domain;
            if element_type(domain).is_some_and(|element| is_domain(element) && is_of(element)) {
                let message = format!(
                    "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                    def.name, table.name, column.name
                );
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
            }
            if is_of(domain) {
                found.push(position);
            }
        }
        if !found.is_empty() {
            let table = cx.writer().lock_table(oid, RelationLock::ShareUpdateExclusive.max(RelationLock::Share))?;
            columns.extend(found.into_iter().map(|position| (table.clone(), position)));
        }
    }
    Ok(columns)
}

impl DdlContext<'_, '_> {
    /// A domain that the current role owns. Errors: 42704 when there is none of the name, 42809 for another type.
    pub(super) fn own_domain(&mut self, name: &QualifiedName) -> SqlResult<Arc<TypeDef>> {
        let def = self.own_type(name)?;
        if def.domain().is_none() {
            return Err(not_a_domain(name));
        }
        self.expect_owner(def.owner, "type", &def.name)?;
        Ok(def)
    }

    /// The default of a domain: columns have it that have none of their own, and domains over it start with it.
    pub(super) fn default_of_domain(&mut self, ty: Type) -> Option<String> {
        let snapshot = self.draft.snapshot();
        snapshot.type_by_oid(ty.domain)?.domain()?.default.clone()
    }

    /// Binds a domain's check, and gives the text to store.
    fn domain_check(&mut self, text: String, base: Type) -> SqlResult<String> {
        let text = self.name_objects_by_number(text)?;
        let snapshot = self.draft.snapshot();
        let bound = placeless(bind_domain_check(&text, base, &self.bind_context(&snapshot)))?;
        if crate::bind::any_expression(&bound, &mut |expr| super::expression::is_subquery(expr)) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use subquery in check constraint"));
        }
        Ok(text)
    }

    /// A type as `format_type` prints it.
    pub(super) fn type_name(&self, ty: Type) -> String {
        self.exec.functions.format.type_name(ty)
    }
}
