//! Which rows of its partition a call sees from the current row.
//!
//! What always holds:
//! 1. From one row to the next neither bound of a frame goes back. RANGE with an offset relies on it: its bounds are
//!    found by walking on from where they were.
//! 2. A frame is the rows `start .. end` without those of `hole`, and with `kept`, which lies in the hole.

use nqdb_functions::InRange;
use nqdb_sqlstate::{INVALID_PRECEDING_OR_FOLLOWING_SIZE, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::Datum;

use super::{Peers, Surroundings};
use crate::ir::{FrameExclusion, FrameUnit};

/// A frame clause; `D` is how far a bound is: an expression before it is evaluated, then its value.
#[derive(Clone, Debug)]
pub struct Frame<D> {
    pub unit: FrameUnit,
    pub start: Bound<D>,
    pub end: Bound<D>,
    pub exclusion: FrameExclusion,
}

#[derive(Clone, Debug)]
pub enum Bound<D> {
    Unbounded,
    CurrentRow,
    Preceding(D),
    Following(D),
}

/// Which bound of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Start,
    End,
}

/// The value of an offset, and in RANGE what compares across it.
#[derive(Clone, Debug)]
pub struct Distance {
    pub value: Datum,
    pub in_range: Option<InRange>,
}

/// The column that a RANGE frame with offsets measures in.
pub trait RangeKey {
    fn value(&self, row: usize) -> SqlResult<Datum>;
    fn descending(&self) -> bool;
    fn nulls_first(&self) -> bool;
}

/// The current row and what is around it.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    pub peers: &'p Peers,
    pub key: Option<&'p dyn RangeKey>,
    pub row: usize,
}

/// The rows of a frame, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameRows {
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
pub struct FrameCursor {
    head: usize,
    tail: usize,
}

impl<D> Frame<D> {
    /// The same frame with other distances.
    pub fn try_map<E, F>(&self, mut f: impl FnMut(&D, Side) -> Result<E, F>) -> Result<Frame<E>, F> {
        let mut bound = |bound: &Bound<D>, side| {
            Ok(match bound {
                Bound::Unbounded => Bound::Unbounded,
                Bound::CurrentRow => Bound::CurrentRow,
                Bound::Preceding(distance) => Bound::Preceding(f(distance, side)?),
                Bound::Following(distance) => Bound::Following(f(distance, side)?),
            })
        };
        Ok(Frame {
            unit: self.unit,
            start: bound(&self.start, Side::Start)?,
            end: bound(&self.end, Side::End)?,
            exclusion: self.exclusion,
        })
    }
}

impl Frame<Distance> {
    /// Whether it measures in the column of the order.
    pub fn has_distances_in_range(&self) -> bool {
        let is_distance = |bound: &Bound<Distance>| matches!(bound, Bound::Preceding(_) | Bound::Following(_));
        self.unit == FrameUnit::Range && (is_distance(&self.start) || is_distance(&self.end))
    }
}

/// The value of an offset: 22004 for NULL, 22013 for what is negative.
pub fn checked_distance(value: Datum, unit: FrameUnit, side: Side) -> SqlResult<Datum> {
    let which = match side {
        Side::Start => "starting",
        Side::End => "ending",
    };
    if value.is_null() {
        let message = format!("frame {which} offset must not be null");
        return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, message));
    }
    if unit != FrameUnit::Range && value.as_integer().is_some_and(|value| value < 0) {
        let message = format!("frame {which} offset must not be negative");
        return Err(SqlError::new(INVALID_PRECEDING_OR_FOLLOWING_SIZE, message));
    }
    Ok(value)
}

