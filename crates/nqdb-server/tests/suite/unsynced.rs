//! Nothing that a power cut could take back reaches a client: the disk's syncs are held up, and so are the answers.

use std::time::Duration;

use crate::support::Server;
use crate::support::gated_disk::GatedDisk;
use crate::support::raw::{Raw, Send, render};

use Send::{Bind, Execute, Flush, Parse, Query, Sync};

/// How long an answer that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(300);

/// Whether nothing comes.
async fn is_silent(raw: &Raw) -> bool {
    tokio::time::timeout(SILENCE, raw.stream.peek(&mut [0])).await.is_err()
}

/// Opens the gate whatever happens: a server that waits at it cannot be stopped.
struct Opener(GatedDisk);

impl Drop for Opener {
    fn drop(&mut self) {
        self.0.open_gate();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_block_shows_nothing_of_a_commit_that_is_not_synced() {
    let update = "update t set n = n + 1 returning n";
    let cases: [(&str, Vec<Send>, &[&str]); 3] = [
        (
            "Sync",
            vec![Parse("", update), Bind("", "", &[]), Execute("", 0), Sync],
            &["1", "2", "D [2]", "C UPDATE 1", "Z T"],
        ),
        (
            "Flush",
            vec![Parse("", update), Bind("", "", &[]), Execute("", 0), Flush],
            &["1", "2", "D [2]", "C UPDATE 1"],
        ),
        ("a simple query", vec![Query(update)], &["T n:23/4/-1", "D [2]", "C UPDATE 1", "Z T"]),
    ];
    for (name, messages, expected) in cases {
        let disk = GatedDisk::new();
        let server = Server::start_over(disk.clone()).await;
        let opener = Opener(disk.clone());
        let mut first = Raw::connect(server.address()).await;
        let mut second = Raw::connect(server.address()).await;
        first.replay(&[Query("create table t (id int primary key, n int); insert into t values (1, 0)")]).await;
        second.replay(&[Query("begin")]).await;
        disk.close();
        first.write(&Query("update t set n = n + 1").encode()).await;
        assert!(is_silent(&first).await, "the commit is not synced");
        for message in &messages {
            second.write(&message.encode()).await;
        }
        assert!(is_silent(&second).await, "{name}: nor is what was built on it");
        drop(opener);
        assert_eq!(first.answers().await, ["C UPDATE 1", "Z I"]);
        for line in expected {
            let (tag, body) = second.read().await.expect("answers");
            assert_eq!(render(tag, &body), *line, "{name}");
        }
        drop((first, second));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_conflict_finds_its_key_in_a_commit_that_is_not_synced() {
    let cases = [
        ("insert into t values (1, 10, 5) on conflict (u) do nothing", "C INSERT 0 0"),
        ("insert into t values (1, 10, 5) on conflict (u) do update set n = t.n + 1", "C INSERT 0 1"),
    ];
    for (insert, answer) in cases {
        let disk = GatedDisk::new();
        let server = Server::start_over(disk.clone()).await;
        let opener = Opener(disk.clone());
        let mut first = Raw::connect(server.address()).await;
        let mut second = Raw::connect(server.address()).await;
        first.replay(&[Query("create table t (id int primary key, u int unique, n int)")]).await;
        disk.close();
        first.write(&Query("insert into t values (1, 10, 0)").encode()).await;
        assert!(is_silent(&first).await, "the commit is not synced");
        // The primary key is met first, but it is not the one that ON CONFLICT names.
        second.write(&Query(insert).encode()).await;
        assert!(is_silent(&second).await, "{insert}: nor is what was found in it");
        drop(opener);
        assert_eq!(first.answers().await, ["C INSERT 0 1", "Z I"]);
        assert_eq!(second.answers().await, [answer, "Z I"], "{insert}");
        drop((first, second));
        server.stop().await;
    }
}
