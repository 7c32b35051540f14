//! Regular expressions that give several parts: regexp_match, regexp_matches, regexp_split_to_array and _to_table.

use std::sync::Arc;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use super::regex::{after, flags_without_global};
use crate::regex_engine::{Captures, Pattern, RegexOptions, Search};
use crate::{Function, FunctionContext, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&FIRST, &FIRST_FLAGS, &ALL, &ALL_FLAGS, &SPLIT_ARRAY, &SPLIT_ARRAY_FLAGS, &SPLIT_ROWS, &SPLIT_ROWS_FLAGS];

/// The groups of a match as an array; of a pattern without groups the match itself.
fn groups(value: &str, found: &Captures) -> SqlResult<Datum> {
    let whole = [Some(found.whole())];
    let stretches = if found.groups().is_empty() { &whole } else { found.groups() };
    let text = |(start, end): (usize, usize)| Datum::text(value.get(start..end).unwrap_or(""));
    let elements = stretches.iter().map(|stretch| stretch.map_or(Datum::Null, text));
    Array::from_elements(oid::TEXT, elements.collect()).map(Datum::array)
}

#[sql_function("regexp_match(text, text) -> text_array", oid = 3396)]
fn first(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<Datum> {
    first_of(context, value, &*Pattern::compiled(pattern, RegexOptions::DEFAULT)?)
}

#[sql_function("regexp_match(text, text, text) -> text_array", oid = 3397)]
fn first_flags(context: &mut FunctionContext<'_>, value: &str, pattern: &str, flags: &str) -> SqlResult<Datum> {
    let options = RegexOptions::parse(flags)?;
    if options.global {
        let message = "regexp_match() does not support the \"global\" option";
        return Err(
            SqlError::new(INVALID_PARAMETER_VALUE, message).with_hint("Use the regexp_matches function instead.")
        );
    }
    first_of(context, value, &*Pattern::compiled(pattern, options)?)
}

fn first_of(context: &FunctionContext<'_>, value: &str, pattern: &Pattern) -> SqlResult<Datum> {
    let found = Search::new(pattern, value).find(0, &|| context.check_interruption())?;
    found.map_or(Ok(Datum::Null), |found| groups(value, &found))
}

#[sql_function("regexp_matches(text, text) -> setof text_array", oid = 2763)]
fn all(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<Rows> {
    all_of(context, value, &Pattern::compiled(pattern, RegexOptions::DEFAULT)?, false)
}

#[sql_function("regexp_matches(text, text, text) -> setof text_array", oid = 2764)]
fn all_flags(context: &mut FunctionContext<'_>, value: &str, pattern: &str, flags: &str) -> SqlResult<Rows> {
    let options = RegexOptions::parse(flags)?;
    all_of(context, value, &Pattern::compiled(pattern, RegexOptions { global: false, ..options })?, options.global)
}

fn all_of(context: &FunctionContext<'_>, value: &str, pattern: &Arc<Pattern>, global: bool) -> SqlResult<Rows> {
    let most = if global { usize::MAX } else { 1 };
    let found = matches(context, value, pattern, most)?;
    let rows = found.iter().map(|found| groups(value, found)).collect::<SqlResult<Vec<Datum>>>()?;
    Ok(Box::new(rows.into_iter().map(Ok)))
}

/// Up to so many matches, from the first on.
fn matches(context: &FunctionContext<'_>, value: &str, pattern: &Pattern, most: usize) -> SqlResult<Vec<Captures>> {
    let search = Search::new(pattern, value);
    let mut all = Vec::new();
    let mut from = 0;
    while all.len() < most {
        context.check_interruption()?;
        let Some(found) = search.find(from, &|| context.check_interruption())? else { break };
        from = after(value, found.whole());
        all.push(found);
    }
    Ok(all)
}

#[sql_function("regexp_split_to_array(text, text) -> text_array", oid = 2767)]
fn split_array(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<Datum> {
    split_array_flags(context, value, pattern, "")
}

#[sql_function("regexp_split_to_array(text, text, text) -> text_array", oid = 2768)]
fn split_array_flags(context: &mut FunctionContext<'_>, value: &str, pattern: &str, flags: &str) -> SqlResult<Datum> {
    let pattern = Pattern::compiled(pattern, flags_without_global(flags, "regexp_split_to_array()")?)?;
    Array::from_elements(oid::TEXT, split(context, value, &pattern)?).map(Datum::array)
}

#[sql_function("regexp_split_to_table(text, text) -> setof text", oid = 2765)]
fn split_rows(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<Rows> {
    split_rows_flags(context, value, pattern, "")
}

#[sql_function("regexp_split_to_table(text, text, text) -> setof text", oid = 2766)]
fn split_rows_flags(context: &mut FunctionContext<'_>, value: &str, pattern: &str, flags: &str) -> SqlResult<Rows> {
    let pattern = Pattern::compiled(pattern, flags_without_global(flags, "regexp_split_to_table()")?)?;
    Ok(Box::new(split(context, value, &pattern)?.into_iter().map(Ok)))
}

/// What stands between the matches. Empty matches at the ends, and right behind another match, do not split.
fn split(context: &FunctionContext<'_>, value: &str, pattern: &Pattern) -> SqlResult<Vec<Datum>> {
    let mut parts = Vec::new();
    let (mut previous_end, mut part_start) = (0, 0);
    for found in matches(context, value, pattern, usize::MAX)? {
        let (start, end) = found.whole();
        if start < value.len() && end > previous_end {
            parts.push(Datum::text(value.get(part_start..start).unwrap_or("")));
            part_start = end;
        }
        previous_end = end;
    }
    parts.push(Datum::text(value.get(part_start..).unwrap_or("")));
    Ok(parts)
}
