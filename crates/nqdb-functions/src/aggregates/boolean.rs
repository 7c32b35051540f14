//! `bool_and` (`every`) and `bool_or`.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::{argument, wrong_type};
use crate::Accumulator;

/// Whether all values are true, or any.
pub(super) fn state<const ALL: bool>() -> Box<dyn Accumulator> {
    Box::new(Boolean { all: ALL, value: None })
}

struct Boolean {
    all: bool,
    value: Option<bool>,
}

impl Accumulator for Boolean {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let value = value.as_bool().ok_or_else(|| wrong_type(value))?;
        self.value = Some(match self.value {
            None => value,
            Some(earlier) if self.all => earlier && value,
            Some(earlier) => earlier || value,
        });
        Ok(())
    }

    fn combines_results(&self) -> bool {
        true
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(self.value.map_or(Datum::Null, Datum::Bool))
    }

    fn size_bytes(&self) -> usize {
        size_of::<Boolean>()
    }
}
