//! Comparisons of records: field by field, NULLs last and equal to each other (manual 9.24.6); and by what they are made of.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_FUNCTION};
use nqdb_types::{Record, Type, compare_images};
use std::cmp::Ordering;

use crate::resolve::{equality, less};
use crate::{Function, FunctionContext};

pub(crate) static TABLES: &[&[&[Function]]] = &[&[
    &EQUAL,
    &NOT_EQUAL,
    &LESS_THAN,
    &LESS_OR_EQUAL,
    &GREATER,
    &GREATER_OR_EQUAL,
    &COMPARE,
    &SAME_IMAGE,
    &OTHER_IMAGE,
    &LESS_IMAGE,
    &LESS_OR_SAME_IMAGE,
    &GREATER_IMAGE,
    &GREATER_OR_SAME_IMAGE,
    &COMPARE_IMAGES_OF,
]];

/// 42883 for a field whose type lacks what the comparison needs.
fn no_comparison(what: &str, ty: Type, context: &FunctionContext<'_>) -> SqlError {
    let message = format!("could not identify {what} for type {}", context.format.type_name(ty.bare()));
    SqlError::new(UNDEFINED_FUNCTION, message)
}

fn order(context: &FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<Ordering> {
    a.compare_checked(b, context.format, |ty| match less(ty.oid) {
        Some(_) => Ok(()),
        None => Err(no_comparison("a comparison function", ty, context)),
    })
}

fn is_equal(context: &FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<Ordering> {
    a.compare_checked(b, context.format, |ty| match equality(ty.oid) {
        Some(_) => Ok(()),
        None => Err(no_comparison("an equality operator", ty, context)),
    })
}

fn images(context: &FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<Ordering> {
    compare_images(a, b, context.format)
}

macro_rules! comparisons {
    ($($function:ident $signature:literal $oid:literal $order:ident $test:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(context: &mut FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<bool> {
                Ok($order(context, a, b)?.$test())
            }
        )*
    };
}

comparisons! {
    equal "record_eq(record, record) -> bool" 2981 is_equal is_eq;
    not_equal "record_ne(record, record) -> bool" 2982 is_equal is_ne;
    less_than "record_lt(record, record) -> bool" 2983 order is_lt;
    less_or_equal "record_le(record, record) -> bool" 2985 order is_le;
    greater "record_gt(record, record) -> bool" 2984 order is_gt;
    greater_or_equal "record_ge(record, record) -> bool" 2986 order is_ge;
    same_image "record_image_eq(record, record) -> bool" 3181 images is_eq;
    other_image "record_image_ne(record, record) -> bool" 3182 images is_ne;
    less_image "record_image_lt(record, record) -> bool" 3183 images is_lt;
    greater_image "record_image_gt(record, record) -> bool" 3184 images is_gt;
    less_or_same_image "record_image_le(record, record) -> bool" 3185 images is_le;
    greater_or_same_image "record_image_ge(record, record) -> bool" 3186 images is_ge;
}

#[sql_function("btrecordcmp(record, record) -> int4", oid = 2987)]
fn compare(context: &mut FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<i32> {
    Ok(order(context, a, b)? as i32)
}

#[sql_function("btrecordimagecmp(record, record) -> int4", oid = 3187)]
fn compare_images_of(context: &mut FunctionContext<'_>, a: &Record, b: &Record) -> SqlResult<i32> {
    Ok(images(context, a, b)? as i32)
}
