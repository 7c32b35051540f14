//! Walks over the tokens of one command, for the commands that `sqlparser` does not parse for us.
//!
//! Every method that fails gives 42601 at the token in question.

use std::sync::Arc;

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tokens::Tokens;
use super::{data_type_of, expression_of, parse_one, token_range};
use crate::names::{fold_identifier, is_column_name};
use crate::statement::{NamedAt, Parsed};

pub(super) struct Cursor<'a> {
    tokens: &'a Arc<Tokens>,
    own: &'a [TokenWithSpan],
    at: usize,
}

/// A possibly qualified name and where it stands.
pub(super) struct QualifiedName {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) position: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a Arc<Tokens>, own: &'a [TokenWithSpan]) -> Cursor<'a> {
        Cursor { tokens, own, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.own.get(self.at).map(|token| &token.token)
    }

    /// Whether the token `ahead` places further is this word, unquoted.
    pub(super) fn peek_is(&self, ahead: usize, word: &str) -> bool {
        match self.own.get(self.at + ahead).map(|token| &token.token) {
            Some(Token::Word(found)) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    /// Whether the token `ahead` places further is this symbol.
    pub(super) fn peek_is_symbol(&self, ahead: usize, symbol: &Token) -> bool {
        self.own.get(self.at + ahead).is_some_and(|token| token.token == *symbol)
    }

    /// Takes the word if it is next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek_is(0, word);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes the words if they are all next.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(ahead, word)| self.peek_is(ahead, word));
        if found {
            self.at += words.len();
        }
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: &Token) -> bool {
        let found = self.peek() == Some(symbol);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> SqlResult<()> {
        if self.take(word) { Ok(()) } else { Err(self.syntax_error()) }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &Token) -> SqlResult<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// Fails unless everything was read.
    pub(super) fn finish(&self) -> SqlResult<()> {
        if self.at_end() { Ok(()) } else { Err(self.syntax_error()) }
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.own.len()
    }

    /// Whether the next token is the last one.
    pub(super) fn is_last(&self) -> bool {
        self.at + 1 == self.own.len()
    }

    /// Position of what follows the first such word that is left, outside of parentheses.
    pub(super) fn position_behind(&self, word: &str) -> Option<u32> {
        let mut depth = 0usize;
        let at = self.own.iter().skip(self.at).position(|token| {
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(found) if depth == 0 => {
                    return found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word);
                }
                _ => {}
            }
            false
        })?;
        let (first, _) = token_range(self.own);
        self.tokens.position(first + self.at + at + 1)
    }

    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn skip_many(&mut self, count: usize) {
        self.at += count;
    }

    /// How many tokens were read.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Back to a [`Cursor::place`].
    pub(super) fn go_back(&mut self, place: usize) {
        self.at = place;
    }

