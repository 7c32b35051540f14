//! Makes a history: sessions at a server that is killed now and then.
//!
//! Every session runs transactions of a few steps over a few lists at a time. Lists are left for new ones after a while, so
//! that they stay short. The load is bounded by a number of transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

use super::{End, History, Level, Step, Transaction};
use crate::NqdbServer;

/// What is done to a server.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub level: Level,
    pub sessions: usize,
    /// In all.
    pub transactions: usize,
    /// SIGKILLs on the way, at equal distances.
    pub kills: usize,
    pub seed: u64,
}

/// Lists in use at one time.
const LISTS: i32 = 4;
/// Transactions after which a list is left for another.
const TRANSACTIONS_PER_LIST: usize = 150;
const STEPS_MAX: usize = 5;
/// How long a session tries to come back to a server that was killed.
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);

/// What all sessions share.
struct Shared {
    load: Load,
    /// Where the server is; it moves when it starts again.
    target: Mutex<String>,
    started: AtomicUsize,
    next_value: AtomicI32,
}

/// Runs the load and reads the lists.
pub async fn run(server: &mut NqdbServer, load: Load) -> Result<History, String> {
    let setup = connect(&server.target()).await.map_err(|error| error.to_string())?;
    let table =
        "CREATE TABLE IF NOT EXISTS lists (key int PRIMARY KEY, items int[] NOT NULL DEFAULT '{}'); TRUNCATE lists";
    setup.batch_execute(table).await.map_err(|error| error.to_string())?;
    drop(setup);
    let shared = Arc::new(Shared {
        load,
        target: Mutex::new(server.target()),
        started: AtomicUsize::new(0),
        next_value: AtomicI32::new(0),
    });
    let sessions: Vec<_> = (0..load.sessions)
        .map(|number| tokio::spawn(session(Arc::clone(&shared), StdRng::seed_from_u64(load.seed + number as u64))))
        .collect();
    let mut history = History::default();
    for number in 1..=load.kills {
        let due = load.transactions * number / (load.kills + 1);
        while shared.started.load(Ordering::Relaxed) < due {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut target = shared.target.lock().await;
        server.kill();
        server.launch()?;
        *target = server.target();
        history.kills += 1;
    }
    for session in sessions {
        history.transactions.extend(session.await.map_err(|error| error.to_string())??);
    }
    let reader = connect(&server.target()).await.map_err(|error| error.to_string())?;
    for row in reader.query("SELECT key, items FROM lists", &[]).await.map_err(|error| error.to_string())? {
        history.lists.insert(row.get(0), row.get(1));
    }
    Ok(history)
}

async fn connect(target: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(target, NoTls).await?;
    // It ends with an error when the server is killed, which the client's next statement tells too.
    tokio::spawn(async move { connection.await.ok() });
    // The transactions meet in rings all the time: a second for each would be most of the run.
    client.batch_execute("SET deadlock_timeout = '20ms'").await?;
    Ok(client)
}

/// One session's transactions.
async fn session(shared: Arc<Shared>, mut random: StdRng) -> Result<Vec<Transaction>, String> {
    let mut transactions = Vec::new();
    let mut client = connect_again(&shared).await?;
    loop {
        let number = shared.started.fetch_add(1, Ordering::Relaxed);
        if number >= shared.load.transactions {
            return Ok(transactions);
        }
        let mut steps = Vec::new();
        let end = transaction(&shared, &client, &mut random, number, &mut steps).await?;
        transactions.push(Transaction { steps, end });
        if client.is_closed() {
            client = connect_again(&shared).await?;
        }
    }
}

/// A connection to the server, which may be on its way up.
async fn connect_again(shared: &Shared) -> Result<Client, String> {
    let deadline = tokio::time::Instant::now() + RETURN_TIMEOUT;
    loop {
        let target = shared.target.lock().await.clone();
        match connect(&target).await {
            Ok(client) => return Ok(client),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(format!("the server is gone: {error}")),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Runs a transaction; an error that is neither a conflict nor the loss of the server is the history's end.
async fn transaction(
    shared: &Shared,
    client: &Client,
    random: &mut StdRng,
    number: usize,
    steps: &mut Vec<Step>,
) -> Result<End, String> {
    let level = shared.load.level.name();
    let read_only = random.random_ratio(1, 8);
    let mode = if read_only { " READ ONLY" } else { "" };
    let begun = client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}{mode}")).await;
    let mut outcome = begun;
    for _ in 0..random.random_range(1..=STEPS_MAX) {
        if outcome.is_ok() {
            let list = (number / TRANSACTIONS_PER_LIST) as i32 * LISTS + random.random_range(0..LISTS);
            outcome = step(shared, client, random, list, read_only, steps).await;
        }
    }
    if let Err(error) = outcome {
        expected(&error, client)?;
        if !client.is_closed() {
            client.batch_execute("ROLLBACK").await.or_else(|error| expected(&error, client).map(|_| ()))?;
        }
        return Ok(End::Aborted);
    }
    if random.random_ratio(1, 12) {
        client.batch_execute("ROLLBACK").await.or_else(|error| expected(&error, client).map(|_| ()))?;
        return Ok(End::Aborted);
    }
    match client.batch_execute("COMMIT").await {
        Ok(()) => Ok(End::Committed),
        Err(error) if error.code().is_some() => expected(&error, client).map(|()| End::Aborted),
        Err(_) => Ok(End::Unknown),
    }
}

async fn step(
    shared: &Shared,
    client: &Client,
    random: &mut StdRng,
    key: i32,
    read_only: bool,
    steps: &mut Vec<Step>,
) -> Result<(), tokio_postgres::Error> {
    if read_only || random.random_ratio(1, 2) {
        let row = client.query_opt("SELECT items FROM lists WHERE key = $1", &[&key]).await?;
        steps.push(Step::Read { key, list: row.map_or_else(Vec::new, |row| row.get(0)) });
        return Ok(());
    }
    let value = shared.next_value.fetch_add(1, Ordering::Relaxed);
    let append =
        "INSERT INTO lists VALUES ($1, ARRAY[$2::int]) ON CONFLICT (key) DO UPDATE SET items = lists.items || $2::int";
    if random.random_ratio(1, 8) {
        client.batch_execute("SAVEPOINT s").await?;
        steps.push(Step::Discarded { key, value });
        client.execute(append, &[&key, &value]).await?;
        client.batch_execute("ROLLBACK TO s").await?;
    } else {
        // It may be there even if its answer never came.
        steps.push(Step::Append { key, value });
        client.execute(append, &[&key, &value]).await?;
    }
    Ok(())
}

/// Conflicts (40001, 40P01), and the loss of a server that was killed, are what has to be expected.
fn expected(error: &tokio_postgres::Error, client: &Client) -> Result<(), String> {
    let is_conflict = error.code().is_some_and(|code| matches!(code.code(), "40001" | "40P01"));
    // A server that starts says so (57P03); one that is killed says nothing.
    if is_conflict || error.code().is_none() || client.is_closed() { Ok(()) } else { Err(error.to_string()) }
}
