//! Scans of system relations: which conditions the relation itself can use.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Type;

use super::compile::comparison_of;
use super::cost;
use super::mentions::{Columns, is_volatile, mentioned};
use super::relation::Planned;
use super::slots::{Estimate, Planner};
use crate::exec::{Comparison, Operator, SystemScan};
use crate::ir::{ColumnId, Expr, ExprKind, Rel};
use crate::system::{Source, SystemRelation, tells_of_session};

/// Rows of a system relation, and of the part that one key picks out.
const ROWS: f64 = 1000.0;
const ROWS_OF_KEY: f64 = 4.0;
/// Making one row.
const MAKE_ROW: f64 = 0.05;

impl Planner<'_> {
    pub fn plan_system_scan(&mut self, rel: &Rel, conditions: &[Expr]) -> SqlResult<Planned> {
        let Rel::SystemScan { relation, alias, columns, object } = rel else {
            return Err(SqlError::internal("not a system relation"));
        };
        self.reads_session |= tells_of_session(relation);
        let mut slots = Vec::with_capacity(columns.len());
        for (position, id) in columns {
            // The one behind the last is `tableoid`.
            let (name, ty) = match relation.columns.get(*position) {
                Some(column) => (column.name, column.value_type()),
                None => ("tableoid", Type::OID),
            };
            self.name(*id, Some(alias), name);
            slots.push(self.define(*id, ty));
        }
        let mut keys = Vec::new();
        for condition in conditions {
            if let Some((name, value)) = key_of(relation, columns, condition)
                && !keys.iter().any(|(known, _)| *known == name)
            {
                keys.push((name, self.compile(value)?));
            }
        }
        let rows = match (&relation.source, keys.is_empty()) {
            (Source::Nothing, _) => 1.0,
            (_, true) => ROWS,
            (_, false) => ROWS_OF_KEY,
        };
        let selectivity: f64 = conditions.iter().map(cost::selectivity).product();
        let estimate = Estimate {
            rows: (rows * selectivity).max(1.0),
            startup_cost: rows * MAKE_ROW,
            total_cost: rows * (MAKE_ROW + cost::OPERATOR * conditions.len() as f64),
        };
        let scan = SystemScan {
            relation,
            columns: columns.iter().map(|(position, _)| *position).collect(),
            slots: slots.into(),
            keys: keys.into(),
            filter: self.compile_conjunction(conditions)?,
            object: *object,
        };
        let mut node = self.node(Operator::SystemScan(Box::new(scan)), estimate);
        if self.explains && alias != relation.name {
            node.note.alias = Some(alias.clone());
        }
        self.note_conditions(&mut node, "Filter", conditions);
        Ok(Planned { node, estimate, ordered: false })
    }
}

/// The key column that an equality fixes, and the value: an expression over other relations, parameters and constants.
fn key_of<'e>(
    relation: &SystemRelation,
    columns: &[(usize, ColumnId)],
    condition: &'e Expr,
) -> Option<(&'static str, &'e Expr)> {
    let Source::Rows { keys, .. } = relation.source else { return None };
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [left, right] = args.as_slice() else { return None };
    if comparison_of(function)?.comparison != Comparison::Equal {
        return None;
    }
    let own: Columns = columns.iter().map(|(_, id)| *id).collect();
    let matched = |column: &Expr, value: &'e Expr| {
        let id = column_of(column)?;
        let (position, _) = columns.iter().find(|(_, known)| *known == id)?;
        let name = relation.columns.get(*position)?.name;
        let usable = keys.contains(&name) && mentioned(value).is_disjoint(&own) && !is_volatile(value);
        usable.then_some((name, value))
    };
    matched(left, right).or_else(|| matched(right, left))
}

/// The column that an expression is, whatever its type is called.
fn column_of(expr: &Expr) -> Option<ColumnId> {
    match &expr.kind {
        ExprKind::Column(id) => Some(*id),
        ExprKind::Relabel(inner) => column_of(inner),
        _ => None,
    }
}
