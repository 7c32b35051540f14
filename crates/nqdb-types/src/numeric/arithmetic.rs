//! Sums, products, quotients and rounding.
//!
//! Small operands stay in machine words as long as the result does; everything else goes through `BigInt`.
//! The scales are PostgreSQL's: a sum has the larger scale of the two, a product their sum, and a quotient
//! as many digits as give 16 significant ones, but no fewer than either operand.

use nqdb_sqlstate::{DIVISION_BY_ZERO, SqlError, SqlResult};
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::Zero;

use super::digits::{self, GROUP_DIGITS, pow10, pow10_i64, pow10_i128};
use super::divisor::greatest_divisor;
use super::{Numeric, RESULT_SCALE_MAX, Repr, SCALE_MAX, SIGNIFICANT_DIGITS_MIN};

/// Two finite operands with their scales.
struct Pair {
    a: BigInt,
    a_scale: u16,
    b: BigInt,
    b_scale: u16,
}

impl Pair {
    /// Both coefficients at the larger of the two scales.
    fn aligned(self) -> (BigInt, BigInt, u16) {
        let scale = self.a_scale.max(self.b_scale);
        let a = digits::rescale(self.a, i64::from(self.a_scale), i64::from(scale));
        let b = digits::rescale(self.b, i64::from(self.b_scale), i64::from(scale));
        (a, b, scale)
    }
}

fn finite_pair(a: &Numeric, b: &Numeric) -> Option<Pair> {
    let (a, a_scale) = a.to_scaled_bigint()?;
    let (b, b_scale) = b.to_scaled_bigint()?;
    Some(Pair { a, a_scale, b, b_scale })
}

/// Both small coefficients at the larger scale, as `i128`, which sums and remainders cannot overflow.
fn aligned_small(a: &Numeric, b: &Numeric) -> Option<(i128, i128, u16)> {
    let ((a, a_scale), (b, b_scale)) = (a.as_scaled_i64()?, b.as_scaled_i64()?);
    let scale = a_scale.max(b_scale);
    let widen = |value: i64, from: u16| {
        let power = pow10_i64(u32::from(scale - from))?;
        Some(i128::from(value) * i128::from(power))
    };
    Some((widen(a, a_scale)?, widen(b, b_scale)?, scale))
}

fn infinity(sign: i32) -> Numeric {
    match sign {
        0 => Numeric::NAN,
        sign if sign < 0 => Numeric::NEGATIVE_INFINITY,
        _ => Numeric::INFINITY,
    }
}

impl Numeric {
    /// The sum; 22003 when it is too long.
    pub fn add(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let Some((a, b, scale)) = aligned_small(self, other) {
            return Ok(Numeric::from_scaled_i128(a + b, scale));
        }
        if let Some(pair) = finite_pair(self, other) {
            let (a, b, scale) = pair.aligned();
            return Numeric::from_bigint(a + b, u32::from(scale));
        }
        Ok(match (self.is_nan() || other.is_nan(), self.is_infinite(), other.is_infinite()) {
            (true, _, _) => Numeric::NAN,
            (_, true, true) if self.signum() != other.signum() => Numeric::NAN,
            (_, true, _) => infinity(self.signum()),
            _ => infinity(other.signum()),
        })
    }

    /// The difference; 22003 when it is too long.
    pub fn sub(&self, other: &Numeric) -> SqlResult<Numeric> {
        self.add(&other.neg())
    }

    /// The product; 22003 when it is too long.
    pub fn mul(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let (Some((a, a_scale)), Some((b, b_scale))) = (self.as_scaled_i64(), other.as_scaled_i64())
            && i32::from(a_scale) + i32::from(b_scale) <= SCALE_MAX
        {
            return Ok(Numeric::from_scaled_i128(i128::from(a) * i128::from(b), a_scale + b_scale));
        }
        if let Some(pair) = finite_pair(self, other) {
            return Numeric::from_bigint(pair.a * pair.b, u32::from(pair.a_scale) + u32::from(pair.b_scale));
        }
        // Infinity times zero is NaN, and the sign of NaN counts as zero.
        Ok(infinity(self.signum() * other.signum()))
    }

