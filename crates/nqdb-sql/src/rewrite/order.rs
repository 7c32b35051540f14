//! The order of joins.
//!
//! A region is a tree of inner, left, semi and anti joins; what lies below is its items. Inner items join anything; an
//! item of another kind is the right side of its own join and waits until the columns that its condition mentions are
//! there. That is all that commuting needs: a left join above an inner one may change places with it, since the inner
//! join's condition mentions nothing that the left join fills with NULLs, or is tested above it; and semi and anti joins
//! only take rows away.
//!
//! Small regions are searched in full, by dynamic programming over the sets of items, bushy trees included:
//!
//! ```text
//! best[{a, b, c}] = the cheapest of best[{a, b}] x best[{c}], best[{a, c}] x best[{b}], ...
//! ```
//!
//! Greater ones are joined greedily, the pair with the fewest rows first. Regions beyond [`ITEMS_MAX`] stay as written.
//! Costs are those of the row executor (`plan::cost`): a hash table of the right side, or a lookup by its index. For the
//! analytical executor, which looks nothing up and builds the smaller side, joins are ordered once more.

use super::build::{conjunction, conjuncts, filtered};
use super::estimate::Statistics;
use super::facts::equality_sides;
use super::{Rewriter, is_movable, visible_set};
use crate::ir::{Expr, ExprKind, JoinKind, Rel};
use crate::plan::cost::{DESCENT, INDEX_ROW, OPERATOR, SCAN_ROW, table_rows};
use crate::plan::mentions::{
    Columns, expressions_mut, free_columns_of, inputs_mut, mentioned, operands_mut, split_conjuncts, subquery_mut,
};

/// Items of a region that is ordered at all: bits of a set.
const ITEMS_MAX: usize = 64;
/// Items of a region that may be searched in full, whatever the context says: 3^n joins are looked at.
const SEARCHED_MAX: usize = 12;
/// Keeping one row of a build side, probing with one row, giving one out.
const BUILD_ROW: f64 = 0.02;
const PROBE_ROW: f64 = 0.01;
const RESULT_ROW: f64 = 0.005;

/// A set of items.
type Items = u64;

/// A relation of a region.
struct Item {
    rel: Rel,
    /// Inner, or how it is joined to what is before it.
    kind: JoinKind,
    /// The condition of a join that is not inner.
    on: Vec<Expr>,
    rows: f64,
    /// Reading it once.
    cost: f64,
    /// Items that must be joined before it.
    needs: Items,
    /// The part of the rows that a semi, anti or left join makes of those before it.
    factor: f64,
    /// Columns that begin an index of it, when it is a table.
    indexed: Columns,
}

/// A condition between inner items.
struct Condition {
    expr: Expr,
    items: Items,
    selectivity: f64,
    is_equality: bool,
}

/// A tree of joins, taken apart.
#[derive(Default)]
struct Region {
    items: Vec<Item>,
    conditions: Vec<Expr>,
}

/// How a set of items is joined.
#[derive(Clone, Copy)]
struct Step {
    cost: f64,
    left: Items,
    right: Items,
}

impl Rewriter {
    /// Orders the joins of a relation and of all below it.
    pub(super) fn order(&mut self, mut rel: Rel) -> Rel {
        if !is_flat(&rel) {
            self.order_within(&mut rel);
            return rel;
        }
        let mut region = Region::default();
        self.gather(rel, &mut region);
        self.interrupted = self.interrupted || self.cx.interruption.check().is_err();
        if region.items.len() > ITEMS_MAX || self.interrupted {
            return as_written(region);
        }
        Search::new(region, self.cx.looks_up).run(self.cx.searched_relations_max)
    }

    /// Goes on below a relation that is no join that could change places.
    fn order_within(&mut self, rel: &mut Rel) {
        for input in inputs_mut(rel) {
            *input = self.order(std::mem::replace(input, Rel::OneRow));
        }
        for expr in expressions_mut(rel) {
            self.order_in_subqueries(expr);
        }
    }

