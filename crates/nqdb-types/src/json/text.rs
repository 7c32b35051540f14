//! JSON texts: their grammar, and the values in them with their places.
//!
//! A `json` keeps its text, blanks, order and repeated keys, so that what is taken out of it is a piece of that text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use nqdb_sqlstate::SqlResult;

use super::lexer::{Kind, Lexer, Token, unescape};
use super::{Json, NESTING_MAX, Object, check_string_len, too_deep};
use crate::Numeric;

/// A JSON text that was read.
#[derive(Clone, Debug)]
pub struct JsonText<'a> {
    text: &'a str,
    root: JsonNode<'a>,
}

/// A value within a JSON text.
#[derive(Clone, Debug)]
pub struct JsonNode<'a> {
    range: Range<usize>,
    pub value: JsonValue<'a>,
}

#[derive(Clone, Debug)]
pub enum JsonValue<'a> {
    Null,
    Bool(bool),
    /// As it is spelled.
    Number(&'a str),
    /// Without its quotes and escapes.
    String(Cow<'a, str>),
    Array(Vec<JsonNode<'a>>),
    /// In the order of the text, repeated keys included.
    Object(Vec<(Cow<'a, str>, JsonNode<'a>)>),
}

impl<'a> JsonText<'a> {
    /// Reads a text and understands its escapes.
    ///
    /// 22P02 for what is no JSON, 22P05 for an escape that no text can hold, 54001 for what nests too deep.
    pub fn parse(text: &'a str) -> SqlResult<JsonText<'a>> {
        JsonText::read(text, true)
    }

    /// Whether a text may be a value of type json: escapes need only be well-formed.
    pub fn check(text: &str) -> SqlResult<()> {
        JsonText::read(text, false).map(|_| ())
    }

    fn read(text: &'a str, unescapes: bool) -> SqlResult<JsonText<'a>> {
        let mut parser = Parser { lexer: Lexer::new(text, unescapes), unescapes };
        let first = parser.lexer.next()?;
        let root = parser.value(first, "JSON value", 0)?;
        let end = parser.lexer.next()?;
        if end.kind != Kind::End {
            return Err(parser.lexer.unexpected(&end, "end of input"));
        }
        Ok(JsonText { text, root })
    }

    pub fn root(&self) -> &JsonNode<'a> {
        &self.root
    }

    /// The text of a value in it.
    pub fn source(&self, node: &JsonNode<'_>) -> &'a str {
        self.text.get(node.range.clone()).unwrap_or("")
    }
}

impl JsonNode<'_> {
    /// What `json_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match self.value {
            JsonValue::Null => "null",
            JsonValue::Bool(_) => "boolean",
            JsonValue::Number(_) => "number",
            JsonValue::String(_) => "string",
            JsonValue::Array(_) => "array",
            JsonValue::Object(_) => "object",
        }
    }

    /// The value as jsonb.
    pub fn to_json(&self) -> SqlResult<Json> {
        Ok(match &self.value {
            JsonValue::Null => Json::Null,
            JsonValue::Bool(value) => Json::Bool(*value),
            JsonValue::Number(digits) => Json::Number(Numeric::parse(digits)?),
            JsonValue::String(value) => {
                check_string_len("string", value)?;
                Json::string(&**value)
            }
            JsonValue::Array(items) => Json::Array(items.iter().map(JsonNode::to_json).collect::<SqlResult<_>>()?),
            JsonValue::Object(members) => {
                let member = |(key, value): &(Cow<'_, str>, JsonNode<'_>)| {
                    check_string_len("object key", key)?;
                    Ok((Arc::from(&**key), value.to_json()?))
                };
                Json::Object(Object::from_members(members.iter().map(member).collect::<SqlResult<_>>()?))
            }
        })
    }
}

impl Json {
    /// Reads a jsonb.
    ///
    /// 22P02 for what is no JSON, 22P05 for an escape that no text can hold, 22003 for a number beyond numeric, 54001 for
    /// what nests too deep.
    pub fn parse(text: &str) -> SqlResult<Json> {
        JsonText::parse(text)?.root.to_json()
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    unescapes: bool,
}

impl<'a> Parser<'a> {
    fn value(&mut self, token: Token, expected: &str, depth: usize) -> SqlResult<JsonNode<'a>> {
        let start = token.range.start;
        let source = self.lexer.text().get(token.range.clone()).unwrap_or("");
        let (value, end) = match token.kind {
            Kind::Null => (JsonValue::Null, token.range.end),
            Kind::True => (JsonValue::Bool(true), token.range.end),
            Kind::False => (JsonValue::Bool(false), token.range.end),
            Kind::Number => (JsonValue::Number(source), token.range.end),
            Kind::String => (JsonValue::String(self.string(source)), token.range.end),
            Kind::ArrayStart | Kind::ObjectStart if depth >= NESTING_MAX => return Err(too_deep()),
            Kind::ArrayStart => self.array(depth + 1)?,
            Kind::ObjectStart => self.object(depth + 1)?,
            _ => return Err(self.lexer.unexpected(&token, expected)),
        };
        Ok(JsonNode { range: start..end, value })
    }

    fn string(&self, source: &'a str) -> Cow<'a, str> {
        if self.unescapes { unescape(source) } else { Cow::Borrowed(source) }
    }

    /// The items of an array behind its bracket, and where it ends.
    fn array(&mut self, depth: usize) -> SqlResult<(JsonValue<'a>, usize)> {
        let mut items = Vec::new();
        let mut token = self.lexer.next()?;
        if token.kind == Kind::ArrayEnd {
            return Ok((JsonValue::Array(items), token.range.end));
        }
        let mut expected = "array element or \"]\"";
        loop {
            items.push(self.value(token, expected, depth)?);
            expected = "JSON value";
            token = self.lexer.next()?;
            match token.kind {
                Kind::Comma => token = self.lexer.next()?,
                Kind::ArrayEnd => return Ok((JsonValue::Array(items), token.range.end)),
                _ => return Err(self.lexer.unexpected(&token, "\",\" or \"]\"")),
            }
        }
    }

    /// The members of an object behind its brace, and where it ends.
    fn object(&mut self, depth: usize) -> SqlResult<(JsonValue<'a>, usize)> {
        let mut members = Vec::new();
        let mut token = self.lexer.next()?;
        if token.kind == Kind::ObjectEnd {
            return Ok((JsonValue::Object(members), token.range.end));
        }
        let mut expected = "string or \"}\"";
        loop {
            if token.kind != Kind::String {
                return Err(self.lexer.unexpected(&token, expected));
            }
            expected = "string";
            let key = self.string(self.lexer.text().get(token.range.clone()).unwrap_or(""));
            let colon = self.lexer.next()?;
            if colon.kind != Kind::Colon {
                return Err(self.lexer.unexpected(&colon, "\":\""));
            }
            let first = self.lexer.next()?;
            members.push((key, self.value(first, "JSON value", depth)?));
            token = self.lexer.next()?;
            match token.kind {
                Kind::Comma => token = self.lexer.next()?,
                Kind::ObjectEnd => return Ok((JsonValue::Object(members), token.range.end)),
                _ => return Err(self.lexer.unexpected(&token, "\",\" or \"}\"")),
            }
        }
    }
}
