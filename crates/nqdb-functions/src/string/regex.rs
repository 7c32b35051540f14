//! Functions over regular expressions that look for one match or count them: `~` and its kin, `regexp_like`,
//! `regexp_count`, `regexp_instr`, `regexp_substr`, `substring(text, pattern)` (manual 9.7.3).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};

use super::length::to_int4;
use crate::regex_engine::{Captures, Pattern, RegexOptions, Search};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &text::MATCHES,
    &text::MATCHES_NOT,
    &text::IMATCHES,
    &text::IMATCHES_NOT,
    &bpchar::MATCHES,
    &bpchar::MATCHES_NOT,
    &bpchar::IMATCHES,
    &bpchar::IMATCHES_NOT,
    &name::MATCHES,
    &name::MATCHES_NOT,
    &name::IMATCHES,
    &name::IMATCHES_NOT,
    &LIKE,
    &LIKE_FLAGS,
    &COUNT,
    &COUNT_FROM,
    &COUNT_FLAGS,
    &INSTR,
    &INSTR_FROM,
    &INSTR_NTH,
    &INSTR_END,
    &INSTR_FLAGS,
    &INSTR_GROUP,
    &SUBSTRING_MATCH,
    &SUBSTR,
    &SUBSTR_FROM,
    &SUBSTR_NTH,
    &SUBSTR_FLAGS,
    &SUBSTR_GROUP,
];

fn matches(context: &FunctionContext<'_>, value: &str, pattern: &str, ignores_case: bool) -> SqlResult<bool> {
    let pattern = Pattern::compiled(pattern, RegexOptions { ignores_case, ..RegexOptions::DEFAULT })?;
    pattern.is_match(value, &|| context.check_interruption())
}

macro_rules! match_family {
    ($module:ident; $matches:literal $matches_oid:literal, $not:literal $not_oid:literal,
     $imatches:literal $imatches_oid:literal, $inot:literal $inot_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($matches, oid = $matches_oid)]
            fn matches(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                super::matches(context, value, pattern, false)
            }
            #[sql_function($not, oid = $not_oid)]
            fn matches_not(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::matches(context, value, pattern, false)?)
            }
            #[sql_function($imatches, oid = $imatches_oid)]
            fn imatches(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                super::matches(context, value, pattern, true)
            }
            #[sql_function($inot, oid = $inot_oid)]
            fn imatches_not(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::matches(context, value, pattern, true)?)
            }
        }
    };
}

match_family! { text;
    "textregexeq(text, text) -> bool" 1254, "textregexne(text, text) -> bool" 1256,
    "texticregexeq(text, text) -> bool" 1238, "texticregexne(text, text) -> bool" 1239,
}
match_family! { bpchar;
    "bpcharregexeq(bpchar, text) -> bool" 1658, "bpcharregexne(bpchar, text) -> bool" 1659,
    "bpcharicregexeq(bpchar, text) -> bool" 1656, "bpcharicregexne(bpchar, text) -> bool" 1657,
}
match_family! { name;
    "nameregexeq(name, text) -> bool" 79, "nameregexne(name, text) -> bool" 1252,
    "nameicregexeq(name, text) -> bool" 1240, "nameicregexne(name, text) -> bool" 1241,
}

/// Flags of a function that does not take `g`.
pub(super) fn flags_without_global(flags: &str, function: &str) -> SqlResult<RegexOptions> {
    let options = RegexOptions::parse(flags)?;
    if options.global {
        let message = format!("{function} does not support the \"global\" option");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    Ok(options)
}

/// An argument that must be `least` at least; 22023 otherwise.
pub(super) fn at_least(least: i32, name: &str, value: i32) -> SqlResult<usize> {
    usize::try_from(value).ok().filter(|_| value >= least).ok_or_else(|| {
        SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": {value}"))
    })
}

/// The byte of the `start`-th character; that of the end for the one behind it, and none beyond.
pub(super) fn byte_of_start(value: &str, start: usize) -> Option<usize> {
    value.char_indices().map(|(offset, _)| offset).chain([value.len()]).nth(start.checked_sub(1)?)
}

