//! May recovery repeat an operation on the page that it finds?
//!
//! [`PageOp::apply`] trusts its page: at run time whoever makes an operation looks at the latched page first. Recovery has
//! only the file's word for it that the page is the one that the operation was made for, and a file that was cut off,
//! overwritten with zeros or put back from an older copy says so wrongly. What always holds:
//!
//! 1. On a page that passed [`sound`], an operation that passed [`PageOp::check`] is applied without a failed assertion.
//! 2. The page that it leaves is in bounds again, so that the next operation needs only its own check. Operations that
//!    put whole bytes on a page cannot be checked before; there the page is, afterwards ([`repeat`]).
//!
//! Between two groups every page of a tree is sound in itself, those of a tree that is being destroyed included
//! (`tree::destroy`): that is what [`sound`] asks for.
//!
//! An older copy of a page can pass both and still be the wrong one; that is for the verification of trees to find.

use std::ops::Range;

use super::buf::{PAGE_SIZE, PageBuf, PageType};
use super::change::Shape;
use super::check;
use super::layout::{ENTRY_HEADER_LEN, Node, SLOT_LEN, SLOTS_AT};
use super::op::PageOp;

/// Checks a page that comes from the data file, before the first operation on it; `Err` says what is wrong with it.
pub fn sound(page: &PageBuf) -> Result<(), String> {
    match page.page_type() {
        Some(PageType::Unused | PageType::Meta | PageType::Free) => Ok(()),
        Some(PageType::Leaf | PageType::Inner) => check::structure(page),
        None => Err("it is of no known type".into()),
    }
}

/// Applies an operation of the log to the page that recovery found; `Err` says why it cannot be right. Then the page may
/// have been changed and must not be used.
pub fn repeat(op: &PageOp<'_>, page: &mut PageBuf) -> Result<(), String> {
    op.check(page)?;
    op.apply(page);
    match op {
        PageOp::Bytes { .. } | PageOp::Image { .. } | PageOp::Format(_) => sound(page),
        _ => Ok(()),
    }
}

impl PageOp<'_> {
    /// Whether the operation can have been made for this page; `Err` says why not.
    pub fn check(&self, page: &PageBuf) -> Result<(), String> {
        let found = page.page_type();
        let is_tree_page = matches!(found, Some(PageType::Leaf | PageType::Inner));
        let is_expected = match self {
            // These rely on nothing that stands in the page.
            PageOp::Bytes { .. } => true,
            PageOp::FormatFree { .. } => found != Some(PageType::Meta),
            PageOp::Format(_) | PageOp::Image { .. } => found.is_some_and(|found| found != PageType::Meta),
            _ => is_tree_page,
        };
        if !is_expected {
            return Err(match found {
                Some(PageType::Unused) => "the log changes it, and it is missing in the data file".into(),
                found => format!("the log changes it in a way that does not go with its type {found:?}"),
            });
        }
        let node = Node::new(page);
        match self {
            PageOp::Insert { slot, suffix, value, .. } => {
                let needed = SLOT_LEN + ENTRY_HEADER_LEN + suffix.len() + value.len();
                holds(usize::from(*slot) <= node.slot_count() && needed <= node.free_len())?;
                belongs(node, usize::from(*slot), suffix)
            }
            PageOp::Replace { slot, value, .. } => {
                let slot = usize::from(*slot);
                let growth = value.len().saturating_sub(node.entry(slot).value.len());
                holds(slot < node.slot_count() && growth <= node.free_len())
            }
            PageOp::SetMark { slot, .. } | PageOp::Remove { slot } => holds(usize::from(*slot) < node.slot_count()),
            PageOp::Reshape { kept, shape } => {
                holds(can_reshape(node, usize::from(kept.start)..usize::from(kept.end), shape))
            }
            _ => Ok(()),
        }
    }
}

fn holds(is_so: bool) -> Result<(), String> {
    if is_so { Ok(()) } else { Err("the log changes an entry that it does not hold, or has no room for".into()) }
}

/// Whether a key of this suffix has its place at `slot`: behind the one before, before the one there, between the fences.
fn belongs(node: Node<'_>, slot: usize, suffix: &[u8]) -> Result<(), String> {
    let of_fence = |fence: &'_ [u8]| fence.get(node.prefix_len()..).unwrap_or_default().to_vec();
    let is_behind = slot == 0 || node.suffix(slot - 1) < suffix;
    let is_before = slot == node.slot_count() || suffix < node.suffix(slot);
    let is_first_child = node.page().level() > 0 && slot == 0 && suffix.is_empty();
    let is_between =
        suffix >= of_fence(node.low()).as_slice() && node.high().is_none_or(|high| suffix < of_fence(high).as_slice());
    if is_behind && is_before && (is_between || is_first_child) {
        Ok(())
    } else {
        Err("the log puts a key on it that does not belong there".into())
    }
}

/// Whether the entries at `kept` exist, start with the new prefix, and fit beside the new fences.
fn can_reshape(node: Node<'_>, kept: Range<usize>, shape: &Shape<'_>) -> bool {
    if kept.start > kept.end || kept.end > node.slot_count() || (shape.level > 0) != (node.page().level() > 0) {
        return false;
    }
    let prefix_len = shape.prefix_len();
    let mut needed = SLOTS_AT + shape.fences_len();
    for slot in kept.clone() {
        let is_low_fence = shape.level > 0 && slot == kept.start;
        let key_len = node.prefix_len() + node.suffix(slot).len();
        if !is_low_fence && key_len < prefix_len {
            return false;
        }
        let suffix_len = if is_low_fence { 0 } else { key_len - prefix_len };
        needed += SLOT_LEN + ENTRY_HEADER_LEN + suffix_len + node.entry(slot).value.len();
    }
    needed <= PAGE_SIZE
}
