//! What all sessions of a server share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use nqdb_analytics::{Analytics, CacheStats};
use nqdb_catalog::Cluster;
use nqdb_sql::exec::MemoryPool;
use nqdb_sql::temporary_files::TemporaryFolder;
use nqdb_sqlstate::SqlResult;
use nqdb_txn::TxnSystem;
use ring::rand::{SecureRandom, SystemRandom};

use crate::registry::{Registration, Registry};
use crate::settings::Settings;

/// µs between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The shared state of a running server.
pub struct Instance {
    pub system: Arc<TxnSystem>,
    /// The catalogs of all databases.
    pub cluster: Arc<Cluster>,
    pub registry: Arc<Registry>,
    /// What a new session starts with: PostgreSQL's defaults and the server's configuration.
    pub defaults: Settings,
    pub metrics: Metrics,
    /// Runs queries that look at many rows, once [`Instance::start_analytics`] was called.
    pub(crate) analytics: OnceLock<Analytics>,
    /// What the statements of all sessions may hold together.
    pub statement_memory: Arc<MemoryPool>,
    /// What statements keep outside of memory.
    pub temporary: Arc<TemporaryFolder>,
    /// Reads the clock, µs since 2000-01-01 UTC.
    pub clock_micros: fn() -> i64,
    pub random: SystemRandom,
    started_micros: i64,
    /// Makes the salts of roles that do not exist look like those of roles that do.
    mock_secret: [u8; 32],
}

impl Instance {
    /// Brings the parts together; `sessions_max` is the number of clients that may be connected, `statement_memory_bytes`
    /// what their statements may hold together, `temporary` where they go on with files.
    pub fn new(
        system: Arc<TxnSystem>,
        cluster: Arc<Cluster>,
        defaults: Settings,
        sessions_max: usize,
        statement_memory_bytes: usize,
        temporary: Arc<TemporaryFolder>,
    ) -> Result<Arc<Instance>, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let mut mock_secret = [0; 32];
        random.fill(&mut mock_secret)?;
        Ok(Arc::new(Instance {
            system,
            cluster,
            registry: Registry::new(sessions_max),
            defaults,
            metrics: Metrics::default(),
            analytics: OnceLock::new(),
            statement_memory: MemoryPool::new(statement_memory_bytes),
            temporary,
            clock_micros: system_clock_micros,
            random,
            started_micros: system_clock_micros(),
            mock_secret,
        }))
    }

    /// Starts the analytical executor on so many threads; its queries' memory is of `statement_memory`. Without it the
    /// row executor runs everything.
    pub fn start_analytics(&self, threads: usize) -> SqlResult<()> {
        // A second call would have nothing to do.
        self.analytics.set(Analytics::new(threads, self.statement_memory.clone())?).ok();
        Ok(())
    }

    /// What the analytical executor's column cache has done.
    pub fn column_cache_stats(&self) -> CacheStats {
        self.analytics.get().map(Analytics::cache_stats).unwrap_or_default()
    }

    /// Takes a place for a session; 53300 when all are taken.
    pub fn register(&self) -> SqlResult<Registration> {
        self.registry.register(self.system.new_owner(), &self.random)
    }

    /// When the server started, µs since 2000-01-01 UTC.
    pub fn started_micros(&self) -> i64 {
        self.started_micros
    }

    pub fn now_micros(&self) -> i64 {
        (self.clock_micros)()
    }

    /// A secret of this start of the server, for authentication.
    pub fn mock_secret(&self) -> &[u8; 32] {
        &self.mock_secret
    }
}

/// The wall clock, µs since 2000-01-01 UTC.
fn system_clock_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX).saturating_sub(POSTGRES_EPOCH_MICROS)
}

/// Counters since the start of the server.
#[derive(Debug, Default)]
pub struct Metrics {
    pub connections: Counter,
    pub connections_refused: Counter,
    pub statements: Counter,
    pub errors: Counter,
    pub cancels: Counter,
    pub panics: Counter,
    pub rows_sent: Counter,
    /// Queries that were given to the analytical executor.
    pub analytical_planner_calls: Counter,
    /// Plans found ready for a statement's text or name, and plans that had to be made.
    pub plans_reused: Counter,
    pub plans_made: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
