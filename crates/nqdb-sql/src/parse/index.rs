//! CREATE INDEX.
//!
//! ```text
//! CREATE [UNIQUE] INDEX [CONCURRENTLY] [[IF NOT EXISTS] name] ON [ONLY] table [USING method]
//!     ( part, .. ) [INCLUDE ( part, .. )] [NULLS [NOT] DISTINCT] [WITH ( .. )] [TABLESPACE name] [WHERE condition]
//! part = { column | call(..) | ( expression ) } [COLLATE name] [class] [ASC | DESC] [NULLS { FIRST | LAST }]
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::definition::name;
use super::{Tokens, parameters, table_item};
use crate::definition::{CreateIndex, IndexPart, IndexSource, IndexText};

/// The statement, whose first token is CREATE; `None` when it is another one.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<CreateIndex>> {
    let unique = cursor.peek_is(1, "unique");
    if !cursor.peek_is(1 + usize::from(unique), "index") {
        return Ok(None);
    }
    cursor.skip_many(2 + usize::from(unique));
    let concurrently = cursor.take("concurrently");
    let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
    let own_name = if !if_not_exists && cursor.peek_is(0, "on") { None } else { Some(cursor.identifier_at()?) };
    cursor.expect("on")?;
    cursor.take("only");
    let table = name(cursor)?;
    let method = if cursor.take("using") { Some(cursor.identifier()?) } else { None };
    let parts = parts(cursor)?;
    let included = if cursor.take("include") { self::parts(cursor)? } else { Vec::new() };
    let nulls_not_distinct = cursor.take_all(&["nulls", "not", "distinct"]);
    if !nulls_not_distinct {
        cursor.take_all(&["nulls", "distinct"]);
    }
    let parameters = if cursor.take("with") { parameters::parameters(cursor)? } else { Vec::new() };
    if cursor.take("tablespace") {
        table_item::expect_tablespace(&cursor.identifier()?)?;
    }
    let predicate = if cursor.take("where") { Some(rest_as_text(cursor)?) } else { None };
    cursor.finish()?;
    Ok(Some(CreateIndex {
        unique,
        concurrently,
        if_not_exists,
        name: own_name,
        table,
        method,
        parts,
        included,
        nulls_not_distinct,
        parameters,
        predicate,
    }))
}

/// All tokens that are left, as an expression.
pub(super) fn rest_as_text(cursor: &mut Cursor<'_>) -> SqlResult<IndexText> {
    let rest = cursor.rest();
    if rest.is_empty() {
        return Err(cursor.syntax_error());
    }
    text_of(cursor, rest)
}

fn text_of(cursor: &Cursor<'_>, own: &[TokenWithSpan]) -> SqlResult<IndexText> {
    let expression = cursor.expression(own)?;
    let index = |token: Option<&TokenWithSpan>| token.and_then(|token| Tokens::index_of(token.span)).unwrap_or(0);
    let text = cursor.tokens().range_text(index(own.first()), index(own.last()) + 1).to_string();
    Ok(IndexText { expression, text })
}

/// The parts of a key, in parentheses; also the target of ON CONFLICT.
pub(super) fn parts(cursor: &mut Cursor<'_>) -> SqlResult<Vec<IndexPart>> {
    cursor.expect_symbol(&Token::LParen)?;
    let mut parts = vec![part(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        parts.push(part(cursor)?);
    }
    cursor.expect_symbol(&Token::RParen)?;
    Ok(parts)
}

fn part(cursor: &mut Cursor<'_>) -> SqlResult<IndexPart> {
    let source = source(cursor)?;
    let collation = if cursor.take("collate") { Some(name(cursor)?) } else { None };
    let ends = ["asc", "desc", "nulls"].iter().any(|word| cursor.peek_is(0, word));
    let class = match cursor.peek() {
        Some(Token::Word(_)) if !ends => Some(name(cursor)?),
        _ => None,
    };
    if class.is_some() && cursor.peek() == Some(&Token::LParen) {
        return Err(SqlError::unsupported("a parameter of an operator class"));
    }
    let descending = !cursor.take("asc") && cursor.take("desc");
    let nulls_first = if cursor.take_all(&["nulls", "first"]) {
        Some(true)
    } else if cursor.take_all(&["nulls", "last"]) {
        Some(false)
    } else {
        None
    };
    Ok(IndexPart { source, collation, class, descending, nulls_first })
}

fn source(cursor: &mut Cursor<'_>) -> SqlResult<IndexSource> {
    let start = cursor.place();
    if cursor.peek() == Some(&Token::LParen) {
        let inner = cursor.parentheses()?;
        if inner.is_empty() {
            return Err(cursor.syntax_error());
        }
        return text_of(cursor, inner).map(|text| IndexSource::Expression(Box::new(text)));
    }
    // A call is a name, possibly qualified, and parentheses. Some functions have names that columns cannot have.
    while matches!(cursor.peek(), Some(Token::Word(_))) {
        cursor.skip();
        if !cursor.take_symbol(&Token::Period) {
            break;
        }
    }
    if cursor.place() > start && cursor.peek() == Some(&Token::LParen) {
        cursor.parentheses()?;
        return text_of(cursor, cursor.since(start)).map(|text| IndexSource::Expression(Box::new(text)));
    }
    cursor.go_back(start);
    cursor.identifier_at().map(IndexSource::Column)
}
