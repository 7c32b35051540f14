//! Range scans, forward and backward, a leaf at a time.
//!
//! A scan holds nothing between two calls but a position: a key, and the page that probably holds what comes next. The
//! page is a hint that is judged like any link; when it is stale the key finds the way. So splits, merges and removals in
//! between neither lose nor repeat an entry that stands throughout.

use std::ops::{Bound, ControlFlow, Range};

use crate::error::Result;
use crate::ids::PageId;
use crate::page::{Entry, LeafInfo, Node};
use crate::tree::Tree;
use crate::tree::descend::{Latched, LeafUse, Seek};

/// What a scan calls with each key and entry, and what the leaf says about all of them.
pub type Visitor<'a> = dyn FnMut(&[u8], Entry<'_>, LeafInfo) -> ControlFlow<()> + 'a;

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// Where a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// At the end that the tree has on this side.
    End,
    /// At the key in `Scan::key`, including an entry of that key.
    From,
    /// Behind the key in `Scan::key`.
    Behind,
    Done,
}

/// A scan over the keys between two bounds. It owns its bounds and may live as long as it likes.
pub struct Scan {
    tree: Tree,
    direction: Direction,
    /// The bound where the scan ends.
    end: Bound<Vec<u8>>,
    position: Position,
    key: Vec<u8>,
    /// The key that is being visited.
    visited: Vec<u8>,
    hint: Option<PageId>,
}

impl Tree {
    /// Starts a scan of the keys between `lower` and `upper`. Nothing is read yet.
    pub fn scan(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Scan {
        let (start, end) = match direction {
            Direction::Forward => (lower, upper),
            Direction::Backward => (upper, lower),
        };
        let (position, key) = match start {
            Bound::Unbounded => (Position::End, Vec::new()),
            Bound::Included(key) => (Position::From, key.to_vec()),
            Bound::Excluded(key) => (Position::Behind, key.to_vec()),
        };
        let end = end.map(<[u8]>::to_vec);
        Scan { tree: self.clone(), direction, end, position, key, visited: Vec::new(), hint: None }
    }

    /// Visits the marked entries of leaves that have any, in key order, beginning behind `after`. After a crash this
    /// finds what is left to purge.
    pub fn marked_leaves(&self, after: Option<&[u8]>) -> MarkedLeaves {
        let lower = after.map_or(Bound::Unbounded, Bound::Excluded);
        MarkedLeaves { scan: self.scan(lower, Bound::Unbounded, Direction::Forward) }
    }
}

impl Scan {
    /// Visits entries of the next leaf in the scan's direction, under its shared latch: `f` must not block, and must not
    /// call into the engine. It gets the full key. When it breaks, the next call goes on behind the key it broke at. A call
    /// may visit nothing. Answers whether more may follow.
    pub fn next_leaf(&mut self, f: &mut Visitor<'_>) -> Result<bool> {
        self.next_leaf_if(|_| true, f)
    }

    /// As `next_leaf`, visiting nothing in leaves that `wanted` declines.
    fn next_leaf_if(&mut self, wanted: impl Fn(LeafInfo) -> bool, f: &mut Visitor<'_>) -> Result<bool> {
        if self.position == Position::Done {
            return Ok(false);
        }
        // The latch borrows the tree, the visit changes the position.
        let tree = self.tree.clone();
        let page = self.latch_leaf(&tree)?;
        let node = Node::new(&page);
        let info = node.leaf_info();
        let slots = self.slots_in(node);
        if wanted(info) && !slots.is_empty() && self.visit(node, slots, info, f).is_break() {
            std::mem::swap(&mut self.key, &mut self.visited);
            self.position = Position::Behind;
            self.hint = Some(page.id());
            return Ok(true);
        }
        self.advance(node);
        Ok(self.position != Position::Done)
    }

    fn visit(&mut self, node: Node<'_>, slots: Range<usize>, info: LeafInfo, f: &mut Visitor<'_>) -> ControlFlow<()> {
        let prefix = node.prefix();
        self.visited.clear();
        self.visited.extend_from_slice(prefix);
        let key = &mut self.visited;
        let mut visit = |slot| {
            key.truncate(prefix.len());
            key.extend_from_slice(node.suffix(slot));
            f(key, node.entry(slot), info)
        };
        match self.direction {
            Direction::Forward => slots.into_iter().try_for_each(&mut visit),
            Direction::Backward => slots.into_iter().rev().try_for_each(&mut visit),
        }
    }

