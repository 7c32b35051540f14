//! Unique keys: the check and the write that follows it are one step.
//!
//! Short locks on (tree, key) are taken for all unique keys of a row in ascending order; then each index is asked for
//! other rows with the key; then, still under the locks, the caller writes. If an unfinished transaction is in the way,
//! the locks are given back and the caller waits.
//!
//! A key of a deferrable index is written whatever is found. If another row has an entry with it, that is a doubt, to be
//! settled later ([`TableStore::check_unique`]): of two rows with one key the second to be written has it.

use super::keys::{ROW_ID_BYTES, RowKey};
use super::{IndexStore, RowImage, TableStore};
use crate::error::{Result, TxnError};
use crate::ids::RowId;
use crate::key_lock::KeyGuard;
use crate::system::TxnSystem;
use crate::transaction::Transaction;
use crate::wait::{TxnWait, Wait};
use crate::xids::XidStatus;
use nqdb_storage::TreeId;
use nqdb_storage::tree::Direction;
use std::ops::{Bound, ControlFlow};

/// A unique key that a row is about to take.
pub(super) struct KeyClaim<'a> {
    position: usize,
    index: &'a IndexStore,
    prefix: &'a [u8],
}

impl KeyClaim<'_> {
    /// The entry that a row with the key has, and its tree.
    pub(super) fn entry(&self, row_id: RowId) -> (TreeId, Vec<u8>) {
        (self.index.tree.id(), [self.prefix, &row_id.key()].concat())
    }
}

/// Marks the slots of rows among those of keys.
const ROW_SPACE: u64 = 1 << 63;

impl TableStore {
    /// What must be checked before `key` is written into the index at `position`; nothing when it cannot conflict.
    pub(super) fn claim<'a>(&'a self, (position, key): (usize, &'a Option<RowKey>)) -> Option<KeyClaim<'a>> {
        let index = &self.indexes[position];
        let key = key.as_ref().filter(|key| index.is_exclusive(key))?;
        Some(KeyClaim { position, index, prefix: &key.prefix })
    }

    /// Takes the keys' locks (and the row's, against purge) and checks that no other row has them. A key of a deferrable
    /// index that another row may have becomes a doubt of the transaction's; of a batch, which has several rows, it is refused.
    pub(super) fn claim_keys<'s>(
        &self,
        txn: &mut Transaction,
        system: &'s TxnSystem,
        row_id: RowId,
        claims: &[KeyClaim<'_>],
        row_guard: Option<RowId>,
        is_batch: bool,
    ) -> Result<Option<KeyGuard<'s>>> {
        if claims.is_empty() && row_guard.is_none() {
            return Ok(None);
        }
        txn.ensure_registered();
        let locks = system.key_locks();
        let mut slots: Vec<usize> =
            claims.iter().map(|claim| locks.slot(claim.index.tree.id().0, claim.prefix)).collect();
        slots.extend(row_guard.map(|row| self.row_slot(system, row)));
        let guard = locks.lock(&mut slots);
        for claims in claims.chunk_by(|one, next| one.position == next.position) {
            if claims.len() > 1 && lie_in_a_gap(claims)? {
                continue;
            }
            for claim in claims {
                if !claim.index.deferrable {
                    self.check_claim(txn, system, row_id, claim)?;
                } else if let Some(other) = other_entry(claim, row_id)? {
                    if is_batch {
                        return Err(TxnError::UniqueViolation { index: claim.position, row_id: other });
                    }
                    txn.note_doubt(claim.index.id, row_id);
                }
            }
        }
        Ok(Some(guard))
    }

    /// The slot that keeps purge away from a row whose keys are changing.
    pub(crate) fn row_slot(&self, system: &TxnSystem, row_id: RowId) -> usize {
        system.key_locks().slot(ROW_SPACE | u64::from(self.id), &row_id.key())
    }

    /// Checks the key that a row, which this transaction wrote, has by now in the deferrable index at `position`.
    ///
    /// `UniqueViolation` when another row has it, `Wait` when one in the hands of another transaction may.
    pub fn check_unique(&self, txn: &mut Transaction, position: usize, row_id: RowId) -> Result<()> {
        let Some(index) = self.indexes.get(position) else { return Ok(()) };
        let Some(row) = self.stored_row(row_id)? else { return Ok(()) };
        if row.header.is_deleted() {
            return Ok(());
        }
        let key = self.key_of_image(index, &RowImage::new(self, &row.image)?)?;
        let Some(key) = key.filter(|key| index.is_exclusive(key)) else { return Ok(()) };
        txn.ensure_registered();
        let system = txn.system().clone();
        self.check_claim(txn, &system, row_id, &KeyClaim { position, index, prefix: &key.prefix })
    }

