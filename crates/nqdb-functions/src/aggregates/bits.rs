//! `bit_and`, `bit_or`, `bit_xor` of integers.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::{argument, wrong_type};
use crate::Accumulator;

pub(super) fn and() -> Box<dyn Accumulator> {
    Box::new(Bits { combine: |a, b| a & b, value: Datum::Null })
}

pub(super) fn or() -> Box<dyn Accumulator> {
    Box::new(Bits { combine: |a, b| a | b, value: Datum::Null })
}

pub(super) fn xor() -> Box<dyn Accumulator> {
    Box::new(Bits { combine: |a, b| a ^ b, value: Datum::Null })
}

struct Bits {
    /// On sign-extended values, so that the result fits the type again.
    combine: fn(i64, i64) -> i64,
    value: Datum,
}

impl Accumulator for Bits {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let combine = self.combine;
        self.value = match (&self.value, value) {
            (Datum::Null, value) => value.clone(),
            (Datum::Int2(a), Datum::Int2(b)) => Datum::Int2(combine((*a).into(), (*b).into()) as i16),
            (Datum::Int4(a), Datum::Int4(b)) => Datum::Int4(combine((*a).into(), (*b).into()) as i32),
            (Datum::Int8(a), Datum::Int8(b)) => Datum::Int8(combine(*a, *b)),
            (_, other) => return Err(wrong_type(other)),
        };
        Ok(())
    }

    fn combines_results(&self) -> bool {
        true
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.value.clone())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Bits>()
    }
}
