//! Any aggregate of the registry, by its own accumulator: one for each group.

use arrow::array::{ArrayRef, BooleanArray};
use datafusion_expr::EmitTo;
use nqdb_functions::{Accumulator, Aggregate};
use nqdb_types::Datum;

use super::{Groups, argument, for_each_row};
use crate::column::{ColumnBuilder, datum_at};
use crate::failure::Outcome;
use crate::shape::Shape;

pub(super) struct Accumulators {
    aggregate: &'static Aggregate,
    states: Vec<Box<dyn Accumulator>>,
    args: Vec<Shape>,
    result: Shape,
    /// A result can be fed to another accumulator, so that it serves as a state.
    mergeable: bool,
}

impl Accumulators {
    pub fn new(aggregate: &'static Aggregate, args: Vec<Shape>, result: Shape, mergeable: bool) -> Accumulators {
        Accumulators { aggregate, states: Vec::new(), args, result, mergeable }
    }
}

impl Groups for Accumulators {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups, self.aggregate.state);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let mut args = vec![Datum::Null; self.args.len()];
        // The accumulator skips NULLs itself, or does not.
        for_each_row(None, groups, filter, |row, group| {
            for ((arg, shape), values) in args.iter_mut().zip(&self.args).zip(values) {
                *arg = datum_at(values, row, *shape)?;
            }
            Ok(self.states[group].accumulate(&args)?)
        })
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        let states = argument(states, 0)?;
        for (row, group) in groups.iter().enumerate() {
            let result = datum_at(states, row, self.result)?;
            if !result.is_null() {
                self.states[*group].accumulate(&[result])?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let states = emit.take_needed(&mut self.states);
        let mut results = ColumnBuilder::new(self.result, states.len());
        for mut state in states {
            results.push(&state.finish()?)?;
        }
        Ok(results.finish())
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        if !self.mergeable {
            return Err(super::no_state());
        }
        Ok(vec![self.finish(emit)?])
    }

    fn size_bytes(&self) -> usize {
        let sample = self.states.first().map_or(0, |state| state.size_bytes());
        self.states.len() * (sample + 2 * size_of::<usize>())
    }
}
