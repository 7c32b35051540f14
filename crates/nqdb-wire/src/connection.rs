//! One client from its first byte to its last: reads requests, hands them to the session, writes the answers.
//!
//! The extended protocol's rule of errors lives here: after one, everything up to Sync is skipped. What an error
//! does to the transaction is the session's.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use nqdb_session::{BindRequest, ClientSink, CommandEnd, Instance, Session, listener_dropped, terminated};
use nqdb_sqlstate::{SqlError, SqlResult};
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::authenticate::{Origin, authenticate};
use crate::client::{Client, Transport};
use crate::frame::{self, Header, Phase, violation};
use crate::frontend::{Bind, Request, Target};
use crate::notifications;
use crate::startup::{Started, StartupRequest, start};
use crate::tls::TlsIdentity;

/// How long a client may take to log in, from its first byte on.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last answer may take to reach a client that is being sent away.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a listener gives each of its connections.
pub struct ConnectionContext {
    pub instance: Arc<Instance>,
    pub tls: Option<TlsIdentity>,
    pub message_bytes_max: usize,
}

/// Why a connection did not get further.
pub enum ConnectionError {
    /// The transport failed.
    Io(io::Error),
    /// The client is told why.
    Refused(Box<Client>, SqlError),
}

impl ConnectionError {
    pub fn refused(client: Client, error: SqlError) -> ConnectionError {
        ConnectionError::Refused(Box::new(client), error)
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> ConnectionError {
        ConnectionError::Io(error)
    }
}

/// What ends a step of the login.
pub enum Failure {
    Sql(SqlError),
    Io(io::Error),
    /// The client went away.
    Closed,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Sql(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

/// Serves a client until it leaves or is sent away. `login_place` is given back when it is logged in.
pub async fn serve(
    transport: Box<dyn Transport>,
    origin: Origin,
    context: Arc<ConnectionContext>,
    login_place: OwnedSemaphorePermit,
) {
    let deadline = Instant::now() + LOGIN_TIMEOUT;
    let started = match timeout_at(deadline, start(transport, context.tls.as_ref(), &context.instance)).await {
        Ok(Ok(Some(started))) => started,
        Ok(Err(ConnectionError::Refused(mut client, error))) => return send_away(&mut client, &error).await,
        Ok(Err(ConnectionError::Io(error))) => return tracing::debug!(%error, "a connection failed before its login"),
        Ok(Ok(None)) | Err(_) => return,
    };
    let Started { mut client, mut input, request, encrypted } = started;
    let user = request.user.clone();
    let login = Login { request, origin, encrypted, deadline, place: login_place };
    let end = catch_panic(converse(&mut client, &mut input, login, &context)).await;
    let error = match end {
        Ok(Ok(())) => None,
        Ok(Err(Failure::Sql(error))) => {
            log_end(&error, &user, origin);
            Some(error)
        }
        Ok(Err(Failure::Io(error))) => return tracing::debug!(%error, "a connection failed"),
        Ok(Err(Failure::Closed)) => return,
        Err(()) => {
            context.instance.metrics.panics.increment();
            Some(SqlError::internal("the session failed and was ended").fatal())
        }
    };
    match error {
        Some(error) => send_away(&mut client, &error).await,
        None => drop(timeout(FAREWELL_TIMEOUT, client.shutdown()).await),
    }
}

/// Logs why a client was not let in, or was sent away.
fn log_end(error: &SqlError, user: &str, origin: Origin) {
    let (code, message) = (error.code(), error.message());
    let code = code.as_str();
    match code.get(..2) {
        Some("28" | "3D") => tracing::info!(user, ?origin, code, "a login was refused"),
        Some("53") => tracing::warn!(user, ?origin, code, message, "a login was refused: all places are taken"),
        Some("54") => tracing::warn!(user, code, message, "a session was ended"),
        Some("57") => tracing::debug!(user, code, "a session was ended"),
        Some("08") => tracing::info!(user, ?origin, code, "a client broke the protocol"),
        _ => tracing::warn!(user, ?origin, code, "a session ended with an error"),
    }
}

/// Tells the client why it has to go.
async fn send_away(client: &mut Client, error: &SqlError) {
    client.error(error);
    let farewell = async {
        client.flush().await?;
        client.shutdown().await
    };
    // A client that does not listen is not waited for.
    drop(timeout(FAREWELL_TIMEOUT, farewell).await);
}

/// Runs a future; a panic inside is logged by the panic hook and comes back as an error.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, ()> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(())),
    })
    .await
}

/// A client that has said who it is and is still to prove it.
struct Login {
    request: StartupRequest,
    origin: Origin,
    encrypted: bool,
    deadline: Instant,
    place: OwnedSemaphorePermit,
}

