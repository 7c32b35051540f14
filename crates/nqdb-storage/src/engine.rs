//! The engine: pool, log, space and background writer put together, and the life of a database from creation to stop.
//!
//! Order of locks, outermost first: the background writer's files, page latches (tree order, then the meta page), the
//! log's tail. Whoever waits for the log, a frame, or disk space holds no latch.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use crate::archive::Archiver;
use crate::backup::{self, BackupRequest, Manifest};
use crate::checkpoint::{Background, CheckpointRecord, Client, LogClient};
use crate::disk::{DirLock, Disk, DiskFile, OpenMode};
use crate::doublewrite::{DOUBLEWRITE_PATH, Doublewrite};
use crate::durable_mark::DurableMark;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PageId};
use crate::mtr::Mtr;
use crate::options::{Options, Sabotage};
use crate::pool::{Access, Pinned, Pool, held};
use crate::recovery::{self, LogReplay};
use crate::reservation::{Need, Reservation};
use crate::space::{self, Space};
use crate::stats::{Counter, Counters, Stats};
use crate::superblock::{SUPERBLOCK_NEW_PATH, SUPERBLOCK_PATH, SUPERBLOCK_RESTORING_PATH, Superblock, SuperblockFile};
use crate::wal::Log;
use crate::wal::group::{GroupBody, GroupHeader};
use crate::wal::segment::{SegmentShape, Segments, WAL_DIR, file_name};

/// The data file.
pub(crate) const DATA_PATH: &str = "base.nqdb";
const LOCK_PATH: &str = "nqdb.lock";
/// Free pages that only [`Engine::reserve_last`] may take: the catalog's splits and the trees of a few indexes.
const LAST_PAGES: u32 = 16;

/// How long a request waits for a clean frame before it gives up.
const FRAME_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a reservation is held back so that the background writer can keep the log within its budget.
const BUDGET_WAIT_MAX: Duration = Duration::from_secs(10);

/// What engine, threads and reservations share.
pub(crate) struct EngineState {
    pub(crate) options: Options,
    pub(crate) data_file: Arc<dyn DiskFile>,
    pub(crate) pool: Pool,
    pub(crate) log: Log,
    pub(crate) space: Space,
    pub(crate) background: Background,
    pub(crate) client: RwLock<Option<Client>>,
    /// Checkpoints can be written, so the log budget can be kept.
    has_client: AtomicBool,
    /// The background writer's thread runs; during recovery it does not yet.
    writer_runs: AtomicBool,
    pub(crate) counters: Arc<Counters>,
    archiver: Option<Archiver>,
    lock: Mutex<Option<DirLock>>,
}

