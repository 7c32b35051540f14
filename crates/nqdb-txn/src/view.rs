//! What a reader holds: a registered snapshot, and how much of its own transaction's writing it sees.

use crate::error::{Result, TxnError};
use crate::ids::{Csn, UndoPosition, Xid};
use crate::serial::Tracked;
use crate::snapshot::Snapshot;
use crate::system::TxnSystem;
use crate::wait::Running;
use crate::xids::XidStatus;
use std::sync::Arc;

/// Bytes of a row's header.
pub(crate) const HEADER_BYTES: usize = 16;

const FLAGS_SHIFT: u32 = 48;

/// The row is deleted in this version; its image is the one before.
pub(crate) const DELETED: u16 = 1;

/// The writer changed a unique key (or deleted the row): conflicts with FOR KEY SHARE.
pub(crate) const KEY_CHANGED: u16 = 2;

/// What stands before a row's image in its tree.
///
/// ```text
/// 0   writer's transaction number u48 | flags u16
/// 8   position of the undo record that holds the version before (never read once the writer has ended long ago)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RowHeader {
    pub(crate) xid: Xid,
    pub(crate) flags: u16,
    pub(crate) undo: UndoPosition,
}

impl RowHeader {
    pub(crate) fn words(self) -> [u64; 2] {
        [self.xid.0 | u64::from(self.flags) << FLAGS_SHIFT, self.undo.0]
    }

    pub(crate) fn from_words(words: [u64; 2]) -> RowHeader {
        RowHeader {
            xid: Xid(words[0] & crate::ids::XID_MAX),
            flags: (words[0] >> FLAGS_SHIFT) as u16,
            undo: UndoPosition(words[1]),
        }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes());
    }

    /// What stands before the image.
    pub(crate) fn bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (first, second) = bytes.split_at_mut(8);
        let words = self.words();
        first.copy_from_slice(&words[0].to_le_bytes());
        second.copy_from_slice(&words[1].to_le_bytes());
        bytes
    }

    /// Splits an entry's value into header and image.
    pub(crate) fn split(value: &[u8]) -> Result<(RowHeader, &[u8])> {
        let (head, image) = value
            .split_at_checked(HEADER_BYTES)
            .ok_or_else(|| TxnError::corrupt("a row is shorter than its header"))?;
        let (first, second) = head.split_at(8);
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
        Ok((RowHeader::from_words([word(first), word(second)]), image))
    }

    pub(crate) fn is_deleted(self) -> bool {
        self.flags & DELETED != 0
    }

    pub(crate) fn version(self) -> RowVersion {
        RowVersion { xid: self.xid, undo: self.undo }
    }
}

/// Which version of a row was seen: hand it back to update or delete exactly that one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowVersion {
    pub(crate) xid: Xid,
    pub(crate) undo: UndoPosition,
}

impl RowVersion {
    /// The version as plain numbers, for who has to keep it among other values for a while.
    pub fn to_words(self) -> [u64; 2] {
        [self.xid.0, self.undo.0]
    }

    /// The version that [`RowVersion::to_words`] gave.
    pub fn from_words(words: [u64; 2]) -> RowVersion {
        RowVersion { xid: Xid(words[0]), undo: UndoPosition(words[1]) }
    }
}

/// A consistent view of the database. As long as it, or a clone of it, lives, nothing it sees is purged.
#[derive(Clone)]
pub struct ReadView {
    registered: Arc<Registered>,
    /// Whose own writes are seen; `None` for a view outside any transaction.
    running: Option<Arc<Running>>,
    /// Own writes from this position on are not seen: they belong to the statement itself, or came later.
    seen_up_to: UndoPosition,
    /// The serializable transaction that what is read counts for.
    tracked: Option<Arc<Tracked>>,
}

/// A snapshot's place in the registry.
pub(crate) struct Registered {
    system: Arc<TxnSystem>,
    snapshot: Snapshot,
    /// The newest commit that is seen; later than the snapshot's for who looks at commits that are not synced yet.
    seen_csn: Csn,
}

impl Registered {
    pub(crate) fn take(system: &Arc<TxnSystem>) -> Arc<Registered> {
        let snapshot = system.snapshots().take();
        Arc::new(Registered { system: system.clone(), snapshot, seen_csn: snapshot.csn })
    }

    /// As [`Registered::take`], with the commits that are not synced yet.
    pub(crate) fn take_appended(system: &Arc<TxnSystem>) -> Arc<Registered> {
        let snapshot = system.snapshots().take();
        let seen_csn = system.newest_csn().max(snapshot.csn);
        Arc::new(Registered { system: system.clone(), snapshot, seen_csn })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.system.snapshots().release(self.snapshot);
    }
}

impl ReadView {
    pub(crate) fn new(
        registered: Arc<Registered>,
        running: Option<Arc<Running>>,
        seen_up_to: UndoPosition,
    ) -> ReadView {
        ReadView { registered, running, seen_up_to, tracked: None }
    }

    /// The same view, of which what it reads counts for a serializable transaction.
    pub(crate) fn tracked_for(mut self, tracked: Option<Arc<Tracked>>) -> ReadView {
        self.tracked = tracked;
        self
    }

    /// The serializable transaction that reads through this view, as long as that matters.
    pub(crate) fn tracked(&self) -> Option<&Tracked> {
        self.tracked.as_deref().filter(|tracked| tracked.is_tracked())
    }

    /// The snapshot that is looked through.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { csn: self.registered.seen_csn, ..self.registered.snapshot }
    }

    pub(crate) fn system(&self) -> &Arc<TxnSystem> {
        &self.registered.system
    }

    /// Whether everything on a page whose newest writer is `newest` is visible (delete marks still count).
    pub(crate) fn sees_all_of(&self, newest: u64) -> bool {
        newest < self.registered.snapshot.oldest_active.0
    }

    /// Whether the version with this header is visible.
    pub(crate) fn sees(&self, header: RowHeader) -> bool {
        if header.xid < self.registered.snapshot.oldest_active {
            return true;
        }
        if self.running.as_ref().is_some_and(|running| running.xid() == Some(header.xid)) {
            return header.undo < self.seen_up_to;
        }
        self.sees_commit_of(header.xid)
    }

    /// Whether `xid`, some other transaction, had committed when the snapshot was taken.
    pub(crate) fn sees_commit_of(&self, xid: Xid) -> bool {
        if xid < self.registered.snapshot.oldest_active {
            return true;
        }
        matches!(self.system().xids().status(xid), XidStatus::Committed(csn) if csn <= self.registered.seen_csn)
    }

    /// Says who wrote the oldest version that the view hides of a row. Whoever wrote over that one comes after its writer.
    fn track_hidden(&self, writer: Option<Xid>) -> Result<()> {
        match (self.tracked(), writer) {
            (Some(tracked), Some(writer)) => self.system().serial().misses(tracked, writer),
            _ => Ok(()),
        }
    }

    /// Turns the newest version into the visible one: follows the undo from `header`, whose image is in `image`.
    /// `None` when the row does not exist for this view. Reads undo, so no latch may be held.
    pub(crate) fn resolve(&self, mut header: RowHeader, image: &mut Vec<u8>) -> Result<Option<RowHeader>> {
        let mut hidden = None;
        while !self.sees(header) {
            hidden = Some(header.xid);
            match self.system().older_version(header, image)? {
                Some(older) => header = older,
                None => {
                    self.track_hidden(hidden)?;
                    return Ok(None);
                }
            }
        }
        self.track_hidden(hidden)?;
        Ok((!header.is_deleted()).then_some(header))
    }
}
