//! The row executor: runs a plan one row at a time over a slot array.

mod contract;

pub use contract::{CommandTag, ExecContext, RowSink, Step};
