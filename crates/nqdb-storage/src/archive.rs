//! The log's archive: a copy of every finished segment in another directory, so that a backup can be brought forward to any
//! later moment.
//!
//! ```text
//! <archive>/<system id, 16 hex digits>/<segment number, 16 hex digits>
//! ```
//!
//! 1. A segment is copied once nothing can be written to it any more ([`Log::next_to_archive`]), under a temporary name,
//!    synced, and only then renamed: what has a segment's name is whole.
//! 2. A segment that is not in the archive is not used again. So a failing archive loses nothing and lets the log grow; no
//!    request waits for it.
//! 3. What the archive has is compared and never overwritten. So it does not matter where a copy was cut off, and two
//!    databases that grew out of one copy of a directory cannot mix their logs.
//! 4. Nothing about its progress is kept elsewhere: after a start every segment that is still there is looked up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::engine::EngineState;
use crate::error::{Result, StorageError};
use crate::stats::Counter;
use crate::wal::Log;
use crate::wal::segment::file_name;

/// How often the thread looks for a finished segment.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long it waits after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
const CHUNK_BYTES: usize = 1 << 20;

/// Where finished log segments are copied to.
#[derive(Clone)]
pub struct LogArchive(pub Arc<dyn Disk>);

impl fmt::Debug for LogArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogArchive")
    }
}

/// The folder of a database's segments in an archive.
pub(crate) fn folder(system_id: u64) -> String {
    format!("{system_id:016x}")
}

/// Copies segments of one database.
pub(crate) struct Archiver {
    disk: Arc<dyn Disk>,
    stop: Mutex<bool>,
    wake: Condvar,
}

impl Archiver {
    pub(crate) fn new(archive: &LogArchive) -> Archiver {
        Archiver { disk: Arc::clone(&archive.0), stop: Mutex::new(false), wake: Condvar::new() }
    }

    /// Archives the next finished segment, if there is one.
    pub(crate) fn step(&self, state: &EngineState) -> Result<bool> {
        let Some((number, file)) = state.log.next_to_archive() else { return Ok(false) };
        let stored = self.store(&state.log, number, &*file);
        state.counters.add(if stored.is_ok() { Counter::LogArchived } else { Counter::LogArchiveFailures }, 1);
        stored?;
        state.log.note_archived_below(number + 1);
        Ok(true)
    }

    fn store(&self, log: &Log, number: u64, file: &dyn DiskFile) -> Result<()> {
        let shape = log.shape();
        let folder = folder(shape.system_id);
        let path = format!("{folder}/{}", file_name(number));
        self.disk.create_dir_all(&folder)?;
        self.disk.sync_dir("")?;
        if self.disk.list(&folder)?.contains(&file_name(number)) {
            let archived = self.disk.open(&path, OpenMode::ReadOnly)?;
            if !is_equal(file, &*archived, shape.bytes)? {
                let what = format!("the archive has another log segment \"{path}\": it is that of another history");
                return Err(StorageError::refused(what));
            }
        } else {
            let unfinished = format!("{path}.unfinished");
            let copy = self.disk.open(&unfinished, OpenMode::Create)?;
            copy.set_len(shape.bytes)?;
            copy_bytes(file, &*copy, shape.bytes)?;
            copy.sync_data()?;
            self.disk.rename(&unfinished, &path)?;
        }
        // The name may be there and not be durable, left by a start that was cut off.
        self.disk.sync_dir(&folder)
    }

    /// The archive's thread.
    pub(crate) fn run(&self, state: &EngineState) {
        let mut failing = false;
        loop {
            let pause = match self.step(state) {
                Ok(true) => Duration::ZERO,
                Ok(false) => LOOK_INTERVAL,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "the log cannot be archived; it grows until it can");
                    }
                    RETRY_INTERVAL
                }
            };
            if pause == Duration::ZERO && std::mem::take(&mut failing) {
                tracing::info!("the log can be archived again");
            }
            let mut stop = self.stop.lock();
            if !*stop && pause > Duration::ZERO {
                self.wake.wait_for(&mut stop, pause);
            }
            if *stop {
                return;
            }
        }
    }

    pub(crate) fn stop_thread(&self) {
        *self.stop.lock() = true;
        self.wake.notify_all();
    }

    /// Archives what a clean stop has left. What cannot be archived now is by the next start.
    pub(crate) fn finish(&self, state: &EngineState) {
        loop {
            match self.step(state) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, "the log cannot be archived; the next start tries again");
                    return;
                }
            }
        }
    }
}

/// Copies the first bytes of a file.
pub(crate) fn copy_bytes(from: &dyn DiskFile, to: &dyn DiskFile, len: u64) -> Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    for (offset, size) in chunks(len) {
        let piece = buffer.get_mut(..size).ok_or_else(|| StorageError::internal("a chunk is too long"))?;
        from.read_exact_at(piece, offset)?;
        to.write_all_at(piece, offset)?;
    }
    Ok(())
}

fn is_equal(one: &dyn DiskFile, other: &dyn DiskFile, len: u64) -> Result<bool> {
    if other.len()? != len {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    for (offset, size) in chunks(len) {
        a.resize(size, 0);
        b.resize(size, 0);
        one.read_exact_at(&mut a, offset)?;
        other.read_exact_at(&mut b, offset)?;
        if a != b {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Offsets and sizes of the pieces in which so many bytes are read.
pub(crate) fn chunks(len: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..len).step_by(CHUNK_BYTES).map(move |offset| (offset, CHUNK_BYTES.min((len - offset) as usize)))
}
