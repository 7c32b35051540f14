//! Ordered-set and hypothetical-set aggregates (manual 9.21): what they make of rows that the executor has sorted.
//!
//! The direct arguments are evaluated once for each group, after its rows. NULLs in the sorted column do not count for
//! the ordered-set aggregates; the hypothetical-set ones place a row among all of them.

use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use nqdb_types::{Array, Datum, Interval};

use crate::datetime::multiply_interval;

/// Which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderedSetKind {
    PercentileDisc,
    PercentileCont,
    Mode,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
}

impl OrderedSetKind {
    /// Whether the direct arguments are a row to be placed among the sorted ones.
    pub fn is_hypothetical(self) -> bool {
        !matches!(self, OrderedSetKind::PercentileDisc | OrderedSetKind::PercentileCont | OrderedSetKind::Mode)
    }
}

/// Where a hypothetical row would stand.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Rows in all.
    pub rows: usize,
    /// Rows that sort before it, and how many different ones they are.
    pub before: usize,
    pub before_distinct: usize,
    /// Rows that sort before it or equal.
    pub not_after: usize,
}

/// The result of a hypothetical-set aggregate.
pub fn place(kind: OrderedSetKind, placement: Placement) -> Datum {
    let Placement { rows, before, before_distinct, not_after } = placement;
    let integer = |value: usize| Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX));
    match kind {
        OrderedSetKind::DenseRank => integer(before_distinct + 1),
        OrderedSetKind::PercentRank if rows == 0 => Datum::Float8(0.0),
        OrderedSetKind::PercentRank => Datum::Float8(before as f64 / rows as f64),
        OrderedSetKind::CumeDist => Datum::Float8((not_after + 1) as f64 / (rows + 1) as f64),
        _ => integer(before + 1),
    }
}

/// `percentile_disc` and `percentile_cont` over sorted values without NULLs; NULL of none. An array of fractions gives
/// an array of its shape. `element` is the values' type.
///
/// Fails with 22003 for a fraction outside of 0 to 1.
pub fn percentiles(
    kind: OrderedSetKind,
    fractions: &Datum,
    values: &[Datum],
    element: nqdb_types::Oid,
) -> SqlResult<Datum> {
    let mut value = |at: usize| Ok(values.get(at).cloned().unwrap_or(Datum::Null));
    let Datum::Array(fractions) = fractions else { return percentile(kind, fractions, values.len(), &mut value) };
    if values.is_empty() {
        return Ok(Datum::Null);
    }
    let results = fractions.elements().iter().map(|fraction| percentile(kind, fraction, values.len(), &mut value));
    Array::new(element, fractions.dimensions().to_vec(), results.collect::<SqlResult<_>>()?).map(Datum::array)
}

/// `percentile_disc` or `percentile_cont` for one fraction, NULL for NULL, over so many values without NULLs, of which
/// `value` gives the one that is at a place in their order. It is asked for two at most, the lower one first.
pub fn percentile(
    kind: OrderedSetKind,
    fraction: &Datum,
    count: usize,
    value: &mut dyn FnMut(usize) -> SqlResult<Datum>,
) -> SqlResult<Datum> {
    let Some(fraction) = fraction.as_float() else { return Ok(Datum::Null) };
    if fraction.is_nan() || !(0.0..=1.0).contains(&fraction) {
        let message = format!("percentile value {fraction} is not between 0 and 1");
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    let Some(last) = count.checked_sub(1) else { return Ok(Datum::Null) };
    if kind == OrderedSetKind::PercentileDisc {
        let rank = (fraction * count as f64).ceil() as usize;
        return value(rank.saturating_sub(1).min(last));
    }
    let place = fraction * last as f64;
    let (low, high) = (place.floor() as usize, (place.ceil() as usize).min(last));
    let low_value = value(low)?;
    if low == high {
        return Ok(low_value);
    }
    interpolate(&low_value, &value(high)?, place - low as f64)
}

/// The value at a part of the way from one to another.
fn interpolate(low: &Datum, high: &Datum, part: f64) -> SqlResult<Datum> {
    match (low, high) {
        (Datum::Float8(low), Datum::Float8(high)) => Ok(Datum::Float8(low + part * (high - low))),
        (Datum::Interval(low), Datum::Interval(high)) => {
            let difference: Interval = high.checked_sub(low)?;
            multiply_interval(difference, part)?.checked_add(low).map(Datum::Interval)
        }
        (other, _) => Err(SqlError::internal(format!("percentile_cont cannot take {other:?}"))),
    }
}

/// The most frequent of sorted values without NULLs, the first one among equally frequent ones; NULL of none.
pub fn mode(values: &[Datum], type_oid: nqdb_types::Oid) -> Datum {
    let mut best: Option<(usize, &Datum)> = None;
    let mut at = 0;
    while let Some(value) = values.get(at) {
        let run = values.iter().skip(at).take_while(|other| other.compare_as(value, type_oid).is_eq()).count();
        if best.is_none_or(|(count, _)| run > count) {
            best = Some((run, value));
        }
        at += run;
    }
    best.map_or(Datum::Null, |(_, value)| value.clone())
}
