//! Functions whose value is that of another row: lag and lead, first_value, last_value and nth_value.

use arrow::array::{Array, ArrayRef, UInt64Array, new_null_array};
use arrow::compute::{interleave, take};
use nqdb_functions::WindowKind;
use nqdb_sql::window::{Distance, Frame, FrameCursor, neighbour, row_in_frame};
use nqdb_sqlstate::SqlError;

use super::chunk::{Partition, Surrounded};
use super::{Arguments, Computation};
use crate::column::datum_at;
use crate::failure::Outcome;
use crate::shape::Shape;

/// The integers of an argument.
pub(super) fn integers(args: &Arguments, number: usize) -> Outcome<Vec<Option<i64>>> {
    let (Some(values), Some(shape)) = (args.values.get(number), args.shapes.get(number)) else {
        return Ok(Vec::new());
    };
    (0..values.len()).map(|row| Ok(datum_at(values, row, *shape)?.as_integer())).collect()
}

fn first_argument(args: &Arguments) -> Outcome<ArrayRef> {
    let missing = || SqlError::internal("a window function was called without its argument");
    Ok(args.values.first().cloned().ok_or_else(missing)?)
}

/// lag and lead.
pub(super) struct Neighbours {
    is_lead: bool,
    values: ArrayRef,
    /// How far, by row; where there is no such argument it is one.
    distances: Option<Vec<Option<i64>>>,
    /// The values where there is no such row.
    default: Option<ArrayRef>,
    result: Shape,
    /// The array that a row's value is in (values, default, NULL), and where.
    found: Vec<(usize, usize)>,
}

impl Neighbours {
    pub fn new(is_lead: bool, args: Arguments, result: Shape, rows: usize) -> Outcome<Neighbours> {
        let distances = if args.values.len() > 1 { Some(integers(&args, 1)?) } else { None };
        let (values, default) = (first_argument(&args)?, args.values.get(2).cloned());
        Ok(Neighbours { is_lead, values, distances, default, result, found: Vec::with_capacity(rows) })
    }
}

impl Computation for Neighbours {
    fn partition(&mut self, partition: &Partition<'_>, _: &mut Surrounded<'_>) -> Outcome<()> {
        const NULL: (usize, usize) = (2, 0);
        let (first, rows) = (partition.first, partition.rows());
        for row in 0..rows {
            let distance = match &self.distances {
                None => Some(1),
                Some(distances) => distances.get(first + row).copied().flatten(),
            };
            let found = match distance {
                None => NULL,
                Some(distance) => match neighbour(self.is_lead, distance, row, rows) {
                    Some(target) => (0, first + target),
                    None if self.default.is_some() => (1, first + row),
                    None => NULL,
                },
            };
            self.found.push(found);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        let null = new_null_array(&self.result.data_type(), 1);
        let default = self.default.unwrap_or_else(|| null.clone());
        Ok(interleave(&[self.values.as_ref(), default.as_ref(), null.as_ref()], &self.found)?)
    }
}

/// first_value, last_value, nth_value.
pub(super) struct FrameValues {
    kind: WindowKind,
    values: ArrayRef,
    numbers: Vec<Option<i64>>,
    frame: Frame<Distance>,
    found: Vec<Option<u64>>,
}

impl FrameValues {
    pub fn new(kind: WindowKind, args: Arguments, frame: Frame<Distance>, rows: usize) -> Outcome<FrameValues> {
        let numbers = integers(&args, 1)?;
        Ok(FrameValues { kind, values: first_argument(&args)?, numbers, frame, found: Vec::with_capacity(rows) })
    }
}

impl Computation for FrameValues {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        let mut cursor = FrameCursor::default();
        for row in 0..partition.rows() {
            let rows = cursor.rows(&self.frame, partition.place(row), around)?;
            let number = self.numbers.get(partition.first + row).copied().flatten();
            let found = row_in_frame(self.kind, &rows, number)?;
            self.found.push(found.map(|row| (partition.first + row) as u64));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(take(&self.values, &UInt64Array::from(self.found), None)?)
    }
}
