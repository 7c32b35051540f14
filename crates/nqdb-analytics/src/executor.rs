//! The executor: threads and memory of its own, and the statements that run on them.
//!
//! ```text
//! session --start--> task on the executor's threads: subqueries, lowering, plan
//!         <--rows--- a channel of two batches: a slow client holds the plan back
//! ```
//!
//! What always holds:
//!
//! 1. A statement's view lives until its task is over, so nothing it reads is purged.
//! 2. Dropping [`Running`] ends the task: at once where it waits, at its next batch where it computes.
//! 3. A statement that may decline late sends nothing before it is through: who hears [`Failure::Declined`] has had no row.
//! 4. A statement that finds too little memory before its first row declines: the row executor goes on with files where this one
//!    cannot.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::disk_manager::DiskManagerBuilder;
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_plan::ExecutionPlanProperties;
use futures::StreamExt;
use nqdb_sql::explain::MeasuredNode;
use nqdb_sql::ir::Query;
use nqdb_sql::temporary_files::TemporarySpace;
use nqdb_sqlstate::{OUT_OF_MEMORY, SqlError, SqlResult};
use nqdb_txn::ReadView;
use nqdb_types::{Datum, FormatContext};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::cache::{CacheStats, ColumnCache};
use crate::column::datum_at;
use crate::expression::{Constants, EvalContext, SubqueryValues};
use crate::failure::{Failure, Outcome};
use crate::kept::KeptRows;
use crate::lower::{LoweredQuery, Lowering};
use crate::measure::{Measures, measured};
use crate::memory::StatementMemory;
use crate::scan::BATCH_ROWS;
use crate::shape::Shape;
use crate::spill::StatementFiles;
use crate::subquery::{WithRows, assume_nulls, run_with_queries, subqueries_of, subquery_values, with_queries};
use crate::watch::Stop;

/// Batches that wait for the client.
const PENDING_BATCHES: usize = 2;
/// Stack of a thread: expressions nest as deep as the parser lets them.
const STACK_BYTES: usize = 16 << 20;

/// The executor of analytical statements.
pub struct Analytics {
    /// There until the drop.
    runtime: Option<Runtime>,
    memory: Arc<StatementMemory>,
    cache: Arc<ColumnCache>,
    partitions: usize,
}

/// A statement to run.
pub struct Request {
    pub query: Arc<Query>,
    pub params: Arc<[Datum]>,
    pub view: ReadView,
    pub format: FormatContext,
    /// Where what does not fit into memory goes.
    pub temporary: Arc<TemporarySpace>,
    /// µs since 2000-01-01 UTC.
    pub transaction_time_micros: i64,
    pub statement_time_micros: i64,
    /// Rows and times of the operators are wanted.
    pub measures: bool,
}

/// A statement that runs.
pub struct Running {
    batches: mpsc::Receiver<Outcome<Batch>>,
    stop: Stop,
    /// The task that runs it.
    task: Option<AbortHandle>,
    measurements: Measurements,
}

/// The measured plans of a statement in the order in which they were started: the main one is the last.
type Measurements = Arc<Mutex<Vec<Measures>>>;

/// Rows of a result.
pub struct Batch {
    batch: RecordBatch,
    shapes: Arc<[Shape]>,
}

/// A statement on the executor's side.
pub(crate) struct Statement {
    params: Arc<[Datum]>,
    view: ReadView,
    cx: Arc<EvalContext>,
    temporary: Arc<TemporarySpace>,
    pub memory: Arc<StatementMemory>,
    cache: Arc<ColumnCache>,
    /// The WITH queries that were run.
    pub with: WithRows,
    partitions: usize,
    stop: Stop,
    /// Where the measured plans go, if they are wanted.
    measurements: Option<Measurements>,
}

/// The rows of a query, as they come.
pub(crate) struct QueryRows {
    pub stream: SendableRecordBatchStream,
    pub shapes: Vec<Shape>,
    pub may_decline: bool,
}

