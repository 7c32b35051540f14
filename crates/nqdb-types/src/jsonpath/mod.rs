//! SQL/JSON path expressions: the values of `jsonpath` (manual 8.14.7 and 9.16.2).
//!
//! | file | what it does |
//! |---|---|
//! | here | what a path is |
//! | `lexer`, `parser` | reads one |
//! | `write` | PostgreSQL's spelling of one |
//!
//! What always holds: paths do not nest deeper than [`NESTING_MAX`]; `@` stands in filters only and `last` in subscripts
//! only. Running a path is not done here.

mod lexer;
mod parser;
mod write;

use std::sync::Arc;

use crate::Numeric;

/// How deep parentheses, filters and subscripts may hold each other: what walks a path recursively relies on it.
pub const NESTING_MAX: usize = 200;

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// Structural mistakes are forgiven, arrays wrapped and unwrapped.
    pub is_lax: bool,
    pub chain: Chain,
}

/// What an expression starts with, and what is then applied to each item of it in turn. Never empty.
pub type Chain = Vec<Item>;

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Null,
    Bool(bool),
    Number(Numeric),
    String(Arc<str>),
    Variable(Arc<str>),
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`
    Last,
    Arithmetic(ArithmeticOp, Chain, Chain),
    /// True for `-`, false for `+`.
    Sign(bool, Chain),
    And(Chain, Chain),
    Or(Chain, Chain),
    Not(Chain),
    IsUnknown(Chain),
    Exists(Chain),
    Compare(CompareOp, Chain, Chain),
    StartsWith(Chain, Chain),
    LikeRegex {
        value: Chain,
        pattern: Arc<str>,
        flags: RegexFlags,
    },
    /// `.key`
    Key(Arc<str>),
    /// `.*`
    AnyKey,
    /// `[*]`
    AnyElement,
    /// `[1, 2 to last]`
    Elements(Vec<(Chain, Option<Chain>)>),
    /// `.**{first to last}`; `u32::MAX` is the last level.
    AnyLevel {
        first: u32,
        last: u32,
    },
    /// `?(..)`
    Filter(Chain),
    Method(Method),
    Datetime(Option<Arc<str>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Abs,
    Ceiling,
    Double,
    Floor,
    KeyValue,
    Size,
    Type,
}

/// The flags of `like_regex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegexFlags {
    /// `i`
    pub ignores_case: bool,
    /// `s`
    pub dot_matches_newline: bool,
    /// `m`
    pub multi_line: bool,
    /// `q`
    pub is_literal: bool,
}

impl ArithmeticOp {
    pub fn symbol(self) -> &'static str {
        match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
            ArithmeticOp::Remainder => "%",
        }
    }
}

impl CompareOp {
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
            CompareOp::Greater => ">",
            CompareOp::GreaterOrEqual => ">=",
        }
    }
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Abs => "abs",
            Method::Ceiling => "ceiling",
            Method::Double => "double",
            Method::Floor => "floor",
            Method::KeyValue => "keyvalue",
            Method::Size => "size",
            Method::Type => "type",
        }
    }
}

impl Item {
    /// Whether it is a condition, which stands in filters and at the top, and in parentheses before an accessor.
    pub fn is_predicate(&self) -> bool {
        matches!(
            self,
            Item::And(..)
                | Item::Or(..)
                | Item::Not(_)
                | Item::IsUnknown(_)
                | Item::Exists(_)
                | Item::Compare(..)
                | Item::StartsWith(..)
                | Item::LikeRegex { .. }
        )
    }
}

impl JsonPath {
    /// Reads a path. 22P02 for an empty text, 42601 for what is no path, 0A000 for the flag `x` of `like_regex`.
    pub fn parse(text: &str) -> nqdb_sqlstate::SqlResult<JsonPath> {
        parser::parse(text)
    }

    /// PostgreSQL's spelling of the path.
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        self.write_to(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
