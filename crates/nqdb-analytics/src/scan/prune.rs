//! Segments of which no row can pass a condition, by the least and the greatest value of its column.
//!
//! Only the first conditions count, up to one that can fail: its error must not be missed for the sake of a later one.

use std::sync::Arc;

use nqdb_types::Datum;

use super::Shared;
use crate::cache::Packed;
use crate::expression::{Comparison, Expression, Node};
use crate::shape::{Repr, Shape, decimal_of};

/// `column comparison constant`, in the numbers that lie in the column's array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// In the order of the scan's columns.
    column: usize,
    comparison: Comparison,
    constant: i128,
}

/// What the conditions say about single columns.
pub(super) fn bounds_of(filters: &[Expression]) -> Vec<Bound> {
    let safe = filters.iter().take_while(|filter| !filter.can_fail);
    let mut bounds = Vec::new();
    safe.for_each(|filter| collect(filter, &mut bounds));
    bounds
}

fn collect(filter: &Expression, out: &mut Vec<Bound>) {
    match &filter.node {
        Node::And(parts) => parts.iter().for_each(|part| collect(part, out)),
        Node::Compare { comparison, args } => {
            let [left, right] = &**args;
            let bound = match (&left.node, &right.node) {
                (Node::Column(column), Node::Constant(datum)) => {
                    number_of(datum, left.shape, right.shape).map(|constant| (*column, *comparison, constant))
                }
                (Node::Constant(datum), Node::Column(column)) => number_of(datum, right.shape, left.shape)
                    .map(|constant| (*column, comparison.exchanged(), constant)),
                _ => None,
            };
            out.extend(bound.map(|(column, comparison, constant)| Bound { column, comparison, constant }));
        }
        _ => {}
    }
}

/// A constant as it would lie in the column's array.
fn number_of(datum: &Datum, column: Shape, constant: Shape) -> Option<i128> {
    if column.data_type() != constant.data_type() {
        return None;
    }
    match (column.repr, datum) {
        (Repr::Decimal { scale, .. }, Datum::Numeric(value)) => decimal_of(value, scale),
        (Repr::Int16 | Repr::Int32 | Repr::Int64, _) => Some(match datum {
            Datum::Int2(value) => i128::from(*value),
            Datum::Int4(value) | Datum::Date(value) => i128::from(*value),
            Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
                i128::from(*value)
            }
            _ => return None,
        }),
        _ => None,
    }
}

impl Bound {
    fn excludes(&self, least: i128, greatest: i128) -> bool {
        match self.comparison {
            Comparison::Less => least >= self.constant,
            Comparison::LessEqual => least > self.constant,
            Comparison::Equal => self.constant < least || greatest < self.constant,
            Comparison::NotEqual => least == self.constant && greatest == self.constant,
            Comparison::GreaterEqual => greatest < self.constant,
            Comparison::Greater => greatest <= self.constant,
        }
    }
}

impl Shared {
    /// Whether no row of a segment passes.
    pub(super) fn is_pruned(&self, columns: &[Arc<Packed>]) -> bool {
        self.bounds.iter().any(|bound| {
            let values = columns.get(bound.column).and_then(|column| column.bounds());
            values.is_some_and(|values| bound.excludes((*values.start()).into(), (*values.end()).into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_goes_only_if_no_value_passes() {
        let comparisons = [
            (Comparison::Less, (|a, b| a < b) as fn(i128, i128) -> bool),
            (Comparison::LessEqual, |a, b| a <= b),
            (Comparison::Equal, |a, b| a == b),
            (Comparison::NotEqual, |a, b| a != b),
            (Comparison::GreaterEqual, |a, b| a >= b),
            (Comparison::Greater, |a, b| a > b),
        ];
        for (comparison, passes) in comparisons {
            for constant in 0..6 {
                for least in 1..5 {
                    for greatest in least..5 {
                        let bound = Bound { column: 0, comparison, constant };
                        let any_passes = (least..=greatest).any(|value| passes(value, constant));
                        assert_eq!(bound.excludes(least, greatest), !any_passes, "{bound:?} {least} {greatest}");
                    }
                }
            }
        }
    }
}
