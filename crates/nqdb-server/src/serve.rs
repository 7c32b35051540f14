//! From a configuration to a running server, and back to a closed data directory.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nqdb_pubsub::Overflow;
use nqdb_session::{Instance, InstanceOptions, Settings, hub_options};
use nqdb_storage::disk::Disk;
use nqdb_web::WebListener;
use nqdb_wire::{Listeners, TlsIdentity, WireOptions};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::configuration::{Configuration, HttpListen, NotifyOverflow};
use crate::control::Control;
use crate::data::{Data, statement_memory_bytes};
use crate::descriptors;
use crate::error::ServerError;
use crate::log;
use crate::watchman::Watchman;

/// How long sessions may take to end when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// A server that serves.
pub struct Running {
    data: Data,
    instance: Arc<Instance>,
    postgres_address: SocketAddr,
    http_address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
    web: Option<JoinHandle<std::io::Result<()>>>,
    watchman: Watchman,
    control: Option<Control>,
}

impl fmt::Display for Running {
    /// The ready line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nqdb ready: postgres on {}, ", self.postgres_address)?;
        match self.http_address {
            Some(address) => write!(f, "http on {address}"),
            None => f.write_str("http off"),
        }
    }
}

impl Running {
    pub fn postgres_address(&self) -> SocketAddr {
        self.postgres_address
    }

    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Sends clients away, closes the data.
    pub async fn stop(self) -> Result<(), nqdb_txn::TxnError> {
        // No receiver left means that the listeners have ended already.
        let _ = self.stop.send(true);
        if self.listener.await.is_err() {
            tracing::error!("the listener had panicked");
        }
        if let Some(web) = self.web {
            match tokio::time::timeout(STOP_GRACE, web).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::error!(%error, "the HTTP listener failed"),
                Ok(Err(_)) | Err(_) => tracing::warn!("the HTTP listener did not end in time"),
            }
        }
        drop(self.watchman);
        drop(self.instance);
        let close = move || {
            drop(self.control);
            self.data.close()
        };
        let closed = tokio::task::spawn_blocking(close).await;
        closed.unwrap_or_else(|_| {
            Err(nqdb_txn::TxnError::Sql(nqdb_sqlstate::SqlError::internal("closing the data directory panicked")))
        })
    }
}

/// The runtime for sessions: page reads block a worker for a moment, so there are more workers than cores.
pub fn runtime() -> Result<Runtime, ServerError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores * 2).max(4))
        .thread_name("nqdb-worker")
        .thread_stack_size(nqdb_sql::parse::STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| ServerError::System { what: "cannot start the runtime", source })
}

/// Opens the data and the listeners; when it returns, clients are served.
pub async fn start(configuration: &Configuration) -> Result<Running, ServerError> {
    let (directory, memory_bytes) = (configuration.data_dir.clone(), configuration.memory_bytes);
    let archive = configuration.log_archive.clone();
    let mut running =
        start_over(configuration, move || Data::open(&directory, memory_bytes, archive.as_deref())).await?;
    match Control::start(&configuration.data_dir, running.data.system.clone()) {
        Ok(control) => running.control = Some(control),
        Err(source) => {
            if let Err(error) = running.stop().await {
                tracing::error!(%error, "the data could not be closed");
            }
            return Err(ServerError::ListenControl { path: configuration.data_dir.clone(), source });
        }
    }
    Ok(running)
}

/// As [`start`], with the data on any disk: `data_dir` is a name only, and there is no control socket.
pub async fn start_on(configuration: &Configuration, disk: Arc<dyn Disk>) -> Result<Running, ServerError> {
    let (directory, memory_bytes) = (configuration.data_dir.clone(), configuration.memory_bytes);
    start_over(configuration, move || Data::open_on(disk, &directory, memory_bytes, None)).await
}

async fn start_over(
    configuration: &Configuration,
    open: impl FnOnce() -> Result<Data, ServerError> + Send + 'static,
) -> Result<Running, ServerError> {
    let logins_max = configuration.max_connections + 16;
    let http_max = match &configuration.http_listen {
        HttpListen::Off => 0,
        HttpListen::At(_) => nqdb_web::CONNECTIONS_MAX + configuration.realtime.connections_max,
    };
    descriptors::reserve(configuration.max_connections + logins_max + http_max)?;
    let tls = match &configuration.tls {
        Some((certificates, key)) => Some(TlsIdentity::from_pem_files(certificates, key)?),
        None => None,
    };
    let has_tls = tls.is_some();
    let message_share = usize::try_from(configuration.memory_bytes / 8).unwrap_or(usize::MAX);
    let listeners = Listeners::bind(WireOptions {
        listen: configuration.listen.clone(),
        unix_socket_dir: configuration.unix_socket_dir.clone(),
        tls,
        message_bytes_max: message_share.max(16 << 20),
        logins_max,
    })
    .await?;
    let web = match &configuration.http_listen {
        HttpListen::Off => None,
        HttpListen::At(address) => Some(
            WebListener::bind(address)
                .await
                .map_err(|source| ServerError::ListenHttp { address: address.clone(), source })?,
        ),
    };
    let data = tokio::task::spawn_blocking(open)
        .await
        .unwrap_or_else(|_| Err(ServerError::Configuration("opening the data directory panicked".to_owned())))?;
    let instance = match make_instance(&data, listeners.address(), configuration, has_tls) {
        Ok(instance) => instance,
        Err(refused) => {
            // The next start shall find it closed, not crashed.
            match tokio::task::spawn_blocking(move || data.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the data could not be closed"),
                Err(_) => tracing::error!("closing the data directory panicked"),
            }
            return Err(refused);
        }
    };
    let (stop, stopped) = watch::channel(false);
    let postgres_address = listeners.address();
    let http_address = web.as_ref().map(WebListener::address);
    let listener = tokio::spawn(listeners.run(instance.clone(), stopped.clone(), STOP_GRACE));
    let web = web.map(|web| tokio::spawn(web.run(instance.clone(), configuration.realtime.clone(), stopped)));
    let watchman = Watchman::start(tokio::runtime::Handle::current())
        .map_err(|source| ServerError::System { what: "cannot start a thread", source })?;
    Ok(Running { data, instance, postgres_address, http_address, stop, listener, web, watchman, control: None })
}