    /// The tokens from a [`Cursor::place`] up to here.
    pub(super) fn since(&self, place: usize) -> &'a [TokenWithSpan] {
        self.own.get(place..self.at).unwrap_or_default()
    }

    pub(super) fn tokens(&self) -> &'a Arc<Tokens> {
        self.tokens
    }

    /// Takes a pair of parentheses, and gives what is between them.
    pub(super) fn parentheses(&mut self) -> SqlResult<&'a [TokenWithSpan]> {
        self.expect_symbol(&Token::LParen)?;
        let start = self.at;
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok(inner);
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Err(self.syntax_error())
    }

    /// The source text from a [`Cursor::place`] up to, not including, the next token.
    pub(super) fn text_from(&self, place: usize) -> String {
        let (first, _) = token_range(self.own);
        self.tokens.range_text(first + place, first + self.at).to_owned()
    }

    /// The tokens up to the next comma outside of parentheses, or to the end.
    pub(super) fn until_comma(&mut self) -> &'a [TokenWithSpan] {
        let start = self.at;
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.since(start)
    }

    /// All tokens that are left.
    pub(super) fn rest(&mut self) -> &'a [TokenWithSpan] {
        let rest = self.own.get(self.at..).unwrap_or_default();
        self.at = self.own.len();
        rest
    }

    /// Whether the word is among the tokens that are left, outside of parentheses.
    pub(super) fn has_word_outside(&self, word: &str) -> bool {
        let mut depth = 0usize;
        self.own.iter().skip(self.at).any(|token| {
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(found) if depth == 0 => {
                    return found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word);
                }
                _ => {}
            }
            false
        })
    }

    /// `syntax error` at the next token.
    pub(super) fn syntax_error(&self) -> SqlError {
        let (first, end) = token_range(self.own);
        let index = first + self.at;
        if index < end || end < self.tokens.len() {
            self.tokens.syntax_error(index)
        } else {
            self.tokens.syntax_error_at_end()
        }
    }

    /// Position of the next token: characters, counted from 1.
    pub(super) fn position(&self) -> u32 {
        let (first, _) = token_range(self.own);
        self.tokens.position(first + self.at).unwrap_or(1)
    }

    /// An identifier; keywords that PostgreSQL reserves are refused.
    pub(super) fn identifier(&mut self) -> SqlResult<String> {
        match self.peek() {
            Some(Token::Word(word)) if word.quote_style.is_some() && word.value.is_empty() => {
                let message = "zero-length delimited identifier at or near \"\"\"\"";
                Err(SqlError::new(SYNTAX_ERROR, message).with_position(self.position()))
            }
            Some(Token::Word(word)) if word.quote_style.is_some() || is_column_name(&word.value) => {
                self.at += 1;
                Ok(fold_identifier(&word.value, word.quote_style.is_some()))
            }
            _ => Err(self.syntax_error()),
        }
    }

    pub(super) fn identifier_at(&mut self) -> SqlResult<NamedAt> {
        let position = self.position();
        Ok(NamedAt { name: self.identifier()?, position })
    }

    /// Any word, reserved or not, in lower case.
    pub(super) fn word(&mut self) -> SqlResult<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(fold_identifier(&word.value, word.quote_style.is_some()))
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// `[schema.]name`.
    pub(super) fn qualified_name(&mut self) -> SqlResult<QualifiedName> {
        let position = self.position();
        let first = self.identifier()?;
        if !self.take_symbol(&Token::Period) {
            return Ok(QualifiedName { schema: None, name: first, position });
        }
        let name = self.word()?;
        if self.peek() == Some(&Token::Period) {
            return Err(SqlError::unsupported("a reference to another database").with_position(position));
        }
        Ok(QualifiedName { schema: Some(first), name, position })
    }

    /// A string constant.
    pub(super) fn string(&mut self) -> SqlResult<String> {
        let text = match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => text.clone(),
            Some(Token::UnicodeStringLiteral(text)) => text.clone(),
            Some(Token::DollarQuotedString(quoted)) => quoted.value.clone(),
            _ => return Err(self.syntax_error()),
        };
        self.at += 1;
        Ok(text)
    }

    /// `(name, ...)`, if a parenthesis is next.
    pub(super) fn column_list(&mut self) -> SqlResult<Vec<NamedAt>> {
        let mut columns = Vec::new();
        if self.take_symbol(&Token::LParen) {
            loop {
                columns.push(self.identifier_at()?);
                if !self.take_symbol(&Token::Comma) {
                    break;
                }
            }
            self.expect_symbol(&Token::RParen)?;
        }
        Ok(columns)
    }

    /// The items of `(a, b, ...)`: takes the parentheses and gives the tokens between its commas.
    pub(super) fn parenthesized_items(&mut self) -> SqlResult<Vec<&'a [TokenWithSpan]>> {
        self.expect_symbol(&Token::LParen)?;
        let mut items = Vec::new();
        let mut depth = 0usize;
        let mut start = self.at;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen if depth == 0 => {
                    if start == self.at {
                        return Err(self.syntax_error());
                    }
                    items.push(&self.own[start..self.at]);
                    self.at += 1;
                    return Ok(items);
                }
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => {
                    if start == self.at {
                        return Err(self.syntax_error());
                    }
                    items.push(&self.own[start..self.at]);
                    start = self.at + 1;
                }
                _ => {}
            }
            self.at += 1;
        }
        Err(self.syntax_error())
    }

    pub(super) fn expression(&self, own: &[TokenWithSpan]) -> SqlResult<ast::Expr> {
        expression_of(self.tokens, own.to_vec())
    }

    /// All tokens that are left, as an expression.
    pub(super) fn rest_as_expression(&mut self) -> SqlResult<ast::Expr> {
        let rest = &self.own[self.at.min(self.own.len())..];
        if rest.is_empty() {
            return Err(self.syntax_error());
        }
        self.at = self.own.len();
        expression_of(self.tokens, rest.to_vec())
    }

    pub(super) fn data_type(&self, own: &[TokenWithSpan]) -> SqlResult<ast::DataType> {
        data_type_of(self.tokens, own.to_vec())
    }

    /// All tokens that are left, as a statement.
    pub(super) fn rest_as_statement(&mut self) -> SqlResult<Parsed> {
        let rest = &self.own[self.at.min(self.own.len())..];
        self.at = self.own.len();
        self.statement(rest)
    }

    /// The tokens in parentheses that come next, as a statement.
    pub(super) fn parenthesized_statement(&mut self) -> SqlResult<Parsed> {
        self.expect_symbol(&Token::LParen)?;
        let start = self.at;
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => {
                    let own = &self.own[start..self.at];
                    let parsed = self.statement(own)?;
                    self.at += 1;
                    return Ok(parsed);
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Err(self.syntax_error())
    }

    /// Some tokens as a statement.
    pub(super) fn statement(&self, own: &[TokenWithSpan]) -> SqlResult<Parsed> {
        if own.is_empty() {
            return Err(self.syntax_error());
        }
        parse_one(self.tokens, own.to_vec())
    }
}
