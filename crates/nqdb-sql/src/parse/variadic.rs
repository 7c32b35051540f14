//! Arguments of calls that `sqlparser` does not know: `f(a, VARIADIC b)` as `f(a, <variadic>(b))` (see `from_clause` for such
//! names), and `f(a := b)`, the older form of `f(a => b)`.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The function that stands for the word VARIADIC.
pub(crate) const VARIADIC: &str = "\u{1}variadic";

/// Rewrites all of them. VARIADIC is reserved for types and functions, so behind a parenthesis or a comma it can be
/// a column only where no expression follows it.
pub(super) fn rewrite(own: &mut Vec<TokenWithSpan>) {
    for token in own.iter_mut().filter(|token| token.token == Token::Assignment) {
        token.token = Token::RArrow;
    }
    let mut at = 1;
    while at + 1 < own.len() {
        if is_variadic(own, at)
            && let Some(close) = closing(own, at)
        {
            let span = own[at].span;
            own[at].token = Token::make_word(VARIADIC, Some('"'));
            own.insert(close, TokenWithSpan { token: Token::RParen, span: own[close].span });
            own.insert(at + 1, TokenWithSpan { token: Token::LParen, span });
        }
        at += 1;
    }
}

fn is_variadic(own: &[TokenWithSpan], at: usize) -> bool {
    let is_word = matches!(&own[at].token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("variadic"));
    let starts = matches!(own[at - 1].token, Token::LParen | Token::Comma);
    let is_name = matches!(own[at + 1].token, Token::Comma | Token::RParen | Token::Period | Token::Eq);
    is_word && starts && !is_name
}

/// The parenthesis that ends the arguments.
fn closing(own: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in own.iter().enumerate().skip(from + 1) {
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket if depth == 0 => return Some(at),
            Token::RParen | Token::RBracket => depth -= 1,
            _ => {}
        }
    }
    None
}
