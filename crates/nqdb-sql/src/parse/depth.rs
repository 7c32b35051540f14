//! Bounds how deep a statement nests, before anything recursive walks it.
//!
//! A syntax tree is as deep as its parentheses nest plus as its chains of operators are long (`1 + 1 + 1` leans to
//! the left). Both are counted over the tokens, without recursion. What stays below the bound is parsed and bound
//! on a stack that [`with_deep_stack`] lets grow.

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Depth of a statement: nested parentheses, CASEs and prefix operators, plus operators in a chain.
pub const NESTING_MAX: usize = 4_000;

/// `sqlparser` counts several steps per level of nesting.
pub(super) const PARSER_RECURSION_MAX: usize = NESTING_MAX * 4;

/// Left of the stack when recursion goes on a new piece of it, bytes.
const STACK_RED_ZONE_LEN: usize = 256 * 1024;

/// A new piece of stack, bytes; only what is touched costs memory.
const STACK_PIECE_LEN: usize = 4 * 1024 * 1024;

/// Runs a step of a recursion; when the stack is nearly used up, on another piece of it.
pub(crate) fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_RED_ZONE_LEN, STACK_PIECE_LEN, work)
}

/// 54001 `stack depth limit exceeded`.
pub(super) fn too_deep() -> SqlError {
    super::stack_depth_error().with_hint(format!("A statement may nest {NESTING_MAX} levels deep."))
}

/// Refuses tokens that nest deeper than [`NESTING_MAX`].
pub(super) fn check(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    if tokens.len() <= NESTING_MAX {
        return Ok(());
    }
    let mut levels: Vec<Chain> = vec![Chain::default()];
    let mut depth = 0usize;
    for TokenWithSpan { token, .. } in tokens {
        let Some(level) = levels.last_mut() else { return Err(too_deep()) };
        match token {
            Token::LParen | Token::LBracket => {
                levels.push(Chain::default());
                depth += 1;
            }
            Token::RParen | Token::RBracket => {
                if levels.len() > 1 {
                    let chain = levels.pop().unwrap_or_default();
                    depth -= chain.logical + chain.other + 1;
                }
            }
            Token::Comma | Token::SemiColon => {
                depth -= level.logical + level.other;
                *level = Chain::default();
            }
            Token::Word(word) if word.quote_style.is_none() => match word_effect(&word.value) {
                WordEffect::Separates => {
                    depth -= level.logical + level.other;
                    *level = Chain::default();
                }
                WordEffect::Logical => {
                    depth = depth - level.other + 1;
                    level.other = 0;
                    level.logical += 1;
                }
                WordEffect::Operator => {
                    depth += 1;
                    level.other += 1;
                }
                WordEffect::None => {}
            },
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Placeholder(_)
            | Token::Period => {}
            _ => {
                depth += 1;
                level.other += 1;
            }
        }
        if depth > NESTING_MAX {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// Operators of one parenthesis level since its last separator.
#[derive(Clone, Copy, Default)]
struct Chain {
    /// AND and OR: they bind less than all others, so they end a chain of those.
    logical: usize,
    other: usize,
}

enum WordEffect {
    Separates,
    Logical,
    Operator,
    None,
}

fn word_effect(word: &str) -> WordEffect {
    const SEPARATORS: [&str; 10] =
        ["from", "where", "group", "having", "order", "limit", "offset", "values", "set", "on"];
    const OPERATORS: [&str; 19] = [
        "not",
        "is",
        "like",
        "ilike",
        "between",
        "in",
        "case",
        "at",
        "union",
        "except",
        "intersect",
        "join",
        "collate",
        "select",
        "explain",
        "isnull",
        "notnull",
        "similar",
        "prepare",
    ];
    let is_one_of = |words: &[&str]| words.iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
    if is_one_of(&["and", "or"]) {
        WordEffect::Logical
    } else if is_one_of(&SEPARATORS) {
        WordEffect::Separates
    } else if is_one_of(&OPERATORS) {
        WordEffect::Operator
    } else {
        WordEffect::None
    }
}
