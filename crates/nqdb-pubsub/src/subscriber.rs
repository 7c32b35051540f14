//! A subscriber's own handle: what it listens to, what waits for it. Dropping it ends all its subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::channel::{Subscribed, Subscription};
use crate::hub::Hub;
use crate::message::ChannelName;
use crate::queue::{Event, Queue};

/// Channels that one subscriber may be in.
pub const CHANNELS_MAX: usize = 100_000;

/// The subscriber is in [`CHANNELS_MAX`] channels already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyChannels;

impl fmt::Display for TooManyChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a subscriber can be in {CHANNELS_MAX} channels at most")
    }
}

impl std::error::Error for TooManyChannels {}

/// Shows how much waits for a subscriber.
#[derive(Clone, Debug)]
pub struct QueueMeter(Arc<Queue>);

impl QueueMeter {
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Subscriber {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    places: Mutex<Places>,
}

/// Where a subscriber is, in the order in which it came there.
#[derive(Debug, Default)]
struct Places {
    next: u64,
    numbers: HashMap<Wanted, u64, foldhash::fast::RandomState>,
    in_order: BTreeMap<u64, Wanted>,
}

/// What a subscription is to: a channel, or all that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    Channel(ChannelName),
    Pattern(ChannelName),
}

impl Places {
    fn add(&mut self, wanted: Wanted) {
        let number = self.next;
        self.next += 1;
        self.in_order.insert(number, wanted.clone());
        self.numbers.insert(wanted, number);
    }

    fn remove(&mut self, wanted: &Wanted) -> bool {
        let Some(number) = self.numbers.remove(wanted) else { return false };
        self.in_order.remove(&number);
        true
    }

    /// Whether one more is possible; `false` when it is there already.
    fn expect_new(&self, wanted: &Wanted) -> Result<bool, TooManyChannels> {
        if self.numbers.contains_key(wanted) {
            return Ok(false);
        }
        if self.numbers.len() >= CHANNELS_MAX { Err(TooManyChannels) } else { Ok(true) }
    }
}

impl Subscriber {
    pub(crate) fn new(hub: Arc<Hub>, queue: Arc<Queue>) -> Subscriber {
        Subscriber { hub, queue, places: Mutex::default() }
    }

    /// Subscribes to a channel. `None`: it is in that channel already.
    pub fn subscribe(
        &self,
        channel: &ChannelName,
        subscription: Subscription,
        now_millis: u64,
    ) -> Result<Option<Subscribed>, TooManyChannels> {
        let wanted = Wanted::Channel(channel.clone());
        let mut places = self.places.lock();
        if !places.expect_new(&wanted)? {
            return Ok(None);
        }
        if self.queue.has_ended() {
            return Ok(Some(Subscribed::default()));
        }
        places.add(wanted);
        Ok(Some(self.hub.enter(channel, &self.queue, subscription, now_millis)))
    }

    /// Subscribes to all channels of a database that begin as the pattern does before its final `*`. `false`: it has that
    /// pattern already.
    pub fn subscribe_pattern(&self, pattern: &ChannelName) -> Result<bool, TooManyChannels> {
        let wanted = Wanted::Pattern(pattern.clone());
        let mut places = self.places.lock();
        if !places.expect_new(&wanted)? || self.queue.has_ended() {
            return Ok(false);
        }
        places.add(wanted);
        self.hub.enter_pattern(pattern, &self.queue);
        Ok(true)
    }

    /// Ends a subscription to a channel; `false` when there is none.
    pub fn unsubscribe(&self, channel: &ChannelName, now_millis: u64) -> bool {
        let mut places = self.places.lock();
        if !places.remove(&Wanted::Channel(channel.clone())) {
            return false;
        }
        self.hub.leave(channel, self.queue.id, now_millis);
        true
    }

    /// Ends a subscription to a pattern; `false` when there is none.
    pub fn unsubscribe_pattern(&self, pattern: &ChannelName) -> bool {
        let mut places = self.places.lock();
        if !places.remove(&Wanted::Pattern(pattern.clone())) {
            return false;
        }
        self.hub.leave_pattern(pattern, self.queue.id);
        true
    }

    /// Ends all subscriptions; what was queued stays.
    pub fn unsubscribe_all(&self, now_millis: u64) {
        let places = std::mem::take(&mut *self.places.lock());
        for wanted in places.in_order.values() {
            match wanted {
                Wanted::Channel(channel) => self.hub.leave(channel, self.queue.id, now_millis),
                Wanted::Pattern(pattern) => self.hub.leave_pattern(pattern, self.queue.id),
            }
        }
    }

    /// The channels that it is in by name, in the order of the subscriptions.
    pub fn channels(&self) -> Vec<ChannelName> {
        let places = self.places.lock();
        let channel = |wanted: &Wanted| match wanted {
            Wanted::Channel(channel) => Some(channel.clone()),
            Wanted::Pattern(_) => None,
        };
        places.in_order.values().filter_map(channel).collect()
    }

    pub fn is_in(&self, channel: &ChannelName) -> bool {
        self.places.lock().numbers.contains_key(&Wanted::Channel(channel.clone()))
    }

    /// How many subscriptions it has.
    pub fn subscription_count(&self) -> usize {
        self.places.lock().numbers.len()
    }

    /// Takes the oldest event that waits.
    pub fn pop(&self) -> Option<Event> {
        self.queue.pop()
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many bytes wait.
    pub fn waiting_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// How many bytes wait, for others to look at.
    pub fn meter(&self) -> QueueMeter {
        QueueMeter(self.queue.clone())
    }

    /// Whether it was ended because it did not read.
    pub fn was_dropped(&self) -> bool {
        self.queue.was_dropped()
    }

    /// Ready when something waits, or when the subscriber has ended.
    pub fn readable(&self) -> impl Future<Output = ()> + Send + use<> {
        let queue = self.queue.clone();
        poll_fn(move |context| queue.poll_readable(context))
    }

    /// Ready when the subscriber has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let queue = self.queue.clone();
        poll_fn(move |context| queue.poll_ended(context))
    }

    /// Ends it: it gets nothing any more, and is in no channel.
    pub fn end(&self, now_millis: u64) {
        self.queue.end();
        self.unsubscribe_all(now_millis);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.queue.end();
        self.unsubscribe_all(self.hub.latest_millis());
        self.hub.forget(self.queue.id);
    }
}
