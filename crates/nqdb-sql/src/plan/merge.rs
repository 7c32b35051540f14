//! MERGE: the join that finds its rows, and its compiled clauses.

use nqdb_sqlstate::SqlResult;
use nqdb_txn::RelationLock;

use super::relation::Wishes;
use super::slots::Planner;
use crate::exec::{MergeChange, MergePlan, MergeWhen};
use crate::integrity::Changes;
use crate::ir::{Merge, MergeAction};

impl Planner<'_> {
    pub fn plan_merge(&mut self, merge: &Merge) -> SqlResult<MergePlan> {
        let source = self.plan_rel(&merge.joined.rel, Vec::new(), Wishes::default())?;
        self.lock(merge.table.oid, RelationLock::RowExclusive);
        let old = merge.old.iter().map(|(at, id)| Ok((*at, self.slot(*id)?))).collect::<SqlResult<_>>()?;
        let address = self.slot(merge.joined.address)?;
        let on = self.compile(&merge.on)?;
        let mut clauses = Vec::with_capacity(merge.clauses.len());
        for clause in &merge.clauses {
            let condition = clause.condition.as_ref().map(|condition| self.compile(condition)).transpose()?;
            let change = match &clause.action {
                MergeAction::Nothing => MergeChange::Nothing,
                MergeAction::Delete => MergeChange::Delete,
                MergeAction::Update(set) => MergeChange::Update(self.compile_assignments(set)?),
                MergeAction::Insert(values) => MergeChange::Insert(self.compile_assignments(values)?),
            };
            clauses.push(MergeWhen { matched: clause.matched, condition, change });
        }
        let row_slots = self.define_row(&merge.table, &merge.row, &merge.alias);
        let checks = self.compile_checks(&merge.checks)?;
        let set = clauses.iter().filter_map(|clause| match &clause.change {
            MergeChange::Update(set) => Some(set),
            MergeChange::Insert(_) | MergeChange::Delete | MergeChange::Nothing => None,
        });
        let updated: Vec<usize> = set.flatten().map(|(position, _)| *position).collect();
        let is = |wanted: fn(&MergeChange) -> bool| clauses.iter().any(|clause| wanted(&clause.change));
        let inserts = is(|change| matches!(change, MergeChange::Insert(_)));
        let deletes = is(|change| matches!(change, MergeChange::Delete));
        let watch = self.watch(&merge.table, Changes { inserts, updates: &updated, deletes });
        let (table, source) = (merge.table.clone(), source.node);
        Ok(MergePlan { source, address, table, old, on, clauses: clauses.into(), row_slots, checks, watch })
    }
}
