//! Forms of expressions and of SELECT that `sqlparser` does not know, written so that it does. Where there is no other
//! form, a name tells that no statement can contain.
//!
//! ```text
//! trim(leading from b)                 ltrim(b)
//! substring(x similar y escape z)      substring(x, y, z)
//! substring(x for 3 from 2)            substring(x from 2 for 3)
//! a BETWEEN SYMMETRIC b AND c          a BETWEEN <symmetric>(b) AND c
//! (c).*, (c).d.*                       <all fields>(c), <all fields>((c).d)
//! t.*::r, t.* IS NULL, t.* = x         t::r, t IS NULL, t = x
//! name 'x', pg_catalog.int4 '5'        'x'::name, '5'::pg_catalog.int4
//! SELECT WHERE true                    SELECT <nothing> WHERE true
//! FETCH FIRST (1 + 1) ROWS WITH TIES   LIMIT <with ties>((1 + 1))
//! ```

use super::look::{is, is_token};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The function around the lower bound of BETWEEN SYMMETRIC.
pub(crate) const SYMMETRIC: &str = "\u{1}symmetric";
/// The function around a record whose fields `.*` stands for.
pub(crate) const ALL_FIELDS: &str = "\u{1}all fields";
/// The only item of a select list that has none.
pub(crate) const NOTHING: &str = "\u{1}nothing";
/// The function around a row count that is meant with ties.
pub(crate) const WITH_TIES: &str = "\u{1}with ties";

/// Rewrites all of these forms.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < own.len() {
        if is_token(own, at + 1, &Token::LParen) {
            if is(own, at, "trim") {
                rewrite_trim(own, at);
            } else if is(own, at, "substring") {
                rewrite_substring(own, at);
            }
        }
        if is(own, at, "between") {
            rewrite_between(own, at);
        } else if is(own, at, "select") {
            rewrite_empty_list(own, at);
        } else if is(own, at, "fetch") {
            rewrite_fetch(own, at);
        } else if is_token(own, at, &Token::Period) && is_token(own, at + 1, &Token::Mul) {
            rewrite_row(own, at);
        } else {
            rewrite_typed_string(own, at);
        }
        at += 1;
    }
}

/// `.*` behind something: behind the name of a table in an expression its row, behind a record its fields.
fn rewrite_row(own: &mut Vec<TokenWithSpan>, period: usize) {
    let Some(first) = start_of_path(own, period) else {
        let follows = |token: &Token| is_token(own, period + 2, token);
        let is_operand = follows(&Token::DoubleColon)
            || is(own, period + 2, "is")
            || [Token::Eq, Token::Neq, Token::Lt, Token::Gt, Token::LtEq, Token::GtEq].iter().any(follows);
        if is_operand {
            own.drain(period..period + 2);
        }
        return;
    };
    own[period].token = Token::RParen;
    own.remove(period + 1);
    insert(own, first, Token::LParen);
    insert(own, first, marker(ALL_FIELDS));
}

/// Where the record begins that a period stands behind: at a parenthesis, or at a name with brackets. `None` when there are
/// nothing but names.
fn start_of_path(own: &[TokenWithSpan], period: usize) -> Option<usize> {
    let mut at = period.checked_sub(1)?;
    let mut is_value = false;
    loop {
        match &own.get(at)?.token {
            Token::RBracket => {
                is_value = true;
                at = opening(own, at)?.checked_sub(1)?;
            }
            Token::RParen => return opening(own, at),
            Token::Word(_) => match at.checked_sub(1) {
                Some(before) if is_token(own, before, &Token::Period) => at = before.checked_sub(1)?,
                _ => return is_value.then_some(at),
            },
            _ => return None,
        }
    }
}

