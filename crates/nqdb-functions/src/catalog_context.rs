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

    /// Whether the search path reaches the object by its bare name; `None` when it does not exist.
    fn is_visible(&self, _kind: ObjectKind, _object: Oid) -> Option<bool> {
        None
    }
}
