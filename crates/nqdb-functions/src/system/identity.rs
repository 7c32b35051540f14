//! Users, database, schema, settings.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &CURRENT_USER,
    &SESSION_USER,
    &CURRENT_DATABASE,
    &CURRENT_SCHEMA,
    &CURRENT_SETTING,
    &CURRENT_SETTING_MISSING_OK,
    &SET_CONFIG,
    &CLIENT_ENCODING,
];

#[sql_function("current_user() -> name", oid = 745, alias("getpgusername", oid = 710), stable)]
fn current_user(context: &mut FunctionContext<'_>) -> String {
    context.session.current_user()
}

#[sql_function("session_user() -> name", oid = 746, stable)]
fn session_user(context: &mut FunctionContext<'_>) -> String {
    context.session.session_user()
}

#[sql_function("current_database() -> name", oid = 861, stable)]
fn current_database(context: &mut FunctionContext<'_>) -> String {
    context.session.current_database()
}

#[sql_function("current_schema() -> name", oid = 1402, stable)]
fn current_schema(context: &mut FunctionContext<'_>) -> Option<String> {
    context.session.current_schema()
}

#[sql_function("current_setting(text) -> text", oid = 2077, stable)]
fn current_setting(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<String>> {
    context.session.setting(name, false)
}

#[sql_function("current_setting(text, bool) -> text", oid = 3294, stable)]
fn current_setting_missing_ok(
    context: &mut FunctionContext<'_>,
    name: &str,
    missing_ok: bool,
) -> SqlResult<Option<String>> {
    context.session.setting(name, missing_ok)
}

/// A NULL value resets the setting to its default.
#[sql_function("set_config(text, text, bool) -> text", oid = 2078, volatile, called_on_null)]
fn set_config(
    context: &mut FunctionContext<'_>,
    name: Option<&str>,
    value: Option<&str>,
    is_local: Option<bool>,
) -> SqlResult<String> {
    let Some(name) = name else {
        return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    };
    context.session.set_setting(name, value, is_local.unwrap_or(false))
}

#[sql_function("pg_client_encoding() -> name", oid = 810, stable)]
fn client_encoding(_context: &mut FunctionContext<'_>) -> &'static str {
    "UTF8"
}
