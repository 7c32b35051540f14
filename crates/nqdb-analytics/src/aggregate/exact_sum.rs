//! `sum` and `avg` of integers and decimals: sums of 128 bits, and how many values are in them.
//!
//! As long as only numbers of 64 bits were added, and not more of them than could reach the limit, no sum has to be looked
//! at.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int16Type, Int32Type, Int64Type};
use datafusion_expr::EmitTo;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError};
use nqdb_types::{Datum, Numeric, Type};

use super::{Groups, SumOutput, argument, array, for_each_row};
use crate::column::ColumnBuilder;
use crate::expression::fit_64_bits;
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_LIMIT, DECIMAL_NAN, Repr, Shape, numeric_of};

pub(super) struct ExactSums {
    sums: Vec<i128>,
    counts: Vec<i64>,
    /// No sum is farther from 0 than this.
    reach: i128,
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
        ExactSums { sums: Vec::new(), counts: Vec::new(), reach: 0, scale, output, result }
    }

    /// Whether the sums stay within the limit when `rows` numbers of 64 bits are added; if so, they are counted on.
    fn has_reach(&mut self, rows: usize) -> bool {
        let farthest = i128::from(i64::MAX) + 1;
        let reach = self.reach.saturating_add(farthest.saturating_mul(rows as i128));
        let is_within = reach < DECIMAL_LIMIT;
        self.reach = if is_within { reach } else { DECIMAL_LIMIT };
        is_within
    }

    /// Adds numbers of 64 bits after [`ExactSums::has_reach`].
    fn add_small<N: Copy + Into<i128>>(
        &mut self,
        values: &ArrayRef,
        numbers: &[N],
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) -> Outcome<()> {
        if self.sums.len() == 1 && filter.is_none() && values.null_count() == 0 {
            self.sums[0] += numbers.iter().map(|number| (*number).into()).sum::<i128>();
            self.counts[0] += numbers.len() as i64;
            return Ok(());
        }
        for_each_row(Some(values), groups, filter, |row, group| {
            self.sums[group] += numbers[row].into();
            self.counts[group] += 1;
            Ok(())
        })
    }

    fn add(&mut self, group: usize, value: i128, count: i64) -> Outcome<()> {
        self.reach = DECIMAL_LIMIT;
        let sum = &mut self.sums[group];
        if *sum == DECIMAL_NAN || value == DECIMAL_NAN {
            *sum = DECIMAL_NAN;
        } else {
            *sum = sum.checked_add(value).filter(|sum| sum.abs() < DECIMAL_LIMIT).ok_or(TOO_LONG)?;
        }
        self.counts[group] += count;
        Ok(())
    }
}

/// What becomes of a sum of so many values.
pub(crate) fn finished_sum(sum: i128, count: i64, scale: u8, output: SumOutput) -> Outcome<Datum> {
    if count == 0 {
        return Ok(Datum::Null);
    }
    Ok(match output {
        SumOutput::Integer => {
            let out_of_range = |_| SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
            Datum::Int8(i64::try_from(sum).map_err(out_of_range)?)
        }
        SumOutput::Decimal => Datum::Numeric(numeric_of(sum, scale)),
        SumOutput::Average => {
            let sum = numeric_of(sum, scale);
            if sum.is_nan() { Datum::Numeric(sum) } else { Datum::Numeric(sum.div(&Numeric::from_scaled(count, 0))?) }
        }
    })
}

impl Groups for ExactSums {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Outcome<()> {
        let values = argument(values, 0)?;
        let has_reach = self.has_reach(groups.len());
        match values.data_type() {
            DataType::Int16 if has_reach => {
                self.add_small(values, values.as_primitive::<Int16Type>().values(), groups, filter)
            }
            DataType::Int32 if has_reach => {
                self.add_small(values, values.as_primitive::<Int32Type>().values(), groups, filter)
            }
            DataType::Int64 if has_reach => {
                self.add_small(values, values.as_primitive::<Int64Type>().values(), groups, filter)
            }
            DataType::Decimal128(..) if has_reach && fit_64_bits(values.as_primitive::<Decimal128Type>()) => {
                self.add_small(values, values.as_primitive::<Decimal128Type>().values(), groups, filter)
            }
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
            results.push(&finished_sum(sum, count, self.scale, self.output)?)?;
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
