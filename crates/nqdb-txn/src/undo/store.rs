//! All chunks of undo: by number, with their readers, their memory and the pool of half-filled ones.

use super::spill::SpillFile;
use super::{CHUNK_BYTES, UndoRecord, split};
use crate::error::{Result, TxnError};
use crate::ids::UndoPosition;
use nqdb_storage::disk::Disk;
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

const SHARD_COUNT: usize = 16;

/// Half-filled chunks and empty buffers that are kept for the next transactions.
const POOL_COUNT_MAX: usize = 64;

/// One chunk: appended to by its writer, read by anybody.
pub(super) struct Chunk {
    pub(super) number: u64,
    pub(super) body: RwLock<Body>,
    /// The writer or the pool, and every transaction with records in it.
    holders: AtomicU32,
}

pub(super) enum Body {
    Memory(Vec<u8>),
    Spilled { slot: u64, len: usize },
}

/// The chunks of all transactions.
pub(crate) struct UndoStore {
    shards: Vec<RwLock<HashMap<u64, Arc<Chunk>, foldhash::fast::FixedState>>>,
    next_chunk: AtomicU64,
    memory_bytes: AtomicUsize,
    memory_bytes_max: usize,
    /// Half-filled chunks that no transaction writes to. Each counts as a holder.
    pool: Mutex<Vec<Arc<Chunk>>>,
    buffers: Mutex<Vec<Vec<u8>>>,
    /// Chunks that no writer will touch again, oldest first: candidates for the spill file.
    full: Mutex<VecDeque<Weak<Chunk>>>,
    spill: SpillFile,
}

impl UndoStore {
    /// A store that moves full chunks to a file on `disk` when it holds more than `memory_bytes_max`.
    pub(crate) fn new(disk: Arc<dyn Disk>, memory_bytes_max: usize) -> UndoStore {
        UndoStore {
            shards: (0..SHARD_COUNT).map(|_| RwLock::default()).collect(),
            next_chunk: AtomicU64::new(1),
            memory_bytes: AtomicUsize::new(0),
            memory_bytes_max,
            pool: Mutex::default(),
            buffers: Mutex::default(),
            full: Mutex::default(),
            spill: SpillFile::new(disk),
        }
    }

    /// Runs `f` on the record at `position`. May read the spill file: no latch may be held.
    pub(crate) fn read<T>(&self, position: UndoPosition, f: impl FnOnce(&UndoRecord<'_>) -> T) -> Result<T> {
        let (number, offset) = split(position);
        let chunk = self.shard(number).read().get(&number).cloned();
        let chunk = chunk.ok_or_else(|| TxnError::corrupt(format!("undo record {position} is gone")))?;
        let body = chunk.body.read();
        match &*body {
            Body::Memory(bytes) => Ok(f(&UndoRecord::decode(bytes, offset)?)),
            Body::Spilled { slot, len } => {
                let bytes = self.spill.read(*slot, *len)?;
                Ok(f(&UndoRecord::decode(&bytes, offset)?))
            }
        }
    }

    /// Bytes of undo in memory and in the spill file.
    pub(crate) fn bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed) + self.spill.slots_used() * CHUNK_BYTES
    }

    /// A chunk with room for `bytes`, for one writer. The caller becomes a holder.
    pub(super) fn take_chunk(&self, bytes: usize) -> Result<Arc<Chunk>> {
        if let Some(chunk) = self.pool.lock().pop() {
            let room = matches!(&*chunk.body.read(), Body::Memory(body) if body.len() + bytes <= CHUNK_BYTES);
            if room {
                return Ok(chunk);
            }
            self.retire(chunk);
        }
        self.make_room()?;
        let number = self.next_chunk.fetch_add(1, Ordering::Relaxed);
        let body = self.buffers.lock().pop().unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES));
        self.memory_bytes.fetch_add(CHUNK_BYTES, Ordering::Relaxed);
        let chunk = Arc::new(Chunk { number, body: RwLock::new(Body::Memory(body)), holders: AtomicU32::new(1) });
        self.shard(number).write().insert(number, chunk.clone());
        Ok(chunk)
    }

    /// Gives a half-filled chunk to the next transaction.
    pub(super) fn give_back(&self, chunk: Arc<Chunk>) {
        {
            let mut pool = self.pool.lock();
            if pool.len() < POOL_COUNT_MAX {
                pool.push(chunk);
                return;
            }
        }
        self.retire(chunk);
    }

    /// The writer of a chunk leaves it for good.
    pub(super) fn retire(&self, chunk: Arc<Chunk>) {
        self.full.lock().push_back(Arc::downgrade(&chunk));
        self.release(&chunk);
    }

    pub(super) fn hold(&self, chunk: &Chunk) {
        chunk.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends one holder's interest; the last one drops the chunk.
    pub(super) fn release(&self, chunk: &Chunk) {
        if chunk.holders.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.shard(chunk.number).write().remove(&chunk.number);
        let body = std::mem::replace(&mut *chunk.body.write(), Body::Memory(Vec::new()));
        match body {
            Body::Memory(mut bytes) => {
                self.memory_bytes.fetch_sub(CHUNK_BYTES, Ordering::Relaxed);
                let mut buffers = self.buffers.lock();
                if buffers.len() < POOL_COUNT_MAX {
                    bytes.clear();
                    buffers.push(bytes);
                }
            }
            Body::Spilled { slot, .. } => self.spill.free(slot),
        }
    }

    /// Moves the oldest full chunks to the file until there is room for one more.
    fn make_room(&self) -> Result<()> {
        while self.memory_bytes.load(Ordering::Relaxed) + CHUNK_BYTES > self.memory_bytes_max {
            let Some(oldest) = self.full.lock().pop_front() else { return Ok(()) };
            let Some(chunk) = oldest.upgrade() else { continue };
            let mut body = chunk.body.write();
            let Body::Memory(bytes) = &mut *body else { continue };
            if bytes.is_empty() {
                continue;
            }
            let slot = self.spill.write(bytes)?;
            let len = bytes.len();
            *body = Body::Spilled { slot, len };
            self.memory_bytes.fetch_sub(CHUNK_BYTES, Ordering::Relaxed);
        }
        Ok(())
    }

    fn shard(&self, number: u64) -> &RwLock<HashMap<u64, Arc<Chunk>, foldhash::fast::FixedState>> {
        &self.shards[(number % SHARD_COUNT as u64) as usize]
    }

    #[cfg(test)]
    pub(super) fn chunk_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    #[cfg(test)]
    pub(super) fn spilled_count(&self) -> usize {
        self.spill.slots_used()
    }

    #[cfg(test)]
    pub(super) fn memory_bytes_in_use(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }
}
