//! PostgreSQL's spelling of a path: keys in quotes, operators in parentheses where they bind less than what is around.

use super::{ArithmeticOp, Chain, Item, JsonPath};
use crate::Sink;
use crate::json::write_json_string;

impl JsonPath {
    /// Appends the path's spelling.
    pub fn write_to<S: Sink>(&self, out: &mut S) {
        if !self.is_lax {
            out.put(b"strict ");
        }
        write_chain(out, &self.chain, true);
    }
}

/// How tightly an item binds.
fn priority(chain: &Chain) -> u8 {
    match chain.first() {
        Some(Item::Or(..)) => 0,
        Some(Item::And(..)) => 1,
        Some(Item::Compare(..) | Item::StartsWith(..)) => 2,
        Some(Item::Arithmetic(ArithmeticOp::Add | ArithmeticOp::Subtract, ..)) => 3,
        Some(Item::Arithmetic(..)) => 4,
        Some(Item::Sign(..)) => 5,
        _ => 6,
    }
}

fn write_chain<S: Sink>(out: &mut S, chain: &Chain, in_parentheses: bool) {
    let own = priority(chain);
    for (at, item) in chain.iter().enumerate() {
        match item {
            // Where an accessor follows, the point must not be taken for the number's own.
            Item::Number(_) if at + 1 < chain.len() => {
                write_in_parentheses(out, true, |out| write_item(out, item, own, false, false));
            }
            _ => write_item(out, item, own, at > 0, in_parentheses || at > 0),
        }
    }
}

/// An operand, in parentheses when it does not bind more tightly than its operator.
fn write_operand<S: Sink>(out: &mut S, operand: &Chain, operator: u8) {
    write_chain(out, operand, priority(operand) <= operator);
}

fn write_item<S: Sink>(out: &mut S, item: &Item, own: u8, is_accessor: bool, in_parentheses: bool) {
    let mut binary = |symbol: &str, left: &Chain, right: &Chain| {
        write_in_parentheses(out, in_parentheses, |out| {
            write_operand(out, left, own);
            out.put_byte(b' ');
            out.put(symbol.as_bytes());
            out.put_byte(b' ');
            write_operand(out, right, own);
        });
    };
    match item {
        Item::Arithmetic(op, left, right) => binary(op.symbol(), left, right),
        Item::And(left, right) => binary("&&", left, right),
        Item::Or(left, right) => binary("||", left, right),
        Item::Compare(op, left, right) => binary(op.symbol(), left, right),
        Item::StartsWith(left, right) => binary("starts with", left, right),
        Item::Sign(is_minus, operand) => write_in_parentheses(out, in_parentheses, |out| {
            out.put_byte(if *is_minus { b'-' } else { b'+' });
            write_operand(out, operand, own);
        }),
        Item::LikeRegex { value, pattern, flags } => write_in_parentheses(out, in_parentheses, |out| {
            write_operand(out, value, own);
            out.put(b" like_regex ");
            write_json_string(out, pattern);
            let letters = [
                (flags.ignores_case, b'i'),
                (flags.dot_matches_newline, b's'),
                (flags.multi_line, b'm'),
                (flags.is_literal, b'q'),
            ];
            if letters.iter().any(|(is_set, _)| *is_set) {
                out.put(b" flag \"");
                letters.iter().filter(|(is_set, _)| *is_set).for_each(|(_, letter)| out.put_byte(*letter));
                out.put_byte(b'"');
            }
        }),
        Item::Not(condition) => enclosed(out, "!(", condition, ")"),
        Item::IsUnknown(condition) => enclosed(out, "(", condition, ") is unknown"),
        Item::Exists(value) => enclosed(out, "exists (", value, ")"),
        Item::Filter(condition) => enclosed(out, "?(", condition, ")"),
        other => write_simple(out, other, is_accessor),
    }
}

fn write_in_parentheses<S: Sink>(out: &mut S, in_parentheses: bool, write: impl FnOnce(&mut S)) {
    if in_parentheses {
        out.put_byte(b'(');
    }
    write(out);
    if in_parentheses {
        out.put_byte(b')');
    }
}

fn enclosed<S: Sink>(out: &mut S, open: &str, chain: &Chain, close: &str) {
    out.put(open.as_bytes());
    write_chain(out, chain, false);
    out.put(close.as_bytes());
}

/// Items that hold no operators.
fn write_simple<S: Sink>(out: &mut S, item: &Item, is_accessor: bool) {
    match item {
        Item::Null => out.put(b"null"),
        Item::Bool(value) => out.put(if *value { b"true" } else { b"false" }),
        Item::Number(value) => value.write_to(out),
        Item::String(text) => write_json_string(out, text),
        Item::Variable(name) => {
            out.put_byte(b'$');
            write_json_string(out, name);
        }
        Item::Root => out.put_byte(b'$'),
        Item::Current => out.put_byte(b'@'),
        Item::Last => out.put(b"last"),
        Item::Key(key) => {
            if is_accessor {
                out.put_byte(b'.');
            }
            write_json_string(out, key);
        }
        Item::AnyKey => out.put(b".*"),
        Item::AnyElement => out.put(b"[*]"),
        Item::Elements(subscripts) => {
            out.put_byte(b'[');
            for (at, (from, to)) in subscripts.iter().enumerate() {
                if at > 0 {
                    out.put_byte(b',');
                }
                write_chain(out, from, false);
                if let Some(to) = to {
                    out.put(b" to ");
                    write_chain(out, to, false);
                }
            }
            out.put_byte(b']');
        }
        Item::AnyLevel { first, last } => write_levels(out, *first, *last),
        Item::Method(method) => out.put(format!(".{}()", method.name()).as_bytes()),
        Item::Datetime(template) => {
            out.put(b".datetime(");
            if let Some(template) = template {
                write_json_string(out, template);
            }
            out.put_byte(b')');
        }
        _ => {}
    }
}

fn write_levels<S: Sink>(out: &mut S, first: u32, last: u32) {
    let level = |level: u32| if level == u32::MAX { "last".to_string() } else { level.to_string() };
    out.put(b".**");
    if (first, last) == (0, u32::MAX) {
        return;
    }
    let range = if first == last { level(first) } else { format!("{} to {}", level(first), level(last)) };
    out.put(format!("{{{range}}}").as_bytes());
}
