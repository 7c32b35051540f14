//! Joins: equal keys by a hash table of one side, everything else by pairs.
//!
//! The IR's rule is that `right` is built and `left` probes; that suits the row executor, which looks rows up by indexes. Here
//! the side with fewer rows is built, whatever the kind of the join. DataFusion builds its *left* input.
//!
//! What the built side has for keys is told to the scans that the probing side comes from, where rows without a partner
//! vanish anyway.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion_common::{JoinSide, JoinType};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion_physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use nqdb_sql::ir::{ColumnId, Expr, ExprKind, JoinKind, Rel};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned, operands, split_conjuncts, subquery, visible};
use nqdb_sql::rewrite::estimate;

use super::{Lowered, Lowering, Sources, in_one_stream};
use crate::expression::{Columns, Expression, Node, is_comparison, is_equality};
use crate::failure::{Failure, Outcome};
use crate::join_keys::{CollectKeysExec, JoinKeys, makes_keys};
use crate::shape::Repr;
use crate::spill::{JoinParts, SpillingJoinExec};
use crate::watch::WatchedExec;

/// A pair of key expressions.
struct KeyPair {
    built: Arc<dyn PhysicalExpr>,
    probing: Arc<dyn PhysicalExpr>,
    /// The column of the probing side whose numbers are the keys.
    probing_column: Option<ColumnId>,
}

