//! Insert, update and delete.
//!
//! A change of a row is one edit: under the leaf's exclusive latch the version in place is judged, the undo record is
//! appended, the new version is written and both are logged. If the version is not the one the caller has seen, nothing
//! is written and the caller learns what to do. An update that touches no indexed column and no large value is that one
//! edit and nothing else; any other first copies the old row out, works out the keys, and begins again when the row has
//! changed in between.

use super::keys::RowKey;
use super::unique::KeyClaim;
use super::{IndexStore, ROW_IMAGE_LEN_MAX, TableStore};
use crate::error::{Result, TxnError};
use crate::feed::RowChange;
use crate::ids::{RowId, UndoPosition, Xid};
use crate::record::{Change, ChangeKind};
use crate::row_lock::RowLock;
use crate::row_queue::WantedRow;
use crate::system::TxnSystem;
use crate::transaction::{Transaction, change_log_bytes};
use crate::view::{DELETED, HEADER_BYTES, KEY_CHANGED, RowHeader, RowVersion};
use crate::wait::{TxnWait, Wait};
use crate::xids::XidStatus;
use nqdb_storage::tree::{Edit, EditNeed};
use nqdb_types::Datum;
use nqdb_types::row::{Field, RowBuilder, RowError, RowView};

/// What became of an update or delete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modified {
    /// It was done.
    Done,
    /// READ COMMITTED: there is a newer committed version. Read it, check the condition again, try again with it.
    Changed,
    /// READ COMMITTED: the row has been deleted meanwhile.
    Gone,
    /// The same statement has changed the row already: leave it.
    OwnStatement,
}

/// What stands in the way of a change, found under the latch.
pub(super) enum Obstacle {
    /// The row is not in the tree: deleted and purged, or never there.
    Missing,
    OwnStatement,
    /// This transaction has changed the row since it was seen.
    OwnChange {
        deleted: bool,
    },
    /// Another transaction committed a change since the row was seen.
    Committed {
        xid: Xid,
        deleted: bool,
    },
    /// Another transaction is at it, or holds a lock on it.
    Busy(TxnWait),
    /// Another transaction is at it, but does not conflict: what counts is the committed version below this one.
    Below(RowHeader),
    /// Another transaction committed this version, which may have left the key alone: all that FOR KEY SHARE asks.
    Newer(RowHeader),
    /// The answer changed while it was sought: look again.
    Again,
}

/// What an edit of a row found.
enum Attempt {
    Done,
    Obstacle(Obstacle),
    /// Keys or large values are touched: the long way is needed.
    TouchesMore,
}

/// Gives up the place in the queue for a row when the row is there, or not wanted any more. One that has changed is still
/// wanted: the next in the queue is to find it changed again.
fn settle_place(txn: &Transaction, outcome: Result<Modified>) -> Result<Modified> {
    if !matches!(outcome, Ok(Modified::Changed) | Err(TxnError::Wait(_))) {
        txn.leave_row_queue();
    }
    outcome
}

/// A row copied out of its leaf.
pub(super) struct StoredRow {
    pub(super) header: RowHeader,
    pub(super) image: Vec<u8>,
}

impl TableStore {
    /// Adds a row. `Wait` when an unfinished transaction has one of its unique keys: nothing was written.
    pub fn insert(&self, txn: &mut Transaction, row: &[Datum]) -> Result<RowId> {
        let system = txn.system().clone();
        let row_id = self.counters.take_row_id();
        let mut keys = Vec::with_capacity(self.indexes.len());
        for position in 0..self.indexes.len() {
            keys.push(self.key_of_datums(position, row)?);
        }
        let claims: Vec<KeyClaim<'_>> = keys.iter().enumerate().filter_map(|key| self.claim(key)).collect();
        let _guard = self.claim_keys(txn, &system, row_id, &claims, None, false)?;
        let image = self.build_image(txn, row_id, row)?;
        let xid = self.insert_row(txn, row_id, &image)?;
        for (index, key) in self.indexes.iter().zip(&keys) {
            if let Some(key) = key {
                self.add_entry(txn, xid, index, &key.entry(row_id))?;
            }
        }
        self.track_write(txn, row_id, None, &[&image])?;
        self.counters.count_rows(1);
        if self.followed {
            txn.note_change_of(self.id, RowChange::Inserted(row.to_vec()));
        }
        Ok(row_id)
    }

