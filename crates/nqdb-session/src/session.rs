//! A session: the state of one client between its messages.
//!
//! The parts: [`Surroundings`] (settings, identity, what functions may ask), the transaction block, prepared
//! statements, portals, and a COPY that waits for data. What they do is in the modules beside this one:
//! `simple` and `extended` are the two protocols, `run` executes one statement, `transaction` the block.
//!
//! What always holds:
//! 1. Nothing is answered for a commit before its log record is synced, and nothing that owes to other commits (a row,
//!    an error) leaves before those are: [`Session::settle`] comes before every flush.
//! 2. Portals die with the transaction, or the savepoint's part of it, in which they were made; but a cursor WITH HOLD
//!    lives on after a commit.
//! 3. A dropped session leaves nothing behind: its transaction is rolled back, its place in the registry is free.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nqdb_catalog::Snapshot;
use nqdb_pubsub::Subscriber;
use nqdb_sql::statement::Parsed;
use nqdb_sqlstate::{
    DEADLOCK_DETECTED, IDLE_IN_TRANSACTION_SESSION_TIMEOUT, IDLE_SESSION_TIMEOUT, INVALID_AUTHORIZATION_SPECIFICATION,
    Notice, NoticeSeverity, SqlError, SqlResult, TOO_MANY_CONNECTIONS,
};
use nqdb_types::FormatContext;
use tokio::time::Instant;

use crate::block::{Block, OpenTransaction};
use crate::client_sink::ClientSink;
use crate::copy::CopyInProgress;
use crate::identity::{Identity, apply_role_settings};
use crate::instance::Instance;
use crate::plan_cache::PlanCache;
use crate::portal::Portal;
use crate::prepared::Prepared;
use crate::registry::{Backend, Registration};
use crate::settings::Authority;
use crate::shapes::Shapes;
use crate::surroundings::{ClientText, Surroundings};
use crate::table_changes::Tellers;

/// One client's session.
pub struct Session {
    pub(crate) surroundings: Surroundings,
    pub(crate) block: Block,
    pub(crate) open: Option<OpenTransaction>,
    pub(crate) prepared: HashMap<String, Prepared>,
    pub(crate) portals: HashMap<String, Portal>,
    pub(crate) plan_cache: PlanCache,
    /// What Parse messages of the same text and declared types became.
    pub(crate) parse_cache: PlanCache,
    pub(crate) shapes: Shapes,
    pub(crate) copy_in: Option<CopyInProgress>,
    pub(crate) notices: Vec<Notice>,
    /// The formats that results are written in, of the statement at hand.
    pub(crate) format: Arc<FormatContext>,
    /// Arrival of the message at hand, µs since 2000-01-01 UTC.
    pub(crate) statement_micros: i64,
    /// Arrival of the first message of the request at hand; none between requests.
    pub(crate) request_micros: Option<i64>,
    /// The statement at hand is one of several in its query string.
    pub(crate) is_one_of_several: bool,
    pub(crate) seen: SeenVersions,
    /// Some temporary table has an ON COMMIT that a commit must obey.
    pub(crate) has_on_commit: bool,
    /// How changes of the tables that were changed are told.
    pub(crate) tellers: Tellers,
    /// Last, so that the place is given back after everything else is gone.
    registration: Registration,
}

/// What the catalog view and the formats were derived from, to derive them again only after a change.
#[derive(Default)]
pub(crate) struct SeenVersions {
    pub(crate) catalog: Option<u64>,
    settings: Option<u64>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    Complete,
    /// The client's data is awaited: [`Session::copy_data`], [`Session::store_copied`], [`Session::copy_done`].
    CopyIn,
}

/// Why a command did not end.
#[derive(Debug)]
pub enum Failure {
    /// The client is told and the session goes on, unless the error is fatal.
    Sql(SqlError),
    /// The client is gone.
    Client(io::Error),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Sql(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Client(error)
    }
}

