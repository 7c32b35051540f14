//! The whole server over the network: the protocol, logins, limits, and its answers beside PostgreSQL's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod blocks;
mod column_cache;
mod damage;
mod databases;
mod foreign_keys;
mod hostile;
mod limits;
mod login;
mod notify;
mod notify_writers;
mod privileges;
mod protocol;
mod realtime;
mod realtime_abuse;
mod serializable;
mod spilling;
mod statements;
mod support;
mod table_changes;
mod unsynced;
