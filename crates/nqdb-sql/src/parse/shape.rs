//! The shape of a query string: its text with a mark in place of each integer constant.
//!
//! ```text
//! UPDATE t SET n = n + 5 WHERE id = 1234     shape  UPDATE t SET n = n + # WHERE id = #     integers 5, 1234
//! ```
//!
//! Clients without prepared statements send the same shapes again and again, with other numbers in them. The same shape
//! with other numbers is the same statement with other parameters, as long as each number that differs stands where a
//! parameter of its type would mean the same: that is for [`parameterized`] to say, which looks at the syntax tree.
//!
//! What always holds:
//! 1. Two texts with one shape have the same tokens but for the values of their integers. Text whose tokens a glance at its
//!    bytes does not tell apart (comments, escapes, dollar signs, prefixed strings) has no shape.
//! 2. An integer of a shape is what the parser makes an `integer` of: digits alone, up to 2147483647.

use nqdb_types::{Datum, Oid, Type};
use sqlparser::ast::{self, BinaryOperator, Expr, SetExpr, UnaryOperator, Value};

use super::tokens::Tokens;
use crate::statement::{Parsed, RowsStatement, StatementKind};

/// Longer texts have no shape.
const TEXT_BYTES_MAX: usize = 4096;
/// More integers than a statement is likely to have outside of lists.
const INTEGERS_MAX: usize = 64;
/// Stands for an integer; text that contains it has no shape.
const MARK: u8 = 1;

/// An integer constant: where its digits stand, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    start: usize,
    end: usize,
    pub value: i32,
}

/// The shape of the text that was read last. One is used for many texts.
#[derive(Debug, Default)]
pub struct Shape {
    key: Vec<u8>,
    integers: Vec<Integer>,
    statement_end: usize,
}

impl Shape {
    /// Reads a query string of one statement; false when it has no shape.
    pub fn read(&mut self, sql: &str) -> bool {
        self.key.clear();
        self.integers.clear();
        self.statement_end = sql.len();
        let bytes = sql.as_bytes();
        if bytes.len() > TEXT_BYTES_MAX {
            return false;
        }
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let end = match byte {
                b'0'..=b'9' => {
                    let end = run_end(bytes, at, is_word);
                    if let Some(value) = integer(sql, at, end) {
                        self.key.push(MARK);
                        self.integers.push(Integer { start: at, end, value });
                        at = end;
                        continue;
                    }
                    end
                }
                // A number may start with its point.
                b'.' => run_end(bytes, at + 1, is_word),
                b'\'' | b'"' => match memchr::memchr(byte, &bytes[at + 1..]) {
                    Some(length) => at + 1 + length + 1,
                    None => return false,
                },
                b';' => {
                    if !bytes[at..].iter().all(|byte| *byte == b';' || byte.is_ascii_whitespace()) {
                        return false;
                    }
                    self.statement_end = at;
                    break;
                }
                b'-' if bytes.get(at + 1) == Some(&b'-') => return false,
                b'/' if bytes.get(at + 1) == Some(&b'*') => return false,
                b'$' | b'\\' | 0..=8 => return false,
                _ if is_word(byte) => {
                    let end = run_end(bytes, at, is_word);
                    if matches!(bytes.get(end), Some(b'\'' | b'$')) {
                        return false;
                    }
                    end
                }
                _ => at + 1,
            };
            self.key.extend_from_slice(&bytes[at..end]);
            at = end;
        }
        self.integers.len() <= INTEGERS_MAX
    }

    /// What texts of this shape have in common.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// In order of the text.
    pub fn integers(&self) -> &[Integer] {
        &self.integers
    }

    /// The statement in the text that was read, without blanks around it.
    pub fn statement_text<'s>(&self, sql: &'s str) -> &'s str {
        sql.get(..self.statement_end).unwrap_or(sql).trim_ascii()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn run_end(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |length| start + length)
}

/// The value of the word at `start`, if it is an integer and not the beginning of another number.
fn integer(sql: &str, start: usize, end: usize) -> Option<i32> {
    let word = sql.get(start..end)?;
    let is_followed = matches!(sql.as_bytes().get(end), Some(b'.' | b'$' | b'\''));
    if is_followed || !word.bytes().all(|byte| byte.is_ascii_digit()) { None } else { word.parse().ok() }
}

