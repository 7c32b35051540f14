//! `min` and `max` over moving frames: the rows that may still become the best one, in order, the best first. A new row
//! ends the chances of those before it that are not better, so each row comes and goes once.

use std::cmp::Ordering;
use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, DynComparator, UInt64Array, make_comparator};
use arrow::compute::{SortOptions, take};
use nqdb_sql::window::{Distance, Frame, FrameCursor};
use nqdb_sqlstate::SqlError;

use super::chunk::{Partition, Surrounded};
use super::{Arguments, Computation};
use crate::failure::Outcome;

pub(super) struct Extremes {
    greatest: bool,
    args: Arguments,
    values: ArrayRef,
    compare: DynComparator,
    frame: Frame<Distance>,
    candidates: VecDeque<usize>,
    found: Vec<Option<u64>>,
}

impl Extremes {
    /// The frame leaves out no rows between its first and its last.
    pub fn new(greatest: bool, args: Arguments, frame: Frame<Distance>, rows: usize) -> Outcome<Extremes> {
        let missing = || SqlError::internal("min or max was called without its argument");
        let values = args.values.first().cloned().ok_or_else(missing)?;
        let compare = make_comparator(values.as_ref(), values.as_ref(), SortOptions::default())?;
        let (candidates, found) = (VecDeque::new(), Vec::with_capacity(rows));
        Ok(Extremes { greatest, args, values, compare, frame, candidates, found })
    }

    fn take_in(&mut self, row: usize) {
        let passes = self.args.filter.as_ref().is_none_or(|filter| filter.value(row));
        if !passes || self.values.is_null(row) {
            return;
        }
        let worse = if self.greatest { Ordering::Less } else { Ordering::Greater };
        while let Some(last) = self.candidates.back() {
            let ordering = (self.compare)(*last, row);
            if ordering != worse && ordering.is_ne() {
                break;
            }
            self.candidates.pop_back();
        }
        self.candidates.push_back(row);
    }
}

impl Computation for Extremes {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()> {
        let first = partition.first;
        let mut cursor = FrameCursor::default();
        let mut taken = 0;
        self.candidates.clear();
        for row in 0..partition.rows() {
            let rows = cursor.rows(&self.frame, partition.place(row), around)?;
            while taken < rows.end {
                self.take_in(first + taken);
                taken += 1;
            }
            while self.candidates.front().is_some_and(|best| *best < first + rows.start) {
                self.candidates.pop_front();
            }
            let best = if rows.is_empty() { None } else { self.candidates.front() };
            self.found.push(best.map(|best| *best as u64));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Outcome<ArrayRef> {
        Ok(take(&self.values, &UInt64Array::from(self.found), None)?)
    }
}
