//! `sum` and `avg` of integers and decimals: sums of 128 bits, and how many values are in them.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int16Type, Int32Type, Int64Type};
use datafusion_expr::EmitTo;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError};
use nqdb_types::{Datum, Numeric, Type};

use super::{Groups, SumOutput, argument, array, for_each_row};
use crate::column::ColumnBuilder;
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_LIMIT, DECIMAL_NAN, Repr, Shape, numeric_of};

pub(super) struct ExactSums {
    sums: Vec<i128>,
    counts: Vec<i64>,
    scale: u8,
    output: SumOutput,
    result: Shape,
}

const TOO_LONG: Failure = Failure::Declined("a sum needs more than 38 digits");

/// The array of a sum in a state.
pub(super) fn sum_shape(scale: u8) -> Shape {
    Shape { ty: Type::NUMERIC, repr: Repr::Decimal { scale, digits: 38 } }
}

impl ExactSums {
    pub fn new(scale: u8, output: SumOutput, result: Shape) -> ExactSums {
        ExactSums { sums: Vec::new(), counts: Vec::new(), scale, output, result }
    }

    fn add(&mut self, group: usize, value: i128, count: i64) -> Outcome<()> {
        let sum = &mut self.sums[group];
        if *sum == DECIMAL_NAN || value == DECIMAL_NAN {
            *sum = DECIMAL_NAN;
        } else {
            *sum = sum.checked_add(value).filter(|sum| sum.abs() < DECIMAL_LIMIT).ok_or(TOO_LONG)?;
        }
        self.counts[group] += count;
        Ok(())
    }

    fn result(&self, sum: i128, count: i64) -> Outcome<Datum> {
        if count == 0 {
            return Ok(Datum::Null);
        }
        Ok(match self.output {
            SumOutput::Integer => {
                let out_of_range = |_| SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
                Datum::Int8(i64::try_from(sum).map_err(out_of_range)?)
            }
            SumOutput::Decimal => Datum::Numeric(numeric_of(sum, self.scale)),
            SumOutput::Average => {
                let sum = numeric_of(sum, self.scale);
                if sum.is_nan() {
                    Datum::Numeric(sum)
                } else {
                    Datum::Numeric(sum.div(&Numeric::from_scaled(count, 0))?)
                }
            }
        })
    }
}

impl Groups for ExactSums {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        match values.data_type() {
            DataType::Int16 => {
                let numbers = values.as_primitive::<Int16Type>().values();
                for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row].into(), 1))
            }
            DataType::Int32 => {
                let numbers = values.as_primitive::<Int32Type>().values();
                for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row].into(), 1))
            }
            DataType::Int64 => {
                let numbers = values.as_primitive::<Int64Type>().values();
                for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row].into(), 1))
            }
            DataType::Decimal128(..) => {
                let numbers = values.as_primitive::<Decimal128Type>().values();
                for_each_row(Some(values), groups, filter, |row, group| self.add(group, numbers[row], 1))
            }
            other => Err(SqlError::internal(format!("a sum cannot take {other}")).into()),
        }
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Outcome<()> {
        let sums = argument(states, 0)?.as_primitive::<Decimal128Type>();
        let counts = argument(states, 1)?.as_primitive::<Int64Type>();
        for ((sum, count), group) in sums.values().iter().zip(counts.values()).zip(groups) {
            self.add(*group, *sum, *count)?;
        }
        Ok(())
    }

    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums);
        let counts = emit.take_needed(&mut self.counts);
        let mut results = ColumnBuilder::new(self.result, sums.len());
        for (sum, count) in sums.into_iter().zip(counts) {
            results.push(&self.result(sum, count)?)?;
        }
        Ok(results.finish())
    }

    fn state(&mut self, emit: EmitTo) -> Outcome<Vec<ArrayRef>> {
        let sums = Decimal128Array::from(emit.take_needed(&mut self.sums));
        let counts = Int64Array::from(emit.take_needed(&mut self.counts));
        Ok(vec![array(sums.with_data_type(sum_shape(self.scale).data_type())), array(counts)])
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}
