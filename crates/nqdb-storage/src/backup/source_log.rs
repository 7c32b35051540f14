//! The log that a restore repeats: segments of a backup and of archives, only read, as one log.
//!
//! A segment that the backup has as a whole is taken from there. The one that it ends in is taken from an archive when there
//! is one that has it, and otherwise from the backup, as if zeros followed. An archive may also be the `wal` folder of a
//! database that is gone: its last segment is read as far as it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::BackupLink;
use super::manifest::Manifest;
use super::restore::Until;
use crate::archive::folder;
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::options::Sabotage;
use crate::wal::group::{Record, Records};
use crate::wal::reader::LogReader;
use crate::wal::segment::{SegmentShape, Segments, number_of, path};

/// A file that is opened for each read, so that a long archive does not take all descriptors. Zeros follow its end.
struct SourceFile {
    disk: Arc<dyn Disk>,
    path: String,
}

impl DiskFile for SourceFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let file = self.disk.open(&self.path, OpenMode::ReadOnly)?;
        let there = file.len()?.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (content, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        file.read_exact_at(content, offset)
    }

    fn len(&self) -> Result<u64> {
        self.disk.open(&self.path, OpenMode::ReadOnly)?.len()
    }

    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        Err(only_read())
    }

    fn sync_data(&self) -> Result<()> {
        Err(only_read())
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Err(only_read())
    }

    fn allocate(&self, _offset: u64, _len: u64) -> Result<()> {
        Err(only_read())
    }
}

fn only_read() -> StorageError {
    StorageError::internal("log that is restored from is only read")
}

/// The log of a backup, and what archives have of it and behind it.
pub(super) struct SourceLog {
    pub(super) segments: Segments,
    start: Lsn,
}

impl SourceLog {
    pub(super) fn open(backup: &BackupLink, archives: &[Arc<dyn Disk>]) -> Result<SourceLog> {
        let Manifest { system_id, log_segment_bytes, start, .. } = backup.manifest;
        let shape = SegmentShape { system_id, bytes: log_segment_bytes };
        let mut files: BTreeMap<u64, Arc<dyn DiskFile>> = BTreeMap::new();
        let of_backup = |number| SourceFile { disk: Arc::clone(&backup.disk), path: path(number) };
        let segments = backup.log_files().zip(backup.first_segment()..);
        let (whole, cut): (Vec<_>, Vec<_>) = segments.partition(|(file, _)| file.bytes == log_segment_bytes);
        for (_, number) in whole {
            files.insert(number, Arc::new(of_backup(number)));
        }
        for archive in archives {
            for found in archived(archive, shape, backup.first_segment())? {
                let (number, file) = found?;
                files.entry(number).or_insert_with(|| Arc::new(file));
            }
        }
        for (_, number) in cut {
            files.entry(number).or_insert_with(|| Arc::new(of_backup(number)));
        }
        Ok(SourceLog { segments: Segments::of_files(Arc::clone(&backup.disk), shape, files), start })
    }

    fn reader(&self) -> LogReader<'_> {
        LogReader::new(&self.segments, self.start, Sabotage::None)
    }

    /// Reads up to the backup's end, which has to be there.
    pub(super) fn check_reaches(&self, manifest: &Manifest) -> Result<()> {
        let mut reader = self.reader();
        while reader.position() < manifest.end {
            if reader.next_group()?.is_none() {
                return Err(too_short(reader.position(), manifest.end));
            }
        }
        Ok(())
    }

    /// Where to stop: the end of the last group that belongs to what is wanted.
    pub(super) fn find_end(&self, mut until: Until<'_>) -> Result<Lsn> {
        let mut reader = self.reader();
        loop {
            let before = reader.position();
            let Some(group) = reader.next_group()? else { break };
            let is_beyond = match &mut until {
                Until::Latest => false,
                Until::Lsn(wanted) => group.end > *wanted,
                Until::Record(is_beyond) => {
                    let mut found = false;
                    for record in Records::new(group.body) {
                        if let Record::Client { kind, payload } = record? {
                            found |= is_beyond(kind, payload)?;
                        }
                    }
                    found
                }
            };
            if is_beyond {
                return Ok(before);
            }
        }
        reader.check_end()?;
        let end = reader.position();
        match until {
            Until::Latest => Ok(end),
            Until::Lsn(wanted) if wanted == end => Ok(end),
            Until::Lsn(_) | Until::Record(_) => Err(StorageError::refused(format!(
                "the log ends at {end}, before what is to be restored: an archive that goes on from there is missing"
            ))),
        }
    }
}

pub(super) fn too_short(position: Lsn, end: Lsn) -> StorageError {
    StorageError::corrupt(format!("the log of the backup cannot be read at {position}, and the backup ends at {end}"))
}

/// The segments from `first` on that an archive has of a database: in the folder of that database, or as they lie.
fn archived(
    archive: &Arc<dyn Disk>,
    shape: SegmentShape,
    first: u64,
) -> Result<impl Iterator<Item = Result<(u64, SourceFile)>>> {
    let mut paths = Vec::new();
    for folder in [folder(shape.system_id), String::new()] {
        let join = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let names = archive.list(&folder)?.into_iter();
        paths.extend(names.filter_map(|name| Some((number_of(&name)?, join(name)))));
    }
    let archive = Arc::clone(archive);
    let wanted = paths.into_iter().filter(move |(number, _)| *number >= first);
    Ok(wanted.filter_map(move |(number, path)| {
        let file = SourceFile { disk: Arc::clone(&archive), path };
        match shape.is_prepared(&file, number) {
            Ok(true) => Some(Ok((number, file))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }))
}