    fn seek(&self) -> Seek<'_> {
        match (self.direction, self.position) {
            (Direction::Forward, Position::End) => Seek::At(&[]),
            (Direction::Backward, Position::End) => Seek::Last,
            (Direction::Forward, _) | (Direction::Backward, Position::From) => Seek::At(&self.key),
            (Direction::Backward, _) => Seek::Before(&self.key),
        }
    }

    fn latch_leaf<'t>(&self, tree: &'t Tree) -> Result<Latched<'t>> {
        let seek = self.seek();
        if let Some(hint) = self.hint
            && let Some(page) = tree.read_from(tree.engine.fetch_scan(hint)?, seek, 0, LeafUse::Scan)?
        {
            return Ok(page);
        }
        tree.read_at(seek, 0, LeafUse::Scan)
    }

    /// The slots of a leaf that lie behind the position and before the end.
    fn slots_in(&self, node: Node<'_>) -> Range<usize> {
        let count = node.slot_count();
        let (from_start, position) = (self.direction == Direction::Forward, self.position);
        let at = |key: &[u8], above: bool| {
            let (slot, found) = node.search(key);
            if found && above { slot + 1 } else { slot }
        };
        let near = match position {
            Position::End | Position::Done => {
                if from_start {
                    0
                } else {
                    count
                }
            }
            Position::From => at(&self.key, !from_start),
            Position::Behind => at(&self.key, from_start),
        };
        let far = match &self.end {
            Bound::Unbounded => {
                if from_start {
                    count
                } else {
                    0
                }
            }
            Bound::Included(key) => clamped(node, key, |key| at(key, from_start)),
            Bound::Excluded(key) => clamped(node, key, |key| at(key, !from_start)),
        };
        if from_start { near..far.max(near) } else { far.min(near)..near }
    }

    /// Moves the position over the fence of the leaf, or to the end.
    fn advance(&mut self, node: Node<'_>) {
        let fence = match self.direction {
            Direction::Forward => node.high(),
            Direction::Backward => Some(node.low()).filter(|low| !low.is_empty()),
        };
        let Some(fence) = fence.filter(|fence| !self.is_over_end(fence)) else {
            self.position = Position::Done;
            return;
        };
        self.key.clear();
        self.key.extend_from_slice(fence);
        (self.position, self.hint) = match self.direction {
            Direction::Forward => (Position::From, node.page().right()),
            Direction::Backward => (Position::Behind, None),
        };
    }

    /// Whether no key on the far side of `fence` lies within the scan's end.
    fn is_over_end(&self, fence: &[u8]) -> bool {
        match (self.direction, &self.end) {
            (_, Bound::Unbounded) => false,
            (Direction::Forward, Bound::Included(end)) => fence > end.as_slice(),
            (Direction::Forward, Bound::Excluded(end)) => fence >= end.as_slice(),
            // Keys on the far side lie below the low fence.
            (Direction::Backward, Bound::Included(end) | Bound::Excluded(end)) => fence <= end.as_slice(),
        }
    }
}

/// A key's place among a leaf's slots, also for a key outside of its fences, which need not share its prefix.
fn clamped(node: Node<'_>, key: &[u8], place: impl Fn(&[u8]) -> usize) -> usize {
    if key < node.low() {
        0
    } else if node.high().is_some_and(|high| key >= high) {
        node.slot_count()
    } else {
        place(key)
    }
}

/// A pass over the leaves with marked entries.
pub struct MarkedLeaves {
    scan: Scan,
}

impl MarkedLeaves {
    /// Visits the marked entries of the next leaf under its shared latch, with the same duties for `f` as in
    /// [`Scan::next_leaf`]. Answers whether more may follow.
    pub fn next_leaf(&mut self, f: &mut dyn FnMut(&[u8], Entry<'_>)) -> Result<bool> {
        self.scan.next_leaf_if(|info| info.marks > 0, &mut |key, entry, _| {
            if entry.marked {
                f(key, entry);
            }
            ControlFlow::Continue(())
        })
    }
}
