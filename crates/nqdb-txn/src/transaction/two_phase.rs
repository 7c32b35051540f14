//! PREPARE TRANSACTION, and what COMMIT PREPARED and ROLLBACK PREPARED go on with.
//!
//! ```text
//! Transaction ── prepare_transaction ──> Suspended ── resume_prepared ──> Transaction ── commit | rollback_prepared
//!                                            ^                                 │
//!                                            └─────────── dropped ─────────────┘
//! ```

use super::{CREDIT_PIECE_BYTES, Transaction};
use crate::error::Result;
use crate::feed::ChangeFeed;
use crate::growth::Growth;
use crate::ids::{Csn, RowId, Xid};
use crate::prepared::{PreparedFacts, PreparedLabel, PreparedState};
use crate::record::{self, PREPARE};
use crate::relation_lock::{AdvisoryKey, LockTarget, RelationLock};
use crate::row_lock::RowLock;
use crate::serial::Tracked;
use crate::system::TxnSystem;
use crate::transaction::{Isolation, MarkedAgain};
use crate::undo::UndoWriter;
use crate::wait::Running;
use nqdb_sqlstate::SqlError;
use nqdb_storage::{Lsn, Need, Reservation};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of a state that one record of the log holds.
const PART_BYTES: usize = 64 * 1024;

/// What is kept of a prepared transaction. It does not hold the system, which holds it.
pub(crate) struct Suspended {
    pub(crate) running: Arc<Running>,
    pub(crate) xid: Xid,
    pub(crate) undo: UndoWriter,
    pub(crate) credit: Option<Reservation>,
    pub(crate) end_credit: Option<Reservation>,
    pub(crate) credit_promised: usize,
    pub(crate) growth: Growth,
    pub(crate) tracked: Option<Arc<Tracked>>,
    pub(crate) held_relations: Vec<(u32, RelationLock)>,
    pub(crate) held_rows: Vec<(u32, RowId, RowLock)>,
    pub(crate) held_advisory: Vec<(AdvisoryKey, RelationLock)>,
    pub(crate) feed: Option<ChangeFeed>,
    pub(crate) marked_again: Vec<MarkedAgain>,
}

impl Suspended {
    /// One that holds nothing but its undo.
    pub(crate) fn without_room(running: Arc<Running>, xid: Xid, undo: UndoWriter) -> Suspended {
        Suspended {
            running,
            xid,
            undo,
            credit: None,
            end_credit: None,
            credit_promised: 0,
            growth: Growth::default(),
            tracked: None,
            held_relations: Vec::new(),
            held_rows: Vec::new(),
            held_advisory: Vec::new(),
            feed: None,
            marked_again: Vec::new(),
        }
    }
}

impl Transaction {
    /// PREPARE TRANSACTION: gives the transaction, its locks and the advisory locks of `advisory` to whoever names its
    /// identifier. It is prepared, and may be told of, when the log is synced up to the position.
    ///
    /// On an error it is rolled back: 55000, 42710 and 53200 as [`PreparedTransactions::reserve`] says, 40001 under
    /// SERIALIZABLE, 0A000 when it has changed definitions.
    ///
    /// [`PreparedTransactions::reserve`]: crate::prepared::PreparedTransactions
    pub fn prepare_transaction(
        mut self,
        label: PreparedLabel,
        advisory: Vec<(AdvisoryKey, RelationLock)>,
        count_max: usize,
    ) -> Result<Lsn> {
        if !self.definitions.is_empty() || !self.on_commit.is_empty() || !self.on_rollback.is_empty() {
            return Err(
                SqlError::unsupported("PREPARE TRANSACTION of a transaction that has changed definitions").into()
            );
        }
        let xid = self.number()?;
        self.leave_queue();
        self.leave_row_queue();
        let system = self.system.clone();
        let heir = Arc::new(Running::new(system.new_owner()));
        heir.process_id.store(0, Ordering::Relaxed);
        heir.set_xid(xid);
        let gid = label.gid.clone();
        let facts = PreparedFacts { label: label.clone(), xid, owner: heir.owner, is_recovered: false };
        system.prepared().reserve(facts, count_max, &|lsn| system.durability().is_durable(lsn))?;
        match self.log_state(label, &advisory, xid) {
            Ok(end) => {
                let suspended = self.hand_over(heir, xid, advisory);
                system.prepared().prepared(&gid, end, suspended);
                system.engine().request_flush(end);
                Ok(end)
            }
            Err(error) => {
                system.prepared().cancel(&gid);
                Err(error)
            }
        }
    }

