//! Functions of `double precision`: roots, powers, logarithms, angles, rounding.

use std::f64::consts::PI;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{
    INVALID_ARGUMENT_FOR_LOGARITHM, INVALID_ARGUMENT_FOR_POWER_FUNCTION, INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
    INVALID_PARAMETER_VALUE, NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult,
};

use super::float::{overflow, underflow};
use super::out_of_range;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &SQUARE_ROOT,
    &CUBE_ROOT,
    &POWER,
    &EXPONENTIAL,
    &NATURAL_LOGARITHM,
    &DECIMAL_LOGARITHM,
    &ROUND,
    &CEILING,
    &FLOOR,
    &TRUNCATE,
    &SIGN,
    &PI_CONSTANT,
    &TO_DEGREES,
    &TO_RADIANS,
    &SINE,
    &COSINE,
    &TANGENT,
    &COTANGENT,
    &ARC_SINE,
    &ARC_COSINE,
    &ARC_TANGENT,
    &ARC_TANGENT_2,
    &SINE_HYPERBOLIC,
    &COSINE_HYPERBOLIC,
    &TANGENT_HYPERBOLIC,
    &WIDTH_BUCKET,
    &RANDOM,
    &SET_SEED,
];

fn power_error(message: &str) -> SqlError {
    SqlError::new(INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

#[sql_function("dsqrt(float8) -> float8", oid = 230, alias("sqrt", oid = 1344))]
fn square_root(value: f64) -> SqlResult<f64> {
    if value < 0.0 {
        return Err(power_error("cannot take square root of a negative number"));
    }
    Ok(value.sqrt())
}

#[sql_function("dcbrt(float8) -> float8", oid = 231, alias("cbrt", oid = 1345))]
fn cube_root(value: f64) -> f64 {
    value.cbrt()
}

#[sql_function("dpow(float8, float8) -> float8", oid = 232, alias("pow", oid = 1346), alias("power", oid = 1368))]
fn power(base: f64, exponent: f64) -> SqlResult<f64> {
    if base.is_nan() || exponent.is_nan() {
        return Ok(if exponent == 0.0 || base == 1.0 { 1.0 } else { f64::NAN });
    }
    if base == 0.0 && exponent < 0.0 {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    if base < 0.0 && exponent.is_finite() && exponent.floor() != exponent {
        return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
    }
    let result = base.powf(exponent);
    if base.is_finite() && exponent.is_finite() {
        if result.is_infinite() {
            return Err(overflow());
        }
        if result == 0.0 && base != 0.0 {
            return Err(underflow());
        }
    }
    Ok(result)
}

#[sql_function("dexp(float8) -> float8", oid = 233, alias("exp", oid = 1347))]
fn exponential(exponent: f64) -> SqlResult<f64> {
    let result = exponent.exp();
    match exponent.is_finite() {
        true if result.is_infinite() => Err(overflow()),
        true if result == 0.0 => Err(underflow()),
        _ => Ok(result),
    }
}

fn check_logarithm(value: f64) -> SqlResult<()> {
    let message = if value == 0.0 {
        "cannot take logarithm of zero"
    } else if value < 0.0 {
        "cannot take logarithm of a negative number"
    } else {
        return Ok(());
    };
    Err(SqlError::new(INVALID_ARGUMENT_FOR_LOGARITHM, message))
}

#[sql_function("dlog1(float8) -> float8", oid = 234, alias("ln", oid = 1341))]
fn natural_logarithm(value: f64) -> SqlResult<f64> {
    check_logarithm(value)?;
    Ok(value.ln())
}

#[sql_function("dlog10(float8) -> float8", oid = 1339, alias("log", oid = 1340), alias("log10", oid = 1194))]
fn decimal_logarithm(value: f64) -> SqlResult<f64> {
    check_logarithm(value)?;
    Ok(value.log10())
}

#[sql_function("dround(float8) -> float8", oid = 228, alias("round", oid = 1342))]
fn round(value: f64) -> f64 {
    value.round_ties_even()
}

#[sql_function("ceil(float8) -> float8", oid = 2308, alias("ceiling", oid = 2320))]
fn ceiling(value: f64) -> f64 {
    value.ceil()
}

#[sql_function("floor(float8) -> float8", oid = 2309)]
fn floor(value: f64) -> f64 {
    value.floor()
}

#[sql_function("dtrunc(float8) -> float8", oid = 229, alias("trunc", oid = 1343))]
fn truncate(value: f64) -> f64 {
    value.trunc()
}

#[sql_function("sign(float8) -> float8", oid = 2310)]
fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

#[sql_function("pi() -> float8", oid = 1610)]
fn pi_constant() -> f64 {
    PI
}

#[sql_function("degrees(float8) -> float8", oid = 1608)]
fn to_degrees(radians: f64) -> SqlResult<f64> {
    let degrees = radians / (PI / 180.0);
    if degrees.is_infinite() && radians.is_finite() { Err(overflow()) } else { Ok(degrees) }
}

#[sql_function("radians(float8) -> float8", oid = 1609)]
fn to_radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

pub(super) fn input_out_of_range() -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// Angles must be finite; NaN stays NaN.
pub(super) fn angle(value: f64) -> SqlResult<f64> {
    if value.is_infinite() { Err(input_out_of_range()) } else { Ok(value) }
}

#[sql_function("sin(float8) -> float8", oid = 1604)]
fn sine(value: f64) -> SqlResult<f64> {
    Ok(angle(value)?.sin())
}

#[sql_function("cos(float8) -> float8", oid = 1605)]
fn cosine(value: f64) -> SqlResult<f64> {
    Ok(angle(value)?.cos())
}

#[sql_function("tan(float8) -> float8", oid = 1606)]
fn tangent(value: f64) -> SqlResult<f64> {
    Ok(angle(value)?.tan())
}

#[sql_function("cot(float8) -> float8", oid = 1607)]
fn cotangent(value: f64) -> SqlResult<f64> {
    Ok(1.0 / angle(value)?.tan())
}

/// Sines and cosines lie between -1 and 1; NaN stays NaN.
pub(super) fn ratio(value: f64) -> SqlResult<f64> {
    if value.abs() > 1.0 { Err(input_out_of_range()) } else { Ok(value) }
}

#[sql_function("asin(float8) -> float8", oid = 1600)]
fn arc_sine(value: f64) -> SqlResult<f64> {
    Ok(ratio(value)?.asin())
}

#[sql_function("acos(float8) -> float8", oid = 1601)]
fn arc_cosine(value: f64) -> SqlResult<f64> {
    Ok(ratio(value)?.acos())
}

#[sql_function("atan(float8) -> float8", oid = 1602)]
fn arc_tangent(value: f64) -> f64 {
    value.atan()
}

#[sql_function("atan2(float8, float8) -> float8", oid = 1603)]
fn arc_tangent_2(y: f64, x: f64) -> f64 {
    y.atan2(x)
}

#[sql_function("sinh(float8) -> float8", oid = 2462)]
fn sine_hyperbolic(value: f64) -> f64 {
    value.sinh()
}

#[sql_function("cosh(float8) -> float8", oid = 2463)]
fn cosine_hyperbolic(value: f64) -> f64 {
    value.cosh()
}

#[sql_function("tanh(float8) -> float8", oid = 2464)]
fn tangent_hyperbolic(value: f64) -> f64 {
    value.tanh()
}

/// The bucket of `value` among `count` equal ones between two bounds, of which the upper may come first.
#[sql_function("width_bucket(float8, float8, float8, int4) -> int4", oid = 320)]
fn width_bucket(value: f64, low: f64, high: f64, count: i32) -> SqlResult<i32> {
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
    let (from_start, width, before, after) = if low < high {
        (value - low, high - low, value < low, value >= high)
    } else {
        (low - value, low - high, value > low, value <= high)
    };
    if before {
        Ok(0)
    } else if after {
        count.checked_add(1).ok_or_else(|| out_of_range("integer"))
    } else {
        let scaled = f64::from(count) * from_start / width;
        // The product may be too large where the quotient is not.
        let scaled = if scaled.is_finite() { scaled } else { from_start / width * f64::from(count) };
        (scaled as i32).checked_add(1).ok_or_else(|| out_of_range("integer"))
    }
}

#[sql_function("random() -> float8", oid = 1598, volatile)]
fn random(context: &mut FunctionContext<'_>) -> f64 {
    context.session.random()
}

#[sql_function("setseed(float8) -> void", oid = 1599, volatile)]
fn set_seed(context: &mut FunctionContext<'_>, seed: f64) -> SqlResult<()> {
    if !(-1.0..=1.0).contains(&seed) {
        return Err(SqlError::new(
            INVALID_PARAMETER_VALUE,
            format!("setseed parameter {seed} is out of allowed range [-1,1]"),
        ));
    }
    context.session.set_seed(seed);
    Ok(())
}
