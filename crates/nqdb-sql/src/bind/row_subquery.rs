//! Row values and subqueries: `(a, b) IN (SELECT ..)`, `(a, b) op ANY (..)`, `(a, b) op ALL (..)`, `(a, b) = (SELECT ..)`.
//!
//! ```text
//! r op ANY q    EXISTS (q WHERE (r op row) IS TRUE)      OR  (EXISTS (q WHERE (r op row) IS UNKNOWN) AND NULL)
//! r op ALL q    NOT EXISTS (q WHERE (r op row) IS FALSE) AND (NOT EXISTS (q WHERE .. IS UNKNOWN) OR NULL)
//! ```
//!
//! The second half is left out where no field can be NULL. The subquery is bound once for each half, so that every
//! part has columns of its own.

use nqdb_functions::{Strategy, Volatility};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Datum, Type};
use sqlparser::ast;

use super::literal::literal;
use super::operators::{comparison, conjunction, disjunction, negation};
use super::{Binder, leftmost, walk};
use crate::ir::{Expr, ExprKind, Query, Rel};

impl Binder<'_> {
    /// `row op ANY (query)` or `row op ALL (query)`.
    pub(super) fn quantify_row(
        &mut self,
        row: &[&ast::Expr],
        name: &str,
        subquery: &ast::Query,
        all: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let (decided, nullable) = self.row_exists(row, name, subquery, Some(!all), position)?;
        let start = leftmost(position, decided.position);
        let decided = if all { negation(decided, start) } else { decided };
        if !nullable {
            return Ok(Expr { position: start, ..decided });
        }
        let (unknown, _) = self.row_exists(row, name, subquery, None, position)?;
        let null = literal(Datum::Null, Type::BOOL, None);
        let result = if all {
            conjunction(vec![decided, disjunction(vec![negation(unknown, start), null])])
        } else {
            disjunction(vec![decided, conjunction(vec![unknown, null])])
        };
        Ok(Expr { nullable: true, position: start, ..result })
    }

    /// Whether a row of the subquery makes the comparison come out as `outcome`, and whether it can be unknown.
    fn row_exists(
        &mut self,
        row: &[&ast::Expr],
        name: &str,
        subquery: &ast::Query,
        outcome: Option<bool>,
        position: Option<u32>,
    ) -> SqlResult<(Expr, bool)> {
        let left = self.bind_fields(row)?;
        let mut query = self.bind_expression_query(subquery)?;
        check_width(&query, left.len(), position)?;
        let columns: Vec<_> = query.output.iter().map(|output| (output.id, output.ty)).collect();
        let right = columns.into_iter().map(|(id, ty)| Expr { ty, ..self.column_expr(id, None) }).collect();
        let test = self.compare_fields(name, left, right, position)?;
        let nullable = test.nullable;
        let start = test.position;
        let predicate = Expr {
            kind: ExprKind::IsBool { arg: Box::new(test), value: outcome, negated: false },
            ty: Type::BOOL,
            nullable: false,
            position: None,
        };
        let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
        query.rel = Rel::Filter { input, predicate };
        let kind = ExprKind::Exists(Box::new(query));
        Ok((Expr { kind, ty: Type::BOOL, nullable: false, position: start }, nullable))
    }

    /// `(a, b) op (SELECT x, y)`: the subquery gives one row at most, none counts as a row of NULLs.
    pub(super) fn compare_row_with_query(
        &mut self,
        row: &[&ast::Expr],
        name: &str,
        subquery: &ast::Query,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let left = self.bind_fields(row)?;
        let mut right = Vec::with_capacity(left.len());
        for field in 0..left.len() {
            let mut query = self.bind_expression_query(subquery)?;
            check_width(&query, left.len(), position)?;
            let volatile = |expr: &Expr| match &expr.kind {
                ExprKind::Call { function, .. } => function.volatility == Volatility::Volatile,
                _ => false,
            };
            if walk::any_in_query(&query, &mut |expr| volatile(expr)) {
                let message = "a row compared with a volatile subquery";
                return Err(SqlError::unsupported(message).or_position(position));
            }
            query.output = query.output.get(field).cloned().into_iter().collect();
            let ty = query.output.first().map_or(Type::TEXT, |output| output.ty);
            let kind = ExprKind::ScalarSubquery(Box::new(query));
            right.push(Expr { kind, ty, nullable: true, position: None });
        }
        self.compare_fields(name, left, right, position)
    }

    fn bind_fields(&mut self, row: &[&ast::Expr]) -> SqlResult<Vec<Expr>> {
        row.iter().map(|item| self.bind_expr(item)).collect()
    }

    /// A comparison of rows, spelled out field by field.
    fn compare_fields(
        &mut self,
        name: &str,
        left: Vec<Expr>,
        right: Vec<Expr>,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let name = if name == "!=" { "<>" } else { name };
        let pairs: Vec<(Expr, Expr)> = left.into_iter().zip(right).collect();
        let strategy = comparison(name);
        if name == "<>" || strategy == Some(Strategy::Eq) {
            let mut tests = Vec::with_capacity(pairs.len());
            for (left, right) in pairs {
                tests.push(self.apply_operator(name, left, right, position)?);
            }
            return Ok(if name == "<>" { disjunction(tests) } else { conjunction(tests) });
        }
        let Some(strategy) = strategy else {
            let message = format!("could not determine interpretation of row comparison operator {name}");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
                .with_hint("Row comparison operators must be associated with btree operator families.")
                .or_position(position));
        };
        let strict = if matches!(strategy, Strategy::Lt | Strategy::Le) { "<" } else { ">" };
        let mut result: Option<Expr> = None;
        for (left, right) in pairs.into_iter().rev() {
            result = Some(match result {
                None => self.apply_operator(name, left, right, position)?,
                Some(rest) => {
                    let less = self.apply_operator(strict, left.clone(), right.clone(), position)?;
                    let equal = self.apply_operator("=", left, right, position)?;
                    disjunction(vec![less, conjunction(vec![equal, rest])])
                }
            });
        }
        result.ok_or_else(|| {
            SqlError::new(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").or_position(position)
        })
    }
}

/// 42601 unless the subquery has as many columns as the row has fields.
fn check_width(query: &Query, wanted: usize, position: Option<u32>) -> SqlResult<()> {
    let message = match query.output.len().cmp(&wanted) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => "subquery has too few columns",
        std::cmp::Ordering::Greater => "subquery has too many columns",
    };
    Err(SqlError::new(SYNTAX_ERROR, message).or_position(position))
}
