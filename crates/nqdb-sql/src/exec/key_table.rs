//! A hash table over rows of datums: groups, distinct rows, set operations, hashed subqueries.
//!
//! Rows are numbered from 0 in the order in which they came. NULL equals NULL here, as in GROUP BY; joins and
//! IN keep NULLs out themselves. Equality and hash are those of the columns' types (`bpchar` without its trailing
//! blanks), so rows that SQL calls equal are one row.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::runtime::Runtime;

/// Bytes of the table itself for one row: its number, its control byte, slack.
const ENTRY_BYTES: usize = 16;

/// What became of a row.
pub(crate) enum Inserted {
    /// The number of a row that was there.
    Known(usize),
    New(usize),
    /// It is not there, and there is no room for it.
    NoRoom {
        hash: u64,
    },
}

fn entry_bytes(key: &[Datum]) -> usize {
    ENTRY_BYTES + key.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>()
}

/// Distinct rows, in order of arrival.
pub(crate) struct KeyTable {
    types: Box<[Oid]>,
    rows: Vec<Datum>,
    hashes: Vec<u64>,
    table: HashTable<u32>,
    hasher: RandomState,
    charged_bytes: usize,
}

impl KeyTable {
    /// A table for rows of these types.
    pub fn new(types: Box<[Oid]>) -> KeyTable {
        KeyTable {
            types,
            rows: Vec::new(),
            hashes: Vec::new(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            charged_bytes: 0,
        }
    }

    /// Rows in the table.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The row with this number.
    pub fn row(&self, number: usize) -> &[Datum] {
        let width = self.types.len();
        &self.rows[number * width..(number + 1) * width]
    }

    /// The number of an equal row.
    pub fn find(&self, key: &[Datum]) -> Option<usize> {
        let hash = self.hash(key);
        self.table.find(hash, |number| self.equals(*number, key)).map(|number| *number as usize)
    }

    /// The number of the row and whether it is new.
    pub fn insert(&mut self, key: &[Datum], rt: &mut Runtime<'_, '_>) -> SqlResult<(usize, bool)> {
        let hash = self.hash(key);
        if let Some(number) = self.table.find(hash, |number| self.equals(*number, key)) {
            return Ok((*number as usize, false));
        }
        let bytes = entry_bytes(key);
        rt.charge(bytes)?;
        self.charged_bytes += bytes;
        Ok((self.add(key, hash), true))
    }

    /// As [`KeyTable::insert`], where rows that find no room can wait in a file. `more` is what goes with a row beside its key,
    /// and is charged with it; `held` what was charged for such things elsewhere.
    pub fn try_insert(
        &mut self,
        key: &[Datum],
        more: usize,
        held: usize,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Inserted> {
        let hash = self.hash(key);
        if let Some(number) = self.table.find(hash, |number| self.equals(*number, key)) {
            return Ok(Inserted::Known(*number as usize));
        }
        let bytes = entry_bytes(key) + more;
        if !rt.charge_or_spill(bytes, self.charged_bytes + held)? {
            return Ok(Inserted::NoRoom { hash });
        }
        self.charged_bytes += bytes;
        Ok(Inserted::New(self.add(key, hash)))
    }

    fn add(&mut self, key: &[Datum], hash: u64) -> usize {
        let number = self.hashes.len();
        self.rows.extend_from_slice(key);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, number as u32, |number| hashes[*number as usize]);
        number
    }

    /// What the rows were charged.
    pub fn charged_bytes(&self) -> usize {
        self.charged_bytes
    }

    /// The hash of a row with this number.
    pub fn hash_of(&self, number: usize) -> u64 {
        self.hashes[number]
    }

    /// Forgets all rows and gives their memory back to the account.
    pub fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.rows.clear();
        self.hashes.clear();
        self.table.clear();
        rt.release(std::mem::take(&mut self.charged_bytes));
    }

    fn equals(&self, number: u32, key: &[Datum]) -> bool {
        let row = self.row(number as usize);
        row.iter().zip(key).zip(&self.types).all(|((a, b), type_oid)| a.compare_as(b, *type_oid).is_eq())
    }

    /// The hash by which rows are found.
    pub fn hash(&self, key: &[Datum]) -> u64 {
        let mut state = self.hasher.build_hasher();
        for (datum, type_oid) in key.iter().zip(&self.types) {
            datum.hash_as(&mut state, *type_oid);
        }
        state.finish()
    }
}
