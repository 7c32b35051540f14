//! The doors: one TCP address and, if wanted, a Unix socket.
//!
//! Clients that have not logged in yet have places of their own, bounded and for a short time: sockets that say
//! nothing take neither the sessions' places nor all file descriptors.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nqdb_session::Instance;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::authenticate::Origin;
use crate::client::Transport;
use crate::connection::{ConnectionContext, serve};
use crate::frame;
use crate::tls::TlsIdentity;

/// What a listener needs to know.
pub struct WireOptions {
    /// `HOST:PORT`; port 0 asks for a free one.
    pub listen: String,
    /// Where to put the socket `.s.PGSQL.<port>`.
    pub unix_socket_dir: Option<PathBuf>,
    pub tls: Option<TlsIdentity>,
    /// Largest message of a client that is logged in, bytes.
    pub message_bytes_max: usize,
    /// Clients that are logging in at the same time; one more is not answered.
    pub logins_max: usize,
}

/// A stop that waits for longer says what it waits for.
const SLOW_STOP: Duration = Duration::from_secs(2);

/// Why a listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address is in use, not ours, or not an address.
    #[error("cannot listen on {address}: {source}")]
    Tcp { address: String, source: io::Error },
    /// The socket file cannot be made.
    #[error("cannot listen on {path}: {source}")]
    Unix { path: PathBuf, source: io::Error },
    /// Another server answers on the socket file.
    #[error("another server listens on {0}")]
    InUse(PathBuf),
}

/// Bound sockets that do not accept yet.
pub struct Listeners {
    tcp: TcpListener,
    address: SocketAddr,
    unix: Option<UnixSocket>,
    options: WireOptions,
}

/// A socket file, removed when dropped.
struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Nothing can be done about a file that somebody else removed.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Listeners {
    /// Takes the addresses; clients queue up until [`Listeners::run`].
    pub async fn bind(options: WireOptions) -> Result<Listeners, ListenerError> {
        let failed = |source| ListenerError::Tcp { address: options.listen.clone(), source };
        let tcp = TcpListener::bind(&options.listen).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let unix = match &options.unix_socket_dir {
            Some(directory) => Some(bind_unix(&directory.join(format!(".s.PGSQL.{}", address.port())))?),
            None => None,
        };
        Ok(Listeners { tcp, address, unix, options })
    }

    /// The TCP address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until `stop` becomes true, then sends them away and waits for them to be gone.
    pub async fn run(self, instance: Arc<Instance>, mut stop: watch::Receiver<bool>, grace: Duration) {
        let logins = Arc::new(Semaphore::new(self.options.logins_max));
        let context = Arc::new(ConnectionContext {
            instance: instance.clone(),
            tls: self.options.tls,
            message_bytes_max: self.options.message_bytes_max.min(frame::LARGE_MESSAGE_BYTES_MAX),
        });
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.tcp.accept() => accepted.map(|(stream, peer)| tcp_transport(stream, peer)),
                accepted = accept_unix(self.unix.as_ref()) => accepted,
            };
            let (transport, origin) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: others have to leave first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(login_place) = logins.clone().try_acquire_owned() else {
                instance.metrics.connections_refused.increment();
                tracing::warn!(?origin, "a connection was closed: too many clients are logging in");
                continue;
            };
            let context = context.clone();
            connections.spawn(serve(transport, origin, context, login_place));
        }
        drop((self.tcp, self.unix));
        instance.registry.terminate_all();
        let waited = tokio::time::timeout(grace, wait_for_all(&mut connections, &instance)).await;
        if waited.is_err() {
            tracing::warn!(sessions = connections.len(), "sessions did not end in time and were cut off");
        }
    }
}

/// Waits until every connection is gone, and says so when that takes its time.
async fn wait_for_all(connections: &mut JoinSet<()>, instance: &Instance) {
    let mut report = tokio::time::interval(SLOW_STOP);
    report.reset();
    loop {
        tokio::select! {
            ended = connections.join_next() => match ended {
                Some(_) => {}
                None => return,
            },
            _ = report.tick() => {
                let pids: Vec<i32> = instance.registry.all().iter().map(|backend| backend.pid()).collect();
                tracing::warn!(?pids, "the stop waits for sessions");
            }
        }
    }
}

fn bind_unix(path: &Path) -> Result<UnixSocket, ListenerError> {
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ListenerError::InUse(path.to_path_buf()));
        }
        // Left over from a server that was killed.
        std::fs::remove_file(path).map_err(|source| ListenerError::Unix { path: path.to_path_buf(), source })?;
    }
    let failed = |source| ListenerError::Unix { path: path.to_path_buf(), source };
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Who may come is decided by roles and by the directory, as with PostgreSQL (unix_socket_permissions).
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).map_err(failed)?;
    Ok(UnixSocket { listener, path: path.to_path_buf() })
}

async fn accept_unix(socket: Option<&UnixSocket>) -> io::Result<(Box<dyn Transport>, Origin)> {
    match socket {
        Some(socket) => {
            let (stream, _) = socket.listener.accept().await?;
            Ok((Box::new(stream), Origin::ThisMachine))
        }
        None => std::future::pending().await,
    }
}

fn tcp_transport(stream: TcpStream, peer: SocketAddr) -> (Box<dyn Transport>, Origin) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let origin = if peer.ip().to_canonical().is_loopback() { Origin::ThisMachine } else { Origin::Network };
    (Box::new(stream), origin)
}
