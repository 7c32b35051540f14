//! The end of the log, in memory: groups that were appended and not yet handed to the log writer.
//!
//! Appending is one memory copy under a short mutex. The writer takes everything at once by swapping buffers. Bytes are
//! contiguous except where a group did not fit the rest of its segment: there a new run starts.

use parking_lot::Mutex;

use super::group::{GROUP_HEADER_BYTES, GroupBody, GroupHeader};
use super::segment::SegmentShape;

/// Contiguous log bytes: from `start` in the buffer to the next run, standing at `lsn` in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) lsn: u64,
    pub(super) start: usize,
}

/// Gathered log bytes.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) bytes: Vec<u8>,
    pub(super) runs: Vec<Run>,
    /// The LSN behind the last byte.
    pub(super) end: u64,
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }
}

struct State {
    gathered: Gathered,
    end: u64,
    /// Bytes of groups in the current segment since it became current.
    segment_used: u64,
    /// Bytes of the current segment that were promised to reservations when it was prepared.
    segment_promised: u64,
}

/// Where an append ended up.
pub(super) struct Appended {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes that turned out to be usable beyond those promised, when a segment was left.
    pub(super) regained: u64,
    /// Bytes that were promised and not used, when a segment was left. A group that does not fit leaves none: what a
    /// segment promises leaves room for the largest group.
    pub(super) given_up: u64,
}

/// Where a group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind the one before it, if it fits there.
    Next,
    /// Behind the header of a segment that has no group yet.
    FreshSegment,
}

pub(super) struct Tail {
    shape: SegmentShape,
    /// What a fresh segment promises to reservations.
    promise: u64,
    incarnation: u32,
    state: Mutex<State>,
}

impl Tail {
    /// A tail at `end`, of whose segment `promised` bytes are promised.
    pub(super) fn new(shape: SegmentShape, promise: u64, incarnation: u32, end: u64, promised: u64) -> Tail {
        let state = State { gathered: Gathered::default(), end, segment_used: 0, segment_promised: promised };
        Tail { shape, promise, incarnation, state: Mutex::new(state) }
    }

    /// Appends a group, behind the others or in a fresh segment. `publish` is called inside with the new end, so that ends
    /// are published in order.
    pub(super) fn append(&self, body: &GroupBody, place: Place, synced: u64, publish: impl FnOnce(u64)) -> Appended {
        let body_crc = crc32c::crc32c(body.bytes());
        let size = body.group_bytes() as u64;
        let mut state = self.state.lock();
        let left = state.segment_promised.saturating_sub(state.segment_used);
        let fits = place == Place::Next && !self.at_boundary(state.end) && self.shape.rest(state.end) >= size;
        let regained = if fits { 0 } else { self.enter_next_segment(&mut state, synced) };
        let start = state.end;
        let header = GroupHeader {
            body_len: body.bytes().len() as u32,
            lsn: start,
            synced,
            records: body.records(),
            incarnation: self.incarnation,
        };
        let header = header.encode(self.shape.number(start), body_crc);
        let state = &mut *state;
        if state.gathered.runs.is_empty() {
            state.gathered.runs.push(Run { lsn: start, start: state.gathered.bytes.len() });
        }
        let gathered = &mut state.gathered.bytes;
        gathered.extend_from_slice(&header);
        gathered.extend_from_slice(body.bytes());
        gathered.resize(gathered.len().next_multiple_of(8), 0);
        state.end = start + size;
        state.segment_used += size;
        publish(state.end);
        let given_up = if fits { 0 } else { left };
        Appended { start, end: state.end, regained, given_up }
    }

    /// A position at a segment's very end counts as the next segment already, whose header has to be skipped.
    fn at_boundary(&self, lsn: u64) -> bool {
        lsn.is_multiple_of(self.shape.bytes)
    }

    /// Marks the rest of the segment as unused. A group that ends exactly with its segment leaves nothing to mark.
    fn enter_next_segment(&self, state: &mut State, synced: u64) -> u64 {
        let lsn = state.end;
        let at_boundary = self.at_boundary(lsn);
        let number = self.shape.number(lsn);
        if !at_boundary && self.shape.rest(lsn) >= GROUP_HEADER_BYTES as u64 {
            let mark = GroupHeader { body_len: 0, lsn, synced, records: 0, incarnation: self.incarnation };
            if state.gathered.runs.is_empty() {
                state.gathered.runs.push(Run { lsn, start: state.gathered.bytes.len() });
            }
            state.gathered.bytes.extend_from_slice(&mark.encode(number, crc32c::crc32c(&[])));
        }
        let next = if at_boundary { number } else { number + 1 };
        let start = self.shape.first_group(next);
        state.gathered.runs.push(Run { lsn: start, start: state.gathered.bytes.len() });
        let regained = state.segment_used.saturating_sub(state.segment_promised);
        (state.end, state.segment_used, state.segment_promised) = (start, 0, self.promise);
        regained
    }

    /// Hands everything gathered to the writer and goes on with the writer's empty buffers.
    pub(super) fn swap(&self, empty: &mut Gathered) {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.gathered, empty);
        empty.end = state.end;
    }
}
