//! Composite values: what `ROW(...)` makes and what a row of a table is as a value.
//!
//! A record carries its shape, the names and types of its fields, because nothing else knows it: the type
//! `record` stands for any shape. What always holds:
//!
//! 1. There are as many values as the shape has fields. A composite type whose attributes change leaves values of its
//!    former shapes behind in tables: who reads a stored value brings it into the shape of now ([`current_value`]).
//! 2. The order is field by field, NULLs last and equal to each other. Who compares records that may have different shapes
//!    has [`Record::compare_checked`] refuse that; for [`Record::compare`] a shorter one sorts first.
//! 3. Values nest [`crate::array::NESTING_MAX`] levels deep at most, so that walking over them is bounded.

use std::cmp::Ordering;
use std::hash::Hasher;
use std::sync::Arc;

use nqdb_sqlstate::{
    DATATYPE_MISMATCH, INVALID_BINARY_REPRESENTATION, INVALID_TEXT_REPRESENTATION, PROTOCOL_VIOLATION, SqlError,
    SqlResult,
};

use crate::array::{NESTING_MAX, element_type, nesting_too_deep};
use crate::binary::{read_binary, write_binary};
use crate::text::{is_space, write_text};
use crate::{Array, Datum, FormatContext, Oid, Sink, Type, TypeCatalog, is_composite, oid};

/// One field of a record's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordField {
    pub name: Arc<str>,
    pub ty: Type,
    /// The attribute's number, which stays when others go; of an anonymous record the place, counted from 1.
    pub number: u16,
}

/// What the records of one kind look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordShape {
    /// `record`, or the composite type.
    pub type_oid: Oid,
    pub fields: Vec<RecordField>,
}

impl RecordShape {
    /// The shape of `ROW(...)`: fields `f1`, `f2` and so on.
    pub fn anonymous(types: impl IntoIterator<Item = Type>) -> RecordShape {
        RecordShape::named(oid::RECORD, types.into_iter().enumerate().map(|(at, ty)| (format!("f{}", at + 1), ty)))
    }

    /// A shape of fields with these names, numbered from 1.
    pub fn named<N: Into<Arc<str>>>(type_oid: Oid, fields: impl IntoIterator<Item = (N, Type)>) -> RecordShape {
        let numbered = (1..).zip(fields);
        let fields = numbered.map(|(number, (name, ty))| RecordField { name: name.into(), ty, number }).collect();
        RecordShape { type_oid, fields }
    }

    /// The field of that name.
    pub fn field_named(&self, name: &str) -> Option<(usize, &RecordField)> {
        self.fields.iter().enumerate().find(|(_, field)| &*field.name == name)
    }
}

/// A composite value.
#[derive(Clone, Debug)]
pub struct Record {
    shape: Arc<RecordShape>,
    nesting: u16,
    values: Box<[Datum]>,
}

impl Record {
    /// A record of that shape; 54001 when it would nest too deep.
    pub fn new(shape: Arc<RecordShape>, values: Vec<Datum>) -> SqlResult<Record> {
        if shape.fields.len() != values.len() {
            return Err(SqlError::internal(format!("{} values for a record of {}", values.len(), shape.fields.len())));
        }
        let nesting = 1 + values.iter().map(Datum::nesting).max().unwrap_or(0);
        if nesting > NESTING_MAX {
            return Err(nesting_too_deep());
        }
        Ok(Record { shape, nesting, values: values.into_boxed_slice() })
    }

    pub fn shape(&self) -> &Arc<RecordShape> {
        &self.shape
    }

    /// The fields' values, in order.
    pub fn values(&self) -> &[Datum] {
        &self.values
    }

    /// Field by field, up to the first difference.
    ///
    /// Errors: 42804 when it comes to fields of different types, or when one record has more fields; what
    /// `check_type` says of the type of a field.
    pub fn compare_checked(
        &self,
        other: &Record,
        cx: &FormatContext,
        check_type: impl Fn(Type) -> SqlResult<()>,
    ) -> SqlResult<Ordering> {
        let fields = self.shape.fields.iter().zip(&other.shape.fields);
        for (at, ((a, b), (left, right))) in self.values.iter().zip(&other.values).zip(fields).enumerate() {
            if left.ty.declared_oid() != right.ty.declared_oid() {
                return Err(dissimilar(at, left.ty, right.ty, cx));
            }
            check_type(left.ty)?;
            match a.compare_as(b, left.ty.oid) {
                Ordering::Equal => {}
                unequal => return Ok(unequal),
            }
        }
        if self.values.len() != other.values.len() {
            return Err(different_widths());
        }
        Ok(Ordering::Equal)
    }

