//! What operators and expressions share while a plan runs: slots, parameters, budget, memory account, subqueries.
//!
//! ```text
//! slots   [ output columns ... | columns of the operators ... | operands of CASE ... ]
//! ```
//!
//! What always holds:
//! 1. A column has one slot in the whole statement, subqueries included; so a correlated subquery finds the outer
//!    row's values in their slots, and nothing is passed down.
//! 2. Every operator counts its work. A slice that is used up makes the next operator yield, except inside of an
//!    expression, which cannot be resumed: there the session is asked whether the statement may go on.
//! 3. Whatever holds rows charges [`Frame::charge`]; the account is of the whole statement.

use nqdb_sqlstate::{CARDINALITY_VIOLATION, OUT_OF_MEMORY, SqlError, SqlResult};
use nqdb_txn::{ReadView, RowId, Wait};
use nqdb_types::{Array, Datum, Oid};

use super::contract::ExecContext;
use super::expression::{Equality, Slot};
use super::key_table::KeyTable;
use super::memo::{Memo, MemoKey};
use super::memory::MemoryShare;
use super::operator::{NodeStatistics, PlanNode, Pull, State, WorkFacts};
use super::scan::RowAddress;
use super::spill::ChargedRows;
use super::with::{WithPlan, WithState};
use crate::integrity::Event;

/// What an operator holds at least before it is told to go on with files because of what others hold.
const SPILL_BYTES_MIN: usize = 64 << 10;

/// Rows (or comparisons of joins) between two looks at the cancel flag; about a millisecond of work.
pub(crate) const SLICE_WORK: u32 = 2_000;

/// The mutable half of an execution.
pub(crate) struct Frame {
    pub slots: Vec<Datum>,
    pub subplans: Vec<SubplanState>,
    pub with: Vec<WithState>,
    /// The rows of the last round of each recursion.
    pub work_tables: Vec<ChargedRows>,
    /// The row that the scan of an UPDATE's or DELETE's table stands on.
    pub target: Option<RowAddress>,
    /// Where the cursors of WHERE CURRENT OF stand; none where a cursor's row has no address any more.
    pub current_rows: Vec<Option<RowId>>,
    /// What is to be checked once the statement is over.
    pub events: Vec<Event>,
    /// Rows to be changed must be there in this view too, as they are: 40001 else.
    pub expected: Option<ReadView>,
    /// What an operator waits for that says [`Pull::Yield`].
    pub wait: Option<Wait>,
    /// Per plan node, while EXPLAIN ANALYZE counts.
    pub statistics: Option<Vec<NodeStatistics>>,
    memory_bytes: usize,
    memory_share: MemoryShare,
    work_left: u32,
    expression_depth: u32,
}

impl Frame {
    pub fn new(slots: usize, subplans: usize) -> Frame {
        Frame {
            slots: vec![Datum::Null; slots],
            subplans: (0..subplans).map(|_| SubplanState::default()).collect(),
            with: Vec::new(),
            work_tables: Vec::new(),
            target: None,
            current_rows: Vec::new(),
            events: Vec::new(),
            expected: None,
            wait: None,
            statistics: None,
            memory_bytes: 0,
            memory_share: MemoryShare::default(),
            work_left: SLICE_WORK,
            expression_depth: 0,
        }
    }

    /// Makes room for WITH queries.
    pub fn with_queries(mut self, queries: usize, recursions: usize) -> Frame {
        self.with.resize_with(queries, WithState::default);
        self.work_tables.resize_with(recursions, ChargedRows::default);
        self
    }

    /// A new slice of work.
    pub fn start_slice(&mut self) {
        self.work_left = SLICE_WORK;
    }
}

/// A subquery of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Subplan {
    pub root: PlanNode,
    /// The slot of its only column; none for EXISTS.
    pub column: Option<Slot>,
    /// It mentions columns of the query around it.
    pub correlated: bool,
    /// The slots of those columns, where its answer depends on nothing else.
    pub memo_slots: Option<Box<[Slot]>>,
    /// How the operands of a quantified comparison hash, where they do.
    pub hash_type: Option<Oid>,
}

/// What an execution remembers of a subquery.
#[derive(Default)]
pub(crate) struct SubplanState {
    state: Option<Box<State>>,
    /// The answer of an uncorrelated one.
    value: Option<Datum>,
    /// The rows of an uncorrelated quantified one.
    values: Option<ValueSet>,
    /// The answers of a correlated one.
    memo: Memo,
}

