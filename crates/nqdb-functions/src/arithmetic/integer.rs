//! `+ - * / %` on the integers, unary signs, bits and shifts.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use super::{division_by_zero, out_of_range};
use crate::Function;

/// The four operations on two integer types; the result has the wider one.
macro_rules! four_operations {
    ($module:ident: $left:ty, $right:ty, $wide:ty, $name:literal;
     $add:literal $add_oid:literal, $subtract:literal $subtract_oid:literal,
     $multiply:literal $multiply_oid:literal, $divide:literal $divide_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($add, oid = $add_oid)]
            fn add(a: $left, b: $right) -> SqlResult<$wide> {
                <$wide>::from(a).checked_add(<$wide>::from(b)).ok_or_else(|| out_of_range($name))
            }
            #[sql_function($subtract, oid = $subtract_oid)]
            fn subtract(a: $left, b: $right) -> SqlResult<$wide> {
                <$wide>::from(a).checked_sub(<$wide>::from(b)).ok_or_else(|| out_of_range($name))
            }
            #[sql_function($multiply, oid = $multiply_oid)]
            fn multiply(a: $left, b: $right) -> SqlResult<$wide> {
                <$wide>::from(a).checked_mul(<$wide>::from(b)).ok_or_else(|| out_of_range($name))
            }
            #[sql_function($divide, oid = $divide_oid)]
            fn divide(a: $left, b: $right) -> SqlResult<$wide> {
                if b == 0 {
                    return Err(division_by_zero());
                }
                <$wide>::from(a).checked_div(<$wide>::from(b)).ok_or_else(|| out_of_range($name))
            }
        }
    };
}

four_operations! { int2: i16, i16, i16, "smallint";
    "int2pl(int2, int2) -> int2" 176, "int2mi(int2, int2) -> int2" 180,
    "int2mul(int2, int2) -> int2" 152, "int2div(int2, int2) -> int2" 153,
}
four_operations! { int4: i32, i32, i32, "integer";
    "int4pl(int4, int4) -> int4" 177, "int4mi(int4, int4) -> int4" 181,
    "int4mul(int4, int4) -> int4" 141, "int4div(int4, int4) -> int4" 154,
}
four_operations! { int8: i64, i64, i64, "bigint";
    "int8pl(int8, int8) -> int8" 463, "int8mi(int8, int8) -> int8" 464,
    "int8mul(int8, int8) -> int8" 465, "int8div(int8, int8) -> int8" 466,
}
four_operations! { int24: i16, i32, i32, "integer";
    "int24pl(int2, int4) -> int4" 178, "int24mi(int2, int4) -> int4" 182,
    "int24mul(int2, int4) -> int4" 170, "int24div(int2, int4) -> int4" 172,
}
four_operations! { int42: i32, i16, i32, "integer";
    "int42pl(int4, int2) -> int4" 179, "int42mi(int4, int2) -> int4" 183,
    "int42mul(int4, int2) -> int4" 171, "int42div(int4, int2) -> int4" 173,
}
four_operations! { int28: i16, i64, i64, "bigint";
    "int28pl(int2, int8) -> int8" 841, "int28mi(int2, int8) -> int8" 942,
    "int28mul(int2, int8) -> int8" 943, "int28div(int2, int8) -> int8" 948,
}
four_operations! { int82: i64, i16, i64, "bigint";
    "int82pl(int8, int2) -> int8" 837, "int82mi(int8, int2) -> int8" 838,
    "int82mul(int8, int2) -> int8" 839, "int82div(int8, int2) -> int8" 840,
}
four_operations! { int48: i32, i64, i64, "bigint";
    "int48pl(int4, int8) -> int8" 1278, "int48mi(int4, int8) -> int8" 1279,
    "int48mul(int4, int8) -> int8" 1280, "int48div(int4, int8) -> int8" 1281,
}
four_operations! { int84: i64, i32, i64, "bigint";
    "int84pl(int8, int4) -> int8" 1274, "int84mi(int8, int4) -> int8" 1275,
    "int84mul(int8, int4) -> int8" 1276, "int84div(int8, int4) -> int8" 1277,
}

