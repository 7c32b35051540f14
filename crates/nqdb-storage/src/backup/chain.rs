//! Reading a backup: that it is whole, that it fits to the one that it builds on, and its pages in order.

use std::sync::Arc;

use super::manifest::{Manifest, ManifestFile};
use super::source_log::SourceLog;
use super::{CHANGED_PATH, CHANGED_RECORD_BYTES, PAGES_PATH};
use crate::archive::chunks;
use crate::disk::{Disk, OpenMode};
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_SIZE, PageId};
use crate::page::buf::PageBuf;
use crate::wal::segment::path;

/// Records of a pages' file that are read at once.
const RUN_RECORDS: usize = 128;

/// A backup that has a manifest.
#[derive(Clone)]
pub struct BackupLink {
    pub disk: Arc<dyn Disk>,
    pub manifest: Manifest,
}

/// What was found to be sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub files: u64,
    pub pages: u64,
    pub bytes: u64,
}

/// Opens a directory with a backup; `Refused` when there is none, or not a whole one.
pub fn open_link(disk: Arc<dyn Disk>) -> Result<BackupLink> {
    let manifest = Manifest::read(&*disk)?;
    Ok(BackupLink { disk, manifest })
}

/// Verifies every byte of a backup and of those that it builds on, the full one first.
pub fn verify(chain: &[BackupLink]) -> Result<Verified> {
    let newest = check_chain(chain)?;
    let mut verified = Verified::default();
    for link in chain {
        link.read_pages(&mut |_, _| {
            verified.pages += 1;
            Ok(())
        })?;
        for file in link.log_files() {
            link.check_file(file)?;
        }
        verified.files += link.manifest.files.len() as u64;
        verified.bytes += link.manifest.total_bytes();
    }
    SourceLog::open(newest, &[])?.check_reaches(&newest.manifest)?;
    Ok(verified)
}

/// The newest backup of a chain in which each builds on the one before.
pub(super) fn check_chain(chain: &[BackupLink]) -> Result<&BackupLink> {
    let mut before: Option<&BackupLink> = None;
    for link in chain {
        let base = link.manifest.base.as_ref().map(|base| base.id);
        if base != before.map(|before| before.manifest.id) {
            return Err(StorageError::refused(match base {
                Some(base) => format!("the incremental backup needs the backup {base:016x} that it builds on"),
                None => "a full backup builds on none".to_owned(),
            }));
        }
        if before.is_some_and(|before| before.manifest.system_id != link.manifest.system_id) {
            return Err(StorageError::refused("the backups are of different databases"));
        }
        link.check_names()?;
        before = Some(link);
    }
    before.ok_or_else(|| StorageError::internal("a chain of no backups"))
}

impl BackupLink {
    fn is_full(&self) -> bool {
        self.manifest.base.is_none()
    }

    fn pages_path(&self) -> &'static str {
        if self.is_full() { PAGES_PATH } else { CHANGED_PATH }
    }

    /// The log's segments, in order.
    pub(super) fn log_files(&self) -> impl Iterator<Item = &ManifestFile> {
        self.manifest.files.iter().skip(1)
    }

    /// The manifest lists the pages, then the segments from start to end, and nothing else.
    fn check_names(&self) -> Result<()> {
        let Manifest { start, end, log_segment_bytes, .. } = self.manifest;
        let segments = (start.0 / log_segment_bytes..=(end.0 - 1) / log_segment_bytes).map(path);
        let expected = std::iter::once(self.pages_path().to_owned()).chain(segments);
        match self.manifest.files.iter().map(|file| file.path.as_str()).eq(expected) {
            true => Ok(()),
            false => Err(StorageError::corrupt("the backup's manifest lists other files than its backup has")),
        }
    }

    /// Compares a file's size and checksum.
    pub(super) fn check_file(&self, expected: &ManifestFile) -> Result<()> {
        let file = self.disk.open(&expected.path, OpenMode::ReadOnly)?;
        self.check_len(expected, file.len()?)?;
        let (mut buffer, mut crc) = (Vec::new(), 0);
        for (offset, size) in chunks(expected.bytes) {
            buffer.resize(size, 0);
            file.read_exact_at(&mut buffer, offset)?;
            crc = crc32c::crc32c_append(crc, &buffer);
        }
        self.check_crc(expected, crc)
    }

    fn check_len(&self, expected: &ManifestFile, found: u64) -> Result<()> {
        match found == expected.bytes {
            true => Ok(()),
            false => Err(StorageError::corrupt(format!(
                "the backup's file \"{}\" has {found} bytes, and its manifest says {}",
                expected.path, expected.bytes
            ))),
        }
    }

    fn check_crc(&self, expected: &ManifestFile, found: u32) -> Result<()> {
        match found == expected.crc {
            true => Ok(()),
            false => {
                Err(StorageError::corrupt(format!("the checksum of the backup's file \"{}\" is wrong", expected.path)))
            }
        }
    }

    /// Shows every page of this backup, in order, each with its checksum compared; at the end the file's is.
    pub(super) fn read_pages(&self, visit: &mut dyn FnMut(PageId, &PageBuf) -> Result<()>) -> Result<()> {
        let pages = self.manifest.files.first();
        let expected = pages.ok_or_else(|| StorageError::corrupt("the backup's manifest lists no pages"))?;
        let file = self.disk.open(&expected.path, OpenMode::ReadOnly)?;
        self.check_len(expected, file.len()?)?;
        let record_bytes = if self.is_full() { PAGE_SIZE } else { CHANGED_RECORD_BYTES };
        let records = expected.bytes / record_bytes as u64;
        let is_complete = !self.is_full() || records == self.manifest.page_count;
        if !expected.bytes.is_multiple_of(record_bytes as u64) || !is_complete {
            return Err(StorageError::corrupt(format!(
                "the backup's file \"{}\" has not the right length",
                expected.path
            )));
        }
        let (mut run, mut crc, mut page) = (Vec::new(), 0, PageBuf::boxed());
        for first in (0..records).step_by(RUN_RECORDS) {
            let count = (records - first).min(RUN_RECORDS as u64);
            run.resize(count as usize * record_bytes, 0);
            file.read_exact_at(&mut run, first * record_bytes as u64)?;
            crc = crc32c::crc32c_append(crc, &run);
            for (index, record) in run.chunks_exact(record_bytes).enumerate() {
                let (number, content) = record.split_at(record_bytes - PAGE_SIZE);
                let number = <[u8; 8]>::try_from(number).map(u64::from_le_bytes);
                let id = PageId(number.unwrap_or(first + index as u64));
                page.bytes_mut().copy_from_slice(content);
                if id.0 >= self.manifest.page_count || !page.is_sealed_for(id) {
                    return Err(StorageError::corrupt_page(id, "its checksum in the backup is wrong"));
                }
                if page.lsn() > self.manifest.end {
                    return Err(StorageError::corrupt_page(id, "in the backup it is newer than the backup's end"));
                }
                visit(id, &page)?;
            }
        }
        self.check_crc(expected, crc)
    }

    /// The first segment that the backup's log needs.
    pub(super) fn first_segment(&self) -> u64 {
        self.manifest.start.0 / self.manifest.log_segment_bytes
    }

    /// Where the backup is a whole database.
    pub fn end(&self) -> Lsn {
        self.manifest.end
    }
}
