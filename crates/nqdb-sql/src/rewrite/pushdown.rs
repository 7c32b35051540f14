//! Conditions down to where their columns are, and outer joins that a condition makes inner ones.
//!
//! What always holds:
//! 1. A condition on the way down is movable ([`super::is_movable`]); what is not stays in its filter, behind what was
//!    taken out of it.
//! 2. Nothing passes a LIMIT, and nothing passes a DISTINCT, a GROUP BY or a set operation but what is the same for
//!    all rows that these make one of. `1.0` and `1.00` are one group: a condition on such a key passes only if its
//!    type has no equal values that differ.
//! 3. The side of an outer join that NULLs fill gets conditions of the join alone, never those from above.

use nqdb_types::{Oid, oid};

use super::build::{column, conjunction, conjuncts, filtered, replace_columns};
use super::factor::{factored, implied};
use super::facts::{Failure, failure, rejects_null};
use super::transitive::implied_constants;
use super::{Rewriter, is_movable, visible_set};
use crate::ir::{ColumnId, Expr, ExprKind, JoinKind, Query, Rel, SetKind};
use crate::plan::mentions::{
    Columns, contains_subquery, expressions_mut, free_columns_of, inputs_mut, is_volatile, mentioned, operands,
    operands_mut, subquery_mut,
};

/// A join that is taken apart.
struct Sides {
    left: Rel,
    right: Rel,
    on: Vec<Expr>,
}

impl Rewriter {
    /// Moves conditions into a relation as far down as they go, and its own with them.
    pub(super) fn push(&mut self, rel: Rel, conditions: Vec<Expr>) -> Rel {
        match rel {
            Rel::Filter { input, predicate } => self.push_filter(*input, predicate, conditions),
            Rel::Join { kind, left, right, on } => {
                let on = conjuncts(on).into_iter().flat_map(factored).collect();
                self.push_join(kind, Sides { left: *left, right: *right, on }, conditions)
            }
            Rel::Extend { input, columns } => {
                let (below, above) = through_definitions(conditions, &columns, |_| true);
                let input = Box::new(self.push(*input, below));
                filtered(self.push_within(Rel::Extend { input, columns }, false), above)
            }
            Rel::Aggregate { input, keys, sets: None, aggregates } if !keys.is_empty() => {
                let results: Columns = aggregates.iter().map(|(id, _)| *id).collect();
                let (candidates, mut above): (Vec<Expr>, Vec<Expr>) =
                    conditions.into_iter().partition(|condition| mentioned(condition).is_disjoint(&results));
                let (below, rest) = through_definitions(candidates, &keys, equal_is_same);
                above.extend(rest);
                let input = Box::new(self.push(*input, below));
                filtered(self.push_within(Rel::Aggregate { input, keys, sets: None, aggregates }, false), above)
            }
            Rel::Sort { input, keys } => Rel::Sort { input: Box::new(self.push(*input, conditions)), keys },
            Rel::Distinct { input, on } => {
                let inside = visible_set(&input);
                let shared = |condition: &Expr| {
                    mentioned(condition).iter().all(|id| on.contains(id) || !inside.contains(id))
                        && columns_are(condition, equal_is_same)
                };
                let (below, above): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(shared);
                filtered(Rel::Distinct { input: Box::new(self.push(*input, below)), on }, above)
            }
            Rel::SetOperation { kind, all, left, right, columns } => {
                self.push_set_operation(kind, all, *left, *right, columns, conditions)
            }
            rel => filtered(self.push_within(rel, true), conditions),
        }
    }

    /// Goes on within subqueries and, with `inputs`, within the relations below, without conditions.
    fn push_within(&mut self, mut rel: Rel, inputs: bool) -> Rel {
        if inputs {
            for input in inputs_mut(&mut rel) {
                *input = self.push(std::mem::replace(input, Rel::OneRow), Vec::new());
            }
        }
        for expr in expressions_mut(&mut rel) {
            self.push_in_subqueries(expr);
        }
        rel
    }

    pub(super) fn push_in_subqueries(&mut self, expr: &mut Expr) {
        if let Some(query) = subquery_mut(expr) {
            query.rel = self.push(std::mem::replace(&mut query.rel, Rel::OneRow), Vec::new());
        }
        for operand in operands_mut(expr) {
            self.push_in_subqueries(operand);
        }
    }

