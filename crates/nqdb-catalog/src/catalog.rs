//! The shared catalog: the newest committed [`Snapshot`], where it comes from and how it moves on.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{
    Computation, IndexStore, Isolation, Sequence, TableCounters, TableStore, Transaction, TreeId, TxnError, TxnSystem,
};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;

use crate::computation::{IndexBinder, Unbound};
use crate::definition::{ColumnDef, CommentDef, IndexDef, RoleDef, SchemaDef, SequenceDef, TableDef, TableStatistics};
use crate::draft::Draft;
use crate::objects::{Kind, ObjectRow, Objects, Space};
use crate::rights::{PG_DATABASE_OWNER, RightsChange, SecuredKind, predefined_roles};
use crate::snapshot::{Change, Snapshot};
use crate::stored::{StoredIndex, StoredKeyColumn, StoredTable, from_json, to_json};
use crate::user_type::StoredType;
use crate::view::ViewDef;
use crate::writer::CatalogWriter;

/// The first number for users' objects, as in PostgreSQL.
pub const FIRST_USER_OID: Oid = 16384;
/// The role of the first start, `pg_authid`'s number for it.
pub const SUPERUSER_OID: Oid = 10;
/// PostgreSQL's number of the schema `public`.
pub const PUBLIC_SCHEMA_OID: Oid = 2200;
/// PostgreSQL's number of the schema `pg_catalog`.
pub const PG_CATALOG_OID: Oid = 11;

/// The counter of object numbers: a sequence, so that numbers survive a crash and are never given out twice.
const OID_COUNTER: Sequence = Sequence {
    id: 4,
    increment: 1,
    min: FIRST_USER_OID as i64,
    max: u32::MAX as i64,
    start: FIRST_USER_OID as i64,
    cycle: false,
};

/// The number of the schema `information_schema` in a new cluster of PostgreSQL 15.
pub const INFORMATION_SCHEMA_OID: Oid = 13207;

/// The catalog of one server, shared by all sessions.
pub struct Catalog {
    system: Arc<TxnSystem>,
    objects: Objects,
    binder: Arc<dyn IndexBinder>,
    committed: RwLock<Arc<Snapshot>>,
    last_version: AtomicU64,
    /// Sequences whose drop has committed and whose counters still exist.
    dropped_sequences: Mutex<Vec<Sequence>>,
}

impl Catalog {
    /// Reads the catalog; makes it, with the role `postgres` and the schema `public`, at the first start.
    pub fn open(system: Arc<TxnSystem>, binder: Arc<dyn IndexBinder>) -> SqlResult<Arc<Catalog>> {
        let objects = Objects::open(&system)?;
        let rows = objects.load(system.latest_view())?;
        let is_new = rows.is_empty();
        let snapshot = load(&system, rows, &*binder)?.with(&built_in(), 1);
        let catalog = Arc::new(Catalog::of(system, objects, binder, snapshot));
        if is_new {
            catalog.bootstrap()?;
        } else {
            catalog.remove_temporary_schemas()?;
            catalog.remove_unused_counters()?;
        }
        Ok(catalog)
    }

    /// Drops the temporary objects of sessions that a crash cut off.
    fn remove_temporary_schemas(self: &Arc<Self>) -> SqlResult<()> {
        let committed = self.committed();
        let left: Vec<&str> =
            committed.schemas().filter(|schema| schema.is_temporary()).map(|schema| schema.name.as_str()).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut txn = self.system.begin(Isolation::ReadCommitted, false);
        txn.begin_statement()?;
        let mut draft = Draft::new(self.clone());
        for name in left {
            CatalogWriter::new(&mut draft, &mut txn, SUPERUSER_OID).drop_temporary_schema(name)?;
        }
        let commit = txn.commit()?;
        if let Some(lsn) = commit.durable_lsn {
            self.system.wait_durable_blocking(lsn)?;
        }
        Ok(())
    }

