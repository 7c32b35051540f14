//! `count`, `sum` and `avg` over moving frames.
//!
//! Of integers and decimals a frame's sum is the difference of two running sums, whatever the frame. The running sums wrap
//! around at 128 bits, which the difference does not see as long as it fits itself. Sums of floats have to be made in the
//! order of their rows; only a frame that grows goes on from the one before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use nqdb_sql::window::{Distance, Frame, FrameCursor, FrameRows, Surroundings};
use nqdb_sqlstate::SqlError;

use super::chunk::{Partition, Surrounded};
use super::{Arguments, Computation};
use crate::aggregate::{SumOutput, finished_sum, float_sum};
use crate::column::ColumnBuilder;
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_LIMIT, DECIMAL_NAN, Shape};

/// Which rows of a chunk count: those of the filter where the argument is not NULL. `None`: all.
fn counted(args: &Arguments) -> Option<BooleanArray> {
    let nulls = args.values.first().and_then(|values| values.logical_nulls()).filter(|nulls| nulls.null_count() > 0);
    match (nulls, &args.filter) {
        (None, filter) => filter.clone(),
        (Some(nulls), None) => Some(BooleanArray::new(nulls.into_inner(), None)),
        (Some(nulls), Some(filter)) => Some(BooleanArray::new(nulls.inner() & filter.values(), None)),
    }
}

fn counts_in(counted: Option<&BooleanArray>, row: usize) -> bool {
    counted.is_none_or(|counted| counted.value(row))
}

/// The difference of running numbers over a frame's runs.
fn over<N>(running: &[N], rows: &FrameRows, minus: impl Fn(N, N) -> N, plus: impl Fn(N, N) -> N) -> N
where
    N: Copy + Default,
{
    if rows.hole.0 == rows.hole.1 {
        return minus(running[rows.end], running[rows.start]);
    }
    let runs = rows.runs().into_iter().filter(|(start, end)| start < end);
    runs.fold(N::default(), |sum, (start, end)| plus(sum, minus(running[end], running[start])))
}

pub(super) struct Counts {
    counted: Option<BooleanArray>,
    frame: Frame<Distance>,
    running: Vec<i64>,
    values: Vec<i64>,
}

impl Counts {
    pub fn new(args: Arguments, frame: Frame<Distance>, rows: usize) -> Counts {
        Counts { counted: counted(&args), frame, running: Vec::new(), values: Vec::with_capacity(rows) }
    }
}

impl Computation for Counts {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        run(&mut self.running, partition, |row, count| {
            count + i64::from(counts_in(self.counted.as_ref(), partition.first + row))
        });
        let mut cursor = FrameCursor::default();
        for row in 0..partition.rows() {
            let rows = cursor.rows(&self.frame, partition.place(row), around)?;
            self.values.push(over(&self.running, &rows, |a, b| a - b, |a, b| a + b));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(Arc::new(Int64Array::from(self.values)))
    }
}

/// Makes running numbers of a partition: what there is before each row, and behind the last.
fn run<N: Copy + Default>(running: &mut Vec<N>, partition: &Partition<'_>, mut next: impl FnMut(usize, N) -> N) {
    running.clear();
    running.push(N::default());
    let mut value = N::default();
    for row in 0..partition.rows() {
        value = next(row, value);
        running.push(value);
    }
}

pub(super) struct ExactSums {
    scale: u8,
    output: SumOutput,
    numbers: Numbers,
    counted: Option<BooleanArray>,
    frame: Frame<Distance>,
    sums: Vec<i128>,
    counts: Vec<i64>,
    not_numbers: Vec<i64>,
    results: ColumnBuilder,
}

/// What is summed up.
enum Numbers {
    Integers(Int64Array),
    Decimals(Decimal128Array),
}

impl Numbers {
    fn of(args: &Arguments) -> Outcome<Numbers> {
        let missing = || SqlError::internal("a sum was called without its argument");
        let values = args.values.first().ok_or_else(missing)?;
        Ok(match values.data_type() {
            DataType::Decimal128(..) => Numbers::Decimals(values.as_primitive::<Decimal128Type>().clone()),
            _ => Numbers::Integers(cast(values, &DataType::Int64)?.as_primitive::<Int64Type>().clone()),
        })
    }

    fn value(&self, row: usize) -> i128 {
        match self {
            Numbers::Integers(numbers) => numbers.value(row).into(),
            Numbers::Decimals(numbers) => numbers.value(row),
        }
    }
}