    /// Logs the state; with its last part the transaction is prepared.
    fn log_state(&mut self, label: PreparedLabel, advisory: &[(AdvisoryKey, RelationLock)], xid: Xid) -> Result<Lsn> {
        let system = self.system.clone();
        let tracked = self.tracked.clone().filter(|tracked| tracked.is_tracked());
        let state = PreparedState {
            label,
            relations: self.held_relations.clone(),
            rows: self.held_rows.clone(),
            advisory: advisory.to_vec(),
            serial: tracked.as_ref().and_then(|tracked| system.serial().state_of(tracked)),
        };
        let mut parts = state_parts(xid, self.undo.steps(), &state.encode());
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let room = system.engine().reserve(Need::record(part.len()))?;
            system.engine().append(PREPARE, &part, room);
        }
        let room = system.engine().reserve(Need::record(last.len()))?;
        let judged = tracked.as_ref().map(|tracked| system.serial().judge_commit(tracked)).transpose()?;
        let end = system.engine().append(PREPARE, &last, room);
        if let Some(judged) = judged {
            judged.prepared(system.newest_csn());
        }
        Ok(end)
    }

    /// Makes `heir` the one who others meet where this transaction has been.
    fn hand_over(
        &mut self,
        heir: Arc<Running>,
        xid: Xid,
        held_advisory: Vec<(AdvisoryKey, RelationLock)>,
    ) -> Suspended {
        let system = self.system.clone();
        let owner = self.owner();
        system.enter_running(xid, &heir);
        for (relation, mode) in &self.held_relations {
            system.relation_locks().hand_over(owner, heir.owner, LockTarget::Relation(*relation), *mode);
        }
        for (key, mode) in &held_advisory {
            system.relation_locks().hand_over(owner, heir.owner, LockTarget::Advisory(*key), *mode);
        }
        for (table, row, mode) in &self.held_rows {
            system.row_locks().hand_over(owner, &heir, *table, *row, *mode);
        }
        if let Some(tracked) = &self.tracked {
            system.serial().hand_over(tracked, &heir);
        }
        system.xids().prepared(xid);
        system.snapshots().prepared(xid);
        let before = std::mem::replace(&mut self.running, heir);
        self.registered = None;
        self.held_advisory = held_advisory;
        let suspended = self.suspend(xid);
        // Those who waited for it look again, and meet the heir.
        before.end();
        suspended
    }

    /// Takes everything out that a prepared transaction keeps; nothing is left to end.
    fn suspend(&mut self, xid: Xid) -> Suspended {
        self.finished = true;
        Suspended {
            running: self.running.clone(),
            xid,
            undo: std::mem::replace(&mut self.undo, UndoWriter::new(self.system.undo().clone())),
            credit: self.credit.take(),
            end_credit: self.end_credit.take(),
            credit_promised: self.credit_promised,
            growth: std::mem::take(&mut self.growth),
            tracked: self.tracked.take(),
            held_relations: std::mem::take(&mut self.held_relations),
            held_rows: std::mem::take(&mut self.held_rows),
            held_advisory: std::mem::take(&mut self.held_advisory),
            feed: self.feed.take(),
            marked_again: std::mem::take(&mut self.marked_again),
        }
    }

    fn resume(system: &Arc<TxnSystem>, gid: String, suspended: Suspended) -> Transaction {
        let mut txn = Transaction::begin(system, suspended.running, Isolation::ReadCommitted, false);
        txn.prepared = Some(gid);
        txn.xid = Some(suspended.xid);
        txn.undo = suspended.undo;
        txn.credit = suspended.credit;
        txn.end_credit = suspended.end_credit;
        txn.credit_promised = suspended.credit_promised;
        txn.growth = suspended.growth;
        txn.tracked = suspended.tracked;
        txn.held_relations = suspended.held_relations;
        txn.held_rows = suspended.held_rows;
        txn.held_advisory = suspended.held_advisory;
        txn.feed = suspended.feed;
        txn.marked_again = suspended.marked_again;
        txn
    }

    /// Takes the room for the end of a transaction that was prepared before the last start.
    fn take_end_room(&mut self) -> Result<()> {
        let engine = self.system.engine().clone();
        if self.end_credit.is_none() {
            let end_bytes = Need::group_bytes(record::encode_commit(Xid(0), Csn(0), 0).len());
            self.end_credit = Some(engine.reserve_credit(end_bytes, 0)?);
        }
        if self.credit.is_none() && self.credit_promised > 0 {
            self.credit = Some(engine.reserve_credit(self.credit_promised.max(CREDIT_PIECE_BYTES), 0)?);
        }
        Ok(())
    }

    /// Whether it was prepared: its end is COMMIT PREPARED or ROLLBACK PREPARED.
    pub fn is_prepared(&self) -> bool {
        self.prepared.is_some()
    }

    /// ROLLBACK PREPARED. Its end may be told when the log is synced up to the position.
    pub fn rollback_prepared(mut self) -> Result<Lsn> {
        self.roll_back_all()?;
        Ok(self.system.engine().log_end())
    }

    /// Puts a prepared transaction that was not ended back. False: it is none.
    pub(super) fn put_back(&mut self) -> bool {
        let (Some(gid), Some(xid), false) = (self.prepared.take(), self.xid, self.finished) else { return false };
        let suspended = self.suspend(xid);
        self.system.prepared().put_back(&gid, suspended);
        true
    }
}

/// The records that a state is logged as.
pub(crate) fn state_parts(xid: Xid, steps: u32, state: &[u8]) -> Vec<Vec<u8>> {
    let chunks: Vec<&[u8]> = state.chunks(PART_BYTES).collect();
    let last = chunks.len().saturating_sub(1);
    let encode = |(number, part): (usize, &&[u8])| record::encode_prepare(xid, steps, number == last, part);
    chunks.iter().enumerate().map(encode).collect()
}

impl TxnSystem {
    /// The prepared transactions, in the order of their identifiers.
    pub fn prepared_transactions(&self) -> Vec<PreparedFacts> {
        self.prepared().all(&|lsn| self.durability().is_durable(lsn))
    }

    /// Takes a prepared transaction over, to commit it or to roll it back ([`Transaction::rollback_prepared`]). Dropped, it
    /// stays prepared. `may_end` may refuse. 42704 when there is none of that identifier, 55000 when another has taken it.
    pub fn resume_prepared(
        self: &Arc<Self>,
        gid: &str,
        may_end: impl FnOnce(&PreparedFacts) -> std::result::Result<(), SqlError>,
    ) -> Result<Transaction> {
        let suspended = self.prepared().take(gid, may_end, &|lsn| self.durability().is_durable(lsn))?;
        let mut txn = Transaction::resume(self, gid.to_owned(), suspended);
        txn.take_end_room()?;
        Ok(txn)
    }
}
