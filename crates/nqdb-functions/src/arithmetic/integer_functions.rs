//! Functions of integers: greatest common divisor, least common multiple, factorial, hexadecimal digits.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use nqdb_types::Numeric;

use super::out_of_range;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&GCD_INT4, &GCD_INT8, &LCM_INT4, &LCM_INT8, &TO_HEX_INT4, &TO_HEX_INT8, &FACTORIAL, &INCREMENT];

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[sql_function("gcd(int4, int4) -> int4", oid = 5044)]
fn gcd_int4(a: i32, b: i32) -> SqlResult<i32> {
    let divisor = greatest_common_divisor(a.unsigned_abs().into(), b.unsigned_abs().into());
    i32::try_from(divisor).map_err(|_| out_of_range("integer"))
}

#[sql_function("gcd(int8, int8) -> int8", oid = 5045)]
fn gcd_int8(a: i64, b: i64) -> SqlResult<i64> {
    i64::try_from(greatest_common_divisor(a.unsigned_abs(), b.unsigned_abs())).map_err(|_| out_of_range("bigint"))
}

fn least_common_multiple(a: u64, b: u64) -> Option<u64> {
    match greatest_common_divisor(a, b) {
        0 => Some(0),
        divisor => (a / divisor).checked_mul(b),
    }
}

#[sql_function("lcm(int4, int4) -> int4", oid = 5046)]
fn lcm_int4(a: i32, b: i32) -> SqlResult<i32> {
    least_common_multiple(a.unsigned_abs().into(), b.unsigned_abs().into())
        .and_then(|multiple| i32::try_from(multiple).ok())
        .ok_or_else(|| out_of_range("integer"))
}

#[sql_function("lcm(int8, int8) -> int8", oid = 5047)]
fn lcm_int8(a: i64, b: i64) -> SqlResult<i64> {
    least_common_multiple(a.unsigned_abs(), b.unsigned_abs())
        .and_then(|multiple| i64::try_from(multiple).ok())
        .ok_or_else(|| out_of_range("bigint"))
}

#[sql_function("to_hex(int4) -> text", oid = 2089)]
fn to_hex_int4(value: i32) -> String {
    format!("{value:x}")
}

#[sql_function("to_hex(int8) -> text", oid = 2090)]
fn to_hex_int8(value: i64) -> String {
    format!("{value:x}")
}

#[sql_function("factorial(int8) -> numeric", oid = 1376)]
fn factorial(context: &mut FunctionContext<'_>, count: i64) -> SqlResult<Numeric> {
    /// The factorial of the next number has more digits than numeric holds.
    const COUNT_MAX: i64 = 32_177;
    if count < 0 {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "factorial of a negative number is undefined"));
    }
    if count > COUNT_MAX {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format"));
    }
    if count < 2 { Ok(Numeric::ONE) } else { product(context, 2, count) }
}

/// The product of the numbers from `low` to `high`, by halves: factors of equal length are multiplied fastest.
fn product(context: &FunctionContext<'_>, low: i64, high: i64) -> SqlResult<Numeric> {
    const FACTORS_AT_ONCE: i64 = 32;
    if high - low < FACTORS_AT_ONCE {
        context.check_interruption()?;
        let first = Numeric::from(low);
        return (low + 1..=high).try_fold(first, |product, factor| product.mul(&Numeric::from(factor)));
    }
    let middle = low + (high - low) / 2;
    product(context, low, middle)?.mul(&product(context, middle + 1, high)?)
}

#[sql_function("int8inc(int8) -> int8", oid = 1219)]
fn increment(value: i64) -> SqlResult<i64> {
    value.checked_add(1).ok_or_else(|| out_of_range("bigint"))
}
