//! What does not fit into memory, in temporary files.
//!
//! | file | what it does |
//! |---|---|
//! | `files` | DataFusion's sorts and groupings write to the session's temporary files |
//! | `batches` | rows that are kept for an operator, in memory or in files |
//! | `join` | joins whose built side does not fit, part by part |
//!
//! What finds no way to go on with files ends with 53200, and that before a statement's first row means that the row executor
//! does it (`executor`): it goes on with files in everything.

mod batches;
mod files;
mod join;

pub(crate) use files::StatementFiles;
pub(crate) use join::{JoinParts, SpillingJoinExec};
