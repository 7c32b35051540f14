//! The write-ahead log: appending groups, making them durable, telling those who wait.
//!
//! What always holds:
//! 1. Groups are written in LSN order, and segment n is synced before the first byte of segment n + 1 is written: a group
//!    in a later segment proves that everything before it was durable.
//! 2. `flushed` only grows, and everything before it has been written and (with `sync`) synced.
//!    A sync that has returned is noted in the mark (`durable_mark`).
//! 3. After one failed write or sync nothing is written any more; `flushed` stands still and waiters get `LogFailed`.
//! 4. The prepared segments have room for all reservations, plus one largest group for checkpoints, which must not
//!    depend on anybody's reservation: a full disk is what they help against.
//!
//! Log space is counted by promises: a prepared segment promises its size less the largest group, because at most that
//! much is lost at its end; what was used beyond the promise is regained when the segment is left.

pub(crate) mod group;
pub(crate) mod reader;
pub(crate) mod segment;
mod tail;
mod waiters;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use self::group::GroupBody;
use self::segment::{LogHold, SEGMENT_HEADER_BYTES, SegmentShape, Segments};
pub(crate) use self::tail::Place;
use self::tail::{Gathered, Tail};
use self::waiters::Waiters;
use crate::disk::DiskFile;
use crate::durable_mark::DurableMark;
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::options::{Options, Sabotage};
use crate::stats::{Counter, Counters};

type FlushListener = Box<dyn Fn(Lsn) + Send + Sync>;

/// Buffers kept by the writer between flushes are not larger than this.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

/// How long appended groups may stay in memory when nobody asks for them.
const IDLE_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

struct Writer {
    gathered: Gathered,
    /// The segment that was written last and whether it has unsynced bytes.
    segment: u64,
    unsynced: bool,
}

#[derive(Default)]
struct ThreadSignal {
    stop: Mutex<bool>,
    wake: Condvar,
    sleeping: AtomicBool,
}

pub(crate) struct Log {
    shape: SegmentShape,
    segments: Segments,
    tail: Tail,
    group_bytes_max: usize,
    buffer_bytes: u64,
    sync: bool,
    background: bool,
    sabotage: Sabotage,
    mark: DurableMark,
    /// LSN behind the last appended group.
    end: AtomicU64,
    flushed: AtomicU64,
    synced: AtomicU64,
    requested: AtomicU64,
    /// Promised bytes that nobody has reserved.
    available: AtomicI64,
    failed: AtomicBool,
    writer: Mutex<Writer>,
    waiters: Waiters,
    listeners: RwLock<Vec<FlushListener>>,
    signal: ThreadSignal,
    counters: Arc<Counters>,
}

impl Log {
    /// A log that goes on at `end`, up to which it is durable.
    pub(crate) fn open(
        segments: Segments,
        mark: DurableMark,
        options: &Options,
        incarnation: u32,
        end: u64,
        counters: Arc<Counters>,
    ) -> Log {
        let shape = segments.shape;
        let group_bytes_max = options.group_bytes_max();
        let promise = shape.bytes - SEGMENT_HEADER_BYTES - group_bytes_max as u64;
        // At a segment's very end the position counts as the next segment, which is not entered yet.
        let at_boundary = end.is_multiple_of(shape.bytes);
        let number = shape.number(end) - u64::from(at_boundary);
        let promised = if at_boundary { 0 } else { shape.rest(end).saturating_sub(group_bytes_max as u64) };
        let ahead = segments.ready_after(number) * promise;
        Log {
            shape,
            tail: Tail::new(shape, promise, incarnation, end, promised),
            segments,
            group_bytes_max,
            buffer_bytes: options.log_buffer_bytes as u64,
            sync: options.sync,
            background: options.background_threads,
            sabotage: options.sabotage,
            mark,
            end: AtomicU64::new(end),
            flushed: AtomicU64::new(end),
            synced: AtomicU64::new(end),
            requested: AtomicU64::new(end),
            available: AtomicI64::new((promised + ahead) as i64),
            failed: AtomicBool::new(false),
            writer: Mutex::new(Writer { gathered: Gathered::default(), segment: number, unsynced: false }),
            waiters: Waiters::default(),
            listeners: RwLock::new(Vec::new()),
            signal: ThreadSignal::default(),
            counters,
        }
    }

