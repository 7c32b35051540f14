//! Runs an expression over the rows of a batch.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum as ArrowDatum, Scalar};
use arrow::compute;
use arrow::record_batch::RecordBatch;
use nqdb_functions::FunctionContext;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type, apply_typmod, parse_text, write_text};

use super::{EvalContext, Expression, Node, RowOperation, arithmetic, by_row, calendar, compare, key, text};
use crate::column::{ColumnBuilder, datum_at, repeated, reshaped};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;
use nqdb_sql::NoSession;

/// Rows to evaluate over; columns that the expression does not read may be missing.
#[derive(Clone)]
pub(crate) struct Rows {
    pub columns: Vec<Option<ArrayRef>>,
    pub count: usize,
}

/// A value for each row, or one for all of them.
#[derive(Clone)]
pub(crate) enum Value {
    Array(ArrayRef),
    /// An array of one value.
    One(ArrayRef),
}

impl Rows {
    pub fn of(batch: &RecordBatch) -> Rows {
        Rows { columns: batch.columns().iter().cloned().map(Some).collect(), count: batch.num_rows() }
    }

    fn column(&self, index: usize) -> Outcome<ArrayRef> {
        let column = self.columns.get(index).cloned().flatten();
        column
            .ok_or_else(|| SqlError::internal(format!("an expression reads column {index}, which is not there")).into())
    }
}

impl Value {
    /// The value of one row.
    pub fn array(&self) -> &ArrayRef {
        match self {
            Value::Array(array) | Value::One(array) => array,
        }
    }

    pub fn is_one(&self) -> bool {
        matches!(self, Value::One(_))
    }

    /// The place in the array of a row's value.
    pub fn place(&self, row: usize) -> usize {
        if self.is_one() { 0 } else { row }
    }

    /// As many values as there are rows.
    pub fn into_array(self, shape: Shape, rows: usize) -> Outcome<ArrayRef> {
        match self {
            Value::Array(array) => Ok(array),
            Value::One(array) => repeated(&datum_at(&array, 0, shape)?, shape, rows),
        }
    }

    /// Runs an arrow kernel over one or two values; the result is one value where all of them are.
    pub fn combine(
        &self,
        other: &Value,
        kernel: impl FnOnce(&dyn ArrowDatum, &dyn ArrowDatum) -> Result<ArrayRef, arrow::error::ArrowError>,
    ) -> Outcome<Value> {
        Ok(match (self, other) {
            (Value::Array(a), Value::Array(b)) => Value::Array(kernel(a, b)?),
            (Value::Array(a), Value::One(b)) => Value::Array(kernel(a, &Scalar::new(b.clone()))?),
            (Value::One(a), Value::Array(b)) => Value::Array(kernel(&Scalar::new(a.clone()), b)?),
            (Value::One(a), Value::One(b)) => Value::One(kernel(a, b)?),
        })
    }

    /// As booleans.
    pub fn booleans(&self) -> Outcome<&BooleanArray> {
        let array = self.array().as_boolean_opt();
        array.ok_or_else(|| SqlError::internal("a condition is not a boolean").into())
    }
}

impl Expression {
    /// The expression's values, one for each row.
    pub fn evaluate_array(&self, rows: &Rows, cx: &EvalContext) -> Outcome<ArrayRef> {
        self.evaluate(rows, cx)?.into_array(self.shape, rows.count)
    }

