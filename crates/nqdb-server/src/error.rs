//! Why the server does not start, or what `check` cannot do.

use std::path::PathBuf;

use nqdb_sqlstate::SqlError;
use nqdb_storage::StorageError;
use nqdb_txn::TxnError;
use nqdb_wire::{ListenerError, TlsError};

/// What ends the program before, or instead of, serving.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A flag, environment variable or line of the file is wrong.
    #[error("{0}")]
    Configuration(String),
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}")]
    ReadConfiguration { path: PathBuf, source: std::io::Error },
    /// The data directory cannot be made or entered.
    #[error("cannot use the data directory {path}: {source}")]
    DataDirectory { path: PathBuf, source: std::io::Error },
    /// Others could read or change the data.
    #[error(
        "the data directory {path} has invalid permissions: they should be u=rwx (0700) or u=rwx,g=rx (0750); \
         set them with chmod"
    )]
    OpenDirectory { path: PathBuf },
    /// A mistaken path, most likely.
    #[error(
        "the directory {path} is no data directory and is not empty: it holds \"{name}\". Give an empty or a new \
         directory"
    )]
    ForeignDirectory { path: PathBuf, name: String },
    /// The data cannot be opened.
    #[error("cannot open the data directory {path}: {source}")]
    Open { path: PathBuf, source: TxnError },
    /// The catalog cannot be read or made.
    #[error("cannot open the catalog: {0}")]
    Catalog(SqlError),
    /// Nobody answers on the control socket of a data directory.
    #[error("no server answers on the data directory {path}: {source}")]
    NoServer { path: PathBuf, source: std::io::Error },
    /// The control socket cannot be made.
    #[error("cannot listen in the data directory {path}: {source}")]
    ListenControl { path: PathBuf, source: std::io::Error },
    /// A backup cannot be taken or used.
    #[error("{0}")]
    Backup(String),
    /// A directory is not the backup that was asked for.
    #[error("cannot use the backup {path}: {source}")]
    BackupDirectory { path: PathBuf, source: StorageError },
    /// An archive of the log cannot be used.
    #[error("cannot use the archive {path}: {source}")]
    Archive { path: PathBuf, source: std::io::Error },
    /// A restore failed; what it has written is no database.
    #[error("cannot restore to {path}: {source}")]
    Restore { path: PathBuf, source: TxnError },
    /// A listener cannot start.
    #[error(transparent)]
    Listen(#[from] ListenerError),
    /// The HTTP listener cannot start.
    #[error("cannot listen on {address} for HTTP: {source}")]
    ListenHttp { address: String, source: std::io::Error },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Others could reach roles that need no password.
    #[error(
        "refusing to listen on {address}: these roles can log in and have no password: {roles}. Set passwords \
         (ALTER ROLE ... PASSWORD), listen on a loopback address, or pass --allow-passwordless-roles to serve such \
         roles to this machine only"
    )]
    Passwordless { address: String, roles: String },
    /// The operating system refuses something else.
    #[error("{what}: {source}")]
    System { what: &'static str, source: std::io::Error },
}
