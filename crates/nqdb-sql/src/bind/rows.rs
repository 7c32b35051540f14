//! Comparisons of row values, spelled out field by field (manual 9.24.5): `(a, b) < (c, d)`, `(a, b) IN ((1, 2))`.

use nqdb_functions::Strategy;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::Binder;
use super::operators::{comparison, conjunction, disjunction, negation};
use crate::ir::Expr;

/// The fields of `(a, b)` or `ROW(a, b)`.
pub(super) fn row_items(expression: &ast::Expr) -> Option<Vec<&ast::Expr>> {
    match expression {
        ast::Expr::Tuple(items) => Some(items.iter().collect()),
        ast::Expr::Function(function) => {
            let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
            if name.quote_style.is_some() || !name.value.eq_ignore_ascii_case("row") {
                return None;
            }
            let FunctionArguments::List(list) = &function.args else { return None };
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return None;
            }
            list.args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) => Some(item),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

impl Binder<'_> {
    pub(super) fn bind_row_comparison(
        &mut self,
        name: &str,
        left: Vec<&ast::Expr>,
        right: Vec<&ast::Expr>,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        check_lengths(&left, &right, position)?;
        if left.is_empty() {
            return Err(
                SqlError::new(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").or_position(position)
            );
        }
        if matches!(name, "<>" | "!=") {
            let mut tests = Vec::with_capacity(left.len());
            for (left, right) in left.into_iter().zip(right) {
                tests.push(self.bind_pair("<>", left, right, position)?);
            }
            return Ok(disjunction(tests));
        }
        let Some(strategy) = comparison(name) else {
            for (left, right) in left.into_iter().zip(right) {
                self.bind_pair(name, left, right, position)?;
            }
            let message = format!("could not determine interpretation of row comparison operator {name}");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
                .with_hint("Row comparison operators must be associated with btree operator families.")
                .or_position(position));
        };
        if strategy == Strategy::Eq {
            let mut tests = Vec::with_capacity(left.len());
            for (left, right) in left.into_iter().zip(right) {
                tests.push(self.bind_pair("=", left, right, position)?);
            }
            return Ok(conjunction(tests));
        }
        // a < c OR (a = c AND (b < d OR ...)): the first field that differs decides, a NULL before it gives NULL.
        let strict = if matches!(strategy, Strategy::Lt | Strategy::Le) { "<" } else { ">" };
        let mut pairs: Vec<(&ast::Expr, &ast::Expr)> = left.into_iter().zip(right).collect();
        let Some((last_left, last_right)) = pairs.pop() else {
            return Err(
                SqlError::new(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").or_position(position)
            );
        };
        let mut result = self.bind_pair(name, last_left, last_right, position)?;
        for (left, right) in pairs.into_iter().rev() {
            let less = self.bind_pair(strict, left, right, position)?;
            let equal = self.bind_pair("=", left, right, position)?;
            result = disjunction(vec![less, conjunction(vec![equal, result])]);
        }
        Ok(result)
    }

    fn bind_pair(&mut self, name: &str, left: &ast::Expr, right: &ast::Expr, position: Option<u32>) -> SqlResult<Expr> {
        if let (Some(left), Some(right)) = (row_items(left), row_items(right)) {
            return self.bind_row_comparison(name, left, right, position);
        }
        let left = self.bind_expr(left)?;
        let right = self.bind_expr(right)?;
        self.apply_operator(name, left, right, position)
    }

    pub(super) fn bind_row_distinct(
        &mut self,
        left: Vec<&ast::Expr>,
        right: Vec<&ast::Expr>,
        negated: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        check_lengths(&left, &right, position)?;
        let mut tests = Vec::with_capacity(left.len());
        for (left, right) in left.into_iter().zip(right) {
            let left = self.bind_expr(left)?;
            let right = self.bind_expr(right)?;
            tests.push(self.is_distinct(left, right, negated, position)?);
        }
        Ok(if negated { conjunction(tests) } else { disjunction(tests) })
    }

    pub(super) fn bind_row_in_list(
        &mut self,
        items: Vec<&ast::Expr>,
        list: &[ast::Expr],
        negated: bool,
    ) -> SqlResult<Expr> {
        let mut tests = Vec::with_capacity(list.len());
        let mut position = None;
        for row in list {
            let Some(fields) = row_items(row) else {
                return Err(self.unsupported("a comparison of a row with something else", row));
            };
            position = position.or(self.position_of(row));
            tests.push(self.bind_row_comparison("=", items.clone(), fields, position)?);
        }
        let found = disjunction(tests);
        let start = found.position;
        Ok(if negated { negation(found, start) } else { found })
    }
}

fn check_lengths(left: &[&ast::Expr], right: &[&ast::Expr], position: Option<u32>) -> SqlResult<()> {
    if left.len() == right.len() {
        return Ok(());
    }
    Err(SqlError::new(SYNTAX_ERROR, "unequal number of entries in row expressions").or_position(position))
}
