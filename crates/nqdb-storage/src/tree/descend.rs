//! The one way down a tree.

use std::ops::Deref;

use crate::error::{Result, StorageError};
use crate::ids::{PageId, TreeId};
use crate::mtr::{Mtr, PageHandle};
use crate::page::{Node, PageBuf, PageType};
use crate::pool::{PageRead, Pinned};
use crate::tree::Tree;

/// Descents that find a stale page start again; one that does so this often circles in a damaged tree.
const RESTARTS_MAX: u32 = 100_000;

/// How often a parent's latch is tried before the pages below are given back.
const PARENT_TRIES_MAX: u32 = 200;

/// Where a descent is headed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seek<'k> {
    /// The page whose range holds the key.
    At(&'k [u8]),
    /// The page whose range holds the keys just below the key.
    Before(&'k [u8]),
    /// The rightmost page.
    Last,
}

/// What a latched page means to a descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Here,
    /// What is sought has moved right.
    Right(PageId),
    /// The link that led here is stale.
    Restart,
}

/// Whether a fetched leaf counts as used for eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafUse {
    Keep,
    Scan,
}

/// A page under its shared latch, with its id.
pub(super) struct Latched<'e> {
    id: PageId,
    page: PageRead<'e>,
}

impl<'e> Latched<'e> {
    pub(super) fn new(pin: Pinned<'e>) -> Latched<'e> {
        Latched { id: pin.id(), page: pin.into_read() }
    }

    pub(super) fn id(&self) -> PageId {
        self.id
    }
}

impl Deref for Latched<'_> {
    type Target = PageBuf;

    fn deref(&self) -> &PageBuf {
        &self.page
    }
}

impl Seek<'_> {
    /// Judges a page that has just been latched.
    #[inline]
    pub(super) fn judge(self, page: &PageBuf, tree: TreeId, level: u8) -> Verdict {
        let page_type = if level == 0 { PageType::Leaf } else { PageType::Inner };
        if page.page_type() != Some(page_type) || page.tree() != tree || page.level() != level {
            return Verdict::Restart;
        }
        let node = Node::new(page);
        let low = node.low();
        let is_above_low = match self {
            Seek::At(key) => low <= key,
            Seek::Before(key) => low.is_empty() || low < key,
            Seek::Last => true,
        };
        let is_below_high = match (self, node.high()) {
            (_, None) => true,
            (Seek::At(key), Some(high)) => key < high,
            (Seek::Before(key), Some(high)) => key <= high,
            (Seek::Last, Some(_)) => false,
        };
        match (is_above_low, is_below_high, page.right()) {
            (true, true, _) => Verdict::Here,
            (true, false, Some(right)) => Verdict::Right(right),
            _ => Verdict::Restart,
        }
    }

    #[inline]
    fn child_slot(self, node: Node<'_>) -> usize {
        match self {
            Seek::At(key) => node.child_slot(key),
            Seek::Before(key) => node.child_slot_before(key),
            Seek::Last => node.slot_count().saturating_sub(1),
        }
    }
}

/// Counts how often a descent started again.
#[derive(Default)]
pub(super) struct Restarts(u32);

impl Restarts {
    /// Notes another start; an error when the tree must be damaged.
    pub(super) fn again(&mut self, tree: &Tree) -> Result<()> {
        self.0 += 1;
        if self.0 > 8 {
            std::thread::yield_now();
        }
        if self.0 > RESTARTS_MAX {
            let what = format!("descents in tree {} do not arrive", tree.id.0);
            return Err(StorageError::corrupt_page(tree.root, what));
        }
        Ok(())
    }
}

impl Tree {
    /// Pins the page at `level` that `seek` leads to, as far as the levels above know. It is not latched: the caller
    /// latches it and judges it. When the tree has no more than `level` levels above its leaves, the root is returned.
    #[inline]
    pub(super) fn descend(&self, seek: Seek<'_>, level: u8, leaf_use: LeafUse) -> Result<Pinned<'_>> {
        let mut restarts = Restarts::default();
        'root: loop {
            let mut page = self.engine.fetch(self.root)?.into_read();
            if page.tree() != self.id {
                return Err(StorageError::corrupt_page(self.root, format!("it is not the root of tree {}", self.id.0)));
            }
            let mut page_level = page.level();
            if page_level <= level {
                drop(page);
                return self.engine.fetch(self.root);
            }
            loop {
                let next = match seek.judge(&page, self.id, page_level) {
                    Verdict::Here => {
                        let node = Node::new(&page);
                        page_level -= 1;
                        node.child(seek.child_slot(node))
                    }
                    Verdict::Right(right) => Some(right),
                    Verdict::Restart => None,
                };
                drop(page);
                let Some(next) = next else {
                    restarts.again(self)?;
                    continue 'root;
                };
                if page_level == level {
                    return self.fetch_at(next, level, leaf_use);
                }
                page = self.engine.fetch(next)?.into_read();
            }
        }
    }

    #[inline]
    fn fetch_at(&self, id: PageId, level: u8, leaf_use: LeafUse) -> Result<Pinned<'_>> {
        if level == 0 && leaf_use == LeafUse::Scan { self.engine.fetch_scan(id) } else { self.engine.fetch(id) }
    }

    /// The page at `level` that `seek` leads to, under its shared latch.
    #[inline]
    pub(super) fn read_at(&self, seek: Seek<'_>, level: u8, leaf_use: LeafUse) -> Result<Latched<'_>> {
        let mut restarts = Restarts::default();
        loop {
            let first = self.descend(seek, level, leaf_use)?;
            if let Some(page) = self.read_from(first, seek, level, leaf_use)? {
                return Ok(page);
            }
            restarts.again(self)?;
        }
    }

    /// Latches a page that may be the one sought, moving right where it has to; `None` when the link was stale.
    #[inline]
    pub(super) fn read_from<'e>(
        &'e self,
        first: Pinned<'e>,
        seek: Seek<'_>,
        level: u8,
        leaf_use: LeafUse,
    ) -> Result<Option<Latched<'e>>> {
        let mut page = Latched::new(first);
        loop {
            match seek.judge(&page, self.id, level) {
                Verdict::Here => return Ok(Some(page)),
                Verdict::Restart => return Ok(None),
                Verdict::Right(right) => {
                    drop(page);
                    page = Latched::new(self.fetch_at(right, level, leaf_use)?);
                }
            }
        }
    }

    /// Latches what may be the parent of pages that are latched already; `None` when that takes too long. It is only tried:
    /// a page that was merged away and reused since it was pinned may be held by one who waits for the pages below.
    pub(super) fn try_latch_parent<'e>(&'e self, mtr: &mut Mtr<'e>, pin: &Pinned<'e>) -> Option<PageHandle> {
        for _ in 0..PARENT_TRIES_MAX {
            let latched = mtr.try_latch(self.engine.fetch_resident(pin.id())?);
            if latched.is_some() {
                return latched;
            }
            std::hint::spin_loop();
        }
        None
    }
}
