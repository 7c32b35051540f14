//! SET, SHOW, RESET, PREPARE, EXECUTE, DEALLOCATE, DISCARD, LISTEN, UNLISTEN, NOTIFY.

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::definition::name;
use super::transaction::parse_modes;
use crate::statement::{DiscardTarget, SetValue, StatementKind, TransactionStatement};

/// `SET [SESSION | LOCAL] ...`.
pub(super) fn parse_set(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("set")?;
    if cursor.take("constraints") {
        return parse_set_constraints(cursor);
    }
    if cursor.take_all(&["session", "characteristics", "as", "transaction"]) {
        let modes = parse_modes(cursor, true)?;
        return Ok(StatementKind::Transaction(TransactionStatement::SetSessionCharacteristics(modes)));
    }
    if cursor.take("transaction") {
        return parse_set_transaction(cursor);
    }
    // `SET session = 1` does not exist: SESSION and LOCAL are always modifiers here.
    let local = cursor.take("local");
    if !local {
        cursor.take("session");
    }
    if cursor.take("transaction") {
        return parse_set_transaction(cursor);
    }
    // SET SESSION AUTHORIZATION takes its first word for the modifier.
    let (name, value) = if cursor.take("authorization") || cursor.take_all(&["session", "authorization"]) {
        ("session_authorization".to_string(), parse_role_value(cursor)?)
    } else {
        parse_setting(cursor)?
    };
    cursor.finish()?;
    Ok(StatementKind::Set { name, value, local })
}

/// `{ ALL | name, .. } { DEFERRED | IMMEDIATE }`.
fn parse_set_constraints(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    let names = if cursor.take("all") {
        None
    } else {
        let mut names = vec![name(cursor)?];
        while cursor.take_symbol(&Token::Comma) {
            names.push(name(cursor)?);
        }
        Some(names)
    };
    let deferred = cursor.take("deferred");
    if !deferred {
        cursor.expect("immediate")?;
    }
    cursor.finish()?;
    Ok(StatementKind::Transaction(TransactionStatement::SetConstraints { names, deferred }))
}

/// A setting and its value, in one of the forms that stand behind SET.
pub(super) fn parse_setting(cursor: &mut Cursor<'_>) -> SqlResult<(String, SetValue)> {
    if cursor.take_all(&["time", "zone"]) {
        return Ok(("timezone".to_string(), parse_time_zone(cursor)?));
    }
    if cursor.take("names") {
        let at_end = cursor.at_end() || cursor.take("default");
        let value = if at_end { SetValue::Default } else { SetValue::Values(vec![cursor.string()?]) };
        return Ok(("client_encoding".to_string(), value));
    }
    if cursor.take("role") {
        if cursor.take_symbol(&Token::Eq) || cursor.take("to") {
            return Ok(("role".to_string(), parse_values(cursor)?));
        }
        return Ok(("role".to_string(), parse_role_value(cursor)?));
    }
    if cursor.take("schema") {
        return Ok(("search_path".to_string(), SetValue::Values(vec![cursor.string()?])));
    }
    let name = parse_setting_name(cursor)?;
    if !cursor.take_symbol(&Token::Eq) {
        cursor.expect("to")?;
    }
    Ok((name, parse_values(cursor)?))
}

/// The role behind SET ROLE and SET SESSION AUTHORIZATION: a word, or a string.
fn parse_role_value(cursor: &mut Cursor<'_>) -> SqlResult<SetValue> {
    if cursor.take("default") {
        return Ok(SetValue::Default);
    }
    let name = match cursor.peek() {
        Some(Token::Word(_)) => cursor.identifier()?,
        _ => cursor.string()?,
    };
    Ok(SetValue::Values(vec![name]))
}

fn parse_set_transaction(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    if cursor.peek_is(0, "snapshot") {
        return Err(SqlError::unsupported("SET TRANSACTION SNAPSHOT"));
    }
    Ok(StatementKind::Transaction(TransactionStatement::SetTransaction(parse_modes(cursor, true)?)))
}

/// `name` or `prefix.name`, in lower case.
pub(super) fn parse_setting_name(cursor: &mut Cursor<'_>) -> SqlResult<String> {
    let mut name = cursor.identifier()?;
    while cursor.take_symbol(&Token::Period) {
        name.push('.');
        name.push_str(&cursor.word()?);
    }
    Ok(name)
}

fn parse_time_zone(cursor: &mut Cursor<'_>) -> SqlResult<SetValue> {
    if cursor.take("default") || cursor.take("local") {
        return Ok(SetValue::Default);
    }
    if cursor.take("interval") {
        // SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE is the ISO spelling of a fixed offset.
        let offset = cursor.string()?;
        if !cursor.take_all(&["hour", "to", "minute"]) && !cursor.at_end() {
            return Err(cursor.syntax_error());
        }
        // PostgreSQL's POSIX form has the opposite sign.
        let posix = match offset.trim().strip_prefix('-') {
            Some(west) => format!("<-{west}>+{west}"),
            None => {
                let east = offset.trim().trim_start_matches('+').to_string();
                format!("<+{east}>-{east}")
            }
        };
        return Ok(SetValue::Values(vec![posix]));
    }
    Ok(SetValue::Values(vec![parse_value(cursor)?]))
}

