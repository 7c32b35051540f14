//! From the Bound IR to an equal one that is cheaper to run, for both executors.
//!
//! | file | what it does |
//! |---|---|
//! | `facts` | whether an expression can fail, can be NULL, rejects NULL |
//! | `build` | making expressions and relations |
//! | `subquery` | EXISTS and IN become semi joins, NOT EXISTS and NOT IN anti joins |
//! | `scalar` | correlated aggregates become joins with a grouped subquery |
//! | `fold` | constants |
//! | `factor` | what the arms of an OR share, and what they say about one side |
//! | `transitive` | constants by way of equalities |
//! | `pushdown` | conditions down, outer joins into inner ones |
//! | `prune` | columns that nobody reads |
//! | `estimate` | how many rows a relation gives |
//! | `order` | the order of joins |
//!
//! What always holds:
//! 1. The result gives the same rows, in no other order where an order was asked for, and fails only where the original
//!    could: what can fail on values that another condition keeps away ([`facts::Failure::Value`]) and what is volatile
//!    is not moved, repeated or merged.
//! 2. The output columns keep their ids; new columns get ids that the statement has not used.
//! 3. Of a join, `left` is the side to probe with and `right` the side to build a table of, or to look up by an index.
//! 4. A relation may mention columns of the query around it wherever the original did; it never mentions a column of
//!    the other side of its own join, unless the original did.
//!
//! 5. A query of very many joined relations is left as it is.
//!
//! Left out: access paths and join methods, which are the executors' own.

mod build;
mod estimate;
mod factor;
mod facts;
mod fold;
mod order;
mod prune;
mod pushdown;
mod scalar;
mod subquery;
mod transitive;

use crate::interruption::Interruption;
use crate::ir::{
    Bound, ColumnId, ConflictAction, Expr, ExprKind, JoinedChange, OnConflict, Query, Rel, Returning, WithBody,
};
use crate::plan::mentions::{
    Columns, contains_subquery, defined, expressions, expressions_mut, inputs, inputs_mut, is_volatile, operands,
    operands_mut, subquery, subquery_mut, visible, walk,
};
use build::filtered;
use facts::{Failure, failure};

pub(crate) use estimate::Statistics;
pub use estimate::{Estimate, estimate};
pub(crate) use facts::{literal_text, operator_symbol};
pub(crate) use fold::{fold_constants, fold_expression};

/// What the rewrite may do.
#[derive(Clone, Debug)]
pub struct RewriteContext {
    /// Joins of up to this many relations are ordered by a search of all orders.
    pub searched_relations_max: usize,
    /// Rows can be looked up by an index; without, tables are read as a whole, and a join builds its smaller side.
    pub looks_up: bool,
    pub interruption: Interruption,
}

impl RewriteContext {
    /// The usual, for a statement that can be interrupted.
    pub(crate) fn with_interruption(interruption: &Interruption) -> RewriteContext {
        RewriteContext { interruption: interruption.clone(), ..RewriteContext::default() }
    }
}

impl Default for RewriteContext {
    fn default() -> RewriteContext {
        RewriteContext { searched_relations_max: 9, looks_up: true, interruption: Interruption::default() }
    }
}

/// Rewrites a query.
pub fn optimize(mut query: Query, cx: &RewriteContext) -> Query {
    Rewriter::new(&query, cx).optimize(&mut query);
    query
}

/// A rewritten query with its subqueries and joins as it suits an executor that reads all tables as a whole.
pub(crate) fn order_for_scans(mut query: Query) -> Query {
    if is_complex(&query.rel) {
        let cx = RewriteContext { looks_up: false, ..RewriteContext::default() };
        let mut rewriter = Rewriter::new(&query, &cx);
        rewriter.unnest(&mut query.rel);
        query.rel = rewriter.order(query.rel);
    }
    query
}

