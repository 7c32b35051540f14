//! Putting one change back: the same for ROLLBACK, ROLLBACK TO and recovery.
//!
//! Each step is one edit whose log group also holds the compensation record (R1): either the page is as it was and the
//! step is known to be undone, or neither. What takes several groups (a large value) is undone from its end, and the
//! last group has the record; a step that is begun again finds the rest. The same holds for a run of rows or entries,
//! which may have been spread over several leaves: nobody else puts an entry where one of the run has been.

use crate::error::{Result, TxnError};
use crate::ids::{RowId, UndoPosition, Xid};
use crate::record::{self, CLR, ChangeKind, RunKeys};
use crate::system::{TxnSabotage, TxnSystem};
use crate::table::overflow;
use crate::transaction::MarkedAgain;
use crate::view::{HEADER_BYTES, RowHeader};
use nqdb_storage::tree::{Edit, EditNeed, KeyRange, RangeEnd, Tree};
use nqdb_storage::{Need, Reservation};

/// A change, owned: the undo's latch is not held while pages are changed.
struct Step {
    kind: ChangeKind,
    step: u32,
    table: u32,
    tree: nqdb_storage::TreeId,
    header: RowHeader,
    was_marked: bool,
    key: Vec<u8>,
    image: Vec<u8>,
    stored_image_len: usize,
    run_len: u32,
}

/// Undoes the change at `position`, which must be the newest one of `xid` that is not undone.
pub(crate) fn undo_step(
    system: &TxnSystem,
    xid: Xid,
    position: UndoPosition,
    credit: Option<&mut Reservation>,
    marked_again: &mut Vec<MarkedAgain>,
) -> Result<()> {
    let step = system.undo().read(position, |record| {
        let change = &record.change;
        Step {
            kind: change.kind,
            step: change.step,
            table: change.table,
            tree: change.tree,
            header: RowHeader::from_words(change.header),
            was_marked: change.was_marked,
            key: change.key.to_vec(),
            image: change.image.to_vec(),
            stored_image_len: change.stored_image_len(),
            run_len: change.run_len(),
        }
    })?;
    let clr = Clr { payload: record::encode_clr(xid, step.step), left_out: system.sabotage() == TxnSabotage::NoClr };
    match step.kind {
        ChangeKind::TreeCreate => {
            marked_again.push(MarkedAgain { table: 0, tree: step.tree, key: Vec::new() });
            return system.directory().undo_create(xid, &step.key, step.tree, clr, credit);
        }
        ChangeKind::TreeDrop => return system.directory().undo_drop(xid, step.tree, clr, credit),
        _ => {}
    }
    let tree = system.open_tree(step.tree)?;
    if step.kind == ChangeKind::OverflowPut {
        return overflow::undo_put(&tree, &step.key, clr, credit);
    }
    if step.kind == ChangeKind::IndexUnmark {
        let key = step.key.clone();
        marked_again.push(MarkedAgain { table: step.table, tree: step.tree, key });
    }
    match step.kind {
        ChangeKind::RowInsertRun => undo_row_run(&tree, &step, clr, credit),
        ChangeKind::IndexInsertRun => undo_index_run(&tree, &step, clr, credit),
        _ => undo_entry(&tree, xid, &step, clr, credit),
    }
}

/// Takes out a run of rows, leaf by leaf from its first row on.
fn undo_row_run(tree: &Tree, step: &Step, clr: Clr, mut credit: Option<&mut Reservation>) -> Result<()> {
    let gone = || TxnError::corrupt("an undo record of a run names no row");
    let first = RowId::from_key_end(&step.key).ok_or_else(gone)?;
    let mut left = step.run_len as usize;
    let high = RowId(first.0 + (u64::from(step.run_len)).saturating_sub(1)).key();
    let mut low = step.key.clone();
    loop {
        let range = KeyRange { low: &low, high: &high, count_max: left };
        let log = &mut |end: &mut RangeEnd<'_, '_>| {
            if !clr.left_out {
                end.log(CLR, &clr.payload);
            }
        };
        let removed = tree.remove_range(range, Clr::LOG_BYTES, credit.as_deref_mut(), log)?;
        left -= removed.count;
        match removed.rest {
            Some(rest) => low = rest,
            None => return Ok(()),
        }
    }
}

/// Takes out a run of index entries, the last one first.
fn undo_index_run(tree: &Tree, step: &Step, clr: Clr, mut credit: Option<&mut Reservation>) -> Result<()> {
    let keys: Vec<&[u8]> = RunKeys::of(&step.image).collect();
    for (position, key) in keys.iter().enumerate().rev() {
        let need = EditNeed { value_bytes_max: 0, log_bytes: Clr::LOG_BYTES };
        tree.edit(key, need, credit.as_deref_mut(), |edit| {
            if edit.entry().is_some() {
                edit.remove();
            }
            if position == 0 {
                clr.log(edit);
            }
        })?;
    }
    Ok(())
}

/// The compensation record of one step.
pub(crate) struct Clr {
    payload: [u8; 12],
    left_out: bool,
}

impl Clr {
    /// Log bytes to ask for.
    pub(crate) const LOG_BYTES: usize = Need::record_bytes(12);

    pub(crate) fn log(&self, edit: &mut Edit<'_, '_>) {
        if !self.left_out {
            edit.log(CLR, &self.payload);
        }
    }
}

fn undo_entry(tree: &Tree, xid: Xid, step: &Step, clr: Clr, credit: Option<&mut Reservation>) -> Result<()> {
    let stores_row = matches!(step.kind, ChangeKind::RowUpdate | ChangeKind::RowDelete);
    let value_bytes_max = if stores_row { HEADER_BYTES + step.stored_image_len } else { 0 };
    let need = EditNeed { value_bytes_max, log_bytes: Clr::LOG_BYTES };
    let mut value = Vec::with_capacity(value_bytes_max);
    let (found, _) = tree.edit(&step.key, need, credit, |edit| {
        let Some(entry) = edit.entry() else { return false };
        match step.kind {
            ChangeKind::RowUpdate | ChangeKind::RowDelete => {
                step.header.write(&mut value);
                match step.kind {
                    ChangeKind::RowUpdate => value.extend_from_slice(&step.image),
                    _ => value.extend_from_slice(entry.value.get(HEADER_BYTES..).unwrap_or_default()),
                }
                edit.replace(&value, step.was_marked, xid.0);
            }
            ChangeKind::IndexMark | ChangeKind::OverflowMark => edit.set_mark(false, xid.0),
            ChangeKind::IndexUnmark => edit.set_mark(true, xid.0),
            _ => edit.remove(),
        }
        clr.log(edit);
        true
    })?;
    if !found {
        return Err(TxnError::corrupt(format!("an entry that transaction {xid} wrote is gone ({:?})", step.kind)));
    }
    Ok(())
}
