//! Notifications under fire, in short; `cargo run --release -p nqdb-testkit --example notifications` is the long form.

use nqdb_testkit::NqdbServer;
use nqdb_testkit::under_fire::{Load, run};

async fn nothing_is_lost(durable: bool) {
    let load =
        Load { messages: 15_000, writers: 16, channels: 4, listeners: 2, subscribers: 2, kills: 20, durable, seed: 1 };
    let server = NqdbServer::start();
    let report = run(&server, load).await.unwrap_or_else(|error| panic!("{error}; log:\n{}", server.log()));
    assert!(report.faults.is_empty(), "{report}: {:#?}", report.faults);
    assert!(report.committed.iter().sum::<u64>() >= load.messages && report.rolled_back > 0, "{report}");
    assert_eq!(report.killed, load.kills, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_once_and_in_the_order_of_their_commits() {
    nothing_is_lost(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_durable_channels_do_too() {
    nothing_is_lost(true).await;
}
