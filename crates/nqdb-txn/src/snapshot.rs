//! What a statement sees, who is looking, and how far back anybody looks.
//!
//! A [`Snapshot`] is two numbers: the newest *synced* csn, and the oldest transaction that may still be running. A
//! version by transaction `x` is visible when `x < oldest_active`, or when `x` committed with a csn up to the
//! snapshot's. Commits become visible in log order and only once they are synced, so nobody sees what a crash could
//! take back.
//!
//! ```text
//!            ended (synced, or rolled back)            window: one slot for each number
//! xids   ...xxxxx prepared xxxxxxxxxxxxxxxxx | active | ended | active | ended |   next
//!                 ^ oldest_active             ^ the window's first
//! ```
//!
//! Prepared transactions may stay for days: they are kept apart, so that the window holds no slots for their sake.
//!
//! What always holds:
//!
//! 1. `oldest_active` and `synced` never go back.
//! 2. A commit's slot is closed when its record is synced, an abort's when the last page has been put back.
//! 3. First log positions in the window ascend with the numbers, so the first open slot's position, or an earlier one of a
//!    prepared transaction, is the floor below which the log is not needed by any unfinished transaction (R4).
//! 4. The horizon is the oldest registered snapshot; what every registered snapshot sees as ended may be purged.

use crate::ids::{Csn, Xid};
use nqdb_storage::Lsn;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// What a reader sees: see the file's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The newest commit that is visible.
    pub csn: Csn,
    /// Every lower transaction number has ended: committed and synced, or rolled back completely.
    pub oldest_active: Xid,
}

/// The present and everybody's view of the past.
pub(crate) struct Snapshots {
    state: Mutex<State>,
}

struct State {
    /// The number of the window's first slot.
    window_first: u64,
    window: VecDeque<Slot>,
    /// Prepared transactions, and where their log begins.
    prepared: BTreeMap<u64, Lsn>,
    /// Ends whose record is not synced yet, in log order.
    unsynced: VecDeque<Unsynced>,
    synced: Csn,
    /// Registered snapshots, oldest first.
    live: VecDeque<Live>,
}

struct Slot {
    first_lsn: Lsn,
    open: bool,
}

struct Unsynced {
    end: Lsn,
    csn: Csn,
    /// A commit's transaction; `None` for an abort, whose slot is closed already.
    xid: Option<Xid>,
}

struct Live {
    snapshot: Snapshot,
    /// The window's first number when it was taken.
    window_first: u64,
    count: usize,
    since: Instant,
}

/// How far back anybody looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// Ends up to this csn are seen by every present and future snapshot.
    pub(crate) csn: Csn,
    /// Every present and future snapshot sees lower numbers as ended.
    pub(crate) oldest_active: Xid,
    /// Every present and future snapshot sees lower numbers as ended, but for those of prepared transactions.
    pub(crate) oldest_in_window: Xid,
}

impl Snapshots {
    /// Starts with `next_xid` unused and `synced` the newest end in the log. Of lower numbers those of `prepared` have not
    /// ended; their log begins at the positions.
    pub(crate) fn new(next_xid: Xid, synced: Csn, prepared: impl IntoIterator<Item = (Xid, Lsn)>) -> Snapshots {
        Snapshots {
            state: Mutex::new(State {
                window_first: next_xid.0,
                window: VecDeque::new(),
                prepared: prepared.into_iter().map(|(xid, begin)| (xid.0, begin)).collect(),
                unsynced: VecDeque::new(),
                synced,
                live: VecDeque::new(),
            }),
        }
    }

    /// Gives out the next transaction number. `log_end` reads the log's end; it is called under the latch, so that the
    /// positions ascend with the numbers, and before the transaction's first record exists. `started` runs before any
    /// other caller can meet the number.
    pub(crate) fn start(&self, log_end: impl FnOnce() -> Lsn, started: impl FnOnce(Xid)) -> Xid {
        let mut state = self.state.lock();
        let xid = state.next_xid();
        started(xid);
        state.window.push_back(Slot { first_lsn: log_end(), open: true });
        xid
    }

