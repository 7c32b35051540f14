//! Joins: equal keys by a hash table of the right side, everything else by pairs.
//!
//! DataFusion builds its table of the *left* input; the IR's rule is that `right` is built. So the inputs are handed over
//! exchanged, and the kinds with them.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion_common::{JoinSide, JoinType, NullEquality};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion_physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use nqdb_sql::ir::{Expr, ExprKind, JoinKind, Rel};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned, operands, split_conjuncts, subquery, visible};

use super::{Lowered, Lowering, in_one_stream};
use crate::expression::{Columns, Expression, is_comparison, is_equality};
use crate::failure::Outcome;

/// A pair of key expressions: of the built side, of the probing side.
type KeyPair = (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>);

/// Where the conditions of a join go.
#[derive(Default)]
struct Conditions {
    left: Vec<Expr>,
    right: Vec<Expr>,
    /// Of the join itself.
    on: Vec<Expr>,
    /// Over its result.
    above: Vec<Expr>,
}

impl Lowering<'_> {
    pub(super) fn join(
        &self,
        kind: JoinKind,
        left: &Rel,
        right: &Rel,
        on: Option<&Expr>,
        above: Vec<Expr>,
        needed: &ColumnSet,
    ) -> Outcome<Lowered> {
        let conditions = distribute(kind, left, right, on, above);
        let mut outside = needed.clone();
        conditions.above.iter().for_each(|condition| outside.extend(mentioned(condition)));
        let mut inside = outside.clone();
        conditions.on.iter().for_each(|condition| inside.extend(mentioned(condition)));
        let left = self.filtered(left, conditions.left, &inside)?;
        let right = self.filtered(right, conditions.right, &inside)?;
        let joined = self.join_lowered(kind, left, right, &conditions.on, &outside)?;
        self.filter(joined, &conditions.above)
    }

    fn join_lowered(
        &self,
        kind: JoinKind,
        left: Lowered,
        right: Lowered,
        on: &[Expr],
        needed: &ColumnSet,
    ) -> Outcome<Lowered> {
        let mut keys: Vec<KeyPair> = Vec::new();
        let mut rest = Vec::new();
        for condition in on {
            match self.key_pair(condition, &left, &right)? {
                Some(pair) => keys.push(pair),
                None => rest.push(condition),
            }
        }
        let filter = self.join_filter(&rest, &left, &right)?;
        let join_type = exchanged(kind);
        // What the join gives: the built side's columns, then the other's; or one side only.
        let columns = match kind {
            JoinKind::Semi | JoinKind::Anti => left.columns.clone(),
            _ => right.columns.extended(right.width(), &left.columns),
        };
        let (projection, columns) = projected(&columns, needed);
        let built = in_one_stream(right.plan);
        let plan: Arc<dyn ExecutionPlan> = if !keys.is_empty() {
            Arc::new(HashJoinExec::try_new(
                built,
                left.plan,
                keys,
                filter,
                &join_type,
                Some(projection),
                PartitionMode::CollectLeft,
                NullEquality::NullEqualsNothing,
                false,
            )?)
        } else if filter.is_none() && join_type == JoinType::Inner {
            let columns = right.columns.extended(built.schema().fields().len(), &left.columns);
            return Ok(Lowered { plan: Arc::new(CrossJoinExec::new(built, left.plan)), columns });
        } else {
            Arc::new(NestedLoopJoinExec::try_new(built, left.plan, filter, &join_type, Some(projection))?)
        };
        Ok(Lowered { plan, columns })
    }

    /// The two sides of an equality between the relations, in arrays that are equal where the values are.
    fn key_pair(&self, condition: &Expr, left: &Lowered, right: &Lowered) -> Outcome<Option<KeyPair>> {
        let ExprKind::Call { function, args } = &condition.kind else { return Ok(None) };
        let [a, b] = args.as_slice() else { return Ok(None) };
        if !is_equality(function) {
            return Ok(None);
        }
        let is_within = |expr: &Expr, side: &Lowered| {
            let mentioned = mentioned(expr);
            !mentioned.is_empty() && mentioned.iter().all(|id| side.columns.get(*id).is_some())
        };
        let (of_left, of_right) = if is_within(a, left) && is_within(b, right) {
            (a, b)
        } else if is_within(b, left) && is_within(a, right) {
            (b, a)
        } else {
            return Ok(None);
        };
        let of_left = self.compile(of_left, &left.columns)?;
        let of_right = self.compile(of_right, &right.columns)?;
        let Some([of_left, of_right]) = self.compiler(&left.columns).equal_keys([of_left, of_right]) else {
            return Ok(None);
        };
        Ok(Some((self.physical(of_right, &right.schema()), self.physical(of_left, &left.schema()))))
    }

    /// The other conditions, over a batch of the columns that they read.
    fn join_filter(&self, conditions: &[&Expr], left: &Lowered, right: &Lowered) -> Outcome<Option<JoinFilter>> {
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut ids: Vec<_> = conditions.iter().flat_map(|condition| mentioned(condition)).collect();
        ids.sort();
        ids.dedup();
        let mut columns = Columns::default();
        let (mut fields, mut indices) = (Vec::new(), Vec::new());
        for id in ids {
            // The built side is DataFusion's left one.
            let (index, shape, side) = match (right.columns.get(id), left.columns.get(id)) {
                (Some((index, shape)), _) => (index, shape, JoinSide::Left),
                (None, Some((index, shape))) => (index, shape, JoinSide::Right),
                (None, None) => return Err(super::OUTER_COLUMN),
            };
            columns.insert(id, fields.len(), shape);
            fields.push(Field::new(format!("c{}", fields.len()), shape.data_type(), true));
            indices.push(ColumnIndex { index, side });
        }
        let schema = Arc::new(Schema::new(fields));
        let compiled = conditions.iter().map(|condition| self.compile(condition, &columns));
        let compiled = compiled.collect::<Outcome<Vec<Expression>>>()?;
        let predicate = self.physical(Expression::all_of(compiled), &schema);
        Ok(Some(JoinFilter::new(predicate, indices, schema)))
    }
}

