//! What a session's task and its connection's task share: frames on their way to the client, and the client's credit.
//!
//! What always holds:
//! 1. Rows that the client has not acknowledged are at most [`CREDIT_BYTES`] and one chunk; frames that were not written are as many
//!    at most. Above either the query waits, and with it only its own session.
//! 2. A cancel ends such a wait: the session then looks at its flags.
//! 3. A query that waits for credit without any for too long is ended: it keeps a snapshot and locks, and those concern others.
//! 4. A cancel reaches the query that it names or none: the running query's number changes under the same lock.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nqdb_session::Backend;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::websocket::frame;

/// Bytes of rows that a client may leave unacknowledged.
pub const CREDIT_BYTES: usize = 128 * 1024;
/// Bytes that may wait for the connection to write them.
const UNWRITTEN_BYTES_MAX: usize = 128 * 1024;

/// A push's own part.
pub struct Body {
    /// Its one member, `"rows":[...]`.
    pub text: String,
    /// Whether it has rows, which take credit, and how many.
    pub rows: Option<u64>,
}

impl Body {
    pub fn plain(text: String) -> Body {
        Body { text, rows: None }
    }
}

#[derive(Default)]
pub struct Delivery {
    state: Mutex<State>,
    /// Frames have come, or the connection has to look.
    filled: Notify,
    /// Room or credit has come, or nobody is there any more.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Bytes>,
    unwritten_bytes: usize,
    running: Option<Running>,
    /// Queries that wait and shall not run.
    cancelled: HashSet<u64>,
    backend: Option<Arc<Backend>>,
    /// The newest query that has begun.
    newest: u64,
    is_closed: bool,
}

#[derive(Default)]
struct Running {
    number: u64,
    seq: u64,
    /// Pushes of rows that were not acknowledged, with their bytes.
    unacknowledged: VecDeque<(u64, usize)>,
    unacknowledged_bytes: usize,
    rows: u64,
    /// Since when it lacks credit without being given any.
    lacks_credit_since: Option<Instant>,
    was_given_up: bool,
    is_cancelled: bool,
    is_ending: bool,
}

impl Running {
    fn lacks_credit(&self) -> bool {
        self.unacknowledged_bytes >= CREDIT_BYTES
    }
}

impl State {
    fn push(&mut self, frame: Bytes) {
        self.unwritten_bytes += frame.len();
        self.frames.push_back(frame);
    }
}

impl Delivery {
    pub fn new() -> Arc<Delivery> {
        Arc::default()
    }

    /// A query begins; `false`: it was cancelled before, or the connection is gone.
    pub fn begin(&self, number: u64) -> bool {
        let mut state = self.state.lock();
        state.newest = number;
        state.running = Some(Running { number, ..Running::default() });
        !state.cancelled.remove(&number) && !state.is_closed
    }

    /// The query is over: a cancel does not reach it any more.
    pub fn end(&self) {
        self.state.lock().running = None;
    }

    /// How the session is reached; `None` when it has ended.
    pub fn set_backend(&self, backend: Option<Arc<Backend>>) {
        let mut state = self.state.lock();
        if let (true, Some(backend)) = (state.is_closed, &backend) {
            backend.terminate();
        }
        state.backend = backend;
    }

    /// Asks a query to end, whether it runs or waits; `false` when it has ended.
    pub fn cancel(&self, number: u64) -> bool {
        let mut state = self.state.lock();
        if let Some(running) = state.running.as_mut().filter(|running| running.number == number) {
            running.is_cancelled = true;
            if let Some(backend) = &state.backend {
                backend.cancel();
            }
            return true;
        }
        if number <= state.newest {
            return false;
        }
        state.cancelled.insert(number);
        true
    }

    /// Asks a query to end that has waited for credit for so long.
    pub fn give_up(&self, number: u64, limit: Duration) {
        let mut state = self.state.lock();
        let running = state.running.as_mut().filter(|running| running.number == number);
        let Some(running) = running.filter(|it| it.lacks_credit_since.is_some_and(|since| since.elapsed() >= limit))
        else {
            return;
        };
        running.was_given_up = true;
        drop(state);
        self.cancel(number);
    }

