//! Conditions that compare one column with a constant, on packed columns.
//!
//! A segment of which no row can pass is left out by the least and the greatest value of the column. There only the first
//! conditions count, up to one that can fail: its error must not be missed for the sake of a later one. In the others
//! the packed values are compared as they are.

use std::sync::Arc;

use arrow::array::BooleanArray;
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
        _ => out.extend(Bound::of(filter)),
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
    /// What a condition says, if it compares a column with a constant.
    pub fn of(filter: &Expression) -> Option<Bound> {
        let Node::Compare { comparison, args } = &filter.node else { return None };
        let [left, right] = &**args;
        let (column, comparison, constant) = match (&left.node, &right.node) {
            (Node::Column(column), Node::Constant(datum)) => {
                (*column, *comparison, number_of(datum, left.shape, right.shape)?)
            }
            (Node::Constant(datum), Node::Column(column)) => {
                (*column, comparison.exchanged(), number_of(datum, right.shape, left.shape)?)
            }
            _ => return None,
        };
        Some(Bound { column, comparison, constant })
    }

    /// Which rows of a packed column pass; `None` where it is not packed as numbers.
    pub fn test(&self, columns: &[Arc<Packed>]) -> Option<BooleanArray> {
        columns.get(self.column)?.compare(self.comparison, self.constant)
    }

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
