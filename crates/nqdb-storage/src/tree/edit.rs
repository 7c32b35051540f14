//! Changing the entry of one key: room first, then the caller's step under the leaf's exclusive latch.

use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PageId};
use crate::mtr::{Mtr, PageHandle};
use crate::page::op::ENTRY_OP_OVERHEAD;
use crate::page::{ENTRY_LEN_MAX, Entry, LeafInfo, Node, PageOp};
use crate::reservation::{Need, Reservation};
use crate::tree::Tree;
use crate::tree::descend::{LeafUse, Restarts, Seek, Verdict};
use crate::tree::merge::UNDERFULL_LEN;

/// Entry changes that one edit may make; log room is reserved for as many.
const CHANGES_MAX: usize = 2;

/// What an edit may need at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EditNeed {
    /// Length of the longest value that the edit may store.
    pub value_bytes_max: usize,
    /// Log bytes of the caller's own records: the sum of [`Need::record_bytes`] over them.
    pub log_bytes: usize,
}

/// The entry of one key under its leaf's exclusive latch. Nothing here can fail; going beyond what the edit asked room
/// for is the caller's bug and panics before anything is changed.
pub struct Edit<'a, 'e> {
    mtr: &'a mut Mtr<'e>,
    page: PageHandle,
    key: &'a [u8],
    slot: usize,
    found: bool,
    value_bytes_max: usize,
    changes: usize,
}

impl Edit<'_, '_> {
    fn node(&self) -> Node<'_> {
        Node::new(self.mtr.page(self.page))
    }

    /// The entry as it stands now, with the changes of this edit.
    pub fn entry(&self) -> Option<Entry<'_>> {
        self.found.then(|| self.node().entry(self.slot))
    }

    /// The leaf's page.
    pub fn leaf_page(&self) -> PageId {
        self.mtr.page_id(self.page)
    }

    /// What the leaf says about all of its entries.
    pub fn leaf(&self) -> LeafInfo {
        self.node().leaf_info()
    }

    /// Adds the entry, which must not exist.
    pub fn insert(&mut self, value: &[u8], marked: bool, xid: u64) {
        assert!(!self.found, "the entry exists");
        self.note_change(value.len());
        let suffix = &self.key[self.node().prefix_len()..];
        self.mtr.apply(self.page, &PageOp::Insert { slot: self.slot as u16, suffix, value, marked, xid });
        self.found = true;
    }

    /// Gives the entry, which must exist, another value and mark.
    pub fn replace(&mut self, value: &[u8], marked: bool, xid: u64) {
        assert!(self.found, "there is no entry");
        self.note_change(value.len());
        self.mtr.apply(self.page, &PageOp::Replace { slot: self.slot as u16, value, marked, xid });
    }

    /// Sets or clears the mark of the entry, which must exist.
    pub fn set_mark(&mut self, marked: bool, xid: u64) {
        assert!(self.found, "there is no entry");
        self.note_change(0);
        self.mtr.apply(self.page, &PageOp::SetMark { slot: self.slot as u16, marked, xid });
    }

    /// Takes the entry, which must exist, out.
    pub fn remove(&mut self) {
        assert!(self.found, "there is no entry");
        self.note_change(0);
        self.mtr.apply(self.page, &PageOp::Remove { slot: self.slot as u16 });
        self.found = false;
    }

    /// Adds a record of the layer above to the group.
    pub fn log(&mut self, kind: u8, payload: &[u8]) {
        self.mtr.log(kind, payload);
    }

    fn note_change(&mut self, value_len: usize) {
        assert!(value_len <= self.value_bytes_max, "a value longer than the edit asked room for");
        assert!(self.changes < CHANGES_MAX, "more changes than an edit has log room for");
        self.changes += 1;
    }
}

impl Tree {
    /// Log bytes that an edit of such a key takes at most, group included: what a credit for a later one has to hold.
    pub fn edit_log_bytes(key_len: usize, need: EditNeed) -> usize {
        let change = Need::record_bytes(ENTRY_OP_OVERHEAD + key_len + need.value_bytes_max);
        Need::group_bytes(0) + CHANGES_MAX * change + need.log_bytes
    }

