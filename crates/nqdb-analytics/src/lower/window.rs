//! Window functions: partitions each in one stream, sorted; then the operator.
//!
//! A sort that the input has already had, for another window, is not made again.

use std::sync::Arc;

use datafusion_physical_expr::Partitioning;
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::repartition::RepartitionExec;
use datafusion_physical_plan::sorts::sort::SortExec;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use nqdb_functions::WindowKind;
use nqdb_sql::ir::{self, ColumnId, Expr, Rel, SortKey, WindowCallee};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned};
use nqdb_sql::rewrite::estimate;
use nqdb_sql::window::{Distance, checked_distance};
use nqdb_sqlstate::SqlError;
use nqdb_types::{Datum, Type};

use super::join::is_harmless;
use super::sort::merged;
use super::{Lowered, Lowering, Sources, in_one_stream};
use crate::aggregate::Call;
use crate::expression::{Comparison, Expression, Node, aligned};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;
use crate::window::{KeyColumn, WindowCall, WindowExec, WindowParts, Work};

/// What stands behind OVER, and the calls.
#[derive(Clone, Copy)]
pub(super) struct Over<'r> {
    pub partition: &'r [SortKey],
    pub order: &'r [SortKey],
    pub calls: &'r [(ColumnId, ir::WindowCall)],
}

impl Over<'_> {
    /// Whether a condition takes partitions or leaves them, as a whole.
    pub fn selects_partitions(&self, condition: &Expr) -> bool {
        let is_of_partition = |id: &ColumnId| self.partition.iter().any(|key| key.column == *id);
        is_harmless(condition) && mentioned(condition).iter().all(is_of_partition)
    }

    /// By what its streams are sorted: partition, then order, each column once.
    fn keys(&self) -> Vec<SortKey> {
        let mut keys: Vec<SortKey> = Vec::with_capacity(self.partition.len() + self.order.len());
        for key in self.partition.iter().chain(self.order) {
            if !keys.iter().any(|known| known.column == key.column) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// Whether what another window has sorted serves this one.
    fn is_served_by(&self, other: Over<'_>) -> bool {
        let is_same = |(a, b): (&SortKey, &SortKey)| {
            a.column == b.column && a.descending == b.descending && a.nulls_first == b.nulls_first
        };
        let (keys, others) = (self.keys(), other.keys());
        // Rows of one partition are in one stream, if they are of one partition there.
        let is_together = other.partition.iter().all(|key| self.partition.iter().any(|own| own.column == key.column));
        let is_spread_alike = is_together && (self.partition.is_empty() == other.partition.is_empty());
        is_spread_alike && keys.len() <= others.len() && keys.iter().zip(&others).all(is_same)
    }
}

/// The window whose rows these are, as they came out of it.
fn window_below(rel: &Rel) -> Option<Over<'_>> {
    match rel {
        Rel::Window { partition, order, calls, .. } => Some(Over { partition, order, calls }),
        Rel::Filter { input, .. } | Rel::Extend { input, .. } => window_below(input),
        _ => None,
    }
}

/// The arguments of lag and lead, value and default in arrays of one kind.
fn with_default(args: Vec<Expression>, ty: Type) -> (Vec<Expression>, Shape) {
    let mut args = args.into_iter();
    let (value, distance, default) = (args.next(), args.next(), args.next());
    let (values, shape) = aligned(value.into_iter().chain(default).collect(), ty);
    let mut values = values.into_iter();
    let value = values.next();
    (value.into_iter().chain(distance).chain(values).collect(), shape)
}

fn no_argument() -> SqlError {
    SqlError::internal("a window function was called without its argument")
}

