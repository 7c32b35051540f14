//! How values of PostgreSQL's types lie in Arrow arrays.
//!
//! ```text
//! bool                          Boolean
//! int2 int4 int8                Int16 Int32 Int64
//! float4 float8                 Float32 Float64
//! date                          Int32     days since 2000-01-01
//! time timestamp timestamptz    Int64     µs, since 2000-01-01
//! oid and reg types             UInt32
//! text varchar bpchar name      Utf8View  bpchar with its blanks
//! bytea                         BinaryView
//! numeric                       Decimal128 where every value is known to have the same scale; i128::MAX is NaN
//! everything else               BinaryView, in the form that rows are stored in: opaque
//! ```
//!
//! What always holds:
//!
//! 1. A shape says all that is needed to give the value back with the digits, blanks and fields it had.
//! 2. Equal bytes are equal values, except for floats, opaque values, and `bpchar` of different lengths: who groups or
//!    joins asks [`Shape::key`].
//! 3. NaN as the greatest 128-bit number sorts, groups and compares as PostgreSQL's NaN does; only arithmetic looks for it.

use arrow::datatypes::DataType;
use nqdb_types::row::ScaledNumeric;
use nqdb_types::{Datum, Numeric, Type, oid};

/// What stands for NaN in a decimal column.
pub(crate) const DECIMAL_NAN: i128 = i128::MAX;
/// Most digits that a decimal column is planned for.
pub(crate) const DECIMAL_DIGITS_MAX: u16 = 38;
/// Magnitudes from here on are not kept in decimal columns.
pub(crate) const DECIMAL_LIMIT: i128 = 100_000_000_000_000_000_000_000_000_000_000_000_000;

/// The array that holds a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Repr {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// `digits`: an upper bound of the digits that any value has; above 38 it may not fit when it comes to it.
    Decimal {
        scale: u8,
        digits: u16,
    },
    Text,
    Bytes,
    Oid,
    Opaque,
}

/// A type, and the array that holds its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub ty: Type,
    pub repr: Repr,
}

/// How a column serves as a key of groups, joins and orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Its array is the key.
    Itself,
    /// Floats: one form of zero, one of NaN.
    Float,
    /// `bpchar`: without the blanks at its end.
    Trimmed,
    /// The bytes of an index key.
    Encoded,
}

impl Shape {
    pub const BOOL: Shape = Shape { ty: Type::BOOL, repr: Repr::Bool };
    pub const INT8: Shape = Shape { ty: Type::INT8, repr: Repr::Int64 };

    /// The shape of a value of which only the type is known.
    pub fn of_type(ty: Type) -> Shape {
        let repr = match ty.oid {
            oid::BOOL => Repr::Bool,
            oid::INT2 => Repr::Int16,
            oid::INT4 | oid::DATE => Repr::Int32,
            oid::INT8 | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => Repr::Int64,
            oid::FLOAT4 => Repr::Float32,
            oid::FLOAT8 => Repr::Float64,
            oid::OID | oid::REGCLASS | oid::REGPROC | oid::REGTYPE => Repr::Oid,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN => Repr::Text,
            oid::BYTEA => Repr::Bytes,
            _ => Repr::Opaque,
        };
        Shape { ty, repr }
    }

    /// The shape of a stored column, or of a value after its length coercion: `numeric(p, s)` has one scale.
    pub fn of_column(ty: Type) -> Shape {
        let shape = Shape::of_type(ty);
        match ty.numeric_precision_scale() {
            Some((precision, scale)) if ty.oid == oid::NUMERIC => {
                let digits = if scale < 0 { precision - scale } else { precision.max(scale) };
                match (u16::try_from(digits), u8::try_from(scale.max(0))) {
                    (Ok(digits), Ok(scale)) if digits <= DECIMAL_DIGITS_MAX => {
                        Shape { ty, repr: Repr::Decimal { scale, digits } }
                    }
                    _ => shape,
                }
            }
            _ => shape,
        }
    }

