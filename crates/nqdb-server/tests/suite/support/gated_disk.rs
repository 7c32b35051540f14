//! A disk in memory whose syncs wait at a gate.

use std::sync::{Arc, Condvar, Mutex};

use nqdb_storage::disk::{DirLock, Disk, DiskFile, OpenMode, SimDisk};

type Result<T> = std::result::Result<T, nqdb_storage::StorageError>;

/// Open or closed, and who waits for that.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut closed = self.closed.lock().unwrap();
        while *closed {
            closed = self.changed.wait(closed).unwrap();
        }
    }
}

/// Clones share the disk and the gate.
#[derive(Clone)]
pub struct GatedDisk {
    below: SimDisk,
    gate: Arc<Gate>,
}

impl GatedDisk {
    pub fn new() -> GatedDisk {
        GatedDisk { below: SimDisk::new(), gate: Arc::default() }
    }

    /// From now on no sync returns.
    pub fn close(&self) {
        *self.gate.closed.lock().unwrap() = true;
    }

    pub fn open_gate(&self) {
        *self.gate.closed.lock().unwrap() = false;
        self.gate.changed.notify_all();
    }
}

impl Disk for GatedDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(GatedFile { below: self.below.open(path, mode)?, gate: self.gate.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.below.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.below.remove(path)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.below.list(dir)
    }

    fn create_dir_all(&self, dir: &str) -> Result<()> {
        self.below.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.gate.pass();
        self.below.sync_dir(dir)
    }

    fn lock_exclusive(&self, path: &str) -> Result<DirLock> {
        self.below.lock_exclusive(path)
    }
}

struct GatedFile {
    below: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl DiskFile for GatedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.below.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.below.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        self.gate.pass();
        self.below.sync_data()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.below.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.below.len()
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.below.allocate(offset, len)
    }
}
