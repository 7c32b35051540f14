//! Reservations: log space, file space and frames that a change will need, taken before its first latch.
//!
//! With a reservation in hand nothing can fail for lack of room. It belongs to nobody: it can be kept over many
//! mini-transactions (a transaction keeps what its rollback will log), split and merged, and gives back on drop what was
//! not used.

use std::sync::Arc;

use crate::engine::EngineState;
use crate::wal::group::{GROUP_HEADER_BYTES, RECORD_OVERHEAD_BYTES};

/// Log bytes for the meta page's records when a page is allocated or freed.
const SPACE_LOG_BYTES: usize = 160;

/// What a change will need at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Bytes of log: the sum of [`Need::record_bytes`] (or anything above it) over the group's records. The group's own
    /// header and what page allocation logs are added by `reserve`.
    pub log_bytes: usize,
    /// Pages that may be allocated.
    pub new_pages: u32,
}

impl Need {
    /// Log bytes of one record with a payload (or encoded page operation) of `payload_bytes`.
    pub const fn record_bytes(payload_bytes: usize) -> usize {
        payload_bytes + RECORD_OVERHEAD_BYTES
    }

    /// Log bytes of freeing one page.
    pub const FREE_PAGE_BYTES: usize = SPACE_LOG_BYTES;

    /// Log bytes of a whole group of its own with one record: what a credit for a later group has to hold.
    pub const fn group_bytes(payload_bytes: usize) -> usize {
        GROUP_HEADER_BYTES + 8 + payload_bytes + RECORD_OVERHEAD_BYTES
    }

    /// The need of a group with one record.
    pub const fn record(payload_bytes: usize) -> Need {
        Need { log_bytes: Need::record_bytes(payload_bytes), new_pages: 0 }
    }

    /// All log bytes, with what the caller does not see.
    pub(crate) const fn total_log_bytes(&self) -> usize {
        GROUP_HEADER_BYTES + 8 + self.log_bytes + self.new_pages as usize * SPACE_LOG_BYTES
    }
}

/// Room that was taken and not used yet.
pub struct Reservation {
    state: Arc<EngineState>,
    pub(crate) log_bytes: usize,
    pub(crate) new_pages: u32,
    /// Empty frames, owned by this reservation.
    pub(crate) frames: Vec<u32>,
}

impl Reservation {
    pub(crate) fn new(state: Arc<EngineState>, log_bytes: usize) -> Reservation {
        Reservation { state, log_bytes, new_pages: 0, frames: Vec::new() }
    }

    /// Bytes of log that are left.
    pub fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    /// Moves up to `log_bytes` of log credit (groups' headers included) into a reservation of its own.
    pub fn take(&mut self, log_bytes: usize) -> Reservation {
        let taken = log_bytes.min(self.log_bytes);
        self.log_bytes -= taken;
        Reservation::new(Arc::clone(&self.state), taken)
    }

    /// Moves up to `log_bytes` and `new_pages` of room into a reservation of its own.
    pub(crate) fn take_room(&mut self, log_bytes: usize, new_pages: u32) -> Reservation {
        let mut taken = self.take(log_bytes);
        taken.new_pages = new_pages.min(self.new_pages);
        self.new_pages -= taken.new_pages;
        taken
    }

    /// Pages that are left.
    pub fn new_pages(&self) -> u32 {
        self.new_pages
    }

    /// Adds another reservation's log and file space to this one; its frames go back.
    pub fn merge_room(&mut self, mut other: Reservation) {
        self.log_bytes += std::mem::take(&mut other.log_bytes);
        self.new_pages += std::mem::take(&mut other.new_pages);
    }

    /// Adds another reservation's room to this one.
    pub fn merge(&mut self, mut other: Reservation) {
        self.log_bytes += std::mem::take(&mut other.log_bytes);
        self.new_pages += std::mem::take(&mut other.new_pages);
        self.frames.append(&mut other.frames);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.log_bytes > 0 {
            self.state.log.unreserve(self.log_bytes);
        }
        if self.new_pages > 0 {
            self.state.space.unreserve(self.new_pages);
        }
        for frame in self.frames.drain(..) {
            self.state.pool.give_back(frame);
        }
    }
}
