//! Constraints of tables as they were written, and how they get into the catalog.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::request::{NewColumn, NewConstraint, NewKey};
use nqdb_sqlstate::{
    DUPLICATE_COLUMN, DUPLICATE_OBJECT, FEATURE_NOT_SUPPORTED, INVALID_TABLE_DEFINITION, SqlError, SqlResult,
    UNDEFINED_COLUMN,
};
use nqdb_txn::{RelationLock, TxnError};
use sqlparser::ast::{CheckConstraint, Expr};

use super::foreign_key::{self, WrittenForeignKey};
use super::storage_parameters::{self, Target};
use super::{DdlContext, place};
use crate::parse::Tokens;
use crate::statement::NamedAt;
use crate::table_command::{ConstraintKind, TableConstraint};

/// A constraint whose expression is not bound yet: that takes the table.
pub(super) enum WrittenConstraint {
    Check(WrittenCheck),
    Key(WrittenKey),
    ForeignKey(Box<WrittenForeignKey>),
}

pub(super) struct WrittenCheck {
    pub name: Option<String>,
    pub text: String,
    /// The expression as the statement has it, if it does.
    pub expression: Option<Box<Expr>>,
    /// Rows that are there already are not looked at.
    pub not_valid: bool,
    pub no_inherit: bool,
}

pub(super) struct WrittenKey {
    pub new: NewKey,
    /// The token of the first column, where columns are named.
    pub column_token: Option<usize>,
}

impl WrittenKey {
    /// A key that stands with its column.
    pub fn of_column(new: NewKey) -> WrittenKey {
        WrittenKey { new, column_token: None }
    }
}

impl WrittenConstraint {
    /// Takes back NOT VALID: there are no rows.
    pub fn set_valid(&mut self) {
        match self {
            WrittenConstraint::Check(check) => check.not_valid = false,
            WrittenConstraint::ForeignKey(key) => key.not_valid = false,
            WrittenConstraint::Key(_) => {}
        }
    }
}

/// Reads a constraint of CREATE TABLE that stands on its own.
pub(super) fn table_constraint(written: &TableConstraint) -> SqlResult<WrittenConstraint> {
    let names = |columns: &[NamedAt]| columns.iter().map(|column| column.name.clone()).collect();
    match &written.kind {
        ConstraintKind::Key(key) => Ok(WrittenConstraint::Key(WrittenKey {
            new: NewKey {
                name: written.name.clone(),
                primary: key.primary,
                columns: names(&key.columns),
                included: names(&key.included),
                nulls_not_distinct: key.nulls_not_distinct,
                deferral: written.deferral,
                parameters: storage_parameters::checked(&key.parameters, Target::Index)?,
            },
            column_token: key.column_token,
        })),
        ConstraintKind::Check(check) => Ok(WrittenConstraint::Check(WrittenCheck {
            name: written.name.clone(),
            text: check.text.clone(),
            expression: Some(Box::new(check.expression.clone())),
            not_valid: written.not_valid,
            no_inherit: written.no_inherit,
        })),
        ConstraintKind::ForeignKey(key) => Ok(WrittenConstraint::ForeignKey(Box::new(WrittenForeignKey {
            name: written.name.clone(),
            columns: names(&key.columns),
            references: key.references.clone(),
            deferral: written.deferral,
            not_valid: written.not_valid,
        }))),
        ConstraintKind::KeyOfIndex { .. } => {
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use an existing index in CREATE TABLE"))
        }
    }
}

/// Reads a check that stands with its column.
pub(super) fn check_of(check: &CheckConstraint, name: Option<String>) -> SqlResult<WrittenConstraint> {
    let CheckConstraint { name: _, expr, no_inherit, enforced } = check;
    if enforced.is_some() {
        return Err(SqlError::unsupported("ENFORCED"));
    }
    Ok(WrittenConstraint::Check(WrittenCheck {
        name,
        text: expr.to_string(),
        expression: Some(expr.clone()),
        not_valid: false,
        no_inherit: *no_inherit,
    }))
}

