//! The bytes of a log group: what one mini-transaction did, all of it or nothing.
//!
//! ```text
//! header, 32 bytes
//!   0  4  crc32c: seeded with the segment's number, over bytes 4..32 and then the crc32c of the body
//!   4  4  bytes in the body, without padding
//!   8  8  LSN: where this header stands
//!  16  8  the log was durable up to here when the group was appended
//!  24  4  records in the body; 0 marks "the next group starts in the next segment"
//!  28  4  incarnation: how often the database had been opened
//! body: records
//!   1, page id varint, length u16, page operation
//!   2, kind u8, length varint, payload          of the layer above
//!   3, length varint, payload                   checkpoint, see `checkpoint`
//! zeros up to a multiple of 8
//! ```
//!
//! The crc of the body is computed before the log's mutex is taken, the rest inside. The LSN rejects what a recycled
//! segment still holds; the incarnation rejects what an earlier start wrote behind the end that recovery found; the
//! durable position lets recovery tell a torn end from damage in the middle.

use crate::error::{Result, StorageError};
use crate::ids::PageId;
use crate::page::op::PageOp;

pub(crate) const GROUP_HEADER_BYTES: usize = 32;

const PAGE_RECORD: u8 = 1;
const CLIENT_RECORD: u8 = 2;
const CHECKPOINT_RECORD: u8 = 3;

/// Bytes that a record takes beyond its payload, at most.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 13;

/// A group while it is being put together.
#[derive(Default)]
pub(crate) struct GroupBody {
    bytes: Vec<u8>,
    records: u32,
}

impl GroupBody {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn push_page(&mut self, id: PageId, op: &PageOp<'_>) {
        self.bytes.push(PAGE_RECORD);
        push_varint(&mut self.bytes, id.0);
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        op.encode(&mut self.bytes);
        let length =
            u16::try_from(self.bytes.len() - length_at - 2).expect("a page operation is little more than a page");
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_le_bytes());
        self.records += 1;
    }

    pub(crate) fn push_client(&mut self, kind: u8, payload: &[u8]) {
        self.bytes.extend_from_slice(&[CLIENT_RECORD, kind]);
        push_varint(&mut self.bytes, payload.len() as u64);
        self.bytes.extend_from_slice(payload);
        self.records += 1;
    }

    pub(crate) fn push_checkpoint(&mut self, payload: &[u8]) {
        self.bytes.push(CHECKPOINT_RECORD);
        push_varint(&mut self.bytes, payload.len() as u64);
        self.bytes.extend_from_slice(payload);
        self.records += 1;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// Bytes the group will take in the log.
    pub(crate) fn group_bytes(&self) -> usize {
        group_bytes(self.bytes.len())
    }
}

/// Bytes that a group with a body of this length takes in the log.
pub(crate) fn group_bytes(body_len: usize) -> usize {
    GROUP_HEADER_BYTES + body_len.next_multiple_of(8)
}

/// A group's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) body_len: u32,
    pub(crate) lsn: u64,
    pub(crate) synced: u64,
    pub(crate) records: u32,
    pub(crate) incarnation: u32,
}

