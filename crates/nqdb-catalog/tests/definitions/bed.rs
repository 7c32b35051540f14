//! A catalog on a simulated disk, and transactions that define things in it from one thread.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use nqdb_catalog::request::{NewColumn, NewIndex, NewKeyColumn, NewTable};
use nqdb_catalog::{
    Catalog, CatalogWriter, Cluster, Draft, NoExpressions, POSTGRES_DATABASE, PUBLIC_SCHEMA_OID, SUPERUSER_OID,
    TableDef,
};
use nqdb_sqlstate::SqlResult;
use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::{
    Direction, IndexStore, Isolation, ReadView, Result, RowId, RowVersion, SavepointMark, TableReport, TableStore,
    Transaction, TxnOptions, TxnSystem, Wait, check_table,
};
use nqdb_types::{Datum, Oid, Type, oid};

pub struct Bed {
    pub catalog: Arc<Catalog>,
}

/// One transaction with its view of the catalog.
pub struct Session {
    pub txn: Transaction,
    pub draft: Draft,
}

/// A place to roll back to.
pub struct Savepoint(SavepointMark, nqdb_catalog::DraftMark);

pub fn engine_options() -> Options {
    Options {
        frames: 256,
        log_segment_bytes: 1 << 20,
        log_budget_bytes: 4 << 20,
        log_buffer_bytes: 4 << 20,
        background_threads: false,
        ..Options::default()
    }
}

pub fn txn_options() -> TxnOptions {
    TxnOptions { undo_memory_bytes: 1 << 20, wall_clock_micros: || 0, ..TxnOptions::default() }
}

/// `name (id int8, a int4)` without constraints.
pub fn two_columns(name: &str) -> NewTable {
    let columns = vec![NewColumn::plain("id", Type::new(oid::INT8)), NewColumn::plain("a", Type::new(oid::INT4))];
    NewTable::plain(PUBLIC_SCHEMA_OID, name, columns)
}

/// An index on the column `a`.
pub fn index_on_a(table: Oid) -> NewIndex {
    NewIndex::over_columns(table, Some("by_a".to_owned()), false, vec![NewKeyColumn::column("a")])
}

/// The rows that `view` sees.
pub fn rows(store: &Arc<TableStore>, view: ReadView) -> Vec<(RowId, RowVersion, i64)> {
    let mut rows = Vec::new();
    let mut scan = store.scan(view, RowId(0)..RowId(u64::MAX), Direction::Forward);
    while scan
        .next_batch(&mut |row_id, version, image| {
            match image.datum(0) {
                Ok(Datum::Int8(id)) => rows.push((row_id, version, id)),
                other => panic!("not an id: {other:?}"),
            }
            ControlFlow::Continue(())
        })
        .expect("the table reads")
    {}
    rows
}

/// The ids that `view` finds under a key of an index.
pub fn ids_by_index(store: &Arc<TableStore>, index: usize, key: i32, view: ReadView) -> Vec<i64> {
    let prefix = store.indexes[index].key_prefix(&[Datum::Int4(key)]);
    let end = IndexStore::prefix_end(&prefix);
    let mut ids = Vec::new();
    let mut scan = store.index_scan(index, view, Bound::Included(prefix), end, Direction::Forward);
    while scan
        .next_batch(&mut |_, _, image| {
            match image.datum(0) {
                Ok(Datum::Int8(id)) => ids.push(id),
                other => panic!("not an id: {other:?}"),
            }
            ControlFlow::Continue(())
        })
        .expect("the index reads")
    {}
    ids
}

/// The catalog of the database `postgres`.
pub fn open_postgres(system: Arc<TxnSystem>) -> SqlResult<Arc<Catalog>> {
    let cluster = Cluster::open(system, Arc::new(NoExpressions))?;
    Ok(cluster.catalog(POSTGRES_DATABASE).expect("it is there from the start"))
}

impl Bed {
    pub fn new() -> Bed {
        Bed::on(SimDisk::new())
    }

    pub fn on(disk: SimDisk) -> Bed {
        let system = TxnSystem::create(Arc::new(disk), engine_options(), txn_options()).expect("a new database");
        Bed { catalog: open_postgres(system).expect("a new catalog") }
    }

    /// Opens what a crash left.
    pub fn open(disk: SimDisk) -> Bed {
        let system = TxnSystem::open(Arc::new(disk), engine_options(), txn_options()).expect("a database");
        Bed { catalog: open_postgres(system).expect("a catalog") }
    }

