//! Window functions: reads one partition at a time, then gives its rows out with the calls' values.
//!
//! What always holds:
//! 1. The input comes sorted by partition and order; a partition ends where its key changes.
//! 2. Arguments and filters are evaluated once per row, while it is in its slots; everything after that works on what
//!    was kept.
//! 3. A row's values are computed when it is given out, from state that only moves forward: frames whose bounds do not
//!    go back cost each row once (see `aggregate` for what cannot take rows out again).
//! 4. The partition, the arguments and the aggregates' states are charged to the statement.
//!
//! | file | what it does |
//! |---|---|
//! | `frame` | which rows a call sees |
//! | `function` | row_number, rank, lag, first_value and the like |
//! | `aggregate` | aggregates over a moving frame |

mod aggregate;
mod frame;
mod function;

use nqdb_functions::{Aggregate, WindowKind};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::operator::{PlanNode, Pull, State};
use super::row_buffer::RowBuffer;
use super::runtime::Runtime;
use super::sort::SortColumn;
use aggregate::MovingAggregate;
pub(crate) use frame::{Bound, Frame, Offset};
use frame::{FrameCursor, Offsets};
use function::Ntile;

#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub input: PlanNode,
    /// The slots that are kept.
    pub slots: Box<[Slot]>,
    /// Positions among the kept slots, and types.
    pub partition: Box<[(usize, Oid)]>,
    pub order: Box<[SortColumn]>,
    pub calls: Box<[WindowCall]>,
}

/// One call with OVER.
#[derive(Clone, Debug)]
pub(crate) struct WindowCall {
    pub slot: Slot,
    pub work: WindowWork,
    pub args: Box<[Eval]>,
    pub arg_types: Box<[Oid]>,
    pub filter: Option<Eval>,
    pub frame: Frame,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WindowWork {
    Function(WindowKind),
    Aggregate(&'static Aggregate),
}

pub(crate) struct WindowState {
    input: State,
    partition: Partition,
    calls: Vec<CallState>,
    /// The first row of the next partition.
    pending: Option<Vec<Datum>>,
    input_ended: bool,
    /// The next row to give out; none while rows come in.
    position: Option<usize>,
    /// The frames' offsets were evaluated.
    has_offsets: bool,
}

/// The rows of one partition.
#[derive(Default)]
struct Partition {
    rows: RowBuffer,
    /// The peer group of each row, and the first row of each group.
    group_of: Vec<usize>,
    group_starts: Vec<usize>,
    charged_bytes: usize,
}

/// What one call keeps of the partition.
struct CallState {
    /// Row-major: the arguments of row 0, of row 1, ...
    args: Vec<Datum>,
    /// Whether each row passes the filter; empty without one.
    passes: Vec<bool>,
    offsets: Offsets,
    cursor: FrameCursor,
    aggregate: Option<MovingAggregate>,
    ntile: Ntile,
    charged_bytes: usize,
}

impl Partition {
    fn len(&self) -> usize {
        self.group_of.len()
    }

    /// The rows of a peer group: the first, and the one behind the last.
    fn group(&self, number: usize) -> (usize, usize) {
        let start = self.group_starts.get(number).copied().unwrap_or(self.len());
        let end = self.group_starts.get(number + 1).copied().unwrap_or(self.len());
        (start, end)
    }

    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.rows.clear(rt);
        self.group_of.clear();
        self.group_starts.clear();
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}

impl CallState {
    fn new(call: &WindowCall) -> CallState {
        let aggregate = match call.work {
            WindowWork::Aggregate(aggregate) => Some(MovingAggregate::new(aggregate, call.arg_types.clone())),
            WindowWork::Function(_) => None,
        };
        CallState {
            args: Vec::new(),
            passes: Vec::new(),
            offsets: Offsets::default(),
            cursor: FrameCursor::default(),
            aggregate,
            ntile: Ntile::default(),
            charged_bytes: 0,
        }
    }

    /// Forgets the partition.
    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.args.clear();
        self.passes.clear();
        self.cursor = FrameCursor::default();
        self.ntile = Ntile::default();
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.clear(rt);
        }
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}

impl Window {
    pub fn new_state(&self) -> WindowState {
        WindowState {
            input: self.input.new_state(),
            partition: Partition::default(),
            calls: self.calls.iter().map(CallState::new).collect(),
            pending: None,
            input_ended: false,
            position: None,
            has_offsets: false,
        }
    }

