//! COPY between a table and the client, or a file of the server.
//!
//! COPY TO runs like a query whose rows are lines. COPY FROM stops after its opening answer: the session keeps it in
//! [`Session::copy_in`] and the transport brings the data, message by message.

use std::sync::Arc;

use nqdb_catalog::rights::{PG_READ_SERVER_FILES, PG_WRITE_SERVER_FILES};
use nqdb_functions::FunctionContext;
use nqdb_sql::bind::BindContext;
use nqdb_sql::copy::{CopyIn, CopyInPlan, CopyOut, plan_copy_in, plan_copy_out};
use nqdb_sql::exec::{CommandTag, ExecContext, Step};
use nqdb_sql::plan::PlanContext;
use nqdb_sql::statement::{CopyDirection, CopyStatement, Parsed};
use nqdb_sqlstate::{QUERY_CANCELED, SqlError, SqlResult};
use nqdb_txn::{ReadView, RelationLock};
use nqdb_types::FormatContext;

use crate::client_sink::{ClientSink, PENDING_BYTES_MAX};
use crate::copy_file::{SourceFile, TargetFile, check_file_privilege};
use crate::portal::PortalEnd;
use crate::prepared::Statement;
use crate::run::read_only_error;
use crate::session::{CommandEnd, Failure, Session};

/// A COPY FROM STDIN whose data is under way.
pub(crate) struct CopyInProgress {
    copy: Box<CopyIn>,
    /// What follows in the query string, and whether there was more than one statement; none in the extended protocol.
    pub rest_of_query: Option<(std::vec::IntoIter<Statement>, bool)>,
}

impl Session {
    /// Runs COPY TO, or opens COPY FROM.
    pub(crate) async fn copy<C: ClientSink>(
        &mut self,
        parsed: &Parsed,
        copy: &CopyStatement,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        self.ensure_transaction()?;
        if copy.file.is_some() {
            let role = match copy.direction {
                CopyDirection::In => PG_READ_SERVER_FILES,
                CopyDirection::Out => PG_WRITE_SERVER_FILES,
            };
            check_file_privilege(self.surroundings.has_privileges_of(role), copy.direction)?;
        }
        match copy.direction {
            CopyDirection::Out => self.copy_out(parsed, copy.file.as_deref(), out).await,
            CopyDirection::In => {
                if self.surroundings.characteristics.get().is_some_and(|current| current.read_only) {
                    return Err(read_only_error("COPY FROM").into());
                }
                let (plan, view) = self.start_copy_in(parsed).await?;
                match &copy.file {
                    Some(file) => Ok(PortalEnd::Complete(self.copy_file_in(plan, view, file).await?)),
                    None => self.open_copy_in(plan, view, out).await,
                }
            }
        }
    }

    /// Plans COPY FROM under its locks, and takes its snapshot.
    async fn start_copy_in(&mut self, parsed: &Parsed) -> SqlResult<(Arc<CopyInPlan>, ReadView)> {
        let plan = loop {
            let plan = self.with_planner(|cx, planner| plan_copy_in(parsed, cx, planner))?;
            self.lock_relations(&plan.relations).await?;
            if self.catalog_view().version == plan.catalog_version {
                break Arc::new(plan);
            }
        };
        self.check_accesses(&plan.accesses)?;
        if plan.needs_number {
            self.take_number()?;
        }
        let view = self.take_snapshot().await?;
        Ok((plan, view))
    }

    /// COPY FROM a file.
    async fn copy_file_in(&mut self, plan: Arc<CopyInPlan>, view: ReadView, name: &str) -> SqlResult<CommandTag> {
        let mut file = SourceFile::open(name, &self.surroundings.show("data_directory")?)?;
        self.copy_in = Some(CopyInProgress { copy: Box::new(CopyIn::new(plan, view)), rest_of_query: None });
        let tag = loop {
            let copying = self.copy_in.as_mut().ok_or_else(no_copy)?;
            match file.read()? {
                [] => copying.copy.end_input(),
                bytes => copying.copy.feed(bytes),
            }
            if let Some(tag) = self.step_copy_in().await? {
                break tag;
            }
        };
        self.copy_in = None;
        Ok(tag)
    }

    /// COPY FROM STDIN: asks the client for its data.
    async fn open_copy_in<C: ClientSink>(
        &mut self,
        plan: Arc<CopyInPlan>,
        view: ReadView,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        // What was answered before goes out with this, for the client to send its data.
        self.settle_dependencies().await?;
        out.copy_in(plan.is_binary, plan.column_count);
        self.copy_in = Some(CopyInProgress { copy: Box::new(CopyIn::new(plan, view)), rest_of_query: None });
        Ok(PortalEnd::CopyIn)
    }

    /// Takes data of a COPY FROM STDIN; [`Session::store_copied`] is called once no more of it is at hand.
    pub fn copy_data(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.copy_in.as_mut().ok_or_else(no_copy)?.copy.feed(data);
        Ok(())
    }

    /// Stores the rows that have come complete.
    pub async fn store_copied(&mut self) -> Result<(), Failure> {
        self.step_copy_in().await?;
        Ok(())
    }

