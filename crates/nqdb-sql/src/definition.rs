//! Definitions that have a grammar of our own (`parse::definition`): what was written, before any name is looked up.

use nqdb_catalog::OnCommit;
use nqdb_catalog::request::LabelPlace;
use sqlparser::ast;

pub use crate::ddl::QualifiedName;
use crate::rights_command::RightsCommand;
use crate::statement::{NamedAt, Parsed};

/// A definition in our own grammar.
#[derive(Clone, Debug)]
pub enum Definition {
    View(CreateView),
    TableAs(CreateTableAs),
    TableLike(Box<CreateTableLike>),
    /// REFRESH MATERIALIZED VIEW.
    Refresh {
        name: QualifiedName,
        concurrently: bool,
        with_data: bool,
    },
    Alter(Alter),
    CreateType(CreateType),
    AlterType(AlterType),
    DropType(DropType),
    CreateDomain(Box<CreateDomain>),
    AlterDomain(Box<AlterDomain>),
    Comment(CommentOn),
    Rights(Box<RightsCommand>),
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

/// `CREATE TABLE ... AS`, `SELECT ... INTO`, `CREATE MATERIALIZED VIEW`.
#[derive(Clone, Debug)]
pub struct CreateTableAs {
    pub name: QualifiedName,
    pub kind: TableAsKind,
    pub temporary: bool,
    pub if_not_exists: bool,
    pub on_commit: OnCommit,
    pub columns: Vec<NamedAt>,
    pub query: Box<Parsed>,
    pub with_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableAsKind {
    Table,
    SelectInto,
    MaterializedView,
}

/// CREATE TABLE with LIKE clauses among its columns.
#[derive(Clone, Debug)]
pub struct CreateTableLike {
    /// The statement without its LIKE clauses.
    pub create: ast::Statement,
    pub likes: Vec<Like>,
}

/// `LIKE source [INCLUDING | EXCLUDING ...]`.
#[derive(Clone, Debug)]
pub struct Like {
    /// How many columns stand in front of it.
    pub columns_before: usize,
    pub source: QualifiedName,
    pub options: LikeOptions,
}

/// What LIKE copies besides names, types and NOT NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LikeOptions {
    pub comments: bool,
    pub constraints: bool,
    pub defaults: bool,
    pub generated: bool,
    pub identity: bool,
    pub indexes: bool,
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
    RenameColumn {
        column: String,
        new_name: String,
    },
    SetSchema(String),
    Owner(String),
    /// ALTER COLUMN ... SET DEFAULT and DROP DEFAULT, of views: SQL text.
    ColumnDefault {
        column: String,
        default: Option<String>,
    },
    /// SET (name = value, ...), of views.
    SetOptions(Vec<(String, String)>),
    /// RESET (name, ...), of views.
    ResetOptions(Vec<String>),
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
