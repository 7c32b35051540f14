//! A path, run on a value: SQL/JSON's rules as PostgreSQL has them (manual 9.16.2).
//!
//! An item of a path is applied to one value at a time and hands what it makes of it to the next item. In lax mode arrays
//! are unwrapped before accessors that want something else, and structural mistakes count as nothing found. Conditions
//! have three values; errors within them make them unknown.

use std::cmp::Ordering;

use nqdb_sqlstate::{
    INVALID_PARAMETER_VALUE, INVALID_SQL_JSON_SUBSCRIPT, NON_NUMERIC_SQL_JSON_ITEM, SINGLETON_SQL_JSON_ITEM_REQUIRED,
    SQL_JSON_ARRAY_NOT_FOUND, SQL_JSON_MEMBER_NOT_FOUND, SQL_JSON_NUMBER_NOT_FOUND, SQL_JSON_OBJECT_NOT_FOUND,
    SqlError, SqlResult, SqlState, UNDEFINED_OBJECT,
};
use nqdb_types::jsonpath::{ArithmeticOp, Chain, CompareOp, Item, JsonPath, Method, RegexFlags};
use nqdb_types::{FormatContext, Json, Numeric, Type, parse_text};

use super::path_datetime::{self, Moment};
use super::path_ids::offset_within;
use crate::FunctionContext;
use crate::regex_engine::{Flavour, Pattern, RegexOptions};

/// Items between two questions whether the statement may go on.
const ITEMS_UNCHECKED: u32 = 1 << 12;
/// What the number of a value is multiplied with in the numbers of the objects in it.
const OBJECTS_PER_VALUE: i64 = 10_000_000_000;

/// Why a path did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// `silent` forgives it, and a condition becomes unknown by it.
    Forgivable(SqlError),
    Final(SqlError),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Final(error)
    }
}

fn forgivable<T>(code: SqlState, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Forgivable(SqlError::new(code, message)))
}

/// A value on the way: a piece of the target or of the variables, or one made by the path.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Piece(&'a Json),
    Made(Json),
    Moment(Moment),
}

impl<'a> Value<'a> {
    /// The value as JSON; `None` for a moment, which is none yet.
    fn json(&self) -> Option<&Json> {
        match self {
            Value::Piece(json) => Some(json),
            Value::Made(json) => Some(json),
            Value::Moment(_) => None,
        }
    }

    pub fn into_json(self, context: &FunctionContext<'_>) -> Json {
        match self {
            Value::Piece(json) => json.clone(),
            Value::Made(json) => json,
            Value::Moment(moment) => Json::string(moment.to_text(context)),
        }
    }

    /// The elements of an array; `None` for anything else.
    fn elements(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::Piece(Json::Array(items)) => Some(items.iter().map(Value::Piece).collect()),
            Value::Made(Json::Array(items)) => Some(items.iter().cloned().map(Value::Made).collect()),
            _ => None,
        }
    }

    /// The values of an object's members; `None` for anything else.
    fn members(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::Piece(Json::Object(object)) => {
                Some(object.members().iter().map(|(_, value)| Value::Piece(value)).collect())
            }
            Value::Made(Json::Object(object)) => {
                Some(object.members().iter().map(|(_, value)| Value::Made(value.clone())).collect())
            }
            _ => None,
        }
    }

    fn member(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Value::Piece(Json::Object(object)) => object.get(key).map(Value::Piece),
            Value::Made(Json::Object(object)) => object.get(key).cloned().map(Value::Made),
            _ => None,
        }
    }

    fn is_array(&self) -> bool {
        matches!(self.json(), Some(Json::Array(_)))
    }

    fn is_object(&self) -> bool {
        matches!(self.json(), Some(Json::Object(_)))
    }

    fn number(&self) -> Option<&Numeric> {
        match self.json() {
            Some(Json::Number(number)) => Some(number),
            _ => None,
        }
    }

    fn string(&self) -> Option<&str> {
        match self.json() {
            Some(Json::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// The truth of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    False,
    True,
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::True } else { Truth::False }
    }
}

/// Whether anything was found.
type Outcome = Result<bool, Failure>;

/// Where values go; `None` when only their existence counts.
type Found<'f, 'a> = Option<&'f mut Vec<Value<'a>>>;

