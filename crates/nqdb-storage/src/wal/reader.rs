//! Reading the log back, and deciding where it ends.
//!
//! The log ends at the first group that does not verify. That is either the torn end of what was being written, or damage
//! to something that had been durable; the second must not pass for the first, since it would silently take back commits.
//! [`LogReader::check_end`] looks for proof of it behind the end: a group that says that the log was durable beyond this
//! point when it was appended, or any group of the newest start in a later segment (a segment is synced before the next is
//! begun). A group behind the end is no proof by itself: of what was not synced, a power cut keeps any part, and an earlier
//! start may have left some.
//!
//! The newest groups have nothing behind them that could tell; for them there is `durable_mark`.

use std::sync::Arc;

use super::group::{GROUP_HEADER_BYTES, GroupHeader};
use super::segment::{SEGMENT_HEADER_BYTES, SegmentShape, Segments};
use crate::disk::DiskFile;
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::options::Sabotage;

/// Bytes read from a segment at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// A group that verified.
pub(crate) struct Group<'r> {
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
    pub(crate) body: &'r [u8],
}

pub(crate) struct LogReader<'s> {
    segments: &'s Segments,
    shape: SegmentShape,
    position: u64,
    /// The incarnation of the last group; later ones are not smaller.
    incarnation: u32,
    sabotage: Sabotage,
    file: Option<(u64, Arc<dyn DiskFile>)>,
    window: Vec<u8>,
    window_start: u64,
}

