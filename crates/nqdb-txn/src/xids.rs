//! What has become of each recent transaction: active, committed with a csn, or rolled back.
//!
//! A segmented array indexed by transaction number, so that the question "may I see this version" costs one shared
//! latch and one load. It is asked only for numbers at or above a snapshot's `oldest_active`; everything below has
//! ended, and a segment is dropped once no snapshot can ask about it (see [`crate::snapshot`]).
//!
//! ```text
//! slot  0        active (or being rolled back)
//!       1        rolled back completely: no page carries this number any more
//!       csn + 2  committed
//! ```

use crate::ids::{Csn, Xid};
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Transactions in one segment: 32 KiB of slots.
const SEGMENT_XIDS: u64 = 4096;

const ACTIVE: u64 = 0;
const ROLLED_BACK: u64 = 1;
const FIRST_CSN: u64 = 2;

/// What has become of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XidStatus {
    /// Still running, or still undoing.
    Active,
    /// Its commit record is in the log (not necessarily synced).
    Committed(Csn),
    /// Everything it did has been put back.
    RolledBack,
}

/// The table of recent transactions.
pub(crate) struct XidTable {
    /// The first number given out by this process; all lower ones have ended.
    first: Xid,
    segments: RwLock<Segments>,
}

struct Segments {
    first: u64,
    list: VecDeque<Arc<[AtomicU64]>>,
}

impl XidTable {
    /// A table whose first transaction will be `next`; all lower ones have ended.
    pub(crate) fn new(next: Xid) -> XidTable {
        XidTable {
            first: next,
            segments: RwLock::new(Segments { first: next.0 / SEGMENT_XIDS, list: VecDeque::new() }),
        }
    }

    /// Makes room for a new transaction.
    pub(crate) fn start(&self, xid: Xid) {
        let number = xid.0 / SEGMENT_XIDS;
        {
            let segments = self.segments.read();
            if number < segments.first + segments.list.len() as u64 {
                return;
            }
        }
        let mut segments = self.segments.write();
        while segments.first + segments.list.len() as u64 <= number {
            segments.list.push_back((0..SEGMENT_XIDS).map(|_| AtomicU64::new(ACTIVE)).collect());
        }
    }

    /// What has become of `xid`. A number so old that its segment is gone is reported as committed by csn 0.
    pub(crate) fn status(&self, xid: Xid) -> XidStatus {
        if xid < self.first {
            return XidStatus::Committed(Csn(0));
        }
        let segments = self.segments.read();
        let Some(index) = (xid.0 / SEGMENT_XIDS).checked_sub(segments.first) else {
            return XidStatus::Committed(Csn(0));
        };
        let Some(segment) = segments.list.get(index as usize) else { return XidStatus::Active };
        match segment[(xid.0 % SEGMENT_XIDS) as usize].load(Ordering::Acquire) {
            ACTIVE => XidStatus::Active,
            ROLLED_BACK => XidStatus::RolledBack,
            slot => XidStatus::Committed(Csn(slot - FIRST_CSN)),
        }
    }

    /// Publishes the commit of `xid`.
    pub(crate) fn committed(&self, xid: Xid, csn: Csn) {
        self.set(xid, csn.0 + FIRST_CSN);
    }

    /// Publishes that `xid` has been undone completely.
    pub(crate) fn rolled_back(&self, xid: Xid) {
        self.set(xid, ROLLED_BACK);
    }

    fn set(&self, xid: Xid, slot: u64) {
        let segments = self.segments.read();
        if let Some(index) = (xid.0 / SEGMENT_XIDS).checked_sub(segments.first)
            && let Some(segment) = segments.list.get(index as usize)
        {
            segment[(xid.0 % SEGMENT_XIDS) as usize].store(slot, Ordering::Release);
        }
    }

    /// Forgets segments that lie wholly below `oldest`: every snapshot, present and future, sees those as ended.
    pub(crate) fn forget_below(&self, oldest: Xid) {
        let keep = oldest.0 / SEGMENT_XIDS;
        if self.segments.read().first >= keep {
            return;
        }
        let mut segments = self.segments.write();
        while segments.first < keep && segments.list.pop_front().is_some() {
            segments.first += 1;
        }
    }

    #[cfg(test)]
    fn segment_count(&self) -> usize {
        self.segments.read().list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_active_until_its_end_is_published() {
        let table = XidTable::new(Xid(4090));
        for number in 4090..4110 {
            table.start(Xid(number));
            assert_eq!(table.status(Xid(number)), XidStatus::Active);
        }
        table.committed(Xid(4095), Csn(7));
        table.rolled_back(Xid(4096));
        assert_eq!(table.status(Xid(4095)), XidStatus::Committed(Csn(7)));
        assert_eq!(table.status(Xid(4096)), XidStatus::RolledBack);
        assert_eq!(table.status(Xid(4097)), XidStatus::Active);
    }

    #[test]
    fn old_segments_go_and_their_transactions_count_as_committed() {
        let table = XidTable::new(Xid(1));
        for number in 1..20_000 {
            table.start(Xid(number));
        }
        table.forget_below(Xid(9000));
        assert_eq!(table.status(Xid(5)), XidStatus::Committed(Csn(0)));
        assert_eq!(table.status(Xid(9000)), XidStatus::Active);
        assert_eq!(table.segment_count(), 3);
    }
}
