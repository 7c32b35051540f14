//! Roots, exponentials, logarithms and powers.
//!
//! The number of digits is chosen first, by PostgreSQL's rules, which estimate the magnitude of the result
//! from leading groups of four digits. Then the value is computed in binary fixed point with guard bits and
//! rounded once, halves away from zero.

use nqdb_sqlstate::{INVALID_ARGUMENT_FOR_LOGARITHM, INVALID_ARGUMENT_FOR_POWER_FUNCTION, SqlError, SqlResult};
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::digits::{self, GROUP_DIGITS, count_digits, divide_rounding, leading_group, pow10};
use super::{Numeric, RESULT_SCALE_MAX, SIGNIFICANT_DIGITS_MIN, overflow};

/// Exponents beyond overflow or vanish (PostgreSQL's limit for exp).
const EXPONENT_MAX: f64 = 6000.0;
const LOG10_OF_E: f64 = std::f64::consts::LOG10_E;
/// An integer power is computed exactly up to so many bits.
const EXACT_POWER_BITS_MAX: u64 = 1 << 20;
/// Bits beyond those of the result's last digit.
const GUARD_BITS: u64 = 64;

/// A finite number at hand: `coefficient * 10^-scale`.
struct Finite {
    coefficient: BigInt,
    scale: u16,
}

impl Numeric {
    fn finite(&self) -> Option<Finite> {
        let (coefficient, scale) = self.to_scaled_bigint()?;
        Some(Finite { coefficient, scale })
    }

    /// The square root; 2201F for a negative number.
    pub fn sqrt(&self) -> SqlResult<Numeric> {
        if self.is_negative() {
            return Err(power_error("cannot take square root of a negative number"));
        }
        let Some(Finite { coefficient, scale }) = self.finite() else { return Ok(self.clone()) };
        let weight = leading_group(&coefficient, i64::from(scale)).weight;
        let root_digits = (weight + 1) * GROUP_DIGITS / 2 - 1;
        let result_scale = result_scale(root_digits, &[scale]);
        // One digit more than shown, cut, then rounded: an irrational root never lies on a half.
        let shift = 2 * (result_scale + 1) - i64::from(scale);
        let radicand =
            if shift >= 0 { coefficient * pow10(shift as u32) } else { coefficient / pow10((-shift) as u32) };
        let root = radicand.sqrt();
        Numeric::from_bigint(divide_rounding(&root, &BigInt::from(10)), result_scale as u32)
    }

    /// e to the power of the number; 22003 when it is too long.
    pub fn exp(&self) -> SqlResult<Numeric> {
        let Some(Finite { coefficient, scale }) = self.finite() else {
            return Ok(if self.is_nan() || !self.is_negative() { self.clone() } else { Numeric::ZERO });
        };
        let approximate = self.to_f64_or_infinity();
        let result_digits = (approximate * LOG10_OF_E).clamp(-2000.0, 2000.0) as i64;
        let result_scale = result_scale(result_digits, &[scale]);
        exp_at_scale(&coefficient, i64::from(scale), approximate, result_scale)
    }

    /// The natural logarithm; 2201E for zero and negative numbers.
    pub fn ln(&self) -> SqlResult<Numeric> {
        check_logarithm(self)?;
        let Some(Finite { coefficient, scale }) = self.finite() else { return Ok(self.clone()) };
        let result_scale = result_scale(estimate_ln_digits(&coefficient, i64::from(scale)), &[scale]);
        let bits = bits_of_digits(result_scale) + GUARD_BITS;
        let value = ln_fixed(&coefficient, i64::from(scale), bits);
        Numeric::from_bigint(to_decimal(&value, bits, result_scale), result_scale as u32)
    }

