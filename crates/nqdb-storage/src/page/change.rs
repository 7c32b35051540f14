//! The slotted layout of tree pages, write side. Only `PageOp::apply` and `Builder` call it.
//!
//! Everything here is a function of the page's content and the arguments alone, because recovery does the same steps
//! again. Room was made before: an entry that does not fit is our bug, and panics before the page is harmed. Recovery,
//! which cannot know its pages, asks `redo` first.

use std::ops::Range;

use super::buf::{PAGE_SIZE, PageBuf, PageType, SHARED_HEADER_LEN, TYPE_AT};
use super::layout::{
    ENTRY_HEADER_LEN, GARBAGE_AT, HEAP_START_AT, HIGH_LEN_AT, LOW_LEN_AT, MARK_BIT, MARKS_AT, NO_HIGH, Node,
    PREFIX_LEN_AT, SLOT_COUNT_AT, SLOT_LEN, SLOTS_AT, XID_AT, common_prefix_len, head_of, slot_parts,
};
use crate::ids::{PageId, TreeId};

/// What a tree page is, apart from its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    pub tree: TreeId,
    /// 0 makes a leaf, anything else an inner page.
    pub level: u8,
    pub flags: u16,
    /// Empty: no lower end.
    pub low: &'a [u8],
    /// `None`: no upper end.
    pub high: Option<&'a [u8]>,
    pub right: Option<PageId>,
}

