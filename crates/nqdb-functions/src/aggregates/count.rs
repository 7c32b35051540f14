//! `count(*)` and `count(value)`.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::argument;
use crate::Accumulator;

/// `count(*)`.
pub(super) fn rows() -> Box<dyn Accumulator> {
    Box::new(Count { count: 0, skips_nulls: false })
}

/// `count(value)`: the rows in which it is not NULL.
pub(super) fn values() -> Box<dyn Accumulator> {
    Box::new(Count { count: 0, skips_nulls: true })
}

struct Count {
    count: i64,
    skips_nulls: bool,
}

impl Accumulator for Count {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        if !self.skips_nulls || argument(args)?.is_some() {
            self.count += 1;
        }
        Ok(())
    }

    fn retract(&mut self, args: &[Datum]) -> SqlResult<bool> {
        if !self.skips_nulls || argument(args)?.is_some() {
            self.count -= 1;
        }
        Ok(true)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(Datum::Int8(self.count))
    }

    fn size_bytes(&self) -> usize {
        size_of::<Count>()
    }
}
