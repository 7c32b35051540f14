//! A session's answers as pushes. See [`ClientSink`]: what is gathered here leaves at the session's flush, when it may.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nqdb_session::{ClientSink, Formats, OutputColumn};
use nqdb_sqlstate::{Notice, NoticeSeverity, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::{Datum, FormatContext, Oid};
use serde_json::{Map, Value, json};

use super::delivery::{Body, Delivery};
use super::values::{ValueFormat, write_value};

/// Bytes of rows that are gathered into one push.
const CHUNK_BYTES: usize = 32 * 1024;
/// The longest row as JSON, bytes.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The answers to one query.
pub struct Pushes {
    delivery: Arc<Delivery>,
    values: ValueFormat,
    /// What was answered and not pushed.
    bodies: Vec<Body>,
    bodies_bytes: usize,
    /// Rows of the push at hand: arrays with commas between them.
    rows: Vec<u8>,
    row_count: u64,
    copy: Option<Copy>,
    /// A statement is described for its parameters only: its columns come later.
    pub takes_parameters: bool,
    pub parameters: Vec<Oid>,
    /// The error that ended the query.
    pub error: Option<SqlError>,
}

/// COPY TO STDOUT.
struct Copy {
    is_binary: bool,
    data: Vec<u8>,
}

impl Pushes {
    pub fn new(delivery: Arc<Delivery>, values: ValueFormat) -> Pushes {
        Pushes {
            delivery,
            values,
            bodies: Vec::new(),
            bodies_bytes: 0,
            rows: Vec::new(),
            row_count: 0,
            copy: None,
            takes_parameters: false,
            parameters: Vec::new(),
            error: None,
        }
    }

    /// Appends what ends the query: `done`, or the error. `status` is what became of the transaction.
    pub fn finish(&mut self, status: u8) {
        let status = match status {
            b'T' => "transaction",
            b'E' => "failed",
            _ => "idle",
        };
        let last = match self.error.take() {
            None => json!({ "done": { "status": status } }),
            Some(error) => {
                let mut fields = error_fields(&error);
                fields.insert("status".to_owned(), status.into());
                json!({ "error": fields })
            }
        };
        self.append(&last);
    }

    /// Forgets answers that may owe to commits which were never synced.
    pub fn discard(&mut self) {
        self.bodies.clear();
        self.rows.clear();
        (self.bodies_bytes, self.row_count, self.copy) = (0, 0, None);
    }

    /// Appends a push with the members of an object.
    fn append(&mut self, object: &Value) {
        self.end_chunk();
        let text = object.to_string();
        let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        self.append_body(Body::plain(members.to_owned()));
    }

    fn append_body(&mut self, body: Body) {
        self.bodies_bytes += body.text.len();
        self.bodies.push(body);
    }

    /// Makes a push of the rows, or the data of a COPY, that were gathered.
    fn end_chunk(&mut self) {
        if self.row_count > 0 {
            let rows = String::from_utf8_lossy(&self.rows);
            let body = Body { text: format!(r#""rows":[{rows}]"#), rows: Some(self.row_count) };
            self.append_body(body);
            self.rows.clear();
            self.row_count = 0;
        }
        let Some(copy) = self.copy.as_mut().filter(|copy| !copy.data.is_empty()) else { return };
        let data = std::mem::take(&mut copy.data);
        let (name, text) = match copy.is_binary {
            true => ("copy_base64", STANDARD.encode(&data)),
            false => ("copy", String::from_utf8_lossy(&data).into_owned()),
        };
        self.append_body(Body { text: format!(r#""{name}":{}"#, Value::from(text)), rows: Some(0) });
    }
}

impl ClientSink for Pushes {
    fn row_description(&mut self, columns: &[OutputColumn], _: &Formats, format: &FormatContext) {
        if self.takes_parameters {
            return;
        }
        let described: Vec<Value> = columns
            .iter()
            .map(|column| {
                let mut described =
                    json!({ "name": column.name, "type": format.type_name(column.ty), "oid": column.ty.oid });
                if let (Some(members), Some((table, attribute))) = (described.as_object_mut(), column.origin) {
                    members.insert("table".to_owned(), table.into());
                    members.insert("column".to_owned(), attribute.into());
                }
                described
            })
            .collect();
        self.append(&json!({ "columns": described }));
    }

    fn no_data(&mut self) {}

    fn parameter_description(&mut self, types: &[Oid]) {
        self.parameters = types.to_vec();
    }

    fn data_row(
        &mut self,
        values: &[Datum],
        columns: &[OutputColumn],
        _: &Formats,
        format: &FormatContext,
    ) -> SqlResult<()> {
        let before = self.rows.len();
        self.rows.extend_from_slice(if self.row_count > 0 { b",[" } else { b"[" });
        for (at, (value, column)) in values.iter().zip(columns).enumerate() {
            if at > 0 {
                self.rows.push(b',');
            }
            write_value(&mut self.rows, value, column.ty, self.values, format);
        }
        self.rows.push(b']');
        if self.rows.len() - before > ROW_BYTES_MAX {
            self.rows.truncate(before);
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, "a row is too long for a message of the protocol"));
        }
        self.row_count += 1;
        if self.rows.len() >= CHUNK_BYTES {
            self.end_chunk();
        }
        Ok(())
    }

    fn command_complete(&mut self, tag: &dyn Display) {
        self.append(&json!({ "complete": tag.to_string() }));
    }

    fn empty_query(&mut self) {
        self.append(&json!({ "complete": "" }));
    }

    fn portal_suspended(&mut self) {}

    fn error(&mut self, error: &SqlError) {
        self.error = Some(error.clone());
    }

    fn notice(&mut self, notice: &Notice) {
        let severity = match notice.severity {
            NoticeSeverity::Debug => "DEBUG",
            NoticeSeverity::Log => "LOG",
            NoticeSeverity::Info => "INFO",
            NoticeSeverity::Notice => "NOTICE",
            NoticeSeverity::Warning => "WARNING",
        };
        let mut fields = Map::new();
        let (detail, hint) = (notice.detail.as_deref(), notice.hint.as_deref());
        let texts = [
            ("severity", Some(severity)),
            ("code", Some(notice.code.as_str())),
            ("message", Some(notice.message.as_str())),
            ("detail", detail),
            ("hint", hint),
        ];
        fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        self.append(&json!({ "notice": fields }));
    }

    fn parameter_status(&mut self, _: &str, _: &str) {}

    fn copy_in(&mut self, _: bool, _: usize) {}

    fn copy_out(&mut self, binary: bool, _: usize) {
        self.end_chunk();
        self.copy = Some(Copy { is_binary: binary, data: Vec::new() });
    }

    fn copy_data(&mut self, data: &[u8]) {
        let Some(copy) = &mut self.copy else { return };
        copy.data.extend_from_slice(data);
        if copy.data.len() >= CHUNK_BYTES {
            self.end_chunk();
        }
    }

    fn copy_done(&mut self) {
        self.end_chunk();
        self.copy = None;
    }

    fn pending_bytes(&self) -> usize {
        self.bodies_bytes + self.rows.len() + self.copy.as_ref().map_or(0, |copy| copy.data.len())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.end_chunk();
        for body in self.bodies.drain(..) {
            self.delivery.room(body.rows.is_some()).await;
            self.delivery.push(&body);
        }
        self.bodies_bytes = 0;
        Ok(())
    }
}

/// An error's fields, by the names that PostgreSQL's clients know.
pub fn error_fields(error: &SqlError) -> Map<String, Value> {
    let texts = [
        ("severity", Some(if error.is_fatal() { "FATAL" } else { "ERROR" })),
        ("code", Some(error.code().as_str())),
        ("message", Some(error.message())),
        ("detail", error.detail()),
        ("hint", error.hint()),
        ("where", error.context()),
        ("schema", error.schema()),
        ("table", error.table()),
        ("column", error.column()),
        ("dataType", error.data_type()),
        ("constraint", error.constraint()),
    ]
    .map(|(name, text)| text.map(|text| (name.to_owned(), Value::from(text))));
    let position = error.position().map(|position| ("position".to_owned(), Value::from(position)));
    texts.into_iter().chain([position]).flatten().collect()
}
