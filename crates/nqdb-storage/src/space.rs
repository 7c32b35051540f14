//! Page allocation: the meta page, the free list and the growth of the data file.
//!
//! ```text
//! page 0 (meta), behind the shared header:
//!  32  8  next page: pages from here on were never used
//!  40  8  first page of the free list, 0 = none
//!  48  8  pages on the free list
//! a free page's right link names the next free page
//! ```
//!
//! 1. The meta page's exclusive latch is the last that a mini-transaction waits for; the free page behind it is only
//!    tried. If it is latched by a reader that came through a stale link, or not in memory, the file's end serves instead.
//! 2. `available` counts pages that the file has room for and nobody has reserved: it is taken before any latch, and every
//!    allocation at the end consumes a reserved page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::DiskFile;
use crate::error::{Result, StorageError};
use crate::ids::{PAGE_COUNT_MAX, PAGE_SIZE, PageId};
use crate::page::buf::{PageBuf, PageType};

pub(crate) const NEXT_PAGE_AT: usize = 32;
pub(crate) const FREE_HEAD_AT: usize = 40;
pub(crate) const FREE_COUNT_AT: usize = 48;

/// The data file grows by a sixteenth, within these bounds.
const GROWTH_PAGES_MIN: u64 = 64;
const GROWTH_PAGES_MAX: u64 = 8192;

/// The meta page of a new database.
pub(crate) fn new_meta_page() -> PageBuf {
    let mut page = PageBuf::zeroed();
    page.set_page_type(PageType::Meta);
    page.set_u64(NEXT_PAGE_AT, 1);
    page
}

pub(crate) struct Space {
    file: Arc<dyn DiskFile>,
    available: AtomicI64,
    /// Pages on the free list, for deciding whether to look there; the meta page has the truth.
    free_count: AtomicU64,
    next_page: AtomicU64,
    /// Pages in the file; locked while it grows.
    file_pages: Mutex<u64>,
}

impl Space {
    /// Nothing can be reserved before [`Space::load`].
    pub(crate) fn new(file: Arc<dyn DiskFile>) -> Space {
        Space {
            file,
            available: AtomicI64::new(0),
            free_count: AtomicU64::new(0),
            next_page: AtomicU64::new(0),
            file_pages: Mutex::new(0),
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
        *self.file_pages.lock() = file_pages;
        self.available.store((file_pages - next_page) as i64, Ordering::Release);
        self.note(next_page, meta.u64_at(FREE_COUNT_AT));
        Ok(())
    }

    /// Takes room for `pages` at the file's end, growing it when needed.
    pub(crate) fn reserve(&self, pages: u32) -> Result<()> {
        let take = |available: i64| (available >= i64::from(pages)).then(|| available - i64::from(pages));
        while self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_err() {
            self.grow(u64::from(pages))?;
        }
        Ok(())
    }

    pub(crate) fn unreserve(&self, pages: u32) {
        self.available.fetch_add(i64::from(pages), Ordering::AcqRel);
    }

    fn grow(&self, pages: u64) -> Result<()> {
        let mut file_pages = self.file_pages.lock();
        if self.available.load(Ordering::Acquire) >= pages as i64 {
            return Ok(());
        }
        let wanted = (*file_pages / 16).clamp(GROWTH_PAGES_MIN, GROWTH_PAGES_MAX).max(pages);
        let grown = match self.extend(*file_pages, wanted) {
            // The disk may still have room for what is needed now.
            Err(StorageError::DiskFull { .. }) if wanted > pages => self.extend(*file_pages, pages).map(|()| pages),
            outcome => outcome.map(|()| wanted),
        };
        let grown = grown.map_err(|error| match error {
            StorageError::DiskFull { .. } => StorageError::DiskFull { what: "the data file" },
            other => other,
        })?;
        *file_pages += grown;
        self.available.fetch_add(grown as i64, Ordering::AcqRel);
        Ok(())
    }

    fn extend(&self, from: u64, pages: u64) -> Result<()> {
        if from + pages > PAGE_COUNT_MAX {
            return Err(StorageError::DiskFull { what: "the data file" });
        }
        self.file.allocate(from * PAGE_SIZE as u64, pages * PAGE_SIZE as u64)
    }

    pub(crate) fn has_free_pages(&self) -> bool {
        self.free_count.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn note(&self, next_page: u64, free_count: u64) {
        self.next_page.store(next_page, Ordering::Relaxed);
        self.free_count.store(free_count, Ordering::Relaxed);
    }

    /// Pages that were ever used, the meta page included.
    pub(crate) fn page_count(&self) -> u64 {
        self.next_page.load(Ordering::Relaxed)
    }
}