impl Analytics {
    /// Starts the threads; hash tables and sorts take their memory from `memory`.
    pub fn new(threads: usize, memory: Arc<nqdb_sql::exec::MemoryPool>) -> SqlResult<Analytics> {
        let threads = threads.max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("nqdb-analytics")
            .thread_stack_size(STACK_BYTES)
            .build()
            .map_err(|error| SqlError::internal(format!("the analytical executor's threads do not start: {error}")))?;
        let cache = ColumnCache::new(memory.clone());
        let memory = Arc::new(StatementMemory(memory));
        Ok(Analytics { runtime: Some(runtime), memory, cache, partitions: threads })
    }

    /// What the column cache has done.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// Starts a statement; its rows, or why there are none, come from [`Running::next`].
    pub fn start(&self, request: Request) -> Running {
        let (sender, batches) = mpsc::channel(PENDING_BATCHES);
        let measurements = Measurements::default();
        let stop = Stop::default();
        let cx = EvalContext {
            format: request.format,
            transaction_time_micros: request.transaction_time_micros,
            statement_time_micros: request.statement_time_micros,
            stop: stop.clone(),
        };
        let statement = Statement {
            params: request.params,
            view: request.view,
            cx: Arc::new(cx),
            temporary: request.temporary,
            memory: self.memory.clone(),
            cache: self.cache.clone(),
            with: WithRows::default(),
            partitions: self.partitions,
            stop: stop.clone(),
            measurements: request.measures.then(|| measurements.clone()),
        };
        let task = self.runtime.as_ref().map(|runtime| {
            let task = runtime.spawn(async move {
                if let Err(failure) = statement.run(&request.query, &sender).await {
                    // Nobody is there to hear it when the receiver is gone.
                    let _ = sender.send(Err(failure)).await;
                }
            });
            task.abort_handle()
        });
        Running { batches, stop, task, measurements }
    }

    /// Whether the executor takes a query, as far as its shape tells; the reason if not.
    pub fn examine(&self, request: &Request) -> Result<(), &'static str> {
        let (stop, with) = (Stop::default(), WithRows::default());
        let cx = EvalContext {
            format: request.format.clone(),
            transaction_time_micros: request.transaction_time_micros,
            statement_time_micros: request.statement_time_micros,
            stop: stop.clone(),
        };
        match self.look_at(&request.query, request, &Arc::new(cx), &with, &stop) {
            Err(Failure::Declined(reason)) => Err(reason),
            _ => Ok(()),
        }
    }
}

impl Analytics {
    /// Lowers a query and all within it, with NULLs for the values that it has to be run for.
    fn look_at(
        &self,
        query: &Query,
        request: &Request,
        cx: &Arc<EvalContext>,
        with: &WithRows,
        stop: &Stop,
    ) -> Outcome<LoweredQuery> {
        for (id, inner) in with_queries(query) {
            let lowered = self.look_at(inner?, request, cx, with, stop)?;
            with.keep(id, KeptRows::none(lowered.plan.schema(), lowered.shapes));
        }
        let mut values = SubqueryValues::new();
        for (inner, _) in subqueries_of(query) {
            self.look_at(inner, request, cx, with, stop)?;
        }
        assume_nulls(query, &mut values);
        let constants = Constants::new(request.params.clone(), cx.clone(), values);
        let lowering = Lowering {
            constants: &constants,
            with,
            view: &request.view,
            cache: &self.cache,
            memory: &self.memory,
            partitions: self.partitions,
            stop,
        };
        lowering.query(query)
    }
}

