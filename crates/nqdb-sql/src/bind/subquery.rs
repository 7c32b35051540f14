//! Subqueries inside expressions: scalar, EXISTS, IN, ANY and ALL.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::Type;
use sqlparser::ast::{self, BinaryOperator};

use super::operators::{BinaryCall, negation};
use super::rows::row_items;
use super::{Binder, leftmost};
use crate::ir::{Expr, ExprKind, Query, Rel};
use crate::parse::{operator_position, query_start};

impl Binder<'_> {
    /// `(SELECT ...)` as a value.
    pub(super) fn bind_scalar_subquery(&mut self, subquery: &ast::Query) -> SqlResult<Expr> {
        let position = self.subquery_position(subquery);
        let query = self.bind_expression_query(subquery)?;
        let [output] = query.output.as_slice() else {
            return Err(SqlError::new(SYNTAX_ERROR, "subquery must return only one column").or_position(position));
        };
        let ty = output.ty;
        Ok(Expr { kind: ExprKind::ScalarSubquery(Box::new(query)), ty, nullable: true, position })
    }

    /// The parenthesis in front of a subquery.
    fn subquery_position(&self, subquery: &ast::Query) -> Option<u32> {
        self.tokens.position(query_start(&self.tokens, subquery)?.checked_sub(1)?)
    }

    pub(super) fn bind_exists(
        &mut self,
        subquery: &ast::Query,
        negated: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let query = self.bind_expression_query(subquery)?;
        let exists = Expr { kind: ExprKind::Exists(Box::new(query)), ty: Type::BOOL, nullable: false, position };
        Ok(if negated { negation(exists, position) } else { exists })
    }

    /// `x [NOT] IN (SELECT ...)`.
    pub(super) fn bind_in_subquery(
        &mut self,
        arg: &ast::Expr,
        subquery: &ast::Query,
        negated: bool,
    ) -> SqlResult<Expr> {
        let position = query_start(&self.tokens, subquery)
            .and_then(|start| start.checked_sub(2))
            .and_then(|at| self.tokens.position(at));
        let found = self.quantify(arg, "=", subquery, false, position)?;
        let start = found.position;
        Ok(if negated { negation(found, start) } else { found })
    }

    /// `x op ANY (...)` and `x op ALL (...)`.
    pub(super) fn bind_quantified(
        &mut self,
        arg: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
        all: bool,
    ) -> SqlResult<Expr> {
        let name = self.operator_name(op, arg)?;
        self.bind_quantified_by_name(arg, &name, right, all)
    }

    /// As [`Binder::bind_quantified`], for LIKE too, whose operator has no spelling of its own.
    pub(super) fn bind_quantified_by_name(
        &mut self,
        arg: &ast::Expr,
        name: &str,
        right: &ast::Expr,
        all: bool,
    ) -> SqlResult<Expr> {
        let subquery = match right {
            ast::Expr::Subquery(subquery) => subquery,
            ast::Expr::Nested(inner) => match &**inner {
                ast::Expr::Subquery(subquery) => subquery,
                _ => return self.bind_quantified_array(arg, name, right, all),
            },
            _ => return self.bind_quantified_array(arg, name, right, all),
        };
        // `x = ANY (SELECT`: operator, ANY and the parenthesis stand before the query.
        let position = query_start(&self.tokens, subquery)
            .and_then(|start| start.checked_sub(3))
            .and_then(|at| self.tokens.position(at))
            .or_else(|| operator_position(&self.tokens, right));
        self.quantify(arg, name, subquery, all, position)
    }

    fn quantify(
        &mut self,
        arg: &ast::Expr,
        name: &str,
        subquery: &ast::Query,
        all: bool,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        if let Some(items) = row_items(arg) {
            return self.quantify_row(&items, name, subquery, all, position);
        }
        let arg = self.bind_expr(arg)?;
        let mut query = self.bind_expression_query(subquery)?;
        let count = query.output.len();
        if count != 1 {
            let message = if count == 0 { "subquery has too few columns" } else { "subquery has too many columns" };
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
        }
        let Some(output) = query.output.first() else {
            return Err(SqlError::internal("a subquery without columns"));
        };
        let (id, ty) = (output.id, output.ty);
        let column = Expr { kind: ExprKind::Column(id), ty, nullable: true, position: None };
        let BinaryCall { function, left: arg, right: column, returns } =
            self.resolve_binary(name, arg, column, position)?;
        if returns != Type::BOOL.oid {
            let message = format!(
                "operator {} must return a boolean, not type {}",
                name,
                self.cx.format.type_name(Type::new(returns))
            );
            return Err(SqlError::new(nqdb_sqlstate::DATATYPE_MISMATCH, message).or_position(position));
        }
        if !matches!(column.kind, ExprKind::Column(_)) {
            self.extend_output(&mut query, 0, column);
        }
        let start = leftmost(position, arg.position);
        Ok(Expr {
            kind: ExprKind::Quantified { arg: Box::new(arg), function, query: Box::new(query), all },
            ty: Type::BOOL,
            nullable: true,
            position: start,
        })
    }

    /// Computes an output column of a query anew; its name stays, its origin does not.
    pub(super) fn extend_output(&mut self, query: &mut Query, at: usize, expr: Expr) {
        let ty = expr.ty;
        let id = self.new_column(ty, expr.nullable, None);
        let input = Box::new(std::mem::replace(&mut query.rel, Rel::OneRow));
        query.rel = Rel::Extend { input, columns: vec![(id, expr)] };
        if let Some(output) = query.output.get_mut(at) {
            let replaced = std::mem::replace(&mut output.id, id);
            self.note_replaced(replaced, id);
            output.ty = ty;
            output.origin = None;
        }
    }
}
