//! The task that owns a connection's session: makes it, runs its queries, and tells what it hears.
//!
//! The session begins with the first query. When something ends it (an idle timeout, `pg_terminate_backend`, a fatal error) the
//! client is told, and the next query begins another: transactions, settings and temporary tables are gone then.

use std::sync::Arc;
use std::time::Duration;

use nqdb_pubsub::{Batch, Event, Subscriber};
use nqdb_session::{
    Admission, Backend, BindRequest, ClientSink, CommandEnd, Failure, Instance, Session, listener_dropped, terminated,
};
use nqdb_sqlstate::{INVALID_CATALOG_NAME, QUERY_CANCELED, SqlError, SqlResult};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::delivery::{Body, Delivery};
use super::pushes::{Pushes, error_fields};
use super::values::{Parameter, ValueFormat};

/// How often the client of a running query is told how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a query may wait for its rows to be acknowledged.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(300);

/// One query of a client.
pub struct QueryRequest {
    pub number: u64,
    pub sql: String,
    /// Without any, the text may hold several statements.
    pub params: Vec<Parameter>,
    pub format: ValueFormat,
}

/// Begins the task. It ends when the requests' other end is dropped.
pub fn spawn(
    instance: Arc<Instance>,
    admission: Admission,
    delivery: Arc<Delivery>,
    requests: mpsc::Receiver<QueryRequest>,
) {
    let (watched, metrics_of) = (delivery.clone(), instance.clone());
    let mut task = Task { instance, admission, delivery, requests, session: None, idle_since: Instant::now() };
    let work = tokio::spawn(async move { task.serve().await });
    tokio::spawn(async move {
        if work.await.is_err() {
            metrics_of.metrics.panics.increment();
            let error = SqlError::internal("the session failed and was ended").fatal();
            watched.push(&Body::plain(members_of(&json!({ "error": error_fields(&error) }))));
        }
    });
}

struct Task {
    instance: Arc<Instance>,
    admission: Admission,
    delivery: Arc<Delivery>,
    requests: mpsc::Receiver<QueryRequest>,
    session: Option<Session>,
    idle_since: Instant,
}

/// What an idle session waits for.
enum Wake {
    Query(QueryRequest),
    /// Notifications for the client.
    Heard,
    /// The session has to end.
    Ends(SqlError),
    /// The connection is gone.
    Gone,
}

impl Task {
    async fn serve(&mut self) {
        loop {
            match self.next().await {
                Wake::Query(request) => self.run(request).await,
                Wake::Heard => self.tell_notifications().await,
                Wake::Ends(error) => {
                    self.delivery.push_apart(&members_of(&json!({ "error": error_fields(&error) })));
                    self.end_session().await;
                }
                Wake::Gone => return self.end_session().await,
            }
        }
    }

    async fn end_session(&mut self) {
        self.delivery.set_backend(None);
        if let Some(mut session) = self.session.take() {
            session.end().await;
        }
    }