/// A text with parameters in place of some integers.
#[derive(Debug)]
pub struct Parameterized {
    pub text: String,
    pub types: Vec<Oid>,
    /// For each integer of the shape what it has to be; `None`: it is a parameter.
    pub fixed: Vec<Option<i32>>,
}

impl Parameterized {
    /// The parameters' values in a text of the same shape; `None` when another integer differs.
    pub fn values(fixed: &[Option<i32>], integers: &[Integer]) -> Option<Vec<Datum>> {
        let mut values = Vec::with_capacity(integers.len());
        for (fixed, integer) in fixed.iter().zip(integers) {
            match fixed {
                None => values.push(Datum::Int4(integer.value)),
                Some(fixed) if *fixed == integer.value => {}
                Some(_) => return None,
            }
        }
        Some(values)
    }
}

/// Puts parameters in place of the integers of a statement that a column is to equal, or that are added to columns, assigned
/// or inserted. There an integer is nothing but a value of type `integer`; elsewhere it may be more (LIMIT, ORDER BY, lengths
/// of types, constant expressions that are computed beforehand), or the best plan depends on it (ranges), and it stays.
/// `None` when no integer can be replaced.
pub fn parameterized(parsed: &Parsed, sql: &str, shape: &Shape) -> Option<Parameterized> {
    let StatementKind::Rows(statement) = &parsed.kind else { return None };
    let replaceable = replaceable(statement)?;
    let starts: Vec<usize> = replaceable.iter().filter_map(|token| parsed.tokens.start_of(*token)).collect();
    let (mut text, mut types, mut fixed) = (String::with_capacity(sql.len()), Vec::new(), Vec::new());
    let mut copied = 0;
    for integer in &shape.integers {
        if !starts.contains(&integer.start) {
            fixed.push(Some(integer.value));
            continue;
        }
        types.push(Type::INT4.oid);
        fixed.push(None);
        text.push_str(sql.get(copied..integer.start)?);
        text.push_str(&format!("${}", types.len()));
        copied = integer.end;
    }
    text.push_str(sql.get(copied..)?);
    (!types.is_empty()).then_some(Parameterized { text, types, fixed })
}

/// The tokens of the integers that may be replaced; `None` for statements that are not looked at.
fn replaceable(statement: &RowsStatement) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    if !statement.target_paths.is_empty() {
        return None;
    }
    match &statement.ast {
        ast::Statement::Query(query) => {
            let SetExpr::Select(select) = &*query.body else { return None };
            let groups = !matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
            if query.with.is_some() || groups || select.distinct.is_some() || select.having.is_some() {
                return None;
            }
            select.selection.iter().for_each(|condition| in_condition(condition, &mut found));
        }
        ast::Statement::Update(update) => {
            update.assignments.iter().for_each(|assignment| in_value(&assignment.value, &mut found));
            update.selection.iter().for_each(|condition| in_condition(condition, &mut found));
        }
        ast::Statement::Delete(delete) => {
            delete.selection.iter().for_each(|condition| in_condition(condition, &mut found));
        }
        ast::Statement::Insert(insert) => {
            let SetExpr::Values(values) = &*insert.source.as_ref()?.body else { return None };
            let [row] = values.rows.as_slice() else { return None };
            row.content.iter().for_each(|value| in_value(value, &mut found));
        }
        _ => return None,
    }
    Some(found)
}

fn in_condition(condition: &Expr, found: &mut Vec<usize>) {
    use BinaryOperator::{And, Eq, Or};
    match condition {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => in_condition(inner, found),
        Expr::BinaryOp { left, op: And | Or, right } => {
            in_condition(left, found);
            in_condition(right, found);
        }
        Expr::BinaryOp { left, op: Eq, right } => beside_column(left, right, found),
        _ => {}
    }
}

/// An assigned or inserted value: a constant, or one beside a column.
fn in_value(value: &Expr, found: &mut Vec<usize>) {
    use BinaryOperator::{Minus, Multiply, Plus};
    match value {
        Expr::BinaryOp { left, op: Plus | Minus | Multiply, right } => beside_column(left, right, found),
        value => found.extend(constant(value)),
    }
}

