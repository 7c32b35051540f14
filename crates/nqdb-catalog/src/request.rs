//! What DDL asks for, after names and types are resolved and expressions checked.

use nqdb_types::{Datum, Oid, Type};

use crate::definition::{IndexComputation, KeyOptions, OnCommit};
use crate::foreign_key::{Deferral, ReferentialAction};
use crate::settings::{ColumnSettings, Parameters, TableSettings};
use crate::view::{Materialized, StoredQuery, ViewColumn};

/// CREATE TABLE.
#[derive(Clone, Debug)]
pub struct NewTable {
    pub schema: Oid,
    pub name: String,
    pub columns: Vec<NewColumn>,
    pub constraints: Vec<NewConstraint>,
    /// Matters in a temporary schema only.
    pub on_commit: OnCommit,
    /// There for a materialized view.
    pub materialized: Option<Materialized>,
    pub settings: TableSettings,
}

/// CREATE VIEW.
#[derive(Clone, Debug)]
pub struct NewView {
    pub schema: Oid,
    pub name: String,
    pub columns: Vec<ViewColumn>,
    pub query: StoredQuery,
    /// As in [`crate::ViewDef::options`].
    pub options: Vec<(String, String)>,
}

/// A column of CREATE TABLE or ADD COLUMN.
#[derive(Clone, Debug)]
pub struct NewColumn {
    pub name: String,
    pub ty: Type,
    pub not_null: bool,
    /// SQL text of the default expression.
    pub default: Option<String>,
    /// serial or identity: a sequence that is made with the column and owned by it.
    pub sequence: Option<NewColumnSequence>,
    /// ADD COLUMN: the value for rows that exist already.
    pub missing: Option<Datum>,
    pub settings: ColumnSettings,
}

impl NewTable {
    /// A table of nothing but columns.
    pub fn plain(schema: Oid, name: &str, columns: Vec<NewColumn>) -> NewTable {
        let (name, constraints) = (name.to_owned(), Vec::new());
        NewTable {
            schema,
            name,
            columns,
            constraints,
            on_commit: OnCommit::PreserveRows,
            materialized: None,
            settings: TableSettings::default(),
        }
    }
}

