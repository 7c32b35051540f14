//! FOR UPDATE and its relatives, all of whose forms are written as the one that `sqlparser` knows: the mode and the tables
//! become the parts of one name.
//!
//! ```text
//! FOR NO KEY UPDATE OF a, b NOWAIT     FOR UPDATE OF <no key update>.a.b NOWAIT
//! ```

use super::look::is;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The modes as the first part of the name spells them.
pub(crate) const LOCK_MODES: [&str; 4] =
    ["\u{1}for update", "\u{1}for no key update", "\u{1}for share", "\u{1}for key share"];

/// Words of each mode, in the order of [`LOCK_MODES`].
const WORDS: [&[&str]; 4] = [&["update"], &["no", "key", "update"], &["share"], &["key", "share"]];

/// Rewrites all locking clauses.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < own.len() {
        if is(own, at, "for")
            && let Some(mode) = WORDS.iter().position(|words| follows(own, at + 1, words))
            && stands_in_query(own, at)
        {
            rewrite_clause(own, at, mode);
        }
        at += 1;
    }
}

fn follows(own: &[TokenWithSpan], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(offset, word)| is(own, at + offset, word))
}

/// Whether the innermost parenthesis around a token holds a query, and not the arguments of `substring(a FOR share)`.
pub(super) fn stands_in_query(own: &[TokenWithSpan], at: usize) -> bool {
    let mut depth = 0usize;
    for before in (0..at).rev() {
        match own.get(before).map(|token| &token.token) {
            Some(Token::RParen) => depth += 1,
            Some(Token::LParen) if depth == 0 => {
                let starts = ["select", "with", "values", "table"].iter().any(|word| is(own, before + 1, word));
                return starts || own.get(before + 1).is_some_and(|token| token.token == Token::LParen);
            }
            Some(Token::LParen) => depth -= 1,
            _ => {}
        }
    }
    true
}

/// `at` is the FOR.
fn rewrite_clause(own: &mut Vec<TokenWithSpan>, at: usize, mode: usize) {
    let Some(span) = own.get(at).map(|token| token.span) else { return };
    let first = at + 1;
    let end = first + WORDS.get(mode).map_or(0, |words| words.len());
    let token = |token: Token| TokenWithSpan { token, span };
    let mut written = vec![
        token(Token::make_word("UPDATE", None)),
        token(Token::make_word("OF", None)),
        token(Token::make_word(LOCK_MODES.get(mode).copied().unwrap_or_default(), Some('"'))),
    ];
    let mut next = end;
    if is(own, end, "of") {
        next += 1;
        while let Some(table) = own.get(next).filter(|token| matches!(token.token, Token::Word(_))) {
            written.extend([token(Token::Period), table.clone()]);
            next += 1;
            if own.get(next).is_some_and(|token| token.token == Token::Comma) {
                next += 1;
            } else {
                break;
            }
        }
    }
    own.splice(first..next, written);
}
