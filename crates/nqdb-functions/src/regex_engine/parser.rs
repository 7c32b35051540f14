//! Tokens as a tree.
//!
//! A branch is read from left to right into one [`Shape::Plain`] node for as long as nothing in it must be told apart.
//! At the first part that must be, the branch is divided into what came before, the part, and the rest, which is read as
//! a branch of its own.

use std::sync::Arc;

use nqdb_sqlstate::SqlResult;

use super::lexer::{Lexer, Token, misplaced_quantifier};
use super::options::RegexOptions;
use super::tree::{Language, Lookaround, Node, Preference, Shape, Traits};
use super::{invalid, too_complex};

/// How deep groups, and divided branches, may nest: what walks the tree relies on it.
const DEPTH_MAX: usize = 1_000;

/// A parsed pattern.
pub(super) struct Parsed {
    pub nodes: Vec<Node>,
    pub root: usize,
    pub lookarounds: Vec<Lookaround>,
    pub group_count: usize,
    pub ignores_case: bool,
    pub has_back_references: bool,
}

/// Parses a pattern; 2201B for an invalid one.
pub(super) fn parse(pattern: &str, options: RegexOptions) -> SqlResult<Parsed> {
    let mut lexer = Lexer::new(pattern, options)?;
    let token = lexer.next()?;
    let mut parser = Parser {
        lexer,
        token,
        nodes: Vec::new(),
        lookarounds: Vec::new(),
        groups: vec![None],
        depth: 0,
        lookaround_depth: 0,
        has_back_references: false,
    };
    let root = parser.branches()?;
    if !matches!(parser.token, Token::End) {
        return Err(unbalanced());
    }
    Ok(Parsed {
        root,
        nodes: parser.nodes,
        lookarounds: parser.lookarounds,
        group_count: parser.lexer.group_count,
        ignores_case: parser.lexer.options.ignores_case,
        has_back_references: parser.has_back_references,
    })
}

struct Parser<'p> {
    lexer: Lexer<'p>,
    token: Token,
    nodes: Vec<Node>,
    lookarounds: Vec<Lookaround>,
    /// What each closed group matches, by its number.
    groups: Vec<Option<Arc<Language>>>,
    depth: usize,
    lookaround_depth: usize,
    has_back_references: bool,
}

/// How often a part is repeated.
struct Quantity {
    min: u32,
    max: Option<u32>,
    preference: Option<Preference>,
}

/// What has been read of a branch and needs no node.
#[derive(Default)]
struct Prefix {
    traits: Traits,
    parts: Vec<Arc<Language>>,
}

/// A part of a branch before its quantifier.
struct Atom {
    language: Arc<Language>,
    node: Option<usize>,
    traits: Traits,
    /// A capturing group or a back reference.
    is_told_apart: bool,
    refers_to: Option<usize>,
}

fn unbalanced() -> nqdb_sqlstate::SqlError {
    invalid("parentheses () not balanced")
}

fn repeated(what: &Arc<Language>, min: u32, max: Option<u32>) -> Arc<Language> {
    match (min, max) {
        (1, Some(1)) => what.clone(),
        (_, Some(0)) => Arc::new(Language::Empty),
        _ => Arc::new(Language::Repeated { what: what.clone(), min, max }),
    }
}

fn sequence(parts: Vec<Arc<Language>>) -> Arc<Language> {
    match parts.as_slice() {
        [] => Arc::new(Language::Empty),
        [only] => only.clone(),
        _ => Arc::new(Language::Sequence(parts)),
    }
}

