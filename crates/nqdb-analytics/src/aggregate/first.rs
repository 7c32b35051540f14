//! The first value of each group, for keys of which equal ones may look different: `1` and `1.0` are one group.

use arrow::array::{ArrayRef, BooleanArray};
use datafusion_expr::EmitTo;
use nqdb_types::Datum;

use super::{Groups, argument, for_each_row};
use crate::column::{ColumnBuilder, datum_at};
use crate::failure::Outcome;
use crate::shape::Shape;

pub(super) struct Firsts {
    values: Vec<Datum>,
    shape: Shape,
    long_bytes: usize,
}

impl Firsts {
    pub fn new(shape: Shape) -> Firsts {
        Firsts { values: Vec::new(), shape, long_bytes: 0 }
    }
}

impl Groups for Firsts {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, Datum::Null);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        for_each_row(Some(values), groups, filter, |row, group| {
            let first = &mut self.values[group];
            if first.is_null() {
                *first = datum_at(values, row, self.shape)?;
                self.long_bytes += first.heap_size();
            }
            Ok(())
        })
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        self.update(states, groups, None)
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let values = emit.take_needed(&mut self.values);
        let mut firsts = ColumnBuilder::new(self.shape, values.len());
        for value in values {
            self.long_bytes = self.long_bytes.saturating_sub(value.heap_size());
            firsts.push(&value)?;
        }
        Ok(firsts.finish())
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Ok(vec![self.finish(emit)?])
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity() * size_of::<Datum>() + self.long_bytes
    }
}
