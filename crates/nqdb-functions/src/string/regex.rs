//! `~` and its kin, `regexp_replace`, `regexp_like`, `regexp_count`, `regexp_substr`, `substring(text, pattern)`.

use std::cell::RefCell;
use std::collections::HashMap;

use ::regex::{Regex, RegexBuilder};
use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};

use super::length::to_int4;
use super::regex_syntax::{RegexOptions, invalid, translate};
use super::{LEN_MAX, too_long};
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
    &REPLACE,
    &REPLACE_FLAGS,
    &LIKE,
    &LIKE_FLAGS,
    &COUNT,
    &COUNT_FROM,
    &COUNT_FLAGS,
    &SUBSTRING_MATCH,
    &SUBSTR,
];

/// Compiled patterns that a thread keeps.
const CACHED_PATTERNS_MAX: usize = 64;
/// Matches between two looks at whether the statement may go on.
const ROUNDS_UNCHECKED: u32 = 256;
/// Bytes that one compiled pattern may take.
const COMPILED_LEN_MAX: usize = 8 << 20;

thread_local! {
    static COMPILED: RefCell<HashMap<(String, RegexOptions), Regex>> = RefCell::new(HashMap::new());
}

/// The compiled pattern, out of the thread's cache when it was used before. 2201B for an invalid one.
pub(super) fn compiled(pattern: &str, options: RegexOptions) -> SqlResult<Regex> {
    let key = (pattern.to_string(), options);
    if let Some(regex) = COMPILED.with_borrow(|cache| cache.get(&key).cloned()) {
        return Ok(regex);
    }
    let regex = compile(pattern, options)?;
    COMPILED.with_borrow_mut(|cache| {
        if cache.len() >= CACHED_PATTERNS_MAX {
            cache.clear();
        }
        cache.insert(key, regex.clone());
    });
    Ok(regex)
}

fn compile(pattern: &str, options: RegexOptions) -> SqlResult<Regex> {
    let (translated, options) = translate(pattern, options)?;
    RegexBuilder::new(&translated)
        .case_insensitive(options.ignores_case)
        .dot_matches_new_line(!options.stops_at_newline)
        .multi_line(options.multi_line)
        .ignore_whitespace(options.expanded)
        .size_limit(COMPILED_LEN_MAX)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            invalid(if text.contains("unclosed group") || text.contains("unopened group") {
                "parentheses () not balanced"
            } else if text.contains("unclosed character class") {
                "brackets [] not balanced"
            } else if text.contains("invalid character class range") {
                "invalid character range"
            } else if text.contains("counted repetition") || text.contains("repetition quantifier") {
                "invalid repetition count(s)"
            } else if text.contains("repetition operator") {
                "quantifier operand invalid"
            } else {
                "regular expression is too complex"
            })
        })
}

fn matches(value: &str, pattern: &str, ignores_case: bool) -> SqlResult<bool> {
    Ok(compiled(pattern, RegexOptions { ignores_case, ..RegexOptions::DEFAULT })?.is_match(value))
}

macro_rules! match_family {
    ($module:ident; $matches:literal $matches_oid:literal, $not:literal $not_oid:literal,
     $imatches:literal $imatches_oid:literal, $inot:literal $inot_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($matches, oid = $matches_oid)]
            fn matches(value: &str, pattern: &str) -> SqlResult<bool> {
                super::matches(value, pattern, false)
            }
            #[sql_function($not, oid = $not_oid)]
            fn matches_not(value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::matches(value, pattern, false)?)
            }
            #[sql_function($imatches, oid = $imatches_oid)]
            fn imatches(value: &str, pattern: &str) -> SqlResult<bool> {
                super::matches(value, pattern, true)
            }
            #[sql_function($inot, oid = $inot_oid)]
            fn imatches_not(value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::matches(value, pattern, true)?)
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

