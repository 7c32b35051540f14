//! Array values: elements of one type, in one to six dimensions or none.
//!
//! | file | what it answers |
//! |---|---|
//! | here | what an array is, its order, its limits |
//! | `text` | `{1,NULL,"a b"}` and `[2:3]={..}` |
//! | `binary` | the wire form |
//!
//! What always holds:
//! 1. The product of the dimensions' lengths is the number of elements; an array without elements has no
//!    dimensions. Elements stand in row-major order, the last subscript changing fastest.
//! 2. No more than [`DIMENSION_COUNT_MAX`] dimensions, and each upper bound fits an `i32` with one to spare.
//! 3. The order is PostgreSQL's: element by element (NULLs last and equal to each other), then by the number of
//!    elements, of dimensions, by their lengths, by their lower bounds.
//! 4. Values do not nest deeper than [`NESTING_MAX`]: an array of records that hold arrays, and so on.
//!
//! `int2vector` and `oidvector` are arrays as well, with the lower bound 0; their text is their own.

mod binary;
mod text;

use std::cmp::Ordering;
use std::hash::Hasher;

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, STATEMENT_TOO_COMPLEX, SqlError, SqlResult};

pub(crate) use binary::{read_array, write_array};
pub(crate) use text::write_array_text;
pub use text::{parse_array_with, parse_vector};

use crate::user_type::{user_array_type, user_element_type};
use crate::{Datum, Oid, oid, type_info};

/// The most dimensions of an array (PostgreSQL's limit).
pub const DIMENSION_COUNT_MAX: usize = 6;
/// The most elements of an array (PostgreSQL's limit).
pub const ELEMENT_COUNT_MAX: i32 = 134_217_727;
/// How deep arrays and records may hold each other.
pub const NESTING_MAX: u16 = 200;

/// One dimension: its first subscript and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    pub lower: i32,
    pub len: i32,
}

impl Dimension {
    /// The last subscript.
    pub fn upper(self) -> i32 {
        self.lower.wrapping_add(self.len).wrapping_sub(1)
    }
}

/// An array.
#[derive(Clone, Debug)]
pub struct Array {
    element_type: Oid,
    nesting: u16,
    dimensions: Vec<Dimension>,
    elements: Vec<Datum>,
}

impl Array {
    /// The array without elements.
    pub fn empty(element_type: Oid) -> Array {
        Array { element_type, nesting: 1, dimensions: Vec::new(), elements: Vec::new() }
    }

    /// A one-dimensional array whose first subscript is 1; 54000 for too many elements.
    pub fn from_elements(element_type: Oid, elements: Vec<Datum>) -> SqlResult<Array> {
        let len = i32::try_from(elements.len()).map_err(|_| too_many_elements())?;
        Array::new(element_type, vec![Dimension { lower: 1, len }], elements)
    }

    /// An array of given dimensions, which must have as many elements as are given.
    ///
    /// Errors: 54000 for too many dimensions or elements or too high a bound, 54001 for nesting too deep.
    pub fn new(element_type: Oid, dimensions: Vec<Dimension>, elements: Vec<Datum>) -> SqlResult<Array> {
        let count = check_dimensions(&dimensions)?;
        if count != elements.len() {
            return Err(SqlError::internal(format!("{} elements for an array of {count}", elements.len())));
        }
        if count == 0 {
            return Ok(Array::empty(element_type));
        }
        let nesting = 1 + elements.iter().map(Datum::nesting).max().unwrap_or(0);
        if nesting > NESTING_MAX {
            return Err(nesting_too_deep());
        }
        Ok(Array { element_type, nesting, dimensions, elements })
    }

    /// The type of the elements.
    pub fn element_type(&self) -> Oid {
        self.element_type
    }

    /// The same elements under another type that has the same representation (`text` as `varchar`).
    pub fn relabelled(&self, element_type: Oid) -> Array {
        Array { element_type, ..self.clone() }
    }

    /// The dimensions, none of an array without elements.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// All elements in row-major order.
    pub fn elements(&self) -> &[Datum] {
        &self.elements
    }

    /// Takes the array apart.
    pub fn into_parts(self) -> (Oid, Vec<Dimension>, Vec<Datum>) {
        (self.element_type, self.dimensions, self.elements)
    }

    /// The element at these subscripts; `None` when their number is not that of the dimensions or one is outside.
    pub fn element(&self, subscripts: &[i32]) -> Option<&Datum> {
        self.elements.get(self.offset(subscripts)?)
    }

