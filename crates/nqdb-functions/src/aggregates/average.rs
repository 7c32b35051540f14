//! `avg`: numeric for integers and numeric, float8 for floats, interval for intervals.

use nqdb_sqlstate::SqlResult;
use nqdb_types::numeric::NumericSum;
use nqdb_types::{Datum, Interval, Numeric};

use super::variance::Moments;
use super::{argument, wrong_type};
use crate::Accumulator;
use crate::datetime::divide_interval;

/// `avg` of the integer types.
pub(super) fn integers() -> Box<dyn Accumulator> {
    Box::new(IntegerAverage { sum: 0, count: 0 })
}

struct IntegerAverage {
    sum: i128,
    count: i64,
}

impl Accumulator for IntegerAverage {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        self.sum += i128::from(value.as_integer().ok_or_else(|| wrong_type(value))?);
        self.count += 1;
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        let Some(value) = argument(args)? else { return Ok(true) };
        self.sum -= i128::from(value.as_integer().ok_or_else(|| wrong_type(value))?);
        self.count -= 1;
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        Numeric::from_scaled_i128(self.sum, 0).div(&Numeric::from(self.count)).map(Datum::Numeric)
    }

    fn size_bytes(&self) -> usize {
        size_of::<IntegerAverage>()
    }
}

/// `avg(numeric)`.
pub(super) fn numerics() -> Box<dyn Accumulator> {
    Box::new(NumericAverage { sum: NumericSum::new() })
}

struct NumericAverage {
    sum: NumericSum,
}

impl Accumulator for NumericAverage {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        match argument(args)? {
            None => {}
            Some(Datum::Numeric(value)) => self.sum.add(value),
            Some(other) => return Err(wrong_type(other)),
        }
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        match argument(args)? {
            None => Ok(true),
            Some(Datum::Numeric(value)) => Ok(self.sum.remove(value)),
            Some(other) => Err(wrong_type(other)),
        }
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.sum.average()?.map_or(Datum::Null, Datum::Numeric))
    }

    fn size_bytes(&self) -> usize {
        size_of::<NumericAverage>()
    }
}

/// `avg` of the float types.
pub(super) fn floats() -> Box<dyn Accumulator> {
    Box::new(FloatAverage { moments: Moments::default() })
}

struct FloatAverage {
    moments: Moments,
}

impl Accumulator for FloatAverage {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        self.moments.add(value.as_float().ok_or_else(|| wrong_type(value))?)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.moments.mean().map_or(Datum::Null, Datum::Float8))
    }

    fn size_bytes(&self) -> usize {
        size_of::<FloatAverage>()
    }
}

/// `avg(interval)`.
pub(super) fn intervals() -> Box<dyn Accumulator> {
    Box::new(IntervalAverage { sum: Interval::ZERO, count: 0 })
}

struct IntervalAverage {
    sum: Interval,
    count: i64,
}

impl Accumulator for IntervalAverage {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        match argument(args)? {
            None => {}
            Some(Datum::Interval(value)) => {
                self.sum = self.sum.checked_add(value)?;
                self.count += 1;
            }
            Some(other) => return Err(wrong_type(other)),
        }
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        match argument(args)? {
            None => {}
            Some(Datum::Interval(value)) => {
                self.sum = self.sum.checked_sub(value)?;
                self.count -= 1;
            }
            Some(other) => return Err(wrong_type(other)),
        }
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        divide_interval(self.sum, self.count as f64).map(Datum::Interval)
    }

    fn size_bytes(&self) -> usize {
        size_of::<IntervalAverage>()
    }
}
