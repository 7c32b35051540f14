//! Groups: in two phases where states can be merged, otherwise on streams that hold each group whole.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion_physical_expr::Partitioning;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion_physical_plan::repartition::RepartitionExec;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use nqdb_sql::ir::{AggregateCall, ColumnId, Expr, ExprKind, GroupingSets, Rel};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned, visible};
use nqdb_types::{Datum, Type};

use super::grouping_sets::Sets;
use super::{Lowered, Lowering, Sources, in_one_stream};
use crate::aggregate::{Call, Sorting, aggregate_function};
use crate::expression::{Columns, Expression};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;

/// Group keys, aggregates, and what rows each aggregate takes in.
pub(super) struct Parts {
    pub keys: Vec<(Arc<dyn PhysicalExpr>, String)>,
    pub functions: Vec<Arc<AggregateFunctionExpr>>,
    pub filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    pub mergeable: bool,
}

impl Lowering<'_> {
    pub(super) fn aggregate(
        &self,
        input: &Rel,
        keys: &[(ColumnId, Expr)],
        sets: Option<&GroupingSets>,
        aggregates: &[(ColumnId, AggregateCall)],
        needed: &ColumnSet,
    ) -> Outcome<Lowered> {
        let aggregates: Vec<&(ColumnId, AggregateCall)> =
            aggregates.iter().filter(|(id, _)| needed.contains(id) || keys.is_empty()).collect();
        let mut inner = ColumnSet::default();
        keys.iter().for_each(|(_, key)| inner.extend(mentioned(key)));
        for (_, call) in &aggregates {
            call.expressions().for_each(|expr| inner.extend(mentioned(expr)));
        }
        let takes_rows_as_they_come = aggregates.iter().any(|(_, call)| takes_rows_as_they_come(call));
        let input = match takes_rows_as_they_come {
            // In one stream they come in their order.
            true => Lowering { partitions: 1, ..*self }.relation(input, &inner)?,
            false => self.relation(input, &inner)?,
        };
        let sources = key_sources(&input.sources, keys);
        let mut places = Columns::default();
        let mut compiled = Vec::with_capacity(keys.len());
        for (index, (id, key)) in keys.iter().enumerate() {
            let key = self.compile(key, &input.columns)?;
            places.insert(*id, index, key.shape);
            compiled.push(key);
        }
        if let Some(sets) = sets {
            return self.grouping_sets(input, Sets { keys: compiled, sets }, places, &aggregates);
        }
        if compiled.iter().all(|key| key.shape.groups_by_itself())
            && let Some(argument) = distinct_argument(&aggregates)
            && let argument = self.compile(argument, &input.columns)?
            && argument.shape.groups_by_itself()
        {
            let lowered = self.distinct_aggregates(input, compiled, places, argument, &aggregates)?;
            return Ok(Lowered { sources, ..lowered });
        }
        let shapes: Vec<Shape> = compiled.iter().map(|key| key.shape).collect();
        let mut parts = self.parts(compiled, &input.schema())?;
        for ((id, key), shape) in keys.iter().zip(shapes).filter(|(_, shape)| !shape.groups_by_itself()) {
            places.insert(*id, parts.keys.len() + parts.functions.len(), shape);
            self.add_first(self.compile(key, &input.columns)?, &input, &mut parts)?;
        }
        for (id, aggregate) in aggregates {
            let index = parts.keys.len() + parts.functions.len();
            let args = aggregate.args.iter().map(|arg| self.compile(arg, &input.columns)).collect::<Outcome<_>>()?;
            let call = self.add_aggregate(aggregate, args, aggregate.distinct, &input, &mut parts)?;
            places.insert(*id, index, call.result);
        }
        Ok(Lowered { plan: group(input.plan, parts)?, columns: places, sources })
    }

    /// Aggregates of which all take in the different values of one argument: each value of a group once, by a grouping of
    /// its own, then the aggregates over these. Both can be done in phases, by all streams.
    fn distinct_aggregates(
        &self,
        input: Lowered,
        mut keys: Vec<Expression>,
        mut places: Columns,
        argument: Expression,
        aggregates: &[&(ColumnId, AggregateCall)],
    ) -> Outcome<Lowered> {
        let shape = argument.shape;
        let key_shapes: Vec<Shape> = keys.iter().map(|key| key.shape).collect();
        keys.push(argument);
        let parts = self.parts(keys, &input.schema())?;
        let plan = group(input.plan, parts)?;
        let values = Lowered { plan, columns: Columns::default(), sources: Sources::default() };
        let keys = key_shapes.iter().enumerate().map(|(index, shape)| Expression::column(index, *shape)).collect();
        let mut parts = self.parts(keys, &values.schema())?;
        for (id, aggregate) in aggregates {
            let index = parts.keys.len() + parts.functions.len();
            let value = Expression::column(key_shapes.len(), shape);
            let call = self.add_aggregate(aggregate, vec![value], false, &values, &mut parts)?;
            places.insert(*id, index, call.result);
        }
        Ok(Lowered { plan: group(values.plan, parts)?, columns: places, sources: Sources::default() })
    }

    /// Groups by these keys, without aggregates. A key that does not group by itself is replaced by one that does.
    pub(super) fn parts(&self, keys: Vec<Expression>, schema: &Schema) -> Outcome<Parts> {
        let columns = Columns::default();
        let keys = keys.into_iter().enumerate().map(|(index, key)| {
            let key = if key.shape.groups_by_itself() { key } else { self.compiler(&columns).key(key) };
            (self.physical(key, schema), format!("k{index}"))
        });
        Ok(Parts { keys: keys.collect(), functions: Vec::new(), filters: Vec::new(), mergeable: true })
    }

    /// Adds the first value of each group.
    pub(super) fn add_first(&self, value: Expression, input: &Lowered, parts: &mut Parts) -> Outcome<()> {
        let call = Call::first(value.shape);
        let value = self.physical(value, &input.schema());
        self.add_call(call, vec![value], None, input, parts)
    }

    pub(super) fn add_aggregate(
        &self,
        aggregate: &AggregateCall,
        mut args: Vec<Expression>,
        distinct: bool,
        input: &Lowered,
        parts: &mut Parts,
    ) -> Outcome<Call> {
        let schema = input.schema();
        let shapes: Vec<Shape> = args.iter().map(|arg| arg.shape).collect();
        let is_plain = aggregate.order.is_empty() && aggregate.aggregate.ordered_set.is_none();
        let known = match is_plain {
            true => Call::new(aggregate.aggregate, shapes, aggregate.ty, distinct),
            false => Err(Failure::Declined("an aggregate over rows in order")),
        };
        let call = match known {
            Ok(call) => call,
            Err(Failure::Declined(_)) => {
                let (sorting, sorted) = self.sorting(aggregate, args, distinct, input)?;
                args = sorted;
                Call::sorted(sorting, aggregate.ty)
            }
            Err(error) => return Err(error),
        };
        if call.may_decline {
            self.constants.may_decline.set(true);
        }
        if args.is_empty() {
            args.push(Expression::constant(Datum::Bool(true), Type::BOOL));
        }
        let args = args.into_iter().map(|arg| self.physical(arg, &schema)).collect();
        let filter = match &aggregate.filter {
            Some(filter) => Some(self.physical(self.compile(filter, &input.columns)?, &schema)),
            None => None,
        };
        self.add_call(call.clone(), args, filter, input, parts)?;
        Ok(call)
    }

    pub(super) fn add_call(
        &self,
        call: Call,
        args: Vec<Arc<dyn PhysicalExpr>>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        input: &Lowered,
        parts: &mut Parts,
    ) -> Outcome<()> {
        parts.mergeable &= call.is_mergeable();
        let name = format!("a{}", parts.functions.len());
        parts.functions.push(aggregate_function(call, &self.constants.cx, args, input.schema(), name)?);
        parts.filters.push(filter);
        Ok(())
    }

    /// How an aggregate's rows are sorted, and what is kept of each: arguments, then keys.
    fn sorting(
        &self,
        aggregate: &AggregateCall,
        args: Vec<Expression>,
        distinct: bool,
        input: &Lowered,
    ) -> Outcome<(Sorting, Vec<Expression>)> {
        let compiler = self.compiler(&input.columns);
        let compile = |expr: &Expr| compiler.compile(expr);
        let mut kept = match aggregate.aggregate.ordered_set {
            Some(kind) if kind.is_hypothetical() => return Err(Failure::Declined("a hypothetical row")),
            Some(_) => aggregate.order.iter().map(|key| compile(&key.expr)).collect::<Outcome<Vec<_>>>()?,
            None => args,
        };
        let shapes = kept.iter().map(|arg| arg.shape).collect();
        for key in &aggregate.order {
            kept.push(compiler.key(compile(&key.expr)?));
        }
        for arg in aggregate.args.iter().filter(|_| distinct) {
            kept.push(compiler.key(compile(arg)?));
        }
        let direct = aggregate.direct.iter().map(|arg| self.constants.value_of(arg));
        let order = aggregate.order.iter();
        let sorting = Sorting {
            aggregate: aggregate.aggregate,
            args: shapes,
            order: order.map(|key| SortOptions { descending: key.descending, nulls_first: key.nulls_first }).collect(),
            distinct,
            direct: direct.collect::<Outcome<Vec<Datum>>>()?,
        };
        Ok((sorting, kept))
    }

    /// The first row of each combination of `on`; where nothing else is asked of the rows any is the first.
    pub(super) fn distinct(&self, input: &Rel, on: &[ColumnId], needed: &ColumnSet) -> Outcome<Lowered> {
        let mut columns = Vec::new();
        visible(input, &mut columns);
        if columns.iter().any(|column| needed.contains(column) && !on.contains(column)) {
            return self.first_of_each(input, on, needed);
        }
        let lowered = self.relation(input, &on.iter().copied().collect())?;
        self.distinct_rows(lowered, on)
    }

    /// Each combination of these columns once.
    pub(super) fn distinct_rows(&self, input: Lowered, on: &[ColumnId]) -> Outcome<Lowered> {
        let mut places = Columns::default();
        let mut keys = Vec::with_capacity(on.len());
        for (place, id) in on.iter().enumerate() {
            let (index, shape) = input.columns.get(*id).ok_or(super::OUTER_COLUMN)?;
            places.insert(*id, place, shape);
            keys.push(Expression::column(index, shape));
        }
        if keys.is_empty() {
            return Err(super::NO_COLUMNS);
        }
        let mut parts = self.parts(keys, &input.schema())?;
        for id in on {
            let (index, shape) = input.columns.get(*id).ok_or(super::OUTER_COLUMN)?;
            if !shape.groups_by_itself() {
                places.insert(*id, parts.keys.len() + parts.functions.len(), shape);
                self.add_first(Expression::column(index, shape), &input, &mut parts)?;
            }
        }
        let sources = on.iter().filter_map(|id| Some((*id, input.sources.get(id)?.clone()))).collect();
        Ok(Lowered { plan: group(input.plan, parts)?, columns: places, sources })
    }
}

