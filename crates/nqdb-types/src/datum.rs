//! One SQL value.
//!
//! A datum is 24 bytes: numbers and dates are inside, text and bytes are shared by reference count, so that
//! a clone never copies what is long. Equality here is SQL's: numerics by value, every NaN equal, -0 equal
//! to 0, `1 month` equal to `30 days`. Only `bpchar`, which looks like text, needs its type for that:
//! [`Datum::compare_as`] and [`Datum::hash_as`] leave out its trailing blanks.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::array::array_type;
use crate::json::Json;
use crate::{Array, Bits, EnumValue, Interval, JsonPath, Numeric, Oid, Record, Tid, TimeTz, TransactionSnapshot, oid};

/// A value of one of PostgreSQL's types, or NULL.
#[derive(Clone, Debug, Default)]
pub enum Datum {
    #[default]
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
    /// `text`, `varchar`, `bpchar` (padded to its length), `name`, `unknown`, `"char"`: never holds a NUL.
    Text(Arc<str>),
    Bytea(Arc<[u8]>),
    /// Days since 2000-01-01; `i32::MIN` and `i32::MAX` are -infinity and infinity.
    Date(i32),
    /// µs since midnight, 0 to 24 hours inclusive.
    Time(i64),
    TimeTz(TimeTz),
    /// µs since 2000-01-01 of the local calendar; `i64::MIN` and `i64::MAX` are -infinity and infinity.
    Timestamp(i64),
    /// µs since 2000-01-01 UTC; `i64::MIN` and `i64::MAX` are -infinity and infinity.
    TimestampTz(i64),
    Interval(Interval),
    Uuid([u8; 16]),
    /// `oid`, `xid`, `cid` and the reg types.
    Oid(u32),
    /// An array of any element type, `int2vector` and `oidvector` among them.
    Array(Arc<Array>),
    /// `record` and the composite types.
    Record(Arc<Record>),
    /// `jsonb`. A `json` is its text.
    Jsonb(Arc<Json>),
    Enum(EnumValue),
    /// `bit` and `bit varying`.
    Bits(Arc<Bits>),
    JsonPath(Arc<JsonPath>),
    Tid(Tid),
    /// `xid8` and `pg_lsn`.
    Unsigned8(u64),
    /// `pg_snapshot` and `txid_snapshot`.
    Snapshot(Arc<TransactionSnapshot>),
}

impl Datum {
    /// Text of any of the text types.
    pub fn text(text: impl Into<Arc<str>>) -> Datum {
        Datum::Text(text.into())
    }

    /// Bytes.
    pub fn bytea(bytes: impl Into<Arc<[u8]>>) -> Datum {
        Datum::Bytea(bytes.into())
    }

    /// An array.
    pub fn array(array: Array) -> Datum {
        Datum::Array(Arc::new(array))
    }

    /// A record.
    pub fn record(record: Record) -> Datum {
        Datum::Record(Arc::new(record))
    }

    /// A jsonb.
    pub fn jsonb(json: Json) -> Datum {
        Datum::Jsonb(Arc::new(json))
    }

    /// A bit string.
    pub fn bits(bits: Bits) -> Datum {
        Datum::Bits(Arc::new(bits))
    }

    /// A snapshot of transactions.
    pub fn snapshot(snapshot: TransactionSnapshot) -> Datum {
        Datum::Snapshot(Arc::new(snapshot))
    }

