//! Giving room back: a page that has become nearly empty moves into its right sibling, or takes its left sibling in.
//!
//! ```text
//!   parent: .. low | mid | high ..                     parent: .. low | high ..
//!              |     |                       ->                   |
//!   before -> left -> right: mid [c d] high            before -> right: low [a b c d] high      left: free
//! ```
//! Entries only ever move right, as in a split, so a reader that has passed a page cannot miss what moves. Four pages
//! change in one group: the page before `left` (wherever its parent is), `left`, `right`, and their common parent. A reader
//! that still holds a link to `left` finds a free page with this tree's id, and descends again.
//!
//! Merging is an economy, never a duty: when a link is stale or a page too full, it is left for the next removal. What
//! always holds is invariant 1 to 3 of the tree. An inner root with one child takes over that child's content.

use crate::error::Result;
use crate::ids::PageId;
use crate::mtr::{Mtr, PageHandle};
use crate::page::change::cost_with_prefix;
use crate::page::layout::USABLE_LEN;
use crate::page::op::IMAGE_OP_LEN_MAX;
use crate::page::{Builder, Node, PageOp, PageType, Shape};
use crate::reservation::Need;
use crate::stats::Counter;
use crate::tree::Tree;
use crate::tree::descend::{Latched, LeafUse, Seek, Verdict};
use crate::tree::split::child_link;

/// A page with fewer bytes of entries than this looks for a sibling to merge with.
pub(super) const UNDERFULL_LEN: usize = USABLE_LEN / 4;

/// A merged page keeps a quarter free, so that the next inserts do not split it again.
const MERGED_LEN_MAX: usize = USABLE_LEN / 4 * 3;

const MERGE_LOG_BYTES: usize =
    Need::record_bytes(IMAGE_OP_LEN_MAX) + 3 * Need::record_bytes(32) + Need::FREE_PAGE_BYTES;

/// Two neighbours under one parent, as a look at the parent showed them.
struct Pair {
    parent: PageId,
    /// Slot of the left one.
    slot: usize,
    left: PageId,
    right: PageId,
    /// Low fence of the left one.
    low: Vec<u8>,
}

enum Plan {
    /// The page with its right, and the page with its left neighbour, where they have the same parent.
    Merge([Option<Pair>; 2]),
    /// The page is its parent's only child, and the parent the root.
    Collapse {
        child: PageId,
    },
    /// The page is its parent's only child: the parent has to merge first.
    ParentFirst,
    Nothing,
}

/// The pages of a merge, latched and confirmed.
struct LatchedPair {
    /// The left neighbour of `left`; none at the left end of the level.
    before: Option<PageHandle>,
    left: PageHandle,
    right: PageHandle,
    parent: PageHandle,
}

/// What a merge left behind.
struct Merged {
    page_is_underfull: bool,
    parent_is_underfull: bool,
}

impl Tree {
    /// Merges the page at `level` that `key` belongs to, if that is possible. Errors end the attempt: whatever they are,
    /// the removal that led here stands, and the next user of these pages meets them.
    pub(super) fn merge_quietly(&self, key: &[u8], level: u8) {
        // Each step ends, frees a page, or goes one level up.
        let mut next = Some(level);
        while let Some(level) = next {
            next = self.merge_at(key, level).unwrap_or_default();
        }
    }

    /// One merge at `level`; the level where another one is worth a look.
    fn merge_at(&self, key: &[u8], level: u8) -> Result<Option<u8>> {
        let pairs = match self.plan_merge(key, level)? {
            Plan::Merge(pairs) => pairs,
            Plan::ParentFirst => return Ok(Some(level + 1)),
            Plan::Nothing => return Ok(None),
            Plan::Collapse { child } => {
                self.collapse_root(child)?;
                return Ok(None);
            }
        };
        for pair in pairs.into_iter().flatten() {
            if let Some(merged) = self.merge_pair(&pair, level)? {
                let above = merged.parent_is_underfull.then_some(level + 1);
                return Ok(if merged.page_is_underfull { Some(level) } else { above });
            }
        }
        Ok(None)
    }

    fn plan_merge(&self, key: &[u8], level: u8) -> Result<Plan> {
        let parent = Latched::new(self.descend(Seek::At(key), level + 1, LeafUse::Keep)?);
        if Seek::At(key).judge(&parent, self.id, level + 1) != Verdict::Here {
            return Ok(Plan::Nothing);
        }
        let node = Node::new(&parent);
        if node.slot_count() <= 1 {
            return Ok(match node.child(0) {
                Some(child) if parent.id() == self.root => Plan::Collapse { child },
                Some(_) => Plan::ParentFirst,
                None => Plan::Nothing,
            });
        }
        let slot = node.child_slot(key);
        let pair = |slot: usize| {
            let (left, right) = (node.child(slot)?, node.child(slot + 1)?);
            let mut low = Vec::new();
            node.copy_key(slot, &mut low);
            Some(Pair { parent: parent.id(), slot, left, right, low })
        };
        Ok(Plan::Merge([pair(slot), slot.checked_sub(1).and_then(pair)]))
    }