    /// A committed table `t` with the rows (0, 0) to (count - 1, count - 1), and an index on `a` if wanted.
    pub fn table_of(&self, count: i64, has_index: bool) -> Oid {
        let mut session = self.begin();
        let table = session.create_table("t");
        if has_index {
            session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
        }
        session.statement();
        let store = session.draft.snapshot().table_by_oid(table).expect("made").store.clone();
        for id in 0..count {
            store.insert(&mut session.txn, &[Datum::Int8(id), Datum::Int4(id as i32)]).expect("an insert");
        }
        session.commit();
        table
    }

    pub fn store(&self, table: Oid) -> Arc<TableStore> {
        self.catalog.committed().table_by_oid(table).expect("the table exists").store.clone()
    }

    /// Deletes all rows with an id below `end` and commits.
    pub fn delete_below(&self, table: Oid, end: i64) {
        let mut session = self.begin();
        session.delete_below(&self.store(table), end);
        session.commit();
    }

    /// Purges all that can be.
    pub fn purge(&self) {
        self.system().engine().flush_log().expect("flushed");
        while self.system().purge_step().expect("purge goes on") {}
    }

    /// What a check finds after purge, which is nothing wrong and nothing left over.
    pub fn check_nothing_leaked(&self, table: Oid) -> TableReport {
        self.purge();
        let store = self.store(table);
        let report = check_table(self.system(), &store).expect("the check runs");
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!((report.deleted_rows, report.marked_entries), (0, 0));
        assert_eq!(report.entries, report.rows * store.indexes.len() as u64);
        report
    }

    pub fn system(&self) -> &Arc<TxnSystem> {
        self.catalog.system()
    }

    pub fn begin(&self) -> Session {
        self.start(Isolation::ReadCommitted)
    }

    pub fn start(&self, isolation: Isolation) -> Session {
        let mut session =
            Session { txn: self.system().begin(isolation, false), draft: Draft::new(self.catalog.clone()) };
        session.statement();
        session
    }

    pub fn table(&self, name: &str) -> Option<Arc<TableDef>> {
        let snapshot = self.catalog.committed();
        let oid = snapshot.relation(PUBLIC_SCHEMA_OID, name)?.oid();
        snapshot.table_by_oid(oid).cloned()
    }
}

impl Session {
    /// Begins a statement; flushes the log when it has to wait for it.
    pub fn statement(&mut self) {
        if let Err(error) = self.txn.begin_statement() {
            match error.into_wait() {
                Ok(Wait::Log(lsn)) => {
                    self.txn.system().clone().wait_durable_blocking(lsn).expect("the log is synced");
                }
                other => panic!("only the log is waited for: {other:?}"),
            }
            self.txn.begin_statement().expect("nothing to wait for");
        }
    }

    /// Runs one definition as a statement of its own.
    pub fn define<T>(&mut self, define: impl FnOnce(&mut CatalogWriter<'_>) -> Result<T>) -> Result<T> {
        self.statement();
        define(&mut CatalogWriter::new(&mut self.draft, &mut self.txn, SUPERUSER_OID))
    }

    pub fn create_table(&mut self, name: &str) -> Oid {
        self.define(|writer| writer.create_table(&two_columns(name))).expect("the name is free")
    }

    pub fn delete_below(&mut self, store: &Arc<TableStore>, end: i64) {
        self.statement();
        for (row_id, version, id) in rows(store, self.txn.view()) {
            if id < end {
                store.delete(&mut self.txn, row_id, version).expect("a delete");
            }
        }
    }

    pub fn savepoint(&mut self) -> Savepoint {
        Savepoint(self.txn.savepoint(), self.draft.mark())
    }

    pub fn rollback_to(&mut self, savepoint: &Savepoint) {
        self.txn.rollback_to(savepoint.0).expect("a rollback");
        self.draft.rollback_to(savepoint.1);
    }

    pub fn commit(self) {
        let system = self.txn.system().clone();
        let commit = self.txn.commit().expect("a commit");
        if let Some(lsn) = commit.durable_lsn {
            system.wait_durable_blocking(lsn).expect("synced");
        }
    }

    pub fn rollback(self) {
        self.txn.rollback().expect("a rollback");
    }
}
