//! What the catalog knows of each object, as the rest of the server sees it.
//!
//! Definitions are immutable and shared as `Arc`s: a change makes a successor with a higher `version`.
//! Expressions (defaults, checks) are kept as SQL text and are bound by whoever runs them.

use std::sync::Arc;

use nqdb_txn::TableStore;
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid, Type};
use serde::{Deserialize, Serialize};

use crate::channel::KeptChannel;
use crate::foreign_key::{Deferral, ForeignKeyDef};
use crate::published::PublishedChanges;
use crate::settings::{ColumnSettings, IndexSettings, TableSettings, is_false, is_true, yes};
use crate::view::{Materialized, ViewDef};

/// A namespace of relations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaDef {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}

/// The prefix of the schemas in which sessions keep their temporary objects: `pg_temp_` and the session's number.
pub const TEMPORARY_SCHEMA_PREFIX: &str = "pg_temp_";

impl SchemaDef {
    /// Whether it holds the temporary objects of one session.
    pub fn is_temporary(&self) -> bool {
        self.name.starts_with(TEMPORARY_SCHEMA_PREFIX)
    }
}

/// What a commit does to a temporary table (manual, CREATE TABLE ... ON COMMIT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnCommit {
    #[default]
    PreserveRows,
    DeleteRows,
    Drop,
}

/// A table: its columns, constraints and indexes, and the trees that hold its rows.
#[derive(Clone, Debug)]
pub struct TableDef {
    pub oid: Oid,
    pub schema: Oid,
    pub schema_name: String,
    pub name: String,
    pub owner: Oid,
    /// In physical order, dropped ones included: position = attribute number - 1.
    pub columns: Vec<ColumnDef>,
    /// In order of creation.
    pub indexes: Vec<Arc<IndexDef>>,
    pub checks: Vec<CheckDef>,
    /// In order of creation.
    pub foreign_keys: Vec<Arc<ForeignKeyDef>>,
    /// The foreign keys that refer to this table, its own ones among them, in order of creation. The snapshot that the
    /// table is in fills it in ([`crate::Snapshot`]).
    pub referenced_by: Vec<Arc<ForeignKeyDef>>,
    pub on_commit: OnCommit,
    /// There for a materialized view, which is a table whose rows a query gives.
    pub materialized: Option<Arc<Materialized>>,
    pub settings: TableSettings,
    /// There when its changes are sent to a channel.
    pub published: Option<Arc<PublishedChanges>>,
    /// There when its rows are the messages of a channel.
    pub channel: Option<Arc<KeptChannel>>,
    pub store: Arc<TableStore>,
    /// Grows with every change of this table.
    pub version: u64,
    pub statistics: Option<Arc<TableStatistics>>,
}

impl TableDef {
    /// Whether it belongs to one session and ends with it.
    pub fn is_temporary(&self) -> bool {
        self.schema_name.starts_with(TEMPORARY_SCHEMA_PREFIX)
    }

    /// The columns that were not dropped, with their positions in `columns`.
    pub fn live_columns(&self) -> impl Iterator<Item = (usize, &ColumnDef)> {
        self.columns.iter().enumerate().filter(|(_, column)| !column.dropped)
    }

    /// The position of a live column.
    pub fn column_named(&self, name: &str) -> Option<usize> {
        self.live_columns().find(|(_, column)| column.name == name).map(|(position, _)| position)
    }

    pub fn primary_key(&self) -> Option<&Arc<IndexDef>> {
        self.indexes.iter().find(|index| index.primary)
    }

    pub fn foreign_key_named(&self, name: &str) -> Option<&Arc<ForeignKeyDef>> {
        self.foreign_keys.iter().find(|key| key.name == name)
    }

    /// The number of the constraint of that name, index-backed or not.
    pub fn constraint_named(&self, name: &str) -> Option<Oid> {
        let check = self.checks.iter().find(|check| check.name == name).map(|check| check.oid);
        let foreign_key = || self.foreign_key_named(name).map(|key| key.oid);
        let index = || self.indexes.iter().find(|index| index.constraint && index.name == name).map(|index| index.oid);
        check.or_else(foreign_key).or_else(index)
    }

