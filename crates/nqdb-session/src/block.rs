//! The transaction block: what BEGIN, COMMIT, ROLLBACK and savepoints do to a session.
//!
//! ```text
//!            statement                 BEGIN                    error
//!   Idle ─────────────> Implicit ─────────────> Open ─────────────────────> Failed
//!    ^                     │                      │ ^                         │
//!    │  end, Sync, error   │                      │ └──── ROLLBACK TO ────────┤
//!    ├─────────────────────┘    COMMIT, ROLLBACK  │                           │
//!    └────────────────────────────────────────────┴───── COMMIT, ROLLBACK ────┘
//! ```
//!
//! What always holds:
//! 1. Idle has no transaction; Implicit and Open have one; Failed has one only while savepoints are left to go back to.
//! 2. A failed block keeps no change and no lock that is younger than its newest savepoint.
//! 3. The savepoints stand in the order of their creation; names may repeat, the newest of a name is meant.

use nqdb_catalog::{Draft, DraftMark};
use nqdb_sql::statement::IsolationLevel;
use nqdb_sqlstate::{INVALID_SAVEPOINT_SPECIFICATION, SqlError, SqlResult};
use nqdb_txn::{Isolation, SavepointMark, Transaction};

use crate::registry::ClosedDatabase;
use crate::surroundings::SessionMarks;

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// No transaction.
    Idle,
    /// A transaction that ends with the query string or at Sync.
    Implicit,
    /// Between BEGIN and COMMIT.
    Open,
    /// An error came inside the block: everything but its end is refused.
    Failed,
}

impl Block {
    /// The status byte of ReadyForQuery.
    pub fn status(self) -> u8 {
        match self {
            Block::Idle | Block::Implicit => b'I',
            Block::Open => b'T',
            Block::Failed => b'E',
        }
    }
}

/// How a transaction behaves, as BEGIN or the defaults say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Characteristics {
    pub isolation: IsolationLevel,
    pub read_only: bool,
    pub deferrable: bool,
}

impl Characteristics {
    /// The level as the transaction layer knows it.
    pub fn isolation(self) -> Isolation {
        match self.isolation {
            IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
            IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
            IsolationLevel::Serializable => Isolation::Serializable,
        }
    }
}

/// Reads an isolation level as settings spell it.
pub fn parse_isolation(name: &str) -> Option<IsolationLevel> {
    let levels = [
        IsolationLevel::ReadUncommitted,
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ];
    levels.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
}

/// A transaction with what the session keeps beside it.
pub struct OpenTransaction {
    pub txn: Transaction,
    pub draft: Draft,
    /// The databases that the transaction keeps other sessions away from.
    pub closed_databases: Vec<ClosedDatabase>,
    pub characteristics: Characteristics,
    pub savepoints: Vec<Savepoint>,
    /// Start of the transaction, µs since 2000-01-01 UTC.
    pub started_micros: i64,
    /// A statement has taken a snapshot: the isolation level is fixed.
    pub has_queried: bool,
}

/// A place to go back to.
pub struct Savepoint {
    pub name: String,
    txn: SavepointMark,
    draft: DraftMark,
    marks: SessionMarks,
    /// What the part after it may have changed, to its own end only.
    read_only: bool,
}

impl OpenTransaction {
    /// SAVEPOINT.
    pub fn savepoint(&mut self, name: String, marks: SessionMarks) {
        let (txn, draft) = (self.txn.savepoint(), self.draft.mark());
        let read_only = self.characteristics.read_only;
        self.savepoints.push(Savepoint { name, txn, draft, marks, read_only });
    }

    /// RELEASE: forgets the savepoint and those after it, keeps their changes.
    pub fn release(&mut self, name: &str) -> SqlResult<()> {
        let at = self.find(name)?;
        let ended = self.savepoints.split_off(at);
        if let Some(outermost) = ended.first() {
            self.set_read_only(outermost.read_only);
        }
        Ok(())
    }

    /// ROLLBACK TO: takes back what came after the savepoint, which remains. Gives the marks of the session.
    pub fn rollback_to(&mut self, name: &str) -> SqlResult<SessionMarks> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        self.undo_to_newest_savepoint().ok_or_else(|| no_such_savepoint(name))?
    }

    /// Takes back what came after the newest savepoint; `None` when there is none.
    pub fn undo_to_newest_savepoint(&mut self) -> Option<SqlResult<SessionMarks>> {
        let newest = self.savepoints.last()?;
        let (txn, draft, marks, read_only) = (newest.txn, newest.draft, newest.marks, newest.read_only);
        self.set_read_only(read_only);
        Some(match self.txn.rollback_to(txn) {
            Ok(()) => {
                self.draft.rollback_to(draft);
                Ok(marks)
            }
            Err(error) => Err(error.into()),
        })
    }

    fn set_read_only(&mut self, read_only: bool) {
        self.characteristics.read_only = read_only;
        self.txn.set_read_only(read_only);
    }

    fn find(&self, name: &str) -> SqlResult<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| no_such_savepoint(name))
    }
}

fn no_such_savepoint(name: &str) -> SqlError {
    SqlError::new(INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
}
