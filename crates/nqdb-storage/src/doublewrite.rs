//! The doublewrite file: a copy of each batch of pages, durable before any of them is overwritten in place.
//!
//! ```text
//! nqdb.doublewrite
//!    0  8   magic "nqdbdblw"
//!    8  4   crc32c of the other bytes of this first page
//!   12  4   pages in the batch
//!   16  8   system id
//!   24  8.. page ids
//! 8192 ..   the pages, sealed
//! ```
//!
//! A power cut during the in-place writes leaves torn pages; all of them are in the newest batch, because a batch
//! starts only after the last one's in-place writes were synced. A batch that was itself cut short does not verify, or
//! its pages do not; then no in-place write had begun.

use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};
use crate::ids::{PAGE_SIZE, PageId};
use crate::page::buf::PageBuf;
use crate::wal::group::{u32_at, u64_at};

pub(crate) const DOUBLEWRITE_PATH: &str = "nqdb.doublewrite";

/// Pages in one batch, at most; a small pool is written a quarter at a time.
pub(crate) const BATCH_PAGES_MAX: usize = 128;

const MAGIC: &[u8; 8] = b"nqdbdblw";
const IDS_AT: usize = 24;

pub(crate) struct Doublewrite {
    file: Arc<dyn DiskFile>,
    system_id: u64,
    /// Pages that a batch may hold.
    pub(crate) batch_pages_max: usize,
    ids: Vec<PageId>,
    /// Header and pages, put together for one write.
    buffer: Vec<u8>,
}

impl Doublewrite {
    /// Opens the file, taking its space so that a full disk cannot stop the writing of pages.
    pub(crate) fn open(disk: &dyn Disk, system_id: u64, frames: usize) -> Result<Doublewrite> {
        let file = disk.open(DOUBLEWRITE_PATH, OpenMode::Create)?;
        let batch_pages_max = BATCH_PAGES_MAX.min(frames / 4);
        let bytes = ((1 + batch_pages_max) * PAGE_SIZE) as u64;
        if file.len()? < bytes {
            file.allocate(0, bytes)?;
            file.sync_data()?;
            disk.sync_dir("")?;
        }
        Ok(Doublewrite { file, system_id, batch_pages_max, ids: Vec::new(), buffer: Vec::new() })
    }

    /// Begins a batch.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.buffer.clear();
        self.buffer.resize(PAGE_SIZE, 0);
    }

    /// Adds a sealed page to the batch, at most `batch_pages_max` in all.
    pub(crate) fn push(&mut self, id: PageId, page: &PageBuf) {
        self.ids.push(id);
        self.buffer.extend_from_slice(page.bytes());
    }

    /// Pages in the batch.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Makes the batch durable in the doublewrite file.
    pub(crate) fn write(&mut self) -> Result<()> {
        self.buffer[0..8].copy_from_slice(MAGIC);
        self.buffer[12..16].copy_from_slice(&(self.ids.len() as u32).to_le_bytes());
        self.buffer[16..24].copy_from_slice(&self.system_id.to_le_bytes());
        for (index, id) in self.ids.iter().enumerate() {
            let at = IDS_AT + 8 * index;
            self.buffer[at..at + 8].copy_from_slice(&id.0.to_le_bytes());
        }
        let crc = header_crc(&self.buffer);
        self.buffer[8..12].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&self.buffer, 0)?;
        self.file.sync_data()
    }

    /// Writes the batch in place, neighbours together. Not synced.
    pub(crate) fn write_in_place(&self, data: &dyn DiskFile) -> Result<()> {
        let mut first = 0;
        while first < self.ids.len() {
            let mut end = first + 1;
            while end < self.ids.len() && self.ids[end].0 == self.ids[end - 1].0 + 1 {
                end += 1;
            }
            data.write_all_at(&self.buffer[(1 + first) * PAGE_SIZE..(1 + end) * PAGE_SIZE], self.ids[first].offset())?;
            first = end;
        }
        Ok(())
    }

    /// Puts back pages of the last batch that are torn in the data file. Returns how many.
    pub(crate) fn restore(&self, data: &dyn DiskFile) -> Result<usize> {
        let mut restored = 0;
        for (index, id) in self.batch()?.into_iter().enumerate() {
            let mut copy = PageBuf::zeroed();
            self.file.read_exact_at(copy.bytes_mut(), ((1 + index) * PAGE_SIZE) as u64)?;
            if !copy.is_sealed_for(id) || page_is_sound(data, id)? {
                continue;
            }
            tracing::warn!(page = %id, "restored a torn page");
            data.write_all_at(copy.bytes(), id.offset())?;
            restored += 1;
        }
        if restored > 0 {
            data.sync_data()?;
        }
        Ok(restored)
    }

    fn batch(&self) -> Result<Vec<PageId>> {
        let mut header = vec![0; PAGE_SIZE];
        self.file.read_exact_at(&mut header, 0)?;
        let pages = u32_at(&header, 12).unwrap_or(0) as usize;
        let ours = header[0..8] == *MAGIC && u64_at(&header, 16) == Some(self.system_id);
        if !ours || u32_at(&header, 8) != Some(header_crc(&header)) {
            return Ok(Vec::new());
        }
        if pages > BATCH_PAGES_MAX {
            return Err(StorageError::corrupt("the doublewrite file claims too many pages"));
        }
        Ok((0..pages).filter_map(|index| u64_at(&header, IDS_AT + 8 * index).map(PageId)).collect())
    }
}

fn page_is_sound(data: &dyn DiskFile, id: PageId) -> Result<bool> {
    if data.len()? < id.offset() + PAGE_SIZE as u64 {
        return Ok(false);
    }
    let mut page = PageBuf::zeroed();
    data.read_exact_at(page.bytes_mut(), id.offset())?;
    Ok(page.is_sealed_for(id))
}

fn header_crc(buffer: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&buffer[..8]), &buffer[12..PAGE_SIZE])
}
