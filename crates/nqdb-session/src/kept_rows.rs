//! The rows of a cursor that are at hand, by their numbers.
//!
//! ```text
//! 1 ... first-1 | first ............ last | last+1 ...
//!    computed    |   at hand             |  to come
//!    again       |                       |
//! ```
//!
//! What always holds:
//! 1. A cursor that may be asked to go back keeps its newest rows, up to [`RECENT_BYTES`]; what lies further back is
//!    computed again from the start, by a query that gives the same rows under the same snapshot.
//! 2. A cursor whose rows may come out otherwise the second time, or that outlives its transaction, keeps all of them. They are
//!    part of what the statements of all sessions may hold together: 53200 when there is no room.

use std::collections::VecDeque;
use std::sync::Arc;

use nqdb_sql::exec::{MemoryPool, MemoryShare};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

/// What a cursor keeps of the rows that it can compute again.
const RECENT_BYTES: usize = 1 << 20;

/// Rows of a cursor, each with the addresses behind its columns.
pub(crate) struct KeptRows {
    rows: VecDeque<Box<[Datum]>>,
    /// The number of the first one, counted from 1.
    first: u64,
    bytes: usize,
    keeps_all: bool,
    pool: Arc<MemoryPool>,
    share: MemoryShare,
}

impl KeptRows {
    /// No row yet; the first to come has the number `first`.
    pub fn new(first: u64, keeps_all: bool, pool: &Arc<MemoryPool>) -> KeptRows {
        KeptRows {
            rows: VecDeque::new(),
            first,
            bytes: 0,
            keeps_all,
            pool: pool.clone(),
            share: MemoryShare::default(),
        }
    }

    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// The number of the row that comes next.
    pub fn next(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// The row of that number, if it is at hand.
    pub fn row(&self, number: u64) -> Option<&[Datum]> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.rows.get(at).map(|row| &**row)
    }

    /// Keeps the next row.
    pub fn push(&mut self, values: &[Datum]) -> SqlResult<()> {
        self.bytes += row_bytes(values);
        self.rows.push_back(values.into());
        if self.keeps_all {
            return self.share.fit(self.bytes, &self.pool);
        }
        while self.bytes > RECENT_BYTES && self.rows.len() > 1 {
            let Some(oldest) = self.rows.pop_front() else { break };
            self.bytes -= row_bytes(&oldest);
            self.first += 1;
        }
        Ok(())
    }

    /// Forgets the rows: the query starts over.
    pub fn restart(&mut self) {
        self.rows.clear();
        self.bytes = 0;
        self.first = 1;
    }
}

fn row_bytes(values: &[Datum]) -> usize {
    size_of::<Box<[Datum]>>() + values.iter().map(|value| size_of::<Datum>() + value.heap_size()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64) -> [Datum; 2] {
        [Datum::Int8(number as i64), Datum::text("x".repeat(1000))]
    }

    #[test]
    fn the_newest_rows_are_kept() {
        let mut kept = KeptRows::new(1, false, &MemoryPool::new(0));
        for number in 1..=5000 {
            kept.push(&row(number)).unwrap();
        }
        assert_eq!(kept.next(), 5001);
        assert!(kept.row(1).is_none() && kept.row(5001).is_none());
        assert_eq!(kept.row(5000), Some(row(5000).as_slice()));
        kept.restart();
        assert_eq!(kept.next(), 1);
    }

    #[test]
    fn all_rows_are_kept_as_far_as_there_is_room() {
        let mut kept = KeptRows::new(3, true, &MemoryPool::new(2 << 20));
        let failed = (3..6000).find(|number| kept.push(&row(*number)).is_err());
        assert!(failed.is_some());
        assert_eq!(kept.row(3), Some(row(3).as_slice()));
    }
}
