//! What a caller holds: a pin, and on top of it a shared or exclusive latch.
//!
//! A thread that holds a latch must not wait for anything but another latch. Debug builds count the latches of each
//! thread, and everything that may wait asserts that the count is zero.

use std::ops::Deref;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::frame::Frame;
use crate::ids::PageId;
use crate::page::buf::PageBuf;

/// A page that stays in memory while this lives. Not a latch: its content may change.
pub struct Pinned<'e> {
    frame: &'e Frame,
    frame_index: u32,
    id: PageId,
}

/// A pin that borrows nothing. Who drops it keeps its page in memory for as long as the pool exists.
#[must_use]
#[derive(Debug)]
pub(crate) struct KeptPin {
    pub(super) frame_index: u32,
    pub(super) id: PageId,
}

impl KeptPin {
    pub(crate) fn id(&self) -> PageId {
        self.id
    }
}

impl<'e> Pinned<'e> {
    /// Takes over a pin that was already counted.
    pub(super) fn adopt(frame: &'e Frame, frame_index: u32, id: PageId) -> Pinned<'e> {
        Pinned { frame, frame_index, id }
    }

    /// The page's id.
    pub fn id(&self) -> PageId {
        self.id
    }

    pub(crate) fn frame_index(&self) -> u32 {
        self.frame_index
    }

    /// Waits for the shared latch.
    pub fn read(&self) -> PageRead<'_> {
        let guard = self.frame.page.read();
        held::add();
        PageRead { guard, _count: held::Count, _pin: None }
    }

    /// The shared latch if it is free.
    pub fn try_read(&self) -> Option<PageRead<'_>> {
        let guard = self.frame.page.try_read()?;
        held::add();
        Some(PageRead { guard, _count: held::Count, _pin: None })
    }

    /// Waits for the shared latch; the result keeps the pin, so that one value stands for "latched page".
    pub fn into_read(self) -> PageRead<'e> {
        let guard = self.frame.page.read();
        held::add();
        PageRead { guard, _count: held::Count, _pin: Some(self) }
    }

    /// Keeps the page in memory without a borrow, until [`super::Pool::take_back`].
    pub(crate) fn keep(self) -> KeptPin {
        let kept = KeptPin { frame_index: self.frame_index, id: self.id };
        std::mem::forget(self);
        kept
    }

    /// Keeps the page in memory for as long as the pool exists.
    pub(crate) fn keep_forever(self) {
        std::mem::forget(self);
    }

    pub(crate) fn into_write(self) -> PageWrite<'e> {
        let guard = self.frame.page.write();
        held::add();
        PageWrite { guard, _count: held::Count, pin: self }
    }

    pub(crate) fn try_into_write(self) -> Option<PageWrite<'e>> {
        let guard = self.frame.page.try_write()?;
        held::add();
        Some(PageWrite { guard, _count: held::Count, pin: self })
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.frame.unpin();
    }
}

/// A page under its shared latch.
pub struct PageRead<'p> {
    // Order matters: the latch goes before the pin.
    guard: RwLockReadGuard<'p, PageBuf>,
    _count: held::Count,
    _pin: Option<Pinned<'p>>,
}

impl<'p> PageRead<'p> {
    /// Gives back the latch and keeps the pin; `None` if the page was latched through [`Pinned::read`].
    pub fn unlatch(self) -> Option<Pinned<'p>> {
        self._pin
    }
}

impl Deref for PageRead<'_> {
    type Target = PageBuf;

    fn deref(&self) -> &PageBuf {
        &self.guard
    }
}

/// A page under its exclusive latch. Only mini-transactions, loading and redo have one.
pub(crate) struct PageWrite<'p> {
    pub(crate) guard: RwLockWriteGuard<'p, PageBuf>,
    _count: held::Count,
    pub(crate) pin: Pinned<'p>,
}

/// The debug count of latches held by this thread.
pub(crate) mod held {
    use std::cell::Cell;

    thread_local! {
        static LATCHES: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn add() {
        if cfg!(debug_assertions) {
            LATCHES.with(|latches| latches.set(latches.get() + 1));
        }
    }

    /// One counted latch.
    pub(super) struct Count;

    impl Drop for Count {
        fn drop(&mut self) {
            if cfg!(debug_assertions) {
                LATCHES.with(|latches| latches.set(latches.get() - 1));
            }
        }
    }

    /// Stops a debug build that is about to wait under a latch.
    pub(crate) fn assert_none(what: &str) {
        if cfg!(debug_assertions) {
            LATCHES.with(|latches| assert!(latches.get() == 0, "{what} while {} latches are held", latches.get()));
        }
    }
}