/// The opening parenthesis or bracket of a closing one.
fn opening(own: &[TokenWithSpan], closing: usize) -> Option<usize> {
    let mut depth = 0usize;
    for at in (0..=closing).rev() {
        match own.get(at).map(|token| &token.token) {
            Some(Token::RParen | Token::RBracket) => depth += 1,
            Some(Token::LParen | Token::LBracket) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn is_any(own: &[TokenWithSpan], at: usize, words: &[&str]) -> bool {
    words.iter().any(|word| is(own, at, word))
}

fn marker(name: &str) -> Token {
    Token::make_word(name, Some('"'))
}

/// Puts a token in front of the one at `at`, at its place.
fn insert(own: &mut Vec<TokenWithSpan>, at: usize, token: Token) {
    let Some(span) = own.get(at).or(own.last()).map(|neighbour| neighbour.span) else { return };
    own.insert(at.min(own.len()), TokenWithSpan { token, span });
}

/// The first token from `from` on, outside of parentheses, that `wanted` takes; none behind the closing parenthesis.
fn find_outside(own: &[TokenWithSpan], from: usize, mut wanted: impl FnMut(usize) -> bool) -> Option<usize> {
    let mut depth = 0usize;
    for at in from..own.len() {
        if depth == 0 && wanted(at) {
            return Some(at);
        }
        match own.get(at).map(|token| &token.token) {
            Some(Token::LParen | Token::LBracket) => depth += 1,
            Some(Token::RParen | Token::RBracket) => depth = depth.checked_sub(1)?,
            Some(Token::Word(word)) if word.keyword == Keyword::CASE => depth += 1,
            Some(Token::Word(word)) if word.keyword == Keyword::END => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// `trim([LEADING | TRAILING | BOTH] FROM a, b)`: a plain call.
fn rewrite_trim(own: &mut Vec<TokenWithSpan>, at: usize) {
    let side = is_any(own, at + 2, &["leading", "trailing", "both"]);
    let from = at + 2 + usize::from(side);
    if !is(own, from, "from") {
        return;
    }
    let name = match () {
        () if is(own, at + 2, "leading") => "ltrim",
        () if is(own, at + 2, "trailing") => "rtrim",
        () => "btrim",
    };
    own[at].token = Token::make_word(name, None);
    own.drain(at + 2..=from);
}

fn rewrite_substring(own: &mut [TokenWithSpan], at: usize) {
    let from = at + 2;
    let outside = |word: &'static str| find_outside(own, from, |at| is(own, at, word));
    if let (Some(similar), Some(escape)) = (outside("similar"), outside("escape"))
        && similar < escape
        && !is(own, similar + 1, "to")
    {
        own[similar].token = Token::Comma;
        own[escape].token = Token::Comma;
    } else if let (Some(count), Some(start)) = (outside("for"), outside("from"))
        && count < start
        && let Some(close) = find_outside(own, start, |at| is_token(own, at, &Token::RParen))
    {
        own[count..close].rotate_left(start - count);
    }
}

fn rewrite_between(own: &mut Vec<TokenWithSpan>, at: usize) {
    if is(own, at + 1, "asymmetric") {
        own.remove(at + 1);
    } else if is(own, at + 1, "symmetric")
        && let Some(and) = find_outside(own, at + 2, |at| is(own, at, "and"))
    {
        insert(own, and, Token::RParen);
        own[at + 1].token = marker(SYMMETRIC);
        insert(own, at + 2, Token::LParen);
    }
}

/// A select list without items; `sqlparser` knows it in front of FROM.
fn rewrite_empty_list(own: &mut Vec<TokenWithSpan>, at: usize) {
    const FOLLOWERS: [&str; 13] = [
        "where",
        "union",
        "except",
        "intersect",
        "order",
        "limit",
        "group",
        "having",
        "window",
        "fetch",
        "offset",
        "for",
        "into",
    ];
    let next = at + 1;
    if next >= own.len() || is_token(own, next, &Token::RParen) || is_any(own, next, &FOLLOWERS) {
        let Some(span) = own.get(at).map(|token| token.span) else { return };
        own.insert(next, TokenWithSpan { token: marker(NOTHING), span });
    }
}

/// `FETCH FIRST` with a count in parentheses or with a sign.
fn rewrite_fetch(own: &mut Vec<TokenWithSpan>, at: usize) {
    let first = at + 2;
    let starts = [Token::LParen, Token::Minus, Token::Plus].iter().any(|token| is_token(own, first, token));
    if !is_any(own, at + 1, &["first", "next"]) || !starts {
        return;
    }
    let Some(rows) = find_outside(own, first, |at| is_any(own, at, &["row", "rows"])) else { return };
    let with_ties = is(own, rows + 1, "with") && is(own, rows + 2, "ties");
    if !with_ties && !is(own, rows + 1, "only") {
        return;
    }
    own.drain(rows..rows + if with_ties { 3 } else { 2 });
    own[at].token = Token::make_word("LIMIT", None);
    if with_ties {
        insert(own, rows, Token::RParen);
        own[at + 1].token = marker(WITH_TIES);
        insert(own, first, Token::LParen);
    } else {
        own.remove(at + 1);
    }
}

/// A type's name, of those that are no keywords of `sqlparser`, with a string behind it.
fn rewrite_typed_string(own: &mut Vec<TokenWithSpan>, at: usize) {
    const TYPES: [&str; 4] = ["name", "oid", "bpchar", "char"];
    let is_string = |at: usize| {
        matches!(
            own.get(at).map(|token| &token.token),
            Some(Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_))
        )
    };
    let names_type = match own.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_some() => TYPES.contains(&word.value.as_str()),
        Some(Token::Word(word)) => {
            let qualified = at.checked_sub(1).is_some_and(|before| is_token(own, before, &Token::Period));
            qualified
                || word.keyword == Keyword::NoKeyword
                || TYPES.iter().take(3).any(|name| word.value.eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    if !names_type || !is_string(at + 1) {
        return;
    }
    let mut first = at;
    while first >= 2 && is_token(own, first - 1, &Token::Period) && matches!(own[first - 2].token, Token::Word(_)) {
        first -= 2;
    }
    let string = own.remove(at + 1);
    own.insert(first, TokenWithSpan { token: Token::DoubleColon, span: string.span });
    own.insert(first, string);
}
