//! What a system relation is: numbers, columns, and where its rows come from.
//!
//! [`relation!`] declares one. With `rows` it also makes a struct with a field for each column, so that the code that fills a
//! row names what it sets; a field that is not set is NULL.

use nqdb_catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, Type, oid};

use super::context::{SystemContext, SystemRows};
use column_types::{CARDINAL_NUMBER, CHARACTER_DATA, SQL_IDENTIFIER, TIME_STAMP, YES_OR_NO};

/// A relation of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub struct SystemRelation {
    pub oid: Oid,
    pub schema: Oid,
    pub name: &'static str,
    /// `pg_class.reltype`.
    pub row_type: Oid,
    pub kind: SystemKind,
    pub columns: &'static [SystemColumn],
    pub(crate) source: Source,
}

/// What PostgreSQL has under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemKind {
    Table,
    /// A table that all databases share.
    SharedTable,
    /// A table that only superusers may read.
    PrivateTable,
    /// One that all databases share and only superusers may read.
    PrivateSharedTable,
    View,
    /// A view that only superusers may read.
    PrivateView,
}

/// A column; its attribute number is its position plus 1.
#[derive(Clone, Copy, Debug)]
pub struct SystemColumn {
    pub name: &'static str,
    /// As `pg_attribute` shows it; one of the domains of `information_schema` there.
    pub type_oid: Oid,
    pub not_null: bool,
}

/// Where the rows come from.
pub(crate) enum Source {
    /// There are none.
    Nothing,
    /// A function puts them together. `keys` are columns by which it finds rows without making all of them.
    Rows { keys: &'static [&'static str], rows: RowsOf },
    /// A query over other system relations.
    Query(&'static str),
}

/// Puts the rows of a relation together.
pub(crate) type RowsOf = fn(&SystemContext<'_>, &mut SystemRows<'_>) -> SqlResult<()>;

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Nothing => "Nothing",
            Source::Rows { .. } => "Rows",
            Source::Query(_) => "Query",
        })
    }
}

