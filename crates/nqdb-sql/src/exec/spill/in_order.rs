//! Results that come part by part, put back into the order of the rows they are made of.
//!
//! Each result bears the number of its row; within a part the numbers rise, so that a part's results are a sorted run.

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, oid};

use super::merge::Merge;
use super::run::Run;
use crate::exec::runtime::Runtime;
use crate::exec::sort::SortColumn;
use crate::temporary_files::TemporaryFile;

/// The number comes first in a row.
const BY_NUMBER: [SortColumn; 1] =
    [SortColumn { position: 0, type_oid: oid::INT8, descending: false, nulls_first: false }];

/// Results that are gathered, then given out.
#[derive(Default)]
pub(crate) struct InOrder {
    runs: Vec<Run>,
    last_number: i64,
    merge: Option<Merge>,
}

impl InOrder {
    /// Adds a result.
    pub fn push<'d>(
        &mut self,
        number: i64,
        row: impl IntoIterator<Item = &'d Datum>,
        file: &mut TemporaryFile,
    ) -> SqlResult<()> {
        if self.runs.is_empty() || number < self.last_number {
            if let Some(run) = self.runs.last_mut() {
                run.finish(file)?;
            }
            self.runs.push(Run::default());
        }
        self.last_number = number;
        let number = Datum::Int8(number);
        // The number lives as long as this call only.
        let row = row.into_iter().map(|datum| -> &Datum { datum });
        match self.runs.last_mut() {
            Some(run) => run.push(std::iter::once(&number).chain(row), file),
            None => Ok(()),
        }
    }

    /// All results are there.
    pub fn is_complete(&self) -> bool {
        self.merge.is_some()
    }

    /// The last result was added; `width` is the number of values of one.
    pub fn complete(&mut self, width: usize, file: &mut TemporaryFile, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut runs = std::mem::take(&mut self.runs);
        if let Some(run) = runs.last_mut() {
            run.finish(file)?;
        }
        self.merge = Some(Merge::new(runs, width + 1, &BY_NUMBER, file, rt)?);
        Ok(())
    }

    /// The next result.
    pub fn next(&mut self, file: &TemporaryFile) -> SqlResult<Option<&[Datum]>> {
        let Some(merge) = &mut self.merge else { return Ok(None) };
        Ok(merge.next(&BY_NUMBER, file)?.and_then(|row| row.get(1..)))
    }

    /// Gives the memory back.
    pub fn end(self, rt: &mut Runtime<'_, '_>) {
        if let Some(merge) = self.merge {
            merge.end(rt);
        }
    }
}