/// The keys that are columns of scans: without the rows of some values, just the groups of these are missing.
fn key_sources(input: &Sources, keys: &[(ColumnId, Expr)]) -> Sources {
    let source = |(id, key): &(ColumnId, Expr)| match &key.kind {
        ExprKind::Column(column) => Some((*id, input.get(column)?.clone())),
        _ => None,
    };
    keys.iter().filter_map(source).collect()
}

/// Whether an aggregate depends on how its rows come, beyond the last digits of a float.
fn takes_rows_as_they_come(call: &AggregateCall) -> bool {
    let name = call.aggregate.name;
    let collects = name.ends_with("_agg");
    collects && call.order.is_empty() && !call.distinct
}

/// The argument whose different values all aggregates take in, if that is so: any one for a single aggregate, the same column
/// for several.
fn distinct_argument<'e>(aggregates: &[&'e (ColumnId, AggregateCall)]) -> Option<&'e Expr> {
    let ((_, first), others) = aggregates.split_first()?;
    let first = single_distinct(first)?;
    let is_same =
        |(_, call): &&(ColumnId, AggregateCall)| match (single_distinct(call).map(|arg| &arg.kind), &first.kind) {
            (Some(ExprKind::Column(other)), ExprKind::Column(first)) => other == first,
            _ => false,
        };
    others.iter().all(is_same).then_some(first)
}

