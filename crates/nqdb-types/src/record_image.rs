//! The comparison of records by what they are made of (manual 9.24.6: `*=`, `*<`): values that are equal for SQL and look
//! different, such as 1.0 and 1.00, are not equal here.
//!
//! The order is PostgreSQL's as far as it has a meaning: numbers that PostgreSQL passes by value compare as unsigned words,
//! everything else by its bytes.

use std::cmp::Ordering;

use nqdb_sqlstate::SqlResult;

use crate::record::{different_widths, dissimilar};
use crate::row::encode_value;
use crate::{Datum, FormatContext, Record};

/// Compares two records field by field. Errors: 42804 for records whose fields are of different types or numbers.
pub fn compare_images(left: &Record, right: &Record, cx: &FormatContext) -> SqlResult<Ordering> {
    let (left_fields, right_fields) = (&left.shape().fields, &right.shape().fields);
    let pairs = left.values().iter().zip(right.values()).zip(left_fields.iter().zip(right_fields));
    for (at, ((a, b), (left_field, right_field))) in pairs.enumerate() {
        if left_field.ty.declared_oid() != right_field.ty.declared_oid() {
            return Err(dissimilar(at, left_field.ty, right_field.ty, cx));
        }
        match compare_image(a, b) {
            Ordering::Equal => {}
            unequal => return Ok(unequal),
        }
    }
    if left_fields.len() != right_fields.len() {
        return Err(different_widths());
    }
    Ok(Ordering::Equal)
}

/// NULLs sort last and equal each other.
fn compare_image(left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Null, _) | (_, Datum::Null) => left.is_null().cmp(&right.is_null()),
        _ => match (word(left), word(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => bytes(left).cmp(&bytes(right)),
        },
    }
}

/// The word that PostgreSQL passes in the place of a value.
fn word(datum: &Datum) -> Option<u64> {
    let signed = match datum {
        Datum::Bool(value) => i64::from(*value),
        Datum::Int2(value) => i64::from(*value),
        Datum::Int4(value) | Datum::Date(value) => i64::from(*value),
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => *value,
        Datum::Float4(value) => i64::from(value.to_bits().cast_signed()),
        Datum::Float8(value) => value.to_bits().cast_signed(),
        Datum::Oid(value) => i64::from(*value),
        Datum::Enum(value) => value.order.cast_signed(),
        _ => return None,
    };
    Some(signed.cast_unsigned())
}

fn bytes(datum: &Datum) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, datum);
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{RecordShape, Type};

    fn compared(ty: Type, left: Datum, right: Datum) -> Ordering {
        let shape = Arc::new(RecordShape::anonymous([ty]));
        let record = |value| Record::new(Arc::clone(&shape), vec![value]).expect("a record");
        compare_images(&record(left), &record(right), &FormatContext::default()).expect("the same shape")
    }

    #[test]
    fn what_looks_different_is_different() {
        let numeric = |text: &str| Datum::Numeric(text.parse().expect("a number"));
        assert!(compared(Type::NUMERIC, numeric("1.0"), numeric("1.00")).is_ne());
        assert!(compared(Type::NUMERIC, numeric("1.0"), numeric("1.0")).is_eq());
        assert!(compared(Type::INT4, Datum::Int4(-1), Datum::Int4(1)).is_gt());
        assert!(compared(Type::TEXT, Datum::text("ab"), Datum::text("abc")).is_lt());
        assert!(compared(Type::TEXT, Datum::Null, Datum::text("abc")).is_gt());
    }
}
