//! Which rows of its partition a call sees from the current row.
//!
//! What always holds:
//! 1. From one row to the next neither bound of a frame goes back. RANGE with an offset relies on it: its bounds are
//!    found by walking on from where they were.
//! 2. A frame is the rows `start .. end` without those of `hole`, and with `kept`, which lies in the hole.

use nqdb_functions::InRange;
use nqdb_sqlstate::{INVALID_PRECEDING_OR_FOLLOWING_SIZE, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::Datum;

use super::Partition;
use crate::exec::expression::Eval;
use crate::exec::runtime::Runtime;
use crate::exec::sort::SortColumn;
use crate::ir::{FrameExclusion, FrameUnit};

/// A frame clause.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub unit: FrameUnit,
    pub start: Bound,
    pub end: Bound,
    pub exclusion: FrameExclusion,
}

#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Unbounded,
    CurrentRow,
    Preceding(Offset),
    Following(Offset),
}

#[derive(Clone, Debug)]
pub(crate) struct Offset {
    pub distance: Eval,
    pub in_range: Option<InRange>,
}

/// The values of a frame's offsets, NULL where a bound has none.
pub(super) struct Offsets {
    start: Datum,
    end: Datum,
}

impl Default for Offsets {
    fn default() -> Offsets {
        Offsets { start: Datum::Null, end: Datum::Null }
    }
}

/// The current row and what is around it.
pub(super) struct Place<'p> {
    pub partition: &'p mut Partition,
    pub order: &'p [SortColumn],
    pub row: usize,
}

/// The rows of a frame, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameRows {
    pub start: usize,
    /// Behind the last one; never before `start`.
    pub end: usize,
    /// Rows that are left out: the first, and the one behind the last. Within the frame.
    pub hole: (usize, usize),
    /// A row of the hole that is not left out.
    pub kept: Option<usize>,
}

/// Where the bounds of a RANGE frame with offsets are.
#[derive(Default)]
pub(super) struct FrameCursor {
    head: usize,
    tail: usize,
}

impl Frame {
    /// Evaluates the offsets: 22004 for NULL, 22013 for what is negative.
    pub(super) fn evaluate_offsets(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Offsets> {
        Ok(Offsets {
            start: self.evaluate_offset(&self.start, "starting", rt)?,
            end: self.evaluate_offset(&self.end, "ending", rt)?,
        })
    }

    fn evaluate_offset(&self, bound: &Bound, which: &str, rt: &mut Runtime<'_, '_>) -> SqlResult<Datum> {
        let (Bound::Preceding(offset) | Bound::Following(offset)) = bound else { return Ok(Datum::Null) };
        let value = offset.distance.eval(rt)?;
        if value.is_null() {
            let message = format!("frame {which} offset must not be null");
            return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, message));
        }
        if self.unit != FrameUnit::Range && value.as_integer().is_some_and(|value| value < 0) {
            let message = format!("frame {which} offset must not be negative");
            return Err(SqlError::new(INVALID_PRECEDING_OR_FOLLOWING_SIZE, message));
        }
        Ok(value)
    }
}

impl FrameRows {
    /// How many they are.
    pub fn len(&self) -> usize {
        self.end - self.start - (self.hole.1 - self.hole.0) + usize::from(self.kept.is_some())
    }

    /// The row with this number among them, from 0.
    pub fn nth(&self, number: usize) -> Option<usize> {
        if number >= self.len() {
            return None;
        }
        let before = self.hole.0 - self.start;
        if number < before {
            return Some(self.start + number);
        }
        match (self.kept, number - before) {
            (Some(kept), 0) => Some(kept),
            (Some(_), after) => Some(self.hole.1 + after - 1),
            (None, after) => Some(self.hole.1 + after),
        }
    }
}

impl FrameCursor {
    /// The frame of the current row. Rows are asked for in their order.
    pub fn rows(
        &mut self,
        frame: &Frame,
        offsets: &Offsets,
        place: &mut Place<'_>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<FrameRows> {
        let (start, end) = match frame.unit {
            FrameUnit::Rows => row_bounds(frame, offsets, place),
            FrameUnit::Groups => group_bounds(frame, offsets, place),
            FrameUnit::Range => self.range_bounds(frame, offsets, place, rt)?,
        };
        Ok(exclude(frame.exclusion, start, end.max(start), place))
    }

    fn range_bounds(
        &mut self,
        frame: &Frame,
        offsets: &Offsets,
        place: &mut Place<'_>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<(usize, usize)> {
        let (group_start, group_end) = place.group();
        let start = match &frame.start {
            Bound::Unbounded => 0,
            Bound::CurrentRow => group_start,
            Bound::Preceding(offset) => {
                walk(&mut self.head, offset, &offsets.start, Walk { subtract: true, is_end: false }, place, rt)?
            }
            Bound::Following(offset) => {
                walk(&mut self.head, offset, &offsets.start, Walk { subtract: false, is_end: false }, place, rt)?
            }
        };
        let end = match &frame.end {
            Bound::Unbounded => place.partition.len(),
            Bound::CurrentRow => group_end,
            Bound::Preceding(offset) => {
                walk(&mut self.tail, offset, &offsets.end, Walk { subtract: true, is_end: true }, place, rt)?
            }
            Bound::Following(offset) => {
                walk(&mut self.tail, offset, &offsets.end, Walk { subtract: false, is_end: true }, place, rt)?
            }
        };
        Ok((start, end))
    }
}

