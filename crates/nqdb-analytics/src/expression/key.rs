//! The form in which values are joined and ordered, where their arrays do not have SQL's equality or order themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, Float64Array, StringViewBuilder};
use arrow::datatypes::{Float32Type, Float64Type};
use nqdb_types::key::{KeyColumn, encode};

use super::evaluate::Value;
use crate::column::datum_at;
use crate::failure::Outcome;
use crate::shape::{Key, Repr, Shape};

/// The key of each value; NULL stays NULL.
pub(super) fn key_of(value: &Value, shape: Shape) -> Outcome<Value> {
    let array = value.array();
    let key: ArrayRef = match shape.key() {
        Key::Itself => array.clone(),
        Key::Float => Arc::new(canonical_floats(array, shape)),
        Key::Trimmed => Arc::new({
            let mut keys = StringViewBuilder::with_capacity(array.len());
            for text in array.as_string_view() {
                keys.append_option(text.map(|text| text.trim_end_matches(' ')));
            }
            keys.finish()
        }),
        Key::Encoded => {
            let column = KeyColumn::ascending(0, shape.ty);
            let mut keys = BinaryViewBuilder::with_capacity(array.len());
            let mut bytes = Vec::new();
            for row in 0..array.len() {
                let datum = datum_at(array, row, shape)?;
                if datum.is_null() {
                    keys.append_null();
                    continue;
                }
                bytes.clear();
                encode(&mut bytes, &datum, &column);
                keys.append_value(&bytes);
            }
            Arc::new(keys.finish())
        }
    };
    Ok(if value.is_one() { Value::One(key) } else { Value::Array(key) })
}

/// 64-bit floats with one zero and one NaN, which is then the greatest of all.
fn canonical_floats(array: &ArrayRef, shape: Shape) -> Float64Array {
    let canonical = |value: f64| {
        if value.is_nan() {
            f64::NAN
        } else if value == 0.0 {
            0.0
        } else {
            value
        }
    };
    match shape.repr {
        Repr::Float32 => array.as_primitive::<Float32Type>().unary(|value| canonical(f64::from(value))),
        _ => array.as_primitive::<Float64Type>().unary(canonical),
    }
}