    pub fn open(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.clear(rt);
        state.pending = None;
        state.input_ended = false;
        state.has_offsets = false;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if !state.has_offsets {
            for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
                call_state.offsets = call.frame.evaluate_offsets(rt)?;
            }
            state.has_offsets = true;
        }
        loop {
            let position = match state.position {
                Some(position) => position,
                None => {
                    if !self.collect(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    state.position = Some(0);
                    0
                }
            };
            if position < state.partition.len() {
                if rt.slice_is_over()? {
                    return Ok(Pull::Yield);
                }
                self.give_out(state, position, rt)?;
                state.position = Some(position + 1);
                return Ok(Pull::Row);
            }
            if state.input_ended {
                return Ok(Pull::End);
            }
            state.clear(rt);
        }
    }

    /// Puts a row and the values of the calls into their slots.
    fn give_out(&self, state: &mut WindowState, position: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        rt.load(&self.slots, state.partition.rows.row(position, self.slots.len()));
        for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
            let value = self.value(call, call_state, &state.partition, position, rt)?;
            rt.frame.slots[call.slot] = value;
        }
        Ok(())
    }

    fn value(
        &self,
        call: &WindowCall,
        state: &mut CallState,
        partition: &Partition,
        row: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Datum> {
        let kind = match call.work {
            WindowWork::Function(kind) => kind,
            WindowWork::Aggregate(_) => {
                let rows = self.frame_rows(call, state, partition, row, rt)?;
                let width = call.args.len();
                let Some(aggregate) = &mut state.aggregate else { return Ok(Datum::Null) };
                return aggregate.value(rows, &state.args, width, &state.passes, rt);
            }
        };
        match kind {
            WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                let rows = self.frame_rows(call, state, partition, row, rt)?;
                function::value_in_frame(kind, &rows, &state.args, call.args.len(), row)
            }
            WindowKind::Lag | WindowKind::Lead => {
                Ok(function::neighbour(kind == WindowKind::Lead, &state.args, call.args.len(), row, partition.len()))
            }
            WindowKind::Ntile => state.ntile.value(state.args.get(row), row, partition.len()),
            _ => Ok(function::rank(kind, partition, row)),
        }
    }

    fn frame_rows(
        &self,
        call: &WindowCall,
        state: &mut CallState,
        partition: &Partition,
        row: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<frame::FrameRows> {
        let place = frame::Place { partition, order: &self.order, width: self.slots.len(), row };
        state.cursor.rows(&call.frame, &state.offsets, &place, rt)
    }

    /// Reads the input up to the end of the partition; false when the slice is over before that.
    fn collect(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        if let Some(row) = state.pending.take() {
            rt.load(&self.slots, &row);
            self.keep(state, rt)?;
        }
        loop {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row if self.starts_partition(state, rt) => {
                    let row = self.slots.iter().map(|slot| rt.frame.slots[*slot].clone()).collect();
                    state.pending = Some(row);
                    return Ok(true);
                }
                Pull::Row => self.keep(state, rt)?,
                Pull::End => {
                    state.input_ended = true;
                    return Ok(true);
                }
                Pull::Yield => return Ok(false),
            }
        }
    }

    /// Whether the row at hand belongs to another partition than those that are kept.
    fn starts_partition(&self, state: &WindowState, rt: &Runtime<'_, '_>) -> bool {
        if state.partition.len() == 0 {
            return false;
        }
        let first = state.partition.rows.row(0, self.slots.len());
        self.partition.iter().any(|(position, type_oid)| {
            let value = &rt.frame.slots[self.slots[*position]];
            value.compare_as(&first[*position], *type_oid).is_ne()
        })
    }

    /// Keeps the row at hand, with the arguments of the calls.
    fn keep(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let partition = &mut state.partition;
        let number = partition.len();
        partition.rows.push(&self.slots, rt)?;
        let bytes = 2 * size_of::<usize>();
        rt.charge(bytes)?;
        partition.charged_bytes += bytes;
        let width = self.slots.len();
        let is_peer = number > 0 && {
            let (before, this) = (partition.rows.row(number - 1, width), partition.rows.row(number, width));
            self.order.iter().all(|key| key.compare(before, this).is_eq())
        };
        if !is_peer {
            partition.group_starts.push(number);
        }
        partition.group_of.push(partition.group_starts.len() - 1);
        for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
            let mut bytes = 0;
            for arg in &call.args {
                let value = arg.eval(rt)?;
                bytes += size_of::<Datum>() + value.heap_size();
                call_state.args.push(value);
            }
            if let Some(filter) = &call.filter {
                bytes += size_of::<bool>();
                call_state.passes.push(filter.passes(rt)?);
            }
            rt.charge(bytes)?;
            call_state.charged_bytes += bytes;
        }
        Ok(())
    }
}

impl WindowState {
    /// Makes room for the next partition.
    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.partition.clear(rt);
        for call in &mut self.calls {
            call.clear(rt);
        }
        self.position = None;
    }
}
