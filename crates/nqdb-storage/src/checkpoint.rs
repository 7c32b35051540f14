//! Writing pages back, and moving the point from which recovery starts.
//!
//! ```text
//! checkpoint record: redo LSN u64, start LSN u64, payload of the layer above
//!   redo   page changes before it are in the data file
//!   start  the layer above needs the log's opaque records from here on
//! ```
//!
//! 1. A page is written only after the log is durable up to the page's LSN.
//! 2. A batch goes to the doublewrite file first; the next batch starts only when this one's pages are synced in place.
//! 3. The log is cut only below the redo and start positions of a checkpoint that the superblock durably names.
//! 4. `end` is read before the dirty pages are scanned and before the layer above is asked, so whatever they miss lies
//!    behind `end`; redo and start never exceed it.
//!
//! Pages are written oldest change first, when half of the frames are dirty, when a request found no clean frame, or
//! when the log since the oldest change exceeds half of its budget. Nobody writes while a page latch is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::doublewrite::Doublewrite;
use crate::engine::EngineState;
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::options::Sabotage;
use crate::page::buf::PageBuf;
use crate::recovery::LogSurvey;
use crate::stats::Counter;
use crate::superblock::SuperblockFile;
use crate::wal::group::{GroupBody, u64_at};

/// What the layer above contributes to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCheckpoint {
    /// The first LSN whose opaque records it still needs; [`Lsn::MAX`] when it needs none but those that come.
    pub floor: Lsn,
    /// Its state, handed to [`crate::LogReplay::checkpoint`] before those records.
    pub payload: Vec<u8>,
}

/// The layer above, as checkpoints see it.
pub trait LogClient: Send + Sync {
    /// Called without latches held, by whoever writes the checkpoint: it must neither wait for the log nor fetch pages nor
    /// reserve. Records appended after the call are replayed on top of
    /// the payload; records appended before it and behind the floor may be too, so replaying them has to be harmless.
    fn checkpoint(&self) -> ClientCheckpoint;
}

/// A layer above that logs nothing of its own.
pub struct NoLogClient;

impl LogClient for NoLogClient {
    fn checkpoint(&self) -> ClientCheckpoint {
        ClientCheckpoint { floor: Lsn::MAX, payload: Vec::new() }
    }
}

/// A checkpoint as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointRecord {
    pub(crate) redo: Lsn,
    pub(crate) start: Lsn,
    pub(crate) payload: Vec<u8>,
}

impl CheckpointRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.payload.len());
        out.extend_from_slice(&self.redo.0.to_le_bytes());
        out.extend_from_slice(&self.start.0.to_le_bytes());
        out.extend_from_slice(&self.payload);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<CheckpointRecord> {
        let short = || StorageError::corrupt("a checkpoint record is too short");
        Ok(CheckpointRecord {
            redo: Lsn(u64_at(bytes, 0).ok_or_else(short)?),
            start: Lsn(u64_at(bytes, 8).ok_or_else(short)?),
            payload: bytes.get(16..).ok_or_else(short)?.to_vec(),
        })
    }
}

/// The checkpoint that the superblock names, and the log that a recovery from it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointPlace {
    /// Where its group stands.
    pub(crate) at: Lsn,
    /// Recovery reads from here on: the lesser of redo and start.
    pub(crate) from: Lsn,
    pub(crate) incarnation: u32,
}

/// What kind of checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointKind {
    Running,
    /// Nothing follows it: the next start has no log to repeat.
    Clean,
    /// The first group of a fresh segment, so that the one before is complete.
    Switching,
    /// Both.
    CleanSwitching,
}

impl CheckpointKind {
    fn is_clean(self) -> bool {
        matches!(self, CheckpointKind::Clean | CheckpointKind::CleanSwitching)
    }

    fn switches(self) -> bool {
        matches!(self, CheckpointKind::Switching | CheckpointKind::CleanSwitching)
    }
}

/// What only one thread at a time may use.
struct Files {
    doublewrite: Doublewrite,
    superblock: SuperblockFile,
    /// What the checkpoint at hand needs, see [`CheckpointPlace::from`].
    from: Lsn,
    /// The log's end while nothing but checkpoints was written since it was made to go on in a fresh segment.
    switched: Lsn,
}

/// How often the background writer looks for work by itself.
const IDLE_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct Background {
    files: Mutex<Files>,
    /// Somebody waits for a clean frame.
    frames_wanted: AtomicBool,
    /// Redo position of the newest checkpoint.
    redo: AtomicU64,
    stop: Mutex<bool>,
    wake: Condvar,
    /// Signalled after each round of the background writer.
    round: Mutex<()>,
    round_done: Condvar,
}

