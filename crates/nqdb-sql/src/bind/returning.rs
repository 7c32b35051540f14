//! RETURNING: a select list over the new (or deleted) row.

use nqdb_sqlstate::SqlResult;
use nqdb_types::oid;
use sqlparser::ast::SelectItem;

use super::Binder;
use super::scope::Scope;
use crate::ir::{ExprKind, OutputColumn, Returning};

impl Binder<'_> {
    /// Binds RETURNING in the given scope.
    pub(super) fn bind_returning(
        &mut self,
        returning: Option<&Vec<SelectItem>>,
        scope: Scope,
    ) -> SqlResult<Option<Returning>> {
        let Some(items) = returning else { return Ok(None) };
        self.in_scope(scope, |binder| {
            let targets = binder.bind_projection(items)?;
            let mut columns = Vec::with_capacity(targets.len());
            for target in targets {
                let expr =
                    if target.expr.ty.oid == oid::UNKNOWN { binder.resolve_unknown(target.expr)? } else { target.expr };
                let origin = match expr.kind {
                    ExprKind::Column(id) => binder.info(id).origin,
                    _ => None,
                };
                let id = binder.new_column(expr.ty, expr.nullable, origin);
                let name = target.name.unwrap_or_default();
                columns.push((OutputColumn { id, name, ty: expr.ty, origin }, expr));
            }
            Ok(Some(Returning { columns }))
        })
    }
}
