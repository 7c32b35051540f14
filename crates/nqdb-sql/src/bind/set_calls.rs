//! Set-returning functions in a select list: where they may stand, and the relation that repeats rows for them.
//!
//! ```text
//! SELECT f(g(1)), h(2)      ProjectSet [f(column of g)] ( ProjectSet [g(1), h(2)] ( ... ) )
//! ```
//!
//! What always holds:
//! 1. Each call is a column; the expression around it reads that column, and is computed above the relation.
//! 2. Calls of one depth run in lockstep, those in arguments below those that take them (manual 38.5.9).
//! 3. Calls that GROUP BY needs run below the grouping, all others above it.

use nqdb_functions::{Function, OutColumn, column_type};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::{Oid, Type};

use super::group::Key;
use super::scope::Clause;
use super::{Binder, walk};
use crate::ir::{ColumnId, Expr, ExprKind, FunctionColumn, Rel, RowForm, TableCall, TableFunction};

/// What PostgreSQL recommends for a set where none may be.
const MOVE_TO_FROM: &str = "You might be able to move the set-returning function into a LATERAL FROM item.";

/// A set-returning call of the select list; its value is a column, or a record of columns.
#[derive(Clone, Debug)]
pub(super) struct SetCall {
    pub(super) columns: Vec<FunctionColumn>,
    pub(super) function: &'static Function,
    pub(super) args: Vec<Expr>,
    pub(super) position: Option<u32>,
}

impl SetCall {
    /// Whether a column is one of its own.
    pub(super) fn gives(&self, id: ColumnId) -> bool {
        self.columns.iter().any(|column| column.id == id)
    }
}

