//! Waiting until the log is on disk, and telling everybody at once when it is.
//!
//! The log thread calls [`Durability::flushed`] after each sync. First the commits below become visible
//! ([`crate::snapshot`]), then those who wait for them wake up: whoever was told of a commit sees it.

use crate::error::Result;
use crate::snapshot::Snapshots;
use crate::system::TxnSystem;
use nqdb_storage::{Lsn, StorageError};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// How far the log is synced, as this layer has been told, and who waits for more.
pub(crate) struct Durability {
    /// Told by the log.
    flushed: AtomicU64,
    /// Up to here commits are visible too.
    visible: AtomicU64,
    failed: AtomicBool,
    next_waiter: AtomicU64,
    waiters: Mutex<BTreeMap<(Lsn, u64), Waker>>,
}

impl Durability {
    pub(crate) fn new(flushed: Lsn) -> Durability {
        Durability {
            flushed: AtomicU64::new(flushed.0),
            visible: AtomicU64::new(flushed.0),
            failed: AtomicBool::new(false),
            next_waiter: AtomicU64::new(0),
            waiters: Mutex::default(),
        }
    }

    /// The log is synced up to `lsn`; or it has failed, and never will be.
    pub(crate) fn flushed(&self, lsn: Lsn, failed: bool, snapshots: &Snapshots) {
        if failed {
            self.failed.store(true, Ordering::Release);
        }
        self.flushed.fetch_max(lsn.0, Ordering::AcqRel);
        snapshots.synced(lsn);
        self.visible.fetch_max(lsn.0, Ordering::AcqRel);
        let ready = {
            let mut waiters = self.waiters.lock();
            if failed {
                std::mem::take(&mut *waiters)
            } else {
                let rest = waiters.split_off(&(Lsn(lsn.0 + 1), 0));
                std::mem::replace(&mut *waiters, rest)
            }
        };
        ready.into_values().for_each(Waker::wake);
    }

    /// Makes an end visible whose record was synced before the end was entered among the unsynced ones.
    pub(crate) fn catch_up(&self, end: Lsn, snapshots: &Snapshots) {
        let flushed = Lsn(self.flushed.load(Ordering::Acquire));
        if flushed >= end {
            snapshots.synced(flushed);
        }
    }

    /// Whether everything below `lsn` is synced and visible.
    pub(crate) fn is_durable(&self, lsn: Lsn) -> bool {
        self.visible.load(Ordering::Acquire) >= lsn.0
    }

    fn poll(&self, lsn: Lsn, id: &mut Option<u64>, waker: &Waker) -> Poll<Result<()>> {
        if self.is_durable(lsn) {
            return Poll::Ready(Ok(()));
        }
        let mut waiters = self.waiters.lock();
        // Asked again under the lock, so that no wake-up falls between the question and the entry.
        if self.is_durable(lsn) {
            return Poll::Ready(Ok(()));
        }
        if self.failed.load(Ordering::Acquire) {
            return Poll::Ready(Err(StorageError::LogFailed.into()));
        }
        let id = *id.get_or_insert_with(|| self.next_waiter.fetch_add(1, Ordering::Relaxed));
        waiters.insert((lsn, id), waker.clone());
        Poll::Pending
    }

    fn forget(&self, lsn: Lsn, id: u64) {
        self.waiters.lock().remove(&(lsn, id));
    }
}

/// Ready when the log is synced up to a position, or with `LogFailed` when it never will be.
pub struct Durable {
    system: Arc<TxnSystem>,
    lsn: Lsn,
    id: Option<u64>,
}

impl Durable {
    pub(crate) fn new(system: Arc<TxnSystem>, lsn: Lsn) -> Durable {
        Durable { system, lsn, id: None }
    }
}

impl Future for Durable {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.system.durability().poll(this.lsn, &mut this.id, context.waker())
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.system.durability().forget(self.lsn, id);
        }
    }
}
