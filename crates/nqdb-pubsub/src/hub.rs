//! The hub: all channels, in shards by their names, and all subscribers.
//!
//! Locks: a shard's, then a queue's; the list of patterns, then a queue's. Nothing waits while it holds one. A subscription
//! looks at the history and takes its place under one lock, so that nothing falls between what it is told and what it gets.

mod stored;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::channel::{Channel, ChannelCounts, Delivered, Member, Subscribed, Subscription, log_dropped};
use crate::history::{History, HistoryLimits, Missed, Position, StoredStream, StreamPart};
use crate::message::{Batch, ChannelName, Held, Message, Origin, Publication, runs, weight_of};
use crate::queue::{Event, Overflow, Pushed, Queue};
use crate::subscriber::Subscriber;

pub use stored::StoredMessage;

const SHARD_COUNT: usize = 64;

/// What the hub may hold.
#[derive(Clone, Copy, Debug)]
pub struct HubOptions {
    /// All messages that queues and histories hold together. Above it, only who keeps up gets more.
    pub held_bytes_max: usize,
    /// What may wait for one subscriber.
    pub queue_bytes_max: usize,
    /// What a channel keeps.
    pub history: HistoryLimits,
    /// What all channels keep together.
    pub history_bytes_max: usize,
    /// Channels without subscribers that are kept for those who come back.
    pub idle_channels_max: usize,
    /// Tells this start's epochs from those of others.
    pub epoch_seed: u64,
}

/// Figures for monitoring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HubStats {
    pub subscribers: usize,
    pub channels: usize,
    /// Messages that were published.
    pub published: u64,
    /// Batches of messages that were put into queues.
    pub delivered: u64,
    /// Subscribers that were ended because they did not read.
    pub dropped: u64,
    /// Publications that were refused because a queue was full.
    pub refused: u64,
    /// Bytes of messages that queues and histories hold.
    pub held_bytes: usize,
    pub history_bytes: usize,
    /// Subscribers that came back, and of these the ones that had missed too much.
    pub recoveries: u64,
    pub gaps: u64,
}

/// What is known of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFacts {
    pub name: ChannelName,
    pub subscribers: usize,
    /// The newest message, and how many are kept; `None` where none are counted.
    pub history: Option<(Position, u64)>,
    pub counts: ChannelCounts,
}

/// Part of what a channel keeps.
#[derive(Clone, Debug)]
pub struct HistoryPart {
    /// The newest message.
    pub position: Position,
    /// The oldest message that is in memory.
    pub first_offset: u64,
    pub part: StreamPart,
    /// Whether the channel's table may have more.
    pub is_stored: bool,
}

/// A subscriber's queue has no room: who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull {
    pub tag: i32,
}

/// Room that was promised in queues, given back when dropped.
#[derive(Debug, Default)]
pub struct Reservation {
    places: Vec<(Arc<Queue>, usize)>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for (queue, bytes) in &self.places {
            queue.unreserve(*bytes);
        }
    }
}

type Shard = HashMap<ChannelName, Channel, foldhash::fast::RandomState>;

/// Subscribers to what begins with a text.
#[derive(Debug)]
struct Pattern {
    name: ChannelName,
    queues: BTreeMap<u64, Arc<Queue>>,
}

impl Pattern {
    fn matches(&self, channel: &ChannelName) -> bool {
        let prefix = self.name.name.strip_suffix('*').unwrap_or(&self.name.name);
        self.name.database == channel.database && channel.name.starts_with(prefix)
    }
}

/// All channels of a server.
#[derive(Debug)]
pub struct Hub {
    options: HubOptions,
    shards: Vec<Mutex<Shard>>,
    hasher: foldhash::fast::RandomState,
    patterns: RwLock<Vec<Pattern>>,
    queues: Mutex<BTreeMap<u64, Arc<Queue>>>,
    next_subscriber: AtomicU64,
    next_epoch: AtomicU64,
    held: Arc<Held>,
    history_bytes: AtomicUsize,
    idle_channels: AtomicUsize,
    latest_millis: AtomicU64,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    published: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    recoveries: AtomicU64,
    gaps: AtomicU64,
}

