//! How deep the trees of a statement can get, counted while it is bound.
//!
//! Everything behind the binder walks relations by recursion: rewriting, planning, EXPLAIN, execution, and dropping what
//! these made. Its depth comes from more than the text: FROM lists and joins lean to the left and may be ordered anew,
//! WITH queries and views stand in each other's place. So each part counts by what it may add to the depth, wherever it
//! stands, and all parts of a query add up; only of the two sides of a set operation the higher one counts, since no
//! rewrite puts one above the other. What is let through has room on a stack of [`crate::parse::STACK_BYTES`].
//!
//! Depth within expressions is bounded by [`super::EXPRESSION_DEPTH_MAX`] for the statement as a whole.

use nqdb_sqlstate::SqlResult;

use super::Binder;
use crate::ir::Query;

/// The most levels that a statement may count.
const LEVELS_MAX: usize = 20_000;

/// An item of FROM: a join, a scan, and the conditions between them.
pub(super) const OF_FROM_ITEM: usize = 12;
/// A query: its grouping, sorting, columns, limit.
pub(super) const OF_QUERY: usize = 2;
/// A set operation above its sides.
const OF_SET_OPERATION: usize = 1;
/// A window over the rows of a query.
pub(super) const OF_WINDOW: usize = 4;

impl Binder<'_> {
    /// Counts a part of the query at hand: 54001 when the statement gets too deep. Also the place where a bind that takes
    /// long looks whether it may go on: 57014.
    pub(super) fn add_levels(&mut self, levels: usize) -> SqlResult<()> {
        self.levels += levels;
        if self.levels > LEVELS_MAX {
            return Err(crate::parse::stack_depth_error()
                .with_hint(format!("A query may have about {} relations.", LEVELS_MAX / (OF_FROM_ITEM + OF_QUERY))));
        }
        self.cx.session.check_interruption()
    }

    /// Binds the sides of a set operation, which count as the higher of the two.
    pub(super) fn bind_sides(
        &mut self,
        left: impl FnOnce(&mut Self) -> SqlResult<Query>,
        right: impl FnOnce(&mut Self) -> SqlResult<Query>,
    ) -> SqlResult<(Query, Query)> {
        let around = std::mem::take(&mut self.levels);
        let left = left(self)?;
        let left_levels = std::mem::take(&mut self.levels);
        let right = right(self)?;
        let higher = left_levels.max(self.levels);
        self.levels = around;
        self.add_levels(higher + OF_SET_OPERATION)?;
        Ok((left, right))
    }
}
