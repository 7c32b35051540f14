//! `min` and `max` of a whole table, by the ends of its indexes.
//!
//! ```text
//! SELECT min(a), max(b) FROM t WHERE ..        an aggregate over (the first row by a, the first row by b downwards)
//! ```
//!
//! PostgreSQL does the same with subqueries (`preprocess_minmax_aggregates`). Each row is one that the whole aggregate would
//! read too, and each extreme is among them, so the aggregate itself stays as it is. Taken where an index has the order of
//! every argument and that costs less than reading all rows.
//!
//! Left out: types of which equal values may look different (1.0 and 1.00): which one comes out would depend on the plan.

use nqdb_functions::Aggregate;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Type, is_enum, oid};

use super::cost;
use super::mentions::{is_volatile, split_conjuncts, subquery, visible};
use super::order::rely_on_order;
use super::relation::{Planned, Wishes, reads_one_table};
use super::slots::{Estimate, Planner};
use crate::bind::any_expression;
use crate::exec::{Bounds, Limit, Operator, SetOperation};
use crate::ir::{AggregateCall, ColumnId, Expr, ExprKind, Rel, SetKind, SortKey};

/// Arguments that are looked up one by one.
const ARGUMENTS_MAX: usize = 8;

impl Planner<'_> {
    /// The rows of `input` that have the extremes which all of the aggregates ask for; `None` where no index leads to them.
    pub(super) fn plan_extremes(
        &mut self,
        input: &Rel,
        aggregates: &[(ColumnId, AggregateCall)],
    ) -> SqlResult<Option<Planned>> {
        let mut ends: Vec<SortKey> = Vec::new();
        for (_, call) in aggregates {
            let Some(end) = end_of(call) else { return Ok(None) };
            if !ends.iter().any(|known| known.column == end.column && known.descending == end.descending) {
                ends.push(end);
            }
        }
        if ends.is_empty() || ends.len() > ARGUMENTS_MAX || !reads_one_table(input) || !is_repeatable(input) {
            return Ok(None);
        }
        let full_scans_cost = self.full_scans_cost;
        let mut rows: Option<Planned> = None;
        for end in &ends {
            let Some(row) = self.first_row(input, end)? else { return Ok(None) };
            rows = Some(match rows {
                None => row,
                Some(others) => self.one_behind_the_other(input, others, row)?,
            });
        }
        // The scans are of one table.
        self.full_scans_cost = full_scans_cost;
        Ok(rows)
    }

    /// The first row in the order of a column, by an index.
    fn first_row(&mut self, input: &Rel, end: &SortKey) -> SqlResult<Option<Planned>> {
        let column = Expr { kind: ExprKind::Column(end.column), ty: end.ty, nullable: true, position: None };
        let is_value = Expr {
            kind: ExprKind::IsNull { arg: Box::new(column), negated: true },
            ty: Type::BOOL,
            nullable: false,
            position: None,
        };
        let wishes = Wishes { order: std::slice::from_ref(end), computed: &[], rows: Some(1.0) };
        let mut planned = self.plan_rel(input, vec![is_value], wishes)?;
        if !planned.ordered {
            return Ok(None);
        }
        rely_on_order(&mut planned.node);
        let one = Expr { kind: ExprKind::Literal(Datum::Int8(1)), ty: Type::INT8, nullable: false, position: None };
        let bounds = Bounds { limit: Some(self.compile(&one)?), offset: None };
        let mut estimate = planned.estimate;
        estimate.total_cost = cost::cost_of_first(estimate, Some(1.0));
        estimate.rows = 1.0;
        let limit = Limit { input: Box::new(planned.node), bounds, ties: Box::default() };
        let node = self.node(Operator::Limit(limit), estimate);
        Ok(Some(Planned { node, estimate, ordered: true }))
    }

    /// Rows of the same columns, in the same slots.
    fn one_behind_the_other(&mut self, input: &Rel, left: Planned, right: Planned) -> SqlResult<Planned> {
        let mut ids = Vec::new();
        visible(input, &mut ids);
        let slots = self.slots(&ids)?;
        let types = ids.iter().map(|id| Ok(self.column(*id)?.1.oid)).collect::<SqlResult<Box<[_]>>>()?;
        let estimate = Estimate {
            rows: left.estimate.rows + right.estimate.rows,
            startup_cost: left.estimate.startup_cost,
            total_cost: left.estimate.total_cost + right.estimate.total_cost,
        };
        let append = SetOperation {
            kind: SetKind::Union,
            all: true,
            left: left.node,
            right: right.node,
            left_slots: slots.clone(),
            right_slots: slots.clone(),
            slots,
            types,
        };
        let node = self.node(Operator::SetOperation(Box::new(append)), estimate);
        Ok(Planned { node, estimate, ordered: false })
    }
}

/// The end of a column that an aggregate asks for; `None` for any other aggregate.
fn end_of(call: &AggregateCall) -> Option<SortKey> {
    let Aggregate { name, .. } = call.aggregate;
    let descending = match *name {
        "min" => false,
        "max" => true,
        _ => return None,
    };
    let [arg] = call.args.as_slice() else { return None };
    let mut arg = arg;
    while let ExprKind::Relabel(inner) = &arg.kind {
        arg = inner;
    }
    let ExprKind::Column(column) = arg.kind else { return None };
    let is_plain = call.filter.is_none() && call.order.is_empty() && call.direct.is_empty();
    (is_plain && equal_values_are_one(arg.ty)).then_some(SortKey {
        column,
        ty: arg.ty,
        descending,
        nulls_first: descending,
    })
}

/// Whether equal values of a type cannot be told apart.
fn equal_values_are_one(ty: Type) -> bool {
    match ty.oid {
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            true
        }
        oid::TEXT | oid::VARCHAR => true,
        // Of one scale.
        oid::NUMERIC => ty.typmod >= 0,
        // Enums.
        other => is_enum(other),
    }
}

/// Whether the conditions below say the same each time, and cost little.
fn is_repeatable(rel: &Rel) -> bool {
    let Rel::Filter { input, predicate } = rel else { return true };
    let mut conditions = Vec::new();
    split_conjuncts(predicate, &mut conditions);
    let is_simple =
        |condition: &Expr| !is_volatile(condition) && !any_expression(condition, &mut |part| subquery(part).is_some());
    conditions.iter().all(is_simple) && is_repeatable(input)
}
