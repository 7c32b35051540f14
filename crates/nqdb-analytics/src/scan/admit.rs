//! The rows that pass the conditions, and of them the columns that are wanted.
//!
//! Conditions are tested one after the other: a later one that can fail sees only the rows that passed the earlier ones,
//! and so does any where few are left. A comparison of one packed column with a constant looks at the packed numbers; a
//! condition that reads one column of few different texts is tested on these. Other columns of the cache are unpacked when
//! they are needed, and where few rows pass only the values of these.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use nqdb_sqlstate::SqlError;

use super::{Filter, Shared};
use crate::cache::Packed;
use crate::expression::{Rows, holding};
use crate::failure::{Failure, Outcome};

/// The columns of a segment, in the order of the scan's.
pub(super) enum Columns {
    Arrays(Vec<ArrayRef>),
    Packed(Vec<Arc<Packed>>),
}

/// The rows of a segment under test.
struct Candidates<'a> {
    columns: &'a Columns,
    count: usize,
    /// Those that are still in; `None` while all are.
    mask: Option<BooleanArray>,
    /// How many are in.
    chosen: usize,
    /// Columns that were unpacked as a whole.
    whole: Vec<Option<ArrayRef>>,
}

impl Columns {
    fn lost() -> Failure {
        SqlError::internal("a scan lost a column").into()
    }

    fn array(&self, index: usize) -> Outcome<ArrayRef> {
        match self {
            Columns::Arrays(arrays) => arrays.get(index).cloned().ok_or_else(Columns::lost),
            Columns::Packed(columns) => columns.get(index).ok_or_else(Columns::lost)?.array(),
        }
    }

    fn chosen(&self, index: usize, mask: &BooleanArray) -> Outcome<ArrayRef> {
        match self {
            Columns::Arrays(arrays) => Ok(compute::filter(arrays.get(index).ok_or_else(Columns::lost)?, mask)?),
            Columns::Packed(columns) => columns.get(index).ok_or_else(Columns::lost)?.chosen(mask),
        }
    }

    pub(super) fn packed(&self) -> Option<&[Arc<Packed>]> {
        match self {
            Columns::Arrays(_) => None,
            Columns::Packed(columns) => Some(columns),
        }
    }
}

impl Shared {
    /// The rows that pass of `count` ones.
    pub(super) fn admit(&self, columns: &Columns, count: usize) -> Outcome<Option<RecordBatch>> {
        let whole = vec![None; self.columns.len()];
        let mut rows = Candidates { columns, count, mask: None, chosen: count, whole };
        for filter in &self.filters {
            if rows.chosen == 0 {
                return Ok(None);
            }
            let passes = match self.test_packed(filter, columns)? {
                Some(passes) => passes,
                None if filter.expression.can_fail || rows.are_few() => {
                    let chosen = rows.only_chosen(&filter.reads)?;
                    let passes = holding(&filter.expression.evaluate(&chosen, &self.cx)?, chosen.count)?;
                    rows.keep_of_chosen(&passes);
                    continue;
                }
                None => {
                    let all = rows.all(&filter.reads)?;
                    holding(&filter.expression.evaluate(&all, &self.cx)?, count)?
                }
            };
            rows.keep(passes)?;
        }
        for test in self.partners.read().iter() {
            if rows.chosen > 0
                && let Some(passes) = test.run(columns, rows.mask.as_ref())
            {
                rows.keep(passes)?;
            }
        }
        if rows.chosen == 0 {
            return Ok(None);
        }
        let output = self.output.iter().map(|index| rows.output(*index)).collect::<Outcome<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.chosen));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), output, &options)?))
    }

    /// Tests a condition on packed values, where that can be done.
    fn test_packed(&self, filter: &Filter, columns: &Columns) -> Outcome<Option<BooleanArray>> {
        let Some(columns) = columns.packed() else { return Ok(None) };
        if let Some(passes) = filter.bound.as_ref().and_then(|bound| bound.test(columns)) {
            return Ok(Some(passes));
        }
        let [column] = filter.reads.as_slice() else { return Ok(None) };
        let texts = columns.get(*column).and_then(|packed| Some((packed, packed.different_values()?)));
        let Some((packed, texts)) = texts.filter(|_| !filter.expression.can_fail) else { return Ok(None) };
        let mut rows = Rows { columns: vec![None; self.columns.len()], count: texts.len() };
        if let Some(place) = rows.columns.get_mut(*column) {
            *place = Some(texts.clone());
        }
        let passing = holding(&filter.expression.evaluate(&rows, &self.cx)?, rows.count)?;
        Ok(packed.where_value(&passing))
    }
}

impl Candidates<'_> {
    /// So few that picking them out is worth it.
    fn are_few(&self) -> bool {
        self.chosen * 4 < self.count
    }

    fn keep(&mut self, passes: BooleanArray) -> Outcome<()> {
        let mask = match &self.mask {
            None => passes,
            Some(before) => compute::and(before, &passes)?,
        };
        self.chosen = mask.true_count();
        self.mask = (self.chosen < self.count).then_some(mask);
        Ok(())
    }

    /// Of those that are in, keeps some.
    fn keep_of_chosen(&mut self, passes: &BooleanArray) {
        let Some(before) = &self.mask else {
            self.chosen = passes.true_count();
            self.mask = (self.chosen < self.count).then(|| passes.clone());
            return;
        };
        let mut mask = vec![false; self.count];
        for (row, passes) in before.values().set_indices().zip(passes.values()) {
            if let Some(place) = mask.get_mut(row) {
                *place = passes;
            }
        }
        let mask = BooleanArray::from(mask);
        self.chosen = mask.true_count();
        self.mask = Some(mask);
    }

    fn whole(&mut self, index: usize) -> Outcome<ArrayRef> {
        let place = self.whole.get_mut(index).ok_or_else(Columns::lost)?;
        Ok(match place {
            Some(array) => array.clone(),
            None => place.insert(self.columns.array(index)?).clone(),
        })
    }

    /// All rows of the segment, with some columns.
    fn all(&mut self, reads: &[usize]) -> Outcome<Rows> {
        for index in reads {
            self.whole(*index)?;
        }
        Ok(Rows { columns: self.whole.clone(), count: self.count })
    }

    /// The rows that are in, with some columns.
    fn only_chosen(&mut self, reads: &[usize]) -> Outcome<Rows> {
        let Some(mask) = self.mask.clone() else { return self.all(reads) };
        let mut columns = vec![None; self.whole.len()];
        for index in reads {
            let array = self.values_of_chosen(*index, &mask)?;
            if let Some(place) = columns.get_mut(*index) {
                *place = Some(array);
            }
        }
        Ok(Rows { columns, count: self.chosen })
    }

    fn values_of_chosen(&self, index: usize, mask: &BooleanArray) -> Outcome<ArrayRef> {
        match self.whole.get(index) {
            Some(Some(array)) => Ok(compute::filter(array, mask)?),
            _ => self.columns.chosen(index, mask),
        }
    }

    fn output(&mut self, index: usize) -> Outcome<ArrayRef> {
        match self.mask.clone() {
            None => self.whole(index),
            Some(mask) => self.values_of_chosen(index, &mask),
        }
    }
}
