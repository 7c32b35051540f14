//! Rows that no join above has a partner for.
//!
//! The join's built side is read to its end before it asks for the first row of this scan, so that its keys are known then.
//! Where they are not, or most rows have a partner, nothing is tested: the join itself is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::BooleanArray;

use super::Shared;
use super::admit::Columns;
use crate::cache::Packed;
use crate::join_keys::JoinKeys;

/// Rows after which a test is judged.
const ROWS_ON_TRIAL: u64 = 64 * 1024;

/// A test of one column.
pub(super) struct PartnerTest {
    column: usize,
    keys: Arc<JoinKeys>,
    tested: AtomicU64,
    passed: AtomicU64,
}

impl PartnerTest {
    pub fn new(column: usize, keys: Arc<JoinKeys>) -> PartnerTest {
        PartnerTest { column, keys, tested: AtomicU64::new(0), passed: AtomicU64::new(0) }
    }

    /// The rows of `mask` that may have a partner; `None` where that is not known, or is no longer worth asking.
    pub fn run(&self, columns: &Columns, mask: Option<&BooleanArray>) -> Option<BooleanArray> {
        let keys = self.keys.get()?;
        if !self.is_worth_it() {
            return None;
        }
        let passes = match columns {
            Columns::Packed(columns) => columns.get(self.column)?.among(keys, mask)?,
            Columns::Arrays(columns) => keys.test_array(columns.get(self.column)?, mask)?,
        };
        let tested = mask.map_or(passes.len(), BooleanArray::true_count);
        self.tested.fetch_add(tested as u64, Ordering::Relaxed);
        self.passed.fetch_add(passes.true_count() as u64, Ordering::Relaxed);
        Some(passes)
    }

    /// At least a quarter of the rows must go.
    fn is_worth_it(&self) -> bool {
        let tested = self.tested.load(Ordering::Relaxed);
        tested < ROWS_ON_TRIAL || self.passed.load(Ordering::Relaxed) * 4 < tested * 3
    }

    /// Whether no row of a segment has a partner, by its least and greatest value.
    fn excludes(&self, columns: &[Arc<Packed>]) -> bool {
        let Some(keys) = self.keys.get() else { return false };
        let Some(column) = columns.get(self.column) else { return false };
        column.bounds().is_some_and(|values| keys.are_all_outside(values))
    }
}

impl Shared {
    /// Whether no row of a segment has partners. Not where a condition would have to be tested first, because it can fail.
    pub(super) fn has_no_partners(&self, columns: &[Arc<Packed>]) -> bool {
        !self.filters.iter().any(|filter| filter.expression.can_fail)
            && self.partners.read().iter().any(|test| test.excludes(columns))
    }
}
