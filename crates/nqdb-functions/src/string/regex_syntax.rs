//! PostgreSQL's "advanced regular expressions" (manual section 9.7.3) rewritten for the `regex` crate.
//!
//! The crate matches in linear time, so what cannot be done so is refused with 0A000: back references and
//! lookaround. Classes such as `\w` are ASCII, as in the C collation.
//!
//! One difference stays: where alternatives of different lengths match at the same place, PostgreSQL takes the
//! longest and this the first. Whether there is a match is the same; `substring` and `regexp_replace` of
//! patterns like `a|ab` see it.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, INVALID_REGULAR_EXPRESSION, SqlError, SqlResult};

/// What the flags and the pattern's own `(?xyz)` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RegexOptions {
    pub ignores_case: bool,
    /// `.` and `[^..]` do not match a newline.
    pub stops_at_newline: bool,
    /// `^` and `$` match at each line.
    pub multi_line: bool,
    /// Blanks and comments are left out.
    pub expanded: bool,
    /// The pattern is plain text.
    pub is_literal: bool,
    /// All matches, not only the first; for the functions that allow it.
    pub global: bool,
}

impl RegexOptions {
    pub const DEFAULT: RegexOptions = RegexOptions {
        ignores_case: false,
        stops_at_newline: false,
        multi_line: false,
        expanded: false,
        is_literal: false,
        global: false,
    };

    /// Reads flags such as `gi`; 22023 for an unknown one.
    pub fn parse(flags: &str) -> SqlResult<RegexOptions> {
        let mut options = RegexOptions::DEFAULT;
        for flag in flags.chars() {
            if flag == 'g' {
                options.global = true;
            } else if !options.set(flag) {
                return Err(SqlError::new(
                    INVALID_PARAMETER_VALUE,
                    format!("invalid regular expression option: \"{flag}\""),
                ));
            }
        }
        Ok(options)
    }

    fn set(&mut self, flag: char) -> bool {
        match flag {
            'i' => self.ignores_case = true,
            'c' => self.ignores_case = false,
            'n' | 'm' => (self.stops_at_newline, self.multi_line) = (true, true),
            'p' => (self.stops_at_newline, self.multi_line) = (true, false),
            'w' => (self.stops_at_newline, self.multi_line) = (false, true),
            's' => (self.stops_at_newline, self.multi_line) = (false, false),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.is_literal = true,
            'e' | 'b' => {}
            _ => return false,
        }
        true
    }
}

