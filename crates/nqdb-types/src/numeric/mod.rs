//! `numeric`: decimal numbers of up to 131,072 digits before the point and 16,383 behind it.
//!
//! ```text
//! value = coefficient * 10^-scale           1.50 is (150, scale 2)
//! ```
//!
//! What always holds:
//!
//! 1. The scale is the number of digits shown behind the point, 0 to 16,383. It is part of the value's
//!    appearance, not of its magnitude: `1.5` and `1.50` are equal and hash alike.
//! 2. A coefficient that fits an `i64` is stored as one ([`Repr::Small`]); only others are on the heap. So
//!    every number has one representation for each scale.
//! 3. There is no negative zero.
//! 4. Results have the digits that PostgreSQL gives: where an operation has to choose a scale (division,
//!    roots, logarithms, powers) it follows PostgreSQL's rules, which count in groups of four digits.
//!
//! | file | contents |
//! |---|---|
//! | `arithmetic` | + - * / %, rounding |
//! | `transcendental` | sqrt, exp, ln, log, power |
//! | `spelling` | text |
//! | `convert` | integers, floats, modifiers |
//! | `wire` | PostgreSQL's binary form |
//! | `sum` | the accumulator of sum() and avg() |

mod arithmetic;
mod convert;
pub(crate) mod digits;
mod divisor;
mod spelling;
mod sum;
mod transcendental;
mod wire;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

pub use sum::NumericSum;

/// Most digits behind the point that a value can have.
pub const SCALE_MAX: i32 = 16_383;
/// Most digits before the point that a value can have.
pub const INTEGER_DIGITS_MAX: i64 = 131_072;
/// Most digits behind the point that division, roots and the like produce.
pub const RESULT_SCALE_MAX: i32 = 1000;
/// Significant digits that such results have at least.
pub const SIGNIFICANT_DIGITS_MIN: i32 = 16;
/// The largest precision that `numeric(p, s)` may name.
pub const PRECISION_MAX: i32 = 1000;

/// A decimal number, NaN or an infinity.
#[derive(Clone)]
pub struct Numeric(Repr);

#[derive(Clone)]
enum Repr {
    Small { coefficient: i64, scale: u16 },
    Large(Box<Large>),
    NotANumber,
    Infinity,
    NegativeInfinity,
}

#[derive(Clone)]
struct Large {
    coefficient: BigInt,
    scale: u16,
}

/// A value taken apart, for code that treats every kind.
pub(crate) enum Parts<'a> {
    Small(i64, u16),
    Large(&'a BigInt, u16),
    NotANumber,
    Infinity,
    NegativeInfinity,
}

impl Numeric {
    pub const ZERO: Numeric = Numeric::from_scaled(0, 0);
    pub const ONE: Numeric = Numeric::from_scaled(1, 0);
    pub const NAN: Numeric = Numeric(Repr::NotANumber);
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    pub const NEGATIVE_INFINITY: Numeric = Numeric(Repr::NegativeInfinity);

    /// `coefficient * 10^-scale`; the scale must not exceed [`SCALE_MAX`].
    pub const fn from_scaled(coefficient: i64, scale: u16) -> Numeric {
        Numeric(Repr::Small { coefficient, scale })
    }

    /// `coefficient * 10^-scale`.
    ///
    /// 22003 when the number has more digits before the point than numeric can hold. A scale above
    /// [`SCALE_MAX`] is rounded to it.
    pub fn from_bigint(coefficient: BigInt, scale: u32) -> SqlResult<Numeric> {
        if scale > SCALE_MAX as u32 {
            let coefficient = digits::divide_rounding(&coefficient, &digits::pow10(scale - SCALE_MAX as u32));
            return Numeric::from_bigint(coefficient, SCALE_MAX as u32);
        }
        if let Some(small) = coefficient.to_i64() {
            return Ok(Numeric::from_scaled(small, scale as u16));
        }
        if digits::is_too_long(&coefficient, scale) {
            return Err(overflow());
        }
        Ok(Numeric(Repr::Large(Box::new(Large { coefficient, scale: scale as u16 }))))
    }

