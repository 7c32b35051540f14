//! The buffer pool: which page is in which frame, and what gets a frame next.
//!
//! What always holds:
//! 1. A page is in at most one frame; its entry in the page map names that frame, or says that it is being loaded.
//! 2. A frame is emptied only when it is unpinned and clean. The background writer pins what it writes, so a page is
//!    never read from disk while a newer image of it is on its way there.
//! 3. `rec_lsns[frame]` is 0 for a clean frame, else at most the start of the first log group that the data file lacks.
//!    It is set under the exclusive latch before that group is appended, and cleared under the shared latch while the
//!    page is copied for writing.
//! 4. There are never more than `frames` frames; they are allocated when first needed and kept.
//!
//! The pool never waits for a clean frame; who needs one and gets none decides what to do (see `engine`). Victims are
//! found by CLOCK: a fetch sets the frame's reference bit, the hand clears it and takes the frame on its next visit.

mod frame;
mod latch;
mod page_map;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};

use self::frame::Frame;
use self::page_map::{ABSENT, LOADING, PageMap, frame_of, resident};
use crate::disk::DiskFile;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_SIZE, PageId};
use crate::page::buf::PageBuf;
use crate::stats::{Counter, Counters};

pub(crate) use self::latch::{KeptPin, PageWrite, held};
pub use self::latch::{PageRead, Pinned};

const LOAD_SHARDS: usize = 64;

/// Where threads wait for pages that others are loading.
#[derive(Default)]
struct LoadShard {
    lock: Mutex<()>,
    loaded: Condvar,
}

/// How a page is brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Counts as use of the page: it stays longer.
    Keep,
    /// A scan passes by: the page may go at once.
    Scan,
}

pub(crate) struct Pool {
    file: Arc<dyn DiskFile>,
    map: PageMap,
    frames: Box<[OnceLock<Box<Frame>>]>,
    rec_lsns: Box<[AtomicU64]>,
    dirty: AtomicUsize,
    /// Frames that were ever needed; those behind are not allocated.
    used: AtomicUsize,
    /// Allocated frames that hold no page, owned by this list.
    free: Mutex<Vec<u32>>,
    free_count: AtomicUsize,
    hand: AtomicUsize,
    loads: Box<[LoadShard]>,
    /// Recovery meets pages that were allocated and never written: they read as zeros.
    replaying: AtomicBool,
    counters: Arc<Counters>,
}

impl Pool {
    pub(crate) fn new(file: Arc<dyn DiskFile>, frames: usize, counters: Arc<Counters>) -> Pool {
        Pool {
            file,
            map: PageMap::new(),
            frames: (0..frames).map(|_| OnceLock::new()).collect(),
            rec_lsns: (0..frames).map(|_| AtomicU64::new(0)).collect(),
            dirty: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            free: Mutex::new(Vec::new()),
            free_count: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            loads: (0..LOAD_SHARDS).map(|_| LoadShard::default()).collect(),
            replaying: AtomicBool::new(false),
            counters,
        }
    }

