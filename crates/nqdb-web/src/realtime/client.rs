//! One client of the JSON protocol: who it is, where it is subscribed, and what each of its commands does.
//!
//! Knows no socket: it is handed lines and events, and appends what is to be sent to a buffer. A command is done when the next
//! one is looked at, so that replies stand in the order of the commands, and what a subscription brings stands behind its reply.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use nqdb_pubsub::{
    Batch, ChannelName, Closing, Event, Guard, HistoryPart, Member, Message, Missed, Overflow, Position, Protocol,
    Publication, Subscriber, Subscription,
};
use nqdb_session::{Admission, Connected, LIVE_DATABASE};
use nqdb_sqlstate::SqlError;
use serde_json::{Value, json};

use super::Realtime;
use super::filter::Filter;
use super::live::{LIVE_PREFIX, LiveSubscriptions};
use super::protocol::{
    self, Command, Connect, Credentials, Disconnect, HistoryRequest, Publish, Refusal, Rpc, Subscribe,
};
use super::rights::{Narrowing, Wish, may};
use super::sql::SqlSide;
use super::token::{Claims, TokenError};
use crate::websocket::frame;

/// How often a client is asked whether it lives, seconds.
pub const PING_SECONDS: u64 = 25;
/// Channels and patterns that one client may be subscribed to.
pub const SUBSCRIPTIONS_MAX: usize = 1_000;
/// The longest name of a channel, bytes.
const CHANNEL_BYTES_MAX: usize = 255;
/// The most messages of a history in one reply.
const HISTORY_MESSAGES_MAX: usize = 1_000;
/// Ends a subscription such that the client tries it again.
const RESUBSCRIBE_CODE: u32 = 2500;
/// Ends a subscription such that the client does not try it again.
const UNSUBSCRIBE_CODE: u32 = 2000;
/// How long a connection lives on whose token has expired, so that its refresh can come, seconds.
const REFRESH_GRACE_SECONDS: u64 = 25;

/// Where a client comes from, as far as that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// From this machine, and by a name of this machine: roles without a password are trusted.
    pub is_trusted: bool,
    pub address: IpAddr,
}

/// What a client has proved.
#[derive(Clone, Debug)]
pub struct Identity {
    pub admission: Admission,
    pub narrowing: Narrowing,
    pub member: Arc<Member>,
    /// Whether it may send SQL.
    pub may_query: bool,
    /// Seconds since 1970.
    pub expires: Option<u64>,
}

/// What a line was answered with.
pub type Handled = Result<(), Disconnect>;

/// What is wanted of a channel that a client is subscribed to.
#[derive(Debug, Default)]
struct Wanted {
    /// To be told who comes and goes.
    members: bool,
    filter: Option<Filter>,
}

/// A client's side of the conversation.
pub struct Client {
    realtime: Arc<Realtime>,
    door: Door,
    id: Arc<str>,
    identity: Option<Identity>,
    subscriber: Subscriber,
    subscriptions: HashMap<Arc<str>, Wanted>,
    /// The live queries among them.
    live: LiveSubscriptions,
    /// What others may see of it.
    shown: Connected,
    /// When the messages in `out` were published, milliseconds of the hub's clock.
    published_millis: Vec<u64>,
    /// Its queries, once it has sent one.
    sql: Option<SqlSide>,
    /// Frames that are to be sent.
    pub out: BytesMut,
}

pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Client {
    pub fn new(realtime: Arc<Realtime>, door: Door, id: Arc<str>) -> Client {
        let subscriber = realtime.instance.hub.subscriber(0, Overflow::DropSubscriber);
        let (now_micros, instance) = (realtime.instance.now_micros(), &realtime.instance);
        let shown = instance.connections.add("websocket", door.address, now_micros, subscriber.meter());
        Client {
            realtime,
            door,
            id,
            identity: None,
            subscriber,
            subscriptions: HashMap::new(),
            live: LiveSubscriptions::default(),
            shown,
            published_millis: Vec::new(),
            sql: None,
            out: BytesMut::new(),
        }
    }

    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    pub fn is_connected(&self) -> bool {
        self.identity.is_some()
    }

    /// When the connection is over unless it is refreshed, seconds since 1970.
    pub fn ends_at(&self) -> Option<u64> {
        self.identity.as_ref()?.expires.map(|expires| expires + REFRESH_GRACE_SECONDS)
    }

    fn send(&mut self, line: &str) {
        self.out.put_slice(&frame::text(line));
    }

    /// Asks whether the client lives.
    pub fn ping(&mut self) {
        self.send("{}");
    }

    /// Does what a frame says. Pongs have been taken out before.
    pub async fn handle_line(&mut self, line: &str) -> Handled {
        let Some(mut command) = Command::read(line) else { return Err(protocol::BAD_REQUEST_CLOSE) };
        self.realtime.counters.commands.increment();
        self.shown.messages_in.fetch_add(1, Ordering::Relaxed);
        if !self.is_connected() {
            return match command.connect {
                Some(connect) => self.connect(command.id, connect).await,
                None => Err(protocol::BAD_REQUEST_CLOSE),
            };
        }
        if let (Some(send), Some(sql)) = (command.send.take(), &self.sql)
            && let Ok(taken) = serde_json::from_value(send.data)
        {
            sql.acknowledge(&taken);
            return Ok(());
        }
        if command.id == 0 {
            // Without an id there is nobody to answer, and other messages have no receiver here.
            return Ok(());
        }
        let (id, member) = (command.id, member_of(&command));
        let answer = self.answer(command).await?;
        self.shown.subscriptions.store(self.subscriptions.len(), Ordering::Relaxed);
        match answer {
            Ok(result) => self.send(&protocol::reply(id, member, result)),
            Err(refusal) => self.send(&protocol::refused(id, &refusal)),
        }
        Ok(())
    }

    async fn answer(&mut self, command: Command) -> Result<Result<Value, Refusal>, Disconnect> {
        Ok(if let Some(subscribe) = command.subscribe {
            self.subscribe(subscribe).await
        } else if let Some(unsubscribe) = command.unsubscribe {
            self.unsubscribe(&unsubscribe.channel);
            Ok(json!({}))
        } else if let Some(publish) = command.publish {
            self.publish(publish).await
        } else if let Some(history) = command.history {
            self.history(&history).await
        } else if let Some(presence) = command.presence {
            self.members(&presence.channel).map(|members| {
                let of = |member: &Arc<Member>| (member.client.to_string(), protocol::info(member));
                json!({ "presence": members.iter().map(of).collect::<serde_json::Map<String, Value>>() })
            })
        } else if let Some(stats) = command.presence_stats {
            self.members(&stats.channel).map(|members| {
                let users: std::collections::HashSet<&str> = members.iter().map(|member| &*member.user).collect();
                json!({ "num_clients": members.len(), "num_users": users.len() })
            })
        } else if let Some(refresh) = command.refresh {
            return self.refresh(&refresh.token);
        } else if let Some(rpc) = command.rpc {
            self.call(rpc).map(|data| json!({ "data": data }))
        } else if command.ping.is_some() {
            Ok(json!({}))
        } else if command.connect.is_some() {
            return Err(protocol::BAD_REQUEST_CLOSE);
        } else {
            Err(protocol::BAD_REQUEST)
        })
    }

    async fn connect(&mut self, id: u32, connect: Connect) -> Handled {
        let identity = match self
            .realtime
            .identify(&connect.token, serde_json::from_value(connect.data).ok(), self.door, &self.id)
            .await
        {
            Ok(identity) => identity,
            Err(NotIdentified::Refused(refusal)) => {
                self.send(&protocol::refused(id, &refusal));
                return Ok(());
            }
            Err(NotIdentified::Disconnected(disconnect)) => return Err(disconnect),
        };
        let mut result = json!({
            "client": &*self.id, "version": concat!("nqdb ", env!("CARGO_PKG_VERSION")), "ping": PING_SECONDS, "pong": true,
        });
        add_expiry(&mut result, identity.expires);
        self.shown.identify(&identity.member.user, identity.admission.database);
        self.identity = Some(identity);
        self.send(&protocol::reply(id, "connect", result));
        Ok(())
    }

    fn refresh(&mut self, token: &str) -> Result<Result<Value, Refusal>, Disconnect> {
        let claims = match self.realtime.verify(token) {
            Ok(claims) => claims,
            Err(TokenError::Expired) => return Ok(Err(protocol::TOKEN_EXPIRED)),
            Err(TokenError::Invalid) => return Err(protocol::INVALID_TOKEN),
        };
        let Some(before) = &self.identity else { return Err(protocol::BAD_REQUEST_CLOSE) };
        let now = self.realtime.identity_of(claims, &self.id).map_err(|_| protocol::INVALID_TOKEN)?;
        if now.admission != before.admission || now.member.user != before.member.user {
            // Somebody else has to connect anew.
            return Err(protocol::INVALID_TOKEN);
        }
        let mut result = json!({ "client": &*self.id, "version": concat!("nqdb ", env!("CARGO_PKG_VERSION")) });
        add_expiry(&mut result, now.expires);
        self.identity = Some(now);
        Ok(Ok(result))
    }

    /// Does what `rpc` asks.
    fn call(&mut self, rpc: Rpc) -> Result<Value, Refusal> {
        match rpc.method.as_str() {
            "sql.query" => self.queries()?.query(rpc.data, &rpc.text),
            "sql.cancel" => self.queries()?.cancel(rpc.data),
            _ => Err(protocol::METHOD_NOT_FOUND),
        }
    }

    /// Where the client's queries run, if it may have any.
    fn queries(&mut self) -> Result<&mut SqlSide, Refusal> {
        let identity = self.identity.as_ref().filter(|identity| identity.may_query);
        let identity = identity.ok_or(protocol::PERMISSION_DENIED)?;
        Ok(self.sql.get_or_insert_with(|| SqlSide::new(&self.realtime, &identity.admission)))
    }

    /// Ready when something of its queries waits to be sent.
    pub async fn queries_readable(&self) {
        match &self.sql {
            Some(sql) => sql.readable().await,
            None => std::future::pending().await,
        }
    }

    /// Appends the next push of its queries; `false` when none waits.
    pub fn tell_of_queries(&mut self) -> bool {
        let Some(frame) = self.sql.as_ref().and_then(SqlSide::pop) else { return false };
        self.out.put_slice(&frame);
        self.shown.messages_out.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The channel of a name in the client's database, if it may do that with it.
    fn channel(&self, name: &str, wish: Wish) -> Result<ChannelName, Refusal> {
        if name.is_empty() || name.len() > CHANNEL_BYTES_MAX || name.contains('\0') {
            return Err(protocol::BAD_REQUEST);
        }
        let Some(identity) = &self.identity else { return Err(protocol::PERMISSION_DENIED) };
        let (instance, rules) = (&self.realtime.instance, &self.realtime.options.rules);
        if !may(instance, rules, &identity.admission, &identity.narrowing, name, wish) {
            return Err(protocol::PERMISSION_DENIED);
        }
        Ok(ChannelName { database: identity.admission.database, name: name.into() })
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<Value, Refusal> {
        let channel = self.channel(&subscribe.channel, Wish::Read)?;
        if self.subscriptions.contains_key(&channel.name) {
            return Err(protocol::ALREADY_SUBSCRIBED);
        }
        let filter = match &subscribe.tf {
            Some(node) => Some(Filter::read(node).ok_or(protocol::BAD_REQUEST)?),
            None => None,
        };
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(protocol::LIMIT_EXCEEDED);
        }
        if channel.name.starts_with(LIVE_PREFIX) {
            if filter.is_some() {
                return Err(protocol::NOT_AVAILABLE);
            }
            return self.follow_query(channel.name, subscribe.data).await;
        }
        if is_pattern(&channel.name) {
            self.subscriber.subscribe_pattern(&channel).map_err(|_| protocol::LIMIT_EXCEEDED)?;
            self.subscriptions.insert(channel.name, Wanted { members: false, filter });
            return Ok(json!({}));
        }
        let since = subscribe.recover.then(|| Position { epoch: subscribe.epoch.into(), offset: subscribe.offset });
        let wanted = Subscription {
            member: self.identity.as_ref().map(|identity| identity.member.clone()),
            wants_members: subscribe.join_leave,
            keeps_history: true,
            since,
            guard: self.guard(&channel),
        };
        let told = self.realtime.instance.subscribe(&self.subscriber, &channel, wanted).await;
        let told = told.map_err(|error| refusal_of(&error))?.unwrap_or_default();
        let mut result = json!({ "recoverable": true, "positioned": true });
        if let (Some(members), Some(position)) = (result.as_object_mut(), told.position) {
            members.insert("epoch".to_owned(), Value::from(&*position.epoch));
            members.insert("offset".to_owned(), position.offset.into());
            if let Some(missed) = told.missed {
                let (recovered, publications) = match missed {
                    Missed::All(part) => (true, part),
                    Missed::Unknown | Missed::Stored { .. } => (false, Default::default()),
                };
                let is_wanted = |payload: &str| filter.as_ref().is_none_or(|filter| filter.passes(payload));
                let publications: Vec<Value> = publications
                    .messages()
                    .filter(|(_, _, payload)| is_wanted(payload))
                    .map(|(batch, offset, payload)| {
                        protocol::publication(offset, payload, batch.publisher().map(|member| &**member))
                    })
                    .collect();
                members.insert("was_recovering".to_owned(), Value::Bool(true));
                members.insert("recovered".to_owned(), Value::Bool(recovered));
                members.insert("publications".to_owned(), Value::from(publications));
            }
        }
        self.subscriptions.insert(channel.name, Wanted { members: subscribe.join_leave, filter });
        Ok(result)
    }

    fn unsubscribe(&mut self, name: &str) {
        let (Some(identity), Some((name, _))) = (&self.identity, self.subscriptions.remove_entry(name)) else { return };
        if self.live.leave(&name, &self.subscriber, self.realtime.instance.uptime_millis()) {
            return;
        }
        let channel = ChannelName { database: identity.admission.database, name };
        if is_pattern(&channel.name) {
            self.subscriber.unsubscribe_pattern(&channel);
        } else {
            self.subscriber.unsubscribe(&channel, self.realtime.instance.uptime_millis());
        }
    }

    async fn publish(&mut self, publish: Publish) -> Result<Value, Refusal> {
        let channel = self.channel(&publish.channel, Wish::Write)?;
        if is_pattern(&channel.name) {
            return Err(protocol::BAD_REQUEST);
        }
        let message = Message { channel: channel.name, payload: publish.text.into() };
        let publication = Publication {
            database: channel.database,
            sender: 0,
            publisher: self.identity.as_ref().map(|identity| identity.member.clone()),
            messages: vec![message],
            by_name_only: false,
            is_farewell: false,
            stored: Vec::new(),
        };
        self.realtime.counters.published.increment();
        match self.realtime.instance.publish(publication).await {
            Ok(()) => Ok(json!({})),
            Err(error) if is_for_now(&error) => Err(protocol::TOO_MANY_REQUESTS),
            Err(error) => {
                tracing::warn!(%error, "a message of a real-time client was not published");
                Err(protocol::INTERNAL)
            }
        }
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Value, Refusal> {
        let channel = self.channel(&request.channel, Wish::Read)?;
        let limit = match usize::try_from(request.limit) {
            Ok(limit) => limit.min(HISTORY_MESSAGES_MAX),
            // Centrifugo's way to ask for all that there is.
            Err(_) => HISTORY_MESSAGES_MAX,
        };
        let since = request.since.as_ref();
        let after = since.map(|since| since.offset);
        let found = self.realtime.instance.channel_history(&channel, after, request.reverse, limit).await;
        let found = found.map_err(|error| refusal_of(&error))?.ok_or(protocol::NOT_AVAILABLE)?;
        let HistoryPart { position, part, .. } = found;
        if since.is_some_and(|since| !since.epoch.is_empty() && *since.epoch != *position.epoch) {
            return Err(protocol::UNRECOVERABLE);
        }
        let mut publications: Vec<Value> = part
            .messages()
            .map(|(batch, offset, payload)| {
                protocol::publication(offset, payload, batch.publisher().map(|member| &**member))
            })
            .collect();
        if request.reverse {
            publications.reverse();
        }
        Ok(json!({ "publications": publications, "epoch": &*position.epoch, "offset": position.offset }))
    }

    /// Who is in a channel: for those who are in it themselves.
    fn members(&self, name: &str) -> Result<Vec<Arc<Member>>, Refusal> {
        let channel = self.channel(name, Wish::Read)?;
        if !self.subscriptions.contains_key(&channel.name) {
            return Err(protocol::PERMISSION_DENIED);
        }
        Ok(self.realtime.instance.hub.members(&channel))
    }

    /// Appends what an event tells the client. What comes of a subscription that it has just ended is not for it.
    pub fn tell(&mut self, event: Event) {
        match event {
            Event::Messages(batch) if batch.channel().database == LIVE_DATABASE => self.tell_of_query(&batch),
            Event::Messages(batch) => self.tell_of_messages(&batch, None),
            Event::Matched { pattern, batch } => self.tell_of_messages(&batch, Some(&pattern)),
            Event::Closed { channel, reason } => {
                self.unsubscribe(&channel.name);
                let (code, reason) = match reason {
                    Closing::Rights => (RESUBSCRIBE_CODE, "rights have changed"),
                    Closing::Renewed => (RESUBSCRIBE_CODE, "the channel counts anew"),
                    Closing::Over => (UNSUBSCRIBE_CODE, "the table is not published any more"),
                };
                self.send(&protocol::unsubscribe_push(&channel.name, code, reason));
            }
            Event::Joined { channel, member } => self.tell_of_member(&channel, "join", &member),
            Event::Left { channel, member } => self.tell_of_member(&channel, "leave", &member),
        }
    }

    /// What ends a subscription when the role's rights are not those that they were.
    fn guard(&self, channel: &ChannelName) -> Option<Guard> {
        let identity = self.identity.as_ref()?;
        self.realtime.instance.follow_guard(&identity.admission, &channel.name)
    }

    /// Messages of a channel, or those that a pattern matches, as far as they are wanted.
    fn tell_of_messages(&mut self, batch: &Batch, via: Option<&str>) {
        let Some(wanted) = self.subscriptions.get(via.unwrap_or(&batch.channel().name)) else { return };
        let (frame, count) = match (&wanted.filter, via) {
            (Some(filter), via) => protocol::push_frame_of(batch, via, &|payload| filter.passes(payload)),
            (None, Some(pattern)) => (protocol::push_frame(batch, Some(pattern)), batch.count()),
            (None, None) => (batch.encoded(Protocol::Json, |batch| protocol::push_frame(batch, None)), batch.count()),
        };
        if count > 0 {
            self.out.put_slice(&frame);
            self.note_sent(batch, count);
        }
    }

    /// Subscribes to the changes of a query's result; the reply has the result as it is.
    async fn follow_query(&mut self, name: Arc<str>, data: Value) -> Result<Value, Refusal> {
        let identity = self.identity.as_ref().filter(|identity| identity.may_query);
        let Some(identity) = identity else { return Err(protocol::PERMISSION_DENIED) };
        let request = super::live::request_of(data)?;
        let result =
            self.live.follow(&self.realtime.instance, &identity.admission, &name, request, &self.subscriber).await?;
        self.subscriptions.insert(name, Wanted::default());
        Ok(json!({ "data": result }))
    }

    /// What has changed in the result of a live query, under each name that the client has given it.
    fn tell_of_query(&mut self, batch: &Batch) {
        for name in self.live.names_of(batch.channel()) {
            if let Some(failure) = self.live.failure(&name) {
                self.unsubscribe(&name);
                let reason = protocol::query_failed(&failure).message;
                self.send(&protocol::unsubscribe_push(&name, RESUBSCRIBE_CODE, &reason));
                continue;
            }
            self.out.put_slice(&protocol::renamed_push_frame(batch, &name));
            self.note_sent(batch, batch.count());
        }
    }

    fn note_sent(&mut self, batch: &Batch, count: usize) {
        self.realtime.counters.sent.add(count as u64);
        self.shown.messages_out.fetch_add(count as u64, Ordering::Relaxed);
        self.published_millis.push(batch.published_millis());
    }

    /// What was in `out` has gone to the socket.
    pub fn note_written(&mut self) {
        let now_millis = self.realtime.instance.uptime_millis();
        for published in self.published_millis.drain(..) {
            self.realtime.counters.lag.observe(now_millis.saturating_sub(published));
        }
    }

    fn tell_of_member(&mut self, channel: &ChannelName, what: &str, member: &Member) {
        if self.subscriptions.get(&channel.name).is_some_and(|wanted| wanted.members) {
            self.send(&protocol::member_push(&channel.name, what, member));
        }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotIdentified {
    /// It may try again with something else.
    Refused(Refusal),
    Disconnected(Disconnect),
}

impl Realtime {
    /// Who a client is by its token, or by the name and the password that it brings.
    pub async fn identify(
        self: &Arc<Realtime>,
        token: &str,
        credentials: Option<Credentials>,
        door: Door,
        client: &Arc<str>,
    ) -> Result<Identity, NotIdentified> {
        if !token.is_empty() {
            let claims = self.verify(token).map_err(|error| match error {
                TokenError::Expired => NotIdentified::Refused(protocol::TOKEN_EXPIRED),
                TokenError::Invalid => NotIdentified::Disconnected(protocol::INVALID_TOKEN),
            })?;
            return self.identity_of(claims, client).map_err(NotIdentified::Disconnected);
        }
        let credentials = credentials.filter(|credentials| !credentials.user.is_empty());
        let credentials = credentials.ok_or(NotIdentified::Disconnected(protocol::BAD_REQUEST_CLOSE))?;
        let Ok(_turn) = self.password_checks.acquire().await else {
            return Err(NotIdentified::Refused(protocol::INTERNAL));
        };
        let realtime = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let database = credentials.database.as_deref().unwrap_or(&credentials.user);
            let password = credentials.password.as_deref();
            realtime.instance.admit_with_password(&credentials.user, password, database, door.is_trusted)
        });
        let admission = match checked.await {
            Ok(Ok(admission)) => admission,
            Ok(Err(error)) => {
                tracing::info!(code = error.code().as_str(), "a login over HTTP was refused");
                return Err(NotIdentified::Disconnected(protocol::PERMISSION_DENIED_CLOSE));
            }
            Err(_) => return Err(NotIdentified::Refused(protocol::INTERNAL)),
        };
        let member = Arc::new(Member { client: client.clone(), user: admission.role_name.clone() });
        Ok(Identity { admission, narrowing: Narrowing::default(), member, may_query: true, expires: None })
    }

    /// Checks a token against the secret of the configuration; without one there are no valid tokens.
    fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let secret = self.options.token_secret.as_ref().ok_or(TokenError::Invalid)?;
        super::token::verify(token, &secret.0, unix_seconds())
    }

    fn identity_of(&self, claims: Claims, client: &Arc<str>) -> Result<Identity, Disconnect> {
        let role = claims.role.as_deref().unwrap_or(&claims.sub);
        let database = claims.database.as_deref().unwrap_or("postgres");
        let admission = self.instance.admit(role, database).map_err(|error| {
            tracing::info!(code = error.code().as_str(), "a token's role was refused");
            protocol::PERMISSION_DENIED_CLOSE
        })?;
        let user = if claims.sub.is_empty() { admission.role_name.clone() } else { claims.sub.as_str().into() };
        let member = Arc::new(Member { client: client.clone(), user });
        let narrowing = Narrowing { read: claims.channels, write: claims.publish };
        Ok(Identity { admission, narrowing, member, may_query: claims.sql, expires: claims.exp })
    }
}

/// What a command is answered that could not look at a channel.
fn refusal_of(error: &SqlError) -> Refusal {
    if error.code() == nqdb_sqlstate::PROGRAM_LIMIT_EXCEEDED {
        return protocol::LIMIT_EXCEEDED;
    }
    tracing::warn!(%error, "a channel could not be read");
    protocol::INTERNAL
}

/// Whether publishing fails now and may succeed later: a queue is full, or the channel's definition is being changed.
fn is_for_now(error: &SqlError) -> bool {
    [nqdb_sqlstate::PROGRAM_LIMIT_EXCEEDED, nqdb_sqlstate::LOCK_NOT_AVAILABLE].contains(&error.code())
}

/// The member of a reply that carries the result.
fn member_of(command: &Command) -> &'static str {
    match command {
        Command { subscribe: Some(_), .. } => "subscribe",
        Command { unsubscribe: Some(_), .. } => "unsubscribe",
        Command { publish: Some(_), .. } => "publish",
        Command { history: Some(_), .. } => "history",
        Command { presence: Some(_), .. } => "presence",
        Command { presence_stats: Some(_), .. } => "presence_stats",
        Command { refresh: Some(_), .. } => "refresh",
        Command { rpc: Some(_), .. } => "rpc",
        _ => "ping",
    }
}

fn add_expiry(result: &mut Value, expires: Option<u64>) {
    if let (Some(members), Some(expires)) = (result.as_object_mut(), expires) {
        members.insert("expires".to_owned(), Value::Bool(true));
        members.insert("ttl".to_owned(), expires.saturating_sub(unix_seconds()).max(1).into());
    }
}

/// Whether a name stands for all channels that begin as it does.
pub fn is_pattern(name: &str) -> bool {
    name.ends_with('*')
}
