//! The key form of a numeric.
//!
//! ```text
//! value = 0.d1 d2 d3 ... * 100^exponent        d in base 100, d1 not 00, no 00 at the end
//!
//! class     10 -infinity | 20 negative | 30 zero | 40 positive | 50 infinity | 60 NaN
//! and, for negative and positive:
//! exponent  one byte 80 + e for -100 <= e <= 100; else 00 (e below) or FF (e above) and e + 2^23 in 3 bytes
//! digits    d + 1 each, then 00                all but the class inverted when negative
//! ```

use num_bigint::BigInt;
use num_traits::Signed;

use super::take;
use crate::Numeric;
use crate::numeric::digits;
use crate::row::Corrupt;

const CLASS_NEGATIVE_INFINITY: u8 = 0x10;
const CLASS_NEGATIVE: u8 = 0x20;
const CLASS_ZERO: u8 = 0x30;
const CLASS_POSITIVE: u8 = 0x40;
const CLASS_INFINITY: u8 = 0x50;
const CLASS_NAN: u8 = 0x60;

const EXPONENT_SHORT_MAX: i64 = 100;
const EXPONENT_SHORT_BIAS: i64 = 0x80;
const EXPONENT_LONG_BIAS: i64 = 1 << 23;
const EXPONENT_BELOW: u8 = 0x00;
const EXPONENT_ABOVE: u8 = 0xff;

pub(super) fn encode(out: &mut Vec<u8>, value: &Numeric) {
    let (negative, digits, exponent) = if let Some((coefficient, scale)) = value.as_scaled_i64() {
        let (coefficient, scale) = digits::normalise_i64(coefficient, i64::from(scale));
        let (digits, exponent) = pairs_of_u64(coefficient.unsigned_abs(), scale);
        (coefficient < 0, digits, exponent)
    } else if let Some((coefficient, scale)) = value.to_scaled_bigint() {
        let (digits, exponent) = pairs_of_bigint(coefficient.abs(), i64::from(scale));
        (coefficient.is_negative(), digits, exponent)
    } else {
        out.push(match (value.is_nan(), value.is_negative()) {
            (true, _) => CLASS_NAN,
            (false, true) => CLASS_NEGATIVE_INFINITY,
            (false, false) => CLASS_INFINITY,
        });
        return;
    };
    if digits.is_empty() {
        out.push(CLASS_ZERO);
        return;
    }
    out.push(if negative { CLASS_NEGATIVE } else { CLASS_POSITIVE });
    let start = out.len();
    encode_exponent(out, exponent);
    out.extend(digits.iter().map(|pair| pair + 1));
    out.push(0);
    if negative {
        super::invert(out.get_mut(start..).unwrap_or_default());
    }
}

fn encode_exponent(out: &mut Vec<u8>, exponent: i64) {
    if exponent.abs() <= EXPONENT_SHORT_MAX {
        out.push((exponent + EXPONENT_SHORT_BIAS) as u8);
        return;
    }
    out.push(if exponent < 0 { EXPONENT_BELOW } else { EXPONENT_ABOVE });
    let [_, bytes @ ..] = ((exponent + EXPONENT_LONG_BIAS) as u32).to_be_bytes();
    out.extend_from_slice(&bytes);
}

/// Digits of `magnitude * 10^-scale` in base 100, and the exponent of 100 before which they stand.
fn pairs_of_u64(magnitude: u64, scale: i64) -> (Vec<u8>, i64) {
    // An odd scale is made even, so that the point falls between two pairs.
    let (mut magnitude, scale) =
        if scale.rem_euclid(2) == 0 { (u128::from(magnitude), scale) } else { (u128::from(magnitude) * 10, scale + 1) };
    let mut pairs = Vec::with_capacity(10);
    while magnitude > 0 {
        pairs.push((magnitude % 100) as u8);
        magnitude /= 100;
    }
    pairs.reverse();
    let exponent = pairs.len() as i64 - scale / 2;
    trim(pairs, exponent)
}

fn pairs_of_bigint(magnitude: BigInt, scale: i64) -> (Vec<u8>, i64) {
    let (magnitude, scale) = if scale % 2 == 0 { (magnitude, scale) } else { (magnitude * 10, scale + 1) };
    let pairs = magnitude.magnitude().to_radix_be(100);
    let exponent = pairs.len() as i64 - scale / 2;
    trim(pairs, exponent)
}

/// Without pairs of zero at the end; those do not move the exponent. Zero has no pairs.
fn trim(mut pairs: Vec<u8>, exponent: i64) -> (Vec<u8>, i64) {
    while pairs.last() == Some(&0) {
        pairs.pop();
    }
    (pairs, exponent)
}

/// Takes a numeric off a key.
pub(super) fn skip(input: &mut &[u8], inverted: bool) -> Result<(), Corrupt> {
    let negative = match take::<1>(input, inverted)? {
        [CLASS_NEGATIVE] => true,
        [CLASS_POSITIVE] => false,
        [CLASS_NEGATIVE_INFINITY | CLASS_ZERO | CLASS_INFINITY | CLASS_NAN] => return Ok(()),
        _ => return Err(Corrupt::new("a numeric in a key has no valid class")),
    };
    let inverted = inverted != negative;
    if let [EXPONENT_BELOW | EXPONENT_ABOVE] = take::<1>(input, inverted)? {
        take::<3>(input, inverted)?;
    }
    while take::<1>(input, inverted)? != [0] {}
    Ok(())
}
