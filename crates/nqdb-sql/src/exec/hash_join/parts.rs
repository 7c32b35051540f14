//! A hash join whose right side memory has no room for.
//!
//! ```text
//! right rows --hash--> 16 parts of a file      a part:  right rows --> table, as many as there is room for
//! left rows  --hash--> 16 parts of the file             left rows  --> each looks into the table
//! ```
//!
//! What always holds:
//!
//! 1. Rows with equal keys are in the same part, so that parts know nothing of each other.
//! 2. A part that does not fit is divided again, unless that cannot help: it has no keys, one hash, or was divided
//!    [`LEVEL_MAX`] times. Then its right rows come in portions, and its left rows meet each portion. A bit for each left row
//!    says whether it has met a partner; what depends on there being none is known with the last portion.
//! 3. A row with a NULL among its keys is in some part, and finds nothing there.
//! 4. Where the left side's order counts, left rows bear their numbers, and results are put in order by them.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::{HashJoin, HashJoinState};
use crate::exec::nested_loop::HalfJoin;
use crate::exec::operator::Pull;
use crate::exec::runtime::Runtime;
use crate::exec::spill::{InOrder, LEVEL_MAX, Parts, Run, RunReader};
use crate::temporary_files::TemporaryFile;

/// Left rows between two looks at the cancel flag while a part is divided again.
const UNINTERRUPTED_ROWS: u64 = 8_192;

/// Both sides in a file.
pub(super) struct Parted {
    file: TemporaryFile,
    /// The sides as they come in.
    right: Option<Parts>,
    left: Option<Parts>,
    left_rows: i64,
    /// Parts that are to be joined, the next one last.
    waiting: Vec<Pair>,
    part_count: usize,
    current: Option<CurrentPart>,
    row: Vec<Datum>,
    in_order: Option<InOrder>,
}

/// The two sides of a part.
struct Pair {
    right: Run,
    left: Run,
    level: u32,
}

/// The part that is being joined.
struct CurrentPart {
    pair: Pair,
    right_reader: RunReader,
    left_reader: RunReader,
    /// A right row that the last portion had no room for.
    pending: Option<Vec<Datum>>,
    /// The portion at hand is the first, and the last.
    is_first: bool,
    is_last: bool,
    /// The left row at hand, among those of the part and among all.
    left_row: usize,
    left_number: i64,
    /// Which left rows have met a partner in an earlier portion, or in this one.
    matched: Vec<bool>,
    charged_bytes: usize,
}

/// Whether the left row that has met all rows in memory is without a partner for good.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum UnmatchedLeft {
    Yes,
    No,
}

impl HashJoin {
    /// Values of a left row in the file: its keys, its number, its slots.
    fn left_width(&self) -> usize {
        self.keys.len() + 1 + self.left_slots.len()
    }

    /// Values of a right row in the file: its keys and its slots.
    fn right_width(&self) -> usize {
        self.keys.len() + self.right_slots.len()
    }

    /// Moves the right rows that are in memory to the parts of a file, where all others go too.
    pub(super) fn begin_parts(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut parted = Parted {
            file: rt.cx.temporary.create()?,
            right: Some(Parts::new(0)),
            left: Some(Parts::new(0)),
            left_rows: 0,
            waiting: Vec::new(),
            part_count: 0,
            current: None,
            row: Vec::new(),
            in_order: None,
        };
        // The keys of the row that finds no room stay where they are.
        let table = &mut state.table;
        let key_width = self.keys.len();
        for number in 0..table.rows.len() {
            let key = &table.keys[number * key_width..(number + 1) * key_width];
            let hash = self.hash(key, table.heads.hasher());
            parted.push_right(hash, table.row(number, key_width, self.right_slots.len()))?;
        }
        table.clear(rt);
        state.parted = Some(Box::new(parted));
        Ok(())
    }

