//! Expressions that have no form here are evaluated by the row executor's code, row by row: arrays, subscripts, rows and
//! their fields, comparisons with all elements of an array.

use nqdb_functions::FunctionContext;
use nqdb_sql::ir::{Expr, ExprKind};
use nqdb_sql::plan::{mentioned, operands, subquery};
use nqdb_sql::{NoSession, RowExpression};
use nqdb_types::holds_records;

use super::call::is_session_free;
use super::compile::{Compiler, is_of_catalog};
use super::evaluate::{Rows, Value};
use super::{EvalContext, Expression, Node};
use crate::column::{ColumnBuilder, datum_at};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;

impl Compiler<'_> {
    /// The whole expression by rows.
    pub(super) fn by_row(&self, expr: &Expr) -> Outcome<Expression> {
        if holds_records(expr.ty.oid) {
            return Err(Failure::Declined("a value whose fields its array does not name"));
        }
        if !is_self_contained(expr) {
            return Err(Failure::Declined("an expression that has no vectorised form"));
        }
        let mut ids: Vec<_> = mentioned(expr).into_iter().collect();
        ids.sort();
        let (mut columns, mut args) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for id in ids {
            let (index, shape) = self.columns.get(id).ok_or(Failure::Declined("a column of an outer query"))?;
            columns.push((id, shape.ty));
            args.push(Expression::column(index, shape));
        }
        let operand = |_| Failure::Declined("an operand outside of its CASE");
        let expression = RowExpression::compile(expr, &columns).map_err(operand)?;
        let node = Node::ByRow { expression, params: self.constants.params.clone(), args };
        Ok(self.folded(Expression { node, shape: Shape::of_type(expr.ty), can_fail: true }))
    }
}

/// Whether an operand's fields are told apart by nothing but its value.
pub(super) fn takes_records(expr: &Expr) -> bool {
    operands(expr).into_iter().any(|operand| holds_records(operand.ty.oid))
}

/// Whether it asks nobody for anything but its columns.
fn is_self_contained(expr: &Expr) -> bool {
    let is_so_itself = match &expr.kind {
        ExprKind::Call { function, .. }
        | ExprKind::QuantifiedArray { function, .. }
        | ExprKind::IsDistinct { equal: function, .. }
        | ExprKind::NullIf { equal: function, .. }
        | ExprKind::MinMax { less: function, .. }
        | ExprKind::InList { equal: function, .. } => is_session_free(function),
        ExprKind::ViaText(arg) => !is_of_catalog(arg.ty) && !is_of_catalog(expr.ty),
        ExprKind::Domain { .. } => false,
        _ => true,
    };
    is_so_itself && subquery(expr).is_none() && operands(expr).into_iter().all(is_self_contained)
}

/// The values of the rows.
pub(super) fn evaluate(
    expression: &Expression,
    by_row: &RowExpression,
    params: &[nqdb_types::Datum],
    args: &[Expression],
    rows: &Rows,
    cx: &EvalContext,
) -> Outcome<Value> {
    let values = args.iter().map(|arg| arg.evaluate(rows, cx)).collect::<Outcome<Vec<Value>>>()?;
    let session = NoSession::UNBOUNDED;
    let functions = FunctionContext::new(&cx.format, cx.transaction_time_micros, cx.statement_time_micros, &session);
    let mut evaluator = by_row.evaluator(functions, params);
    let is_one = rows.count > 0 && values.is_empty();
    let count = if is_one { 1 } else { rows.count };
    let mut results = ColumnBuilder::new(expression.shape, count);
    for row in 0..count {
        let value = evaluator.value(|place| match (values.get(place), args.get(place)) {
            (Some(value), Some(arg)) => datum_at(value.array(), value.place(row), arg.shape),
            _ => Ok(nqdb_types::Datum::Null),
        })?;
        results.push(&value)?;
    }
    let array = results.finish();
    Ok(if is_one { Value::One(array) } else { Value::Array(array) })
}