/// Which levels `.**` takes.
#[derive(Clone, Copy)]
struct Levels {
    first: u32,
    last: u32,
    /// Structural mistakes further on are forgiven.
    forgives: bool,
    /// Arrays are unwrapped further on.
    unwraps: bool,
}

/// A run of a path.
pub(super) struct Runner<'a> {
    context: &'a FunctionContext<'a>,
    path: &'a JsonPath,
    root: &'a Json,
    variables: &'a Json,
    uses_zone: bool,
    forgives_structure: bool,
    current: Value<'a>,
    /// The length of the array whose subscripts are being computed.
    array_len: Option<usize>,
    /// In what the objects of `.keyvalue()` are counted, and its number.
    base: (&'a Json, i64),
    last_base: i64,
    items: u32,
}

impl<'a> Runner<'a> {
    /// Fails with 22023 when the variables are no object.
    pub fn new(
        context: &'a FunctionContext<'a>,
        path: &'a JsonPath,
        root: &'a Json,
        variables: &'a Json,
        uses_zone: bool,
    ) -> SqlResult<Runner<'a>> {
        if !matches!(variables, Json::Object(_)) {
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object")
                .with_detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."));
        }
        Ok(Runner {
            context,
            path,
            root,
            variables,
            uses_zone,
            forgives_structure: path.is_lax,
            current: Value::Piece(root),
            array_len: None,
            base: (root, 0),
            last_base: 1,
            items: 0,
        })
    }

    /// Runs the path. Only what stands in `found` before a failure was found.
    pub fn run(&mut self, found: Found<'_, 'a>) -> Outcome {
        let root = Value::Piece(self.root);
        // In strict mode an error behind the first item counts too.
        if !self.path.is_lax && found.is_none() {
            let mut all = Vec::new();
            self.chain(&self.path.chain, &root, Some(&mut all))?;
            return Ok(!all.is_empty());
        }
        self.chain(&self.path.chain, &root, found)
    }

    fn chain(&mut self, chain: &'a [Item], value: &Value<'a>, found: Found<'_, 'a>) -> Outcome {
        self.item(chain, value, found, self.path.is_lax)
    }

    /// Hands a value to the rest of a chain.
    fn next(&mut self, rest: &'a [Item], value: Value<'a>, found: Found<'_, 'a>) -> Outcome {
        if !rest.is_empty() {
            return self.chain(rest, &value, found);
        }
        if let Some(found) = found {
            found.push(value);
        }
        Ok(true)
    }

    fn structural<T: From<bool>>(&self, code: SqlState, message: &str) -> Result<T, Failure> {
        if self.forgives_structure { Ok(T::from(false)) } else { forgivable(code, message) }
    }

    /// Applies the first item of a chain to a value, and the rest to what comes out.
    fn item(&mut self, chain: &'a [Item], value: &Value<'a>, found: Found<'_, 'a>, unwraps: bool) -> Outcome {
        self.items += 1;
        if self.items.is_multiple_of(ITEMS_UNCHECKED) {
            self.context.check_interruption()?;
        }
        let Some((item, rest)) = chain.split_first() else { return Ok(false) };
        match item {
            Item::Null | Item::Bool(_) | Item::Number(_) | Item::String(_) | Item::Variable(_) => {
                if rest.is_empty() && found.is_none() {
                    return Ok(true);
                }
                let base = self.base;
                let constant = self.constant(item)?;
                let outcome = self.next(rest, constant, found);
                self.base = base;
                outcome
            }
            Item::Root => {
                let base = std::mem::replace(&mut self.base, (self.root, 0));
                let outcome = self.next(rest, Value::Piece(self.root), found);
                self.base = base;
                outcome
            }
            Item::Current => self.next(rest, self.current.clone(), found),
            Item::Last => {
                let Some(len) = self.array_len else {
                    let message = "evaluating jsonpath LAST outside of array subscript";
                    return Err(Failure::Final(SqlError::internal(message)));
                };
                self.next(rest, Value::Made(Json::Number(Numeric::from(len as i64 - 1))), found)
            }
            Item::And(..)
            | Item::Or(..)
            | Item::Not(_)
            | Item::IsUnknown(_)
            | Item::Exists(_)
            | Item::Compare(..)
            | Item::StartsWith(..)
            | Item::LikeRegex { .. } => {
                let truth = self.condition(item, value)?;
                let json = match truth {
                    Truth::Unknown => Json::Null,
                    truth => Json::Bool(truth == Truth::True),
                };
                self.next(rest, Value::Made(json), found)
            }
            Item::Arithmetic(op, left, right) => self.arithmetic(*op, left, right, value, rest, found),
            Item::Sign(is_minus, operand) => self.sign(*is_minus, operand, value, rest, found),
            Item::Key(key) if value.is_object() => match value.member(key) {
                Some(member) => self.next(rest, member, found),
                None if self.forgives_structure => Ok(false),
                None => {
                    let message = format!("JSON object does not contain key \"{key}\"");
                    forgivable(SQL_JSON_MEMBER_NOT_FOUND, message)
                }
            },
            Item::AnyKey if value.is_object() => {
                let levels = Levels { first: 1, last: 1, forgives: false, unwraps: self.path.is_lax };
                self.levels(rest, value, found, 1, levels)
            }
            Item::Key(_) | Item::AnyKey | Item::Filter(_) if unwraps && value.is_array() => {
                self.unwrapped(chain, value, found)
            }
            Item::Key(_) => {
                self.structural(SQL_JSON_MEMBER_NOT_FOUND, "jsonpath member accessor can only be applied to an object")
            }
            Item::AnyKey => self.structural(
                SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath wildcard member accessor can only be applied to an object",
            ),
            Item::Filter(condition) => match self.filter(condition, value)? {
                Truth::True => self.next(rest, value.clone(), found),
                _ => Ok(false),
            },
            Item::AnyElement if value.is_array() => {
                let levels = Levels { first: 1, last: 1, forgives: false, unwraps: self.path.is_lax };
                self.levels(rest, value, found, 1, levels)
            }
            Item::AnyElement if self.path.is_lax => self.next(rest, value.clone(), found),
            Item::AnyElement => self.structural(
                SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath wildcard array accessor can only be applied to an array",
            ),
            Item::Elements(subscripts) if value.is_array() || self.path.is_lax => {
                self.elements(subscripts, value, rest, found)
            }
            Item::Elements(_) => {
                self.structural(SQL_JSON_ARRAY_NOT_FOUND, "jsonpath array accessor can only be applied to an array")
            }
            Item::AnyLevel { first, last } => self.any_level(*first, *last, value, rest, found),
            Item::Method(method) => self.method(*method, chain, value, found, unwraps),
            Item::Datetime(_) if unwraps && value.is_array() => self.unwrapped(chain, value, found),
            Item::Datetime(template) => {
                let moment = path_datetime::read(self.context, value.string(), template.as_deref())?;
                self.next(rest, Value::Moment(moment), found)
            }
        }
    }

    fn constant(&mut self, item: &'a Item) -> Result<Value<'a>, Failure> {
        Ok(Value::Made(match item {
            Item::Bool(value) => Json::Bool(*value),
            Item::Number(number) => Json::Number(number.clone()),
            Item::String(text) => Json::String(text.clone()),
            Item::Variable(name) => {
                let Json::Object(variables) = self.variables else { return Ok(Value::Made(Json::Null)) };
                let Some(value) = variables.get(name) else {
                    let message = format!("could not find jsonpath variable \"{name}\"");
                    return Err(Failure::Final(SqlError::new(UNDEFINED_OBJECT, message)));
                };
                self.base = (self.variables, 1);
                return Ok(Value::Piece(value));
            }
            _ => Json::Null,
        }))
    }

    /// Applies a chain to each element of an array, without unwrapping those.
    fn unwrapped(&mut self, chain: &'a [Item], array: &Value<'a>, mut found: Found<'_, 'a>) -> Outcome {
        let mut any = false;
        for element in array.elements().unwrap_or_default() {
            any |= self.item(chain, &element, found.as_deref_mut(), false)?;
            if any && found.is_none() {
                break;
            }
        }
        Ok(any)
    }

    /// All values within a value, on some levels below it.
    fn levels(
        &mut self,
        rest: &'a [Item],
        value: &Value<'a>,
        mut found: Found<'_, 'a>,
        level: u32,
        levels: Levels,
    ) -> Outcome {
        let mut any = false;
        if level > levels.last {
            return Ok(false);
        }
        for inner in value.elements().or_else(|| value.members()).unwrap_or_default() {
            let has_inner = inner.is_array() || inner.is_object();
            let is_leaf_wanted = (levels.first, levels.last) == (u32::MAX, u32::MAX) && !has_inner;
            if level >= levels.first || is_leaf_wanted {
                any |= match (rest.is_empty(), found.as_deref_mut()) {
                    (true, None) => return Ok(true),
                    (true, Some(found)) => {
                        found.push(inner.clone());
                        true
                    }
                    (false, found) => {
                        self.forgiving(levels.forgives, |runner| runner.item(rest, &inner, found, levels.unwraps))?
                    }
                };
                if any && found.is_none() {
                    break;
                }
            }
            if level < levels.last && has_inner {
                any |= self.levels(rest, &inner, found.as_deref_mut(), level.saturating_add(1), levels)?;
                if any && found.is_none() {
                    break;
                }
            }
        }
        Ok(any)
    }

    fn forgiving<T>(&mut self, forgives: bool, run: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.forgives_structure;
        self.forgives_structure |= forgives;
        let outcome = run(self);
        self.forgives_structure = before;
        outcome
    }

    fn any_level(
        &mut self,
        first: u32,
        last: u32,
        value: &Value<'a>,
        rest: &'a [Item],
        mut found: Found<'_, 'a>,
    ) -> Outcome {
        let mut any = false;
        if first == 0 {
            any = self.forgiving(true, |runner| runner.next(rest, value.clone(), found.as_deref_mut()))?;
            if any && found.is_none() {
                return Ok(true);
            }
        }
        let levels = Levels { first, last, forgives: true, unwraps: self.path.is_lax };
        Ok(self.levels(rest, value, found, 1, levels)? || any)
    }

    /// `[1, 2 to last]`; what is no array counts as one of one element in lax mode.
    fn elements(
        &mut self,
        subscripts: &'a [(Chain, Option<Chain>)],
        value: &Value<'a>,
        rest: &'a [Item],
        mut found: Found<'_, 'a>,
    ) -> Outcome {
        let elements = value.elements().unwrap_or_else(|| vec![value.clone()]);
        let len = elements.len() as i64;
        let outer_len = self.array_len.replace(elements.len());
        let mut any = false;
        for (from, to) in subscripts {
            let from = self.subscript(from, value)?;
            let to = match to {
                Some(to) => self.subscript(to, value)?,
                None => from,
            };
            if !self.forgives_structure && (from < 0 || from > to || to >= len) {
                self.array_len = outer_len;
                return forgivable(INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is out of bounds");
            }
            for index in from.max(0)..=to.min(len - 1) {
                if rest.is_empty() && found.is_none() {
                    self.array_len = outer_len;
                    return Ok(true);
                }
                let Some(element) = elements.get(index as usize) else { continue };
                any |= self.next(rest, element.clone(), found.as_deref_mut())?;
                if any && found.is_none() {
                    break;
                }
            }
        }
        self.array_len = outer_len;
        Ok(any)
    }

    fn subscript(&mut self, chain: &'a Chain, value: &Value<'a>) -> Result<i64, Failure> {
        let mut found = Vec::new();
        self.chain(chain, value, Some(&mut found))?;
        let number = match found.as_slice() {
            [only] => only.number(),
            _ => None,
        };
        let Some(number) = number else {
            let message = "jsonpath array subscript is not a single numeric value";
            return forgivable(INVALID_SQL_JSON_SUBSCRIPT, message);
        };
        match number.trunc(0).to_i32() {
            Ok(index) => Ok(index.into()),
            Err(_) => forgivable(INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is out of integer range"),
        }
    }

    /// The values of an operand; arrays among them are unwrapped in lax mode.
    fn operand(&mut self, chain: &'a Chain, value: &Value<'a>) -> Result<Vec<Value<'a>>, Failure> {
        let mut found = Vec::new();
        self.chain(chain, value, Some(&mut found))?;
        if !self.path.is_lax {
            return Ok(found);
        }
        let unwrapped = found.into_iter().flat_map(|value| value.elements().unwrap_or_else(|| vec![value]));
        Ok(unwrapped.collect())
    }

    fn arithmetic(
        &mut self,
        op: ArithmeticOp,
        left: &'a Chain,
        right: &'a Chain,
        value: &Value<'a>,
        rest: &'a [Item],
        found: Found<'_, 'a>,
    ) -> Outcome {
        // The operands are computed before either of them is looked at.
        let (left, right) = (self.operand(left, value)?, self.operand(right, value)?);
        let single = |operand: &[Value<'a>], side: &str| match operand {
            [only] if let Some(number) = only.number() => Ok(number.clone()),
            _ => {
                let message =
                    format!("{side} operand of jsonpath operator {} is not a single numeric value", op.symbol());
                forgivable(SINGLETON_SQL_JSON_ITEM_REQUIRED, message)
            }
        };
        let (left, right) = (single(&left, "left")?, single(&right, "right")?);
        let result = match op {
            ArithmeticOp::Add => left.add(&right),
            ArithmeticOp::Subtract => left.sub(&right),
            ArithmeticOp::Multiply => left.mul(&right),
            ArithmeticOp::Divide => left.div(&right),
            ArithmeticOp::Remainder => left.rem(&right),
        };
        let result = result.map_err(Failure::Forgivable)?;
        self.next(rest, Value::Made(Json::Number(result)), found)
    }

    fn sign(
        &mut self,
        is_minus: bool,
        operand: &'a Chain,
        value: &Value<'a>,
        rest: &'a [Item],
        mut found: Found<'_, 'a>,
    ) -> Outcome {
        let only_existence = rest.is_empty() && found.is_none();
        let mut any = false;
        for operand in self.operand(operand, value)? {
            let Some(number) = operand.number() else {
                if only_existence {
                    continue;
                }
                let symbol = if is_minus { "-" } else { "+" };
                let message = format!("operand of unary jsonpath operator {symbol} is not a numeric value");
                return forgivable(SQL_JSON_NUMBER_NOT_FOUND, message);
            };
            let signed = if is_minus { number.neg() } else { number.clone() };
            any |= self.next(rest, Value::Made(Json::Number(signed)), found.as_deref_mut())?;
            if any && found.is_none() {
                break;
            }
        }
        Ok(any)
    }

    fn method(
        &mut self,
        method: Method,
        chain: &'a [Item],
        value: &Value<'a>,
        found: Found<'_, 'a>,
        unwraps: bool,
    ) -> Outcome {
        let rest = chain.get(1..).unwrap_or_default();
        if unwraps && value.is_array() && !matches!(method, Method::Size | Method::Type) {
            return self.unwrapped(chain, value, found);
        }
        let result = match method {
            Method::Type => Json::string(match value {
                Value::Moment(moment) => Type::new(moment.ty.oid).name(),
                value => value.json().map_or("null", Json::type_name).to_string(),
            }),
            Method::Size => match value.elements() {
                Some(elements) => Json::Number(Numeric::from(elements.len() as i64)),
                None if self.path.is_lax => Json::Number(Numeric::ONE),
                None => {
                    return self.structural(
                        SQL_JSON_ARRAY_NOT_FOUND,
                        "jsonpath item method .size() can only be applied to an array",
                    );
                }
            },
            Method::Double => Json::Number(double(value)?),
            Method::KeyValue => return self.key_values(value, rest, found),
            Method::Abs | Method::Floor | Method::Ceiling => {
                let Some(number) = value.number() else {
                    let name = method.name();
                    let message = format!("jsonpath item method .{name}() can only be applied to a numeric value");
                    return forgivable(NON_NUMERIC_SQL_JSON_ITEM, message);
                };
                Json::Number(match method {
                    Method::Abs => number.abs(),
                    Method::Floor => number.floor()?,
                    _ => number.ceil()?,
                })
            }
        };
        self.next(rest, Value::Made(result), found)
    }

    /// An object's members, each as an object of its key, its value and the object's number.
    fn key_values(&mut self, value: &Value<'a>, rest: &'a [Item], mut found: Found<'_, 'a>) -> Outcome {
        let Some(Json::Object(object)) = value.json() else {
            let message = "jsonpath item method .keyvalue() can only be applied to an object";
            return forgivable(SQL_JSON_OBJECT_NOT_FOUND, message);
        };
        let offset = value.json().map_or(0, |json| offset_within(self.base.0, json));
        let id = self.base.1 * OBJECTS_PER_VALUE + offset as i64;
        let members = object.members().to_vec();
        if members.is_empty() {
            return Ok(false);
        }
        if rest.is_empty() && found.is_none() {
            return Ok(true);
        }
        let mut any = false;
        for (key, value) in members {
            let made = nqdb_types::json::Object::from_members(vec![
                ("key".into(), Json::String(key)),
                ("value".into(), value),
                ("id".into(), Json::Number(Numeric::from(id))),
            ]);
            self.last_base += 1;
            let base = std::mem::replace(&mut self.base, (self.root, self.last_base));
            let outcome = self.next(rest, Value::Made(Json::Object(made)), found.as_deref_mut());
            self.base = base;
            any |= outcome?;
            if any && found.is_none() {
                break;
            }
        }
        Ok(any)
    }

    fn filter(&mut self, condition: &'a Chain, value: &Value<'a>) -> Result<Truth, Failure> {
        let outer = std::mem::replace(&mut self.current, value.clone());
        let truth = match condition.first() {
            Some(item) => self.condition(item, value),
            None => Ok(Truth::Unknown),
        };
        self.current = outer;
        truth
    }

    fn inner_condition(&mut self, chain: &'a Chain, value: &Value<'a>) -> Result<Truth, Failure> {
        chain.first().map_or(Ok(Truth::Unknown), |item| self.condition(item, value))
    }

    fn condition(&mut self, item: &'a Item, value: &Value<'a>) -> Result<Truth, Failure> {
        match item {
            Item::And(left, right) => {
                let first = self.inner_condition(left, value)?;
                if first == Truth::False {
                    return Ok(first);
                }
                let second = self.inner_condition(right, value)?;
                Ok(if second == Truth::True { first } else { second })
            }
            Item::Or(left, right) => {
                let first = self.inner_condition(left, value)?;
                if first == Truth::True {
                    return Ok(first);
                }
                let second = self.inner_condition(right, value)?;
                Ok(if second == Truth::False { first } else { second })
            }
            Item::Not(condition) => Ok(match self.inner_condition(condition, value)? {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
            }),
            Item::IsUnknown(condition) => Ok((self.inner_condition(condition, value)? == Truth::Unknown).into()),
            Item::Exists(chain) => {
                let outcome = match self.path.is_lax {
                    true => self.chain(chain, value, None),
                    false => {
                        let mut all = Vec::new();
                        self.chain(chain, value, Some(&mut all)).map(|_| !all.is_empty())
                    }
                };
                known(outcome).map(|outcome| outcome.map_or(Truth::Unknown, Truth::from))
            }
            Item::Compare(op, left, right) => {
                self.predicate(left, Some(right), true, value, |runner, left, right| match right {
                    Some(right) => runner.compare(*op, left, right),
                    None => Ok(Truth::Unknown),
                })
            }
            Item::StartsWith(text, initial) => self.predicate(text, Some(initial), false, value, |_, text, initial| {
                let initial = initial.and_then(Value::string);
                Ok(text
                    .string()
                    .zip(initial)
                    .map_or(Truth::Unknown, |(text, initial)| text.starts_with(initial).into()))
            }),
            Item::LikeRegex { value: text, pattern, flags } => {
                let pattern = Pattern::compiled(pattern, regex_options(*flags))?;
                self.predicate(text, None, false, value, |runner, text, _| match text.string() {
                    Some(text) => {
                        let context = runner.context;
                        Ok(pattern.is_match(text, &|| context.check_interruption())?.into())
                    }
                    None => Ok(Truth::Unknown),
                })
            }
            _ => Ok(Truth::Unknown),
        }
    }

    /// Tries a test on all pairs of values of two operands.
    fn predicate(
        &mut self,
        left: &'a Chain,
        right: Option<&'a Chain>,
        unwraps_right: bool,
        value: &Value<'a>,
        test: impl Fn(&Self, &Value<'a>, Option<&Value<'a>>) -> Result<Truth, Failure>,
    ) -> Result<Truth, Failure> {
        let Some(left) = known(self.operand(left, value))? else { return Ok(Truth::Unknown) };
        let right = match right {
            None => vec![None],
            Some(right) => {
                let values = match unwraps_right {
                    true => self.operand(right, value),
                    false => {
                        let mut found = Vec::new();
                        self.chain(right, value, Some(&mut found)).map(|_| found)
                    }
                };
                let Some(values) = known(values)? else { return Ok(Truth::Unknown) };
                values.into_iter().map(Some).collect()
            }
        };
        let (mut is_found, mut is_unknown) = (false, false);
        for left in &left {
            for right in &right {
                match test(self, left, right.as_ref())? {
                    Truth::Unknown if !self.path.is_lax => return Ok(Truth::Unknown),
                    Truth::Unknown => is_unknown = true,
                    Truth::True if self.path.is_lax => return Ok(Truth::True),
                    Truth::True => is_found = true,
                    Truth::False => {}
                }
            }
        }
        Ok(match (is_found, is_unknown) {
            (true, _) => Truth::True,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::False,
        })
    }

    fn compare(&self, op: CompareOp, left: &Value<'a>, right: &Value<'a>) -> Result<Truth, Failure> {
        let order = match (left, right) {
            (Value::Moment(left), Value::Moment(right)) => {
                match path_datetime::compare(self.context, left, right, self.uses_zone)? {
                    Some(order) => order,
                    None => return Ok(Truth::Unknown),
                }
            }
            _ => match (left.json(), right.json()) {
                (Some(Json::Null), Some(Json::Null)) => Ordering::Equal,
                // A null differs from everything else, and is neither less nor greater.
                (Some(Json::Null), _) | (_, Some(Json::Null)) => return Ok((op == CompareOp::NotEqual).into()),
                (Some(Json::Bool(left)), Some(Json::Bool(right))) => left.cmp(right),
                (Some(Json::Number(left)), Some(Json::Number(right))) => left.cmp(right),
                (Some(Json::String(left)), Some(Json::String(right))) => left.as_bytes().cmp(right.as_bytes()),
                _ => return Ok(Truth::Unknown),
            },
        };
        Ok(match op {
            CompareOp::Equal => order.is_eq(),
            CompareOp::NotEqual => order.is_ne(),
            CompareOp::Less => order.is_lt(),
            CompareOp::LessOrEqual => order.is_le(),
            CompareOp::Greater => order.is_gt(),
            CompareOp::GreaterOrEqual => order.is_ge(),
        }
        .into())
    }
}

/// What a forgivable error within a condition leaves: nothing known.
fn known<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Forgivable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A number, or a string that holds one, as a double precision number.
fn double(value: &Value<'_>) -> Result<Numeric, Failure> {
    let refused = |what: &str| forgivable(NON_NUMERIC_SQL_JSON_ITEM, what);
    match value.json() {
        Some(Json::Number(number)) => match number.to_f64() {
            Ok(_) => Ok(number.clone()),
            Err(_) => {
                refused("numeric argument of jsonpath item method .double() is out of range for type double precision")
            }
        },
        Some(Json::String(text)) => {
            let parsed = parse_text(text, Type::FLOAT8, &FormatContext::default()).ok();
            match parsed.and_then(|datum| datum.as_float()).filter(|value| value.is_finite()) {
                Some(value) => Ok(Numeric::from_f64(value)),
                None => refused(
                    "string argument of jsonpath item method .double() is not a valid representation of a double precision number",
                ),
            }
        }
        _ => refused("jsonpath item method .double() can only be applied to a string or numeric value"),
    }
}

fn regex_options(flags: RegexFlags) -> RegexOptions {
    RegexOptions {
        ignores_case: flags.ignores_case,
        stops_at_newline: !flags.dot_matches_newline && !flags.is_literal,
        multi_line: flags.multi_line && !flags.is_literal,
        flavour: if flags.is_literal { Flavour::Literal } else { Flavour::Advanced },
        ..RegexOptions::DEFAULT
    }
}
