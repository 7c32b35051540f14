//! Concurrent transactions, with kills: nothing that their isolation level forbids.

use nqdb_testkit::NqdbServer;
use nqdb_testkit::history::{Anomaly, End, History, Level, Load, Step, Transaction, check, run};

fn load(level: Level) -> Load {
    Load { level, sessions: 8, transactions: 1_500, kills: 2, seed: 1 }
}

async fn nothing_forbidden(level: Level) {
    let mut server = NqdbServer::start();
    let history = run(&mut server, load(level)).await.expect("the load runs");
    let committed = history.transactions.iter().filter(|transaction| transaction.end == End::Committed).count();
    assert!(committed > 500, "{committed} of {} have committed", history.transactions.len());
    assert_eq!(history.kills, 2);
    let found = check(&history);
    let forbidden: Vec<String> =
        found.iter().filter(|anomaly| level.forbids(anomaly)).map(ToString::to_string).collect();
    assert!(forbidden.is_empty(), "{}: {forbidden:?}", level.name());
}

#[tokio::test(flavor = "multi_thread")]
async fn read_committed_has_no_dirty_cycles() {
    nothing_forbidden(Level::ReadCommitted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeatable_read_loses_no_update() {
    nothing_forbidden(Level::RepeatableRead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serializable_has_no_cycles() {
    nothing_forbidden(Level::Serializable).await;
}

/// Two sessions at once, each reads the list that the other appends to.
async fn skew(server: &NqdbServer, level: Level) -> History {
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (client, connection) =
            tokio_postgres::connect(&server.target(), tokio_postgres::NoTls).await.expect("the server answers");
        tokio::spawn(connection);
        clients.push(client);
    }
    let setup = "DROP TABLE IF EXISTS pair; CREATE TABLE pair (key int PRIMARY KEY, items int[]); INSERT INTO pair VALUES (0, '{}'), (1, '{}')";
    clients[0].batch_execute(setup).await.expect("a table is made");
    let mut steps = [Vec::new(), Vec::new()];
    for client in &clients {
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL {}", level.name())).await.expect("a transaction begins");
    }
    for (number, client) in clients.iter().enumerate() {
        let key = number as i32;
        let row = client.query_one("SELECT items FROM pair WHERE key = $1", &[&key]).await.expect("a row is read");
        steps[number].push(Step::Read { key, list: row.get(0) });
    }
    for (number, client) in clients.iter().enumerate() {
        let (key, value) = (1 - number as i32, 10 + number as i32);
        steps[number].push(Step::Append { key, value });
        let append = "UPDATE pair SET items = items || $2::int WHERE key = $1";
        client.execute(append, &[&key, &value]).await.expect("different rows do not wait");
    }
    let mut history = History::default();
    for (client, steps) in clients.iter().zip(steps) {
        let end = match client.batch_execute("COMMIT").await {
            Ok(()) => End::Committed,
            Err(error) => {
                assert_eq!(error.code().map(|code| code.code()), Some("40001"), "{error}");
                End::Aborted
            }
        };
        history.transactions.push(Transaction { steps, end });
    }
    for row in clients[0].query("SELECT key, items FROM pair", &[]).await.expect("the lists are read") {
        history.lists.insert(row.get(0), row.get(1));
    }
    history
}

#[tokio::test]
async fn a_write_skew_is_found_where_it_is_allowed_and_refused_where_it_is_not() {
    let server = NqdbServer::start();
    let allowed = check(&skew(&server, Level::RepeatableRead).await);
    assert!(matches!(allowed.as_slice(), [Anomaly::AntiDependencies(_)]), "{allowed:?}");
    let refused = skew(&server, Level::Serializable).await;
    assert_eq!(check(&refused), []);
    assert!(refused.transactions.iter().any(|transaction| transaction.end == End::Aborted));
}
