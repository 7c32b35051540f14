//! Regular expressions that give several parts: regexp_match, regexp_matches, regexp_split_to_array and _to_table.

use ::regex::{Captures, Regex};
use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use super::regex::{compiled, flags_without_global};
use super::regex_syntax::RegexOptions;
use crate::{Function, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&FIRST, &FIRST_FLAGS, &ALL, &ALL_FLAGS, &SPLIT_ARRAY, &SPLIT_ARRAY_FLAGS, &SPLIT_ROWS, &SPLIT_ROWS_FLAGS];

/// The groups of a match as an array; of a pattern without groups the match itself.
fn groups(found: &Captures<'_>) -> SqlResult<Datum> {
    let first = usize::from(found.len() > 1);
    let groups = found.iter().skip(first).map(|group| group.map_or(Datum::Null, |group| Datum::text(group.as_str())));
    Array::from_elements(oid::TEXT, groups.collect()).map(Datum::array)
}

#[sql_function("regexp_match(text, text) -> text_array", oid = 3396)]
fn first(value: &str, pattern: &str) -> SqlResult<Datum> {
    first_of(value, &compiled(pattern, RegexOptions::DEFAULT)?)
}

#[sql_function("regexp_match(text, text, text) -> text_array", oid = 3397)]
fn first_flags(value: &str, pattern: &str, flags: &str) -> SqlResult<Datum> {
    let options = RegexOptions::parse(flags)?;
    if options.global {
        let message = "regexp_match() does not support the \"global\" option";
        return Err(
            SqlError::new(INVALID_PARAMETER_VALUE, message).with_hint("Use the regexp_matches function instead.")
        );
    }
    first_of(value, &compiled(pattern, options)?)
}

fn first_of(value: &str, regex: &Regex) -> SqlResult<Datum> {
    regex.captures(value).map_or(Ok(Datum::Null), |found| groups(&found))
}

#[sql_function("regexp_matches(text, text) -> setof text_array", oid = 2763)]
fn all(value: &str, pattern: &str) -> SqlResult<Rows> {
    all_of(value, compiled(pattern, RegexOptions::DEFAULT)?, false)
}

#[sql_function("regexp_matches(text, text, text) -> setof text_array", oid = 2764)]
fn all_flags(value: &str, pattern: &str, flags: &str) -> SqlResult<Rows> {
    let options = RegexOptions::parse(flags)?;
    all_of(value, compiled(pattern, RegexOptions { global: false, ..options })?, options.global)
}

fn all_of(value: &str, regex: Regex, global: bool) -> SqlResult<Rows> {
    let value = value.to_string();
    let mut from = Some(0);
    Ok(Box::new(std::iter::from_fn(move || {
        let found = regex.captures_at(&value, from.filter(|from| *from <= value.len())?)?;
        let whole = found.get(0)?;
        from = global.then(|| after(&value, whole.start(), whole.end()));
        Some(groups(&found))
    })))
}

/// Where the next search starts: an empty match may follow another match at once, but not itself.
fn after(value: &str, start: usize, end: usize) -> usize {
    match start == end {
        true => end + value.get(end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
        false => end,
    }
}

#[sql_function("regexp_split_to_array(text, text) -> text_array", oid = 2767)]
fn split_array(value: &str, pattern: &str) -> SqlResult<Datum> {
    split_array_flags(value, pattern, "")
}

#[sql_function("regexp_split_to_array(text, text, text) -> text_array", oid = 2768)]
fn split_array_flags(value: &str, pattern: &str, flags: &str) -> SqlResult<Datum> {
    let regex = compiled(pattern, flags_without_global(flags, "regexp_split_to_array()")?)?;
    Array::from_elements(oid::TEXT, split(value, &regex)).map(Datum::array)
}

#[sql_function("regexp_split_to_table(text, text) -> setof text", oid = 2765)]
fn split_rows(value: &str, pattern: &str) -> SqlResult<Rows> {
    split_rows_flags(value, pattern, "")
}

#[sql_function("regexp_split_to_table(text, text, text) -> setof text", oid = 2766)]
fn split_rows_flags(value: &str, pattern: &str, flags: &str) -> SqlResult<Rows> {
    let regex = compiled(pattern, flags_without_global(flags, "regexp_split_to_table()")?)?;
    Ok(Box::new(split(value, &regex).into_iter().map(Ok)))
}

/// What stands between the matches. Empty matches at the ends, and right behind another match, do not split.
fn split(value: &str, regex: &Regex) -> Vec<Datum> {
    let mut parts = Vec::new();
    let (mut from, mut previous_end, mut part_start) = (0, 0, 0);
    while let Some(found) = (from <= value.len()).then(|| regex.find_at(value, from)).flatten() {
        if found.start() < value.len() && found.end() > previous_end {
            parts.push(Datum::text(value.get(part_start..found.start()).unwrap_or("")));
            part_start = found.end();
        }
        previous_end = found.end();
        from = after(value, found.start(), found.end());
    }
    parts.push(Datum::text(value.get(part_start..).unwrap_or("")));
    parts
}
