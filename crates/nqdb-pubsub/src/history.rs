//! What a channel keeps of its past: a ring of the newest messages, bounded in count, bytes and time.
//!
//! Messages are counted from 1 on by their offset. The epoch names the incarnation of the count: who comes back with another
//! one, or with an offset that the ring has passed, has missed messages that nobody can give any more, and is told so.
//!
//! ```text
//!   offset    1 2 3 4 5 6 7 8 9
//!             . . . . [5 6 7][8][9]     batches that are kept
//!                     ^first     ^top
//! ```
//!
//! A *stored* history is the newest part of one that is kept in a table as well: its epoch and its offsets are those of the table,
//! whoever publishes brings them, and what the ring has passed may still be there ([`Missed::Stored`]).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::Batch;

/// How much a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Messages.
    pub count: usize,
    pub bytes: usize,
    /// How long a message is kept, milliseconds.
    pub age_millis: u64,
}

/// A place in a channel's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: Arc<str>,
    /// The newest message's offset; 0 before the first.
    pub offset: u64,
}

/// Messages of a stream, in order: batches of which those before `from` do not belong to it.
#[derive(Clone, Debug, Default)]
pub struct StreamPart {
    batches: Vec<Arc<Batch>>,
    from: u64,
    until: u64,
}

impl StreamPart {
    /// Batches that follow each other without a gap.
    pub(crate) fn of(batches: Vec<Arc<Batch>>) -> StreamPart {
        let from = batches.first().map_or(0, |batch| batch.first_offset());
        let until = batches.last().map_or(0, |batch| batch.end_offset());
        StreamPart { batches, from, until }
    }

    /// The messages, each with its batch and its offset.
    pub fn messages(&self) -> impl Iterator<Item = (&Arc<Batch>, u64, &str)> {
        self.batches.iter().flat_map(move |batch| {
            let messages = batch.messages().filter(|(offset, _)| (self.from..self.until).contains(offset));
            messages.map(move |(offset, payload)| (batch, offset, payload))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.from >= self.until
    }
}

/// What somebody who comes back gets.
#[derive(Clone, Debug)]
pub enum Missed {
    /// Everything since the position that was named.
    All(StreamPart),
    /// More than the ring has: the messages behind `after`, up to `until` and with it, are in the channel's table if anywhere.
    Stored { after: u64, until: u64 },
    /// Too much time went by: there is no saying what was missed.
    Unknown,
}

/// A stored history: what its table says of it, and where a publication's messages have their places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStream {
    pub channel: Arc<str>,
    pub epoch: Arc<str>,
    pub limits: HistoryLimits,
    /// The offset of the first message that follows.
    pub next_offset: u64,
}

/// The ring of one channel.
#[derive(Debug)]
pub(crate) struct History {
    epoch: Arc<str>,
    limits: HistoryLimits,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    top: u64,
    /// Whether a table has it too.
    is_stored: bool,
}

impl History {
    pub(crate) fn new(epoch: Arc<str>, limits: HistoryLimits) -> History {
        History { epoch, limits, batches: VecDeque::new(), bytes: 0, top: 0, is_stored: false }
    }

    /// The ring of a stored stream, empty.
    pub(crate) fn stored(stream: &StoredStream) -> History {
        let top = stream.next_offset.saturating_sub(1);
        History { top, is_stored: true, ..History::new(stream.epoch.clone(), stream.limits) }
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Whether it is the ring of that stream.
    pub(crate) fn is_of(&self, stream: &StoredStream) -> bool {
        self.is_stored && self.epoch == stream.epoch
    }

    pub(crate) fn set_limits(&mut self, limits: HistoryLimits) {
        self.limits = limits;
    }

    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), offset: self.top }
    }

    /// The offset that the next message gets.
    pub(crate) fn next_offset(&self) -> u64 {
        self.top + 1
    }

    /// Keeps messages that have been given the next offsets.
    pub(crate) fn append(&mut self, batch: Arc<Batch>, now_millis: u64) {
        self.top = batch.end_offset() - 1;
        self.bytes += batch.weight();
        self.batches.push_back(batch);
        self.trim(now_millis);
    }

    /// Forgets what is too old or too much.
    pub(crate) fn trim(&mut self, now_millis: u64) {
        let first_wanted = self.first_within_count();
        while let Some(oldest) = self.batches.front() {
            let is_old = now_millis.saturating_sub(oldest.at_millis) > self.limits.age_millis;
            if !is_old && self.bytes <= self.limits.bytes && oldest.end_offset() > first_wanted {
                break;
            }
            self.bytes = self.bytes.saturating_sub(oldest.weight());
            self.batches.pop_front();
        }
    }

    /// Forgets the oldest until no more than so many bytes are left.
    pub(crate) fn trim_to(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.weight());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages are kept.
    pub(crate) fn count(&self) -> u64 {
        self.next_offset() - self.first()
    }

    /// The oldest offset that the limit of the count leaves.
    fn first_within_count(&self) -> u64 {
        self.next_offset().saturating_sub(self.limits.count as u64).max(1)
    }

    /// The oldest offset that can be given.
    pub(crate) fn first(&self) -> u64 {
        let kept = self.batches.front().map_or(self.next_offset(), |batch| batch.first_offset());
        kept.max(self.first_within_count())
    }

    /// Everything after a position.
    pub(crate) fn missed_since(&self, position: &Position) -> Missed {
        if position.epoch != self.epoch || position.offset > self.top {
            return Missed::Unknown;
        }
        if position.offset + 1 < self.first() {
            return match self.is_stored {
                true => Missed::Stored { after: position.offset, until: self.top },
                false => Missed::Unknown,
            };
        }
        Missed::All(self.between(position.offset + 1, self.next_offset()))
    }

    /// The newest or the oldest messages on one side of an offset: at most `limit`, in the order of the stream.
    ///
    /// Forward: those after `since`, from the beginning without it. Backward: those before `since`, from the end without it.
    pub(crate) fn part(&self, since: Option<u64>, backward: bool, limit: usize) -> StreamPart {
        let limit = limit as u64;
        if backward {
            let until = since.unwrap_or(u64::MAX).min(self.next_offset());
            let from = until.saturating_sub(limit).max(self.first());
            return self.between(from, until);
        }
        let from = since.map_or(0, |since| since.saturating_add(1)).max(self.first());
        self.between(from, from.saturating_add(limit).min(self.next_offset()))
    }

    fn between(&self, from: u64, until: u64) -> StreamPart {
        let overlaps = |batch: &&Arc<Batch>| batch.end_offset() > from && batch.first_offset() < until;
        StreamPart { batches: self.batches.iter().filter(overlaps).cloned().collect(), from, until }
    }
}
