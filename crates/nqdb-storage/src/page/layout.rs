//! The slotted layout of tree pages, read side: fences, slots, key search.
//!
//! ```text
//!  0 shared header (see `buf`), 32 bytes
//! 32 newest xid u64     newest writer of any entry since the page was formatted
//! 40 slot count u16     42 heap start u16   44 garbage u16   46 prefix length u16
//! 48 low length u16     50 high length u16 (0xffff: no upper end)
//! 52 mark count u16     54 zero u16
//! 56 slots, 8 bytes each, in key order: entry offset u16, suffix length u16, head u32
//!    .. free ..
//!    heap of entries, growing down: {value length u15 + mark bit u1, key suffix, value}
//!    low fence, high fence, up to the last byte of the page
//! ```
//!
//! What always holds on a tree page:
//! 1. Every key k of the page has low <= k < high; an empty low fence stands for "no lower end".
//! 2. The prefix is the longest common one of low and high (empty when there is no upper end), so every key of the page
//!    and every key that is looked up here starts with it; entries carry only what follows.
//! 3. The head of a slot is the first four bytes of the suffix as a big-endian number, padded with zeros: heads order as
//!    keys do, and equal heads need a look at the suffix.
//! 4. Slot 0 of an inner page has an empty suffix and stands for the low fence itself. The value of an inner entry is a
//!    child page id.
//! 5. garbage + free + entries + slots + fences + header is the page; mark count is the number of marked entries.

use std::cmp::Ordering;
use std::ops::Range;

use super::buf::{PAGE_SIZE, PageBuf};
use crate::ids::PageId;

pub(super) const XID_AT: usize = 32;
pub(super) const SLOT_COUNT_AT: usize = 40;
pub(super) const HEAP_START_AT: usize = 42;
pub(super) const GARBAGE_AT: usize = 44;
pub(super) const PREFIX_LEN_AT: usize = 46;
pub(super) const LOW_LEN_AT: usize = 48;
pub(super) const HIGH_LEN_AT: usize = 50;
pub(super) const MARKS_AT: usize = 52;
pub(super) const SLOTS_AT: usize = 56;

pub(super) const SLOT_LEN: usize = 8;
pub(super) const ENTRY_HEADER_LEN: usize = 2;
pub(super) const NO_HIGH: u16 = u16::MAX;
pub(super) const MARK_BIT: u16 = 0x8000;

/// Bytes that fences, slots and entries of a page share.
pub const USABLE_LEN: usize = PAGE_SIZE - SLOTS_AT;

/// No page has more entries: keys differ, so at most one of them is empty behind the prefix.
pub const RUN_LEN_MAX: usize = USABLE_LEN / (SLOT_LEN + ENTRY_HEADER_LEN + 1) + 1;

/// The longest key, in bytes: under a quarter of the page, so that two separators always fit beside two fences.
pub const KEY_LEN_MAX: usize = 2000;

/// The longest key and value together, in bytes. A tree whose keys are all up to k bytes long takes every entry up to
/// `USABLE_LEN - 3 * k` as well as up to this limit; only one that mixes long keys with large values may refuse more.
pub const ENTRY_LEN_MAX: usize = 4000;

/// Flag of a root page: the tree is being destroyed, its pages may be gone from the left.
pub const FLAG_DESTROYING: u16 = 1;

/// What a leaf says about all of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafInfo {
    /// Newest transaction that wrote an entry of this leaf.
    pub newest_xid: u64,
    /// Number of marked entries.
    pub marks: u16,
}

/// One entry as it stands in a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub value: &'a [u8],
    pub marked: bool,
}

/// A tree page to be read. Offsets that would lead outside of the page read as empty, so that no page content can panic;
/// `check::structure` tells such a page from a sound one.
#[derive(Clone, Copy)]
pub struct Node<'a>(&'a PageBuf);

impl<'a> Node<'a> {
    #[inline]
    pub fn new(page: &'a PageBuf) -> Node<'a> {
        Node(page)
    }

    pub fn page(self) -> &'a PageBuf {
        self.0
    }

    #[inline]
    pub fn slot_count(self) -> usize {
        usize::from(self.0.u16_at(SLOT_COUNT_AT))
    }

    pub fn leaf_info(self) -> LeafInfo {
        LeafInfo { newest_xid: self.0.u64_at(XID_AT), marks: self.0.u16_at(MARKS_AT) }
    }

    #[inline]
    pub fn prefix_len(self) -> usize {
        usize::from(self.0.u16_at(PREFIX_LEN_AT))
    }

    #[inline]
    fn low_len(self) -> usize {
        usize::from(self.0.u16_at(LOW_LEN_AT))
    }

