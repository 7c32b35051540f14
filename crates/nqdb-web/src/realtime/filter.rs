//! Filters of subscriptions, as Centrifugo's clients send them (`tf`, "tags filter"): conditions on what a message says.
//!
//! ```text
//! {"op": "and", "nodes": [{"key": "op", "cmp": "in", "vals": ["insert", "enter"]}, {"key": "row.total", "cmp": "gt", "val": "100"}]}
//! ```
//!
//! Messages have no tags beside their content here: a key is a member of the message's JSON, those within others behind dots
//! (`row.total`), and its value is a string, or a number or a boolean as text. What a filter leaves out is not sent, and nobody
//! is told that it is not: a table's own filter does that (`nqdb_publish_table`).

use serde::Deserialize;
use serde_json::Value;

/// Nodes that a filter may have.
const NODES_MAX: usize = 100;
/// How deep they may nest.
const DEPTH_MAX: usize = 10;

/// A filter as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterNode {
    op: String,
    key: String,
    cmp: String,
    val: String,
    vals: Vec<String>,
    nodes: Vec<FilterNode>,
}

/// A filter that can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Is { key: Vec<String>, test: Test },
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Equals(String),
    Differs(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Greater(f64),
    GreaterOrEqual(f64),
    Less(f64),
    LessOrEqual(f64),
}

impl Filter {
    /// Reads a filter; `None` for one that is not of the form, or that is too large.
    pub fn read(node: &FilterNode) -> Option<Filter> {
        let mut nodes_left = NODES_MAX;
        Filter::read_node(node, DEPTH_MAX, &mut nodes_left)
    }

