//! String constants with C-style escapes, `E'...'` (manual, section 4.1.2.2), and, in `unicode_escapes`, constants and names
//! with Unicode escapes, `U&'...'` and `U&"..."`.
//!
//! `sqlparser` makes a character of each escape, but `\xC3\xA9` is one character in two: the bytes of a constant form
//! UTF-8 together. So the constants are read here, and the tokenizer gets a text in which their escapes are hidden.
//! What always holds: the hidden text has as many characters and bytes as the original, so every place in it is a place
//! in the original.

use std::borrow::Cow;

use nqdb_sqlstate::{INVALID_ESCAPE_SEQUENCE, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::text_of_bytes;

/// What stands in for a backslash and what follows it.
const HIDDEN: u8 = b'x';

/// What a constant or a name says that was hidden.
pub(super) struct HiddenValue {
    /// The byte where it begins in the hidden text.
    at: usize,
    pub value: String,
    /// How many bytes before it belong to it: the `U&`, or a part of it.
    pub lead: usize,
}

/// A query string without its escapes, and what the constants with escapes say, by the byte where each begins.
pub(super) struct Hidden<'a> {
    pub text: Cow<'a, str>,
    values: Vec<HiddenValue>,
}

impl Hidden<'_> {
    /// What the constant or the name says that begins at this byte; none if it has no escapes.
    pub fn value_at(&self, start: usize) -> Option<&HiddenValue> {
        let index = self.values.binary_search_by_key(&start, |value| value.at).ok()?;
        self.values.get(index)
    }
}

/// Reads the constants with escapes of a query string and hides their escapes.
pub(super) fn hide(sql: &str) -> SqlResult<Hidden<'_>> {
    if !sql.contains('\\') && !sql.contains("&'") && !sql.contains("&\"") {
        return Ok(Hidden { text: Cow::Borrowed(sql), values: Vec::new() });
    }
    let mut scanner = Scanner { sql, bytes: sql.as_bytes(), at: 0, hidden: Vec::new(), values: Vec::new() };
    scanner.run()?;
    if scanner.values.is_empty() {
        return Ok(Hidden { text: Cow::Borrowed(sql), values: Vec::new() });
    }
    let mut text = sql.as_bytes().to_vec();
    for (at, instead) in scanner.hidden {
        if let Some(byte) = text.get_mut(at) {
            *byte = instead;
        }
    }
    let text = String::from_utf8(text).map_err(|_| SqlError::internal("hiding escapes has split a character"))?;
    Ok(Hidden { text: Cow::Owned(text), values: scanner.values })
}

pub(super) struct Scanner<'a> {
    pub(super) sql: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Bytes that the tokenizer must not see, and what it sees instead.
    pub(super) hidden: Vec<(usize, u8)>,
    values: Vec<HiddenValue>,
}

