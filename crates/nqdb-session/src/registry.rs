//! The sessions that exist: who may be cancelled, how many there are, what they do.
//!
//! 1. A session is in the registry from its start to its end; dropping its [`Registration`] takes it out, so that a
//!    panic cannot leave a ghost.
//! 2. A cancel request names a process id and a secret; without the right secret nothing happens, and nobody is
//!    told which of the two was wrong.
//! 3. Interrupting wakes a session wherever it waits; a session that computes looks at the flags between slices.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use nqdb_sqlstate::{ADMIN_SHUTDOWN, SqlError, SqlResult, TOO_MANY_CONNECTIONS};
use nqdb_txn::OwnerId;
use parking_lot::Mutex;
use ring::rand::SecureRandom;
use tokio::sync::Notify;

/// What others may see of a session, and how they reach it.
#[derive(Debug)]
pub struct Backend {
    pid: i32,
    /// Whose locks the session's are.
    owner: OwnerId,
    secret: i32,
    pub(crate) cancel: AtomicBool,
    terminate: AtomicBool,
    interrupted: Notify,
    activity: Mutex<Activity>,
}

/// What `pg_stat_activity` shows of a session.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    pub pid: i32,
    pub user: String,
    /// The number of the database that it is in; 0 until it is in one.
    pub database: u32,
    pub application_name: String,
    /// `idle`, `active`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: &'static str,
    /// The newest statement.
    pub query: Arc<str>,
    /// µs since 2000-01-01 UTC.
    pub started_micros: i64,
    pub statement_started_micros: i64,
    /// None outside of a transaction.
    pub transaction_started_micros: Option<i64>,
    pub state_changed_micros: i64,
    /// The number of its transaction, if it has one.
    pub transaction: Option<u64>,
    /// Type and name of what it waits for.
    pub wait: Option<(&'static str, &'static str)>,
}

impl Backend {
    /// The number clients know the session by.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whose locks the session's are, in the transaction layer.
    pub(crate) fn owner(&self) -> OwnerId {
        self.owner
    }

    /// The key that a cancel request must bring.
    pub fn secret(&self) -> i32 {
        self.secret
    }

    /// Asks for the end of the statement at hand.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.interrupted.notify_waiters();
    }

    /// Asks for the end of the session.
    pub fn terminate(&self) {
        self.terminate.store(true, Ordering::Relaxed);
        self.cancel();
    }

    pub fn is_terminated(&self) -> bool {
        self.terminate.load(Ordering::Relaxed)
    }

    /// Waits until the session is cancelled or terminated.
    pub async fn interruption(&self) {
        loop {
            let notified = self.interrupted.notified();
            if self.cancel.load(Ordering::Relaxed) {
                return;
            }
            notified.await;
        }
    }

    /// Waits until the session is terminated: what an idle connection waits for.
    pub async fn termination(&self) {
        loop {
            let notified = self.interrupted.notified();
            if self.is_terminated() {
                return;
            }
            notified.await;
        }
    }

    pub fn activity(&self) -> Activity {
        self.activity.lock().clone()
    }

    pub(crate) fn update_activity(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut self.activity.lock());
    }
}

/// How many of so many places are for superusers: with few places in all, one is left for others.
pub fn reserved_places(sessions_max: usize) -> usize {
    RESERVED_PLACES.min(sessions_max.saturating_sub(1))
}

/// The error that ends a terminated session.
pub fn terminated() -> SqlError {
    SqlError::new(ADMIN_SHUTDOWN, "terminating connection due to administrator command").fatal()
}

/// All sessions of a server.
#[derive(Debug)]
pub struct Registry {
    sessions: Mutex<HashMap<i32, Arc<Backend>>>,
    /// The databases that take no new sessions, each with how many commands want that.
    closed_databases: Mutex<HashMap<u32, usize>>,
    reopened: Notify,
    departed: Notify,
    next_pid: AtomicI32,
    count: AtomicUsize,
    sessions_max: usize,
}

/// Places that only superusers get, so that somebody can still look when all others are taken.
const RESERVED_PLACES: usize = 3;

/// A session's place in the registry, given back when dropped.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<Registry>,
    backend: Arc<Backend>,
}

impl Registration {
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.sessions.lock().remove(&self.backend.pid);
        self.registry.count.fetch_sub(1, Ordering::Relaxed);
        self.registry.departed.notify_waiters();
    }
}

/// A database that takes no new sessions as long as this is there.
#[derive(Debug)]
pub struct ClosedDatabase {
    registry: Arc<Registry>,
    database: u32,
}

impl Drop for ClosedDatabase {
    fn drop(&mut self) {
        let mut closed = self.registry.closed_databases.lock();
        if let Some(count) = closed.get_mut(&self.database) {
            *count -= 1;
            if *count == 0 {
                closed.remove(&self.database);
            }
        }
        drop(closed);
        self.registry.reopened.notify_waiters();
    }
}

impl Registry {
    pub fn new(sessions_max: usize) -> Arc<Registry> {
        Arc::new(Registry {
            sessions: Mutex::default(),
            closed_databases: Mutex::default(),
            reopened: Notify::new(),
            departed: Notify::new(),
            next_pid: AtomicI32::new(1),
            count: AtomicUsize::new(0),
            sessions_max,
        })
    }

