//! What a function needs beyond its arguments. Bound at execution, never baked into a plan.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{FormatContext, TransactionSnapshot, Type};

use crate::CatalogFunctions;

/// Values up to this size are made without asking.
const SMALL_VALUE_BYTES: usize = 1 << 20;

/// What is asked of channels: of the publication of a table's changes, by the number of the table, and of channels whose
/// messages are kept, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationChange {
    /// Without `columns` all are sent, without `filter` all rows.
    Publish {
        table: u32,
        columns: Option<Vec<String>>,
        filter: Option<String>,
    },
    Unpublish {
        table: u32,
    },
    CreateChannel {
        name: String,
        limits: WantedLimits,
    },
    /// Limits that are not named stay.
    AlterChannel {
        name: String,
        limits: WantedLimits,
    },
    DropChannel {
        name: String,
    },
}

/// What a channel is to keep, as far as it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedLimits {
    /// Messages.
    pub history: Option<i64>,
    pub history_bytes: Option<i64>,
    pub history_seconds: Option<i64>,
}

/// The surroundings of a call.
pub struct FunctionContext<'a> {
    /// Time zone, date style and the like.
    pub format: &'a FormatContext,
    /// Start of the transaction, µs since 2000-01-01 UTC.
    pub transaction_time_micros: i64,
    /// Arrival of the statement, µs since 2000-01-01 UTC.
    pub statement_time_micros: i64,
    pub session: &'a dyn SessionFunctions,
    /// The types of the arguments of the call at hand, as they arrive. Read by functions over "any",
    /// anyelement and anynonarray (`concat`, `format`, `pg_typeof`, `||`), whose datums do not say all: see
    /// [`crate::Function::needs_argument_types`]. May be empty for all others.
    pub argument_types: &'a [Type],
    /// The columns that the call at hand is to return: names and types of its column definition list. Read by
    /// functions of which [`crate::Function::needs_column_definitions`] holds; empty for all others.
    pub result_columns: &'a [(String, Type)],
}

impl<'a> FunctionContext<'a> {
    /// A context without argument types.
    pub fn new(
        format: &'a FormatContext,
        transaction_time_micros: i64,
        statement_time_micros: i64,
        session: &'a dyn SessionFunctions,
    ) -> FunctionContext<'a> {
        FunctionContext {
            format,
            transaction_time_micros,
            statement_time_micros,
            session,
            argument_types: &[],
            result_columns: &[],
        }
    }

    /// To be called every few thousand steps of a loop whose length the arguments decide: ends it with 57014 when the
    /// statement was cancelled or its time is over.
    pub(crate) fn check_interruption(&self) -> SqlResult<()> {
        self.session.check_interruption()
    }

    /// To be called before a value of this many bytes is made, where that is more than the arguments hold: 53200 when
    /// the server has no memory for it.
    pub(crate) fn admit_bytes(&self, bytes: usize) -> SqlResult<()> {
        if bytes > SMALL_VALUE_BYTES { self.session.admit_bytes(bytes) } else { Ok(()) }
    }

    /// The type of one argument of the call at hand, as far as the caller said.
    pub(crate) fn argument_type(&self, index: usize) -> Option<Type> {
        self.argument_types.get(index).copied()
    }
}

/// An advisory lock as a function names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvisoryLock {
    /// The first number, or the upper half of the only one.
    pub high: u32,
    pub low: u32,
    pub is_pair: bool,
    pub scope: LockScope,
    pub is_shared: bool,
}

/// How long a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockScope {
    /// Until it is given back, or the session ends.
    Session,
    /// Until the transaction ends, or rolls back to a savepoint before it.
    Transaction,
}

fn no_advisory_locks() -> SqlError {
    SqlError::unsupported("an advisory lock outside of a session")
}

/// How far the write-ahead log is, as byte positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPositions {
    /// Everything before is durable.
    pub durable: u64,
    /// Where the next record will stand.
    pub end: u64,
}

/// What functions ask of their session; nqdb-session answers. Times are µs since 2000-01-01 UTC.
pub trait SessionFunctions: CatalogFunctions {
    /// The clock, now.
    fn clock_micros(&self) -> i64;
    /// A number in [0, 1) from the session's generator.
    fn random(&self) -> f64;
    /// Sixteen random bytes that nobody can guess.
    fn random_bytes(&self) -> [u8; 16];
    /// Seeds the session's generator, -1 to 1.
    fn set_seed(&self, seed: f64);

    fn current_user(&self) -> String;
    fn session_user(&self) -> String;
    fn current_database(&self) -> String;
    /// The first existing schema of the search path.
    fn current_schema(&self) -> Option<String>;
    /// The value of a setting as SHOW prints it; `None` only if it does not exist and `missing_ok`.
    fn setting(&self, name: &str, missing_ok: bool) -> SqlResult<Option<String>>;
    /// SET or SET LOCAL; gives the value as SHOW prints it. `None` resets to the default.
    fn set_setting(&self, name: &str, value: Option<&str>, is_local: bool) -> SqlResult<String>;

