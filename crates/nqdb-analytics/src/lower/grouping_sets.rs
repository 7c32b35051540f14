//! GROUPING SETS: one grouping of rows that are repeated for each set.
//!
//! Where states can be merged the rows are grouped by all keys before they are repeated: few are left then, unless almost
//! every row is a group of its own, which DataFusion's first phase notices and lets through.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, new_null_array};
use arrow::record_batch::RecordBatch;
use datafusion_expr::EmitTo;
use datafusion_physical_expr::Partitioning;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion_physical_plan::repartition::RepartitionExec;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use nqdb_sql::ir::{AggregateCall, ColumnId, GroupingSets};

use super::aggregate::{Parts, group};
use super::{Lowered, Lowering, Sources, in_one_stream};
use crate::aggregate::Call;
use crate::expression::{Columns, Expression};
use crate::failure::{Failure, Outcome};
use crate::grouping_sets::{Around, FinishSetsExec, Repetition};
use crate::map_rows::MapExec;
use crate::shape::Shape;
use nqdb_types::Type;

type PhysicalKeys = Vec<(Arc<dyn PhysicalExpr>, String)>;

/// A grouping of several sets, its keys compiled.
pub(super) struct Sets<'r> {
    pub keys: Vec<Expression>,
    pub sets: &'r GroupingSets,
}

impl Lowering<'_> {
    /// Gives the keys and the aggregates in `places`, and GROUPING() behind them.
    pub(super) fn grouping_sets(
        &self,
        input: Lowered,
        Sets { keys, sets }: Sets<'_>,
        mut places: Columns,
        aggregates: &[&(ColumnId, AggregateCall)],
    ) -> Outcome<Lowered> {
        let key_count = keys.len();
        if !keys.iter().all(|key| key.shape.groups_by_itself()) {
            return Err(Failure::Declined("grouping sets of values that do not compare by their bytes"));
        }
        let mut parts = self.parts(keys, &input.schema())?;
        let mut calls = Vec::with_capacity(aggregates.len());
        for (id, aggregate) in aggregates {
            let args = aggregate.args.iter().map(|arg| self.compile(arg, &input.columns)).collect::<Outcome<_>>()?;
            let call = self.add_aggregate(aggregate, args, aggregate.distinct, &input, &mut parts)?;
            places.insert(*id, key_count + calls.len(), call.result);
            calls.push(call);
        }
        let is_one_stream = input.plan.output_partitioning().partition_count() == 1;
        // Floats are added in the order of their rows where that is known.
        let merges = parts.mergeable && !(is_one_stream && calls.iter().any(Call::depends_on_order));
        let grouped = if merges { merged_groups(input.plan, parts, sets)? } else { repeated(input, parts, sets)? };
        let mut groupings = Vec::with_capacity(sets.groupings.len());
        for (number, (id, keys)) in sets.groupings.iter().enumerate() {
            places.insert(*id, key_count + calls.len() + number, Shape::of_type(Type::INT4));
            groupings.push(sets.sets.iter().map(|set| grouping(keys, set)).collect());
        }
        let has_empty = sets.sets.iter().any(Vec::is_empty);
        let grouped = if has_empty { in_one_stream(grouped) } else { grouped };
        let of_no_rows = if has_empty { Some(self.of_no_rows(&grouped, key_count, sets, &calls)?) } else { None };
        let plan = Arc::new(FinishSetsExec::new(grouped, key_count, groupings, of_no_rows));
        Ok(Lowered { plan, columns: places, sources: Sources::default() })
    }

    /// The groups of the sets without keys, where there are no rows.
    fn of_no_rows(
        &self,
        grouped: &Arc<dyn ExecutionPlan>,
        key_count: usize,
        sets: &GroupingSets,
        calls: &[Call],
    ) -> Outcome<RecordBatch> {
        let empty = sets.sets.iter().enumerate().filter(|(_, set)| set.is_empty());
        let numbers: Int32Array =
            empty.filter_map(|(number, _)| i32::try_from(number).ok()).collect::<Vec<i32>>().into();
        let rows = numbers.len();
        let schema = grouped.schema();
        let keys = schema.fields().iter().take(key_count);
        let mut columns: Vec<ArrayRef> = keys.map(|field| new_null_array(field.data_type(), rows)).collect();
        columns.push(Arc::new(numbers));
        for call in calls {
            let mut groups = call.groups(&self.constants.cx)?;
            groups.resize(rows);
            columns.push(groups.finish(EmitTo::All)?);
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// Rows are repeated, then grouped. The keys stand behind the columns of the input, which the aggregates read.
fn repeated(input: Lowered, parts: Parts, sets: &GroupingSets) -> Outcome<Arc<dyn ExecutionPlan>> {
    let keys: Vec<Arc<dyn PhysicalExpr>> = parts.keys.iter().map(|(key, _)| key.clone()).collect();
    let (width, key_count) = (input.width(), keys.len());
    let around = Around { before: (0..width).collect(), behind: Vec::new() };
    let repetition = Repetition::try_new(&input.schema(), keys, sets.sets.clone(), around)?;
    let repeated = MapExec::new(input.plan, Arc::new(repetition));
    group(Arc::new(repeated), Parts { keys: set_keys(width, key_count), ..parts })
}

/// Rows are grouped by all keys, their states repeated, then merged.
fn merged_groups(input: Arc<dyn ExecutionPlan>, parts: Parts, sets: &GroupingSets) -> Outcome<Arc<dyn ExecutionPlan>> {
    let Parts { keys, functions, filters, .. } = parts;
    let (schema, partitions) = (input.schema(), input.output_partitioning().partition_count());
    let no_filters = vec![None; functions.len()];
    let group_by = PhysicalGroupBy::new_single(keys.clone());
    let partial = Arc::new(AggregateExec::try_new(
        AggregateMode::Partial,
        group_by,
        functions.clone(),
        filters,
        input,
        schema.clone(),
    )?);
    let behind = (keys.len()..partial.schema().fields().len()).collect();
    let names = keys.iter().enumerate();
    let of_states =
        names.map(|(index, (_, name))| Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>).collect();
    let around = Around { before: Vec::new(), behind };
    let repetition = Repetition::try_new(&partial.schema(), of_states, sets.sets.clone(), around)?;
    let mut plan: Arc<dyn ExecutionPlan> = Arc::new(MapExec::new(partial, Arc::new(repetition)));
    let keys = set_keys(0, keys.len());
    let mut mode = AggregateMode::Final;
    if partitions > 1 {
        let by = keys.iter().map(|(key, _)| key.clone()).collect();
        plan = Arc::new(RepartitionExec::try_new(plan, Partitioning::Hash(by, partitions))?);
        mode = AggregateMode::FinalPartitioned;
    }
    let group_by = PhysicalGroupBy::new_single(keys);
    Ok(Arc::new(AggregateExec::try_new(mode, group_by, functions, no_filters, plan, schema)?))
}

/// The keys of repeated rows, and the number of their set, behind so many columns.
fn set_keys(before: usize, keys: usize) -> PhysicalKeys {
    let name = |index: usize| if index == keys { "set".to_owned() } else { format!("k{index}") };
    let key =
        |index: usize| (Arc::new(Column::new(&name(index), before + index)) as Arc<dyn PhysicalExpr>, name(index));
    (0..=keys).map(key).collect()
}

/// GROUPING(keys) in a set: for each key a bit that is set where the set lacks it.
fn grouping(keys: &[usize], set: &[usize]) -> i32 {
    keys.iter().fold(0, |bits, key| bits << 1 | i32::from(!set.contains(key)))
}
