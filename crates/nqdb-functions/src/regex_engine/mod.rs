//! PostgreSQL's regular expressions (manual 9.7.3): "advanced" ones after Henry Spencer.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | flags and `(?xyz)` |
//! | `lexer`, `bracket`, `charset` | the pattern's tokens, sets of characters |
//! | `parser`, `tree` | tokens as a tree of what must be told apart, each node with the language it matches |
//! | `program` | a language as a nondeterministic automaton |
//! | `crate_form` | a language in the syntax of the `regex` crate, where it has one |
//! | `run` | how far an automaton gets from a place |
//! | `dissect` | which part of a match belongs to which group |
//! | `search` | where the match is |
//!
//! What a pattern means is more than its language: which of several matches counts. It is the one that starts first;
//! of those the longest, or the shortest when the pattern as a whole prefers less (manual 9.7.3.5). Then its parts are
//! given theirs from left to right, each as much or as little as it prefers, as long as the rest still matches.
//!
//! What always holds:
//!
//! 1. Whether there is a match, and where the first one starts, depends on the language only. So these two questions go to
//!    the `regex` crate, which answers them in linear time, wherever it can express the language; all others are
//!    answered here.
//! 2. Automata are run without backtracking, in time proportional to the text times their states. Only the search for
//!    groups goes back, and only where a back reference or a repeated group demands it; it asks the session
//!    whether it may go on.
//! 3. Letters, digits and case are those of the C collation: ASCII's.
//!
//! Left out: "basic" regular expressions (flag `b`), which are refused.

mod bracket;
mod charset;
mod crate_form;
mod dissect;
mod lexer;
mod options;
mod parser;
mod program;
mod run;
mod search;
mod tree;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use nqdb_sqlstate::{INVALID_REGULAR_EXPRESSION, SqlError, SqlResult};

pub(crate) use options::{Flavour, RegexOptions};
pub(crate) use search::{Captures, Search};

use program::Program;
use tree::{Language, Lookaround, Node};

/// Compiled patterns that a thread keeps.
const CACHED_PATTERNS_MAX: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<(String, RegexOptions), Arc<Pattern>>> = RefCell::new(HashMap::new());
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    nodes: Vec<Node>,
    root: usize,
    /// One automaton for each node.
    programs: Vec<Program>,
    lookarounds: Vec<(Lookaround, Program)>,
    /// Parenthesized groups that capture.
    group_count: usize,
    ignores_case: bool,
    has_back_references: bool,
    /// The same language in the `regex` crate's hands.
    linear: Option<::regex::Regex>,
}

impl Pattern {
    /// The compiled pattern, out of the thread's cache when it was used before. 2201B for an invalid one.
    pub(crate) fn compiled(pattern: &str, options: RegexOptions) -> SqlResult<Arc<Pattern>> {
        let key = (pattern.to_string(), options);
        if let Some(compiled) = COMPILED.with_borrow(|cache| cache.get(&key).cloned()) {
            return Ok(compiled);
        }
        let compiled = Arc::new(Pattern::compile(pattern, options)?);
        COMPILED.with_borrow_mut(|cache| {
            if cache.len() >= CACHED_PATTERNS_MAX {
                cache.clear();
            }
            cache.insert(key, compiled.clone());
        });
        Ok(compiled)
    }

    fn compile(pattern: &str, options: RegexOptions) -> SqlResult<Pattern> {
        let parsed = parser::parse(pattern, options)?;
        let mut states_left = program::STATES_MAX;
        let mut assemble = |language: &Language| Program::assemble(language, &mut states_left);
        let programs = parsed.nodes.iter().map(|node| assemble(&node.language)).collect::<SqlResult<Vec<_>>>()?;
        let mut lookarounds = Vec::with_capacity(parsed.lookarounds.len());
        for lookaround in parsed.lookarounds {
            let program = assemble(&lookaround.language)?;
            lookarounds.push((lookaround, program));
        }
        let linear = parsed.nodes.get(parsed.root).and_then(|root| crate_form::compile(&root.language));
        let linear = linear.filter(|_| !parsed.has_back_references && lookarounds.is_empty());
        Ok(Pattern {
            nodes: parsed.nodes,
            root: parsed.root,
            programs,
            lookarounds,
            group_count: parsed.group_count,
            ignores_case: parsed.ignores_case,
            has_back_references: parsed.has_back_references,
            linear,
        })
    }

    /// How many parenthesized groups capture.
    pub(crate) fn group_count(&self) -> usize {
        self.group_count
    }

    /// Whether the text holds a match. `may_go_on` is asked every few thousand steps.
    pub(crate) fn is_match(&self, text: &str, may_go_on: &dyn Fn() -> SqlResult<()>) -> SqlResult<bool> {
        if let Some(linear) = &self.linear {
            return Ok(linear.is_match(text));
        }
        Ok(Search::new(self, text).find(0, may_go_on)?.is_some())
    }
}

/// "invalid regular expression: .." (2201B).
pub(crate) fn invalid(reason: &str) -> SqlError {
    SqlError::new(INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"))
}

#[cold]
fn too_complex() -> SqlError {
    invalid("regular expression is too complex")
}

#[cfg(test)]
mod tests;
