//! Scans, filters, computed columns and limits.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::limit::GlobalLimitExec;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use nqdb_catalog::TableDef;
use nqdb_sql::ir::{ColumnId, Expr, Rel, WithId};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned, split_conjuncts};
use nqdb_sqlstate::{INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, SqlError};
use nqdb_types::{Datum, Type, holds_records};

use super::unfold::Functions;
use super::window::Over;
use super::{Lowered, Lowering, Sources, in_one_stream};
use crate::column::ColumnBuilder;
use crate::expression::{Columns, Expression};
use crate::failure::{Failure, Outcome};
use crate::kept::{KeptRows, KeptRowsExec};
use crate::scan::{ROW_ID, ScanExec, ScanParts};
use crate::shape::{Repr, Shape};

/// Rows that are worth another stream.
const ROWS_PER_PARTITION: u64 = 32_768;

/// Which rows of a result are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub skip: usize,
    pub fetch: Option<usize>,
}

impl Window {
    /// Rows from the start of the result that decide it.
    pub fn reach(self) -> Option<usize> {
        self.fetch.map(|fetch| fetch.saturating_add(self.skip))
    }
}

/// A table that can be scanned.
#[derive(Clone, Copy)]
pub(super) struct Scanned<'r> {
    pub table: &'r Arc<TableDef>,
    alias: &'r str,
    /// Positions in the table and what they are called.
    pub columns: &'r [(usize, ColumnId)],
}

impl<'r> Scanned<'r> {
    pub fn of(rel: &'r Rel) -> Option<Scanned<'r>> {
        let Rel::Scan { table, columns, address: None, sample: None, alias, position: _ } = rel else { return None };
        let is_stored = columns.iter().all(|(at, _)| nqdb_sql::SystemColumn::at(*at).is_none());
        is_stored.then_some(Scanned { table, alias, columns })
    }
}

/// The column of a table that takes the least to read, if it has one of a fixed width.
fn narrowest_column(table: &TableDef) -> Option<(usize, Type)> {
    let width = |ty: Type| match Shape::of_column(ty).repr {
        Repr::Bool => Some(1),
        Repr::Int16 => Some(2),
        Repr::Int32 | Repr::Oid => Some(4),
        Repr::Int64 => Some(8),
        _ => None,
    };
    let columns = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
    let widths = columns.filter_map(|(position, column)| Some((width(column.ty)?, position, column.ty)));
    widths.min_by_key(|(width, position, _)| (*width, *position)).map(|(_, position, ty)| (position, ty))
}

impl Lowering<'_> {
    /// A relation with at least the columns of `needed` that it defines.
    pub(super) fn relation(&self, rel: &Rel, needed: &ColumnSet) -> Outcome<Lowered> {
        self.filtered(rel, Vec::new(), needed)
    }

    /// A relation under conditions, which are tested as early as they can be.
    pub(super) fn filtered(&self, rel: &Rel, mut conditions: Vec<Expr>, needed: &ColumnSet) -> Outcome<Lowered> {
        match rel {
            Rel::Filter { input, predicate } => {
                // The inner conditions come first.
                let mut all = Vec::new();
                split_conjuncts(predicate, &mut all);
                all.append(&mut conditions);
                self.filtered(input, all, needed)
            }
            Rel::Scan { .. } if let Some(scanned) = Scanned::of(rel) => self.scan(scanned, &conditions, needed),
            Rel::Window { input, partition, order, calls } => {
                let over = Over { partition, order, calls };
                let (below, above) = conditions.into_iter().partition(|condition| over.selects_partitions(condition));
                self.window(input, over, below, above, needed)
            }
            Rel::Join { kind, left, right, on } => self.join(*kind, left, right, on.as_ref(), conditions, needed),
            _ => {
                let mut inner = needed.clone();
                conditions.iter().for_each(|condition| inner.extend(mentioned(condition)));
                let lowered = self.unfiltered(rel, &inner)?;
                self.filter(lowered, &conditions)
            }
        }
    }

