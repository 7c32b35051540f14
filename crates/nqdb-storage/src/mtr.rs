//! Mini-transactions: the only way to change a page.
//!
//! 1. Everything that can fail or wait happens before the first change: the reservation is made, pages are pinned.
//! 2. A change is encoded into the group and applied by the same `PageOp::apply` that recovery uses.
//! 3. The group is appended to the log as a whole at commit; latches are held until its end LSN is on its pages. So no
//!    page with half a group's changes is ever seen, by a reader or by the writer of pages.
//! 4. A changed page carries, before its group is appended, a recovery LSN that is not behind the group's start.

use std::cell::Cell;

use crate::engine::EngineState;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PageId};
use crate::page::buf::{PageBuf, PageType};
use crate::page::op::PageOp;
use crate::pool::{PageWrite, Pinned};
use crate::reservation::Reservation;
use crate::space::{FREE_COUNT_AT, FREE_HEAD_AT, NEXT_PAGE_AT};
use crate::wal::group::GroupBody;

thread_local! {
    /// The group buffer of this thread's last mini-transaction.
    static GROUP_BUFFER: Cell<Option<GroupBody>> = const { Cell::new(None) };
}

/// Larger group buffers are not kept for the next mini-transaction.
const KEPT_GROUP_BYTES: usize = 64 << 10;

/// A page latched by a mini-transaction. Valid for that one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHandle(usize);

struct Held<'e> {
    page: PageWrite<'e>,
    changed: bool,
}

/// An atomic change of some pages. Begun by `Engine::mtr`.
pub struct Mtr<'e> {
    state: &'e EngineState,
    reservation: Reservation,
    group: GroupBody,
    /// Slots of released pages stay empty, so that handles stay valid.
    held: Vec<Option<Held<'e>>>,
    meta: Option<PageHandle>,
}

impl<'e> Mtr<'e> {
    pub(crate) fn new(state: &'e EngineState, reservation: Reservation) -> Mtr<'e> {
        let group = GROUP_BUFFER.take().unwrap_or_default();
        Mtr { state, reservation, group, held: Vec::with_capacity(4), meta: None }
    }

    /// Waits for the page's exclusive latch.
    pub fn latch(&mut self, pin: Pinned<'e>) -> PageHandle {
        self.hold(pin.into_write())
    }

    /// The exclusive latch if it is free.
    pub fn try_latch(&mut self, pin: Pinned<'e>) -> Option<PageHandle> {
        let page = pin.try_into_write()?;
        Some(self.hold(page))
    }

    fn hold(&mut self, page: PageWrite<'e>) -> PageHandle {
        self.held.push(Some(Held { page, changed: false }));
        PageHandle(self.held.len() - 1)
    }

    fn held(&self, handle: PageHandle) -> &Held<'e> {
        self.held[handle.0].as_ref().expect("a handle is not used after its release")
    }

    /// The page's content, changes of this mini-transaction included.
    pub fn page(&self, handle: PageHandle) -> &PageBuf {
        &self.held(handle).page.guard
    }

    /// The page's id.
    pub fn page_id(&self, handle: PageHandle) -> PageId {
        self.held(handle).page.pin.id()
    }

    /// Changes the page and logs the change.
    pub fn apply(&mut self, handle: PageHandle, op: &PageOp<'_>) {
        let held = self.held[handle.0].as_mut().expect("a handle is not used after its release");
        self.group.push_page(held.page.pin.id(), op);
        op.apply(&mut held.page.guard);
        held.changed = true;
    }

    /// Adds an opaque record of the layer above; it becomes durable together with the changes, or not at all.
    pub fn log(&mut self, kind: u8, payload: &[u8]) {
        self.group.push_client(kind, payload);
    }

    /// Gives back a page that was not changed.
    pub fn release(&mut self, handle: PageHandle) {
        assert!(!self.held(handle).changed, "a changed page is latched until the commit");
        self.held[handle.0] = None;
    }

    /// True when nothing was changed or logged so far.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// Splits log credit off the reservation, to be kept beyond the commit.
    pub fn take_credit(&mut self, log_bytes: usize) -> Reservation {
        self.reservation.take(log_bytes)
    }

    /// A page for a new use, latched: from the free list if its first page can be had at once, else from the end of the
    /// file, else from the free list when its first page is given back. Its content is that of its last use; the first
    /// operation on it must format it. Fails only for damage or when the reservation has no page left, so allocate before
    /// the first change.
    pub fn allocate_page(&mut self) -> Result<PageHandle> {
        if self.reservation.new_pages == 0 {
            return Err(StorageError::internal("a page is allocated that was not reserved"));
        }
        let meta = self.latch_meta()?;
        if let Some(page) = self.first_free_page(meta)? {
            let next = page.guard.right();
            self.reservation.new_pages -= 1;
            self.set_meta(meta, FREE_HEAD_AT, next.map_or(0, |id| id.0));
            self.set_meta(meta, FREE_COUNT_AT, self.page(meta).u64_at(FREE_COUNT_AT).saturating_sub(1));
            return Ok(self.hold(page));
        }
        self.page_at_end(meta)
    }

