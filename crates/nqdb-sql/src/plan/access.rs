//! Which index serves the conditions on a table, or the order that is wanted of it.
//!
//! A condition serves when it compares a column of the table with something that is known before the scan starts: a
//! constant, a parameter, a column of an outer row. For each index the longest prefix of equalities is taken, then a
//! range on the next column. What a chosen index does not serve is tested row by row.
//!
//! A part of a key that is an expression is served by conditions on that very expression. A partial index comes into question
//! where the conditions imply its own.

use nqdb_catalog::{IndexDef, TableDef};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::Direction;
use nqdb_types::array::element_type;
use nqdb_types::key::{COMPUTED_FROM, KeyColumn};
use nqdb_types::{Datum, Oid, oid};

use super::compile::{comparison_of, is_integer, is_plain_text};
use super::cost::{EQUAL_SELECTIVITY, NULL_SELECTIVITY, RANGE_PAIR_SELECTIVITY, RANGE_SELECTIVITY};
use super::implied::implied;
use super::mentions::{Columns, is_volatile, mentioned, with_columns};
use super::slots::Planner;
use crate::SystemColumn;
use crate::bind::same_expr;
use crate::exec::{Comparison, IndexAccess, KeyRange, KeyValue, RowAccess, RowList};
use crate::index_expression::BoundIndex;
use crate::ir::{ColumnId, Expr, ExprKind, SortKey};

/// A condition that an index can serve.
#[derive(Clone, Copy)]
struct Candidate<'e> {
    /// The part of the key, as [`KeyColumn::column`] names it.
    position: usize,
    /// Position in the list of conditions.
    condition: usize,
    test: Test<'e>,
}

