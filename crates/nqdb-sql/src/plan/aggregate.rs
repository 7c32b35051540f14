//! GROUP BY and aggregates: the grouping sets, and how each call takes its rows in.

use nqdb_functions::Aggregate;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::oid;

use super::cost;
use super::mentions::Columns;
use super::relation::{Planned, Wishes, plain_copies, push_down};
use super::slots::{Estimate, Planner};
use crate::exec::{Aggregation, Call, Eval, KeySet, Operator, OrderKey, Slot};
use crate::ir::{AggregateCall, ColumnId, Expr, GroupingSets, Rel};

impl Planner<'_> {
    pub fn plan_aggregate(&mut self, rel: &Rel, conditions: Vec<Expr>) -> SqlResult<Planned> {
        let Rel::Aggregate { input, keys, sets, aggregates } = rel else {
            return Err(SqlError::internal("not a grouping"));
        };
        let mut defined: Columns = keys.iter().map(|(id, _)| *id).collect();
        defined.extend(aggregates.iter().map(|(id, _)| *id));
        let (below, above) = if keys.is_empty() || sets.is_some() {
            (Vec::new(), conditions)
        } else {
            push_down(conditions, &plain_copies(keys), &defined)
        };
        let extremes = if keys.is_empty() && sets.is_none() { self.plan_extremes(input, aggregates)? } else { None };
        let mut planned = self.plan_rel(input, below, Wishes::default())?;
        if let Some(extremes) = extremes.filter(|rows| rows.estimate.total_cost < planned.estimate.total_cost) {
            planned = extremes;
        }
        let mut key_slots = Vec::with_capacity(keys.len());
        for (id, expr) in keys {
            let value = self.compile(expr)?;
            self.name_as(*id, expr);
            key_slots.push((self.define(*id, expr.ty), value));
        }
        let calls = self.compile_aggregates(aggregates)?;
        let written_sets = sets.as_ref().map(|sets| sets.sets.as_slice());
        let sets = self.key_sets(keys, &key_slots, sets.as_ref());
        let rows = match &self.statistics {
            _ if keys.is_empty() => 1.0,
            Some(statistics) => {
                statistics.group_rows(planned.estimate.rows, keys.iter().map(|(_, expr)| expr)).max(1.0)
            }
            None => (planned.estimate.rows / 10.0).max(1.0),
        } * sets.len() as f64;
        let work = planned.estimate.rows * cost::OPERATOR * (keys.len() + calls.len()) as f64 * sets.len() as f64;
        let startup_cost = planned.estimate.total_cost + work;
        let estimate = Estimate { rows, startup_cost, total_cost: startup_cost + rows * 0.01 };
        let ordered = keys.is_empty() && sets.len() == 1;
        let aggregation = Aggregation { input: planned.node, keys: key_slots.into(), sets, calls };
        let mut node = self.node(Operator::Aggregation(Box::new(aggregation)), estimate);
        match written_sets {
            Some(written) => self.note_grouping_sets(&mut node, keys, written),
            None => self.note_expressions(&mut node, "Group Key", keys.iter().map(|(_, expr)| expr)),
        }
        self.filtered(Planned { node, estimate, ordered }, &above)
    }

    fn compile_aggregates(&mut self, aggregates: &[(ColumnId, AggregateCall)]) -> SqlResult<Box<[Call]>> {
        let mut calls = Vec::with_capacity(aggregates.len());
        for (id, call) in aggregates {
            calls.push(Call {
                aggregate: call.aggregate,
                args: self.compile_all(&call.args)?,
                arg_types: call.args.iter().map(|arg| arg.ty.oid).collect(),
                distinct: call.distinct,
                sorts: !call.order.is_empty() || (call.distinct && order_shows(call.aggregate)),
                order: self.compile_order(call)?,
                direct: self.compile_all(&call.direct)?,
                filter: call.filter.as_ref().map(|filter| self.compile(filter)).transpose()?,
                slot: self.define(*id, call.ty),
            });
            self.name_aggregate(*id, call);
        }
        Ok(calls.into())
    }

    fn compile_order(&mut self, call: &AggregateCall) -> SqlResult<Box<[OrderKey]>> {
        let keys = call.order.iter().map(|key| {
            Ok(OrderKey {
                value: self.compile(&key.expr)?,
                type_oid: key.expr.ty.oid,
                descending: key.descending,
                nulls_first: key.nulls_first,
            })
        });
        keys.collect()
    }

    /// The grouping sets, one of all keys where there are none.
    fn key_sets(
        &mut self,
        keys: &[(ColumnId, Expr)],
        slots: &[(Slot, Eval)],
        sets: Option<&GroupingSets>,
    ) -> Box<[KeySet]> {
        let all: Vec<usize> = (0..keys.len()).collect();
        let type_of = |position: &usize| keys.get(*position).map_or(oid::TEXT, |(_, expr)| expr.ty.oid);
        let Some(GroupingSets { sets, groupings }) = sets else {
            let types = all.iter().map(type_of).collect();
            let set = KeySet { positions: all.into(), types, missing: Box::default(), groupings: Box::default() };
            return Box::new([set]);
        };
        let groupings: Vec<(Slot, &Vec<usize>)> = groupings
            .iter()
            .map(|(id, args)| {
                let slot = self.define(*id, nqdb_types::Type::INT4);
                self.name(*id, None, "GROUPING");
                (slot, args)
            })
            .collect();
        let key_set = |set: &Vec<usize>| {
            let bits = |args: &[usize]| args.iter().fold(0, |bits, key| bits * 2 + i32::from(!set.contains(key)));
            KeySet {
                positions: set.clone().into(),
                types: set.iter().map(type_of).collect(),
                missing: slots
                    .iter()
                    .enumerate()
                    .filter(|(position, _)| !set.contains(position))
                    .map(|(_, (slot, _))| *slot)
                    .collect(),
                groupings: groupings.iter().map(|(slot, args)| (*slot, bits(args))).collect(),
            }
        };
        sets.iter().map(key_set).collect()
    }
}

/// Whether the order of its rows shows in an aggregate's result. DISTINCT sorts in PostgreSQL.
fn order_shows(aggregate: &Aggregate) -> bool {
    !matches!(aggregate.returns, oid::BOOL | oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC | oid::INTERVAL)
}
