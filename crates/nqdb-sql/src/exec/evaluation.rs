//! What compiled expressions run in: slots, parameters, functions, subqueries.
//!
//! In a statement that is its [`Runtime`]. The expressions of an index run where there is no statement (purge, recovery,
//! checks), and some of the analytical executor's where there is no frame, over nothing but the columns of a row: a
//! [`RowEvaluation`].

use nqdb_functions::{Function, FunctionContext};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid};

use super::expression::{Equality, Slot};
use super::runtime::Runtime;
use crate::no_session::NoSession;

/// The surroundings of an expression.
pub(crate) trait Evaluation {
    fn slot(&self, slot: Slot) -> &Datum;
    fn set_slot(&mut self, slot: Slot, value: Datum);
    fn param(&self, index: usize) -> SqlResult<&Datum>;
    fn with_functions<T>(&mut self, work: impl FnOnce(&mut FunctionContext<'_>) -> T) -> T;
    /// The value of a scalar subquery.
    fn scalar_subquery(&mut self, index: usize) -> SqlResult<Datum>;
    /// `ARRAY(query)`.
    fn array_subquery(&mut self, index: usize, element_type: Oid, nested: bool) -> SqlResult<Datum>;
    /// Whether a subquery has a row.
    fn exists(&mut self, index: usize) -> SqlResult<bool>;
    /// `arg op ANY (query)` or `arg op ALL (query)`.
    fn quantified(&mut self, index: usize, arg: &Datum, op: &Equality, all: bool) -> SqlResult<Option<bool>>;

    fn call(&mut self, function: &Function, args: &[Datum]) -> SqlResult<Datum> {
        self.with_functions(|functions| (function.eval)(functions, args))
    }
}

impl Evaluation for Runtime<'_, '_> {
    fn slot(&self, slot: Slot) -> &Datum {
        &self.frame.slots[slot]
    }

    fn set_slot(&mut self, slot: Slot, value: Datum) {
        self.frame.slots[slot] = value;
    }

    fn param(&self, index: usize) -> SqlResult<&Datum> {
        self.params.get(index).ok_or_else(|| SqlError::internal(format!("parameter ${} has no value", index + 1)))
    }

    fn with_functions<T>(&mut self, work: impl FnOnce(&mut FunctionContext<'_>) -> T) -> T {
        work(&mut self.cx.functions)
    }

    fn scalar_subquery(&mut self, index: usize) -> SqlResult<Datum> {
        Runtime::scalar_subquery(self, index)
    }

    fn array_subquery(&mut self, index: usize, element_type: Oid, nested: bool) -> SqlResult<Datum> {
        Runtime::array_subquery(self, index, element_type, nested)
    }

    fn exists(&mut self, index: usize) -> SqlResult<bool> {
        Runtime::exists(self, index)
    }

    fn quantified(&mut self, index: usize, arg: &Datum, op: &Equality, all: bool) -> SqlResult<Option<bool>> {
        Runtime::quantified(self, index, arg, op, all)
    }
}

/// A key has 2,000 bytes at most, and what it is made of is not much larger. The bound is a fixed one, so that an expression
/// gives the same answer whenever it runs.
static SMALL_VALUES: NoSession = NoSession { value_bytes_max: 64 << 20 };

/// The values of a row, and nothing else but parameters.
pub(crate) struct RowEvaluation<'f> {
    pub slots: Vec<Datum>,
    functions: FunctionContext<'f>,
    params: &'f [Datum],
}

impl<'f> RowEvaluation<'f> {
    pub fn new(slot_count: usize, format: &'f FormatContext) -> RowEvaluation<'f> {
        let functions = FunctionContext::new(format, 0, 0, &SMALL_VALUES);
        RowEvaluation::with(slot_count, functions, &[])
    }

    /// As [`RowEvaluation::new`], in the surroundings of a statement.
    pub fn with(slot_count: usize, functions: FunctionContext<'f>, params: &'f [Datum]) -> RowEvaluation<'f> {
        RowEvaluation { slots: vec![Datum::Null; slot_count], functions, params }
    }

    fn no_subquery<T>() -> SqlResult<T> {
        Err(SqlError::internal("a subquery in an expression over a row alone"))
    }
}

impl Evaluation for RowEvaluation<'_> {
    fn slot(&self, slot: Slot) -> &Datum {
        &self.slots[slot]
    }

    fn set_slot(&mut self, slot: Slot, value: Datum) {
        self.slots[slot] = value;
    }

    fn param(&self, index: usize) -> SqlResult<&Datum> {
        self.params.get(index).ok_or_else(|| SqlError::internal(format!("parameter ${} has no value", index + 1)))
    }

    fn with_functions<T>(&mut self, work: impl FnOnce(&mut FunctionContext<'_>) -> T) -> T {
        work(&mut self.functions)
    }

    fn scalar_subquery(&mut self, _: usize) -> SqlResult<Datum> {
        RowEvaluation::no_subquery()
    }

    fn array_subquery(&mut self, _: usize, _: Oid, _: bool) -> SqlResult<Datum> {
        RowEvaluation::no_subquery()
    }

    fn exists(&mut self, _: usize) -> SqlResult<bool> {
        RowEvaluation::no_subquery()
    }

    fn quantified(&mut self, _: usize, _: &Datum, _: &Equality, _: bool) -> SqlResult<Option<bool>> {
        RowEvaluation::no_subquery()
    }
}
