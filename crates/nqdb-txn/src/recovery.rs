//! What the log says about transactions when a database opens, and the rollback of those that a crash cut off.
//!
//! The engine hands over the newest checkpoint's payload and every record behind its floor. A change pushes a step on
//! its transaction's stack, a compensation record takes the newest step off, an end drops the stack. What is left at
//! the end is undone, newest step first, through the same edits as any rollback and with compensation records of its
//! own, so that a crash during recovery is only one more crash. Until all of it is undone, checkpoints keep the log from
//! the first of these steps on (R4).
//!
//! A prepared transaction is not undone but kept ([`crate::prepared`]); a compensation record behind its state says that
//! its rollback had begun.
//!
//! A transaction that had ended when the checkpoint was taken may have its last records behind the floor. It is known
//! by its first visible step not being step 0, and its end must follow; otherwise the log has lost something.

use crate::error::{Result, TxnError};
use crate::ids::{Csn, UndoPosition, Xid};
use crate::prepared::PreparedState;
use crate::prepared::recovery::FoundPrepared;
use crate::record::{Reader, Record};
use crate::system::TxnSystem;
use crate::undo::{UndoStore, UndoWriter};
use nqdb_storage::{LogReplay, Lsn, StorageError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

const PAYLOAD_VERSION: u8 = 1;

/// The numbers to go on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) next_xid: Xid,
    pub(crate) next_csn: Csn,
    pub(crate) next_tree: u64,
    /// Closed cleanly with nothing left to purge.
    pub(crate) purged: bool,
}

impl Found {
    /// The checkpoint's payload: version u8, next xid, next csn, next tree u64 each, purged u8.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = vec![PAYLOAD_VERSION];
        for number in [self.next_xid.0, self.next_csn.0, self.next_tree] {
            payload.extend_from_slice(&number.to_le_bytes());
        }
        payload.push(u8::from(self.purged));
        payload
    }

    fn decode(payload: &[u8]) -> Result<Found> {
        let mut reader = Reader(payload);
        if reader.bytes(1)? != [PAYLOAD_VERSION] {
            return Err(TxnError::corrupt("a checkpoint has a transaction part of an unknown version"));
        }
        Ok(Found {
            next_xid: Xid(reader.u64()?),
            next_csn: Csn(reader.u64()?),
            next_tree: reader.u64()?,
            purged: reader.bytes(1)? == [1],
        })
    }
}

/// Takes the log's records in.
pub(crate) struct Replay {
    undo: Arc<UndoStore>,
    found: Found,
    unfinished: BTreeMap<Xid, UndoWriter>,
    /// Where the log of each unfinished transaction begins.
    begins: BTreeMap<Xid, Lsn>,
    /// Transactions whose beginning lies before the floor: they have ended, their last records follow.
    tails: HashSet<Xid>,
    /// The states of those that are prepared, or about to be.
    prepared: HashMap<Xid, StateParts>,
}

/// A prepared transaction's state, as far as it was met.
#[derive(Default)]
struct StateParts {
    bytes: Vec<u8>,
    is_whole: bool,
}

/// Transactions to roll back, with their steps.
pub(crate) type Unfinished = BTreeMap<Xid, UndoWriter>;

/// What the log says that is to go on.
pub(crate) struct Recovered {
    pub(crate) found: Found,
    /// The first log position that another recovery would need.
    pub(crate) floor: Lsn,
    pub(crate) prepared: Vec<FoundPrepared>,
}

impl Replay {
    pub(crate) fn new(undo: Arc<UndoStore>) -> Replay {
        let found = Found { next_xid: Xid(1), next_csn: Csn(1), next_tree: 1000, purged: true };
        Replay {
            undo,
            found,
            unfinished: BTreeMap::new(),
            begins: BTreeMap::new(),
            tails: HashSet::new(),
            prepared: HashMap::new(),
        }
    }

