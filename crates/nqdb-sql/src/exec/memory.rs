//! What the statements of all sessions hold together.
//!
//! Each statement has a limit of its own (`work_mem`, see `runtime`); the pool keeps their sum within the part of the
//! server's memory that is theirs. What always holds:
//!
//! 1. The pool counts what its shares hold; a share gives everything back when its execution is dropped.
//! 2. A share grows and shrinks in whole [`GRANULE_BYTES`], and the first [`FREE_BYTES`] of an execution are not counted,
//!    so that small statements never touch what all sessions write to.
//! 3. What is kept only because there is room for it (a cache) is taken by [`MemoryPool::take_spare`], and its owner gives
//!    it back when a statement needs the room: no statement fails for the sake of a cache.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError, SqlResult};

/// Shares are multiples of this.
const GRANULE_BYTES: usize = 1 << 20;
/// What an execution may hold without asking.
pub(crate) const FREE_BYTES: usize = 256 << 10;

/// Gives back at least so many bytes of what was taken as spare, if there are so many.
type Reclaim = Box<dyn Fn(usize) + Send + Sync>;

/// The memory that the statements of a server share.
pub struct MemoryPool {
    limit_bytes: usize,
    held_bytes: AtomicUsize,
    reclaim: OnceLock<Reclaim>,
}

impl std::fmt::Debug for MemoryPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("MemoryPool");
        shown.field("limit_bytes", &self.limit_bytes).field("held_bytes", &self.held_bytes).finish_non_exhaustive()
    }
}

impl MemoryPool {
    /// A pool of so many bytes.
    pub fn new(limit_bytes: usize) -> Arc<MemoryPool> {
        Arc::new(MemoryPool { limit_bytes, held_bytes: AtomicUsize::new(0), reclaim: OnceLock::new() })
    }

    /// What all may hold together.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Names who gives spare memory back; it must not be waiting for the pool while it is called. Once only.
    pub fn set_reclaim(&self, reclaim: impl Fn(usize) + Send + Sync + 'static) {
        let is_first = self.reclaim.set(Box::new(reclaim)).is_ok();
        debug_assert!(is_first, "one cache gives memory back");
    }

    /// What statements hold now.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Whether one more value of this size has room beside what is held; 53200 when it has not.
    pub fn admit(&self, bytes: usize) -> SqlResult<()> {
        let lacks_room = || self.held_bytes().saturating_add(bytes) > self.limit_bytes;
        if lacks_room() {
            self.make_room(bytes);
        }
        if lacks_room() { Err(self.exhausted(bytes)) } else { Ok(()) }
    }

    /// Takes so much out of the pool; 53200 when it has not so much. Give it back with [`MemoryPool::release`].
    pub fn take(&self, bytes: usize) -> SqlResult<()> {
        if self.take_spare(bytes) {
            return Ok(());
        }
        self.make_room(bytes);
        if self.take_spare(bytes) { Ok(()) } else { Err(self.exhausted(bytes)) }
    }

    /// Takes so much if nobody has to give anything back for it.
    pub fn take_spare(&self, bytes: usize) -> bool {
        let taken = self.held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= self.limit_bytes)
        });
        taken.is_ok()
    }

    #[cold]
    fn make_room(&self, bytes: usize) {
        if let Some(reclaim) = self.reclaim.get() {
            let missing = self.held_bytes().saturating_add(bytes).saturating_sub(self.limit_bytes);
            reclaim(missing);
        }
    }

    /// Takes so much even if the pool has not so much: for what is there already and small.
    pub fn take_anyway(&self, bytes: usize) {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back what was taken.
    pub fn release(&self, bytes: usize) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cold]
    fn exhausted(&self, bytes: usize) -> SqlError {
        SqlError::new(OUT_OF_MEMORY, "out of memory")
            .with_detail(format!(
                "Failed on request of size {bytes}: the statements of all sessions may hold {} bytes together.",
                self.limit_bytes
            ))
            .with_hint("Raise the server's --memory, or run fewer large statements at the same time.")
    }
}

/// The part of the pool that one execution, or one cursor, holds.
#[derive(Debug, Default)]
pub struct MemoryShare {
    pool: Option<Arc<MemoryPool>>,
    held_bytes: usize,
}

impl MemoryShare {
    /// What the execution may hold without another [`MemoryShare::fit`].
    pub fn covered_bytes(&self) -> usize {
        FREE_BYTES + self.held_bytes
    }

    /// Makes the share cover `bytes`; 53200 when the pool has not so much, and then nothing changes.
    pub fn fit(&mut self, bytes: usize, pool: &Arc<MemoryPool>) -> SqlResult<()> {
        let wanted = bytes.saturating_sub(FREE_BYTES).next_multiple_of(GRANULE_BYTES);
        let pool = self.pool.get_or_insert_with(|| Arc::clone(pool));
        if wanted > self.held_bytes {
            pool.take(wanted - self.held_bytes)?;
        } else {
            pool.held_bytes.fetch_sub(self.held_bytes - wanted, Ordering::Relaxed);
        }
        self.held_bytes = wanted;
        Ok(())
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.held_bytes.fetch_sub(self.held_bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_memory_is_given_back_to_statements() {
        let pool = MemoryPool::new(100);
        assert!(pool.take_spare(80));
        assert!(!pool.take_spare(30));
        assert_eq!(pool.take(30).unwrap_err().code(), OUT_OF_MEMORY);
        let spare = std::sync::Arc::downgrade(&pool);
        pool.set_reclaim(move |bytes| {
            if let Some(pool) = spare.upgrade() {
                pool.release(bytes.min(80));
            }
        });
        pool.take(30).unwrap();
        assert_eq!(pool.held_bytes(), 100);
        pool.admit(40).unwrap();
        assert_eq!(pool.held_bytes(), 60);
    }

    #[test]
    fn the_sum_of_all_shares_is_bounded_and_comes_back() {
        let pool = MemoryPool::new(4 * GRANULE_BYTES);
        let (mut one, mut other) = (MemoryShare::default(), MemoryShare::default());
        one.fit(FREE_BYTES, &pool).unwrap();
        assert_eq!(pool.held_bytes(), 0);
        one.fit(FREE_BYTES + 1, &pool).unwrap();
        other.fit(FREE_BYTES + 3 * GRANULE_BYTES, &pool).unwrap();
        assert_eq!(pool.held_bytes(), 4 * GRANULE_BYTES);
        let error = one.fit(FREE_BYTES + GRANULE_BYTES + 1, &pool).unwrap_err();
        assert_eq!(error.code(), OUT_OF_MEMORY);
        assert_eq!(pool.admit(1).unwrap_err().code(), OUT_OF_MEMORY);
        assert_eq!(one.covered_bytes(), FREE_BYTES + GRANULE_BYTES);
        drop(other);
        pool.admit(3 * GRANULE_BYTES).unwrap();
        one.fit(0, &pool).unwrap();
        assert_eq!(pool.held_bytes(), 0);
    }
}
