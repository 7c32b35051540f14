//! Arrays and records in expressions: making them, taking parts out, putting parts in.
//!
//! What holds for subscripts (manual 8.15.3 and 8.15.4):
//! 1. Reading outside of an array, with a NULL subscript or with another number of subscripts than it has dimensions
//!    gives NULL; a slice outside of it gives the empty array.
//! 2. Once one subscript is a slice all are: `[n]` means `[1:n]`. A slice's result starts at 1.
//! 3. Writing beyond a one-dimensional array makes it longer, with NULLs in a gap; beyond any other is an error.

use std::sync::Arc;

use nqdb_sqlstate::{ARRAY_SUBSCRIPT_ERROR, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::array::{Dimension, check_dimensions, too_many_dimensions};
use nqdb_types::{Array, Datum, Oid};

use super::evaluation::Evaluation;
use super::expression::{Equality, Eval, Slot};

/// One pair of brackets.
#[derive(Clone, Debug)]
pub(crate) struct EvalSubscript {
    pub lower: Option<Eval>,
    /// Of an index: the index.
    pub upper: Option<Eval>,
    pub is_slice: bool,
}

/// The values of one pair of brackets; a bound that was left out is `None`.
#[derive(Clone, Copy)]
struct Bounds {
    lower: Option<i32>,
    upper: Option<i32>,
}

fn subscript_error(message: &str) -> SqlError {
    SqlError::new(ARRAY_SUBSCRIPT_ERROR, message)
}

/// `ARRAY[..]`; arrays as items become its outer dimension.
pub(super) fn construct(items: &[Eval], element_type: Oid, nested: bool, rt: &mut impl Evaluation) -> SqlResult<Datum> {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(item.eval(rt)?);
    }
    let array = if nested { stack(element_type, values)? } else { Array::from_elements(element_type, values)? };
    Ok(Datum::array(array))
}

/// Arrays of equal dimensions as the rows of an array with one dimension more; NULLs count as arrays without elements.
pub(super) fn stack(element_type: Oid, items: Vec<Datum>) -> SqlResult<Array> {
    let mismatch = || subscript_error("multidimensional arrays must have array expressions with matching dimensions");
    let mut inner: Option<Vec<Dimension>> = None;
    let mut elements = Vec::new();
    let (mut count, mut empty_count) = (0i32, 0i32);
    for item in &items {
        count += 1;
        let array = match item {
            Datum::Array(array) if !array.elements().is_empty() => array,
            _ => {
                empty_count += 1;
                continue;
            }
        };
        match &inner {
            None => inner = Some(array.dimensions().to_vec()),
            Some(inner) if inner.as_slice() == array.dimensions() => {}
            Some(_) => return Err(mismatch()),
        }
        elements.extend_from_slice(array.elements());
    }
    let Some(inner) = inner else { return Ok(Array::empty(element_type)) };
    if empty_count > 0 {
        return Err(mismatch());
    }
    if inner.len() >= nqdb_types::array::DIMENSION_COUNT_MAX {
        return Err(too_many_dimensions(inner.len() + 1));
    }
    let dimensions = std::iter::once(Dimension { lower: 1, len: count }).chain(inner).collect();
    Array::new(element_type, dimensions, elements)
}

/// `array[..]..`.
pub(super) fn subscript(array: &Eval, subscripts: &[EvalSubscript], rt: &mut impl Evaluation) -> SqlResult<Datum> {
    let array = array.eval(rt)?;
    let Some(bounds) = read_bounds(subscripts, rt)? else { return Ok(Datum::Null) };
    let array = match &array {
        Datum::Null => return Ok(Datum::Null),
        Datum::Array(array) => array,
        other => return Err(SqlError::internal(format!("a subscript of {other:?}"))),
    };
    if subscripts.iter().any(|subscript| subscript.is_slice) {
        return slice(array, &bounds).map(Datum::array);
    }
    let index: Vec<i32> = bounds.iter().filter_map(|bounds| bounds.upper).collect();
    Ok(array.element(&index).cloned().unwrap_or(Datum::Null))
}

/// The brackets' values; `None` when one of them is NULL.
fn read_bounds(subscripts: &[EvalSubscript], rt: &mut impl Evaluation) -> SqlResult<Option<Vec<Bounds>>> {
    let any_slice = subscripts.iter().any(|subscript| subscript.is_slice);
    let mut bounds = Vec::with_capacity(subscripts.len());
    for subscript in subscripts {
        let mut read = |bound: &Option<Eval>| -> SqlResult<Option<Option<i32>>> {
            let Some(bound) = bound else { return Ok(Some(None)) };
            Ok(match bound.eval(rt)? {
                Datum::Int4(value) => Some(Some(value)),
                Datum::Null => None,
                other => return Err(SqlError::internal(format!("a subscript is {other:?}"))),
            })
        };
        let lower = if any_slice && !subscript.is_slice { Some(Some(1)) } else { read(&subscript.lower)? };
        let (Some(lower), Some(upper)) = (lower, read(&subscript.upper)?) else { return Ok(None) };
        bounds.push(Bounds { lower, upper });
    }
    Ok(Some(bounds))
}

