//! What a rollback will need to make rows longer again.
//!
//! An update that shortens its row leaves room in the leaf, which other rows of the leaf may take while the transaction
//! runs. Undoing the update may then have to split the leaf, and a split needs log space and a page. Both are taken
//! before the change, so that a rollback works on a full disk:
//!
//! 1. One split for each leaf in which a row was shortened: it frees half a page.
//! 2. One more for each quarter of a page by which rows were shortened.
//! 3. One more for each 64 of these, for the pages above, which have more than twice as many children; and once what it
//!    takes to split up to the root.
//!
//! Only [`LEAVES_MAX`] leaves are told apart. A transaction that shortens rows of more leaves than that relies on the disk
//! for the others, should it roll back after others have filled them.

use nqdb_storage::tree::Tree;
use nqdb_storage::{PAGE_SIZE, PageId};
use std::collections::HashSet;

/// Leaves whose splits are provided for: 144 MiB of log or so, and as many of pages.
const LEAVES_MAX: usize = 16_384;

const BYTES_PER_SPLIT: usize = PAGE_SIZE / 4;
const SPLITS_PER_INNER_SPLIT: u32 = 64;

/// The most splits that one more shortened row adds: its leaf's, two for its bytes, and one above.
const SPLITS_OF_A_ROW_MAX: u32 = 4;

/// The shortened rows of a transaction.
#[derive(Default)]
pub(crate) struct Growth {
    leaves: HashSet<PageId>,
    last_leaf: PageId,
    bytes: usize,
    splits: u32,
}

impl Growth {
    /// Whether a row was shortened so far.
    pub(crate) fn is_expected(&self) -> bool {
        self.bytes > 0
    }

    /// A row in `leaf` was made shorter by `bytes`.
    pub(crate) fn note(&mut self, leaf: PageId, bytes: usize) {
        if leaf != self.last_leaf && self.leaves.len() < LEAVES_MAX && self.leaves.insert(leaf) {
            self.splits += 1;
        }
        self.last_leaf = leaf;
        let before = self.bytes / BYTES_PER_SPLIT;
        self.bytes += bytes;
        self.splits += (self.bytes / BYTES_PER_SPLIT - before) as u32;
    }

    /// Log bytes and pages that the rollback may need for what was noted.
    pub(crate) fn promised(&self) -> (usize, u32) {
        if !self.is_expected() {
            return (0, 0);
        }
        let (log_bytes, pages) = Tree::split_credit(self.splits + self.splits / SPLITS_PER_INNER_SPLIT);
        (log_bytes + Tree::SPLIT_TO_ROOT_CREDIT.0, pages + Tree::SPLIT_TO_ROOT_CREDIT.1)
    }

    /// What one more shortened row may add to [`Growth::promised`].
    pub(crate) fn one_more(&self) -> (usize, u32) {
        let (log_bytes, pages) = Tree::split_credit(SPLITS_OF_A_ROW_MAX);
        let (above_log_bytes, above_pages) = if self.is_expected() { (0, 0) } else { Tree::SPLIT_TO_ROOT_CREDIT };
        (log_bytes + above_log_bytes, pages + above_pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_adds_no_more_than_was_prepared_for_it() {
        let mut growth = Growth::default();
        for number in 0..10_000_u64 {
            let (before, more) = (growth.promised(), growth.one_more());
            growth.note(PageId(number * 7919 % 3000 + 1), number as usize * 13 % 3_976 + 1);
            let after = growth.promised();
            assert!(after.0 <= before.0 + more.0 && after.1 <= before.1 + more.1, "row {number}");
        }
        assert!(growth.promised().1 > 3000);
    }

    #[test]
    fn leaves_are_counted_once_and_up_to_a_limit() {
        let mut growth = Growth::default();
        for round in 0..3 {
            for leaf in 1..=100 {
                growth.note(PageId(leaf), 1);
            }
            assert_eq!(growth.splits, 100, "round {round}");
        }
        for leaf in 0..2 * LEAVES_MAX as u64 {
            growth.note(PageId(leaf + 1), 0);
        }
        assert_eq!(growth.splits, LEAVES_MAX as u32);
    }
}
