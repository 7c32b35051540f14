//! Places of queries that `sqlparser` does not know, written so that it does. A name that no statement can contain is the
//! alias of what is put around them.
//!
//! ```text
//! ((SELECT a) UNION SELECT b)          (SELECT * FROM (SELECT a) AS <query> UNION SELECT b)
//! x = ANY (VALUES (1), (2))            x = ANY (SELECT * FROM (VALUES (1), (2)) AS <query>)
//! MERGE INTO t USING a JOIN b ON c ON d    MERGE INTO t USING (a JOIN b ON c) ON d
//! ```

use super::look::{is, is_token};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The alias of a query in parentheses.
const QUERY: &str = "\u{1}query";

/// Rewrites all of these forms.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    if is(own, 0, "merge") || is(own, 0, "with") {
        put_joined_source_in_parentheses(own);
    }
    let mut at = 0;
    while at + 1 < own.len() {
        if is_set_operation_of_query(own, at) {
            if let Some(close) = closing(own, at + 1) {
                put_around(own, at + 1, close + 1);
            }
        } else if ["any", "some", "all"].iter().any(|word| is(own, at, word))
            && is_token(own, at + 1, &Token::LParen)
            && is(own, at + 2, "values")
            && let Some(close) = closing(own, at + 1)
        {
            let span = own[close].span;
            own.insert(close, TokenWithSpan { token: Token::RParen, span });
            own.insert(at + 2, TokenWithSpan { token: Token::LParen, span });
            put_around(own, at + 2, close + 2);
        }
        at += 1;
    }
}

/// `((query) UNION`: a parenthesis, and behind it a query in parentheses of its own that a set operation follows.
fn is_set_operation_of_query(own: &[TokenWithSpan], at: usize) -> bool {
    if !is_token(own, at, &Token::LParen) || !is_token(own, at + 1, &Token::LParen) {
        return false;
    }
    let mut first = at + 2;
    while is_token(own, first, &Token::LParen) {
        first += 1;
    }
    let starts_query = ["select", "values", "table", "with"].iter().any(|word| is(own, first, word));
    starts_query
        && closing(own, at + 1)
            .is_some_and(|close| ["union", "intersect", "except"].iter().any(|operation| is(own, close + 1, operation)))
}

/// The parenthesis that closes the one at `open`.
fn closing(own: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in own.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 1 => return Some(at),
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Makes `SELECT * FROM (query) AS <query>` of the query in parentheses from `open` up to `end`.
fn put_around(own: &mut Vec<TokenWithSpan>, open: usize, end: usize) {
    let Some(span) = own.get(open).map(|token| token.span) else { return };
    let at = |token: Token| TokenWithSpan { token, span };
    own.splice(end..end, [at(Token::make_word("AS", None)), at(Token::make_word(QUERY, Some('"')))]);
    let head = [Token::make_word("SELECT", None), Token::Mul, Token::make_word("FROM", None)];
    own.splice(open..open, head.map(at));
}

/// The source of MERGE, where it is a join. The condition of MERGE is what the last ON before its first WHEN says.
fn put_joined_source_in_parentheses(own: &mut Vec<TokenWithSpan>) {
    let mut depth = 0usize;
    let mut cases = 0usize;
    let mut merge = false;
    let (mut using, mut joins, mut condition) = (None, false, None);
    for at in 0..own.len() {
        match own[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if is(own, at, "merge") && is(own, at + 1, "into") => merge = true,
            _ if !merge => {}
            _ if is(own, at, "using") && using.is_none() => using = Some(at),
            _ if is(own, at, "join") && using.is_some() => joins = true,
            _ if is(own, at, "on") && using.is_some() => condition = Some(at),
            _ if is(own, at, "case") => cases += 1,
            _ if is(own, at, "end") => cases = cases.saturating_sub(1),
            _ if is(own, at, "when") && cases == 0 => break,
            _ => {}
        }
    }
    if let (Some(using), true, Some(condition)) = (using, joins, condition) {
        let span = own[using].span;
        own.insert(condition, TokenWithSpan { token: Token::RParen, span });
        own.insert(using + 1, TokenWithSpan { token: Token::LParen, span });
    }
}
