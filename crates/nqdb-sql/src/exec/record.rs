//! Composite values: their fields, assignments to fields, and what IS NULL asks of them.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Record, RecordShape};

use super::evaluation::Evaluation;
use super::expression::Eval;

/// The value of a field; NULL of a record that is NULL.
pub(super) fn field(record: &Eval, index: usize, rt: &mut impl Evaluation) -> SqlResult<Datum> {
    match record.eval(rt)? {
        Datum::Null => Ok(Datum::Null),
        Datum::Record(record) => record
            .values()
            .get(index)
            .cloned()
            .ok_or_else(|| SqlError::internal(format!("a record has no field {index}"))),
        other => Err(SqlError::internal(format!("a field of {other:?}"))),
    }
}

/// `IS NULL` and `IS NOT NULL`: of a record, whether all of its fields are.
pub(super) fn is_null(value: &Datum, negated: bool) -> bool {
    match value {
        Datum::Record(record) => all_fields(record, negated),
        value => value.is_null() != negated,
    }
}

fn all_fields(record: &Record, negated: bool) -> bool {
    record.values().iter().all(|value| value.is_null() != negated)
}

/// The record with a value in the place of a field.
pub(super) fn assign_field(
    record: &Eval,
    index: usize,
    value: &Eval,
    shape: &Arc<RecordShape>,
    rt: &mut impl Evaluation,
) -> SqlResult<Datum> {
    let mut values = match record.eval(rt)? {
        Datum::Null => vec![Datum::Null; shape.fields.len()],
        Datum::Record(record) => record.values().to_vec(),
        other => return Err(SqlError::internal(format!("an assignment to a field of {other:?}"))),
    };
    let value = value.eval(rt)?;
    match values.get_mut(index) {
        Some(field) => *field = value,
        None => return Err(SqlError::internal(format!("a record has no field {index}"))),
    }
    Record::new(Arc::clone(shape), values).map(Datum::record)
}
