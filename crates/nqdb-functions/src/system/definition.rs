//! Definitions of objects as SQL text (manual 9.26.4): `pg_get_indexdef` and its kin.
//!
//! Functions about what does not exist here (rules, triggers, partitions, extended statistics) answer NULL, as they do for any
//! number that no object has.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum, Oid, oid};

use crate::{Function, FunctionContext, RoutineText};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &EXPRESSION,
    &EXPRESSION_PRETTY,
    &INDEX,
    &INDEX_COLUMN,
    &CONSTRAINT,
    &CONSTRAINT_PRETTY,
    &FUNCTION_DEFINITION,
    &FUNCTION_ARGUMENTS,
    &FUNCTION_IDENTITY_ARGUMENTS,
    &FUNCTION_RESULT,
    &FUNCTION_BODY,
    &FUNCTION_ARGUMENT_DEFAULT,
    &SERIAL_SEQUENCE,
    &RELATION_IS_UPDATABLE,
    &COLUMN_IS_UPDATABLE,
    &VIEW,
    &VIEW_PRETTY,
    &VIEW_WRAPPED,
    &VIEW_BY_NAME,
    &VIEW_BY_NAME_PRETTY,
    &RULE,
    &RULE_PRETTY,
    &TRIGGER,
    &TRIGGER_PRETTY,
    &STATISTICS,
    &STATISTICS_COLUMNS,
    &PARTITION_KEY,
    &PARTITION_CONSTRAINT,
    &CURRENT_SCHEMAS,
    &SEQUENCE_LAST_VALUE,
    &RELATION_FILE_NUMBER,
    &TABLESPACE_LOCATION,
    &OWN_TEMPORARY_SCHEMA,
    &OTHER_TEMPORARY_SCHEMA,
    &ENCODING_LENGTH_MAX,
    &ROW_SECURITY_ACTIVE,
    &ROW_SECURITY_ACTIVE_BY_NAME,
    &IS_PUBLISHABLE,
];

#[sql_function("pg_get_expr(pg_node_tree, oid) -> text", oid = 1716, stable)]
fn expression(context: &mut FunctionContext<'_>, stored: &str, relation: u32) -> String {
    context.session.expression_text(stored, relation, false)
}

#[sql_function("pg_get_expr(pg_node_tree, oid, bool) -> text", oid = 2509, stable)]
fn expression_pretty(context: &mut FunctionContext<'_>, stored: &str, relation: u32, pretty: bool) -> String {
    context.session.expression_text(stored, relation, pretty)
}

#[sql_function("pg_get_indexdef(oid) -> text", oid = 1643, stable)]
fn index(context: &mut FunctionContext<'_>, index: u32) -> Option<String> {
    context.session.index_definition(index, 0, false)
}

#[sql_function("pg_get_indexdef(oid, int4, bool) -> text", oid = 2507, stable)]
fn index_column(context: &mut FunctionContext<'_>, index: u32, column: i32, pretty: bool) -> Option<String> {
    context.session.index_definition(index, column, pretty)
}

#[sql_function("pg_get_constraintdef(oid) -> text", oid = 1387, stable)]
fn constraint(context: &mut FunctionContext<'_>, constraint: u32) -> Option<String> {
    context.session.constraint_definition(constraint, false)
}

#[sql_function("pg_get_constraintdef(oid, bool) -> text", oid = 2508, stable)]
fn constraint_pretty(context: &mut FunctionContext<'_>, constraint: u32, pretty: bool) -> Option<String> {
    context.session.constraint_definition(constraint, pretty)
}

#[sql_function("pg_get_functiondef(oid) -> text", oid = 2098, stable)]
fn function_definition(context: &mut FunctionContext<'_>, routine: u32) -> Option<String> {
    context.session.routine_text(routine, RoutineText::Definition)
}

#[sql_function("pg_get_function_arguments(oid) -> text", oid = 2162, stable)]
fn function_arguments(context: &mut FunctionContext<'_>, routine: u32) -> Option<String> {
    context.session.routine_text(routine, RoutineText::Arguments)
}

#[sql_function("pg_get_function_identity_arguments(oid) -> text", oid = 2232, stable)]
fn function_identity_arguments(context: &mut FunctionContext<'_>, routine: u32) -> Option<String> {
    context.session.routine_text(routine, RoutineText::IdentityArguments)
}

