//! The changes a page can undergo, as they stand in the log.
//!
//! An operation is applied by the same [`PageOp::apply`] when it happens and when recovery repeats it; it depends on
//! nothing but the operation and the page's content ("physiological": a slot is named, the place in the heap is not).
//!
//! ```text
//!  1  Bytes         offset u16, the bytes
//!  2  Format        shape
//!  3  Insert        slot u16, mark u8, xid u64, suffix length u16, suffix, value
//!  4  Replace       slot u16, mark u8, xid u64, value
//!  5  SetMark       slot u16, mark u8, xid u64
//!  6  Remove        slot u16
//!  7  SetRight      right u64
//!  8  SetFlags      flags u16
//!  9  Reshape       first kept slot u16, end u16, shape
//! 10  Image         length of the front part u16, front part (header, slots), back part (heap, fences)
//! 11  FormatFree    next u64
//! shape = tree u64, level u8, flags u16, right u64, low length u16, high length u16 (0xffff: none), low, high
//! ```
//! What always holds: an operation that decodes has every length within a page. Whether its slot exists is known only
//! with the page: recovery compares LSNs and then asks `redo` before it applies anything.

use std::ops::Range;

use super::buf::{CRC_AT, PAGE_SIZE, PageBuf, PageType};
use super::change::{self, Shape};
use super::layout::{NO_HIGH, Node, SLOT_COUNT_AT, SLOTS_AT};
use crate::error::{Result, StorageError};
use crate::ids::{PageId, TreeId};

const BYTES: u8 = 1;
const FORMAT: u8 = 2;
const INSERT: u8 = 3;
const REPLACE: u8 = 4;
const SET_MARK: u8 = 5;
const REMOVE: u8 = 6;
const SET_RIGHT: u8 = 7;
const SET_FLAGS: u8 = 8;
const RESHAPE: u8 = 9;
const IMAGE: u8 = 10;
const FORMAT_FREE: u8 = 11;

/// The most bytes that an entry operation needs in the log beside its suffix and value.
pub const ENTRY_OP_OVERHEAD: usize = 14;
/// The most bytes that an operation with a shape needs in the log, fences included.
pub const SHAPE_OP_LEN_MAX: usize = 28 + 2 * super::layout::KEY_LEN_MAX;
/// The most bytes that an image needs in the log.
pub const IMAGE_OP_LEN_MAX: usize = 3 + PAGE_SIZE;

