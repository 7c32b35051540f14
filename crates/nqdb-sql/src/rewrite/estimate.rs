//! How many rows a relation gives, from what ANALYZE found: PostgreSQL's rules (manual, chapter 76) without its
//! histograms and lists of common values.
//!
//! ```text
//! column = constant       (1 - null fraction) / distinct values
//! column = column         1 / the greater number of distinct values of the two
//! column < constant       a third; two bounds on one column a tenth
//! column LIKE pattern     a fifth for each fixed letter, five times that for each wildcard
//! column ~ '^abc'         a fifth for each letter of the beginning
//! ```

use std::collections::HashMap;

use foldhash::fast::RandomState;
use nqdb_catalog::TableDef;
use nqdb_types::{Oid, oid};

use super::facts::{equality_sides, literal_text, operator_symbol};
use crate::exec::Comparison;
use crate::ir::{ColumnId, Expr, ExprKind, JoinKind, Query, Rel, SetKind, WithBody, WithId, WithQuery};
use crate::plan::compile::comparison_of;
use crate::plan::cost::table_rows;
use crate::plan::mentions::{expressions, inputs, mentioned, operands, split_conjuncts, subquery, visible};
use crate::plan::pattern::range_selectivity;

/// Rows and bytes that a relation is expected to give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub rows: f64,
    pub bytes: f64,
}

/// Estimates what a relation gives.
pub fn estimate(rel: &Rel) -> Estimate {
    let statistics = Statistics::of(rel);
    let rows = statistics.rows(rel);
    Estimate { rows, bytes: rows * statistics.width_bytes(rel) }
}

/// Distinct values of a column that nothing is known about.
const DISTINCT_DEFAULT: f64 = 200.0;
/// The part of the rows that has one value where nothing is known.
const EQUAL_DEFAULT: f64 = 0.005;
/// One bound, and two of them on one column.
const BOUND: f64 = 1.0 / 3.0;
const RANGE: f64 = 0.1;
/// What an unknown condition lets through.
const CONDITION: f64 = 1.0 / 3.0;
/// A pattern: each fixed letter, each wildcard, and the least that one lets through.
const LETTER: f64 = 0.2;
const WILDCARD: f64 = 5.0;
const PATTERN_MIN: f64 = 0.001;
/// Rows of a function in FROM.
const FUNCTION_ROWS: f64 = 1000.0;
/// Rows of a relation of the system catalogs.
const SYSTEM_ROWS: f64 = 100.0;
/// Rows that a set-returning call of a select list, or a recursion, makes of one.
const SET_ROWS: f64 = 10.0;
/// Bytes of a value of unknown width.
const WIDTH_BYTES: f64 = 16.0;
/// What a semi join without an equality lets through.
const HALF: f64 = 0.5;

/// What is known of a column.
#[derive(Clone, Copy, Debug)]
struct ColumnFacts {
    distinct: f64,
    null_fraction: f64,
    width_bytes: f64,
}

/// The columns of a statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    columns: HashMap<ColumnId, ColumnFacts, RandomState>,
    /// Rows of the WITH queries, and what is known of their columns.
    with: HashMap<WithId, (f64, Vec<Option<ColumnFacts>>), RandomState>,
}

impl Statistics {
    /// Gathers what is known of the columns of a relation, those of its subqueries included.
    pub fn of(rel: &Rel) -> Statistics {
        let mut statistics = Statistics::default();
        statistics.add(rel);
        statistics
    }

    /// Adds the columns of one more relation.
    pub fn add(&mut self, rel: &Rel) {
        if let Rel::With { queries, input } = rel {
            queries.iter().for_each(|query| self.add_with(query));
            return self.add(input);
        }
        for input in inputs(rel) {
            self.add(input);
        }
        for expr in expressions(rel) {
            self.add_subqueries(expr);
        }
        match rel {
            Rel::Scan { table, columns, .. } => {
                let rows = table_rows(table.store.estimated_rows());
                for (position, id) in columns {
                    self.columns.insert(*id, stored_facts(table, *position, rows));
                }
            }
            Rel::Extend { columns, .. } => self.add_copies(columns),
            Rel::Aggregate { keys, .. } => self.add_copies(keys),
            Rel::WithScan { id, columns, .. } => {
                let facts: Vec<(ColumnId, Option<ColumnFacts>)> = match self.with.get(id) {
                    Some((_, known)) => {
                        columns.iter().map(|(at, id, _)| (*id, known.get(*at).copied().flatten())).collect()
                    }
                    None => Vec::new(),
                };
                self.columns.extend(facts.into_iter().filter_map(|(id, facts)| Some((id, facts?))));
            }
            Rel::SetOperation { left, columns, .. } => {
                for (id, output) in columns.iter().zip(&left.output) {
                    if let Some(facts) = self.columns.get(&output.id).copied() {
                        self.columns.insert(*id, facts);
                    }
                }
            }
            _ => {}
        }
    }

