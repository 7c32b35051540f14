//! Repeats rows for each grouping set.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::{DataFusionError, Result};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;

use crate::map_rows::{Made, RowMap};

/// What comes out of a row: columns that stand before the keys, the keys, the number of the set, columns behind it.
#[derive(Debug)]
pub(crate) struct Repetition {
    /// The keys over the input.
    keys: Vec<Arc<dyn PhysicalExpr>>,
    /// The keys that each set has.
    sets: Vec<Vec<usize>>,
    around: Around,
    schema: SchemaRef,
}

/// The columns of the input that go on.
#[derive(Debug)]
pub(crate) struct Around {
    pub before: Vec<usize>,
    pub behind: Vec<usize>,
}

impl Repetition {
    pub fn try_new(
        input: &Schema,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        sets: Vec<Vec<usize>>,
        around: Around,
    ) -> Result<Repetition> {
        let columns = |places: &[usize]| -> Vec<Arc<Field>> {
            places.iter().filter_map(|place| input.fields().get(*place).cloned()).collect()
        };
        let mut fields = columns(&around.before);
        for (index, key) in keys.iter().enumerate() {
            fields.push(Arc::new(Field::new(format!("k{index}"), key.data_type(input)?, true)));
        }
        fields.push(Arc::new(Field::new("set", DataType::Int32, false)));
        fields.extend(columns(&around.behind));
        Ok(Repetition { keys, sets, around, schema: Arc::new(Schema::new(fields)) })
    }

    /// The rows of one set.
    fn of_set(&self, number: usize, keys: &[ArrayRef], batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let set = self.sets.get(number).map_or(&[][..], Vec::as_slice);
        let number = i32::try_from(number).map_err(|_| DataFusionError::Internal("too many sets".to_owned()))?;
        let column = |place: &usize| batch.column(*place).clone();
        let mut columns: Vec<ArrayRef> = self.around.before.iter().map(column).collect();
        columns.extend(keys.iter().enumerate().map(|(place, key)| {
            if set.contains(&place) { key.clone() } else { new_null_array(key.data_type(), rows) }
        }));
        columns.push(Arc::new(Int32Array::from_value(number, rows)));
        columns.extend(self.around.behind.iter().map(column));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl RowMap for Repetition {
    fn name(&self) -> &'static str {
        "RepeatExec"
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn map(self: Arc<Self>, batch: RecordBatch) -> Made {
        let keys = self.keys.iter().map(|key| key.evaluate(&batch)?.into_array(batch.num_rows()));
        match keys.collect::<Result<Vec<ArrayRef>>>() {
            Ok(keys) => Box::new((0..self.sets.len()).map(move |number| self.of_set(number, &keys, &batch))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }
}
