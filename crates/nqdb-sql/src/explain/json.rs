//! What the formats JSON, XML and YAML of EXPLAIN say, and EXPLAIN (FORMAT JSON): one document, indented as PostgreSQL
//! indents it.

use super::Rendering;
use super::node::Shown;
use super::work;
use crate::exec::DetailText;

/// A JSON value, as far as EXPLAIN needs one.
pub(super) enum Value {
    Text(String),
    /// A number, or a word that is not quoted.
    Bare(String),
    List(Vec<Value>),
    Object(Vec<(&'static str, Value)>),
}

/// The document.
pub(super) fn document(fields: Vec<(&'static str, Value)>) -> String {
    let mut out = String::new();
    Value::List(vec![Value::Object(fields)]).write(0, &mut out);
    out
}

/// What there is to say.
pub(super) fn fields(rendering: &Rendering<'_>) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("Plan", node(&rendering.tree(), rendering))];
    fields.push(("Executor", Value::Text(rendering.executor().to_string())));
    if rendering.options.summary {
        if let Some(micros) = rendering.planning_micros {
            fields.push(("Planning Time", milliseconds(micros)));
        }
        if rendering.options.analyze {
            fields.push(("Execution Time", milliseconds(rendering.execution_micros)));
        }
    }
    fields
}

fn node(shown: &Shown<'_>, rendering: &Rendering<'_>) -> Value {
    let kind = if matches!(shown.kind, "Insert" | "Update" | "Delete") { "ModifyTable" } else { shown.kind };
    let mut fields = vec![("Node Type", Value::Text(kind.to_string()))];
    fields.extend(shown.attributes.iter().map(|(name, value)| (*name, Value::Text(value.clone()))));
    if rendering.options.costs && rendering.measured.is_none() {
        let (startup, total, rows) = shown.costs();
        fields.push(("Startup Cost", Value::Bare(format!("{startup:.2}"))));
        fields.push(("Total Cost", Value::Bare(format!("{total:.2}"))));
        fields.push(("Plan Rows", Value::Bare(format!("{rows:.0}"))));
        fields.push(("Plan Width", Value::Bare("0".to_string())));
    }
    if let Some(statistics) = shown.statistics(rendering) {
        let loops = statistics.loops.max(1);
        if rendering.options.timing {
            fields.push(("Actual Startup Time", milliseconds(statistics.startup_micros / loops as i64)));
            fields.push(("Actual Total Time", milliseconds(statistics.total_micros / loops as i64)));
        }
        fields.push(("Actual Rows", Value::Bare((statistics.rows / loops).to_string())));
        fields.push(("Actual Loops", Value::Bare(statistics.loops.to_string())));
        if statistics.filtered > 0 {
            fields.push(("Rows Removed by Filter", Value::Bare((statistics.filtered / loops).to_string())));
        }
    }
    fields.extend(work::fields(shown.work(rendering)));
    for (label, text) in &shown.details {
        let value = match text {
            DetailText::One(text) => Value::Text(text.clone()),
            DetailText::Many(texts) => list(texts),
            DetailText::Sets(sets) => Value::List(sets.iter().map(|set| grouping_set(set)).collect()),
        };
        fields.push((label, value));
    }
    if !shown.children.is_empty() {
        fields.push(("Plans", Value::List(shown.children.iter().map(|child| node(child, rendering)).collect())));
    }
    Value::Object(fields)
}

fn list(texts: &[String]) -> Value {
    Value::List(texts.iter().cloned().map(Value::Text).collect())
}

/// As in PostgreSQL, where several sets may be worked on together: a list of sets, here of one.
fn grouping_set(keys: &[String]) -> Value {
    let label = if keys.is_empty() { "Group Keys" } else { "Hash Keys" };
    Value::Object(vec![(label, Value::List(vec![list(keys)]))])
}

fn milliseconds(micros: i64) -> Value {
    Value::Bare(format!("{:.3}", micros as f64 / 1000.0))
}

impl Value {
    fn write(&self, depth: usize, out: &mut String) {
        let indent = |depth: usize| "  ".repeat(depth);
        match self {
            Value::Text(text) => write_string(text, out),
            Value::Bare(text) => out.push_str(text),
            Value::List(values) if values.iter().all(|value| matches!(value, Value::Text(_))) => {
                out.push('[');
                for (number, value) in values.iter().enumerate() {
                    out.push_str(if number == 0 { "" } else { ", " });
                    value.write(depth, out);
                }
                out.push(']');
            }
            Value::List(values) => {
                out.push('[');
                for (number, value) in values.iter().enumerate() {
                    out.push_str(if number == 0 { "\n" } else { ",\n" });
                    out.push_str(&indent(depth + 1));
                    value.write(depth + 1, out);
                }
                out.push_str(&format!("\n{}]", indent(depth)));
            }
            Value::Object(fields) => {
                out.push('{');
                for (number, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if number == 0 { "\n" } else { ",\n" });
                    out.push_str(&format!("{}\"{name}\": ", indent(depth + 1)));
                    value.write(depth + 1, out);
                }
                out.push_str(&format!("\n{}}}", indent(depth)));
            }
        }
    }
}

pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
