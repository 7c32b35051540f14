//! Making a database of a backup and of log.
//!
//! 1. [`lay_out`] writes the pages of the chain, the newest of each, and the log up to where it shall end, and a superblock
//!    under a name that no server looks for.
//! 2. The layer above opens that like a database after a crash (`Engine::open_restored`), ends what was under way, and closes
//!    it cleanly.
//! 3. [`renew_log`] gives it a system id of its own, by a log that begins with a checkpoint behind everything so far.
//! 4. What is to be in that log, the layer above writes: it opens the database once more, and closes it cleanly.
//! 5. [`complete`] gives it its name.
//!
//! Cut off anywhere, it leaves no database, and is done again in an empty directory.

use std::sync::Arc;

use super::chain::{BackupLink, check_chain};
use super::manifest::Manifest;
use super::source_log::{SourceLog, too_short};
use crate::archive::copy_bytes;
use crate::checkpoint::CheckpointRecord;
use crate::disk::{Disk, OpenMode};
use crate::doublewrite::DOUBLEWRITE_PATH;
use crate::durable_mark::DurableMark;
use crate::engine::{DATA_PATH, new_system_id, write_first_checkpoint};
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PAGE_SIZE};
use crate::options::Sabotage;
use crate::superblock::{SUPERBLOCK_PATH, SUPERBLOCK_RESTORING_PATH, Superblock, SuperblockFile};
use crate::wal::group::{Record, Records};
use crate::wal::reader::LogReader;
use crate::wal::segment::{SegmentShape, Segments, WAL_DIR, path};

/// How far the log is repeated.
pub enum Until<'u> {
    /// To its end.
    Latest,
    /// To the last group that ends at or before a position, which the log has to reach.
    Lsn(Lsn),
    /// To the last group before the first one with an opaque record for which this says true; there has to be one.
    Record(&'u mut dyn FnMut(u8, &[u8]) -> Result<bool>),
}

/// What to restore from.
#[derive(Clone, Copy)]
pub struct RestoreSource<'s> {
    /// A full backup, and incremental ones that build on each other.
    pub chain: &'s [BackupLink],
    /// Where more log is.
    pub archives: &'s [Arc<dyn Disk>],
}

/// What was laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaidOut {
    /// The end of the log that will be repeated.
    pub end: Lsn,
}

/// Writes the files of a database that has still to be opened, into an empty directory. `Refused` when the sources do not
/// have what is wanted; then nothing was written.
pub fn lay_out(source: RestoreSource<'_>, until: Until<'_>, target: &Arc<dyn Disk>) -> Result<LaidOut> {
    for folder in ["", WAL_DIR] {
        if let Some(name) = target.list(folder)?.first() {
            let what = format!("the directory to restore to is not empty: it holds \"{name}\"");
            return Err(StorageError::refused(what));
        }
    }
    let newest = check_chain(source.chain)?;
    let log = SourceLog::open(newest, source.archives)?;
    log.check_reaches(&newest.manifest)?;
    let end = log.find_end(until)?;
    if end < newest.end() {
        return Err(StorageError::refused(format!(
            "the backup ends at {}, and what is to be restored at {end}: an older backup is needed",
            newest.end()
        )));
    }

    target.create_dir_all(WAL_DIR)?;
    // Before anything else: what has this file is no database, and no place for a new one.
    target.open(SUPERBLOCK_RESTORING_PATH, OpenMode::Create)?;
    target.sync_dir("")?;
    lay_out_pages(source.chain, &newest.manifest, &**target)?;
    lay_out_log(&log, newest, end, &**target)?;
    lay_out_superblock(&newest.manifest, end, &**target)?;
    Ok(LaidOut { end })
}

fn lay_out_pages(chain: &[BackupLink], newest: &Manifest, target: &dyn Disk) -> Result<()> {
    let file = target.open(DATA_PATH, OpenMode::Create)?;
    file.set_len(newest.page_count * PAGE_SIZE as u64)?;
    for link in chain {
        link.read_pages(&mut |id, page| file.write_all_at(page.bytes(), id.offset()))?;
    }
    file.sync_data()?;
    target.sync_dir("")
}