    /// The relations that conditions do not enter.
    fn unfiltered(&self, rel: &Rel, needed: &ColumnSet) -> Outcome<Lowered> {
        match rel {
            Rel::OneRow => {
                let schema = Arc::new(arrow::datatypes::Schema::empty());
                let plan = Arc::new(PlaceholderRowExec::new(schema));
                Ok(Lowered { plan, columns: Columns::default(), sources: Sources::default() })
            }
            Rel::Values { columns, rows } => self.values(columns, rows),
            Rel::FunctionScan { functions, ordinality } => {
                let functions = Functions { functions, ordinality: *ordinality };
                self.unfold(&Rel::OneRow, functions, false, needed)
            }
            Rel::ProjectSet { input, functions } => {
                self.unfold(input, Functions { functions, ordinality: None }, false, needed)
            }
            Rel::Extend { input, columns } => self.extend(input, columns, needed),
            Rel::Aggregate { input, keys, sets, aggregates } => {
                self.aggregate(input, keys, sets.as_ref(), aggregates, needed)
            }
            Rel::With { input, .. } => self.relation(input, needed),
            Rel::WithScan { id, columns, name: _ } => self.with_scan(*id, columns),
            Rel::Sort { input, keys } => self.sort(input, keys, Window::default(), needed),
            Rel::Distinct { input, on } => self.distinct(input, on, needed),
            Rel::Limit { input, limit, offset, ties } if ties.is_empty() => {
                self.limit(input, limit.as_ref(), offset.as_ref(), needed)
            }
            Rel::SetOperation { kind, all, left, right, columns } => {
                self.set_operation(*kind, *all, [left, right], columns)
            }
            _ => Err(Failure::Declined("a relation that has no vectorised form")),
        }
    }

    /// A relation's rows that pass.
    pub(super) fn filter(&self, input: Lowered, conditions: &[Expr]) -> Outcome<Lowered> {
        let mut plan = input.plan;
        for condition in conditions {
            let predicate = self.physical(self.compile(condition, &input.columns)?, &plan.schema());
            plan = Arc::new(FilterExec::try_new(predicate, plan)?);
        }
        Ok(Lowered { plan, columns: input.columns, sources: input.sources })
    }

    fn scan(&self, scanned: Scanned<'_>, conditions: &[Expr], needed: &ColumnSet) -> Outcome<Lowered> {
        self.scan_with(scanned, conditions, needed, false)
    }

    /// A scan whose last column is the row's id, if that is wanted.
    pub(super) fn scan_with(
        &self,
        Scanned { table, alias, columns }: Scanned<'_>,
        conditions: &[Expr],
        needed: &ColumnSet,
        with_id: bool,
    ) -> Outcome<Lowered> {
        let mut tested = ColumnSet::default();
        conditions.iter().for_each(|condition| tested.extend(mentioned(condition)));
        let mut read = Vec::new();
        let mut shapes = Vec::new();
        let mut output = Vec::new();
        let mut sources = Vec::new();
        let (mut inside, mut outside) = (Columns::default(), Columns::default());
        for (position, id) in columns {
            let is_needed = needed.contains(id);
            if !is_needed && !tested.contains(id) {
                continue;
            }
            let missing = || SqlError::internal("a scan reads a column that its table does not have");
            // Stored columns keep their place in the row; the definition says where it is.
            let ty = table.columns.get(*position).ok_or_else(missing)?.ty;
            if holds_records(ty.oid) {
                // They are brought into the shape of now as the row executor reads them.
                return Err(Failure::Declined("a column of composite values"));
            }
            let shape = Shape::of_column(ty);
            inside.insert(*id, read.len(), shape);
            if is_needed {
                outside.insert(*id, output.len(), shape);
                output.push(read.len());
                sources.push((*id, read.len()));
            }
            read.push((*position, ty));
            shapes.push(shape);
        }
        if with_id {
            output.push(read.len());
            read.push((ROW_ID, Type::INT8));
            shapes.push(Shape::INT8);
        }
        if read.is_empty()
            && let Some((position, ty)) = narrowest_column(table)
        {
            // Its values do not matter, but a segment that is in the cache says how many rows it has.
            read.push((position, ty));
            shapes.push(Shape::of_column(ty));
        }
        let filters = conditions.iter().map(|condition| self.compile(condition, &inside));
        table.store.track_read_of_all(self.view)?;
        let name = if alias == table.name { table.name.clone() } else { format!("{} {alias}", table.name) };
        let scan = ScanExec::new(ScanParts {
            name,
            table: table.store.clone(),
            view: self.view.clone(),
            columns: read,
            shapes,
            filters: filters.collect::<Outcome<Vec<Expression>>>()?,
            output,
            partitions: self.partitions_for(table.store.estimated_rows()),
            cache: self.cache.clone(),
            cx: self.constants.cx.clone(),
        });
        let sources = sources.into_iter().map(|(id, column)| (id, scan.column(column))).collect();
        Ok(Lowered { plan: Arc::new(scan), columns: outside, sources })
    }

