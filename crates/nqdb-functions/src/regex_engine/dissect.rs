//! Which part of a match belongs to which node of the pattern's tree.
//!
//! A node is asked whether it matches a stretch of text exactly; the automaton of the node has said already that it may.
//! It tries the ways to divide the stretch among its parts in the order of its preference and takes the first one with
//! which all parts agree. Depth of recursion is that of the tree, which the parser bounds.

use nqdb_sqlstate::SqlResult;

use super::program::Program;
use super::run::Run;
use super::tree::{Node, Shape};

/// What the whole and each group took, if it took part: start and end, in characters.
pub(super) type Stretches = Vec<Option<(usize, usize)>>;

/// One attempt.
pub(super) struct Dissection<'r, 'a> {
    run: &'r Run<'a>,
    /// What each group took; 0 is the whole.
    taken: Stretches,
}

/// Where an attempt to divide a stretch among repetitions stands.
struct Division {
    /// `ends[k]` is where the k-th repetition ends; `ends[0]` is the start.
    ends: Vec<usize>,
    /// So many repetitions, from the first on, are known to match.
    verified: usize,
}

impl<'r, 'a> Dissection<'r, 'a> {
    pub fn new(run: &'r Run<'a>) -> Dissection<'r, 'a> {
        Dissection { run, taken: vec![None; run.pattern.group_count + 1] }
    }

    /// What the groups take if the whole pattern matches the stretch.
    pub fn of_match(mut self, begin: usize, end: usize) -> SqlResult<Option<Stretches>> {
        if !self.node(self.run.pattern.root, begin, end)? {
            return Ok(None);
        }
        if let Some(whole) = self.taken.first_mut() {
            *whole = Some((begin, end));
        }
        Ok(Some(self.taken))
    }

    fn parts(&self, index: usize) -> Option<(&'a Node, &'a Program)> {
        Some((self.run.pattern.nodes.get(index)?, self.run.pattern.programs.get(index)?))
    }

    /// Whether a node matches the stretch; if so its groups are noted.
    fn node(&mut self, index: usize, begin: usize, end: usize) -> SqlResult<bool> {
        let Some((node, _)) = self.parts(index) else { return Ok(false) };
        self.run.count(1)?;
        let matches = match &node.shape {
            Shape::Plain => true,
            Shape::Sequence(left, right) => self.sequence(*left, *right, begin, end)?,
            Shape::Either(branches) => self.either(branches, begin, end)?,
            Shape::Repeated { what, min, max } => self.repeated(*what, *min, *max, begin, end)?,
            Shape::BackReference { group, min, max } => self.back_reference(*group, *min, *max, begin, end),
            Shape::Wrapper(inner) => self.node(*inner, begin, end)?,
        };
        if matches
            && let Some(group) = node.group
            && let Some(taken) = self.taken.get_mut(group)
        {
            *taken = Some((begin, end));
        }
        Ok(matches)
    }

    /// Forgets what the groups of a node took.
    fn forget(&mut self, index: usize) {
        let Some((node, _)) = self.parts(index) else { return };
        if let Some(taken) = node.group.and_then(|group| self.taken.get_mut(group)) {
            *taken = None;
        }
        if !node.traits.captures {
            return;
        }
        match &node.shape {
            Shape::Plain | Shape::BackReference { .. } => {}
            Shape::Sequence(left, right) => {
                self.forget(*left);
                self.forget(*right);
            }
            Shape::Either(branches) => branches.iter().for_each(|branch| self.forget(*branch)),
            Shape::Repeated { what, .. } => self.forget(*what),
            Shape::Wrapper(inner) => self.forget(*inner),
        }
    }

    /// The left part takes as much, or as little, as it can.
    fn sequence(&mut self, left: usize, right: usize, begin: usize, end: usize) -> SqlResult<bool> {
        let (Some((left_node, left_program)), Some((_, right_program))) = (self.parts(left), self.parts(right)) else {
            return Ok(false);
        };
        let prefers_less = left_node.traits.prefers_less;
        let (mut least, mut most) = (begin, end);
        loop {
            let middle = match prefers_less {
                true => self.run.shortest(left_program, begin, least, end)?,
                false => self.run.longest(left_program, begin, most)?,
            };
            let Some(middle) = middle else { return Ok(false) };
            if self.reaches(right_program, middle, end)?
                && self.node(left, begin, middle)?
                && self.node(right, middle, end)?
            {
                return Ok(true);
            }
            match prefers_less {
                true if middle == end => return Ok(false),
                true => least = middle + 1,
                false if middle == begin => return Ok(false),
                false => most = middle - 1,
            }
            self.forget(left);
            self.forget(right);
        }
    }

