//! The numbers by which transactions, commits, rows and owners of locks are known.
//!
//! All of them only grow. None is used again while anything could still refer to it.

use std::fmt;

/// A transaction that has written something. Given at the first write; 48 bits are stored in row headers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Xid(pub u64);

/// The largest transaction number that fits a row header.
pub const XID_MAX: u64 = (1 << 48) - 1;

/// A commit sequence number. Its order is the order of the commit records in the log. Ends of aborts take one too,
/// so that "no snapshot is older than this end" is one comparison for both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Csn(pub u64);

/// Identity of a row within its table: the key of the row tree. A row keeps it while its keys change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowId(pub u64);

/// A virtual transaction: exists from the begin of a transaction on, before any [`Xid`]. Owns locks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OwnerId(pub u64);

/// Place of an undo record: chunk number and offset within the chunk. Grows within a transaction, so that comparing two
/// positions of one transaction tells which change was made first. [`UndoPosition::NONE`] is below every record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UndoPosition(pub u64);

impl UndoPosition {
    /// No record: the end of a chain.
    pub const NONE: UndoPosition = UndoPosition(0);
}

impl RowId {
    /// The key of this row in its row tree: big-endian, so that byte order is numeric order.
    pub fn key(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Reads the row id out of a row tree's key, or out of the end of an index key.
    pub fn from_key_end(key: &[u8]) -> Option<RowId> {
        let start = key.len().checked_sub(8)?;
        let bytes: [u8; 8] = key.get(start..)?.try_into().ok()?;
        Some(RowId(u64::from_be_bytes(bytes)))
    }
}

macro_rules! show_as_number {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}
show_as_number!(Xid, Csn, RowId, OwnerId, UndoPosition);
