//! Constants by way of equalities: `a = b AND a = 1` implies `b = 1`.

use super::facts::{Failure, equality_sides, failure};
use crate::bind::same_expr;
use crate::ir::{ColumnId, Expr, ExprKind};
use crate::plan::mentions::{contains_subquery, is_volatile, mentioned};
use nqdb_types::Oid;

/// Conditions `column = constant` that follow from some conditions and are not among them.
pub(super) fn implied_constants(conditions: &[Expr]) -> Vec<Expr> {
    let pairs: Vec<(&Expr, &Expr)> = conditions.iter().filter_map(column_pair).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut implied: Vec<Expr> = Vec::new();
    // Each round follows one more equality; there are no more rounds than equalities.
    for _ in 0..pairs.len() {
        let known: Vec<Expr> = conditions.iter().chain(&implied).filter(|c| fixes(c).is_some()).cloned().collect();
        let before = implied.len();
        for condition in &known {
            let Some((column, _)) = fixes(condition) else { continue };
            for (left, right) in &pairs {
                let other = match (column_of(left), column_of(right)) {
                    (Some(a), _) if a == column => right,
                    (_, Some(b)) if b == column => left,
                    _ => continue,
                };
                let new = with_column(condition, other);
                if !conditions.iter().chain(&implied).any(|known| same_expr(known, &new)) {
                    implied.push(new);
                }
            }
        }
        if implied.len() == before {
            break;
        }
    }
    implied
}

/// An equality of two columns of one type.
fn column_pair(condition: &Expr) -> Option<(&Expr, &Expr)> {
    let (_, left, right) = equality_sides(condition)?;
    let both = column_of(left).is_some() && column_of(right).is_some() && left.ty.oid == right.ty.oid;
    both.then_some((left, right))
}

fn column_of(expr: &Expr) -> Option<ColumnId> {
    match &expr.kind {
        ExprKind::Column(id) => Some(*id),
        _ => None,
    }
}

/// The column that a condition sets equal to a constant, and the column's type.
fn fixes(condition: &Expr) -> Option<(ColumnId, Oid)> {
    let (_, left, right) = equality_sides(condition)?;
    let constant = |expr: &Expr| {
        mentioned(expr).is_empty() && !contains_subquery(expr) && !is_volatile(expr) && failure(expr) == Failure::Never
    };
    match (column_of(left), column_of(right)) {
        (Some(column), None) if constant(right) => Some((column, left.ty.oid)),
        (None, Some(column)) if constant(left) => Some((column, right.ty.oid)),
        _ => None,
    }
}

/// `column = constant` with another column of the same type.
fn with_column(condition: &Expr, column: &Expr) -> Expr {
    let mut condition = condition.clone();
    if let ExprKind::Call { args, .. } = &mut condition.kind {
        for arg in args.iter_mut().filter(|arg| column_of(arg).is_some()) {
            *arg = column.clone();
        }
    }
    condition.nullable = true;
    condition
}
