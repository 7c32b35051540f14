//! `count`: rows, or values that are not NULL.

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::Int64Type;
use datafusion_expr::EmitTo;

use super::{Groups, argument, array, for_each_row};
use crate::failure::Outcome;

#[derive(Default)]
pub(super) struct Counts(Vec<i64>);

impl Groups for Counts {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, 0);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        // `count(*)` is called with a constant, which is never NULL.
        for_each_row(values.first(), groups, filter, |_, group| {
            self.0[group] += 1;
            Ok(())
        })
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        let counts = argument(states, 0)?.as_primitive::<Int64Type>();
        for (count, group) in counts.values().iter().zip(groups) {
            self.0[*group] += count;
        }
        Ok(())
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        Ok(array(Int64Array::from(emit.take_needed(&mut self.0))))
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Ok(vec![self.finish(emit)?])
    }

    fn size_bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}
