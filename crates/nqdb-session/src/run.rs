//! Running one portal: takes its locks, drives its execution through waits, yields and back-pressure.

use std::sync::Arc;

use nqdb_functions::{FunctionContext, is_object_reference};
use nqdb_sql::ddl::DdlContext;
use nqdb_sql::definition::{Definition, TableAsKind};
use nqdb_sql::exec::{CommandTag, ExecContext, Execution, RowSink, Step};
use nqdb_sql::ir::OutputColumn;
use nqdb_sql::plan::Plan;
use nqdb_sql::rights::{Access, check_accesses};
use nqdb_sql::statement::{Parsed, StatementKind};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, OBJECT_NOT_IN_PREREQUISITE_STATE, READ_ONLY_SQL_TRANSACTION, SqlError, SqlResult,
    WRONG_OBJECT_TYPE,
};
use nqdb_txn::{ReadView, RelationLock};
use nqdb_types::Datum;
use nqdb_types::array::element_type;

use crate::block::Block;
use crate::client_sink::{ClientSink, PENDING_BYTES_MAX};
use crate::portal::{Portal, PortalEnd, PortalState};
use crate::prepared::Statement;
use crate::row_target::{Destination, Notes, ObjectNames, RowGate, RowTarget};
use crate::session::{Failure, Session};
use crate::transaction::{block_has_failed, leaves_failed_block};

