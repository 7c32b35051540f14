//! LIKE with a constant pattern.

use std::sync::Arc;

use arrow::array::{ArrayRef, Scalar, StringViewArray};
use arrow::compute::kernels::comparison;

use super::evaluate::Value;
use crate::failure::Outcome;

/// `value [NOT] LIKE pattern`; the pattern has no escape character, which is where arrow and PostgreSQL differ.
pub(super) fn like(value: &Value, pattern: &str, negated: bool) -> Outcome<Value> {
    let pattern = Scalar::new(StringViewArray::from_iter_values([pattern]));
    let kernel = if negated { comparison::nlike } else { comparison::like };
    let result: ArrayRef = Arc::new(kernel(value.array(), &pattern)?);
    Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
}
