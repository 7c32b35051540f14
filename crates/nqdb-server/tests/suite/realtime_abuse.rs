//! Clients of channels that ask for too much or do not listen: they are ended or refused with their codes, and nobody else notices.

use nqdb_server::HttpListen;

use crate::support::Server;
use crate::support::web::{CONNECT, Socket, hear, http_address};

const PATH: &str = "/connection/websocket";

/// The first bytes of frames, with their payloads.
type Frames = &'static [(u8, &'static [u8])];

async fn server() -> Server {
    Server::start_with(|configuration| {
        configuration.http_listen = HttpListen::At("127.0.0.1:0".to_owned());
    })
    .await
}

async fn connected(server: &Server) -> Socket {
    let mut socket = Socket::open(http_address(server), PATH).await;
    assert!(socket.ask(CONNECT).await.contains("\"client\""));
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_a_rule_end_the_connection_with_its_code() {
    let server = server().await;
    // Fragments of one message count together, whether it ends or not.
    let mut socket = connected(&server).await;
    socket.send_frame(0x01, &[b' '; 30_000]).await;
    socket.send_frame(0x00, &[b' '; 30_000]).await;
    socket.send_frame(0x00, &[b' '; 30_000]).await;
    assert_eq!(socket.close_code().await, 1009);
    let wrong: [(&str, Frames, u16); 6] = [
        ("a continuation of nothing", &[(0x80, b"x")], 1002),
        ("a message inside another", &[(0x01, b"{"), (0x81, b"}")], 1002),
        ("a ping in fragments", &[(0x09, b"x")], 1002),
        ("a ping that is too long", &[(0x89, &[b'x'; 126])], 1002),
        ("reserved bits", &[(0xc1, b"{}")], 1002),
        ("a character cut off by the end", &[(0x01, b"\"\xc3"), (0x80, b"\"")], 1007),
    ];
    for (what, frames, code) in wrong {
        let mut socket = connected(&server).await;
        for (first, payload) in frames {
            socket.send_frame(*first, payload).await;
        }
        assert_eq!(socket.close_code().await, code, "{what}");
    }
    // A character that two fragments share is whole.
    let mut socket = connected(&server).await;
    let command = "{\"id\":2,\"subscribe\":{\"channel\":\"é\"}}".as_bytes();
    let middle = command.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
    socket.send_frame(0x01, &command[..middle]).await;
    socket.send_frame(0x80, &command[middle..]).await;
    assert!(socket.next().await.unwrap().contains("epoch"));
    // JSON that nests too deep is none, and a number that is no id neither.
    for line in [format!("{{\"id\":2,\"rpc\":{}", "[".repeat(60_000)), "{\"id\":-1,\"ping\":{}}".to_owned()] {
        let mut socket = connected(&server).await;
        socket.send(&line).await;
        assert_eq!(socket.close_code().await, 3501);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_subscriptions_disturb_nobody() {
    let server = server().await;
    let (mut greedy, mut modest) = (connected(&server).await, connected(&server).await);
    modest.ask(r#"{"id":2,"subscribe":{"channel":"news"}}"#).await;
    let answers = tokio::spawn(async move {
        let (mut taken, mut refused) = (0, 0);
        for hundred in 0..100 {
            let subscribe = |number: u32| {
                let channel = hundred * 100 + number;
                format!("{{\"id\":{},\"subscribe\":{{\"channel\":\"c{channel}\"}}}}", channel + 2)
            };
            greedy.send(&(0..100).map(subscribe).collect::<Vec<_>>().join("\n")).await;
            for _ in 0..100 {
                match greedy.next().await.expect("the connection stands") {
                    answer if answer.contains("\"epoch\"") => taken += 1,
                    answer if answer.contains("\"code\":106") => refused += 1,
                    other => panic!("{other}"),
                }
            }
        }
        (greedy, taken, refused)
    });
    for number in 0..100 {
        modest.send(&format!("{{\"id\":3,\"publish\":{{\"channel\":\"news\",\"data\":{number}}}}}")).await;
        assert!(hear(&mut modest, "\"pub\"").await.contains(&format!("\"data\":{number},")));
    }
    let (mut greedy, taken, refused) = answers.await.unwrap();
    assert_eq!((taken, refused), (1_000, 9_000));
    assert!(greedy.ask(r#"{"id":20000,"unsubscribe":{"channel":"c0"}}"#).await.contains("unsubscribe"));
    assert!(greedy.ask(r#"{"id":20001,"subscribe":{"channel":"news"}}"#).await.contains("\"offset\":100"));
    server.stop().await;
}

/// Messages of 60 KB each: together more than a queue and the buffers of a socket take.
const MESSAGES: usize = 700;

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_let_go_and_holds_up_nobody() {
    let server = server().await;
    let (mut slow, mut healthy, mut publisher) =
        (connected(&server).await, connected(&server).await, connected(&server).await);
    for socket in [&mut slow, &mut healthy] {
        assert!(socket.ask(r#"{"id":2,"subscribe":{"channel":"c"}}"#).await.contains("epoch"));
    }
    let filler = "x".repeat(60_000);
    for number in 1..=MESSAGES {
        let said = format!("{{\"id\":3,\"publish\":{{\"channel\":\"c\",\"data\":\"{number} {filler}\"}}}}");
        assert!(publisher.ask(&said).await.contains("\"publish\""), "nobody holds up who publishes");
        assert!(hear(&mut healthy, "\"pub\"").await.contains(&format!("\"offset\":{number}")));
    }
    let sql = server.client().await;
    let dropped = "select count(*) from nqdb_connections where kind = 'websocket'";
    // The slow one is gone before it reads: its queue is given back.
    while sql.query_one(dropped, &[]).await.unwrap().get::<_, i64>(0) > 2 {
        tokio::task::yield_now().await;
    }
    assert!(server.instance().hub.stats().dropped >= 1);
    assert!(healthy.ask(r#"{"id":4,"presence_stats":{"channel":"c"}}"#).await.contains("\"num_clients\":1"));
    drop(slow);
    server.stop().await;
}
