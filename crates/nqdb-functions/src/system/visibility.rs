//! Whether the search path reaches an object by its bare name (manual 9.26.3), and names as numbers.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Oid, oid};

use crate::{Function, FunctionContext, ObjectKind};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &TABLE_IS_VISIBLE,
    &TYPE_IS_VISIBLE,
    &FUNCTION_IS_VISIBLE,
    &OPERATOR_IS_VISIBLE,
    &OPERATOR_CLASS_IS_VISIBLE,
    &OPERATOR_FAMILY_IS_VISIBLE,
    &COLLATION_IS_VISIBLE,
    &CONVERSION_IS_VISIBLE,
    &STATISTICS_IS_VISIBLE,
    &TS_PARSER_IS_VISIBLE,
    &TS_DICTIONARY_IS_VISIBLE,
    &TS_TEMPLATE_IS_VISIBLE,
    &TS_CONFIGURATION_IS_VISIBLE,
    &TO_REGCLASS,
    &TO_REGTYPE,
    &TO_REGPROC,
    &TO_REGPROCEDURE,
    &TO_REGOPER,
    &TO_REGOPERATOR,
    &TO_REGNAMESPACE,
    &TO_REGROLE,
    &TO_REGCOLLATION,
];

#[sql_function("pg_table_is_visible(oid) -> bool", oid = 2079, stable)]
fn table_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Relation, object)
}

#[sql_function("pg_type_is_visible(oid) -> bool", oid = 2080, stable)]
fn type_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Type, object)
}

#[sql_function("pg_function_is_visible(oid) -> bool", oid = 2081, stable)]
fn function_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Function, object)
}

#[sql_function("pg_operator_is_visible(oid) -> bool", oid = 2082, stable)]
fn operator_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Operator, object)
}

#[sql_function("pg_opclass_is_visible(oid) -> bool", oid = 2083, stable)]
fn operator_class_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::OperatorClass, object)
}

#[sql_function("pg_opfamily_is_visible(oid) -> bool", oid = 3829, stable)]
fn operator_family_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::OperatorFamily, object)
}

#[sql_function("pg_collation_is_visible(oid) -> bool", oid = 3815, stable)]
fn collation_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Collation, object)
}

#[sql_function("pg_conversion_is_visible(oid) -> bool", oid = 2093, stable)]
fn conversion_is_visible(context: &mut FunctionContext<'_>, object: u32) -> Option<bool> {
    context.session.is_visible(ObjectKind::Conversion, object)
}

/// There are no extended statistics, so that none is visible; likewise with text search below.
#[sql_function("pg_statistics_obj_is_visible(oid) -> bool", oid = 3403, stable)]
fn statistics_is_visible(_object: u32) -> Option<bool> {
    None
}

#[sql_function("pg_ts_parser_is_visible(oid) -> bool", oid = 3756, stable)]
fn ts_parser_is_visible(_object: u32) -> Option<bool> {
    None
}

#[sql_function("pg_ts_dict_is_visible(oid) -> bool", oid = 3757, stable)]
fn ts_dictionary_is_visible(_object: u32) -> Option<bool> {
    None
}

#[sql_function("pg_ts_template_is_visible(oid) -> bool", oid = 3768, stable)]
fn ts_template_is_visible(_object: u32) -> Option<bool> {
    None
}

#[sql_function("pg_ts_config_is_visible(oid) -> bool", oid = 3758, stable)]
fn ts_configuration_is_visible(_object: u32) -> Option<bool> {
    None
}

/// The number of a named object, NULL where there is none; other errors of the input functions stay errors.
fn found(context: &FunctionContext<'_>, reg_type: Oid, name: &str) -> SqlResult<Option<u32>> {
    match context.session.object_number(reg_type, name) {
        Ok(number) => Ok(Some(number)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &SqlError) -> bool {
    [
        nqdb_sqlstate::UNDEFINED_TABLE,
        nqdb_sqlstate::UNDEFINED_OBJECT,
        nqdb_sqlstate::UNDEFINED_FUNCTION,
        nqdb_sqlstate::AMBIGUOUS_FUNCTION,
        nqdb_sqlstate::INVALID_SCHEMA_NAME,
    ]
    .contains(&error.code())
}

#[sql_function("to_regclass(text) -> regclass", oid = 3495, stable)]
fn to_regclass(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGCLASS, name)
}

#[sql_function("to_regtype(text) -> regtype", oid = 3493, stable)]
fn to_regtype(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGTYPE, name)
}

#[sql_function("to_regproc(text) -> regproc", oid = 3494, stable)]
fn to_regproc(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGPROC, name)
}

#[sql_function("to_regprocedure(text) -> regprocedure", oid = 3479, stable)]
fn to_regprocedure(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGPROCEDURE, name)
}

#[sql_function("to_regoper(text) -> regoper", oid = 3492, stable)]
fn to_regoper(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGOPER, name)
}

#[sql_function("to_regoperator(text) -> regoperator", oid = 3476, stable)]
fn to_regoperator(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGOPERATOR, name)
}

#[sql_function("to_regnamespace(text) -> regnamespace", oid = 4086, stable)]
fn to_regnamespace(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGNAMESPACE, name)
}

#[sql_function("to_regrole(text) -> regrole", oid = 4093, stable)]
fn to_regrole(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGROLE, name)
}

#[sql_function("to_regcollation(text) -> regcollation", oid = 4195, stable)]
fn to_regcollation(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<u32>> {
    found(context, oid::REGCOLLATION, name)
}
