//! The planner's state: slots of columns, subplans, locks, notes for EXPLAIN.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{RelationLock, RowLock};
use nqdb_types::Type;

use super::CurrentOf;
use super::with::{RecursionPlace, WithPlace};
use super::{PlanContext, cost};
use crate::exec::{NodeNote, Operator, PlanNode, Slot, Subplan, WithPlan};
use crate::explain::deparse::Names;
use crate::ir::{ColumnId, Expr, WithId};
use crate::rewrite::Statistics;

/// One statement under planning.
pub(crate) struct Planner<'a> {
    pub cx: &'a PlanContext,
    /// Texts for EXPLAIN are wanted.
    pub explains: bool,
    /// Columns are called with their relation, because there are several.
    pub qualifies: bool,
    /// What is known of the columns, when there is more than one table.
    pub statistics: Option<Statistics>,
    pub subplans: Vec<Subplan>,
    pub with: Vec<WithPlan>,
    pub with_places: HashMap<WithId, WithPlace, RandomState>,
    pub recursion_places: HashMap<WithId, RecursionPlace, RandomState>,
    /// Those of `with` that run to their end before anything else.
    pub early_with: Vec<usize>,
    /// There is a FOR UPDATE in it.
    pub locks_rows: Option<RowLock>,
    pub relations: Vec<(u32, RelationLock)>,
    /// What full scans of all the tables would cost.
    pub full_scans_cost: f64,
    /// A compiled expression calls `txid_current`.
    pub needs_number: bool,
    pub current_of: Vec<CurrentOf>,
    /// It reads of the session's cursors or prepared statements.
    pub reads_session: bool,
    /// Slots of the operands of the CASEs around the expression at hand.
    pub case_slots: Vec<Slot>,
    /// What EXPLAIN calls a column.
    pub names: Names,
    columns: HashMap<ColumnId, (Slot, Type), RandomState>,
    slot_count: usize,
    node_count: usize,
}

/// The name of a column and of the relation that it comes from.
#[derive(Clone, Debug)]
pub(crate) struct ColumnName {
    pub relation: Option<String>,
    pub column: String,
}

impl<'a> Planner<'a> {
    pub fn new(cx: &'a PlanContext, explains: bool) -> Planner<'a> {
        Planner {
            cx,
            explains,
            qualifies: false,
            statistics: None,
            subplans: Vec::new(),
            with: Vec::new(),
            with_places: HashMap::default(),
            recursion_places: HashMap::default(),
            early_with: Vec::new(),
            locks_rows: None,
            relations: Vec::new(),
            full_scans_cost: 0.0,
            needs_number: false,
            current_of: Vec::new(),
            reads_session: false,
            case_slots: Vec::new(),
            names: Names::new(cx.types.clone()),
            columns: HashMap::default(),
            slot_count: 0,
            node_count: 0,
        }
    }

    /// A slot that belongs to no column.
    pub fn new_slot(&mut self) -> Slot {
        self.slot_count += 1;
        self.slot_count - 1
    }

    /// The slot of a column that is being defined; a column that has one keeps it.
    pub fn define(&mut self, id: ColumnId, ty: Type) -> Slot {
        if let Some((slot, known)) = self.columns.get_mut(&id) {
            *known = ty;
            return *slot;
        }
        let slot = self.new_slot();
        self.columns.insert(id, (slot, ty));
        slot
    }

    /// The slot of a column that was defined.
    pub fn slot(&self, id: ColumnId) -> SqlResult<Slot> {
        self.column(id).map(|(slot, _)| slot)
    }

    /// The slot and type of a column that was defined.
    pub fn column(&self, id: ColumnId) -> SqlResult<(Slot, Type)> {
        let column = self.columns.get(&id).copied();
        column.ok_or_else(|| SqlError::internal(format!("column #{} has no definition", id.0)))
    }

    /// The slots of some columns.
    pub fn slots(&self, ids: &[ColumnId]) -> SqlResult<Box<[Slot]>> {
        ids.iter().map(|id| self.slot(*id)).collect()
    }

    /// Asks for a lock, the stronger one when the relation is locked already.
    pub fn lock(&mut self, relation: u32, mode: RelationLock) {
        match self.relations.iter_mut().find(|(known, _)| *known == relation) {
            Some((_, known)) => *known = (*known).max(mode),
            None => self.relations.push((relation, mode)),
        }
    }

    /// Makes a node with its estimates.
    pub fn node(&mut self, operator: Operator, estimate: Estimate) -> PlanNode {
        let note = NodeNote {
            id: self.node_count,
            startup_cost: estimate.startup_cost,
            total_cost: estimate.total_cost,
            rows: estimate.rows,
            ..NodeNote::default()
        };
        self.node_count += 1;
        PlanNode { operator, note }
    }

    /// The part of the rows that pass all of some conditions.
    pub fn selectivity<'e>(&self, conditions: impl Iterator<Item = &'e Expr>) -> f64 {
        match &self.statistics {
            Some(statistics) => statistics.selectivity_of_all(conditions),
            None => conditions.map(cost::selectivity).product(),
        }
    }

    pub fn slot_count(&self) -> usize {
        self.slot_count
    }

    pub fn node_count(&self) -> usize {
        self.node_count
    }
}

/// What an operator is expected to give and to cost, in PostgreSQL's units (1.0 is a page read in sequence).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    pub rows: f64,
    pub startup_cost: f64,
    pub total_cost: f64,
}
