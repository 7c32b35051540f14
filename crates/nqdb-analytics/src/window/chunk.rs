//! Some whole partitions of a stream, and what the calls look at: boundaries, peers, the values of expressions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{concat, partition};
use arrow::record_batch::RecordBatch;
use datafusion_common::Result;
use datafusion_execution::memory_pool::MemoryReservation;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use nqdb_functions::FunctionContext;
use nqdb_sql::window::{Peers, Place, RangeKey, Surroundings};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::Arguments;
use super::operator::{KeyColumn, WindowParts};
use crate::buffers::Buffers;
use crate::column::datum_at;
use crate::failure::{Failure, Outcome};
use crate::watch::Stop;

/// Rows that frames look at between two looks at whether anybody still wants the result.
const STEPS_BETWEEN_LOOKS: u32 = 4_096;

/// A partition of a chunk.
pub(super) struct Partition<'p> {
    /// Its first row within the chunk.
    pub first: usize,
    pub peers: &'p Peers,
    pub key: Option<&'p dyn RangeKey>,
}

impl Partition<'_> {
    pub fn rows(&self) -> usize {
        self.peers.rows()
    }

    pub fn place(&self, row: usize) -> Place<'_> {
        Place { peers: self.peers, key: self.key, row }
    }
}

/// What the calls need of the statement.
pub(super) struct Surrounded<'a> {
    pub functions: FunctionContext<'a>,
    pub stop: &'a Stop,
    pub memory: &'a MemoryReservation,
    /// The buffers that are counted in `memory`.
    pub counted: &'a mut Buffers,
    pub steps: u32,
}

impl Surroundings for Surrounded<'_> {
    fn count_row(&mut self) -> SqlResult<()> {
        self.steps += 1;
        if self.steps < STEPS_BETWEEN_LOOKS {
            return Ok(());
        }
        self.steps = 0;
        self.stop.check().map_err(Failure::too_late)
    }

    fn functions(&self) -> &FunctionContext<'_> {
        &self.functions
    }

    fn charge(&mut self, bytes: usize) -> SqlResult<()> {
        self.memory.try_grow(bytes).map_err(|error| Failure::from(error).too_late())
    }

    fn release(&mut self, bytes: usize) {
        self.memory.shrink(bytes);
    }
}

/// The order's only column in one partition of a chunk.
struct PartitionKey<'c> {
    values: &'c [Datum],
    column: &'c KeyColumn,
}

impl RangeKey for PartitionKey<'_> {
    fn value(&self, row: usize) -> SqlResult<Datum> {
        Ok(self.values[row].clone())
    }

    fn descending(&self) -> bool {
        self.column.descending
    }

    fn nulls_first(&self) -> bool {
        self.column.nulls_first
    }
}

/// The values of an expression over batches, in one array.
pub(super) fn evaluate(expression: &Arc<dyn PhysicalExpr>, batches: &[RecordBatch]) -> Result<ArrayRef> {
    let arrays = batches.iter().map(|batch| expression.evaluate(batch)?.into_array(batch.num_rows()));
    let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
    match arrays.as_slice() {
        [array] => Ok(array.clone()),
        several => {
            let several: Vec<&dyn Array> = several.iter().map(AsRef::as_ref).collect();
            Ok(concat(&several)?)
        }
    }
}

/// Where in a run of rows the values change: the first row, and each that differs from the one before it.
pub(super) fn starts(columns: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
    if columns.is_empty() {
        return Ok(if rows == 0 { Vec::new() } else { vec![0] });
    }
    Ok(partition(columns)?.ranges().into_iter().map(|range| range.start).collect())
}

/// The values of the calls over some whole partitions, an array for each.
pub(super) fn compute(
    parts: &WindowParts,
    batches: &[RecordBatch],
    around: &mut Surrounded<'_>,
) -> Outcome<Vec<ArrayRef>> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let all =
        |keys: &[Arc<dyn PhysicalExpr>]| keys.iter().map(|key| evaluate(key, batches)).collect::<Result<Vec<_>>>();
    let mut keys = all(&parts.partition)?;
    let partitions = starts(&keys, rows)?;
    keys.extend(all(&parts.order)?);
    let groups = if parts.order.is_empty() { partitions.clone() } else { starts(&keys, rows)? };
    drop(keys);
    let key_values = match &parts.range_key {
        Some(key) => datums(key, batches, around)?,
        None => Vec::new(),
    };
    let mut computations = Vec::with_capacity(parts.calls.len());
    for call in &parts.calls {
        let args = arguments(call, batches)?;
        let bytes = around.counted.added_bytes_of(&args.values);
        around.charge(bytes)?;
        computations.push(call.computation(args, rows, !parts.order.is_empty(), &parts.cx)?);
    }
    let mut peers = Peers::default();
    let mut next_group = groups.iter().copied().peekable();
    for (number, first) in partitions.iter().copied().enumerate() {
        let end = partitions.get(number + 1).copied().unwrap_or(rows);
        peers.clear();
        for row in first..end {
            let is_first = next_group.next_if_eq(&row).is_some();
            peers.push(!is_first);
        }
        let key = parts.range_key.as_ref().map(|column| PartitionKey { values: &key_values[first..end], column });
        let key = key.as_ref().map(|key| key as &dyn RangeKey);
        let partition = Partition { first, peers: &peers, key };
        for computation in &mut computations {
            around.stop.check()?;
            computation.partition(&partition, around)?;
        }
    }
    computations.into_iter().map(|computation| computation.finish()).collect()
}

fn arguments(call: &super::WindowCall, batches: &[RecordBatch]) -> Outcome<Arguments> {
    let values = call.args.iter().map(|(arg, _)| evaluate(arg, batches)).collect::<Result<Vec<_>>>()?;
    let filter = match &call.filter {
        Some(filter) => Some(passing(&evaluate(filter, batches)?)?),
        None => None,
    };
    Ok(Arguments { values, shapes: call.args.iter().map(|(_, shape)| *shape).collect(), filter })
}

/// The rows where a condition holds, without NULLs.
fn passing(condition: &ArrayRef) -> Outcome<BooleanArray> {
    let condition = condition.as_boolean_opt().ok_or_else(|| SqlError::internal("a filter is not a boolean"))?;
    Ok(condition.iter().map(|holds| Some(holds == Some(true))).collect())
}

fn datums(key: &KeyColumn, batches: &[RecordBatch], around: &mut Surrounded<'_>) -> Outcome<Vec<Datum>> {
    let array = evaluate(&key.value, batches)?;
    around.charge(array.len() * size_of::<Datum>())?;
    (0..array.len()).map(|row| datum_at(&array, row, key.shape)).collect()
}