/// Logs the client in and serves its requests.
async fn converse(
    client: &mut Client,
    input: &mut BytesMut,
    login: Login,
    context: &ConnectionContext,
) -> Result<(), Failure> {
    context.instance.metrics.connections.increment();
    let mut session =
        timeout_at(login.deadline, log_in(client, input, &login, context)).await.unwrap_or(Err(Failure::Closed))?;
    drop(login.place);
    let result =
        Requests { client, input, session: &mut session, message_bytes_max: context.message_bytes_max }.serve().await;
    if result.is_err() {
        // Rows that wait in the buffer may owe to commits that never got synced.
        client.discard_unfinished();
    }
    session.end().await;
    result
}

/// Takes one of the sessions' places only for a client that has proved who it is.
async fn log_in(
    client: &mut Client,
    input: &mut BytesMut,
    login: &Login,
    context: &ConnectionContext,
) -> Result<Session, Failure> {
    let (instance, request) = (&context.instance, &login.request);
    let tls = context.tls.as_ref().filter(|_| login.encrypted);
    authenticate(client, input, instance, &request.user, login.origin, tls).await?;
    let registration = instance.register().inspect_err(|_| {
        instance.metrics.connections_refused.increment();
    })?;
    let (pid, secret) = (registration.backend().pid(), registration.backend().secret());
    let mut session =
        Session::new(instance.clone(), registration, &request.user, &request.database, &request.settings).await?;
    client.message(&Authentication::Ok);
    for (name, value) in session.all_reports() {
        client.parameter_status(name, &value);
    }
    client.message(&BackendKeyData::new(pid, SecretKey::I32(secret)));
    client.ready_for_query(session.status());
    Ok(session)
}

/// The requests of a client that is logged in.
struct Requests<'a> {
    client: &'a mut Client,
    input: &'a mut BytesMut,
    session: &'a mut Session,
    message_bytes_max: usize,
}

/// What a request leaves behind.
enum After {
    /// Go on with the next request of the pipeline.
    Next,
    /// Tell the client that it is its turn.
    Ready,
    /// The extended protocol met an error: skip to Sync.
    Skip,
    /// COPY FROM STDIN has begun; `true`: by a simple query.
    CopyIn { simple: bool },
    /// The client said goodbye.
    Leave,
}

/// What ended a wait for the client.
enum Arrival {
    Bytes,
    /// The end of what it sends.
    End,
    /// Something for the client itself.
    Notifications,
}

/// Where the conversation stands between requests.
struct Turn {
    phase: Phase,
    skipping: bool,
    /// COPY was begun by a simple query: its end is the end of that query.
    copy_is_simple: bool,
    /// ReadyForQuery was answered and no message came since.
    is_idle: bool,
    /// When that was.
    idle_since: Instant,
    /// ReadyForQuery is in the output buffer: the client waits for it.
    flush_due: bool,
}

