//! MERGE: each row of the join is inserted, updates or deletes its partner, or is left alone.
//!
//! ```text
//! row --> which clause --> write --+--> done
//!   ^        ^                     +--> in the way of an unfinished transaction: wait, then write again
//!   |        +---------------------+--> READ COMMITTED, changed meanwhile: newest version; ON again: another clause
//!   |                              +--> changed by this statement already: 21000
//!   +------------------------------+--> no clause, DO NOTHING, or inserted elsewhere
//! ```
//!
//! What always holds: a row that waits has written nothing, and its slots stay until it is done.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{CARDINALITY_VIOLATION, SqlError, SqlResult};
use nqdb_txn::{Modified, Newest, RowId, TxnError};
use nqdb_types::Datum;

use super::constraint::{CheckConstraint, check_row, write_error};
use super::expression::{Eval, Slot};
use super::insert::{Attempt, load_row};
use super::operator::PlanNode;
use super::runtime::Runtime;
use super::scan::RowAddress;
use crate::SystemColumn;
use crate::integrity::Watch;

#[derive(Clone, Debug)]
pub(crate) struct MergePlan {
    pub source: PlanNode,
    pub address: Slot,
    pub table: Arc<TableDef>,
    /// The slots of the matched row.
    pub old: Box<[(usize, Slot)]>,
    pub on: Eval,
    pub clauses: Box<[MergeWhen]>,
    /// The slots of the new row, for checks.
    pub row_slots: Box<[(usize, Slot)]>,
    pub checks: Box<[CheckConstraint]>,
    pub watch: Option<Arc<Watch>>,
}

#[derive(Clone, Debug)]
pub(crate) struct MergeWhen {
    pub matched: bool,
    pub condition: Option<Eval>,
    pub change: MergeChange,
}

#[derive(Clone, Debug)]
pub(crate) enum MergeChange {
    Nothing,
    Delete,
    Update(Box<[(usize, Eval)]>),
    Insert(Box<[(usize, Eval)]>),
}

/// The row at hand.
#[derive(Default)]
pub(crate) struct MergeState {
    /// The partner, as long as there is one.
    address: Option<RowAddress>,
    /// The clause that was chosen; none: it is to be chosen.
    chosen: Option<usize>,
    /// The newest version must be read before the next write.
    stale: bool,
    new: Vec<Datum>,
    /// The partner's values as the source gave them, when newer ones stand in their slots.
    given: Vec<Datum>,
}

impl MergePlan {
    /// Puts the values back that the source gave: it may go on to another row with the same partner.
    pub fn give_back(&self, state: &mut MergeState, rt: &mut Runtime<'_, '_>) {
        for ((_, slot), value) in self.old.iter().zip(state.given.drain(..)) {
            rt.frame.slots[*slot] = value;
        }
    }

    /// Takes the row that the join stands on.
    pub fn take(&self, state: &mut MergeState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.address = RowAddress::from_datum(&rt.frame.slots[self.address])?;
        state.stale = false;
        state.chosen = None;
        Ok(())
    }

    /// Tries to do what the row's clause says.
    pub fn attempt(&self, state: &mut MergeState, rt: &mut Runtime<'_, '_>) -> SqlResult<Attempt> {
        loop {
            if state.stale
                && let Some(attempt) = self.read_newest(state, rt)?
            {
                return Ok(attempt);
            }
            if state.chosen.is_none() {
                state.chosen = self.choose(state, rt)?;
            }
            let Some(clause) = state.chosen.and_then(|chosen| self.clauses.get(chosen)) else {
                rt.cx.txn.leave_row_queue();
                return Ok(Attempt::Skipped);
            };
            let store = &self.table.store;
            let mut inserted = None;
            let result = match (&clause.change, state.address) {
                (MergeChange::Nothing, _) => {
                    rt.cx.txn.leave_row_queue();
                    return Ok(Attempt::Skipped);
                }
                (MergeChange::Insert(_), _) => store.insert(rt.cx.txn, &state.new).map(|row_id| {
                    inserted = Some(row_id);
                    Modified::Done
                }),
                (MergeChange::Update(_), Some(at)) => store.update(rt.cx.txn, at.row_id, at.version, &state.new),
                (MergeChange::Delete, Some(at)) => store.delete(rt.cx.txn, at.row_id, at.version),
                (_, None) => return Err(SqlError::internal("a MERGE changes a row that does not match")),
            };
            match result {
                Ok(Modified::Done) => {
                    self.note(inserted, &clause.change, state, rt)?;
                    return Ok(Attempt::Done);
                }
                Ok(Modified::OwnStatement) => return Err(second_time()),
                Ok(Modified::Changed) => state.stale = true,
                Ok(Modified::Gone) => {
                    state.address = None;
                    state.chosen = None;
                }
                Err(TxnError::Wait(wait)) => return Ok(Attempt::Wait(wait)),
                Err(error) => return Err(write_error(&self.table, &state.new, error, rt.cx)),
            }
        }
    }

