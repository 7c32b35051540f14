//! Notifications, message by message, against PostgreSQL 15; and what nqdb does beyond it with listeners that do not read.
//!
//! A script is a list of messages of several clients. Each is sent when the one before it is answered; what comes to a client
//! without a question is waited for where the script says so.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use nqdb_server::NotifyOverflow;
use tokio::io::AsyncReadExt;

use crate::support::Server;
use crate::support::postgres::Postgres;
use crate::support::raw::{Raw, Send, render};

use Send::{Bind, Execute, Flush, Parse, Query, Sync};
use Step::{Does, Hears, Leaves};

/// What one client does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Sends messages and waits for their answers.
    Does(&'static str, &'static [Send]),
    /// Gets so many messages without a question.
    Hears(&'static str, usize),
    /// Closes its connection.
    Leaves(&'static str),
}

/// The clients of a script, by name.
struct Cast {
    address: SocketAddr,
    clients: HashMap<&'static str, Raw>,
    names: HashMap<i32, &'static str>,
}

impl Cast {
    fn new(address: SocketAddr) -> Cast {
        Cast { address, clients: HashMap::new(), names: HashMap::new() }
    }

    async fn client(&mut self, name: &'static str) -> &mut Raw {
        if !self.clients.contains_key(name) {
            let client = Raw::connect(self.address).await;
            self.names.insert(client.pid, name);
            self.clients.insert(name, client);
        }
        self.clients.get_mut(name).unwrap()
    }

    /// Plays a script; a line for each answer, with the name of the client that got it.
    async fn play(&mut self, script: &[Step]) -> Vec<String> {
        let mut lines = Vec::new();
        for step in script {
            match step {
                Does(name, messages) => {
                    let client = self.client(name).await;
                    let mut got = Vec::new();
                    for message in *messages {
                        client.write(&message.encode()).await;
                        if matches!(message, Query(_) | Sync) {
                            got.extend(messages_until_ready(client).await);
                        }
                    }
                    lines.extend(got.into_iter().map(|(tag, body)| self.line(name, tag, &body)));
                }
                Hears(name, count) => {
                    for _ in 0..*count {
                        let (tag, body) = self.client(name).await.read().await.expect("the connection stands");
                        lines.push(self.line(name, tag, &body));
                    }
                }
                Leaves(name) => drop(self.clients.remove(name)),
            }
        }
        lines
    }

    /// A message as a line; a sender's number becomes its name.
    fn line(&self, client: &str, tag: u8, body: &[u8]) -> String {
        if tag != b'A' {
            return format!("{client}: {}", render(tag, body));
        }
        let pid = i32::from_be_bytes(body[..4].try_into().unwrap());
        let sender = self.names.get(&pid).copied().unwrap_or("nobody");
        let text = String::from_utf8_lossy(&body[4..body.len() - 1]).replace('\0', "|");
        let shown: String = text.chars().take(60).collect();
        format!("{client}: A from {sender}: {shown} ({} bytes)", text.len())
    }
}

async fn messages_until_ready(client: &mut Raw) -> Vec<(u8, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some((tag, body)) = client.read().await {
        messages.push((tag, body));
        if tag == b'Z' {
            break;
        }
    }
    messages
}

/// Each rule with its script.
fn scripts() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        (
            "own notifications come after the command and before ReadyForQuery",
            vec![
                Does("a", &[Query("listen c")]),
                Does("a", &[Query("notify c")]),
                Does("a", &[Query("notify c, 'payload'")]),
                Does("a", &[Query("select pg_notify('c', 'from a function')")]),
                Does("a", &[Query("notify d, 'not listened to'")]),
            ],
        ),
        (
            "an idle client hears at once, whoever says it",
            vec![
                Does("b", &[Query("listen c")]),
                Does("a", &[Query("notify c, 'one'")]),
                Hears("b", 1),
                Does("a", &[Query("notify c, 'two'")]),
                Does("a", &[Query("notify c, 'three'")]),
                Hears("b", 2),
                Does("b", &[Query("select 1")]),
            ],
        ),
        (
            "nothing is said before the commit, and nothing after a rollback",
            vec![
                Does("b", &[Query("listen c")]),
                Does("a", &[Query("begin"), Query("notify c, 'rolled back'")]),
                Does("b", &[Query("select 1")]),
                Does("a", &[Query("rollback")]),
                Does(
                    "a",
                    &[
                        Query("begin"),
                        Query("notify c, 'failed'"),
                        Query("select 1/(n-n) from generate_series(1, 1) n"),
                        Query("commit"),
                    ],
                ),
                Does("a", &[Query("begin"), Query("notify c, 'committed'")]),
                Does("b", &[Query("select 2")]),
                Does("a", &[Query("commit")]),
                Hears("b", 1),
            ],
        ),
        (
            "an open block hears nothing before its end",
            vec![
                Does("b", &[Query("listen c")]),
                Does("b", &[Query("begin")]),
                Does("a", &[Query("notify c, 'one'"), Query("notify c, 'two'")]),
                Does("b", &[Query("select 1")]),
                Does("b", &[Query("commit")]),
                Does("b", &[Query("begin")]),
                Does("a", &[Query("notify c, 'three'")]),
                Does("b", &[Query("select 1/(n-n) from generate_series(1, 1) n")]),
                Does("b", &[Query("select 1")]),
                Does("b", &[Query("rollback")]),
            ],
        ),
        (
            "the same message goes out once for each transaction",
            vec![
                Does("a", &[Query("listen c1"), Query("listen c2")]),
                Does("a", &[Query("notify c2, 'payload'; notify c1; notify \"c2\", 'payload'")]),
                Does("a", &[Query("notify c1; notify c1; notify c1, 'p1'; notify c1, 'p2'; notify c1, 'p1'")]),
                Does("a", &[Query("notify c1, 'p1'"), Query("notify c1, 'p1'")]),
                Does("a", &[Query("notify c1, ''; select pg_notify('c1', null); notify c1")]),
            ],
        ),
        (
            "savepoints",
            vec![
                Does("a", &[Query("listen c1"), Query("listen c2")]),
                Does(
                    "a",
                    &[
                        Query("begin"),
                        Query("notify c1, 'payload'; notify c2, 'payload'; notify c1, 'payload'"),
                        Query("savepoint s1"),
                        Query(
                            "notify c1, 'payload'; notify c2, 'payload'; notify c1, 'payloads'; notify c2, 'payloads'",
                        ),
                        Query(
                            "notify c1, 'payload'; notify c2, 'payload'; notify c1, 'payloads'; notify c2, 'payloads'",
                        ),
                        Query("release s1"),
                        Query("savepoint s2"),
                        Query("notify c1, 'rpayload'; notify c2, 'rpayload'; notify c1, 'payload'"),
                        Query("rollback to s2"),
                        Query("commit"),
                    ],
                ),
                Does(
                    "a",
                    &[
                        Query("begin; savepoint s1; notify c1, 'inner'; savepoint s2; notify c1, 'innermost'"),
                        Query("notify c1, 'inner'; rollback to s2; notify c1, 'after'; commit"),
                    ],
                ),
                Does(
                    "a",
                    &[Query("begin; savepoint s1; notify c1, 'gone'; rollback to s1; notify c1, 'gone'; commit")],
                ),
                Does(
                    "a",
                    &[
                        Query("begin; savepoint s1; notify c1, 'failed'"),
                        Query("select 1/(n-n) from generate_series(1, 1) n"),
                        Query("rollback to s1"),
                        Query("notify c1, 'kept'; commit"),
                    ],
                ),
            ],
        ),
        (
            "listen and notify in one transaction",
            vec![
                Does("a", &[Query("begin"), Query("listen c"), Query("notify c, 'one'"), Query("commit")]),
                Does("b", &[Query("notify d, 'before'; listen d; notify d, 'after'")]),
                Does("a", &[Query("begin"), Query("notify c, 'unheard'"), Query("unlisten c"), Query("commit")]),
                Does("a", &[Query("begin; listen c; notify c, 'rolled back'; rollback")]),
                Does("a", &[Query("notify c, 'nobody'")]),
                Does("a", &[Query("begin; listen c; unlisten c; notify c, 'no'; commit")]),
                Does("a", &[Query("begin; unlisten *; listen c; notify c, 'yes'; commit")]),
                Does("a", &[Query("begin; savepoint s; listen e; rollback to s; commit; notify e, 'no'")]),
            ],
        ),
        (
            "several statements in a string are one transaction",
            vec![
                Does("a", &[Query("listen c")]),
                Does("a", &[Query("notify c, 'one'; select 1; notify c, 'two'")]),
                Does(
                    "a",
                    &[Query("notify c, 'lost'; select 1/(n-n) from generate_series(1, 1) n; notify c, 'lost too'")],
                ),
                Does("a", &[Query("begin; notify c, 'three'; commit; notify c, 'four'; select 2")]),
                Does("a", &[Query("begin; notify c, 'five'; commit; begin")]),
                Does("a", &[Query("select 1"), Query("commit")]),
            ],
        ),
        (
            "the extended protocol",
            vec![
                Does("a", &[Parse("", "listen c"), Bind("", "", &[]), Execute("", 0), Sync]),
                Does(
                    "a",
                    &[
                        Parse("", "notify c, 'one'"),
                        Bind("", "", &[]),
                        Execute("", 0),
                        Parse("", "select pg_notify($1, $2)"),
                        Bind("", "", &["c", "two"]),
                        Execute("", 0),
                        Flush,
                        Bind("", "", &["c", "one"]),
                        Execute("", 0),
                        Sync,
                    ],
                ),
                Does(
                    "a",
                    &[
                        Parse("", "notify c, 'lost'"),
                        Bind("", "", &[]),
                        Execute("", 0),
                        Parse("", "select 1/(n-n) from generate_series(1, 1) n"),
                        Bind("", "", &[]),
                        Execute("", 0),
                        Sync,
                    ],
                ),
                Does("a", &[Parse("", "select 1"), Sync]),
                Does("a", &[Parse("", "unlisten *"), Bind("", "", &[]), Execute("", 0), Sync]),
                Does("a", &[Query("notify c, 'nobody'")]),
            ],
        ),
        (
            "order within a transaction and across",
            vec![
                Does("c", &[Query("listen c1; listen c2")]),
                Does("a", &[Query("begin; notify c1, 'a1'; notify c2, 'a2'")]),
                Does("b", &[Query("begin; notify c2, 'b1'; notify c1, 'b2'; notify c2, 'b3'")]),
                Does("b", &[Query("commit")]),
                Does("a", &[Query("notify c1, 'a3'; commit")]),
                Hears("c", 6),
            ],
        ),
        (
            "the function takes names as they are, the statements fold them",
            vec![
                Does("a", &[Query("listen c"), Query("listen c"), Query("listen \"C\"")]),
                Does("a", &[Query("select pg_notify('C', 'upper'), pg_notify('c', 'lower')")]),
                Does("a", &[Query("unlisten c")]),
                Does("a", &[Query("select pg_notify('C', 'upper'), pg_notify('c', 'lower')")]),
                Does("a", &[Query("discard all")]),
                Does("a", &[Query("select pg_notify('C', 'upper'), pg_notify('c', 'lower')")]),
            ],
        ),
        (
            "a listener that leaves is forgotten",
            vec![
                Does("b", &[Query("listen c")]),
                Does("a", &[Query("listen c")]),
                Leaves("b"),
                Does("a", &[Query("notify c, 'alone'")]),
            ],
        ),
        (
            "limits",
            vec![
                Does("a", &[Query("select pg_notify('', 'x')"), Query("select pg_notify(null, 'x')")]),
                Does("a", &[Query("select pg_notify(repeat('c', 64), 'x')")]),
                Does("a", &[Query("select pg_notify('c', repeat('x', 8000))")]),
                Does("a", &[Query("listen c"), Query("select pg_notify('c', repeat('x', 7999))")]),
                Does("a", &[Query("listen cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc")]),
                Does("a", &[Query("select pg_notify(repeat('c', 63), 'cut')")]),
            ],
        ),
        (
            "the queue is used by who listens in an open block",
            vec![
                Does("b", &[Query("listen c1"), Query("begin")]),
                Does("a", &[Query("select pg_notification_queue_usage() > 0")]),
                Does("a", &[Query("select count(pg_notify('c1', s::text)) from generate_series(1, 1000) s")]),
                Does("a", &[Query("select pg_notification_queue_usage() > 0")]),
            ],
        ),
        (
            "a transaction that only reads may notify",
            vec![
                Does("a", &[Query("listen c")]),
                Does("a", &[Query("begin read only; notify c, 'read only'; commit")]),
                Does("a", &[Query("set default_transaction_read_only = on; listen d"), Query("notify d, 'too'")]),
            ],
        ),
        (
            "cursors that are kept say what they compute at the commit",
            vec![
                Does("a", &[Query("listen c")]),
                Does(
                    "a",
                    &[Query(
                        "begin; declare k cursor with hold for select pg_notify('c', 'held'); notify c, 'first'; commit",
                    )],
                ),
                Does("a", &[Query("fetch k")]),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_as_postgresql_sends_them() {
    let server = Server::start().await;
    let postgres = Postgres::start();
    let mut differences = Vec::new();
    for (name, script) in scripts() {
        let wanted = Cast::new(postgres.address()).play(&script).await;
        let got = Cast::new(server.address()).play(&script).await;
        if got != wanted {
            differences.push(format!("== {name}\npostgres\n{}\nnqdb\n{}", wanted.join("\n"), got.join("\n")));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n\n"));
    server.stop().await;
}

async fn listener(address: SocketAddr) -> Raw {
    let mut listener = Raw::connect(address).await;
    listener.replay(&[Query("listen c")]).await;
    listener
}

/// Sends notifications of 7,000 bytes until one is refused, or so many; gives the last answer.
async fn notify_much(notifier: &mut Raw, count: usize) -> Vec<String> {
    let mut answer = Vec::new();
    for _ in 0..count {
        answer = notifier.replay(&[Query("select pg_notify('c', random()::text || repeat('x', 7000))")]).await;
        if answer.iter().any(|line| line.starts_with('E')) {
            break;
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_does_not_read_is_dropped_and_the_notifier_goes_on() {
    let server = Server::start_with(|configuration| configuration.notify_queue_bytes = 1 << 20).await;
    let mut in_block = listener(server.address()).await;
    in_block.replay(&[Query("begin")]).await;
    let mut reader = listener(server.address()).await;
    let mut notifier = Raw::connect(server.address()).await;
    for _ in 0..10 {
        let answer = notify_much(&mut notifier, 20).await;
        assert_eq!(answer.last().map(String::as_str), Some("Z I"), "{answer:?}");
        for _ in 0..20 {
            let (tag, _) = reader.read().await.expect("who reads stays");
            assert_eq!(tag, b'A');
        }
    }
    let (tag, body) = in_block.read().await.expect("it is told why");
    let line = render(tag, &body);
    assert_eq!(line, "E S=FATAL C=54000 M=terminating connection because it left too many notifications unread");
    assert!(in_block.read().await.is_none());
    let stats = server.instance().hub.stats();
    assert_eq!((stats.dropped, stats.subscribers), (1, 1));
    let reads = notifier.replay(&[Query("select pg_notification_queue_usage()")]).await;
    assert!(reads.contains(&"D [0]".to_owned()), "{reads:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_its_socket_is_cut_off() {
    let server = Server::start_with(|configuration| configuration.notify_queue_bytes = 1 << 20).await;
    let mut stalled = listener(server.address()).await;
    let mut notifier = Raw::connect(server.address()).await;
    let dropped = async {
        while server.instance().hub.stats().dropped == 0 {
            let answer = notify_much(&mut notifier, 100).await;
            assert_eq!(answer.last().map(String::as_str), Some("Z I"), "{answer:?}");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), dropped).await.expect("the socket's buffers are finite");
    let mut rest = Vec::new();
    // Only now it reads: what was on its way comes, then the end.
    tokio::time::timeout(Duration::from_secs(20), stalled.stream.read_to_end(&mut rest)).await.unwrap().ok();
    assert!(rest.first() == Some(&b'A'));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_the_notifier_where_listeners_are_not_dropped() {
    let server = Server::start_with(|configuration| {
        configuration.notify_queue_bytes = 1 << 20;
        configuration.notify_overflow = NotifyOverflow::RefuseNotifier;
    })
    .await;
    let mut in_block = listener(server.address()).await;
    let pid = in_block.pid;
    in_block.replay(&[Query("begin")]).await;
    let mut notifier = Raw::connect(server.address()).await;
    notifier.replay(&[Query("create table t (id int)")]).await;
    let answer = notify_much(&mut notifier, 1_000).await;
    let refused = answer.iter().find(|line| line.starts_with('E')).expect("the queue is full");
    assert!(refused.starts_with("E S=ERROR C=54000 M=too many notifications in the NOTIFY queue"), "{refused}");
    assert!(refused.contains(&format!("PID {pid}")), "{refused}");
    // The whole transaction is refused; other channels and other statements are not.
    let block = notifier
        .replay(&[
            Query("begin"),
            Query("insert into t values (1)"),
            Query("select pg_notify('c', repeat('x', 7000))"),
            Query("commit"),
            Query("select count(*) from t"),
            Query("notify other"),
        ])
        .await;
    let lines: Vec<&str> = block.iter().map(String::as_str).filter(|line| !line.starts_with('T')).collect();
    assert!(lines[7].starts_with("E S=ERROR C=54000"), "{lines:?}");
    assert_eq!(&lines[8..], ["Z I", "D [0]", "C SELECT 1", "Z I", "C NOTIFY", "Z I"]);
    let heard = in_block.replay(&[Query("commit")]).await;
    let count = heard.iter().filter(|line| line.starts_with('A')).count();
    assert!(count > 50, "{count}");
    let again = notify_much(&mut notifier, 10).await;
    assert_eq!(again.last().map(String::as_str), Some("Z I"));
    server.stop().await;
}