    pub(crate) fn group_bytes_max(&self) -> usize {
        self.group_bytes_max
    }

    /// LSN behind the last appended group.
    pub(crate) fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    pub(crate) fn flushed(&self) -> Lsn {
        Lsn(self.flushed.load(Ordering::Acquire))
    }

    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn check(&self) -> Result<()> {
        if self.failed() { Err(StorageError::LogFailed) } else { Ok(()) }
    }

    /// Reserves `bytes` of log: prepares a segment when the prepared ones are promised away, waits while the buffer is
    /// full. Fails with `DiskFull` or `LogFailed`, and then nothing is reserved.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<()> {
        self.check()?;
        self.wait_for_buffer_room()?;
        let cushion = self.group_bytes_max as i64;
        let bytes = bytes as i64;
        let take = |available: i64| (available - bytes >= cushion).then_some(available - bytes);
        while self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_err() {
            self.prepare_segment()?;
        }
        Ok(())
    }

    /// Gives back what was reserved and not used.
    pub(crate) fn unreserve(&self, bytes: usize) {
        self.available.fetch_add(bytes as i64, Ordering::AcqRel);
    }

    fn prepare_segment(&self) -> Result<()> {
        if let Err(error) = self.segments.prepare_next(self.shape.number(self.end().0) + 1) {
            // A full disk changes nothing; after any other failure it is unknown what the disk holds.
            if !matches!(error, StorageError::DiskFull { .. }) {
                self.fail();
            }
            return Err(error);
        }
        self.available.fetch_add(self.promise() as i64, Ordering::AcqRel);
        self.counters.add(Counter::LogSegments, 1);
        Ok(())
    }

    /// Prepares a segment ahead of need, so that `reserve` seldom has to. A full disk is left for `reserve` to report.
    pub(crate) fn prepare_ahead(&self) -> Result<bool> {
        let low = self.group_bytes_max as i64 + (self.shape.bytes / 2) as i64;
        if self.available.load(Ordering::Acquire) >= low {
            return Ok(false);
        }
        match self.prepare_segment() {
            Ok(()) => Ok(true),
            Err(StorageError::DiskFull { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn buffered(&self) -> u64 {
        self.end.load(Ordering::Acquire).saturating_sub(self.flushed.load(Ordering::Acquire))
    }

    fn wait_for_buffer_room(&self) -> Result<()> {
        if self.buffered() <= self.buffer_bytes {
            return Ok(());
        }
        self.counters.add(Counter::LogWaits, 1);
        if !self.background {
            return self.flush(false).map(drop);
        }
        self.request_flush(self.end());
        self.waiters.wait_until(|| self.failed() || self.buffered() <= self.buffer_bytes / 2);
        self.check()
    }

    /// Reserves what leaving the segment at hand may give up; given back by [`Log::append_in_fresh_segment`].
    pub(crate) fn reserve_segment(&self) -> Result<()> {
        self.reserve(self.promise() as usize)
    }

    /// Gives back what [`Log::reserve_segment`] has taken.
    pub(crate) fn unreserve_segment(&self) {
        self.unreserve(self.promise() as usize);
    }

    /// Appends a group as the first one of the next segment, so that the segment at hand is complete. Consumes what
    /// [`Log::reserve_segment`] has taken.
    pub(crate) fn append_in_fresh_segment(&self, body: &GroupBody) -> (Lsn, Lsn) {
        let synced = self.synced.load(Ordering::Acquire);
        let publish = |end| self.end.store(end, Ordering::Release);
        let appended = self.tail.append(body, Place::FreshSegment, synced, publish);
        let size = body.group_bytes() as i64;
        let change = self.promise() as i64 + appended.regained as i64 - appended.given_up as i64 - size;
        self.available.fetch_add(change, Ordering::AcqRel);
        self.count_group(body);
        (Lsn(appended.start), Lsn(appended.end))
    }

    /// What a prepared segment promises.
    fn promise(&self) -> u64 {
        self.shape.bytes - SEGMENT_HEADER_BYTES - self.group_bytes_max as u64
    }

    fn count_group(&self, body: &GroupBody) {
        self.counters.add(Counter::LogGroups, 1);
        self.counters.add(Counter::LogBytes, body.group_bytes() as u64);
    }

    /// Appends a group, consuming `reserved` bytes of the caller's reservation; what it needs beyond that comes out of
    /// the cushion. Returns the group's start and end. Never waits, never fails.
    pub(crate) fn append(&self, body: &GroupBody, reserved: &mut usize) -> (Lsn, Lsn) {
        let size = body.group_bytes();
        let synced = self.synced.load(Ordering::Acquire);
        let publish = |end| self.end.store(end, Ordering::Release);
        let appended = self.tail.append(body, Place::Next, synced, publish);
        let covered = size.min(*reserved);
        *reserved -= covered;
        let change = appended.regained as i64 - (size - covered) as i64;
        if change != 0 {
            self.available.fetch_add(change, Ordering::AcqRel);
        }
        self.count_group(body);
        (Lsn(appended.start), Lsn(appended.end))
    }

    /// Asks the log thread to make everything before `lsn` durable.
    pub(crate) fn request_flush(&self, lsn: Lsn) {
        // What is not appended yet cannot be asked for: the thread would never be done with it.
        let lsn = lsn.min(self.end());
        if self.requested.fetch_max(lsn.0, Ordering::SeqCst) < lsn.0 && self.signal.sleeping.load(Ordering::SeqCst) {
            drop(self.signal.stop.lock());
            self.signal.wake.notify_one();
        }
    }

    /// Waits until everything before `lsn` is durable.
    pub(crate) fn wait_flushed(&self, lsn: Lsn) -> Result<()> {
        if self.flushed() >= lsn {
            return Ok(());
        }
        if !self.background {
            return self.flush(false).map(drop);
        }
        self.request_flush(lsn);
        self.waiters.wait_until(|| self.failed() || self.flushed() >= lsn);
        if self.flushed() >= lsn { Ok(()) } else { Err(StorageError::LogFailed) }
    }

    pub(crate) fn on_flush(&self, listener: FlushListener) {
        self.listeners.write().push(listener);
    }

    /// Makes the log durable up to `lsn` even when commits are not synced: before pages go to disk.
    pub(crate) fn sync_to(&self, lsn: Lsn) -> Result<()> {
        if self.synced.load(Ordering::Acquire) >= lsn.0 { self.check() } else { self.flush(true).map(drop) }
    }

    /// Writes everything appended so far and syncs it (`force`: also when the options say that commits do without).
    pub(crate) fn flush(&self, force: bool) -> Result<Lsn> {
        let mut writer = self.writer.lock();
        self.check()?;
        let Writer { gathered, .. } = &mut *writer;
        gathered.clear();
        self.tail.swap(gathered);
        let end = gathered.end;
        if self.sabotage == Sabotage::AckBeforeSync {
            self.flushed.store(end, Ordering::Release);
        }
        let wrote = !writer.gathered.bytes.is_empty();
        let outcome = self.write_gathered(&mut writer, force || self.sync);
        if writer.gathered.bytes.capacity() > KEPT_BUFFER_BYTES {
            writer.gathered.bytes = Vec::new();
        }
        match outcome {
            Ok(()) => {
                self.flushed.fetch_max(end, Ordering::AcqRel);
                if !writer.unsynced {
                    self.synced.fetch_max(end, Ordering::AcqRel);
                }
            }
            Err(_) => self.failed.store(true, Ordering::Release),
        }
        drop(writer);
        if wrote || outcome.is_err() {
            self.announce();
        }
        outcome?;
        // Behind the announcement: nobody waits for the mark.
        self.mark.note(Lsn(self.synced.load(Ordering::Acquire))).inspect_err(|_| self.fail())?;
        Ok(Lsn(end))
    }

    /// Makes the mark of the durable end durable itself once the log stands still.
    pub(crate) fn sync_mark_when_still(&self) -> Result<bool> {
        self.mark.sync_when_still()
    }

    fn write_gathered(&self, writer: &mut Writer, sync: bool) -> Result<()> {
        let Writer { gathered, segment, unsynced } = writer;
        for (index, run) in gathered.runs.iter().enumerate() {
            let end = gathered.runs.get(index + 1).map_or(gathered.bytes.len(), |next| next.start);
            let bytes = &gathered.bytes[run.start..end];
            if bytes.is_empty() {
                continue;
            }
            let number = self.shape.number(run.lsn);
            if number != *segment {
                if *unsynced {
                    self.sync_segment(*segment)?;
                }
                *segment = number;
            }
            *unsynced = true;
            self.segment_file(number)?.write_all_at(bytes, run.lsn % self.shape.bytes)?;
            self.counters.add(Counter::LogWrites, 1);
        }
        if *unsynced && sync {
            self.sync_segment(*segment)?;
            *unsynced = false;
        }
        Ok(())
    }

    fn sync_segment(&self, number: u64) -> Result<()> {
        self.counters.add(Counter::LogSyncs, 1);
        self.segment_file(number)?.sync_data()
    }

    fn segment_file(&self, number: u64) -> Result<Arc<dyn DiskFile>> {
        loop {
            if let Some(file) = self.segments.file(number) {
                return Ok(file);
            }
            // Only a group larger than its reservation leads here; better late than not at all.
            self.prepare_segment()?;
        }
    }

    /// Marks the log as failed after a failed write elsewhere: to the data file, the superblock.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.announce();
    }

    /// Refuses everything from now on; nobody is told, because nothing went wrong.
    pub(crate) fn close(&self) {
        self.failed.store(true, Ordering::Release);
    }

    fn announce(&self) {
        self.waiters.wake();
        let flushed = self.flushed();
        for listener in self.listeners.read().iter() {
            listener(flushed);
        }
    }

    pub(crate) fn shape(&self) -> SegmentShape {
        self.shape
    }

    /// Keeps all log that is there now from being reused.
    pub(crate) fn hold(&self) -> LogHold<'_> {
        self.segments.hold()
    }

    /// The file of a segment that is held.
    pub(crate) fn held_file(&self, number: u64) -> Result<Arc<dyn DiskFile>> {
        let missing = || StorageError::internal(format!("log segment {number} is held and has gone"));
        self.segments.file(number).ok_or_else(missing)
    }

    /// An archive is kept, and it has the segments before `number`.
    pub(crate) fn note_archived_below(&self, number: u64) {
        self.segments.note_archived_below(number);
    }

    /// The first finished segment that the archive lacks. A segment is finished when a group of the next one is durable:
    /// then no recovery ends in it any more, so that nothing is ever written to it again.
    pub(crate) fn next_to_archive(&self) -> Option<(u64, Arc<dyn DiskFile>)> {
        let (number, file) = self.segments.next_unarchived()?;
        (self.synced.load(Ordering::Acquire) > self.shape.first_group(number + 1)).then_some((number, file))
    }

    /// Bytes of finished segments that the archive lacks.
    pub(crate) fn unarchived_bytes(&self) -> u64 {
        let Some((first, _)) = self.next_to_archive() else { return 0 };
        let current = self.shape.number(self.synced.load(Ordering::Acquire));
        current.saturating_sub(first) * self.shape.bytes
    }

    /// Gives up segments that hold only LSNs before `lsn`.
    pub(crate) fn cut(&self, lsn: Lsn) -> Result<()> {
        self.segments.cut(self.shape.number(lsn.0))
    }

    /// The log thread: one flush after the other while there is something to flush.
    pub(crate) fn run(&self) {
        loop {
            {
                let mut stop = self.signal.stop.lock();
                self.signal.sleeping.store(true, Ordering::SeqCst);
                if !*stop && !self.failed() && self.requested.load(Ordering::SeqCst) <= self.flushed().0 {
                    self.signal.wake.wait_for(&mut stop, IDLE_FLUSH_INTERVAL);
                }
                self.signal.sleeping.store(false, Ordering::SeqCst);
                if *stop || self.failed() {
                    return;
                }
            }
            if self.buffered() > 0
                && let Err(error) = self.flush(false)
            {
                tracing::error!(%error, "writing the log failed; no more changes are accepted");
            }
        }
    }

    pub(crate) fn stop_thread(&self) {
        *self.signal.stop.lock() = true;
        self.signal.wake.notify_all();
    }
}
