//! Where the campaign's sessions send their answers: kept as text, so that a test can read what a client was told.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use nqdb_session::{ClientSink, Formats};
use nqdb_sql::ir::OutputColumn;
use nqdb_sqlstate::{Notice, SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid, write_text};
use parking_lot::Mutex;

/// A row as text; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// What one statement has answered so far.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub rows: Vec<Row>,
    /// The command tag, once the statement has ended.
    pub tag: Option<String>,
}

/// What a client was told since its last query began.
#[derive(Debug, Default)]
pub struct Told {
    pub answers: Vec<Answer>,
    /// SQLSTATE and message.
    pub error: Option<(String, String)>,
    has_open_answer: bool,
}

impl Told {
    fn answer(&mut self) -> &mut Answer {
        if !std::mem::replace(&mut self.has_open_answer, true) {
            self.answers.push(Answer::default());
        }
        self.answers.last_mut().expect("one was pushed")
    }

    /// The rows of the only statement.
    pub fn rows(&self) -> &[Row] {
        self.answers.first().map_or(&[], |answer| &answer.rows)
    }

    /// The tag of the last statement.
    pub fn tag(&self) -> &str {
        self.answers.last().and_then(|answer| answer.tag.as_deref()).unwrap_or_default()
    }
}

/// Records answers. Clones share the record.
#[derive(Clone, Default)]
pub struct Recorder(pub Arc<Mutex<Told>>);

impl ClientSink for Recorder {
    fn row_description(&mut self, _: &[OutputColumn], _: &Formats, _: &FormatContext) {
        self.0.lock().answer();
    }

    fn no_data(&mut self) {}

    fn parameter_description(&mut self, _types: &[Oid]) {}

    fn data_row(
        &mut self,
        values: &[Datum],
        columns: &[OutputColumn],
        _formats: &Formats,
        format: &FormatContext,
    ) -> SqlResult<()> {
        let text = |(value, column): (&Datum, &OutputColumn)| {
            let mut out = Vec::new();
            if value.is_null() {
                return None;
            }
            write_text(&mut out, value, column.ty, format);
            Some(String::from_utf8(out).expect("text is UTF-8"))
        };
        let row = values.iter().zip(columns).map(text).collect();
        self.0.lock().answer().rows.push(row);
        Ok(())
    }

    fn command_complete(&mut self, tag: &dyn Display) {
        let mut told = self.0.lock();
        told.answer().tag = Some(tag.to_string());
        told.has_open_answer = false;
    }

    fn empty_query(&mut self) {}

    fn portal_suspended(&mut self) {}

    fn error(&mut self, error: &SqlError) {
        self.0.lock().error = Some((error.code().as_str().to_owned(), error.message().to_owned()));
    }

    fn notice(&mut self, _notice: &Notice) {}

    fn parameter_status(&mut self, _name: &str, _value: &str) {}

    fn copy_in(&mut self, _binary: bool, _columns: usize) {}

    fn copy_out(&mut self, _binary: bool, _columns: usize) {}

    fn copy_data(&mut self, _data: &[u8]) {}

    fn copy_done(&mut self) {}

    fn pending_bytes(&self) -> usize {
        0
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
