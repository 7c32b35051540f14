//! A disk whose changes stay in memory: for looking at a crashed database without touching it.
//!
//! Reads come from the disk below unless the block was written here. Nothing is ever written below but the lock file, so
//! that a directory in use is refused. Changes take memory by the block of 4 KiB and are gone with the overlay.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirLock, Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};

const BLOCK_BYTES: usize = 4096;

/// A disk below and what was changed since.
pub struct OverlayDisk {
    below: Arc<dyn Disk>,
    /// Files opened, created, renamed to (present) or removed, renamed away (`None`).
    names: Mutex<BTreeMap<String, Option<Arc<File>>>>,
}

impl OverlayDisk {
    /// An overlay without changes.
    pub fn new(below: Arc<dyn Disk>) -> OverlayDisk {
        OverlayDisk { below, names: Mutex::default() }
    }

    fn existing(&self, path: &str) -> Result<Arc<File>> {
        let mut names = self.names.lock();
        match names.get(path) {
            Some(Some(file)) => Ok(Arc::clone(file)),
            Some(None) => Err(StorageError::io("open", path, io::ErrorKind::NotFound.into())),
            None => {
                let below = self.below.open(path, OpenMode::Existing)?;
                let len = below.len()?;
                let image = Image { below_len: len, len, blocks: BTreeMap::new() };
                let file = Arc::new(File { below: Some(below), path: path.to_owned(), image: Mutex::new(image) });
                names.insert(path.to_owned(), Some(Arc::clone(&file)));
                Ok(file)
            }
        }
    }
}

impl Disk for OverlayDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        match self.existing(path) {
            Err(StorageError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && mode == OpenMode::Create =>
            {
                let file = Arc::new(File { below: None, path: path.to_owned(), image: Mutex::default() });
                self.names.lock().insert(path.to_owned(), Some(Arc::clone(&file)));
                Ok(file)
            }
            outcome => Ok(outcome?),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let file = self.existing(from)?;
        let mut names = self.names.lock();
        names.insert(from.to_owned(), None);
        names.insert(to.to_owned(), Some(file));
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.existing(path)?;
        self.names.lock().insert(path.to_owned(), None);
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let mut found: BTreeSet<String> = self.below.list(dir)?.into_iter().collect();
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        for (path, file) in self.names.lock().iter() {
            let Some(name) = path.strip_prefix(&prefix).filter(|name| !name.contains('/')) else { continue };
            if file.is_some() {
                found.insert(name.to_owned());
            } else {
                found.remove(name);
            }
        }
        Ok(found.into_iter().collect())
    }

    fn create_dir_all(&self, _dir: &str) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _dir: &str) -> Result<()> {
        Ok(())
    }

    fn lock_exclusive(&self, path: &str) -> Result<DirLock> {
        self.below.lock_exclusive(path)
    }
}

#[derive(Default)]
struct Image {
    /// What is still visible of the file below; cutting the file hides the rest for good.
    below_len: u64,
    len: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

struct File {
    below: Option<Arc<dyn DiskFile>>,
    path: String,
    image: Mutex<Image>,
}

impl File {
    /// The part of a block that the file below still shows, zeros behind it.
    fn read_below(&self, image: &Image, block: u64) -> Result<Box<[u8; BLOCK_BYTES]>> {
        let mut bytes = Box::new([0; BLOCK_BYTES]);
        let start = block * BLOCK_BYTES as u64;
        let visible = image.below_len.saturating_sub(start).min(BLOCK_BYTES as u64) as usize;
        if let Some(below) = &self.below
            && visible > 0
        {
            below.read_exact_at(&mut bytes[..visible], start)?;
        }
        Ok(bytes)
    }
}

/// Splits a range into blocks: block, first byte within it, bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = offset;
    let end = offset + len as u64;
    std::iter::from_fn(move || {
        let within = (at % BLOCK_BYTES as u64) as usize;
        let size = (BLOCK_BYTES - within).min((end - at) as usize);
        let piece = (at / BLOCK_BYTES as u64, within, size);
        at += size as u64;
        (size > 0).then_some(piece)
    })
}

impl DiskFile for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let image = self.image.lock();
        if offset + buffer.len() as u64 > image.len {
            return Err(StorageError::io("read", &self.path, io::ErrorKind::UnexpectedEof.into()));
        }
        let mut done = 0;
        for (block, within, size) in pieces(offset, buffer.len()) {
            let target = &mut buffer[done..done + size];
            match image.blocks.get(&block) {
                Some(bytes) => target.copy_from_slice(&bytes[within..within + size]),
                None => target.copy_from_slice(&self.read_below(&image, block)?[within..within + size]),
            }
            done += size;
        }
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut image = self.image.lock();
        let mut done = 0;
        for (block, within, size) in pieces(offset, bytes.len()) {
            if !image.blocks.contains_key(&block) {
                let fresh = self.read_below(&image, block)?;
                image.blocks.insert(block, fresh);
            }
            if let Some(target) = image.blocks.get_mut(&block) {
                target[within..within + size].copy_from_slice(&bytes[done..done + size]);
            }
            done += size;
        }
        image.len = image.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut image = self.image.lock();
        image.below_len = image.below_len.min(len);
        image.blocks.retain(|block, _| block * (BLOCK_BYTES as u64) < len);
        let cut = (len % BLOCK_BYTES as u64) as usize;
        if len < image.len
            && let Some(bytes) = image.blocks.get_mut(&(len / BLOCK_BYTES as u64))
        {
            bytes[cut..].fill(0);
        }
        image.len = len;
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.image.lock().len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let mut image = self.image.lock();
        image.len = image.len.max(offset + len);
        Ok(())
    }
}
