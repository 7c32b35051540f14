//! COPY FROM: rows of fields into rows of a table.
//!
//! A row goes the way of INSERT, with the same defaults, constraints, waits and errors; each error says in which line,
//! and where it can in which column, it was met. Rows are stored in batches; an error in a later line is told after the
//! lines before it are stored, so that the first error of the input is the one that is reported.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::Rights;
use nqdb_functions::read_text;
use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError, SqlResult};
use nqdb_txn::{ReadView, RelationLock, Wait};
use nqdb_types::{Datum, FormatContext, Type, read_binary};

use super::lines::{Found, Lines, bad_format};
use super::target;
use super::tuples::Tuples;
use crate::bind::{
    BindContext, bind_check, bind_copy_predicate, bind_default_of, bind_domain_of_column, bind_generation,
};
use crate::exec::{
    CommandTag, Eval, ExecContext, Flushed, Frame, InsertBatch, InsertState, InsertTarget, Runtime, Step, Subplan,
    WithPlan,
};
use crate::integrity::{Firing, settle};
use crate::ir::{Check, ColumnId, Expr, ExprKind, Insert, OutputColumn, Query, Rel};
use crate::plan::{PlanContext, plan_copy_target};
use crate::rights::Access;
use crate::statement::{CopyFormat, CopyHeader, CopyOptions, CopySource, CopyStatement, Parsed, StatementKind};

/// Characters of a line, or a value, in an error's context.
const CONTEXT_CHARACTERS_MAX: usize = 100;

/// A planned COPY FROM STDIN.
#[derive(Debug)]
pub struct CopyInPlan {
    /// Locks to take before it starts. Afterwards the catalog version must still be the plan's.
    pub relations: Vec<(u32, RelationLock)>,
    pub catalog_version: u64,
    /// What the role must be allowed.
    pub accesses: Vec<Access>,
    /// Columns that the client sends.
    pub column_count: usize,
    pub is_binary: bool,
    /// A function in it asks for the transaction's number: it must have one before the first row.
    pub needs_number: bool,
    options: CopyOptions,
    columns: Box<[CopyColumn]>,
    target: InsertTarget,
    /// WHERE, over the slots of the new row.
    predicate: Option<Eval>,
    subplans: Vec<Subplan>,
    with: Vec<WithPlan>,
    recursion_count: usize,
    slot_count: usize,
}

#[derive(Debug)]
struct CopyColumn {
    name: String,
    ty: Type,
    force_not_null: bool,
    force_null: bool,
}

/// What the planner of a COPY FROM gives.
pub(crate) struct CopyTargetPlan {
    pub target: InsertTarget,
    pub predicate: Option<Eval>,
    pub subplans: Vec<Subplan>,
    pub with: Vec<WithPlan>,
    pub recursion_count: usize,
    pub slot_count: usize,
    pub needs_number: bool,
    /// Tables that constraints lead to.
    pub relations: Vec<(u32, RelationLock)>,
}