    async fn next(&mut self) -> Wake {
        let session = self.session.as_ref();
        let backend = session.map(|session| session.backend().clone());
        let limit = session.and_then(Session::idle_limit);
        let idle_since = self.idle_since;
        let idle = async {
            match limit {
                Some((limit, error)) => {
                    sleep_until(idle_since + limit).await;
                    error
                }
                None => std::future::pending().await,
            }
        };
        let ends = async {
            match &backend {
                Some(backend) => backend.termination().await,
                None => std::future::pending().await,
            }
        };
        let listener = session.and_then(Session::listener);
        let is_outside = session.is_some_and(|session| session.status() == b'I');
        let heard = async {
            match listener.as_ref().filter(|_| is_outside) {
                Some(listener) => listener.readable().await,
                None => std::future::pending().await,
            }
        };
        let dropped = async {
            match &listener {
                Some(listener) => listener.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ends => Wake::Ends(terminated()),
            () = dropped => Wake::Ends(listener_dropped()),
            request = self.requests.recv() => request.map_or(Wake::Gone, Wake::Query),
            () = heard => Wake::Heard,
            error = idle => Wake::Ends(error),
        }
    }

    /// Tells the client what its session has heard by LISTEN.
    async fn tell_notifications(&mut self) {
        let Some(listener) = self.session.as_ref().and_then(Session::listener) else { return };
        for _ in 0..listener.waiting() {
            let Some(event) = listener.pop() else { return };
            if let Event::Messages(batch) = event {
                tell_batch(&self.delivery, &batch, &listener).await;
            }
        }
    }

    /// Runs one query from its beginning to its last push.
    async fn run(&mut self, request: QueryRequest) {
        let mut pushes = Pushes::new(self.delivery.clone(), request.format);
        let is_wanted = self.delivery.begin(request.number);
        let ended = match is_wanted {
            true => self.answer(&request, &mut pushes).await,
            false => Err(SqlError::new(QUERY_CANCELED, "canceling statement due to user request")),
        };
        if let Err(error) = ended {
            pushes.error = Some(error);
        }
        if self.delivery.was_given_up() && pushes.error.as_ref().is_some_and(|error| error.code() == QUERY_CANCELED) {
            pushes.error =
                Some(SqlError::new(QUERY_CANCELED, "canceling statement because its rows were not acknowledged"));
        }
        let status = self.session.as_ref().map_or(b'I', Session::status);
        if status == b'I' {
            self.tell_notifications().await;
        }
        pushes.finish(status);
        // Nothing is there to fail: a client that is gone takes everything.
        let _ = pushes.flush().await;
        self.delivery.end();
        self.idle_since = Instant::now();
    }

    /// The error is one that no session has reported: none could begin, or it has ended.
    async fn answer(&mut self, request: &QueryRequest, pushes: &mut Pushes) -> SqlResult<()> {
        if self.session.is_none() {
            self.session = Some(self.log_in().await?);
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        let failure = execute_and_report(session, request, pushes, &self.delivery).await;
        // Settings that clients of the other protocol are told; the registry learns the application's name by it.
        session.take_reports();
        let Err(error) = failure else { return Ok(()) };
        // Rows that were gathered may owe to commits that never got synced.
        pushes.discard();
        self.end_session().await;
        Err(error)
    }

    async fn log_in(&mut self) -> SqlResult<Session> {
        let instance = self.instance.clone();
        instance.metrics.connections.increment();
        let registration = instance.register().inspect_err(|_| instance.metrics.connections_refused.increment())?;
        let backend = registration.backend().clone();
        let found = instance.cluster.shared_objects();
        let missing = || SqlError::new(INVALID_CATALOG_NAME, "the database does not exist any more").fatal();
        let database = found.database_by_oid(self.admission.database).ok_or_else(missing)?.name.clone();
        let session = Session::new(instance.clone(), registration, &self.admission.role_name, &database, &[]).await?;
        self.delivery.set_backend(Some(backend));
        Ok(session)
    }
}

/// Pushes the notifications of a batch.
async fn tell_batch(delivery: &Delivery, batch: &Batch, listener: &Subscriber) {
    for payload in batch.payloads() {
        tokio::select! {
            () = delivery.room(false) => {}
            // It is given up: the next look at it ends the session.
            () = listener.ended() => return,
        }
        let notification = json!({ "channel": &*batch.channel().name, "payload": payload, "pid": batch.sender() });
        delivery.push_apart(&members_of(&json!({ "notification": notification })));
    }
}

/// Runs a query, and reports its error as the session wants it. What comes back ends the session.
async fn execute_and_report(
    session: &mut Session,
    request: &QueryRequest,
    pushes: &mut Pushes,
    delivery: &Arc<Delivery>,
) -> SqlResult<()> {
    session.begin_command();
    let backend = session.backend().clone();
    if delivery.is_cancelled() {
        // Before there was somebody to be told.
        backend.cancel();
    }
    let progress = tokio::spawn(tell_progress(delivery.clone(), request.number, backend));
    let failure = execute(session, request, pushes).await;
    delivery.begin_end();
    progress.abort();
    let error = match failure {
        Ok(()) => return Ok(()),
        Err(Failure::Client(error)) => SqlError::internal(error.to_string()).fatal(),
        Err(Failure::Sql(error)) => error,
    };
    if error.is_fatal() {
        return Err(error);
    }
    session.fail(error, pushes).await.map_err(|error| SqlError::internal(error.to_string()).fatal())
}

/// Tells, now and then, how far a query is. A task of its own: a session that computes gives its turn to nobody.
async fn tell_progress(delivery: Arc<Delivery>, number: u64, backend: Arc<Backend>) {
    let began = Instant::now();
    loop {
        sleep(PROGRESS_INTERVAL).await;
        delivery.give_up(number, ACKNOWLEDGE_LIMIT);
        if !delivery.push_progress(number, began.elapsed().as_millis(), backend.activity().wait) {
            return;
        }
    }
}

async fn execute(session: &mut Session, request: &QueryRequest, pushes: &mut Pushes) -> Result<(), Failure> {
    let end = match request.params.is_empty() {
        true => session.simple_query(&request.sql, pushes).await?,
        false => execute_with_parameters(session, request, pushes).await?,
    };
    match end {
        CommandEnd::Complete => Ok(()),
        CommandEnd::CopyIn => Err(SqlError::unsupported("COPY FROM STDIN over a WebSocket").into()),
    }
}

/// One statement with values for its parameters.
async fn execute_with_parameters(
    session: &mut Session,
    request: &QueryRequest,
    pushes: &mut Pushes,
) -> Result<CommandEnd, Failure> {
    session.parse("", &request.sql, &[]).await?;
    pushes.takes_parameters = true;
    session.describe_statement("", pushes).await?;
    pushes.takes_parameters = false;
    let types = std::mem::take(&mut pushes.parameters);
    let texts: Vec<Option<String>> = request
        .params
        .iter()
        .enumerate()
        .map(|(at, parameter)| parameter.text(types.get(at).copied().unwrap_or_default()))
        .collect();
    let values: Vec<Option<&[u8]>> = texts.iter().map(|text| text.as_deref().map(str::as_bytes)).collect();
    let bind = BindRequest { portal: "", statement: "", parameter_formats: &[], values: &values, result_formats: &[] };
    session.bind(bind).await?;
    session.describe_portal("", pushes)?;
    let end = session.execute("", 0, pushes).await?;
    if end == CommandEnd::Complete {
        session.sync().await?;
    }
    Ok(end)
}

/// The members of an object, without its braces.
fn members_of(object: &Value) -> String {
    let text = object.to_string();
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
}
