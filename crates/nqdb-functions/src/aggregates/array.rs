//! `array_agg`: of values, which become elements, and of arrays, which get one dimension more.

use nqdb_sqlstate::{ARRAY_SUBSCRIPT_ERROR, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::array::{DIMENSION_COUNT_MAX, too_many_dimensions};
use nqdb_types::{Array, Datum, Dimension, Oid, oid};

use super::wrong_type;
use crate::Accumulator;

/// `array_agg(anynonarray)`.
pub(super) fn elements() -> Box<dyn Accumulator> {
    Box::new(Elements { element_type: oid::TEXT, values: Vec::new(), values_size: 0 })
}

/// `array_agg(anyarray)`.
pub(super) fn arrays() -> Box<dyn Accumulator> {
    Box::new(Arrays { element_type: oid::TEXT, count: 0, inner: Vec::new(), values: Vec::new(), values_size: 0 })
}

struct Elements {
    element_type: Oid,
    values: Vec<Datum>,
    /// Bytes that the values hold outside of the list.
    values_size: usize,
}

impl Accumulator for Elements {
    fn set_argument_types(&mut self, types: &[Oid]) {
        self.element_type = types.first().copied().unwrap_or(oid::TEXT);
    }

    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let value = args.first().cloned().unwrap_or(Datum::Null);
        self.values_size += value.heap_size();
        self.values.push(value);
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        if self.values.is_empty() {
            return Ok(Datum::Null);
        }
        Array::from_elements(self.element_type, self.values.clone()).map(Datum::array)
    }

    fn size_bytes(&self) -> usize {
        size_of::<Elements>() + self.values.capacity() * size_of::<Datum>() + self.values_size
    }
}

struct Arrays {
    element_type: Oid,
    count: i32,
    /// The dimensions of each array.
    inner: Vec<Dimension>,
    values: Vec<Datum>,
    values_size: usize,
}

impl Accumulator for Arrays {
    fn set_argument_types(&mut self, types: &[Oid]) {
        let element = types.first().and_then(|array| nqdb_types::array::element_type(*array));
        self.element_type = element.unwrap_or(oid::TEXT);
    }

    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let fail = |message: &str| Err(SqlError::new(ARRAY_SUBSCRIPT_ERROR, message));
        let array = match args.first() {
            Some(Datum::Array(array)) => array,
            None | Some(Datum::Null) => {
                return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
            }
            Some(other) => return Err(wrong_type(other)),
        };
        if array.dimensions().is_empty() {
            return fail("cannot accumulate empty arrays");
        }
        if self.count == 0 {
            if array.dimensions().len() >= DIMENSION_COUNT_MAX {
                return Err(too_many_dimensions(array.dimensions().len() + 1));
            }
            self.inner = array.dimensions().to_vec();
        } else if self.inner != array.dimensions() {
            return fail("cannot accumulate arrays of different dimensionality");
        }
        self.count += 1;
        self.values_size += array.elements().iter().map(Datum::heap_size).sum::<usize>();
        self.values.extend_from_slice(array.elements());
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        let outer = Dimension { lower: 1, len: self.count };
        let dimensions = std::iter::once(outer).chain(self.inner.iter().copied()).collect();
        Array::new(self.element_type, dimensions, self.values.clone()).map(Datum::array)
    }

    fn size_bytes(&self) -> usize {
        size_of::<Arrays>() + self.values.capacity() * size_of::<Datum>() + self.values_size
    }
}
