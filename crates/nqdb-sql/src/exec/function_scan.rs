//! Functions in FROM and in a select list: their rows side by side, as many as the longest one has.
//!
//! What always holds: nothing is kept; a row is asked of a function when it is wanted.

use nqdb_functions::{Function, FunctionContext, Records, Rows};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type};

use super::expression::{Eval, Slot};
use super::operator::Pull;
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct FunctionScan {
    /// Each function with the slots of its columns.
    pub sources: Box<[(FunctionSource, Box<[Slot]>)]>,
    /// WITH ORDINALITY.
    pub ordinality: Option<Slot>,
}

/// Where the rows of one function come from.
#[derive(Clone, Debug)]
pub(crate) enum FunctionSource {
    /// One row with one value.
    Value(Eval),
    Rows {
        function: &'static Function,
        args: Box<[Eval]>,
        arg_types: Box<[Type]>,
        columns: Box<[(String, Type)]>,
    },
}

#[derive(Default)]
pub(crate) struct FunctionScanState {
    sources: Vec<Source>,
    number: i64,
}

/// The rows of one function that are still to come.
enum Source {
    Value(Option<Datum>),
    Rows(Rows),
    Records(Records),
    Ended,
}

impl FunctionScan {
    /// The function that EXPLAIN names.
    pub fn first_function(&self) -> Option<&'static Function> {
        self.sources.iter().find_map(|(source, _)| match source {
            FunctionSource::Rows { function, .. } => Some(*function),
            FunctionSource::Value(_) => None,
        })
    }

    pub fn open(&self, state: &mut FunctionScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.number = 0;
        state.sources.clear();
        for (source, _) in &self.sources {
            state.sources.push(source.open(rt)?);
        }
        Ok(())
    }

    pub fn next(&self, state: &mut FunctionScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        let mut has_row = false;
        for ((_, slots), source) in self.sources.iter().zip(&mut state.sources) {
            if source.fill(slots, rt)? {
                has_row = true;
            } else {
                *source = Source::Ended;
                rt.set_null(slots);
            }
        }
        if !has_row {
            return Ok(Pull::End);
        }
        if let Some(ordinality) = self.ordinality {
            state.number += 1;
            rt.frame.slots[ordinality] = Datum::Int8(state.number);
        }
        Ok(Pull::Row)
    }
}

impl FunctionSource {
    /// Evaluates the arguments and calls the function.
    fn open(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Source> {
        let (function, args, arg_types, columns) = match self {
            FunctionSource::Value(value) => return Ok(Source::Value(Some(value.eval(rt)?))),
            FunctionSource::Rows { function, args, arg_types, columns } => (function, args, arg_types, columns),
        };
        let args = args.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
        let functions = &rt.cx.functions;
        let mut context = FunctionContext { argument_types: arg_types, result_columns: columns, ..*functions };
        if let Some(rows) = function.rows {
            return Ok(Source::Rows(rows(&mut context, &args)?));
        }
        match function.records {
            Some(records) => Ok(Source::Records(records(&mut context, &args)?)),
            None => Err(SqlError::internal(format!("{} has no rows", function.name))),
        }
    }
}

impl Source {
    /// Puts the next row into the slots; false when there is none.
    fn fill(&mut self, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let value = match self {
            Source::Ended => None,
            Source::Value(value) => value.take(),
            Source::Rows(rows) => rows.next().transpose()?,
            Source::Records(records) => {
                let Some(record) = records.next().transpose()? else { return Ok(false) };
                if record.len() != slots.len() {
                    return Err(SqlError::internal("a function returned another number of columns than it declares"));
                }
                for (slot, value) in slots.iter().zip(record) {
                    rt.frame.slots[*slot] = value;
                }
                return Ok(true);
            }
        };
        let (Some(value), Some(slot)) = (value, slots.first()) else { return Ok(false) };
        rt.frame.slots[*slot] = value;
        Ok(true)
    }
}
