//! `bit_and`, `bit_or`, `bit_xor` of integers and bit strings.

use nqdb_sqlstate::{STRING_DATA_LENGTH_MISMATCH, SqlError, SqlResult};
use nqdb_types::Datum;

use super::{argument, wrong_type};
use crate::Accumulator;

pub(super) fn and() -> Box<dyn Accumulator> {
    Box::new(Combination { verb: "AND", combine: |a, b| a & b, combine_bytes: |a, b| a & b, value: Datum::Null })
}

pub(super) fn or() -> Box<dyn Accumulator> {
    Box::new(Combination { verb: "OR", combine: |a, b| a | b, combine_bytes: |a, b| a | b, value: Datum::Null })
}

pub(super) fn xor() -> Box<dyn Accumulator> {
    Box::new(Combination { verb: "XOR", combine: |a, b| a ^ b, combine_bytes: |a, b| a ^ b, value: Datum::Null })
}

struct Combination {
    /// What an error says that could not be done.
    verb: &'static str,
    /// On sign-extended values, so that the result fits the type again.
    combine: fn(i64, i64) -> i64,
    combine_bytes: fn(u8, u8) -> u8,
    value: Datum,
}

impl Accumulator for Combination {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let combine = self.combine;
        self.value = match (&self.value, value) {
            (Datum::Null, value) => value.clone(),
            (Datum::Int2(a), Datum::Int2(b)) => Datum::Int2(combine((*a).into(), (*b).into()) as i16),
            (Datum::Int4(a), Datum::Int4(b)) => Datum::Int4(combine((*a).into(), (*b).into()) as i32),
            (Datum::Int8(a), Datum::Int8(b)) => Datum::Int8(combine(*a, *b)),
            (Datum::Bits(a), Datum::Bits(b)) if a.len() != b.len() => {
                let message = format!("cannot {} bit strings of different sizes", self.verb);
                return Err(SqlError::new(STRING_DATA_LENGTH_MISMATCH, message));
            }
            (Datum::Bits(a), Datum::Bits(b)) => Datum::bits(a.combined(b, self.combine_bytes)),
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
        size_of::<Combination>() + self.value.heap_size()
    }
}
