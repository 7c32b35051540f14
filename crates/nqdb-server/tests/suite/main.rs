//! The whole server over the network: the protocol, logins, limits, and its answers beside PostgreSQL's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blocks;
mod login;
mod protocol;
mod support;
