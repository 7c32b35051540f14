//! Window functions in the IR: calls that share a partition and an order stand in one [`super::Rel::Window`], each with
//! its own frame.

use nqdb_functions::{Aggregate, InRange, WindowFunction};
use nqdb_types::Type;

use super::Expr;
use crate::window;

/// One call with OVER.
#[derive(Clone, Debug)]
pub struct WindowCall {
    pub callee: WindowCallee,
    pub args: Vec<Expr>,
    /// Aggregates only.
    pub filter: Option<Expr>,
    pub frame: Frame,
    pub ty: Type,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCallee {
    Function(&'static WindowFunction),
    Aggregate(&'static Aggregate),
}

/// The rows around the current one that a call sees (manual 4.2.8).
#[derive(Clone, Debug)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclusion: FrameExclusion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUnit {
    Rows,
    Range,
    Groups,
}

#[derive(Clone, Debug)]
pub enum FrameBound {
    /// The first row of the partition as a start, the last one as an end.
    Unbounded,
    Preceding(FrameOffset),
    /// In RANGE and GROUPS the current row's first or last peer.
    CurrentRow,
    Following(FrameOffset),
}

/// How far a bound is: rows, groups, or a distance in the only ORDER BY column. No columns of its query are in it.
#[derive(Clone, Debug)]
pub struct FrameOffset {
    pub expr: Expr,
    /// In RANGE: what compares two values of the column across the offset.
    pub in_range: Option<InRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameExclusion {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

impl Frame {
    /// What a window has that states no frame: from the partition's start to the current row's last peer.
    pub fn unstated() -> Frame {
        Frame {
            unit: FrameUnit::Range,
            start: FrameBound::Unbounded,
            end: FrameBound::CurrentRow,
            exclusion: FrameExclusion::NoOthers,
        }
    }

    /// The frame in the form that executors evaluate.
    pub fn evaluable(&self) -> window::Frame<&FrameOffset> {
        window::Frame {
            unit: self.unit,
            start: self.start.evaluable(),
            end: self.end.evaluable(),
            exclusion: self.exclusion,
        }
    }
}

impl FrameBound {
    fn evaluable(&self) -> window::Bound<&FrameOffset> {
        match self {
            FrameBound::Unbounded => window::Bound::Unbounded,
            FrameBound::CurrentRow => window::Bound::CurrentRow,
            FrameBound::Preceding(offset) => window::Bound::Preceding(offset),
            FrameBound::Following(offset) => window::Bound::Following(offset),
        }
    }

    /// The offset, if the bound has one.
    pub fn offset(&self) -> Option<&FrameOffset> {
        match self {
            FrameBound::Preceding(offset) | FrameBound::Following(offset) => Some(offset),
            FrameBound::Unbounded | FrameBound::CurrentRow => None,
        }
    }

    fn offset_mut(&mut self) -> Option<&mut FrameOffset> {
        match self {
            FrameBound::Preceding(offset) | FrameBound::Following(offset) => Some(offset),
            FrameBound::Unbounded | FrameBound::CurrentRow => None,
        }
    }
}

impl WindowCall {
    /// All expressions of the call: arguments, filter, offsets.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let offsets = [self.frame.start.offset(), self.frame.end.offset()];
        self.args.iter().chain(&self.filter).chain(offsets.into_iter().flatten().map(|offset| &offset.expr))
    }

    /// As [`WindowCall::expressions`], with the right to change them.
    pub fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let offsets = [self.frame.start.offset_mut(), self.frame.end.offset_mut()];
        self.args.iter_mut().chain(&mut self.filter).chain(offsets.into_iter().flatten().map(|offset| &mut offset.expr))
    }
}
