//! PostgreSQL's binary form of a numeric.
//!
//! ```text
//! groups n i16 | weight i16 | sign u16 | scale u16 | n groups i16, each 0..=9999        big-endian
//!
//! value = sum of group[i] * 10000^(weight - i)
//! sign: 0000 positive, 4000 negative, C000 NaN, D000 infinity, F000 -infinity
//! ```

use nqdb_sqlstate::{INVALID_BINARY_REPRESENTATION, SqlError, SqlResult};
use num_bigint::{BigInt, Sign};
use num_traits::Zero;

use super::{Numeric, SCALE_MAX, digits};
use crate::Sink;

const SIGN_POSITIVE: u16 = 0x0000;
const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xc000;
const SIGN_INFINITY: u16 = 0xd000;
const SIGN_NEGATIVE_INFINITY: u16 = 0xf000;

/// What PostgreSQL writes where an infinity has no scale; readers do not look at it.
const SCALE_OF_INFINITY: u16 = 0x20;

const BASE: u32 = 10_000;
const GROUP_DIGITS: i64 = 4;

impl Numeric {
    /// Appends the binary form.
    pub fn write_binary<S: Sink>(&self, out: &mut S) {
        let Some((coefficient, scale)) = self.to_scaled_bigint() else {
            let (sign, scale) = match (self.is_nan(), self.is_negative()) {
                (true, _) => (SIGN_NAN, 0),
                (false, false) => (SIGN_INFINITY, SCALE_OF_INFINITY),
                (false, true) => (SIGN_NEGATIVE_INFINITY, SCALE_OF_INFINITY),
            };
            put_head(out, 0, 0, sign, scale);
            return;
        };
        let sign = if coefficient.sign() == Sign::Minus { SIGN_NEGATIVE } else { SIGN_POSITIVE };
        let (groups, weight) = groups(&coefficient, scale);
        put_head(out, groups.len() as i16, weight, sign, scale);
        for group in groups {
            out.put(&group.to_be_bytes());
        }
    }

    /// Reads the binary form; 22P03 when it breaks its rules.
    pub fn read_binary(bytes: &[u8]) -> SqlResult<Numeric> {
        let malformed = |what: &str| {
            SqlError::new(INVALID_BINARY_REPRESENTATION, format!("invalid {what} in external \"numeric\" value"))
        };
        let (head, groups) = bytes.split_first_chunk::<8>().ok_or_else(|| malformed("length"))?;
        let [n0, n1, w0, w1, s0, s1, d0, d1] = *head;
        let count = usize::from(u16::from_be_bytes([n0, n1]));
        let weight = i64::from(i16::from_be_bytes([w0, w1]));
        let sign = u16::from_be_bytes([s0, s1]);
        let scale = u16::from_be_bytes([d0, d1]);
        if groups.len() != count * 2 {
            return Err(malformed("length"));
        }
        let negative = match sign {
            SIGN_POSITIVE => false,
            SIGN_NEGATIVE => true,
            SIGN_NAN => return Ok(Numeric::NAN),
            SIGN_INFINITY => return Ok(Numeric::INFINITY),
            SIGN_NEGATIVE_INFINITY => return Ok(Numeric::NEGATIVE_INFINITY),
            _ => return Err(malformed("sign")),
        };
        if i32::from(scale) > SCALE_MAX {
            return Err(malformed("scale"));
        }
        let mut coefficient = BigInt::zero();
        for pair in groups.chunks_exact(2) {
            let group = u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0)]);
            if u32::from(group) >= BASE {
                return Err(malformed("digit"));
            }
            coefficient = coefficient * BASE + group;
        }
        // The last group stands for units of 10^(4 * (weight - n + 1)); digits past the scale are cut.
        let have = GROUP_DIGITS * (count as i64 - 1 - weight);
        let want = i64::from(scale);
        let coefficient = if have <= want {
            coefficient * digits::pow10((want - have) as u32)
        } else {
            coefficient / digits::pow10((have - want) as u32)
        };
        Numeric::from_bigint(if negative { -coefficient } else { coefficient }, u32::from(scale))
    }
}

fn put_head<S: Sink>(out: &mut S, count: i16, weight: i16, sign: u16, scale: u16) {
    out.put(&count.to_be_bytes());
    out.put(&weight.to_be_bytes());
    out.put(&sign.to_be_bytes());
    out.put(&scale.to_be_bytes());
}

/// The groups of four digits, aligned at the point, without groups of zero at either end; and the weight.
fn groups(coefficient: &BigInt, scale: u16) -> (Vec<u16>, i16) {
    let pad = (GROUP_DIGITS - i64::from(scale) % GROUP_DIGITS) % GROUP_DIGITS;
    let mut rest = coefficient.magnitude() * digits::pow10(pad as u32).magnitude();
    let groups_behind = (i64::from(scale) + pad) / GROUP_DIGITS;
    let mut groups = Vec::new();
    if let Ok(mut small) = u128::try_from(&rest) {
        while small > 0 {
            groups.push((small % u128::from(BASE)) as u16);
            small /= u128::from(BASE);
        }
    } else {
        while !rest.is_zero() {
            groups.push((&rest % BASE).try_into().unwrap_or(0));
            rest /= BASE;
        }
    }
    groups.reverse();
    if groups.is_empty() {
        return (groups, 0);
    }
    let weight = groups.len() as i64 - 1 - groups_behind;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    (groups, weight as i16)
}
