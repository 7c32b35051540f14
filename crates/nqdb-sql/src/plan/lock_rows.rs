//! FOR UPDATE and the like: the operator that locks the rows which come out of a query.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::RelationLock;

use super::relation::{Planned, Wishes};
use super::slots::Planner;
use crate::exec::{LockRows, LockedRow, Operator, WithPlan, WithScan};
use crate::ir::{Expr, Rel};

impl Planner<'_> {
    /// A subquery that may wait for locks runs before the statement, which cannot stop in the middle of an expression;
    /// what is left of it is a scan of the rows it gave.
    pub fn plan_early(&mut self, planned: Planned, column: Option<usize>) -> SqlResult<Planned> {
        let slots: Box<[usize]> = column.into_iter().collect();
        let columns = slots.iter().map(|slot| (0, *slot)).collect();
        let source = self.with.len();
        self.with.push(WithPlan { name: "locks".to_string(), root: Some(planned.node), slots });
        self.early_with.push(source);
        let node = self.node(Operator::WithScan(WithScan { source, columns }), planned.estimate);
        Ok(Planned { node, ..planned })
    }

    /// The order and the number of rows that are wanted reach the input: what is not asked for is not locked.
    pub fn plan_lock_rows(&mut self, rel: &Rel, conditions: &[Expr], wishes: Wishes<'_>) -> SqlResult<Planned> {
        let Rel::LockRows { input, locks, recheck, recompute } = rel else {
            return Err(SqlError::internal("nothing to lock"));
        };
        let rows = wishes.rows.filter(|_| conditions.is_empty());
        let planned = self.plan_rel(input, Vec::new(), Wishes { order: wishes.order, computed: &[], rows })?;
        let mut locked = Vec::with_capacity(locks.len());
        for lock in locks {
            self.lock(lock.table.oid, RelationLock::RowShare);
            let columns = lock.columns.iter().filter_map(|(at, id)| Some((*at, self.slot(*id).ok()?))).collect();
            let address = self.slot(lock.address)?;
            locked.push(LockedRow { table: lock.table.clone(), address, columns, mode: lock.mode, wait: lock.wait });
        }
        self.locks_rows = self.locks_rows.or(locks.first().map(|lock| lock.mode));
        let recheck = recheck.as_ref().map(|recheck| self.compile(recheck)).transpose()?;
        let mut computed = Vec::with_capacity(recompute.len());
        for (id, expr) in recompute {
            // Columns that nobody reads were never defined.
            if let Ok(slot) = self.slot(*id) {
                computed.push((slot, self.compile(expr)?));
            }
        }
        let (estimate, ordered) = (planned.estimate, planned.ordered);
        let operator =
            LockRows { input: Box::new(planned.node), locks: locked.into(), recheck, recompute: computed.into() };
        let node = self.node(Operator::LockRows(operator), estimate);
        self.filtered(Planned { node, estimate, ordered }, conditions)
    }
}
