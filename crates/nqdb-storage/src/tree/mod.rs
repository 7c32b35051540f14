//! B-link trees: ordered maps from byte strings to small values, with fences and right links.
//!
//! ```text
//!            root (its page id never changes)
//!           /    |    \            inner pages: separator -> child; slot 0 stands for the low fence
//!        leaf -> leaf -> leaf      leaves: key suffix -> mark + value; each page knows its right sibling
//! ```
//!
//! What always holds, between any two log groups and thus after every crash:
//! 1. The pages of a level, followed to the right from its leftmost one, cover all keys without gap or overlap: the high
//!    fence of a page is the low fence of its right sibling.
//! 2. Every page but the root has exactly one entry in the level above, whose separator is the page's low fence: a split
//!    and its entry in the parent are one log group, so there are no half-finished splits to complete.
//! 3. The root stays in its page. It grows by moving its content down, and shrinks by taking an only child's content.
//! 4. A page id that was read earlier may lead to a page that was split, merged or reused since. So each latched page is
//!    judged first: right type, tree and level, low fence not above the key; otherwise the descent starts again. Keys
//!    that have moved are found over the right link.
//! 5. A descent holds one latch at a time. A change waits for a latch only while it holds none, or to the right of a page
//!    that it holds, whose right link confirms the place; a parent is tried after its children, never waited for. No page
//!    is fetched, and nothing is reserved, while a latch is held.
//!
//! After Lehman and Yao, "Efficient Locking for Concurrent Operations on B-Trees" (1981), with the merges of Lanin and
//! Shasha (1986) and fence keys after Graefe, "A Survey of B-Tree Locking Techniques" (2010).

mod descend;
mod destroy;
mod edit;
mod merge;
mod read;
mod run;
mod scan;
mod split;
mod verify;

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{Result, StorageError};
use crate::ids::{PageId, TreeId};
use crate::page::{PageOp, Shape};
use crate::reservation::Need;

pub use self::edit::{Edit, EditNeed};
pub use self::run::{KeyRange, RangeEnd, Removed, RunEdit, RunEntry};
pub use self::scan::{Direction, MarkedLeaves, Scan, Visitor};
pub use self::verify::TreeReport;
pub use crate::page::{ENTRY_LEN_MAX, Entry, KEY_LEN_MAX, LeafInfo};

/// A handle on one tree; cheap to clone, usable from many threads.
#[derive(Clone)]
pub struct Tree {
    engine: Arc<Engine>,
    id: TreeId,
    root: PageId,
}

impl Tree {
    /// Makes an empty tree. `id` must never have been used. `records` are built once the root's page id is known, and are
    /// logged in the group that makes the root, so that a directory of trees cannot miss it. They may take `log_bytes`.
    pub fn create(
        engine: &Arc<Engine>,
        id: TreeId,
        log_bytes: usize,
        records: impl FnOnce(PageId) -> Vec<(u8, Vec<u8>)>,
    ) -> Result<Tree> {
        let need = Need { log_bytes: 256 + log_bytes, new_pages: 1 };
        let mut mtr = engine.mtr(engine.reserve_last(need)?);
        let handle = mtr.allocate_page()?;
        let root = mtr.page_id(handle);
        mtr.apply(handle, &PageOp::Format(Shape { tree: id, level: 0, flags: 0, low: &[], high: None, right: None }));
        for (kind, payload) in records(root) {
            mtr.log(kind, &payload);
        }
        mtr.commit();
        Ok(Tree { engine: Arc::clone(engine), id, root })
    }

    /// A handle on a tree that exists.
    pub fn open(engine: Arc<Engine>, id: TreeId, root: PageId) -> Tree {
        Tree { engine, id, root }
    }

    pub fn id(&self) -> TreeId {
        self.id
    }

    /// The root's page, for as long as the tree lives.
    pub fn root(&self) -> PageId {
        self.root
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn check_key(&self, key: &[u8]) -> Result<()> {
        if key.len() > KEY_LEN_MAX {
            return Err(StorageError::KeyTooLong { len: key.len(), max: KEY_LEN_MAX });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