impl<'a> Shape<'a> {
    /// The shape of an existing page.
    pub fn of(node: Node<'a>) -> Shape<'a> {
        let page = node.page();
        Shape {
            tree: page.tree(),
            level: page.level(),
            flags: page.flags(),
            low: node.low(),
            high: node.high(),
            right: page.right(),
        }
    }

    /// Length of the prefix that the page's keys share.
    pub fn prefix_len(&self) -> usize {
        self.high.map_or(0, |high| common_prefix_len(self.low, high))
    }

    /// Bytes that the fences take.
    pub fn fences_len(&self) -> usize {
        self.low.len() + self.high.map_or(0, <[u8]>::len)
    }
}

/// Makes `page` an empty tree page of that shape. Its LSN and checksum stay.
pub(super) fn format(page: &mut PageBuf, shape: &Shape<'_>) {
    let high = shape.high.unwrap_or_default();
    let fences_at = PAGE_SIZE - shape.fences_len();
    assert!(fences_at > SLOTS_AT, "fences leave no room for entries");
    page.set_page_type(if shape.level == 0 { PageType::Leaf } else { PageType::Inner });
    page.set_u8(TYPE_AT + 1, shape.level);
    page.set_u16(TYPE_AT + 2, shape.flags);
    page.set_u64(super::buf::TREE_AT, shape.tree.0);
    page.set_right(shape.right);
    page.bytes_mut()[SHARED_HEADER_LEN..].fill(0);
    page.set_u16(HEAP_START_AT, fences_at as u16);
    page.set_u16(PREFIX_LEN_AT, shape.prefix_len() as u16);
    page.set_u16(LOW_LEN_AT, shape.low.len() as u16);
    page.set_u16(HIGH_LEN_AT, shape.high.map_or(NO_HIGH, |high| high.len() as u16));
    page.bytes_mut()[fences_at..fences_at + shape.low.len()].copy_from_slice(shape.low);
    page.bytes_mut()[PAGE_SIZE - high.len()..].copy_from_slice(high);
}

/// Notes that transaction `xid` wrote an entry here.
pub(super) fn touch(page: &mut PageBuf, xid: u64) {
    if xid > page.u64_at(XID_AT) {
        page.set_u64(XID_AT, xid);
    }
}

fn add_marks(page: &mut PageBuf, before: bool, after: bool) {
    let marks = page.u16_at(MARKS_AT);
    page.set_u16(MARKS_AT, marks - u16::from(before) + u16::from(after));
}

/// Puts an entry at `slot`, moving later slots up.
pub(super) fn insert(page: &mut PageBuf, slot: usize, suffix: &[u8], value: &[u8], marked: bool) {
    let entry_len = ENTRY_HEADER_LEN + suffix.len() + value.len();
    let node = Node::new(page);
    assert!(slot <= node.slot_count(), "slot {slot} beyond the last one");
    assert!(entry_len + SLOT_LEN <= node.free_len(), "no room for {entry_len} bytes: {}", node.free_len());
    if node.gap_len() < entry_len + SLOT_LEN {
        compact(page);
    }
    let at = usize::from(page.u16_at(HEAP_START_AT)) - entry_len;
    write_entry(page, at, suffix, value, marked);
    let count = usize::from(page.u16_at(SLOT_COUNT_AT));
    let slot_at = SLOTS_AT + slot * SLOT_LEN;
    page.bytes_mut().copy_within(slot_at..SLOTS_AT + count * SLOT_LEN, slot_at + SLOT_LEN);
    page.set_u16(slot_at, at as u16);
    page.set_u16(slot_at + 2, suffix.len() as u16);
    page.set_u32(slot_at + 4, head_of(suffix));
    page.set_u16(HEAP_START_AT, at as u16);
    page.set_u16(SLOT_COUNT_AT, (count + 1) as u16);
    add_marks(page, false, marked);
}

fn write_entry(page: &mut PageBuf, at: usize, suffix: &[u8], value: &[u8], marked: bool) {
    page.set_u16(at, value.len() as u16 | if marked { MARK_BIT } else { 0 });
    let suffix_at = at + ENTRY_HEADER_LEN;
    page.bytes_mut()[suffix_at..suffix_at + suffix.len()].copy_from_slice(suffix);
    let value_at = suffix_at + suffix.len();
    page.bytes_mut()[value_at..value_at + value.len()].copy_from_slice(value);
}

fn slot_at(page: &PageBuf, slot: usize) -> (usize, usize) {
    let slot = Node::new(page).slots().get(slot).expect("a log record names a slot that its page has");
    slot_parts(slot)
}

/// Gives the entry at `slot` another value and mark.
pub(super) fn replace(page: &mut PageBuf, slot: usize, value: &[u8], marked: bool) {
    let (at, suffix_len) = slot_at(page, slot);
    let old_value_len = Node::new(page).entry(slot).value.len();
    if value.len() > old_value_len {
        let suffix = page.bytes()[at + ENTRY_HEADER_LEN..at + ENTRY_HEADER_LEN + suffix_len].to_vec();
        remove(page, slot);
        return insert(page, slot, &suffix, value, marked);
    }
    add_marks(page, Node::new(page).entry(slot).marked, marked);
    page.set_u16(at, value.len() as u16 | if marked { MARK_BIT } else { 0 });
    let value_at = at + ENTRY_HEADER_LEN + suffix_len;
    page.bytes_mut()[value_at..value_at + value.len()].copy_from_slice(value);
    add_garbage(page, old_value_len - value.len());
}

/// Sets or clears the mark of the entry at `slot`.
pub(super) fn set_mark(page: &mut PageBuf, slot: usize, marked: bool) {
    let (at, _) = slot_at(page, slot);
    let header = page.u16_at(at);
    add_marks(page, header & MARK_BIT != 0, marked);
    page.set_u16(at, (header & !MARK_BIT) | if marked { MARK_BIT } else { 0 });
}

/// Takes the entry at `slot` out, moving later slots down.
pub(super) fn remove(page: &mut PageBuf, slot: usize) {
    let (at, _) = slot_at(page, slot);
    let node = Node::new(page);
    let (entry_len, marked, count) = (node.entry_len(slot), node.entry(slot).marked, node.slot_count());
    add_marks(page, marked, false);
    if at == usize::from(page.u16_at(HEAP_START_AT)) {
        page.set_u16(HEAP_START_AT, (at + entry_len) as u16);
    } else {
        add_garbage(page, entry_len);
    }
    let slot_at = SLOTS_AT + slot * SLOT_LEN;
    page.bytes_mut().copy_within(slot_at + SLOT_LEN..SLOTS_AT + count * SLOT_LEN, slot_at);
    page.set_u16(SLOT_COUNT_AT, (count - 1) as u16);
}

fn add_garbage(page: &mut PageBuf, len: usize) {
    page.set_u16(GARBAGE_AT, page.u16_at(GARBAGE_AT) + len as u16);
}

/// Closes the holes in the heap.
fn compact(page: &mut PageBuf) {
    let old = page.clone();
    let node = Node::new(&old);
    let mut at = node.fences_at();
    for slot in 0..node.slot_count() {
        let (old_at, _) = slot_at(&old, slot);
        let len = node.entry_len(slot);
        at -= len;
        page.bytes_mut()[at..at + len].copy_from_slice(&old.bytes()[old_at..old_at + len]);
        page.set_u16(SLOTS_AT + slot * SLOT_LEN, at as u16);
    }
    page.set_u16(HEAP_START_AT, at as u16);
    page.set_u16(GARBAGE_AT, 0);
}

/// Keeps the entries at `kept` and gives the page other fences, flags and right sibling; the prefix follows the fences.
pub(super) fn reshape(page: &mut PageBuf, kept: Range<usize>, shape: &Shape<'_>) {
    let old = page.clone();
    let newest_xid = page.u64_at(XID_AT);
    format(page, shape);
    page.set_u64(XID_AT, newest_xid);
    append_range(page, Node::new(&old), kept);
}

/// Appends entries of another page of the same level behind the entries here. Every key must lie between the fences.
fn append_range(page: &mut PageBuf, from: Node<'_>, range: Range<usize>) {
    let prefix_len = Node::new(page).prefix_len();
    let is_inner = page.level() > 0;
    let mut key = Vec::new();
    for slot in range {
        let entry = from.entry(slot);
        let count = Node::new(page).slot_count();
        if is_inner && count == 0 {
            insert(page, 0, &[], entry.value, entry.marked);
            continue;
        }
        from.copy_key(slot, &mut key);
        insert(page, count, &key[prefix_len..], entry.value, entry.marked);
    }
}

/// Composes a page off the pool, for a split's right half or a merge, to be logged as an image.
pub struct Builder {
    page: Box<PageBuf>,
}

impl Builder {
    /// An empty page of that shape.
    pub fn new(shape: &Shape<'_>) -> Builder {
        let mut page = PageBuf::boxed();
        format(&mut page, shape);
        Builder { page }
    }