/// Replaces the first match, or all. In the replacement `\1` to `\9` are the groups, `\&` the match, `\\` one `\`.
fn replaced(
    context: &FunctionContext<'_>,
    value: &str,
    regex: &Regex,
    replacement: &str,
    all: bool,
) -> SqlResult<String> {
    let mut out = String::with_capacity(value.len());
    let (mut copied, mut from, mut rounds) = (0, 0, 0_u32);
    while from <= value.len() {
        rounds += 1;
        if rounds % ROUNDS_UNCHECKED == 0 {
            context.check_interruption()?;
            context.admit_bytes(out.len())?;
        }
        let Some(groups) = regex.captures_at(value, from) else { break };
        let Some(whole) = groups.get(0) else { break };
        out.push_str(&value[copied..whole.start()]);
        let mut characters = replacement.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                out.push(character);
                continue;
            }
            match characters.next() {
                Some('&') => out.push_str(whole.as_str()),
                Some('\\') => out.push('\\'),
                Some(digit @ '1'..='9') => {
                    let group = digit.to_digit(10).and_then(|number| groups.get(number as usize));
                    out.push_str(group.map_or("", |group| group.as_str()));
                }
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            }
        }
        if out.len() > LEN_MAX {
            return Err(too_long());
        }
        copied = whole.end();
        // An empty match may follow another match at once, but not itself.
        from = match whole.is_empty() {
            true => copied + value[copied..].chars().next().map_or(1, char::len_utf8),
            false => copied,
        };
        if !all {
            break;
        }
    }
    out.push_str(&value[copied..]);
    Ok(out)
}

#[sql_function("regexp_replace(text, text, text) -> text", oid = 2284)]
fn replace(context: &mut FunctionContext<'_>, value: &str, pattern: &str, replacement: &str) -> SqlResult<String> {
    replaced(context, value, &compiled(pattern, RegexOptions::DEFAULT)?, replacement, false)
}

#[sql_function("regexp_replace(text, text, text, text) -> text", oid = 2285)]
fn replace_flags(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    replacement: &str,
    flags: &str,
) -> SqlResult<String> {
    if flags.starts_with(|first: char| first.is_ascii_digit()) {
        let first = flags.chars().next().unwrap_or('0');
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid regular expression option: \"{first}\""))
            .with_hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly."));
    }
    let options = RegexOptions::parse(flags)?;
    let regex = compiled(pattern, RegexOptions { global: false, ..options })?;
    replaced(context, value, &regex, replacement, options.global)
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

#[sql_function("regexp_like(text, text) -> bool", oid = 6263)]
fn like(value: &str, pattern: &str) -> SqlResult<bool> {
    matches(value, pattern, false)
}

#[sql_function("regexp_like(text, text, text) -> bool", oid = 6264)]
fn like_flags(value: &str, pattern: &str, flags: &str) -> SqlResult<bool> {
    Ok(compiled(pattern, flags_without_global(flags, "regexp_like()")?)?.is_match(value))
}

#[sql_function("regexp_count(text, text) -> int4", oid = 6254)]
fn count(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<i32> {
    count_from(context, value, pattern, 1)
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
    if start <= 0 {
        let message = format!("invalid value for parameter \"start\": {start}");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    let regex = compiled(pattern, flags_without_global(flags, "regexp_count()")?)?;
    let Some((offset, _)) = value.char_indices().chain([(value.len(), ' ')]).nth(start as usize - 1) else {
        return Ok(0);
    };
    let mut count = 0;
    let mut at = offset;
    while let Some(found) = value.get(at..).and_then(|_| regex.find_at(value, at)) {
        count += 1;
        if count % ROUNDS_UNCHECKED as usize == 0 {
            context.check_interruption()?;
        }
        at = if found.is_empty() {
            found.end() + value[found.end()..].chars().next().map_or(1, char::len_utf8)
        } else {
            found.end()
        };
    }
    to_int4(count)
}

/// The first parenthesized group of the first match, or the whole match if the pattern has no groups.
#[sql_function("substring(text, text) -> text", oid = 2073)]
fn substring_match<'a>(value: &'a str, pattern: &str) -> SqlResult<Option<&'a str>> {
    let regex = compiled(pattern, RegexOptions::DEFAULT)?;
    let group = usize::from(regex.captures_len() > 1);
    Ok(regex.captures(value).and_then(|groups| groups.get(group)).map(|found| found.as_str()))
}

/// The first match.
#[sql_function("regexp_substr(text, text) -> text", oid = 6265)]
fn substr<'a>(value: &'a str, pattern: &str) -> SqlResult<Option<&'a str>> {
    Ok(compiled(pattern, RegexOptions::DEFAULT)?.find(value).map(|found| found.as_str()))
}
