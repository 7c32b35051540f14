//! The text format of COPY.

/// A field for `COPY .. FROM STDIN`.
pub fn escape(field: &str) -> String {
    field.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r")
}
