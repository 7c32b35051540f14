//! The prepared transactions by their identifiers.
//!
//! ```text
//! entry   Preparing ──> Waiting ──> Busy ──> Ended(until synced) ──> gone
//!             │            ^          │
//!             └──> gone    └──────────┘   the end could not begin
//! ```
//!
//! An entry is shown, and can be ended, once its state is synced; it is shown, and its identifier in use, until its end is.

use crate::error::{Result, TxnError};
use crate::ids::{OwnerId, Xid};
use crate::prepared::PreparedLabel;
use crate::transaction::Suspended;
use nqdb_sqlstate::{self as sqlstate, SqlError};
use nqdb_storage::Lsn;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// A prepared transaction, for `pg_prepared_xacts` and who wants to end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedFacts {
    pub label: PreparedLabel,
    pub xid: Xid,
    /// Who holds its locks.
    pub owner: OwnerId,
    /// It was prepared before the last start.
    pub is_recovered: bool,
}

enum Stage {
    /// Its state is not logged yet.
    Preparing,
    /// For its end, which may come once the log is synced up to here.
    Waiting(Lsn, Box<Suspended>),
    /// Somebody is about to end it.
    Busy(Lsn),
    /// Its end is in the log up to here.
    Ended(Lsn),
}

struct Entry {
    facts: PreparedFacts,
    stage: Stage,
}

impl Entry {
    /// Whether others may know of it.
    fn is_shown(&self, is_durable: &dyn Fn(Lsn) -> bool) -> bool {
        match self.stage {
            Stage::Preparing => false,
            Stage::Waiting(prepared, _) | Stage::Busy(prepared) => is_durable(prepared),
            Stage::Ended(end) => !is_durable(end),
        }
    }

    fn is_gone(&self, is_durable: &dyn Fn(Lsn) -> bool) -> bool {
        matches!(self.stage, Stage::Ended(end) if is_durable(end))
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct PreparedTransactions {
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl PreparedTransactions {
    /// Takes an identifier. 55000 when `count_max` is 0, 42710 when the identifier is in use, 53200 when there are
    /// `count_max` already.
    pub(crate) fn reserve(
        &self,
        facts: PreparedFacts,
        count_max: usize,
        is_durable: &dyn Fn(Lsn) -> bool,
    ) -> Result<()> {
        if count_max == 0 {
            return Err(disabled().into());
        }
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| !entry.is_gone(is_durable));
        let gid = &facts.label.gid;
        if entries.contains_key(gid) {
            let message = format!("transaction identifier \"{gid}\" is already in use");
            return Err(SqlError::new(sqlstate::DUPLICATE_OBJECT, message).into());
        }
        if entries.len() >= count_max {
            return Err(too_many(count_max).into());
        }
        entries.insert(gid.clone(), Entry { facts, stage: Stage::Preparing });
        Ok(())
    }

    /// Gives an identifier up whose transaction was not prepared.
    pub(crate) fn cancel(&self, gid: &str) {
        self.entries.lock().remove(gid);
    }

    /// The state is in the log up to `prepared`.
    pub(crate) fn prepared(&self, gid: &str, prepared: Lsn, suspended: Suspended) {
        if let Some(entry) = self.entries.lock().get_mut(gid) {
            entry.stage = Stage::Waiting(prepared, Box::new(suspended));
        }
    }

    /// Enters one of an earlier start.
    pub(crate) fn recovered(&self, facts: PreparedFacts, suspended: Suspended) -> Result<()> {
        let stage = Stage::Waiting(Lsn::ZERO, Box::new(suspended));
        match self.entries.lock().insert(facts.label.gid.clone(), Entry { facts, stage }) {
            None => Ok(()),
            Some(twin) => {
                let message = format!("two prepared transactions are called \"{}\"", twin.facts.label.gid);
                Err(TxnError::corrupt(message))
            }
        }
    }

    /// Takes one out to end it, if `may_end` does not refuse. 42704 when there is none, 55000 when somebody else is at it.
    pub(crate) fn take(
        &self,
        gid: &str,
        may_end: impl FnOnce(&PreparedFacts) -> std::result::Result<(), SqlError>,
        is_durable: &dyn Fn(Lsn) -> bool,
    ) -> Result<Suspended> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(gid).filter(|entry| entry.is_shown(is_durable)).ok_or_else(|| unknown(gid))?;
        let Stage::Waiting(prepared, _) = entry.stage else { return Err(busy(gid).into()) };
        may_end(&entry.facts)?;
        match std::mem::replace(&mut entry.stage, Stage::Busy(prepared)) {
            Stage::Waiting(_, suspended) => Ok(*suspended),
            _ => Err(busy(gid).into()),
        }
    }

    /// Puts one back that was not ended after all.
    pub(crate) fn put_back(&self, gid: &str, suspended: Suspended) {
        if let Some(entry) = self.entries.lock().get_mut(gid)
            && let Stage::Busy(prepared) = entry.stage
        {
            entry.stage = Stage::Waiting(prepared, Box::new(suspended));
        }
    }

    /// Its end is in the log up to `end`.
    pub(crate) fn ended(&self, gid: &str, end: Lsn) {
        if let Some(entry) = self.entries.lock().get_mut(gid) {
            entry.stage = Stage::Ended(end);
        }
    }

    /// Those that others may know of, in the order of their identifiers.
    pub(crate) fn all(&self, is_durable: &dyn Fn(Lsn) -> bool) -> Vec<PreparedFacts> {
        let entries = self.entries.lock();
        entries.values().filter(|entry| entry.is_shown(is_durable)).map(|entry| entry.facts.clone()).collect()
    }

    /// Runs `f` on each that waits for its end.
    pub(crate) fn for_each_waiting(&self, mut f: impl FnMut(&PreparedFacts, &Suspended)) {
        for entry in self.entries.lock().values() {
            if let Stage::Waiting(_, suspended) = &entry.stage {
                f(&entry.facts, suspended);
            }
        }
    }
}

fn disabled() -> SqlError {
    SqlError::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, "prepared transactions are disabled")
        .with_hint("Set max_prepared_transactions to a nonzero value.")
}

fn too_many(count_max: usize) -> SqlError {
    SqlError::new(sqlstate::OUT_OF_MEMORY, "maximum number of prepared transactions reached")
        .with_hint(format!("Increase max_prepared_transactions (currently {count_max})."))
}

fn unknown(gid: &str) -> SqlError {
    let message = format!("prepared transaction with identifier \"{gid}\" does not exist");
    SqlError::new(sqlstate::UNDEFINED_OBJECT, message)
}

fn busy(gid: &str) -> SqlError {
    let message = format!("prepared transaction with identifier \"{gid}\" is busy");
    SqlError::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}
