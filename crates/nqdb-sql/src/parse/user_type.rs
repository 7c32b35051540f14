//! The grammar of CREATE, ALTER and DROP TYPE.

use nqdb_catalog::request::LabelPlace;
use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::name;
use crate::ddl::QualifiedName;
use crate::definition::{
    AlterAttribute, AlterType, AlterTypeAction, CreateType, Definition, DropType, NewAttribute, NewTypeKind,
};

/// CREATE, ALTER or DROP TYPE; `None` when the statement is about something else.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<Definition>> {
    if !cursor.peek_is(1, "type") {
        return Ok(None);
    }
    let definition = if cursor.take("create") {
        cursor.skip();
        Definition::CreateType(parse_create(cursor)?)
    } else if cursor.take("alter") {
        cursor.skip();
        Definition::AlterType(parse_alter(cursor)?)
    } else if cursor.take("drop") {
        cursor.skip();
        Definition::DropType(parse_drop(cursor, false)?)
    } else {
        return Ok(None);
    };
    cursor.finish()?;
    Ok(Some(definition))
}

fn parse_create(cursor: &mut Cursor<'_>) -> SqlResult<CreateType> {
    let name = name(cursor)?;
    if !cursor.take("as") {
        return Err(SqlError::unsupported("CREATE TYPE of a base type"));
    }
    if cursor.peek_is_symbol(0, &Token::LParen) {
        return Ok(CreateType { name, kind: NewTypeKind::Composite(parse_attributes(cursor)?) });
    }
    if !cursor.take("enum") {
        return Err(SqlError::unsupported("this form of CREATE TYPE"));
    }
    cursor.expect_symbol(&Token::LParen)?;
    let mut labels = Vec::new();
    if !cursor.take_symbol(&Token::RParen) {
        loop {
            labels.push(cursor.string()?);
            if cursor.take_symbol(&Token::RParen) {
                break;
            }
            cursor.expect_symbol(&Token::Comma)?;
        }
    }
    Ok(CreateType { name, kind: NewTypeKind::Enum(labels) })
}

/// `(name type [COLLATE collation], ..)`, which may be empty.
fn parse_attributes(cursor: &mut Cursor<'_>) -> SqlResult<Vec<NewAttribute>> {
    if cursor.peek_is_symbol(1, &Token::RParen) {
        cursor.skip_many(2);
        return Ok(Vec::new());
    }
    cursor.expect_symbol(&Token::LParen)?;
    let mut attributes = Vec::new();
    loop {
        attributes.push(parse_attribute(cursor)?);
        if cursor.take_symbol(&Token::RParen) {
            return Ok(attributes);
        }
        cursor.expect_symbol(&Token::Comma)?;
    }
}

fn parse_attribute(cursor: &mut Cursor<'_>) -> SqlResult<NewAttribute> {
    let name = cursor.identifier()?;
    let (data_type, collation) = parse_attribute_type(cursor)?;
    Ok(NewAttribute { name, data_type, collation })
}

/// A type with its COLLATE: it ends at a comma, a parenthesis, or a word that may follow it.
fn parse_attribute_type(cursor: &mut Cursor<'_>) -> SqlResult<(ast::DataType, Option<QualifiedName>)> {
    let start = cursor.place();
    let mut depth = 0usize;
    while let Some(token) = cursor.peek() {
        match token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::Comma | Token::RParen if depth == 0 => break,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ if depth == 0 && ["collate", "cascade", "restrict"].iter().any(|word| cursor.peek_is(0, word)) => break,
            _ => {}
        }
        cursor.skip();
    }
    let written = cursor.since(start);
    if written.is_empty() {
        return Err(cursor.syntax_error());
    }
    let data_type = cursor.data_type(written)?;
    let collation = if cursor.take("collate") { Some(name(cursor)?) } else { None };
    Ok((data_type, collation))
}

/// The clauses for attributes, as many as there are.
fn parse_attribute_actions(cursor: &mut Cursor<'_>) -> SqlResult<Vec<AlterAttribute>> {
    let mut actions = Vec::new();
    loop {
        let action = if cursor.take_all(&["add", "attribute"]) {
            AlterAttribute::Add(parse_attribute(cursor)?)
        } else if cursor.take_all(&["drop", "attribute"]) {
            let if_exists = cursor.take_all(&["if", "exists"]);
            AlterAttribute::Drop { name: cursor.identifier()?, if_exists, cascade: cursor.peek_is(0, "cascade") }
        } else {
            cursor.expect("alter")?;
            cursor.expect("attribute")?;
            let name = cursor.identifier()?;
            let _ = cursor.take_all(&["set", "data"]);
            cursor.expect("type")?;
            let (data_type, collation) = parse_attribute_type(cursor)?;
            AlterAttribute::SetType(NewAttribute { name, data_type, collation })
        };
        actions.push(action);
        // For tables of the type, of which there are none.
        let _ = cursor.take("cascade") || cursor.take("restrict");
        if !cursor.take_symbol(&Token::Comma) {
            return Ok(actions);
        }
    }
}

fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<AlterType> {
    let name = name(cursor)?;
    let action = if cursor.take_all(&["add", "value"]) {
        let if_not_exists = cursor.take_all(&["if", "not", "exists"]);
        let label = cursor.string()?;
        let place = if cursor.take("before") {
            LabelPlace::Before(cursor.string()?)
        } else if cursor.take("after") {
            LabelPlace::After(cursor.string()?)
        } else {
            LabelPlace::Last
        };
        AlterTypeAction::AddValue { label, if_not_exists, place }
    } else if cursor.take_all(&["rename", "value"]) {
        let label = cursor.string()?;
        cursor.expect("to")?;
        AlterTypeAction::RenameValue { label, new_label: cursor.string()? }
    } else if cursor.take_all(&["rename", "attribute"]) {
        let attribute = cursor.identifier()?;
        cursor.expect("to")?;
        let new_name = cursor.identifier()?;
        let _ = cursor.take("cascade") || cursor.take("restrict");
        AlterTypeAction::RenameAttribute { name: attribute, new_name }
    } else if ["add", "drop", "alter"].iter().any(|word| cursor.peek_is(0, word)) && cursor.peek_is(1, "attribute") {
        AlterTypeAction::Attributes(parse_attribute_actions(cursor)?)
    } else if cursor.take_all(&["rename", "to"]) {
        AlterTypeAction::Rename(cursor.identifier()?)
    } else if cursor.take_all(&["owner", "to"]) {
        AlterTypeAction::Owner(cursor.word()?)
    } else if cursor.take_all(&["set", "schema"]) {
        AlterTypeAction::SetSchema(cursor.identifier()?)
    } else if cursor.peek().is_none() {
        return Err(cursor.syntax_error());
    } else {
        return Err(SqlError::unsupported("this form of ALTER TYPE"));
    };
    Ok(AlterType { name, action })
}

/// What follows DROP TYPE and DROP DOMAIN.
pub(super) fn parse_drop(cursor: &mut Cursor<'_>, is_domain: bool) -> SqlResult<DropType> {
    let if_exists = cursor.take_all(&["if", "exists"]);
    let mut names = vec![name(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        names.push(name(cursor)?);
    }
    let cascade = cursor.take("cascade");
    if !cascade {
        cursor.take("restrict");
    }
    Ok(DropType { is_domain, names, if_exists, cascade })
}
