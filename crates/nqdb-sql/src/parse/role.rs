//! CREATE, ALTER and DROP of roles, users and groups; DROP OWNED and REASSIGN OWNED; settings of roles and databases.
//!
//! `CREATE USER` is `CREATE ROLE` with LOGIN as the default, `GROUP` is an older word for a role (manual, CREATE USER and
//! CREATE GROUP).

use nqdb_catalog::request::DropBehavior;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, RESERVED_NAME, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::session_commands::{parse_setting, parse_setting_name};
use crate::rights_command::{RightsCommand, RoleOption, RoleSpec, SettingChange};

/// A command of this grammar; `None` when it is another's.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    let start = cursor.place();
    let command = if cursor.take("create") {
        parse_create(cursor)?
    } else if cursor.take("alter") {
        parse_alter(cursor)?
    } else if cursor.take("drop") {
        parse_drop(cursor)?
    } else {
        None
    };
    match command {
        Some(command) => {
            cursor.finish()?;
            Ok(Some(command))
        }
        None => {
            cursor.go_back(start);
            Ok(None)
        }
    }
}

/// Takes the word for a role; whether it was USER.
fn take_role_word(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.peek_is(0, "user") && cursor.peek_is(1, "mapping") {
        return None;
    }
    [("role", false), ("user", true), ("group", false)]
        .into_iter()
        .find(|(word, _)| cursor.take(word))
        .map(|(_, is_user)| is_user)
}

fn parse_create(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    let Some(is_user) = take_role_word(cursor) else { return Ok(None) };
    let position = cursor.position();
    let name = role_spec(cursor)?;
    expect_own_name(&name, position)?;
    cursor.take("with");
    let mut options = parse_options(cursor, true)?;
    if is_user && !options.iter().any(|option| matches!(option, RoleOption::Login(_))) {
        options.push(RoleOption::Login(true));
    }
    Ok(Some(RightsCommand::CreateRole { name, options }))
}

fn parse_alter(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    if cursor.take("database") {
        return parse_database_setting(cursor);
    }
    let is_group = cursor.peek_is(0, "group");
    if take_role_word(cursor).is_none() {
        return Ok(None);
    }
    if cursor.peek_is(0, "all") {
        cursor.skip();
        return parse_role_setting(cursor, None).map(Some);
    }
    let position = cursor.position();
    let role = role_spec(cursor)?;
    if is_group && (cursor.peek_is(0, "add") || cursor.peek_is(0, "drop")) {
        let adds = cursor.take("add");
        if !adds {
            cursor.expect("drop")?;
        }
        cursor.expect("user")?;
        let members = role_list(cursor)?;
        let option = if adds { RoleOption::Members(members) } else { RoleOption::DropMembers(members) };
        return Ok(Some(RightsCommand::AlterRole { role, options: vec![option] }));
    }
    if cursor.take_all(&["rename", "to"]) {
        expect_own_name(&role, position)?;
        return Ok(Some(RightsCommand::RenameRole { role, new_name: cursor.identifier()? }));
    }
    if cursor.peek_is(0, "set") || cursor.peek_is(0, "reset") || cursor.peek_is(0, "in") {
        return parse_role_setting(cursor, Some(role)).map(Some);
    }
    cursor.take("with");
    let options = parse_options(cursor, false)?;
    Ok(Some(RightsCommand::AlterRole { role, options }))
}

/// 42939 for a word that stands for a role where a name is wanted.
fn expect_own_name(role: &RoleSpec, position: u32) -> SqlResult<()> {
    let message = match role {
        RoleSpec::Name(_) => return Ok(()),
        RoleSpec::Public => "role name \"public\" is reserved",
        RoleSpec::CurrentUser => "CURRENT_USER cannot be used as a role name here",
        RoleSpec::SessionUser => "SESSION_USER cannot be used as a role name here",
    };
    Err(SqlError::new(RESERVED_NAME, message).with_position(position))
}