/// Plans a statement of kind [`StatementKind::Copy`] that reads from the client.
pub fn plan_copy_in(parsed: &Parsed, cx: &BindContext<'_>, plan_cx: &PlanContext) -> SqlResult<CopyInPlan> {
    let StatementKind::Copy(copy) = &parsed.kind else {
        return Err(SqlError::internal("only COPY is planned as COPY"));
    };
    let CopySource::Table { schema, name, columns, .. } = &copy.source else {
        return Err(SqlError::internal("COPY FROM has no table"));
    };
    let table = target::table(schema.as_deref(), name, copy.direction, cx)?;
    let positions = target::columns(&table, columns)?;
    let names: Vec<String> = positions.iter().map(|position| table.columns[*position].name.clone()).collect();
    let not_null = target::forced("FORCE_NOT_NULL", &copy.options.force_not_null, &names)?;
    let null = target::forced("FORCE_NULL", &copy.options.force_null, &names)?;
    let accesses = vec![target::access(&table, Rights::INSERT, columns)?];
    let columns = positions
        .iter()
        .zip(not_null.into_iter().zip(null))
        .map(|(position, (force_not_null, force_null))| {
            let column = &table.columns[*position];
            CopyColumn { name: column.name.clone(), ty: column.ty, force_not_null, force_null }
        })
        .collect();
    let row: Vec<(usize, ColumnId)> =
        table.live_columns().map(|(position, _)| (position, ColumnId(position as u32))).collect();
    let insert = insert_into(&table, &positions, &row, cx)?;
    let predicate = bind_predicate(copy, parsed, &table, &row, cx)?;
    let planned = plan_copy_target(&insert, predicate.as_ref(), plan_cx)?;
    Ok(CopyInPlan {
        relations: std::iter::once((table.oid, RelationLock::RowExclusive)).chain(planned.relations).collect(),
        accesses,
        catalog_version: plan_cx.catalog_version,
        column_count: positions.len(),
        is_binary: copy.options.format == CopyFormat::Binary,
        needs_number: planned.needs_number,
        options: copy.options.clone(),
        columns,
        target: planned.target,
        predicate: planned.predicate,
        subplans: planned.subplans,
        with: planned.with,
        recursion_count: planned.recursion_count,
        slot_count: planned.slot_count,
    })
}

