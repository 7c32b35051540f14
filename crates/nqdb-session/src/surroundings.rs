//! What SQL functions may ask of their session, apart from its transaction.
//!
//! An execution borrows the session's transaction for itself while functions ask things of the session: everything
//! that they may ask lives here, behind cells, so that both can be lent at the same time.
//!
//! Sequences belong to no transaction: they are drawn in a short transaction of their own, and what the statement's
//! transaction must wait for before it answers is kept in [`Surroundings::take_dependency`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use nqdb_catalog::rights::{PG_READ_ALL_SETTINGS, PG_SIGNAL_BACKEND, Rights};
use nqdb_catalog::{Catalog, Relation, SequenceDef, Snapshot, TypesView};
use nqdb_functions::{AdvisoryLock, LogPositions, PublicationChange, SessionFunctions, quote_identifier};
use nqdb_sql::integrity::{ConstraintMark, Constraints};
use nqdb_sql::interruption::Interruption;
use nqdb_sql::parse::Tokens;
use nqdb_sql::statement::IsolationLevel;
use nqdb_sql::system::SessionObjects;
use nqdb_sql::temporary_files::TemporarySpace;
use nqdb_sqlstate::{
    INVALID_PARAMETER_VALUE, Notice, OBJECT_NOT_IN_PREREQUISITE_STATE, QUERY_CANCELED, READ_ONLY_SQL_TRANSACTION,
    SEQUENCE_GENERATOR_LIMIT_EXCEEDED, SqlError, SqlResult, UNDEFINED_OBJECT, UNDEFINED_TABLE, WARNING,
    WRONG_OBJECT_TYPE,
};
use nqdb_storage::Lsn;
use nqdb_txn::{Isolation, OwnerId, Sequence, Transaction, TxnError, Xid, XidStatus};
use nqdb_types::{TransactionSnapshot, TypeCatalog, oid};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use ring::rand::SecureRandom;
use tokio::time::Instant;

use crate::advisory::{AdvisoryLocks, WaitLimits, held, wait_for};
use crate::block::{Characteristics, parse_isolation};
use crate::identity::{Identity, is_of_identity};
use crate::instance::Instance;
use crate::kept_rows::Room;
use crate::notifications::{NotificationMark, Notifications};
use crate::registry::{Backend, terminated};
use crate::settings::{Authority, SERVER_VERSION, Settings, SettingsMark, is_of_the_transaction};

/// What a plain role may not see.
const SUPERUSER_SETTINGS: [&str; 1] = ["data_directory"];
/// A step that computes for longer gives its worker up.
pub(crate) const LONG_STEP: std::time::Duration = std::time::Duration::from_millis(20);
/// Enough for a thread to start.
const HAND_OVER_PAUSE: std::time::Duration = std::time::Duration::from_micros(500);

/// The session as functions see it.
pub struct Surroundings {
    pub instance: Arc<Instance>,
    /// The catalog of the database that the session is in.
    pub database: Arc<Catalog>,
    pub backend: Arc<Backend>,
    pub(crate) identity: RefCell<Identity>,
    pub settings: RefCell<Settings>,
    /// The catalog and search path of the statement at hand.
    pub catalog: RefCell<Arc<Snapshot>>,
    pub search_path: RefCell<Arc<[u32]>>,
    /// What the client sent that the statement at hand is of.
    pub(crate) client_text: RefCell<ClientText>,
    /// When the statement at hand has to be over.
    pub deadline: Cell<Option<Instant>>,
    /// The number of the transaction at hand, if it has one.
    pub transaction_id: Cell<Option<u64>>,
    /// What the statement at hand sees.
    pub snapshot: Cell<Option<nqdb_txn::Snapshot>>,
    /// How the transaction at hand behaves.
    pub characteristics: Cell<Option<Characteristics>>,
    /// The locks that `pg_advisory_lock` and its like took.
    pub(crate) advisory: RefCell<AdvisoryLocks>,
    /// What the transaction at hand remembers of its constraints.
    pub(crate) constraints: RefCell<Constraints>,
    /// What the transaction says, and what the session listens to.
    pub(crate) notifications: RefCell<Notifications>,
    /// What functions of the statement at hand want to be published, for the session to do at the statement's end.
    pub(crate) publication_changes: RefCell<Vec<PublicationChange>>,
    /// Warnings of functions, for the session to send.
    pub(crate) warnings: RefCell<Vec<Notice>>,
    /// The session's cursors and prepared statements, as they were when the last statement began that reads of them.
    pub objects: RefCell<SessionObjects>,
    temporary: Arc<TemporarySpace>,
    random: RefCell<SmallRng>,
    drawn: RefCell<HashMap<u32, i64>>,
    last_drawn: Cell<Option<u32>>,
    dependency: Cell<Option<Lsn>>,
    /// Since when a worker of the runtime computes for this session without a pause, as far as somebody looked.
    computing_since: Cell<Option<Instant>>,
    /// The step at hand has left its worker because of a long value.
    left_worker_in_step: Cell<bool>,
}