    pub(super) fn order_in_subqueries(&mut self, expr: &mut Expr) {
        if let Some(query) = subquery_mut(expr) {
            query.rel = self.order(std::mem::replace(&mut query.rel, Rel::OneRow));
        }
        for operand in operands_mut(expr) {
            self.order_in_subqueries(operand);
        }
    }

    fn gather(&mut self, rel: Rel, region: &mut Region) {
        if !is_flat(&rel) {
            let rel = self.order(rel);
            region.items.push(Item::new(rel, JoinKind::Inner, Vec::new(), self.cx.looks_up));
            return;
        }
        let Rel::Join { kind, left, right, on } = rel else { return };
        self.gather(*left, region);
        let mut on = conjuncts(on);
        on.iter_mut().for_each(|condition| self.order_in_subqueries(condition));
        if matches!(kind, JoinKind::Inner | JoinKind::Cross) {
            self.gather(*right, region);
            region.conditions.extend(on);
        } else {
            let right = self.order(*right);
            region.items.push(Item::new(right, kind, on, self.cx.looks_up));
        }
    }
}

/// Whether a relation is a join whose sides may change places with those of others.
fn is_flat(rel: &Rel) -> bool {
    let Rel::Join { kind, left, right, on } = rel else { return false };
    let mut conditions = Vec::new();
    if let Some(on) = on {
        split_conjuncts(on, &mut conditions);
    }
    !matches!(kind, JoinKind::Full | JoinKind::Right)
        && conditions.iter().all(is_movable)
        && free_columns_of(right).is_disjoint(&visible_set(left))
        && free_columns_of(left).is_disjoint(&visible_set(right))
}

impl Item {
    fn new(rel: Rel, kind: JoinKind, on: Vec<Expr>, looks_up: bool) -> Item {
        let indexed = if looks_up { leading_columns(&rel) } else { Columns::default() };
        let cost = scan_cost(&rel, looks_up);
        Item { rel, kind, on, rows: 1.0, cost, needs: 0, factor: 1.0, indexed }
    }

    fn is_inner(&self) -> bool {
        matches!(self.kind, JoinKind::Inner | JoinKind::Cross)
    }
}

/// What reading a relation once costs, roughly.
fn scan_cost(rel: &Rel, looks_up: bool) -> f64 {
    match rel {
        Rel::Scan { table, .. } => table_rows(table.store.estimated_rows()) * SCAN_ROW,
        Rel::Filter { input, predicate } => {
            let mut conditions = Vec::new();
            split_conjuncts(predicate, &mut conditions);
            let leading = leading_columns(input);
            let is_looked_up = |condition: &Expr| {
                equality_sides(condition).is_some_and(|(_, left, right)| {
                    is_one_of(left, &leading) && mentioned(right).is_disjoint(&leading)
                        || is_one_of(right, &leading) && mentioned(left).is_disjoint(&leading)
                })
            };
            if looks_up && conditions.iter().any(is_looked_up) { DESCENT } else { scan_cost(input, looks_up) }
        }
        rel => crate::plan::mentions::inputs(rel).into_iter().map(|input| scan_cost(input, looks_up)).sum(),
    }
}

fn is_one_of(expr: &Expr, columns: &Columns) -> bool {
    matches!(&expr.kind, ExprKind::Column(id) if columns.contains(id))
}

/// The columns of a table that begin one of its indexes.
fn leading_columns(rel: &Rel) -> Columns {
    match rel {
        Rel::Scan { table, columns, .. } => {
            let leads = |position: usize| {
                table.indexes.iter().any(|index| {
                    index.predicate().is_none() && index.key.first().is_some_and(|key| key.column == position)
                })
            };
            columns.iter().filter(|(position, _)| leads(*position)).map(|(_, id)| *id).collect()
        }
        Rel::Filter { input, .. } => leading_columns(input),
        _ => Columns::default(),
    }
}

