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
//! 2. A cursor whose rows may come out otherwise the second time, or that outlives its transaction, keeps all of them: up to
//!    `work_mem` in memory, as part of what the statements of all sessions may hold together, the others in a temporary file.

use std::collections::VecDeque;
use std::sync::Arc;

use nqdb_sql::exec::{MemoryPool, MemoryShare, RowStore};
use nqdb_sql::temporary_files::TemporarySpace;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

/// What a cursor keeps of the rows that it can compute again.
const RECENT_BYTES: usize = 1 << 20;

/// Rows of a cursor, each with the addresses behind its columns.
pub(crate) struct KeptRows {
    rows: Rows,
    /// The number of the first one, counted from 1.
    first: u64,
}

enum Rows {
    Recent { rows: VecDeque<Box<[Datum]>>, bytes: usize },
    All { rows: RowStore, share: MemoryShare, room: Room },
}

/// Where a cursor keeps all of its rows.
#[derive(Clone)]
pub(crate) struct Room {
    pub pool: Arc<MemoryPool>,
    pub temporary: Arc<TemporarySpace>,
    /// What goes to a file above.
    pub work_memory_bytes: usize,
}

impl KeptRows {
    /// No row yet; the first to come has the number `first`. The newest are kept.
    pub fn recent(first: u64) -> KeptRows {
        KeptRows { rows: Rows::Recent { rows: VecDeque::new(), bytes: 0 }, first }
    }

    /// The same, for a cursor that keeps all.
    pub fn all(first: u64, room: Room) -> KeptRows {
        KeptRows { rows: Rows::All { rows: RowStore::default(), share: MemoryShare::default(), room }, first }
    }

    pub fn keeps_all(&self) -> bool {
        matches!(self.rows, Rows::All { .. })
    }

    fn len(&self) -> usize {
        match &self.rows {
            Rows::Recent { rows, .. } => rows.len(),
            Rows::All { rows, .. } => rows.len(),
        }
    }

    /// The number of the row that comes next.
    pub fn next(&self) -> u64 {
        self.first + self.len() as u64
    }

    fn place(&self, number: u64) -> Option<usize> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (at < self.len()).then_some(at)
    }

    /// Whether the row of that number is at hand.
    pub fn has(&self, number: u64) -> bool {
        self.place(number).is_some()
    }

    /// The row of that number, if it is at hand.
    pub fn row(&mut self, number: u64) -> SqlResult<Option<&[Datum]>> {
        let Some(at) = self.place(number) else { return Ok(None) };
        match &mut self.rows {
            Rows::Recent { rows, .. } => Ok(rows.get(at).map(|row| &**row)),
            Rows::All { rows, .. } => rows.row(at).map(Some),
        }
    }

    /// Keeps the next row.
    pub fn push(&mut self, values: &[Datum]) -> SqlResult<()> {
        match &mut self.rows {
            Rows::Recent { rows, bytes } => {
                *bytes += row_bytes(values);
                rows.push_back(values.into());
                while *bytes > RECENT_BYTES && rows.len() > 1 {
                    let Some(oldest) = rows.pop_front() else { break };
                    *bytes -= row_bytes(&oldest);
                    self.first += 1;
                }
                Ok(())
            }
            Rows::All { rows, share, room } => {
                rows.push(values);
                let fits = rows.held_bytes() <= room.work_memory_bytes;
                if fits && share.fit(rows.held_bytes(), &room.pool).is_ok() {
                    return Ok(());
                }
                rows.spill(&room.temporary)?;
                share.fit(rows.held_bytes(), &room.pool)
            }
        }
    }

    /// Forgets the rows: the query starts over.
    pub fn restart(&mut self) {
        match &mut self.rows {
            Rows::Recent { rows, bytes } => {
                rows.clear();
                *bytes = 0;
            }
            Rows::All { rows, .. } => rows.clear(),
        }
        self.first = 1;
    }
}

fn row_bytes(values: &[Datum]) -> usize {
    size_of::<Box<[Datum]>>() + values.iter().map(|value| size_of::<Datum>() + value.heap_size()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_sql::temporary_files::TemporaryFolder;
    use nqdb_storage::disk::SimDisk;

    fn row(number: u64) -> [Datum; 2] {
        [Datum::Int8(number as i64), Datum::text("x".repeat(1000))]
    }

    fn room(pool_bytes: usize, work_memory_bytes: usize) -> Room {
        let folder = TemporaryFolder::open(Arc::new(SimDisk::new())).unwrap();
        Room { pool: MemoryPool::new(pool_bytes), temporary: folder.space(5), work_memory_bytes }
    }

    #[test]
    fn the_newest_rows_are_kept() {
        let mut kept = KeptRows::recent(1);
        for number in 1..=5000 {
            kept.push(&row(number)).unwrap();
        }
        assert_eq!(kept.next(), 5001);
        assert!(!kept.has(1) && !kept.has(5001));
        assert_eq!(kept.row(5000).unwrap(), Some(row(5000).as_slice()));
        kept.restart();
        assert_eq!(kept.next(), 1);
    }

    #[test]
    fn all_rows_are_kept_with_the_help_of_a_file() {
        for room in [room(1 << 30, 1 << 20), room(2 << 20, 1 << 30)] {
            let mut kept = KeptRows::all(3, room.clone());
            for number in 3..9000 {
                kept.push(&row(number)).unwrap();
            }
            assert!(room.temporary.held_bytes() > 4 << 20, "most of it is in the file");
            assert!(room.pool.held_bytes() <= 2 << 20);
            for number in (3..9000).rev().step_by(7).chain([3, 8999, 4000, 3]) {
                assert_eq!(kept.row(number).unwrap(), Some(row(number).as_slice()));
            }
            assert_eq!(kept.row(9000).unwrap(), None);
            drop(kept);
            assert_eq!((room.temporary.held_bytes(), room.pool.held_bytes()), (0, 0));
        }
    }
}
