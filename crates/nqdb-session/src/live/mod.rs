//! Live queries: a result, and from then on what changes in it (docs/realtime.md).
//!
//! ```text
//!  follow --> LiveQuery: task ----evaluates----> result at a csn ---> difference ---> channel of the query ---> followers
//!                          ^
//!  commit --> touched -----+   of a relation that the query reads
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `query` | one query: its followers, its result, the task that evaluates it |
//! | `evaluation` | running it in a session of its own, with the rights of its role |
//! | `difference` | what has changed between two results |
//!
//! What always holds:
//! 1. Followers of the same text with the same parameters, by the same role in the same database, share one evaluation.
//! 2. No hole: the relations are watched before the snapshot is taken, and a commit looks who watches after it has become
//!    visible; a follower takes its place in the channel under the lock under which it is given the result.
//! 3. A query is evaluated only when something it reads may have changed, and at most once in [`PAUSE`].
//! 4. Nobody evaluates for nobody: when the last follower is gone, the query is.
//! 5. Results, queries and evaluations have limits.

mod difference;
mod evaluation;
mod query;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nqdb_pubsub::{ChannelName, Subscriber, Subscription};
use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::instance::Instance;
use query::LiveQuery;

/// How long a query rests between two evaluations, at least.
pub const PAUSE: Duration = Duration::from_millis(100);
/// Live queries of the whole server.
pub const QUERIES_MAX: usize = 1_000;
/// Rows of one result.
pub const ROWS_MAX: usize = 10_000;
/// The rows of one result as JSON, bytes.
pub const RESULT_BYTES_MAX: usize = 4 << 20;
/// What all results hold, those that are being compared counted twice, bytes.
pub const HELD_BYTES_MAX: usize = 256 << 20;
/// Evaluations at the same time.
const EVALUATIONS_MAX: usize = 2;
/// The database of the channels of live queries: none, so that nobody else reaches them.
pub const LIVE_DATABASE: u32 = 0;

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LiveRequest {
    pub sql: String,
    /// Values of `$1` and so on, as text.
    pub parameters: Vec<Option<String>>,
    /// The columns by which rows are told apart; without it the primary key of a single table, or else whole rows.
    pub key: Option<Vec<String>>,
}

/// What live queries are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LiveKey {
    database: u32,
    role: u32,
    request: LiveRequest,
}

/// All live queries of a server.
#[derive(Debug)]
pub struct LiveQueries {
    /// How many are watched, for commits to look at without a lock.
    watched: AtomicUsize,
    state: Mutex<Known>,
    evaluations: Semaphore,
    held_bytes: Arc<AtomicUsize>,
}

/// Room for a result, given back when dropped.
#[derive(Debug)]
struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Known {
    next: u64,
    queries: HashMap<LiveKey, Arc<LiveQuery>>,
    /// Who reads a relation.
    readers: HashMap<u32, Vec<Weak<LiveQuery>>>,
}

impl Default for LiveQueries {
    fn default() -> LiveQueries {
        LiveQueries {
            watched: AtomicUsize::new(0),
            state: Mutex::default(),
            evaluations: Semaphore::new(EVALUATIONS_MAX),
            held_bytes: Arc::default(),
        }
    }
}

/// A follower's place at a live query, given back when dropped.
pub struct LiveFollower {
    instance: Arc<Instance>,
    query: Arc<LiveQuery>,
    /// The result when the follower came: columns, rows and the number of the commit that it is of, as a JSON object.
    pub result: Arc<str>,
}

impl LiveFollower {
    /// Where the changes of the result come.
    pub fn channel(&self) -> &ChannelName {
        self.query.channel()
    }

    /// Why nothing comes any more.
    pub fn failure(&self) -> Option<SqlError> {
        self.query.failure()
    }
}

impl Drop for LiveFollower {
    fn drop(&mut self) {
        self.instance.live.leave(&self.query);
    }
}

impl LiveQueries {
    /// How many queries there are.
    pub fn count(&self) -> usize {
        self.state.lock().queries.len()
    }