/// Rewrites the queries of a statement that are worth it: those with a join or a subquery. Gives what is known of the
/// columns of the statement if there is one.
pub(crate) fn optimize_statement(bound: &mut Bound, cx: &RewriteContext) -> Option<Statistics> {
    let rewriter = Rewriter::from_column(FIRST_NEW_COLUMN, cx);
    let mut parts = Parts { rewriter, statistics: None };
    parts.optimize(bound);
    parts.statistics
}

/// The queries of a statement under rewriting, and what is known of their columns.
struct Parts {
    rewriter: Rewriter,
    statistics: Option<Statistics>,
}

impl Parts {
    fn optimize(&mut self, bound: &mut Bound) {
        match bound {
            Bound::Query(query) => self.optimize_query(query),
            Bound::Insert(insert) => {
                self.optimize_query(&mut insert.source);
                if let Some(OnConflict { action: ConflictAction::Update { set, predicate, .. }, .. }) =
                    &mut insert.on_conflict
                {
                    self.optimize_exprs(set.iter_mut().map(|(_, value)| value).chain(predicate));
                }
                self.optimize_returning(&mut insert.returning);
            }
            Bound::Update(update) => {
                self.optimize_change(&mut update.from, &mut update.predicate);
                self.optimize_exprs(update.set.iter_mut().map(|(_, value)| value));
                self.optimize_returning(&mut update.returning);
            }
            Bound::Delete(delete) => {
                self.optimize_change(&mut delete.using, &mut delete.predicate);
                self.optimize_returning(&mut delete.returning);
            }
            // Its join keeps the sides where the statement has them.
            Bound::Merge(_) => {}
            Bound::With { queries, body } => {
                for query in queries {
                    match &mut query.body {
                        WithBody::Query(query) => self.optimize_query(query),
                        WithBody::Change(change) => self.optimize(change),
                    }
                }
                self.optimize(body);
            }
        }
    }

    fn optimize_query(&mut self, query: &mut Query) {
        if is_complex(&query.rel) && joined_relations(&query.rel) <= REWRITTEN_RELATIONS_MAX {
            self.rewriter.optimize(query);
            self.statistics.get_or_insert_default().add(&query.rel);
        }
    }

    /// A join that finds rows to change takes the predicate in; all its columns stay.
    fn optimize_change(&mut self, joined: &mut Option<JoinedChange>, predicate: &mut Option<Expr>) {
        if let Some(JoinedChange { rel, .. }) = joined {
            *rel = filtered(std::mem::replace(rel, Rel::OneRow), predicate.iter().cloned().collect());
            self.rewriter.unnest(rel);
            let pushed = self.rewriter.push(std::mem::replace(rel, Rel::OneRow), Vec::new());
            *rel = self.rewriter.order(pushed);
            self.statistics.get_or_insert_default().add(rel);
        }
        self.optimize_exprs(predicate.iter_mut());
    }

    fn optimize_returning(&mut self, returning: &mut Option<Returning>) {
        self.optimize_exprs(
            returning.iter_mut().flat_map(|returning| returning.columns.iter_mut().map(|(_, expr)| expr)),
        );
    }

    /// The subqueries of expressions that stand in no relation.
    fn optimize_exprs<'e>(&mut self, exprs: impl Iterator<Item = &'e mut Expr>) {
        for expr in exprs.filter(|expr| contains_subquery(expr)) {
            self.rewriter.unnest_within(expr);
            self.rewriter.push_in_subqueries(expr);
            self.rewriter.prune_subqueries(expr);
            self.rewriter.order_in_subqueries(expr);
            self.statistics.get_or_insert_default().add_subqueries(expr);
        }
    }
}

/// Relations in one tree of joins up to which a query is rewritten: each join looks at the columns of all below it, so that
/// the work grows with the square. Beyond, the query is planned as it is written.
const REWRITTEN_RELATIONS_MAX: usize = 300;

