//! The greatest common divisor of long integers, by Lehmer's algorithm (Knuth, The Art of Computer Programming, volume 2,
//! section 4.5.2, algorithm L).
//!
//! Euclid's divisions are made with the leading 125 bits of both numbers alone, as long as these decide every quotient. What
//! they amount to is a 2x2 matrix of machine words, which then is applied to the whole numbers at once: about 60 bits go
//! with each pass over the digits, where the binary method takes a pass for each bit.

use nqdb_sqlstate::SqlResult;
use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::{CheckedSub, ToPrimitive};

/// Leading bits that quotients are taken of.
const LEADING_BITS: u64 = 125;
/// Passes between two questions whether to go on: each takes some ten microseconds for the longest numbers.
const PASSES_BETWEEN_CHECKS: u32 = 64;

/// The greatest common divisor; `may_go_on` is asked now and then.
pub(super) fn greatest_divisor(a: BigUint, b: BigUint, may_go_on: &dyn Fn() -> SqlResult<()>) -> SqlResult<BigUint> {
    let (mut a, mut b) = if a < b { (b, a) } else { (a, b) };
    let mut passes = 0;
    while b.bits() > 64 {
        passes += 1;
        if passes % PASSES_BETWEEN_CHECKS == 0 {
            may_go_on()?;
        }
        (a, b) = match Matrix::of_quotients(&a, &b).and_then(|matrix| matrix.apply(&a, &b)) {
            Some(smaller) => smaller,
            None => {
                let rest = &a % &b;
                (b, rest)
            }
        };
    }
    match b.to_u64() {
        None | Some(0) => Ok(a),
        Some(word) => {
            let rest = (&a % word).to_u64().unwrap_or(0);
            Ok(BigUint::from(word.gcd(&rest)))
        }
    }
}

/// Some steps of Euclid's algorithm: `(a, b)` becomes `(a * aa + b * ab, a * ba + b * bb)`. In each row one factor is not
/// positive, the other not negative.
struct Matrix {
    aa: i64,
    ab: i64,
    ba: i64,
    bb: i64,
}

impl Matrix {
    /// The steps that the leading bits of `a >= b` decide; `None` when that is not even one.
    fn of_quotients(a: &BigUint, b: &BigUint) -> Option<Matrix> {
        let shift = a.bits().saturating_sub(LEADING_BITS);
        let (mut a, mut b) = ((a >> shift).to_i128()?, (b >> shift).to_i128()?);
        let mut matrix = Matrix { aa: 1, ab: 0, ba: 0, bb: 1 };
        loop {
            // The numbers lie between what the bits say with the one correction and with the other.
            let (low, high) = (b + i128::from(matrix.ba), b + i128::from(matrix.bb));
            if low <= 0 || high <= 0 {
                break;
            }
            let quotient = (a + i128::from(matrix.aa)) / low;
            if quotient != (a + i128::from(matrix.ab)) / high {
                break;
            }
            let next = |above: i64, below: i64| {
                i64::try_from(i128::from(above).checked_sub(quotient.checked_mul(i128::from(below))?)?).ok()
            };
            let (Some(ba), Some(bb)) = (next(matrix.aa, matrix.ba), next(matrix.ab, matrix.bb)) else { break };
            matrix = Matrix { aa: matrix.ba, ab: matrix.bb, ba, bb };
            (a, b) = (b, a - quotient * b);
        }
        (matrix.ab != 0).then_some(matrix)
    }

    fn apply(&self, a: &BigUint, b: &BigUint) -> Option<(BigUint, BigUint)> {
        Some((combine(self.aa, a, self.ab, b)?, combine(self.ba, a, self.bb, b)?))
    }
}

/// `of_a * a + of_b * b`, which is not negative; one of the factors is not positive.
fn combine(of_a: i64, a: &BigUint, of_b: i64, b: &BigUint) -> Option<BigUint> {
    let (more, less) = (a * of_a.unsigned_abs(), b * of_b.unsigned_abs());
    if of_b > 0 { less.checked_sub(&more) } else { more.checked_sub(&less) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divisor(a: &BigUint, b: &BigUint) -> BigUint {
        greatest_divisor(a.clone(), b.clone(), &|| Ok(())).expect("nobody interrupts")
    }

    /// Numbers of all lengths, from a generator that always gives the same.
    fn numbers() -> Vec<BigUint> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut word = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        (0..60).map(|length| BigUint::new((0..length / 2).map(|_| word()).collect())).collect()
    }

    #[test]
    fn it_is_what_the_binary_method_finds() {
        let numbers = numbers();
        for a in &numbers {
            for b in &numbers {
                assert_eq!(divisor(a, b), a.gcd(b), "{a} {b}");
            }
        }
        let shared = &numbers[41];
        assert_eq!(divisor(&(shared * &numbers[30]), &(shared * &numbers[59])), {
            (shared * &numbers[30]).gcd(&(shared * &numbers[59]))
        });
    }

    #[test]
    fn neighbours_in_fibonaccis_series_take_the_most_steps() {
        let (mut a, mut b) = (BigUint::from(1u32), BigUint::from(1u32));
        for _ in 0..2_000 {
            (a, b) = (&a + &b, a);
        }
        assert_eq!(divisor(&a, &b), BigUint::from(1u32));
        assert_eq!(divisor(&(&a * 12u32), &(&b * 12u32)), BigUint::from(12u32));
    }

    #[test]
    fn it_can_be_interrupted() {
        let long = BigUint::from(3u32).pow(40_000);
        let other = BigUint::from(7u32).pow(22_000);
        let stop = || Err(nqdb_sqlstate::SqlError::new(nqdb_sqlstate::QUERY_CANCELED, "enough"));
        assert_eq!(greatest_divisor(long, other, &stop).unwrap_err().code(), nqdb_sqlstate::QUERY_CANCELED);
    }
}