/// Where the search behind a match starts: an empty match may follow another match at once, but not itself.
pub(super) fn after(value: &str, (start, end): (usize, usize)) -> usize {
    match start == end {
        true => end + value.get(end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
        false => end,
    }
}

/// Counts matches from a byte on, up to `most` of them; gives the last one too.
fn walk(
    context: &FunctionContext<'_>,
    value: &str,
    pattern: &Pattern,
    from: usize,
    most: usize,
) -> SqlResult<(usize, Option<Captures>)> {
    let search = Search::new(pattern, value);
    let (mut count, mut last, mut from) = (0, None, from);
    while count < most {
        context.check_interruption()?;
        let Some(found) = search.find(from, &|| context.check_interruption())? else { break };
        count += 1;
        from = after(value, found.whole());
        last = Some(found);
    }
    Ok((count, last))
}

#[sql_function("regexp_like(text, text) -> bool", oid = 6263)]
fn like(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    matches(context, value, pattern, false)
}

#[sql_function("regexp_like(text, text, text) -> bool", oid = 6264)]
fn like_flags(context: &mut FunctionContext<'_>, value: &str, pattern: &str, flags: &str) -> SqlResult<bool> {
    let pattern = Pattern::compiled(pattern, flags_without_global(flags, "regexp_like()")?)?;
    pattern.is_match(value, &|| context.check_interruption())
}

#[sql_function("regexp_count(text, text) -> int4", oid = 6254)]
fn count(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<i32> {
    count_flags(context, value, pattern, 1, "")
}

#[sql_function("regexp_count(text, text, int4) -> int4", oid = 6255)]
fn count_from(context: &mut FunctionContext<'_>, value: &str, pattern: &str, start: i32) -> SqlResult<i32> {
    count_flags(context, value, pattern, start, "")
}

#[sql_function("regexp_count(text, text, int4, text) -> int4", oid = 6256)]
fn count_flags(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    start: i32,
    flags: &str,
) -> SqlResult<i32> {
    let start = at_least(1, "start", start)?;
    let pattern = Pattern::compiled(pattern, flags_without_global(flags, "regexp_count()")?)?;
    let Some(from) = byte_of_start(value, start) else { return Ok(0) };
    to_int4(walk(context, value, &pattern, from, usize::MAX)?.0)
}

/// The stretch of the n-th match from a place on: of a group, or of the whole for group 0.
struct NthMatch<'a> {
    start: i32,
    nth: i32,
    flags: &'a str,
    group: i32,
}

impl NthMatch<'_> {
    const FIRST: NthMatch<'static> = NthMatch { start: 1, nth: 1, flags: "", group: 0 };

    fn find(
        &self,
        context: &FunctionContext<'_>,
        value: &str,
        pattern: &str,
        function: &str,
        check: impl Fn() -> SqlResult<()>,
    ) -> SqlResult<Option<(usize, usize)>> {
        let start = at_least(1, "start", self.start)?;
        let nth = at_least(1, "n", self.nth)?;
        check()?;
        let group = at_least(0, "subexpr", self.group)?;
        let pattern = Pattern::compiled(pattern, flags_without_global(self.flags, function)?)?;
        let Some(from) = byte_of_start(value, start).filter(|_| group <= pattern.group_count().max(1)) else {
            return Ok(None);
        };
        let (count, last) = walk(context, value, &pattern, from, nth)?;
        // A pattern without groups is one itself.
        let group = group.min(pattern.group_count());
        Ok(last.filter(|_| count == nth).and_then(|found| found.group(group)))
    }
}

fn position(
    context: &FunctionContext<'_>,
    value: &str,
    pattern: &str,
    wanted: &NthMatch<'_>,
    endoption: i32,
) -> SqlResult<i32> {
    let check = || match endoption {
        0 | 1 => Ok(()),
        _ => Err(SqlError::new(
            INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"endoption\": {endoption}"),
        )),
    };
    let Some((start, end)) = wanted.find(context, value, pattern, "regexp_instr()", check)? else { return Ok(0) };
    let byte = if endoption == 1 { end } else { start };
    to_int4(value.get(..byte).map_or(0, |before| before.chars().count()) + 1)
}

