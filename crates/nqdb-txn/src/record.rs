//! What the log says about transactions: one record beside each change of a page, in the same atomic group.
//!
//! A change's record names what it undoes and holds the version before it, so that recovery can rebuild the undo of
//! transactions that a crash cut off (R3), and so that a follower could rebuild undo from the log alone. All numbers
//! little-endian:
//!
//! ```text
//! change   xid u64 | step u32 | table u32 | tree u64 | header u64 u64 | was_marked u8 | key length u16 | key | image
//!          (header and image: the row version before the change; absent versions have zeroes and no image.
//!          A deletion keeps its image in the page; its record has the image's length u32 in the image's place;
//!          what runs have there is told at their kinds)
//! clr      xid u64 | step u32                the newest step not undone yet is undone by this group (R1)
//! commit   xid u64 | csn u64 | wall clock i64 (µs since 2000-01-01 UTC)
//! abort    xid u64 | csn u64                 the end of an abort: everything is undone (R2)
//! prepare  xid u64 | steps u32 | is last u8 | part of the state ([`crate::prepared::PreparedState`])
//! ```
//!
//! The parts of a prepared transaction's state, put together in their order, are the state; the last one prepares it. A
//! compensation record behind it says that it is being rolled back.
//!
//! Steps count from 0 within a transaction; an undone step's number is given out again, so that the number of steps
//! not undone is always the next step's number.

use crate::error::{Result, TxnError};
use crate::ids::{Csn, Xid};
use nqdb_storage::TreeId;

/// What a change did. The number is the record kind in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum ChangeKind {
    /// A row was added. Undo removes it.
    RowInsert = 1,
    /// A row's version was replaced; the record has the one before.
    RowUpdate = 2,
    /// A row was marked deleted; its image stays in the page, the record has the header before.
    RowDelete = 3,
    /// An index entry was added. Undo removes it.
    IndexInsert = 4,
    /// An index entry lost its row's newest version: a candidate for purge.
    IndexMark = 5,
    /// A marked index entry belongs to its row's newest version again.
    IndexUnmark = 6,
    /// A value was moved out of its row. Undo removes it.
    OverflowPut = 7,
    /// The row that refers to a value let go of it: a candidate for purge.
    OverflowMark = 8,
    /// A tree was created; the key is its root page. Undo marks it for destruction.
    TreeCreate = 9,
    /// A tree was marked for destruction.
    TreeDrop = 10,
    /// Rows with ascending ids were added to one leaf: the key is the first one's, in the image's place stands their
    /// number u32. Undo removes them.
    RowInsertRun = 11,
    /// Index entries were added to one leaf; in the image's place stand their keys, each behind its length u16. Undo
    /// removes them.
    IndexInsertRun = 12,
}

pub(crate) const CLR: u8 = 32;
pub(crate) const COMMIT: u8 = 33;
pub(crate) const ABORT_END: u8 = 34;
pub(crate) const PREPARE: u8 = 35;

/// Bytes of a change record beside its key and image.
pub(crate) const CHANGE_OVERHEAD_BYTES: usize = 8 + 4 + 4 + 8 + 16 + 1 + 2;

impl ChangeKind {
    /// The kind with this number.
    pub(crate) fn from_number(number: u8) -> Option<ChangeKind> {
        use ChangeKind::*;
        [
            RowInsert,
            RowUpdate,
            RowDelete,
            IndexInsert,
            IndexMark,
            IndexUnmark,
            OverflowPut,
            OverflowMark,
            TreeCreate,
            TreeDrop,
            RowInsertRun,
            IndexInsertRun,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == number)
    }

    /// Whether purge has something to remove once every snapshot sees the end of the transaction.
    pub(crate) fn owes_purge(self) -> bool {
        matches!(self, ChangeKind::RowDelete | ChangeKind::IndexMark | ChangeKind::OverflowMark | ChangeKind::TreeDrop)
    }
}

/// One change, as the log and the undo record tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) kind: ChangeKind,
    /// Number of the change within its transaction, see the file's head.
    pub(crate) step: u32,
    pub(crate) table: u32,
    pub(crate) tree: TreeId,
    /// The row header before the change.
    pub(crate) header: [u64; 2],
    /// Whether the entry was marked before the change.
    pub(crate) was_marked: bool,
    pub(crate) key: &'a [u8],
    /// The row image before the change; empty when there was none, or when the change kept it.
    pub(crate) image: &'a [u8],
}

impl<'a> Change<'a> {
    /// Bytes of row image that the page holds once this change is undone.
    pub(crate) fn stored_image_len(&self) -> usize {
        match self.kind {
            ChangeKind::RowDelete => self.image.try_into().map_or(0, u32::from_le_bytes) as usize,
            ChangeKind::RowInsertRun | ChangeKind::IndexInsertRun => 0,
            _ => self.image.len(),
        }
    }

