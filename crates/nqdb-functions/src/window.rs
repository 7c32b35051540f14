//! The window functions of manual section 9.22: their rows of `pg_proc`, not their work.
//!
//! What they compute depends on the partition, the peers and the frame, all of which the executor holds; so here is
//! only what a binder and a catalog need. [`in_range`] is the exception: it says which rows a RANGE frame with an
//! offset reaches, type by type.

pub(crate) mod in_range;

use std::fmt;

use nqdb_types::{Oid, oid};

pub use in_range::{InRange, in_range_support};

/// A row of `pg_proc` whose kind is `w`.
pub struct WindowFunction {
    pub oid: Oid,
    pub name: &'static str,
    pub args: &'static [Oid],
    pub returns: Oid,
    pub kind: WindowKind,
}

/// What a window function computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
}

impl WindowKind {
    /// Whether the frame decides its value.
    pub fn reads_frame(self) -> bool {
        matches!(self, WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue)
    }
}

impl fmt::Debug for WindowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.oid)
    }
}

impl PartialEq for WindowFunction {
    fn eq(&self, other: &WindowFunction) -> bool {
        self.oid == other.oid
    }
}

impl Eq for WindowFunction {}

const fn row(oid: Oid, name: &'static str, args: &'static [Oid], returns: Oid, kind: WindowKind) -> WindowFunction {
    WindowFunction { oid, name, args, returns, kind }
}

/// All of them. The two of three arguments take a value and a default of one common type.
pub(crate) static WINDOW_FUNCTIONS: &[WindowFunction] = &[
    row(3100, "row_number", &[], oid::INT8, WindowKind::RowNumber),
    row(3101, "rank", &[], oid::INT8, WindowKind::Rank),
    row(3102, "dense_rank", &[], oid::INT8, WindowKind::DenseRank),
    row(3103, "percent_rank", &[], oid::FLOAT8, WindowKind::PercentRank),
    row(3104, "cume_dist", &[], oid::FLOAT8, WindowKind::CumeDist),
    row(3105, "ntile", &[oid::INT4], oid::INT4, WindowKind::Ntile),
    row(3106, "lag", &[oid::ANYELEMENT], oid::ANYELEMENT, WindowKind::Lag),
    row(3107, "lag", &[oid::ANYELEMENT, oid::INT4], oid::ANYELEMENT, WindowKind::Lag),
    row(3108, "lag", &[oid::ANYCOMPATIBLE, oid::INT4, oid::ANYCOMPATIBLE], oid::ANYCOMPATIBLE, WindowKind::Lag),
    row(3109, "lead", &[oid::ANYELEMENT], oid::ANYELEMENT, WindowKind::Lead),
    row(3110, "lead", &[oid::ANYELEMENT, oid::INT4], oid::ANYELEMENT, WindowKind::Lead),
    row(3111, "lead", &[oid::ANYCOMPATIBLE, oid::INT4, oid::ANYCOMPATIBLE], oid::ANYCOMPATIBLE, WindowKind::Lead),
    row(3112, "first_value", &[oid::ANYELEMENT], oid::ANYELEMENT, WindowKind::FirstValue),
    row(3113, "last_value", &[oid::ANYELEMENT], oid::ANYELEMENT, WindowKind::LastValue),
    row(3114, "nth_value", &[oid::ANYELEMENT, oid::INT4], oid::ANYELEMENT, WindowKind::NthValue),
];
