//! LISTEN, UNLISTEN and NOTIFY: what a transaction wants to say, and what its session listens to.
//!
//! What always holds (manual, NOTIFY and LISTEN):
//! 1. Nothing is said, begun or ended before the commit is synced: all of it becomes one hook that runs in the order of the
//!    commits ([`nqdb_txn::PublishHook`]). First the session begins and ends to listen, then its messages go out, so that it
//!    hears its own where it listens at the end.
//! 2. The same message on the same channel goes out once for each transaction, at the place of its first mention.
//! 3. A rollback, also one to a savepoint, takes back what was said and wanted since.
//! 4. Changes of published tables go out with the messages of their transaction, before them: who is notified finds that it
//!    has been told of the rows.
//! 5. A session that ends is in no channel any more, even if its last commit is published later.

use std::collections::HashSet;
use std::sync::Arc;

use nqdb_catalog::CHANGE_CHANNEL_PREFIX;
use nqdb_pubsub::{
    CHANNELS_MAX, ChannelName, Guard, Hub, Message, Publication, QueueFull, StoredStream, Subscriber, Subscription,
};
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, PROGRAM_LIMIT_EXCEEDED, RESERVED_NAME, SqlError, SqlResult};
use nqdb_txn::PublishHook;

use crate::instance::Instance;
use crate::kept_channels::Told;
use crate::table_changes::ChangeMessage;

/// The longest name of a channel, bytes.
const CHANNEL_BYTES_MAX: usize = 63;
/// The longest payload, bytes: PostgreSQL's, whose queue has pages of 8 KiB.
const PAYLOAD_BYTES_MAX: usize = 7_999;

/// What LISTEN and UNLISTEN want.
#[derive(Clone, Debug)]
enum Change {
    Listen(ChannelName, Option<Guard>),
    Unlisten(ChannelName),
    UnlistenAll,
}

/// A session's side of notifications.
pub(crate) struct Notifications {
    instance: Arc<Instance>,
    database: u32,
    pid: i32,
    /// What the transaction says at its commit, in order.
    messages: Vec<Message>,
    /// The same, to find out quickly.
    said: HashSet<Message, foldhash::fast::RandomState>,
    message_bytes: usize,
    changes: Vec<Change>,
    subscriber: Option<Arc<Subscriber>>,
}

/// Where a savepoint was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotificationMark {
    messages: usize,
    changes: usize,
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

fn queue_is_full() -> SqlError {
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue")
}

/// The error that ends a session which did not read its notifications.
pub fn listener_dropped() -> SqlError {
    let message = "terminating connection because it left too many notifications unread";
    SqlError::new(PROGRAM_LIMIT_EXCEEDED, message).fatal()
}

impl Notifications {
    pub(crate) fn new(instance: Arc<Instance>, database: u32, pid: i32) -> Notifications {
        Notifications {
            instance,
            database,
            pid,
            messages: Vec::new(),
            said: HashSet::default(),
            message_bytes: 0,
            changes: Vec::new(),
            subscriber: None,
        }
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.instance.hub
    }

    /// NOTIFY. Errors: 22023 for a channel without a name or with one that is too long, and for a payload that is too long;
    /// 42939 for a channel that changes of a table go to; 54000 when the transaction says more than can wait for anybody.
    pub(crate) fn notify(&mut self, channel: &str, payload: &str) -> SqlResult<()> {
        if channel.is_empty() {
            return Err(invalid("channel name cannot be empty"));
        }
        if channel.len() > CHANNEL_BYTES_MAX {
            return Err(invalid("channel name too long"));
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(invalid("payload string too long"));
        }
        if channel.starts_with(CHANGE_CHANNEL_PREFIX) {
            let message = format!("channel \"{channel}\" is reserved for changes of tables");
            return Err(SqlError::new(RESERVED_NAME, message));
        }
        let channel: Arc<str> = match self.messages.last() {
            Some(last) if *last.channel == *channel => last.channel.clone(),
            _ => Arc::from(channel),
        };
        let message = Message { channel, payload: Arc::from(payload) };
        if self.said.contains(&message) {
            return Ok(());
        }
        let bytes = bytes_of(&message);
        if self.message_bytes + bytes > self.hub().options().held_bytes_max {
            return Err(queue_is_full());
        }
        self.message_bytes += bytes;
        self.said.insert(message.clone());
        self.messages.push(message);
        Ok(())
    }

