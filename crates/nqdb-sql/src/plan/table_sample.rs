//! Scans of TABLESAMPLE: the whole table, of which only the chosen rows are looked at.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::SqlResult;
use nqdb_txn::RelationLock;

use super::cost;
use super::relation::Planned;
use super::slots::Planner;
use crate::exec::{Access, DetailText, Operator, Sample, Scan};
use crate::explain::deparse;
use crate::ir::{ColumnId, Expr, TableSample};

impl Planner<'_> {
    pub(super) fn plan_sample_scan(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        columns: &[(usize, ColumnId)],
        sample: &TableSample,
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        self.lock(table.oid, RelationLock::AccessShare);
        let slots = columns.iter().map(|(at, id)| (*at, self.define_of_table(table, alias, *at, *id))).collect();
        let all = cost::table_rows(table.store.estimated_rows());
        let rows = (all * sample.fraction() * self.selectivity(conditions.iter())).max(1.0);
        let estimate = cost::full_scan(all, rows, conditions.len());
        self.full_scans_cost += estimate.total_cost;
        let chosen = Sample {
            method: sample.method,
            percentage: self.compile(&sample.percentage)?,
            repeat: sample.repeat.as_ref().map(|repeat| self.compile(repeat)).transpose()?,
        };
        let scan = Scan {
            table: table.clone(),
            columns: slots,
            access: Access::Sequential,
            filter: self.compile_conjunction(conditions)?,
            whole_filter: None,
            is_target: false,
            address: None,
            sample: Some(chosen),
        };
        let mut node = self.node(Operator::Scan(Box::new(scan)), estimate);
        self.note_scan(&mut node, table, alias);
        if self.explains {
            let text = |expr: &Expr| deparse::expression(expr, &self.names);
            let mut line = format!("{} ({})", sample.method.name(), text(&sample.percentage));
            if let Some(repeat) = &sample.repeat {
                line.push_str(&format!(" REPEATABLE ({})", text(repeat)));
            }
            node.note.details.push(("Sampling", DetailText::One(line)));
        }
        self.note_conditions(&mut node, "Filter", conditions);
        Ok(Planned { node, estimate, ordered: false })
    }
}
