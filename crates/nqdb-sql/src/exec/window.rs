//! Window functions: reads one partition at a time, then gives its rows out with the calls' values.
//!
//! What always holds:
//! 1. The input comes sorted by partition and order; a partition ends where its key changes.
//! 2. Arguments and filters are evaluated once per row, while it is in its slots; everything after that works on what
//!    was kept.
//! 3. A row's values are computed when it is given out, from state that only moves forward: frames whose bounds do not
//!    go back cost each row once (see `aggregate` for what cannot take rows out again).
//! 4. The partition, the arguments and the aggregates' states are charged to the statement. Rows and arguments that memory has
//!    no room for are in files (`spill::store`); two numbers for each row stay.
//!
//! What is computed is in [`crate::window`].

use std::cell::RefCell;

use nqdb_functions::{Aggregate, FunctionContext, InRange, WindowKind};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use super::sort::SortColumn;
use super::spill::ChargedRows;
use crate::window::{
    Distance, Frame, FrameCursor, FrameRows, MovingAggregate, Ntile, Peers, Place, RangeKey, RowArguments,
    Surroundings, checked_distance, neighbour, rank, row_in_frame,
};

/// How far a bound of a frame is.
#[derive(Clone, Debug)]
pub(crate) struct WindowOffset {
    pub distance: Eval,
    pub in_range: Option<InRange>,
}

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
    pub frame: Frame<WindowOffset>,
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
    /// The frames of the calls, once their offsets were evaluated.
    frames: Option<Vec<Frame<Distance>>>,
}

/// The rows of one partition.
#[derive(Default)]
struct Partition {
    rows: ChargedRows,
    peers: Peers,
    /// The last row, to which the next one may be a peer.
    last: Vec<Datum>,
    charged_bytes: usize,
}

/// What one call keeps of the partition.
struct CallState {
    /// The arguments of each row, and behind them whether it passes the filter, if there is one.
    args: ChargedRows,
    cursor: FrameCursor,
    aggregate: Option<MovingAggregate>,
    ntile: Ntile,
}

impl Partition {
    fn len(&self) -> usize {
        self.peers.rows()
    }

    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.rows.clear(rt);
        self.peers.clear();
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}

impl CallState {
    fn new(call: &WindowCall) -> CallState {
        let aggregate = match call.work {
            WindowWork::Aggregate(aggregate) => Some(MovingAggregate::new(aggregate, call.arg_types.clone())),
            WindowWork::Function(_) => None,
        };
        CallState { args: ChargedRows::default(), cursor: FrameCursor::default(), aggregate, ntile: Ntile::default() }
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

impl WindowCall {
    /// The frame with the values of its offsets.
    fn frame(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Frame<Distance>> {
        self.frame.try_map(|offset, side| {
            let value = checked_distance(offset.distance.eval(rt)?, self.frame.unit, side)?;
            Ok(Distance { value, in_range: offset.in_range })
        })
    }

    /// The value in the current row.
    fn value(
        &self,
        frame: &Frame<Distance>,
        state: &mut CallState,
        place: Place<'_>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Datum> {
        let (row, rows, width) = (place.row, place.peers.rows(), self.args.len());
        let kind = match self.work {
            WindowWork::Function(kind) => kind,
            WindowWork::Aggregate(_) => {
                let rows: FrameRows = state.cursor.rows(frame, place, rt)?;
                let Some(aggregate) = &mut state.aggregate else { return Ok(Datum::Null) };
                let mut arguments = KeptArguments { rows: &mut state.args, width };
                return aggregate.value(rows, &mut arguments, rt);
            }
        };
        if !kind.reads_frame() && frame.has_distances_in_range() {
            // PostgreSQL keeps the bounds up to date for whoever may ask, and so finds a distance that is negative.
            state.cursor.rows(frame, place, rt)?;
        }
        let mut args = KeptArguments { rows: &mut state.args, width };
        Ok(match kind {
            WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                let rows = state.cursor.rows(frame, place, rt)?;
                let found = row_in_frame(kind, &rows, args.integer(row, 1)?)?;
                let found = found.map(|row| args.one(row, 0)).transpose()?.flatten();
                found.unwrap_or(Datum::Null)
            }
            WindowKind::Lag | WindowKind::Lead => {
                let Some(distance) = (if width > 1 { args.integer(row, 1)? } else { Some(1) }) else {
                    return Ok(Datum::Null);
                };
                let found = match neighbour(kind == WindowKind::Lead, distance, row, rows) {
                    Some(target) => args.one(target, 0)?,
                    None => args.one(row, 2)?,
                };
                found.unwrap_or(Datum::Null)
            }
            WindowKind::Ntile => state.ntile.value(args.integer(row, 0)?, row, rows)?.map_or(Datum::Null, Datum::Int4),
            _ => rank(kind, place.peers, row),
        })
    }
}

/// The kept arguments of one call.
struct KeptArguments<'p> {
    rows: &'p mut ChargedRows,
    width: usize,
}

impl KeptArguments<'_> {
    /// One argument of a row; none when the call has not so many.
    fn one(&mut self, row: usize, number: usize) -> SqlResult<Option<Datum>> {
        if number >= self.width {
            return Ok(None);
        }
        Ok(self.rows.row(row)?.get(number).cloned())
    }

