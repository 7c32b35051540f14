//! CREATE, ALTER and DROP DATABASE.
//!
//! A command is looked at twice: [`database_claim`] says, before anything is changed, from which database sessions must be kept
//! away and what is wrong with the command; the session sees to the former, and then [`run`] looks again and does it.
//!
//! Databases are UTF8 with the C locale: what asks for another one is refused.

use nqdb_catalog::request::{DatabaseChange, NewDatabase};
use nqdb_catalog::{DatabaseDef, FIRST_USER_OID, Snapshot};
use nqdb_functions::{char_to_encoding, server_encoding};
use nqdb_sqlstate::{
    DUPLICATE_DATABASE, FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, INVALID_CATALOG_NAME, INVALID_OBJECT_DEFINITION,
    INVALID_PARAMETER_VALUE, Notice, OBJECT_IN_USE, SUCCESSFUL_COMPLETION, SYNTAX_ERROR, SqlError, SqlResult,
    UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use crate::database_command::{DatabaseCommand, DatabaseOption, OptionValue};
use crate::exec::CommandTag;
use crate::rights_command::RoleSpec;
use crate::system::tablespace_named;

/// The tablespace of all databases.
const DEFAULT_TABLESPACE: &str = "pg_default";
const GLOBAL_TABLESPACE: &str = "pg_global";
const TEMPLATE: &str = "template1";
/// The template that has nothing which depends on encoding or locale.
const NEUTRAL_TEMPLATE: &str = "template0";

/// A database in which no other session may be while a command runs.
#[derive(Clone, Debug)]
pub struct DatabaseClaim {
    pub database: Oid,
    /// End the sessions that are in it.
    pub force: bool,
    /// 55006, for when there are sessions.
    pub busy: SqlError,
}

/// What a command needs to be kept free of sessions, with all that is wrong with it as far as the catalog tells.
pub fn database_claim(command: &DatabaseCommand, catalog: &Snapshot, role: Oid) -> SqlResult<Option<DatabaseClaim>> {
    let busy = |what: &str| {
        let message = format!("{what} is being accessed by other users");
        SqlError::new(OBJECT_IN_USE, message)
    };
    let (database, force, busy) = match command {
        DatabaseCommand::Create { name, options } => {
            let (new, template) = new_database(name, options, catalog, role)?;
            (new.template, false, busy(&format!("source database \"{template}\"")))
        }
        DatabaseCommand::Drop { name, if_exists, force } => {
            if *if_exists && catalog.database_named(name).is_none() {
                return Ok(None);
            }
            let database = dropped_database(name, catalog, role)?;
            (database.oid, *force, busy(&format!("database \"{name}\"")))
        }
        DatabaseCommand::Rename { name, new_name } => {
            let database = renamed_database(name, new_name, catalog, role)?;
            (database.oid, false, busy(&format!("database \"{name}\"")))
        }
        _ => return Ok(None),
    };
    Ok(Some(DatabaseClaim { database, force, busy }))
}

/// Runs a command. No session is in the database that [`database_claim`] named.
pub(super) fn run(command: &DatabaseCommand, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let catalog = cx.draft.snapshot();
    match command {
        DatabaseCommand::Create { name, options } => {
            if options.iter().any(|option| option.name == "location") {
                let hint = Some("Consider using tablespaces instead.".to_owned());
                let warning = Notice::warning(FEATURE_NOT_SUPPORTED, "LOCATION is not supported anymore");
                cx.notice(Notice { hint, ..warning });
            }
            let (new, _) = new_database(name, options, &catalog, cx.role)?;
            cx.writer().create_database(&new)?;
            return Ok(CommandTag::Other("CREATE DATABASE"));
        }
        DatabaseCommand::Drop { name, if_exists, force: _ } => {
            if *if_exists && catalog.database_named(name).is_none() {
                let message = format!("database \"{name}\" does not exist, skipping");
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, &message));
            } else {
                let oid = dropped_database(name, &catalog, cx.role)?.oid;
                cx.writer().drop_database(oid)?;
            }
            return Ok(CommandTag::Other("DROP DATABASE"));
        }
        DatabaseCommand::Rename { name, new_name } => {
            let oid = renamed_database(name, new_name, &catalog, cx.role)?.oid;
            let change = DatabaseChange { name: Some(new_name.clone()), ..DatabaseChange::default() };
            cx.writer().alter_database(oid, &change)?;
        }
        DatabaseCommand::Alter { name, options } => alter(name, options, &catalog, cx)?,
        DatabaseCommand::SetOwner { name, owner } => set_owner(name, owner, &catalog, cx)?,
        DatabaseCommand::SetTablespace { name, tablespace } => set_tablespace(name, tablespace, &catalog, cx.role)?,
        DatabaseCommand::RefreshCollation { name } => {
            owned_database(name, &catalog, cx.role)?;
            cx.notice(Notice::new(SUCCESSFUL_COMPLETION, "version has not changed"));
        }
    }
    Ok(CommandTag::Other("ALTER DATABASE"))
}

