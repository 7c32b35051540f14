//! The shape of a query string: its text with a mark in place of each constant.
//!
//! ```text
//! UPDATE t SET n = n + 5 WHERE k = 'ab'      shape  UPDATE t SET n = n + # WHERE k = #      constants 5, 'ab'
//! ```
//!
//! Clients without prepared statements send the same shapes again and again, with other values in them. The same shape
//! with other values is the same statement with other parameters, as long as each constant that differs stands where a
//! parameter of its type would mean the same: that is for [`parameterized`] to say, which looks at the syntax tree.
//!
//! What always holds:
//! 1. Two texts with one shape have the same tokens but for the values of their constants. Text whose tokens a glance at its
//!    bytes does not tell apart (comments, escapes, dollar signs, prefixed strings) has no shape.
//! 2. Constants in the same place of one shape are of one kind, which is the type that the parser gives them.

use std::borrow::Cow;

use nqdb_types::{Datum, FormatContext, Oid, Type, parse_text};
use sqlparser::ast::{self, BinaryOperator, Expr, SetExpr, UnaryOperator, Value};

use super::tokens::Tokens;
use crate::statement::{Parsed, RowsStatement, StatementKind};

/// Longer texts have no shape. Loads by INSERT send some hundred rows a statement.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Each may become a parameter, and a statement has up to 65535 of those.
const CONSTANTS_MAX: usize = 16 * 1024;

/// Longer lists of IN keep their constants, of which a set is made for a plan once.
const LIST_ITEMS_MAX: usize = 32;

/// What a constant is before its context is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantKind {
    /// Digits, up to 2147483647.
    Integer,
    /// Digits beyond that, up to 9223372036854775807.
    Bigint,
    /// More digits, or with a point or an exponent.
    Numeric,
    /// In quotes, or NULL: of the type that its context wants.
    Unknown,
    Boolean,
}

impl ConstantKind {
    /// The type that a parameter in its place is declared with; 0 leaves it to be inferred.
    fn declared(self) -> Oid {
        match self {
            ConstantKind::Integer => Type::INT4.oid,
            ConstantKind::Bigint => Type::INT8.oid,
            ConstantKind::Numeric => Type::NUMERIC.oid,
            ConstantKind::Unknown => 0,
            ConstantKind::Boolean => Type::BOOL.oid,
        }
    }

    /// Stands for a constant in the key; text that contains such a byte has no shape.
    fn mark(self) -> u8 {
        match self {
            ConstantKind::Integer => 1,
            ConstantKind::Bigint => 2,
            ConstantKind::Numeric => 3,
            ConstantKind::Unknown => 4,
            ConstantKind::Boolean => 5,
        }
    }
}

/// A constant and where it stands, quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    kind: ConstantKind,
    start: usize,
    end: usize,
}

impl Constant {
    fn text<'s>(&self, sql: &'s str) -> &'s str {
        sql.get(self.start..self.end).unwrap_or_default()
    }

    /// As a value of a type; `None` when its text is none.
    fn value(&self, sql: &str, ty: Type, format: &FormatContext) -> Option<Datum> {
        let text = self.text(sql);
        match self.kind {
            ConstantKind::Integer => text.parse().ok().map(Datum::Int4),
            ConstantKind::Bigint => text.parse().ok().map(Datum::Int8),
            ConstantKind::Numeric => parse_text(text, ty, format).ok(),
            ConstantKind::Boolean => Some(Datum::Bool(text.eq_ignore_ascii_case("true"))),
            ConstantKind::Unknown => match unquoted(text) {
                Some(inner) => parse_text(&inner, ty, format).ok(),
                None => Some(Datum::Null),
            },
        }
    }
}

/// What a quoted constant says; `None` for NULL.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(if inner.contains('\'') { Cow::Owned(inner.replace("''", "'")) } else { Cow::Borrowed(inner) })
}

