//! What is said of tables, columns and indexes without changing what a query gives: storage parameters and the like.
//!
//! They are kept and shown (`pg_class.reloptions` and its neighbours); docs/compat.md says which of them do something.

use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

/// Names and values, in the order in which they were set.
pub type Parameters = Vec<(String, String)>;

/// Those of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSettings {
    /// WITH (...) and SET (...).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Parameters,
    #[serde(default)]
    pub replica_identity: ReplicaIdentity,
    /// UNLOGGED: kept and shown; the table is as durable as others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
}

/// What identifies a changed row to who follows the changes of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaIdentity {
    /// The primary key.
    #[default]
    Default,
    Nothing,
    Full,
    /// An index, by number.
    Index(Oid),
}

/// Those of a column; `None` leaves the default of its type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSettings {
    /// `p`, `e`, `m` or `x`, as in `pg_attribute.attstorage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<char>,
    /// `p` for pglz, `l` for lz4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics_target: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Parameters,
}

/// Those of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSettings {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Parameters,
    /// CLUSTER goes by it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clustered: bool,
    /// Statistics targets of its columns, by their number from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics_targets: Vec<(i16, i32)>,
}

/// Whether a setting has its default, so that it need not be stored.
pub(crate) fn is_default<T: Default + PartialEq>(settings: &T) -> bool {
    *settings == T::default()
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn is_true(flag: &bool) -> bool {
    *flag
}
