//! The expressions and conditions of indexes: bound once, and run over single rows by the layers below.
//!
//! ```text
//! text in the definition --bind--> Expr over positions --+--> Eval over the columns that it reads (`nqdb_txn::Computation`)
//!                                                        \--> what conditions of queries are compared with (`plan::access`)
//! ```
//!
//! What always holds:
//! 1. The id of a column is its position in the table, so that another name changes nothing.
//! 2. Only immutable functions are in it; it runs without a session, and answers the same at any time.

use std::any::Any;
use std::sync::Arc;

use nqdb_catalog::{IndexBinder, IndexDef, SUPERUSER_OID, Snapshot, TableDef, TypesView};
use nqdb_functions::quote_identifier;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{Computation, IndexStore};
use nqdb_types::{Datum, FormatContext, Oid};

use crate::bind::{BindContext, bind_for_index};
use crate::exec::{Eval, Evaluation, RowEvaluation, Slot};
use crate::ir::{ColumnId, Expr};
use crate::no_session::NoSession;
use crate::parse::parse_expression;
use crate::plan::{PlanContext, Planner, mentioned, split_conjuncts};
use crate::system::key_text;

/// Binds the expressions of indexes for the catalog.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexExpressions;

impl IndexBinder for IndexExpressions {
    fn bind(&self, table: &Arc<TableDef>, index: &IndexDef, catalog: &Snapshot) -> SqlResult<Arc<dyn Computation>> {
        let Some(computation) = &index.computation else {
            return Err(SqlError::internal("an index without expressions has nothing to bind"));
        };
        let format = format_for(catalog, &computation.search_path);
        let session = NoSession::UNBOUNDED;
        let cx = BindContext {
            catalog,
            search_path: &computation.search_path,
            format: &format,
            session: &session,
            role: SUPERUSER_OID,
        };
        let bind = |text: &str, is_predicate: bool| {
            let (tokens, expression) = parse_expression(text)?;
            bind_for_index(&expression, &tokens, table, is_predicate, &cx)
        };
        let expressions: SqlResult<Vec<Expr>> =
            computation.expressions.iter().map(|expression| bind(&expression.text, false)).collect();
        let predicate = computation.predicate.as_deref().map(|text| bind(text, true)).transpose()?;
        BoundIndex::new(table, expressions?, predicate).map(|bound| Arc::new(bound) as Arc<dyn Computation>)
    }

    fn key_names(&self, table: &Arc<TableDef>, index: &IndexDef, catalog: &Snapshot) -> Vec<String> {
        let session = NoSession::UNBOUNDED;
        let search_path = index.computation.as_ref().map_or(&[][..], |computation| &computation.search_path);
        let format = format_for(catalog, search_path);
        let cx = BindContext { catalog, search_path, format: &format, session: &session, role: SUPERUSER_OID };
        index.key.iter().map(|key| key_text(table, index, key, false, &cx)).collect()
    }
}

/// PostgreSQL's defaults, so that no setting changes what a constant means, with the users' types that constants may be of.
fn format_for(catalog: &Snapshot, search_path: &[Oid]) -> FormatContext {
    let types = TypesView::new(Arc::new(catalog.clone()), search_path.into(), quote_identifier);
    FormatContext::of_types(Arc::new(types))
}

/// What an index computes of rows.
pub(crate) struct BoundIndex {
    /// The id of a column is its position in the table.
    pub expressions: Vec<Expr>,
    /// The conjuncts of the condition.
    pub predicate: Vec<Expr>,
    reads: Vec<usize>,
    slots: Vec<Slot>,
    slot_count: usize,
    keys: Box<[Eval]>,
    condition: Option<Eval>,
    format: FormatContext,
}

impl BoundIndex {
    fn new(table: &TableDef, expressions: Vec<Expr>, predicate: Option<Expr>) -> SqlResult<BoundIndex> {
        let mut conjuncts = Vec::new();
        if let Some(predicate) = &predicate {
            split_conjuncts(predicate, &mut conjuncts);
        }
        let mut columns: Vec<ColumnId> = expressions.iter().chain(&conjuncts).flat_map(mentioned).collect();
        columns.sort_unstable();
        columns.dedup();
        let plan_context = PlanContext::new(0);
        let mut planner = Planner::new(&plan_context, false);
        let mut slots = Vec::with_capacity(columns.len());
        for column in &columns {
            let definition = table.columns.get(column.0 as usize);
            let definition = definition.ok_or_else(|| SqlError::internal("an index names a column of no table"))?;
            slots.push(planner.define(*column, definition.ty));
        }
        let keys = planner.compile_all(&expressions)?;
        let condition = planner.compile_conjunction(&conjuncts)?;
        Ok(BoundIndex {
            reads: columns.iter().map(|column| column.0 as usize).collect(),
            slots,
            slot_count: planner.slot_count(),
            keys,
            condition,
            expressions,
            predicate: conjuncts,
            // Immutable functions ask nothing of it: labels and names of types are for input and output.
            format: FormatContext::default(),
        })
    }

    /// What an index of a table computes; `None` when its key is columns and every row is in it.
    pub fn of(index: &IndexStore) -> Option<&BoundIndex> {
        index.computation.as_ref()?.as_any().downcast_ref()
    }
}

impl Computation for BoundIndex {
    fn reads(&self) -> &[usize] {
        &self.reads
    }

    fn compute(&self, values: Vec<Datum>) -> SqlResult<Option<Vec<Datum>>> {
        let mut row = RowEvaluation::new(self.slot_count, &self.format);
        for (slot, value) in self.slots.iter().zip(values) {
            row.set_slot(*slot, value);
        }
        if let Some(condition) = &self.condition
            && !condition.passes(&mut row)?
        {
            return Ok(None);
        }
        self.keys.iter().map(|key| key.eval(&mut row)).collect::<SqlResult<_>>().map(Some)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
