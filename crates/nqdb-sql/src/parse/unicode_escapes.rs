//! Constants and names with Unicode escapes: `U&'d\0061t\+000061'`, `U&"d!0061ta" UESCAPE '!'` (manual, sections 4.1.1 and
//! 4.1.2.3).
//!
//! The tokenizer gets ` E'..'` in the place of `U&'..'` and `  ".."` in that of `U&".."`, with the escapes hidden, and blanks
//! in the place of UESCAPE and its constant.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};

use super::escapes::Scanner;

impl Scanner<'_> {
    /// Reads a constant or a name, from its `U` on. One that does not end is left to the tokenizer's error.
    pub(super) fn unicode_text(&mut self) -> SqlResult<()> {
        let start = self.at;
        let Some(quote) = self.peek(2) else { return Ok(()) };
        let Some(end) = self.quoted_end(start + 3, quote) else {
            self.at = self.bytes.len();
            return Ok(());
        };
        let (escape, after) = self.escape_character(end)?;
        let value = self.unescape(start + 3, end - 1, quote, escape)?;
        let lead = if quote == b'\'' { 1 } else { 2 };
        self.hidden.push((start, b' '));
        self.hidden.push((start + 1, if quote == b'\'' { b'E' } else { b' ' }));
        for at in end..after {
            self.hidden.push((at, b' '));
        }
        self.note(start + lead, value, lead);
        self.at = after;
        Ok(())
    }

    /// The byte behind the quote that ends a text; a doubled quote does not.
    fn quoted_end(&self, mut at: usize, quote: u8) -> Option<usize> {
        loop {
            match (*self.bytes.get(at)?, self.bytes.get(at + 1)) {
                (byte, Some(next)) if byte == quote && *next == quote => at += 2,
                (byte, _) if byte == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// The escape character of the text that ends at this byte, and where all that belongs to the text ends.
    fn escape_character(&self, end: usize) -> SqlResult<(u8, usize)> {
        const WORD: &[u8] = b"uescape";
        let blanks = |from: usize| {
            let rest = self.bytes.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
        };
        let word = blanks(end);
        let found = self.bytes.get(word..word + WORD.len()).is_some_and(|found| found.eq_ignore_ascii_case(WORD));
        let follows = self.bytes.get(word + WORD.len());
        if !found || follows.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Ok((b'\\', end));
        }
        let constant = blanks(word + WORD.len());
        let rest = self.sql.get(constant..).unwrap_or_default();
        let Some(close) = rest.strip_prefix('\'').and_then(|rest| rest.find('\'')).map(|len| len + 2) else {
            let near: String = rest.chars().take(1).collect();
            return Err(self.error_near("UESCAPE must be followed by a simple string literal", &near, constant));
        };
        let is_escape =
            |byte: u8| !byte.is_ascii_hexdigit() && !matches!(byte, b'+' | b'\'' | b'"') && !byte.is_ascii_whitespace();
        match rest.as_bytes().get(1..close - 1) {
            Some(&[escape]) if is_escape(escape) => Ok((escape, constant + close)),
            _ => Err(self.error_near("invalid Unicode escape character", rest.get(..close).unwrap_or(rest), constant)),
        }
    }

    /// What the text between two bytes says. Hides its escapes.
    fn unescape(&mut self, start: usize, end: usize, quote: u8, escape: u8) -> SqlResult<String> {
        let mut value = String::new();
        let mut high: Option<u32> = None;
        let mut at = start;
        while at < end {
            let Some(character) = self.sql.get(at..end).and_then(|rest| rest.chars().next()) else { break };
            if character != char::from(escape) || self.bytes.get(at + 1) == Some(&escape) {
                if high.is_some() {
                    return Err(self.bad_unicode("invalid Unicode surrogate pair", at));
                }
                if character == char::from(escape) {
                    self.hide_byte(at);
                    self.hide_byte(at + 1);
                    at += 1;
                } else if character == char::from(quote) {
                    at += 1;
                }
                if character == '\\' {
                    self.hide_byte(at);
                }
                value.push(character);
                at += character.len_utf8();
                continue;
            }
            let (code, len) = self.code(at, end)?;
            self.hide_byte(at);
            let is_low = (0xdc00..0xe000).contains(&code);
            match (high.take(), is_low) {
                (Some(first), true) => {
                    let pair = 0x1_0000 + ((first - 0xd800) << 10) + (code - 0xdc00);
                    value.extend(char::from_u32(pair));
                }
                (Some(_), false) | (None, true) => {
                    return Err(self.bad_unicode("invalid Unicode surrogate pair", at));
                }
                (None, false) if (0xd800..0xdc00).contains(&code) => high = Some(code),
                (None, false) => match char::from_u32(code).filter(|character| *character != '\0') {
                    Some(character) => value.push(character),
                    None => return Err(self.bad_unicode("invalid Unicode escape value", at)),
                },
            }
            at += len;
        }
        match high {
            Some(_) => Err(self.bad_unicode("invalid Unicode surrogate pair", end)),
            None => Ok(value),
        }
    }

    /// The number of an escape, and its length.
    fn code(&self, at: usize, end: usize) -> SqlResult<(u32, usize)> {
        let (skipped, digits) = if self.bytes.get(at + 1) == Some(&b'+') { (2, 6) } else { (1, 4) };
        let number = self.sql.get(at + skipped..at + skipped + digits).filter(|_| at + skipped + digits <= end);
        let number = number.filter(|number| number.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match number.and_then(|number| u32::from_str_radix(number, 16).ok()) {
            Some(code) => Ok((code, skipped + digits)),
            None => Err(self
                .bad_unicode("invalid Unicode escape", at)
                .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")),
        }
    }

    fn bad_unicode(&self, message: &str, byte: usize) -> SqlError {
        SqlError::new(SYNTAX_ERROR, message).with_position(self.position(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::super::escapes::hide;

    #[test]
    fn unicode_escapes_are_read_with_any_escape_character() {
        let value =
            |sql: &str, at: usize| hide(sql).map(|hidden| hidden.value_at(at).map(|hidden| hidden.value.clone()));
        assert_eq!(value(r"U&'d\0061t\+000061'", 1).unwrap().as_deref(), Some("data"));
        assert_eq!(value(r#"u&"d*0061t\" uescape '*'"#, 2).unwrap().as_deref(), Some("dat\\"));
        assert_eq!(value(r"U&'it''s \\ \d83d\de00'", 1).unwrap().as_deref(), Some("it's \\ 😀"));
        assert_eq!(hide(r"U&'d!0061' UESCAPE '!' x").unwrap().text, " E'dx0061'             x");
        for (sql, position) in [
            (r"U&'\061'", 4),
            (r"U&'\+2FFFFF'", 4),
            (r"U&'\db99'", 9),
            (r"U&'\db99\0061'", 9),
            (r"U&'\dc00'", 4),
            (r"U&'' UESCAPE '+'", 14),
            (r"U&'' UESCAPE 7", 14),
        ] {
            let error = value(sql, 1).unwrap_err();
            assert_eq!((error.code().as_str(), error.position()), ("42601", Some(position)), "{sql}");
        }
    }
}