    /// Field by field; fields of different types have no order.
    pub fn compare(&self, other: &Record) -> Ordering {
        for ((a, b), field) in self.values.iter().zip(&other.values).zip(&self.shape.fields) {
            match a.compare_as(b, field.ty.oid) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        self.values.len().cmp(&other.values.len())
    }

    /// Feeds the record to a hasher so that records that [`Record::compare`] finds equal hash alike.
    pub fn hash_into<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.values.len());
        for (value, field) in self.values.iter().zip(&self.shape.fields) {
            value.hash_as(state, field.ty.oid);
        }
    }

    /// Bytes that the record holds, without its shape, which many share.
    pub fn heap_size(&self) -> usize {
        let own = size_of::<Record>() + self.values.len() * size_of::<Datum>();
        own + self.values.iter().map(Datum::heap_size).sum::<usize>()
    }

    pub(crate) fn nesting(&self) -> u16 {
        self.nesting
    }
}

/// 42804 for two fields of different types.
pub(crate) fn dissimilar(at: usize, left: Type, right: Type, cx: &FormatContext) -> SqlError {
    let (left, right) = (cx.type_name(left.bare()), cx.type_name(right.bare()));
    let message = format!("cannot compare dissimilar column types {left} and {right} at record column {}", at + 1);
    SqlError::new(DATATYPE_MISMATCH, message)
}

/// 42804 for records of different lengths.
pub(crate) fn different_widths() -> SqlError {
    SqlError::new(DATATYPE_MISMATCH, "cannot compare record types with different numbers of columns")
}

/// The shape of a composite type, for input. XX000 when it is gone.
pub(crate) fn composite_shape(type_oid: Oid, cx: &FormatContext) -> SqlResult<Arc<RecordShape>> {
    let found = cx.types.composite_shape(type_oid);
    found.ok_or_else(|| SqlError::internal(format!("cache lookup failed for type {type_oid}")))
}

/// A stored value in the shapes that its composite types have now: attributes that were added are NULL, those that were
/// dropped are gone. Values that hold no composite type come back as they are.
pub fn current_value(value: Datum, types: &dyn TypeCatalog) -> SqlResult<Datum> {
    if matches!(value, Datum::Record(_) | Datum::Array(_)) { current_nested(value, types) } else { Ok(value) }
}

fn current_nested(value: Datum, types: &dyn TypeCatalog) -> SqlResult<Datum> {
    match &value {
        Datum::Record(record) => current_record(record, types).map(|changed| changed.map_or(value, Datum::record)),
        Datum::Array(array) if holds_records(array.element_type()) => {
            let elements = array.elements().iter().map(|element| current_value(element.clone(), types));
            let elements = elements.collect::<SqlResult<Vec<Datum>>>()?;
            Array::new(array.element_type(), array.dimensions().to_vec(), elements).map(Datum::array)
        }
        _ => Ok(value),
    }
}

/// Whether values of a type may be of a composite type, or hold some.
pub fn holds_records(type_oid: Oid) -> bool {
    let element = element_type(type_oid).unwrap_or(type_oid);
    is_composite(element) || element == oid::RECORD
}