#[derive(Clone, Copy)]
enum Test<'e> {
    Compare(Comparison, &'e Expr),
    Any(&'e [Expr]),
    /// `= ANY (array)`.
    AnyElement(&'e Expr),
    IsNull,
    IsNotNull,
}

/// How many elements an array is likely to have (PostgreSQL takes ten where it cannot know).
fn element_count(array: &Expr) -> f64 {
    const UNKNOWN_COUNT: f64 = 10.0;
    match &array.kind {
        ExprKind::Literal(Datum::Array(array)) => array.elements().len() as f64,
        ExprKind::Array { items, nested: false } => items.len() as f64,
        _ => UNKNOWN_COUNT,
    }
}

/// An index and what it does for the conditions.
pub(crate) struct IndexChoice<'e> {
    pub definition: usize,
    prefix: Vec<(KeyColumn, Test<'e>)>,
    lower: Option<(&'e Expr, bool)>,
    upper: Option<(&'e Expr, bool)>,
    range_column: Option<KeyColumn>,
    /// Positions of the conditions that need no test any more, because of the range.
    pub served: Vec<usize>,
    /// Positions of those that every row of the index meets.
    pub implied: Vec<usize>,
    /// The fraction of the table that is read.
    pub selectivity: f64,
    pub is_point: bool,
    /// Ranges that are read.
    pub probes: f64,
    /// How to scan so that the wanted order comes out.
    pub ordered: Option<Direction>,
}

/// What is known about the table that is scanned.
pub(crate) struct ScanTarget<'e> {
    pub table: &'e TableDef,
    /// Position in the table and id.
    pub columns: &'e [(usize, ColumnId)],
    pub rows: f64,
    /// Columns that are computed of this table's above the scan, by which an order may be wanted.
    pub computed: &'e [(ColumnId, Expr)],
    /// Positions of conditions that bound a range, and the part of the rows in it, where that is known.
    pub known_ranges: &'e [(usize, f64)],
}

/// What an index computes, over the columns of the scan.
struct Computed {
    /// In the order of their numbers; none where the scan does not read all of its columns.
    expressions: Vec<Option<Expr>>,
    predicate: Vec<Expr>,
}

impl ScanTarget<'_> {
    /// What an index computes; `None` when a partial index cannot be used, because the conditions do not imply its own.
    fn computed(&self, index: &IndexDef, conditions: &[Expr]) -> Option<Computed> {
        let mut computed = Computed { expressions: Vec::new(), predicate: Vec::new() };
        let Some(bound) = self.table.store.indexes.get(index.position).and_then(|store| BoundIndex::of(store)) else {
            return index.is_plain().then_some(computed);
        };
        computed.expressions.extend(bound.expressions.iter().map(|expr| self.over_scan(expr)));
        for conjunct in &bound.predicate {
            computed.predicate.push(self.over_scan(conjunct).filter(|conjunct| implied(conditions, conjunct))?);
        }
        Some(computed)
    }

    /// An expression over positions, over the columns of the scan.
    fn over_scan(&self, expr: &Expr) -> Option<Expr> {
        let positions = mentioned(expr);
        let own: Option<Vec<(ColumnId, ColumnId)>> = positions
            .iter()
            .map(|id| {
                let position = id.0 as usize;
                self.columns.iter().find(|(own, _)| *own == position).map(|(_, column)| (*id, *column))
            })
            .collect();
        Some(with_columns(expr, &own?))
    }

    fn position(&self, expr: &Expr) -> Option<usize> {
        match &expr.kind {
            ExprKind::Column(id) => self.columns.iter().find(|(_, own)| own == id).map(|(position, _)| *position),
            ExprKind::Relabel(arg) if is_plain_text(arg.ty.oid) && is_plain_text(expr.ty.oid) => self.position(arg),
            _ => None,
        }
    }

    /// The part of the table in which a column has one certain value.
    pub fn equal_selectivity(&self, position: usize) -> f64 {
        let statistics = self.table.statistics.as_ref();
        let Some(column) = statistics.and_then(|all| all.columns.get(position)?.as_ref()) else {
            return EQUAL_SELECTIVITY;
        };
        let distinct = if column.distinct < 0.0 { -column.distinct * self.rows } else { column.distinct };
        ((1.0 - column.null_fraction) / distinct.max(1.0)).clamp(0.0, 1.0)
    }

    fn candidates<'e>(&self, conditions: &'e [Expr]) -> Vec<Candidate<'e>> {
        self.candidates_for(conditions, &|expr| {
            let position = self.position(expr)?;
            Some((position, self.table.columns.get(position)?.ty.oid))
        })
    }

    /// The conditions on what `part` recognizes: the part of a key, and its type.
    fn candidates_for<'e>(
        &self,
        conditions: &'e [Expr],
        part: &dyn Fn(&Expr) -> Option<(usize, Oid)>,
    ) -> Vec<Candidate<'e>> {
        let own: Columns = self.columns.iter().map(|(_, id)| *id).collect();
        conditions
            .iter()
            .enumerate()
            .filter_map(|(condition, expr)| {
                let (position, test) = recognize(expr, &own, part)?;
                Some(Candidate { position, condition, test })
            })
            .collect()
    }

    /// What one index does for the conditions and the order.
    fn choose<'e>(
        &self,
        definition: usize,
        index: &IndexDef,
        candidates: &[Candidate<'e>],
        wanted: &[SortKey],
        computed: &Computed,
    ) -> IndexChoice<'e> {
        let mut choice = IndexChoice {
            definition,
            prefix: Vec::new(),
            lower: None,
            upper: None,
            range_column: None,
            served: Vec::new(),
            implied: Vec::new(),
            selectivity: 1.0,
            is_point: false,
            probes: 1.0,
            ordered: None,
        };
        for key in &index.key {
            let mut tests = candidates.iter().filter(|candidate| candidate.position == key.column);
            let Some(equal) = tests.find(|candidate| candidate.test.is_equality(choice.has_any())) else {
                self.choose_range(*key, candidates, &mut choice);
                break;
            };
            choice.selectivity *= match equal.test {
                Test::IsNull | Test::IsNotNull => NULL_SELECTIVITY,
                Test::Any(list) => (self.equal_selectivity(key.column) * list.len() as f64).min(1.0),
                Test::AnyElement(array) => (self.equal_selectivity(key.column) * element_count(array)).min(1.0),
                Test::Compare(..) => self.equal_selectivity(key.column),
            };
            match equal.test {
                Test::Any(list) => choice.probes = list.len() as f64,
                Test::AnyElement(array) => choice.probes = element_count(array),
                Test::Compare(..) | Test::IsNull | Test::IsNotNull => {}
            }
            choice.prefix.push((*key, equal.test));
            choice.served.push(equal.condition);
        }
        let all_equal = choice.prefix.len() == index.key.len();
        let no_null = choice.prefix.iter().all(|(_, test)| !matches!(test, Test::IsNull));
        if index.is_unique_at_once() && all_equal && no_null {
            choice.selectivity = choice.probes / self.rows.max(1.0);
            choice.is_point = !choice.has_any();
        }
        choice.ordered = self.order(index, &choice, wanted, computed);
        choice
    }

    fn choose_range<'e>(&self, key: KeyColumn, candidates: &[Candidate<'e>], choice: &mut IndexChoice<'e>) {
        for candidate in candidates.iter().filter(|candidate| candidate.position == key.column) {
            let Test::Compare(comparison, value) = candidate.test else { continue };
            let (side, inclusive) = match comparison {
                Comparison::Greater => (&mut choice.lower, false),
                Comparison::GreaterEqual => (&mut choice.lower, true),
                Comparison::Less => (&mut choice.upper, false),
                Comparison::LessEqual => (&mut choice.upper, true),
                Comparison::Equal | Comparison::NotEqual => continue,
            };
            if side.is_some() {
                continue;
            }
            *side = Some((value, inclusive));
            choice.range_column = Some(key);
            choice.served.push(candidate.condition);
        }
        // A range without bounds has all values; one with a bound has no NULL either.
        let not_null = candidates.iter().filter(|candidate| candidate.position == key.column);
        for candidate in not_null.filter(|candidate| matches!(candidate.test, Test::IsNotNull)) {
            choice.range_column = Some(key);
            choice.served.push(candidate.condition);
        }
        let known = |served: &usize| self.known_ranges.iter().find(|(known, _)| known == served).map(|(_, part)| *part);
        let known = choice.served.iter().filter_map(known).reduce(f64::min);
        choice.selectivity *= known.unwrap_or(match (choice.lower, choice.upper) {
            (Some(_), Some(_)) => RANGE_PAIR_SELECTIVITY,
            (None, None) => 1.0,
            _ => RANGE_SELECTIVITY,
        });
    }

    /// The direction in which the index gives the wanted order.
    fn order(
        &self,
        index: &IndexDef,
        choice: &IndexChoice<'_>,
        wanted: &[SortKey],
        computed: &Computed,
    ) -> Option<Direction> {
        if wanted.is_empty() || choice.has_any() {
            return None;
        }
        let fixed: Vec<usize> = choice.prefix.iter().map(|(key, _)| key.column).collect();
        let mut keys = index.key[choice.prefix.len()..].iter();
        let mut direction = None;
        for sort in wanted {
            let position = self.sorted_part(sort, computed)?;
            if fixed.contains(&position) {
                continue;
            }
            let key = keys.next().filter(|key| key.column == position)?;
            let forward = key.descending == sort.descending;
            if (key.nulls_first == sort.nulls_first) != forward {
                return None;
            }
            let this = if forward { Direction::Forward } else { Direction::Backward };
            if *direction.get_or_insert(this) != this {
                return None;
            }
        }
        Some(direction.unwrap_or(Direction::Forward))
    }

    /// The part of a key that a sort key is, as [`KeyColumn::column`] names it.
    fn sorted_part(&self, sort: &SortKey, computed: &Computed) -> Option<usize> {
        if let Some((position, _)) = self.columns.iter().find(|(_, id)| *id == sort.column) {
            return Some(*position);
        }
        let (_, expr) = self.computed.iter().find(|(id, _)| *id == sort.column)?;
        let is_same = |own: &Option<Expr>| own.as_ref().is_some_and(|own| same_expr(own, expr));
        computed.expressions.iter().position(is_same).map(|number| COMPUTED_FROM + number)
    }

    /// All indexes that serve a condition or the order, or hold a part of the rows only that is wanted. `fraction`: the part of
    /// the rows that meet all of some conditions.
    pub fn choices<'e>(
        &self,
        conditions: &'e [Expr],
        wanted: &[SortKey],
        fraction: &dyn Fn(&[Expr]) -> f64,
    ) -> Vec<IndexChoice<'e>> {
        let columns = self.candidates(conditions);
        let mut choices = Vec::new();
        for (definition, index) in self.table.indexes.iter().enumerate() {
            let Some(computed) = self.computed(index, conditions) else { continue };
            let mut choice = if computed.expressions.is_empty() {
                self.choose(definition, index, &columns, wanted, &computed)
            } else {
                let part = |expr: &Expr| {
                    let is_same = |own: &Option<Expr>| {
                        own.as_ref().is_some_and(|own| same_expr(without_relabels(own), without_relabels(expr)))
                    };
                    let number = computed.expressions.iter().position(is_same)?;
                    Some((COMPUTED_FROM + number, computed.expressions.get(number)?.as_ref()?.ty.oid))
                };
                let mut candidates = columns.clone();
                candidates.extend(self.candidates_for(conditions, &part));
                self.choose(definition, index, &candidates, wanted, &computed)
            };
            if !computed.predicate.is_empty() {
                let is_implied = |at: &usize| {
                    !choice.served.contains(at)
                        && conditions.get(*at).is_some_and(|condition| implied(&computed.predicate, condition))
                };
                choice.implied = (0..conditions.len()).filter(is_implied).collect();
                choice.selectivity *= fraction(&computed.predicate);
            } else if choice.served.is_empty() && choice.ordered.is_none() {
                continue;
            }
            choices.push(choice);
        }
        choices
    }
}