    /// `coefficient * 10^-scale`; never too long, as an `i128` has at most 39 digits.
    pub fn from_scaled_i128(coefficient: i128, scale: u16) -> Numeric {
        match i64::try_from(coefficient) {
            Ok(small) => Numeric::from_scaled(small, scale),
            Err(_) => Numeric(Repr::Large(Box::new(Large { coefficient: BigInt::from(coefficient), scale }))),
        }
    }

    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NotANumber)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegativeInfinity)
    }

    pub fn is_finite(&self) -> bool {
        !self.is_nan() && !self.is_infinite()
    }

    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { coefficient: 0, .. })
    }

    /// Whether the value is below zero; NaN is not.
    pub fn is_negative(&self) -> bool {
        self.signum() < 0
    }

    /// -1, 0 or 1; NaN counts as 0.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { coefficient, .. } => coefficient.signum() as i32,
            Repr::Large(large) => match large.coefficient.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
            Repr::NotANumber => 0,
            Repr::Infinity => 1,
            Repr::NegativeInfinity => -1,
        }
    }

    /// Digits shown behind the point; `None` for NaN and the infinities.
    pub fn scale(&self) -> Option<u16> {
        match &self.0 {
            Repr::Small { scale, .. } => Some(*scale),
            Repr::Large(large) => Some(large.scale),
            _ => None,
        }
    }

    /// The value as `coefficient * 10^-scale` when the coefficient fits an `i64`: the fast path of callers.
    pub fn as_scaled_i64(&self) -> Option<(i64, u16)> {
        match &self.0 {
            Repr::Small { coefficient, scale } => Some((*coefficient, *scale)),
            _ => None,
        }
    }

    /// The value as `coefficient * 10^-scale`; `None` for NaN and the infinities.
    pub fn to_scaled_bigint(&self) -> Option<(BigInt, u16)> {
        match &self.0 {
            Repr::Small { coefficient, scale } => Some((BigInt::from(*coefficient), *scale)),
            Repr::Large(large) => Some((large.coefficient.clone(), large.scale)),
            _ => None,
        }
    }

    /// Bytes on the heap.
    pub fn heap_size(&self) -> usize {
        match &self.0 {
            Repr::Large(large) => size_of::<Large>() + (large.coefficient.bits() as usize).div_ceil(64) * 8,
            _ => 0,
        }
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        match &self.0 {
            Repr::Small { coefficient, scale } => Parts::Small(*coefficient, *scale),
            Repr::Large(large) => Parts::Large(&large.coefficient, large.scale),
            Repr::NotANumber => Parts::NotANumber,
            Repr::Infinity => Parts::Infinity,
            Repr::NegativeInfinity => Parts::NegativeInfinity,
        }
    }

    /// Where the kinds stand in the order: -infinity, finite numbers, infinity, NaN.
    fn rank(&self) -> u8 {
        match &self.0 {
            Repr::NegativeInfinity => 0,
            Repr::Small { .. } | Repr::Large(_) => 1,
            Repr::Infinity => 2,
            Repr::NotANumber => 3,
        }
    }
}

/// "value overflows numeric format" (22003).
pub(crate) fn overflow() -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small { coefficient: a, scale: a_scale }, Repr::Small { coefficient: b, scale: b_scale })
                if a_scale == b_scale =>
            {
                a.cmp(b)
            }
            (Repr::Small { coefficient: a, scale: a_scale }, Repr::Small { coefficient: b, scale: b_scale }) => {
                digits::compare_scaled(*a, *a_scale, *b, *b_scale)
            }
            _ => self.rank().cmp(&other.rank()).then_with(|| {
                let (Some((a, a_scale)), Some((b, b_scale))) = (self.to_scaled_bigint(), other.to_scaled_bigint())
                else {
                    return Ordering::Equal;
                };
                digits::compare_scaled_bigint(a, a_scale, b, b_scale)
            }),
        }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    /// Hashes the value without its trailing zeros, so that equal numbers hash alike.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Small { coefficient, scale } => digits::hash_normalised(*coefficient, i64::from(*scale), state),
            Repr::Large(large) => {
                let (coefficient, scale) = digits::normalise(large.coefficient.clone(), i64::from(large.scale));
                match coefficient.to_i64() {
                    Some(small) => digits::hash_normalised(small, scale, state),
                    None => {
                        state.write_i64(scale);
                        coefficient.hash(state);
                    }
                }
            }
            _ => state.write_u8(self.rank()),
        }
    }
}

impl Default for Numeric {
    fn default() -> Numeric {
        Numeric::ZERO
    }
}
