//! Definitions that have a grammar of our own (`parse::definition`): what was written, before any name is looked up.

use nqdb_catalog::OnCommit;
use nqdb_catalog::request::LabelPlace;
use nqdb_types::{Datum, Oid};
use sqlparser::ast;

use crate::absent_kind::DropAbsent;
use crate::database_command::DatabaseCommand;
pub use crate::ddl::QualifiedName;
use crate::rights_command::RightsCommand;
use crate::statement::{NamedAt, Parsed};
use crate::table_command::{AlterTable, CreateTable, Parameter};

/// A definition in our own grammar.
#[derive(Clone, Debug)]
pub enum Definition {
    View(CreateView),
    TableAs(CreateTableAs),
    Table(Box<CreateTable>),
    AlterTable(Box<AlterTable>),
    Cluster(Cluster),
    /// REFRESH MATERIALIZED VIEW.
    Refresh {
        name: QualifiedName,
        concurrently: bool,
        with_data: bool,
    },
    Index(Box<CreateIndex>),
    DropIndexConcurrently(DropIndexConcurrently),
    Reindex(Reindex),
    Alter(Alter),
    CreateType(CreateType),
    AlterType(AlterType),
    DropType(DropType),
    CreateDomain(Box<CreateDomain>),
    AlterDomain(Box<AlterDomain>),
    /// DROP of what cannot be there.
    DropAbsent(DropAbsent),
    Comment(CommentOn),
    SchemaWith(Box<CreateSchemaWith>),
    Rights(Box<RightsCommand>),
    Database(DatabaseCommand),
}

/// `CREATE [OR REPLACE] [TEMP] VIEW name [(columns)] AS query [WITH [CASCADED | LOCAL] CHECK OPTION]`.
#[derive(Clone, Debug)]
pub struct CreateView {
    pub name: QualifiedName,
    pub or_replace: bool,
    pub temporary: bool,
    pub columns: Vec<NamedAt>,
    pub query: Box<Parsed>,
    /// As in [`nqdb_catalog::ViewDef::options`], WITH CHECK OPTION among them.
    pub options: Vec<(String, String)>,
}

/// CREATE SCHEMA with elements.
#[derive(Clone, Debug)]
pub struct CreateSchemaWith {
    /// CREATE SCHEMA without them.
    pub schema: ast::Statement,
    /// In the order in which they are made.
    pub elements: Vec<Parsed>,
}

/// `CREATE TABLE ... AS`, `SELECT ... INTO`, `CREATE MATERIALIZED VIEW`.
#[derive(Clone, Debug)]
pub struct CreateTableAs {
    pub name: QualifiedName,
    pub kind: TableAsKind,
    pub temporary: bool,
    pub unlogged: bool,
    pub if_not_exists: bool,
    pub on_commit: OnCommit,
    pub columns: Vec<NamedAt>,
    pub query: Box<Parsed>,
    /// Types and values of the parameters of a prepared statement whose query it is; `None` where the query is written.
    pub arguments: Option<Vec<(Oid, Datum)>>,
    pub with_data: bool,
    /// WITH (...).
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableAsKind {
    Table,
    SelectInto,
    MaterializedView,
}

/// `LIKE source [INCLUDING | EXCLUDING ...]`.
#[derive(Clone, Debug)]
pub struct Like {
    pub source: QualifiedName,
    pub options: LikeOptions,
}

/// What LIKE copies besides names, types and NOT NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LikeOptions {
    pub comments: bool,
    pub compression: bool,
    pub constraints: bool,
    pub defaults: bool,
    pub generated: bool,
    pub identity: bool,
    pub indexes: bool,
    pub storage: bool,
}

/// `CREATE [UNIQUE] INDEX`.
#[derive(Clone, Debug)]
pub struct CreateIndex {
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub name: Option<NamedAt>,
    pub table: QualifiedName,
    /// USING.
    pub method: Option<String>,
    pub parts: Vec<IndexPart>,
    pub included: Vec<IndexPart>,
    pub nulls_not_distinct: bool,
    /// WITH.
    pub parameters: Vec<Parameter>,
    pub predicate: Option<IndexText>,
}

/// CLUSTER.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// None: every table that was clustered before.
    pub table: Option<QualifiedName>,
    /// None: the index that the table was clustered by before.
    pub index: Option<String>,
}

/// DROP INDEX CONCURRENTLY.
#[derive(Clone, Debug)]
pub struct DropIndexConcurrently {
    pub if_exists: bool,
    pub names: Vec<QualifiedName>,
    pub cascade: bool,
}

#[derive(Clone, Debug)]
pub struct Reindex {
    pub target: ReindexTarget,
    pub concurrently: bool,
    /// Tells of each index that was built anew.
    pub verbose: bool,
}

#[derive(Clone, Debug)]
pub enum ReindexTarget {
    Index(QualifiedName),
    Table(QualifiedName),
    Schema(NamedAt),
    Database(NamedAt),
    /// The indexes of the system's own relations, which have none here.
    System(NamedAt),
}

