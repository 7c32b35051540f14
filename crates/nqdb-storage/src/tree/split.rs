//! Making room: a full page gives its upper entries to a new right sibling.
//!
//! ```text
//!   parent: .. low | high ..            parent: .. low | separator | high ..
//!              |      |          ->                 |      |           |
//!   page: low [a b c d] high            page: low [a b] sep -> new: sep [c d] high
//! ```
//! Both pages and the parent change in one log group. A parent without room is split first, by the same function, so that
//! a page and its parent are all that is ever latched. A full root keeps its page id: its content moves down into two new
//! pages.
//!
//! Entries go where the insert that asked for room suggests: behind the last key nothing moves (ascending inserts leave
//! full pages), in the middle both halves get equal bytes.

use crate::error::{Result, StorageError};
use crate::ids::PageId;
use crate::mtr::{Mtr, PageHandle};
use crate::page::layout::USABLE_LEN;
use crate::page::op::IMAGE_OP_LEN_MAX;
use crate::page::{Builder, ENTRY_LEN_MAX, KEY_LEN_MAX, Node, PageOp, Shape};
use crate::pool::Pinned;
use crate::reservation::{Need, Reservation};
use crate::stats::Counter;
use crate::tree::Tree;
use crate::tree::descend::{LeafUse, Restarts, Seek, Verdict};

const CHILD_LINK_LEN: usize = 8;

/// What the split of a page below the root takes: the new page's image, the old one's new shape with two fences, and the
/// entry in the parent.
const SPLIT_NEED: Need = Need {
    log_bytes: Need::record_bytes(IMAGE_OP_LEN_MAX) + 2 * Need::record_bytes(2 * KEY_LEN_MAX + 64),
    new_pages: 1,
};

/// What the split of a root takes: images of its halves and of itself.
const ROOT_SPLIT_NEED: Need = Need { log_bytes: 3 * Need::record_bytes(IMAGE_OP_LEN_MAX), new_pages: 2 };

/// Where a page is cut.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Entries that stay.
    kept: usize,
    /// Low fence of the new page.
    separator: Vec<u8>,
}

/// What one attempt to split came to.
enum Attempt {
    Done,
    /// A link was stale.
    Again,
    /// The parent must be split first, to make room for this separator.
    ParentFull(Vec<u8>),
}

impl Tree {
    /// Log and file space for splitting `pages` pages below the root of a tree with keys of up to 16 bytes, beside
    /// [`Tree::SPLIT_TO_ROOT_CREDIT`]: what such splits use in the end. What they reserve first for longer keys comes back.
    pub const fn split_credit(pages: u32) -> (usize, u32) {
        const SHORT_KEYS: Need = Need { log_bytes: Need::record_bytes(IMAGE_OP_LEN_MAX) + 256, new_pages: 1 };
        (pages as usize * SHORT_KEYS.total_log_bytes(), pages * SHORT_KEYS.new_pages)
    }

    /// Log and file space for the splits above the leaves: of two levels of inner pages and of the root. Also what splits
    /// may reserve for a moment.
    pub const SPLIT_TO_ROOT_CREDIT: (usize, u32) = (
        2 * SPLIT_NEED.total_log_bytes() + ROOT_SPLIT_NEED.total_log_bytes(),
        2 * SPLIT_NEED.new_pages + ROOT_SPLIT_NEED.new_pages,
    );

    /// Splits the page at `level` that `key` belongs to, until an entry of `key` with a value of `value_len` bytes fits.
    /// On return it fitted a moment ago; the caller checks again under its latch. Room comes from `credit` as far as that
    /// goes; what is not used goes back there.
    pub(super) fn make_room(
        &self,
        key: &[u8],
        value_len: usize,
        level: u8,
        mut credit: Option<&mut Reservation>,
    ) -> Result<()> {
        let mut restarts = Restarts::default();
        loop {
            match self.try_split(key, value_len, level, credit.as_deref_mut())? {
                Attempt::Done => return Ok(()),
                Attempt::Again => restarts.again(self)?,
                Attempt::ParentFull(separator) => {
                    self.make_room(&separator, CHILD_LINK_LEN, level + 1, credit.as_deref_mut())?;
                }
            }
        }
    }

    /// One attempt.
    fn try_split(
        &self,
        key: &[u8],
        value_len: usize,
        level: u8,
        mut credit: Option<&mut Reservation>,
    ) -> Result<Attempt> {
        let pin = self.descend(Seek::At(key), level, LeafUse::Keep)?;
        let parent_pin = match pin.id() == self.root {
            true => None,
            false => Some(self.descend(Seek::At(key), level + 1, LeafUse::Keep)?),
        };
        let need = if parent_pin.is_none() { ROOT_SPLIT_NEED } else { SPLIT_NEED };
        let reservation = match credit.as_deref_mut() {
            Some(credit) => self.engine.reserve_from(credit, need)?,
            None if self.id.is_ordinary() => self.engine.reserve(need)?,
            None => self.engine.reserve_last(need)?,
        };
        let mut mtr = self.engine.mtr(reservation);
        let attempt = self.split_latched(&mut mtr, pin, parent_pin, key, value_len, level)?;
        // Where the attempt ended early, this only gives the latches back.
        let (_, unused) = mtr.commit_keeping();
        if let Some(credit) = credit {
            credit.merge_room(unused);
        }
        Ok(attempt)
    }

