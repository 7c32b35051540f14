//! Servers for tests: nqdb itself and a private PostgreSQL 15 to compare with.
//!
//! 1. Every server listens on loopback, on a port that was free, with a data directory of its own, and is
//!    stopped and removed when its handle is dropped.
//! 2. A missing program is an error that says what to install, never a skipped test.

pub mod channel_client;
pub mod differential;
pub mod history;
mod nqdb_server;
mod postgres_server;
pub mod under_fire;

pub use nqdb_server::NqdbServer;
pub use postgres_server::PostgresServer;

/// A port that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
