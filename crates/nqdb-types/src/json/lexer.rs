//! The tokens of a JSON text, and the errors of a text that is none.
//!
//! Messages, details and the line of context are those of PostgreSQL 15. Left out: grammar.

use std::borrow::Cow;
use std::ops::Range;

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, SqlError, SqlResult, UNTRANSLATABLE_CHARACTER};

/// A token's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    String,
    Number,
    True,
    False,
    Null,
}

/// A token and where it stands, quotes included.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// Walks over the tokens of a text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line_start: usize,
    line_number: usize,
    /// Whether escapes of strings are to be understood, and not only to be well-formed.
    unescapes: bool,
}

/// Bytes of context before the place of an error.
const CONTEXT_LEN: usize = 50;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, unescapes: bool) -> Lexer<'a> {
        Lexer { text, at: 0, line_start: 0, line_number: 1, unescapes }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The next token; 22P02 for what is none.
    pub fn next(&mut self) -> SqlResult<Token> {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.byte(self.at) {
            self.at += 1;
            if byte == b'\n' {
                (self.line_start, self.line_number) = (self.at, self.line_number + 1);
            }
        }
        let start = self.at;
        let (kind, end) = match self.byte(start) {
            None => (Kind::End, start),
            Some(b'{') => (Kind::ObjectStart, start + 1),
            Some(b'}') => (Kind::ObjectEnd, start + 1),
            Some(b'[') => (Kind::ArrayStart, start + 1),
            Some(b']') => (Kind::ArrayEnd, start + 1),
            Some(b',') => (Kind::Comma, start + 1),
            Some(b':') => (Kind::Colon, start + 1),
            Some(b'"') => (Kind::String, self.end_of_string(start)?),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.end_of_number(start)?),
            Some(_) => self.word(start)?,
        };
        self.at = end;
        Ok(Token { kind, range: start..end })
    }

    fn end_of_word(&self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80) {
            at += 1;
        }
        at
    }

    fn word(&self, start: usize) -> SqlResult<(Kind, usize)> {
        let end = self.end_of_word(start);
        let kind = match self.text.get(start..end) {
            Some("true") => Kind::True,
            Some("false") => Kind::False,
            Some("null") => Kind::Null,
            Some("") => return Err(self.invalid_token(start, start + 1)),
            _ => return Err(self.invalid_token(start, end)),
        };
        Ok((kind, end))
    }

    fn end_of_number(&self, start: usize) -> SqlResult<usize> {
        let digits = |mut at: usize| {
            while self.byte(at).is_some_and(|byte| byte.is_ascii_digit()) {
                at += 1;
            }
            at
        };
        let mut at = start + usize::from(self.byte(start) == Some(b'-'));
        let mut sound = true;
        match self.byte(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at = digits(at),
            _ => sound = false,
        }
        if self.byte(at) == Some(b'.') {
            let end = digits(at + 1);
            sound &= end > at + 1;
            at = end;
        }
        if matches!(self.byte(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
            let end = digits(at);
            sound &= end > at;
            at = end;
        }
        let end = self.end_of_word(at);
        if sound && end == at { Ok(at) } else { Err(self.invalid_token(start, end)) }
    }

    fn end_of_string(&self, start: usize) -> SqlResult<usize> {
        let mut at = start + 1;
        let mut high_surrogate = false;
        loop {
            let byte = self.byte(at).ok_or_else(|| self.invalid_token(start, self.text.len()))?;
            if high_surrogate && byte != b'\\' {
                return Err(self.error_up_to(self.after(at), LOW_SURROGATE));
            }
            match byte {
                b'"' => return Ok(at + 1),
                0..=0x1F => {
                    let detail = format!("Character with value 0x{byte:02x} must be escaped.");
                    return Err(self.error_up_to(at, &detail));
                }
                b'\\' => at = self.escape(start, at + 1, &mut high_surrogate)?,
                _ => at += 1,
            }
        }
    }

    /// Checks an escape behind its backslash, and gives the place behind it.
    fn escape(&self, start: usize, at: usize, high_surrogate: &mut bool) -> SqlResult<usize> {
        let byte = self.byte(at).ok_or_else(|| self.invalid_token(start, self.text.len()))?;
        if byte != b'u' {
            if *high_surrogate {
                return Err(self.error_up_to(self.after(at), LOW_SURROGATE));
            }
            if !matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
                let found = self.text.get(at..self.after(at)).unwrap_or("");
                let detail = format!("Escape sequence \"\\{found}\" is invalid.");
                return Err(self.error_up_to(self.after(at), &detail));
            }
            return Ok(at + 1);
        }
        let mut code = 0;
        for place in at + 1..at + 5 {
            let byte = self.byte(place).ok_or_else(|| self.invalid_token(start, self.text.len()))?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                let detail = "\"\\u\" must be followed by four hexadecimal digits.";
                return Err(self.error_up_to(self.after(place), detail));
            };
            code = code * 16 + digit;
        }
        if self.unescapes {
            let end = at + 5;
            match code {
                0 => {
                    let error = SqlError::new(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                        .with_detail("\\u0000 cannot be converted to text.");
                    return Err(self.in_context(error, end));
                }
                0xD800..=0xDBFF if *high_surrogate => {
                    let detail = "Unicode high surrogate must not follow a high surrogate.";
                    return Err(self.error_up_to(end, detail));
                }
                0xD800..=0xDBFF => *high_surrogate = true,
                0xDC00..=0xDFFF if !*high_surrogate => return Err(self.error_up_to(end, LOW_SURROGATE)),
                _ if *high_surrogate && !(0xDC00..=0xDFFF).contains(&code) => {
                    return Err(self.error_up_to(end, LOW_SURROGATE));
                }
                _ => *high_surrogate = false,
            }
        }
        Ok(at + 5)
    }

    /// The end of the character at `at`.
    fn after(&self, at: usize) -> usize {
        (at + 1..=self.text.len()).find(|end| self.text.is_char_boundary(*end)).unwrap_or(self.text.len())
    }

    fn invalid_token(&self, start: usize, end: usize) -> SqlError {
        let end = if self.text.is_char_boundary(end) { end } else { self.after(end) };
        let token = self.text.get(start..end).unwrap_or("");
        self.error_up_to(end, &format!("Token \"{token}\" is invalid."))
    }

    /// 22P02 where the grammar expects something else than this token.
    pub fn unexpected(&self, token: &Token, expected: &str) -> SqlError {
        if token.kind == Kind::End {
            return self.error_up_to(token.range.end, "The input string ended unexpectedly.");
        }
        let found = self.text.get(token.range.clone()).unwrap_or("");
        self.error_up_to(token.range.end, &format!("Expected {expected}, but found \"{found}\"."))
    }

    fn error_up_to(&self, end: usize, detail: &str) -> SqlError {
        let error = SqlError::new(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json");
        self.in_context(error.with_detail(detail), end)
    }

    /// Says in which line, and shows what stands before the place.
    fn in_context(&self, error: SqlError, end: usize) -> SqlError {
        let mut start = self.line_start;
        while end.saturating_sub(start) >= CONTEXT_LEN {
            start = self.after(start);
        }
        if start - self.line_start <= 3 {
            start = self.line_start;
        }
        let prefix = if start > self.line_start { "..." } else { "" };
        let goes_on = !matches!(self.byte(end), None | Some(b'\n' | b'\r'));
        let suffix = if goes_on { "..." } else { "" };
        let shown = self.text.get(start..end).unwrap_or("");
        error.with_context(format!("JSON data, line {}: {prefix}{shown}{suffix}", self.line_number))
    }
}

const LOW_SURROGATE: &str = "Unicode low surrogate must follow a high surrogate.";

/// What a string token, quotes included, stands for. Its escapes have been checked.
pub(super) fn unescape(token: &str) -> Cow<'_, str> {
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or("");
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    let mut high = None;
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let code = rest.by_ref().take(4).fold(0, |code, digit| code * 16 + digit.to_digit(16).unwrap_or(0));
                match (high.take(), code) {
                    (None, 0xD800..=0xDBFF) => high = Some(code),
                    (Some(high), low) => {
                        let code = 0x1_0000 + ((high & 0x3FF) << 10) + (low & 0x3FF);
                        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    (None, code) => out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Cow::Owned(out)
}
