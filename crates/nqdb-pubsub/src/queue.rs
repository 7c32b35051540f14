//! What waits for one subscriber.
//!
//! 1. The queue holds at most its limit in bytes, plus one batch: what comes to a queue that is over it ends the subscriber,
//!    and what was in it is given back at once. Where the queue refuses instead, room is reserved before a message exists.
//! 2. An ended queue takes nothing and keeps nothing.
//! 3. One task reads a queue: the newest waker is the one that is woken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::channel::Member;
use crate::message::{Batch, ChannelName};

/// What a full queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It ends its subscriber: publishers are never held up.
    DropSubscriber,
    /// It refuses the publisher, before anything is published.
    RefusePublisher,
}

/// Why a subscription was ended from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The subscriber's guard said no.
    Rights,
    /// What was published there will not be any more.
    Over,
    /// The channel counts its messages anew: places in it mean nothing any more.
    Renewed,
}

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// Messages of a channel that it subscribed to by name.
    Messages(Arc<Batch>),
    /// Messages of a channel that a pattern of its own matches.
    Matched { pattern: Arc<str>, batch: Arc<Batch> },
    /// Somebody came into a channel.
    Joined { channel: ChannelName, member: Arc<Member> },
    /// Somebody left it.
    Left { channel: ChannelName, member: Arc<Member> },
    /// The subscription has been ended.
    Closed { channel: ChannelName, reason: Closing },
}

/// What an event without messages counts for, bytes.
const EVENT_BYTES: usize = 128;

/// What the queue itself needs for an event, bytes.
const ENTRY_BYTES: usize = 32;

impl Event {
    fn weight(&self) -> usize {
        match self {
            Event::Messages(batch) | Event::Matched { batch, .. } => batch.weight() + ENTRY_BYTES,
            Event::Joined { .. } | Event::Left { .. } | Event::Closed { .. } => EVENT_BYTES,
        }
    }
}

/// A subscriber's queue, as channels know it.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: u64,
    /// What the subscriber is called in the log, and to publishers that it holds up: a process number.
    pub(crate) tag: i32,
    pub(crate) overflow: Overflow,
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    /// Promised to messages that are about to be published.
    reserved_bytes: usize,
    waker: Option<Waker>,
    has_ended: bool,
    was_dropped: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// The subscriber was too far behind and has been ended.
    Dropped,
    /// The subscriber had ended before.
    Gone,
}

impl Queue {
    pub(crate) fn new(id: u64, tag: i32, overflow: Overflow, limit_bytes: usize) -> Queue {
        Queue { id, tag, overflow, limit_bytes, state: Mutex::default() }
    }

    /// Puts an event behind the others and wakes the reader. `is_scarce`: there is room only for those who keep up.
    pub(crate) fn push(&self, event: Event, is_scarce: bool) -> Pushed {
        let mut state = self.state.lock();
        if state.has_ended {
            return Pushed::Gone;
        }
        let is_behind = state.bytes > self.limit_bytes || (is_scarce && !state.events.is_empty());
        let pushed = if is_behind && self.overflow == Overflow::DropSubscriber {
            state.was_dropped = true;
            state.end();
            Pushed::Dropped
        } else {
            state.bytes += event.weight();
            state.events.push_back(event);
            Pushed::Taken
        };
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    /// Promises room to messages of so many bytes; false when there is none.
    pub(crate) fn reserve(&self, bytes: usize, is_scarce: bool) -> bool {
        let mut state = self.state.lock();
        if state.has_ended {
            return true;
        }
        let promised = state.bytes + state.reserved_bytes;
        if promised > 0 && (promised + bytes > self.limit_bytes || is_scarce) {
            return false;
        }
        state.reserved_bytes += bytes;
        true
    }

    pub(crate) fn unreserve(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.reserved_bytes = state.reserved_bytes.saturating_sub(bytes);
    }

    /// Takes the oldest event.
    pub(crate) fn pop(&self) -> Option<Event> {
        let mut state = self.state.lock();
        let event = state.events.pop_front()?;
        state.bytes = state.bytes.saturating_sub(event.weight());
        if state.events.is_empty() {
            // What a burst took is not kept.
            state.events.shrink_to(16);
        }
        Some(event)
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().events.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// How full it is: 1 at its limit.
    pub(crate) fn fill(&self) -> f64 {
        (self.bytes() as f64 / self.limit_bytes.max(1) as f64).min(1.0)
    }

    /// Ends it: nothing is taken any more, what was there is given back.
    pub(crate) fn end(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.end();
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().has_ended
    }

    /// Whether it was ended because its subscriber was too far behind.
    pub(crate) fn was_dropped(&self) -> bool {
        self.state.lock().was_dropped
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_for(context, |state| state.has_ended || !state.events.is_empty())
    }

    pub(crate) fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_for(context, |state| state.has_ended)
    }

    fn poll_for(&self, context: &mut Context<'_>, is_there: impl Fn(&State) -> bool) -> Poll<()> {
        let mut state = self.state.lock();
        if is_there(&state) {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl State {
    fn end(&mut self) {
        self.has_ended = true;
        self.events = VecDeque::new();
        self.bytes = 0;
    }
}