#[sql_function("regexp_instr(text, text) -> int4", oid = 6257)]
fn instr(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch::FIRST, 0)
}

#[sql_function("regexp_instr(text, text, int4) -> int4", oid = 6258)]
fn instr_from(context: &mut FunctionContext<'_>, value: &str, pattern: &str, start: i32) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch { start, ..NthMatch::FIRST }, 0)
}

#[sql_function("regexp_instr(text, text, int4, int4) -> int4", oid = 6259)]
fn instr_nth(context: &mut FunctionContext<'_>, value: &str, pattern: &str, start: i32, nth: i32) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch { start, nth, ..NthMatch::FIRST }, 0)
}

#[sql_function("regexp_instr(text, text, int4, int4, int4) -> int4", oid = 6260)]
fn instr_end(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    endoption: i32,
) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch { start, nth, ..NthMatch::FIRST }, endoption)
}

#[sql_function("regexp_instr(text, text, int4, int4, int4, text) -> int4", oid = 6261)]
fn instr_flags(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    endoption: i32,
    flags: &str,
) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch { start, nth, flags, group: 0 }, endoption)
}

#[expect(clippy::too_many_arguments, reason = "they are the SQL function's")]
#[sql_function("regexp_instr(text, text, int4, int4, int4, text, int4) -> int4", oid = 6262)]
fn instr_group(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    endoption: i32,
    flags: &str,
    group: i32,
) -> SqlResult<i32> {
    position(context, value, pattern, &NthMatch { start, nth, flags, group }, endoption)
}

fn part<'a>(
    context: &FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    wanted: &NthMatch<'_>,
) -> SqlResult<Option<&'a str>> {
    let found = wanted.find(context, value, pattern, "regexp_substr()", || Ok(()))?;
    Ok(found.and_then(|(start, end)| value.get(start..end)))
}

/// The first match.
#[sql_function("regexp_substr(text, text) -> text", oid = 6265)]
fn substr<'a>(context: &mut FunctionContext<'_>, value: &'a str, pattern: &str) -> SqlResult<Option<&'a str>> {
    part(context, value, pattern, &NthMatch::FIRST)
}

#[sql_function("regexp_substr(text, text, int4) -> text", oid = 6266)]
fn substr_from<'a>(
    context: &mut FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    start: i32,
) -> SqlResult<Option<&'a str>> {
    part(context, value, pattern, &NthMatch { start, ..NthMatch::FIRST })
}

#[sql_function("regexp_substr(text, text, int4, int4) -> text", oid = 6267)]
fn substr_nth<'a>(
    context: &mut FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    start: i32,
    nth: i32,
) -> SqlResult<Option<&'a str>> {
    part(context, value, pattern, &NthMatch { start, nth, ..NthMatch::FIRST })
}

#[sql_function("regexp_substr(text, text, int4, int4, text) -> text", oid = 6268)]
fn substr_flags<'a>(
    context: &mut FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    start: i32,
    nth: i32,
    flags: &str,
) -> SqlResult<Option<&'a str>> {
    part(context, value, pattern, &NthMatch { start, nth, flags, group: 0 })
}

#[sql_function("regexp_substr(text, text, int4, int4, text, int4) -> text", oid = 6269)]
fn substr_group<'a>(
    context: &mut FunctionContext<'_>,
    value: &'a str,
    pattern: &str,
    start: i32,
    nth: i32,
    flags: &str,
    group: i32,
) -> SqlResult<Option<&'a str>> {
    part(context, value, pattern, &NthMatch { start, nth, flags, group })
}

/// The first parenthesized group of the first match, or the whole match if the pattern has no groups.
#[sql_function("substring(text, text) -> text", oid = 2073)]
fn substring_match<'a>(context: &mut FunctionContext<'_>, value: &'a str, pattern: &str) -> SqlResult<Option<&'a str>> {
    let pattern = Pattern::compiled(pattern, RegexOptions::DEFAULT)?;
    let found = Search::new(&pattern, value).find(0, &|| context.check_interruption())?;
    let stretch = found.and_then(|found| found.group(usize::from(pattern.group_count() > 0)));
    Ok(stretch.and_then(|(start, end)| value.get(start..end)))
}
