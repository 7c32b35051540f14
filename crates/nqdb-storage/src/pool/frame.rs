//! A frame: room for one page, its latch and its pins.
//!
//! `pins` counts users in its low 31 bits; the top bit, EVICTING, says that one owner is emptying or filling the frame:
//!
//! ```text
//!   pins = 0 --evictor: compare-and-swap--> EVICTING --page read, id set--> pins = 1
//! ```
//!
//! 1. A pinner adds 1 first and looks afterwards: if EVICTING was set it takes its 1 back and starts over. Transient
//!    additions are why the owner leaves EVICTING by subtraction, never by a store.
//! 2. After a pin succeeded, the page id is compared; it cannot change until the pin is given back.
//! 3. The latch is only ever taken by a holder of a pin that has compared the id, or by the owner of EVICTING.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::ids::PageId;
use crate::page::buf::PageBuf;

const EVICTING: u32 = 1 << 31;

/// The id of an empty frame: no file has it.
const NOBODY: u64 = u64::MAX;

#[repr(align(64))]
pub(crate) struct Frame {
    pins: AtomicU32,
    referenced: AtomicBool,
    page_id: AtomicU64,
    pub(crate) page: RwLock<PageBuf>,
}

impl Frame {
    /// An empty frame, owned by the caller (EVICTING is set).
    pub(super) fn new_owned() -> Frame {
        Frame {
            pins: AtomicU32::new(EVICTING),
            referenced: AtomicBool::new(false),
            page_id: AtomicU64::new(NOBODY),
            page: RwLock::new(PageBuf::zeroed()),
        }
    }

    /// Pins the frame if it holds the page.
    pub(super) fn try_pin(&self, id: PageId) -> bool {
        if self.pins.fetch_add(1, Ordering::AcqRel) & EVICTING != 0 || self.page_id.load(Ordering::Acquire) != id.0 {
            self.unpin();
            return false;
        }
        true
    }

    /// Pins the frame whatever it holds; `None` while it changes hands.
    pub(super) fn try_pin_any(&self) -> Option<PageId> {
        if self.pins.fetch_add(1, Ordering::AcqRel) & EVICTING != 0 {
            self.unpin();
            return None;
        }
        Some(PageId(self.page_id.load(Ordering::Acquire)))
    }

    pub(super) fn unpin(&self) {
        self.pins.fetch_sub(1, Ordering::AcqRel);
    }

    /// Makes the caller the frame's owner if nobody uses it.
    pub(super) fn try_own(&self) -> bool {
        self.pins.compare_exchange(0, EVICTING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Gives up ownership, leaving page and id as they are.
    pub(super) fn disown(&self) {
        self.pins.fetch_sub(EVICTING, Ordering::AcqRel);
    }

    /// The owner empties the frame: pinners of the old page will not find it any more.
    pub(super) fn clear_id(&self) {
        self.page_id.store(NOBODY, Ordering::Release);
    }

    /// The owner has filled the frame: it is published with one pin, the caller's.
    pub(super) fn publish(&self, id: PageId, referenced: bool) {
        self.page_id.store(id.0, Ordering::Release);
        self.referenced.store(referenced, Ordering::Relaxed);
        self.pins.fetch_sub(EVICTING - 1, Ordering::AcqRel);
    }

    pub(super) fn id(&self) -> PageId {
        PageId(self.page_id.load(Ordering::Acquire))
    }

    /// Sets the CLOCK bit, writing only when it changes.
    pub(super) fn touch(&self) {
        if !self.referenced.load(Ordering::Relaxed) {
            self.referenced.store(true, Ordering::Relaxed);
        }
    }

    /// Clears the CLOCK bit and returns what it was.
    pub(super) fn take_reference(&self) -> bool {
        self.referenced.load(Ordering::Relaxed) && self.referenced.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owned_frame_cannot_be_pinned_and_a_pinned_one_not_owned() {
        let frame = Frame::new_owned();
        assert!(!frame.try_pin(PageId(4)));
        frame.publish(PageId(4), true);
        assert!(!frame.try_own());
        assert!(frame.try_pin(PageId(4)));
        assert!(!frame.try_pin(PageId(5)));
        frame.unpin();
        frame.unpin();
        assert!(frame.try_own());
        assert!(!frame.try_pin(PageId(4)));
        frame.disown();
        assert!(frame.try_pin(PageId(4)));
    }
}
