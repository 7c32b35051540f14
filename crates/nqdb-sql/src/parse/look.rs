//! Looks at the tokens of a statement: a word without quotes, in any case, or a symbol.

use sqlparser::tokenizer::{Token, TokenWithSpan};

pub(super) fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Whether a word stands at a place.
pub(super) fn is(own: &[TokenWithSpan], at: usize, word: &str) -> bool {
    own.get(at).is_some_and(|token| is_word(token, word))
}

/// Whether a symbol stands at a place.
pub(super) fn is_token(own: &[TokenWithSpan], at: usize, token: &Token) -> bool {
    own.get(at).is_some_and(|found| found.token == *token)
}
