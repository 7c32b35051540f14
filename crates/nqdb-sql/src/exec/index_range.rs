//! From conditions on an index's columns to ranges of its keys.
//!
//! ```text
//! a = 1 AND b IN (2, 5) AND c > 7     on an index (a, b, c)
//!
//! prefix    a = 1, b = 2      a = 1, b = 5          one probe for each value of IN, in key order
//! range     c > 7             c > 7                 on the first column after the prefix
//! ```
//!
//! A value that the column's type cannot hold (`int4_column = 3000000000`) equals nothing and bounds everything.
//! NULL in a comparison is true of no row, so it leaves no range.

use std::ops::Bound;

use nqdb_sqlstate::SqlResult;
use nqdb_txn::Direction;
use nqdb_types::key::{self, KeyColumn};
use nqdb_types::{Datum, Type, oid};

use super::expression::Eval;
use super::runtime::Runtime;

/// The bytes in front of an encoded value that is not NULL, and the ones above all of these.
const VALUE_MARKER: u8 = 0x01;
const AFTER_VALUES: u8 = 0x02;

/// The part of an index that a scan reads.
#[derive(Clone, Debug)]
pub(crate) struct IndexAccess {
    /// Position in `TableStore::indexes`.
    pub index: usize,
    /// Position in `TableDef::indexes`.
    pub definition: usize,
    pub direction: Direction,
    /// The first columns of the key, each equal to something.
    pub prefix: Box<[(KeyColumn, KeyValue)]>,
    /// The column after the prefix.
    pub range: Option<KeyRange>,
    /// All columns of a unique index equal one value that is not NULL: one row at most.
    pub is_point: bool,
    /// The plan relies on the order of the keys.
    pub keeps_order: bool,
}

/// What a column of the prefix equals.
#[derive(Clone, Debug)]
pub(crate) enum KeyValue {
    Equal(Eval),
    Any(Box<[Eval]>),
    /// Any element of an array.
    AnyElement(Eval),
    IsNull,
}

/// Bounds on one column; with none at all: IS NOT NULL.
#[derive(Clone, Debug)]
pub(crate) struct KeyRange {
    pub column: KeyColumn,
    pub lower: Option<(Eval, bool)>,
    pub upper: Option<(Eval, bool)>,
}

/// A value as a column's type can hold it.
enum Fitted {
    Exactly(Datum),
    /// Below, or above, all values of the type.
    Below,
    Above,
}

