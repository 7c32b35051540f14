//! Enums: their labels, as text and in the binary form.

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, SqlError, SqlResult, UNSAFE_NEW_ENUM_VALUE_USAGE};

use crate::{Datum, EnumLabel, EnumValue, FormatContext, Oid, Sink, Type};

/// Writes the label. The number of a value that has none shows that the catalog is damaged.
pub(crate) fn write<S: Sink>(out: &mut S, value: EnumValue, cx: &FormatContext) {
    let labels = cx.types.enum_type(value.type_oid);
    match labels.as_ref().and_then(|labels| labels.at(value.order)) {
        Some(label) => out.put(label.label.as_bytes()),
        None => out.put(value.order.to_string().as_bytes()),
    }
}

/// Reads a label: 22P02 when the type has none like it, 55P04 when it may not be used yet.
pub(crate) fn parse(text: &str, type_oid: Oid, cx: &FormatContext) -> SqlResult<Datum> {
    let labels = cx.types.enum_type(type_oid);
    let Some(label) = labels.as_ref().and_then(|labels| labels.labelled(text)) else {
        let name = cx.type_name(Type::new(type_oid));
        let message = format!("invalid input value for enum {name}: \"{text}\"");
        return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, message));
    };
    usable(label, type_oid, cx)
}

/// The value of a label, unless it was added by a transaction that has not committed yet (55P04).
pub fn usable(label: &EnumLabel, type_oid: Oid, cx: &FormatContext) -> SqlResult<Datum> {
    if label.is_unsafe {
        let name = cx.type_name(Type::new(type_oid));
        let message = format!("unsafe use of new value \"{}\" of enum type {name}", label.label);
        return Err(SqlError::new(UNSAFE_NEW_ENUM_VALUE_USAGE, message)
            .with_hint("New enum values must be committed before they can be used."));
    }
    Ok(Datum::Enum(EnumValue { type_oid, order: label.order }))
}
