//! Functions that return rows, over the rows of an input: each of these is repeated for the rows of its functions, which run
//! side by side and are NULL where one has ended.
//!
//! In FROM the input is what stands before it (LATERAL), or one row; in a select list it is the rest of the query.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::Result;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use nqdb_functions::{Function, FunctionContext, Records, Rows};
use nqdb_sql::NoSession;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type, oid};

use crate::column::{ColumnBuilder, datum_at};
use crate::expression::{EvalContext, lifted};
use crate::failure::Outcome;
use crate::map_rows::{Made, RowMap};
use crate::shape::Shape;

/// A function and what it is called with.
#[derive(Debug)]
pub(crate) struct Source {
    /// `None`: the value of the only argument is the only row.
    pub function: Option<&'static Function>,
    pub args: Vec<(Arc<dyn PhysicalExpr>, Shape)>,
    pub columns: Vec<(String, Type)>,
}

pub(crate) struct Unfolding {
    sources: Vec<Source>,
    has_ordinality: bool,
    /// A row without rows of its functions comes out once, with NULLs.
    keeps_all: bool,
    cx: Arc<EvalContext>,
    input_width: usize,
    schema: SchemaRef,
    shapes: Vec<Shape>,
}

impl fmt::Debug for Unfolding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unfolding").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// The most rows of a batch that comes out.
const ROWS_MAX: usize = 8_192;

impl Unfolding {
    /// The columns of the input, those of the functions, and the row's number where it is asked for.
    pub fn new(
        input: &Schema,
        sources: Vec<Source>,
        has_ordinality: bool,
        keeps_all: bool,
        cx: Arc<EvalContext>,
    ) -> Unfolding {
        let columns = sources.iter().flat_map(|source| source.columns.iter());
        let mut shapes: Vec<Shape> = columns.map(|(_, ty)| Shape::of_type(*ty)).collect();
        if has_ordinality {
            shapes.push(Shape::INT8);
        }
        let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
        let input_width = fields.len();
        for (index, shape) in shapes.iter().enumerate() {
            fields.push(Arc::new(Field::new(format!("f{index}"), shape.data_type(), true)));
        }
        let schema = Arc::new(Schema::new(fields));
        Unfolding { sources, has_ordinality, keeps_all, cx, input_width, schema, shapes }
    }

    /// The shape of a column of the functions.
    pub fn shape(&self, number: usize) -> Option<(usize, Shape)> {
        Some((self.input_width + number, *self.shapes.get(number)?))
    }

    fn with_functions<T>(&self, work: impl FnOnce(FunctionContext<'_>) -> T) -> T {
        let session = NoSession::UNBOUNDED;
        let cx = &self.cx;
        work(FunctionContext::new(&cx.format, cx.transaction_time_micros, cx.statement_time_micros, &session))
    }
}

/// A batch that is being unfolded.
struct Batch {
    unfolding: Arc<Unfolding>,
    input: RecordBatch,
    /// The arguments of each function.
    args: Vec<Vec<ArrayRef>>,
    next_row: usize,
    /// The row at hand and what its functions still have.
    open: Option<OpenRow>,
}

struct OpenRow {
    row: usize,
    given: Vec<Given>,
    number: i64,
}

/// The rows of one function that are still to come.
enum Given {
    Value(Option<Datum>),
    Rows(Rows),
    Records(Records),
    Ended,
}

impl Given {
    /// The next row into `out`; false when there is none.
    fn next(&mut self, width: usize, out: &mut [Datum]) -> SqlResult<bool> {
        let value = match self {
            Given::Ended => None,
            Given::Value(value) => value.take(),
            Given::Rows(rows) => rows.next().transpose()?,
            Given::Records(records) => {
                let Some(record) = records.next().transpose()? else { return Ok(false) };
                if record.len() != width {
                    return Err(SqlError::internal("a function returned another number of columns than it declares"));
                }
                for (value, field) in out.iter_mut().zip(record) {
                    *value = field;
                }
                return Ok(true);
            }
        };
        let Some(value) = value else { return Ok(false) };
        if let Some(first) = out.first_mut() {
            *first = value;
        }
        Ok(true)
    }
}

impl Batch {
    /// Calls the functions for a row.
    fn open_row(&self, row: usize) -> Outcome<OpenRow> {
        let mut given = Vec::with_capacity(self.unfolding.sources.len());
        for (source, arrays) in self.unfolding.sources.iter().zip(&self.args) {
            let args = arrays.iter().zip(&source.args).map(|(array, (_, shape))| datum_at(array, row, *shape));
            let mut args = args.collect::<Outcome<Vec<Datum>>>()?;
            let Some(function) = source.function else {
                given.push(Given::Value(args.pop()));
                continue;
            };
            let types: Vec<Type> = source.args.iter().map(|(_, shape)| shape.ty).collect();
            given.push(self.unfolding.with_functions(|functions| {
                let columns = &source.columns;
                let mut context = FunctionContext { argument_types: &types, result_columns: columns, ..functions };
                match (function.rows, function.records) {
                    (Some(rows), _) => Ok(Given::Rows(rows(&mut context, &args)?)),
                    (None, Some(records)) => Ok(Given::Records(records(&mut context, &args)?)),
                    (None, None) => Err(SqlError::internal(format!("{} has no rows", function.name))),
                }
            })?);
        }
        Ok(OpenRow { row, given, number: 0 })
    }

