//! The text form of arrays, both ways.
//!
//! ```text
//! array = [ bounds "=" ] "{" [ item "," item ... ] "}"        item = array | NULL | element
//! bounds = "[" lower ":" upper "]" ...                          written only where a lower bound is not 1
//! ```
//!
//! An element is quoted where it is empty, spells NULL, or holds a brace, a quote, a backslash, a blank or the
//! type's delimiter. Reading goes over the text twice, as PostgreSQL does: [`shape`] checks the braces and counts
//! the dimensions (all errors of form are its), then [`Items`] takes the elements out.

use nqdb_sqlstate::{ARRAY_SUBSCRIPT_ERROR, INVALID_PARAMETER_VALUE, INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};

use super::{Array, DIMENSION_COUNT_MAX, Dimension, check_dimensions, too_many_dimensions};
use crate::text::{is_space, write_text};
use crate::{Datum, FormatContext, Oid, Sink, Type, oid, type_info};

/// Writes an array; its elements have the modifier of the array's type.
pub(crate) fn write_array_text<S: Sink>(out: &mut S, array: &Array, ty: Type, cx: &FormatContext) {
    if matches!(ty.oid, oid::INT2VECTOR | oid::OIDVECTOR) {
        return write_vector(out, array, cx);
    }
    let dimensions = array.dimensions();
    if dimensions.is_empty() {
        return out.put(b"{}");
    }
    if dimensions.iter().any(|dimension| dimension.lower != 1) {
        for dimension in dimensions {
            out.put(format!("[{}:{}]", dimension.lower, dimension.upper()).as_bytes());
        }
        out.put_byte(b'=');
    }
    let delimiter = delimiter(array.element_type());
    let element_type = Type::with_typmod(array.element_type(), ty.typmod);
    let mut spelled = Vec::new();
    for (at, element) in array.elements().iter().enumerate() {
        let (opened, _) = braces(dimensions, at);
        if at > 0 {
            out.put_byte(delimiter);
        }
        (0..opened).for_each(|_| out.put_byte(b'{'));
        if element.is_null() {
            out.put(b"NULL");
        } else {
            spelled.clear();
            write_text(&mut spelled, element, element_type, cx);
            write_element(out, &spelled, delimiter);
        }
        let (_, closed) = braces(dimensions, at);
        (0..closed).for_each(|_| out.put_byte(b'}'));
    }
}

/// How many braces open before, and close behind, the element at a place.
fn braces(dimensions: &[Dimension], at: usize) -> (usize, usize) {
    let (mut opened, mut closed, mut span) = (0, 0, 1usize);
    for dimension in dimensions.iter().rev() {
        span = span.saturating_mul(dimension.len.max(1) as usize);
        opened += usize::from(at.is_multiple_of(span));
        closed += usize::from((at + 1).is_multiple_of(span));
    }
    (opened, closed)
}

fn write_element<S: Sink>(out: &mut S, spelled: &[u8], delimiter: u8) {
    let special =
        |byte: &u8| matches!(byte, b'"' | b'\\' | b'{' | b'}') || *byte == delimiter || is_space(char::from(*byte));
    if !spelled.is_empty() && !spelled.eq_ignore_ascii_case(b"null") && !spelled.iter().any(special) {
        return out.put(spelled);
    }
    out.put_byte(b'"');
    for byte in spelled {
        if matches!(byte, b'"' | b'\\') {
            out.put_byte(b'\\');
        }
        out.put_byte(*byte);
    }
    out.put_byte(b'"');
}

/// `int2vector` and `oidvector`: their numbers with blanks between them.
fn write_vector<S: Sink>(out: &mut S, array: &Array, cx: &FormatContext) {
    for (at, element) in array.elements().iter().enumerate() {
        if at > 0 {
            out.put_byte(b' ');
        }
        write_text(out, element, Type::new(array.element_type()), cx);
    }
}

fn delimiter(element_type: Oid) -> u8 {
    type_info(element_type).map_or(b',', |info| info.delimiter() as u8)
}

/// Reads `int2vector` or `oidvector`: numbers with blanks between them, the first one at subscript 0.
///
/// `read_element` reads one number; 22023 for more than 100 numbers in an `int2vector`.
pub fn parse_vector(
    text: &str,
    element_type: Oid,
    mut read_element: impl FnMut(&str) -> SqlResult<Datum>,
) -> SqlResult<Array> {
    let mut elements = Vec::new();
    for item in text.split(is_space).filter(|item| !item.is_empty()) {
        elements.push(read_element(item)?);
    }
    /// As many as a function may have arguments.
    const SHORTS_MAX: usize = 100;
    if element_type == oid::INT2 && elements.len() > SHORTS_MAX {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "int2vector has too many elements"));
    }
    vector(element_type, elements)
}