/// The search for the order of a region.
struct Search {
    items: Vec<Item>,
    conditions: Vec<Condition>,
    /// Conditions that mention no item.
    above: Vec<Expr>,
    /// A join that does not look up builds its right side; if it never looks up, the smaller one.
    looks_up: bool,
}

impl Search {
    fn new(region: Region, looks_up: bool) -> Search {
        let Region { mut items, conditions } = region;
        let mut statistics = Statistics::default();
        items.iter().for_each(|item| statistics.add(&item.rel));
        let columns: Vec<Columns> = items.iter().map(|item| visible_set(&item.rel)).collect();
        let items_of = |mentions: &Columns| {
            columns
                .iter()
                .enumerate()
                .filter(|(_, own)| !own.is_disjoint(mentions))
                .fold(0, |set, (at, _)| set | 1 << at)
        };
        for (at, item) in items.iter_mut().enumerate() {
            item.rows = statistics.rows(&item.rel);
            statistics.limit_distinct(&item.rel, item.rows);
            item.needs = item.on.iter().map(|on| items_of(&mentioned(on))).fold(0, |set, more| set | more) & !(1 << at);
        }
        for item in items.iter_mut() {
            item.factor = match item.kind {
                JoinKind::Semi => statistics.semi_selectivity(&item.on, item.rows),
                JoinKind::Anti => (1.0 - statistics.semi_selectivity(&item.on, item.rows)).max(0.1),
                JoinKind::Left => (item.rows * statistics.selectivity_of_all(&item.on)).max(1.0),
                _ => item.rows,
            };
        }
        let mut between = Vec::new();
        let mut above = Vec::new();
        for expr in conditions {
            match items_of(&mentioned(&expr)) {
                0 => above.push(expr),
                set if set.count_ones() == 1 => {
                    let item = &mut items[set.trailing_zeros() as usize];
                    item.rel = filtered(std::mem::replace(&mut item.rel, Rel::OneRow), vec![expr]);
                }
                set => between.push(Condition {
                    items: set,
                    selectivity: statistics.selectivity(&expr),
                    is_equality: equality_sides(&expr).is_some(),
                    expr,
                }),
            }
        }
        Search { items, conditions: between, above, looks_up }
    }

    fn run(mut self, searched_max: usize) -> Rel {
        let above = std::mem::take(&mut self.above);
        let steps =
            if self.items.len() <= searched_max.min(SEARCHED_MAX) { self.search_all() } else { self.search_greedily() };
        filtered(self.build(&steps), above)
    }

    /// Rows of a set of items once they are joined, in whatever order.
    fn rows(&self, set: Items) -> f64 {
        let mut rows = 1.0;
        for (at, item) in self.items.iter().enumerate() {
            if set & 1 << at != 0 {
                rows *= item.factor;
            }
        }
        for condition in &self.conditions {
            if condition.items & !set == 0 {
                rows *= condition.selectivity;
            }
        }
        rows.max(1.0)
    }