fn bind_predicate(
    copy: &CopyStatement,
    parsed: &Parsed,
    table: &Arc<TableDef>,
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Option<Expr>> {
    let predicate = copy.predicate.as_ref();
    predicate.map(|predicate| bind_copy_predicate(predicate, &parsed.tokens, table, row, cx)).transpose()
}

/// The INSERT that stores the rows; its source stays empty.
fn insert_into(
    table: &Arc<TableDef>,
    positions: &[usize],
    row: &[(usize, ColumnId)],
    cx: &BindContext<'_>,
) -> SqlResult<Insert> {
    let mut defaults = Vec::new();
    for (position, column) in table.live_columns().filter(|(position, _)| !positions.contains(position)) {
        if let Some(identity) = &column.identity {
            defaults.push((position, next_identity(identity.sequence, column.ty)?));
        } else if column.generated.is_none()
            && let Some(default) = bind_default_of(column, cx)?
        {
            defaults.push((position, default));
        }
    }
    let mut generated: Vec<(usize, Expr)> = table
        .live_columns()
        .filter(|(_, column)| column.generated.is_some())
        .filter_map(|(position, column)| Some((position, column.default.as_ref()?)))
        .map(|(position, text)| Ok((position, bind_generation(text, table, position, row, cx)?)))
        .collect::<SqlResult<_>>()?;
    // What was read as the base type of a domain has yet to meet the domain's rules.
    for position in positions {
        generated.extend(bind_domain_of_column(table, *position, row, cx)?.map(|checked| (*position, checked)));
    }
    let checks = table
        .checks
        .iter()
        .map(|check| {
            let predicate = bind_check(&check.expression, table, row, cx)?;
            Ok(Check { name: check.name.clone(), predicate, of_view: false })
        })
        .collect::<SqlResult<_>>()?;
    Ok(Insert {
        table: table.clone(),
        source: Query { rel: Rel::OneRow, output: Vec::<OutputColumn>::new() },
        targets: positions.to_vec(),
        defaults,
        row: row.to_vec(),
        generated,
        checks,
        on_conflict: None,
        returning: None,
    })
}

/// `nextval` of an identity column's sequence, as the column's type.
fn next_identity(sequence: u32, ty: Type) -> SqlResult<Expr> {
    let expr = |kind, ty| Expr { kind, ty, nullable: false, position: None };
    let nextval = nqdb_functions::functions_named("nextval").first().copied();
    let nextval = nextval.ok_or_else(|| SqlError::internal("there is no nextval"))?;
    let argument = expr(ExprKind::Literal(Datum::Oid(sequence)), Type::REGCLASS);
    let value = expr(ExprKind::Call { function: nextval, args: vec![argument] }, Type::INT8);
    if ty.oid == Type::INT8.oid {
        return Ok(value);
    }
    let cast = nqdb_functions::functions_named(if ty.oid == Type::INT2.oid { "int2" } else { "int4" })
        .iter()
        .find(|function| function.args == [Type::INT8.oid]);
    let cast = cast.copied().ok_or_else(|| SqlError::internal("there is no cast from bigint"))?;
    Ok(expr(ExprKind::Call { function: cast, args: vec![value] }, ty))
}

/// What reading the next line came to.
enum Read {
    /// A row, in [`CopyIn::state`].
    Row,
    /// A header, or a row that WHERE does not want.
    Skipped,
    /// The rest of the line has not come yet.
    Nothing,
    End,
}

/// The reader of the format.
enum Input {
    Lines(Box<Lines>),
    Tuples(Tuples),
}

impl Input {
    fn new(options: &CopyOptions) -> Input {
        match options.format {
            CopyFormat::Text | CopyFormat::Csv => Input::Lines(Box::new(Lines::new(options))),
            CopyFormat::Binary => Input::Tuples(Tuples::default()),
        }
    }

    /// The number of the line or row at hand.
    fn number(&self) -> u64 {
        match self {
            Input::Lines(lines) => lines.number,
            Input::Tuples(tuples) => tuples.number,
        }
    }

    fn buffered_bytes(&self) -> usize {
        match self {
            Input::Lines(lines) => lines.buffered_bytes(),
            Input::Tuples(tuples) => tuples.buffered_bytes(),
        }
    }
}

/// A COPY FROM under way.
///
/// The session calls [`CopyIn::feed`] with what the client sends and [`CopyIn::step`] until it says
/// [`Step::Suspended`], then feeds again; after [`CopyIn::end_input`] the last step says [`Step::Done`].
pub struct CopyIn {
    plan: Arc<CopyInPlan>,
    view: ReadView,
    frame: Frame,
    input: Input,
    state: InsertState,
    /// Rows that are not stored yet, and the lines that they came from.
    batch: InsertBatch,
    line_numbers: Vec<u64>,
    /// How it ends once these are stored.
    ending: Option<SqlResult<()>>,
    header_seen: bool,
    rows: u64,
    firing: Option<Box<Firing>>,
}

impl CopyIn {
    /// Nothing is stored before the first step.
    pub fn new(plan: Arc<CopyInPlan>, view: ReadView) -> CopyIn {
        CopyIn {
            view,
            frame: Frame::new(plan.slot_count, plan.subplans.len()).with_queries(plan.with.len(), plan.recursion_count),
            input: Input::new(&plan.options),
            state: InsertState::default(),
            batch: InsertBatch::default(),
            line_numbers: Vec::new(),
            ending: None,
            header_seen: plan.options.header == CopyHeader::No,
            rows: 0,
            firing: None,
            plan,
        }
    }

    /// Takes what the client sent; it may end anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.input {
            Input::Lines(lines) => lines.feed(bytes),
            Input::Tuples(tuples) => tuples.feed(bytes),
        }
    }

    /// The client has sent everything.
    pub fn end_input(&mut self) {
        match &mut self.input {
            Input::Lines(lines) => lines.end_input(),
            Input::Tuples(tuples) => tuples.end_input(),
        }
    }

    /// Stores the rows that have come; [`Step::Suspended`] when more input is needed.
    pub fn step(&mut self, cx: &mut ExecContext<'_>) -> SqlResult<Step> {
        cx.check_cancel()?;
        self.frame.start_slice();
        let plan = self.plan.clone();
        loop {
            let must_flush = self.batch.is_full() || (self.ending.is_some() && !self.batch.is_empty());
            if must_flush && let Some(wait) = self.flush(&plan, cx)? {
                return Ok(Step::Wait(wait));
            }
            match self.ending.take() {
                Some(Ok(())) => {
                    if let Some(step) = settle(&mut self.firing, &mut self.frame.events, cx)? {
                        self.ending = Some(Ok(()));
                        return Ok(step);
                    }
                    return Ok(Step::Done(CommandTag::Copy(self.rows)));
                }
                Some(Err(error)) => return Err(error),
                None => {}
            }
            match self.read_row(&plan, cx) {
                Ok(Read::Row) => {
                    self.batch.push(&mut self.state.row);
                    self.line_numbers.push(self.input.number());
                }
                Ok(Read::Skipped) => {}
                Ok(Read::Nothing) => return self.need_more(cx),
                Ok(Read::End) => self.ending = Some(Ok(())),
                Err(error) => self.ending = Some(Err(error)),
            }
            if runtime(&plan, &mut self.frame, &self.view, cx).slice_is_over()? {
                return Ok(Step::Yield);
            }
        }
    }

    /// Reads a line and computes its row.
    fn read_row(&mut self, plan: &CopyInPlan, cx: &mut ExecContext<'_>) -> SqlResult<Read> {
        let found = match &mut self.input {
            Input::Lines(lines) => lines.next_row(),
            Input::Tuples(tuples) => tuples.next_row(plan.columns.len()),
        };
        match found.map_err(|error| self.in_line(error))? {
            Found::End => Ok(Read::End),
            Found::Nothing => Ok(Read::Nothing),
            Found::Row if !self.header_seen => {
                self.header_seen = true;
                self.check_header(plan).map_err(|error| self.in_line(error))?;
                Ok(Read::Skipped)
            }
            Found::Row => Ok(if self.build_row(plan, cx)? { Read::Row } else { Read::Skipped }),
        }
    }

    /// Stores the rows gathered; what to wait for, if they are not all stored yet.
    fn flush(&mut self, plan: &CopyInPlan, cx: &mut ExecContext<'_>) -> SqlResult<Option<Wait>> {
        let mut rt = runtime(plan, &mut self.frame, &self.view, cx);
        match plan.target.flush(&mut self.batch, &mut rt) {
            Ok(Flushed::Done(count)) => {
                self.rows += count as u64;
                self.line_numbers.clear();
                Ok(None)
            }
            Ok(Flushed::Wait(wait)) => Ok(Some(wait)),
            Err((position, error)) => {
                let number = self.line_numbers.get(position).copied().unwrap_or(self.input.number());
                Err(error.with_context(format!("COPY {}, line {number}", plan.target.table.name)))
            }
        }
    }

    fn need_more(&self, cx: &ExecContext<'_>) -> SqlResult<Step> {
        if self.input.buffered_bytes() > cx.memory_limit_bytes {
            let limit = cx.memory_limit_bytes;
            let detail = format!("A single line of COPY data exceeds {limit} bytes.");
            let error = SqlError::new(OUT_OF_MEMORY, "out of memory").with_detail(detail);
            return Err(self.in_line(error.with_hint("Raise the setting work_mem.")));
        }
        Ok(Step::Suspended)
    }

    /// Converts the fields; false when WHERE does not want the row.
    fn build_row(&mut self, plan: &CopyInPlan, cx: &mut ExecContext<'_>) -> SqlResult<bool> {
        let values = match &self.input {
            Input::Lines(lines) => self.read_line(lines, plan, cx)?,
            Input::Tuples(tuples) => self.read_tuple(tuples, plan, cx.functions.format)?,
        };
        let mut rt = runtime(plan, &mut self.frame, &self.view, cx);
        let built = plan.target.build(values.into_iter(), &mut self.state, plan.predicate.as_ref(), &mut rt);
        built.map_err(|error| self.in_line(error))
    }

    fn read_line(&self, lines: &Lines, plan: &CopyInPlan, cx: &ExecContext<'_>) -> SqlResult<Vec<Datum>> {
        let mut values = Vec::with_capacity(plan.columns.len());
        for (number, column) in plan.columns.iter().enumerate() {
            if number >= lines.field_count() {
                let message = format!("missing data for column \"{}\"", column.name);
                return Err(self.in_line(bad_format(message)));
            }
            let text =
                lines.field(number, column.force_not_null, column.force_null).map_err(|error| self.in_line(error))?;
            values.push(match text {
                Some(text) => read_text(text, column.ty, cx.functions.format, cx.functions.session)
                    .map_err(|error| self.in_column(error, &column.name, Some(text)))?,
                None => Datum::Null,
            });
        }
        // A row without columns is an empty line, which counts as one empty field.
        let is_empty_row = plan.columns.is_empty() && lines.field_count() == 1 && lines.is_empty_line();
        if lines.field_count() > plan.columns.len() && !is_empty_row {
            return Err(self.in_line(bad_format("extra data after last expected column")));
        }
        Ok(values)
    }

    fn read_tuple(&self, tuples: &Tuples, plan: &CopyInPlan, format: &FormatContext) -> SqlResult<Vec<Datum>> {
        let read = |(number, column): (usize, &CopyColumn)| match tuples.field(number) {
            Some(bytes) => {
                read_binary(bytes, column.ty, format).map_err(|error| self.in_column(error, &column.name, None))
            }
            None => Ok(Datum::Null),
        };
        plan.columns.iter().enumerate().map(read).collect()
    }

    /// HEADER MATCH: the names must be those of the columns, in their order.
    fn check_header(&self, plan: &CopyInPlan) -> SqlResult<()> {
        if plan.options.header != CopyHeader::Match {
            return Ok(());
        }
        let Input::Lines(lines) = &self.input else { return Ok(()) };
        let (found, expected) = (lines.field_count(), plan.columns.len());
        if found != expected {
            let message = format!("wrong number of fields in header line: got {found}, expected {expected}");
            return Err(bad_format(message));
        }
        for (number, column) in plan.columns.iter().enumerate() {
            let field = number + 1;
            match lines.field(number, false, false)? {
                Some(name) if name == column.name => {}
                Some(name) => {
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {field}: got \"{name}\", expected \"{}\"",
                        column.name
                    )));
                }
                None => {
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {field}: got null value (\"{}\"), expected \"{}\"",
                        plan.options.null, column.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// Says where an error came that ends the input: in front of the line that would have been next.
    pub fn before_next_line(&self, error: SqlError) -> SqlError {
        error.with_context(format!("COPY {}, line {}", self.plan.target.table.name, self.input.number() + 1))
    }

    fn in_line(&self, error: SqlError) -> SqlError {
        if error.context().is_some() {
            return error;
        }
        let (table, number) = (&self.plan.target.table.name, self.input.number());
        let line = match &self.input {
            Input::Lines(lines) => lines.line(),
            // Nothing is read yet: what is wrong is the header.
            Input::Tuples(_) if number == 0 => return error,
            Input::Tuples(_) => String::new(),
        };
        if line.is_empty() {
            return error.with_context(format!("COPY {table}, line {number}"));
        }
        error.with_context(format!("COPY {table}, line {number}: \"{}\"", shortened(&line)))
    }

    fn in_column(&self, error: SqlError, column: &str, value: Option<&str>) -> SqlError {
        let (table, number) = (&self.plan.target.table.name, self.input.number());
        let place = format!("COPY {table}, line {number}, column {column}");
        let context = match value {
            Some(value) => format!("{place}: \"{}\"", shortened(value)),
            None => place,
        };
        error.with_context(context)
    }
}

fn runtime<'r, 'c>(
    plan: &'r CopyInPlan,
    frame: &'r mut Frame,
    view: &'r ReadView,
    cx: &'r mut ExecContext<'c>,
) -> Runtime<'r, 'c> {
    Runtime { subplans: &plan.subplans, with: &plan.with, frame, params: &[], view, cx }
}

/// The start of a long text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(CONTEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
