//! The tree of operators: one immutable [`PlanNode`] and one mutable [`State`] for each.
//!
//! What always holds:
//! 1. A row is not passed, it is *there*: `next` leaves the values of a row in the operator's slots and says
//!    [`Pull::Row`]. They stay until the next call of any operator that defines the same slots.
//! 2. `open` may be called again at any time; it starts over and keeps buffers.
//! 3. `next` that yields has changed nothing that its repetition would do twice.
//! 4. Plan and state have the same shape; a mismatch is a fault of ours and is reported as such.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::aggregate::{Aggregation, AggregationState};
use super::distinct::{Distinct, DistinctState};
use super::expression::{Eval, Slot};
use super::function_scan::{FunctionScan, FunctionScanState};
use super::gate::{Gate, GateState};
use super::hash_join::{HashJoin, HashJoinState};
use super::limit::{Limit, LimitState};
use super::lock_rows::{LockRows, LockRowsState};
use super::nested_loop::{NestedLoop, NestedLoopState};
use super::runtime::Runtime;
use super::scan::{Scan, ScanState};
use super::set_operation::{SetOperation, SetOperationState};
use super::sort::{Sort, SortState};
use super::system_scan::{SystemScan, SystemScanState};
use super::window::{Window, WindowState};
use super::with::{Recursion, RecursionState, With, WithScan};

/// What a call of `next` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    Row,
    End,
    /// The slice is over: call again.
    Yield,
}

/// One operator of a plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanNode {
    pub operator: Operator,
    /// What EXPLAIN prints about it, and where its counters are.
    pub note: NodeNote,
}

/// The planner's estimates, and the words for EXPLAIN.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeNote {
    /// Position in [`super::runtime::Frame::statistics`].
    pub id: usize,
    pub startup_cost: f64,
    pub total_cost: f64,
    pub rows: f64,
    /// The alias of a scanned table, where it differs from the table's name.
    pub alias: Option<String>,
    /// Label and text of conditions and keys ("Filter", "(a > 1)"); filled in only for EXPLAIN.
    pub details: Vec<(&'static str, DetailText)>,
}

/// The value of a line under a node.
#[derive(Clone, Debug)]
pub(crate) enum DetailText {
    One(String),
    Many(Vec<String>),
    /// The keys of each grouping set.
    Sets(Vec<Vec<String>>),
}

/// What EXPLAIN ANALYZE counts at a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeStatistics {
    pub loops: u64,
    pub rows: u64,
    /// µs until the first row of each loop, in all.
    pub startup_micros: i64,
    pub total_micros: i64,
    /// Rows that a filter threw away.
    pub filtered: u64,
    pub work: WorkFacts,
    /// µs of the loop at hand, until its first row is there.
    current_micros: i64,
    first_row_seen: bool,
}

/// What EXPLAIN ANALYZE tells of an operator's memory and files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum WorkFacts {
    /// Nothing.
    #[default]
    None,
    Sort {
        method: &'static str,
        memory_bytes: usize,
        /// None: all was sorted in memory.
        file_bytes: Option<u64>,
    },
    /// The hash table of a join.
    Hash { buckets: usize, batches: usize, memory_bytes: usize },
    /// Groups.
    Groups { batches: usize, memory_bytes: usize, file_bytes: u64 },
}

impl NodeStatistics {
    /// What was measured around a node instead of at it.
    pub fn of_one_loop(rows: u64, startup_micros: i64, total_micros: i64) -> NodeStatistics {
        NodeStatistics { loops: 1, rows, startup_micros, total_micros, ..NodeStatistics::default() }
    }
}

/// The operators.
#[derive(Clone, Debug)]
pub(crate) enum Operator {
    OneRow,
    Scan(Box<Scan>),
    SystemScan(Box<SystemScan>),
    Values(Values),
    FunctionScan(FunctionScan),
    Filter(Filter),
    Gate(Gate),
    Extend(Extend),
    NestedLoop(Box<NestedLoop>),
    HashJoin(Box<HashJoin>),
    Aggregation(Box<Aggregation>),
    Window(Box<Window>),
    Sort(Box<Sort>),
    Distinct(Distinct),
    Limit(Limit),
    SetOperation(Box<SetOperation>),
    With(With),
    LockRows(LockRows),
    WithScan(WithScan),
    Recursion(Box<Recursion>),
    /// A [`WithScan`] of the rows of a recursion's last round.
    WorkTable(WithScan),
}

/// The state of an operator, in the shape of the plan.
pub(crate) enum State {
    /// Whether the row is out.
    OneRow(bool),
    Scan(Box<ScanState>),
    SystemScan(SystemScanState),
    /// The next row.
    Values(usize),
    FunctionScan(FunctionScanState),
    Filter(Box<State>),
    Gate(Box<GateState>),
    Extend(Box<State>),
    NestedLoop(Box<NestedLoopState>),
    HashJoin(Box<HashJoinState>),
    Aggregation(Box<AggregationState>),
    Window(Box<WindowState>),
    Sort(Box<SortState>),
    Distinct(Box<DistinctState>),
    Limit(Box<LimitState>),
    SetOperation(Box<SetOperationState>),
    With(Box<State>),
    LockRows(Box<LockRowsState>),
    /// The next row.
    WithScan(usize),
    Recursion(Box<RecursionState>),
}

