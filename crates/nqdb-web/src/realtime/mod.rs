//! Channels over HTTP: the JSON client protocol of Centrifugo over WebSockets, server-sent events, and bare payloads.
//!
//! | path | what it is |
//! |---|---|
//! | `/connection/websocket` | the JSON client protocol (`connection`, `client`, `protocol`) |
//! | the same, `rpc` | SQL and its rows (`sql`) |
//! | `/sse?channel=` | server-sent events, resumed by `Last-Event-ID` (`events`) |
//! | `/listen/{channel}` | a WebSocket with bare payloads, one a message (`payloads`) |
//!
//! What always holds:
//! 1. Nobody hears or says anything before it is known who he is (`client`, `token`), from where its page comes (`origin`), and
//!    that its role may (`rights`).
//! 2. What is published here is a NOTIFY of its own transaction; what NOTIFY says in a database reaches the subscribers here. So
//!    all see one order of a channel, that of the commits.
//! 3. A client that falls behind is disconnected and told so where it can be; what it missed is in the channel's history as long
//!    as that lasts, and beyond that it is told that it has missed something.

mod client;
mod connection;
mod events;
mod filter;
mod lag;
mod live;
mod origin;
mod payloads;
mod protocol;
mod rights;
mod sql;
mod token;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::{Request, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use nqdb_pubsub::Subscriber;
use nqdb_session::{Counter, Instance};
use ring::rand::SecureRandom;
use tokio::sync::{Notify, Semaphore, watch};

use crate::limited::Place;
use crate::websocket;
use client::{Door, Identity, NotIdentified};
use protocol::Credentials;

pub use rights::ChannelRule;

/// How often channels that nobody comes back for are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);

/// Passwords that are checked at the same time: strangers who try many keep only so many threads busy.
const PASSWORD_CHECKS_MAX: usize = 2;

/// How real-time clients are served.
#[derive(Clone, Debug)]
pub struct RealtimeOptions {
    /// Clients at the same time, of all three kinds.
    pub connections_max: usize,
    /// What tokens are signed with; none are taken without it.
    pub token_secret: Option<TokenSecret>,
    /// Origins of pages that may connect, beside this server's own.
    pub origins: Vec<String>,
    pub rules: Vec<ChannelRule>,
}

/// A secret that no log shows.
#[derive(Clone)]
pub struct TokenSecret(pub Vec<u8>);

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

/// What real-time clients share.
pub struct Realtime {
    pub instance: Arc<Instance>,
    pub options: RealtimeOptions,
    pub counters: Counters,
    connections: AtomicUsize,
    departed: Notify,
    /// Passwords that may be checked at the same time: each takes thousands of hashes.
    password_checks: Semaphore,
}

/// Figures since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub connections: Counter,
    pub refused: Counter,
    pub disconnects: Counter,
    pub commands: Counter,
    pub published: Counter,
    pub sent: Counter,
    /// From the publication at the commit to the socket.
    pub lag: lag::Lag,
}

/// A client's place among those that there may be, given back when dropped.
pub struct Connected {
    realtime: Arc<Realtime>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.realtime.connections.fetch_sub(1, Ordering::AcqRel);
        self.realtime.departed.notify_waiters();
    }
}

impl Realtime {
    pub fn new(instance: Arc<Instance>, options: RealtimeOptions) -> Arc<Realtime> {
        Arc::new(Realtime {
            instance,
            options,
            counters: Counters::default(),
            connections: AtomicUsize::new(0),
            departed: Notify::new(),
            password_checks: Semaphore::new(PASSWORD_CHECKS_MAX),
        })
    }

    /// How many clients there are.
    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until all clients are gone, but no longer than `limit`.
    pub async fn departed(&self, limit: Duration) {
        let gone = async {
            loop {
                let departed = self.departed.notified();
                if self.connection_count() == 0 {
                    return;
                }
                departed.await;
            }
        };
        if tokio::time::timeout(limit, gone).await.is_err() {
            tracing::warn!(clients = self.connection_count(), "real-time clients did not end in time and were cut off");
        }
    }

    /// Takes a client's place; 503 when there is none.
    fn take_place(self: &Arc<Realtime>) -> Result<Connected, (StatusCode, &'static str)> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        let connected = Connected { realtime: self.clone() };
        if taken >= self.options.connections_max {
            self.counters.refused.increment();
            return Err((StatusCode::SERVICE_UNAVAILABLE, "all places of real-time clients are taken\n"));
        }
        self.counters.connections.increment();
        Ok(connected)
    }

