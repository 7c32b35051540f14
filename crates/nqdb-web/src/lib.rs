//! HTTP: health, readiness and metrics.
//!
//! | path | answers |
//! |---|---|
//! | `/healthz` | 200 as long as the process serves |
//! | `/readyz` | 200 when SQL clients are served, 503 before that, while stopping, and after the log has failed |
//! | `/metrics` | Prometheus text, format 0.0.4 |
//!
//! Nothing here changes state, and no handler waits for a lock that a query could hold.

mod limited;
mod metrics;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use nqdb_session::Instance;
use tokio::net::TcpListener;
use tokio::sync::watch;

use limited::LimitedListener;

/// Clients that are served at the same time.
pub const CONNECTIONS_MAX: usize = 64;

/// What the handlers see.
#[derive(Clone)]
struct Shared {
    instance: Arc<Instance>,
    stopping: watch::Receiver<bool>,
}

/// A bound HTTP address that does not serve yet.
pub struct WebListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl WebListener {
    /// Takes `HOST:PORT`; port 0 asks for a free one.
    pub async fn bind(listen: &str) -> io::Result<WebListener> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        Ok(WebListener { listener, address })
    }

    /// The address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true.
    pub async fn run(self, instance: Arc<Instance>, stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut stopped = stop.clone();
        let until_stopped = async move {
            // An error means that the server is gone altogether.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let listener = LimitedListener::new(self.listener, CONNECTIONS_MAX);
        axum::serve(listener, routes(instance, stop)).with_graceful_shutdown(until_stopped).await
    }
}

fn routes(instance: Arc<Instance>, stopping: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Shared { instance, stopping })
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    if *shared.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if shared.instance.system.engine().log_failed() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log has failed: restart to recover\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn metrics_text(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&shared.instance))
}