/// Rows of expressions.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub slots: Box<[Slot]>,
    pub rows: Box<[Box<[Eval]>]>,
}

/// Rows that pass a condition.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub input: Box<PlanNode>,
    pub predicate: Eval,
}

/// Rows with computed columns.
#[derive(Clone, Debug)]
pub(crate) struct Extend {
    pub input: Box<PlanNode>,
    pub columns: Box<[(Slot, Eval)]>,
}

fn mismatch() -> SqlError {
    SqlError::internal("the state of an operator does not fit its plan")
}

impl PlanNode {
    /// The state to run this with.
    pub fn new_state(&self) -> State {
        match &self.operator {
            Operator::OneRow => State::OneRow(false),
            Operator::Scan(scan) => State::Scan(Box::new(scan.new_state())),
            Operator::SystemScan(_) => State::SystemScan(SystemScanState::default()),
            Operator::Values(_) => State::Values(0),
            Operator::FunctionScan(_) => State::FunctionScan(FunctionScanState::default()),
            Operator::Filter(filter) => State::Filter(Box::new(filter.input.new_state())),
            Operator::Gate(gate) => State::Gate(Box::new(gate.new_state())),
            Operator::Extend(extend) => State::Extend(Box::new(extend.input.new_state())),
            Operator::NestedLoop(join) => State::NestedLoop(Box::new(join.new_state())),
            Operator::HashJoin(join) => State::HashJoin(Box::new(join.new_state())),
            Operator::Aggregation(aggregation) => State::Aggregation(Box::new(aggregation.new_state())),
            Operator::Window(window) => State::Window(Box::new(window.new_state())),
            Operator::Sort(sort) => State::Sort(Box::new(sort.new_state())),
            Operator::Distinct(distinct) => State::Distinct(Box::new(distinct.new_state())),
            Operator::Limit(limit) => State::Limit(Box::new(limit.new_state())),
            Operator::SetOperation(operation) => State::SetOperation(Box::new(operation.new_state())),
            Operator::LockRows(locks) => State::LockRows(Box::new(locks.new_state())),
            Operator::With(with) => State::With(Box::new(with.input.new_state())),
            Operator::WithScan(_) | Operator::WorkTable(_) => State::WithScan(0),
            Operator::Recursion(recursion) => State::Recursion(Box::new(recursion.new_state())),
        }
    }

    /// Starts, or starts over.
    pub fn open(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        if let Some(statistics) = &mut rt.frame.statistics {
            statistics[self.note.id].start_loop();
            let started = rt.cx.functions.session.clock_micros();
            let result = self.open_operator(state, rt);
            self.count_time(started, None, rt);
            return result;
        }
        self.open_operator(state, rt)
    }

    /// Finds the next row.
    pub fn next(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.frame.statistics.is_some() {
            let started = rt.cx.functions.session.clock_micros();
            let result = self.next_row(state, rt);
            self.count_time(started, result.as_ref().ok().copied(), rt);
            return result;
        }
        self.next_row(state, rt)
    }

