//! A disk in memory with no room for temporary files.

use std::sync::Arc;

use nqdb_sql::temporary_files::FOLDER;
use nqdb_storage::StorageError;
use nqdb_storage::disk::{DirLock, Disk, DiskFile, OpenMode, SimDisk};

type Result<T> = std::result::Result<T, StorageError>;

/// Files in the folder of temporary files take so many bytes each and no more.
pub struct FullDisk {
    pub below: SimDisk,
    pub room_bytes: u64,
}

impl Disk for FullDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let below = self.below.open(path, mode)?;
        if path.starts_with(FOLDER) {
            return Ok(Arc::new(FullFile { below, room_bytes: self.room_bytes }));
        }
        Ok(below)
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
        self.below.sync_dir(dir)
    }

    fn lock_exclusive(&self, path: &str) -> Result<DirLock> {
        self.below.lock_exclusive(path)
    }
}

struct FullFile {
    below: Arc<dyn DiskFile>,
    room_bytes: u64,
}

impl DiskFile for FullFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.below.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if offset + bytes.len() as u64 > self.room_bytes {
            return Err(StorageError::DiskFull { what: "write" });
        }
        self.below.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
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
