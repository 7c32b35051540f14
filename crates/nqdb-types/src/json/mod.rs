//! json and jsonb values.
//!
//! | file | what it answers |
//! |---|---|
//! | here | what a jsonb value is, its order |
//! | `lexer`, `text` | is a text JSON, and what does it hold; errors in PostgreSQL's words |
//! | `write` | a value's spelling |
//! | `stored` | the storage form |
//!
//! A `json` is its text, kept as it came: [`JsonText`] finds values in it. A `jsonb` is a [`Json`].
//!
//! What always holds:
//! 1. An object's keys are distinct and sorted by length, then by bytes; of equal keys the last one was kept.
//! 2. Numbers are finite.
//! 3. Values do not nest deeper than [`NESTING_MAX`].
//! 4. The order is that of PostgreSQL's jsonb: NULL, strings, numbers, booleans, arrays, objects; arrays and objects by
//!    their number of items first; and, a peculiarity of old standing, an empty array before everything else when it is
//!    the whole value.

mod lexer;
mod stored;
mod text;
mod write;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, STATEMENT_TOO_COMPLEX, SqlError, SqlResult};

use crate::Numeric;
pub(crate) use stored::{decode, encode};
pub use text::{JsonNode, JsonText, JsonValue};
pub use write::{write_json_string, write_pretty};

/// How deep arrays and objects may hold each other: what walks values recursively relies on it.
pub const NESTING_MAX: usize = 1_000;

/// A jsonb value.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Numeric),
    String(Arc<str>),
    Array(Vec<Json>),
    Object(Object),
}

/// An object's members.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(Arc<str>, Json)>);

impl Object {
    /// Of several members with one key the last one counts.
    pub fn from_members(mut members: Vec<(Arc<str>, Json)>) -> Object {
        members.sort_by(|a, b| compare_keys(&a.0, &b.0));
        let mut kept: Vec<(Arc<str>, Json)> = Vec::with_capacity(members.len());
        for member in members {
            match kept.last_mut() {
                Some(last) if last.0 == member.0 => *last = member,
                _ => kept.push(member),
            }
        }
        Object(kept)
    }

    /// The members in their order.
    pub fn members(&self) -> &[(Arc<str>, Json)] {
        &self.0
    }

    pub fn into_members(self) -> Vec<(Arc<str>, Json)> {
        self.0
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let at = self.0.binary_search_by(|(other, _)| compare_keys(other, key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Gives a key another value, or takes it out; where it stands already, its place stays.
    pub fn set(&mut self, key: &str, value: Option<Json>) {
        match (self.0.binary_search_by(|(other, _)| compare_keys(other, key)), value) {
            (Ok(at), Some(value)) => self.0[at].1 = value,
            (Ok(at), None) => {
                self.0.remove(at);
            }
            (Err(at), Some(value)) => self.0.insert(at, (Arc::from(key), value)),
            (Err(_), None) => {}
        }
    }
}

fn compare_keys(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Json {
    pub fn string(text: impl Into<Arc<str>>) -> Json {
        Json::String(text.into())
    }

    pub fn is_container(&self) -> bool {
        matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// What `jsonb_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// The order of whole values.
    pub fn compare(&self, other: &Json) -> Ordering {
        self.rank_as_whole().cmp(&other.rank_as_whole()).then_with(|| self.compare_within(other))
    }

    /// The order of values within others.
    fn compare_within(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Number(a), Json::Number(b)) => a.cmp(b),
            (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Json::Array(a), Json::Array(b)) => {
                let items = || a.iter().zip(b).map(|(a, b)| a.compare_within(b));
                a.len().cmp(&b.len()).then_with(|| items().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
            (Json::Object(Object(a)), Json::Object(Object(b))) => {
                let member = |a: &(Arc<str>, Json), b: &(Arc<str>, Json)| {
                    a.0.as_bytes().cmp(b.0.as_bytes()).then_with(|| a.1.compare_within(&b.1))
                };
                let members = || a.iter().zip(b).map(|(a, b)| member(a, b));
                a.len().cmp(&b.len()).then_with(|| members().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    pub(crate) fn rank(&self) -> u8 {
        match self {
            Json::Null => 1,
            Json::String(_) => 2,
            Json::Number(_) => 3,
            Json::Bool(_) => 4,
            Json::Array(_) => 5,
            Json::Object(_) => 6,
        }
    }

    /// What whole values are ordered by first.
    pub(crate) fn rank_as_whole(&self) -> u8 {
        match self {
            Json::Array(items) if items.is_empty() => 1,
            Json::Array(_) => 3,
            Json::Object(_) => 4,
            _ => 2,
        }
    }

    /// Feeds a hasher so that equal values hash alike.
    pub fn hash_into<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.rank());
        match self {
            Json::Null => {}
            Json::Bool(value) => state.write_u8(u8::from(*value)),
            Json::Number(value) => value.hash(state),
            Json::String(value) => value.hash(state),
            Json::Array(items) => {
                state.write_usize(items.len());
                items.iter().for_each(|item| item.hash_into(state));
            }
            Json::Object(Object(members)) => {
                state.write_usize(members.len());
                for (key, value) in members {
                    key.hash(state);
                    value.hash_into(state);
                }
            }
        }
    }

    /// Bytes that the value holds outside of itself.
    pub fn heap_size(&self) -> usize {
        match self {
            Json::Null | Json::Bool(_) => 0,
            Json::Number(value) => value.heap_size(),
            Json::String(value) => value.len(),
            Json::Array(items) => items.iter().map(|item| size_of::<Json>() + item.heap_size()).sum(),
            Json::Object(Object(members)) => {
                let member = |(key, value): &(Arc<str>, Json)| key.len() + value.heap_size();
                members.iter().map(|entry| size_of::<(Arc<str>, Json)>() + member(entry)).sum()
            }
        }
    }

    /// How many levels of arrays and objects the value is; 54001 beyond [`NESTING_MAX`].
    pub fn check_nesting(&self) -> SqlResult<()> {
        // One level beyond the limit is as deep as this goes.
        fn nesting(json: &Json, room: usize) -> bool {
            match (json, room.checked_sub(1)) {
                (Json::Array(items), Some(room)) => items.iter().all(|item| nesting(item, room)),
                (Json::Object(Object(members)), Some(room)) => members.iter().all(|(_, item)| nesting(item, room)),
                (Json::Array(_) | Json::Object(_), None) => false,
                _ => true,
            }
        }
        if nesting(self, NESTING_MAX) { Ok(()) } else { Err(too_deep()) }
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.compare(other).is_eq()
    }
}

impl Eq for Json {}

/// 54001 for values that nest too deep.
fn too_deep() -> SqlError {
    SqlError::new(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_detail(format!("JSON values nest at most {NESTING_MAX} levels."))
}

/// The longest string that jsonb takes, in bytes (PostgreSQL's limit).
const STRING_LEN_MAX: usize = 0x0FFF_FFFF;

fn check_string_len(what: &str, text: &str) -> SqlResult<()> {
    if text.len() <= STRING_LEN_MAX {
        return Ok(());
    }
    let message = format!("string too long to represent as jsonb {what}");
    let detail = format!("Due to an implementation restriction, jsonb strings cannot exceed {STRING_LEN_MAX} bytes.");
    Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message).with_detail(detail))
}

#[cfg(test)]
mod tests;