impl EngineState {
    pub(crate) fn fetch(&self, id: PageId, access: Access) -> Result<Pinned<'_>> {
        held::assert_none("a page is fetched");
        self.pool.fetch(id, access, || self.take_frame())
    }

    /// A frame for a page; waits for the background writer when all are pinned or dirty.
    fn take_frame(&self) -> Result<u32> {
        if let Some(frame) = self.pool.take_frame() {
            return Ok(frame);
        }
        self.counters.add(Counter::FrameWaits, 1);
        let deadline = Instant::now() + FRAME_WAIT_MAX;
        loop {
            self.background.want_frames();
            let hopeless = if self.writer_runs.load(Ordering::Acquire) {
                self.background.wait_for_round(Duration::from_millis(20));
                Instant::now() > deadline
            } else {
                !self.background.step(self)? && self.pool.dirty_count() == 0
            };
            if let Some(frame) = self.pool.take_frame() {
                return Ok(frame);
            }
            if self.log.failed() {
                return Err(StorageError::LogFailed);
            }
            if hopeless {
                return Err(StorageError::OutOfFrames { frames: self.pool.frame_count() });
            }
        }
    }

    fn reserve(self: &Arc<Self>, need: Need, kept_pages: u32) -> Result<Reservation> {
        held::assert_none("space is reserved");
        let log_bytes = need.total_log_bytes();
        if log_bytes > self.log.group_bytes_max() {
            return Err(StorageError::GroupTooLarge { len: log_bytes, max: self.log.group_bytes_max() });
        }
        self.keep_log_budget()?;
        self.log.reserve(log_bytes)?;
        // From here on the reservation's drop gives back what was taken.
        let mut reservation = Reservation::new(Arc::clone(self), log_bytes);
        if need.new_pages > 0 {
            self.prefer_free_pages(need.new_pages)?;
            self.reserve_pages(&mut reservation, need.new_pages, kept_pages)?;
            self.reserve_frames(&mut reservation, need.new_pages)?;
        }
        Ok(reservation)
    }

    /// Makes so many pages of the free list ready, if there are as many: allocation prefers them to the file's end.
    fn prefer_free_pages(&self, pages: u32) -> Result<()> {
        while self.space.ready_count() < pages as usize {
            let Some(unready) = self.space.next_unready() else { break };
            self.space.make_ready(unready, self.fetch(unready.id, Access::Keep)?)?;
        }
        Ok(())
    }

    /// Takes room for pages and leaves `kept` of them; the file grows only when no page is free.
    fn reserve_pages(&self, reservation: &mut Reservation, pages: u32, kept: u32) -> Result<()> {
        if pages == 0 {
            return Ok(());
        }
        while !self.space.try_reserve(pages, kept) {
            match self.space.next_unready() {
                Some(unready) => self.space.make_ready(unready, self.fetch(unready.id, Access::Keep)?)?,
                None => self.space.grow(u64::from(pages) + u64::from(kept))?,
            }
        }
        reservation.new_pages += pages;
        Ok(())
    }

    fn reserve_frames(&self, reservation: &mut Reservation, frames: u32) -> Result<()> {
        for _ in 0..frames {
            reservation.frames.push(self.take_frame()?);
        }
        Ok(())
    }

    /// Holds back new changes while the log is over its budget because pages wait to be written.
    fn keep_log_budget(&self) -> Result<()> {
        if self.log_over_budget() {
            self.counters.add(Counter::LogWaits, 1);
            let deadline = Instant::now() + BUDGET_WAIT_MAX;
            while self.log_over_budget() && Instant::now() < deadline {
                if self.log.failed() {
                    return Err(StorageError::LogFailed);
                }
                if self.writer_runs.load(Ordering::Acquire) {
                    self.background.wait_for_round(Duration::from_millis(20));
                } else if !self.background.step(self)? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn log_over_budget(&self) -> bool {
        self.has_client.load(Ordering::Relaxed) && self.recovery_log_bytes() > self.options.log_budget_bytes
    }

    fn recovery_log_bytes(&self) -> u64 {
        self.log.end().0.saturating_sub(self.background.redo().0)
    }
}

/// An open database.
pub struct Engine {
    state: Arc<EngineState>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Whether a database was created on this disk.
    pub fn exists(disk: &dyn Disk) -> Result<bool> {
        SuperblockFile::exists(disk)
    }

    /// Creates a database and opens it. Files of a creation that was interrupted are overwritten, a database never.
    pub fn create(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Engine>> {
        Engine::create_with(disk, options, |_| Ok(()))
    }

    /// As [`Engine::create`], with contents that every database of the caller has: there is a database when `fill` is done
    /// and what it wrote is durable, and not before.
    pub fn create_with<E: From<StorageError>>(
        disk: Arc<dyn Disk>,
        options: Options,
        fill: impl FnOnce(&Arc<Engine>) -> Result<(), E>,
    ) -> Result<Arc<Engine>, E> {
        let engine = Engine::create_provisionally(Arc::clone(&disk), options)?;
        fill(&engine)?;
        engine.flush_log()?;
        disk.rename(SUPERBLOCK_NEW_PATH, SUPERBLOCK_PATH)?;
        disk.sync_dir("")?;
        Ok(engine)
    }

    /// Makes and opens a database that no later start will find.
    fn create_provisionally(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Engine>> {
        options.check()?;
        disk.create_dir_all(WAL_DIR)?;
        let lock = disk.lock_exclusive(LOCK_PATH)?;
        refuse_existing(&*disk)?;
        create_files(&disk, &options)?;
        Engine::open_locked(disk, SUPERBLOCK_NEW_PATH, options, &mut recovery::NoLogReplay, lock)
    }

    /// Opens a database, recovering it if it was not stopped cleanly.
    pub fn open(disk: Arc<dyn Disk>, options: Options, replay: &mut dyn LogReplay) -> Result<Arc<Engine>> {
        options.check()?;
        if !SuperblockFile::exists(&*disk)? {
            return Err(StorageError::NoDatabase);
        }
        let lock = disk.lock_exclusive(LOCK_PATH)?;
        Engine::open_locked(disk, SUPERBLOCK_PATH, options, replay, lock)
    }

    /// As [`Engine::open`], for what [`crate::backup::lay_out`] has laid out.
    pub fn open_restored(disk: Arc<dyn Disk>, options: Options, replay: &mut dyn LogReplay) -> Result<Arc<Engine>> {
        options.check()?;
        let lock = disk.lock_exclusive(LOCK_PATH)?;
        Engine::open_locked(disk, SUPERBLOCK_RESTORING_PATH, options, replay, lock)
    }

    fn open_locked(
        disk: Arc<dyn Disk>,
        superblock_path: &str,
        mut options: Options,
        replay: &mut dyn LogReplay,
        lock: DirLock,
    ) -> Result<Arc<Engine>> {
        let mut superblock = SuperblockFile::open(&*disk, superblock_path)?;
        let Superblock { system_id, log_segment_bytes, clean_end, .. } = superblock.current;
        options.log_segment_bytes = log_segment_bytes;
        options.log_budget_bytes = options.log_budget_bytes.max(2 * log_segment_bytes);
        options.check()?;
        let data_file = disk.open(DATA_PATH, OpenMode::Existing)?;
        let doublewrite = Doublewrite::open(&*disk, system_id, options.frames)?;
        doublewrite.restore(&*data_file)?;

        let shape = SegmentShape { system_id, bytes: log_segment_bytes };
        let spare_max = (options.log_budget_bytes / log_segment_bytes) as usize;
        let open_segments = || Segments::open(Arc::clone(&disk), shape, spare_max, options.sabotage);
        let segments = open_segments()?;
        let mark = DurableMark::read(&*superblock.file(), system_id)?;
        let survey = recovery::survey(&segments, &superblock.current, mark, options.sabotage)?;
        recovery::sync_end(&segments, survey.end)?;
        let incarnation = survey.incarnation + 1;
        let mark = DurableMark::start(superblock.file(), system_id, survey.end)?;
        superblock.write(|superblock| {
            superblock.incarnation = incarnation;
            superblock.clean_end = Lsn::ZERO;
        })?;

        // The log goes on behind the end; the reader keeps its own view of the segments.
        let ahead = open_segments()?;
        ahead.drop_behind_gap(shape.number(survey.end.0 - 1));
        if options.log_archive.is_some() {
            ahead.note_archived_below(0);
        }
        let counters = Arc::new(Counters::new());
        let state = Arc::new(EngineState {
            pool: Pool::new(Arc::clone(&data_file), options.frames, Arc::clone(&counters)),
            log: Log::open(ahead, mark, &options, incarnation, survey.end.0, Arc::clone(&counters)),
            space: Space::new(Arc::clone(&data_file), options.frames),
            background: Background::new(doublewrite, superblock, &survey),
            archiver: options.log_archive.as_ref().map(Archiver::new),
            client: RwLock::new(None),
            has_client: AtomicBool::new(false),
            writer_runs: AtomicBool::new(false),
            data_file,
            options,
            counters,
            lock: Mutex::new(Some(lock)),
        });
        let is_clean = clean_end == survey.end || superblock_path != SUPERBLOCK_PATH;
        let (from, end) = (survey.checkpoint.redo.min(survey.checkpoint.start), survey.end);
        if !is_clean {
            tracing::info!(%from, %end, "the database was not stopped cleanly: recovery starts");
        }
        let since = Instant::now();
        state.pool.set_replaying(true);
        recovery::replay(&state, &segments, &survey, replay)?;
        if !is_clean {
            let (log_bytes, milliseconds) = (end.0.saturating_sub(from.0), since.elapsed().as_millis());
            tracing::info!(log_bytes, pages = state.pool.dirty_count(), milliseconds, "the log is repeated");
        }
        state.pool.set_replaying(false);
        let meta = state.fetch(PageId::META, Access::Keep)?;
        state.space.load(&meta.read())?;
        meta.keep_forever();
        // Only now may files that nobody needs be recycled: their log has been read.
        state.log.cut(survey.checkpoint.redo.min(survey.checkpoint.start))?;
        Ok(Engine::start(state))
    }

    fn start(state: Arc<EngineState>) -> Arc<Engine> {
        let mut threads = Vec::new();
        if state.options.background_threads {
            let log = Arc::clone(&state);
            let writer = Arc::clone(&state);
            let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
                std::thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(run)
                    .expect("the system has room for three threads")
            };
            state.writer_runs.store(true, Ordering::Release);
            threads.push(spawn("nqdb-log", Box::new(move || log.log.run())));
            threads.push(spawn("nqdb-writer", Box::new(move || writer.background.run(&writer))));
            if state.archiver.is_some() {
                let archive = Arc::clone(&state);
                let run = move || archive.archiver.iter().for_each(|archiver| archiver.run(&archive));
                threads.push(spawn("nqdb-archive", Box::new(run)));
            }
        }
        Arc::new(Engine { state, threads: Mutex::new(threads) })
    }

    /// The page, read from disk when it is not in memory. May wait: the caller holds no latch.
    pub fn fetch(&self, id: PageId) -> Result<Pinned<'_>> {
        self.state.fetch(id, Access::Keep)
    }

    /// As [`Engine::fetch`], for scans: does not count as use of the page.
    pub fn fetch_scan(&self, id: PageId) -> Result<Pinned<'_>> {
        self.state.fetch(id, Access::Scan)
    }

    /// The page if it is in memory. Never waits for the disk; may be called with latches held.
    pub fn fetch_resident(&self, id: PageId) -> Option<Pinned<'_>> {
        self.state.pool.fetch_resident(id)
    }

    /// Takes log space, file space and frames for a change. May wait; the caller holds no latch. `DiskFull` or
    /// `OutOfFrames` leave everything as it was, `LogFailed` is final, `GroupTooLarge` exceeds [`Engine::group_bytes_max`].
    ///
    /// Leaves the data file's last pages to [`Engine::reserve_last`].
    pub fn reserve(&self, need: Need) -> Result<Reservation> {
        self.state.reserve(need, LAST_PAGES)
    }

    /// As [`Engine::reserve`], from the last pages too: for what a user needs to get out of a full disk, such as the new
    /// trees of TRUNCATE.
    pub fn reserve_last(&self, need: Need) -> Result<Reservation> {
        self.state.reserve(need, 0)
    }

    /// Takes log space, beyond one group's limit if need be, and file space for a transaction's later rollback. Frames are
    /// not taken: they can be waited for then.
    pub fn reserve_credit(&self, log_bytes: usize, new_pages: u32) -> Result<Reservation> {
        held::assert_none("space is reserved");
        self.take_room(log_bytes, new_pages, LAST_PAGES)
    }

    /// Log and file space, of which `kept_pages` stay.
    fn take_room(&self, log_bytes: usize, new_pages: u32, kept_pages: u32) -> Result<Reservation> {
        // Reserving nothing may still fail.
        if log_bytes > 0 {
            self.state.log.reserve(log_bytes)?;
        }
        let mut room = Reservation::new(Arc::clone(&self.state), log_bytes);
        self.state.reserve_pages(&mut room, new_pages, kept_pages)?;
        Ok(room)
    }

    /// As [`Engine::reserve_last`], from `credit` as far as that goes. On an error the credit is what it was.
    pub fn reserve_from(&self, credit: &mut Reservation, need: Need) -> Result<Reservation> {
        held::assert_none("space is reserved");
        let log_bytes = need.total_log_bytes();
        let mut reservation = credit.take_room(log_bytes, need.new_pages);
        let missing_log = log_bytes - reservation.log_bytes;
        let missing_pages = need.new_pages - reservation.new_pages;
        let completed = self.complete(&mut reservation, missing_log, missing_pages);
        match completed.and_then(|()| self.state.reserve_frames(&mut reservation, need.new_pages)) {
            Ok(()) => Ok(reservation),
            Err(error) => {
                credit.merge_room(reservation);
                Err(error)
            }
        }
    }

    fn complete(&self, reservation: &mut Reservation, log_bytes: usize, new_pages: u32) -> Result<()> {
        if log_bytes > 0 || new_pages > 0 {
            reservation.merge(self.take_room(log_bytes, new_pages, 0)?);
        }
        Ok(())
    }

    /// The largest log group, in bytes.
    pub fn group_bytes_max(&self) -> usize {
        self.state.log.group_bytes_max()
    }

    /// Begins a mini-transaction.
    pub fn mtr(&self, reservation: Reservation) -> Mtr<'_> {
        Mtr::new(&self.state, reservation)
    }

    /// Logs a group with one opaque record. Returns its end.
    pub fn append(&self, kind: u8, payload: &[u8], reservation: Reservation) -> Lsn {
        let mut mtr = self.mtr(reservation);
        mtr.log(kind, payload);
        mtr.commit()
    }

    /// Where the next group will start.
    pub fn log_end(&self) -> Lsn {
        self.state.log.end()
    }

    /// Everything before this LSN is durable.
    pub fn flushed_lsn(&self) -> Lsn {
        self.state.log.flushed()
    }

    /// Asks the log thread to make everything before `lsn` durable; returns at once.
    pub fn request_flush(&self, lsn: Lsn) {
        self.state.log.request_flush(lsn);
    }

    /// Waits until everything before `lsn` is durable. The caller holds no latch.
    pub fn wait_flushed(&self, lsn: Lsn) -> Result<()> {
        held::assert_none("the log is waited for");
        self.state.log.wait_flushed(lsn)
    }

    /// Has `listener` called with the durable LSN after every flush, and once when the log has failed. It runs on the log
    /// thread and must be quick; it must not flush.
    pub fn on_flush(&self, listener: Box<dyn Fn(Lsn) + Send + Sync>) {
        self.state.log.on_flush(listener);
    }

    /// Whether a write or sync has failed. Final.
    pub fn log_failed(&self) -> bool {
        self.state.log.failed()
    }

    /// Writes and syncs everything appended so far, on this thread. Returns the durable LSN.
    pub fn flush_log(&self) -> Result<Lsn> {
        self.state.log.flush(false)
    }

    /// One round of the background writer, on this thread. Returns whether there was anything to do.
    pub fn background_step(&self) -> Result<bool> {
        held::assert_none("pages are written");
        self.state.background.step(&self.state)
    }

    /// Names the layer above. Before that no checkpoint is written, because it would lack that layer's state.
    pub fn set_log_client(&self, client: Arc<dyn LogClient>) {
        *self.state.client.write() = Some(client);
        self.state.has_client.store(true, Ordering::Release);
    }

    /// Writes all pages that are dirty now and a checkpoint. False when no log client has been set.
    pub fn checkpoint(&self) -> Result<bool> {
        held::assert_none("pages are written");
        self.state.background.checkpoint(&self.state)
    }

    /// Makes the log go on in a fresh segment, so that the one at hand can be archived; nothing when it just has. Gives where
    /// the log had ended. `DiskFull` when there is no room for another segment.
    pub fn switch_log(&self) -> Result<Lsn> {
        held::assert_none("the log is switched");
        let end = self.state.log.end();
        self.state.background.switch_log(&self.state)?;
        Ok(end)
    }

    /// Archives the next finished log segment, on this thread. False when there is none, or no archive.
    pub fn archive_step(&self) -> Result<bool> {
        self.state.archiver.as_ref().map_or(Ok(false), |archiver| archiver.step(&self.state))
    }

    /// Bytes in a log segment.
    pub fn log_segment_bytes(&self) -> u64 {
        self.state.log.shape().bytes
    }

    /// The name of the log segment that holds a position.
    pub fn log_segment_name(&self, lsn: Lsn) -> String {
        file_name(self.state.log.shape().number(lsn.0))
    }

    /// Copies the database while it is being changed; see [`crate::backup`]. May take long and waits for nobody who holds
    /// anything.
    pub fn backup(&self, request: BackupRequest<'_>) -> Result<Manifest> {
        held::assert_none("a backup is taken");
        backup::take(&self.state, request)
    }

    /// Stops cleanly: everything is written, so that the next start has nothing to repeat. Without a log client nothing
    /// but the log is made durable. Changes are refused afterwards.
    pub fn close(&self) -> Result<()> {
        self.stop_threads();
        self.state.log.flush(true)?;
        if self.state.has_client.load(Ordering::Acquire) {
            self.state.background.stop_cleanly(&self.state)?;
        }
        if let Some(archiver) = &self.state.archiver {
            archiver.finish(&self.state);
        }
        self.state.log.close();
        self.state.lock.lock().take();
        Ok(())
    }

    fn stop_threads(&self) {
        self.state.log.stop_thread();
        self.state.background.stop_thread();
        self.state.archiver.iter().for_each(Archiver::stop_thread);
        let this_thread = std::thread::current().id();
        for thread in self.threads.lock().drain(..) {
            // A flush listener may hold the last reference to the engine: then this is the log thread itself.
            if thread.thread().id() != this_thread && thread.join().is_err() {
                tracing::error!("a background thread panicked");
            }
        }
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        let state = &self.state;
        Stats {
            dirty_frames: state.pool.dirty_count() as u64,
            used_frames: state.pool.used_count() as u64,
            frames: state.pool.frame_count() as u64,
            data_pages: state.space.page_count(),
            recovery_log_bytes: state.recovery_log_bytes(),
            unarchived_log_bytes: state.archiver.as_ref().map_or(0, |_| state.log.unarchived_bytes()),
            ..state.counters.snapshot()
        }
    }

    /// Pages of the data file that were ever used, the meta page included: ids below this may be visited.
    pub fn page_count(&self) -> u64 {
        self.state.space.page_count()
    }

    /// First page of the free list and the number of pages on it.
    pub fn free_list(&self) -> Result<(PageId, u64)> {
        let meta = self.fetch(PageId::META)?;
        let page = meta.read();
        Ok((PageId(page.u64_at(space::FREE_HEAD_AT)), page.u64_at(space::FREE_COUNT_AT)))
    }

    pub(crate) fn count(&self, counter: Counter, amount: u64) {
        self.state.counters.add(counter, amount);
    }
}

