//! `min` and `max`.

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::argument;
use crate::Accumulator;

/// The greatest or the least value of a type.
pub(super) fn state<const GREATEST: bool, const TYPE: Oid>() -> Box<dyn Accumulator> {
    Box::new(Extreme { greatest: GREATEST, type_oid: TYPE, value: Datum::Null })
}

struct Extreme {
    greatest: bool,
    type_oid: Oid,
    value: Datum,
}

impl Accumulator for Extreme {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let order = value.compare_as(&self.value, self.type_oid);
        // Among equals the last one stays, which shows with numerics of different scales.
        let keeps = if self.greatest { order.is_lt() } else { order.is_gt() };
        if self.value.is_null() || !keeps {
            self.value = value.clone();
        }
        Ok(())
    }

    fn combines_results(&self) -> bool {
        true
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.value.clone())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Extreme>() + self.value.heap_size()
    }
}
