//! An expression over the columns of one row, as the row executor evaluates it: for executors that have no way of their own.

use std::fmt;

use nqdb_functions::FunctionContext;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Type};

use crate::exec::{Eval, Evaluation, RowEvaluation, Slot};
use crate::ir::{ColumnId, Expr};
use crate::plan::{PlanContext, Planner};

/// A compiled expression without subqueries.
pub struct RowExpression {
    eval: Eval,
    /// Where the values of a row go, in the order in which they are given.
    slots: Vec<Slot>,
    slot_count: usize,
}

/// The expression in its surroundings.
pub struct RowEvaluator<'e> {
    expression: &'e RowExpression,
    row: RowEvaluation<'e>,
}

impl RowExpression {
    /// Compiles an expression over these columns; fails where it mentions anything else.
    pub fn compile(expr: &Expr, columns: &[(ColumnId, Type)]) -> SqlResult<RowExpression> {
        let cx = PlanContext::new(0);
        let mut planner = Planner::new(&cx, false);
        let slots = columns.iter().map(|(id, ty)| planner.define(*id, *ty)).collect();
        let eval = planner.compile(expr)?;
        Ok(RowExpression { eval, slots, slot_count: planner.slot_count() })
    }

    /// Makes it ready for rows.
    pub fn evaluator<'e>(&'e self, functions: FunctionContext<'e>, params: &'e [Datum]) -> RowEvaluator<'e> {
        RowEvaluator { expression: self, row: RowEvaluation::with(self.slot_count, functions, params) }
    }
}

impl fmt::Debug for RowExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowExpression").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl RowEvaluator<'_> {
    /// The value for a row, whose columns `column` gives by their place.
    pub fn value<E: From<nqdb_sqlstate::SqlError>>(
        &mut self,
        mut column: impl FnMut(usize) -> Result<Datum, E>,
    ) -> Result<Datum, E> {
        for (place, slot) in self.expression.slots.iter().enumerate() {
            self.row.set_slot(*slot, column(place)?);
        }
        Ok(self.expression.eval.eval(&mut self.row)?)
    }
}
