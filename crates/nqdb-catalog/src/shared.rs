//! What all databases of a server share: roles, databases, memberships, the settings of roles and databases, and the access
//! lists and comments of shared objects.
//!
//! 1. There is one newest state, and every database's snapshot points to it: a commit that changes it gives all databases new
//!    snapshots ([`crate::Cluster`]).
//! 2. Rows of shared objects have the database number 0.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

use crate::definition::{CommentDef, RoleDef};
use crate::rights::Granted;

/// A database: a catalog of its own over the trees that all databases share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseDef {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    /// Who may create databases may copy it.
    pub is_template: bool,
    pub allow_connections: bool,
    /// Sessions at the same time, superusers' not counted; -1 for no limit.
    pub connection_limit: i32,
}

/// PostgreSQL's number of the database `template1`.
pub const TEMPLATE1_DATABASE: Oid = 1;
/// PostgreSQL's number of the database `template0`.
pub const TEMPLATE0_DATABASE: Oid = 4;
/// PostgreSQL's number of the database `postgres`.
pub const POSTGRES_DATABASE: Oid = 5;

/// Whether the objects of a system catalog belong to all databases: `pg_authid`, `pg_database`, `pg_tablespace`.
pub fn is_shared_class(class: Oid) -> bool {
    matches!(class, 1260 | 1262 | 1213)
}

/// One state of what is shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub roles: HashMap<Oid, Arc<RoleDef>, RandomState>,
    pub role_names: HashMap<String, Oid, RandomState>,
    pub databases: BTreeMap<Oid, Arc<DatabaseDef>>,
    pub database_names: HashMap<String, Oid, RandomState>,
    pub comments: Comments,
    /// Memberships, settings, and the lists of shared objects.
    pub granted: Granted,
}

impl Shared {
    pub(crate) fn put_role(&mut self, role: &Arc<RoleDef>) {
        if let Some(old) = self.roles.insert(role.oid, role.clone()) {
            self.role_names.remove(&old.name);
        }
        self.role_names.insert(role.name.clone(), role.oid);
    }

    pub(crate) fn drop_role(&mut self, oid: Oid) {
        if let Some(old) = self.roles.remove(&oid) {
            self.role_names.remove(&old.name);
        }
    }

    pub(crate) fn put_database(&mut self, database: &Arc<DatabaseDef>) {
        if let Some(old) = self.databases.insert(database.oid, database.clone()) {
            self.database_names.remove(&old.name);
        }
        self.database_names.insert(database.name.clone(), database.oid);
    }

    pub(crate) fn drop_database(&mut self, oid: Oid) {
        if let Some(old) = self.databases.remove(&oid) {
            self.database_names.remove(&old.name);
        }
    }
}

/// What COMMENT ON said, by its own number and by what it is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comments {
    by_oid: HashMap<Oid, Arc<CommentDef>, RandomState>,
    /// By class, object and column.
    places: HashMap<(Oid, Oid, i16), Oid, RandomState>,
}

impl Comments {
    pub(crate) fn get(&self, class: Oid, object: Oid, column: i16) -> Option<&Arc<CommentDef>> {
        self.by_oid.get(self.places.get(&(class, object, column))?)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<CommentDef>> {
        self.by_oid.values()
    }

    pub(crate) fn put(&mut self, comment: &Arc<CommentDef>) {
        self.places.insert((comment.class, comment.object, comment.column), comment.oid);
        self.by_oid.insert(comment.oid, comment.clone());
    }

    pub(crate) fn has(&self, oid: Oid) -> bool {
        self.by_oid.contains_key(&oid)
    }

    pub(crate) fn remove(&mut self, oid: Oid) {
        if let Some(old) = self.by_oid.remove(&oid) {
            self.places.remove(&(old.class, old.object, old.column));
        }
    }
}