    #[inline]
    fn high_len(self) -> usize {
        match self.0.u16_at(HIGH_LEN_AT) {
            NO_HIGH => 0,
            len => usize::from(len),
        }
    }

    /// Where the fences begin, which is where the heap ends.
    #[inline]
    pub(super) fn fences_at(self) -> usize {
        PAGE_SIZE.saturating_sub(self.low_len() + self.high_len())
    }

    /// The smallest key that may stand here; empty when there is no lower end.
    #[inline]
    pub fn low(self) -> &'a [u8] {
        let at = self.fences_at();
        self.0.bytes().get(at..at + self.low_len()).unwrap_or_default()
    }

    /// Whether `key` lies between the fences.
    #[inline]
    pub fn holds(self, key: &[u8]) -> bool {
        self.low() <= key && self.high().is_none_or(|high| key < high)
    }

    /// The first key that may not stand here any more; `None` on the rightmost page of a level.
    #[inline]
    pub fn high(self) -> Option<&'a [u8]> {
        if self.0.u16_at(HIGH_LEN_AT) == NO_HIGH {
            return None;
        }
        self.0.bytes().get(PAGE_SIZE.saturating_sub(self.high_len())..)
    }

    /// What all keys here begin with.
    #[inline]
    pub fn prefix(self) -> &'a [u8] {
        self.low().get(..self.prefix_len()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn slots(self) -> &'a [[u8; SLOT_LEN]] {
        let end = SLOTS_AT + self.slot_count() * SLOT_LEN;
        self.0.bytes().get(SLOTS_AT..end).unwrap_or_default().as_chunks().0
    }

    #[inline]
    pub(super) fn heap_start(self) -> usize {
        usize::from(self.0.u16_at(HEAP_START_AT))
    }

    pub(super) fn garbage_len(self) -> usize {
        usize::from(self.0.u16_at(GARBAGE_AT))
    }

    /// Bytes between the slots and the heap.
    pub(super) fn gap_len(self) -> usize {
        self.heap_start().saturating_sub(SLOTS_AT + self.slot_count() * SLOT_LEN)
    }

    /// Bytes that new entries could take, after a compaction if need be.
    #[inline]
    pub fn free_len(self) -> usize {
        self.gap_len() + self.garbage_len()
    }

    /// Bytes taken by entries and their slots.
    pub fn used_len(self) -> usize {
        (USABLE_LEN - self.low_len() - self.high_len()).saturating_sub(self.free_len())
    }

    /// What follows the prefix in the key at `slot`.
    #[inline]
    pub fn suffix(self, slot: usize) -> &'a [u8] {
        self.slots().get(slot).map_or(&[], |slot| suffix_of(self.0, slot))
    }

    /// The entry at `slot`; an empty, unmarked one when there is no such slot.
    #[inline]
    pub fn entry(self, slot: usize) -> Entry<'a> {
        let Some(slot) = self.slots().get(slot) else { return Entry { value: &[], marked: false } };
        let (at, suffix_len) = slot_parts(slot);
        let bytes = self.0.bytes();
        let header = bytes.get(at..at + ENTRY_HEADER_LEN).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        let value_at = at + ENTRY_HEADER_LEN + suffix_len;
        let value = bytes.get(value_at..value_at + usize::from(header & !MARK_BIT)).unwrap_or_default();
        Entry { value, marked: header & MARK_BIT != 0 }
    }

    /// Bytes of the entry at `slot` in the heap, without its slot.
    pub(super) fn entry_len(self, slot: usize) -> usize {
        ENTRY_HEADER_LEN + self.suffix(slot).len() + self.entry(slot).value.len()
    }

    /// Bytes that the entry at `slot` takes, its slot included.
    pub fn entry_cost(self, slot: usize) -> usize {
        SLOT_LEN + self.entry_len(slot)
    }

    /// Bytes that an entry with a full key of `key_len` bytes would take here, its slot included.
    #[inline]
    pub fn entry_cost_of(self, key_len: usize, value_len: usize) -> usize {
        SLOT_LEN + ENTRY_HEADER_LEN + key_len.saturating_sub(self.prefix_len()) + value_len
    }

    /// Writes the full key at `slot` into `key`, replacing what was there.
    pub fn copy_key(self, slot: usize, key: &mut Vec<u8>) {
        key.clear();
        if slot == 0 && self.0.level() > 0 {
            key.extend_from_slice(self.low());
        } else {
            key.extend_from_slice(self.prefix());
            key.extend_from_slice(self.suffix(slot));
        }
    }

    /// The child page id at `slot` of an inner page.
    #[inline]
    pub fn child(self, slot: usize) -> Option<PageId> {
        let bytes: [u8; 8] = self.entry(slot).value.try_into().ok()?;
        Some(PageId(u64::from_le_bytes(bytes)))
    }

    /// The first slot whose key is not below `key`, and whether it is `key` itself.
    #[inline]
    pub fn search(self, key: &[u8]) -> (usize, bool) {
        let suffix = key.get(self.prefix_len()..).unwrap_or_default();
        let head = head_of(suffix);
        let slots = self.slots();
        let mut slot = slots.partition_point(|slot| slot_head(slot) < head);
        // Equal heads are rare when heads differ at all: look at the first one before searching among them.
        match self.compare_at(slots, slot, head, suffix) {
            None | Some(Ordering::Greater) => return (slot, false),
            Some(Ordering::Equal) => return (slot, true),
            Some(Ordering::Less) => slot += 1,
        }
        let rest = slots.get(slot..).unwrap_or_default();
        slot += rest.partition_point(|slot| slot_head(slot) == head && suffix_of(self.0, slot) < suffix);
        (slot, self.compare_at(slots, slot, head, suffix) == Some(Ordering::Equal))
    }

    /// The key at `slot` against `suffix`; `None` when the slot is missing.
    #[inline]
    fn compare_at(self, slots: &[[u8; SLOT_LEN]], slot: usize, head: u32, suffix: &[u8]) -> Option<Ordering> {
        let slot = slots.get(slot)?;
        Some(slot_head(slot).cmp(&head).then_with(|| suffix_of(self.0, slot).cmp(suffix)))
    }

    /// As `search`, but tries the end first: ascending inserts land behind the last key.
    #[inline]
    pub fn search_from_end(self, key: &[u8]) -> (usize, bool) {
        let slots = self.slots();
        let suffix = key.get(self.prefix_len()..).unwrap_or_default();
        match slots.last() {
            Some(last) if suffix_of(self.0, last) < suffix => (slots.len(), false),
            _ => self.search(key),
        }
    }

    /// As `search`, but tries `slot` first: lookups of neighbours go from slot to slot.
    #[inline]
    pub fn search_from(self, slot: usize, key: &[u8]) -> (usize, bool) {
        let suffix = key.get(self.prefix_len()..).unwrap_or_default();
        match self.compare_at(self.slots(), slot, head_of(suffix), suffix) {
            Some(Ordering::Equal) => (slot, true),
            _ => self.search(key),
        }
    }

    /// The slot of the child whose range holds `key`. Only slot 0 can have an empty suffix: a later separator is above the
    /// low fence, which starts with the prefix.
    #[inline]
    pub fn child_slot(self, key: &[u8]) -> usize {
        let (slot, found) = self.search(key);
        if found { slot } else { slot.saturating_sub(1) }
    }

    /// The slot of the child whose range holds the keys just below `key`.
    pub fn child_slot_before(self, key: &[u8]) -> usize {
        self.search(key).0.saturating_sub(1)
    }

    /// The bytes that make up the sound part of a page: header with slots, and heap with fences.
    pub(super) fn image_ranges(self) -> [Range<usize>; 2] {
        let slots_end = (SLOTS_AT + self.slot_count() * SLOT_LEN).min(PAGE_SIZE);
        [0..slots_end, self.heap_start().clamp(slots_end, PAGE_SIZE)..PAGE_SIZE]
    }
}

/// The first four bytes of a suffix, as a number that orders as they do.
#[inline]
pub(super) fn head_of(suffix: &[u8]) -> u32 {
    match suffix.first_chunk::<4>() {
        Some(head) => u32::from_be_bytes(*head),
        None => {
            let mut head = [0; 4];
            head[..suffix.len()].copy_from_slice(suffix);
            u32::from_be_bytes(head)
        }
    }
}

#[inline]
fn slot_head(slot: &[u8; SLOT_LEN]) -> u32 {
    u32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]])
}

/// Entry offset and suffix length.
#[inline]
pub(super) fn slot_parts(slot: &[u8; SLOT_LEN]) -> (usize, usize) {
    (usize::from(u16::from_le_bytes([slot[0], slot[1]])), usize::from(u16::from_le_bytes([slot[2], slot[3]])))
}

#[inline]
fn suffix_of<'a>(page: &'a PageBuf, slot: &[u8; SLOT_LEN]) -> &'a [u8] {
    let (at, len) = slot_parts(slot);
    page.bytes().get(at + ENTRY_HEADER_LEN..at + ENTRY_HEADER_LEN + len).unwrap_or_default()
}

/// Length of the longest common prefix.
pub(super) fn common_prefix_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
