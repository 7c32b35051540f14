//! Functions that return rows: in FROM, beside what they take their arguments from, and in a select list.

use std::sync::Arc;

use nqdb_sql::ir::{ColumnId, Expr, JoinKind, Rel, RowForm, TableCall, TableFunction};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned};

use super::{Lowered, Lowering};
use crate::expression::asks_no_session;
use crate::failure::{Failure, Outcome};
use crate::map_rows::MapExec;
use crate::unfold::{Source, Unfolding, is_plain};

/// Functions whose rows are read side by side.
#[derive(Clone, Copy)]
pub(super) struct Functions<'r> {
    pub functions: &'r [TableFunction],
    pub ordinality: Option<ColumnId>,
}

impl<'r> Functions<'r> {
    /// The functions that a join reads for each row of its left side.
    pub fn beside(right: &'r Rel) -> Option<Functions<'r>> {
        let Rel::FunctionScan { functions, ordinality } = right else { return None };
        let is_lateral = functions.iter().flat_map(TableFunction::expressions).any(|arg| !mentioned(arg).is_empty());
        is_lateral.then_some(Functions { functions, ordinality: *ordinality })
    }

    fn mentioned(&self) -> ColumnSet {
        self.functions.iter().flat_map(TableFunction::expressions).flat_map(mentioned).collect()
    }
}

impl Lowering<'_> {
    /// The rows of an input, each repeated for the rows of its functions.
    pub(super) fn unfold(
        &self,
        input: &Rel,
        functions: Functions<'_>,
        keeps_all: bool,
        needed: &ColumnSet,
    ) -> Outcome<Lowered> {
        let mut inner = needed.clone();
        inner.extend(functions.mentioned());
        let input = self.relation(input, &inner)?;
        let sources = functions.functions.iter().map(|function| self.source(function, &input));
        let sources = sources.collect::<Outcome<Vec<Source>>>()?;
        let has_ordinality = functions.ordinality.is_some();
        let unfolding = Unfolding::new(&input.schema(), sources, has_ordinality, keeps_all, self.constants.cx.clone());
        let mut columns = input.columns;
        let defined = functions.functions.iter().flat_map(|function| &function.columns).map(|column| column.id);
        for (number, id) in defined.chain(functions.ordinality).enumerate() {
            if let Some((index, shape)) = unfolding.shape(number) {
                columns.insert(id, index, shape);
            }
        }
        // Without some rows of the input, just what is made of them is missing.
        Ok(Lowered { plan: Arc::new(MapExec::new(input.plan, Arc::new(unfolding))), columns, sources: input.sources })
    }

    /// A join whose right side is functions of its left side's columns; none when it is not that.
    pub(super) fn lateral(
        &self,
        kind: JoinKind,
        left: &Rel,
        right: &Rel,
        on: Option<&Expr>,
        above: &[Expr],
        needed: &ColumnSet,
    ) -> Outcome<Option<Lowered>> {
        let Some(functions) = Functions::beside(right) else { return Ok(None) };
        let keeps_all = match (kind, on) {
            (JoinKind::Inner | JoinKind::Cross, _) => false,
            (JoinKind::Left, None) => true,
            (JoinKind::Left, Some(on)) if self.compile(on, &Default::default()).is_ok_and(|on| on.is_true()) => true,
            _ => return Err(Failure::Declined("functions of a row under such a join")),
        };
        let on = on.filter(|_| !keeps_all);
        let mut inner = needed.clone();
        on.into_iter().chain(above).for_each(|condition| inner.extend(mentioned(condition)));
        let unfolded = self.unfold(left, functions, keeps_all, &inner)?;
        let conditions: Vec<Expr> = on.into_iter().chain(above).cloned().collect();
        self.filter(unfolded, &conditions).map(Some)
    }

    fn source(&self, function: &TableFunction, input: &Lowered) -> Outcome<Source> {
        if function.form != RowForm::Columns || !function.columns.iter().all(|column| is_plain(column.ty)) {
            return Err(Failure::Declined("a function of records"));
        }
        let schema = input.schema();
        let args = function.expressions().iter().map(|arg| {
            let arg = self.compile(arg, &input.columns)?;
            let shape = arg.shape;
            Ok((self.physical(arg, &schema), shape))
        });
        let called = match &function.call {
            TableCall::Value(_) => None,
            TableCall::Rows { function, .. } if asks_no_session(function) => Some(*function),
            TableCall::Rows { .. } => return Err(Failure::Declined("a function that asks its session")),
        };
        let columns = function.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        Ok(Source { function: called, args: args.collect::<Outcome<_>>()?, columns })
    }
}