#[sql_function("pg_get_function_result(oid) -> text", oid = 2165, stable)]
fn function_result(context: &mut FunctionContext<'_>, routine: u32) -> Option<String> {
    context.session.routine_text(routine, RoutineText::Result)
}

/// The body of a function that is written in SQL: there are none.
#[sql_function("pg_get_function_sqlbody(oid) -> text", oid = 6197, stable)]
fn function_body(_routine: u32) -> Option<String> {
    None
}

/// The default of one argument, counted from 1.
#[sql_function("pg_get_function_arg_default(oid, int4) -> text", oid = 3808, stable)]
fn function_argument_default(_context: &mut FunctionContext<'_>, routine: u32, argument: i32) -> Option<String> {
    let function = crate::function_by_oid(routine)?;
    let first = function.args.len().checked_sub(function.defaults.len())?;
    let position = usize::try_from(argument).ok()?.checked_sub(1)?.checked_sub(first)?;
    function.defaults.get(position).map(|default| (*default).to_string())
}

#[sql_function("pg_get_serial_sequence(text, text) -> text", oid = 1665, stable)]
fn serial_sequence(context: &mut FunctionContext<'_>, table: &str, column: &str) -> SqlResult<Option<String>> {
    context.session.serial_sequence(table, column)
}

/// What can be done to the rows of a relation: 4 for UPDATE, 8 for INSERT, 16 for DELETE, added up. There are no triggers.
#[sql_function("pg_relation_is_updatable(regclass, bool) -> int4", oid = 3842, stable)]
fn relation_is_updatable(context: &mut FunctionContext<'_>, relation: u32, _triggers: bool) -> SqlResult<i32> {
    context.session.relation_changes(relation, None)
}

#[sql_function("pg_column_is_updatable(regclass, int2, bool) -> bool", oid = 3843, stable)]
fn column_is_updatable(
    context: &mut FunctionContext<'_>,
    relation: u32,
    column: i16,
    _triggers: bool,
) -> SqlResult<bool> {
    const UPDATE_AND_DELETE: i32 = 4 + 16;
    let changes = context.session.relation_changes(relation, Some(column))?;
    Ok(column > 0 && changes & UPDATE_AND_DELETE == UPDATE_AND_DELETE)
}

#[sql_function("pg_get_viewdef(oid) -> text", oid = 1641, stable)]
fn view(context: &mut FunctionContext<'_>, view: u32) -> Option<String> {
    context.session.view_definition(view, false)
}

#[sql_function("pg_get_viewdef(oid, bool) -> text", oid = 2506, stable)]
fn view_pretty(context: &mut FunctionContext<'_>, view: u32, pretty: bool) -> Option<String> {
    context.session.view_definition(view, pretty)
}

/// Lines are broken as they are without a width.
#[sql_function("pg_get_viewdef(oid, int4) -> text", oid = 3159, stable)]
fn view_wrapped(context: &mut FunctionContext<'_>, view: u32, _columns: i32) -> Option<String> {
    context.session.view_definition(view, true)
}