    /// A path.
    pub fn json_path(path: JsonPath) -> Datum {
        Datum::JsonPath(Arc::new(path))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// The natural type of the representation (`text` for all text types, `oid` for reg types), `None` for NULL.
    pub fn natural_oid(&self) -> Option<Oid> {
        Some(match self {
            Datum::Null => return None,
            Datum::Bool(_) => oid::BOOL,
            Datum::Int2(_) => oid::INT2,
            Datum::Int4(_) => oid::INT4,
            Datum::Int8(_) => oid::INT8,
            Datum::Float4(_) => oid::FLOAT4,
            Datum::Float8(_) => oid::FLOAT8,
            Datum::Numeric(_) => oid::NUMERIC,
            Datum::Text(_) => oid::TEXT,
            Datum::Bytea(_) => oid::BYTEA,
            Datum::Date(_) => oid::DATE,
            Datum::Time(_) => oid::TIME,
            Datum::Timestamp(_) => oid::TIMESTAMP,
            Datum::TimestampTz(_) => oid::TIMESTAMPTZ,
            Datum::Interval(_) => oid::INTERVAL,
            Datum::Uuid(_) => oid::UUID,
            Datum::Oid(_) => oid::OID,
            Datum::Array(array) => return array_type(array.element_type()),
            Datum::Record(record) => record.shape().type_oid,
            Datum::Jsonb(_) => oid::JSONB,
            Datum::Enum(value) => value.type_oid,
            Datum::TimeTz(_) => oid::TIMETZ,
            Datum::Bits(_) => oid::VARBIT,
            Datum::JsonPath(_) => oid::JSONPATH,
            Datum::Tid(_) => oid::TID,
            Datum::Unsigned8(_) => oid::XID8,
            Datum::Snapshot(_) => oid::PG_SNAPSHOT,
        })
    }

    /// PostgreSQL's btree order within one type: NaN is greatest and equals itself, -0 equals 0.
    ///
    /// Integers of different widths compare by value, as do the two float widths. NULL sorts after
    /// everything and equals NULL, as in an ascending index; SQL's own `=` on NULL is the caller's. Values
    /// of unrelated types, which a binder never compares, sort by type.
    pub fn compare(&self, other: &Datum) -> Ordering {
        match (self, other) {
            (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
            (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
            (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
            (Datum::Numeric(a), Datum::Numeric(b)) => a.cmp(b),
            (Datum::Bytea(a), Datum::Bytea(b)) => a.cmp(b),
            (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
            (Datum::Time(a), Datum::Time(b)) => a.cmp(b),
            (Datum::Timestamp(a), Datum::Timestamp(b)) => a.cmp(b),
            (Datum::TimestampTz(a), Datum::TimestampTz(b)) => a.cmp(b),
            (Datum::Interval(a), Datum::Interval(b)) => a.cmp(b),
            (Datum::Uuid(a), Datum::Uuid(b)) => a.cmp(b),
            (Datum::Oid(a), Datum::Oid(b)) => a.cmp(b),
            (Datum::Array(a), Datum::Array(b)) => a.compare(b),
            (Datum::Record(a), Datum::Record(b)) => a.compare(b),
            (Datum::Jsonb(a), Datum::Jsonb(b)) => a.compare(b),
            (Datum::Enum(a), Datum::Enum(b)) => a.compare(*b),
            (Datum::TimeTz(a), Datum::TimeTz(b)) => a.compare(*b),
            (Datum::Bits(a), Datum::Bits(b)) => a.compare(b),
            (Datum::Tid(a), Datum::Tid(b)) => a.cmp(b),
            (Datum::Unsigned8(a), Datum::Unsigned8(b)) => a.cmp(b),
            // Snapshots and paths have no order of PostgreSQL's; any will do.
            (Datum::JsonPath(a), Datum::JsonPath(b)) => a.to_text().cmp(&b.to_text()),
            (Datum::Snapshot(a), Datum::Snapshot(b)) => a.cmp(b),
            _ => match (self.as_integer(), other.as_integer()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => match (self.as_float(), other.as_float()) {
                    (Some(a), Some(b)) => compare_floats(a, b),
                    _ => self.rank().cmp(&other.rank()),
                },
            },
        }
    }

    /// As [`Datum::compare`], for values of the given type: `bpchar` leaves out trailing blanks.
    pub fn compare_as(&self, other: &Datum, type_oid: Oid) -> Ordering {
        match (self, other) {
            (Datum::Text(a), Datum::Text(b)) if type_oid == oid::BPCHAR => {
                without_trailing_blanks(a).as_bytes().cmp(without_trailing_blanks(b).as_bytes())
            }
            _ => self.compare(other),
        }
    }

    /// SQL's `=`: `None` when either side is NULL.
    pub fn sql_eq(&self, other: &Datum) -> Option<bool> {
        if self.is_null() || other.is_null() {
            return None;
        }
        Some(self.compare(other) == Ordering::Equal)
    }

    /// Feeds the value to a hasher so that values that [`Datum::compare`] finds equal hash alike.
    pub fn hash_into<H: Hasher>(&self, state: &mut H) {
        match self {
            Datum::Null => state.write_u8(0),
            Datum::Bool(value) => state.write_u8(u8::from(*value) + 1),
            Datum::Int2(value) => state.write_i64(i64::from(*value)),
            Datum::Int4(value) => state.write_i64(i64::from(*value)),
            Datum::Int8(value) => state.write_i64(*value),
            Datum::Float4(value) => state.write_u64(canonical_float_bits(f64::from(*value))),
            Datum::Float8(value) => state.write_u64(canonical_float_bits(*value)),
            Datum::Numeric(value) => value.hash(state),
            Datum::Text(value) => value.hash(state),
            Datum::Bytea(value) => value.hash(state),
            Datum::Date(value) => state.write_i32(*value),
            Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => state.write_i64(*value),
            Datum::Interval(value) => state.write_i128(value.comparison_value()),
            Datum::Uuid(value) => state.write(value),
            Datum::Oid(value) => state.write_u32(*value),
            Datum::Array(value) => value.hash_into(state),
            Datum::Record(value) => value.hash_into(state),
            Datum::Jsonb(value) => value.hash_into(state),
            Datum::Enum(value) => value.hash(state),
            Datum::TimeTz(value) => value.hash(state),
            Datum::Bits(value) => value.hash(state),
            Datum::JsonPath(value) => value.to_text().hash(state),
            Datum::Tid(value) => value.hash(state),
            Datum::Unsigned8(value) => state.write_u64(*value),
            Datum::Snapshot(value) => value.hash(state),
        }
    }

    /// As [`Datum::hash_into`], for values of the given type: consistent with [`Datum::compare_as`].
    pub fn hash_as<H: Hasher>(&self, state: &mut H, type_oid: Oid) {
        match self {
            Datum::Text(value) if type_oid == oid::BPCHAR => without_trailing_blanks(value).hash(state),
            _ => self.hash_into(state),
        }
    }

    /// Bytes that the value holds outside its own 24: what a memory account charges.
    pub fn heap_size(&self) -> usize {
        /// The two counters in front of a shared allocation.
        const REFERENCE_COUNTS_LEN: usize = 16;
        match self {
            Datum::Text(value) => value.len() + REFERENCE_COUNTS_LEN,
            Datum::Bytea(value) => value.len() + REFERENCE_COUNTS_LEN,
            Datum::Numeric(value) => value.heap_size(),
            Datum::Array(value) => value.heap_size() + REFERENCE_COUNTS_LEN,
            Datum::Record(value) => value.heap_size() + REFERENCE_COUNTS_LEN,
            Datum::Jsonb(value) => size_of::<Json>() + value.heap_size() + REFERENCE_COUNTS_LEN,
            Datum::Bits(value) => size_of::<Bits>() + value.heap_size() + REFERENCE_COUNTS_LEN,
            Datum::Snapshot(value) => size_of::<TransactionSnapshot>() + value.heap_size() + REFERENCE_COUNTS_LEN,
            // About what its parts take; paths are short.
            Datum::JsonPath(value) => value.to_text().len() * 16 + REFERENCE_COUNTS_LEN,
            _ => 0,
        }
    }

    /// The value of any of the three integer types.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Datum::Int2(value) => Some(i64::from(*value)),
            Datum::Int4(value) => Some(i64::from(*value)),
            Datum::Int8(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of either float type.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Datum::Float4(value) => Some(f64::from(*value)),
            Datum::Float8(value) => Some(*value),
            _ => None,
        }
    }

    /// The characters of any text type.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Datum::Text(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Datum::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(&self) -> Option<&Arc<Array>> {
        match self {
            Datum::Array(value) => Some(value),
            _ => None,
        }
    }

    /// The record, if it is one.
    pub fn as_record(&self) -> Option<&Arc<Record>> {
        match self {
            Datum::Record(value) => Some(value),
            _ => None,
        }
    }

    /// The jsonb, if it is one.
    pub fn as_jsonb(&self) -> Option<&Arc<Json>> {
        match self {
            Datum::Jsonb(value) => Some(value),
            _ => None,
        }
    }

    /// The bits, if it is a bit string.
    pub fn as_bits(&self) -> Option<&Arc<Bits>> {
        match self {
            Datum::Bits(value) => Some(value),
            _ => None,
        }
    }

    /// The snapshot, if it is one.
    pub fn as_snapshot(&self) -> Option<&Arc<TransactionSnapshot>> {
        match self {
            Datum::Snapshot(value) => Some(value),
            _ => None,
        }
    }

    /// The path, if it is one.
    pub fn as_json_path(&self) -> Option<&Arc<JsonPath>> {
        match self {
            Datum::JsonPath(value) => Some(value),
            _ => None,
        }
    }

    /// How many levels of arrays and records the value is.
    pub(crate) fn nesting(&self) -> u16 {
        match self {
            Datum::Array(value) => value.nesting(),
            Datum::Record(value) => value.nesting(),
            _ => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Datum::Bool(_) => 1,
            Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) => 2,
            Datum::Float4(_) | Datum::Float8(_) => 3,
            Datum::Numeric(_) => 4,
            Datum::Text(_) => 5,
            Datum::Bytea(_) => 6,
            Datum::Date(_) => 7,
            Datum::Time(_) => 8,
            Datum::Timestamp(_) => 9,
            Datum::TimestampTz(_) => 10,
            Datum::Interval(_) => 11,
            Datum::Uuid(_) => 12,
            Datum::Oid(_) => 13,
            Datum::Array(_) => 14,
            Datum::Record(_) => 15,
            Datum::Jsonb(_) => 16,
            Datum::TimeTz(_) => 17,
            Datum::Bits(_) => 18,
            Datum::JsonPath(_) => 19,
            Datum::Enum(_) => 20,
            Datum::Unsigned8(_) => 21,
            Datum::Snapshot(_) => 22,
            Datum::Tid(_) => 23,
            Datum::Null => u8::MAX,
        }
    }
}

/// Equality as [`Datum::compare`] sees it: NULL equals NULL, which suits tests and grouping.
impl PartialEq for Datum {
    fn eq(&self, other: &Datum) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Datum {}

impl Hash for Datum {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_into(state);
    }
}

/// PostgreSQL's order of floats: NaN above infinity and equal to itself.
pub(crate) fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// One bit pattern for each value that compares equal.
fn canonical_float_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// What `bpchar` compares and hashes: its text without the blanks at the end.
pub(crate) fn without_trailing_blanks(text: &str) -> &str {
    text.trim_end_matches(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::DefaultHasher;

    fn hash(datum: &Datum, type_oid: Oid) -> u64 {
        let mut hasher = DefaultHasher::new();
        datum.hash_as(&mut hasher, type_oid);
        hasher.finish()
    }

    #[test]
    fn a_datum_is_three_words() {
        assert_eq!(size_of::<Datum>(), 24);
    }

    #[test]
    fn values_that_are_equal_hash_alike() {
        let numeric = |text: &str| Datum::Numeric(text.parse().expect("numeric"));
        let pairs = [
            (Datum::Float8(-0.0), Datum::Float8(0.0), oid::FLOAT8),
            (Datum::Float8(f64::NAN), Datum::Float8(-f64::NAN), oid::FLOAT8),
            (Datum::Float4(1.5), Datum::Float8(1.5), oid::FLOAT8),
            (Datum::Int2(7), Datum::Int8(7), oid::INT8),
            (numeric("1.50"), numeric("1.5"), oid::NUMERIC),
            (numeric("0.00"), numeric("-0"), oid::NUMERIC),
            (numeric("1e30"), numeric("1000000000000000000000000000000.000"), oid::NUMERIC),
            (Datum::Interval(Interval::new(1, 0, 0)), Datum::Interval(Interval::new(0, 30, 0)), oid::INTERVAL),
            (Datum::text("ab"), Datum::text("ab   "), oid::BPCHAR),
        ];
        for (a, b, type_oid) in pairs {
            assert_eq!(a.compare_as(&b, type_oid), Ordering::Equal, "{a:?} {b:?}");
            assert_eq!(hash(&a, type_oid), hash(&b, type_oid), "{a:?} {b:?}");
        }
    }

    #[test]
    fn order_is_postgresqls() {
        assert!(Datum::Float8(f64::NAN).compare(&Datum::Float8(f64::INFINITY)).is_gt());
        assert!(Datum::Null.compare(&Datum::Int4(1)).is_gt());
        assert!(Datum::text("a").compare(&Datum::text("B")).is_gt());
        assert!(Datum::text("ab ").compare_as(&Datum::text("ab"), oid::TEXT).is_gt());
        assert_eq!(Datum::Null.sql_eq(&Datum::Null), None);
    }
}
