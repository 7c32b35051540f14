//! Operators and functions of `numeric`; the digits are nqdb-types' business.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, SqlError, SqlResult};
use nqdb_types::Numeric;

use super::out_of_range;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &ADD,
    &SUBTRACT,
    &MULTIPLY,
    &DIVIDE,
    &DIVIDE_TRUNCATING,
    &REMAINDER,
    &NEGATE,
    &PLUS,
    &ABSOLUTE,
    &SIGN,
    &ROUND,
    &ROUND_TO,
    &TRUNCATE,
    &TRUNCATE_TO,
    &CEILING,
    &FLOOR,
    &SQUARE_ROOT,
    &EXPONENTIAL,
    &NATURAL_LOGARITHM,
    &DECIMAL_LOGARITHM,
    &LOGARITHM,
    &POWER,
    &GREATEST_COMMON_DIVISOR,
    &LEAST_COMMON_MULTIPLE,
    &SCALE,
    &SCALE_MIN,
    &TRIM_SCALE,
    &WIDTH_BUCKET,
    &INCREMENT,
];

#[sql_function("numeric_add(numeric, numeric) -> numeric", oid = 1724)]
fn add(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.add(b)
}

#[sql_function("numeric_sub(numeric, numeric) -> numeric", oid = 1725)]
fn subtract(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.sub(b)
}

#[sql_function("numeric_mul(numeric, numeric) -> numeric", oid = 1726)]
fn multiply(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.mul(b)
}

#[sql_function("numeric_div(numeric, numeric) -> numeric", oid = 1727)]
fn divide(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.div(b)
}

#[sql_function("div(numeric, numeric) -> numeric", oid = 1973, alias("numeric_div_trunc", oid = 1980))]
fn divide_truncating(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.div_trunc(b)
}

#[sql_function("numeric_mod(numeric, numeric) -> numeric", oid = 1729, alias("mod", oid = 1728))]
fn remainder(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.rem(b)
}

#[sql_function("numeric_uminus(numeric) -> numeric", oid = 1771)]
fn negate(a: &Numeric) -> Numeric {
    a.neg()
}

#[sql_function("numeric_uplus(numeric) -> numeric", oid = 1915)]
fn plus(a: &Numeric) -> Numeric {
    a.clone()
}

#[sql_function("numeric_abs(numeric) -> numeric", oid = 1704, alias("abs", oid = 1705))]
fn absolute(a: &Numeric) -> Numeric {
    a.abs()
}

#[sql_function("sign(numeric) -> numeric", oid = 1706)]
fn sign(a: &Numeric) -> Numeric {
    a.sign()
}

#[sql_function("round(numeric) -> numeric", oid = 1708)]
fn round(a: &Numeric) -> SqlResult<Numeric> {
    a.round(0)
}

#[sql_function("round(numeric, int4) -> numeric", oid = 1707)]
fn round_to(a: &Numeric, scale: i32) -> SqlResult<Numeric> {
    a.round(scale)
}

#[sql_function("trunc(numeric) -> numeric", oid = 1710)]
fn truncate(a: &Numeric) -> Numeric {
    a.trunc(0)
}

#[sql_function("trunc(numeric, int4) -> numeric", oid = 1709)]
fn truncate_to(a: &Numeric, scale: i32) -> Numeric {
    a.trunc(scale)
}

#[sql_function("ceil(numeric) -> numeric", oid = 1711, alias("ceiling", oid = 2167))]
fn ceiling(a: &Numeric) -> SqlResult<Numeric> {
    a.ceil()
}

#[sql_function("floor(numeric) -> numeric", oid = 1712)]
fn floor(a: &Numeric) -> SqlResult<Numeric> {
    a.floor()
}

#[sql_function("numeric_sqrt(numeric) -> numeric", oid = 1731, alias("sqrt", oid = 1730))]
fn square_root(a: &Numeric) -> SqlResult<Numeric> {
    a.sqrt()
}

#[sql_function("numeric_exp(numeric) -> numeric", oid = 1733, alias("exp", oid = 1732))]
fn exponential(a: &Numeric) -> SqlResult<Numeric> {
    a.exp()
}

#[sql_function("numeric_ln(numeric) -> numeric", oid = 1735, alias("ln", oid = 1734))]
fn natural_logarithm(a: &Numeric) -> SqlResult<Numeric> {
    a.ln()
}

#[sql_function("log(numeric) -> numeric", oid = 1741, alias("log10", oid = 1481))]
fn decimal_logarithm(a: &Numeric) -> SqlResult<Numeric> {
    a.log(&Numeric::from(10i32))
}

#[sql_function("numeric_log(numeric, numeric) -> numeric", oid = 1737, alias("log", oid = 1736))]
fn logarithm(base: &Numeric, value: &Numeric) -> SqlResult<Numeric> {
    value.log(base)
}

#[sql_function(
    "numeric_power(numeric, numeric) -> numeric",
    oid = 1739,
    alias("power", oid = 2169),
    alias("pow", oid = 1738)
)]
fn power(base: &Numeric, exponent: &Numeric) -> SqlResult<Numeric> {
    base.power(exponent)
}

#[sql_function("gcd(numeric, numeric) -> numeric", oid = 5048)]
fn greatest_common_divisor(context: &mut FunctionContext<'_>, a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.gcd(b, &|| context.check_interruption())
}

#[sql_function("lcm(numeric, numeric) -> numeric", oid = 5049)]
fn least_common_multiple(context: &mut FunctionContext<'_>, a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    a.lcm(b, &|| context.check_interruption())
}

#[sql_function("scale(numeric) -> int4", oid = 3281)]
fn scale(a: &Numeric) -> Option<i32> {
    a.scale().map(i32::from)
}

#[sql_function("min_scale(numeric) -> int4", oid = 5042)]
fn scale_min(a: &Numeric) -> Option<i32> {
    a.min_scale().map(i32::from)
}

#[sql_function("trim_scale(numeric) -> numeric", oid = 5043)]
fn trim_scale(a: &Numeric) -> Numeric {
    a.trim_scale()
}

#[sql_function("numeric_inc(numeric) -> numeric", oid = 1764)]
fn increment(a: &Numeric) -> SqlResult<Numeric> {
    a.add(&Numeric::ONE)
}

/// The bucket of `value` among `count` equal ones between two bounds, of which the upper may come first.
#[sql_function("width_bucket(numeric, numeric, numeric, int4) -> int4", oid = 2170)]
fn width_bucket(value: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> SqlResult<i32> {
    let fail = |message: &str| Err(SqlError::new(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message));
    if count <= 0 {
        return fail("count must be greater than zero");
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return fail("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return fail("lower and upper bounds must be finite");
    }
    if low == high {
        return fail("lower bound cannot equal upper bound");
    }
    let ascending = low < high;
    let (before, after) = if ascending { (value < low, value >= high) } else { (value > low, value <= high) };
    if before {
        return Ok(0);
    }
    if after {
        return count.checked_add(1).ok_or_else(|| out_of_range("integer"));
    }
    let (from_start, width) =
        if ascending { (value.sub(low)?, high.sub(low)?) } else { (low.sub(value)?, low.sub(high)?) };
    let bucket = from_start.mul(&Numeric::from(count))?.div_trunc(&width)?;
    Ok(bucket.to_i32()?.min(count - 1) + 1)
}
