//! What can go wrong in a transaction, and how a client hears of it.
//!
//! [`TxnError::Wait`] is not a failure: the caller waits (see [`Wait`]) and calls again; nothing was written.

use crate::ids::RowId;
use crate::wait::Wait;
use nqdb_sqlstate::{self as sqlstate, SqlError};
use nqdb_storage::StorageError;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TxnError>;

/// Why a call did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TxnError {
    /// Somebody else must end or give way first. Nothing was written: wait, then make the same call again.
    #[error("must wait")]
    Wait(Wait),
    /// `40001`: REPEATABLE READ met a row that was changed after its snapshot was taken.
    #[error("could not serialize access due to concurrent {}", if *.deleted { "delete" } else { "update" })]
    SerializationFailure {
        /// The other transaction deleted the row; otherwise it updated it.
        deleted: bool,
    },
    /// `40001`: SERIALIZABLE, and no serial order would explain what this transaction and others have read and written.
    #[error("could not serialize access due to read/write dependencies among transactions")]
    Unserializable {
        /// What PostgreSQL's detail calls the reason: "identification as a pivot, during write", for example.
        reason: String,
    },
    /// `40P01`: this transaction was chosen to break a cycle of waits.
    #[error("deadlock detected")]
    Deadlock {
        /// PostgreSQL's detail: one line for each member of the cycle.
        detail: String,
        /// The process numbers of its members, in the same order.
        processes: Vec<i32>,
    },
    /// `55P03`: `lock_timeout` passed.
    #[error("canceling statement due to lock timeout")]
    LockTimeout,
    /// `55P03`: NOWAIT met a lock. The caller knows the relation's name.
    #[error("could not obtain lock")]
    LockNotAvailable,
    /// `23505`: another live row has the same key. The caller knows the names and values.
    #[error("duplicate key value violates unique constraint")]
    UniqueViolation {
        /// Position of the index in [`crate::TableStore::indexes`].
        index: usize,
        /// The row that has the key already.
        row_id: RowId,
    },
    /// `54000`: the row does not fit a page, even with its large values moved out.
    #[error("row is too big: size {size}, maximum size {max}")]
    RowTooBig {
        /// Bytes of the row image.
        size: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// `54000`: an index key is too long.
    #[error("index row size {size} exceeds maximum {max}")]
    KeyTooLong {
        /// Position of the index in [`crate::TableStore::indexes`].
        index: usize,
        /// Bytes of the encoded key.
        size: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// `53200`: the table of locks is full.
    #[error("out of shared memory")]
    LockTableFull,
    /// The storage below failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Stored bytes contradict themselves: `XX001`.
    #[error("{0}")]
    Corrupt(String),
    /// An error that already has its SQLSTATE.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl TxnError {
    /// Stored bytes that cannot be what this crate wrote.
    pub(crate) fn corrupt(what: impl Into<String>) -> TxnError {
        TxnError::Corrupt(what.into())
    }

    /// What is to be waited for, or the error itself.
    pub fn into_wait(self) -> Result<Wait> {
        match self {
            TxnError::Wait(wait) => Ok(wait),
            other => Err(other),
        }
    }
}

impl From<TxnError> for SqlError {
    fn from(error: TxnError) -> SqlError {
        let message = error.to_string();
        match error {
            TxnError::Wait(_) => SqlError::internal("a wait was not waited for"),
            TxnError::SerializationFailure { .. } => SqlError::new(sqlstate::SERIALIZATION_FAILURE, message),
            TxnError::Unserializable { reason } => SqlError::new(sqlstate::SERIALIZATION_FAILURE, message)
                .with_detail(format!("Reason code: Canceled on {reason}."))
                .with_hint("The transaction might succeed if retried."),
            TxnError::Deadlock { detail, processes: _ } => SqlError::new(sqlstate::DEADLOCK_DETECTED, message)
                .with_detail(detail)
                .with_hint("See server log for query details."),
            TxnError::LockTimeout | TxnError::LockNotAvailable => SqlError::new(sqlstate::LOCK_NOT_AVAILABLE, message),
            TxnError::UniqueViolation { .. } => SqlError::new(sqlstate::UNIQUE_VIOLATION, message),
            TxnError::RowTooBig { .. } | TxnError::KeyTooLong { .. } => {
                SqlError::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
            }
            TxnError::LockTableFull => SqlError::new(sqlstate::OUT_OF_MEMORY, message)
                .with_hint("You might need to increase max_locks_per_transaction."),
            TxnError::Corrupt(_) => SqlError::new(sqlstate::DATA_CORRUPTED, message),
            TxnError::Storage(storage) => storage_error(storage),
            TxnError::Sql(sql) => sql,
        }
    }
}

/// Gives a storage failure the SQLSTATE that PostgreSQL gives to the like.
fn storage_error(error: StorageError) -> SqlError {
    let message = error.to_string();
    let code = match error {
        StorageError::DiskFull { .. } => sqlstate::DISK_FULL,
        StorageError::Corrupt { .. } => sqlstate::DATA_CORRUPTED,
        StorageError::KeyTooLong { .. } | StorageError::EntryTooLarge { .. } => sqlstate::PROGRAM_LIMIT_EXCEEDED,
        StorageError::OutOfFrames { .. } => sqlstate::OUT_OF_MEMORY,
        StorageError::Io { .. } | StorageError::LogFailed => sqlstate::IO_ERROR,
        StorageError::InUse => sqlstate::OBJECT_IN_USE,
        StorageError::Refused { .. } => sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
        StorageError::OtherFormat { .. } | StorageError::NoDatabase | StorageError::AlreadyExists { .. } => {
            sqlstate::SYSTEM_ERROR
        }
        StorageError::GroupTooLarge { .. } | StorageError::Internal { .. } => sqlstate::INTERNAL_ERROR,
    };
    SqlError::new(code, message)
}
