//! Runs: many entries with ascending keys, entered into or taken out of one leaf under one latch and by one log group.
//!
//! ```text
//! keys   a b c d e f g        leaf [.. | ..] high        one group: a b c d, as many as fit below the leaf's next key
//!        '-----'              the caller comes again with e
//! ```
//!
//! What always holds: as with `edit`, everything that can fail comes before the caller's step, and the step runs once.

use crate::error::{Result, StorageError};
use crate::mtr::{Mtr, PageHandle};
use crate::page::op::ENTRY_OP_OVERHEAD;
use crate::page::{ENTRY_LEN_MAX, Node, PageOp, RUN_LEN_MAX, USABLE_LEN};
use crate::reservation::{Need, Reservation};
use crate::tree::Tree;
use crate::tree::merge::UNDERFULL_LEN;

/// Bytes of a removal in the log, beside the record's own.
const REMOVE_OP_LEN: usize = 3;

/// An entry of a run before it is written.
#[derive(Clone, Copy, Debug)]
pub struct RunEntry<'a> {
    pub key: &'a [u8],
    pub value_bytes: usize,
}

/// The beginning of a run that one leaf takes, under that leaf's exclusive latch. Nothing here can fail; more entries
/// than [`RunEdit::len`], or longer values than were announced, are the caller's bug and panic.
pub struct RunEdit<'a, 'e> {
    mtr: &'a mut Mtr<'e>,
    page: PageHandle,
    entries: &'a [RunEntry<'a>],
    slot: usize,
    next: usize,
}

impl RunEdit<'_, '_> {
    /// How many entries of the run are to be entered now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: a leaf takes one entry at least.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Enters the next entry of the run, unmarked.
    pub fn insert(&mut self, value: &[u8], xid: u64) {
        let entry = self.entries.get(self.next).expect("no more entries than the leaf takes");
        assert!(value.len() <= entry.value_bytes, "a value longer than was announced");
        let suffix = &entry.key[Node::new(self.mtr.page(self.page)).prefix_len()..];
        let slot = (self.slot + self.next) as u16;
        self.mtr.apply(self.page, &PageOp::Insert { slot, suffix, value, marked: false, xid });
        self.next += 1;
    }

    /// Adds a record of the layer above to the group.
    pub fn log(&mut self, kind: u8, payload: &[u8]) {
        self.mtr.log(kind, payload);
    }
}

/// Entries to take out.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// The first key, included.
    pub low: &'a [u8],
    /// The last key, included.
    pub high: &'a [u8],
    /// How many entries there can be.
    pub count_max: usize,
}

/// What [`Tree::remove_range`] found in one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Entries that were taken out.
    pub count: usize,
    /// Where to go on; `None` when no later leaf belongs to the range.
    pub rest: Option<Vec<u8>>,
}

impl Tree {
    /// Log bytes that taking `count` entries out of up to `leaves` leaves needs at most, with records of the caller of
    /// `log_bytes` at the end.
    pub const fn remove_range_log_bytes(count: usize, leaves: usize, log_bytes: usize) -> usize {
        leaves * Need::group_bytes(0) + count * Need::record_bytes(REMOVE_OP_LEN) + log_bytes
    }

