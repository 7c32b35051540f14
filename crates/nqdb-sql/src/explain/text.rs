//! EXPLAIN (FORMAT TEXT).

use super::Rendering;
use super::node::Shown;
use super::work;
use crate::exec::{DetailText, NodeStatistics};

/// The lines of a plan.
pub(super) fn lines(rendering: &Rendering<'_>) -> Vec<String> {
    let mut out = Vec::new();
    add_node(&rendering.tree(), 0, rendering, &mut out);
    if rendering.is_analytical() {
        out.push(format!("Executor: {}", rendering.executor()));
    }
    if rendering.options.summary {
        if let Some(micros) = rendering.planning_micros {
            out.push(format!("Planning Time: {} ms", milliseconds(micros)));
        }
        if rendering.options.analyze {
            out.push(format!("Execution Time: {} ms", milliseconds(rendering.execution_micros)));
        }
    }
    out
}

fn add_node(node: &Shown<'_>, depth: usize, rendering: &Rendering<'_>, out: &mut Vec<String>) {
    let (head, body) = match depth {
        0 => (String::new(), "  ".to_string()),
        _ => (format!("{}->  ", " ".repeat(6 * depth - 4)), " ".repeat(6 * depth + 2)),
    };
    if let Some((_, label)) = node.attributes.iter().find(|(name, _)| *name == "Subplan Name") {
        out.push(format!("{}{label}", " ".repeat(6 * depth - 4)));
    }
    let mut line = format!("{head}{}{}", node.kind, node.target);
    // What was measured elsewhere was not estimated.
    if rendering.options.costs && rendering.measured.is_none() {
        let (startup, total, rows) = node.costs();
        line.push_str(&format!("  (cost={startup:.2}..{total:.2} rows={rows:.0} width=0)"));
    }
    let statistics = node.statistics(rendering);
    if rendering.options.analyze
        && let Some(statistics) = &statistics
    {
        line.push_str(&actual(statistics, rendering.options.timing));
    }
    out.push(line);
    for (label, text) in &node.details {
        match text {
            DetailText::One(text) => out.push(format!("{body}{label}: {text}")),
            DetailText::Many(texts) => out.push(format!("{body}{label}: {}", texts.join(", "))),
            DetailText::Sets(sets) => out.extend(sets.iter().map(|set| match set.as_slice() {
                [] => format!("{body}Group Key: ()"),
                keys => format!("{body}Hash Key: {}", keys.join(", ")),
            })),
        }
    }
    if rendering.options.analyze
        && let Some(line) = work::line(node.work(rendering))
    {
        out.push(format!("{body}{line}"));
    }
    if let Some(statistics) = statistics
        && statistics.filtered > 0
    {
        out.push(format!("{body}Rows Removed by Filter: {}", statistics.filtered / statistics.loops.max(1)));
    }
    for child in &node.children {
        add_node(child, depth + 1, rendering, out);
    }
}

fn actual(statistics: &NodeStatistics, timing: bool) -> String {
    if statistics.loops == 0 {
        return " (never executed)".to_string();
    }
    let loops = statistics.loops;
    let rows = statistics.rows / loops;
    if !timing {
        return format!(" (actual rows={rows} loops={loops})");
    }
    let each = |micros: i64| milliseconds(micros / loops as i64);
    format!(
        " (actual time={}..{} rows={rows} loops={loops})",
        each(statistics.startup_micros),
        each(statistics.total_micros)
    )
}

fn milliseconds(micros: i64) -> String {
    format!("{:.3}", micros as f64 / 1000.0)
}