impl ExactSums {
    pub fn new(
        scale: u8,
        output: SumOutput,
        result: Shape,
        args: Arguments,
        frame: Frame<Distance>,
        rows: usize,
    ) -> Outcome<ExactSums> {
        Ok(ExactSums {
            scale,
            output,
            numbers: Numbers::of(&args)?,
            counted: counted(&args),
            frame,
            sums: Vec::new(),
            counts: Vec::new(),
            not_numbers: Vec::new(),
            results: ColumnBuilder::new(result, rows),
        })
    }

    /// Makes the running sums of a partition. Declines where the sum of a frame might need more than 38 digits.
    fn run(&mut self, partition: &Partition<'_>) -> Outcome<()> {
        let first = partition.first;
        let is_in = |row: usize| counts_in(self.counted.as_ref(), first + row);
        let value = |row: usize| if is_in(row) { self.numbers.value(first + row) } else { 0 };
        run(&mut self.counts, partition, |row, count| count + i64::from(is_in(row)));
        run(&mut self.not_numbers, partition, |row, count| count + i64::from(value(row) == DECIMAL_NAN));
        let mut largest = 0_u128;
        run(&mut self.sums, partition, |row, sum: i128| {
            let value = match value(row) {
                DECIMAL_NAN => 0,
                value => value,
            };
            largest = largest.max(value.unsigned_abs());
            sum.wrapping_add(value)
        });
        let farthest = largest.checked_mul(partition.rows() as u128);
        match farthest.is_some_and(|farthest| farthest < DECIMAL_LIMIT.unsigned_abs()) {
            true => Ok(()),
            false => Err(Failure::Declined("a sum needs more than 38 digits")),
        }
    }
}

impl Computation for ExactSums {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        self.run(partition)?;
        let mut cursor = FrameCursor::default();
        for row in 0..partition.rows() {
            let rows = cursor.rows(&self.frame, partition.place(row), around)?;
            let count = over(&self.counts, &rows, |a, b| a - b, |a, b| a + b);
            let sum = match over(&self.not_numbers, &rows, |a, b| a - b, |a, b| a + b) {
                0 => over(&self.sums, &rows, i128::wrapping_sub, i128::wrapping_add),
                _ => DECIMAL_NAN,
            };
            self.results.push(&finished_sum(sum, count, self.scale, self.output)?)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(self.results.finish())
    }
}

pub(super) struct FloatSums {
    narrow: bool,
    average: bool,
    numbers: Float64Array,
    counted: Option<BooleanArray>,
    frame: Frame<Distance>,
    results: Vec<Option<f64>>,
}

impl FloatSums {
    pub fn new(
        narrow: bool,
        average: bool,
        args: Arguments,
        frame: Frame<Distance>,
        rows: usize,
    ) -> Outcome<FloatSums> {
        let missing = || SqlError::internal("a sum was called without its argument");
        let numbers = cast(args.values.first().ok_or_else(missing)?, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>().clone();
        Ok(FloatSums { narrow, average, numbers, counted: counted(&args), frame, results: Vec::with_capacity(rows) })
    }

    /// Adds rows of a run.
    fn add(&self, state: (f64, i64), run: (usize, usize), around: &mut Surrounded<'_>) -> Outcome<(f64, i64)> {
        let (mut sum, mut count) = state;
        for row in run.0..run.1 {
            if counts_in(self.counted.as_ref(), row) {
                around.count_row()?;
                sum = float_sum(sum, self.numbers.value(row), self.narrow)?;
                count += 1;
            }
        }
        Ok((sum, count))
    }
}

impl Computation for FloatSums {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        let first = partition.first;
        let mut cursor = FrameCursor::default();
        let mut before = FrameRows::default();
        let mut state = (0.0, 0);
        for row in 0..partition.rows() {
            let rows = cursor.rows(&self.frame, partition.place(row), around)?;
            let has_hole = rows.hole.0 < rows.hole.1 || before.hole.0 < before.hole.1;
            if rows.start == before.start && rows.end >= before.end && !has_hole {
                state = self.add(state, (first + before.end, first + rows.end), around)?;
            } else if rows != before {
                state = (0.0, 0);
                for (start, end) in rows.runs() {
                    state = self.add(state, (first + start, first + end), around)?;
                }
            }
            before = rows;
            let (sum, count) = state;
            self.results.push(match count {
                0 => None,
                _ if self.average => Some(sum / count as f64),
                _ => Some(sum),
            });
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        if self.narrow {
            let results = self.results.into_iter().map(|result| result.map(|sum| sum as f32));
            return Ok(Arc::new(results.collect::<Float32Array>()));
        }
        Ok(Arc::new(Float64Array::from(self.results)))
    }
}
