//! EXPLAIN (FORMAT YAML), in PostgreSQL's layout: strings are quoted as in JSON.

use super::json::{Value, write_string};

/// The document of a plan's fields.
pub(super) fn document(fields: &[(&'static str, Value)]) -> String {
    let mut out = String::from("- ");
    write_fields(fields, 2, &mut out);
    out
}

/// Fields, the first one where the text stands, the others indented by so many blanks.
fn write_fields(fields: &[(&'static str, Value)], indent: usize, out: &mut String) {
    for (number, (name, value)) in fields.iter().enumerate() {
        if number > 0 {
            start_line(indent, out);
        }
        out.push_str(&format!("{name}: "));
        write(value, indent, out);
    }
}

/// The value of a field that is indented by so many blanks.
fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Text(text) => write_string(text, out),
        Value::Bare(text) => out.push_str(text),
        Value::Object(fields) => {
            start_line(indent + 2, out);
            write_fields(fields, indent + 2, out);
        }
        Value::List(items) => {
            for item in items {
                start_line(indent + 2, out);
                out.push_str("- ");
                match item {
                    Value::Object(fields) => write_fields(fields, indent + 4, out),
                    other => write(other, indent + 2, out),
                }
            }
        }
    }
}

fn start_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.push_str(&" ".repeat(indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_are_indented() {
        let inner = Value::Object(vec![
            ("Node Type", Value::Text("Sort".to_string())),
            ("Sort Key", Value::List(vec![Value::Text("\"a\"".to_string())])),
        ]);
        let plan =
            Value::Object(vec![("Plan Rows", Value::Bare("1".to_string())), ("Plans", Value::List(vec![inner]))]);
        let fields = [("Plan", plan), ("Planning Time", Value::Bare("0.1".to_string()))];
        let wanted = "- Plan: 
    Plan Rows: 1
    Plans: 
      - Node Type: \"Sort\"
        Sort Key: 
          - \"\\\"a\\\"\"
  Planning Time: 0.1";
        assert_eq!(document(&fields), wanted);
    }
}
