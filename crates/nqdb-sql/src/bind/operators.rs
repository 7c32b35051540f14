//! Operators: AND, OR and NOT, everything that `pg_operator` resolves, and the forms made of them (BETWEEN, IN,
//! LIKE, IS DISTINCT FROM).

use nqdb_functions::{CastContext, Function, Strategy, common_type, resolve_operator};
use nqdb_sqlstate::{DATATYPE_MISMATCH, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_FUNCTION};
use nqdb_types::{Oid, Type, oid};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator, Value};

use super::rows::row_items;
use super::{Binder, leftmost, literal, span_position};
use crate::ir::{Expr, ExprKind};
use crate::parse::{SYMMETRIC, is_operator, operator_position, start_of};

/// A binary operator's function with its operands, converted to its types.
pub(super) struct BinaryCall {
    pub(super) function: &'static Function,
    pub(super) left: Expr,
    pub(super) right: Expr,
    pub(super) returns: Oid,
}

impl Binder<'_> {
    pub(super) fn bind_binary(&mut self, left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr) -> SqlResult<Expr> {
        match op {
            BinaryOperator::And | BinaryOperator::Or => return self.bind_logical(left, op, right),
            BinaryOperator::Xor => {
                return Err(self.syntax_error_at(operator_position(&self.tokens, right), "xor"));
            }
            BinaryOperator::Overlaps => return self.bind_overlaps(left, right),
            _ => {}
        }
        let name = self.operator_name(op, left)?;
        let position = operator_position(&self.tokens, right);
        if is_comparison(op)
            && let ast::Expr::BinaryOp { op: inner, .. } = left
            && is_comparison(inner)
        {
            // Comparisons do not associate.
            return Err(self.syntax_error_at(position, &name));
        }
        if let (Some(left_items), Some(right_items)) = (row_items(left), row_items(right)) {
            return self.bind_row_comparison(&name, left_items, right_items, position);
        }
        if let (Some(items), ast::Expr::Subquery(subquery)) = (row_items(left), right) {
            return self.compare_row_with_query(&items, &name, subquery, position);
        }
        let left = self.bind_expr(left)?;
        let right = self.bind_expr(right)?;
        self.apply_operator(&name, left, right, position)
    }

    /// The operator's name; `OPERATOR(pg_catalog.+)` names the built-in one.
    pub(super) fn operator_name(&self, op: &BinaryOperator, left: &ast::Expr) -> SqlResult<String> {
        match op {
            BinaryOperator::PGCustomBinaryOperator(parts) => match parts.as_slice() {
                [name] => Ok(name.clone()),
                [schema, name] if schema.eq_ignore_ascii_case("pg_catalog") => Ok(name.clone()),
                _ => Err(self.unsupported("an operator in a schema", left)),
            },
            op => Ok(op.to_string()),
        }
    }

    /// AND and OR: a chain becomes one node, however long it is.
    fn bind_logical(&mut self, left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr) -> SqlResult<Expr> {
        let is_and = *op == BinaryOperator::And;
        let construct = if is_and { "AND" } else { "OR" };
        let mut operands = vec![right];
        let mut rest = left;
        while let ast::Expr::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            operands.push(right);
            rest = left;
        }
        operands.push(rest);
        let mut args = Vec::with_capacity(operands.len());
        for operand in operands.into_iter().rev() {
            let arg = self.bind_boolean(operand, construct)?;
            match arg.kind {
                ExprKind::And(inner) if is_and => args.extend(inner),
                ExprKind::Or(inner) if !is_and => args.extend(inner),
                kind => args.push(Expr { kind, ty: arg.ty, nullable: arg.nullable, position: arg.position }),
            }
        }
        Ok(if is_and { conjunction(args) } else { disjunction(args) })
    }

    pub(super) fn bind_unary(&mut self, op: UnaryOperator, inner: &ast::Expr) -> SqlResult<Expr> {
        let position = start_of(&self.tokens, inner)
            .and_then(|start| start.checked_sub(1))
            .and_then(|at| self.tokens.position(at));
        let name = match op {
            UnaryOperator::Not => {
                let arg = self.bind_boolean(inner, "NOT")?;
                let position = leftmost(position, arg.position);
                return Ok(negation(arg, position));
            }
            op => self.prefix_operator(op, inner),
        };
        if matches!(op, UnaryOperator::Minus | UnaryOperator::Plus) {
            // A sign binds closer than `^` and AT TIME ZONE (manual, table 4.2); the parser has it the other way round.
            if let ast::Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } = inner {
                let signed = self.bind_unary(op, left)?;
                let exponent = self.bind_expr(right)?;
                return self.apply_operator("^", signed, exponent, operator_position(&self.tokens, right));
            }
        }
        if op == UnaryOperator::Minus
            && let ast::Expr::Value(value) = inner
            && let Value::Number(digits, false) = &value.value
        {
            let mut bound = literal::number(digits, true, position)?;
            bound.position = leftmost(position, span_position(value.span));
            return Ok(bound);
        }
        let arg = self.bind_expr(inner)?;
        self.apply_prefix(&name, arg, position)
    }

    /// The name of a prefix operator, from the source: `~` also stands for those that the parser does not know.
    fn prefix_operator(&self, op: UnaryOperator, operand: &ast::Expr) -> String {
        let before = start_of(&self.tokens, operand).and_then(|start| start.checked_sub(1));
        let written = before.map_or("", |at| self.tokens.token_text(at));
        if is_operator(written) { written.to_owned() } else { op.to_string() }
    }

    fn apply_prefix(&mut self, name: &str, arg: Expr, position: Option<u32>) -> SqlResult<Expr> {
        let given = arg.ty.oid;
        let resolved = resolve_operator(name, None, given)
            .map_err(|error| error.operator_error(name, None, given, self.cx.format).or_position(position))?;
        let operator = resolved.operator;
        let arg = self.coerce_operand(arg, resolved.arg_types.first().copied())?;
        let start = leftmost(position, arg.position);
        Ok(Expr {
            nullable: arg.nullable || !operator.function.strict,
            kind: ExprKind::Call { function: operator.function, args: vec![arg] },
            ty: Type::new(resolved.returns),
            position: start,
        })
    }

    /// Applies a binary operator of `pg_operator`.
    pub(super) fn apply_operator(
        &mut self,
        name: &str,
        left: Expr,
        right: Expr,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let BinaryCall { function, left, right, returns } = self.resolve_binary(name, left, right, position)?;
        let start = leftmost(position, leftmost(left.position, right.position));
        Ok(Expr {
            nullable: left.nullable || right.nullable || !function.strict,
            ty: Type::new(returns),
            kind: ExprKind::Call { function, args: vec![left, right] },
            position: start,
        })
    }

    /// The function of a binary operator, with its operands converted to its types.
    pub(super) fn resolve_binary(
        &mut self,
        name: &str,
        left: Expr,
        right: Expr,
        position: Option<u32>,
    ) -> SqlResult<BinaryCall> {
        let name = if name == "!=" { "<>" } else { name };
        let (left_oid, right_oid) = (left.ty.oid, right.ty.oid);
        let resolved = resolve_operator(name, Some(left_oid), right_oid).map_err(|error| {
            error.operator_error(name, Some(left_oid), right_oid, self.cx.format).or_position(position)
        })?;
        let left = self.coerce_operand(left, resolved.arg_types.first().copied())?;
        let right = self.coerce_operand(right, resolved.arg_types.get(1).copied())?;
        Ok(BinaryCall { function: resolved.operator.function, left, right, returns: resolved.returns })
    }

    /// Converts an operand or argument implicitly to a resolved type.
    pub(super) fn coerce_operand(&mut self, arg: Expr, to: Option<Oid>) -> SqlResult<Expr> {
        match to {
            Some(to) if to != arg.ty.oid => self.coerce(arg, Type::new(to), CastContext::Implicit, None),
            _ => Ok(arg),
        }
    }

    /// `a BETWEEN b AND c` is `a >= b AND a <= c`.
    pub(super) fn bind_between(
        &mut self,
        arg: &ast::Expr,
        negated: bool,
        low: &ast::Expr,
        high: &ast::Expr,
    ) -> SqlResult<Expr> {
        let position = self.keyword_position(arg, low, "between");
        if let Some(low) = marked_argument(low, SYMMETRIC) {
            let direct = self.bind_between(arg, negated, low, high)?;
            let reversed = self.bind_between(arg, negated, high, low)?;
            let both = vec![direct, reversed];
            return Ok(if negated { conjunction(both) } else { disjunction(both) });
        }
        let (lower, upper) = if negated { ("<", ">") } else { (">=", "<=") };
        let value = self.bind_expr(arg)?;
        let low = self.bind_expr(low)?;
        let first = self.apply_operator(lower, value, low, position)?;
        // Bound again rather than copied: what the first comparison decided about a parameter holds here too.
        let value = self.bind_expr(arg)?;
        let high = self.bind_expr(high)?;
        let second = self.apply_operator(upper, value, high, position)?;
        Ok(if negated { disjunction(vec![first, second]) } else { conjunction(vec![first, second]) })
    }

    /// The position of a keyword between two operands.
    fn keyword_position(&self, from: &ast::Expr, to: &ast::Expr, keyword: &str) -> Option<u32> {
        let start = start_of(&self.tokens, from)?;
        let end = start_of(&self.tokens, to)?;
        let at = (start..end).rev().find(|at| self.tokens.is(*at, keyword))?;
        let negated = at.checked_sub(1).filter(|before| self.tokens.is(*before, "not"));
        self.tokens.position(negated.unwrap_or(at))
    }

    /// LIKE and ILIKE, with ESCAPE.
    pub(super) fn bind_like(
        &mut self,
        operator: &str,
        arg: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
    ) -> SqlResult<Expr> {
        if let (Some(array), None) = (all_of_array(pattern), escape) {
            return self.bind_quantified_by_name(arg, operator, array, true);
        }
        let position =
            self.keyword_position(arg, pattern, "like").or_else(|| self.keyword_position(arg, pattern, "ilike"));
        let value = self.bind_expr(arg)?;
        let mut bound_pattern = self.bind_expr(pattern)?;
        if let Some(escape) = escape {
            let escape = self.bind_expr(escape)?;
            bound_pattern = self.call_named("like_escape", vec![bound_pattern, escape], position)?;
        }
        self.apply_operator(operator, value, bound_pattern, position)
    }

    /// SIMILAR TO: a match of the regular expression that the pattern stands for.
    pub(super) fn bind_similar(
        &mut self,
        arg: &ast::Expr,
        negated: bool,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
    ) -> SqlResult<Expr> {
        let position = self.keyword_position(arg, pattern, "similar");
        let value = self.bind_expr(arg)?;
        let mut args = vec![self.bind_expr(pattern)?];
        if let Some(escape) = escape {
            args.push(self.bind_expr(escape)?);
        }
        let pattern = self.call_named("similar_to_escape", args, position)?;
        self.apply_operator(if negated { "!~" } else { "~" }, value, pattern, position)
    }

    /// `(start, end) OVERLAPS (start, end)`.
    fn bind_overlaps(&mut self, left: &ast::Expr, right: &ast::Expr) -> SqlResult<Expr> {
        let mut args = Vec::with_capacity(4);
        for (side, name) in [(left, "left"), (right, "right")] {
            let items = row_items(side).unwrap_or_default();
            if items.len() != 2 {
                let message = format!("wrong number of parameters on {name} side of OVERLAPS expression");
                return Err(SqlError::new(SYNTAX_ERROR, message).or_position(self.position_of(side)));
            }
            for item in items {
                args.push(self.bind_expr(item)?);
            }
        }
        let position = self.keyword_position(left, right, "overlaps");
        self.call_named("overlaps", args, position)
    }

    pub(super) fn bind_is_distinct(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool) -> SqlResult<Expr> {
        let position = self.keyword_position(left, right, "is");
        if let (Some(left_items), Some(right_items)) = (row_items(left), row_items(right)) {
            return self.bind_row_distinct(left_items, right_items, negated, position);
        }
        let left = self.bind_expr(left)?;
        let right = self.bind_expr(right)?;
        self.is_distinct(left, right, negated, position)
    }

    pub(super) fn is_distinct(
        &mut self,
        left: Expr,
        right: Expr,
        negated: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let (equal, left, right) = self.resolve_equality(left, right, "IS DISTINCT FROM", position)?;
        let start = leftmost(position, left.position);
        Ok(Expr {
            kind: ExprKind::IsDistinct { left: Box::new(left), right: Box::new(right), equal, negated },
            ty: Type::BOOL,
            nullable: false,
            position: start,
        })
    }

    /// The `=` of two operands, for constructs that need it.
    pub(super) fn resolve_equality(
        &mut self,
        left: Expr,
        right: Expr,
        construct: &str,
        position: Option<u32>,
    ) -> SqlResult<(&'static Function, Expr, Expr)> {
        let resolved = self.resolve_binary("=", left, right, position)?;
        if resolved.returns != oid::BOOL {
            let message = format!("{construct} requires = operator to yield boolean");
            return Err(SqlError::new(DATATYPE_MISMATCH, message).or_position(position));
        }
        Ok((resolved.function, resolved.left, resolved.right))
    }

    /// `x IN (a, b, c)`: one type for all if there is one, else a chain of comparisons.
    pub(super) fn bind_in_list(&mut self, arg: &ast::Expr, list: &[ast::Expr], negated: bool) -> SqlResult<Expr> {
        if let Some(items) = row_items(arg) {
            return self.bind_row_in_list(items, list, negated);
        }
        let position = list.first().and_then(|first| self.keyword_position(arg, first, "in"));
        let bound_arg = self.bind_expr(arg)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.bind_expr(item)?);
        }
        let types: Vec<Oid> = std::iter::once(&bound_arg).chain(&items).map(|expr| expr.ty.oid).collect();
        let common = common_type(&types).filter(|common| {
            types.iter().all(|&from| nqdb_functions::coercion(from, *common, CastContext::Implicit).is_some())
        });
        if let (Some(common), true) = (common, items.len() > 1) {
            return self.in_list_of(bound_arg, items, common, negated, position);
        }
        let mut comparisons = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            let arg = if at == 0 { bound_arg.clone() } else { self.bind_expr(arg)? };
            comparisons.push(self.apply_operator(if negated { "<>" } else { "=" }, arg, item, position)?);
        }
        Ok(if negated { conjunction(comparisons) } else { disjunction(comparisons) })
    }

    fn in_list_of(
        &mut self,
        arg: Expr,
        items: Vec<Expr>,
        common: Oid,
        negated: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        // The operator is looked up between the argument and the list's common type, as for `= ANY (array)`.
        let given = if arg.ty.oid == oid::UNKNOWN { common } else { arg.ty.oid };
        let resolved = resolve_operator("=", Some(given), common)
            .map_err(|error| error.operator_error("=", Some(given), common, self.cx.format).or_position(position))?;
        let arg = self.coerce_operand(arg, resolved.arg_types.first().copied())?;
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let item = self.coerce_operand(item, Some(common))?;
            list.push(self.coerce_operand(item, resolved.arg_types.get(1).copied())?);
        }
        let start = leftmost(position, arg.position);
        Ok(Expr {
            nullable: arg.nullable || list.iter().any(|item| item.nullable),
            kind: ExprKind::InList { arg: Box::new(arg), list, equal: resolved.operator.function, negated },
            ty: Type::BOOL,
            position: start,
        })
    }
}