    /// LISTEN, until `guard` says no. 54000 when the session would be in too many channels.
    pub(crate) fn listen(&mut self, channel: &str, guard: Option<Guard>) -> SqlResult<()> {
        let (hub, pid, overflow) = (self.instance.hub.clone(), self.pid, self.instance.overflow);
        let subscriber = self.subscriber.get_or_insert_with(|| Arc::new(hub.subscriber(pid, overflow)));
        if subscriber.subscription_count() + self.changes.len() >= CHANNELS_MAX {
            let message = format!("a session can listen to {CHANNELS_MAX} channels at most");
            return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.changes.push(Change::Listen(self.name(channel), guard));
        Ok(())
    }

    /// UNLISTEN; without a name from all channels.
    pub(crate) fn unlisten(&mut self, channel: Option<&str>) {
        if self.subscriber.is_none() {
            return;
        }
        let change = match channel {
            Some(channel) => Change::Unlisten(self.name(channel)),
            None => Change::UnlistenAll,
        };
        let is_said = match (self.changes.last(), &change) {
            (Some(Change::Unlisten(said)), Change::Unlisten(channel)) => said == channel,
            (Some(Change::UnlistenAll), Change::UnlistenAll) => true,
            _ => false,
        };
        if !is_said {
            self.changes.push(change);
        }
    }

    fn name(&self, channel: &str) -> ChannelName {
        ChannelName { database: self.database, name: Arc::from(channel) }
    }

    /// The channels that the session is in, in the order in which it came there.
    pub(crate) fn listening_channels(&self) -> Vec<String> {
        let channels = self.subscriber.as_ref().map(|subscriber| subscriber.channels()).unwrap_or_default();
        channels.into_iter().map(|channel| channel.name.to_string()).collect()
    }

    /// Whose queue the session's notifications wait in.
    pub(crate) fn subscriber(&self) -> Option<&Arc<Subscriber>> {
        self.subscriber.as_ref()
    }

    /// Whether the transaction says something, or wants to listen or to stop listening.
    pub(crate) fn has_said_anything(&self) -> bool {
        !self.messages.is_empty() || !self.changes.is_empty()
    }

    /// A place for [`Notifications::rollback_to`].
    pub(crate) fn mark(&self) -> NotificationMark {
        NotificationMark { messages: self.messages.len(), changes: self.changes.len() }
    }

    /// Takes back what came after a savepoint.
    pub(crate) fn rollback_to(&mut self, mark: NotificationMark) {
        self.changes.truncate(mark.changes);
        if self.messages.len() > mark.messages {
            for message in self.messages.split_off(mark.messages) {
                self.message_bytes -= bytes_of(&message);
                self.said.remove(&message);
            }
        }
    }

    /// Takes back everything that the transaction wanted.
    pub(crate) fn roll_back(&mut self) {
        self.rollback_to(NotificationMark { messages: 0, changes: 0 });
    }

    /// Whether the transaction has said something.
    pub(crate) fn says_something(&self) -> bool {
        !self.messages.is_empty()
    }

    /// What the transaction says, in order.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What the transaction wants, and what it tells beside that, as a hook for its commit; `None` when that is nothing. 54000
    /// when there is no room for its messages.
    pub(crate) fn take_publication(&mut self, told: Told) -> SqlResult<Option<PublishHook>> {
        let Told { table_changes, channel_changes, streams } = told;
        let is_silent = self.messages.is_empty() && table_changes.is_empty() && channel_changes.is_empty();
        if is_silent && self.changes.is_empty() {
            return Ok(None);
        }
        let (farewells, table_changes): (Vec<ChangeMessage>, Vec<ChangeMessage>) =
            table_changes.into_iter().partition(ChangeMessage::is_farewell);
        let (streams_of_tables, streams): (Vec<StoredStream>, Vec<StoredStream>) =
            streams.into_iter().partition(|stream: &StoredStream| stream.channel.starts_with(CHANGE_CHANNEL_PREFIX));
        let mut of_tables = Publication { stored: streams_of_tables, ..self.publication(Vec::new(), true) };
        let mut last =
            Publication { is_farewell: true, stored: of_tables.stored.clone(), ..self.publication(Vec::new(), true) };
        let messages = std::mem::take(&mut self.messages);
        let publication = Publication { stored: streams, ..self.publication(messages, false) };
        let changes = std::mem::take(&mut self.changes);
        self.said = HashSet::default();
        self.message_bytes = 0;
        let reservation = self.hub().reserve(&publication).map_err(full_queue_of)?;
        // The number of the commit, which is not known yet, adds little to them.
        of_tables.messages = table_changes.iter().map(|change| change.message(0)).collect();
        let table_reservation = self.hub().reserve(&of_tables).map_err(full_queue_of)?;
        let (instance, subscriber) = (self.instance.clone(), self.subscriber.clone());
        Ok(Some(Box::new(move |csn| {
            let now_millis = instance.uptime_millis();
            if let Some(subscriber) = &subscriber {
                changes.iter().for_each(|change| apply(change, subscriber, now_millis));
            }
            let (hub, database) = (&instance.hub, publication.database);
            channel_changes.iter().for_each(|change| change.begin(hub, database, now_millis));
            of_tables.messages = table_changes.iter().map(|change| change.message(csn.0)).collect();
            hub.publish(&of_tables, csn.0, now_millis);
            last.messages = farewells.iter().map(|change| change.message(csn.0)).collect();
            hub.publish(&last, csn.0, now_millis);
            hub.publish(&publication, csn.0, now_millis);
            channel_changes.iter().for_each(|change| change.end(hub, database, now_millis));
            drop((reservation, table_reservation));
        })))
    }

    fn publication(&self, messages: Vec<Message>, by_name_only: bool) -> Publication {
        Publication {
            database: self.database,
            sender: self.pid,
            publisher: None,
            messages,
            by_name_only,
            is_farewell: false,
            stored: Vec::new(),
        }
    }

    /// The session ends.
    pub(crate) fn end(&mut self) {
        self.roll_back();
        if let Some(subscriber) = self.subscriber.take() {
            subscriber.end(self.instance.uptime_millis());
        }
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a message counts for while its transaction runs, bytes.
fn bytes_of(message: &Message) -> usize {
    message.channel.len() + message.payload.len() + 64
}

pub(crate) fn full_queue_of(full: QueueFull) -> SqlError {
    let detail = format!("The server process with PID {} has not read its notifications.", full.tag);
    let hint = "The NOTIFY queue cannot be emptied until that process reads them, or ends its current transaction.";
    queue_is_full().with_detail(detail).with_hint(hint)
}

fn apply(change: &Change, subscriber: &Subscriber, now_millis: u64) {
    match change {
        Change::Listen(channel, guard) => {
            if guard.is_some() {
                // Its guard may have ended one from before.
                subscriber.unsubscribe(channel, now_millis);
            }
            let subscription = Subscription { guard: guard.clone(), ..Subscription::default() };
            if let Err(error) = subscriber.subscribe(channel, subscription, now_millis) {
                // LISTEN has counted before.
                tracing::error!(%error, channel = %channel.name, "a LISTEN that was committed had no effect");
            }
        }
        Change::Unlisten(channel) => drop(subscriber.unsubscribe(channel, now_millis)),
        Change::UnlistenAll => subscriber.unsubscribe_all(now_millis),
    }
}
