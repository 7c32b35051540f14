//! Definitions in transactions: what a rollback of all, or of a part, or a crash leaves behind.

mod bed;
mod creation;
mod databases;
mod indexes;
mod leftovers;
mod savepoints;
mod sequences;