    /// Makes room for an entry of `need.value_bytes_max` bytes under `key` and reserves what the edit logs, from `credit`
    /// as far as that goes; then runs `f` exactly once under the leaf's exclusive latch. `f` must not block, and must not
    /// call into the engine. Answers with the LSN behind the group, if `f` changed or logged anything.
    ///
    /// `KeyTooLong`, `EntryTooLarge`, `DiskFull` and failures to read pages are reported before `f` runs.
    pub fn edit<T>(
        &self,
        key: &[u8],
        need: EditNeed,
        credit: Option<&mut Reservation>,
        f: impl FnOnce(&mut Edit<'_, '_>) -> T,
    ) -> Result<(T, Option<Lsn>)> {
        self.check_key(key)?;
        let entry_len = key.len() + need.value_bytes_max;
        if entry_len > ENTRY_LEN_MAX {
            return Err(StorageError::EntryTooLarge { len: entry_len, max: ENTRY_LEN_MAX });
        }
        let log_bytes = Tree::edit_log_bytes(key.len(), need);
        let mut credit = credit;
        let mut mtr = self.engine.mtr(self.reserve_edit(log_bytes, credit.as_deref_mut())?);
        let (page, slot, found) = match self.latch_with_room(&mut mtr, key, need.value_bytes_max, credit.as_deref_mut())
        {
            Ok(place) => place,
            Err(error) => {
                // The credit is for a rollback, which will be tried again.
                let (_, unused) = mtr.commit_keeping();
                if let Some(credit) = credit {
                    credit.merge(unused);
                }
                return Err(error);
            }
        };
        let used_before = Node::new(mtr.page(page)).used_len();
        let value_bytes_max = need.value_bytes_max;
        let answer = f(&mut Edit { mtr: &mut mtr, page, key, slot, found, value_bytes_max, changes: 0 });
        if mtr.is_empty() {
            return Ok((answer, None));
        }
        let node = Node::new(mtr.page(page));
        let is_underfull = node.used_len() < UNDERFULL_LEN && node.used_len() < used_before;
        // Once when the leaf falls below the limit and again when it is empty: not at each removal in between.
        let should_merge = is_underfull && (used_before >= UNDERFULL_LEN || node.slot_count() == 0);
        let lsn = mtr.commit();
        if should_merge {
            self.merge_quietly(key, 0);
        }
        Ok((answer, Some(lsn)))
    }

    /// Latches the leaf of `key` exclusively once it has room, for which `credit` pays as far as it goes; answers with the key's slot and whether it is there.
    pub(super) fn latch_with_room<'e>(
        &'e self,
        mtr: &mut Mtr<'e>,
        key: &[u8],
        value_len: usize,
        mut credit: Option<&mut Reservation>,
    ) -> Result<(PageHandle, usize, bool)> {
        loop {
            let page = self.latch_at(mtr, key, 0)?;
            let node = Node::new(mtr.page(page));
            // Only on the rightmost leaf are new keys likely to come last.
            let (slot, found) = if node.high().is_none() { node.search_from_end(key) } else { node.search(key) };
            let reclaimed = if found { node.entry_cost(slot) } else { 0 };
            if node.entry_cost_of(key.len(), value_len) <= node.free_len() + reclaimed {
                return Ok((page, slot, found));
            }
            mtr.release(page);
            self.make_room(key, value_len, 0, credit.as_deref_mut())?;
        }
    }

    pub(super) fn reserve_edit(&self, log_bytes: usize, credit: Option<&mut Reservation>) -> Result<Reservation> {
        let mut reservation = match credit {
            None => return self.engine.reserve(Need { log_bytes, new_pages: 0 }),
            Some(credit) => credit.take(log_bytes),
        };
        let missing = log_bytes.saturating_sub(reservation.log_bytes());
        if missing > 0 {
            reservation.merge(self.engine.reserve(Need { log_bytes: missing, new_pages: 0 })?);
        }
        Ok(reservation)
    }

    /// Latches the page at `level` whose range holds `key` exclusively. The mini-transaction holds no latch yet.
    pub(super) fn latch_at<'e>(&'e self, mtr: &mut Mtr<'e>, key: &[u8], level: u8) -> Result<PageHandle> {
        let seek = Seek::At(key);
        let mut restarts = Restarts::default();
        loop {
            let mut pin = self.descend(seek, level, LeafUse::Keep)?;
            loop {
                let page = mtr.latch(pin);
                let verdict = seek.judge(mtr.page(page), self.id, level);
                if verdict == Verdict::Here {
                    return Ok(page);
                }
                mtr.release(page);
                match verdict {
                    Verdict::Right(right) => pin = self.engine.fetch(right)?,
                    _ => break,
                }
            }
            restarts.again(self)?;
        }
    }
}
