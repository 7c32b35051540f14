//! Whether conditions on a row imply another one: what lets a query use a partial index.
//!
//! By PostgreSQL's rules (`predicate_implied_by`): conjunctions and disjunctions are taken apart; what is left is implied
//! by the same condition, by a comparison of the same thing with a constant that says more, and `x IS NOT NULL` by
//! whatever is not true of NULL. "Implied" is meant of rows for which the conditions are true.

use nqdb_types::Datum;

use super::compile::{comparison_of, is_integer, is_plain_text};
use crate::bind::same_expr;
use crate::exec::Comparison;
use crate::ir::{Expr, ExprKind};

/// Items of an IN list that are looked at one by one, as in PostgreSQL.
const LIST_ITEMS_MAX: usize = 100;

/// Whether the conditions, all of which are true of a row, imply that `wanted` is.
pub(crate) fn implied(conditions: &[Expr], wanted: &Expr) -> bool {
    match parts(wanted) {
        Parts::And(items) => items.iter().all(|item| implied(conditions, item)),
        Parts::Or(items) => items.iter().any(|item| implied(conditions, item)) || any_implies(conditions, wanted),
        Parts::One => any_implies(conditions, wanted),
    }
}

fn any_implies(conditions: &[Expr], wanted: &Expr) -> bool {
    conditions.iter().any(|condition| implies(condition, wanted))
}

/// Whether one condition implies another.
fn implies(condition: &Expr, wanted: &Expr) -> bool {
    match (parts(condition), parts(wanted)) {
        (Parts::And(items), _) => implied(&items, wanted),
        (_, Parts::And(wanted)) => wanted.iter().all(|wanted| implies(condition, wanted)),
        (Parts::Or(items), _) => items.iter().all(|item| implies(item, wanted)),
        (Parts::One, Parts::Or(wanted)) => wanted.iter().any(|wanted| implies(condition, wanted)),
        (Parts::One, Parts::One) => one_implies(condition, wanted),
    }
}

enum Parts {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    One,
}

/// Takes a condition apart; an IN list is a disjunction.
fn parts(expr: &Expr) -> Parts {
    match &expr.kind {
        ExprKind::And(items) => Parts::And(items.clone()),
        ExprKind::Or(items) => Parts::Or(items.clone()),
        ExprKind::InList { arg, list, equal, negated: false } if list.len() <= LIST_ITEMS_MAX => {
            let equals = |item: &Expr| Expr {
                kind: ExprKind::Call { function: equal, args: vec![Expr::clone(arg), item.clone()] },
                ..expr.clone()
            };
            Parts::Or(list.iter().map(equals).collect())
        }
        _ => Parts::One,
    }
}

fn one_implies(condition: &Expr, wanted: &Expr) -> bool {
    if same_expr(condition, wanted) {
        return true;
    }
    if let ExprKind::IsNull { arg, negated: true } = &wanted.kind {
        return is_strict_for(condition, arg);
    }
    let (Some(condition), Some(wanted)) = (Compared::of(condition), Compared::of(wanted)) else { return false };
    condition.implies(&wanted) || condition.commuted().implies(&wanted)
}

/// Whether an expression is NULL where `part`, which it contains, is.
fn is_strict_for(expr: &Expr, part: &Expr) -> bool {
    if same_expr(expr, part) {
        return true;
    }
    match &expr.kind {
        ExprKind::Call { function, args } => function.strict && args.iter().any(|arg| is_strict_for(arg, part)),
        ExprKind::Relabel(arg) | ExprKind::ViaText(arg) | ExprKind::Not(arg) => is_strict_for(arg, part),
        ExprKind::Convert { arg, .. } | ExprKind::Typmod { arg, .. } => is_strict_for(arg, part),
        ExprKind::InList { arg, list, equal, negated: _ } => {
            equal.strict && !list.is_empty() && is_strict_for(arg, part)
        }
        // The condition itself, which is true only of values.
        ExprKind::IsNull { arg, negated: true } => is_strict_for(arg, part),
        _ => false,
    }
}

/// `left comparison right`.
#[derive(Clone, Copy)]
struct Compared<'e> {
    comparison: Comparison,
    left: &'e Expr,
    right: &'e Expr,
}

impl<'e> Compared<'e> {
    fn of(expr: &'e Expr) -> Option<Compared<'e>> {
        let ExprKind::Call { function, args } = &expr.kind else { return None };
        let [left, right] = args.as_slice() else { return None };
        let comparison = comparison_of(function)?.comparison;
        let compared = Compared { comparison, left, right };
        // Constants stand on the right.
        Some(if matches!(left.kind, ExprKind::Literal(_)) { compared.commuted() } else { compared })
    }

    fn commuted(self) -> Compared<'e> {
        Compared { comparison: self.comparison.commuted(), left: self.right, right: self.left }
    }