impl Session {
    /// Begins a session for a user who has been authenticated. `options` are settings of the start-up packet.
    ///
    /// Errors, all fatal: 28000 (role unknown or may not log in), 3D000 (no such database), 53300 (the role has
    /// too many sessions), those of the database ([`crate::database::enter`]), and those of the settings.
    pub async fn new(
        instance: Arc<Instance>,
        registration: Registration,
        user: &str,
        database: &str,
        options: &[(String, String)],
    ) -> SqlResult<Session> {
        Session::log_in(instance, registration, user, database, options).await.map_err(SqlError::fatal)
    }

    async fn log_in(
        instance: Arc<Instance>,
        registration: Registration,
        user: &str,
        database: &str,
        options: &[(String, String)],
    ) -> SqlResult<Session> {
        let shared = instance.cluster.shared_objects();
        let role = shared.role(user).ok_or_else(|| {
            SqlError::new(INVALID_AUTHORIZATION_SPECIFICATION, format!("role \"{user}\" does not exist"))
        })?;
        if !role.can_login {
            let message = format!("role \"{user}\" is not permitted to log in");
            return Err(SqlError::new(INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        if !role.superuser {
            instance.registry.expect_unreserved()?;
        }
        let limit = usize::try_from(role.connection_limit).ok();
        if limit.is_some_and(|limit| !role.superuser && instance.registry.count_of_user(user) >= limit) {
            return Err(SqlError::new(TOO_MANY_CONNECTIONS, format!("too many connections for role \"{user}\"")));
        }
        let database = crate::database::enter(&instance, registration.backend(), database, role).await?;
        let catalog = database.committed();
        let mut settings = instance.defaults.clone();
        settings.state("is_superuser", if role.superuser { "on" } else { "off" })?;
        settings.state("session_authorization", user)?;
        apply_role_settings(&mut settings, &catalog, database.database(), role.oid);
        let authority = if role.superuser { Authority::Superuser } else { Authority::User };
        for (name, value) in options {
            settings.preset(name, value, authority)?;
        }
        let now = instance.now_micros();
        registration.backend().update_activity(|activity| {
            activity.user = user.to_owned();
            activity.application_name = settings.show("application_name").unwrap_or_default();
            activity.started_micros = now;
            activity.state_changed_micros = now;
            activity.wait = Some(("Client", "ClientRead"));
        });
        let backend = registration.backend().clone();
        let identity = Identity::new(role.oid, user);
        Ok(Session {
            surroundings: Surroundings::new(instance, database, backend, identity, settings),
            block: Block::Idle,
            open: None,
            prepared: HashMap::new(),
            portals: HashMap::new(),
            plan_cache: PlanCache::default(),
            parse_cache: PlanCache::default(),
            shapes: Shapes::default(),
            copy_in: None,
            notices: Vec::new(),
            format: Arc::default(),
            statement_micros: now,
            request_micros: None,
            is_one_of_several: false,
            seen: SeenVersions::default(),
            has_on_commit: false,
            tellers: Tellers::default(),
            registration,
        })
    }

    /// The transaction status of ReadyForQuery: `I`, `T` or `E`.
    pub fn status(&self) -> u8 {
        self.block.status()
    }

    pub fn backend(&self) -> &Arc<Backend> {
        self.registration.backend()
    }

    /// Where the session's notifications wait, if it has ever listened. They are for a client whose transaction has ended.
    pub fn listener(&self) -> Option<Arc<Subscriber>> {
        self.surroundings.notifications.borrow().subscriber().cloned()
    }

    /// Whether a COPY FROM STDIN waits for the client's data.
    pub fn is_copying_in(&self) -> bool {
        self.copy_in.is_some()
    }

    /// The settings that a client is told at the start.
    pub fn all_reports(&mut self) -> Vec<(&'static str, String)> {
        self.surroundings.settings.borrow_mut().all_reports()
    }

    /// The settings that a client has to be told before the next ReadyForQuery.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        let reports = self.surroundings.settings.borrow_mut().take_reports();
        if let Some((_, name)) = reports.iter().find(|(name, _)| *name == "application_name") {
            self.backend().update_activity(|activity| activity.application_name = name.clone());
        }
        reports
    }

    /// How long the client may now be silent, and the error that ends the session after that.
    pub fn idle_limit(&self) -> Option<(Duration, SqlError)> {
        let settings = self.surroundings.settings.borrow();
        let effective = settings.effective();
        match self.block {
            Block::Open | Block::Failed => effective.idle_in_transaction_timeout.map(|limit| {
                let message = "terminating connection due to idle-in-transaction timeout";
                (limit, SqlError::new(IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message).fatal())
            }),
            Block::Idle | Block::Implicit => effective.idle_session_timeout.map(|limit| {
                let message = "terminating connection due to idle-session timeout";
                (limit, SqlError::new(IDLE_SESSION_TIMEOUT, message).fatal())
            }),
        }
    }

    /// The first message after a ReadyForQuery has come: a cancel that arrived while idle is forgotten.
    pub fn begin_command(&mut self) {
        if !self.backend().is_terminated() {
            self.backend().cancel.store(false, Ordering::Relaxed);
        }
    }

    /// The client is gone: rolls back, and drops the session's temporary objects.
    pub async fn end(&mut self) {
        self.portals.clear();
        self.copy_in = None;
        if let Some(open) = self.open.take()
            && let Err(error) = open.txn.rollback()
        {
            tracing::error!(%error, "the rollback at the end of a session failed");
        }
        self.block = Block::Idle;
        self.surroundings.notifications.borrow_mut().end();
        if let Err(error) = self.drop_temporary_objects().await {
            tracing::warn!(%error, "temporary tables of a session stay until the next start");
        }
    }

    /// Reports an error to the client and does to the transaction what an error does: an implicit one is rolled
    /// back, a block fails.
    pub async fn fail(&mut self, error: SqlError, out: &mut impl ClientSink) -> io::Result<()> {
        self.surroundings.instance.metrics.errors.increment();
        self.log_failure(&error);
        self.copy_in = None;
        let error = match self.settle_dependencies().await {
            Ok(()) => error,
            Err(worse) => worse,
        };
        let error = match self.abort() {
            Ok(()) => error,
            Err(worse) => worse,
        };
        self.surroundings.deadline.set(None);
        self.is_one_of_several = false;
        self.send_notices(out);
        out.error(&error);
        self.show_idle();
        Ok(())
    }

    /// Logs what the operator should know of: our faults, damage, exhausted resources, deadlocks. Not the statement, nor
    /// the messages of a user's mistakes: they quote what the statement holds.
    fn log_failure(&self, error: &SqlError) {
        let (pid, code, message) = (self.backend().pid(), error.code(), error.message());
        let code_text = code.as_str();
        match code_text.get(..2) {
            Some("XX") => tracing::error!(pid, code = code_text, message, "a statement failed"),
            Some("53" | "58") => tracing::warn!(pid, code = code_text, message, "a statement failed"),
            // The report said more than this could.
            _ if code == DEADLOCK_DETECTED => {}
            _ => tracing::debug!(pid, code = code_text, "a statement failed"),
        }
    }

    /// Notes the arrival of a message: its time counts as the statement's.
    pub(crate) fn arrive(&mut self) {
        self.statement_micros = self.surroundings.instance.now_micros();
        self.request_micros.get_or_insert(self.statement_micros);
    }

    /// Starts the statement's clock.
    pub(crate) fn start_statement_timer(&self) {
        let limit = self.surroundings.settings.borrow().effective().statement_timeout;
        self.surroundings.deadline.set(limit.map(|limit| Instant::now() + limit));
    }

    /// A statement of a text that was parsed is going to run.
    pub(crate) fn show_active(&self, parsed: &Parsed) {
        *self.surroundings.client_text.borrow_mut() = ClientText::Parsed(parsed.tokens.clone());
        self.show_text(&parsed.text);
    }

    /// The only statement of a text is going to run, without having been parsed.
    pub(crate) fn show_active_text(&self, sql: &str, statement: &str) {
        let text: Arc<str> = Arc::from(statement);
        let whole = if sql.len() == statement.len() { text.clone() } else { Arc::from(sql) };
        *self.surroundings.client_text.borrow_mut() = ClientText::Plain(whole);
        self.show_text(&text);
    }

    fn show_text(&self, text: &Arc<str>) {
        let now = self.statement_micros;
        let started = self.transaction_micros();
        self.backend().update_activity(|activity| {
            activity.state = "active";
            activity.wait = None;
            activity.state_changed_micros = now;
            activity.transaction_started_micros = Some(started);
            activity.query = text.clone();
            activity.statement_started_micros = now;
        });
    }

    /// A request has been answered.
    pub(crate) fn show_idle(&mut self) {
        let state = match self.block {
            Block::Idle | Block::Implicit => "idle",
            Block::Open => "idle in transaction",
            Block::Failed => "idle in transaction (aborted)",
        };
        let now = self.surroundings.instance.now_micros();
        if let Some(arrived) = self.request_micros.take() {
            self.surroundings.instance.metrics.latency.add(u64::try_from(now - arrived).unwrap_or(0));
        }
        let started = self.open.as_ref().map(|open| open.started_micros);
        let transaction = self.open.as_ref().and_then(|open| open.txn.xid()).map(|xid| xid.0);
        self.backend().update_activity(|activity| {
            activity.state = state;
            activity.wait = Some(("Client", "ClientRead"));
            activity.state_changed_micros = now;
            activity.transaction_started_micros = started;
            activity.transaction = transaction;
        });
    }

    /// The catalog as the next statement sees it, with the search path and the formats that go with it.
    pub(crate) fn catalog_view(&mut self) -> Arc<Snapshot> {
        let catalog = match &mut self.open {
            Some(open) => open.draft.snapshot(),
            None => self.surroundings.database.committed(),
        };
        let generation = self.surroundings.settings.borrow().generation();
        let settings_changed = self.seen.settings != Some(generation);
        if settings_changed {
            self.surroundings.tell_superuser();
        }
        let catalog_changed = self.seen.catalog != Some(catalog.version);
        if settings_changed || catalog_changed {
            let path = self.surroundings.resolve_search_path(&catalog);
            *self.surroundings.search_path.borrow_mut() = path;
            *self.surroundings.catalog.borrow_mut() = catalog.clone();
            self.seen.catalog = Some(catalog.version);
        }
        if settings_changed || catalog_changed {
            let mut format = self.surroundings.settings.borrow().effective().format.clone();
            format.types = self.surroundings.types();
            if settings_changed && !format.reads_as(&self.format) {
                // Constants were read by the old settings.
                self.plan_cache.clear();
                self.parse_cache.clear();
                self.shapes.clear();
            }
            self.format = Arc::new(format);
            self.seen.settings = Some(generation);
        }
        let now_micros = self.transaction_micros();
        if self.format.now_micros != now_micros {
            Arc::make_mut(&mut self.format).now_micros = now_micros;
        }
        catalog
    }

    /// Start of the transaction; the statement's own start when none runs yet.
    pub(crate) fn transaction_micros(&self) -> i64 {
        self.open.as_ref().map_or(self.statement_micros, |open| open.started_micros)
    }

    pub(crate) fn warn(&mut self, code: nqdb_sqlstate::SqlState, message: &str) {
        self.notices.push(Notice::warning(code, message));
    }

    /// Hands the collected notices to the client, as far as it wants them.
    pub(crate) fn send_notices(&mut self, out: &mut impl ClientSink) {
        self.notices.append(&mut self.surroundings.warnings.borrow_mut());
        if self.notices.is_empty() {
            return;
        }
        let (least, off) = {
            let settings = self.surroundings.settings.borrow();
            (settings.effective().client_min_messages, settings.effective().notices_off)
        };
        for notice in self.notices.drain(..) {
            if notice.severity == NoticeSeverity::Info || (!off && notice.severity >= least) {
                out.notice(&notice);
            }
        }
    }
}