    /// The quotient with PostgreSQL's number of digits, rounded; 22012 for a divisor of zero.
    pub fn div(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let Some(special) = self.divide_special(other)? {
            return Ok(special);
        }
        let Some(pair) = finite_pair(self, other) else { return Ok(Numeric::NAN) };
        let scale = quotient_scale(&pair);
        // a/10^x / (b/10^y) at scale s is a * 10^(s + y - x) / b.
        let shift = scale + i64::from(pair.b_scale) - i64::from(pair.a_scale);
        let quotient = if shift >= 0 {
            digits::divide_rounding(&(pair.a * pow10(shift as u32)), &pair.b)
        } else {
            digits::divide_rounding(&pair.a, &(pair.b * pow10((-shift) as u32)))
        };
        Numeric::from_bigint(quotient, scale as u32)
    }

    /// The quotient cut to an integer, as the function `div`; 22012 for a divisor of zero.
    pub fn div_trunc(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let Some(special) = self.divide_special(other)? {
            return Ok(special);
        }
        if let Some((a, b, _)) = aligned_small(self, other) {
            return Ok(Numeric::from_scaled_i128(a / b, 0));
        }
        let Some(pair) = finite_pair(self, other) else { return Ok(Numeric::NAN) };
        let (a, b, _) = pair.aligned();
        Numeric::from_bigint(a / b, 0)
    }

