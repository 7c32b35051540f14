//! A language as a nondeterministic automaton (Thompson, 1968).

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;

use super::charset::CharSet;
use super::too_complex;
use super::tree::{Language, Place};

/// States of all automata of one pattern together.
pub(super) const STATES_MAX: usize = 100_000;

/// A state.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Takes one character of the set.
    Take(Arc<CharSet>, u32),
    /// Goes both ways.
    Fork(u32, u32),
    /// Goes on if the condition holds.
    At(Place, u32),
    Lookaround(usize, u32),
    Accept,
}

/// States; the automaton starts in the last one.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub states: Vec<State>,
    pub start: u32,
}

impl Program {
    /// Builds the automaton from its end to its start; 2201B when the pattern has too many states.
    pub fn assemble(language: &Language, states_left: &mut usize) -> SqlResult<Program> {
        let mut assembly = Assembly { states: Vec::new(), states_left };
        let accept = assembly.add(State::Accept)?;
        let start = assembly.language(language, accept)?;
        Ok(Program { states: assembly.states, start })
    }
}

struct Assembly<'a> {
    states: Vec<State>,
    states_left: &'a mut usize,
}

impl Assembly<'_> {
    fn add(&mut self, state: State) -> SqlResult<u32> {
        *self.states_left = self.states_left.checked_sub(1).ok_or_else(too_complex)?;
        self.states.push(state);
        Ok(self.states.len() as u32 - 1)
    }

    /// The state from which the language leads to `next`.
    fn language(&mut self, language: &Language, next: u32) -> SqlResult<u32> {
        match language {
            Language::Empty => Ok(next),
            Language::Set(set) => self.add(State::Take(set.clone(), next)),
            Language::Sequence(parts) => parts.iter().rev().try_fold(next, |next, part| self.language(part, next)),
            Language::Either(parts) => {
                let mut entry = None;
                for part in parts.iter().rev() {
                    let start = self.language(part, next)?;
                    entry = Some(match entry {
                        None => start,
                        Some(others) => self.add(State::Fork(start, others))?,
                    });
                }
                Ok(entry.unwrap_or(next))
            }
            Language::Repeated { what, min, max } => self.repeated(what, *min, *max, next),
            Language::At(place) => self.add(State::At(*place, next)),
            Language::Lookaround(index) => self.add(State::Lookaround(*index, next)),
        }
    }

    fn repeated(&mut self, what: &Language, min: u32, max: Option<u32>, next: u32) -> SqlResult<u32> {
        let mut entry = next;
        match max {
            // A loop: its fork is made first and led back to when the loop's body is known.
            None => {
                let fork = self.add(State::Fork(next, next))?;
                let body = self.language(what, fork)?;
                if let Some(state) = self.states.get_mut(fork as usize) {
                    *state = State::Fork(body, next);
                }
                entry = fork;
            }
            Some(max) => {
                for _ in min..max {
                    let body = self.language(what, entry)?;
                    entry = self.add(State::Fork(body, next))?;
                }
            }
        }
        for _ in 0..min {
            entry = self.language(what, entry)?;
        }
        Ok(entry)
    }
}