    /// What joining two sets costs, besides what each of them costs; `None` if they cannot be joined that way.
    ///
    /// The second value says that the right side's own cost is not paid: it is looked up by an index.
    fn join_cost(&self, left: Items, right: Items, left_rows: f64, right_rows: f64, rows: f64) -> Option<(f64, bool)> {
        let single = (right.count_ones() == 1).then(|| &self.items[right.trailing_zeros() as usize]);
        if let Some(item) = single
            && !item.is_inner()
            && item.needs & !left != 0
        {
            return None;
        }
        let both = |condition: &&Condition| {
            condition.items & left != 0 && condition.items & right != 0 && condition.items & !(left | right) == 0
        };
        let own: Vec<&Expr> = match single {
            Some(item) if !item.is_inner() => item.on.iter().collect(),
            _ => self.conditions.iter().filter(both).map(|condition| &condition.expr).collect(),
        };
        let has_equality = match single {
            Some(item) if !item.is_inner() => item.on.iter().any(|on| equality_sides(on).is_some()),
            _ => self.conditions.iter().filter(both).any(|condition| condition.is_equality),
        };
        let (built, probing) =
            if self.looks_up || right_rows < left_rows { (right_rows, left_rows) } else { (left_rows, right_rows) };
        let hashed = if has_equality {
            built * BUILD_ROW + probing * PROBE_ROW
        } else {
            built * BUILD_ROW + left_rows * right_rows * OPERATOR
        };
        let result = rows * RESULT_ROW;
        let by_index = single.is_some_and(|item| {
            own.iter().any(|condition| {
                equality_sides(condition)
                    .is_some_and(|(_, a, b)| is_one_of(a, &item.indexed) || is_one_of(b, &item.indexed))
            })
        });
        if by_index {
            let looked_up = left_rows * DESCENT + rows * INDEX_ROW;
            let right_cost = single.map_or(0.0, |item| item.cost);
            if looked_up < hashed + right_cost {
                return Some((looked_up + result, true));
            }
        }
        Some((hashed + result, false))
    }

    /// The best way to join every set of items, up to the set of all.
    fn search_all(&self) -> Vec<Step> {
        let count = self.items.len();
        let all: Items = (1 << count) - 1;
        let mut best: Vec<Option<Step>> = vec![None; 1 << count];
        let rows: Vec<f64> = (0..=all).map(|set| self.rows(set)).collect();
        for (at, item) in self.items.iter().enumerate().filter(|(_, item)| item.is_inner()) {
            best[1 << at] = Some(Step { cost: item.cost, left: 0, right: 0 });
        }
        for set in 1..=all {
            if set.count_ones() < 2 {
                continue;
            }
            let mut left = (set - 1) & set;
            while left != 0 {
                let right = set & !left;
                // Among equals the order in which they were written.
                let is_better = |cost: f64, step: Step| {
                    cost < step.cost || (cost == step.cost && left.trailing_zeros() < step.left.trailing_zeros())
                };
                if let Some(cost) = self.cost_of(&best, &rows, set, left, right)
                    && best[set as usize].is_none_or(|step| is_better(cost, step))
                {
                    best[set as usize] = Some(Step { cost, left, right });
                }
                left = (left - 1) & set;
            }
        }
        let mut steps = Vec::new();
        collect_steps(&best, all, &mut steps);
        steps
    }

    fn cost_of(&self, best: &[Option<Step>], rows: &[f64], set: Items, left: Items, right: Items) -> Option<f64> {
        let left_cost = best[left as usize]?.cost;
        let right_cost = match best[right as usize] {
            Some(step) => step.cost,
            None if right.count_ones() == 1 => self.items[right.trailing_zeros() as usize].cost,
            None => return None,
        };
        let right_rows = match right.count_ones() {
            1 => self.items[right.trailing_zeros() as usize].rows,
            _ => rows[right as usize],
        };
        let (cost, by_index) = self.join_cost(left, right, rows[left as usize], right_rows, rows[set as usize])?;
        Some(left_cost + cost + if by_index { 0.0 } else { right_cost })
    }

    /// Joins the cheapest pair, then the cheapest pair of what is left, and so on.
    fn search_greedily(&self) -> Vec<Step> {
        let mut parts: Vec<Items> = (0..self.items.len()).map(|at| 1 << at).collect();
        let mut steps = Vec::new();
        while parts.len() > 1 {
            let mut best: Option<(f64, usize, usize)> = None;
            for (at_left, left) in parts.iter().enumerate() {
                let open = left.count_ones() == 1 && !self.items[left.trailing_zeros() as usize].is_inner();
                if open {
                    continue;
                }
                for (at_right, right) in parts.iter().enumerate().filter(|(at, _)| *at != at_left) {
                    let rows = self.rows(left | right);
                    let right_rows = match right.count_ones() {
                        1 => self.items[right.trailing_zeros() as usize].rows,
                        _ => self.rows(*right),
                    };
                    let Some((cost, _)) = self.join_cost(*left, *right, self.rows(*left), right_rows, rows) else {
                        continue;
                    };
                    let price = rows + cost;
                    if best.is_none_or(|(lowest, ..)| price < lowest) {
                        best = Some((price, at_left, at_right));
                    }
                }
            }
            // There always is a pair: an item that waits, waits for items that are there.
            let Some((_, left, right)) = best else { break };
            steps.push(Step { cost: 0.0, left: parts[left], right: parts[right] });
            parts[left] |= parts[right];
            parts.remove(right);
        }
        steps
    }

