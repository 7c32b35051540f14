//! Bytes that come in pieces into rows of fields, in COPY's text and csv formats (PostgreSQL manual, "COPY", File
//! Formats).
//!
//! What always holds:
//! 1. Pieces may end anywhere, also within an escape or a quoted field; a row is taken apart only when it is complete.
//! 2. A line ends with what the first line ended with: LF, CR LF or CR; another end of line is an error, unless it is
//!    escaped or quoted.
//! 3. `\.` alone on a line ends the data; what follows is read and ignored.

use std::ops::Range;

use nqdb_sqlstate::{BAD_COPY_FILE_FORMAT, CHARACTER_NOT_IN_REPERTOIRE, SqlError, SqlResult};

use crate::statement::{CopyFormat, CopyOptions};

/// What `next_row` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Row,
    /// More bytes are needed.
    Nothing,
    /// The data has ended.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Lf,
    CrLf,
    Cr,
}

/// One field of a row.
#[derive(Clone, Copy, Debug)]
struct Field {
    /// Where its text lies: in `text` if it had to be rewritten, else in `buffer`.
    start: usize,
    end: usize,
    rewritten: bool,
    quoted: bool,
    /// It is spelled as NULL is.
    matches_null: bool,
}

/// A reader of rows.
pub(super) struct Lines {
    csv: bool,
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: Vec<u8>,
    buffer: Vec<u8>,
    /// Where the next line starts in `buffer`.
    start: usize,
    /// How far the next line was searched for its end, and in which state.
    scanned: usize,
    in_quotes: bool,
    /// A backslash was met in the next line, of the text format.
    has_escapes: bool,
    line_end: Option<LineEnd>,
    input_ended: bool,
    data_ended: bool,
    /// Lines read so far: the number of the line at hand.
    pub number: u64,
    /// Where the line at hand lies in `buffer`; empty once more input has come.
    line: Range<usize>,
    fields: Vec<Field>,
    /// What fields with escapes or quotes say.
    text: Vec<u8>,
}