    /// How many rows a [`ChangeKind::RowInsertRun`] added.
    pub(crate) fn run_len(&self) -> u32 {
        self.image.try_into().map_or(0, u32::from_le_bytes)
    }

    /// The keys that an [`ChangeKind::IndexInsertRun`] added, in ascending order.
    pub(crate) fn run_keys(&self) -> RunKeys<'a> {
        RunKeys::of(self.image)
    }

    /// Appends the record's payload.
    pub(crate) fn encode(&self, xid: Xid, out: &mut Vec<u8>) {
        out.extend_from_slice(&xid.0.to_le_bytes());
        self.encode_body(out);
    }

    /// Appends everything but the transaction's number.
    pub(crate) fn encode_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.step.to_le_bytes());
        out.extend_from_slice(&self.table.to_le_bytes());
        out.extend_from_slice(&self.tree.0.to_le_bytes());
        out.extend_from_slice(&self.header[0].to_le_bytes());
        out.extend_from_slice(&self.header[1].to_le_bytes());
        out.push(u8::from(self.was_marked));
        out.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.image);
    }

    /// Reads what [`Change::encode`] wrote.
    pub(crate) fn decode(kind: ChangeKind, payload: &'a [u8]) -> Result<(Xid, Change<'a>)> {
        let mut reader = Reader(payload);
        let xid = Xid(reader.u64()?);
        Ok((xid, Change::decode_body(kind, reader.0)?))
    }

    /// Reads what [`Change::encode_body`] wrote.
    pub(crate) fn decode_body(kind: ChangeKind, body: &'a [u8]) -> Result<Change<'a>> {
        let mut reader = Reader(body);
        let (step, table, tree) = (reader.u32()?, reader.u32()?, TreeId(reader.u64()?));
        let header = [reader.u64()?, reader.u64()?];
        let was_marked = reader.bytes(1)? == [1];
        let key_len = reader.u16()?;
        let key = reader.bytes(usize::from(key_len))?;
        Ok(Change { kind, step, table, tree, header, was_marked, key, image: reader.0 })
    }
}

/// The keys in the image of an [`ChangeKind::IndexInsertRun`].
pub(crate) struct RunKeys<'a>(&'a [u8]);

impl<'a> RunKeys<'a> {
    /// Those of an image.
    pub(crate) fn of(image: &'a [u8]) -> RunKeys<'a> {
        RunKeys(image)
    }

    /// Bytes of a key beside itself.
    pub(crate) const OVERHEAD_BYTES: usize = 2;

    /// Appends a key.
    pub(crate) fn push(key: &[u8], image: &mut Vec<u8>) {
        image.extend_from_slice(&(key.len() as u16).to_le_bytes());
        image.extend_from_slice(key);
    }
}

impl<'a> Iterator for RunKeys<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut reader = Reader(self.0);
        let len = reader.u16().ok()?;
        let key = reader.bytes(usize::from(len)).ok()?;
        self.0 = reader.0;
        Some(key)
    }
}

/// A record that belongs to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Record<'a> {
    Change(Xid, Change<'a>),
    Clr {
        xid: Xid,
        step: u32,
    },
    Commit {
        xid: Xid,
        csn: Csn,
    },
    AbortEnd {
        xid: Xid,
        csn: Csn,
    },
    /// A part of a prepared transaction's state; `steps` of its changes are not undone.
    Prepare {
        xid: Xid,
        steps: u32,
        is_last: bool,
        part: &'a [u8],
    },
}