    /// All data has come: completes the COPY, then what follows it in its query string.
    pub async fn copy_done<C: ClientSink>(&mut self, out: &mut C) -> Result<CommandEnd, Failure> {
        let copying = self.copy_in.as_mut().ok_or_else(no_copy)?;
        copying.copy.end_input();
        let tag = self.step_copy_in().await?.ok_or_else(|| SqlError::internal("a COPY without data waits for more"))?;
        let rest = self.copy_in.take().and_then(|copying| copying.rest_of_query);
        self.resume_query(PortalEnd::Complete(tag), rest, out).await
    }

    /// The client gives up its COPY: the error to report.
    pub fn copy_failed(&mut self, message: &str) -> SqlError {
        let error = SqlError::new(QUERY_CANCELED, format!("COPY from stdin failed: {message}"));
        match self.copy_in.take() {
            Some(copying) => copying.copy.before_next_line(error),
            None => error,
        }
    }

    /// Stores the rows that have come; gives the tag at the end.
    async fn step_copy_in(&mut self) -> SqlResult<Option<CommandTag>> {
        loop {
            self.surroundings.check_interruption()?;
            let Some(mut copying) = self.copy_in.take() else { return Err(no_copy()) };
            let step = self.with_execution(|cx| copying.copy.step(cx));
            self.copy_in = Some(copying);
            self.adopt_effects();
            match step? {
                Step::Suspended => return Ok(None),
                Step::Done(tag) => return Ok(Some(tag)),
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield => tokio::task::yield_now().await,
            }
        }
    }

    async fn copy_out<C: ClientSink>(
        &mut self,
        parsed: &Parsed,
        file: Option<&str>,
        out: &mut C,
    ) -> Result<PortalEnd, Failure> {
        let plan = loop {
            let plan = self.with_planner(|cx, planner| plan_copy_out(parsed, cx, planner))?;
            self.lock_relations(&plan.plan.relations).await?;
            if self.catalog_view().version == plan.plan.catalog_version {
                break Arc::new(plan);
            }
        };
        let view = self.admit(&plan.plan).await?;
        let mut file = file.map(TargetFile::create).transpose()?;
        if file.is_none() {
            out.copy_out(plan.is_binary(), plan.column_count());
        }
        let mut copy = CopyOut::new(plan, view, FormatContext::clone(&self.format));
        loop {
            self.surroundings.check_interruption()?;
            let step = self.with_execution(|cx| {
                copy.step(cx, &mut |line| {
                    match &mut file {
                        Some(file) => file.append(line),
                        None => out.copy_data(line),
                    }
                    Ok(())
                })
            });
            self.adopt_effects();
            self.send_notices(out);
            let step = step?;
            if let Some(file) = &mut file {
                file.flush(matches!(step, Step::Done(_)))?;
            }
            match step {
                Step::Done(tag) => {
                    if file.is_none() {
                        out.copy_done();
                    }
                    return Ok(PortalEnd::Complete(tag));
                }
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Yield | Step::Suspended => tokio::task::yield_now().await,
            }
            if out.pending_bytes() > PENDING_BYTES_MAX {
                self.settle_dependencies().await?;
                out.flush().await?;
            }
        }
    }

    /// Calls a planner with the catalog and the settings as they are now.
    pub(crate) fn with_planner<T>(
        &mut self,
        call: impl FnOnce(&BindContext<'_>, &PlanContext) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let catalog = self.catalog_view();
        let search_path = self.surroundings.search_path.borrow().clone();
        let planner = self.surroundings.settings.borrow().effective().planner;
        let role = self.surroundings.current_role();
        self.surroundings.begin_step();
        let cx = BindContext {
            catalog: &catalog,
            role,
            search_path: &search_path,
            format: &self.format,
            session: &self.surroundings,
        };
        call(&cx, &planner.context(&catalog, self.format.types.clone(), self.surroundings.interruption()))
    }

    /// Lends the transaction and what goes with it for one step.
    pub(crate) fn with_execution<T>(
        &mut self,
        call: impl FnOnce(&mut ExecContext<'_>) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let (work_memory_bytes, memory_limit_bytes) = self.memory_limits();
        let Some(open) = &mut self.open else { return Err(SqlError::internal("an execution without a transaction")) };
        self.surroundings.transaction_id.set(open.txn.xid().map(|xid| xid.0));
        self.surroundings.snapshot.set(open.txn.snapshot());
        self.surroundings.begin_step();
        let mut cx = ExecContext {
            txn: &mut open.txn,
            functions: FunctionContext::new(
                &self.format,
                open.started_micros,
                self.statement_micros,
                &self.surroundings,
            ),
            system: &self.surroundings,
            cancel: &self.surroundings.backend.cancel,
            notices: &mut self.notices,
            work_memory_bytes,
            memory_limit_bytes,
            constraints: &self.surroundings.constraints,
            memory: &self.surroundings.instance.statement_memory,
            temporary: self.surroundings.temporary(),
        };
        call(&mut cx)
    }

    pub(crate) async fn lock_relations(&mut self, relations: &[(u32, RelationLock)]) -> SqlResult<()> {
        for (relation, mode) in relations {
            self.with_waits(|txn| txn.lock_relation(*relation, *mode)).await?;
        }
        Ok(())
    }

    /// Begins the statement in its transaction and gives what it sees.
    pub(crate) async fn take_snapshot(&mut self) -> SqlResult<ReadView> {
        self.with_waits(|txn| txn.begin_statement()).await?;
        let open = self.ensure_transaction()?;
        open.has_queried = true;
        Ok(open.txn.view())
    }
}

fn no_copy() -> SqlError {
    SqlError::internal("no COPY is under way")
}