    pub(crate) fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Release);
    }

    pub(crate) fn frame_count(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn used_count(&self) -> usize {
        self.used.load(Ordering::Relaxed) - self.free_count.load(Ordering::Relaxed)
    }

    pub(crate) fn dirty_count(&self) -> usize {
        self.dirty.load(Ordering::Relaxed)
    }

    /// The page if it is in memory and not just being loaded.
    pub(crate) fn fetch_resident(&self, id: PageId) -> Option<Pinned<'_>> {
        let entry = self.map.entry(id)?;
        loop {
            let index = frame_of(entry.load(Ordering::Acquire))?;
            let frame = self.frame(index);
            if frame.try_pin(id) {
                frame.touch();
                return Some(Pinned::adopt(frame, index, id));
            }
            std::thread::yield_now();
        }
    }

    /// The page, read from disk when it is not in memory. `take_frame` finds a frame and may wait.
    pub(crate) fn fetch(
        &self,
        id: PageId,
        access: Access,
        take_frame: impl FnOnce() -> Result<u32>,
    ) -> Result<Pinned<'_>> {
        let entry = self.map.entry(id).ok_or_else(|| StorageError::corrupt_page(id, "no such page can exist"))?;
        loop {
            let now = entry.load(Ordering::Acquire);
            if let Some(index) = frame_of(now) {
                let frame = self.frame(index);
                if frame.try_pin(id) {
                    if access == Access::Keep {
                        frame.touch();
                    }
                    self.counters.add(Counter::Hits, 1);
                    return Ok(Pinned::adopt(frame, index, id));
                }
                std::thread::yield_now();
            } else if now == LOADING {
                self.wait_for_load(id, entry);
            } else if entry.compare_exchange(ABSENT, LOADING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let loaded = take_frame().and_then(|index| self.load(id, index, access));
                let (outcome, result) = match loaded {
                    Ok(pin) => (resident(pin.frame_index()), Ok(pin)),
                    Err(error) => (ABSENT, Err(error)),
                };
                self.settle(id, entry, outcome);
                return result;
            }
        }
    }

    /// A page of zeros for an id that was just given out; `index` is a frame that the caller owns.
    pub(crate) fn create(&self, id: PageId, index: u32) -> Result<Pinned<'_>> {
        let entry = self.map.entry(id).ok_or_else(|| StorageError::internal("page id out of range"))?;
        if entry.compare_exchange(ABSENT, LOADING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return Err(StorageError::corrupt_page(id, "the page is in use although the file ends before it"));
        }
        let frame = self.frame(index);
        frame.page.write().bytes_mut().fill(0);
        frame.publish(id, true);
        self.settle(id, entry, resident(index));
        Ok(Pinned::adopt(frame, index, id))
    }

    /// The pin that was kept.
    pub(crate) fn take_back(&self, kept: KeptPin) -> Pinned<'_> {
        Pinned::adopt(self.frame(kept.frame_index), kept.frame_index, kept.id)
    }

    fn settle(&self, id: PageId, entry: &AtomicU64, outcome: u64) {
        entry.store(outcome, Ordering::Release);
        let shard = self.load_shard(id);
        drop(shard.lock.lock());
        shard.loaded.notify_all();
    }

    fn wait_for_load(&self, id: PageId, entry: &AtomicU64) {
        let shard = self.load_shard(id);
        let mut guard = shard.lock.lock();
        while entry.load(Ordering::Acquire) == LOADING {
            shard.loaded.wait(&mut guard);
        }
    }

    fn load_shard(&self, id: PageId) -> &LoadShard {
        &self.loads[id.0 as usize % LOAD_SHARDS]
    }

    /// Reads and checks a page into an owned frame. On failure the frame goes to the free list.
    fn load(&self, id: PageId, index: u32, access: Access) -> Result<Pinned<'_>> {
        let frame = self.frame(index);
        let read = self.read_page(id, &mut frame.page.write());
        match read {
            Ok(()) => {
                frame.publish(id, access == Access::Keep);
                Ok(Pinned::adopt(frame, index, id))
            }
            Err(error) => {
                tracing::error!(page = %id, %error, "a page could not be read");
                self.give_back(index);
                Err(error)
            }
        }
    }

    fn read_page(&self, id: PageId, page: &mut PageBuf) -> Result<()> {
        let replaying = self.replaying.load(Ordering::Acquire);
        if replaying && self.file.len()? < id.offset() + PAGE_SIZE as u64 {
            page.bytes_mut().fill(0);
            return Ok(());
        }
        self.counters.add(Counter::PageReads, 1);
        self.file.read_exact_at(page.bytes_mut(), id.offset()).map_err(|error| match error {
            StorageError::Io { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => {
                StorageError::corrupt_page(id, "the data file ends before it")
            }
            other => other,
        })?;
        if page.is_sealed_for(id) || (replaying && page.bytes().iter().all(|&byte| byte == 0)) {
            return Ok(());
        }
        Err(StorageError::corrupt_page(id, "its checksum is wrong"))
    }

    /// A frame for a new content, owned by the caller; `None` when every frame is pinned or dirty.
    pub(crate) fn take_frame(&self) -> Option<u32> {
        if self.free_count.load(Ordering::Relaxed) > 0
            && let Some(index) = self.free.lock().pop()
        {
            self.free_count.fetch_sub(1, Ordering::Relaxed);
            return Some(index);
        }
        if let Ok(index) = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| (used < self.frames.len()).then_some(used + 1))
        {
            self.frames[index].get_or_init(|| Box::new(Frame::new_owned()));
            return Some(index as u32);
        }
        self.evict()
    }

    fn evict(&self) -> Option<u32> {
        let count = self.frames.len();
        for _ in 0..2 * count + 1 {
            let index = self.hand.fetch_add(1, Ordering::Relaxed) % count;
            if self.rec_lsns[index].load(Ordering::Relaxed) != 0 {
                continue;
            }
            // A frame that another thread is just allocating has no content to evict.
            let Some(frame) = self.frames[index].get() else { continue };
            if frame.is_pinned() || frame.take_reference() || !frame.try_own() {
                continue;
            }
            // Pinned and changed in between: its dirty mark was set before that pin was given back.
            if self.rec_lsns[index].load(Ordering::Acquire) != 0 {
                frame.disown();
                continue;
            }
            if let Some(entry) = self.map.entry(frame.id()) {
                entry.store(ABSENT, Ordering::Release);
            }
            frame.clear_id();
            self.counters.add(Counter::Evictions, 1);
            return Some(index as u32);
        }
        None
    }

    /// Returns an owned frame that was not filled.
    pub(crate) fn give_back(&self, index: u32) {
        self.frame(index).clear_id();
        self.free.lock().push(index);
        self.free_count.fetch_add(1, Ordering::Relaxed);
    }

    fn frame(&self, index: u32) -> &Frame {
        self.frames[index as usize].get().expect("a frame's index is given out after the frame was allocated")
    }

    /// Marks a page that its holder has changed (or is about to); `lsn` is at most the start of the change's group.
    pub(crate) fn mark_dirty(&self, index: u32, lsn: Lsn) {
        let rec_lsn = &self.rec_lsns[index as usize];
        if rec_lsn.load(Ordering::Relaxed) == 0 {
            rec_lsn.store(lsn.0, Ordering::Release);
            self.dirty.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the frame's page was changed since it was read or written.
    pub(crate) fn is_dirty(&self, index: u32) -> bool {
        self.rec_lsns[index as usize].load(Ordering::Relaxed) != 0
    }

    /// Pins a frame that was dirty a moment ago, so that it can be written.
    pub(crate) fn pin_frame(&self, index: u32) -> Option<Pinned<'_>> {
        let frame = self.frame(index);
        let id = frame.try_pin_any()?;
        Some(Pinned::adopt(frame, index, id))
    }

    /// Copies a dirty page for the data file and marks it clean; false if it was clean. The caller keeps the pin until the
    /// copy is written.
    pub(crate) fn copy_dirty(&self, pin: &Pinned<'_>, copy: &mut PageBuf) -> bool {
        let page = pin.read();
        if self.rec_lsns[pin.frame_index() as usize].swap(0, Ordering::AcqRel) == 0 {
            return false;
        }
        self.dirty.fetch_sub(1, Ordering::Relaxed);
        copy.bytes_mut().copy_from_slice(page.bytes());
        true
    }

    /// All dirty frames with their recovery LSN.
    pub(crate) fn dirty_frames(&self) -> Vec<(Lsn, u32)> {
        let used = self.used.load(Ordering::Acquire);
        self.rec_lsns[..used]
            .iter()
            .enumerate()
            .filter_map(|(index, rec_lsn)| {
                let rec_lsn = rec_lsn.load(Ordering::Acquire);
                (rec_lsn != 0).then_some((Lsn(rec_lsn), index as u32))
            })
            .collect()
    }

    /// The smallest recovery LSN of all frames, [`Lsn::MAX`] when all are clean.
    pub(crate) fn oldest_rec_lsn(&self) -> Lsn {
        // A frame is counted before its group is appended, so a group before a known end of the log is not missed.
        if self.dirty.load(Ordering::Acquire) == 0 {
            return Lsn::MAX;
        }
        let used = self.used.load(Ordering::Acquire);
        let dirty = self.rec_lsns[..used].iter().map(|rec_lsn| rec_lsn.load(Ordering::Acquire)).filter(|&lsn| lsn != 0);
        Lsn(dirty.min().unwrap_or(u64::MAX))
    }
}
