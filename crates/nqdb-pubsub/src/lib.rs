//! Channels and who listens to them: the hub between those who publish and those who subscribe.
//!
//! ```text
//!  publish (in commit order) ──> shard ──> channel ──> history ring
//!                                             ├──────> queue of a subscriber ──> wakes its task
//!                                             └──────> queue of a subscriber ──> wakes its task
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `message` | what is published, and the batches that queues and histories share |
//! | `queue` | what waits for one subscriber, bounded in bytes |
//! | `history` | what a channel keeps for those who come back: epoch, offsets, limits |
//! | `channel` | one channel: its subscribers, its members, its history |
//! | `subscriber` | a subscriber's own handle |
//! | `hub` | all of it, in shards |
//!
//! What always holds:
//! 1. A message is stored once, and encoded once for each protocol; queues and histories share it.
//! 2. Publishing waits for no subscriber. A queue that is full ends its subscriber, with a reason that it can ask for, or has
//!    refused the message before it was published ([`Hub::reserve`]).
//! 3. A subscriber gets the messages of a channel in the order in which they were published, without a gap, from its
//!    subscription to its end: there is nothing between, and what it missed before is told at the subscription.
//! 4. A subscriber that is dropped is in no channel any more.
//!
//! The crate knows neither sockets nor SQL, nor transactions: whoever publishes calls in the order that is to be seen. Time
//! comes in as milliseconds of any clock that does not go back.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod channel;
mod history;
mod hub;
mod message;
mod queue;
mod subscriber;

pub use channel::{ChannelCounts, Guard, Member, Subscribed, Subscription};
pub use history::{HistoryLimits, Missed, Position, StoredStream, StreamPart};
pub use hub::{ChannelFacts, HistoryPart, Hub, HubOptions, HubStats, QueueFull, Reservation, StoredMessage};
pub use message::{BATCH_BYTES_MAX, Batch, ChannelName, Message, Protocol, Publication};
pub use queue::{Closing, Event, Overflow};
pub use subscriber::{CHANNELS_MAX, QueueMeter, Subscriber, TooManyChannels};