    fn push_filter(&mut self, input: Rel, predicate: Expr, above: Vec<Expr>) -> Rel {
        let own: Vec<Expr> = conjuncts(Some(predicate)).into_iter().flat_map(factored).collect();
        let (mut go, mut stay): (Vec<Expr>, Vec<Expr>) = own.into_iter().partition(is_movable);
        go.extend(above);
        for condition in go.iter_mut().chain(&mut stay) {
            self.push_in_subqueries(condition);
        }
        filtered(self.push(input, go), stay)
    }

    fn push_set_operation(
        &mut self,
        kind: SetKind,
        all: bool,
        mut left: Query,
        mut right: Query,
        columns: Vec<ColumnId>,
        conditions: Vec<Expr>,
    ) -> Rel {
        let keeps_rows = all && kind == SetKind::Union;
        let (below, above): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(|condition| {
            !contains_subquery(condition) && (keeps_rows || columns_are(condition, equal_is_same))
        });
        for side in [&mut left, &mut right] {
            let by: Vec<(ColumnId, Expr)> = columns
                .iter()
                .zip(&side.output)
                .map(|(id, output)| (*id, column(output.id, output.ty, true)))
                .collect();
            let mut own = below.clone();
            own.iter_mut().for_each(|condition| replace_columns(condition, &by));
            side.rel = self.push(std::mem::replace(&mut side.rel, Rel::OneRow), own);
        }
        filtered(Rel::SetOperation { kind, all, left: Box::new(left), right: Box::new(right), columns }, above)
    }

    fn push_join(&mut self, kind: JoinKind, sides: Sides, conditions: Vec<Expr>) -> Rel {
        let (kind, sides) = match kind {
            // The sides of a right join are exchanged: from here on there is none.
            JoinKind::Right => (JoinKind::Left, Sides { left: sides.right, right: sides.left, on: sides.on }),
            kind => (kind, sides),
        };
        let (left, right) = (visible_set(&sides.left), visible_set(&sides.right));
        if !free_columns_of(&sides.right).is_disjoint(&left) || !free_columns_of(&sides.left).is_disjoint(&right) {
            return self.push_lateral(kind, sides, conditions);
        }
        let rejects = |columns: &Columns| {
            conditions
                .iter()
                .any(|condition| !mentioned(condition).is_disjoint(columns) && rejects_null(condition, columns))
        };
        match kind {
            JoinKind::Inner | JoinKind::Cross => self.push_inner(sides, conditions),
            JoinKind::Left if rejects(&right) => self.push_inner(sides, conditions),
            JoinKind::Left => self.push_left(sides, conditions),
            JoinKind::Full => match (rejects(&left), rejects(&right)) {
                (true, true) => self.push_inner(sides, conditions),
                (true, false) => self.push_left(sides, conditions),
                (false, true) => {
                    self.push_left(Sides { left: sides.right, right: sides.left, on: sides.on }, conditions)
                }
                (false, false) => filtered(self.joined(kind, sides, Vec::new(), Vec::new()), conditions),
            },
            JoinKind::Semi | JoinKind::Anti => self.push_half(kind, sides, conditions),
            JoinKind::Right => filtered(self.joined(kind, sides, Vec::new(), Vec::new()), conditions),
        }
    }

    /// A join whose one side reads the other: only what is on the left side alone goes down.
    fn push_lateral(&mut self, kind: JoinKind, sides: Sides, conditions: Vec<Expr>) -> Rel {
        let right = visible_set(&sides.right);
        let keeps_left = !matches!(kind, JoinKind::Right | JoinKind::Full);
        let (below, above): (Vec<Expr>, Vec<Expr>) =
            conditions.into_iter().partition(|condition| keeps_left && mentioned(condition).is_disjoint(&right));
        filtered(self.joined(kind, sides, below, Vec::new()), above)
    }

    fn push_inner(&mut self, sides: Sides, conditions: Vec<Expr>) -> Rel {
        let Sides { left, right, on } = sides;
        let (left_columns, right_columns) = (visible_set(&left), visible_set(&right));
        let (movable, stay): (Vec<Expr>, Vec<Expr>) = on.into_iter().partition(is_movable);
        let mut pool = movable;
        pool.extend(conditions);
        let constants = implied_constants(&pool);
        pool.extend(constants);
        let (mut below_left, mut below_right, mut join, mut above) = (Vec::new(), Vec::new(), stay, Vec::new());
        for condition in pool {
            let mentions = mentioned(&condition);
            if mentions.is_empty() && !contains_subquery(&condition) {
                // Decided before either side is read.
                above.push(condition);
            } else if mentions.is_disjoint(&right_columns) {
                below_left.push(condition);
            } else if mentions.is_disjoint(&left_columns) {
                below_right.push(condition);
            } else if contains_subquery(&condition) {
                above.push(condition);
            } else {
                below_left.extend(implied(&condition, &left_columns));
                below_right.extend(implied(&condition, &right_columns));
                join.push(condition);
            }
        }
        let kind = if join.is_empty() { JoinKind::Cross } else { JoinKind::Inner };
        let joined = self.joined(kind, Sides { left, right, on: join }, below_left, below_right);
        filtered(joined, above)
    }