    /// Removes the counters that no sequence draws from: those before a restart, and those of definitions or drops that
    /// a crash cut off.
    fn remove_unused_counters(&self) -> Result<(), TxnError> {
        let committed = self.committed();
        let used: HashSet<Oid> =
            committed.sequences().map(|sequence| sequence.counter_id).chain([OID_COUNTER.id]).collect();
        let unused = self.system.sequence_ids()?.into_iter().filter(|id| !used.contains(id));
        unused.map(|id| Sequence { id, ..OID_COUNTER }).try_for_each(|counter| counter.drop(&self.system))
    }

    fn of(system: Arc<TxnSystem>, objects: Objects, binder: Arc<dyn IndexBinder>, snapshot: Snapshot) -> Catalog {
        let last_version = AtomicU64::new(snapshot.version);
        Catalog {
            system,
            objects,
            binder,
            committed: RwLock::new(Arc::new(snapshot)),
            last_version,
            dropped_sequences: Mutex::default(),
        }
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
        &self.system
    }

    /// The catalog's own table, for checks of the whole data directory.
    pub fn own_tables(&self) -> [&Arc<TableStore>; 1] {
        [self.objects.store()]
    }

    /// What makes functions out of the texts of indexes.
    pub(crate) fn binder(&self) -> &dyn IndexBinder {
        &*self.binder
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// A version that no other state has.
    pub(crate) fn next_version(&self) -> u64 {
        self.last_version.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A number for a new object.
    pub(crate) fn next_oid(&self, txn: &mut Transaction) -> Result<Oid, TxnError> {
        let values = OID_COUNTER.next(txn, 1)?;
        let oid = values.first().and_then(|value| Oid::try_from(*value).ok());
        oid.ok_or_else(|| SqlError::internal("the object numbers are exhausted").into())
    }

    /// Makes a transaction's changes the committed state. Runs inside of its commit.
    pub(crate) fn publish(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let version = self.next_version();
        let mut committed = self.committed.write();
        let dropped = changes.iter().filter_map(|change| match change {
            Change::DropSequence(oid) => committed.sequence_by_oid(*oid).map(|sequence| sequence.counter()),
            _ => None,
        });
        self.dropped_sequences.lock().extend(dropped);
        let changes: Vec<Change> = changes.iter().map(Change::committed).collect();
        *committed = Arc::new(committed.with(&changes, version));
    }

    /// Removes the counters of sequences whose drop has committed: outside of the commit, because it changes pages.
    pub(crate) fn remove_dropped_counters(&self) -> Result<(), TxnError> {
        let dropped = std::mem::take(&mut *self.dropped_sequences.lock());
        dropped.iter().try_for_each(|sequence| sequence.drop(&self.system))
    }

    /// Writes the objects of a new data directory in one transaction.
    fn bootstrap(self: &Arc<Self>) -> SqlResult<()> {
        let mut txn = self.system.begin(Isolation::ReadCommitted, false);
        txn.begin_statement()?;
        OID_COUNTER.create(&mut txn)?;
        let role = Arc::new(RoleDef {
            oid: SUPERUSER_OID,
            name: "postgres".into(),
            superuser: true,
            inherit: true,
            create_role: true,
            create_database: true,
            can_login: true,
            replication: true,
            bypass_row_security: true,
            connection_limit: -1,
            password: None,
            valid_until: None,
        });
        let public = Arc::new(SchemaDef { oid: PUBLIC_SCHEMA_OID, name: "public".into(), owner: PG_DATABASE_OWNER });
        // pg_dump leaves out what every database has, and knows the schema by this comment.
        let comment = Arc::new(CommentDef {
            oid: PUBLIC_SCHEMA_OID,
            class: SecuredKind::Schema.class(),
            object: PUBLIC_SCHEMA_OID,
            column: 0,
            text: "standard public schema".into(),
        });
        self.objects.insert(&mut txn, &role_row(&role))?;
        self.objects.insert(&mut txn, &schema_row(&public))?;
        self.objects.insert(&mut txn, &comment_row(&comment))?;
        let commit = txn.commit()?;
        if let Some(lsn) = commit.durable_lsn {
            self.system.wait_durable_blocking(lsn)?;
        }
        self.publish(&[Change::PutRole(role), Change::PutSchema(public), Change::PutComment(comment)]);
        Ok(())
    }
}

/// The schemas of built-in objects and the predefined roles: always there, never stored.
fn built_in() -> Vec<Change> {
    let schemas = [(PG_CATALOG_OID, "pg_catalog"), (INFORMATION_SCHEMA_OID, "information_schema")]
        .map(|(oid, name)| Change::PutSchema(Arc::new(SchemaDef { oid, name: name.into(), owner: SUPERUSER_OID })));
    schemas.into_iter().chain(predefined_roles()).collect()
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

pub(crate) fn comment_row(comment: &CommentDef) -> ObjectRow {
    ObjectRow {
        space: Space::Comment,
        oid: comment.oid,
        parent: comment.object,
        name: format!("{}.{}", comment.class, comment.column),
        kind: Kind::Comment,
        definition: to_json(comment),
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

/// Builds the state out of its rows.
fn load(system: &Arc<TxnSystem>, rows: Vec<ObjectRow>, binder: &dyn IndexBinder) -> SqlResult<Snapshot> {
    let mut schema_names: BTreeMap<Oid, String> = BTreeMap::new();
    let mut indexes: BTreeMap<Oid, Vec<(Oid, String, StoredIndex)>> = BTreeMap::new();
    let mut tables = Vec::new();
    let mut changes = Vec::new();
    let mut statistics = Vec::new();
    for row in rows {
        match row.kind {
            Kind::Schema => {
                let schema: SchemaDef = from_json(&row.definition)?;
                schema_names.insert(schema.oid, schema.name.clone());
                changes.push(Change::PutSchema(Arc::new(schema)));
            }
            Kind::Role => changes.push(Change::PutRole(Arc::new(from_json::<RoleDef>(&row.definition)?))),
            Kind::Sequence => changes.push(Change::PutSequence(Arc::new(from_json::<SequenceDef>(&row.definition)?))),
            Kind::Comment => changes.push(Change::PutComment(Arc::new(from_json::<CommentDef>(&row.definition)?))),
            Kind::View => changes.push(Change::PutView(Arc::new(from_json::<ViewDef>(&row.definition)?))),
            Kind::Type => {
                let stored: StoredType = from_json(&row.definition)?;
                changes.push(Change::PutType(Arc::new(stored.into_type(row.oid, row.parent, row.name))));
            }
            Kind::Access => changes.push(rights(&row, RightsChange::PutList)?),
            Kind::DefaultAccess => changes.push(rights(&row, RightsChange::PutDefault)?),
            Kind::Membership => changes.push(rights(&row, RightsChange::PutMembership)?),
            Kind::RoleSettings => changes.push(rights(&row, RightsChange::PutSettings)?),
            Kind::Statistics => statistics.push(from_json::<TableStatistics>(&row.definition)?),
            Kind::Index => {
                let index: StoredIndex = from_json(&row.definition)?;
                indexes.entry(index.table).or_default().push((row.oid, row.name, index));
            }
            Kind::Table => tables.push(row),
        }
    }
    // Expressions of indexes name functions and types, and columns of their own table.
    let without_tables = Snapshot::default().with(&changes, 1);
    for row in tables {
        let stored: StoredTable = from_json(&row.definition)?;
        let mut own_indexes = indexes.remove(&row.oid).unwrap_or_default();
        own_indexes.sort_by_key(|(oid, ..)| *oid);
        let schema_name = schema_names.get(&row.parent).cloned().unwrap_or_default();
        let table = open_table(system, row, schema_name, stored, own_indexes)?;
        let table = bind_indexes(table, binder, &without_tables);
        system.register_table(table.store.clone());
        changes.push(Change::PutTable(Arc::new(table)));
    }
    changes.extend(statistics.into_iter().map(|statistics| Change::PutStatistics(Arc::new(statistics))));
    Ok(Snapshot::default().with(&changes, 1))
}

fn rights<T: DeserializeOwned>(row: &ObjectRow, change: impl FnOnce(Arc<T>) -> RightsChange) -> SqlResult<Change> {
    Ok(Change::Rights(change(Arc::new(from_json(&row.definition)?))))
}

fn open_table(
    system: &Arc<TxnSystem>,
    row: ObjectRow,
    schema_name: String,
    stored: StoredTable,
    stored_indexes: Vec<(Oid, String, StoredIndex)>,
) -> SqlResult<TableDef> {
    let rows = system.open_tree(TreeId(stored.rows_tree))?;
    let overflow = system.open_tree(TreeId(stored.overflow_tree))?;
    let counters = TableCounters::open(&rows, &overflow)?;
    let columns: Vec<ColumnDef> = stored
        .columns
        .into_iter()
        .enumerate()
        .map(|(position, column)| column.into_column(position))
        .collect::<SqlResult<_>>()?;
    let mut indexes = Vec::with_capacity(stored_indexes.len());
    let mut stores = Vec::with_capacity(stored_indexes.len());
    for (position, (oid, name, index)) in stored_indexes.into_iter().enumerate() {
        let tree = system.open_tree(TreeId(index.tree))?;
        let of_table = |column: &StoredKeyColumn| column.over(&columns, index.computation.as_ref());
        let key: Vec<KeyColumn> = index.key.iter().map(of_table).collect::<SqlResult<_>>()?;
        stores.push(Arc::new(IndexStore {
            nulls_not_distinct: index.nulls_not_distinct,
            ..IndexStore::over_columns(oid, tree, index.unique, key.clone())
        }));
        indexes.push(Arc::new(IndexDef {
            oid,
            name,
            unique: index.unique,
            primary: index.primary,
            constraint: index.constraint,
            nulls_not_distinct: index.nulls_not_distinct,
            key,
            options: index.key.iter().map(|column| column.options).collect(),
            included: index.included,
            computation: index.computation.map(Arc::new),
            settings: index.settings,
            position,
        }));
    }
    let store = Arc::new(TableStore {
        id: row.oid,
        rows,
        overflow,
        columns: columns.iter().map(|column| column.ty).collect(),
        missing: columns.iter().map(|column| column.missing.clone().unwrap_or(Datum::Null)).collect(),
        indexes: stores,
        counters,
    });
    Ok(TableDef {
        oid: row.oid,
        schema: row.parent,
        schema_name,
        name: row.name,
        owner: stored.owner,
        columns,
        indexes,
        checks: stored.checks,
        on_commit: stored.on_commit,
        materialized: stored.materialized.map(Arc::new),
        settings: stored.settings,
        store,
        version: stored.version,
        statistics: None,
    })
}

/// Gives the indexes over expressions their functions.
fn bind_indexes(table: TableDef, binder: &dyn IndexBinder, catalog: &Snapshot) -> TableDef {
    if table.indexes.iter().all(|index| index.is_plain()) {
        return table;
    }
    let table = Arc::new(table);
    let mut store = TableStore::clone(&table.store);
    for index in table.indexes.iter().filter(|index| !index.is_plain()) {
        let function: Arc<dyn Computation> = binder.bind(&table, index, catalog).unwrap_or_else(|error| {
            tracing::error!(index = index.name, %error, "the expressions of an index do not bind");
            Arc::new(Unbound(error))
        });
        if let Some(own) = store.indexes.get_mut(index.position) {
            let tree = own.tree.clone();
            *own = Arc::new(IndexStore { computation: Some(function), ..own.over_tree(tree) });
        }
    }
    TableDef { store: Arc::new(store), ..TableDef::clone(&table) }
}