impl<'a> Record<'a> {
    /// Reads a record of the log. A kind that this program does not know is damage: records are never skipped.
    pub(crate) fn decode(kind: u8, payload: &'a [u8]) -> Result<Record<'a>> {
        if let Some(kind) = ChangeKind::from_number(kind) {
            let (xid, change) = Change::decode(kind, payload)?;
            return Ok(Record::Change(xid, change));
        }
        let mut reader = Reader(payload);
        let xid = Xid(reader.u64()?);
        match kind {
            CLR => Ok(Record::Clr { xid, step: reader.u32()? }),
            COMMIT => Ok(Record::Commit { xid, csn: Csn(reader.u64()?) }),
            ABORT_END => Ok(Record::AbortEnd { xid, csn: Csn(reader.u64()?) }),
            PREPARE => {
                let (steps, is_last) = (reader.u32()?, reader.bytes(1)? == [1]);
                Ok(Record::Prepare { xid, steps, is_last, part: reader.0 })
            }
            other => Err(TxnError::corrupt(format!("the log holds a record of unknown kind {other}"))),
        }
    }
}

/// Payload of a compensation record.
pub(crate) fn encode_clr(xid: Xid, step: u32) -> [u8; 12] {
    let mut payload = [0; 12];
    payload[..8].copy_from_slice(&xid.0.to_le_bytes());
    payload[8..].copy_from_slice(&step.to_le_bytes());
    payload
}

/// Payload of a commit record.
pub(crate) fn encode_commit(xid: Xid, csn: Csn, wall_clock_micros: i64) -> [u8; 24] {
    let mut payload = [0; 24];
    payload[..8].copy_from_slice(&xid.0.to_le_bytes());
    payload[8..16].copy_from_slice(&csn.0.to_le_bytes());
    payload[16..].copy_from_slice(&wall_clock_micros.to_le_bytes());
    payload
}

/// The wall clock in the payload of a commit record, µs since 2000-01-01 UTC.
pub(crate) fn commit_clock(payload: &[u8]) -> Result<i64> {
    let mut reader = Reader(payload);
    reader.bytes(16)?;
    Ok(reader.u64()? as i64)
}

/// Payload of the end of an abort.
pub(crate) fn encode_abort_end(xid: Xid, csn: Csn) -> [u8; 16] {
    let mut payload = [0; 16];
    payload[..8].copy_from_slice(&xid.0.to_le_bytes());
    payload[8..].copy_from_slice(&csn.0.to_le_bytes());
    payload
}

/// Payload of one part of a prepared transaction's state.
pub(crate) fn encode_prepare(xid: Xid, steps: u32, is_last: bool, part: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(PREPARE_OVERHEAD_BYTES + part.len());
    payload.extend_from_slice(&xid.0.to_le_bytes());
    payload.extend_from_slice(&steps.to_le_bytes());
    payload.push(u8::from(is_last));
    payload.extend_from_slice(part);
    payload
}

/// Bytes of a part of a prepared transaction's state beside the state.
const PREPARE_OVERHEAD_BYTES: usize = 8 + 4 + 1;

/// Checked reads from the front of some bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, rest) =
            self.0.split_at_checked(len).ok_or_else(|| TxnError::corrupt("a transaction record ends too early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: ChangeKind) -> Change<'static> {
        Change {
            kind,
            step: 3,
            table: 16_384,
            tree: TreeId(1005),
            header: [7, 9],
            was_marked: true,
            key: b"the key",
            image: b"the image",
        }
    }

    #[test]
    fn records_come_back_as_written() {
        for number in 1..=12 {
            let change = sample(ChangeKind::from_number(number).expect("twelve kinds"));
            let mut payload = Vec::new();
            change.encode(Xid(42), &mut payload);
            assert_eq!(payload.len(), CHANGE_OVERHEAD_BYTES + 7 + 9);
            assert_eq!(Record::decode(number, &payload).expect("decodes"), Record::Change(Xid(42), change));
        }
        assert_eq!(Record::decode(CLR, &encode_clr(Xid(1), 2)).expect("clr"), Record::Clr { xid: Xid(1), step: 2 });
        let commit = encode_commit(Xid(1), Csn(2), -5);
        assert_eq!(Record::decode(COMMIT, &commit).expect("commit"), Record::Commit { xid: Xid(1), csn: Csn(2) });
        assert_eq!(commit_clock(&commit).expect("a clock"), -5);
        let end = encode_abort_end(Xid(1), Csn(2));
        assert_eq!(Record::decode(ABORT_END, &end).expect("end"), Record::AbortEnd { xid: Xid(1), csn: Csn(2) });
        let part = Record::Prepare { xid: Xid(1), steps: 2, is_last: true, part: b"state" };
        assert_eq!(Record::decode(PREPARE, &encode_prepare(Xid(1), 2, true, b"state")).expect("prepare"), part);
    }

    #[test]
    fn the_keys_of_a_run_come_back_in_order() {
        let keys: [&[u8]; 3] = [b"a", b"", b"longer"];
        let mut image = Vec::new();
        keys.iter().for_each(|key| RunKeys::push(key, &mut image));
        assert!(RunKeys::of(&image).eq(keys));
        assert_eq!(RunKeys::of(&image[..image.len() - 1]).count(), 2);
    }

    #[test]
    fn short_and_unknown_records_are_damage() {
        let mut payload = Vec::new();
        sample(ChangeKind::RowUpdate).encode(Xid(42), &mut payload);
        for len in 0..CHANGE_OVERHEAD_BYTES + 7 {
            assert!(matches!(Record::decode(2, &payload[..len]), Err(TxnError::Corrupt(_))), "{len} bytes");
        }
        assert!(matches!(Record::decode(200, &payload), Err(TxnError::Corrupt(_))));
    }
}