/// One change of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOp<'a> {
    /// Overwrites the bytes at `offset`.
    Bytes { offset: u16, bytes: &'a [u8] },
    /// Makes the page an empty tree page.
    Format(Shape<'a>),
    /// Puts an entry at `slot`; later slots move up. Room was made before.
    Insert { slot: u16, suffix: &'a [u8], value: &'a [u8], marked: bool, xid: u64 },
    /// Gives the entry at `slot` another value and mark.
    Replace { slot: u16, value: &'a [u8], marked: bool, xid: u64 },
    /// Sets or clears the mark of the entry at `slot`.
    SetMark { slot: u16, marked: bool, xid: u64 },
    /// Takes the entry at `slot` out; later slots move down.
    Remove { slot: u16 },
    /// Links the page to another right sibling.
    SetRight { right: Option<PageId> },
    /// Replaces the page's flags.
    SetFlags { flags: u16 },
    /// Keeps the slots in `kept` and gives the page another shape.
    Reshape { kept: Range<u16>, shape: Shape<'a> },
    /// Replaces a tree page's whole content but checksum and LSN.
    Image { front: &'a [u8], back: &'a [u8] },
    /// Puts the page on the free list before `next`; its tree id stays, so that a stale link is recognised.
    FormatFree { next: Option<PageId> },
}

impl<'a> PageOp<'a> {
    /// The operation that makes any page a copy of the tree page `page`.
    pub fn image(page: &'a PageBuf) -> PageOp<'a> {
        let [front, back] = Node::new(page).image_ranges();
        PageOp::Image { front: &page.bytes()[front], back: &page.bytes()[back] }
    }

    /// Appends the operation to a log record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            PageOp::Bytes { offset, bytes } => {
                out.push(BYTES);
                put_u16(out, *offset);
                out.extend_from_slice(bytes);
            }
            PageOp::Format(shape) => {
                out.push(FORMAT);
                put_shape(out, shape);
            }
            PageOp::Insert { slot, suffix, value, marked, xid } => {
                put_entry_header(out, INSERT, *slot, *marked, *xid);
                put_u16(out, suffix.len() as u16);
                out.extend_from_slice(suffix);
                out.extend_from_slice(value);
            }
            PageOp::Replace { slot, value, marked, xid } => {
                put_entry_header(out, REPLACE, *slot, *marked, *xid);
                out.extend_from_slice(value);
            }
            PageOp::SetMark { slot, marked, xid } => put_entry_header(out, SET_MARK, *slot, *marked, *xid),
            PageOp::Remove { slot } => {
                out.push(REMOVE);
                put_u16(out, *slot);
            }
            PageOp::SetRight { right } => {
                out.push(SET_RIGHT);
                put_link(out, *right);
            }
            PageOp::SetFlags { flags } => {
                out.push(SET_FLAGS);
                put_u16(out, *flags);
            }
            PageOp::Reshape { kept, shape } => {
                out.push(RESHAPE);
                put_u16(out, kept.start);
                put_u16(out, kept.end);
                put_shape(out, shape);
            }
            PageOp::Image { front, back } => {
                out.push(IMAGE);
                put_u16(out, front.len() as u16);
                out.extend_from_slice(front);
                out.extend_from_slice(back);
            }
            PageOp::FormatFree { next } => {
                out.push(FORMAT_FREE);
                put_link(out, *next);
            }
        }
    }

    /// Reads what [`PageOp::encode`] wrote. `Corrupt` when the bytes are no operation.
    pub fn decode(record: &'a [u8]) -> Result<PageOp<'a>> {
        let mut fields = Fields(record);
        fields.operation().ok_or_else(|| StorageError::corrupt("page operation in the log cannot be read"))
    }

    /// Changes the page.
    pub fn apply(&self, page: &mut PageBuf) {
        match self {
            PageOp::Bytes { offset, bytes } => {
                let start = usize::from(*offset);
                page.bytes_mut()[start..start + bytes.len()].copy_from_slice(bytes);
            }
            PageOp::Format(shape) => change::format(page, shape),
            PageOp::Insert { slot, suffix, value, marked, xid } => {
                change::insert(page, usize::from(*slot), suffix, value, *marked);
                change::touch(page, *xid);
            }
            PageOp::Replace { slot, value, marked, xid } => {
                change::replace(page, usize::from(*slot), value, *marked);
                change::touch(page, *xid);
            }
            PageOp::SetMark { slot, marked, xid } => {
                change::set_mark(page, usize::from(*slot), *marked);
                change::touch(page, *xid);
            }
            PageOp::Remove { slot } => change::remove(page, usize::from(*slot)),
            PageOp::SetRight { right } => page.set_right(*right),
            PageOp::SetFlags { flags } => page.set_u16(super::buf::FLAGS_AT, *flags),
            PageOp::Reshape { kept, shape } => {
                change::reshape(page, usize::from(kept.start)..usize::from(kept.end), shape);
            }
            PageOp::Image { front, back } => apply_image(page, front, back),
            PageOp::FormatFree { next } => {
                page.set_page_type(PageType::Free);
                page.set_right(*next);
                page.set_u16(SLOT_COUNT_AT, 0);
            }
        }
    }
}

/// The LSN belongs to the page's own history, the checksum to its next write.
fn apply_image(page: &mut PageBuf, front: &[u8], back: &[u8]) {
    let lsn = page.lsn();
    let crc = page.u32_at(CRC_AT);
    let bytes = page.bytes_mut();
    bytes[..front.len()].copy_from_slice(front);
    let back_at = PAGE_SIZE - back.len();
    bytes[front.len()..back_at].fill(0);
    bytes[back_at..].copy_from_slice(back);
    page.set_lsn(lsn);
    page.set_u32(CRC_AT, crc);
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_link(out: &mut Vec<u8>, link: Option<PageId>) {
    out.extend_from_slice(&link.map_or(0, |id| id.0).to_le_bytes());
}

fn put_entry_header(out: &mut Vec<u8>, kind: u8, slot: u16, marked: bool, xid: u64) {
    let mut header = [0; 12];
    header[0] = kind;
    header[1..3].copy_from_slice(&slot.to_le_bytes());
    header[3] = u8::from(marked);
    header[4..].copy_from_slice(&xid.to_le_bytes());
    out.extend_from_slice(&header);
}

fn put_shape(out: &mut Vec<u8>, shape: &Shape<'_>) {
    out.extend_from_slice(&shape.tree.0.to_le_bytes());
    out.push(shape.level);
    put_u16(out, shape.flags);
    put_link(out, shape.right);
    put_u16(out, shape.low.len() as u16);
    put_u16(out, shape.high.map_or(NO_HIGH, |high| high.len() as u16));
    out.extend_from_slice(shape.low);
    out.extend_from_slice(shape.high.unwrap_or_default());
}

/// The unread rest of a record. Every method answers `None` where the record ends too early.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.number::<1>().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.number().map(u64::from_le_bytes)
    }

    fn link(&mut self) -> Option<Option<PageId>> {
        Some(Some(PageId(self.u64()?)).filter(|id| id.0 != 0))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn shape(&mut self) -> Option<Shape<'a>> {
        let (tree, level, flags, right) = (TreeId(self.u64()?), self.u8()?, self.u16()?, self.link()?);
        let (low_len, high_len) = (self.u16()?, self.u16()?);
        let low = self.take(usize::from(low_len))?;
        let high = if high_len == NO_HIGH { None } else { Some(self.take(usize::from(high_len))?) };
        let shape = Shape { tree, level, flags, low, high, right };
        (shape.fences_len() + SLOTS_AT < PAGE_SIZE).then_some(shape)
    }

    fn operation(&mut self) -> Option<PageOp<'a>> {
        let operation = match self.u8()? {
            BYTES => {
                let (offset, bytes) = (self.u16()?, self.take_rest());
                (usize::from(offset) + bytes.len() <= PAGE_SIZE).then_some(PageOp::Bytes { offset, bytes })?
            }
            FORMAT => PageOp::Format(self.shape()?),
            INSERT => {
                let (slot, marked, xid, suffix_len) = (self.u16()?, self.flag()?, self.u64()?, self.u16()?);
                let (suffix, value) = (self.take(usize::from(suffix_len))?, self.take_rest());
                let fits = suffix.len() + value.len() <= super::layout::USABLE_LEN;
                fits.then_some(PageOp::Insert { slot, suffix, value, marked, xid })?
            }
            REPLACE => {
                let (slot, marked, xid, value) = (self.u16()?, self.flag()?, self.u64()?, self.take_rest());
                PageOp::Replace { slot, value, marked, xid }
            }
            SET_MARK => PageOp::SetMark { slot: self.u16()?, marked: self.flag()?, xid: self.u64()? },
            REMOVE => PageOp::Remove { slot: self.u16()? },
            SET_RIGHT => PageOp::SetRight { right: self.link()? },
            SET_FLAGS => PageOp::SetFlags { flags: self.u16()? },
            RESHAPE => PageOp::Reshape { kept: self.u16()?..self.u16()?, shape: self.shape()? },
            IMAGE => {
                let front_len = self.u16()?;
                let (front, back) = (self.take(usize::from(front_len))?, self.take_rest());
                let is_whole = front.len() >= SLOTS_AT && front.len() + back.len() <= PAGE_SIZE;
                is_whole.then_some(PageOp::Image { front, back })?
            }
            FORMAT_FREE => PageOp::FormatFree { next: self.link()? },
            _ => return None,
        };
        self.0.is_empty().then_some(operation)
    }
}
