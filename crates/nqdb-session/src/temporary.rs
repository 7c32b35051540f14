//! The session's temporary objects: what a commit does to them, and how they end.
//!
//! They stand in a schema that bears the session's number (`nqdb_catalog`'s writer says how). A session that ends drops
//! it in a transaction of its own; one that a crash cuts off leaves that to the next start.

use nqdb_catalog::{CatalogWriter, Draft, OnCommit, Relation, SUPERUSER_OID};
use nqdb_sqlstate::SqlResult;
use nqdb_txn::{Isolation, TxnError};

use crate::session::Session;

impl Session {
    /// After a definition: whether a commit has temporary tables to look after.
    pub(crate) fn note_temporary_tables(&mut self) {
        let catalog = self.catalog_view();
        let obeys = |relation: &Relation| match relation {
            Relation::Table(table) => table.on_commit != OnCommit::PreserveRows,
            _ => false,
        };
        let own = catalog.schema(&self.surroundings.temporary_schema());
        // A rollback may bring back what this definition took away: once set, it stays.
        self.has_on_commit |= own.is_some_and(|schema| catalog.relations_of(schema.oid).any(obeys));
    }

    /// Empties or drops temporary tables before the commit of the transaction at hand.
    pub(crate) async fn apply_on_commit(&mut self) -> SqlResult<()> {
        let schema = self.surroundings.temporary_schema();
        self.with_writer(|writer| writer.apply_on_commit(&schema)).await
    }

    /// DISCARD TEMP.
    pub(crate) async fn discard_temporary_objects(&mut self) -> SqlResult<()> {
        let schema = self.surroundings.temporary_schema();
        self.ensure_transaction()?;
        self.with_writer(|writer| writer.drop_temporary_schema(&schema)).await
    }

    /// Changes the catalog in the transaction at hand, waiting as often as it has to.
    async fn with_writer(
        &mut self,
        mut change: impl FnMut(&mut CatalogWriter<'_>) -> Result<(), TxnError>,
    ) -> SqlResult<()> {
        loop {
            let Some(open) = &mut self.open else { return Ok(()) };
            let (savepoint, mark) = (open.txn.savepoint(), open.draft.mark());
            let begun = open.txn.begin_statement();
            match begun.and_then(|()| change(&mut CatalogWriter::new(&mut open.draft, &mut open.txn, SUPERUSER_OID))) {
                Ok(()) => return Ok(()),
                Err(TxnError::Wait(wait)) => {
                    open.draft.rollback_to(mark);
                    open.txn.rollback_changes_to(savepoint)?;
                    self.wait(wait).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Drops the temporary objects in a transaction of their own, at the end of the session.
    pub(crate) async fn drop_temporary_objects(&mut self) -> SqlResult<()> {
        let instance = self.surroundings.instance.clone();
        let schema = self.surroundings.temporary_schema();
        let database = self.surroundings.database.clone();
        if database.committed().schema(&schema).is_none() {
            return Ok(());
        }
        let deadlock_timeout = self.surroundings.settings.borrow().effective().deadlock_timeout;
        let mut txn = instance.system.begin(Isolation::ReadCommitted, false);
        let mut draft = Draft::new(database);
        loop {
            let (savepoint, mark) = (txn.savepoint(), draft.mark());
            txn.begin_statement()?;
            match CatalogWriter::new(&mut draft, &mut txn, SUPERUSER_OID).drop_temporary_schema(&schema) {
                Ok(()) => break,
                Err(TxnError::Wait(wait)) => {
                    draft.rollback_to(mark);
                    txn.rollback_changes_to(savepoint)?;
                    wait.wait(&mut txn, deadlock_timeout, None).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(lsn) = txn.commit()?.durable_lsn {
            instance.system.durable(lsn).await?;
        }
        Ok(())
    }
}
