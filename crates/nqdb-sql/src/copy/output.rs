//! COPY TO: rows of a table or a query into lines of text or csv, or into the binary format.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::Rights;
use nqdb_functions::{SessionFunctions, write_client_text};
use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_txn::ReadView;
use nqdb_types::{Datum, FormatContext, Type, write_binary};

use super::target;
use super::tuples::{END_OF_ROWS, NULL_LENGTH, SIGNATURE};
use crate::bind::{BindContext, bind};
use crate::exec::{CommandTag, ExecContext, Execution, RowSink, Step};
use crate::ir::{Bound, ColumnId, OutputColumn, Query, Rel};
use crate::params::ParamTypes;
use crate::plan::{Plan, PlanContext, plan};
use crate::statement::{
    CopyDirection, CopyFormat, CopyHeader, CopyOptions, CopySource, NamedAt, Parsed, StatementKind,
};

/// A planned COPY TO.
#[derive(Debug)]
pub struct CopyOutPlan {
    /// The query behind it: its locks and its catalog version are those of the COPY.
    pub plan: Arc<Plan>,
    options: CopyOptions,
    columns: Vec<CopyColumn>,
}

#[derive(Debug)]
struct CopyColumn {
    name: String,
    ty: Type,
    force_quote: bool,
}

/// Plans a statement of kind [`StatementKind::Copy`] that writes to the client.
pub fn plan_copy_out(parsed: &Parsed, cx: &BindContext<'_>, plan_cx: &PlanContext) -> SqlResult<CopyOutPlan> {
    let StatementKind::Copy(copy) = &parsed.kind else {
        return Err(SqlError::internal("only COPY is planned as COPY"));
    };
    let mut accesses = Vec::new();
    let bound = match &copy.source {
        CopySource::Table { schema, name, columns, .. } => {
            let table = target::table(schema.as_deref(), name, CopyDirection::Out, cx)?;
            let query = table_query(&table, columns)?;
            accesses.push(target::access(&table, Rights::SELECT, columns)?);
            Bound::Query(query)
        }
        CopySource::Query(inner) => {
            let (bound, needed) = bind(inner, cx, &mut ParamTypes::none())?;
            accesses = needed;
            bound
        }
    };
    let output = bound.output().ok_or_else(|| {
        SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause")
    })?;
    let names: Vec<String> = output.iter().map(|column| column.name.clone()).collect();
    let quoted = target::forced("FORCE_QUOTE", &copy.options.force_quote, &names)?;
    let columns = output
        .into_iter()
        .zip(quoted)
        .map(|(column, force_quote)| CopyColumn { name: column.name, ty: column.ty, force_quote })
        .collect();
    let plan = Plan { accesses, ..plan(bound, &[], plan_cx)? };
    Ok(CopyOutPlan { plan: Arc::new(plan), options: copy.options.clone(), columns })
}

fn table_query(table: &Arc<TableDef>, names: &[NamedAt]) -> SqlResult<Query> {
    let positions = target::columns(table, names)?;
    let id = |position: usize| ColumnId(position as u32);
    let output = positions
        .iter()
        .map(|position| {
            let column = &table.columns[*position];
            let origin = Some((table.oid, column.attnum));
            OutputColumn { id: id(*position), name: column.name.clone(), ty: column.ty, origin }
        })
        .collect();
    let columns = positions.iter().map(|position| (*position, id(*position))).collect();
    let rel = Rel::Scan {
        table: table.clone(),
        alias: table.name.clone(),
        columns,
        address: None,
        sample: None,
        position: None,
    };
    Ok(Query { rel, output })
}

impl CopyOutPlan {
    /// Columns that the client gets.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    pub fn is_binary(&self) -> bool {
        self.options.format == CopyFormat::Binary
    }
}

/// A COPY TO under way.
pub struct CopyOut {
    plan: Arc<CopyOutPlan>,
    execution: Execution,
    format: FormatContext,
    header_due: bool,
}

impl CopyOut {
    /// Prepares it; nothing runs before the first step.
    pub fn new(plan: Arc<CopyOutPlan>, view: ReadView, format: FormatContext) -> CopyOut {
        let execution = Execution::new(plan.plan.clone(), Arc::from([]), view);
        let header_due = plan.is_binary() || plan.options.header != CopyHeader::No;
        CopyOut { plan, execution, format, header_due }
    }

    /// Goes on; `data` gets one row at a time, with the end of its line: one CopyData message each. What stands before
    /// binary rows comes with the first of them.
    pub fn step(&mut self, cx: &mut ExecContext<'_>, data: &mut dyn FnMut(&[u8]) -> SqlResult<()>) -> SqlResult<Step> {
        let plan = self.plan.clone();
        if plan.is_binary() {
            let (format, header_due) = (&self.format, &mut self.header_due);
            let mut tuples = TupleSink { plan: &plan, format, header_due, bytes: Vec::new(), data };
            let step = self.execution.step(cx, &mut tuples, 0)?;
            if let Step::Done(_) = step {
                tuples.end()?;
            }
            return Ok(copied(step));
        }
        let (format, session) = (&self.format, cx.functions.session);
        let mut lines = LineSink { plan: &plan, format, session, line: Vec::new(), field: Vec::new(), data };
        if std::mem::take(&mut self.header_due) {
            lines.header()?;
        }
        Ok(copied(self.execution.step(cx, &mut lines, 0)?))
    }
}