    fn insert_row(&self, txn: &mut Transaction, row_id: RowId, image: &[u8]) -> Result<Xid> {
        let key = row_id.key();
        let xid = txn.prepare(1, key.len(), 0)?;
        let need = EditNeed { value_bytes_max: HEADER_BYTES + image.len(), log_bytes: change_log_bytes(key.len(), 0) };
        let (mut value, mut payload) = (Vec::with_capacity(need.value_bytes_max), Vec::new());
        let (free, _) = self.rows.edit(&key, need, None, |edit| {
            if edit.entry().is_some() {
                return false;
            }
            let change = self.row_change(txn, ChangeKind::RowInsert, RowHeader::default(), false, &key, &[]);
            let undo = txn.note_change(xid, &change, &mut payload);
            RowHeader { xid, flags: 0, undo }.write(&mut value);
            value.extend_from_slice(image);
            self.counters.marks.touch(row_id, 1);
            edit.insert(&value, false, xid.0);
            edit.log(ChangeKind::RowInsert as u8, &payload);
            true
        })?;
        if free { Ok(xid) } else { Err(TxnError::corrupt(format!("row {row_id} of relation {} exists", self.id))) }
    }

    /// Replaces the version `seen` of a row. `Wait`, `Changed` and the like: nothing was written.
    pub fn update(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion, new: &[Datum]) -> Result<Modified> {
        let outcome = self.try_update(txn, row_id, seen, new);
        settle_place(txn, outcome)
    }

    fn try_update(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion, new: &[Datum]) -> Result<Modified> {
        let system = txn.system().clone();
        let builder = RowBuilder::new(new);
        // Who follows the table wants the old row: the long way has it.
        if builder.image_len() <= ROW_IMAGE_LEN_MAX && !self.followed {
            let image = builder.finish_inline(ROW_IMAGE_LEN_MAX)?;
            match self.update_in_place(txn, &system, row_id, seen, &image)? {
                Attempt::Done => {
                    // All keys are the same in the old version.
                    self.track_write(txn, row_id, Some(seen), &[&image])?;
                    return Ok(Modified::Done);
                }
                Attempt::Obstacle(Obstacle::Again) | Attempt::TouchesMore => {}
                Attempt::Obstacle(obstacle) => return self.answer(txn, obstacle),
            }
        }
        loop {
            if let Some(modified) = self.update_keys(txn, &system, row_id, seen, new)? {
                return Ok(modified);
            }
        }
    }

    /// The short way: one edit, if no indexed column and no large value is touched.
    fn update_in_place(
        &self,
        txn: &mut Transaction,
        system: &TxnSystem,
        row_id: RowId,
        seen: RowVersion,
        image: &[u8],
    ) -> Result<Attempt> {
        let new = RowView::new(image).map_err(|corrupt| TxnError::corrupt(corrupt.to_string()))?;
        let touches_more = |old_image: &[u8]| {
            let Ok(old) = RowView::new(old_image) else { return true };
            old.external_values().next().is_some() || !self.indexes.iter().all(|index| index.columns_equal(&old, &new))
        };
        self.replace_row(txn, row_id, image, 0, &mut |txn, edit| match self.judge(
            txn,
            system,
            edit,
            row_id,
            seen,
            RowLock::NoKeyUpdate,
        )? {
            Some(obstacle) => Ok(Some(Attempt::Obstacle(obstacle))),
            None => {
                let old = edit.entry().map(|entry| entry.value.get(HEADER_BYTES..).unwrap_or_default());
                Ok(old.is_none_or(touches_more).then_some(Attempt::TouchesMore))
            }
        })
    }

    /// Writes a new version, unless `refuse` finds a reason not to. `refuse` runs under the leaf's latch.
    fn replace_row(
        &self,
        txn: &mut Transaction,
        row_id: RowId,
        image: &[u8],
        flags: u16,
        refuse: &mut dyn FnMut(&Transaction, &Edit<'_, '_>) -> Result<Option<Attempt>>,
    ) -> Result<Attempt> {
        let mut may_shorten = txn.shortens_rows();
        loop {
            match self.try_replace_row(txn, row_id, image, flags, may_shorten, refuse)? {
                Some(attempt) => return Ok(attempt),
                None => may_shorten = true,
            }
        }
    }