/// The database of a name; 3D000 when there is none.
pub(super) fn database_named<'a>(name: &str, catalog: &'a Snapshot) -> SqlResult<&'a DatabaseDef> {
    let missing = || SqlError::new(INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"));
    catalog.database_named(name).map(|database| &**database).ok_or_else(missing)
}

fn owned_database<'a>(name: &str, catalog: &'a Snapshot, role: Oid) -> SqlResult<&'a DatabaseDef> {
    let database = database_named(name, catalog)?;
    if catalog.owns(role, database.owner) {
        return Ok(database);
    }
    Err(denied(format!("must be owner of database {name}")))
}

fn denied(message: String) -> SqlError {
    SqlError::new(INSUFFICIENT_PRIVILEGE, message)
}

fn may_create_databases(catalog: &Snapshot, role: Oid) -> bool {
    catalog.role_by_oid(role).is_some_and(|role| role.superuser || role.create_database)
}

fn dropped_database<'a>(name: &str, catalog: &'a Snapshot, role: Oid) -> SqlResult<&'a DatabaseDef> {
    let database = owned_database(name, catalog, role)?;
    if database.is_template {
        return Err(SqlError::new(WRONG_OBJECT_TYPE, "cannot drop a template database"));
    }
    if database.oid == catalog.database() {
        return Err(SqlError::new(OBJECT_IN_USE, "cannot drop the currently open database"));
    }
    Ok(database)
}

fn renamed_database<'a>(name: &str, new_name: &str, catalog: &'a Snapshot, role: Oid) -> SqlResult<&'a DatabaseDef> {
    let database = owned_database(name, catalog, role)?;
    if !may_create_databases(catalog, role) {
        return Err(denied("permission denied to rename database".to_owned()));
    }
    expect_free(new_name, catalog)?;
    if database.oid == catalog.database() {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "current database cannot be renamed"));
    }
    Ok(database)
}

fn expect_free(name: &str, catalog: &Snapshot) -> SqlResult<()> {
    match catalog.database_named(name) {
        Some(_) => Err(SqlError::new(DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))),
        None => Ok(()),
    }
}

/// What CREATE DATABASE asks for, and the name of the template.
fn new_database(
    name: &str,
    options: &[DatabaseOption],
    catalog: &Snapshot,
    role: Oid,
) -> SqlResult<(NewDatabase, String)> {
    let options = Options(options);
    options.expect_known_encoding()?;
    options.expect_known_provider()?;
    options.expect_no_system_number()?;
    let is_template = options.boolean("is_template")?.unwrap_or(false);
    let allow_connections = options.boolean("allow_connections")?.unwrap_or(true);
    let connection_limit = options.connection_limit()?.unwrap_or(-1);
    let owner = match options.text("owner") {
        Some(owner) => catalog.role(&owner).ok_or_else(|| super::role::no_role(&owner))?.oid,
        None => role,
    };
    if !may_create_databases(catalog, role) {
        return Err(denied("permission denied to create database".to_owned()));
    }
    if !catalog.is_member(role, owner) {
        let owner = catalog.role_by_oid(owner).map_or("", |owner| owner.name.as_str());
        return Err(denied(format!("must be member of role \"{owner}\"")));
    }
    let template_name = options.text("template").unwrap_or_else(|| TEMPLATE.to_owned());
    let missing = || {
        let message = format!("template database \"{template_name}\" does not exist");
        SqlError::new(INVALID_CATALOG_NAME, message)
    };
    let template = catalog.database_named(&template_name).ok_or_else(missing)?;
    if !template.is_template && !catalog.owns(role, template.owner) {
        return Err(denied(format!("permission denied to copy database \"{template_name}\"")));
    }
    options.expect_known_strategy()?;
    options.expect_form_of(&template_name)?;
    if let Some(tablespace) = options.text("tablespace") {
        expect_default_tablespace(&tablespace)?;
    }
    for refused in ["collation_version", "oid"] {
        if options.find(refused).is_some() {
            return Err(SqlError::unsupported(format!("CREATE DATABASE with option {}", refused.to_ascii_uppercase())));
        }
    }
    expect_free(name, catalog)?;
    let (name, template) = (name.to_owned(), template.oid);
    Ok((NewDatabase { name, owner, template, is_template, allow_connections, connection_limit }, template_name))
}

