//! Rows that an aggregate takes in sorted: ORDER BY and DISTINCT inside of it, and WITHIN GROUP.
//!
//! A kept row is the call's arguments, then its sort keys. Ordered-set aggregates have no arguments: what they work on
//! is their keys.

use std::cmp::Ordering;

use nqdb_functions::{Accumulator, OrderedSetKind, Placement, mode, percentiles, place};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid};

use super::Call;
use crate::exec::expression::Eval;
use crate::exec::runtime::Runtime;
use crate::exec::sort::SortColumn;

/// Rows that are sorted between two looks at the cancel flag.
const RUN_ROWS: usize = 50_000;

/// A key of the order inside an aggregate.
#[derive(Clone, Debug)]
pub(crate) struct OrderKey {
    pub value: Eval,
    pub type_oid: Oid,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Default)]
pub(super) struct SortedRows {
    values: Vec<Datum>,
    rows: usize,
}

impl SortedRows {
    /// Keeps a row; gives the bytes that were charged for it.
    pub fn push(&mut self, row: &[Datum], rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        let bytes = row.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>() + size_of::<usize>();
        rt.charge(bytes)?;
        self.values.extend_from_slice(row);
        self.rows += 1;
        Ok(bytes)
    }

    /// The result of the call over the rows, in their order.
    pub fn finish(&self, call: &Call, accumulator: &mut dyn Accumulator, rt: &mut Runtime<'_, '_>) -> SqlResult<Datum> {
        let columns = sort_columns(call);
        let order = self.sorted(call, &columns, rt)?;
        if let Some(kind) = call.aggregate.ordered_set {
            let direct = call.direct.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
            return self.ordered_set(kind, &direct, &columns, &order);
        }
        for number in order {
            accumulator.accumulate_in(&rt.cx.functions, &self.row(number, call)[..call.args.len()])?;
        }
        accumulator.finish()
    }

    fn row(&self, number: usize, call: &Call) -> &[Datum] {
        let width = call.args.len() + call.order.len();
        &self.values[number * width..(number + 1) * width]
    }

    /// The numbers of the rows in their order.
    fn sorted(&self, call: &Call, columns: &[SortColumn], rt: &Runtime<'_, '_>) -> SqlResult<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.rows).collect();
        let by = |left: &usize, right: &usize| compare(columns, self.row(*left, call), self.row(*right, call));
        // Runs first, with looks at the cancel flag; the last sort only merges them.
        if order.len() > RUN_ROWS {
            for run in order.chunks_mut(RUN_ROWS) {
                rt.cx.functions.session.check_interruption()?;
                run.sort_by(by);
            }
        }
        order.sort_by(by);
        Ok(order)
    }

    fn ordered_set(
        &self,
        kind: OrderedSetKind,
        direct: &[Datum],
        columns: &[SortColumn],
        order: &[usize],
    ) -> SqlResult<Datum> {
        let width = columns.len();
        let row = |number: usize| &self.values[number * width..(number + 1) * width];
        if kind.is_hypothetical() {
            return Ok(place(kind, placement(direct, columns, order.iter().map(|number| row(*number)))));
        }
        let [column] = columns else { return Err(SqlError::internal("an ordered-set aggregate without its key")) };
        let values: Vec<Datum> =
            order.iter().filter_map(|number| row(*number).first()).filter(|value| !value.is_null()).cloned().collect();
        match (kind, direct) {
            (OrderedSetKind::Mode, _) => Ok(mode(&values, column.type_oid)),
            (kind, [fractions]) => percentiles(kind, fractions, &values, column.type_oid),
            _ => Err(SqlError::internal("a percentile without its fraction")),
        }
    }
}

/// By what the rows are sorted: the keys, then for DISTINCT the arguments.
fn sort_columns(call: &Call) -> Vec<SortColumn> {
    let width = call.args.len();
    let keys = call.order.iter().enumerate().map(|(number, key)| SortColumn {
        position: width + number,
        type_oid: key.type_oid,
        descending: key.descending,
        nulls_first: key.nulls_first,
    });
    let args = call.arg_types.iter().enumerate().filter(|_| call.distinct).map(|(position, type_oid)| SortColumn {
        position,
        type_oid: *type_oid,
        descending: false,
        nulls_first: false,
    });
    keys.chain(args).collect()
}

fn compare(columns: &[SortColumn], left: &[Datum], right: &[Datum]) -> Ordering {
    let differences = columns.iter().map(|column| column.compare(left, right));
    differences.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

/// Where a row would stand among sorted ones.
fn placement<'r>(
    hypothetical: &[Datum],
    columns: &[SortColumn],
    sorted: impl Iterator<Item = &'r [Datum]>,
) -> Placement {
    let mut found = Placement { rows: 0, before: 0, before_distinct: 0, not_after: 0 };
    let mut previous: Option<&[Datum]> = None;
    for row in sorted {
        found.rows += 1;
        let ordering = compare(columns, row, hypothetical);
        found.not_after += usize::from(ordering.is_le());
        if ordering.is_lt() {
            found.before += 1;
            found.before_distinct += usize::from(previous.is_none_or(|before| compare(columns, before, row).is_ne()));
        }
        previous = Some(row);
    }
    found
}
