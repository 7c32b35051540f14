//! What flags such as `gi`, and the pattern's own `(?xyz)`, ask for.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};

/// How a pattern is read and what `.` and `^` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RegexOptions {
    pub ignores_case: bool,
    /// `.` and `[^..]` do not match a newline.
    pub stops_at_newline: bool,
    /// `^` and `$` match at each line.
    pub multi_line: bool,
    /// Blanks and comments are left out.
    pub expanded: bool,
    /// All matches, not only the first; for the functions that allow it.
    pub global: bool,
    pub flavour: Flavour,
}

/// Which of the three syntaxes, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    Advanced,
    Extended,
    /// Refused, but only when a pattern is compiled.
    Basic,
    /// The pattern is plain text.
    Literal,
}

impl RegexOptions {
    pub const DEFAULT: RegexOptions = RegexOptions {
        ignores_case: false,
        stops_at_newline: false,
        multi_line: false,
        expanded: false,
        global: false,
        flavour: Flavour::Advanced,
    };

    /// Reads flags such as `gi`; 22023 for an unknown one.
    pub fn parse(flags: &str) -> SqlResult<RegexOptions> {
        let mut options = RegexOptions::DEFAULT;
        for flag in flags.chars() {
            if flag == 'g' {
                options.global = true;
            } else if !options.set(flag) {
                let message = format!("invalid regular expression option: \"{flag}\"");
                return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
            }
        }
        Ok(options)
    }

    /// Takes in one flag; false when there is no such flag.
    pub fn set(&mut self, flag: char) -> bool {
        match flag {
            'b' => self.flavour = Flavour::Basic,
            'c' => self.ignores_case = false,
            'e' => self.flavour = Flavour::Extended,
            'i' => self.ignores_case = true,
            'n' | 'm' => (self.stops_at_newline, self.multi_line) = (true, true),
            'p' => (self.stops_at_newline, self.multi_line) = (true, false),
            'q' => self.flavour = Flavour::Literal,
            's' => (self.stops_at_newline, self.multi_line) = (false, false),
            't' => self.expanded = false,
            'w' => (self.stops_at_newline, self.multi_line) = (false, true),
            'x' => self.expanded = true,
            _ => return false,
        }
        true
    }
}