    /// One attempt; `None` when the row would become shorter and that was not prepared for.
    fn try_replace_row(
        &self,
        txn: &mut Transaction,
        row_id: RowId,
        image: &[u8],
        flags: u16,
        may_shorten: bool,
        refuse: &mut dyn FnMut(&Transaction, &Edit<'_, '_>) -> Result<Option<Attempt>>,
    ) -> Result<Option<Attempt>> {
        let key = row_id.key();
        let xid = match may_shorten {
            true => txn.prepare_shortening(key.len(), ROW_IMAGE_LEN_MAX)?,
            false => txn.prepare(1, key.len(), ROW_IMAGE_LEN_MAX)?,
        };
        let log_bytes = change_log_bytes(key.len(), ROW_IMAGE_LEN_MAX);
        let need = EditNeed { value_bytes_max: HEADER_BYTES + image.len(), log_bytes };
        let (mut value, mut payload) = (Vec::with_capacity(need.value_bytes_max), Vec::new());
        let (attempt, _) = self.rows.edit(&key, need, None, |edit| {
            if let Some(attempt) = refuse(txn, edit)? {
                return Ok(Some(attempt));
            }
            let Some(entry) = edit.entry() else { return Ok(Some(Attempt::Obstacle(Obstacle::Missing))) };
            let (old, old_image) = RowHeader::split(entry.value)?;
            let shortened = old_image.len().saturating_sub(image.len());
            if shortened > 0 && !may_shorten {
                return Ok(None);
            }
            let change = self.row_change(txn, ChangeKind::RowUpdate, old, entry.marked, &key, old_image);
            let undo = txn.note_change(xid, &change, &mut payload);
            if shortened > 0 {
                txn.note_shortened(edit.leaf_page(), shortened);
            }
            RowHeader { xid, flags, undo }.write(&mut value);
            value.extend_from_slice(image);
            self.counters.marks.touch(row_id, 1);
            edit.replace(&value, false, xid.0);
            edit.log(ChangeKind::RowUpdate as u8, &payload);
            Ok(Some(Attempt::Done))
        })?;
        attempt
    }

    /// The long way, one try: `None` when the row changed in between.
    fn update_keys(
        &self,
        txn: &mut Transaction,
        system: &TxnSystem,
        row_id: RowId,
        seen: RowVersion,
        new: &[Datum],
    ) -> Result<Option<Modified>> {
        let Some(old) = self.stored_row(row_id)? else { return self.answer(txn, Obstacle::Missing).map(Some) };
        if old.header.version() != seen || old.header.is_deleted() {
            // Only the judgement under the latch counts, but there is no need to prepare a change that it will refuse.
            return match self.judge_now(txn, system, row_id, seen, RowLock::NoKeyUpdate, None)? {
                Some(Obstacle::Again) | None => Ok(None),
                Some(obstacle) => self.answer(txn, obstacle).map(Some),
            };
        }
        let old_image = super::RowImage::new(self, &old.image)?;
        let mut changed: Vec<(usize, Option<RowKey>, Option<RowKey>)> = Vec::new();
        for (position, index) in self.indexes.iter().enumerate() {
            let (before, after) = (self.key_of_image(index, &old_image)?, self.key_of_datums(position, new)?);
            if before != after {
                changed.push((position, before, after));
            }
        }
        // A foreign key can refer to plain unique keys only: PostgreSQL locks for them and for no others.
        let is_key = |position: usize| self.indexes[position].unique && self.indexes[position].is_plain();
        let changes_unique_key = changed.iter().any(|(position, ..)| is_key(*position));
        let (flags, mode) = if changes_unique_key { (KEY_CHANGED, RowLock::Update) } else { (0, RowLock::NoKeyUpdate) };
        let claims: Vec<KeyClaim<'_>> = changed.iter().filter_map(|(p, _, after)| self.claim((*p, after))).collect();
        let row_guard = (!changed.is_empty()).then_some(row_id);
        let _guard = self.claim_keys(txn, system, row_id, &claims, row_guard, false)?;
        let mark = txn.undo.last();
        let image = self.build_image(txn, row_id, new)?;
        let attempt = self.replace_row(txn, row_id, &image, flags, &mut |txn, edit| {
            let same = edit.entry().map(|entry| RowHeader::split(entry.value)).transpose()?;
            let judged = self.judge(txn, system, edit, row_id, seen, mode)?;
            let moved = same.is_none_or(|(header, _)| header != old.header).then_some(Obstacle::Again);
            Ok(judged.or(moved).map(Attempt::Obstacle))
        });
        match attempt {
            Ok(Attempt::Done) => {}
            Ok(Attempt::Obstacle(obstacle)) => {
                txn.withdraw(mark)?;
                return match obstacle {
                    Obstacle::Again => Ok(None),
                    obstacle => self.answer(txn, obstacle).map(Some),
                };
            }
            Ok(Attempt::TouchesMore) => return Ok(None),
            Err(error) => return Err(error),
        }
        let xid = txn.xid().expect("a row was written");
        for (position, before, after) in &changed {
            let index = &self.indexes[*position];
            if let Some(after) = after {
                self.add_entry(txn, xid, index, &after.entry(row_id))?;
            }
            if let Some(before) = before {
                self.mark_entry(txn, xid, index, &before.entry(row_id))?;
            }
        }
        self.mark_values(txn, &old.image)?;
        self.track_write(txn, row_id, Some(seen), &[&old.image, &image])?;
        if self.followed {
            let change = RowChange::Updated { old: old_image.datums()?, new: new.to_vec() };
            txn.note_change_of(self.id, change);
        }
        Ok(Some(Modified::Done))
    }