/// The part of an array within the bounds, as far as there is one.
fn slice(array: &Array, bounds: &[Bounds]) -> SqlResult<Array> {
    let dimensions = array.dimensions();
    if dimensions.len() < bounds.len() {
        return Ok(Array::empty(array.element_type()));
    }
    let mut parts = Vec::with_capacity(dimensions.len());
    for (at, dimension) in dimensions.iter().enumerate() {
        let wanted = bounds.get(at).copied().unwrap_or(Bounds { lower: None, upper: None });
        let lower = wanted.lower.unwrap_or(dimension.lower).max(dimension.lower);
        let upper = wanted.upper.unwrap_or(dimension.upper()).min(dimension.upper());
        if lower > upper {
            return Ok(Array::empty(array.element_type()));
        }
        parts.push(Dimension { lower, len: upper - lower + 1 });
    }
    let offsets = offsets_within(dimensions, &parts);
    let elements = offsets.filter_map(|offset| array.elements().get(offset).cloned()).collect();
    let result = parts.iter().map(|part| Dimension { lower: 1, len: part.len }).collect();
    Array::new(array.element_type(), result, elements)
}

/// Where the elements of a part stand, in the order of the part.
fn offsets_within(dimensions: &[Dimension], parts: &[Dimension]) -> impl Iterator<Item = usize> + use<> {
    let dimensions = dimensions.to_vec();
    let parts = parts.to_vec();
    let count: usize = parts.iter().map(|part| part.len as usize).product();
    (0..count).map(move |mut at| {
        let (mut offset, mut span) = (0usize, 1usize);
        for (dimension, part) in dimensions.iter().zip(&parts).rev() {
            let here = at % part.len as usize;
            at /= part.len as usize;
            offset += span * (here + (part.lower - dimension.lower) as usize);
            span *= dimension.len as usize;
        }
        offset
    })
}

/// The array with a value in the place of an element or of a slice.
pub(super) fn assign(
    array: &Eval,
    subscripts: &[EvalSubscript],
    value: &Eval,
    element_type: Oid,
    rt: &mut impl Evaluation,
) -> SqlResult<Datum> {
    let array = match array.eval(rt)? {
        Datum::Null => Arc::new(Array::empty(element_type)),
        Datum::Array(array) => array,
        other => return Err(SqlError::internal(format!("an assignment to a subscript of {other:?}"))),
    };
    let Some(bounds) = read_bounds(subscripts, rt)? else {
        return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null"));
    };
    let value = value.eval(rt)?;
    if subscripts.iter().any(|subscript| subscript.is_slice) {
        return match value {
            Datum::Array(source) => assign_slice(&array, &bounds, &source).map(Datum::array),
            _ => Ok(Datum::Array(array)),
        };
    }
    let index: Vec<i32> = bounds.iter().filter_map(|bounds| bounds.upper).collect();
    assign_element(&array, &index, value).map(Datum::array)
}

fn assign_element(array: &Array, index: &[i32], value: Datum) -> SqlResult<Array> {
    let element_type = array.element_type();
    if array.dimensions().is_empty() {
        if index.len() > nqdb_types::array::DIMENSION_COUNT_MAX {
            return Err(too_many_dimensions(index.len()));
        }
        let dimensions = index.iter().map(|at| Dimension { lower: *at, len: 1 }).collect();
        return Array::new(element_type, dimensions, vec![value]);
    }
    if array.dimensions().len() != index.len() {
        return Err(subscript_error("wrong number of array subscripts"));
    }
    let array = match (array.dimensions(), index) {
        ([dimension], [at]) => &extended(array, *dimension, *at, *at)?,
        _ => array,
    };
    let offset = array.offset(index).ok_or_else(|| subscript_error("array subscript out of range"))?;
    let mut elements = array.elements().to_vec();
    if let Some(element) = elements.get_mut(offset) {
        *element = value;
    }
    Array::new(element_type, array.dimensions().to_vec(), elements)
}

/// A one-dimensional array that reaches from `lower` to `upper` at least, with NULLs where it was made longer.
fn extended(array: &Array, dimension: Dimension, lower: i32, upper: i32) -> SqlResult<Array> {
    let first = dimension.lower.min(lower);
    let last = dimension.upper().max(upper);
    let len = last.checked_sub(first).and_then(|len| len.checked_add(1)).unwrap_or(-1);
    let wanted = Dimension { lower: first, len };
    let count = check_dimensions(&[wanted])?;
    check_growth(count, array.elements().len())?;
    let before = (dimension.lower - first) as usize;
    let mut elements = vec![Datum::Null; before];
    elements.reserve(count - before);
    elements.extend_from_slice(array.elements());
    elements.resize(count, Datum::Null);
    Array::new(array.element_type(), vec![wanted], elements)
}