/// The keys between two bounds.
pub(crate) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl IndexAccess {
    /// Appends the ranges to read, the first one last; none when no row can match.
    pub fn ranges(&self, out: &mut Vec<Range>, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut first = Vec::with_capacity(32);
        let mut others = Vec::new();
        for (column, value) in &self.prefix {
            let appended = match value {
                KeyValue::IsNull => {
                    append(column, &Datum::Null, &mut first, &mut others);
                    true
                }
                KeyValue::Equal(value) => match equal_value(value.eval(rt)?, column.ty) {
                    Some(value) => {
                        append(column, &value, &mut first, &mut others);
                        true
                    }
                    None => false,
                },
                KeyValue::Any(values) => {
                    let values = values.iter().map(|value| value.eval(rt)).collect::<SqlResult<Vec<Datum>>>()?;
                    multiply(column, &values, &mut first, &mut others)
                }
                KeyValue::AnyElement(array) => match array.eval(rt)? {
                    Datum::Array(array) => multiply(column, array.elements(), &mut first, &mut others),
                    _ => false,
                },
            };
            if !appended {
                return Ok(());
            }
        }
        for prefix in std::iter::once(first).chain(others) {
            if let Some(range) = self.range_after(prefix, rt)? {
                out.push(range);
            }
        }
        if out.len() > 1 {
            out.sort_by(|left, right| bound_key(&left.0).cmp(bound_key(&right.0)));
            out.dedup_by(|left, right| left.0 == right.0);
            if self.direction == Direction::Forward {
                out.reverse();
            }
        }
        Ok(())
    }

    /// The keys behind one prefix, within the range of the next column.
    fn range_after(&self, prefix: Vec<u8>, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<Range>> {
        let Some(range) = &self.range else {
            let upper = if prefix.is_empty() { Bound::Unbounded } else { after(prefix.clone()) };
            return Ok(Some((Bound::Included(prefix), upper)));
        };
        let Some(lower) = edge(&range.lower, range.column.ty, true, rt)? else { return Ok(None) };
        let Some(upper) = edge(&range.upper, range.column.ty, false, rt)? else { return Ok(None) };
        let (lower, upper) = if range.column.descending { (upper, lower) } else { (lower, upper) };
        let encoded = |datum: &Datum| {
            let mut bytes = prefix.clone();
            key::encode(&mut bytes, datum, &range.column);
            bytes
        };
        let marked = |marker: u8| {
            let mut bytes = prefix.clone();
            bytes.push(marker);
            bytes
        };
        let start = match lower {
            Edge::Open => Bound::Included(marked(VALUE_MARKER)),
            Edge::At(datum, true) => Bound::Included(encoded(&datum)),
            Edge::At(datum, false) => match after(encoded(&datum)) {
                Bound::Excluded(key) => Bound::Included(key),
                other => other,
            },
            Edge::Nothing => return Ok(None),
        };
        let end = match upper {
            Edge::Open => Bound::Excluded(marked(AFTER_VALUES)),
            Edge::At(datum, true) => after(encoded(&datum)),
            Edge::At(datum, false) => Bound::Excluded(encoded(&datum)),
            Edge::Nothing => return Ok(None),
        };
        let is_empty = end != Bound::Unbounded && bound_key(&start) >= bound_key(&end);
        Ok((!is_empty).then_some((start, end)))
    }
}

/// One side of a range in the order of values.
enum Edge {
    Open,
    At(Datum, bool),
    /// No value lies within.
    Nothing,
}

/// One side of a range; `None` when it is NULL.
fn edge(bound: &Option<(Eval, bool)>, ty: Type, is_lower: bool, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<Edge>> {
    let Some((value, inclusive)) = bound else { return Ok(Some(Edge::Open)) };
    let value = value.eval(rt)?;
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match (fit(value, ty), is_lower) {
        (Fitted::Exactly(value), _) => Edge::At(value, *inclusive),
        (Fitted::Below, true) | (Fitted::Above, false) => Edge::Open,
        (Fitted::Below, false) | (Fitted::Above, true) => Edge::Nothing,
    }))
}

/// The value that a column is to equal; `None` when it can equal nothing.
fn equal_value(value: Datum, ty: Type) -> Option<Datum> {
    match fit(value, ty) {
        Fitted::Exactly(Datum::Null) | Fitted::Below | Fitted::Above => None,
        Fitted::Exactly(value) => Some(value),
    }
}

/// Appends a value to all prefixes.
fn append(column: &KeyColumn, value: &Datum, first: &mut Vec<u8>, others: &mut [Vec<u8>]) {
    key::encode(first, value, column);
    for other in others {
        key::encode(other, value, column);
    }
}

/// Replaces each prefix by as many as there are values; false when there are none.
fn multiply(column: &KeyColumn, values: &[Datum], first: &mut Vec<u8>, others: &mut Vec<Vec<u8>>) -> bool {
    let mut prefixes = std::mem::take(others);
    prefixes.push(std::mem::take(first));
    for value in values {
        let Some(value) = equal_value(value.clone(), column.ty) else { continue };
        for prefix in &prefixes {
            let mut longer = prefix.clone();
            key::encode(&mut longer, &value, column);
            others.push(longer);
        }
    }
    let Some(last) = others.pop() else { return false };
    *first = last;
    true
}

/// Fits an integer to the width of a column; other values are of the column's type already.
fn fit(value: Datum, ty: Type) -> Fitted {
    let Some(integer) = value.as_integer() else { return Fitted::Exactly(value) };
    let fitted = match ty.oid {
        oid::INT2 => i16::try_from(integer).ok().map(Datum::Int2),
        oid::INT4 => i32::try_from(integer).ok().map(Datum::Int4),
        oid::INT8 => Some(Datum::Int8(integer)),
        _ => Some(value),
    };
    match fitted {
        Some(value) => Fitted::Exactly(value),
        None if integer < 0 => Fitted::Below,
        None => Fitted::Above,
    }
}

/// The bound behind all keys with this prefix.
fn after(mut prefix: Vec<u8>) -> Bound<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            return Bound::Excluded(prefix);
        }
    }
    Bound::Unbounded
}

/// The bytes of a bound, for comparing the starts of ranges.
fn bound_key(bound: &Bound<Vec<u8>>) -> &[u8] {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => key,
        Bound::Unbounded => &[],
    }
}
