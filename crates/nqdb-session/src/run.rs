//! Running one portal: takes its locks, drives its execution through waits, yields and back-pressure.

use std::sync::Arc;

use nqdb_catalog::Snapshot;
use nqdb_functions::{FunctionContext, is_object_reference};
use nqdb_sql::ddl::DdlContext;
use nqdb_sql::exec::{CommandTag, ExecContext, Execution, RowSink, Step};
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::plan::Plan;
use nqdb_sql::rights::{Access, check_accesses};
use nqdb_sql::statement::{Parsed, StatementKind};
use nqdb_sql::system::object_name;
use nqdb_sqlstate::{OBJECT_NOT_IN_PREREQUISITE_STATE, READ_ONLY_SQL_TRANSACTION, SqlError, SqlResult};
use nqdb_txn::ReadView;
use nqdb_types::{Datum, FormatContext};

use crate::block::Block;
use crate::client_sink::{ClientSink, Formats, PENDING_BYTES_MAX};
use crate::portal::{Portal, PortalEnd, PortalState};
use crate::prepared::Statement;
use crate::session::{Failure, Session};
use crate::transaction::{block_has_failed, leaves_failed_block};

/// Rows asked of an execution before it is known how long they are.
const FIRST_ROWS: u64 = 64;
/// Rows asked of an execution at most, between two looks at the output buffer.
const ROWS_AT_ONCE_MAX: u64 = 8192;

/// Sends rows to the client.
pub(crate) struct ClientRows<'a, C> {
    pub out: &'a mut C,
    pub columns: &'a [OutputColumn],
    pub formats: &'a Formats,
    pub format: &'a FormatContext,
    /// There when objects are to be named.
    pub names: Option<ObjectNames>,
    pub rows: u64,
}

/// Spells the values of reg types, which only a catalog can.
pub(crate) struct ObjectNames {
    catalog: Arc<Snapshot>,
    search_path: Arc<[u32]>,
    /// Position and type of the columns of such types that go out as text.
    columns: Vec<(usize, u32)>,
}

impl ObjectNames {
    fn spell(&self, values: &[Datum]) -> Vec<Datum> {
        let mut values = values.to_vec();
        for (column, reg_type) in &self.columns {
            if let Some(value) = values.get_mut(*column)
                && let Datum::Oid(object) = *value
                && let Some(name) = object_name(&self.catalog, &self.search_path, *reg_type, object)
            {
                *value = Datum::text(name);
            }
        }
        values
    }
}

impl<C: ClientSink> RowSink for ClientRows<'_, C> {
    fn row(&mut self, values: &[Datum]) -> SqlResult<()> {
        self.rows += 1;
        match &self.names {
            Some(names) => self.out.data_row(&names.spell(values), self.columns, self.formats, self.format),
            None => self.out.data_row(values, self.columns, self.formats, self.format),
        }
    }
}

impl Session {
    /// Refuses what a failed block does not take.
    pub(crate) fn check_block(&self, kind: &StatementKind) -> SqlResult<()> {
        let accepted = match kind {
            StatementKind::Transaction(statement) => leaves_failed_block(statement),
            StatementKind::Empty => true,
            _ => false,
        };
        if self.block == Block::Failed && !accepted { Err(block_has_failed()) } else { Ok(()) }
    }

