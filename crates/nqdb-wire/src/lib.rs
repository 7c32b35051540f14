//! The PostgreSQL protocol, version 3, over TCP, TLS and Unix sockets.
//!
//! This crate turns bytes into calls on [`nqdb_session::Session`] and answers into bytes; it has never heard of
//! tables or plans.
//!
//! ```text
//!   listener ── accept, limits ──> connection ──> startup (SSLRequest, StartupMessage, SCRAM)
//!                                      │
//!                bytes ──> frame (guard) ──> frontend (decode in place) ──> Session
//!                bytes <── client (one output buffer) <───────────────────────┘
//! ```
//!
//! What always holds:
//! 1. Nothing that a client sends panics: [`frame`] checks the type and length of a message before its body is
//!    awaited, [`frontend`] checks every count and string inside it. What is wrong is answered with 08P01.
//! 2. Before a client is known it can make us hold at most [`frame::UNAUTHENTICATED_MESSAGE_BYTES_MAX`] bytes.
//! 3. Bytes that arrived before a TLS handshake never count as sent inside of it.
//! 4. Answers are collected and written at Sync, at the end of a simple query, or when the buffer is full; a slow
//!    reader stops its own session only.
//! 5. Notifications go out between transactions only: before ReadyForQuery, and at once to a client that is idle.
//! 6. A panic inside a session ends that session with XX000 and rolls its transaction back; others go on.
//!
//! Left out: GSSAPI encryption (answered 'N'), the FunctionCall message (0A000), MD5 and clear-text passwords,
//! streaming replication.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod authenticate;
mod client;
mod connection;
pub mod frame;
pub mod frontend;
mod listener;
mod notifications;
mod startup;
mod tls;

pub use listener::{ListenerError, Listeners, WireOptions};
pub use tls::{TlsError, TlsIdentity};