    fn open_operator(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        match (&self.operator, state) {
            (Operator::OneRow, State::OneRow(done)) => *done = false,
            (Operator::Scan(scan), State::Scan(state)) => return scan.open(state, rt),
            (Operator::SystemScan(scan), State::SystemScan(state)) => return scan.open(state, rt),
            (Operator::Values(_), State::Values(position)) => *position = 0,
            (Operator::FunctionScan(scan), State::FunctionScan(state)) => return scan.open(state, rt),
            (Operator::Filter(filter), State::Filter(state)) => return filter.input.open(state, rt),
            (Operator::Gate(gate), State::Gate(state)) => return gate.open(state, rt),
            (Operator::Extend(extend), State::Extend(state)) => return extend.input.open(state, rt),
            (Operator::NestedLoop(join), State::NestedLoop(state)) => return join.open(state, rt),
            (Operator::HashJoin(join), State::HashJoin(state)) => return join.open(state, rt),
            (Operator::Aggregation(aggregation), State::Aggregation(state)) => return aggregation.open(state, rt),
            (Operator::Window(window), State::Window(state)) => return window.open(state, rt),
            (Operator::Sort(sort), State::Sort(state)) => return sort.open(state, rt),
            (Operator::Distinct(distinct), State::Distinct(state)) => return distinct.open(state, rt),
            (Operator::Limit(limit), State::Limit(state)) => return limit.open(state, rt),
            (Operator::SetOperation(operation), State::SetOperation(state)) => return operation.open(state, rt),
            (Operator::LockRows(locks), State::LockRows(state)) => return locks.open(state, rt),
            (Operator::With(with), State::With(state)) => return with.open(state, rt),
            (Operator::WithScan(_) | Operator::WorkTable(_), State::WithScan(next)) => *next = 0,
            (Operator::Recursion(recursion), State::Recursion(state)) => return recursion.open(state, rt),
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    fn next_row(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        match (&self.operator, state) {
            (Operator::OneRow, State::OneRow(done)) => {
                Ok(if std::mem::replace(done, true) { Pull::End } else { Pull::Row })
            }
            (Operator::Scan(scan), State::Scan(state)) => scan.next(self.note.id, state, rt),
            (Operator::SystemScan(scan), State::SystemScan(state)) => scan.next(self.note.id, state, rt),
            (Operator::Values(values), State::Values(position)) => values.next(position, rt),
            (Operator::FunctionScan(scan), State::FunctionScan(state)) => scan.next(state, rt),
            (Operator::Filter(filter), State::Filter(state)) => filter.next(self.note.id, state, rt),
            (Operator::Gate(gate), State::Gate(state)) => gate.next(state, rt),
            (Operator::Extend(extend), State::Extend(state)) => extend.next(state, rt),
            (Operator::NestedLoop(join), State::NestedLoop(state)) => join.next(state, rt),
            (Operator::HashJoin(join), State::HashJoin(state)) => join.next(self.note.id, state, rt),
            (Operator::Aggregation(aggregation), State::Aggregation(state)) => {
                aggregation.next(self.note.id, state, rt)
            }
            (Operator::Window(window), State::Window(state)) => window.next(state, rt),
            (Operator::Sort(sort), State::Sort(state)) => sort.next(self.note.id, state, rt),
            (Operator::Distinct(distinct), State::Distinct(state)) => distinct.next(state, rt),
            (Operator::Limit(limit), State::Limit(state)) => limit.next(state, rt),
            (Operator::SetOperation(operation), State::SetOperation(state)) => operation.next(state, rt),
            (Operator::LockRows(locks), State::LockRows(state)) => locks.next(state, rt),
            (Operator::With(with), State::With(state)) => with.input.next(state, rt),
            (Operator::WithScan(scan), State::WithScan(next)) => scan.next(next, rt),
            (Operator::WorkTable(scan), State::WithScan(next)) => scan.next_of_round(next, rt),
            (Operator::Recursion(recursion), State::Recursion(state)) => recursion.next(state, rt),
            _ => Err(mismatch()),
        }
    }

    fn count_time(&self, started_micros: i64, pull: Option<Pull>, rt: &mut Runtime<'_, '_>) {
        let micros = rt.cx.functions.session.clock_micros() - started_micros;
        if let Some(statistics) = &mut rt.frame.statistics {
            statistics[self.note.id].count(micros, pull);
        }
    }
}

impl NodeStatistics {
    fn start_loop(&mut self) {
        self.loops += 1;
        self.current_micros = 0;
        self.first_row_seen = false;
    }

    fn count(&mut self, micros: i64, pull: Option<Pull>) {
        self.total_micros += micros;
        self.current_micros += micros;
        if pull == Some(Pull::Row) {
            self.rows += 1;
        }
        if matches!(pull, Some(Pull::Row | Pull::End)) && !self.first_row_seen {
            self.first_row_seen = true;
            self.startup_micros += self.current_micros;
        }
    }
}

impl Values {
    fn next(&self, position: &mut usize, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        let Some(row) = self.rows.get(*position) else { return Ok(Pull::End) };
        *position += 1;
        for (slot, value) in self.slots.iter().zip(row) {
            rt.frame.slots[*slot] = value.eval(rt)?;
        }
        Ok(Pull::Row)
    }
}

impl Filter {
    fn next(&self, id: usize, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let pull = self.input.next(state, rt)?;
            if pull != Pull::Row || self.predicate.passes(rt)? {
                return Ok(pull);
            }
            rt.count_filtered(id);
        }
    }
}

impl Extend {
    fn next(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let pull = self.input.next(state, rt)?;
        if pull == Pull::Row {
            for (slot, value) in &self.columns {
                rt.frame.slots[*slot] = value.eval(rt)?;
            }
        }
        Ok(pull)
    }
}

impl Runtime<'_, '_> {
    /// Counts a row that a condition threw away.
    pub fn count_filtered(&mut self, id: usize) {
        if let Some(statistics) = &mut self.frame.statistics {
            statistics[id].filtered += 1;
        }
    }

    /// Sets slots to NULL: the side of an outer join that has no match.
    pub fn set_null(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.frame.slots[*slot] = Datum::Null;
        }
    }

    /// Copies a kept row back into its slots.
    pub fn load(&mut self, slots: &[Slot], row: &[Datum]) {
        for (slot, datum) in slots.iter().zip(row) {
            self.frame.slots[*slot].clone_from(datum);
        }
    }
}
