//! GROUP BY as `sqlparser` does not know it: grouping sets within grouping sets, and GROUP BY DISTINCT. They become
//! calls of functions whose names no statement can contain.
//!
//! ```text
//! GROUPING SETS ((a), ROLLUP (b))     <grouping sets>((a), <rollup>(b))
//! GROUP BY DISTINCT a, ()             GROUP BY <distinct>(), a, <grouping sets>()
//! ```

use super::look::{is, is_token};
use sqlparser::tokenizer::{Token, TokenWithSpan};

pub(crate) const GROUPING_SETS: &str = "\u{1}grouping sets";
pub(crate) const ROLLUP: &str = "\u{1}rollup";
pub(crate) const CUBE: &str = "\u{1}cube";
/// Stands in front of the items of GROUP BY DISTINCT.
pub(crate) const DISTINCT_SETS: &str = "\u{1}distinct";

/// Words that end a GROUP BY.
const ENDS: [&str; 10] =
    ["having", "window", "order", "limit", "offset", "fetch", "for", "union", "intersect", "except"];

/// Rewrites every GROUP BY of a statement.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at + 1 < own.len() {
        if is(own, at, "group") && is(own, at + 1, "by") {
            rewrite_quantifier(own, at + 2);
            rewrite_items(own, at + 2);
        }
        at += 1;
    }
}

fn marker(name: &str) -> Token {
    Token::make_word(name, Some('"'))
}

/// ALL says what is so anyway; DISTINCT becomes an item.
fn rewrite_quantifier(own: &mut Vec<TokenWithSpan>, at: usize) {
    if at + 1 >= own.len() {
        return;
    }
    if is(own, at, "all") {
        own.remove(at);
    } else if is(own, at, "distinct") {
        let span = own[at].span;
        let item = [marker(DISTINCT_SETS), Token::LParen, Token::RParen, Token::Comma];
        own.splice(at..=at, item.map(|token| TokenWithSpan { token, span }));
    }
}

fn rewrite_items(own: &mut Vec<TokenWithSpan>, from: usize) {
    let mut depth = 0usize;
    let mut at = from;
    while at < own.len() {
        let opens = is_token(own, at + 1, &Token::LParen);
        if is_token(own, at, &Token::LParen) {
            let before = at.checked_sub(1);
            let starts_item = before.is_some_and(|before| {
                before < from || is_token(own, before, &Token::Comma) || is_token(own, before, &Token::LParen)
            });
            if starts_item && is_token(own, at + 1, &Token::RParen) {
                let token = TokenWithSpan { token: marker(GROUPING_SETS), span: own[at].span };
                own.insert(at, token);
                at += 1;
            }
            depth += 1;
        } else if is_token(own, at, &Token::RParen) {
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return,
            }
        } else if depth == 0 && ENDS.iter().any(|word| is(own, at, word)) {
            return;
        } else if opens && is(own, at, "rollup") {
            own[at].token = marker(ROLLUP);
        } else if opens && is(own, at, "cube") {
            own[at].token = marker(CUBE);
        } else if is(own, at, "grouping") && is(own, at + 1, "sets") && is_token(own, at + 2, &Token::LParen) {
            own[at].token = marker(GROUPING_SETS);
            own.remove(at + 1);
        }
        at += 1;
    }
}
