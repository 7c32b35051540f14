//! `regexp_replace` in its five forms.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};

use super::regex::{after, at_least, byte_of_start};
use super::{LEN_MAX, too_long};
use crate::regex_engine::{Captures, Pattern, RegexOptions, Search};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&REPLACE, &REPLACE_FLAGS, &REPLACE_FROM, &REPLACE_NTH, &REPLACE_NTH_FLAGS];

/// What is replaced.
struct Extent {
    /// The character at which the search starts, from 1.
    start: usize,
    /// Which match, from 1; 0 for all of them.
    nth: usize,
}

/// A replacement text in pieces.
enum Piece<'a> {
    Text(&'a str),
    /// A group, or the whole match for 0.
    Group(usize),
}

/// In a replacement `\1` to `\9` are the groups, `\&` the match, `\\` one `\`.
fn pieces(replacement: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        let (piece, len) = match escape.as_bytes().get(1) {
            Some(b'&') => (Piece::Group(0), 2),
            Some(digit @ b'1'..=b'9') => (Piece::Group(usize::from(digit - b'0')), 2),
            Some(b'\\') => (Piece::Text("\\"), 2),
            _ => (Piece::Text("\\"), 1),
        };
        pieces.push(piece);
        rest = escape.get(len..).unwrap_or("");
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn put_replacement(out: &mut String, value: &str, pieces: &[Piece<'_>], found: &Captures) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Group(group) => {
                let stretch = found.group(*group).and_then(|(start, end)| value.get(start..end));
                out.push_str(stretch.unwrap_or(""));
            }
        }
    }
}

fn replaced(
    context: &FunctionContext<'_>,
    value: &str,
    pattern: &Pattern,
    replacement: &str,
    extent: &Extent,
) -> SqlResult<String> {
    let pieces = pieces(replacement);
    let search = Search::new(pattern, value);
    let mut out = String::with_capacity(value.len());
    let (mut copied, mut from, mut count) = (0, byte_of_start(value, extent.start), 0);
    while let Some(start) = from {
        let Some(found) = search.find(start, &|| context.check_interruption())? else { break };
        let whole = found.whole();
        from = Some(after(value, whole)).filter(|from| *from <= value.len());
        count += 1;
        if extent.nth > 0 && count < extent.nth {
            continue;
        }
        context.check_interruption()?;
        context.admit_bytes(out.len())?;
        out.push_str(value.get(copied..whole.0).unwrap_or(""));
        put_replacement(&mut out, value, &pieces, &found);
        copied = whole.1;
        if out.len() > LEN_MAX {
            return Err(too_long());
        }
        if extent.nth > 0 {
            break;
        }
    }
    out.push_str(value.get(copied..).unwrap_or(""));
    Ok(out)
}

#[sql_function("regexp_replace(text, text, text) -> text", oid = 2284)]
fn replace(context: &mut FunctionContext<'_>, value: &str, pattern: &str, replacement: &str) -> SqlResult<String> {
    let pattern = Pattern::compiled(pattern, RegexOptions::DEFAULT)?;
    replaced(context, value, &pattern, replacement, &Extent { start: 1, nth: 1 })
}

#[sql_function("regexp_replace(text, text, text, text) -> text", oid = 2285)]
fn replace_flags(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    replacement: &str,
    flags: &str,
) -> SqlResult<String> {
    if let Some(digit) = flags.chars().next().filter(char::is_ascii_digit) {
        let message = format!("invalid regular expression option: \"{digit}\"");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).with_hint(
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
        ));
    }
    let options = RegexOptions::parse(flags)?;
    let pattern = Pattern::compiled(pattern, RegexOptions { global: false, ..options })?;
    replaced(context, value, &pattern, replacement, &Extent { start: 1, nth: usize::from(!options.global) })
}

#[sql_function("regexp_replace(text, text, text, int4) -> text", oid = 6253)]
fn replace_from(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
) -> SqlResult<String> {
    replace_nth(context, value, pattern, replacement, start, 1)
}

#[sql_function("regexp_replace(text, text, text, int4, int4) -> text", oid = 6252)]
fn replace_nth(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
    nth: i32,
) -> SqlResult<String> {
    replace_nth_flags(context, value, pattern, replacement, start, nth, "")
}

/// The flag `g` has no meaning beside `nth` and is left.
#[sql_function("regexp_replace(text, text, text, int4, int4, text) -> text", oid = 6251)]
fn replace_nth_flags(
    context: &mut FunctionContext<'_>,
    value: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
    nth: i32,
    flags: &str,
) -> SqlResult<String> {
    let extent = Extent { start: at_least(1, "start", start)?, nth: at_least(0, "n", nth)? };
    let options = RegexOptions::parse(flags)?;
    let pattern = Pattern::compiled(pattern, RegexOptions { global: false, ..options })?;
    replaced(context, value, &pattern, replacement, &extent)
}