impl Scanner<'_> {
    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    fn run(&mut self) -> SqlResult<()> {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' | b'"' => self.skip_quoted(byte),
                b'-' if self.peek(1) == Some(b'-') => self.skip_past("\n"),
                b'/' if self.peek(1) == Some(b'*') => self.skip_comment(),
                b'$' => self.skip_dollar(),
                b'e' | b'E' if self.peek(1) == Some(b'\'') => self.constant()?,
                b'u' | b'U' if self.peek(1) == Some(b'&') && matches!(self.peek(2), Some(b'\'' | b'"')) => {
                    self.unicode_text()?;
                }
                _ if is_word(byte) => self.skip_word(),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn skip_word(&mut self) {
        while self.peek(0).is_some_and(|byte| is_word(byte) || byte == b'$') {
            self.at += 1;
        }
    }

    fn skip_past(&mut self, end: &str) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end.as_bytes());
        self.at += found.map_or(rest.len(), |found| found + end.len());
    }

    /// A doubled quote ends one string and begins the next: the same here.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while self.peek(0).is_some_and(|byte| byte != quote) {
            self.at += 1;
        }
        self.at += 1;
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while self.peek(0).is_some() {
            if self.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    fn skip_dollar(&mut self) {
        let rest = self.sql.get(self.at + 1..).unwrap_or_default();
        let tag_len = rest.find('$').filter(|len| {
            let tag = rest.get(..*len).unwrap_or_default();
            tag.bytes().all(is_word) && !tag.starts_with(|first: char| first.is_ascii_digit())
        });
        match tag_len {
            Some(len) => {
                let delimiter = format!("${}$", rest.get(..len).unwrap_or_default());
                self.at += delimiter.len();
                self.skip_past(&delimiter);
            }
            None => self.at += 1,
        }
    }

    /// Reads one constant, from its `E` on. One that does not end is left to the tokenizer's error.
    fn constant(&mut self) -> SqlResult<()> {
        let start = self.at;
        let hidden_before = self.hidden.len();
        let mut value = Vec::new();
        self.at += 2;
        loop {
            match self.peek(0) {
                None => {
                    self.hidden.truncate(hidden_before);
                    return Ok(());
                }
                Some(b'\'') if self.peek(1) == Some(b'\'') => {
                    value.push(b'\'');
                    self.at += 2;
                }
                Some(b'\'') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => self.escape(&mut value)?,
                Some(byte) => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        if self.hidden.len() > hidden_before {
            self.note(start, text_of_bytes(&value)?.to_owned(), 0);
        }
        Ok(())
    }

    /// Reads a backslash and what belongs to it.
    fn escape(&mut self, value: &mut Vec<u8>) -> SqlResult<()> {
        let Some(kind) = self.peek(1) else {
            self.at += 1;
            return Ok(());
        };
        self.hide_byte(self.at);
        match kind {
            b'b' => value.push(8),
            b'f' => value.push(12),
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b't' => value.push(b'\t'),
            b'u' | b'U' => {
                let character = self.code_point()?;
                value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            b'x' if self.peek(2).is_some_and(|digit| digit.is_ascii_hexdigit()) => {
                let len = 1 + usize::from(self.peek(3).is_some_and(|digit| digit.is_ascii_hexdigit()));
                value.push(self.number(2, len, 16) as u8);
                self.at += 2 + len;
                return Ok(());
            }
            b'0'..=b'7' => {
                let is_octal = |digit: &u8| (b'0'..=b'7').contains(digit);
                let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
                let len = rest.iter().take(3).take_while(|digit| is_octal(digit)).count();
                value.push(self.number(1, len, 8) as u8);
                self.at += 1 + len;
                return Ok(());
            }
            // A character of several bytes goes on by itself.
            other => value.push(other),
        }
        if kind.is_ascii() {
            self.hide_byte(self.at + 1);
        }
        self.at += 2;
        Ok(())
    }

    fn number(&self, ahead: usize, len: usize, radix: u32) -> u32 {
        let digits = self.sql.get(self.at + ahead..self.at + ahead + len);
        digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).unwrap_or_default()
    }

    /// `\uXXXX` or `\UXXXXXXXX`; a character beyond 16 bits may also be written as two of the first.
    fn code_point(&mut self) -> SqlResult<char> {
        let start = self.at;
        let code = self.unicode_escape()?;
        if let Some(character) = char::from_u32(code).filter(|character| *character != '\0') {
            return Ok(character);
        }
        if !(0xd800..0xdc00).contains(&code) {
            let message = if (0xdc00..0xe000).contains(&code) {
                "invalid Unicode surrogate pair"
            } else {
                "invalid Unicode escape value"
            };
            return Err(self.error_near(message, self.sql.get(start..self.at).unwrap_or_default(), start));
        }
        let second_at = self.at;
        let second = match (self.peek(0), self.peek(1)) {
            (Some(b'\\'), Some(b'u' | b'U')) => {
                self.hide_byte(self.at);
                self.unicode_escape()?
            }
            _ => 0,
        };
        let pair = (0xdc00..0xe000).contains(&second).then(|| 0x1_0000 + ((code - 0xd800) << 10) + (second - 0xdc00));
        pair.and_then(char::from_u32).ok_or_else(|| {
            let next = self.sql.get(second_at..).and_then(|rest| rest.chars().next());
            let shown = match self.at > second_at {
                true => self.sql.get(second_at..self.at).unwrap_or_default().to_owned(),
                false => next.map(String::from).unwrap_or_default(),
            };
            self.error_near("invalid Unicode surrogate pair", &shown, second_at)
        })
    }

    /// The number of one escape, whose backslash stands here.
    fn unicode_escape(&mut self) -> SqlResult<u32> {
        let len = if self.peek(1) == Some(b'u') { 4 } else { 8 };
        let digits = self.bytes.get(self.at + 2..self.at + 2 + len).unwrap_or_default();
        if digits.len() < len || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(SqlError::new(INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
                .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
                .with_position(self.position(self.at)));
        }
        let code = self.number(2, len, 16);
        self.at += 2 + len;
        Ok(code)
    }

    pub(super) fn hide_byte(&mut self, byte: usize) {
        self.hidden.push((byte, HIDDEN));
    }

    /// Notes what the constant or the name says that the tokenizer will find at this byte.
    pub(super) fn note(&mut self, at: usize, value: String, lead: usize) {
        self.values.push(HiddenValue { at, value, lead });
    }

    pub(super) fn position(&self, byte: usize) -> u32 {
        self.sql.get(..byte).unwrap_or_default().chars().count() as u32 + 1
    }

    pub(super) fn error_near(&self, message: &str, near: &str, byte: usize) -> SqlError {
        SqlError::new(SYNTAX_ERROR, format!("{message} at or near \"{near}\"")).with_position(self.position(byte))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_where_they_are_and_nowhere_else() {
        let sql = r#"select '\n', "e'\n", $$e'\n'$$, $a$ e'\x' $$ $a$, /* e'\n' /* */ e'\' */ name'\n' -- e'\n'
            , E'a\tb', e'it''s \'\\' , 'E' , E'\u00e4'"#;
        let hidden = hide(sql).unwrap();
        let values: Vec<&str> = hidden.values.iter().map(|hidden| hidden.value.as_str()).collect();
        assert_eq!(values, ["a\tb", "it's '\\", "ä"]);
        assert_eq!(hidden.text.len(), sql.len());
        assert!(hidden.text.contains("'\\n'"), "what is not ours is left alone");
    }

    #[test]
    fn bytes_form_characters_together() {
        let value = |sql: &str| hide(sql).map(|hidden| hidden.value_at(0).map(|hidden| hidden.value.clone()));
        assert_eq!(value(r"E'\xC3\xA9'").unwrap().as_deref(), Some("é"));
        assert_eq!(value(r"e'\303\251'").unwrap().as_deref(), Some("é"));
        assert_eq!(value(r"e'\uD83D\uDE00'").unwrap().as_deref(), Some("😀"));
        assert_eq!(value("E'plain'").unwrap(), None);
        for (sql, code) in
            [(r"e'\xff'", "22021"), (r"e'\000'", "22021"), (r"e'\u12'", "22025"), (r"e'\uD83Dx'", "42601")]
        {
            assert_eq!(value(sql).unwrap_err().code().as_str(), code, "{sql}");
        }
    }
}