impl Drop for Engine {
    /// Ends the threads and nothing else: as far as the files are concerned this is a crash.
    fn drop(&mut self) {
        self.stop_threads();
        self.state.lock.lock().take();
    }
}

/// A database, or files that look like one without a creation having been interrupted, are not overwritten.
fn refuse_existing(disk: &dyn Disk) -> Result<()> {
    let names = disk.list("")?;
    let has = |name: &str| names.iter().any(|found| found == name);
    let found = match () {
        () if has(SUPERBLOCK_PATH) => SUPERBLOCK_PATH,
        () if has(SUPERBLOCK_RESTORING_PATH) => "a database whose restore was not finished",
        () if has(SUPERBLOCK_NEW_PATH) => return Ok(()),
        () if has(DATA_PATH) => DATA_PATH,
        () => return Ok(()),
    };
    Err(StorageError::AlreadyExists { what: found.to_owned() })
}

/// Writes the files of an empty database. The superblock has its provisional name: there is no database yet.
fn create_files(disk: &Arc<dyn Disk>, options: &Options) -> Result<()> {
    disk.open(SUPERBLOCK_NEW_PATH, OpenMode::Create)?;
    disk.sync_dir("")?;
    for name in disk.list(WAL_DIR)? {
        disk.remove(&format!("{WAL_DIR}/{name}"))?;
    }
    let data_file = disk.open(DATA_PATH, OpenMode::Create)?;
    data_file.set_len(0)?;
    let mut meta = space::new_meta_page();
    meta.seal(PageId::META);
    data_file.write_all_at(meta.bytes(), 0)?;
    data_file.sync_data()?;
    if disk.list("")?.iter().any(|name| name == DOUBLEWRITE_PATH) {
        disk.remove(DOUBLEWRITE_PATH)?;
    }

    let system_id = options.system_id.unwrap_or_else(new_system_id);
    let shape = SegmentShape { system_id, bytes: options.log_segment_bytes };
    let segments = Segments::open(Arc::clone(disk), shape, 0, Sabotage::None)?;
    segments.prepare_next(1)?;
    let checkpoint = Lsn(shape.first_group(1));
    write_first_checkpoint(
        &segments,
        &CheckpointRecord { redo: checkpoint, start: checkpoint, payload: Vec::new() },
        1,
    )?;

    let superblock = Superblock {
        sequence: 1,
        system_id,
        incarnation: 1,
        log_segment_bytes: options.log_segment_bytes,
        checkpoint,
        clean_end: Lsn::ZERO,
    };
    SuperblockFile::create(&**disk, SUPERBLOCK_NEW_PATH, superblock)?;
    disk.sync_dir(WAL_DIR)
}

/// A number that no other database has.
pub(crate) fn new_system_id() -> u64 {
    RandomState::new().hash_one("nqdb system id")
}

/// Writes a log that consists of a checkpoint from which on it is needed. Returns its end.
pub(crate) fn write_first_checkpoint(segments: &Segments, record: &CheckpointRecord, incarnation: u32) -> Result<Lsn> {
    let at = record.redo;
    let mut group = GroupBody::default();
    group.push_checkpoint(&record.encode());
    let header = GroupHeader { body_len: group.bytes().len() as u32, lsn: at.0, synced: at.0, records: 1, incarnation };
    let number = segments.shape.number(at.0);
    let mut bytes = header.encode(number, crc32c::crc32c(group.bytes())).to_vec();
    bytes.extend_from_slice(group.bytes());
    let file = segments.file(number).ok_or_else(|| StorageError::internal("the first log segment is missing"))?;
    file.write_all_at(&bytes, at.0 % segments.shape.bytes)?;
    file.sync_data()?;
    Ok(Lsn(at.0 + group.group_bytes() as u64))
}
