//! The file that takes full undo chunks when memory has no room for them: slots of one chunk each, no order, no sync.

use super::CHUNK_BYTES;
use crate::error::Result;
use nqdb_storage::disk::{Disk, DiskFile, OpenMode};
use parking_lot::Mutex;
use std::sync::Arc;

const PATH: &str = "undo.spill";

/// The file, created at first use and emptied then: what an earlier process left there means nothing.
pub(super) struct SpillFile {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<Arc<dyn DiskFile>>,
    slot_count: u64,
    free: Vec<u64>,
}

impl SpillFile {
    pub(super) fn new(disk: Arc<dyn Disk>) -> SpillFile {
        SpillFile { disk, state: Mutex::default() }
    }

    /// Writes a chunk and returns its slot.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<u64> {
        let mut state = self.state.lock();
        let file = match &state.file {
            Some(file) => file.clone(),
            None => {
                let file = self.disk.open(PATH, OpenMode::Create)?;
                file.set_len(0)?;
                state.file.insert(file).clone()
            }
        };
        let slot = state.free.last().copied().unwrap_or(state.slot_count);
        file.write_all_at(bytes, slot * CHUNK_BYTES as u64)?;
        if state.free.pop().is_none() {
            state.slot_count += 1;
        }
        Ok(slot)
    }

    /// Reads the first `len` bytes of a slot.
    pub(super) fn read(&self, slot: u64, len: usize) -> Result<Vec<u8>> {
        let file = self.state.lock().file.clone().expect("a slot was written, so the file is open");
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, slot * CHUNK_BYTES as u64)?;
        Ok(bytes)
    }

    /// Gives a slot back.
    pub(super) fn free(&self, slot: u64) {
        self.state.lock().free.push(slot);
    }

    pub(super) fn slots_used(&self) -> usize {
        let state = self.state.lock();
        state.slot_count as usize - state.free.len()
    }
}
