//! Giving all pages of a dropped tree back, a few at a time.
//!
//! The root is flagged first, so that `verify` knows what it sees. Then pages go from the right: each group frees the
//! rightmost children of one page and takes their links out, and a page without children is the next rightmost child of
//! its own parent. Whatever group a crash comes after, all pages that are left hang from the root, which is freed last.
//! Tree ids are never reused, so a root page that carries another id (or is free) means that the work is done.
//!
//! From the right, so that slot 0 of an inner page is the last to go: it stands for the low fence and has no separator, so
//! that a page without it would not be sound in itself (`page::check`), which recovery asks of every page.
//!
//! Nobody else may use the tree any more: the pages that are left have no right siblings to rely on.

use crate::error::{Result, StorageError};
use crate::ids::PageId;
use crate::page::layout::FLAG_DESTROYING;
use crate::page::{Node, PageOp, PageType};
use crate::reservation::Need;
use crate::tree::Tree;

/// Children that one group frees.
const GROUP_PAGES_MAX: usize = 32;

const GROUP_LOG_BYTES: usize =
    Need::record_bytes(16) * 2 + GROUP_PAGES_MAX * (Need::FREE_PAGE_BYTES + Need::record_bytes(16));

impl Tree {
    /// Frees up to `pages_max` pages (at least one group) of a tree that nobody uses any more. True when the whole tree is
    /// free, also when it was before.
    pub fn destroy_step(&self, pages_max: usize) -> Result<bool> {
        let mut freed = 0;
        loop {
            match self.destroy_group(pages_max.saturating_sub(freed).clamp(1, GROUP_PAGES_MAX))? {
                None => return Ok(true),
                Some(pages) => freed += pages,
            }
            if freed >= pages_max {
                return Ok(!self.is_there()?);
            }
        }
    }

    /// Whether the root page still belongs to this tree: false once [`Tree::destroy_step`] has freed all of it.
    pub fn is_there(&self) -> Result<bool> {
        let pin = self.engine.fetch(self.root)?;
        let page = pin.read();
        Ok(page.tree() == self.id && matches!(page.page_type(), Some(PageType::Leaf | PageType::Inner)))
    }

    /// Frees some children of the rightmost lowest inner page, or the root; how many pages that were, `None` when there was
    /// nothing left.
    fn destroy_group(&self, pages_max: usize) -> Result<Option<usize>> {
        if !self.is_there()? {
            return Ok(None);
        }
        let mut mtr = self.engine.mtr(self.engine.reserve(Need { log_bytes: GROUP_LOG_BYTES, new_pages: 0 })?);
        let (parent_id, children) = self.rightmost_children(pages_max)?;
        let child_pins = children.iter().map(|&child| self.engine.fetch(child)).collect::<Result<Vec<_>>>()?;
        let parent_pin = self.engine.fetch(parent_id)?;
        let root_pin = self.engine.fetch(self.root)?;
        let freed: Vec<_> = child_pins.into_iter().map(|pin| mtr.latch(pin)).collect();
        let parent = mtr.latch(parent_pin);
        let root = if parent_id == self.root { parent } else { mtr.latch(root_pin) };
        if mtr.page(root).flags() & FLAG_DESTROYING == 0 {
            mtr.apply(root, &PageOp::SetFlags { flags: FLAG_DESTROYING });
        }
        let count = Node::new(mtr.page(parent)).slot_count();
        for slot in (count.saturating_sub(children.len())..count).rev() {
            mtr.apply(parent, &PageOp::Remove { slot: slot as u16 });
        }
        for &page in &freed {
            mtr.free_page(page);
        }
        if children.is_empty() {
            mtr.free_page(root);
        }
        mtr.commit();
        Ok(Some(children.len().max(1)))
    }

    /// A page whose last children can be freed, with those: leaves, or inner pages without children. Without children it
    /// is the root, and the only page left.
    fn rightmost_children(&self, pages_max: usize) -> Result<(PageId, Vec<PageId>)> {
        let mut parent = self.root;
        let mut children = self.children(parent, pages_max)?;
        while let Some(&last) = children.first() {
            let grandchildren = self.children(last, pages_max)?;
            if grandchildren.is_empty() {
                // Its siblings may still have children of their own.
                let is_leaf = self.engine.fetch(last)?.read().level() == 0;
                children.truncate(if is_leaf { pages_max } else { 1 });
                break;
            }
            (parent, children) = (last, grandchildren);
        }
        Ok((parent, children))
    }

    /// The last children of a page, the last one first.
    fn children(&self, id: PageId, pages_max: usize) -> Result<Vec<PageId>> {
        let pin = self.engine.fetch(id)?;
        let page = pin.read();
        if page.tree() != self.id || !matches!(page.page_type(), Some(PageType::Leaf | PageType::Inner)) {
            return Err(StorageError::corrupt_page(id, format!("it is no page of tree {}", self.id.0)));
        }
        if page.level() == 0 {
            return Ok(Vec::new());
        }
        let node = Node::new(&page);
        let links = (0..node.slot_count()).rev().take(pages_max).map(|slot| node.child(slot));
        links.collect::<Option<_>>().ok_or_else(|| StorageError::corrupt_page(id, "an entry is no link to a child"))
    }
}