impl Lowering<'_> {
    /// A relation with the columns of window functions; `below` and `above` are conditions on its input and its rows.
    pub(super) fn window(
        &self,
        input: &Rel,
        over: Over<'_>,
        below: Vec<Expr>,
        above: Vec<Expr>,
        needed: &ColumnSet,
    ) -> Outcome<Lowered> {
        let mut outside = needed.clone();
        above.iter().for_each(|condition| outside.extend(mentioned(condition)));
        let mut inside = outside.clone();
        inside.extend(over.partition.iter().chain(over.order).map(|key| key.column));
        let calls: Vec<&(ColumnId, ir::WindowCall)> =
            over.calls.iter().filter(|(id, _)| outside.contains(id)).collect();
        for (_, call) in &calls {
            call.expressions().for_each(|expr| inside.extend(mentioned(expr)));
        }
        let lowered = self.filtered(input, below, &inside)?;
        let is_sorted = window_below(input).is_some_and(|other| over.is_served_by(other));
        let sorted = if is_sorted { lowered } else { self.partitioned(lowered, over, estimate(input).rows)? };
        let windowed = self.windowed(sorted, over, &calls)?;
        self.filter(windowed, &above)
    }

    /// The rows of each partition in one stream, in order.
    fn partitioned(&self, input: Lowered, over: Over<'_>, rows: f64) -> Outcome<Lowered> {
        let Some(ordering) = self.ordering(&input, &over.keys())? else {
            return Ok(Lowered { plan: in_one_stream(input.plan), ..input });
        };
        let streams = input.plan.output_partitioning().partition_count().max(self.partitions_for(rows as u64));
        let sort = |plan| SortExec::new(ordering.clone(), plan).with_preserve_partitioning(true);
        let plan: Arc<dyn ExecutionPlan> = if over.partition.is_empty() {
            merged(ordering.clone(), Arc::new(sort(input.plan)), None)
        } else if streams == 1 {
            Arc::new(sort(input.plan))
        } else {
            let by = self.ordering(&input, over.partition)?.iter().flatten().map(|key| key.expr.clone()).collect();
            Arc::new(sort(Arc::new(RepartitionExec::try_new(input.plan, Partitioning::Hash(by, streams))?)))
        };
        Ok(Lowered { plan, columns: input.columns, sources: input.sources })
    }

    /// DISTINCT ON: the first row of each combination of columns that the order begins with.
    pub(super) fn first_of_each(&self, input: &Rel, on: &[ColumnId], needed: &ColumnSet) -> Outcome<Lowered> {
        let Rel::Sort { keys, .. } = input else {
            return Err(Failure::Declined("DISTINCT ON rows in no order"));
        };
        let partition: Vec<SortKey> = keys.iter().filter(|key| on.contains(&key.column)).cloned().collect();
        let begins = keys.iter().take(on.len()).all(|key| on.contains(&key.column));
        if partition.len() != on.len() || !begins {
            return Err(Failure::Declined("DISTINCT ON rows in another order"));
        }
        let mut inner = needed.clone();
        inner.extend(on.iter().copied());
        let sorted = self.relation(input, &inner)?;
        let number = WindowCall {
            work: Work::Function(WindowKind::RowNumber),
            args: Vec::new(),
            filter: None,
            frame: ir::Frame::unstated().evaluable().try_map(|_, _| Err(no_argument()))?,
            result: Shape::INT8,
        };
        let parts = WindowParts {
            partition: self.ordering(&sorted, &partition)?.iter().flatten().map(|key| key.expr.clone()).collect(),
            order: Vec::new(),
            range_key: None,
            calls: vec![number],
            cx: self.constants.cx.clone(),
        };
        let is_first = Node::Compare {
            comparison: Comparison::Equal,
            args: Box::new([
                Expression::column(sorted.width(), Shape::INT8),
                Expression::constant(Datum::Int8(1), Type::INT8),
            ]),
        };
        let is_first = Expression { node: is_first, shape: Shape::BOOL, can_fail: false };
        let numbered = Arc::new(WindowExec::new(sorted.plan, Arc::new(parts)));
        let is_first = self.physical(is_first, &numbered.schema());
        let plan = Arc::new(FilterExec::try_new(is_first, numbered)?);
        Ok(Lowered { plan, columns: sorted.columns, sources: Sources::default() })
    }

    /// The operator over sorted partitions.
    fn windowed(&self, input: Lowered, over: Over<'_>, calls: &[&(ColumnId, ir::WindowCall)]) -> Outcome<Lowered> {
        let schema = input.schema();
        let keys = |keys: &[SortKey]| {
            let ordering = self.ordering(&input, keys)?;
            Ok::<_, Failure>(ordering.iter().flatten().map(|key| key.expr.clone()).collect())
        };
        let (partition, order) = (keys(over.partition)?, keys(over.order)?);
        let mut columns = input.columns.clone();
        let mut compiled = Vec::with_capacity(calls.len());
        let mut measures = false;
        for (id, call) in calls {
            let call = self.window_call(call, &input)?;
            measures |= call.frame.has_distances_in_range();
            columns.insert(*id, input.width() + compiled.len(), call.result);
            compiled.push(call);
        }
        let range_key = match over.order {
            [key] if measures => {
                let (index, shape) = input.columns.get(key.column).ok_or(super::OUTER_COLUMN)?;
                let value = self.physical(Expression::column(index, shape), &schema);
                Some(KeyColumn { value, shape, descending: key.descending, nulls_first: key.nulls_first })
            }
            _ => None,
        };
        // Without the rows of some values of its partition, just these partitions are missing.
        let is_of_partition = |id: &ColumnId| over.partition.iter().any(|key| key.column == *id);
        let sources = input.sources.into_iter().filter(|(id, _)| is_of_partition(id)).collect();
        if compiled.is_empty() {
            return Ok(Lowered { plan: input.plan, columns, sources });
        }
        let parts = WindowParts { partition, order, range_key, calls: compiled, cx: self.constants.cx.clone() };
        Ok(Lowered { plan: Arc::new(WindowExec::new(input.plan, Arc::new(parts))), columns, sources })
    }

    fn window_call(&self, call: &ir::WindowCall, input: &Lowered) -> Outcome<WindowCall> {
        let schema = input.schema();
        let frame = call.frame.evaluable().try_map(|offset, side| {
            let value = checked_distance(self.constants.value_of(&offset.expr)?, call.frame.unit, side)?;
            Ok::<_, Failure>(Distance { value, in_range: offset.in_range })
        })?;
        let args = call.args.iter().map(|arg| self.compile(arg, &input.columns)).collect::<Outcome<Vec<_>>>()?;
        let (work, args, result) = match call.callee {
            WindowCallee::Function(function) => {
                if !function.kind.reads_frame() && frame.has_distances_in_range() {
                    return Err(Failure::Declined("a frame that is only checked"));
                }
                let (args, result) = match function.kind {
                    WindowKind::Lag | WindowKind::Lead => with_default(args, call.ty),
                    WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                        let value = args.first().map(|arg| arg.shape).ok_or_else(no_argument)?;
                        (args, Shape { ty: call.ty, repr: value.repr })
                    }
                    _ => (args, Shape::of_type(call.ty)),
                };
                (Work::Function(function.kind), args, result)
            }
            WindowCallee::Aggregate(aggregate) => {
                let shapes = args.iter().map(|arg| arg.shape).collect();
                match Call::new(aggregate, shapes, call.ty, false) {
                    Ok(known) => {
                        if known.may_decline {
                            self.constants.may_decline.set(true);
                        }
                        let result = known.result;
                        (Work::Aggregate(known), args, result)
                    }
                    Err(Failure::Declined(_)) => (Work::Other(aggregate), args, Shape::of_type(call.ty)),
                    Err(error) => return Err(error),
                }
            }
        };
        let filter = match &call.filter {
            Some(filter) => Some(self.physical(self.compile(filter, &input.columns)?, &schema)),
            None => None,
        };
        let args = args.into_iter().map(|arg| {
            let shape = arg.shape;
            (self.physical(arg, &schema), shape)
        });
        Ok(WindowCall { work, args: args.collect(), filter, frame, result })
    }
}