    fn read_node(node: &FilterNode, depth_left: usize, nodes_left: &mut usize) -> Option<Filter> {
        *nodes_left = nodes_left.checked_sub(1)?;
        let depth_left = depth_left.checked_sub(1)?;
        let mut inner = || -> Option<Vec<Filter>> {
            node.nodes.iter().map(|node| Filter::read_node(node, depth_left, nodes_left)).collect()
        };
        match node.op.as_str() {
            "" => {
                Test::read(node).map(|test| Filter::Is { key: node.key.split('.').map(str::to_owned).collect(), test })
            }
            "and" => inner().filter(|nodes| !nodes.is_empty()).map(Filter::And),
            "or" => inner().filter(|nodes| !nodes.is_empty()).map(Filter::Or),
            "not" => match inner()?.as_slice() {
                [only] => Some(Filter::Not(Box::new(only.clone()))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a message is to be sent.
    pub fn passes(&self, payload: &str) -> bool {
        // What is no JSON is a string, which has no members.
        let message = serde_json::from_str(payload).unwrap_or(Value::Null);
        self.passes_value(&message)
    }

    fn passes_value(&self, message: &Value) -> bool {
        match self {
            Filter::And(filters) => filters.iter().all(|filter| filter.passes_value(message)),
            Filter::Or(filters) => filters.iter().any(|filter| filter.passes_value(message)),
            Filter::Not(filter) => !filter.passes_value(message),
            Filter::Is { key, test } => test.holds(text_at(message, key).as_deref()),
        }
    }
}

/// A member as text; `None` where there is none, or where it is null, a list or an object.
fn text_at(message: &Value, key: &[String]) -> Option<String> {
    match key.iter().try_fold(message, |value, name| value.get(name))? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Test {
    fn read(node: &FilterNode) -> Option<Test> {
        if node.key.is_empty() || !node.nodes.is_empty() {
            return None;
        }
        let text = || node.val.clone();
        let number = || node.val.trim().parse::<f64>().ok();
        Some(match node.cmp.as_str() {
            "eq" => Test::Equals(text()),
            "neq" => Test::Differs(text()),
            "in" => Test::In(node.vals.clone()),
            "nin" => Test::NotIn(node.vals.clone()),
            "ex" => Test::Exists,
            "nex" => Test::Missing,
            "sw" => Test::StartsWith(text()),
            "ew" => Test::EndsWith(text()),
            "ct" => Test::Contains(text()),
            "gt" => Test::Greater(number()?),
            "gte" => Test::GreaterOrEqual(number()?),
            "lt" => Test::Less(number()?),
            "lte" => Test::LessOrEqual(number()?),
            _ => return None,
        })
    }

    /// What is not there meets what says that something is not so, and nothing else.
    fn holds(&self, value: Option<&str>) -> bool {
        let number = value.and_then(|value| value.trim().parse::<f64>().ok());
        let compare = |test: &dyn Fn(f64) -> bool| number.is_some_and(test);
        match self {
            Test::Equals(wanted) => value == Some(wanted),
            Test::Differs(other) => value != Some(other),
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value)),
            Test::NotIn(others) => value.is_none_or(|value| others.iter().all(|other| other != value)),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::StartsWith(start) => value.is_some_and(|value| value.starts_with(start)),
            Test::EndsWith(end) => value.is_some_and(|value| value.ends_with(end)),
            Test::Contains(part) => value.is_some_and(|value| value.contains(part)),
            Test::Greater(bound) => compare(&|value| value > *bound),
            Test::GreaterOrEqual(bound) => compare(&|value| value >= *bound),
            Test::Less(bound) => compare(&|value| value < *bound),
            Test::LessOrEqual(bound) => compare(&|value| value <= *bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(filter: Value) -> Option<Filter> {
        Filter::read(&serde_json::from_value(filter).ok()?)
    }

    #[test]
    fn conditions_are_met_by_members_of_messages() {
        let message =
            json!({ "op": "insert", "row": { "id": 17, "total": 20.5, "open": true, "note": null } }).to_string();
        for (key, cmp, val, wanted) in [
            ("op", "eq", "insert", true),
            ("op", "neq", "insert", false),
            ("row.note", "neq", "x", true),
            ("row.note", "eq", "", false),
            ("row.note", "ex", "", false),
            ("row.missing", "nex", "", true),
            ("row.open", "eq", "true", true),
            ("op", "sw", "ins", true),
            ("op", "ew", "sert", true),
            ("op", "ct", "ser", true),
            ("row.total", "gt", "20", true),
            ("row.total", "gte", "20.5", true),
            ("row.total", "lt", "20.5", false),
            ("row.id", "lte", "9", false),
            ("op", "gt", "1", false),
        ] {
            let filter = read(json!({ "key": key, "cmp": cmp, "val": val })).unwrap();
            assert_eq!(filter.passes(&message), wanted, "{key} {cmp} {val}");
        }
        let any = json!({ "op": "or", "nodes": [
            { "key": "row.id", "cmp": "in", "vals": ["16", "17"] }, { "key": "op", "cmp": "nin", "vals": ["insert"] },
        ] });
        assert!(read(any.clone()).unwrap().passes(&message));
        assert!(!read(json!({ "op": "not", "nodes": [any] })).unwrap().passes(&message));
        assert!(!read(json!({ "key": "op", "cmp": "ex" })).unwrap().passes("no JSON"));
    }

    #[test]
    fn what_is_no_filter_is_not_read() {
        let leaf = json!({ "key": "a", "cmp": "ex" });
        let nested =
            |levels: usize| (0..levels).fold(leaf.clone(), |inner, _| json!({ "op": "not", "nodes": [inner] }));
        assert!(read(nested(DEPTH_MAX - 1)).is_some() && read(nested(DEPTH_MAX)).is_none());
        let wide = |count: usize| json!({ "op": "and", "nodes": vec![leaf.clone(); count] });
        assert!(read(wide(NODES_MAX - 1)).is_some() && read(wide(NODES_MAX)).is_none());
        for broken in [
            json!({}),
            json!({ "op": "and" }),
            json!({ "op": "xor", "nodes": [leaf] }),
            json!({ "op": "not", "nodes": [leaf, leaf] }),
            json!({ "key": "a", "cmp": "like", "val": "x" }),
            json!({ "key": "a", "cmp": "gt", "val": "x" }),
            json!({ "key": "", "cmp": "ex" }),
            json!({ "key": "a", "cmp": "ex", "other": 1 }),
        ] {
            assert_eq!(read(broken.clone()), None, "{broken}");
        }
    }
}