    /// What is left after [`Numeric::div_trunc`], with the dividend's sign; 22012 for a divisor of zero.
    pub fn rem(&self, other: &Numeric) -> SqlResult<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if self.is_infinite() {
            return Ok(Numeric::NAN);
        }
        if other.is_infinite() {
            return Ok(self.clone());
        }
        if let Some((a, b, scale)) = aligned_small(self, other) {
            return Ok(Numeric::from_scaled_i128(a % b, scale));
        }
        let Some(pair) = finite_pair(self, other) else { return Ok(Numeric::NAN) };
        let (a, b, scale) = pair.aligned();
        Numeric::from_bigint(a % b, u32::from(scale))
    }

    /// Quotients that involve NaN, an infinity or a zero divisor.
    fn divide_special(&self, other: &Numeric) -> SqlResult<Option<Numeric>> {
        if self.is_nan() || other.is_nan() {
            return Ok(Some(Numeric::NAN));
        }
        if self.is_infinite() && other.is_infinite() {
            return Ok(Some(Numeric::NAN));
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if self.is_infinite() {
            return Ok(Some(infinity(self.signum() * other.signum())));
        }
        Ok(other.is_infinite().then_some(Numeric::ZERO))
    }

    /// The negative.
    pub fn neg(&self) -> Numeric {
        match &self.0 {
            Repr::Small { coefficient, scale } => Numeric::from_scaled_i128(-i128::from(*coefficient), *scale),
            // -(2^63) is small where 2^63 is not.
            Repr::Large(large) => {
                Numeric::from_bigint(-&large.coefficient, u32::from(large.scale)).unwrap_or(Numeric::NAN)
            }
            Repr::NotANumber => Numeric::NAN,
            Repr::Infinity => Numeric::NEGATIVE_INFINITY,
            Repr::NegativeInfinity => Numeric::INFINITY,
        }
    }

    /// The magnitude.
    pub fn abs(&self) -> Numeric {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// -1, 0, 1 or NaN.
    pub fn sign(&self) -> Numeric {
        if self.is_nan() { Numeric::NAN } else { Numeric::from_scaled(i64::from(self.signum()), 0) }
    }

    /// Rounded to so many digits behind the point, halves away from zero; negative counts before it.
    ///
    /// 22003 when rounding up makes it too long.
    pub fn round(&self, scale: i32) -> SqlResult<Numeric> {
        self.rescale_with(scale, digits::divide_rounding)
    }

    /// Cut to so many digits behind the point; negative counts before it.
    pub fn trunc(&self, scale: i32) -> Numeric {
        // Cutting never makes a number longer.
        self.rescale_with(scale, |dividend, divisor| dividend / divisor).unwrap_or(Numeric::NAN)
    }

    /// The smallest integer that is not below.
    pub fn ceil(&self) -> SqlResult<Numeric> {
        self.rescale_with(0, |dividend, divisor| dividend.div_ceil(divisor))
    }

    /// The largest integer that is not above.
    pub fn floor(&self) -> SqlResult<Numeric> {
        self.rescale_with(0, |dividend, divisor| dividend.div_floor(divisor))
    }

    /// Gives the value another scale, of which `divide` makes the last digit.
    fn rescale_with(&self, scale: i32, divide: impl Fn(&BigInt, &BigInt) -> BigInt) -> SqlResult<Numeric> {
        let Some((coefficient, from)) = self.to_scaled_bigint() else { return Ok(self.clone()) };
        let wanted = scale.clamp(-SCALE_MAX * 9, SCALE_MAX);
        let shown = wanted.max(0) as u32;
        let drop = i32::from(from) - wanted;
        if drop <= 0 {
            if let Some((small, from)) = self.as_scaled_i64()
                && let Some(power) = pow10_i128(shown - u32::from(from))
                && let Some(wide) = i128::from(small).checked_mul(power)
            {
                return Ok(Numeric::from_scaled_i128(wide, shown as u16));
            }
            return Numeric::from_bigint(coefficient * pow10(drop.unsigned_abs()), shown);
        }
        let cut = divide(&coefficient, &pow10(drop as u32));
        let restored = if wanted < 0 { cut * pow10(wanted.unsigned_abs()) } else { cut };
        Numeric::from_bigint(restored, shown)
    }

    /// Without the zeros at the end of its digits behind the point, as the function `trim_scale`.
    pub fn trim_scale(&self) -> Numeric {
        match self.to_scaled_bigint() {
            Some(_) => self.trunc(self.min_scale().unwrap_or(0) as i32),
            None => self.clone(),
        }
    }

    /// The fewest digits behind the point that show the whole value; `None` for NaN and the infinities.
    pub fn min_scale(&self) -> Option<u16> {
        if let Some((coefficient, scale)) = self.as_scaled_i64() {
            return Some(digits::normalise_i64(coefficient, i64::from(scale)).1.max(0) as u16);
        }
        let (coefficient, scale) = self.to_scaled_bigint()?;
        Some(digits::normalise(coefficient, i64::from(scale)).1.max(0) as u16)
    }
}

/// PostgreSQL's digits for a quotient: 16 significant ones, counted in groups of four, no fewer than either
/// operand shows, and no more than 1000.
fn quotient_scale(pair: &Pair) -> i64 {
    let a = digits::leading_group(&pair.a, i64::from(pair.a_scale));
    let b = digits::leading_group(&pair.b, i64::from(pair.b_scale));
    let mut quotient_weight = a.weight - b.weight;
    if a.first <= b.first {
        quotient_weight -= 1;
    }
    let wanted = i64::from(SIGNIFICANT_DIGITS_MIN) - quotient_weight * GROUP_DIGITS;
    wanted.max(i64::from(pair.a_scale)).max(i64::from(pair.b_scale)).clamp(0, i64::from(RESULT_SCALE_MAX))
}

/// "division by zero" (22012).
pub(crate) fn division_by_zero() -> SqlError {
    SqlError::new(DIVISION_BY_ZERO, "division by zero")
}

impl Numeric {
    /// The greatest common divisor, not negative; NaN if either is not finite. `may_go_on` is asked now and then.
    pub fn gcd(&self, other: &Numeric, may_go_on: &dyn Fn() -> SqlResult<()>) -> SqlResult<Numeric> {
        let Some(pair) = finite_pair(self, other) else { return Ok(Numeric::NAN) };
        let (a, b, scale) = pair.aligned();
        let divisor = greatest_divisor(a.into_parts().1, b.into_parts().1, may_go_on)?;
        Numeric::from_bigint(divisor.into(), u32::from(scale))
    }

    /// The least common multiple, not negative; NaN if either is not finite, 22003 when it is too long. `may_go_on` is
    /// asked now and then.
    pub fn lcm(&self, other: &Numeric, may_go_on: &dyn Fn() -> SqlResult<()>) -> SqlResult<Numeric> {
        let Some(pair) = finite_pair(self, other) else { return Ok(Numeric::NAN) };
        let (a, b, scale) = pair.aligned();
        let (a, b) = (a.into_parts().1, b.into_parts().1);
        if a.is_zero() || b.is_zero() {
            return Numeric::from_bigint(BigInt::zero(), u32::from(scale));
        }
        let divisor = greatest_divisor(a.clone(), b.clone(), may_go_on)?;
        Numeric::from_bigint((a / divisor * b).into(), u32::from(scale))
    }
}
