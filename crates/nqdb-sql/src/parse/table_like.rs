//! CREATE TABLE ... (LIKE source INCLUDING ..., ...): the LIKE clauses are taken out of the column list, the rest is for
//! `sqlparser`.

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Tokens;
use super::cursor::Cursor;
use super::definition::is_word;
use crate::definition::{Like, LikeOptions, QualifiedName};

/// The words with which an item of a column list starts that is no column.
const CONSTRAINT_WORDS: &[&str] = &["constraint", "primary", "unique", "check", "foreign", "exclude"];

/// Takes the LIKE clauses out of a CREATE TABLE; none for any other statement.
pub(super) fn take_likes(tokens: &Arc<Tokens>, own: &mut Vec<TokenWithSpan>) -> SqlResult<Vec<Like>> {
    let is_create_table =
        own.first().is_some_and(|first| is_word(first, "create")) && own.iter().take(5).any(|t| is_word(t, "table"));
    let Some(open) = own.iter().position(|token| token.token == Token::LParen).filter(|_| is_create_table) else {
        return Ok(Vec::new());
    };
    let items = items(own, open);
    if !items.iter().any(|(start, _)| own.get(*start).is_some_and(|token| is_word(token, "like"))) {
        return Ok(Vec::new());
    }
    let mut likes = Vec::new();
    let mut columns_before = 0;
    let mut kept: Vec<TokenWithSpan> = own.iter().take(open + 1).cloned().collect();
    let close = items.last().map_or(open + 1, |(_, end)| *end);
    for (start, end) in items {
        let item = own.get(start..end).unwrap_or_default();
        let Some(first) = item.first() else { continue };
        if is_word(first, "like") {
            likes.push(like(&mut Cursor::new(tokens, item), columns_before)?);
            continue;
        }
        if !CONSTRAINT_WORDS.iter().any(|word| is_word(first, word)) {
            columns_before += 1;
        }
        if kept.len() > open + 1 {
            kept.push(TokenWithSpan { token: Token::Comma, span: first.span });
        }
        kept.extend(item.iter().cloned());
    }
    kept.extend(own.iter().skip(close).cloned());
    *own = kept;
    Ok(likes)
}

/// Where the items of a parenthesis start and end.
fn items(own: &[TokenWithSpan], open: usize) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut depth = 0usize;
    let mut start = open + 1;
    for (at, token) in own.iter().enumerate().skip(open + 1) {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => {
                items.push((start, at));
                break;
            }
            Token::RParen => depth -= 1,
            Token::Comma if depth == 0 => {
                items.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn like(cursor: &mut Cursor<'_>, columns_before: usize) -> SqlResult<Like> {
    cursor.expect("like")?;
    let name = cursor.qualified_name()?;
    let source = QualifiedName { schema: name.schema, name: name.name, position: Some(name.position) };
    let mut options = LikeOptions::default();
    loop {
        let including = if cursor.take("including") {
            true
        } else if cursor.take("excluding") {
            false
        } else {
            break;
        };
        match cursor.word()?.as_str() {
            "all" => {
                options = LikeOptions {
                    comments: including,
                    constraints: including,
                    defaults: including,
                    generated: including,
                    identity: including,
                    indexes: including,
                };
            }
            "comments" => options.comments = including,
            "constraints" => options.constraints = including,
            "defaults" => options.defaults = including,
            "generated" => options.generated = including,
            "identity" => options.identity = including,
            "indexes" => options.indexes = including,
            // There is nothing of these kinds to copy.
            "statistics" | "storage" | "compression" => {}
            _ => return Err(cursor.syntax_error()),
        }
    }
    cursor.finish()?;
    Ok(Like { columns_before, source, options })
}