/// The step with COPY's tag.
fn copied(step: Step) -> Step {
    match step {
        Step::Done(tag) => Step::Done(CommandTag::Copy(tag.rows().unwrap_or(0))),
        other => other,
    }
}

/// Writes rows in the binary format.
struct TupleSink<'a> {
    plan: &'a CopyOutPlan,
    format: &'a FormatContext,
    header_due: &'a mut bool,
    bytes: Vec<u8>,
    data: &'a mut dyn FnMut(&[u8]) -> SqlResult<()>,
}

impl TupleSink<'_> {
    /// Begins a message, the first one with the header: no flags, no extension.
    fn begin(&mut self) {
        self.bytes.clear();
        if std::mem::take(self.header_due) {
            self.bytes.extend_from_slice(SIGNATURE);
            self.bytes.extend_from_slice(&[0; 8]);
        }
    }

    fn end(&mut self) -> SqlResult<()> {
        self.begin();
        self.bytes.extend_from_slice(&END_OF_ROWS.to_be_bytes());
        (self.data)(&self.bytes)
    }
}

impl RowSink for TupleSink<'_> {
    fn row(&mut self, values: &[Datum]) -> SqlResult<()> {
        self.begin();
        self.bytes.extend_from_slice(&(self.plan.columns.len() as i16).to_be_bytes());
        for (column, value) in self.plan.columns.iter().zip(values) {
            if value.is_null() {
                self.bytes.extend_from_slice(&NULL_LENGTH.to_be_bytes());
                continue;
            }
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&[0; 4]);
            write_binary(&mut self.bytes, value, column.ty, self.format);
            let length = i32::try_from(self.bytes.len() - start - 4)
                .map_err(|_| SqlError::new(PROGRAM_LIMIT_EXCEEDED, "a value is too long for COPY"))?;
            if let Some(place) = self.bytes.get_mut(start..start + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        (self.data)(&self.bytes)
    }
}

/// Writes rows as lines.
struct LineSink<'a> {
    plan: &'a CopyOutPlan,
    format: &'a FormatContext,
    session: &'a dyn SessionFunctions,
    line: Vec<u8>,
    field: Vec<u8>,
    data: &'a mut dyn FnMut(&[u8]) -> SqlResult<()>,
}

impl RowSink for LineSink<'_> {
    fn row(&mut self, values: &[Datum]) -> SqlResult<()> {
        self.line.clear();
        for (number, (column, value)) in self.plan.columns.iter().zip(values).enumerate() {
            if number > 0 {
                self.line.push(self.plan.options.delimiter);
            }
            if value.is_null() {
                self.line.extend_from_slice(self.plan.options.null.as_bytes());
                continue;
            }
            self.field.clear();
            write_client_text(&mut self.field, value, column.ty, self.format, self.session)?;
            self.write_field(column.force_quote);
        }
        self.end_line()
    }
}

impl LineSink<'_> {
    fn header(&mut self) -> SqlResult<()> {
        self.line.clear();
        for (number, column) in self.plan.columns.iter().enumerate() {
            if number > 0 {
                self.line.push(self.plan.options.delimiter);
            }
            self.field.clear();
            self.field.extend_from_slice(column.name.as_bytes());
            self.write_field(false);
        }
        self.end_line()
    }

    fn end_line(&mut self) -> SqlResult<()> {
        self.line.push(b'\n');
        (self.data)(&self.line)
    }

    fn write_field(&mut self, force_quote: bool) {
        match self.plan.options.format {
            CopyFormat::Csv => {
                write_csv(&self.field, force_quote, &self.plan.options, self.plan.columns.len(), &mut self.line)
            }
            _ => write_escaped(&self.field, self.plan.options.delimiter, &mut self.line),
        }
    }
}

/// Text format: a backslash in front of what would end the field or the line.
fn write_escaped(field: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for byte in field {
        let letter = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b'\\' => b'\\',
            other if *other == delimiter => delimiter,
            other => {
                out.push(*other);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

/// Csv format: quotes where the field would be misread without them.
fn write_csv(field: &[u8], force_quote: bool, options: &CopyOptions, column_count: usize, out: &mut Vec<u8>) {
    let special = |byte: &u8| [options.delimiter, options.quote, b'\n', b'\r'].contains(byte);
    let ends_data = column_count == 1 && field == b"\\.";
    let quoted = force_quote || ends_data || field == options.null.as_bytes() || field.iter().any(special);
    if !quoted {
        out.extend_from_slice(field);
        return;
    }
    out.push(options.quote);
    for byte in field {
        if *byte == options.quote || *byte == options.escape {
            out.push(options.escape);
        }
        out.push(*byte);
    }
    out.push(options.quote);
}
