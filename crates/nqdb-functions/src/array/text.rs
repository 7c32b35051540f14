//! Between arrays and text: array_to_string, string_to_array, string_to_table.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum, Type, oid};

use crate::coerce::text_of;
use crate::{Function, FunctionContext, Rows};

/// Elements that are taken between two looks whether the statement may go on.
const ELEMENTS_BETWEEN_CHECKS: usize = 1_024;
/// A short text on the heap, with what the allocator adds.
const PIECE_BYTES: usize = 32;

pub(super) static FUNCTIONS: &[&[Function]] = &[&JOIN, &JOIN_NULL, &SPLIT, &SPLIT_NULL, &SPLIT_ROWS, &SPLIT_ROWS_NULL];

#[sql_function("array_to_string(anyarray, text) -> text", oid = 395, stable)]
fn join(context: &mut FunctionContext<'_>, array: &Array, delimiter: &str) -> SqlResult<String> {
    joined(context, array, delimiter, None)
}

#[sql_function("array_to_string(anyarray, text, text) -> text", oid = 384, stable, called_on_null)]
fn join_null(
    context: &mut FunctionContext<'_>,
    array: Option<&Array>,
    delimiter: Option<&str>,
    null: Option<&str>,
) -> SqlResult<Option<String>> {
    let (Some(array), Some(delimiter)) = (array, delimiter) else { return Ok(None) };
    joined(context, array, delimiter, null).map(Some)
}

/// The elements with the delimiter between them; NULLs as `null`, or left out.
fn joined(context: &FunctionContext<'_>, array: &Array, delimiter: &str, null: Option<&str>) -> SqlResult<String> {
    let element_type = Type::new(array.element_type());
    let mut out = String::new();
    let mut is_first = true;
    for (number, element) in array.elements().iter().enumerate() {
        if number % ELEMENTS_BETWEEN_CHECKS == 0 {
            context.check_interruption()?;
        }
        let spelled = match (element, null) {
            (Datum::Null, None) => continue,
            (Datum::Null, Some(null)) => null.to_string(),
            (element, _) => text_of(element, element_type, context)?,
        };
        let wanted = out.len() + delimiter.len() + spelled.len();
        if wanted > out.capacity() {
            // Room is asked for as it is made: twice as much each time.
            let room = wanted.max(out.capacity().saturating_mul(2));
            context.admit_bytes(room)?;
            out.reserve_exact(room - out.len());
        }
        if !is_first {
            out.push_str(delimiter);
        }
        is_first = false;
        out.push_str(&spelled);
    }
    Ok(out)
}

#[sql_function("string_to_array(text, text) -> text_array", oid = 394, called_on_null)]
fn split(context: &mut FunctionContext<'_>, text: Option<&str>, delimiter: Option<&str>) -> SqlResult<Datum> {
    split_null(context, text, delimiter, None)
}

#[sql_function("string_to_array(text, text, text) -> text_array", oid = 376, called_on_null)]
fn split_null(
    context: &mut FunctionContext<'_>,
    text: Option<&str>,
    delimiter: Option<&str>,
    null: Option<&str>,
) -> SqlResult<Datum> {
    let Some(text) = text else { return Ok(Datum::Null) };
    Array::from_elements(oid::TEXT, parts(context, text, delimiter, null)?).map(Datum::array)
}

#[sql_function("string_to_table(text, text) -> setof text", oid = 6160, called_on_null)]
fn split_rows(context: &mut FunctionContext<'_>, text: Option<&str>, delimiter: Option<&str>) -> SqlResult<Rows> {
    split_rows_null(context, text, delimiter, None)
}

#[sql_function("string_to_table(text, text, text) -> setof text", oid = 6161, called_on_null)]
fn split_rows_null(
    context: &mut FunctionContext<'_>,
    text: Option<&str>,
    delimiter: Option<&str>,
    null: Option<&str>,
) -> SqlResult<Rows> {
    let parts = match text {
        Some(text) => parts(context, text, delimiter, null)?,
        None => Vec::new(),
    };
    Ok(Box::new(parts.into_iter().map(Ok)))
}

/// The parts between delimiters; without one the characters, with an empty one the whole. Those that are `null` are
/// NULL. An empty text has no parts.
fn parts(
    context: &FunctionContext<'_>,
    text: &str,
    delimiter: Option<&str>,
    null: Option<&str>,
) -> SqlResult<Vec<Datum>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let datum = |part: &str| if null == Some(part) { Datum::Null } else { Datum::text(part) };
    let pieces: Box<dyn Iterator<Item = &str>> = match delimiter {
        None => Box::new(text.char_indices().map(|(at, c)| text.get(at..at + c.len_utf8()).unwrap_or(""))),
        Some("") => return Ok(vec![datum(text)]),
        Some(delimiter) => Box::new(text.split(delimiter)),
    };
    let mut parts = Vec::new();
    for (number, piece) in pieces.enumerate() {
        if number % ELEMENTS_BETWEEN_CHECKS == 0 {
            context.check_interruption()?;
        }
        if parts.len() == parts.capacity() {
            // The list doubles; the texts of the parts are as long as the text at most, but each in a piece of its own.
            let room = (parts.len() * 2).max(16);
            context.admit_bytes(room * (size_of::<Datum>() + PIECE_BYTES))?;
            parts.reserve_exact(room - parts.len());
        }
        parts.push(datum(piece));
    }
    Ok(parts)
}
