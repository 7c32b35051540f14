//! Forms of FROM that `sqlparser` does not know, written so that it does. Each is told by a name that no statement can
//! contain, because it holds a control character that identifiers of PostgreSQL may have only between quotes, and that
//! we do not print.
//!
//! ```text
//! ROWS FROM (f(1), g(2))           <rows from>(f(1), g(2))
//! f(..) AS (a int, b text)         f(..) AS <no alias>(a int, b text)
//! JOIN t USING (a) AS u            JOIN t USING (a, <join alias>.u)
//! FROM ONLY t, UPDATE ONLY (t)     FROM t, UPDATE t: nothing inherits from a table
//! FROM t*, UPDATE t* SET ..        FROM t, UPDATE t
//! ```

use super::locking::stands_in_query;
use super::look::{is, is_token};
use crate::names::is_reserved_word;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The function that stands for ROWS FROM.
pub(crate) const ROWS_FROM: &str = "\u{1}rows from";
/// The alias of a function that has a column definition list and no alias.
pub(crate) const NO_ALIAS: &str = "\u{1}no alias";
/// The qualifier, among the columns of USING, of the alias behind them.
pub(crate) const JOIN_ALIAS: &str = "\u{1}join alias";

/// Rewrites all of these forms.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < own.len() {
        if is_only(own, at) {
            own.remove(at);
            if is_token(own, at, &Token::LParen) {
                own.remove(at);
                let close = own[at..].iter().position(|token| token.token == Token::RParen);
                own.remove(at + close.unwrap_or(0));
            }
        } else if is_star_of_table(own, at) {
            own.remove(at);
            continue;
        } else if is_rows_from(own, at) {
            own[at].token = marker(ROWS_FROM);
            own.remove(at + 1);
        } else if is_unnamed_definition_list(own, at) {
            let token = TokenWithSpan { token: marker(NO_ALIAS), span: own[at + 1].span };
            own.insert(at + 2, token);
        } else if let Some(close) = aliased_using(own, at) {
            move_alias(own, close);
        }
        at += 1;
    }
}

fn marker(name: &str) -> Token {
    Token::make_word(name, Some('"'))
}

fn is_word(own: &[TokenWithSpan], at: usize) -> bool {
    matches!(own.get(at).map(|token| &token.token), Some(Token::Word(_)))
}

/// `ONLY name` or `ONLY (name)` where a table may stand.
fn is_only(own: &[TokenWithSpan], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    let follows = ["from", "join", "update", "using", "into"].iter().any(|word| is(own, before, word))
        || is_token(own, before, &Token::Comma);
    if !follows || !is(own, at, "only") {
        return false;
    }
    if is_word(own, at + 1) {
        // It says already whether tables that inherit are meant.
        return !is_token(own, at + 2, &Token::Mul);
    }
    let mut close = at + 3;
    while is_token(own, close, &Token::Period) && is_word(own, close + 1) {
        close += 2;
    }
    is_token(own, at + 1, &Token::LParen) && is_word(own, at + 2) && is_token(own, close, &Token::RParen)
}

/// The `*` of `name*` where a table may stand, and not of a product: behind it is no operand.
fn is_star_of_table(own: &[TokenWithSpan], at: usize) -> bool {
    const FOLLOWING: [&str; 26] = [
        "as",
        "cross",
        "except",
        "fetch",
        "for",
        "full",
        "group",
        "having",
        "inner",
        "intersect",
        "join",
        "left",
        "limit",
        "natural",
        "offset",
        "on",
        "order",
        "returning",
        "right",
        "set",
        "tablesample",
        "union",
        "using",
        "when",
        "where",
        "window",
    ];
    if !is_token(own, at, &Token::Mul) || at < 2 || !is_word(own, at - 1) {
        return false;
    }
    let mut name = at - 1;
    while name >= 2 && is_token(own, name - 1, &Token::Period) && is_word(own, name - 2) {
        name -= 2;
    }
    let Some(before) = name.checked_sub(1) else { return false };
    let follows_table = ["from", "join", "update", "using", "into"].iter().any(|word| is(own, before, word))
        || is_token(own, before, &Token::Comma);
    let no_operand_follows = match own.get(at + 1).map(|token| &token.token) {
        None | Some(Token::RParen | Token::Comma) => true,
        // `left(` is a function.
        Some(Token::Word(_)) => {
            FOLLOWING.iter().any(|word| is(own, at + 1, word)) && !is_token(own, at + 2, &Token::LParen)
                || ["using", "on", "where", "having", "returning"].iter().any(|word| is(own, at + 1, word))
                || is_alias_of_star(own, before, at + 1)
        }
        Some(_) => false,
    };
    follows_table && no_operand_follows
}