    fn push_left(&mut self, sides: Sides, conditions: Vec<Expr>) -> Rel {
        let Sides { left, right, on } = sides;
        let (left_columns, right_columns) = (visible_set(&left), visible_set(&right));
        let (below_left, above): (Vec<Expr>, Vec<Expr>) =
            conditions.into_iter().partition(|condition| mentioned(condition).is_disjoint(&right_columns));
        // What holds for every left row and is joined by equality holds for its partners.
        let mut known: Vec<Expr> = on.iter().filter(|condition| is_movable(condition)).cloned().collect();
        known.extend(below_left.iter().cloned());
        let constants = implied_constants(&known);
        let (below_right, on): (Vec<Expr>, Vec<Expr>) = on
            .into_iter()
            .chain(constants.into_iter().filter(|condition| !mentioned(condition).is_disjoint(&right_columns)))
            .partition(|condition| is_movable(condition) && mentioned(condition).is_disjoint(&left_columns));
        filtered(self.joined(JoinKind::Left, Sides { left, right, on }, below_left, below_right), above)
    }

    fn push_half(&mut self, kind: JoinKind, sides: Sides, conditions: Vec<Expr>) -> Rel {
        let Sides { left, right, on } = sides;
        let (left_columns, right_columns) = (visible_set(&left), visible_set(&right));
        let mut below_left = conditions;
        let (mut below_right, mut join) = (Vec::new(), Vec::new());
        for condition in on {
            let mentions = mentioned(&condition);
            if !is_movable(&condition) {
                join.push(condition);
            } else if mentions.is_disjoint(&left_columns) {
                below_right.push(condition);
            } else if kind == JoinKind::Semi && mentions.is_disjoint(&right_columns) {
                below_left.push(condition);
            } else {
                join.push(condition);
            }
        }
        self.joined(kind, Sides { left, right, on: join }, below_left, below_right)
    }

    /// The join of its sides, with conditions pushed into each.
    fn joined(&mut self, kind: JoinKind, sides: Sides, below_left: Vec<Expr>, below_right: Vec<Expr>) -> Rel {
        let Sides { left, right, mut on } = sides;
        let left = Box::new(self.push(left, below_left));
        let right = Box::new(self.push(right, below_right));
        on.iter_mut().for_each(|condition| self.push_in_subqueries(condition));
        Rel::Join { kind, left, right, on: conjunction(on) }
    }
}

/// Conditions in terms of what is below the definition of some columns, and those that cannot be told there.
fn through_definitions(
    conditions: Vec<Expr>,
    columns: &[(ColumnId, Expr)],
    allows: impl Fn(Oid) -> bool,
) -> (Vec<Expr>, Vec<Expr>) {
    let plain = |expr: &Expr| !is_volatile(expr) && failure(expr) < Failure::Value && !contains_subquery(expr);
    let mut below = Vec::new();
    let mut above = Vec::new();
    for mut condition in conditions {
        let mentions = mentioned(&condition);
        let mut used = columns.iter().filter(|(id, _)| mentions.contains(id)).peekable();
        if used.peek().is_none() {
            below.push(condition);
        } else if !contains_subquery(&condition) && used.all(|(_, expr)| plain(expr) && allows(expr.ty.oid)) {
            replace_columns(&mut condition, columns);
            below.push(condition);
        } else {
            above.push(condition);
        }
    }
    (below, above)
}

/// Whether all columns that an expression mentions are of types that pass a test.
fn columns_are(expr: &Expr, test: fn(Oid) -> bool) -> bool {
    match &expr.kind {
        ExprKind::Column(_) => test(expr.ty.oid),
        _ => !contains_subquery(expr) && operands(expr).into_iter().all(|operand| columns_are(operand, test)),
    }
}

/// Whether equal values of a type are the same value in every respect: `1.0 = 1.00`, but their texts differ.
fn equal_is_same(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::BOOL
            | oid::INT2
            | oid::INT4
            | oid::INT8
            | oid::OID
            | oid::TEXT
            | oid::VARCHAR
            | oid::NAME
            | oid::BYTEA
            | oid::DATE
            | oid::TIME
            | oid::TIMESTAMP
            | oid::TIMESTAMPTZ
            | oid::UUID
    )
}
