//! Looks for the row that another one refers to, straight in the referenced index: the common case, where both columns are of
//! one type. It does what the statement `Query::Referenced` does, for the cost of one descent; many rows are checked so.
//!
//! ```text
//! key --> index --> visible row --> lock FOR KEY SHARE --+--> locked: found
//!                        |                               +--> changed since: still the key? lock that version
//!                        +--> none: not found            +--> gone: not found
//! ```

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use nqdb_catalog::{ForeignKeyDef, IndexDef, Snapshot, TableDef};
use nqdb_sqlstate::SqlError;
use nqdb_txn::{
    Direction, IndexStore, Modified, Newest, ReadView, RowId, RowImage, RowLock, RowVersion, Transaction, TxnError,
};
use nqdb_types::Datum;

/// Where to look for referenced rows.
#[derive(Debug)]
pub(super) struct Probe {
    table: Arc<TableDef>,
    index: Arc<IndexDef>,
    /// For each part of the index's key the position in the foreign key.
    order: Box<[usize]>,
}

impl Probe {
    /// `None` where the columns have to be converted to be compared.
    pub fn of(key: &ForeignKeyDef, catalog: &Snapshot) -> Option<Probe> {
        let (table, referring) = (catalog.table_by_oid(key.referenced)?, catalog.table_by_oid(key.table)?);
        let index = table.indexes.iter().find(|index| index.oid == key.index)?;
        let (own, other) = (referring.positions_of(&key.columns), table.positions_of(&key.referenced_columns));
        let is_same_type = |(own, other): (&usize, &usize)| {
            let types = (referring.columns.get(*own), table.columns.get(*other));
            matches!(types, (Some(own), Some(other)) if own.ty.oid == other.ty.oid)
        };
        if own.len() != other.len() || !own.iter().zip(&other).all(is_same_type) {
            return None;
        }
        let order = index.key.iter().map(|part| other.iter().position(|other| *other == part.column));
        Some(Probe { table: table.clone(), index: index.clone(), order: order.collect::<Option<_>>()? })
    }

    /// Whether there is a row with the key; it is locked then. `TxnError::Wait`: to be asked again.
    pub fn find(&self, values: &[Datum], view: &ReadView, txn: &mut Transaction) -> Result<bool, TxnError> {
        let lost = || TxnError::from(SqlError::internal("a foreign key has lost its index"));
        let store = self.table.store.indexes.get(self.index.position).ok_or_else(lost)?;
        let ordered: Option<Vec<Datum>> = self.order.iter().map(|at| values.get(*at).cloned()).collect();
        let prefix = store.key_prefix(&ordered.ok_or_else(lost)?);
        match self.visible(&prefix, view)? {
            Some((row, version)) => self.lock(&prefix, row, version, txn),
            None => Ok(false),
        }
    }

    fn visible(&self, prefix: &[u8], view: &ReadView) -> Result<Option<(RowId, RowVersion)>, TxnError> {
        let (lower, upper) = (Bound::Included(prefix.to_vec()), IndexStore::prefix_end(prefix));
        let mut scan = self.table.store.index_scan(self.index.position, view.clone(), lower, upper, Direction::Forward);
        loop {
            let mut found = None;
            let more = scan.next_batch(&mut |row, version, _: RowImage<'_>| {
                found = Some((row, version));
                ControlFlow::Break(())
            })?;
            if found.is_some() || !more {
                return Ok(found);
            }
        }
    }

    fn lock(
        &self,
        prefix: &[u8],
        row: RowId,
        mut version: RowVersion,
        txn: &mut Transaction,
    ) -> Result<bool, TxnError> {
        let store = &self.table.store;
        loop {
            match store.lock_row(txn, row, version, RowLock::KeyShare) {
                Ok(Modified::Done) => return Ok(true),
                Ok(Modified::Gone | Modified::OwnStatement) => return Ok(false),
                Ok(Modified::Changed) => {}
                // PostgreSQL tells a locked row that was deleted from no other.
                Err(TxnError::SerializationFailure { .. }) => {
                    return Err(TxnError::SerializationFailure { deleted: false });
                }
                Err(error) => return Err(error),
            }
            let newest = store.read_newest(txn, row, |image, version| Ok::<_, TxnError>((image.datums()?, version)))?;
            match newest {
                Newest::Row(read) => {
                    let (values, newer) = read?;
                    let key = store.key_values(self.index.position, &values)?.unwrap_or_default();
                    let own = store.indexes.get(self.index.position).map(|index| index.key_prefix(&key));
                    if own.as_deref() != Some(prefix) {
                        return Ok(false);
                    }
                    version = newer;
                }
                Newest::Gone => return Ok(false),
                Newest::InFlight(wait) => return Err(TxnError::Wait(wait)),
            }
        }
    }
}
