//! The table in which the catalog itself is stored: one row for each object.
//!
//! ```text
//! database oid | space int2 | oid oid | parent oid | name text | definition text (JSON, see stored.rs)
//! unique (database, space, oid)  unique (database, space, parent, name)
//! ```
//!
//! Tables, indexes and sequences share the space `Relation`, so the second index is what keeps two
//! transactions from taking one name. The trees have fixed numbers, so that they can be found at start.
//! What all databases share has the database number 0: the space says so ([`Space::is_shared`]).

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use nqdb_sqlstate::{DATA_CORRUPTED, INTERNAL_ERROR, SqlError};
use nqdb_txn::{
    Direction, IndexStore, Modified, Newest, ReadView, Result, RowId, RowImage, RowVersion, TableCounters, TableStore,
    Transaction, TreeId, TxnError, TxnSystem, Wait,
};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid, Type};

const ROWS_TREE: TreeId = TreeId(10);
const OVERFLOW_TREE: TreeId = TreeId(11);
const BY_OID_TREE: TreeId = TreeId(12);
const BY_NAME_TREE: TreeId = TreeId(13);
/// The number under which purge and locks know the table.
const OBJECTS_OID: Oid = 1;
const BY_OID: usize = 0;

/// What kind of names an object's name competes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Schema = 1,
    Relation = 2,
    Role = 3,
    Statistics = 4,
    Comment = 5,
    Access = 6,
    DefaultAccess = 7,
    Membership = 8,
    RoleSettings = 9,
    Type = 10,
    Database = 64,
    /// Access lists of shared objects.
    SharedAccess = 65,
    /// Comments on shared objects.
    SharedComment = 66,
}

/// Which definition the row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Kind {
    Schema,
    Table,
    Index,
    Sequence,
    View,
    Role,
    Statistics,
    Comment,
    Access,
    DefaultAccess,
    Membership,
    RoleSettings,
    Type,
    Database,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRow {
    pub space: Space,
    pub oid: Oid,
    pub parent: Oid,
    pub name: String,
    pub kind: Kind,
    pub definition: String,
}

/// The table of objects, as one database looks at it: its own objects and the shared ones.
#[derive(Clone)]
pub(crate) struct Objects {
    system: Arc<TxnSystem>,
    store: Arc<TableStore>,
    database: Oid,
}

fn columns() -> Vec<Type> {
    vec![Type::OID, Type::INT2, Type::OID, Type::OID, Type::TEXT, Type::TEXT, Type::TEXT]
}

fn key(positions: &[usize]) -> Vec<KeyColumn> {
    let types = columns();
    positions
        .iter()
        .map(|position| KeyColumn { column: *position, ty: types[*position], descending: false, nulls_first: false })
        .collect()
}

impl Objects {
    /// Opens the table, whose trees every data directory has (`nqdb_txn::SYSTEM_TREES`), for the shared objects.
    pub(crate) fn open(system: &Arc<TxnSystem>) -> Result<Objects> {
        let rows = system.open_tree(ROWS_TREE)?;
        let overflow = system.open_tree(OVERFLOW_TREE)?;
        let counters = TableCounters::open(&rows, &overflow)?;
        let index = |id: Oid, tree: TreeId, positions: &[usize]| -> Result<Arc<IndexStore>> {
            let tree = system.open_tree(tree)?;
            Ok(Arc::new(IndexStore::over_columns(id, tree, true, key(positions))))
        };
        let store = Arc::new(TableStore {
            id: OBJECTS_OID,
            indexes: vec![index(2, BY_OID_TREE, &[0, 1, 2])?, index(3, BY_NAME_TREE, &[0, 1, 3, 4])?],
            rows,
            overflow,
            missing: vec![Datum::Null; columns().len()],
            columns: columns(),
            followed: false,
            counters,
        });
        system.register_table(store.clone());
        Ok(Objects { system: system.clone(), store, database: 0 })
    }

    /// The same table as another database looks at it.
    pub(crate) fn of_database(&self, database: Oid) -> Objects {
        Objects { database, ..self.clone() }
    }

    /// The database number in the rows of a space.
    fn database_of(&self, space: Space) -> Oid {
        if space.is_shared() { 0 } else { self.database }
    }

    pub(crate) fn store(&self) -> &Arc<TableStore> {
        &self.store
    }

    /// Adds an object. A name that is taken is [`TxnError::UniqueViolation`].
    pub(crate) fn insert(&self, txn: &mut Transaction, object: &ObjectRow) -> Result<()> {
        self.store.insert(txn, &object.to_datums(self.database_of(object.space))).map(|_| ())
    }

    /// Writes a new definition (and name) of an object that exists.
    pub(crate) fn replace(&self, txn: &mut Transaction, object: &ObjectRow) -> Result<()> {
        let new = object.to_datums(self.database_of(object.space));
        self.change(txn, object.space, object.oid, |store, txn, row, seen| store.update(txn, row, seen, &new))
    }

    /// Writes an object whether it exists or not.
    pub(crate) fn put(&self, txn: &mut Transaction, object: &ObjectRow) -> Result<()> {
        match self.find(txn, object.space, object.oid)? {
            Some(_) => self.replace(txn, object),
            None => self.insert(txn, object),
        }
    }

    pub(crate) fn remove(&self, txn: &mut Transaction, space: Space, oid: Oid) -> Result<()> {
        self.change(txn, space, oid, |store, txn, row, seen| store.delete(txn, row, seen))
    }

    /// Removes an object that may not exist.
    pub(crate) fn remove_if_there(&self, txn: &mut Transaction, space: Space, oid: Oid) -> Result<()> {
        match self.find(txn, space, oid)? {
            Some(_) => self.remove(txn, space, oid),
            None => Ok(()),
        }
    }