    fn take(&mut self, lsn: Lsn, record: Record<'_>) -> Result<()> {
        self.found.purged = false;
        match record {
            Record::Change(xid, change) => {
                self.seen(xid);
                if let crate::record::ChangeKind::TreeCreate = change.kind {
                    self.found.next_tree = self.found.next_tree.max(change.tree.0 + 1);
                }
                if self.tails.contains(&xid) {
                    return Ok(());
                }
                if change.step > 0 && !self.unfinished.contains_key(&xid) {
                    self.tails.insert(xid);
                    return Ok(());
                }
                let undo = self.undo.clone();
                self.begins.entry(xid).or_insert(lsn);
                let writer = self.unfinished.entry(xid).or_insert_with(|| UndoWriter::new(undo));
                if change.step != writer.steps() {
                    return Err(TxnError::corrupt(format!(
                        "transaction {xid} logs step {} after {} steps",
                        change.step,
                        writer.steps()
                    )));
                }
                writer.prepare(1, change.key.len() + change.image.len())?;
                writer.append(&change);
            }
            Record::Clr { xid, step } => {
                self.seen(xid);
                self.prepared.remove(&xid);
                match self.unfinished.get_mut(&xid) {
                    Some(writer) if writer.steps() == step + 1 => {
                        let previous = self.undo.read(writer.last(), |record| record.previous)?;
                        writer.undone(previous);
                    }
                    Some(writer) => {
                        return Err(TxnError::corrupt(format!(
                            "transaction {xid} undoes step {step} of {}",
                            writer.steps()
                        )));
                    }
                    None => {
                        self.tails.insert(xid);
                    }
                }
            }
            Record::Prepare { xid, steps, is_last, part } => {
                self.seen(xid);
                self.take_state(lsn, xid, steps, is_last, part)?;
            }
            Record::Commit { xid, csn } | Record::AbortEnd { xid, csn } => {
                self.seen(xid);
                self.prepared.remove(&xid);
                self.found.next_csn = self.found.next_csn.max(Csn(csn.0 + 1));
                self.tails.remove(&xid);
                self.begins.remove(&xid);
                if let Some(writer) = self.unfinished.remove(&xid) {
                    drop(writer.finish());
                }
            }
        }
        Ok(())
    }

    /// A part of a prepared transaction's state.
    fn take_state(&mut self, lsn: Lsn, xid: Xid, steps: u32, is_last: bool, part: &[u8]) -> Result<()> {
        let known = self.unfinished.get(&xid).map(UndoWriter::steps);
        if self.tails.contains(&xid) || (known.is_none() && steps > 0) {
            self.tails.insert(xid);
            return Ok(());
        }
        if known.unwrap_or(0) != steps {
            let known = known.unwrap_or(0);
            return Err(TxnError::corrupt(format!(
                "transaction {xid} is prepared with {steps} steps, not with {known}"
            )));
        }
        self.begins.entry(xid).or_insert(lsn);
        self.unfinished.entry(xid).or_insert_with(|| UndoWriter::new(self.undo.clone()));
        let parts = self.prepared.entry(xid).or_default();
        if parts.is_whole {
            return Err(TxnError::corrupt(format!("transaction {xid} is prepared twice")));
        }
        parts.bytes.extend_from_slice(part);
        parts.is_whole = is_last;
        Ok(())
    }

    fn seen(&mut self, xid: Xid) {
        self.found.next_xid = self.found.next_xid.max(Xid(xid.0 + 1));
    }

    /// What to go on with, and what to roll back.
    pub(crate) fn finish(mut self) -> Result<(Recovered, Unfinished)> {
        if let Some(xid) = self.tails.iter().min() {
            return Err(TxnError::corrupt(format!(
                "the log of transaction {xid} begins before the checkpoint's floor"
            )));
        }
        let floor = self.begins.values().min().copied().unwrap_or(Lsn::MAX);
        let mut prepared = Vec::new();
        for (xid, parts) in self.prepared.into_iter().filter(|(_, parts)| parts.is_whole) {
            let found = self.unfinished.remove(&xid).zip(self.begins.get(&xid));
            let (undo, begin) = found.ok_or_else(|| TxnError::corrupt(format!("transaction {xid} has ended twice")))?;
            let state = PreparedState::decode(&parts.bytes)?;
            prepared.push(FoundPrepared { xid, begin: *begin, undo, state });
        }
        prepared.sort_by_key(|found| found.xid);
        Ok((Recovered { found: self.found, floor, prepared }, self.unfinished))
    }
}

impl LogReplay for Replay {
    fn checkpoint(&mut self, payload: &[u8]) -> std::result::Result<(), StorageError> {
        if !payload.is_empty() {
            self.found = Found::decode(payload).map_err(damage)?;
        }
        Ok(())
    }

    fn record(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> std::result::Result<(), StorageError> {
        Record::decode(kind, payload).and_then(|record| self.take(lsn, record)).map_err(damage)
    }
}

fn damage(error: TxnError) -> StorageError {
    match error {
        TxnError::Storage(storage) => storage,
        other => StorageError::corrupt(other.to_string()),
    }
}

/// Rolls back what a crash cut off and logs the ends.
pub(crate) fn roll_back(system: &TxnSystem, unfinished: Unfinished) -> Result<()> {
    for (xid, mut writer) in unfinished {
        let mut marked_again = Vec::new();
        while writer.last() != UndoPosition::NONE {
            let previous = system.undo().read(writer.last(), |record| record.previous)?;
            crate::rollback::undo_step(system, xid, writer.last(), None, &mut marked_again)?;
            writer.undone(previous);
        }
        system.abort_end_of_recovered(xid)?;
        drop(writer.finish());
    }
    Ok(())
}
