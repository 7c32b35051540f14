//! The spelling of jsonb, and of strings in JSON.

use super::{Json, Object};
use crate::Sink;

/// Blanks of one level in [`write_pretty`].
const INDENT_LEN: usize = 4;

impl Json {
    /// Appends the value as PostgreSQL prints a jsonb: one blank behind each colon and comma.
    pub fn write_to<S: Sink>(&self, out: &mut S) {
        match self {
            Json::Null => out.put(b"null"),
            Json::Bool(true) => out.put(b"true"),
            Json::Bool(false) => out.put(b"false"),
            Json::Number(value) => value.write_to(out),
            Json::String(value) => write_json_string(out, value),
            Json::Array(items) => {
                out.put_byte(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.put(b", ");
                    }
                    item.write_to(out);
                }
                out.put_byte(b']');
            }
            Json::Object(Object(members)) => {
                out.put_byte(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.put(b", ");
                    }
                    write_json_string(out, key);
                    out.put(b": ");
                    value.write_to(out);
                }
                out.put_byte(b'}');
            }
        }
    }

    /// The value's spelling.
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        self.write_to(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Appends a string in quotes, with the escapes that it needs.
pub fn write_json_string<S: Sink>(out: &mut S, text: &str) {
    out.put_byte(b'"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            0x0C => b"\\f",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1F => b"",
            _ => continue,
        };
        out.put(text.as_bytes().get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        if escape.is_empty() {
            out.put(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.put(escape);
        }
    }
    out.put(text.as_bytes().get(plain_from..).unwrap_or_default());
    out.put_byte(b'"');
}

/// Appends the value as `jsonb_pretty` prints it.
pub fn write_pretty<S: Sink>(out: &mut S, json: &Json) {
    write_level(out, json, 0);
}

fn write_level<S: Sink>(out: &mut S, json: &Json, level: usize) {
    let (open, close, count) = match json {
        Json::Array(items) => (b'[', b']', items.len()),
        Json::Object(object) => (b'{', b'}', object.members().len()),
        scalar => return scalar.write_to(out),
    };
    out.put_byte(open);
    for at in 0..count {
        if at > 0 {
            out.put_byte(b',');
        }
        new_line(out, level + 1);
        match json {
            Json::Array(items) => items.get(at).into_iter().for_each(|item| write_level(out, item, level + 1)),
            Json::Object(Object(members)) => {
                if let Some((key, value)) = members.get(at) {
                    write_json_string(out, key);
                    out.put(b": ");
                    write_level(out, value, level + 1);
                }
            }
            _ => {}
        }
    }
    new_line(out, level);
    out.put_byte(close);
}

fn new_line<S: Sink>(out: &mut S, level: usize) {
    out.put_byte(b'\n');
    for _ in 0..level * INDENT_LEN {
        out.put_byte(b' ');
    }
}