    /// The name of the constraint of that number.
    pub fn constraint_name(&self, oid: Oid) -> Option<&str> {
        let check = self.checks.iter().find(|check| check.oid == oid).map(|check| check.name.as_str());
        let foreign_key = || self.foreign_keys.iter().find(|key| key.oid == oid).map(|key| key.name.as_str());
        let is_index = |index: &&Arc<IndexDef>| index.constraint && index.oid == oid;
        let index = || self.indexes.iter().find(is_index).map(|index| index.name.as_str());
        check.or_else(foreign_key).or_else(index)
    }

    /// The positions of live columns that are named by number.
    pub fn positions_of(&self, attnums: &[i16]) -> Vec<usize> {
        attnums.iter().filter_map(|attnum| self.columns.iter().position(|column| column.attnum == *attnum)).collect()
    }

    /// Whether a constraint of the table, index-backed or not, bears the name.
    pub fn has_constraint_named(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name)
            || self.foreign_keys.iter().any(|key| key.name == name)
            || self.indexes.iter().any(|index| index.constraint && index.name == name)
    }
}

/// One column.
#[derive(Clone, Debug)]
pub struct ColumnDef {
    /// Counted from 1; never used again after a drop.
    pub attnum: i16,
    pub name: String,
    pub ty: Type,
    pub not_null: bool,
    /// SQL text of the default expression.
    pub default: Option<String>,
    pub identity: Option<Identity>,
    /// There when `default` is the expression of a generated column: the attribute numbers of the columns that it names.
    pub generated: Option<Vec<i16>>,
    /// The value in rows that are older than ADD COLUMN; NULL when `None`.
    pub missing: Option<Datum>,
    pub settings: ColumnSettings,
    pub dropped: bool,
}

/// GENERATED { ALWAYS | BY DEFAULT } AS IDENTITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub always: bool,
    /// The sequence that yields the values.
    pub sequence: Oid,
}

/// One index of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexDef {
    pub oid: Oid,
    pub name: String,
    pub unique: bool,
    pub primary: bool,
    /// Made by PRIMARY KEY or UNIQUE rather than by CREATE INDEX.
    pub constraint: bool,
    /// Of a constraint: when its key is checked.
    pub deferral: Deferral,
    /// NULLs count as equal where keys must be unique.
    pub nulls_not_distinct: bool,
    pub key: Vec<KeyColumn>,
    /// What was said of each part of the key besides its order, in the order of `key`.
    pub options: Vec<KeyOptions>,
    /// Positions of the columns of INCLUDE. Only the definition has them: entries do not.
    pub included: Vec<usize>,
    /// There when the key has expressions, or when the index is a partial one.
    pub computation: Option<Arc<IndexComputation>>,
    pub settings: IndexSettings,
    /// Position in [`TableStore::indexes`].
    pub position: usize,
}

impl IndexDef {
    /// Whether no two rows can have one key at any time, not only once a statement or a transaction is over.
    pub fn is_unique_at_once(&self) -> bool {
        self.unique && !self.deferral.is_deferrable()
    }

    /// Whether the key is columns of the table, and every row is in the index.
    pub fn is_plain(&self) -> bool {
        self.computation.is_none()
    }

    /// The condition of a partial index.
    pub fn predicate(&self) -> Option<&str> {
        self.computation.as_ref()?.predicate.as_deref()
    }

    /// The expression that a part of the key is.
    pub fn expression(&self, key: &KeyColumn) -> Option<&IndexExpression> {
        self.computation.as_ref()?.expressions.get(key.computed()?)
    }

    /// Whether the index goes with a column of its table.
    pub fn needs_column(&self, position: usize, attnum: i16) -> bool {
        self.key.iter().any(|key| key.column == position)
            || self.included.contains(&position)
            || self.computation.as_ref().is_some_and(|computation| computation.columns.contains(&attnum))
    }
}

/// Operator class and collation of a part of a key, where they were named: numbers in `pg_opclass` and `pg_collation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Oid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<Oid>,
}

/// The expressions of an index, over the columns of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexComputation {
    /// A part of the key is the expression number [`KeyColumn::computed`].
    pub expressions: Vec<IndexExpression>,
    /// SQL text of the condition that rows with an entry meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// Attribute numbers of the columns that expressions and condition name.
    pub columns: Vec<i16>,
    /// The search path under which the texts were written.
    pub search_path: Vec<Oid>,
}

/// An expression in a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexExpression {
    /// SQL text, without outer parentheses.
    pub text: String,
    /// The name of the index's column.
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
}

