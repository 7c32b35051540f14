//! Large values, cut into chunks in a tree of their own.
//!
//! ```text
//! key:   value id u64 BE, chunk number u32 BE (from 0)
//! value: up to CHUNK_LEN bytes of the stored form; every chunk but the last is full
//! ```
//! The stored form is the value itself or, where that is shorter, its LZ4 block. A value never changes: an update stores
//! another one under a new id. Ids come from the caller and are never given twice. Marks mean what the caller wants; the
//! chunks of a value are marked and removed together, but in one log group each: what a crash leaves half done is found by
//! its marks, or undone by the caller, who logs a record with every chunk.

use std::ops::{Bound, ControlFlow};

use crate::error::{Result, StorageError};
use crate::reservation::Reservation;
use crate::tree::{Direction, Edit, EditNeed, Tree};

/// Bytes of a full chunk: three fit a leaf.
pub const CHUNK_LEN: usize = 2660;

/// The longest value, in bytes: PostgreSQL's limit of a field, one gigabyte.
pub const VALUE_LEN_MAX: usize = 1 << 30;

/// Values shorter than this are not worth an attempt to compress them.
const COMPRESSED_LEN_MIN: usize = 64;

/// Where a value is and how to read it: what the row keeps in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredValue {
    pub value_id: u64,
    /// Length of the value, in bytes.
    pub len: u32,
    /// Length of its stored form, in bytes.
    pub stored_len: u32,
    /// The stored form is an LZ4 block.
    pub is_compressed: bool,
}

impl StoredValue {
    /// Number of chunks; at least one.
    pub fn chunk_count(&self) -> u32 {
        self.stored_len.div_ceil(CHUNK_LEN as u32).max(1)
    }
}

/// What every change of a chunk logs for the layer above, in the chunk's own log group.
pub struct ChunkLog<'a> {
    /// The most bytes that `record` logs for a chunk: see [`EditNeed::log_bytes`].
    pub log_bytes: usize,
    /// Called with the chunk's number and the edit, after the change.
    pub record: &'a mut dyn FnMut(u32, &mut Edit<'_, '_>),
}

/// The overflow tree of one table.
#[derive(Clone)]
pub struct Overflow {
    tree: Tree,
}

impl Overflow {
    pub fn new(tree: Tree) -> Overflow {
        Overflow { tree }
    }

    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The key of a chunk.
    pub fn chunk_key(value_id: u64, chunk: u32) -> [u8; 12] {
        let mut key = [0; 12];
        key[..8].copy_from_slice(&value_id.to_be_bytes());
        key[8..].copy_from_slice(&chunk.to_be_bytes());
        key
    }

    /// The value id and number of the chunk with this key.
    pub fn parse_key(key: &[u8]) -> Option<(u64, u32)> {
        let (value_id, chunk) = key.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*value_id), u32::from_be_bytes(chunk.try_into().ok()?)))
    }

    /// Stores a value under an id that was never used. On an error the chunks that `log` was called for are there.
    pub fn put(&self, value_id: u64, value: &[u8], xid: u64, log: ChunkLog<'_>) -> Result<StoredValue> {
        if value.len() > VALUE_LEN_MAX {
            return Err(StorageError::EntryTooLarge { len: value.len(), max: VALUE_LEN_MAX });
        }
        let compressed = match value.len() >= COMPRESSED_LEN_MIN {
            true => Some(lz4_flex::block::compress(value)).filter(|compressed| compressed.len() < value.len()),
            false => None,
        };
        let stored = compressed.as_deref().unwrap_or(value);
        let stored_value = StoredValue {
            value_id,
            len: value.len() as u32,
            stored_len: stored.len() as u32,
            is_compressed: compressed.is_some(),
        };
        for chunk in 0..stored_value.chunk_count() {
            let start = chunk as usize * CHUNK_LEN;
            let bytes = stored.get(start..stored.len().min(start + CHUNK_LEN)).unwrap_or_default();
            let need = EditNeed { value_bytes_max: bytes.len(), log_bytes: log.log_bytes };
            let key = Overflow::chunk_key(value_id, chunk);
            let (is_new, _) = self.tree.edit(&key, need, None, |edit| {
                let is_new = edit.entry().is_none();
                if is_new {
                    edit.insert(bytes, false, xid);
                    (log.record)(chunk, edit);
                }
                is_new
            })?;
            if !is_new {
                return Err(StorageError::internal(format!("overflow value id {value_id} is given twice")));
            }
        }
        Ok(stored_value)
    }

    /// Reads a value. `Corrupt` when a chunk is missing or the bytes do not make up the value.
    pub fn get(&self, value: &StoredValue) -> Result<Vec<u8>> {
        let corrupt = |what: &str| StorageError::corrupt(format!("overflow value {}: {what}", value.value_id));
        let stored_len = value.stored_len as usize;
        let mut stored = Vec::with_capacity(stored_len.min(VALUE_LEN_MAX));
        let (first, last) = (Overflow::chunk_key(value.value_id, 0), Overflow::chunk_key(value.value_id, u32::MAX));
        let mut scan = self.tree.scan(Bound::Included(&first), Bound::Included(&last), Direction::Forward);
        let (mut next_chunk, mut is_gapless) = (0, true);
        while scan.next_leaf(&mut |key, entry, _| {
            is_gapless &= key == Overflow::chunk_key(value.value_id, next_chunk);
            next_chunk += 1;
            stored.extend_from_slice(entry.value);
            if is_gapless && stored.len() <= stored_len { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })? && is_gapless
            && stored.len() <= stored_len
        {}
        if !is_gapless || next_chunk != value.chunk_count() || stored.len() != stored_len {
            return Err(corrupt("its chunks are not complete"));
        }
        if !value.is_compressed {
            return if value.len == value.stored_len { Ok(stored) } else { Err(corrupt("its lengths contradict")) };
        }
        let whole =
            lz4_flex::block::decompress(&stored, value.len as usize).map_err(|_| corrupt("it cannot be expanded"))?;
        if whole.len() == value.len as usize { Ok(whole) } else { Err(corrupt("its length is wrong")) }
    }

    /// Sets or clears the mark of all chunks of a value; those that are missing are passed over.
    pub fn set_mark(
        &self,
        value: &StoredValue,
        marked: bool,
        xid: u64,
        mut credit: Option<&mut Reservation>,
        log: ChunkLog<'_>,
    ) -> Result<()> {
        for chunk in 0..value.chunk_count() {
            let key = Overflow::chunk_key(value.value_id, chunk);
            let need = EditNeed { value_bytes_max: 0, log_bytes: log.log_bytes };
            self.tree.edit(&key, need, credit.as_deref_mut(), |edit| {
                if edit.entry().is_some_and(|entry| entry.marked != marked) {
                    edit.set_mark(marked, xid);
                    (log.record)(chunk, edit);
                }
            })?;
        }
        Ok(())
    }

    /// Removes all chunks of a value, the last one first, so that what a crash leaves begins with chunk 0. Those that are
    /// missing are passed over.
    pub fn remove(&self, value: &StoredValue, mut credit: Option<&mut Reservation>, log: ChunkLog<'_>) -> Result<()> {
        for chunk in (0..value.chunk_count()).rev() {
            let key = Overflow::chunk_key(value.value_id, chunk);
            let need = EditNeed { value_bytes_max: 0, log_bytes: log.log_bytes };
            self.tree.edit(&key, need, credit.as_deref_mut(), |edit| {
                if edit.entry().is_some() {
                    edit.remove();
                    (log.record)(chunk, edit);
                }
            })?;
        }
        Ok(())
    }
}
