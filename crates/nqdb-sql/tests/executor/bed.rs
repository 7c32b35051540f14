//! A database on a simulated disk, and sessions that run statements on it from one thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use nqdb_catalog::{Catalog, Cluster, Draft, POSTGRES_DATABASE, PUBLIC_SCHEMA_OID, SUPERUSER_OID};
use nqdb_functions::{FunctionContext, SessionFunctions};
use nqdb_sql::bind::{BindContext, bind};
use nqdb_sql::copy::{CopyIn, CopyOut, plan_copy_in, plan_copy_out};
use nqdb_sql::ddl::{self, DdlContext};
use nqdb_sql::exec::{ExecContext, Execution, MemoryPool, Step};
use nqdb_sql::params::ParamTypes;
use nqdb_sql::parse::parse;
use nqdb_sql::plan::{Plan, PlanContext, explain, plan};
use nqdb_sql::statement::{CopyDirection, Parsed, StatementKind, TransactionStatement};
use nqdb_sql::temporary_files::{TemporaryFolder, TemporarySpace, TemporaryUse};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::{Isolation, Transaction, TxnOptions, TxnSystem, Wait};
use nqdb_types::{Datum, FormatContext, Oid, write_text};

pub const MEMORY_LIMIT_BYTES: usize = 16 << 20;

pub struct Bed {
    pub catalog: Arc<Catalog>,
    functions: TestFunctions,
    format: FormatContext,
    cancel: AtomicBool,
    memory: Arc<MemoryPool>,
    temporary_disk: SimDisk,
    folder: Arc<TemporaryFolder>,
    temporary: Arc<TemporarySpace>,
    constraints: std::cell::RefCell<nqdb_sql::integrity::Constraints>,
}

/// One client.
pub struct Session<'b> {
    bed: &'b Bed,
    txn: Option<Transaction>,
    draft: Option<Draft>,
    pub isolation: Isolation,
    pub work_memory_bytes: usize,
    pub memory_limit_bytes: usize,
    in_block: bool,
}

/// What a statement gave.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Columns by `|`, NULL as an empty column in angle brackets.
    pub rows: Vec<String>,
    pub tag: String,
}

/// A statement that may have to wait.
pub struct Running {
    execution: Execution,
    rows: Vec<Vec<Datum>>,
    plan: Arc<Plan>,
}

/// How far a statement came.
pub enum Progress {
    Done(Outcome),
    Waits,
}

impl Bed {
    pub fn new() -> Bed {
        let engine = Options {
            frames: 512,
            log_segment_bytes: 1 << 20,
            log_budget_bytes: 8 << 20,
            log_buffer_bytes: 4 << 20,
            background_threads: false,
            ..Options::default()
        };
        let options = TxnOptions { wall_clock_micros: || 0, ..TxnOptions::default() };
        let temporary_disk = SimDisk::new();
        let folder = TemporaryFolder::open(Arc::new(temporary_disk.clone())).expect("a new folder");
        let system = TxnSystem::create(Arc::new(SimDisk::new()), engine, options).expect("a new database");
        let cluster = Cluster::open(system, Arc::new(nqdb_sql::IndexExpressions)).expect("new catalogs");
        let catalog = cluster.catalog(POSTGRES_DATABASE).expect("it is there from the start");
        Bed {
            catalog,
            functions: TestFunctions::default(),
            format: FormatContext::default(),
            cancel: AtomicBool::new(false),
            memory: MemoryPool::new(1 << 30),
            temporary: folder.space(POSTGRES_DATABASE),
            temporary_disk,
            folder,
            constraints: Default::default(),
        }
    }

    /// The disk that the temporary files are on.
    pub fn temporary_disk(&self) -> &SimDisk {
        &self.temporary_disk
    }

    /// Temporary files that were made, are gone, and were as long together; files that are there.
    pub fn temporary_use(&self) -> TemporaryUse {
        self.folder.usage()
    }

    pub fn session(&self) -> Session<'_> {
        Session {
            bed: self,
            txn: None,
            draft: None,
            isolation: Isolation::ReadCommitted,
            work_memory_bytes: MEMORY_LIMIT_BYTES,
            memory_limit_bytes: MEMORY_LIMIT_BYTES,
            in_block: false,
        }
    }
}

