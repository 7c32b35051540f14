//! One execution of a plan: from the first step to the command tag.
//!
//! What always holds:
//! 1. Between two steps everything is in here: operator states, slots, the row that waits.
//! 2. What the statement leaves to be checked is checked before it is done, and before a portal with a row limit sees rows of it.
//! 3. A statement that changes rows and returns some runs to its end before a portal with a row limit hears of the
//!    first: what is suspended for ever must not leave half of its rows unchanged.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{ReadView, RowId};
use nqdb_types::Datum;

use super::contract::{CommandTag, ExecContext, RowSink, Step};
use super::expression::{Eval, Slot};
use super::insert::{Attempt, InsertPlan, InsertState};
use super::insert_batch::{Flushed, InsertBatch};
use super::merge::{MergePlan, MergeState};
use super::modify::{ModifyPlan, ModifyState};
use super::operator::{NodeStatistics, PlanNode, Pull, State};
use super::runtime::{Frame, Runtime};
use super::spill::ChargedRows;
use crate::explain::Rendering;
use crate::integrity::{Event, Firing, settle};
use crate::plan::Plan;

/// What a plan does at its top.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one per plan, and most plans are queries")]
pub(crate) enum Root {
    Query(QueryPlan),
    Insert(Box<InsertPlan>),
    Modify(Box<ModifyPlan>),
    Merge(Box<MergePlan>),
    Explain(Box<ExplainPlan>),
}

#[derive(Clone, Debug)]
pub(crate) struct QueryPlan {
    pub node: PlanNode,
    /// Where the output columns are.
    pub slots: Box<[Slot]>,
    /// They are the first slots, in order, so that a row is a slice of the slots.
    pub contiguous: bool,
}

/// A change of rows in a WITH list; its RETURNING is what references to it read.
#[derive(Clone, Debug)]
pub(crate) struct WithChange {
    /// Position in the plan's WITH queries.
    pub with: usize,
    pub root: Root,
}

/// EXPLAIN of another plan.
#[derive(Clone, Debug)]
pub(crate) struct ExplainPlan {
    pub plan: Arc<Plan>,
    pub options: crate::statement::ExplainOptions,
    /// µs that planning took, where it was measured.
    pub planning_micros: Option<i64>,
}

/// An execution of a plan with its parameters.
pub struct Execution {
    plan: Arc<Plan>,
    params: Arc<[Datum]>,
    view: ReadView,
    frame: Frame,
    state: RootState,
    /// The change of the WITH list that is under way, and which one that is.
    change: Option<ChangeState>,
    changes_done: usize,
    /// How many of the plan's early queries have run.
    early_done: usize,
    started: bool,
    rows: u64,
    /// All rows are read or written; the command tag.
    ended: Option<CommandTag>,
    firing: Option<Box<Firing>>,
    /// What it leaves to be checked is taken by the statement around it.
    is_inner: bool,
}

/// A change of a WITH list under way.
struct ChangeState {
    state: RootState,
    /// What RETURNING says, for those who read the change.
    rows: ChargedRows,
    count: u64,
    started: bool,
}

enum RootState {
    Query { state: State, scratch: Vec<Datum> },
    Write(Box<WriteState>),
    Explain(Box<ExplainState>),
}

/// An INSERT, UPDATE or DELETE under way.
struct WriteState {
    source: State,
    row: RowState,
    /// The row at hand is not written yet.
    pending: bool,
    source_ended: bool,
    /// RETURNING rows that wait for a portal to ask for them.
    buffered: Option<ChargedRows>,
    given: usize,
    scratch: Vec<Datum>,
    gathered: GatheredRows,
}

/// Rows of an INSERT that are stored together.
#[derive(Default)]
struct GatheredRows {
    batch: InsertBatch,
    /// What RETURNING says of them.
    returned: Vec<Vec<Datum>>,
    /// What went wrong with the row behind them: told once these are stored, for the first error is the one to report.
    failure: Option<SqlError>,
}

enum RowState {
    Insert(InsertState),
    Modify(ModifyState),
    Merge(MergeState),
}

#[derive(Default)]
struct ExplainState {
    execution: Option<Execution>,
    lines: Option<Vec<String>>,
    given: usize,
    started_micros: i64,
}

/// Swallows rows: EXPLAIN ANALYZE.
struct NoRows;

impl RowSink for NoRows {
    fn row(&mut self, _: &[Datum]) -> SqlResult<()> {
        Ok(())
    }
}

