//! The tables that the checks of a statement will look into or change, for it to lock before it starts.

use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, Snapshot};
use nqdb_txn::RelationLock;
use nqdb_types::Oid;

use super::watch::Watch;

/// The tables with the modes in which they are locked: those that rows refer to, and those with rows that refer, as far as
/// actions may lead.
pub(crate) fn relations(watch: &Watch, catalog: &Snapshot) -> Vec<(Oid, RelationLock)> {
    let (own, referring) = watch.foreign_keys();
    let mut found = Found { locks: Vec::new(), seen: Vec::new() };
    for key in &own {
        found.lock(key.referenced, RelationLock::RowShare);
    }
    let mut open: Vec<Arc<ForeignKeyDef>> = referring;
    while let Some(key) = open.pop() {
        if found.seen.contains(&key.oid) {
            continue;
        }
        found.seen.push(key.oid);
        found.lock(key.referenced, RelationLock::RowShare);
        if !(key.on_delete.writes() || key.on_update.writes()) {
            found.lock(key.table, RelationLock::RowShare);
            continue;
        }
        found.lock(key.table, RelationLock::RowExclusive);
        let Some(table) = catalog.table_by_oid(key.table) else { continue };
        table.foreign_keys.iter().for_each(|own| found.lock(own.referenced, RelationLock::RowShare));
        open.extend(table.referenced_by.iter().cloned());
    }
    found.locks.sort_by_key(|(table, mode)| (*table, *mode));
    found.locks
}

struct Found {
    locks: Vec<(Oid, RelationLock)>,
    /// Foreign keys that were followed.
    seen: Vec<Oid>,
}

impl Found {
    fn lock(&mut self, table: Oid, mode: RelationLock) {
        match self.locks.iter_mut().find(|(known, _)| *known == table) {
            Some((_, known)) => *known = (*known).max(mode),
            None => self.locks.push((table, mode)),
        }
    }
}