    /// Deletes the version `seen` of a row. `Wait`, `Changed` and the like: nothing was written.
    pub fn delete(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion) -> Result<Modified> {
        let outcome = self.try_delete(txn, row_id, seen);
        settle_place(txn, outcome)
    }

    fn try_delete(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion) -> Result<Modified> {
        let system = txn.system().clone();
        let key = row_id.key();
        loop {
            let Some(old) = self.stored_row(row_id)? else { return self.answer(txn, Obstacle::Missing) };
            let xid = txn.prepare(1, key.len() + size_of::<u32>(), old.image.len())?;
            let log_bytes = change_log_bytes(key.len(), size_of::<u32>());
            let need = EditNeed { value_bytes_max: HEADER_BYTES + old.image.len(), log_bytes };
            let (mut value, mut payload) = (Vec::with_capacity(need.value_bytes_max), Vec::new());
            let (obstacle, _) = self.rows.edit(&key, need, None, |edit| {
                if let Some(obstacle) = self.judge(txn, &system, edit, row_id, seen, RowLock::Update)? {
                    return Ok::<_, TxnError>(Some(obstacle));
                }
                let Some(entry) = edit.entry() else { return Ok(Some(Obstacle::Missing)) };
                let (header, image) = RowHeader::split(entry.value)?;
                if header != old.header {
                    return Ok(Some(Obstacle::Again));
                }
                let length = (image.len() as u32).to_le_bytes();
                let change = self.row_change(txn, ChangeKind::RowDelete, header, entry.marked, &key, &length);
                let undo = txn.note_change(xid, &change, &mut payload);
                RowHeader { xid, flags: DELETED | KEY_CHANGED, undo }.write(&mut value);
                value.extend_from_slice(image);
                self.counters.marks.touch(row_id, 1);
                edit.replace(&value, true, xid.0);
                edit.log(ChangeKind::RowDelete as u8, &payload);
                Ok(None)
            })?;
            match obstacle? {
                None => {
                    self.mark_values(txn, &old.image)?;
                    self.track_write(txn, row_id, Some(seen), &[&old.image])?;
                    self.counters.count_rows(-1);
                    if self.followed {
                        let row = super::RowImage::new(self, &old.image)?.datums()?;
                        txn.note_change_of(self.id, RowChange::Deleted(row));
                    }
                    return Ok(Modified::Done);
                }
                Some(Obstacle::Again) => {}
                Some(obstacle) => return self.answer(txn, obstacle),
            }
        }
    }

    /// Locks the version `seen` of a row without changing it (FOR UPDATE and the like). NOWAIT and SKIP LOCKED are the
    /// caller's answer to `Wait`.
    pub fn lock_row(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion, mode: RowLock) -> Result<Modified> {
        let outcome = self.try_lock_row(txn, row_id, seen, mode);
        settle_place(txn, outcome)
    }

