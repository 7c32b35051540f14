//! Rows for which a statement has no memory: what operators do with temporary files.
//!
//! | file | what it does |
//! |---|---|
//! | `codec` | a value as bytes that say themselves what it is |
//! | `run` | rows behind each other in a file, written once, read in their order |
//! | `merge` | sorted runs as one |
//! | `parts` | rows divided by the hash of their keys, so that a part fits where the whole does not |
//! | `in_order` | results that come part by part, put back into the order of the rows they are made of |
//! | `store` | rows that are asked for by their number |
//!
//! What always holds:
//!
//! 1. An operator asks [`super::Runtime::charge_or_spill`] before it holds another row. Told no, it writes out what it
//!    holds, or sends the row to a file; it always has room for one row.
//! 2. A row is written with all its operator needs of it; nothing in a file refers to memory.
//! 3. The file of an operator goes with its state: at the end of the execution, or when the operator is opened again.

mod codec;
mod in_order;
mod merge;
mod parts;
mod run;
mod store;

pub(crate) use in_order::InOrder;
pub(crate) use merge::Merge;
pub(crate) use parts::{LEVEL_MAX, Part, Parts};
pub(crate) use run::{Run, RunReader};
pub(crate) use store::ChargedRows;
pub use store::RowStore;