impl Execution {
    /// Prepares an execution; nothing runs before the first step.
    pub fn new(plan: Arc<Plan>, params: Arc<[Datum]>, view: ReadView) -> Execution {
        let frame =
            Frame::new(plan.slot_count, plan.subplans.len()).with_queries(plan.with.len(), plan.recursion_count);
        let state = RootState::new(&plan.root);
        Execution {
            plan,
            params,
            view,
            frame,
            state,
            change: None,
            changes_done: 0,
            early_done: 0,
            started: false,
            rows: 0,
            ended: None,
            firing: None,
            is_inner: false,
        }
    }

    /// A statement that another one causes: what it leaves to be checked is for [`Execution::take_events`].
    pub(crate) fn inside_of_statement(plan: Arc<Plan>, params: Arc<[Datum]>, view: ReadView) -> Execution {
        Execution { is_inner: true, ..Execution::new(plan, params, view) }
    }

    /// Rows to be changed must be in this view as they are; 40001 else.
    pub(crate) fn expect_rows_in(&mut self, view: ReadView) {
        self.frame.expected = Some(view);
    }

    /// What has to be checked because of the statement.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.frame.events)
    }

    /// As [`Execution::new`], for the rows that the cursors of [`Plan::current_of`] stand on.
    pub fn with_current_rows(mut self, rows: Vec<Option<RowId>>) -> Execution {
        self.frame.current_rows = rows;
        self
    }

    /// The same execution before its first step: it sees what this one sees.
    pub fn restarted(&self) -> Execution {
        Execution::new(self.plan.clone(), self.params.clone(), self.view.clone())
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Counts rows and time at every operator, for EXPLAIN ANALYZE.
    fn count_statistics(&mut self) {
        self.frame.statistics = Some(vec![NodeStatistics::default(); self.plan.node_count]);
    }

    /// Goes on until `rows_max` rows went out (0: no limit), the end, a wait, or the end of a slice.
    pub fn step(&mut self, cx: &mut ExecContext<'_>, sink: &mut dyn RowSink, rows_max: u64) -> SqlResult<Step> {
        cx.check_cancel()?;
        self.frame.start_slice();
        if self.early_done < self.plan.early_with.len()
            && let Some(step) = self.step_early(cx)?
        {
            return Ok(step);
        }
        if self.changes_done < self.plan.changes.len()
            && let Some(step) = self.step_changes(cx)?
        {
            return Ok(step);
        }
        let tag = match self.ended {
            Some(tag) => tag,
            None => match self.step_root(cx, sink, rows_max)? {
                Step::Done(tag) => {
                    // A row that was waited for and turned out not to be wanted is the next one's.
                    cx.txn.leave_row_queue();
                    *self.ended.insert(tag)
                }
                other => return Ok(other),
            },
        };
        if !self.is_inner
            && let Some(step) = settle(&mut self.firing, &mut self.frame.events, cx)?
        {
            return Ok(step);
        }
        match &mut self.state {
            RootState::Write(state) => state.give_kept(tag, sink, rows_max),
            RootState::Query { .. } | RootState::Explain(_) => Ok(Step::Done(tag)),
        }
    }

    fn step_root(&mut self, cx: &mut ExecContext<'_>, sink: &mut dyn RowSink, rows_max: u64) -> SqlResult<Step> {
        let Execution { plan, params, view, frame, state, started, rows, .. } = self;
        let first = !std::mem::replace(started, true);
        let rt = Runtime { subplans: &plan.subplans, with: &plan.with, frame, params, view, cx };
        let rows_left = if rows_max == 0 { u64::MAX } else { rows_max };
        Run { rt, sink, rows, rows_left }.root(&plan.root, state, first, rows_max)
    }

    /// Runs the subqueries that may wait for locks; says how the step ends when they are not done.
    fn step_early(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Option<Step>> {
        let Execution { plan, params, view, frame, early_done, .. } = self;
        let mut rt = Runtime { subplans: &plan.subplans, with: &plan.with, frame, params, view, cx };
        while let Some(source) = plan.early_with.get(*early_done) {
            match rt.pull_with(*source)? {
                Pull::Row => {}
                Pull::End => *early_done += 1,
                Pull::Yield => return Ok(Some(rt.frame.wait.take().map_or(Step::Yield, Step::Wait))),
            }
        }
        Ok(None)
    }

    /// Runs the changes of the WITH list; says how the step ends when they are not done.
    fn step_changes(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Option<Step>> {
        let Execution { plan, params, view, frame, change, changes_done, .. } = self;
        while let Some(next) = plan.changes.get(*changes_done) {
            let current = change.get_or_insert_with(|| ChangeState {
                state: RootState::new(&next.root),
                rows: ChargedRows::default(),
                count: 0,
                started: false,
            });
            let first = !std::mem::replace(&mut current.started, true);
            let rt = Runtime { subplans: &plan.subplans, with: &plan.with, frame: &mut *frame, params, view, cx };
            let ChangeState { state, rows, count, .. } = current;
            let mut returned = Vec::new();
            let mut run = Run { rt, sink: &mut returned, rows: count, rows_left: u64::MAX };
            let step = run.root(&next.root, state, first, 0)?;
            let Run { mut rt, .. } = run;
            returned.iter().try_for_each(|row| rows.push(row, &mut rt))?;
            match step {
                Step::Done(_) => {
                    let rows = std::mem::take(&mut current.rows);
                    frame.with[next.with].fill(rows);
                    *change = None;
                    *changes_done += 1;
                }
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }
}

impl RootState {
    fn new(root: &Root) -> RootState {
        match root {
            Root::Query(query) => RootState::Query { state: query.node.new_state(), scratch: Vec::new() },
            Root::Insert(insert) => WriteState::start(&insert.source, RowState::Insert(InsertState::default())),
            Root::Modify(modify) => WriteState::start(&modify.source, RowState::Modify(ModifyState::default())),
            Root::Merge(merge) => WriteState::start(&merge.source, RowState::Merge(MergeState::default())),
            Root::Explain(_) => RootState::Explain(Box::default()),
        }
    }
}

impl WriteState {
    fn start(source: &PlanNode, row: RowState) -> RootState {
        RootState::Write(Box::new(WriteState {
            source: source.new_state(),
            row,
            pending: false,
            source_ended: false,
            buffered: None,
            given: 0,
            scratch: Vec::new(),
            gathered: GatheredRows::default(),
        }))
    }

    /// All rows are written and checked: gives out those that were kept.
    fn give_kept(&mut self, tag: CommandTag, sink: &mut dyn RowSink, rows_max: u64) -> SqlResult<Step> {
        let Some(rows) = &mut self.buffered else { return Ok(Step::Done(tag)) };
        let mut rows_left = if rows_max == 0 { u64::MAX } else { rows_max };
        while self.given < rows.len() {
            if rows_left == 0 {
                return Ok(Step::Suspended);
            }
            sink.row(rows.row(self.given)?)?;
            self.given += 1;
            rows_left -= 1;
        }
        Ok(if rows_left == 0 { Step::Suspended } else { Step::Done(tag) })
    }

    fn buffer_when_limited(&mut self, first: bool, rows_max: u64, returns: bool) {
        if first && rows_max != 0 && returns {
            self.buffered = Some(ChargedRows::default());
        }
    }
}

/// One call of `step`.
struct Run<'r, 'c, 's> {
    rt: Runtime<'r, 'c>,
    sink: &'s mut dyn RowSink,
    /// Rows of the command tag so far.
    rows: &'s mut u64,
    /// Rows that may still go out in this step.
    rows_left: u64,
}

impl Run<'_, '_, '_> {
    fn root(&mut self, root: &Root, state: &mut RootState, first: bool, rows_max: u64) -> SqlResult<Step> {
        match (root, state) {
            (Root::Query(query), RootState::Query { state, scratch }) => self.query(query, state, scratch, first),
            (Root::Insert(insert), RootState::Write(state)) => {
                state.buffer_when_limited(first, rows_max, insert.returning.is_some());
                self.insert(insert, state, first)
            }
            (Root::Modify(modify), RootState::Write(state)) => {
                state.buffer_when_limited(first, rows_max, modify.returning.is_some());
                self.modify(modify, state, first)
            }
            (Root::Merge(merge), RootState::Write(state)) => self.merge(merge, state, first),
            (Root::Explain(explain), RootState::Explain(state)) => self.explain(explain, state, first),
            _ => Err(SqlError::internal("the state of an execution does not fit its plan")),
        }
    }

    fn query(
        &mut self,
        query: &QueryPlan,
        state: &mut State,
        scratch: &mut Vec<Datum>,
        first: bool,
    ) -> SqlResult<Step> {
        if first {
            query.node.open(state, &mut self.rt)?;
        }
        while self.rows_left > 0 {
            match query.node.next(state, &mut self.rt)? {
                Pull::Row => {
                    let slots = &self.rt.frame.slots;
                    if query.contiguous {
                        self.sink.row(&slots[..query.slots.len()])?;
                    } else {
                        scratch.clear();
                        scratch.extend(query.slots.iter().map(|slot| slots[*slot].clone()));
                        self.sink.row(scratch)?;
                    }
                    *self.rows += 1;
                    self.rows_left -= 1;
                }
                Pull::End => return Ok(Step::Done(CommandTag::Select(*self.rows))),
                Pull::Yield => return Ok(self.pause()),
            }
        }
        Ok(Step::Suspended)
    }

    fn insert(&mut self, plan: &InsertPlan, state: &mut WriteState, first: bool) -> SqlResult<Step> {
        if first {
            plan.source.open(&mut state.source, &mut self.rt)?;
        }
        if plan.target.on_conflict.is_some() || !plan.target.system_slots.is_empty() {
            self.insert_singly(plan, state)
        } else {
            self.insert_together(plan, state)
        }
    }

    /// Stores each row before it asks for the next one: ON CONFLICT must meet the rows before it, and RETURNING may ask
    /// where the row is.
    fn insert_singly(&mut self, plan: &InsertPlan, state: &mut WriteState) -> SqlResult<Step> {
        while !state.source_ended {
            if !state.pending {
                match self.build_insert(plan, state)? {
                    Pull::Row => state.pending = true,
                    Pull::End => {
                        state.source_ended = true;
                        break;
                    }
                    Pull::Yield => return Ok(self.pause()),
                }
            }
            let RowState::Insert(row) = &mut state.row else { return Err(no_row_to_fill()) };
            match plan.target.attempt(row, &mut self.rt)? {
                Attempt::Done => {
                    *self.rows += 1;
                    self.returning(plan.returning.as_deref(), &mut state.buffered, &mut state.scratch)?;
                }
                Attempt::Skipped => {}
                Attempt::Wait(wait) => return Ok(Step::Wait(wait)),
            }
            state.pending = false;
        }
        Ok(Step::Done(CommandTag::Insert(*self.rows)))
    }

    /// Stores rows in batches.
    fn insert_together(&mut self, plan: &InsertPlan, state: &mut WriteState) -> SqlResult<Step> {
        loop {
            let ends = state.source_ended || state.gathered.failure.is_some();
            let GatheredRows { batch, returned, failure } = &mut state.gathered;
            if batch.is_full() || (ends && !batch.is_empty()) {
                match plan.target.flush(batch, &mut self.rt).map_err(|(_, error)| error)? {
                    Flushed::Done(count) => *self.rows += count as u64,
                    Flushed::Wait(wait) => return Ok(Step::Wait(wait)),
                }
                for row in returned.drain(..) {
                    self.give(&row, &mut state.buffered)?;
                }
            }
            if let Some(error) = failure.take() {
                return Err(error);
            }
            if state.source_ended {
                return Ok(Step::Done(CommandTag::Insert(*self.rows)));
            }
            match self.gather(plan, state) {
                Ok(Pull::Row) => {}
                Ok(Pull::End) => state.source_ended = true,
                Ok(Pull::Yield) => return Ok(self.pause()),
                Err(error) => state.gathered.failure = Some(error),
            }
        }
    }

    /// Adds the source's next row to the batch, with what RETURNING says of it.
    fn gather(&mut self, plan: &InsertPlan, state: &mut WriteState) -> SqlResult<Pull> {
        let pull = self.build_insert(plan, state)?;
        if let Pull::Row = pull {
            let RowState::Insert(insert) = &mut state.row else { return Err(no_row_to_fill()) };
            state.gathered.batch.push(&mut insert.row);
            if let Some(columns) = &plan.returning {
                let returned = columns.iter().map(|column| column.eval(&mut self.rt)).collect::<SqlResult<_>>()?;
                state.gathered.returned.push(returned);
            }
        }
        Ok(pull)
    }

    /// Computes the row that the source's next one becomes.
    fn build_insert(&mut self, plan: &InsertPlan, state: &mut WriteState) -> SqlResult<Pull> {
        let WriteState { source, row: RowState::Insert(row), scratch, .. } = state else {
            return Err(no_row_to_fill());
        };
        let pull = plan.source.next(source, &mut self.rt)?;
        if let Pull::Row = pull {
            scratch.clear();
            scratch.extend(plan.source_slots.iter().map(|slot| self.rt.frame.slots[*slot].clone()));
            plan.target.build(scratch.drain(..), row, None, &mut self.rt)?;
        }
        Ok(pull)
    }

    fn modify(&mut self, plan: &ModifyPlan, state: &mut WriteState, first: bool) -> SqlResult<Step> {
        if first {
            plan.source.open(&mut state.source, &mut self.rt)?;
        }
        let RowState::Modify(row) = &mut state.row else {
            return Err(SqlError::internal("an UPDATE has no row to fill"));
        };
        while !state.source_ended {
            if !state.pending {
                plan.give_back(row, &mut self.rt);
                match plan.source.next(&mut state.source, &mut self.rt)? {
                    Pull::Row => {
                        plan.take(row, &mut self.rt)?;
                        state.pending = true;
                    }
                    Pull::End => {
                        state.source_ended = true;
                        break;
                    }
                    Pull::Yield => return Ok(self.pause()),
                }
            }
            match plan.attempt(row, &mut self.rt)? {
                Attempt::Done => {
                    *self.rows += 1;
                    self.returning(plan.returning.as_deref(), &mut state.buffered, &mut state.scratch)?;
                }
                Attempt::Skipped => {}
                Attempt::Wait(wait) => return Ok(Step::Wait(wait)),
            }
            state.pending = false;
        }
        let rows = *self.rows;
        let tag = if plan.update.is_some() { CommandTag::Update(rows) } else { CommandTag::Delete(rows) };
        Ok(Step::Done(tag))
    }

    fn merge(&mut self, plan: &MergePlan, state: &mut WriteState, first: bool) -> SqlResult<Step> {
        if first {
            plan.source.open(&mut state.source, &mut self.rt)?;
        }
        let RowState::Merge(row) = &mut state.row else {
            return Err(SqlError::internal("a MERGE has no row to fill"));
        };
        loop {
            if !state.pending {
                plan.give_back(row, &mut self.rt);
                match plan.source.next(&mut state.source, &mut self.rt)? {
                    Pull::Row => {
                        plan.take(row, &mut self.rt)?;
                        state.pending = true;
                    }
                    Pull::End => return Ok(Step::Done(CommandTag::Merge(*self.rows))),
                    Pull::Yield => return Ok(self.pause()),
                }
            }
            match plan.attempt(row, &mut self.rt)? {
                Attempt::Done => *self.rows += 1,
                Attempt::Skipped => {}
                Attempt::Wait(wait) => return Ok(Step::Wait(wait)),
            }
            state.pending = false;
        }
    }

    /// Why an operator gave up its turn: a row that somebody else has locked, or the end of the slice.
    fn pause(&mut self) -> Step {
        self.rt.frame.wait.take().map_or(Step::Yield, Step::Wait)
    }

    /// Sends, or keeps, what RETURNING says of the row.
    fn returning(
        &mut self,
        columns: Option<&[Eval]>,
        buffered: &mut Option<ChargedRows>,
        scratch: &mut Vec<Datum>,
    ) -> SqlResult<()> {
        let Some(columns) = columns else { return Ok(()) };
        scratch.clear();
        for column in columns {
            scratch.push(column.eval(&mut self.rt)?);
        }
        self.give(scratch, buffered)
    }

    /// Sends, or keeps, a row of RETURNING.
    fn give(&mut self, row: &[Datum], buffered: &mut Option<ChargedRows>) -> SqlResult<()> {
        match buffered {
            Some(rows) => rows.push(row, &mut self.rt),
            None => self.sink.row(row),
        }
    }

    fn explain(&mut self, plan: &ExplainPlan, state: &mut ExplainState, first: bool) -> SqlResult<Step> {
        let cx = &mut *self.rt.cx;
        if first {
            state.started_micros = cx.functions.session.clock_micros();
            if plan.options.analyze {
                let mut execution = Execution::new(plan.plan.clone(), self.rt.params.into(), self.rt.view.clone());
                execution.count_statistics();
                execution.frame.current_rows.clone_from(&self.rt.frame.current_rows);
                state.execution = Some(execution);
            }
        }
        if state.lines.is_none() {
            if let Some(execution) = &mut state.execution {
                match execution.step(cx, &mut NoRows, 0)? {
                    Step::Done(_) => {}
                    other => return Ok(other),
                }
            }
            let execution_micros = cx.functions.session.clock_micros() - state.started_micros;
            let rendering = Rendering {
                plan: &plan.plan,
                options: plan.options,
                statistics: state.execution.as_ref().and_then(|execution| execution.frame.statistics.as_deref()),
                measured: None,
                planning_micros: plan.planning_micros,
                execution_micros,
            };
            state.lines = Some(rendering.lines());
        }
        let lines = state.lines.as_deref().unwrap_or_default();
        while let Some(line) = lines.get(state.given) {
            if self.rows_left == 0 {
                return Ok(Step::Suspended);
            }
            self.sink.row(&[Datum::text(line.as_str())])?;
            state.given += 1;
            self.rows_left -= 1;
        }
        Ok(Step::Done(CommandTag::Other("EXPLAIN")))
    }
}

fn no_row_to_fill() -> SqlError {
    SqlError::internal("an INSERT has no row to fill")
}