/// The inputs of a join as DataFusion takes them.
struct Sides {
    built: Lowered,
    probing: Lowered,
    join_type: JoinType,
}

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
        if let Some(lateral) = self.lateral(kind, left, right, on, &above, needed)? {
            return Ok(lateral);
        }
        let conditions = distribute(kind, left, right, on, above);
        let mut outside = needed.clone();
        conditions.above.iter().for_each(|condition| outside.extend(mentioned(condition)));
        let mut inside = outside.clone();
        conditions.on.iter().for_each(|condition| inside.extend(mentioned(condition)));
        let builds_left = builds_left(kind, left, right);
        let left = self.filtered(left, conditions.left, &inside)?;
        let right = self.filtered(right, conditions.right, &inside)?;
        let sides = if builds_left {
            Sides { built: left, probing: right, join_type: join_type(kind) }
        } else {
            Sides { built: right, probing: left, join_type: join_type(kind).swap() }
        };
        let joined = self.join_lowered(sides, &conditions.on, &outside)?;
        self.filter(joined, &conditions.above)
    }

    fn join_lowered(&self, sides: Sides, on: &[Expr], needed: &ColumnSet) -> Outcome<Lowered> {
        let mut keys: Vec<KeyPair> = Vec::new();
        let mut rest = Vec::new();
        for condition in on {
            match self.key_pair(condition, &sides)? {
                Some(pair) => keys.push(pair),
                None => rest.push(condition),
            }
        }
        let filter = self.join_filter(&rest, &sides)?;
        let Sides { built, probing, join_type } = sides;
        // What the join gives: the built side's columns, then the other's; or one side only.
        let columns = match join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => built.columns.clone(),
            JoinType::RightSemi | JoinType::RightAnti => probing.columns.clone(),
            _ => built.columns.extended(built.width(), &probing.columns),
        };
        let width = match join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => built.width(),
            JoinType::RightSemi | JoinType::RightAnti => probing.width(),
            _ => built.width().min(probing.width()),
        };
        if width == 0 {
            return Err(Failure::Declined("a join of a relation without columns"));
        }
        let (projection, places) = projected(&columns, needed);
        let sources = joined_sources(join_type, &built.sources, &probing.sources);
        let input = in_one_stream(built.plan);
        let plan: Arc<dyn ExecutionPlan> = if !keys.is_empty() {
            let input = with_keys_told(input, &keys, &probing.sources, join_type);
            let keys = keys.into_iter().map(|key| (key.built, key.probing)).collect();
            let parts = JoinParts { keys, filter, join_type, projection };
            Arc::new(SpillingJoinExec::try_new(input, probing.plan, parts, self.memory.clone())?)
        } else if filter.is_none() && join_type == JoinType::Inner {
            let plan = self.watched(Arc::new(CrossJoinExec::new(input, probing.plan)));
            return Ok(Lowered { plan, columns, sources });
        } else {
            Arc::new(NestedLoopJoinExec::try_new(input, probing.plan, filter, &join_type, Some(projection))?)
        };
        Ok(Lowered { plan: self.watched(plan), columns: places, sources })
    }

    fn watched(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(WatchedExec::new(plan, self.stop))
    }

    /// The two sides of an equality between the relations, in arrays that are equal where the values are.
    fn key_pair(&self, condition: &Expr, sides: &Sides) -> Outcome<Option<KeyPair>> {
        let Sides { built, probing, .. } = sides;
        let ExprKind::Call { function, args } = &condition.kind else { return Ok(None) };
        let [a, b] = args.as_slice() else { return Ok(None) };
        if !is_equality(function) {
            return Ok(None);
        }
        let is_within = |expr: &Expr, side: &Lowered| {
            let mentioned = mentioned(expr);
            !mentioned.is_empty() && mentioned.iter().all(|id| side.columns.get(*id).is_some())
        };
        let (of_built, of_probing) = if is_within(a, built) && is_within(b, probing) {
            (a, b)
        } else if is_within(b, built) && is_within(a, probing) {
            (b, a)
        } else {
            return Ok(None);
        };
        let mentioned = mentioned(of_probing);
        let of_built = self.compile(of_built, &built.columns)?;
        let of_probing = self.compile(of_probing, &probing.columns)?;
        let Some([of_built, of_probing]) = self.compiler(&built.columns).equal_keys([of_built, of_probing]) else {
            return Ok(None);
        };
        let probing_column = mentioned.into_iter().next().filter(|_| is_column_of_numbers(&of_probing));
        Ok(Some(KeyPair {
            built: self.physical(of_built, &built.schema()),
            probing: self.physical(of_probing, &probing.schema()),
            probing_column,
        }))
    }

    /// The other conditions, over a batch of the columns that they read.
    fn join_filter(&self, conditions: &[&Expr], sides: &Sides) -> Outcome<Option<JoinFilter>> {
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
            let (index, shape, side) = match (sides.built.columns.get(id), sides.probing.columns.get(id)) {
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

/// The kind of a join whose left side is built.
fn join_type(kind: JoinKind) -> JoinType {
    match kind {
        JoinKind::Inner | JoinKind::Cross => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Right => JoinType::Right,
        JoinKind::Full => JoinType::Full,
        JoinKind::Semi => JoinType::LeftSemi,
        JoinKind::Anti => JoinType::LeftAnti,
    }
}

/// Whether the left side has so many fewer rows that a table of it is to be built. A join that keeps rows of its built side
/// remembers which ones had a partner, and gives the others out at its end.
fn builds_left(kind: JoinKind, left: &Rel, right: &Rel) -> bool {
    let advantage = match kind {
        JoinKind::Inner | JoinKind::Cross | JoinKind::Full | JoinKind::Right => 1.0,
        JoinKind::Left | JoinKind::Semi | JoinKind::Anti => 2.0,
    };
    estimate(left).rows * advantage < estimate(right).rows
}

/// The columns of a join's result that come from scans as they are, so that a scan may leave out what nobody above will miss:
/// not from a side that is filled with NULLs, nor from one whose missing rows make others appear.
fn joined_sources(join_type: JoinType, built: &Sources, probing: &Sources) -> Sources {
    match join_type {
        JoinType::Inner => built.iter().chain(probing).map(|(id, source)| (*id, source.clone())).collect(),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => built.clone(),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => probing.clone(),
        _ => Sources::default(),
    }
}

/// Whether a key is a column as it lies in its scan, or one of integers in a wider array.
fn is_column_of_numbers(key: &Expression) -> bool {
    let is_column = |expression: &Expression| matches!(expression.node, Node::Column(_));
    makes_keys(&key.shape.data_type())
        && match &key.node {
            Node::Widen(arg) => matches!(key.shape.repr, Repr::Int32 | Repr::Int64) && is_column(arg),
            _ => is_column(key),
        }
}

/// The built side, of which the scans behind the probing side hear the keys, if its rows without a partner vanish.
fn with_keys_told(
    built: Arc<dyn ExecutionPlan>,
    keys: &[KeyPair],
    probing: &Sources,
    join_type: JoinType,
) -> Arc<dyn ExecutionPlan> {
    let vanish = matches!(
        join_type,
        JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::RightSemi
    );
    let mut wanted = Vec::new();
    for key in keys.iter().filter(|_| vanish) {
        if let Some(source) = key.probing_column.and_then(|id| probing.get(&id)) {
            let told = Arc::new(JoinKeys::default());
            source.expect(told.clone());
            wanted.push((key.built.clone(), told));
        }
    }
    Arc::new(CollectKeysExec::new(built, wanted))
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
pub(super) fn is_harmless(expr: &Expr) -> bool {
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
