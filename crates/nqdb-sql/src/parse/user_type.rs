//! The grammar of CREATE, ALTER and DROP TYPE.

use nqdb_catalog::request::LabelPlace;
use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::name;
use crate::definition::{AlterType, AlterTypeAction, CreateType, Definition, DropType, NewTypeKind};

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