/// A query string, held without a copy.
pub(crate) enum ClientText {
    Parsed(Arc<Tokens>),
    Plain(Arc<str>),
}

/// Where a savepoint was set, in what the session keeps beside its transaction.
#[derive(Clone, Copy, Debug)]
pub struct SessionMarks {
    settings: SettingsMark,
    advisory: usize,
    constraints: ConstraintMark,
    notifications: NotificationMark,
}

impl Surroundings {
    /// The place of a savepoint.
    pub(crate) fn mark(&self) -> SessionMarks {
        SessionMarks {
            settings: self.settings.borrow().mark(),
            advisory: self.advisory.borrow().mark(),
            constraints: self.constraints.borrow().mark(),
            notifications: self.notifications.borrow().mark(),
        }
    }

    /// Ends what the transaction has set: it stays, or goes.
    pub(crate) fn end_settings(&self, stay: bool) {
        let mut settings = self.settings.borrow_mut();
        match (settings.has_changes(), stay) {
            (false, _) => {}
            (true, true) => settings.commit(),
            (true, false) => settings.rollback(),
        }
    }

    /// Takes back what came after a savepoint.
    pub(crate) fn rollback_to(&self, marks: SessionMarks) {
        self.settings.borrow_mut().rollback_to(marks.settings);
        self.advisory.borrow_mut().rollback_to(marks.advisory);
        self.constraints.borrow_mut().rollback_to(marks.constraints);
        self.notifications.borrow_mut().rollback_to(marks.notifications);
    }

    pub fn new(
        instance: Arc<Instance>,
        database: Arc<Catalog>,
        backend: Arc<Backend>,
        identity: Identity,
        settings: Settings,
    ) -> Surroundings {
        let mut seed = [0; 8];
        // A predictable seed is harmless: random() promises nothing to secrets.
        let _ = instance.random.fill(&mut seed);
        let owner = backend.owner();
        let notifications = Notifications::new(instance.clone(), database.database(), backend.pid());
        Surroundings {
            catalog: RefCell::new(database.committed()),
            backend,
            identity: RefCell::new(identity),
            settings: RefCell::new(settings),
            search_path: RefCell::new(Arc::from([])),
            client_text: RefCell::new(ClientText::Plain(Arc::from(""))),
            deadline: Cell::new(None),
            transaction_id: Cell::new(None),
            snapshot: Cell::new(None),
            characteristics: Cell::new(None),
            advisory: RefCell::new(AdvisoryLocks::new(instance.system.clone(), owner, database.database())),
            constraints: RefCell::default(),
            notifications: RefCell::new(notifications),
            publication_changes: RefCell::default(),
            warnings: RefCell::default(),
            objects: RefCell::default(),
            temporary: instance.temporary.space(database.database()),
            random: RefCell::new(SmallRng::seed_from_u64(u64::from_le_bytes(seed))),
            drawn: RefCell::default(),
            last_drawn: Cell::new(None),
            dependency: Cell::new(None),
            computing_since: Cell::new(None),
            left_worker_in_step: Cell::new(false),
            database,
            instance,
        }
    }

