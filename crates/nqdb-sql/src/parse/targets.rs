//! Subscripts and fields behind the columns that INSERT and UPDATE assign to, which `sqlparser` does not know there.
//!
//! ```text
//! UPDATE t SET a[1] = 5, (b[2:3], c.f) = (..)      UPDATE t SET a = 5, (b, c) = (..)      and, beside it, what stands
//! INSERT INTO t (a[1], b.f) VALUES ..              INSERT INTO t (a, b) VALUES ..         behind the tokens `a`, `b`, `c`
//! ```
//!
//! Brackets and fields are taken out of the tokens and parsed as those of an expression; the binder finds them by the
//! number of the token that names the column.

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;
use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Tokens, expression_of};
use crate::statement::TargetPath;

/// Takes all of them out of a statement.
pub(super) fn take_paths(tokens: &Arc<Tokens>, own: &mut Vec<TokenWithSpan>) -> SqlResult<Vec<TargetPath>> {
    let mut targets = Targets { tokens, own, found: Vec::new() };
    if !targets.own.iter().any(|token| matches!(token.token, Token::LBracket | Token::Period)) {
        return Ok(targets.found);
    }
    let mut at = 0;
    while at < targets.own.len() {
        if targets.is_word(at, "set") {
            targets.assignments(at + 1)?;
        } else if targets.is_word(at, "insert") && targets.is_word(at + 1, "into") {
            targets.columns(at + 2)?;
        }
        at += 1;
    }
    Ok(targets.found)
}

struct Targets<'t> {
    tokens: &'t Arc<Tokens>,
    own: &'t mut Vec<TokenWithSpan>,
    found: Vec<TargetPath>,
}

impl Targets<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        self.own.get(at).map(|token| &token.token)
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        matches!(self.token(at), Some(Token::Word(found))
            if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }

    fn is_name(&self, at: usize) -> bool {
        matches!(self.token(at), Some(Token::Word(_)))
    }

    /// The assignments of SET.
    fn assignments(&mut self, mut at: usize) -> SqlResult<()> {
        loop {
            match self.token(at) {
                Some(Token::LParen) => self.names(at + 1)?,
                _ => self.name(at)?,
            }
            let mut depth = 0usize;
            loop {
                match self.token(at) {
                    None | Some(Token::SemiColon) => return Ok(()),
                    Some(Token::LParen | Token::LBracket) => depth += 1,
                    Some(Token::RParen | Token::RBracket) if depth == 0 => return Ok(()),
                    Some(Token::RParen | Token::RBracket) => depth -= 1,
                    Some(Token::Comma) if depth == 0 => break,
                    _ if depth == 0 && ["where", "from", "returning"].iter().any(|word| self.is_word(at, word)) => {
                        return Ok(());
                    }
                    _ => {}
                }
                at += 1;
            }
            at += 1;
        }
    }

    /// The column list of INSERT, behind the table's name and alias.
    fn columns(&mut self, mut at: usize) -> SqlResult<()> {
        /// What begins the source, where there are no columns.
        const SOURCES: [&str; 6] = ["values", "select", "default", "overriding", "with", "table"];
        while self.is_name(at) || self.token(at) == Some(&Token::Period) {
            if SOURCES.iter().any(|word| self.is_word(at, word)) {
                return Ok(());
            }
            at += 1;
        }
        if self.token(at) == Some(&Token::LParen) { self.names(at + 1) } else { Ok(()) }
    }

    /// Names with commas between them, up to the parenthesis.
    fn names(&mut self, mut at: usize) -> SqlResult<()> {
        while self.is_name(at) {
            self.name(at)?;
            at += 1;
            if self.token(at) != Some(&Token::Comma) {
                return Ok(());
            }
            at += 1;
        }
        Ok(())
    }

    /// Takes the brackets and fields behind a name.
    fn name(&mut self, at: usize) -> SqlResult<()> {
        if !self.is_name(at) || !matches!(self.token(at + 1), Some(Token::LBracket | Token::Period)) {
            return Ok(());
        }
        let mut end = at + 1;
        let mut depth = 0usize;
        while let Some(token) = self.token(end) {
            match token {
                Token::LBracket => depth += 1,
                Token::RBracket => depth = depth.saturating_sub(1),
                Token::Period if depth == 0 && self.is_name(end + 1) => end += 1,
                _ if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        let taken = self.own.get(at..end).unwrap_or_default();
        let Some((name, rest)) = taken.split_first() else { return Ok(()) };
        let number = Tokens::index_of(name.span).unwrap_or(0);
        let enclose = |token: Token| TokenWithSpan { token, span: name.span };
        let written =
            [enclose(Token::LParen), name.clone(), enclose(Token::RParen)].into_iter().chain(rest.iter().cloned());
        if let ast::Expr::CompoundFieldAccess { access_chain, .. } = expression_of(self.tokens, written.collect())? {
            self.found.push(TargetPath { name: number, steps: access_chain });
            self.own.drain(at + 1..end);
        }
        Ok(())
    }
}
