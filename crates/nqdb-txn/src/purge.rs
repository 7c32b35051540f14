//! Taking away what nobody can see any more: deleted rows, entries of old keys, large values, dropped trees, old undo.
//!
//! Ended transactions queue up in csn order. When every snapshot sees an end, what the transaction's undo says it left
//! behind is removed and its undo is dropped. Undo is gone after a crash; then marks in the leaves tell what is owed
//! (R5), and a sweep over each table looks at every marked entry.
//!
//! What always holds:
//!
//! 1. A row goes only when it is deleted by a version that everybody sees; its entries and values go before it, so that
//!    a crash in between leaves the row's mark to find the rest by.
//! 2. An entry goes only when it is marked and no version in its row's chain has its key, which is computed from each
//!    version (see [`crate::Computation`]). The row is kept from changing
//!    its keys in between by a short lock that such changes take too.
//! 3. A tree that no definition names is left alone: it is about to be destroyed, or was. What an unfinished transaction has
//!    dropped, or made, is served until its end (see [`crate::definitions`]).
//! 4. One purge runs at a time; it does little at a step and can stop anywhere.

use crate::error::{Result, TxnError};
use crate::ids::{Csn, RowId, UndoPosition, Xid};
use crate::record::ChangeKind;
use crate::snapshot::Horizon;
use crate::system::TxnSystem;
use crate::table::{RowImage, TableStore, overflow};
use crate::transaction::MarkedAgain;
use crate::undo::UndoChunks;
use crate::view::RowHeader;
use crate::xids::XidStatus;
use nqdb_storage::TreeId;
use nqdb_storage::tree::{EditNeed, Tree};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Undo records, or marked entries, that one step looks at.
const ITEMS_PER_STEP: usize = 64;

/// Ended transactions without work that one step drops.
const ENDS_PER_STEP: usize = 1024;

const PAGES_PER_STEP: usize = 64;

/// What is owed, and who works on it.
pub(crate) struct Purge {
    ended: Mutex<VecDeque<Ended>>,
    backlog: AtomicUsize,
    work: Mutex<Work>,
    sweeps_tables: bool,
    new_tables: Mutex<Vec<u32>>,
}

struct Ended {
    csn: Csn,
    undo: UndoChunks,
    marked_again: Vec<MarkedAgain>,
}

/// What the one worker is at.
#[derive(Default)]
struct Work {
    current: Option<(Ended, UndoPosition)>,
    dropped: VecDeque<TreeId>,
    sweeps: VecDeque<Sweep>,
}

/// A pass over the marked entries of one tree.
struct Sweep {
    table: u32,
    tree: Tree,
    after: Option<Vec<u8>>,
}

impl Purge {
    /// `sweeps_tables`: an earlier process may have left marks.
    pub(crate) fn new(sweeps_tables: bool) -> Purge {
        Purge {
            ended: Mutex::default(),
            backlog: AtomicUsize::new(0),
            work: Mutex::default(),
            sweeps_tables,
            new_tables: Mutex::default(),
        }
    }

    /// Queues an ended transaction; called in csn order.
    pub(crate) fn push(&self, csn: Csn, undo: UndoChunks, marked_again: Vec<MarkedAgain>) {
        if undo.is_empty() && marked_again.is_empty() {
            return;
        }
        self.ended.lock().push_back(Ended { csn, undo, marked_again });
        self.backlog.fetch_add(1, Ordering::Relaxed);
    }

    /// A table has become known that an earlier process may have written.
    pub(crate) fn table_seen(&self, table: u32) {
        if self.sweeps_tables {
            self.new_tables.lock().push(table);
        }
    }