impl Parser<'_> {
    fn advance(&mut self) -> SqlResult<()> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn add(&mut self, shape: Shape, traits: Traits, language: Arc<Language>) -> usize {
        self.nodes.push(Node { shape, traits, group: None, language });
        self.nodes.len() - 1
    }

    fn traits(&self, node: usize) -> Traits {
        self.nodes.get(node).map_or(Traits::default(), |node| node.traits)
    }

    fn language(&self, node: usize) -> Arc<Language> {
        self.nodes.get(node).map_or_else(|| Arc::new(Language::Empty), |node| node.language.clone())
    }

    fn at_branch_end(&self) -> bool {
        matches!(self.token, Token::Or | Token::Close | Token::End)
    }

    /// Branches up to a closing parenthesis or the end. Two or more of them prefer more.
    fn branches(&mut self) -> SqlResult<usize> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_complex());
        }
        let mut branches = vec![self.branch()?];
        while matches!(self.token, Token::Or) {
            self.advance()?;
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        if let [only] = branches.as_slice() {
            return Ok(*only);
        }
        let mut traits = Traits::preferring(Some(Preference::More));
        for branch in &branches {
            let mixed = traits.union(self.traits(*branch)).inherited();
            traits = traits.union(mixed);
        }
        let language = Arc::new(Language::Either(branches.iter().map(|branch| self.language(*branch)).collect()));
        let shape = if traits.needs_node() { Shape::Either(branches) } else { Shape::Plain };
        Ok(self.add(shape, traits, language))
    }

    fn branch(&mut self) -> SqlResult<usize> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_complex());
        }
        let mut prefix = Prefix::default();
        let node = loop {
            if self.at_branch_end() {
                break self.add(Shape::Plain, prefix.traits, sequence(prefix.parts));
            }
            if let Some(node) = self.part(&mut prefix)? {
                break node;
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Reads one part with its quantifier. A part that needs no node goes into the prefix; with any other one the whole
    /// rest of the branch is read and its node given back.
    fn part(&mut self, prefix: &mut Prefix) -> SqlResult<Option<usize>> {
        if let Token::Place(place) = self.token {
            self.advance()?;
            prefix.parts.push(Arc::new(Language::At(place)));
            return Ok(None);
        }
        if let Token::OpenLookaround { is_ahead, is_negated } = self.token {
            let index = self.lookaround(is_ahead, is_negated)?;
            prefix.parts.push(Arc::new(Language::Lookaround(index)));
            return Ok(None);
        }
        let atom = self.atom()?;
        let quantity = self.quantity()?;
        if quantity.max == Some(0) {
            prefix.parts.push(Arc::new(Language::Empty));
            return Ok(None);
        }
        let traits = prefix.traits.union(Traits::preferring(quantity.preference)).union(atom.traits);
        if !atom.is_told_apart && !traits.inherited().needs_node() {
            prefix.parts.push(repeated(&atom.language, quantity.min, quantity.max));
            prefix.traits = traits;
            return Ok(None);
        }
        let node = self.quantified(atom, &quantity);
        self.divided(std::mem::take(prefix), node, &quantity).map(Some)
    }

    fn lookaround(&mut self, is_ahead: bool, is_negated: bool) -> SqlResult<usize> {
        self.advance()?;
        self.lookaround_depth += 1;
        let inner = self.branches()?;
        self.lookaround_depth -= 1;
        if !matches!(self.token, Token::Close) {
            return Err(unbalanced());
        }
        self.advance()?;
        let language = self.language(inner);
        self.lookarounds.push(Lookaround { language, is_ahead, is_negated });
        Ok(self.lookarounds.len() - 1)
    }

    fn atom(&mut self) -> SqlResult<Atom> {
        match self.token.clone() {
            Token::Set(set) => {
                self.advance()?;
                let language = Arc::new(Language::Set(set));
                Ok(Atom { language, node: None, traits: Traits::default(), is_told_apart: false, refers_to: None })
            }
            Token::Open { captures } => self.group(captures && self.lookaround_depth == 0),
            Token::BackReference(group) => {
                let language = self.groups.get(group).cloned().flatten().filter(|_| self.lookaround_depth == 0);
                let language = language.ok_or_else(|| invalid("invalid backreference number"))?;
                self.advance()?;
                self.has_back_references = true;
                let traits = Traits { refers_back: true, ..Traits::default() };
                let language = Arc::new(language.without_conditions());
                Ok(Atom { language, node: None, traits, is_told_apart: true, refers_to: Some(group) })
            }
            Token::Quantifier { .. } => Err(misplaced_quantifier()),
            Token::End | Token::Or | Token::Close | Token::Place(_) | Token::OpenLookaround { .. } => Err(unbalanced()),
        }
    }

    fn group(&mut self, captures: bool) -> SqlResult<Atom> {
        let number = if captures {
            self.lexer.group_count += 1;
            self.groups.push(None);
            self.lexer.group_count
        } else {
            0
        };
        self.advance()?;
        let mut node = self.branches()?;
        if !matches!(self.token, Token::Close) {
            return Err(unbalanced());
        }
        self.advance()?;
        let language = self.language(node);
        if captures {
            if self.nodes.get(node).is_some_and(|node| node.group.is_some()) {
                node = self.add(Shape::Wrapper(node), self.traits(node), language.clone());
            }
            if let Some(node) = self.nodes.get_mut(node) {
                node.traits.captures = true;
                node.group = Some(number);
            }
            if let Some(group) = self.groups.get_mut(number) {
                *group = Some(language.clone());
            }
        }
        let traits = self.traits(node);
        Ok(Atom { language, node: Some(node), traits, is_told_apart: captures, refers_to: None })
    }

    fn quantity(&mut self) -> SqlResult<Quantity> {
        let Token::Quantifier { min, max, preference } = self.token else {
            return Ok(Quantity { min: 1, max: Some(1), preference: None });
        };
        self.advance()?;
        Ok(Quantity { min, max, preference })
    }

    /// The node of a part with its quantifier.
    fn quantified(&mut self, atom: Atom, quantity: &Quantity) -> usize {
        let preference = Traits::preferring(quantity.preference);
        let traits = preference.combined(atom.traits);
        let language = repeated(&atom.language, quantity.min, quantity.max);
        let (min, max) = (quantity.min, quantity.max);
        if let Some(group) = atom.refers_to {
            return self.add(Shape::BackReference { group, min, max }, traits.union(atom.traits), language);
        }
        let node = match atom.node {
            Some(node) => node,
            None => self.add(Shape::Plain, Traits::default(), atom.language.clone()),
        };
        let own = self.traits(node);
        let agrees = own.preference() == preference && !own.is_mixed;
        let is_vacuous = quantity.preference.is_none() || (!own.has_preference() && !own.is_mixed) || agrees;
        if (min, max) == (1, Some(1)) && is_vacuous {
            return node;
        }
        if !own.captures && !own.refers_back {
            return self.add(Shape::Plain, traits, language);
        }
        if min > 0 && !own.refers_back {
            // Only the last repetition's groups count: all before it need no telling apart.
            let before = repeated(&atom.language, min - 1, max.map(|max| max - 1));
            let before = self.add(Shape::Plain, traits.preference(), before);
            return self.add(Shape::Sequence(before, node), traits, language);
        }
        self.add(Shape::Repeated { what: node, min, max }, traits, language)
    }

    /// The node of a branch: what came before, a part with a node, and the rest.
    fn divided(&mut self, prefix: Prefix, node: usize, quantity: &Quantity) -> SqlResult<usize> {
        let mut tail = node;
        let mut tail_traits = Traits::preferring(quantity.preference).combined(self.traits(node));
        if !self.at_branch_end() {
            let rest = self.branch()?;
            tail_traits = tail_traits.union(tail_traits.combined(self.traits(rest)));
            let language = sequence(vec![self.language(node), self.language(rest)]);
            tail = self.add(Shape::Sequence(node, rest), tail_traits, language);
        } else {
            tail_traits = self.traits(node);
        }
        if prefix.parts.is_empty() {
            return Ok(tail);
        }
        let traits = prefix.traits.union(prefix.traits.combined(tail_traits));
        let before = self.add(Shape::Plain, prefix.traits, sequence(prefix.parts));
        let language = sequence(vec![self.language(before), self.language(tail)]);
        Ok(self.add(Shape::Sequence(before, tail), traits, language))
    }
}