/// What sessions share; refused where roles would be open to others than this machine.
fn make_instance(
    data: &Data,
    address: SocketAddr,
    configuration: &Configuration,
    has_tls: bool,
) -> Result<Arc<Instance>, ServerError> {
    refuse_open_doors(data, address, configuration)?;
    let settings =
        settings(configuration, address, has_tls).map_err(|error| ServerError::Configuration(error.to_string()))?;
    let options = InstanceOptions {
        defaults: settings,
        sessions_max: configuration.max_connections,
        prepared_max: configuration.max_prepared_transactions,
        statement_memory_bytes: statement_memory_bytes(configuration.memory_bytes),
        temporary: data.temporary.clone(),
        hub: hub_options(configuration.notify_queue_bytes),
        overflow: match configuration.notify_overflow {
            NotifyOverflow::DropListener => Overflow::DropSubscriber,
            NotifyOverflow::RefuseNotifier => Overflow::RefusePublisher,
        },
    };
    let instance = Instance::new(data.system.clone(), data.cluster.clone(), options)
        .map_err(|_| ServerError::Configuration("the system gives no random numbers".to_owned()))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    instance.start_analytics(cores).map_err(|error| ServerError::Configuration(error.to_string()))?;
    Ok(instance)
}

/// The settings that the configuration decides, for SHOW.
fn settings(
    configuration: &Configuration,
    address: SocketAddr,
    has_tls: bool,
) -> Result<Settings, nqdb_sqlstate::SqlError> {
    let mut settings = Settings::new();
    settings.state("port", &address.port().to_string())?;
    settings.state("listen_addresses", &address.ip().to_string())?;
    settings.state("max_connections", &configuration.max_connections.to_string())?;
    settings.state("max_prepared_transactions", &configuration.max_prepared_transactions.to_string())?;
    let reserved = nqdb_session::reserved_places(configuration.max_connections);
    settings.state("superuser_reserved_connections", &reserved.to_string())?;
    settings.state("data_directory", &configuration.data_dir.to_string_lossy())?;
    settings.state("ssl", if has_tls { "on" } else { "off" })?;
    Ok(settings)
}

/// A role without a password is for this machine only: beyond it, such a role is more likely an oversight.
fn refuse_open_doors(data: &Data, address: SocketAddr, configuration: &Configuration) -> Result<(), ServerError> {
    if address.ip().is_loopback() || configuration.allow_passwordless_roles {
        return Ok(());
    }
    let catalog = data.cluster.shared_objects();
    let mut open: Vec<&str> = catalog
        .roles()
        .filter(|role| role.can_login && role.password.is_none())
        .map(|role| role.name.as_str())
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    open.sort_unstable();
    Err(ServerError::Passwordless { address: address.to_string(), roles: open.join(", ") })
}

/// Runs the server until SIGTERM or SIGINT.
pub fn serve(configuration: &Configuration) -> Result<(), ServerError> {
    log::init(configuration.log_format, &configuration.log_level)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let watch_signal =
            |kind| signal(kind).map_err(|source| ServerError::System { what: "cannot watch for signals", source });
        let mut terminate = watch_signal(SignalKind::terminate())?;
        let mut interrupt = watch_signal(SignalKind::interrupt())?;
        let running = start(configuration).await?;
        announce(&running);
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        let since = Instant::now();
        running.stop().await.map_err(|source| ServerError::Open { path: configuration.data_dir.clone(), source })?;
        tracing::info!(milliseconds = since.elapsed().as_millis(), "stopped");
        Ok(())
    })
}

/// Prints the ready line, at once even into a pipe.
fn announce(running: &Running) {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    if writeln!(output, "{running}").and_then(|()| output.flush()).is_err() {
        tracing::warn!("nobody reads standard output: {running}");
    }
    tracing::info!("{running}");
}