/// A record in its type's shape of now; `None` when it has it already.
fn current_record(record: &Record, types: &dyn TypeCatalog) -> SqlResult<Option<Record>> {
    let old = &record.shape;
    let shape = match types.composite_shape(old.type_oid) {
        Some(shape) if *shape != **old => shape,
        _ => Arc::clone(old),
    };
    let same_shape = Arc::ptr_eq(&shape, old);
    if same_shape && !old.fields.iter().any(|field| holds_records(field.ty.oid)) {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(shape.fields.len());
    for field in &shape.fields {
        let at = old.fields.iter().position(|known| known.number == field.number && known.ty.oid == field.ty.oid);
        let value = at.and_then(|at| record.values.get(at)).cloned().unwrap_or_default();
        values.push(current_value(value, types)?);
    }
    Record::new(shape, values).map(Some)
}

/// Writes a record: `(1,"a b",)`.
pub(crate) fn write_record_text<S: Sink>(out: &mut S, record: &Record, cx: &FormatContext) {
    out.put_byte(b'(');
    let mut spelled = Vec::new();
    for (at, (value, field)) in record.values.iter().zip(&record.shape.fields).enumerate() {
        if at > 0 {
            out.put_byte(b',');
        }
        if value.is_null() {
            continue;
        }
        spelled.clear();
        write_text(&mut spelled, value, field.ty, cx);
        write_field(out, &spelled);
    }
    out.put_byte(b')');
}

fn write_field<S: Sink>(out: &mut S, spelled: &[u8]) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(char::from(*byte));
    if !spelled.is_empty() && !spelled.iter().any(special) {
        return out.put(spelled);
    }
    out.put_byte(b'"');
    for byte in spelled {
        if matches!(byte, b'"' | b'\\') {
            out.put_byte(*byte);
        }
        out.put_byte(*byte);
    }
    out.put_byte(b'"');
}

/// Reads a record's text as a shape; `read_field` reads the text of one field. 22P02 for what is malformed.
pub fn parse_record_with(
    text: &str,
    shape: &Arc<RecordShape>,
    mut read_field: impl FnMut(&str, Type) -> SqlResult<Datum>,
) -> SqlResult<Record> {
    let malformed = |detail: &str| {
        SqlError::new(INVALID_TEXT_REPRESENTATION, format!("malformed record literal: \"{text}\"")).with_detail(detail)
    };
    let body =
        text.trim_start_matches(is_space).strip_prefix('(').ok_or_else(|| malformed("Missing left parenthesis."))?;
    let mut rest = body;
    let mut values = Vec::with_capacity(shape.fields.len());
    for (at, field) in shape.fields.iter().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(',').ok_or_else(|| malformed("Too few columns."))?;
        }
        let (value, tail) = take_field(rest).ok_or_else(|| malformed("Unexpected end of input."))?;
        values.push(value.map_or(Ok(Datum::Null), |value| read_field(&value, field.ty))?);
        rest = tail;
    }
    let rest = rest.strip_prefix(')').ok_or_else(|| malformed("Too many columns."))?;
    if !rest.chars().all(is_space) {
        return Err(malformed("Junk after right parenthesis."));
    }
    Record::new(Arc::clone(shape), values)
}

/// The text of a field, `None` for NULL, and what follows it; `None` when the text ends within the field.
fn take_field(text: &str) -> Option<(Option<String>, &str)> {
    if text.starts_with([',', ')']) {
        return Some((None, text));
    }
    let (mut value, mut in_quotes) = (String::new(), false);
    let mut chars = text.char_indices();
    loop {
        let (at, c) = chars.next()?;
        match c {
            ',' | ')' if !in_quotes => return Some((Some(value), text.get(at..)?)),
            '\\' => value.push(chars.next()?.1),
            '"' if in_quotes && chars.as_str().starts_with('"') => {
                chars.next();
                value.push('"');
            }
            '"' => in_quotes = !in_quotes,
            other => value.push(other),
        }
    }
}

/// Appends a record's binary form: the number of fields, then type, length (-1 for NULL) and value of each.
pub(crate) fn write_record<S: Sink>(out: &mut S, record: &Record, cx: &FormatContext) {
    out.put(&(record.values.len() as i32).to_be_bytes());
    let mut bytes = Vec::new();
    for (value, field) in record.values.iter().zip(&record.shape.fields) {
        out.put(&field.ty.declared_oid().to_be_bytes());
        if value.is_null() {
            out.put(&(-1i32).to_be_bytes());
            continue;
        }
        bytes.clear();
        write_binary(&mut bytes, value, field.ty, cx);
        out.put(&(bytes.len() as i32).to_be_bytes());
        out.put(&bytes);
    }
}

