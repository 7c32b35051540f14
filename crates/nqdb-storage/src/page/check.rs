//! Is a page sound in itself? Bounds, order, heads, fences and counts of one page, apart from its place in a tree.

use super::buf::{PAGE_SIZE, PageBuf, PageType};
use super::layout::{
    ENTRY_HEADER_LEN, HIGH_LEN_AT, KEY_LEN_MAX, MARKS_AT, NO_HIGH, Node, PREFIX_LEN_AT, SLOT_COUNT_AT, SLOT_LEN,
    SLOTS_AT, head_of, slot_parts,
};
use crate::page::change::Shape;

/// Checks a leaf or inner page; `Err` says what is wrong with it, in words for the operator.
pub fn structure(page: &PageBuf) -> Result<(), String> {
    let node = Node::new(page);
    bounds(page, node)?;
    let shape = Shape::of(node);
    if shape.high.is_some_and(|high| high <= shape.low) {
        return Err("its fences are out of order".into());
    }
    if node.prefix_len() != shape.prefix_len() {
        return Err("its prefix is not what its fences share".into());
    }
    entries(page, node)?;
    edges(page, node)
}

fn bounds(page: &PageBuf, node: Node<'_>) -> Result<(), String> {
    let is_inner = match page.page_type() {
        Some(PageType::Leaf) => false,
        Some(PageType::Inner) => true,
        other => return Err(format!("it is no tree page but {other:?}")),
    };
    if is_inner != (page.level() > 0) {
        return Err(format!("its type does not go with its level {}", page.level()));
    }
    let slots_end = SLOTS_AT + usize::from(page.u16_at(SLOT_COUNT_AT)) * SLOT_LEN;
    let high_len = page.u16_at(HIGH_LEN_AT);
    let is_sound = (high_len == NO_HIGH || usize::from(high_len) <= KEY_LEN_MAX)
        && node.low().len() <= KEY_LEN_MAX
        && usize::from(page.u16_at(PREFIX_LEN_AT)) <= node.low().len()
        && slots_end <= node.heap_start()
        && node.heap_start() + node.garbage_len() <= node.fences_at()
        && node.fences_at() <= PAGE_SIZE;
    if is_sound { Ok(()) } else { Err("its header points outside of it".into()) }
}

fn entries(page: &PageBuf, node: Node<'_>) -> Result<(), String> {
    let (mut entries_len, mut marks) = (0, 0);
    for (index, slot) in node.slots().iter().enumerate() {
        let (at, suffix_len) = slot_parts(slot);
        let entry = node.entry(index);
        let len = ENTRY_HEADER_LEN + suffix_len + entry.value.len();
        if at < node.heap_start() || at + len > node.fences_at() || node.suffix(index).len() != suffix_len {
            return Err(format!("entry {index} points outside of the heap"));
        }
        if slot[4..] != head_of(node.suffix(index)).to_le_bytes() {
            return Err(format!("the head of entry {index} is not that of its key"));
        }
        if index > 0 && node.suffix(index - 1) >= node.suffix(index) {
            return Err(format!("entries {} and {index} are out of order", index - 1));
        }
        if page.level() > 0 && entry.value.len() != 8 {
            return Err(format!("entry {index} is no link to a child"));
        }
        entries_len += len;
        marks += u16::from(entry.marked);
    }
    if node.heap_start() + node.garbage_len() + entries_len != node.fences_at() {
        return Err("its garbage is miscounted".into());
    }
    if page.u16_at(MARKS_AT) != marks {
        return Err(format!("it counts {} marked entries and holds {marks}", page.u16_at(MARKS_AT)));
    }
    Ok(())
}

/// The first and the last key against the fences.
fn edges(page: &PageBuf, node: Node<'_>) -> Result<(), String> {
    let count = node.slot_count();
    let mut key = Vec::new();
    if page.level() > 0 && count > 0 && !node.suffix(0).is_empty() {
        return Err("its first separator is not its low fence".into());
    }
    if count > 0 {
        node.copy_key(0, &mut key);
        if key.as_slice() < node.low() {
            return Err("its first key lies below the low fence".into());
        }
        node.copy_key(count - 1, &mut key);
        if node.high().is_some_and(|high| key.as_slice() >= high) {
            return Err("its last key lies above the high fence".into());
        }
    }
    Ok(())
}
