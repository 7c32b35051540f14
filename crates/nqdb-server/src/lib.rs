//! The server: reads its configuration, opens the data, serves clients, stops cleanly. It only connects parts.
//!
//! 1. The ready line goes to standard output when, and only when, clients are served; everything else goes to
//!    standard error as log records.
//! 2. It does not start with what it cannot obey: a wrong value, a certificate that does not fit, a data directory in
//!    use, an address that others can reach while roles have no password.
//! 3. SIGTERM and SIGINT end sessions with 57P01, then close the data so that the next start replays no log.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod backup;
mod check;
mod configuration;
mod control;
mod data;
mod descriptors;
mod error;
mod log;
mod restore;
mod serve;
mod watchman;

pub use backup::{BackupCommand, backup, check_backup};
pub use check::{check, check_disk, check_open};
pub use configuration::{Configuration, HttpListen, LogFormat, NotifyOverflow, Options, parse_size};
pub use data::Data;
pub use error::ServerError;
pub use nqdb_txn::RestoreTarget;
pub use restore::{RestoreCommand, parse_moment, parse_position, restore};
pub use serve::{Running, runtime, serve, start, start_on};
