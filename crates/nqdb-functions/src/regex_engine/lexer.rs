//! A pattern's tokens.
//!
//! What a digit behind a backslash means depends on how many groups were opened before it, so the parser counts them
//! here and asks for one token at a time.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};

use super::bracket;
use super::charset::CharSet;
use super::invalid;
use super::options::{Flavour, RegexOptions};
use super::tree::{Place, Preference};

/// The most repetitions that may be asked for.
const REPETITIONS_MAX: u32 = 255;

/// One token.
#[derive(Clone, Debug)]
pub(super) enum Token {
    End,
    Or,
    Open {
        captures: bool,
    },
    OpenLookaround {
        is_ahead: bool,
        is_negated: bool,
    },
    Close,
    Quantifier {
        min: u32,
        max: Option<u32>,
        /// None for `{m}`, which leaves the preference to what it repeats.
        preference: Option<Preference>,
    },
    Set(Arc<CharSet>),
    Place(Place),
    BackReference(usize),
}

/// What stands behind a backslash.
pub(super) enum Escaped {
    Character(char),
    Set(CharSet),
    Place(Place),
    BackReference(usize),
}

/// The rest of a pattern.
pub(super) struct Lexer<'p> {
    rest: &'p str,
    pub options: RegexOptions,
    /// Capturing groups opened so far.
    pub group_count: usize,
}

impl<'p> Lexer<'p> {
    /// Reads what a pattern may begin with: `***=`, `***:`, `(?xyz)`.
    pub fn new(pattern: &'p str, options: RegexOptions) -> SqlResult<Lexer<'p>> {
        let mut lexer = Lexer { rest: pattern, options, group_count: 0 };
        if lexer.options.flavour == Flavour::Literal {
            return Ok(lexer);
        }
        if lexer.eat("***") {
            match lexer.next_character() {
                Some('=') => lexer.options.flavour = Flavour::Literal,
                Some(':') => lexer.options.flavour = Flavour::Advanced,
                _ => return Err(misplaced_quantifier()),
            }
        }
        if lexer.options.flavour == Flavour::Advanced {
            lexer.embedded_options()?;
        }
        if lexer.options.flavour == Flavour::Basic {
            return Err(SqlError::unsupported("a basic regular expression"));
        }
        Ok(lexer)
    }

    fn embedded_options(&mut self) -> SqlResult<()> {
        let Some(embedded) = self.rest.strip_prefix("(?") else { return Ok(()) };
        if !embedded.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Ok(());
        }
        let len = embedded.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (flags, behind) = embedded.split_at(len);
        self.rest = behind;
        let is_known = flags.chars().all(|flag| self.options.set(flag));
        if is_known && self.eat(")") { Ok(()) } else { Err(invalid("invalid embedded option")) }
    }

    pub fn next_character(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next();
        self.rest = characters.as_str();
        character
    }

    pub fn starts_with(&self, prefix: &str) -> bool {
        self.rest.starts_with(prefix)
    }

    /// Goes over a prefix if it is there.
    pub fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the next occurrence of `closing`, and goes behind it.
    pub fn until(&mut self, closing: &str) -> Option<String> {
        let (before, behind) = self.rest.split_once(closing)?;
        self.rest = behind;
        Some(before.to_string())
    }

    /// The next token.
    pub fn next(&mut self) -> SqlResult<Token> {
        if self.options.flavour == Flavour::Literal {
            return Ok(self.next_character().map_or(Token::End, |character| self.literal(character)));
        }
        self.skip_comments();
        let Some(character) = self.next_character() else { return Ok(Token::End) };
        Ok(match character {
            '|' => Token::Or,
            '(' => return self.open(),
            ')' => Token::Close,
            '*' => self.quantifier(0, None),
            '+' => self.quantifier(1, None),
            '?' => self.quantifier(0, Some(1)),
            '{' if self.rest.starts_with(|next: char| next.is_ascii_digit()) => return self.bounds(),
            '^' => Token::Place(if self.options.multi_line { Place::LineStart } else { Place::TextStart }),
            '$' => Token::Place(if self.options.multi_line { Place::LineEnd } else { Place::TextEnd }),
            '.' if self.options.stops_at_newline => Token::Set(Arc::new(CharSet::all().without('\n'))),
            '.' => Token::Set(Arc::new(CharSet::all())),
            '[' if self.eat("[:<:]]") => Token::Place(Place::WordStart),
            '[' if self.eat("[:>:]]") => Token::Place(Place::WordEnd),
            '[' => Token::Set(Arc::new(bracket::read(self)?)),
            '\\' if self.options.flavour == Flavour::Extended => {
                let character = self.next_character().ok_or_else(invalid_escape)?;
                self.literal(character)
            }
            '\\' => match self.escape(false)? {
                Escaped::Character(character) => self.literal(character),
                Escaped::Set(set) => Token::Set(Arc::new(set)),
                Escaped::Place(place) => Token::Place(place),
                Escaped::BackReference(group) => Token::BackReference(group),
            },
            other => self.literal(other),
        })
    }

    fn literal(&self, character: char) -> Token {
        let set = CharSet::single(character);
        Token::Set(Arc::new(if self.options.ignores_case { set.with_both_cases() } else { set }))
    }

    /// Goes over blanks and comments of expanded syntax, and over `(?#..)`.
    fn skip_comments(&mut self) {
        loop {
            let before = self.rest.len();
            if self.options.expanded {
                self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
                if self.rest.starts_with('#') {
                    self.rest = self.rest.split_once('\n').map_or("", |(_, behind)| behind);
                }
            }
            if self.options.flavour == Flavour::Advanced && self.rest.starts_with("(?#") {
                self.rest = self.rest.split_once(')').map_or("", |(_, behind)| behind);
            }
            if self.rest.len() == before {
                return;
            }
        }
    }