/// Remainder, signs and bits of one integer type.
macro_rules! one_type {
    ($module:ident: $int:ty, $shifted:ty, $name:literal;
     $modulo:literal $modulo_oid:literal $mod_oid:literal, $negate:literal $negate_oid:literal,
     $plus:literal $plus_oid:literal, $absolute:literal $absolute_oid:literal $abs_oid:literal,
     $and:literal $and_oid:literal, $or:literal $or_oid:literal, $xor:literal $xor_oid:literal,
     $not:literal $not_oid:literal, $left:literal $left_oid:literal, $right:literal $right_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($modulo, oid = $modulo_oid, alias("mod", oid = $mod_oid))]
            fn modulo(a: $int, b: $int) -> SqlResult<$int> {
                if b == 0 {
                    return Err(division_by_zero());
                }
                Ok(a.wrapping_rem(b))
            }
            #[sql_function($negate, oid = $negate_oid)]
            fn negate(a: $int) -> SqlResult<$int> {
                a.checked_neg().ok_or_else(|| out_of_range($name))
            }
            #[sql_function($plus, oid = $plus_oid)]
            fn plus(a: $int) -> $int {
                a
            }
            #[sql_function($absolute, oid = $absolute_oid, alias("abs", oid = $abs_oid))]
            fn absolute(a: $int) -> SqlResult<$int> {
                a.checked_abs().ok_or_else(|| out_of_range($name))
            }
            #[sql_function($and, oid = $and_oid)]
            fn and(a: $int, b: $int) -> $int {
                a & b
            }
            #[sql_function($or, oid = $or_oid)]
            fn or(a: $int, b: $int) -> $int {
                a | b
            }
            #[sql_function($xor, oid = $xor_oid)]
            fn xor(a: $int, b: $int) -> $int {
                a ^ b
            }
            #[sql_function($not, oid = $not_oid)]
            fn not(a: $int) -> $int {
                !a
            }
            // As the processors do that PostgreSQL runs on: the count modulo the width, a smallint as an integer.
            #[sql_function($left, oid = $left_oid)]
            fn shift_left(a: $int, count: i32) -> $int {
                <$shifted>::from(a).wrapping_shl(count.cast_unsigned()) as $int
            }
            #[sql_function($right, oid = $right_oid)]
            fn shift_right(a: $int, count: i32) -> $int {
                <$shifted>::from(a).wrapping_shr(count.cast_unsigned()) as $int
            }
        }
    };
}

one_type! { int2_only: i16, i32, "smallint";
    "int2mod(int2, int2) -> int2" 155 940, "int2um(int2) -> int2" 213, "int2up(int2) -> int2" 1911,
    "int2abs(int2) -> int2" 1253 1398, "int2and(int2, int2) -> int2" 1892, "int2or(int2, int2) -> int2" 1893,
    "int2xor(int2, int2) -> int2" 1894, "int2not(int2) -> int2" 1895, "int2shl(int2, int4) -> int2" 1896, "int2shr(int2, int4) -> int2" 1897,
}
one_type! { int4_only: i32, i32, "integer";
    "int4mod(int4, int4) -> int4" 156 941, "int4um(int4) -> int4" 212, "int4up(int4) -> int4" 1912,
    "int4abs(int4) -> int4" 1251 1397, "int4and(int4, int4) -> int4" 1898, "int4or(int4, int4) -> int4" 1899,
    "int4xor(int4, int4) -> int4" 1900, "int4not(int4) -> int4" 1901, "int4shl(int4, int4) -> int4" 1902, "int4shr(int4, int4) -> int4" 1903,
}
one_type! { int8_only: i64, i64, "bigint";
    "int8mod(int8, int8) -> int8" 945 947, "int8um(int8) -> int8" 462, "int8up(int8) -> int8" 1910,
    "int8abs(int8) -> int8" 1230 1396, "int8and(int8, int8) -> int8" 1904, "int8or(int8, int8) -> int8" 1905,
    "int8xor(int8, int8) -> int8" 1906, "int8not(int8) -> int8" 1907, "int8shl(int8, int4) -> int8" 1908, "int8shr(int8, int4) -> int8" 1909,
}

macro_rules! tables {
    ($($four:ident),*; $($one:ident),*) => {
        pub(crate) static FUNCTIONS: &[&[Function]] = &[
            $(&$four::ADD, &$four::SUBTRACT, &$four::MULTIPLY, &$four::DIVIDE,)*
            $(
                &$one::MODULO, &$one::NEGATE, &$one::PLUS, &$one::ABSOLUTE, &$one::AND, &$one::OR, &$one::XOR,
                &$one::NOT, &$one::SHIFT_LEFT, &$one::SHIFT_RIGHT,
            )*
        ];
    };
}

tables!(int2, int4, int8, int24, int42, int28, int82, int48, int84; int2_only, int4_only, int8_only);