    /// The transaction, which runs, is prepared: it stays, but holds up the window no longer.
    pub(crate) fn prepared(&self, xid: Xid) {
        let mut state = self.state.lock();
        let slot = xid.0.checked_sub(state.window_first).and_then(|index| state.window.get(index as usize));
        if let Some(begin) = slot.map(|slot| slot.first_lsn) {
            state.prepared.insert(xid.0, begin);
            state.close_slot(xid);
        }
    }

    /// A commit was appended and its csn published; it becomes visible when the log is synced up to `end`.
    pub(crate) fn committed(&self, xid: Option<Xid>, csn: Csn, end: Lsn) {
        self.state.lock().unsynced.push_back(Unsynced { end, csn, xid });
    }

    /// The end of an abort was appended: nothing of `xid` is left in any page.
    pub(crate) fn rolled_back(&self, xid: Xid, csn: Csn, end: Lsn) {
        let mut state = self.state.lock();
        state.close(xid);
        state.unsynced.push_back(Unsynced { end, csn, xid: None });
    }

    /// The log is synced up to `flushed`: what lies below becomes visible.
    pub(crate) fn synced(&self, flushed: Lsn) {
        let mut state = self.state.lock();
        while let Some(end) = state.unsynced.front()
            && end.end <= flushed
        {
            let (csn, xid) = (end.csn, end.xid);
            state.unsynced.pop_front();
            state.synced = csn;
            if let Some(xid) = xid {
                state.close(xid);
            }
        }
    }

    /// Takes and registers a snapshot of the present. Give it back with [`Snapshots::release`].
    pub(crate) fn take(&self) -> Snapshot {
        let mut state = self.state.lock();
        let snapshot = Snapshot { csn: state.synced, oldest_active: state.oldest_active() };
        let window_first = state.window_first;
        match state.live.back_mut() {
            Some(live) if live.snapshot == snapshot => live.count += 1,
            _ => state.live.push_back(Live { snapshot, window_first, count: 1, since: Instant::now() }),
        }
        snapshot
    }

    /// Ends one registration of `snapshot`.
    pub(crate) fn release(&self, snapshot: Snapshot) {
        let mut state = self.state.lock();
        let order =
            |live: &Live| (live.snapshot.csn, live.snapshot.oldest_active).cmp(&(snapshot.csn, snapshot.oldest_active));
        if let Ok(index) = state.live.binary_search_by(order) {
            state.live[index].count -= 1;
        }
        while state.live.front().is_some_and(|live| live.count == 0) {
            state.live.pop_front();
        }
    }

    /// The newest commit that a snapshot taken now would show.
    pub(crate) fn newest_synced(&self) -> Csn {
        self.state.lock().synced
    }

    /// How far back anybody looks now.
    pub(crate) fn horizon(&self) -> Horizon {
        let state = self.state.lock();
        let (snapshot, window_first) = match state.live.front() {
            Some(live) => (live.snapshot, live.window_first),
            None => (Snapshot { csn: state.synced, oldest_active: state.oldest_active() }, state.window_first),
        };
        Horizon { csn: snapshot.csn, oldest_active: snapshot.oldest_active, oldest_in_window: Xid(window_first) }
    }

    /// The log position below which no unfinished transaction has a record, and the next transaction number.
    pub(crate) fn floor(&self) -> (Option<Lsn>, Xid) {
        let state = self.state.lock();
        let of_window = state.window.front().map(|slot| slot.first_lsn);
        (state.prepared.values().copied().chain(of_window).min(), state.next_xid())
    }

    /// Transactions with a number that have not ended, and the age of the oldest registered snapshot in seconds.
    pub(crate) fn activity(&self) -> (usize, f64) {
        let state = self.state.lock();
        let active = state.window.iter().filter(|slot| slot.open).count();
        (active + state.prepared.len(), state.live.front().map_or(0.0, |live| live.since.elapsed().as_secs_f64()))
    }
}

impl State {
    fn next_xid(&self) -> Xid {
        Xid(self.window_first + self.window.len() as u64)
    }