    /// What the results hold, bytes.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Takes room for a result; 54000 when there is none.
    fn hold(&self, bytes: usize) -> SqlResult<Held> {
        let held = Held { all: self.held_bytes.clone(), bytes };
        if self.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > HELD_BYTES_MAX {
            let message = format!("the results of live queries can hold {HELD_BYTES_MAX} bytes at most");
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(held)
    }

    /// A transaction has committed, and all may see it, that may have changed these relations.
    pub(crate) fn touched(&self, relations: &[u32]) {
        // Against the one in `watch`: of a commit's visibility and a query's watching, one side sees the other.
        fence(Ordering::SeqCst);
        if relations.is_empty() || self.watched.load(Ordering::SeqCst) == 0 {
            return;
        }
        let state = self.state.lock();
        let readers = relations.iter().filter_map(|relation| state.readers.get(relation)).flatten();
        readers.filter_map(Weak::upgrade).for_each(|query| query.touch());
    }

    /// A query is to be touched when one of these relations changes, and no other.
    fn watch(&self, query: &Arc<LiveQuery>, relations: &[u32]) {
        let mut state = self.state.lock();
        state.forget_reader(query);
        for relation in relations {
            state.readers.entry(*relation).or_default().push(Arc::downgrade(query));
        }
        self.watched.store(state.readers.len(), Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Nobody can join the query any more, and nothing touches it.
    fn forget(&self, query: &Arc<LiveQuery>) {
        let mut state = self.state.lock();
        state.forget(query);
        self.watched.store(state.readers.len(), Ordering::SeqCst);
    }

    /// A follower is gone; the query goes with the last one.
    fn leave(&self, query: &Arc<LiveQuery>) {
        let mut state = self.state.lock();
        // Under the lock nobody joins.
        if query.lose_follower() {
            state.forget(query);
            self.watched.store(state.readers.len(), Ordering::SeqCst);
            drop(state);
            query.end(None);
        }
    }
}

impl Known {
    fn forget(&mut self, query: &Arc<LiveQuery>) {
        if self.queries.get(&query.key).is_some_and(|known| Arc::ptr_eq(known, query)) {
            self.queries.remove(&query.key);
        }
        self.forget_reader(query);
    }

    fn forget_reader(&mut self, query: &Arc<LiveQuery>) {
        let own = Arc::downgrade(query);
        self.readers.retain(|_, readers| {
            readers.retain(|reader| !reader.ptr_eq(&own) && reader.strong_count() > 0);
            !readers.is_empty()
        });
    }
}

impl Instance {
    /// Follows a query: gives its result, and puts the subscriber into the channel where the changes after it come.
    ///
    /// Errors: those of the query, 0A000 for what is no query, 54000 where there are too many or the result is too large.
    pub async fn follow_query(
        self: &Arc<Instance>,
        who: &Admission,
        request: LiveRequest,
        subscriber: &Subscriber,
    ) -> SqlResult<LiveFollower> {
        let key = LiveKey { database: who.database, role: who.role, request };
        let query = self.join_query(key)?;
        // From here on the place is given back, whatever happens.
        let mut follower = LiveFollower { instance: self.clone(), query: query.clone(), result: Arc::from("") };
        query.evaluated().await;
        let result = query.result_for(|| {
            let now_millis = self.uptime_millis();
            // A subscriber that follows the query under another name already is there.
            subscriber
                .subscribe(query.channel(), Subscription::default(), now_millis)
                .map(drop)
                .map_err(|full| SqlError::new(PROGRAM_LIMIT_EXCEEDED, full.to_string()))
        })?;
        follower.result = result;
        Ok(follower)
    }

    /// The query of a key, with one more follower; begun if there is none.
    fn join_query(self: &Arc<Instance>, key: LiveKey) -> SqlResult<Arc<LiveQuery>> {
        let mut state = self.live.state.lock();
        if let Some(query) = state.queries.get(&key) {
            query.add_follower();
            return Ok(query.clone());
        }
        if state.queries.len() >= QUERIES_MAX {
            let message = format!("there can be {QUERIES_MAX} live queries at most");
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
        }
        state.next += 1;
        let channel = ChannelName { database: LIVE_DATABASE, name: format!("live:{}", state.next).into() };
        let query = Arc::new(LiveQuery::new(key.clone(), channel));
        query.add_follower();
        state.queries.insert(key, query.clone());
        drop(state);
        tokio::spawn(query::keep_up(self.clone(), query.clone()));
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_hold_no_more_than_there_is_room_for() {
        let live = LiveQueries::default();
        let most = live.hold(HELD_BYTES_MAX).unwrap();
        assert_eq!(live.hold(1).unwrap_err().code(), PROGRAM_LIMIT_EXCEEDED);
        assert_eq!(live.held_bytes(), HELD_BYTES_MAX);
        drop(most);
        assert_eq!(live.held_bytes(), 0);
        assert!(live.hold(1).is_ok());
    }
}
