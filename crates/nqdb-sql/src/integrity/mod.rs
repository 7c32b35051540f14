//! Constraints that are checked after the rows are written: foreign keys, and unique keys that are deferrable.
//!
//! ```text
//! INSERT, UPDATE, DELETE, MERGE, COPY --> events, gathered in the frame (watch)
//!                                            |
//!                              end of the statement
//!              immediate  <-----------------/ \-----------------> deferred: kept with the transaction (state)
//!                  |                                                 |  SET CONSTRAINTS, COMMIT
//!                  +<------------------------------------------------+
//!                  v
//!      firing: one event after the other --> look for the row that is referred to; for rows that refer (queries)
//!                  ^                     \-> CASCADE, SET NULL, SET DEFAULT: a statement of its own
//!                  +---- its events ------/
//! ```
//!
//! What always holds:
//! 1. A plan knows what is to be watched ([`Watch`]): a table without such constraints, and an UPDATE that sets none of their
//!    columns, has nothing to do per row.
//! 2. Events run in the order in which they came about; what an action causes is put behind them. So cascades nest to any
//!    depth without recursion, and end because each of them takes a row away from its key.
//! 3. Checks look past the statement's snapshot: under READ COMMITTED at everything that is committed by now, synced or not,
//!    for a lock may just have been given by a commit that is not synced yet. Under REPEATABLE READ and above the row that is referred
//!    to must be in the transaction's snapshot; rows that refer are found outside of it too, and changing those is 40001.
//! 4. The row that is referred to is locked FOR KEY SHARE to the end of the transaction, and who takes a key away looks for
//!    rows that refer to it after it has done so. Whoever comes second waits for the first, so no row is left without its
//!    partner.
//! 5. Rows are read again when they are checked: one that is gone is skipped, one that was changed since counts as it is.
//! 6. Everything runs under the relation locks that the plan of the statement took ([`relations`]).

mod firing;
mod names;
mod probe;
mod queries;
mod relations;
mod state;
mod violation;
mod watch;

pub use firing::{DeferredFiring, Selection};
pub(crate) use firing::{Firing, settle};
pub use names::constraints_named;
pub(crate) use queries::key_match;
pub(crate) use relations::relations;
pub use state::{ConstraintMark, Constraints};
pub(crate) use violation::{missing_key, mixed_nulls};
pub(crate) use watch::{Changes, Event, Watch};
