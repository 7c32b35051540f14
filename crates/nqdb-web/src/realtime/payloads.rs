//! `/listen/{channel}`: a WebSocket on which every notification of one channel is a message, as pg_eventserv sends them: the
//! bare payload, nothing around it. Nothing is kept for who comes back, and what the client says is not listened to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::{BufMut, BytesMut};
use hyper_util::rt::TokioIo;
use nqdb_pubsub::{ChannelName, Event, Overflow, Subscriber, Subscription};
use nqdb_session::{Connected, Instance};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::rights::{Wish, may};
use super::{Query, Realtime, Shared, door_of, expect_origin, shown};
use crate::limited::Place;
use crate::websocket::frame::{self, Decoder, Message};
use crate::websocket::{self, Accepted};

/// The longest message that a client may send, bytes: nobody reads it.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
const WRITE_BYTES: usize = 32 * 1024;

/// `/listen/{channel}`.
pub async fn payload_socket(
    State(shared): State<Shared>,
    ConnectInfo(place): ConnectInfo<Place>,
    Path(channel): Path<String>,
    mut request: Request<Body>,
) -> Response<Body> {
    let Shared { realtime, stop } = shared;
    let opened = open(&realtime, &place, &channel, &mut request).await;
    let (accepted, subscriber, shown) = match opened {
        Ok(opened) => opened,
        Err(refused) => return refused.into_response(),
    };
    let connected = match realtime.take_place() {
        Ok(connected) => connected,
        Err(refused) => return refused.into_response(),
    };
    tokio::spawn(async move {
        place.release();
        let Ok(upgraded) = accepted.upgrade.await else { return };
        forward(TokioIo::new(upgraded), subscriber, (&realtime.instance, &shown), stop).await;
        realtime.counters.disconnects.increment();
        drop(connected);
    });
    accepted.response
}

/// Lets a client in and subscribes it, before it is told that it is.
async fn open(
    realtime: &Arc<Realtime>,
    place: &Place,
    channel: &str,
    request: &mut Request<Body>,
) -> Result<(Accepted, Subscriber, Connected), (StatusCode, &'static str)> {
    expect_origin(realtime, request.headers())?;
    let door = door_of(request.headers(), place.peer());
    let query = Query::of(request.uri());
    let identity = realtime.identify_request(request.headers(), &query, door).await?;
    let (instance, rules) = (&realtime.instance, &realtime.options.rules);
    if !may(instance, rules, &identity.admission, &identity.narrowing, channel, Wish::Read) {
        return Err((StatusCode::FORBIDDEN, "the role may not read this channel\n"));
    }
    let accepted = websocket::accept(request)?;
    let subscriber = instance.hub.subscriber(0, Overflow::DropSubscriber);
    let name = ChannelName { database: identity.admission.database, name: channel.into() };
    let full = |_| (StatusCode::SERVICE_UNAVAILABLE, "too many channels\n");
    let guard = instance.follow_guard(&identity.admission, channel);
    let wanted = Subscription { guard, ..Subscription::default() };
    subscriber.subscribe(&name, wanted, instance.uptime_millis()).map_err(full)?;
    let shown = shown(instance, "listen", door, &identity, &subscriber);
    Ok((accepted, subscriber, shown))
}

/// Sends what comes until somebody ends it.
async fn forward<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    subscriber: Subscriber,
    (instance, shown): (&Instance, &Connected),
    mut stop: watch::Receiver<bool>,
) {
    let (mut decoder, mut input, mut out) = (Decoder::new(MESSAGE_BYTES_MAX), BytesMut::new(), BytesMut::new());
    let farewell = loop {
        if !out.is_empty() {
            let written = timeout(WRITE_TIMEOUT, socket.write_all(&out));
            if !matches!(written.await, Ok(Ok(()))) {
                return;
            }
            out.clear();
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break frame::close(1001, "shutdown"),
            () = subscriber.ended() => break match subscriber.was_dropped() {
                true => frame::close(1013, "slow"),
                false => frame::close(1008, "rights have changed"),
            },
            () = subscriber.readable() => gather(&subscriber, shown, &mut out, instance.uptime_millis()),
            read = socket.read_buf(&mut input) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => match answer(&mut decoder, &mut input, &mut out) {
                    Ok(()) => {}
                    Err(farewell) => break farewell,
                },
            },
        }
    };
    out.extend_from_slice(&farewell);
    // A client that does not listen is not waited for.
    let _ = timeout(WRITE_TIMEOUT, async {
        socket.write_all(&out).await?;
        socket.shutdown().await
    })
    .await;
}

fn gather(subscriber: &Subscriber, shown: &Connected, out: &mut BytesMut, now_millis: u64) {
    while out.len() < WRITE_BYTES
        && let Some(event) = subscriber.pop()
    {
        if let Event::Closed { .. } = event {
            // Nothing comes any more: the client is sent away.
            subscriber.end(now_millis);
        }
        if let Event::Messages(batch) = event {
            shown.messages_out.fetch_add(batch.count() as u64, Ordering::Relaxed);
            batch.payloads().for_each(|payload| out.put_slice(&frame::text(payload)));
        }
    }
}

/// Answers what a WebSocket has to; the error is the farewell.
fn answer(decoder: &mut Decoder, input: &mut BytesMut, out: &mut BytesMut) -> Result<(), bytes::Bytes> {
    loop {
        match decoder.next(input) {
            Ok(Some(Message::Ping(payload))) => out.put_slice(&frame::pong(&payload)),
            Ok(Some(Message::Close(_))) => return Err(frame::close(1000, "")),
            Ok(Some(Message::Text(_) | Message::Binary | Message::Pong)) => {}
            Ok(None) => return Ok(()),
            Err(violation) => return Err(frame::close(violation.code, violation.reason)),
        }
    }
}