    /// The logarithm to a base; 2201E for zero and negative arguments, 22012 for base 1.
    pub fn log(&self, base: &Numeric) -> SqlResult<Numeric> {
        if self.is_nan() || base.is_nan() {
            return Ok(Numeric::NAN);
        }
        // With an infinity PostgreSQL looks for negative arguments first, else at the base first.
        if (self.is_infinite() || base.is_infinite()) && self.is_negative() {
            check_logarithm(self)?;
        }
        check_logarithm(base)?;
        check_logarithm(self)?;
        let (Some(number), Some(base)) = (self.finite(), base.finite()) else {
            return Ok(match (self.is_infinite(), base.is_infinite()) {
                (true, true) => Numeric::NAN,
                (true, false) => Numeric::INFINITY,
                _ => Numeric::ZERO,
            });
        };
        let base_digits = estimate_ln_digits(&base.coefficient, i64::from(base.scale));
        let number_digits = estimate_ln_digits(&number.coefficient, i64::from(number.scale));
        let result_scale = result_scale(number_digits - base_digits, &[base.scale, number.scale]);
        // Both logarithms may be tiny: as many digits more as their leading zeros.
        let extra = base_digits.min(0).unsigned_abs() * 2 + number_digits.min(0).unsigned_abs();
        let bits = bits_of_digits(result_scale + extra as i64) + GUARD_BITS;
        let ln_base = ln_fixed(&base.coefficient, i64::from(base.scale), bits);
        if ln_base.is_zero() {
            return Err(super::arithmetic::division_by_zero());
        }
        let ln_number = ln_fixed(&number.coefficient, i64::from(number.scale), bits);
        let quotient = (ln_number << bits) / ln_base;
        Numeric::from_bigint(to_decimal(&quotient, bits, result_scale), result_scale as u32)
    }

    /// The number to the power of another.
    ///
    /// 2201F for zero to a negative power and a negative number to a fraction, 22003 when it is too long.
    pub fn power(&self, exponent: &Numeric) -> SqlResult<Numeric> {
        if let (Some(base), Some(power)) = (self.finite(), exponent.finite()) {
            return power_finite(&base, &power);
        }
        power_special(self, exponent)
    }
}

/// The scale of a result with so many digits before its point: 16 significant digits, no fewer behind the
/// point than any operand, at most 1000.
fn result_scale(result_digits: i64, operand_scales: &[u16]) -> i64 {
    let wanted = i64::from(SIGNIFICANT_DIGITS_MIN) - result_digits;
    let shown = operand_scales.iter().map(|scale| i64::from(*scale)).max().unwrap_or(0);
    wanted.max(shown).clamp(0, i64::from(RESULT_SCALE_MAX))
}

