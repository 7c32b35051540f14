//! `nqdb_publish_table`, `nqdb_create_channel` and the like: definitions that a query asks for.
//!
//! A function cannot change the catalog while its query runs in the same transaction: the session notes what was asked for
//! and does it when the query has given its last row, as part of the statement. An error there is the statement's.

use nqdb_catalog::PublishRequest;
use nqdb_functions::PublicationChange;
use nqdb_sql::ddl::{alter_channel, create_channel, drop_channel, publish_changes, unpublish_changes};
use nqdb_sql::exec::Step;
use nqdb_sqlstate::SqlResult;

use crate::run::read_only_error;
use crate::session::Session;

impl Session {
    /// Does what functions of the statement at hand have asked for.
    pub(crate) async fn change_publications(&mut self) -> SqlResult<()> {
        let wanted = std::mem::take(&mut *self.surroundings.publication_changes.borrow_mut());
        for change in wanted {
            self.change_publication(change).await?;
        }
        Ok(())
    }

    async fn change_publication(&mut self, change: PublicationChange) -> SqlResult<()> {
        self.ensure_transaction()?;
        if self.is_read_only() {
            let name = match &change {
                PublicationChange::Publish { .. } => "nqdb_publish_table()",
                PublicationChange::Unpublish { .. } => "nqdb_unpublish_table()",
                PublicationChange::CreateChannel { .. } => "nqdb_create_channel()",
                PublicationChange::AlterChannel { .. } => "nqdb_alter_channel()",
                PublicationChange::DropChannel { .. } => "nqdb_drop_channel()",
            };
            return Err(read_only_error(name));
        }
        let epoch = self.surroundings.instance.new_epoch()?;
        loop {
            let step = self.with_definition(|cx| match &change {
                PublicationChange::Publish { table, columns, filter } => {
                    let (columns, filter) = (columns.clone(), filter.clone());
                    publish_changes(&PublishRequest { table: *table, columns, filter }, cx)
                }
                PublicationChange::Unpublish { table } => unpublish_changes(*table, cx),
                PublicationChange::CreateChannel { name, limits } => create_channel(name, *limits, &epoch, cx),
                PublicationChange::AlterChannel { name, limits } => alter_channel(name, *limits, cx),
                PublicationChange::DropChannel { name } => drop_channel(name, cx),
            });
            match step? {
                Step::Done(_) => return Ok(()),
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield | Step::Suspended => tokio::task::yield_now().await,
            }
        }
    }
}
