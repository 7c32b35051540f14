//! One channel: who is subscribed, who of them is shown, and what is kept.
//!
//! A channel exists as long as somebody is subscribed, and beyond that while it has a history that somebody may come back for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::history::{History, HistoryLimits, Missed, Position};
use crate::message::{Batch, ChannelName};
use crate::queue::{Closing, Event, Pushed, Queue};

/// Somebody as others in a channel see him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The connection.
    pub client: Arc<str>,
    pub user: Arc<str>,
}

/// Asked before a subscriber is given a message: whether it still may have it. Is not to wait.
#[derive(Clone)]
pub struct Guard(pub Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard(..)")
    }
}

/// How somebody subscribes.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    /// Who it is, for those who ask who is there; `None` stays unseen.
    pub member: Option<Arc<Member>>,
    /// Wants to be told who comes and goes.
    pub wants_members: bool,
    /// The channel is to count and keep its messages from now on, if it does not yet.
    pub keeps_history: bool,
    /// Where the subscriber was before.
    pub since: Option<Position>,
    /// Ends the subscription once it says no; without it nothing does.
    pub guard: Option<Guard>,
}

/// What a channel answers to who subscribes.
#[derive(Clone, Debug, Default)]
pub struct Subscribed {
    /// The newest message; `None` where the channel counts none.
    pub position: Option<Position>,
    /// What came since [`Subscription::since`].
    pub missed: Option<Missed>,
}

/// What a channel has seen since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    pub messages: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
    /// Subscribers that came back and had missed too much.
    pub gaps: u64,
}

/// A subscriber in a channel.
#[derive(Debug)]
struct Place {
    queue: Arc<Queue>,
    member: Option<Arc<Member>>,
    wants_members: bool,
    /// Was told its place in the history.
    is_positioned: bool,
    guard: Option<Guard>,
}

impl Place {
    fn may_have(&self) -> bool {
        self.guard.as_ref().is_none_or(|guard| guard.0())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Channel {
    places: BTreeMap<u64, Place>,
    pub(crate) history: Option<History>,
    pub(crate) counts: ChannelCounts,
    /// When the last subscriber left.
    idle_since_millis: Option<u64>,
}

/// How many of those subscribed got an event, and how many were ended by it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) taken: u64,
    pub(crate) dropped: u64,
    /// Subscriptions that their guards have ended.
    pub(crate) closed: u64,
}

impl Channel {
    /// Takes a subscriber in. `epoch` names the history if one begins.
    pub(crate) fn subscribe(
        &mut self,
        name: &ChannelName,
        queue: &Arc<Queue>,
        subscription: Subscription,
        begin_history: impl FnOnce() -> History,
    ) -> Subscribed {
        if subscription.keeps_history {
            self.history.get_or_insert_with(begin_history);
        }
        self.idle_since_millis = None;
        let position = self.history.as_ref().map(History::position);
        let missed = subscription.since.map(|since| match &self.history {
            Some(history) => history.missed_since(&since),
            None => Missed::Unknown,
        });
        if matches!(missed, Some(Missed::Unknown)) {
            self.counts.gaps += 1;
        }
        if let Some(member) = &subscription.member {
            self.tell_members(queue.id, || Event::Joined { channel: name.clone(), member: member.clone() });
        }
        let place = Place {
            queue: queue.clone(),
            member: subscription.member,
            wants_members: subscription.wants_members,
            is_positioned: subscription.keeps_history,
            guard: subscription.guard,
        };
        self.places.insert(queue.id, place);
        Subscribed { position, missed }
    }

    /// Lets a subscriber go; `false` when it was not there.
    pub(crate) fn unsubscribe(&mut self, name: &ChannelName, subscriber: u64, now_millis: u64) -> bool {
        let Some(place) = self.places.remove(&subscriber) else { return false };
        if let Some(member) = place.member {
            self.tell_members(subscriber, || Event::Left { channel: name.clone(), member: member.clone() });
        }
        if self.places.is_empty() {
            self.idle_since_millis = Some(now_millis);
        }
        true
    }

    /// Tells those who want to know of members. What they miss because they are far behind ends them like a message would.
    fn tell_members(&self, but: u64, event: impl Fn() -> Event) {
        for (id, place) in &self.places {
            if *id != but && place.wants_members {
                place.queue.push(event(), false);
            }
        }
    }

    /// Puts a batch into the queues, also into those of subscribers whose guards say no if it is a farewell.
    pub(crate) fn deliver(&mut self, batch: &Arc<Batch>, is_scarce: bool, is_farewell: bool) -> Delivered {
        self.counts.messages += batch.count() as u64;
        self.counts.bytes += batch.payload_bytes() as u64;
        let mut delivered = Delivered::default();
        self.places.retain(|_, place| {
            if !is_farewell && !place.may_have() {
                place.queue.push(Event::Closed { channel: batch.channel().clone(), reason: Closing::Rights }, false);
                delivered.closed += 1;
                return false;
            }
            match place.queue.push(Event::Messages(batch.clone()), is_scarce) {
                Pushed::Taken => delivered.taken += 1,
                Pushed::Dropped => {
                    log_dropped(&place.queue, &batch.channel().name);
                    delivered.dropped += 1;
                }
                Pushed::Gone => {}
            }
            true
        });
        if delivered.closed > 0 && self.places.is_empty() {
            self.idle_since_millis = Some(batch.at_millis);
        }
        delivered
    }

    /// Ends all subscriptions, or those that were told a place in the history; answers how many.
    pub(crate) fn close(&mut self, name: &ChannelName, reason: Closing, now_millis: u64) -> u64 {
        let mut closed = 0;
        self.places.retain(|_, place| {
            if reason == Closing::Renewed && !place.is_positioned {
                return true;
            }
            place.queue.push(Event::Closed { channel: name.clone(), reason }, false);
            closed += 1;
            false
        });
        if closed > 0 && self.places.is_empty() {
            self.idle_since_millis = Some(now_millis);
        }
        closed
    }

    /// Whether it is kept for those who come back and counts among the channels of which only so many are.
    pub(crate) fn counts_as_idle(&self) -> bool {
        self.places.is_empty() && self.history.as_ref().is_some_and(|history| !history.is_stored())
    }

    /// Whether a table has its history.
    pub(crate) fn is_stored(&self) -> bool {
        self.history.as_ref().is_some_and(History::is_stored)
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.places.values().map(|place| &place.queue)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.places.values().filter_map(|place| place.member.as_ref())
    }

    pub(crate) fn subscriber_count(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is subscribed, and nothing is kept for anybody who comes back.
    pub(crate) fn is_over(&mut self, limits: HistoryLimits, now_millis: u64) -> bool {
        if !self.places.is_empty() {
            return false;
        }
        let Some(history) = &mut self.history else { return true };
        history.trim(now_millis);
        if history.is_stored() {
            return false;
        }
        let is_forgotten = self.idle_since_millis.is_none_or(|since| now_millis >= since + limits.age_millis);
        history.is_empty() && is_forgotten
    }
}

/// Tells the operator of a subscriber that was too far behind.
pub(crate) fn log_dropped(queue: &Queue, channel: &str) {
    tracing::warn!(pid = queue.tag, channel, "a subscriber did not read what it is sent and was dropped");
}
