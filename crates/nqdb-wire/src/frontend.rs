//! Decoding what a client sends, in place: every request borrows from the read buffer.
//!
//! Checking a body and decoding it are one walk, so that no count is believed before the bytes behind it were
//! seen. A body that ends too early, goes on too long or has an unfinished string is 08P01 in PostgreSQL's
//! words; text that is not UTF-8 is 22021.

use nqdb_session::encoding::check_utf8;
use nqdb_sqlstate::SqlResult;

use crate::frame::violation;

/// A decoded message.
#[derive(Debug)]
pub enum Request<'a> {
    Query { sql: &'a str },
    Parse { name: &'a str, sql: &'a str, parameter_oids: Vec<u32> },
    Bind(Bind<'a>),
    Describe { target: Target, name: &'a str },
    Execute { portal: &'a str, rows_max: u64 },
    Close { target: Target, name: &'a str },
    Flush,
    Sync,
    Terminate,
    CopyData(&'a [u8]),
    CopyDone,
    CopyFail { message: &'a str },
    FunctionCall,
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Statement,
    Portal,
}

/// The body of Bind. Format codes are as sent: 0 is text, 1 is binary, others are refused where they are used.
#[derive(Debug, Default)]
pub struct Bind<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    pub parameter_formats: Vec<i16>,
    pub values: Vec<Option<&'a [u8]>>,
    pub result_formats: Vec<i16>,
}

impl<'a> Request<'a> {
    /// Decodes the body of a message whose tag the guard has let through.
    pub fn decode(tag: u8, body: &'a [u8]) -> SqlResult<Request<'a>> {
        let mut body = Body { rest: body };
        let request = match tag {
            b'Q' => Request::Query { sql: body.string()? },
            b'P' => Request::Parse { name: body.string()?, sql: body.string()?, parameter_oids: body.oids()? },
            b'B' => Request::Bind(body.bind()?),
            b'D' => Request::Describe { target: body.target("DESCRIBE")?, name: body.string()? },
            b'C' => Request::Close { target: body.target("CLOSE")?, name: body.string()? },
            b'E' => Request::Execute { portal: body.string()?, rows_max: body.rows_max()? },
            b'H' => Request::Flush,
            b'S' => Request::Sync,
            b'X' => return Ok(Request::Terminate),
            b'd' => Request::CopyData(std::mem::take(&mut body.rest)),
            b'c' => Request::CopyDone,
            b'f' => Request::CopyFail { message: body.string()? },
            b'F' => return Ok(Request::FunctionCall),
            _ => return Err(violation(format!("invalid frontend message type {tag}")).fatal()),
        };
        if !body.rest.is_empty() {
            return Err(violation("invalid message format"));
        }
        Ok(request)
    }
}

/// The part of a body that was not read yet.
struct Body<'a> {
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    fn bytes(&mut self, len: usize) -> SqlResult<&'a [u8]> {
        let (bytes, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| violation("insufficient data left in message"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> SqlResult<[u8; N]> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| violation("insufficient data left in message"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn count(&mut self) -> SqlResult<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    /// A string up to its NUL, which is not part of it.
    fn string(&mut self) -> SqlResult<&'a str> {
        let len = memchr::memchr(0, self.rest).ok_or_else(|| violation("invalid string in message"))?;
        let text = self.bytes(len)?;
        self.bytes(1)?;
        check_utf8(text)
    }

    /// A count and that many two-byte numbers.
    fn formats(&mut self) -> SqlResult<Vec<i16>> {
        let count = self.count()?;
        let codes = self.bytes(count * 2)?;
        Ok(codes.chunks_exact(2).map(|code| i16::from_be_bytes([code[0], code[1]])).collect())
    }

    /// A count and that many type OIDs.
    fn oids(&mut self) -> SqlResult<Vec<u32>> {
        let count = self.count()?;
        let oids = self.bytes(count * 4)?;
        Ok(oids.chunks_exact(4).map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]])).collect())
    }

    fn bind(&mut self) -> SqlResult<Bind<'a>> {
        let portal = self.string()?;
        let statement = self.string()?;
        let parameter_formats = self.formats()?;
        let count = self.count()?;
        // Each value takes four bytes at least: a count alone reserves no memory.
        let mut values = Vec::with_capacity(count.min(self.rest.len() / 4));
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(Bind { portal, statement, parameter_formats, values, result_formats: self.formats()? })
    }

    /// A length and that many bytes; -1 is NULL.
    fn value(&mut self) -> SqlResult<Option<&'a [u8]>> {
        match i32::from_be_bytes(self.array()?) {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len).map_err(|_| violation("insufficient data left in message"))?;
                self.bytes(len).map(Some)
            }
        }
    }

    fn target(&mut self, message: &str) -> SqlResult<Target> {
        match self.array::<1>()?[0] {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            subtype => Err(violation(format!("invalid {message} message subtype {subtype}"))),
        }
    }

    /// Zero and negative numbers ask for all rows.
    fn rows_max(&mut self) -> SqlResult<u64> {
        Ok(u64::try_from(i32::from_be_bytes(self.array()?)).unwrap_or(0))
    }
}
