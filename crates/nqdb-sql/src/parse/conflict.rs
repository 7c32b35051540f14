//! Targets of ON CONFLICT that `sqlparser` does not know: expressions, collations, operator classes, and a condition.
//!
//! ```text
//! ON CONFLICT (lower(a), b) WHERE c > 0 DO ..        ON CONFLICT (<target 0>) DO ..      and, beside it, the target
//! ```

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Tokens;
use super::cursor::Cursor;
use super::index;
use crate::definition::IndexText;
use crate::statement::ConflictInference;

/// Begins the name that stands for a target; its number follows.
pub(crate) const CONFLICT_TARGET: &str = "\u{1}conflict target ";

/// Takes the targets out of a statement; one of plain columns stays where it is.
pub(super) fn take_targets(tokens: &Arc<Tokens>, own: &mut Vec<TokenWithSpan>) -> SqlResult<Vec<ConflictInference>> {
    let mut targets = Vec::new();
    let mut at = 1;
    while at + 1 < own.len() {
        if is(own, at - 1, "on") && is(own, at, "conflict") && token(own, at + 1) == Some(&Token::LParen) {
            let end = end_of_target(own, at + 1);
            let written = own.get(at + 1..end).unwrap_or_default();
            if !is_column_list(written) {
                let target = parse(&mut Cursor::new(tokens, written))?;
                let name = Token::make_word(&format!("{CONFLICT_TARGET}{}", targets.len()), Some('"'));
                targets.push(target);
                let span = own[at + 1].span;
                let marker = [Token::LParen, name, Token::RParen].map(|token| TokenWithSpan { token, span });
                own.splice(at + 1..end, marker);
            }
        }
        at += 1;
    }
    Ok(targets)
}

fn token(own: &[TokenWithSpan], at: usize) -> Option<&Token> {
    own.get(at).map(|token| &token.token)
}

fn is(own: &[TokenWithSpan], at: usize, word: &str) -> bool {
    matches!(token(own, at), Some(Token::Word(found))
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// The DO behind a target that begins here, or the end.
fn end_of_target(own: &[TokenWithSpan], start: usize) -> usize {
    let mut depth = 0usize;
    for at in start..own.len() {
        match token(own, at) {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth = depth.saturating_sub(1),
            _ if depth == 0 && is(own, at, "do") && (is(own, at + 1, "nothing") || is(own, at + 1, "update")) => {
                return at;
            }
            _ => {}
        }
    }
    own.len()
}

fn is_column_list(written: &[TokenWithSpan]) -> bool {
    let [_, inner @ .., last] = written else { return true };
    last.token == Token::RParen
        && inner.iter().enumerate().all(|(at, token)| match at % 2 {
            0 => matches!(token.token, Token::Word(_)),
            _ => token.token == Token::Comma,
        })
}

fn parse(cursor: &mut Cursor<'_>) -> SqlResult<ConflictInference> {
    let parts = index::parts(cursor)?;
    let predicate: Option<IndexText> = if cursor.take("where") { Some(index::rest_as_text(cursor)?) } else { None };
    cursor.finish()?;
    Ok(ConflictInference { parts, predicate })
}
