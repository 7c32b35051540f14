//! Inverse hyperbolic functions of `double precision`.
//!
//! Each is a logarithm; which form of it depends on the size of the argument, so that no digits cancel out and no
//! square overflows (the forms are those of Sun's fdlibm, which C libraries share).

use std::f64::consts::LN_2;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use super::float_functions::{input_out_of_range, ratio};
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&SINE_HYPERBOLIC_INVERSE, &COSINE_HYPERBOLIC_INVERSE, &TANGENT_HYPERBOLIC_INVERSE];

/// 2^28: the square of what is larger swallows a one beside it.
const LARGE: f64 = 268_435_456.0;

#[sql_function("asinh(float8) -> float8", oid = 2465)]
fn sine_hyperbolic_inverse(value: f64) -> f64 {
    let size = value.abs();
    if size < 1.0 / LARGE || !value.is_finite() {
        return value;
    }
    let result = if size > LARGE {
        size.ln() + LN_2
    } else if size > 2.0 {
        (2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size)).ln()
    } else {
        let square = size * size;
        (size + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(value)
}

#[sql_function("acosh(float8) -> float8", oid = 2466)]
fn cosine_hyperbolic_inverse(value: f64) -> SqlResult<f64> {
    if value < 1.0 {
        return Err(input_out_of_range());
    }
    Ok(if value > LARGE {
        value.ln() + LN_2
    } else if value > 2.0 {
        (2.0 * value - 1.0 / (value + (value * value - 1.0).sqrt())).ln()
    } else {
        let above_one = value - 1.0;
        (above_one + (2.0 * above_one + above_one * above_one).sqrt()).ln_1p()
    })
}

#[sql_function("atanh(float8) -> float8", oid = 2467)]
fn tangent_hyperbolic_inverse(value: f64) -> SqlResult<f64> {
    let size = ratio(value)?.abs();
    if size < 1.0 / LARGE || value.is_nan() {
        return Ok(value);
    }
    let double = size + size;
    let grown = if size < 0.5 { double + double * size / (1.0 - size) } else { double / (1.0 - size) };
    Ok((0.5 * grown.ln_1p()).copysign(value))
}
