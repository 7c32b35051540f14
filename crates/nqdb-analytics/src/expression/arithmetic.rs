//! `+ - *` on integers, floats and decimals, and widening.
//!
//! Integers and floats: where any row of a batch would raise an error, the kernel gives the batch back to the function,
//! which words it. Decimals keep the scale that PostgreSQL gives the result: the greater one for sums, the sum of both for
//! products; what has more than 38 digits declines.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, kernels::numeric};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};

use super::Operation;
use super::evaluate::Value;
use crate::failure::{Failure, Outcome};
use crate::shape::{DECIMAL_LIMIT, DECIMAL_NAN, Repr, Shape};

const TOO_LONG: Failure = Failure::Declined("a number needs more than 38 digits");

/// The result, or `None` where the function has to do it.
pub(super) fn compute(
    operation: Operation,
    values: &[Value; 2],
    shapes: [Shape; 2],
    result: Shape,
) -> Outcome<Option<Value>> {
    let [left, right] = values;
    match (shapes[0].repr, shapes[1].repr, result.repr) {
        (Repr::Decimal { scale: a, .. }, Repr::Decimal { scale: b, .. }, Repr::Decimal { .. }) => {
            decimals(operation, left, a, right, b, result).map(Some)
        }
        (_, _, Repr::Int16 | Repr::Int32 | Repr::Int64) => integers(operation, left, right, result),
        (_, _, Repr::Float64 | Repr::Float32) => floats(operation, left, right, result),
        _ => Ok(None),
    }
}

fn integers(operation: Operation, left: &Value, right: &Value, result: Shape) -> Outcome<Option<Value>> {
    let (left, right) = (widened(left, result)?, widened(right, result)?);
    let kernel = match operation {
        Operation::Add => numeric::add,
        Operation::Subtract => numeric::sub,
        Operation::Multiply => numeric::mul,
    };
    let mut overflows = false;
    let value = left.combine(&right, |left, right| {
        kernel(left, right).inspect_err(|_| {
            overflows = true;
        })
    });
    if overflows { Ok(None) } else { value.map(Some) }
}

fn widened(value: &Value, to: Shape) -> Outcome<Value> {
    if value.array().data_type() == &to.data_type() {
        return Ok(value.clone());
    }
    let array = cast(value.array(), &to.data_type())?;
    Ok(if value.is_one() { Value::One(array) } else { Value::Array(array) })
}

/// Results that are infinite or zero may be errors.
fn floats(operation: Operation, left: &Value, right: &Value, result: Shape) -> Outcome<Option<Value>> {
    let (left, right) = (widened(left, result)?, widened(right, result)?);
    let kernel = match operation {
        Operation::Add => numeric::add,
        Operation::Subtract => numeric::sub,
        Operation::Multiply => numeric::mul,
    };
    let value = left.combine(&right, kernel)?;
    let doubtful = match result.repr {
        Repr::Float32 => {
            let values = value.array().as_primitive::<Float32Type>().values();
            values.iter().any(|value| value.is_infinite() || (operation == Operation::Multiply && *value == 0.0))
        }
        _ => {
            let values = value.array().as_primitive::<Float64Type>().values();
            values.iter().any(|value| value.is_infinite() || (operation == Operation::Multiply && *value == 0.0))
        }
    };
    Ok((!doubtful).then_some(value))
}

fn decimals(
    operation: Operation,
    left: &Value,
    left_scale: u8,
    right: &Value,
    right_scale: u8,
    result: Shape,
) -> Outcome<Value> {
    let (a, b) = (left.array().as_primitive::<Decimal128Type>(), right.array().as_primitive::<Decimal128Type>());
    let scale = left_scale.max(right_scale);
    let left_factor = power_of_ten(scale - left_scale)?;
    let right_factor = power_of_ten(scale - right_scale)?;
    let one = |a: i128, b: i128| -> Option<i128> {
        if a == DECIMAL_NAN || b == DECIMAL_NAN {
            return Some(DECIMAL_NAN);
        }
        match operation {
            Operation::Multiply => product(a, b),
            Operation::Add => product(a, left_factor)?.checked_add(product(b, right_factor)?),
            Operation::Subtract => product(a, left_factor)?.checked_sub(product(b, right_factor)?),
        }
        .filter(|value| value.abs() < DECIMAL_LIMIT)
    };
    // Of two numbers of 64 bits the product, and the sum after a change of scale by up to 18 digits, is below the limit.
    let is_small = left_factor.max(right_factor) <= SMALL_FACTOR_MAX && fit_64_bits(a) && fit_64_bits(b);
    if is_small && let Some(value) = small_decimals(operation, (left, left_factor), (right, right_factor), result) {
        return Ok(value);
    }
    let values = match (left.is_one(), right.is_one()) {
        (false, false) => {
            let nulls = NullBuffer::union(a.nulls(), b.nulls());
            let places = a.values().iter().zip(b.values());
            collect(places.map(|(a, b)| one(*a, *b)), nulls)?
        }
        (false, true) if b.is_valid(0) => {
            let b = b.value(0);
            collect(a.values().iter().map(|a| one(*a, b)), a.nulls().cloned())?
        }
        (true, false) if a.is_valid(0) => {
            let a = a.value(0);
            collect(b.values().iter().map(|b| one(a, *b)), b.nulls().cloned())?
        }
        (true, true) if a.is_valid(0) && b.is_valid(0) => collect(std::iter::once(one(a.value(0), b.value(0))), None)?,
        (true, false) => Decimal128Array::new_null(b.len()),
        _ => Decimal128Array::new_null(a.len()),
    };
    let array: ArrayRef = Arc::new(values.with_data_type(result.data_type()));
    Ok(if left.is_one() && right.is_one() { Value::One(array) } else { Value::Array(array) })
}

