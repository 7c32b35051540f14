//! The analytical executor: queries of the Bound IR as DataFusion physical plans over the tables.
//!
//! ```text
//! Query --subquery--> constants --lower--> ExecutionPlan --executor--> Batch, Batch, ...
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`executor`] | threads, memory, statements and their rows |
//! | `lower` | relations into operators |
//! | `subquery` | uncorrelated subqueries, run before |
//! | `expression` | scalar expressions over batches |
//! | `aggregate` | aggregates over groups |
//! | `grouping_sets` | rows for each grouping set |
//! | `set_operation` | rows of INTERSECT and EXCEPT |
//! | `unfold` | functions that return rows |
//! | `map_rows` | operators that look at one batch at a time |
//! | `window` | window functions over partitions |
//! | `cache` | columns of tables that scans have read, while they are true |
//! | `scan`, `kept` | tables, and the rows of WITH queries, into batches |
//! | `late_columns` | columns of the few rows that are left at the end |
//! | `join_keys` | what a join's built side has, for the scans that are joined with it |
//! | `measure` | rows and times of operators, for EXPLAIN ANALYZE |
//! | `buffers` | what arrays hold, each buffer once |
//! | `memory`, `spill` | the statements' pool, and temporary files for what has no room there |
//! | `watch` | ending what nobody wants any more |
//! | `shape`, `column` | how values lie in arrays |
//! | [`failure`] | errors, and declining |
//!
//! What always holds:
//!
//! 1. What runs here gives the row executor's answer, to the digit; what cannot is declined, and the row executor takes it.
//! 2. DataFusion's planner and optimizer are not used, nor any function or aggregate of its own: their typing, overflow and
//!    evaluation order are not PostgreSQL's. Its joins, sorts, groupings and streams are.
//! 3. Nothing in here writes, waits for a lock, or asks a session.

mod aggregate;
mod buffers;
mod cache;
mod column;
pub mod executor;
mod expression;
pub mod failure;
mod grouping_sets;
mod join_keys;
mod kept;
mod late_columns;
mod lower;
mod map_rows;
mod measure;
mod memory;
mod scan;
mod set_operation;
mod shape;
mod spill;
mod subquery;
mod unfold;
mod watch;
mod window;

pub use cache::CacheStats;
pub use executor::{Analytics, Batch, Request, Running};
pub use failure::Failure;
