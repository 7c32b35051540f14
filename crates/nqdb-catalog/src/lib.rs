//! The catalogs of all databases: schemas, tables, indexes, sequences and types of each, roles and databases shared, stored as
//! rows in the same trees as everything else.
//!
//! What always holds:
//! 1. The stored rows are the truth. [`Snapshot`] is derived from them at start and kept up by every commit.
//! 2. DDL is transactional: a change is a row change plus an entry in the transaction's [`Draft`], and both
//!    become visible at the same commit or not at all.
//! 3. Whoever changes an object holds its relation lock; [`CatalogWriter`] takes it and looks the object up again.
//! 4. OIDs of users' objects start at 16384 and are never given out twice.
//!
//! Left out: what expressions mean (they are SQL text here), and pg_catalog, which is computed from snapshots.

mod bootstrap;
mod catalog;
pub mod channel;
mod cluster;
mod composite;
mod computation;
mod definition;
mod draft;
mod foreign_key;
mod load;
mod names;
mod objects;
mod password;
mod published;
mod renumber;
pub mod request;
pub mod rights;
mod settings;
mod shared;
mod snapshot;
mod stored;
mod user_type;
mod view;
mod writer;

pub use catalog::{Catalog, FIRST_USER_OID, INFORMATION_SCHEMA_OID, PG_CATALOG_OID, PUBLIC_SCHEMA_OID, SUPERUSER_OID};
pub use cluster::Cluster;
pub use composite::{CompositeAttribute, CompositeDef};
pub use computation::{IndexBinder, NoExpressions};
pub use definition::*;
pub use draft::{Draft, DraftMark};
pub use foreign_key::{Deferral, ForeignKeyDef, ReferentialAction};
pub use names::{NAME_BYTES_MAX, choose_name, clip};
pub use password::{ScramVerifier, stored_password};
pub use published::{CHANGE_CHANNEL_PREFIX, PublishRequest, PublishedChanges};
pub use settings::{ColumnSettings, IndexSettings, Parameters, ReplicaIdentity, TableSettings};
pub use shared::{DatabaseDef, POSTGRES_DATABASE, TEMPLATE0_DATABASE, TEMPLATE1_DATABASE, is_shared_class};
pub use snapshot::{Change, Snapshot};
pub use user_type::{
    DeclaredType, DomainCheck, DomainDef, LABELS_MAX, TypeDef, TypeDetails, TypesView, array_type_name,
    referenced_type, type_reference,
};
pub use view::{
    CheckOption, Materialized, NamedAttribute, NamedColumn, NamedRelation, NamedType, StoredQuery, ViewColumn, ViewDef,
};
pub use writer::{CatalogWriter, ObjectId, TypeChange};
