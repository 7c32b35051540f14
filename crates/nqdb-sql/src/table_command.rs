//! CREATE TABLE, ALTER TABLE and ALTER INDEX as they were written, before any name is looked up.

use nqdb_catalog::{Deferral, OnCommit, ReferentialAction};
use sqlparser::ast;

use crate::definition::{IndexText, Like, ObjectKind, QualifiedName};
use crate::statement::{NamedAt, SequenceClauses};

/// `name = value` or `name` of a WITH list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What stands in front of a point: `toast`.
    pub namespace: Option<String>,
    pub name: String,
    pub value: Option<String>,
}

/// CREATE TABLE over a list of columns.
#[derive(Clone, Debug)]
pub struct CreateTable {
    pub name: QualifiedName,
    pub temporary: bool,
    pub unlogged: bool,
    pub if_not_exists: bool,
    /// In the order of the list.
    pub items: Vec<TableItem>,
    pub parameters: Vec<Parameter>,
    pub on_commit: Option<OnCommit>,
    pub tablespace: Option<String>,
    /// USING.
    pub access_method: Option<String>,
}

#[derive(Clone, Debug)]
pub enum TableItem {
    Column(Box<ColumnItem>),
    Constraint(Box<TableConstraint>),
    Like(Like),
}

/// A column with its constraints.
#[derive(Clone, Debug)]
pub struct ColumnItem {
    pub definition: ast::ColumnDef,
    /// COMPRESSION.
    pub compression: Option<String>,
    /// What is said of its keys, in their order.
    pub keys: Vec<ColumnKey>,
    pub foreign_keys: Vec<ColumnReference>,
}

/// PRIMARY KEY or UNIQUE of a column.
#[derive(Clone, Debug, Default)]
pub struct ColumnKey {
    pub nulls_not_distinct: bool,
    pub deferral: Deferral,
    /// WITH (...).
    pub parameters: Vec<Parameter>,
}

/// A constraint that stands on its own.
#[derive(Clone, Debug)]
pub struct TableConstraint {
    pub name: Option<String>,
    pub kind: ConstraintKind,
    pub deferral: Deferral,
    pub not_valid: bool,
    pub no_inherit: bool,
}

#[derive(Clone, Debug)]
pub enum ConstraintKind {
    Key(KeyConstraint),
    /// PRIMARY KEY or UNIQUE USING INDEX.
    KeyOfIndex {
        primary: bool,
        index: String,
    },
    Check(Box<IndexText>),
    ForeignKey(Box<ForeignKeyConstraint>),
}

/// FOREIGN KEY (columns) REFERENCES ...
#[derive(Clone, Debug)]
pub struct ForeignKeyConstraint {
    pub columns: Vec<NamedAt>,
    pub references: References,
}

/// What follows REFERENCES.
#[derive(Clone, Debug)]
pub struct References {
    pub table: QualifiedName,
    /// None: those of the primary key.
    pub columns: Option<Vec<NamedAt>>,
    pub match_full: bool,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    /// Behind ON DELETE SET NULL or SET DEFAULT.
    pub delete_columns: Vec<NamedAt>,
}

/// REFERENCES with a column.
#[derive(Clone, Debug)]
pub struct ColumnReference {
    pub name: Option<String>,
    pub references: References,
    pub deferral: Deferral,
}

/// PRIMARY KEY or UNIQUE over columns.
#[derive(Clone, Debug)]
pub struct KeyConstraint {
    pub primary: bool,
    pub columns: Vec<NamedAt>,
    pub included: Vec<NamedAt>,
    pub nulls_not_distinct: bool,
    pub parameters: Vec<Parameter>,
    /// The token of the first column.
    pub column_token: Option<usize>,
}

/// ALTER TABLE and ALTER INDEX with actions.
#[derive(Clone, Debug)]
pub struct AlterTable {
    /// The kind that the statement names; ALTER TABLE takes others too.
    pub kind: ObjectKind,
    pub if_exists: bool,
    pub name: QualifiedName,
    pub actions: Vec<TableAction>,
}

#[derive(Clone, Debug)]
pub enum TableAction {
    AddColumn {
        if_not_exists: bool,
        column: Box<ColumnItem>,
    },
    DropColumn {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    AlterColumn {
        column: String,
        action: Box<ColumnAction>,
    },
    /// ALTER COLUMN by its number, of an index.
    AlterIndexColumn {
        number: i64,
        target: i64,
    },
    AddConstraint(Box<TableConstraint>),
    /// ALTER CONSTRAINT, of what only foreign keys have.
    AlterConstraint {
        name: String,
        deferral: Deferral,
    },
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    RenameConstraint {
        name: String,
        new_name: String,
    },
    ValidateConstraint(String),
    Owner(String),
    ClusterOn(String),
    WithoutCluster,
    /// SET LOGGED or SET UNLOGGED.
    SetLogged(bool),
    WithoutOids,
    SetParameters(Vec<Parameter>),
    ResetParameters(Vec<Parameter>),
    SetTablespace(String),
    SetAccessMethod(String),
    ReplicaIdentity(WrittenReplicaIdentity),
}

#[derive(Clone, Debug)]
pub enum WrittenReplicaIdentity {
    Default,
    Nothing,
    Full,
    UsingIndex(String),
}

#[derive(Clone, Debug)]
pub enum ColumnAction {
    SetDefault(ast::Expr),
    DropDefault,
    SetNotNull,
    DropNotNull,
    Type(Box<NewType>),
    AddIdentity { always: bool, options: SequenceClauses },
    SetIdentity { always: Option<bool>, options: SequenceClauses },
    DropIdentity { if_exists: bool },
    DropExpression { if_exists: bool },
    SetStatistics(i64),
    SetStorage(String),
    SetCompression(String),
    SetParameters(Vec<Parameter>),
    ResetParameters(Vec<Parameter>),
}

/// ALTER COLUMN TYPE.
#[derive(Clone, Debug)]
pub struct NewType {
    pub data_type: ast::DataType,
    pub collation: Option<QualifiedName>,
    pub using: Option<ast::Expr>,
}
