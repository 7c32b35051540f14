//! What all sessions of a server share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nqdb_analytics::{Analytics, CacheStats};
use nqdb_catalog::Cluster;
use nqdb_pubsub::{HistoryLimits, Hub, HubOptions, Overflow};
use nqdb_sql::exec::MemoryPool;
use nqdb_sql::temporary_files::TemporaryFolder;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::TxnSystem;
use ring::rand::{SecureRandom, SystemRandom};

use crate::connections::Connections;
use crate::kept_channels::KeptChannels;
use crate::latency::Latency;
use crate::live::LiveQueries;
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
    /// The channels of LISTEN and NOTIFY, and of the real-time protocols.
    pub hub: Arc<Hub>,
    /// The real-time clients.
    pub connections: Arc<Connections>,
    /// Channels whose messages are kept in tables.
    pub(crate) kept_channels: KeptChannels,
    /// Queries whose results are followed.
    pub live: LiveQueries,
    /// What the full queue of a session that listens does.
    pub(crate) overflow: Overflow,
    /// Transactions that may be prepared at once.
    pub(crate) prepared_max: usize,
    /// Reads the clock, µs since 2000-01-01 UTC.
    pub clock_micros: fn() -> i64,
    pub random: SystemRandom,
    started_micros: i64,
    started: Instant,
    /// Makes the salts of roles that do not exist look like those of roles that do.
    mock_secret: [u8; 32],
}

/// What a server is started with.
#[derive(Clone)]
pub struct InstanceOptions {
    /// What a new session starts with.
    pub defaults: Settings,
    /// Clients that may be connected.
    pub sessions_max: usize,
    /// Transactions that may be prepared at once; 0: PREPARE TRANSACTION is refused.
    pub prepared_max: usize,
    /// What their statements may hold together.
    pub statement_memory_bytes: usize,
    /// Where they go on with files.
    pub temporary: Arc<TemporaryFolder>,
    /// What channels may hold. The seed of epochs is drawn at the start.
    pub hub: HubOptions,
    /// What the full queue of a session that listens does.
    pub overflow: Overflow,
}

impl InstanceOptions {
    /// For so many clients, with PostgreSQL's settings; `memory_bytes` is what their statements may hold.
    pub fn plain(sessions_max: usize, memory_bytes: usize, temporary: Arc<TemporaryFolder>) -> InstanceOptions {
        InstanceOptions {
            defaults: Settings::new(),
            sessions_max,
            prepared_max: 0,
            statement_memory_bytes: memory_bytes,
            temporary,
            hub: hub_options(memory_bytes / 2),
            overflow: Overflow::DropSubscriber,
        }
    }
}

/// How channels share so many bytes: half is for what waits for one subscriber at most, a quarter for what channels keep.
pub fn hub_options(bytes: usize) -> HubOptions {
    HubOptions {
        held_bytes_max: bytes,
        queue_bytes_max: bytes / 2,
        history: HistoryLimits { count: 1_000, bytes: 1 << 20, age_millis: 300_000 },
        history_bytes_max: bytes / 4,
        idle_channels_max: 100_000,
        epoch_seed: 0,
    }
}

impl Instance {
    /// Brings the parts together.
    pub fn new(
        system: Arc<TxnSystem>,
        cluster: Arc<Cluster>,
        options: InstanceOptions,
    ) -> Result<Arc<Instance>, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let (mut mock_secret, mut epoch_seed) = ([0; 32], [0; 8]);
        random.fill(&mut mock_secret)?;
        random.fill(&mut epoch_seed)?;
        system.set_feed_limit(options.hub.held_bytes_max / 2);
        let hub = Hub::new(HubOptions { epoch_seed: u64::from_be_bytes(epoch_seed), ..options.hub });
        Ok(Arc::new(Instance {
            system,
            cluster,
            registry: Registry::new(options.sessions_max),
            defaults: options.defaults,
            metrics: Metrics::default(),
            analytics: OnceLock::new(),
            statement_memory: MemoryPool::new(options.statement_memory_bytes),
            temporary: options.temporary,
            hub,
            connections: Arc::default(),
            kept_channels: KeptChannels::default(),
            live: LiveQueries::default(),
            overflow: options.overflow,
            prepared_max: options.prepared_max,
            clock_micros: system_clock_micros,
            random,
            started_micros: system_clock_micros(),
            started: Instant::now(),
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

    /// Time since the start: the hub's clock.
    pub fn uptime_millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn now_micros(&self) -> i64 {
        (self.clock_micros)()
    }

    /// A name for the stream of a channel that is made now. XX000 when the system's generator of random numbers is gone.
    pub(crate) fn new_epoch(&self) -> SqlResult<String> {
        let mut bytes = [0; 8];
        let drawn = self.random.fill(&mut bytes);
        drawn.map_err(|_| SqlError::internal("the system gives no random numbers"))?;
        Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
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
    /// From the first message of a request to the end of its answer.
    pub latency: Latency,
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
