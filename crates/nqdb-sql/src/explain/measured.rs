//! What an executor other than the row executor has done, operator by operator, for EXPLAIN ANALYZE.

use super::Rendering;
use super::node::Shown;
use crate::exec::NodeStatistics;
use crate::plan::Plan;

/// An operator with its counters.
#[derive(Clone, Debug)]
pub struct MeasuredNode {
    /// `Hash Join`.
    pub kind: &'static str,
    /// ` on t`: what follows the kind in text.
    pub target: String,
    /// `CTE c` or `InitPlan`, where it hangs below another node for the sake of its result.
    pub label: Option<String>,
    pub rows: u64,
    /// Rows that conditions threw away.
    pub filtered: u64,
    /// µs from the start of the node to its first row, and to its end.
    pub startup_micros: i64,
    pub total_micros: i64,
    pub children: Vec<MeasuredNode>,
}

impl MeasuredNode {
    pub(super) fn shown(&self) -> Shown<'_> {
        let mut statistics = NodeStatistics::of_one_loop(self.rows, self.startup_micros, self.total_micros);
        statistics.filtered = self.filtered;
        let label = self.label.iter().map(|label| ("Subplan Name", label.clone()));
        let relation = self.target.strip_prefix(" on ").map(|name| ("Relation Name", name.to_owned()));
        Shown {
            kind: self.kind,
            target: self.target.clone(),
            attributes: label.chain(relation).collect(),
            note: None,
            measured: Some(statistics),
            change: None,
            works: None,
            details: Vec::new(),
            children: self.children.iter().map(MeasuredNode::shown).collect(),
        }
    }
}

/// The rows of EXPLAIN ANALYZE for a statement that another executor has run; none when the plan is no EXPLAIN.
pub fn measured_lines(plan: &Plan, measured: &MeasuredNode, execution_micros: i64) -> Vec<String> {
    let Some((inner, options, planning_micros)) = plan.explained() else { return Vec::new() };
    let measured = Some(measured);
    Rendering { plan: inner, options, statistics: None, measured, planning_micros, execution_micros }.lines()
}