impl Planner<'_> {
    /// The rows that conditions on `ctid` leave; `None` when there are none.
    pub fn row_access(&mut self, target: &ScanTarget<'_>, conditions: &[Expr]) -> SqlResult<Option<RowAccess>> {
        let ctid = SystemColumn::Ctid.position();
        let Some((_, id)) = target.columns.iter().find(|(position, _)| *position == ctid) else { return Ok(None) };
        let part = |expr: &Expr| matches!(expr.kind, ExprKind::Column(own) if own == *id).then_some((ctid, oid::TID));
        let mut access = RowAccess::default();
        for candidate in target.candidates_for(conditions, &part) {
            match candidate.test {
                Test::Compare(comparison, value) => access.bounds.push((comparison, self.compile(value)?)),
                Test::Any(values) => access.lists.push(RowList::Values(self.compile_all(values.iter())?)),
                Test::AnyElement(array) => access.lists.push(RowList::Elements(self.compile(array)?)),
                Test::IsNull | Test::IsNotNull => {}
            }
        }
        Ok((!access.bounds.is_empty() || !access.lists.is_empty()).then_some(access))
    }
}

/// The condition as a test of the part of a key that `part` recognizes; the columns of the scan are not known before it.
fn recognize<'e>(
    expr: &'e Expr,
    own: &Columns,
    part: &dyn Fn(&Expr) -> Option<(usize, Oid)>,
) -> Option<(usize, Test<'e>)> {
    let known = |value: &Expr| !is_volatile(value) && mentioned(value).is_disjoint(own);
    match &expr.kind {
        ExprKind::Call { function, args } => {
            let [left, right] = args.as_slice() else { return None };
            let operator = comparison_of(function)?;
            if operator.comparison == Comparison::NotEqual {
                return None;
            }
            if let Some((position, ty)) = part(left)
                && key_compares(ty, operator.left, operator.right)
                && known(right)
            {
                return Some((position, Test::Compare(operator.comparison, right)));
            }
            let (position, ty) = part(right)?;
            let fits = key_compares(ty, operator.right, operator.left) && known(left);
            fits.then_some((position, Test::Compare(operator.comparison.commuted(), left)))
        }
        ExprKind::InList { arg, list, equal, negated: false } => {
            let operator = comparison_of(equal)?;
            let (position, ty) = part(arg)?;
            let fits = operator.comparison == Comparison::Equal
                && key_compares(ty, operator.left, operator.right)
                && list.iter().all(known);
            fits.then_some((position, Test::Any(list)))
        }
        ExprKind::QuantifiedArray { arg, function, array, all: false } => {
            let operator = comparison_of(function)?;
            let (position, ty) = part(arg)?;
            let fits = operator.comparison == Comparison::Equal
                && key_compares(ty, operator.left, operator.right)
                && known(array);
            fits.then_some((position, Test::AnyElement(array)))
        }
        ExprKind::IsNull { arg, negated: false } => Some((part(arg)?.0, Test::IsNull)),
        ExprKind::IsNull { arg, negated: true } => Some((part(arg)?.0, Test::IsNotNull)),
        _ => None,
    }
}

