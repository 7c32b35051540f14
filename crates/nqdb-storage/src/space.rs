//! Page allocation: the meta page, the free list and the growth of the data file.
//!
//! ```text
//! page 0 (meta), behind the shared header:
//!  32  8  next page: pages from here on were never used
//!  40  8  first page of the free list, 0 = none
//!  48  8  pages on the free list
//! a free page's right link names the next free page
//!
//! free list   F1 -> F2 -> F3 -> F4 -> ..        file   [used ..... | room at the end]
//!             '-- ready --'
//! ```
//!
//! 1. `available` is the room at the file's end and the ready pages, less what is reserved. It is taken before any latch,
//!    and every allocation consumes a reserved page, wherever the page comes from. So an allocation with a reservation
//!    finds a ready page or room at the end.
//! 2. Ready pages are the first of the free list, in its order, each kept in memory by a pin: the allocation, which holds
//!    latches, reads nothing. A reservation that finds no room makes more of the list ready before it grows the file:
//!    the file grows only when no page is free, or a quarter of the frames holds ready ones.
//! 3. The list and the ready pages change under the meta page's exclusive latch, the last but one that a mini-transaction
//!    waits for; more pages are made ready without it, by whoever finds the list unchanged since they were read.
//! 4. A ready page is only tried, as long as there is room at the end. Without that it is waited for, as the last latch:
//!    who holds it came through a stale link, sees by its type that it is free, and gives it back before it waits for
//!    anything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::DiskFile;
use crate::error::{Result, StorageError};
use crate::ids::{PAGE_COUNT_MAX, PAGE_SIZE, PageId};
use crate::page::buf::{PageBuf, PageType};
use crate::pool::{KeptPin, Pinned, Pool};

pub(crate) const NEXT_PAGE_AT: usize = 32;
pub(crate) const FREE_HEAD_AT: usize = 40;
pub(crate) const FREE_COUNT_AT: usize = 48;

/// The data file grows by a sixteenth, within these bounds.
const GROWTH_PAGES_MIN: u64 = 64;
const GROWTH_PAGES_MAX: u64 = 8192;

/// Pages that nobody has reserved stay ready up to a sixteenth of the frames, within these bounds.
const READY_PAGES_MIN: usize = 2;
const READY_PAGES_MAX: usize = 64;

/// The meta page of a new database.
pub(crate) fn new_meta_page() -> PageBuf {
    let mut page = PageBuf::zeroed();
    page.set_page_type(PageType::Meta);
    page.set_u64(NEXT_PAGE_AT, 1);
    page
}

/// The beginning of the free list.
#[derive(Default)]
struct FreeList {
    /// The first page, `NONE` when the list is empty.
    head: PageId,
    ready: VecDeque<ReadyPage>,
    /// Grows with each change of the list.
    changes: u64,
}

struct ReadyPage {
    pin: KeptPin,
    next: PageId,
}

impl FreeList {
    /// The first page that is not ready.
    fn next_unready(&self) -> PageId {
        self.ready.back().map_or(self.head, |page| page.next)
    }
}

/// A page of the free list that was not ready, as it was seen.
#[derive(Clone, Copy)]
pub(crate) struct Unready {
    pub(crate) id: PageId,
    changes: u64,
}

pub(crate) struct Space {
    file: Arc<dyn DiskFile>,
    available: AtomicI64,
    free_list: Mutex<FreeList>,
    /// Pages that nobody has reserved and that stay ready.
    ready_max: usize,
    /// Pages that reservations may make ready; each keeps a frame.
    ready_limit: usize,
    next_page: AtomicU64,
    /// Pages in the file; changed under `growing`.
    file_pages: AtomicU64,
    growing: Mutex<()>,
}

impl Space {
    /// Nothing can be reserved before [`Space::load`].
    pub(crate) fn new(file: Arc<dyn DiskFile>, frames: usize) -> Space {
        Space {
            file,
            available: AtomicI64::new(0),
            free_list: Mutex::default(),
            ready_max: (frames / 16).clamp(READY_PAGES_MIN, READY_PAGES_MAX),
            ready_limit: frames / 4,
            next_page: AtomicU64::new(0),
            file_pages: AtomicU64::new(0),
            growing: Mutex::new(()),
        }
    }

    /// Takes over the meta page's state once the log has been repeated; extends a file that ends before its pages do.
    pub(crate) fn load(&self, meta: &PageBuf) -> Result<()> {
        let next_page = meta.u64_at(NEXT_PAGE_AT);
        if meta.page_type() != Some(PageType::Meta) || !(1..=PAGE_COUNT_MAX).contains(&next_page) {
            return Err(StorageError::corrupt_page(PageId::META, "it is no meta page"));
        }
        let mut file_pages = self.file.len()? / PAGE_SIZE as u64;
        if file_pages < next_page {
            self.extend(file_pages, next_page - file_pages)?;
            file_pages = next_page;
        }
        self.file_pages.store(file_pages, Ordering::Release);
        self.available.store((file_pages - next_page) as i64, Ordering::Release);
        self.next_page.store(next_page, Ordering::Release);
        self.free_list.lock().head = PageId(meta.u64_at(FREE_HEAD_AT));
        Ok(())
    }

