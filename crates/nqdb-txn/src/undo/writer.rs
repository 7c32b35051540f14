//! One transaction's end of the undo store: appends records, remembers which chunks they are in.

use super::store::{Body, Chunk, UndoStore};
use super::{CHUNK_BYTES, RECORD_OVERHEAD_BYTES, UndoRecord, join};
use crate::error::Result;
use crate::ids::UndoPosition;
use crate::record::Change;
use std::sync::Arc;

/// Appends the records of one transaction.
pub(crate) struct UndoWriter {
    store: Arc<UndoStore>,
    /// Where the next record goes, held beside `written`.
    current: Option<Arc<Chunk>>,
    written: Vec<Arc<Chunk>>,
    last: UndoPosition,
    newest: UndoPosition,
    steps: u32,
    owes_purge: bool,
}

/// The chunks in which an ended transaction has records; dropped when no snapshot can need them.
pub(crate) struct UndoChunks {
    store: Arc<UndoStore>,
    chunks: Vec<Arc<Chunk>>,
    /// The newest record that was not undone; where purge starts to look.
    pub(crate) last: UndoPosition,
    /// Whether any record leaves work to purge.
    pub(crate) owes_purge: bool,
}

impl UndoWriter {
    pub(crate) fn new(store: Arc<UndoStore>) -> UndoWriter {
        UndoWriter {
            store,
            current: None,
            written: Vec::new(),
            last: UndoPosition::NONE,
            newest: UndoPosition::NONE,
            steps: 0,
            owes_purge: false,
        }
    }

    /// Makes room for `count` records with `bytes` of keys and images together. Fails only here (spilling).
    pub(crate) fn prepare(&mut self, count: usize, bytes: usize) -> Result<()> {
        let bytes = bytes + count * RECORD_OVERHEAD_BYTES;
        debug_assert!(bytes <= CHUNK_BYTES, "records of one step fit a chunk");
        if let Some(chunk) = self.current.take() {
            let room = matches!(&*chunk.body.read(), Body::Memory(body) if body.len() + bytes <= CHUNK_BYTES);
            if room {
                self.current = Some(chunk);
                return Ok(());
            }
            self.store.retire(chunk);
        }
        // A half-filled chunk from the pool may be older than one that this transaction wrote to already; positions
        // would not grow then.
        let mut chunk = self.store.take_chunk(bytes)?;
        while self.written.last().is_some_and(|newest| chunk.number < newest.number) {
            self.store.retire(chunk);
            chunk = self.store.take_chunk(bytes)?;
        }
        if self.written.last().is_none_or(|newest| newest.number != chunk.number) {
            self.store.hold(&chunk);
            self.written.push(chunk.clone());
        }
        self.current = Some(chunk);
        Ok(())
    }

    /// Number of the next step: how many records are not undone.
    pub(crate) fn steps(&self) -> u32 {
        self.steps
    }

    /// The newest record that is not undone.
    pub(crate) fn last(&self) -> UndoPosition {
        self.last
    }

    /// A position above every record so far, undone ones included: what a reader may see of its own writes ends here.
    pub(crate) fn seen_up_to(&self) -> UndoPosition {
        UndoPosition(self.newest.0 + 1)
    }

    /// Appends a record; its step must be [`UndoWriter::steps`]. Room must have been prepared.
    pub(crate) fn append(&mut self, change: &Change<'_>) -> UndoPosition {
        debug_assert_eq!(change.step, self.steps);
        let chunk = self.current.as_ref().expect("room was prepared before the latch was taken");
        let position = match &mut *chunk.body.write() {
            Body::Memory(body) => {
                let offset = body.len();
                UndoRecord::encode(self.last, change, body);
                debug_assert!(body.len() <= CHUNK_BYTES);
                join(chunk.number, offset)
            }
            Body::Spilled { .. } => unreachable!("a chunk is spilled only after its writer has left it"),
        };
        self.last = position;
        self.newest = position;
        self.steps += 1;
        self.owes_purge |= change.kind.owes_purge();
        position
    }

    /// The newest record has been undone; `previous` is the one before it. Its bytes stay, for readers on their way.
    pub(crate) fn undone(&mut self, previous: UndoPosition) {
        self.last = previous;
        self.steps -= 1;
    }

    /// The transaction has ended: its half-filled chunk goes to the next one, its records to whoever frees them.
    pub(crate) fn finish(mut self) -> UndoChunks {
        if let Some(chunk) = self.current.take() {
            self.store.give_back(chunk);
        }
        UndoChunks {
            store: self.store.clone(),
            chunks: std::mem::take(&mut self.written),
            last: self.last,
            owes_purge: self.owes_purge && self.last != UndoPosition::NONE,
        }
    }
}

impl UndoChunks {
    /// Whether there is nothing to free.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

impl Drop for UndoChunks {
    fn drop(&mut self) {
        for chunk in self.chunks.drain(..) {
            self.store.release(&chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ChangeKind;
    use nqdb_storage::TreeId;
    use nqdb_storage::disk::SimDisk;

    fn change<'a>(step: u32, key: &'a [u8], image: &'a [u8]) -> Change<'a> {
        Change {
            kind: ChangeKind::RowUpdate,
            step,
            table: 1,
            tree: TreeId(1000),
            header: [u64::from(step), 0],
            was_marked: false,
            key,
            image,
        }
    }

    fn store(memory_bytes_max: usize) -> Arc<UndoStore> {
        Arc::new(UndoStore::new(Arc::new(SimDisk::new()), memory_bytes_max))
    }

    /// Writes `count` records, reads them backwards, and returns what the end left.
    fn write_and_walk(store: &Arc<UndoStore>, count: u32, image: &[u8]) -> UndoChunks {
        let mut writer = UndoWriter::new(store.clone());
        let mut positions = vec![UndoPosition::NONE];
        for step in 0..count {
            writer.prepare(1, 8 + image.len()).expect("room");
            let position = writer.append(&change(step, &u64::from(step).to_be_bytes(), image));
            assert!(position > *positions.last().expect("not empty"), "positions grow");
            positions.push(position);
        }
        let mut at = writer.last();
        for step in (0..count).rev() {
            assert_eq!(at, positions[step as usize + 1]);
            at = store
                .read(at, |record| {
                    assert_eq!(record.change, change(step, &u64::from(step).to_be_bytes(), image));
                    record.previous
                })
                .expect("readable");
        }
        assert_eq!(at, UndoPosition::NONE);
        writer.finish()
    }

    #[test]
    fn small_transactions_share_a_chunk_and_free_it() {
        let store = store(1 << 20);
        let ended: Vec<UndoChunks> = (0..120).map(|_| write_and_walk(&store, 4, &[7; 100])).collect();
        assert_eq!(store.chunk_count(), 2, "480 records of 159 bytes fill one chunk and open another");
        drop(ended);
        assert_eq!(store.chunk_count(), 1, "only the half-filled one stays");
    }

    #[test]
    fn a_large_transaction_spills_and_is_read_back() {
        let store = store(4 * CHUNK_BYTES);
        let ended = write_and_walk(&store, 3000, &[9; 1000]);
        assert!(store.spilled_count() > 40, "{} chunks in the file", store.spilled_count());
        assert!(store.memory_bytes_in_use() <= 4 * CHUNK_BYTES);
        drop(ended);
        assert_eq!(store.spilled_count(), 0);
        assert_eq!(store.chunk_count(), 1);
    }
}
