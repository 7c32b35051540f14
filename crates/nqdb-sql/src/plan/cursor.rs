//! What a cursor's plan has beside the plan of its query: whether it can go backwards, and where its rows are.
//!
//! Behind the columns of the query the plan puts out the addresses of rows that WHERE CURRENT OF may mean: those of the
//! tables that FOR UPDATE or its like names, or of the one table that is scanned and nothing else.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_CURSOR_DEFINITION, SqlError, SqlResult};
use nqdb_txn::RowLock;
use nqdb_types::Oid;

use super::mentions::query_is_volatile;
use super::slots::Planner;
use super::statement::plan_statement;
use super::{Plan, PlanContext};
use crate::exec::{Operator, PlanNode, QueryPlan, Root};
use crate::ir::{Bound, Query, Rel, RowLocking, WithBody};
use crate::rewrite::{RewriteContext, optimize_statement};
use crate::statement::CursorOptions;

/// What a cursor over a plan can do.
#[derive(Clone, Debug, Default)]
pub struct CursorPlan {
    /// Its rows can be given out backwards without being kept: it scrolls even if nobody asked for it.
    pub goes_back: bool,
    /// Computing a row a second time may give another one.
    pub is_volatile: bool,
    /// It locks its rows.
    pub locks_rows: bool,
    /// The tables whose rows' addresses stand behind the output columns, in that order.
    pub tables: Vec<u32>,
}

/// Plans the query of DECLARE CURSOR.
///
/// Fails with 0A000 and 42P11 for options that do not go with FOR UPDATE, as PostgreSQL does.
pub fn plan_cursor(mut bound: Bound, options: CursorOptions, params: &[Oid], cx: &PlanContext) -> SqlResult<Plan> {
    check_options(&bound, options)?;
    let statistics = optimize_statement(&mut bound, &RewriteContext::with_interruption(&cx.interruption));
    plan_statement(&bound, params, cx, statistics, false, true)
}

fn check_options(bound: &Bound, options: CursorOptions) -> SqlResult<()> {
    let query = match bound {
        Bound::Query(query) => query,
        Bound::With { queries, body }
            if queries.iter().all(|query| matches!(query.body, WithBody::Query(_)))
                && matches!(**body, Bound::Query(_)) =>
        {
            return check_options(body, options);
        }
        _ => {
            let message = "DECLARE CURSOR must not contain data-modifying statements in WITH";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
        }
    };
    let Some(lock) = locks_of(&query.rel).first() else { return Ok(()) };
    let clause = match lock.mode {
        RowLock::Update => "FOR UPDATE",
        RowLock::NoKeyUpdate => "FOR NO KEY UPDATE",
        RowLock::Share => "FOR SHARE",
        RowLock::KeyShare => "FOR KEY SHARE",
    };
    let refuse = |code, message: String, who: &str| {
        Err(SqlError::new(code, message).with_detail(format!("{who} cursors must be READ ONLY.")))
    };
    if options.hold {
        let message = format!("DECLARE CURSOR WITH HOLD ... {clause} is not supported");
        return refuse(FEATURE_NOT_SUPPORTED, message, "Holdable");
    }
    if options.scroll {
        let message = format!("DECLARE SCROLL CURSOR ... {clause} is not supported");
        return refuse(FEATURE_NOT_SUPPORTED, message, "Scrollable");
    }
    if options.insensitive {
        let message = format!("DECLARE INSENSITIVE CURSOR ... {clause} is not valid");
        return refuse(INVALID_CURSOR_DEFINITION, message, "Insensitive");
    }
    Ok(())
}

/// The locks on the rows of a query as a whole, not on those of its subqueries.
fn locks_of(rel: &Rel) -> &[RowLocking] {
    match rel {
        Rel::LockRows { locks, .. } => locks,
        Rel::Limit { input, .. } | Rel::With { input, .. } => locks_of(input),
        _ => &[],
    }
}

impl Planner<'_> {
    /// Makes a planned query tell where its rows are, and finds out what else a cursor over it can do.
    pub fn make_cursor(&mut self, query: &Query, root: &mut Root) -> SqlResult<CursorPlan> {
        let Root::Query(plan) = root else { return Ok(CursorPlan::default()) };
        let locks = locks_of(&query.rel);
        let mut cursor = CursorPlan {
            goes_back: locks.is_empty() && goes_back(&plan.node),
            is_volatile: query_is_volatile(query),
            locks_rows: !locks.is_empty(),
            tables: Vec::new(),
        };
        let mut addresses = Vec::new();
        for lock in locks {
            cursor.tables.push(lock.table.oid);
            addresses.push(self.slot(lock.address)?);
        }
        if locks.is_empty()
            && let Some((table, address)) = self.locate_only_scan(&mut plan.node)
        {
            cursor.tables.push(table);
            addresses.push(address);
        }
        let QueryPlan { slots, contiguous, .. } = plan;
        let all = slots.iter().copied().chain(addresses);
        *slots = all.collect();
        *contiguous = slots.iter().enumerate().all(|(position, slot)| position == *slot);
        Ok(cursor)
    }

    /// The one table below operators that give out its rows one by one: its number, and the slot of the addresses.
    fn locate_only_scan(&mut self, node: &mut PlanNode) -> Option<(u32, usize)> {
        match &mut node.operator {
            Operator::Scan(scan) => {
                let slot = match scan.address {
                    Some(slot) => slot,
                    None => *scan.address.insert(self.new_slot()),
                };
                Some((scan.table.oid, slot))
            }
            Operator::Filter(filter) => self.locate_only_scan(&mut filter.input),
            Operator::Gate(gate) => self.locate_only_scan(&mut gate.input),
            Operator::Extend(extend) => self.locate_only_scan(&mut extend.input),
            Operator::Limit(limit) => self.locate_only_scan(&mut limit.input),
            Operator::With(with) => self.locate_only_scan(&mut with.input),
            _ => None,
        }
    }
}

/// Whether PostgreSQL's executor can run the same plan backwards: scans, sorts, and what gives out their rows one by one.
fn goes_back(node: &PlanNode) -> bool {
    match &node.operator {
        Operator::Scan(_) | Operator::SystemScan(_) | Operator::FunctionScan(_) | Operator::WithScan(_) => true,
        Operator::Sort(_) => true,
        // A single row of VALUES is no scan.
        Operator::Values(values) => values.rows.len() > 1,
        Operator::Filter(filter) => goes_back(&filter.input),
        Operator::Gate(gate) => gate.is_shut || goes_back(&gate.input),
        Operator::Extend(extend) => goes_back(&extend.input),
        Operator::Limit(limit) => goes_back(&limit.input),
        Operator::With(with) => goes_back(&with.input),
        Operator::SetOperation(operation) => {
            operation.is_append() && goes_back(&operation.left) && goes_back(&operation.right)
        }
        Operator::OneRow
        | Operator::NestedLoop(_)
        | Operator::HashJoin(_)
        | Operator::Aggregation(_)
        | Operator::Window(_)
        | Operator::Distinct(_)
        | Operator::LockRows(_)
        | Operator::Recursion(_)
        | Operator::WorkTable(_) => false,
    }
}
