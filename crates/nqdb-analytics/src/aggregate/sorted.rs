//! Aggregates over rows in an order: those with ORDER BY in their parentheses, WITHIN GROUP, `array_agg` and the like, which
//! take rows as they come, and DISTINCT over what the others cannot tell apart.
//!
//! All rows are kept, in the arrays that they came in; at the end they are brought to their groups, and each group's are
//! sorted. What is an argument and what is a key lie side by side:
//!
//! ```text
//! arguments (of WITHIN GROUP: the sorted column) | keys of ORDER BY | with DISTINCT: the arguments as keys
//! ```

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, DynComparator, make_comparator};
use arrow::compute::{SortOptions, concat, filter};
use datafusion_expr::EmitTo;
use nqdb_functions::{Aggregate, FunctionContext, OrderedSetKind, mode, percentile, percentiles};
use nqdb_sql::NoSession;
use nqdb_sqlstate::SqlError;
use nqdb_types::Datum;

use super::{Groups, argument};
use crate::buffers::Buffers;
use crate::column::{ColumnBuilder, datum_at};
use crate::expression::EvalContext;
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;

/// What a call does with its rows.
#[derive(Clone, Debug)]
pub(crate) struct Sorting {
    pub aggregate: &'static Aggregate,
    pub args: Vec<Shape>,
    /// One for each key of ORDER BY.
    pub order: Vec<SortOptions>,
    /// Of rows with equal arguments the first counts.
    pub distinct: bool,
    /// The direct arguments of WITHIN GROUP.
    pub direct: Vec<Datum>,
}

impl Sorting {
    /// By what the rows of a group are sorted.
    fn options(&self) -> Vec<SortOptions> {
        let ascending = SortOptions { descending: false, nulls_first: false };
        let of_arguments = if self.distinct { self.args.len() } else { 0 };
        self.order.iter().copied().chain(std::iter::repeat_n(ascending, of_arguments)).collect()
    }
}

pub(super) struct SortedGroups {
    sorting: Arc<Sorting>,
    result: Shape,
    cx: Arc<EvalContext>,
    /// Batches of arguments and keys, and the group of each row.
    batches: Vec<Vec<ArrayRef>>,
    group_of: Vec<u32>,
    groups: usize,
    batch_bytes: usize,
    /// What is counted in `batch_bytes`.
    counted: Buffers,
}

impl SortedGroups {
    pub fn new(sorting: Arc<Sorting>, result: Shape, cx: Arc<EvalContext>) -> SortedGroups {
        let (batches, group_of) = (Vec::new(), Vec::new());
        SortedGroups { sorting, result, cx, batches, group_of, groups: 0, batch_bytes: 0, counted: Buffers::default() }
    }

    /// All rows, in one array for each argument and key.
    fn columns(&mut self) -> Outcome<Vec<ArrayRef>> {
        let batches = std::mem::take(&mut self.batches);
        self.batch_bytes = 0;
        self.counted = Buffers::default();
        let width = batches.first().map_or(0, Vec::len);
        let column = |number: usize| {
            let arrays: Vec<&dyn Array> =
                batches.iter().filter_map(|batch| Some(batch.get(number)?.as_ref())).collect();
            Ok(concat(&arrays)?)
        };
        (0..width).map(column).collect()
    }

    /// The rows of each group one after another, in the order in which they came; and where each group's start.
    fn by_group(&mut self) -> (Vec<u32>, Vec<usize>) {
        let group_of = std::mem::take(&mut self.group_of);
        let mut starts = vec![0; self.groups + 1];
        group_of.iter().for_each(|group| starts[*group as usize + 1] += 1);
        for group in 0..self.groups {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; group_of.len()];
        for (row, group) in group_of.into_iter().enumerate() {
            let place = &mut next[group as usize];
            rows[*place] = row as u32;
            *place += 1;
        }
        (rows, starts)
    }
}

/// Says how two rows stand in the order.
struct Order {
    comparators: Vec<DynComparator>,
    /// The last so many are those of the arguments.
    arguments: usize,
}

impl Order {
    fn of(sorting: &Sorting, columns: &[ArrayRef]) -> Outcome<Order> {
        let keys = columns.iter().skip(sorting.args.len());
        let comparators = keys.zip(sorting.options());
        let comparators = comparators.map(|(key, options)| Ok(make_comparator(key.as_ref(), key.as_ref(), options)?));
        let arguments = if sorting.distinct { sorting.args.len() } else { 0 };
        Ok(Order { comparators: comparators.collect::<Outcome<Vec<_>>>()?, arguments })
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        let differences = self.comparators.iter().map(|compare| compare(left as usize, right as usize));
        differences.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Whether two rows have equal arguments.
    fn is_repeated(&self, left: u32, right: u32) -> bool {
        let mut of_arguments = self.comparators.iter().rev().take(self.arguments);
        of_arguments.all(|compare| compare(left as usize, right as usize).is_eq())
    }
}

/// A group that is being finished.
struct Group<'g> {
    sorting: &'g Sorting,
    columns: &'g [ArrayRef],
    order: &'g Order,
    cx: &'g EvalContext,
}