impl Place<'_> {
    /// The current row's peers: the first, and the row behind the last.
    fn group(&self) -> (usize, usize) {
        self.partition.group(self.group_number())
    }

    fn group_number(&self) -> usize {
        self.partition.group_of(self.row)
    }
}

/// An offset of rows or groups, which is not negative.
fn count(offset: &Datum) -> usize {
    offset.as_integer().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

fn row_bounds(frame: &Frame, offsets: &Offsets, place: &Place<'_>) -> (usize, usize) {
    let (row, len) = (place.row, place.partition.len());
    let start = match frame.start {
        Bound::Unbounded => 0,
        Bound::CurrentRow => row,
        Bound::Preceding(_) => row.saturating_sub(count(&offsets.start)),
        Bound::Following(_) => row.saturating_add(count(&offsets.start)).min(len),
    };
    let end = match frame.end {
        Bound::Unbounded => len,
        Bound::CurrentRow => row + 1,
        Bound::Preceding(_) => (row + 1).saturating_sub(count(&offsets.end)),
        Bound::Following(_) => (row + 1).saturating_add(count(&offsets.end)).min(len),
    };
    (start, end)
}

fn group_bounds(frame: &Frame, offsets: &Offsets, place: &Place<'_>) -> (usize, usize) {
    let (partition, number) = (&*place.partition, place.group_number());
    let start = match frame.start {
        Bound::Unbounded => 0,
        Bound::CurrentRow => partition.group(number).0,
        Bound::Preceding(_) => partition.group(number.saturating_sub(count(&offsets.start))).0,
        Bound::Following(_) => partition.group(number.saturating_add(count(&offsets.start))).0,
    };
    let end = match frame.end {
        Bound::Unbounded => partition.len(),
        Bound::CurrentRow => partition.group(number).1,
        Bound::Preceding(_) => number.checked_sub(count(&offsets.end)).map_or(0, |number| partition.group(number).1),
        Bound::Following(_) => {
            let last = partition.group_starts.len().saturating_sub(1);
            partition.group(number.saturating_add(count(&offsets.end)).min(last)).1
        }
    };
    (start, end)
}

/// Which bound of a RANGE frame is looked for.
#[derive(Clone, Copy)]
struct Walk {
    subtract: bool,
    is_end: bool,
}

/// Moves a bound on to where it is for the current row: a start to the first row in range, an end behind the last.
fn walk(
    at: &mut usize,
    offset: &Offset,
    distance: &Datum,
    walk: Walk,
    place: &mut Place<'_>,
    rt: &mut Runtime<'_, '_>,
) -> SqlResult<usize> {
    let (Some(in_range), [key]) = (offset.in_range, place.order) else {
        return Err(SqlError::internal("a RANGE frame with an offset has no in_range function"));
    };
    let rows = &mut place.partition.rows;
    let current = rows.row(place.row)?[key.position].clone();
    // In descending order "preceding" is greater, and the comparison turns round.
    let subtract = walk.subtract != key.descending;
    let less = walk.is_end != key.descending;
    while *at < rows.len() {
        rt.count_row_of_frame()?;
        let value = &rows.row(*at)?[key.position];
        let goes_on = if value.is_null() || current.is_null() {
            // NULLs are peers of each other, before or after everything else.
            match (walk.is_end, key.nulls_first) {
                (false, true) => value.is_null() && !current.is_null(),
                (false, false) => !value.is_null() && current.is_null(),
                (true, true) => value.is_null() || !current.is_null(),
                (true, false) => !value.is_null() || current.is_null(),
            }
        } else {
            let inside = in_range(&rt.cx.functions, value, &current, distance, subtract, less)?;
            if walk.is_end { inside } else { !inside }
        };
        if !goes_on {
            break;
        }
        *at += 1;
    }
    Ok(*at)
}

/// Applies EXCLUDE.
fn exclude(exclusion: FrameExclusion, start: usize, end: usize, place: &Place<'_>) -> FrameRows {
    let without = |from: usize, until: usize| (from.clamp(start, end), until.clamp(start, end));
    let row = place.row;
    match exclusion {
        FrameExclusion::NoOthers => FrameRows { start, end, hole: (start, start), kept: None },
        FrameExclusion::CurrentRow => FrameRows { start, end, hole: without(row, row + 1), kept: None },
        FrameExclusion::Group => {
            let (from, until) = place.group();
            FrameRows { start, end, hole: without(from, until), kept: None }
        }
        FrameExclusion::Ties => {
            let (from, until) = place.group();
            let kept = (start..end).contains(&row).then_some(row);
            FrameRows { start, end, hole: without(from, until), kept }
        }
    }
}

impl Runtime<'_, '_> {
    /// Counts a row that a frame looks at. A row's values are computed whole, so only the cancel flag ends this.
    pub(super) fn count_row_of_frame(&mut self) -> SqlResult<()> {
        self.slice_is_over().map(|_| ())
    }
}
