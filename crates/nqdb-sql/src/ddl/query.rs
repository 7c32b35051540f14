//! Queries that a definition runs for itself: are there rows that a new constraint would refuse?

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::TxnError;
use nqdb_types::Datum;

use super::DdlContext;
use crate::bind::bind;
use crate::exec::{Execution, Step};
use crate::params::ParamTypes;
use crate::parse::parse;
use crate::plan::{PlanContext, plan};

impl DdlContext<'_, '_> {
    /// Runs one statement over the catalog as this transaction sees it, and gives its rows. `TxnError::Wait` comes
    /// out when rows are locked by others.
    pub(super) fn query(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, TxnError> {
        let statements = parse(sql)?;
        let [parsed] = statements.as_slice() else {
            return Err(SqlError::internal("a definition runs one statement at a time").into());
        };
        let snapshot = self.draft.snapshot();
        (self.enter)(&snapshot);
        let (bound, _) = bind(parsed, &self.bind_context(&snapshot), &mut ParamTypes::none())?;
        let plan = plan(bound, &[], &PlanContext::new(snapshot.version))?;
        // All rows count that are there under the lock, not those of the transaction's snapshot, which may be older.
        // Whoever held the lock before may have committed without being synced yet; a view taken now would not see its
        // rows. Its log is waited for here, not handed out: a retry of the whole definition would log anew.
        let system = self.exec.txn.system().clone();
        system.wait_durable_blocking(system.engine().log_end())?;
        let view = self.exec.txn.newest_view();
        let mut execution = Execution::new(plan.into(), [].into(), view);
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        loop {
            match execution.step(self.exec, &mut rows, 0)? {
                Step::Done(_) => return Ok(rows),
                Step::Wait(wait) => return Err(TxnError::Wait(wait)),
                Step::Yield => self.exec.check_cancel()?,
                Step::Suspended => return Err(SqlError::internal("an unlimited query was suspended").into()),
            }
        }
    }

    /// Whether any row of the table meets a condition.
    pub(super) fn any_row(&mut self, table: &TableDef, condition: &str) -> Result<bool, TxnError> {
        let sql = format!("SELECT 1 FROM {} WHERE {condition} LIMIT 1", qualified(table));
        Ok(!self.query(&sql)?.is_empty())
    }

    /// The value of an expression over nothing.
    pub(super) fn evaluate(&mut self, expression: &str) -> Result<Datum, TxnError> {
        let mut rows = self.query(&format!("SELECT {expression}"))?;
        let value = rows.pop().and_then(|mut row| row.pop());
        value.ok_or_else(|| SqlError::internal("a SELECT without FROM gave no row").into())
    }
}

/// `"schema"."table"`.
pub(crate) fn qualified(table: &TableDef) -> String {
    format!("{}.{}", quoted(&table.schema_name), quoted(&table.name))
}

/// An identifier that stands for exactly this name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// 22P02 and the like from the evaluation of a default belong to the statement, not to a place in it.
pub(super) fn placeless<T>(result: SqlResult<T>) -> SqlResult<T> {
    result.map_err(SqlError::without_position)
}
