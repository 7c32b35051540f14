//! Channels whose messages are kept: making, changing and dropping them.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_OBJECT, SqlError, UNDEFINED_OBJECT};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::{CatalogWriter, taken};
use crate::catalog::{SUPERUSER_OID, schema_row};
use crate::channel::{CHANNEL_SCHEMA, ChannelLimits, KeptChannel, channel_columns};
use crate::definition::{SchemaDef, TableDef};
use crate::request::NewTable;
use crate::snapshot::Change;

impl CatalogWriter<'_> {
    /// Keeps the messages of a channel from now on. Errors: 42710 when they are kept already.
    pub fn create_channel(&mut self, name: &str, channel: KeptChannel) -> Result<()> {
        if self.snapshot().channel(name).is_some() {
            return Err(duplicate(name));
        }
        let schema = self.channel_schema()?;
        let created = self.create_table(&NewTable::plain(schema, name, channel_columns()));
        let oid = created.map_err(|error| match error {
            nqdb_txn::TxnError::Sql(error) if error.code() == nqdb_sqlstate::DUPLICATE_TABLE => duplicate(name),
            other => other,
        })?;
        let table = self.lock_table(oid, RelationLock::AccessExclusive)?;
        self.put_table(TableDef { channel: Some(Arc::new(channel)), ..TableDef::clone(&table) })
    }

    /// The table of a channel, locked: nobody publishes to it until the transaction ends. Errors: 42704 when there is none.
    pub fn lock_channel(&mut self, name: &str) -> Result<Arc<TableDef>> {
        let missing = || SqlError::new(UNDEFINED_OBJECT, format!("channel \"{name}\" does not exist"));
        let oid = self.snapshot().channel(name).map(|table| table.oid).ok_or_else(missing)?;
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        Ok(self.snapshot().channel(name).filter(|table| table.oid == oid).cloned().ok_or_else(missing)?)
    }

    /// Changes what a channel that is locked keeps.
    pub fn set_channel_limits(&mut self, table: &Arc<TableDef>, limits: ChannelLimits) -> Result<()> {
        let Some(channel) = table.channel.as_deref().filter(|channel| channel.limits != limits) else { return Ok(()) };
        let channel = KeptChannel { limits, ..channel.clone() };
        self.put_table(TableDef { channel: Some(Arc::new(channel)), ..TableDef::clone(table) })
    }

    /// Forgets the messages of a channel that is locked, and keeps none from now on.
    pub fn drop_channel(&mut self, table: &Arc<TableDef>) -> Result<()> {
        let before = std::mem::replace(&mut self.changes_channels, true);
        let dropped = self.drop_table(table.oid);
        self.changes_channels = before;
        dropped
    }

    /// The schema of channels, which is made if need be.
    fn channel_schema(&mut self) -> Result<Oid> {
        if let Some(schema) = self.snapshot().schema(CHANNEL_SCHEMA) {
            return Ok(schema.oid);
        }
        let oid = self.catalog.next_oid(self.txn)?;
        let schema = Arc::new(SchemaDef { oid, name: CHANNEL_SCHEMA.to_owned(), owner: SUPERUSER_OID });
        // Who made it at the same time was waited for, and is found at the next call.
        let beaten = SqlError::internal("the schema of channels is there and was not found");
        self.catalog.objects().insert(self.txn, &schema_row(&schema)).map_err(|error| taken(error, beaten.into()))?;
        self.push(Change::PutSchema(schema));
        Ok(oid)
    }
}

fn duplicate(name: &str) -> nqdb_txn::TxnError {
    SqlError::new(DUPLICATE_OBJECT, format!("channel \"{name}\" already exists")).into()
}
