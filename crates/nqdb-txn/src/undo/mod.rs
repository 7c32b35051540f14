//! Undo: the versions that came before, and what a rollback has to put back.
//!
//! Records are appended to chunks of 64 KiB. A chunk is written by one transaction at a time and read by anybody; when
//! a transaction ends, the next one goes on in the rest of its chunk. A record's position is its chunk's number and its
//! offset, and never means another record: space is not reused, chunks are dropped whole once nobody holds them.
//! Above a limit of memory, full chunks move to a file. Nothing of this outlives the process.
//!
//! ```text
//! position   chunk number u44 | offset u20
//! record     length u32 | kind u8 | pad u8 u16 | previous position of the same transaction u64 | change (record.rs)
//! ```
//!
//! What always holds:
//!
//! 1. A position that a page's row header or another record names can be read as long as a snapshot is registered that
//!    does not see the end of the transaction that wrote it.
//! 2. Appending needs no memory and no disk: [`UndoWriter::prepare`] has made room before any latch was taken.
//! 3. Positions grow within a transaction.

mod spill;
mod store;
mod writer;

pub(crate) use store::UndoStore;
pub(crate) use writer::{UndoChunks, UndoWriter};

use crate::error::{Result, TxnError};
use crate::ids::UndoPosition;
use crate::record::{Change, ChangeKind, Reader};

/// Bytes in a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// Bits of a position that hold the offset.
const OFFSET_BITS: u32 = 20;

/// Bytes before the change in a record.
const RECORD_HEAD_BYTES: usize = 16;

/// Bytes that a record takes beside its change's key and image.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = RECORD_HEAD_BYTES + crate::record::CHANGE_OVERHEAD_BYTES;

fn split(position: UndoPosition) -> (u64, usize) {
    (position.0 >> OFFSET_BITS, (position.0 & ((1 << OFFSET_BITS) - 1)) as usize)
}

fn join(chunk: u64, offset: usize) -> UndoPosition {
    UndoPosition(chunk << OFFSET_BITS | offset as u64)
}

/// A record as it is read back.
pub(crate) struct UndoRecord<'a> {
    /// The record before it in the same transaction.
    pub(crate) previous: UndoPosition,
    pub(crate) change: Change<'a>,
}

impl<'a> UndoRecord<'a> {
    fn encode(previous: UndoPosition, change: &Change<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0, 0, 0, 0, change.kind as u8, 0, 0, 0]);
        out.extend_from_slice(&previous.0.to_le_bytes());
        change.encode_body(out);
        let len = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }

    fn decode(chunk: &'a [u8], offset: usize) -> Result<UndoRecord<'a>> {
        let gone = || TxnError::corrupt("an undo pointer leads outside its chunk");
        let mut reader = Reader(chunk.get(offset..).ok_or_else(gone)?);
        let len = reader.u32()? as usize;
        let kind = ChangeKind::from_number(reader.bytes(4)?[0]).ok_or_else(gone)?;
        let previous = UndoPosition(reader.u64()?);
        let body = reader.bytes(len.checked_sub(RECORD_HEAD_BYTES).ok_or_else(gone)?)?;
        Ok(UndoRecord { previous, change: Change::decode_body(kind, body)? })
    }
}
