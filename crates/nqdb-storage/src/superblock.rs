//! The superblock: what has to be known before the log can be read.
//!
//! ```text
//! nqdb.super: two copies, at 0 and 4096; the one with the higher sequence number that verifies is the truth
//!   0  8  magic "nqdbsupr"
//!   8  4  format
//!  12  4  crc32c of the other 500 bytes of the 512
//!  16  8  sequence number: grows with each write, its lowest bit says which copy
//!  24  8  system id: random, in every log segment too
//!  32  4  page size
//!  36  4  incarnation: how often the database was opened
//!  40  8  bytes in a log segment
//!  48  8  LSN of the newest checkpoint's group
//!  56  8  end of the log at a clean stop, 0 when not stopped cleanly
//! 8192    the mark of the log's durable end: `durable_mark`
//! ```
//!
//! A copy fits one sector, and the other copy stays untouched while one is written: a power cut leaves at least one.

use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_SIZE};
use crate::wal::group::{u32_at, u64_at};

pub(crate) const SUPERBLOCK_PATH: &str = "nqdb.super";
/// The superblock while a database is being created: renaming it is the creation's last step.
pub(crate) const SUPERBLOCK_NEW_PATH: &str = "nqdb.super.new";
/// The superblock of a database that is being restored.
pub(crate) const SUPERBLOCK_RESTORING_PATH: &str = "nqdb.super.restoring";

/// The format that this program writes; it reads no other. Format 1, which no release has written, had one database: its
/// catalog rows did not say of which.
pub(crate) const FORMAT: u32 = 2;

const MAGIC: &[u8; 8] = b"nqdbsupr";
const COPY_BYTES: usize = 512;
const COPY_DISTANCE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) sequence: u64,
    pub(crate) system_id: u64,
    pub(crate) incarnation: u32,
    pub(crate) log_segment_bytes: u64,
    pub(crate) checkpoint: Lsn,
    pub(crate) clean_end: Lsn,
}