/// 10 to the power of 18.
const SMALL_FACTOR_MAX: i128 = 1_000_000_000_000_000_000;

/// Whether all values fit 64 bits; what stands in the place of a NULL counts too.
pub(crate) fn fit_64_bits(array: &Decimal128Array) -> bool {
    array.values().iter().fold(true, |fit, value| fit & (i128::from(*value as i64) == *value))
}

/// Decimals of 64 bits, which need no checks; `None` where one side is a constant NULL.
fn small_decimals(
    operation: Operation,
    (left, left_factor): (&Value, i128),
    (right, right_factor): (&Value, i128),
    result: Shape,
) -> Option<Value> {
    let (a, b) = (left.array().as_primitive::<Decimal128Type>(), right.array().as_primitive::<Decimal128Type>());
    let (left_factor, right_factor) = (left_factor as i64, right_factor as i64);
    let wide = |a: i128, b: i64| i128::from(a as i64) * i128::from(b);
    let one = |a: i128, b: i128| match operation {
        Operation::Multiply => wide(a, b as i64),
        Operation::Add => wide(a, left_factor) + wide(b, right_factor),
        Operation::Subtract => wide(a, left_factor) - wide(b, right_factor),
    };
    let (values, nulls): (Vec<i128>, Option<NullBuffer>) = match (left.is_one(), right.is_one()) {
        (false, false) => {
            let values = a.values().iter().zip(b.values()).map(|(a, b)| one(*a, *b)).collect();
            (values, NullBuffer::union(a.nulls(), b.nulls()))
        }
        (false, true) if b.is_valid(0) => {
            let b = b.value(0);
            (a.values().iter().map(|a| one(*a, b)).collect(), a.nulls().cloned())
        }
        (true, false) if a.is_valid(0) => {
            let a = a.value(0);
            (b.values().iter().map(|b| one(a, *b)).collect(), b.nulls().cloned())
        }
        _ => return None,
    };
    let array = Decimal128Array::new(values.into(), nulls).with_data_type(result.data_type());
    Some(Value::Array(Arc::new(array)))
}

/// Multiplies; numbers of 64 bits, the usual ones, cannot overflow.
fn product(a: i128, b: i128) -> Option<i128> {
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => Some(i128::from(a) * i128::from(b)),
        _ => a.checked_mul(b),
    }
}

fn power_of_ten(exponent: u8) -> Outcome<i128> {
    10_i128.checked_pow(u32::from(exponent)).ok_or(TOO_LONG)
}

/// An array of the results; one that does not fit and is not NULL declines.
fn collect(results: impl Iterator<Item = Option<i128>>, nulls: Option<NullBuffer>) -> Outcome<Decimal128Array> {
    let mut missing = None;
    let values: Vec<i128> = results
        .enumerate()
        .map(|(row, value)| {
            value.unwrap_or_else(|| {
                if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                    missing = Some(row);
                }
                0
            })
        })
        .collect();
    if missing.is_some() {
        return Err(TOO_LONG);
    }
    Ok(Decimal128Array::new(values.into(), nulls))
}

/// Integers as wider integers, as floats, or as decimals; decimals at a greater scale.
pub(super) fn widen(value: &Value, from: Shape, to: Shape) -> Outcome<Value> {
    let array = value.array();
    let result: ArrayRef = match (from.repr, to.repr) {
        (Repr::Int16, Repr::Decimal { .. }) => decimal_from::<Int16Type>(array, to),
        (Repr::Int32, Repr::Decimal { .. }) => decimal_from::<Int32Type>(array, to),
        (Repr::Int64, Repr::Decimal { .. }) => decimal_from::<Int64Type>(array, to),
        (Repr::Decimal { scale: from, .. }, Repr::Decimal { scale, .. }) => {
            let factor = power_of_ten(scale.checked_sub(from).ok_or(TOO_LONG)?)?;
            let rescaled = |value| {
                if value == DECIMAL_NAN {
                    return Some(DECIMAL_NAN);
                }
                product(value, factor).filter(|value| value.abs() < DECIMAL_LIMIT)
            };
            let array = array.as_primitive::<Decimal128Type>();
            let values = collect(array.values().iter().map(|value| rescaled(*value)), array.nulls().cloned())?;
            Arc::new(values.with_data_type(to.data_type()))
        }
        _ => cast(array, &to.data_type())?,
    };
    Ok(if value.is_one() { Value::One(result) } else { Value::Array(result) })
}

/// Integers as decimals; the caller saw to it that the scale is 0.
fn decimal_from<T: ArrowPrimitiveType>(array: &ArrayRef, to: Shape) -> ArrayRef
where
    T::Native: Into<i128>,
{
    let values: PrimitiveArray<Decimal128Type> = array.as_primitive::<T>().unary(Into::into);
    Arc::new(values.with_data_type(to.data_type()))
}
