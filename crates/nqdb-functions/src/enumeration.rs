//! Enums: comparisons, and the labels of a type (manual 9.10).
//!
//! The functions over labels look at the type of their arguments only, so that NULL may stand for any value of it.

use std::cmp::Ordering;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, OBJECT_NOT_IN_PREREQUISITE_STATE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, EnumLabel, Oid, enum_label_value, is_enum};

use crate::{Function, FunctionContext};

pub(crate) static TABLES: &[&[&[Function]]] = &[&[
    &EQUAL,
    &NOT_EQUAL,
    &LESS,
    &GREATER,
    &LESS_OR_EQUAL,
    &GREATER_OR_EQUAL,
    &COMPARE,
    &SMALLER,
    &LARGER,
    &FIRST,
    &LAST,
    &RANGE_BOUNDS,
    &RANGE_ALL,
]];

macro_rules! comparisons {
    ($($function:ident $signature:literal $oid:literal $test:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(a: &Datum, b: &Datum) -> bool {
                a.compare(b).$test()
            }
        )*
    };
}

comparisons! {
    equal "enum_eq(anyenum, anyenum) -> bool" 3508 is_eq;
    not_equal "enum_ne(anyenum, anyenum) -> bool" 3509 is_ne;
    less "enum_lt(anyenum, anyenum) -> bool" 3510 is_lt;
    greater "enum_gt(anyenum, anyenum) -> bool" 3511 is_gt;
    less_or_equal "enum_le(anyenum, anyenum) -> bool" 3512 is_le;
    greater_or_equal "enum_ge(anyenum, anyenum) -> bool" 3513 is_ge;
}

#[sql_function("enum_cmp(anyenum, anyenum) -> int4", oid = 3514)]
fn compare(a: &Datum, b: &Datum) -> i32 {
    match a.compare(b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

#[sql_function("enum_smaller(anyenum, anyenum) -> anyenum", oid = 3524)]
fn smaller(a: &Datum, b: &Datum) -> Datum {
    if a.compare(b).is_lt() { a.clone() } else { b.clone() }
}

#[sql_function("enum_larger(anyenum, anyenum) -> anyenum", oid = 3525)]
fn larger(a: &Datum, b: &Datum) -> Datum {
    if a.compare(b).is_gt() { a.clone() } else { b.clone() }
}

#[sql_function("enum_first(anyenum) -> anyenum", oid = 3528, stable, called_on_null)]
fn first(context: &mut FunctionContext<'_>, _any: &Datum) -> SqlResult<Datum> {
    let type_oid = enum_argument(context)?;
    end_of(context, type_oid, |labels| labels.first())
}

#[sql_function("enum_last(anyenum) -> anyenum", oid = 3529, stable, called_on_null)]
fn last(context: &mut FunctionContext<'_>, _any: &Datum) -> SqlResult<Datum> {
    let type_oid = enum_argument(context)?;
    end_of(context, type_oid, |labels| labels.last())
}

#[sql_function("enum_range(anyenum, anyenum) -> anyarray", oid = 3530, stable, called_on_null)]
fn range_bounds(context: &mut FunctionContext<'_>, lower: &Datum, upper: &Datum) -> SqlResult<Datum> {
    labels_between(context, lower, upper)
}

#[sql_function("enum_range(anyenum) -> anyarray", oid = 3531, stable, called_on_null)]
fn range_all(context: &mut FunctionContext<'_>, _any: &Datum) -> SqlResult<Datum> {
    labels_between(context, &Datum::Null, &Datum::Null)
}

/// The enum that the call is about.
fn enum_argument(context: &FunctionContext<'_>) -> SqlResult<Oid> {
    let ty = context.argument_type(0).map(|ty| ty.oid).filter(|type_oid| is_enum(*type_oid));
    ty.ok_or_else(|| SqlError::new(FEATURE_NOT_SUPPORTED, "could not determine actual enum type"))
}

fn end_of(
    context: &FunctionContext<'_>,
    type_oid: Oid,
    end: impl Fn(&[EnumLabel]) -> Option<&EnumLabel>,
) -> SqlResult<Datum> {
    let labels = context.format.types.enum_type(type_oid).unwrap_or_default();
    match end(&labels.labels) {
        Some(label) => enum_label_value(label, type_oid, context.format),
        None => {
            let name = context.format.type_name(nqdb_types::Type::new(type_oid));
            let message = format!("enum {name} contains no values");
            Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message))
        }
    }
}

/// The array of the labels between two, which belong to it; NULL is no bound.
fn labels_between(context: &FunctionContext<'_>, lower: &Datum, upper: &Datum) -> SqlResult<Datum> {
    let type_oid = enum_argument(context)?;
    let labels = context.format.types.enum_type(type_oid).unwrap_or_default();
    let order = |bound: &Datum| match bound {
        Datum::Enum(value) => Some(value.order),
        _ => None,
    };
    let (lowest, highest) = (order(lower).unwrap_or(0), order(upper).unwrap_or(u64::MAX));
    let within = labels.labels.iter().filter(|label| (lowest..=highest).contains(&label.order));
    let values = within.map(|label| enum_label_value(label, type_oid, context.format));
    Array::from_elements(type_oid, values.collect::<SqlResult<_>>()?).map(Datum::array)
}
