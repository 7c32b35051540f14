//! ORDER BY, and what ORDER BY, GROUP BY and DISTINCT ON have in common: references to output columns.

use nqdb_functions::{Strategy, less, resolve_operator};
use nqdb_sqlstate::{AMBIGUOUS_COLUMN, INVALID_COLUMN_REFERENCE, SYNTAX_ERROR, SqlError, SqlResult, WRONG_OBJECT_TYPE};
use nqdb_types::{Type, oid};
use sqlparser::ast::{self, ObjectNamePart, OrderByOptions, OrderBySort, UnaryOperator, Value};

use super::operators::no_operator;
use super::{Binder, span_position};
use crate::ir::{ColumnId, SortKey};
use crate::names::name_of;

impl Binder<'_> {
    /// The output column that a bare name or a number stands for, in parentheses or not; `None` for any other expression.
    ///
    /// Fails with 42P10 (no such position), 42702 (two columns of that name), 42601 (another constant).
    pub(super) fn output_reference(
        &self,
        expression: &ast::Expr,
        names: &[&str],
        clause: &str,
    ) -> SqlResult<Option<usize>> {
        let expression = without_parentheses(expression);
        if let ast::Expr::Identifier(name) = expression {
            let wanted = name_of(name);
            let mut matching = names.iter().enumerate().filter(|(_, name)| **name == wanted);
            let first = matching.next().map(|(at, _)| at);
            if matching.next().is_some() {
                let message = format!("{clause} \"{wanted}\" is ambiguous");
                return Err(SqlError::new(AMBIGUOUS_COLUMN, message).or_position(span_position(name.span)));
            }
            return Ok(first);
        }
        let Some((constant, negative)) = constant_of(expression) else { return Ok(None) };
        let digits = match constant {
            // What is too long for an integer is a constant of another type.
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => digits,
            Value::Placeholder(_) => return Ok(None),
            _ => {
                let message = format!("non-integer constant in {clause}");
                return Err(SqlError::new(SYNTAX_ERROR, message).or_position(self.position_of(expression)));
            }
        };
        let named = if negative { None } else { digits.parse::<usize>().ok() };
        match named.filter(|at| (1..=names.len()).contains(at)) {
            Some(at) => Ok(Some(at - 1)),
            None => {
                let (sign, number) = (if negative { "-" } else { "" }, digits.trim_start_matches('0'));
                let number = if number.is_empty() { "0" } else { number };
                let sign = if number == "0" { "" } else { sign };
                let message = format!("{clause} position {sign}{number} is not in select list");
                let position = self.position_of(expression);
                Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position))
            }
        }
    }

    /// The direction that `USING operator` asks for: 42883 for no such operator, 42809 for one that does not order.
    fn using_is_descending(&self, operator: &ast::ObjectName, ty: Type, key: Option<u32>) -> SqlResult<bool> {
        let name = match operator.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.as_str(),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)] if schema.value == "pg_catalog" => {
                name.value.as_str()
            }
            _ => return Err(SqlError::unsupported("an operator in a schema").or_position(key)),
        };
        let key = key.and_then(|key| self.tokens.at_position(key));
        let using = key.and_then(|key| (key..self.tokens.len()).find(|at| self.tokens.is(*at, "using")));
        let position = using.and_then(|using| self.tokens.position(using + 1));
        // The operators of text_pattern_ops compare bytes, as those of the C collation do.
        if let ("~<~" | "~>~", oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME) = (name, ty.oid) {
            return Ok(name == "~>~");
        }
        let found = resolve_operator(name, Some(ty.oid), ty.oid)
            .map_err(|error| error.operator_error(name, Some(ty.oid), ty.oid, self.cx.format).or_position(position))?;
        match found.operator.strategy {
            Some(Strategy::Lt) => Ok(false),
            Some(Strategy::Gt) => Ok(true),
            _ => {
                let message = format!("operator {name} is not a valid ordering operator");
                Err(SqlError::new(WRONG_OBJECT_TYPE, message)
                    .with_hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                    .or_position(position))
            }
        }
    }

    /// One key of a sort: 42883 when the type has no order.
    pub(super) fn sort_key(
        &self,
        column: ColumnId,
        ty: Type,
        options: &OrderByOptions,
        position: Option<u32>,
    ) -> SqlResult<SortKey> {
        if less(ty.oid).is_none() {
            return Err(no_operator("ordering", ty.oid, position));
        }
        let OrderByOptions { sort, nulls_first } = options;
        let descending = match sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(operator)) => self.using_is_descending(operator, ty, position)?,
        };
        Ok(SortKey { column, ty, descending, nulls_first: nulls_first.unwrap_or(descending) })
    }
}

/// An expression without the parentheses around it, which mean nothing.
pub(super) fn without_parentheses(expression: &ast::Expr) -> &ast::Expr {
    let mut inner = expression;
    while let ast::Expr::Nested(nested) = inner {
        inner = nested;
    }
    inner
}

/// A constant, and whether it is negative: PostgreSQL's grammar makes one constant of a number and the minuses before it.
fn constant_of(expression: &ast::Expr) -> Option<(&Value, bool)> {
    let (mut inner, mut negative) = (expression, false);
    while let ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr } = inner {
        inner = without_parentheses(expr);
        negative = !negative;
    }
    let ast::Expr::Value(constant) = inner else { return None };
    let is_signed = !std::ptr::eq(inner, expression);
    (!is_signed || matches!(constant.value, Value::Number(..))).then_some((&constant.value, negative))
}
