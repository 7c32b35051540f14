//! The catalog of one database: the newest committed [`Snapshot`] of it.
//!
//! Handles are cheap: the state is the [`Cluster`]'s, and lives as long as anybody looks at the database.

use std::sync::Arc;

use nqdb_sqlstate::SqlError;
use nqdb_txn::{Sequence, Transaction, TxnError, TxnSystem};
use nqdb_types::Oid;
use parking_lot::RwLock;

use crate::cluster::Cluster;
use crate::computation::IndexBinder;
use crate::definition::{RoleDef, SchemaDef};
use crate::objects::{Kind, ObjectRow, Objects, Space};
use crate::snapshot::{Change, Snapshot};
use crate::stored::to_json;

/// The first number for users' objects, as in PostgreSQL.
pub const FIRST_USER_OID: Oid = 16384;
/// The role of the first start, `pg_authid`'s number for it.
pub const SUPERUSER_OID: Oid = 10;
/// PostgreSQL's number of the schema `public`.
pub const PUBLIC_SCHEMA_OID: Oid = 2200;
/// PostgreSQL's number of the schema `pg_catalog`.
pub const PG_CATALOG_OID: Oid = 11;
/// The number of the schema `information_schema` in a new cluster of PostgreSQL 15.
pub const INFORMATION_SCHEMA_OID: Oid = 13207;

/// The counter of object numbers: a sequence, so that numbers survive a crash and are never given out twice, in whatever
/// database.
pub(crate) const OID_COUNTER: Sequence = Sequence {
    id: 4,
    increment: 1,
    min: FIRST_USER_OID as i64,
    max: u32::MAX as i64,
    start: FIRST_USER_OID as i64,
    cycle: false,
};

/// The catalog of one database, shared by its sessions.
pub struct Catalog {
    cluster: Arc<Cluster>,
    database: Oid,
    objects: Objects,
    committed: Committed,
}

/// The newest committed state of a database.
pub(crate) type Committed = Arc<RwLock<Arc<Snapshot>>>;

impl Catalog {
    pub(crate) fn new(cluster: Arc<Cluster>, database: Oid, committed: Committed) -> Catalog {
        let objects = cluster.objects().of_database(database);
        Catalog { cluster, database, objects, committed }
    }

    /// The databases that this one is of.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The number of the database.
    pub fn database(&self) -> Oid {
        self.database
    }

    /// The newest committed state.
    pub fn committed(&self) -> Arc<Snapshot> {
        self.committed.read().clone()
    }

    /// The version of the newest committed state, without taking hold of it.
    pub fn committed_version(&self) -> u64 {
        self.committed.read().version
    }

    pub fn system(&self) -> &Arc<TxnSystem> {
        self.cluster.system()
    }

    /// What makes functions out of the texts of indexes.
    pub(crate) fn binder(&self) -> &dyn IndexBinder {
        self.cluster.binder()
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// A version that no other state has.
    pub(crate) fn next_version(&self) -> u64 {
        self.cluster.next_version()
    }

    /// A number for a new object.
    pub(crate) fn next_oid(&self, txn: &mut Transaction) -> Result<Oid, TxnError> {
        let values = OID_COUNTER.next(txn, 1)?;
        let oid = values.first().and_then(|value| Oid::try_from(*value).ok());
        oid.ok_or_else(|| SqlError::internal("the object numbers are exhausted").into())
    }

    /// Makes a transaction's changes the committed state. Runs inside of its commit.
    pub(crate) fn publish(&self, changes: &[Change]) {
        self.cluster.publish(&self.committed, changes);
    }

    /// Removes the counters of sequences whose drop has committed: outside of the commit, because it changes pages.
    pub(crate) fn remove_dropped_counters(&self) -> Result<(), TxnError> {
        self.cluster.remove_dropped_counters()
    }
}

pub(crate) fn role_row(role: &RoleDef) -> ObjectRow {
    ObjectRow {
        space: Space::Role,
        oid: role.oid,
        parent: 0,
        name: role.name.clone(),
        kind: Kind::Role,
        definition: to_json(role),
    }
}

pub(crate) fn schema_row(schema: &SchemaDef) -> ObjectRow {
    ObjectRow {
        space: Space::Schema,
        oid: schema.oid,
        parent: 0,
        name: schema.name.clone(),
        kind: Kind::Schema,
        definition: to_json(schema),
    }
}
