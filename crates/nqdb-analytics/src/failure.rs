//! Why an analytical execution ends early, and how that travels through DataFusion.
//!
//! Two kinds: an error that is the client's, and *declining*: the query, or a value that it met, is none that this
//! executor gives exactly. A query that declines is run by the row executor from its start; so a plan that may decline
//! after its first rows keeps them back until it is through.

use datafusion_common::DataFusionError;
use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError};
use nqdb_txn::TxnError;
use nqdb_types::row::Corrupt;

/// Why it ended.
#[derive(Debug)]
pub enum Failure {
    /// The client's error.
    Sql(SqlError),
    /// The row executor must do it; the reason is for whoever looks into it.
    Declined(&'static str),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// The error, where nothing can be declined any more.
    pub fn too_late(self) -> SqlError {
        match self {
            Failure::Sql(error) => error,
            Failure::Declined(reason) => SqlError::internal(reason),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Sql(error) => error.fmt(f),
            Failure::Declined(reason) => write!(f, "not for the analytical executor: {reason}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Sql(error)
    }
}

impl From<TxnError> for Failure {
    fn from(error: TxnError) -> Failure {
        Failure::Sql(error.into())
    }
}

impl From<Corrupt> for Failure {
    fn from(error: Corrupt) -> Failure {
        Failure::Sql(error.into())
    }
}

impl From<Failure> for DataFusionError {
    fn from(failure: Failure) -> DataFusionError {
        DataFusionError::External(Box::new(failure))
    }
}

impl From<arrow::error::ArrowError> for Failure {
    fn from(error: arrow::error::ArrowError) -> Failure {
        Failure::from(DataFusionError::from(error))
    }
}

impl From<DataFusionError> for Failure {
    /// Finds what was wrapped on the way; a full memory pool is 53200, anything else that DataFusion says is our fault.
    fn from(error: DataFusionError) -> Failure {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Failure>() {
                Ok(failure) => *failure,
                Err(inner) => match inner.downcast::<DataFusionError>() {
                    Ok(error) => Failure::from(*error),
                    Err(inner) => unexpected(&inner.to_string()),
                },
            },
            DataFusionError::Context(_, inner) => Failure::from(*inner),
            DataFusionError::IoError(error) => of_file(error),
            DataFusionError::ArrowError(inner, _) => match *inner {
                arrow::error::ArrowError::ExternalError(inner) => Failure::from(DataFusionError::External(inner)),
                arrow::error::ArrowError::IoError(_, error) => of_file(error),
                other => unexpected(&other.to_string()),
            },
            DataFusionError::ResourcesExhausted(detail) => exhausted(detail),
            DataFusionError::Shared(inner) => shared(&inner),
            other => unexpected(&other.to_string()),
        }
    }
}

/// What went wrong with a temporary file travels within the error of a writer.
fn of_file(error: std::io::Error) -> Failure {
    let message = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Failure>()) {
        Some(Ok(failure)) => *failure,
        _ => unexpected(&message),
    }
}

/// The pool of all statements is used up.
fn exhausted(detail: String) -> Failure {
    let hint = "Raise the server's --memory, or run fewer large statements at the same time.";
    Failure::Sql(SqlError::new(OUT_OF_MEMORY, "out of memory").with_detail(detail).with_hint(hint))
}

/// An error that several partitions get alike.
fn shared(error: &DataFusionError) -> Failure {
    match error {
        DataFusionError::External(inner) => match inner.downcast_ref::<Failure>() {
            Some(Failure::Sql(error)) => Failure::Sql(error.clone()),
            Some(Failure::Declined(reason)) => Failure::Declined(reason),
            None => unexpected(&inner.to_string()),
        },
        DataFusionError::Context(_, inner) => shared(inner),
        DataFusionError::Shared(inner) => shared(inner),
        DataFusionError::IoError(error) => shared_of_file(error),
        DataFusionError::ArrowError(inner, _) => match &**inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast_ref::<Failure>() {
                Some(Failure::Sql(error)) => Failure::Sql(error.clone()),
                Some(Failure::Declined(reason)) => Failure::Declined(reason),
                None => unexpected(&inner.to_string()),
            },
            arrow::error::ArrowError::IoError(_, error) => shared_of_file(error),
            other => unexpected(&other.to_string()),
        },
        DataFusionError::ResourcesExhausted(detail) => exhausted(detail.clone()),
        other => unexpected(&other.to_string()),
    }
}

fn shared_of_file(error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
        Some(Failure::Sql(error)) => Failure::Sql(error.clone()),
        Some(Failure::Declined(reason)) => Failure::Declined(reason),
        None => unexpected(&error.to_string()),
    }
}

fn unexpected(message: &str) -> Failure {
    Failure::Sql(SqlError::internal(format!("the analytical executor failed: {message}")))
}