    /// Where the session's temporary files are, as much as its settings let it have.
    pub fn temporary(&self) -> &Arc<TemporarySpace> {
        self.temporary.set_limit(self.settings.borrow().effective().temporary_limit_bytes);
        &self.temporary
    }

    /// Where a cursor of the session keeps its rows.
    pub(crate) fn room(&self) -> Room {
        Room {
            pool: self.instance.statement_memory.clone(),
            temporary: self.temporary().clone(),
            work_memory_bytes: self.settings.borrow().effective().work_memory_bytes,
        }
    }

    pub fn authority(&self) -> Authority {
        if self.is_superuser() { Authority::Superuser } else { Authority::User }
    }

    /// What sequences have written since the last call: the log position to wait for before answering.
    pub fn take_dependency(&self) -> Option<Lsn> {
        self.dependency.take()
    }

    /// DISCARD SEQUENCES.
    pub fn forget_sequences(&self) {
        self.drawn.borrow_mut().clear();
        self.last_drawn.set(None);
    }

    /// Waits for something and is woken by cancel, termination and the statement's deadline.
    pub fn interruptible<'a, T: 'a + Send>(
        &self,
        future: impl Future<Output = T> + Send + 'a,
    ) -> impl Future<Output = SqlResult<T>> + Send + 'a {
        let backend = self.backend.clone();
        let deadline = self.deadline.get();
        async move {
            tokio::select! {
                biased;
                value = future => Ok(value),
                () = backend.interruption() => Err(interruption_error(&backend)),
                () = sleep_until(deadline) => Err(statement_timeout()),
            }
        }
    }

    /// The error to end the statement with, when somebody asked for its end or its time is over.
    pub fn check_interruption(&self) -> SqlResult<()> {
        check(&self.backend, self.deadline.get())
    }

    /// The same for who plans the statement at hand.
    pub(crate) fn interruption(&self) -> Interruption {
        let (backend, deadline) = (self.backend.clone(), self.deadline.get());
        Interruption::new(move || check(&backend, deadline))
    }

    /// A step of an execution begins: the worker was free for others until now.
    pub fn begin_step(&self) {
        self.computing_since.set(None);
        self.left_worker_in_step.set(false);
    }

    /// Once a step takes too long, the runtime gets another thread in place of this one, so that sessions that wait for
    /// a worker are served; this one ends with the step.
    fn leave_worker_when_long(&self) {
        let now = Instant::now();
        let Some(since) = self.computing_since.get() else { return self.computing_since.set(Some(now)) };
        if now - since >= LONG_STEP {
            self.leave_worker();
        }
    }

    /// As a step that takes too long does, for one of which it is known before that it will not ask for a while.
    pub(crate) fn leave_worker(&self) {
        self.computing_since.set(Some(Instant::now()));
        let handle = tokio::runtime::Handle::try_current();
        if handle.is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread) {
            // The pause is what lets the other thread take over before this one asks for its place back.
            tokio::task::block_in_place(|| std::thread::sleep(HAND_OVER_PAUSE));
        }
    }

    /// A setting as SHOW prints it; those of the transaction come from it.
    pub fn show(&self, name: &str) -> SqlResult<String> {
        if is_of_the_transaction(name) {
            let on_off = |on: bool| (if on { "on" } else { "off" }).to_owned();
            let current = self.characteristics.get().unwrap_or_else(|| self.default_characteristics());
            return Ok(match name.to_ascii_lowercase().as_str() {
                "transaction_isolation" => current.isolation.name().to_owned(),
                "transaction_read_only" => on_off(current.read_only),
                _ => on_off(current.deferrable),
            });
        }
        let is_hidden = SUPERUSER_SETTINGS.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
        if is_hidden && !self.has_privileges_of(PG_READ_ALL_SETTINGS) {
            let message = format!(
                "must be superuser or have privileges of pg_read_all_settings to examine \"{}\"",
                name.to_ascii_lowercase()
            );
            return Err(SqlError::new(nqdb_sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
        self.settings.borrow().show(name)
    }

    /// What `default_transaction_*` say.
    pub fn default_characteristics(&self) -> Characteristics {
        let settings = self.settings.borrow();
        let effective = settings.effective();
        Characteristics {
            isolation: parse_isolation(&effective.default_isolation).unwrap_or(IsolationLevel::ReadCommitted),
            read_only: effective.default_read_only,
            deferrable: effective.default_deferrable,
        }
    }

    /// The name of the schema for this session's temporary objects.
    pub fn temporary_schema(&self) -> String {
        format!("{}{}", nqdb_catalog::TEMPORARY_SCHEMA_PREFIX, self.backend.pid())
    }

    /// The schemas of the search path that exist: the temporary one and `pg_catalog` first unless they are named.
    pub fn resolve_search_path(&self, catalog: &Snapshot) -> Arc<[u32]> {
        let settings = self.settings.borrow();
        let names = &settings.effective().search_path;
        let temporary = self.temporary_schema();
        let role = self.current_role();
        let user = catalog.role_by_oid(role).map_or("", |role| role.name.as_str());
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let implicit_temporary = (!has("pg_temp")).then_some(temporary.as_str());
        let implicit = (!has("pg_catalog")).then_some("pg_catalog");
        let named = names.iter().map(|name| match name.as_str() {
            "$user" => user,
            "pg_temp" => temporary.as_str(),
            name => name,
        });
        let all = implicit_temporary.into_iter().chain(implicit).chain(named);
        let found = all.filter_map(|name| catalog.schema(name)).map(|schema| schema.oid);
        found.filter(|schema| catalog.may_use_schema(role, *schema)).collect()
    }

    /// Users' types as the statement at hand sees them.
    pub fn types(&self) -> Arc<dyn TypeCatalog> {
        let (catalog, path) = (self.catalog.borrow().clone(), self.search_path.borrow().clone());
        Arc::new(TypesView::new(catalog, path, quote_identifier))
    }

    /// Whether the current role has the privileges of another one.
    pub(crate) fn has_privileges_of(&self, role: u32) -> bool {
        self.catalog.borrow().has_privileges_of(self.current_role(), role)
    }

    /// A sequence that the role may use in one of some ways.
    pub(crate) fn sequence(&self, oid: u32, any_of: Rights) -> SqlResult<Arc<SequenceDef>> {
        let catalog = self.catalog.borrow();
        match catalog.relation_by_oid(oid) {
            Some(Relation::Sequence(sequence)) => {
                let secured = catalog.secured_relation(oid);
                let role = self.current_role();
                if secured.is_some_and(|secured| catalog.rights_on(role, &secured, any_of).intersects(any_of)) {
                    return Ok(sequence.clone());
                }
                Err(permission_denied("sequence", &sequence.name))
            }
            Some(other) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", other.name()))),
            None => Err(SqlError::new(UNDEFINED_TABLE, format!("could not open relation with OID {oid}"))),
        }
    }

    /// The storage of sequences knows their numbers only.
    fn with_sequence_name(&self, error: SqlError, oid: u32) -> SqlError {
        if error.code() != SEQUENCE_GENERATOR_LIMIT_EXCEEDED {
            return error;
        }
        let Ok(definition) = self.sequence(oid, Rights::USAGE.with(Rights::UPDATE)) else { return error };
        let counter = definition.counter();
        let (what, limit) = if counter.increment > 0 { ("maximum", counter.max) } else { ("minimum", counter.min) };
        let message = format!("nextval: reached {what} value of sequence \"{}\" ({limit})", definition.name);
        SqlError::new(SEQUENCE_GENERATOR_LIMIT_EXCEEDED, message)
    }

    /// Runs a call on a sequence in a transaction of its own.
    fn on_sequence<T>(
        &self,
        function: &str,
        (oid, any_of): (u32, Rights),
        call: impl FnOnce(&Sequence, &mut Transaction) -> Result<T, TxnError>,
    ) -> SqlResult<T> {
        let definition = self.sequence(oid, any_of)?;
        let is_temporary = self.catalog.borrow().schema_by_oid(definition.schema).is_some_and(|s| s.is_temporary());
        if !is_temporary && self.characteristics.get().is_some_and(|characteristics| characteristics.read_only) {
            return Err(SqlError::new(
                READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {function}() in a read-only transaction"),
            ));
        }
        let sequence = definition.counter();
        let mut txn = self.instance.system.begin(Isolation::ReadCommitted, false);
        let value = call(&sequence, &mut txn)?;
        let commit = txn.commit()?;
        self.dependency.set(self.dependency.get().max(commit.durable_lsn));
        Ok(value)
    }
}

impl Surroundings {
    /// The sessions of the owners that `blockers` gives for the session with a process number.
    fn pids_of(&self, pid: i32, blockers: impl FnOnce(OwnerId) -> Vec<OwnerId>) -> Vec<i32> {
        let sessions = self.instance.registry.all();
        let Some(waiter) = sessions.iter().find(|backend| backend.pid() == pid) else { return Vec::new() };
        let prepared = self.instance.system.prepared_transactions();
        let is_prepared = |owner| prepared.iter().any(|facts| facts.owner == owner);
        let pid_of = |owner| match sessions.iter().find(|backend| backend.owner() == owner) {
            Some(backend) => Some(backend.pid()),
            // A prepared transaction has no process.
            None => is_prepared(owner).then_some(0),
        };
        blockers(waiter.owner()).into_iter().filter_map(pid_of).collect()
    }
}

impl SessionFunctions for Surroundings {
    fn clock_micros(&self) -> i64 {
        self.instance.now_micros()
    }

    fn random(&self) -> f64 {
        self.random.borrow_mut().random()
    }

    fn random_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        if self.instance.random.fill(&mut bytes).is_err() {
            // The system's generator is gone: the session's own is unique enough for an identifier.
            self.random.borrow_mut().fill(&mut bytes);
        }
        bytes
    }

    fn set_seed(&self, seed: f64) {
        *self.random.borrow_mut() = SmallRng::seed_from_u64(seed.to_bits());
    }

    fn current_query(&self) -> String {
        match &*self.client_text.borrow() {
            ClientText::Parsed(tokens) => tokens.text().to_owned(),
            ClientText::Plain(text) => String::from(&**text),
        }
    }

    fn current_user(&self) -> String {
        self.name_of_role(self.current_role())
    }

    fn session_user(&self) -> String {
        self.name_of_role(self.session_role())
    }

    fn current_database(&self) -> String {
        self.database.committed().database_name().to_owned()
    }

    fn current_schema(&self) -> Option<String> {
        let catalog = self.catalog.borrow();
        let explicit = self.settings.borrow().effective().search_path.iter().any(|name| name == "pg_catalog");
        let path = self.search_path.borrow();
        path.iter()
            .filter_map(|oid| catalog.schema_by_oid(*oid))
            .find(|schema| !schema.is_temporary() && (explicit || schema.name != "pg_catalog"))
            .map(|schema| schema.name.clone())
    }

    fn setting(&self, name: &str, missing_ok: bool) -> SqlResult<Option<String>> {
        match self.show(name) {
            Ok(value) => Ok(Some(value)),
            Err(error) if missing_ok && error.code() == UNDEFINED_OBJECT => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_setting(&self, name: &str, value: Option<&str>, is_local: bool) -> SqlResult<String> {
        if is_of_the_transaction(name) {
            return Err(SqlError::unsupported(format!("set_config() of parameter \"{name}\"")));
        }
        if is_of_identity(name) {
            self.set_identity(name, value, is_local)?;
            return self.settings.borrow().show(name);
        }
        let authority = self.authority();
        let mut settings = self.settings.borrow_mut();
        match value {
            Some(value) => settings.set_text(name, value, is_local, authority)?,
            None => settings.reset(name, is_local, authority)?,
        }
        settings.show(name)
    }

    fn nextval(&self, sequence: u32) -> SqlResult<i64> {
        let drawn = self
            .on_sequence("nextval", (sequence, Rights::USAGE.with(Rights::UPDATE)), |found, txn| found.next(txn, 1));
        let values = drawn.map_err(|error| self.with_sequence_name(error, sequence))?;
        let value =
            values.last().copied().ok_or_else(|| SqlError::internal("a sequence gave no value for the one asked"))?;
        self.drawn.borrow_mut().insert(sequence, value);
        self.last_drawn.set(Some(sequence));
        Ok(value)
    }

    fn currval(&self, sequence: u32) -> SqlResult<i64> {
        let definition = self.sequence(sequence, Rights::SELECT.with(Rights::USAGE))?;
        self.drawn.borrow().get(&sequence).copied().ok_or_else(|| {
            SqlError::new(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("currval of sequence \"{}\" is not yet defined in this session", definition.name),
            )
        })
    }

    fn lastval(&self) -> SqlResult<i64> {
        let drawn = |sequence| self.drawn.borrow().get(&sequence).map(|value| (sequence, *value));
        let (sequence, value) = self.last_drawn.get().and_then(drawn).ok_or_else(|| {
            SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session")
        })?;
        // One that was dropped is as none.
        if self.catalog.borrow().relation_by_oid(sequence).is_none() {
            return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session"));
        }
        self.sequence(sequence, Rights::SELECT.with(Rights::USAGE))?;
        Ok(value)
    }

    fn setval(&self, sequence: u32, value: i64, is_called: bool) -> SqlResult<i64> {
        let definition = self.sequence(sequence, Rights::UPDATE)?;
        if value < definition.min || value > definition.max {
            return Err(SqlError::new(
                nqdb_sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    definition.name, definition.min, definition.max
                ),
            ));
        }
        self.on_sequence("setval", (sequence, Rights::UPDATE), |found, txn| found.set(txn, value, is_called))?;
        if is_called {
            self.drawn.borrow_mut().insert(sequence, value);
        }
        Ok(value)
    }

    fn role_name(&self, role: u32) -> Option<String> {
        self.catalog.borrow().role_by_oid(role).map(|role| role.name.clone())
    }

    fn relation_size(&self, relation: u32, with_indexes: bool) -> SqlResult<Option<i64>> {
        Ok(nqdb_sql::system::relation_size(&self.catalog.borrow(), relation, with_indexes))
    }

    fn backend_pid(&self) -> i32 {
        self.backend.pid()
    }

    fn transaction_id(&self) -> SqlResult<i64> {
        match self.transaction_id.get() {
            Some(id) => i64::try_from(id).map_err(|_| SqlError::internal("a transaction number beyond 63 bits")),
            None => Err(SqlError::internal("a transaction was not numbered for the statement that asks for it")),
        }
    }

    fn assigned_transaction_id(&self) -> Option<u64> {
        self.transaction_id.get()
    }

    fn transaction_snapshot(&self) -> SqlResult<TransactionSnapshot> {
        let snapshot = self.snapshot.get().ok_or_else(|| SqlError::internal("a statement without a snapshot"))?;
        let (unseen, next) = self.instance.system.unseen(snapshot);
        let running: Vec<u64> = unseen.into_iter().map(|xid| xid.0).collect();
        let xmin = running.first().copied().unwrap_or(next.0);
        TransactionSnapshot::new(xmin, next.0, running)
            .ok_or_else(|| SqlError::internal("the numbers of a snapshot are not in order"))
    }

    fn transaction_status(&self, number: u64) -> SqlResult<Option<&'static str>> {
        if number >= self.instance.system.next_xid().0 {
            let message = format!("transaction ID {number} is in the future");
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
        }
        Ok(match self.instance.system.status(Xid(number)) {
            // PostgreSQL's numbers of what was there from the start.
            _ if number == 1 || number == 2 => Some("committed"),
            Some(XidStatus::Active) => Some("in progress"),
            Some(XidStatus::Committed(_)) => Some("committed"),
            Some(XidStatus::RolledBack) => Some("aborted"),
            None => None,
        })
    }

    fn check_interruption(&self) -> SqlResult<()> {
        self.leave_worker_when_long();
        Surroundings::check_interruption(self)
    }

    /// Whoever makes a long value also computes long, on it now and on what is made of it next, often without a question:
    /// the worker goes on with others.
    fn admit_bytes(&self, bytes: usize) -> SqlResult<()> {
        Surroundings::check_interruption(self)?;
        self.instance.statement_memory.admit(bytes)?;
        if self.left_worker_in_step.replace(true) {
            return Ok(());
        }
        self.leave_worker();
        Ok(())
    }

    fn advisory_lock(&self, lock: AdvisoryLock) -> SqlResult<()> {
        loop {
            let Some(wait) = self.advisory.borrow_mut().lock(lock)? else { return Ok(()) };
            let limits = {
                let settings = self.settings.borrow();
                let (deadlock_timeout, lock_timeout) =
                    (settings.effective().deadlock_timeout, settings.effective().lock_timeout);
                WaitLimits { deadlock_timeout, lock_timeout }
            };
            let (system, owner) = (self.instance.system.clone(), self.advisory.borrow().owner());
            let waiting = self.interruptible(wait_for(wait, system, owner, self.backend.pid(), limits));
            // The runtime hands this thread's other work to another thread meanwhile.
            self.backend.update_activity(|activity| activity.wait = Some(("Lock", "advisory")));
            let waited = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(waiting));
            self.backend.update_activity(|activity| activity.wait = None);
            let waited = waited.and_then(|waited| {
                waited.map_err(|error| {
                    self.report_deadlock(&error);
                    SqlError::from(error)
                })
            });
            if let Err(error) = waited {
                self.instance.system.leave_advisory_queue(owner, held(self.database.database(), lock).0);
                return Err(error);
            }
        }
    }

    fn try_advisory_lock(&self, lock: AdvisoryLock) -> SqlResult<bool> {
        self.advisory.borrow_mut().try_lock(lock)
    }

    fn advisory_unlock(&self, lock: AdvisoryLock) -> SqlResult<bool> {
        let had = self.advisory.borrow_mut().unlock(lock);
        if !had {
            let message = format!("you don't own a lock of type {}", held(self.database.database(), lock).1.name());
            self.warnings.borrow_mut().push(Notice::warning(WARNING, &message));
        }
        Ok(had)
    }

    fn advisory_unlock_all(&self) {
        self.advisory.borrow_mut().unlock_all();
    }

    fn notify(&self, channel: &str, payload: &str) -> SqlResult<()> {
        self.notifications.borrow_mut().notify(channel, payload)
    }

    fn listening_channels(&self) -> Vec<String> {
        self.notifications.borrow().listening_channels()
    }

    fn notification_queue_usage(&self) -> f64 {
        self.instance.hub.usage()
    }

    fn change_publication(&self, change: PublicationChange) -> SqlResult<()> {
        self.publication_changes.borrow_mut().push(change);
        Ok(())
    }

    fn change_channel(&self, table: u32) -> SqlResult<String> {
        let catalog = self.catalog.borrow();
        if let Some(table) = catalog.table_by_oid(table) {
            return Ok(table.change_channel());
        }
        match nqdb_sql::system::object_name(&catalog, &self.search_path.borrow(), oid::REGCLASS, table) {
            Some(name) => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("\"{name}\" is not a table"))),
            None => Err(SqlError::new(UNDEFINED_TABLE, format!("relation with OID {table} does not exist"))),
        }
    }

    fn sleep(&self, micros: i64) -> SqlResult<()> {
        let Ok(micros) = u64::try_from(micros) else { return Ok(()) };
        let pause = tokio::time::sleep(std::time::Duration::from_micros(micros));
        let pause = self.interruptible(pause);
        // The runtime hands this thread's other work to another thread meanwhile.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(pause))
    }

    fn version(&self) -> String {
        format!("PostgreSQL {SERVER_VERSION} (NeuroQuantumDB {})", env!("CARGO_PKG_VERSION"))
    }

    fn postmaster_start_micros(&self) -> i64 {
        self.instance.started_micros()
    }

    fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        self.pids_of(pid, |waiter| self.instance.system.blockers_of(waiter))
    }

    fn safe_snapshot_blocking_pids(&self, pid: i32) -> Vec<i32> {
        self.pids_of(pid, |waiter| self.instance.system.safe_snapshot_blockers_of(waiter))
    }

    fn cancel_backend(&self, pid: i32) -> SqlResult<bool> {
        Ok(self.signal(pid, "cancel")?.map(|backend| backend.cancel()).is_some())
    }

    fn terminate_backend(&self, pid: i32) -> SqlResult<bool> {
        Ok(self.signal(pid, "terminate")?.map(|backend| backend.terminate()).is_some())
    }

    fn log_positions(&self) -> SqlResult<LogPositions> {
        let engine = self.instance.system.engine();
        Ok(LogPositions { durable: engine.flushed_lsn().0, end: engine.log_end().0 })
    }

    fn log_file_name(&self, position: u64) -> SqlResult<String> {
        Ok(self.instance.system.engine().log_segment_name(Lsn(position)))
    }

    fn switch_log(&self) -> SqlResult<u64> {
        if !self.is_superuser() {
            return Err(permission_denied("function", "pg_switch_wal"));
        }
        // A segment is made and synced: the runtime hands this thread's other work to another thread meanwhile.
        let switched = tokio::task::block_in_place(|| self.instance.system.engine().switch_log());
        Ok(switched.map_err(TxnError::from)?.0)
    }
}

