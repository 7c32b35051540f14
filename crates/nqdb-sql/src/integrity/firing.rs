//! Runs events: looks at rows, starts the statements of foreign keys, and says what they found.
//!
//! ```text
//! Written  --> the row as it is now --> unique key: look for another row with it
//!                                   \-> foreign key: Referenced --> none: 23503
//! KeyGone  --> NO ACTION: Again --> there is one: done
//!          |                    \-> none --> Referring --> there is one: 23503
//!          |-> RESTRICT: Referring
//!          |-> CASCADE, SET NULL: the action
//!          \-> SET DEFAULT: the action, then as NO ACTION
//! ```
//!
//! What always holds: between two steps everything is in here, so that a check may wait for a lock like any statement.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, ReferentialAction};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{Newest, ReadView, RowId, TxnError, Wait};
use nqdb_types::key::{self, KeyColumn};
use nqdb_types::{Datum, current_value};

use super::probe::Probe;
use super::queries::{CheckPlan, Query};
use super::violation::{missing_key, mixed_nulls, still_referenced};
use super::watch::{Event, KeyGone, OwnCheck, OwnConstraint};
use crate::exec::{ExecContext, Execution, RowSink, Step, write_error};

/// Keys that were found and locked, of which the same statement need not look for again.
const KNOWN_KEYS_MAX: usize = 4096;
/// Events between two looks at what else the worker has to do.
const EVENTS_AT_ONCE: u32 = 256;

/// Events that are being run.
#[derive(Default)]
pub(crate) struct Firing {
    queue: VecDeque<Event>,
    /// Of the first event, if it is about rows: how many checks of its first row were done.
    checks_done: usize,
    running: Option<Running>,
    known: HashSet<Vec<u8>>,
    /// For looking at referenced rows, until something is written or waited for.
    view: Option<ReadView>,
}

/// A statement of a foreign key under way.
struct Running {
    execution: Box<Execution>,
    plan: Arc<CheckPlan>,
    purpose: Purpose,
}

enum Purpose {
    FindReferenced { check: OwnCheck, values: Vec<Datum>, known: Vec<u8> },
    FindAgain(Box<KeyGone>),
    FindReferring(Box<KeyGone>),
    Act(Box<KeyGone>),
}

/// Counts rows.
struct Found(u64);

impl RowSink for Found {
    fn row(&mut self, _: &[Datum]) -> SqlResult<()> {
        self.0 += 1;
        Ok(())
    }
}

/// What there is to do.
enum Next {
    Started,
    Wait(Wait),
    Done,
}

/// Runs what a statement has gathered, up to the end; how its step ends before that.
pub(crate) fn settle(
    firing: &mut Option<Box<Firing>>,
    events: &mut Vec<Event>,
    cx: &mut ExecContext<'_>,
) -> SqlResult<Option<Step>> {
    if firing.is_none() && events.is_empty() {
        return Ok(None);
    }
    let current = firing.get_or_insert_default();
    current.add(std::mem::take(events), cx)?;
    let step = current.step(cx)?;
    if step.is_none() {
        *firing = None;
    }
    Ok(step)
}

impl Firing {
    /// Puts events into the queue; those of deferred constraints wait with the transaction.
    fn add(&mut self, events: Vec<Event>, cx: &ExecContext<'_>) -> SqlResult<()> {
        let mut constraints = cx.constraints.borrow_mut();
        for event in events {
            self.queue.extend(constraints.defer(event, cx.memory)?);
        }
        Ok(())
    }