impl Hub {
    pub fn new(options: HubOptions) -> Arc<Hub> {
        Arc::new(Hub {
            options,
            shards: (0..SHARD_COUNT).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            patterns: RwLock::default(),
            queues: Mutex::default(),
            next_subscriber: AtomicU64::new(1),
            next_epoch: AtomicU64::new(1),
            held: Arc::default(),
            history_bytes: AtomicUsize::new(0),
            idle_channels: AtomicUsize::new(0),
            latest_millis: AtomicU64::new(0),
            counters: Counters::default(),
        })
    }

    pub fn options(&self) -> &HubOptions {
        &self.options
    }

    /// A new subscriber, in no channel. `tag` names it in the log and to publishers that it holds up.
    pub fn subscriber(self: &Arc<Hub>, tag: i32, overflow: Overflow) -> Subscriber {
        let id = self.next_subscriber.fetch_add(1, Ordering::Relaxed);
        let queue = Arc::new(Queue::new(id, tag, overflow, self.options.queue_bytes_max));
        self.queues.lock().insert(id, queue.clone());
        Subscriber::new(self.clone(), queue)
    }

    pub(crate) fn forget(&self, subscriber: u64) {
        self.queues.lock().remove(&subscriber);
    }

    /// The newest time that the hub was told.
    pub(crate) fn latest_millis(&self) -> u64 {
        self.latest_millis.load(Ordering::Relaxed)
    }

    fn note_time(&self, now_millis: u64) {
        self.latest_millis.fetch_max(now_millis, Ordering::Relaxed);
    }

    fn shard(&self, channel: &ChannelName) -> &Mutex<Shard> {
        let at = self.hasher.hash_one(channel) as usize % SHARD_COUNT;
        self.shards.get(at).expect("the rest of a division by their number")
    }

    /// Whether more is held than there should be.
    fn is_scarce(&self) -> bool {
        self.held.bytes() > self.options.held_bytes_max
    }

    pub(crate) fn enter(
        &self,
        name: &ChannelName,
        queue: &Arc<Queue>,
        subscription: Subscription,
        now_millis: u64,
    ) -> Subscribed {
        self.note_time(now_millis);
        let mut shard = self.shard(name).lock();
        let channel = shard.entry(name.clone()).or_default();
        if channel.counts_as_idle() {
            self.idle_channels.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(history) = &mut channel.history {
            self.trim(history, now_millis);
        }
        let recovers = subscription.since.is_some();
        let subscribed =
            channel.subscribe(name, queue, subscription, || History::new(self.new_epoch(), self.options.history));
        if recovers {
            self.counters.recoveries.fetch_add(1, Ordering::Relaxed);
            if matches!(subscribed.missed, Some(Missed::Unknown)) {
                self.counters.gaps.fetch_add(1, Ordering::Relaxed);
            }
        }
        subscribed
    }

    fn new_epoch(&self) -> Arc<str> {
        let number = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}", self.options.epoch_seed).into()
    }

    pub(crate) fn leave(&self, name: &ChannelName, subscriber: u64, now_millis: u64) {
        let mut shard = self.shard(name).lock();
        let Some(channel) = shard.get_mut(name) else { return };
        if channel.unsubscribe(name, subscriber, now_millis) {
            self.look_after(name, &mut shard);
        }
    }

    /// A channel that has lost subscribers is kept for those who come back, or is no more, if it has none left.
    fn look_after(&self, name: &ChannelName, shard: &mut Shard) {
        let Some(channel) = shard.get(name).filter(|channel| channel.subscriber_count() == 0) else { return };
        if channel.is_stored() {
            return;
        }
        let is_kept =
            channel.history.is_some() && self.idle_channels.load(Ordering::Relaxed) < self.options.idle_channels_max;
        if is_kept {
            self.idle_channels.fetch_add(1, Ordering::Relaxed);
        } else {
            let channel = shard.remove(name);
            self.give_back_history(channel.as_ref());
        }
    }