impl Surroundings {
    /// The session to signal, if the user may.
    pub(crate) fn signal(&self, pid: i32, verb: &str) -> SqlResult<Option<Arc<Backend>>> {
        let Some(backend) = self.instance.registry.find(pid) else { return Ok(None) };
        let user = backend.activity().user;
        let catalog = self.catalog.borrow();
        let target = catalog.role(&user).map(|role| role.oid);
        let denied = |message: String| Err(SqlError::new(nqdb_sqlstate::INSUFFICIENT_PRIVILEGE, message));
        let (past, noun) = if verb == "cancel" { ("canceled", "query") } else { ("terminated", "process") };
        if target.is_some_and(|target| catalog.is_superuser(target)) && !self.is_superuser() {
            return denied(format!("must be a superuser to {verb} superuser {noun}"));
        }
        if target.is_some_and(|target| self.has_privileges_of(target)) || self.has_privileges_of(PG_SIGNAL_BACKEND) {
            return Ok(Some(backend.clone()));
        }
        denied(format!("must be a member of the role whose {noun} is being {past} or member of pg_signal_backend"))
    }
}

/// 42501.
pub(crate) fn permission_denied(kind: &str, name: &str) -> SqlError {
    SqlError::new(nqdb_sqlstate::INSUFFICIENT_PRIVILEGE, format!("permission denied for {kind} {name}"))
}

/// Why the statement ends: cancelled, or the whole session is to end.
fn interruption_error(backend: &Backend) -> SqlError {
    if backend.is_terminated() {
        terminated()
    } else {
        SqlError::new(QUERY_CANCELED, "canceling statement due to user request")
    }
}

fn check(backend: &Backend, deadline: Option<Instant>) -> SqlResult<()> {
    if backend.cancel.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(interruption_error(backend));
    }
    match deadline {
        Some(deadline) if Instant::now() >= deadline => Err(statement_timeout()),
        _ => Ok(()),
    }
}

pub(crate) fn statement_timeout() -> SqlError {
    SqlError::new(QUERY_CANCELED, "canceling statement due to statement timeout")
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
