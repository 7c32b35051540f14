//! The log of prepared transactions, written once more: for a restored database, whose log begins anew.
//!
//! The pages have the changes already; what is written are the records beside them, and the states. A start that finds
//! them does what it would have done with the log that they were first written to.

use super::PreparedState;
use crate::error::Result;
use crate::ids::{UndoPosition, Xid};
use crate::record::PREPARE;
use crate::system::TxnSystem;
use crate::transaction::state_parts;
use crate::undo::UndoStore;
use nqdb_storage::disk::Disk;
use nqdb_storage::{ClientCheckpoint, Engine, LogClient, LogReplay, Lsn, Need, Options, StorageError};
use std::sync::Arc;

/// The prepared transactions of a system that was closed.
pub(crate) struct PreparedLog {
    undo: Arc<UndoStore>,
    /// The transaction layer's part of the next checkpoint.
    checkpoint: Vec<u8>,
    transactions: Vec<Kept>,
}

struct Kept {
    xid: Xid,
    steps: u32,
    last: UndoPosition,
    state: Vec<u8>,
}

/// Has a checkpoint keep the log from the first record of the first transaction on.
struct KeepFrom {
    floor: Lsn,
    payload: Vec<u8>,
}

impl LogClient for KeepFrom {
    fn checkpoint(&self) -> ClientCheckpoint {
        ClientCheckpoint { floor: self.floor, payload: self.payload.clone() }
    }
}

/// What the log of a restored database has before that: a checkpoint, whose contents are known.
struct OnlyCheckpoint;

impl LogReplay for OnlyCheckpoint {
    fn checkpoint(&mut self, _payload: &[u8]) -> nqdb_storage::Result<()> {
        Ok(())
    }

    fn record(&mut self, lsn: Lsn, kind: u8, _payload: &[u8]) -> nqdb_storage::Result<()> {
        Err(StorageError::corrupt(format!("the new log of a restored database has a record of kind {kind} at {lsn}")))
    }
}

impl PreparedLog {
    /// Its undo outlives the system.
    pub(crate) fn of(system: &TxnSystem) -> PreparedLog {
        let mut transactions = Vec::new();
        system.prepared().for_each_waiting(|facts, suspended| {
            let serial = suspended.tracked.as_ref().and_then(|tracked| system.serial().state_of(tracked));
            let state = PreparedState {
                label: facts.label.clone(),
                relations: suspended.held_relations.clone(),
                rows: suspended.held_rows.clone(),
                advisory: suspended.held_advisory.clone(),
                serial,
            };
            let (steps, last) = (suspended.undo.steps(), suspended.undo.last());
            transactions.push(Kept { xid: suspended.xid, steps, last, state: state.encode() });
        });
        transactions.sort_by_key(|kept| kept.xid);
        PreparedLog { undo: system.undo().clone(), checkpoint: system.checkpoint_payload(), transactions }
    }

    /// Writes it to a restored database that has no name yet.
    pub(crate) fn write(&self, disk: &Arc<dyn Disk>, options: Options) -> Result<()> {
        if self.transactions.is_empty() {
            return Ok(());
        }
        let engine = Engine::open_restored(disk.clone(), options, &mut OnlyCheckpoint)?;
        let floor = engine.log_end();
        for kept in &self.transactions {
            self.write_one(&engine, kept)?;
        }
        engine.set_log_client(Arc::new(KeepFrom { floor, payload: self.checkpoint.clone() }));
        engine.close()?;
        Ok(())
    }

    fn write_one(&self, engine: &Engine, kept: &Kept) -> Result<()> {
        let mut positions = Vec::with_capacity(kept.steps as usize);
        let mut at = kept.last;
        while at != UndoPosition::NONE {
            positions.push(at);
            at = self.undo.read(at, |record| record.previous)?;
        }
        let mut payload = Vec::new();
        for position in positions.into_iter().rev() {
            payload.clear();
            let kind = self.undo.read(position, |record| {
                record.change.encode(kept.xid, &mut payload);
                record.change.kind
            })?;
            append(engine, kind as u8, &payload)?;
        }
        state_parts(kept.xid, kept.steps, &kept.state).iter().try_for_each(|part| append(engine, PREPARE, part))
    }
}

fn append(engine: &Engine, kind: u8, payload: &[u8]) -> Result<()> {
    let room = engine.reserve(Need::record(payload.len()))?;
    engine.append(kind, payload, room);
    Ok(())
}
