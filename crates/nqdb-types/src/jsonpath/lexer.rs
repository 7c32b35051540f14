//! A path's tokens.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    End,
    /// An operator or punctuation mark.
    Mark(&'static str),
    /// A name or keyword, escapes resolved.
    Word(String),
    String(String),
    /// `$name`
    Variable(String),
    Integer(String),
    Decimal(String),
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Longer marks stand before those that begin like them.
const MARKS: [&str; 28] = [
    "&&", "||", "**", "<=", "==", "<>", "!=", ">=", "!", "<", ">", "?", "%", "$", ".", "[", "]", "{", "}", "(", ")",
    "@", "#", ",", "*", "-", "+", "/",
];

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Whether a character ends a name.
fn ends_word(character: char) -> bool {
    is_blank(character) || "?%$.[]{}()|&!=<>@#,*:-+/\"".contains(character)
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The error for a token; `what` is "syntax error" unless something better is known.
    pub fn error(&self, what: &str, token: &Token) -> SqlError {
        match token.kind {
            Kind::End => SqlError::new(SYNTAX_ERROR, format!("{what} at end of jsonpath input")),
            _ => self.error_near(what, token.start, token.end),
        }
    }

    fn error_near(&self, what: &str, start: usize, end: usize) -> SqlError {
        let near = self.text.get(start..end).unwrap_or("");
        SqlError::new(SYNTAX_ERROR, format!("{what} at or near \"{near}\" of jsonpath input"))
    }

    pub fn next(&mut self) -> SqlResult<Token> {
        self.skip_blanks()?;
        let start = self.at;
        let kind = self.kind(start)?;
        Ok(Token { kind, start, end: self.at })
    }

    fn skip_blanks(&mut self) -> SqlResult<()> {
        loop {
            let trimmed = self.rest().trim_start_matches(is_blank);
            self.at = self.text.len() - trimmed.len();
            let Some(comment) = trimmed.strip_prefix("/*") else { return Ok(()) };
            let Some(len) = comment.find("*/") else {
                return Err(SqlError::new(SYNTAX_ERROR, "unexpected end of comment at end of jsonpath input"));
            };
            self.at += len + 4;
        }
    }

    fn kind(&mut self, start: usize) -> SqlResult<Kind> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Kind::End) };
        if first == '"' {
            self.at += 1;
            return self.quoted(start).map(Kind::String);
        }
        if let Some(named) = rest.strip_prefix('$') {
            if named.starts_with('"') {
                self.at += 2;
                return self.quoted(start).map(Kind::Variable);
            }
            if named.starts_with(|next: char| !ends_word(next)) {
                self.at += 1;
                return self.word(start).map(Kind::Variable);
            }
        }
        let has_fraction =
            rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        if first.is_ascii_digit() || has_fraction {
            return self.number(start);
        }
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            self.at += mark.len();
            return Ok(Kind::Mark(mark));
        }
        if ends_word(first) {
            self.at += first.len_utf8();
            return Err(self.error_near("syntax error", start, self.at));
        }
        self.word(start).map(Kind::Word)
    }

    fn number(&mut self, start: usize) -> SqlResult<Kind> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = self.rest();
        // A zero stands for itself: what follows it is another token, or junk.
        let mut len = if rest.starts_with('0') { 1 } else { digits(rest) };
        let mut is_integer = true;
        if rest.get(len..).is_some_and(|rest| rest.starts_with('.')) {
            len += 1 + digits(rest.get(len + 1..).unwrap_or(""));
            is_integer = false;
        }
        let exponent = rest.get(len..).unwrap_or("");
        if exponent.starts_with(['e', 'E']) {
            let sign_len = usize::from(exponent.get(1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
            let exponent_digits = digits(exponent.get(1 + sign_len..).unwrap_or(""));
            if exponent_digits > 0 {
                len += 1 + sign_len + exponent_digits;
                is_integer = false;
            } else if sign_len > 0 {
                return Err(self.error_near("invalid numeric literal", start, start + len + 2));
            }
        }
        let (number, behind) = rest.split_at(len);
        if let Some(junk) = behind.chars().next().filter(|next| !ends_word(*next) && *next != '\\') {
            let end = start + len + junk.len_utf8();
            return Err(self.error_near("trailing junk after numeric literal", start, end));
        }
        self.at += len;
        let number = number.to_string();
        Ok(if is_integer { Kind::Integer(number) } else { Kind::Decimal(number) })
    }

    /// Behind the opening quote, up to the closing one.
    fn quoted(&mut self, start: usize) -> SqlResult<String> {
        let mut value = String::new();
        loop {
            let Some(character) = self.rest().chars().next() else {
                return Err(SqlError::new(SYNTAX_ERROR, "unexpected end of quoted string at end of jsonpath input"));
            };
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(value),
                '\\' => self.escape(start, &mut value)?,
                other => value.push(other),
            }
        }
    }

    fn word(&mut self, start: usize) -> SqlResult<String> {
        let mut value = String::new();
        while let Some(character) = self.rest().chars().next().filter(|next| !ends_word(*next)) {
            self.at += character.len_utf8();
            match character {
                '\\' => self.escape(start, &mut value)?,
                other => value.push(other),
            }
        }
        Ok(value)
    }

    /// Behind a backslash.
    fn escape(&mut self, start: usize, value: &mut String) -> SqlResult<()> {
        let Some(character) = self.rest().chars().next() else {
            return Err(SqlError::new(SYNTAX_ERROR, "unexpected end after backslash at end of jsonpath input"));
        };
        self.at += character.len_utf8();
        value.push(match character {
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => {
                let code = self
                    .hexadecimal(2, 2)
                    .ok_or_else(|| self.error_near("invalid hex character sequence", start, self.at))?;
                char::from(code as u8)
            }
            'u' => self.unicode(start)?,
            other => other,
        });
        if value.ends_with('\0') {
            return Err(SqlError::new(nqdb_sqlstate::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                .with_detail("\\u0000 cannot be converted to text."));
        }
        Ok(())
    }

    /// Digits of a code point.
    fn hexadecimal(&mut self, least: usize, most: usize) -> Option<u32> {
        let rest = self.rest();
        let len = rest.bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
        if len < least {
            return None;
        }
        self.at += len;
        u32::from_str_radix(rest.get(..len)?, 16).ok()
    }

    /// `\uXXXX`, two of them for a surrogate pair, or `\u{..}`.
    fn unicode(&mut self, start: usize) -> SqlResult<char> {
        let invalid = |lexer: &Lexer<'_>| lexer.error_near("invalid unicode sequence", start, lexer.at);
        let high = self.code_unit().ok_or_else(|| invalid(self))?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high)
                .ok_or_else(|| surrogate_error("Unicode low surrogate must follow a high surrogate."));
        }
        let low = self.rest().strip_prefix("\\u").map(|_| self.at += 2).and_then(|()| self.code_unit());
        let low = low.filter(|low| (0xDC00..0xE000).contains(low));
        let low = low.ok_or_else(|| surrogate_error("Unicode low surrogate must follow a high surrogate."))?;
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or_else(|| invalid(self))
    }

    fn code_unit(&mut self) -> Option<u32> {
        if !self.rest().starts_with('{') {
            return self.hexadecimal(4, 4);
        }
        self.at += 1;
        let code = self.hexadecimal(1, 6)?;
        if !self.rest().starts_with('}') {
            return None;
        }
        self.at += 1;
        Some(code)
    }
}

fn surrogate_error(detail: &str) -> SqlError {
    SqlError::new(nqdb_sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath")
        .with_detail(detail)
}
