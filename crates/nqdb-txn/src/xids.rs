//! What has become of each recent transaction: active, committed with a csn, or rolled back.
//!
//! A segmented array indexed by transaction number, so that the question "may I see this version" costs one shared
//! latch and one load. It is asked only for numbers at or above a snapshot's `oldest_active`; everything below has
//! ended, and a segment is dropped once no snapshot can ask about it (see [`crate::snapshot`]). Prepared transactions, which
//! may be older than all segments and than this process, stand in a list of their own beside that.
//!
//! ```text
//! slot  0        active (or being rolled back)
//!       1        rolled back completely: no page carries this number any more
//!       csn + 2  committed
//! ```

use crate::ids::{Csn, Xid};
use parking_lot::RwLock;
use std::collections::{BTreeMap, VecDeque};
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
    /// Transactions that were prepared, until every snapshot sees their end.
    prepared: RwLock<BTreeMap<Xid, XidStatus>>,
}

struct Segments {
    first: u64,
    list: VecDeque<Arc<[AtomicU64]>>,
}

impl XidTable {
    /// A table whose first transaction will be `next`; of lower ones all but those of `prepared` have ended.
    pub(crate) fn new(next: Xid, prepared: impl IntoIterator<Item = Xid>) -> XidTable {
        XidTable {
            first: next,
            segments: RwLock::new(Segments { first: next.0 / SEGMENT_XIDS, list: VecDeque::new() }),
            prepared: RwLock::new(prepared.into_iter().map(|xid| (xid, XidStatus::Active)).collect()),
        }
    }

    /// A transaction that runs is prepared: before its segment may be forgotten.
    pub(crate) fn prepared(&self, xid: Xid) {
        self.prepared.write().insert(xid, XidStatus::Active);
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
            return self.status_of_old(xid);
        }
        let segments = self.segments.read();
        let Some(index) = (xid.0 / SEGMENT_XIDS).checked_sub(segments.first) else {
            drop(segments);
            return self.status_of_old(xid);
        };
        let Some(segment) = segments.list.get(index as usize) else { return XidStatus::Active };
        match segment[(xid.0 % SEGMENT_XIDS) as usize].load(Ordering::Acquire) {
            ACTIVE => XidStatus::Active,
            ROLLED_BACK => XidStatus::RolledBack,
            slot => XidStatus::Committed(Csn(slot - FIRST_CSN)),
        }
    }

    fn status_of_old(&self, xid: Xid) -> XidStatus {
        self.prepared.read().get(&xid).copied().unwrap_or(XidStatus::Committed(Csn(0)))
    }

    /// Publishes the commit of `xid`.
    pub(crate) fn committed(&self, xid: Xid, csn: Csn) {
        self.set(xid, csn.0 + FIRST_CSN);
    }

    /// Publishes that `xid` has been undone completely.
    pub(crate) fn rolled_back(&self, xid: Xid) {
        self.set(xid, ROLLED_BACK);
    }

    /// Publishes the end of a transaction, if it was prepared.
    pub(crate) fn prepared_ended(&self, xid: Xid, status: XidStatus) {
        if self.prepared.read().contains_key(&xid) {
            self.prepared.write().insert(xid, status);
        }
    }

    fn set(&self, xid: Xid, slot: u64) {
        let segments = self.segments.read();
        if let Some(index) = (xid.0 / SEGMENT_XIDS).checked_sub(segments.first)
            && let Some(segment) = segments.list.get(index as usize)
        {
            segment[(xid.0 % SEGMENT_XIDS) as usize].store(slot, Ordering::Release);
        }
    }

    /// Forgets what every snapshot, present and future, sees as ended: prepared transactions that did so by `csn`, and
    /// segments that lie wholly below `oldest`, but for the prepared ones among them.
    pub(crate) fn forget_below(&self, oldest: Xid, csn: Csn) {
        let is_seen = |status: &XidStatus| match status {
            XidStatus::Active => false,
            XidStatus::Committed(end) => *end <= csn,
            XidStatus::RolledBack => true,
        };
        if self.prepared.read().values().any(is_seen) {
            self.prepared.write().retain(|_, status| !is_seen(status));
        }
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
        let table = XidTable::new(Xid(4090), []);
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
        let table = XidTable::new(Xid(1), []);
        for number in 1..20_000 {
            table.start(Xid(number));
        }
        table.forget_below(Xid(9000), Csn(0));
        assert_eq!(table.status(Xid(5)), XidStatus::Committed(Csn(0)));
        assert_eq!(table.status(Xid(9000)), XidStatus::Active);
        assert_eq!(table.segment_count(), 3);
    }

    #[test]
    fn a_prepared_transaction_stays_known_until_every_snapshot_sees_its_end() {
        let table = XidTable::new(Xid(100), [Xid(7)]);
        for number in 100..20_000 {
            table.start(Xid(number));
        }
        table.prepared(Xid(200));
        table.forget_below(Xid(19_000), Csn(0));
        assert_eq!(table.status(Xid(7)), XidStatus::Active);
        assert_eq!(table.status(Xid(8)), XidStatus::Committed(Csn(0)));
        assert_eq!(table.status(Xid(200)), XidStatus::Active);
        table.prepared_ended(Xid(7), XidStatus::Committed(Csn(50)));
        table.prepared_ended(Xid(200), XidStatus::RolledBack);
        table.forget_below(Xid(19_000), Csn(49));
        assert_eq!(table.status(Xid(7)), XidStatus::Committed(Csn(50)));
        table.forget_below(Xid(19_000), Csn(50));
        assert_eq!(table.status(Xid(7)), XidStatus::Committed(Csn(0)));
    }
}
