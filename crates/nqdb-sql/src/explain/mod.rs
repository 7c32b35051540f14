//! EXPLAIN: a plan, and what it did, in PostgreSQL's layout.
//!
//! ```text
//! Limit  (cost=0.14..0.60 rows=3 width=0) (actual time=0.004..0.009 rows=3 loops=1)
//!   ->  Index Scan using t_pkey on t  (cost=...)
//!         Index Cond: (id > 1)
//!         Filter: (b = 2)
//! Executor: analytical
//! ```
//!
//! The last line stands there only when it is not the row executor that runs the plan.
//!
//! The operators and their words are ours where PostgreSQL has none; `width` is not estimated and always 0.

pub(crate) mod deparse;
mod json;
mod measured;
mod node;
mod text;
mod work;
mod xml;
mod yaml;

pub use measured::{MeasuredNode, measured_lines};

use crate::exec::NodeStatistics;
use crate::plan::Plan;
use crate::statement::{ExplainFormat, ExplainOptions};

/// The operators of a plan, without what stands in their conditions.
pub(crate) fn outline(plan: &Plan) -> Vec<String> {
    fn add(node: &node::Shown<'_>, depth: usize, out: &mut Vec<String>) {
        out.push(format!("{depth} {}{}", node.kind, node.target));
        node.children.iter().for_each(|child| add(child, depth + 1, out));
    }
    let mut out = Vec::new();
    add(&node::tree(plan), 0, &mut out);
    out
}

/// What is to be printed.
pub(crate) struct Rendering<'a> {
    pub plan: &'a Plan,
    pub options: ExplainOptions,
    /// By node, after EXPLAIN ANALYZE.
    pub statistics: Option<&'a [NodeStatistics]>,
    /// What the analytical executor did, after EXPLAIN ANALYZE.
    pub measured: Option<&'a MeasuredNode>,
    pub planning_micros: Option<i64>,
    pub execution_micros: i64,
}

impl Rendering<'_> {
    /// Who runs the statement, or has run it.
    fn executor(&self) -> &'static str {
        if self.is_analytical() { "analytical" } else { "row" }
    }

    fn is_analytical(&self) -> bool {
        self.measured.is_some() || (self.plan.analytical().is_some() && !self.options.analyze)
    }

    fn tree(&self) -> node::Shown<'_> {
        self.measured.map_or_else(|| node::tree(self.plan), MeasuredNode::shown)
    }

    /// The rows of the result.
    pub fn lines(&self) -> Vec<String> {
        match self.options.format {
            ExplainFormat::Text => text::lines(self),
            ExplainFormat::Json => vec![json::document(json::fields(self))],
            ExplainFormat::Xml => vec![xml::document(&json::fields(self))],
            ExplainFormat::Yaml => vec![yaml::document(&json::fields(self))],
        }
    }
}