    /// Fills up a batch; `None` at the end.
    fn next_batch(&mut self) -> Outcome<Option<RecordBatch>> {
        let unfolding = self.unfolding.clone();
        let mut rows: Vec<u64> = Vec::new();
        let mut builders: Vec<ColumnBuilder> =
            unfolding.shapes.iter().map(|shape| ColumnBuilder::new(*shape, 0)).collect();
        let mut values = vec![Datum::Null; unfolding.shapes.len()];
        while rows.len() < ROWS_MAX {
            let mut open = match self.open.take() {
                Some(open) => open,
                None if self.next_row == self.input.num_rows() => break,
                None => {
                    unfolding.cx.stop.check()?;
                    self.next_row += 1;
                    self.open_row(self.next_row - 1)?
                }
            };
            if unfolding.next_values(&mut open, &mut values)? {
                rows.push(open.row as u64);
                for (builder, value) in builders.iter_mut().zip(&values) {
                    builder.push(value)?;
                }
                self.open = Some(open);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let rows = UInt64Array::from(rows);
        let columns = self.input.columns().iter().map(|column| Ok(take(column, &rows, None)?));
        let mut columns = columns.collect::<Outcome<Vec<ArrayRef>>>()?;
        columns.extend(builders.iter_mut().map(ColumnBuilder::finish));
        Ok(Some(RecordBatch::try_new_with_options(unfolding.schema.clone(), columns, &options)?))
    }
}

impl Unfolding {
    /// The next row of all functions side by side; false when all have ended.
    fn next_values(&self, open: &mut OpenRow, values: &mut [Datum]) -> Outcome<bool> {
        values.fill(Datum::Null);
        let mut first = 0;
        let mut has_row = false;
        for (source, given) in self.sources.iter().zip(&mut open.given) {
            let width = source.columns.len();
            let out = values.get_mut(first..first + width).unwrap_or_default();
            if given.next(width, out)? {
                has_row = true;
            } else {
                *given = Given::Ended;
            }
            first += width;
        }
        let is_kept = self.keeps_all && !has_row && open.number == 0;
        open.number += 1;
        if has_row
            && self.has_ordinality
            && let Some(last) = values.last_mut()
        {
            *last = Datum::Int8(open.number);
        }
        Ok(has_row || is_kept)
    }
}

impl RowMap for Unfolding {
    fn name(&self) -> &'static str {
        "UnfoldExec"
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn map(self: Arc<Self>, input: RecordBatch) -> Made {
        let of_source = |source: &Source| {
            source.args.iter().map(|(arg, _)| arg.evaluate(&input)?.into_array(input.num_rows())).collect()
        };
        let args = match self.sources.iter().map(of_source).collect::<Result<Vec<Vec<ArrayRef>>>>() {
            Ok(args) => args,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let mut batch = Batch { unfolding: self, input, args, next_row: 0, open: None };
        Box::new(std::iter::from_fn(move || lifted(batch.next_batch()).transpose()))
    }
}

/// Whether values of a type stand in a column of the functions by themselves.
pub(crate) fn is_plain(ty: Type) -> bool {
    !nqdb_types::holds_records(ty.oid) && ty.oid != oid::RECORD
}
