//! Checking a table: index against row, row against index, overflow references, headers.
//!
//! For `nqdb check`, with nobody writing. Collects what is wrong instead of stopping at the first.

use crate::error::Result;
use crate::ids::{RowId, XID_MAX, Xid};
use crate::system::TxnSystem;
use crate::table::{RowImage, TableStore, overflow};
use crate::view::RowHeader;
use nqdb_storage::tree::Direction;
use std::collections::{HashMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// What a check of one table found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReport {
    /// Live rows.
    pub rows: u64,
    /// Deleted rows that are not purged yet.
    pub deleted_rows: u64,
    /// Index entries, marked ones included.
    pub entries: u64,
    /// Index entries that are marked.
    pub marked_entries: u64,
    /// Large values.
    pub values: u64,
    /// Large values that no row refers to and that are marked.
    pub marked_values: u64,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// Problems that are listed for one table.
const PROBLEMS_MAX: usize = 100;

/// Checks a table's trees and what they say about each other.
pub fn check_table(system: &Arc<TxnSystem>, table: &Arc<TableStore>) -> Result<TableReport> {
    let mut check = Check { table, report: TableReport::default(), newest_xid: system.newest_xid() };
    let values = check.rows(system)?;
    for position in 0..table.indexes.len() {
        check.index(position)?;
    }
    check.values(&values)?;
    Ok(check.report)
}

/// Large values that rows refer to, and whether the row is a deleted one.
type Referred = HashMap<u64, bool>;

struct Check<'a> {
    table: &'a TableStore,
    report: TableReport,
    newest_xid: u64,
}

impl Check<'_> {
    fn problem(&mut self, what: String) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(format!("relation {}: {what}", self.table.id));
        }
    }

    /// Walks the rows; answers with the values that they refer to.
    fn rows(&mut self, system: &TxnSystem) -> Result<Referred> {
        let mut rows: Vec<(RowId, bool, Vec<u8>)> = Vec::new();
        if let Err(error) = self.table.rows.verify(&mut |key, entry| {
            if let Some(row_id) = RowId::from_key_end(key) {
                rows.push((row_id, entry.marked, entry.value.to_vec()));
            }
        }) {
            self.problem(format!("its rows: {error}"));
        }
        let prepared: HashSet<Xid> = system.prepared_transactions().iter().map(|facts| facts.xid).collect();
        let mut values = Referred::new();
        for (row_id, marked, value) in rows {
            let (header, image) = match RowHeader::split(&value) {
                Ok(split) => split,
                Err(error) => {
                    self.problem(format!("row {row_id}: {error}"));
                    continue;
                }
            };
            if header.is_deleted() != marked {
                self.problem(format!("row {row_id}: its mark and its header disagree"));
            }
            if header.xid.0 == 0 || header.xid.0 > self.newest_xid || header.xid.0 > XID_MAX {
                self.problem(format!("row {row_id} was written by transaction {}, which never was", header.xid));
            }
            if system.running(header.xid).is_some() && !prepared.contains(&header.xid) {
                self.problem(format!("row {row_id} is being changed by transaction {}", header.xid));
            }
            if header.is_deleted() {
                self.report.deleted_rows += 1;
            } else {
                self.report.rows += 1;
            }
            let checked = match header.is_deleted() {
                true => self.deleted_row(row_id, image, &mut values),
                false => self.row(row_id, image, &mut values),
            };
            if let Err(error) = checked {
                self.problem(format!("row {row_id}: {error}"));
            }
        }
        Ok(values)
    }

    /// Purge takes a deleted row's entries and values out before the row, and a crash may have come in between.
    fn deleted_row(&mut self, row_id: RowId, image: &[u8], values: &mut Referred) -> Result<()> {
        let row = RowImage::new(self.table, image)?;
        for (_, reference) in row.raw().external_values() {
            self.refers(row_id, reference.value_id, true, values);
        }
        Ok(())
    }

    fn refers(&mut self, row_id: RowId, value_id: u64, is_deleted: bool, values: &mut Referred) {
        if values.insert(value_id, is_deleted).is_some() {
            self.problem(format!("row {row_id}: large value {value_id} belongs to two rows"));
        }
    }

    fn row(&mut self, row_id: RowId, image: &[u8], values: &mut Referred) -> Result<()> {
        let row = RowImage::new(self.table, image)?;
        for (_, reference) in row.raw().external_values() {
            self.refers(row_id, reference.value_id, false, values);
            self.table.load_value(reference)?;
        }
        for column in 0..row.column_count() {
            row.datum(column)?;
        }
        for index in &self.table.indexes {
            let Some(entry) = self.table.entry_of_image(index, image, row_id)? else { continue };
            let found = index.tree.get(&entry, |entry, _| entry.map(|entry| entry.marked))?;
            match found {
                Some(false) => {}
                Some(true) => self.problem(format!("row {row_id}: its entry in index {} is marked", index.id)),
                None => self.problem(format!("row {row_id} is missing in index {}", index.id)),
            }
        }
        Ok(())
    }

    fn index(&mut self, position: usize) -> Result<()> {
        let index = self.table.indexes[position].clone();
        let mut entries: Vec<(Vec<u8>, bool)> = Vec::new();
        if let Err(error) = index.tree.verify(&mut |key, entry| entries.push((key.to_vec(), entry.marked))) {
            self.problem(format!("index {}: {error}", index.id));
        }
        let mut live: HashSet<Vec<u8>> = HashSet::new();
        for (key, marked) in entries {
            self.report.entries += 1;
            self.report.marked_entries += u64::from(marked);
            if marked {
                continue;
            }
            let Some(row_id) = RowId::from_key_end(&key) else {
                self.problem(format!("index {} has a key without a row", index.id));
                continue;
            };
            match self.table.newest_version(row_id)? {
                None => self.problem(format!("index {} has an entry for row {row_id}, which does not exist", index.id)),
                Some((header, image)) => {
                    if !self.table.has_key(&index, &image, &key)? {
                        self.problem(format!("index {} has a wrong key for row {row_id}", index.id));
                    }
                    let prefix = key.get(..key.len() - 8).unwrap_or_default().to_vec();
                    let is_exclusive = self.table.has_exclusive_key(&index, &image)?;
                    if is_exclusive && !header.is_deleted() && !live.insert(prefix) {
                        self.problem(format!("index {} is unique and has row {row_id} with another's key", index.id));
                    }
                }
            }
        }
        Ok(())
    }

    fn values(&mut self, referred: &Referred) -> Result<()> {
        let mut found: HashMap<u64, (bool, bool)> = HashMap::new();
        let mut scan = self.table.overflow.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        while scan.next_leaf(&mut |key, entry, _| {
            if let Some(value_id) = overflow::value_id_of(key) {
                let value = found.entry(value_id).or_default();
                value.0 |= entry.marked;
                value.1 |= key.ends_with(&[0; 4]);
            }
            ControlFlow::Continue(())
        })? {}
        self.report.values = found.len() as u64;
        for (value_id, (marked, has_first)) in found {
            match referred.get(&value_id) {
                Some(is_deleted) if has_first || *is_deleted => {}
                None if marked => self.report.marked_values += 1,
                _ => self.problem(format!("large value {value_id} belongs to no row")),
            }
        }
        Ok(())
    }
}
