//! One client's session: transaction block, prepared statements, portals, settings, COPY, cancel.
//!
//! | module | what it holds |
//! |---|---|
//! | `instance`, `registry` | what all sessions share; who exists and can be cancelled |
//! | `session` | the state of one client between its messages |
//! | `simple`, `extended` | the two protocols, as calls |
//! | `run`, `commands`, `copy`, `copy_file` | executing one statement |
//! | `block`, `transaction` | the transaction block |
//! | `prepared`, `portal`, `plan_cache`, `shapes` | statements with their plans |
//! | `cursor`, `kept_rows`, `row_target` | DECLARE, FETCH, MOVE, CLOSE; the rows to which a cursor goes back; where rows go |
//! | `database` | entering a database; keeping sessions away from one |
//! | `temporary` | temporary tables: ON COMMIT, and their end with the session |
//! | `settings` | SET, SHOW, and what a rollback takes back |
//! | `admission` | clients of other protocols |
//! | `notifications` | LISTEN, UNLISTEN, NOTIFY |
//! | `kept_channels` | channels whose messages are kept in tables |
//! | `latency` | how long requests take |
//! | `advisory` | locks that functions take |
//! | `surroundings` | what SQL functions may ask of their session |
//! | `client_sink` | where answers go |
//!
//! No sockets and no message formats: a transport calls [`Session`] and implements [`ClientSink`]. The calls are
//! asynchronous because a session waits (for row locks, for the log, for a slow client) without holding a thread.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod admission;
mod advisory;
mod analytical;
mod block;
mod catalog_functions;
mod client_sink;
mod commands;
mod connections;
mod constraints;
mod copy;
mod copy_file;
mod cursor;
mod database;
mod deadlock_report;
pub mod encoding;
mod extended;
mod identity;
mod instance;
mod kept_channels;
mod kept_rows;
mod latency;
mod live;
mod lock_table;
mod notifications;
mod plan_cache;
mod portal;
mod prepared;
mod publication;
mod registry;
mod row_target;
mod run;
mod session;
pub mod settings;
mod shapes;
mod simple;
mod surroundings;
mod system_session;
mod table_changes;
mod temporary;
mod transaction;
mod two_phase;

pub use admission::{Admission, valid_verifier};
pub use block::Block;
pub use client_sink::{ClientSink, Formats, PENDING_BYTES_MAX};
pub use connections::{Connected, Connection, Connections};
pub use extended::BindRequest;
pub use instance::{Counter, Instance, InstanceOptions, Metrics, hub_options};
pub use latency::Latency;
pub use live::{LIVE_DATABASE, LiveFollower, LiveRequest};
pub use notifications::listener_dropped;
pub use nqdb_catalog::CHANGE_CHANNEL_PREFIX;
pub use nqdb_sql::ir::OutputColumn;
pub use registry::{Activity, Backend, Registration, Registry, reserved_places, terminated};
pub use session::{CommandEnd, Failure, Session};
pub use settings::{Authority, Settings, parse_bool};