/// Rows asked of an execution before it is known how long they are.
const FIRST_ROWS: u64 = 64;
/// Rows asked of an execution at most, between two looks at the output buffer.
const ROWS_AT_ONCE_MAX: u64 = 8192;

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
            self.show_active(&portal.statement.parsed);
            let parsed = portal.statement.parsed.clone();
            match &parsed.kind {
                StatementKind::Empty => return Ok(PortalEnd::Empty),
                StatementKind::Rows(_) => self.start_portal(portal).await?,
                StatementKind::Explain { options, inner } => match &executing(inner).kind {
                    StatementKind::Execute { name, args } => {
                        let (statement, params) = self.resolve_execute(executing(inner), name, args).await?;
                        let plan = self.explain_prepared(&statement, *options).await?;
                        self.begin_plan(portal, plan, params).await?;
                    }
                    _ => self.start_portal(portal).await?,
                },
                StatementKind::Execute { name, args } => {
                    let (mut statement, params) = self.resolve_execute(&parsed, name, args).await?;
                    if !matches!(statement.kind(), StatementKind::Rows(_)) {
                        return self.run_command(&statement.parsed.clone(), out).await;
                    }
                    let plan = self.locked_plan(&mut statement).await?;
                    self.begin_plan(portal, plan, params).await?;
                }
                StatementKind::Show(name) => {
                    self.ensure_transaction()?;
                    let rows = self.show_rows(name.as_deref())?;
                    portal.state = PortalState::Rows { rows: rows.into_iter(), tag: CommandTag::Other("SHOW") };
                }
                StatementKind::DeclareCursor(declare) => {
                    let params = portal.params.clone();
                    let tag = self.declare_cursor(&mut portal.statement, declare, params).await?;
                    portal.state = PortalState::Finished(tag);
                    return Ok(PortalEnd::Complete(tag));
                }
                StatementKind::Fetch(fetch) => {
                    if let Some(end) = self.fetch_statement(portal, fetch, rows_max, out).await? {
                        return Ok(end);
                    }
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
            out.row_description(columns, &portal.formats, &self.format);
        }
        let mut target = RowTarget::new(portal.output.as_ref(), portal.formats.clone(), Destination::Client);
        self.forward(portal, rows_max, &mut target, out).await
    }

    /// Begins a portal whose statement has a plan.
    pub(crate) async fn start_portal(&mut self, portal: &mut Portal) -> SqlResult<()> {
        let plan = self.locked_plan(&mut portal.statement).await?;
        let is_same = |promised: &Arc<[OutputColumn]>| {
            plan.output.as_deref().is_some_and(|output| same_columns(output, promised))
        };
        if portal.output.as_ref().is_some_and(|promised| !is_same(promised)) {
            return Err(result_type_changed());
        }
        self.begin_plan(portal, plan, portal.params.clone()).await
    }

    /// Begins a portal with a plan that has its locks.
    pub(crate) async fn begin_plan(
        &mut self,
        portal: &mut Portal,
        plan: Arc<Plan>,
        params: Arc<[Datum]>,
    ) -> SqlResult<()> {
        let view = self.admit(&plan).await?;
        portal.state = self.launch(&plan, params, view)?;
        portal.plan = Some(plan);
        Ok(())
    }

    /// Gives the next rows of a portal that has begun, wherever its execution stands: 0 for all of them.
    pub(crate) async fn run_state<C: ClientSink>(
        &mut self,
        portal: &mut Portal,
        rows_max: u64,
        target: &mut RowTarget,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        let mut notes = Notes { kept: portal.scroll.kept.as_mut(), place: &mut portal.place };
        if let PortalState::Analytical(analytical) = &mut portal.state {
            let end = self.drive_analytical(analytical, target, &mut notes, rows_max, out).await?;
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
            PortalState::Running(execution) => self.drive(execution, target, &mut notes, rows_max, out).await?,
            PortalState::Rows { rows, tag } => {
                let limit = if rows_max == 0 { usize::MAX } else { usize::try_from(rows_max).unwrap_or(usize::MAX) };
                let before = target.rows;
                let format = self.format.clone();
                let names = self.object_names(target);
                let mut gate = RowGate { out, target, notes: &mut notes, format: &format, names };
                for row in rows.by_ref().take(limit) {
                    gate.row(&row)?;
                }
                let given = target.rows - before;
                if rows_max != 0 && given == rows_max {
                    PortalEnd::Suspended
                } else {
                    PortalEnd::Complete(with_rows(*tag, given))
                }
            }
            PortalState::Finished(tag) if portal.output.is_some() => PortalEnd::Complete(no_more_rows(*tag)),
            PortalState::Finished(_) | PortalState::Ready | PortalState::Analytical(_) | PortalState::Failed => {
                return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal cannot be run").into());
            }
        };
        if let PortalEnd::Complete(tag) = end {
            portal.state = PortalState::Finished(tag);
            self.change_publications().await?;
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
        if plan.reads_session {
            self.describe_objects();
        }
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

    pub(crate) fn is_read_only(&self) -> bool {
        self.surroundings.characteristics.get().is_some_and(|current| current.read_only)
    }

    /// 25006 for a statement that writes in a read-only transaction, other than into temporary tables. One that only draws
    /// from a sequence fails there.
    fn check_read_only(&mut self, plan: &Plan) -> SqlResult<()> {
        if !self.is_read_only() || !(plan.writes || plan.locks_rows.is_some()) {
            return Ok(());
        }
        let catalog = self.catalog_view();
        let is_lasting = |oid: u32| catalog.table_by_oid(oid).is_none_or(|table| !table.is_temporary());
        let changes = |mode: RelationLock| mode >= RelationLock::RowShare;
        if plan.relations.iter().any(|(oid, mode)| changes(*mode) && is_lasting(*oid)) {
            return Err(read_only_error(plan.command()));
        }
        Ok(())
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
        target: &mut RowTarget,
        notes: &mut Notes<'_>,
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
            let names = self.object_names(target);
            let rows_before = target.rows;
            let mut gate = RowGate { out, target, notes, format: &format, names };
            let step = self.with_execution(|cx| execution.step(cx, &mut gate, wanted));
            let new_rows = target.rows - rows_before;
            sent += new_rows;
            self.adopt_effects();
            if target.is_client() {
                self.send_notices(out);
            }
            match step.map_err(|error| self.interruption_or(error))? {
                Step::Done(tag) => {
                    self.count_sent_rows(target, sent);
                    let returns_rows = !target.columns.is_empty();
                    return Ok(PortalEnd::Complete(if returns_rows { with_rows(tag, sent) } else { tag }));
                }
                Step::Suspended if rows_max != 0 && sent >= rows_max => {
                    self.count_sent_rows(target, sent);
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

    pub(crate) fn count_sent_rows(&self, target: &RowTarget, rows: u64) {
        if target.is_client() {
            self.surroundings.instance.metrics.rows_sent.add(rows);
        }
    }

    pub(crate) fn object_names(&self, target: &RowTarget) -> Option<ObjectNames> {
        let is_named = |(at, column): (usize, &OutputColumn)| {
            let ty = element_type(column.ty.oid).unwrap_or(column.ty.oid);
            (is_object_reference(ty) && !target.formats.is_binary(at)).then_some((at, ty))
        };
        let columns: Vec<(usize, u32)> = target.columns.iter().enumerate().filter_map(is_named).collect();
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
        self.expect_writable(parsed)?;
        let of_prepared = self.table_of_prepared(parsed).await?;
        let parsed = of_prepared.as_ref().unwrap_or(parsed);
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

    /// CREATE TABLE AS EXECUTE with the query of the prepared statement in its place; `None` for any other definition.
    async fn table_of_prepared(&mut self, parsed: &Parsed) -> SqlResult<Option<Parsed>> {
        let StatementKind::Define(definition) = &parsed.kind else { return Ok(None) };
        let Definition::TableAs(create) = &**definition else { return Ok(None) };
        let StatementKind::Execute { name, args } = &create.query.kind else { return Ok(None) };
        let (statement, values) = self.resolve_execute(&create.query, name, args).await?;
        if !statement.parsed.is_query() {
            return Err(SqlError::new(WRONG_OBJECT_TYPE, "prepared statement is not a SELECT"));
        }
        let mut create = create.clone();
        create.query = Box::new(Parsed::clone(&statement.parsed));
        create.arguments = Some(statement.parameters.iter().copied().zip(values.iter().cloned()).collect());
        Ok(Some(Parsed { kind: StatementKind::Define(Box::new(Definition::TableAs(create))), ..parsed.clone() }))
    }

    /// 25006 for a definition in a read-only transaction.
    pub(crate) fn expect_writable(&mut self, parsed: &Parsed) -> SqlResult<()> {
        self.ensure_transaction()?;
        let is_upkeep = matches!(parsed.kind, StatementKind::Analyze { .. } | StatementKind::Vacuum(_));
        if self.is_read_only() && !is_upkeep {
            return Err(read_only_error(&definition_name(parsed)));
        }
        Ok(())
    }

    fn step_definition(&mut self, parsed: &Parsed) -> SqlResult<Step> {
        self.with_definition(|cx| nqdb_sql::ddl::run(parsed, cx))
    }

    /// Lends what definitions need.
    pub(crate) fn with_definition(
        &mut self,
        call: impl FnOnce(&mut DdlContext<'_, '_>) -> SqlResult<Step>,
    ) -> SqlResult<Step> {
        self.catalog_view();
        let search_path = self.surroundings.search_path.borrow().clone();
        let role = self.surroundings.current_role();
        let session_role = self.surroundings.session_role();
        let authority = self.surroundings.authority();
        let (work_memory_bytes, memory_limit_bytes) = self.memory_limits();
        let temporary_schema = self.surroundings.temporary_schema();
        let open_relations = self.open_relations();
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
            work_memory_bytes,
            memory_limit_bytes,
            constraints: &self.surroundings.constraints,
            memory: &self.surroundings.instance.statement_memory,
            temporary: self.surroundings.temporary(),
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
            open_relations: &open_relations,
            enter: &enter,
            check_setting: &check_setting,
        };
        let result = call(&mut cx);
        // It may have shown functions what it was making, and failed then.
        self.seen.catalog = None;
        result
    }

    /// What an operator holds before it goes on with files, and what a statement may hold.
    pub(crate) fn memory_limits(&self) -> (usize, usize) {
        let settings = self.surroundings.settings.borrow();
        let effective = settings.effective();
        (effective.work_memory_bytes, effective.statement_memory_bytes())
    }
}

/// The tag with the rows of this run: a portal that was suspended counts each run for itself.
pub(crate) fn with_rows(tag: CommandTag, sent: u64) -> CommandTag {
    match tag {
        CommandTag::Select(_) => CommandTag::Select(sent),
        CommandTag::Insert(_) => CommandTag::Insert(sent),
        CommandTag::Update(_) => CommandTag::Update(sent),
        CommandTag::Delete(_) => CommandTag::Delete(sent),
        CommandTag::Fetch(_) => CommandTag::Fetch(sent),
        other => other,
    }
}

/// What a finished portal answers when it is asked again.
pub(crate) fn no_more_rows(tag: CommandTag) -> CommandTag {
    with_rows(tag, 0)
}

/// 0A000: the columns that were told to the client are not those that would come.
pub(crate) fn result_type_changed() -> SqlError {
    SqlError::new(FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
}

/// Whether columns have the same names and types.
pub(crate) fn same_columns(some: &[OutputColumn], others: &[OutputColumn]) -> bool {
    let same = |(one, other): (&OutputColumn, &OutputColumn)| one.name == other.name && one.ty == other.ty;
    some.len() == others.len() && some.iter().zip(others).all(same)
}

/// The EXECUTE that a statement consists of, or that says what a table is made of; else the statement itself.
pub(crate) fn executing(parsed: &Parsed) -> &Parsed {
    match &parsed.kind {
        StatementKind::Define(definition) => match &**definition {
            Definition::TableAs(create) => &create.query,
            _ => parsed,
        },
        _ => parsed,
    }
}

/// What a definition is called in messages: its command tag.
fn definition_name(parsed: &Parsed) -> String {
    const SKIPPED: [&str; 6] = ["OR", "REPLACE", "TEMPORARY", "TEMP", "UNIQUE", "RECURSIVE"];
    if let StatementKind::Define(definition) = &parsed.kind
        && let Definition::TableAs(create) = &**definition
    {
        return match create.kind {
            TableAsKind::Table => "CREATE TABLE AS",
            TableAsKind::SelectInto => "SELECT INTO",
            TableAsKind::MaterializedView => "CREATE MATERIALIZED VIEW",
        }
        .to_owned();
    }
    let words = parsed.text.split_whitespace().map(str::to_uppercase);
    let mut words = words.filter(|word| !SKIPPED.contains(&word.as_str()));
    let first = words.next().unwrap_or_default();
    match words.next() {
        Some(second) if second == "MATERIALIZED" => format!("{first} MATERIALIZED VIEW"),
        Some(second) if first != "TRUNCATE" && first != "COMMENT" => format!("{first} {second}"),
        _ if first == "TRUNCATE" => "TRUNCATE TABLE".to_owned(),
        _ => first,
    }
}

pub(crate) fn read_only_error(command: &str) -> SqlError {
    SqlError::new(READ_ONLY_SQL_TRANSACTION, format!("cannot execute {command} in a read-only transaction"))
}