    fn check_claim(&self, txn: &Transaction, system: &TxnSystem, own: RowId, claim: &KeyClaim<'_>) -> Result<()> {
        let (mut low, mut high) = (claim.prefix.to_vec(), claim.prefix.to_vec());
        low.extend_from_slice(&[0; ROW_ID_BYTES]);
        high.extend_from_slice(&[u8::MAX; ROW_ID_BYTES]);
        let mut others: Vec<RowId> = Vec::new();
        let mut scan = claim.index.tree.scan(Bound::Included(&low), Bound::Included(&high), Direction::Forward);
        while scan.next_leaf(&mut |key, _, _| {
            others.extend(RowId::from_key_end(key).filter(|row_id| *row_id != own));
            ControlFlow::Continue(())
        })? {}
        for row_id in others {
            while let Looked::Again = self.check_row(txn, system, row_id, claim)? {}
        }
        Ok(())
    }

    /// Whether the row at an entry with the claimed key really has it, or may come to have it.
    fn check_row(&self, txn: &Transaction, system: &TxnSystem, row_id: RowId, claim: &KeyClaim<'_>) -> Result<Looked> {
        let Some(mut row) = self.stored_row(row_id)? else { return Ok(Looked::Free) };
        let newest = row.header;
        let is_own = txn.xid() == Some(newest.xid);
        let status = if is_own { XidStatus::RolledBack } else { system.xids().status(newest.xid) };
        if is_own || matches!(status, XidStatus::Committed(_)) {
            if newest.is_deleted() || !self.has_claimed_key(claim, &row.image)? {
                return Ok(Looked::Free);
            }
            if !is_own {
                txn.depend_on_commit_of(newest.xid);
                self.track_duplicate(txn, claim, row_id)?;
            }
            return Err(TxnError::UniqueViolation { index: claim.position, row_id });
        }
        // In the hands of another transaction: its version counts, and what comes back if it rolls back.
        let Some(other) = system.running(newest.xid) else { return Ok(Looked::Again) };
        let wait = TxnWait::new([other]);
        if self.stored_row(row_id)?.is_none_or(|now| now.header != newest) {
            return Ok(Looked::Again);
        }
        let mut header = newest;
        loop {
            if !header.is_deleted() && self.has_claimed_key(claim, &row.image)? {
                return Err(TxnError::Wait(Wait::Txn(wait)));
            }
            if header.xid != newest.xid {
                return Ok(Looked::Free);
            }
            match system.older_version(header, &mut row.image)? {
                Some(older) => header = older,
                None => return Ok(Looked::Free),
            }
        }
    }

    fn has_claimed_key(&self, claim: &KeyClaim<'_>, image: &[u8]) -> Result<bool> {
        let key = self.key_of_image(claim.index, &RowImage::new(self, image)?)?;
        Ok(key.is_some_and(|key| key.prefix == claim.prefix))
    }
}

/// A row other than `own` with an entry for the claimed key, whether it has that key still or not.
fn other_entry(claim: &KeyClaim<'_>, own: RowId) -> Result<Option<RowId>> {
    let (low, high) = ([claim.prefix, &[0; ROW_ID_BYTES]].concat(), [claim.prefix, &[u8::MAX; ROW_ID_BYTES]].concat());
    let mut scan = claim.index.tree.scan(Bound::Included(&low), Bound::Included(&high), Direction::Forward);
    let mut other = None;
    while scan.next_leaf(&mut |key, _, _| {
        other = RowId::from_key_end(key).filter(|row_id| *row_id != own);
        if other.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })? && other.is_none()
    {}
    Ok(other)
}

/// Whether the index has no entry at all from the least of these keys to the greatest: so it is with keys that count up.
fn lie_in_a_gap(claims: &[KeyClaim<'_>]) -> Result<bool> {
    let prefixes = || claims.iter().map(|claim| claim.prefix);
    let (Some(first), Some(least), Some(greatest)) = (claims.first(), prefixes().min(), prefixes().max()) else {
        return Ok(true);
    };
    let (low, high) = ([least, &[0; ROW_ID_BYTES]].concat(), [greatest, &[u8::MAX; ROW_ID_BYTES]].concat());
    let mut scan = first.index.tree.scan(Bound::Included(&low), Bound::Included(&high), Direction::Forward);
    let mut is_gap = true;
    while scan.next_leaf(&mut |_, _, _| {
        is_gap = false;
        ControlFlow::Break(())
    })? && is_gap
    {}
    Ok(is_gap)
}

/// What a look at a row said.
enum Looked {
    /// The row does not have the key and will not get it back.
    Free,
    /// The answer changed while it was sought.
    Again,
}