/// The shape of the text that was read last. One is used for many texts.
#[derive(Debug, Default)]
pub struct Shape {
    key: Vec<u8>,
    constants: Vec<Constant>,
    statement_end: usize,
}

impl Shape {
    /// Reads a query string of one statement; false when it has no shape.
    pub fn read(&mut self, sql: &str) -> bool {
        self.key.clear();
        self.constants.clear();
        self.statement_end = sql.len();
        let bytes = sql.as_bytes();
        if bytes.len() > TEXT_BYTES_MAX {
            return false;
        }
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let is_point = byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            let end = match byte {
                b'0'..=b'9' | b'\'' => {
                    let Some(end) = self.read_constant(bytes, at) else { return false };
                    at = end;
                    continue;
                }
                b'.' if is_point => {
                    let Some(end) = self.read_constant(bytes, at) else { return false };
                    at = end;
                    continue;
                }
                b'"' => match memchr::memchr(byte, &bytes[at + 1..]) {
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
                    if let Some(kind) = word_kind(&bytes[at..end]) {
                        self.push(Constant { kind, start: at, end });
                        at = end;
                        continue;
                    }
                    end
                }
                _ => at + 1,
            };
            self.key.extend_from_slice(&bytes[at..end]);
            at = end;
        }
        self.constants.len() <= CONSTANTS_MAX
    }

    /// Reads a number or a string that starts at a place, and returns its end; `None` when it is not plain.
    fn read_constant(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let (kind, end) = match bytes.get(start) {
            Some(b'\'') => (ConstantKind::Unknown, string_end(bytes, start)?),
            _ => number(bytes, start)?,
        };
        self.push(Constant { kind, start, end });
        Some(end)
    }

    fn push(&mut self, constant: Constant) {
        self.key.push(constant.kind.mark());
        self.constants.push(constant);
    }

    /// What texts of this shape have in common.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// In order of the text.
    pub fn constants(&self) -> &[Constant] {
        &self.constants
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

/// The kind of a word that is a constant.
fn word_kind(word: &[u8]) -> Option<ConstantKind> {
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    match word.len() {
        4 if is(b"null") => Some(ConstantKind::Unknown),
        4 if is(b"true") => Some(ConstantKind::Boolean),
        5 if is(b"false") => Some(ConstantKind::Boolean),
        _ => None,
    }
}

/// The end of the string that starts at a place; `None` when it does not end.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr(b'\'', bytes.get(at..)?)? + 1;
        // Two quotes are one that belongs to the string.
        match bytes.get(at) {
            Some(b'\'') => at += 1,
            _ => return Some(at),
        }
    }
}

/// The number that starts at a place; `None` when something hangs on it.
fn number(bytes: &[u8], start: usize) -> Option<(ConstantKind, usize)> {
    let digits = |at| run_end(bytes, at, |byte| byte.is_ascii_digit());
    let whole = digits(start);
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign);
    }
    let is_followed = bytes.get(end).is_some_and(|byte| is_word(*byte) || matches!(byte, b'.' | b'$' | b'\''));
    // An exponent without digits ends in its letter or sign.
    if is_followed || !bytes.get(end - 1).is_some_and(|last| last.is_ascii_digit() || *last == b'.') {
        return None;
    }
    if end > whole {
        return Some((ConstantKind::Numeric, end));
    }
    let word = std::str::from_utf8(&bytes[start..end]).ok()?;
    let kind = match word.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => ConstantKind::Integer,
        Ok(_) => ConstantKind::Bigint,
        Err(_) => ConstantKind::Numeric,
    };
    Some((kind, end))
}

/// A text with parameters in place of some constants.
#[derive(Debug)]
pub struct Parameterized {
    pub text: String,
    /// The parameters' types; 0 is for the statement to infer.
    pub types: Vec<Oid>,
    pub fixed: Fixed,
}

/// For each constant of a shape the text that it has to have; `None`: it is a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed(Vec<Option<Box<str>>>);

