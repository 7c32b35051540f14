//! `/sse?channel=`: server-sent events (WHATWG HTML, 9.2). Each message of the channel is one event; its id names its place in the
//! channel's stream, `epoch:offset`, so that a browser that comes back with `Last-Event-ID` gets what it missed.
//!
//! ```text
//! id: 8f3a-1:42
//! data: {"order": 17}
//! ```
//!
//! The first event has no data but the place where the stream begins. When what was missed cannot be given any more, an event
//! `gap` says so before the stream goes on: the page has to look for itself.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use http_body::Frame;
use nqdb_pubsub::{ChannelName, Event, Missed, Overflow, Position, Subscribed, Subscriber, Subscription};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::rights::{Wish, may};
use super::{Connected, Query, Realtime, Shared, door_of, expect_origin, shown};
use crate::limited::Place;

/// How often a comment goes out, so that what stands between does not end the connection.
const COMMENT_INTERVAL: Duration = Duration::from_secs(25);
/// What is gathered for one piece of the body, bytes.
const PIECE_BYTES: usize = 32 * 1024;

/// `/sse?channel=`.
pub async fn server_sent_events(
    State(shared): State<Shared>,
    ConnectInfo(place): ConnectInfo<Place>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, _) = request.into_parts();
    match open(&shared, &place, &parts).await {
        Ok(stream) => {
            place.release();
            let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
            (headers, Body::new(stream)).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn open(shared: &Shared, place: &Place, request: &Parts) -> Result<EventStream, (StatusCode, &'static str)> {
    let realtime = &shared.realtime;
    expect_origin(realtime, &request.headers)?;
    let query = Query::of(&request.uri);
    let channel = query.get("channel").filter(|channel| !channel.is_empty());
    let channel = channel.ok_or((StatusCode::BAD_REQUEST, "the channel is missing: /sse?channel=NAME\n"))?;
    let door = door_of(&request.headers, place.peer());
    let identity = realtime.identify_request(&request.headers, &query, door).await?;
    let (instance, rules) = (&realtime.instance, &realtime.options.rules);
    if channel.ends_with('*') {
        return Err((StatusCode::BAD_REQUEST, "one channel is wanted, not a pattern\n"));
    }
    if !may(instance, rules, &identity.admission, &identity.narrowing, &channel, Wish::Read) {
        return Err((StatusCode::FORBIDDEN, "the role may not read this channel\n"));
    }
    let connected = realtime.take_place()?;
    let since = request.headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(position_of);
    let subscriber = instance.hub.subscriber(0, Overflow::DropSubscriber);
    let name = ChannelName { database: identity.admission.database, name: channel.as_str().into() };
    let guard = instance.follow_guard(&identity.admission, &channel);
    let wanted = Subscription { keeps_history: true, since, guard, ..Subscription::default() };
    let told = instance.subscribe(&subscriber, &name, wanted).await.map_err(|error| {
        tracing::warn!(%error, "a channel could not be read");
        (StatusCode::INTERNAL_SERVER_ERROR, "internal server error\n")
    })?;
    let shown = shown(instance, "sse", door, &identity, &subscriber);
    let told = told.unwrap_or_default();
    Ok(EventStream::new(realtime.clone(), subscriber, told, shared.stop.clone(), (connected, shown)))
}

/// `epoch:offset`; what is not of that form is a place that nobody knows.
fn position_of(id: &str) -> Position {
    let (epoch, offset) = id.rsplit_once(':').unwrap_or(("", ""));
    match offset.parse() {
        Ok(offset) => Position { epoch: epoch.into(), offset },
        Err(_) => Position { epoch: "".into(), offset: 0 },
    }
}

/// Appends an event; a payload's lines are lines of data.
fn put_event(text: &mut String, epoch: &str, offset: u64, payload: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "id: {epoch}:{offset}");
    for line in payload.split('\n') {
        let _ = writeln!(text, "data: {}", line.replace('\r', ""));
    }
    text.push('\n');
}

/// The first events: where the stream begins, and what was missed.
fn opening(told: &Subscribed, epoch: &str) -> String {
    let mut text = String::new();
    match &told.missed {
        Some(Missed::All(part)) => {
            part.messages().for_each(|(_, offset, payload)| put_event(&mut text, epoch, offset, payload));
        }
        Some(Missed::Unknown | Missed::Stored { .. }) => text.push_str("event: gap\ndata: \n\n"),
        None => {}
    }
    if text.is_empty() || matches!(told.missed, Some(Missed::Unknown | Missed::Stored { .. })) {
        let offset = told.position.as_ref().map_or(0, |position| position.offset);
        // An id without data changes the place only.
        let _ = write!(text, "id: {epoch}:{offset}\n\n");
    }
    text
}

/// The body of an answer that goes on until somebody ends it.
struct EventStream {
    realtime: Arc<Realtime>,
    subscriber: Subscriber,
    epoch: Arc<str>,
    opening: Option<String>,
    ticks: Interval,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    shown: nqdb_session::Connected,
    _connected: Connected,
}

impl EventStream {
    fn new(
        realtime: Arc<Realtime>,
        subscriber: Subscriber,
        told: Subscribed,
        mut stop: watch::Receiver<bool>,
        (connected, shown): (Connected, nqdb_session::Connected),
    ) -> EventStream {
        let epoch = told.position.as_ref().map_or_else(|| "".into(), |position| position.epoch.clone());
        let mut ticks = interval(COMMENT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let ended = Box::pin(async move {
            // An error means that the server is gone altogether.
            let _ = stop.wait_for(|stop| *stop).await;
        });
        let opening = Some(opening(&told, &epoch));
        EventStream { realtime, subscriber, epoch, opening, ticks, ended, shown, _connected: connected }
    }

    fn gather(&mut self) -> String {
        let mut text = String::new();
        while text.len() < PIECE_BYTES
            && let Some(event) = self.subscriber.pop()
        {
            if let Event::Closed { .. } = event {
                // A browser comes back, and is told that it may not.
                self.subscriber.end(self.realtime.instance.uptime_millis());
            }
            if let Event::Messages(batch) = event {
                batch.messages().for_each(|(offset, payload)| put_event(&mut text, &self.epoch, offset, payload));
                self.realtime.counters.sent.add(batch.count() as u64);
                self.shown.messages_out.fetch_add(batch.count() as u64, Ordering::Relaxed);
            }
        }
        text
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = |text: String| Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))));
        if let Some(opening) = self.opening.take() {
            return piece(opening);
        }
        if self.ended.as_mut().poll(context).is_ready() || self.subscriber.was_dropped() {
            return Poll::Ready(None);
        }
        if pin!(self.subscriber.readable()).poll(context).is_ready() {
            let text = self.gather();
            // Nothing was there: it has ended.
            return if text.is_empty() { Poll::Ready(None) } else { piece(text) };
        }
        match self.ticks.poll_tick(context) {
            Poll::Ready(_) => piece(":\n\n".to_owned()),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.realtime.counters.disconnects.increment();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_place_and_lines() {
        let mut text = String::new();
        put_event(&mut text, "e-1", 7, "one\r\ntwo");
        assert_eq!(text, "id: e-1:7\ndata: one\ndata: two\n\n");
        assert_eq!(position_of("e-1:7"), Position { epoch: "e-1".into(), offset: 7 });
        assert_eq!(position_of("nonsense"), Position { epoch: "".into(), offset: 0 });
    }
}
