//! The operating system's files under one root directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{DirLock, Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};

/// New files and directories are for their owner alone.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// A directory of the operating system.
pub struct OsDisk {
    root: PathBuf,
}

impl OsDisk {
    /// Files under `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> OsDisk {
        OsDisk { root: root.into() }
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let full = self.full(path);
        let mut options = OpenOptions::new();
        let writes = mode != OpenMode::ReadOnly;
        options.read(true).write(writes).create(mode == OpenMode::Create).truncate(false).mode(FILE_MODE);
        let file = options.open(&full).map_err(|e| StorageError::io("open", path, e))?;
        Ok(Arc::new(OsFile { file, path: path.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.full(from), self.full(to)).map_err(|e| StorageError::io("rename", from, e))
    }

    fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.full(path)).map_err(|e| StorageError::io("remove", path, e))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.full(dir)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(StorageError::io("list", dir, e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| StorageError::io("list", dir, e))?;
            let kind = entry.file_type().map_err(|e| StorageError::io("list", dir, e))?;
            if kind.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &str) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(DIRECTORY_MODE);
        builder.create(self.full(dir)).map_err(|e| StorageError::io("create directory", dir, e))?;
        // The data directory's own name lies in a directory that this seam does not show.
        let parent = self.root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(".".as_ref());
        File::open(parent).and_then(|d| d.sync_all()).map_err(|e| StorageError::io("sync the directory above", dir, e))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        File::open(self.full(dir)).and_then(|d| d.sync_all()).map_err(|e| StorageError::io("sync directory", dir, e))
    }

    fn lock_exclusive(&self, path: &str) -> Result<DirLock> {
        let full = self.full(path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&full)
            .map_err(|e| StorageError::io("open", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock::new(file)),
            Err(TryLockError::WouldBlock) => Err(StorageError::InUse),
            Err(TryLockError::Error(e)) => Err(StorageError::io("lock", path, e)),
        }
    }
}

struct OsFile {
    file: File,
    path: String,
}

impl OsFile {
    fn failed(&self, op: &'static str) -> impl FnOnce(io::Error) -> StorageError {
        let path = self.path.clone();
        move |e| StorageError::io(op, path, e)
    }

    /// File systems without fallocate: the space is taken by writing zeros.
    fn write_zeros(&self, offset: u64, len: u64) -> Result<()> {
        const CHUNK_BYTES: usize = 1 << 20;
        let start = offset.max(self.len()?);
        let zeros = vec![0; CHUNK_BYTES];
        let mut position = start;
        while position < offset + len {
            let size = CHUNK_BYTES.min((offset + len - position) as usize);
            self.write_all_at(&zeros[..size], position)?;
            position += size as u64;
        }
        Ok(())
    }
}

impl DiskFile for OsFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(self.failed("read"))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(self.failed("write"))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(self.failed("sync"))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(self.failed("set the length of"))
    }

    fn len(&self) -> Result<u64> {
        self.file.metadata().map(|m| m.len()).map_err(self.failed("read the length of"))
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, len) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.write_zeros(offset, len),
            Err(e) => Err(self.failed("allocate space in")(e.into())),
        }
    }
}
