//! The tokens of a query string, numbered, each knowing where it stands.
//!
//! What always holds:
//! 1. Token `i` (blanks and comments do not count) carries the location `line = i + 1`, `column = p`, where `p` is
//!    its first character's position in the query string, counted from 1. So each span in the syntax tree leads
//!    back to its token, and from there to its neighbours: operators, parentheses and casts, which the tree's
//!    spans do not cover.
//! 2. Nothing here fails on text that is not SQL: lexical errors are PostgreSQL's, with their position.
//!
//! Left out: grammar.

use std::cell::Cell;
use std::sync::Arc;

use super::escapes;
use super::operators::{ScanDialect, first_operator, operator_part, operator_token};
use crate::names::{IDENTIFIER_LEN_MAX, fold_identifier};
use nqdb_sqlstate::{NAME_TOO_LONG, Notice, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError, Whitespace};

/// Where the tokens of one query string stand.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    text: Arc<str>,
    /// Byte range of each token in `text`.
    ranges: Vec<(u32, u32)>,
    /// Position of each token: characters, counted from 1.
    positions: Vec<u32>,
}

impl Tokens {
    /// Splits a query string into tokens whose locations are numbered as this module describes.
    ///
    /// Fails with 42601 for what PostgreSQL's scanner refuses.
    pub fn scan(sql: &str) -> SqlResult<(Tokens, Vec<TokenWithSpan>)> {
        let lines = LineTable::new(sql);
        let hidden = escapes::hide(sql)?;
        let raw = match Tokenizer::new(&ScanDialect::new(), &hidden.text).tokenize_with_location() {
            Ok(raw) => raw,
            Err(error) => return Err(lexical_error(sql, &lines, &error)),
        };
        let mut tokens = Tokens { text: Arc::from(sql), ranges: Vec::new(), positions: Vec::new() };
        let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(raw.len());
        let mut newline_before = false;
        // Operator characters that stand together.
        let mut run: Option<Run> = None;
        for TokenWithSpan { mut token, span } in raw {
            match token {
                Token::EOF => continue,
                Token::Whitespace(blank) => {
                    tokens.end_run(run.take(), &mut kept);
                    newline_before |= match blank {
                        Whitespace::Newline | Whitespace::SingleLineComment { .. } => true,
                        Whitespace::Space | Whitespace::Tab | Whitespace::MultiLineComment(_) => false,
                    };
                    continue;
                }
                _ => {}
            }
            let mut start = lines.offset(span.start);
            let end = lines.offset(span.end);
            let operator =
                operator_part(hidden.text.get(start.bytes as usize..end.bytes as usize).unwrap_or("")).len() as u32;
            if operator > 0 {
                let begun = run.get_or_insert(Run { start, bytes: 0 });
                begun.bytes += operator;
                newline_before = false;
                start = Place { bytes: start.bytes + operator, characters: start.characters + operator };
                if start.bytes == end.bytes {
                    continue;
                }
                // `?1` came as one token.
                let number = sql.get(start.bytes as usize..end.bytes as usize).unwrap_or("");
                token = Token::Number(number.to_owned(), false);
            }
            tokens.end_run(run.take(), &mut kept);
            if let Some(read) = hidden.value_at(start.bytes as usize) {
                match &mut token {
                    Token::EscapedStringLiteral(value) => read.value.clone_into(value),
                    Token::Word(word) => read.value.clone_into(&mut word.value),
                    _ => {}
                }
                start.bytes -= read.lead as u32;
                start.characters -= read.lead as u32;
            }
            let continues = newline_before;
            newline_before = false;
            if let Some(previous) = kept.last_mut()
                && continues
                && join_strings(&mut previous.token, &token)
            {
                if let Some(range) = tokens.ranges.last_mut() {
                    range.1 = end.bytes;
                }
                continue;
            }
            tokens.check_junk_after_number(kept.last().map(|previous| &previous.token), &token, start, end)?;
            tokens.keep(&mut kept, token, start, end);
        }
        tokens.end_run(run, &mut kept);
        Ok((tokens, kept))
    }

    /// Adds a token, which gets the next number.
    fn keep(&mut self, kept: &mut Vec<TokenWithSpan>, token: Token, start: Place, end: Place) {
        let line = kept.len() as u64 + 1;
        self.ranges.push((start.bytes, end.bytes));
        self.positions.push(start.characters + 1);
        let start = Location { line, column: u64::from(start.characters) + 1 };
        let end = Location { line, column: u64::from(end.characters) + 1 };
        kept.push(TokenWithSpan { token, span: Span { start, end } });
    }

    /// Adds the operators of a run.
    fn end_run(&mut self, run: Option<Run>, kept: &mut Vec<TokenWithSpan>) {
        let Some(Run { mut start, bytes }) = run else { return };
        let text = Arc::clone(&self.text);
        let mut rest = text.get(start.bytes as usize..(start.bytes + bytes) as usize).unwrap_or("");
        while !rest.is_empty() {
            let (operator, behind) = rest.split_at(first_operator(rest));
            let len = operator.len() as u32;
            let end = Place { bytes: start.bytes + len, characters: start.characters + len };
            let token = operator_token(operator, kept.last().map(|before| &before.token));
            self.keep(kept, token, start, end);
            (start, rest) = (end, behind);
        }
    }

