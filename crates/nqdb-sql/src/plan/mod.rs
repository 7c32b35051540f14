//! From the Bound IR to an immutable [`Plan`]: access paths, join order, compiled expressions.
//!
//! | file | what it decides |
//! |---|---|
//! | `slots` | which slot a column gets |
//! | `compile` | how an expression runs |
//! | `relation` | the operators of a relation: where conditions go, who is scanned how, who is joined how |
//! | `system_scan` | scans of `pg_catalog` |
//! | `access` | which index serves a condition or an order |
//! | `implied` | whether conditions imply that of a partial index |
//! | `cost` | how many rows come, and what that costs |
//! | `join` | which side first, by which method |
//! | `order` | who relies on an order that nobody makes |
//! | `mentions` | which columns an expression takes from where |
//! | `notes` | what EXPLAIN will say |
//! | `merge` | MERGE |
//! | `lock_rows` | FOR UPDATE |
//! | `with` | WITH queries and recursion |
//! | `cursor` | what a cursor needs beside its query |
//! | `statement` | the root: query, INSERT, UPDATE, DELETE |
//!
//! What always holds:
//! 1. A plan holds no value of a parameter and no setting: it serves every execution until the catalog changes.
//! 2. A condition moves down only to where all its columns are, never past a LIMIT, a DISTINCT, an aggregate, a set
//!    operation or the side of an outer join that NULLs fill; volatile ones do not move.

mod access;
mod aggregate;
pub(crate) mod compile;
pub(crate) mod cost;
mod cursor;
mod extreme;
mod implied;
mod join;
mod lock_rows;
pub(crate) mod mentions;
mod merge;
mod notes;
mod order;
pub(crate) mod pattern;
mod relation;
mod slots;
mod statement;
mod system_scan;
mod table_sample;
mod window;
mod with;

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_txn::{RelationLock, RowLock};
use nqdb_types::{NoUserTypes, Oid, TypeCatalog};

use crate::exec::{Root, Subplan, WithChange, WithPlan};
use crate::interruption::Interruption;
use crate::ir::{OutputColumn, Query};
use crate::rights::Access;
use crate::statement::ExplainOptions;

pub use cursor::{CursorPlan, plan_cursor};
pub(crate) use implied::implied;
pub use mentions::{
    Columns, expressions, free_columns, inputs, mentioned, operands, scan_count, split_conjuncts, subquery, visible,
};
pub(crate) use slots::{ColumnName, Planner};
pub(crate) use statement::plan_copy_target;
pub use statement::{explain, explain_column, plan};

/// What the planner may use; the `enable_*` settings of PostgreSQL.
#[derive(Clone, Debug)]
pub struct PlanContext {
    /// `Snapshot::version` that the statement was bound against.
    pub catalog_version: u64,
    pub enable_seqscan: bool,
    pub enable_indexscan: bool,
    pub enable_hashjoin: bool,
    pub enable_nestloop: bool,
    pub enable_sort: bool,
    pub executor: ExecutorChoice,
    /// The catalog that the statement was bound against, for the tables that its constraints lead to; none where it
    /// changes no rows.
    pub catalog: Option<Arc<Snapshot>>,
    /// How EXPLAIN spells values and names of users' types.
    pub types: Arc<dyn TypeCatalog>,
    /// Planning may take long.
    pub interruption: Interruption,
}

/// Which executor runs a query: the setting `nqdb.executor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// The analytical one where the row plan is estimated to cost much.
    Auto,
    Row,
    /// The analytical one wherever it takes the query.
    Analytical,
}

impl PlanContext {
    /// Everything allowed.
    pub fn new(catalog_version: u64) -> PlanContext {
        PlanContext {
            catalog_version,
            enable_seqscan: true,
            enable_indexscan: true,
            enable_hashjoin: true,
            enable_nestloop: true,
            enable_sort: true,
            executor: ExecutorChoice::Auto,
            catalog: None,
            types: Arc::new(NoUserTypes),
            interruption: Interruption::default(),
        }
    }
}

