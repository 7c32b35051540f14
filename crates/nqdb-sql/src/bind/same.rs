//! Whether two bound expressions are the same one, written twice: for GROUP BY, ORDER BY and DISTINCT.

use crate::ir::{Expr, ExprKind, Query, Subscript};
use crate::plan::mentions::visible;

/// Structural equality. Subqueries are the same only where one is a copy of the other, which GROUP BY makes of what it
/// names by position.
pub(crate) fn same_expr(a: &Expr, b: &Expr) -> bool {
    a.ty == b.ty && same_kind(&a.kind, &b.kind)
}

fn same_list(a: &[Expr], b: &[Expr]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_expr(a, b))
}

fn same_option(a: Option<&Expr>, b: Option<&Expr>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same_expr(a, b),
        _ => false,
    }
}

/// Columns are unique within a statement, so two queries that define the same ones were bound once.
fn same_query(a: &Query, b: &Query) -> bool {
    let columns = |query: &Query| {
        let mut columns = Vec::new();
        visible(&query.rel, &mut columns);
        columns
    };
    let own = columns(a);
    !own.is_empty() && own == columns(b)
}

fn same_subscripts(a: &[Subscript], b: &[Subscript]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.is_slice == b.is_slice
                && same_option(a.lower.as_ref(), b.lower.as_ref())
                && same_option(a.upper.as_ref(), b.upper.as_ref())
        })
}

fn same_kind(a: &ExprKind, b: &ExprKind) -> bool {
    use ExprKind as K;
    match (a, b) {
        (K::Literal(a), K::Literal(b)) => std::mem::discriminant(a) == std::mem::discriminant(b) && a == b,
        (K::Param(a), K::Param(b)) => a == b,
        (K::Column(a), K::Column(b)) => a == b,
        (K::CaseOperand, K::CaseOperand) => true,
        (K::Call { function: f, args: a }, K::Call { function: g, args: b }) => f == g && same_list(a, b),
        (K::Relabel(a), K::Relabel(b)) | (K::ViaText(a), K::ViaText(b)) | (K::Not(a), K::Not(b)) => same_expr(a, b),
        // The types of both sides, compared before, decide which conversion it is.
        (K::Convert { arg: a, convert: _ }, K::Convert { arg: b, convert: _ }) => same_expr(a, b),
        (K::Typmod { arg: a, explicit: x }, K::Typmod { arg: b, explicit: y }) => x == y && same_expr(a, b),
        (K::And(a), K::And(b)) | (K::Or(a), K::Or(b)) | (K::Coalesce(a), K::Coalesce(b)) => same_list(a, b),
        (K::IsNull { arg: a, negated: x }, K::IsNull { arg: b, negated: y }) => x == y && same_expr(a, b),
        (K::IsBool { arg: a, value: v, negated: x }, K::IsBool { arg: b, value: w, negated: y }) => {
            v == w && x == y && same_expr(a, b)
        }
        (
            K::IsDistinct { left: a, right: b, equal: f, negated: x },
            K::IsDistinct { left: c, right: d, equal: g, negated: y },
        ) => f == g && x == y && same_expr(a, c) && same_expr(b, d),
        (K::NullIf { left: a, right: b, equal: f }, K::NullIf { left: c, right: d, equal: g }) => {
            f == g && same_expr(a, c) && same_expr(b, d)
        }
        (K::Case { operand: a, arms: x, otherwise: m }, K::Case { operand: b, arms: y, otherwise: n }) => {
            same_option(a.as_deref(), b.as_deref())
                && same_option(m.as_deref(), n.as_deref())
                && x.len() == y.len()
                && x.iter().zip(y).all(|((a, b), (c, d))| same_expr(a, c) && same_expr(b, d))
        }
        (K::MinMax { args: a, greatest: x, less: f }, K::MinMax { args: b, greatest: y, less: g }) => {
            f == g && x == y && same_list(a, b)
        }
        (K::InList { arg: a, list: x, equal: f, negated: m }, K::InList { arg: b, list: y, equal: g, negated: n }) => {
            f == g && m == n && same_expr(a, b) && same_list(x, y)
        }
        (
            K::QuantifiedArray { arg: a, function: f, array: x, all: m },
            K::QuantifiedArray { arg: b, function: g, array: y, all: n },
        ) => f == g && m == n && same_expr(a, b) && same_expr(x, y),
        (K::ScalarSubquery(a), K::ScalarSubquery(b))
        | (K::Exists(a), K::Exists(b))
        | (K::ArraySubquery(a), K::ArraySubquery(b)) => same_query(a, b),
        (
            K::Quantified { arg: a, function: f, query: x, all: m },
            K::Quantified { arg: b, function: g, query: y, all: n },
        ) => f == g && m == n && same_expr(a, b) && same_query(x, y),
        (K::Array { items: a, nested: x }, K::Array { items: b, nested: y }) => x == y && same_list(a, b),
        (K::Subscript { array: a, subscripts: x }, K::Subscript { array: b, subscripts: y }) => {
            same_expr(a, b) && same_subscripts(x, y)
        }
        (K::Domain { arg: a, .. }, K::Domain { arg: b, .. }) => same_expr(a, b),
        (K::MapElements { array: a, element: x }, K::MapElements { array: b, element: y }) => {
            same_expr(a, b) && same_expr(x, y)
        }
        (K::Row { fields: a, shape: x, .. }, K::Row { fields: b, shape: y, .. }) => x == y && same_list(a, b),
        (K::Field { record: a, index: x, .. }, K::Field { record: b, index: y, .. }) => x == y && same_expr(a, b),
        _ => false,
    }
}
