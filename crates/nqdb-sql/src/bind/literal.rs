//! Constants: numbers, strings, NULL, booleans, parameters and typed literals.

use nqdb_functions::CastContext;
use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Bits, Datum, Numeric, Type};
use sqlparser::ast::{self, Interval, TypedString, Value, ValueWithSpan};

use super::{Binder, span_position, types};
use crate::ir::{Expr, ExprKind};
use crate::parse::start_of;

impl Binder<'_> {
    /// A constant or a parameter; strings and NULL stay UNKNOWN.
    pub(super) fn bind_value(&mut self, value: &ValueWithSpan) -> SqlResult<Expr> {
        let ValueWithSpan { value, span } = value;
        let position = span_position(*span);
        let text = |text: &str| Ok(literal(Datum::text(text), Type::UNKNOWN, position));
        match value {
            Value::Number(digits, long) => {
                if *long {
                    return Err(self.syntax_error_at(position, "L"));
                }
                number(digits, false, position)
            }
            Value::SingleQuotedString(string)
            | Value::EscapedStringLiteral(string)
            | Value::UnicodeStringLiteral(string) => text(string),
            Value::DollarQuotedString(quoted) => text(&quoted.value),
            Value::Boolean(value) => Ok(literal(Datum::Bool(*value), Type::BOOL, position)),
            Value::Null => {
                let expr = literal(Datum::Null, Type::UNKNOWN, position);
                Ok(Expr { nullable: true, ..expr })
            }
            Value::Placeholder(name) => self.bind_parameter(name, position),
            Value::NationalStringLiteral(string) => {
                let expr = literal(Datum::text(string.as_str()), Type::UNKNOWN, position);
                self.coerce(expr, Type::BPCHAR, CastContext::Explicit, None)
            }
            Value::SingleQuotedByteStringLiteral(digits) => bit_string('b', digits, position),
            Value::HexStringLiteral(digits) => bit_string('x', digits, position),
            Value::TripleSingleQuotedString(_)
            | Value::TripleDoubleQuotedString(_)
            | Value::DoubleQuotedByteStringLiteral(_)
            | Value::TripleSingleQuotedByteStringLiteral(_)
            | Value::TripleDoubleQuotedByteStringLiteral(_)
            | Value::SingleQuotedRawStringLiteral(_)
            | Value::DoubleQuotedRawStringLiteral(_)
            | Value::TripleSingleQuotedRawStringLiteral(_)
            | Value::TripleDoubleQuotedRawStringLiteral(_)
            | Value::QuoteDelimitedStringLiteral(_)
            | Value::NationalQuoteDelimitedStringLiteral(_)
            | Value::DoubleQuotedString(_) => Err(self.syntax_error_at(position, &value.to_string())),
        }
    }

    /// `syntax error at or near`, at a position.
    pub(super) fn syntax_error_at(&self, position: Option<u32>, near: &str) -> SqlError {
        SqlError::new(SYNTAX_ERROR, format!("syntax error at or near \"{near}\"")).or_position(position)
    }

    fn bind_parameter(&mut self, name: &str, position: Option<u32>) -> SqlResult<Expr> {
        let index = name.strip_prefix('$').and_then(|digits| digits.parse::<u32>().ok());
        let Some(index) = index else { return Err(self.syntax_error_at(position, name)) };
        let Some(index) = index.checked_sub(1) else {
            return Err(
                SqlError::new(nqdb_sqlstate::UNDEFINED_PARAMETER, "there is no parameter $0").or_position(position)
            );
        };
        let ty = self.params.reference(index as usize, position)?;
        let index = u16::try_from(index).map_err(|_| SqlError::internal("a parameter number beyond the maximum"))?;
        Ok(Expr { kind: ExprKind::Param(index), ty, nullable: true, position })
    }

    /// `date '2020-01-01'`.
    pub(super) fn bind_typed_string(&mut self, typed: &TypedString) -> SqlResult<Expr> {
        let TypedString { data_type, value, uses_odbc_syntax } = typed;
        let position = span_position(value.span);
        if *uses_odbc_syntax {
            return Err(self.syntax_error_at(position, "{"));
        }
        let target = self.data_type(data_type)?;
        let expr = self.bind_value(value)?;
        self.coerce(expr, target, CastContext::Explicit, None)
    }

    /// `interval '1' day`, `interval(3) '1 second'`.
    pub(super) fn bind_interval(&mut self, interval: &Interval) -> SqlResult<Expr> {
        let Interval { value, leading_field, leading_precision, last_field, fractional_seconds_precision } = interval;
        let position = self.position_of(value);
        let ast::Expr::Value(constant) = &**value else { return Err(self.syntax_error_at(position, "")) };
        let fields = match leading_field {
            None => None,
            Some(first) => match types::interval_range(first, last_field.as_ref()) {
                Some(mask) => Some(mask),
                None => {
                    let near = last_field.as_ref().unwrap_or(first).to_string();
                    return Err(self.syntax_error_at(position, &near));
                }
            },
        };
        // The parser forgets the precision of `interval(3) '...'`.
        let written = start_of(&self.tokens, value).and_then(|at| {
            let close = at.checked_sub(1).filter(|close| self.tokens.is(*close, ")"))?;
            self.tokens.token_text(close.checked_sub(1)?).parse::<u64>().ok()
        });
        let precision = fractional_seconds_precision.or(*leading_precision).or(written);
        let expr = self.bind_value(constant)?;
        self.coerce(expr, types::interval(fields, precision), CastContext::Explicit, None)
    }
}

/// `B'101'` or `X'1f'`.
fn bit_string(radix: char, digits: &str, position: Option<u32>) -> SqlResult<Expr> {
    let bits = Bits::parse(&format!("{radix}{digits}")).map_err(|error| error.or_position(position))?;
    Ok(literal(Datum::bits(bits), Type::BIT, position))
}

/// A constant.
pub(super) fn literal(datum: Datum, ty: Type, position: Option<u32>) -> Expr {
    Expr { nullable: datum.is_null(), kind: ExprKind::Literal(datum), ty, position }
}

/// A number: int4 if it fits, then int8, else numeric; with a point or an exponent always numeric.
pub(super) fn number(digits: &str, negative: bool, position: Option<u32>) -> SqlResult<Expr> {
    let sign = if negative { "-" } else { "" };
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let signed = format!("{sign}{digits}");
        if let Ok(value) = signed.parse::<i32>() {
            return Ok(literal(Datum::Int4(value), Type::INT4, position));
        }
        if let Ok(value) = signed.parse::<i64>() {
            return Ok(literal(Datum::Int8(value), Type::INT8, position));
        }
    }
    let value: Numeric =
        nqdb_types::parse_text(&format!("{sign}{digits}"), Type::NUMERIC, &nqdb_types::FormatContext::default())
            .and_then(|datum| match datum {
                Datum::Numeric(value) => Ok(value),
                _ => Err(SqlError::internal("numeric input gave another type")),
            })
            .map_err(|error| error.or_position(position))?;
    Ok(literal(Datum::Numeric(value), Type::NUMERIC, position))
}