impl Background {
    pub(crate) fn new(doublewrite: Doublewrite, superblock: SuperblockFile, survey: &LogSurvey) -> Background {
        let CheckpointRecord { redo, start, .. } = survey.checkpoint;
        let switched = if survey.ends_with_switch { survey.end } else { Lsn::ZERO };
        Background {
            files: Mutex::new(Files { doublewrite, superblock, from: redo.min(start), switched }),
            frames_wanted: AtomicBool::new(false),
            redo: AtomicU64::new(redo.0),
            stop: Mutex::new(false),
            wake: Condvar::new(),
            round: Mutex::new(()),
            round_done: Condvar::new(),
        }
    }

    /// Recovery would start here.
    pub(crate) fn redo(&self) -> Lsn {
        Lsn(self.redo.load(Ordering::Acquire))
    }

    pub(crate) fn want_frames(&self) {
        self.frames_wanted.store(true, Ordering::Release);
    }

    /// Starts a round of the background writer now and waits for its end, or for `timeout`.
    pub(crate) fn wait_for_round(&self, timeout: Duration) {
        let mut round = self.round.lock();
        self.wake.notify_one();
        self.round_done.wait_for(&mut round, timeout);
    }

    /// The background writer.
    pub(crate) fn run(&self, state: &EngineState) {
        loop {
            let worked = self.step(state).unwrap_or_else(|error| {
                tracing::error!(%error, "the background writer failed");
                false
            });
            drop(self.round.lock());
            self.round_done.notify_all();
            let mut stop = self.stop.lock();
            if !*stop && !worked && !self.frames_wanted.load(Ordering::Acquire) {
                self.wake.wait_for(&mut stop, IDLE_INTERVAL);
            }
            if *stop || state.log.failed() {
                return;
            }
        }
    }

    pub(crate) fn stop_thread(&self) {
        *self.stop.lock() = true;
        self.wake.notify_all();
    }

    /// One round: a segment ahead, a batch of pages, a checkpoint, the log's mark, each if due. Returns whether anything was done.
    pub(crate) fn step(&self, state: &EngineState) -> Result<bool> {
        let mut files = self.files.lock();
        if state.log.failed() {
            return Err(StorageError::LogFailed);
        }
        let mut worked = state.log.prepare_ahead().or_else(|error| fail(state, error))?;
        let oldest = state.pool.oldest_rec_lsn();
        if self.batch_is_due(state, oldest) {
            worked |= self.write_batch(state, &mut files)?;
        }
        if self.checkpoint_is_due(state, if worked { state.pool.oldest_rec_lsn() } else { oldest }) {
            worked |= self.write_checkpoint(state, &mut files, CheckpointKind::Running)?;
        }
        worked |= state.log.sync_mark_when_still().or_else(|error| fail(state, error))?;
        Ok(worked)
    }

    fn batch_is_due(&self, state: &EngineState, oldest: Lsn) -> bool {
        let age = state.log.end().0.saturating_sub(oldest.0);
        self.frames_wanted.swap(false, Ordering::AcqRel)
            || state.pool.dirty_count() * 2 > state.pool.frame_count()
            || age > state.options.log_budget_bytes / 2
    }

    fn checkpoint_is_due(&self, state: &EngineState, oldest: Lsn) -> bool {
        let redo = oldest.min(state.log.end());
        redo.0.saturating_sub(self.redo().0) > state.options.log_budget_bytes / 8
    }

    /// Writes every page that is dirty now, then a checkpoint. False when no layer above has been set.
    pub(crate) fn checkpoint(&self, state: &EngineState) -> Result<bool> {
        let mut files = self.files.lock();
        self.write_dirty_before(state, &mut files, state.log.end())?;
        self.write_checkpoint(state, &mut files, CheckpointKind::Running)
    }

    /// The newest checkpoint.
    pub(crate) fn place(&self) -> CheckpointPlace {
        let files = self.files.lock();
        let superblock = &files.superblock.current;
        CheckpointPlace { at: superblock.checkpoint, from: files.from, incarnation: superblock.incarnation }
    }

    /// Makes the log go on in a fresh segment, beginning with a checkpoint. False when that is how it goes on already, or
    /// when no layer above has been set.
    pub(crate) fn switch_log(&self, state: &EngineState) -> Result<bool> {
        let mut files = self.files.lock();
        if files.switched == state.log.end() {
            return Ok(false);
        }
        self.write_checkpoint(state, &mut files, CheckpointKind::Switching)
    }

    /// Writes everything and marks the database as cleanly stopped. Where an archive is kept, the log's last segment is
    /// made complete for it, if there is room for another one.
    pub(crate) fn stop_cleanly(&self, state: &EngineState) -> Result<()> {
        let mut files = self.files.lock();
        self.write_dirty_before(state, &mut files, Lsn::MAX)?;
        state.log.sync_to(state.log.end())?;
        if state.options.log_archive.is_some() && files.switched != state.log.end() {
            match self.write_checkpoint(state, &mut files, CheckpointKind::CleanSwitching) {
                Err(StorageError::DiskFull { .. }) => {}
                outcome => return outcome.map(drop),
            }
        }
        self.write_checkpoint(state, &mut files, CheckpointKind::Clean).map(drop)
    }

