//! Comparisons and membership over arrays whose own order is SQL's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Int16Type, Int32Type, Int64Type};
use nqdb_sqlstate::SqlError;

use super::evaluate::Value;
use super::{Comparison, ConstantSet};
use crate::failure::Outcome;

/// Compares two values of one array type; NULL where either is.
pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value) -> Outcome<Value> {
    let kernel = match comparison {
        Comparison::Less => cmp::lt,
        Comparison::LessEqual => cmp::lt_eq,
        Comparison::Equal => cmp::eq,
        Comparison::NotEqual => cmp::neq,
        Comparison::GreaterEqual => cmp::gt_eq,
        Comparison::Greater => cmp::gt,
    };
    left.combine(right, |left, right| kernel(left, right).map(|result| Arc::new(result) as ArrayRef))
}

/// `value [NOT] IN (constants)`: NULL where the value is, and where it is not found beside a NULL.
pub(super) fn in_set(value: &Value, set: &ConstantSet, has_null: bool, negated: bool) -> Outcome<Value> {
    let array = value.array();
    let wrong = || SqlError::internal("an IN list does not fit its array");
    let result = match (set, array.data_type()) {
        (ConstantSet::Integers(set), DataType::Int16) => {
            members::<Int16Type>(array, has_null, negated, |value| set.contains(&i64::from(value)))
        }
        (ConstantSet::Integers(set), DataType::Int32) => {
            members::<Int32Type>(array, has_null, negated, |value| set.contains(&i64::from(value)))
        }
        (ConstantSet::Integers(set), DataType::Int64) => {
            members::<Int64Type>(array, has_null, negated, |value| set.contains(&value))
        }
        (ConstantSet::Decimals(set), DataType::Decimal128(..)) => {
            members::<Decimal128Type>(array, has_null, negated, |value| set.contains(&value))
        }
        (ConstantSet::Texts(set), DataType::Utf8View) => array
            .as_string_view()
            .iter()
            .map(|value| answer(value.map(|value| set.contains(value)), has_null, negated))
            .collect(),
        _ => return Err(wrong().into()),
    };
    let result = Arc::new(result);
    Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
}

fn members<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    has_null: bool,
    negated: bool,
    contains: impl Fn(T::Native) -> bool,
) -> BooleanArray {
    let values = array.as_primitive::<T>().iter();
    values.map(|value| answer(value.map(&contains), has_null, negated)).collect()
}

fn answer(found: Option<bool>, has_null: bool, negated: bool) -> Option<bool> {
    match found {
        Some(true) => Some(!negated),
        Some(false) if !has_null => Some(negated),
        _ => None,
    }
}
