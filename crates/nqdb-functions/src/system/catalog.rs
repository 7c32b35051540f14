//! What tools ask of the catalog: names of types and roles, descriptions, types of expressions.

use nqdb_functions_macros::sql_function;
use nqdb_types::{Datum, Type, oid};

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &TYPE_OF,
    &FORMAT_TYPE,
    &USER_BY_ID,
    &COUNT_NULLS,
    &COUNT_NON_NULLS,
    &OBJECT_DESCRIPTION,
    &OBJECT_DESCRIPTION_UNQUALIFIED,
    &COLUMN_DESCRIPTION,
    &SHARED_DESCRIPTION,
];

#[sql_function("pg_typeof(any) -> regtype", oid = 1619, stable, called_on_null)]
fn type_of(context: &mut FunctionContext<'_>, values: &[Datum]) -> u32 {
    let natural = || values.first().and_then(Datum::natural_oid).unwrap_or(oid::UNKNOWN);
    context.argument_type(0).map_or_else(natural, Type::declared_oid)
}

#[sql_function("format_type(oid, int4) -> text", oid = 1081, stable, called_on_null)]
fn format_type(context: &mut FunctionContext<'_>, type_oid: Option<u32>, typmod: Option<i32>) -> Option<String> {
    let type_oid = type_oid?;
    if type_oid == 0 {
        return Some("-".to_string());
    }
    if nqdb_types::type_info(type_oid).is_none() && !nqdb_types::is_user_type(type_oid) {
        return Some(context.session.type_name(type_oid).unwrap_or_else(|| "???".to_string()));
    }
    Some(context.format.type_name(Type::with_typmod(type_oid, typmod.unwrap_or(-1))))
}

#[sql_function("pg_get_userbyid(oid) -> name", oid = 1642, stable)]
fn user_by_id(context: &mut FunctionContext<'_>, role: u32) -> String {
    context.session.role_name(role).unwrap_or_else(|| format!("unknown (OID={role})"))
}

#[sql_function("num_nulls(variadic any) -> int4", oid = 438, called_on_null)]
fn count_nulls(values: &[Datum]) -> i32 {
    values.iter().filter(|value| value.is_null()).count() as i32
}

#[sql_function("num_nonnulls(variadic any) -> int4", oid = 440, called_on_null)]
fn count_non_nulls(values: &[Datum]) -> i32 {
    values.iter().filter(|value| !value.is_null()).count() as i32
}

#[sql_function("obj_description(oid, name) -> text", oid = 1215, stable)]
fn object_description(context: &mut FunctionContext<'_>, object: u32, catalog: &str) -> Option<String> {
    context.session.comment(Some(catalog), object, 0)
}

#[sql_function("obj_description(oid) -> text", oid = 1348, stable)]
fn object_description_unqualified(context: &mut FunctionContext<'_>, object: u32) -> Option<String> {
    context.session.comment(None, object, 0)
}

#[sql_function("col_description(oid, int4) -> text", oid = 1216, stable)]
fn column_description(context: &mut FunctionContext<'_>, table: u32, column: i32) -> Option<String> {
    context.session.comment(Some("pg_class"), table, i16::try_from(column).ok()?)
}

#[sql_function("shobj_description(oid, name) -> text", oid = 1993, stable)]
fn shared_description(context: &mut FunctionContext<'_>, object: u32, catalog: &str) -> Option<String> {
    context.session.comment(Some(catalog), object, 0)
}
