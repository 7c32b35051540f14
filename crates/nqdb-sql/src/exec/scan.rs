//! Reading a table: all of it, or the part between two keys of an index.
//!
//! Rows are fetched in batches that grow, so that a point query decodes one row and a long scan pays for few
//! calls. The condition is tested while the batch is read: a row that fails is never kept.
//!
//! What always holds:
//! 1. The conditions that an index range stands for are not tested again: the index scan itself compares the key
//!    with the version of the row that is visible.
//! 2. A batch never exceeds a slice of work.

use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{SERIALIZATION_FAILURE, SqlError, SqlResult};
use nqdb_txn::Direction;
use nqdb_txn::{IndexScan, RowId, RowImage, RowScan, RowVersion};
use nqdb_types::{Datum, current_value};

use super::expression::{Eval, Slot};
use super::index_range::{IndexAccess, Range};
use super::operator::Pull;
use super::row_access::RowAccess;
use super::runtime::{Runtime, SLICE_WORK};
use super::sample::{ChosenRows, Sample};
use crate::SystemColumn;

/// Rows of the first batch of a scan that may have many.
const FIRST_BATCH_ROWS: usize = 8;
/// Rows of the largest batch.
const BATCH_ROWS_MAX: usize = 512;

/// Where a row is, and which version of it was seen: what UPDATE and DELETE need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowAddress {
    pub row_id: RowId,
    pub version: RowVersion,
}

impl RowAddress {
    /// The address as a value that travels through joins and sorts.
    pub fn to_datum(self) -> Datum {
        let [xid, undo] = self.version.to_words();
        let words = [self.row_id.0, xid, undo].map(u64::to_le_bytes);
        Datum::Bytea(words.as_flattened().into())
    }

    /// The address that [`RowAddress::to_datum`] gave; `None` for the NULL of an outer join.
    pub fn from_datum(datum: &Datum) -> SqlResult<Option<RowAddress>> {
        let bytes = match datum {
            Datum::Null => return Ok(None),
            Datum::Bytea(bytes) => bytes,
            _ => return Err(SqlError::internal("the address of a row is of another type")),
        };
        let (words, _) = bytes.as_chunks::<8>();
        let [row_id, xid, undo] = words else { return Err(SqlError::internal("the address of a row is cut")) };
        let version = RowVersion::from_words([u64::from_le_bytes(*xid), u64::from_le_bytes(*undo)]);
        Ok(Some(RowAddress { row_id: RowId(u64::from_le_bytes(*row_id)), version }))
    }
}

/// The row that an address behind a cursor's columns names.
pub fn row_of_address(address: &Datum) -> SqlResult<Option<RowId>> {
    Ok(RowAddress::from_datum(address)?.map(|address| address.row_id))
}

#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub table: Arc<TableDef>,
    /// Position in the table, and where the value goes.
    pub columns: Box<[(usize, Slot)]>,
    pub access: Access,
    pub filter: Option<Eval>,
    /// All conditions, for a snapshot that is older than the index.
    pub whole_filter: Option<Eval>,
    /// UPDATE and DELETE want the row's address.
    pub is_target: bool,
    /// Where the row's address goes as a value.
    pub address: Option<Slot>,
    /// TABLESAMPLE, with [`Access::Sequential`].
    pub sample: Option<Sample>,
}

#[derive(Clone, Debug)]
pub(crate) enum Access {
    Sequential,
    Index(Box<IndexAccess>),
    /// Rows by their ids.
    Rows(Box<RowAccess>),
    /// The row of a cursor: its position in [`crate::plan::Plan::current_of`].
    CurrentOf(usize),
}

pub(crate) struct ScanState {
    cursor: Cursor,
    /// Ranges of the index that are still to be read, the next one last.
    ranges: Vec<Range>,
    /// Row ids that are still to be read, likewise.
    row_ranges: Vec<std::ops::Range<RowId>>,
    /// Rows of the batch: values of the columns, one row after the other.
    values: Vec<Datum>,
    addresses: Vec<RowAddress>,
    next: usize,
    batch_rows: usize,
    /// The index cannot be used by this snapshot.
    without_index: bool,
    chosen: Option<ChosenRows>,
    /// What was drawn for a sample that names no seed.
    drawn_seed: Option<u64>,
}

/// The scan below, if there is one.
enum Cursor {
    None,
    Rows(RowScan),
    Index(IndexScan),
}

/// How reading a batch ended.
struct BatchEnd {
    /// Rows that were looked at.
    looked_at: u32,
    /// More may follow.
    more: bool,
}

impl Scan {
    pub fn new_state(&self) -> ScanState {
        ScanState {
            cursor: Cursor::None,
            ranges: Vec::new(),
            row_ranges: Vec::new(),
            values: Vec::new(),
            addresses: Vec::new(),
            next: 0,
            batch_rows: FIRST_BATCH_ROWS,
            without_index: false,
            chosen: None,
            drawn_seed: None,
        }
    }

