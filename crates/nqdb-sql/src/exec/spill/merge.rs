//! Sorted runs as one: a heap of readers, the one with the least row on top.
//!
//! Rows that compare equal come from the earlier run first, so that a stable sort of each run is a stable sort of all.

use std::cmp::Ordering;

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::run::{BLOCK_BYTES, Run, RunReader};
use crate::exec::runtime::Runtime;
use crate::exec::sort::{SortColumn, compare_rows};
use crate::temporary_files::TemporaryFile;

/// Runs that are merged at once, at least and at most.
const FAN_IN_MIN: usize = 6;
const FAN_IN_MAX: usize = 256;
/// Rows between two looks at the cancel flag.
const UNINTERRUPTED_ROWS: u64 = 8_192;

/// Runs that are being merged.
pub(crate) struct Merge {
    width: usize,
    sources: Vec<Source>,
    /// Sources that have a row, the least one on top.
    heap: Vec<usize>,
    /// The top's row has been given out.
    is_given: bool,
    charged_bytes: usize,
}

struct Source {
    run: Run,
    reader: RunReader,
    row: Vec<Datum>,
}

impl Merge {
    /// Merges finished runs of rows of `width` values, first to fewer ones if there are too many for the memory.
    pub fn new(
        mut runs: Vec<Run>,
        width: usize,
        keys: &[SortColumn],
        file: &mut TemporaryFile,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Merge> {
        let fan_in = (rt.cx.work_memory_bytes / BLOCK_BYTES).clamp(FAN_IN_MIN, FAN_IN_MAX);
        while runs.len() > fan_in {
            let mut fewer = Vec::with_capacity(runs.len().div_ceil(fan_in));
            let mut rest = runs.into_iter();
            loop {
                let some: Vec<Run> = rest.by_ref().take(fan_in).collect();
                if some.is_empty() {
                    break;
                }
                let mut merge = Merge::start(some, width, keys, file, rt)?;
                let mut run = Run::default();
                merge_to(&mut merge, &mut run, keys, file, rt)?;
                merge.end(rt);
                fewer.push(run);
            }
            runs = fewer;
        }
        Merge::start(runs, width, keys, file, rt)
    }

    fn start(
        runs: Vec<Run>,
        width: usize,
        keys: &[SortColumn],
        file: &TemporaryFile,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Merge> {
        let charged_bytes = runs.len() * BLOCK_BYTES;
        rt.charge(charged_bytes)?;
        let mut sources = Vec::with_capacity(runs.len());
        let mut heap = Vec::with_capacity(runs.len());
        for run in runs {
            let mut source = Source { run, reader: RunReader::default(), row: Vec::new() };
            if source.reader.next(&source.run, width, file, &mut source.row)? {
                heap.push(sources.len());
            }
            sources.push(source);
        }
        let mut merge = Merge { width, sources, heap, is_given: false, charged_bytes };
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift_down(at, keys);
        }
        Ok(merge)
    }

    /// The next row of all.
    pub fn next(&mut self, keys: &[SortColumn], file: &TemporaryFile) -> SqlResult<Option<&[Datum]>> {
        if self.is_given
            && let Some(top) = self.heap.first().copied()
            && let Some(source) = self.sources.get_mut(top)
        {
            if !source.reader.next(&source.run, self.width, file, &mut source.row)? {
                self.heap.swap_remove(0);
            }
            self.sift_down(0, keys);
        }
        self.is_given = true;
        let top = self.heap.first().and_then(|top| self.sources.get(*top));
        Ok(top.map(|source| source.row.as_slice()))
    }

    /// Gives the memory back.
    pub fn end(self, rt: &mut Runtime<'_, '_>) {
        rt.release(self.charged_bytes);
    }

    fn compare(&self, left: usize, right: usize, keys: &[SortColumn]) -> Ordering {
        match (self.sources.get(left), self.sources.get(right)) {
            (Some(a), Some(b)) => compare_rows(keys, &a.row, &b.row).then(left.cmp(&right)),
            _ => Ordering::Equal,
        }
    }

    /// Lets an entry of the heap go down to where it belongs.
    fn sift_down(&mut self, mut at: usize, keys: &[SortColumn]) {
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|child| *child < self.heap.len());
            let least = children.min_by(|left, right| self.compare(self.heap[*left], self.heap[*right], keys));
            let Some(child) = least else { return };
            if self.compare(self.heap[at], self.heap[child], keys).is_le() {
                return;
            }
            self.heap.swap(at, child);
            at = child;
        }
    }
}

/// Writes all that a merge gives to a run.
fn merge_to(
    merge: &mut Merge,
    run: &mut Run,
    keys: &[SortColumn],
    file: &mut TemporaryFile,
    rt: &Runtime<'_, '_>,
) -> SqlResult<()> {
    while let Some(row) = merge.next(keys, file)? {
        run.push(row, file)?;
        if run.rows().is_multiple_of(UNINTERRUPTED_ROWS) {
            rt.cx.functions.session.check_interruption()?;
        }
    }
    run.finish(file)
}
