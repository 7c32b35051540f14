//! Values into arrays, and arrays into values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, StringViewBuilder, UInt32Builder,
};
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use nqdb_sqlstate::SqlError;
use nqdb_types::row::{Corrupt, decode_scaled_numeric, decode_value, encode_value};
use nqdb_types::{Datum, oid};

use crate::failure::{Failure, Outcome};
use crate::shape::{Repr, Shape, decimal_of, decimal_of_stored, numeric_of};

/// An array that is being filled.
pub(crate) struct ColumnBuilder {
    shape: Shape,
    values: Values,
    /// Bytes of texts and the like since the last [`ColumnBuilder::finish`].
    long_bytes: usize,
    scratch: Vec<u8>,
}

enum Values {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Oid(UInt32Builder),
    Opaque(BinaryViewBuilder),
}

/// A numeric that a decimal column has no place for.
const NO_PLACE: Failure = Failure::Declined("a numeric does not fit its decimal column");

fn corrupt(what: &str) -> Failure {
    Failure::Sql(SqlError::new(nqdb_sqlstate::DATA_CORRUPTED, format!("stored data is corrupt: {what}")))
}

fn exact<const N: usize>(bytes: &[u8]) -> Outcome<[u8; N]> {
    bytes.try_into().map_err(|_| corrupt("a stored value does not have its type's length"))
}

impl ColumnBuilder {
    pub fn new(shape: Shape, capacity: usize) -> ColumnBuilder {
        let values = match shape.repr {
            Repr::Bool => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            Repr::Int16 => Values::Int16(Int16Builder::with_capacity(capacity)),
            Repr::Int32 => Values::Int32(Int32Builder::with_capacity(capacity)),
            Repr::Int64 => Values::Int64(Int64Builder::with_capacity(capacity)),
            Repr::Float32 => Values::Float32(Float32Builder::with_capacity(capacity)),
            Repr::Float64 => Values::Float64(Float64Builder::with_capacity(capacity)),
            Repr::Decimal { scale, .. } => {
                let builder = Decimal128Builder::with_capacity(capacity).with_data_type(shape.data_type());
                Values::Decimal(builder, scale)
            }
            Repr::Text => Values::Text(StringViewBuilder::with_capacity(capacity)),
            Repr::Bytes => Values::Bytes(BinaryViewBuilder::with_capacity(capacity)),
            Repr::Oid => Values::Oid(UInt32Builder::with_capacity(capacity)),
            Repr::Opaque => Values::Opaque(BinaryViewBuilder::with_capacity(capacity)),
        };
        ColumnBuilder { shape, values, long_bytes: 0, scratch: Vec::new() }
    }

    pub fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::Int16(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::Float32(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::Decimal(values, _) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Bytes(values) | Values::Opaque(values) => values.append_null(),
            Values::Oid(values) => values.append_null(),
        }
    }

    /// Appends a value of the column's type.
    pub fn push(&mut self, datum: &Datum) -> Outcome<()> {
        match (&mut self.values, datum) {
            (_, Datum::Null) => self.push_null(),
            (Values::Bool(values), Datum::Bool(value)) => values.append_value(*value),
            (Values::Int16(values), Datum::Int2(value)) => values.append_value(*value),
            (Values::Int32(values), Datum::Int4(value) | Datum::Date(value)) => values.append_value(*value),
            (
                Values::Int64(values),
                Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value),
            ) => values.append_value(*value),
            (Values::Float32(values), Datum::Float4(value)) => values.append_value(*value),
            (Values::Float64(values), Datum::Float8(value)) => values.append_value(*value),
            (Values::Decimal(values, scale), Datum::Numeric(value)) => {
                values.append_value(decimal_of(value, *scale).ok_or(NO_PLACE)?);
            }
            (Values::Text(values), Datum::Text(value)) => {
                self.long_bytes += value.len();
                values.append_value(&**value);
            }
            (Values::Bytes(values), Datum::Bytea(value)) => {
                self.long_bytes += value.len();
                values.append_value(&**value);
            }
            (Values::Oid(values), Datum::Oid(value)) => values.append_value(*value),
            (Values::Opaque(values), _) => {
                self.scratch.clear();
                encode_value(&mut self.scratch, datum);
                self.long_bytes += self.scratch.len();
                values.append_value(&self.scratch);
            }
            _ => {
                let message = format!("a column of {} was given {datum:?}", self.shape.ty.name());
                return Err(SqlError::internal(message).into());
            }
        }
        Ok(())
    }

    /// Appends a value in the form that rows are stored in.
    pub fn push_stored(&mut self, bytes: &[u8]) -> Outcome<()> {
        match &mut self.values {
            Values::Bool(values) => match bytes {
                [value @ (0 | 1)] => values.append_value(*value == 1),
                _ => return Err(corrupt("a stored boolean is neither 0 nor 1")),
            },
            Values::Int16(values) => values.append_value(i16::from_le_bytes(exact(bytes)?)),
            Values::Int32(values) => values.append_value(i32::from_le_bytes(exact(bytes)?)),
            Values::Int64(values) => values.append_value(i64::from_le_bytes(exact(bytes)?)),
            Values::Float32(values) => values.append_value(f32::from_le_bytes(exact(bytes)?)),
            Values::Float64(values) => values.append_value(f64::from_le_bytes(exact(bytes)?)),
            Values::Decimal(values, scale) => {
                let value = decimal_of_stored(decode_scaled_numeric(bytes)?, *scale);
                values.append_value(value.ok_or(NO_PLACE)?);
            }
            Values::Text(values) => {
                self.long_bytes += bytes.len();
                let text = std::str::from_utf8(bytes).map_err(|_| corrupt("a stored text is not UTF-8"))?;
                values.append_value(text);
            }
            Values::Bytes(values) | Values::Opaque(values) => {
                self.long_bytes += bytes.len();
                values.append_value(bytes);
            }
            Values::Oid(values) => values.append_value(u32::from_le_bytes(exact(bytes)?)),
        }
        Ok(())
    }

    /// Bytes of texts and the like that are in the array so far.
    pub fn long_bytes(&self) -> usize {
        self.long_bytes
    }

    /// Gives the array out and starts another.
    pub fn finish(&mut self) -> ArrayRef {
        self.long_bytes = 0;
        match &mut self.values {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::Int16(values) => Arc::new(values.finish()),
            Values::Int32(values) => Arc::new(values.finish()),
            Values::Int64(values) => Arc::new(values.finish()),
            Values::Float32(values) => Arc::new(values.finish()),
            Values::Float64(values) => Arc::new(values.finish()),
            Values::Decimal(values, _) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Bytes(values) | Values::Opaque(values) => Arc::new(values.finish()),
            Values::Oid(values) => Arc::new(values.finish()),
        }
    }
}

