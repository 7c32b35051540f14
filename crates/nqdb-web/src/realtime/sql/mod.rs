//! SQL over the socket: `rpc sql.query`, `rpc sql.cancel`, and what is pushed for it.
//!
//! ```text
//!   client: rpc sql.query {sql, params, format}      server: {query: 7}
//!                                                    push: {q: 7, seq: 1, columns: [...]}
//!                                                    push: {q: 7, seq: 2, rows: [[...], ...]}     about 32 KB each
//!   client: send {q: 7, ack: 2}                      push: {q: 7, seq: 3, complete: "SELECT 900"}
//!                                                    push: {q: 7, seq: 4, done: {status: "idle"}}
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | this one | a connection's side: requests, credit, cancel |
//! | `delivery` | what the session's task and the connection's task share |
//! | `task` | the session and its queries, one after another |
//! | `pushes` | the session's answers as pushes |
//! | `values` | values as JSON, parameters as PostgreSQL's text |
//!
//! What always holds:
//! 1. A connection has one session at most, made at its first query. It is a session like those of the PostgreSQL port: the same
//!    rights, a place among `--max-connections`, a process number, and its end when the connection ends.
//! 2. One query runs at a time; as many as [`QUEUE_MAX`] wait behind it, in order.
//! 3. Rows leave only as far as the client has said that it took the ones before (`delivery`): who does not say so
//!    stops its own query and nobody else.
//! 4. Each query that was answered with a number ends with exactly one push of `done` or `error`, unless the connection ends first.
//! 5. A token without the claim `sql` gives no SQL: it was made for channels.

mod delivery;
mod pushes;
mod task;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use nqdb_session::Admission;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Realtime;
use super::protocol::{self, Refusal};
use delivery::Delivery;
use task::QueryRequest;
use values::ValueFormat;

/// Queries of one connection that may wait behind the one that runs.
pub const QUEUE_MAX: usize = 16;
/// The most parameters of a statement (the PostgreSQL protocol's limit).
const PARAMETERS_MAX: usize = 65_535;

/// What `sql.query` brings.
#[derive(Debug, Deserialize)]
struct Query {
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    format: ValueFormat,
}

/// What `sql.cancel` brings.
#[derive(Debug, Deserialize)]
struct Cancel {
    q: u64,
}

/// What a client sends without waiting for an answer: it has taken the pushes of a query up to `ack`.
#[derive(Debug, Deserialize)]
pub struct Acknowledgement {
    q: u64,
    ack: u64,
}

/// A connection's side of its queries. When it is dropped, the session ends.
pub struct SqlSide {
    delivery: Arc<Delivery>,
    requests: mpsc::Sender<QueryRequest>,
    queries: u64,
}

impl Drop for SqlSide {
    fn drop(&mut self) {
        self.delivery.close();
    }
}

impl SqlSide {
    /// Begins the task of a connection's session; the session itself begins with the first query.
    pub fn new(realtime: &Arc<Realtime>, admission: &Admission) -> SqlSide {
        let delivery = Delivery::new();
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        task::spawn(realtime.instance.clone(), admission.clone(), delivery.clone(), queue);
        SqlSide { delivery, requests, queries: 0 }
    }

    /// `sql.query`: the query's number, by which its pushes are known.
    pub fn query(&mut self, data: Value) -> Result<Value, Refusal> {
        let Query { sql, params, format } = serde_json::from_value(data).map_err(|_| protocol::BAD_REQUEST)?;
        if sql.contains('\0') || params.len() > PARAMETERS_MAX {
            return Err(protocol::BAD_REQUEST);
        }
        let number = self.queries + 1;
        let request = QueryRequest { number, sql, params, format };
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => protocol::TOO_MANY_REQUESTS,
            TrySendError::Closed(_) => protocol::INTERNAL,
        })?;
        self.queries = number;
        Ok(json!({ "query": number }))
    }

    /// `sql.cancel`: whether the query was there to be asked to end.
    pub fn cancel(&self, data: Value) -> Result<Value, Refusal> {
        let Cancel { q } = serde_json::from_value(data).map_err(|_| protocol::BAD_REQUEST)?;
        let is_there = q > 0 && q <= self.queries && self.delivery.cancel(q);
        Ok(json!({ "cancelled": is_there }))
    }

    pub fn acknowledge(&self, taken: &Acknowledgement) {
        self.delivery.acknowledge(taken.q, taken.ack);
    }

    /// Ready when frames wait to be written.
    pub async fn readable(&self) {
        self.delivery.readable().await;
    }

    /// The next frame to be written.
    pub fn pop(&self) -> Option<Bytes> {
        self.delivery.pop()
    }
}
