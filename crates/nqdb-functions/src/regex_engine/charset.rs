//! Sets of characters: sorted ranges of code points, with a bit for each ASCII character in front.

/// The last code point.
const LAST: u32 = 0x10_FFFF;

/// A set of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CharSet {
    ascii: u128,
    /// Inclusive, sorted, neither touching nor overlapping.
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// The union of ranges in any order.
    pub fn from_ranges(mut ranges: Vec<(u32, u32)>) -> CharSet {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        let mut ascii = 0u128;
        for (low, high) in &merged {
            (*low..=(*high).min(127)).for_each(|code| ascii |= 1 << code);
        }
        CharSet { ascii, ranges: merged }
    }

    /// One character.
    pub fn single(character: char) -> CharSet {
        CharSet::from_ranges(vec![(u32::from(character), u32::from(character))])
    }

    /// All characters.
    pub fn all() -> CharSet {
        CharSet::from_ranges(vec![(0, LAST)])
    }

    /// All characters but these.
    pub fn complement(&self) -> CharSet {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for (low, high) in &self.ranges {
            if *low > next {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= LAST {
            ranges.push((next, LAST));
        }
        CharSet::from_ranges(ranges)
    }

    /// With the other case of each ASCII letter.
    pub fn with_both_cases(&self) -> CharSet {
        let mut ranges = self.ranges.clone();
        for code in 0..128u32 {
            let letter = char::from(code as u8);
            if letter.is_ascii_alphabetic() && self.contains(letter) {
                let other = u32::from(code as u8 ^ 0x20);
                ranges.push((other, other));
            }
        }
        CharSet::from_ranges(ranges)
    }

    /// Without one character.
    pub fn without(&self, character: char) -> CharSet {
        let code = u32::from(character);
        let split = |(low, high): &(u32, u32)| {
            let below = (*low < code).then(|| (*low, (*high).min(code.saturating_sub(1))));
            let above = (*high > code).then(|| ((*low).max(code + 1), *high));
            below.into_iter().chain(above).collect::<Vec<_>>()
        };
        CharSet::from_ranges(self.ranges.iter().flat_map(split).collect())
    }

    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    #[inline]
    pub fn contains(&self, character: char) -> bool {
        let code = u32::from(character);
        if code < 128 {
            return self.ascii >> code & 1 == 1;
        }
        let after = self.ranges.partition_point(|(low, _)| *low <= code);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, high)| code <= *high)
    }

    /// The class of that name, such as `alpha`, in the C collation.
    pub fn class(name: &str) -> Option<CharSet> {
        let is_member: fn(&u8) -> bool = match name {
            "alnum" => u8::is_ascii_alphanumeric,
            "alpha" => u8::is_ascii_alphabetic,
            "ascii" => u8::is_ascii,
            "blank" => |byte| matches!(byte, b' ' | b'\t'),
            "cntrl" => u8::is_ascii_control,
            "digit" => u8::is_ascii_digit,
            "graph" => u8::is_ascii_graphic,
            "lower" => u8::is_ascii_lowercase,
            "print" => |byte| byte.is_ascii_graphic() || *byte == b' ',
            "punct" => u8::is_ascii_punctuation,
            "space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r'),
            "upper" => u8::is_ascii_uppercase,
            "xdigit" => u8::is_ascii_hexdigit,
            "word" => |byte| is_word(char::from(*byte)),
            _ => return None,
        };
        let members = (0..128u8).filter(is_member).map(|byte| (u32::from(byte), u32::from(byte)));
        Some(CharSet::from_ranges(members.collect()))
    }
}

/// Whether a character is part of a word.
pub(super) fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
