//! From and to integers and floats, and the modifier `numeric(p, s)`.

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::{Numeric, digits, overflow};
use crate::Type;

impl From<i16> for Numeric {
    fn from(value: i16) -> Numeric {
        Numeric::from_scaled(i64::from(value), 0)
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Numeric {
        Numeric::from_scaled(i64::from(value), 0)
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric::from_scaled(value, 0)
    }
}

impl Numeric {
    /// The float's 15 significant digits, as PostgreSQL casts.
    pub fn from_f64(value: f64) -> Numeric {
        from_float(value, 15)
    }

    /// The float's 6 significant digits, as PostgreSQL casts.
    pub fn from_f32(value: f32) -> Numeric {
        from_float(f64::from(value), 6)
    }

    /// Rounded to an integer; 22003 out of range, 0A000 for NaN and the infinities.
    pub fn to_i16(&self) -> SqlResult<i16> {
        let value = self.to_integer("smallint")?;
        i16::try_from(value).map_err(|_| out_of_range("smallint"))
    }

    /// Rounded to an integer; 22003 out of range, 0A000 for NaN and the infinities.
    pub fn to_i32(&self) -> SqlResult<i32> {
        let value = self.to_integer("integer")?;
        i32::try_from(value).map_err(|_| out_of_range("integer"))
    }

    /// Rounded to an integer; 22003 out of range, 0A000 for NaN and the infinities.
    pub fn to_i64(&self) -> SqlResult<i64> {
        self.to_integer("bigint")
    }

    fn to_integer(&self, type_name: &str) -> SqlResult<i64> {
        if let Some((value, 0)) = self.as_scaled_i64() {
            return Ok(value);
        }
        let Some((coefficient, scale)) = self.to_scaled_bigint() else {
            let what = if self.is_nan() { "NaN" } else { "infinity" };
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to {type_name}")));
        };
        digits::rescale(coefficient, i64::from(scale), 0).to_i64().ok_or_else(|| out_of_range(type_name))
    }

    /// The nearest float; 22003 when it is beyond the largest.
    pub fn to_f64(&self) -> SqlResult<f64> {
        let value = self.to_f64_or_infinity();
        if value.is_infinite() && self.is_finite() {
            return Err(self.out_of_float_range("double precision"));
        }
        if value == 0.0 && !self.is_zero() {
            return Err(self.out_of_float_range("double precision"));
        }
        Ok(value)
    }

    /// The nearest float; 22003 when it is beyond the largest or too small for the smallest.
    pub fn to_f32(&self) -> SqlResult<f32> {
        // Through the digits, not through f64, which would round twice.
        let value = if self.is_finite() {
            self.to_string().parse::<f32>().unwrap_or(f32::NAN)
        } else {
            self.to_f64_or_infinity() as f32
        };
        if self.is_finite() && (value.is_infinite() || (value == 0.0 && !self.is_zero())) {
            return Err(self.out_of_float_range("real"));
        }
        Ok(value)
    }

    /// The nearest float, infinite beyond the largest, zero below the smallest.
    pub fn to_f64_or_infinity(&self) -> f64 {
        /// Up to here integers and powers of ten are exact, so that one division rounds once.
        const EXACT_INTEGER_MAX: u64 = 1 << 53;
        const EXACT_POWER_MAX: u16 = 22;
        if let Some((coefficient, scale)) = self.as_scaled_i64()
            && coefficient.unsigned_abs() <= EXACT_INTEGER_MAX
            && scale <= EXACT_POWER_MAX
        {
            return coefficient as f64 / 10f64.powi(i32::from(scale));
        }
        if self.is_finite() {
            return self.to_string().parse().unwrap_or(f64::NAN);
        }
        match self.signum() {
            1 => f64::INFINITY,
            -1 => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    fn out_of_float_range(&self, type_name: &str) -> SqlError {
        SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{self}\" is out of range for type {type_name}"))
    }

    /// Fits the value to `numeric(p, s)`: rounds to the scale, then 22003 "numeric field overflow" when more
    /// digits stand before the point than the precision leaves.
    pub fn apply_typmod(&self, ty: Type) -> SqlResult<Numeric> {
        let Some((precision, scale)) = ty.numeric_precision_scale() else { return Ok(self.clone()) };
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_infinite() {
            return Err(field_overflow(format!(
                "A field with precision {precision}, scale {scale} cannot hold an infinite value."
            )));
        }
        let rounded = self.round(scale)?;
        let digits_max = i64::from(precision - scale);
        if rounded.integer_digits().is_some_and(|digits| digits > digits_max) {
            let bound = if digits_max == 0 { "1".to_string() } else { format!("10^{digits_max}") };
            return Err(field_overflow(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
            )));
        }
        Ok(rounded)
    }

    /// Digits before the point: 3 for 123.4, -2 for 0.001234; `None` for zero and what is not finite.
    pub fn integer_digits(&self) -> Option<i64> {
        if self.is_zero() {
            return None;
        }
        if let Some((coefficient, scale)) = self.as_scaled_i64() {
            return Some(i64::from(coefficient.unsigned_abs().ilog10()) + 1 - i64::from(scale));
        }
        let (coefficient, scale) = self.to_scaled_bigint()?;
        Some(digits::count_digits(&coefficient) - i64::from(scale))
    }
}

fn field_overflow(detail: String) -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail)
}

fn out_of_range(type_name: &str) -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

fn from_float(value: f64, significant_digits: usize) -> Numeric {
    if value.is_nan() {
        return Numeric::NAN;
    }
    if value.is_infinite() {
        return if value > 0.0 { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY };
    }
    // Rounds exactly, as C's %.15g does: "-1.23450000000000e7".
    let text = format!("{value:.*e}", significant_digits - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else { return Numeric::NAN };
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let digits: i64 = mantissa.chars().filter(|c| *c != '.').collect::<String>().parse().unwrap_or(0);
    let (coefficient, scale) = digits::normalise_i64(digits, significant_digits as i64 - 1 - exponent);
    let number = match u32::try_from(scale) {
        Ok(scale) => Numeric::from_bigint(BigInt::from(coefficient), scale),
        Err(_) => Numeric::from_bigint(BigInt::from(coefficient) * digits::pow10(scale.unsigned_abs() as u32), 0),
    };
    // A float has at most 309 digits before its point.
    number.unwrap_or(Numeric::NAN)
}

impl TryFrom<&Numeric> for i128 {
    type Error = SqlError;

    /// The integer part, if the number is finite and small enough; 22003 otherwise.
    fn try_from(value: &Numeric) -> SqlResult<i128> {
        let (coefficient, scale) = value.to_scaled_bigint().ok_or_else(overflow)?;
        digits::rescale(coefficient, i64::from(scale), 0).to_i128().ok_or_else(overflow)
    }
}