impl IndexExpression {
    pub fn ty(&self) -> Type {
        Type::with_typmod(self.type_oid, self.typmod)
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckDef {
    pub oid: Oid,
    pub name: String,
    /// SQL text, without the outer parentheses.
    pub expression: String,
    /// Attribute numbers of the columns that the expression names.
    pub columns: Vec<i16>,
    /// False while rows that were there before it may not meet it (NOT VALID).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub validated: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_inherit: bool,
}

/// A sequence's fixed properties; its value lives outside of transactions (`nqdb_txn::sequence`).
///
/// A value that is set by a definition, as RESTART does, rolls back with it: the sequence then draws from another counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceDef {
    pub oid: Oid,
    /// The number of the counter: the sequence's own at first, a new one after each restart.
    pub counter_id: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    /// int2, int4 or int8.
    pub data_type: Oid,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
    /// The column whose drop drops the sequence, and whether it is that column's identity.
    pub owned_by: Option<OwnedBy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedBy {
    pub table: Oid,
    pub attnum: i16,
    pub identity: bool,
}

/// A role; shared by all databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDef {
    pub oid: Oid,
    pub name: String,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_database: bool,
    pub can_login: bool,
    pub replication: bool,
    pub bypass_row_security: bool,
    /// Sessions at the same time; -1 for no limit.
    pub connection_limit: i32,
    /// A SCRAM-SHA-256 verifier as PostgreSQL writes it.
    pub password: Option<String>,
    /// Microseconds since 2000-01-01 UTC after which the password is refused.
    pub valid_until: Option<i64>,
}

/// What ANALYZE found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStatistics {
    pub table: Oid,
    /// Live rows when ANALYZE ran.
    pub rows: f64,
    /// One entry for each position in [`TableDef::columns`]; none for dropped columns.
    pub columns: Vec<Option<ColumnStatistics>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// 0.0 to 1.0.
    pub null_fraction: f64,
    /// As PostgreSQL's `n_distinct`: a number when positive, a fraction of the rows when negative.
    pub distinct: f64,
    pub average_width_bytes: f64,
}

/// COMMENT ON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentDef {
    pub oid: Oid,
    /// The number of the system catalog that the object is in, such as 1259 for `pg_class`.
    pub class: Oid,
    pub object: Oid,
    /// 0 for the object itself.
    pub column: i16,
    pub text: String,
}

/// What a relation's name can stand for.
#[derive(Clone, Debug)]
pub enum Relation {
    Table(Arc<TableDef>),
    /// A table and the position in its `indexes`.
    Index(Arc<TableDef>, usize),
    Sequence(Arc<SequenceDef>),
    View(Arc<ViewDef>),
}

impl Relation {
    pub fn oid(&self) -> Oid {
        match self {
            Relation::Table(table) => table.oid,
            Relation::Index(table, position) => table.indexes[*position].oid,
            Relation::Sequence(sequence) => sequence.oid,
            Relation::View(view) => view.oid,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Relation::Table(table) => &table.name,
            Relation::Index(table, position) => &table.indexes[*position].name,
            Relation::Sequence(sequence) => &sequence.name,
            Relation::View(view) => &view.name,
        }
    }

    pub fn schema(&self) -> Oid {
        match self {
            Relation::Table(table) | Relation::Index(table, _) => table.schema,
            Relation::Sequence(sequence) => sequence.schema,
            Relation::View(view) => view.schema,
        }
    }

    pub fn owner(&self) -> Oid {
        match self {
            Relation::Table(table) | Relation::Index(table, _) => table.owner,
            Relation::Sequence(sequence) => sequence.owner,
            Relation::View(view) => view.owner,
        }
    }

    /// How many columns its rows have, dropped ones included; `None` for what has no rows.
    pub fn row_columns_max(&self) -> Option<usize> {
        match self {
            Relation::Table(table) => Some(table.columns.len()),
            Relation::View(view) => Some(view.columns.len()),
            Relation::Index(..) | Relation::Sequence(_) => None,
        }
    }

    /// The word of PostgreSQL's messages.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Relation::Table(table) if table.materialized.is_some() => "materialized view",
            Relation::Table(_) => "table",
            Relation::View(_) => "view",
            Relation::Index(..) => "index",
            Relation::Sequence(_) => "sequence",
        }
    }
}