    /// Takes over entries of another page of the same level, which must fit and lie between the fences.
    pub fn append(&mut self, from: Node<'_>, range: Range<usize>) {
        append_range(&mut self.page, from, range);
        touch(&mut self.page, from.leaf_info().newest_xid);
    }

    /// Adds an inner entry; the first one stands for the low fence.
    pub fn append_child(&mut self, separator: &[u8], child: PageId) {
        let node = Node::new(&self.page);
        let (count, prefix_len) = (node.slot_count(), node.prefix_len());
        let suffix = if count == 0 { &[] } else { &separator[prefix_len..] };
        insert(&mut self.page, count, suffix, &child.0.to_le_bytes(), false);
    }

    pub fn page(&self) -> &PageBuf {
        &self.page
    }
}

/// Bytes that entries `range` of a page would take on a page whose prefix is `prefix_len` long.
pub fn cost_with_prefix(node: Node<'_>, range: Range<usize>, prefix_len: usize) -> usize {
    let is_inner = node.page().level() > 0;
    let full_key_extra = |slot| {
        let key_len =
            if slot == 0 && is_inner { node.low().len() } else { node.prefix_len() + node.suffix(slot).len() };
        key_len.saturating_sub(prefix_len)
    };
    range.map(|slot| SLOT_LEN + ENTRY_HEADER_LEN + full_key_extra(slot) + node.entry(slot).value.len()).sum()
}