/// Whether a name behind `name*` is an alias without AS: not in `extract(a FROM b * c)` or `a IS DISTINCT FROM b * c`.
fn is_alias_of_star(own: &[TokenWithSpan], before: usize, alias: usize) -> bool {
    let Some(Token::Word(word)) = own.get(alias).map(|token| &token.token) else { return false };
    let names_table = ["from", "join", "update"].iter().any(|word| is(own, before, word)) || in_from_list(own, before);
    let is_distinct = before > 0 && is(own, before - 1, "distinct");
    let may_be_name = word.quote_style.is_some() || !is_reserved_word(&word.value);
    names_table && may_be_name && !is_distinct && stands_in_query(own, before)
}

/// Whether a comma stands in a FROM list.
fn in_from_list(own: &[TokenWithSpan], comma: usize) -> bool {
    const CLAUSES: [&str; 9] = ["from", "select", "where", "by", "having", "set", "values", "returning", "window"];
    if !is_token(own, comma, &Token::Comma) {
        return false;
    }
    let mut depth = 0usize;
    for at in (0..comma).rev() {
        match own.get(at).map(|token| &token.token) {
            Some(Token::RParen) => depth += 1,
            Some(Token::LParen) if depth == 0 => return false,
            Some(Token::LParen) => depth -= 1,
            Some(Token::Word(_)) if depth == 0 => {
                if let Some(clause) = CLAUSES.iter().find(|clause| is(own, at, clause)) {
                    return *clause == "from" && !(at > 0 && is(own, at - 1, "distinct"));
                }
            }
            _ => {}
        }
    }
    false
}

/// `ROWS FROM (name(` where a table may stand; elsewhere `rows` is a column.
fn is_rows_from(own: &[TokenWithSpan], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    let follows =
        ["from", "join", "lateral"].iter().any(|word| is(own, before, word)) || is_token(own, before, &Token::Comma);
    let calls = is_token(own, at + 4, &Token::LParen) || is_token(own, at + 4, &Token::Period);
    follows
        && is(own, at, "rows")
        && is(own, at + 1, "from")
        && is_token(own, at + 2, &Token::LParen)
        && is_word(own, at + 3)
        && calls
}

/// `) AS (name type`: a call with a column definition list. `) AS (SELECT` is a WITH query.
fn is_unnamed_definition_list(own: &[TokenWithSpan], at: usize) -> bool {
    const QUERIES: [&str; 8] = ["select", "values", "with", "table", "insert", "update", "delete", "merge"];
    is_token(own, at, &Token::RParen)
        && is(own, at + 1, "as")
        && is_token(own, at + 2, &Token::LParen)
        && is_word(own, at + 3)
        && is_word(own, at + 4)
        && !QUERIES.iter().any(|word| is(own, at + 3, word))
}

/// `USING (a, b) AS name`: where its parenthesis closes. Anything but names in it is another USING.
fn aliased_using(own: &[TokenWithSpan], at: usize) -> Option<usize> {
    if !is(own, at, "using") || !is_token(own, at + 1, &Token::LParen) {
        return None;
    }
    let mut close = at + 2;
    while is_word(own, close) && is_token(own, close + 1, &Token::Comma) {
        close += 2;
    }
    close += 1;
    let is_list = is_word(own, close - 1) && is_token(own, close, &Token::RParen);
    (is_list && is(own, close + 1, "as") && is_word(own, close + 2)).then_some(close)
}

/// Moves the alias behind USING's parenthesis to the end of its list.
fn move_alias(own: &mut Vec<TokenWithSpan>, close: usize) {
    let alias = own.remove(close + 2);
    let keyword = own.remove(close + 1);
    let at = |token: Token| TokenWithSpan { token, span: keyword.span };
    own.splice(close..close, [at(Token::Comma), at(marker(JOIN_ALIAS)), at(Token::Period), alias]);
}
