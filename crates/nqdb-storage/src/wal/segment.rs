//! Log segments: files of one size, zero-filled and synced before use, so that a later `sync_data` of log groups needs
//! no change of metadata; used up, they are renamed to serve again.
//!
//! ```text
//! segment header, 64 bytes
//!   0  8  magic "nqdb-wal"
//!   8  4  format
//!  12  4  crc32c of the other 60 bytes
//!  16  8  system id
//!  24  8  segment number
//!  32  8  LSN of the first byte of the file
//!  40  8  bytes in the file
//!  48 16  zero
//! ```
//!
//! Segment n holds LSNs n * size up to (n + 1) * size; numbers start at 1. A file whose header does not verify, or
//! belongs to another number, was not finished being prepared: it counts as absent.
//!
//! A segment is given up for reuse only when no recovery needs it, no backup that is being taken holds it
//! ([`LogHold`]), and it is in the log's archive, where one is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::group::{u32_at, u64_at};
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};
use crate::options::Sabotage;

pub(crate) const WAL_DIR: &str = "wal";
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;

const MAGIC: &[u8; 8] = b"nqdb-wal";
const FORMAT: u32 = 1;
const ZERO_CHUNK_BYTES: usize = 1 << 20;

pub(crate) fn path(number: u64) -> String {
    format!("{WAL_DIR}/{}", file_name(number))
}

/// A segment's file name.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016x}")
}

/// The number in a segment's file name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    if name.len() == 16 { u64::from_str_radix(name, 16).ok() } else { None }
}

/// What all segments of a database share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentShape {
    pub(crate) system_id: u64,
    pub(crate) bytes: u64,
}

impl SegmentShape {
    fn header(&self, number: u64) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut out = [0; SEGMENT_HEADER_BYTES as usize];
        out[0..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[16..24].copy_from_slice(&self.system_id.to_le_bytes());
        out[24..32].copy_from_slice(&number.to_le_bytes());
        out[32..40].copy_from_slice(&(number * self.bytes).to_le_bytes());
        out[40..48].copy_from_slice(&self.bytes.to_le_bytes());
        let crc = header_crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The number of the segment that holds an LSN.
    pub(crate) fn number(&self, lsn: u64) -> u64 {
        lsn / self.bytes
    }

    /// The LSN of a segment's first group.
    pub(crate) fn first_group(&self, number: u64) -> u64 {
        number * self.bytes + SEGMENT_HEADER_BYTES
    }

    /// Bytes from `lsn` to the end of its segment.
    pub(crate) fn rest(&self, lsn: u64) -> u64 {
        self.bytes - lsn % self.bytes
    }

    /// Reads a segment's header; false when it is not that of segment `number`. A newer format is an error.
    pub(crate) fn is_prepared(&self, file: &dyn DiskFile, number: u64) -> Result<bool> {
        if file.len()? < self.bytes {
            return Ok(false);
        }
        let mut header = [0; SEGMENT_HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0)?;
        if header[0..8] != *MAGIC || u32_at(&header, 12) != Some(header_crc(&header)) {
            return Ok(false);
        }
        let format = u32_at(&header, 8).unwrap_or(0);
        if format > FORMAT {
            return Err(StorageError::OtherFormat { found: format, supported: FORMAT });
        }
        Ok(u64_at(&header, 16) == Some(self.system_id)
            && u64_at(&header, 24) == Some(number)
            && u64_at(&header, 40) == Some(self.bytes))
    }
}

fn header_crc(header: &[u8; SEGMENT_HEADER_BYTES as usize]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

struct SegmentFiles {
    /// Prepared segments by number, without gaps: those with log that is still needed, and those ahead.
    files: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// Names of files whose content nobody needs.
    spare: Vec<String>,
    /// From which segment on each backup that is being taken needs the log.
    holds: BTreeMap<u64, u64>,
    next_hold: u64,
    /// Where an archive is kept: segments below are in it.
    archived_below: Option<u64>,
}

impl SegmentFiles {
    fn new(files: BTreeMap<u64, Arc<dyn DiskFile>>, spare: Vec<String>) -> SegmentFiles {
        SegmentFiles { files, spare, holds: BTreeMap::new(), next_hold: 0, archived_below: None }
    }

    /// The first segment that somebody besides recovery needs.
    fn held_from(&self) -> u64 {
        let held = self.holds.values().copied().min().unwrap_or(u64::MAX);
        held.min(self.archived_below.unwrap_or(u64::MAX))
    }
}

/// Keeps segments from being reused, until it is dropped.
pub(crate) struct LogHold<'s> {
    segments: &'s Segments,
    token: u64,
}

impl LogHold<'_> {
    /// Segments before `number` are needed no longer.
    pub(crate) fn release_before(&self, number: u64) {
        self.segments.files.lock().holds.insert(self.token, number);
    }
}