    /// Takes room for `pages` if there is as much and `kept` pages more.
    pub(crate) fn try_reserve(&self, pages: u32, kept: u32) -> bool {
        let pages = i64::from(pages);
        let take = |available: i64| (available - pages >= i64::from(kept)).then_some(available - pages);
        self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }

    pub(crate) fn unreserve(&self, pages: u32) {
        self.available.fetch_add(i64::from(pages), Ordering::AcqRel);
    }

    pub(crate) fn ready_count(&self) -> usize {
        self.free_list.lock().ready.len()
    }

    /// The next page of the free list that can be made ready.
    pub(crate) fn next_unready(&self) -> Option<Unready> {
        let list = self.free_list.lock();
        if list.ready.len() >= self.ready_limit {
            return None;
        }
        let id = list.next_unready();
        id.is_some().then_some(Unready { id, changes: list.changes })
    }

    /// Adds a page to the ready ones, unless the list has changed since it was seen there.
    pub(crate) fn make_ready(&self, seen: Unready, pin: Pinned<'_>) -> Result<()> {
        let (page_type, next) = {
            let page = pin.read();
            (page.page_type(), page.right().unwrap_or(PageId::NONE))
        };
        let mut list = self.free_list.lock();
        if list.changes != seen.changes || list.next_unready() != seen.id {
            return Ok(());
        }
        if page_type != Some(PageType::Free) {
            return Err(StorageError::corrupt_page(seen.id, "the free list holds a page that is in use"));
        }
        list.ready.push_back(ReadyPage { pin: pin.keep(), next });
        list.changes += 1;
        self.available.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// The list's first page, if it is ready. The caller has the meta page latched, and takes the page off the list or
    /// gives it back with [`Space::put_first`].
    pub(crate) fn take_first(&self) -> Option<(KeptPin, PageId)> {
        let mut list = self.free_list.lock();
        let ReadyPage { pin, next } = list.ready.pop_front()?;
        list.head = next;
        list.changes += 1;
        Some((pin, next))
    }

    /// The page becomes the list's first again, as it was before [`Space::take_first`].
    pub(crate) fn put_first(&self, pin: KeptPin, next: PageId) {
        let mut list = self.free_list.lock();
        list.head = pin.id();
        list.changes += 1;
        list.ready.push_front(ReadyPage { pin, next });
    }

    /// A page has become the list's first one, and is ready. The caller has the meta page latched. The last of too many
    /// ready pages goes, if nobody counts on it.
    pub(crate) fn freed(&self, pin: KeptPin, next: PageId, pool: &Pool) {
        let mut list = self.free_list.lock();
        list.head = pin.id();
        list.changes += 1;
        list.ready.push_front(ReadyPage { pin, next });
        self.available.fetch_add(1, Ordering::AcqRel);
        if list.ready.len() > self.ready_max
            && self.try_reserve(1, 0)
            && let Some(last) = list.ready.pop_back()
        {
            drop(pool.take_back(last.pin));
        }
    }

    /// Whether the file has room behind the pages that were ever used.
    pub(crate) fn has_room_at_end(&self) -> bool {
        self.file_pages.load(Ordering::Acquire) > self.next_page.load(Ordering::Acquire)
    }

    /// Grows the file until there is room for `pages`, unless somebody else has.
    pub(crate) fn grow(&self, pages: u64) -> Result<()> {
        let _growing = self.growing.lock();
        let missing = pages as i64 - self.available.load(Ordering::Acquire);
        if missing <= 0 {
            return Ok(());
        }
        let missing = missing as u64;
        let file_pages = self.file_pages.load(Ordering::Acquire);
        let wanted = (file_pages / 16).clamp(GROWTH_PAGES_MIN, GROWTH_PAGES_MAX).max(missing);
        let grown = match self.extend(file_pages, wanted) {
            // The disk may still have room for what is needed now.
            Err(StorageError::DiskFull { .. }) if wanted > missing => {
                self.extend(file_pages, missing).map(|()| missing)
            }
            outcome => outcome.map(|()| wanted),
        };
        let grown = grown.map_err(|error| match error {
            StorageError::DiskFull { .. } => StorageError::DiskFull { what: "the data file" },
            other => other,
        })?;
        self.file_pages.store(file_pages + grown, Ordering::Release);
        self.available.fetch_add(grown as i64, Ordering::AcqRel);
        Ok(())
    }

    fn extend(&self, from: u64, pages: u64) -> Result<()> {
        if from + pages > PAGE_COUNT_MAX {
            return Err(StorageError::DiskFull { what: "the data file" });
        }
        self.file.allocate(from * PAGE_SIZE as u64, pages * PAGE_SIZE as u64)
    }

    /// The meta page has another count of pages.
    pub(crate) fn note_next_page(&self, next_page: u64) {
        self.next_page.store(next_page, Ordering::Release);
    }

    /// Pages that were ever used, the meta page included.
    pub(crate) fn page_count(&self) -> u64 {
        self.next_page.load(Ordering::Acquire)
    }
}