    /// A small table is read in one stream, which keeps its order.
    pub(super) fn partitions_for(&self, rows: u64) -> usize {
        let wanted = usize::try_from(rows / ROWS_PER_PARTITION).unwrap_or(usize::MAX);
        wanted.clamp(1, self.partitions)
    }

    /// Rows that are written out.
    fn values(&self, columns: &[(ColumnId, Type)], rows: &[Vec<Expr>]) -> Outcome<Lowered> {
        let mut places = Columns::default();
        let (mut shapes, mut arrays, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (id, ty)) in columns.iter().enumerate() {
            let missing = || SqlError::internal("a row of VALUES lacks a column");
            let values = rows.iter().map(|row| self.constants.value_of(row.get(place).ok_or_else(missing)?));
            let values = values.collect::<Outcome<Vec<Datum>>>()?;
            let shape = Shape::of_type(*ty);
            let mut builder = ColumnBuilder::new(shape, values.len());
            values.iter().try_for_each(|value| builder.push(value))?;
            places.insert(*id, place, shape);
            fields.push(Field::new(format!("v{place}"), shape.data_type(), true));
            arrays.push(builder.finish());
            shapes.push(shape);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let plan = Arc::new(KeptRowsExec::new(Arc::new(KeptRows::of(batch, shapes))));
        Ok(Lowered { plan, columns: places, sources: Sources::default() })
    }

    /// The rows of a WITH query, which were kept before.
    fn with_scan(&self, id: WithId, columns: &[(usize, ColumnId, Type)]) -> Outcome<Lowered> {
        let rows = self.with.get(id).ok_or(Failure::Declined("a WITH query of an outer query"))?;
        let mut places = Columns::default();
        for (position, column, _) in columns {
            let missing = || SqlError::internal("a WITH query lacks a column");
            places.insert(*column, *position, *rows.shapes.get(*position).ok_or_else(missing)?);
        }
        Ok(Lowered { plan: Arc::new(KeptRowsExec::new(rows)), columns: places, sources: Sources::default() })
    }

    fn extend(&self, input: &Rel, columns: &[(ColumnId, Expr)], needed: &ColumnSet) -> Outcome<Lowered> {
        let computed: Vec<&(ColumnId, Expr)> = columns.iter().filter(|(id, _)| needed.contains(id)).collect();
        let mut inner: ColumnSet = needed.iter().copied().collect();
        computed.iter().for_each(|(_, expr)| inner.extend(mentioned(expr)));
        let input = self.relation(input, &inner)?;
        let mut all: Vec<(ColumnId, Expression)> = input
            .columns
            .iter()
            .filter(|(id, ..)| needed.contains(id))
            .map(|(id, index, shape)| (id, Expression::column(index, shape)))
            .collect();
        all.sort_by_key(|(id, _)| *id);
        for (id, expr) in computed {
            all.push((*id, self.compile(expr, &input.columns)?));
        }
        self.project(&input, all)
    }

    fn limit(&self, input: &Rel, limit: Option<&Expr>, offset: Option<&Expr>, needed: &ColumnSet) -> Outcome<Lowered> {
        let count = |expr: Option<&Expr>, error: fn() -> SqlError| -> Outcome<Option<usize>> {
            let Some(expr) = expr else { return Ok(None) };
            let Some(count) = self.constants.value_of(expr)?.as_integer() else { return Ok(None) };
            Ok(Some(usize::try_from(count).map_err(|_| error())?))
        };
        let negative_limit = || SqlError::new(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative");
        let negative_offset =
            || SqlError::new(INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative");
        let skip = count(offset, negative_offset)?.unwrap_or(0);
        let window = Window { skip, fetch: count(limit, negative_limit)? };
        let lowered = match input {
            Rel::Sort { input, keys } => self.sort(input, keys, window, needed)?,
            other => self.relation(other, needed)?,
        };
        if window.skip == 0 && window.fetch.is_none() {
            return Ok(lowered);
        }
        let plan = GlobalLimitExec::new(in_one_stream(lowered.plan), window.skip, window.fetch);
        Ok(Lowered { plan: Arc::new(plan), columns: lowered.columns, sources: Sources::default() })
    }
}