fn parse_role_setting(cursor: &mut Cursor<'_>, role: Option<RoleSpec>) -> SqlResult<RightsCommand> {
    let database = if cursor.take_all(&["in", "database"]) { Some(cursor.identifier()?) } else { None };
    let change = parse_setting_change(cursor)?;
    Ok(RightsCommand::RoleSetting { role, database, change })
}

/// `ALTER DATABASE name SET` and `RESET`; other forms are another grammar's.
fn parse_database_setting(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    let database = cursor.identifier()?;
    let is_setting = cursor.peek_is(0, "set") && !cursor.peek_is(1, "tablespace") || cursor.peek_is(0, "reset");
    if !is_setting {
        return Ok(None);
    }
    let change = parse_setting_change(cursor)?;
    Ok(Some(RightsCommand::DatabaseSetting { database, change }))
}

fn parse_setting_change(cursor: &mut Cursor<'_>) -> SqlResult<SettingChange> {
    if cursor.take("reset") {
        if cursor.take("all") {
            return Ok(SettingChange::ResetAll);
        }
        let name = parse_setting_name(cursor)?;
        return Ok(SettingChange::Set { name, value: crate::statement::SetValue::Default });
    }
    cursor.expect("set")?;
    let place = cursor.place();
    if let Ok(name) = parse_setting_name(cursor)
        && cursor.take_all(&["from", "current"])
    {
        return Ok(SettingChange::FromCurrent { name });
    }
    cursor.go_back(place);
    let (name, value) = parse_setting(cursor)?;
    Ok(SettingChange::Set { name, value })
}

fn parse_drop(cursor: &mut Cursor<'_>) -> SqlResult<Option<RightsCommand>> {
    if cursor.take_all(&["owned", "by"]) {
        let roles = role_list(cursor)?;
        let behavior = drop_behavior(cursor);
        return Ok(Some(RightsCommand::DropOwned { roles, behavior }));
    }
    if take_role_word(cursor).is_none() {
        return Ok(None);
    }
    let if_exists = cursor.take_all(&["if", "exists"]);
    Ok(Some(RightsCommand::DropRoles { roles: role_list(cursor)?, if_exists }))
}

/// `REASSIGN OWNED BY roles TO role`.
pub(super) fn parse_reassign(cursor: &mut Cursor<'_>) -> SqlResult<RightsCommand> {
    for word in ["reassign", "owned", "by"] {
        cursor.expect(word)?;
    }
    let roles = role_list(cursor)?;
    cursor.expect("to")?;
    let new_owner = role_spec(cursor)?;
    cursor.finish()?;
    Ok(RightsCommand::ReassignOwned { roles, new_owner })
}

/// `CASCADE` or `RESTRICT`, if one is there.
pub(super) fn drop_behavior(cursor: &mut Cursor<'_>) -> DropBehavior {
    if cursor.take("cascade") {
        return DropBehavior::Cascade;
    }
    cursor.take("restrict");
    DropBehavior::Restrict
}

/// A role's name, or a word that stands for one.
pub(super) fn role_spec(cursor: &mut Cursor<'_>) -> SqlResult<RoleSpec> {
    if cursor.take("current_user") || cursor.take("current_role") {
        return Ok(RoleSpec::CurrentUser);
    }
    if cursor.take("session_user") {
        return Ok(RoleSpec::SessionUser);
    }
    let position = cursor.position();
    match cursor.identifier()?.as_str() {
        "public" => Ok(RoleSpec::Public),
        "none" => Err(SqlError::new(RESERVED_NAME, "role name \"none\" is reserved").with_position(position)),
        name => Ok(RoleSpec::Name(name.to_owned())),
    }
}

pub(super) fn role_list(cursor: &mut Cursor<'_>) -> SqlResult<Vec<RoleSpec>> {
    let mut roles = vec![role_spec(cursor)?];
    while cursor.take_symbol(&Token::Comma) {
        roles.push(role_spec(cursor)?);
    }
    Ok(roles)
}