/// The kind when the sides are exchanged.
fn exchanged(kind: JoinKind) -> JoinType {
    match kind {
        JoinKind::Inner | JoinKind::Cross => JoinType::Inner,
        JoinKind::Left => JoinType::Right,
        JoinKind::Right => JoinType::Left,
        JoinKind::Full => JoinType::Full,
        JoinKind::Semi => JoinType::RightSemi,
        JoinKind::Anti => JoinType::RightAnti,
    }
}

/// The columns that go on, and where they are then. At least one does: it carries the number of rows.
fn projected(columns: &Columns, needed: &ColumnSet) -> (Vec<usize>, Columns) {
    let mut kept: Vec<_> = columns.iter().filter(|(id, ..)| needed.contains(id)).collect();
    kept.sort_by_key(|(_, index, _)| *index);
    let mut projection: Vec<usize> = Vec::new();
    let mut places = Columns::default();
    for (id, index, shape) in kept {
        if projection.last() != Some(&index) {
            projection.push(index);
        }
        places.insert(id, projection.len() - 1, shape);
    }
    if projection.is_empty() {
        projection.push(0);
    }
    (projection, places)
}

/// Sends each condition to where it is tested. Conditions over an inner join move into it; those over one side that
/// cannot fail move on to that side.
fn distribute(kind: JoinKind, left: &Rel, right: &Rel, on: Option<&Expr>, above: Vec<Expr>) -> Conditions {
    let mut conditions = Conditions::default();
    let mut own = Vec::new();
    if let Some(on) = on {
        split_conjuncts(on, &mut own);
    }
    if !matches!(kind, JoinKind::Inner | JoinKind::Cross) {
        conditions.on = own;
        conditions.above = above;
        return conditions;
    }
    let visible_columns = |rel: &Rel| -> ColumnSet {
        let mut columns = Vec::new();
        visible(rel, &mut columns);
        columns.into_iter().collect()
    };
    let (in_left, in_right) = (visible_columns(left), visible_columns(right));
    let own = own.into_iter().map(|condition| (condition, true));
    for (condition, is_own) in own.chain(above.into_iter().map(|condition| (condition, false))) {
        let mentioned = mentioned(&condition);
        let is_harmless = is_harmless(&condition);
        if is_harmless && mentioned.is_subset(&in_left) {
            conditions.left.push(condition);
        } else if is_harmless && mentioned.is_subset(&in_right) {
            conditions.right.push(condition);
        } else if is_harmless || is_own {
            conditions.on.push(condition);
        } else {
            conditions.above.push(condition);
        }
    }
    conditions
}

/// Comparisons of columns and constants, and what AND, OR and the like make of them: it never fails.
fn is_harmless(expr: &Expr) -> bool {
    let is_harmless_itself = match &expr.kind {
        ExprKind::Call { function, .. } => is_comparison(function),
        ExprKind::Column(_)
        | ExprKind::Literal(_)
        | ExprKind::Param(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Not(_)
        | ExprKind::IsNull { .. }
        | ExprKind::IsBool { .. }
        | ExprKind::Relabel(_) => true,
        ExprKind::InList { equal, .. } => is_comparison(equal),
        _ => false,
    };
    is_harmless_itself && subquery(expr).is_none() && operands(expr).into_iter().all(is_harmless)
}
