//! The answers to one client: encoded straight into one output buffer, written when it is time.
//!
//! Rows and the short answers around them are the hot path and are written as bytes here; the messages that come
//! once per session or rarely (authentication, errors, COPY) use pgwire's types.

use std::fmt::Display;
use std::io;

use bytes::{BufMut, BytesMut};
use nqdb_session::{ClientSink, Formats, OutputColumn, PENDING_BYTES_MAX};

use nqdb_sqlstate::{Notice, NoticeSeverity, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid, type_len, write_binary, write_text};
use pgwire::messages::Message;
use pgwire::messages::copy::{CopyInResponse, CopyOutResponse};
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use pgwire::messages::startup::ParameterStatus;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A byte stream to a client.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// Room that the output buffer keeps between statements, bytes.
const OUTPUT_BYTES_KEPT: usize = 2 * PENDING_BYTES_MAX;

/// The stream to a client with what is to be written to it.
pub struct Client {
    transport: Box<dyn Transport>,
    output: BytesMut,
    /// Length of what is pending up to its last ReadyForQuery.
    finished: usize,
}

impl Client {
    pub fn new(transport: Box<dyn Transport>) -> Client {
        Client { transport, output: BytesMut::with_capacity(8 * 1024), finished: 0 }
    }

    /// Forgets the pending answers of a command that did not come to its ReadyForQuery.
    pub fn discard_unfinished(&mut self) {
        self.output.truncate(self.finished);
    }

    /// Gives the stream back; what was not written is dropped.
    pub fn into_transport(self) -> Box<dyn Transport> {
        self.transport
    }

    /// Reads more bytes into `input`; 0 at the end of the stream.
    pub async fn read(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        self.transport.read_buf(input).await
    }