fn parse_options(cursor: &mut Cursor<'_>, creates: bool) -> SqlResult<Vec<RoleOption>> {
    let mut options: Vec<RoleOption> = Vec::new();
    while !cursor.at_end() {
        let position = cursor.position();
        let option = parse_option(cursor, creates)?;
        let same = |known: &RoleOption| std::mem::discriminant(known) == std::mem::discriminant(&option);
        if options.iter().any(same) {
            let message = "conflicting or redundant options";
            return Err(SqlError::new(SYNTAX_ERROR, message).with_position(position));
        }
        options.push(option);
    }
    Ok(options)
}

fn parse_option(cursor: &mut Cursor<'_>, creates: bool) -> SqlResult<RoleOption> {
    let position = cursor.position();
    if let Some(option) = parse_membership_option(cursor, creates)? {
        return Ok(option);
    }
    let word = cursor.word()?;
    let flag = |name: &str, make: Flag| match word.strip_prefix("no") {
        Some(rest) if rest == name => Some(make(false)),
        _ => (word == name).then(|| make(true)),
    };
    let flags: [(&str, Flag); 7] = [
        ("superuser", RoleOption::Superuser),
        ("createdb", RoleOption::CreateDatabase),
        ("createrole", RoleOption::CreateRole),
        ("inherit", RoleOption::Inherit),
        ("login", RoleOption::Login),
        ("replication", RoleOption::Replication),
        ("bypassrls", RoleOption::BypassRowSecurity),
    ];
    if let Some(option) = flags.into_iter().find_map(|(name, make)| flag(name, make)) {
        return Ok(option);
    }
    match word.as_str() {
        "unencrypted" if cursor.peek_is(0, "password") => {
            Err(SqlError::new(FEATURE_NOT_SUPPORTED, "UNENCRYPTED PASSWORD is no longer supported")
                .with_hint("Remove UNENCRYPTED to store the password in encrypted form instead.")
                .with_position(position))
        }
        "encrypted" => {
            cursor.expect("password")?;
            Ok(RoleOption::Password(Some(cursor.string()?)))
        }
        "password" if cursor.take("null") => Ok(RoleOption::Password(None)),
        "password" => Ok(RoleOption::Password(Some(cursor.string()?))),
        "connection" => {
            cursor.expect("limit")?;
            Ok(RoleOption::ConnectionLimit(integer(cursor)?))
        }
        "valid" => {
            cursor.expect("until")?;
            Ok(RoleOption::ValidUntil(cursor.string()?))
        }
        "sysid" if creates => integer(cursor).map(|_| RoleOption::SystemId),
        other => {
            let message = format!("unrecognized role option \"{other}\"");
            Err(SqlError::new(SYNTAX_ERROR, message).with_position(position))
        }
    }
}

/// Makes an option of its yes or no.
type Flag = fn(bool) -> RoleOption;

/// IN ROLE, ROLE, USER, ADMIN: the lists of CREATE ROLE.
fn parse_membership_option(cursor: &mut Cursor<'_>, creates: bool) -> SqlResult<Option<RoleOption>> {
    if creates && cursor.take("in") {
        if !cursor.take("role") {
            cursor.expect("group")?;
        }
        return Ok(Some(RoleOption::InRoles(role_list(cursor)?)));
    }
    if creates && cursor.take("admin") {
        return Ok(Some(RoleOption::Admins(role_list(cursor)?)));
    }
    if cursor.take("user") || creates && cursor.take("role") {
        return Ok(Some(RoleOption::Members(role_list(cursor)?)));
    }
    Ok(None)
}

/// A whole number with its sign.
pub(super) fn integer(cursor: &mut Cursor<'_>) -> SqlResult<i64> {
    let negative = cursor.take_symbol(&Token::Minus);
    let number = match cursor.peek() {
        Some(Token::Number(digits, _)) => digits.parse::<i64>().ok(),
        _ => None,
    };
    let Some(number) = number else { return Err(cursor.syntax_error()) };
    cursor.skip();
    Ok(if negative { -number } else { number })
}