/// Copies the segments up to the log's end, behind which zeros follow.
fn lay_out_log(log: &SourceLog, newest: &BackupLink, end: Lsn, target: &dyn Disk) -> Result<()> {
    let shape = log.segments.shape;
    for number in newest.first_segment()..=shape.number(end.0 - 1) {
        let missing = || too_short(Lsn(number * shape.bytes), end);
        let from = log.segments.file(number).ok_or_else(missing)?;
        let to = target.open(&path(number), OpenMode::Create)?;
        to.set_len(shape.bytes)?;
        copy_bytes(&*from, &*to, shape.bytes.min(end.0 - number * shape.bytes))?;
        to.sync_data()?;
    }
    target.sync_dir(WAL_DIR)
}

fn lay_out_superblock(newest: &Manifest, end: Lsn, target: &dyn Disk) -> Result<()> {
    let superblock = Superblock {
        sequence: 1,
        system_id: newest.system_id,
        incarnation: newest.incarnation,
        log_segment_bytes: newest.log_segment_bytes,
        checkpoint: newest.checkpoint,
        clean_end: Lsn::ZERO,
    };
    let file = SuperblockFile::create(target, SUPERBLOCK_RESTORING_PATH, superblock)?;
    // The log was durable up to its end: what ends earlier is damaged.
    DurableMark::start(Arc::clone(&file), newest.system_id, end)?;
    file.sync_data()?;
    target.sync_dir("")
}

/// Gives a laid out database, which was opened and closed cleanly, an id and a log of its own. The random id by default.
pub fn renew_log(target: &Arc<dyn Disk>, system_id: Option<u64>) -> Result<()> {
    let old = SuperblockFile::open(&**target, SUPERBLOCK_RESTORING_PATH)?.current;
    let (end, record) = last_checkpoint(target, &old)?;
    for name in target.list(WAL_DIR)? {
        target.remove(&format!("{WAL_DIR}/{name}"))?;
    }
    target.remove(DOUBLEWRITE_PATH)?;
    target.sync_dir("")?;

    let shape = SegmentShape { system_id: system_id.unwrap_or_else(new_system_id), bytes: old.log_segment_bytes };
    let number = shape.number(end.0) + 1;
    let at = Lsn(shape.first_group(number));
    let segments = Segments::open(Arc::clone(target), shape, 0, Sabotage::None)?;
    segments.prepare_next(number)?;
    let checkpoint = CheckpointRecord { redo: at, start: at, payload: record.payload };
    let clean_end = write_first_checkpoint(&segments, &checkpoint, old.incarnation)?;
    let superblock = Superblock {
        sequence: 1,
        system_id: shape.system_id,
        incarnation: old.incarnation,
        log_segment_bytes: shape.bytes,
        checkpoint: at,
        clean_end,
    };
    SuperblockFile::create(&**target, SUPERBLOCK_RESTORING_PATH, superblock)?;
    Ok(())
}

/// Gives a database whose log is its own its name.
pub fn complete(target: &Arc<dyn Disk>) -> Result<()> {
    target.rename(SUPERBLOCK_RESTORING_PATH, SUPERBLOCK_PATH)?;
    target.sync_dir("")
}

/// The end of the log and the checkpoint of a clean stop.
fn last_checkpoint(target: &Arc<dyn Disk>, old: &Superblock) -> Result<(Lsn, CheckpointRecord)> {
    let shape = SegmentShape { system_id: old.system_id, bytes: old.log_segment_bytes };
    let segments = Segments::open(Arc::clone(target), shape, 0, Sabotage::None)?;
    let mut reader = LogReader::new(&segments, old.checkpoint, Sabotage::None);
    let unclean = || StorageError::internal("a restored database was not stopped cleanly");
    let group = reader.next_group()?.filter(|group| group.end == old.clean_end).ok_or_else(unclean)?;
    match Records::new(group.body).next().transpose()? {
        Some(Record::Checkpoint { payload }) => Ok((group.end, CheckpointRecord::decode(payload)?)),
        _ => Err(unclean()),
    }
}