/// A one-dimensional array whose first subscript is 0.
pub(super) fn vector(element_type: Oid, elements: Vec<Datum>) -> SqlResult<Array> {
    let len = i32::try_from(elements.len()).map_err(|_| super::too_many_elements())?;
    Array::new(element_type, vec![Dimension { lower: 0, len }], elements)
}

/// Reads an array's text; `read_element` reads the text of one element.
///
/// Errors: 22P02 for what is malformed, 2202E for bounds the wrong way round, 54000 for what is too large.
pub fn parse_array_with(
    text: &str,
    element_type: Oid,
    mut read_element: impl FnMut(&str) -> SqlResult<Datum>,
) -> SqlResult<Array> {
    let delimiter = delimiter(element_type);
    let (bounds, body) = read_bounds(text)?;
    let lens = match &bounds {
        None if !body.starts_with('{') => {
            return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
        }
        None => shape(body, delimiter)?,
        Some(bounds) => {
            let lens = shape(body, delimiter)?;
            let announced: Vec<i32> = bounds.iter().map(|dimension| dimension.len).collect();
            if lens != announced {
                return Err(malformed(text, "Specified array dimensions do not match array contents."));
            }
            lens
        }
    };
    let dimensions = bounds.unwrap_or_else(|| lens.iter().map(|len| Dimension { lower: 1, len: *len }).collect());
    let count = check_dimensions(&dimensions)?;
    if count == 0 {
        return Ok(Array::empty(element_type));
    }
    let mut elements = Vec::with_capacity(count);
    let mut items = Items { rest: body.as_bytes().iter(), delimiter };
    while let Some(item) = items.next_item() {
        elements.push(match item {
            Item::Null => Datum::Null,
            Item::Text(bytes) => {
                let element =
                    std::str::from_utf8(&bytes).map_err(|_| SqlError::internal("an array element was cut"))?;
                read_element(element)?
            }
        });
    }
    if elements.len() != count {
        return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\"")));
    }
    Array::new(element_type, dimensions, elements)
}

fn malformed(text: &str, detail: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\"")).with_detail(detail)
}

