//! An aggregate over a frame that moves.
//!
//! A frame that only grows takes its new rows in. One whose start moves, or that leaves rows out, goes one of three ways:
//!
//! | aggregate | way | cost of a row |
//! |---|---|---|
//! | its results combine (`min`, `max`, `bit_*`, `bool_*`) | a tree of partial results over the partition | logarithmic |
//! | it can take rows out (`count`, exact `sum`, `avg`, variances) | takes out what left | what left and came |
//! | any other (`string_agg`, sums of floats, whose digits depend on the order) | anew | the frame |
//!
//! PostgreSQL has the last two ways (manual 38.12.1).

use nqdb_functions::{Accumulator, Aggregate};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::frame::FrameRows;
use crate::exec::runtime::Runtime;
use crate::exec::spill::ChargedRows;

pub(super) struct MovingAggregate {
    aggregate: &'static Aggregate,
    arg_types: Box<[Oid]>,
    accumulator: Box<dyn Accumulator>,
    /// The rows that the accumulator has taken in.
    taken: FrameRows,
    /// The frame that `value` is the result of.
    valued: Option<FrameRows>,
    value: Datum,
    tree: Option<Vec<Datum>>,
    charged_bytes: usize,
}

/// The arguments of all rows of the partition, and whether they pass the filter.
struct Rows<'p> {
    args: &'p mut ChargedRows,
    /// Values that are arguments; behind them is whether the row passes, if there is a filter.
    width: usize,
}

impl Rows<'_> {
    /// The arguments of a row; none when the filter keeps it out.
    fn get(&mut self, row: usize) -> SqlResult<Option<&[Datum]>> {
        let (args, passes) = self.args.row(row)?.split_at(self.width);
        Ok((passes.first() != Some(&Datum::Bool(false))).then_some(args))
    }
}

impl MovingAggregate {
    pub fn new(aggregate: &'static Aggregate, arg_types: Box<[Oid]>) -> MovingAggregate {
        MovingAggregate {
            aggregate,
            accumulator: fresh(aggregate, &arg_types),
            arg_types,
            taken: FrameRows::default(),
            valued: None,
            value: Datum::Null,
            tree: None,
            charged_bytes: 0,
        }
    }