/// The values of an uncorrelated `IN (query)`.
struct ValueSet {
    values: Vec<Datum>,
    has_null: bool,
    lookup: Option<KeyTable>,
}

/// One call of `step`: the plan, the frame and what the session gave.
pub(crate) struct Runtime<'r, 'c> {
    pub subplans: &'r [Subplan],
    pub with: &'r [WithPlan],
    pub frame: &'r mut Frame,
    pub params: &'r [Datum],
    pub view: &'r ReadView,
    pub cx: &'r mut ExecContext<'c>,
}

impl Runtime<'_, '_> {
    /// Counts one unit of work. True when the slice is over and the operator must yield; it calls this before it
    /// changes anything, so that it can be called again.
    pub fn slice_is_over(&mut self) -> SqlResult<bool> {
        if self.frame.work_left > 0 {
            self.frame.work_left -= 1;
            return Ok(false);
        }
        if self.frame.expression_depth > 0 {
            self.cx.functions.session.check_interruption()?;
            self.frame.start_slice();
            return Ok(false);
        }
        self.cx.check_cancel()?;
        Ok(true)
    }

    /// As [`Runtime::slice_is_over`], in work that cannot be resumed: at the end of a slice the session is asked whether it may
    /// go on.
    pub fn count_uninterrupted(&mut self) -> SqlResult<()> {
        if self.frame.work_left == 0 {
            self.cx.functions.session.check_interruption()?;
            self.frame.start_slice();
        }
        self.frame.work_left -= 1;
        Ok(())
    }

    /// Leaves a wait for the session, before an operator gives up its turn. An expression cannot be left: 0A000 there.
    pub fn wait_for(&mut self, wait: Wait) -> SqlResult<()> {
        if self.frame.expression_depth > 0 {
            return Err(SqlError::unsupported(
                "waiting for a row lock in a subquery that depends on the row around it",
            ));
        }
        self.frame.wait = Some(wait);
        Ok(())
    }

    /// Takes work that is done already out of the slice.
    pub fn count_work(&mut self, units: u32) {
        self.frame.work_left = self.frame.work_left.saturating_sub(units);
    }

    /// Accounts for memory that is about to be held; 53200 above the statement's limit, or when all statements together
    /// hold what they may.
    pub fn charge(&mut self, bytes: usize) -> SqlResult<()> {
        let wanted = self.frame.memory_bytes + bytes;
        if wanted > self.cx.memory_limit_bytes {
            let limit = self.cx.memory_limit_bytes;
            return Err(SqlError::new(OUT_OF_MEMORY, "out of memory")
                .with_detail(format!("What the statement keeps in memory alone needs more than {limit} bytes."))
                .with_hint(
                    "Raise the setting work_mem, or let the statement gather less in one value, group or key.",
                ));
        }
        if wanted > self.frame.memory_share.covered_bytes() {
            self.frame.memory_share.fit(wanted, self.cx.memory)?;
        }
        self.frame.memory_bytes = wanted;
        Ok(())
    }