    fn give_back_history(&self, channel: Option<&Channel>) {
        let bytes = channel.and_then(|channel| channel.history.as_ref()).map_or(0, History::bytes);
        self.history_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn enter_pattern(&self, name: &ChannelName, queue: &Arc<Queue>) {
        let mut patterns = self.patterns.write();
        match patterns.iter_mut().find(|pattern| pattern.name == *name) {
            Some(pattern) => {
                pattern.queues.insert(queue.id, queue.clone());
            }
            None => {
                let queues = BTreeMap::from([(queue.id, queue.clone())]);
                patterns.push(Pattern { name: name.clone(), queues });
            }
        }
    }

    pub(crate) fn leave_pattern(&self, name: &ChannelName, subscriber: u64) {
        let mut patterns = self.patterns.write();
        if let Some(pattern) = patterns.iter_mut().find(|pattern| pattern.name == *name) {
            pattern.queues.remove(&subscriber);
        }
        patterns.retain(|pattern| !pattern.queues.is_empty());
    }

    /// Promises room for a publication in the queues that refuse publishers. Keep it until [`Hub::publish`] has returned.
    pub fn reserve(&self, publication: &Publication) -> Result<Reservation, QueueFull> {
        let mut reservation = Reservation::default();
        let is_scarce = self.is_scarce();
        for run in runs(&publication.messages) {
            let Some(name) = channel_of(publication.database, run) else { continue };
            let bytes = weight_of(run);
            let shard = self.shard(&name).lock();
            let Some(channel) = shard.get(&name) else { continue };
            for queue in channel.queues().filter(|queue| queue.overflow == Overflow::RefusePublisher) {
                if !queue.reserve(bytes, is_scarce) {
                    self.counters.refused.fetch_add(1, Ordering::Relaxed);
                    return Err(QueueFull { tag: queue.tag });
                }
                reservation.places.push((queue.clone(), bytes));
            }
        }
        Ok(reservation)
    }

    /// Gives a publication to all who are subscribed now. The order of the calls is the order that everybody sees.
    pub fn publish(&self, publication: &Publication, sequence: u64, now_millis: u64) {
        self.note_time(now_millis);
        let origin = Origin { publication, sequence, now_millis, held: &self.held };
        let mut streams = publication.stored.clone();
        for run in runs(&publication.messages) {
            let Some(name) = channel_of(publication.database, run) else { continue };
            let stream = streams.iter_mut().find(|stream| stream.channel == name.name);
            self.publish_run(name, run, stream.as_deref(), origin);
            if let Some(stream) = stream {
                stream.next_offset += run.len() as u64;
            }
        }
        self.counters.published.fetch_add(publication.messages.len() as u64, Ordering::Relaxed);
    }

    fn publish_run(&self, name: ChannelName, run: &[Message], stream: Option<&StoredStream>, origin: Origin<'_>) {
        let is_scarce = self.is_scarce();
        let mut delivered = Delivered::default();
        let mut made: Option<Arc<Batch>> = None;
        {
            let mut shard = self.shard(&name).lock();
            if let Some(stream) = stream {
                self.open(&name, &mut shard, stream, origin.now_millis);
            }
            if let Some(channel) = shard.get_mut(&name) {
                // What the table of a stored channel does not have, its history does not count.
                let kept = channel.history.as_mut().filter(|history| !history.is_stored() || stream.is_some());
                let next_offset = kept.as_ref().map_or(0, |history| history.next_offset());
                let first_offset = stream.map_or(next_offset, |stream| stream.next_offset);
                let batch = Arc::new(Batch::new(name.clone(), run, first_offset, origin));
                if let Some(history) = kept {
                    self.keep(history, batch.clone(), origin.now_millis);
                }
                delivered = channel.deliver(&batch, is_scarce, origin.publication.is_farewell);
                made = Some(batch);
            }
            if delivered.closed > 0 {
                self.look_after(&name, &mut shard);
            }
        }
        if !origin.publication.by_name_only {
            self.match_patterns(&name, run, origin, made, &mut delivered);
        }
        self.counters.delivered.fetch_add(delivered.taken, Ordering::Relaxed);
        self.counters.dropped.fetch_add(delivered.dropped, Ordering::Relaxed);
    }

    fn match_patterns(
        &self,
        name: &ChannelName,
        run: &[Message],
        origin: Origin<'_>,
        mut made: Option<Arc<Batch>>,
        delivered: &mut Delivered,
    ) {
        let patterns = self.patterns.read();
        for pattern in patterns.iter().filter(|pattern| pattern.matches(name)) {
            let batch = made.get_or_insert_with(|| Arc::new(Batch::new(name.clone(), run, 0, origin)));
            for queue in pattern.queues.values() {
                let event = Event::Matched { pattern: pattern.name.name.clone(), batch: batch.clone() };
                match queue.push(event, self.is_scarce()) {
                    Pushed::Taken => delivered.taken += 1,
                    Pushed::Dropped => {
                        log_dropped(queue, &name.name);
                        delivered.dropped += 1;
                    }
                    Pushed::Gone => {}
                }
            }
        }
    }

    /// Keeps a batch, within the limit of all histories: who publishes much gives up his own past first.
    fn keep(&self, history: &mut History, batch: Arc<Batch>, now_millis: u64) {
        let before = history.bytes();
        history.append(batch, now_millis);
        let others = self.history_bytes.load(Ordering::Relaxed).saturating_sub(before);
        history.trim_to(self.options.history_bytes_max.saturating_sub(others));
        self.account(before, history.bytes());
    }

    fn trim(&self, history: &mut History, now_millis: u64) {
        let before = history.bytes();
        history.trim(now_millis);
        self.account(before, history.bytes());
    }

    fn account(&self, before: usize, after: usize) {
        if after >= before {
            self.history_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.history_bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Part of what a channel keeps, with its newest position; `None` where nothing is kept.
    pub fn history(
        &self,
        name: &ChannelName,
        since: Option<u64>,
        backward: bool,
        limit: usize,
        now_millis: u64,
    ) -> Option<HistoryPart> {
        let mut shard = self.shard(name).lock();
        let history = shard.get_mut(name)?.history.as_mut()?;
        self.trim(history, now_millis);
        Some(HistoryPart {
            position: history.position(),
            first_offset: history.first(),
            part: history.part(since, backward, limit),
            is_stored: history.is_stored(),
        })
    }

    /// Who is in a channel, and how many have come unseen.
    pub fn members(&self, name: &ChannelName) -> Vec<Arc<Member>> {
        let shard = self.shard(name).lock();
        shard.get(name).map(|channel| channel.members().cloned().collect()).unwrap_or_default()
    }

    /// Forgets channels that nobody comes back for. To be called now and then.
    pub fn sweep(&self, now_millis: u64) {
        self.note_time(now_millis);
        for shard in &self.shards {
            shard.lock().retain(|_, channel| {
                let before = channel.history.as_ref().map_or(0, History::bytes);
                let is_over = channel.is_over(self.options.history, now_millis);
                let after = channel.history.as_ref().map_or(0, History::bytes);
                self.account(before, if is_over { 0 } else { after });
                if is_over && channel.counts_as_idle() {
                    self.idle_channels.fetch_sub(1, Ordering::Relaxed);
                }
                !is_over
            });
        }
    }

    /// How full the fullest place is, 0 to 1: one subscriber's queue, or all that is held.
    pub fn usage(&self) -> f64 {
        let of_queues = self.queues.lock().values().map(|queue| queue.fill()).fold(0.0, f64::max);
        let waiting = self.held.bytes().saturating_sub(self.history_bytes.load(Ordering::Relaxed));
        let of_all = waiting as f64 / self.options.held_bytes_max.max(1) as f64;
        // What a history shares with a queue is counted with the history.
        of_queues.max(of_all.min(1.0))
    }

    pub fn stats(&self) -> HubStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HubStats {
            subscribers: self.queues.lock().len(),
            channels: self.shards.iter().map(|shard| shard.lock().len()).sum(),
            published: count(&self.counters.published),
            delivered: count(&self.counters.delivered),
            dropped: count(&self.counters.dropped),
            refused: count(&self.counters.refused),
            held_bytes: self.held.bytes(),
            history_bytes: self.history_bytes.load(Ordering::Relaxed),
            recoveries: count(&self.counters.recoveries),
            gaps: count(&self.counters.gaps),
        }
    }

    /// All channels, in no order.
    pub fn channels(&self) -> Vec<ChannelFacts> {
        let facts = |(name, channel): (&ChannelName, &Channel)| ChannelFacts {
            name: name.clone(),
            subscribers: channel.subscriber_count(),
            history: channel.history.as_ref().map(|history| (history.position(), history.count())),
            counts: channel.counts,
        };
        self.shards.iter().flat_map(|shard| shard.lock().iter().map(facts).collect::<Vec<_>>()).collect()
    }
}

/// The channel of a run, which is never empty.
fn channel_of(database: u32, run: &[Message]) -> Option<ChannelName> {
    run.first().map(|message| ChannelName { database, name: message.channel.clone() })
}