    pub fn open(&self, state: &mut ScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.values.clear();
        state.addresses.clear();
        state.ranges.clear();
        state.row_ranges.clear();
        state.next = 0;
        state.batch_rows = FIRST_BATCH_ROWS;
        state.cursor = Cursor::None;
        state.without_index = false;
        if let Some(sample) = &self.sample {
            state.chosen = Some(sample.choose(&mut state.drawn_seed, rt)?);
        }
        match &self.access {
            Access::Sequential => self.start_full_scan(state, rt),
            Access::CurrentOf(cursor) => {
                if let Some(row) = rt.frame.current_rows.get(*cursor).copied().flatten() {
                    let rows = row..RowId(row.0.saturating_add(1));
                    state.cursor = Cursor::Rows(self.table.store.scan(rt.view.clone(), rows, Direction::Forward));
                }
            }
            Access::Rows(access) => state.row_ranges = access.ranges(rt)?,
            Access::Index(access) if self.is_usable(access, rt) => {
                access.ranges(&mut state.ranges, rt)?;
                if access.is_point {
                    state.batch_rows = 1;
                }
            }
            Access::Index(access) if access.keeps_order => {
                let message = "could not serialize access due to concurrent index creation";
                return Err(SqlError::new(SERIALIZATION_FAILURE, message));
            }
            Access::Index(_) => {
                state.without_index = true;
                self.start_full_scan(state, rt);
            }
        }
        Ok(())
    }

    /// An older snapshot than the index knows rows that the index does not.
    fn is_usable(&self, access: &IndexAccess, rt: &Runtime<'_, '_>) -> bool {
        let index = self.table.store.indexes.get(access.index);
        index.is_some_and(|index| index.usable_by(rt.view))
    }

    fn start_full_scan(&self, state: &mut ScanState, rt: &Runtime<'_, '_>) {
        let rows = RowId(0)..RowId(u64::MAX);
        state.cursor = Cursor::Rows(self.table.store.scan(rt.view.clone(), rows, Direction::Forward));
    }

    pub fn next(&self, id: usize, state: &mut ScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            if let Some(address) = state.addresses.get(state.next) {
                let width = self.columns.len();
                let row = &mut state.values[state.next * width..(state.next + 1) * width];
                for ((_, slot), value) in self.columns.iter().zip(row) {
                    std::mem::swap(&mut rt.frame.slots[*slot], value);
                }
                if self.is_target {
                    rt.frame.target = Some(*address);
                }
                if let Some(slot) = self.address {
                    rt.frame.slots[slot] = address.to_datum();
                }
                state.next += 1;
                return Ok(Pull::Row);
            }
            if rt.slice_is_over()? {
                return Ok(Pull::Yield);
            }
            if !self.read_batch(id, state, rt)? {
                return Ok(Pull::End);
            }
        }
    }

    /// Reads the next batch; false when there is nothing left to read.
    fn read_batch(&self, id: usize, state: &mut ScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        state.values.clear();
        state.addresses.clear();
        state.next = 0;
        if let (Cursor::None, Access::Rows(_)) = (&state.cursor, &self.access) {
            let Some(rows) = state.row_ranges.pop() else { return Ok(false) };
            state.cursor = Cursor::Rows(self.table.store.scan(rt.view.clone(), rows, Direction::Forward));
        } else if let Cursor::None = state.cursor {
            let Some((lower, upper)) = state.ranges.pop() else { return Ok(false) };
            let Access::Index(access) = &self.access else { return Ok(false) };
            let scan = self.table.store.index_scan(access.index, rt.view.clone(), lower, upper, access.direction);
            state.cursor = Cursor::Index(scan);
        }
        let end = self.fill(id, state, rt)?;
        rt.count_work(end.looked_at);
        let is_point = !state.without_index && matches!(&self.access, Access::Index(access) if access.is_point);
        if !end.more || (is_point && !state.addresses.is_empty()) {
            state.cursor = Cursor::None;
        }
        if !is_point {
            state.batch_rows = (state.batch_rows * 4).min(BATCH_ROWS_MAX);
        }
        Ok(true)
    }

    fn fill(&self, id: usize, state: &mut ScanState, rt: &mut Runtime<'_, '_>) -> SqlResult<BatchEnd> {
        let (values, addresses) = (&mut state.values, &mut state.addresses);
        let batch_rows = state.batch_rows;
        let mut looked_at = 0;
        let mut failure = None;
        let filter = if state.without_index { &self.whole_filter } else { &self.filter };
        let chosen = state.chosen;
        let mut visit = |row_id: RowId, version: RowVersion, image: RowImage<'_>| {
            looked_at += 1;
            if chosen.is_some_and(|chosen| !chosen.has(row_id)) {
                return if looked_at >= SLICE_WORK { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            match self.admit(id, filter.as_ref(), (row_id, version), &image, rt) {
                Ok(true) => {
                    let slots = &mut rt.frame.slots;
                    values
                        .extend(self.columns.iter().map(|(_, slot)| std::mem::replace(&mut slots[*slot], Datum::Null)));
                    addresses.push(RowAddress { row_id, version });
                }
                Ok(false) => {}
                Err(error) => {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if addresses.len() >= batch_rows || looked_at >= SLICE_WORK {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let more = match &mut state.cursor {
            Cursor::Rows(scan) => scan.next_batch(&mut visit),
            Cursor::Index(scan) => scan.next_batch(&mut visit),
            Cursor::None => Ok(false),
        };
        match failure {
            Some(error) => Err(error),
            None => Ok(BatchEnd { looked_at, more: more? }),
        }
    }

    /// Decodes a row into its slots and tests the condition.
    fn admit(
        &self,
        id: usize,
        filter: Option<&Eval>,
        (row_id, version): (RowId, RowVersion),
        image: &RowImage<'_>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<bool> {
        let types = &*rt.cx.functions.format.types;
        for (column, slot) in &self.columns {
            rt.frame.slots[*slot] = match SystemColumn::at(*column) {
                None => current_value(image.datum(*column)?, types)?,
                Some(system) => system.value(self.table.oid, row_id, version)?,
            };
        }
        match filter {
            Some(filter) if !filter.passes(rt)? => {
                rt.count_filtered(id);
                Ok(false)
            }
            _ => Ok(true),
        }
    }
}