    /// Whether an automaton gets from one place to exactly another.
    fn reaches(&self, program: &Program, begin: usize, end: usize) -> SqlResult<bool> {
        Ok(self.run.longest(program, begin, end)? == Some(end))
    }

    /// The first branch that matches the stretch.
    fn either(&mut self, branches: &[usize], begin: usize, end: usize) -> SqlResult<bool> {
        for branch in branches {
            let Some((_, program)) = self.parts(*branch) else { continue };
            if self.reaches(program, begin, end)? && self.node(*branch, begin, end)? {
                return Ok(true);
            }
            self.forget(*branch);
        }
        Ok(false)
    }

    /// Whether the stretch is what a group took, so many times.
    fn back_reference(&self, group: usize, min: u32, max: Option<u32>, begin: usize, end: usize) -> bool {
        let Some((from, to)) = self.taken.get(group).copied().flatten() else { return false };
        let text = self.run.text;
        let (Some(taken), Some(stretch)) = (text.get(from..to), text.get(begin..end)) else { return false };
        if taken.is_empty() {
            return stretch.is_empty();
        }
        if stretch.is_empty() {
            return min == 0;
        }
        let times = stretch.len() / taken.len();
        if times * taken.len() != stretch.len() || times < min as usize || max.is_some_and(|max| times > max as usize) {
            return false;
        }
        let is_same = |a: &char, b: &char| a == b || (self.run.pattern.ignores_case && a.eq_ignore_ascii_case(b));
        stretch.chunks(taken.len()).all(|chunk| chunk.iter().zip(taken).all(|(a, b)| is_same(a, b)))
    }

    /// Divides the stretch among repetitions: each takes as much, or as little, as it prefers. An empty repetition is
    /// taken only where the least number of them cannot be had otherwise.
    fn repeated(&mut self, what: usize, min: u32, max: Option<u32>, begin: usize, end: usize) -> SqlResult<bool> {
        let Some((node, program)) = self.parts(what) else { return Ok(false) };
        let prefers_less = node.traits.prefers_less;
        // None at all is the first choice of those who prefer less, and the last one of all others.
        let may_be_none = min == 0 && begin == end;
        if may_be_none && prefers_less {
            return Ok(true);
        }
        let min = (min as usize).max(1);
        let max = max.map_or(end - begin, |max| (end - begin).min(max as usize)).max(min);
        let mut division = Division { ends: vec![begin], verified: 0 };
        // Within which bounds the next repetition is to end.
        let (mut least, mut most) = if prefers_less && max == 1 { (end, end) } else { (begin, end) };
        loop {
            let previous = *division.ends.last().unwrap_or(&begin);
            let found = match prefers_less {
                true => self.run.shortest(program, previous, least, most)?,
                false => self.run.longest(program, previous, most)?,
            };
            if let Some(at) = found {
                let count = division.ends.len();
                division.verified = division.verified.min(count - 1);
                division.ends.push(at);
                let is_needless = at == previous && (count >= min || min - count < end - at);
                if at == end {
                    if count >= min && self.verify(what, &mut division)? {
                        return Ok(true);
                    }
                } else if count < max && !is_needless {
                    (least, most) = (at, end);
                    if prefers_less && count + 1 >= max {
                        least = end;
                    }
                    continue;
                } else if count >= max {
                    // No shorter one reaches the end either.
                    division.ends.pop();
                }
            }
            match Self::step_back(&mut division, prefers_less, min, end) {
                Some(bounds) => (least, most) = bounds,
                None => {
                    self.forget(what);
                    return Ok(may_be_none);
                }
            }
        }
    }

    /// Gives up the last repetition's end for the next one that it may have, or that of the repetition before it.
    fn step_back(division: &mut Division, prefers_less: bool, min: usize, end: usize) -> Option<(usize, usize)> {
        while division.ends.len() > 1 {
            let at = division.ends.pop()?;
            let count = division.ends.len();
            let previous = *division.ends.last()?;
            if prefers_less {
                if at < end {
                    return Some((at + 1, end));
                }
            } else if at > previous {
                let most = at - 1;
                if most > previous || (count < min && min - count >= end - previous) {
                    return Some((previous, most));
                }
            }
        }
        None
    }

    /// Whether each repetition is a match in itself. The groups keep what the last one took.
    fn verify(&mut self, what: usize, division: &mut Division) -> SqlResult<bool> {
        let stretches: Vec<(usize, usize)> = division
            .ends
            .windows(2)
            .skip(division.verified)
            .filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)))
            .collect();
        for (begin, end) in stretches {
            self.forget(what);
            if !self.node(what, begin, end)? {
                return Ok(false);
            }
            division.verified += 1;
        }
        Ok(true)
    }
}
