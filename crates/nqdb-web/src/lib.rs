//! HTTP: health, readiness and metrics; and channels in real time.
//!
//! | path | answers |
//! |---|---|
//! | `/`, `/page/{file}` | the dashboard: `page` |
//! | `/healthz` | 200 as long as the process serves |
//! | `/readyz` | 200 when SQL clients are served, 503 before that, while stopping, and after the log has failed |
//! | `/metrics` | Prometheus text, format 0.0.4 |
//! | `/connection/websocket`, `/sse`, `/listen/{channel}` | channels: [`realtime`] |
//!
//! Nothing here but a message that a real-time client publishes changes state, and no handler waits for a lock that a query
//! could hold.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod limited;
mod metrics;
mod page;
pub mod realtime;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use nqdb_session::Instance;
use tokio::net::TcpListener;
use tokio::sync::watch;

use limited::{LimitedListener, Place};
use realtime::{Realtime, RealtimeOptions};

/// Clients that are served at the same time, those of channels apart.
pub const CONNECTIONS_MAX: usize = 64;

/// How long real-time clients may take to be told that the server stops.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3);

/// What the handlers see.
#[derive(Clone)]
struct Shared {
    realtime: Arc<Realtime>,
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
    pub async fn run(
        self,
        instance: Arc<Instance>,
        options: RealtimeOptions,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        tokio::spawn(realtime::sweep(instance.clone(), stop.clone()));
        let realtime = Realtime::new(instance, options);
        let mut stopped = stop.clone();
        let until_stopped = async move {
            // An error means that the server is gone altogether.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let listener = LimitedListener::new(self.listener, CONNECTIONS_MAX);
        let service = routes(realtime.clone(), stop).into_make_service_with_connect_info::<Place>();
        axum::serve(listener, service).with_graceful_shutdown(until_stopped).await?;
        realtime.departed(FAREWELL_LIMIT).await;
        Ok(())
    }
}

fn routes(realtime: Arc<Realtime>, stopping: watch::Receiver<bool>) -> Router {
    let channels = Router::new()
        .route("/connection/websocket", get(realtime::json_socket))
        .route("/sse", get(realtime::server_sent_events))
        .route("/listen/{channel}", get(realtime::payload_socket))
        .with_state(realtime::Shared { realtime: realtime.clone(), stop: stopping.clone() });
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Shared { realtime, stopping })
        .merge(channels)
        .merge(page::routes())
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    if *shared.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if shared.realtime.instance.system.engine().log_failed() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log has failed: restart to recover\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn metrics_text(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&shared.realtime))
}
