//! All databases of a server: one engine, a catalog each, roles shared.
//!
//! What always holds:
//! 1. The snapshots of all databases point to the same state of what is shared. A commit that changes it gives each of them a
//!    new version, under one lock, so that plans of every database notice.
//! 2. A database is in the list from the commit that makes it to the commit that drops it. Who still holds its
//!    [`Catalog`] after that sees its last state.
//! 3. Object numbers are unique over all databases, apart from the schemas that each of them begins with.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_sqlstate::{DATA_CORRUPTED, SqlError, SqlResult};
use nqdb_txn::{Isolation, Sequence, TableStore, TxnError, TxnSystem};
use nqdb_types::Oid;
use parking_lot::{Mutex, RwLock};

use crate::bootstrap::{built_in, new_cluster};
use crate::catalog::{Catalog, Committed, OID_COUNTER, SUPERUSER_OID};
use crate::computation::IndexBinder;
use crate::draft::Draft;
use crate::load::load;
use crate::objects::{ObjectRow, Objects};
use crate::shared::Shared;
use crate::snapshot::{Change, Snapshot};
use crate::writer::CatalogWriter;

/// All databases.
pub struct Cluster {
    system: Arc<TxnSystem>,
    /// As seen from no database.
    objects: Objects,
    binder: Arc<dyn IndexBinder>,
    last_version: AtomicU64,
    published: RwLock<Published>,
    /// Sequences whose drop has committed and whose counters still exist.
    dropped_sequences: Mutex<Vec<Sequence>>,
}

/// What is committed.
#[derive(Default)]
struct Published {
    shared: Arc<Shared>,
    databases: BTreeMap<Oid, Committed>,
}

impl Cluster {
    /// Reads the catalogs of all databases; makes them at the first start: the role `postgres`, and the databases
    /// `template1`, `template0` and `postgres`.
    pub fn open(system: Arc<TxnSystem>, binder: Arc<dyn IndexBinder>) -> SqlResult<Arc<Cluster>> {
        let objects = Objects::open(&system)?;
        let mut rows = objects.load(system.latest_view())?;
        if rows.is_empty() {
            create(&system, &objects)?;
            rows = objects.load(system.latest_view())?;
        }
        let cluster = Arc::new(Cluster {
            system,
            objects,
            binder,
            last_version: AtomicU64::new(1),
            published: RwLock::default(),
            dropped_sequences: Mutex::default(),
        });
        cluster.load(rows)?;
        cluster.remove_temporary_schemas()?;
        cluster.remove_unused_counters()?;
        Ok(cluster)
    }

    fn load(&self, rows: Vec<(Oid, ObjectRow)>) -> SqlResult<()> {
        let mut by_database: BTreeMap<Oid, Vec<ObjectRow>> = BTreeMap::new();
        for (database, row) in rows {
            by_database.entry(database).or_default().push(row);
        }
        let shared_rows = by_database.remove(&0).unwrap_or_default();
        let base = Snapshot::default().with(&built_in(), 1);
        let base = load(&self.system, shared_rows, &*self.binder, &base)?;
        let mut published = self.published.write();
        published.shared = base.shared_state().clone();
        for oid in base.databases().map(|database| database.oid) {
            let own = base.clone().in_database(oid);
            let rows = by_database.remove(&oid).unwrap_or_default();
            let snapshot = load(&self.system, rows, &*self.binder, &own)?;
            snapshot.tables().for_each(|table| self.system.register_table(table.store.clone()));
            published.databases.insert(oid, Arc::new(RwLock::new(Arc::new(snapshot))));
        }
        match by_database.first_key_value() {
            Some((lost, _)) => {
                let message = format!("the catalog has objects of database {lost}, which does not exist");
                Err(SqlError::new(DATA_CORRUPTED, message))
            }
            None => Ok(()),
        }
    }

    /// Drops the temporary objects of sessions that a crash cut off.
    fn remove_temporary_schemas(self: &Arc<Self>) -> SqlResult<()> {
        for catalog in self.catalogs() {
            let committed = catalog.committed();
            let left: Vec<&str> =
                committed.schemas().filter(|schema| schema.is_temporary()).map(|schema| schema.name.as_str()).collect();
            if left.is_empty() {
                continue;
            }
            let mut txn = self.system.begin(Isolation::ReadCommitted, false);
            txn.begin_statement()?;
            let mut draft = Draft::new(catalog);
            for name in left {
                CatalogWriter::new(&mut draft, &mut txn, SUPERUSER_OID).drop_temporary_schema(name)?;
            }
            let commit = txn.commit()?;
            if let Some(lsn) = commit.durable_lsn {
                self.system.wait_durable_blocking(lsn)?;
            }
        }
        Ok(())
    }