/// The argument of an aggregate with DISTINCT and nothing else.
fn single_distinct(call: &AggregateCall) -> Option<&Expr> {
    match call.args.as_slice() {
        [argument] if call.distinct && call.filter.is_none() => Some(argument),
        _ => None,
    }
}

/// The operators of an aggregation.
pub(super) fn group(input: Arc<dyn ExecutionPlan>, parts: Parts) -> Outcome<Arc<dyn ExecutionPlan>> {
    let Parts { keys, functions, filters, mergeable } = parts;
    let partitions = input.output_partitioning().partition_count();
    let schema = input.schema();
    let has_keys = !keys.is_empty();
    let group_by = PhysicalGroupBy::new_single(keys.clone());
    if partitions == 1 || (!mergeable && !has_keys) {
        let input = in_one_stream(input);
        let plan = AggregateExec::try_new(AggregateMode::Single, group_by, functions, filters, input, schema)?;
        return Ok(Arc::new(plan));
    }
    if !mergeable {
        let by = keys.into_iter().map(|(key, _)| key).collect();
        let input = Arc::new(RepartitionExec::try_new(input, Partitioning::Hash(by, partitions))?);
        let mode = AggregateMode::SinglePartitioned;
        return Ok(Arc::new(AggregateExec::try_new(mode, group_by, functions, filters, input, schema)?));
    }
    let no_filters = vec![None; functions.len()];
    let partial =
        AggregateExec::try_new(AggregateMode::Partial, group_by, functions.clone(), filters, input, schema.clone())?;
    let final_group_by = partial.group_expr().as_final();
    let partial: Arc<dyn ExecutionPlan> = Arc::new(partial);
    let (mode, input): (AggregateMode, Arc<dyn ExecutionPlan>) = if has_keys {
        let by = keys
            .iter()
            .enumerate()
            .map(|(index, (_, name))| Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>);
        let spread = RepartitionExec::try_new(partial, Partitioning::Hash(by.collect(), partitions))?;
        (AggregateMode::FinalPartitioned, Arc::new(spread))
    } else {
        (AggregateMode::Final, in_one_stream(partial))
    };
    Ok(Arc::new(AggregateExec::try_new(mode, final_group_by, functions, no_filters, input, schema)?))
}
