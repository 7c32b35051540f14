//! Joins: by which method.
//!
//! The order is that of `rewrite`: the left side is read once, the right one is kept or looked up. Each join weighs two
//! methods:
//!
//! ```text
//! nested loop   the right side is planned under the join's conditions too; it pays when an index serves them
//! hash join     the right side is planned alone and kept in memory, once
//! ```
//!
//! RIGHT becomes LEFT with the sides exchanged, FULL is always hashed. What can fail on values that another condition
//! keeps away is tested after the join, and is a hash key only where there is no other.

use nqdb_sqlstate::{SqlError, SqlResult};

use super::compile::{comparison_of, equality};
use super::cost;
use super::mentions::{
    Columns, defined, free_columns_of, is_volatile, mentioned, rel_is_volatile, scan_count, split_conjuncts, visible,
};
use super::relation::{Planned, Wishes};
use super::slots::{Estimate, Planner};
use crate::exec::{Comparison, Equality, HalfJoin, HashJoin, JoinKey, NestedLoop, Operator};
use crate::ir::{ColumnId, Expr, ExprKind, JoinKind, Rel};
use crate::rewrite::is_movable;

/// Building and probing one row of a hash table.
const HASH_ROW: f64 = 0.015;

/// The part of the left rows that a semi or anti join is taken to let through.
const HALF_SELECTIVITY: f64 = 0.5;

/// Tables in a right side for which the nested loop is weighed at all: each level plans its right side twice.
const LOOPED_SCANS_MAX: usize = 4;

/// What a join does with rows that match nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Keep {
    left: bool,
    right: bool,
    /// Only the left side is shown.
    half: Option<HalfJoin>,
}

const KEEP_NONE: Keep = Keep { left: false, right: false, half: None };

/// The left side of a join that is being built.
struct Side {
    planned: Planned,
    columns: Vec<ColumnId>,
}

