//! The hub against the simplest thing that does the same: a list of messages for each subscriber.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nqdb_pubsub::{
    ChannelName, Closing, Event, Guard, HistoryLimits, HistoryPart, Hub, HubOptions, Message, Missed, Overflow,
    Position, Publication, StoredMessage, StoredStream, Subscriber, Subscription,
};
use proptest::prelude::*;

const CHANNELS: [&str; 4] = ["orders.eu", "orders.us", "stock", "s"];
const PATTERNS: [&str; 2] = ["orders.*", "s*"];
const SUBSCRIBERS: usize = 4;

fn options() -> HubOptions {
    HubOptions {
        held_bytes_max: 64 << 20,
        queue_bytes_max: 32 << 20,
        history: HistoryLimits { count: 20, bytes: 1 << 20, age_millis: 1_000 },
        history_bytes_max: 16 << 20,
        idle_channels_max: 100,
        epoch_seed: 7,
    }
}

fn name(channel: &str) -> ChannelName {
    ChannelName { database: 1, name: channel.into() }
}

fn publication(messages: &[(usize, u32)]) -> Publication {
    let message = |(channel, number): &(usize, u32)| Message {
        channel: CHANNELS[*channel].into(),
        payload: number.to_string().into(),
    };
    Publication {
        database: 1,
        sender: 1,
        publisher: None,
        messages: messages.iter().map(message).collect(),
        by_name_only: false,
        is_farewell: false,
        stored: Vec::new(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    SubscribePattern(usize, usize),
    UnsubscribePattern(usize, usize),
    Publish(Vec<(usize, u32)>),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let of = |count: usize| 0..count;
    prop_oneof![
        (of(SUBSCRIBERS), of(CHANNELS.len())).prop_map(|(s, c)| Step::Subscribe(s, c)),
        (of(SUBSCRIBERS), of(CHANNELS.len())).prop_map(|(s, c)| Step::Unsubscribe(s, c)),
        (of(SUBSCRIBERS), of(PATTERNS.len())).prop_map(|(s, p)| Step::SubscribePattern(s, p)),
        (of(SUBSCRIBERS), of(PATTERNS.len())).prop_map(|(s, p)| Step::UnsubscribePattern(s, p)),
        proptest::collection::vec((of(CHANNELS.len()), any::<u32>()), 1..6).prop_map(Step::Publish),
        of(SUBSCRIBERS).prop_map(Step::Read),
    ]
}

/// What came, and by which subscription: a pattern's text, or nothing for the channel's own.
type Heard = (String, String, String);

/// What the model knows of a subscriber.
#[derive(Default)]
struct Modelled {
    channels: Vec<usize>,
    patterns: Vec<usize>,
    waiting: Vec<Heard>,
}

impl Modelled {
    /// A run of neighbours on one channel comes once for the channel and once for each pattern.
    fn hear(&mut self, run: &[(usize, u32)], pattern_order: &[usize]) {
        let channel = run[0].0;
        let heard = |via: &str| -> Vec<Heard> {
            run.iter().map(|(c, n)| (via.to_owned(), CHANNELS[*c].to_owned(), n.to_string())).collect()
        };
        if self.channels.contains(&channel) {
            self.waiting.extend(heard(""));
        }
        for pattern in pattern_order.iter().filter(|pattern| self.patterns.contains(pattern)) {
            if CHANNELS[channel].starts_with(PATTERNS[*pattern].trim_end_matches('*')) {
                self.waiting.extend(heard(PATTERNS[*pattern]));
            }
        }
    }
}

fn read_all(subscriber: &Subscriber) -> Vec<Heard> {
    let mut heard = Vec::new();
    while let Some(event) = subscriber.pop() {
        let (via, batch) = match event {
            Event::Messages(batch) => (String::new(), batch),
            Event::Matched { pattern, batch } => (pattern.to_string(), batch),
            Event::Joined { .. } | Event::Left { .. } => panic!("nobody asked for members"),
            Event::Closed { .. } => panic!("nobody has a guard"),
        };
        let channel = batch.channel().name.to_string();
        heard.extend(batch.payloads().map(|payload| (via.clone(), channel.clone(), payload.to_owned())));
    }
    heard
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn everybody_hears_what_was_said_while_he_listened(steps in proptest::collection::vec(step(), 1..60)) {
        let hub = Hub::new(options());
        let subscribers: Vec<Subscriber> =
            (0..SUBSCRIBERS).map(|tag| hub.subscriber(tag as i32, Overflow::DropSubscriber)).collect();
        let mut model: Vec<Modelled> = (0..SUBSCRIBERS).map(|_| Modelled::default()).collect();
        // In the order in which the hub came to know them; a pattern nobody has is forgotten.
        let mut pattern_order: Vec<usize> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Subscribe(s, c) => {
                    let is_new = subscribers[s].subscribe(&name(CHANNELS[c]), Subscription::default(), 0).unwrap();
                    prop_assert_eq!(is_new.is_some(), !model[s].channels.contains(&c));
                    if is_new.is_some() {
                        model[s].channels.push(c);
                    }
                }
                Step::Unsubscribe(s, c) => {
                    let was_there = subscribers[s].unsubscribe(&name(CHANNELS[c]), 0);
                    prop_assert_eq!(was_there, model[s].channels.contains(&c));
                    model[s].channels.retain(|other| *other != c);
                }
                Step::SubscribePattern(s, p) => {
                    let is_new = subscribers[s].subscribe_pattern(&name(PATTERNS[p])).unwrap();
                    prop_assert_eq!(is_new, !model[s].patterns.contains(&p));
                    if is_new {
                        model[s].patterns.push(p);
                        if !pattern_order.contains(&p) {
                            pattern_order.push(p);
                        }
                    }
                }
                Step::UnsubscribePattern(s, p) => {
                    subscribers[s].unsubscribe_pattern(&name(PATTERNS[p]));
                    model[s].patterns.retain(|other| *other != p);
                    pattern_order.retain(|p| model.iter().any(|modelled| modelled.patterns.contains(p)));
                }
                Step::Publish(messages) => {
                    hub.publish(&publication(&messages), at as u64, 0);
                    for run in messages.chunk_by(|one, next| one.0 == next.0) {
                        model.iter_mut().for_each(|modelled| modelled.hear(run, &pattern_order));
                    }
                }
                Step::Read(s) => {
                    prop_assert_eq!(read_all(&subscribers[s]), std::mem::take(&mut model[s].waiting));
                }
            }
        }
        for (subscriber, modelled) in subscribers.iter().zip(model) {
            prop_assert_eq!(read_all(subscriber), modelled.waiting);
        }
        drop(subscribers);
        let stats = hub.stats();
        prop_assert_eq!((stats.subscribers, stats.channels, stats.held_bytes), (0, 0, 0));
    }

    /// Somebody goes and comes back at random: what he hears, and is told that he missed, is everything, in order, or he is
    /// told of the gap.
    #[test]
    fn who_comes_back_misses_nothing_or_is_told(
        publications in proptest::collection::vec((1usize..6, any::<bool>(), 0u64..400), 1..60),
    ) {
        let hub = Hub::new(options());
        let channel = name("orders.eu");
        let keeper = hub.subscriber(0, Overflow::DropSubscriber);
        let subscribe = |since| Subscription { keeps_history: true, since, ..Subscription::default() };
        keeper.subscribe(&channel, subscribe(None), 0).unwrap();
        let (mut now, mut next) = (0, 1u64);
        let mut sent: HashMap<u64, u64> = HashMap::new();
        let mut subscriber: Option<Subscriber> = None;
        let mut position: Option<Position> = None;
        for (count, flips, pause) in publications {
            now += pause;
            if flips {
                match subscriber.take() {
                    Some(leaving) => {
                        let at = position.as_mut().unwrap();
                        at.offset += read_all(&leaving).len() as u64;
                    }
                    None => {
                        let coming = hub.subscriber(1, Overflow::DropSubscriber);
                        let told = coming.subscribe(&channel, subscribe(position.clone()), now).unwrap().unwrap();
                        let reached = told.position.unwrap();
                        match told.missed {
                            Some(Missed::All(part)) => {
                                let since = position.as_ref().unwrap().offset;
                                let given: Vec<(u64, u64)> =
                                    part.messages().map(|(_, offset, payload)| (offset, payload.parse().unwrap())).collect();
                                let wanted: Vec<(u64, u64)> =
                                    (since + 1..=reached.offset).map(|offset| (offset, sent[&offset])).collect();
                                prop_assert_eq!(given, wanted);
                            }
                            Some(Missed::Stored { .. }) => panic!("nothing is stored"),
                            Some(Missed::Unknown) => {
                                let behind = reached.offset - position.as_ref().unwrap().offset;
                                prop_assert!(behind > 0, "nothing was missed");
                            }
                            None => prop_assert!(position.is_none()),
                        }
                        position = Some(reached);
                        subscriber = Some(coming);
                    }
                }
            }
            let messages: Vec<(usize, u32)> = (0..count).map(|more| (0, next as u32 + more as u32)).collect();
            hub.publish(&publication(&messages), next, now);
            for _ in 0..count {
                sent.insert(next, next);
                next += 1;
            }
        }
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let hub = Hub::new(HubOptions { queue_bytes_max: 10_000, ..options() });
    let (slow, quick) = (hub.subscriber(1, Overflow::DropSubscriber), hub.subscriber(2, Overflow::DropSubscriber));
    for subscriber in [&slow, &quick] {
        subscriber.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    }
    let mut heard = 0;
    for number in 0..1000 {
        hub.publish(&publication(&[(3, number)]), u64::from(number), 0);
        heard += read_all(&quick).len();
        assert!(slow.waiting_bytes() <= 10_000 + 1_000);
    }
    assert_eq!(heard, 1000);
    assert!(slow.was_dropped() && !quick.was_dropped());
    assert_eq!((slow.waiting(), hub.stats().dropped, hub.stats().held_bytes), (0, 1, 0));
}

#[test]
fn a_queue_that_refuses_holds_the_publisher_up_before_anything_is_said() {
    let hub = Hub::new(HubOptions { queue_bytes_max: 1_000, ..options() });
    let listener = hub.subscriber(42, Overflow::RefusePublisher);
    listener.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    let said = publication(&[(3, 1)]);
    let mut published = 0;
    let refused = loop {
        match hub.reserve(&said) {
            Ok(reservation) => {
                hub.publish(&said, published, 0);
                published += 1;
                drop(reservation);
            }
            Err(full) => break full,
        }
        assert!(published < 100, "the queue has no end");
    };
    assert_eq!(refused.tag, 42);
    assert!(hub.usage() > 0.5, "{}", hub.usage());
    // Another channel has room, and so has this one when it was read.
    assert!(hub.reserve(&publication(&[(0, 1)])).is_ok());
    assert_eq!(read_all(&listener).len() as u64, published);
    assert_eq!(hub.usage(), 0.0);
    // Two who reserve at the same time share what is there.
    let mut reservations = Vec::new();
    while let Ok(reservation) = hub.reserve(&said) {
        reservations.push(reservation);
        assert!(reservations.len() < 100);
    }
    assert_eq!(reservations.len() as u64, published);
    reservations.clear();
    assert!(hub.reserve(&said).is_ok());
    assert!(!listener.was_dropped());
}

#[test]
fn what_all_hold_together_is_bounded() {
    let hub = Hub::new(HubOptions { held_bytes_max: 50_000, queue_bytes_max: 40_000, ..options() });
    let subscribers: Vec<Subscriber> =
        (0..CHANNELS.len()).map(|tag| hub.subscriber(tag as i32, Overflow::DropSubscriber)).collect();
    for (subscriber, channel) in subscribers.iter().zip(CHANNELS) {
        subscriber.subscribe(&name(channel), Subscription::default(), 0).unwrap();
    }
    for number in 0..1_000 {
        for channel in 0..CHANNELS.len() {
            hub.publish(&publication(&[(channel, number)]), 0, 0);
            assert!(hub.stats().held_bytes < 60_000, "{:?}", hub.stats());
        }
    }
    assert!(subscribers.iter().any(Subscriber::was_dropped));
}

#[test]
fn a_channel_is_kept_for_those_who_come_back_and_then_forgotten() {
    let hub = Hub::new(options());
    let channel = name("s");
    let keeps = |since| Subscription { keeps_history: true, since, ..Subscription::default() };
    let first = hub.subscriber(1, Overflow::DropSubscriber);
    let position = first.subscribe(&channel, keeps(None), 0).unwrap().unwrap().position.unwrap();
    assert_eq!(position.offset, 0);
    drop(first);
    hub.publish(&publication(&[(3, 1), (3, 2)]), 1, 100);
    hub.sweep(900);
    let second = hub.subscriber(2, Overflow::DropSubscriber);
    let back = second.subscribe(&channel, keeps(Some(position.clone())), 900).unwrap().unwrap();
    let Some(Missed::All(part)) = back.missed else { panic!("{:?}", back.missed) };
    assert_eq!(part.messages().map(|(_, offset, payload)| (offset, payload)).collect::<Vec<_>>(), [(1, "1"), (2, "2")]);
    drop(part);
    second.end(1_000);
    hub.sweep(2_500);
    assert_eq!((hub.stats().channels, hub.stats().held_bytes, hub.stats().history_bytes), (0, 0, 0));
    let third = hub.subscriber(3, Overflow::DropSubscriber);
    let back = third.subscribe(&channel, keeps(Some(position)), 3_000).unwrap().unwrap();
    assert!(matches!(back.missed, Some(Missed::Unknown)), "another epoch");
}

#[test]
fn parts_of_a_history_are_given_from_both_ends() {
    let hub = Hub::new(options());
    let keeper = hub.subscriber(1, Overflow::DropSubscriber);
    keeper.subscribe(&name("s"), Subscription { keeps_history: true, ..Subscription::default() }, 0).unwrap();
    for number in 1..=30 {
        hub.publish(&publication(&[(3, number)]), 0, 0);
    }
    let part = |since, backward, limit| -> Vec<u64> {
        let HistoryPart { position, part, .. } = hub.history(&name("s"), since, backward, limit, 0).unwrap();
        assert_eq!(position.offset, 30);
        part.messages().map(|(_, offset, _)| offset).collect()
    };
    assert_eq!(part(None, false, 3), [11, 12, 13]);
    assert_eq!(part(Some(12), false, 3), [13, 14, 15]);
    assert_eq!(part(Some(28), false, 100), [29, 30]);
    assert_eq!(part(None, true, 3), [28, 29, 30]);
    assert_eq!(part(Some(13), true, 100), [11, 12]);
    assert_eq!(part(Some(30), false, 5), [0u64; 0]);
    assert!(hub.history(&name("stock"), None, false, 1, 0).is_none());
}

#[test]
fn members_are_told_who_comes_and_goes() {
    let hub = Hub::new(options());
    let member = |client: &str| Arc::new(nqdb_pubsub::Member { client: client.into(), user: "ada".into() });
    let watcher = hub.subscriber(1, Overflow::DropSubscriber);
    let watches = Subscription { member: Some(member("w")), wants_members: true, ..Subscription::default() };
    watcher.subscribe(&name("s"), watches, 0).unwrap();
    let guest = hub.subscriber(2, Overflow::DropSubscriber);
    let comes = Subscription { member: Some(member("g")), ..Subscription::default() };
    guest.subscribe(&name("s"), comes, 0).unwrap();
    assert_eq!(hub.members(&name("s")), [member("w"), member("g")]);
    drop(guest);
    assert_eq!(hub.members(&name("s")), [member("w")]);
    let told: Vec<String> = std::iter::from_fn(|| watcher.pop())
        .map(|event| match event {
            Event::Joined { member, .. } => format!("+{}", member.client),
            Event::Left { member, .. } => format!("-{}", member.client),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["+g", "-g"]);
}

#[test]
fn a_guard_ends_a_subscription_before_the_next_message() {
    let hub = Hub::new(options());
    let is_open = Arc::new(AtomicBool::new(true));
    let asked = is_open.clone();
    let guard = Some(Guard(Arc::new(move || asked.load(Ordering::Relaxed))));
    let guarded = hub.subscriber(1, Overflow::DropSubscriber);
    guarded.subscribe(&name("s"), Subscription { keeps_history: true, guard, ..Subscription::default() }, 0).unwrap();
    let other = hub.subscriber(2, Overflow::DropSubscriber);
    other.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    for (number, open) in [true, false, false].into_iter().enumerate() {
        is_open.store(open, Ordering::Relaxed);
        hub.publish(&publication(&[(3, number as u32)]), 1, 0);
    }
    let told: Vec<String> = std::iter::from_fn(|| guarded.pop())
        .map(|event| match event {
            Event::Messages(batch) => batch.payloads().collect(),
            Event::Closed { channel, .. } => format!("closed {}", channel.name),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["0", "closed s"]);
    assert_eq!(std::iter::from_fn(|| other.pop()).count(), 3);
    // Leaving what one is not in any more changes nothing; coming back does.
    assert_eq!(hub.channels()[0].subscribers, 1);
    assert!(guarded.unsubscribe(&name("s"), 0));
    drop(other);
    assert_eq!(hub.channels()[0].subscribers, 0);
    guarded.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    hub.publish(&publication(&[(3, 9)]), 1, 0);
    assert!(matches!(guarded.pop(), Some(Event::Messages(_))));
}

fn stream(epoch: &str, next_offset: u64) -> StoredStream {
    let limits = HistoryLimits { count: 2, bytes: 10_000, age_millis: 1_000 };
    StoredStream { channel: "s".into(), epoch: epoch.into(), limits, next_offset }
}

fn stored(epoch: &str, next_offset: u64, number: u32) -> Publication {
    Publication { stored: vec![stream(epoch, next_offset)], ..publication(&[(3, number), (3, number + 1)]) }
}

#[test]
fn a_stored_channel_goes_on_where_its_table_does_and_is_never_forgotten() {
    let hub = Hub::new(options());
    let keeps = |since| Subscription { keeps_history: true, since, ..Subscription::default() };
    hub.open_stored(1, &stream("e", 41), 0);
    hub.publish(&stored("e", 41, 1), 1, 0);
    hub.publish(&stored("e", 43, 3), 2, 0);
    hub.sweep(1_000_000);
    let at = |offset| Some(Position { epoch: "e".into(), offset });
    let mut told = Vec::new();
    for since in [at(44), at(43), at(40), at(45), None] {
        let subscriber = hub.subscriber(1, Overflow::DropSubscriber);
        let now = subscriber.subscribe(&name("s"), keeps(since), 1_000_000).unwrap().unwrap();
        assert_eq!(now.position, at(44));
        told.push(match now.missed {
            Some(Missed::All(part)) => {
                format!("{:?}", part.messages().map(|(_, offset, _)| offset).collect::<Vec<_>>())
            }
            Some(Missed::Stored { after, until }) => format!("stored {after}..={until}"),
            other => format!("{other:?}"),
        });
    }
    // All are too old for the memory; the table may say otherwise.
    assert_eq!(told, ["[]", "stored 43..=44", "stored 40..=44", "Some(Unknown)", "None"]);
    let listener = hub.subscriber(2, Overflow::DropSubscriber);
    listener.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    // What is not in the table is told, and counted by nobody.
    hub.publish(&publication(&[(3, 5)]), 3, 0);
    let Some(Event::Messages(batch)) = listener.pop() else { panic!("nothing was told") };
    assert_eq!(batch.messages().collect::<Vec<_>>(), [(0, "5")]);
    let message = StoredMessage { offset: 43, sender: 7, publisher: None, payload: "3".into() };
    let part = hub.stored_part(&name("s"), vec![message.clone(), StoredMessage { offset: 44, ..message }], 0);
    assert_eq!(
        part.messages().map(|(_, offset, payload)| (offset, payload)).collect::<Vec<_>>(),
        [(43, "3"), (44, "3")]
    );
}

#[test]
fn who_was_told_a_place_is_let_go_when_a_channel_counts_anew() {
    let hub = Hub::new(options());
    let keeps = |since| Subscription { keeps_history: true, since, ..Subscription::default() };
    let positioned = hub.subscriber(1, Overflow::DropSubscriber);
    let told = positioned.subscribe(&name("s"), keeps(None), 0).unwrap().unwrap();
    let listener = hub.subscriber(2, Overflow::DropSubscriber);
    listener.subscribe(&name("s"), Subscription::default(), 0).unwrap();
    hub.publish(&publication(&[(3, 1)]), 1, 0);
    hub.publish(&stored("e", 1, 2), 2, 0);
    let events: Vec<Event> = std::iter::from_fn(|| positioned.pop()).collect();
    assert!(matches!(events[..], [Event::Messages(_), Event::Closed { reason: Closing::Renewed, .. }]), "{events:?}");
    assert_eq!(std::iter::from_fn(|| listener.pop()).count(), 2);
    positioned.unsubscribe(&name("s"), 0);
    let back = positioned.subscribe(&name("s"), keeps(told.position), 0).unwrap().unwrap();
    assert!(matches!(back.missed, Some(Missed::Unknown)), "{back:?}");
    assert_eq!(back.position, Some(Position { epoch: "e".into(), offset: 2 }));
    hub.close_stored(&name("s"), 0);
    assert!(matches!(positioned.pop(), Some(Event::Closed { reason: Closing::Renewed, .. })));
    assert!(hub.stored_channels().is_empty());
    hub.close(&name("s"), 0);
    assert!(matches!(listener.pop(), Some(Event::Closed { reason: Closing::Over, .. })));
    assert_eq!((hub.stats().channels, hub.stats().history_bytes), (0, 0));
}
