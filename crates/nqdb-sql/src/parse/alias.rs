//! Words that are names by their place, whatever they mean elsewhere: behind AS in a select list (`SELECT 1 AS select`), and
//! behind a period (`t.table`). They get quotes, so that nobody who looks at the tokens later takes them for something else.

use super::leading::CLAUSES;
use super::look::{is, is_word};
use crate::names::is_reserved_word;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts quotes around the aliases of all select lists and of RETURNING, and around reserved words behind periods.
pub(super) fn quote(own: &mut [TokenWithSpan]) {
    // Whether the innermost parentheses, and those around them, are in a list.
    let mut in_list = vec![false];
    for at in 0..own.len() {
        let Some(token) = own.get(at) else { return };
        let here = in_list.last().is_some_and(|here| *here);
        match &token.token {
            Token::Period => quote_word(own, at + 1, is_reserved_word),
            Token::LParen | Token::LBracket => in_list.push(false),
            Token::RParen | Token::RBracket if in_list.len() > 1 => drop(in_list.pop()),
            Token::Word(_) if here && is_word(token, "as") => quote_word(own, at + 1, |_| true),
            Token::Word(_) if is_word(token, "select") || is_word(token, "returning") => set_last(&mut in_list, true),
            Token::Word(_) if here && ends_list(own, at) => set_last(&mut in_list, false),
            _ => {}
        }
    }
}

fn set_last(in_list: &mut [bool], value: bool) {
    if let Some(last) = in_list.last_mut() {
        *last = value;
    }
}

/// FROM that is part of an expression ends nothing: `a IS DISTINCT FROM b`.
fn ends_list(own: &[TokenWithSpan], at: usize) -> bool {
    let Some(token) = own.get(at) else { return false };
    let is_distinct_from = at.checked_sub(1).is_some_and(|before| is(own, before, "distinct"));
    !is_distinct_from && (is_word(token, "into") || CLAUSES.iter().any(|word| is_word(token, word)))
}

fn quote_word(own: &mut [TokenWithSpan], at: usize, is_meant: impl Fn(&str) -> bool) {
    if let Some(TokenWithSpan { token: Token::Word(word), .. }) = own.get_mut(at)
        && word.quote_style.is_none()
        && is_meant(&word.value)
    {
        word.value.make_ascii_lowercase();
        word.quote_style = Some('"');
    }
}
