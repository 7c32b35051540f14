//! The real-time clients that are connected, as `nqdb_connections` and others show them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use nqdb_pubsub::QueueMeter;
use parking_lot::Mutex;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicU64,
    known: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

/// One client.
#[derive(Debug)]
pub struct Connection {
    /// `websocket`, `sse` or `listen`.
    pub kind: &'static str,
    pub address: IpAddr,
    /// µs since 2000-01-01 UTC.
    pub connected_micros: i64,
    /// User and database, once they are known.
    identity: Mutex<Option<(Arc<str>, u32)>>,
    pub subscriptions: AtomicUsize,
    pub messages_in: AtomicU64,
    pub messages_out: AtomicU64,
    queue: QueueMeter,
}

impl Connection {
    pub fn identity(&self) -> Option<(Arc<str>, u32)> {
        self.identity.lock().clone()
    }

    pub fn identify(&self, user: &Arc<str>, database: u32) {
        *self.identity.lock() = Some((user.clone(), database));
    }

    /// What waits to be sent.
    pub fn queue_bytes(&self) -> usize {
        self.queue.bytes()
    }
}

/// A place among the connections, given back when dropped.
#[derive(Debug)]
pub struct Connected {
    number: u64,
    connections: Arc<Connections>,
    connection: Arc<Connection>,
}

impl std::ops::Deref for Connected {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.connections.known.lock().remove(&self.number);
    }
}

impl Connections {
    /// Shows a client until what comes back is dropped.
    pub fn add(
        self: &Arc<Connections>,
        kind: &'static str,
        address: IpAddr,
        connected_micros: i64,
        queue: QueueMeter,
    ) -> Connected {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            kind,
            address,
            connected_micros,
            identity: Mutex::new(None),
            subscriptions: AtomicUsize::new(0),
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
            queue,
        });
        self.known.lock().insert(number, connection.clone());
        Connected { number, connections: self.clone(), connection }
    }

    /// Those who are connected, in the order in which they came.
    pub fn all(&self) -> Vec<Arc<Connection>> {
        self.known.lock().values().cloned().collect()
    }
}