impl NewColumn {
    /// A column of a name and a type.
    pub fn plain(name: &str, ty: Type) -> NewColumn {
        NewColumn {
            name: name.to_owned(),
            ty,
            not_null: false,
            default: None,
            sequence: None,
            missing: None,
            settings: ColumnSettings::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct NewColumnSequence {
    pub kind: ColumnSequenceKind,
    pub options: SequenceOptions,
    /// Schema and name; without them it stands beside the table, under a name made of the table's and the column's.
    pub place: Option<(Oid, String)>,
}

impl NewColumnSequence {
    /// The sequence of a serial column.
    pub fn serial() -> NewColumnSequence {
        NewColumnSequence { kind: ColumnSequenceKind::Serial, options: SequenceOptions::default(), place: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnSequenceKind {
    /// The column's default becomes `nextval(sequence)`.
    Serial,
    Identity {
        always: bool,
    },
}

#[derive(Clone, Debug)]
pub enum NewConstraint {
    Check(NewCheck),
    Key(NewKey),
    ForeignKey(NewForeignKey),
}

#[derive(Clone, Debug)]
pub struct NewCheck {
    pub name: Option<String>,
    pub expression: String,
    /// Those that the expression names; one alone becomes part of a generated name.
    pub columns: Vec<String>,
    /// Rows that are there already were looked at.
    pub validated: bool,
    pub no_inherit: bool,
}

/// FOREIGN KEY. That its columns fit those that it refers to was seen by the caller, under the locks of both tables.
#[derive(Clone, Debug)]
pub struct NewForeignKey {
    pub name: Option<String>,
    /// Attribute numbers.
    pub columns: Vec<i16>,
    pub referenced: Oid,
    pub referenced_columns: Vec<i16>,
    /// The unique index of the table that is referred to.
    pub index: Oid,
    pub match_full: bool,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    /// Columns of ON DELETE SET NULL or SET DEFAULT; all when it is empty.
    pub delete_columns: Vec<i16>,
    pub deferral: Deferral,
    /// Rows that are there already were looked at.
    pub validated: bool,
}

/// PRIMARY KEY or UNIQUE.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    pub name: Option<String>,
    pub primary: bool,
    pub columns: Vec<String>,
    /// Columns of INCLUDE.
    pub included: Vec<String>,
    pub nulls_not_distinct: bool,
    pub deferral: Deferral,
    /// Storage parameters of the index.
    pub parameters: Parameters,
}

/// CREATE INDEX.
#[derive(Clone, Debug)]
pub struct NewIndex {
    pub table: Oid,
    pub name: Option<String>,
    pub unique: bool,
    pub nulls_not_distinct: bool,
    pub key: Vec<NewKeyColumn>,
    /// Columns of INCLUDE.
    pub included: Vec<String>,
    /// There when the key has expressions or the index has a condition.
    pub computation: Option<IndexComputation>,
    /// Storage parameters.
    pub parameters: Parameters,
}

impl NewIndex {
    /// An index over columns.
    pub fn over_columns(table: Oid, name: Option<String>, unique: bool, key: Vec<NewKeyColumn>) -> NewIndex {
        NewIndex {
            table,
            name,
            unique,
            nulls_not_distinct: false,
            key,
            included: Vec::new(),
            computation: None,
            parameters: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct NewKeyColumn {
    pub part: NewKeyPart,
    pub descending: bool,
    pub nulls_first: bool,
    pub options: KeyOptions,
}

impl NewKeyColumn {
    /// A column in ascending order.
    pub fn column(name: &str) -> NewKeyColumn {
        let part = NewKeyPart::Column(name.to_owned());
        NewKeyColumn { part, descending: false, nulls_first: false, options: KeyOptions::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewKeyPart {
    Column(String),
    /// The number of an expression in [`NewIndex::computation`].
    Expression(usize),
}

/// The clauses of CREATE and ALTER SEQUENCE; `None` keeps the default or the present value.
#[derive(Clone, Debug, Default)]
pub struct SequenceOptions {
    pub data_type: Option<Oid>,
    pub increment: Option<i64>,
    /// `Some(None)` is NO MINVALUE.
    pub min: Option<Option<i64>>,
    pub max: Option<Option<i64>>,
    pub start: Option<i64>,
    pub cache: Option<i64>,
    pub cycle: Option<bool>,
    /// `Some(None)` is OWNED BY NONE.
    pub owned_by: Option<Option<(Oid, i16)>>,
}

/// CREATE DOMAIN.
#[derive(Clone, Debug)]
pub struct NewDomain {
    pub schema: Oid,
    pub name: String,
    pub base: Type,
    pub not_null: bool,
    /// SQL text of the default expression.
    pub default: Option<String>,
    pub collate_c: bool,
    /// Name, if one was given, and SQL text.
    pub checks: Vec<(Option<String>, String)>,
}

/// Where ALTER TYPE ... ADD VALUE puts a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelPlace {
    Last,
    Before(String),
    After(String),
}

/// CREATE ROLE and ALTER ROLE; `None` keeps the default or the present value.
#[derive(Clone, Debug, Default)]
pub struct RoleOptions {
    pub superuser: Option<bool>,
    pub inherit: Option<bool>,
    pub create_role: Option<bool>,
    pub create_database: Option<bool>,
    pub can_login: Option<bool>,
    pub replication: Option<bool>,
    pub bypass_row_security: Option<bool>,
    pub connection_limit: Option<i32>,
    /// `Some(None)` is PASSWORD NULL; the text is a verifier already.
    pub password: Option<Option<String>>,
    pub valid_until: Option<i64>,
}

/// Whether a drop takes dependent objects along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropBehavior {
    Restrict,
    Cascade,
}

/// CREATE DATABASE.
#[derive(Clone, Debug)]
pub struct NewDatabase {
    pub name: String,
    pub owner: Oid,
    /// The database that it is a copy of.
    pub template: Oid,
    pub is_template: bool,
    pub allow_connections: bool,
    /// -1 for no limit.
    pub connection_limit: i32,
}

/// ALTER DATABASE: what is to be another.
#[derive(Clone, Debug, Default)]
pub struct DatabaseChange {
    pub name: Option<String>,
    pub owner: Option<Oid>,
    pub is_template: Option<bool>,
    pub allow_connections: Option<bool>,
    pub connection_limit: Option<i32>,
}