    /// Whether the running query was ended by [`Delivery::give_up`].
    pub fn was_given_up(&self) -> bool {
        self.state.lock().running.as_ref().is_some_and(|running| running.was_given_up)
    }

    /// Whether the running query was asked to end, perhaps before its session could be told.
    pub fn is_cancelled(&self) -> bool {
        self.state.lock().running.as_ref().is_some_and(|running| running.is_cancelled)
    }

    /// The client took the pushes of a query up to one of them.
    pub fn acknowledge(&self, number: u64, seq: u64) {
        let mut state = self.state.lock();
        let Some(running) = state.running.as_mut().filter(|running| running.number == number) else { return };
        while let Some((pushed, bytes)) = running.unacknowledged.front().copied()
            && pushed <= seq
        {
            running.unacknowledged.pop_front();
            running.unacknowledged_bytes -= bytes;
            running.lacks_credit_since = running.lacks_credit().then(Instant::now);
        }
        self.emptied.notify_waiters();
    }

    /// Sends a push of the running query. Does not wait: [`Delivery::room`] comes before.
    pub fn push(&self, body: &Body) {
        self.push_into(self.state.lock(), body);
    }

    fn push_into(&self, mut state: MutexGuard<'_, State>, body: &Body) {
        let Some(running) = &mut state.running else { return };
        running.seq += 1;
        let mut line = String::with_capacity(body.text.len() + 64);
        // Writing to a String cannot fail.
        let _ = write!(line, r#"{{"push":{{"message":{{"data":{{"q":{},"seq":{},"#, running.number, running.seq);
        line.push_str(&body.text);
        line.push_str("}}}}");
        if let Some(rows) = body.rows {
            running.rows += rows;
            running.unacknowledged.push_back((running.seq, line.len()));
            running.unacknowledged_bytes += line.len();
            if running.lacks_credit() {
                running.lacks_credit_since.get_or_insert_with(Instant::now);
            }
        }
        state.push(frame::text(&line));
        drop(state);
        self.filled.notify_waiters();
    }

    /// Sends a push that belongs to no query.
    pub fn push_apart(&self, text: &str) {
        self.state.lock().push(frame::text(&format!(r#"{{"push":{{"message":{{"data":{{{text}}}}}}}}}"#)));
        self.filled.notify_waiters();
    }

    /// Waits until something may be pushed: until frames were written and, for rows, the client gave credit. Ends early when the
    /// session is interrupted or the connection gone.
    pub async fn room(&self, takes_credit: bool) {
        loop {
            let emptied = self.emptied.notified();
            let backend = {
                let state = self.state.lock();
                let lacks_credit = takes_credit && state.running.as_ref().is_some_and(Running::lacks_credit);
                if state.is_closed || state.unwritten_bytes < UNWRITTEN_BYTES_MAX && !lacks_credit {
                    return;
                }
                state.backend.clone()
            };
            match backend {
                Some(backend) => tokio::select! {
                    () = emptied => {}
                    () = backend.interruption() => return,
                },
                None => emptied.await,
            }
        }
    }

    /// Tells how far a query is, unless something else waits to be told; `false` when the query has come to its end.
    pub fn push_progress(&self, number: u64, elapsed_millis: u128, wait: Option<(&str, &str)>) -> bool {
        let state = self.state.lock();
        let Some(running) = state.running.as_ref().filter(|running| running.number == number && !running.is_ending)
        else {
            return false;
        };
        if !state.frames.is_empty() {
            return true;
        }
        let waits_for = match (running.lacks_credit(), wait) {
            (true, _) => Value::from("acknowledgement"),
            (false, Some((kind, name))) => Value::from(format!("{kind}: {name}")),
            (false, None) => Value::Null,
        };
        let rows = running.rows;
        let text = format!(r#""progress":{{"elapsed_ms":{elapsed_millis},"rows":{rows},"waits_for":{waits_for}}}"#);
        self.push_into(state, &Body::plain(text));
        true
    }

    /// What is pushed from now on is the query's end.
    pub fn begin_end(&self) {
        if let Some(running) = &mut self.state.lock().running {
            running.is_ending = true;
        }
    }

    /// The connection is gone: the session has to end.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        if let Some(backend) = &state.backend {
            backend.terminate();
        }
        drop(state);
        self.emptied.notify_waiters();
    }

    /// Ready when frames wait to be written.
    pub async fn readable(&self) {
        loop {
            let filled = self.filled.notified();
            if !self.state.lock().frames.is_empty() {
                return;
            }
            filled.await;
        }
    }

    pub fn pop(&self) -> Option<Bytes> {
        let mut state = self.state.lock();
        let frame = state.frames.pop_front()?;
        state.unwritten_bytes -= frame.len();
        if state.unwritten_bytes < UNWRITTEN_BYTES_MAX {
            self.emptied.notify_waiters();
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: usize) -> Body {
        Body { text: format!(r#""rows":["{}"]"#, "x".repeat(bytes)), rows: Some(1) }
    }

    #[tokio::test]
    async fn rows_wait_for_credit_and_nothing_else_does() {
        let delivery = Delivery::new();
        assert!(delivery.begin(1));
        delivery.push(&rows(CREDIT_BYTES));
        while delivery.pop().is_some() {}
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, delivery.room(true));
        assert!(waiting.await.is_err());
        delivery.room(false).await;
        // Of another query, or too early a push: no credit.
        delivery.acknowledge(2, 1);
        delivery.acknowledge(1, 0);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, delivery.room(true)).await.is_err());
        assert!(delivery.push_progress(1, 7, Some(("Client", "ClientRead"))));
        let progress = String::from_utf8_lossy(&delivery.pop().unwrap()).into_owned();
        assert!(
            progress.contains(r#""progress":{"elapsed_ms":7,"rows":1,"waits_for":"acknowledgement"}"#),
            "{progress}"
        );
        delivery.acknowledge(1, 1);
        delivery.room(true).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_no_credit_for_too_long_loses_the_query() {
        let (delivery, limit) = (Delivery::new(), Duration::from_secs(300));
        delivery.begin(1);
        delivery.push(&rows(CREDIT_BYTES / 2));
        tokio::time::advance(2 * limit).await;
        delivery.give_up(1, limit);
        assert!(!delivery.was_given_up(), "there is credit");
        delivery.push(&rows(CREDIT_BYTES));
        tokio::time::advance(limit / 2).await;
        // Not enough to go on, but somebody is there.
        delivery.acknowledge(1, 1);
        tokio::time::advance(limit / 2).await;
        delivery.give_up(1, limit);
        assert!(!delivery.was_given_up());
        tokio::time::advance(limit).await;
        delivery.give_up(2, limit);
        assert!(!delivery.was_given_up(), "another query");
        delivery.give_up(1, limit);
        assert!(delivery.was_given_up() && delivery.is_cancelled());
    }

    #[test]
    fn progress_is_told_of_what_runs_and_says_nothing_new_beside_rows() {
        let delivery = Delivery::new();
        assert!(!delivery.push_progress(1, 0, None));
        delivery.begin(1);
        delivery.push(&rows(1));
        assert!(delivery.push_progress(1, 0, None) && delivery.pop().is_some() && delivery.pop().is_none());
        assert!(!delivery.push_progress(2, 0, None));
        delivery.begin_end();
        assert!(!delivery.push_progress(1, 0, None));
    }

    #[tokio::test]
    async fn what_is_not_written_holds_back() {
        let delivery = Delivery::new();
        delivery.begin(1);
        delivery.push(&Body::plain("x".repeat(UNWRITTEN_BYTES_MAX)));
        assert!(tokio::time::timeout(std::time::Duration::ZERO, delivery.room(false)).await.is_err());
        assert!(delivery.pop().is_some());
        delivery.room(false).await;
    }

    #[tokio::test]
    async fn nobody_waits_for_a_client_that_is_gone() {
        let delivery = Delivery::new();
        delivery.begin(1);
        delivery.push(&rows(2 * CREDIT_BYTES));
        delivery.close();
        delivery.room(true).await;
        assert!(!delivery.begin(2));
    }

    #[test]
    fn a_cancel_meets_what_waits_and_not_what_is_over() {
        let delivery = Delivery::new();
        assert!(delivery.cancel(2));
        assert!(delivery.begin(1));
        delivery.end();
        assert!(!delivery.cancel(1));
        assert!(!delivery.begin(2));
    }
}
