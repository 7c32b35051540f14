//! One live query: who follows it, what its result is, and the task that keeps the result true.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nqdb_pubsub::{ChannelName, Message, Publication};
use nqdb_sqlstate::{SqlError, SqlResult};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::difference::{Change, Rows};
use super::evaluation::{Evaluated, evaluate};
use super::{LiveKey, PAUSE};
use crate::instance::Instance;
use crate::table_changes::json_string;

/// How long a query waits after a failure that may pass.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How many such failures in a row end it.
const RETRIES_MAX: u32 = 5;

pub(super) struct LiveQuery {
    pub(super) key: LiveKey,
    channel: ChannelName,
    followers: AtomicUsize,
    /// Something that it reads may have changed, or it is over.
    woken: Notify,
    /// Whether the first evaluation is done, one way or the other.
    evaluated: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    result: Option<Evaluated>,
    failure: Option<SqlError>,
    has_ended: bool,
}

impl fmt::Debug for LiveQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveQuery").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl LiveQuery {
    pub(super) fn new(key: LiveKey, channel: ChannelName) -> LiveQuery {
        LiveQuery {
            key,
            channel,
            followers: AtomicUsize::new(0),
            woken: Notify::new(),
            evaluated: watch::Sender::new(false),
            state: Mutex::default(),
        }
    }

    pub(super) fn channel(&self) -> &ChannelName {
        &self.channel
    }

    pub(super) fn failure(&self) -> Option<SqlError> {
        self.state.lock().failure.clone()
    }

    pub(super) fn add_follower(&self) {
        self.followers.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether that was the last one.
    pub(super) fn lose_follower(&self) -> bool {
        self.followers.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(super) fn touch(&self) {
        self.woken.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, failure: Option<SqlError>) {
        {
            let mut state = self.state.lock();
            state.has_ended = true;
            state.result = None;
            state.failure = state.failure.take().or(failure);
        }
        self.evaluated.send_replace(true);
        self.woken.notify_one();
    }

    fn has_ended(&self) -> bool {
        self.state.lock().has_ended
    }

    /// Ready when the first evaluation is done.
    pub(super) async fn evaluated(&self) {
        let mut evaluated = self.evaluated.subscribe();
        // The sender is the query's own.
        let _ = evaluated.wait_for(|evaluated| *evaluated).await;
    }

    /// The result, after `enter` has been called: what changes later comes to who has entered, and nothing of before.
    pub(super) fn result_for(&self, enter: impl FnOnce() -> SqlResult<()>) -> SqlResult<Arc<str>> {
        let state = self.state.lock();
        match (&state.result, &state.failure) {
            (Some(result), _) => {
                enter()?;
                Ok(result.to_json().into())
            }
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(SqlError::internal("a live query was left while it was joined")),
        }
    }

    /// Takes a new result and tells the followers what is another in it.
    fn adopt(&self, instance: &Arc<Instance>, new: Evaluated) -> SqlResult<()> {
        let mut state = self.state.lock();
        if state.has_ended {
            return Ok(());
        }
        if let Some(old) = &state.result {
            let change = Rows::difference(&old.rows, &new.rows)?;
            let is_same_shape = old.columns_json == new.columns_json;
            if !is_same_shape {
                // Columns have other types or names: followers begin anew.
                self.publish(instance, format!("{{\"csn\":{},\"reset\":{}}}", new.csn, new.to_json()));
            } else if !change.is_empty() {
                self.publish(instance, message_of(&change, new.csn));
            }
        }
        state.result = Some(new);
        drop(state);
        self.evaluated.send_replace(true);
        Ok(())
    }

    fn publish(&self, instance: &Arc<Instance>, payload: String) {
        let message = Message { channel: self.channel.name.clone(), payload: payload.into() };
        let publication = Publication {
            is_farewell: false,
            stored: Vec::new(),
            database: self.channel.database,
            sender: 0,
            publisher: None,
            messages: vec![message],
            by_name_only: true,
        };
        instance.hub.publish(&publication, 0, instance.uptime_millis());
    }
}

fn message_of(change: &Change<'_>, csn: u64) -> String {
    let mut text = format!("{{\"csn\":{csn}");
    for (name, rows) in [("added", &change.added), ("changed", &change.changed), ("removed", &change.removed)] {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":[");
        text.push_str(&rows.join(","));
        text.push(']');
    }
    text.push('}');
    text
}

/// Keeps a query's result true until nobody follows it, or it fails.
pub(super) async fn keep_up(instance: Arc<Instance>, query: Arc<LiveQuery>) {
    let mut failures = 0;
    while !query.has_ended() {
        let began = Instant::now();
        let evaluated = evaluate(&instance, &query).await.and_then(|new| query.adopt(&instance, new));
        match evaluated {
            Ok(()) => failures = 0,
            Err(error) if may_pass(&error) && failures < RETRIES_MAX && query.is_shown() => {
                failures += 1;
                tracing::debug!(%error, "a live query is tried again");
                sleep(RETRY_PAUSE).await;
                continue;
            }
            Err(error) => {
                instance.live.forget(&query);
                let text = format!("{} {}", error.code().as_str(), error.message());
                query.end(Some(error));
                query.publish(&instance, format!("{{\"error\":{}}}", json_string(&text)));
                return;
            }
        }
        query.woken.notified().await;
        sleep_until(began + PAUSE).await;
    }
}

impl LiveQuery {
    /// Whether somebody has a result.
    fn is_shown(&self) -> bool {
        self.state.lock().result.is_some()
    }
}

/// Whether the same may go well in a while: want of room, somebody in the way, a cancel.
fn may_pass(error: &SqlError) -> bool {
    matches!(error.code().as_str().get(..2), Some("40" | "53" | "55" | "57"))
}
