//! `format`: `%[n$][-][width]{s|I|L|%}` (manual section 9.4.1).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{
    INVALID_PARAMETER_VALUE, INVALID_TEXT_REPRESENTATION, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult,
};
use nqdb_types::Datum;

use super::concat::output;
use super::quote::{literal, quote_identifier};
use super::{LEN_MAX, too_long};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&FORMAT, &FORMAT_PLAIN];

#[sql_function("format(text, variadic any) -> text", oid = 3539, stable, called_on_null)]
fn format(context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Option<String>> {
    let Some(Datum::Text(pattern)) = arguments.first() else { return Ok(None) };
    let mut formatter = Formatter { context, arguments, next: 1, rest: pattern, out: String::new() };
    formatter.run()?;
    Ok(Some(formatter.out))
}

#[sql_function("format(text) -> text", oid = 3540, stable, called_on_null)]
fn format_plain(context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Option<String>> {
    format(context, arguments)
}

struct Formatter<'a, 'b> {
    context: &'a FunctionContext<'b>,
    arguments: &'a [Datum],
    /// The argument that a specifier without a number takes.
    next: usize,
    rest: &'a str,
    out: String,
}

fn fail<T>(message: &str) -> SqlResult<T> {
    Err(SqlError::new(INVALID_PARAMETER_VALUE, message))
}

impl Formatter<'_, '_> {
    fn run(&mut self) -> SqlResult<()> {
        while let Some(percent) = self.rest.find('%') {
            self.out.push_str(&self.rest[..percent]);
            self.rest = &self.rest[percent + 1..];
            if let Some(rest) = self.rest.strip_prefix('%') {
                self.out.push('%');
                self.rest = rest;
            } else {
                self.specifier()?;
            }
        }
        self.out.push_str(self.rest);
        Ok(())
    }

    fn specifier(&mut self) -> SqlResult<()> {
        let position = self.position()?;
        let mut is_left = false;
        while let Some(rest) = self.rest.strip_prefix('-') {
            is_left = true;
            self.rest = rest;
        }
        let mut width = self.width()?;
        if width < 0 {
            is_left = true;
            width = width.saturating_neg();
        }
        let conversion = self.character()?;
        if !matches!(conversion, 's' | 'I' | 'L') {
            return Err(SqlError::new(
                INVALID_PARAMETER_VALUE,
                format!("unrecognized format() type specifier \"{conversion}\""),
            )
            .with_hint("For a single \"%\" use \"%%\"."));
        }
        let index = position.unwrap_or(self.next);
        self.next = index + 1;
        let text = self.convert(conversion, index)?;
        self.push(&text, width as usize, is_left)
    }

    /// `n$`, if the digits here are followed by `$`.
    fn position(&mut self) -> SqlResult<Option<usize>> {
        let digits_len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(digits_len);
        match rest.strip_prefix('$') {
            Some(rest) if digits_len > 0 => {
                self.rest = rest;
                match digits.parse::<i32>() {
                    Ok(0) => fail("format specifies argument 0, but arguments are numbered from 1"),
                    Ok(number) => Ok(Some(number as usize)),
                    Err(_) => fail("number is out of range"),
                }
            }
            _ => Ok(None),
        }
    }

    /// A number, or `*` and perhaps `n$`: the value of an argument.
    fn width(&mut self) -> SqlResult<i32> {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let index = self.position()?.unwrap_or(self.next);
            self.next = index + 1;
            return match self.arguments.get(index) {
                None => fail("too few arguments for format()"),
                Some(Datum::Null) => Ok(0),
                Some(datum) => {
                    let text = output(self.context, index, datum)?;
                    let message = || format!("invalid input syntax for type integer: \"{text}\"");
                    text.trim().parse().map_err(|_| SqlError::new(INVALID_TEXT_REPRESENTATION, message()))
                }
            };
        }
        let digits_len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(digits_len);
        self.rest = rest;
        if digits.is_empty() { Ok(0) } else { digits.parse().or_else(|_| fail("number is out of range")) }
    }

    fn character(&mut self) -> SqlResult<char> {
        let mut characters = self.rest.chars();
        let Some(character) = characters.next() else {
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, "unterminated format() type specifier")
                .with_hint("For a single \"%\" use \"%%\"."));
        };
        self.rest = characters.as_str();
        Ok(character)
    }

    fn convert(&self, conversion: char, index: usize) -> SqlResult<String> {
        let Some(datum) = self.arguments.get(index) else { return fail("too few arguments for format()") };
        match (conversion, datum.is_null()) {
            ('I', true) => {
                Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "null values cannot be formatted as an SQL identifier"))
            }
            ('L', true) => Ok("NULL".to_string()),
            (_, true) => Ok(String::new()),
            ('I', _) => Ok(quote_identifier(&output(self.context, index, datum)?)),
            ('L', _) => Ok(literal(&output(self.context, index, datum)?)),
            _ => output(self.context, index, datum),
        }
    }

    fn push(&mut self, text: &str, width: usize, is_left: bool) -> SqlResult<()> {
        let missing = width.saturating_sub(text.chars().count());
        let len = self.out.len().saturating_add(missing).saturating_add(text.len());
        if len > LEN_MAX {
            return Err(too_long());
        }
        self.context.admit_bytes(len)?;
        let blanks = " ".repeat(missing);
        let (first, second) = if is_left { (text, blanks.as_str()) } else { (blanks.as_str(), text) };
        self.out.push_str(first);
        self.out.push_str(second);
        Ok(())
    }
}
