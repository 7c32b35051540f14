//! Window functions: reads one partition at a time, then gives its rows out with the calls' values.
//!
//! What always holds:
//! 1. The input comes sorted by partition and order; a partition ends where its key changes.
//! 2. Arguments and filters are evaluated once per row, while it is in its slots; everything after that works on what
//!    was kept.
//! 3. A row's values are computed when it is given out, from state that only moves forward: frames whose bounds do not
//!    go back cost each row once (see `aggregate` for what cannot take rows out again).
//! 4. The partition, the arguments and the aggregates' states are charged to the statement. Rows and arguments that memory has
//!    no room for are in files (`spill::store`); what stays is a number for each group of peers.
//!
//! | file | what it does |
//! |---|---|
//! | `frame` | which rows a call sees |
//! | `function` | row_number, rank, lag, first_value and the like |
//! | `aggregate` | aggregates over a moving frame |

mod aggregate;
mod frame;
mod function;

use std::cell::Cell;

use nqdb_functions::{Aggregate, WindowKind};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use super::sort::SortColumn;
use super::spill::ChargedRows;
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
    rows: ChargedRows,
    /// The first row of each peer group.
    group_starts: Vec<usize>,
    /// The group that was asked for last: rows are asked for in their order.
    recent_group: Cell<usize>,
    /// The last row, to which the next one may be a peer.
    last: Vec<Datum>,
    charged_bytes: usize,
}

/// What one call keeps of the partition.
struct CallState {
    /// The arguments of each row, and whether it passes the filter if there is one.
    args: ChargedRows,
    offsets: Offsets,
    cursor: FrameCursor,
    aggregate: Option<MovingAggregate>,
    ntile: Ntile,
}

impl Partition {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of a row's peer group.
    fn group_of(&self, row: usize) -> usize {
        let recent = self.recent_group.get();
        let found = [recent, recent + 1].into_iter().find(|group| {
            let (start, end) = self.group(*group);
            (start..end).contains(&row)
        });
        let group = match found {
            Some(group) => group,
            None => self.group_starts.partition_point(|start| *start <= row).saturating_sub(1),
        };
        self.recent_group.set(group);
        group
    }

    /// The rows of a peer group: the first, and the one behind the last.
    fn group(&self, number: usize) -> (usize, usize) {
        let start = self.group_starts.get(number).copied().unwrap_or(self.len());
        let end = self.group_starts.get(number + 1).copied().unwrap_or(self.len());
        (start, end)
    }

    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.rows.clear(rt);
        self.group_starts.clear();
        self.recent_group.set(0);
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
            args: ChargedRows::default(),
            offsets: Offsets::default(),
            cursor: FrameCursor::default(),
            aggregate,
            ntile: Ntile::default(),
        }
    }

    /// Forgets the partition.
    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.args.clear(rt);
        self.cursor = FrameCursor::default();
        self.ntile = Ntile::default();
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.clear(rt);
        }
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
        rt.load(&self.slots, state.partition.rows.row(position)?);
        for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
            let value = self.value(call, call_state, &mut state.partition, position, rt)?;
            rt.frame.slots[call.slot] = value;
        }
        Ok(())
    }

    fn value(
        &self,
        call: &WindowCall,
        state: &mut CallState,
        partition: &mut Partition,
        row: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Datum> {
        let kind = match call.work {
            WindowWork::Function(kind) => kind,
            WindowWork::Aggregate(_) => {
                let rows = self.frame_rows(call, state, partition, row, rt)?;
                let Some(aggregate) = &mut state.aggregate else { return Ok(Datum::Null) };
                return aggregate.value(rows, &mut state.args, call.args.len(), rt);
            }
        };
        match kind {
            WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                let rows = self.frame_rows(call, state, partition, row, rt)?;
                function::value_in_frame(kind, &rows, &mut state.args, row)
            }
            WindowKind::Lag | WindowKind::Lead => {
                function::neighbour(kind == WindowKind::Lead, &mut state.args, row, partition.len())
            }
            WindowKind::Ntile => state.ntile.value(state.args.row(row)?.first(), row, partition.len()),
            _ => Ok(function::rank(kind, partition, row)),
        }
    }

    fn frame_rows(
        &self,
        call: &WindowCall,
        state: &mut CallState,
        partition: &mut Partition,
        row: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<frame::FrameRows> {
        let mut place = frame::Place { partition, order: &self.order, row };
        state.cursor.rows(&call.frame, &state.offsets, &mut place, rt)
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
        self.partition.iter().any(|(position, type_oid)| {
            let value = &rt.frame.slots[self.slots[*position]];
            value.compare_as(&state.partition.last[*position], *type_oid).is_ne()
        })
    }

    /// Keeps the row at hand, with the arguments of the calls.
    fn keep(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let partition = &mut state.partition;
        let number = partition.len();
        let row: Vec<Datum> = self.slots.iter().map(|slot| rt.frame.slots[*slot].clone()).collect();
        let is_peer = number > 0 && self.order.iter().all(|key| key.compare(&partition.last, &row).is_eq());
        if !is_peer {
            let bytes = size_of::<usize>();
            rt.charge(bytes)?;
            partition.charged_bytes += bytes;
            partition.group_starts.push(number);
        }
        partition.rows.push(&row, rt)?;
        partition.last = row;
        for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
            let mut args = call.args.iter().map(|arg| arg.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
            if let Some(filter) = &call.filter {
                args.push(Datum::Bool(filter.passes(rt)?));
            }
            call_state.args.push(&args, rt)?;
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
