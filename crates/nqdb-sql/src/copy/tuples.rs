//! COPY's binary format (PostgreSQL manual, "COPY", File Formats), read out of bytes that come in pieces.
//!
//! ```text
//! PGCOPY\n\377\r\n\0 | flags i32 | extension length i32, extension
//! fields i16 | { length i32, or -1 for NULL | bytes } ...            for each row
//! -1 i16                                                             the end
//! ```
//!
//! What always holds: a row is taken apart only when all of it has come; what follows the end is an error.

use std::ops::Range;

use nqdb_sqlstate::{SqlError, SqlResult};

use super::lines::{Found, bad_format};

/// What the data begins with.
pub(super) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The number of fields that says that there are no more rows.
pub(super) const END_OF_ROWS: i16 = -1;
/// The length of NULL.
pub(super) const NULL_LENGTH: i32 = -1;
/// Flags that a reader must know; there is none but the one of rows with OIDs, which are gone.
const CRITICAL_FLAGS: i32 = !0xffff;
const OIDS_FLAG: i32 = 1 << 16;

/// A reader of rows.
#[derive(Default)]
pub(super) struct Tuples {
    buffer: Vec<u8>,
    /// Where the next row starts in `buffer`.
    start: usize,
    input_ended: bool,
    header_read: bool,
    ended: bool,
    /// Rows read so far: the number of the row at hand.
    pub number: u64,
    fields: Vec<Option<Range<usize>>>,
}

impl Tuples {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.fields.clear();
        self.buffer.extend_from_slice(bytes);
    }

    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes of a field of the row at hand; `None` for NULL.
    pub fn field(&self, number: usize) -> Option<&[u8]> {
        self.buffer.get(self.fields.get(number)?.clone()?)
    }

    /// Finds the next row, of so many fields.
    pub fn next_row(&mut self, field_count: usize) -> SqlResult<Found> {
        if !self.header_read && !self.read_header()? {
            return Ok(Found::Nothing);
        }
        if self.ended {
            return self.expect_no_more();
        }
        let mut at = self.start;
        let Some(count) = self.read(&mut at).map(i16::from_be_bytes) else {
            // An end without its mark is taken for one with it.
            return Ok(if self.input_ended { Found::End } else { Found::Nothing });
        };
        if count == END_OF_ROWS {
            self.start = at;
            self.ended = true;
            self.number += 1;
            return self.expect_no_more();
        }
        let is_new = self.read_fields(at, count, field_count);
        match is_new {
            Ok(false) if self.input_ended => {
                self.number += 1;
                Err(bad_format("unexpected EOF in COPY data"))
            }
            Ok(false) => Ok(Found::Nothing),
            Ok(true) => {
                self.number += 1;
                Ok(Found::Row)
            }
            Err(error) => {
                self.number += 1;
                Err(error)
            }
        }
    }

    /// Takes a row apart; false when a part of it has not come.
    fn read_fields(&mut self, mut at: usize, count: i16, field_count: usize) -> SqlResult<bool> {
        if usize::try_from(count) != Ok(field_count) {
            return Err(bad_format(format!("row field count is {count}, expected {field_count}")));
        }
        self.fields.clear();
        for _ in 0..field_count {
            let Some(length) = self.read(&mut at).map(i32::from_be_bytes) else { return Ok(false) };
            if length == NULL_LENGTH {
                self.fields.push(None);
                continue;
            }
            let length = usize::try_from(length).map_err(|_| bad_format("invalid field size"))?;
            let end = at.saturating_add(length);
            if end > self.buffer.len() {
                return Ok(false);
            }
            self.fields.push(Some(at..end));
            at = end;
        }
        self.start = at;
        Ok(true)
    }

    /// Reads what stands before the rows; false when a part of it has not come.
    fn read_header(&mut self) -> SqlResult<bool> {
        let mut at = self.start;
        let missing = |what: &str| Err(bad_format(format!("invalid COPY file header ({what})")));
        let Some(signature) = self.read::<11>(&mut at) else {
            return if self.input_ended { Err(unknown_signature()) } else { Ok(false) };
        };
        if signature != *SIGNATURE {
            return Err(unknown_signature());
        }
        let Some(flags) = self.read(&mut at).map(i32::from_be_bytes) else {
            return if self.input_ended { missing("missing flags") } else { Ok(false) };
        };
        if flags & OIDS_FLAG != 0 {
            return missing("WITH OIDS");
        }
        if flags & CRITICAL_FLAGS != 0 {
            return Err(bad_format("unrecognized critical flags in COPY file header"));
        }
        let Some(length) = self.read(&mut at).map(i32::from_be_bytes) else {
            return if self.input_ended { missing("missing length") } else { Ok(false) };
        };
        let Ok(length) = usize::try_from(length) else { return missing("missing length") };
        let end = at.saturating_add(length);
        if end > self.buffer.len() {
            return if self.input_ended { missing("wrong length") } else { Ok(false) };
        }
        self.start = end;
        self.header_read = true;
        Ok(true)
    }

    fn expect_no_more(&mut self) -> SqlResult<Found> {
        if self.start < self.buffer.len() {
            return Err(bad_format("received copy data after EOF marker"));
        }
        Ok(if self.input_ended { Found::End } else { Found::Nothing })
    }

    fn read<const N: usize>(&self, at: &mut usize) -> Option<[u8; N]> {
        let bytes = self.buffer.get(*at..)?.first_chunk::<N>()?;
        *at += N;
        Some(*bytes)
    }
}