/// What statements may hold.
#[derive(Clone, Copy)]
struct Limits {
    work_memory_bytes: usize,
    memory_limit_bytes: usize,
}

fn context<'a>(
    bed: &'a Bed,
    txn: &'a mut Transaction,
    notices: &'a mut Vec<nqdb_sqlstate::Notice>,
    limits: Limits,
) -> ExecContext<'a> {
    ExecContext {
        txn,
        functions: FunctionContext::new(&bed.format, 0, 0, &bed.functions),
        system: bed,
        cancel: &bed.cancel,
        notices,
        work_memory_bytes: limits.work_memory_bytes,
        memory_limit_bytes: limits.memory_limit_bytes,
        constraints: &bed.constraints,
        memory: &bed.memory,
        temporary: &bed.temporary,
    }
}

impl Session<'_> {
    fn limits(&self) -> Limits {
        Limits { work_memory_bytes: self.work_memory_bytes, memory_limit_bytes: self.memory_limit_bytes }
    }

    /// Runs a string of statements; the outcome of the last one.
    pub fn run(&mut self, sql: &str) -> SqlResult<Outcome> {
        let mut outcome = Outcome::default();
        for parsed in parse(sql)? {
            outcome = self.run_parsed(&parsed, &[])?;
        }
        Ok(outcome)
    }

    /// Runs what must succeed.
    pub fn ok(&mut self, sql: &str) -> Outcome {
        self.run(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// The rows of what must succeed.
    pub fn rows(&mut self, sql: &str) -> Vec<String> {
        self.ok(sql).rows
    }

    /// The error of what must fail.
    pub fn error(&mut self, sql: &str) -> SqlError {
        match self.run(sql) {
            Ok(outcome) => panic!("{sql} succeeded: {outcome:?}"),
            Err(error) => error,
        }
    }

    /// Runs one statement with parameters.
    pub fn run_with(&mut self, sql: &str, params: &[Datum]) -> SqlResult<Outcome> {
        let parsed = parse(sql)?;
        self.run_parsed(&parsed[0], params)
    }

    /// Plans one statement.
    pub fn plan(&mut self, parsed: &Parsed, types: &[Oid]) -> SqlResult<Plan> {
        self.begin();
        let snapshot = self.draft.as_mut().expect("begun").snapshot();
        let cx = BindContext {
            catalog: &snapshot,
            role: SUPERUSER_OID,
            search_path: &[PUBLIC_SCHEMA_OID],
            format: &self.bed.format,
            session: &self.bed.functions,
        };
        let mut params = ParamTypes::declared(types);
        let plan_cx = PlanContext { catalog: Some(snapshot.clone()), ..PlanContext::new(snapshot.version) };
        match &parsed.kind {
            StatementKind::Explain { options, inner } => {
                let (bound, _) = bind(inner, &cx, &mut params)?;
                explain(bound, params.types(), *options, &plan_cx, &|| 0)
            }
            _ => {
                let (bound, _) = bind(parsed, &cx, &mut params)?;
                plan(bound, params.types(), &plan_cx)
            }
        }
    }

    fn run_parsed(&mut self, parsed: &Parsed, params: &[Datum]) -> SqlResult<Outcome> {
        match &parsed.kind {
            StatementKind::Transaction(statement) => self.run_transaction(statement),
            StatementKind::Rows(_) | StatementKind::Explain { .. } => {
                let result = self.start_parsed(parsed, params).and_then(|mut running| self.finish(&mut running));
                self.end_statement(result)
            }
            _ => {
                let result = self.run_ddl(parsed);
                self.end_statement(result)
            }
        }
    }

    fn run_transaction(&mut self, statement: &TransactionStatement) -> SqlResult<Outcome> {
        match statement {
            TransactionStatement::Begin { .. } => {
                self.begin();
                self.in_block = true;
            }
            TransactionStatement::Commit { .. } => {
                self.in_block = false;
                self.commit()?;
            }
            TransactionStatement::Rollback { .. } => self.roll_back()?,
            other => panic!("not needed here: {other:?}"),
        }
        Ok(Outcome::default())
    }

    /// Begins a transaction unless one is open.
    fn begin(&mut self) {
        if self.txn.is_none() {
            self.txn = Some(self.bed.catalog.system().begin(self.isolation, false));
            self.draft = Some(Draft::new(self.bed.catalog.clone()));
        }
    }

    fn commit(&mut self) -> SqlResult<()> {
        let txn = self.txn.take().expect("a transaction to commit");
        let commit = txn.commit()?;
        self.draft = None;
        if let Some(lsn) = commit.durable_lsn {
            self.bed.catalog.system().wait_durable_blocking(lsn)?;
        }
        Ok(())
    }

    fn roll_back(&mut self) -> SqlResult<()> {
        self.in_block = false;
        if let Some(txn) = self.txn.take() {
            txn.rollback()?;
        }
        self.draft = None;
        Ok(())
    }

    fn end_statement(&mut self, result: SqlResult<Outcome>) -> SqlResult<Outcome> {
        match &result {
            Ok(_) if !self.in_block => self.commit()?,
            Ok(_) => {}
            Err(_) => self.roll_back()?,
        }
        result
    }

    fn run_ddl(&mut self, parsed: &Parsed) -> SqlResult<Outcome> {
        self.begin();
        loop {
            let mut notices = Vec::new();
            let limits = self.limits();
            let txn = self.txn.as_mut().expect("begun");
            let mut exec = context(self.bed, txn, &mut notices, limits);
            let draft = self.draft.as_mut().expect("begun");
            let mut cx = DdlContext {
                exec: &mut exec,
                draft,
                role: SUPERUSER_OID,
                session_role: SUPERUSER_OID,
                search_path: &[PUBLIC_SCHEMA_OID],
                temporary_schema: "pg_temp_1",
                open_relations: &[],
                enter: &|_| (),
                check_setting: &|name, words| Ok((name.to_owned(), words.unwrap_or_default().join(", "))),
            };
            match ddl::run(parsed, &mut cx)? {
                Step::Done(tag) => return Ok(Outcome { rows: Vec::new(), tag: tag.to_string() }),
                Step::Wait(Wait::Log(lsn)) => self.bed.catalog.system().wait_durable_blocking(lsn)?,
                step => panic!("a definition did not end: {step:?}"),
            }
        }
    }

    fn begin_statement(&mut self) {
        self.begin();
        let txn = self.txn.as_mut().expect("begun");
        if let Err(error) = txn.begin_statement() {
            match error.into_wait() {
                Ok(Wait::Log(lsn)) => self.bed.catalog.system().wait_durable_blocking(lsn).expect("the log is synced"),
                other => panic!("only the log is waited for: {other:?}"),
            }
            txn.begin_statement().expect("nothing to wait for");
        }
    }

    /// Begins a statement; its first step is still to come.
    pub fn start(&mut self, sql: &str) -> Running {
        let parsed = parse(sql).expect("syntax");
        self.start_parsed(&parsed[0], &[]).expect("a plan")
    }

    fn start_parsed(&mut self, parsed: &Parsed, params: &[Datum]) -> SqlResult<Running> {
        let types: Vec<Oid> = params.iter().map(|param| param.natural_oid().unwrap_or(0)).collect();
        let plan = Arc::new(self.plan(parsed, &types)?);
        for (relation, mode) in &plan.relations {
            self.txn.as_mut().expect("begun").lock_relation(*relation, *mode)?;
        }
        self.begin_statement();
        let view = self.txn.as_ref().expect("begun").view();
        let execution = Execution::new(plan.clone(), params.into(), view);
        Ok(Running { execution, rows: Vec::new(), plan })
    }

    /// Runs a statement until it ends or waits; the end commits unless in a block.
    pub fn advance(&mut self, running: &mut Running) -> SqlResult<Progress> {
        loop {
            let mut notices = Vec::new();
            let limits = self.limits();
            let txn = self.txn.as_mut().expect("begun");
            let mut cx = context(self.bed, txn, &mut notices, limits);
            let step = running.execution.step(&mut cx, &mut running.rows, 0);
            match step {
                Ok(Step::Done(tag)) => {
                    let types = running.plan.output.as_deref().unwrap_or_default();
                    let rows = running.rows.iter().map(|row| {
                        let columns = row.iter().zip(types).map(|(datum, column)| {
                            if datum.is_null() {
                                return "<>".to_string();
                            }
                            let mut out = Vec::new();
                            write_text(&mut out, datum, column.ty, &self.bed.format);
                            String::from_utf8(out).expect("UTF-8")
                        });
                        columns.collect::<Vec<_>>().join("|")
                    });
                    let outcome = Outcome { rows: rows.collect(), tag: tag.to_string() };
                    return Ok(Progress::Done(outcome));
                }
                Ok(Step::Wait(_)) => return Ok(Progress::Waits),
                Ok(Step::Yield) => {}
                Ok(Step::Suspended) => panic!("suspended without a limit"),
                Err(error) => return Err(error),
            }
        }
    }

    fn finish(&mut self, running: &mut Running) -> SqlResult<Outcome> {
        match self.advance(running)? {
            Progress::Done(outcome) => Ok(outcome),
            Progress::Waits => panic!("the statement waits for another session"),
        }
    }

    /// Ends a statement that was started by hand.
    pub fn resume(&mut self, running: &mut Running) -> SqlResult<Outcome> {
        let result = self.finish(running);
        self.end_statement(result)
    }

    /// Gives out rows in portions, as a portal with a row limit.
    pub fn portions(&mut self, sql: &str, rows_max: u64) -> Vec<usize> {
        let mut running = self.start(sql);
        let mut portions = Vec::new();
        loop {
            let mut notices = Vec::new();
            let limits = self.limits();
            let txn = self.txn.as_mut().expect("begun");
            let mut cx = context(self.bed, txn, &mut notices, limits);
            let mut rows: Vec<Vec<Datum>> = Vec::new();
            let step = running.execution.step(&mut cx, &mut rows, rows_max).expect("a step");
            portions.push(rows.len());
            match step {
                Step::Suspended => {}
                Step::Done(_) => break,
                other => panic!("unexpected {other:?}"),
            }
        }
        self.commit().expect("a commit");
        portions
    }

    /// COPY FROM STDIN with input in pieces of `piece` bytes.
    pub fn copy_in(&mut self, sql: &str, input: &[u8], piece: usize) -> SqlResult<String> {
        let result = self.copy_in_steps(sql, input, piece);
        let result = result.map(|tag| Outcome { rows: Vec::new(), tag });
        self.end_statement(result).map(|outcome| outcome.tag)
    }

    fn copy_in_steps(&mut self, sql: &str, input: &[u8], piece: usize) -> SqlResult<String> {
        let parsed = parse(sql)?.remove(0);
        self.begin_statement();
        let snapshot = self.draft.as_mut().expect("begun").snapshot();
        let bind_cx = self.bind_context(&snapshot);
        let plan = plan_copy_in(&parsed, &bind_cx, &PlanContext::new(snapshot.version))?;
        let view = self.txn.as_ref().expect("begun").view();
        let mut copy = CopyIn::new(Arc::new(plan), view);
        let mut pieces = input.chunks(piece);
        loop {
            let mut notices = Vec::new();
            let limits = self.limits();
            let txn = self.txn.as_mut().expect("begun");
            let mut cx = context(self.bed, txn, &mut notices, limits);
            match copy.step(&mut cx)? {
                Step::Suspended => match pieces.next() {
                    Some(piece) => copy.feed(piece),
                    None => copy.end_input(),
                },
                Step::Done(tag) => return Ok(tag.to_string()),
                Step::Yield => {}
                Step::Wait(_) => panic!("COPY waits for another session"),
            }
        }
    }

    /// COPY TO STDOUT: what the client gets.
    pub fn copy_out(&mut self, sql: &str) -> SqlResult<String> {
        let parsed = parse(sql)?.remove(0);
        assert!(matches!(&parsed.kind, StatementKind::Copy(copy) if copy.direction == CopyDirection::Out));
        self.begin_statement();
        let snapshot = self.draft.as_mut().expect("begun").snapshot();
        let bind_cx = self.bind_context(&snapshot);
        let plan = plan_copy_out(&parsed, &bind_cx, &PlanContext::new(snapshot.version))?;
        let view = self.txn.as_ref().expect("begun").view();
        let mut copy = CopyOut::new(Arc::new(plan), view, self.bed.format.clone());
        let mut out = Vec::new();
        loop {
            let mut notices = Vec::new();
            let limits = self.limits();
            let txn = self.txn.as_mut().expect("begun");
            let mut cx = context(self.bed, txn, &mut notices, limits);
            let step = copy.step(&mut cx, &mut |line| {
                out.extend_from_slice(line);
                Ok(())
            })?;
            match step {
                Step::Done(_) => break,
                Step::Yield => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        self.commit()?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    fn bind_context<'s>(&'s self, catalog: &'s nqdb_catalog::Snapshot) -> BindContext<'s> {
        BindContext {
            catalog,
            role: SUPERUSER_OID,
            search_path: &[PUBLIC_SCHEMA_OID],
            format: &self.bed.format,
            session: &self.bed.functions,
        }
    }
}

/// What functions ask of a session, as far as these tests ask.
#[derive(Default)]
struct TestFunctions {
    sequences: Mutex<HashMap<u32, i64>>,
}

fn unasked<T>(what: &str) -> T {
    panic!("no test asks for {what}")
}

impl nqdb_sql::system::SystemSession for Bed {
    fn catalog(&self) -> Arc<nqdb_catalog::Snapshot> {
        self.catalog.committed()
    }
    fn is_superuser(&self) -> bool {
        true
    }
    fn settings(&self) -> Vec<nqdb_sql::system::SettingFacts> {
        Vec::new()
    }
    fn sessions(&self) -> Vec<nqdb_sql::system::SessionFacts> {
        Vec::new()
    }
}

impl nqdb_functions::CatalogFunctions for TestFunctions {}

impl SessionFunctions for TestFunctions {
    fn clock_micros(&self) -> i64 {
        0
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn random_bytes(&self) -> [u8; 16] {
        [7; 16]
    }
    fn set_seed(&self, _: f64) {}
    fn current_user(&self) -> String {
        "postgres".to_string()
    }
    fn session_user(&self) -> String {
        "postgres".to_string()
    }
    fn current_database(&self) -> String {
        "postgres".to_string()
    }
    fn current_schema(&self) -> Option<String> {
        Some("public".to_string())
    }
    fn setting(&self, _: &str, _: bool) -> SqlResult<Option<String>> {
        unasked("settings")
    }
    fn set_setting(&self, _: &str, _: Option<&str>, _: bool) -> SqlResult<String> {
        unasked("settings")
    }
    fn nextval(&self, sequence: u32) -> SqlResult<i64> {
        let mut sequences = self.sequences.lock().expect("no panic under the lock");
        let value = sequences.entry(sequence).or_insert(0);
        *value += 1;
        Ok(*value)
    }
    fn currval(&self, _: u32) -> SqlResult<i64> {
        unasked("currval")
    }
    fn lastval(&self) -> SqlResult<i64> {
        unasked("lastval")
    }
    fn setval(&self, _: u32, _: i64, _: bool) -> SqlResult<i64> {
        unasked("setval")
    }
    fn role_name(&self, _: u32) -> Option<String> {
        None
    }
    fn relation_size(&self, _: u32, _: bool) -> SqlResult<Option<i64>> {
        unasked("sizes")
    }
    fn backend_pid(&self) -> i32 {
        1
    }
    fn transaction_id(&self) -> SqlResult<i64> {
        Ok(1)
    }
    fn sleep(&self, _: i64) -> SqlResult<()> {
        Ok(())
    }
    fn version(&self) -> String {
        "test".to_string()
    }
    fn postmaster_start_micros(&self) -> i64 {
        0
    }
    fn cancel_backend(&self, _: i32) -> SqlResult<bool> {
        Ok(false)
    }
    fn terminate_backend(&self, _: i32) -> SqlResult<bool> {
        Ok(false)
    }
}
