//! Window functions: a sort by partition and order, and the operator above it.

use nqdb_sqlstate::{SqlError, SqlResult};

use super::cost;
use super::mentions::{Columns, mentioned, visible};
use super::order::starts_with;
use super::relation::{Planned, Wishes};
use super::slots::Planner;
use crate::exec::{Operator, SortColumn, Window, WindowCall, WindowOffset, WindowWork};
use crate::ir::{self, ColumnId, Expr, Rel, SortKey, WindowCallee};

impl Planner<'_> {
    pub fn plan_window(&mut self, rel: &Rel, conditions: Vec<Expr>, wishes: Wishes<'_>) -> SqlResult<Planned> {
        let Rel::Window { input, partition, order, calls } = rel else {
            return Err(SqlError::internal("not a window"));
        };
        let mut inside = Vec::new();
        visible(rel, &mut inside);
        let shared: Columns = partition.iter().map(|key| key.column).collect();
        // Whole partitions may go before the functions see them, single rows may not.
        let (below, above): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(|condition| {
            mentioned(condition).iter().all(|column| shared.contains(column) || !inside.contains(column))
        });
        let keys = sort_keys(partition, order);
        let planned = if keys.is_empty() {
            self.plan_rel(input, below, Wishes::default())?
        } else {
            self.plan_sort(input, &keys, below, Wishes::default())?
        };
        let mut ids = Vec::new();
        visible(input, &mut ids);
        ids.sort_unstable();
        ids.dedup();
        let slots = self.slots(&ids)?;
        let order_columns = order.iter().map(|key| sort_column(key, &ids)).collect::<SqlResult<Box<_>>>()?;
        let partition_columns = partition
            .iter()
            .map(|key| Ok((position_of(key.column, &ids)?, key.ty.oid)))
            .collect::<SqlResult<Box<_>>>()?;
        let calls = calls
            .iter()
            .map(|(id, call)| self.compile_window_call(*id, call))
            .collect::<SqlResult<Box<[WindowCall]>>>()?;
        let mut estimate = planned.estimate;
        estimate.total_cost += estimate.rows * cost::OPERATOR * calls.len() as f64;
        let window = Window { input: planned.node, slots, partition: partition_columns, order: order_columns, calls };
        let node = self.node(Operator::Window(Box::new(window)), estimate);
        let ordered = starts_with(&keys, wishes.order);
        self.filtered(Planned { node, estimate, ordered }, &above)
    }

    fn compile_window_call(&mut self, id: ColumnId, call: &ir::WindowCall) -> SqlResult<WindowCall> {
        let work = match call.callee {
            WindowCallee::Function(function) => WindowWork::Function(function.kind),
            WindowCallee::Aggregate(aggregate) => WindowWork::Aggregate(aggregate),
        };
        let frame = call.frame.evaluable().try_map(|offset, _| {
            Ok::<_, SqlError>(WindowOffset { distance: self.compile(&offset.expr)?, in_range: offset.in_range })
        })?;
        self.name_window_call(id, call);
        Ok(WindowCall {
            work,
            args: self.compile_all(&call.args)?,
            arg_types: call.args.iter().map(|arg| arg.ty.oid).collect(),
            filter: call.filter.as_ref().map(|filter| self.compile(filter)).transpose()?,
            frame,
            slot: self.define(id, call.ty),
        })
    }
}

/// The keys of the sort below: partition, then order, each column once.
fn sort_keys(partition: &[SortKey], order: &[SortKey]) -> Vec<SortKey> {
    let mut keys: Vec<SortKey> = Vec::with_capacity(partition.len() + order.len());
    for key in partition.iter().chain(order) {
        if !keys.iter().any(|known| known.column == key.column) {
            keys.push(key.clone());
        }
    }
    keys
}

fn position_of(column: ColumnId, ids: &[ColumnId]) -> SqlResult<usize> {
    ids.binary_search(&column).map_err(|_| SqlError::internal("a window's key is not a column of its input"))
}

fn sort_column(key: &SortKey, ids: &[ColumnId]) -> SqlResult<SortColumn> {
    Ok(SortColumn {
        position: position_of(key.column, ids)?,
        type_oid: key.ty.oid,
        descending: key.descending,
        nulls_first: key.nulls_first,
    })
}
