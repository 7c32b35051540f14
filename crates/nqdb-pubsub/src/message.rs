//! What is published: messages of one publisher, and the batches in which they are kept.
//!
//! Messages of one publication that follow each other on one channel become one [`Batch`]: queues hold one pointer for all of
//! them, and a protocol encodes them in one go.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::channel::Member;
use crate::history::StoredStream;

/// A batch takes no further message once its payloads have reached this, bytes.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// What a message costs beside its payload: its end, and its frame in an encoded form.
const MESSAGE_OVERHEAD_BYTES: usize = 16;

/// What a batch costs beside its messages.
const BATCH_OVERHEAD_BYTES: usize = 192;

/// A channel of one database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName {
    pub database: u32,
    pub name: Arc<str>,
}

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub channel: Arc<str>,
    pub payload: Arc<str>,
}

/// What one publisher says at once.
#[derive(Clone, Debug)]
pub struct Publication {
    pub database: u32,
    /// The number that the publisher is known by, as PostgreSQL's clients see it.
    pub sender: i32,
    /// Who it is, where subscribers are to know.
    pub publisher: Option<Arc<Member>>,
    pub messages: Vec<Message>,
    /// Only for who subscribed to the channel by its name: patterns do not match it.
    pub by_name_only: bool,
    /// Also for subscribers whose guards say no: the last that is told of a channel.
    pub is_farewell: bool,
    /// The channels among those of the messages whose histories are stored.
    pub stored: Vec<StoredStream>,
}

/// The forms in which messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// NotificationResponse of PostgreSQL's protocol.
    Postgres,
    /// Pushes of the JSON client protocol.
    Json,
}

const PROTOCOLS: usize = 2;

/// Messages that follow each other on one channel.
#[derive(Debug)]
pub struct Batch {
    channel: ChannelName,
    sender: i32,
    publisher: Option<Arc<Member>>,
    /// What the publisher's commit was numbered.
    sequence: u64,
    /// See [`Batch::published_millis`].
    pub(crate) at_millis: u64,
    /// The first message's offset in its channel; 0 where the channel counts none.
    first_offset: u64,
    /// The payloads, one behind the other.
    text: String,
    ends: Vec<usize>,
    encoded: [OnceLock<Bytes>; PROTOCOLS],
    weight: usize,
    held: Arc<Held>,
}

/// The bytes of all batches that somebody still has.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

/// The facts that the batches of a publication share.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) publication: &'a Publication,
    pub(crate) sequence: u64,
    pub(crate) now_millis: u64,
    pub(crate) held: &'a Arc<Held>,
}

impl Batch {
    /// A batch of messages of one channel; the first has the offset `first_offset`.
    pub(crate) fn new(channel: ChannelName, run: &[Message], first_offset: u64, origin: Origin<'_>) -> Batch {
        let mut text = String::with_capacity(run.iter().map(|message| message.payload.len()).sum());
        let ends = run.iter().map(|message| {
            text.push_str(&message.payload);
            text.len()
        });
        let ends = ends.collect();
        let weight = weight_of(run);
        origin.held.0.fetch_add(weight, Ordering::Relaxed);
        Batch {
            channel,
            sender: origin.publication.sender,
            publisher: origin.publication.publisher.clone(),
            sequence: origin.sequence,
            at_millis: origin.now_millis,
            first_offset,
            text,
            ends,
            encoded: Default::default(),
            weight,
            held: origin.held.clone(),
        }
    }

    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    pub fn sender(&self) -> i32 {
        self.sender
    }

    pub fn publisher(&self) -> Option<&Arc<Member>> {
        self.publisher.as_ref()
    }

    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The offset of the first message; 0 where the channel counts none.
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// How many messages there are; never none.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The payloads in their order.
    pub fn payloads(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let payload = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            payload
        })
    }

    /// The messages with their offsets.
    pub fn messages(&self) -> impl Iterator<Item = (u64, &str)> {
        (self.first_offset..).zip(self.payloads())
    }

    /// The bytes of all payloads.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.text.len()
    }

    /// When it was published, milliseconds of the hub's clock.
    pub fn published_millis(&self) -> u64 {
        self.at_millis
    }

    /// The offset behind the last message.
    pub(crate) fn end_offset(&self) -> u64 {
        self.first_offset + self.ends.len() as u64
    }

    /// All messages in the form of a protocol: encoded at the first call, and shared from then on.
    pub fn encoded(&self, protocol: Protocol, encode: impl FnOnce(&Batch) -> Bytes) -> Bytes {
        let slot = match protocol {
            Protocol::Postgres => &self.encoded[0],
            Protocol::Json => &self.encoded[1],
        };
        slot.get_or_init(|| encode(self)).clone()
    }

    /// What it counts for in queues and histories, bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// What a batch of these messages counts for, bytes.
pub(crate) fn weight_of(run: &[Message]) -> usize {
    let of_messages: usize =
        run.iter().map(|message| message.payload.len() + message.channel.len() + MESSAGE_OVERHEAD_BYTES).sum();
    BATCH_OVERHEAD_BYTES + of_messages
}

/// The runs of a publication that become batches: neighbours on one channel, up to [`BATCH_BYTES_MAX`].
pub(crate) fn runs(messages: &[Message]) -> impl Iterator<Item = &[Message]> {
    let mut bytes = 0;
    messages.chunk_by(move |one, next| {
        bytes += one.payload.len() + MESSAGE_OVERHEAD_BYTES;
        let together = one.channel == next.channel && bytes < BATCH_BYTES_MAX;
        if !together {
            bytes = 0;
        }
        together
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(channel: &str, payload: &str) -> Message {
        Message { channel: channel.into(), payload: payload.into() }
    }

    #[test]
    fn neighbours_on_one_channel_are_one_run() {
        let messages = [message("a", "1"), message("a", "2"), message("b", "3"), message("a", "4")];
        let lengths: Vec<usize> = runs(&messages).map(<[Message]>::len).collect();
        assert_eq!(lengths, [2, 1, 1]);
        let long = "x".repeat(BATCH_BYTES_MAX / 2);
        let messages = [message("a", &long), message("a", &long), message("a", "1"), message("a", "2")];
        let lengths: Vec<usize> = runs(&messages).map(<[Message]>::len).collect();
        assert_eq!(lengths, [2, 2]);
    }

    #[test]
    fn a_batch_gives_its_messages_back_and_its_bytes_at_the_end() {
        let held = Arc::new(Held::default());
        let messages = vec![message("a", "één"), message("a", ""), message("a", "two")];
        let publication = Publication {
            database: 1,
            sender: 7,
            publisher: None,
            messages,
            by_name_only: false,
            is_farewell: false,
            stored: Vec::new(),
        };
        let origin = Origin { publication: &publication, sequence: 3, now_millis: 0, held: &held };
        let name = ChannelName { database: 1, name: "a".into() };
        let batch = Batch::new(name, &publication.messages, 5, origin);
        assert_eq!(batch.messages().collect::<Vec<_>>(), [(5, "één"), (6, ""), (7, "two")]);
        assert_eq!((batch.count(), batch.end_offset()), (3, 8));
        assert_eq!(held.bytes(), batch.weight());
        let first = batch.encoded(Protocol::Json, |batch| Bytes::from(batch.text.clone().into_bytes()));
        let again = batch.encoded(Protocol::Json, |_| Bytes::new());
        assert_eq!(first, again);
        drop(batch);
        assert_eq!(held.bytes(), 0);
    }
}