/// The most elements that one assignment may add: `a[100000000] = 1` would make gigabytes of NULLs.
const GROWTH_MAX: usize = 10_000_000;

fn check_growth(count: usize, before: usize) -> SqlResult<()> {
    if count - before.min(count) > GROWTH_MAX {
        let message = format!("an assignment cannot make an array more than {GROWTH_MAX} elements longer");
        return Err(SqlError::new(nqdb_sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
    }
    Ok(())
}

fn assign_slice(array: &Array, bounds: &[Bounds], source: &Array) -> SqlResult<Array> {
    let too_small = || subscript_error("source array too small");
    let reversed = || subscript_error("upper bound cannot be less than lower bound");
    if array.dimensions().is_empty() {
        let mut dimensions = Vec::with_capacity(bounds.len());
        for wanted in bounds {
            let (Some(lower), Some(upper)) = (wanted.lower, wanted.upper) else {
                return Err(subscript_error("array slice subscript must provide both boundaries").with_detail(
                    "When assigning to a slice of an empty array value, slice boundaries must be fully specified.",
                ));
            };
            dimensions.push(Dimension { lower, len: upper.wrapping_sub(lower).wrapping_add(1) });
        }
        let count = check_dimensions(&dimensions)?;
        let elements = source.elements().get(..count).ok_or_else(too_small)?;
        return Array::new(array.element_type(), dimensions, elements.to_vec());
    }
    if array.dimensions().len() < bounds.len() {
        return Err(subscript_error("wrong number of array subscripts"));
    }
    let grown;
    let array = match (array.dimensions(), bounds) {
        ([dimension], [wanted]) => {
            let lower = wanted.lower.unwrap_or(dimension.lower);
            let upper = wanted.upper.unwrap_or(dimension.upper());
            if lower > upper {
                return Err(reversed());
            }
            grown = extended(array, *dimension, lower, upper)?;
            &grown
        }
        _ => array,
    };
    let mut parts = Vec::with_capacity(array.dimensions().len());
    for (at, dimension) in array.dimensions().iter().enumerate() {
        let wanted = bounds.get(at).copied().unwrap_or(Bounds { lower: None, upper: None });
        let lower = wanted.lower.unwrap_or(dimension.lower);
        let upper = wanted.upper.unwrap_or(dimension.upper());
        if lower > upper {
            return Err(reversed());
        }
        if lower < dimension.lower || upper > dimension.upper() {
            return Err(subscript_error("array subscript out of range"));
        }
        parts.push(Dimension { lower, len: upper - lower + 1 });
    }
    let count: usize = parts.iter().map(|part| part.len as usize).product();
    let values = source.elements().get(..count).ok_or_else(too_small)?;
    let mut elements = array.elements().to_vec();
    for (offset, value) in offsets_within(array.dimensions(), &parts).zip(values) {
        if let Some(element) = elements.get_mut(offset) {
            element.clone_from(value);
        }
    }
    Array::new(array.element_type(), array.dimensions().to_vec(), elements)
}

/// Each element through an expression over its slot.
pub(super) fn map_elements(
    array: &Eval,
    slot: Slot,
    element: &Eval,
    element_type: Oid,
    rt: &mut impl Evaluation,
) -> SqlResult<Datum> {
    let value = array.eval(rt)?;
    let Datum::Array(array) = &value else { return Ok(value) };
    let mut elements = Vec::with_capacity(array.elements().len());
    for value in array.elements() {
        if value.is_null() {
            elements.push(Datum::Null);
            continue;
        }
        rt.set_slot(slot, value.clone());
        elements.push(element.eval(rt)?);
    }
    Array::new(element_type, array.dimensions().to_vec(), elements).map(Datum::array)
}

/// `arg op ANY (array)` or `arg op ALL (array)`, three-valued.
pub(super) fn quantified(
    arg: &Eval,
    op: &Equality,
    array: &Eval,
    all: bool,
    rt: &mut impl Evaluation,
) -> SqlResult<Option<bool>> {
    let arg = arg.eval(rt)?;
    let array = array.eval(rt)?;
    let Datum::Array(array) = &array else { return Ok(None) };
    let mut result = Some(all);
    for element in array.elements() {
        match op.test(&arg, element, rt)? {
            Some(value) if value == all => {}
            Some(value) => return Ok(Some(value)),
            None => result = None,
        }
    }
    Ok(result)
}