    fn oldest_active(&self) -> Xid {
        let prepared = self.prepared.first_key_value().map_or(u64::MAX, |(xid, _)| *xid);
        Xid(prepared.min(self.window_first))
    }

    fn close(&mut self, xid: Xid) {
        if self.prepared.remove(&xid.0).is_none() {
            self.close_slot(xid);
        }
    }

    fn close_slot(&mut self, xid: Xid) {
        if let Some(index) = xid.0.checked_sub(self.window_first)
            && let Some(slot) = self.window.get_mut(index as usize)
        {
            slot.open = false;
        }
        while self.window.front().is_some_and(|slot| !slot.open) {
            self.window.pop_front();
            self.window_first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(snapshots: &Snapshots, lsn: u64) -> Xid {
        snapshots.start(|| Lsn(lsn), |_| ())
    }

    #[test]
    fn a_commit_shows_only_when_it_is_synced() {
        let snapshots = Snapshots::new(Xid(10), Csn(5), []);
        let xid = start(&snapshots, 100);
        snapshots.committed(Some(xid), Csn(6), Lsn(200));
        assert_eq!(snapshots.take(), Snapshot { csn: Csn(5), oldest_active: Xid(10) });
        snapshots.synced(Lsn(199));
        assert_eq!(snapshots.take().csn, Csn(5));
        snapshots.synced(Lsn(200));
        assert_eq!(snapshots.take(), Snapshot { csn: Csn(6), oldest_active: Xid(11) });
    }

    #[test]
    fn oldest_active_waits_for_the_oldest() {
        let snapshots = Snapshots::new(Xid(1), Csn(0), []);
        let (a, b, c) = (start(&snapshots, 10), start(&snapshots, 20), start(&snapshots, 30));
        snapshots.rolled_back(b, Csn(1), Lsn(40));
        snapshots.committed(Some(c), Csn(2), Lsn(50));
        snapshots.synced(Lsn(60));
        assert_eq!(snapshots.take().oldest_active, a);
        assert_eq!(snapshots.floor().0, Some(Lsn(10)));
        snapshots.committed(Some(a), Csn(3), Lsn(70));
        snapshots.synced(Lsn(70));
        assert_eq!(snapshots.take().oldest_active, Xid(4));
        assert_eq!(snapshots.floor(), (None, Xid(4)));
    }

    #[test]
    fn the_horizon_is_the_oldest_registered_snapshot() {
        let snapshots = Snapshots::new(Xid(1), Csn(0), []);
        let old = snapshots.take();
        for csn in 1..5 {
            let xid = start(&snapshots, csn * 10);
            snapshots.committed(Some(xid), Csn(csn), Lsn(csn * 10));
            snapshots.synced(Lsn(csn * 10));
        }
        let new = snapshots.take();
        assert_eq!(snapshots.horizon().csn, Csn(0));
        snapshots.release(old);
        assert_eq!(snapshots.horizon().csn, Csn(4));
        snapshots.release(new);
        assert_eq!(snapshots.horizon().csn, Csn(4));
    }

    #[test]
    fn a_prepared_transaction_is_not_seen_and_keeps_its_log_but_no_slots() {
        let snapshots = Snapshots::new(Xid(1), Csn(0), []);
        let (kept, other) = (start(&snapshots, 10), start(&snapshots, 20));
        snapshots.prepared(kept);
        snapshots.committed(Some(other), Csn(1), Lsn(30));
        snapshots.synced(Lsn(30));
        assert_eq!(snapshots.take(), Snapshot { csn: Csn(1), oldest_active: kept });
        assert_eq!(snapshots.horizon().oldest_in_window, Xid(3));
        assert_eq!(snapshots.floor(), (Some(Lsn(10)), Xid(3)));
        assert_eq!(snapshots.activity().0, 1);
        snapshots.committed(Some(kept), Csn(2), Lsn(40));
        snapshots.synced(Lsn(40));
        assert_eq!(snapshots.take().oldest_active, Xid(3));
        assert_eq!(snapshots.floor(), (None, Xid(3)));
    }
}
