//! Bounds how deep a statement nests, before anything recursive walks it.
//!
//! A syntax tree is as deep as its parentheses nest plus as its chains of operators are long (`1 + 1 + 1` leans to
//! the left). Both are counted over the tokens, without recursion. So are chains of UNION and the like, which lean to the
//! left too, but have a bound of their own: programs write thousands of them. What stays below the bounds is parsed and
//! bound on a stack that [`with_deep_stack`] lets grow.
//!
//! What is bound is rewritten, planned, explained, executed and dropped by recursion as well, over trees that views and
//! WITH queries make deeper than the text is. How deep they get is the binder's to bound (`bind::levels`), and
//! [`STACK_BYTES`] is what a thread needs for all of it.

use nqdb_sqlstate::{SqlError, SqlResult};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Depth of a statement: nested parentheses, CASEs and prefix operators, plus operators in a chain.
pub const NESTING_MAX: usize = 4_000;

/// Set operations in a row: each holds all that stand before it.
pub const SET_OPERATIONS_MAX: usize = 12_000;

/// Stack of a thread that runs statements, bytes: enough for the deepest tree that the binder lets through, in all that is
/// done with it. Only what is touched costs memory. Code that is not optimized takes several times as much.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 1 << 30 } else { 160 << 20 };

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
    let mut set_operations = 0usize;
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
                    depth -= chain.operators() + 1;
                    set_operations -= chain.set_operations;
                }
            }
            Token::Comma => depth -= level.end_operators(),
            Token::SemiColon => {
                depth -= level.end_operators();
                set_operations -= std::mem::take(&mut level.set_operations);
            }
            Token::Word(word) if word.quote_style.is_none() => match word_effect(&word.value) {
                WordEffect::Separates => depth -= level.end_operators(),
                WordEffect::SetOperation => {
                    depth -= level.end_operators();
                    level.set_operations += 1;
                    set_operations += 1;
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
        if set_operations > SET_OPERATIONS_MAX {
            return Err(super::stack_depth_error()
                .with_hint(format!("A query may have {SET_OPERATIONS_MAX} set operations in a row.")));
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
    /// UNION and the like; they go on behind commas and clauses.
    set_operations: usize,
}

impl Chain {
    fn operators(&self) -> usize {
        self.logical + self.other
    }

    /// Ends the chain of operators; gives how long it was.
    fn end_operators(&mut self) -> usize {
        let length = self.operators();
        (self.logical, self.other) = (0, 0);
        length
    }
}

enum WordEffect {
    Separates,
    SetOperation,
    Logical,
    Operator,
    None,
}

fn word_effect(word: &str) -> WordEffect {
    const SEPARATORS: [&str; 10] =
        ["from", "where", "group", "having", "order", "limit", "offset", "values", "set", "on"];
    const SET_OPERATORS: [&str; 3] = ["union", "except", "intersect"];
    const OPERATORS: [&str; 16] = [
        "not", "is", "like", "ilike", "between", "in", "case", "at", "join", "collate", "select", "explain", "isnull",
        "notnull", "similar", "prepare",
    ];
    let is_one_of = |words: &[&str]| words.iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
    if is_one_of(&["and", "or"]) {
        WordEffect::Logical
    } else if is_one_of(&SEPARATORS) {
        WordEffect::Separates
    } else if is_one_of(&SET_OPERATORS) {
        WordEffect::SetOperation
    } else if is_one_of(&OPERATORS) {
        WordEffect::Operator
    } else {
        WordEffect::None
    }
}
