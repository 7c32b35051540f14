//! What the catalog needs of the layer above for indexes over expressions and for partial ones.
//!
//! The catalog keeps expressions as SQL text, and has no binder. Whoever opens it brings one along, by which an index gets
//! the function that computes its keys ([`Computation`]): when it is made, and again when the database is opened.

use std::any::Any;
use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::Computation;
use nqdb_types::Datum;

use crate::definition::{IndexDef, TableDef};
use crate::snapshot::Snapshot;

/// Makes functions out of the texts of indexes.
pub trait IndexBinder: Send + Sync {
    /// The function of an index that has an [`crate::IndexComputation`]. `table` need not know the index yet.
    fn bind(&self, table: &Arc<TableDef>, index: &IndexDef, catalog: &Snapshot) -> SqlResult<Arc<dyn Computation>>;

    /// The parts of an index's key as error messages name them: `lower(name)`.
    fn key_names(&self, table: &Arc<TableDef>, index: &IndexDef, catalog: &Snapshot) -> Vec<String>;
}

/// For catalogs without indexes over expressions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoExpressions;

impl IndexBinder for NoExpressions {
    fn bind(&self, _: &Arc<TableDef>, index: &IndexDef, _: &Snapshot) -> SqlResult<Arc<dyn Computation>> {
        Err(SqlError::internal(format!("index \"{}\" has expressions, and nobody binds them", index.name)))
    }

    fn key_names(&self, table: &Arc<TableDef>, index: &IndexDef, _: &Snapshot) -> Vec<String> {
        index.key.iter().filter_map(|key| table.columns.get(key.column)).map(|column| column.name.clone()).collect()
    }
}

/// Stands for a function whose text does not bind any more. The database opens, and what does not need the keys of the
/// index works; the rows of its table cannot be changed until the index is dropped.
pub(crate) struct Unbound(pub SqlError);

impl Computation for Unbound {
    fn reads(&self) -> &[usize] {
        &[]
    }

    fn compute(&self, _: Vec<Datum>) -> SqlResult<Option<Vec<Datum>>> {
        Err(self.0.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