impl Binder<'_> {
    /// A set-returning function in an expression: a column of its own. Fails with 0A000 where no set may be.
    pub(super) fn bind_set_call(
        &mut self,
        function: &'static Function,
        args: Vec<Expr>,
        ty: Type,
        position: Option<u32>,
    ) -> SqlResult<Expr> {
        let clause = self.scope().clause;
        let message = match clause {
            Clause::Select | Clause::OrderBy | Clause::GroupBy | Clause::DistinctOn => None,
            Clause::Values if self.scope().takes_sets => None,
            Clause::FromFunction => Some("set-returning functions must appear at top level of FROM".to_string()),
            Clause::JoinCondition => Some("set-returning functions are not allowed in JOIN conditions".to_string()),
            Clause::MergeWhen => Some("set-returning functions are not allowed in MERGE WHEN conditions".to_string()),
            Clause::Check => Some("set-returning functions are not allowed in check constraints".to_string()),
            Clause::Default => Some("set-returning functions are not allowed in DEFAULT expressions".to_string()),
            Clause::Parameter => Some("set-returning functions are not allowed in EXECUTE parameters".to_string()),
            Clause::CopyWhere => {
                Some("set-returning functions are not allowed in COPY FROM WHERE conditions".to_string())
            }
            clause => Some(format!("set-returning functions are not allowed in {}", clause.name())),
        };
        if let Some(message) = message {
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
        }
        if function.needs_column_definitions() {
            let message = format!("could not determine row type for result of {}", function.name);
            let hint = "Provide a non-null record argument, or call the function in the FROM clause using a column \
                        definition list.";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_hint(hint));
        }
        let plain = [(function.name, ty)];
        let given: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let typed = |column: &OutColumn| (column.name, Type::new(column_type(function.args, &given, column.type_oid)));
        let fields: Vec<(&str, Type)> = match function.rows {
            Some(_) => plain.to_vec(),
            None => function.columns.iter().map(typed).collect(),
        };
        let columns: Vec<FunctionColumn> = fields
            .into_iter()
            .map(|(name, ty)| FunctionColumn { id: self.new_column(ty, true, None), name: name.to_string(), ty })
            .collect();
        let value = match (function.rows, columns.as_slice()) {
            (Some(_), [column]) => self.column_expr(column.id, position),
            _ => self.row_of_columns(&columns, position),
        };
        self.scope().set_calls.push(SetCall { columns, function, args, position });
        Ok(value)
    }

    /// How many set-returning calls the query at hand has so far.
    pub(super) fn set_call_count(&mut self) -> usize {
        self.scope().set_calls.len()
    }

    /// 0A000 when a construct that chooses among its arguments was given a set.
    pub(super) fn refuse_sets_since(&mut self, before: usize, construct: &str) -> SqlResult<()> {
        let message = format!("set-returning functions are not allowed in {construct}");
        self.refuse_sets(before, &message)
    }

    /// 0A000 when an aggregate's arguments hold a set.
    pub(super) fn refuse_sets_in_aggregate(&mut self, before: usize) -> SqlResult<()> {
        self.refuse_sets(before, "aggregate function calls cannot contain set-returning function calls")
    }

    /// 0A000 when there is a set-returning call that came after the first `before`.
    pub(super) fn refuse_sets(&mut self, before: usize, message: &str) -> SqlResult<()> {
        match self.scope().set_calls.get(before) {
            None => Ok(()),
            Some(call) => {
                Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).with_hint(MOVE_TO_FROM).or_position(call.position))
            }
        }
    }

    /// Runs the calls of this level that are left over `rel`.
    pub(super) fn project_sets(&mut self, rel: Rel) -> Rel {
        let calls = std::mem::take(&mut self.scope().set_calls);
        layered(rel, calls)
    }

    /// Runs the calls that the grouping's keys need below it.
    pub(super) fn project_grouped_sets(&mut self, rel: Rel, keys: &[Key]) -> Rel {
        let mut wanted: Vec<ColumnId> = Vec::new();
        let calls = std::mem::take(&mut self.scope().set_calls);
        for (_, key) in keys {
            add_columns(key, &mut wanted);
        }
        // What a wanted call takes is wanted too; arguments were bound before their call.
        for call in calls.iter().rev() {
            if wanted.iter().any(|id| call.gives(*id)) {
                call.args.iter().for_each(|arg| add_columns(arg, &mut wanted));
            }
        }
        let (below, above) = calls.into_iter().partition(|call| wanted.iter().any(|id| call.gives(*id)));
        self.scope().set_calls = above;
        layered(rel, below)
    }

    /// Makes the arguments of the calls above a grouping use its columns.
    pub(super) fn regroup_set_calls(&mut self, keys: &mut Vec<Key>) -> SqlResult<()> {
        for at in 0..self.set_call_count() {
            let Some(call) = self.scope().set_calls.get_mut(at) else { continue };
            let mut args = std::mem::take(&mut call.args);
            for arg in &mut args {
                self.regroup(arg, keys, false)?;
            }
            if let Some(call) = self.scope().set_calls.get_mut(at) {
                call.args = args;
            }
        }
        Ok(())
    }
}

/// Puts calls above a relation, those without sets in their arguments first.
fn layered(mut rel: Rel, mut calls: Vec<SetCall>) -> Rel {
    while !calls.is_empty() {
        let open: Vec<ColumnId> = calls.iter().flat_map(|call| &call.columns).map(|column| column.id).collect();
        let (ready, later): (Vec<SetCall>, Vec<SetCall>) =
            calls.into_iter().partition(|call| !call.args.iter().any(|arg| mentions_any(arg, &open)));
        let functions = ready.into_iter().map(table_function).collect();
        rel = Rel::ProjectSet { input: Box::new(rel), functions };
        calls = later;
    }
    rel
}

fn table_function(call: SetCall) -> TableFunction {
    TableFunction {
        call: TableCall::Rows { function: call.function, args: call.args },
        form: RowForm::Columns,
        columns: call.columns,
    }
}

fn add_columns(expr: &Expr, columns: &mut Vec<ColumnId>) {
    walk::any(expr, &mut |part| {
        if let ExprKind::Column(id) = part.kind {
            columns.push(id);
        }
        false
    });
}

fn mentions_any(expr: &Expr, columns: &[ColumnId]) -> bool {
    walk::any(expr, &mut |part| matches!(part.kind, ExprKind::Column(id) if columns.contains(&id)))
}