    fn add_with(&mut self, query: &WithQuery) {
        if let WithBody::Query(body) = &query.body {
            self.add(&body.rel);
            let columns = body.output.iter().map(|output| self.columns.get(&output.id).copied()).collect();
            self.with.insert(query.id, (self.rows(&body.rel), columns));
        }
    }

    /// Adds the columns of the subqueries of an expression.
    pub fn add_subqueries(&mut self, expr: &Expr) {
        if let Some(query) = subquery(expr) {
            self.add(&query.rel);
        }
        for operand in operands(expr) {
            self.add_subqueries(operand);
        }
    }

    fn add_copies(&mut self, columns: &[(ColumnId, Expr)]) {
        for (id, expr) in columns {
            if let Some(facts) = self.facts(expr) {
                self.columns.insert(*id, facts);
            }
        }
    }

    /// Takes note that only so many rows of a relation are left.
    pub fn limit_distinct(&mut self, rel: &Rel, rows: f64) {
        let mut ids = Vec::new();
        visible(rel, &mut ids);
        for id in ids {
            if let Some(facts) = self.columns.get_mut(&id) {
                facts.distinct = facts.distinct.min(rows.max(1.0));
            }
        }
    }

    /// What is known of an expression that is a column, as it is or as another type.
    fn facts(&self, expr: &Expr) -> Option<ColumnFacts> {
        match &expr.kind {
            ExprKind::Column(id) => self.columns.get(id).copied(),
            ExprKind::Relabel(arg) | ExprKind::Typmod { arg, .. } => self.facts(arg),
            ExprKind::Call { function, args } => match args.as_slice() {
                [arg] if operator_symbol(function).is_none() && function.name == type_function(expr.ty.oid) => {
                    self.facts(arg)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn distinct(&self, expr: &Expr) -> Option<f64> {
        self.facts(expr).map(|facts| facts.distinct.max(1.0))
    }

    /// The part of the rows that pass all of some conditions.
    pub fn selectivity_of_all<'e>(&self, conditions: impl IntoIterator<Item = &'e Expr>) -> f64 {
        let mut product = 1.0;
        let mut bounds: Vec<(ColumnId, bool)> = Vec::new();
        for condition in conditions {
            match bound(condition) {
                Some((column, is_lower)) if bounds.contains(&(column, !is_lower)) => {
                    // The first of the two was taken for a third.
                    product *= RANGE / BOUND;
                }
                found => {
                    bounds.extend(found);
                    product *= self.selectivity(condition);
                }
            }
        }
        product
    }

    /// The part of the rows that pass a condition.
    pub fn selectivity(&self, condition: &Expr) -> f64 {
        let part = match &condition.kind {
            ExprKind::Literal(datum) => f64::from(u8::from(datum.as_bool() == Some(true))),
            ExprKind::Column(_) => HALF,
            ExprKind::Call { function, args } => match (comparison_of(function), args.as_slice()) {
                (Some(operator), [left, right]) => self.comparison(operator.comparison, left, right),
                _ => pattern(operator_symbol(function), args)
                    .or_else(|| range_selectivity(condition))
                    .unwrap_or(CONDITION),
            },
            ExprKind::And(args) => self.selectivity_of_all(args),
            ExprKind::Or(args) => args.iter().map(|arg| self.selectivity(arg)).fold(0.0, |a, b| a + b - a * b),
            ExprKind::Not(arg) => 1.0 - self.selectivity(arg),
            ExprKind::IsNull { arg, negated } => {
                let nulls = self.facts(arg).map_or(EQUAL_DEFAULT, |facts| facts.null_fraction);
                if *negated { 1.0 - nulls } else { nulls }
            }
            ExprKind::InList { arg, list, negated, .. } => {
                let one = self.distinct(arg).map_or(EQUAL_DEFAULT, |distinct| 1.0 / distinct);
                let some = (one * list.len() as f64).min(1.0);
                if *negated { 1.0 - some } else { some }
            }
            ExprKind::Exists(_) | ExprKind::Quantified { .. } => HALF,
            _ => CONDITION,
        };
        part.clamp(0.0, 1.0)
    }

    fn comparison(&self, comparison: Comparison, left: &Expr, right: &Expr) -> f64 {
        let equal = || match (self.facts(left), self.facts(right)) {
            (Some(a), Some(b)) => {
                (1.0 - a.null_fraction) * (1.0 - b.null_fraction) / a.distinct.max(b.distinct).max(1.0)
            }
            (Some(one), None) | (None, Some(one)) if mentioned(left).is_empty() || mentioned(right).is_empty() => {
                (1.0 - one.null_fraction) / one.distinct.max(1.0)
            }
            (Some(one), None) | (None, Some(one)) => 1.0 / one.distinct.max(1.0),
            (None, None) => EQUAL_DEFAULT,
        };
        match comparison {
            Comparison::Equal => equal(),
            Comparison::NotEqual => 1.0 - equal(),
            _ => BOUND,
        }
    }

    /// The part of the left rows that have a partner in a relation of so many rows.
    pub fn semi_selectivity(&self, on: &[Expr], right_rows: f64) -> f64 {
        let mut part = None;
        let mut rest = 1.0;
        for condition in on {
            match equality_sides(condition) {
                Some((_, left, right)) => {
                    let (a, b) = (self.distinct(left), self.distinct(right));
                    let (a, b) = (a.unwrap_or(DISTINCT_DEFAULT), b.unwrap_or(DISTINCT_DEFAULT).min(right_rows));
                    // Which side is the left one does not matter much: the smaller over the greater.
                    let found: f64 = (a.min(b) / a.max(b)).max(right_rows.min(b) / a.max(b)).min(1.0);
                    part = Some(part.map_or(found, |other: f64| other.min(found)));
                }
                None => rest *= self.selectivity(condition).max(CONDITION),
            }
        }
        (part.unwrap_or(HALF) * rest).clamp(0.01, 1.0)
    }

    /// Rows of a relation, at least one.
    pub fn rows(&self, rel: &Rel) -> f64 {
        let rows = match rel {
            Rel::OneRow => 1.0,
            Rel::Scan { table, sample, .. } => {
                let part = sample.as_ref().map_or(1.0, |sample| sample.fraction());
                table_rows(table.store.estimated_rows()) * part
            }
            Rel::Values { rows, .. } => rows.len() as f64,
            Rel::FunctionScan { .. } => FUNCTION_ROWS,
            Rel::SystemScan { .. } => SYSTEM_ROWS,
            Rel::ProjectSet { input, .. } => self.rows(input) * SET_ROWS,
            Rel::WithScan { id, .. } => self.with.get(id).map_or(FUNCTION_ROWS, |(rows, _)| *rows),
            Rel::WorkTable { .. } => FUNCTION_ROWS,
            Rel::With { input, .. } => self.rows(input),
            Rel::Recursion { seed, .. } => self.rows(&seed.rel) * SET_ROWS,
            Rel::Filter { input, predicate } => {
                let mut conditions = Vec::new();
                split_conjuncts(predicate, &mut conditions);
                self.rows(input) * self.selectivity_of_all(&conditions)
            }
            Rel::Join { kind, left, right, on } => self.join_rows(*kind, left, right, on.as_ref()),
            Rel::Aggregate { keys, .. } if keys.is_empty() => 1.0,
            Rel::Aggregate { input, keys, .. } => self.group_rows(self.rows(input), keys.iter().map(|(_, expr)| expr)),
            Rel::Distinct { input, on } => {
                let distinct = |id: &ColumnId| self.columns.get(id).map(|facts| facts.distinct);
                self.groups(self.rows(input), on.iter().map(distinct))
            }
            Rel::Limit { input, limit, .. } => match limit.as_ref().map(|limit| &limit.kind) {
                Some(ExprKind::Literal(count)) => {
                    let count = count.as_integer().map_or(f64::INFINITY, |count| count as f64);
                    self.rows(input).min(count)
                }
                Some(_) => self.rows(input).min(FUNCTION_ROWS),
                None => self.rows(input),
            },
            Rel::SetOperation { kind, left, right, .. } => self.set_rows(*kind, left, right),
            rel => inputs(rel).into_iter().map(|input| self.rows(input)).fold(1.0, f64::max),
        };
        rows.max(1.0)
    }

    fn join_rows(&self, kind: JoinKind, left: &Rel, right: &Rel, on: Option<&Expr>) -> f64 {
        let (left_rows, right_rows) = (self.rows(left), self.rows(right));
        let mut conditions = Vec::new();
        if let Some(on) = on {
            split_conjuncts(on, &mut conditions);
        }
        let mut own = self.clone();
        own.limit_distinct(left, left_rows);
        own.limit_distinct(right, right_rows);
        let matches = || left_rows * right_rows * own.selectivity_of_all(&conditions);
        match kind {
            JoinKind::Inner | JoinKind::Cross => matches(),
            JoinKind::Left => matches().max(left_rows),
            JoinKind::Right => matches().max(right_rows),
            JoinKind::Full => matches().max(left_rows).max(right_rows),
            JoinKind::Semi => left_rows * own.semi_selectivity(&conditions, right_rows),
            JoinKind::Anti => left_rows * (1.0 - own.semi_selectivity(&conditions, right_rows)).max(0.1),
        }
    }

    fn set_rows(&self, kind: SetKind, left: &Query, right: &Query) -> f64 {
        let (left, right) = (self.rows(&left.rel), self.rows(&right.rel));
        match kind {
            SetKind::Union => left + right,
            SetKind::Intersect => left.min(right),
            SetKind::Except => left,
        }
    }

    /// Groups that some keys make of so many rows.
    pub fn group_rows<'e>(&self, rows: f64, keys: impl Iterator<Item = &'e Expr>) -> f64 {
        self.groups(rows, keys.map(|key| self.distinct(key)))
    }

    /// Groups by some keys: their combinations, fewer than the rows where there are several keys.
    fn groups(&self, rows: f64, keys: impl Iterator<Item = Option<f64>>) -> f64 {
        let (mut product, mut greatest, mut count) = (1.0_f64, 1.0_f64, 0);
        for distinct in keys {
            let distinct = distinct.unwrap_or(DISTINCT_DEFAULT).max(1.0);
            product *= distinct;
            greatest = greatest.max(distinct);
            count += 1;
        }
        let most = if count > 1 { greatest.max(rows * 0.1) } else { rows };
        product.min(most).min(rows)
    }

    fn width_bytes(&self, rel: &Rel) -> f64 {
        let mut ids = Vec::new();
        visible(rel, &mut ids);
        ids.iter().map(|id| self.columns.get(id).map_or(WIDTH_BYTES, |facts| facts.width_bytes)).sum()
    }
}

/// What ANALYZE and the table's unique indexes say of a column.
fn stored_facts(table: &TableDef, position: usize, rows: f64) -> ColumnFacts {
    let stored = table.statistics.as_ref().and_then(|all| all.columns.get(position)?.as_ref());
    match stored {
        Some(column) => ColumnFacts {
            distinct: if column.distinct < 0.0 { -column.distinct * rows } else { column.distinct.min(rows) },
            null_fraction: column.null_fraction,
            width_bytes: column.average_width_bytes,
        },
        None => {
            let unique = table.indexes.iter().any(|index| {
                index.unique && index.is_plain() && matches!(&index.key[..], [key] if key.column == position)
            });
            let distinct = if unique { rows } else { rows.min(DISTINCT_DEFAULT) };
            ColumnFacts { distinct, null_fraction: 0.0, width_bytes: WIDTH_BYTES }
        }
    }
}

/// The column that a comparison with something else bounds, and whether from below.
fn bound(condition: &Expr) -> Option<(ColumnId, bool)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [left, right] = args.as_slice() else { return None };
    let comparison = comparison_of(function)?.comparison;
    let (column, comparison) = match (&left.kind, &right.kind) {
        (ExprKind::Column(id), other) if !matches!(other, ExprKind::Column(_)) => (*id, comparison),
        (other, ExprKind::Column(id)) if !matches!(other, ExprKind::Column(_)) => (*id, comparison.commuted()),
        _ => return None,
    };
    match comparison {
        Comparison::Greater | Comparison::GreaterEqual => Some((column, true)),
        Comparison::Less | Comparison::LessEqual => Some((column, false)),
        Comparison::Equal | Comparison::NotEqual => None,
    }
}

/// The part of the rows that a LIKE lets through, by the letters of its pattern; `None` for another condition.
fn pattern(symbol: Option<&str>, args: &[Expr]) -> Option<f64> {
    let negated = match symbol {
        Some("~~" | "~~*") => false,
        Some("!~~" | "!~~*") => true,
        _ => return None,
    };
    let Some(text) = args.get(1).and_then(literal_text) else { return Some(EQUAL_DEFAULT) };
    let part = text.chars().fold(1.0_f64, |part, letter| match letter {
        '%' => (part * WILDCARD).min(1.0),
        '_' => part,
        _ => part * LETTER,
    });
    let part = part.clamp(PATTERN_MIN, 1.0);
    Some(if negated { 1.0 - part } else { part })
}

/// The name of the function that casts to a type.
fn type_function(type_oid: Oid) -> &'static str {
    match type_oid {
        oid::INT2 => "int2",
        oid::INT4 => "int4",
        oid::INT8 => "int8",
        oid::NUMERIC => "numeric",
        oid::FLOAT8 => "float8",
        oid::TEXT => "text",
        oid::BPCHAR => "bpchar",
        _ => "",
    }
}