    /// `1a` and `1_000` are errors in PostgreSQL 15, not a number with an alias.
    fn check_junk_after_number(
        &self,
        previous: Option<&Token>,
        token: &Token,
        start: Place,
        end: Place,
    ) -> SqlResult<()> {
        let junk = |from: u32, length: usize, position: u32| {
            let near: String = self.text.get(from as usize..).unwrap_or("").chars().take(length).collect();
            let message = format!("trailing junk after numeric literal at or near \"{near}\"");
            Err(SqlError::new(SYNTAX_ERROR, message).with_position(position))
        };
        if let Token::Number(digits, _) = token
            && self.text.get(start.bytes as usize..end.bytes as usize).is_some_and(|text| text.contains('_'))
        {
            debug_assert!(!digits.is_empty());
            return junk(start.bytes, (end.bytes - start.bytes) as usize, start.characters + 1);
        }
        // Hexadecimal numbers came with PostgreSQL 16.
        if let Token::HexStringLiteral(_) = token
            && self.text.get(start.bytes as usize..).is_some_and(|text| text.starts_with('0'))
        {
            return junk(start.bytes, (end.bytes - start.bytes) as usize, start.characters + 1);
        }
        if let (Some(Token::Number(..)), Token::Word(word), Some(&(from, until)), Some(&position)) =
            (previous, token, self.ranges.last(), self.positions.last())
            && until == start.bytes
            && word.quote_style.is_none()
        {
            return junk(from, (end.bytes - from) as usize, position);
        }
        Ok(())
    }

    /// The whole query string.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The source text of a token; empty when there is none of that number.
    pub fn token_text(&self, index: usize) -> &str {
        let Some(&(start, end)) = self.ranges.get(index) else { return "" };
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// The byte of the query string that a token starts at.
    pub fn start_of(&self, index: usize) -> Option<usize> {
        self.ranges.get(index).map(|(start, _)| *start as usize)
    }

    /// Whether a string constant may name a moment that the clock decides (manual, section 8.5.1.4): `'now'`, `'today'`.
    pub fn mention_the_clock(&self) -> bool {
        const WORDS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];
        let texts = (0..self.len()).map(|index| self.token_text(index));
        let mut strings = texts.filter(|text| text.contains(['\'', '$'])).map(str::to_ascii_lowercase);
        strings.any(|text| text.contains('\\') || WORDS.iter().any(|word| text.contains(word)))
    }

    /// Position of a token: characters, counted from 1.
    pub fn position(&self, index: usize) -> Option<u32> {
        self.positions.get(index).copied()
    }

    /// The token that starts at a position.
    pub fn at_position(&self, position: u32) -> Option<usize> {
        self.positions.binary_search(&position).ok()
    }

    /// The bytes from token `first` up to, not including, token `end`.
    pub fn range_text(&self, first: usize, end: usize) -> &str {
        let (Some(&(start, _)), Some(&(_, until))) = (self.ranges.get(first), self.ranges.get(end.wrapping_sub(1)))
        else {
            return "";
        };
        self.text.get(start as usize..until as usize).unwrap_or("")
    }

    /// The token that a span starts with; `None` for spans that the parser left empty.
    pub fn index_of(span: Span) -> Option<usize> {
        usize::try_from(span.start.line).ok()?.checked_sub(1)
    }

