//! Where a pattern's next match is, and which parts of it its groups take.

use nqdb_sqlstate::SqlResult;

use super::dissect::{Dissection, Stretches};
use super::run::{Lookarounds, Run};
use super::{Node, Pattern};

/// The whole match, then each group that took part, as byte offsets of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captures(Vec<Option<(usize, usize)>>);

impl Captures {
    /// Start and end of the whole match.
    pub fn whole(&self) -> (usize, usize) {
        self.0.first().copied().flatten().unwrap_or((0, 0))
    }

    /// Start and end of a group, 0 for the whole; `None` for one that took no part.
    pub fn group(&self, group: usize) -> Option<(usize, usize)> {
        self.0.get(group).copied().flatten()
    }

    /// All groups, without the whole.
    pub fn groups(&self) -> &[Option<(usize, usize)>] {
        self.0.get(1..).unwrap_or_default()
    }
}

/// A text in which a pattern is searched for.
pub(crate) struct Search<'a> {
    pattern: &'a Pattern,
    text: &'a str,
    characters: Vec<char>,
    /// The byte at which each character starts, and the end; empty when every character is one byte.
    offsets: Vec<usize>,
    lookarounds: Lookarounds,
}

impl<'a> Search<'a> {
    pub fn new(pattern: &'a Pattern, text: &'a str) -> Search<'a> {
        let characters: Vec<char> = text.chars().collect();
        let offsets = match characters.len() == text.len() {
            true => Vec::new(),
            false => text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect(),
        };
        let lookarounds = vec![vec![None; characters.len() + 1]; pattern.lookarounds.len()];
        Search { pattern, text, characters, offsets, lookarounds: lookarounds.into() }
    }

    fn byte_of(&self, place: usize) -> usize {
        if self.offsets.is_empty() { place } else { self.offsets.get(place).copied().unwrap_or(self.text.len()) }
    }

    fn place_of(&self, byte: usize) -> usize {
        if self.offsets.is_empty() { byte } else { self.offsets.partition_point(|offset| *offset < byte) }
    }

    /// The first match that starts at this byte or later. What stands before it is still seen by `^` and lookbehind.
    pub fn find(&self, from_byte: usize, may_go_on: &dyn Fn() -> SqlResult<()>) -> SqlResult<Option<Captures>> {
        let Some(root) = self.pattern.nodes.get(self.pattern.root) else { return Ok(None) };
        let run = Run::new(self.pattern, &self.characters, &self.lookarounds, may_go_on);
        let Some((first, last)) = self.possible_starts(&run, from_byte)? else { return Ok(None) };
        for begin in first..=last {
            run.count(1)?;
            let found = match self.pattern.has_back_references {
                false => self.match_at(&run, root, begin)?,
                true => self.referring_match_at(&run, root, begin)?,
            };
            if let Some(places) = found {
                let to_bytes = |(start, end): (usize, usize)| (self.byte_of(start), self.byte_of(end));
                return Ok(Some(Captures(places.into_iter().map(|place| place.map(to_bytes)).collect())));
            }
        }
        Ok(None)
    }

    /// Between which places a match must start. Without back references there is a match in between for certain.
    fn possible_starts(&self, run: &Run<'_>, from_byte: usize) -> SqlResult<Option<(usize, usize)>> {
        if let Some(linear) = &self.pattern.linear {
            let found = (from_byte <= self.text.len()).then(|| linear.find_at(self.text, from_byte)).flatten();
            return Ok(found.map(|found| self.place_of(found.start())).map(|start| (start, start)));
        }
        let from = self.place_of(from_byte);
        if from > self.characters.len() {
            return Ok(None);
        }
        if self.pattern.has_back_references {
            return Ok(Some((from, self.characters.len())));
        }
        let Some(program) = self.pattern.programs.get(self.pattern.root) else { return Ok(None) };
        Ok(run.first_end(program, from)?.map(|end| (from, end)))
    }

    /// The match that starts here: its length is the root's to choose.
    fn match_at(&self, run: &Run<'_>, root: &Node, begin: usize) -> SqlResult<Option<Stretches>> {
        let Some(program) = self.pattern.programs.get(self.pattern.root) else { return Ok(None) };
        let end = match root.traits.prefers_less {
            true => run.shortest(program, begin, begin, self.characters.len())?,
            false => run.longest(program, begin, self.characters.len())?,
        };
        let Some(end) = end else { return Ok(None) };
        if !root.traits.needs_node() {
            return Ok(Some(vec![Some((begin, end))]));
        }
        Dissection::new(run).of_match(begin, end)
    }

    /// As [`Search::match_at`] where back references decide whether what the automaton accepts is a match at all.
    fn referring_match_at(&self, run: &Run<'_>, root: &Node, begin: usize) -> SqlResult<Option<Stretches>> {
        let Some(program) = self.pattern.programs.get(self.pattern.root) else { return Ok(None) };
        let (mut least, mut most) = (begin, self.characters.len());
        loop {
            let end = match root.traits.prefers_less {
                true => run.shortest(program, begin, least, most)?,
                false => run.longest(program, begin, most)?,
            };
            let Some(end) = end else { return Ok(None) };
            if let Some(found) = Dissection::new(run).of_match(begin, end)? {
                return Ok(Some(found));
            }
            match root.traits.prefers_less {
                true if end == most => return Ok(None),
                true => least = end + 1,
                false if end == begin => return Ok(None),
                false => most = end - 1,
            }
        }
    }
}
