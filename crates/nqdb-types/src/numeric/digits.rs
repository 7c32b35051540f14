//! Powers of ten and counts of digits: what the rest of numeric stands on.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{Signed, Zero};

use super::INTEGER_DIGITS_MAX;

/// 10^0 to 10^18.
const POWERS_I64: [i64; 19] = {
    let mut powers = [1i64; 19];
    let mut exponent = 1;
    while exponent < 19 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10^exponent, if it fits.
pub(crate) fn pow10_i64(exponent: u32) -> Option<i64> {
    POWERS_I64.get(exponent as usize).copied()
}

/// 10^exponent, if it fits (up to 10^38).
pub(crate) fn pow10_i128(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// 10^exponent.
pub(crate) fn pow10(exponent: u32) -> BigInt {
    match pow10_i64(exponent) {
        Some(small) => BigInt::from(small),
        None => BigInt::from(10u32).pow(exponent),
    }
}

/// Decimal digits of a magnitude; 0 for zero.
pub(crate) fn count_digits(coefficient: &BigInt) -> i64 {
    if coefficient.is_zero() {
        return 0;
    }
    // bits * log10(2) misses the number of digits by at most one.
    let bits = coefficient.bits();
    let estimate = ((bits - 1) as f64 * std::f64::consts::LOG10_2) as i64;
    if coefficient.magnitude() >= pow10(estimate as u32 + 1).magnitude() {
        estimate + 2
    } else if coefficient.magnitude() >= pow10(estimate as u32).magnitude() {
        estimate + 1
    } else {
        estimate
    }
}

/// Whether the number has more digits before its point than numeric can hold.
pub(crate) fn is_too_long(coefficient: &BigInt, scale: u32) -> bool {
    // A digit takes at least 3 bits: far below the limit there is nothing to count.
    let digits_at_most = coefficient.bits() as i64 / 3 + 1 - i64::from(scale);
    digits_at_most > INTEGER_DIGITS_MAX && count_digits(coefficient) - i64::from(scale) > INTEGER_DIGITS_MAX
}

/// The quotient, halves rounded away from zero.
pub(crate) fn divide_rounding(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let (quotient, remainder) = dividend.div_rem(divisor);
    if remainder.abs() * 2 >= divisor.abs() {
        if (dividend.sign() == Sign::Minus) == (divisor.sign() == Sign::Minus) { quotient + 1 } else { quotient - 1 }
    } else {
        quotient
    }
}

/// `coefficient * 10^-from` with another scale, halves rounded away from zero.
pub(crate) fn rescale(coefficient: BigInt, from: i64, to: i64) -> BigInt {
    match to.cmp(&from) {
        Ordering::Equal => coefficient,
        Ordering::Greater => coefficient * pow10((to - from) as u32),
        Ordering::Less => divide_rounding(&coefficient, &pow10((from - to) as u32)),
    }
}

/// Compares two small numbers of different scale.
pub(crate) fn compare_scaled(a: i64, a_scale: u16, b: i64, b_scale: u16) -> Ordering {
    if a.signum() != b.signum() || a == 0 {
        return a.signum().cmp(&b.signum());
    }
    let widen = |value: i64, by: u16| pow10_i64(u32::from(by)).map(|power| i128::from(value) * i128::from(power));
    let (wide_a, wide_b) = if a_scale < b_scale {
        (widen(a, b_scale - a_scale), Some(i128::from(b)))
    } else {
        (Some(i128::from(a)), widen(b, a_scale - b_scale))
    };
    match (wide_a, wide_b) {
        (Some(wide_a), Some(wide_b)) => wide_a.cmp(&wide_b),
        // A factor of 10^19 outweighs any other i64: the one that could not be widened is farther from zero.
        (None, _) => a.signum().cmp(&0),
        (_, None) => 0.cmp(&b.signum()),
    }
}

/// Compares two numbers of any size.
pub(crate) fn compare_scaled_bigint(a: BigInt, a_scale: u16, b: BigInt, b_scale: u16) -> Ordering {
    if a.sign() != b.sign() {
        return a.sign().cmp(&b.sign());
    }
    let scale = i64::from(a_scale.max(b_scale));
    rescale(a, i64::from(a_scale), scale).cmp(&rescale(b, i64::from(b_scale), scale))
}

/// Takes trailing zeros off; the scale falls with each and may become negative. Zero has scale 0.
pub(crate) fn normalise(mut coefficient: BigInt, mut scale: i64) -> (BigInt, i64) {
    if coefficient.is_zero() {
        return (coefficient, 0);
    }
    // Powers of ten in falling steps: a number of n digits takes log n divisions, not n.
    let mut step = 1u32 << 12;
    while step > 0 {
        let power = pow10(step);
        loop {
            let (quotient, remainder) = coefficient.div_rem(&power);
            if !remainder.is_zero() {
                break;
            }
            coefficient = quotient;
            scale -= i64::from(step);
        }
        step /= 2;
    }
    (coefficient, scale)
}

/// Takes trailing zeros off; the scale falls with each and may become negative. Zero has scale 0.
pub(crate) fn normalise_i64(mut coefficient: i64, mut scale: i64) -> (i64, i64) {
    if coefficient == 0 {
        return (0, 0);
    }
    while coefficient % 10 == 0 {
        coefficient /= 10;
        scale -= 1;
    }
    (coefficient, scale)
}

/// Hashes a small number without its trailing zeros.
pub(crate) fn hash_normalised<H: Hasher>(coefficient: i64, scale: i64, state: &mut H) {
    let (coefficient, scale) = normalise_i64(coefficient, scale);
    state.write_i64(scale);
    coefficient.hash(state);
}

/// PostgreSQL's view of a number in groups of four digits, on which its result scales depend.
///
/// ```text
/// 12345.678  is  0001 2345 . 6780      weight 1, first group 1
/// 0.00012    is  0 . 0001 2000         weight -1, first group 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Position of the first group: 0 is the one just before the point.
    pub weight: i64,
    /// The first group's value, 1 to 9999; 0 for zero.
    pub first: i64,
}

/// Digits in a group.
pub(crate) const GROUP_DIGITS: i64 = 4;

/// The leading group of `coefficient * 10^-scale`.
pub(crate) fn leading_group(coefficient: &BigInt, scale: i64) -> Groups {
    if coefficient.is_zero() {
        return Groups { weight: 0, first: 0 };
    }
    let point = count_digits(coefficient) - scale;
    let weight = (point - 1).div_euclid(GROUP_DIGITS);
    // The first group ends at 10^(4 * weight); shift the coefficient so that this is the unit.
    let shift = scale + GROUP_DIGITS * weight;
    let magnitude = coefficient.abs();
    let first = if shift >= 0 { magnitude / pow10(shift as u32) } else { magnitude * pow10((-shift) as u32) };
    Groups { weight, first: i64::try_from(first).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_at_every_power_of_ten() {
        for exponent in 0..400u32 {
            let power = pow10(exponent);
            assert_eq!(count_digits(&power), i64::from(exponent) + 1);
            assert_eq!(count_digits(&(&power - 1)), i64::from(exponent));
            assert_eq!(count_digits(&-(BigInt::from(1) + &power)), i64::from(exponent) + 1);
        }
    }

    #[test]
    fn the_leading_group_is_aligned_at_the_point() {
        let group = |digits: i64, scale| leading_group(&BigInt::from(digits), scale);
        assert_eq!(group(12_345_678, 3), Groups { weight: 1, first: 1 });
        assert_eq!(group(12, 5), Groups { weight: -1, first: 1 });
        assert_eq!(group(9999, 0), Groups { weight: 0, first: 9999 });
        assert_eq!(group(5, 1), Groups { weight: -1, first: 5000 });
        assert_eq!(group(1, 8), Groups { weight: -2, first: 1 });
    }

    #[test]
    fn small_numbers_compare_across_scales() {
        assert_eq!(compare_scaled(15, 1, 150, 2), Ordering::Equal);
        assert_eq!(compare_scaled(i64::MAX, 0, i64::MAX, 30), Ordering::Greater);
        assert_eq!(compare_scaled(i64::MIN, 0, i64::MIN, 30), Ordering::Less);
        assert_eq!(compare_scaled(-1, 30, -1, 0), Ordering::Greater);
        assert_eq!(compare_scaled(0, 5, 0, 0), Ordering::Equal);
    }
}