    pub fn evaluate(&self, rows: &Rows, cx: &EvalContext) -> Outcome<Value> {
        match &self.node {
            Node::Column(index) => Ok(Value::Array(rows.column(*index)?)),
            Node::Constant(datum) => Ok(Value::One(repeated(datum, self.shape, 1)?)),
            Node::Raise(error) if rows.count > 0 => Err(error.clone().into()),
            Node::Raise(_) => Ok(Value::Array(repeated(&Datum::Null, self.shape, 0)?)),
            Node::Compare { comparison, args } => {
                let (left, right) = (args[0].evaluate(rows, cx)?, args[1].evaluate(rows, cx)?);
                compare::compare(*comparison, &left, &right)
            }
            Node::Arithmetic { operation, args, fallback } => {
                let values = [args[0].evaluate(rows, cx)?, args[1].evaluate(rows, cx)?];
                let shapes = [args[0].shape, args[1].shape];
                match arithmetic::compute(*operation, &values, shapes, self.shape)? {
                    Some(value) => Ok(value),
                    None => {
                        let call = |cx: &mut FunctionContext<'_>, args: &[Datum]| Ok((fallback.eval)(cx, args)?);
                        row_by_row(&values, &shapes, self.shape, rows.count, cx, &[], call)
                    }
                }
            }
            Node::Like { arg, pattern, negated } => text::like(&arg.evaluate(rows, cx)?, pattern, *negated),
            Node::DatePart { part, arg } => calendar::date_part(*part, &arg.evaluate(rows, cx)?, self.shape),
            Node::DateTrunc { unit, arg } => calendar::date_trunc(*unit, &arg.evaluate(rows, cx)?),
            Node::Widen(arg) => arithmetic::widen(&arg.evaluate(rows, cx)?, arg.shape, self.shape),
            Node::Reshape(arg) => Ok(match arg.evaluate(rows, cx)? {
                Value::Array(array) => Value::Array(reshaped(&array, arg.shape, self.shape)?),
                Value::One(array) => Value::One(reshaped(&array, arg.shape, self.shape)?),
            }),
            Node::Key(arg) => key::key_of(&arg.evaluate(rows, cx)?, arg.shape),
            Node::Call { function, args, types } => {
                let values = args.iter().map(|arg| arg.evaluate(rows, cx)).collect::<Outcome<Vec<Value>>>()?;
                let shapes: Vec<Shape> = args.iter().map(|arg| arg.shape).collect();
                let call = |cx: &mut FunctionContext<'_>, args: &[Datum]| Ok((function.eval)(cx, args)?);
                row_by_row(&values, &shapes, self.shape, rows.count, cx, types, call)
            }
            Node::RowWise { operation, args } => {
                let values = args.iter().map(|arg| arg.evaluate(rows, cx)).collect::<Outcome<Vec<Value>>>()?;
                let shapes: Vec<Shape> = args.iter().map(|arg| arg.shape).collect();
                let call = |cx: &mut FunctionContext<'_>, args: &[Datum]| Ok(operation.apply(args, cx)?);
                row_by_row(&values, &shapes, self.shape, rows.count, cx, &[], call)
            }
            Node::ByRow { expression, params, args } => by_row::evaluate(self, expression, params, args, rows, cx),
            Node::Not(arg) => {
                let value = arg.evaluate(rows, cx)?;
                let result = std::sync::Arc::new(compute::not(value.booleans()?)?);
                Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
            }
            Node::IsNull { arg, negated } => {
                let value = arg.evaluate(rows, cx)?;
                let test = if *negated { compute::is_not_null } else { compute::is_null };
                let result = std::sync::Arc::new(test(value.array())?);
                Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
            }
            Node::IsBool { arg, value: wanted, negated } => {
                let value = arg.evaluate(rows, cx)?;
                let result: BooleanArray =
                    value.booleans()?.iter().map(|found| Some((found == *wanted) != *negated)).collect();
                let result = std::sync::Arc::new(result);
                Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
            }
            Node::And(args) => self.evaluate_and(args, rows, cx),
            Node::Or(args) => self.evaluate_or(args, rows, cx),
            Node::Case { arms, otherwise } => self.evaluate_case(arms, otherwise.as_deref(), rows, cx),
            Node::Coalesce(args) => self.evaluate_coalesce(args, rows, cx),
            Node::InSet { arg, set, has_null, negated } => {
                compare::in_set(&arg.evaluate(rows, cx)?, set, *has_null, *negated)
            }
        }
    }
}

