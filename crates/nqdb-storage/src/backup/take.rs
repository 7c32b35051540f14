//! Taking a backup; the rules are told in the module's head.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::manifest::{Base, Manifest, ManifestFile};
use super::{CHANGED_PATH, PAGES_PATH};
use crate::archive::chunks;
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::engine::EngineState;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_SIZE, PageId};
use crate::options::Sabotage;
use crate::page::buf::PageBuf;
use crate::pool::Access;
use crate::space::NEXT_PAGE_AT;
use crate::stats::Counter;
use crate::wal::segment::{WAL_DIR, path};

/// Pages read at once.
const RUN_PAGES: u64 = 32;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of pages and log that were read.
    pub done_bytes: u64,
    /// All of them, as far as that is known: the log goes on meanwhile.
    pub total_bytes: u64,
}

/// What a caller wants of a backup.
pub struct BackupRequest<'r> {
    /// An empty directory.
    pub target: &'r dyn Disk,
    /// For an incremental backup: the one that it builds on, and its name.
    pub base: Option<(&'r Manifest, String)>,
    /// µs since 2000-01-01 UTC.
    pub clock_micros: &'r dyn Fn() -> i64,
    /// Called now and then with nothing held: it may take its time, and end the backup with an error.
    pub pace: &'r mut dyn FnMut(Progress) -> Result<()>,
}

/// Takes a backup of an open database.
pub(crate) fn take(state: &EngineState, request: BackupRequest<'_>) -> Result<Manifest> {
    let BackupRequest { target, base, clock_micros, pace } = request;
    let begun_micros = clock_micros();
    refuse_used(target)?;
    let system_id = state.log.shape().system_id;
    if let Some((base, _)) = &base
        && base.system_id != system_id
    {
        return Err(StorageError::refused("the base of the incremental backup is one of another database"));
    }
    if base.as_ref().is_some_and(|(_, directory)| directory.contains('\n')) {
        return Err(StorageError::refused("the base's directory has a line break in its name"));
    }
    let hold = state.log.hold();
    if !state.background.checkpoint(state)? {
        return Err(StorageError::internal("a backup is taken before the layer above is there"));
    }
    let place = state.background.place();
    let first = state.log.shape().number(place.from.0);
    hold.release_before(if state.options.sabotage == Sabotage::NoHold { u64::MAX } else { first });
    let early_end = state.log.flush(true)?;

    let page_count = page_count(state)?;
    let log_bytes = early_end.0.saturating_sub(place.from.0);
    let total_bytes = page_count * PAGE_SIZE as u64 + log_bytes;
    let mut copy = Copying { state, pace, progress: Progress { done_bytes: 0, total_bytes }, files: Vec::new() };
    copy.pages(target, page_count, base.as_ref().map(|(base, _)| base.start))?;
    let end = state.log.flush(true)?;
    let end = if state.options.sabotage == Sabotage::EarlyBackupEnd { early_end } else { end };
    copy.log(target, place.from, end)?;
    let files = copy.files;
    drop(hold);

    let manifest = Manifest {
        id: RandomState::new().hash_one("nqdb backup id"),
        system_id,
        incarnation: place.incarnation,
        log_segment_bytes: state.log.shape().bytes,
        page_count,
        checkpoint: place.at,
        start: place.from,
        end,
        begun_micros,
        ended_micros: clock_micros(),
        base: base.map(|(base, directory)| Base { id: base.id, directory }),
        files,
    };
    manifest.write(target)?;
    state.counters.add(Counter::Backups, 1);
    Ok(manifest)
}

fn refuse_used(target: &dyn Disk) -> Result<()> {
    for folder in ["", WAL_DIR] {
        if let Some(name) = target.list(folder)?.first() {
            return Err(StorageError::refused(format!(
                "the directory for the backup is not empty: it holds \"{name}\""
            )));
        }
    }
    Ok(())
}

