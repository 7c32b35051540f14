//! A transaction's own view of the catalog: the committed state plus what the transaction has changed.
//!
//! 1. Names resolve against the newest committed catalog, not the transaction's snapshot (PostgreSQL does the same),
//!    plus the transaction's own changes in their order.
//! 2. The changes are published in one step when the commit record is appended, before any lock falls; a
//!    rollback forgets them. ROLLBACK TO cuts them back to a [`DraftMark`].
//! 3. The hook that publishes belongs to the first change: a ROLLBACK TO in front of it takes both, and the next
//!    change brings a new hook.

use std::sync::Arc;

use nqdb_txn::Transaction;
use parking_lot::Mutex;

use crate::catalog::Catalog;
use crate::snapshot::{Change, Snapshot};

/// Changes of one transaction that nobody else sees yet.
pub struct Draft {
    catalog: Arc<Catalog>,
    changes: Arc<Mutex<Vec<Change>>>,
    /// The view for a committed version and a number of changes, so that unchanged catalogs cost nothing.
    cached: Option<(u64, usize, Arc<Snapshot>)>,
    hooked: bool,
}

impl Drop for Draft {
    /// The transaction is over: what its commit left to remove is removed.
    fn drop(&mut self) {
        if self.hooked
            && let Err(error) = self.catalog.remove_dropped_counters()
        {
            tracing::warn!(%error, "the counter of a dropped sequence was not removed");
        }
    }
}

/// A position in a transaction's changes, taken with a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftMark(usize);

impl Draft {
    /// An empty draft, for a transaction that begins.
    pub fn new(catalog: Arc<Catalog>) -> Draft {
        Draft { catalog, changes: Arc::default(), cached: None, hooked: false }
    }

    /// The catalog as the next statement of this transaction sees it.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let committed = self.catalog.committed();
        if !self.hooked {
            return committed;
        }
        let changes = self.changes.lock();
        if changes.is_empty() {
            return committed;
        }
        if let Some((version, count, view)) = &self.cached
            && *version == committed.version
            && *count == changes.len()
        {
            return view.clone();
        }
        let view = Arc::new(committed.with(&changes, self.catalog.next_version()));
        self.cached = Some((committed.version, changes.len(), view.clone()));
        view
    }

    /// Adds a change; it is published when `txn` commits.
    pub(crate) fn push(&mut self, txn: &mut Transaction, change: Change) {
        self.changes.lock().push(change);
        self.cached = None;
        if !self.hooked {
            self.hooked = true;
            let catalog = self.catalog.clone();
            let changes = self.changes.clone();
            txn.on_commit(Box::new(move |_csn| catalog.publish(&changes.lock())));
        }
    }

    /// Where ROLLBACK TO would come back to.
    pub fn mark(&self) -> DraftMark {
        DraftMark(self.changes.lock().len())
    }

    /// Forgets what was changed after the mark. The transaction goes back to the savepoint taken with it.
    pub fn rollback_to(&mut self, mark: DraftMark) {
        self.changes.lock().truncate(mark.0);
        // The transaction drops the hooks that came after the savepoint: ours came with the first change.
        self.hooked &= mark.0 > 0;
        self.cached = None;
    }

    /// The numbers of the tables that the transaction has made, changed or dropped so far.
    pub fn changed_tables(&self) -> Vec<u32> {
        if !self.hooked {
            return Vec::new();
        }
        let changes = self.changes.lock();
        let table = |change: &Change| match change {
            Change::PutTable(table) => Some(table.oid),
            Change::DropTable(oid) => Some(*oid),
            _ => None,
        };
        let mut tables: Vec<u32> = changes.iter().filter_map(table).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}
