//! `sum`.

use nqdb_sqlstate::SqlResult;
use nqdb_types::numeric::NumericSum;
use nqdb_types::{Datum, Interval, Numeric};

use super::{argument, wrong_type};
use crate::Accumulator;
use crate::arithmetic::float::overflow;
use crate::arithmetic::out_of_range;

/// `sum(int2)`, `sum(int4)`: int8.
pub(super) fn integers() -> Box<dyn Accumulator> {
    Box::new(IntegerSum { sum: 0, count: 0 })
}

struct IntegerSum {
    sum: i64,
    count: u64,
}

impl Accumulator for IntegerSum {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let value = value.as_integer().ok_or_else(|| wrong_type(value))?;
        self.sum = self.sum.checked_add(value).ok_or_else(|| out_of_range("bigint"))?;
        self.count += 1;
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        let Some(value) = argument(args)? else { return Ok(true) };
        let value = value.as_integer().ok_or_else(|| wrong_type(value))?;
        self.sum = self.sum.checked_sub(value).ok_or_else(|| out_of_range("bigint"))?;
        self.count = self.count.saturating_sub(1);
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(if self.count == 0 { Datum::Null } else { Datum::Int8(self.sum) })
    }

    fn size_bytes(&self) -> usize {
        size_of::<IntegerSum>()
    }
}

/// `sum(int8)`: numeric.
pub(super) fn wide_integers() -> Box<dyn Accumulator> {
    Box::new(WideIntegerSum { sum: 0, count: 0 })
}

struct WideIntegerSum {
    sum: i128,
    count: u64,
}

impl Accumulator for WideIntegerSum {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let value = value.as_integer().ok_or_else(|| wrong_type(value))?;
        // 2^64 rows of the largest bigint would fit.
        self.sum += i128::from(value);
        self.count += 1;
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        let Some(value) = argument(args)? else { return Ok(true) };
        self.sum -= i128::from(value.as_integer().ok_or_else(|| wrong_type(value))?);
        self.count = self.count.saturating_sub(1);
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(if self.count == 0 { Datum::Null } else { Datum::Numeric(Numeric::from_scaled_i128(self.sum, 0)) })
    }

    fn size_bytes(&self) -> usize {
        size_of::<WideIntegerSum>()
    }
}

/// `sum(numeric)`.
pub(super) fn numerics() -> Box<dyn Accumulator> {
    Box::new(SumOfNumerics { sum: NumericSum::new() })
}

struct SumOfNumerics {
    sum: NumericSum,
}

impl Accumulator for SumOfNumerics {
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
        Ok(self.sum.sum()?.map_or(Datum::Null, Datum::Numeric))
    }

    fn size_bytes(&self) -> usize {
        size_of::<SumOfNumerics>()
    }
}

/// The two float widths, each summed in its own precision as PostgreSQL does.
pub(super) trait Float: Copy + Send + std::ops::Add<Output = Self> + 'static {
    fn from_datum(datum: &Datum) -> Option<Self>;
    fn into_datum(self) -> Datum;
    fn is_infinite(self) -> bool;
}

impl Float for f32 {
    fn from_datum(datum: &Datum) -> Option<f32> {
        if let Datum::Float4(value) = datum { Some(*value) } else { None }
    }
    fn into_datum(self) -> Datum {
        Datum::Float4(self)
    }
    fn is_infinite(self) -> bool {
        f32::is_infinite(self)
    }
}

impl Float for f64 {
    fn from_datum(datum: &Datum) -> Option<f64> {
        if let Datum::Float8(value) = datum { Some(*value) } else { None }
    }
    fn into_datum(self) -> Datum {
        Datum::Float8(self)
    }
    fn is_infinite(self) -> bool {
        f64::is_infinite(self)
    }
}

/// `sum(float4)`, `sum(float8)`.
pub(super) fn floats<F: Float>() -> Box<dyn Accumulator> {
    Box::new(FloatSum::<F> { sum: None })
}

struct FloatSum<F> {
    sum: Option<F>,
}

impl<F: Float> Accumulator for FloatSum<F> {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let value = F::from_datum(value).ok_or_else(|| wrong_type(value))?;
        let sum = match self.sum {
            None => value,
            Some(sum) => {
                let next = sum + value;
                if next.is_infinite() && !sum.is_infinite() && !value.is_infinite() {
                    return Err(overflow());
                }
                next
            }
        };
        self.sum = Some(sum);
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.sum.map_or(Datum::Null, F::into_datum))
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// `sum(interval)`.
pub(super) fn intervals() -> Box<dyn Accumulator> {
    Box::new(IntervalSum { sum: Interval::ZERO, count: 0 })
}

struct IntervalSum {
    sum: Interval,
    count: u64,
}

impl Accumulator for IntervalSum {
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
                self.count = self.count.saturating_sub(1);
            }
            Some(other) => return Err(wrong_type(other)),
        }
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(if self.count == 0 { Datum::Null } else { Datum::Interval(self.sum) })
    }

    fn size_bytes(&self) -> usize {
        size_of::<IntervalSum>()
    }
}
