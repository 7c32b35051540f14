//! The whole server over the network: the protocol, logins, limits, and its answers beside PostgreSQL's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod blocks;
mod column_cache;
mod damage;
mod databases;
mod hostile;
mod limits;
mod login;
mod privileges;
mod protocol;
mod serializable;
mod statements;
mod support;
mod unsynced;
