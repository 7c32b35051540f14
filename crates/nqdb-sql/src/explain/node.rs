//! A plan as a tree of named nodes, the form that both formats print.

use super::Rendering;
use crate::exec::{Access, DetailText, HalfJoin, NodeNote, NodeStatistics, Operator, PlanNode, Root, WorkFacts};
use crate::ir::SetKind;
use crate::plan::Plan;
use nqdb_txn::Direction;

/// One node as EXPLAIN shows it.
pub(crate) struct Shown<'p> {
    /// `Index Scan`.
    pub kind: &'static str,
    /// ` Backward using t_pkey on t x`: what follows the kind in text.
    pub target: String,
    /// Names and values for JSON that are part of `target` in text.
    pub attributes: Vec<(&'static str, String)>,
    pub note: Option<&'p NodeNote>,
    /// Counters that another executor has given.
    pub measured: Option<NodeStatistics>,
    /// A change of rows has no node of its own: it costs what its source costs.
    pub change: Option<Change<'p>>,
    pub details: Vec<(&'static str, DetailText)>,
    /// The node whose memory and files are told here: the table of a join is a node of its own, in which the join works.
    pub works: Option<&'p NodeNote>,
    pub children: Vec<Shown<'p>>,
}

/// What an INSERT, UPDATE or DELETE adds to its source.
#[derive(Clone, Copy)]
pub(crate) struct Change<'p> {
    source: &'p NodeNote,
    /// It has RETURNING: every row comes out again.
    returns: bool,
}

impl Change<'_> {
    /// Start-up cost, total cost and rows.
    pub fn costs(&self) -> (f64, f64, f64) {
        let rows = if self.returns { self.source.rows.max(1.0) } else { 0.0 };
        (self.source.startup_cost, self.source.total_cost, rows)
    }

    /// Counters of an execution that took so long.
    pub fn statistics(&self, all: &[NodeStatistics], execution_micros: i64) -> NodeStatistics {
        let source = all.get(self.source.id).copied().unwrap_or_default();
        match self.returns {
            true => NodeStatistics::of_one_loop(source.rows, source.startup_micros, execution_micros),
            false => NodeStatistics::of_one_loop(0, execution_micros, execution_micros),
        }
    }
}

impl<'p> Shown<'p> {
    fn new(kind: &'static str, node: &'p PlanNode, children: Vec<Shown<'p>>) -> Shown<'p> {
        Shown {
            kind,
            target: String::new(),
            attributes: Vec::new(),
            note: Some(&node.note),
            measured: None,
            change: None,
            details: node.note.details.clone(),
            works: match &node.operator {
                Operator::Sort(_) | Operator::Aggregation(_) => Some(&node.note),
                _ => None,
            },
            children,
        }
    }

    /// What the node did with memory and files.
    pub fn work(&self, rendering: &Rendering<'_>) -> WorkFacts {
        let statistics = rendering.statistics.and_then(|all| all.get(self.works?.id));
        statistics.map_or(WorkFacts::None, |statistics| statistics.work)
    }

    /// The counters of the node.
    pub fn statistics(&self, rendering: &Rendering<'_>) -> Option<NodeStatistics> {
        if self.measured.is_some() {
            return self.measured;
        }
        let all = rendering.statistics?;
        match self.change {
            Some(change) => Some(change.statistics(all, rendering.execution_micros)),
            None => all.get(self.note?.id).copied(),
        }
    }

    /// Start-up cost, total cost and rows as estimated.
    pub fn costs(&self) -> (f64, f64, f64) {
        let of_node = |note: &NodeNote| (note.startup_cost, note.total_cost, note.rows.max(1.0));
        match self.change {
            Some(change) => change.costs(),
            None => self.note.map_or((0.0, 0.0, 0.0), of_node),
        }
    }
}

/// The tree of a plan; subqueries of expressions hang below the top node.
pub(crate) fn tree(plan: &Plan) -> Shown<'_> {
    let mut top = show_root(&plan.root);
    for change in &plan.changes {
        let mut child = show_root(&change.root);
        let name = plan.with.get(change.with).map_or("", |with| with.name.as_str());
        child.attributes.push(("Subplan Name", format!("CTE {name}")));
        top.children.push(child);
    }
    for subplan in &plan.subplans {
        let mut child = show(&subplan.root);
        let label = if subplan.correlated { "SubPlan" } else { "InitPlan" };
        child.attributes.push(("Subplan Name", label.to_string()));
        top.children.push(child);
    }
    for with in &plan.with {
        if let Some(root) = &with.root {
            let mut child = show(root);
            child.attributes.push(("Subplan Name", format!("CTE {}", with.name)));
            top.children.push(child);
        }
    }
    top
}

