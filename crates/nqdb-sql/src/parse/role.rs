//! CREATE and ALTER of roles and users, written as `sqlparser` knows them.
//!
//! `CREATE USER` is `CREATE ROLE` with LOGIN as the default, `ALTER USER` is `ALTER ROLE` (manual, CREATE USER);
//! `ENCRYPTED PASSWORD` is `PASSWORD`, since passwords are never stored in another way.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Tokens;

fn is(token: Option<&TokenWithSpan>, word: &str) -> bool {
    match token.map(|token| &token.token) {
        Some(Token::Word(found)) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// Rewrites the statement if it is about roles; 0A000 for UNENCRYPTED PASSWORD, at the word.
pub(super) fn rewrite(tokens: &Tokens, own: &mut Vec<TokenWithSpan>) -> SqlResult<()> {
    let creates = is(own.first(), "create");
    let is_user = is(own.get(1), "user");
    if !(creates || is(own.first(), "alter")) || !(is_user || is(own.get(1), "role")) {
        return Ok(());
    }
    take_encrypted(tokens, own)?;
    if is_user {
        own[1].token = Token::make_word("ROLE", None);
        if creates && !own.iter().any(|token| is(Some(token), "login") || is(Some(token), "nologin")) {
            let mut login = own[1].clone();
            login.token = Token::make_word("LOGIN", None);
            own.push(login);
        }
    }
    Ok(())
}

/// Takes ENCRYPTED before PASSWORD and its string out of the tokens.
fn take_encrypted(tokens: &Tokens, own: &mut Vec<TokenWithSpan>) -> SqlResult<()> {
    let mut at = 3;
    while at < own.len() {
        if is(own.get(at + 1), "password") {
            if is(own.get(at), "unencrypted") {
                let error = SqlError::new(FEATURE_NOT_SUPPORTED, "UNENCRYPTED PASSWORD is no longer supported")
                    .with_hint("Remove UNENCRYPTED to store the password in encrypted form instead.");
                let position = Tokens::index_of(own[at].span).and_then(|index| tokens.position(index));
                return Err(error.or_position(position));
            }
            if is(own.get(at), "encrypted") {
                if is(own.get(at + 2), "null") {
                    return Err(tokens.syntax_error(Tokens::index_of(own[at + 2].span).unwrap_or(0)));
                }
                own.remove(at);
            }
        }
        at += 1;
    }
    Ok(())
}