    /// `None` when the pair has changed meanwhile or does not fit one page.
    fn merge_pair(&self, pair: &Pair, level: u8) -> Result<Option<Merged>> {
        let mut mtr = self.engine.mtr(self.engine.reserve(Need { log_bytes: MERGE_LOG_BYTES, new_pages: 0 })?);
        // What is not committed gives its latches back.
        let Some(latched) = self.latch_pair(&mut mtr, pair, level)? else { return Ok(None) };
        let LatchedPair { before, left, right, parent } = latched;
        let merged_page = merged_page(Node::new(mtr.page(left)), Node::new(mtr.page(right)));
        let Some(merged_page) = merged_page else { return Ok(None) };
        mtr.apply(right, &PageOp::image(merged_page.page()));
        let link = child_link(pair.right);
        mtr.apply(parent, &PageOp::Replace { slot: pair.slot as u16, value: &link, marked: false, xid: 0 });
        mtr.apply(parent, &PageOp::Remove { slot: pair.slot as u16 + 1 });
        if let Some(before) = before {
            mtr.apply(before, &PageOp::SetRight { right: Some(pair.right) });
        }
        let parent_node = Node::new(mtr.page(parent));
        let merged = Merged {
            page_is_underfull: Node::new(merged_page.page()).used_len() < UNDERFULL_LEN,
            parent_is_underfull: parent_node.used_len() < UNDERFULL_LEN || parent_node.slot_count() == 1,
        };
        mtr.free_page(left);
        mtr.commit();
        self.engine.count(Counter::Merges, 1);
        Ok(Some(merged))
    }

    /// Latches the pair, the page before it, and the parent, from left to right and upwards. Each link is confirmed under
    /// the latches held so far before the page behind it is latched: a page that has another place by now would be
    /// latched out of order. `None` when one is not confirmed.
    fn latch_pair<'e>(&'e self, mtr: &mut Mtr<'e>, pair: &Pair, level: u8) -> Result<Option<LatchedPair>> {
        let before_pin = match pair.low.is_empty() {
            true => None,
            false => Some(self.descend(Seek::Before(&pair.low), level, LeafUse::Keep)?),
        };
        let (left_pin, right_pin) = (self.engine.fetch(pair.left)?, self.engine.fetch(pair.right)?);
        let parent_pin = self.engine.fetch(pair.parent)?;
        let at_low = Seek::At(&pair.low);
        let before = before_pin.map(|pin| mtr.latch(pin));
        if let Some(before) = before {
            let page = mtr.page(before);
            let verdict = Seek::Before(&pair.low).judge(page, self.id, level);
            if verdict != Verdict::Here || page.right() != Some(pair.left) {
                return Ok(None);
            }
        }
        let left = mtr.latch(left_pin);
        let page = mtr.page(left);
        let is_left = at_low.judge(page, self.id, level) == Verdict::Here && Node::new(page).low() == pair.low;
        if !is_left || page.right() != Some(pair.right) {
            return Ok(None);
        }
        let right = mtr.latch(right_pin);
        let Some(parent) = self.try_latch_parent(mtr, &parent_pin) else { return Ok(None) };
        let node = Node::new(mtr.page(parent));
        let is_parent = at_low.judge(node.page(), self.id, level + 1) == Verdict::Here
            && node.child_slot(&pair.low) == pair.slot
            && node.child(pair.slot) == Some(pair.left)
            && node.child(pair.slot + 1) == Some(pair.right);
        Ok(is_parent.then_some(LatchedPair { before, left, right, parent }))
    }

    /// Moves the content of the root's only child into the root.
    fn collapse_root(&self, child: PageId) -> Result<()> {
        let mut mtr = self.engine.mtr(self.engine.reserve(Need { log_bytes: MERGE_LOG_BYTES, new_pages: 0 })?);
        let (child_pin, root_pin) = (self.engine.fetch(child)?, self.engine.fetch(self.root)?);
        let child = mtr.latch(child_pin);
        // A page that has been freed is given back before another one is waited for (`space`).
        let is_there = matches!(mtr.page(child).page_type(), Some(PageType::Leaf | PageType::Inner));
        if !is_there || mtr.page(child).tree() != self.id {
            return Ok(());
        }
        let root = mtr.latch(root_pin);
        let (child_page, root_page) = (mtr.page(child), mtr.page(root));
        let level = root_page.level();
        let is_only = level > 0
            && Seek::Last.judge(root_page, self.id, level) == Verdict::Here
            && Seek::Last.judge(child_page, self.id, level - 1) == Verdict::Here
            && Node::new(root_page).slot_count() == 1
            && Node::new(root_page).child(0) == Some(mtr.page_id(child))
            && Node::new(child_page).low().is_empty();
        if !is_only {
            return Ok(());
        }
        let copy = child_page.clone();
        mtr.apply(root, &PageOp::image(&copy));
        mtr.free_page(child);
        mtr.commit();
        self.engine.count(Counter::Merges, 1);
        Ok(())
    }
}

/// Both pages' entries between the outer fences, or `None` when they would fill the page too much.
fn merged_page(left: Node<'_>, right: Node<'_>) -> Option<Builder> {
    let shape = Shape { low: left.low(), ..Shape::of(right) };
    let (left_slots, right_slots) = (0..left.slot_count(), 0..right.slot_count());
    let len = [(left, &left_slots), (right, &right_slots)]
        .into_iter()
        .map(|(node, slots)| cost_with_prefix(node, slots.clone(), shape.prefix_len()))
        .sum::<usize>();
    let room = USABLE_LEN.saturating_sub(shape.fences_len());
    let is_one_empty = left_slots.is_empty() || right_slots.is_empty();
    if len > room || (len > MERGED_LEN_MAX && !is_one_empty) {
        return None;
    }
    let mut merged = Builder::new(&shape);
    merged.append(left, left_slots);
    merged.append(right, right_slots);
    Some(merged)
}
