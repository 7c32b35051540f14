//! One WebSocket of the JSON protocol: reads frames, lets [`Client`] answer them, and writes; knows the times that end it.
//!
//! What always holds:
//! 1. One task does everything of a connection. While it writes it reads nothing: a client that does not take its answers
//!    asks no further questions.
//! 2. Commands and notifications come before rows of queries.
//! 3. A write that does not end in time, or during which the hub gives the client up, ends the connection without a farewell:
//!    a part of a frame may have gone out.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Realtime;
use super::client::{Client, Door, PING_SECONDS, unix_seconds};
use super::protocol::{self, Command, Disconnect};
use crate::websocket::frame::{self, Decoder, Message};

/// The longest message of a client, bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take to connect by the protocol, once it has its socket.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to answer a ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a write may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// What is gathered of what waits for a client before it is written, bytes.
const WRITE_BYTES: usize = 32 * 1024;
/// Room made for arriving bytes: an idle connection has little.
const READ_BYTES: usize = 2 * 1024;

/// Why the conversation is over.
enum End {
    /// The client is told.
    Told(Disconnect),
    /// A rule of WebSockets was broken.
    Broken(frame::Violation),
    /// There is nobody to tell.
    Silent,
}

impl From<Disconnect> for End {
    fn from(disconnect: Disconnect) -> End {
        End::Told(disconnect)
    }
}

/// Ready when the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone altogether.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves a client until it leaves or is sent away.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    realtime: Arc<Realtime>,
    socket: S,
    door: Door,
    stop: watch::Receiver<bool>,
) {
    let id = realtime.new_client_id();
    let mut connection = Connection {
        client: Client::new(realtime.clone(), door, id),
        decoder: Decoder::new(MESSAGE_BYTES_MAX),
        input: BytesMut::new(),
        socket,
        times: Times::new(),
    };
    let end = connection.converse(stop).await;
    let farewell: Option<Bytes> = match end {
        End::Told(disconnect) => {
            tracing::debug!(code = disconnect.code, "a real-time connection ends");
            Some(frame::close(disconnect.code, disconnect.reason))
        }
        End::Broken(violation) => Some(frame::close(violation.code, violation.reason)),
        End::Silent => None,
    };
    realtime.counters.disconnects.increment();
    if let Some(farewell) = farewell {
        connection.client.out.extend_from_slice(&farewell);
        // A client that does not listen is not waited for.
        let _ = timeout(WRITE_TIMEOUT, async {
            connection.socket.write_all(&connection.client.out).await?;
            connection.socket.shutdown().await
        })
        .await;
    }
}

/// When something is due.
struct Times {
    opened: Instant,
    next_ping: Instant,
    /// When the answer to a ping has to be there.
    pong_due: Option<Instant>,
}

impl Times {
    fn new() -> Times {
        let now = Instant::now();
        Times { opened: now, next_ping: now + Duration::from_secs(PING_SECONDS), pong_due: None }
    }

    /// The next time to look at the clock.
    fn next(&self, client: &Client) -> Instant {
        if !client.is_connected() {
            return self.opened + CONNECT_TIMEOUT;
        }
        let ends_in = client.ends_at().map(|at| Duration::from_secs(at.saturating_sub(unix_seconds())));
        let ends = ends_in.map(|left| Instant::now() + left);
        let ping = Some(self.pong_due.unwrap_or(self.next_ping));
        [ping, ends].into_iter().flatten().min().unwrap_or(self.next_ping)
    }
}

struct Connection<S> {
    client: Client,
    decoder: Decoder,
    input: BytesMut,
    socket: S,
    times: Times,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn converse(&mut self, mut stop: watch::Receiver<bool>) -> End {
        loop {
            if let Err(end) = self.turn(&mut stop).await {
                return end;
            }
        }
    }

    /// Writes what is pending, then waits for what comes first and does it.
    async fn turn(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), End> {
        self.write().await?;
        let (readable, ended) = (self.client.subscriber().readable(), self.client.subscriber().ended());
        let due = self.times.next(&self.client);
        self.input.reserve(READ_BYTES);
        let rows = self.client.queries_readable();
        tokio::select! {
            biased;
            () = stopped(stop) => Err(protocol::SHUTDOWN.into()),
            () = ended => Err(protocol::SLOW.into()),
            () = readable => {
                self.gather();
                Ok(())
            }
            read = self.socket.read_buf(&mut self.input) => match read {
                Ok(0) | Err(_) => Err(End::Silent),
                Ok(_) => self.take_frames().await,
            },
            () = rows => {
                self.gather_rows();
                Ok(())
            }
            () = sleep_until(due) => self.look_at_the_clock(),
        }
    }

    /// Takes some of what the hub has for the client.
    fn gather(&mut self) {
        while self.client.out.len() < WRITE_BYTES
            && let Some(event) = self.client.subscriber().pop()
        {
            self.client.tell(event);
        }
    }

    /// Takes some of what the client's queries have for it.
    fn gather_rows(&mut self) {
        while self.client.out.len() < WRITE_BYTES && self.client.tell_of_queries() {}
    }

    async fn write(&mut self) -> Result<(), End> {
        if self.client.out.is_empty() {
            return Ok(());
        }
        let ended = self.client.subscriber().ended();
        let out = std::mem::take(&mut self.client.out);
        let socket = &mut self.socket;
        let written = async {
            socket.write_all(&out).await?;
            socket.flush().await
        };
        tokio::select! {
            biased;
            written = timeout(WRITE_TIMEOUT, written) => match written {
                Ok(Ok(())) => {
                    self.client.note_written();
                    Ok(())
                }
                Ok(Err(_)) | Err(_) => Err(End::Silent),
            },
            () = ended => Err(End::Silent),
        }
    }

    async fn take_frames(&mut self) -> Result<(), End> {
        while let Some(message) = self.decoder.next(&mut self.input).map_err(End::Broken)? {
            match message {
                Message::Text(text) => self.take_lines(&text).await?,
                Message::Binary => return Err(protocol::INAPPROPRIATE_PROTOCOL.into()),
                Message::Ping(payload) => self.client.out.extend_from_slice(&frame::pong(&payload)),
                Message::Pong => {}
                Message::Close(_) => return Err(protocol::NORMAL.into()),
            }
            if self.client.out.len() >= WRITE_BYTES {
                self.write().await?;
            }
        }
        if self.input.is_empty() {
            // What a long message took is not kept by an idle connection.
            self.input = BytesMut::new();
        }
        Ok(())
    }

    async fn take_lines(&mut self, text: &str) -> Result<(), End> {
        for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
            if Command::is_pong(line) {
                self.times.pong_due = None;
                continue;
            }
            self.client.handle_line(line).await?;
        }
        Ok(())
    }

    fn look_at_the_clock(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if !self.client.is_connected() {
            return if now >= self.times.opened + CONNECT_TIMEOUT { Err(protocol::STALE.into()) } else { Ok(()) };
        }
        if self.client.ends_at().is_some_and(|at| unix_seconds() >= at) {
            return Err(protocol::EXPIRED.into());
        }
        if self.times.pong_due.is_some_and(|due| now >= due) {
            return Err(protocol::NO_PONG.into());
        }
        if now >= self.times.next_ping && self.times.pong_due.is_none() {
            self.client.ping();
            self.times.pong_due = Some(now + PONG_TIMEOUT);
            self.times.next_ping = now + Duration::from_secs(PING_SECONDS);
        }
        Ok(())
    }
}
