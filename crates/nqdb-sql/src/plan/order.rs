//! Which order a plan gives, and who relies on it without sorting.

use crate::exec::{Operator, PlanNode};
use crate::ir::SortKey;

/// Tells the joins of a plan that the order of their left sides counts: they keep it in memory for free, but not in files.
pub(super) fn rely_on_order(node: &mut PlanNode) {
    match &mut node.operator {
        Operator::HashJoin(join) => {
            join.keeps_order = true;
            rely_on_order(&mut join.left);
        }
        Operator::NestedLoop(join) => rely_on_order(&mut join.left),
        Operator::Filter(filter) => rely_on_order(&mut filter.input),
        Operator::Gate(gate) => rely_on_order(&mut gate.input),
        Operator::Extend(extend) => rely_on_order(&mut extend.input),
        Operator::Limit(limit) => rely_on_order(&mut limit.input),
        Operator::Distinct(distinct) => rely_on_order(&mut distinct.input),
        Operator::LockRows(locks) => rely_on_order(&mut locks.input),
        Operator::With(with) => rely_on_order(&mut with.input),
        Operator::FunctionScan(_)
        | Operator::OneRow
        | Operator::Scan(_)
        | Operator::SystemScan(_)
        | Operator::Values(_)
        | Operator::Aggregation(_)
        | Operator::Window(_)
        | Operator::Sort(_)
        | Operator::SetOperation(_)
        | Operator::WithScan(_)
        | Operator::Recursion(_)
        | Operator::WorkTable(_) => {}
    }
}

/// Whether rows in the order of `keys` are in the order that is wished.
pub(super) fn starts_with(keys: &[SortKey], wished: &[SortKey]) -> bool {
    let same = |a: &SortKey, b: &SortKey| {
        a.column == b.column && a.descending == b.descending && a.nulls_first == b.nulls_first
    };
    wished.len() <= keys.len() && wished.iter().zip(keys).all(|(a, b)| same(a, b))
}