    fn split_latched<'e>(
        &'e self,
        mtr: &mut Mtr<'e>,
        pin: Pinned<'e>,
        parent_pin: Option<Pinned<'e>>,
        key: &[u8],
        value_len: usize,
        level: u8,
    ) -> Result<Attempt> {
        let page = mtr.latch(pin);
        if Seek::At(key).judge(mtr.page(page), self.id, level) != Verdict::Here {
            return Ok(Attempt::Again);
        }
        let node = Node::new(mtr.page(page));
        let incoming = Incoming::new(node, key, value_len);
        if incoming.fits(node) {
            return Ok(Attempt::Done);
        }
        let Some(cut) = incoming.choose_cut(node) else {
            return Err(StorageError::EntryTooLarge { len: key.len() + value_len, max: ENTRY_LEN_MAX });
        };
        let Some(parent_pin) = parent_pin else {
            return self.split_root(mtr, page, &cut);
        };
        let Some(parent) = self.try_latch_parent(mtr, &parent_pin) else { return Ok(Attempt::Again) };
        let Some(slot) = self.slot_in_parent(mtr, parent, page, level + 1) else { return Ok(Attempt::Again) };
        let parent_node = Node::new(mtr.page(parent));
        if parent_node.entry_cost_of(cut.separator.len(), CHILD_LINK_LEN) > parent_node.free_len() {
            return Ok(Attempt::ParentFull(cut.separator));
        }
        self.split_page(mtr, page, parent, slot + 1, &cut)
    }

    /// The slot of `page` in `parent`, when `parent` is its parent.
    fn slot_in_parent(&self, mtr: &Mtr<'_>, parent: PageHandle, page: PageHandle, level: u8) -> Option<usize> {
        let low = Node::new(mtr.page(page)).low();
        if Seek::At(low).judge(mtr.page(parent), self.id, level) != Verdict::Here {
            return None;
        }
        let node = Node::new(mtr.page(parent));
        let slot = node.child_slot(low);
        (node.child(slot) == Some(mtr.page_id(page))).then_some(slot)
    }

    /// Moves the upper entries of `page` to a new page, whose link becomes the parent's entry at `slot`.
    fn split_page(
        &self,
        mtr: &mut Mtr<'_>,
        page: PageHandle,
        parent: PageHandle,
        slot: usize,
        cut: &Cut,
    ) -> Result<Attempt> {
        let new = mtr.allocate_page()?;
        let new_id = mtr.page_id(new);
        let node = Node::new(mtr.page(page));
        let shape = Shape::of(node);
        let mut right = Builder::new(&Shape { low: &cut.separator, ..shape });
        right.append(node, cut.kept..node.slot_count());
        let (level, low) = (shape.level, shape.low.to_vec());
        mtr.apply(new, &PageOp::image(right.page()));
        let high = Some(cut.separator.as_slice());
        let left = Shape { tree: self.id, level, flags: 0, low: &low, high, right: Some(new_id) };
        mtr.apply(page, &PageOp::Reshape { kept: 0..cut.kept as u16, shape: left });
        let suffix = &cut.separator[Node::new(mtr.page(parent)).prefix_len()..];
        let value = child_link(new_id);
        mtr.apply(parent, &PageOp::Insert { slot: slot as u16, suffix, value: &value, marked: false, xid: 0 });
        self.engine.count(Counter::Splits, 1);
        Ok(Attempt::Again)
    }

    /// Moves the root's content into two new pages, one level down from where it now stands.
    fn split_root(&self, mtr: &mut Mtr<'_>, root: PageHandle, cut: &Cut) -> Result<Attempt> {
        let (left, right) = (mtr.allocate_page()?, mtr.allocate_page()?);
        let (left_id, right_id) = (mtr.page_id(left), mtr.page_id(right));
        let node = Node::new(mtr.page(root));
        let shape = Shape::of(node);
        let separator = cut.separator.as_slice();
        let mut left_page = Builder::new(&Shape { high: Some(separator), right: Some(right_id), ..shape });
        left_page.append(node, 0..cut.kept);
        let mut right_page = Builder::new(&Shape { low: separator, ..shape });
        right_page.append(node, cut.kept..node.slot_count());
        let mut root_page = Builder::new(&Shape { level: shape.level + 1, ..shape });
        root_page.append_child(&[], left_id);
        root_page.append_child(separator, right_id);
        mtr.apply(left, &PageOp::image(left_page.page()));
        mtr.apply(right, &PageOp::image(right_page.page()));
        mtr.apply(root, &PageOp::image(root_page.page()));
        self.engine.count(Counter::Splits, 1);
        Ok(Attempt::Again)
    }
}