/// Calls a function for each row; once, where all arguments are single values.
pub(crate) fn row_by_row(
    values: &[Value],
    shapes: &[Shape],
    result: Shape,
    rows: usize,
    cx: &EvalContext,
    argument_types: &[Type],
    mut call: impl FnMut(&mut FunctionContext<'_>, &[Datum]) -> Outcome<Datum>,
) -> Outcome<Value> {
    let session = NoSession::UNBOUNDED;
    let mut functions = FunctionContext {
        format: &cx.format,
        transaction_time_micros: cx.transaction_time_micros,
        statement_time_micros: cx.statement_time_micros,
        session: &session,
        argument_types,
        result_columns: &[],
    };
    let is_one = rows > 0 && values.iter().all(Value::is_one);
    let count = if is_one { 1 } else { rows };
    let mut builder = ColumnBuilder::new(result, count);
    let mut args = vec![Datum::Null; values.len()];
    for row in 0..count {
        for ((arg, value), shape) in args.iter_mut().zip(values).zip(shapes) {
            *arg = datum_at(value.array(), value.place(row), *shape)?;
        }
        builder.push(&call(&mut functions, &args)?)?;
    }
    let array = builder.finish();
    Ok(if is_one { Value::One(array) } else { Value::Array(array) })
}

impl RowOperation {
    fn apply(&self, args: &[Datum], cx: &mut FunctionContext<'_>) -> SqlResult<Datum> {
        match (self, args) {
            (RowOperation::Convert(_) | RowOperation::ViaText { .. } | RowOperation::Typmod { .. }, [Datum::Null]) => {
                Ok(Datum::Null)
            }
            (RowOperation::Convert(convert), [value]) => convert(value),
            (RowOperation::ViaText { from, to }, [value]) => via_text(value, *from, *to, cx),
            (RowOperation::Typmod { ty, explicit }, [value]) => apply_typmod(value.clone(), *ty, *explicit),
            (RowOperation::IsDistinct { equal, negated }, [left, right]) => {
                let distinct = match (left.is_null(), right.is_null()) {
                    (true, true) => false,
                    (false, false) => (equal.eval)(cx, args)?.as_bool() != Some(true),
                    _ => true,
                };
                Ok(Datum::Bool(distinct != *negated))
            }
            (RowOperation::NullIf { equal }, [left, right]) => {
                let comparable = !left.is_null() && !right.is_null();
                let same = comparable && (equal.eval)(cx, args)?.as_bool() == Some(true);
                Ok(if same { Datum::Null } else { left.clone() })
            }
            (RowOperation::MinMax { greatest, type_oid }, args) => {
                let values = args.iter().filter(|value| !value.is_null());
                let best = values.reduce(|best, value| {
                    let ordering = value.compare_as(best, *type_oid);
                    if if *greatest { ordering.is_gt() } else { ordering.is_lt() } { value } else { best }
                });
                Ok(best.cloned().unwrap_or(Datum::Null))
            }
            _ => Err(SqlError::internal("an operation has a wrong number of arguments")),
        }
    }
}

/// Output function, then input function.
fn via_text(value: &Datum, from: Type, to: Type, cx: &mut FunctionContext<'_>) -> SqlResult<Datum> {
    if let Some(text) = value.as_text() {
        return parse_text(text, to, cx.format);
    }
    let mut bytes = Vec::new();
    write_text(&mut bytes, value, from, cx.format);
    let text = std::str::from_utf8(&bytes).map_err(|_| SqlError::internal("an output function wrote no UTF-8"))?;
    parse_text(text, to, cx.format)
}

/// The rows where a condition holds; NULL does not.
pub(crate) fn holding(value: &Value, rows: usize) -> Outcome<BooleanArray> {
    let condition = value.booleans()?;
    if value.is_one() {
        let holds = condition.is_valid(0) && condition.value(0);
        return Ok(BooleanArray::from(vec![holds; rows]));
    }
    Ok(match condition.nulls() {
        Some(nulls) if nulls.null_count() > 0 => BooleanArray::new(condition.values() & nulls.inner(), None),
        _ => condition.clone(),
    })
}

/// For a caller whose failures are DataFusion's.
pub(crate) fn lifted<T>(outcome: Outcome<T>) -> datafusion_common::Result<T> {
    outcome.map_err(|failure: Failure| failure.into())
}
