//! UNION, INTERSECT and EXCEPT.
//!
//! INTERSECT and EXCEPT group the rows of both sides together, count in each group those of either side, and give its row out
//! as many times as the counts say.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::union::UnionExec;
use nqdb_sql::ir::{ColumnId, Query, SetKind};
use nqdb_sqlstate::SqlError;
use nqdb_types::{Datum, Type};

use super::aggregate::group;
use super::{Lowered, Lowering, Sources};
use crate::aggregate::Call;
use crate::expression::{Columns, Comparison, Expression, Node};
use crate::failure::Outcome;
use crate::map_rows::MapExec;
use crate::set_operation::{CountedRows, Counts};
use crate::shape::Shape;

/// Names the column that says which side a row is of. No query has a column of this number.
const SIDE: ColumnId = ColumnId(u32::MAX);

impl Lowering<'_> {
    pub(super) fn set_operation(
        &self,
        kind: SetKind,
        all: bool,
        queries: [&Query; 2],
        columns: &[ColumnId],
    ) -> Outcome<Lowered> {
        match (kind, all) {
            (SetKind::Union, true) => self.together(queries, columns, false),
            (SetKind::Union, false) => {
                let both = self.together(queries, columns, false)?;
                if columns.is_empty() { Err(super::NO_COLUMNS) } else { self.distinct_rows(both, columns) }
            }
            _ => {
                let both = self.together(queries, columns, true)?;
                self.counted(both, columns, Counts { kind, all })
            }
        }
    }

    /// The rows of both sides in arrays of one kind, with the side if `says_side`.
    fn together(&self, queries: [&Query; 2], columns: &[ColumnId], says_side: bool) -> Outcome<Lowered> {
        let sides = [self.query_columns(queries[0])?, self.query_columns(queries[1])?];
        let shape_of = |side: usize, place: usize| -> Outcome<(usize, Shape)> {
            let missing = || SqlError::internal("a set operation lacks a column");
            let (side, query) = sides.get(side).zip(queries.get(side)).ok_or_else(missing)?;
            let column = query.output.get(place).ok_or_else(missing)?;
            side.columns.get(column.id).ok_or(super::OUTER_COLUMN)
        };
        let mut projections: [Vec<(ColumnId, Expression)>; 2] = [Vec::new(), Vec::new()];
        let mut places = Columns::default();
        for (place, id) in columns.iter().enumerate() {
            let (left_index, left_shape) = shape_of(0, place)?;
            let (right_index, right_shape) = shape_of(1, place)?;
            let shape = left_shape.merged(right_shape).unwrap_or(Shape::of_type(left_shape.ty));
            places.insert(*id, place, shape);
            projections[0].push((*id, Expression::column(left_index, left_shape).reshaped(shape)));
            projections[1].push((*id, Expression::column(right_index, right_shape).reshaped(shape)));
        }
        if says_side {
            places.insert(SIDE, columns.len(), Shape::BOOL);
            for (projection, is_right) in projections.iter_mut().zip([false, true]) {
                projection.push((SIDE, Expression::constant(Datum::Bool(is_right), Type::BOOL)));
            }
        }
        let mut plans = Vec::new();
        for (side, projection) in sides.iter().zip(projections) {
            plans.push(self.project(side, projection)?.plan);
        }
        Ok(Lowered { plan: UnionExec::try_new(plans)?, columns: places, sources: Sources::default() })
    }

    /// Groups rows that know their side, and gives each out as often as the counts of its group say.
    fn counted(&self, input: Lowered, columns: &[ColumnId], counts: Counts) -> Outcome<Lowered> {
        let schema = input.schema();
        let column = |id: &ColumnId| -> Outcome<(Expression, Shape)> {
            let (index, shape) = input.columns.get(*id).ok_or(super::OUTER_COLUMN)?;
            Ok((Expression::column(index, shape), shape))
        };
        let keys = columns.iter().map(|id| Ok(column(id)?.0)).collect::<Outcome<Vec<_>>>()?;
        let mut parts = self.parts(keys, &schema)?;
        let mut places = Columns::default();
        for side in [false, true] {
            let args = Box::new([column(&SIDE)?.0, Expression::constant(Datum::Bool(side), Type::BOOL)]);
            let node = Node::Compare { comparison: Comparison::Equal, args };
            let filter = self.physical(Expression { node, shape: Shape::BOOL, can_fail: false }, &schema);
            let one = self.physical(Expression::constant(Datum::Bool(true), Type::BOOL), &schema);
            self.add_call(Call::count(), vec![one], Some(filter), &input, &mut parts)?;
        }
        for (place, id) in columns.iter().enumerate() {
            let (value, shape) = column(id)?;
            let at = if shape.groups_by_itself() {
                place
            } else {
                self.add_first(value, &input, &mut parts)?;
                columns.len() + parts.functions.len() - 1
            };
            places.insert(*id, at, shape);
        }
        let grouped: Arc<dyn ExecutionPlan> = group(input.plan, parts)?;
        let rows = CountedRows::new(counts, columns.len(), grouped.schema());
        Ok(Lowered {
            plan: Arc::new(MapExec::new(grouped, Arc::new(rows))),
            columns: places,
            sources: Sources::default(),
        })
    }
}
