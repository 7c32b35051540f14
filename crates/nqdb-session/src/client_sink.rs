//! Where a session's answers go: implemented by each transport.
//!
//! Everything but [`ClientSink::flush`] appends to a buffer and cannot fail for the transport's sake; a session
//! that has put more than [`PENDING_BYTES_MAX`] into it flushes before it goes on, so that a slow reader holds back its own
//! session and nobody else.

use std::fmt::Display;
use std::future::Future;
use std::io;

use nqdb_sql::ir::OutputColumn;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, Notice, PROTOCOL_VIOLATION, SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid};

/// Buffered answers, in bytes, after which a session flushes before it produces more.
pub const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Takes the messages of one client.
pub trait ClientSink: Send {
    /// The columns of the rows that follow; `format` knows the names of their types.
    fn row_description(&mut self, columns: &[OutputColumn], formats: &Formats, format: &FormatContext);
    fn no_data(&mut self);
    fn parameter_description(&mut self, types: &[Oid]);
    /// One row; errors: 54000 when it does not fit a message.
    fn data_row(
        &mut self,
        values: &[Datum],
        columns: &[OutputColumn],
        formats: &Formats,
        format: &FormatContext,
    ) -> SqlResult<()>;
    fn command_complete(&mut self, tag: &dyn Display);
    fn empty_query(&mut self);
    fn portal_suspended(&mut self);
    fn error(&mut self, error: &SqlError);
    fn notice(&mut self, notice: &Notice);
    fn parameter_status(&mut self, name: &str, value: &str);
    /// COPY FROM STDIN begins.
    fn copy_in(&mut self, binary: bool, columns: usize);
    /// COPY TO STDOUT begins.
    fn copy_out(&mut self, binary: bool, columns: usize);
    fn copy_data(&mut self, data: &[u8]);
    fn copy_done(&mut self);
    /// Bytes that were appended and not written yet.
    fn pending_bytes(&self) -> usize;
    /// Writes what is pending and waits until the transport has taken it.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Nobody: for rows that a cursor keeps. What would be told to a client is not told.
pub(crate) struct NoClient;

impl ClientSink for NoClient {
    fn row_description(&mut self, _: &[OutputColumn], _: &Formats, _: &FormatContext) {}
    fn no_data(&mut self) {}
    fn parameter_description(&mut self, _: &[Oid]) {}
    fn data_row(&mut self, _: &[Datum], _: &[OutputColumn], _: &Formats, _: &FormatContext) -> SqlResult<()> {
        Ok(())
    }
    fn command_complete(&mut self, _: &dyn Display) {}
    fn empty_query(&mut self) {}
    fn portal_suspended(&mut self) {}
    fn error(&mut self, _: &SqlError) {}
    fn notice(&mut self, _: &Notice) {}
    fn parameter_status(&mut self, _: &str, _: &str) {}
    fn copy_in(&mut self, _: bool, _: usize) {}
    fn copy_out(&mut self, _: bool, _: usize) {}
    fn copy_data(&mut self, _: &[u8]) {}
    fn copy_done(&mut self) {}
    fn pending_bytes(&self) -> usize {
        0
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text or binary, for each column of a result or each parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formats {
    Text,
    Binary,
    /// True is binary.
    Each(Vec<bool>),
}

impl Formats {
    /// Reads the format codes of Bind for `count` columns: none means text, one means all alike.
    ///
    /// Errors: 08P01 with `mismatch` when their number does not fit, 22023 for a code other than 0 and 1.
    pub fn from_codes(codes: &[i16], count: usize, mismatch: impl FnOnce() -> String) -> SqlResult<Formats> {
        let is_binary = |code: &i16| match code {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("unsupported format code: {other}"))),
        };
        match codes {
            [] => Ok(Formats::Text),
            [code] => Ok(if is_binary(code)? { Formats::Binary } else { Formats::Text }),
            codes if codes.len() == count => Ok(Formats::Each(codes.iter().map(is_binary).collect::<SqlResult<_>>()?)),
            _ => Err(SqlError::new(PROTOCOL_VIOLATION, mismatch())),
        }
    }

    pub fn is_binary(&self, column: usize) -> bool {
        match self {
            Formats::Text => false,
            Formats::Binary => true,
            Formats::Each(each) => each.get(column).copied().unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_is_for_all_columns() {
        let read = |codes: &[i16]| Formats::from_codes(codes, 2, || "mismatch".to_owned());
        assert_eq!(read(&[]).unwrap(), Formats::Text);
        assert_eq!(read(&[1]).unwrap(), Formats::Binary);
        assert_eq!(read(&[0, 1]).unwrap(), Formats::Each(vec![false, true]));
        assert_eq!(read(&[0, 1, 1]).unwrap_err().code(), PROTOCOL_VIOLATION);
        assert_eq!(read(&[2]).unwrap_err().message(), "unsupported format code: 2");
    }
}