    /// Removes the counters that no sequence draws from: those before a restart, and those of definitions or drops that
    /// a crash cut off.
    fn remove_unused_counters(self: &Arc<Self>) -> Result<(), TxnError> {
        let mut used: HashSet<Oid> = HashSet::from([OID_COUNTER.id]);
        for catalog in self.catalogs() {
            used.extend(catalog.committed().sequences().map(|sequence| sequence.counter_id));
        }
        let unused = self.system.sequence_ids()?.into_iter().filter(|id| !used.contains(id));
        unused.map(|id| Sequence { id, ..OID_COUNTER }).try_for_each(|counter| counter.drop(&self.system))
    }

    /// The catalog of a database.
    pub fn catalog(self: &Arc<Self>, database: Oid) -> Option<Arc<Catalog>> {
        let committed = self.published.read().databases.get(&database)?.clone();
        Some(Arc::new(Catalog::new(self.clone(), database, committed)))
    }

    /// The catalogs of all databases, in the order of their numbers.
    pub fn catalogs(self: &Arc<Self>) -> Vec<Arc<Catalog>> {
        let published = self.published.read();
        let handle = |(database, committed): (&Oid, &Committed)| {
            Arc::new(Catalog::new(self.clone(), *database, committed.clone()))
        };
        published.databases.iter().map(handle).collect()
    }

    /// What all databases share, and no object of any.
    pub fn shared_objects(&self) -> Snapshot {
        let shared = self.published.read().shared.clone();
        Snapshot::default().sharing(shared, self.last_version.load(Ordering::Relaxed))
    }

    pub fn system(&self) -> &Arc<TxnSystem> {
        &self.system
    }

    /// The table of the catalogs, for checks of the whole data directory.
    pub fn own_table(&self) -> &Arc<TableStore> {
        self.objects.store()
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    pub(crate) fn binder(&self) -> &dyn IndexBinder {
        &*self.binder
    }

    /// A version that no other state of any database has.
    pub(crate) fn next_version(&self) -> u64 {
        self.last_version.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes the changes of a transaction in one database, and to what is shared, the committed state.
    pub(crate) fn publish(&self, database: &Committed, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut published = self.published.write();
        let version = self.next_version();
        let next = {
            let committed = database.read();
            let dropped = changes.iter().filter_map(|change| match change {
                Change::DropSequence(oid) => committed.sequence_by_oid(*oid).map(|sequence| sequence.counter()),
                _ => None,
            });
            self.dropped_sequences.lock().extend(dropped);
            let changes: Vec<Change> = changes.iter().map(Change::committed).collect();
            committed.with(&changes, version)
        };
        let shared = next.shared_state().clone();
        *database.write() = Arc::new(next);
        if !Arc::ptr_eq(&shared, &published.shared) {
            published.share(shared, version);
        }
        for change in changes {
            if let Change::DropDatabase(oid) = change {
                published.databases.remove(oid);
            }
        }
    }

    /// Enters a database into the list; what is shared may have changed since its snapshot was made.
    pub(crate) fn attach(&self, snapshot: Snapshot) {
        let mut published = self.published.write();
        let snapshot = snapshot.sharing(published.shared.clone(), self.next_version());
        published.databases.insert(snapshot.database(), Arc::new(RwLock::new(Arc::new(snapshot))));
    }

    pub(crate) fn note_dropped_sequences(&self, sequences: impl IntoIterator<Item = Sequence>) {
        self.dropped_sequences.lock().extend(sequences);
    }

    pub(crate) fn remove_dropped_counters(&self) -> Result<(), TxnError> {
        let dropped = std::mem::take(&mut *self.dropped_sequences.lock());
        dropped.iter().try_for_each(|sequence| sequence.drop(&self.system))
    }
}

impl Published {
    /// Gives all databases a new state of what is shared.
    fn share(&mut self, shared: Arc<Shared>, version: u64) {
        for committed in self.databases.values() {
            let mut committed = committed.write();
            if !Arc::ptr_eq(committed.shared_state(), &shared) {
                *committed = Arc::new(Snapshot::clone(&committed).sharing(shared.clone(), version));
            }
        }
        self.shared = shared;
    }
}

/// Writes the objects of a new data directory in one transaction.
fn create(system: &Arc<TxnSystem>, objects: &Objects) -> SqlResult<()> {
    let mut txn = system.begin(Isolation::ReadCommitted, false);
    txn.begin_statement()?;
    OID_COUNTER.create(&mut txn)?;
    for (database, row) in new_cluster() {
        objects.of_database(database).insert(&mut txn, &row)?;
    }
    let commit = txn.commit()?;
    if let Some(lsn) = commit.durable_lsn {
        system.wait_durable_blocking(lsn)?;
    }
    Ok(())
}
