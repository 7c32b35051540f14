//! Making expressions and relations: conjunctions, filters, columns.

use nqdb_types::{Datum, Type};

use crate::ir::{ColumnId, Expr, ExprKind, Rel};
use crate::plan::mentions::{operands_mut, split_conjuncts};

/// All of the conditions, `None` when there are none.
pub(crate) fn conjunction(mut conditions: Vec<Expr>) -> Option<Expr> {
    match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        _ => {
            let nullable = conditions.iter().any(|condition| condition.nullable);
            let position = conditions.iter().filter_map(|condition| condition.position).min();
            Some(Expr { kind: ExprKind::And(conditions), ty: Type::BOOL, nullable, position })
        }
    }
}

/// The conditions of an optional conjunction.
pub(crate) fn conjuncts(condition: Option<Expr>) -> Vec<Expr> {
    let mut conditions = Vec::new();
    if let Some(condition) = &condition {
        split_conjuncts(condition, &mut conditions);
    }
    conditions
}

/// A relation under some conditions; filters that meet become one, the lower conditions first.
pub(crate) fn filtered(rel: Rel, conditions: Vec<Expr>) -> Rel {
    if conditions.is_empty() {
        return rel;
    }
    let (input, all) = match rel {
        Rel::Filter { input, predicate } => {
            let mut all = conjuncts(Some(predicate));
            all.extend(conditions);
            (input, all)
        }
        rel => (Box::new(rel), conditions),
    };
    match conjunction(all) {
        Some(predicate) => Rel::Filter { input, predicate },
        None => *input,
    }
}

/// A column as an expression.
pub(crate) fn column(id: ColumnId, ty: Type, nullable: bool) -> Expr {
    Expr { kind: ExprKind::Column(id), ty, nullable, position: None }
}

/// A constant.
pub(crate) fn literal(datum: Datum, ty: Type) -> Expr {
    Expr { nullable: datum.is_null(), kind: ExprKind::Literal(datum), ty, position: None }
}

/// Replaces columns by expressions. Subqueries are left alone: who calls this has made sure that none mentions them.
pub(crate) fn replace_columns(expr: &mut Expr, by: &[(ColumnId, Expr)]) {
    if let ExprKind::Column(id) = &expr.kind {
        if let Some((_, replacement)) = by.iter().find(|(column, _)| column == id) {
            *expr = replacement.clone();
        }
        return;
    }
    for operand in operands_mut(expr) {
        replace_columns(operand, by);
    }
}
