//! Threads that wait for the log to be durable, spread over condition variables so that waking many of them after a
//! sync does not make them queue for one mutex.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::stats::thread_shard;

const SHARDS: usize = 16;

#[derive(Default)]
#[repr(align(128))]
struct Shard {
    waiting: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct Waiters {
    shards: [Shard; SHARDS],
}

impl Waiters {
    /// Waits until `done` holds. What changes it calls [`Waiters::wake`] afterwards.
    pub(super) fn wait_until(&self, mut done: impl FnMut() -> bool) {
        let shard = &self.shards[thread_shard() % SHARDS];
        shard.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = shard.lock.lock();
        while !done() {
            // The time limit guards against nothing that is known; it turns a lost wake-up into a delay.
            shard.changed.wait_for(&mut guard, Duration::from_millis(500));
        }
        drop(guard);
        shard.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn wake(&self) {
        for shard in &self.shards {
            if shard.waiting.load(Ordering::SeqCst) > 0 {
                drop(shard.lock.lock());
                shard.changed.notify_all();
            }
        }
    }
}
