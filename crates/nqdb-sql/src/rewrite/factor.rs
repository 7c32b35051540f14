//! Conditions under OR: what all arms share is said once, and what they say about one side alone is said there.
//!
//! ```text
//! (a = b AND c = 1) OR (a = b AND c = 2)                 a = b AND (c = 1 OR c = 2)
//! (t.x = 1 AND u.y = 2) OR (t.x = 2 AND u.y = 1)         implies t.x = 1 OR t.x = 2, which the scan of t can test
//! ```
//!
//! Only what cannot fail and is not volatile is moved.

use super::build::{conjunction, conjuncts};
use super::is_movable;
use crate::bind::same_expr;
use crate::ir::{Expr, ExprKind};
use crate::plan::mentions::{Columns, contains_subquery, mentioned};
use nqdb_types::Type;

/// The conditions that a condition is made of, after its arms gave up what they share.
pub(super) fn factored(condition: Expr) -> Vec<Expr> {
    let ExprKind::Or(args) = &condition.kind else { return vec![condition] };
    let mut arms: Vec<Vec<Expr>> = args.iter().map(|arg| conjuncts(Some(arg.clone()))).collect();
    let Some((first, others)) = arms.split_first() else { return vec![condition] };
    let shared: Vec<Expr> = first
        .iter()
        .filter(|candidate| is_movable(candidate) && !contains_subquery(candidate))
        .filter(|candidate| others.iter().all(|arm| arm.iter().any(|other| same_expr(other, candidate))))
        .cloned()
        .collect();
    if shared.is_empty() {
        return vec![condition];
    }
    for arm in &mut arms {
        arm.retain(|condition| !shared.iter().any(|other| same_expr(other, condition)));
    }
    let mut conditions = shared;
    // An arm that is nothing but what all share makes the rest superfluous.
    if arms.iter().all(|arm| !arm.is_empty()) {
        conditions.push(disjunction(arms));
    }
    conditions
}

/// What an OR says about some columns alone; `None` if one of its arms says nothing about them.
pub(super) fn implied(condition: &Expr, columns: &Columns) -> Option<Expr> {
    let ExprKind::Or(args) = &condition.kind else { return None };
    let own = |expr: &Expr| {
        let mentions = mentioned(expr);
        !mentions.is_empty() && mentions.is_subset(columns) && is_movable(expr) && !contains_subquery(expr)
    };
    let mut arms = Vec::with_capacity(args.len());
    for arg in args {
        let arm: Vec<Expr> = conjuncts(Some(arg.clone())).into_iter().filter(|condition| own(condition)).collect();
        if arm.is_empty() {
            return None;
        }
        arms.push(arm);
    }
    Some(disjunction(arms))
}

fn disjunction(arms: Vec<Vec<Expr>>) -> Expr {
    let args: Vec<Expr> = arms.into_iter().filter_map(conjunction).collect();
    let nullable = args.iter().any(|arg| arg.nullable);
    let position = args.iter().filter_map(|arg| arg.position).min();
    Expr { kind: ExprKind::Or(args), ty: Type::BOOL, nullable, position }
}