    fn try_lock_row(&self, txn: &mut Transaction, row_id: RowId, seen: RowVersion, mode: RowLock) -> Result<Modified> {
        let system = txn.system().clone();
        txn.ensure_registered();
        let mut below = None;
        loop {
            match self.judge_now(txn, &system, row_id, seen, mode, below)? {
                None => return Ok(Modified::Done),
                Some(Obstacle::Again) => {}
                Some(Obstacle::Newer(newest)) => {
                    let kept = self.key_kept_since(&system, row_id, newest, seen)?;
                    below = Some((newest, kept.unwrap_or(newest)));
                }
                Some(Obstacle::Below(newest)) => {
                    let kept = match mode {
                        RowLock::KeyShare => self.key_kept_since(&system, row_id, newest, seen)?,
                        _ => None,
                    };
                    match kept.map_or_else(|| self.committed_below(&system, row_id, newest), |kept| Ok(Some(kept)))? {
                        Some(committed) => below = Some((newest, committed)),
                        None => return self.answer(txn, Obstacle::Missing),
                    }
                }
                Some(obstacle) => return self.answer(txn, obstacle),
            }
        }
    }

    /// The version below those of the transaction that wrote `newest`.
    fn committed_below(&self, system: &TxnSystem, row_id: RowId, newest: RowHeader) -> Result<Option<RowHeader>> {
        let Some(mut row) = self.stored_row(row_id)? else { return Ok(None) };
        let mut header = newest;
        while header.xid == newest.xid {
            match system.older_version(header, &mut row.image)? {
                Some(older) => header = older,
                None => return Ok(None),
            }
        }
        Ok(Some(header))
    }

    /// The version `seen`, when nothing between it and `newest` has touched the key.
    fn key_kept_since(
        &self,
        system: &TxnSystem,
        row_id: RowId,
        newest: RowHeader,
        seen: RowVersion,
    ) -> Result<Option<RowHeader>> {
        let Some(mut row) = self.stored_row(row_id)? else { return Ok(None) };
        let mut header = newest;
        while header.version() != seen {
            if header.flags & (DELETED | KEY_CHANGED) != 0 {
                return Ok(None);
            }
            match system.older_version(header, &mut row.image)? {
                Some(older) => header = older,
                None => return Ok(None),
            }
        }
        Ok(Some(header))
    }

    /// Judges a row under its leaf's shared latch, and takes the row lock if nothing stands against it.
    fn judge_now(
        &self,
        txn: &mut Transaction,
        system: &TxnSystem,
        row_id: RowId,
        seen: RowVersion,
        mode: RowLock,
        below: Option<(RowHeader, RowHeader)>,
    ) -> Result<Option<Obstacle>> {
        let (judged, taken) = self.rows.get(&row_id.key(), |entry, _| {
            let Some(entry) = entry else { return (Ok(Some(Obstacle::Missing)), Ok(false)) };
            let judged = self.judge_value(txn, system, entry.value, row_id, seen, mode, below);
            let taken = match judged {
                Ok(None) => system.row_locks().lock(txn.running(), self.id, row_id, mode),
                _ => Ok(false),
            };
            (judged, taken)
        })?;
        if taken? {
            txn.note_row_lock(self.id, row_id, mode);
        }
        judged
    }

    fn judge(
        &self,
        txn: &Transaction,
        system: &TxnSystem,
        edit: &Edit<'_, '_>,
        row_id: RowId,
        seen: RowVersion,
        mode: RowLock,
    ) -> Result<Option<Obstacle>> {
        match edit.entry() {
            Some(entry) => self.judge_value(txn, system, entry.value, row_id, seen, mode, None),
            None => Ok(Some(Obstacle::Missing)),
        }
    }