impl GroupHeader {
    /// The header's bytes, with the checksum for a group in segment `segment`.
    pub(crate) fn encode(&self, segment: u64, body_crc: u32) -> [u8; GROUP_HEADER_BYTES] {
        let mut out = [0; GROUP_HEADER_BYTES];
        out[4..8].copy_from_slice(&self.body_len.to_le_bytes());
        out[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        out[16..24].copy_from_slice(&self.synced.to_le_bytes());
        out[24..28].copy_from_slice(&self.records.to_le_bytes());
        out[28..32].copy_from_slice(&self.incarnation.to_le_bytes());
        let crc = checksum(segment, &out, body_crc);
        out[0..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header that claims to stand at `lsn`; not verified yet.
    pub(crate) fn decode(bytes: &[u8; GROUP_HEADER_BYTES], lsn: u64) -> Option<GroupHeader> {
        let header = GroupHeader {
            body_len: u32_at(bytes, 4)?,
            lsn: u64_at(bytes, 8)?,
            synced: u64_at(bytes, 16)?,
            records: u32_at(bytes, 24)?,
            incarnation: u32_at(bytes, 28)?,
        };
        (header.lsn == lsn).then_some(header)
    }

    /// Whether the checksum in `bytes` is right for this body in this segment.
    pub(crate) fn verify(bytes: &[u8; GROUP_HEADER_BYTES], segment: u64, body: &[u8]) -> bool {
        u32_at(bytes, 0) == Some(checksum(segment, bytes, crc32c::crc32c(body)))
    }

    /// True for the mark behind a segment's last group.
    pub(crate) fn ends_segment(&self) -> bool {
        self.records == 0
    }
}

fn checksum(segment: u64, header: &[u8; GROUP_HEADER_BYTES], body_crc: u32) -> u32 {
    let seed = crc32c::crc32c(&segment.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &header[4..]), &body_crc.to_le_bytes())
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

/// One record of a group that was read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Page { id: PageId, op: PageOp<'a> },
    Client { kind: u8, payload: &'a [u8] },
    Checkpoint { payload: &'a [u8] },
}

/// The records of a verified group. A body that cannot be read although its checksum is right is an error.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Records<'a> {
        Records { rest: body }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).ok()?)
    }

    fn record(&mut self) -> Option<Result<Record<'a>>> {
        match *self.take(1)?.first()? {
            PAGE_RECORD => {
                let id = PageId(self.varint()?);
                let len = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
                let op = self.take(usize::from(len))?;
                Some(PageOp::decode(op).map(|op| Record::Page { id, op }))
            }
            CLIENT_RECORD => {
                let kind = *self.take(1)?.first()?;
                Some(Ok(Record::Client { kind, payload: self.counted()? }))
            }
            CHECKPOINT_RECORD => Some(Ok(Record::Checkpoint { payload: self.counted()? })),
            _ => None,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Result<Record<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if !matches!(record, Some(Ok(_))) {
            self.rest = &[];
        }
        Some(record.unwrap_or_else(|| Err(StorageError::corrupt("a log group holds a record that cannot be read"))))
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> GroupHeader {
        GroupHeader { body_len: 3, lsn: 4096, synced: 100, records: 1, incarnation: 2 }
    }

    #[test]
    fn a_group_verifies_only_in_its_segment_and_with_its_body() {
        let bytes = header().encode(9, crc32c::crc32c(b"abc"));
        assert!(GroupHeader::verify(&bytes, 9, b"abc"));
        assert!(!GroupHeader::verify(&bytes, 10, b"abc"));
        assert!(!GroupHeader::verify(&bytes, 9, b"abd"));
        assert_eq!(GroupHeader::decode(&bytes, 4096), Some(header()));
        assert_eq!(GroupHeader::decode(&bytes, 4104), None);
        let mut flipped = bytes;
        flipped[17] ^= 1;
        assert!(!GroupHeader::verify(&flipped, 9, b"abc"));
    }

    #[test]
    fn records_come_back_in_order() {
        let mut body = GroupBody::default();
        body.push_page(PageId(300), &PageOp::Bytes { offset: 64, bytes: b"xy" });
        body.push_client(7, b"payload");
        body.push_checkpoint(&[5; 200]);
        let records: Vec<_> = Records::new(body.bytes()).map(|record| record.unwrap()).collect();
        assert_eq!(
            records,
            [
                Record::Page { id: PageId(300), op: PageOp::Bytes { offset: 64, bytes: b"xy" } },
                Record::Client { kind: 7, payload: b"payload" },
                Record::Checkpoint { payload: &[5; 200] },
            ]
        );
    }

    #[test]
    fn a_cut_body_is_an_error_and_not_a_panic() {
        let mut body = GroupBody::default();
        body.push_client(7, &[1; 300]);
        body.push_page(PageId(u64::MAX), &PageOp::Bytes { offset: 0, bytes: b"xy" });
        for len in 1..body.bytes().len() {
            let records: Vec<_> = Records::new(&body.bytes()[..len]).collect();
            let first_record_len = 304;
            assert_eq!(records.last().unwrap().is_err(), len != first_record_len, "cut at {len}");
        }
    }
}