impl Fixed {
    /// The parameters' values in a text of the same shape; `None` when another constant differs, or one is no value of
    /// its parameter's type.
    pub fn values(&self, shape: &Shape, sql: &str, types: &[Oid], format: &FormatContext) -> Option<Vec<Datum>> {
        let mut values = Vec::with_capacity(types.len());
        for (fixed, constant) in self.0.iter().zip(&shape.constants) {
            match fixed {
                None => values.push(constant.value(sql, Type::new(*types.get(values.len())?), format)?),
                Some(fixed) if **fixed == *constant.text(sql) => {}
                Some(_) => return None,
            }
        }
        Some(values)
    }
}

/// Puts parameters in place of the constants of a statement that a column is compared with, also as parts of a sum or product,
/// or that are added to columns, assigned or inserted. There a constant is nothing but a value; elsewhere it may be more
/// (LIMIT, ORDER BY, lengths of types), and it stays. `None` when no constant can be replaced.
pub fn parameterized(parsed: &Parsed, sql: &str, shape: &Shape) -> Option<Parameterized> {
    let StatementKind::Rows(statement) = &parsed.kind else { return None };
    let replaceable = replaceable(statement)?;
    let mut starts: Vec<usize> = replaceable.iter().filter_map(|token| parsed.tokens.start_of(*token)).collect();
    starts.sort_unstable();
    let (mut text, mut types, mut fixed) = (String::with_capacity(sql.len()), Vec::new(), Vec::new());
    let mut copied = 0;
    for constant in &shape.constants {
        if starts.binary_search(&constant.start).is_err() {
            fixed.push(Some(constant.text(sql).into()));
            continue;
        }
        types.push(constant.kind.declared());
        fixed.push(None);
        text.push_str(sql.get(copied..constant.start)?);
        text.push_str(&format!("${}", types.len()));
        copied = constant.end;
    }
    text.push_str(sql.get(copied..)?);
    (!types.is_empty()).then_some(Parameterized { text, types, fixed: Fixed(fixed) })
}

/// The tokens of the constants that may be replaced; `None` for statements that are not looked at.
fn replaceable(statement: &RowsStatement) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    if !statement.target_paths.is_empty() {
        return None;
    }
    match &statement.ast {
        ast::Statement::Query(query) => {
            let SetExpr::Select(select) = &*query.body else { return None };
            if query.with.is_some() {
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
            let values = values.rows.iter().flat_map(|row| row.content.iter());
            values.for_each(|value| in_value(value, &mut found));
        }
        _ => return None,
    }
    Some(found)
}

fn in_condition(condition: &Expr, found: &mut Vec<usize>) {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, Or};
    match condition {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => in_condition(inner, found),
        Expr::BinaryOp { left, op: And | Or, right } => {
            in_condition(left, found);
            in_condition(right, found);
        }
        Expr::BinaryOp { left, op: Eq | Lt | LtEq | Gt | GtEq, right } => {
            if is_column(left) {
                in_operand(right, found);
            } else if is_column(right) {
                in_operand(left, found);
            }
        }
        Expr::Between { expr, low, high, .. } if is_column(expr) => {
            in_operand(low, found);
            in_operand(high, found);
        }
        Expr::InList { expr, list, .. } if is_column(expr) && list.len() <= LIST_ITEMS_MAX => {
            found.extend(list.iter().filter_map(constant));
        }
        _ => {}
    }
}

/// What a column is compared with: a constant, or a sum or product of numbers.
fn in_operand(operand: &Expr, found: &mut Vec<usize>) {
    let mut numbers = Vec::new();
    if is_arithmetic(operand, &mut numbers) {
        found.append(&mut numbers);
    } else {
        found.extend(constant(operand));
    }
}

