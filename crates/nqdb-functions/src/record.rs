//! Comparisons of records: field by field, NULLs last and equal to each other (manual 9.24.6).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Record;
use std::cmp::Ordering;

use crate::Function;

pub(crate) static TABLES: &[&[&[Function]]] =
    &[&[&EQUAL, &NOT_EQUAL, &LESS, &LESS_OR_EQUAL, &GREATER, &GREATER_OR_EQUAL, &COMPARE]];

fn order(a: &Record, b: &Record) -> SqlResult<Ordering> {
    match a.shape().mismatch(b.shape()) {
        Some(error) => Err(error),
        None => Ok(a.compare(b)),
    }
}

macro_rules! comparisons {
    ($($function:ident $signature:literal $oid:literal $test:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(a: &Record, b: &Record) -> SqlResult<bool> {
                Ok(order(a, b)?.$test())
            }
        )*
    };
}

comparisons! {
    equal "record_eq(record, record) -> bool" 2981 is_eq;
    not_equal "record_ne(record, record) -> bool" 2982 is_ne;
    less "record_lt(record, record) -> bool" 2983 is_lt;
    less_or_equal "record_le(record, record) -> bool" 2985 is_le;
    greater "record_gt(record, record) -> bool" 2984 is_gt;
    greater_or_equal "record_ge(record, record) -> bool" 2986 is_ge;
}

#[sql_function("btrecordcmp(record, record) -> int4", oid = 2987)]
fn compare(a: &Record, b: &Record) -> SqlResult<i32> {
    Ok(order(a, b)? as i32)
}