fn show_root(root: &Root) -> Shown<'_> {
    match root {
        Root::Query(query) => show(&query.node),
        Root::Insert(insert) => change("Insert", &insert.target.table.name, &insert.source, insert.returning.is_some()),
        Root::Modify(modify) => {
            let kind = if modify.update.is_some() { "Update" } else { "Delete" };
            change(kind, &modify.table.name, &modify.source, modify.returning.is_some())
        }
        Root::Merge(merge) => change("Merge", &merge.table.name, &merge.source, false),
        Root::Explain(explain) => tree(&explain.plan),
    }
}

fn change<'p>(kind: &'static str, table: &str, source: &'p PlanNode, returns: bool) -> Shown<'p> {
    Shown {
        kind,
        target: format!(" on {table}"),
        attributes: vec![("Operation", kind.to_string()), ("Relation Name", table.to_string())],
        note: None,
        measured: None,
        change: Some(Change { source: &source.note, returns }),
        details: Vec::new(),
        works: None,
        children: vec![show(source)],
    }
}

fn show(node: &PlanNode) -> Shown<'_> {
    match &node.operator {
        Operator::OneRow => Shown::new("Result", node, Vec::new()),
        Operator::Scan(scan) => {
            let kind = if scan.sample.is_some() { "Sample Scan" } else { "Seq Scan" };
            let mut shown = Shown::new(kind, node, Vec::new());
            let table = &scan.table;
            let alias = node.note.alias.as_deref().map(|alias| format!(" {alias}")).unwrap_or_default();
            shown.target = format!(" on {}{alias}", table.name);
            if let Access::Index(access) = &scan.access {
                let index = table.indexes.get(access.definition).map_or("", |index| index.name.as_str());
                let backward = access.direction == Direction::Backward;
                let way = if backward { " Backward" } else { "" };
                shown.kind = "Index Scan";
                shown.target = format!("{way} using {index} on {}{alias}", table.name);
                shown.attributes.push(("Scan Direction", if backward { "Backward" } else { "Forward" }.to_string()));
                shown.attributes.push(("Index Name", index.to_string()));
            }
            match &scan.access {
                Access::CurrentOf(_) => shown.kind = "Tid Scan",
                Access::Rows(rows) if rows.names_rows() => shown.kind = "Tid Scan",
                Access::Rows(_) => shown.kind = "Tid Range Scan",
                Access::Sequential | Access::Index(_) => {}
            }
            shown.attributes.push(("Relation Name", table.name.clone()));
            shown.attributes.push(("Alias", node.note.alias.clone().unwrap_or_else(|| table.name.clone())));
            shown
        }
        Operator::SystemScan(scan) => {
            let mut shown = Shown::new("Seq Scan", node, Vec::new());
            let alias = node.note.alias.as_deref().map(|alias| format!(" {alias}")).unwrap_or_default();
            shown.target = format!(" on {}{alias}", scan.relation.name);
            shown.attributes.push(("Relation Name", scan.relation.name.to_string()));
            shown.attributes.push(("Alias", node.note.alias.clone().unwrap_or_else(|| scan.relation.name.to_string())));
            shown
        }
        Operator::Values(_) => Shown::new("Values Scan", node, Vec::new()),
        Operator::FunctionScan(scan) => {
            let mut shown = Shown::new("Function Scan", node, Vec::new());
            if let Some(function) = scan.first_function() {
                shown.target = format!(" on {}", function.name);
                shown.attributes.push(("Function Name", function.name.to_string()));
            }
            shown
        }
        Operator::Filter(filter) => merge_filter(node, show(&filter.input)),
        Operator::Gate(gate) => {
            let children = if gate.is_shut { Vec::new() } else { vec![show(&gate.input)] };
            Shown::new("Result", node, children)
        }
        // Computed columns are no node in PostgreSQL either.
        Operator::Extend(extend) => match &extend.input.operator {
            Operator::OneRow => Shown::new("Result", node, Vec::new()),
            _ => show(&extend.input),
        },
        Operator::NestedLoop(join) => {
            let kind = match join.half {
                Some(HalfJoin::Semi) => "Nested Loop Semi Join",
                Some(HalfJoin::Anti) => "Nested Loop Anti Join",
                None if join.null_slots.is_some() => "Nested Loop Left Join",
                None => "Nested Loop",
            };
            Shown::new(kind, node, vec![show(&join.left), show(&join.right)])
        }
        Operator::HashJoin(join) => {
            let looped = join.keys.is_empty();
            let kind = match (looped, join.keep_left, join.keep_right, join.half) {
                (true, _, _, Some(HalfJoin::Semi)) => "Nested Loop Semi Join",
                (true, _, _, Some(HalfJoin::Anti)) => "Nested Loop Anti Join",
                (false, _, _, Some(HalfJoin::Semi)) => "Hash Semi Join",
                (false, _, _, Some(HalfJoin::Anti)) => "Hash Anti Join",
                (true, false, false, None) => "Nested Loop",
                (true, true, false, None) => "Nested Loop Left Join",
                (true, false, true, None) => "Nested Loop Right Join",
                (true, true, true, None) => "Nested Loop Full Join",
                (false, false, false, None) => "Hash Join",
                (false, true, false, None) => "Hash Left Join",
                (false, false, true, None) => "Hash Right Join",
                (false, true, true, None) => "Hash Full Join",
            };
            let kept = Shown {
                kind: if looped { "Materialize" } else { "Hash" },
                target: String::new(),
                attributes: Vec::new(),
                note: Some(&join.right.note),
                measured: None,
                change: None,
                details: Vec::new(),
                works: (!looped).then_some(&node.note),
                children: vec![show(&join.right)],
            };
            Shown::new(kind, node, vec![show(&join.left), kept])
        }
        Operator::Aggregation(aggregation) => {
            let kind = match (aggregation.keys.is_empty(), aggregation.sets.len()) {
                (true, _) => "Aggregate",
                (false, 1) => "HashAggregate",
                // A set without keys is no matter of hashing.
                (false, _) if aggregation.sets.iter().all(|set| !set.positions.is_empty()) => "HashAggregate",
                (false, _) => "MixedAggregate",
            };
            Shown::new(kind, node, vec![show(&aggregation.input)])
        }
        Operator::Window(window) => Shown::new("WindowAgg", node, vec![show(&window.input)]),
        Operator::Sort(sort) => Shown::new("Sort", node, vec![show(&sort.input)]),
        Operator::Distinct(distinct) => Shown::new("Unique", node, vec![show(&distinct.input)]),
        Operator::Limit(limit) => Shown::new("Limit", node, vec![show(&limit.input)]),
        Operator::With(with) => show(&with.input),
        Operator::LockRows(locks) => Shown::new("LockRows", node, vec![show(&locks.input)]),
        Operator::WithScan(_) => Shown::new("CTE Scan", node, Vec::new()),
        Operator::WorkTable(_) => Shown::new("WorkTable Scan", node, Vec::new()),
        Operator::Recursion(recursion) => {
            Shown::new("Recursive Union", node, vec![show(&recursion.seed), show(&recursion.step)])
        }
        Operator::SetOperation(operation) => {
            let kind = match (operation.kind, operation.all) {
                (SetKind::Union, true) => "Append",
                (SetKind::Union, false) => "Union",
                (SetKind::Intersect, false) => "HashSetOp Intersect",
                (SetKind::Intersect, true) => "HashSetOp Intersect All",
                (SetKind::Except, false) => "HashSetOp Except",
                (SetKind::Except, true) => "HashSetOp Except All",
            };
            Shown::new(kind, node, vec![show(&operation.left), show(&operation.right)])
        }
    }
}

/// A filter is shown at the node that it filters.
fn merge_filter<'p>(node: &'p PlanNode, mut input: Shown<'p>) -> Shown<'p> {
    input.details.extend(node.note.details.iter().cloned());
    input.note = Some(&node.note);
    input
}
