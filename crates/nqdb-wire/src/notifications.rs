//! Notifications on their way to a client: NotificationResponse messages between its transactions.
//!
//! A batch is encoded when the first of its listeners sends it; the others copy the same bytes. A client that does not read
//! holds back nobody: what is for it waits in its queue, and when that is full it is sent away, even out of a write that does
//! not end.

use std::future::pending;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use nqdb_pubsub::{Batch, Event, Protocol, Subscriber};
use nqdb_session::{ClientSink, PENDING_BYTES_MAX};

use crate::client::Client;
use crate::connection::Failure;

/// Sends what waits for the session now, and writes it out when there is much of it. What comes meanwhile is for the next
/// time, so that ReadyForQuery follows soon.
pub async fn send_waiting(listener: Option<&Arc<Subscriber>>, client: &mut Client) -> Result<(), Failure> {
    let Some(listener) = listener else { return Ok(()) };
    for _ in 0..listener.waiting() {
        let Some(event) = listener.pop() else { break };
        if let Event::Messages(batch) = event {
            client.encoded(&batch.encoded(Protocol::Postgres, encode));
        }
        if client.pending_bytes() > PENDING_BYTES_MAX {
            flush(listener, client).await?;
        }
    }
    Ok(())
}

/// Sends what waits for a session whose client is idle, and writes it out.
pub async fn send_to_idle(listener: Option<&Arc<Subscriber>>, client: &mut Client) -> Result<(), Failure> {
    let Some(listener) = listener else { return Ok(()) };
    send_waiting(Some(listener), client).await?;
    flush(listener, client).await
}

/// Writes out what is pending, unless the client is given up first: what it was sent a part of then cannot be ended properly.
async fn flush(listener: &Arc<Subscriber>, client: &mut Client) -> Result<(), Failure> {
    tokio::select! {
        biased;
        flushed = client.flush() => Ok(flushed?),
        () = listener.ended() => Err(Failure::Closed),
    }
}

/// Ready when something waits for the listener; never without one.
pub async fn waiting_for(listener: Option<&Arc<Subscriber>>) {
    match listener {
        Some(listener) => listener.readable().await,
        None => pending().await,
    }
}

/// Ready when the listener has been dropped; never without one.
pub async fn dropped(listener: Option<&Arc<Subscriber>>) {
    match listener {
        Some(listener) => listener.ended().await,
        None => pending().await,
    }
}

/// The messages of a batch: process number, channel and payload each.
fn encode(batch: &Batch) -> Bytes {
    let channel = batch.channel().name.as_bytes();
    let of_each = 1 + 4 + 4 + channel.len() + 2;
    let payloads: usize = batch.payloads().map(str::len).sum();
    let mut frames = BytesMut::with_capacity(of_each * batch.count() + payloads);
    for payload in batch.payloads() {
        frames.put_u8(b'A');
        frames.put_u32((of_each - 1 + payload.len()) as u32);
        frames.put_i32(batch.sender());
        frames.put_slice(channel);
        frames.put_u8(0);
        frames.put_slice(payload.as_bytes());
        frames.put_u8(0);
    }
    frames.freeze()
}