    /// Forgets the partition.
    pub fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.accumulator = fresh(self.aggregate, &self.arg_types);
        self.taken = FrameRows::default();
        self.valued = None;
        self.value = Datum::Null;
        self.tree = None;
        rt.release(std::mem::take(&mut self.charged_bytes));
    }

    /// The aggregate of a frame's rows.
    pub fn value(
        &mut self,
        frame: FrameRows,
        args: &mut ChargedRows,
        width: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Datum> {
        if self.valued != Some(frame) {
            let mut rows = Rows { args, width };
            self.value = self.compute(frame, &mut rows, rt)?;
            self.valued = Some(frame);
        }
        Ok(self.value.clone())
    }

    fn compute(&mut self, frame: FrameRows, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<Datum> {
        let has_hole = frame.hole.0 < frame.hole.1 || self.taken.hole.0 < self.taken.hole.1;
        if frame.start == self.taken.start && frame.end >= self.taken.end && !has_hole {
            for row in self.taken.end..frame.end {
                self.take_in(row, rows, rt)?;
            }
            self.taken = frame;
        } else if self.accumulator.combines_results() && rows.width == 1 {
            return self.combine(frame, rows, rt);
        } else if !self.move_to(frame, rows, rt)? {
            self.start_anew(frame, rows, rt)?;
        }
        self.charge_accumulator(rt)?;
        self.accumulator.finish()
    }

    fn take_in(&mut self, row: usize, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        rt.count_row_of_frame()?;
        match rows.get(row)? {
            Some(args) => self.accumulator.accumulate_in(&rt.cx.functions, args),
            None => Ok(()),
        }
    }

    /// False when the accumulator cannot let the row go.
    fn take_out(&mut self, row: usize, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        rt.count_row_of_frame()?;
        match rows.get(row)? {
            Some(args) => self.accumulator.retract(args),
            None => Ok(true),
        }
    }

    /// Takes rows out and in until the frame is what was taken in; false when the accumulator must start anew.
    fn move_to(&mut self, frame: FrameRows, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let before = self.taken;
        if frame.start >= before.end || frame.start < before.start || frame.end < before.end {
            return Ok(false);
        }
        for row in before.start..frame.start {
            let is_in = !in_hole(&before, row);
            if is_in && !self.take_out(row, rows, rt)? {
                return Ok(false);
            }
        }
        for row in before.hole.0.max(frame.start)..before.hole.1 {
            if in_hole(&before, row) && !in_hole(&frame, row) {
                self.take_in(row, rows, rt)?;
            }
        }
        for row in before.end..frame.end {
            if !in_hole(&frame, row) {
                self.take_in(row, rows, rt)?;
            }
        }
        for row in frame.hole.0..frame.hole.1.min(before.end) {
            if in_hole(&frame, row) && !in_hole(&before, row) && !self.take_out(row, rows, rt)? {
                return Ok(false);
            }
        }
        self.taken = frame;
        Ok(true)
    }

    fn start_anew(&mut self, frame: FrameRows, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        self.accumulator = fresh(self.aggregate, &self.arg_types);
        for row in frame.start..frame.end {
            if !in_hole(&frame, row) {
                self.take_in(row, rows, rt)?;
            }
        }
        self.taken = frame;
        Ok(())
    }

    /// The result of a frame by the tree of partial results.
    fn combine(&mut self, frame: FrameRows, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<Datum> {
        let tree = match self.tree.take() {
            Some(tree) => tree,
            None => self.build_tree(rows, rt)?,
        };
        let mut state = fresh(self.aggregate, &self.arg_types);
        let mut found = Vec::new();
        cover(rows.args.len(), frame.start, frame.hole.0, &mut found);
        found.extend(frame.kept.map(|row| rows.args.len() + row));
        cover(rows.args.len(), frame.hole.1, frame.end, &mut found);
        for node in found {
            if let Some(partial) = tree.get(node) {
                state.accumulate(std::slice::from_ref(partial))?;
            }
        }
        self.tree = Some(tree);
        state.finish()
    }

    /// Leaf `row` is node `len + row`; node `n` combines `2 n` and `2 n + 1`.
    fn build_tree(&mut self, rows: &mut Rows<'_>, rt: &mut Runtime<'_, '_>) -> SqlResult<Vec<Datum>> {
        let len = rows.args.len();
        let bytes = 2 * len * size_of::<Datum>();
        rt.charge(bytes)?;
        self.charged_bytes += bytes;
        let mut tree = vec![Datum::Null; 2 * len];
        for row in 0..len {
            if let Some([value]) = rows.get(row)? {
                tree[len + row] = value.clone();
            }
        }
        for node in (1..len).rev() {
            rt.count_row_of_frame()?;
            let mut state = fresh(self.aggregate, &self.arg_types);
            state.accumulate(std::slice::from_ref(&tree[2 * node]))?;
            state.accumulate(std::slice::from_ref(&tree[2 * node + 1]))?;
            tree[node] = state.finish()?;
        }
        Ok(tree)
    }

    fn charge_accumulator(&mut self, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let bytes = self.accumulator.size_bytes();
        if bytes > self.charged_bytes {
            rt.charge(bytes - self.charged_bytes)?;
            self.charged_bytes = bytes;
        }
        Ok(())
    }
}

fn fresh(aggregate: &Aggregate, arg_types: &[Oid]) -> Box<dyn Accumulator> {
    let mut accumulator = (aggregate.state)();
    accumulator.set_argument_types(arg_types);
    accumulator
}

fn in_hole(frame: &FrameRows, row: usize) -> bool {
    (frame.hole.0..frame.hole.1).contains(&row) && frame.kept != Some(row)
}

/// The nodes that make up the leaves `from .. until`, from left to right.
fn cover(len: usize, from: usize, until: usize, found: &mut Vec<usize>) {
    let (mut left, mut right) = (from + len, until + len);
    let mut right_nodes = Vec::new();
    while left < right {
        if left % 2 == 1 {
            found.push(left);
            left += 1;
        }
        if right % 2 == 1 {
            right -= 1;
            right_nodes.push(right);
        }
        left /= 2;
        right /= 2;
    }
    found.extend(right_nodes.into_iter().rev());
}
