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
    /// Locks the tables in the order in which they are named, to the end of the transaction; of views also all tables and
    /// views that they are made of.
    pub(crate) async fn lock_tables(&mut self, lock: &LockTable) -> SqlResult<CommandTag> {
        self.require_block_around("LOCK TABLE")?;
        for name in &lock.tables {
            let oid = self.lock_one_table(name, lock.mode, lock.no_wait).await?;
            self.lock_below(oid, lock.mode, lock.no_wait).await?;
        }
        Ok(CommandTag::Other("LOCK TABLE"))
    }

    /// Looks the name up again under the lock: the table may have been dropped and made anew meanwhile.
    async fn lock_one_table(&mut self, name: &LockedName, mode: RelationLock, no_wait: bool) -> SqlResult<u32> {
        loop {
            let oid = self.find_lockable(name)?;
            let role = self.surroundings.current_role();
            self.lock_for(oid, role, mode, no_wait).await?;
            if self.find_lockable(name)? == oid {
                return Ok(oid);
            }
        }
    }

    /// Locks what a view is made of, and what the views among that are made of. Who may: the view's owner, or the current
    /// role where the view says so.
    async fn lock_below(&mut self, view: u32, mode: RelationLock, no_wait: bool) -> SqlResult<()> {
        let mut seen = vec![view];
        let mut at = 0;
        while let Some(view) = seen.get(at).copied() {
            at += 1;
            let catalog = self.catalog_view();
            let Some(view) = catalog.view_by_oid(view).cloned() else { continue };
            let role = if view.security_invoker() { self.surroundings.current_role() } else { view.owner };
            for below in &view.query.relations {
                let is_lockable = catalog.view_by_oid(below.oid).is_some()
                    || catalog.table_by_oid(below.oid).is_some_and(|table| table.materialized.is_none());
                if is_lockable && !seen.contains(&below.oid) {
                    seen.push(below.oid);
                    self.lock_for(below.oid, role, mode, no_wait).await?;
                }
            }
        }
        Ok(())
    }

    /// Locks one relation for who has the right to.
    async fn lock_for(&mut self, oid: u32, role: u32, mode: RelationLock, no_wait: bool) -> SqlResult<()> {
        self.check_may_lock(oid, role, mode)?;
        if !no_wait {
            return self.lock_relations(&[(oid, mode)]).await;
        }
        if self.ensure_transaction()?.txn.try_lock_relation(oid, mode)? {
            return Ok(());
        }
        let catalog = self.catalog_view();
        let table = catalog.table_by_oid(oid).map(|table| table.name.clone());
        let name = table.or_else(|| catalog.view_by_oid(oid).map(|view| view.name.clone())).unwrap_or_default();
        Err(SqlError::new(LOCK_NOT_AVAILABLE, format!("could not obtain lock on relation \"{name}\"")))
    }

    /// 42501 unless the role may do what the lock is for: read, or change.
    fn check_may_lock(&mut self, oid: u32, role: u32, mode: RelationLock) -> SqlResult<()> {
        let changes = Rights::UPDATE.with(Rights::DELETE).with(Rights::TRUNCATE);
        let any_of = match mode {
            RelationLock::AccessShare => Rights::SELECT,
            RelationLock::RowExclusive => changes.with(Rights::INSERT),
            _ => changes,
        };
        let catalog = self.catalog_view();
        let Some(secured) = catalog.secured_relation(oid) else { return Ok(()) };
        if catalog.rights_on(role, &secured, any_of).intersects(any_of) {
            return Ok(());
        }
        Err(permission_denied(&catalog, &secured))
    }

    fn find_lockable(&mut self, name: &LockedName) -> SqlResult<u32> {
        let catalog = self.catalog_view();
        let search_path = self.surroundings.search_path.borrow().clone();
        match catalog.resolve(&search_path, name.schema.as_deref(), &name.name) {
            Ok(Some(Relation::Table(table))) if table.materialized.is_none() => Ok(table.oid),
            Ok(Some(Relation::View(view))) => Ok(view.oid),
            Ok(Some(_)) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a table or view", name.name))),
            _ => {
                let written =
                    name.schema.as_ref().map_or_else(|| name.name.clone(), |schema| format!("{schema}.{}", name.name));
                Err(SqlError::new(UNDEFINED_TABLE, format!("relation \"{written}\" does not exist")))
            }
        }
    }
}
