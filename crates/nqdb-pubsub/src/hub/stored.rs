//! Channels whose messages a table keeps: the hub has the newest part of their streams in memory, and never forgets where they are.
//!
//! Whoever publishes says at which offset ([`StoredStream`]); the hub only follows. So a channel is the same stream before and
//! after a restart, and what the hub has forgotten is read from the table by whoever asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Hub, Shard};
use crate::channel::{Channel, Member};
use crate::history::{History, StoredStream, StreamPart};
use crate::message::{Batch, ChannelName, Message, Origin, Publication};
use crate::queue::Closing;

/// A message as the table of its channel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    pub offset: u64,
    pub sender: i32,
    pub publisher: Option<Arc<Member>>,
    pub payload: Arc<str>,
}

impl Hub {
    /// Makes a channel's history that of a stored stream, unless it is already: what it kept is forgotten, and who was told a
    /// place in it is let go, to come back ([`Closing::Renewed`]).
    pub fn open_stored(&self, database: u32, stream: &StoredStream, now_millis: u64) {
        let name = ChannelName { database, name: stream.channel.clone() };
        self.open(&name, &mut self.shard(&name).lock(), stream, now_millis);
    }

    pub(super) fn open(&self, name: &ChannelName, shard: &mut Shard, stream: &StoredStream, now_millis: u64) {
        let channel = shard.entry(name.clone()).or_default();
        if let Some(history) = channel.history.as_mut().filter(|history| history.is_of(stream)) {
            history.set_limits(stream.limits);
            return;
        }
        self.forget_history(channel);
        channel.close(name, Closing::Renewed, now_millis);
        channel.history = Some(History::stored(stream));
    }

    /// Makes a channel one whose history is not stored any more; as [`Hub::open_stored`].
    pub fn close_stored(&self, name: &ChannelName, now_millis: u64) {
        let mut shard = self.shard(name).lock();
        let Some(channel) = shard.get_mut(name).filter(|channel| channel.is_stored()) else { return };
        self.forget_history(channel);
        channel.close(name, Closing::Renewed, now_millis);
        self.look_after(name, &mut shard);
    }

    fn forget_history(&self, channel: &mut Channel) {
        if channel.counts_as_idle() {
            self.idle_channels.fetch_sub(1, Ordering::Relaxed);
        }
        let before = channel.history.take().map_or(0, |history| history.bytes());
        self.account(before, 0);
    }

    /// Ends all subscriptions to a channel by its name: nothing will come any more.
    pub fn close(&self, name: &ChannelName, now_millis: u64) {
        let mut shard = self.shard(name).lock();
        let Some(channel) = shard.get_mut(name) else { return };
        if channel.close(name, Closing::Over, now_millis) > 0 {
            self.look_after(name, &mut shard);
        }
    }

    /// The channels whose histories are stored.
    pub fn stored_channels(&self) -> Vec<ChannelName> {
        let names = |shard: &parking_lot::Mutex<Shard>| -> Vec<ChannelName> {
            let shard = shard.lock();
            shard.iter().filter(|(_, channel)| channel.is_stored()).map(|(name, _)| name.clone()).collect()
        };
        self.shards.iter().flat_map(names).collect()
    }

    /// Messages from a channel's table as part of its stream. They follow each other.
    pub fn stored_part(&self, name: &ChannelName, messages: Vec<StoredMessage>, now_millis: u64) -> StreamPart {
        let batch = |message: StoredMessage| {
            let publication = Publication {
                database: name.database,
                sender: message.sender,
                publisher: message.publisher,
                messages: vec![Message { channel: name.name.clone(), payload: message.payload }],
                by_name_only: true,
                is_farewell: false,
                stored: Vec::new(),
            };
            let origin = Origin { publication: &publication, sequence: 0, now_millis, held: &self.held };
            Arc::new(Batch::new(name.clone(), &publication.messages, message.offset, origin))
        };
        StreamPart::of(messages.into_iter().map(batch).collect())
    }

    /// Counts a subscriber that came back and had missed more than the table of its channel has.
    pub fn note_gap(&self, name: &ChannelName) {
        self.counters.gaps.fetch_add(1, Ordering::Relaxed);
        if let Some(channel) = self.shard(name).lock().get_mut(name) {
            channel.counts.gaps += 1;
        }
    }
}