    /// A name for a connection that nobody can guess.
    pub fn new_client_id(&self) -> Arc<str> {
        let mut bytes = [0; 16];
        if self.instance.random.fill(&mut bytes).is_err() {
            // The system's generator is gone; the name need only be unique then.
            let count = self.counters.connections.get();
            bytes = u128::from(count).to_be_bytes();
        }
        let mut name = String::with_capacity(36);
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                name.push('-');
            }
            name.push_str(&format!("{byte:02x}"));
        }
        name.into()
    }

    /// Who asks by HTTP: `Authorization: Bearer` with a token, or `Basic` with a role and its password, or a token in the
    /// address, for those who cannot set headers. A trusted client may name a role only.
    async fn identify_request(
        self: &Arc<Realtime>,
        headers: &HeaderMap,
        query: &Query,
        door: Door,
    ) -> Result<Identity, (StatusCode, &'static str)> {
        let refused = (StatusCode::UNAUTHORIZED, "a token, or a role and its password, is wanted\n");
        let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()).unwrap_or_default();
        let token =
            header.strip_prefix("Bearer ").map(str::to_owned).or_else(|| query.get("token")).unwrap_or_default();
        let credentials = match header.strip_prefix("Basic ") {
            Some(basic) => {
                let decoded = STANDARD.decode(basic.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let decoded = decoded.ok_or(refused)?;
                let (user, password) = decoded.split_once(':').ok_or(refused)?;
                Credentials {
                    user: user.to_owned(),
                    password: Some(password.to_owned()),
                    database: query.get("database"),
                }
            }
            None => Credentials {
                user: query.get("user").unwrap_or_default(),
                password: None,
                database: query.get("database"),
            },
        };
        let id = self.new_client_id();
        self.identify(&token, Some(credentials), door, &id).await.map_err(|error| match error {
            NotIdentified::Refused(refusal) if refusal == protocol::INTERNAL => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal server error\n")
            }
            NotIdentified::Refused(_) | NotIdentified::Disconnected(_) => refused,
        })
    }
}

/// What the handlers see.
#[derive(Clone)]
pub struct Shared {
    pub realtime: Arc<Realtime>,
    pub stop: watch::Receiver<bool>,
}

/// The parameters of an address.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Query {
        let text = uri.query().unwrap_or_default();
        let decode = |part: &str| percent_decode(part);
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        };
        Query(text.split('&').filter(|part| !part.is_empty()).filter_map(pair).collect())
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    }
}

/// `a%20b+c` as `a b c`; `None` when it is not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Shows a client of one channel among the connections.
fn shown(
    instance: &Instance,
    kind: &'static str,
    door: Door,
    identity: &Identity,
    subscriber: &Subscriber,
) -> nqdb_session::Connected {
    let shown = instance.connections.add(kind, door.address, instance.now_micros(), subscriber.meter());
    shown.identify(&identity.member.user, identity.admission.database);
    shown.subscriptions.store(1, Ordering::Relaxed);
    shown
}

/// Where a request comes from.
fn door_of(headers: &HeaderMap, peer: SocketAddr) -> Door {
    let is_local = peer.ip().to_canonical().is_loopback();
    Door { is_trusted: is_local && origin::names_this_machine(headers), address: peer.ip().to_canonical() }
}

/// 403 for a page that may not connect.
fn expect_origin(realtime: &Realtime, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    if origin::is_allowed(headers, &realtime.options.origins) {
        return Ok(());
    }
    realtime.counters.refused.increment();
    Err((StatusCode::FORBIDDEN, "pages of this origin may not connect\n"))
}

/// `/connection/websocket`.
pub async fn json_socket(
    State(shared): State<Shared>,
    ConnectInfo(place): ConnectInfo<Place>,
    mut request: Request<Body>,
) -> Response<Body> {
    let Shared { realtime, stop } = shared;
    let door = door_of(request.headers(), place.peer());
    let opened = expect_origin(&realtime, request.headers())
        .and_then(|()| websocket::accept(&mut request))
        .and_then(|accepted| Ok((accepted, realtime.take_place()?)));
    let (accepted, connected) = match opened {
        Ok(opened) => opened,
        Err(refused) => return refused.into_response(),
    };
    tokio::spawn(async move {
        // Others may ask by HTTP in this place.
        place.release();
        let Ok(upgraded) = accepted.upgrade.await else { return };
        connection::serve(realtime, TokioIo::new(upgraded), door, stop).await;
        drop(connected);
    });
    accepted.response
}

pub use events::server_sent_events;
pub use payloads::payload_socket;

/// Forgets, now and then, channels that nobody comes back for; until `stop`.
pub async fn sweep(instance: Arc<Instance>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            // An error means that the server is gone altogether.
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => instance.sweep_channels(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        assert_eq!(percent_decode("a%20b+c%C3%A9").as_deref(), Some("a b cé"));
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decode(broken), None, "{broken}");
        }
    }
}