    /// Takes a place; 53300 when all are taken.
    pub fn register(self: &Arc<Registry>, owner: OwnerId, random: &dyn SecureRandom) -> SqlResult<Registration> {
        let taken = self.count.fetch_add(1, Ordering::Relaxed);
        if taken >= self.sessions_max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(SqlError::new(TOO_MANY_CONNECTIONS, "sorry, too many clients already").fatal());
        }
        let mut secret = [0; 4];
        if random.fill(&mut secret).is_err() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(SqlError::internal("could not generate random cancel key").fatal());
        }
        let mut sessions = self.sessions.lock();
        let pid = loop {
            let pid = self.next_pid.fetch_add(1, Ordering::Relaxed) & i32::MAX;
            if pid != 0 && !sessions.contains_key(&pid) {
                break pid;
            }
        };
        let backend = Arc::new(Backend {
            pid,
            owner,
            secret: i32::from_be_bytes(secret),
            cancel: AtomicBool::new(false),
            terminate: AtomicBool::new(false),
            interrupted: Notify::new(),
            activity: Mutex::new(Activity { pid, state: "idle", ..Activity::default() }),
        });
        sessions.insert(pid, backend.clone());
        Ok(Registration { registry: self.clone(), backend })
    }

    /// 53300 when so few places are left that they are for superusers. The session that asks has its place already.
    pub fn expect_unreserved(&self) -> SqlResult<()> {
        if self.count() + reserved_places(self.sessions_max) <= self.sessions_max {
            return Ok(());
        }
        let message = "remaining connection slots are reserved for non-replication superuser connections";
        Err(SqlError::new(TOO_MANY_CONNECTIONS, message))
    }

    /// A cancel request from the network.
    pub fn cancel(&self, pid: i32, secret: i32) {
        if let Some(backend) = self.find(pid)
            && backend.secret == secret
        {
            backend.cancel();
        }
    }

    pub fn find(&self, pid: i32) -> Option<Arc<Backend>> {
        self.sessions.lock().get(&pid).cloned()
    }

    /// How many sessions there may be.
    pub fn sessions_max(&self) -> usize {
        self.sessions_max
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub fn all(&self) -> Vec<Arc<Backend>> {
        self.sessions.lock().values().cloned().collect()
    }

    /// How many sessions a role has.
    pub fn count_of_user(&self, user: &str) -> usize {
        self.sessions.lock().values().filter(|backend| backend.activity.lock().user == user).count()
    }

    /// Counts a session in a database, once that takes sessions.
    pub(crate) async fn enter_database(&self, backend: &Backend, database: u32) -> SqlResult<()> {
        loop {
            let reopened = self.reopened.notified();
            {
                let closed = self.closed_databases.lock();
                if !closed.contains_key(&database) {
                    // Under the lock: whoever closes the database after this finds the session in it.
                    backend.update_activity(|activity| activity.database = database);
                    return Ok(());
                }
            }
            tokio::select! {
                () = reopened => {}
                () = backend.termination() => return Err(terminated()),
            }
        }
    }

    /// Keeps new sessions out of a database; those that want in wait.
    pub(crate) fn close_database(self: &Arc<Registry>, database: u32) -> ClosedDatabase {
        *self.closed_databases.lock().entry(database).or_default() += 1;
        ClosedDatabase { registry: self.clone(), database }
    }

    /// Waits until some session ends after this call.
    pub(crate) fn departure(&self) -> impl Future<Output = ()> + Send + '_ {
        self.departed.notified()
    }

    /// The sessions in a database but one.
    pub(crate) fn others_in_database(&self, database: u32, but: i32) -> Vec<Arc<Backend>> {
        let is_meant = |backend: &&Arc<Backend>| backend.pid != but && backend.activity.lock().database == database;
        self.sessions.lock().values().filter(is_meant).cloned().collect()
    }

    /// How many sessions are in a database.
    pub(crate) fn count_in_database(&self, database: u32) -> usize {
        self.sessions.lock().values().filter(|backend| backend.activity.lock().database == database).count()
    }

    /// Ends every session: the server stops.
    pub fn terminate_all(&self) {
        for backend in self.all() {
            backend.terminate();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_a_place_comes_back() {
        let random = ring::rand::SystemRandom::new();
        let registry = Registry::new(2);
        let first = registry.register(OwnerId(1), &random).unwrap();
        let _second = registry.register(OwnerId(1), &random).unwrap();
        assert_eq!(registry.register(OwnerId(1), &random).unwrap_err().code(), TOO_MANY_CONNECTIONS);
        drop(first);
        assert!(registry.register(OwnerId(1), &random).is_ok());
    }

    #[test]
    fn the_last_places_are_for_superusers() {
        let random = ring::rand::SystemRandom::new();
        let registry = Registry::new(5);
        let mut sessions =
            vec![registry.register(OwnerId(1), &random).unwrap(), registry.register(OwnerId(1), &random).unwrap()];
        registry.expect_unreserved().unwrap();
        sessions.push(registry.register(OwnerId(1), &random).unwrap());
        assert_eq!(registry.expect_unreserved().unwrap_err().code(), TOO_MANY_CONNECTIONS);
        let one = Registry::new(1);
        let _only = one.register(OwnerId(1), &random).unwrap();
        one.expect_unreserved().unwrap();
    }

    #[test]
    fn a_cancel_needs_the_secret() {
        let registry = Registry::new(1);
        let session = registry.register(OwnerId(1), &ring::rand::SystemRandom::new()).unwrap();
        let backend = session.backend();
        registry.cancel(backend.pid(), backend.secret().wrapping_add(1));
        assert!(!backend.cancel.load(Ordering::Relaxed));
        registry.cancel(backend.pid(), backend.secret());
        assert!(backend.cancel.load(Ordering::Relaxed));
    }
}
