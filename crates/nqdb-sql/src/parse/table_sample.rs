//! TABLESAMPLE with any method, arguments that are expressions and REPEATABLE over one, written as the call that `sqlparser`
//! takes for its argument.
//!
//! ```text
//! t TABLESAMPLE m (a)                       t TABLESAMPLE <sample>(m, a)
//! t TABLESAMPLE m (a) REPEATABLE (b)        t TABLESAMPLE <repeatable sample>(m, b, a)
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::look::{is, is_token};

/// The call of a sample: the method's name, then its arguments.
pub(crate) const SAMPLE: &str = "\u{1}sample";
/// With what is in REPEATABLE between them.
pub(crate) const REPEATABLE_SAMPLE: &str = "\u{1}repeatable sample";

/// Rewrites all samples.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    let mut at = 1;
    while at < own.len() {
        if is(own, at, "tablesample") && matches!(own.get(at + 1).map(|token| &token.token), Some(Token::Word(_))) {
            rewrite_one(own, at + 1);
        }
        at += 1;
    }
}

/// `at` is the method.
fn rewrite_one(own: &mut Vec<TokenWithSpan>, at: usize) {
    let Some(close) = closing(own, at + 1) else { return };
    let repeats = is(own, close + 1, "repeatable");
    let end = if repeats { closing(own, close + 2) } else { Some(close) };
    let (Some(end), Some(method)) = (end, own.get(at).cloned()) else { return };
    let written = |token: Token| TokenWithSpan { token, span: method.span };
    let arguments: Vec<TokenWithSpan> = own.get(at + 2..close).unwrap_or_default().to_vec();
    let mut call = Vec::with_capacity(end - at + 4);
    call.push(written(Token::make_word(if repeats { REPEATABLE_SAMPLE } else { SAMPLE }, Some('"'))));
    call.extend([written(Token::LParen), method.clone()]);
    if repeats {
        call.push(written(Token::Comma));
        call.extend(own.get(close + 3..end).unwrap_or_default().iter().cloned());
    }
    if !arguments.is_empty() {
        call.push(written(Token::Comma));
        call.extend(arguments);
    }
    call.push(written(Token::RParen));
    own.splice(at..=end, call);
}

/// The parenthesis that closes the one at `open`.
fn closing(own: &[TokenWithSpan], open: usize) -> Option<usize> {
    if !is_token(own, open, &Token::LParen) {
        return None;
    }
    let mut depth = 0usize;
    for (at, token) in own.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
