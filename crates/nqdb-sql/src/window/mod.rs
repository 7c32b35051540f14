//! What window functions compute, once the rows of a partition lie there in their order: for both executors.
//!
//! | file | what it does |
//! |---|---|
//! | `peers` | which rows of a partition are equal in its order |
//! | `frame` | which rows a call sees |
//! | `function` | row_number, rank, lag, first_value and the like |
//! | `aggregate` | aggregates over a moving frame |
//!
//! What always holds:
//! 1. Rows are numbered from 0 within their partition, and asked for in their order: state only moves forward. Frames whose
//!    bounds do not go back cost each row once (see `aggregate` for what cannot take rows out again).
//! 2. Nothing in here knows where values are kept; an executor gives them by row number.
//!
//! Left out: how partitions come about, which is a sort of the executor's.

mod aggregate;
mod frame;
mod function;
mod peers;

use nqdb_functions::FunctionContext;
use nqdb_sqlstate::SqlResult;

pub use aggregate::{Arguments, MovingAggregate, RowArguments};
pub use frame::{Bound, Distance, Frame, FrameCursor, FrameRows, Place, RangeKey, Side, checked_distance};
pub use function::{Ntile, neighbour, rank, row_in_frame};
pub use peers::Peers;

/// What computing needs of its executor.
pub trait Surroundings {
    /// Counts a row that a frame looks at; fails when the statement is to end.
    fn count_row(&mut self) -> SqlResult<()>;
    /// What functions need beyond their arguments.
    fn functions(&self) -> &FunctionContext<'_>;
    /// Takes memory from the statement's account; 53200 when it has not so much.
    fn charge(&mut self, bytes: usize) -> SqlResult<()>;
    /// Gives back what was charged.
    fn release(&mut self, bytes: usize);
}
