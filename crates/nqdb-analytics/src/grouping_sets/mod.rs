//! GROUPING SETS, ROLLUP and CUBE: rows are repeated for each set, with NULL for the keys that it lacks, and grouped by the
//! keys and the number of the set.
//!
//! ```text
//! states can be merged    rows --group by all keys--> states --repeat--> --group by keys, set--> --finish-->
//! otherwise               rows ------------------------------repeat--> --group by keys, set--> --finish-->
//! ```
//!
//! What always holds:
//!
//! 1. Equal sets are different groups, as SQL has it: their numbers differ.
//! 2. A set without keys has one group even over no rows; any other has none then.

mod finish;
mod repeat;

pub(crate) use finish::FinishSetsExec;
pub(crate) use repeat::{Around, Repetition};
