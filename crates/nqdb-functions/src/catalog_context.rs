//! What functions ask of the catalog, in terms of numbers and texts: this crate knows no catalog.
//!
//! Each method has the answer of a catalog without objects, so that a session of a test implements what it needs.

use nqdb_sqlstate::{SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_types::Oid;

/// Sorts of objects that may be hidden by others of their name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Relation,
    Type,
    Function,
    Operator,
    OperatorClass,
    OperatorFamily,
    Collation,
    Conversion,
}

/// A part of a routine's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutineText {
    /// With names, defaults and OUT arguments.
    Arguments,
    /// As ALTER FUNCTION wants them.
    IdentityArguments,
    Result,
    /// All of CREATE FUNCTION.
    Definition,
}

/// Sorts of things that privileges are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Securable {
    Table,
    /// A column of a table.
    Column,
    /// Any column of a table.
    AnyColumn,
    Sequence,
    Database,
    Function,
    Language,
    Schema,
    Tablespace,
    Type,
    ForeignDataWrapper,
    Server,
    Parameter,
    Role,
}

/// A role, as it was named.
#[derive(Clone, Copy, Debug)]
pub enum RoleName<'a> {
    /// Whoever asks.
    Current,
    Name(&'a str),
    Number(Oid),
}

/// How an index orders a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOrder {
    pub descending: bool,
    pub nulls_first: bool,
}

/// What a privilege is asked of.
#[derive(Clone, Copy, Debug)]
pub enum PrivilegeTarget<'a> {
    Name(&'a str),
    Number(Oid),
}

/// Whether a role may do something: the question of the `has_..._privilege` functions.
#[derive(Clone, Copy, Debug)]
pub struct PrivilegeRequest<'a> {
    pub securable: Securable,
    pub role: RoleName<'a>,
    pub target: PrivilegeTarget<'a>,
    /// A column by name or number, where the question is about one.
    pub column: Option<PrivilegeColumn<'a>>,
    /// `SELECT, INSERT WITH GRANT OPTION`: any of them.
    pub privileges: &'a str,
}

/// A column of the table that a privilege is asked of.
#[derive(Clone, Copy, Debug)]
pub enum PrivilegeColumn<'a> {
    Name(&'a str),
    Number(i16),
}

/// What an object is and is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectIdentity {
    /// `table`, `table column`.
    pub kind: String,
    /// With quotes where they are needed, as the next two.
    pub schema: Option<String>,
    /// Where it names the object within its schema.
    pub name: Option<String>,
    /// With the schema, arguments and all else that tells it from others.
    pub identity: String,
    /// The parts of the identity, without quotes.
    pub names: Vec<String>,
    pub args: Vec<String>,
    /// For people.
    pub description: String,
}

/// What relations are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    Database,
    Tablespace,
}

/// What functions ask of the catalog; nqdb-sql answers, through the session.
pub trait CatalogFunctions {
    /// The object as the output function of a reg type spells it; `None` when it does not exist.
    fn object_name(&self, _reg_type: Oid, _object: Oid) -> Option<String> {
        None
    }

    /// What the input function of a reg type reads from a name; its error when there is no such object.
    fn object_number(&self, _reg_type: Oid, name: &str) -> SqlResult<Oid> {
        Err(SqlError::new(UNDEFINED_OBJECT, format!("\"{name}\" does not exist")))
    }

    /// What an object is, by the number of its catalog and its own; `None` when it does not exist. A column counts from 1.
    /// Errors: 22023 for a number that is no catalog's.
    fn object_identity(&self, _class: Oid, _object: Oid, _column: i32) -> SqlResult<Option<ObjectIdentity>> {
        Ok(None)
    }

    /// What the objects of a catalog are.
    fn object_kind(&self, _class: Oid) -> &'static str {
        ""
    }

    /// Whether the search path reaches the object by its bare name; `None` when it does not exist.
    fn is_visible(&self, _kind: ObjectKind, _object: Oid) -> Option<bool> {
        None
    }

    /// A stored expression as PostgreSQL prints it.
    fn expression_text(&self, stored: &str, _relation: Oid, _pretty: bool) -> String {
        stored.to_string()
    }

    /// An index as SQL text, or one of its columns, counted from 1.
    fn index_definition(&self, _index: Oid, _column: i32, _pretty: bool) -> Option<String> {
        None
    }

    /// How an index orders each of its columns; none for those of INCLUDE. `None` when there is no such index.
    fn index_columns(&self, _index: Oid) -> Option<Vec<Option<IndexOrder>>> {
        None
    }

    fn constraint_definition(&self, _constraint: Oid, _pretty: bool) -> Option<String> {
        None
    }

    /// The number of a database or a tablespace; `None` when there is none of the name.
    fn storage_number(&self, _kind: StorageKind, _name: &str) -> Option<Oid> {
        None
    }

    /// The bytes of all relations in a database or a tablespace; `None` when it does not exist. Errors: 42501 for a database
    /// in which the role may not be.
    fn storage_size(&self, _kind: StorageKind, _object: Oid) -> SqlResult<Option<i64>> {
        Ok(None)
    }

    /// A view's query as SQL text.
    fn view_definition(&self, _view: Oid, _pretty: bool) -> Option<String> {
        None
    }

    /// What COMMENT ON said of an object of a system catalog, or of whichever catalog has the number; `column` is 0 for
    /// the object itself.
    fn comment(&self, _class: Option<&str>, _object: Oid, _column: i16) -> Option<String> {
        None
    }

    /// What can be done to the rows of a relation, or to one of its columns: see `pg_relation_is_updatable`.
    fn relation_changes(&self, _relation: Oid, _column: Option<i16>) -> SqlResult<i32> {
        Ok(0)
    }

    fn routine_text(&self, _routine: Oid, _part: RoutineText) -> Option<String> {
        None
    }

    /// The sequence that belongs to a column; errors for a table or column that does not exist.
    fn serial_sequence(&self, _table: &str, _column: &str) -> SqlResult<Option<String>> {
        Ok(None)
    }

    /// The name of a type of the catalog, `None` when it is none.
    fn type_name(&self, _type_oid: Oid) -> Option<String> {
        None
    }

    /// Whether a role has a privilege; `None` when the object of that number does not exist.
    fn has_privilege(&self, _request: &PrivilegeRequest<'_>) -> SqlResult<Option<bool>> {
        Ok(None)
    }

    /// The schemas that the search path leads to, with those that are searched without being named.
    fn search_path_schemas(&self, _with_implicit: bool) -> Vec<String> {
        Vec::new()
    }

    /// A sequence's last value, and whether it was given out; `None` when there is no such sequence. 42501 for a role that
    /// may not read it.
    fn sequence_state(&self, _sequence: Oid) -> SqlResult<Option<(i64, bool)>> {
        Ok(None)
    }
}