impl SystemRelation {
    /// The name of its schema.
    pub fn schema_name(&self) -> &'static str {
        if self.schema == PG_CATALOG_OID { "pg_catalog" } else { "information_schema" }
    }

    /// Whether PostgreSQL has a view under the name.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, SystemKind::View | SystemKind::PrivateView)
    }

    pub fn is_shared(&self) -> bool {
        matches!(self.kind, SystemKind::SharedTable | SystemKind::PrivateSharedTable)
    }

    /// Whether only superusers may read it.
    pub fn is_private(&self) -> bool {
        matches!(self.kind, SystemKind::PrivateTable | SystemKind::PrivateSharedTable | SystemKind::PrivateView)
    }

    /// The position of a column.
    pub fn column_named(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl SystemColumn {
    /// The type of its values: a domain's base type.
    pub fn value_type(&self) -> Type {
        match self.type_oid {
            SQL_IDENTIFIER => Type::NAME,
            CHARACTER_DATA => Type::VARCHAR,
            CARDINAL_NUMBER => Type::INT4,
            YES_OR_NO => Type::varchar(3),
            TIME_STAMP => Type::with_typmod(oid::TIMESTAMPTZ, 2),
            type_oid => Type::new(type_oid),
        }
    }
}

/// What columns may be of: the types, and the domains of `information_schema` as numbered by PostgreSQL 15.
pub(super) mod column_types {
    pub(crate) use nqdb_types::oid::*;

    pub(crate) const CARDINAL_NUMBER: u32 = 13221;
    pub(crate) const CHARACTER_DATA: u32 = 13224;
    pub(crate) const SQL_IDENTIFIER: u32 = 13226;
    pub(crate) const TIME_STAMP: u32 = 13232;
    pub(crate) const YES_OR_NO: u32 = 13234;
}

/// The schema of a relation by the first word of its declaration.
pub(super) const fn schema_oid(is_catalog: bool) -> Oid {
    if is_catalog { PG_CATALOG_OID } else { INFORMATION_SCHEMA_OID }
}

/// A row of one relation, in the order of its columns.
pub(crate) trait SystemRow {
    fn into_values(self) -> Vec<Datum>;
}

/// Declares a system relation: see the file's story.
macro_rules! relation {
    ($(#[$doc:meta])* $constant:ident = $name:literal $oid:literal, row_type $row_type:literal, $kind:ident,
     keys [$($key:literal),*], rows $rows:path;
     $row:ident { $($column:ident: $ty:ident $null:ident),* $(,)? }) => {
        #[derive(Default)]
        pub(super) struct $row {
            $(pub $column: ::nqdb_types::Datum),*
        }

        impl $crate::system::relation::SystemRow for $row {
            fn into_values(self) -> Vec<::nqdb_types::Datum> {
                vec![$(self.$column),*]
            }
        }

        $(#[$doc])*
        pub(crate) static $constant: $crate::system::SystemRelation = $crate::system::SystemRelation {
            oid: $oid,
            schema: $crate::system::relation::schema_oid(true),
            name: $name,
            row_type: $row_type,
            kind: $crate::system::relation::SystemKind::$kind,
            columns: $crate::system::relation::columns!($($column: $ty $null),*),
            source: $crate::system::Source::Rows { keys: &[$($key),*], rows: $rows },
        };
    };
    ($(#[$doc:meta])* $constant:ident = $name:literal $oid:literal, row_type $row_type:literal, $kind:ident, empty;
     { $($column:ident: $ty:ident $null:ident),* $(,)? }) => {
        $(#[$doc])*
        pub(super) static $constant: $crate::system::SystemRelation = $crate::system::SystemRelation {
            oid: $oid,
            schema: $crate::system::relation::schema_oid(true),
            name: $name,
            row_type: $row_type,
            kind: $crate::system::relation::SystemKind::$kind,
            columns: $crate::system::relation::columns!($($column: $ty $null),*),
            source: $crate::system::Source::Nothing,
        };
    };
    ($(#[$doc:meta])* $constant:ident = $name:literal $oid:literal, row_type $row_type:literal, $schema:ident $kind:ident,
     nothing;
     { $($column:ident: $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        pub(super) static $constant: $crate::system::SystemRelation = $crate::system::SystemRelation {
            oid: $oid,
            schema: $crate::system::relation::schema_oid(
                matches!(stringify!($schema).as_bytes(), b"pg_catalog")
            ),
            name: $name,
            row_type: $row_type,
            kind: $crate::system::relation::SystemKind::$kind,
            columns: $crate::system::relation::columns!($($column: $ty nullable),*),
            source: $crate::system::Source::Nothing,
        };
    };
    ($(#[$doc:meta])* $constant:ident = $name:literal $oid:literal, row_type $row_type:literal, $schema:ident $kind:ident,
     query $query:expr;
     { $($column:ident: $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        pub(super) static $constant: $crate::system::SystemRelation = $crate::system::SystemRelation {
            oid: $oid,
            schema: $crate::system::relation::schema_oid(
                matches!(stringify!($schema).as_bytes(), b"pg_catalog")
            ),
            name: $name,
            row_type: $row_type,
            kind: $crate::system::relation::SystemKind::$kind,
            columns: $crate::system::relation::columns!($($column: $ty nullable),*),
            source: $crate::system::Source::Query($query),
        };
    };
}

/// The columns of a relation.
macro_rules! columns {
    ($($column:ident: $ty:ident $null:ident),*) => {{
        use $crate::system::relation::column_types::*;
        &[$($crate::system::SystemColumn {
            name: stringify!($column),
            type_oid: $ty,
            not_null: $crate::system::relation::not_null!($null),
        }),*]
    }};
}

macro_rules! not_null {
    (not_null) => {
        true
    };
    (nullable) => {
        false
    };
}

pub(super) use {columns, not_null, relation};