fn expect_default_tablespace(tablespace: &str) -> SqlResult<()> {
    if tablespace_named(tablespace).is_none() {
        return Err(SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{tablespace}\" does not exist")));
    }
    if tablespace == GLOBAL_TABLESPACE {
        let message = "pg_global cannot be used as default tablespace";
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    debug_assert_eq!(tablespace, DEFAULT_TABLESPACE, "there are two tablespaces");
    Ok(())
}

fn alter(
    name: &str,
    options: &[DatabaseOption],
    catalog: &Snapshot,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let options = Options(options);
    let value_or = |name: &str, default: bool| -> SqlResult<Option<bool>> {
        Ok(options.find(name).map(|_| options.boolean(name)).transpose()?.map(|value| value.unwrap_or(default)))
    };
    let change = DatabaseChange {
        is_template: value_or("is_template", false)?,
        allow_connections: value_or("allow_connections", true)?,
        connection_limit: options
            .find("connection_limit")
            .map(|_| options.connection_limit())
            .transpose()?
            .map(|limit| limit.unwrap_or(-1)),
        ..DatabaseChange::default()
    };
    let database = owned_database(name, catalog, cx.role)?;
    if change.allow_connections == Some(false) && database.oid == catalog.database() {
        let message = "cannot disallow connections for current database";
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).into());
    }
    cx.writer().alter_database(database.oid, &change)
}

fn set_owner(name: &str, owner: &RoleSpec, catalog: &Snapshot, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let new_owner = cx.role_of(owner)?;
    let database = database_named(name, catalog)?;
    if database.owner == new_owner.oid {
        return Ok(());
    }
    owned_database(name, catalog, cx.role)?;
    cx.expect_member(&new_owner)?;
    if !may_create_databases(catalog, cx.role) {
        return Err(denied("permission denied to change owner of database".to_owned()).into());
    }
    let change = DatabaseChange { owner: Some(new_owner.oid), ..DatabaseChange::default() };
    cx.writer().alter_database(database.oid, &change)
}

/// Every database is in the one tablespace that there is.
fn set_tablespace(name: &str, tablespace: &str, catalog: &Snapshot, role: Oid) -> SqlResult<()> {
    let database = owned_database(name, catalog, role)?;
    if database.oid == catalog.database() {
        let message = "cannot change the tablespace of the currently open database";
        return Err(SqlError::new(OBJECT_IN_USE, message));
    }
    expect_default_tablespace(tablespace)
}

/// The options of a command.
struct Options<'a>(&'a [DatabaseOption]);