    /// Trees that were marked before this process started.
    pub(crate) fn mark_dropped_trees(&self, system: &TxnSystem) -> Result<()> {
        self.work.lock().dropped.extend(system.directory().marked()?);
        Ok(())
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Nothing is owed.
    pub(crate) fn is_done(&self) -> bool {
        let work = self.work.lock();
        let idle = work.current.is_none() && work.dropped.is_empty() && work.sweeps.is_empty();
        idle && self.ended.lock().is_empty() && self.new_tables.lock().is_empty()
    }

    /// Does one small piece of work. True when there may be more to do at once.
    pub(crate) fn step(&self, system: &TxnSystem) -> Result<bool> {
        let mut work = self.work.lock();
        let horizon = system.snapshots().horizon();
        system.xids().forget_below(horizon.oldest_in_window, horizon.csn);
        self.start_sweeps(system, &mut work);
        if self.step_ended(system, &mut work, horizon)? {
            return Ok(true);
        }
        if let Some(tree) = work.dropped.front().copied() {
            if system.directory().destroy_step(system.engine(), tree, PAGES_PER_STEP)? {
                work.dropped.pop_front();
            }
            return Ok(true);
        }
        self.step_sweep(system, &mut work, horizon)
    }

    fn step_ended(&self, system: &TxnSystem, work: &mut Work, horizon: Horizon) -> Result<bool> {
        if work.current.is_none() {
            let mut ended = self.ended.lock();
            for _ in 0..ENDS_PER_STEP {
                if ended.front().is_none_or(|end| end.csn > horizon.csn) {
                    return Ok(false);
                }
                let Some(end) = ended.pop_front() else { return Ok(false) };
                if end.undo.owes_purge || !end.marked_again.is_empty() {
                    let from = end.undo.last;
                    work.current = Some((end, from));
                    break;
                }
                self.backlog.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let Some((end, at)) = &mut work.current else { return Ok(true) };
        for _ in 0..ITEMS_PER_STEP {
            if let Some(again) = end.marked_again.pop() {
                if again.key.is_empty() {
                    work.dropped.push_back(again.tree);
                } else if let Some(table) = system.definitions().of_tree(again.table, again.tree) {
                    purge_entry(system, &table, again.tree, &again.key, horizon)?;
                }
            } else if *at != UndoPosition::NONE {
                let (previous, item) = system.undo().read(*at, |record| {
                    let change = &record.change;
                    let owed = change.kind.owes_purge();
                    (record.previous, owed.then(|| (change.kind, change.table, change.tree, change.key.to_vec())))
                })?;
                *at = previous;
                if let Some((kind, table, tree, key)) = item {
                    match (kind, system.definitions().of_tree(table, tree)) {
                        (ChangeKind::TreeDrop, _) => work.dropped.push_back(tree),
                        (_, Some(table)) => purge_item(system, &table, kind, tree, &key, horizon)?,
                        (_, None) => {}
                    }
                }
            } else {
                work.current = None;
                self.backlog.fetch_sub(1, Ordering::Relaxed);
                break;
            }
        }
        Ok(true)
    }

    fn start_sweeps(&self, system: &TxnSystem, work: &mut Work) {
        for id in self.new_tables.lock().drain(..) {
            let Some(table) = system.definitions().committed(id) else { continue };
            let trees = [&table.rows, &table.overflow].into_iter().chain(table.indexes.iter().map(|index| &index.tree));
            work.sweeps.extend(trees.map(|tree| Sweep { table: id, tree: tree.clone(), after: None }));
        }
    }

    fn step_sweep(&self, system: &TxnSystem, work: &mut Work, horizon: Horizon) -> Result<bool> {
        let Some(sweep) = work.sweeps.front_mut() else { return Ok(false) };
        let tree = sweep.tree.id();
        let Some(table) = system.definitions().of_tree(sweep.table, tree) else {
            work.sweeps.pop_front();
            return Ok(true);
        };
        let mut marked: Vec<Vec<u8>> = Vec::new();
        let mut leaves = sweep.tree.marked_leaves(sweep.after.as_deref());
        let mut more = true;
        while more && marked.is_empty() {
            more = leaves.next_leaf(&mut |key, _| marked.push(key.to_vec()))?;
        }
        for key in &marked {
            if tree == table.rows.id() {
                purge_row(system, &table, key, horizon)?;
            } else if tree == table.overflow.id() {
                purge_value(system, &table, key, horizon)?;
            } else {
                purge_entry(system, &table, tree, key, horizon)?;
            }
        }
        match marked.pop() {
            Some(last) if more => sweep.after = Some(last),
            _ => {
                work.sweeps.pop_front();
            }
        }
        Ok(true)
    }
}

impl Horizon {
    /// Whether every snapshot sees the end of `xid`, and it was a commit.
    pub(crate) fn has_passed(&self, system: &TxnSystem, xid: Xid) -> bool {
        xid < self.oldest_active || matches!(system.xids().status(xid), XidStatus::Committed(csn) if csn <= self.csn)
    }
}

fn purge_item(
    system: &TxnSystem,
    table: &Arc<TableStore>,
    kind: ChangeKind,
    tree: TreeId,
    key: &[u8],
    horizon: Horizon,
) -> Result<()> {
    match kind {
        ChangeKind::RowDelete => purge_row(system, table, key, horizon),
        ChangeKind::IndexMark => purge_entry(system, table, tree, key, horizon),
        ChangeKind::OverflowMark => purge_value(system, table, key, horizon),
        _ => Ok(()),
    }
}

/// Takes out a deleted row, its entries first.
fn purge_row(system: &TxnSystem, table: &TableStore, key: &[u8], horizon: Horizon) -> Result<()> {
    let Some(row_id) = RowId::from_key_end(key) else { return Ok(()) };
    let Some((header, image)) = table.newest_version(row_id)? else { return Ok(()) };
    if !header.is_deleted() || !horizon.has_passed(system, header.xid) {
        return Ok(());
    }
    for index in &table.indexes {
        match table.entry_of_image(index, &image, row_id) {
            Ok(Some(entry)) => remove_entry(&index.tree, &entry, false)?,
            // A key that cannot be computed was never entered: the row was deleted before the index was built.
            Ok(None) | Err(TxnError::Sql(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for (_, reference) in RowImage::new(table, &image)?.raw().external_values() {
        table.remove_value(reference.value_id)?;
    }
    table.rows.edit(key, EditNeed::default(), None, |edit| {
        let is_same =
            edit.entry().is_some_and(|entry| matches!(RowHeader::split(entry.value), Ok((now, _)) if now == header));
        if is_same {
            edit.remove();
        }
    })?;
    Ok(())
}

/// Takes out a marked entry whose key no version of its row has.
fn purge_entry(system: &TxnSystem, table: &TableStore, tree: TreeId, key: &[u8], horizon: Horizon) -> Result<()> {
    let Some(index) = table.indexes.iter().find(|index| index.tree.id() == tree) else { return Ok(()) };
    let Some(row_id) = RowId::from_key_end(key) else { return Ok(()) };
    let _guard = system.key_locks().lock(&mut vec![table.row_slot(system, row_id)]);
    let is_used = any_version(system, table, row_id, horizon, |image| match table.has_key(index, image, key) {
        // A version from before the index was built. What stays is a marked entry, which is allowed at any time.
        Err(TxnError::Sql(_)) => Ok(true),
        other => other,
    })?;
    if !is_used {
        remove_entry(&index.tree, key, true)?;
    }
    Ok(())
}

/// Takes out a marked value that no version of its row refers to.
fn purge_value(system: &TxnSystem, table: &TableStore, key: &[u8], horizon: Horizon) -> Result<()> {
    let Some(value_id) = overflow::value_id_of(key) else { return Ok(()) };
    let Some(row_id) = table.row_of_value(value_id)? else { return Ok(()) };
    let is_used = any_version(system, table, row_id, horizon, |image| {
        Ok(RowImage::new(table, image)?.raw().external_values().any(|(_, reference)| reference.value_id == value_id))
    })?;
    if !is_used {
        table.remove_value(value_id)?;
    }
    Ok(())
}

/// Whether `test` holds for any version of a row that somebody may still see.
fn any_version(
    system: &TxnSystem,
    table: &TableStore,
    row_id: RowId,
    horizon: Horizon,
    test: impl Fn(&[u8]) -> Result<bool>,
) -> Result<bool> {
    let Some((mut header, mut image)) = table.newest_version(row_id)? else { return Ok(false) };
    loop {
        let has_passed = horizon.has_passed(system, header.xid);
        if !(header.is_deleted() && has_passed) && test(&image)? {
            return Ok(true);
        }
        if has_passed {
            return Ok(false);
        }
        match system.older_version(header, &mut image)? {
            Some(older) => header = older,
            None => return Ok(false),
        }
    }
}

fn remove_entry(tree: &Tree, key: &[u8], only_marked: bool) -> Result<()> {
    tree.edit(key, EditNeed::default(), None, |edit| {
        if edit.entry().is_some_and(|entry| entry.marked || !only_marked) {
            edit.remove();
        }
    })?;
    Ok(())
}