    fn open(&mut self) -> SqlResult<Token> {
        if self.options.flavour != Flavour::Advanced || !self.eat("?") {
            return Ok(Token::Open { captures: true });
        }
        for (mark, is_ahead, is_negated) in
            [("=", true, false), ("!", true, true), ("<=", false, false), ("<!", false, true)]
        {
            if self.eat(mark) {
                return Ok(Token::OpenLookaround { is_ahead, is_negated });
            }
        }
        if self.eat(":") { Ok(Token::Open { captures: false }) } else { Err(misplaced_quantifier()) }
    }

    fn quantifier(&mut self, min: u32, max: Option<u32>) -> Token {
        Token::Quantifier { min, max, preference: Some(self.preference()) }
    }

    /// A `?` behind a quantifier makes it take as little as it can.
    fn preference(&mut self) -> Preference {
        let prefers_less = self.options.flavour == Flavour::Advanced && self.eat("?");
        if prefers_less { Preference::Less } else { Preference::More }
    }

    /// `{m}`, `{m,}` or `{m,n}` behind the brace.
    fn bounds(&mut self) -> SqlResult<Token> {
        let bad = || invalid("invalid repetition count(s)");
        let min = self.count()?.ok_or_else(bad)?;
        let (max, is_exact) = if self.eat(",") { (self.count()?, false) } else { (Some(min), true) };
        if max.is_some_and(|max| max < min) {
            return Err(bad());
        }
        if !self.eat("}") {
            return Err(if self.rest.is_empty() { invalid("braces {} not balanced") } else { bad() });
        }
        let preference = Some(self.preference()).filter(|_| !is_exact);
        Ok(Token::Quantifier { min, max, preference })
    }

    fn count(&mut self) -> SqlResult<Option<u32>> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, behind) = self.rest.split_at(len);
        self.rest = behind;
        if digits.is_empty() {
            return Ok(None);
        }
        let count = digits.parse().ok().filter(|count| *count <= REPETITIONS_MAX);
        count.map(Some).ok_or_else(|| invalid("invalid repetition count(s)"))
    }

    /// What stands behind a backslash, within brackets or not.
    pub fn escape(&mut self, in_bracket: bool) -> SqlResult<Escaped> {
        let character = self.next_character().ok_or_else(invalid_escape)?;
        let class = |name: &str| CharSet::class(name).map(Escaped::Set).ok_or_else(invalid_escape);
        let others =
            |name: &str| CharSet::class(name).map(|set| Escaped::Set(set.complement())).ok_or_else(invalid_escape);
        Ok(match character {
            'a' => Escaped::Character('\x07'),
            'b' => Escaped::Character('\x08'),
            'B' => Escaped::Character('\\'),
            'c' => {
                let control = self.next_character().ok_or_else(invalid_escape)?;
                Escaped::Character(char::from((u32::from(control) & 0x1f) as u8))
            }
            'e' => Escaped::Character('\x1b'),
            'f' => Escaped::Character('\x0c'),
            'n' => Escaped::Character('\n'),
            'r' => Escaped::Character('\r'),
            't' => Escaped::Character('\t'),
            'v' => Escaped::Character('\x0b'),
            'u' => Escaped::Character(self.code_point(4, 4)?),
            'U' => Escaped::Character(self.code_point(8, 8)?),
            'x' => Escaped::Character(self.code_point(1, 255)?),
            'd' => return class("digit"),
            's' => return class("space"),
            'w' => return class("word"),
            'D' => return others("digit"),
            'S' => return others("space"),
            'W' => return others("word"),
            'A' if !in_bracket => Escaped::Place(Place::TextStart),
            'm' if !in_bracket => Escaped::Place(Place::WordStart),
            'M' if !in_bracket => Escaped::Place(Place::WordEnd),
            'y' if !in_bracket => Escaped::Place(Place::WordEdge),
            'Y' if !in_bracket => Escaped::Place(Place::NoWordEdge),
            'Z' if !in_bracket => Escaped::Place(Place::TextEnd),
            '0'..='9' => self.number(character, in_bracket)?,
            other if other.is_ascii_alphanumeric() => return Err(invalid_escape()),
            other => Escaped::Character(other),
        })
    }

    /// A back reference if it is one digit or no more than there are groups, a character's octal number otherwise.
    fn number(&mut self, first: char, in_bracket: bool) -> SqlResult<Escaped> {
        let more = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, behind) = self.rest.split_at(more);
        let group = format!("{first}{digits}").parse::<usize>().ok();
        if first != '0'
            && !in_bracket
            && let Some(group) = group.filter(|group| digits.is_empty() || *group <= self.group_count)
        {
            self.rest = behind;
            return Ok(Escaped::BackReference(group));
        }
        let more = self.rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        let (digits, behind) = self.rest.split_at(more);
        let code = u32::from_str_radix(&format!("{first}{digits}"), 8).ok().and_then(char::from_u32);
        self.rest = behind;
        code.map(Escaped::Character).ok_or_else(invalid_escape)
    }

    fn code_point(&mut self, digits_min: usize, digits_max: usize) -> SqlResult<char> {
        let len = self.rest.bytes().take(digits_max).take_while(u8::is_ascii_hexdigit).count();
        let (digits, behind) = self.rest.split_at(len);
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        let character = character.filter(|_| len >= digits_min).ok_or_else(invalid_escape)?;
        self.rest = behind;
        Ok(character)
    }
}

fn invalid_escape() -> SqlError {
    invalid("invalid escape \\ sequence")
}

pub(super) fn misplaced_quantifier() -> SqlError {
    invalid("quantifier operand invalid")
}