/// A planned statement. Immutable, shared by all its executions.
#[derive(Debug)]
pub struct Plan {
    /// The columns that go to the client, none when no rows do.
    pub output: Option<Arc<[OutputColumn]>>,
    /// Types of the parameters.
    pub parameters: Vec<Oid>,
    /// Locks to take before execution. Afterwards the catalog version must still be the plan's.
    pub relations: Vec<(u32, RelationLock)>,
    pub catalog_version: u64,
    /// What it needs to be allowed, to be checked before each execution.
    pub accesses: Vec<Access>,
    /// It locks rows: refused in a read-only transaction.
    pub locks_rows: Option<RowLock>,
    /// It changes rows: refused in a read-only transaction.
    pub writes: bool,
    /// It reads rows: the statement needs a snapshot of its own.
    pub needs_snapshot: bool,
    /// A function in it asks for the transaction's number: it must have one before execution.
    pub needs_number: bool,
    /// It reads of the session's cursors or prepared statements, which have to be described to it.
    pub reads_session: bool,
    /// For DECLARE CURSOR: what the cursor can do.
    pub cursor: Option<CursorPlan>,
    /// The cursors of WHERE CURRENT OF with the tables that they are to stand on. An execution is told of their rows in
    /// this order.
    pub current_of: Vec<CurrentOf>,
    /// The query, where the analytical executor is to be asked first.
    pub(crate) analytical: Option<Arc<Query>>,
    pub(crate) root: Root,
    /// Changes of a WITH list, which run first.
    pub(crate) changes: Vec<WithChange>,
    pub(crate) subplans: Vec<Subplan>,
    pub(crate) with: Vec<WithPlan>,
    pub(crate) recursion_count: usize,
    /// Those of `with` that run to their end before anything else.
    pub(crate) early_with: Vec<usize>,
    pub(crate) slot_count: usize,
    pub(crate) node_count: usize,
}

/// WHERE CURRENT OF.
#[derive(Clone, Debug)]
pub struct CurrentOf {
    pub cursor: String,
    pub table: u32,
    pub table_name: String,
}

impl Plan {
    /// What errors call the statement: `SELECT`, `INSERT`, `UPDATE` or `DELETE`, also below an EXPLAIN.
    pub fn command(&self) -> &'static str {
        match &self.root {
            Root::Query(_) => match self.locks_rows.filter(|_| self.changes.is_empty()) {
                None => "SELECT",
                Some(RowLock::KeyShare) => "SELECT FOR KEY SHARE",
                Some(RowLock::Share) => "SELECT FOR SHARE",
                Some(RowLock::NoKeyUpdate) => "SELECT FOR NO KEY UPDATE",
                Some(RowLock::Update) => "SELECT FOR UPDATE",
            },
            Root::Insert(_) => "INSERT",
            Root::Modify(modify) if modify.update.is_some() => "UPDATE",
            Root::Modify(_) => "DELETE",
            Root::Merge(_) => "MERGE",
            Root::Explain(explain) => explain.plan.command(),
        }
    }

    /// The query that the analytical executor should run, also below an EXPLAIN.
    pub fn analytical(&self) -> Option<&Arc<Query>> {
        match &self.root {
            Root::Explain(explain) => explain.plan.analytical(),
            _ => self.analytical.as_ref(),
        }
    }

    /// What an EXPLAIN is about, how it is asked for, and the µs that planning took.
    pub(crate) fn explained(&self) -> Option<(&Plan, ExplainOptions, Option<i64>)> {
        match &self.root {
            Root::Explain(explain) => Some((&explain.plan, explain.options, explain.planning_micros)),
            _ => None,
        }
    }

    /// Whether it is EXPLAIN ANALYZE of a query that the analytical executor should run.
    pub fn measures_analytical(&self) -> bool {
        self.explained().is_some_and(|(plan, options, _)| options.analyze && plan.analytical().is_some())
    }

    /// Leaves the query to the row executor: the analytical one does not take it. For a plan that nobody shares yet.
    pub fn decline_analytical(&mut self) {
        match &mut self.root {
            Root::Explain(explain) => {
                if let Some(plan) = Arc::get_mut(&mut explain.plan) {
                    plan.decline_analytical();
                }
            }
            _ => self.analytical = None,
        }
    }

    /// Whether it runs as another plan does: by the same operators, over the same relations, with the same result columns.
    /// What stands in their conditions may differ. False where the analytical executor is asked.
    pub fn does_as(&self, other: &Plan) -> bool {
        let traits = |plan: &Plan| {
            (
                plan.catalog_version,
                plan.locks_rows,
                plan.writes,
                plan.needs_snapshot,
                plan.needs_number,
                plan.node_count,
            )
        };
        let columns = |plan: &Plan| -> Vec<_> {
            let columns = plan.output.iter().flat_map(|columns| columns.iter());
            columns.map(|column| (column.name.clone(), column.ty, column.origin)).collect()
        };
        self.analytical.is_none()
            && other.analytical.is_none()
            && self.current_of.is_empty()
            && traits(self) == traits(other)
            && self.relations == other.relations
            && self.output.is_some() == other.output.is_some()
            && columns(self) == columns(other)
            && crate::explain::outline(self) == crate::explain::outline(other)
    }

    /// Whether it prints a plan instead of running it.
    pub fn is_explain(&self) -> bool {
        matches!(self.root, Root::Explain(_))
    }
}
