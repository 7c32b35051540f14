//! The whole server but its sockets, on a simulated disk, in one thread.
//!
//! Sessions are futures that this module polls by hand: a session that waits stays where it is until it is polled again.
//! The log is flushed, pages are written and purge goes on only when somebody calls for it, so that a run is
//! repeatable from its seed. Time stands still, but for [`Server::let_time_pass`], which lets deadlocks be found.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nqdb_catalog::{Catalog, Cluster, POSTGRES_DATABASE};
use nqdb_session::{CommandEnd, Failure, Instance, InstanceOptions, Session};
use nqdb_sql::temporary_files::TemporaryFolder;
use nqdb_storage::disk::SimDisk;
use nqdb_storage::{Options, Sabotage};
use nqdb_txn::{TxnOptions, TxnSabotage, TxnSystem};
use tokio::runtime::Runtime;

use crate::sink::{Recorder, Told};

/// The rules that this server breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    pub storage: Sabotage,
    pub transactions: TxnSabotage,
}

impl Broken {
    pub const NOTHING: Broken = Broken { storage: Sabotage::None, transactions: TxnSabotage::None };
}

/// Small, so that a short run evicts pages, takes checkpoints and goes through many log segments.
fn engine_options(broken: Broken) -> Options {
    Options {
        frames: 64,
        log_segment_bytes: 256 << 10,
        log_budget_bytes: 512 << 10,
        log_buffer_bytes: 256 << 10,
        background_threads: false,
        system_id: Some(0x006e_7164_6200),
        sabotage: broken.storage,
        ..Options::default()
    }
}

fn txn_options(broken: Broken) -> TxnOptions {
    TxnOptions {
        undo_memory_bytes: 64 << 10,
        wall_clock_micros: || 0,
        sabotage: broken.transactions,
        ..TxnOptions::default()
    }
}

thread_local! {
    /// Timers need a runtime; one per thread is enough for all servers.
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

fn with_runtime<T>(call: impl FnOnce(&Runtime) -> T) -> T {
    RUNTIME.with_borrow_mut(|slot| {
        let runtime = slot.get_or_insert_with(|| {
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime without threads")
        });
        call(runtime)
    })
}

/// A server that was opened on a disk.
pub struct Server {
    pub disk: SimDisk,
    pub system: Arc<TxnSystem>,
    pub cluster: Arc<Cluster>,
    /// Of the database `postgres`.
    pub catalog: Arc<Catalog>,
    instance: Arc<Instance>,
}

impl Server {
    /// Starts as the program does: makes the database when there is none, recovers it otherwise.
    pub fn open(disk: &SimDisk, broken: Broken) -> Result<Server, String> {
        let exists = disk.content("nqdb.super").is_some();
        let start = if exists { TxnSystem::open } else { TxnSystem::create };
        let system = start(Arc::new(disk.clone()), engine_options(broken), txn_options(broken))
            .map_err(|error| format!("the database does not open: {error}"))?;
        let cluster = Cluster::open(system.clone(), Arc::new(nqdb_sql::IndexExpressions))
            .map_err(|error| format!("the catalogs do not open: {}", error.message()))?;
        let catalog = cluster.catalog(POSTGRES_DATABASE).ok_or("the database postgres is missing")?;
        let temporary = TemporaryFolder::open(Arc::new(disk.clone()))
            .map_err(|error| format!("the temporary files cannot be removed: {error}"))?;
        let options = InstanceOptions::plain(10, 256 << 20, temporary);
        let mut instance = Instance::new(system.clone(), cluster.clone(), options).expect("random numbers");
        Arc::get_mut(&mut instance).expect("nobody else has it yet").clock_micros = || 0;
        Ok(Server { disk: disk.clone(), system, cluster, catalog, instance })
    }

    /// A new client.
    pub fn client(&self) -> Client {
        self.client_of("postgres")
    }

    /// A new client in a database.
    pub fn client_of(&self, database: &str) -> Client {
        let registration = self.instance.register().expect("there is room for sessions");
        let options = [("deadlock_timeout".to_owned(), "1ms".to_owned())];
        let session = Session::new(self.instance.clone(), registration, "postgres", database, &options);
        let session = with_runtime(|runtime| runtime.block_on(session));
        Client { session: Some(session.expect("the role exists")), running: None, told: Recorder::default() }
    }

    /// Writes and syncs the log, as the log thread does all the time.
    pub fn flush_log(&self) {
        // A failure is final and reaches everybody who waits.
        let _ = self.system.engine().flush_log();
    }

    /// Lets the waits that have lasted look for deadlocks.
    pub fn let_time_pass(&self) {
        with_runtime(|runtime| runtime.block_on(async { tokio::time::sleep(Duration::from_millis(2)).await }));
    }

    /// Runs one query to its end with nobody else about.
    pub fn query(&self, client: &mut Client, sql: &str) -> Result<Told, String> {
        client.start(sql.to_owned(), None);
        for _ in 0..10_000 {
            if client.poll() {
                let told = client.take_told();
                return match &told.error {
                    Some((code, message)) => Err(format!("{sql}: {code} {message}")),
                    None => Ok(told),
                };
            }
            self.flush_log();
        }
        Err(format!("{sql}: it waits for ever"))
    }

    /// Purges everything that can be.
    pub fn purge_all(&self) -> Result<(), String> {
        self.system.engine().flush_log().map_err(|error| error.to_string())?;
        while self.system.purge_step().map_err(|error| format!("purge: {error}"))? {}
        Ok(())
    }
}

type Running = Pin<Box<dyn Future<Output = Session>>>;

/// One client: a session and what it was told.
pub struct Client {
    session: Option<Session>,
    running: Option<Running>,
    told: Recorder,
}

impl Client {
    /// Whether a query is under way.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// The transaction status: `I`, `T` or `E`. Only between queries.
    pub fn status(&self) -> u8 {
        self.session.as_ref().map_or(b'I', Session::status)
    }

    /// Begins a query; `copy` is what follows a COPY FROM STDIN.
    pub fn start(&mut self, sql: String, copy: Option<String>) {
        let session = self.session.take().expect("the client is idle");
        self.told = Recorder::default();
        self.running = Some(Box::pin(run(session, self.told.clone(), sql, copy)));
    }

    /// Goes on with the query. True when it has ended.
    pub fn poll(&mut self) -> bool {
        let Some(running) = &mut self.running else { return true };
        let polled = with_runtime(|runtime| {
            let _entered = runtime.enter();
            running.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        let Poll::Ready(session) = polled else { return false };
        self.session = Some(session);
        self.running = None;
        true
    }

    /// What was told so far.
    pub fn look<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        look(&self.told.0.lock())
    }

    pub fn take_told(&mut self) -> Told {
        std::mem::take(&mut *self.told.0.lock())
    }
}

async fn run(mut session: Session, mut out: Recorder, sql: String, copy: Option<String>) -> Session {
    session.begin_command();
    let mut end = session.simple_query(&sql, &mut out).await;
    if let Ok(CommandEnd::CopyIn) = end {
        end = match session.copy_data(copy.as_deref().unwrap_or_default().as_bytes()) {
            Ok(()) => session.copy_done(&mut out).await,
            Err(failure) => Err(failure),
        };
    }
    match end {
        Ok(_) => {}
        Err(Failure::Sql(error)) => session.fail(error, &mut out).await.expect("the recorder does not fail"),
        Err(Failure::Client(error)) => unreachable!("the recorder does not fail: {error}"),
    }
    session
}