impl Requests<'_> {
    async fn serve(mut self) -> Result<(), Failure> {
        let mut turn = Turn {
            phase: Phase::Ready,
            skipping: false,
            copy_is_simple: false,
            is_idle: true,
            idle_since: Instant::now(),
            flush_due: true,
        };
        loop {
            let Some(header) = self.next_message(&mut turn).await? else { return Ok(()) };
            if turn.is_idle {
                turn.is_idle = false;
                self.session.begin_command();
            }
            let (after, taken) = if turn.phase == Phase::CopyIn && header.tag == b'd' {
                self.take_copy_data(header, &turn).await?
            } else {
                (self.handle(header, &turn).await?, header.total_len)
            };
            self.input.advance(taken);
            match after {
                After::Next => {}
                After::Skip => turn.skipping = true,
                After::CopyIn { simple } => {
                    turn.phase = Phase::CopyIn;
                    turn.copy_is_simple = simple;
                    self.client.flush().await?;
                    continue;
                }
                After::Leave => return Ok(()),
                After::Ready => {
                    if self.session.status() == b'I' {
                        let listener = self.session.listener();
                        notifications::send_waiting(listener.as_ref(), self.client).await?;
                    }
                    for (name, value) in self.session.take_reports() {
                        self.client.parameter_status(name, &value);
                    }
                    self.client.ready_for_query(self.session.status());
                    turn.skipping = false;
                    turn.is_idle = true;
                    turn.idle_since = Instant::now();
                    turn.flush_due = true;
                }
            }
            turn.phase = if self.session.is_copying_in() { Phase::CopyIn } else { Phase::Ready };
        }
    }

    /// Waits until a whole message stands at the start of the input. `None`: the client went away.
    async fn next_message(&mut self, turn: &mut Turn) -> Result<Option<Header>, Failure> {
        loop {
            let header = frame::read_header(self.input, turn.phase, self.message_bytes_max)?;
            if let Some(header) = header
                && self.input.len() >= header.total_len
            {
                return Ok(Some(header));
            }
            // Only now somebody waits for what was answered.
            if std::mem::take(&mut turn.flush_due) {
                self.client.flush().await?;
            }
            if let Some(header) = header {
                self.input.reserve(header.total_len.min(self.input.len() + INPUT_BYTES_AT_ONCE) - self.input.len());
            } else {
                let is_bulk = turn.phase == Phase::CopyIn;
                self.input.reserve(if is_bulk { INPUT_BYTES_AT_ONCE } else { INPUT_BYTES_AT_ONCE / 8 });
            }
            match self.read(turn).await? {
                Arrival::Bytes => {}
                Arrival::End => return Ok(None),
                Arrival::Notifications => {
                    let listener = self.session.listener();
                    notifications::send_to_idle(listener.as_ref(), self.client).await?;
                }
            }
        }
    }

    /// Reads some bytes, unless the session's end, its idle timeout or, for an idle client, notifications come first.
    async fn read(&mut self, turn: &Turn) -> Result<Arrival, Failure> {
        let backend = self.session.backend().clone();
        let idle_limit = if turn.is_idle { self.session.idle_limit() } else { None };
        let idle = async {
            match idle_limit {
                Some((limit, error)) => {
                    tokio::time::sleep_until(turn.idle_since + limit).await;
                    error
                }
                None => std::future::pending().await,
            }
        };
        let listener = self.session.listener();
        let takes_notifications = turn.is_idle && self.session.status() == b'I';
        let waiting = notifications::waiting_for(listener.as_ref().filter(|_| takes_notifications));
        tokio::select! {
            read = self.client.read(self.input) => Ok(if read? == 0 { Arrival::End } else { Arrival::Bytes }),
            () = notifications::dropped(listener.as_ref()) => Err(listener_dropped().into()),
            () = waiting => Ok(Arrival::Notifications),
            () = backend.termination() => Err(terminated().into()),
            error = idle => Err(error.into()),
        }
    }

    /// Takes the data of a COPY: of all its messages that have come complete before rows are stored, since clients send
    /// a message for each row. Also says how many bytes of input that was.
    async fn take_copy_data(&mut self, first: Header, turn: &Turn) -> Result<(After, usize), Failure> {
        let mut header = first;
        let mut taken = 0;
        let result = loop {
            let data = &self.input[taken + frame::HEADER_LEN..taken + header.total_len];
            if let Err(failure) = self.session.copy_data(data) {
                break Err(failure);
            }
            taken += header.total_len;
            let rest = &self.input[taken..];
            match frame::read_header(rest, turn.phase, self.message_bytes_max)? {
                Some(next) if next.tag == b'd' && rest.len() >= next.total_len => header = next,
                _ => break self.session.store_copied().await,
            }
        };
        let after = match result {
            Ok(()) => After::Next,
            Err(failure) => copy_failure(self.session, self.client, failure, turn).await?,
        };
        Ok((after, taken))
    }

    async fn handle(&mut self, header: Header, turn: &Turn) -> Result<After, Failure> {
        if turn.skipping && !matches!(header.tag, b'S' | b'X') {
            return Ok(After::Next);
        }
        let body = &self.input[frame::HEADER_LEN..header.total_len];
        let (client, session) = (&mut *self.client, &mut *self.session);
        let request = match Request::decode(header.tag, body) {
            Ok(request) => request,
            Err(error) => {
                fail(session, client, error).await?;
                return Ok(if is_extended(header.tag, turn) { After::Skip } else { After::Ready });
            }
        };
        if turn.phase == Phase::CopyIn {
            return copy_request(session, client, request, header.tag, turn).await;
        }
        match request {
            Request::Query { sql } => match session.simple_query(sql, client).await {
                Ok(CommandEnd::Complete) => Ok(After::Ready),
                Ok(CommandEnd::CopyIn) => Ok(After::CopyIn { simple: true }),
                Err(nqdb_session::Failure::Client(error)) => Err(error.into()),
                Err(nqdb_session::Failure::Sql(error)) => {
                    fail(session, client, error).await?;
                    Ok(After::Ready)
                }
            },
            Request::Sync => {
                if let Err(error) = session.sync().await {
                    fail(session, client, error).await?;
                }
                Ok(After::Ready)
            }
            Request::Flush => match session.settle().await {
                Ok(()) => {
                    client.flush().await?;
                    Ok(After::Next)
                }
                Err(error) => {
                    fail(session, client, error).await?;
                    Ok(After::Skip)
                }
            },
            Request::Terminate => Ok(After::Leave),
            // Left over from a COPY that failed.
            Request::CopyData(_) | Request::CopyDone | Request::CopyFail { .. } => Ok(After::Next),
            Request::FunctionCall => {
                fail(session, client, SqlError::unsupported("the function call protocol")).await?;
                Ok(After::Ready)
            }
            Request::Parse { .. }
            | Request::Bind(_)
            | Request::Describe { .. }
            | Request::Execute { .. }
            | Request::Close { .. } => extended_request(session, client, request).await,
        }
    }
}

