//! Window functions over batches: whole partitions at a time, their rows in order.
//!
//! | file | what it does |
//! |---|---|
//! | `operator` | the operator: gathers partitions, gives their rows on with a column for each call |
//! | `chunk` | some partitions, with what the calls look at |
//! | `position` | row_number, rank, ntile and the like |
//! | `neighbour` | lag and lead, first_value and the like: rows whose values are taken |
//! | `sums` | count, sum and avg: differences of running sums where these are exact |
//! | `extremes` | min and max: the best rows that a frame may still have |
//! | `general` | whole partitions, and any aggregate over any frame |
//!
//! What always holds:
//!
//! 1. A stream has its partitions whole and in one piece, sorted by partition and order; lowering sees to it.
//! 2. Frames, and what has no fast way here, are [`nqdb_sql::window`]'s: the row executor's own.
//! 3. No row costs the length of its frame, except for sums of floats and aggregates that can give no row back, over frames
//!    whose start moves: their digits depend on the order of the additions, and PostgreSQL adds anew.
//! 4. The rows of a partition, and what the calls keep of them, are taken from the statements' pool: 53200 when it is empty.

mod chunk;
mod extremes;
mod general;
mod neighbour;
mod operator;
mod position;
mod sums;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use nqdb_functions::{Aggregate, WindowKind};
use nqdb_sql::ir::{FrameExclusion, FrameUnit};
use nqdb_sql::window::{Bound, Distance, Frame};

pub(crate) use operator::{KeyColumn, WindowExec, WindowParts};

use crate::aggregate::{Call, Kind};
use crate::expression::EvalContext;
use crate::failure::Outcome;
use crate::shape::{Key, Shape};
use chunk::{Partition, Surrounded};

/// One call with OVER.
#[derive(Clone, Debug)]
pub(crate) struct WindowCall {
    pub work: Work,
    /// Each argument with its shape.
    pub args: Vec<(Arc<dyn PhysicalExpr>, Shape)>,
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    pub frame: Frame<Distance>,
    pub result: Shape,
}

#[derive(Clone, Debug)]
pub(crate) enum Work {
    Function(WindowKind),
    Aggregate(Call),
    /// An aggregate that has no states here.
    Other(&'static Aggregate),
}

/// The arguments of a call over all rows of a chunk.
struct Arguments {
    values: Vec<ArrayRef>,
    shapes: Vec<Shape>,
    filter: Option<BooleanArray>,
}

/// A call at work on a chunk, partition by partition.
trait Computation {
    fn partition(&mut self, partition: &Partition<'_>, around: &mut Surrounded<'_>) -> Outcome<()>;
    /// The values of all rows.
    fn finish(self: Box<Self>) -> Outcome<ArrayRef>;
}

impl WindowCall {
    /// Whether the frame of each row is its partition.
    fn sees_partitions(&self, is_ordered: bool) -> bool {
        let is_last = match &self.frame.end {
            Bound::Unbounded => true,
            Bound::CurrentRow => self.frame.unit != FrameUnit::Rows && !is_ordered,
            _ => false,
        };
        matches!(self.frame.start, Bound::Unbounded) && is_last && self.frame.exclusion == FrameExclusion::NoOthers
    }

    /// The fastest way to compute the call.
    fn computation(
        &self,
        args: Arguments,
        rows: usize,
        is_ordered: bool,
        cx: &Arc<EvalContext>,
    ) -> Outcome<Box<dyn Computation>> {
        let frame = self.frame.clone();
        let call = match &self.work {
            Work::Function(kind) => {
                return Ok(match kind {
                    WindowKind::Lag | WindowKind::Lead => {
                        Box::new(neighbour::Neighbours::new(*kind == WindowKind::Lead, args, self.result, rows)?)
                    }
                    WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                        Box::new(neighbour::FrameValues::new(*kind, args, frame, rows)?)
                    }
                    WindowKind::Ntile => Box::new(position::Buckets::new(args, rows)?),
                    kind => position::positions(*kind, rows),
                });
            }
            Work::Aggregate(call) => call,
            Work::Other(aggregate) => {
                return Ok(Box::new(general::Moving::new(aggregate, args, frame, self.result, rows)));
            }
        };
        if self.sees_partitions(is_ordered) {
            return Ok(Box::new(general::Whole::new(call.groups(cx)?, args, rows)));
        }
        let has_all_rows = self.frame.exclusion == FrameExclusion::NoOthers;
        Ok(match call.kind {
            Kind::Count => Box::new(sums::Counts::new(args, frame, rows)),
            Kind::ExactSum { scale, output } => {
                Box::new(sums::ExactSums::new(scale, output, self.result, args, frame, rows)?)
            }
            Kind::FloatSum { narrow, average } => Box::new(sums::FloatSums::new(narrow, average, args, frame, rows)?),
            Kind::Extreme { greatest } if has_all_rows && self.result.key() == Key::Itself => {
                Box::new(extremes::Extremes::new(greatest, args, frame, rows)?)
            }
            _ => Box::new(general::Moving::new(call.aggregate()?, args, frame, self.result, rows)),
        })
    }
}
