//! What an index takes from rows beside their columns: values of expressions, and whether a row has an entry at all.
//!
//! This layer knows rows as values and no expressions. Who defines an index gives it a function from the values of some
//! columns; the key of any version of a row, old ones included, is computed by it whenever it is needed.
//!
//! ```text
//! version of a row --> values of `reads` --> `compute` --+--> values, which the key names by their number
//!                                                        +--> none: the version has no entry
//!                                                        +--> an error
//! ```
//!
//! What always holds:
//!
//! 1. The function is a pure one: it answers the same for the same values, now and after a restart, and asks nobody.
//! 2. It failed for no version that has an entry: a write whose key fails is refused, and so is the building of an index.
//!    It may fail for versions that were gone or replaced before the index was built; purge is the only one to meet
//!    these.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;
use std::any::Any;

/// Computes what an index needs of a row.
pub trait Computation: Send + Sync {
    /// Positions of the columns that it reads, in the order in which it takes their values.
    fn reads(&self) -> &[usize];

    /// The values that the key names from [`nqdb_types::key::COMPUTED_FROM`] on; `None` when the row has no entry.
    fn compute(&self, values: Vec<Datum>) -> SqlResult<Option<Vec<Datum>>>;

    /// For the layer that gave it.
    fn as_any(&self) -> &dyn Any;
}