    fn integer(&mut self, row: usize, number: usize) -> SqlResult<Option<i64>> {
        Ok(self.one(row, number)?.as_ref().and_then(Datum::as_integer))
    }
}

impl RowArguments for KeptArguments<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    fn get(&mut self, row: usize) -> SqlResult<Option<&[Datum]>> {
        let (args, passes) = self.rows.row(row)?.split_at(self.width);
        Ok((passes.first() != Some(&Datum::Bool(false))).then_some(args))
    }
}

/// The only column of the order, among kept rows.
struct KeyColumn<'p> {
    /// Reading may bring a block of the file into memory.
    rows: RefCell<&'p mut ChargedRows>,
    column: SortColumn,
}

impl RangeKey for KeyColumn<'_> {
    fn value(&self, row: usize) -> SqlResult<Datum> {
        Ok(self.rows.borrow_mut().row(row)?[self.column.position].clone())
    }

    fn descending(&self) -> bool {
        self.column.descending
    }

    fn nulls_first(&self) -> bool {
        self.column.nulls_first
    }
}

impl Surroundings for Runtime<'_, '_> {
    /// A row's values are computed whole, so only the cancel flag ends this.
    fn count_row(&mut self) -> SqlResult<()> {
        self.slice_is_over().map(|_| ())
    }

    fn functions(&self) -> &FunctionContext<'_> {
        &self.cx.functions
    }

    fn charge(&mut self, bytes: usize) -> SqlResult<()> {
        Runtime::charge(self, bytes)
    }

    fn release(&mut self, bytes: usize) {
        Runtime::release(self, bytes);
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
            frames: None,
        }
    }

    pub fn open(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.clear(rt);
        state.pending = None;
        state.input_ended = false;
        state.frames = None;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut WindowState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if state.frames.is_none() {
            state.frames = Some(self.calls.iter().map(|call| call.frame(rt)).collect::<SqlResult<_>>()?);
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
        let Partition { rows, peers, .. } = &mut state.partition;
        rt.load(&self.slots, rows.row(position)?);
        let key = self.order.first().map(|column| KeyColumn { rows: RefCell::new(rows), column: *column });
        let key = key.as_ref().map(|key| key as &dyn RangeKey);
        let place = Place { peers, key, row: position };
        let frames = state.frames.as_deref().unwrap_or_default();
        for ((call, frame), call_state) in self.calls.iter().zip(frames).zip(&mut state.calls) {
            let value = call.value(frame, call_state, place, rt)?;
            rt.frame.slots[call.slot] = value;
        }
        Ok(())
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
        let bytes = 2 * size_of::<usize>();
        rt.charge(bytes)?;
        partition.charged_bytes += bytes;
        let mut row = self.slots.iter().map(|slot| rt.frame.slots[*slot].clone()).collect::<Vec<Datum>>();
        let is_peer = partition.len() > 0 && self.order.iter().all(|key| key.compare(&partition.last, &row).is_eq());
        partition.peers.push(is_peer);
        partition.rows.push(&row, rt)?;
        std::mem::swap(&mut partition.last, &mut row);
        for (call, call_state) in self.calls.iter().zip(&mut state.calls) {
            row.clear();
            for arg in &call.args {
                row.push(arg.eval(rt)?);
            }
            if let Some(filter) = &call.filter {
                row.push(Datum::Bool(filter.passes(rt)?));
            }
            call_state.args.push(&row, rt)?;
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
