//! What an object is and is called, by its numbers (manual, 9.26: object information and addressing functions).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum, oid};

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&DESCRIBE, &IDENTIFY, &IDENTIFY_AS_ADDRESS];

#[sql_function("pg_describe_object(oid, oid, int4) -> text", oid = 3537, stable)]
fn describe(context: &mut FunctionContext<'_>, class: u32, object: u32, column: i32) -> SqlResult<Option<String>> {
    // What a dependency that is none has in the place of an object.
    if class == 0 && object == 0 {
        return Ok(None);
    }
    Ok(context.session.object_identity(class, object, column)?.map(|found| found.description))
}

#[sql_function(
    "pg_identify_object(classid oid, objid oid, objsubid int4, out type text, out schema text, out name text, out identity text) -> record",
    oid = 3839,
    stable
)]
fn identify(context: &mut FunctionContext<'_>, class: u32, object: u32, column: i32) -> SqlResult<Vec<Datum>> {
    let Some(found) = context.session.object_identity(class, object, column)? else {
        return Ok(vec![Datum::text(context.session.object_kind(class)), Datum::Null, Datum::Null, Datum::Null]);
    };
    let optional = |text: Option<String>| text.map_or(Datum::Null, Datum::text);
    Ok(vec![Datum::text(found.kind), optional(found.schema), optional(found.name), Datum::text(found.identity)])
}

#[sql_function(
    "pg_identify_object_as_address(classid oid, objid oid, objsubid int4, out type text, out object_names text_array, out object_args text_array) -> record",
    oid = 3382,
    stable
)]
fn identify_as_address(
    context: &mut FunctionContext<'_>,
    class: u32,
    object: u32,
    column: i32,
) -> SqlResult<Vec<Datum>> {
    let Some(found) = context.session.object_identity(class, object, column)? else {
        return Ok(vec![Datum::text(context.session.object_kind(class)), Datum::Null, Datum::Null]);
    };
    let list = |texts: Vec<String>| -> SqlResult<Datum> {
        Array::from_elements(oid::TEXT, texts.into_iter().map(Datum::text).collect()).map(Datum::array)
    };
    Ok(vec![Datum::text(found.kind), list(found.names)?, list(found.args)?])
}