    /// Reads the left side to its end, into the parts; false when the slice is over before that.
    pub(super) fn part_left(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let HashJoinState { left, table, left_key, parted: Some(parted), .. } = state else { return Err(lost()) };
        loop {
            match self.left.next(left, rt)? {
                Pull::Row => {
                    self.evaluate_left_key(left_key, rt)?;
                    let is_null = left_key.iter().any(Datum::is_null);
                    let goes_out_alone = self.keep_left || self.half == Some(HalfJoin::Anti);
                    if is_null && !goes_out_alone {
                        continue;
                    }
                    left_key.resize(self.keys.len(), Datum::Null);
                    let hash = self.hash(left_key, table.heads.hasher());
                    let number = Datum::Int8(parted.left_rows);
                    parted.left_rows += 1;
                    let slots = self.left_slots.iter().map(|slot| &rt.frame.slots[*slot]);
                    let row = left_key.iter().chain(std::iter::once(&number)).chain(slots);
                    match &mut parted.left {
                        Some(parts) => parts.push(hash, row, &mut parted.file)?,
                        None => return Err(lost()),
                    }
                }
                Pull::End => {
                    parted.sides_are_complete()?;
                    return Ok(true);
                }
                Pull::Yield => return Ok(false),
            }
        }
    }

    /// Puts the next portion of right rows into memory, of this part or of the next one; false when all parts are done.
    pub(super) fn load_part(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        state.table.clear(rt);
        loop {
            rt.cx.functions.session.check_interruption()?;
            let parted = state.parted.as_deref_mut().ok_or_else(lost)?;
            if let Some(current) = parted.current.take_if(|current| current.is_last) {
                rt.release(current.charged_bytes);
            }
            match &mut parted.current {
                Some(current) => {
                    current.left_reader.rewind();
                    (current.left_row, current.is_first) = (0, false);
                }
                None => {
                    let Some(pair) = parted.waiting.pop() else { return Ok(false) };
                    if self.gives_nothing(&pair) {
                        continue;
                    }
                    parted.current = Some(CurrentPart::new(pair));
                }
            }
            self.load_portion(state, rt)?;
            if !self.divide_again(state, rt)? {
                return Ok(true);
            }
            state.table.clear(rt);
        }
    }

    /// A part where one side is empty, if that side alone decides.
    fn gives_nothing(&self, pair: &Pair) -> bool {
        let needs_right = !self.keep_left && self.half != Some(HalfJoin::Anti);
        (pair.left.is_empty() && !self.keep_right) || (pair.right.is_empty() && needs_right)
    }

    /// Fills the table from the part at hand.
    fn load_portion(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let HashJoinState { table, parted: Some(parted), .. } = state else { return Err(lost()) };
        let Parted { current: Some(current), file, row, .. } = &mut **parted else { return Err(lost()) };
        let key_width = self.keys.len();
        loop {
            match current.pending.take() {
                Some(pending) => *row = pending,
                None if !current.right_reader.next(&current.pair.right, self.right_width(), file, row)? => {
                    current.is_last = true;
                    return Ok(());
                }
                None => {}
            }
            table.key.clear();
            table.key.extend(row.iter().take(key_width).cloned());
            let has_null = table.key.iter().any(Datum::is_null);
            let hash = self.hash(&table.key, table.heads.hasher());
            let bytes = table.entry_bytes();
            if !table.rows.try_push_row(row.get(key_width..).unwrap_or_default(), bytes, rt)? {
                current.pending = Some(std::mem::take(row));
                return Ok(());
            }
            table.enter((!has_null).then_some(hash));
            if table.chain.len().is_multiple_of(UNINTERRUPTED_ROWS as usize) {
                rt.cx.functions.session.check_interruption()?;
            }
        }
    }