/// Reads a record's binary form as a shape.
///
/// Errors: 42804 for another number or other types of fields, 08P01 for too few bytes, 22P03 for too many.
pub fn read_record(mut bytes: &[u8], shape: &Arc<RecordShape>, cx: &FormatContext) -> SqlResult<Record> {
    let input = &mut bytes;
    let count = take_i32(input)?;
    if usize::try_from(count) != Ok(shape.fields.len()) {
        let message = format!("wrong number of columns: {count}, expected {}", shape.fields.len());
        return Err(SqlError::new(DATATYPE_MISMATCH, message));
    }
    let mut values = Vec::with_capacity(shape.fields.len());
    for (at, field) in shape.fields.iter().enumerate() {
        let sent = take_i32(input)?.cast_unsigned();
        if sent != field.ty.declared_oid() {
            let message = format!(
                "binary data has type {sent} ({}) instead of expected {} ({}) in record column {}",
                cx.type_name(Type::new(sent)),
                field.ty.declared_oid(),
                cx.type_name(field.ty.bare()),
                at + 1
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message));
        }
        let len = take_i32(input)?;
        if len == -1 {
            values.push(Datum::Null);
            continue;
        }
        let len = usize::try_from(len).ok();
        let (value, rest) = len
            .and_then(|len| input.split_at_checked(len))
            .ok_or_else(|| SqlError::new(INVALID_BINARY_REPRESENTATION, "insufficient data left in message"))?;
        *input = rest;
        values.push(read_binary(value, field.ty, cx)?);
    }
    if !input.is_empty() {
        return Err(SqlError::new(INVALID_BINARY_REPRESENTATION, "incorrect binary data format"));
    }
    Record::new(Arc::clone(shape), values)
}

fn take_i32(input: &mut &[u8]) -> SqlResult<i32> {
    let (bytes, rest) = input
        .split_first_chunk::<4>()
        .ok_or_else(|| SqlError::new(PROTOCOL_VIOLATION, "insufficient data left in message"))?;
    *input = rest;
    Ok(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_text, row};

    fn shape() -> Arc<RecordShape> {
        Arc::new(RecordShape::anonymous([Type::INT4, Type::TEXT, Type::new(oid::INT4_ARRAY)]))
    }

    fn parse(text: &str) -> SqlResult<Record> {
        parse_record_with(text, &shape(), |text, ty| parse_text(text, ty, &FormatContext::default()))
    }

    fn spelled(record: &Record) -> String {
        let mut out = Vec::new();
        write_record_text(&mut out, record, &FormatContext::default());
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_binary_and_storage_go_both_ways() {
        for (read, written) in [
            ("(1,a,{})", "(1,a,{})"),
            (" (,\"\",\"{1,2}\") ", "(,\"\",\"{1,2}\")"),
            ("(1,\"a \"\"b\\\\\",)", "(1,\"a \"\"b\\\\\",)"),
        ] {
            let record = parse(read).expect(read);
            assert_eq!(spelled(&record), written);
            let mut wire = Vec::new();
            write_record(&mut wire, &record, &FormatContext::default());
            assert_eq!(spelled(&read_record(&wire, &shape(), &FormatContext::default()).expect("binary")), written);
            let mut stored = Vec::new();
            row::encode_value(&mut stored, &Datum::Record(Arc::new(record)));
            match row::decode_value(&stored, Type::RECORD) {
                Ok(Datum::Record(record)) => {
                    assert_eq!((spelled(&record).as_str(), record.shape()), (written, &shape()))
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn malformed_text_is_refused_with_its_reason() {
        for (text, detail) in [
            ("1,a", "Missing left parenthesis."),
            ("(1,a)", "Too few columns."),
            ("(1,a,{},4)", "Too many columns."),
            ("(1,a", "Unexpected end of input."),
            ("(1,a,) x", "Junk after right parenthesis."),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.detail(), Some(detail), "{text}");
        }
    }

    #[test]
    fn records_nest_only_so_deep() {
        let mut value = Datum::Int4(1);
        for level in 1.. {
            let shape = Arc::new(RecordShape::anonymous([Type::RECORD]));
            match Record::new(shape, vec![value]) {
                Ok(record) => value = Datum::Record(Arc::new(record)),
                Err(_) => {
                    assert_eq!(level, NESTING_MAX + 1);
                    return;
                }
            }
        }
    }
}
