//! AND, OR, CASE and COALESCE: they stop where the result is known, row by row.
//!
//! A part that cannot fail is evaluated over all rows, because picking rows out costs more than it saves. A part that can
//! fail sees only the rows that SQL would evaluate it for: their columns are filtered, and the results put back in place.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute;
use nqdb_types::Datum;

use super::evaluate::{Rows, Value, holding};
use super::{EvalContext, Expression};
use crate::column::repeated;
use crate::failure::Outcome;

impl Expression {
    pub(super) fn evaluate_and(&self, args: &[Expression], rows: &Rows, cx: &EvalContext) -> Outcome<Value> {
        self.evaluate_junction(args, false, rows, cx)
    }

    pub(super) fn evaluate_or(&self, args: &[Expression], rows: &Rows, cx: &EvalContext) -> Outcome<Value> {
        self.evaluate_junction(args, true, rows, cx)
    }

    /// AND ends at false, OR at true: `end`.
    fn evaluate_junction(&self, args: &[Expression], end: bool, rows: &Rows, cx: &EvalContext) -> Outcome<Value> {
        let mut result: Option<BooleanArray> = None;
        for arg in args {
            let value = match &result {
                Some(result) if arg.can_fail => {
                    let open: BooleanArray = result.iter().map(|value| Some(value != Some(end))).collect();
                    if open.true_count() == 0 {
                        break;
                    }
                    arg.evaluate_where(&open, rows, cx)?
                }
                _ => arg.evaluate_array(rows, cx)?,
            };
            let value = value.as_boolean();
            result = Some(match result {
                None => value.clone(),
                Some(result) if end => compute::or_kleene(&result, value)?,
                Some(result) => compute::and_kleene(&result, value)?,
            });
        }
        let result = result.unwrap_or_else(|| BooleanArray::from(vec![!end; rows.count]));
        Ok(Value::Array(Arc::new(result)))
    }

    /// The values for some rows, NULL for the others.
    fn evaluate_where(&self, mask: &BooleanArray, rows: &Rows, cx: &EvalContext) -> Outcome<ArrayRef> {
        let chosen = mask.true_count();
        if chosen == rows.count {
            return self.evaluate_array(rows, cx);
        }
        let values = self.evaluate_chosen(mask, chosen, rows, cx)?;
        let mut next = 0;
        let places: UInt32Array = mask
            .iter()
            .map(|is_chosen| {
                (is_chosen == Some(true)).then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        Ok(compute::take(&values, &places, None)?)
    }

    /// The values for some rows, one after the other.
    fn evaluate_chosen(&self, mask: &BooleanArray, chosen: usize, rows: &Rows, cx: &EvalContext) -> Outcome<ArrayRef> {
        let mut used = vec![false; rows.columns.len()];
        self.mark_columns(&mut used);
        let mut columns = Vec::with_capacity(rows.columns.len());
        for (column, used) in rows.columns.iter().zip(used) {
            columns.push(match column {
                Some(column) if used => Some(compute::filter(column, mask)?),
                _ => None,
            });
        }
        self.evaluate_array(&Rows { columns, count: chosen }, cx)
    }

    pub(super) fn evaluate_case(
        &self,
        arms: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        rows: &Rows,
        cx: &EvalContext,
    ) -> Outcome<Value> {
        let mut pieces = Pieces::new(self, rows.count)?;
        let mut open = BooleanArray::from(vec![true; rows.count]);
        for (condition, result) in arms {
            let met = if condition.can_fail {
                let values = condition.evaluate_where(&open, rows, cx)?;
                holding(&Value::Array(values), rows.count)?
            } else {
                holding(&condition.evaluate(rows, cx)?, rows.count)?
            };
            let met = compute::and(&met, &open)?;
            pieces.add(result, &met, rows, cx)?;
            open = compute::and(&open, &compute::not(&met)?)?;
            if open.true_count() == 0 {
                break;
            }
        }
        if let Some(otherwise) = otherwise {
            pieces.add(otherwise, &open, rows, cx)?;
        }
        pieces.assemble()
    }

    pub(super) fn evaluate_coalesce(&self, args: &[Expression], rows: &Rows, cx: &EvalContext) -> Outcome<Value> {
        let mut pieces = Pieces::new(self, rows.count)?;
        let mut open = BooleanArray::from(vec![true; rows.count]);
        for arg in args {
            if open.true_count() == 0 {
                break;
            }
            let values = arg.evaluate_where(&open, rows, cx)?;
            let found = compute::and(&compute::is_not_null(&values)?, &open)?;
            pieces.add_evaluated(values, &found);
            open = compute::and(&open, &compute::not(&found)?)?;
        }
        pieces.assemble()
    }
}

/// A result that is put together from parts: which array, and where in it, for each row.
struct Pieces {
    arrays: Vec<ArrayRef>,
    places: Vec<(usize, usize)>,
}

impl Pieces {
    /// All NULL.
    fn new(expression: &Expression, rows: usize) -> Outcome<Pieces> {
        let null = repeated(&Datum::Null, expression.shape, 1)?;
        Ok(Pieces { arrays: vec![null], places: vec![(0, 0); rows] })
    }

    /// The rows of a mask get the expression's values.
    fn add(&mut self, result: &Expression, mask: &BooleanArray, rows: &Rows, cx: &EvalContext) -> Outcome<()> {
        let chosen = mask.true_count();
        if chosen == 0 {
            return Ok(());
        }
        let number = self.arrays.len();
        if let Some(datum) = result.as_constant() {
            self.arrays.push(repeated(datum, result.shape, 1)?);
            for row in mask.values().set_indices() {
                self.places[row] = (number, 0);
            }
            return Ok(());
        }
        self.arrays.push(result.evaluate_chosen(mask, chosen, rows, cx)?);
        for (place, row) in mask.values().set_indices().enumerate() {
            self.places[row] = (number, place);
        }
        Ok(())
    }

    /// The rows of a mask get values that stand in their rows.
    fn add_evaluated(&mut self, values: ArrayRef, mask: &BooleanArray) {
        let number = self.arrays.len();
        self.arrays.push(values);
        for row in mask.values().set_indices() {
            self.places[row] = (number, row);
        }
    }

    fn assemble(self) -> Outcome<Value> {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        Ok(Value::Array(compute::interleave(&arrays, &self.places)?))
    }
}
