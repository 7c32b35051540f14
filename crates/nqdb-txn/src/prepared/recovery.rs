//! Prepared transactions of an earlier start: back to what they were before it.
//!
//! The replay of the log has their changes and their states. Undo positions mean nothing after a restart, but those of a
//! prepared transaction are read: by who must not see its changes, and by purge. So its undo is built anew, oldest change first, and
//! each row gets the new position into its header, where the next change of the row finds it as the version before:
//!
//! ```text
//! page      row: header {xid, position} | image            the newest version
//! undo      n: key, header before ──────┐                  each edit of the page is logged; begun again it does the same
//!           1: key, header before <─────┘
//! ```
//!
//! Then the locks are taken again, before anybody can ask for one.

use crate::error::{Result, TxnError};
use crate::ids::{RowId, UndoPosition, Xid};
use crate::prepared::{PreparedFacts, PreparedState};
use crate::record::{Change, ChangeKind};
use crate::relation_lock::LockTarget;
use crate::system::TxnSystem;
use crate::transaction::{Suspended, rollback_log_bytes};
use crate::undo::UndoWriter;
use crate::view::{HEADER_BYTES, RowHeader};
use crate::wait::Running;
use nqdb_storage::tree::{EditNeed, Tree};
use nqdb_storage::{Lsn, TreeId};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A prepared transaction as the log tells of it.
pub(crate) struct FoundPrepared {
    pub(crate) xid: Xid,
    /// Where its log begins.
    pub(crate) begin: Lsn,
    pub(crate) undo: UndoWriter,
    pub(crate) state: PreparedState,
}

/// Makes a transaction that was found what it was before the stop.
pub(crate) fn revive(system: &TxnSystem, found: FoundPrepared) -> Result<()> {
    let FoundPrepared { xid, undo, state, .. } = found;
    let running = Arc::new(Running::new(system.new_owner()));
    running.process_id.store(0, Ordering::Relaxed);
    running.set_xid(xid);
    system.enter_running(xid, &running);
    let (undo, credit_promised) = rebuild_undo(system, xid, undo)?;
    take_locks(system, &running, &state)?;
    let tracked = state.serial.as_ref().map(|serial| system.serial().revive(&running, xid, serial));
    let facts = PreparedFacts { label: state.label, xid, owner: running.owner, is_recovered: true };
    let suspended = Suspended {
        undo,
        credit_promised,
        tracked,
        held_relations: state.relations,
        held_rows: state.rows,
        held_advisory: state.advisory,
        ..Suspended::without_room(running, xid, UndoWriter::new(system.undo().clone()))
    };
    system.prepared().recovered(facts, suspended)
}

fn take_locks(system: &TxnSystem, running: &Arc<Running>, state: &PreparedState) -> Result<()> {
    let relations = state.relations.iter().map(|(relation, mode)| (LockTarget::Relation(*relation), *mode));
    let advisory = state.advisory.iter().map(|(key, mode)| (LockTarget::Advisory(*key), *mode));
    for (target, mode) in relations.chain(advisory) {
        if !system.relation_locks().try_lock(running.owner, target, mode)? {
            return Err(TxnError::corrupt(format!("two prepared transactions hold {} on {target}", mode.name())));
        }
    }
    for (table, row, mode) in &state.rows {
        system.row_locks().lock(running, *table, *row, *mode)?;
    }
    Ok(())
}

/// Writes the undo once more, with positions that lead to it. Answers also with the log bytes that undoing takes.
fn rebuild_undo(system: &TxnSystem, xid: Xid, old: UndoWriter) -> Result<(UndoWriter, usize)> {
    let mut positions = Vec::with_capacity(old.steps() as usize);
    let mut at = old.last();
    while at != UndoPosition::NONE {
        positions.push(at);
        at = system.undo().read(at, |record| record.previous)?;
    }
    let mut undo = UndoWriter::new(system.undo().clone());
    let mut credit = 0;
    for position in positions.into_iter().rev() {
        let step = Step::read(system, position)?;
        undo.prepare(1, step.key.len() + step.image.len())?;
        credit += rollback_log_bytes(&step.change([0, 0]));
        step.rebuild(system, xid, &mut undo)?;
    }
    drop(old.finish());
    Ok((undo, credit))
}