impl Options<'_> {
    fn find(&self, name: &str) -> Option<&DatabaseOption> {
        self.0.iter().find(|option| option.name == name)
    }

    /// The value of an option as text; none where it is not there, or DEFAULT.
    fn text(&self, name: &str) -> Option<String> {
        match &self.find(name)?.value {
            OptionValue::Default => None,
            OptionValue::Integer(number) => Some(number.to_string()),
            OptionValue::Text(text) => Some(text.clone()),
        }
    }

    fn boolean(&self, name: &str) -> SqlResult<Option<bool>> {
        let Some(option) = self.find(name) else { return Ok(None) };
        let read = match &option.value {
            OptionValue::Default => return Ok(None),
            OptionValue::Integer(0) => Some(false),
            OptionValue::Integer(1) => Some(true),
            OptionValue::Integer(_) => None,
            OptionValue::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "on" => Some(true),
                "false" | "off" => Some(false),
                _ => None,
            },
        };
        read.map(Some).ok_or_else(|| SqlError::new(SYNTAX_ERROR, format!("{name} requires a Boolean value")))
    }

    fn connection_limit(&self) -> SqlResult<Option<i32>> {
        let Some(option) = self.find("connection_limit") else { return Ok(None) };
        let limit = match &option.value {
            OptionValue::Default => return Ok(None),
            OptionValue::Integer(number) => i32::try_from(*number).ok(),
            OptionValue::Text(_) => None,
        };
        match limit {
            Some(limit) if limit >= -1 => Ok(Some(limit)),
            Some(limit) => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid connection limit: {limit}"))),
            None => Err(SqlError::new(SYNTAX_ERROR, "connection_limit requires an integer value")),
        }
    }

    /// 42704 for an encoding that nobody knows.
    fn expect_known_encoding(&self) -> SqlResult<()> {
        let Some(option) = self.find("encoding") else { return Ok(()) };
        let message = match &option.value {
            OptionValue::Default => return Ok(()),
            OptionValue::Integer(-1) => return Ok(()),
            OptionValue::Integer(number) => format!("{number} is not a valid encoding code"),
            OptionValue::Text(name) => format!("{name} is not a valid encoding name"),
        };
        match self.encoding() {
            Some(_) => Ok(()),
            None => Err(SqlError::new(UNDEFINED_OBJECT, message).with_position(option.position)),
        }
    }

    /// The encoding that is asked for, by PostgreSQL's name.
    fn encoding(&self) -> Option<&'static str> {
        match &self.find("encoding")?.value {
            OptionValue::Default => None,
            OptionValue::Integer(number) => i32::try_from(*number).ok().and_then(server_encoding),
            OptionValue::Text(name) => server_encoding(char_to_encoding(name)),
        }
    }

    fn expect_known_provider(&self) -> SqlResult<()> {
        match self.text("locale_provider") {
            Some(provider) if !["icu", "libc"].iter().any(|known| provider.eq_ignore_ascii_case(known)) => {
                let message = format!("unrecognized locale provider: {provider}");
                Err(SqlError::new(INVALID_OBJECT_DEFINITION, message))
            }
            _ => Ok(()),
        }
    }

    /// 22023 for a number that only the first databases have.
    fn expect_no_system_number(&self) -> SqlResult<()> {
        match self.find("oid").map(|option| &option.value) {
            Some(OptionValue::Integer(number)) if *number < i64::from(FIRST_USER_OID) => {
                let message = format!("OIDs less than {FIRST_USER_OID} are reserved for system objects");
                Err(SqlError::new(INVALID_PARAMETER_VALUE, message))
            }
            _ => Ok(()),
        }
    }

    /// Both strategies of PostgreSQL are about how files are copied: here they name the same.
    fn expect_known_strategy(&self) -> SqlResult<()> {
        match self.text("strategy") {
            Some(strategy) if !["wal_log", "file_copy"].iter().any(|known| strategy.eq_ignore_ascii_case(known)) => {
                let message = format!("invalid create database strategy \"{strategy}\"");
                Err(SqlError::new(INVALID_PARAMETER_VALUE, message)
                    .with_hint("Valid strategies are \"wal_log\" and \"file_copy\"."))
            }
            _ => Ok(()),
        }
    }

    /// UTF8 and the C locale are all that there is; PostgreSQL's error where the template stands in the way there too.
    fn expect_form_of(&self, template: &str) -> SqlResult<()> {
        if let Some(encoding) = self.encoding().filter(|encoding| *encoding != "UTF8") {
            if template == NEUTRAL_TEMPLATE {
                return Err(SqlError::unsupported(format!("a database in encoding {encoding}")));
            }
            let message =
                format!("new encoding ({encoding}) is incompatible with the encoding of the template database (UTF8)");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message)
                .with_hint("Use the same encoding as in the template database, or use template0 as template."));
        }
        for option in ["locale", "lc_collate", "lc_ctype"] {
            if let Some(locale) = self.text(option).filter(|locale| locale != "C" && locale != "POSIX") {
                return Err(SqlError::unsupported(format!("a database with locale \"{locale}\"")));
            }
        }
        if self.text("locale_provider").is_some_and(|provider| provider.eq_ignore_ascii_case("icu")) {
            return Err(SqlError::unsupported("a database with locale provider icu"));
        }
        if self.find("icu_locale").is_some() {
            let message = "ICU locale cannot be specified unless locale provider is ICU";
            return Err(SqlError::new(INVALID_OBJECT_DEFINITION, message));
        }
        Ok(())
    }
}
