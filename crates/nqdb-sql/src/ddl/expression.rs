//! Defaults and checks: bound once before they are stored.

use std::sync::Arc;

use nqdb_catalog::request::NewConstraint;
use nqdb_catalog::{ColumnDef, TableDef};
use nqdb_functions::Volatility;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::Type;

use super::DdlContext;
use super::query::placeless;
use crate::bind::{any_expression, bind_default, bind_new_check};
use crate::ir::{Expr, ExprKind};

/// A default that can be stored.
pub(super) struct CheckedDefault {
    pub text: String,
    /// Its value may differ from row to row.
    pub volatile: bool,
}

impl DdlContext<'_, '_> {
    /// Binds a column's default as INSERT will.
    pub(super) fn check_default(&mut self, text: String, name: &str, ty: Type) -> SqlResult<CheckedDefault> {
        let column = ColumnDef {
            attnum: 1,
            name: name.to_owned(),
            ty,
            not_null: false,
            default: None,
            identity: None,
            missing: None,
            dropped: false,
        };
        let snapshot = self.draft.snapshot();
        let bound = placeless(bind_default(&text, &column, &self.bind_context(&snapshot)))?;
        if any_expression(&bound, &mut |expr| is_subquery(expr)) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use subquery in DEFAULT expression"));
        }
        Ok(CheckedDefault { text, volatile: any_expression(&bound, &mut |expr| is_volatile(expr)) })
    }

    /// Binds a CHECK expression over a table and says which columns it names.
    pub(super) fn check_constraint(
        &mut self,
        name: Option<String>,
        text: String,
        table: &Arc<TableDef>,
    ) -> SqlResult<NewConstraint> {
        let snapshot = self.draft.snapshot();
        let bound = placeless(bind_new_check(&text, table, &self.bind_context(&snapshot)))?;
        if any_expression(&bound, &mut |expr| is_subquery(expr)) {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot use subquery in check constraint"));
        }
        let mut ids = Vec::new();
        any_expression(&bound, &mut |expr| {
            if let ExprKind::Column(id) = expr.kind {
                ids.push(id.0 as usize);
            }
            false
        });
        // A new check's column ids number the live columns.
        let columns = table
            .live_columns()
            .enumerate()
            .filter(|(id, _)| ids.contains(id))
            .map(|(_, (_, column))| column.name.clone())
            .collect();
        Ok(NewConstraint::Check { name, expression: text, columns })
    }
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::ScalarSubquery(_) | ExprKind::Exists(_) | ExprKind::ArraySubquery(_) | ExprKind::Quantified { .. }
    )
}

fn is_volatile(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { function, .. } if function.volatility == Volatility::Volatile)
}
