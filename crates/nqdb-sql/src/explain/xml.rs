//! EXPLAIN (FORMAT XML), in PostgreSQL's layout.

use super::json::Value;

/// The document of a plan's fields.
pub(super) fn document(fields: &[(&'static str, Value)]) -> String {
    let mut out = String::from("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n");
    for (name, value) in fields {
        write(name, value, 2, &mut out);
    }
    out.push_str("  </Query>\n</explain>");
    out
}

/// One element, its line end included.
fn write(name: &str, value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let tag = name.replace(' ', "-");
    match value {
        Value::Text(text) | Value::Bare(text) => {
            out.push_str(&format!("{indent}<{tag}>{}</{tag}>\n", escaped(text)));
        }
        Value::List(items) => {
            out.push_str(&format!("{indent}<{tag}>\n"));
            for item in items {
                let item_name = match item {
                    Value::Object(_) if name == "Grouping Sets" => "Grouping Set",
                    Value::Object(_) => "Plan",
                    _ => "Item",
                };
                write(item_name, item, depth + 1, out);
            }
            out.push_str(&format!("{indent}</{tag}>\n"));
        }
        Value::Object(fields) => {
            out.push_str(&format!("{indent}<{tag}>\n"));
            for (name, value) in fields {
                write(name, value, depth + 1, out);
            }
            out.push_str(&format!("{indent}</{tag}>\n"));
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#x0d;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_named_and_escaped() {
        let inner = Value::Object(vec![
            ("Node Type", Value::Text("Sort".to_string())),
            ("Sort Key", Value::List(vec![Value::Text("a < b".to_string())])),
        ]);
        let fields = [("Plan", Value::Object(vec![("Plans", Value::List(vec![inner]))]))];
        let wanted = "<explain xmlns=\"http://www.postgresql.org/2009/explain\">
  <Query>
    <Plan>
      <Plans>
        <Plan>
          <Node-Type>Sort</Node-Type>
          <Sort-Key>
            <Item>a &lt; b</Item>
          </Sort-Key>
        </Plan>
      </Plans>
    </Plan>
  </Query>
</explain>";
        assert_eq!(document(&fields), wanted);
    }
}