fn unknown_signature() -> SqlError {
    bad_format("COPY file signature not recognized")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(rows: &[&[Option<&[u8]>]], end: bool) -> Vec<u8> {
        let mut bytes = [SIGNATURE.as_slice(), &[0; 8]].concat();
        for row in rows {
            bytes.extend((row.len() as i16).to_be_bytes());
            for field in *row {
                bytes.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
                bytes.extend(field.unwrap_or_default());
            }
        }
        if end {
            bytes.extend(END_OF_ROWS.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let bytes = data(&[&[Some(b"abc"), None], &[Some(b""), Some(b"x")]], true);
        for piece in 1..bytes.len() {
            let mut tuples = Tuples::default();
            let mut rows = Vec::new();
            let mut pieces = bytes.chunks(piece);
            loop {
                match tuples.next_row(2).unwrap() {
                    Found::Row => rows.push([tuples.field(0).map(<[u8]>::to_vec), tuples.field(1).map(<[u8]>::to_vec)]),
                    Found::Nothing => match pieces.next() {
                        Some(piece) => tuples.feed(piece),
                        None => tuples.end_input(),
                    },
                    Found::End => break,
                }
            }
            let some = |text: &str| Some(text.as_bytes().to_vec());
            assert_eq!(rows, [[some("abc"), None], [some(""), some("x")]]);
        }
    }

    fn error(bytes: &[u8]) -> String {
        let mut tuples = Tuples::default();
        tuples.feed(bytes);
        tuples.end_input();
        loop {
            match tuples.next_row(1) {
                Ok(Found::Row) => {}
                Ok(found) => panic!("{found:?}"),
                Err(error) => return error.message().to_owned(),
            }
        }
    }

    #[test]
    fn malformed_data_is_told_as_postgresql_tells_it() {
        assert_eq!(error(b"PGCOPY"), "COPY file signature not recognized");
        assert_eq!(error(b"1\t2\n3\t4\n\\.\n"), "COPY file signature not recognized");
        let with_flags = |flags: i32| [SIGNATURE.as_slice(), &flags.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(error(&with_flags(0)[..13]), "invalid COPY file header (missing flags)");
        assert_eq!(error(&with_flags(1 << 16)), "invalid COPY file header (WITH OIDS)");
        assert_eq!(error(&with_flags(1 << 17)), "unrecognized critical flags in COPY file header");
        assert_eq!(error(&with_flags(0)[..17]), "invalid COPY file header (missing length)");
        assert_eq!(error(&data(&[&[None, None]], true)), "row field count is 2, expected 1");
        let whole = data(&[&[Some(b"abc")]], false);
        assert_eq!(error(&whole[..whole.len() - 1]), "unexpected EOF in COPY data");
        assert_eq!(error(&[data(&[&[None]], true), vec![0]].concat()), "received copy data after EOF marker");
    }
}