    fn implies(&self, wanted: &Compared<'_>) -> bool {
        if !same_value(self.left, wanted.left) {
            return false;
        }
        if same_expr(self.right, wanted.right) {
            return implies_of_equal_operands(self.comparison, wanted.comparison);
        }
        let (ExprKind::Literal(own), ExprKind::Literal(other)) = (&self.right.kind, &wanted.right.kind) else {
            return false;
        };
        let Some(test) = needed_order(self.comparison, wanted.comparison) else { return false };
        order_of(other, own, self.right, wanted.right).is_some_and(|order| test.holds(order))
    }
}

/// Whether two expressions have the same value, under types that compare alike.
fn same_value(left: &Expr, right: &Expr) -> bool {
    fn bare(expr: &Expr) -> &Expr {
        match &expr.kind {
            ExprKind::Relabel(arg) if is_plain_text(arg.ty.oid) && is_plain_text(expr.ty.oid) => bare(arg),
            _ => expr,
        }
    }
    same_expr(bare(left), bare(right))
}

/// Whether `x own y` implies `x wanted y`.
fn implies_of_equal_operands(own: Comparison, wanted: Comparison) -> bool {
    use Comparison as C;
    own == wanted
        || matches!(
            (own, wanted),
            (C::Less | C::Equal, C::LessEqual)
                | (C::Greater | C::Equal, C::GreaterEqual)
                | (C::Less | C::Greater, C::NotEqual)
        )
}

/// What must hold between the other constant and the own one, so that `x own c` implies `x wanted d` (PostgreSQL's
/// `BT_implies_table`): `d ? c`.
fn needed_order(own: Comparison, wanted: Comparison) -> Option<Comparison> {
    use Comparison as C;
    Some(match (own, wanted) {
        (C::Less, C::Less | C::LessEqual | C::NotEqual) => C::GreaterEqual,
        (C::LessEqual, C::Less | C::NotEqual) => C::Greater,
        (C::LessEqual, C::LessEqual) => C::GreaterEqual,
        (C::Equal, C::Less) => C::Greater,
        (C::Equal, C::LessEqual) => C::GreaterEqual,
        (C::Equal, C::Equal) => C::Equal,
        (C::Equal, C::GreaterEqual) => C::LessEqual,
        (C::Equal, C::Greater) => C::Less,
        (C::Equal, C::NotEqual) => C::NotEqual,
        (C::GreaterEqual, C::GreaterEqual) => C::LessEqual,
        (C::GreaterEqual, C::Greater | C::NotEqual) => C::Less,
        (C::Greater, C::GreaterEqual | C::Greater | C::NotEqual) => C::LessEqual,
        (C::NotEqual, C::NotEqual) => C::Equal,
        _ => return None,
    })
}

/// How two constants compare, where their types compare as their values do.
fn order_of(left: &Datum, right: &Datum, own: &Expr, other: &Expr) -> Option<std::cmp::Ordering> {
    if left.is_null() || right.is_null() {
        return None;
    }
    let (own, other) = (own.ty.oid, other.ty.oid);
    let alike = own == other || (is_integer(own) && is_integer(other)) || (is_plain_text(own) && is_plain_text(other));
    alike.then(|| left.compare_as(right, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Comparison; 6] = [
        Comparison::Less,
        Comparison::LessEqual,
        Comparison::Equal,
        Comparison::GreaterEqual,
        Comparison::Greater,
        Comparison::NotEqual,
    ];

    /// `x op constant` for all small values.
    fn truths(comparison: Comparison, constant: i32) -> Vec<bool> {
        (-1..=4).map(|x: i32| comparison.holds(x.cmp(&constant))).collect()
    }

    #[test]
    fn what_the_tables_say_is_true_of_all_values() {
        for own in ALL {
            for wanted in ALL {
                for (c, d) in [(1, 0), (1, 1), (1, 2)] {
                    let says = needed_order(own, wanted).is_some_and(|test| test.holds(d.cmp(&c)));
                    let same = c == d && implies_of_equal_operands(own, wanted);
                    let holds = truths(own, c).iter().zip(truths(wanted, d)).all(|(own, wanted)| !own || wanted);
                    assert!(!(says || same) || holds, "x {own:?} {c} does not imply x {wanted:?} {d}");
                }
                let same = implies_of_equal_operands(own, wanted);
                let holds = truths(own, 1).iter().zip(truths(wanted, 1)).all(|(own, wanted)| !own || wanted);
                assert_eq!(same, holds, "x {own:?} y and x {wanted:?} y");
            }
        }
    }
}
