//! Many writers that notify, roll back, go back to savepoints and break off: listeners hear exactly what was committed, once,
//! and in the order of the commits.

use std::collections::HashSet;
use std::net::SocketAddr;

use tokio::task::JoinSet;

use crate::support::raw::{Raw, Send};
use crate::support::{Server, connect};

const WRITERS: usize = 32;
const TRANSACTIONS: usize = 60;
const LISTENERS: usize = 3;

/// What the writers do, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a writer has committed, in its order.
async fn write(address: SocketAddr, writer: usize) -> Vec<String> {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", address.port());
    let mut client = connect(&parameters).await.unwrap();
    let mut dice = Dice(writer as u64);
    let mut said = Vec::new();
    for number in 0..TRANSACTIONS {
        let message = format!("{writer}:{number}");
        let notify = |what: &str| format!("select pg_notify('c', '{what}');");
        match dice.roll(6) {
            0 => {
                client.batch_execute(&notify(&message)).await.unwrap();
                said.push(message);
            }
            1 => client.batch_execute(&format!("begin; {} rollback", notify("rolled back"))).await.unwrap(),
            2 => {
                let inner = notify("rolled back to a savepoint");
                let twice = format!("{}{}", notify(&message), notify(&message));
                let block =
                    format!("begin; {twice} savepoint s; {inner} rollback to s; insert into t values (1); commit");
                client.batch_execute(&block).await.unwrap();
                said.push(message);
            }
            3 => {
                let failed = client.batch_execute(&format!("{} select 1/0", notify("failed"))).await;
                assert!(failed.is_err());
            }
            4 => {
                client
                    .batch_execute(&format!("begin; {} insert into t values (2)", notify("broken off")))
                    .await
                    .unwrap();
                client = connect(&parameters).await.unwrap();
            }
            _ => {
                // Whoever has the row commits before the next one counts.
                let counted = "with n as (update counter set n = n + 1 returning n) \
                               select pg_notify('c', 'count:' || n), n from n";
                let row = client.query_one(counted, &[]).await.unwrap();
                said.push(format!("count:{}", row.get::<_, i32>(1)));
            }
        }
    }
    said
}

/// Everything that a listener hears up to the word that ends it.
async fn listen(mut client: Raw) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let (tag, body) = client.read().await.expect("the connection stands");
        assert_eq!(tag, b'A');
        let text = String::from_utf8(body[4..body.len() - 1].to_vec()).unwrap();
        let (channel, payload) = text.split_once('\0').unwrap();
        assert_eq!(channel, "c");
        if payload == "end" {
            return heard;
        }
        heard.push(payload.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_hear_what_was_committed_once_and_in_order() {
    let server = Server::start_with(|configuration| configuration.max_connections = 200).await;
    let address = server.address();
    let client = server.client().await;
    client
        .batch_execute("create table t (n int); create table counter (n int); insert into counter values (0)")
        .await
        .unwrap();
    let mut listeners = JoinSet::new();
    for _ in 0..LISTENERS {
        let mut listener = Raw::connect(address).await;
        listener.replay(&[Send::Query("listen c")]).await;
        listeners.spawn(listen(listener));
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(address, writer));
    }
    let said: Vec<Vec<String>> = writers.join_all().await;
    client.batch_execute("notify c, 'end'").await.unwrap();
    let heard: Vec<Vec<String>> = listeners.join_all().await;
    assert!(heard.iter().all(|other| *other == heard[0]), "listeners heard different orders");
    let heard = &heard[0];
    let all: HashSet<&String> = said.iter().flatten().collect();
    assert_eq!(heard.len(), all.len(), "some were lost or doubled");
    assert_eq!(heard.iter().collect::<HashSet<_>>(), all);
    for of_writer in &said {
        let own: HashSet<&String> = of_writer.iter().collect();
        let in_order: Vec<&String> = heard.iter().filter(|message| own.contains(message)).collect();
        assert_eq!(in_order, of_writer.iter().collect::<Vec<_>>());
    }
    let counts: Vec<u32> = heard.iter().filter_map(|message| message.strip_prefix("count:")?.parse().ok()).collect();
    assert_eq!(counts, (1..=counts.len() as u32).collect::<Vec<_>>(), "not in the order of the commits");
    assert!(counts.len() > 100);
    server.stop().await;
}
