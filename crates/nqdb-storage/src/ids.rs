//! The numbers that storage names things by.
//!
//! A page id holds the file in its top 16 bits and the page's position in that file below:
//!
//! ```text
//! 63      48 47                                    0
//! | file   | position (byte offset / PAGE_SIZE)    |
//! ```
//!
//! File 0 is the main data file; its page 0 is the meta page, so the id 0 doubles as "no page" in links.
//! A log sequence number is a byte position in the log: `lsn / segment size` is the segment's number.

use std::fmt;
use std::str::FromStr;

pub use crate::page::buf::PAGE_SIZE;

/// Pages that one data file may hold (8 TiB), bounded by the page map's first level.
pub const PAGE_COUNT_MAX: u64 = 1 << 30;

/// A page's name: file number (top 16 bits) and position in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageId(pub u64);

impl PageId {
    /// The main file's page 0; in a link it means "none", because no link ever leads to the meta page.
    pub const META: PageId = PageId(0);
    /// Reads better than [`PageId::META`] where a link may be empty.
    pub const NONE: PageId = PageId(0);

    /// The file that holds the page: 0 is the main data file.
    pub fn file(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The page's position in its file, in pages.
    pub fn position(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }

    /// Where the page starts in its file, in bytes.
    pub fn offset(self) -> u64 {
        self.position() * PAGE_SIZE as u64
    }

    /// False for the empty link.
    pub fn is_some(self) -> bool {
        self != PageId::NONE
    }
}

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}:{}", self.file(), self.position())
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A tree's name. Never given twice, so that a page found through a stale link is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeId(pub u64);

impl TreeId {
    /// Lower numbers are for trees that say what else there is (directories, catalogs): these may take the data file's last
    /// pages, so that there is a way out of a full disk.
    pub const FIRST_ORDINARY: TreeId = TreeId(1000);

    pub fn is_ordinary(self) -> bool {
        self >= TreeId::FIRST_ORDINARY
    }
}

/// A byte position in the log. The LSN on a page is the end of the last group that changed it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before everything that was ever logged.
    pub const ZERO: Lsn = Lsn(0);
    /// After everything; "none" where a minimum is formed.
    pub const MAX: Lsn = Lsn(u64::MAX);
}

impl FromStr for Lsn {
    type Err = ();

    /// Reads what `Display` writes: two hexadecimal numbers of up to eight digits, with a slash between them.
    fn from_str(text: &str) -> Result<Lsn, ()> {
        let (high, low) = text.split_once('/').ok_or(())?;
        let half = |digits: &str| match digits.len() {
            1..=8 if !digits.starts_with('+') => u64::from_str_radix(digits, 16).map_err(drop),
            _ => Err(()),
        };
        Ok(Lsn(half(high)? << 32 | half(low)?))
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for lsn in [Lsn::ZERO, Lsn(64), Lsn(0x1_0000_0000), Lsn(0x12_3456_789a), Lsn::MAX] {
            assert_eq!(lsn.to_string().parse(), Ok(lsn));
        }
        for wrong in ["", "/", "1", "1/", "/1", "1/g", "1/+1", "1/123456789", "1/1/1"] {
            assert_eq!(wrong.parse::<Lsn>(), Err(()), "{wrong}");
        }
    }
}