fn power_error(message: &str) -> SqlError {
    SqlError::new(INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn check_logarithm(value: &Numeric) -> SqlResult<()> {
    if value.is_nan() || value.signum() > 0 {
        return Ok(());
    }
    let what = if value.is_zero() { "zero" } else { "a negative number" };
    Err(SqlError::new(INVALID_ARGUMENT_FOR_LOGARITHM, format!("cannot take logarithm of {what}")))
}

/// Digits before the point of ln(x), estimated as PostgreSQL does: from the first two groups, or, near 1,
/// from the first group of x - 1.
fn estimate_ln_digits(coefficient: &BigInt, scale: i64) -> i64 {
    let tenths = coefficient * 10u32;
    let unit = pow10(scale as u32);
    if tenths >= &unit * 9u32 && tenths <= &unit * 11u32 {
        let difference = coefficient - unit;
        if difference.is_zero() {
            return 0;
        }
        let group = leading_group(&difference, scale);
        return group.weight * GROUP_DIGITS + i64::from(group.first.max(1).ilog10());
    }
    let weight = leading_group(coefficient, scale).weight;
    // The first two groups as one number; a number of a single group stands for itself.
    let unit_exponent = (weight - 1) * GROUP_DIGITS;
    let shift = scale + unit_exponent;
    let leading = if shift >= 0 { coefficient / pow10(shift as u32) } else { coefficient * pow10((-shift) as u32) };
    let logarithm = leading.to_f64().unwrap_or(1.0).ln() + unit_exponent as f64 * std::f64::consts::LN_10;
    logarithm.abs().log10() as i64
}

/// exp(coefficient * 10^-scale) with so many digits behind the point.
fn exp_at_scale(coefficient: &BigInt, scale: i64, approximate: f64, result_scale: i64) -> SqlResult<Numeric> {
    if approximate >= EXPONENT_MAX {
        return Err(overflow());
    }
    if approximate <= -EXPONENT_MAX {
        return Ok(Numeric::from_scaled(0, result_scale as u16));
    }
    // What stands before the point needs bits of its own: the error is relative to the whole result.
    let integer_bits = (approximate.max(0.0) * std::f64::consts::LOG2_E) as u64 + 1;
    let bits = bits_of_digits(result_scale) + integer_bits + GUARD_BITS;
    let argument = divide_rounding(&(coefficient << bits), &pow10(scale as u32));
    let value = exp_fixed(&argument, bits);
    Numeric::from_bigint(to_decimal(&value, bits, result_scale), result_scale as u32)
}

/// Bits that so many decimal digits behind the point need.
fn bits_of_digits(digits: i64) -> u64 {
    (digits.max(0) as u64) * 10 / 3 + 4
}

/// `value / 2^bits` with so many decimal digits, halves rounded away from zero.
fn to_decimal(value: &BigInt, bits: u64, scale: i64) -> BigInt {
    divide_rounding(&(value * pow10(scale as u32)), &(BigInt::one() << bits))
}

/// ln of a positive number, times 2^bits.
///
/// x = m * 2^k with m near 1; ln m = 2 artanh((m - 1) / (m + 1)), whose series gains four bits a term.
fn ln_fixed(coefficient: &BigInt, scale: i64, bits: u64) -> BigInt {
    let denominator = pow10(scale as u32);
    let mut exponent = coefficient.bits() as i64 - denominator.bits() as i64;
    let mantissa = |exponent: i64| {
        let shift = bits as i64 - exponent;
        if shift >= 0 {
            (coefficient << shift as u64) / &denominator
        } else {
            coefficient / (&denominator << (-shift) as u64)
        }
    };
    let one = BigInt::one() << bits;
    let mut reduced = mantissa(exponent);
    // Into 3/4 .. 3/2.
    while reduced.clone() * 2u32 > &one * 3u32 {
        exponent += 1;
        reduced = mantissa(exponent);
    }
    while reduced.clone() * 4u32 < &one * 3u32 {
        exponent -= 1;
        reduced = mantissa(exponent);
    }
    let ln_mantissa = artanh_fixed(&(&reduced - &one), &(&reduced + &one), bits) * 2u32;
    if exponent == 0 {
        return ln_mantissa;
    }
    ln_mantissa + ln_2_fixed(bits) * exponent
}

/// ln 2 = 2 artanh(1/3), times 2^bits. Each term is the one before over nine: no long multiplication.
fn ln_2_fixed(bits: u64) -> BigInt {
    let mut power = (BigInt::one() << bits) / 3u32;
    let mut sum = power.clone();
    let mut divisor = 3u32;
    loop {
        power /= 9u32;
        if power.is_zero() {
            return sum * 2u32;
        }
        sum += &power / divisor;
        divisor += 2;
    }
}

/// artanh(numerator / denominator) = t + t^3/3 + t^5/5 + ..., times 2^bits.
fn artanh_fixed(numerator: &BigInt, denominator: &BigInt, bits: u64) -> BigInt {
    let ratio = (numerator << bits) / denominator;
    let square = (&ratio * &ratio) >> bits;
    let mut power = ratio.clone();
    let mut sum = ratio;
    let mut divisor = 3u32;
    loop {
        power = (&power * &square) >> bits;
        let term = &power / divisor;
        if term.is_zero() || term == BigInt::from(-1) {
            return sum;
        }
        sum += term;
        divisor += 2;
    }
}

/// e to the power of argument / 2^bits, times 2^bits.
///
/// The argument is cut to r = x - k ln 2, then halved eight times; the series of the small rest is squared
/// eight times and shifted by k.
fn exp_fixed(argument: &BigInt, bits: u64) -> BigInt {
    const HALVINGS: u64 = 8;
    let work_bits = bits + 2 * HALVINGS + 16;
    let argument = argument << (work_bits - bits);
    let ln_2 = ln_2_fixed(work_bits);
    let exponent = argument.div_floor(&ln_2);
    let rest = (argument - &exponent * &ln_2) >> HALVINGS;
    let one = BigInt::one() << work_bits;
    let mut sum = &one + &rest;
    let mut term = rest.clone();
    let mut divisor = 2u32;
    while !term.is_zero() {
        term = ((&term * &rest) >> work_bits) / divisor;
        sum += &term;
        divisor += 1;
    }
    for _ in 0..HALVINGS {
        sum = (&sum * &sum) >> work_bits;
    }
    let shift = exponent.to_i64().unwrap_or(0) - (work_bits - bits) as i64;
    if shift >= 0 { sum << shift as u64 } else { sum >> (-shift) as u64 }
}

fn power_finite(base: &Finite, exponent: &Finite) -> SqlResult<Numeric> {
    let exponent_unit = pow10(u32::from(exponent.scale));
    let integer_exponent = exponent.coefficient.is_multiple_of(&exponent_unit);
    if base.coefficient.is_zero() && exponent.coefficient.is_negative() {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    if base.coefficient.is_negative() && !integer_exponent {
        return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
    }
    if integer_exponent && let Some(power) = (&exponent.coefficient / &exponent_unit).to_i32() {
        return power_integer(base, power);
    }
    if base.coefficient.is_zero() {
        return Ok(Numeric::from_scaled(0, SIGNIFICANT_DIGITS_MIN as u16));
    }
    let magnitude = base.coefficient.abs();
    let ln_digits = estimate_ln_digits(&magnitude, i64::from(base.scale));
    let approximate = approximate_exponent(&magnitude, base.scale, exponent, ln_digits);
    if approximate.abs() > EXPONENT_MAX * 1.003_333 {
        if approximate > 0.0 {
            return Err(overflow());
        }
        return Ok(Numeric::from_scaled(0, RESULT_SCALE_MAX as u16));
    }
    let result_scale = result_scale((approximate * LOG10_OF_E) as i64, &[base.scale, exponent.scale]);
    let exponent_digits = (count_digits(&exponent.coefficient) - i64::from(exponent.scale)).max(0);
    let magnitude_of_result = exp_of_product(
        &magnitude,
        base.scale,
        exponent,
        approximate,
        result_scale,
        exponent_digits - ln_digits.min(0),
    )?;
    let odd = (&exponent.coefficient / exponent_unit).is_odd();
    Ok(if base.coefficient.is_negative() && odd { magnitude_of_result.neg() } else { magnitude_of_result })
}

/// exp(exponent * ln(base)) with so many digits behind the point.
fn exp_of_product(
    base: &BigInt,
    base_scale: u16,
    exponent: &Finite,
    approximate: f64,
    result_scale: i64,
    extra_digits: i64,
) -> SqlResult<Numeric> {
    if approximate >= EXPONENT_MAX {
        return Err(overflow());
    }
    let integer_bits = (approximate.max(0.0) * std::f64::consts::LOG2_E) as u64 + 1;
    let bits = bits_of_digits(result_scale + extra_digits.max(0)) + integer_bits + GUARD_BITS;
    let ln_base = ln_fixed(base, i64::from(base_scale), bits);
    let argument = ln_base * &exponent.coefficient / pow10(u32::from(exponent.scale));
    let value = exp_fixed(&argument, bits);
    Numeric::from_bigint(to_decimal(&value, bits, result_scale), result_scale as u32)
}

/// exponent * ln(base), with ln(base) rounded to about eight digits.
///
/// The number of digits of the result hangs on this value, and where it lies next to an integer on its last
/// digit: so it is rounded where PostgreSQL rounds it.
fn approximate_exponent(base: &BigInt, base_scale: u16, exponent: &Finite, ln_digits: i64) -> f64 {
    let scale = (8 - ln_digits).max(0);
    let bits = bits_of_digits(scale) + GUARD_BITS;
    let ln_base = to_decimal(&ln_fixed(base, i64::from(base_scale), bits), bits, scale);
    let product = digits::rescale(ln_base * &exponent.coefficient, scale + i64::from(exponent.scale), scale);
    match Numeric::from_bigint(product, scale as u32) {
        Ok(product) => product.to_f64_or_infinity(),
        Err(_) if exponent.coefficient.is_negative() => f64::NEG_INFINITY,
        Err(_) => f64::INFINITY,
    }
}

/// An integer power; it shows 16 digits behind the point, or as many as the base.
fn power_integer(base: &Finite, exponent: i32) -> SqlResult<Numeric> {
    let scale = i64::from(base.scale).max(i64::from(SIGNIFICANT_DIGITS_MIN)).min(i64::from(RESULT_SCALE_MAX));
    let result_digits = f64::from(exponent) * log10_of_leading_groups(base);
    if result_digits > (super::INTEGER_DIGITS_MAX + 4) as f64 {
        return Err(overflow());
    }
    if result_digits + 1.0 < -(scale as f64) {
        return Ok(Numeric::from_scaled(0, scale as u16));
    }
    if base.coefficient.is_zero() {
        let value = if exponent == 0 { BigInt::one() } else { BigInt::zero() };
        return Numeric::from_bigint(value * pow10(scale as u32), scale as u32);
    }
    let (digits, digits_scale) = digits::normalise(base.coefficient.clone(), i64::from(base.scale));
    let power = exponent.unsigned_abs();
    if digits.bits() * u64::from(power) <= EXACT_POWER_BITS_MAX {
        return power_exact(&digits, digits_scale, exponent, scale);
    }
    // Every multiplication of the squaring below loses one unit in the last bit, which the next ones double.
    let result_bits = bits_of_digits(scale + result_digits.max(0.0) as i64);
    let bits = result_bits + GUARD_BITS + 2 * u64::from(u32::BITS);
    let magnitude = Rounded::new(digits.magnitude().clone().into(), bits).power(power, bits);
    let shift =
        if exponent >= 0 { scale - digits_scale * i64::from(power) } else { scale + digits_scale * i64::from(power) };
    let unit = Rounded::new(BigInt::from(10), bits).power(shift.unsigned_abs(), bits);
    let value = match (exponent >= 0, shift >= 0) {
        (true, true) => magnitude.times(&unit, bits),
        (true, false) => magnitude.over(&unit, bits),
        (false, true) => unit.over(&magnitude, bits),
        (false, false) => Rounded::new(BigInt::one(), bits).over(&magnitude.times(&unit, bits), bits),
    };
    let value = value.to_integer();
    let negative = base.coefficient.is_negative() && exponent % 2 != 0;
    Numeric::from_bigint(if negative { -value } else { value }, scale as u32)
}

/// A positive number of so many leading bits: `mantissa * 2^exponent`, cut.
#[derive(Clone)]
struct Rounded {
    mantissa: BigInt,
    exponent: i64,
}

impl Rounded {
    fn new(value: BigInt, bits: u64) -> Rounded {
        Rounded { mantissa: value, exponent: 0 }.cut(bits)
    }

    fn cut(mut self, bits: u64) -> Rounded {
        let excess = self.mantissa.bits().saturating_sub(bits);
        self.mantissa >>= excess;
        self.exponent += excess as i64;
        self
    }

    fn times(&self, other: &Rounded, bits: u64) -> Rounded {
        Rounded { mantissa: &self.mantissa * &other.mantissa, exponent: self.exponent + other.exponent }.cut(bits)
    }

    fn over(&self, other: &Rounded, bits: u64) -> Rounded {
        let shift = (bits + other.mantissa.bits()).saturating_sub(self.mantissa.bits());
        let mantissa = (&self.mantissa << shift) / &other.mantissa;
        Rounded { mantissa, exponent: self.exponent - other.exponent - shift as i64 }.cut(bits)
    }

    /// By squaring: twice as many multiplications as the power has bits, at most.
    fn power(&self, power: impl Into<u64>, bits: u64) -> Rounded {
        let mut left: u64 = power.into();
        let mut square = self.clone();
        let mut result = Rounded { mantissa: BigInt::one(), exponent: 0 };
        while left > 0 {
            if left & 1 == 1 {
                result = result.times(&square, bits);
            }
            left >>= 1;
            if left > 0 {
                square = square.times(&square, bits);
            }
        }
        result
    }

    /// The nearest integer, halves up.
    fn to_integer(&self) -> BigInt {
        if self.exponent >= 0 {
            return &self.mantissa << self.exponent.unsigned_abs();
        }
        let shift = self.exponent.unsigned_abs();
        let half = BigInt::one() << (shift - 1);
        (&self.mantissa + half) >> shift
    }
}

/// (digits * 10^-digits_scale) ^ exponent, rounded once.
fn power_exact(digits: &BigInt, digits_scale: i64, exponent: i32, scale: i64) -> SqlResult<Numeric> {
    let power = digits.pow(exponent.unsigned_abs());
    let power_scale = digits_scale * i64::from(exponent.unsigned_abs());
    // Above: power * 10^-power_scale. Below: its reciprocal.
    let shift = if exponent >= 0 { scale - power_scale } else { scale + power_scale };
    let value = match (exponent >= 0, shift >= 0) {
        (true, true) => power * pow10(shift as u32),
        (true, false) => divide_rounding(&power, &pow10((-shift) as u32)),
        (false, true) => divide_rounding(&pow10(shift as u32), &power),
        (false, false) => divide_rounding(&BigInt::one(), &(power * pow10((-shift) as u32))),
    };
    Numeric::from_bigint(value, scale as u32)
}

/// log10 of the base's magnitude from its first 16 digits, 0 for zero.
fn log10_of_leading_groups(base: &Finite) -> f64 {
    if base.coefficient.is_zero() {
        return 0.0;
    }
    let weight = leading_group(&base.coefficient, i64::from(base.scale)).weight;
    let unit_exponent = (weight - 3) * GROUP_DIGITS;
    let shift = i64::from(base.scale) + unit_exponent;
    let magnitude = base.coefficient.abs();
    let leading = if shift >= 0 { magnitude / pow10(shift as u32) } else { magnitude * pow10((-shift) as u32) };
    leading.to_f64().unwrap_or(1.0).log10() + unit_exponent as f64
}

/// Powers with NaN or an infinity (POSIX's rules for pow, as PostgreSQL follows them).
fn power_special(base: &Numeric, exponent: &Numeric) -> SqlResult<Numeric> {
    let is_one = |value: &Numeric| *value == Numeric::ONE;
    if base.is_nan() {
        return Ok(if exponent.is_zero() { Numeric::ONE } else { Numeric::NAN });
    }
    if exponent.is_nan() {
        return Ok(if is_one(base) { Numeric::ONE } else { Numeric::NAN });
    }
    if base.is_zero() && exponent.is_negative() {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    let exponent_is_integer = exponent.is_infinite() || exponent.min_scale() == Some(0);
    if base.is_negative() && !exponent_is_integer {
        return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
    }
    if is_one(base) || exponent.is_zero() {
        return Ok(Numeric::ONE);
    }
    if exponent.is_infinite() {
        let magnitude = base.abs();
        return Ok(match (is_one(&magnitude), magnitude > Numeric::ONE, exponent.is_negative()) {
            (true, _, _) => Numeric::ONE,
            (_, true, false) | (_, false, true) => Numeric::INFINITY,
            _ => Numeric::ZERO,
        });
    }
    if exponent.is_negative() {
        return Ok(Numeric::ZERO);
    }
    let odd = exponent
        .to_scaled_bigint()
        .is_some_and(|(coefficient, scale)| (coefficient / pow10(u32::from(scale))).is_odd());
    Ok(if base.is_negative() && odd { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY })
}
