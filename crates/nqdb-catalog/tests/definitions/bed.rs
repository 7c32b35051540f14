//! A catalog on a simulated disk, and transactions that define things in it from one thread.

use std::sync::Arc;

use nqdb_catalog::request::NewTable;
use nqdb_catalog::{Catalog, CatalogWriter, Draft, PUBLIC_SCHEMA_OID, SUPERUSER_OID, TableDef};
use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::{Isolation, Result, SavepointMark, Transaction, TxnOptions, TxnSystem, Wait};
use nqdb_types::{Oid, Type, oid};

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

fn engine_options() -> Options {
    Options {
        frames: 256,
        log_segment_bytes: 1 << 20,
        log_budget_bytes: 4 << 20,
        log_buffer_bytes: 4 << 20,
        background_threads: false,
        ..Options::default()
    }
}

fn txn_options() -> TxnOptions {
    TxnOptions { undo_memory_bytes: 1 << 20, wall_clock_micros: || 0, ..TxnOptions::default() }
}

/// `name (id int8, a int4)` without constraints.
pub fn two_columns(name: &str) -> NewTable {
    let column = |name: &str, ty| nqdb_catalog::request::NewColumn {
        name: name.to_owned(),
        ty: Type::new(ty),
        not_null: false,
        default: None,
        sequence: None,
        missing: None,
    };
    NewTable {
        schema: PUBLIC_SCHEMA_OID,
        name: name.to_owned(),
        columns: vec![column("id", oid::INT8), column("a", oid::INT4)],
        constraints: Vec::new(),
    }
}

impl Bed {
    pub fn new() -> Bed {
        let system =
            TxnSystem::create(Arc::new(SimDisk::new()), engine_options(), txn_options()).expect("a new database");
        Bed { catalog: Catalog::open(system).expect("a new catalog") }
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
}
