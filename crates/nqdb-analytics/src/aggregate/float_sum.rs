//! `sum` and `avg` of floats.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use datafusion_expr::EmitTo;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError};

use super::{Groups, argument, array, for_each_row};
use crate::failure::Outcome;

pub(super) struct FloatSums {
    sums: Vec<f64>,
    counts: Vec<i64>,
    /// `sum(float4)`: each step is rounded to 32 bits.
    narrow: bool,
    average: bool,
}

impl FloatSums {
    pub fn new(narrow: bool, average: bool) -> FloatSums {
        FloatSums { sums: Vec::new(), counts: Vec::new(), narrow, average }
    }

    fn add(&mut self, group: usize, value: f64, count: i64) -> Outcome<()> {
        let sum = &mut self.sums[group];
        *sum = float_sum(*sum, value, self.narrow)?;
        self.counts[group] += count;
        Ok(())
    }
}

/// A step of a sum; `narrow` rounds it to 32 bits.
pub(crate) fn float_sum(before: f64, value: f64, narrow: bool) -> Outcome<f64> {
    let sum = before + value;
    let sum = if narrow { f64::from(sum as f32) } else { sum };
    if sum.is_infinite() && !before.is_infinite() && !value.is_infinite() {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow").into());
    }
    Ok(sum)
}

impl Groups for FloatSums {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        if values.data_type() == &DataType::Float32 {
            let numbers = values.as_primitive::<Float32Type>().values();
            return for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row].into(), 1));
        }
        let numbers = values.as_primitive::<Float64Type>().values();
        for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row], 1))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        let sums = argument(states, 0)?.as_primitive::<Float64Type>();
        let counts = argument(states, 1)?.as_primitive::<Int64Type>();
        for ((sum, count), group) in sums.values().iter().zip(counts.values()).zip(groups) {
            if *count > 0 {
                self.add(*group, *sum, *count)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums).into_iter();
        let counts = emit.take_needed(&mut self.counts);
        let (average, results) = (self.average, sums.zip(counts));
        let results = results.map(|(sum, count)| match count {
            0 => None,
            _ if average => Some(sum / count as f64),
            _ => Some(sum),
        });
        Ok(if self.narrow {
            array(results.map(|result| result.map(|sum| sum as f32)).collect::<Float32Array>())
        } else {
            array(results.collect::<Float64Array>())
        })
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        let sums = Float64Array::from(emit.take_needed(&mut self.sums));
        let counts = Int64Array::from(emit.take_needed(&mut self.counts));
        Ok(vec![array(sums), array(counts)])
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<f64>() + self.counts.capacity() * size_of::<i64>()
    }
}
