//! CREATE, ALTER and DROP DATABASE.
//!
//! ```text
//! CREATE DATABASE name [[WITH] option [=] value ..]
//! ALTER DATABASE name { [WITH] option [=] value .. | RENAME TO name | OWNER TO role | SET TABLESPACE name
//!                       | REFRESH COLLATION VERSION }
//! DROP DATABASE [IF EXISTS] name [[WITH] ( FORCE [, ..] )]
//! ```

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::role::{integer, role_spec};
use crate::database_command::{DatabaseCommand, DatabaseOption, OptionValue};

const CREATE_OPTIONS: [&str; 16] = [
    "tablespace",
    "owner",
    "template",
    "encoding",
    "locale",
    "lc_collate",
    "lc_ctype",
    "icu_locale",
    "locale_provider",
    "is_template",
    "allow_connections",
    "connection_limit",
    "collation_version",
    "location",
    "oid",
    "strategy",
];
const ALTER_OPTIONS: [&str; 4] = ["is_template", "allow_connections", "connection_limit", "tablespace"];

/// A command of this grammar; `None` when it is another's.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<DatabaseCommand>> {
    let command = if cursor.take_all(&["create", "database"]) {
        let name = cursor.identifier()?;
        DatabaseCommand::Create { name, options: parse_options(cursor, &CREATE_OPTIONS)? }
    } else if cursor.take_all(&["alter", "database"]) {
        parse_alter(cursor)?
    } else if cursor.take_all(&["drop", "database"]) {
        let if_exists = cursor.take_all(&["if", "exists"]);
        let name = cursor.identifier()?;
        DatabaseCommand::Drop { name, if_exists, force: parse_drop_options(cursor)? }
    } else {
        return Ok(None);
    };
    cursor.finish()?;
    Ok(Some(command))
}

fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<DatabaseCommand> {
    let name = cursor.identifier()?;
    if cursor.take_all(&["rename", "to"]) {
        return Ok(DatabaseCommand::Rename { name, new_name: cursor.identifier()? });
    }
    if cursor.take_all(&["owner", "to"]) {
        return Ok(DatabaseCommand::SetOwner { name, owner: role_spec(cursor)? });
    }
    if cursor.take_all(&["set", "tablespace"]) {
        return Ok(DatabaseCommand::SetTablespace { name, tablespace: cursor.identifier()? });
    }
    if cursor.take_all(&["refresh", "collation", "version"]) {
        return Ok(DatabaseCommand::RefreshCollation { name });
    }
    let options = parse_options(cursor, &ALTER_OPTIONS)?;
    match options.iter().find(|option| option.name == "tablespace") {
        Some(option) if options.len() > 1 => {
            let message = "option \"tablespace\" cannot be specified with other options";
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_position(option.position))
        }
        Some(DatabaseOption { value: OptionValue::Text(tablespace), .. }) => {
            Ok(DatabaseCommand::SetTablespace { name, tablespace: tablespace.clone() })
        }
        Some(option) => {
            let message = "tablespace requires a parameter";
            Err(SqlError::new(SYNTAX_ERROR, message).with_position(option.position))
        }
        None => Ok(DatabaseCommand::Alter { name, options }),
    }
}

fn parse_options(cursor: &mut Cursor<'_>, known: &[&str]) -> SqlResult<Vec<DatabaseOption>> {
    cursor.take("with");
    let mut options: Vec<DatabaseOption> = Vec::new();
    while !cursor.at_end() {
        let position = cursor.position();
        let name =
            if cursor.take_all(&["connection", "limit"]) { "connection_limit".to_owned() } else { cursor.word()? };
        cursor.take_symbol(&Token::Eq);
        let value = parse_value(cursor)?;
        if !known.contains(&name.as_str()) {
            let message = format!("option \"{name}\" not recognized");
            return Err(SqlError::new(SYNTAX_ERROR, message).with_position(position));
        }
        if options.iter().any(|option| option.name == name) {
            return Err(SqlError::new(SYNTAX_ERROR, "conflicting or redundant options").with_position(position));
        }
        options.push(DatabaseOption { name, value, position });
    }
    Ok(options)
}

fn parse_value(cursor: &mut Cursor<'_>) -> SqlResult<OptionValue> {
    if cursor.take("default") {
        return Ok(OptionValue::Default);
    }
    let is_text = |token: &Token| {
        matches!(token, Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_))
    };
    match cursor.peek() {
        Some(Token::Number(..) | Token::Minus) => integer(cursor).map(OptionValue::Integer),
        Some(token) if is_text(token) => cursor.string().map(OptionValue::Text),
        _ if ["true", "false", "on"].iter().any(|word| cursor.peek_is(0, word)) => cursor.word().map(OptionValue::Text),
        _ => cursor.identifier().map(OptionValue::Text),
    }
}

/// Whether FORCE is there.
fn parse_drop_options(cursor: &mut Cursor<'_>) -> SqlResult<bool> {
    let is_list = cursor.take("with");
    if !is_list && cursor.at_end() {
        return Ok(false);
    }
    cursor.expect_symbol(&Token::LParen)?;
    loop {
        if !cursor.take("force") {
            // The only option that the grammar knows.
            return Err(cursor.syntax_error());
        }
        if !cursor.take_symbol(&Token::Comma) {
            break;
        }
    }
    cursor.expect_symbol(&Token::RParen)?;
    Ok(true)
}
