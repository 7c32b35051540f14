//! Notifications under fire: many writers with rollbacks, savepoints and errors, whose sessions are killed meanwhile; and who hears
//! them, by LISTEN and over WebSockets.
//!
//! Each channel has a row with a counter. Who says something takes the next numbers of the channel's counter and says them in the same
//! transaction: so what is committed says 1, 2, 3 and so on, in the order of the commits, and a rollback takes numbers and messages
//! back together. Whoever hears anything but one number after the other has found a message that was lost, doubled, out of order, or
//! of an aborted part.

mod listen;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::NqdbServer;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages that are to be committed, at least.
    pub messages: u64,
    pub writers: u64,
    pub channels: u64,
    /// Sessions of LISTEN, and clients over WebSockets; each hears all channels.
    pub listeners: usize,
    pub subscribers: usize,
    /// Writers' sessions that are terminated, spread over the messages.
    pub kills: u64,
    /// Whether the messages are kept ([`crate::channel_client`] finds them after a restart).
    pub durable: bool,
    pub seed: u64,
}

/// What a run was.
#[derive(Clone, Debug)]
pub struct Report {
    /// Messages that were committed, by channel.
    pub committed: Vec<u64>,
    /// Transactions that were rolled back, as a whole or in a part, on purpose.
    pub rolled_back: u64,
    /// Sessions of writers that were ended.
    pub killed: u64,
    pub elapsed: Duration,
    /// What somebody heard that he should not have, or did not hear.
    pub faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: u64 = self.committed.iter().sum();
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "{messages} messages on {} channels in {seconds:.1} s ({:.0} a second), {} rollbacks, {} sessions killed, {} faults",
            self.committed.len(),
            messages as f64 / seconds,
            self.rolled_back,
            self.killed,
            self.faults.len()
        )
    }
}

/// What the writers of a run share.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) committed: AtomicU64,
    pub(crate) rolled_back: AtomicU64,
    pub(crate) is_over: AtomicBool,
}

/// What ends each channel.
pub(crate) const LAST: &str = "last";

pub(crate) fn channel(number: u64) -> String {
    format!("fire_{number}")
}

pub(crate) async fn connect(target: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(target, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a load against a server.
///
/// # Errors
///
/// What a session that nobody kills was refused.
pub async fn run(server: &NqdbServer, load: Load) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let target = server.target();
    let sql = connect(&target).await?;
    sql.batch_execute("CREATE TABLE counters (channel int PRIMARY KEY, said bigint NOT NULL)").await?;
    for number in 0..load.channels {
        sql.execute("INSERT INTO counters VALUES ($1, 0)", &[&(number as i32)]).await?;
        if load.durable {
            sql.query("SELECT nqdb_create_channel($1, history => 100)", &[&channel(number)]).await?;
        }
    }
    let mut hearers = JoinSet::new();
    let ready = Arc::new(tokio::sync::Barrier::new(load.listeners + load.subscribers + 1));
    for number in 0..load.listeners {
        hearers.spawn(listen::by_listen(format!("listener {number}"), target.clone(), load.channels, ready.clone()));
    }
    for number in 0..load.subscribers {
        let port = server.http_port();
        hearers.spawn(listen::by_web_socket(format!("subscriber {number}"), port, load.channels, ready.clone()));
    }
    ready.wait().await;
    let (began, progress) = (Instant::now(), Arc::new(Progress::default()));
    let mut writers = JoinSet::new();
    for number in 0..load.writers {
        writers.spawn(write::write(target.clone(), load, number, progress.clone()));
    }
    let killer = tokio::spawn(kill(target.clone(), load, progress.clone()));
    while let Some(written) = writers.join_next().await {
        written??;
    }
    let elapsed = began.elapsed();
    progress.is_over.store(true, Ordering::Relaxed);
    let killed = killer.await??;
    let mut committed = Vec::new();
    for row in sql.query("SELECT said FROM counters ORDER BY channel", &[]).await? {
        committed.push(u64::try_from(row.get::<_, i64>(0))?);
    }
    for number in 0..load.channels {
        sql.execute("SELECT pg_notify($1, $2)", &[&channel(number), &LAST]).await?;
    }
    let mut faults = Vec::new();
    while let Some(heard) = hearers.join_next().await {
        faults.extend(heard?.faults_against(&committed));
    }
    let rolled_back = progress.rolled_back.load(Ordering::Relaxed);
    Ok(Report { committed, rolled_back, killed, elapsed, faults })
}

/// Terminates sessions of writers, one after so many messages.
async fn kill(target: String, load: Load, progress: Arc<Progress>) -> Result<u64, tokio_postgres::Error> {
    let sql = connect(&target).await?;
    let mut killed = 0;
    // One of those that are in a transaction now, if there is one.
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'writer' ORDER BY state = 'idle', random() LIMIT 1";
    while killed < load.kills && !progress.is_over.load(Ordering::Relaxed) {
        if progress.committed.load(Ordering::Relaxed) * (load.kills + 1) < load.messages * (killed + 1) {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        killed += sql.query(terminate, &[]).await?.len() as u64;
    }
    Ok(killed)
}
