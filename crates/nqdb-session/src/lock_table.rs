//! LOCK TABLE: relation locks that a statement asks for by name.

use nqdb_catalog::Relation;
use nqdb_catalog::rights::Rights;
use nqdb_sql::exec::CommandTag;
use nqdb_sql::rights::permission_denied;
use nqdb_sql::statement::{LockTable, LockedName};
use nqdb_sqlstate::{LOCK_NOT_AVAILABLE, SqlError, SqlResult, UNDEFINED_TABLE, WRONG_OBJECT_TYPE};
use nqdb_txn::RelationLock;

use crate::session::Session;

impl Session {
    /// Locks the tables in the order in which they are named, to the end of the transaction.
    pub(crate) async fn lock_tables(&mut self, lock: &LockTable) -> SqlResult<CommandTag> {
        self.require_block_around("LOCK TABLE")?;
        for name in &lock.tables {
            self.lock_one_table(name, lock.mode, lock.no_wait).await?;
        }
        Ok(CommandTag::Other("LOCK TABLE"))
    }

    /// Looks the name up again under the lock: the table may have been dropped and made anew meanwhile.
    async fn lock_one_table(&mut self, name: &LockedName, mode: RelationLock, no_wait: bool) -> SqlResult<()> {
        loop {
            let oid = self.find_lockable(name)?;
            self.check_may_lock(oid, mode)?;
            if no_wait {
                if !self.ensure_transaction()?.txn.try_lock_relation(oid, mode)? {
                    let message = format!("could not obtain lock on relation \"{}\"", name.name);
                    return Err(SqlError::new(LOCK_NOT_AVAILABLE, message));
                }
            } else {
                self.lock_relations(&[(oid, mode)]).await?;
            }
            if self.find_lockable(name)? == oid {
                return Ok(());
            }
        }
    }

    /// 42501 unless the role may do what the lock is for: read, or change.
    fn check_may_lock(&mut self, oid: u32, mode: RelationLock) -> SqlResult<()> {
        let changes = Rights::UPDATE.with(Rights::DELETE).with(Rights::TRUNCATE);
        let any_of = match mode {
            RelationLock::AccessShare => Rights::SELECT,
            RelationLock::RowExclusive => changes.with(Rights::INSERT),
            _ => changes,
        };
        let catalog = self.catalog_view();
        let Some(secured) = catalog.secured_relation(oid) else { return Ok(()) };
        if catalog.rights_on(self.surroundings.current_role(), &secured, any_of).intersects(any_of) {
            return Ok(());
        }
        Err(permission_denied(&catalog, &secured))
    }

    fn find_lockable(&mut self, name: &LockedName) -> SqlResult<u32> {
        let catalog = self.catalog_view();
        let search_path = self.surroundings.search_path.borrow().clone();
        match catalog.resolve(&search_path, name.schema.as_deref(), &name.name) {
            Ok(Some(Relation::Table(table))) => Ok(table.oid),
            Ok(Some(_)) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a table or view", name.name))),
            _ => {
                let written =
                    name.schema.as_ref().map_or_else(|| name.name.clone(), |schema| format!("{schema}.{}", name.name));
                Err(SqlError::new(UNDEFINED_TABLE, format!("relation \"{written}\" does not exist")))
            }
        }
    }
}