/// Pages that were ever used. A change that adds some holds the meta page's latch until its group is in the log: every page
/// that is not counted here is made by the log behind this moment.
fn page_count(state: &EngineState) -> Result<u64> {
    let meta = state.fetch(PageId::META, Access::Keep)?;
    let count = meta.read().u64_at(NEXT_PAGE_AT);
    Ok(count)
}

/// The copying of a backup's bytes.
struct Copying<'r> {
    state: &'r EngineState,
    pace: &'r mut dyn FnMut(Progress) -> Result<()>,
    progress: Progress,
    files: Vec<ManifestFile>,
}

impl Copying<'_> {
    fn done(&mut self, bytes: u64) -> Result<()> {
        self.progress.done_bytes += bytes;
        (self.pace)(self.progress)
    }

    /// Copies all pages, or those with changes behind `since`.
    fn pages(&mut self, target: &dyn Disk, page_count: u64, since: Option<Lsn>) -> Result<()> {
        let mut file = NewFile::create(target, if since.is_some() { CHANGED_PATH } else { PAGES_PATH })?;
        let mut run = vec![0; RUN_PAGES as usize * PAGE_SIZE];
        let mut page = PageBuf::boxed();
        let mut out = Vec::new();
        for first in (0..page_count).step_by(RUN_PAGES as usize) {
            let count = RUN_PAGES.min(page_count - first);
            run.resize(count as usize * PAGE_SIZE, 0);
            self.state.data_file.read_exact_at(&mut run, first * PAGE_SIZE as u64)?;
            out.clear();
            for (index, bytes) in run.chunks_exact(PAGE_SIZE).enumerate() {
                let id = PageId(first + index as u64);
                page.bytes_mut().copy_from_slice(bytes);
                self.settle(id, &mut page)?;
                match since {
                    Some(since) if page.lsn() <= since => continue,
                    Some(_) => out.extend_from_slice(&id.0.to_le_bytes()),
                    None => {}
                }
                out.extend_from_slice(page.bytes());
            }
            file.append(&out)?;
            self.done(count * PAGE_SIZE as u64)?;
        }
        self.files.push(file.finish()?);
        target.sync_dir("")
    }

    /// Takes a page from the pool whose bytes in the data file do not verify.
    fn settle(&self, id: PageId, page: &mut PageBuf) -> Result<()> {
        if !page.is_sealed_for(id) {
            let pin = self.state.fetch(id, Access::Scan)?;
            page.bytes_mut().copy_from_slice(pin.read().bytes());
            page.seal(id);
        }
        Ok(())
    }

    /// Copies the segments that hold the log between two positions, the last one up to its end.
    fn log(&mut self, target: &dyn Disk, from: Lsn, end: Lsn) -> Result<()> {
        target.create_dir_all(WAL_DIR)?;
        target.sync_dir("")?;
        let shape = self.state.log.shape();
        for number in shape.number(from.0)..=shape.number(end.0 - 1) {
            let segment = self.state.log.held_file(number)?;
            let mut file = NewFile::create(target, &path(number))?;
            let mut buffer = Vec::new();
            for (offset, size) in chunks(shape.bytes.min(end.0 - number * shape.bytes)) {
                buffer.resize(size, 0);
                segment.read_exact_at(&mut buffer, offset)?;
                file.append(&buffer)?;
                self.done(size as u64)?;
            }
            self.files.push(file.finish()?);
        }
        target.sync_dir(WAL_DIR)
    }
}

/// A file of the backup that is being written.
struct NewFile {
    file: Arc<dyn DiskFile>,
    written: ManifestFile,
}

impl NewFile {
    fn create(target: &dyn Disk, path: &str) -> Result<NewFile> {
        let file = target.open(path, OpenMode::Create)?;
        Ok(NewFile { file, written: ManifestFile { path: path.to_owned(), bytes: 0, crc: 0 } })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, self.written.bytes)?;
        self.written.bytes += bytes.len() as u64;
        self.written.crc = crc32c::crc32c_append(self.written.crc, bytes);
        Ok(())
    }

    fn finish(self) -> Result<ManifestFile> {
        self.file.sync_data()?;
        Ok(self.written)
    }
}