impl<'s> LogReader<'s> {
    /// Reads from the group that starts at `from`.
    pub(crate) fn new(segments: &'s Segments, from: Lsn, sabotage: Sabotage) -> LogReader<'s> {
        LogReader {
            segments,
            shape: segments.shape,
            position: from.0,
            incarnation: 0,
            sabotage,
            file: None,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// Where the next group starts, or would.
    pub(crate) fn position(&self) -> Lsn {
        Lsn(self.position)
    }

    /// The incarnation of the last group that was read.
    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The next group; `None` at the log's end.
    pub(crate) fn next_group(&mut self) -> Result<Option<Group<'_>>> {
        let mut start = self.position;
        let mut header = self.header_at(start)?;
        if self.leaves_segment(start, header.as_ref()) {
            start = self.shape.first_group(self.shape.number(start - 1) + 1);
            header = self.header_at(start)?;
        }
        let Some(header) = header.filter(|header| !header.ends_segment()) else { return Ok(None) };
        let end = start + super::group::group_bytes(header.body_len as usize) as u64;
        self.position = end;
        self.incarnation = header.incarnation;
        let body_start = start + GROUP_HEADER_BYTES as u64;
        let body = self.bytes(body_start, u64::from(header.body_len))?;
        let body = body.ok_or_else(|| StorageError::corrupt("a log group has gone while it was read"))?;
        Ok(Some(Group { start: Lsn(start), end: Lsn(end), body }))
    }

    /// Whether the log goes on in the next segment.
    fn leaves_segment(&self, at: u64, header: Option<&GroupHeader>) -> bool {
        at.is_multiple_of(self.shape.bytes)
            || self.shape.rest(at) < GROUP_HEADER_BYTES as u64
            || header.is_some_and(GroupHeader::ends_segment)
    }

    /// The verified header at a position.
    fn header_at(&mut self, lsn: u64) -> Result<Option<GroupHeader>> {
        let newest = self.incarnation;
        let header = self.verified_header(lsn)?;
        Ok(header.filter(|header| header.incarnation >= newest || self.sabotage == Sabotage::IgnoreIncarnation))
    }

    fn verified_header(&mut self, lsn: u64) -> Result<Option<GroupHeader>> {
        let number = self.shape.number(lsn);
        if lsn % self.shape.bytes < SEGMENT_HEADER_BYTES {
            return Ok(None);
        }
        let Some(bytes) = self.bytes(lsn, GROUP_HEADER_BYTES as u64)? else { return Ok(None) };
        let Ok(bytes) = <[u8; GROUP_HEADER_BYTES]>::try_from(bytes) else { return Ok(None) };
        let Some(header) = GroupHeader::decode(&bytes, lsn) else { return Ok(None) };
        let body_start = lsn + GROUP_HEADER_BYTES as u64;
        let Some(body) = self.bytes(body_start, u64::from(header.body_len))? else { return Ok(None) };
        Ok(GroupHeader::verify(&bytes, number, body).then_some(header))
    }

    /// Bytes of one segment; `None` when they would not lie within a segment that exists.
    fn bytes(&mut self, lsn: u64, len: u64) -> Result<Option<&[u8]>> {
        if len == 0 {
            return Ok(Some(&[]));
        }
        if self.shape.rest(lsn) < len {
            return Ok(None);
        }
        let window_end = self.window_start + self.window.len() as u64;
        if lsn < self.window_start || lsn + len > window_end {
            let Some(file) = self.segment(self.shape.number(lsn)) else { return Ok(None) };
            let size = len.max(WINDOW_BYTES).min(self.shape.rest(lsn));
            self.window.resize(size as usize, 0);
            self.window_start = lsn;
            if let Err(error) = file.read_exact_at(&mut self.window, lsn % self.shape.bytes) {
                self.window.clear();
                return Err(error);
            }
        }
        let start = (lsn - self.window_start) as usize;
        Ok(self.window.get(start..start + len as usize))
    }

    fn segment(&mut self, number: u64) -> Option<Arc<dyn DiskFile>> {
        if self.file.as_ref().is_none_or(|(open, _)| *open != number) {
            self.file = Some((number, self.segments.file(number)?));
        }
        self.file.as_ref().map(|(_, file)| Arc::clone(file))
    }

    /// Reads up to the log's end. `Corrupt` when the end is damage in the middle.
    pub(crate) fn find_end(&mut self) -> Result<Lsn> {
        while self.next_group()?.is_some() {}
        self.check_end()?;
        Ok(self.position())
    }

    /// `Corrupt` when something proves that the log had been durable beyond the position at hand.
    pub(crate) fn check_end(&mut self) -> Result<()> {
        let end = self.position;
        let number =
            if end.is_multiple_of(self.shape.bytes) { self.shape.number(end) - 1 } else { self.shape.number(end) };
        let segment_end = (number + 1) * self.shape.bytes;
        let was_durable = |header: &GroupHeader| header.synced > end;
        if let Some(proof) = self.later_group(end.next_multiple_of(8), segment_end, &was_durable)? {
            return Err(damaged(end, proof));
        }
        // An earlier start may have left groups behind its own torn end; they prove nothing.
        let newest = self.incarnation;
        let has_begun = |header: &GroupHeader| header.incarnation >= newest;
        let header = self.header_at(end)?;
        if self.leaves_segment(end, header.as_ref()) {
            // The segment is complete, and what comes next is the torn end of the next one.
            self.check_segment(number + 1, end, &was_durable)?;
        } else {
            self.check_segment(number + 1, end, &has_begun)?;
        }
        for later in self.segments.numbers_after(number + 1) {
            self.check_segment(later, end, &has_begun)?;
        }
        Ok(())
    }

    /// Looks for proof in a segment behind the end. One whose header is damaged looks unprepared; its groups still prove
    /// that it was in use.
    fn check_segment(&mut self, number: u64, end: u64, proves: &dyn Fn(&GroupHeader) -> bool) -> Result<()> {
        let is_prepared = self.segments.file(number).is_some();
        if !is_prepared {
            let Some(file) = self.segments.open_unprepared(number)? else { return Ok(()) };
            self.file = Some((number, file));
            self.window.clear();
        }
        let found = self.later_group(self.shape.first_group(number), (number + 1) * self.shape.bytes, proves);
        if !is_prepared {
            self.file = None;
            self.window.clear();
        }
        match found? {
            Some(proof) => Err(damaged(end, proof)),
            None => Ok(()),
        }
    }

    /// A group between two positions that proves something.
    fn later_group(&mut self, from: u64, to: u64, proves: &dyn Fn(&GroupHeader) -> bool) -> Result<Option<u64>> {
        for start in (from..to).step_by(WINDOW_BYTES as usize) {
            let Some(bytes) = self.bytes(start, WINDOW_BYTES.min(to - start))? else { return Ok(None) };
            // A header's second word is its own position: that rejects nearly everything before a checksum is computed.
            let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
            let positions = (start..).step_by(8).map(|position| position.wrapping_sub(8));
            let claims: Vec<_> = words.zip(positions).filter(|(word, lsn)| word == lsn).map(|(_, lsn)| lsn).collect();
            for lsn in claims {
                if lsn >= from && self.verified_header(lsn)?.is_some_and(|header| proves(&header)) {
                    return Ok(Some(lsn));
                }
            }
        }
        Ok(None)
    }
}

fn damaged(end: u64, proof: u64) -> StorageError {
    StorageError::corrupt(format!(
        "the log cannot be read at {} although it goes on at {}: it is damaged in the middle",
        Lsn(end),
        Lsn(proof)
    ))
}