    /// Goes on; `None` when everything is done.
    fn step(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Option<Step>> {
        for _ in 0..EVENTS_AT_ONCE {
            if let Some(running) = &mut self.running {
                let mut found = Found(0);
                let rows_max = if matches!(running.purpose, Purpose::Act(_)) { 0 } else { 1 };
                let step = running.execution.step(cx, &mut found, rows_max);
                let step = step.map_err(|error| error.within(format!("SQL statement \"{}\"", running.plan.text)))?;
                match step {
                    Step::Done(_) | Step::Suspended => self.finish(found.0 > 0, cx)?,
                    Step::Wait(wait) => {
                        self.view = None;
                        return Ok(Some(Step::Wait(wait)));
                    }
                    Step::Yield => return Ok(Some(Step::Yield)),
                }
                continue;
            }
            match self.start_next(cx)? {
                Next::Started => {}
                Next::Wait(wait) => return Ok(Some(Step::Wait(wait))),
                Next::Done => return Ok(None),
            }
        }
        cx.check_cancel()?;
        Ok(Some(Step::Yield))
    }

    fn start_next(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Next> {
        let (check, row) = match self.queue.front_mut() {
            None => return Ok(Next::Done),
            Some(Event::KeyGone(_)) => {
                if let Some(Event::KeyGone(gone)) = self.queue.pop_front() {
                    self.start_gone(gone, cx)?;
                }
                return Ok(Next::Started);
            }
            Some(Event::Written { checks, rows }) => match checks.get(self.checks_done) {
                Some(check) if rows.start < rows.end => (check.clone(), RowId(rows.start)),
                _ => {
                    self.checks_done = 0;
                    rows.start += 1;
                    if rows.start >= rows.end {
                        self.queue.pop_front();
                    }
                    return Ok(Next::Started);
                }
            },
        };
        match self.start_check(&check, row, cx) {
            Ok(()) => {
                self.checks_done += 1;
                Ok(Next::Started)
            }
            Err(TxnError::Wait(wait)) => Ok(Next::Wait(wait)),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks a row for one constraint. `TxnError::Wait`: to be called again.
    fn start_check(&mut self, check: &OwnCheck, row: RowId, cx: &mut ExecContext<'_>) -> Result<(), TxnError> {
        let key = match &check.constraint {
            OwnConstraint::Unique(index) => return check_unique(check, index.position, row, cx),
            OwnConstraint::ForeignKey(key) => key,
        };
        let Some(values) = read_key(check, row, cx)? else { return Ok(()) };
        let nulls = values.iter().filter(|value| value.is_null()).count();
        if nulls > 0 && key.match_full && nulls < values.len() {
            return Err(mixed_nulls(key, &check.table).into());
        }
        if nulls > 0 {
            return Ok(());
        }
        let known = known_key(check, key, &values);
        if self.known.contains(&known) {
            return Ok(());
        }
        let probe = cx.constraints.borrow_mut().plans.probe(key, cx);
        if let Some(probe) = probe {
            let found = self.probe(&probe, &values, cx);
            if let Err(TxnError::Wait(_)) = &found {
                self.view = None;
            }
            return self.conclude(found?, check, key, &values, known, cx);
        }
        let params = values.clone();
        let purpose = Purpose::FindReferenced { check: check.clone(), values, known };
        self.start(key, Query::Referenced, params, purpose, cx)?;
        Ok(())
    }

    fn start_gone(&mut self, gone: Box<KeyGone>, cx: &mut ExecContext<'_>) -> SqlResult<()> {
        let of_delete = gone.new.is_none();
        let query = match gone.action() {
            ReferentialAction::NoAction => return self.start_again(gone, cx),
            ReferentialAction::Restrict => return self.start_referring(gone, cx),
            ReferentialAction::Cascade if of_delete => Query::Delete,
            ReferentialAction::Cascade => Query::Cascade,
            ReferentialAction::SetNull => Query::SetNull { of_delete },
            ReferentialAction::SetDefault => Query::SetDefault { of_delete },
        };
        let old = gone.old.iter().cloned();
        let params = match (&gone.new, query) {
            (Some(new), Query::Cascade) => new.iter().cloned().chain(old).collect(),
            _ => old.collect(),
        };
        self.known.clear();
        let key = gone.referenced.key.clone();
        self.start(&key, query, params, Purpose::Act(gone), cx)
    }

    fn start_again(&mut self, gone: Box<KeyGone>, cx: &mut ExecContext<'_>) -> SqlResult<()> {
        let key = gone.referenced.key.clone();
        self.start(&key, Query::Again, gone.old.to_vec(), Purpose::FindAgain(gone), cx)
    }

    fn start_referring(&mut self, gone: Box<KeyGone>, cx: &mut ExecContext<'_>) -> SqlResult<()> {
        let key = gone.referenced.key.clone();
        self.start(&key, Query::Referring, gone.old.to_vec(), Purpose::FindReferring(gone), cx)
    }

    /// Starts a statement of a foreign key.
    fn start(
        &mut self,
        key: &ForeignKeyDef,
        query: Query,
        params: Vec<Datum>,
        purpose: Purpose,
        cx: &mut ExecContext<'_>,
    ) -> SqlResult<()> {
        let plan = cx.constraints.borrow_mut().plans.plan(key, query, cx)?;
        // What was written so far is there for the statement, and not its own.
        cx.txn.continue_statement();
        let is_repeatable = cx.txn.isolation().keeps_its_snapshot();
        let finds_referenced = matches!(query, Query::Referenced | Query::Again);
        let view = match &self.view {
            Some(view) if finds_referenced => view.clone(),
            _ if finds_referenced && is_repeatable => cx.txn.view_with_own_writes(),
            _ => cx.txn.appended_view(),
        };
        self.view = finds_referenced.then(|| view.clone());
        let mut execution = Execution::inside_of_statement(plan.plan.clone(), params.into(), view);
        if is_repeatable && !finds_referenced {
            execution.expect_rows_in(cx.txn.view_with_own_writes());
        }
        self.running = Some(Running { execution: Box::new(execution), plan, purpose });
        Ok(())
    }

    /// Looks for a referenced row in its index.
    fn probe(&mut self, probe: &Probe, values: &[Datum], cx: &mut ExecContext<'_>) -> Result<bool, TxnError> {
        cx.txn.continue_statement();
        let view = match self.view.take() {
            Some(view) => view,
            None if cx.txn.isolation().keeps_its_snapshot() => cx.txn.view_with_own_writes(),
            None => cx.txn.appended_view(),
        };
        let found = probe.find(values, &view, cx.txn);
        self.view = Some(view);
        found
    }

    /// A referenced row was found and locked, or there is none: 23503.
    fn conclude(
        &mut self,
        found: bool,
        check: &OwnCheck,
        key: &ForeignKeyDef,
        values: &[Datum],
        known: Vec<u8>,
        cx: &mut ExecContext<'_>,
    ) -> Result<(), TxnError> {
        if found {
            if self.known.len() >= KNOWN_KEYS_MAX {
                self.known.clear();
            }
            self.known.insert(known);
            return Ok(());
        }
        let catalog = cx.system.catalog();
        let referenced = catalog.table_by_oid(key.referenced);
        let referenced = referenced.ok_or_else(|| SqlError::internal("a foreign key refers to no table"))?;
        cx.txn.depend_on_all_commits();
        Err(missing_key(key, &check.table, referenced, values, cx.functions.format).into())
    }

    /// Draws the conclusion of a statement that has ended.
    fn finish(&mut self, found: bool, cx: &mut ExecContext<'_>) -> SqlResult<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let format = cx.functions.format;
        match running.purpose {
            Purpose::FindReferenced { check, values, known } => {
                let OwnConstraint::ForeignKey(key) = &check.constraint else { return Ok(()) };
                return Ok(self.conclude(found, &check, key, &values, known, cx)?);
            }
            Purpose::FindAgain(_) if found => {}
            Purpose::FindAgain(gone) => self.start_referring(gone, cx)?,
            Purpose::FindReferring(gone) if found => {
                let key = &gone.referenced.key;
                let catalog = cx.system.catalog();
                let table = catalog.table_by_oid(key.table);
                let table = table.ok_or_else(|| SqlError::internal("a foreign key has no table"))?;
                cx.txn.depend_on_all_commits();
                return Err(still_referenced(key, table, &gone.referenced.table, &gone.old, format));
            }
            Purpose::FindReferring(_) => {}
            Purpose::Act(gone) => {
                self.view = None;
                self.add(running.execution.take_events(), cx)?;
                if gone.action() == ReferentialAction::SetDefault {
                    self.start_again(gone, cx)?;
                }
            }
        }
        Ok(())
    }
}

/// The values of a row's key as they are now; `None` when the row is gone.
fn read_key(check: &OwnCheck, row: RowId, cx: &ExecContext<'_>) -> Result<Option<Vec<Datum>>, TxnError> {
    let types = &*cx.functions.format.types;
    let newest = check.table.store.read_newest(cx.txn, row, |image, _| {
        let values = check.positions.iter().map(|position| Ok(current_value(image.datum(*position)?, types)?));
        values.collect::<Result<Vec<Datum>, TxnError>>()
    })?;
    match newest {
        Newest::Row(values) => values.map(Some),
        Newest::Gone => Ok(None),
        Newest::InFlight(wait) => Err(TxnError::Wait(wait)),
    }
}

fn check_unique(check: &OwnCheck, position: usize, row: RowId, cx: &mut ExecContext<'_>) -> Result<(), TxnError> {
    let store = &check.table.store;
    match store.check_unique(cx.txn, position, row) {
        Err(violation @ TxnError::UniqueViolation { .. }) => {
            let newest = store.read_newest(cx.txn, row, |image, _| image.datums())?;
            let Newest::Row(row) = newest else { return Ok(()) };
            Err(write_error(&check.table, &row?, violation, cx).into())
        }
        other => other,
    }
}

/// A referring key as bytes.
fn known_key(check: &OwnCheck, key: &ForeignKeyDef, values: &[Datum]) -> Vec<u8> {
    let mut bytes = key.oid.to_be_bytes().to_vec();
    for (position, value) in check.positions.iter().zip(values) {
        if let Some(column) = check.table.columns.get(*position) {
            let part = KeyColumn { column: *position, ty: column.ty, descending: false, nulls_first: false };
            key::encode(&mut bytes, value, &part);
        }
    }
    bytes
}

/// Which of the events that wait are to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// At COMMIT.
    All,
    /// After SET CONSTRAINTS: those whose constraints are immediate by now.
    Due,
}

/// Runs events that wait in a transaction.
pub struct DeferredFiring {
    firing: Option<Box<Firing>>,
    selection: Selection,
}

impl DeferredFiring {
    pub fn new(selection: Selection) -> DeferredFiring {
        DeferredFiring { firing: None, selection }
    }

    /// Goes on; `None` when nothing is left to do.
    pub fn step(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Option<Step>> {
        cx.check_cancel()?;
        loop {
            let firing = match &mut self.firing {
                Some(firing) => firing,
                None => {
                    let due = cx.constraints.borrow_mut().take_due(self.selection == Selection::All);
                    if due.is_empty() {
                        return Ok(None);
                    }
                    self.firing.insert(Box::new(Firing { queue: due.into(), ..Firing::default() }))
                }
            };
            if let Some(step) = firing.step(cx)? {
                return Ok(Some(step));
            }
            // What these have put off in their turn.
            self.firing = None;
        }
    }
}
