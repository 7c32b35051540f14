//! The grammar of CREATE, ALTER and DROP DOMAIN.

use nqdb_sqlstate::{SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::definition::name;
use super::look::is_word;
use super::user_type::parse_drop;
use crate::definition::{AlterDomain, AlterDomainAction, CreateDomain, Definition};

/// What begins a constraint, and so ends a type or an expression in front of it.
const CONSTRAINT_WORDS: [&str; 10] =
    ["collate", "constraint", "default", "not", "null", "check", "unique", "primary", "references", "generated"];

/// CREATE, ALTER or DROP DOMAIN; `None` when the statement is about something else.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    if !cursor.peek_is(1, "domain") {
        return Ok(None);
    }
    let definition = if cursor.take("create") {
        cursor.skip();
        Definition::CreateDomain(Box::new(parse_create(cursor)?))
    } else if cursor.take("alter") {
        cursor.skip();
        Definition::AlterDomain(Box::new(parse_alter(cursor)?))
    } else if cursor.take("drop") {
        cursor.skip();
        Definition::DropType(parse_drop(cursor, true)?)
    } else {
        return Ok(None);
    };
    cursor.finish()?;
    Ok(Some(definition))
}

fn parse_create(cursor: &mut Cursor<'_>) -> SqlResult<CreateDomain> {
    let name = name(cursor)?;
    cursor.take("as");
    let base = take_until_constraint(cursor, false);
    let base = cursor.data_type(base)?;
    let mut create = CreateDomain { name, base, collation: None, not_null: None, default: None, checks: Vec::new() };
    while !cursor.at_end() {
        if cursor.take("collate") {
            create.collation = Some(super::definition::name(cursor)?);
            continue;
        }
        let constraint = if cursor.take("constraint") { Some(cursor.identifier()?) } else { None };
        parse_constraint(cursor, constraint, &mut create)?;
    }
    Ok(create)
}

fn parse_constraint(cursor: &mut Cursor<'_>, name: Option<String>, create: &mut CreateDomain) -> SqlResult<()> {
    let syntax = |message: &str| Err(SqlError::new(SYNTAX_ERROR, message));
    if cursor.take("default") {
        if create.default.is_some() {
            return syntax("multiple default expressions");
        }
        let text = take_until_constraint(cursor, true);
        create.default = Some(cursor.expression(text)?);
    } else if cursor.take_all(&["not", "null"]) {
        if create.not_null.is_some() {
            return syntax("conflicting NULL/NOT NULL constraints");
        }
        create.not_null = Some(true);
    } else if cursor.take("null") {
        if create.not_null.is_some() {
            return syntax("conflicting NULL/NOT NULL constraints");
        }
        create.not_null = Some(false);
    } else if cursor.take("check") {
        create.checks.push((name, parenthesized(cursor)?));
        if cursor.peek_is(0, "no") && cursor.peek_is(1, "inherit") {
            return Err(SqlError::new(
                nqdb_sqlstate::INVALID_OBJECT_DEFINITION,
                "check constraints for domains cannot be marked NO INHERIT",
            ));
        }
    } else if cursor.peek_is(0, "unique") {
        return syntax("unique constraints not possible for domains");
    } else if cursor.peek_is(0, "primary") {
        return syntax("primary key constraints not possible for domains");
    } else if cursor.peek_is(0, "references") {
        return syntax("foreign key constraints not possible for domains");
    } else {
        return Err(cursor.syntax_error());
    }
    Ok(())
}

fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<AlterDomain> {
    let name = name(cursor)?;
    let action = if cursor.take_all(&["set", "default"]) {
        AlterDomainAction::SetDefault(Some(cursor.rest_as_expression()?))
    } else if cursor.take_all(&["drop", "default"]) {
        AlterDomainAction::SetDefault(None)
    } else if cursor.take_all(&["set", "not", "null"]) {
        AlterDomainAction::SetNotNull(true)
    } else if cursor.take_all(&["drop", "not", "null"]) {
        AlterDomainAction::SetNotNull(false)
    } else if cursor.take("add") {
        let constraint = if cursor.take("constraint") { Some(cursor.identifier()?) } else { None };
        cursor.expect("check")?;
        let expression = parenthesized(cursor)?;
        let not_valid = cursor.take_all(&["not", "valid"]);
        AlterDomainAction::AddCheck { name: constraint, expression, not_valid }
    } else if cursor.take_all(&["drop", "constraint"]) {
        let if_exists = cursor.take_all(&["if", "exists"]);
        let constraint = cursor.identifier()?;
        // Nothing depends on a constraint of a domain.
        let _ = cursor.take("cascade") || cursor.take("restrict");
        AlterDomainAction::DropConstraint { name: constraint, if_exists }
    } else if cursor.take_all(&["rename", "constraint"]) {
        let constraint = cursor.identifier()?;
        cursor.expect("to")?;
        AlterDomainAction::RenameConstraint { name: constraint, new_name: cursor.identifier()? }
    } else if cursor.take_all(&["validate", "constraint"]) {
        AlterDomainAction::ValidateConstraint(cursor.identifier()?)
    } else if cursor.take_all(&["rename", "to"]) {
        AlterDomainAction::Rename(cursor.identifier()?)
    } else if cursor.take_all(&["owner", "to"]) {
        AlterDomainAction::Owner(cursor.word()?)
    } else if cursor.take_all(&["set", "schema"]) {
        AlterDomainAction::SetSchema(cursor.identifier()?)
    } else {
        return Err(cursor.syntax_error());
    };
    Ok(AlterDomain { name, action })
}

/// The expression in the parentheses that come next.
fn parenthesized(cursor: &mut Cursor<'_>) -> SqlResult<ast::Expr> {
    let start = cursor.place();
    cursor.expect_symbol(&Token::LParen)?;
    cursor.go_back(start);
    let rest = cursor.rest();
    let mut depth = 0usize;
    let end = rest.iter().position(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    let Some(inner) = end.and_then(|end| rest.get(1..end)) else { return Err(cursor.syntax_error()) };
    cursor.go_back(start + inner.len() + 2);
    if inner.is_empty() {
        cursor.go_back(start + 1);
        return Err(cursor.syntax_error());
    }
    cursor.expression(inner)
}

/// The tokens up to the next constraint; `has_first`: the first one belongs to them whatever it is.
fn take_until_constraint<'a>(cursor: &mut Cursor<'a>, has_first: bool) -> &'a [TokenWithSpan] {
    let start = cursor.place();
    let rest = cursor.rest();
    let mut depth = 0usize;
    let end = rest.iter().enumerate().position(|(at, token)| {
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (at > 0 || !has_first) && CONSTRAINT_WORDS.iter().any(|word| is_word(token, word))
    });
    let taken = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    cursor.go_back(start + taken.len());
    taken
}