/// Adds constraints to a table that this transaction holds; rows that exist are the caller's to check.
pub(super) fn add_constraints(
    table: u32,
    constraints: Vec<WrittenConstraint>,
    tokens: Option<&Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let mut bound = Vec::with_capacity(constraints.len());
    let mut check_names = Vec::new();
    let mut foreign_keys = Vec::new();
    for constraint in constraints {
        bound.push(match constraint {
            WrittenConstraint::ForeignKey(key) => {
                foreign_keys.push(key);
                continue;
            }
            WrittenConstraint::Key(key) => NewConstraint::Key(key.new),
            WrittenConstraint::Check(check) => {
                let name = check.name.clone();
                let definition = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
                let check = bind_check(check, &definition, tokens, cx)?;
                if let Some(name) = name {
                    if check_names.contains(&name) {
                        let message = format!("check constraint \"{name}\" already exists");
                        return Err(SqlError::new(DUPLICATE_OBJECT, message).into());
                    }
                    check_names.push(name);
                }
                check
            }
        });
    }
    cx.writer().add_constraints(table, &bound)?;
    // Those that refer to the table itself need its keys.
    foreign_keys.into_iter().try_for_each(|key| foreign_key::add(table, &key, cx).map(|_| ()))
}

/// Binds a check over its table; an error gets its place in the statement, where that is known.
pub(super) fn bind_check(
    written: WrittenCheck,
    table: &Arc<TableDef>,
    tokens: Option<&Tokens>,
    cx: &mut DdlContext<'_, '_>,
) -> Result<NewConstraint, TxnError> {
    let WrittenCheck { name, text, expression, not_valid, no_inherit } = written;
    match (cx.check_constraint(name, text, table), tokens.zip(expression)) {
        (Ok(mut check), _) => {
            check.validated = !not_valid;
            check.no_inherit = no_inherit;
            Ok(NewConstraint::Check(check))
        }
        (Err(error), Some((tokens, expression))) => Err(cx.place_check(error.into(), &expression, tokens, table)),
        (Err(error), None) => Err(error.into()),
    }
}

pub(super) fn expect_one_primary_key(constraints: &[WrittenConstraint], table: &str, tokens: &Tokens) -> SqlResult<()> {
    let primary = |constraint: &&WrittenConstraint| match constraint {
        WrittenConstraint::Key(key) => key.new.primary,
        WrittenConstraint::Check(_) | WrittenConstraint::ForeignKey(_) => false,
    };
    if constraints.iter().filter(primary).count() > 1 {
        let message = format!("multiple primary keys for table \"{table}\" are not allowed");
        let place = place::second_primary_key(tokens);
        return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).or_position(place));
    }
    Ok(())
}

pub(super) fn expect_known_columns(
    constraint: &WrittenConstraint,
    columns: &[NewColumn],
    tokens: &Tokens,
) -> SqlResult<()> {
    let WrittenConstraint::Key(key) = constraint else { return Ok(()) };
    let place = || key.column_token.and_then(|column| place::key_constraint(tokens, column));
    let mut seen: Vec<&str> = Vec::new();
    for (at, name) in key.new.columns.iter().chain(&key.new.included).enumerate() {
        if !columns.iter().any(|column| column.name == *name) {
            let message = format!("column \"{name}\" named in key does not exist");
            return Err(SqlError::new(UNDEFINED_COLUMN, message).or_position(place()));
        }
        if seen.contains(&name.as_str()) && at < key.new.columns.len() {
            let kind = if key.new.primary { "primary key" } else { "unique" };
            let message = format!("column \"{name}\" appears twice in {kind} constraint");
            return Err(SqlError::new(DUPLICATE_COLUMN, message).or_position(place()));
        }
        seen.push(name);
    }
    Ok(())
}