/// `DEFAULT`, or values between commas.
fn parse_values(cursor: &mut Cursor<'_>) -> SqlResult<SetValue> {
    if cursor.take("default") {
        return Ok(SetValue::Default);
    }
    let mut values = vec![parse_value(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        values.push(parse_value(cursor)?);
    }
    Ok(SetValue::Values(values))
}

/// A word, a string, or a number with a sign.
fn parse_value(cursor: &mut Cursor<'_>) -> SqlResult<String> {
    let negative = cursor.take_symbol(&Token::Minus);
    if !negative {
        cursor.take_symbol(&Token::Plus);
    }
    match cursor.peek() {
        Some(Token::Number(digits, _)) => {
            cursor.skip();
            Ok(if negative { format!("-{digits}") } else { digits.clone() })
        }
        Some(Token::Word(_)) if !negative => {
            // TRUE, FALSE and ON are reserved words that may stand here.
            let word = ["true", "false", "on"].iter().find(|word| cursor.peek_is(0, word));
            match word {
                Some(word) => {
                    cursor.skip();
                    Ok((*word).to_string())
                }
                None => cursor.identifier(),
            }
        }
        _ if !negative => cursor.string(),
        _ => Err(cursor.syntax_error()),
    }
}

/// `SHOW name` and `SHOW ALL`.
pub(super) fn parse_show(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("show")?;
    let name = parse_name_or_all(cursor)?;
    Ok(StatementKind::Show(name))
}

/// `RESET name` and `RESET ALL`.
pub(super) fn parse_reset(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("reset")?;
    let name = parse_name_or_all(cursor)?;
    Ok(StatementKind::Reset(name))
}

fn parse_name_or_all(cursor: &mut Cursor<'_>) -> SqlResult<Option<String>> {
    let name = if cursor.take("all") {
        None
    } else if cursor.take_all(&["time", "zone"]) {
        Some("timezone".to_string())
    } else if cursor.take_all(&["transaction", "isolation", "level"]) {
        Some("transaction_isolation".to_string())
    } else if cursor.take_all(&["session", "authorization"]) {
        Some("session_authorization".to_string())
    } else {
        Some(parse_setting_name(cursor)?)
    };
    cursor.finish()?;
    Ok(name)
}

/// `PREPARE name [(type, ...)] AS statement`.
pub(super) fn parse_prepare(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("prepare")?;
    let name = cursor.identifier()?;
    let mut types = Vec::new();
    if cursor.peek() == Some(&Token::LParen) {
        for item in cursor.parenthesized_items()? {
            let is_unknown = matches!(item, [only] if only.token.to_string().eq_ignore_ascii_case("unknown"));
            types.push(if is_unknown { None } else { Some(cursor.data_type(item)?) });
        }
    }
    cursor.expect("as")?;
    if !["select", "values", "table", "with", "insert", "update", "delete", "merge"]
        .iter()
        .any(|word| cursor.peek_is(0, word))
        && cursor.peek() != Some(&Token::LParen)
    {
        return Err(cursor.syntax_error());
    }
    let inner = cursor.rest_as_statement()?;
    Ok(StatementKind::Prepare { name, types, inner: Box::new(inner) })
}

/// `EXECUTE name [(expression, ...)]`.
pub(super) fn parse_execute(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("execute")?;
    let name = cursor.identifier()?;
    let mut args = Vec::new();
    if cursor.peek() == Some(&Token::LParen) {
        for item in cursor.parenthesized_items()? {
            args.push(cursor.expression(item)?);
        }
    }
    cursor.finish()?;
    Ok(StatementKind::Execute { name, args })
}

/// `DEALLOCATE [PREPARE] { name | ALL }`.
pub(super) fn parse_deallocate(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("deallocate")?;
    if cursor.peek_is(0, "prepare") {
        cursor.take("prepare");
        if cursor.at_end() {
            return Ok(StatementKind::Deallocate(Some("prepare".to_string())));
        }
    }
    let name = if cursor.take("all") { None } else { Some(cursor.identifier()?) };
    cursor.finish()?;
    Ok(StatementKind::Deallocate(name))
}

/// `DISCARD { ALL | PLANS | SEQUENCES | TEMP | TEMPORARY }`.
pub(super) fn parse_discard(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    cursor.expect("discard")?;
    let target = if cursor.take("all") {
        DiscardTarget::All
    } else if cursor.take("plans") {
        DiscardTarget::Plans
    } else if cursor.take("sequences") {
        DiscardTarget::Sequences
    } else if cursor.take("temp") || cursor.take("temporary") {
        DiscardTarget::Temp
    } else {
        return Err(cursor.syntax_error());
    };
    cursor.finish()?;
    Ok(StatementKind::Discard(target))
}

/// LISTEN, UNLISTEN and NOTIFY.
pub(super) fn parse_notification(cursor: &mut Cursor<'_>) -> SqlResult<StatementKind> {
    let command = cursor.word()?;
    let kind = match command.as_str() {
        "listen" => StatementKind::Listen(cursor.identifier()?),
        "unlisten" if cursor.take_symbol(&Token::Mul) => StatementKind::Unlisten(None),
        "unlisten" => StatementKind::Unlisten(Some(cursor.identifier()?)),
        _ => {
            let channel = cursor.identifier()?;
            let payload = if cursor.take_symbol(&Token::Comma) { cursor.string()? } else { String::new() };
            StatementKind::Notify { channel, payload }
        }
    };
    cursor.finish()?;
    Ok(kind)
}
