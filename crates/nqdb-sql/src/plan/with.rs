//! WITH queries and recursions: each is planned once, however often the relation that holds it is weighed.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Type;

use super::mentions::{expressions, free_columns, operands, subquery, walk};
use super::relation::{Planned, Wishes};
use super::slots::{Estimate, Planner};
use crate::exec::{Operator, Recursion, With, WithPlan, WithScan};
use crate::ir::{ColumnId, Expr, Query, Rel, WithBody, WithId, WithQuery};

/// Rounds that a recursion is taken to go on for, as in PostgreSQL.
const ROUNDS_GUESS: f64 = 10.0;

/// A WITH query that is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithPlace {
    /// Position in the plan's list.
    index: usize,
    /// Its rows depend on the row around it, or on the round of a recursion.
    dependent: bool,
    rows: f64,
}

/// A recursion that is being planned, or was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecursionPlace {
    index: usize,
    rows: f64,
}

impl Planner<'_> {
    /// Plans the WITH queries of a list that are not planned yet; those that write have their rows elsewhere.
    pub fn plan_with_queries(&mut self, queries: &[WithQuery]) -> SqlResult<()> {
        for query in queries {
            if !self.with_places.contains_key(&query.id) {
                self.plan_with_query(query)?;
            }
        }
        Ok(())
    }

    fn plan_with_query(&mut self, with: &WithQuery) -> SqlResult<()> {
        let (plan, place) = match &with.body {
            WithBody::Query(query) => {
                let planned = self.plan_query(query, None)?;
                let slots = query.output.iter().map(|column| self.slot(column.id)).collect::<SqlResult<Box<[_]>>>()?;
                let dependent = self.depends_on_surroundings(query);
                let place = WithPlace { index: 0, dependent, rows: planned.estimate.rows };
                (WithPlan { name: with.name.clone(), root: Some(planned.node), slots }, place)
            }
            WithBody::Change(_) => {
                let place = WithPlace { index: 0, dependent: false, rows: 1.0 };
                (WithPlan { name: with.name.clone(), root: None, slots: Box::new([]) }, place)
            }
        };
        self.with.push(plan);
        self.with_places.insert(with.id, WithPlace { index: self.with.len() - 1, ..place });
        Ok(())
    }

    /// The position of a WITH query in the plan.
    pub fn with_index(&self, id: WithId) -> SqlResult<usize> {
        let place = self.with_places.get(&id);
        place.map(|place| place.index).ok_or_else(|| SqlError::internal("a WITH query has no plan"))
    }

    /// A relation with WITH queries of its own.
    pub fn plan_with(
        &mut self,
        queries: &[WithQuery],
        input: &Rel,
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        self.plan_with_queries(queries)?;
        let planned = self.plan_rel(input, conditions, wishes)?;
        let places = queries.iter().filter_map(|query| self.with_places.get(&query.id));
        let restarted: Box<[usize]> = places.filter(|place| place.dependent).map(|place| place.index).collect();
        if restarted.is_empty() {
            return Ok(planned);
        }
        let with = With { restarted, input: Box::new(planned.node) };
        let node = self.node(Operator::With(with), planned.estimate);
        Ok(Planned { node, ..planned })
    }

    /// A reference to a WITH query.
    pub fn plan_with_scan(
        &mut self,
        id: WithId,
        name: &str,
        columns: &[(usize, ColumnId, Type)],
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        let place = self.with_places.get(&id).copied();
        let place = place.ok_or_else(|| SqlError::internal("a WITH query is read before it is planned"))?;
        let columns = self.define_scanned(name, columns);
        let scan = WithScan { source: place.index, columns };
        let estimate = Estimate { rows: place.rows, startup_cost: 0.0, total_cost: place.rows * 0.01 };
        let node = self.node(Operator::WithScan(scan), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }

    /// A reference of a recursion to itself.
    pub fn plan_work_table(
        &mut self,
        id: WithId,
        name: &str,
        columns: &[(usize, ColumnId, Type)],
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        let place = self.recursion_places.get(&id).copied();
        let place = place.ok_or_else(|| SqlError::internal("a working table outside of its recursion"))?;
        let columns = self.define_scanned(name, columns);
        let scan = WithScan { source: place.index, columns };
        let estimate = Estimate { rows: place.rows, startup_cost: 0.0, total_cost: place.rows * 0.01 };
        let node = self.node(Operator::WorkTable(scan), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }

    fn define_scanned(&mut self, name: &str, columns: &[(usize, ColumnId, Type)]) -> Box<[(usize, usize)]> {
        columns
            .iter()
            .map(|(at, id, ty)| {
                self.name(*id, Some(name), &format!("column{}", at + 1));
                (*at, self.define(*id, *ty))
            })
            .collect()
    }

    pub fn plan_recursion(&mut self, rel: &Rel, conditions: &[Expr]) -> SqlResult<Planned> {
        let Rel::Recursion { id, all, seed, step, columns } = rel else {
            return Err(SqlError::internal("not a recursion"));
        };
        let seed_plan = self.plan_query(seed, None)?;
        let index = self.recursion_places.get(id).map_or(self.recursion_places.len(), |place| place.index);
        let place = RecursionPlace { index, rows: seed_plan.estimate.rows * ROUNDS_GUESS };
        self.recursion_places.insert(*id, place);
        let step_plan = self.plan_query(step, None)?;
        let slots_of = |planner: &Planner<'_>, query: &Query| {
            query.output.iter().map(|column| planner.slot(column.id)).collect::<SqlResult<Box<[usize]>>>()
        };
        let (seed_slots, step_slots) = (slots_of(self, seed)?, slots_of(self, step)?);
        let mut slots = Vec::with_capacity(columns.len());
        for (id, column) in columns.iter().zip(&seed.output) {
            self.name(*id, None, &column.name);
            slots.push(self.define(*id, column.ty));
        }
        let (a, b) = (seed_plan.estimate, step_plan.estimate);
        let estimate = Estimate {
            rows: a.rows + ROUNDS_GUESS * b.rows,
            startup_cost: a.startup_cost,
            total_cost: a.total_cost + ROUNDS_GUESS * b.total_cost,
        };
        let recursion = Recursion {
            seed: seed_plan.node,
            step: step_plan.node,
            seed_slots,
            step_slots,
            slots: slots.into(),
            types: seed.output.iter().map(|column| column.ty.oid).collect(),
            all: *all,
            work_table: index,
        };
        let node = self.node(Operator::Recursion(Box::new(recursion)), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }

    /// Whether a query gives other rows for another row around it, or in another round of a recursion around it.
    pub fn depends_on_surroundings(&self, query: &Query) -> bool {
        !free_columns(query).is_empty() || self.reads_dependent_rows(query)
    }

    /// Whether a query reads rows of a WITH query, or of a round of a recursion, that depend on what is around it.
    pub fn reads_dependent_rows(&self, query: &Query) -> bool {
        let mut read = Vec::new();
        let mut own = Vec::new();
        collect_sources(&query.rel, &mut read, &mut own);
        read.iter().filter(|id| !own.contains(id)).any(|id| match self.with_places.get(id) {
            Some(place) => place.dependent,
            None => true,
        })
    }
}

/// The WITH queries and working tables that a relation reads, and those that it holds itself.
fn collect_sources(rel: &Rel, read: &mut Vec<WithId>, own: &mut Vec<WithId>) {
    walk(rel, &mut |rel| {
        match rel {
            Rel::WithScan { id, .. } | Rel::WorkTable { id, .. } => read.push(*id),
            Rel::Recursion { id, .. } => own.push(*id),
            Rel::With { queries, .. } => own.extend(queries.iter().map(|query| query.id)),
            _ => {}
        }
        for expr in expressions(rel) {
            collect_within(expr, read, own);
        }
    });
}

fn collect_within(expr: &Expr, read: &mut Vec<WithId>, own: &mut Vec<WithId>) {
    if let Some(query) = subquery(expr) {
        collect_sources(&query.rel, read, own);
    }
    for operand in operands(expr) {
        collect_within(operand, read, own);
    }
}
