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

use super::{FrameRows, Surroundings};

/// An aggregate over the frames of one partition's rows.
pub struct MovingAggregate {
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

/// The arguments of a partition's rows, wherever an executor keeps them.
pub trait RowArguments {
    /// How many rows there are, if they have arguments.
    fn rows(&self) -> usize;
    /// The number of arguments.
    fn width(&self) -> usize;
    /// The arguments of a row; none when the filter keeps it out.
    fn get(&mut self, row: usize) -> SqlResult<Option<&[Datum]>>;
}

/// The arguments of all rows of the partition in memory, row by row, and whether they pass the filter.
#[derive(Clone, Copy)]
pub struct Arguments<'p> {
    pub values: &'p [Datum],
    pub width: usize,
    /// Empty without a filter.
    pub passes: &'p [bool],
}

impl RowArguments for Arguments<'_> {
    fn rows(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(usize::MAX)
    }

    fn width(&self) -> usize {
        self.width
    }

    fn get(&mut self, row: usize) -> SqlResult<Option<&[Datum]>> {
        let passes = self.passes.get(row).copied().unwrap_or(true);
        Ok(if passes { self.values.get(row * self.width..(row + 1) * self.width) } else { None })
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
    pub fn clear(&mut self, surroundings: &mut impl Surroundings) {
        self.accumulator = fresh(self.aggregate, &self.arg_types);
        self.taken = FrameRows::default();
        self.valued = None;
        self.value = Datum::Null;
        self.tree = None;
        surroundings.release(std::mem::take(&mut self.charged_bytes));
    }

    /// The aggregate of a frame's rows.
    pub fn value(
        &mut self,
        frame: FrameRows,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<Datum> {
        if self.valued != Some(frame) {
            self.value = self.compute(frame, rows, surroundings)?;
            self.valued = Some(frame);
        }
        Ok(self.value.clone())
    }

    fn compute(
        &mut self,
        frame: FrameRows,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<Datum> {
        let has_hole = frame.hole.0 < frame.hole.1 || self.taken.hole.0 < self.taken.hole.1;
        if frame.start == self.taken.start && frame.end >= self.taken.end && !has_hole {
            for row in self.taken.end..frame.end {
                self.take_in(row, rows, surroundings)?;
            }
            self.taken = frame;
        } else if self.accumulator.combines_results() && rows.width() == 1 {
            return self.combine(frame, rows, surroundings);
        } else if !self.move_to(frame, rows, surroundings)? {
            self.start_anew(frame, rows, surroundings)?;
        }
        self.charge_accumulator(surroundings)?;
        self.accumulator.finish()
    }

    fn take_in(
        &mut self,
        row: usize,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<()> {
        surroundings.count_row()?;
        match rows.get(row)? {
            Some(args) => self.accumulator.accumulate_in(surroundings.functions(), args),
            None => Ok(()),
        }
    }

    /// False when the accumulator cannot let the row go.
    fn take_out(
        &mut self,
        row: usize,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<bool> {
        surroundings.count_row()?;
        match rows.get(row)? {
            Some(args) => self.accumulator.retract(args),
            None => Ok(true),
        }
    }

    /// Takes rows out and in until the frame is what was taken in; false when the accumulator must start anew.
    fn move_to(
        &mut self,
        frame: FrameRows,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<bool> {
        let before = self.taken;
        if frame.start >= before.end || frame.start < before.start || frame.end < before.end {
            return Ok(false);
        }
        for row in before.start..frame.start {
            let is_in = !before.leaves_out(row);
            if is_in && !self.take_out(row, rows, surroundings)? {
                return Ok(false);
            }
        }
        for row in before.hole.0.max(frame.start)..before.hole.1 {
            if before.leaves_out(row) && !frame.leaves_out(row) {
                self.take_in(row, rows, surroundings)?;
            }
        }
        for row in before.end..frame.end {
            if !frame.leaves_out(row) {
                self.take_in(row, rows, surroundings)?;
            }
        }
        for row in frame.hole.0..frame.hole.1.min(before.end) {
            if frame.leaves_out(row) && !before.leaves_out(row) && !self.take_out(row, rows, surroundings)? {
                return Ok(false);
            }
        }
        self.taken = frame;
        Ok(true)
    }

    fn start_anew(
        &mut self,
        frame: FrameRows,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<()> {
        self.accumulator = fresh(self.aggregate, &self.arg_types);
        for row in frame.start..frame.end {
            if !frame.leaves_out(row) {
                self.take_in(row, rows, surroundings)?;
            }
        }
        self.taken = frame;
        Ok(())
    }

    /// The result of a frame by the tree of partial results.
    fn combine(
        &mut self,
        frame: FrameRows,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<Datum> {
        let tree = match self.tree.take() {
            Some(tree) => tree,
            None => self.build_tree(rows, surroundings)?,
        };
        let mut state = fresh(self.aggregate, &self.arg_types);
        let mut found = Vec::new();
        cover(rows.rows(), frame.start, frame.hole.0, &mut found);
        found.extend(frame.kept.map(|row| rows.rows() + row));
        cover(rows.rows(), frame.hole.1, frame.end, &mut found);
        for node in found {
            if let Some(partial) = tree.get(node) {
                state.accumulate(std::slice::from_ref(partial))?;
            }
        }
        self.tree = Some(tree);
        state.finish()
    }

    /// Leaf `row` is node `len + row`; node `n` combines `2 n` and `2 n + 1`.
    fn build_tree(
        &mut self,
        rows: &mut impl RowArguments,
        surroundings: &mut impl Surroundings,
    ) -> SqlResult<Vec<Datum>> {
        let len = rows.rows();
        let bytes = 2 * len * size_of::<Datum>();
        surroundings.charge(bytes)?;
        self.charged_bytes += bytes;
        let mut tree = vec![Datum::Null; 2 * len];
        for row in 0..len {
            if let Some([value]) = rows.get(row)? {
                tree[len + row] = value.clone();
            }
        }
        for node in (1..len).rev() {
            surroundings.count_row()?;
            let mut state = fresh(self.aggregate, &self.arg_types);
            state.accumulate(std::slice::from_ref(&tree[2 * node]))?;
            state.accumulate(std::slice::from_ref(&tree[2 * node + 1]))?;
            tree[node] = state.finish()?;
        }
        Ok(tree)
    }

    fn charge_accumulator(&mut self, surroundings: &mut impl Surroundings) -> SqlResult<()> {
        let bytes = self.accumulator.size_bytes();
        if bytes > self.charged_bytes {
            surroundings.charge(bytes - self.charged_bytes)?;
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