fn beside_column(left: &Expr, right: &Expr, found: &mut Vec<usize>) {
    if is_column(left) {
        found.extend(constant(right));
    } else if is_column(right) {
        found.extend(constant(left));
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// The token of an integer constant, with or without a sign.
fn constant(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) if matches!(value.value, Value::Number(..)) => Tokens::index_of(value.span),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match &**expr {
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => Tokens::index_of(value.span),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sql: &str) -> Option<(String, Vec<i32>)> {
        let mut shape = Shape::default();
        shape.read(sql).then(|| {
            let key = String::from_utf8_lossy(shape.key()).replace('\u{1}', "#");
            (key, shape.integers().iter().map(|integer| integer.value).collect())
        })
    }

    fn text_of(sql: &str) -> Option<(String, Vec<Option<i32>>)> {
        let mut shape = Shape::default();
        assert!(shape.read(sql), "{sql}");
        let parsed = crate::parse::parse(sql).unwrap();
        parameterized(&parsed[0], sql, &shape).map(|found| (found.text, found.fixed))
    }

    #[test]
    fn integers_are_marked_and_nothing_else() {
        let read = |sql| shape(sql).unwrap();
        assert_eq!(read("select a1 from t2 where id = 17"), ("select a1 from t2 where id = #".into(), vec![17]));
        assert_eq!(read("values (1,-2, 3.5, .5, 1e5, 5., 007)").0, "values (#,-#, 3.5, .5, 1e5, 5., #)");
        assert_eq!(read("select 2147483647, 2147483648"), ("select #, 2147483648".into(), vec![i32::MAX]));
        assert_eq!(read("select 'it''s 5', \"a 6\", 7"), ("select 'it''s 5', \"a 6\", #".into(), vec![7]));
        assert_eq!(read("select x::varchar(5) ; ;"), ("select x::varchar(#) ".into(), vec![5]));
        assert_eq!(read("select \u{e9}1, 1"), ("select \u{e9}1, #".into(), vec![1]));
    }

    #[test]
    fn text_that_a_glance_does_not_take_apart_has_no_shape() {
        let refused = [
            "select 1 -- 2",
            "select 1 /* 2 */",
            "select $1",
            "select $$1$$",
            "select e'1'",
            "select E'\\'', 1",
            "select x'1'",
            "select '1",
            "select \"1",
            "select 1; select 2",
            "select \u{1}",
        ];
        for sql in refused {
            assert_eq!(shape(sql), None, "{sql}");
        }
        assert_eq!(shape(&format!("select {}", "1,".repeat(TEXT_BYTES_MAX))), None);
    }

    #[test]
    fn parameters_stand_where_an_integer_is_a_value() {
        let read = |sql| text_of(sql).unwrap();
        assert_eq!(
            read("select a from t where id = 5 and b > 6 and (7 = c or not d = -8) order by 1 limit 9"),
            (
                "select a from t where id = $1 and b > 6 and ($2 = c or not d = -$3) order by 1 limit 9".into(),
                vec![None, Some(6), None, None, Some(1), Some(9)]
            )
        );
        assert_eq!(
            read("update t set a = 5, b = b + -6, c = 7 + 8, d = f(9) where id = 10"),
            ("update t set a = $1, b = b + -$2, c = 7 + 8, d = f(9) where id = $3".into(), {
                vec![None, None, Some(7), Some(8), Some(9), None]
            })
        );
        assert_eq!(read("insert into t values (1, 'x', -2, 3 + 4)").0, "insert into t values ($1, 'x', -$2, 3 + 4)");
        assert_eq!(read("delete from t where t.id = 3").0, "delete from t where t.id = $1");
    }

    #[test]
    fn other_statements_keep_their_integers() {
        let kept = [
            "select 1",
            "select a from t where id = 1 group by a",
            "select distinct a from t where id = 1",
            "select a from t where id = 1 union select 2",
            "with w as (select 1) select a from t where id = 1",
            "insert into t values (1), (2)",
            "insert into t select a from u where id = 1",
            "select a from t where id between 1 and 2",
            "select a from t where id = (select 1)",
        ];
        for sql in kept {
            assert_eq!(text_of(sql), None, "{sql}");
        }
    }
}
