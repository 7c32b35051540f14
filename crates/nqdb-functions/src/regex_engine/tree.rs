//! What a pattern is once parsed.
//!
//! A [`Language`] says which texts match. A [`Node`] says what must be told apart beyond that: groups, back references,
//! and parts whose preferences (more or less) differ. Whatever holds nothing of this is one [`Shape::Plain`] node. The
//! rules by which preferences combine are those of the manual's section 9.7.3.5.

use std::sync::Arc;

use super::charset::CharSet;

/// A set of texts, in their surroundings.
#[derive(Clone, Debug)]
pub(super) enum Language {
    Empty,
    Set(Arc<CharSet>),
    Sequence(Vec<Arc<Language>>),
    Either(Vec<Arc<Language>>),
    Repeated {
        what: Arc<Language>,
        min: u32,
        max: Option<u32>,
    },
    At(Place),
    /// An index into the pattern's lookarounds.
    Lookaround(usize),
}

/// A condition on a place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordStart,
    WordEnd,
    WordEdge,
    NoWordEdge,
}

/// `(?=x)` and its kin.
#[derive(Clone, Debug)]
pub(super) struct Lookaround {
    pub language: Arc<Language>,
    pub is_ahead: bool,
    pub is_negated: bool,
}

/// What a node prefers of several possible lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preference {
    More,
    Less,
}

/// What holds of a node and of what is below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub prefers_more: bool,
    pub prefers_less: bool,
    /// Parts below it prefer otherwise than each other.
    pub is_mixed: bool,
    pub captures: bool,
    pub refers_back: bool,
}

impl Traits {
    pub fn preferring(preference: Option<Preference>) -> Traits {
        Traits {
            prefers_more: preference == Some(Preference::More),
            prefers_less: preference == Some(Preference::Less),
            ..Traits::default()
        }
    }

    pub fn union(self, other: Traits) -> Traits {
        Traits {
            prefers_more: self.prefers_more || other.prefers_more,
            prefers_less: self.prefers_less || other.prefers_less,
            is_mixed: self.is_mixed || other.is_mixed,
            captures: self.captures || other.captures,
            refers_back: self.refers_back || other.refers_back,
        }
    }

    /// What a parent takes over: not the preference itself, but that there are two of them.
    pub fn inherited(self) -> Traits {
        Traits {
            prefers_more: false,
            prefers_less: false,
            is_mixed: self.is_mixed || (self.prefers_more && self.prefers_less),
            ..self
        }
    }

    /// Of two parts in a row: the first one's preference counts, if it has one.
    pub fn combined(self, next: Traits) -> Traits {
        let leading = if self.prefers_more || self.prefers_less { self } else { next };
        let both = self.union(next).inherited();
        Traits { prefers_more: leading.prefers_more, prefers_less: leading.prefers_less, ..both }
    }

    /// Whether such a part needs a node of its own.
    pub fn needs_node(self) -> bool {
        self.is_mixed || self.captures || self.refers_back
    }

    /// The preference alone.
    pub fn preference(self) -> Traits {
        Traits { prefers_more: self.prefers_more, prefers_less: self.prefers_less, ..Traits::default() }
    }

    pub fn has_preference(self) -> bool {
        self.prefers_more || self.prefers_less
    }
}

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub shape: Shape,
    pub traits: Traits,
    /// The number of the group that it is.
    pub group: Option<usize>,
    pub language: Arc<Language>,
}

/// What a part is made of; numbers are indices of other nodes.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Plain,
    Sequence(usize, usize),
    Either(Vec<usize>),
    Repeated {
        what: usize,
        min: u32,
        max: Option<u32>,
    },
    /// What a group matched, so many times.
    BackReference {
        group: usize,
        min: u32,
        max: Option<u32>,
    },
    /// A group around a group.
    Wrapper(usize),
}

impl Language {
    /// The language without its conditions on places: what a back reference to it may match.
    pub fn without_conditions(&self) -> Language {
        let each = |parts: &[Arc<Language>]| parts.iter().map(|part| Arc::new(part.without_conditions())).collect();
        match self {
            Language::At(_) | Language::Lookaround(_) | Language::Empty => Language::Empty,
            Language::Set(set) => Language::Set(set.clone()),
            Language::Sequence(parts) => Language::Sequence(each(parts)),
            Language::Either(parts) => Language::Either(each(parts)),
            Language::Repeated { what, min, max } => {
                Language::Repeated { what: Arc::new(what.without_conditions()), min: *min, max: *max }
            }
        }
    }
}
