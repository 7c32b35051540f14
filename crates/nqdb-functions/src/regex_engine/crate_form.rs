//! A language in the syntax of the `regex` crate. It is written out with nothing but escaped code points, so that no
//! setting of the crate and no character with a meaning of its own can change it.

use std::fmt::Write;

use ::regex::{Regex, RegexBuilder};

use super::tree::{Language, Place};

/// Bytes that one compiled pattern may take.
const COMPILED_LEN_MAX: usize = 4 << 20;
/// Characters that a pattern may take in the crate's syntax.
const PATTERN_LEN_MAX: usize = 64 << 10;

/// The crate's automaton for the language; `None` where the crate cannot express it or finds it too large.
pub(super) fn compile(language: &Language) -> Option<Regex> {
    let mut pattern = String::new();
    write_language(&mut pattern, language)?;
    RegexBuilder::new(&pattern).size_limit(COMPILED_LEN_MAX).build().ok()
}

fn write_language(out: &mut String, language: &Language) -> Option<()> {
    if out.len() > PATTERN_LEN_MAX {
        return None;
    }
    match language {
        Language::Empty => out.push_str("(?:)"),
        Language::Set(set) if set.ranges().is_empty() => out.push_str("[a&&b]"),
        Language::Set(set) => {
            out.push('[');
            for (low, high) in set.ranges() {
                write!(out, "\\x{{{low:X}}}-\\x{{{high:X}}}").ok()?;
            }
            out.push(']');
        }
        Language::Sequence(parts) => {
            out.push_str("(?:");
            parts.iter().try_for_each(|part| write_language(out, part))?;
            out.push(')');
        }
        Language::Either(parts) => {
            out.push_str("(?:");
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                write_language(out, part)?;
            }
            out.push(')');
        }
        Language::Repeated { what, min, max } => {
            out.push_str("(?:");
            write_language(out, what)?;
            match max {
                Some(max) => write!(out, "){{{min},{max}}}").ok()?,
                None => write!(out, "){{{min},}}").ok()?,
            }
        }
        Language::At(place) => out.push_str(match place {
            Place::TextStart => "\\A",
            Place::TextEnd => "\\z",
            Place::LineStart => "(?m:^)",
            Place::LineEnd => "(?m:$)",
            Place::WordStart => "(?-u:\\b{start})",
            Place::WordEnd => "(?-u:\\b{end})",
            Place::WordEdge => "(?-u:\\b)",
            // The crate's opposite of it may match within a character.
            Place::NoWordEdge => return None,
        }),
        Language::Lookaround(_) => return None,
    }
    Some(())
}
