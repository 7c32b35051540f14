//! The JSON client protocol of Centrifugo (version 2): what clients ask, what they are answered, and how pushes look.
//!
//! A text frame holds one or more JSON objects, one a line. A command has an `id` and one member that says what it asks; the reply
//! repeats the `id`. A push has none. An empty object from the server asks whether the client lives; the client answers with
//! the same.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use nqdb_pubsub::{Batch, Member};
use nqdb_sqlstate::SqlError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::filter::FilterNode;
use crate::websocket::frame;

/// One line of a client.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Command {
    pub id: u32,
    pub connect: Option<Connect>,
    pub subscribe: Option<Subscribe>,
    pub unsubscribe: Option<OfChannel>,
    pub publish: Option<Publish>,
    pub history: Option<HistoryRequest>,
    pub presence: Option<OfChannel>,
    pub presence_stats: Option<OfChannel>,
    pub refresh: Option<Refresh>,
    pub rpc: Option<Rpc>,
    pub send: Option<Send>,
    pub ping: Option<IgnoredAny>,
}

impl Command {
    /// Whether it is the answer to a ping: an empty object.
    pub fn is_pong(line: &str) -> bool {
        line.trim() == "{}"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Connect {
    pub token: String,
    /// Credentials, where there is no token; with one it is the application's.
    pub data: Value,
}

/// What a client brings that has no token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Credentials {
    pub user: String,
    pub password: Option<String>,
    pub database: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subscribe {
    pub channel: String,
    pub recover: bool,
    pub epoch: String,
    pub offset: u64,
    pub join_leave: bool,
    /// What the channel is to show, where that is not settled by its name.
    pub data: Value,
    /// Which messages are wanted.
    pub tf: Option<FilterNode>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OfChannel {
    pub channel: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Publish {
    pub channel: String,
    pub data: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HistoryRequest {
    pub channel: String,
    pub limit: i32,
    pub since: Option<Since>,
    pub reverse: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Since {
    pub offset: u64,
    pub epoch: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refresh {
    pub token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rpc {
    pub method: String,
    pub data: Value,
}

/// A message that is not answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Send {
    pub data: Value,
}

/// An answer that refuses one command; the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u32,
    pub message: Cow<'static, str>,
    /// Whether the same may be asked again.
    pub temporary: bool,
}

const fn refusal(code: u32, message: &'static str) -> Refusal {
    Refusal { code, message: Cow::Borrowed(message), temporary: false }
}

const fn temporary(code: u32, message: &'static str) -> Refusal {
    Refusal { code, message: Cow::Borrowed(message), temporary: true }
}

/// What is wrong with a query: its SQLSTATE and its message.
pub fn query_failed(error: &SqlError) -> Refusal {
    let message = format!("{} {}", error.code().as_str(), error.message());
    Refusal { code: QUERY_FAILED_CODE, message: message.into(), temporary: false }
}

/// The code of [`query_failed`]: above those that Centrifugo keeps for itself.
pub const QUERY_FAILED_CODE: u32 = 4000;

pub const INTERNAL: Refusal = temporary(100, "internal server error");
pub const PERMISSION_DENIED: Refusal = refusal(103, "permission denied");
pub const METHOD_NOT_FOUND: Refusal = refusal(104, "method not found");
pub const ALREADY_SUBSCRIBED: Refusal = refusal(105, "already subscribed");
pub const LIMIT_EXCEEDED: Refusal = refusal(106, "limit exceeded");
pub const BAD_REQUEST: Refusal = refusal(107, "bad request");
pub const NOT_AVAILABLE: Refusal = refusal(108, "not available");
pub const TOKEN_EXPIRED: Refusal = refusal(109, "token expired");
pub const TOO_MANY_REQUESTS: Refusal = temporary(111, "too many requests");
pub const UNRECOVERABLE: Refusal = refusal(112, "unrecoverable position");

/// Why a connection is closed. Clients come back after the codes up to 3499, and not after those from 3500 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect {
    pub code: u16,
    pub reason: &'static str,
}

const fn disconnect(code: u16, reason: &'static str) -> Disconnect {
    Disconnect { code, reason }
}

pub const NORMAL: Disconnect = disconnect(1000, "");
pub const SHUTDOWN: Disconnect = disconnect(3001, "shutdown");
pub const EXPIRED: Disconnect = disconnect(3005, "connection expired");
pub const SLOW: Disconnect = disconnect(3008, "slow");
pub const NO_PONG: Disconnect = disconnect(3012, "no pong");
pub const INVALID_TOKEN: Disconnect = disconnect(3500, "invalid token");
pub const BAD_REQUEST_CLOSE: Disconnect = disconnect(3501, "bad request");
pub const STALE: Disconnect = disconnect(3502, "stale");
pub const INAPPROPRIATE_PROTOCOL: Disconnect = disconnect(3506, "inappropriate protocol");
pub const PERMISSION_DENIED_CLOSE: Disconnect = disconnect(3507, "permission denied");

/// A reply to a command: `{"id": 1, "subscribe": {...}}`.
pub fn reply(id: u32, member: &str, result: Value) -> String {
    json!({ "id": id, member: result }).to_string()
}

/// A reply that refuses.
pub fn refused(id: u32, refusal: &Refusal) -> String {
    let mut error = json!({ "code": refusal.code, "message": &*refusal.message });
    if refusal.temporary
        && let Some(error) = error.as_object_mut()
    {
        error.insert("temporary".to_owned(), Value::Bool(true));
    }
    json!({ "id": id, "error": error }).to_string()
}

/// A payload as JSON: as it is where it is JSON, without line breaks, or as a string.
pub fn as_json(payload: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(payload).is_ok() {
        // Inside of JSON's strings there are no plain line breaks: these are between its parts.
        return payload.replace(['\n', '\r'], " ");
    }
    Value::from(payload).to_string()
}

/// What others see of a member.
pub fn info(member: &Member) -> Value {
    json!({ "client": &*member.client, "user": &*member.user })
}

/// A message among others in a reply.
pub fn publication(offset: u64, payload: &str, publisher: Option<&Member>) -> Value {
    let data = serde_json::from_str(payload).unwrap_or_else(|_| Value::from(payload));
    let mut publication = json!({ "data": data });
    if let Some(members) = publication.as_object_mut() {
        if offset > 0 {
            members.insert("offset".to_owned(), offset.into());
        }
        if let Some(publisher) = publisher {
            members.insert("info".to_owned(), info(publisher));
        }
    }
    publication
}

/// A batch as one frame of pushes, for those who subscribed to its channel. `via` is the pattern for those who
/// subscribed to that: their client knows no other name; `tags` tell the channel then.
pub fn push_frame(batch: &Batch, via: Option<&str>) -> Bytes {
    push_frame_of(batch, via, &|_| true).0
}

/// The same of those messages whose payloads are wanted, and how many they are; without any the frame is empty.
pub fn push_frame_of(batch: &Batch, via: Option<&str>, is_wanted: &dyn Fn(&str) -> bool) -> (Bytes, usize) {
    let channel = Value::from(via.unwrap_or(&batch.channel().name)).to_string();
    let publisher = batch.publisher().map(|member| format!(",\"info\":{}", info(member))).unwrap_or_default();
    let tags = via.map(|_| format!(",\"tags\":{{\"channel\":{}}}", Value::from(&*batch.channel().name)));
    let tags = tags.unwrap_or_default();
    let mut lines = String::with_capacity(batch.count() * (channel.len() + 64));
    let mut count = 0;
    for (offset, payload) in batch.messages().filter(|(_, payload)| is_wanted(payload)) {
        if !lines.is_empty() {
            lines.push('\n');
        }
        count += 1;
        let data = as_json(payload);
        // Writing to a String cannot fail.
        let _ = write!(lines, "{{\"push\":{{\"channel\":{channel},\"pub\":{{\"data\":{data}");
        if batch.first_offset() > 0 && via.is_none() {
            let _ = write!(lines, ",\"offset\":{offset}");
        }
        let _ = write!(lines, "{publisher}{tags}}}}}}}");
    }
    if count == 0 { (Bytes::new(), 0) } else { (frame::text(&lines), count) }
}

/// Messages of a channel that clients do not know by its name, as one frame of pushes under the name that this one gave it.
pub fn renamed_push_frame(batch: &Batch, name: &str) -> Bytes {
    let channel = Value::from(name).to_string();
    let line = |payload: &str| format!("{{\"push\":{{\"channel\":{channel},\"pub\":{{\"data\":{payload}}}}}}}");
    let lines: Vec<String> = batch.payloads().map(line).collect();
    frame::text(&lines.join("\n"))
}

/// A push that ends a subscription. With a code from 2500 on clients subscribe again.
pub fn unsubscribe_push(channel: &str, code: u32, reason: &str) -> String {
    json!({ "push": { "channel": channel, "unsubscribe": { "code": code, "reason": reason } } }).to_string()
}

/// A push that tells who came or left.
pub fn member_push(channel: &str, what: &str, member: &Member) -> String {
    json!({ "push": { "channel": channel, what: { "info": info(member) } } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let command: Command = serde_json::from_str(
            r#"{"id":3,"subscribe":{"channel":"a","recover":true,"epoch":"x","offset":7,"flag":1}}"#,
        )
        .unwrap();
        let subscribe = command.subscribe.unwrap();
        assert_eq!((command.id, subscribe.channel.as_str(), subscribe.offset), (3, "a", 7));
        assert!(Command::is_pong("{}") && !Command::is_pong("{\"id\":1}"));
        assert!(serde_json::from_str::<Command>(r#"{"id":-1}"#).is_err());
    }

    #[test]
    fn payloads_become_json_of_one_line() {
        assert_eq!(as_json("{\"a\":\r\n 1}"), "{\"a\":   1}");
        assert_eq!(as_json("plain \"text\"\n"), "\"plain \\\"text\\\"\\n\"");
        assert_eq!(as_json("17"), "17");
        assert_eq!(as_json(""), "\"\"");
    }
}
