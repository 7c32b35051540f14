//! The number that `.keyvalue()` gives an object: the offset of its image in PostgreSQL's storage form of the value that
//! it stands in, which tells the objects of one value apart.
//!
//! ```text
//! container = header 4 bytes | entry 4 bytes for each key and item | keys | items
//! item      = string: its bytes | number: aligned to 4, a numeric | container: aligned to 4 | others: nothing
//! numeric   = length word 4 | head 2, or 4 for a large scale or weight | 2 bytes for each four digits
//! ```

use nqdb_types::{Json, Numeric};

const ENTRY_LEN: usize = 4;

fn aligned(offset: usize) -> usize {
    offset.next_multiple_of(4)
}

/// Where `wanted` lies in the image of `whole`; 0 when it is not within it.
pub(super) fn offset_within(whole: &Json, wanted: &Json) -> usize {
    find(whole, wanted, 0).unwrap_or(0)
}

fn find(container: &Json, wanted: &Json, start: usize) -> Option<usize> {
    if std::ptr::eq(container, wanted) {
        return Some(start);
    }
    let mut at = start + head_len(container);
    for item in items(container) {
        if item.is_container() {
            at = aligned(at);
            if let Some(found) = find(item, wanted, at) {
                return Some(found);
            }
        }
        at = end_of(item, at);
    }
    None
}

/// Bytes before the first item.
fn head_len(container: &Json) -> usize {
    match container {
        Json::Object(object) => {
            let keys: usize = object.members().iter().map(|(key, _)| key.len()).sum();
            ENTRY_LEN * (1 + 2 * object.members().len()) + keys
        }
        Json::Array(items) => ENTRY_LEN * (1 + items.len()),
        _ => 0,
    }
}

fn items(container: &Json) -> Vec<&Json> {
    match container {
        Json::Object(object) => object.members().iter().map(|(_, value)| value).collect(),
        Json::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Where the image of an item ends that may start at `at`.
fn end_of(item: &Json, at: usize) -> usize {
    match item {
        Json::Null | Json::Bool(_) => at,
        Json::String(text) => at + text.len(),
        Json::Number(number) => aligned(at) + numeric_len(number),
        container => {
            let start = aligned(at);
            items(container).into_iter().fold(start + head_len(container), |at, item| end_of(item, at))
        }
    }
}

fn numeric_len(number: &Numeric) -> usize {
    let mut text = Vec::new();
    number.write_to(&mut text);
    let text = String::from_utf8(text).unwrap_or_default();
    let unsigned = text.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let whole = whole.trim_start_matches('0');
    // Groups of four digits counted from the point; the last one before it has the number 0.
    let first = match fraction.find(|digit| digit != '0') {
        _ if !whole.is_empty() => whole.len().div_ceil(4) as i64 - 1,
        Some(zeros) => -(zeros as i64 / 4) - 1,
        None => return 6,
    };
    let significant = fraction.trim_end_matches('0');
    let last = match significant.len() {
        0 => (whole.len() - whole.trim_end_matches('0').len()) as i64 / 4,
        len => -(len.div_ceil(4) as i64),
    };
    let head = if fraction.len() <= 63 && (-64..=63).contains(&first) { 2 } else { 4 };
    4 + head + 2 * (first - last + 1).unsigned_abs() as usize
}
