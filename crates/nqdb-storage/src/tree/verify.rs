//! Checks one tree: every page in itself, and every page's place among the others.
//!
//! Level by level from the root: the links of a level, in order, are the pages of the level below. Each has to be a sound
//! page of this tree and level (`page::check`), to begin at its separator, to end where the next one begins, and to have
//! that one as its right sibling. Together this is invariants 1 and 2 of the tree. Nobody may change the tree meanwhile.

use crate::error::{Result, StorageError};
use crate::ids::PageId;
use crate::page::layout::FLAG_DESTROYING;
use crate::page::{Entry, Node, check};
use crate::tree::Tree;

/// What a sound tree consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeReport {
    /// Levels, the leaves included.
    pub levels: usize,
    pub leaf_pages: u64,
    pub inner_pages: u64,
    pub entries: u64,
    /// Entries with a mark.
    pub marked: u64,
    /// Bytes that entries and their slots take in leaves.
    pub leaf_bytes: u64,
    /// The tree is being destroyed; its pages were only counted.
    pub is_destroying: bool,
}

/// A page as its parent announces it.
struct Expected {
    id: PageId,
    low: Vec<u8>,
}

impl Tree {
    /// Checks the whole tree and shows every entry to `visit`, in key order. `Corrupt` names the first page that is wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(&[u8], Entry<'_>)) -> Result<TreeReport> {
        self.verify_pages(&mut |_| Ok(()), visit)
    }

    /// As `verify`, showing every page id to `page` first.
    pub(crate) fn verify_pages(
        &self,
        page: &mut dyn FnMut(PageId) -> Result<()>,
        visit: &mut dyn FnMut(&[u8], Entry<'_>),
    ) -> Result<TreeReport> {
        let (root_level, is_destroying) = {
            let pin = self.engine.fetch_scan(self.root)?;
            let root = pin.read();
            (root.level(), root.flags() & FLAG_DESTROYING != 0)
        };
        let mut report = TreeReport { levels: usize::from(root_level) + 1, is_destroying, ..TreeReport::default() };
        let mut pages = vec![Expected { id: self.root, low: Vec::new() }];
        for level in (0..=root_level).rev() {
            let mut below = Vec::new();
            for (index, expected) in pages.iter().enumerate() {
                page(expected.id)?;
                let pin = self.engine.fetch_scan(expected.id)?;
                let latched = pin.read();
                let wrong = |what: String| StorageError::corrupt_page(expected.id, what);
                if latched.tree() != self.id || latched.level() != level {
                    return Err(wrong(format!("it is no page of tree {} at level {level}", self.id.0)));
                }
                let node = Node::new(&latched);
                if is_destroying {
                    count_going(node, level, &mut report, &mut below).map_err(wrong)?;
                    continue;
                }
                check::structure(&latched).map_err(wrong)?;
                check_place(node, expected, pages.get(index + 1)).map_err(wrong)?;
                if level == 0 {
                    visit_leaf(node, &mut report, visit);
                } else {
                    report.inner_pages += 1;
                    add_children(node, &mut below).map_err(wrong)?;
                }
            }
            pages = below;
        }
        Ok(report)
    }
}

fn check_place(node: Node<'_>, expected: &Expected, next: Option<&Expected>) -> Result<(), String> {
    if node.low() != expected.low {
        return Err("its low fence is not the separator in its parent".into());
    }
    if node.high() != next.map(|next| next.low.as_slice()) {
        return Err("its high fence is not where the next page begins".into());
    }
    if node.page().right() != next.map(|next| next.id) {
        return Err("its right link does not lead to the next page".into());
    }
    Ok(())
}

fn visit_leaf(node: Node<'_>, report: &mut TreeReport, visit: &mut dyn FnMut(&[u8], Entry<'_>)) {
    report.leaf_pages += 1;
    report.leaf_bytes += node.used_len() as u64;
    let mut key = Vec::new();
    for slot in 0..node.slot_count() {
        let entry = node.entry(slot);
        report.entries += 1;
        report.marked += u64::from(entry.marked);
        node.copy_key(slot, &mut key);
        visit(&key, entry);
    }
}

fn add_children(node: Node<'_>, below: &mut Vec<Expected>) -> Result<(), String> {
    if node.slot_count() == 0 {
        return Err("it is an inner page without children".into());
    }
    for slot in 0..node.slot_count() {
        let mut low = Vec::new();
        node.copy_key(slot, &mut low);
        let id = node.child(slot).ok_or_else(|| format!("entry {slot} is no link to a child"))?;
        below.push(Expected { id, low });
    }
    Ok(())
}

/// A tree that is being destroyed has lost pages from the right: only what is left is counted.
fn count_going(node: Node<'_>, level: u8, report: &mut TreeReport, below: &mut Vec<Expected>) -> Result<(), String> {
    check::structure(node.page())?;
    if level == 0 {
        report.leaf_pages += 1;
        return Ok(());
    }
    report.inner_pages += 1;
    if node.slot_count() > 0 { add_children(node, below) } else { Ok(()) }
}
