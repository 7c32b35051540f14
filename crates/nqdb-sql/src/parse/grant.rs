//! GRANT, REVOKE and ALTER DEFAULT PRIVILEGES.

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::rights::SecuredKind;
use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::role::{drop_behavior, role_list, role_spec};
use crate::definition::QualifiedName;
use crate::rights_command::{
    Grant, GrantTargets, RightsCommand, RoleGrant, RoleSpec, RoutineKind, RoutineName, WrittenPrivilege,
};

/// GRANT or REVOKE: of privileges when there is an ON, else of roles.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<RightsCommand> {
    let is_grant = cursor.take("grant");
    if !is_grant {
        cursor.expect("revoke")?;
    }
    let command = if cursor.has_word_outside("on") {
        RightsCommand::Grant(parse_grant(cursor, is_grant, parse_targets)?)
    } else {
        RightsCommand::GrantRoles(parse_role_grant(cursor, is_grant)?)
    };
    cursor.finish()?;
    Ok(command)
}

/// `ALTER DEFAULT PRIVILEGES [FOR ROLE roles] [IN SCHEMA schemas] { GRANT | REVOKE } ...`; `None` for another ALTER.
pub(super) fn parse_default_privileges(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    if !cursor.take_all(&["alter", "default", "privileges"]) {
        return Ok(None);
    }
    let (mut roles, mut schemas) = (Vec::new(), Vec::new());
    loop {
        if cursor.take_all(&["in", "schema"]) {
            schemas = identifiers(cursor)?;
        } else if cursor.take_all(&["for", "role"]) || cursor.take_all(&["for", "user"]) {
            roles = role_list(cursor)?;
        } else {
            break;
        }
    }
    let is_grant = cursor.take("grant");
    if !is_grant {
        cursor.expect("revoke")?;
    }
    let grant = parse_grant(cursor, is_grant, parse_future)?;
    cursor.finish()?;
    Ok(Some(RightsCommand::DefaultPrivileges { roles, schemas, grant }))
}

