//! A server under test, a private PostgreSQL 15 beside it, and a client that sees every message.

pub mod full_disk;
pub mod gated_disk;
pub mod postgres;
pub mod raw;
pub mod web;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nqdb_server::{Configuration, HttpListen, LogFormat, NotifyOverflow, Running, start, start_on};
use nqdb_session::Instance;
use nqdb_storage::disk::Disk;
use nqdb_web::realtime::RealtimeOptions;
use tokio_postgres::{Client, NoTls};

/// What a server under test may use.
pub const MEMORY_BYTES: u64 = 128 << 20;

/// nqdb over a directory that is removed afterwards.
pub struct Server {
    running: Option<Running>,
    /// Removed when dropped.
    directory: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Server {
        Server::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Configuration)) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let mut configuration = configuration(directory.path());
        change(&mut configuration);
        let running = start(&configuration).await.unwrap();
        Server { running: Some(running), directory }
    }

    /// nqdb over a disk of the test's.
    pub async fn start_over(disk: impl Disk + 'static) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let running = start_on(&configuration(directory.path()), Arc::new(disk)).await.unwrap();
        Server { running: Some(running), directory }
    }

    /// Where the data is, unless it is on a disk of the test's.
    pub fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn address(&self) -> SocketAddr {
        self.running().postgres_address()
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("runs until it is stopped")
    }

    pub fn instance(&self) -> &Arc<Instance> {
        self.running().instance()
    }

    /// Stops it as a signal would.
    pub async fn stop(mut self) {
        self.running.take().expect("is stopped once").stop().await.unwrap();
    }

    /// A client through a driver.
    pub async fn client(&self) -> Client {
        connect(&format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.address().port())).await.unwrap()
    }
}

/// A configuration for free ports on this machine.
pub fn configuration(directory: &Path) -> Configuration {
    Configuration {
        data_dir: directory.join("data"),
        listen: "127.0.0.1:0".to_owned(),
        http_listen: HttpListen::Off,
        memory_bytes: MEMORY_BYTES,
        max_connections: 20,
        max_prepared_transactions: 10,
        log_archive: None,
        unix_socket_dir: None,
        tls: None,
        allow_passwordless_roles: false,
        notify_queue_bytes: 16 << 20,
        notify_overflow: NotifyOverflow::DropListener,
        realtime: RealtimeOptions { connections_max: 200, token_secret: None, origins: Vec::new(), rules: Vec::new() },
        log_format: LogFormat::Text,
        log_level: "warn".to_owned(),
    }
}

/// Connects a driver and runs its connection in the background.
pub async fn connect(parameters: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(parameters, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
