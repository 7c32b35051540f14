//! ORDER BY, and what ORDER BY, GROUP BY and DISTINCT ON have in common: references to output columns.

use nqdb_functions::less;
use nqdb_sqlstate::{AMBIGUOUS_COLUMN, INVALID_COLUMN_REFERENCE, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::Type;
use sqlparser::ast::{self, ObjectNamePart, OrderByOptions, OrderBySort, Value};

use super::operators::no_operator;
use super::{Binder, span_position};
use crate::ir::{ColumnId, SortKey};
use crate::names::name_of;

impl Binder<'_> {
    /// The output column that a bare name or a number stands for; `None` for any other expression.
    ///
    /// Fails with 42P10 (no such position), 42702 (two columns of that name), 42601 (another constant).
    pub(super) fn output_reference(
        &self,
        expression: &ast::Expr,
        names: &[&str],
        clause: &str,
    ) -> SqlResult<Option<usize>> {
        match expression {
            ast::Expr::Identifier(name) => {
                let wanted = name_of(name);
                let mut matching = names.iter().enumerate().filter(|(_, name)| **name == wanted);
                let first = matching.next().map(|(at, _)| at);
                if matching.next().is_some() {
                    let message = format!("{clause} \"{wanted}\" is ambiguous");
                    return Err(SqlError::new(AMBIGUOUS_COLUMN, message).or_position(span_position(name.span)));
                }
                Ok(first)
            }
            ast::Expr::Value(value) => {
                let position = span_position(value.span);
                match &value.value {
                    Value::Number(digits, _) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                        match digits.parse::<usize>().ok().filter(|at| (1..=names.len()).contains(at)) {
                            Some(at) => Ok(Some(at - 1)),
                            None => {
                                let message = format!("{clause} position {digits} is not in select list");
                                Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).or_position(position))
                            }
                        }
                    }
                    Value::Placeholder(_) | Value::Boolean(_) | Value::Null => Ok(None),
                    _ => {
                        let message = format!("non-integer constant in {clause}");
                        Err(SqlError::new(SYNTAX_ERROR, message).or_position(position))
                    }
                }
            }
            _ => Ok(None),
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
            Some(OrderBySort::Using(operator)) => match operator.0.as_slice() {
                [ObjectNamePart::Identifier(name)] if name.value == "<" => false,
                [ObjectNamePart::Identifier(name)] if name.value == ">" => true,
                _ => return Err(SqlError::unsupported("ORDER BY ... USING this operator").or_position(position)),
            },
        };
        Ok(SortKey { column, ty, descending, nulls_first: nulls_first.unwrap_or(descending) })
    }
}
