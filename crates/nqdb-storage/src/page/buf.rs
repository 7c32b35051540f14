//! The bytes of one page and the fields that every kind of page shares.
//!
//! ```text
//!  0 crc32c u32 (of bytes 4.., seeded with the page id)
//!  4 type u8   5 level u8   6 flags u16
//!  8 lsn u64        end of the log group that changed the page last
//! 16 tree id u64    0 on pages of no tree
//! 24 right u64      right sibling, or the next free page
//! 32 ..             see `layout` for tree pages, `space` for the meta page
//! ```
//! All numbers are little-endian. What always holds: the checksum is only right between `seal` and the next change, so it
//! is set when a page leaves for the disk and checked when it comes back.

use crate::ids::{Lsn, PageId, TreeId};

/// Bytes of a page.
pub const PAGE_SIZE: usize = 8192;

/// Where the fields of the shared header stand.
pub const CRC_AT: usize = 0;
pub const TYPE_AT: usize = 4;
pub const LEVEL_AT: usize = 5;
pub const FLAGS_AT: usize = 6;
pub const LSN_AT: usize = 8;
pub const TREE_AT: usize = 16;
pub const RIGHT_AT: usize = 24;
/// First byte behind the shared header.
pub const SHARED_HEADER_LEN: usize = 32;

/// What a page is; a byte that is none of these is corruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageType {
    /// Never written: all zero.
    Unused = 0,
    /// Page 0 of a file: counts and the head of the free list.
    Meta = 1,
    /// On the free list; `right` is the next free page, the tree id is that of its last owner.
    Free = 2,
    /// A tree page at level 0: keys with values.
    Leaf = 3,
    /// A tree page above level 0: separators with child page ids.
    Inner = 4,
}

impl PageType {
    /// The type that this byte stands for, if any.
    pub fn from_byte(byte: u8) -> Option<PageType> {
        Some(match byte {
            0 => PageType::Unused,
            1 => PageType::Meta,
            2 => PageType::Free,
            3 => PageType::Leaf,
            4 => PageType::Inner,
            _ => return None,
        })
    }
}

/// 8 KiB with typed little-endian access. Offsets are the program's own constants or were checked by the caller: one
/// beyond the page is our bug and panics.
#[derive(Clone)]
pub struct PageBuf([u8; PAGE_SIZE]);

impl PageBuf {
    /// A page of zeros.
    pub const fn zeroed() -> PageBuf {
        PageBuf([0; PAGE_SIZE])
    }

    /// A page of zeros on the heap.
    pub fn boxed() -> Box<PageBuf> {
        Box::new(PageBuf::zeroed())
    }

    /// The whole page.
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.0
    }

    /// The whole page, to be changed. Only the disk layer, `PageOp::apply` and tests need it.
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        &mut self.0
    }

    #[inline]
    pub fn u8_at(&self, offset: usize) -> u8 {
        self.0[offset]
    }

    #[inline]
    pub fn u16_at(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }

    #[inline]
    pub fn u32_at(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        u32::from_le_bytes(bytes)
    }

    #[inline]
    pub fn u64_at(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[offset..offset + 8]);
        u64::from_le_bytes(bytes)
    }

    pub fn set_u8(&mut self, offset: usize, value: u8) {
        self.0[offset] = value;
    }

    pub fn set_u16(&mut self, offset: usize, value: u16) {
        self.0[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
    }

    pub fn set_u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub fn set_u64(&mut self, offset: usize, value: u64) {
        self.0[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// The page's type, or `None` when the byte means nothing to us.
    #[inline]
    pub fn page_type(&self) -> Option<PageType> {
        PageType::from_byte(self.u8_at(TYPE_AT))
    }

    pub fn set_page_type(&mut self, page_type: PageType) {
        self.set_u8(TYPE_AT, page_type as u8);
    }

    /// 0 for leaves, one more for each level above.
    #[inline]
    pub fn level(&self) -> u8 {
        self.u8_at(LEVEL_AT)
    }

    pub fn flags(&self) -> u16 {
        self.u16_at(FLAGS_AT)
    }

    /// End of the log group that changed this page last.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.u64_at(LSN_AT))
    }

    pub fn set_lsn(&mut self, lsn: Lsn) {
        self.set_u64(LSN_AT, lsn.0);
    }

    #[inline]
    pub fn tree(&self) -> TreeId {
        TreeId(self.u64_at(TREE_AT))
    }

    /// The right sibling of a tree page or the next page of the free list; `None` at the end.
    #[inline]
    pub fn right(&self) -> Option<PageId> {
        match self.u64_at(RIGHT_AT) {
            0 => None,
            id => Some(PageId(id)),
        }
    }

    pub fn set_right(&mut self, right: Option<PageId>) {
        self.set_u64(RIGHT_AT, right.map_or(0, |id| id.0));
    }

    /// The checksum that the page has to carry if it is page `id`.
    pub fn checksum(&self, id: PageId) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&id.0.to_le_bytes()), &self.0[TYPE_AT..])
    }

    /// Writes the checksum for page `id`.
    pub fn seal(&mut self, id: PageId) {
        let crc = self.checksum(id);
        self.set_u32(CRC_AT, crc);
    }

    /// Whether the page carries the checksum of page `id`.
    pub fn is_sealed_for(&self, id: PageId) -> bool {
        self.u32_at(CRC_AT) == self.checksum(id)
    }
}