/// Whether the order of keys of a type is that of the operator.
fn key_compares(ty: Oid, left: Oid, right: Oid) -> bool {
    let is_array = |operand: Oid| operand == oid::ANYARRAY || operand == ty;
    (ty == left && ty == right && ty != oid::UNKNOWN)
        || (element_type(ty).is_some() && is_array(left) && is_array(right))
        || (is_integer(ty) && is_integer(left) && is_integer(right))
        || (is_plain_text(ty) && is_plain_text(left) && is_plain_text(right))
}

/// An expression under the plain-text types that its value passes through.
fn without_relabels(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Relabel(arg) if is_plain_text(arg.ty.oid) && is_plain_text(expr.ty.oid) => without_relabels(arg),
        _ => expr,
    }
}

impl Test<'_> {
    fn is_equality(&self, has_any: bool) -> bool {
        match self {
            Test::Compare(comparison, _) => *comparison == Comparison::Equal,
            Test::Any(_) | Test::AnyElement(_) => !has_any,
            Test::IsNull => true,
            Test::IsNotNull => false,
        }
    }
}

impl IndexChoice<'_> {
    /// Positions of the conditions that need no test any more.
    pub fn done(&self) -> impl Iterator<Item = usize> {
        self.served.iter().chain(&self.implied).copied()
    }

    fn has_any(&self) -> bool {
        self.prefix.iter().any(|(_, test)| matches!(test, Test::Any(_) | Test::AnyElement(_)))
    }

    /// The scan's half of the choice.
    pub fn compile(&self, table: &TableDef, planner: &mut Planner<'_>) -> SqlResult<IndexAccess> {
        let mut prefix = Vec::with_capacity(self.prefix.len());
        for (key, test) in &self.prefix {
            let value = match test {
                Test::Compare(_, value) => KeyValue::Equal(planner.compile(value)?),
                Test::Any(values) => KeyValue::Any(planner.compile_all(values.iter())?),
                Test::AnyElement(array) => KeyValue::AnyElement(planner.compile(array)?),
                Test::IsNull => KeyValue::IsNull,
                Test::IsNotNull => return Err(SqlError::internal("no value is equal to all values")),
            };
            prefix.push((*key, value));
        }
        let mut bound = |side: &Option<(&Expr, bool)>| {
            side.map(|(value, inclusive)| SqlResult::Ok((planner.compile(value)?, inclusive))).transpose()
        };
        let range = match self.range_column {
            Some(column) => Some(KeyRange { column, lower: bound(&self.lower)?, upper: bound(&self.upper)? }),
            None => None,
        };
        Ok(IndexAccess {
            index: table.indexes[self.definition].position,
            definition: self.definition,
            direction: self.ordered.unwrap_or(Direction::Forward),
            prefix: prefix.into(),
            range,
            is_point: self.is_point,
            keeps_order: self.ordered.is_some(),
        })
    }
}