    /// Builds the joins, the first step first.
    fn build(self, steps: &[Step]) -> Rel {
        let Search { items, mut conditions, .. } = self;
        let kinds: Vec<JoinKind> = items.iter().map(|item| item.kind).collect();
        let mut parts: Vec<(Items, Rel, Vec<Expr>)> =
            items.into_iter().enumerate().map(|(at, item)| (1 << at, item.rel, item.on)).collect();
        for step in steps {
            let Some(left) = take_part(&mut parts, step.left) else { continue };
            let Some(right) = take_part(&mut parts, step.right) else { continue };
            let set = step.left | step.right;
            let (ready, later): (Vec<Condition>, Vec<Condition>) =
                conditions.into_iter().partition(|condition| condition.items & !set == 0);
            conditions = later;
            let ready: Vec<Expr> = ready.into_iter().map(|condition| condition.expr).collect();
            let kind = match step.right.count_ones() {
                1 => kinds[step.right.trailing_zeros() as usize],
                _ => JoinKind::Inner,
            };
            parts.push((set, join(kind, left.1, right.1, right.2, ready), Vec::new()));
        }
        parts.pop().map_or(Rel::OneRow, |(_, rel, _)| rel)
    }
}

/// One join; `ready` are the conditions of inner joins that it makes testable.
fn join(kind: JoinKind, left: Rel, right: Rel, on: Vec<Expr>, ready: Vec<Expr>) -> Rel {
    let (left, right) = (Box::new(left), Box::new(right));
    if matches!(kind, JoinKind::Inner | JoinKind::Cross) {
        let kind = if ready.is_empty() { JoinKind::Cross } else { JoinKind::Inner };
        return Rel::Join { kind, left, right, on: conjunction(ready) };
    }
    filtered(Rel::Join { kind, left, right, on: conjunction(on) }, ready)
}

/// The joins from left to right, as they were written.
fn as_written(region: Region) -> Rel {
    let Region { items, conditions } = region;
    let mut missing: Columns = items.iter().flat_map(|item| visible_set(&item.rel)).collect();
    let mut open = conditions;
    let mut all: Option<Rel> = None;
    for Item { rel, kind, on, .. } in items {
        for id in visible_set(&rel) {
            missing.remove(&id);
        }
        let Some(left) = all.take() else {
            all = Some(rel);
            continue;
        };
        let (ready, later): (Vec<Expr>, Vec<Expr>) =
            open.into_iter().partition(|condition| mentioned(condition).is_disjoint(&missing));
        open = later;
        all = Some(join(kind, left, rel, on, ready));
    }
    filtered(all.unwrap_or(Rel::OneRow), open)
}

fn take_part(parts: &mut Vec<(Items, Rel, Vec<Expr>)>, set: Items) -> Option<(Items, Rel, Vec<Expr>)> {
    let at = parts.iter().position(|(items, ..)| *items == set)?;
    Some(parts.remove(at))
}

/// The steps that make a set, those of its parts first.
fn collect_steps(best: &[Option<Step>], set: Items, out: &mut Vec<Step>) {
    if let Some(step) = best[set as usize]
        && step.left != 0
    {
        collect_steps(best, step.left, out);
        collect_steps(best, step.right, out);
        out.push(step);
    }
}
