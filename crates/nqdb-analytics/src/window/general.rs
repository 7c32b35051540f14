//! Aggregates over whole partitions, by the states of groups; and any aggregate over any frame, by the row executor's means.

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::take;
use datafusion_expr::EmitTo;
use nqdb_functions::Aggregate;
use nqdb_sql::window::{self, Distance, Frame, FrameCursor, MovingAggregate, Surroundings};
use nqdb_types::Datum;

use super::chunk::{Partition, Surrounded};
use super::{Arguments, Computation};
use crate::aggregate::Groups;
use crate::column::{ColumnBuilder, datum_at};
use crate::failure::Outcome;
use crate::shape::Shape;

/// Every row has the value of its partition.
pub(super) struct Whole {
    groups: Box<dyn Groups>,
    args: Arguments,
    partition_of: Vec<usize>,
    partitions: usize,
}

impl Whole {
    pub fn new(groups: Box<dyn Groups>, args: Arguments, rows: usize) -> Whole {
        Whole { groups, args, partition_of: Vec::with_capacity(rows), partitions: 0 }
    }
}

impl Computation for Whole {
    fn partition(&mut self, partition: &Partition<'_>, _: &mut Surrounded<'_>) -> Outcome<()> {
        self.partition_of.extend(std::iter::repeat_n(self.partitions, partition.rows()));
        self.partitions += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Outcome<ArrayRef> {
        self.groups.resize(self.partitions);
        self.groups.update(&self.args.values, &self.partition_of, self.args.filter.as_ref())?;
        let values = self.groups.finish(EmitTo::All)?;
        let places: UInt64Array = self.partition_of.iter().map(|partition| Some(*partition as u64)).collect();
        Ok(take(&values, &places, None)?)
    }
}

/// An aggregate over frames that move, one value at a time.
pub(super) struct Moving {
    aggregate: MovingAggregate,
    args: Arguments,
    frame: Frame<Distance>,
    results: ColumnBuilder,
}

impl Moving {
    pub fn new(
        aggregate: &'static Aggregate,
        args: Arguments,
        frame: Frame<Distance>,
        result: Shape,
        rows: usize,
    ) -> Moving {
        let types = args.shapes.iter().map(|shape| shape.ty.oid).collect();
        let aggregate = MovingAggregate::new(aggregate, types);
        Moving { aggregate, args, frame, results: ColumnBuilder::new(result, rows) }
    }

    /// The arguments of a partition, row by row.
    fn values(&self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<Vec<Datum>> {
        let mut values = Vec::with_capacity(partition.rows() * self.args.values.len());
        let mut bytes = 0;
        for row in partition.first..partition.first + partition.rows() {
            for (array, shape) in self.args.values.iter().zip(&self.args.shapes) {
                let value = datum_at(array, row, *shape)?;
                bytes += size_of::<Datum>() + value.heap_size();
                values.push(value);
            }
        }
        around.charge(bytes)?;
        Ok(values)
    }
}

impl Computation for Moving {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        let (first, rows) = (partition.first, partition.rows());
        let values = self.values(partition, around)?;
        let passes: Vec<bool> = match &self.args.filter {
            Some(filter) => (first..first + rows).map(|row| filter.value(row)).collect(),
            None => Vec::new(),
        };
        let mut arguments = window::Arguments { values: &values, width: self.args.values.len(), passes: &passes };
        self.aggregate.clear(around);
        let mut cursor = FrameCursor::default();
        for row in 0..rows {
            let frame = cursor.rows(&self.frame, partition.place(row), around)?;
            self.results.push(&self.aggregate.value(frame, &mut arguments, around)?)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(self.results.finish())
    }
}