/// Whether an expression is made of numbers, signs, sums and products alone.
fn is_arithmetic(expr: &Expr, numbers: &mut Vec<usize>) -> bool {
    use BinaryOperator::{Minus, Multiply, Plus};
    match expr {
        Expr::Nested(inner) => is_arithmetic(inner, numbers),
        Expr::BinaryOp { left, op: Plus | Minus | Multiply, right } => {
            is_arithmetic(left, numbers) && is_arithmetic(right, numbers)
        }
        number => number_constant(number).map(|token| numbers.push(token)).is_some(),
    }
}

/// An assigned or inserted value: a constant, or a number beside a column.
fn in_value(value: &Expr, found: &mut Vec<usize>) {
    use BinaryOperator::{Minus, Multiply, Plus};
    match value {
        Expr::BinaryOp { left, op: Plus | Minus | Multiply, right } if is_column(left) => {
            found.extend(number_constant(right));
        }
        Expr::BinaryOp { left, op: Plus | Minus | Multiply, right } if is_column(right) => {
            found.extend(number_constant(left));
        }
        value => found.extend(constant(value)),
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// The token of a constant.
fn constant(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null) => {
            Tokens::index_of(value.span)
        }
        expr => number_constant(expr),
    }
}

/// The token of a number, with or without a sign.
fn number_constant(expr: &Expr) -> Option<usize> {
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

    fn shape(sql: &str) -> Option<(String, Vec<String>)> {
        let mut shape = Shape::default();
        shape.read(sql).then(|| {
            let key = String::from_utf8_lossy(shape.key());
            let key = key
                .replace('\u{1}', "#")
                .replace('\u{2}', "#8")
                .replace('\u{3}', "#n")
                .replace('\u{4}', "#s")
                .replace('\u{5}', "#b");
            (key, shape.constants().iter().map(|constant| constant.text(sql).to_owned()).collect())
        })
    }

    /// The text with parameters, and the constants that stay.
    fn text_of(sql: &str) -> Option<(String, Vec<String>)> {
        let mut shape = Shape::default();
        assert!(shape.read(sql), "{sql}");
        let parsed = crate::parse::parse(sql).unwrap();
        let found = parameterized(&parsed[0], sql, &shape)?;
        Some((found.text, found.fixed.0.into_iter().flatten().map(String::from).collect()))
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn constants_are_marked_by_their_kind_and_nothing_else_is() {
        let read = |sql| shape(sql).unwrap();
        assert_eq!(
            read("select a1 from t2 where id = 17"),
            ("select a1 from t2 where id = #".into(), strings(&["17"]))
        );
        assert_eq!(read("values (1,-2, 3.5, .5, 1e5, 5., 007)").0, "values (#,-#, #n, #n, #n, #n, #)");
        assert_eq!(read("select 1.5e-3, 2E+7").1, strings(&["1.5e-3", "2E+7"]));
        assert_eq!(read("select 2147483647, 2147483648").0, "select #, #8");
        assert_eq!(read("select 9223372036854775807, 9223372036854775808").0, "select #8, #n");
        assert_eq!(
            read("select 'it''s 5', \"a 6\", 7"),
            ("select #s, \"a 6\", #".into(), strings(&["'it''s 5'", "7"]))
        );
        assert_eq!(read("select '', '''', 'a'").1, strings(&["''", "''''", "'a'"]));
        assert_eq!(read("values (NULL, True, false, nulls, \"null\")").0, "values (#s, #b, #b, nulls, \"null\")");
        assert_eq!(read("select x::varchar(5) ; ;"), ("select x::varchar(#) ".into(), strings(&["5"])));
        assert_eq!(read("select \u{e9}1, t.a, 1"), ("select \u{e9}1, t.a, #".into(), strings(&["1"])));
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
            "select 1'1'",
            "select '1",
            "select '1''",
            "select \"1",
            "select 1; select 2",
            "select 1e",
            "select 1e+",
            "select 1x",
            "select 1.5.2",
            "select \u{1}",
        ];
        for sql in refused {
            assert_eq!(shape(sql), None, "{sql}");
        }
        assert_eq!(shape(&format!("select {}", "1,".repeat(TEXT_BYTES_MAX))), None);
    }

    #[test]
    fn parameters_stand_where_a_constant_is_a_value() {
        let read = |sql| text_of(sql).unwrap();
        assert_eq!(
            read("select a from t where id = 5 and b > 6 and (7 = c or not d = -8) and f(e) = 10 order by 1 limit 9"),
            (
                "select a from t where id = $1 and b > $2 and ($3 = c or not d = -$4) and f(e) = 10 order by 1 limit 9"
                    .into(),
                strings(&["10", "1", "9"])
            )
        );
        assert_eq!(
            read("select a from t where a = 'x' and b between 1.5 and '7' and c || 'z' = 'y' and d like 'k%'"),
            (
                "select a from t where a = $1 and b between $2 and $3 and c || 'z' = 'y' and d like 'k%'".into(),
                strings(&["'z'", "'y'", "'k%'"])
            )
        );
        assert_eq!(
            read("select distinct a from t where b between 5 and 5 + 99 and c = (2 * d) and e in (1, 'x', f) group by a having a > 4"),
            (
                "select distinct a from t where b between $1 and $2 + $3 and c = (2 * d) and e in ($4, $5, f) group by a having a > 4"
                    .into(),
                strings(&["2", "4"])
            )
        );
        assert_eq!(
            read("update t set a = 5, b = b + -6, c = 7 + 8, d = f(9), e = e + '1' where id = 10"),
            (
                "update t set a = $1, b = b + -$2, c = 7 + 8, d = f(9), e = e + '1' where id = $3".into(),
                strings(&["7", "8", "9", "'1'"])
            )
        );
        assert_eq!(read("insert into t values (1, 'x', -2, 3 + 4)").0, "insert into t values ($1, $2, -$3, 3 + 4)");
        assert_eq!(read("insert into t values (1, date '2020-02-02'), (2, null)").0, {
            "insert into t values ($1, date '2020-02-02'), ($2, $3)"
        });
        assert_eq!(
            read("update t set a = null, b = true where c is null and d is not false and e = true"),
            (
                "update t set a = $1, b = $2 where c is null and d is not false and e = $3".into(),
                strings(&["null", "false"])
            )
        );
        assert_eq!(read("delete from t where t.id = 3").0, "delete from t where t.id = $1");
    }

    #[test]
    fn other_statements_keep_their_constants() {
        let kept = [
            "select 1",
            "select a from t where id = 1 union select 2",
            "with w as (select 1) select a from t where id = 1",
            "insert into t select a from u where id = 1",
            "select a from t where id = (select 1)",
        ];
        for sql in kept {
            assert_eq!(text_of(sql), None, "{sql}");
        }
    }

    #[test]
    fn values_are_read_as_the_types_of_the_parameters() {
        let (mut shape, format) = (Shape::default(), FormatContext::default());
        let sql = "insert into t values (1, 'it''s', 2.50, '2020-02-02')";
        assert!(shape.read(sql));
        let fixed = Fixed(vec![None; 4]);
        let types = [Type::INT4, Type::TEXT, Type::NUMERIC, Type::DATE].map(|ty| ty.oid);
        let values = fixed.values(&shape, sql, &types, &format).unwrap();
        assert_eq!(values[1], Datum::Text("it's".into()));
        assert_eq!(values[3], parse_text("2020-02-02", Type::DATE, &format).unwrap());
        let types = [Type::INT4, Type::INT4, Type::NUMERIC, Type::DATE].map(|ty| ty.oid);
        assert_eq!(fixed.values(&shape, sql, &types, &format), None, "it's is no integer");
        let fixed = Fixed(vec![Some("1".into()), Some("'its'".into()), None, None]);
        assert_eq!(fixed.values(&shape, sql, &types, &format), None, "another constant");
    }
}