fn parse_grant(
    cursor: &mut Cursor<'_>,
    is_grant: bool,
    targets: fn(&mut Cursor<'_>) -> SqlResult<GrantTargets>,
) -> SqlResult<Grant> {
    let mut grant_option = !is_grant && cursor.take_all(&["grant", "option", "for"]);
    let privileges = parse_privileges(cursor)?;
    cursor.expect("on")?;
    let targets = targets(cursor)?;
    cursor.expect(if is_grant { "to" } else { "from" })?;
    let grantees = grantee_list(cursor)?;
    if is_grant {
        grant_option = cursor.take_all(&["with", "grant", "option"]);
    }
    let granted_by = parse_granted_by(cursor)?;
    let behavior = if is_grant { DropBehavior::Restrict } else { drop_behavior(cursor) };
    Ok(Grant { is_grant, grant_option, privileges, targets, grantees, granted_by, behavior })
}

fn parse_granted_by(cursor: &mut Cursor<'_>) -> SqlResult<Option<RoleSpec>> {
    if cursor.take_all(&["granted", "by"]) { Ok(Some(role_spec(cursor)?)) } else { Ok(None) }
}

/// Roles, each maybe behind the old word GROUP.
fn grantee_list(cursor: &mut Cursor<'_>) -> SqlResult<Vec<RoleSpec>> {
    let mut grantees = Vec::new();
    loop {
        cursor.take("group");
        grantees.push(role_spec(cursor)?);
        if !cursor.take_symbol(&Token::Comma) {
            return Ok(grantees);
        }
    }
}

fn parse_role_grant(cursor: &mut Cursor<'_>, is_grant: bool) -> SqlResult<RoleGrant> {
    let mut admin_option = !is_grant && cursor.take_all(&["admin", "option", "for"]);
    let mut roles = vec![cursor.identifier_at()?];
    while cursor.take_symbol(&Token::Comma) {
        roles.push(cursor.identifier_at()?);
    }
    cursor.expect(if is_grant { "to" } else { "from" })?;
    let members = role_list(cursor)?;
    if is_grant {
        admin_option = cursor.take_all(&["with", "admin", "option"]);
    }
    let granted_by = parse_granted_by(cursor)?;
    if !is_grant {
        // Memberships that others granted do not depend on this one: both words mean the same.
        drop_behavior(cursor);
    }
    Ok(RoleGrant { is_grant, roles, members, admin_option, granted_by })
}

/// `ALL [PRIVILEGES]`, or privileges between commas, each with columns or without.
fn parse_privileges(cursor: &mut Cursor<'_>) -> SqlResult<Vec<WrittenPrivilege>> {
    if cursor.take("all") {
        cursor.take("privileges");
        let columns = cursor.column_list()?;
        return Ok(if columns.is_empty() { Vec::new() } else { vec![WrittenPrivilege { name: None, columns }] });
    }
    let mut privileges = Vec::new();
    loop {
        let mut name = cursor.word()?;
        if name == "alter" && cursor.take("system") {
            name = "alter system".to_owned();
        }
        privileges.push(WrittenPrivilege { name: Some(name), columns: cursor.column_list()? });
        if !cursor.take_symbol(&Token::Comma) {
            return Ok(privileges);
        }
    }
}

fn parse_targets(cursor: &mut Cursor<'_>) -> SqlResult<GrantTargets> {
    if cursor.peek_is(0, "all") && cursor.peek_is(2, "in") {
        return parse_all_in_schemas(cursor);
    }
    for (words, kind) in [
        ("schema", SecuredKind::Schema),
        ("database", SecuredKind::Database),
        ("language", SecuredKind::Language),
        ("tablespace", SecuredKind::Tablespace),
    ] {
        if cursor.take(words) {
            return Ok(GrantTargets::Simple { kind, names: identifiers(cursor)? });
        }
    }
    for (word, kind) in
        [("function", RoutineKind::Function), ("procedure", RoutineKind::Procedure), ("routine", RoutineKind::Routine)]
    {
        if cursor.take(word) {
            return Ok(GrantTargets::Routines { kind, names: routines(cursor)? });
        }
    }
    if cursor.take("domain") {
        return Ok(GrantTargets::Domains(qualified_names(cursor)?));
    }
    for words in [&["foreign", "data", "wrapper"][..], &["foreign", "server"], &["large", "object"], &["parameter"]] {
        if words.iter().enumerate().all(|(ahead, word)| cursor.peek_is(ahead, word)) {
            return Err(SqlError::unsupported(format!("a privilege on a {}", words.join(" "))));
        }
    }
    let kind = if cursor.take("sequence") {
        SecuredKind::Sequence
    } else if cursor.take("type") {
        SecuredKind::Type
    } else {
        cursor.take("table");
        SecuredKind::Table
    };
    Ok(GrantTargets::Named { kind, names: qualified_names(cursor)? })
}

fn parse_all_in_schemas(cursor: &mut Cursor<'_>) -> SqlResult<GrantTargets> {
    cursor.expect("all")?;
    let kind = [
        ("tables", SecuredKind::Table),
        ("sequences", SecuredKind::Sequence),
        ("functions", SecuredKind::Function),
        ("procedures", SecuredKind::Function),
        ("routines", SecuredKind::Function),
    ]
    .into_iter()
    .find(|(word, _)| cursor.take(word))
    .map(|(_, kind)| kind)
    .ok_or_else(|| cursor.syntax_error())?;
    cursor.expect("in")?;
    cursor.expect("schema")?;
    Ok(GrantTargets::AllInSchemas { kind, schemas: identifiers(cursor)? })
}

fn parse_future(cursor: &mut Cursor<'_>) -> SqlResult<GrantTargets> {
    [
        ("tables", SecuredKind::Table),
        ("sequences", SecuredKind::Sequence),
        ("functions", SecuredKind::Function),
        ("routines", SecuredKind::Function),
        ("types", SecuredKind::Type),
        ("schemas", SecuredKind::Schema),
    ]
    .into_iter()
    .find(|(word, _)| cursor.take(word))
    .map(|(_, kind)| GrantTargets::Future(kind))
    .ok_or_else(|| cursor.syntax_error())
}

fn identifiers(cursor: &mut Cursor<'_>) -> SqlResult<Vec<String>> {
    let mut names = vec![cursor.identifier()?];
    while cursor.take_symbol(&Token::Comma) {
        names.push(cursor.identifier()?);
    }
    Ok(names)
}

fn qualified_name(cursor: &mut Cursor<'_>) -> SqlResult<QualifiedName> {
    let name = cursor.qualified_name()?;
    Ok(QualifiedName { schema: name.schema, name: name.name, position: Some(name.position) })
}

fn qualified_names(cursor: &mut Cursor<'_>) -> SqlResult<Vec<QualifiedName>> {
    let mut names = vec![qualified_name(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        names.push(qualified_name(cursor)?);
    }
    Ok(names)
}

fn routines(cursor: &mut Cursor<'_>) -> SqlResult<Vec<RoutineName>> {
    let mut names = Vec::new();
    loop {
        let name = qualified_name(cursor)?;
        let arguments = if cursor.peek() == Some(&Token::LParen) { Some(arguments_text(cursor)?) } else { None };
        names.push(RoutineName { name, arguments });
        if !cursor.take_symbol(&Token::Comma) {
            return Ok(names);
        }
    }
}

/// The text between the parentheses that come next.
fn arguments_text(cursor: &mut Cursor<'_>) -> SqlResult<String> {
    cursor.expect_symbol(&Token::LParen)?;
    if cursor.take_symbol(&Token::RParen) {
        return Ok(String::new());
    }
    let start = cursor.place();
    let mut depth = 0_usize;
    while let Some(token) = cursor.peek() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => {
                let text = cursor.text_from(start);
                cursor.skip();
                return Ok(text);
            }
            Token::RParen => depth -= 1,
            _ => {}
        }
        cursor.skip();
    }
    Err(cursor.syntax_error())
}
