//! Locks the rows that come out of a query: FOR UPDATE and its relatives.
//!
//! ```text
//! row --> lock each of its tables' rows --+--> all locked: out
//!   ^                                     +--> held by another: wait, 55P03, or next row
//!   |                                     +--> READ COMMITTED, changed meanwhile: newest version, lock that
//!   +-- gone, or the condition fails -----+         then the condition again, and the columns computed of the row
//! ```
//!
//! What always holds: a row that is waited for stays in its slots; the wait leaves through [`Frame::wait`].

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{LOCK_NOT_AVAILABLE, SqlError, SqlResult};
use nqdb_txn::{Modified, Newest, RowLock, TxnError, Wait};
use nqdb_types::Datum;

use super::expression::{Eval, Slot};
use super::insert::load_row;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use super::scan::RowAddress;
use crate::ir::LockWait;

#[derive(Clone, Debug)]
pub(crate) struct LockRows {
    pub input: Box<PlanNode>,
    pub locks: Box<[LockedRow]>,
    /// For a row that has changed.
    pub recheck: Option<Eval>,
    pub recompute: Box<[(Slot, Eval)]>,
}

/// One table's row.
#[derive(Clone, Debug)]
pub(crate) struct LockedRow {
    pub table: Arc<TableDef>,
    pub address: Slot,
    pub columns: Box<[(usize, Slot)]>,
    pub mode: RowLock,
    pub wait: LockWait,
}

pub(crate) struct LockRowsState {
    input: State,
    /// The next lock of the row at hand; none when there is no row.
    next: Option<usize>,
    changed: bool,
    row: Vec<Datum>,
}

/// How an attempt at one lock ended.
enum Locked {
    Yes,
    /// The row is not to be given out.
    Skip,
    Wait(Wait),
}

impl LockRows {
    pub fn new_state(&self) -> LockRowsState {
        LockRowsState { input: self.input.new_state(), next: None, changed: false, row: Vec::new() }
    }

    pub fn open(&self, state: &mut LockRowsState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.next = None;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut LockRowsState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            if state.next.is_none() {
                let pull = self.input.next(&mut state.input, rt)?;
                if pull != Pull::Row {
                    return Ok(pull);
                }
                state.next = Some(0);
                state.changed = false;
            }
            match self.lock_all(state, rt)? {
                Locked::Yes => {
                    state.next = None;
                    if !state.changed || self.still_fits(rt)? {
                        return Ok(Pull::Row);
                    }
                }
                Locked::Skip => state.next = None,
                Locked::Wait(wait) => {
                    rt.wait_for(wait)?;
                    return Ok(Pull::Yield);
                }
            }
        }
    }

    fn lock_all(&self, state: &mut LockRowsState, rt: &mut Runtime<'_, '_>) -> SqlResult<Locked> {
        while let Some(lock) = state.next.and_then(|next| self.locks.get(next)) {
            match lock.lock(state, rt)? {
                Locked::Yes => state.next = state.next.map(|next| next + 1),
                other => return Ok(other),
            }
        }
        Ok(Locked::Yes)
    }

    /// Tests the condition on what the row is now, and computes what is made of it.
    fn still_fits(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        if let Some(recheck) = &self.recheck
            && !recheck.passes(rt)?
        {
            return Ok(false);
        }
        for (slot, value) in &self.recompute {
            rt.frame.slots[*slot] = value.eval(rt)?;
        }
        Ok(true)
    }
}

impl LockedRow {
    fn lock(&self, state: &mut LockRowsState, rt: &mut Runtime<'_, '_>) -> SqlResult<Locked> {
        let Some(mut address) = RowAddress::from_datum(&rt.frame.slots[self.address])? else {
            return Ok(Locked::Yes);
        };
        loop {
            match self.table.store.lock_row(rt.cx.txn, address.row_id, address.version, self.mode) {
                Ok(Modified::Done) => return Ok(Locked::Yes),
                Ok(Modified::Gone | Modified::OwnStatement) => return Ok(Locked::Skip),
                Ok(Modified::Changed) => {}
                Err(TxnError::Wait(wait)) => return self.answer_wait(wait),
                // PostgreSQL tells a locked row that was deleted from no other.
                Err(TxnError::SerializationFailure { .. }) => {
                    return Err(TxnError::SerializationFailure { deleted: false }.into());
                }
                Err(error) => return Err(error.into()),
            }
            let mut loaded = Ok(());
            let newest = self.table.store.read_newest(rt.cx.txn, address.row_id, |image, version| {
                let types = &*rt.cx.functions.format.types;
                loaded = load_row(
                    &self.table,
                    &self.columns,
                    (address.row_id, version),
                    &image,
                    types,
                    &mut rt.frame.slots,
                    &mut state.row,
                );
                version
            })?;
            loaded?;
            match newest {
                Newest::Row(version) => address.version = version,
                Newest::Gone => return Ok(Locked::Skip),
                Newest::InFlight(wait) => return self.answer_wait(wait),
            }
            state.changed = true;
            rt.frame.slots[self.address] = address.to_datum();
        }
    }

    fn answer_wait(&self, wait: Wait) -> SqlResult<Locked> {
        match (self.wait, wait) {
            (LockWait::SkipLocked, Wait::Txn(_)) => Ok(Locked::Skip),
            (LockWait::NoWait, Wait::Txn(_)) => {
                let message = format!("could not obtain lock on row in relation \"{}\"", self.table.name);
                Err(SqlError::new(LOCK_NOT_AVAILABLE, message))
            }
            (_, wait) => Ok(Locked::Wait(wait)),
        }
    }
}