    /// Where the element at these subscripts stands.
    pub fn offset(&self, subscripts: &[i32]) -> Option<usize> {
        if subscripts.len() != self.dimensions.len() || subscripts.is_empty() {
            return None;
        }
        let mut offset = 0usize;
        for (subscript, dimension) in subscripts.iter().zip(&self.dimensions) {
            let at = i64::from(*subscript) - i64::from(dimension.lower);
            if at < 0 || at >= i64::from(dimension.len) {
                return None;
            }
            offset = offset * dimension.len as usize + at as usize;
        }
        Some(offset)
    }

    /// PostgreSQL's btree order of arrays of one type.
    pub fn compare(&self, other: &Array) -> Ordering {
        for (a, b) in self.elements.iter().zip(&other.elements) {
            match a.compare_as(b, self.element_type) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        let lens = |array: &Array| array.dimensions.iter().map(|dimension| dimension.len).collect::<Vec<_>>();
        let lowers = |array: &Array| array.dimensions.iter().map(|dimension| dimension.lower).collect::<Vec<_>>();
        (self.elements.len().cmp(&other.elements.len()))
            .then_with(|| self.dimensions.len().cmp(&other.dimensions.len()))
            .then_with(|| lens(self).cmp(&lens(other)))
            .then_with(|| lowers(self).cmp(&lowers(other)))
    }

    /// Feeds the array to a hasher so that arrays that [`Array::compare`] finds equal hash alike.
    pub fn hash_into<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.elements.len());
        for element in &self.elements {
            element.hash_as(state, self.element_type);
        }
    }

    /// Bytes that the array holds, those of its elements included.
    pub fn heap_size(&self) -> usize {
        let own = size_of::<Array>() + self.dimensions.len() * size_of::<Dimension>();
        let elements = self.elements.len() * size_of::<Datum>();
        own + elements + self.elements.iter().map(Datum::heap_size).sum::<usize>()
    }

    pub(crate) fn nesting(&self) -> u16 {
        self.nesting
    }
}

/// The number of elements that the dimensions make.
///
/// 54000 for more than [`DIMENSION_COUNT_MAX`] of them, for more than [`ELEMENT_COUNT_MAX`] elements, and where a
/// bound would overflow.
pub fn check_dimensions(dimensions: &[Dimension]) -> SqlResult<usize> {
    if dimensions.len() > DIMENSION_COUNT_MAX {
        return Err(too_many_dimensions(dimensions.len()));
    }
    if dimensions.is_empty() {
        return Ok(0);
    }
    let mut count = 1i32;
    for dimension in dimensions {
        count = count
            .checked_mul(dimension.len)
            .filter(|count| dimension.len >= 0 && *count <= ELEMENT_COUNT_MAX)
            .ok_or_else(too_many_elements)?;
    }
    for dimension in dimensions {
        if dimension.lower.checked_add(dimension.len).is_none() {
            let message = format!("array lower bound is too large: {}", dimension.lower);
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
        }
    }
    Ok(count as usize)
}

/// `array size exceeds the maximum allowed (134217727)` (54000).
pub fn too_many_elements() -> SqlError {
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, format!("array size exceeds the maximum allowed ({ELEMENT_COUNT_MAX})"))
}

/// `number of array dimensions (7) exceeds the maximum allowed (6)` (54000).
pub fn too_many_dimensions(count: usize) -> SqlError {
    let message = format!("number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSION_COUNT_MAX})");
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, message)
}

pub(crate) fn nesting_too_deep() -> SqlError {
    SqlError::new(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_hint(format!("Arrays and records may hold each other {NESTING_MAX} levels deep."))
}

/// The type of an array type's elements, `int2vector` and `oidvector` included; `None` for other types.
pub fn element_type(array_type: Oid) -> Option<Oid> {
    match array_type {
        oid::INT2VECTOR => Some(oid::INT2),
        oid::OIDVECTOR => Some(oid::OID),
        other => match user_element_type(other) {
            Some(element) => Some(element),
            None => type_info(other).filter(|info| is_array(info)).map(|info| info.element_oid),
        },
    }
}

fn is_array(info: &crate::TypeInfo) -> bool {
    info.kind == crate::TypeKind::Array || info.oid == oid::RECORD_ARRAY
}

/// The array type over a type, `None` where there is none.
pub fn array_type(element: Oid) -> Option<Oid> {
    let built_in = || type_info(element).map(|info| info.array_oid).filter(|array| *array != oid::INVALID);
    user_array_type(element).or_else(built_in)
}

#[cfg(test)]
mod tests;