impl Drop for LogHold<'_> {
    fn drop(&mut self) {
        self.segments.files.lock().holds.remove(&self.token);
    }
}

/// The segment files of an open database.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    pub(crate) shape: SegmentShape,
    spare_max: usize,
    sabotage: Sabotage,
    /// Serialises preparing, which takes long; `files` is only held for look-ups.
    preparing: Mutex<()>,
    files: Mutex<SegmentFiles>,
}

impl Segments {
    /// Finds the segments on disk. `spare_max` used-up files are kept for recycling, further ones are removed.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        shape: SegmentShape,
        spare_max: usize,
        sabotage: Sabotage,
    ) -> Result<Segments> {
        let mut files = BTreeMap::new();
        let mut spare = Vec::new();
        for name in disk.list(WAL_DIR)? {
            let Some(number) = number_of(&name) else { continue };
            let file = disk.open(&path(number), OpenMode::Existing)?;
            if shape.is_prepared(&*file, number)? {
                files.insert(number, file);
            } else {
                spare.push(path(number));
            }
        }
        Ok(Segments::with(disk, shape, spare_max, sabotage, SegmentFiles::new(files, spare)))
    }

    /// Segments that are only read, wherever their files are. Nothing is prepared or given up among them.
    pub(crate) fn of_files(
        disk: Arc<dyn Disk>,
        shape: SegmentShape,
        files: BTreeMap<u64, Arc<dyn DiskFile>>,
    ) -> Segments {
        Segments::with(disk, shape, 0, Sabotage::None, SegmentFiles::new(files, Vec::new()))
    }

    fn with(
        disk: Arc<dyn Disk>,
        shape: SegmentShape,
        spare_max: usize,
        sabotage: Sabotage,
        files: SegmentFiles,
    ) -> Segments {
        Segments { disk, shape, spare_max, sabotage, preparing: Mutex::new(()), files: Mutex::new(files) }
    }

    /// Keeps all segments that are there now from being reused.
    pub(crate) fn hold(&self) -> LogHold<'_> {
        let mut files = self.files.lock();
        let token = files.next_hold;
        files.next_hold += 1;
        files.holds.insert(token, 0);
        LogHold { segments: self, token }
    }

    /// An archive is kept, and it has the segments before `number`.
    pub(crate) fn note_archived_below(&self, number: u64) {
        self.files.lock().archived_below = Some(number);
    }

    /// The first segment that the archive lacks, and its file.
    pub(crate) fn next_unarchived(&self) -> Option<(u64, Arc<dyn DiskFile>)> {
        let files = self.files.lock();
        let from = files.archived_below.unwrap_or(0);
        files.files.range(from..).next().map(|(&number, file)| (number, Arc::clone(file)))
    }

    /// The file of a prepared segment.
    pub(crate) fn file(&self, number: u64) -> Option<Arc<dyn DiskFile>> {
        self.files.lock().files.get(&number).cloned()
    }

    /// Numbers of the prepared segments behind `number`, in order.
    pub(crate) fn numbers_after(&self, number: u64) -> Vec<u64> {
        self.files.lock().files.range(number + 1..).map(|(&number, _)| number).collect()
    }

    /// How many segments are ready behind `number`.
    pub(crate) fn ready_after(&self, number: u64) -> u64 {
        self.files.lock().files.range(number + 1..).count() as u64
    }

    /// A file that has a segment's name but not its header, if there is one of full length.
    pub(crate) fn open_unprepared(&self, number: u64) -> Result<Option<Arc<dyn DiskFile>>> {
        if !self.files.lock().spare.contains(&path(number)) {
            return Ok(None);
        }
        let file = self.disk.open(&path(number), OpenMode::Existing)?;
        Ok(if file.len()? == self.shape.bytes { Some(file) } else { None })
    }

    /// Forgets segments that cannot follow `number` without a gap (left by an interrupted run); they become spare.
    pub(crate) fn drop_behind_gap(&self, number: u64) {
        let mut files = self.files.lock();
        let mut expected = number + 1;
        while files.files.contains_key(&expected) {
            expected += 1;
        }
        let stranded = files.files.split_off(&expected);
        files.spare.extend(stranded.into_keys().map(path));
    }

    /// Prepares the segment behind the last one (`first` when there is none), durable under its name.
    pub(crate) fn prepare_next(&self, first: u64) -> Result<()> {
        let _preparing = self.preparing.lock();
        let (number, recycled) = {
            let mut files = self.files.lock();
            let number = files.files.last_key_value().map_or(first, |(&last, _)| last + 1);
            // An unfinished file may already have the name; it is overwritten, so it must not be recycled as well.
            files.spare.retain(|spare| *spare != path(number));
            (number, files.spare.pop())
        };
        let file = match recycled {
            Some(old) => self.recycle(&old, number)?,
            None => self.create(number)?,
        };
        self.files.lock().files.insert(number, file);
        Ok(())
    }

    fn recycle(&self, old: &str, number: u64) -> Result<Arc<dyn DiskFile>> {
        self.disk.rename(old, &path(number))?;
        let file = self.disk.open(&path(number), OpenMode::Existing)?;
        if file.len()? != self.shape.bytes {
            return self.create(number);
        }
        file.write_all_at(&self.shape.header(number), 0)?;
        self.sync(&file)?;
        Ok(file)
    }

    fn create(&self, number: u64) -> Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(&path(number), OpenMode::Create)?;
        let filled = self.fill(&file, number).and_then(|()| self.sync(&file));
        if let Err(error) = filled {
            if matches!(error, StorageError::DiskFull { .. }) {
                // Gives the space back; if that fails too, the file counts as unprepared at the next start.
                let removed = self.disk.remove(&path(number));
                tracing::debug!(?removed, "no room for a log segment");
                return Err(StorageError::DiskFull { what: "the write-ahead log" });
            }
            return Err(error);
        }
        Ok(file)
    }

    fn fill(&self, file: &Arc<dyn DiskFile>, number: u64) -> Result<()> {
        file.set_len(self.shape.bytes)?;
        file.allocate(0, self.shape.bytes)?;
        let zeros = vec![0; ZERO_CHUNK_BYTES.min(self.shape.bytes as usize)];
        let mut offset = 0;
        while offset < self.shape.bytes {
            let len = zeros.len().min((self.shape.bytes - offset) as usize);
            file.write_all_at(&zeros[..len], offset)?;
            offset += len as u64;
        }
        file.write_all_at(&self.shape.header(number), 0)
    }

    fn sync(&self, file: &Arc<dyn DiskFile>) -> Result<()> {
        file.sync_data()?;
        if self.sabotage != Sabotage::NoDirSync {
            self.disk.sync_dir(WAL_DIR)?;
        }
        Ok(())
    }

    /// Recovery needs no segment before `number`: they are given up, as far as nobody else needs them.
    pub(crate) fn cut(&self, number: u64) -> Result<()> {
        let surplus = {
            let mut files = self.files.lock();
            let number = number.min(files.held_from());
            let kept = files.files.split_off(&number);
            let old = std::mem::replace(&mut files.files, kept);
            files.spare.extend(old.into_keys().map(path));
            let keep = files.spare.len().min(self.spare_max);
            files.spare.split_off(keep)
        };
        surplus.iter().try_for_each(|path| self.disk.remove(path))
    }
}
