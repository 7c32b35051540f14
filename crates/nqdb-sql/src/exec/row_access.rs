//! Rows by their ids: what conditions on `ctid` leave to be read.

use std::ops::Range;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::RowId;
use nqdb_types::{Datum, Tid};

use super::expression::{Comparison, Eval};
use super::runtime::Runtime;
use crate::system_column::{first_row_behind, first_row_from};

/// Conditions on `ctid` over what is known before the scan starts, all of which hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowAccess {
    pub bounds: Vec<(Comparison, Eval)>,
    /// `IN` and `= ANY`.
    pub lists: Vec<RowList>,
}

#[derive(Clone, Debug)]
pub(crate) enum RowList {
    Values(Box<[Eval]>),
    Elements(Eval),
}

impl RowAccess {
    /// Whether few rows are left for sure.
    pub fn names_rows(&self) -> bool {
        !self.lists.is_empty() || self.bounds.iter().any(|(comparison, _)| *comparison == Comparison::Equal)
    }

    /// Rows that are likely to be read, of so many.
    pub fn row_count(&self, rows: f64) -> f64 {
        if self.names_rows() { 1.0 } else { rows / 3.0 }
    }

    /// The ids to read, the first ones last; nothing for a comparison with NULL.
    pub fn ranges(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Vec<Range<RowId>>> {
        let mut all = RowId(0)..RowId(u64::MAX);
        for (comparison, value) in &self.bounds {
            let Some(tid) = tid(&value.eval(rt)?)? else { return Ok(Vec::new()) };
            let (from, behind) = (first_row_from(tid), first_row_behind(tid));
            match comparison {
                Comparison::Equal => (all.start, all.end) = (all.start.max(from), all.end.min(behind)),
                Comparison::Greater => all.start = all.start.max(behind),
                Comparison::GreaterEqual => all.start = all.start.max(from),
                Comparison::Less => all.end = all.end.min(from),
                Comparison::LessEqual => all.end = all.end.min(behind),
                Comparison::NotEqual => {}
            }
        }
        let Some(list) = self.lists.first() else { return Ok(vec![all]) };
        let mut rows = Vec::new();
        for value in list.values(rt)? {
            if let Some(tid) = tid(&value)? {
                let row = first_row_from(tid);
                if all.contains(&row) && row < first_row_behind(tid) {
                    rows.push(row);
                }
            }
        }
        rows.sort_unstable_by(|left, right| right.cmp(left));
        rows.dedup();
        Ok(rows.into_iter().map(|row| row..RowId(row.0.saturating_add(1))).collect())
    }
}

impl RowList {
    fn values(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Vec<Datum>> {
        match self {
            RowList::Values(values) => values.iter().map(|value| value.eval(rt)).collect(),
            RowList::Elements(array) => match array.eval(rt)? {
                Datum::Array(array) => Ok(array.elements().to_vec()),
                _ => Ok(Vec::new()),
            },
        }
    }
}

fn tid(value: &Datum) -> SqlResult<Option<Tid>> {
    match value {
        Datum::Null => Ok(None),
        Datum::Tid(tid) => Ok(Some(*tid)),
        _ => Err(SqlError::internal("a ctid is compared with something else")),
    }
}
