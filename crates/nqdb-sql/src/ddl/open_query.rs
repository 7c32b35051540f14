//! Tables that open queries of the same session read: portals and cursors hold them, and no lock keeps a session from
//! itself.

use nqdb_catalog::Snapshot;
use nqdb_sqlstate::{OBJECT_IN_USE, SqlError, SqlResult};
use nqdb_types::Oid;

use super::DdlContext;

impl DdlContext<'_, '_> {
    /// 55006 for a table that an open query of this session reads; `command` is what is to be done to it.
    pub(super) fn expect_not_open(&self, table: Oid, name: &str, command: &str) -> SqlResult<()> {
        if self.open_relations.contains(&table) {
            return Err(in_use(name, command));
        }
        if self.exec.constraints.borrow().has_pending(table) { Err(has_pending(name, command)) } else { Ok(()) }
    }

    /// 55006 if a table that an open query of this session reads was there before and is no more.
    pub(super) fn expect_none_dropped(&mut self, before: &Snapshot) -> SqlResult<()> {
        let now = self.draft.snapshot();
        let dropped = self.open_relations.iter().filter(|table| now.table_by_oid(**table).is_none());
        if let Some(table) = dropped.filter_map(|table| before.table_by_oid(*table)).next() {
            return Err(in_use(&table.name, "DROP TABLE"));
        }
        let constraints = self.exec.constraints.borrow();
        let dropped = constraints.pending_tables().filter(|table| now.table_by_oid(*table).is_none());
        match dropped.filter_map(|table| before.table_by_oid(table)).next() {
            Some(table) => Err(has_pending(&table.name, "DROP TABLE")),
            None => Ok(()),
        }
    }
}

/// 55006 for a table whose rows have yet to be checked at the end of the transaction.
fn has_pending(name: &str, command: &str) -> SqlError {
    let message = format!("cannot {command} \"{name}\" because it has pending trigger events");
    SqlError::new(OBJECT_IN_USE, message)
}

fn in_use(name: &str, command: &str) -> SqlError {
    let message = format!("cannot {command} \"{name}\" because it is being used by active queries in this session");
    SqlError::new(OBJECT_IN_USE, message)
}