/// An array of one value, or of as many equal ones as are asked for.
pub(crate) fn repeated(datum: &Datum, shape: Shape, rows: usize) -> Outcome<ArrayRef> {
    let mut builder = ColumnBuilder::new(shape, rows);
    for _ in 0..rows {
        builder.push(datum)?;
    }
    Ok(builder.finish())
}

fn wrong_array(shape: Shape) -> Failure {
    SqlError::internal(format!("an array is not one of {}", shape.ty.name())).into()
}

/// The value in one row of an array.
pub(crate) fn datum_at(array: &dyn Array, row: usize, shape: Shape) -> Outcome<Datum> {
    if array.is_null(row) {
        return Ok(Datum::Null);
    }
    let wrong = || wrong_array(shape);
    Ok(match shape.repr {
        Repr::Bool => Datum::Bool(array.as_boolean_opt().ok_or_else(wrong)?.value(row)),
        Repr::Int16 => Datum::Int2(array.as_primitive_opt::<Int16Type>().ok_or_else(wrong)?.value(row)),
        Repr::Int32 => {
            let value = array.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?.value(row);
            if shape.ty.oid == oid::DATE { Datum::Date(value) } else { Datum::Int4(value) }
        }
        Repr::Int64 => {
            let value = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.value(row);
            match shape.ty.oid {
                oid::TIME => Datum::Time(value),
                oid::TIMESTAMP => Datum::Timestamp(value),
                oid::TIMESTAMPTZ => Datum::TimestampTz(value),
                _ => Datum::Int8(value),
            }
        }
        Repr::Float32 => Datum::Float4(array.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.value(row)),
        Repr::Float64 => Datum::Float8(array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.value(row)),
        Repr::Decimal { scale, .. } => {
            let value = array.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?.value(row);
            Datum::Numeric(numeric_of(value, scale))
        }
        Repr::Text => Datum::text(array.as_string_view_opt().ok_or_else(wrong)?.value(row)),
        Repr::Bytes => Datum::bytea(array.as_binary_view_opt().ok_or_else(wrong)?.value(row)),
        Repr::Oid => Datum::Oid(array.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.value(row)),
        Repr::Opaque => {
            let bytes = array.as_binary_view_opt().ok_or_else(wrong)?.value(row);
            decode_value(bytes, shape.ty).map_err(|error: Corrupt| Failure::from(error))?
        }
    })
}

/// The same values in the array of another shape of their type.
pub(crate) fn reshaped(array: &ArrayRef, from: Shape, to: Shape) -> Outcome<ArrayRef> {
    if from.data_type() == to.data_type() && from.repr != Repr::Opaque {
        return Ok(array.clone());
    }
    let mut builder = ColumnBuilder::new(to, array.len());
    for row in 0..array.len() {
        builder.push(&datum_at(array, row, from)?)?;
    }
    Ok(builder.finish())
}