    /// Whether the version in place may be changed, or locked, by someone who has seen `seen`. Called under the leaf's
    /// latch. `below` says of one newest version which committed one it covers.
    #[expect(clippy::too_many_arguments, reason = "the row, the asker, and what is asked")]
    fn judge_value(
        &self,
        txn: &Transaction,
        system: &TxnSystem,
        value: &[u8],
        row_id: RowId,
        seen: RowVersion,
        mode: RowLock,
        below: Option<(RowHeader, RowHeader)>,
    ) -> Result<Option<Obstacle>> {
        let (header, _) = RowHeader::split(value)?;
        let deleted = header.is_deleted();
        let is_seen = header.version() == seen && !deleted;
        if txn.xid() == Some(header.xid) {
            if header.undo >= txn.statement_start() && !is_seen {
                return Ok(Some(Obstacle::OwnStatement));
            }
            if !is_seen {
                return Ok(Some(Obstacle::OwnChange { deleted }));
            }
        } else {
            match system.xids().status(header.xid) {
                XidStatus::Active => {
                    let held = if header.flags & KEY_CHANGED != 0 { RowLock::Update } else { RowLock::NoKeyUpdate };
                    if !mode.conflicts_with(held) {
                        match below.filter(|(newest, _)| *newest == header) {
                            None => return Ok(Some(Obstacle::Below(header))),
                            Some((_, committed)) if committed.version() == seen && !committed.is_deleted() => {}
                            Some((_, committed)) => {
                                let deleted = committed.is_deleted();
                                return Ok(Some(Obstacle::Committed { xid: committed.xid, deleted }));
                            }
                        }
                    } else {
                        let wait = system.running(header.xid).map(|other| TxnWait::new([other]));
                        let busy = wait.map(|wait| self.busy(txn, wait, (row_id, mode)));
                        return Ok(Some(busy.unwrap_or(Obstacle::Again)));
                    }
                }
                XidStatus::RolledBack => return Ok(Some(Obstacle::Again)),
                XidStatus::Committed(_) if !is_seen => {
                    let may_keep_key = mode == RowLock::KeyShare && header.flags & (DELETED | KEY_CHANGED) == 0;
                    match below.filter(|(newest, _)| *newest == header) {
                        None if may_keep_key => return Ok(Some(Obstacle::Newer(header))),
                        Some((_, kept)) if kept.version() == seen => {}
                        _ => return Ok(Some(Obstacle::Committed { xid: header.xid, deleted })),
                    }
                }
                XidStatus::Committed(_) => {}
            }
        }
        let blockers = system.row_locks().blockers(txn.owner(), self.id, row_id, mode);
        let is_taken = !blockers.is_empty() || system.row_queues().is_behind_others(txn.running(), (self.id, row_id));
        // Who has written the row waits for none that queues for it.
        let is_own = txn.xid() == Some(header.xid);
        Ok(is_taken.then(|| match TxnWait::new(blockers) {
            wait if is_own => Obstacle::Busy(wait),
            wait => self.busy(txn, wait, (row_id, mode)),
        }))
    }

    /// A row that others have. The wait is one in the queue, unless the transaction has a lock on the row already, which those
    /// in the queue wait for.
    fn busy(&self, txn: &Transaction, wait: TxnWait, (row, mode): (RowId, RowLock)) -> Obstacle {
        let has_lock = txn.system().row_locks().is_held_by(txn.owner(), self.id, row);
        Obstacle::Busy(if has_lock { wait } else { wait.for_row(WantedRow { table: self.id, row, mode }) })
    }

    /// Turns an obstacle into what the caller has to know.
    fn answer(&self, txn: &Transaction, obstacle: Obstacle) -> Result<Modified> {
        match obstacle {
            Obstacle::OwnStatement => Ok(Modified::OwnStatement),
            Obstacle::OwnChange { deleted: false } => Ok(Modified::Changed),
            Obstacle::OwnChange { deleted: true } => Ok(Modified::Gone),
            Obstacle::Busy(wait) => Err(TxnError::Wait(Wait::Txn(wait))),
            Obstacle::Missing if txn.isolation().keeps_its_snapshot() => {
                Err(TxnError::SerializationFailure { deleted: true })
            }
            Obstacle::Missing | Obstacle::Again | Obstacle::Below(_) | Obstacle::Newer(_) => Ok(Modified::Gone),
            Obstacle::Committed { xid, deleted } => {
                txn.depend_on_commit_of(xid);
                match deleted {
                    deleted if txn.isolation().keeps_its_snapshot() => Err(TxnError::SerializationFailure { deleted }),
                    true => Ok(Modified::Gone),
                    false => Ok(Modified::Changed),
                }
            }
        }
    }

