//! Writes a WITH query in the place of the only reference to it.

use crate::ir::{Expr, ExprKind, OutputColumn, Query, Rel, WithBody, WithId};
use crate::plan::mentions::{expressions_mut, inputs_mut, operands_mut, subquery_mut};

/// Replaces the scan of the WITH query by its relation, which is taken out of `body`.
pub(super) fn inline(rel: &mut Rel, id: WithId, body: &mut Option<Query>) {
    if body.is_none() {
        return;
    }
    if let Rel::WithScan { id: scanned, columns, .. } = rel
        && *scanned == id
        && let Some(Query { rel: own, output }) = body.take()
    {
        let copies = columns.iter().filter_map(|(at, id, _)| Some((*id, copy_of(output.get(*at)?)))).collect();
        *rel = Rel::Extend { input: Box::new(own), columns: copies };
        return;
    }
    if let Rel::With { queries, .. } = rel {
        for query in queries {
            if let WithBody::Change(_) = query.body {
                return;
            }
        }
    }
    for expr in expressions_mut(rel) {
        inline_within(expr, id, body);
    }
    for input in inputs_mut(rel) {
        inline(input, id, body);
    }
}

fn inline_within(expr: &mut Expr, id: WithId, body: &mut Option<Query>) {
    if let Some(query) = subquery_mut(expr) {
        inline(&mut query.rel, id, body);
    }
    for operand in operands_mut(expr) {
        inline_within(operand, id, body);
    }
}

/// A column of the WITH query as an expression.
fn copy_of(column: &OutputColumn) -> Expr {
    Expr { kind: ExprKind::Column(column.id), ty: column.ty, nullable: true, position: None }
}