    /// Applies `modify` to the newest version of the object's row. The caller holds the object's lock, so that no other
    /// transaction changes the row meanwhile.
    fn change(
        &self,
        txn: &mut Transaction,
        space: Space,
        oid: Oid,
        modify: impl Fn(&TableStore, &mut Transaction, RowId, RowVersion) -> Result<Modified>,
    ) -> Result<()> {
        let Some(row) = self.find(txn, space, oid)? else { return Err(self.not_visible(space, oid)) };
        let seen = match self.store.read_newest(txn, row, |_, version| version)? {
            Newest::Row(version) => version,
            Newest::Gone => return Err(lost(space, oid)),
            Newest::InFlight(wait) => return Err(TxnError::Wait(wait)),
        };
        // The same object may change more than once in one statement (ALTER TABLE with several clauses).
        txn.continue_statement();
        match modify(&self.store, txn, row, seen)? {
            Modified::Done => Ok(()),
            Modified::Changed | Modified::Gone | Modified::OwnStatement => Err(lost(space, oid)),
        }
    }

    /// The row of an object: this transaction's own, or the newest committed one, whose commit may be about to be synced: it
    /// gave the lock on the object up before.
    fn find(&self, txn: &Transaction, space: Space, oid: Oid) -> Result<Option<RowId>> {
        let key = [Datum::Oid(self.database_of(space)), Datum::Int2(space as i16), Datum::Oid(oid)];
        let prefix = self.store.indexes[BY_OID].key_prefix(&key);
        for view in [txn.view_with_own_writes(), txn.appended_view()] {
            let upper = IndexStore::prefix_end(&prefix);
            let lower = Bound::Included(prefix.clone());
            let mut scan = self.store.index_scan(BY_OID, view, lower, upper, Direction::Forward);
            let mut found = None;
            while found.is_none()
                && scan.next_batch(&mut |row, _, _| {
                    found = Some(row);
                    ControlFlow::Break(())
                })?
            {}
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Why an object that the published catalog has is not found: its commit is not synced yet, so no view sees it.
    fn not_visible(&self, space: Space, oid: Oid) -> TxnError {
        let engine = self.system.engine();
        let end = engine.log_end();
        if engine.flushed_lsn() < end { TxnError::Wait(Wait::Log(end)) } else { lost(space, oid) }
    }

    /// Removes all objects of the database.
    pub(crate) fn remove_all(&self, txn: &mut Transaction) -> Result<()> {
        for (database, object) in self.load(txn.view_with_own_writes())? {
            if database == self.database {
                self.remove(txn, object.space, object.oid)?;
            }
        }
        Ok(())
    }

    /// All objects that a view sees, each with its database.
    pub(crate) fn load(&self, view: ReadView) -> Result<Vec<(Oid, ObjectRow)>> {
        let mut objects = Vec::new();
        let mut failure = None;
        let mut scan = self.store.scan(view, RowId(0)..RowId(u64::MAX), Direction::Forward);
        while scan.next_batch(&mut |_, _, image| match ObjectRow::read(&image) {
            Ok(object) => {
                objects.push(object);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })? && failure.is_none()
        {}
        match failure {
            Some(error) => Err(error),
            None => Ok(objects),
        }
    }
}

impl ObjectRow {
    fn to_datums(&self, database: Oid) -> Vec<Datum> {
        let kind = serde_json::to_string(&self.kind).expect("a word always serializes");
        vec![
            Datum::Oid(database),
            Datum::Int2(self.space as i16),
            Datum::Oid(self.oid),
            Datum::Oid(self.parent),
            Datum::Text(self.name.as_str().into()),
            Datum::Text(kind.trim_matches('"').into()),
            Datum::Text(self.definition.as_str().into()),
        ]
    }

    fn read(image: &RowImage<'_>) -> Result<(Oid, ObjectRow)> {
        let datums = image.datums()?;
        match datums.as_slice() {
            [
                Datum::Oid(database),
                Datum::Int2(space),
                Datum::Oid(oid),
                Datum::Oid(parent),
                Datum::Text(name),
                Datum::Text(kind),
                Datum::Text(definition),
            ] => {
                let object = ObjectRow {
                    space: Space::from_number(*space).ok_or_else(damaged)?,
                    oid: *oid,
                    parent: *parent,
                    name: name.to_string(),
                    kind: serde_json::from_str(&format!("\"{kind}\"")).map_err(|_| damaged())?,
                    definition: definition.to_string(),
                };
                Ok((*database, object))
            }
            _ => Err(damaged()),
        }
    }
}

impl Space {
    /// Whether its objects belong to all databases.
    fn is_shared(self) -> bool {
        matches!(
            self,
            Space::Role
                | Space::Membership
                | Space::RoleSettings
                | Space::Database
                | Space::SharedAccess
                | Space::SharedComment
        )
    }

    fn from_number(number: i16) -> Option<Space> {
        const ALL: [Space; 13] = [
            Space::Schema,
            Space::Relation,
            Space::Role,
            Space::Statistics,
            Space::Comment,
            Space::Access,
            Space::DefaultAccess,
            Space::Membership,
            Space::RoleSettings,
            Space::Type,
            Space::Database,
            Space::SharedAccess,
            Space::SharedComment,
        ];
        ALL.into_iter().find(|space| *space as i16 == number)
    }
}

fn damaged() -> TxnError {
    SqlError::new(DATA_CORRUPTED, "a catalog row is damaged").into()
}

fn lost(space: Space, oid: Oid) -> TxnError {
    SqlError::new(INTERNAL_ERROR, format!("cache lookup failed for {space:?} {oid}")).into()
}
