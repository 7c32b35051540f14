//! Bracket expressions: `[a-z[:digit:]]`.

use nqdb_sqlstate::SqlResult;

use super::charset::CharSet;
use super::invalid;
use super::lexer::{Escaped, Lexer};
use super::options::Flavour;

/// Reads a bracket expression behind its `[`.
pub(super) fn read(lexer: &mut Lexer<'_>) -> SqlResult<CharSet> {
    let is_complement = lexer.eat("^");
    let mut ranges = Vec::new();
    let mut is_first = true;
    loop {
        let Some(character) = lexer.next_character() else { return Err(unbalanced()) };
        match character {
            ']' if !is_first => break,
            '[' if lexer.eat(":") => ranges.extend_from_slice(class(lexer)?.ranges()),
            '[' if lexer.eat("=") => {
                let code = u32::from(element(lexer, "=]")?);
                ranges.push((code, code));
            }
            _ => match start_point(lexer, character, is_first)? {
                Point::Set(set) => ranges.extend_from_slice(set.ranges()),
                Point::Character(low) => ranges.push((u32::from(low), u32::from(range_end(lexer, low)?))),
            },
        }
        is_first = false;
    }
    let mut set = CharSet::from_ranges(ranges);
    if lexer.options.ignores_case {
        set = set.with_both_cases();
    }
    if is_complement {
        set = set.complement();
        if lexer.options.stops_at_newline {
            set = set.without('\n');
        }
    }
    Ok(set)
}

enum Point {
    Character(char),
    Set(CharSet),
}

/// What a character, or what it begins, stands for.
fn start_point(lexer: &mut Lexer<'_>, character: char, is_first: bool) -> SqlResult<Point> {
    match character {
        '[' if lexer.eat(".") => element(lexer, ".]").map(Point::Character),
        '\\' if lexer.options.flavour == Flavour::Advanced => match lexer.escape(true)? {
            Escaped::Character(character) => Ok(Point::Character(character)),
            Escaped::Set(set) => Ok(Point::Set(set)),
            Escaped::Place(_) | Escaped::BackReference(_) => Err(invalid("invalid escape \\ sequence")),
        },
        // A minus sign is itself at either end.
        '-' if !is_first && !lexer.starts_with("]") => Err(invalid("invalid character range")),
        other => Ok(Point::Character(other)),
    }
}

/// The end of a range that starts with a character: itself when there is none.
fn range_end(lexer: &mut Lexer<'_>, low: char) -> SqlResult<char> {
    if !lexer.starts_with("-") || lexer.starts_with("-]") {
        return Ok(low);
    }
    lexer.eat("-");
    let character = lexer.next_character().ok_or_else(unbalanced)?;
    let high = match character {
        '[' if lexer.starts_with(":") || lexer.starts_with("=") => return Err(invalid("invalid character range")),
        '-' => Point::Character('-'),
        other => start_point(lexer, other, true)?,
    };
    match high {
        Point::Character(high) if high >= low => Ok(high),
        _ => Err(invalid("invalid character range")),
    }
}

/// `[:alpha:]` behind its `[:`.
fn class(lexer: &mut Lexer<'_>) -> SqlResult<CharSet> {
    let name = lexer.until(":]").ok_or_else(unbalanced)?;
    // Where case does not count there is but one of these two.
    let name = match name.as_str() {
        "lower" | "upper" if lexer.options.ignores_case => "alpha",
        other => other,
    };
    CharSet::class(name).ok_or_else(|| invalid("invalid character class"))
}

/// `[.hyphen.]` or `[=a=]` behind its opening: one character or the name of one.
fn element(lexer: &mut Lexer<'_>, closing: &str) -> SqlResult<char> {
    let name = lexer.until(closing).ok_or_else(unbalanced)?;
    let mut characters = name.chars();
    if let (Some(character), None) = (characters.next(), characters.next()) {
        return Ok(character);
    }
    let named = NAMES.iter().find(|(spelling, _)| *spelling == name);
    named.map(|(_, character)| *character).ok_or_else(|| invalid("invalid collating element"))
}

fn unbalanced() -> nqdb_sqlstate::SqlError {
    invalid("brackets [] not balanced")
}

/// POSIX's names of characters that have no letter or digit to be written as.
#[rustfmt::skip]
const NAMES: &[(&str, char)] = &[
    ("NUL", '\0'), ("SOH", '\x01'), ("STX", '\x02'), ("ETX", '\x03'), ("EOT", '\x04'), ("ENQ", '\x05'),
    ("ACK", '\x06'), ("BEL", '\x07'), ("alert", '\x07'), ("BS", '\x08'), ("backspace", '\x08'), ("HT", '\t'),
    ("tab", '\t'), ("LF", '\n'), ("newline", '\n'), ("VT", '\x0b'), ("vertical-tab", '\x0b'), ("FF", '\x0c'),
    ("form-feed", '\x0c'), ("CR", '\r'), ("carriage-return", '\r'), ("SO", '\x0e'), ("SI", '\x0f'), ("DLE", '\x10'),
    ("DC1", '\x11'), ("DC2", '\x12'), ("DC3", '\x13'), ("DC4", '\x14'), ("NAK", '\x15'), ("SYN", '\x16'),
    ("ETB", '\x17'), ("CAN", '\x18'), ("EM", '\x19'), ("SUB", '\x1a'), ("ESC", '\x1b'), ("IS4", '\x1c'), ("FS", '\x1c'),
    ("IS3", '\x1d'), ("GS", '\x1d'), ("IS2", '\x1e'), ("RS", '\x1e'), ("IS1", '\x1f'), ("US", '\x1f'), ("space", ' '),
    ("exclamation-mark", '!'), ("quotation-mark", '"'), ("number-sign", '#'), ("dollar-sign", '$'),
    ("percent-sign", '%'), ("ampersand", '&'), ("apostrophe", '\''), ("left-parenthesis", '('),
    ("right-parenthesis", ')'), ("asterisk", '*'), ("plus-sign", '+'), ("comma", ','), ("hyphen", '-'),
    ("hyphen-minus", '-'), ("period", '.'), ("full-stop", '.'), ("slash", '/'), ("solidus", '/'), ("zero", '0'),
    ("one", '1'), ("two", '2'), ("three", '3'), ("four", '4'), ("five", '5'), ("six", '6'), ("seven", '7'),
    ("eight", '8'), ("nine", '9'), ("colon", ':'), ("semicolon", ';'), ("less-than-sign", '<'), ("equals-sign", '='),
    ("greater-than-sign", '>'), ("question-mark", '?'), ("commercial-at", '@'), ("left-square-bracket", '['),
    ("backslash", '\\'), ("reverse-solidus", '\\'), ("right-square-bracket", ']'), ("circumflex", '^'),
    ("circumflex-accent", '^'), ("underscore", '_'), ("low-line", '_'), ("grave-accent", '`'), ("left-brace", '{'),
    ("left-curly-bracket", '{'), ("vertical-line", '|'), ("right-brace", '}'), ("right-curly-bracket", '}'),
    ("tilde", '~'), ("DEL", '\x7f'),
];