    fn page_at_end(&mut self, meta: PageHandle) -> Result<PageHandle> {
        if !self.state.space.has_room_at_end() {
            return Err(StorageError::internal("a page was reserved and there is no room for it"));
        }
        let Some(frame) = self.reservation.frames.pop() else {
            return Err(StorageError::internal("a page is allocated without a reserved frame"));
        };
        let next = self.page(meta).u64_at(NEXT_PAGE_AT);
        let pin = match self.state.pool.create(PageId(next), frame) {
            Ok(pin) => pin,
            Err(error) => {
                self.reservation.frames.push(frame);
                return Err(error);
            }
        };
        self.reservation.new_pages -= 1;
        self.set_meta(meta, NEXT_PAGE_AT, next + 1);
        self.state.space.note_next_page(next + 1);
        Ok(self.latch(pin))
    }

    /// The first ready page of the free list. `None` when there is none, or it is latched and the file's end can serve.
    fn first_free_page(&self, meta: PageHandle) -> Result<Option<PageWrite<'e>>> {
        let EngineState { space, pool, .. } = self.state;
        let Some((kept, next)) = space.take_first() else { return Ok(None) };
        let id = kept.id();
        if id.0 != self.page(meta).u64_at(FREE_HEAD_AT) {
            return Err(StorageError::internal("the ready pages are not the first of the free list"));
        }
        // The page is in memory, so this second pin only keeps it there while the latch is tried.
        let gone = || StorageError::internal("a ready page has left memory");
        let spare = pool.fetch_resident(id).ok_or_else(gone)?;
        let pin = pool.take_back(kept);
        let is_own = self.held.iter().flatten().any(|held| held.page.pin.id() == id);
        let page = match is_own {
            true => None,
            false if space.has_room_at_end() => pin.try_into_write(),
            false => Some(pin.into_write()),
        };
        match &page {
            None => space.put_first(spare.keep(), next),
            Some(page) if page.guard.page_type() != Some(PageType::Free) => {
                return Err(StorageError::corrupt_page(id, "the free list holds a page that is in use"));
            }
            Some(_) => {}
        }
        Ok(page)
    }

    /// Puts a latched page on the free list.
    pub fn free_page(&mut self, handle: PageHandle) {
        let meta = self.latch_meta().expect("the meta page stays in memory");
        let head = PageId(self.page(meta).u64_at(FREE_HEAD_AT));
        let id = self.page_id(handle);
        self.apply(handle, &PageOp::FormatFree { next: head.is_some().then_some(head) });
        self.set_meta(meta, FREE_HEAD_AT, id.0);
        self.set_meta(meta, FREE_COUNT_AT, self.page(meta).u64_at(FREE_COUNT_AT) + 1);
        let pin = self.state.pool.fetch_resident(id).expect("the page is latched, so it is in memory");
        self.state.space.freed(pin.keep(), head, &self.state.pool);
    }

    fn latch_meta(&mut self) -> Result<PageHandle> {
        if let Some(meta) = self.meta {
            return Ok(meta);
        }
        let pin = self.state.pool.fetch_resident(PageId::META);
        let pin = pin.ok_or_else(|| StorageError::internal("the meta page has left memory"))?;
        let meta = self.latch(pin);
        self.meta = Some(meta);
        Ok(meta)
    }

    fn set_meta(&mut self, meta: PageHandle, offset: usize, value: u64) {
        self.apply(meta, &PageOp::Bytes { offset: offset as u16, bytes: &value.to_le_bytes() });
    }

    /// Appends the group to the log and gives back all latches; what is left of the reservation goes back too. Returns the
    /// LSN that has to be durable before the change may be reported, [`Lsn::ZERO`] when there was none.
    pub fn commit(mut self) -> Lsn {
        if self.group.is_empty() { Lsn::ZERO } else { self.append() }
    }

    /// As [`Mtr::commit`]; the caller gets what is left of the reservation.
    pub fn commit_keeping(mut self) -> (Lsn, Reservation) {
        let end = if self.group.is_empty() { Lsn::ZERO } else { self.append() };
        self.held.clear();
        let empty = self.reservation.take(0);
        (end, std::mem::replace(&mut self.reservation, empty))
    }

    fn append(&mut self) -> Lsn {
        let log = &self.state.log;
        debug_assert!(
            self.group.group_bytes() <= self.reservation.log_bytes,
            "a group of {} bytes exceeds its reservation of {}",
            self.group.group_bytes(),
            self.reservation.log_bytes
        );
        let before = log.end();
        for held in self.held.iter().flatten().filter(|held| held.changed) {
            self.state.pool.mark_dirty(held.page.pin.frame_index(), before);
        }
        let (_, end) = log.append(&self.group, &mut self.reservation.log_bytes);
        for held in self.held.iter_mut().flatten().filter(|held| held.changed) {
            held.page.guard.set_lsn(end);
        }
        self.group.clear();
        end
    }
}

impl Drop for Mtr<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.group.is_empty(), "a mini-transaction with changes was dropped without commit");
        }
        if self.group.capacity() <= KEPT_GROUP_BYTES {
            self.group.clear();
            GROUP_BUFFER.set(Some(std::mem::take(&mut self.group)));
        }
    }
}