impl Superblock {
    fn encode(&self, format: u32) -> [u8; COPY_BYTES] {
        let mut out = [0; COPY_BYTES];
        out[0..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&format.to_le_bytes());
        out[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        out[24..32].copy_from_slice(&self.system_id.to_le_bytes());
        out[32..36].copy_from_slice(&(PAGE_SIZE as u32).to_le_bytes());
        out[36..40].copy_from_slice(&self.incarnation.to_le_bytes());
        out[40..48].copy_from_slice(&self.log_segment_bytes.to_le_bytes());
        out[48..56].copy_from_slice(&self.checkpoint.0.to_le_bytes());
        out[56..64].copy_from_slice(&self.clean_end.0.to_le_bytes());
        let crc = copy_crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` when the copy does not verify.
    fn decode(bytes: &[u8; COPY_BYTES]) -> Option<Result<Superblock>> {
        if bytes[0..8] != *MAGIC || u32_at(bytes, 12)? != copy_crc(bytes) {
            return None;
        }
        let format = u32_at(bytes, 8)?;
        if format != FORMAT {
            return Some(Err(StorageError::OtherFormat { found: format, supported: FORMAT }));
        }
        let page_size = u32_at(bytes, 32)?;
        if page_size != PAGE_SIZE as u32 {
            return Some(Err(StorageError::corrupt(format!("the superblock says pages of {page_size} bytes"))));
        }
        Some(Ok(Superblock {
            sequence: u64_at(bytes, 16)?,
            system_id: u64_at(bytes, 24)?,
            incarnation: u32_at(bytes, 36)?,
            log_segment_bytes: u64_at(bytes, 40)?,
            checkpoint: Lsn(u64_at(bytes, 48)?),
            clean_end: Lsn(u64_at(bytes, 56)?),
        }))
    }
}

fn copy_crc(bytes: &[u8; COPY_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The superblock's file and its newest content.
pub(crate) struct SuperblockFile {
    file: Arc<dyn DiskFile>,
    pub(crate) current: Superblock,
}

impl SuperblockFile {
    /// Whether a database was created here.
    pub(crate) fn exists(disk: &dyn Disk) -> Result<bool> {
        Ok(disk.list("")?.iter().any(|name| name == SUPERBLOCK_PATH))
    }

    /// Writes the first superblock under a provisional name; both copies are valid, and there is no mark.
    pub(crate) fn create(disk: &dyn Disk, path: &str, first: Superblock) -> Result<Arc<dyn DiskFile>> {
        let file = disk.open(path, OpenMode::Create)?;
        file.set_len(2 * COPY_DISTANCE)?;
        file.write_all_at(&first.encode(FORMAT), 0)?;
        file.write_all_at(&first.encode(FORMAT), COPY_DISTANCE)?;
        file.sync_data()?;
        Ok(file)
    }

    /// Reads the newer of the copies that verify.
    pub(crate) fn open(disk: &dyn Disk, path: &str) -> Result<SuperblockFile> {
        let file = disk.open(path, OpenMode::Existing)?;
        let mut newest: Option<Superblock> = None;
        for offset in [0, COPY_DISTANCE] {
            let mut bytes = [0; COPY_BYTES];
            if file.len()? < offset + COPY_BYTES as u64 {
                continue;
            }
            file.read_exact_at(&mut bytes, offset)?;
            let Some(copy) = Superblock::decode(&bytes) else { continue };
            let copy = copy?;
            if newest.is_none_or(|newest| copy.sequence > newest.sequence) {
                newest = Some(copy);
            }
        }
        let current = newest.ok_or_else(|| StorageError::corrupt("no copy of the superblock can be read"))?;
        Ok(SuperblockFile { file, current })
    }

    /// The file, for the mark that stands behind the copies.
    pub(crate) fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    /// Makes a changed superblock durable.
    pub(crate) fn write(&mut self, change: impl FnOnce(&mut Superblock)) -> Result<()> {
        let mut next = self.current;
        change(&mut next);
        next.sequence += 1;
        self.file.write_all_at(&next.encode(FORMAT), (next.sequence % 2) * COPY_DISTANCE)?;
        self.file.sync_data()?;
        self.current = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    fn first() -> Superblock {
        Superblock {
            sequence: 1,
            system_id: 42,
            incarnation: 1,
            log_segment_bytes: 1 << 20,
            checkpoint: Lsn(77),
            clean_end: Lsn::ZERO,
        }
    }

    fn created() -> SimDisk {
        let disk = SimDisk::new();
        SuperblockFile::create(&disk, SUPERBLOCK_NEW_PATH, first()).unwrap();
        disk.rename(SUPERBLOCK_NEW_PATH, SUPERBLOCK_PATH).unwrap();
        disk
    }

    #[test]
    fn the_newest_copy_that_verifies_wins() {
        let disk = created();
        let mut superblock = SuperblockFile::open(&disk, SUPERBLOCK_PATH).unwrap();
        superblock.write(|s| s.checkpoint = Lsn(100)).unwrap();
        superblock.write(|s| s.checkpoint = Lsn(200)).unwrap();
        assert_eq!(SuperblockFile::open(&disk, SUPERBLOCK_PATH).unwrap().current.checkpoint, Lsn(200));
        disk.flip_bit(SUPERBLOCK_PATH, COPY_DISTANCE + 50, 0);
        assert_eq!(SuperblockFile::open(&disk, SUPERBLOCK_PATH).unwrap().current.checkpoint, Lsn(100));
        disk.flip_bit(SUPERBLOCK_PATH, 50, 0);
        assert!(matches!(SuperblockFile::open(&disk, SUPERBLOCK_PATH), Err(StorageError::Corrupt { .. })));
    }

    #[test]
    fn other_formats_are_refused() {
        for format in [1, 3] {
            let disk = created();
            let file = disk.open(SUPERBLOCK_PATH, OpenMode::Existing).unwrap();
            file.write_all_at(&first().encode(format), 0).unwrap();
            let error = SuperblockFile::open(&disk, SUPERBLOCK_PATH).err().expect("it is refused").to_string();
            assert_eq!(error, format!("the data directory has format {format}, this program reads format 2 only"));
        }
    }
}