    /// Notes what has to be checked because of the row.
    fn note(
        &self,
        inserted: Option<RowId>,
        change: &MergeChange,
        state: &MergeState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let old = |position: usize, rt: &Runtime<'_, '_>| {
            let slot = self.old.iter().find(|(known, _)| *known == position).map(|(_, slot)| *slot);
            slot.and_then(|slot| rt.frame.slots.get(slot)).cloned().unwrap_or_default()
        };
        match (inserted, change, state.address) {
            (Some(row_id), ..) => {
                watch.inserted(row_id, 1, rt);
                Ok(())
            }
            (None, MergeChange::Update(_), Some(at)) => watch.updated(at.row_id, &old, &state.new, rt),
            (None, MergeChange::Delete, _) => watch.deleted(&old, rt),
            _ => Ok(()),
        }
    }

    /// The clause that fits, with the new row computed.
    fn choose(&self, state: &mut MergeState, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<usize>> {
        let matched = state.address.is_some();
        for (number, clause) in self.clauses.iter().enumerate().filter(|(_, clause)| clause.matched == matched) {
            let fits = match &clause.condition {
                Some(condition) => condition.passes(rt)?,
                None => true,
            };
            if !fits {
                continue;
            }
            match &clause.change {
                MergeChange::Nothing | MergeChange::Delete => {}
                MergeChange::Update(set) => self.build(set, true, state, rt)?,
                MergeChange::Insert(values) => self.build(values, false, state, rt)?,
            }
            return Ok(Some(number));
        }
        Ok(None)
    }

    fn build(
        &self,
        values: &[(usize, Eval)],
        keeps_old: bool,
        state: &mut MergeState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<()> {
        state.new.clear();
        state.new.resize(self.table.columns.len(), Datum::Null);
        if keeps_old {
            for (position, slot) in self.old.iter().filter(|(position, _)| SystemColumn::at(*position).is_none()) {
                state.new[*position].clone_from(&rt.frame.slots[*slot]);
            }
        }
        for (position, value) in values {
            state.new[*position] = value.eval(rt)?;
        }
        for (position, slot) in &self.row_slots {
            rt.frame.slots[*slot].clone_from(&state.new[*position]);
        }
        check_row(&self.table, &self.checks, &state.new, rt)
    }

    /// Loads the newest version of the partner; says how the attempt ends when it ends here.
    fn read_newest(&self, state: &mut MergeState, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<Attempt>> {
        let Some(address) = state.address.as_mut() else { return Err(SqlError::internal("no row to read again")) };
        if state.given.is_empty() {
            state.given.extend(self.old.iter().map(|(_, slot)| rt.frame.slots[*slot].clone()));
        }
        let mut loaded = Ok(());
        let newest = self.table.store.read_newest(rt.cx.txn, address.row_id, |image, version| {
            let types = &*rt.cx.functions.format.types;
            loaded = load_row(
                &self.table,
                &self.old,
                (address.row_id, version),
                &image,
                types,
                &mut rt.frame.slots,
                &mut state.new,
            );
            version
        })?;
        loaded?;
        let still_there = match newest {
            Newest::Row(version) => {
                address.version = version;
                true
            }
            Newest::Gone => false,
            Newest::InFlight(wait) => return Ok(Some(Attempt::Wait(wait))),
        };
        state.stale = false;
        state.chosen = None;
        if !still_there || !self.on.passes(rt)? {
            rt.cx.txn.leave_row_queue();
            state.address = None;
        }
        Ok(None)
    }
}

fn second_time() -> SqlError {
    SqlError::new(CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time")
        .with_hint("Ensure that not more than one source row matches any one target row.")
}
