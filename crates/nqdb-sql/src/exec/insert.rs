//! INSERT, with ON CONFLICT; also what COPY FROM does with each of its rows.
//!
//! ```text
//!           +--> stored
//! insert ---+--> in the way of an unfinished transaction: wait, then insert again
//!           +--> unique violation --+--> no arbiter: 23505
//!                                   +--> DO NOTHING: skip
//!                                   +--> DO UPDATE: newest version --+--> gone: insert again
//!                                                                    +--> unfinished: wait, then look again
//!                                                                    +--> update --> changed meanwhile: look again
//! ```
//!
//! What always holds:
//! 1. A row is computed once: a wait repeats the attempt, not the expressions.
//! 2. A row that waits has written nothing.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{CARDINALITY_VIOLATION, SERIALIZATION_FAILURE, SqlError, SqlResult};
use nqdb_txn::Direction;
use nqdb_txn::{Modified, Newest, ReadView, RowId, RowImage, RowLock, RowVersion, TxnError, Wait};
use nqdb_types::{Datum, TypeCatalog, current_value};

use super::constraint::{CheckConstraint, check_row, write_error};
use super::expression::{Eval, Slot};
use super::operator::PlanNode;
use super::runtime::Runtime;
use crate::SystemColumn;
use crate::integrity::Watch;

/// How an attempt at one row ended.
pub(crate) enum Attempt {
    /// The row is in the table, or was changed there.
    Done,
    /// There is nothing to do for it.
    Skipped,
    Wait(Wait),
}

/// The plan of an INSERT.
#[derive(Clone, Debug)]
pub(crate) struct InsertPlan {
    pub source: PlanNode,
    pub source_slots: Box<[Slot]>,
    pub target: InsertTarget,
    pub returning: Option<Box<[Eval]>>,
}

/// Where rows go, and how a row becomes complete.
#[derive(Clone, Debug)]
pub(crate) struct InsertTarget {
    pub table: Arc<TableDef>,
    /// The position in the table of each value of the source.
    pub positions: Box<[usize]>,
    pub defaults: Box<[(usize, Eval)]>,
    /// The slots of the new row, for checks, RETURNING and EXCLUDED; none when nothing reads them.
    pub row_slots: Box<[(usize, Slot)]>,
    /// Where the system columns of the stored row go.
    pub system_slots: Box<[(usize, Slot)]>,
    /// Generated columns, computed over `row_slots`.
    pub generated: Box<[(usize, Eval)]>,
    pub checks: Box<[CheckConstraint]>,
    pub watch: Option<Arc<Watch>>,
    pub on_conflict: Option<ConflictPlan>,
}

