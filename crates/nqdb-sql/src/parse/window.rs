//! Window specifications: what `sqlparser` does not know of them, and where they stand.
//!
//! It knows neither EXCLUDE nor an offset that starts with a string. The first is taken out of the tokens, and
//! [`SpecPlace`] finds it again in the source; the second becomes an escape string, which means the same.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::look::is;
use super::tokens::Tokens;

/// Prepares the window specifications among the tokens of a statement.
pub(super) fn prepare(own: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < own.len() {
        if is(own, at, "exclude") {
            let len = exclusion_len(own, at);
            own.drain(at..at + len);
        }
        if ["rows", "range", "groups"].iter().any(|unit| is(own, at, unit)) {
            free_offsets(own, at + 1);
        }
        at += 1;
    }
}

/// Tokens of an EXCLUDE at the end of a frame clause, 0 when it is none.
fn exclusion_len(own: &[TokenWithSpan], at: usize) -> usize {
    let before = at.checked_sub(1);
    let ends_frame =
        before.is_some_and(|before| ["row", "preceding", "following"].iter().any(|word| is(own, before, word)));
    let words: usize = match () {
        () if is(own, at + 1, "current") && is(own, at + 2, "row") => 3,
        () if is(own, at + 1, "no") && is(own, at + 2, "others") => 3,
        () if is(own, at + 1, "group") || is(own, at + 1, "ties") => 2,
        () => 0,
    };
    let closes = own.get(at + words).is_some_and(|token| token.token == Token::RParen);
    if ends_frame && closes { words } else { 0 }
}

/// Spells the strings that a frame's offsets start with as escape strings.
fn free_offsets(own: &mut [TokenWithSpan], from: usize) {
    let start = from + usize::from(is(own, from, "between"));
    free_string(own, start);
    let mut depth = 0usize;
    for at in start..own.len() {
        match own.get(at).map(|token| &token.token) {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) if depth == 0 => return,
            Some(Token::RParen) => depth -= 1,
            Some(Token::Word(word)) if depth == 0 && word.value.eq_ignore_ascii_case("and") => {
                free_string(own, at + 1);
            }
            _ => {}
        }
    }
}

fn free_string(own: &mut [TokenWithSpan], at: usize) {
    if let Some(token) = own.get_mut(at)
        && let Token::SingleQuotedString(text) = &mut token.token
    {
        token.token = Token::EscapedStringLiteral(std::mem::take(text));
    }
}

/// Where a window specification stands in the source: its first token, a name or a parenthesis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpecPlace {
    first: usize,
}

impl SpecPlace {
    /// The specification behind the OVER of a call whose name is at `call`.
    pub(crate) fn of_call(tokens: &Tokens, call: usize) -> Option<SpecPlace> {
        let mut at = call;
        while !tokens.is(at, "(") {
            if at >= tokens.len() {
                return None;
            }
            at += 1;
        }
        while !tokens.is(at, "over") {
            if at >= tokens.len() {
                return None;
            }
            at = if tokens.is(at, "(") { close_paren(tokens, at)? + 1 } else { at + 1 };
        }
        Some(SpecPlace { first: at + 1 })
    }

    /// The specification behind `name AS` in a WINDOW clause.
    pub(crate) fn of_definition(name: usize) -> SpecPlace {
        SpecPlace { first: name + 2 }
    }

    /// Position of its first token.
    pub(crate) fn position(&self, tokens: &Tokens) -> Option<u32> {
        tokens.position(self.first)
    }

    /// The last words before its closing parenthesis that start with EXCLUDE, in lower case.
    pub(crate) fn exclusion(&self, tokens: &Tokens) -> Option<String> {
        let close = close_paren(tokens, self.first)?;
        [3, 2].iter().find_map(|len| {
            let start = close.checked_sub(*len).filter(|start| *start > self.first)?;
            let words: Vec<String> = (start + 1..close).map(|at| tokens.token_text(at).to_ascii_lowercase()).collect();
            (tokens.is(start, "exclude") && is_exclusion(&words)).then(|| words.join(" "))
        })
    }

    /// Position of the start bound, or of the end bound, of its frame clause.
    pub(crate) fn bound_position(&self, tokens: &Tokens, end: bool) -> Option<u32> {
        let close = close_paren(tokens, self.first)?;
        let mut at = self.first + 1;
        while at < close && !["rows", "range", "groups"].iter().any(|unit| tokens.is(at, unit)) {
            at = if tokens.is(at, "(") { close_paren(tokens, at)? + 1 } else { at + 1 };
        }
        let start = at + 1 + usize::from(tokens.is(at + 1, "between"));
        if !end {
            return tokens.position(start);
        }
        at = start;
        while at < close && !tokens.is(at, "and") {
            at = if tokens.is(at, "(") { close_paren(tokens, at)? + 1 } else { at + 1 };
        }
        tokens.position(at + 1)
    }
}

fn is_exclusion(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["group"] | ["ties"] | ["current", "row"] | ["no", "others"])
}

/// The parenthesis that closes the one at `open`.
fn close_paren(tokens: &Tokens, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for at in open..tokens.len() {
        match tokens.token_text(at) {
            "(" => depth += 1,
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