    /// The newest version of a row, whoever wrote it.
    pub(super) fn stored_row(&self, row_id: RowId) -> Result<Option<StoredRow>> {
        let copied = self.rows.get(&row_id.key(), |entry, _| {
            entry.map(|entry| {
                let (header, image) = RowHeader::split(entry.value)?;
                Ok(StoredRow { header, image: image.to_vec() })
            })
        })?;
        copied.transpose()
    }

    /// As [`TableStore::stored_row`], for purge and check.
    pub(crate) fn newest_version(&self, row_id: RowId) -> Result<Option<(RowHeader, Vec<u8>)>> {
        Ok(self.stored_row(row_id)?.map(|row| (row.header, row.image)))
    }

    fn build_image(&self, txn: &mut Transaction, row_id: RowId, row: &[Datum]) -> Result<Vec<u8>> {
        let put = |bytes: &[u8]| self.put_value(txn, row_id, bytes);
        RowBuilder::new(row).finish(ROW_IMAGE_LEN_MAX, put).map_err(|error| match error {
            RowError::Sql(sql) => TxnError::Sql(sql),
            RowError::Externalize(error) => error,
        })
    }

    /// The row lets go of its large values.
    fn mark_values(&self, txn: &mut Transaction, image: &[u8]) -> Result<()> {
        let view = RowView::new(image).map_err(|corrupt| TxnError::corrupt(corrupt.to_string()))?;
        for column in 0..view.column_count() {
            if let Field::External(reference) = view.field(column) {
                self.mark_value(txn, reference)?;
            }
        }
        Ok(())
    }

    pub(super) fn row_change<'k>(
        &self,
        txn: &Transaction,
        kind: ChangeKind,
        before: RowHeader,
        was_marked: bool,
        key: &'k [u8],
        image: &'k [u8],
    ) -> Change<'k> {
        let (step, tree) = (txn.undo.steps(), self.rows.id());
        let is_new = matches!(kind, ChangeKind::RowInsert | ChangeKind::RowInsertRun);
        let header = if is_new { [0, UndoPosition::NONE.0] } else { before.words() };
        Change { kind, step, table: self.id, tree, header, was_marked, key, image }
    }

    /// Adds an index entry, or takes the mark off one that purge has not removed yet.
    pub(super) fn add_entry(&self, txn: &mut Transaction, xid: Xid, index: &IndexStore, key: &[u8]) -> Result<()> {
        self.edit_entry(txn, xid, index, key, |entry| match entry {
            None => Some(ChangeKind::IndexInsert),
            Some(true) => Some(ChangeKind::IndexUnmark),
            Some(false) => None,
        })
    }

    /// Marks the entry of a key that the row's newest version no longer has.
    fn mark_entry(&self, txn: &mut Transaction, xid: Xid, index: &IndexStore, key: &[u8]) -> Result<()> {
        self.edit_entry(txn, xid, index, key, |entry| (entry == Some(false)).then_some(ChangeKind::IndexMark))
    }

    fn edit_entry(
        &self,
        txn: &mut Transaction,
        xid: Xid,
        index: &IndexStore,
        key: &[u8],
        decide: impl FnOnce(Option<bool>) -> Option<ChangeKind>,
    ) -> Result<()> {
        txn.prepare(1, key.len(), 0)?;
        let need = EditNeed { value_bytes_max: 0, log_bytes: change_log_bytes(key.len(), 0) };
        let mut payload = Vec::new();
        let (found, _) = index.tree.edit(key, need, None, |edit| {
            let Some(kind) = decide(edit.entry().map(|entry| entry.marked)) else { return false };
            let (step, tree) = (txn.undo.steps(), index.tree.id());
            let was_marked = kind == ChangeKind::IndexUnmark;
            let change = Change { kind, step, table: self.id, tree, header: [0, 0], was_marked, key, image: &[] };
            txn.note_change(xid, &change, &mut payload);
            match kind {
                ChangeKind::IndexInsert => edit.insert(&[], false, xid.0),
                _ => edit.set_mark(kind == ChangeKind::IndexMark, xid.0),
            }
            edit.log(kind as u8, &payload);
            true
        })?;
        if found {
            return Ok(());
        }
        Err(TxnError::corrupt(format!("index {} of relation {} does not agree with its row", index.id, self.id)))
    }
}