    /// As [`Runtime::charge`], for an operator that can go on with files: false, and nothing charged, when it is to do so.
    /// `held` is what it holds itself; holding nothing, it is given room for `bytes` or ends with 53200.
    pub fn charge_or_spill(&mut self, bytes: usize, held: usize) -> SqlResult<bool> {
        if held > 0 && held + bytes > self.cx.work_memory_bytes {
            return Ok(false);
        }
        let matters = held >= SPILL_BYTES_MIN;
        // The other half is for what cannot go to a file, and for other statements.
        let most = self.cx.memory_limit_bytes.min(self.cx.memory.limit_bytes()) / 2;
        if matters && self.frame.memory_bytes + bytes > most {
            return Ok(false);
        }
        match self.charge(bytes) {
            Ok(()) => Ok(true),
            Err(_) if matters => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes what EXPLAIN ANALYZE tells of an operator's memory and files.
    pub fn note_work(&mut self, id: usize, facts: WorkFacts) {
        if let Some(statistics) = self.frame.statistics.as_mut().and_then(|all| all.get_mut(id)) {
            statistics.work = facts;
        }
    }

    /// Whether somebody asked for [`Runtime::note_work`].
    pub fn notes_work(&self) -> bool {
        self.frame.statistics.is_some()
    }

    /// As [`Runtime::charge`], for what can be done without: false when half of the limit is in use already.
    pub fn charge_if_spare(&mut self, bytes: usize) -> bool {
        if self.frame.memory_bytes + bytes > self.cx.memory_limit_bytes / 2 {
            return false;
        }
        self.charge(bytes).is_ok()
    }

    /// Takes memory out of the account.
    pub fn release(&mut self, bytes: usize) {
        self.frame.memory_bytes = self.frame.memory_bytes.saturating_sub(bytes);
        if bytes > super::memory::FREE_BYTES {
            // What shrinks needs nothing, so it cannot fail.
            let _ = self.frame.memory_share.fit(self.frame.memory_bytes, self.cx.memory);
        }
    }

    /// The value of a scalar subquery; 21000 when it has a second row.
    pub fn scalar_subquery(&mut self, index: usize) -> SqlResult<Datum> {
        if let Some(value) = &self.frame.subplans[index].value {
            return Ok(value.clone());
        }
        let (key, known) = self.recall(index, None);
        if let Some(value) = known {
            return Ok(value);
        }
        let column = self.subplans[index].column;
        let mut value = None;
        self.run_subplan(index, |rt| {
            if value.is_some() {
                let message = "more than one row returned by a subquery used as an expression";
                return Err(SqlError::new(CARDINALITY_VIOLATION, message));
            }
            value = Some(column.map_or(Datum::Null, |slot| rt.frame.slots[slot].clone()));
            Ok(true)
        })?;
        let value = value.unwrap_or(Datum::Null);
        self.memorize(index, key, &value);
        self.remember(index, &value);
        Ok(value)
    }

    /// `ARRAY(query)`: the values of its only column; arrays make one dimension more.
    pub fn array_subquery(&mut self, index: usize, element_type: Oid, nested: bool) -> SqlResult<Datum> {
        if let Some(value) = &self.frame.subplans[index].value {
            return Ok(value.clone());
        }
        let Some(column) = self.subplans[index].column else {
            return Err(SqlError::internal("an array's subquery has no column"));
        };
        let mut values = Vec::new();
        let mut charged_bytes = 0;
        let collected = self.run_subplan(index, |rt| {
            let value = rt.frame.slots[column].clone();
            let bytes = size_of::<Datum>() + value.heap_size();
            charged_bytes += bytes;
            rt.charge(bytes)?;
            values.push(value);
            Ok(true)
        });
        self.release(charged_bytes);
        collected?;
        let array = match nested {
            true => super::array::stack(element_type, values)?,
            false => Array::from_elements(element_type, values)?,
        };
        let value = Datum::array(array);
        self.remember(index, &value);
        Ok(value)
    }

    /// Whether a subquery has a row.
    pub fn exists(&mut self, index: usize) -> SqlResult<bool> {
        if let Some(Datum::Bool(value)) = &self.frame.subplans[index].value {
            return Ok(*value);
        }
        let (key, known) = self.recall(index, None);
        if let Some(Datum::Bool(value)) = known {
            return Ok(value);
        }
        let mut found = false;
        self.run_subplan(index, |_| {
            found = true;
            Ok(false)
        })?;
        self.memorize(index, key, &Datum::Bool(found));
        self.remember(index, &Datum::Bool(found));
        Ok(found)
    }

    /// `arg op ANY (query)` or `arg op ALL (query)`, three-valued.
    pub fn quantified(&mut self, index: usize, arg: &Datum, op: &Equality, all: bool) -> SqlResult<Option<bool>> {
        let subplan = &self.subplans[index];
        let Some(column) = subplan.column else {
            return Err(SqlError::internal("a quantified subquery has no column"));
        };
        if !subplan.correlated {
            return self.quantified_over_set(index, column, arg, op, all);
        }
        let (key, known) = self.recall(index, Some(arg));
        if let Some(value) = known {
            return Ok(value.as_bool());
        }
        let mut result = Some(all);
        self.run_subplan(index, |rt| {
            let value = rt.frame.slots[column].clone();
            Ok(merge_quantified(&mut result, op.test(arg, &value, rt)?, all))
        })?;
        self.memorize(index, key, &result.map_or(Datum::Null, Datum::Bool));
        Ok(result)
    }

    fn quantified_over_set(
        &mut self,
        index: usize,
        column: Slot,
        arg: &Datum,
        op: &Equality,
        all: bool,
    ) -> SqlResult<Option<bool>> {
        let set = match self.frame.subplans[index].values.take() {
            Some(set) => set,
            None => self.collect_values(index, column)?,
        };
        let result = set.test(arg, op, all, self);
        self.frame.subplans[index].values = Some(set);
        result
    }

    fn collect_values(&mut self, index: usize, column: Slot) -> SqlResult<ValueSet> {
        let hash_type = self.subplans[index].hash_type;
        let mut lookup = hash_type.map(|type_oid| KeyTable::new(Box::new([type_oid])));
        let mut set = ValueSet { values: Vec::new(), has_null: false, lookup: None };
        self.run_subplan(index, |rt| {
            let value = rt.frame.slots[column].clone();
            set.has_null |= value.is_null();
            match (&mut lookup, value.is_null()) {
                (Some(_), true) => {}
                (Some(lookup), false) => {
                    lookup.insert(std::slice::from_ref(&value), rt)?;
                }
                (None, _) => {
                    rt.charge(size_of::<Datum>() + value.heap_size())?;
                    set.values.push(value);
                }
            }
            Ok(true)
        })?;
        set.lookup = lookup;
        Ok(set)
    }

    /// The key of the outer values at hand for a correlated subquery, and its answer if it was asked with them before.
    fn recall(&mut self, index: usize, operand: Option<&Datum>) -> (Option<MemoKey>, Option<Datum>) {
        let Some(slots) = &self.subplans[index].memo_slots else { return (None, None) };
        let mut memo = std::mem::take(&mut self.frame.subplans[index].memo);
        let key = memo.key(slots, operand, self);
        let answer = key.as_ref().and_then(|key| memo.find(key, self));
        self.frame.subplans[index].memo = memo;
        (key, answer)
    }

    /// Keeps the answer of a correlated subquery for when the same outer values come again.
    fn memorize(&mut self, index: usize, key: Option<MemoKey>, answer: &Datum) {
        if let Some(key) = key {
            let mut memo = std::mem::take(&mut self.frame.subplans[index].memo);
            memo.keep(key, answer, self);
            self.frame.subplans[index].memo = memo;
        }
    }

    /// Keeps the answer of a subquery that cannot change within the statement.
    fn remember(&mut self, index: usize, value: &Datum) {
        if !self.subplans[index].correlated {
            self.frame.subplans[index].value = Some(value.clone());
        }
    }

    /// Runs a subquery from its start and shows its rows, until `row` says false.
    fn run_subplan(&mut self, index: usize, mut row: impl FnMut(&mut Self) -> SqlResult<bool>) -> SqlResult<()> {
        let subplan = &self.subplans[index];
        let mut state = match self.frame.subplans[index].state.take() {
            Some(state) => state,
            None => Box::new(subplan.root.new_state()),
        };
        self.frame.expression_depth += 1;
        let result = self.pull_all(&subplan.root, &mut state, &mut row);
        self.frame.expression_depth -= 1;
        self.frame.subplans[index].state = Some(state);
        result
    }

    fn pull_all(
        &mut self,
        root: &PlanNode,
        state: &mut State,
        row: &mut impl FnMut(&mut Self) -> SqlResult<bool>,
    ) -> SqlResult<()> {
        root.open(state, self)?;
        loop {
            match root.next(state, self)? {
                Pull::Row => {
                    if !row(self)? {
                        return Ok(());
                    }
                }
                Pull::End => return Ok(()),
                Pull::Yield => return Err(SqlError::internal("a subquery yielded")),
            }
        }
    }
}

impl ValueSet {
    fn test(&self, arg: &Datum, op: &Equality, all: bool, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<bool>> {
        if let Some(lookup) = &self.lookup {
            if lookup.is_empty() && !self.has_null {
                return Ok(Some(false));
            }
            if arg.is_null() {
                return Ok(None);
            }
            let found = lookup.find(std::slice::from_ref(arg)).is_some();
            return Ok(if found {
                Some(true)
            } else if self.has_null {
                None
            } else {
                Some(false)
            });
        }
        let mut result = Some(all);
        for value in &self.values {
            if !merge_quantified(&mut result, op.test(arg, value, rt)?, all) {
                break;
            }
        }
        Ok(result)
    }
}

/// Adds one comparison to the result of ANY or ALL; false when it is decided.
fn merge_quantified(result: &mut Option<bool>, comparison: Option<bool>, all: bool) -> bool {
    match comparison {
        Some(value) if value == all => {}
        Some(value) => {
            *result = Some(value);
            return false;
        }
        None => *result = None,
    }
    true
}