impl FrameRows {
    /// How many they are.
    pub fn len(&self) -> usize {
        self.end - self.start - (self.hole.1 - self.hole.0) + usize::from(self.kept.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// The runs of rows that it is made of, in order: each its first row and the one behind its last.
    pub fn runs(&self) -> [(usize, usize); 3] {
        let kept = self.kept.map_or((self.hole.0, self.hole.0), |kept| (kept, kept + 1));
        [(self.start, self.hole.0), kept, (self.hole.1, self.end)]
    }

    /// Whether EXCLUDE leaves a row out.
    pub fn leaves_out(&self, row: usize) -> bool {
        (self.hole.0..self.hole.1).contains(&row) && self.kept != Some(row)
    }
}

impl FrameCursor {
    /// The frame of the current row. Rows are asked for in their order.
    pub fn rows(
        &mut self,
        frame: &Frame<Distance>,
        place: Place<'_>,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<FrameRows> {
        let (start, end) = match frame.unit {
            FrameUnit::Rows => row_bounds(frame, place),
            FrameUnit::Groups => group_bounds(frame, place),
            FrameUnit::Range => self.range_bounds(frame, place, surroundings)?,
        };
        Ok(exclude(frame.exclusion, start, end.max(start), place))
    }

    fn range_bounds(
        &mut self,
        frame: &Frame<Distance>,
        place: Place<'_>,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<(usize, usize)> {
        let (group_start, group_end) = place.peers.of(place.row);
        let walk = |subtract, is_end| Walk { subtract, is_end };
        let start = match &frame.start {
            Bound::Unbounded => 0,
            Bound::CurrentRow => group_start,
            Bound::Preceding(distance) => walk(true, false).on(&mut self.head, distance, place, surroundings)?,
            Bound::Following(distance) => walk(false, false).on(&mut self.head, distance, place, surroundings)?,
        };
        let end = match &frame.end {
            Bound::Unbounded => place.peers.rows(),
            Bound::CurrentRow => group_end,
            Bound::Preceding(distance) => walk(true, true).on(&mut self.tail, distance, place, surroundings)?,
            Bound::Following(distance) => walk(false, true).on(&mut self.tail, distance, place, surroundings)?,
        };
        Ok((start, end))
    }
}

/// An offset of rows or groups, which is not negative.
fn count(distance: &Distance) -> usize {
    distance.value.as_integer().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

fn row_bounds(frame: &Frame<Distance>, place: Place<'_>) -> (usize, usize) {
    let (row, len) = (place.row, place.peers.rows());
    let start = match &frame.start {
        Bound::Unbounded => 0,
        Bound::CurrentRow => row,
        Bound::Preceding(distance) => row.saturating_sub(count(distance)),
        Bound::Following(distance) => row.saturating_add(count(distance)).min(len),
    };
    let end = match &frame.end {
        Bound::Unbounded => len,
        Bound::CurrentRow => row + 1,
        Bound::Preceding(distance) => (row + 1).saturating_sub(count(distance)),
        Bound::Following(distance) => (row + 1).saturating_add(count(distance)).min(len),
    };
    (start, end)
}

fn group_bounds(frame: &Frame<Distance>, place: Place<'_>) -> (usize, usize) {
    let (peers, number) = (place.peers, place.peers.number(place.row));
    let start = match &frame.start {
        Bound::Unbounded => 0,
        Bound::CurrentRow => peers.group(number).0,
        Bound::Preceding(distance) => peers.group(number.saturating_sub(count(distance))).0,
        Bound::Following(distance) => peers.group(number.saturating_add(count(distance))).0,
    };
    let end = match &frame.end {
        Bound::Unbounded => peers.rows(),
        Bound::CurrentRow => peers.group(number).1,
        Bound::Preceding(distance) => number.checked_sub(count(distance)).map_or(0, |number| peers.group(number).1),
        Bound::Following(distance) => {
            let last = peers.groups().saturating_sub(1);
            peers.group(number.saturating_add(count(distance)).min(last)).1
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

impl Walk {
    /// Moves a bound on to where it is for the current row: a start to the first row in range, an end behind the last.
    fn on(
        self,
        at: &mut usize,
        distance: &Distance,
        place: Place<'_>,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<usize> {
        let (Some(in_range), Some(key)) = (distance.in_range, place.key) else {
            return Err(SqlError::internal("a RANGE frame with an offset has no in_range function"));
        };
        let current = key.value(place.row)?;
        // In descending order "preceding" is greater, and the comparison turns round.
        let subtract = self.subtract != key.descending();
        let less = self.is_end != key.descending();
        while *at < place.peers.rows() {
            surroundings.count_row()?;
            let value = key.value(*at)?;
            let goes_on = if current.is_null() || value.is_null() {
                self.goes_on_at_null(value.is_null(), current.is_null(), key.nulls_first())
            } else {
                let inside = in_range(surroundings.functions(), &value, &current, &distance.value, subtract, less)?;
                inside == self.is_end
            };
            if !goes_on {
                break;
            }
            *at += 1;
        }
        Ok(*at)
    }

    /// NULLs are peers of each other, before or after everything else.
    fn goes_on_at_null(self, value_is_null: bool, current_is_null: bool, nulls_first: bool) -> bool {
        match (self.is_end, nulls_first) {
            (false, true) => value_is_null && !current_is_null,
            (false, false) => !value_is_null && current_is_null,
            (true, true) => value_is_null || !current_is_null,
            (true, false) => !value_is_null || current_is_null,
        }
    }
}

/// Applies EXCLUDE.
fn exclude(exclusion: FrameExclusion, start: usize, end: usize, place: Place<'_>) -> FrameRows {
    let without = |from: usize, until: usize| (from.clamp(start, end), until.clamp(start, end));
    let row = place.row;
    match exclusion {
        FrameExclusion::NoOthers => FrameRows { start, end, hole: (start, start), kept: None },
        FrameExclusion::CurrentRow => FrameRows { start, end, hole: without(row, row + 1), kept: None },
        FrameExclusion::Group => {
            let (from, until) = place.peers.of(row);
            FrameRows { start, end, hole: without(from, until), kept: None }
        }
        FrameExclusion::Ties => {
            let (from, until) = place.peers.of(row);
            let kept = (start..end).contains(&row).then_some(row);
            FrameRows { start, end, hole: without(from, until), kept }
        }
    }
}
