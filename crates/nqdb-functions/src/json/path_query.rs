//! `@?`, `@@`, `jsonb_path_exists`, `jsonb_path_match`, `jsonb_path_query` and its kin (manual 9.16.2).
//!
//! The forms with `_tz` may compare moments with and without time zones, which depends on the session's zone. With
//! `silent` an error of the path ends the search; what was found before it stays found.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SINGLETON_SQL_JSON_ITEM_REQUIRED, SqlError, SqlResult};
use nqdb_types::{Datum, Json, JsonPath};

use super::path_run::{Failure, Runner, Value};
use crate::{Function, FunctionContext, Rows};

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &EXISTS,
    &EXISTS_TZ,
    &EXISTS_OPERATOR,
    &MATCHES,
    &MATCHES_TZ,
    &MATCHES_OPERATOR,
    &QUERY,
    &QUERY_TZ,
    &ARRAY,
    &ARRAY_TZ,
    &FIRST,
    &FIRST_TZ,
];

/// How a path is run.
struct Request<'a> {
    target: &'a Json,
    path: &'a JsonPath,
    variables: &'a Json,
    silent: bool,
    uses_zone: bool,
}

/// What stands for the variables of the operators, which have none.
static NO_VARIABLES: std::sync::LazyLock<Json> = std::sync::LazyLock::new(|| Json::Object(Default::default()));

impl<'a> Request<'a> {
    fn of_operator(target: &'a Json, path: &'a JsonPath) -> Request<'a> {
        Request { target, path, variables: &NO_VARIABLES, silent: true, uses_zone: false }
    }

    fn runner(&self, context: &'a FunctionContext<'a>) -> SqlResult<Runner<'a>> {
        Runner::new(context, self.path, self.target, self.variables, self.uses_zone)
    }

    /// All items; and whether the path came to its end.
    fn items(&self, context: &'a FunctionContext<'a>) -> SqlResult<Vec<Json>> {
        let mut found = Vec::new();
        let outcome = self.runner(context)?.run(Some(&mut found));
        self.settled(outcome.map(|_| ()))?;
        Ok(found.into_iter().map(|value: Value<'_>| value.into_json(context)).collect())
    }

    /// What an outcome means: nothing where an error was silenced.
    fn settled<T>(&self, outcome: Result<T, Failure>) -> SqlResult<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Forgivable(_)) if self.silent => Ok(None),
            Err(Failure::Forgivable(error) | Failure::Final(error)) => Err(error),
        }
    }

    fn exists(&self, context: &'a FunctionContext<'a>) -> SqlResult<Option<bool>> {
        let outcome = self.runner(context)?.run(None);
        self.settled(outcome)
    }

    /// The one condition that the path is.
    fn matches(&self, context: &'a FunctionContext<'a>) -> SqlResult<Option<bool>> {
        match self.items(context)?.as_slice() {
            [Json::Bool(value)] => Ok(Some(*value)),
            [Json::Null] => Ok(None),
            _ if self.silent => Ok(None),
            _ => Err(SqlError::new(SINGLETON_SQL_JSON_ITEM_REQUIRED, "single boolean result is expected")),
        }
    }
}

/// The functions of one kind, without and with `_tz`.
macro_rules! path_functions {
    ($($plain:literal $plain_oid:literal $zoned:literal $zoned_oid:literal
       $name:ident $zoned_name:ident $returns:ty, $method:ident;)*) => {
        $(
            #[sql_function($plain, oid = $plain_oid)]
            fn $name(
                context: &mut FunctionContext<'_>,
                target: &Json,
                path: &JsonPath,
                variables: &Json,
                silent: bool,
            ) -> SqlResult<$returns> {
                Request { target, path, variables, silent, uses_zone: false }.$method(context)
            }

            #[sql_function($zoned, oid = $zoned_oid, stable)]
            fn $zoned_name(
                context: &mut FunctionContext<'_>,
                target: &Json,
                path: &JsonPath,
                variables: &Json,
                silent: bool,
            ) -> SqlResult<$returns> {
                Request { target, path, variables, silent, uses_zone: true }.$method(context)
            }
        )*
    };
}

path_functions! {
    "jsonb_path_exists(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> bool" 4005
    "jsonb_path_exists_tz(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> bool" 1177
    exists exists_tz Option<bool>, exists;
    "jsonb_path_match(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> bool" 4009
    "jsonb_path_match_tz(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> bool" 2030
    matches matches_tz Option<bool>, matches;
    "jsonb_path_query(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> setof jsonb" 4006
    "jsonb_path_query_tz(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> setof jsonb" 1179
    query query_tz Rows, rows;
    "jsonb_path_query_array(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> jsonb" 4007
    "jsonb_path_query_array_tz(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> jsonb" 1180
    array array_tz Json, array;
    "jsonb_path_query_first(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> jsonb" 4008
    "jsonb_path_query_first_tz(target jsonb, path jsonpath, vars jsonb = '{}', silent bool = 'false') -> jsonb" 2023
    first first_tz Option<Json>, first;
}

impl<'a> Request<'a> {
    fn rows(&self, context: &'a FunctionContext<'a>) -> SqlResult<Rows> {
        let items = self.items(context)?;
        Ok(Box::new(items.into_iter().map(|item| Ok(Datum::jsonb(item)))))
    }

    fn array(&self, context: &'a FunctionContext<'a>) -> SqlResult<Json> {
        self.items(context).map(Json::Array)
    }

    fn first(&self, context: &'a FunctionContext<'a>) -> SqlResult<Option<Json>> {
        Ok(self.items(context)?.into_iter().next())
    }
}

#[sql_function("jsonb_path_exists_opr(jsonb, jsonpath) -> bool", oid = 4010)]
fn exists_operator(context: &mut FunctionContext<'_>, target: &Json, path: &JsonPath) -> SqlResult<Option<bool>> {
    Request::of_operator(target, path).exists(context)
}

#[sql_function("jsonb_path_match_opr(jsonb, jsonpath) -> bool", oid = 4011)]
fn matches_operator(context: &mut FunctionContext<'_>, target: &Json, path: &JsonPath) -> SqlResult<Option<bool>> {
    Request::of_operator(target, path).matches(context)
}
