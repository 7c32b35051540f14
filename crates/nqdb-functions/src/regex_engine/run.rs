//! How far an automaton gets: all its states at once, character by character.

use std::cell::{Cell, RefCell};

use nqdb_sqlstate::SqlResult;

use super::Pattern;
use super::charset::is_word;
use super::program::{Program, State};
use super::tree::Place;

/// Steps between two questions whether the statement may go on.
const STEPS_UNCHECKED: u64 = 1 << 14;

/// A text and what is known of it for one pattern.
pub(super) struct Run<'a> {
    pub pattern: &'a Pattern,
    pub text: &'a [char],
    pub may_go_on: &'a dyn Fn() -> SqlResult<()>,
    steps: Cell<u64>,
    lookarounds: &'a Lookarounds,
}

/// For each lookaround and place: whether it holds there, once that is known.
pub(super) type Lookarounds = RefCell<Vec<Vec<Option<bool>>>>;

/// States that are alive at one place, each once.
struct Alive {
    states: Vec<u32>,
    is_alive: Vec<bool>,
    accepts: bool,
}

impl Alive {
    fn new(program: &Program) -> Alive {
        Alive { states: Vec::new(), is_alive: vec![false; program.states.len()], accepts: false }
    }

    fn clear(&mut self) {
        for state in self.states.drain(..) {
            if let Some(is_alive) = self.is_alive.get_mut(state as usize) {
                *is_alive = false;
            }
        }
        self.accepts = false;
    }
}

impl<'a> Run<'a> {
    pub fn new(
        pattern: &'a Pattern,
        text: &'a [char],
        lookarounds: &'a Lookarounds,
        may_go_on: &'a dyn Fn() -> SqlResult<()>,
    ) -> Run<'a> {
        Run { pattern, text, may_go_on, steps: Cell::new(0), lookarounds }
    }

    /// The last place up to `stop` that the automaton reaches from `begin`.
    pub fn longest(&self, program: &Program, begin: usize, stop: usize) -> SqlResult<Option<usize>> {
        let mut last = None;
        self.advance(program, begin, stop, false, |at| {
            last = Some(at);
            true
        })?;
        Ok(last)
    }

    /// The first place from `least` up to `stop` that the automaton reaches from `begin`.
    pub fn shortest(&self, program: &Program, begin: usize, least: usize, stop: usize) -> SqlResult<Option<usize>> {
        let mut first = None;
        self.advance(program, begin, stop, false, |at| {
            first = (at >= least).then_some(at);
            first.is_none()
        })?;
        Ok(first)
    }

    /// The first place that the automaton reaches when it may start anywhere from `begin` on.
    pub fn first_end(&self, program: &Program, begin: usize) -> SqlResult<Option<usize>> {
        let mut first = None;
        self.advance(program, begin, self.text.len(), true, |at| {
            first = Some(at);
            false
        })?;
        Ok(first)
    }

    /// Tells `reached` of each place where the automaton accepts, until it says false.
    fn advance(
        &self,
        program: &Program,
        begin: usize,
        stop: usize,
        starts_anywhere: bool,
        mut reached: impl FnMut(usize) -> bool,
    ) -> SqlResult<()> {
        let (mut now, mut next) = (Alive::new(program), Alive::new(program));
        let mut pending = Vec::new();
        self.enter(program, &mut now, program.start, begin, &mut pending)?;
        for at in begin..=stop {
            if now.accepts && !reached(at) {
                return Ok(());
            }
            let Some(character) = self.text.get(at).filter(|_| at < stop) else { return Ok(()) };
            self.count(now.states.len() as u64 + 1)?;
            next.clear();
            for state in &now.states {
                if let Some(State::Take(set, target)) = program.states.get(*state as usize)
                    && set.contains(*character)
                {
                    self.enter(program, &mut next, *target, at + 1, &mut pending)?;
                }
            }
            if starts_anywhere {
                self.enter(program, &mut next, program.start, at + 1, &mut pending)?;
            } else if next.states.is_empty() {
                return Ok(());
            }
            std::mem::swap(&mut now, &mut next);
        }
        Ok(())
    }

    /// Adds a state and all that it leads to without a character.
    fn enter(
        &self,
        program: &Program,
        alive: &mut Alive,
        state: u32,
        at: usize,
        pending: &mut Vec<u32>,
    ) -> SqlResult<()> {
        pending.push(state);
        while let Some(state) = pending.pop() {
            match alive.is_alive.get_mut(state as usize) {
                Some(is_alive) if !*is_alive => *is_alive = true,
                _ => continue,
            }
            alive.states.push(state);
            match program.states.get(state as usize) {
                Some(State::Fork(one, other)) => pending.extend([*other, *one]),
                Some(State::At(place, target)) if self.holds(*place, at) => pending.push(*target),
                Some(State::Lookaround(index, target)) if self.looks(*index, at)? => pending.push(*target),
                Some(State::Accept) => alive.accepts = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn holds(&self, place: Place, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.text.get(before)).copied();
        let behind = self.text.get(at).copied();
        let (after_word, before_word) = (before.is_some_and(is_word), behind.is_some_and(is_word));
        match place {
            Place::TextStart => before.is_none(),
            Place::TextEnd => behind.is_none(),
            Place::LineStart => before.is_none_or(|character| character == '\n'),
            Place::LineEnd => behind.is_none_or(|character| character == '\n'),
            Place::WordStart => !after_word && before_word,
            Place::WordEnd => after_word && !before_word,
            Place::WordEdge => after_word != before_word,
            Place::NoWordEdge => after_word == before_word,
        }
    }

    /// Whether a lookaround holds at a place.
    fn looks(&self, index: usize, at: usize) -> SqlResult<bool> {
        let known = self.lookarounds.borrow().get(index).and_then(|places| places.get(at).copied().flatten());
        if let Some(known) = known {
            return Ok(known);
        }
        let Some((lookaround, program)) = self.pattern.lookarounds.get(index) else { return Ok(false) };
        if lookaround.is_ahead {
            let is_found = self.shortest(program, at, at, self.text.len())?.is_some();
            self.remember(index, at, is_found != lookaround.is_negated);
        } else {
            // One pass tells of all places.
            let mut ends = vec![false; self.text.len() + 1];
            self.advance(program, 0, self.text.len(), true, |end| {
                if let Some(is_end) = ends.get_mut(end) {
                    *is_end = true;
                }
                true
            })?;
            for (place, is_end) in ends.into_iter().enumerate() {
                self.remember(index, place, is_end != lookaround.is_negated);
            }
        }
        Ok(self.lookarounds.borrow().get(index).and_then(|places| places.get(at).copied().flatten()).unwrap_or(false))
    }

    fn remember(&self, index: usize, at: usize, holds: bool) {
        if let Some(place) = self.lookarounds.borrow_mut().get_mut(index).and_then(|places| places.get_mut(at)) {
            *place = Some(holds);
        }
    }

    /// Counts steps, and asks now and then whether the statement may go on.
    pub fn count(&self, steps: u64) -> SqlResult<()> {
        let total = self.steps.get() + steps;
        self.steps.set(total);
        if total < STEPS_UNCHECKED {
            return Ok(());
        }
        self.steps.set(0);
        (self.may_go_on)()
    }
}
