//! Variance and standard deviation.
//!
//! Exact types go by `(N * sum(x^2) - sum(x)^2) / (N * (N - 1))` in numeric. Floats keep the sum of squared
//! differences up to date with each value (Youngs and Cramer, "Some results relevant to choice of sum and
//! sum-of-product algorithms", Technometrics 13, 1971), which PostgreSQL does too: the digits agree.

use nqdb_sqlstate::SqlResult;
use nqdb_types::numeric::NumericSum;
use nqdb_types::{Datum, Numeric};

use super::{argument, wrong_type};
use crate::Accumulator;
use crate::arithmetic::float::overflow;

/// Which of the four results: bit 0 for the sample's (N - 1), bit 1 for the square root.
type Measure = u8;
const SAMPLE: Measure = 1;
const ROOT: Measure = 2;
pub(super) const POPULATION_VARIANCE: Measure = 0;
pub(super) const SAMPLE_VARIANCE: Measure = SAMPLE;
pub(super) const POPULATION_DEVIATION: Measure = ROOT;
pub(super) const SAMPLE_DEVIATION: Measure = SAMPLE | ROOT;

/// Digits behind those of the variance with which its root is computed.
const GUARD_DIGITS: i32 = 30;

/// Of integers and numerics.
pub(super) fn exact<const MEASURE: Measure>() -> Box<dyn Accumulator> {
    Box::new(ExactVariance { measure: MEASURE, sum: NumericSum::new(), sum_of_squares: NumericSum::new() })
}

struct ExactVariance {
    measure: Measure,
    sum: NumericSum,
    sum_of_squares: NumericSum,
}

impl ExactVariance {
    fn add(&mut self, value: &Numeric) -> SqlResult<()> {
        self.sum.add(value);
        self.sum_of_squares.add(&value.mul(value)?);
        Ok(())
    }
}

impl ExactVariance {
    /// False when the sums cannot let the value go; the second is then put right again.
    fn remove(&mut self, value: &Numeric) -> SqlResult<bool> {
        let square = value.mul(value)?;
        if !self.sum_of_squares.remove(&square) {
            return Ok(false);
        }
        if !self.sum.remove(value) {
            self.sum_of_squares.add(&square);
            return Ok(false);
        }
        Ok(true)
    }
}

impl Accumulator for ExactVariance {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        match argument(args)? {
            None => Ok(()),
            Some(Datum::Numeric(value)) => self.add(value),
            Some(other) => self.add(&Numeric::from(other.as_integer().ok_or_else(|| wrong_type(other))?)),
        }
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        match argument(args)? {
            None => Ok(true),
            Some(Datum::Numeric(value)) => self.remove(value),
            Some(other) => self.remove(&Numeric::from(other.as_integer().ok_or_else(|| wrong_type(other))?)),
        }
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        let count = self.sum.count();
        let is_sample = self.measure & SAMPLE != 0;
        if count <= i64::from(is_sample) {
            return Ok(Datum::Null);
        }
        let (Some(sum), Some(squares)) = (self.sum.sum()?, self.sum_of_squares.sum()?) else {
            return Ok(Datum::Null);
        };
        if !sum.is_finite() {
            return Ok(Datum::Numeric(Numeric::NAN));
        }
        let count = Numeric::from(count);
        let numerator = count.mul(&squares)?.sub(&sum.mul(&sum)?)?;
        if numerator.signum() <= 0 {
            return Ok(Datum::Numeric(Numeric::ZERO));
        }
        let divisor = if is_sample { count.mul(&count.sub(&Numeric::ONE)?)? } else { count.mul(&count)? };
        let variance = numerator.div(&divisor)?;
        if self.measure & ROOT == 0 {
            return Ok(Datum::Numeric(variance));
        }
        // With guard digits, so that rounding the root to its scale does not round a second time.
        let scale = variance.scale().map_or(0, i32::from);
        variance.round(scale + GUARD_DIGITS)?.sqrt()?.round(scale).map(Datum::Numeric)
    }

    fn size_bytes(&self) -> usize {
        size_of::<ExactVariance>()
    }
}

/// Count, sum and sum of squared differences from the mean of floats.
#[derive(Default)]
pub(super) struct Moments {
    count: f64,
    sum: f64,
    squared_differences: f64,
}

impl Moments {
    /// Takes in a value; 22003 when a sum overflows.
    pub(super) fn add(&mut self, value: f64) -> SqlResult<()> {
        let earlier_count = self.count;
        let earlier_sum = self.sum;
        self.count += 1.0;
        self.sum += value;
        if earlier_count > 0.0 {
            let difference = value * self.count - self.sum;
            self.squared_differences += difference * difference / (self.count * earlier_count);
            if self.sum.is_infinite() || self.squared_differences.is_infinite() {
                if !earlier_sum.is_infinite() && !value.is_infinite() {
                    return Err(overflow());
                }
                self.squared_differences = f64::NAN;
            }
        } else if !value.is_finite() {
            self.squared_differences = f64::NAN;
        }
        Ok(())
    }

    /// The mean, `None` of no values.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// Of floats.
pub(super) fn floating<const MEASURE: Measure>() -> Box<dyn Accumulator> {
    Box::new(FloatVariance { measure: MEASURE, moments: Moments::default() })
}

struct FloatVariance {
    measure: Measure,
    moments: Moments,
}

impl Accumulator for FloatVariance {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        self.moments.add(value.as_float().ok_or_else(|| wrong_type(value))?)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        let divisor = if self.measure & SAMPLE != 0 { self.moments.count - 1.0 } else { self.moments.count };
        if divisor <= 0.0 {
            return Ok(Datum::Null);
        }
        let variance = self.moments.squared_differences / divisor;
        Ok(Datum::Float8(if self.measure & ROOT != 0 { variance.sqrt() } else { variance }))
    }

    fn size_bytes(&self) -> usize {
        size_of::<FloatVariance>()
    }
}
