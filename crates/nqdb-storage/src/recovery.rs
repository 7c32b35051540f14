//! Opening a database: what a crash left is made whole before anybody sees it.
//!
//! 1. The superblock names the newest checkpoint; torn pages are put back from the doublewrite file.
//! 2. The log is read to its end, which is synced: what was only in the operating system's cache becomes durable before
//!    anything is built on it. A log that is known to have been durable beyond that end is damaged: nothing is opened.
//! 3. The superblock gets the next incarnation, above that of every group that was read, so that groups behind the end
//!    can never be taken for new ones.
//! 4. From the checkpoint's redo position on every page record is applied to pages that are older than its group, and
//!    from its start position on every opaque record is handed to the layer above, in order. A page that a record cannot
//!    have been made for is damage: nothing is applied to it, and the database does not open.
//!
//! Each step can be interrupted and repeated. Undoing unfinished transactions is left to the layer above, which does it
//! through ordinary mini-transactions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::CheckpointRecord;
use crate::engine::EngineState;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, PageId};
use crate::options::Sabotage;
use crate::page::op::PageOp;
use crate::page::redo::{repeat, sound};
use crate::pool::{Access, Pinned};
use crate::superblock::Superblock;
use crate::wal::group::{Record, Records};
use crate::wal::reader::{Group, LogReader};
use crate::wal::segment::Segments;

/// A recovery that takes longer tells how far it is, again and again.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// The layer above, as recovery sees it.
pub trait LogReplay {
    /// The payload of the newest checkpoint; called once, before any record. Empty for a database just created.
    fn checkpoint(&mut self, payload: &[u8]) -> Result<()>;

    /// An opaque record, in log order, from the checkpoint's floor on. `lsn` is the start of its group.
    fn record(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> Result<()>;
}

/// A layer above that logs nothing of its own; a record of any other is an error.
pub struct NoLogReplay;

impl LogReplay for NoLogReplay {
    fn checkpoint(&mut self, payload: &[u8]) -> Result<()> {
        if payload.is_empty() {
            Ok(())
        } else {
            Err(StorageError::corrupt("the checkpoint holds an unexpected payload"))
        }
    }

    fn record(&mut self, lsn: Lsn, kind: u8, _payload: &[u8]) -> Result<()> {
        Err(StorageError::corrupt(format!("the log holds an unexpected record of kind {kind} at {lsn}")))
    }
}

/// What the log says before it is repeated.
pub(crate) struct LogSurvey {
    pub(crate) checkpoint: CheckpointRecord,
    pub(crate) end: Lsn,
    /// The largest incarnation in superblock and log. A superblock of which only the older copy was left may name one
    /// that has been used.
    pub(crate) incarnation: u32,
    /// The last segment holds nothing but the newest checkpoint.
    pub(crate) ends_with_switch: bool,
}

/// Finds the newest checkpoint and the log's end. `mark` is how far the log had been durable, if that is known.
pub(crate) fn survey(
    segments: &Segments,
    superblock: &Superblock,
    mark: Option<Lsn>,
    sabotage: Sabotage,
) -> Result<LogSurvey> {
    let mut reader = LogReader::new(segments, superblock.checkpoint, sabotage);
    let group = reader.next_group()?;
    let group = group.filter(|group| group.start == superblock.checkpoint);
    let group = group.ok_or_else(|| StorageError::corrupt(format!("no checkpoint at {}", superblock.checkpoint)))?;
    let checkpoint = match Records::new(group.body).next().transpose()? {
        Some(Record::Checkpoint { payload }) => CheckpointRecord::decode(payload)?,
        _ => return Err(StorageError::corrupt(format!("no checkpoint at {}", superblock.checkpoint))),
    };
    let behind = group.end;
    let end = reader.find_end()?;
    if superblock.clean_end > end {
        return Err(StorageError::corrupt(format!(
            "the log cannot be read at {end}, and the database was stopped cleanly at {}",
            superblock.clean_end
        )));
    }
    if let Some(mark) = mark.filter(|mark| *mark > end) {
        return Err(StorageError::corrupt(format!(
            "the log cannot be read at {end}, and it had been durable up to {mark}: its newest part is damaged"
        )));
    }
    let is_first =
        segments.shape.first_group(segments.shape.number(superblock.checkpoint.0)) == superblock.checkpoint.0;
    Ok(LogSurvey {
        checkpoint,
        end,
        incarnation: reader.incarnation().max(superblock.incarnation),
        ends_with_switch: is_first && end == behind,
    })
}

/// Syncs the segment in which the log ends; the ones before were synced before it was begun.
pub(crate) fn sync_end(segments: &Segments, end: Lsn) -> Result<()> {
    let number = segments.shape.number(end.0 - 1);
    segments.file(number).ok_or_else(|| StorageError::corrupt("the log's last segment is missing"))?.sync_data()
}

/// Repeats the log.
pub(crate) fn replay(
    state: &Arc<EngineState>,
    segments: &Segments,
    survey: &LogSurvey,
    client: &mut dyn LogReplay,
) -> Result<()> {
    let LogSurvey { checkpoint, end, .. } = survey;
    client.checkpoint(&checkpoint.payload)?;
    let from = checkpoint.redo.min(checkpoint.start);
    let mut reader = LogReader::new(segments, from, state.options.sabotage);
    let mut reported = Instant::now();
    while reader.position() < *end {
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            let done_bytes = reader.position().0.saturating_sub(from.0);
            tracing::info!(done_bytes, log_bytes = end.0.saturating_sub(from.0), "recovery goes on");
        }
        let group = reader.next_group()?;
        let group =
            group.ok_or_else(|| StorageError::corrupt(format!("the log cannot be read before its end {end}")))?;
        replay_group(state, &group, checkpoint, client)?;
    }
    Ok(())
}

fn replay_group(
    state: &Arc<EngineState>,
    group: &Group<'_>,
    checkpoint: &CheckpointRecord,
    client: &mut dyn LogReplay,
) -> Result<()> {
    let mut pages: Vec<(PageId, Vec<PageOp<'_>>)> = Vec::new();
    for record in Records::new(group.body) {
        match record? {
            Record::Page { id, op } if group.start >= checkpoint.redo => {
                match pages.iter_mut().find(|(page, _)| *page == id) {
                    Some((_, ops)) => ops.push(op),
                    None => pages.push((id, vec![op])),
                }
            }
            Record::Client { kind, payload } if group.start >= checkpoint.start => {
                client.record(group.start, kind, payload)?;
            }
            Record::Page { .. } | Record::Client { .. } | Record::Checkpoint { .. } => {}
        }
    }
    for (id, ops) in pages {
        redo(state, state.fetch(id, Access::Keep)?, group, &ops)?;
    }
    Ok(())
}

fn redo(state: &Arc<EngineState>, pin: Pinned<'_>, group: &Group<'_>, ops: &[PageOp<'_>]) -> Result<()> {
    let mut page = pin.into_write();
    if page.guard.lsn() > state.log.end() {
        return Err(StorageError::corrupt_page(page.pin.id(), "it is newer than the log"));
    }
    if page.guard.lsn() >= group.end {
        return Ok(());
    }
    let id = page.pin.id();
    let damaged = |what| StorageError::corrupt_page(id, what);
    if !state.pool.is_dirty(page.pin.frame_index()) {
        sound(&page.guard).map_err(damaged)?;
    }
    state.pool.mark_dirty(page.pin.frame_index(), group.start);
    for op in ops {
        repeat(op, &mut page.guard).map_err(damaged)?;
    }
    page.guard.set_lsn(group.end);
    Ok(())
}