    /// Runs a portal for at most `rows_max` rows, 0 for all of them. Nothing is committed here but by COMMIT.
    pub(crate) async fn run_portal<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        if let PortalState::Ready = portal.state {
            self.surroundings.instance.metrics.statements.increment();
            self.show_active(&portal.statement.parsed.text);
            let parsed = portal.statement.parsed.clone();
            match &parsed.kind {
                StatementKind::Empty => return Ok(PortalEnd::Empty),
                StatementKind::Rows(_) | StatementKind::Explain { .. } => {
                    portal.state = self.start_portal(&mut portal.statement, portal.params.clone()).await?;
                }
                StatementKind::Execute { name, args } => {
                    let (mut statement, params) = self.resolve_execute(&parsed, name, args).await?;
                    if matches!(statement.kind(), StatementKind::Rows(_)) {
                        portal.state = self.start_portal(&mut statement, params).await?;
                    } else {
                        return self.run_command(&statement.parsed.clone(), out).await;
                    }
                }
                StatementKind::Show(name) => {
                    self.ensure_transaction()?;
                    let rows = self.show_rows(name.as_deref())?;
                    portal.state = PortalState::Rows { rows: rows.into_iter(), tag: CommandTag::Other("SHOW") };
                }
                _ => {
                    let end = self.run_command(&parsed, out).await?;
                    if let PortalEnd::Complete(tag) = end {
                        portal.state = PortalState::Finished(tag);
                    }
                    return Ok(end);
                }
            }
        }
        if std::mem::take(&mut portal.describe_first)
            && let Some(columns) = &portal.output
        {
            out.row_description(columns, &portal.formats);
        }
        self.send_rows(portal, rows_max, out).await
    }

    /// Sends the next rows of a portal that has begun.
    async fn send_rows<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        let columns = portal.output.clone().unwrap_or_else(|| Arc::from([]));
        if let PortalState::Analytical(analytical) = &mut portal.state {
            let end = self.drive_analytical(analytical, &columns, &portal.formats, rows_max, out).await?;
            match end {
                Some(PortalEnd::Complete(tag)) => portal.state = PortalState::Finished(tag),
                Some(_) => {}
                // It declined before the first row.
                None => portal.state = PortalState::Running(Box::new(analytical.by_rows())),
            }
            if let Some(end) = end {
                return Ok(end);
            }
        }
        let end = match &mut portal.state {
            PortalState::Running(execution) => self.drive(execution, &columns, &portal.formats, rows_max, out).await?,
            PortalState::Rows { rows, tag } => {
                let limit = if rows_max == 0 { usize::MAX } else { usize::try_from(rows_max).unwrap_or(usize::MAX) };
                let mut sent = 0;
                for row in rows.by_ref().take(limit) {
                    out.data_row(&row, &columns, &portal.formats, &self.format)?;
                    sent += 1;
                }
                if sent == limit { PortalEnd::Suspended } else { PortalEnd::Complete(*tag) }
            }
            PortalState::Finished(tag) if portal.output.is_some() => PortalEnd::Complete(no_more_rows(*tag)),
            PortalState::Finished(_) | PortalState::Ready | PortalState::Analytical(_) => {
                return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal cannot be run").into());
            }
        };
        if let PortalEnd::Complete(tag) = end {
            portal.state = PortalState::Finished(tag);
        }
        Ok(end)
    }

    /// The plan of a statement as the catalog is under the plan's locks: nobody can change its columns any more.
    pub(crate) async fn locked_plan(&mut self, statement: &mut Statement) -> SqlResult<Arc<Plan>> {
        self.ensure_transaction()?;
        loop {
            let plan = self.current_plan(statement)?;
            self.lock_relations(&plan.relations).await?;
            if plan.relations.is_empty() || self.catalog_view().version == plan.catalog_version {
                return Ok(plan);
            }
        }
    }

    /// What stands between a plan with its locks and its execution: may the role, may the transaction, what does it see.
    pub(crate) async fn admit(&mut self, plan: &Plan) -> SqlResult<ReadView> {
        self.check_accesses(&plan.accesses)?;
        self.check_read_only(plan)?;
        if plan.needs_number {
            self.take_number()?;
        }
        self.take_snapshot().await
    }

    /// 42501 for what the current role may not do.
    pub(crate) fn check_accesses(&mut self, accesses: &[Access]) -> SqlResult<()> {
        let catalog = self.catalog_view();
        check_accesses(&catalog, self.surroundings.current_role(), accesses)
    }

    /// 25006 for a statement that writes in a read-only transaction. One that only draws from a sequence fails there.
    fn check_read_only(&self, plan: &Plan) -> SqlResult<()> {
        let read_only = self.surroundings.characteristics.get().is_some_and(|current| current.read_only);
        if read_only && (plan.writes || plan.locks_rows) { Err(read_only_error(plan.command())) } else { Ok(()) }
    }

    /// Gives the transaction a number, for a function that will ask for it.
    pub(crate) fn take_number(&mut self) -> SqlResult<()> {
        self.ensure_transaction()?.txn.number()?;
        Ok(())
    }

    /// Steps an execution until it is done or `rows_max` rows went out.
    pub(crate) async fn drive<C: ClientSink>(
        &mut self,
        execution: &mut Execution,
        columns: &[OutputColumn],
        formats: &Formats,
        rows_max: u64,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        let writes = execution.plan().writes;
        let mut sent = 0;
        let mut at_once = FIRST_ROWS;
        loop {
            self.surroundings.check_interruption()?;
            let wanted = match (rows_max, writes) {
                // One that writes keeps its rows when it is limited: only the client's own limit does that.
                (0, true) => 0,
                (0, false) => at_once,
                (limit, true) => limit - sent,
                (limit, false) => at_once.min(limit - sent),
            };
            let pending_before = out.pending_bytes();
            let format = self.format.clone();
            let names = self.object_names(columns, formats);
            let mut rows = ClientRows { out, columns, formats, format: &format, names, rows: 0 };
            let step = self.with_execution(|cx| execution.step(cx, &mut rows, wanted));
            let new_rows = rows.rows;
            sent += new_rows;
            self.adopt_sequence_writes();
            self.send_notices(out);
            match step.map_err(|error| self.interruption_or(error))? {
                Step::Done(tag) => {
                    self.surroundings.instance.metrics.rows_sent.add(sent);
                    let returns_rows = !columns.is_empty();
                    return Ok(PortalEnd::Complete(if returns_rows { with_rows(tag, sent) } else { tag }));
                }
                Step::Suspended if rows_max != 0 && sent >= rows_max => {
                    self.surroundings.instance.metrics.rows_sent.add(sent);
                    return Ok(PortalEnd::Suspended);
                }
                Step::Suspended => {
                    let bytes = out.pending_bytes().saturating_sub(pending_before) as u64;
                    let bytes_per_row = (bytes / new_rows.max(1)).max(1);
                    at_once = (PENDING_BYTES_MAX as u64 / bytes_per_row).clamp(1, ROWS_AT_ONCE_MAX);
                }
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield => tokio::task::yield_now().await,
            }
            if out.pending_bytes() > PENDING_BYTES_MAX {
                self.settle_dependencies().await?;
                out.flush().await?;
            }
        }
    }

    pub(crate) fn object_names(&self, columns: &[OutputColumn], formats: &Formats) -> Option<ObjectNames> {
        let is_named = |(at, column): (usize, &OutputColumn)| {
            (is_object_reference(column.ty.oid) && !formats.is_binary(at)).then_some((at, column.ty.oid))
        };
        let columns: Vec<(usize, u32)> = columns.iter().enumerate().filter_map(is_named).collect();
        if columns.is_empty() {
            return None;
        }
        let catalog = self.surroundings.catalog.borrow().clone();
        let search_path = self.surroundings.search_path.borrow().clone();
        Some(ObjectNames { catalog, search_path, columns })
    }

    /// A cancelled execution ends with "user request"; the reason may have been another.
    pub(crate) fn interruption_or(&self, error: SqlError) -> SqlError {
        if error.code() != nqdb_sqlstate::QUERY_CANCELED {
            return error;
        }
        self.surroundings.check_interruption().err().unwrap_or(error)
    }

    /// Runs a data definition statement.
    pub(crate) async fn run_definition(&mut self, parsed: &Parsed) -> SqlResult<CommandTag> {
        self.ensure_transaction()?;
        if self.surroundings.characteristics.get().is_some_and(|current| current.read_only) {
            let words: Vec<String> = parsed.text.split_whitespace().take(2).map(str::to_uppercase).collect();
            return Err(read_only_error(&words.join(" ")));
        }
        loop {
            match self.step_definition(parsed)? {
                Step::Done(tag) => {
                    self.note_temporary_tables();
                    return Ok(tag);
                }
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield | Step::Suspended => tokio::task::yield_now().await,
            }
        }
    }

    fn step_definition(&mut self, parsed: &Parsed) -> SqlResult<Step> {
        self.catalog_view();
        let search_path = self.surroundings.search_path.borrow().clone();
        let role = self.surroundings.current_role();
        let session_role = self.surroundings.session_role();
        let authority = self.surroundings.authority();
        let memory_limit_bytes = self.memory_limit_bytes();
        let temporary_schema = self.surroundings.temporary_schema();
        let Some(open) = &mut self.open else {
            return Err(SqlError::internal("a definition without a transaction"));
        };
        open.has_queried = true;
        let functions =
            FunctionContext::new(&self.format, open.started_micros, self.statement_micros, &self.surroundings);
        let mut exec = ExecContext {
            txn: &mut open.txn,
            functions,
            system: &self.surroundings,
            cancel: &self.surroundings.backend.cancel,
            notices: &mut self.notices,
            memory_limit_bytes,
            memory: &self.surroundings.instance.statement_memory,
        };
        self.surroundings.begin_step();
        let enter = |catalog: &Arc<nqdb_catalog::Snapshot>| {
            self.surroundings.catalog.replace(Arc::clone(catalog));
        };
        let check_setting = |name: &str, words: Option<&[String]>| {
            self.surroundings.settings.borrow().stored_form(name, words, authority)
        };
        let draft = &mut open.draft;
        let mut cx = DdlContext {
            exec: &mut exec,
            draft,
            role,
            session_role,
            search_path: &search_path,
            temporary_schema: &temporary_schema,
            enter: &enter,
            check_setting: &check_setting,
        };
        nqdb_sql::ddl::run(parsed, &mut cx)
    }

    pub(crate) fn memory_limit_bytes(&self) -> usize {
        self.surroundings.settings.borrow().effective().work_memory_bytes
    }
}

/// The tag with the rows of this run: a portal that was suspended counts each run for itself.
fn with_rows(tag: CommandTag, sent: u64) -> CommandTag {
    match tag {
        CommandTag::Select(_) => CommandTag::Select(sent),
        CommandTag::Insert(_) => CommandTag::Insert(sent),
        CommandTag::Update(_) => CommandTag::Update(sent),
        CommandTag::Delete(_) => CommandTag::Delete(sent),
        other => other,
    }
}

/// What a finished portal answers when it is asked again.
fn no_more_rows(tag: CommandTag) -> CommandTag {
    match tag {
        CommandTag::Select(_) => CommandTag::Select(0),
        CommandTag::Insert(_) => CommandTag::Insert(0),
        CommandTag::Update(_) => CommandTag::Update(0),
        CommandTag::Delete(_) => CommandTag::Delete(0),
        other => other,
    }
}

pub(crate) fn read_only_error(command: &str) -> SqlError {
    SqlError::new(READ_ONLY_SQL_TRANSACTION, format!("cannot execute {command} in a read-only transaction"))
}
