//! `||`, `concat`, `concat_ws`.
//!
//! The functions over "any" print each argument as its type's output function does: `true` is `t` in
//! `concat` and `true` in `||`, which casts.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Type, oid};

use super::{LEN_MAX, too_long};
use crate::coerce::text_of;
use crate::{Function, FunctionContext, cast_value};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&TEXT_TEXT, &TEXT_ANY, &ANY_TEXT, &CONCATENATE, &CONCATENATE_WITH_SEPARATOR];

#[sql_function("textcat(text, text) -> text", oid = 1258)]
fn text_text(context: &mut FunctionContext<'_>, a: &str, b: &str) -> SqlResult<String> {
    if a.len() + b.len() > LEN_MAX {
        return Err(too_long());
    }
    context.admit_bytes(a.len() + b.len())?;
    let mut joined = String::with_capacity(a.len() + b.len());
    joined.push_str(a);
    joined.push_str(b);
    Ok(joined)
}

/// An argument as its output function prints it; one whose type was not said as its natural type.
pub(super) fn output(context: &FunctionContext<'_>, index: usize, datum: &Datum) -> SqlResult<String> {
    text_of(datum, argument_type(context, index, datum), context)
}

fn argument_type(context: &FunctionContext<'_>, index: usize, datum: &Datum) -> Type {
    context.argument_type(index).unwrap_or_else(|| Type::new(datum.natural_oid().unwrap_or(oid::TEXT)))
}

/// An argument cast to text.
fn as_text(context: &mut FunctionContext<'_>, index: usize, datum: &Datum) -> SqlResult<String> {
    let ty = argument_type(context, index, datum);
    match cast_value(datum, ty, Type::new(oid::TEXT), context)? {
        Datum::Text(text) => Ok(text.to_string()),
        _ => Ok(String::new()),
    }
}

#[sql_function("textanycat(text, anynonarray) -> text", oid = 2003, stable)]
fn text_any(context: &mut FunctionContext<'_>, a: &str, b: &Datum) -> SqlResult<String> {
    Ok(format!("{a}{}", as_text(context, 1, b)?))
}

#[sql_function("anytextcat(anynonarray, text) -> text", oid = 2004, stable)]
fn any_text(context: &mut FunctionContext<'_>, a: &Datum, b: &str) -> SqlResult<String> {
    Ok(format!("{}{b}", as_text(context, 0, a)?))
}

/// NULLs are left out.
#[sql_function("concat(variadic any) -> text", oid = 3058, stable, called_on_null)]
fn concatenate(context: &mut FunctionContext<'_>, values: &[Datum]) -> SqlResult<String> {
    let mut joined = String::new();
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_null()) {
        joined.push_str(&output(context, index, value)?);
    }
    Ok(joined)
}

/// NULLs are left out; a NULL separator gives NULL.
#[sql_function("concat_ws(text, variadic any) -> text", oid = 3059, stable, called_on_null)]
fn concatenate_with_separator(context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Option<String>> {
    let Some((Datum::Text(separator), values)) = arguments.split_first() else { return Ok(None) };
    let mut parts = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_null()) {
        parts.push(output(context, index + 1, value)?);
    }
    Ok(Some(parts.join(separator)))
}
