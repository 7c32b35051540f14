//! A set-returning function in FROM.

use nqdb_functions::{Function, Rows};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::expression::{Eval, Slot};
use super::operator::Pull;
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct FunctionScan {
    pub function: &'static Function,
    pub args: Box<[Eval]>,
    pub slot: Slot,
    /// WITH ORDINALITY.
    pub ordinality: Option<Slot>,
}

#[derive(Default)]
pub(crate) struct FunctionScanState {
    rows: Option<Rows>,
    number: i64,
}

impl FunctionScan {
    pub fn open(&self, state: &mut FunctionScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let args = self.args.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
        state.number = 0;
        state.rows = match self.function.rows {
            Some(rows) => Some(rows(&mut rt.cx.functions, &args)?),
            // A plain function in FROM is a set of one row.
            None => Some(Box::new(std::iter::once((self.function.eval)(&mut rt.cx.functions, &args)))),
        };
        Ok(())
    }

    pub fn next(&self, state: &mut FunctionScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        let rows = state.rows.as_mut().ok_or_else(|| SqlError::internal("a function scan was not opened"))?;
        let Some(value) = rows.next().transpose()? else { return Ok(Pull::End) };
        rt.frame.slots[self.slot] = value;
        if let Some(ordinality) = self.ordinality {
            state.number += 1;
            rt.frame.slots[ordinality] = Datum::Int8(state.number);
        }
        Ok(Pull::Row)
    }
}