    /// The shape of one value.
    pub fn of_datum(datum: &Datum, ty: Type) -> Shape {
        if let Datum::Numeric(value) = datum
            && let Some((coefficient, scale)) = scaled(value)
        {
            let digits = (coefficient.unsigned_abs().checked_ilog10().unwrap_or(0) + 1) as u16;
            if let (Ok(scale), true) = (u8::try_from(scale), scale <= DECIMAL_DIGITS_MAX) {
                let digits = digits.max(u16::from(scale));
                return Shape { ty, repr: Repr::Decimal { scale, digits } };
            }
        }
        Shape::of_type(ty)
    }

    pub fn data_type(self) -> DataType {
        match self.repr {
            Repr::Bool => DataType::Boolean,
            Repr::Int16 => DataType::Int16,
            Repr::Int32 => DataType::Int32,
            Repr::Int64 => DataType::Int64,
            Repr::Float32 => DataType::Float32,
            Repr::Float64 => DataType::Float64,
            Repr::Decimal { scale, .. } => DataType::Decimal128(38, scale.cast_signed()),
            Repr::Text => DataType::Utf8View,
            Repr::Bytes | Repr::Opaque => DataType::BinaryView,
            Repr::Oid => DataType::UInt32,
        }
    }

    /// How values of this shape are told apart and ordered.
    pub fn key(self) -> Key {
        match self.repr {
            Repr::Float32 | Repr::Float64 => Key::Float,
            Repr::Opaque => Key::Encoded,
            Repr::Text if self.ty.oid == oid::BPCHAR => Key::Trimmed,
            _ => Key::Itself,
        }
    }

    /// Whether equal values are equal bytes, so that any of them stands for its group.
    pub fn groups_by_itself(self) -> bool {
        match self.key() {
            Key::Itself => true,
            Key::Trimmed => self.ty.character_limit().is_some(),
            Key::Float | Key::Encoded => false,
        }
    }

    /// The one shape for values of both, if their arrays are alike.
    pub fn merged(self, other: Shape) -> Option<Shape> {
        match (self.repr, other.repr) {
            (Repr::Decimal { scale: a, digits: x }, Repr::Decimal { scale: b, digits: y }) if a == b => {
                Some(Shape { ty: self.ty, repr: Repr::Decimal { scale: a, digits: x.max(y) } })
            }
            (a, b) if a == b => Some(self),
            _ => None,
        }
    }
}

/// A finite numeric as a 128-bit number and its scale, where it fits a decimal column.
pub(crate) fn scaled(value: &Numeric) -> Option<(i128, u16)> {
    if let Some((coefficient, scale)) = value.as_scaled_i64() {
        return Some((i128::from(coefficient), scale));
    }
    let (coefficient, scale) = value.to_scaled_bigint()?;
    let coefficient = i128::try_from(coefficient).ok()?;
    (coefficient.abs() < DECIMAL_LIMIT).then_some((coefficient, scale))
}

/// What a decimal column of that scale holds for a stored numeric, if it can.
pub(crate) fn decimal_of_stored(value: ScaledNumeric, scale: u8) -> Option<i128> {
    match value {
        ScaledNumeric::NotANumber => Some(DECIMAL_NAN),
        ScaledNumeric::Finite { coefficient, scale: found } if found == u16::from(scale) => Some(coefficient),
        _ => None,
    }
}

/// As [`decimal_of_stored`], for a value.
pub(crate) fn decimal_of(value: &Numeric, scale: u8) -> Option<i128> {
    if value.is_nan() {
        return Some(DECIMAL_NAN);
    }
    let (coefficient, found) = scaled(value)?;
    (found == u16::from(scale)).then_some(coefficient)
}

/// The value that a decimal column holds.
pub(crate) fn numeric_of(coefficient: i128, scale: u8) -> Numeric {
    if coefficient == DECIMAL_NAN { Numeric::NAN } else { Numeric::from_scaled_i128(coefficient, u16::from(scale)) }
}