impl Lines {
    pub fn new(options: &CopyOptions) -> Lines {
        Lines {
            csv: options.format == CopyFormat::Csv,
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape,
            null: options.null.as_bytes().to_vec(),
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            in_quotes: false,
            has_escapes: false,
            line_end: None,
            input_ended: false,
            data_ended: false,
            number: 0,
            line: 0..0,
            fields: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Appends input.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.data_ended {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            self.line = 0..0;
            self.fields.clear();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// No more input will come: what is left is the last line.
    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// Bytes that are held.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The line at hand, for error contexts.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(self.line_bytes()).into_owned()
    }

    fn line_bytes(&self) -> &[u8] {
        self.buffer.get(self.line.clone()).unwrap_or_default()
    }

    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Whether the row at hand is a line of nothing.
    pub fn is_empty_line(&self) -> bool {
        matches!(self.fields.as_slice(), [field] if field.start == field.end && !field.quoted)
    }

    /// The text of a field; `None` when it is spelled as NULL is.
    pub fn field(&self, number: usize, force_not_null: bool, force_null: bool) -> SqlResult<Option<&str>> {
        let Some(field) = self.fields.get(number) else { return Ok(None) };
        let is_null = field.matches_null && if field.quoted { force_null } else { !force_not_null };
        if is_null {
            return Ok(None);
        }
        let source = if field.rewritten { &self.text } else { &self.buffer };
        check_utf8(source.get(field.start..field.end).unwrap_or_default()).map(Some)
    }

    /// Takes the next row apart.
    pub fn next_row(&mut self) -> SqlResult<Found> {
        if self.data_ended {
            return Ok(Found::End);
        }
        if !self.next_line()? {
            return Ok(if self.input_ended { Found::End } else { Found::Nothing });
        }
        if self.line_bytes() == b"\\." {
            self.data_ended = true;
            return Ok(Found::End);
        }
        self.fields.clear();
        self.text.clear();
        if self.csv {
            self.split_csv()?
        } else if std::mem::take(&mut self.has_escapes) {
            self.split_escaped();
        } else {
            self.split_plain();
        }
        Ok(Found::Row)
    }

    /// Finds the next complete line.
    fn next_line(&mut self) -> SqlResult<bool> {
        loop {
            self.skip_plain();
            let Some(byte) = self.buffer.get(self.scanned).copied() else {
                return self.last_line();
            };
            match byte {
                b'\n' | b'\r' if !self.in_quotes => {
                    if byte == b'\r' && self.scanned + 1 == self.buffer.len() && !self.input_ended {
                        // CR at the end of a piece: LF may follow.
                        return Ok(false);
                    }
                    let length = self.accept_line_end(byte)?;
                    self.take_line(self.scanned, length);
                    return Ok(true);
                }
                b'\\' if !self.csv => {
                    if self.scanned + 1 == self.buffer.len() && !self.input_ended {
                        return Ok(false);
                    }
                    self.has_escapes = true;
                    self.scanned += 2.min(self.buffer.len() - self.scanned);
                }
                _ if self.csv && self.in_quotes && byte == self.escape && self.escape != self.quote => {
                    if self.scanned + 1 == self.buffer.len() && !self.input_ended {
                        return Ok(false);
                    }
                    self.scanned += 2.min(self.buffer.len() - self.scanned);
                }
                _ => {
                    if self.csv && byte == self.quote {
                        self.in_quotes = !self.in_quotes;
                    }
                    self.scanned += 1;
                }
            }
        }
    }

    /// Moves on to the next byte that may end the line or change what the bytes behind it mean, or to the end.
    fn skip_plain(&mut self) {
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let stop = match (self.csv, self.in_quotes) {
            (false, _) => memchr::memchr3(b'\n', b'\r', b'\\', rest),
            (true, false) => memchr::memchr3(b'\n', b'\r', self.quote, rest),
            (true, true) => memchr::memchr2(self.quote, self.escape, rest),
        };
        self.scanned += stop.unwrap_or(rest.len());
    }

    /// The end of the buffer: a line only if the input has ended and something is left.
    fn last_line(&mut self) -> SqlResult<bool> {
        if !self.input_ended || self.start == self.buffer.len() {
            return Ok(false);
        }
        self.take_line(self.buffer.len(), 0);
        if self.in_quotes {
            return Err(bad_format("unterminated CSV quoted field"));
        }
        Ok(true)
    }

    fn take_line(&mut self, end: usize, end_length: usize) {
        self.line = self.start..end;
        self.start = end + end_length;
        self.scanned = self.start;
        self.number += 1;
    }

    /// The length of the end of line at `scanned`, which must be like the first one.
    fn accept_line_end(&mut self, byte: u8) -> SqlResult<usize> {
        let found = match (byte, self.buffer.get(self.scanned + 1)) {
            (b'\n', _) => LineEnd::Lf,
            (_, Some(b'\n')) => LineEnd::CrLf,
            _ => LineEnd::Cr,
        };
        let expected = *self.line_end.get_or_insert(found);
        if found == expected {
            return Ok(if found == LineEnd::CrLf { 2 } else { 1 });
        }
        self.number += 1;
        self.line = 0..0;
        let what = if found == LineEnd::Lf { "newline" } else { "carriage return" };
        let (kind, hint) = match (self.csv, found) {
            (true, LineEnd::Lf) => ("unquoted", "Use quoted CSV field to represent newline."),
            (true, _) => ("unquoted", "Use quoted CSV field to represent carriage return."),
            (false, LineEnd::Lf) => ("literal", "Use \"\\n\" to represent newline."),
            (false, _) => ("literal", "Use \"\\r\" to represent carriage return."),
        };
        Err(bad_format(format!("{kind} {what} found in data")).with_hint(hint))
    }

    /// Splits a line without escapes: its fields are pieces of the buffer.
    fn split_plain(&mut self) {
        let line = self.buffer.get(self.line.clone()).unwrap_or_default();
        let mut start = 0;
        let ends = memchr::memchr_iter(self.delimiter, line).chain([line.len()]);
        for end in ends {
            let matches_null = line[start..end] == self.null[..];
            let (from, to) = (self.line.start + start, self.line.start + end);
            self.fields.push(Field { start: from, end: to, rewritten: false, quoted: false, matches_null });
            start = end + 1;
        }
    }

    fn split_escaped(&mut self) {
        let mut rest = self.buffer.get(self.line.clone()).unwrap_or_default();
        loop {
            let start = self.text.len();
            let mut at = 0;
            // Runs without an escape are copied whole.
            while let Some(run) = memchr::memchr2(self.delimiter, b'\\', &rest[at..]) {
                self.text.extend_from_slice(&rest[at..at + run]);
                at += run;
                if rest[at] == self.delimiter {
                    break;
                }
                at += unescape(&rest[at + 1..], &mut self.text) + 1;
                at = at.min(rest.len());
            }
            if rest.get(at) != Some(&self.delimiter) {
                self.text.extend_from_slice(&rest[at..]);
                at = rest.len();
            }
            let matches_null = rest[..at] == self.null[..];
            self.fields.push(Field { start, end: self.text.len(), rewritten: true, quoted: false, matches_null });
            if at == rest.len() {
                return;
            }
            rest = &rest[at + 1..];
        }
    }

    fn split_csv(&mut self) -> SqlResult<()> {
        let line = self.buffer.get(self.line.clone()).unwrap_or_default();
        let mut at = 0;
        loop {
            // A field without a quote is a piece of the buffer.
            let rest = line.get(at..).unwrap_or_default();
            let stop = memchr::memchr2(self.delimiter, self.quote, rest);
            if stop.is_none_or(|stop| rest[stop] == self.delimiter) {
                let end = at + stop.unwrap_or(rest.len());
                let matches_null = line[at..end] == self.null[..];
                let (start, to) = (self.line.start + at, self.line.start + end);
                self.fields.push(Field { start, end: to, rewritten: false, quoted: false, matches_null });
                at = end;
            } else {
                let start = self.text.len();
                at = unquote(line, at, [self.delimiter, self.quote, self.escape], &mut self.text)?;
                let matches_null = self.text[start..] == self.null[..];
                self.fields.push(Field { start, end: self.text.len(), rewritten: true, quoted: true, matches_null });
            }
            if at >= line.len() {
                return Ok(());
            }
            at += 1;
        }
    }
}

/// Appends what a csv field with quotes says, which starts at `at`; gives where it ends.
fn unquote(line: &[u8], mut at: usize, [delimiter, quote, escape]: [u8; 3], text: &mut Vec<u8>) -> SqlResult<usize> {
    let mut in_quotes = false;
    while let Some(byte) = line.get(at).copied() {
        if in_quotes {
            let next = line.get(at + 1).copied();
            if byte == escape && next.is_some_and(|next| next == escape || next == quote) {
                text.extend(next);
                at += 2;
                continue;
            }
            if byte == quote { in_quotes = false } else { text.push(byte) }
        } else if byte == delimiter {
            break;
        } else if byte == quote {
            in_quotes = true;
        } else {
            text.push(byte);
        }
        at += 1;
    }
    if in_quotes { Err(bad_format("unterminated CSV quoted field")) } else { Ok(at) }
}

/// What follows a backslash: appends its meaning, gives its length.
fn unescape(rest: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(byte) = rest.first().copied() else {
        out.push(b'\\');
        return 0;
    };
    let plain = match byte {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'0'..=b'7' => {
            let digits = rest.iter().take(3).take_while(|digit| (b'0'..=b'7').contains(digit));
            let length = digits.clone().count();
            out.push(digits.fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
            return length;
        }
        b'x' => {
            let digits = rest[1..].iter().take(2).map_while(|digit| char::from(*digit).to_digit(16));
            let length = digits.clone().count();
            if length > 0 {
                out.push(digits.fold(0u8, |value, digit| value.wrapping_mul(16).wrapping_add(digit as u8)));
                return length + 1;
            }
            byte
        }
        other => other,
    };
    out.push(plain);
    1
}

/// 22021 for what is not UTF-8, or holds a NUL.
fn check_utf8(bytes: &[u8]) -> SqlResult<&str> {
    let invalid = |bytes: &[u8]| {
        let list: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", list.join(" "));
        SqlError::new(CHARACTER_NOT_IN_REPERTOIRE, message)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let from = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - from);
        invalid(&bytes[from..from + length])
    })?;
    if text.contains('\0') {
        return Err(invalid(&[0]));
    }
    Ok(text)
}

pub(super) fn bad_format(message: impl Into<String>) -> SqlError {
    SqlError::new(BAD_COPY_FILE_FORMAT, message)
}