/// "invalid regular expression: .." (2201B).
pub(super) fn invalid(reason: &str) -> SqlError {
    SqlError::new(INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"))
}

/// The pattern in the crate's syntax, and the options with those that the pattern itself sets.
pub(super) fn translate(pattern: &str, options: RegexOptions) -> SqlResult<(String, RegexOptions)> {
    let mut options = options;
    let mut rest = pattern;
    if let Some(literal) = rest.strip_prefix("***=") {
        options.is_literal = true;
        rest = literal;
    } else if let Some(advanced) = rest.strip_prefix("***:") {
        rest = advanced;
    }
    if options.is_literal {
        return Ok((regex::escape(rest), options));
    }
    if let Some(embedded) = rest.strip_prefix("(?")
        && let Some((flags, after)) = embedded.split_once(')')
        && !flags.is_empty()
        && flags.chars().all(|flag| flag.is_ascii_alphabetic())
    {
        if !flags.chars().all(|flag| options.set(flag)) {
            return Err(invalid("invalid embedded option"));
        }
        rest = after;
    }
    if options.is_literal {
        return Ok((regex::escape(rest), options));
    }
    let mut translator = Translator { rest, options, can_repeat: false, out: String::with_capacity(rest.len() + 8) };
    translator.run()?;
    Ok((translator.out, options))
}

struct Translator<'a> {
    rest: &'a str,
    options: RegexOptions,
    /// What was translated last may be followed by a quantifier.
    can_repeat: bool,
    out: String,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next();
        self.rest = characters.as_str();
        character
    }

    fn run(&mut self) -> SqlResult<()> {
        while let Some(character) = self.next() {
            let could_repeat = self.can_repeat;
            self.can_repeat = !matches!(character, '|' | '^' | '$');
            match character {
                '*' | '+' | '?' => self.quantifier(could_repeat, character)?,
                '{' if self.rest.starts_with(|next: char| next.is_ascii_digit()) => {
                    self.quantifier(could_repeat, character)?;
                }
                '{' => self.out.push_str("\\{"),
                '\\' => self.escape(false)?,
                '[' => self.bracket()?,
                '(' => self.group(could_repeat)?,
                '.' | '|' | ')' | '^' | '$' | '}' => self.out.push(character),
                '#' if self.options.expanded => {
                    self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
                    self.can_repeat = could_repeat;
                }
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' if self.options.expanded => self.can_repeat = could_repeat,
                _ => self.literal(character),
            }
        }
        Ok(())
    }

    /// `*`, `+`, `?` or `{m,n}`, and a `?` behind it that makes it take as little as it can. What may not be repeated,
    /// a quantifier among it, is 2201B.
    fn quantifier(&mut self, could_repeat: bool, first: char) -> SqlResult<()> {
        if !could_repeat {
            return Err(invalid("quantifier operand invalid"));
        }
        self.out.push(first);
        if first == '{' {
            let (bounds, rest) = self.rest.split_once('}').ok_or_else(|| invalid("braces {} not balanced"))?;
            self.out.push_str(bounds);
            self.out.push('}');
            self.rest = rest;
        }
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.out.push('?');
            self.rest = rest;
        }
        self.can_repeat = false;
        Ok(())
    }

    fn literal(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.out.push_str(&regex::escape(character.encode_utf8(&mut buffer)));
    }

    fn group(&mut self, could_repeat: bool) -> SqlResult<()> {
        self.can_repeat = false;
        if self.rest.starts_with("?:") {
            self.rest = self.rest.get(2..).unwrap_or("");
            self.out.push_str("(?:");
        } else if let Some(comment) = self.rest.strip_prefix("?#") {
            self.rest = comment.split_once(')').ok_or_else(|| invalid("parentheses () not balanced"))?.1;
            self.can_repeat = could_repeat;
        } else if ["?=", "?!", "?<=", "?<!"].iter().any(|prefix| self.rest.starts_with(prefix)) {
            return Err(SqlError::unsupported("lookaround in a regular expression"));
        } else if self.rest.starts_with('?') {
            return Err(invalid("quantifier operand invalid"));
        } else {
            self.out.push('(');
        }
        Ok(())
    }

    /// After a backslash, inside or outside a bracket expression.
    fn escape(&mut self, in_bracket: bool) -> SqlResult<()> {
        let Some(character) = self.next() else { return Err(invalid("invalid escape \\ sequence")) };
        let class = match character {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            's' => " \\t\\n\\r\\x0b\\x0c",
            _ => "",
        };
        if !class.is_empty() {
            let (open, close) = if in_bracket { ("", "") } else { ("[", "]") };
            self.out.push_str(&format!("{open}{class}{close}"));
            return Ok(());
        }
        match character {
            'm' | 'M' | 'y' | 'Y' | 'A' | 'Z' if !in_bracket => self.can_repeat = false,
            _ => {}
        }
        match character {
            'D' if !in_bracket => self.out.push_str("[^0-9]"),
            'W' if !in_bracket => self.out.push_str("[^0-9A-Za-z_]"),
            'S' if !in_bracket => self.out.push_str("[^ \\t\\n\\r\\x0b\\x0c]"),
            'm' if !in_bracket => self.out.push_str("(?-u:\\b{start})"),
            'M' if !in_bracket => self.out.push_str("(?-u:\\b{end})"),
            'y' if !in_bracket => self.out.push_str("(?-u:\\b)"),
            'Y' if !in_bracket => self.out.push_str("(?:^|(?-u:\\b{start-half}))(?-u:\\b{end-half})"),
            'A' if !in_bracket => self.out.push_str("\\A"),
            'Z' if !in_bracket => self.out.push_str("\\z"),
            'a' => self.literal('\x07'),
            'b' => self.literal('\x08'),
            'B' => self.literal('\\'),
            'e' => self.literal('\x1b'),
            'f' => self.literal('\x0c'),
            'n' => self.literal('\n'),
            'r' => self.literal('\r'),
            't' => self.literal('\t'),
            'v' => self.literal('\x0b'),
            'c' => {
                let control = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                self.literal(char::from((u32::from(control) & 0x1f) as u8));
            }
            'u' => self.code_point(4, 4)?,
            'U' => self.code_point(8, 8)?,
            'x' => self.code_point(1, 255)?,
            '0' => self.literal('\0'),
            '1'..='9' if !in_bracket => {
                return Err(SqlError::unsupported("a back reference in a regular expression"));
            }
            _ if character.is_ascii_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
            _ => self.literal(character),
        }
        Ok(())
    }

    fn code_point(&mut self, digits_min: usize, digits_max: usize) -> SqlResult<()> {
        let len = self.rest.bytes().take(digits_max).take_while(u8::is_ascii_hexdigit).count();
        let (digits, rest) = self.rest.split_at(len);
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        let character = character.filter(|_| len >= digits_min).ok_or_else(|| invalid("invalid escape \\ sequence"))?;
        self.rest = rest;
        self.literal(character);
        Ok(())
    }

    /// After `[`. All that the crate gives a meaning of its own (`[`, `&&`, `--`, `~~`) is escaped.
    fn bracket(&mut self) -> SqlResult<()> {
        for (word, translated) in [("[:<:]]", "(?-u:\\b{start})"), ("[:>:]]", "(?-u:\\b{end})")] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                self.out.push_str(translated);
                return Ok(());
            }
        }
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
            if self.options.stops_at_newline {
                self.out.push_str("\\n");
            }
        }
        if let Some(rest) = self.rest.strip_prefix(']') {
            self.rest = rest;
            self.out.push_str("\\]");
        }
        loop {
            let Some(character) = self.next() else { return Err(invalid("brackets [] not balanced")) };
            match character {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '[' if self.rest.starts_with(':') => self.class()?,
                '[' if self.rest.starts_with(['.', '=']) => {
                    return Err(SqlError::unsupported("a collating element in a regular expression"));
                }
                // Between two characters a range, anywhere else itself.
                '-' if self.rest.starts_with(']') || self.out.ends_with('[') || self.out.ends_with("[^") => {
                    self.out.push_str("\\-");
                }
                '-' => self.out.push('-'),
                _ => self.literal(character),
            }
        }
    }

    /// `[:alpha:]` within brackets, after its `[`.
    fn class(&mut self) -> SqlResult<()> {
        const CLASSES: [&str; 13] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "xdigit",
        ];
        let (name, rest) = self
            .rest
            .strip_prefix(':')
            .and_then(|rest| rest.split_once(":]"))
            .ok_or_else(|| invalid("brackets [] not balanced"))?;
        if name != "word" && !CLASSES.contains(&name) {
            return Err(invalid("invalid character class"));
        }
        self.out.push_str(&format!("[:{name}:]"));
        self.rest = rest;
        Ok(())
    }
}