impl Planner<'_> {
    /// Plans a join under conditions from above.
    pub fn plan_join(&mut self, rel: &Rel, conditions: Vec<Expr>, wishes: Wishes<'_>) -> SqlResult<Planned> {
        let Rel::Join { kind, left, right, on } = rel else {
            return Err(SqlError::internal("not a join"));
        };
        match kind {
            JoinKind::Inner | JoinKind::Cross => self.plan_inner(left, right, on.as_ref(), conditions, wishes),
            JoinKind::Left => self.plan_left(left, right, on.as_ref(), conditions, wishes),
            JoinKind::Right => self.plan_left(right, left, on.as_ref(), conditions, wishes),
            JoinKind::Full => self.plan_full(left, right, on.as_ref(), &conditions),
            JoinKind::Semi => self.plan_half(HalfJoin::Semi, left, right, on.as_ref(), conditions, wishes),
            JoinKind::Anti => self.plan_half(HalfJoin::Anti, left, right, on.as_ref(), conditions, wishes),
        }
    }

    fn plan_inner(
        &mut self,
        left: &Rel,
        right: &Rel,
        on: Option<&Expr>,
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let mut all = Vec::new();
        if let Some(on) = on {
            split_conjuncts(on, &mut all);
        }
        all.extend(conditions);
        let (left_columns, right_columns) = (defined(left), defined(right));
        let (mut below, mut own, mut join, mut late) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for condition in all {
            let mentions = mentioned(&condition);
            if is_volatile(&condition) {
                late.push(condition);
            } else if !mentions.is_disjoint(&left_columns) && !mentions.is_disjoint(&right_columns) {
                join.push(condition);
            } else if !is_movable(&condition) {
                late.push(condition);
            } else if mentions.is_disjoint(&right_columns) {
                below.push(condition);
            } else {
                own.push(condition);
            }
        }
        let left_side = self.plan_side(left, below, wishes)?;
        let side = self.join_sides(left_side, right, own, join, KEEP_NONE)?;
        self.filtered(side.planned, &late)
    }

    fn plan_side(&mut self, rel: &Rel, conditions: Vec<Expr>, wishes: Wishes<'_>) -> SqlResult<Side> {
        let mut columns = Vec::new();
        visible(rel, &mut columns);
        Ok(Side { planned: self.plan_rel(rel, conditions, wishes)?, columns })
    }

    fn plan_left(
        &mut self,
        left: &Rel,
        right: &Rel,
        on: Option<&Expr>,
        mut conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let right_columns = defined(right);
        let (above, below): (Vec<Expr>, Vec<Expr>) = std::mem::take(&mut conditions)
            .into_iter()
            .partition(|condition| !is_movable(condition) || !mentioned(condition).is_disjoint(&right_columns));
        let rows = wishes.rows.filter(|_| above.is_empty());
        let left_side = self.plan_side(left, below, Wishes { order: wishes.order, computed: &[], rows })?;
        let mut join = Vec::new();
        if let Some(on) = on {
            split_conjuncts(on, &mut join);
        }
        let left_columns = defined(left);
        let (own, join): (Vec<Expr>, Vec<Expr>) = join
            .into_iter()
            .partition(|condition| is_movable(condition) && mentioned(condition).is_disjoint(&left_columns));
        let keep = Keep { left: true, right: false, half: None };
        let side = self.join_sides(left_side, right, own, join, keep)?;
        self.filtered(side.planned, &above)
    }

    /// Semi and anti joins: conditions from above are on the left side alone.
    fn plan_half(
        &mut self,
        half: HalfJoin,
        left: &Rel,
        right: &Rel,
        on: Option<&Expr>,
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let (above, below): (Vec<Expr>, Vec<Expr>) =
            conditions.into_iter().partition(|condition| !is_movable(condition));
        let left_side = self.plan_side(left, below, Wishes { order: wishes.order, computed: &[], rows: None })?;
        let mut join = Vec::new();
        if let Some(on) = on {
            split_conjuncts(on, &mut join);
        }
        let left_columns = defined(left);
        let (own, join): (Vec<Expr>, Vec<Expr>) = join
            .into_iter()
            .partition(|condition| is_movable(condition) && mentioned(condition).is_disjoint(&left_columns));
        let keep = Keep { left: false, right: false, half: Some(half) };
        let side = self.join_sides(left_side, right, own, join, keep)?;
        self.filtered(side.planned, &above)
    }

    fn plan_full(&mut self, left: &Rel, right: &Rel, on: Option<&Expr>, conditions: &[Expr]) -> SqlResult<Planned> {
        let left_side = self.plan_side(left, Vec::new(), Wishes::default())?;
        let mut join = Vec::new();
        if let Some(on) = on {
            split_conjuncts(on, &mut join);
        }
        let keep = Keep { left: true, right: true, half: None };
        let right_plan = self.plan_rel(right, Vec::new(), Wishes::default())?;
        let side = self.hash_join(left_side, right, right_plan, &join, keep)?;
        self.filtered(side.planned, conditions)
    }

    /// Joins by the cheaper method. `own` are conditions on the right side alone, `join` those over both.
    fn join_sides(&mut self, left: Side, right: &Rel, own: Vec<Expr>, join: Vec<Expr>, keep: Keep) -> SqlResult<Side> {
        let left_columns: Columns = left.columns.iter().copied().collect();
        if !free_columns_of(right).is_disjoint(&left_columns) {
            return self.lateral_join(left, right, own, join, keep);
        }
        // What gives other rows each time is read once.
        let movable = join.iter().all(|condition| !is_volatile(condition))
            && !rel_is_volatile(right)
            && scan_count(right) <= LOOPED_SCANS_MAX;
        let looped = if movable {
            let conditions = own.iter().chain(&join).cloned().collect();
            Some(self.plan_rel(right, conditions, Wishes::default())?)
        } else {
            None
        };
        let alone = self.plan_rel(right, own, Wishes::default())?;
        let has_key = {
            let right_columns = defined(right);
            join.iter().any(|condition| hash_key(condition, &left_columns, &right_columns).is_some())
        };
        let left_rows = left.planned.estimate.rows;
        let mut hash_cost = alone.estimate.total_cost + (alone.estimate.rows + left_rows) * HASH_ROW;
        if !has_key {
            hash_cost += left_rows * alone.estimate.rows * cost::OPERATOR;
        } else if !self.cx.enable_hashjoin {
            hash_cost += cost::DISABLED;
        }
        match looped {
            Some(looped) => {
                let mut loop_cost = left_rows * looped.estimate.total_cost;
                if !self.cx.enable_nestloop {
                    loop_cost += cost::DISABLED;
                }
                if loop_cost <= hash_cost {
                    self.nested_loop(left, right, looped, &join, keep)
                } else {
                    self.hash_join(left, right, alone, &join, keep)
                }
            }
            None => self.hash_join(left, right, alone, &join, keep),
        }
    }

    /// Joins a right side that takes columns of the left one: it is evaluated anew for each row.
    fn lateral_join(
        &mut self,
        left: Side,
        right: &Rel,
        own: Vec<Expr>,
        join: Vec<Expr>,
        keep: Keep,
    ) -> SqlResult<Side> {
        if keep.right {
            return Err(SqlError::internal("a lateral reference across a join that keeps both sides"));
        }
        let (late, early): (Vec<Expr>, Vec<Expr>) = own.into_iter().chain(join).partition(is_volatile);
        let looped = self.plan_rel(right, early, Wishes::default())?;
        let on = self.compile_conjunction(&late)?;
        let mut side = self.nested_loop(left, right, looped, &[], keep)?;
        if let Operator::NestedLoop(join) = &mut side.planned.node.operator {
            join.on = on;
        }
        Ok(side)
    }

    fn nested_loop(&mut self, left: Side, right: &Rel, looped: Planned, join: &[Expr], keep: Keep) -> SqlResult<Side> {
        let mut right_columns = Vec::new();
        visible(right, &mut right_columns);
        let null_slots = if keep.left { Some(self.slots(&right_columns)?) } else { None };
        let (outer, inner) = (left.planned.estimate, looped.estimate);
        let estimate = Estimate {
            rows: match keep.half {
                Some(half) => self.half_rows(half, join, outer.rows, f64::INFINITY),
                None => (outer.rows * inner.rows).max(1.0),
            },
            startup_cost: outer.startup_cost + inner.startup_cost,
            total_cost: outer.total_cost + outer.rows * inner.total_cost,
        };
        let ordered = left.planned.ordered;
        let operator =
            NestedLoop { left: left.planned.node, right: looped.node, on: None, null_slots, half: keep.half };
        let node = self.node(Operator::NestedLoop(Box::new(operator)), estimate);
        let mut columns = left.columns;
        if keep.half.is_none() {
            columns.extend(right_columns);
        }
        Ok(Side { planned: Planned { node, estimate, ordered }, columns })
    }

    /// Left rows that a semi or anti join lets through.
    fn half_rows(&self, half: HalfJoin, join: &[Expr], left_rows: f64, right_rows: f64) -> f64 {
        let found = match &self.statistics {
            Some(statistics) => statistics.semi_selectivity(join, right_rows),
            None => HALF_SELECTIVITY,
        };
        let part = if half == HalfJoin::Semi { found } else { 1.0 - found };
        (left_rows * part).max(1.0)
    }

    fn hash_join(&mut self, left: Side, right: &Rel, alone: Planned, join: &[Expr], keep: Keep) -> SqlResult<Side> {
        let mut right_columns = Vec::new();
        visible(right, &mut right_columns);
        let (left_set, right_set): (Columns, Columns) = (left.columns.iter().copied().collect(), defined(right));
        let mut keys = Vec::new();
        let mut rest = Vec::new();
        let mut key_conditions = Vec::new();
        let safe = |condition: &&Expr| is_movable(condition) && hash_key(condition, &left_set, &right_set).is_some();
        let has_safe_key = join.iter().any(|condition| safe(&condition));
        for condition in join {
            match hash_key(condition, &left_set, &right_set) {
                Some((left, right, type_oid)) if is_movable(condition) || !has_safe_key => {
                    keys.push(JoinKey { left: self.compile(left)?, right: self.compile(right)?, type_oid });
                    key_conditions.push(condition.clone());
                }
                _ => rest.push(condition.clone()),
            }
        }
        let (outer, inner) = (left.planned.estimate, alone.estimate);
        let selectivity = self.selectivity(join.iter());
        let startup_cost = inner.total_cost + inner.rows * HASH_ROW;
        let rows = match keep.half {
            Some(half) => self.half_rows(half, join, outer.rows, inner.rows),
            None => (outer.rows * inner.rows * selectivity).max(if keep.left { outer.rows } else { 1.0 }),
        };
        let estimate =
            Estimate { rows, startup_cost, total_cost: startup_cost + outer.total_cost + outer.rows * HASH_ROW };
        let ordered = left.planned.ordered && !keep.right;
        let operator = HashJoin {
            left: left.planned.node,
            right: alone.node,
            keys: keys.into(),
            on: self.compile_conjunction(&rest)?,
            keep_left: keep.left,
            keep_right: keep.right,
            half: keep.half,
            left_slots: self.slots(&left.columns)?,
            right_slots: self.slots(&right_columns)?,
            keeps_order: false,
        };
        let mut node = self.node(Operator::HashJoin(Box::new(operator)), estimate);
        self.note_conditions(&mut node, "Hash Cond", &key_conditions);
        self.note_conditions(&mut node, "Join Filter", &rest);
        let mut columns = left.columns;
        if keep.half.is_none() {
            columns.extend(right_columns);
        }
        Ok(Side { planned: Planned { node, estimate, ordered }, columns })
    }
}

/// The two sides of an equality between the inputs of a join, left one first, and the type that they hash as.
fn hash_key<'e>(condition: &'e Expr, left: &Columns, right: &Columns) -> Option<(&'e Expr, &'e Expr, u32)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [a, b] = args.as_slice() else { return None };
    if comparison_of(function)?.comparison != Comparison::Equal {
        return None;
    }
    let Equality::Datums { type_oid, .. } = equality(function) else { return None };
    let of = |expr: &Expr, own: &Columns, other: &Columns| {
        let columns = mentioned(expr);
        !columns.is_disjoint(own) && columns.is_disjoint(other) && !is_volatile(expr)
    };
    if of(a, left, right) && of(b, right, left) {
        Some((a, b, type_oid))
    } else if of(b, left, right) && of(a, right, left) {
        Some((b, a, type_oid))
    } else {
        None
    }
}
