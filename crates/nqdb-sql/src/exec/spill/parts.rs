//! Rows divided by the hash of their keys: equal keys meet in one part, and a part fits into memory where the whole does not.
//!
//! A part that is still too large is divided again, by other bits of the same hash (Shapiro, Join Processing in Database Systems
//! with Large Main Memories, 1986).

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::run::Run;
use crate::temporary_files::TemporaryFile;

/// Bits of a hash that choose a part.
const PART_BITS: u32 = 4;
/// Parts that rows are divided into at once.
const PART_COUNT: usize = 1 << PART_BITS;
/// How often a part is divided again: 16 parts, four times over, are 65,536.
pub(crate) const LEVEL_MAX: u32 = 4;

/// The part that a hash belongs to, among those of a level.
fn part_of(hash: u64, level: u32) -> usize {
    // Multiplied once more, as the table of a part uses the hash itself (Knuth, The Art of Computer Programming 3, 6.4).
    let spread = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread.rotate_left(PART_BITS * (level + 1)) & (PART_COUNT as u64 - 1)) as usize
}

/// Rows that are being divided.
pub(crate) struct Parts {
    level: u32,
    runs: Vec<Run>,
}

/// Rows that have been.
pub(crate) struct Part {
    pub run: Run,
    pub level: u32,
}

impl Parts {
    /// No rows yet.
    pub fn new(level: u32) -> Parts {
        Parts { level, runs: (0..PART_COUNT).map(|_| Run::default()).collect() }
    }

    /// Adds a row.
    pub fn push<'d>(
        &mut self,
        hash: u64,
        row: impl IntoIterator<Item = &'d Datum>,
        file: &mut TemporaryFile,
    ) -> SqlResult<()> {
        match self.runs.get_mut(part_of(hash, self.level)) {
            Some(run) => run.push(row, file),
            None => Ok(()),
        }
    }

    /// All parts, empty ones among them.
    pub fn finish(self, file: &mut TemporaryFile) -> SqlResult<Vec<Part>> {
        let level = self.level;
        let finished = self.runs.into_iter().map(|mut run| {
            run.finish(file)?;
            Ok(Part { run, level })
        });
        finished.collect()
    }
}
