//! Definitions in transactions: what a rollback of all, or of a part, leaves behind.

mod bed;
mod savepoints;