/// The `[m:n]` items in front, and what follows them from its brace on.
fn read_bounds(text: &str) -> SqlResult<(Option<Vec<Dimension>>, &str)> {
    let mut bounds = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while let Some(item) = rest.strip_prefix('[') {
        if bounds.len() >= DIMENSION_COUNT_MAX {
            return Err(too_many_dimensions(bounds.len() + 1));
        }
        let (first, tail) = number(item)
            .ok_or_else(|| malformed(text, "\"[\" must introduce explicitly-specified array dimensions."))?;
        let (lower, upper, tail) = match tail.strip_prefix(':') {
            None => (1, first, tail),
            Some(tail) => {
                let (upper, tail) = number(tail).ok_or_else(|| malformed(text, "Missing array dimension value."))?;
                (first, upper, tail)
            }
        };
        let tail = tail.strip_prefix(']').ok_or_else(|| malformed(text, "Missing \"]\" after array dimensions."))?;
        if upper < lower {
            return Err(SqlError::new(ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
        }
        bounds.push(Dimension { lower, len: upper.wrapping_sub(lower).wrapping_add(1) });
        rest = tail.trim_start_matches(is_space);
    }
    if bounds.is_empty() {
        return Ok((None, rest));
    }
    let body = rest.strip_prefix('=').ok_or_else(|| malformed(text, "Missing \"=\" after array dimensions."))?;
    let body = body.trim_start_matches(is_space);
    if !body.starts_with('{') {
        return Err(malformed(text, "Array contents must start with \"{\"."));
    }
    Ok((Some(bounds), body))
}

/// A run of digits and signs at the start, read as far as it is a number; `None` when there is no such run.
fn number(text: &str) -> Option<(i32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-' && c != '+').unwrap_or(text.len());
    let (run, rest) = text.split_at_checked(end).filter(|(run, _)| !run.is_empty())?;
    let signed = run.strip_prefix('+').unwrap_or(run);
    let digits_end =
        signed.char_indices().find(|(at, c)| *at > 0 && !c.is_ascii_digit()).map_or(signed.len(), |(at, _)| at);
    let value: i64 = signed.get(..digits_end).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Some((value as i32, rest))
}

/// What stood last while the braces are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    LevelStarted,
    LevelCompleted,
    LevelDelimited,
    Element,
    QuotedElement,
    QuotedElementCompleted,
    ElementDelimited,
}

/// The lengths of the dimensions that the braces make; none where there is no element.
fn shape(body: &str, delimiter: u8) -> SqlResult<Vec<i32>> {
    let fail = |detail: String| malformed(body, detail);
    let unexpected = |byte: u8| malformed(body, format!("Unexpected \"{}\" character.", char::from(byte)));
    let mut seen = Seen::Nothing;
    let (mut level, mut depth, mut in_quotes, mut any_element) = (0usize, 1usize, false, false);
    let mut counts = [0i32; DIMENSION_COUNT_MAX];
    let mut siblings = [1i32; DIMENSION_COUNT_MAX];
    let mut siblings_before = [0i32; DIMENSION_COUNT_MAX];
    let mut bytes = body.bytes();
    loop {
        any_element |= matches!(seen, Seen::Element | Seen::QuotedElement);
        let byte = bytes.next().ok_or_else(|| fail("Unexpected end of input.".to_string()))?;
        match byte {
            b'\\' => {
                if !matches!(seen, Seen::LevelStarted | Seen::Element | Seen::QuotedElement | Seen::ElementDelimited) {
                    return Err(unexpected(byte));
                }
                if seen != Seen::QuotedElement {
                    seen = Seen::Element;
                }
                bytes.next().ok_or_else(|| fail("Unexpected end of input.".to_string()))?;
            }
            b'"' => {
                if !matches!(seen, Seen::LevelStarted | Seen::QuotedElement | Seen::ElementDelimited) {
                    return Err(fail("Unexpected array element.".to_string()));
                }
                in_quotes = !in_quotes;
                seen = if in_quotes { Seen::QuotedElement } else { Seen::QuotedElementCompleted };
            }
            _ if in_quotes => {}
            b'{' => {
                if !matches!(seen, Seen::Nothing | Seen::LevelStarted | Seen::LevelDelimited) {
                    return Err(unexpected(byte));
                }
                seen = Seen::LevelStarted;
                let count = counts.get_mut(level).ok_or_else(|| too_many_dimensions(level + 1))?;
                *count = 0;
                level += 1;
                depth = depth.max(level);
            }
            b'}' => {
                let closes_element =
                    matches!(seen, Seen::Element | Seen::QuotedElementCompleted | Seen::LevelCompleted);
                let ends_empty_array = level == 1 && seen == Seen::LevelStarted;
                if !(closes_element || ends_empty_array) {
                    return Err(unexpected(byte));
                }
                seen = Seen::LevelCompleted;
                level -= 1;
                if siblings_before[level] != 0 && siblings[level] != siblings_before[level] {
                    return Err(fail(
                        "Multidimensional arrays must have sub-arrays with matching dimensions.".to_string(),
                    ));
                }
                siblings_before[level] = siblings[level];
                siblings[level] = 1;
                if level == 0 {
                    counts[depth - 1] += 1;
                    break;
                }
                counts[level - 1] += 1;
            }
            _ if byte == delimiter => {
                seen = match seen {
                    Seen::LevelCompleted => Seen::LevelDelimited,
                    Seen::Element | Seen::QuotedElementCompleted => Seen::ElementDelimited,
                    _ => return Err(unexpected(byte)),
                };
                siblings[level - 1] += 1;
                counts[depth - 1] += 1;
            }
            _ if is_space(char::from(byte)) => {}
            _ => {
                if !matches!(seen, Seen::LevelStarted | Seen::Element | Seen::ElementDelimited) {
                    return Err(fail("Unexpected array element.".to_string()));
                }
                seen = Seen::Element;
            }
        }
    }
    if !bytes.all(|byte| is_space(char::from(byte))) {
        return Err(fail("Junk after closing right brace.".to_string()));
    }
    Ok(if any_element { counts.into_iter().take(depth).collect() } else { Vec::new() })
}

/// The elements of a text whose braces are known to be right.
struct Items<'a> {
    rest: std::slice::Iter<'a, u8>,
    delimiter: u8,
}

enum Item {
    Null,
    Text(Vec<u8>),
}

impl Items<'_> {
    /// The next element; `None` behind the last one.
    fn next_item(&mut self) -> Option<Item> {
        let (mut text, mut kept_len) = (Vec::new(), 0);
        let (mut in_quotes, mut quoted, mut present) = (false, false, false);
        loop {
            let Some(&byte) = self.rest.next() else {
                return present.then(|| finish(text, kept_len, quoted));
            };
            match byte {
                b'\\' => {
                    text.extend(self.rest.next());
                    kept_len = text.len();
                    (quoted, present) = (true, true);
                }
                b'"' => {
                    in_quotes = !in_quotes;
                    kept_len = text.len();
                    (quoted, present) = (true, true);
                }
                _ if in_quotes => text.push(byte),
                b'{' | b'}' => {}
                _ if byte == self.delimiter => {
                    if present {
                        return Some(finish(text, kept_len, quoted));
                    }
                }
                _ if is_space(char::from(byte)) => {
                    // Blanks in front are dropped now, those behind by the length that is kept.
                    if present {
                        text.push(byte);
                    }
                }
                _ => {
                    text.push(byte);
                    kept_len = text.len();
                    present = true;
                }
            }
        }
    }
}

fn finish(mut text: Vec<u8>, kept_len: usize, quoted: bool) -> Item {
    text.truncate(kept_len);
    if !quoted && text.eq_ignore_ascii_case(b"null") { Item::Null } else { Item::Text(text) }
}