#[sql_function("pg_get_viewdef(text) -> text", oid = 1640, stable)]
fn view_by_name(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<Option<String>> {
    let view = context.session.object_number(oid::REGCLASS, name)?;
    Ok(context.session.view_definition(view, false))
}

#[sql_function("pg_get_viewdef(text, bool) -> text", oid = 2505, stable)]
fn view_by_name_pretty(context: &mut FunctionContext<'_>, name: &str, pretty: bool) -> SqlResult<Option<String>> {
    let view = context.session.object_number(oid::REGCLASS, name)?;
    Ok(context.session.view_definition(view, pretty))
}

#[sql_function("pg_get_ruledef(oid) -> text", oid = 1573, stable)]
fn rule(_rule: u32) -> Option<String> {
    None
}

#[sql_function("pg_get_ruledef(oid, bool) -> text", oid = 2504, stable)]
fn rule_pretty(_rule: u32, _pretty: bool) -> Option<String> {
    None
}

#[sql_function("pg_get_triggerdef(oid) -> text", oid = 1662, stable)]
fn trigger(_trigger: u32) -> Option<String> {
    None
}

#[sql_function("pg_get_triggerdef(oid, bool) -> text", oid = 2730, stable)]
fn trigger_pretty(_trigger: u32, _pretty: bool) -> Option<String> {
    None
}

#[sql_function("pg_get_statisticsobjdef(oid) -> text", oid = 3415, stable)]
fn statistics(_object: u32) -> Option<String> {
    None
}

#[sql_function("pg_get_statisticsobjdef_columns(oid) -> text", oid = 6174, stable)]
fn statistics_columns(_object: u32) -> Option<String> {
    None
}

#[sql_function("pg_get_partkeydef(oid) -> text", oid = 3352, stable)]
fn partition_key(_table: u32) -> Option<String> {
    None
}

#[sql_function("pg_get_partition_constraintdef(oid) -> text", oid = 3408, stable)]
fn partition_constraint(_table: u32) -> Option<String> {
    None
}

#[sql_function("current_schemas(bool) -> name_array", oid = 1403, stable)]
fn current_schemas(context: &mut FunctionContext<'_>, with_implicit: bool) -> SqlResult<Datum> {
    let schemas = context.session.search_path_schemas(with_implicit);
    Array::from_elements(oid::NAME, schemas.into_iter().map(Datum::text).collect()).map(Datum::array)
}

#[sql_function("pg_sequence_last_value(regclass) -> int8", oid = 4032, volatile)]
fn sequence_last_value(context: &mut FunctionContext<'_>, sequence: u32) -> SqlResult<Option<i64>> {
    let state = context.session.sequence_state(sequence)?;
    Ok(state.and_then(|(value, is_called)| is_called.then_some(value)))
}

/// The number under which the rows are stored: the relation's own.
#[sql_function("pg_relation_filenode(regclass) -> oid", oid = 2999, stable)]
fn relation_file_number(context: &mut FunctionContext<'_>, relation: u32) -> Option<u32> {
    context.session.object_name(oid::REGCLASS, relation).map(|_| relation)
}

/// Tablespaces have no place of their own.
#[sql_function("pg_tablespace_location(oid) -> text", oid = 3778, stable)]
fn tablespace_location(_tablespace: u32) -> &'static str {
    ""
}

#[sql_function("pg_my_temp_schema() -> oid", oid = 2854, stable)]
fn own_temporary_schema(context: &mut FunctionContext<'_>) -> u32 {
    own_temporary(context).unwrap_or(0)
}

#[sql_function("pg_is_other_temp_schema(oid) -> bool", oid = 2855, stable)]
fn other_temporary_schema(context: &mut FunctionContext<'_>, schema: u32) -> bool {
    let name = context.session.object_name(oid::REGNAMESPACE, schema);
    name.is_some_and(|name| name.starts_with(TEMPORARY_PREFIX)) && own_temporary(context) != Some(schema)
}

/// How schemas of temporary objects are called.
const TEMPORARY_PREFIX: &str = "pg_temp_";

fn own_temporary(context: &FunctionContext<'_>) -> Option<Oid> {
    let schemas = context.session.search_path_schemas(true);
    let name = schemas.into_iter().find(|name| name.starts_with(TEMPORARY_PREFIX))?;
    context.session.object_number(oid::REGNAMESPACE, &name).ok()
}

/// Bytes of the longest character of an encoding; NULL for a number that is none.
#[sql_function("pg_encoding_max_length(int4) -> int4", oid = 2319)]
fn encoding_length_max(encoding: i32) -> Option<i32> {
    Some(match encoding {
        6 => 4,
        1..=3 | 5 | 40 => 3,
        35..=38 | 41 => 2,
        4 | 7 | 39 => 4,
        0 | 8..=34 => 1,
        _ => return None,
    })
}

/// There are no row security policies.
#[sql_function("row_security_active(oid) -> bool", oid = 3298, stable)]
fn row_security_active(_table: u32) -> bool {
    false
}

#[sql_function("row_security_active(text) -> bool", oid = 3299, stable)]
fn row_security_active_by_name(context: &mut FunctionContext<'_>, table: &str) -> SqlResult<bool> {
    context.session.object_number(oid::REGCLASS, table).map(|_| false)
}

/// Nothing is published.
#[sql_function("pg_relation_is_publishable(regclass) -> bool", oid = 6121, stable)]
fn is_publishable(_relation: u32) -> bool {
    false
}
