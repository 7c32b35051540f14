//! `string_agg` of text and of bytea.

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::Datum;

use super::{argument, wrong_type};
use crate::Accumulator;

/// The longest value of PostgreSQL's: 1 GiB less one byte.
const LEN_MAX: usize = 0x3fff_ffff;

/// `string_agg(text, text)`.
pub(super) fn text() -> Box<dyn Accumulator> {
    Box::new(Concatenation { is_text: true, bytes: None })
}

/// `string_agg(bytea, bytea)`.
pub(super) fn bytea() -> Box<dyn Accumulator> {
    Box::new(Concatenation { is_text: false, bytes: None })
}

struct Concatenation {
    is_text: bool,
    bytes: Option<Vec<u8>>,
}

fn bytes_of(datum: &Datum) -> SqlResult<&[u8]> {
    match datum {
        Datum::Text(text) => Ok(text.as_bytes()),
        Datum::Bytea(bytes) => Ok(bytes),
        Datum::Null => Ok(&[]),
        other => Err(wrong_type(other)),
    }
}

impl Accumulator for Concatenation {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let Some(value) = argument(args)? else { return Ok(()) };
        let value = bytes_of(value)?;
        let separator = args.get(1).map_or(Ok(&[][..]), bytes_of)?;
        match &mut self.bytes {
            None => self.bytes = Some(value.to_vec()),
            Some(bytes) => {
                if bytes.len() + separator.len() + value.len() > LEN_MAX {
                    return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, "string_agg result exceeds 1 GB"));
                }
                bytes.extend_from_slice(separator);
                bytes.extend_from_slice(value);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        let Some(bytes) = &self.bytes else { return Ok(Datum::Null) };
        if !self.is_text {
            return Ok(Datum::bytea(bytes.as_slice()));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| SqlError::internal("text joined to text is no longer UTF-8"))?;
        Ok(Datum::text(text))
    }

    fn size_bytes(&self) -> usize {
        size_of::<Concatenation>() + self.bytes.as_ref().map_or(0, Vec::capacity)
    }
}