impl Group<'_> {
    fn finish(&self, rows: &mut [u32]) -> Outcome<Datum> {
        match (self.sorting.aggregate.ordered_set, self.sorting.direct.as_slice()) {
            (None, _) => self.accumulate(rows),
            (Some(OrderedSetKind::Mode), _) => {
                let (values, ty) = self.sorted_values(rows)?;
                Ok(mode(&values, ty))
            }
            (Some(kind), [fraction @ Datum::Array(_)]) => {
                let (values, ty) = self.sorted_values(rows)?;
                Ok(percentiles(kind, fraction, &values, ty)?)
            }
            (Some(kind), [fraction]) => self.percentile(kind, fraction, rows),
            _ => Err(SqlError::internal("a percentile without its fraction").into()),
        }
    }

    /// Only the values that are asked for are brought to their place.
    fn percentile(&self, kind: OrderedSetKind, fraction: &Datum, rows: &mut [u32]) -> Outcome<Datum> {
        let count = rows.len();
        let mut value = |place: usize| {
            let (_, row, _) = rows.select_nth_unstable_by(place, |left, right| self.order.compare(*left, *right));
            self.value(0, *row).map_err(Failure::too_late)
        };
        Ok(percentile(kind, fraction, count, &mut value)?)
    }

    fn sorted_values(&self, rows: &mut [u32]) -> Outcome<(Vec<Datum>, nqdb_types::Oid)> {
        rows.sort_unstable_by(|left, right| self.order.compare(*left, *right));
        let values = rows.iter().map(|row| self.value(0, *row)).collect::<Outcome<_>>()?;
        Ok((values, self.shape(0)?.ty.oid))
    }

    fn shape(&self, number: usize) -> Outcome<Shape> {
        let missing = || SqlError::internal("an aggregate was called without its argument");
        Ok(self.sorting.args.get(number).copied().ok_or_else(missing)?)
    }

    /// An argument in one row. There are no columns where there were no rows.
    fn value(&self, number: usize, row: u32) -> Outcome<Datum> {
        datum_at(argument(self.columns, number)?, row as usize, self.shape(number)?)
    }

    fn accumulate(&self, rows: &mut [u32]) -> Outcome<Datum> {
        if !self.order.comparators.is_empty() {
            rows.sort_by(|left, right| self.order.compare(*left, *right));
        }
        let session = NoSession::UNBOUNDED;
        let EvalContext { format, transaction_time_micros, statement_time_micros, stop } = self.cx;
        stop.check()?;
        let functions = FunctionContext::new(format, *transaction_time_micros, *statement_time_micros, &session);
        let mut accumulator = (self.sorting.aggregate.state)();
        let types: Vec<nqdb_types::Oid> = self.sorting.args.iter().map(|shape| shape.ty.oid).collect();
        accumulator.set_argument_types(&types);
        let mut args = vec![Datum::Null; self.sorting.args.len()];
        let mut before = None;
        for row in rows.iter().copied() {
            if self.sorting.distinct && before.is_some_and(|before| self.order.is_repeated(before, row)) {
                continue;
            }
            before = Some(row);
            for (number, arg) in args.iter_mut().enumerate() {
                *arg = self.value(number, row)?;
            }
            accumulator.accumulate_in(&functions, &args)?;
        }
        Ok(accumulator.finish()?)
    }
}

impl Groups for SortedGroups {
    fn resize(&mut self, groups: usize) {
        self.groups = groups;
    }

    fn update(&mut self, values: &[ArrayRef], groups: &[usize], passing: Option<&BooleanArray>) -> Outcome<()> {
        // WITHIN GROUP leaves NULLs out.
        let nulls = match self.sorting.aggregate.ordered_set {
            Some(_) => argument(values, 0)?.logical_nulls().filter(|nulls| nulls.null_count() > 0),
            None => None,
        };
        if nulls.is_none() && passing.is_none() {
            self.batch_bytes += self.counted.added_bytes_of(values);
            self.group_of.extend(groups.iter().map(|group| *group as u32));
            self.batches.push(values.to_vec());
            return Ok(());
        }
        let counts = |row: usize| {
            nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
                && passing.is_none_or(|passing| passing.is_valid(row) && passing.value(row))
        };
        let mask: BooleanArray = (0..groups.len()).map(|row| Some(counts(row))).collect();
        let kept = values.iter().map(|array| Ok(filter(array.as_ref(), &mask)?)).collect::<Outcome<Vec<ArrayRef>>>()?;
        self.batch_bytes += self.counted.added_bytes_of(&kept);
        let kept_groups = groups.iter().enumerate().filter(|(row, _)| mask.value(*row));
        self.group_of.extend(kept_groups.map(|(_, group)| *group as u32));
        self.batches.push(kept);
        Ok(())
    }

    fn merge(&mut self, _: &[ArrayRef], _: &[usize]) -> Outcome<()> {
        Err(SqlError::internal("sorted rows have no states to merge").into())
    }

    /// Groups are only taken out all at once.
    fn finish(&mut self, emit: EmitTo) -> Outcome<ArrayRef> {
        if let EmitTo::First(_) = emit {
            return Err(SqlError::internal("sorted rows were asked for some of their groups").into());
        }
        let columns = self.columns()?;
        let (mut rows, starts) = self.by_group();
        let order = Order::of(&self.sorting, &columns)?;
        let group = Group { sorting: &self.sorting, columns: &columns, order: &order, cx: &self.cx };
        let mut results = ColumnBuilder::new(self.result, self.groups);
        for (start, end) in starts.iter().zip(starts.iter().skip(1)) {
            let rows = rows.get_mut(*start..*end).unwrap_or_default();
            results.push(&group.finish(rows)?)?;
        }
        self.groups = 0;
        Ok(results.finish())
    }

    fn state(&mut self, _: EmitTo) -> Outcome<Vec<ArrayRef>> {
        Err(super::no_state())
    }

    fn size_bytes(&self) -> usize {
        // At the end each row is there once more: in one array, and by its number.
        2 * self.batch_bytes + 3 * self.group_of.capacity() * size_of::<u32>()
    }
}