    /// Enters the beginning of a run, whose keys ascend and are not in the tree: as many entries as one leaf takes, one at
    /// least. `f` is called once under the leaf's exclusive latch and must insert [`RunEdit::len`] entries; what it logs
    /// may take `log_bytes` in all. Answers with the number of entries entered and `f`'s answer.
    ///
    /// `KeyTooLong`, `EntryTooLarge`, `DiskFull` and failures to read pages are reported before `f` runs.
    pub fn insert_run<T>(
        &self,
        run: &[RunEntry<'_>],
        log_bytes: usize,
        f: impl FnOnce(&mut RunEdit<'_, '_>) -> T,
    ) -> Result<(usize, T)> {
        let Some(first) = run.first() else { return Err(StorageError::internal("a run without entries")) };
        let mut need = log_bytes;
        let (mut bytes, mut count_max) = (0, 0);
        for entry in run.iter().take(RUN_LEN_MAX) {
            self.check_key(entry.key)?;
            let len = entry.key.len() + entry.value_bytes;
            if len > ENTRY_LEN_MAX {
                return Err(StorageError::EntryTooLarge { len, max: ENTRY_LEN_MAX });
            }
            bytes += entry.value_bytes;
            if count_max > 0 && bytes > USABLE_LEN {
                break;
            }
            need += Need::record_bytes(ENTRY_OP_OVERHEAD + len);
            count_max += 1;
        }
        let mut mtr = self.engine.mtr(self.engine.reserve(Need { log_bytes: need, new_pages: 0 })?);
        let (page, slot, found) = self.latch_with_room(&mut mtr, first.key, first.value_bytes, None)?;
        if found {
            return Err(StorageError::corrupt_page(mtr.page_id(page), "an entry of a run exists already"));
        }
        let count = fitting(Node::new(mtr.page(page)), slot, &run[..count_max]);
        let mut edit = RunEdit { mtr: &mut mtr, page, entries: &run[..count], slot, next: 0 };
        let answer = f(&mut edit);
        assert_eq!(edit.next, count, "a run is entered as far as its leaf takes it");
        mtr.commit();
        Ok((count, answer))
    }

    /// Takes the entries of `range`, at most `range.count_max`, out of the leaf that its low end belongs to. In the group
    /// that leaves nothing of the range, `last` may log records of `log_bytes`; it is called even if no entry was left.
    /// Log space comes from `credit` as far as that goes.
    pub fn remove_range(
        &self,
        range: KeyRange<'_>,
        log_bytes: usize,
        mut credit: Option<&mut Reservation>,
        last: &mut dyn FnMut(&mut RangeEnd<'_, '_>),
    ) -> Result<Removed> {
        let KeyRange { low, high, count_max } = range;
        self.check_key(low)?;
        let need = Tree::remove_range_log_bytes(count_max.min(RUN_LEN_MAX), 1, log_bytes);
        let mut mtr = self.engine.mtr(self.reserve_edit(need, credit.as_deref_mut())?);
        let page = match self.latch_at(&mut mtr, low, 0) {
            Ok(page) => page,
            Err(error) => {
                // The credit is for a rollback, which will be tried again.
                let (_, unused) = mtr.commit_keeping();
                if let Some(credit) = credit {
                    credit.merge(unused);
                }
                return Err(error);
            }
        };
        let node = Node::new(mtr.page(page));
        let used_before = node.used_len();
        let (start, _) = node.search(low);
        let (end, found) = match node.high() {
            Some(fence) if fence <= high => (node.slot_count(), false),
            _ => node.search(high),
        };
        let end = end + usize::from(found);
        if end.saturating_sub(start) > count_max {
            return Err(StorageError::corrupt_page(
                mtr.page_id(page),
                "a range holds more entries than were put there",
            ));
        }
        let rest = node.high().filter(|fence| *fence <= high).map(<[u8]>::to_vec);
        for slot in (start..end).rev() {
            mtr.apply(page, &PageOp::Remove { slot: slot as u16 });
        }
        if rest.is_none() {
            last(&mut RangeEnd(&mut mtr));
        }
        let node = Node::new(mtr.page(page));
        let should_merge = end > start && node.used_len() < UNDERFULL_LEN && used_before > node.used_len();
        let (_, unused) = mtr.commit_keeping();
        if let Some(credit) = credit {
            credit.merge(unused);
        }
        if should_merge {
            self.merge_quietly(low, 0);
        }
        Ok(Removed { count: end.saturating_sub(start), rest })
    }
}

/// The group that takes out the last entries of a range.
pub struct RangeEnd<'a, 'e>(&'a mut Mtr<'e>);

impl RangeEnd<'_, '_> {
    /// Adds a record of the layer above to the group.
    pub fn log(&mut self, kind: u8, payload: &[u8]) {
        self.0.log(kind, payload);
    }
}

/// How many entries of a run go into the leaf at `slot`: those below its next key and its fence, as far as there is room.
fn fitting(node: Node<'_>, slot: usize, run: &[RunEntry<'_>]) -> usize {
    let mut next = Vec::new();
    let limit = if slot < node.slot_count() {
        node.copy_key(slot, &mut next);
        Some(next.as_slice())
    } else {
        node.high()
    };
    let mut room = node.free_len();
    let fits = |entry: &&RunEntry<'_>| {
        let cost = node.entry_cost_of(entry.key.len(), entry.value_bytes);
        let here = limit.is_none_or(|limit| entry.key < limit) && cost <= room;
        room = room.saturating_sub(cost);
        here
    };
    run.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_needs_no_more_log_than_its_operations_take() {
        let mut out = Vec::new();
        PageOp::Remove { slot: u16::MAX }.encode(&mut out);
        assert_eq!(out.len(), REMOVE_OP_LEN);
    }
}