/// Room made for arriving bytes at a time: a large message gets its memory as it arrives, not as it is announced.
const INPUT_BYTES_AT_ONCE: usize = 64 * 1024;

/// Whether an error in this message is followed by skipping to Sync rather than by ReadyForQuery.
fn is_extended(tag: u8, turn: &Turn) -> bool {
    match tag {
        b'P' | b'B' | b'D' | b'E' | b'C' => true,
        b'd' | b'c' | b'f' | b'H' => !turn.copy_is_simple,
        _ => false,
    }
}

/// Reports an error and lets the session draw its conclusions; a fatal one ends the connection.
async fn fail(session: &mut Session, client: &mut Client, error: SqlError) -> Result<(), Failure> {
    if error.is_fatal() {
        return Err(error.into());
    }
    session.fail(error, client).await?;
    Ok(())
}

async fn extended_request(session: &mut Session, client: &mut Client, request: Request<'_>) -> Result<After, Failure> {
    let result: SqlResult<CommandEnd> = match request {
        Request::Parse { name, sql, parameter_oids } => session.parse(name, sql, &parameter_oids).await.map(|()| {
            client.bare(b'1');
            CommandEnd::Complete
        }),
        Request::Bind(bind) => bind_portal(session, &bind).await.map(|()| {
            client.bare(b'2');
            CommandEnd::Complete
        }),
        Request::Describe { target: Target::Statement, name } => {
            session.describe_statement(name, client).await.map(|()| CommandEnd::Complete)
        }
        Request::Describe { target: Target::Portal, name } => {
            session.describe_portal(name, client).map(|()| CommandEnd::Complete)
        }
        Request::Close { target, name } => {
            match target {
                Target::Statement => session.close_statement(name),
                Target::Portal => session.close_portal(name),
            }
            client.bare(b'3');
            Ok(CommandEnd::Complete)
        }
        Request::Execute { portal, rows_max } => match session.execute(portal, rows_max, client).await {
            Ok(end) => Ok(end),
            Err(nqdb_session::Failure::Sql(error)) => Err(error),
            Err(nqdb_session::Failure::Client(error)) => return Err(error.into()),
        },
        _ => Err(violation("not a message of the extended protocol")),
    };
    match result {
        Ok(CommandEnd::Complete) => Ok(After::Next),
        Ok(CommandEnd::CopyIn) => Ok(After::CopyIn { simple: false }),
        Err(error) => {
            fail(session, client, error).await?;
            Ok(After::Skip)
        }
    }
}

async fn bind_portal(session: &mut Session, bind: &Bind<'_>) -> SqlResult<()> {
    session
        .bind(BindRequest {
            portal: bind.portal,
            statement: bind.statement,
            parameter_formats: &bind.parameter_formats,
            values: &bind.values,
            result_formats: &bind.result_formats,
        })
        .await
}

/// A message inside COPY FROM STDIN that is not its data.
async fn copy_request(
    session: &mut Session,
    client: &mut Client,
    request: Request<'_>,
    tag: u8,
    turn: &Turn,
) -> Result<After, Failure> {
    let result = match request {
        Request::CopyDone => session.copy_done(client).await,
        Request::CopyFail { message } => Err(nqdb_session::Failure::Sql(session.copy_failed(message))),
        Request::Flush | Request::Sync => return Ok(After::Next),
        Request::Terminate => return Ok(After::Leave),
        _ => Err(nqdb_session::Failure::Sql(violation(format!(
            "unexpected message type 0x{tag:02X} during COPY from stdin"
        )))),
    };
    match result {
        Ok(CommandEnd::CopyIn) => Ok(After::CopyIn { simple: turn.copy_is_simple }),
        Ok(CommandEnd::Complete) if turn.copy_is_simple => Ok(After::Ready),
        Ok(CommandEnd::Complete) => Ok(After::Next),
        Err(failure) => copy_failure(session, client, failure, turn).await,
    }
}

/// Reports what ended a COPY FROM STDIN.
async fn copy_failure(
    session: &mut Session,
    client: &mut Client,
    failure: nqdb_session::Failure,
    turn: &Turn,
) -> Result<After, Failure> {
    match failure {
        nqdb_session::Failure::Sql(error) => {
            fail(session, client, error).await?;
            Ok(if turn.copy_is_simple { After::Ready } else { After::Skip })
        }
        nqdb_session::Failure::Client(error) => Err(error.into()),
    }
}