    /// Whether a token is this word or symbol; words in any case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.token_text(index).eq_ignore_ascii_case(word)
    }

    /// The unmatched `(` in front of a token.
    pub fn open_paren_before(&self, index: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in (0..index).rev() {
            match self.token_text(at) {
                ")" => depth += 1,
                "(" if depth == 0 => return Some(at),
                "(" => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// Notices (42622) for names that are too long and are cut.
    pub fn truncation_notices(&self) -> Vec<Notice> {
        if self.text.len() <= IDENTIFIER_LEN_MAX {
            return Vec::new();
        }
        let is_long = |(start, end): &&(u32, u32)| (end - start) as usize > IDENTIFIER_LEN_MAX;
        let texts = self.ranges.iter().filter(is_long).filter_map(|(start, end)| {
            let text = self.text.get(*start as usize..*end as usize)?;
            match text.strip_prefix('"') {
                Some(quoted) => Some((quoted.strip_suffix('"')?.replace("\"\"", "\""), true)),
                None => {
                    let is_word = text.starts_with(|first: char| first == '_' || first.is_alphabetic());
                    (is_word && !text.contains('\'')).then(|| (text.to_owned(), false))
                }
            }
        });
        texts
            .filter(|(name, _)| name.len() > IDENTIFIER_LEN_MAX)
            .map(|(name, is_quoted)| {
                let name = if is_quoted { name } else { name.to_ascii_lowercase() };
                let cut = fold_identifier(&name, true);
                Notice::new(NAME_TOO_LONG, format!("identifier \"{name}\" will be truncated to \"{cut}\""))
            })
            .collect()
    }

    /// `syntax error at or near "x"`, or at the end of the input when there is no such token.
    pub fn syntax_error(&self, index: usize) -> SqlError {
        match self.position(index) {
            Some(position) => {
                let near = self.token_text(index);
                SqlError::new(SYNTAX_ERROR, format!("syntax error at or near \"{near}\"")).with_position(position)
            }
            None => self.syntax_error_at_end(),
        }
    }

    /// `syntax error at end of input`.
    pub fn syntax_error_at_end(&self) -> SqlError {
        let position = self.text.chars().count() as u32 + 1;
        SqlError::new(SYNTAX_ERROR, "syntax error at end of input").with_position(position)
    }
}

/// A place in the query string, from 0.
#[derive(Clone, Copy)]
struct Place {
    bytes: u32,
    characters: u32,
}

/// Operator characters that stand together; each is one byte.
struct Run {
    start: Place,
    bytes: u32,
}

/// Leads from the tokenizer's lines and columns to offsets.
struct LineTable<'a> {
    sql: &'a str,
    starts: Vec<Place>,
    ascii: bool,
    /// The line, the column and the byte in the line that were asked for last: tokens are asked for in their order.
    last: Cell<(usize, u32, usize)>,
}

impl<'a> LineTable<'a> {
    fn new(sql: &'a str) -> LineTable<'a> {
        let ascii = sql.is_ascii();
        let mut starts = vec![Place { bytes: 0, characters: 0 }];
        if ascii {
            for (at, byte) in sql.bytes().enumerate() {
                if byte == b'\n' {
                    starts.push(Place { bytes: at as u32 + 1, characters: at as u32 + 1 });
                }
            }
        } else {
            for (characters, (bytes, character)) in sql.char_indices().enumerate() {
                if character == '\n' {
                    starts.push(Place { bytes: bytes as u32 + 1, characters: characters as u32 + 1 });
                }
            }
        }
        LineTable { sql, starts, ascii, last: Cell::new((0, 0, 0)) }
    }

    fn offset(&self, location: Location) -> Place {
        let line = (location.line as usize).saturating_sub(1).min(self.starts.len() - 1);
        let start = self.starts.get(line).copied().unwrap_or(Place { bytes: 0, characters: 0 });
        let column = (location.column as u32).saturating_sub(1);
        if self.ascii {
            let bytes = (start.bytes + column).min(self.sql.len() as u32);
            return Place { bytes, characters: bytes };
        }
        let rest = self.sql.get(start.bytes as usize..).unwrap_or("");
        let (known_column, known_bytes) = match self.last.get() {
            (known_line, known_column, bytes) if known_line == line && known_column <= column => (known_column, bytes),
            _ => (0, 0),
        };
        let beyond = rest.get(known_bytes..).unwrap_or("");
        let more = beyond.char_indices().nth((column - known_column) as usize).map_or(beyond.len(), |(at, _)| at);
        let bytes = known_bytes + more;
        self.last.set((line, column, bytes));
        Place { bytes: start.bytes + bytes as u32, characters: start.characters + column }
    }
}

/// Two quoted strings with a line break between them are one (manual, section 4.1.2.1).
fn join_strings(previous: &mut Token, next: &Token) -> bool {
    let Token::SingleQuotedString(tail) = next else { return false };
    match previous {
        Token::SingleQuotedString(head) | Token::EscapedStringLiteral(head) => {
            head.push_str(tail);
            true
        }
        _ => false,
    }
}

/// What PostgreSQL's scanner says about text that never ends.
fn lexical_error(sql: &str, lines: &LineTable<'_>, error: &TokenizerError) -> SqlError {
    let start = lines.offset(error.location);
    let message = error.message.to_ascii_lowercase();
    let what = if message.contains("comment") {
        "unterminated /* comment"
    } else if message.contains("dollar") || message.contains("$") {
        "unterminated dollar-quoted string"
    } else if message.contains("unterminated") && message.contains("string") || message.contains("quoted string") {
        "unterminated quoted string"
    } else if message.contains("close delimiter") {
        "unterminated quoted identifier"
    } else {
        "syntax error"
    };
    // The tokenizer tells where it stopped for some of these: the text that never ends starts at its quote.
    let from = match what {
        "unterminated /* comment" => unterminated_comment_start(sql).unwrap_or(start.bytes as usize),
        _ => start.bytes as usize,
    };
    let near = sql.get(from..).unwrap_or("");
    let position = sql.get(..from).unwrap_or("").chars().count() as u32 + 1;
    if near.is_empty() {
        return SqlError::new(SYNTAX_ERROR, format!("{what} at end of input")).with_position(position);
    }
    SqlError::new(SYNTAX_ERROR, format!("{what} at or near \"{near}\"")).with_position(position)
}

/// The `/*` that opens the comment at nesting level one when the text ends inside of it.
fn unterminated_comment_start(sql: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut start = None;
    let bytes = sql.as_bytes();
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                if depth == 0 {
                    start = Some(at);
                }
                depth += 1;
                at += 2;
            }
            b"*/" if depth > 0 => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    start.filter(|_| depth > 0)
}