    /// Closes the stream in an orderly way.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.transport.shutdown().await
    }

    /// Appends a message of pgwire's.
    pub fn message(&mut self, message: &impl Message) {
        if let Err(error) = message.encode(&mut self.output) {
            // Only lengths beyond the protocol's limits fail, and nothing that is sent through here reaches them.
            tracing::error!(%error, "an answer could not be encoded");
        }
    }

    /// Appends messages that are encoded already.
    pub fn encoded(&mut self, messages: &[u8]) {
        self.output.put_slice(messages);
    }

    /// Appends a message without a body.
    pub fn bare(&mut self, tag: u8) {
        self.output.put_u8(tag);
        self.output.put_u32(4);
    }

    /// Appends one byte outside of any message (the answer to SSLRequest).
    pub fn raw_byte(&mut self, byte: u8) {
        self.output.put_u8(byte);
    }

    pub fn ready_for_query(&mut self, status: u8) {
        self.output.put_u8(b'Z');
        self.output.put_u32(5);
        self.output.put_u8(status);
        self.finished = self.output.len();
    }

    /// Appends a message whose body `body` writes; the length is filled in afterwards.
    fn framed(&mut self, tag: u8, body: impl FnOnce(&mut BytesMut)) {
        self.output.put_u8(tag);
        let start = self.output.len();
        self.output.put_u32(0);
        body(&mut self.output);
        let length = u32::try_from(self.output.len() - start).expect("no such answer is longer than 4 GiB");
        self.output[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a string and its NUL.
fn put_string(output: &mut BytesMut, text: &str) {
    output.put_slice(text.as_bytes());
    output.put_u8(0);
}

impl ClientSink for Client {
    fn row_description(&mut self, columns: &[OutputColumn], formats: &Formats, _: &FormatContext) {
        self.framed(b'T', |output| {
            output.put_u16(columns.len() as u16);
            for (at, column) in columns.iter().enumerate() {
                let (table, attribute) = column.origin.unwrap_or((0, 0));
                put_string(output, &column.name);
                output.put_u32(table);
                output.put_i16(attribute);
                output.put_u32(column.ty.oid);
                output.put_i16(type_len(column.ty.oid));
                output.put_i32(column.ty.typmod);
                output.put_i16(i16::from(formats.is_binary(at)));
            }
        });
    }

    fn no_data(&mut self) {
        self.bare(b'n');
    }

    fn parameter_description(&mut self, types: &[Oid]) {
        self.framed(b't', |output| {
            output.put_u16(types.len() as u16);
            for oid in types {
                output.put_u32(*oid);
            }
        });
    }

    fn data_row(
        &mut self,
        values: &[Datum],
        columns: &[OutputColumn],
        formats: &Formats,
        format: &FormatContext,
    ) -> SqlResult<()> {
        let output = &mut self.output;
        let message = output.len();
        output.put_u8(b'D');
        output.put_u32(0);
        output.put_u16(values.len() as u16);
        for (at, (value, column)) in values.iter().zip(columns).enumerate() {
            if value.is_null() {
                output.put_i32(-1);
                continue;
            }
            let start = output.len();
            output.put_i32(0);
            if formats.is_binary(at) {
                write_binary(output, value, column.ty, format);
            } else {
                write_text(output, value, column.ty, format);
            }
            let length = (output.len() - start - 4) as u32;
            output[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        let length = output.len() - message - 1;
        if length > i32::MAX as usize {
            output.truncate(message);
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, "a row is too long for a message of the protocol"));
        }
        output[message + 1..message + 5].copy_from_slice(&(length as u32).to_be_bytes());
        Ok(())
    }

    fn command_complete(&mut self, tag: &dyn Display) {
        use std::fmt::Write;
        self.framed(b'C', |output| {
            // Writing to a BytesMut grows it and cannot fail.
            let _ = write!(output, "{tag}");
            output.put_u8(0);
        });
    }

    fn empty_query(&mut self) {
        self.bare(b'I');
    }

    fn portal_suspended(&mut self) {
        self.bare(b's');
    }

    fn error(&mut self, error: &SqlError) {
        let severity = if error.is_fatal() { "FATAL" } else { "ERROR" };
        let position = error.position().map(|position| position.to_string());
        let optional = [
            (b'D', error.detail()),
            (b'H', error.hint()),
            (b'P', position.as_deref()),
            (b'W', error.context()),
            (b's', error.schema()),
            (b't', error.table()),
            (b'c', error.column()),
            (b'd', error.data_type()),
            (b'n', error.constraint()),
        ];
        let mut fields = main_fields(severity, error.code().as_str(), error.message());
        fields.extend(optional.into_iter().filter_map(|(tag, text)| Some((tag, without_nul(text?)))));
        self.message(&ErrorResponse::new(fields));
    }

    fn notice(&mut self, notice: &Notice) {
        let severity = match notice.severity {
            NoticeSeverity::Debug => "DEBUG",
            NoticeSeverity::Log => "LOG",
            NoticeSeverity::Info => "INFO",
            NoticeSeverity::Notice => "NOTICE",
            NoticeSeverity::Warning => "WARNING",
        };
        let mut fields = main_fields(severity, notice.code.as_str(), &notice.message);
        let optional = [(b'D', notice.detail.as_deref()), (b'H', notice.hint.as_deref())];
        fields.extend(optional.into_iter().filter_map(|(tag, text)| Some((tag, without_nul(text?)))));
        self.message(&NoticeResponse::new(fields));
    }

    fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(&ParameterStatus::new(name.to_owned(), value.to_owned()));
    }

    fn copy_in(&mut self, binary: bool, columns: usize) {
        let (format, codes) = copy_formats(binary, columns);
        self.message(&CopyInResponse::new(format, columns as i16, codes));
    }

    fn copy_out(&mut self, binary: bool, columns: usize) {
        let (format, codes) = copy_formats(binary, columns);
        self.message(&CopyOutResponse::new(format, columns as i16, codes));
    }

    fn copy_data(&mut self, data: &[u8]) {
        self.framed(b'd', |output| output.put_slice(data));
    }

    fn copy_done(&mut self) {
        self.bare(b'c');
    }

    fn pending_bytes(&self) -> usize {
        self.output.len()
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.transport.write_all(&self.output).await?;
        self.transport.flush().await?;
        self.output.clear();
        self.finished = 0;
        if self.output.capacity() > OUTPUT_BYTES_KEPT {
            self.output = BytesMut::with_capacity(OUTPUT_BYTES_KEPT);
        }
        Ok(())
    }
}

/// The fields that every error and notice has.
fn main_fields(severity: &str, code: &str, message: &str) -> Vec<(u8, String)> {
    vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', code.to_owned()),
        (b'M', without_nul(message)),
    ]
}

/// A field ends at its first NUL; a text that quotes one must not cut itself short.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn copy_formats(binary: bool, columns: usize) -> (i8, Vec<i16>) {
    (i8::from(binary), vec![i16::from(binary); columns])
}
