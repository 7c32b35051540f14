//! Page id -> where the page is: a two-level array, so that a look-up is two loads and never a lock.
//!
//! The second level is allocated for 32,768 pages (256 MiB of data) at a time and costs 8 bytes a page.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use crate::ids::{PAGE_COUNT_MAX, PageId};

const CHUNK_PAGES: u64 = 1 << 15;

/// No frame holds the page.
pub(super) const ABSENT: u64 = 0;
/// Somebody is reading the page into a frame; wait for the outcome.
pub(super) const LOADING: u64 = 1;
/// Entries from here on name a frame.
const FIRST_FRAME: u64 = 2;

/// The entry of a page that a frame holds.
pub(super) fn resident(frame: u32) -> u64 {
    u64::from(frame) + FIRST_FRAME
}

/// The frame that an entry names.
pub(super) fn frame_of(entry: u64) -> Option<u32> {
    entry.checked_sub(FIRST_FRAME).map(|frame| frame as u32)
}

pub(super) struct PageMap {
    chunks: Box<[OnceLock<Box<[AtomicU64]>>]>,
}

impl PageMap {
    pub(super) fn new() -> PageMap {
        PageMap { chunks: (0..PAGE_COUNT_MAX / CHUNK_PAGES).map(|_| OnceLock::new()).collect() }
    }

    /// The page's entry; `None` for an id that no file can have.
    pub(super) fn entry(&self, id: PageId) -> Option<&AtomicU64> {
        // File numbers other than 0 make the index exceed the first level.
        let chunk = self.chunks.get(usize::try_from(id.0 / CHUNK_PAGES).ok()?)?;
        let entries = chunk.get_or_init(|| (0..CHUNK_PAGES).map(|_| AtomicU64::new(ABSENT)).collect());
        entries.get((id.0 % CHUNK_PAGES) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn ids_have_entries_of_their_own_and_foreign_files_none() {
        let map = PageMap::new();
        for id in [0, 1, CHUNK_PAGES - 1, CHUNK_PAGES, PAGE_COUNT_MAX - 1] {
            let entry = map.entry(PageId(id)).expect("a page of the main file");
            assert_eq!(entry.swap(resident(id as u32), Ordering::Relaxed), ABSENT);
        }
        assert_eq!(frame_of(map.entry(PageId(CHUNK_PAGES)).expect("present").load(Ordering::Relaxed)), Some(1 << 15));
        assert!(map.entry(PageId(PAGE_COUNT_MAX)).is_none());
        assert!(map.entry(PageId(1 << 48)).is_none());
        assert_eq!(frame_of(LOADING), None);
    }
}
