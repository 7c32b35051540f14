//! Access privilege inquiry (manual 9.26.2): the `has_..._privilege` functions.
//!
//! Each comes in six forms: the role by name, by number or left out, the object by name or by number. Which one it is shows in
//! the datums, so that one function answers for all forms.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid, oid};

use crate::{
    Function, FunctionContext, PrivilegeColumn, PrivilegeRequest, PrivilegeTarget, RoleName, ScalarFn, Securable,
    Volatility,
};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &six("has_table_privilege", 1922, of_table),
    &six("has_sequence_privilege", 2181, of_sequence),
    &six("has_database_privilege", 2250, of_database),
    &six("has_function_privilege", 2256, of_function),
    &six("has_language_privilege", 2262, of_language),
    &six("has_schema_privilege", 2268, of_schema),
    &six("has_tablespace_privilege", 2390, of_tablespace),
    &six("has_foreign_data_wrapper_privilege", 3000, of_foreign_data_wrapper),
    &six("has_server_privilege", 3006, of_server),
    &six("has_any_column_privilege", 3024, of_any_column),
    &six("has_type_privilege", 3138, of_type),
    &COLUMN,
    &ROLE,
    &PARAMETER,
];

const fn function(oid: Oid, name: &'static str, args: &'static [Oid], eval: ScalarFn) -> Function {
    Function {
        oid,
        name,
        args,
        arg_names: &[],
        defaults: &[],
        variadic: false,
        returns: oid::BOOL,
        strict: true,
        volatility: Volatility::Stable,
        set_returning: false,
        columns: &[],
        eval,
        rows: None,
        records: None,
    }
}

/// The six forms, whose numbers follow each other.
const fn six(name: &'static str, first: Oid, eval: ScalarFn) -> [Function; 6] {
    [
        function(first, name, &[oid::NAME, oid::TEXT, oid::TEXT], eval),
        function(first + 1, name, &[oid::NAME, oid::OID, oid::TEXT], eval),
        function(first + 2, name, &[oid::OID, oid::TEXT, oid::TEXT], eval),
        function(first + 3, name, &[oid::OID, oid::OID, oid::TEXT], eval),
        function(first + 4, name, &[oid::TEXT, oid::TEXT], eval),
        function(first + 5, name, &[oid::OID, oid::TEXT], eval),
    ]
}

static COLUMN: [Function; 12] = [
    function(3012, "has_column_privilege", &[oid::NAME, oid::TEXT, oid::TEXT, oid::TEXT], of_column),
    function(3013, "has_column_privilege", &[oid::NAME, oid::TEXT, oid::INT2, oid::TEXT], of_column),
    function(3014, "has_column_privilege", &[oid::NAME, oid::OID, oid::TEXT, oid::TEXT], of_column),
    function(3015, "has_column_privilege", &[oid::NAME, oid::OID, oid::INT2, oid::TEXT], of_column),
    function(3016, "has_column_privilege", &[oid::OID, oid::TEXT, oid::TEXT, oid::TEXT], of_column),
    function(3017, "has_column_privilege", &[oid::OID, oid::TEXT, oid::INT2, oid::TEXT], of_column),
    function(3018, "has_column_privilege", &[oid::OID, oid::OID, oid::TEXT, oid::TEXT], of_column),
    function(3019, "has_column_privilege", &[oid::OID, oid::OID, oid::INT2, oid::TEXT], of_column),
    function(3020, "has_column_privilege", &[oid::TEXT, oid::TEXT, oid::TEXT], of_column),
    function(3021, "has_column_privilege", &[oid::TEXT, oid::INT2, oid::TEXT], of_column),
    function(3022, "has_column_privilege", &[oid::OID, oid::TEXT, oid::TEXT], of_column),
    function(3023, "has_column_privilege", &[oid::OID, oid::INT2, oid::TEXT], of_column),
];

static ROLE: [Function; 6] = [
    function(2705, "pg_has_role", &[oid::NAME, oid::NAME, oid::TEXT], of_role),
    function(2706, "pg_has_role", &[oid::NAME, oid::OID, oid::TEXT], of_role),
    function(2707, "pg_has_role", &[oid::OID, oid::NAME, oid::TEXT], of_role),
    function(2708, "pg_has_role", &[oid::OID, oid::OID, oid::TEXT], of_role),
    function(2709, "pg_has_role", &[oid::NAME, oid::TEXT], of_role),
    function(2710, "pg_has_role", &[oid::OID, oid::TEXT], of_role),
];

static PARAMETER: [Function; 3] = [
    function(6205, "has_parameter_privilege", &[oid::NAME, oid::TEXT, oid::TEXT], of_parameter),
    function(6206, "has_parameter_privilege", &[oid::OID, oid::TEXT, oid::TEXT], of_parameter),
    function(6207, "has_parameter_privilege", &[oid::TEXT, oid::TEXT], of_parameter),
];

macro_rules! of_securable {
    ($($name:ident $securable:ident),* $(,)?) => {
        $(
            fn $name(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Datum> {
                answer(context, Securable::$securable, args)
            }
        )*
    };
}

of_securable! {
    of_table Table,
    of_sequence Sequence,
    of_database Database,
    of_function Function,
    of_language Language,
    of_schema Schema,
    of_tablespace Tablespace,
    of_foreign_data_wrapper ForeignDataWrapper,
    of_server Server,
    of_any_column AnyColumn,
    of_type Type,
    of_column Column,
    of_role Role,
    of_parameter Parameter,
}

fn answer(context: &FunctionContext<'_>, securable: Securable, args: &[Datum]) -> SqlResult<Datum> {
    if args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let wrong = || SqlError::internal("a privilege function was called with other arguments than it has");
    let (privileges, args) = args.split_last().ok_or_else(wrong)?;
    let (column, args) = match (securable, args.split_last()) {
        (Securable::Column, Some((column, rest))) => (Some(column_of(column).ok_or_else(wrong)?), rest),
        _ => (None, args),
    };
    let (role, target) = match args {
        [target] => (RoleName::Current, target),
        [role, target] => (role_of(role).ok_or_else(wrong)?, target),
        _ => return Err(wrong()),
    };
    let target = match target {
        Datum::Oid(number) => PrivilegeTarget::Number(*number),
        Datum::Text(name) => PrivilegeTarget::Name(name),
        _ => return Err(wrong()),
    };
    let privileges = privileges.as_text().ok_or_else(wrong)?;
    let request = PrivilegeRequest { securable, role, target, column, privileges };
    Ok(context.session.has_privilege(&request)?.map_or(Datum::Null, Datum::Bool))
}

fn role_of(datum: &Datum) -> Option<RoleName<'_>> {
    match datum {
        Datum::Oid(number) => Some(RoleName::Number(*number)),
        Datum::Text(name) => Some(RoleName::Name(name)),
        _ => None,
    }
}

fn column_of(datum: &Datum) -> Option<PrivilegeColumn<'_>> {
    match datum {
        Datum::Int2(number) => Some(PrivilegeColumn::Number(*number)),
        Datum::Text(name) => Some(PrivilegeColumn::Name(name)),
        _ => None,
    }
}