    fn write_dirty_before(&self, state: &EngineState, files: &mut Files, before: Lsn) -> Result<()> {
        while state.pool.oldest_rec_lsn() < before {
            self.write_batch(state, files)?;
        }
        Ok(())
    }

    /// Writes the oldest dirty pages. A failure is final: what is in the data file is unknown until recovery.
    fn write_batch(&self, state: &EngineState, files: &mut Files) -> Result<bool> {
        let mut victims = state.pool.dirty_frames();
        let batch = &mut files.doublewrite;
        if victims.len() > batch.batch_pages_max {
            victims.select_nth_unstable(batch.batch_pages_max - 1);
            victims.truncate(batch.batch_pages_max);
        }
        let mut pins: Vec<_> = victims.into_iter().filter_map(|(_, index)| state.pool.pin_frame(index)).collect();
        pins.sort_by_key(|pin| pin.id());
        batch.clear();
        let mut copy = PageBuf::boxed();
        let mut newest = Lsn::ZERO;
        for pin in &pins {
            if state.pool.copy_dirty(pin, &mut copy) {
                newest = newest.max(copy.lsn());
                copy.seal(pin.id());
                batch.push(pin.id(), &copy);
            }
        }
        if batch.len() == 0 {
            return Ok(false);
        }
        self.put_batch(state, batch, newest).or_else(|error| fail(state, error))?;
        state.counters.add(Counter::PageWrites, batch.len() as u64);
        Ok(true)
    }

    fn put_batch(&self, state: &EngineState, batch: &mut Doublewrite, newest: Lsn) -> Result<()> {
        let sabotage = state.options.sabotage;
        if sabotage != Sabotage::FlushBeforeLog {
            state.log.sync_to(newest)?;
        }
        if sabotage != Sabotage::NoDoublewrite {
            batch.write()?;
        }
        batch.write_in_place(&*state.data_file)?;
        if sabotage != Sabotage::NoDataSync {
            state.data_file.sync_data()?;
        }
        Ok(())
    }

    /// Writes a checkpoint. `DiskFull`, which only one that needs a fresh segment meets, leaves everything as it was.
    fn write_checkpoint(&self, state: &EngineState, files: &mut Files, kind: CheckpointKind) -> Result<bool> {
        let Some(client) = state.client.read().clone() else { return Ok(false) };
        if kind.switches() {
            state.log.reserve_segment()?;
        }
        let end = state.log.end();
        let ClientCheckpoint { floor, payload } = client.checkpoint();
        let oldest =
            if state.options.sabotage == Sabotage::ForgetDirtyPages { end } else { state.pool.oldest_rec_lsn() };
        let record = CheckpointRecord { redo: oldest.min(end), start: floor.min(end), payload };
        let mut group = GroupBody::default();
        group.push_checkpoint(&record.encode());
        let max = state.log.group_bytes_max();
        if group.group_bytes() > max {
            if kind.switches() {
                state.log.unreserve_segment();
            }
            return Err(StorageError::GroupTooLarge { len: group.group_bytes(), max });
        }
        self.put_checkpoint(state, files, &record, &group, kind).or_else(|error| fail(state, error))?;
        Ok(true)
    }

    fn put_checkpoint(
        &self,
        state: &EngineState,
        files: &mut Files,
        record: &CheckpointRecord,
        group: &GroupBody,
        kind: CheckpointKind,
    ) -> Result<()> {
        let (at, behind) = match kind.switches() {
            true => state.log.append_in_fresh_segment(group),
            false => state.log.append(group, &mut 0),
        };
        state.log.sync_to(behind)?;
        files.superblock.write(|superblock| {
            superblock.checkpoint = at;
            superblock.clean_end = if kind.is_clean() { behind } else { Lsn::ZERO };
        })?;
        files.from = record.redo.min(record.start);
        if kind.switches() || files.switched == at {
            files.switched = behind;
        }
        self.redo.store(record.redo.0, Ordering::Release);
        state.counters.add(Counter::Checkpoints, 1);
        tracing::debug!(%at, redo = %record.redo, ?kind, "checkpoint");
        state.log.cut(record.redo.min(record.start))
    }
}

/// Ends all writing after a failed write to disk.
fn fail<T>(state: &EngineState, error: StorageError) -> Result<T> {
    state.log.fail();
    Err(error)
}

/// The layer above, once it has been set.
pub(crate) type Client = Arc<dyn LogClient>;