/// The array of `ALL (array)` behind LIKE, which the parser takes for a call.
fn all_of_array(pattern: &ast::Expr) -> Option<&ast::Expr> {
    let ast::Expr::Function(function) = pattern else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    if name.quote_style.is_some() || !name.value.eq_ignore_ascii_case("all") {
        return None;
    }
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(array))] => Some(array),
        _ => None,
    }
}

/// AND of some conditions; one alone stays as it is.
pub(super) fn conjunction(mut args: Vec<Expr>) -> Expr {
    if args.len() == 1
        && let Some(only) = args.pop()
    {
        return only;
    }
    logical(args, ExprKind::And)
}

/// OR of some conditions; one alone stays as it is.
pub(super) fn disjunction(mut args: Vec<Expr>) -> Expr {
    if args.len() == 1
        && let Some(only) = args.pop()
    {
        return only;
    }
    logical(args, ExprKind::Or)
}

fn logical(args: Vec<Expr>, kind: fn(Vec<Expr>) -> ExprKind) -> Expr {
    let nullable = args.iter().any(|arg| arg.nullable);
    let position = args.iter().fold(None, |position, arg| leftmost(position, arg.position));
    Expr { kind: kind(args), ty: Type::BOOL, nullable, position }
}

/// NOT of a condition.
pub(super) fn negation(arg: Expr, position: Option<u32>) -> Expr {
    Expr { nullable: arg.nullable, kind: ExprKind::Not(Box::new(arg)), ty: Type::BOOL, position }
}

/// The btree role of an operator's name, for comparisons of rows.
pub(super) fn comparison(name: &str) -> Option<Strategy> {
    Some(match name {
        "<" => Strategy::Lt,
        "<=" => Strategy::Le,
        "=" => Strategy::Eq,
        ">=" => Strategy::Ge,
        ">" => Strategy::Gt,
        _ => return None,
    })
}

/// 42883 for a type that cannot be compared: `could not identify an equality operator for type json`.
pub(super) fn no_operator(what: &str, ty: Oid, position: Option<u32>) -> SqlError {
    let message = format!("could not identify an {what} operator for type {}", Type::new(ty).name());
    let error = SqlError::new(UNDEFINED_FUNCTION, message).or_position(position);
    if what == "ordering" {
        return error.with_hint("Use an explicit ordering operator or modify the query.");
    }
    error
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

/// The argument of a call that stands for a construct which the parser does not know.
pub(super) fn marked_argument<'q>(expression: &'q ast::Expr, marker: &str) -> Option<&'q ast::Expr> {
    let ast::Expr::Function(function) = expression else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(arg))] if name.value == marker => Some(arg),
        _ => None,
    }
}