/// The entry that needs room on a page: the page's entries and this one, in order, are what a cut divides.
struct Incoming<'k> {
    key: &'k [u8],
    position: usize,
    /// The entry exists and grows.
    found: bool,
    cost: usize,
}

impl<'k> Incoming<'k> {
    fn new(node: Node<'_>, key: &'k [u8], value_len: usize) -> Incoming<'k> {
        let (position, found) = node.search(key);
        Incoming { key, position, found, cost: node.entry_cost_of(key.len(), value_len) }
    }

    fn fits(&self, node: Node<'_>) -> bool {
        let reclaimed = if self.found { node.entry_cost(self.position) } else { 0 };
        self.cost <= node.free_len() + reclaimed
    }

    /// Entries on the page once this one is in.
    fn count(&self, node: Node<'_>) -> usize {
        node.slot_count() + usize::from(!self.found)
    }

    /// The page's own slot behind which a boundary lies, counting the incoming entry or not.
    fn slots_before(&self, boundary: usize) -> usize {
        if self.found || boundary <= self.position { boundary } else { boundary - 1 }
    }

    fn cost_at(&self, node: Node<'_>, index: usize) -> usize {
        if index == self.position { self.cost } else { node.entry_cost(self.slot_at(index)) }
    }

    fn slot_at(&self, index: usize) -> usize {
        if self.found || index < self.position { index } else { index - 1 }
    }

    fn suffix_at<'a>(&self, node: Node<'a>, index: usize) -> &'a [u8]
    where
        'k: 'a,
    {
        if index == self.position {
            self.key.get(node.prefix_len()..).unwrap_or_default()
        } else {
            node.suffix(self.slot_at(index))
        }
    }

    /// The feasible cut nearest to the preferred one; `None` when the page's own entries do not divide.
    fn choose_cut(&self, node: Node<'_>) -> Option<Cut> {
        let boundaries = 1..self.count(node);
        let preferred = self.preferred_boundary(node);
        let mut distance = 0;
        while distance < self.count(node) {
            let below = preferred.checked_sub(distance);
            let above = (distance > 0).then_some(preferred + distance);
            for boundary in [below, above].into_iter().flatten().filter(|boundary| boundaries.contains(boundary)) {
                if let Some(cut) = self.cut_at(node, boundary) {
                    return Some(cut);
                }
            }
            distance += 1;
        }
        None
    }

    fn preferred_boundary(&self, node: Node<'_>) -> usize {
        let count = self.count(node);
        if !self.found && self.position + 1 == count {
            return count - 1;
        }
        if !self.found && self.position == 0 && node.low().is_empty() {
            return 1;
        }
        let total: usize = (0..count).map(|index| self.cost_at(node, index)).sum();
        let mut left = 0;
        (0..count)
            .find(|&index| {
                left += self.cost_at(node, index);
                2 * left >= total
            })
            .map_or(1, |index| if 2 * left > total + self.cost_at(node, index) { index } else { index + 1 })
            .clamp(1, count.max(2) - 1)
    }

    /// The cut at `boundary`, if the entries that exist fit on both sides beside the new fences.
    fn cut_at(&self, node: Node<'_>, boundary: usize) -> Option<Cut> {
        let kept = self.slots_before(boundary);
        let separator = if node.page().level() > 0 {
            // A child's low fence is its separator: it cannot be shortened, and the incoming child cannot come first.
            if kept == 0 || kept >= node.slot_count() {
                return None;
            }
            let mut separator = Vec::new();
            node.copy_key(kept, &mut separator);
            separator
        } else {
            let (left, right) = (self.suffix_at(node, boundary - 1), self.suffix_at(node, boundary));
            let shared = left.iter().zip(right).take_while(|(left, right)| left == right).count();
            [node.prefix(), right.get(..shared + 1)?].concat()
        };
        let cost = |slots: std::ops::Range<usize>| slots.map(|slot| node.entry_cost(slot)).sum::<usize>();
        let left_len = cost(0..kept) + node.low().len() + separator.len();
        let right_len = cost(kept..node.slot_count()) + separator.len() + node.high().map_or(0, <[u8]>::len);
        (left_len <= USABLE_LEN && right_len <= USABLE_LEN).then_some(Cut { kept, separator })
    }
}

/// A child link as it stands in an inner entry.
pub(super) fn child_link(id: PageId) -> [u8; CHILD_LINK_LEN] {
    id.0.to_le_bytes()
}