/// A change, owned.
struct Step {
    kind: ChangeKind,
    step: u32,
    table: u32,
    tree: TreeId,
    header: [u64; 2],
    was_marked: bool,
    key: Vec<u8>,
    image: Vec<u8>,
    run_len: u32,
}

impl Step {
    fn read(system: &TxnSystem, position: UndoPosition) -> Result<Step> {
        system.undo().read(position, |record| {
            let change = &record.change;
            Step {
                kind: change.kind,
                step: change.step,
                table: change.table,
                tree: change.tree,
                header: change.header,
                was_marked: change.was_marked,
                key: change.key.to_vec(),
                image: change.image.to_vec(),
                run_len: change.run_len(),
            }
        })
    }

    fn change(&self, header: [u64; 2]) -> Change<'_> {
        Change {
            kind: self.kind,
            step: self.step,
            table: self.table,
            tree: self.tree,
            header,
            was_marked: self.was_marked,
            key: &self.key,
            image: &self.image,
        }
    }

    /// Appends the change to `undo`. A change of rows also makes their headers lead to it.
    fn rebuild(&self, system: &TxnSystem, xid: Xid, undo: &mut UndoWriter) -> Result<()> {
        match self.kind {
            ChangeKind::RowInsert => {
                let position = undo.append(&self.change(self.header));
                lead_to(&system.open_tree(self.tree)?, xid, &self.key, position)
            }
            ChangeKind::RowUpdate | ChangeKind::RowDelete => {
                let tree = system.open_tree(self.tree)?;
                let mut before = RowHeader::from_words(self.header);
                if before.xid == xid {
                    before.undo = header_of(&tree, xid, &self.key)?.undo;
                }
                let position = undo.append(&self.change(before.words()));
                lead_to(&tree, xid, &self.key, position)
            }
            ChangeKind::RowInsertRun => {
                let position = undo.append(&self.change(self.header));
                let first = RowId::from_key_end(&self.key).ok_or_else(|| gone(xid))?;
                let tree = system.open_tree(self.tree)?;
                (first.0..first.0 + u64::from(self.run_len))
                    .try_for_each(|row| lead_to(&tree, xid, &RowId(row).key(), position))
            }
            _ => {
                undo.append(&self.change(self.header));
                Ok(())
            }
        }
    }
}

fn gone(xid: Xid) -> TxnError {
    TxnError::corrupt(format!("a row that prepared transaction {xid} has changed is gone, or another's"))
}

/// The header of a row's newest version, which the transaction has written.
fn header_of(tree: &Tree, xid: Xid, key: &[u8]) -> Result<RowHeader> {
    let header =
        tree.get(key, |entry, _| entry.map(|entry| RowHeader::split(entry.value).map(|(header, _)| header)))?;
    header.transpose()?.filter(|header| header.xid == xid).ok_or_else(|| gone(xid))
}

/// Puts an undo position into the header of a row's newest version.
fn lead_to(tree: &Tree, xid: Xid, key: &[u8], position: UndoPosition) -> Result<()> {
    let value_bytes_max = tree.get(key, |entry, _| entry.map(|entry| entry.value.len()))?.ok_or_else(|| gone(xid))?;
    let need = EditNeed { value_bytes_max, log_bytes: 0 };
    let (found, _) = tree.edit(key, need, None, |edit| {
        let Some(entry) = edit.entry() else { return false };
        let Ok((header, image)) = RowHeader::split(entry.value) else { return false };
        if header.xid != xid {
            return false;
        }
        let mut value = Vec::with_capacity(HEADER_BYTES + image.len());
        RowHeader { undo: position, ..header }.write(&mut value);
        value.extend_from_slice(image);
        let marked = entry.marked;
        edit.replace(&value, marked, xid.0);
        true
    })?;
    if found { Ok(()) } else { Err(gone(xid)) }
}
