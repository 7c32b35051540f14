//! Where an expression of the syntax tree starts, as a token number.
//!
//! The tree knows the place of names and constants. Everything around them (operators, parentheses, `CAST (`) is
//! found by stepping back over the tokens.

use sqlparser::ast::{self, Expr, SetExpr};

use super::tokens::Tokens;

/// The first token of an expression, parentheses around it not included.
pub(crate) fn start_of(tokens: &Tokens, expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Identifier(name) => Tokens::index_of(name.span),
        Expr::CompoundIdentifier(names) => names.first().and_then(|name| Tokens::index_of(name.span)),
        Expr::Value(value) => Tokens::index_of(value.span),
        Expr::TypedString(typed) => typed_start(tokens, Tokens::index_of(typed.value.span)?),
        Expr::Function(function) => match function.name.0.first() {
            Some(ast::ObjectNamePart::Identifier(name)) => Tokens::index_of(name.span),
            _ => None,
        },
        Expr::UnaryOp { expr, .. } => Some(outer_start(tokens, expr)?.saturating_sub(1)),
        Expr::Nested(expr) => outer_start(tokens, expr)?.checked_sub(1),
        Expr::Cast { kind: ast::CastKind::DoubleColon, expr, .. } => start_with_parens(tokens, expr),
        Expr::Cast { expr, .. }
        | Expr::Extract { expr, .. }
        | Expr::Ceil { expr, .. }
        | Expr::Floor { expr, .. }
        | Expr::Position { expr, .. }
        | Expr::Substring { expr, .. }
        | Expr::Overlay { expr, .. }
        | Expr::Trim { expr, .. } => {
            let inner = outer_start(tokens, expr)?;
            tokens.open_paren_before(inner)?.checked_sub(1)
        }
        Expr::Case { case_token, .. } => Tokens::index_of(case_token.0.span),
        Expr::Exists { subquery, .. } => query_start(tokens, subquery)?.checked_sub(2),
        Expr::Subquery(subquery) => query_start(tokens, subquery)?.checked_sub(1),
        Expr::Tuple(items) => outer_start(tokens, items.first()?)?.checked_sub(1),
        Expr::Interval(interval) => outer_start(tokens, &interval.value)?.checked_sub(1),
        Expr::Array(array) => outer_start(tokens, array.elem.first()?)?.checked_sub(1 + usize::from(array.named)),
        Expr::BinaryOp { left: inner, .. }
        | Expr::AnyOp { left: inner, .. }
        | Expr::AllOp { left: inner, .. }
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::IsDistinctFrom(inner, _)
        | Expr::IsNotDistinctFrom(inner, _)
        | Expr::InList { expr: inner, .. }
        | Expr::InSubquery { expr: inner, .. }
        | Expr::Between { expr: inner, .. }
        | Expr::Like { expr: inner, .. }
        | Expr::ILike { expr: inner, .. }
        | Expr::SimilarTo { expr: inner, .. }
        | Expr::AtTimeZone { timestamp: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::CompoundFieldAccess { root: inner, .. } => start_with_parens(tokens, inner),
        _ => None,
    }
}

/// As [`start_of`]; a parenthesized expression starts at its parenthesis.
fn start_with_parens(tokens: &Tokens, expression: &Expr) -> Option<usize> {
    start_of(tokens, expression)
}

fn outer_start(tokens: &Tokens, expression: &Expr) -> Option<usize> {
    start_of(tokens, expression)
}

/// The operator token in front of its right operand.
pub(crate) fn operator_position(tokens: &Tokens, right: &Expr) -> Option<u32> {
    tokens.position(start_of(tokens, right)?.checked_sub(1)?)
}

/// `date '...'`, `timestamp with time zone '...'`: steps back over the words and numbers of the type.
fn typed_start(tokens: &Tokens, literal: usize) -> Option<usize> {
    const MIDDLE: [&str; 6] = ["zone", "time", "with", "without", "precision", "varying"];
    let mut at = literal.checked_sub(1)?;
    if tokens.is(at, ")") {
        at = tokens.open_paren_before(at)?.checked_sub(1)?;
    }
    while MIDDLE.iter().any(|word| tokens.is(at, word)) {
        let Some(before) = at.checked_sub(1) else { break };
        let joins = MIDDLE.iter().any(|word| tokens.is(before, word))
            || ["timestamp", "double", "character", "char"].iter().any(|word| tokens.is(before, word));
        if tokens.is(before, ")") {
            at = tokens.open_paren_before(before)?.checked_sub(1)?;
        } else if joins {
            at = before;
        } else {
            break;
        }
    }
    Some(at)
}

/// The first token of a query, parentheses around it not included.
pub(crate) fn query_start(tokens: &Tokens, query: &ast::Query) -> Option<usize> {
    if let Some(with) = &query.with {
        return Tokens::index_of(with.with_token.0.span);
    }
    body_start(tokens, &query.body)
}

fn body_start(tokens: &Tokens, body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => Tokens::index_of(select.select_token.0.span),
        SetExpr::Query(query) => query_start(tokens, query)?.checked_sub(1),
        SetExpr::SetOperation { left, .. } => body_start(tokens, left),
        SetExpr::Values(values) => {
            let first = values.rows.first()?;
            Tokens::index_of(first.opening_token.0.span)?.checked_sub(1)
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => None,
    }
}