impl Definition {
    /// The words of a command that must not be part of a larger transaction (25001); `None` for all others.
    pub fn alone(&self) -> Option<&'static str> {
        match self {
            Definition::Database(command) => command.alone(),
            Definition::Index(create) if create.concurrently => Some("CREATE INDEX CONCURRENTLY"),
            Definition::Cluster(Cluster { table: None, .. }) => Some("CLUSTER"),
            Definition::DropIndexConcurrently(_) => Some("DROP INDEX CONCURRENTLY"),
            Definition::Reindex(Reindex { concurrently: true, .. }) => Some("REINDEX CONCURRENTLY"),
            Definition::Reindex(Reindex { target: ReindexTarget::Schema(_), .. }) => Some("REINDEX SCHEMA"),
            Definition::Reindex(Reindex { target: ReindexTarget::Database(_), .. }) => Some("REINDEX DATABASE"),
            Definition::Reindex(Reindex { target: ReindexTarget::System(_), .. }) => Some("REINDEX SYSTEM"),
            _ => None,
        }
    }
}

/// A part of an index's key.
#[derive(Clone, Debug)]
pub struct IndexPart {
    pub source: IndexSource,
    pub collation: Option<QualifiedName>,
    pub class: Option<QualifiedName>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

#[derive(Clone, Debug)]
pub enum IndexSource {
    Column(NamedAt),
    Expression(Box<IndexText>),
}

/// An expression, and how it was written.
#[derive(Clone, Debug)]
pub struct IndexText {
    pub expression: ast::Expr,
    pub text: String,
}

/// The kinds of objects that ALTER ... RENAME, SET SCHEMA, OWNER and COMMENT ON name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    Index,
    Sequence,
    Schema,
}

impl ObjectKind {
    /// As in a command tag: `MATERIALIZED VIEW`.
    pub fn words(self) -> &'static str {
        match self {
            ObjectKind::Table => "TABLE",
            ObjectKind::View => "VIEW",
            ObjectKind::MaterializedView => "MATERIALIZED VIEW",
            ObjectKind::Index => "INDEX",
            ObjectKind::Sequence => "SEQUENCE",
            ObjectKind::Schema => "SCHEMA",
        }
    }
}

/// `ALTER kind [IF EXISTS] name action`, for actions that are the same for several kinds.
#[derive(Clone, Debug)]
pub struct Alter {
    pub kind: ObjectKind,
    pub if_exists: bool,
    pub name: QualifiedName,
    pub action: AlterAction,
}

#[derive(Clone, Debug)]
pub enum AlterAction {
    Rename(String),
    RenameColumn { column: String, new_name: String },
    SetSchema(String),
    Owner(String),
}

/// CREATE TYPE.
#[derive(Clone, Debug)]
pub struct CreateType {
    pub name: QualifiedName,
    pub kind: NewTypeKind,
}

#[derive(Clone, Debug)]
pub enum NewTypeKind {
    /// The labels.
    Enum(Vec<String>),
    Composite(Vec<NewAttribute>),
}

/// An attribute of a composite type.
#[derive(Clone, Debug)]
pub struct NewAttribute {
    pub name: String,
    pub data_type: ast::DataType,
    pub collation: Option<QualifiedName>,
}

/// A clause of ALTER TYPE for an attribute.
#[derive(Clone, Debug)]
pub enum AlterAttribute {
    Add(NewAttribute),
    Drop { name: String, if_exists: bool, cascade: bool },
    SetType(NewAttribute),
}

/// ALTER TYPE.
#[derive(Clone, Debug)]
pub struct AlterType {
    pub name: QualifiedName,
    pub action: AlterTypeAction,
}

#[derive(Clone, Debug)]
pub enum AlterTypeAction {
    AddValue { label: String, if_not_exists: bool, place: LabelPlace },
    RenameValue { label: String, new_label: String },
    Attributes(Vec<AlterAttribute>),
    RenameAttribute { name: String, new_name: String },
    Rename(String),
    SetSchema(String),
    Owner(String),
}

/// CREATE DOMAIN.
#[derive(Clone, Debug)]
pub struct CreateDomain {
    pub name: QualifiedName,
    pub base: ast::DataType,
    pub collation: Option<QualifiedName>,
    /// None when neither NULL nor NOT NULL was written.
    pub not_null: Option<bool>,
    pub default: Option<ast::Expr>,
    /// Name, if one was written, and condition.
    pub checks: Vec<(Option<String>, ast::Expr)>,
}

/// ALTER DOMAIN.
#[derive(Clone, Debug)]
pub struct AlterDomain {
    pub name: QualifiedName,
    pub action: AlterDomainAction,
}

#[derive(Clone, Debug)]
pub enum AlterDomainAction {
    SetDefault(Option<ast::Expr>),
    SetNotNull(bool),
    AddCheck { name: Option<String>, expression: ast::Expr, not_valid: bool },
    DropConstraint { name: String, if_exists: bool },
    RenameConstraint { name: String, new_name: String },
    ValidateConstraint(String),
    Rename(String),
    SetSchema(String),
    Owner(String),
}

/// DROP TYPE and DROP DOMAIN.
#[derive(Clone, Debug)]
pub struct DropType {
    /// It says DOMAIN: anything else is refused.
    pub is_domain: bool,
    pub names: Vec<QualifiedName>,
    pub if_exists: bool,
    pub cascade: bool,
}

/// `COMMENT ON object IS text`; none for NULL.
#[derive(Clone, Debug)]
pub struct CommentOn {
    pub target: CommentTarget,
    pub text: Option<String>,
}

#[derive(Clone, Debug)]
pub enum CommentTarget {
    Object(ObjectKind, QualifiedName),
    Column { relation: QualifiedName, column: String },
    Constraint { name: String, table: QualifiedName },
    Type(QualifiedName),
    Domain(QualifiedName),
    DomainConstraint { name: String, domain: QualifiedName },
    Role(String),
    Database(String),
}
