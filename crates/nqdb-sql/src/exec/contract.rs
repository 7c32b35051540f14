//! What a session gives to an execution, and what it gets back.
//!
//! An execution never blocks on another transaction and never reads the clock: it returns a [`Step`] and is
//! called again. Rows leave through a [`RowSink`], one at a time, so that nothing is held for the client.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nqdb_functions::FunctionContext;
use nqdb_sqlstate::{Notice, QUERY_CANCELED, SqlError, SqlResult};
use nqdb_txn::{Transaction, Wait};
use nqdb_types::Datum;

use super::memory::MemoryPool;

use crate::integrity::Constraints;
use crate::system::SystemSession;
use crate::temporary_files::TemporarySpace;

/// What one call of `step` needs of the session.
pub struct ExecContext<'a> {
    pub txn: &'a mut Transaction,
    pub functions: FunctionContext<'a>,
    /// What scans of system relations read.
    pub system: &'a dyn SystemSession,
    /// Set from elsewhere: the statement ends with 57014 at the next look.
    pub cancel: &'a AtomicBool,
    pub notices: &'a mut Vec<Notice>,
    /// What a sort, a hash table or kept rows may hold, in bytes, before they go on with temporary files.
    pub work_memory_bytes: usize,
    /// What one statement may hold together, in bytes; more is 53200. From half of it on, or of what all statements share,
    /// operators that can go on with files do.
    pub memory_limit_bytes: usize,
    /// What the transaction remembers of its constraints.
    pub constraints: &'a RefCell<Constraints>,
    /// What the statements of all sessions share.
    pub memory: &'a Arc<MemoryPool>,
    /// Where the session's temporary files are.
    pub temporary: &'a Arc<TemporarySpace>,
}

impl ExecContext<'_> {
    /// 57014 when somebody asked for it.
    pub(crate) fn check_cancel(&self) -> SqlResult<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(SqlError::new(QUERY_CANCELED, "canceling statement due to user request"));
        }
        Ok(())
    }
}

/// How a call of `step` ended.
#[derive(Debug)]
pub enum Step {
    /// As many rows as were asked for went out; there may be more.
    Suspended,
    /// The statement is complete.
    Done(CommandTag),
    /// Await this, then call again: the row where it stopped is tried once more.
    Wait(Wait),
    /// A slice of work is done; look for cancels and timeouts, then call again.
    Yield,
}

/// Where result rows go.
pub trait RowSink {
    /// Takes one row, in the order of `Plan::output`.
    fn row(&mut self, values: &[Datum]) -> SqlResult<()>;
}

/// Collects rows: for callers that want them all at once.
impl RowSink for Vec<Vec<Datum>> {
    fn row(&mut self, values: &[Datum]) -> SqlResult<()> {
        self.push(values.to_vec());
        Ok(())
    }
}

/// The tag of CommandComplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandTag {
    Select(u64),
    Insert(u64),
    Update(u64),
    Delete(u64),
    Merge(u64),
    Copy(u64),
    Fetch(u64),
    Move(u64),
    Other(&'static str),
}

impl CommandTag {
    /// Rows that the statement returned or changed.
    pub fn rows(&self) -> Option<u64> {
        match self {
            CommandTag::Select(rows)
            | CommandTag::Insert(rows)
            | CommandTag::Update(rows)
            | CommandTag::Delete(rows)
            | CommandTag::Merge(rows)
            | CommandTag::Copy(rows)
            | CommandTag::Fetch(rows)
            | CommandTag::Move(rows) => Some(*rows),
            CommandTag::Other(_) => None,
        }
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandTag::Select(rows) => write!(f, "SELECT {rows}"),
            CommandTag::Insert(rows) => write!(f, "INSERT 0 {rows}"),
            CommandTag::Update(rows) => write!(f, "UPDATE {rows}"),
            CommandTag::Delete(rows) => write!(f, "DELETE {rows}"),
            CommandTag::Merge(rows) => write!(f, "MERGE {rows}"),
            CommandTag::Copy(rows) => write!(f, "COPY {rows}"),
            CommandTag::Fetch(rows) => write!(f, "FETCH {rows}"),
            CommandTag::Move(rows) => write!(f, "MOVE {rows}"),
            CommandTag::Other(tag) => f.write_str(tag),
        }
    }
}
