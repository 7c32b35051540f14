//! Trigonometric functions of degrees.
//!
//! Exact at the angles where people expect it: `sind(30)` is 0.5, `tand(45)` is 1. Each function is reduced to a
//! sine between 0 and 30 degrees or a cosine between 0 and 60, and these are scaled by what the radian function gives
//! for the end of that range, so that its rounding error cancels out.

use std::f64::consts::PI;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use super::float_functions::{angle, ratio};
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &SINE_DEGREES,
    &COSINE_DEGREES,
    &TANGENT_DEGREES,
    &COTANGENT_DEGREES,
    &ARC_SINE_DEGREES,
    &ARC_COSINE_DEGREES,
    &ARC_TANGENT_DEGREES,
    &ARC_TANGENT_2_DEGREES,
];

const RADIANS_PER_DEGREE: f64 = PI / 180.0;

fn sine_to_30(degrees: f64) -> f64 {
    (degrees * RADIANS_PER_DEGREE).sin() / (30.0 * RADIANS_PER_DEGREE).sin() / 2.0
}

fn cosine_to_60(degrees: f64) -> f64 {
    let below_one = |degrees: f64| 1.0 - (degrees * RADIANS_PER_DEGREE).cos();
    1.0 - below_one(degrees) / below_one(60.0) / 2.0
}

/// The sine of an angle between 0 and 90 degrees.
fn sine_to_90(degrees: f64) -> f64 {
    if degrees <= 30.0 { sine_to_30(degrees) } else { cosine_to_60(90.0 - degrees) }
}

/// The cosine of an angle between 0 and 90 degrees.
fn cosine_to_90(degrees: f64) -> f64 {
    if degrees <= 60.0 { cosine_to_60(degrees) } else { sine_to_30(90.0 - degrees) }
}

/// An angle brought to the first quadrant, and which signs its sine and cosine have.
struct Reduced {
    degrees: f64,
    sine_sign: f64,
    cosine_sign: f64,
}

impl Reduced {
    /// 22003 when the angle is infinite; NaN stays NaN.
    fn of(degrees: f64) -> SqlResult<Reduced> {
        let mut reduced = Reduced { degrees: angle(degrees)? % 360.0, sine_sign: 1.0, cosine_sign: 1.0 };
        if reduced.degrees < 0.0 {
            reduced.degrees = -reduced.degrees;
            reduced.sine_sign = -1.0;
        }
        if reduced.degrees > 180.0 {
            reduced.degrees = 360.0 - reduced.degrees;
            reduced.sine_sign = -reduced.sine_sign;
        }
        if reduced.degrees > 90.0 {
            reduced.degrees = 180.0 - reduced.degrees;
            reduced.cosine_sign = -1.0;
        }
        Ok(reduced)
    }

    fn tangent_sign(&self) -> f64 {
        self.sine_sign * self.cosine_sign
    }
}

#[sql_function("sind(float8) -> float8", oid = 2735)]
fn sine_degrees(degrees: f64) -> SqlResult<f64> {
    let reduced = Reduced::of(degrees)?;
    Ok(reduced.sine_sign * sine_to_90(reduced.degrees))
}

#[sql_function("cosd(float8) -> float8", oid = 2736)]
fn cosine_degrees(degrees: f64) -> SqlResult<f64> {
    let reduced = Reduced::of(degrees)?;
    Ok(reduced.cosine_sign * cosine_to_90(reduced.degrees))
}

/// Zero without a sign, as each quotient of sine and cosine is returned.
fn without_negative_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

#[sql_function("tand(float8) -> float8", oid = 2737)]
fn tangent_degrees(degrees: f64) -> SqlResult<f64> {
    let reduced = Reduced::of(degrees)?;
    let tangent = |degrees: f64| sine_to_90(degrees) / cosine_to_90(degrees);
    Ok(without_negative_zero(reduced.tangent_sign() * (tangent(reduced.degrees) / tangent(45.0))))
}

#[sql_function("cotd(float8) -> float8", oid = 2738)]
fn cotangent_degrees(degrees: f64) -> SqlResult<f64> {
    let reduced = Reduced::of(degrees)?;
    let cotangent = |degrees: f64| cosine_to_90(degrees) / sine_to_90(degrees);
    Ok(without_negative_zero(reduced.tangent_sign() * (cotangent(reduced.degrees) / cotangent(45.0))))
}

/// The angle of a sine between 0 and 1/2.
fn arc_sine_to_half(sine: f64) -> f64 {
    sine.asin() / 0.5f64.asin() * 30.0
}

/// The angle of a cosine between 1/2 and 1.
fn arc_cosine_from_half(cosine: f64) -> f64 {
    cosine.acos() / 0.5f64.acos() * 60.0
}

/// The angle of a sine between 0 and 1.
fn arc_sine_positive(sine: f64) -> f64 {
    if sine <= 0.5 { arc_sine_to_half(sine) } else { 90.0 - arc_cosine_from_half(sine) }
}

#[sql_function("asind(float8) -> float8", oid = 2731)]
fn arc_sine_degrees(sine: f64) -> SqlResult<f64> {
    let sine = ratio(sine)?;
    Ok(if sine >= 0.0 { arc_sine_positive(sine) } else { -arc_sine_positive(-sine) })
}

#[sql_function("acosd(float8) -> float8", oid = 2732)]
fn arc_cosine_degrees(cosine: f64) -> SqlResult<f64> {
    let cosine = ratio(cosine)?;
    Ok(if cosine < 0.0 {
        90.0 + arc_sine_positive(-cosine)
    } else if cosine <= 0.5 {
        90.0 - arc_sine_to_half(cosine)
    } else {
        arc_cosine_from_half(cosine)
    })
}

#[sql_function("atand(float8) -> float8", oid = 2733)]
fn arc_tangent_degrees(tangent: f64) -> f64 {
    tangent.atan() / 1.0f64.atan() * 45.0
}

#[sql_function("atan2d(float8, float8) -> float8", oid = 2734)]
fn arc_tangent_2_degrees(y: f64, x: f64) -> f64 {
    y.atan2(x) / 1.0f64.atan() * 45.0
}
