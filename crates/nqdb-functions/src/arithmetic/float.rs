//! `+ - * /` and signs of `real` and `double precision`.
//!
//! A result that leaves the range is an error unless an operand was infinite already.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};

use super::division_by_zero;
use crate::Function;

/// "value out of range: overflow" (22003).
#[cold]
pub(crate) fn overflow() -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// "value out of range: underflow" (22003).
#[cold]
pub(crate) fn underflow() -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

macro_rules! four_operations {
    ($module:ident: $left:ty, $right:ty, $wide:ty;
     $add:literal $add_oid:literal, $subtract:literal $subtract_oid:literal,
     $multiply:literal $multiply_oid:literal, $divide:literal $divide_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            fn checked(result: $wide, a: $wide, b: $wide) -> SqlResult<$wide> {
                if result.is_infinite() && !a.is_infinite() && !b.is_infinite() { Err(overflow()) } else { Ok(result) }
            }

            #[sql_function($add, oid = $add_oid)]
            fn add(a: $left, b: $right) -> SqlResult<$wide> {
                let (a, b) = (<$wide>::from(a), <$wide>::from(b));
                checked(a + b, a, b)
            }
            #[sql_function($subtract, oid = $subtract_oid)]
            fn subtract(a: $left, b: $right) -> SqlResult<$wide> {
                let (a, b) = (<$wide>::from(a), <$wide>::from(b));
                checked(a - b, a, b)
            }
            #[sql_function($multiply, oid = $multiply_oid)]
            fn multiply(a: $left, b: $right) -> SqlResult<$wide> {
                let (a, b) = (<$wide>::from(a), <$wide>::from(b));
                let product = a * b;
                if product == 0.0 && a != 0.0 && b != 0.0 {
                    return Err(underflow());
                }
                checked(product, a, b)
            }
            #[sql_function($divide, oid = $divide_oid)]
            fn divide(a: $left, b: $right) -> SqlResult<$wide> {
                let (a, b) = (<$wide>::from(a), <$wide>::from(b));
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                let quotient = a / b;
                if quotient == 0.0 && a != 0.0 && !b.is_infinite() {
                    return Err(underflow());
                }
                checked(quotient, a, <$wide>::NAN)
            }
        }
    };
}

four_operations! { float4: f32, f32, f32;
    "float4pl(float4, float4) -> float4" 204, "float4mi(float4, float4) -> float4" 205,
    "float4mul(float4, float4) -> float4" 202, "float4div(float4, float4) -> float4" 203,
}
four_operations! { float8: f64, f64, f64;
    "float8pl(float8, float8) -> float8" 218, "float8mi(float8, float8) -> float8" 219,
    "float8mul(float8, float8) -> float8" 216, "float8div(float8, float8) -> float8" 217,
}
four_operations! { float48: f32, f64, f64;
    "float48pl(float4, float8) -> float8" 281, "float48mi(float4, float8) -> float8" 282,
    "float48mul(float4, float8) -> float8" 279, "float48div(float4, float8) -> float8" 280,
}
four_operations! { float84: f64, f32, f64;
    "float84pl(float8, float4) -> float8" 285, "float84mi(float8, float4) -> float8" 286,
    "float84mul(float8, float4) -> float8" 283, "float84div(float8, float4) -> float8" 284,
}

macro_rules! signs {
    ($module:ident: $float:ty; $negate:literal $negate_oid:literal, $plus:literal $plus_oid:literal,
     $absolute:literal $absolute_oid:literal $abs_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($negate, oid = $negate_oid)]
            fn negate(a: $float) -> $float {
                -a
            }
            #[sql_function($plus, oid = $plus_oid)]
            fn plus(a: $float) -> $float {
                a
            }
            #[sql_function($absolute, oid = $absolute_oid, alias("abs", oid = $abs_oid))]
            fn absolute(a: $float) -> $float {
                a.abs()
            }
        }
    };
}

signs! { float4_signs: f32;
    "float4um(float4) -> float4" 206, "float4up(float4) -> float4" 1913, "float4abs(float4) -> float4" 207 1394,
}
signs! { float8_signs: f64;
    "float8um(float8) -> float8" 220, "float8up(float8) -> float8" 1914, "float8abs(float8) -> float8" 221 1395,
}

macro_rules! tables {
    ($($four:ident),*; $($signs:ident),*) => {
        pub(crate) static FUNCTIONS: &[&[Function]] = &[
            $(&$four::ADD, &$four::SUBTRACT, &$four::MULTIPLY, &$four::DIVIDE,)*
            $(&$signs::NEGATE, &$signs::PLUS, &$signs::ABSOLUTE,)*
        ];
    };
}

tables!(float4, float8, float48, float84; float4_signs, float8_signs);
