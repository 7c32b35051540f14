//! Which changes of a table are sent to its channel.

use std::sync::Arc;

use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::CatalogWriter;
use crate::definition::TableDef;
use crate::published::PublishedChanges;

impl CatalogWriter<'_> {
    /// Sends the changes of a table from now on, or no longer. The lock keeps writers out until the commit, so that every
    /// later change is sent, and none before.
    pub fn set_published(&mut self, table: Oid, published: Option<PublishedChanges>) -> Result<()> {
        let table = self.lock_table(table, RelationLock::ShareRowExclusive)?;
        if table.published.as_deref() == published.as_ref() {
            return Ok(());
        }
        self.put_table(TableDef { published: published.map(Arc::new), ..TableDef::clone(&table) })
    }
}
