//! Columns of rows that are few in the end, read when it is known which rows these are.
//!
//! The first rows of an order are found by the order's columns, the conditions' and the row's id; what else is wanted of
//! them is then read from the rows' tree, a row at a time. So of a million rows with a hundred columns only a few columns
//! are read, and only a few rows whole.
//!
//! What always holds: the rows are read through the view that found them, so each of them is there, in the same version.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use nqdb_sqlstate::SqlError;
use nqdb_txn::{ReadView, TableStore};
use nqdb_types::{Datum, Type};

use crate::column::ColumnBuilder;
use crate::expression::{EvalContext, lifted};
use crate::failure::Outcome;
use crate::map_rows::{Made, RowMap};
use crate::scan::{BATCH_BYTES_MAX, row_of};
use crate::shape::Shape;

/// Adds columns of a table to rows that have their ids.
pub(crate) struct LateColumns {
    table: Arc<TableStore>,
    view: ReadView,
    /// The column of the input that has the ids.
    id_column: usize,
    /// Positions in the table.
    positions: Vec<usize>,
    shapes: Vec<Shape>,
    schema: SchemaRef,
    cx: Arc<EvalContext>,
}

/// A batch on its way out.
struct Rows {
    work: Arc<LateColumns>,
    input: RecordBatch,
    /// Rows that are out.
    done: usize,
}

impl LateColumns {
    /// The columns of the input, then those at the positions.
    pub fn new(
        input: &Schema,
        id_column: usize,
        columns: &[(usize, Type)],
        (table, view): (Arc<TableStore>, ReadView),
        cx: Arc<EvalContext>,
    ) -> LateColumns {
        let (positions, shapes): (Vec<usize>, Vec<Shape>) =
            columns.iter().map(|(position, ty)| (*position, Shape::of_column(*ty))).unzip();
        let late = shapes.iter().enumerate();
        let late = late.map(|(number, shape)| Arc::new(Field::new(format!("l{number}"), shape.data_type(), true)));
        let fields: Vec<Arc<Field>> = input.fields().iter().cloned().chain(late).collect();
        LateColumns { table, view, id_column, positions, shapes, schema: Arc::new(Schema::new(fields)), cx }
    }

    /// The shape of a column at a position, by its number.
    pub fn shape(&self, number: usize) -> Option<Shape> {
        self.shapes.get(number).copied()
    }

    fn read(&self, id: i64) -> Outcome<Vec<Datum>> {
        self.cx.stop.check()?;
        let read = self.table.fetch(&self.view, row_of(id), |row, _| {
            self.positions.iter().map(|position| row.datum(*position)).collect::<Result<Vec<Datum>, _>>()
        });
        let row = read?.ok_or_else(|| SqlError::internal("a row is gone that its view has seen"))?;
        Ok(row?)
    }
}

impl Rows {
    /// Rows up to a number of bytes, in the order in which they came.
    fn next_batch(&mut self) -> Outcome<Option<RecordBatch>> {
        let ids = self.input.column(self.work.id_column).as_primitive::<Int64Type>();
        let first = self.done;
        let mut builders: Vec<ColumnBuilder> =
            self.work.shapes.iter().map(|shape| ColumnBuilder::new(*shape, 0)).collect();
        for id in ids.values().iter().skip(first) {
            for (builder, value) in builders.iter_mut().zip(self.work.read(*id)?) {
                builder.push(&value)?;
            }
            self.done += 1;
            if builders.iter().map(ColumnBuilder::long_bytes).sum::<usize>() >= BATCH_BYTES_MAX {
                break;
            }
        }
        if self.done == first {
            return Ok(None);
        }
        let early = self.input.slice(first, self.done - first);
        let mut columns: Vec<ArrayRef> = early.columns().to_vec();
        columns.extend(builders.iter_mut().map(ColumnBuilder::finish));
        Ok(Some(RecordBatch::try_new(self.work.schema.clone(), columns)?))
    }
}

impl RowMap for LateColumns {
    fn name(&self) -> &'static str {
        "LateColumnsExec"
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn map(self: Arc<Self>, input: RecordBatch) -> Made {
        let mut rows = Rows { work: self, input, done: 0 };
        Box::new(std::iter::from_fn(move || lifted(rows.next_batch()).transpose()))
    }
}

impl fmt::Debug for LateColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateColumns").field("positions", &self.positions).finish_non_exhaustive()
    }
}