#[derive(Clone, Debug)]
pub(crate) struct ConflictPlan {
    /// Positions in `TableStore::indexes`.
    pub arbiters: Box<[usize]>,
    /// None: DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

#[derive(Clone, Debug)]
pub(crate) struct ConflictUpdate {
    pub existing: Box<[(usize, Slot)]>,
    pub set: Box<[(usize, Eval)]>,
    pub predicate: Option<Eval>,
}

/// The row at hand.
#[derive(Default)]
pub(crate) struct InsertState {
    pub row: Vec<Datum>,
    /// The row that is in the way and is to be updated.
    conflict: Option<RowId>,
}

impl InsertTarget {
    /// Computes the row from the source's values and checks it; false when it does not pass the condition (COPY's
    /// WHERE).
    pub fn build(
        &self,
        values: impl Iterator<Item = Datum>,
        state: &mut InsertState,
        predicate: Option<&Eval>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<bool> {
        state.conflict = None;
        state.row.clear();
        state.row.resize(self.table.columns.len(), Datum::Null);
        for (position, value) in self.positions.iter().zip(values) {
            state.row[*position] = value;
        }
        for (position, default) in &self.defaults {
            state.row[*position] = default.eval(rt)?;
        }
        self.complete_row(&mut state.row, rt)?;
        if let Some(predicate) = predicate
            && !predicate.passes(rt)?
        {
            return Ok(false);
        }
        check_row(&self.table, &self.checks, &state.row, rt)?;
        Ok(true)
    }

    /// Tries to store the row.
    pub fn attempt(&self, state: &mut InsertState, rt: &mut Runtime<'_, '_>) -> SqlResult<Attempt> {
        loop {
            if let Some(row_id) = state.conflict {
                match self.attempt_update(row_id, state, rt)? {
                    Some(attempt) => return Ok(attempt),
                    None => state.conflict = None,
                }
            }
            match self.table.store.insert(rt.cx.txn, &state.row) {
                Ok(row_id) => {
                    if let Some(watch) = &self.watch {
                        watch.inserted(row_id, 1, rt);
                    }
                    show_written(&self.table, &self.system_slots, row_id, rt)?;
                    return Ok(Attempt::Done);
                }
                Err(TxnError::Wait(wait)) => return Ok(Attempt::Wait(wait)),
                Err(TxnError::UniqueViolation { index, row_id }) => {
                    match self.arbiter_conflict(index, row_id, &state.row, rt)? {
                        Some(row_id) => {
                            if rt.cx.txn.isolation().keeps_its_snapshot() {
                                self.require_visible(row_id, rt)?;
                            }
                            if !self.updates_conflicts() {
                                return Ok(Attempt::Skipped);
                            }
                            state.conflict = Some(row_id);
                        }
                        None => {
                            let error = TxnError::UniqueViolation { index, row_id };
                            return Err(write_error(&self.table, &state.row, error, rt.cx));
                        }
                    }
                }
                Err(error) => return Err(write_error(&self.table, &state.row, error, rt.cx)),
            }
        }
    }

    /// The row that conflicts in an index of ON CONFLICT. The store may have met another index first; then
    /// the arbiters are looked at in their turn, as PostgreSQL looks at them before it inserts.
    fn arbiter_conflict(
        &self,
        index: usize,
        row_id: RowId,
        row: &[Datum],
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Option<RowId>> {
        let Some(conflict) = &self.on_conflict else { return Ok(None) };
        if conflict.arbiters.contains(&index) {
            return Ok(Some(row_id));
        }
        // What others have committed, synced or not, and what this transaction wrote, this statement included.
        let view = rt.cx.txn.appended_view();
        for arbiter in &conflict.arbiters {
            if let Some(row_id) = self.find_key(*arbiter, row, &view)? {
                // What the client is told was seen in it.
                rt.cx.txn.depend_on_all_commits();
                return Ok(Some(row_id));
            }
        }
        Ok(None)
    }

    /// The row that a view shows under the key of `row` in a unique index.
    fn find_key(&self, index: usize, row: &[Datum], view: &ReadView) -> SqlResult<Option<RowId>> {
        let store = &self.table.store;
        let Some(definition) = store.indexes.get(index) else { return Ok(None) };
        // A row without an entry is in nobody's way, and neither is one whose key equals no other.
        let Some(values) = store.key_values(index, row)? else { return Ok(None) };
        if !definition.nulls_not_distinct && values.iter().any(Datum::is_null) {
            return Ok(None);
        }
        let prefix = definition.key_prefix(&values);
        let upper = nqdb_txn::IndexStore::prefix_end(&prefix);
        let mut scan = store.index_scan(index, view.clone(), Bound::Included(prefix), upper, Direction::Forward);
        loop {
            let mut found = None;
            let more = scan.next_batch(&mut |row_id, _: RowVersion, _: RowImage<'_>| {
                found = Some(row_id);
                ControlFlow::Break(())
            })?;
            if found.is_some() || !more {
                return Ok(found);
            }
        }
    }

    fn updates_conflicts(&self) -> bool {
        self.on_conflict.as_ref().is_some_and(|conflict| conflict.update.is_some())
    }

    /// 40001 when the row was committed after the snapshot that the whole transaction has.
    fn require_visible(&self, row_id: RowId, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let store = &self.table.store;
        let own = rt.cx.txn.view_with_own_writes();
        if store.fetch(rt.view, row_id, |_, _| ())?.is_some() || store.fetch(&own, row_id, |_, _| ())?.is_some() {
            return Ok(());
        }
        let message = "could not serialize access due to concurrent update";
        Err(SqlError::new(SERIALIZATION_FAILURE, message))
    }

    /// DO UPDATE of the row that is in the way; `None` when it is gone and the insert is to be tried again.
    fn attempt_update(
        &self,
        row_id: RowId,
        state: &mut InsertState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Option<Attempt>> {
        let update = self.on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
        let update = update.ok_or_else(|| SqlError::internal("a conflict without DO UPDATE"))?;
        loop {
            let store = &self.table.store;
            let mut loaded = Ok(());
            let mut old = Vec::new();
            let newest = store.read_newest(rt.cx.txn, row_id, |image, version| {
                let types = &*rt.cx.functions.format.types;
                loaded = load_row(
                    &self.table,
                    &update.existing,
                    (row_id, version),
                    &image,
                    types,
                    &mut rt.frame.slots,
                    &mut old,
                );
                version
            })?;
            loaded?;
            let version = match newest {
                Newest::Row(version) => version,
                Newest::Gone => return Ok(None),
                Newest::InFlight(wait) => return Ok(Some(Attempt::Wait(wait))),
            };
            if self.is_of_this_statement(row_id, version, rt)? {
                return Err(second_time());
            }
            let is_wanted = update.predicate.as_ref().map_or(Ok(true), |predicate| predicate.passes(rt))?;
            let mut new = old.clone();
            let result = if is_wanted {
                for (position, value) in &update.set {
                    new[*position] = value.eval(rt)?;
                }
                self.complete_row(&mut new, rt)?;
                check_row(&self.table, &self.checks, &new, rt)?;
                self.table.store.update(rt.cx.txn, row_id, version, &new)
            } else {
                // The row stays as it is until this transaction ends: the condition was true of it.
                self.table.store.lock_row(rt.cx.txn, row_id, version, RowLock::NoKeyUpdate)
            };
            match result {
                Ok(Modified::Done) if !is_wanted => return Ok(Some(Attempt::Skipped)),
                Ok(Modified::Done) => {
                    if let Some(watch) = &self.watch {
                        let value =
                            |position: usize, _: &Runtime<'_, '_>| old.get(position).cloned().unwrap_or_default();
                        watch.updated(row_id, &value, &new, rt)?;
                    }
                    show_written(&self.table, &self.system_slots, row_id, rt)?;
                    return Ok(Some(Attempt::Done));
                }
                Ok(Modified::Changed) => self.show_row(&state.row, rt),
                Ok(Modified::Gone) => {
                    self.show_row(&state.row, rt);
                    return Ok(None);
                }
                Ok(Modified::OwnStatement) => return Err(second_time()),
                Err(TxnError::Wait(wait)) => {
                    self.show_row(&state.row, rt);
                    return Ok(Some(Attempt::Wait(wait)));
                }
                Err(error) => return Err(write_error(&self.table, &new, error, rt.cx)),
            }
        }
    }

    /// Whether the statement at hand wrote this version: its own view does not show it, one with all own writes does.
    fn is_of_this_statement(&self, row_id: RowId, version: RowVersion, rt: &Runtime<'_, '_>) -> SqlResult<bool> {
        if !rt.cx.txn.has_written() {
            return Ok(false);
        }
        let store = &self.table.store;
        let own = rt.cx.txn.view_with_own_writes();
        let before = store.fetch(rt.view, row_id, |_, version| version)?;
        let after = store.fetch(&own, row_id, |_, version| version)?;
        Ok(after == Some(version) && before != Some(version))
    }

    /// Computes the generated columns of a row, and puts it into its slots.
    fn complete_row(&self, row: &mut [Datum], rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        self.show_row(row, rt);
        if !self.generated.is_empty() {
            for (position, value) in &self.generated {
                row[*position] = value.eval(rt)?;
            }
            self.show_row(row, rt);
        }
        Ok(())
    }

    /// Puts a row into the slots that checks, RETURNING and EXCLUDED read.
    fn show_row(&self, row: &[Datum], rt: &mut Runtime<'_, '_>) {
        for (position, slot) in &self.row_slots {
            rt.frame.slots[*slot].clone_from(&row[*position]);
        }
    }
}

/// Decodes a whole row into a vector and, where they are wanted, into slots.
pub(crate) fn load_row(
    table: &TableDef,
    columns: &[(usize, Slot)],
    (row_id, version): (RowId, RowVersion),
    image: &RowImage<'_>,
    types: &dyn TypeCatalog,
    slots: &mut [Datum],
    row: &mut Vec<Datum>,
) -> Result<(), TxnError> {
    row.clear();
    row.resize(table.columns.len(), Datum::Null);
    for (position, _) in table.live_columns() {
        row[position] = current_value(image.datum(position)?, types)?;
    }
    for (position, slot) in columns {
        match SystemColumn::at(*position) {
            None => slots[*slot].clone_from(&row[*position]),
            Some(system) => slots[*slot] = system.value(table.oid, row_id, version)?,
        }
    }
    Ok(())
}

/// Puts the system columns of a row that this transaction just wrote into their slots.
pub(crate) fn show_written(
    table: &TableDef,
    slots: &[(usize, Slot)],
    row: RowId,
    rt: &mut Runtime<'_, '_>,
) -> SqlResult<()> {
    let xid = rt.cx.txn.xid().map_or(0, |xid| xid.0);
    for (position, slot) in slots {
        if let Some(system) = SystemColumn::at(*position) {
            rt.frame.slots[*slot] = system.value_written_by(table.oid, row, xid)?;
        }
    }
    Ok(())
}

fn second_time() -> SqlError {
    SqlError::new(CARDINALITY_VIOLATION, "ON CONFLICT DO UPDATE command cannot affect row a second time").with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
