//! UPDATE and DELETE of the rows that a scan finds.
//!
//! ```text
//! scan --> new row --> write --+--> done
//!   ^                          +--> in the way of an unfinished transaction: wait, then write again
//!   |                          +--> READ COMMITTED, changed meanwhile: newest version, condition again, new row again
//!   +--------------------------+--> gone, or written by this statement already: next row
//! ```
//!
//! What always holds:
//! 1. The scan sees the statement's view only, so a row that moved within an index is not met twice.
//! 2. The condition is tested again on the newest version as a whole, those parts included that chose the index
//!    range; its subqueries see the statement's view.
//! 3. A row that waits has written nothing; its slots stay until it is done.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{SERIALIZATION_FAILURE, SqlError, SqlResult};
use nqdb_txn::{Modified, Newest, TxnError};
use nqdb_types::Datum;

use super::constraint::{CheckConstraint, check_row, write_error};
use super::expression::{Eval, Slot};
use super::insert::{Attempt, load_row, show_written};
use super::operator::PlanNode;
use super::runtime::Runtime;
use super::scan::RowAddress;
use crate::SystemColumn;
use crate::integrity::Watch;

/// The plan of an UPDATE or DELETE.
#[derive(Clone, Debug)]
pub(crate) struct ModifyPlan {
    pub source: PlanNode,
    /// The slot with the address of the row, where it comes out of a join; else the scan says it.
    pub address: Option<Slot>,
    pub table: Arc<TableDef>,
    /// The slots of the old row.
    pub old: Box<[(usize, Slot)]>,
    /// The whole WHERE condition, for the newest version of a row.
    pub recheck: Option<Eval>,
    /// None: DELETE.
    pub update: Option<UpdatePlan>,
    pub returning: Option<Box<[Eval]>>,
    pub watch: Option<Arc<Watch>>,
}

#[derive(Clone, Debug)]
pub(crate) struct UpdatePlan {
    pub set: Box<[(usize, Eval)]>,
    /// The slots of the new row, for checks and RETURNING; none when nothing reads them.
    pub row_slots: Box<[(usize, Slot)]>,
    /// Where the system columns of the new row go.
    pub system_slots: Box<[(usize, Slot)]>,
    /// Generated columns, computed over `row_slots`.
    pub generated: Box<[(usize, Eval)]>,
    pub checks: Box<[CheckConstraint]>,
}

/// The row at hand.
#[derive(Default)]
pub(crate) struct ModifyState {
    address: Option<RowAddress>,
    new: Vec<Datum>,
    /// The newest version must be read before the next write.
    stale: bool,
    /// The old row's values as the source gave them, when newer ones stand in their slots.
    given: Vec<Datum>,
}

impl ModifyPlan {
    /// Takes the row that the scan stands on.
    pub fn take(&self, state: &mut ModifyState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let address = match self.address {
            Some(slot) => RowAddress::from_datum(&rt.frame.slots[slot])?,
            None => rt.frame.target.take(),
        };
        state.address = Some(address.ok_or_else(|| SqlError::internal("a scan gave no address of its row"))?);
        state.stale = false;
        self.expect_row(state, rt)?;
        self.build(state, rt)
    }

    /// Puts the values back that the source gave: it may go on to another partner of the same row.
    pub fn give_back(&self, state: &mut ModifyState, rt: &mut Runtime<'_, '_>) {
        for ((_, slot), value) in self.old.iter().zip(state.given.drain(..)) {
            rt.frame.slots[*slot] = value;
        }
    }

    /// Tries to write the row.
    pub fn attempt(&self, state: &mut ModifyState, rt: &mut Runtime<'_, '_>) -> SqlResult<Attempt> {
        let mut address = state.address.ok_or_else(|| SqlError::internal("there is no row to write"))?;
        loop {
            if state.stale {
                match self.read_newest(state, &mut address, rt)? {
                    Some(attempt) => return Ok(attempt),
                    None => state.stale = false,
                }
            }
            let store = &self.table.store;
            let result = match &self.update {
                Some(_) => store.update(rt.cx.txn, address.row_id, address.version, &state.new),
                None => store.delete(rt.cx.txn, address.row_id, address.version),
            };
            match result {
                Ok(Modified::Done) => {
                    if let Some(update) = &self.update {
                        show_written(&self.table, &update.system_slots, address.row_id, rt)?;
                    }
                    self.note(address, state, rt)?;
                    return Ok(Attempt::Done);
                }
                Ok(Modified::Gone | Modified::OwnStatement) => return Ok(Attempt::Skipped),
                Ok(Modified::Changed) => state.stale = true,
                Err(TxnError::Wait(wait)) => return Ok(Attempt::Wait(wait)),
                Err(error) => return Err(write_error(&self.table, &state.new, error, rt.cx)),
            }
        }
    }

    /// Notes what has to be checked because of the row.
    fn note(&self, address: RowAddress, state: &ModifyState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let old = |position: usize, rt: &Runtime<'_, '_>| {
            let slot = self.old.iter().find(|(known, _)| *known == position).map(|(_, slot)| *slot);
            slot.and_then(|slot| rt.frame.slots.get(slot)).cloned().unwrap_or_default()
        };
        match &self.update {
            Some(_) => watch.updated(address.row_id, &old, &state.new, rt),
            None => watch.deleted(&old, rt),
        }
    }

    /// 40001 for a row that an action of a foreign key found outside of the transaction's snapshot.
    fn expect_row(&self, state: &ModifyState, rt: &Runtime<'_, '_>) -> SqlResult<()> {
        let (Some(expected), Some(address)) = (&rt.frame.expected, state.address) else { return Ok(()) };
        if self.table.store.fetch(expected, address.row_id, |_, version| version)? == Some(address.version) {
            return Ok(());
        }
        let message = "could not serialize access due to concurrent update";
        Err(SqlError::new(SERIALIZATION_FAILURE, message))
    }

    /// Loads the newest version and computes the new row again; says how the attempt ends when it ends here.
    fn read_newest(
        &self,
        state: &mut ModifyState,
        address: &mut RowAddress,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Option<Attempt>> {
        if self.address.is_some() && state.given.is_empty() {
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
        match newest {
            Newest::Row(version) => address.version = version,
            Newest::Gone => return Ok(Some(Attempt::Skipped)),
            Newest::InFlight(wait) => return Ok(Some(Attempt::Wait(wait))),
        }
        state.address = Some(*address);
        if let Some(recheck) = &self.recheck
            && !recheck.passes(rt)?
        {
            rt.cx.txn.leave_row_queue();
            return Ok(Some(Attempt::Skipped));
        }
        self.build(state, rt)?;
        Ok(None)
    }

    /// Computes the new row out of the old one's slots, and checks it.
    fn build(&self, state: &mut ModifyState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let Some(update) = &self.update else { return Ok(()) };
        state.new.clear();
        state.new.resize(self.table.columns.len(), Datum::Null);
        for (position, slot) in self.old.iter().filter(|(position, _)| SystemColumn::at(*position).is_none()) {
            state.new[*position].clone_from(&rt.frame.slots[*slot]);
        }
        for (position, value) in &update.set {
            state.new[*position] = value.eval(rt)?;
        }
        for (position, slot) in &update.row_slots {
            rt.frame.slots[*slot].clone_from(&state.new[*position]);
        }
        for (position, value) in &update.generated {
            state.new[*position] = value.eval(rt)?;
        }
        if !update.generated.is_empty() {
            for (position, slot) in &update.row_slots {
                rt.frame.slots[*slot].clone_from(&state.new[*position]);
            }
        }
        check_row(&self.table, &update.checks, &state.new, rt)
    }
}
