//! A run: rows behind each other in a file, written once, read in their order.
//!
//! ```text
//! run   [block | block | ..]       blocks of several runs lie mixed in one file
//! block [row | row | ..]           whole rows; 32 KiB, or one row that is longer
//! row   [value | value | ..]
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::codec::{decode, encode};
use crate::temporary_files::TemporaryFile;

/// What is gathered before it is written.
pub(super) const BLOCK_BYTES: usize = 32 << 10;

/// Rows in a file.
#[derive(Default)]
pub(crate) struct Run {
    pub(super) blocks: Vec<Block>,
    rows: u64,
    /// The rows of the block that is not full yet.
    buffer: Vec<u8>,
    buffered_rows: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Block {
    pub at: u64,
    pub len: u32,
    pub rows: u32,
}

impl Run {
    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row. All rows of a run have as many values.
    pub fn push<'d>(&mut self, row: impl IntoIterator<Item = &'d Datum>, file: &mut TemporaryFile) -> SqlResult<()> {
        row.into_iter().for_each(|datum| encode(&mut self.buffer, datum));
        self.rows += 1;
        self.buffered_rows += 1;
        if self.buffer.len() >= BLOCK_BYTES { self.flush(file) } else { Ok(()) }
    }

    fn flush(&mut self, file: &mut TemporaryFile) -> SqlResult<()> {
        if self.buffered_rows == 0 {
            return Ok(());
        }
        let too_long = |_| SqlError::internal("a block of a temporary file is longer than values can be");
        let len = u32::try_from(self.buffer.len()).map_err(too_long)?;
        let at = file.append(&self.buffer)?;
        self.blocks.push(Block { at, len, rows: self.buffered_rows });
        self.buffer.clear();
        self.buffered_rows = 0;
        Ok(())
    }

    /// Writes what is gathered, and gives its memory back.
    pub fn finish(&mut self, file: &mut TemporaryFile) -> SqlResult<()> {
        self.flush(file)?;
        self.buffer = Vec::new();
        Ok(())
    }
}

/// Where a reader stands in a run that is finished.
#[derive(Default)]
pub(crate) struct RunReader {
    next_block: usize,
    bytes: Vec<u8>,
    at: usize,
    rows_left: u32,
}

impl RunReader {
    /// Back to the first row.
    pub fn rewind(&mut self) {
        (self.next_block, self.rows_left) = (0, 0);
    }

    /// Puts the values of the next row into `row`; false at the end.
    pub fn next(&mut self, run: &Run, width: usize, file: &TemporaryFile, row: &mut Vec<Datum>) -> SqlResult<bool> {
        while self.rows_left == 0 {
            let Some(block) = run.blocks.get(self.next_block) else { return Ok(false) };
            self.bytes.resize(block.len as usize, 0);
            file.read(&mut self.bytes, block.at)?;
            (self.at, self.rows_left) = (0, block.rows);
            self.next_block += 1;
        }
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let before = rest.len();
        row.clear();
        for _ in 0..width {
            row.push(decode(&mut rest)?);
        }
        self.at += before - rest.len();
        self.rows_left -= 1;
        Ok(true)
    }
}

/// All values of a block, one row behind the other.
pub(super) fn read_block(block: Block, width: usize, file: &TemporaryFile, out: &mut Vec<Datum>) -> SqlResult<()> {
    let mut bytes = vec![0; block.len as usize];
    file.read(&mut bytes, block.at)?;
    let mut rest = bytes.as_slice();
    out.clear();
    for _ in 0..block.rows as usize * width {
        out.push(decode(&mut rest)?);
    }
    Ok(())
}