impl Drop for Analytics {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not be waited for on another one's thread.
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Running {
    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Batch>, Failure> {
        self.batches.recv().await.transpose()
    }

    /// What the operators have done, if that was asked for; the plans of subqueries and WITH queries hang below the others.
    pub fn measured(&self) -> Option<MeasuredNode> {
        let measures = self.measurements.lock();
        let (main, others) = measures.split_last()?;
        let mut node = main.node();
        node.children.extend(others.iter().map(|other| {
            let mut child = other.node();
            child.label = Some("InitPlan".to_owned());
            child
        }));
        Some(node)
    }
}

impl Batch {
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Puts the values of a row into `out`.
    pub fn read_row(&self, row: usize, out: &mut Vec<Datum>) -> Result<(), Failure> {
        out.clear();
        for (column, shape) in self.batch.columns().iter().zip(self.shapes.iter()) {
            out.push(datum_at(column, row, *shape)?);
        }
        Ok(())
    }
}

impl Statement {
    /// Runs the whole statement; returns early when nobody listens.
    async fn run(&self, query: &Query, sender: &mpsc::Sender<Outcome<Batch>>) -> Outcome<()> {
        let mut is_first = true;
        match self.send_rows(query, sender, &mut is_first).await {
            Err(Failure::Sql(error)) if is_first && error.code() == OUT_OF_MEMORY => {
                Err(Failure::Declined("more memory than there is"))
            }
            end => end,
        }
    }

    /// Sends all rows; `is_first` says afterwards whether none of them went out.
    async fn send_rows(
        &self,
        query: &Query,
        sender: &mpsc::Sender<Outcome<Batch>>,
        is_first: &mut bool,
    ) -> Outcome<()> {
        let mut rows = self.rows_of(query).await?;
        let shapes: Arc<[Shape]> = rows.shapes.clone().into();
        let pool: Arc<dyn MemoryPool> = self.memory.clone();
        let (mut held, held_memory) = (Vec::new(), MemoryConsumer::new("rows that are held back").register(&pool));
        while let Some(batch) = rows.stream.next().await {
            let batch = Batch { batch: batch?, shapes: shapes.clone() };
            if rows.may_decline {
                held_memory.try_grow(batch.batch.get_array_memory_size())?;
                held.push(batch);
                continue;
            }
            *is_first = false;
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        for batch in held {
            *is_first = false;
            held_memory.shrink(batch.batch.get_array_memory_size());
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What DataFusion's operators take memory and files from.
    fn environment(&self) -> Outcome<Arc<RuntimeEnv>> {
        let files = Arc::new(StatementFiles(self.temporary.clone()));
        let files = DiskManagerBuilder::default().with_temp_file_factory(files);
        let environment = RuntimeEnvBuilder::new().with_memory_pool(self.memory.clone());
        Ok(environment.with_disk_manager_builder(files).build_arc()?)
    }

    /// Lowers a query and starts its plan.
    pub async fn rows_of(&self, query: &Query) -> Outcome<QueryRows> {
        run_with_queries(query, self).await?;
        let subqueries = subquery_values(query, self).await?;
        let constants = Constants::new(self.params.clone(), self.cx.clone(), subqueries);
        let lowering = Lowering {
            constants: &constants,
            with: &self.with,
            view: &self.view,
            cache: &self.cache,
            memory: &self.memory,
            partitions: self.partitions,
            stop: &self.stop,
        };
        let lowered = lowering.query(query)?;
        debug_assert_eq!(lowered.plan.output_partitioning().partition_count(), 1);
        let config = SessionConfig::new()
            .with_batch_size(BATCH_ROWS)
            .with_target_partitions(self.partitions)
            .with_sort_spill_reservation_bytes(self.memory.merge_bytes());
        let context = TaskContext::new(
            None,
            String::new(),
            config,
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            self.environment()?,
        );
        let mut plan = lowered.plan;
        if let Some(measurements) = &self.measurements {
            let (watched, measures) = measured(plan)?;
            measurements.lock().push(measures);
            plan = watched;
        }
        let stream = plan.execute(0, Arc::new(context))?;
        Ok(QueryRows { stream, shapes: lowered.shapes, may_decline: constants.may_decline.get() })
    }
}
