//! Any bytes as a page, any operations on it: what the checks of recovery let through is applied without a panic, and
//! leaves every entry within its page.
//!
//! Input: how many bytes the page has at its front and at its back (u16 each), those, then operations, each behind its
//! length (u16). A page that is not sound becomes an empty one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nqdb_storage::page::redo::{repeat, sound};
use nqdb_storage::page::{Node, PageBuf, PageOp, PageType};

fn take<'a>(data: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = data.split_at(len.min(data.len()));
    *data = rest;
    taken
}

fn length(data: &mut &[u8]) -> Option<usize> {
    take(data, 2).try_into().ok().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
}

fn page_of(data: &mut &[u8]) -> Box<PageBuf> {
    let mut page = PageBuf::boxed();
    let (front_len, back_len) = (length(data).unwrap_or(0), length(data).unwrap_or(0));
    let front = take(data, front_len.min(page.bytes().len()));
    page.bytes_mut()[..front.len()].copy_from_slice(front);
    let back = take(data, back_len.min(page.bytes().len() - front.len()));
    let back_at = page.bytes().len() - back.len();
    page.bytes_mut()[back_at..].copy_from_slice(back);
    if sound(&page).is_ok() { page } else { PageBuf::boxed() }
}

/// Reads everything that a tree reads of a page.
fn read(page: &PageBuf) {
    if !matches!(page.page_type(), Some(PageType::Leaf | PageType::Inner)) {
        return;
    }
    let node = Node::new(page);
    let mut key = Vec::new();
    for slot in 0..node.slot_count() {
        node.copy_key(slot, &mut key);
        let (_, _) = (node.entry(slot), node.search(&key));
        if page.level() > 0 {
            let _ = (node.child(slot), node.child_slot(&key));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let mut page = page_of(&mut data);
    read(&page);
    while let Some(len) = length(&mut data) {
        let Ok(op) = PageOp::decode(take(&mut data, len)) else { continue };
        let mut encoded = Vec::new();
        op.encode(&mut encoded);
        assert_eq!(PageOp::decode(&encoded).ok().as_ref(), Some(&op));
        if op.check(&page).is_err() {
            continue;
        }
        if repeat(&op, &mut page).is_err() {
            page = PageBuf::boxed();
        }
        read(&page);
    }
});
