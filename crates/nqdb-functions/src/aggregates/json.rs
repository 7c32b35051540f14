//! `json_agg`, `jsonb_agg`, `json_object_agg`, `jsonb_object_agg`. NULLs are taken in as null.

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::json::{Object, write_json_string};
use nqdb_types::{Datum, Json, Oid, Type, oid};
use std::sync::Arc;

use crate::coerce::text_of;
use crate::json::{json_of, json_text_of};
use crate::{Accumulator, FunctionContext};

/// The longest value of PostgreSQL's: 1 GiB less one byte.
const LEN_MAX: usize = 0x3fff_ffff;

pub(super) fn array() -> Box<dyn Accumulator> {
    Box::new(Texts { is_object: false, types: Vec::new(), text: String::new() })
}

pub(super) fn object() -> Box<dyn Accumulator> {
    Box::new(Texts { is_object: true, types: Vec::new(), text: String::new() })
}

pub(super) fn array_b() -> Box<dyn Accumulator> {
    Box::new(Items { types: Vec::new(), items: None, size: 0 })
}

pub(super) fn object_b() -> Box<dyn Accumulator> {
    Box::new(Members { types: Vec::new(), members: None, size: 0 })
}

/// Called without the session's settings: a fault of ours.
fn no_context() -> SqlError {
    SqlError::internal("an aggregate of json was called without a context")
}

fn type_of(types: &[Oid], argument: usize) -> Type {
    Type::new(types.get(argument).copied().unwrap_or(oid::TEXT))
}

fn item(args: &[Datum], argument: usize) -> &Datum {
    args.get(argument).unwrap_or(&Datum::Null)
}

/// The text of a member's key.
fn key(args: &[Datum], types: &[Oid], context: &FunctionContext<'_>) -> SqlResult<String> {
    let (key, ty) = (item(args, 0), type_of(types, 0));
    if key.is_null() {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "field name must not be null"));
    }
    if ty.oid == oid::JSON || matches!(key, Datum::Array(_) | Datum::Record(_) | Datum::Jsonb(_)) {
        let message = "key value must be scalar, not array, composite, or json";
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    text_of(key, ty, context)
}

/// The text of a json, as far as it has come.
struct Texts {
    is_object: bool,
    types: Vec<Oid>,
    text: String,
}

impl Accumulator for Texts {
    fn set_argument_types(&mut self, types: &[Oid]) {
        self.types = types.to_vec();
    }

    fn accumulate(&mut self, _: &[Datum]) -> SqlResult<()> {
        Err(no_context())
    }

    fn accumulate_in(&mut self, context: &FunctionContext<'_>, args: &[Datum]) -> SqlResult<()> {
        let is_first = self.text.is_empty();
        let mut next = Vec::new();
        if self.is_object {
            next.extend_from_slice(if is_first { b"{ " } else { b", " });
            write_json_string(&mut next, &key(args, &self.types, context)?);
            next.extend_from_slice(b" : ");
        } else if is_first {
            next.push(b'[');
        } else {
            next.extend_from_slice(b", ");
        }
        let value = item(args, usize::from(self.is_object));
        if !is_first && !self.is_object && matches!(value, Datum::Array(_) | Datum::Record(_)) {
            next.extend_from_slice(b"\n ");
        }
        self.text.push_str(&String::from_utf8_lossy(&next));
        self.text.push_str(&json_text_of(value, type_of(&self.types, usize::from(self.is_object)), context)?);
        if self.text.len() > LEN_MAX {
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, "the result of an aggregate exceeds 1 GB"));
        }
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        if self.text.is_empty() {
            return Ok(Datum::Null);
        }
        Ok(Datum::text(format!("{}{}", self.text, if self.is_object { " }" } else { "]" })))
    }

    fn size_bytes(&self) -> usize {
        size_of::<Texts>() + self.text.capacity()
    }
}

struct Items {
    types: Vec<Oid>,
    items: Option<Vec<Json>>,
    size: usize,
}

impl Accumulator for Items {
    fn set_argument_types(&mut self, types: &[Oid]) {
        self.types = types.to_vec();
    }

    fn accumulate(&mut self, _: &[Datum]) -> SqlResult<()> {
        Err(no_context())
    }

    fn accumulate_in(&mut self, context: &FunctionContext<'_>, args: &[Datum]) -> SqlResult<()> {
        let value = json_of(item(args, 0), type_of(&self.types, 0), context)?;
        self.size += size_of::<Json>() + value.heap_size();
        self.items.get_or_insert_default().push(value);
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        let array = self.items.as_ref().map(|items| Json::Array(items.clone()));
        array.map_or(Ok(Datum::Null), finished)
    }

    fn size_bytes(&self) -> usize {
        size_of::<Items>() + self.size
    }
}

struct Members {
    types: Vec<Oid>,
    members: Option<Vec<(Arc<str>, Json)>>,
    size: usize,
}

impl Accumulator for Members {
    fn set_argument_types(&mut self, types: &[Oid]) {
        self.types = types.to_vec();
    }

    fn accumulate(&mut self, _: &[Datum]) -> SqlResult<()> {
        Err(no_context())
    }

    fn accumulate_in(&mut self, context: &FunctionContext<'_>, args: &[Datum]) -> SqlResult<()> {
        let key: Arc<str> = key(args, &self.types, context)?.into();
        let value = json_of(item(args, 1), type_of(&self.types, 1), context)?;
        self.size += size_of::<(Arc<str>, Json)>() + key.len() + value.heap_size();
        self.members.get_or_insert_default().push((key, value));
        Ok(())
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        let object = self.members.as_ref().map(|members| Json::Object(Object::from_members(members.clone())));
        object.map_or(Ok(Datum::Null), finished)
    }

    fn size_bytes(&self) -> usize {
        size_of::<Members>() + self.size
    }
}

fn finished(json: Json) -> SqlResult<Datum> {
    json.check_nesting()?;
    Ok(Datum::jsonb(json))
}