    /// Draws the next value of a sequence.
    fn nextval(&self, sequence: u32) -> SqlResult<i64>;
    /// The value this session drew last from the sequence; 55000 if none.
    fn currval(&self, sequence: u32) -> SqlResult<i64>;
    /// The value this session drew last from any sequence; 55000 if none.
    fn lastval(&self) -> SqlResult<i64>;
    /// Sets a sequence: the next value is the one after, or `value` itself unless `is_called`.
    fn setval(&self, sequence: u32, value: i64, is_called: bool) -> SqlResult<i64>;

    /// The name of a role.
    fn role_name(&self, role: u32) -> Option<String>;
    /// Bytes of a relation itself, or with its indexes and large values.
    fn relation_size(&self, relation: u32, with_indexes: bool) -> SqlResult<Option<i64>>;

    fn backend_pid(&self) -> i32;
    /// The transaction's number; one is assigned if it has none.
    fn transaction_id(&self) -> SqlResult<i64>;
    /// The transaction's number, if it has one.
    fn assigned_transaction_id(&self) -> Option<u64> {
        None
    }
    /// Which transactions the statement at hand sees.
    fn transaction_snapshot(&self) -> SqlResult<TransactionSnapshot> {
        Err(SqlError::internal("no transaction is there to ask"))
    }
    /// What has become of a transaction: `committed`, `aborted` or `in progress`; `None` when nobody knows any longer.
    /// 22023 for a number that was not given out yet.
    fn transaction_status(&self, number: u64) -> SqlResult<Option<&'static str>> {
        let _ = number;
        Err(SqlError::internal("no transactions are there to ask about"))
    }
    /// Whether a long computation may go on: 57014 when the statement was cancelled or its time is over. Also the place
    /// where the session lets others run. Costs about as much as reading a clock.
    fn check_interruption(&self) -> SqlResult<()> {
        Ok(())
    }
    /// 53200 when the server has no memory for one more value of this size.
    fn admit_bytes(&self, bytes: usize) -> SqlResult<()> {
        let _ = bytes;
        Ok(())
    }
    /// Takes an advisory lock, waiting for it: 40P01, 55P03 and 57014 end the wait.
    fn advisory_lock(&self, lock: AdvisoryLock) -> SqlResult<()> {
        let _ = lock;
        Err(no_advisory_locks())
    }
    /// Takes an advisory lock if nobody is in the way.
    fn try_advisory_lock(&self, lock: AdvisoryLock) -> SqlResult<bool> {
        let _ = lock;
        Err(no_advisory_locks())
    }
    /// Gives a lock of the session back; `false`, with a warning, when it has none.
    fn advisory_unlock(&self, lock: AdvisoryLock) -> SqlResult<bool> {
        let _ = lock;
        Err(no_advisory_locks())
    }
    /// Gives all advisory locks of the session back.
    fn advisory_unlock_all(&self) {}
    /// Sends a notification when the transaction commits; 22023 for a channel or a payload that cannot be.
    fn notify(&self, channel: &str, payload: &str) -> SqlResult<()> {
        let _ = (channel, payload);
        Err(SqlError::unsupported("a notification outside of a session"))
    }
    /// The channels that the session listens to, in the order in which it began to.
    fn listening_channels(&self) -> Vec<String> {
        Vec::new()
    }
    /// How much of the room for notifications that nobody has read yet is taken, 0 to 1.
    fn notification_queue_usage(&self) -> f64 {
        0.0
    }
    /// Changes what goes to channels, or what they keep, at the end of the statement.
    fn change_publication(&self, change: PublicationChange) -> SqlResult<()> {
        let _ = change;
        Err(SqlError::unsupported("a publication outside of a session"))
    }
    /// The channel that the changes of a table go to. 42P01 and 42809 for a number of nothing, and of what is no table.
    fn change_channel(&self, table: u32) -> SqlResult<String> {
        let _ = table;
        Err(SqlError::unsupported("a publication outside of a session"))
    }
    /// Waits; ends early with 57014 when the statement is cancelled.
    fn sleep(&self, micros: i64) -> SqlResult<()>;
    /// What the client sent, whole, that the statement at hand is of.
    fn current_query(&self) -> String {
        String::new()
    }
    /// What `version()` prints.
    fn version(&self) -> String;
    fn postmaster_start_micros(&self) -> i64;
    /// The sessions that another session waits for.
    fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        let _ = pid;
        Vec::new()
    }
    /// The sessions on whose transactions it depends whether the snapshot that another session waits for is safe.
    fn safe_snapshot_blocking_pids(&self, pid: i32) -> Vec<i32> {
        let _ = pid;
        Vec::new()
    }
    /// Cancels another session's statement; whether there was such a session.
    fn cancel_backend(&self, pid: i32) -> SqlResult<bool>;
    /// Ends another session; whether there was such a session.
    fn terminate_backend(&self, pid: i32) -> SqlResult<bool>;
    fn is_in_recovery(&self) -> bool {
        false
    }
    /// How far the write-ahead log is.
    fn log_positions(&self) -> SqlResult<LogPositions> {
        Err(SqlError::internal("no log is there to ask about"))
    }
    /// The name of the log's file that holds a position.
    fn log_file_name(&self, position: u64) -> SqlResult<String> {
        let _ = position;
        Err(SqlError::internal("no log is there to ask about"))
    }
    /// Makes the log go on in another file; gives where it had ended. 42501 for who is no superuser.
    fn switch_log(&self) -> SqlResult<u64> {
        Err(SqlError::internal("no log is there to switch"))
    }
}