    /// Divides the part at hand if it is too large and that can help.
    fn divide_again(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let HashJoinState { table, parted: Some(parted), .. } = state else { return Err(lost()) };
        let Some(current) = parted.current.as_mut() else { return Err(lost()) };
        let helps = current.pair.level < LEVEL_MAX && table.heads.len() > 1;
        if current.is_last || !current.is_first || !helps {
            current.know_left_rows(rt)?;
            return Ok(false);
        }
        let Some(CurrentPart { pair, .. }) = parted.current.take() else { return Err(lost()) };
        let key_width = self.keys.len();
        let hash = |row: &[Datum]| self.hash(row.get(..key_width).unwrap_or_default(), table.heads.hasher());
        let level = pair.level + 1;
        let right = parted.divide(&pair.right, self.right_width(), level, hash, rt)?;
        let left = parted.divide(&pair.left, self.left_width(), level, hash, rt)?;
        parted.wait_for(right, left)?;
        Ok(true)
    }

    /// The next row when the order of the left side counts: all results are made first, then given out in order.
    pub(super) fn next_in_order(
        &self,
        id: usize,
        state: &mut HashJoinState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Pull> {
        while !state.parted.as_ref().and_then(|parted| parted.in_order.as_ref()).is_some_and(InOrder::is_complete) {
            let pull = self.next_as_it_comes(id, state, rt)?;
            if self.gather_in_order(pull, state, rt)? == Pull::Yield {
                return Ok(Pull::Yield);
            }
        }
        self.give_in_order(state, rt)
    }

    /// As [`HashJoin::next_in_order`], where the first row is at hand.
    pub(super) fn begin_in_order(
        &self,
        id: usize,
        pull: Pull,
        state: &mut HashJoinState,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Pull> {
        match self.gather_in_order(pull, state, rt)? {
            Pull::Yield => Ok(Pull::Yield),
            _ => self.next_in_order(id, state, rt),
        }
    }

    fn gather_in_order(&self, pull: Pull, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let right_slots: &[_] = if self.half.is_some() { &[] } else { &self.right_slots };
        let width = self.left_slots.len() + right_slots.len();
        let parted = state.parted.as_deref_mut().ok_or_else(lost)?;
        let Parted { in_order, file, current, .. } = parted;
        let in_order = in_order.get_or_insert_default();
        match pull {
            Pull::Row => {
                let number = current.as_ref().map_or(0, |current| current.left_number);
                let slots = self.left_slots.iter().chain(right_slots);
                in_order.push(number, slots.map(|slot| &rt.frame.slots[*slot]), file)?;
            }
            Pull::End => in_order.complete(width, file, rt)?,
            Pull::Yield => {}
        }
        Ok(pull)
    }

    fn give_in_order(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        let parted = state.parted.as_deref_mut().ok_or_else(lost)?;
        let Parted { in_order: Some(in_order), file, .. } = parted else { return Err(lost()) };
        let Some(row) = in_order.next(file)? else { return Ok(Pull::End) };
        rt.load(&self.left_slots, row);
        if self.half.is_none() {
            rt.load(&self.right_slots, row.get(self.left_slots.len()..).unwrap_or_default());
        }
        Ok(Pull::Row)
    }
}

impl Parted {
    /// Adds a right row: its keys, then its slots.
    pub fn push_right<'d>(&mut self, hash: u64, row: impl Iterator<Item = &'d Datum>) -> SqlResult<()> {
        match &mut self.right {
            Some(parts) => parts.push(hash, row, &mut self.file),
            None => Err(lost()),
        }
    }

    /// How many parts there are, as far as it is known.
    pub fn part_count(&self) -> usize {
        self.part_count.max(1)
    }

    fn sides_are_complete(&mut self) -> SqlResult<()> {
        let (Some(right), Some(left)) = (self.right.take(), self.left.take()) else { return Err(lost()) };
        self.wait_for(right, left)
    }

    /// Both sides are divided: their parts are to be joined.
    fn wait_for(&mut self, right: Parts, left: Parts) -> SqlResult<()> {
        let (right, left) = (right.finish(&mut self.file)?, left.finish(&mut self.file)?);
        self.part_count = self.part_count.saturating_sub(1) + right.len();
        let pairs = right.into_iter().zip(left);
        self.waiting.extend(pairs.map(|(right, left)| Pair { right: right.run, left: left.run, level: right.level }));
        Ok(())
    }

    fn divide(
        &mut self,
        run: &Run,
        width: usize,
        level: u32,
        hash: impl Fn(&[Datum]) -> u64,
        rt: &Runtime<'_, '_>,
    ) -> SqlResult<Parts> {
        let mut parts = Parts::new(level);
        let mut reader = RunReader::default();
        let mut rows = 0_u64;
        while reader.next(run, width, &self.file, &mut self.row)? {
            parts.push(hash(&self.row), &self.row, &mut self.file)?;
            rows += 1;
            if rows.is_multiple_of(UNINTERRUPTED_ROWS) {
                rt.cx.functions.session.check_interruption()?;
            }
        }
        Ok(parts)
    }

    /// The next left row of the part at hand that has not got all that it can get.
    pub fn next_left(
        &mut self,
        join: &HashJoin,
        left_key: &mut Vec<Datum>,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Pull> {
        let Parted { current: Some(current), file, row, .. } = self else { return Err(lost()) };
        let key_width = join.keys.len();
        loop {
            if rt.slice_is_over()? {
                return Ok(Pull::Yield);
            }
            if !current.left_reader.next(&current.pair.left, join.left_width(), file, row)? {
                return Ok(Pull::End);
            }
            current.left_row += 1;
            // A semi or anti join has decided about a row that has met a partner.
            if join.half.is_some() && current.has_matched() {
                continue;
            }
            break;
        }
        current.left_number = row.get(key_width).and_then(Datum::as_integer).ok_or_else(lost)?;
        rt.load(&join.left_slots, row.get(key_width + 1..).unwrap_or_default());
        left_key.clear();
        left_key.extend(row.drain(..key_width));
        Ok(Pull::Row)
    }

    /// The left row at hand has met a partner.
    pub fn note_match(&mut self) {
        if let Some(current) = &mut self.current
            && let Some(matched) = current.matched.get_mut(current.left_row.wrapping_sub(1))
        {
            *matched = true;
        }
    }

    /// What is known of the left row at hand, which has met the rows in memory; `matched`: one of these.
    pub fn unmatched_left(&self, matched: bool) -> UnmatchedLeft {
        match &self.current {
            Some(current) if current.is_last && !matched && !current.has_matched() => UnmatchedLeft::Yes,
            _ => UnmatchedLeft::No,
        }
    }

    /// Gives the memory back.
    pub fn end(self, rt: &mut Runtime<'_, '_>) {
        if let Some(current) = self.current {
            rt.release(current.charged_bytes);
        }
        if let Some(in_order) = self.in_order {
            in_order.end(rt);
        }
    }
}

impl CurrentPart {
    fn new(pair: Pair) -> CurrentPart {
        CurrentPart {
            pair,
            right_reader: RunReader::default(),
            left_reader: RunReader::default(),
            pending: None,
            is_first: true,
            is_last: false,
            left_row: 0,
            left_number: 0,
            matched: Vec::new(),
            charged_bytes: 0,
        }
    }

    /// Makes room to remember which left rows have met a partner, if there are to be several portions.
    fn know_left_rows(&mut self, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        if self.is_last || !self.matched.is_empty() {
            return Ok(());
        }
        let rows = usize::try_from(self.pair.left.rows()).unwrap_or(usize::MAX);
        rt.charge(rows)?;
        self.charged_bytes += rows;
        self.matched = vec![false; rows];
        Ok(())
    }

    fn has_matched(&self) -> bool {
        self.matched.get(self.left_row.wrapping_sub(1)).copied().unwrap_or(false)
    }
}

fn lost() -> SqlError {
    SqlError::internal("a join in parts has lost one of them")
}
