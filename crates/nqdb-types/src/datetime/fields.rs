//! Cutting a date, time or interval into fields by their look.
//!
//! ```text
//! Number    12  3.5  .25             Time      12:30  1:2:3.5
//! Date      2020-01-02  2-jan-2020  america/new_york  20200102t
//! Word      jan  pm  tomorrow        Signed    -08  +08:30  -1-2  +3.5     (a zone, or a signed number)
//! Special   -infinity  +word
//! ```
//!
//! Blanks and punctuation that begins no field only separate. Letters become lower case.

use super::Refusal;
use super::keywords;
use crate::text::is_space;

/// More fields than any date has (PostgreSQL's MAXDATEFIELDS).
const FIELD_COUNT_MAX: usize = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    Number,
    Date,
    Time,
    Signed,
    Word,
    Special,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub kind: FieldKind,
    pub text: String,
}

/// Cuts a text into its fields.
pub(super) fn split(text: &str) -> Result<Vec<Field>, Refusal> {
    let mut rest = Cursor { bytes: text.as_bytes() };
    let mut fields = Vec::new();
    while let Some(byte) = rest.peek() {
        if is_space(char::from(byte)) {
            rest.skip();
            continue;
        }
        if fields.len() >= FIELD_COUNT_MAX {
            return Err(Refusal::BadFormat);
        }
        let mut text = String::new();
        let kind = match byte {
            b'0'..=b'9' => take_number(&mut rest, &mut text),
            b'.' => {
                rest.take_one(&mut text);
                rest.take_while(&mut text, |byte| byte.is_ascii_digit());
                FieldKind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => take_word(&mut rest, &mut text),
            b'+' | b'-' => take_signed(&mut rest, &mut text)?,
            _ if byte.is_ascii_punctuation() => {
                rest.skip();
                continue;
            }
            _ => return Err(Refusal::BadFormat),
        };
        fields.push(Field { kind, text });
    }
    Ok(fields)
}

fn take_number(rest: &mut Cursor<'_>, text: &mut String) -> FieldKind {
    rest.take_while(text, |byte| byte.is_ascii_digit());
    match rest.peek() {
        Some(b':') => {
            rest.take_while(text, |byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
            FieldKind::Time
        }
        Some(delimiter @ (b'-' | b'/' | b'.')) => {
            rest.take_one(text);
            if !rest.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                rest.take_while(text, |byte| byte.is_ascii_alphanumeric() || byte == delimiter);
                return FieldKind::Date;
            }
            rest.take_while(text, |byte| byte.is_ascii_digit());
            // The same delimiter again makes it a date of three parts.
            if rest.peek() == Some(delimiter) {
                rest.take_while(text, |byte| byte.is_ascii_digit() || byte == delimiter);
                return FieldKind::Date;
            }
            if delimiter == b'.' { FieldKind::Number } else { FieldKind::Date }
        }
        _ => FieldKind::Number,
    }
}

/// A word, or a date or zone name that begins with one.
fn take_word(rest: &mut Cursor<'_>, text: &mut String) -> FieldKind {
    rest.take_while(text, |byte| byte.is_ascii_alphabetic());
    let is_date = match rest.peek() {
        Some(b'-' | b'/' | b'.') => true,
        Some(b'+' | b'0'..=b'9') => keywords::date_word(text).is_none(),
        _ => false,
    };
    if !is_date {
        return FieldKind::Word;
    }
    rest.take_while(text, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
    });
    FieldKind::Date
}

fn take_signed(rest: &mut Cursor<'_>, text: &mut String) -> Result<FieldKind, Refusal> {
    rest.take_one(text);
    while rest.peek().is_some_and(|byte| is_space(char::from(byte))) {
        rest.skip();
    }
    match rest.peek() {
        Some(b'0'..=b'9') => {
            rest.take_while(text, |byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'));
            Ok(FieldKind::Signed)
        }
        Some(b'a'..=b'z' | b'A'..=b'Z') => {
            rest.take_while(text, |byte| byte.is_ascii_alphabetic());
            Ok(FieldKind::Special)
        }
        _ => Err(Refusal::BadFormat),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    fn skip(&mut self) {
        self.bytes = self.bytes.get(1..).unwrap_or_default();
    }

    fn take_one(&mut self, text: &mut String) {
        if let Some(byte) = self.peek() {
            text.push(char::from(byte.to_ascii_lowercase()));
            self.skip();
        }
    }

    fn take_while(&mut self, text: &mut String, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.take_one(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldKind::{Date, Number, Signed, Special, Time, Word};

    fn kinds(text: &str) -> Vec<(FieldKind, String)> {
        split(text).expect("fields").into_iter().map(|field| (field.kind, field.text)).collect()
    }

    fn expect(text: &str, fields: &[(FieldKind, &str)]) {
        let fields: Vec<_> = fields.iter().map(|(kind, text)| (*kind, text.to_string())).collect();
        assert_eq!(kinds(text), fields, "{text}");
    }

    #[test]
    fn fields_are_told_by_their_look() {
        expect("2020-01-02 03:04:05.5+02", &[(Date, "2020-01-02"), (Time, "03:04:05.5"), (Signed, "+02")]);
        expect("Jan 8, 1999", &[(Word, "jan"), (Number, "8"), (Number, "1999")]);
        expect("08-Jan-99 PM", &[(Date, "08-jan-99"), (Word, "pm")]);
        expect(
            "20200102T030405 America/New_York",
            &[(Number, "20200102"), (Word, "t"), (Number, "030405"), (Date, "america/new_york")],
        );
        expect("-infinity", &[(Special, "-infinity")]);
        expect("1.5 y2001m02", &[(Number, "1.5"), (Word, "y"), (Number, "2001"), (Word, "m"), (Number, "02")]);
    }

    #[test]
    fn what_is_no_field_is_refused() {
        assert_eq!(split("1 + ?"), Err(Refusal::BadFormat));
        assert_eq!(split("ü"), Err(Refusal::BadFormat));
        assert_eq!(split(&"1 ".repeat(26)), Err(Refusal::BadFormat));
        assert_eq!(split(&"1 ".repeat(25)).map(|fields| fields.len()), Ok(25));
    }
}