/// The greatest number of relations that one tree of joins brings together.
fn joined_relations(rel: &Rel) -> usize {
    match rel {
        Rel::Join { left, right, .. } => joined_relations(left).saturating_add(joined_relations(right)),
        Rel::SetOperation { .. } => inputs(rel).into_iter().map(joined_relations).max().unwrap_or(1),
        rel => inputs(rel).into_iter().map(joined_relations).sum::<usize>().max(1),
    }
}

/// Whether there is anything to rewrite: a single table without subqueries is left alone at once.
fn is_complex(rel: &Rel) -> bool {
    match rel {
        Rel::Scan { .. } => false,
        Rel::Filter { input, predicate } => contains_subquery(predicate) || is_complex(input),
        Rel::Join { .. } => true,
        rel => expressions(rel).into_iter().any(contains_subquery) || inputs(rel).into_iter().any(is_complex),
    }
}

/// The ids of new columns: those of the binder, which count from 0 in all parts of a statement, do not come so far.
const FIRST_NEW_COLUMN: u32 = 1 << 31;

/// One query under rewriting.
struct Rewriter {
    /// The next unused column id.
    next_column: u32,
    cx: RewriteContext,
    /// The statement was interrupted: what is left to search is taken as it is written. Planning asks again, and fails.
    interrupted: bool,
}

impl Rewriter {
    fn from_column(next_column: u32, cx: &RewriteContext) -> Rewriter {
        Rewriter { next_column, cx: cx.clone(), interrupted: false }
    }

    fn new(query: &Query, cx: &RewriteContext) -> Rewriter {
        let next_column = FIRST_NEW_COLUMN.max(greatest_column(&query.rel).saturating_add(1));
        Rewriter::from_column(next_column, cx)
    }

    fn new_column(&mut self) -> ColumnId {
        self.next_column += 1;
        ColumnId(self.next_column - 1)
    }

    fn optimize(&mut self, query: &mut Query) {
        self.unnest(&mut query.rel);
        query.rel = self.push(std::mem::replace(&mut query.rel, Rel::OneRow), Vec::new());
        self.prune_query(query);
        query.rel = self.order(std::mem::replace(&mut query.rel, Rel::OneRow));
    }

    /// Turns subqueries into joins, the innermost first.
    fn unnest(&mut self, rel: &mut Rel) {
        for input in inputs_mut(rel) {
            self.unnest(input);
        }
        for expr in expressions_mut(rel) {
            self.unnest_within(expr);
        }
        match rel {
            Rel::Filter { .. } => self.unnest_filter(rel),
            Rel::Extend { .. } => self.unnest_extend(rel),
            _ => {}
        }
    }

    fn unnest_within(&mut self, expr: &mut Expr) {
        if let Some(query) = subquery_mut(expr) {
            self.unnest(&mut query.rel);
        }
        for operand in operands_mut(expr) {
            self.unnest_within(operand);
        }
    }
}

/// Whether a condition may be tested earlier than it is written, or on rows that others would have kept from it.
pub(crate) fn is_movable(condition: &Expr) -> bool {
    !is_volatile(condition) && failure(condition) < Failure::Value
}

/// The greatest column id that a relation and its subqueries define.
fn greatest_column(rel: &Rel) -> u32 {
    let own = defined(rel).iter().map(|id| id.0).max().unwrap_or(0);
    let mut greatest = own;
    walk(rel, &mut |rel| {
        for expr in expressions(rel) {
            greatest = greatest.max(greatest_column_within(expr));
        }
    });
    greatest
}

fn greatest_column_within(expr: &Expr) -> u32 {
    let here = match &expr.kind {
        ExprKind::Column(id) => id.0,
        _ => subquery(expr).map_or(0, |query| greatest_column(&query.rel)),
    };
    operands(expr).into_iter().map(greatest_column_within).fold(here, u32::max)
}

/// The columns that a relation shows.
fn visible_set(rel: &Rel) -> Columns {
    let mut columns = Vec::new();
    visible(rel, &mut columns);
    columns.into_iter().collect()
}
