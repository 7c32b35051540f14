//! What a node tells EXPLAIN: names of columns, texts of conditions and keys. Nothing is written unless it is wanted.

use nqdb_catalog::TableDef;

use super::slots::{ColumnName, Planner};
use crate::exec::{DetailText, PlanNode};
use crate::explain::deparse;
use crate::ir::{AggregateCall, ColumnId, Expr, SortKey, WindowCall};

impl Planner<'_> {
    /// What EXPLAIN calls a column.
    pub fn name(&mut self, id: ColumnId, relation: Option<&str>, column: &str) {
        if self.explains {
            let relation = relation.filter(|_| self.qualifies).map(str::to_string);
            let name = ColumnName { relation, column: column.to_string() };
            self.names.insert(id, name);
        }
    }

    /// A computed column is called by its expression.
    pub fn name_as(&mut self, id: ColumnId, expr: &Expr) {
        if self.explains {
            let text = deparse::expression(expr, &self.names);
            self.names.insert(id, ColumnName { relation: None, column: text });
        }
    }

    pub fn name_aggregate(&mut self, id: ColumnId, call: &AggregateCall) {
        if self.explains {
            let text = deparse::aggregate(call, &self.names);
            self.names.insert(id, ColumnName { relation: None, column: text });
        }
    }

    pub fn name_window_call(&mut self, id: ColumnId, call: &WindowCall) {
        if self.explains {
            let text = deparse::window_call(call, &self.names);
            self.names.insert(id, ColumnName { relation: None, column: text });
        }
    }

    /// One line for a list of conditions.
    pub fn note_conditions(&mut self, node: &mut PlanNode, label: &'static str, conditions: &[Expr]) {
        if self.explains && !conditions.is_empty() {
            let text = deparse::conjunction(conditions, &self.names);
            node.note.details.push((label, DetailText::One(text)));
        }
    }

    /// A line in the words given.
    pub fn note_text(&mut self, node: &mut PlanNode, label: &'static str, text: &str) {
        if self.explains {
            node.note.details.push((label, DetailText::One(text.to_owned())));
        }
    }

    /// One line for a list of keys.
    pub fn note_expressions<'e>(
        &mut self,
        node: &mut PlanNode,
        label: &'static str,
        keys: impl Iterator<Item = &'e Expr>,
    ) {
        if self.explains {
            let texts: Vec<String> = keys.map(|key| deparse::expression(key, &self.names)).collect();
            if !texts.is_empty() {
                node.note.details.push((label, DetailText::Many(texts)));
            }
        }
    }

    /// A line for each grouping set, that of no keys last.
    pub fn note_grouping_sets(&mut self, node: &mut PlanNode, keys: &[(ColumnId, Expr)], sets: &[Vec<usize>]) {
        if !self.explains {
            return;
        }
        let text = |at: &usize| keys.get(*at).map(|(_, key)| deparse::expression(key, &self.names));
        let mut texts: Vec<Vec<String>> = sets.iter().map(|set| set.iter().filter_map(text).collect()).collect();
        texts.sort_by_key(Vec::is_empty);
        node.note.details.push(("Grouping Sets", DetailText::Sets(texts)));
    }

    pub fn note_sort_keys(&mut self, node: &mut PlanNode, keys: &[SortKey]) {
        if !self.explains {
            return;
        }
        let texts = keys.iter().map(|key| {
            let mut text = deparse::column(key.column, &self.names);
            if key.descending {
                text.push_str(" DESC");
            }
            if key.nulls_first != key.descending {
                text.push_str(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
            }
            text
        });
        node.note.details.push(("Sort Key", DetailText::Many(texts.collect())));
    }

    /// What a scan is called.
    pub fn note_scan(&mut self, node: &mut PlanNode, table: &TableDef, alias: &str) {
        if self.explains {
            node.note.alias = if alias == table.name { None } else { Some(alias.to_string()) };
        }
    }
}
